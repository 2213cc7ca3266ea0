// SPDX-License-Identifier: Apache-2.0
// A page that blocks its readers, by userfaultfd(2): see wall.h.
#include "sys/wall.h"

#include "base/cleanup.h"
#include "sys/ret.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Linux 5.11: faults of the kernel itself are left out, which is what takes no privilege. */
#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

static int watch(struct wall *w)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register wanted = {.mode = UFFDIO_REGISTER_MODE_MISSING};
	void *page;

	w->fd = SYS_RET((int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY));
	if (w->fd < 0)
		return w->fd;
	if (ioctl(w->fd, UFFDIO_API, &api) < 0)
		return -errno;
	w->size = (size_t)sysconf(_SC_PAGESIZE);
	page = mmap(NULL, w->size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return -errno;
	w->page = page;
	wanted.range = (struct uffdio_range){.start = (__u64)(uintptr_t)page, .len = w->size};
	return SYS_RET(ioctl(w->fd, UFFDIO_REGISTER, &wanted));
}

int sys_wall_make(struct wall *ret)
{
	int r;

	*ret = (struct wall){.fd = FD_NONE};
	r = watch(ret);
	if (r < 0)
		sys_wall_done(ret);
	return r;
}

void sys_wall_wait(const struct wall *w)
{
	(void)*w->page;
}

int sys_wall_open(struct wall *w)
{
	struct uffdio_zeropage zero = {
		.range = {.start = (__u64)(uintptr_t)w->page, .len = w->size},
	};
	int r = SYS_RET(ioctl(w->fd, UFFDIO_ZEROPAGE, &zero));

	/* With the last descriptor the watch ends as well. */
	close_fd(&w->fd);
	return r == -EEXIST ? 0 : r;
}

void sys_wall_done(struct wall *w)
{
	close_fd(&w->fd);
	if (w->page)
		munmap((void *)(uintptr_t)w->page, w->size);
	*w = (struct wall){.fd = FD_NONE};
}
