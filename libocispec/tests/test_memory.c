// SPDX-License-Identifier: Apache-2.0
// Lack of memory: whichever allocation fails, the answer is -ENOMEM and nothing leaks or crashes.
// Linked with --wrap=malloc and --wrap=realloc.

#include <libocispec/oci.h>

#include <errno.h>
#include <stdlib.h>

#include "test.h"

void *__real_malloc(size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *old, size_t size);

static long countdown = -1; /* allocations until one fails; negative: none does */

void *__wrap_malloc(size_t size)
{
	return countdown >= 0 && countdown-- == 0 ? NULL : __real_malloc(size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return countdown >= 0 && countdown-- == 0 ? NULL : __real_realloc(old, size);
}

/* Mostly structure, so that it needs several times its size. */
static char *make_document(size_t *ret_len)
{
	char *text = __real_malloc(1 << 17);
	size_t n;
	int i;

	if (!text)
		exit(1);
	n = (size_t)snprintf(text, 64, "{\"ociVersion\":\"1.0.0\",\"annotations\":{");
	for (i = 0; i < 2000; i++)
		n += (size_t)snprintf(text + n, 32, "\"%d\":\"\",", i);
	n += (size_t)snprintf(text + n, 64, "\"\\u0061\":\"%020d\\n\"},\"linux\":{\"namespaces\":[",
			      0);
	for (i = 0; i < 2000; i++)
		n += (size_t)snprintf(text + n, 32, "{\"type\":\"pid\"},");
	n += (size_t)snprintf(text + n, 32, "{\"type\":\"pid\"}]}}");
	*ret_len = n;
	return text;
}

static int once(const char *text, size_t len)
{
	struct oci_arena arena = {0};
	struct oci_config *config = NULL;
	struct oci_parse_error err;
	struct oci_json json = {0};
	unsigned line, column;
	int r;

	r = oci_config_parse(NULL, text, len, &arena, &config, &err);
	if (r == 0)
		r = oci_config_write(config, &json);
	if (r == 0)
		r = oci_json_finish(&json);
	if (r == 0)
		r = oci_locate(text, len, "/linux/namespaces/1999", &line, &column);
	if (r < 0 && !config && strcmp(err.text, "config.json: out of memory") != 0)
		check(false, "wrong sentence: %s", err.text);
	oci_json_free(&json);
	oci_arena_free(&arena);
	return r;
}

int main(void)
{
	size_t len;
	char *text = make_document(&len);
	long n;
	int r = -ENOMEM;

	check(once(text, len) == 0, "with enough memory");
	for (n = 0; n < 1000 && r != 0; n++) {
		countdown = n;
		r = once(text, len);
		if (r != 0 && r != -ENOMEM)
			check(false, "allocation %ld: %d", n, r);
	}
	countdown = -1;
	check(r == 0, "succeeds once no allocation fails");
	check(n > 5, "%ld allocations failed one by one", n - 1);
	free(text);
	return test_end();
}
