// SPDX-License-Identifier: Apache-2.0
// crun list: all containers of the state root, as a table, as JSON, or their ids.
#include "host/verbs.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/str.h"

#include <errno.h>

static int each_container(const struct libcrun_context *ctx,
			  int (*fn)(const struct state_root *root, const char *id, void *data),
			  void *data, struct crun_error *err)
{
	char root[4096];
	int r = libcrun_state_root(ctx, root, sizeof(root), err);

	return r < 0 ? r : state_each(root, fn, data, err);
}

enum column { COL_ID, COL_PID, COL_STATUS, COL_BUNDLE, COL_CREATED, COL_OWNER, COL_COUNT };

struct row {
	size_t len[COL_COUNT];
	char *cells; /* one after the other, each with its NUL */
};

struct listing {
	enum libcrun_list_format format;
	struct row *rows;
	size_t rows_len, rows_cap;
	struct oci_json json;
	struct buf text;
	struct crun_error *err;
	struct crun_error missing; /* why the first container that should be here is not */
};

static void listing_done(struct listing *list)
{
	for (size_t i = 0; i < list->rows_len; i++)
		free(list->rows[i].cells);
	free(list->rows);
	oci_json_free(&list->json);
	buf_done(&list->text);
}

static int add_row(struct listing *list, const char *const cells[COL_COUNT])
{
	size_t size = 0;
	struct row *row;
	char *to;

	if (list->rows_len == list->rows_cap) {
		size_t cap = list->rows_cap ? list->rows_cap * 2 : 32;
		struct row *rows = reallocarray(list->rows, cap, sizeof(*rows));

		if (!rows)
			return -ENOMEM;
		list->rows = rows;
		list->rows_cap = cap;
	}
	row = &list->rows[list->rows_len];
	for (int col = 0; col < COL_COUNT; col++) {
		row->len[col] = strlen(cells[col]);
		size += row->len[col] + 1;
	}
	row->cells = to = malloc(size);
	if (!to)
		return -ENOMEM;
	for (int col = 0; col < COL_COUNT; col++)
		to = (char *)mempcpy(to, cells[col], row->len[col] + 1);
	list->rows_len++;
	return 0;
}

/* No cell is empty: scripts count columns. */
static const char *cell(const char *text)
{
	return text && text[0] ? text : "-";
}

static int add_state(struct listing *list, const struct oci_state *state)
{
	char pid[16];
	const char *cells[COL_COUNT] = {
		state->id,
		pid,
		oci_state_status_name(state->status),
		cell(state->bundle),
		cell(state->created),
		cell(state->owner),
	};

	if (list->format == LIBCRUN_LIST_JSON)
		return oci_state_write(state, &list->json);
	snprintf(pid, sizeof(pid), "%d", (int)state->pid);
	return add_row(list, cells);
}

static int list_one(const struct state_root *root, const char *id, void *data)
{
	_cleanup_container_ struct container c = CONTAINER_EMPTY;
	struct listing *list = data;
	struct crun_error why;
	struct oci_state state;
	int r;

	/* Also what cannot be read: this is what `delete --force` is fed with. */
	if (list->format == LIBCRUN_LIST_QUIET) {
		buf_puts(&list->text, id);
		buf_puts(&list->text, "\n");
		return 0;
	}
	r = container_peek(root, id, &c, &why);
	if (r < 0) {
		/* Deleted since the directory was read: nothing to tell. */
		if (why.kind != KIND_NOT_FOUND)
			log_warning("%s", why.text);
		/* Not the damaged ones, which never have a state to tell. */
		if ((why.kind == KIND_SYSTEM || why.kind == KIND_PERMISSION) && !list->missing.kind)
			list->missing = why;
		return 0;
	}
	container_state(&c, &state);
	r = add_state(list, &state);
	if (r < 0)
		return err_sys(list->err, r, "list container `%s`", id);
	return 0;
}

static void put_cell(struct buf *text, enum column col, const char *s, size_t len, size_t width)
{
	static const char blanks[] = "                ";

	buf_append(text, s, len);
	if (col == COL_COUNT - 1) {
		buf_append(text, "\n", 1);
		return;
	}
	for (size_t left = width + 2 - len, n; left > 0; left -= n) {
		n = left < sizeof(blanks) - 1 ? left : sizeof(blanks) - 1;
		buf_append(text, blanks, n);
	}
}

static void format_table(struct listing *list)
{
	static const char *const titles[COL_COUNT] = {
		"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER",
	};
	size_t width[COL_COUNT];

	for (int col = 0; col < COL_COUNT; col++) {
		width[col] = strlen(titles[col]);
		for (size_t i = 0; i < list->rows_len; i++) {
			size_t len = list->rows[i].len[col];

			width[col] = len > width[col] ? len : width[col];
		}
	}
	for (int col = 0; col < COL_COUNT; col++)
		put_cell(&list->text, col, titles[col], strlen(titles[col]), width[col]);
	for (size_t i = 0; i < list->rows_len; i++) {
		const struct row *row = &list->rows[i];
		const char *from = row->cells;

		for (int col = 0; col < COL_COUNT; col++) {
			put_cell(&list->text, col, from, row->len[col], width[col]);
			from += row->len[col] + 1;
		}
	}
}

/* Whoever cleans up by the list must learn that it is not all. */
static int write_list(const struct listing *list, FILE *out, const char *text, size_t len,
		      struct crun_error *err)
{
	int r = write_output(out, text, len, "the list", err);

	if (r < 0 || !list->missing.kind)
		return r;
	*err = list->missing;
	return -err->errnum;
}

int libcrun_list(const struct libcrun_context *ctx, enum libcrun_list_format format, FILE *out,
		 struct crun_error *err)
{
	_cleanup_(listing_done) struct listing list = {
		.format = format, .json = {.pretty = true}, .err = err};
	int r;

	if (format == LIBCRUN_LIST_JSON)
		oci_json_begin_array(&list.json);
	r = each_container(ctx, list_one, &list, err);
	if (r < 0)
		return r;
	if (format == LIBCRUN_LIST_JSON) {
		oci_json_end_array(&list.json);
		r = oci_json_finish(&list.json);
		if (r < 0)
			return err_sys(err, r, "list containers");
		return write_list(&list, out, list.json.data, list.json.len, err);
	}
	if (format == LIBCRUN_LIST_TABLE)
		format_table(&list);
	if (list.text.failed)
		return err_sys(err, -ENOMEM, "list containers");
	return write_list(&list, out, list.text.data, list.text.len, err);
}

struct each_id {
	int (*fn)(const char *id, void *data);
	void *data;
};

static int call_with_id(const struct state_root *root, const char *id, void *data)
{
	const struct each_id *each = data;

	(void)root;
	return each->fn(id, each->data);
}

int libcrun_each_id(const struct libcrun_context *ctx, int (*fn)(const char *id, void *data),
		    void *data, struct crun_error *err)
{
	struct each_id each = {.fn = fn, .data = data};

	return each_container(ctx, call_with_id, &each, err);
}
