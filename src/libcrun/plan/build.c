// SPDX-License-Identifier: Apache-2.0
// The launch plan: puts the parts together, in the order in which they need each other. See plan.h.
#include "plan/plan.h"

#include "base/str.h"
#include "plan/internal.h"
#include "plan/process.h"

#include <errno.h>
#include <string.h>

void *plan_alloc(struct oci_arena *arena, size_t n, size_t size)
{
	if (n > (SIZE_MAX / 2) / size)
		return NULL;
	return oci_arena_alloc(arena, n ? n * size : size);
}

const char *plan_annotation(const struct oci_config *config, const char *key)
{
	const struct oci_string_map *map = config->annotations;

	for (size_t i = 0; map && i < map->len; i++) {
		if (str_eq(map->items[i].key, key))
			return map->items[i].value;
	}
	return NULL;
}

/* BUNDLE/PATH for a relative PATH, PATH itself for an absolute one. */
static const char *below_bundle(struct oci_arena *arena, const char *bundle, const char *path)
{
	size_t a = strlen(bundle), b = strlen(path);
	char *joined;

	if (path[0] == '/')
		return path;
	joined = oci_arena_alloc(arena, a + b + 2);
	if (!joined)
		return NULL;
	memcpy(joined, bundle, a);
	joined[a] = '/';
	memcpy(joined + a + 1, path, b + 1);
	return joined;
}

static int plan_root(struct launch_plan *plan, struct oci_arena *arena, struct crun_error *err)
{
	const struct oci_root *root = plan->config->root;

	if (!root) {
		err_set(err, KIND_SPEC, EINVAL,
			"root is missing: it names the container's root file system");
		return err_at(err, "/root");
	}
	if (root->path[0] == '\0') {
		err_set(err, KIND_SPEC, EINVAL, "root.path is empty");
		return err_at(err, "/root/path");
	}
	plan->rootfs = below_bundle(arena, plan->bundle, root->path);
	if (!plan->rootfs)
		return PLAN_NO_MEMORY(err);
	return 0;
}

static bool has_resources(const struct oci_linux_resources *r)
{
	/* Engines always send device rules; by themselves they ask for nothing that an ordinary user could have. */
	return r && (r->memory || r->cpu || r->pids || r->block_io || r->hugepage_limits_len ||
		     r->network || (r->rdma && r->rdma->len) || (r->unified && r->unified->len));
}

/* config-linux.md, "Cgroup ownership": the mount through which the payload can write to its cgroup. */
static bool mounts_cgroup_writable(const struct oci_config *config)
{
	for (size_t i = 0; i < config->mounts_len; i++) {
		const struct oci_mount *m = &config->mounts[i];
		bool ro = false;

		for (size_t k = 0; k < m->options_len; k++)
			ro = ro || strcmp(m->options[k], "ro") == 0;
		if (!ro && m->source && strcmp(m->source, "cgroup") == 0 &&
		    strcmp(m->destination, "/sys/fs/cgroup") == 0)
			return true;
	}
	return false;
}

/* The same section: the payload's user, with a cgroup namespace of its own and on cgroup v2 only; -1: nobody. */
static int64_t cgroup_owner(const struct launch_plan *plan)
{
	if (plan->facts.cgroup_layout != CGROUP_V2 || plan->ns[NS_CGROUP].action != NS_NEW ||
	    !mounts_cgroup_writable(plan->config))
		return -1;
	return plan_host_id(plan, false, plan->process.uid);
}

static void plan_cgroup(struct launch_plan *plan, const struct plan_options *opts)
{
	const struct oci_linux *lx = plan->linux_;
	bool unprivileged = !plan->facts.privileged || plan->facts.in_userns;
	bool has_path = lx->cgroups_path && lx->cgroups_path[0];
	int64_t owner = cgroup_owner(plan);
	const char *delegate = plan_annotation(plan->config, "run.oci.delegate-cgroup");

	/* Who may not give it away keeps it. */
	if (unprivileged && owner != (int64_t)plan->facts.euid)
		owner = -1;
	plan->cgroup = (struct plan_cgroup){
		.manager = opts->cgroup_manager,
		.layout = plan->facts.cgroup_layout,
		.id = opts->id,
		.path = has_path ? lx->cgroups_path : NULL,
		.resources = lx->resources,
		.devices = plan->devices,
		.devices_len = plan->devices_len,
		.annotations = plan->config->annotations,
		.delegate = delegate && delegate[0] ? delegate : NULL,
		.optional = unprivileged && !has_path && !has_resources(lx->resources),
		.unprivileged = unprivileged,
		.owner = owner < 0 ? (uid_t)-1 : (uid_t)owner,
	};
}

