// SPDX-License-Identifier: Apache-2.0
// The LSM label of the payload, set for its execve through an fd of our own attribute file, and read back: fail closed.
#include "init/inside/phase.h"

#include "base/str.h"
#include "sys/io.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static int write_label(int fd, const char *what, const char *text, struct crun_error *err)
{
	ssize_t n = write(fd, text, strlen(text));

	if (n == (ssize_t)strlen(text))
		return 0;
	/* Engines look for the path in back-quotes. */
	return err_sys(err, n < 0 ? -errno : -EIO, "set the %s `%s`: write `/proc/self/attr/exec`",
		       what, text);
}

int phase_lsm(struct inside *in, struct crun_error *err)
{
	const struct oci_process *p = in->plan->config->process;
	char text[512], now[512];
	ssize_t n;
	int r;

	if (p->apparmor_profile && p->apparmor_profile[0]) {
		snprintf(text, sizeof(text), "exec %s", p->apparmor_profile);
		r = write_label(in->label_fd, "AppArmor profile", text, err);
		if (r < 0)
			return err_at(err, "/process/apparmorProfile");
		snprintf(text, sizeof(text), "%s", p->apparmor_profile);
	} else {
		snprintf(text, sizeof(text), "%s", p->selinux_label);
		r = write_label(in->label_fd, "SELinux label", text, err);
		if (r < 0)
			return err_at(err, "/process/selinuxLabel");
	}
	n = pread(in->label_fd, now, sizeof(now) - 1, 0);
	if (n < 0)
		return err_sys(err, -errno, "read back `/proc/self/attr/exec`");
	now[n] = '\0';
	/* AppArmor adds its mode, as in "name (enforce)"; the name must end where the text does. */
	if (!str_after(now, text) || !strchr(" \n", *str_after(now, text)))
		return err_set(err, KIND_PERMISSION, EPERM,
			       "the label of `/proc/self/attr/exec` is `%s` after writing `%s`: "
			       "operation not permitted",
			       now, text);
	return 0;
}
