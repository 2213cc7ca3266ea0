// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the other documents that commands read: the process of `exec`, the list of `mounts`, the resources of `update`, and the values
// that are typed for `update` and `exec`. The whole input is each document; its lines are the typed values.

#include "fake_files.h"
#include "fuzz.h"

#include "host/exec.h"
#include "host/mounts_file.h"
#include "host/update_values.h"
#include "plan/exec.h"
#include "plan/live_mounts.h"

static const char config_text[] =
	"{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":\"rootfs\"},\"process\":{\"cwd\":\"/\",\"args\":[\"sh\"],"
	"\"user\":{\"uid\":1,\"gid\":2,\"additionalGids\":[3]},\"env\":[\"PATH=/bin\",\"A=b\"],"
	"\"capabilities\":{\"bounding\":[\"CAP_KILL\"],\"effective\":[\"CAP_KILL\"],\"permitted\":[\"CAP_KILL\"]},"
	"\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":10,\"hard\":20}]},"
	"\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"}],"
	"\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"mount\"},{\"type\":\"user\"}],"
	"\"uidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":1000}],"
	"\"gidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":1000}]}}";

static const struct host_facts facts = {
	.privileged = true, .apparmor = true, .last_cap = 40, .cgroup_layout = CGROUP_V2};

static struct oci_config *read_config(struct oci_arena *arena)
{
	struct oci_parse_error why;
	struct oci_config *config;

	REQUIRE(oci_config_parse(NULL, config_text, sizeof(config_text) - 1, arena, &config,
				 &why) == 0);
	return config;
}

static void plan_process_of(struct exec *x, const struct oci_process *process)
{
	static const struct plan_exec_options options = {.id = "box", .bundle = "/bundle"};
	struct launch_plan *plan;
	struct crun_error err;
	int r = plan_exec(x->config, process, &facts, &options, &x->l.arena, &plan, &err);

	if (r < 0) {
		fuzz_check_error(r, &err);
		(void)exec_locate(x, &err);
		fuzz_check_error(r, &err);
		return;
	}
	REQUIRE(plan->process.argv && plan->process.argv[0] && plan->process.cwd[0] == '/');
}

static void exec_process(const struct libcrun_exec_options *options)
{
	struct exec x = {.opts = options};
	struct oci_process *process;
	struct crun_error err;
	int r;

	x.config = read_config(&x.l.arena);
	r = exec_read_process(&x, &process, &err);
	if (r < 0)
		fuzz_check_error(r, &err);
	else
		plan_process_of(&x, process);
	oci_arena_free(&x.l.arena);
}

static void mount_list(enum plan_live_mounts change)
{
	const struct plan_live_mounts_options options = {
		.id = "box", .bundle = "/bundle", .change = change, .joins = 1U << NS_MNT};
	struct oci_arena arena = {0};
	struct oci_config *config = read_config(&arena);
	struct oci_mount_list *list;
	struct launch_plan *plan;
	struct mounts_file file;
	struct crun_error err;
	int r = mounts_file_read(&file, "/input", &arena, &list, &err);

	if (r < 0) {
		fuzz_check_error(r, &err);
	} else {
		r = plan_live_mounts(config, list, &facts, &options, &arena, &plan, &err);
		if (r < 0) {
			fuzz_check_error(r, &err);
			(void)mounts_file_locate(&file, &err);
			fuzz_check_error(r, &err);
		} else {
			for (size_t i = 0; i < plan->mounts_len; i++)
				REQUIRE(plan->mounts[i].destination[0] == '/');
		}
	}
	oci_arena_free(&arena);
}

static void update(const struct libcrun_update_options *options)
{
	struct oci_linux_resources *resources = NULL;
	struct oci_arena arena = {0};
	struct oci_text text = {0};
	struct crun_error err;
	int r = update_values_read(options, &arena, &text, &resources, &err);

	if (r < 0)
		fuzz_check_error(r, &err);
	else
		REQUIRE(resources);
	oci_arena_free(&arena);
}

static void typed(char *text)
{
	const char *lines[12], *env[3] = {0}, *gids[3] = {0}, *caps[3] = {0};
	struct libcrun_update_options u = {.size = sizeof(u)};
	struct libcrun_exec_options e = {
		.size = sizeof(e), .env = env, .additional_gids = gids, .caps = caps};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		lines[i] = text ? fuzz_line(&text) : NULL;
	u.memory = lines[0];
	u.memory_swap = lines[1];
	u.cpu_quota = lines[2];
	u.cpu_shares = lines[3];
	u.cpuset_cpus = lines[4];
	u.pids_limit = lines[5];
	u.blkio_weight = lines[6];
	update(&u);
	env[0] = lines[0];
	env[1] = lines[0] ? lines[7] : NULL;
	gids[0] = lines[1];
	caps[0] = lines[2];
	e.user = lines[3];
	e.cwd = lines[4];
	e.process_label = lines[5];
	exec_process(&e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const none[] = {NULL};
	const struct libcrun_exec_options e = {.size = sizeof(e),
					       .process = "/input",
					       .env = none,
					       .additional_gids = none,
					       .caps = none};
	const struct libcrun_update_options u = {.size = sizeof(u), .resources = "/input"};
	char *text = fuzz_text(data, size);

	fake_begin();
	fake_add("/input", data, size);
	exec_process(&e);
	mount_list(LIVE_MOUNTS_ADD);
	mount_list(LIVE_MOUNTS_REMOVE);
	update(&u);
	typed(text);
	fake_end();
	free(text);
	return 0;
}
