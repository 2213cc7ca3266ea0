/* SPDX-License-Identifier: Apache-2.0 */
/* Session keyrings: keyrings(7), keyctl(2). Each returns >= 0 or a negative errno. */
#pragma once

#include <stdint.h>

/*
 * Joins the session keyring called NAME, which is made when there is none that we may search; NULL: a new one without a name. Returns
 * its serial number; -EDQUOT when the user has too many keys.
 */
int32_t sys_keyring_join(const char *name);

/* The serial number of our session keyring, which is that of our user when we have joined none: none is made. */
int32_t sys_keyring_session(void);
