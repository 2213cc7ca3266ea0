// SPDX-License-Identifier: Apache-2.0
// cgroup v2: linux.resources.unified, files and values as they are.
#include "cgroup/controllers.h"

#include "base/str.h"
#include "sys/io.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool is_core_file(const char *key)
{
	return str_after(key, "cgroup.");
}

/* Why KEY, which has no file in DIR, has none. */
static void explain(const struct cg_dir *dir, const char *key, char *text, size_t size)
{
	int n = (int)strcspn(key, ".");
	char list[512];
	unsigned c = 0;

	while (c < CG_CONTROLLERS &&
	       !(cg_controller_names[c].v2 && (int)strlen(cg_controller_names[c].v2) == n &&
		 strncmp(cg_controller_names[c].v2, key, (size_t)n) == 0))
		c++;
	if (is_core_file(key))
		snprintf(text, size, "this kernel's cgroups have no file `%s` (`%s`)", key,
			 dir->path);
	else if (c == CG_CONTROLLERS)
		snprintf(
			text, size,
			"`%s/%s` does not exist: `%.*s` is no controller that crun knows how to enable; "
			"if the kernel has it, cgroup.controllers of the root lists it, and it must be "
			"added to cgroup.subtree_control of every cgroup above",
			dir->path, key, n, key);
	else if (dir->v1 & CG_BIT(c))
		snprintf(
			text, size,
			"`%s` needs the controller `%s` on cgroup v2, and this host has mounted it as a "
			"cgroup v1 hierarchy",
			key, cg_controller_names[c].v2);
	else if (io_read_file_at(dir->fd, "cgroup.controllers", list, sizeof(list)) >= 0 &&
		 !(cg_controller_bits(list, " ", true) & CG_BIT(c)))
		snprintf(
			text, size,
			"the cgroup controller `%s` is not available: `%s/cgroup.controllers` does not "
			"list it; it must be enabled in cgroup.subtree_control of every cgroup above",
			cg_controller_names[c].v2, dir->path);
	else
		snprintf(
			text, size,
			"cgroup file `%s/%s` does not exist: this kernel's controller `%s` has no such "
			"file",
			dir->path, key, cg_controller_names[c].v2);
}

/* One line per write(2): io.max and its like take one device at a time. Of an empty value the kernel must see the line's end. */
static int write_lines(const struct cg_dir *dir, const char *key, const char *value, const char *at,
		       struct crun_error *err)
{
	bool empty = !value[strspn(value, "\n")];

	do {
		size_t n = strcspn(value, "\n");
		_cleanup_free_ char *line = empty ? str_dup("\n") : strndup(value, n);
		int r;

		if (!line)
			return err_sys(err, -ENOMEM, "value of `%s`", key);
		r = n || empty ? cg_write(dir, key, line, at, err) : 0;
		if (r == -EINVAL && str_eq(key, "misc.max"))
			return err_and(
				err, "the resources that this host has are listed in misc.capacity "
				     "of the root cgroup");
		if (r < 0)
			return r;
		value += n + (value[n] == '\n');
	} while (*value);
	return 0;
}

int cg_v2_unified(const struct cg_dir *dir, const struct oci_linux_resources *res,
		  struct crun_error *err)
{
	for (size_t i = 0; i < res->unified->len; i++) {
		const char *key = res->unified->items[i].key;
		_cleanup_free_ char *at = str_printf("unified/%s", key);
		char why[512];
		int r;

		if (!at)
			return err_sys(err, -ENOMEM, "value of `%s`", key);
		if (cg_has_file(dir, key)) {
			r = write_lines(dir, key, res->unified->items[i].value, at, err);
		} else {
			explain(dir, key, why, sizeof(why));
			r = cg_unsupported(dir, at, why, err);
		}
		if (r < 0)
			return r;
	}
	return 0;
}
