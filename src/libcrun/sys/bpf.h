/* SPDX-License-Identifier: Apache-2.0 */
/* bpf(2), as far as cgroup programs need it. Each returns >= 0 or a negative errno. No policy. */
#pragma once

#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>

/* Loads a program under NAME (up to 15 letters, digits and '_'; what `bpftool prog` shows, and how it is known again); returns its fd (close-on-exec). LOG (may be NULL) gets the verifier's words. */
int sys_bpf_prog_load(uint32_t type, const char *name, const struct bpf_insn *insns, size_t len,
		      const char *license, char *log, size_t log_size);
/* Attaches PROG_FD to the cgroup2 directory CGROUP_FD. FLAGS: BPF_F_ALLOW_MULTI. */
int sys_bpf_prog_attach(int cgroup_fd, int prog_fd, uint32_t attach_type, uint32_t flags);
/* Puts PROG_FD in the place of OLD_FD, attached with BPF_F_ALLOW_MULTI, at once (5.6; -EINVAL before). */
int sys_bpf_prog_replace(int cgroup_fd, int prog_fd, int old_fd, uint32_t attach_type);
int sys_bpf_prog_detach(int cgroup_fd, int prog_fd, uint32_t attach_type);
/* The ids of up to LEN programs of ATTACH_TYPE that are attached to CGROUP_FD itself. Returns their number. */
int sys_bpf_prog_ids(int cgroup_fd, uint32_t attach_type, uint32_t *ids, uint32_t len);
/* An fd of the program with this id. */
int sys_bpf_prog_open(uint32_t id);
/* Name and tag (a hash of the instructions) are filled in. */
int sys_bpf_prog_info(int prog_fd, struct bpf_prog_info *ret);
