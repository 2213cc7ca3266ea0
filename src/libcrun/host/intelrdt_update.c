// SPDX-License-Identifier: Apache-2.0
// New schemata for the class of service of a container that exists. See intelrdt.h.
#include "host/intelrdt.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "sys/file.h"
#include "sys/io.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int intelrdt_update_check(const struct oci_linux_intel_rdt *spec, const char *id, int base_fd,
			  struct intelrdt *ret, struct crun_error *err)
{
	const char *name = spec && spec->clos_id ? spec->clos_id : id;
	char path[INTELRDT_PATH_MAX + 16];
	struct stat st;
	int r;

	*ret = (struct intelrdt){.spec = spec, .id = id, .base_fd = base_fd};
	if (!spec)
		return err_set(
			err, KIND_UNSUPPORTED, EOPNOTSUPP,
			"the container was created without linux.intelRdt, so it has no class of "
			"service whose schemata could be changed");
	snprintf(ret->class, sizeof(ret->class), "%s", str_eq(name, "/") ? "." : name);
	snprintf(path, sizeof(path), "%s/schemata", ret->class);
	r = sys_fstatat(base_fd, path, &st);
	return r < 0 ? err_sys_code(err, CODE_RESCTRL, r, "find `%s` of resctrl", path) : 0;
}

/* "IntelRdt": lines for MB in the cache's schema give way to the schema for the bandwidth. */
static void add_cache_lines(struct buf *text, const char *schema, bool without_bandwidth)
{
	while (schema && *schema) {
		size_t n = strcspn(schema, "\n");

		if (n && !(without_bandwidth && str_after(schema, "MB:"))) {
			buf_append(text, schema, n);
			buf_puts(text, "\n");
		}
		schema += n + (schema[n] == '\n');
	}
}

int intelrdt_update(const struct intelrdt *rdt, const char *l3_cache, const char *mem_bw,
		    struct crun_error *err)
{
	char path[INTELRDT_PATH_MAX + 16];
	_cleanup_buf_ struct buf text = {0};
	int r;

	/* In one write(2): resctrl checks all lines before it changes anything. */
	add_cache_lines(&text, l3_cache, mem_bw);
	add_cache_lines(&text, mem_bw, false);
	if (text.failed || !text.data)
		return err_sys_code(err, CODE_RESCTRL, text.failed ? -ENOMEM : -EINVAL,
				    "schemata of resctrl");
	snprintf(path, sizeof(path), "%s/schemata", rdt->class);
	r = io_write_file_at(rdt->base_fd, path, text.data);
	if (r < 0) {
		err_sys_code(err, CODE_RESCTRL, r, "write the new schemata to `%s` of resctrl",
			     path);
		return intelrdt_say_why(rdt, err);
	}
	return 0;
}