static void plan_sync(struct launch_plan *plan)
{
	const struct oci_hooks *hooks = plan->config->hooks;

	plan->sync_go = plan->ns[NS_USER].action == NS_NEW;
	/* Inside a user namespace a hard limit can only be raised from outside: before init sets it. */
	if (plan->ns[NS_USER].action == NS_JOIN && plan->process.rlimits_len)
		plan->sync_go = true;
	/* While init waits it still has our own user id, by which we may set them (host/sched.h). */
	if (plan->config->process->scheduler || plan->config->process->io_priority)
		plan->sync_go = true;
	/* Init and its children must find themselves in their class of service, and their interfaces. */
	if (plan->linux_->intel_rdt || plan->net_devices_len)
		plan->sync_go = true;
	/* Also when only init has hooks to run: it tells us so that poststop hooks follow their failure. */
	plan->sync_hooks = hooks && (hooks->prestart_len || hooks->create_runtime_len ||
				     hooks->create_container_len ||
				     (hooks->start_container_len && !plan->gate));
	plan->sync_filter = plan->seccomp.profile || plan->seccomp.program;
	plan->sync_listener = plan->seccomp.listener != NULL;
}

bool plan_process_has_label(const struct oci_process *p, const struct host_facts *facts)
{
	if (p->apparmor_profile && p->apparmor_profile[0] && facts->apparmor)
		return true;
	return p->selinux_label && p->selinux_label[0] && facts->selinux;
}

/* An engine that names a socket in the environment has an arrangement of its own; and a mount needs a mount namespace. */
static bool wants_notify(const struct launch_plan *plan)
{
	const char *const *env = (const char *const *)plan->process.envp;

	if (plan->ns[NS_MNT].action != NS_NEW)
		return false;
	while (env && *env) {
		if (str_after(*env++, "NOTIFY_SOCKET="))
			return false;
	}
	return true;
}

bool plan_keeps_groups(const struct oci_config *config)
{
	const char *keep = plan_annotation(config, "run.oci.keep_original_groups");

	return keep && !str_eq(keep, "0");
}

unsigned plan_preserved_fds(unsigned preserve_fds, unsigned listen_fds)
{
	return listen_fds > preserve_fds ? listen_fds : preserve_fds;
}

int plan_build(const struct oci_config *config, const struct host_facts *facts,
	       const struct plan_options *opts, struct oci_arena *arena, struct launch_plan **ret,
	       struct crun_error *err)
{
	static const struct oci_linux no_linux;
	struct launch_plan *plan = oci_arena_alloc(arena, sizeof(*plan));
	int r;

	if (!plan)
		return PLAN_NO_MEMORY(err);
	*plan = (struct launch_plan){
		.config = config,
		.linux_ = config->linux ? config->linux : &no_linux,
		.facts = *facts,
		.id = opts->id,
		.bundle = opts->bundle,
		.no_pivot = opts->no_pivot,
		.new_keyring = !opts->no_new_keyring,
		.detach = opts->detach,
		.gate = opts->gate,
	};
	if (!config->process) {
		err_set(err, KIND_SPEC, EINVAL, "process is missing: it says what to run");
		return err_at(err, "/process");
	}
	r = plan_process(config->process, facts->last_cap, arena, &plan->process, err);
	if (r < 0)
		return r;
	r = plan_namespaces(plan, err);
	if (r < 0)
		return r;
	plan->process.set_groups = !plan->deny_setgroups;
	plan->process.keep_groups = plan_keeps_groups(config);
	plan->pidfd_receiver = opts->pidfd_socket
				       ? opts->pidfd_socket
				       : plan_annotation(config, "run.oci.pidfd_receiver");
	plan->process.preserve_fds = plan_preserved_fds(opts->preserve_fds, opts->listen_fds);
	plan->process.listen_fds = opts->listen_fds;
	if (wants_notify(plan))
		plan->notify_dir = opts->notify_dir;
	r = plan_root(plan, arena, err);
	if (r < 0)
		return r;
	r = plan_mounts(plan, arena, err);
	if (r < 0)
		return r;
	r = plan_devices(plan, arena, err);
	if (r < 0)
		return r;
	r = plan_net_devices(plan, arena, err);
	if (r < 0)
		return r;
	r = plan_seccomp(plan, opts->seccomp_receiver, arena, err);
	if (r < 0)
		return r;
	r = plan_check_linux(plan, err);
	if (r >= 0)
		r = plan_check_labels(config->process, facts, err);
	if (r < 0)
		return r;
	r = plan_memory_policy(plan, arena, err);
	if (r < 0)
		return r;
	plan_cgroup(plan, opts);
	plan->wants_label = plan_process_has_label(config->process, facts);
	plan_sync(plan);
	*ret = plan;
	return 0;
}
