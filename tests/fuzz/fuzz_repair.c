// SPDX-License-Identifier: Apache-2.0
// Fuzz target: what `validate` does with a faulty configuration: take out the faulty value, check again, until nothing is found any more. That
// ends, and what a pointer into the changed text leads back to is one into the original.

#include "fuzz.h"
#include "json_mutator.h"

#include "host/checks.h"
#include "host/config_text.h"

#include <errno.h>
#include <stdio.h>

/* Each step takes something away, or uses one of a few defaults. */
#define STEPS_MAX 512

const struct oci_type *const fuzz_document_type = &oci_config_type;

static const struct host_facts facts = {
	.privileged = true, .last_cap = 40, .cgroup_layout = CGROUP_V2};
static const struct plan_options options = {.id = "validate", .bundle = "/bundle", .gate = true};

/* The pointer to what is to be repaired, or "" when all is well or nothing can be. */
static void find_fault(const struct config_text *t, char *pointer, size_t size)
{
	struct oci_arena arena = {0};
	struct oci_config *config;
	struct oci_parse_error why;
	struct crun_error err = {0};
	struct launch_plan *plan;
	unsigned line, column;

	pointer[0] = '\0';
	if (oci_config_parse("f", t->text.data, t->text.len, &arena, &config, &why) < 0) {
		/* As host/validate.c has it: only a text that is JSON can be repaired. */
		if (config_text_is_whole(t) &&
		    oci_locate(t->text.data, t->text.len, "/~2", &line, &column) == -ENOENT)
			snprintf(pointer, size, "%s", why.pointer[0] ? why.pointer : "/ociVersion");
	} else if (config_check(config, &facts, &options, &arena, &plan, &err) < 0) {
		snprintf(pointer, size, "%s", err.at);
	}
	oci_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char pointer[CONFIG_TEXT_POINTER], original[CONFIG_TEXT_POINTER];
	struct config_text text;
	unsigned steps = 0;

	/* As the file is read: it ends at the first zero byte for everybody who looks at it as a string. */
	if (size > 8192 || memchr(data, '\0', size))
		return 0;
	REQUIRE(config_text_init(&text, (const char *)data, size) == 0);
	for (;;) {
		find_fault(&text, pointer, sizeof(pointer));
		if (!pointer[0])
			break;
		memset(original, 'x', sizeof(original));
		config_text_original(&text, pointer, original);
		REQUIRE(memchr(original, '\0', sizeof(original)));
		if (!config_text_repair(&text, pointer))
			break;
		REQUIRE(text.text.data && strlen(text.text.data) == text.text.len);
		REQUIRE(++steps < STEPS_MAX);
	}
	config_text_done(&text);
	return 0;
}
