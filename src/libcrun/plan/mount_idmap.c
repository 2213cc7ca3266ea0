// SPDX-License-Identifier: Apache-2.0
// The id mapping of a mount: what "idmap" and "ridmap" ask for, and where the mapping comes from.
#include "plan/internal.h"

#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

/* The text of an option, read from left to right. */
struct scanner {
	const char *at;
	const char *word; /* the whole option, for messages */
};

static bool skip(struct scanner *s, const char *text)
{
	const char *rest = str_after(s->at, text);

	if (rest)
		s->at = rest;
	return rest != NULL;
}

static bool read_id(struct scanner *s, uint32_t *ret)
{
	uint64_t n = 0;

	if (!isdigit((unsigned char)*s->at))
		return false;
	for (; isdigit((unsigned char)*s->at); s->at++) {
		n = n * 10 + (uint64_t)(*s->at - '0');
		if (n > UINT32_MAX)
			return false;
	}
	*ret = (uint32_t)n;
	return true;
}

static int malformed(const struct scanner *s, struct crun_error *err)
{
	return err_set(err, KIND_SPEC, EINVAL,
		       "mount option `%s` is malformed at `%s`: it is written "
		       "\"idmap=uids=0-1000-10;gids=0-1000-10\"",
		       s->word, s->at);
}

/* '@': the second number is an id of the container. All ids of the range must lie side by side on the host. */
static int make_absolute(const struct launch_plan *plan, bool group, struct oci_id_mapping *range,
			 struct crun_error *err)
{
	const struct oci_id_mapping *map = group ? plan->gid_map : plan->uid_map;
	size_t len = group ? plan->gid_map_len : plan->uid_map_len;

	if (plan->ns[NS_USER].action != NS_NEW)
		return err_set(err, CODE_NAMESPACE_NEEDED, EINVAL,
			       "a mapping with `@` needs a new user namespace of the container");
	for (size_t i = 0; i < len; i++) {
		if (range->host_id < map[i].container_id ||
		    (uint64_t)range->host_id + range->size >
			    (uint64_t)map[i].container_id + map[i].size)
			continue;
		range->host_id = map[i].host_id + (range->host_id - map[i].container_id);
		return 0;
	}
	return err_set(err, KIND_SPEC, EINVAL,
		       "a mapping with `@`: the %u ids from %u are not in one mapping of linux.%s",
		       range->size, range->host_id, group ? "gidMappings" : "uidMappings");
}

static int read_range(const struct launch_plan *plan, bool group, struct scanner *s,
		      struct oci_id_mapping *ret, struct crun_error *err)
{
	bool relative = skip(s, "@");

	*ret = (struct oci_id_mapping){0};
	if (!read_id(s, &ret->container_id) || !skip(s, "-") || !read_id(s, &ret->host_id) ||
	    !skip(s, "-") || !read_id(s, &ret->size))
		return malformed(s, err);
	return relative ? make_absolute(plan, group, ret, err) : 0;
}

/* "0-1000-10#10-5000-5", up to ';' or the end. */
static int read_ranges(const struct launch_plan *plan, bool group, struct scanner *s,
		       const struct oci_id_mapping **ret, size_t *ret_len, struct oci_arena *arena,
		       struct crun_error *err)
{
	struct oci_id_mapping *map;
	size_t n = 1, len = 0;
	int r;

	for (const char *p = s->at; *p && *p != ';'; p++)
		n += *p == '#';
	map = plan_alloc(arena, n, sizeof(*map));
	if (!map)
		return PLAN_NO_MEMORY(err);
	do {
		r = read_range(plan, group, s, &map[len++], err);
		if (r < 0)
			return r;
	} while (skip(s, "#"));
	*ret = map;
	*ret_len = len;
	return plan_check_id_map(map, len, group ? "the mount's gids" : "the mount's uids", NULL,
				 err);
}

static int read_mapping(const struct launch_plan *plan, struct scanner *s, struct mount_idmap *map,
			struct oci_arena *arena, struct crun_error *err)
{
	int r;

	do {
		if (!map->uids_len && skip(s, "uids="))
			r = read_ranges(plan, false, s, &map->uids, &map->uids_len, arena, err);
		else if (!map->gids_len && skip(s, "gids="))
			r = read_ranges(plan, true, s, &map->gids, &map->gids_len, arena, err);
		else
			r = malformed(s, err);
		if (r < 0)
			return r;
	} while (skip(s, ";"));
	if (*s->at)
		return malformed(s, err);
	if (!map->uids_len || !map->gids_len)
		return err_set(err, KIND_SPEC, EINVAL, "mount option `%s` has no %s", s->word,
			       map->uids_len ? "gids" : "uids");
	return 0;
}

int plan_idmap_option(const struct launch_plan *plan, struct mount_op *op, const char *word,
		      bool recursive, struct oci_arena *arena, struct crun_error *err)
{
	const char *value = strchr(word, '=');
	struct scanner s = {.at = value ? value + 1 : "", .word = word};

	op->idmap = plan_alloc(arena, 1, sizeof(*op->idmap));
	if (!op->idmap)
		return PLAN_NO_MEMORY(err);
	*op->idmap = (struct mount_idmap){.recursive = recursive};
	return value ? read_mapping(plan, &s, op->idmap, arena, err) : 0;
}

