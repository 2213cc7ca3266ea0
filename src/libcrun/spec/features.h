/* SPDX-License-Identifier: Apache-2.0 */
/* What this build can do: the features document and the words of `crun --version`. */
#pragma once

#include <libocispec/oci.h>

/*
 * Writes the features document as the next value of OUT. features.md: it tells what the program implements, whatever the
 * machine it runs on has. Returns 0 or the writer's -errno.
 */
int features_write(struct oci_json *out);

/* "+CAP +SECCOMP -SYSTEMD ...": a + before what was built in, a - before what was left out. Static. */
const char *features_words(void);
