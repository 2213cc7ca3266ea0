// SPDX-License-Identifier: Apache-2.0
// Checks of memoryPolicy, personality and timeOffsets: each rule of the kernel is told with the pointer of the value.
#include "spec/check_linux.h"

#include "base/cleanup.h"

#include "../test.h"

#include <errno.h>
#include <stdint.h>

static struct crun_error err;

/* The pointer below /linux/ that the check refuses, "" when it accepts. */
static const char *refused(const struct oci_linux *lx)
{
	static const char prefix[] = "/linux/";

	memset(&err, 0, sizeof(err));
	if (check_linux(lx, &err) >= 0)
		return "";
	if (err.kind != KIND_SPEC || !err.errnum || !err.text[0])
		return "(not a complete KIND_SPEC error)";
	return strncmp(err.at, prefix, strlen(prefix)) == 0 ? err.at + strlen(prefix) : err.at;
}

static const char *memory(enum oci_memory_policy_mode mode, const char *nodes,
			  enum oci_memory_policy_flag a, enum oci_memory_policy_flag b)
{
	enum oci_memory_policy_flag flags[] = {a, b};
	struct oci_linux_memory_policy mp = {
		.mode = mode,
		.nodes = nodes,
		.flags = flags,
		.flags_len = !a	  ? 0
			     : !b ? 1
				  : 2,
	};

	return refused(&(struct oci_linux){.memory_policy = &mp});
}

#define MEMORY(mode, nodes) memory(OCI_MEMORY_POLICY_MODE_##mode, nodes, 0, 0)
#define FLAGGED(mode, nodes, a) \
	memory(OCI_MEMORY_POLICY_MODE_##mode, nodes, OCI_MEMORY_POLICY_FLAG_##a, 0)

TEST(nothing)
{
	CHECK_STR(refused(&(struct oci_linux){.cgroups_path = "/a"}), "");
}

TEST(modes_with_nodes)
{
	static const enum oci_memory_policy_mode need[] = {
		OCI_MEMORY_POLICY_MODE_BIND,
		OCI_MEMORY_POLICY_MODE_INTERLEAVE,
		OCI_MEMORY_POLICY_MODE_WEIGHTED_INTERLEAVE,
		OCI_MEMORY_POLICY_MODE_PREFERRED_MANY,
	};

	for (size_t i = 0; i < ARRAY_LEN(need); i++) {
		CHECK_STR(memory(need[i], "0", 0, 0), "");
		CHECK_STR(memory(need[i], "0-3,64,1023", 0, 0), "");
		CHECK_STR(memory(need[i], NULL, 0, 0), "memoryPolicy/nodes");
		CHECK_STR(memory(need[i], "", 0, 0), "memoryPolicy/nodes");
	}
	CHECK_STR(MEMORY(PREFERRED, "0"), "");
	CHECK_STR(MEMORY(PREFERRED, NULL), "");
}

TEST(modes_without_nodes)
{
	CHECK_STR(MEMORY(DEFAULT, NULL), "");
	CHECK_STR(MEMORY(LOCAL, ""), "");
	CHECK_STR(MEMORY(DEFAULT, "0"), "memoryPolicy/nodes");
	CHECK_STR(err.text, "MPOL_DEFAULT takes no nodes, and not `0`");
	CHECK_STR(MEMORY(LOCAL, "0-1"), "memoryPolicy/nodes");
	CHECK_STR(MEMORY(UNSET, "0"), "memoryPolicy/mode");
}

TEST(node_lists)
{
	CHECK_STR(MEMORY(BIND, "a"), "memoryPolicy/nodes");
	CHECK_STR(err.text, "expected a list of memory nodes such as 0-3,7, and not `a`");
	CHECK_STR(MEMORY(BIND, "1-0"), "memoryPolicy/nodes");
	CHECK_STR(MEMORY(BIND, "1024"), "memoryPolicy/nodes");
	CHECK_INT(err.errnum, ERANGE);
}

TEST(policy_flags)
{
	CHECK_STR(FLAGGED(BIND, "0", STATIC_NODES), "");
	CHECK_STR(FLAGGED(INTERLEAVE, "0", RELATIVE_NODES), "");
	CHECK_STR(FLAGGED(BIND, "0", NUMA_BALANCING), "");
	CHECK_STR(FLAGGED(PREFERRED_MANY, "0", NUMA_BALANCING), "");
	CHECK_STR(FLAGGED(INTERLEAVE, "0", NUMA_BALANCING), "memoryPolicy/flags");
	CHECK_STR(FLAGGED(DEFAULT, NULL, NUMA_BALANCING), "memoryPolicy/flags");
	CHECK_STR(FLAGGED(PREFERRED, NULL, STATIC_NODES), "memoryPolicy/flags");
	CHECK_STR(FLAGGED(LOCAL, ",", RELATIVE_NODES), "memoryPolicy/flags");
	CHECK_STR(memory(OCI_MEMORY_POLICY_MODE_BIND, "0", OCI_MEMORY_POLICY_FLAG_STATIC_NODES,
			 OCI_MEMORY_POLICY_FLAG_RELATIVE_NODES),
		  "memoryPolicy/flags");
	CHECK_STR(memory(OCI_MEMORY_POLICY_MODE_BIND, "0", OCI_MEMORY_POLICY_FLAG_STATIC_NODES,
			 OCI_MEMORY_POLICY_FLAG_NUMA_BALANCING),
		  "");
}

TEST(personality)
{
	const char *flags[] = {"ADDR_NO_RANDOMIZE"};
	struct oci_linux_personality p = {.domain = OCI_PERSONALITY_DOMAIN_LINUX32};

	CHECK_STR(refused(&(struct oci_linux){.personality = &p}), "");
	p.flags = flags;
	CHECK_STR(refused(&(struct oci_linux){.personality = &p}), "");
	p.flags_len = 1;
	CHECK_STR(refused(&(struct oci_linux){.personality = &p}), "personality/flags/0");
}

static const char *offset(const char *clock, int64_t secs, uint32_t nanosecs)
{
	struct oci_linux_time_offset_pair pair = {
		.key = clock,
		.value = {.secs = secs, .nanosecs = nanosecs},
	};
	struct oci_linux_time_offset_map map = {&pair, 1};

	return refused(&(struct oci_linux){.time_offsets = &map});
}

TEST(time_offsets)
{
	CHECK_STR(offset("monotonic", 0, 0), "");
	CHECK_STR(offset("boottime", -86400, 999999999), "");
	CHECK_STR(offset("monotonic", 9223372036, 0), "");
	CHECK_STR(offset("monotonic", 9223372037, 0), "timeOffsets/monotonic/secs");
	CHECK_STR(offset("boottime", INT64_MIN, 0), "timeOffsets/boottime/secs");
	CHECK_STR(offset("boottime", 0, 1000000000), "timeOffsets/boottime/nanosecs");
	CHECK_STR(offset("realtime", 1, 0), "timeOffsets/realtime");
	CHECK_STR(offset("a/b", 1, 0), "timeOffsets/a~1b");
}

TEST_MAIN()
