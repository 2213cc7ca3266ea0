// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the texts of org.systemd.property annotations, and what linux.cgroupsPath says with the systemd driver. The first line is
// the name, the rest the value.

#include "fuzz.h"

#include "base/str.h"
#include "cgroup/systemd.h"
#include "cgroup/systemd_value.h"

#include <errno.h>

static void check_property(const struct cg_prop *p)
{
	size_t strings = p->type == 's' ? 1 : p->type == 'S' ? p->len : 0;

	REQUIRE(memchr(p->name, '\0', sizeof(p->name)) && p->name[0]);
	REQUIRE(p->configured && p->type && strchr("bynqiuxtdsS", p->type));
	for (size_t i = 0; i < strings; i++)
		REQUIRE(strlen(p->strings[i]) < 1U << 20);
	/* What goes over the bus fits into its type. */
	REQUIRE(p->type != 'b' || p->number <= 1);
	REQUIRE(p->type != 'y' || p->number <= UINT8_MAX);
	REQUIRE(p->type != 'q' || p->number <= UINT16_MAX);
	REQUIRE(p->type != 'u' || p->number <= UINT32_MAX);
	REQUIRE(p->type != 'n' || (int64_t)p->number == (int16_t)p->number);
	REQUIRE(p->type != 'i' || (int64_t)p->number == (int32_t)p->number);
}

static void check_names(const char *path, const char *id)
{
	char *slice = NULL, *scope = NULL, *where;
	struct crun_error err;
	size_t depth, n = 0;
	int r = cg_unit_names(path, id, &slice, &scope, &err);

	if (r < 0) {
		fuzz_check_error(r, &err);
	} else {
		REQUIRE(strlen(scope) <= CG_UNIT_NAME_MAX && !strchr(scope, '/'));
		REQUIRE(str_eq(scope + strlen(scope) - strlen(".scope"), ".scope"));
		REQUIRE(!slice || cg_slice_is_valid(slice));
		where = cg_unit_path("/root", slice ? slice : "system.slice", scope, &depth);
		REQUIRE(where && !strstr(where, "/../") && !strstr(where, "//"));
		for (const char *p = where; *p; p++)
			n += *p == '/';
		REQUIRE(n == depth);
		free(where);
	}
	free(slice);
	free(scope);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size), *rest = text;
	const char *name = fuzz_line(&rest), *reason = NULL;
	struct cg_props props = {0};
	int r;

	rest = rest ? rest : text + size;
	r = cg_prop_parse(&props, name, rest, &reason);
	REQUIRE(r == 0 || (r == -EINVAL && reason));
	if (r == 0)
		check_property(&props.items[0]);
	/* The same name again takes the place of the first. */
	REQUIRE(cg_prop_parse(&props, name, rest, &reason) == r);
	REQUIRE(props.len <= 1);
	cg_props_done(&props);
	check_names(rest, "box");
	check_names(name, "a.b+c_d-e");
	free(text);
	return 0;
}
