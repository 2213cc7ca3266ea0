/* SPDX-License-Identifier: Apache-2.0 */
/* The addresses of a network interface by rtnetlink(7), in the namespace of the socket FD. Each returns 0 or a negative errno. */
#pragma once

#include "base/buf.h"

/*
 * Appends those addresses of the interface to RET that config-linux.md ("Network Devices") wants kept: permanent ones of global scope,
 * of any family. The form is private to these two functions; an empty buffer means none.
 */
int sys_address_save(int fd, int index, struct buf *ret);

/* Gives saved addresses to an interface, in the order in which it had them. SAME_NAME: it is called as it was. -EBADMSG: they are damaged. */
int sys_address_restore(int fd, int index, bool same_name, const struct buf *saved);
