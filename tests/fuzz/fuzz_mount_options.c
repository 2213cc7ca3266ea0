// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the options of a mount. The first line is its type, the second its destination, each other one an option.

#include "fuzz.h"

#include "base/buf.h"
#include "base/str.h"
#include "fs/label.h"
#include "init/outside/mount.h"
#include "plan/plan.h"
#include "spec/mount_options.h"
#include "sys/kernel.h"

#define OPTIONS_MAX 64

static const struct host_facts facts = {
	.privileged = true, .selinux = true, .last_cap = 40, .cgroup_layout = CGROUP_V2};
static const struct plan_options options = {.id = "box", .bundle = "/bundle"};

static const char config_text[] =
	"{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":\"rootfs\"},\"process\":{\"cwd\":\"/\",\"args\":[\"sh\"]},"
	"\"linux\":{\"mountLabel\":\"u:r:t:s0\",\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"user\"}],"
	"\"uidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":1000}],"
	"\"gidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":1000}]}}";

static bool has_option(const struct oci_mount *m, const char *word)
{
	for (size_t i = 0; i < m->options_len; i++) {
		if (str_eq(m->options[i], word))
			return true;
	}
	return false;
}

static void check(const struct oci_mount *m, const struct mount_op *op)
{
	struct mount_change change;
	struct crun_error err;
	struct buf data = {0};
	char word[64];

	/* The last of two opposites counts; without the other, what confines is never lost. */
	if (has_option(m, "nosuid") && !has_option(m, "suid"))
		REQUIRE(op->attr_set & MOUNT_ATTR_NOSUID);
	if (has_option(m, "ro") && !has_option(m, "rw"))
		REQUIRE(op->attr_set & MOUNT_ATTR_RDONLY);
	mount_op_change(op, &change);
	/* Two modes of access times at once are refused by the kernel. */
	REQUIRE((change.set & MOUNT_ATTR__ATIME) != MOUNT_ATTR__ATIME);
	REQUIRE(mount_join_parameters(op, NULL, NULL, &data, &err) == 0);
	for (size_t i = 0; i < op->parameters_len; i++) {
		const struct mount_parameter *p = &op->parameters[i];

		REQUIRE(p->key && !strchr(p->key, '='));
		if (p->value)
			REQUIRE(label_unquote(p->value, word, sizeof(word)));
	}
	buf_done(&data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size), *rest = text;
	struct oci_arena arena = {0};
	struct oci_parse_error why;
	struct oci_config *config;
	struct launch_plan *plan;
	const char *words[OPTIONS_MAX];
	struct crun_error err;
	struct oci_mount m = {.options = words};
	int r;

	m.type = fuzz_line(&rest);
	m.destination = fuzz_line(&rest);
	m.source = "/source";
	while (rest && m.options_len < OPTIONS_MAX)
		words[m.options_len++] = fuzz_line(&rest);
	REQUIRE(oci_config_parse(NULL, config_text, sizeof(config_text) - 1, &arena, &config,
				 &why) == 0);
	config->mounts = &m;
	config->mounts_len = 1;
	r = plan_build(config, &facts, &options, &arena, &plan, &err);
	if (r < 0)
		fuzz_check_error(r, &err);
	else
		for (size_t i = 0; i < plan->mounts_len; i++)
			check(&m, &plan->mounts[i]);
	oci_arena_free(&arena);
	free(text);
	return 0;
}
