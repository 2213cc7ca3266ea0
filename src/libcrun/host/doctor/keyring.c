// SPDX-License-Identifier: Apache-2.0
// crun doctor: the quota of keys, which each container's session keyring counts for.
#include "host/doctor/doctor.h"

#include "base/cleanup.h"
#include "host/doctor/parse.h"
#include "spawn/probe.h"
#include "sys/io.h"
#include "sys/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#define USERS "/proc/key-users"
/* Percent of the quota from which on a person should know. */
#define NEARLY 90

static int join(const void *arg, char text[PROBE_TEXT])
{
	(void)arg;
	snprintf(text, PROBE_TEXT, "keyctl(KEYCTL_JOIN_SESSION_KEYRING)");
	return sys_keyring_join(NULL);
}

static const char *how_to_raise(struct doctor *d)
{
	const char *root = d->facts.euid == 0 ? "root_" : "";

	return doctor_text(
		d,
		"As root, now and for every boot:\n"
		"    sysctl -w kernel.keys.%smaxkeys=2000 kernel.keys.%smaxbytes=200000\n"
		"    printf 'kernel.keys.%smaxkeys=2000\\nkernel.keys.%smaxbytes=200000\\n' "
		">/etc/sysctl.d/92-keys.conf\n"
		"or have crun make none, with --no-new-keyring (Podman: `keyring = false` "
		"below `[containers]` in containers.conf).",
		root, root, root, root);
}

static void check_quota(struct doctor *d)
{
	struct doctor_keys k;
	char text[16384];
	const char *found;

	/* The kernel counts by the user id as the initial user namespace knows it; the file shows ours. */
	if (io_read_file_at(AT_FDCWD, USERS, text, sizeof(text)) < 0 ||
	    !doctor_parse_key_users(text, d->facts.euid, &k) || k.max_keys == 0)
		return;
	found = doctor_text(d, USERS ": uid %u has %llu of %llu keys, %llu of %llu bytes",
			    d->facts.euid, (unsigned long long)k.keys,
			    (unsigned long long)k.max_keys, (unsigned long long)k.bytes,
			    (unsigned long long)k.max_bytes);
	if (k.keys * 100 < k.max_keys * NEARLY && k.bytes * 100 < k.max_bytes * NEARLY)
		doctor_ok(d, "keyring.quota", "%s", found);
	else
		doctor_add(
			d, DOCTOR_WARNING, "keyring.quota", found,
			"Each container has a session keyring: soon none is started, with \"Disk "
			"quota exceeded\".",
			how_to_raise(d));
}

void doctor_keyring(struct doctor *d)
{
	const struct probe p = {.cgroup_fd = FD_NONE, .run = join};
	char text[PROBE_TEXT];
	int r = probe_run(&p, text);

	check_quota(d);
	if (r >= 0)
		doctor_ok(d, "keyring.session", "keyctl: a session keyring was made");
	else if (r == -ENOSYS)
		doctor_add(
			d, DOCTOR_NOTE, "keyring.session", doctor_failure(d, text, r),
			"Containers keep the session keyring of whoever starts them, if there is any.",
			"Run a kernel that was built with CONFIG_KEYS.");
	else
		doctor_add(d, r == -EDQUOT ? DOCTOR_PROBLEM : DOCTOR_NOTE, "keyring.session",
			   doctor_failure(d, text, r),
			   r == -EDQUOT
				   ? "No container is started, for each has a session keyring."
				   : "Containers keep the session keyring of whoever starts them.",
			   r == -EDQUOT
				   ? how_to_raise(d)
				   : "Allow keyctl in the seccomp profile of the container around "
				     "crun.");
}
