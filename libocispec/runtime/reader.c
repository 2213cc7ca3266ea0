// SPDX-License-Identifier: Apache-2.0
// Reader: yajl's events become generated structs in one pass; no tree, and the place of every
// value is known from a stack of frames.

#include <libocispec/runtime/reader.h>
#include <libocispec/runtime/value.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Items that the first piece of an array has room for. */
#define FIRST_ITEMS 4
/* Up to this many keys of a map are compared pairwise. */
#define FEW_KEYS 16

/* Where a value goes. */
struct target {
	const struct oci_field *field;
	char *dest;
	bool item;
};

/* A new zeroed item at the end of an array or map, with one more behind it for the NULL that ends
 * arrays of strings; NULL when out of memory. */
static char *add_item(struct reader *r, struct frame *f)
{
	size_t size = f->field->item_size;
	size_t cap;
	char *items;

	if (f->len + 1 >= f->cap) {
		cap = f->cap ? f->cap * 2 : FIRST_ITEMS;
		items = oci_arena_alloc(r->arena, cap * size);
		if (!items) {
			oci_fail_memory(r);
			return NULL;
		}
		if (f->len)
			memcpy(items, f->items, f->len * size);
		f->items = items;
		f->cap = cap;
	}
	return f->items + f->len++ * size;
}

/* Finds where the value of the current event goes; found names the kind of value for the error.
 * Returns 0 to stop. */
static int find_target(struct reader *r, struct target *t, const char *found)
{
	struct frame *f;

	if (r->depth == 0)
		return oci_fail_type(r, NULL, false, found);
	f = top(r);
	t->field = f->field;
	t->item = f->shape != OCI_ONE;
	if (f->shape == OCI_ONE) {
		t->dest = f->base + f->field->offset;
		f->present |= UINT64_C(1) << (f->field - f->type->fields);
	} else if (f->shape == OCI_ARRAY) {
		t->dest = add_item(r, f);
	} else {
		t->dest = f->items + (f->len - 1) * f->field->item_size + sizeof(char *);
	}
	return t->dest != NULL;
}

/* Whether the current value belongs to an unknown field. */
static bool is_skipped(struct reader *r)
{
	return r->skipped || (r->depth && top(r)->shape == OCI_ONE && !top(r)->field);
}

static bool is_scalar(const struct target *t)
{
	return t->item || t->field->shape == OCI_ONE;
}

/* For numbers and bools, the kinds that have a flag. */
static void set_flag(struct reader *r, const struct target *t)
{
	if (!t->item)
		*(bool *)(top(r)->base + t->field->aux) = true;
}

static int on_null(void *ctx)
{
	struct reader *r = ctx;
	struct target t;

	/* Engines written in Go give null for an empty slice, map or pointer. */
	if (is_skipped(r) || (r->depth && top(r)->shape == OCI_ONE))
		return 1;
	if (!find_target(r, &t, "null"))
		return 0;
	return oci_fail_type(r, t.field, t.item, "null");
}

static int on_boolean(void *ctx, int value)
{
	const char *found = value ? "true" : "false";
	struct reader *r = ctx;
	struct target t;

	if (is_skipped(r))
		return 1;
	if (!find_target(r, &t, found))
		return 0;
	if (!is_scalar(&t) || t.field->kind != OCI_BOOL)
		return oci_fail_type(r, t.field, t.item, found);
	*(bool *)t.dest = value;
	set_flag(r, &t);
	return 1;
}

static int on_number(void *ctx, const char *digits, size_t len)
{
	char sentence[OCI_SENTENCE];
	char found[64];
	struct reader *r = ctx;
	struct target t;

	if (is_skipped(r))
		return 1;
	if (r->depth == 0 || !find_target(r, &t, "a number") || !is_scalar(&t) ||
	    t.field->kind < OCI_UINT16 || t.field->kind > OCI_UINT64) {
		if (r->failed)
			return 0;
		snprintf(found, sizeof(found), "a number (%.*s%s)", (int)(len > 40 ? 40 : len),
			 digits, len > 40 ? "…" : "");
		return oci_fail_type(r, r->depth ? t.field : NULL, r->depth && t.item, found);
	}
	if (oci_store_number(t.field, t.dest, digits, len, sentence) < 0)
		return oci_fail_at(r, oci_event_start(r), false, "%s", sentence);
	set_flag(r, &t);
	return 1;
}

