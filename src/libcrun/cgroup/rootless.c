// SPDX-License-Identifier: Apache-2.0
// The cgroups of an ordinary user: the subtree that was delegated to us, and what to tell a user who has none.
#include "cgroup/internal.h"

#include "base/str.h"
#include "sys/file.h"
#include "sys/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* Our own cgroup of v2 below the hierarchy's root, without the leading slash, into BUF. False: none that can be named from here. */
static bool own_path(char buf[CG_PATH_SIZE])
{
	char text[CG_PATH_SIZE], *save = text, *line;

	if (io_read_file_at(AT_FDCWD, "/proc/self/cgroup", text, sizeof(text)) < 0)
		return false;
	while ((line = strsep(&save, "\n"))) {
		const char *path = str_after(line, "0::/");

		if (!path)
			continue;
		/* "..": it lies outside of our cgroup namespace. */
		if (strstr(path, "..") || strchr(path, '('))
			return false;
		snprintf(buf, CG_PATH_SIZE, "%s", path);
		return true;
	}
	return false;
}

/* cgroup-v2.rst, "Delegation Containment": to move into it we must be able to write cgroup.procs of the common ancestor. */
static bool is_ours(const struct cg_hier *h, const char *rel)
{
	char procs[CG_PATH_SIZE + 32];

	snprintf(procs, sizeof(procs), "%s%scgroup.procs", rel, rel[0] ? "/" : "");
	return faccessat(h->root_fd, rel[0] ? rel : ".", W_OK, AT_EACCESS) == 0 &&
	       faccessat(h->root_fd, procs, W_OK, AT_EACCESS) == 0;
}

void cg_delegated_base(const struct cgroup *cg, char buf[CG_PATH_SIZE])
{
	char own[CG_PATH_SIZE], *slash;

	buf[0] = '\0';
	if (!cg->plan->unprivileged || cg->plan->layout != CGROUP_V2 || cg->hier_len == 0 ||
	    !own_path(own) || !own[0])
		return;
	snprintf(buf, CG_PATH_SIZE, "%s", own);
	/* Beside us rather than below: a cgroup with a process in it hands no controllers down. */
	slash = strrchr(own, '/');
	if (slash) {
		*slash = '\0';
		if (is_ours(&cg->hier[0], own)) {
			snprintf(buf, CG_PATH_SIZE, "%s", own);
			return;
		}
	}
	if (!is_ours(&cg->hier[0], buf))
		buf[0] = '\0';
}

bool cgroup_delegated(enum cgroup_layout layout, char *buf, size_t size)
{
	const struct plan_cgroup plan = {.layout = layout, .unprivileged = true};
	struct cgroup cg = {.plan = &plan};
	struct crun_error err;
	char base[CG_PATH_SIZE] = "";
	bool found = false;

	if (cg_discover(&cg, layout, &err) >= 0 && cg.hier_len > 0) {
		cg_delegated_base(&cg, base);
		found = base[0] || (layout == CGROUP_V2 && is_ours(&cg.hier[0], ""));
		snprintf(buf, size, "%s%s%s", cg.hier[0].root, base[0] ? "/" : "", base);
	}
	cg_clear(&cg);
	return found;
}

/* The first controller that the limits need and the directory above the container's does not have. */
static const char *missing_controller(const struct cgroup *cg, const struct cg_hier *h)
{
	unsigned missing = cg_needed(cg->plan);
	char rel[CG_PATH_SIZE + 32], text[512];
	const char *any = NULL;

	cg_prefix(cg, h->existing, rel);
	snprintf(rel + strlen(rel), 32, "%scgroup.controllers", rel[0] ? "/" : "");
	if (io_read_file_at(h->root_fd, rel, text, sizeof(text)) >= 0)
		missing &= ~cg_controller_bits(text, " ", true);
	for (unsigned c = 0; c < CG_CONTROLLERS; c++) {
		const char *name = cg_controller_names[c].v2;

		if (name && (missing & CG_BIT(c)))
			return name;
		if (name && (cg_needed(cg->plan) & CG_BIT(c)) && !any)
			any = name;
	}
	return any;
}

static bool host_has_systemd(void)
{
	/* sd_booted(3) */
	return faccessat(AT_FDCWD, "/run/systemd/system", F_OK, 0) == 0;
}

int cg_explain_rootless(const struct cgroup *cg, struct crun_error *err)
{
	const struct crun_error why = *err;
	const struct cg_hier *h = NULL;
	const char *name;
	unsigned uid = geteuid();

	for (size_t i = 0; i < cg->hier_len && !h; i++)
		h = cg->hier[i].v2 ? &cg->hier[i] : NULL;
	name = h ? missing_controller(cg, h) : NULL;
	if (cg->plan->layout != CGROUP_V2)
		err_set(err, CODE_CGROUP_DELEGATION, why.errnum,
			"%s (an ordinary user can be given limits on cgroup v2 only)", why.text);
	else if (name && host_has_systemd())
		err_set(err, CODE_CGROUP_DELEGATION, why.errnum,
			"the cgroup controller `%s` is not delegated to uid %u: use "
			"--cgroup-manager=systemd; an administrator can delegate more with a file "
			"/etc/systemd/system/user@.service.d/delegate.conf of the two lines "
			"`[Service]` and `Delegate=cpu cpuset io memory pids`, `systemctl "
			"daemon-reload`, and a new login of the user (%s)",
			name, uid, why.text);
	else if (name)
		err_set(err, CODE_CGROUP_DELEGATION, why.errnum,
			"the cgroup controller `%s` is not delegated to uid %u: an administrator "
			"can do so with `cd %s; echo +%s >cgroup.subtree_control; mkdir -p u%u/shell; "
			"chown -R %u u%u`, and `echo PID >u%u/shell/cgroup.procs` for the shell that "
			"runs crun (%s)",
			name, uid, h->root, name, uid, uid, uid, uid, why.text);
	snprintf(err->at, sizeof(err->at), "%s", why.at);
	return -err->errnum;
}
