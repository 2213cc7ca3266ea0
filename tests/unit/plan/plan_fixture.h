/* SPDX-License-Identifier: Apache-2.0 */
/* Plans from configurations that are written in the test, with ' for ". */
#pragma once

#include "plan/plan.h"

#include "base/buf.h"

#include "../test.h"

#include <stdbool.h>

static struct oci_arena arena;
static struct launch_plan *plan;
static struct crun_error err;

static const struct host_facts root_facts = {
	.privileged = true,
	.last_cap = 40,
	.cgroup_layout = CGROUP_V2,
};
static const struct host_facts user_facts = {
	.euid = 1000,
	.egid = 1000,
	.last_cap = 40,
	.cgroup_layout = CGROUP_V2,
};

/* The parts of a configuration; NULL takes the default. The texts are the inside of the objects. */
struct parts {
	const char *process, *linux_, *root;
	const char *more; /* further members of the document, each with a comma in front */
};

#define DEFAULT_PROCESS "'cwd':'/','args':['sh']"
#define DEFAULT_LINUX	"'namespaces':[{'type':'mount'},{'type':'pid'}]"
#define DEFAULT_ROOT	"'path':'rootfs'"

/* Builds into `plan` or `err`; the result of plan_build, or 1 when the text is no configuration. */
static int build_with(const struct parts *p, const struct host_facts *facts,
		      const struct plan_options *opts)
{
	_cleanup_buf_ struct buf text = {0};
	struct oci_parse_error parse;
	struct oci_config *config;

	oci_arena_free(&arena);
	memset(&err, 0, sizeof(err));
	plan = NULL;
	buf_printf(&text, "{'ociVersion':'1.2.0','process':{%s},'root':{%s},'linux':{%s}%s}",
		   p->process ? p->process : DEFAULT_PROCESS, p->root ? p->root : DEFAULT_ROOT,
		   p->linux_ ? p->linux_ : DEFAULT_LINUX, p->more ? p->more : "");
	for (char *c = text.data; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	if (oci_config_parse(NULL, text.data, text.len, &arena, &config, &parse) < 0) {
		printf("# %s\n", parse.text);
		return 1;
	}
	return plan_build(config, facts, opts, &arena, &plan, &err);
}

static int build(const struct parts *p, const struct host_facts *facts)
{
	const struct plan_options opts = {
		.id = "box",
		.bundle = "/bundle",
		.gate = true,
		.detach = true,
	};

	return build_with(p, facts, &opts);
}

/* CHECKs that the parts make a plan. */
#define PLAN(...)                                                               \
	do {                                                                    \
		if (build(&(struct parts){__VA_ARGS__}, &root_facts) != 0)      \
			TEST_FAIL("not planned: %s (at %s)", err.text, err.at); \
	} while (0)
