// SPDX-License-Identifier: Apache-2.0
// Whole reads and writes of small files: see io.h.
#include "sys/io.h"

#include "base/cleanup.h"
#include "sys/file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int io_write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

ssize_t io_read_full(int fd, void *data, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, (char *)data + done, size - done);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

ssize_t io_read_start(int fd, void *data, size_t size)
{
	ssize_t n;

	do
		n = pread(fd, data, size, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int io_read_file_at(int dirfd, const char *path, char *buf, size_t size)
{
	_cleanup_close_ int fd = sys_openat(dirfd, path, O_RDONLY, 0);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = io_read_full(fd, buf, size);
	if (n < 0)
		return (int)n;
	if ((size_t)n == size)
		return -EFBIG;
	buf[n] = '\0';
	while (n > 0 && buf[n - 1] == '\n')
		buf[--n] = '\0';
	return (int)n;
}

int io_write_file_at(int dirfd, const char *path, const char *text)
{
	_cleanup_close_ int fd = sys_openat(dirfd, path, O_WRONLY, 0);
	size_t len = strlen(text);
	ssize_t n;

	if (fd < 0)
		return fd;
	do
		n = write(fd, text, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}