static int on_string(void *ctx, const unsigned char *value, size_t len)
{
	char sentence[OCI_SENTENCE], quoted[64], found[96];
	const char *text = (const char *)value;
	struct reader *r = ctx;
	struct target t;
	int ret;

	if (is_skipped(r))
		return 1;
	if (r->depth == 0 || !find_target(r, &t, "a string") || !is_scalar(&t) ||
	    (t.field->kind != OCI_STRING && t.field->kind != OCI_ENUM)) {
		if (r->failed)
			return 0;
		snprintf(found, sizeof(found), "a string (%s)",
			 oci_error_quote(text, len, quoted, sizeof(quoted)));
		return oci_fail_type(r, r->depth ? t.field : NULL, r->depth && t.item, found);
	}
	ret = oci_store_string(t.field, t.dest, text, len, r->arena, sentence);
	if (ret == -ENOMEM)
		return oci_fail_memory(r);
	if (ret < 0)
		return oci_fail_at(r, oci_event_start(r), false, "%s", sentence);
	return 1;
}

static int check_nesting(struct reader *r)
{
	if (r->depth + r->skipped < OCI_MAX_NESTING)
		return 1;
	return oci_fail_at(r, oci_event_start(r), false, "nested deeper than %d levels",
			   OCI_MAX_NESTING);
}

static struct frame *push(struct reader *r, enum oci_shape shape)
{
	struct frame *f = &r->frames[r->depth++];

	memset(f, 0, sizeof(*f));
	f->shape = shape;
	f->start = yajl_get_bytes_consumed(r->yajl);
	return f;
}

/* An array or map that belongs to a member of the innermost object. */
static int push_many(struct reader *r, const struct target *t)
{
	char *holder = top(r)->base;
	struct frame *f = push(r, t->field->shape);

	f->field = t->field;
	f->base = holder;
	return 1;
}

static int push_object(struct reader *r, const struct oci_type *type, char *base)
{
	struct frame *f = push(r, OCI_ONE);

	f->type = type;
	f->base = base;
	return 1;
}

static int on_start_map(void *ctx)
{
	struct reader *r = ctx;
	struct target t;
	void *object;

	if (!check_nesting(r))
		return 0;
	if (is_skipped(r)) {
		r->skipped++;
		return 1;
	}
	if (r->depth == 0) {
		r->result = oci_arena_alloc(r->arena, r->root->size);
		return r->result ? push_object(r, r->root, r->result) : oci_fail_memory(r);
	}
	if (!find_target(r, &t, "an object"))
		return 0;
	if (!t.item && t.field->shape == OCI_MAP)
		return push_many(r, &t);
	if (!is_scalar(&t) || t.field->kind != OCI_OBJECT)
		return oci_fail_type(r, t.field, t.item, "an object");
	if (t.item)
		return push_object(r, t.field->type, t.dest);
	object = oci_arena_alloc(r->arena, t.field->type->size);
	if (!object)
		return oci_fail_memory(r);
	memcpy(t.dest, &object, sizeof(object));
	return push_object(r, t.field->type, object);
}

static int on_start_array(void *ctx)
{
	struct reader *r = ctx;
	struct target t;

	if (!check_nesting(r))
		return 0;
	if (is_skipped(r)) {
		r->skipped++;
		return 1;
	}
	if (!find_target(r, &t, "an array"))
		return 0;
	if (t.item || t.field->shape != OCI_ARRAY)
		return oci_fail_type(r, t.field, t.item, "an array");
	return push_many(r, &t);
}

static void note_unknown(struct reader *r)
{
	char pointer[sizeof(r->err->pointer)];

	oci_render_pointer(r, false, pointer, sizeof(pointer));
	r->note(r->note_data, pointer);
}

