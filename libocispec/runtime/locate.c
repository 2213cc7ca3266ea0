// SPDX-License-Identifier: Apache-2.0
// Finding the place of a JSON pointer in a document, for errors that come after parsing.

#include <libocispec/runtime/memory.h>
#include <libocispec/runtime/model.h>

#include <errno.h>
#include <string.h>

#include <yajl/yajl_parse.h>

struct level {
	bool is_array;
	bool matches; /* the current key or index is the pointer's */
	size_t next;  /* array: index of the next item */
};

struct search {
	const char *data;
	const char *parts[OCI_MAX_NESTING]; /* of the pointer, after each '/' */
	unsigned count;
	unsigned depth;
	unsigned matched; /* leading levels that match */
	bool at_key, found;
	size_t offset;
	yajl_handle yajl;
	struct level levels[OCI_MAX_NESTING + 1];
};

static size_t token(const struct search *s)
{
	return oci_token_start(s->data, yajl_get_bytes_consumed(s->yajl));
}

static bool same_key(const char *part, const char *key, size_t len)
{
	size_t i;
	char c;

	for (i = 0; i < len; i++) {
		c = *part;
		if (c == '\0' || c == '/')
			return false;
		if (c == '~') {
			part++;
			c = *part == '0' ? '~' : '/';
			if (*part != '0' && *part != '1')
				return false;
		}
		if (c != key[i])
			return false;
		part++;
	}
	return *part == '\0' || *part == '/';
}

static bool same_index(const char *part, size_t index)
{
	size_t value = 0;

	if (*part < '0' || *part > '9' || (*part == '0' && part[1] >= '0' && part[1] <= '9'))
		return false;
	for (; *part >= '0' && *part <= '9'; part++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (size_t)(*part - '0'), &value))
			return false;
	return (*part == '\0' || *part == '/') && value == index;
}

static void set_match(struct search *s, bool matches)
{
	unsigned level = s->depth - 1;

	/* What lies below a level that does not match cannot match. */
	if (s->matched >= level && level < s->count)
		s->matched = matches ? level + 1 : level;
}

/* Every value passes here before it is entered. */
static void on_value(struct search *s)
{
	struct level *l = s->depth ? &s->levels[s->depth - 1] : NULL;

	if (l && l->is_array) {
		set_match(s, s->depth <= s->count && s->matched >= s->depth - 1 &&
				     same_index(s->parts[s->depth - 1], l->next));
		l->next++;
	}
	if (s->depth == s->count && s->matched == s->count && !s->at_key) {
		s->found = true;
		s->offset = token(s);
	}
}

static int on_null(void *ctx)
{
	on_value(ctx);
	return 1;
}

static int on_boolean(void *ctx, int value)
{
	(void)value;
	on_value(ctx);
	return 1;
}

static int on_number(void *ctx, const char *digits, size_t len)
{
	(void)digits;
	(void)len;
	on_value(ctx);
	return 1;
}

static int on_string(void *ctx, const unsigned char *value, size_t len)
{
	(void)value;
	(void)len;
	on_value(ctx);
	return 1;
}

static int enter(struct search *s, bool is_array)
{
	on_value(s);
	if (s->depth > OCI_MAX_NESTING)
		return 0;
	s->levels[s->depth++] = (struct level){.is_array = is_array};
	return 1;
}

static int on_start_map(void *ctx)
{
	return enter(ctx, false);
}

static int on_start_array(void *ctx)
{
	return enter(ctx, true);
}

static int on_map_key(void *ctx, const unsigned char *key, size_t len)
{
	struct search *s = ctx;

	set_match(s, s->depth <= s->count && s->matched >= s->depth - 1 &&
			     same_key(s->parts[s->depth - 1], (const char *)key, len));
	if (s->at_key && s->depth == s->count && s->matched == s->count) {
		s->found = true;
		s->offset = token(s);
	}
	return 1;
}

static int on_end(void *ctx)
{
	struct search *s = ctx;

	s->depth--;
	if (s->matched > s->depth)
		s->matched = s->depth;
	return 1;
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_boolean,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_start_map,
	.yajl_map_key = on_map_key,
	.yajl_end_map = on_end,
	.yajl_start_array = on_start_array,
	.yajl_end_array = on_end,
};

static int split(struct search *s, const char *pointer)
{
	if (*pointer != '\0' && *pointer != '/')
		return -ENOENT;
	for (; pointer; pointer = strchr(pointer, '/')) {
		if (*pointer == '\0')
			break;
		pointer++;
		if (s->count == OCI_MAX_NESTING)
			return -ENOENT;
		s->parts[s->count++] = pointer;
	}
	return 0;
}

static int run(struct search *s, struct oci_memory *memory, size_t len)
{
	yajl_alloc_funcs functions = oci_memory_functions(memory);
	yajl_status status;

	if (setjmp(memory->failed))
		return -ENOMEM;
	s->yajl = yajl_alloc(&callbacks, &functions, s);
	status = yajl_parse(s->yajl, (const unsigned char *)s->data, len);
	/* A document that breaks off later has its beginning, and that is enough. */
	if (s->found)
		return 0;
	return status == yajl_status_ok ? -ENOENT : -EINVAL;
}

int oci_locate_offset(const char *data, size_t len, const char *pointer, bool at_key,
		      size_t *ret_offset)
{
	struct search s = {.data = data, .at_key = at_key};
	struct oci_arena arena = {0};
	struct oci_memory memory = {.arena = &arena};
	int r;

	r = split(&s, pointer);
	if (r == 0)
		r = run(&s, &memory, len);
	oci_arena_free(&arena);
	if (r == 0)
		*ret_offset = s.offset;
	return r;
}

int oci_locate(const char *data, size_t len, const char *pointer, unsigned *ret_line,
	       unsigned *ret_column)
{
	size_t offset = 0;
	int r;

	*ret_line = *ret_column = 0;
	r = oci_locate_offset(data, len, pointer, false, &offset);
	if (r < 0)
		return r;
	oci_line_column(data, offset, ret_line, ret_column);
	return 0;
}
