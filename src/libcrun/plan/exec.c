// SPDX-License-Identifier: Apache-2.0
// The plan of a process that joins a container: see exec.h.
#include "plan/exec.h"

#include "base/number_list.h"
#include "base/str.h"
#include "plan/internal.h"
#include "plan/process.h"
#include "spec/check_process.h"

#include <errno.h>
#include <string.h>

void plan_exec_defaults(struct oci_process *process, const struct oci_process *container)
{
	if (!container)
		return;
	if (!process->user)
		process->user = container->user;
	if (!process->capabilities)
		process->capabilities = container->capabilities;
	if (!process->has_no_new_privileges) {
		process->has_no_new_privileges = container->has_no_new_privileges;
		process->no_new_privileges = container->no_new_privileges;
	}
	if (!process->rlimits_len) {
		process->rlimits = container->rlimits;
		process->rlimits_len = container->rlimits_len;
	}
	if (!process->apparmor_profile || !process->apparmor_profile[0])
		process->apparmor_profile = container->apparmor_profile;
	if (!process->selinux_label || !process->selinux_label[0])
		process->selinux_label = container->selinux_label;
	/* Without it the process would have the score of the engine, which is out of the OOM killer's reach as a rule. */
	if (!process->has_oom_score_adj) {
		process->has_oom_score_adj = container->has_oom_score_adj;
		process->oom_score_adj = container->oom_score_adj;
	}
	if (!process->exec_cpu_affinity)
		process->exec_cpu_affinity = container->exec_cpu_affinity;
}

int plan_exec_user(const char *text, uint32_t *ret_uid, uint32_t *ret_gid, bool *ret_has_gid)
{
	char number[16];
	size_t n = strcspn(text, ":");
	uint64_t uid, gid = 0;
	bool has_gid = text[n] == ':';

	if (n >= sizeof(number))
		return -EINVAL;
	memcpy(number, text, n);
	number[n] = '\0';
	/* The highest number is no id: setresuid(2) takes it for "as it is". */
	if (str_to_u64(number, UINT32_MAX - 1, &uid) < 0)
		return -EINVAL;
	if (has_gid && str_to_u64(text + n + 1, UINT32_MAX - 1, &gid) < 0)
		return -EINVAL;
	*ret_uid = (uint32_t)uid;
	*ret_gid = (uint32_t)gid;
	*ret_has_gid = has_gid;
	return 0;
}

/* check_process() has found the list to be one. */
static int plan_cpus(const char *list, struct oci_arena *arena, struct plan_cpus *ret)
{
	unsigned end;
	unsigned long *mask;

	if (!list || number_list_parse(list, CPU_LIST_LIMIT, NULL, &end) < 0 || end == 0)
		return 0;
	mask = plan_alloc(arena, NUMBER_LIST_WORDS(end), sizeof(*mask));
	if (!mask)
		return -ENOMEM;
	memset(mask, 0, NUMBER_LIST_WORDS(end) * sizeof(*mask));
	*ret = (struct plan_cpus){.mask = mask, .size = NUMBER_LIST_WORDS(end) * sizeof(*mask)};
	return number_list_parse(list, CPU_LIST_LIMIT, mask, &end);
}

static int plan_affinity(struct launch_plan *plan, struct oci_arena *arena, struct crun_error *err)
{
	const struct oci_exec_cpu_affinity *a = plan->config->process->exec_cpu_affinity;

	if (!a)
		return 0;
	if (plan_cpus(a->initial, arena, &plan->cpus_before) < 0 ||
	    plan_cpus(a->final, arena, &plan->cpus) < 0)
		return PLAN_NO_MEMORY(err);
	return 0;
}

/* The container's configuration with another process, and without what happens once in its life. */
static int plan_config(struct launch_plan *plan, const struct oci_config *config,
		       const struct oci_process *process, struct oci_arena *arena,
		       struct crun_error *err)
{
	struct oci_config *copy = plan_alloc(arena, 1, sizeof(*copy));

	if (!copy)
		return PLAN_NO_MEMORY(err);
	*copy = *config;
	copy->process = (struct oci_process *)process;
	copy->hooks = NULL;
	plan->config = copy;
	return 0;
}

static void plan_exec_sync(struct launch_plan *plan)
{
	const struct oci_process *p = plan->config->process;

	/* As for create: what the host side does to the process has to be done when it goes on. */
	plan->sync_go = (plan_ns_is_own(plan, NS_USER) && plan->process.rlimits_len) ||
			p->scheduler || p->io_priority || p->has_oom_score_adj;
	plan->sync_filter = plan->seccomp.profile || plan->seccomp.program;
	plan->sync_listener = plan->seccomp.listener != NULL;
}

int plan_exec(const struct oci_config *config, const struct oci_process *process,
	      const struct host_facts *facts, const struct plan_exec_options *opts,
	      struct oci_arena *arena, struct launch_plan **ret, struct crun_error *err)
{
	static const struct oci_linux no_linux;
	struct launch_plan *plan = plan_alloc(arena, 1, sizeof(*plan));
	int r;

	if (!plan)
		return PLAN_NO_MEMORY(err);
	*plan = (struct launch_plan){
		.linux_ = config->linux ? config->linux : &no_linux,
		.facts = *facts,
		.id = opts->id,
		.bundle = opts->bundle,
		.exec = true,
		.detach = opts->detach,
		.new_keyring = opts->new_keyring,
		.pidfd_receiver = opts->pidfd_socket,
		.wants_label = plan_process_has_label(process, facts),
		.cgroup = {.unprivileged = !facts->privileged || facts->in_userns},
	};
	for (int i = 0; i < NS_COUNT; i++)
		plan->ns[i].action = opts->joins & (1U << i) ? NS_JOIN : NS_SHARE;
	plan->uid_map = plan->linux_->uid_mappings;
	plan->uid_map_len = plan->linux_->uid_mappings_len;
	plan->gid_map = plan->linux_->gid_mappings;
	plan->gid_map_len = plan->linux_->gid_mappings_len;
	r = plan_check_labels(process, facts, err);
	if (r >= 0)
		r = plan_config(plan, config, process, arena, err);
	if (r >= 0)
		r = plan_process(process, facts->last_cap, arena, &plan->process, err);
	if (r >= 0)
		r = plan_affinity(plan, arena, err);
	if (r >= 0)
		r = plan_seccomp(plan, opts->seccomp_receiver, arena, err);
	if (r >= 0 && plan->linux_->memory_policy)
		r = plan_memory_policy(plan, arena, err);
	if (r < 0)
		return r;
	plan->process.keep_groups = plan_keeps_groups(config);
	plan->process.preserve_fds = plan_preserved_fds(opts->preserve_fds, opts->listen_fds);
	plan->process.listen_fds = opts->listen_fds;
	plan_exec_sync(plan);
	*ret = plan;
	return 0;
}
