// SPDX-License-Identifier: Apache-2.0
// Good documents: what arrives in the structs, exactly.

#include <libocispec/oci.h>

#include <errno.h>
#include <stdlib.h>

#include "test.h"

static struct oci_arena arena;

static struct oci_config *parse(const char *rest)
{
	struct oci_config *config = NULL;
	struct oci_parse_error err;
	char text[4096];

	snprintf(text, sizeof(text), "{\"ociVersion\":\"1.0.0\"%s}", rest);
	if (!check(oci_config_parse(NULL, text, strlen(text), &arena, &config, &err) == 0,
		   "accepted: %.50s", rest)) {
		printf("# %s\n", err.text);
		exit(1);
	}
	return config;
}

static struct oci_process *parse_process(const char *rest)
{
	char text[4000];

	snprintf(text, sizeof(text), ",\"process\":{\"cwd\":\"/\",%s}", rest);
	return parse(text)->process;
}

static void test_absent(void)
{
	struct oci_config *c = parse("");

	check(!c->process && !c->root && !c->mounts && !c->mounts_len && !c->linux &&
		      !c->annotations && !c->hostname,
	      "absent is NULL");
	c = parse(",\"mounts\":[],\"annotations\":{},\"linux\":{},\"hostname\":\"\"");
	check(c->mounts && c->mounts_len == 0, "an empty array is not absent");
	check(c->annotations && c->annotations->items && c->annotations->len == 0,
	      "an empty map is not absent");
	check(c->linux && !c->linux->namespaces && c->hostname && !*c->hostname,
	      "empty object and string");
}

static void test_null(void)
{
	struct oci_process *p;
	struct oci_config *c;

	c = parse(",\"mounts\":null,\"annotations\":null,\"linux\":null,\"hostname\":null,"
		  "\"process\":null,\"root\":null");
	check(!c->mounts && !c->annotations && !c->linux && !c->hostname && !c->process && !c->root,
	      "null is absent");
	p = parse_process("\"terminal\":null,\"oomScoreAdj\":null,\"args\":null");
	check(!p->has_terminal && !p->has_oom_score_adj && !p->args, "null scalars are absent");
	p = parse_process("\"terminal\":false,\"oomScoreAdj\":0,\"args\":[]");
	check(p->has_terminal && !p->terminal && p->has_oom_score_adj && !p->oom_score_adj,
	      "false and 0 are present");
	check(p->args && p->args_len == 0 && !p->args[0], "an empty array of strings ends in NULL");
}

static void test_ignored(void)
{
	struct oci_config *c;

	c = parse(",\"windows\":{\"layerFolders\":[\"a\"],\"x\":{\"y\":[[{}]]}},\"vm\":{\"kernel\":"
		  "{\"path\":3}},\"solaris\":[1,2],\"zos\":null,\"freebsd\":{\"jail\":{}},"
		  "\"future\":true,\"n\":1e99,\"s\":\"\\u0000\",\"\\u006di\":[[[]]],"
		  "\"hostname\":\"h\",\"future\":false");
	check_text(c->hostname, "h", "other platforms and unknown fields are skipped");
}

static void test_versions(void)
{
	static const char *const good[] = {"1.0.0", "1.0.2-dev", "1.3.0", "1.99.7-rc.1+git",
					   "1.4.0"};
	struct oci_config *c = NULL;
	struct oci_parse_error err;
	char text[64];
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		snprintf(text, sizeof(text), "{\"ociVersion\":\"%s\"}", good[i]);
		check(oci_config_parse(NULL, text, strlen(text), &arena, &c, &err) == 0 &&
			      strcmp(c->oci_version, good[i]) == 0,
		      "version %s", good[i]);
	}
}

static void test_strings(void)
{
	struct oci_process *p;
	size_t i;

	p = parse_process("\"args\":[\"a\",\"\",\"\\\"\\\\\\/\\b\\f\\n\\r\\t\",\"\\u00e4\\u20ac"
			  "\\ud83d\\ude00\",\"ä€😀\",\"x\",\"y\",\"z\",\"last\"]");
	check(p->args_len == 9 && !p->args[9], "nine strings and a NULL");
	check_text(p->args[1], "", "empty string");
	check_text(p->args[2], "\"\\/\b\f\n\r\t", "escapes");
	check_text(p->args[3], "ä€😀", "\\u escapes");
	check_text(p->args[4], "ä€😀", "UTF-8");
	for (i = 0; i < 9; i++)
		if (!p->args[i])
			check(false, "NULL inside an array");
	check_text(p->args[8], "last", "grown array");
}

