// SPDX-License-Identifier: Apache-2.0
// cgroup v2: puts a new device filter in the place of the old one, without a moment in between.
#include "cgroup/devices.h"

#include "base/log.h"
#include "base/str.h"
#include "sys/bpf.h"

#include <errno.h>
#include <string.h>

/* Opens the programs of ours that are attached. A service manager's own are left alone, as they hold besides ours. */
static int find_ours(struct cg_device_change *c)
{
	uint32_t ids[CG_DEVICE_PROGRAMS];
	int n = sys_bpf_prog_ids(c->h->dir_fd, BPF_CGROUP_DEVICE, ids, CG_DEVICE_PROGRAMS);

	for (int i = 0; i < n; i++) {
		_cleanup_close_ int fd = sys_bpf_prog_open(ids[i]);
		struct bpf_prog_info info;
		int r = fd < 0 ? fd : sys_bpf_prog_info(fd, &info);

		if (r < 0)
			return r;
		/* In a directory that was there before the container, those of others may have stayed. */
		if (c->h->used ? info.id == c->cg->device_program
			       : str_eq(info.name, CG_DEVICE_PROGRAM))
			c->old[c->old_len++] = take_fd(&fd);
	}
	return n;
}

static bool same_program(int a, int b)
{
	struct bpf_prog_info x, y;

	return sys_bpf_prog_info(a, &x) >= 0 && sys_bpf_prog_info(b, &y) >= 0 &&
	       memcmp(x.tag, y.tag, sizeof(x.tag)) == 0;
}

int cg_v2_devices_prepare(struct cg_device_change *c, struct crun_error *err)
{
	int r = find_ours(c);

	if (r < 0)
		return err_sys_code(err, CODE_DEVICE_FILTER, r,
				    "find the device filter of cgroup `%s%s`", c->h->root,
				    c->cg->path);
	if (cg_rules_allow_all(&c->rules))
		return c->old_len > 0;
	c->prog = cg_v2_devices_load(&c->rules, err);
	if (c->prog < 0)
		return c->prog;
	return !(c->old_len == 1 && same_program(c->old[0], c->prog));
}

/* Kernels without BPF_F_REPLACE: both hold for a moment, and what either denies is denied. */
static int replace(int dir_fd, int prog, int old)
{
	int r = sys_bpf_prog_replace(dir_fd, prog, old, BPF_CGROUP_DEVICE);

	if (r != -EINVAL)
		return r;
	r = sys_bpf_prog_attach(dir_fd, prog, BPF_CGROUP_DEVICE, BPF_F_ALLOW_MULTI);
	if (r < 0)
		return r;
	return sys_bpf_prog_detach(dir_fd, old, BPF_CGROUP_DEVICE);
}

/* PROG (or FD_NONE) is the filter now: in a directory that stays behind, `delete` has to find it. */
static int note(const struct cg_device_change *c, int prog)
{
	c->cg->device_program = 0;
	return prog < 0 ? 0 : cg_note_device_program(c->cg, c->h, prog);
}

int cg_v2_devices_change(const struct cg_device_change *c, struct crun_error *err)
{
	int dir_fd = c->h->dir_fd, r = 0;
	size_t first = 0;

	if (c->prog >= 0 && c->old_len) {
		first = 1;
		r = replace(dir_fd, c->prog, c->old[0]);
	} else if (c->prog >= 0) {
		r = sys_bpf_prog_attach(dir_fd, c->prog, BPF_CGROUP_DEVICE, BPF_F_ALLOW_MULTI);
	}
	for (size_t i = first; r >= 0 && i < c->old_len; i++)
		r = sys_bpf_prog_detach(dir_fd, c->old[i], BPF_CGROUP_DEVICE);
	if (r >= 0)
		r = note(c, c->prog);
	if (r < 0)
		return err_sys_code(err, CODE_DEVICE_FILTER, r,
				    "replace the device filter of cgroup `%s%s`", c->h->root,
				    c->cg->path);
	return 0;
}

int cg_v2_devices_undo(const struct cg_device_change *c)
{
	int dir_fd = c->h->dir_fd, r;

	if (c->prog < 0)
		r = sys_bpf_prog_attach(dir_fd, c->old[0], BPF_CGROUP_DEVICE, BPF_F_ALLOW_MULTI);
	else if (c->old_len)
		r = replace(dir_fd, c->old[0], c->prog);
	else
		r = sys_bpf_prog_detach(dir_fd, c->prog, BPF_CGROUP_DEVICE);
	return r < 0 ? r : note(c, c->old_len ? c->old[0] : FD_NONE);
}
