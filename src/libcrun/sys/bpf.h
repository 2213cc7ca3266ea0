/* SPDX-License-Identifier: Apache-2.0 */
/* bpf(2), as far as cgroup programs need it. Each returns >= 0 or a negative errno. No policy. */
#pragma once

#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>

/* Loads a program; returns its fd (close-on-exec). LOG (may be NULL) gets the verifier's words. */
int sys_bpf_prog_load(uint32_t type, const struct bpf_insn *insns, size_t len, const char *license,
		      char *log, size_t log_size);
/* Attaches PROG_FD to the cgroup2 directory CGROUP_FD. FLAGS: BPF_F_ALLOW_MULTI. */
int sys_bpf_prog_attach(int cgroup_fd, int prog_fd, uint32_t attach_type, uint32_t flags);
/* The number of programs of ATTACH_TYPE that are attached to CGROUP_FD itself. */
int sys_bpf_prog_count(int cgroup_fd, uint32_t attach_type);
