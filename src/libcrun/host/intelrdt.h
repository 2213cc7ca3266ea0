/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.intelRdt: the container's class of service in resctrl (Documentation/filesystems/resctrl.rst), and its monitoring group. The
 * functions but intelrdt_open take the root of resctrl as a descriptor; paths in it are relative and of validated names.
 */
#pragma once

#include "base/error.h"

#include <libocispec/oci.h>

#include <stdbool.h>
#include <sys/types.h>

/* "NAME/mon_groups/ID" */
#define INTELRDT_PATH_MAX 600

struct intelrdt {
	const struct oci_linux_intel_rdt *spec;
	const char *id;
	int base_fd;			 /* root of resctrl, or FD_NONE */
	bool class_exists;		 /* already */
	char class[INTELRDT_PATH_MAX];	 /* its directory; "." is the default class */
	char monitor[INTELRDT_PATH_MAX]; /* directory of the monitoring group, or empty */
	/* What is ours to remove at the end, or empty: the class named by the container's id, else the monitoring group. */
	char ours[INTELRDT_PATH_MAX];
};

/* Opens the root of the resctrl that is mounted (O_PATH). Returns the fd; -ENOENT when there is none. */
int intelrdt_open(struct crun_error *err) CRUN_NODISCARD;

/*
 * Decides which groups container ID gets below BASE_FD, which it owns from now on, and checks what config-linux.md ("IntelRdt") asks of
 * a class that exists: nothing is touched. SPEC and ID are borrowed.
 */
int intelrdt_select(const struct oci_linux_intel_rdt *spec, const char *id, int base_fd,
		    struct intelrdt *ret, struct crun_error *err) CRUN_NODISCARD;

/* Makes the groups and writes the schemata. What was made is removed if it fails. */
int intelrdt_create(const struct intelrdt *rdt, struct crun_error *err) CRUN_NODISCARD;

/* Puts process PID, of our pid namespace, into the groups; its children follow. */
int intelrdt_add(const struct intelrdt *rdt, pid_t pid, struct crun_error *err) CRUN_NODISCARD;

/*
 * The class of service of container ID, which was created with SPEC (NULL: without, which is KIND_UNSUPPORTED), below BASE_FD: nothing is
 * written. BASE_FD stays the caller's.
 */
int intelrdt_update_check(const struct oci_linux_intel_rdt *spec, const char *id, int base_fd,
			  struct intelrdt *ret, struct crun_error *err) CRUN_NODISCARD;

/* Writes new schemata (either may be NULL) to the class; all or nothing. Others may share it. */
int intelrdt_update(const struct intelrdt *rdt, const char *l3_cache, const char *mem_bw,
		    struct crun_error *err) CRUN_NODISCARD;

/* Adds what resctrl says about its last refusal; returns -err->errnum. */
int intelrdt_say_why(const struct intelrdt *rdt, struct crun_error *err);

/* Removes the group OURS, as select chose it, below BASE_FD. Gone is fine. Processes in it fall back to its parent. */
int intelrdt_remove_group(int base_fd, const char *ours, struct crun_error *err) CRUN_NODISCARD;

/* Removes the group that a record names, if it names one; fine when resctrl is no longer mounted. */
int intelrdt_remove(const struct oci_record *record, struct crun_error *err) CRUN_NODISCARD;
