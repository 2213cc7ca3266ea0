/* SPDX-License-Identifier: Apache-2.0 */
/* Whole reads and writes of small files. Each returns >= 0 or a negative errno. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* Writes all of DATA, across short writes and EINTR. Returns 0. */
int io_write_all(int fd, const void *data, size_t len);

/* Reads up to SIZE bytes until end of file, across short reads and EINTR. Returns the number of bytes. */
ssize_t io_read_full(int fd, void *data, size_t size);

/* Reads up to SIZE bytes from the beginning of the file in one go, across EINTR. Returns the number of bytes. */
ssize_t io_read_start(int fd, void *data, size_t size);

/*
 * Reads the file PATH below DIRFD into BUF as a NUL-terminated string without its trailing newline. Returns the length;
 * -EFBIG when it does not fit. For kernel files (proc, cgroup, sys) whose whole content comes in one go.
 */
int io_read_file_at(int dirfd, const char *path, char *buf, size_t size);

/* Opens the existing file PATH below DIRFD for writing and writes TEXT in one write(2), as kernel files want it. */
int io_write_file_at(int dirfd, const char *path, const char *text);
