// SPDX-License-Identifier: Apache-2.0
// Namespaces and id mappings: which are new, joined or shared, and who writes the maps.
#include "plan/internal.h"

#include <errno.h>

static const enum ns_index index_of_type[OCI_NAMESPACE_TYPE_LAST + 1] = {
	[OCI_NAMESPACE_TYPE_USER] = NS_USER,	 [OCI_NAMESPACE_TYPE_PID] = NS_PID,
	[OCI_NAMESPACE_TYPE_NETWORK] = NS_NET,	 [OCI_NAMESPACE_TYPE_MOUNT] = NS_MNT,
	[OCI_NAMESPACE_TYPE_IPC] = NS_IPC,	 [OCI_NAMESPACE_TYPE_UTS] = NS_UTS,
	[OCI_NAMESPACE_TYPE_CGROUP] = NS_CGROUP, [OCI_NAMESPACE_TYPE_TIME] = NS_TIME,
};

static int read_namespaces(struct launch_plan *plan, struct crun_error *err)
{
	const struct oci_linux *lx = plan->linux_;

	for (size_t i = 0; i < lx->namespaces_len; i++) {
		const struct oci_linux_namespace *spec = &lx->namespaces[i];
		struct plan_ns *ns = &plan->ns[index_of_type[spec->type]];

		if (ns->action != NS_SHARE) {
			err_set(err, KIND_SPEC, EINVAL, "the %s namespace is listed twice",
				oci_namespace_type_name(spec->type));
			return err_at(err, "/linux/namespaces/%zu", i);
		}
		/* Engines write an empty path for "a new one". */
		ns->action = spec->path && spec->path[0] ? NS_JOIN : NS_NEW;
		ns->path = spec->path;
		if (ns->action == NS_JOIN && spec->path[0] != '/') {
			err_set(err, KIND_SPEC, EINVAL, "namespace path `%s` must be absolute",
				spec->path);
			return err_at(err, "/linux/namespaces/%zu/path", i);
		}
	}
	return 0;
}

static bool ranges_meet(uint32_t a, uint32_t a_size, uint32_t b, uint32_t b_size)
{
	return a < (uint64_t)b + b_size && b < (uint64_t)a + a_size;
}

int plan_check_id_map(const struct oci_id_mapping *map, size_t len, const char *what_of,
		      const char *pointer, struct crun_error *err)
{
	for (size_t i = 0; i < len; i++) {
		const char *what = NULL;

		if (map[i].size == 0)
			what = "has size 0";
		else if ((uint64_t)map[i].container_id + map[i].size > UINT32_MAX ||
			 (uint64_t)map[i].host_id + map[i].size > UINT32_MAX)
			what = "goes beyond the last id";
		for (size_t k = 0; !what && k < i; k++) {
			const struct oci_id_mapping *a = &map[i], *b = &map[k];

			/* user_namespaces(7): neither the ids inside nor those outside may be given twice. */
			if (ranges_meet(a->container_id, a->size, b->container_id, b->size) ||
			    ranges_meet(a->host_id, a->size, b->host_id, b->size))
				what = "overlaps an earlier one";
		}
		if (what) {
			err_set(err, KIND_SPEC, EINVAL, "mapping %zu of %s %s", i, what_of, what);
			return pointer ? err_at(err, "%s/%zu", pointer, i) : -EINVAL;
		}
	}
	return 0;
}

static bool maps_only(const struct oci_id_mapping *map, size_t len, uint32_t host_id)
{
	return len == 1 && map[0].size == 1 && map[0].host_id == host_id;
}

/* A map by root (or an id with CAP_SETUID) is written by us; an unprivileged one of our own id too; else by the helpers. */
static void choose_writer(struct launch_plan *plan)
{
	const struct host_facts *facts = &plan->facts;

	if (facts->privileged) {
		plan->id_map_writer = ID_MAP_DIRECT;
		return;
	}
	if (maps_only(plan->uid_map, plan->uid_map_len, facts->euid) &&
	    maps_only(plan->gid_map, plan->gid_map_len, facts->egid)) {
		plan->id_map_writer = ID_MAP_DIRECT;
		/* user_namespaces(7): without CAP_SETGID in the parent, setgroups must be denied before the gid map. */
		plan->deny_setgroups = true;
		return;
	}
	plan->id_map_writer = ID_MAP_HELPERS;
}

