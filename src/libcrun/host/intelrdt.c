// SPDX-License-Identifier: Apache-2.0
// linux.intelRdt: classes of service and monitoring groups in resctrl. See intelrdt.h.
#include "host/intelrdt.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "fs/mountinfo.h"
#include "fs/procfs.h"
#include "sys/file.h"
#include "sys/io.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RDTGROUP_SUPER_MAGIC_ 0x7655821
#define SCHEMATA_MAX	      65536

int intelrdt_open(struct crun_error *err)
{
	_cleanup_buf_ struct buf text = {0};
	_cleanup_close_ int proc_fd = procfs_open_host(err);
	_cleanup_close_ int fd = FD_NONE;
	struct mountinfo line;
	struct statfs st;
	char *cursor;
	int r;

	if (proc_fd < 0)
		return proc_fd;
	r = mountinfo_read(proc_fd, "self/mountinfo", &text, err);
	if (r < 0)
		return r;
	cursor = text.data;
	while (mountinfo_next(&cursor, &line)) {
		if (!str_eq(line.fstype, "resctrl"))
			continue;
		close_fd(&fd);
		fd = sys_openat(AT_FDCWD, line.mount_point, O_PATH | O_DIRECTORY, 0);
		if (fd < 0 && fd != -ENOENT && fd != -ENOTDIR && fd != -EACCES)
			return err_sys(err, fd, "open `%s`", line.mount_point);
		/* Another file system may have been mounted over it. */
		if (fd >= 0 && sys_fstatfs(fd, &st) == 0 && st.f_type == RDTGROUP_SUPER_MAGIC_)
			return take_fd(&fd);
	}
	return err_set(
		err, KIND_UNSUPPORTED, ENOENT,
		"intelRdt: resctrl is not mounted: `mount -t resctrl resctrl /sys/fs/resctrl` "
		"mounts it where processor and kernel support it");
}

static bool exists(int base_fd, const char *path)
{
	struct stat st;

	return sys_fstatat(base_fd, path, &st) == 0;
}

static bool wants_schemata(const struct oci_linux_intel_rdt *spec)
{
	return spec->l3_cache_schema || spec->mem_bw_schema || spec->schemata_len;
}

/* ---- comparing lines of schemata ---- */

/* The value of DOMAIN in a line after its colon, "0= 10;1=7ff"; NULL when it has none. */
static const char *find_domain(const char *values, unsigned long domain)
{
	while (*values && *values != '\n') {
		char *end;
		unsigned long found = strtoul(values, &end, 10);

		if (end != values && *end == '=' && found == domain)
			return end + 1;
		values += strcspn(values, ";\n");
		values += *values == ';';
	}
	return NULL;
}

/* The text after "RESOURCE:" in the file's line for it; the kernel pads in front. NULL when there is none. */
static const char *find_resource(const char *file, const char *resource, size_t len)
{
	while (*file) {
		file += strspn(file, " ");
		if (strncmp(file, resource, len) == 0 && file[len] == ':')
			return file + len + 1;
		file += strcspn(file, "\n");
		file += *file == '\n';
	}
	return NULL;
}

/* Whether FILE, the content of a schemata file, grants what LINE says: it may have further domains, and pads numbers. */
static bool line_matches(const char *line, const char *file)
{
	size_t len;
	const char *there;
	int base;

	line += strspn(line, " ");
	len = strcspn(line, ":\n");
	if (line[len] != ':')
		return false;
	/* Shares of bandwidth are decimal, bit masks of a cache hexadecimal. */
	base = strncmp(line, "MB", 2) == 0 || strncmp(line, "SMBA", 4) == 0 ? 10 : 16;
	there = find_resource(file, line, len);
	for (line += len + 1; there && *line && *line != '\n';) {
		char *end, *end_there;
		unsigned long domain = strtoul(line, &end, 10);
		const char *value, *value_there = find_domain(there, domain);

		if (end == line || *end != '=' || !value_there)
			return false;
		value = end + 1;
		if (strtoul(value, &end, base) != strtoul(value_there, &end_there, base) ||
		    end == value || end_there == value_there)
			return false;
		line = end + strspn(end, " ");
		if (*line && *line != ';' && *line != '\n')
			return false;
		line += *line == ';';
	}
	return there;
}

