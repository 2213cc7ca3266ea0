// SPDX-License-Identifier: Apache-2.0
// Fuzz target: any bytes as any OCI document. What is accepted must come back the same from the
// writer; what is refused must have one printable sentence and a place inside the text.

#include "fuzz.h"

#include <libocispec/oci.h>

#include <errno.h>

static const struct oci_type *const types[] = {
	&oci_config_type,   &oci_process_type, &oci_linux_resources_type,
	&oci_features_type, &oci_state_type,   &oci_record_type,
};

static void check_error(const char *text, size_t size, const struct oci_parse_error *err)
{
	unsigned line, column;
	const char *p;

	REQUIRE(err->errnum == EINVAL || err->errnum == EFBIG);
	REQUIRE(strncmp(err->text, "f:", 2) == 0);
	REQUIRE(memchr(err->text, '\0', sizeof(err->text)));
	REQUIRE(memchr(err->pointer, '\0', sizeof(err->pointer)));
	for (p = err->text; *p; p++)
		REQUIRE((unsigned char)*p >= 0x20 && *p != 0x7f);
	if (err->line) {
		REQUIRE(err->column >= 1 && err->line <= size + 1 && err->column <= size + 1);
		(void)!oci_locate(text, size, err->pointer, &line, &column);
	}
}

static void write_text(const struct oci_type *type, const void *document, bool pretty,
		       struct oci_json *json)
{
	*json = (struct oci_json){.pretty = pretty};
	REQUIRE(oci_write(type, document, json) == 0);
	REQUIRE(oci_json_finish(json) == 0);
}

/* parse -> write -> parse -> write gives the same text. */
static void check_round_trip(const struct oci_type *type, const void *document)
{
	struct oci_arena arena = {0};
	struct oci_json first, pretty, second;
	struct oci_parse_error err;
	void *again = NULL;

	write_text(type, document, false, &first);
	write_text(type, document, true, &pretty);
	REQUIRE(oci_parse(type, "f", pretty.data, pretty.len, &arena, &again, &err) == 0);
	write_text(type, again, false, &second);
	REQUIRE(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
	oci_json_free(&first);
	oci_json_free(&pretty);
	oci_json_free(&second);
	oci_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct oci_parse_error err;
	void *document;
	char *text;
	size_t i;

	/* An exact allocation, so that the sanitizer sees a read behind the end. */
	text = malloc(size ? size : 1);
	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct oci_arena arena = {0};

		document = NULL;
		if (oci_parse(types[i], "f", text, size, &arena, &document, &err) == 0)
			check_round_trip(types[i], document);
		else
			check_error(text, size, &err);
		oci_arena_free(&arena);
	}
	free(text);
	return 0;
}
