/* SPDX-License-Identifier: Apache-2.0 */
/* The one entry point of init/: what the host side hands to the child that it gives birth to. */
#pragma once

#include "plan/birth.h"
#include "plan/seccomp.h"
#include "sync/channel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The name by which the host side can tell a process that has not reached its execve (host/payload.c). */
#define INIT_COMM "crun:[INIT]"

struct init_args {
	const struct launch_plan *plan;
	const struct birth *birth;
	struct channel channel; /* init's end */
	int gate_fd;		/* listening socket of `start`, or FD_NONE */
	int *mount_fds;		/* see struct outside */
	int root_source_fd;
	/* The host's procfs. exec: where there is a label to be set, or FD_NONE; mounts: always; else not used */
	int proc_fd;
	int *ns_fds;
	const char *cgroup_path;
	const struct seccomp_area *seccomp; /* or NULL */
	uint32_t *progress; /* shared with the host side: where init is, for init_phase_name() */
	int log_level;	    /* messages up to this level are sent to the host side */
};

/* Writes the name of the phase that a progress word stands for ("outside.mounts") into BUF; false when it stands for none. */
bool init_phase_name(uint32_t progress, char *buf, size_t size);

/* Runs the three tables of phases and executes the payload. ARGS: a struct init_args. Never returns. */
void init_main(void *args) __attribute__((noreturn));
