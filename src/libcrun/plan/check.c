// SPDX-License-Identifier: Apache-2.0
// Rules of config-linux.md across fields: what changes a namespace must have one of its own, what we cannot do is refused.
#include "plan/internal.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "spec/check_linux.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

struct sysctl_rule {
	const char *prefix; /* a trailing '.' makes it a prefix, otherwise it is the whole name */
	enum ns_index ns;
};

/* The namespaced sysctls: namespaces(7), ipc_namespaces(7), mq_overview(7). */
static const struct sysctl_rule sysctl_rules[] = {
	{"net.", NS_NET},
	{"fs.mqueue.", NS_IPC},
	{"kernel.msgmax", NS_IPC},
	{"kernel.msgmnb", NS_IPC},
	{"kernel.msgmni", NS_IPC},
	{"kernel.sem", NS_IPC},
	{"kernel.shmall", NS_IPC},
	{"kernel.shmmax", NS_IPC},
	{"kernel.shmmni", NS_IPC},
	{"kernel.shm_rmid_forced", NS_IPC},
	{"kernel.hostname", NS_UTS},
	{"kernel.domainname", NS_UTS},
	{"user.", NS_USER},
};

static const struct sysctl_rule *find_rule(const char *key)
{
	for (size_t i = 0; i < ARRAY_LEN(sysctl_rules); i++) {
		const struct sysctl_rule *rule = &sysctl_rules[i];
		const char *rest = str_after(key, rule->prefix);

		if (rest &&
		    (rule->prefix[strlen(rule->prefix) - 1] == '.' ? *rest != '\0' : *rest == '\0'))
			return rule;
	}
	return NULL;
}

/* A key becomes a path below /proc/sys: only what a name can be made of, and no way up. */
static bool sysctl_key_is_sane(const char *key)
{
	if (!*key || *key == '.' || strstr(key, "..") || strstr(key, "//"))
		return false;
	for (; *key; key++) {
		if (!isalnum((unsigned char)*key) && !strchr("._-/:@+,", *key))
			return false;
	}
	return true;
}

static int check_sysctl(const struct launch_plan *plan, const struct oci_string_pair *pair,
			struct crun_error *err)
{
	const struct sysctl_rule *rule;
	char dotted[256];
	size_t n = strlen(pair->key);

	if (n >= sizeof(dotted) || !sysctl_key_is_sane(pair->key))
		return err_set(err, KIND_SPEC, EINVAL, "sysctl `%.64s` is not a valid name",
			       pair->key);
	if (strchr(pair->value, '\n'))
		return err_set(err, KIND_SPEC, EINVAL,
			       "the value of sysctl `%s` contains a newline", pair->key);
	/* Names come in both forms, net.ipv4.ip_forward and net/ipv4/ip_forward; the first separator decides (sysctl(8)). */
	memcpy(dotted, pair->key, n + 1);
	if (strchr(dotted, '/') &&
	    (!strchr(dotted, '.') || strchr(dotted, '/') < strchr(dotted, '.'))) {
		for (char *p = dotted; *p; p++)
			*p = *p == '/' ? '.' : *p;
	}
	rule = find_rule(dotted);
	if (!rule)
		return err_set(
			err, CODE_SYSCTL_HOST, EINVAL,
			"sysctl `%s` is not in a namespace: setting it would change the whole host",
			pair->key);
	if (plan->ns[rule->ns].action == NS_SHARE)
		return err_set(
			err, CODE_SYSCTL_HOST, EINVAL,
			"sysctl `%s` would change the host: the container has no %s namespace of its own",
			pair->key, ns_table[rule->ns].spec_name);
	return 0;
}

static int check_uts(const struct launch_plan *plan, struct crun_error *err)
{
	const struct {
		const char *field, *value;
	} names[] = {
		{"hostname", plan->config->hostname},
		{"domainname", plan->config->domainname},
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (!names[i].value || !names[i].value[0])
			continue;
		if (plan->ns[NS_UTS].action == NS_SHARE)
			err_set(err, CODE_NAMESPACE_NEEDED, EINVAL,
				"setting the %s needs a uts namespace", names[i].field);
		else if (strlen(names[i].value) > 64)
			err_set(err, KIND_SPEC, EINVAL, "the %s is longer than 64 bytes",
				names[i].field);
		else
			continue;
		return err_at(err, "/%s", names[i].field);
	}
	return 0;
}

/* sched(7): a process under SCHED_DEADLINE cannot fork, unless its children are to be ordinary ones. */
static int check_deadline_hooks(const struct launch_plan *plan, struct crun_error *err)
{
	const struct oci_scheduler *s = plan->config->process->scheduler;

	if (!s || s->policy != OCI_SCHEDULER_POLICY_DEADLINE ||
	    !plan->config->hooks->start_container_len)
		return 0;
	for (size_t i = 0; i < s->flags_len; i++) {
		if (s->flags[i] == OCI_SCHEDULER_FLAG_RESET_ON_FORK)
			return 0;
	}
	err_set(err, KIND_SPEC, EINVAL,
		"startContainer hooks cannot be run from under SCHED_DEADLINE: the kernel forbids "
		"it to fork without SCHED_FLAG_RESET_ON_FORK");
	return err_at(err, "/process/scheduler/flags");
}

void plan_hook_stages(const struct oci_hooks *hooks, struct plan_hook_stage ret[PLAN_HOOK_STAGES])
{
	const struct plan_hook_stage stages[PLAN_HOOK_STAGES] = {
		{"prestart", hooks->prestart, hooks->prestart_len, false},
		{"createRuntime", hooks->create_runtime, hooks->create_runtime_len, false},
		{"createContainer", hooks->create_container, hooks->create_container_len, false},
		{"startContainer", hooks->start_container, hooks->start_container_len, true},
		{"poststart", hooks->poststart, hooks->poststart_len, false},
		{"poststop", hooks->poststop, hooks->poststop_len, false},
	};

	memcpy(ret, stages, sizeof(stages));
}

