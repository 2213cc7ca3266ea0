/* SPDX-License-Identifier: Apache-2.0 */
/* LSM labels: whether what the kernel tells is what was asked for, and the label of a new mount. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* The kernel takes one page for a label (proc_pid_attr_write). */
#define LABEL_MAX 4096

/* Reads the attribute file FD from its beginning into BUF, without what ends it. Returns 0 or a negative errno. */
int label_read(int fd, char *buf, size_t size) CRUN_NODISCARD;

/* True when GOT, as read from attr/exec, is the AppArmor profile WANT: alone, or followed by its mode as in "name (enforce)". */
bool label_is_apparmor(const char *want, const char *got);

/*
 * True when GOT is the SELinux label WANT. User, role and type word for word; the levels by their meaning, because the kernel has a
 * spelling of its own for them ("s0:c3,c1,c2" becomes "s0:c1.c3", "s0-s0" becomes "s0").
 */
bool label_is_selinux(const char *want, const char *got);

/* True for the mount options whose value is a label: context, fscontext, defcontext, rootcontext (mount(8)). */
bool label_is_option(const char *key);

/*
 * VALUE without the double quotes around it, in BUF; VALUE itself when it has none or BUF is too short. Engines write context="...", which
 * protects the commas of a label from mount(2); fsconfig(2) would take the quotes for a part of it.
 */
const char *label_unquote(const char *value, char *buf, size_t size);

/*
 * Makes sure that the root of the detached mount MOUNT_FD (O_PATH will do) has the SELinux label LABEL. Returns 0, or -errno: a mount that
 * nobody can tell the label of is refused as well.
 */
int label_verify_mount(int mount_fd, const char *label, struct crun_error *err) CRUN_NODISCARD;