static int on_map_key(void *ctx, const unsigned char *key, size_t len)
{
	const char *text = (const char *)key;
	struct reader *r = ctx;
	struct frame *f;
	char *item, *copy;
	int index;

	if (r->skipped)
		return 1;
	f = top(r);
	if (f->shape == OCI_MAP) {
		copy = oci_arena_strndup(r->arena, text, len);
		item = copy ? add_item(r, f) : NULL;
		if (!item)
			return oci_fail_memory(r);
		memcpy(item, &copy, sizeof(copy));
		if (strlen(copy) != len)
			return oci_fail_at(r, oci_event_start(r), false,
					   "expected a key without \\u0000");
		return 1;
	}
	index = f->type->lookup(text, len);
	if (index < 0) {
		f->field = NULL;
		/* A key with escapes is in yajl's buffer and will be overwritten. */
		r->unknown = text >= r->place.data && text < r->place.data + r->size ? text : NULL;
		r->unknown_len = len;
		if (r->note)
			note_unknown(r);
		return 1;
	}
	f->field = &f->type->fields[index];
	if (f->seen & (UINT64_C(1) << index))
		return oci_fail_at(r, oci_event_start(r), false, "the key \"%s\" is given twice",
				   f->field->key);
	f->seen |= UINT64_C(1) << index;
	return 1;
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A key that a map has twice, or NULL. Pairwise for few keys; else sorted, since a map of a 16 MiB
 * document could have a million. */
static const char *find_twin(struct reader *r, const struct frame *f)
{
	size_t size = f->field->item_size, i, j;
	const char **keys;

	keys = oci_arena_alloc(r->arena, f->len * sizeof(*keys) + 1);
	if (!keys) {
		oci_fail_memory(r);
		return NULL;
	}
	for (i = 0; i < f->len; i++)
		memcpy(&keys[i], f->items + i * size, sizeof(*keys));
	if (f->len <= FEW_KEYS) {
		for (i = 1; i < f->len; i++)
			for (j = 0; j < i; j++)
				if (strcmp(keys[i], keys[j]) == 0)
					return keys[i];
		return NULL;
	}
	qsort(keys, f->len, sizeof(*keys), compare_keys);
	for (i = 1; i < f->len; i++)
		if (strcmp(keys[i - 1], keys[i]) == 0)
			return keys[i];
	return NULL;
}

static int fail_twin(struct reader *r, struct frame *f, const char *key)
{
	char pointer[sizeof(r->err->pointer)], quoted[64];
	size_t offset = f->start;

	/* The frame's last key names the value; make it the twin, and find its place again. */
	memcpy(f->items + (f->len - 1) * f->field->item_size, &key, sizeof(key));
	oci_render_pointer(r, false, pointer, sizeof(pointer));
	(void)oci_locate_offset(r->place.data, r->size, pointer, true, &offset);
	return oci_fail_at(r, offset, false, "the key %s is given twice",
			   oci_error_quote(key, strlen(key), quoted, sizeof(quoted)));
}

static int close_many(struct reader *r, struct frame *f)
{
	struct oci_any_map *map;
	const char *twin;

	/* Present but empty is not the same as absent. */
	if (!f->items)
		f->items = oci_arena_alloc(r->arena, f->field->item_size);
	if (!f->items)
		return oci_fail_memory(r);
	if (f->shape == OCI_ARRAY) {
		memcpy(f->base + f->field->offset, &f->items, sizeof(f->items));
		memcpy(f->base + f->field->aux, &f->len, sizeof(f->len));
		return 1;
	}
	twin = find_twin(r, f);
	if (r->failed)
		return 0;
	if (twin)
		return fail_twin(r, f, twin);
	map = oci_arena_alloc(r->arena, sizeof(*map));
	if (!map)
		return oci_fail_memory(r);
	map->items = f->items;
	map->len = f->len;
	memcpy(f->base + f->field->offset, &map, sizeof(map));
	return 1;
}

static int on_end(void *ctx)
{
	struct reader *r = ctx;
	struct frame *f;
	uint64_t missing;

	if (r->skipped) {
		r->skipped--;
		return 1;
	}
	f = top(r);
	if (f->shape != OCI_ONE && !close_many(r, f))
		return 0;
	missing = f->shape == OCI_ONE ? f->type->required & ~f->present : 0;
	if (missing)
		return oci_fail_at(r, f->start - 1, true, "the required field \"%s\" is missing",
				   f->type->fields[__builtin_ctzll(missing)].key);
	r->depth--;
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

static int run(struct reader *r)
{
	yajl_alloc_funcs functions = oci_memory_functions(&r->memory);
	yajl_status status;

	if (setjmp(r->memory.failed)) {
		oci_fail_memory(r);
		return -ENOMEM;
	}
	r->yajl = yajl_alloc(&callbacks, &functions, r);
	/* The whole text was checked, and more strictly. */
	yajl_config(r->yajl, yajl_dont_validate_strings, 1);
	status = yajl_parse(r->yajl, (const unsigned char *)r->place.data, r->size);
	if (status != yajl_status_ok && !r->failed)
		oci_fail_syntax(r);
	/* The end was not reached by what the grammar allows. */
	if (status == yajl_status_ok && yajl_complete_parse(r->yajl) != yajl_status_ok &&
	    !r->failed)
		oci_fail_at(r, r->size, false, "the document ends before it is complete");
	return r->failed ? -r->err->errnum : 0;
}

static int check_text(struct reader *r)
{
	size_t bad;

	if (r->size > OCI_MAX_TEXT)
		return oci_error_set(r->err, EFBIG, &r->place, "the document is larger than %u MiB",
				     OCI_MAX_TEXT >> 20);
	if (r->size == 0)
		return oci_error_set(r->err, EINVAL, &r->place, "the document is empty");
	r->place.at_text = true;
	if (r->size >= 3 && memcmp(r->place.data, "\xef\xbb\xbf", 3) == 0)
		return oci_error_set(r->err, EINVAL, &r->place,
				     "the document begins with a byte order mark");
	bad = oci_utf8_check(r->place.data, r->size);
	if (bad == r->size)
		return 0;
	r->place.offset = bad;
	return oci_error_set(r->err, EINVAL, &r->place, "invalid UTF-8 (byte 0x%02x)",
			     (unsigned char)r->place.data[bad]);
}

static int parse(const struct oci_type *type, const char *name, const char *data, size_t len,
		 struct oci_arena *arena, oci_unknown_fn note, void *note_data, void **ret,
		 struct oci_parse_error *err)
{
	struct reader r;
	int result;

	r.note = note;
	r.note_data = note_data;
	r.root = type;
	r.arena = r.memory.arena = arena;
	r.err = err;
	r.place = (struct oci_place){.name = name ? name : type->file, .data = data};
	r.size = len;
	r.result = NULL;
	r.unknown = NULL;
	r.unknown_len = 0;
	r.depth = r.skipped = 0;
	r.failed = false;

	result = check_text(&r);
	if (result < 0)
		return result;
	/* Structs and strings of real documents need about twice their text. */
	if (oci_arena_reserve(arena, 2 * len + 8192) < 0) {
		oci_fail_memory(&r);
		return -ENOMEM;
	}
	result = run(&r);
	if (result == 0)
		*ret = r.result;
	return result;
}

int oci_parse(const struct oci_type *type, const char *name, const char *data, size_t len,
	      struct oci_arena *arena, void **ret, struct oci_parse_error *err)
{
	return parse(type, name, data, len, arena, NULL, NULL, ret, err);
}

int oci_each_unknown(const struct oci_type *type, const char *data, size_t len, oci_unknown_fn fn,
		     void *fn_data)
{
	struct oci_parse_error why;
	struct oci_arena arena = {NULL, NULL, NULL};
	void *document;
	int r = parse(type, NULL, data, len, &arena, fn, fn_data, &document, &why);

	oci_arena_free(&arena);
	return r;
}
