// SPDX-License-Identifier: Apache-2.0
// What is written to the LSM attribute and what is made of the kernel's answer, with a file in the place of attr/exec.
#include "inside_fixture.h"

#include <errno.h>
#include <sys/mman.h>

/* The answer is at the beginning; what is written goes behind it, because the kernel's file has no position to speak of. */
#define WRITTEN 8192

static struct oci_config config;
static struct oci_process process;
static char written[8192];

/* Runs the phase with a file that answers ANSWER; its result, with what it wrote in `written`. */
static int ask(const char *apparmor, const char *selinux, bool has_apparmor, const char *answer)
{
	int fd = memfd_create("attr", MFD_CLOEXEC), r;
	ssize_t n;

	process = (struct oci_process){.apparmor_profile = apparmor, .selinux_label = selinux};
	config = (struct oci_config){.process = &process};
	plan = (struct launch_plan){.config = &config};
	plan.facts.apparmor = has_apparmor;
	plan.facts.selinux = !has_apparmor;
	in = (struct inside){.plan = &plan, .label_fd = fd};
	memset(&err, 0, sizeof(err));
	if (fd < 0 || write(fd, answer, strlen(answer)) < 0 || lseek(fd, WRITTEN, SEEK_SET) < 0)
		perror("memfd");
	r = phase_lsm(&in, &err);
	n = pread(fd, written, sizeof(written) - 1, WRITTEN);
	written[n < 0 ? 0 : n] = '\0';
	close(fd);
	return r;
}

TEST(apparmor)
{
	CHECK_INT(ask("crun-default", NULL, true, "crun-default (enforce)\n"), 0);
	CHECK_STR(written, "exec crun-default");
	CHECK_INT(ask("unconfined", NULL, true, "unconfined\n"), 0);
	CHECK_STR(written, "exec unconfined");
}

TEST(selinux)
{
	CHECK_INT(ask(NULL, "u:r:t:s0:c1,c2", false, "u:r:t:s0:c1,c2"), 0);
	CHECK_STR(written, "u:r:t:s0:c1,c2");
	CHECK_INT(ask("", "u:r:t:s0:c2,c1", false, "u:r:t:s0:c1,c2"), 0);
}

/* Engines send both: the one that the host's kernel knows counts. */
TEST(both_labels)
{
	CHECK_INT(ask("p", "u:r:t:s0", true, "p (enforce)\n"), 0);
	CHECK_STR(written, "exec p");
	CHECK_INT(ask("p", "u:r:t:s0", false, "u:r:t:s0"), 0);
	CHECK_STR(written, "u:r:t:s0");
}

TEST(another_label_than_asked_for_fails)
{
	static const char *const answers[] = {
		"", "\n", "unconfined\n", "p2 (enforce)\n", "exec p", "p (enforce) q"};

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		CHECK_INT(ask("p", NULL, true, answers[i]), -EPERM);
		CHECK_STR(err.at, "/process/apparmorProfile");
		CHECK_INT(err.kind, KIND_PERMISSION);
	}
	CHECK_INT(ask("unconfined", NULL, true, "unconfined_foo (enforce)\n"), -EPERM);
	CHECK_STR(err.text, "the label of `/proc/self/attr/exec` is `unconfined_foo (enforce)` "
			    "after writing `unconfined`: operation not permitted");
	CHECK_INT(ask(NULL, "u:r:t:s0:c1", false, "u:r:t:s0"), -EPERM);
	CHECK_STR(err.at, "/process/selinuxLabel");
}

TEST(a_label_that_would_be_cut_off)
{
	static char name[5001];

	memset(name, 'x', sizeof(name) - 1);
	CHECK_INT(ask(name, NULL, true, name), -ENAMETOOLONG);
	CHECK_STR(written, "");
	CHECK_INT(ask(NULL, name, false, name), -ENAMETOOLONG);
	name[1000] = '\0';
	CHECK_INT(ask(name, NULL, true, name), 0);
}

TEST(a_file_that_cannot_be_written)
{
	int fds[2];

	CHECK_INT(ask("p", NULL, true, ""), -EPERM);
	CHECK_INT(pipe(fds), 0);
	in.label_fd = fds[0];
	CHECK_INT(phase_lsm(&in, &err), -EBADF);
	CHECK_STR(err.text, "set the AppArmor profile `p`: write `/proc/self/attr/exec`: Bad file "
			    "descriptor");
	/* Writing works, reading does not. */
	in.label_fd = fds[1];
	CHECK(phase_lsm(&in, &err) < 0);
	close(fds[0]);
	close(fds[1]);
}

TEST_MAIN()
