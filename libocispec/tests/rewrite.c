// SPDX-License-Identifier: Apache-2.0
// Reads one OCI document and writes it back: rewrite [--pretty] TYPE FILE. For the tests.

#include <libocispec/oci.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *name;
	const struct oci_type *type;
} types[] = {
	{"config", &oci_config_type},	  {"process", &oci_process_type},
	{"features", &oci_features_type}, {"linux_resources", &oci_linux_resources_type},
	{"record", &oci_record_type},	  {"state", &oci_state_type},
};

static const struct oci_type *find_type(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(types[i].name, name) == 0)
			return types[i].type;
	return NULL;
}

int main(int argc, char **argv)
{
	bool pretty = argc > 1 && strcmp(argv[1], "--pretty") == 0;
	const struct oci_type *type = argc == 3 + pretty ? find_type(argv[1 + pretty]) : NULL;
	struct oci_json json = {.pretty = pretty};
	struct oci_arena arena = {0};
	struct oci_parse_error err;
	void *document = NULL;
	int fd, r;

	if (!type) {
		fprintf(stderr, "usage: rewrite [--pretty] TYPE FILE\n");
		return 2;
	}
	fd = open(argv[2 + pretty], O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		perror(argv[2 + pretty]);
		return 2;
	}
	r = oci_parse_fd(type, fd, NULL, &arena, NULL, &document, &err);
	close(fd);
	if (r < 0)
		fprintf(stderr, "%s\n", err.text);
	if (r == 0)
		r = oci_write(type, document, &json);
	if (r == 0)
		r = oci_json_finish(&json);
	if (r == 0 && fwrite(json.data, 1, json.len, stdout) != json.len)
		r = -1;
	oci_json_free(&json);
	oci_arena_free(&arena);
	return r == 0 ? 0 : 1;
}
