// SPDX-License-Identifier: Apache-2.0
// bpf(2) for cgroup programs: see bpf.h.
#include "sys/bpf.h"

#include "sys/ret.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_LOADS 10

static int bpf_call(int cmd, union bpf_attr *attr)
{
	return SYS_RET((int)syscall(SYS_bpf, cmd, attr, sizeof(*attr)));
}

int sys_bpf_prog_load(uint32_t type, const char *name, const struct bpf_insn *insns, size_t len,
		      const char *license, char *log, size_t log_size)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = type;
	attr.insns = (uintptr_t)insns;
	attr.insn_cnt = (uint32_t)len;
	attr.license = (uintptr_t)license;
	snprintf(attr.prog_name, sizeof(attr.prog_name), "%s", name);
	if (log) {
		attr.log_buf = (uintptr_t)log;
		attr.log_size = (uint32_t)log_size;
		attr.log_level = 1;
	}
	/* kernel/bpf/verifier.c, do_check(): a signal that is pending, SIGCONT for one, ends the check with EAGAIN. */
	for (int tries = 0;; tries++) {
		int r = bpf_call(BPF_PROG_LOAD, &attr);

		if (r != -EAGAIN || tries == MAX_LOADS)
			return r;
	}
}

int sys_bpf_prog_attach(int cgroup_fd, int prog_fd, uint32_t attach_type, uint32_t flags)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (uint32_t)cgroup_fd;
	attr.attach_bpf_fd = (uint32_t)prog_fd;
	attr.attach_type = attach_type;
	attr.attach_flags = flags;
	return bpf_call(BPF_PROG_ATTACH, &attr);
}

int sys_bpf_prog_replace(int cgroup_fd, int prog_fd, int old_fd, uint32_t attach_type)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (uint32_t)cgroup_fd;
	attr.attach_bpf_fd = (uint32_t)prog_fd;
	attr.attach_type = attach_type;
	attr.attach_flags = BPF_F_ALLOW_MULTI | BPF_F_REPLACE;
	attr.replace_bpf_fd = (uint32_t)old_fd;
	return bpf_call(BPF_PROG_ATTACH, &attr);
}

int sys_bpf_prog_detach(int cgroup_fd, int prog_fd, uint32_t attach_type)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (uint32_t)cgroup_fd;
	attr.attach_bpf_fd = (uint32_t)prog_fd;
	attr.attach_type = attach_type;
	return bpf_call(BPF_PROG_DETACH, &attr);
}

int sys_bpf_prog_ids(int cgroup_fd, uint32_t attach_type, uint32_t *ids, uint32_t len)
{
	union bpf_attr attr;
	int r;

	memset(&attr, 0, sizeof(attr));
	attr.query.target_fd = (uint32_t)cgroup_fd;
	attr.query.attach_type = attach_type;
	attr.query.prog_ids = (uintptr_t)ids;
	attr.query.prog_cnt = len;
	r = bpf_call(BPF_PROG_QUERY, &attr);
	return r < 0 ? r : (int)attr.query.prog_cnt;
}

int sys_bpf_prog_open(uint32_t id)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_id = id;
	return bpf_call(BPF_PROG_GET_FD_BY_ID, &attr);
}

int sys_bpf_prog_info(int prog_fd, struct bpf_prog_info *ret)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	memset(ret, 0, sizeof(*ret));
	attr.info.bpf_fd = (uint32_t)prog_fd;
	attr.info.info_len = sizeof(*ret);
	attr.info.info = (uintptr_t)ret;
	return bpf_call(BPF_OBJ_GET_INFO_BY_FD, &attr);
}
