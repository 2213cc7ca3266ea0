/* SPDX-License-Identifier: Apache-2.0 */
/* The system call filter: what is planned, and the compiled program on its way from the host side to init, which loads it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECCOMP_AREA_MAX 4096 /* BPF_MAXINSNS */

/* Of the configuration's annotations; with one of these unset or "0" it is off. */
#define SECCOMP_ANNOTATION_STRICT   "run.oci.seccomp_fail_unknown_syscall"
#define SECCOMP_ANNOTATION_ENOSYS   "run.oci.seccomp.enosys"
#define SECCOMP_ANNOTATION_PROGRAM  "run.oci.seccomp_bpf_data"
#define SECCOMP_ANNOTATION_RECEIVER "run.oci.seccomp.receiver"
#define SECCOMP_ANNOTATION_PLUGINS  "run.oci.seccomp.plugins"

/* Of our environment: the listener's path where the configuration names none. */
#define SECCOMP_RECEIVER_ENV "RUN_OCI_SECCOMP_RECEIVER"

struct oci_linux_seccomp;

struct plan_seccomp {
	const struct oci_linux_seccomp *profile; /* linux.seccomp, or NULL */
	const uint64_t *program; /* struct sock_filter, instead of the profile's rules; or NULL */
	size_t program_len;
	bool strict; /* a system call that libseccomp does not know is an error */
	bool enosys; /* ENOSYS for system calls newer than the profile: see host/seccomp_stub.h */
	const char *
		listener; /* absolute path of the socket that gets the notification fd; NULL: nobody is notified */
	const char *metadata; /* what that listener is told, or NULL */
};

/* Shared memory made before birth, filled by the host side while init mounts. */
struct seccomp_area {
	uint32_t len;	  /* number of instructions */
	uint32_t flags;	  /* SECCOMP_FILTER_FLAG_* */
	uint8_t listener; /* the profile notifies: load with SECCOMP_FILTER_FLAG_NEW_LISTENER */
	uint8_t warned;	  /* something of the profile is left out, of which the user was told */
	uint8_t pad[6];
	uint64_t insns[SECCOMP_AREA_MAX]; /* struct sock_filter */
};