/* uidMappings and gidMappings of the mount: "MUST use those values" (config.md, idmap). */
static int take_own(const struct oci_mount *m, struct mount_op *op, struct crun_error *err)
{
	char pointer[64];
	int r;

	if (!m->uid_mappings_len || !m->gid_mappings_len) {
		err_set(err, KIND_SPEC, EINVAL, "uidMappings and gidMappings need each other");
		return err_at(err, "/mounts/%u/%s", op->index,
			      m->uid_mappings_len ? "uidMappings" : "gidMappings");
	}
	if (op->idmap->uids_len) {
		err_set(err, KIND_SPEC, EINVAL,
			"the mapping is given twice: in the option `idmap` and in uidMappings");
		return err_at(err, "/mounts/%u/uidMappings", op->index);
	}
	snprintf(pointer, sizeof(pointer), "/mounts/%u/uidMappings", op->index);
	r = plan_check_id_map(m->uid_mappings, m->uid_mappings_len, "the mount's uidMappings",
			      pointer, err);
	if (r < 0)
		return r;
	snprintf(pointer, sizeof(pointer), "/mounts/%u/gidMappings", op->index);
	r = plan_check_id_map(m->gid_mappings, m->gid_mappings_len, "the mount's gidMappings",
			      pointer, err);
	if (r < 0)
		return r;
	op->idmap->uids = m->uid_mappings;
	op->idmap->uids_len = m->uid_mappings_len;
	op->idmap->gids = m->gid_mappings;
	op->idmap->gids_len = m->gid_mappings_len;
	return 0;
}

static int take_containers(const struct launch_plan *plan, struct mount_op *op,
			   struct crun_error *err)
{
	switch (plan->ns[NS_USER].action) {
	case NS_NEW:
		op->idmap->uids = plan->uid_map;
		op->idmap->uids_len = plan->uid_map_len;
		op->idmap->gids = plan->gid_map;
		op->idmap->gids_len = plan->gid_map_len;
		return 0;
	case NS_JOIN:
		return 0;
	default:
		/* "If there are no uidMappings and gidMappings [...] and the container isn't using user namespaces" (config.md) */
		err_set(err, KIND_SPEC, EINVAL,
			"an idmapped mount needs uidMappings and gidMappings where the container has "
			"no user namespace");
		return err_at(err, "/mounts/%u/options", op->index);
	}
}

static int check_possible(const struct launch_plan *plan, const struct mount_op *op,
			  struct crun_error *err)
{
	if (op->kind == MOUNT_REMOUNT || op->kind == MOUNT_CGROUP)
		err_set(err, KIND_SPEC, EINVAL, "an id mapping has no meaning for %s",
			op->kind == MOUNT_REMOUNT ? "\"remount\"" : "a cgroup mount");
	else if (!plan->facts.privileged) {
		err_set(err, KIND_PERMISSION, EPERM,
			"an ordinary user cannot have idmapped mounts: the kernel asks for CAP_SYS_ADMIN "
			"where the file system was mounted: Operation not permitted");
		err_code(err, CODE_MOUNT_IDMAP);
	} else if (op->kind == MOUNT_FS && plan_ns_is_own(plan, NS_USER))
		/* It belongs to that namespace, whose root may not use a mapping that was made outside (mount_setattr(2)). */
		err_set(err, CODE_MOUNT_IDMAP, EOPNOTSUPP,
			"a new `%s` cannot be idmapped in a container with a user namespace: the ids "
			"in it are the container's already",
			op->fstype);
	else
		return 0;
	return err_at(err, "/mounts/%u", op->index);
}

int plan_idmap(const struct launch_plan *plan, const struct oci_mount *m, struct mount_op *op,
	       struct oci_arena *arena, struct crun_error *err)
{
	bool own = m->uid_mappings_len || m->gid_mappings_len;
	int r;

	if (!op->idmap && !own)
		return 0;
	/* "The options field SHOULD contain either idmap or ridmap": containerd leaves them out. */
	if (!op->idmap) {
		r = plan_idmap_option(plan, op, "idmap", false, arena, err);
		if (r < 0)
			return r;
	}
	if (own)
		r = take_own(m, op, err);
	else
		r = op->idmap->uids_len ? 0 : take_containers(plan, op, err);
	return r < 0 ? r : check_possible(plan, op, err);
}

static bool maps_equal(const struct oci_id_mapping *a, size_t a_len, const struct oci_id_mapping *b,
		       size_t b_len)
{
	if (a_len != b_len)
		return false;
	for (size_t i = 0; i < a_len; i++) {
		if (a[i].container_id != b[i].container_id || a[i].host_id != b[i].host_id ||
		    a[i].size != b[i].size)
			return false;
	}
	return true;
}

bool plan_idmap_equal(const struct mount_idmap *a, const struct mount_idmap *b)
{
	return maps_equal(a->uids, a->uids_len, b->uids, b->uids_len) &&
	       maps_equal(a->gids, a->gids_len, b->gids, b->gids_len);
}