static int plan_user_namespace(struct launch_plan *plan, struct crun_error *err)
{
	const struct oci_linux *lx = plan->linux_;
	int r;

	plan->uid_map = lx->uid_mappings;
	plan->uid_map_len = lx->uid_mappings_len;
	plan->gid_map = lx->gid_mappings;
	plan->gid_map_len = lx->gid_mappings_len;
	r = plan_check_id_map(plan->uid_map, plan->uid_map_len, "linux.uidMappings",
			      "/linux/uidMappings", err);
	if (r < 0)
		return r;
	r = plan_check_id_map(plan->gid_map, plan->gid_map_len, "linux.gidMappings",
			      "/linux/gidMappings", err);
	if (r < 0)
		return r;
	switch (plan->ns[NS_USER].action) {
	case NS_SHARE:
		if (plan->uid_map_len || plan->gid_map_len) {
			err_set(err, CODE_NAMESPACE_NEEDED, EINVAL,
				"id mappings need a user namespace: add {\"type\": \"user\"} to linux.namespaces");
			return err_at(err, plan->uid_map_len ? "/linux/uidMappings"
							     : "/linux/gidMappings");
		}
		if (!plan->facts.privileged)
			return err_set(
				err, CODE_USERNS_NEEDED, EPERM,
				"an ordinary user's container needs a user namespace: operation not "
				"permitted without {\"type\": \"user\"} in linux.namespaces and id mappings "
				"(see `crun spec --rootless`)");
		return 0;
	case NS_JOIN:
		/* Engines send the mappings of the joined namespace along, or dummies: nothing is written. */
		return 0;
	default:
		break;
	}
	if (plan->uid_map_len == 0 || plan->gid_map_len == 0) {
		const char *name = plan->uid_map_len == 0 ? "uidMappings" : "gidMappings";

		err_set(err, KIND_SPEC, EINVAL, "a new user namespace needs linux.%s", name);
		return err_at(err, "/linux/%s", name);
	}
	choose_writer(plan);
	return 0;
}

int64_t plan_host_id(const struct launch_plan *plan, bool group, uint32_t id)
{
	const struct oci_id_mapping *map = group ? plan->gid_map : plan->uid_map;
	size_t len = group ? plan->gid_map_len : plan->uid_map_len;

	if (plan->ns[NS_USER].action == NS_SHARE)
		return id;
	for (size_t i = 0; i < len; i++) {
		if (id >= map[i].container_id && id - map[i].container_id < map[i].size)
			return (int64_t)map[i].host_id + (id - map[i].container_id);
	}
	return -1;
}

/* The payload's ids must exist in the namespace that we are about to make: setresuid(2) would say EINVAL much later. */
static int check_user_is_mapped(const struct launch_plan *plan, struct crun_error *err)
{
	const struct plan_process *p = &plan->process;

	if (plan->ns[NS_USER].action != NS_NEW)
		return 0;
	if (plan_host_id(plan, false, p->uid) < 0) {
		err_set(err, CODE_ID_UNMAPPED, EINVAL, "uid %u is not mapped by linux.uidMappings",
			p->uid);
		return err_at(err, "/process/user/uid");
	}
	if (plan_host_id(plan, true, p->gid) < 0) {
		err_set(err, CODE_ID_UNMAPPED, EINVAL, "gid %u is not mapped by linux.gidMappings",
			p->gid);
		return err_at(err, "/process/user/gid");
	}
	for (size_t i = 0; i < p->groups_len; i++) {
		if (plan->deny_setgroups)
			err_set(err, CODE_ID_UNMAPPED, EPERM,
				"additional groups are not permitted with an ordinary user's single mapping: "
				"operation not permitted (use newgidmap ranges)");
		else if (plan_host_id(plan, true, p->groups[i]) < 0)
			err_set(err, CODE_ID_UNMAPPED, EINVAL,
				"gid %u is not mapped by linux.gidMappings", p->groups[i]);
		else
			continue;
		return err_at(err, "/process/user/additionalGids/%zu", i);
	}
	return 0;
}

int plan_namespaces(struct launch_plan *plan, struct crun_error *err)
{
	int r = read_namespaces(plan, err);

	if (r < 0)
		return r;
	r = plan_user_namespace(plan, err);
	if (r < 0)
		return r;
	return check_user_is_mapped(plan, err);
}
