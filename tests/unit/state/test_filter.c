// SPDX-License-Identifier: Apache-2.0
// The stored seccomp filter: what was written is read back, and anything else is refused.
#include "state/store.h"

#include "base/cleanup.h"
#include "sys/file.h"

#include "../test.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define NAME "seccomp.bpf"

static struct crun_error err;
static struct seccomp_area area, back;

static void fill(uint32_t len)
{
	memset(&area, 0, sizeof(area));
	area.len = len;
	area.flags = 5;
	area.listener = 1;
	for (uint32_t i = 0; i < len; i++)
		area.insns[i] = UINT64_C(0x0123456789abcdef) * (i + 1);
}

static int change_byte(int dir, off_t at)
{
	int fd = sys_openat(dir, NAME, O_RDWR, 0), r;
	char c = 0;

	r = pread(fd, &c, 1, at) == 1 ? 0 : -EIO;
	c ^= 1;
	if (r == 0 && pwrite(fd, &c, 1, at) != 1)
		r = -EIO;
	close_fd(&fd);
	return r;
}

TEST(a_filter_is_read_as_it_was_written)
{
	char path[] = "/tmp/crun-test-filter-XXXXXX";
	struct state_dir dir = {.root_fd = FD_NONE, .id = "x"};
	off_t size;

	CHECK(mkdtemp(path));
	dir.fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
	CHECK_INT(state_read_filter(&dir, &back), -ENOENT);
	for (uint32_t len = 1; len <= SECCOMP_AREA_MAX; len = len * 64 - (len > 1 ? 0 : 1)) {
		fill(len);
		CHECK_INT(state_write_filter(&dir, &area, &err), 0);
		memset(&back, 0, sizeof(back));
		CHECK_INT(state_read_filter(&dir, &back), 0);
		CHECK(memcmp(&area, &back, sizeof(area)) == 0);
	}
	/* Each byte counts, but for those that pad. */
	fill(3);
	CHECK_INT(state_write_filter(&dir, &area, &err), 0);
	size = 32 + 3 * 8;
	for (off_t at = 0; at < size; at++) {
		CHECK_INT(change_byte(dir.fd, at), 0);
		CHECK_INT(state_read_filter(&dir, &back), -EINVAL);
		CHECK_INT(change_byte(dir.fd, at), 0);
	}
	CHECK_INT(state_read_filter(&dir, &back), 0);
	CHECK_INT(fchmodat(dir.fd, NAME, 0620, 0), 0);
	CHECK_INT(state_read_filter(&dir, &back), -EPERM);
	CHECK_INT(sys_unlinkat(dir.fd, NAME, 0), 0);
	CHECK_INT(sys_symlinkat("/etc/passwd", dir.fd, NAME), 0);
	CHECK_INT(state_read_filter(&dir, &back), -ELOOP);
	CHECK_INT(sys_unlinkat(dir.fd, NAME, 0), 0);
	close_fd(&dir.fd);
	CHECK_INT(rmdir(path), 0);
}

TEST_MAIN()
