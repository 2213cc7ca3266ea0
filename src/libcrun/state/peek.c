// SPDX-License-Identifier: Apache-2.0
// What listings want to know of a record, of which there may be thousands: see state_read_text().
#include "state/store.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "state/internal.h"
#include "sys/io.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* A longer record is one with long annotations: as slow as any. */
#define TEXT_MAX 8192

/* Moves *AT behind WANTED if that is what comes. */
static bool skip(char **at, const char *wanted)
{
	size_t len = strlen(wanted);

	if (strncmp(*at, wanted, len) != 0)
		return false;
	*at += len;
	return true;
}

/* The string at *AT, if its bytes are its characters: without escapes, and ASCII, whose correctness needs no look. */
static const char *take_string(char **at)
{
	char *begin = *at, *p = begin;

	while (*p >= ' ' && *p <= '~' && *p != '"' && *p != '\\')
		p++;
	if (*p != '"')
		return NULL;
	*p = '\0';
	*at = p + 1;
	return begin;
}

static bool take_number(char **at, uint64_t max, uint64_t *ret)
{
	char *end = *at + strspn(*at, "0123456789"), after = *end;
	int r;

	*end = '\0';
	r = str_to_u64(*at, max, ret);
	*end = after;
	*at = end;
	return r == 0;
}

/* The members that listings show, in the order in which state_write_record() has them. */
static const struct {
	const char *before;
	size_t offset;
} strings[] = {
	{"{\"version\":1,\"id\":\"", offsetof(struct oci_record, id)},
	{",\"bundle\":\"", offsetof(struct oci_record, bundle)},
	{",\"rootfs\":\"", offsetof(struct oci_record, rootfs)},
	{",\"ociVersion\":\"", offsetof(struct oci_record, oci_version)},
	{",\"created\":\"", offsetof(struct oci_record, created)},
	{",\"owner\":\"", offsetof(struct oci_record, owner)},
};

/*
 * Whether the only brace in TEXT, which ends with one, is that: so it closes the record, and nothing was cut off where an object in it ends, nor
 * another record written over it. Objects (network interfaces) are unusual.
 */
static bool is_closed_at_its_end(const char *text)
{
	const char *end = strchr(text, '}');

	return end && !end[1] && !strchr(text, '{');
}

/*
 * Reads a complete record whose text is exactly as state_write_record() writes one, up to the phase. A tenth of the work of the parser,
 * which is for all other ones: with escapes, annotations, unfinished, of another version, touched by hand.
 */
static bool read_usual(char *text, struct oci_record *rec)
{
	char *at = text;
	uint64_t number;

	if (strstr(text, "\"annotations\""))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(strings); i++) {
		const char *found = skip(&at, strings[i].before) ? take_string(&at) : NULL;

		if (!found)
			return false;
		memcpy((char *)rec + strings[i].offset, &found, sizeof(found));
	}
	if (!skip(&at, ",\"pid\":") || !take_number(&at, INT32_MAX, &number))
		return false;
	rec->pid = (int32_t)number;
	if (!skip(&at, ",\"pidStartTime\":") || !take_number(&at, UINT64_MAX, &rec->pid_start_time))
		return false;
	if (skip(&at, ",\"runtimePid\":") &&
	    (!take_number(&at, INT32_MAX, &number) || !skip(&at, ",\"runtimePidStartTime\":") ||
	     !take_number(&at, UINT64_MAX, &number)))
		return false;
	rec->has_version = rec->has_pid = rec->has_pid_start_time = true;
	rec->version = 1;
	if (skip(&at, ",\"phase\":\"created\","))
		rec->phase = OCI_RECORD_PHASE_CREATED;
	else if (skip(&at, ",\"phase\":\"running\","))
		rec->phase = OCI_RECORD_PHASE_RUNNING;
	return rec->phase != OCI_RECORD_PHASE_UNSET && is_closed_at_its_end(at);
}

bool state_peek_record(const struct oci_text *text, struct oci_arena *arena,
		       struct oci_record **ret)
{
	/* The strings end where they are. */
	char *copy = oci_arena_strndup(arena, text->data, text->len);
	struct oci_record *rec = oci_arena_alloc(arena, sizeof(*rec));

	if (!copy || !rec || !read_usual(copy, rec))
		return false;
	*ret = rec;
	return true;
}

int state_read_text(const struct state_root *root, const char *id, struct oci_arena *arena,
		    struct oci_text *ret)
{
	char path[sizeof(((struct state_dir *)0)->id) + sizeof("/" STATE_RECORD_FILE)];
	_cleanup_close_ int fd = FD_NONE;
	char *text;
	ssize_t n;

	if (!root->ours_alone)
		return -EXDEV;
	snprintf(path, sizeof(path), "%s/" STATE_RECORD_FILE, id);
	text = oci_arena_bytes(arena, TEXT_MAX);
	if (!text)
		return -ENOMEM;
	fd = state_open_document(root->fd, path);
	if (fd < 0)
		return fd;
	/* A record is replaced and never written to: what one read gives is all of it, unless it fills the space. */
	n = io_read_start(fd, text, TEXT_MAX);
	if (n < 0)
		return (int)n;
	if (n == 0 || n == TEXT_MAX || text[n - 1] != '}')
		return -EAGAIN;
	text[n] = '\0';
	*ret = (struct oci_text){.data = text, .len = (size_t)n};
	return strlen(text) == (size_t)n ? 0 : -EAGAIN;
}
