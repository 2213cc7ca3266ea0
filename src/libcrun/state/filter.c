// SPDX-License-Identifier: Apache-2.0
// The container's compiled system call filter in its state directory, so that exec need not compile it again. See store.h.
#include "state/store.h"

#include "base/cleanup.h"
#include "state/internal.h"
#include "sys/file.h"
#include "sys/io.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILTER_NAME "seccomp.bpf"

static const char magic[8] = "crunbpf1";

/* What precedes the instructions in the file. */
struct header {
	char magic[8];
	uint32_t len, flags;
	uint8_t listener;
	uint8_t pad[7];
	uint64_t sum; /* of the instructions and what is above */
};

/* FNV-1a: it tells a file that was cut off or damaged. Whoever may write to the directory may do anything to the container. */
static uint64_t add_to_sum(uint64_t sum, const void *data, size_t len)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ bytes[i]) * UINT64_C(0x100000001b3);
	return sum;
}

static uint64_t sum_of(const struct header *h, const uint64_t *insns)
{
	uint64_t sum = add_to_sum(UINT64_C(0xcbf29ce484222325), h, offsetof(struct header, sum));

	return add_to_sum(sum, insns, h->len * sizeof(*insns));
}

int state_write_filter(const struct state_dir *dir, const struct seccomp_area *area,
		       struct crun_error *err)
{
	struct header h = {.len = area->len, .flags = area->flags, .listener = area->listener};
	size_t size = area->len * sizeof(area->insns[0]);
	_cleanup_free_ char *file = malloc(sizeof(h) + size);
	int r = -ENOMEM;

	memcpy(h.magic, magic, sizeof(magic));
	h.sum = sum_of(&h, area->insns);
	if (file) {
		memcpy(file, &h, sizeof(h));
		memcpy(file + sizeof(h), area->insns, size);
		r = state_replace_file(dir, FILTER_NAME, "." FILTER_NAME, file, sizeof(h) + size);
	}
	if (r < 0)
		return err_sys(err, r, "store the compiled seccomp filter of container `%s`",
			       dir->id);
	return 0;
}

int state_read_filter(const struct state_dir *dir, struct seccomp_area *area)
{
	_cleanup_close_ int fd =
		sys_openat(dir->fd, FILTER_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
	struct header h;
	struct stat st;
	size_t size;

	if (fd < 0)
		return fd;
	if (sys_fstatat(fd, "", &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & (S_IWGRP | S_IWOTH)))
		return -EPERM;
	if (io_read_full(fd, &h, sizeof(h)) != (ssize_t)sizeof(h) ||
	    memcmp(h.magic, magic, sizeof(magic)) != 0 || h.len == 0 || h.len > SECCOMP_AREA_MAX)
		return -EINVAL;
	size = h.len * sizeof(area->insns[0]);
	if (st.st_size != (off_t)(sizeof(h) + size) ||
	    io_read_full(fd, area->insns, size) != (ssize_t)size ||
	    sum_of(&h, area->insns) != h.sum)
		return -EINVAL;
	area->len = h.len;
	area->flags = h.flags;
	area->listener = h.listener;
	return 0;
}
