// SPDX-License-Identifier: Apache-2.0
// Names of systemd units from linux.cgroupsPath, and where in the cgroup tree systemd puts them.
#include "cgroup/systemd.h"

#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLICE ".slice"
#define SCOPE ".scope"

/* Letters, digits and these make a unit's name (systemd.unit(5)). */
static bool is_unit_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr(":-_.\\@", c));
}

static bool ends_in(const char *s, const char *suffix)
{
	size_t n = strlen(s), k = strlen(suffix);

	return n > k && str_eq(s + n - k, suffix);
}

bool cg_slice_is_valid(const char *slice)
{
	size_t n = strlen(slice);

	if (str_eq(slice, "-" SLICE))
		return true;
	if (n > CG_UNIT_NAME_MAX || !ends_in(slice, SLICE))
		return false;
	n -= strlen(SLICE);
	/* Each '-' is a level of the hierarchy, and no level is empty. */
	for (size_t i = 0; i < n; i++) {
		if (!is_unit_char(slice[i]) || slice[i] == '@')
			return false;
		if (slice[i] == '-' && (i == 0 || i + 1 == n || slice[i + 1] == '-'))
			return false;
	}
	return true;
}

/* "\xNN" for what no unit name may have: systemd's own escape, which `systemd-escape --unescape` undoes. */
static char *escape(const char *text)
{
	char *ret = malloc(4 * strlen(text) + 1), *out = ret;

	for (; ret && *text; text++) {
		if (is_unit_char(*text))
			*out++ = *text;
		else
			out += snprintf(out, 5, "\\x%02x", (unsigned char)*text);
	}
	if (ret)
		*out = '\0';
	return ret;
}

static int bad_path(struct crun_error *err, const char *path, const char *reason)
{
	err_set(err, CODE_CGROUP_PATH, EINVAL,
		"linux.cgroupsPath `%s` %s; for the systemd driver it is SLICE:PREFIX:NAME, and the "
		"container gets PREFIX-NAME.scope in SLICE",
		path, reason);
	return err_at(err, "/linux/cgroupsPath");
}

static int no_memory(struct crun_error *err)
{
	return err_sys(err, -ENOMEM, "name of the systemd unit");
}

/* PREFIX-NAME.scope; what is longer than a unit's name may be keeps a hash of the rest, but only when the name is ours to choose. */
static char *scope_name(const char *prefix, const char *name)
{
	_cleanup_free_ char *raw = str_printf("%s%s%s", prefix, prefix[0] ? "-" : "", name);
	_cleanup_free_ char *unit = raw ? escape(raw) : NULL;

	return unit ? str_printf("%s" SCOPE, unit) : NULL;
}

static int default_scope(const char *id, char **ret, struct crun_error *err)
{
	_cleanup_free_ char *scope = scope_name("crun", id);
	uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */

	if (!scope)
		return no_memory(err);
	if (strlen(scope) > CG_UNIT_NAME_MAX) {
		for (const char *p = id; *p; p++)
			hash = (hash ^ (unsigned char)*p) * 0x100000001b3;
		*ret = str_printf("%.200s:%016llx" SCOPE, scope, (unsigned long long)hash);
	} else {
		*ret = take_ptr(scope);
	}
	return *ret ? 0 : no_memory(err);
}

/* "machine", "machine.slice", "-": with the suffix. NULL for "", the default. */
static int slice_name(const char *path, const char *text, char **ret, struct crun_error *err)
{
	_cleanup_free_ char *slice = NULL;

	*ret = NULL;
	if (!text[0])
		return 0;
	slice = str_printf("%s%s", text, ends_in(text, SLICE) ? "" : SLICE);
	if (!slice)
		return no_memory(err);
	if (str_eq(text, SLICE) || !cg_slice_is_valid(slice))
		return bad_path(err, path, "does not begin with the name of a slice");
	*ret = take_ptr(slice);
	return 0;
}

/* A name that is a slice: processes live in scopes, so the container gets one in it. SLICE must be what the name says it is in. */
static int within_slice(const char *path, const char *name, const char *slice, const char *id,
			char **ret_slice, char **ret_scope, struct crun_error *err)
{
	size_t n = slice ? strlen(slice) - strlen(SLICE) : 0;

	if (!cg_slice_is_valid(name))
		return bad_path(err, path, "ends in .slice, but does not end with the name of one");
	if (slice && !str_eq(slice, "-" SLICE) && (strncmp(name, slice, n) != 0 || name[n] != '-'))
		return bad_path(err, path, "names a slice that is not in the slice before it");
	*ret_slice = strdup(name);
	return *ret_slice ? default_scope(id, ret_scope, err) : no_memory(err);
}

