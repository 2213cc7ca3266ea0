// SPDX-License-Identifier: Apache-2.0
// The container's terminal: opened from its own devpts, made the controlling terminal, mounted on /dev/console.
#include "init/inside/phase.h"

#include "base/cleanup.h"
#include "fs/mount_old.h"
#include "fs/walk.h"
#include "sys/file.h"
#include "sys/mount.h"
#include "sys/tty.h"

#include <errno.h>
#include <sys/sysmacros.h>

/* Unix98 pseudo terminals: major 136...143 (Documentation/admin-guide/devices.txt). */
#define PTS_MAJOR_FIRST 136
#define PTS_MAJOR_LAST	143

/* The image may have put anything there: only the multiplexer of a real devpts will do (CVE-2025-52565). */
static int check_master(int fd, struct crun_error *err)
{
	struct stat st;
	struct statfs fs;
	int r = sys_fstatat(fd, "", &st);

	if (r >= 0)
		r = sys_fstatfs(fd, &fs);
	if (r < 0)
		return err_sys(err, r, "stat `/dev/pts/ptmx`");
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(5, 2) || fs.f_type != DEVPTS_SUPER_MAGIC_)
		return err_set(err, KIND_PERMISSION, EPERM,
			       "`/dev/pts/ptmx` is not the multiplexer of a devpts file system: "
			       "operation not permitted");
	return 0;
}

static int open_master_with(struct inside *in, int flags, struct crun_error *err)
{
	const unsigned long within = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS;
	_cleanup_close_ int fd = lookup_open(in->root_fd, "dev/pts/ptmx", flags, within);
	int r = fd;

	/* /dev/ptmx is a symbolic link as a rule, which is no reason that would help anybody. */
	if (r == -ENOENT || r == -ENOTDIR || r == -ELOOP) {
		fd = lookup_open(in->root_fd, "dev/ptmx", flags, within);
		if (fd < 0 && err_is_lack(fd))
			r = fd;
	}
	if (fd < 0)
		return err_sys(err, r,
			       "a terminal needs a devpts mount on /dev/pts: open `/dev/pts/ptmx`");
	r = check_master(fd, err);
	return r < 0 ? r : take_fd(&fd);
}

static int open_master(struct inside *in, struct crun_error *err)
{
	_cleanup_close_ int probe = FD_NONE;
	int fd;

	/* A look before it is opened, which is more than a look for a device: some begin to count, or reboot. */
	probe = open_master_with(in, O_PATH, err);
	if (probe < 0)
		return probe;
	fd = open_master_with(in, O_RDWR | O_NOCTTY | O_NONBLOCK, err);
	if (fd < 0)
		return fd;
	in->console_fd = fd;
	if (fcntl(fd, F_SETFL, O_RDWR) < 0)
		return err_sys(err, -errno, "fcntl `/dev/pts/ptmx`");
	return 0;
}

static int open_slave(int master, struct crun_error *err)
{
	_cleanup_close_ int fd = FD_NONE;
	struct stat st;
	int r = sys_pty_unlock(master);

	if (r < 0)
		return err_sys(err, r, "unlock the terminal");
	fd = sys_pty_peer(master, O_RDWR | O_NOCTTY);
	if (fd < 0)
		return err_sys(err, fd, "open the terminal's other end");
	r = sys_fstatat(fd, "", &st);
	if (r < 0)
		return err_sys(err, r, "stat the terminal");
	if (!S_ISCHR(st.st_mode) || major(st.st_rdev) < PTS_MAJOR_FIRST ||
	    major(st.st_rdev) > PTS_MAJOR_LAST)
		return err_set(
			err, KIND_PERMISSION, EPERM,
			"the terminal's other end is not a pseudo terminal: operation not permitted");
	return take_fd(&fd);
}

