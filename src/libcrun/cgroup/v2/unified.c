// SPDX-License-Identifier: Apache-2.0
// cgroup v2: linux.resources.unified, files and values as they are.
#include "cgroup/controllers.h"

#include <errno.h>
#include <string.h>

/* One line per write(2): io.max and its like take one device at a time. */
int cg_v2_unified(const struct cg_dir *dir, const struct oci_linux_resources *res,
		  struct crun_error *err)
{
	for (size_t i = 0; i < res->unified->len; i++) {
		const char *key = res->unified->items[i].key;
		const char *value = res->unified->items[i].value;

		do {
			size_t n = strcspn(value, "\n");
			_cleanup_free_ char *line = strndup(value, n);
			int r;

			if (!line)
				return err_sys(err, -ENOMEM, "value of `%s`", key);
			r = cg_write(dir, key, line, NULL, err);
			if (r < 0)
				return err_at_key(err, "/linux/resources/unified", key);
			value += n + (value[n] == '\n');
		} while (*value);
	}
	return 0;
}
