/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of the specification and of the command line, and the kernel's numbers for them. The only such tables of the
 * project, so that what is accepted and what `crun features` lists cannot differ. Words that libocispec checks while it
 * parses (namespaces, seccomp, scheduler ...) have their tables there: oci_*_name(), oci_*_from_name().
 * Pure: nothing is asked of the system. Returned texts are static.
 */
#pragma once

#include <stdint.h>

/* The version of the runtime specification that we implement and write into documents, and the oldest that we accept. */
#define SPEC_VERSION	 "1.3.0"
#define SPEC_VERSION_MIN "1.0.0"

/* Every capability that we know has a number below this. */
#define CAP_NAMES_LEN 41

/* The number of "CAP_KILL", exactly as spelled (config.md: capabilities are CAP_ names); -EINVAL when unknown. */
int cap_number(const char *name);

/* The name of a capability, NULL when the number is beyond those that we know. */
const char *cap_name(unsigned number);

/* The RLIMIT_ constant of "RLIMIT_NOFILE", exactly as spelled (config.md, POSIX process); -EINVAL when unknown. */
int rlimit_number(const char *name);

#define SIGNAL_MAX 64

/*
 * The signal that a person or an engine means by TEXT: a number 0...64, or a name in any case with or without "SIG",
 * also RTMIN, RTMIN+n, RTMAX and RTMAX-n. Returns 0...64 or -EINVAL.
 */
int signal_number(const char *text);

/* The names below config.json's "hooks" in the order in which the hooks run, NULL at the end. */
extern const char *const hook_names[];
