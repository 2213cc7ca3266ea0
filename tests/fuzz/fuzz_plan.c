// SPDX-License-Identifier: Apache-2.0
// Fuzz target: any configuration, through all checks to the plan of a launch, for hosts of different kinds; and what is made of a plan without
// looking at the machine: namespaces and birth, mount options, device filters, properties of systemd.

#include "fuzz.h"
#include "json_mutator.h"

#include "base/buf.h"
#include "base/str.h"
#include "cgroup/devices.h"
#include "cgroup/systemd.h"
#include "host/checks.h"
#include "init/outside/mount.h"
#include "plan/birth.h"
#include "plan/exec.h"

#include <errno.h>

const struct oci_type *const fuzz_document_type = &oci_config_type;

static const struct host_facts hosts[] = {
	{.privileged = true,
	 .apparmor = true,
	 .selinux = true,
	 .last_cap = 40,
	 .nofile = 1024,
	 .cgroup_layout = CGROUP_V2},
	{.euid = 1000, .egid = 1000, .last_cap = 37, .cgroup_layout = CGROUP_HYBRID},
	{.in_userns = true, .privileged = true, .last_cap = 40, .cgroup_layout = CGROUP_V1},
};

static const struct plan_options options[] = {
	{.id = "box", .bundle = "/bundle", .gate = true, .detach = true},
	{.id = "box",
	 .bundle = "/bundle",
	 .cgroup_manager = CGROUP_MANAGER_SYSTEMD,
	 .notify_dir = "/run/box/notify",
	 .seccomp_receiver = "/run/listener",
	 .preserve_fds = 2,
	 .listen_fds = 1},
	{.id = "box",
	 .bundle = "/bundle",
	 .cgroup_manager = CGROUP_MANAGER_DISABLED,
	 .no_pivot = true,
	 .no_new_keyring = true},
};

static void check_mounts(const struct launch_plan *plan)
{
	for (size_t i = 0; i < plan->mounts_len; i++) {
		const struct mount_op *op = &plan->mounts[i];
		struct mount_change change;
		struct crun_error err;
		struct buf data = {0};

		REQUIRE(op->destination && op->destination[0]);
		REQUIRE(op->kind != MOUNT_BIND || (op->source && op->source[0] == '/'));
		REQUIRE(op->kind != MOUNT_FS || (op->fstype && op->fstype[0]));
		REQUIRE(!(op->attr_set & ~(uint64_t)UINT32_MAX));
		mount_op_change(op, &change);
		REQUIRE(mount_join_parameters(op, "mode", "700", &data, &err) == 0);
		(void)mount_has_long_parameter(op);
		buf_done(&data);
	}
}

static void check_namespaces(const struct launch_plan *plan)
{
	for (int adopt = 0; adopt <= 1; adopt++) {
		struct birth birth;

		birth_plan(plan, adopt, &birth);
		/* Nothing is made twice, and what is joined is not made. */
		REQUIRE(!(birth.clone_flags & birth.unshare_flags));
		REQUIRE(!(birth.join_before & birth.join_after));
		for (int i = 0; i < NS_COUNT; i++) {
			bool join = (birth.join_before | birth.join_after) >> i & 1;
			int made = birth.clone_flags | birth.unshare_flags;

			REQUIRE(join == (plan->ns[i].action == NS_JOIN));
			REQUIRE(!join || (plan->ns[i].path && !(made & ns_table[i].flag)));
		}
	}
	for (uint32_t id = 0; id < 3; id++)
		REQUIRE(plan_host_id(plan, id & 1, id) >= -1);
}

static void check_process(const struct launch_plan *plan)
{
	const struct plan_process *p = &plan->process;

	if (!plan->config->process)
		return;
	REQUIRE(p->argv && p->argv[0] && p->cwd && p->cwd[0] == '/' && p->path && p->envp);
	REQUIRE(!(p->caps.effective & ~p->caps.permitted));
	REQUIRE(!((p->caps.bounding | p->caps.permitted | p->caps.inheritable) >>
		  plan->facts.last_cap >> 1));
}

static void check_devices(const struct launch_plan *plan)
{
	struct cg_rules rules = {0}, exceptions = {0};
	struct bpf_insn *insns = NULL;
	struct cg_props props = {0};
	struct crun_error err;
	bool allowed;
	size_t len = 0;
	int r;

	r = cg_rules_build(&plan->cgroup, &rules, &err);
	if (r < 0) {
		fuzz_check_error(r, &err);
		cg_rules_done(&rules);
		return;
	}
	r = cg_devices_compile(&rules, &insns, &len);
	REQUIRE(r == -E2BIG || (r == 0 && insns && len > 0));
	free(insns);
	r = cg_v1_exceptions(&rules, &allowed, &exceptions, &err);
	if (r < 0)
		fuzz_check_error(r, &err);
	REQUIRE(cg_props_of_devices(&rules, &props) == 0);
	cg_props_done(&props);
	cg_rules_done(&exceptions);
	cg_rules_done(&rules);
}

static void check_properties(const struct plan_cgroup *cgroup)
{
	struct cg_props props = {0};
	struct crun_error err;
	int r;

	for (int v2 = 0; cgroup->resources && v2 <= 1; v2++)
		REQUIRE(cg_props_of_resources(cgroup->resources, v2, &props) == 0);
	r = cg_props_of_annotations(cgroup->annotations, &props, &err);
	if (r < 0)
		fuzz_check_error(r, &err);
	cg_props_done(&props);
}

static void plan_for(const struct oci_config *config, size_t i, struct oci_arena *arena)
{
	struct plan_hook_stage stages[PLAN_HOOK_STAGES];
	struct launch_plan *plan = NULL;
	struct crun_error err;
	int r = config_check(config, &hosts[i], &options[i], arena, &plan, &err);

	if (r < 0) {
		fuzz_check_error(r, &err);
		return;
	}
	check_namespaces(plan);
	check_mounts(plan);
	check_process(plan);
	check_devices(plan);
	check_properties(&plan->cgroup);
	if (config->hooks)
		plan_hook_stages(config->hooks, stages);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct oci_arena arena = {0};
	struct oci_parse_error why;
	struct oci_config *config;

	if (oci_config_parse(NULL, (const char *)data, size, &arena, &config, &why) == 0) {
		for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
			plan_for(config, i, &arena);
	}
	oci_arena_free(&arena);
	return 0;
}
