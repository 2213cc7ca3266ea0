/* SPDX-License-Identifier: Apache-2.0 */
/* Session keyrings: keyrings(7), keyctl(2). Each returns >= 0 or a negative errno. */
#pragma once

#include <stdint.h>

/* Makes a new session keyring called NAME and joins it. Returns its serial number; -EDQUOT when the user has too many keys. */
int32_t sys_keyring_join(const char *name);
