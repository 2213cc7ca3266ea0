/* SPDX-License-Identifier: Apache-2.0 */
/* Extended attributes of an open file. Each returns >= 0 or a negative errno. No policy. */
#pragma once

#include <stddef.h>

int sys_fsetxattr(int fd, const char *name, const void *value, size_t size, int flags);
/* The size of the value; SIZE 0 asks for just that. -ENODATA: no such attribute. */
int sys_fgetxattr(int fd, const char *name, void *value, size_t size);
