// SPDX-License-Identifier: Apache-2.0
// The files of our own process that a label is written to and that the self-audit reads: the kernel's, or none.
#include "init/outside/phase.h"

#include "base/cleanup.h"

#include "../test.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static struct oci_process process;
static struct oci_config config = {.process = &process};
static struct launch_plan plan = {.config = &config};
static struct outside o;
static struct crun_error err;

static void begin(const char *proc)
{
	o = (struct outside){.plan = &plan, .label_fd = FD_NONE, .status_fd = FD_NONE};
	o.proc_fd = open(proc, O_PATH | O_DIRECTORY | O_CLOEXEC);
	process.apparmor_profile = NULL;
	plan.facts.apparmor = false;
	memset(&err, 0, sizeof(err));
}

static void end(void)
{
	close_fd(&o.label_fd);
	close_fd(&o.status_fd);
	close_fd(&o.proc_fd);
}

static bool is_open_at(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

TEST(the_files_are_those_of_our_process)
{
	const char *file = "/proc/self/attr/exec";

	if (access(file, F_OK) < 0)
		SKIP("the kernel has no security modules");
	begin("/proc");
	CHECK_INT(phase_label(&o, &err), 0);
	CHECK(is_open_at(o.label_fd, file));
	close_fd(&o.label_fd);
	/* AppArmor has one of its own since Linux 5.1, for the other may be somebody else's. */
	process.apparmor_profile = "some";
	plan.facts.apparmor = true;
	if (access("/proc/self/attr/apparmor/exec", F_OK) == 0)
		file = "/proc/self/attr/apparmor/exec";
	CHECK_INT(phase_label(&o, &err), 0);
	CHECK(is_open_at(o.label_fd, file));
	CHECK_INT(phase_status(&o, &err), 0);
	CHECK(is_open_at(o.status_fd, "/proc/self/status"));
	end();
}

TEST(without_a_procfs_there_is_an_error_and_no_file)
{
	begin("/tmp");
	CHECK(phase_label(&o, &err) < 0);
	CHECK_INT(o.label_fd, FD_NONE);
	CHECK(strstr(err.text, "`/proc/self/attr/exec`"));
	memset(&err, 0, sizeof(err));
	CHECK(phase_status(&o, &err) < 0);
	CHECK_INT(o.status_fd, FD_NONE);
	CHECK(strstr(err.text, "`/proc/self/status`"));
	end();
}

/* CVE-2019-16884: a label that goes to a file of the image is in force nowhere. */
TEST(what_lies_over_the_files_is_not_opened)
{
	if (access("/proc/self/attr/exec", F_OK) < 0)
		SKIP("the kernel has no security modules");
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		SKIP("mounts take root");
	CHECK_INT(mount("/dev/null", "/proc/self/attr/exec", NULL, MS_BIND, NULL), 0);
	CHECK_INT(mount("/dev/null", "/proc/self/status", NULL, MS_BIND, NULL), 0);
	begin("/proc");
	CHECK_INT(phase_label(&o, &err), -EXDEV);
	CHECK_INT(o.label_fd, FD_NONE);
	CHECK_INT(phase_status(&o, &err), -EXDEV);
	CHECK_INT(o.status_fd, FD_NONE);
	end();
}

TEST_MAIN()
