/* SPDX-License-Identifier: Apache-2.0 */
/* The compiled seccomp program, on its way from the host side, which compiles it, to init, which loads it. */
#pragma once

#include <stdint.h>

#define SECCOMP_AREA_MAX 4096 /* BPF_MAXINSNS */

/* Shared memory made before birth, filled by the host side while init mounts. */
struct seccomp_area {
	uint32_t len;	  /* number of instructions */
	uint32_t flags;	  /* SECCOMP_FILTER_FLAG_* */
	uint8_t listener; /* the profile notifies: load with SECCOMP_FILTER_FLAG_NEW_LISTENER */
	uint8_t pad[7];
	uint64_t insns[SECCOMP_AREA_MAX]; /* struct sock_filter */
};