static void test_numbers(void)
{
	struct oci_linux_memory *m;
	struct oci_process *p;
	struct oci_config *c;

	p = parse_process("\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"soft\":18446744073709551615,"
			  "\"hard\":9007199254740993}],\"oomScoreAdj\":-1000,"
			  "\"user\":{\"uid\":4294967295,\"gid\":-0,\"additionalGids\":[0,5,"
			  "4294967295,1,2,3]}");
	check(p->rlimits_len == 1 && p->rlimits[0].has_soft &&
		      p->rlimits[0].soft == UINT64_C(18446744073709551615),
	      "largest uint64");
	check(p->rlimits[0].hard == UINT64_C(9007199254740993), "no rounding through double");
	check(p->oom_score_adj == -1000, "negative int");
	check(p->user->has_uid && p->user->uid == UINT32_MAX && p->user->has_gid &&
		      p->user->gid == 0,
	      "uid and gid");
	check(p->user->additional_gids_len == 6 && p->user->additional_gids[2] == UINT32_MAX &&
		      p->user->additional_gids[5] == 3,
	      "array of numbers");
	c = parse(",\"linux\":{\"resources\":{\"memory\":{\"limit\":-1,"
		  "\"swap\":-9223372036854775808,\"reservation\":9223372036854775807,"
		  "\"disableOOMKiller\":true},\"blockIO\":{\"weight\":65535},"
		  "\"cpu\":{\"shares\":1024,\"quota\":-1,\"idle\":1}}}");
	m = c->linux->resources->memory;
	check(m->limit == -1 && m->swap == INT64_MIN && m->reservation == INT64_MAX, "int64");
	check(m->disable_oom_killer && !m->has_kernel, "bool, absent number");
	check(c->linux->resources->block_io->weight == 65535, "uint16");
	check(c->linux->resources->cpu->quota == -1 && c->linux->resources->cpu->shares == 1024,
	      "cpu");
}

/* One beyond each limit. */
static void test_ranges(void)
{
	static const char *const bad[] = {
		"\"cpu\":{\"shares\":18446744073709551616}",
		"\"cpu\":{\"shares\":-1}",
		"\"cpu\":{\"shares\":99999999999999999999999999}",
		"\"memory\":{\"limit\":9223372036854775808}",
		"\"memory\":{\"limit\":-9223372036854775809}",
		"\"memory\":{\"limit\":-18446744073709551616}",
		"\"blockIO\":{\"weight\":65536}",
		"\"network\":{\"classID\":4294967296}",
		"\"network\":{\"classID\":-1}",
		"\"memory\":{\"limit\":1E2}",
		"\"memory\":{\"limit\":1.0}",
	};
	struct oci_linux_resources *resources = NULL;
	struct oci_parse_error err;
	char text[128];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "{%s}", bad[i]);
		check(oci_linux_resources_parse(NULL, text, strlen(text), &arena, &resources,
						&err) == -EINVAL &&
			      strstr(err.text, "expected an integer from"),
		      "refused: %s", bad[i]);
	}
}

