// SPDX-License-Identifier: Apache-2.0
// Reading a document from a file descriptor, within bounds.

#include <libocispec/runtime/model.h>

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* First read of something that has no size, such as a pipe. */
#define FIRST_READ 65536

static int fail(struct oci_parse_error *err, const char *name, int errnum)
{
	struct oci_place place = {.name = name};

	if (errnum == EFBIG)
		return oci_error_set(err, errnum, &place, "the document is larger than %u MiB",
				     OCI_MAX_TEXT >> 20);
	if (errnum == ENOMEM)
		return oci_error_set(err, errnum, &place, "out of memory");
	return oci_error_set(err, errnum, &place, "cannot read: %s", strerror(errnum));
}

/* Reads until the end or until size bytes; returns the number of bytes or -errno. */
static ssize_t read_full(int fd, char *data, size_t size)
{
	size_t used = 0;
	ssize_t n;

	while (used < size) {
		n = read(fd, data + used, size - used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		used += (size_t)n;
	}
	return (ssize_t)used;
}

/* A regular file is done with when as many bytes as it has were read: no second call to hear that there is no more. */
static int read_whole(int fd, struct oci_arena *arena, size_t size, struct oci_text *text)
{
	char *data = oci_arena_bytes(arena, size + 1);
	ssize_t n;

	if (!data)
		return -ENOMEM;
	n = read_full(fd, data, size);
	if (n < 0)
		return (int)n;
	data[n] = '\0';
	*text = (struct oci_text){.data = data, .len = (size_t)n};
	return 0;
}

/* Grows the text by doubling until the end is in it. What is outgrown stays in the arena. */
static int read_text(int fd, struct oci_arena *arena, size_t room, struct oci_text *text)
{
	char *data = NULL, *grown;
	size_t len = 0;
	ssize_t n;

	for (;;) {
		/* One byte above the limit tells a document at the limit from one above. */
		if (room > OCI_MAX_TEXT + 1)
			room = OCI_MAX_TEXT + 1;
		grown = oci_arena_bytes(arena, room + 1);
		if (!grown)
			return -ENOMEM;
		if (len)
			memcpy(grown, data, len);
		data = grown;
		n = read_full(fd, data + len, room - len);
		if (n < 0)
			return (int)n;
		len += (size_t)n;
		if (len < room)
			break;
		if (len > OCI_MAX_TEXT)
			return -EFBIG;
		room *= 2;
	}
	data[len] = '\0';
	*text = (struct oci_text){.data = data, .len = len};
	return 0;
}

int oci_read_fd(int fd, const char *name, struct oci_arena *arena, struct oci_text *text,
		struct oci_parse_error *err)
{
	int r = read_text(fd, arena, FIRST_READ, text);

	return r < 0 ? fail(err, name, -r) : 0;
}

int oci_parse_fd(const struct oci_type *type, int fd, const char *name, struct oci_arena *arena,
		 struct oci_text *text, void **ret, struct oci_parse_error *err)
{
	struct oci_text own;
	size_t room = FIRST_READ;
	struct stat st;
	int r;

	if (!name)
		name = type->file;
	if (fstat(fd, &st) < 0)
		return fail(err, name, errno);
	if (S_ISREG(st.st_mode)) {
		if (st.st_size > (off_t)OCI_MAX_TEXT)
			return fail(err, name, EFBIG);
		/* One more, should it grow or be one of procfs, which have no size. */
		room = (size_t)st.st_size + 1;
		/* Text and document in one piece of memory. */
		if (oci_arena_reserve(arena, 3 * room + 8192) < 0)
			return fail(err, name, ENOMEM);
	}
	if (S_ISREG(st.st_mode) && st.st_size > 0)
		r = read_whole(fd, arena, (size_t)st.st_size, &own);
	else
		r = read_text(fd, arena, room, &own);
	if (r < 0)
		return fail(err, name, -r);
	if (text)
		*text = own;
	return oci_parse(type, name, own.data, own.len, arena, ret, err);
}
