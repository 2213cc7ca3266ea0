// SPDX-License-Identifier: Apache-2.0
// Checks of linux.memoryPolicy, linux.personality and linux.timeOffsets: see check_linux.h.
#include "spec/check_linux.h"

#include "base/number_list.h"
#include "base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>

#define NANOSECS_PER_SEC 1000000000U
/* The kernel's clocks hold 2^63 - 1 nanoseconds (KTIME_SEC_MAX). */
#define OFFSET_SECS_MAX INT64_C(9223372036)

static bool has_flag(const struct oci_linux_memory_policy *mp, enum oci_memory_policy_flag flag)
{
	for (size_t i = 0; i < mp->flags_len; i++) {
		if (mp->flags[i] == flag)
			return true;
	}
	return false;
}

/* set_mempolicy(2): which modes take nodes. */
static int check_nodes(const struct oci_linux_memory_policy *mp, struct crun_error *err)
{
	const char *mode = oci_memory_policy_mode_name(mp->mode);
	unsigned end = 0;
	int r = mp->nodes ? number_list_parse(mp->nodes, NODE_LIST_LIMIT, NULL, &end) : 0;

	if (r == -ERANGE)
		err_set(err, KIND_SPEC, ERANGE,
			"the list `%s` names a memory node beyond %u, which no kernel has",
			mp->nodes, NODE_LIST_LIMIT - 1);
	else if (r < 0)
		err_set(err, KIND_SPEC, EINVAL,
			"expected a list of memory nodes such as 0-3,7, and not `%s`", mp->nodes);
	else if (end && (mp->mode == OCI_MEMORY_POLICY_MODE_DEFAULT ||
			 mp->mode == OCI_MEMORY_POLICY_MODE_LOCAL))
		err_set(err, KIND_SPEC, EINVAL, "%s takes no nodes, and not `%s`", mode, mp->nodes);
	else if (!end && mp->mode != OCI_MEMORY_POLICY_MODE_DEFAULT &&
		 mp->mode != OCI_MEMORY_POLICY_MODE_LOCAL &&
		 mp->mode != OCI_MEMORY_POLICY_MODE_PREFERRED)
		err_set(err, KIND_SPEC, EINVAL, "%s needs at least one node", mode);
	else
		return 0;
	return err_at(err, "/linux/memoryPolicy/nodes");
}

static int check_policy_flags(const struct oci_linux_memory_policy *mp, struct crun_error *err)
{
	const char *mode = oci_memory_policy_mode_name(mp->mode);
	bool is_static = has_flag(mp, OCI_MEMORY_POLICY_FLAG_STATIC_NODES),
	     is_relative = has_flag(mp, OCI_MEMORY_POLICY_FLAG_RELATIVE_NODES);

	if (is_static && is_relative)
		err_set(err, KIND_SPEC, EINVAL,
			"MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES exclude each other");
	else if (has_flag(mp, OCI_MEMORY_POLICY_FLAG_NUMA_BALANCING) &&
		 mp->mode != OCI_MEMORY_POLICY_MODE_BIND &&
		 mp->mode != OCI_MEMORY_POLICY_MODE_PREFERRED_MANY)
		err_set(err, KIND_SPEC, EINVAL, "%s does not go with MPOL_F_NUMA_BALANCING", mode);
	/* Without nodes there is nothing that could be static or relative. */
	else if ((is_static || is_relative) && (!mp->nodes || !mp->nodes[strspn(mp->nodes, " ,")]))
		err_set(err, KIND_SPEC, EINVAL,
			"MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES say how nodes are counted, "
			"and there are none");
	else
		return 0;
	return err_at(err, "/linux/memoryPolicy/flags");
}

static int check_memory_policy(const struct oci_linux_memory_policy *mp, struct crun_error *err)
{
	int r;

	if (mp->mode == OCI_MEMORY_POLICY_MODE_UNSET) {
		err_set(err, KIND_SPEC, EINVAL, "a memory policy needs a mode");
		return err_at(err, "/linux/memoryPolicy/mode");
	}
	r = check_nodes(mp, err);
	return r < 0 ? r : check_policy_flags(mp, err);
}

/* config-linux.md, "Personality": "Currently no flag values are supported." */
static int check_personality(const struct oci_linux_personality *p, struct crun_error *err)
{
	if (p->flags_len == 0)
		return 0;
	err_set(err, KIND_SPEC, EINVAL,
		"personality flag `%s` is not supported: the specification defines none",
		p->flags[0]);
	return err_at(err, "/linux/personality/flags/0");
}

static int check_time_offset(const struct oci_linux_time_offset_pair *pair, struct crun_error *err)
{
	const struct oci_linux_time_offset *offset = &pair->value;
	const char *field = "";

	/* time_namespaces(7): the clocks that a time namespace virtualizes. */
	if (!str_eq(pair->key, "monotonic") && !str_eq(pair->key, "boottime")) {
		err_set(err, KIND_SPEC, EINVAL,
			"only the clocks monotonic and boottime have an offset, and not `%s`",
			pair->key);
		return err_at_key(err, "/linux/timeOffsets", pair->key);
	}
	if (offset->nanosecs >= NANOSECS_PER_SEC) {
		field = "nanosecs";
		err_set(err, KIND_SPEC, EINVAL,
			"expected at most 999999999 nanoseconds, and not %" PRIu32,
			offset->nanosecs);
	} else if (offset->secs > OFFSET_SECS_MAX || offset->secs < -OFFSET_SECS_MAX) {
		field = "secs";
		err_set(err, KIND_SPEC, ERANGE,
			"an offset of %" PRId64
			" seconds is more than the kernel's clocks can hold",
			offset->secs);
	} else {
		return 0;
	}
	return err_at(err, "/linux/timeOffsets/%s/%s", pair->key, field);
}

int check_linux(const struct oci_linux *lx, struct crun_error *err)
{
	int r = 0;

	if (lx->memory_policy)
		r = check_memory_policy(lx->memory_policy, err);
	if (r == 0 && lx->personality)
		r = check_personality(lx->personality, err);
	for (size_t i = 0; r == 0 && lx->time_offsets && i < lx->time_offsets->len; i++)
		r = check_time_offset(&lx->time_offsets->items[i], err);
	return r;
}
