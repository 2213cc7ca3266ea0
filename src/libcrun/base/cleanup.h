/* SPDX-License-Identifier: Apache-2.0 */
/* Scope-bound ownership: a resource is released where its variable leaves scope, unless it was taken. */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* The value of an fd variable that owns nothing. Never -1: it must be an errno that a call would return. */
#define FD_NONE (-EBADF)

static inline void cleanup_free_(void *p)
{
	void **q = p;

	free(*q);
}

static inline void cleanup_close_(const int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static inline void cleanup_closedir_(DIR **d)
{
	if (*d)
		closedir(*d);
}

#define _cleanup_(fn)	   __attribute__((cleanup(fn)))
#define _cleanup_free_	   _cleanup_(cleanup_free_)
#define _cleanup_close_	   _cleanup_(cleanup_close_)
#define _cleanup_closedir_ _cleanup_(cleanup_closedir_)

/* Moves an fd out of its owner. */
static inline int take_fd(int *fd)
{
	int r = *fd;

	*fd = FD_NONE;
	return r;
}

/* Closes an fd that a struct owns and marks it empty; accepts an empty one. */
static inline void close_fd(int *fd)
{
	cleanup_close_(fd);
	*fd = FD_NONE;
}

/* Moves a pointer out of its owner. */
#define take_ptr(p)                     \
	({                              \
		__typeof__(p) p_ = (p); \
		(p) = NULL;             \
		p_;                     \
	})

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
