// SPDX-License-Identifier: Apache-2.0
// The LSM label of the payload, set for its execve through an fd of our own attribute file, and read back: fail closed.
#include "init/inside/phase.h"

#include "fs/label.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int write_label(int fd, const char *text, const char *what, const char *label,
		       struct crun_error *err)
{
	ssize_t n = write(fd, text, strlen(text));

	if (n == (ssize_t)strlen(text))
		return 0;
	/* Engines look for the path in back-quotes. */
	return err_sys(err, n < 0 ? -errno : -EIO, "set the %s `%s`: write `/proc/self/attr/exec`",
		       what, label);
}

static int set_label(int fd, bool is_apparmor, const char *label, struct crun_error *err)
{
	char text[LABEL_MAX], now[LABEL_MAX];
	int n = snprintf(text, sizeof(text), "%s%s", is_apparmor ? "exec " : "", label), r;

	/* Cut off it would be the name of something else. */
	if (n < 0 || (size_t)n >= sizeof(text))
		return err_set(err, KIND_SPEC, ENAMETOOLONG,
			       "the label is longer than the kernel takes: File name too long");
	r = write_label(fd, text, is_apparmor ? "AppArmor profile" : "SELinux label", label, err);
	if (r < 0)
		return r;
	r = label_read(fd, now, sizeof(now));
	if (r < 0)
		return err_sys(err, r, "read back `/proc/self/attr/exec`");
	if (is_apparmor ? label_is_apparmor(label, now) : label_is_selinux(label, now))
		return 0;
	return err_set(
		err, KIND_PERMISSION, EPERM,
		"the label of `/proc/self/attr/exec` is `%s` after writing `%s`: operation not "
		"permitted",
		now, label);
}

int phase_lsm(struct inside *in, struct crun_error *err)
{
	const struct oci_process *p = in->plan->config->process;
	bool is_apparmor = plan_label_is_apparmor(in->plan);
	int r = set_label(in->label_fd, is_apparmor,
			  is_apparmor ? p->apparmor_profile : p->selinux_label, err);

	if (r < 0)
		return err_at(err, "/process/%s", is_apparmor ? "apparmorProfile" : "selinuxLabel");
	return 0;
}