/* The target is made or found without following a link, and the terminal is attached to it by fd (CVE-2026-88264). */
static int mount_on_console(struct inside *in, int slave, struct crun_error *err)
{
	_cleanup_close_ int dev = FD_NONE, target = FD_NONE, tree = FD_NONE;
	struct stat st;
	int r;

	dev = lookup_open(in->root_fd, "dev", O_PATH | O_DIRECTORY,
			  RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
	if (dev < 0)
		return err_sys(err, dev, "open `/dev`");
	r = sys_mknodat(dev, "console", S_IFREG | 0600, 0);
	if (r == -EROFS)
		return 0; /* a read-only root without a /dev of its own: the terminal is still on 0-2 */
	if (r < 0 && r != -EEXIST)
		return err_sys(err, r, "create `/dev/console`");
	target = sys_openat(dev, "console", O_PATH | O_NOFOLLOW, 0);
	if (target < 0)
		return err_sys(err, target, "open `/dev/console`");
	r = sys_fstatat(target, "", &st);
	if (r < 0)
		return err_sys(err, r, "stat `/dev/console`");
	if (S_ISLNK(st.st_mode) || S_ISDIR(st.st_mode))
		return err_set(err, KIND_PERMISSION, EPERM,
			       "`/dev/console` of the image is a %s: operation not permitted",
			       S_ISLNK(st.st_mode) ? "symbolic link" : "directory");
	if (in->old_mounts) {
		r = mount_old_bind(in->proc_fd, slave, target, false);
		return r < 0 ? err_sys(err, r, "bind the terminal to `/dev/console`") : 0;
	}
	tree = sys_open_tree(slave, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
	if (tree < 0)
		return err_sys(err, tree, "clone the terminal's mount");
	r = sys_move_mount(tree, target);
	if (r < 0)
		return err_sys(err, r, "mount the terminal on `/dev/console`");
	return 0;
}

/*
 * consoleSize, or for a foreground run the size of the terminal that the caller has on its streams, which are still ours: it must be
 * right when the payload begins, not a moment later.
 */
static int set_window_size(const struct inside *in, int slave, struct crun_error *err)
{
	const struct oci_console_size *size = in->plan->process.spec->console_size;
	struct winsize ws = {0};
	int r;

	if (size) {
		ws.ws_row = (unsigned short)size->height;
		ws.ws_col = (unsigned short)size->width;
	} else if (!in->plan->detach) {
		for (int fd = 0; fd <= 2 && ws.ws_col == 0; fd++)
			(void)sys_tty_get_size(fd, &ws);
	}
	if (ws.ws_row == 0 && ws.ws_col == 0)
		return 0;
	r = sys_tty_set_size(slave, &ws);
	return r < 0 ? err_sys(err, r, "set the terminal's size") : 0;
}

static int become_terminal(struct inside *in, int slave, struct crun_error *err)
{
	const struct plan_process *p = &in->plan->process;
	int r;

	r = set_window_size(in, slave, err);
	if (r < 0)
		return r;
	r = sys_fchownat(slave, "", p->uid, (gid_t)-1, AT_EMPTY_PATH);
	if (r < 0 && r != -EPERM && r != -EROFS)
		return err_sys(err, r, "chown the terminal to uid %u", p->uid);
	r = sys_tty_take_control(slave);
	if (r < 0)
		return err_sys(err, r, "make the terminal the controlling one");
	for (int fd = 0; fd <= 2; fd++) {
		r = sys_dup3(slave, fd, 0);
		if (r < 0)
			return err_sys(err, r, "dup the terminal to fd %d", fd);
	}
	return 0;
}

int phase_console(struct inside *in, struct crun_error *err)
{
	_cleanup_close_ int slave = FD_NONE;
	int r = open_master(in, err);

	if (r < 0)
		return r;
	slave = open_slave(in->console_fd, err);
	if (slave < 0)
		return slave;
	/* In a root that we share with others (no mount namespace) nothing may be mounted; /dev/console is init's terminal. */
	if (plan_ns_is_own(in->plan, NS_MNT) && !in->plan->exec) {
		r = mount_on_console(in, slave, err);
		if (r < 0)
			return r;
	}
	return become_terminal(in, slave, err);
}