static int check_hooks(const struct oci_hooks *hooks, struct crun_error *err)
{
	struct plan_hook_stage stages[PLAN_HOOK_STAGES];

	plan_hook_stages(hooks, stages);
	for (size_t s = 0; s < ARRAY_LEN(stages); s++) {
		for (size_t i = 0; i < stages[s].len; i++) {
			const struct oci_hook *h = &stages[s].list[i];

			if (h->path[0] != '/') {
				err_set(err, KIND_SPEC, EINVAL, "hook path `%s` must be absolute",
					h->path);
				return err_at(err, "/hooks/%s/%zu/path", stages[s].name, i);
			}
		}
	}
	return 0;
}

/* config.md, Annotations: no key may be empty. */
static int check_annotations(const struct oci_string_map *map, struct crun_error *err)
{
	for (size_t i = 0; map && i < map->len; i++) {
		if (!map->items[i].key[0]) {
			err_set(err, KIND_SPEC, EINVAL, "an annotation has an empty key");
			return err_at(err, "/annotations");
		}
	}
	return 0;
}

/* config-linux.md, "Masked Paths" and "Readonly Paths": absolute ones. */
static int check_absolute(const char *const *paths, size_t len, const char *field,
			  struct crun_error *err)
{
	for (size_t i = 0; i < len; i++) {
		if (paths[i][0] != '/') {
			err_set(err, KIND_SPEC, EINVAL, "path `%s` must be absolute", paths[i]);
			return err_at(err, "/linux/%s/%zu", field, i);
		}
	}
	return 0;
}

/* A handler decides what runs the payload: going on without it would run something else. */
static int check_handler(const struct launch_plan *plan, struct crun_error *err)
{
	const char *handler = plan_annotation(plan->config, "run.oci.handler");

	if (!handler || !handler[0])
		return 0;
	err_set(err, CODE_HANDLER_UNKNOWN, EOPNOTSUPP,
		"this build has no handler `%s`: remove the annotation to run the program itself",
		handler);
	return err_at_key(err, "/annotations", "run.oci.handler");
}

/* Old systemds end at once without the hierarchy that this asks for. Hosts with v1 hierarchies show it to the container anyway. */
static int check_cgroup_v1(const struct launch_plan *plan, struct crun_error *err)
{
	const char *key = "run.oci.systemd.force_cgroup_v1";
	const char *path = plan_annotation(plan->config, key);

	if (!path || !path[0] || plan->facts.cgroup_layout != CGROUP_V2)
		return 0;
	err_set(err, KIND_UNSUPPORTED, EOPNOTSUPP,
		"this build cannot mount the cgroup v1 hierarchy of systemd on a host with cgroup v2 "
		"only: remove the annotation if the image has systemd 226 or newer");
	return err_at_key(err, "/annotations", key);
}

int plan_check_linux(const struct launch_plan *plan, struct crun_error *err)
{
	const struct oci_string_map *sysctl = plan->linux_->sysctl;
	int r = check_annotations(plan->config->annotations, err);

	if (r < 0)
		return r;
	r = check_handler(plan, err);
	if (r < 0)
		return r;
	r = check_cgroup_v1(plan, err);
	if (r < 0)
		return r;
	r = check_absolute(plan->linux_->masked_paths, plan->linux_->masked_paths_len,
			   "maskedPaths", err);
	if (r < 0)
		return r;
	r = check_absolute(plan->linux_->readonly_paths, plan->linux_->readonly_paths_len,
			   "readonlyPaths", err);
	if (r < 0)
		return r;
	for (size_t i = 0; sysctl && i < sysctl->len; i++) {
		r = check_sysctl(plan, &sysctl->items[i], err);
		if (r < 0)
			return err_at_key(err, "/linux/sysctl", sysctl->items[i].key);
	}
	r = check_uts(plan, err);
	if (r < 0)
		return r;
	r = check_linux(plan->linux_, err);
	if (r < 0)
		return r;
	if (plan->linux_->time_offsets && plan->linux_->time_offsets->len &&
	    plan->ns[NS_TIME].action != NS_NEW) {
		err_set(err, CODE_NAMESPACE_NEEDED, EINVAL,
			"time offsets need a new time namespace");
		return err_at(err, "/linux/timeOffsets");
	}
	r = plan_check_intel_rdt(plan, err);
	if (r < 0)
		return r;
	if (plan->config->hooks) {
		r = check_hooks(plan->config->hooks, err);
		if (r < 0)
			return r;
		r = check_deadline_hooks(plan, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A profile called "unconfined" asks for nothing. */
static bool asks_for(const char *label)
{
	return label && label[0] && strcmp(label, "unconfined") != 0;
}

int plan_check_labels(const struct oci_process *p, const struct host_facts *facts,
		      struct crun_error *err)
{
	if (asks_for(p->apparmor_profile) && !facts->apparmor) {
		err_set(err, CODE_LSM_LABEL, ENOTSUP,
			"profile `%s`: AppArmor is not enabled on this host; leave it out to run without it",
			p->apparmor_profile);
		return err_at(err, "/process/apparmorProfile");
	}
	if (p->selinux_label && p->selinux_label[0] && !facts->selinux) {
		err_set(err, CODE_LSM_LABEL, ENOTSUP,
			"label `%s`: SELinux is not enabled on this host; leave it out to run without it",
			p->selinux_label);
		return err_at(err, "/process/selinuxLabel");
	}
	return 0;
}
