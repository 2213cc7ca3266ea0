/* SPDX-License-Identifier: Apache-2.0 */
/* Files without a name: memfds and pipes. Each returns >= 0 or a negative errno; fds are close-on-exec. No policy. */
#pragma once

#include <stddef.h>

#include <linux/memfd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* 6.3 */
#define MFD_EXEC	0x0010U
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020 /* 6.3 */
#endif

/*
 * memfd_create(2). MFD_NOEXEC_SEAL and MFD_EXEC are dropped on kernels that do not know them: there all memfds are
 * executable, which is what MFD_EXEC asks for and what MFD_NOEXEC_SEAL only improves on.
 */
int sys_memfd_create(const char *name, unsigned flags);

/*
 * A file without a name, for what needs no seals: a memfd, or where memfd_create(2) is hidden a file without a link in /tmp or
 * /dev/shm.
 */
int sys_anon_file(const char *name);

/* F_ADD_SEALS and F_GET_SEALS of fcntl(2). */
int sys_add_seals(int fd, int seals);
int sys_get_seals(int fd);

/* pipe2(2) with O_CLOEXEC and FLAGS. */
int sys_pipe(int fds[2], int flags);
