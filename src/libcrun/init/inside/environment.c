// SPDX-License-Identifier: Apache-2.0
// The variables that the configuration leaves to us: HOME from the image's passwd file, and the socket activation protocol.
#include "init/inside/phase.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "fs/inroot.h"
#include "sys/file.h"
#include "sys/io.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* An image's passwd file is hostile: a FIFO, a device, endless. What lies beyond this is not looked at. */
#define PASSWD_MAX (256 * 1024)

static bool has_variable(const struct plan_process *p, const char *prefix)
{
	for (size_t i = 0; p->envp[i]; i++) {
		if (str_after(p->envp[i], prefix))
			return true;
	}
	return false;
}

static void add_variable(const struct plan_process *p, const char *text)
{
	size_t n = 0;

	while (p->envp[n])
		n++;
	p->envp[n] = text; /* plan/process.c left room for these */
	p->envp[n + 1] = NULL;
}

/* Field 5 (from 0) of the line whose field 2 is UID: name:password:uid:gid:comment:home:shell (passwd(5)). In-place. */
static const char *home_in_passwd(char *text, uid_t uid)
{
	char *line, *rest = text;

	while ((line = strsep(&rest, "\n"))) {
		char *field[6] = {0};
		uint64_t id;
		size_t n = 0;

		while (n < ARRAY_LEN(field) && line)
			field[n++] = strsep(&line, ":");
		if (n == ARRAY_LEN(field) && str_to_u64(field[2], UINT32_MAX, &id) == 0 &&
		    id == uid && field[5][0] == '/')
			return field[5];
	}
	return NULL;
}

/*
 * The text of the image's passwd file, which the caller frees; *ret is NULL when there is none that could be read. What the machine lacks is
 * not that, but an error: the payload would have another HOME each time.
 */
static int read_passwd(int root_fd, char **ret)
{
	_cleanup_close_ int fd =
		inroot_open(root_fd, "etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY);
	_cleanup_free_ char *text = NULL;
	struct stat st;
	ssize_t n;
	int r = fd < 0 ? fd : sys_fstatat(fd, "", &st);

	*ret = NULL;
	if (r < 0 || !S_ISREG(st.st_mode))
		return err_is_lack(r) ? r : 0;
	text = malloc(PASSWD_MAX);
	if (!text)
		return -ENOMEM;
	n = io_read_full(fd, text, PASSWD_MAX - 1);
	if (n < 0)
		return err_is_lack((int)n) ? (int)n : 0;
	text[n] = '\0';
	*ret = take_ptr(text);
	return 0;
}

static int add_home(struct inside *in, struct crun_error *err)
{
	_cleanup_free_ char *text = NULL;
	int r = read_passwd(in->root_fd, &text);
	const char *home = text ? home_in_passwd(text, in->plan->process.uid) : NULL;
	char *variable;

	if (r < 0)
		return err_sys(err, r, "set HOME: read `/etc/passwd` in the container");
	variable = str_printf("HOME=%s", home ? home : "/");
	if (!variable)
		return err_sys(err, -ENOMEM, "set HOME");
	add_variable(&in->plan->process, variable);
	return 0;
}

int phase_environment(struct inside *in, struct crun_error *err)
{
	const struct plan_process *p = &in->plan->process;
	int r;

	if (!has_variable(p, "HOME=")) {
		r = add_home(in, err);
		if (r < 0)
			return r;
	}
	if (p->listen_fds && !has_variable(p, "LISTEN_FDS=")) {
		char *variable = str_printf("LISTEN_FDS=%u", p->listen_fds);

		if (!variable)
			return err_sys(err, -ENOMEM, "set LISTEN_FDS");
		add_variable(p, variable);
	}
	/* sd_listen_fds(3) compares it with the payload's own pid, which is 1 in a pid namespace of its own. */
	if (p->listen_fds && !has_variable(p, "LISTEN_PID="))
		add_variable(p, "LISTEN_PID=1");
	if (in->plan->notify_dir)
		add_variable(p, "NOTIFY_SOCKET=" PLAN_NOTIFY_DIR "/" PLAN_NOTIFY_SOCKET);
	return 0;
}