static void test_enums(void)
{
	struct oci_linux *l;
	struct oci_process *p;

	l = parse(",\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"network\",\"path\":"
		  "\"/proc/1/ns/net\"},{\"type\":\"time\"}],\"rootfsPropagation\":\"rslave\","
		  "\"devices\":[{\"type\":\"c\",\"path\":\"/dev/x\",\"major\":1,\"minor\":3,"
		  "\"fileMode\":8630},{\"type\":\"p\",\"path\":\"/dev/y\"}],"
		  "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":["
		  "\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_RISCV64\"],\"flags\":["
		  "\"SECCOMP_FILTER_FLAG_LOG\"],\"syscalls\":[{\"names\":[\"a\",\"b\"],"
		  "\"action\":\"SCMP_ACT_KILL_PROCESS\",\"args\":[{\"index\":1,"
		  "\"value\":18446744073709551615,\"valueTwo\":7,\"op\":"
		  "\"SCMP_CMP_MASKED_EQ\"}]}]},\"personality\":{\"domain\":\"LINUX32\"}}")
		    ->linux;
	check(l->namespaces_len == 3 && l->namespaces[0].type == OCI_NAMESPACE_TYPE_PID &&
		      l->namespaces[1].type == OCI_NAMESPACE_TYPE_NETWORK &&
		      l->namespaces[2].type == OCI_NAMESPACE_TYPE_TIME && !l->namespaces[2].path,
	      "namespaces");
	check_text(l->namespaces[1].path, "/proc/1/ns/net", "namespace path");
	check(l->rootfs_propagation == OCI_ROOTFS_PROPAGATION_RSLAVE, "propagation");
	check(l->devices[0].type == OCI_DEVICE_TYPE_CHAR && l->devices[0].file_mode == 8630 &&
		      l->devices[1].type == OCI_DEVICE_TYPE_FIFO && !l->devices[1].has_major,
	      "devices");
	check(l->seccomp->default_action == OCI_SECCOMP_ACTION_ERRNO &&
		      l->seccomp->architectures_len == 2 &&
		      l->seccomp->architectures[1] == OCI_SECCOMP_ARCH_RISCV64 &&
		      l->seccomp->flags[0] == OCI_SECCOMP_FLAG_LOG,
	      "seccomp");
	check(l->seccomp->syscalls[0].action == OCI_SECCOMP_ACTION_KILL_PROCESS &&
		      l->seccomp->syscalls[0].args[0].op == OCI_SECCOMP_OPERATOR_MASKED_EQ &&
		      l->seccomp->syscalls[0].args[0].value == UINT64_MAX &&
		      l->seccomp->syscalls[0].args[0].has_value_two,
	      "seccomp rule");
	check(l->personality->domain == OCI_PERSONALITY_DOMAIN_LINUX32, "personality");
	p = parse_process("\"scheduler\":{\"policy\":\"SCHED_DEADLINE\",\"flags\":["
			  "\"SCHED_FLAG_RESET_ON_FORK\"]},\"ioPriority\":{\"class\":"
			  "\"IOPRIO_CLASS_IDLE\"}");
	check(p->scheduler->policy == OCI_SCHEDULER_POLICY_DEADLINE &&
		      p->scheduler->flags[0] == OCI_SCHEDULER_FLAG_RESET_ON_FORK &&
		      p->io_priority->class == OCI_IO_PRIORITY_CLASS_IDLE,
	      "scheduler and I/O priority");
	check_text(oci_namespace_type_name(OCI_NAMESPACE_TYPE_CGROUP), "cgroup", "name");
	check(!oci_namespace_type_name(OCI_NAMESPACE_TYPE_UNSET) &&
		      !oci_namespace_type_name((enum oci_namespace_type)99),
	      "no name");
	check(oci_seccomp_action_from_name("SCMP_ACT_LOG") == OCI_SECCOMP_ACTION_LOG &&
		      !oci_seccomp_action_from_name("SCMP_ACT"),
	      "from name");
}

static void test_maps(void)
{
	struct oci_config *c;

	c = parse(",\"annotations\":{\"a\":\"1\",\"\":\"empty\",\"b/c\":\"2\"},\"linux\":{"
		  "\"timeOffsets\":{\"monotonic\":{\"secs\":-5,\"nanosecs\":999999999},"
		  "\"boottime\":{}},\"netDevices\":{\"eth0\":{\"name\":\"e\"}},\"resources\":{"
		  "\"rdma\":{\"m\":{\"hcaHandles\":3}}}}");
	check(c->annotations->len == 3, "three annotations");
	check_text(c->annotations->items[0].value, "1", "first, in order");
	check_text(c->annotations->items[1].key, "", "empty key");
	check_text(c->annotations->items[2].key, "b/c", "last");
	check(c->linux->time_offsets->len == 2 &&
		      c->linux->time_offsets->items[0].value.secs == -5 &&
		      !c->linux->time_offsets->items[1].value.has_secs,
	      "time offsets");
	check_text(c->linux->net_devices->items[0].value.name, "e", "net device");
	check(c->linux->resources->rdma->items[0].value.hca_handles == 3, "rdma");
}

static void test_objects(void)
{
	struct oci_config *c;

	c = parse(
		",\"root\":{\"path\":\"r\",\"readonly\":true},\"mounts\":[{\"destination\":\"/a\","
		"\"options\":[\"ro\"],\"uidMappings\":[{\"containerID\":0,\"hostID\":1,\"size\":2}"
		"]},{\"destination\":\"/b\"},{\"destination\":\"/c\"},{\"destination\":\"/d\"},"
		"{\"destination\":\"/e\",\"type\":\"tmpfs\"}],\"hooks\":{\"createRuntime\":[{"
		"\"path\":\"/x\",\"timeout\":5}]}");
	check(c->root->readonly && strcmp(c->root->path, "r") == 0, "root");
	check(c->mounts_len == 5, "five mounts");
	check_text(c->mounts[0].destination, "/a", "first mount survives growing");
	check_text(c->mounts[4].type, "tmpfs", "last mount");
	check(c->mounts[0].uid_mappings[0].host_id == 1 && c->mounts[0].uid_mappings_len == 1 &&
		      !c->mounts[1].options,
	      "members of mounts");
	check(c->hooks->create_runtime[0].timeout == 5 && !c->hooks->prestart, "hooks");
}

int main(void)
{
	test_absent();
	test_null();
	test_ignored();
	test_versions();
	test_strings();
	test_numbers();
	test_ranges();
	test_enums();
	test_maps();
	test_objects();
	oci_arena_free(&arena);
	return test_end();
}