/* "slice:prefix:name"; colons after the second belong to the name. */
static int three_parts(const char *path, const char *id, char **ret_slice, char **ret_scope,
		       struct crun_error *err)
{
	_cleanup_free_ char *copy = strdup(path), *slice = NULL;
	char *rest = copy;
	const char *first, *prefix, *name;
	int r;

	if (!copy)
		return no_memory(err);
	first = strsep(&rest, ":");
	prefix = strsep(&rest, ":");
	name = rest;
	if (!name || !name[0])
		return bad_path(err, path, "has no name after the second colon");
	r = slice_name(path, first, &slice, err);
	if (r < 0)
		return r;
	if (ends_in(name, SLICE))
		return within_slice(path, name, slice, id, ret_slice, ret_scope, err);
	*ret_scope = scope_name(prefix, name);
	*ret_slice = take_ptr(slice);
	return *ret_scope ? 0 : no_memory(err);
}

static int parse(const char *path, const char *id, char **ret_slice, char **ret_scope,
		 struct crun_error *err)
{
	int r;

	for (const char *p = path; *p; p++) {
		if (*p == '/')
			return bad_path(err, path,
					"is a path, with which systemd can do nothing (use "
					"--cgroup-manager=cgroupfs for it)");
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return bad_path(err, path, "has a control character in it");
	}
	if (strchr(path, ':')) {
		r = three_parts(path, id, ret_slice, ret_scope, err);
	} else {
		r = slice_name(path, path, ret_slice, err);
		if (r >= 0)
			*ret_scope = scope_name("", path);
		if (r >= 0 && !*ret_scope)
			r = no_memory(err);
	}
	if (r >= 0 && strlen(*ret_scope) > CG_UNIT_NAME_MAX)
		return bad_path(err, path, "makes a unit name of more than 255 bytes");
	return r;
}

int cg_unit_names(const char *path, const char *id, char **ret_slice, char **ret_scope,
		  struct crun_error *err)
{
	_cleanup_free_ char *slice = NULL, *scope = NULL;
	int r = path && path[0] ? parse(path, id, &slice, &scope, err)
				: default_scope(id, &scope, err);

	if (r < 0)
		return r;
	*ret_slice = take_ptr(slice);
	*ret_scope = take_ptr(scope);
	return 0;
}

/* Names that could be files of a cgroup directory: "cgroup.x", "tasks", and "cpu.scope" for each controller. */
static bool needs_prefix(const char *unit)
{
	static const char *const others[] = {"bpf-firewall", "bpf-devices", "bpf-foreign",
					     "bpf-socket-bind", "bpf-restrict-network-interfaces"};
	const char *dot = strrchr(unit, '.');
	size_t n = dot ? (size_t)(dot - unit) : 0;

	if (unit[0] == '_' || unit[0] == '.' || str_after(unit, "cgroup."))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		if (strlen(others[i]) == n && strncmp(unit, others[i], n) == 0)
			return true;
	}
	/* systemd knows these; for any other controller the name is as it is. */
	for (unsigned c = 0; c < CG_CONTROLLERS; c++) {
		const unsigned known = CG_BIT(CG_CPU) | CG_BIT(CG_CPUACCT) | CG_BIT(CG_CPUSET) |
				       CG_BIT(CG_MEMORY) | CG_BIT(CG_PIDS) | CG_BIT(CG_DEVICES) |
				       CG_BIT(CG_IO);
		const char *names[] = {cg_controller_names[c].v1, cg_controller_names[c].v2};

		for (size_t i = 0; (known & CG_BIT(c)) && i < 2; i++) {
			if (names[i] && strlen(names[i]) == n && strncmp(unit, names[i], n) == 0)
				return true;
		}
	}
	return false;
}

char *cg_unit_path(const char *root, const char *slice, const char *scope, size_t *ret_depth)
{
	_cleanup_free_ char *path = strdup(str_eq(root, "/") ? "" : root);
	size_t depth = 0;

	for (const char *p = path; p && *p; p++)
		depth += *p == '/';
	for (const char *p = slice; path && !str_eq(slice, "-" SLICE); p++) {
		bool end = str_eq(p, SLICE);
		_cleanup_free_ char *unit = NULL;
		char *longer;

		if (*p != '-' && !end)
			continue;
		unit = str_printf("%.*s" SLICE, (int)(p - slice), slice);
		longer = unit ? str_printf("%s/%s%s", path, needs_prefix(unit) ? "_" : "", unit)
			      : NULL;
		free(path);
		path = longer;
		depth++;
		if (end)
			break;
	}
	*ret_depth = depth + 1;
	return path ? str_printf("%s/%s%s", path, needs_prefix(scope) ? "_" : "", scope) : NULL;
}
