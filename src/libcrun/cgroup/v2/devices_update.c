// SPDX-License-Identifier: Apache-2.0
// cgroup v2: puts a new device filter in the place of the old one, without a moment in between.
#include "cgroup/devices.h"

#include "base/log.h"
#include "base/str.h"
#include "sys/bpf.h"

#include <errno.h>
#include <string.h>

/* Opens the programs of ours that are attached: more than one where a former update was killed half-way. Those of others hold besides. */
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
		if (str_eq(info.name, cg_v2_filter_name(c->cg, c->h)))
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
	c->prog = cg_v2_devices_load(&c->rules, cg_v2_filter_name(c->cg, c->h), err);
	if (c->prog < 0)
		return c->prog;
	return !(c->old_len == 1 && same_program(c->old[0], c->prog));
}

static int attach(int dir_fd, int prog)
{
	return sys_bpf_prog_attach(dir_fd, prog, BPF_CGROUP_DEVICE, BPF_F_ALLOW_MULTI);
}

static int detach(int dir_fd, int prog)
{
	return sys_bpf_prog_detach(dir_fd, prog, BPF_CGROUP_DEVICE);
}

/* Kernels without BPF_F_REPLACE: both hold for a moment, and what either denies is denied. All or nothing. */
static int replace(int dir_fd, int prog, int old)
{
	int r = sys_bpf_prog_replace(dir_fd, prog, old, BPF_CGROUP_DEVICE);

	if (r != -EINVAL)
		return r;
	r = attach(dir_fd, prog);
	if (r < 0)
		return r;
	r = detach(dir_fd, old);
	if (r < 0)
		(void)detach(dir_fd, prog);
	return r;
}

/* Takes the new program back, and attaches the first GONE of the former ones again, which are not there any more. */
static int put_back(const struct cg_device_change *c, size_t gone)
{
	int dir_fd = c->h->dir_fd, result = 0, r;

	/* While the new one still holds: at no moment there is none. */
	for (size_t i = c->prog >= 0; i < gone; i++) {
		r = attach(dir_fd, c->old[i]);
		result = result < 0 ? result : r;
	}
	if (c->prog < 0)
		return result;
	r = gone ? replace(dir_fd, c->old[0], c->prog) : detach(dir_fd, c->prog);
	return result < 0 ? result : r;
}

int cg_v2_devices_change(const struct cg_device_change *c, struct crun_error *err)
{
	int dir_fd = c->h->dir_fd, r = 0;
	size_t gone = 0;
	bool began = false;

	if (c->prog >= 0) {
		r = c->old_len ? replace(dir_fd, c->prog, c->old[0]) : attach(dir_fd, c->prog);
		began = r >= 0;
		gone = began && c->old_len;
	}
	while (r >= 0 && gone < c->old_len) {
		r = detach(dir_fd, c->old[gone]);
		gone += r >= 0;
	}
	if (r >= 0)
		return 0;
	err_sys_code(err, CODE_DEVICE_FILTER, r, "replace the device filter of cgroup `%s%s`",
		     c->h->root, c->cg->path);
	if ((began || gone) && put_back(c, gone) < 0)
		err_and(err, "the former device filter cannot be put back");
	return -err->errnum;
}

int cg_v2_devices_undo(const struct cg_device_change *c)
{
	return put_back(c, c->old_len);
}
