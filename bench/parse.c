// SPDX-License-Identifier: Apache-2.0
// Parses a config.json once, by our parser or by yajl's tree, for callgrind to count the instructions of measured().
#include <libocispec/oci.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_tree.h>

/* The name is what callgrind's --toggle-collect is told. */
int measured(bool ours, const char *text, size_t len);

static int parse_ours(const char *text, size_t len)
{
	struct oci_arena arena = {0};
	struct oci_parse_error why;
	void *config = NULL;
	int r = oci_arena_reserve(&arena, 3 * len + 8192);

	if (r >= 0)
		r = oci_parse(&oci_config_type, "config.json", text, len, &arena, &config, &why);
	oci_arena_free(&arena);
	return r;
}

/* No more than a tree: whoever uses it has yet to look for each member, and to check it. */
static int parse_tree(const char *text)
{
	yajl_val tree = yajl_tree_parse(text, NULL, 0);

	if (!tree)
		return -1;
	yajl_tree_free(tree);
	return 0;
}

__attribute__((noinline)) int measured(bool ours, const char *text, size_t len)
{
	return ours ? parse_ours(text, len) : parse_tree(text);
}

int main(int argc, char **argv)
{
	static char text[1 << 20];
	FILE *file = argc == 3 ? fopen(argv[2], "re") : NULL;
	size_t len;

	if (!file) {
		fputs("usage: parse ours|yajl_tree FILE\n", stderr);
		return 2;
	}
	len = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	return measured(strcmp(argv[1], "ours") == 0, text, len) < 0;
}
