// SPDX-License-Identifier: Apache-2.0
// linux.memoryPolicy as set_mempolicy(2) takes it.
#include "plan/internal.h"

#include "base/number_list.h"
#include "spec/check_linux.h"

#include <errno.h>
#include <string.h>

/* linux/mempolicy.h is the kernel's ABI; the headers of the oldest distributions lack the newest modes (5.15, 6.9) and flag (5.12). */
static const int modes[OCI_MEMORY_POLICY_MODE_LAST + 1] = {
	[OCI_MEMORY_POLICY_MODE_DEFAULT] = 0,
	[OCI_MEMORY_POLICY_MODE_PREFERRED] = 1,
	[OCI_MEMORY_POLICY_MODE_BIND] = 2,
	[OCI_MEMORY_POLICY_MODE_INTERLEAVE] = 3,
	[OCI_MEMORY_POLICY_MODE_LOCAL] = 4,
	[OCI_MEMORY_POLICY_MODE_PREFERRED_MANY] = 5,
	[OCI_MEMORY_POLICY_MODE_WEIGHTED_INTERLEAVE] = 6,
};

static const int flag_bits[OCI_MEMORY_POLICY_FLAG_LAST + 1] = {
	[OCI_MEMORY_POLICY_FLAG_STATIC_NODES] = 1 << 15,
	[OCI_MEMORY_POLICY_FLAG_RELATIVE_NODES] = 1 << 14,
	[OCI_MEMORY_POLICY_FLAG_NUMA_BALANCING] = 1 << 13,
};

int plan_memory_policy(struct launch_plan *plan, struct oci_arena *arena, struct crun_error *err)
{
	const struct oci_linux_memory_policy *mp = plan->linux_->memory_policy;
	unsigned long *nodes;
	unsigned end = 0;
	size_t words;

	if (!mp)
		return 0;
	/* The list was checked before: the parser cannot fail. */
	(void)number_list_parse(mp->nodes ? mp->nodes : "", NODE_LIST_LIMIT, NULL, &end);
	words = NUMBER_LIST_WORDS(end);
	nodes = plan_alloc(arena, words, sizeof(*nodes));
	if (!nodes)
		return PLAN_NO_MEMORY(err);
	memset(nodes, 0, words * sizeof(*nodes));
	(void)number_list_parse(mp->nodes ? mp->nodes : "", NODE_LIST_LIMIT, nodes, &end);
	plan->memory_policy.mode = modes[mp->mode];
	for (size_t i = 0; i < mp->flags_len; i++)
		plan->memory_policy.mode |= flag_bits[mp->flags[i]];
	plan->memory_policy.nodes = nodes;
	plan->memory_policy.end = end;
	return 0;
}