/* All lines of the schema TEXT; the specification tolerates more than one. */
static bool schema_matches(const char *text, const char *file)
{
	while (*text) {
		if (*text != '\n' && !line_matches(text, file))
			return false;
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	return true;
}

static int compare_schemata(const struct intelrdt *rdt, struct crun_error *err)
{
	const struct {
		const char *name, *value;
	} schemas[] = {
		{"l3CacheSchema", rdt->spec->l3_cache_schema},
		{"memBwSchema", rdt->spec->mem_bw_schema},
	};
	_cleanup_free_ char *file = NULL;
	char path[INTELRDT_PATH_MAX + 16];
	int r;

	if (!schemas[0].value && !schemas[1].value)
		return 0;
	file = malloc(SCHEMATA_MAX);
	if (!file)
		return err_sys(err, -ENOMEM, "read the schemata of a class of service");
	snprintf(path, sizeof(path), "%s/schemata", rdt->class);
	r = io_read_file_at(rdt->base_fd, path, file, SCHEMATA_MAX);
	if (r < 0)
		return err_sys_code(err, CODE_RESCTRL, r, "read `%s` of resctrl", path);
	for (size_t i = 0; i < ARRAY_LEN(schemas); i++) {
		if (!schemas[i].value || schema_matches(schemas[i].value, file))
			continue;
		err_set(err, KIND_SPEC, EINVAL,
			"intelRdt.%s differs from the schemata that the class of service `%s` has already",
			schemas[i].name, rdt->spec->clos_id);
		return err_at(err, "/linux/intelRdt/%s", schemas[i].name);
	}
	return 0;
}

/* ---- select ---- */

static int select_class(struct intelrdt *rdt, struct crun_error *err)
{
	const char *name = rdt->spec->clos_id;

	if (name && str_eq(name, "/"))
		name = ".";
	snprintf(rdt->class, sizeof(rdt->class), "%s", name ? name : rdt->id);
	rdt->class_exists = exists(rdt->base_fd, rdt->class);
	if (!name) {
		if (rdt->class_exists)
			return err_set(
				err, KIND_EXISTS, EEXIST,
				"resctrl has a group `%s` already, which the container would need "
				"for itself: give intelRdt.closID to share it",
				rdt->id);
		snprintf(rdt->ours, sizeof(rdt->ours), "%s", rdt->class);
		return 0;
	}
	if (rdt->class_exists)
		return compare_schemata(rdt, err);
	if (!wants_schemata(rdt->spec)) {
		err_set(err, KIND_NOT_FOUND, ENOENT,
			"resctrl has no class of service `%s`, and intelRdt gives no schemata to make it with",
			name);
		return err_at(err, "/linux/intelRdt/closID");
	}
	return 0;
}

static int select_monitor(struct intelrdt *rdt, struct crun_error *err)
{
	if (!rdt->spec->enable_monitoring)
		return 0;
	if ((size_t)snprintf(rdt->monitor, sizeof(rdt->monitor), "%s/mon_groups/%s", rdt->class,
			     rdt->id) >= sizeof(rdt->monitor))
		return err_sys_code(err, CODE_RESCTRL, -ENAMETOOLONG, "monitoring group of `%s`",
				    rdt->class);
	if (exists(rdt->base_fd, rdt->monitor))
		return err_set(err, KIND_EXISTS, EEXIST,
			       "resctrl has a monitoring group `%s` already", rdt->monitor);
	if (!rdt->ours[0])
		memcpy(rdt->ours, rdt->monitor, sizeof(rdt->ours));
	return 0;
}

int intelrdt_select(const struct oci_linux_intel_rdt *spec, const char *id, int base_fd,
		    struct intelrdt *ret, struct crun_error *err)
{
	int r;

	*ret = (struct intelrdt){.spec = spec, .id = id, .base_fd = base_fd};
	r = select_class(ret, err);
	if (r == 0)
		r = select_monitor(ret, err);
	return r < 0 ? err_at(err, "/linux/intelRdt") : 0;
}

/* ---- create ---- */

/* What resctrl refuses it explains in this file. */
int intelrdt_say_why(const struct intelrdt *rdt, struct crun_error *err)
{
	char why[256];
	char *frame;

	if (io_read_file_at(rdt->base_fd, "info/last_cmd_status", why, sizeof(why)) <= 0 ||
	    str_eq(why, "ok"))
		return -err->errnum;
	frame = strchr(why, '\n');
	if (frame)
		*frame = '\0';
	return err_in(err, "resctrl says \"%s\"", why);
}

static int make_group(const struct intelrdt *rdt, const char *path, const char *what,
		      struct crun_error *err)
{
	int r = sys_mkdirat(rdt->base_fd, path, 0755);

	if (r == 0)
		return 0;
	if (r == -ENOSPC)
		err_set(err, KIND_SYSTEM, ENOSPC,
			"make the %s `%s`: the processor has no more of them", what, path);
	else
		err_sys_code(err, CODE_RESCTRL, r, "make the %s `%s`", what, path);
	return intelrdt_say_why(rdt, err);
}

/* In one write(2) with a newline at its end: otherwise resctrl refuses it. */
static int write_schema(const struct intelrdt *rdt, const char *schema, struct crun_error *err)
{
	size_t len = strlen(schema);
	_cleanup_free_ char *text =
		str_printf("%s%s", schema, len && schema[len - 1] == '\n' ? "" : "\n");
	char path[INTELRDT_PATH_MAX + 16];
	int r = -ENOMEM;

	snprintf(path, sizeof(path), "%s/schemata", rdt->class);
	if (text)
		r = io_write_file_at(rdt->base_fd, path, text);
	if (r < 0) {
		err_sys_code(err, CODE_RESCTRL, r, "write `%.200s` to `%s` of resctrl", schema,
			     path);
		return intelrdt_say_why(rdt, err);
	}
	return 0;
}

/* In the order of the specification: schemata last, so that it prevails. */
static int write_schemata(const struct intelrdt *rdt, struct crun_error *err)
{
	const struct oci_linux_intel_rdt *spec = rdt->spec;

	if (spec->l3_cache_schema && write_schema(rdt, spec->l3_cache_schema, err) < 0)
		return err_at(err, "/linux/intelRdt/l3CacheSchema");
	if (spec->mem_bw_schema && write_schema(rdt, spec->mem_bw_schema, err) < 0)
		return err_at(err, "/linux/intelRdt/memBwSchema");
	for (size_t i = 0; i < spec->schemata_len; i++) {
		if (write_schema(rdt, spec->schemata[i], err) < 0)
			return err_at(err, "/linux/intelRdt/schemata/%zu", i);
	}
	return 0;
}

int intelrdt_create(const struct intelrdt *rdt, struct crun_error *err)
{
	struct crun_error why;
	bool made = !rdt->class_exists;
	int r = made ? make_group(rdt, rdt->class, "class of service", err) : 0;

	/* Another container of the same class may have been faster. */
	if (r == -EEXIST && rdt->spec->clos_id) {
		made = false;
		r = 0;
	}
	if (r < 0)
		return err_at(err, "/linux/intelRdt");
	r = write_schemata(rdt, err);
	if (r == 0 && rdt->monitor[0]) {
		r = make_group(rdt, rdt->monitor, "monitoring group", err);
		if (r < 0)
			err_at(err, "/linux/intelRdt/enableMonitoring");
	}
	/* A new class without its schemata would stand in the way of the next try. */
	if (r < 0 && made && intelrdt_remove_group(rdt->base_fd, rdt->class, &why) < 0)
		log_warning("undo: %s", why.text);
	return r;
}

static int add_to(const struct intelrdt *rdt, const char *group, pid_t pid, struct crun_error *err)
{
	char path[INTELRDT_PATH_MAX + 16], digits[16];
	int r;

	snprintf(path, sizeof(path), "%s/tasks", group);
	snprintf(digits, sizeof(digits), "%d\n", (int)pid);
	r = io_write_file_at(rdt->base_fd, path, digits);
	if (r == 0)
		return 0;
	err_sys_code(err, CODE_RESCTRL, r, "put process %d into `%s` of resctrl", (int)pid, path);
	intelrdt_say_why(rdt, err);
	return err_at(err, "/linux/intelRdt");
}

int intelrdt_add(const struct intelrdt *rdt, pid_t pid, struct crun_error *err)
{
	/* A monitoring group takes only processes of its own class. */
	int r = add_to(rdt, rdt->class, pid, err);

	if (r == 0 && rdt->monitor[0])
		r = add_to(rdt, rdt->monitor, pid, err);
	return r;
}

/* ---- remove ---- */

int intelrdt_remove_group(int base_fd, const char *ours, struct crun_error *err)
{
	int r = sys_unlinkat(base_fd, ours, AT_REMOVEDIR);

	if (r < 0 && r != -ENOENT)
		return err_sys_code(err, CODE_RESCTRL, r, "remove the group `%s` of resctrl", ours);
	return 0;
}

int intelrdt_remove(const struct oci_record *record, struct crun_error *err)
{
	_cleanup_close_ int base_fd = FD_NONE;

	if (!record->intel_rdt_group)
		return 0;
	base_fd = intelrdt_open(err);
	/* The groups ended with the mount. */
	if (base_fd == -ENOENT)
		return 0;
	if (base_fd < 0)
		return base_fd;
	return intelrdt_remove_group(base_fd, record->intel_rdt_group, err);
}
