// SPDX-License-Identifier: Apache-2.0
// Programs of the host: what was opened is what is executed, whatever its path leads to by then.
#include "hooks/program.h"

#include "base/cleanup.h"
#include "hooks/child.h"
#include "host/idmaps.h"
#include "spawn/userns_holder.h"
#include "sys/anon.h"
#include "sys/file.h"
#include "sys/io.h"
#include "sys/process.h"

#include "../state/tempdir.h"
#include "../test.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

static struct tempdir dir;
static char text[4096];

static const char *at(const char *name)
{
	return in_dir(dir.path, name);
}

static void script(const char *name, const char *body)
{
	FILE *f = fopen(at(name), "we");

	if (!f)
		abort();
	fputs(body, f);
	fclose(f);
	chmod(at(name), 0755);
}

static void copy(const char *from, const char *name)
{
	FILE *in = fopen(from, "re"), *out = fopen(at(name), "we");
	size_t n;

	if (!in || !out)
		abort();
	while ((n = fread(text, 1, sizeof(text), in)) > 0)
		fwrite(text, 1, n, out);
	fclose(in);
	fclose(out);
	chmod(at(name), 0755);
}

/* Its exit status, with what it wrote to its standard error in TEXT; or a negative errno. */
static int start_and_wait(const struct host_program *p, char *const *argv)
{
	_cleanup_close_ int rd = FD_NONE, wr = FD_NONE;
	char *envp[] = {(char *)"PATH=/usr/bin:/bin", NULL};
	int fds[2], status = 0;
	ssize_t n;
	pid_t pid;

	if (sys_pipe(fds, 0) < 0)
		abort();
	rd = fds[0];
	wr = fds[1];
	pid = program_start(p, argv, envp, wr);
	if (pid < 0)
		return pid;
	close_fd(&wr);
	for (size_t len = 0; (n = read(rd, text + len, sizeof(text) - 1 - len)) > 0;) {
		len += (size_t)n;
		text[len] = '\0';
	}
	if (sys_waitpid(pid, &status, 0) < 0)
		abort();
	return WIFEXITED(status) ? WEXITSTATUS(status) : -ECHILD;
}

static int start(const struct host_program *p)
{
	char *argv[] = {(char *)p->path, NULL};

	text[0] = '\0';
	return start_and_wait(p, argv);
}

TEST(a_file_that_takes_its_place_is_not_executed)
{
	_cleanup_(program_close) struct host_program p;

	copy("/bin/false", "tool");
	CHECK_INT(program_open(dir.path, "tool", &p), 0);
	CHECK_STR(p.path, at("tool"));
	copy("/bin/true", "other");
	CHECK_INT(rename(at("other"), at("tool")), 0);
	CHECK_INT(start(&p), 1);
	unlink(at("tool"));
	CHECK_INT(start(&p), 1);
}

TEST(nor_is_a_script)
{
	_cleanup_(program_close) struct host_program p;

	script("tool", "#!/bin/sh\necho old >&2\n");
	CHECK_INT(program_open(dir.path, "tool", &p), 0);
	script("other", "#!/bin/sh\necho new >&2\n");
	CHECK_INT(rename(at("other"), at("tool")), 0);
	CHECK_INT(start(&p), 0);
	CHECK_STR(text, "old\n");
}

TEST(the_first_directory_that_has_it_wins)
{
	_cleanup_(program_close) struct host_program p;
	char dirs[2 * PATH_MAX];

	script("tool", "#!/bin/sh\n");
	snprintf(dirs, sizeof(dirs), "/nowhere %s /bin", dir.path);
	CHECK_INT(program_open(dirs, "tool", &p), 0);
	CHECK_STR(p.path, at("tool"));
	program_close(&p);
	CHECK_INT(program_open(dirs, "sh", &p), 0);
	CHECK_STR(p.path, "/bin/sh");
}

TEST(what_is_missing_says_so)
{
	struct host_program p;

	CHECK_INT(program_open("/nowhere /bin", "no-such-program", &p), -ENOENT);
	CHECK_INT(p.fd, FD_NONE);
	script("plain", "text");
	chmod(at("plain"), 0644);
	CHECK_INT(program_open(dir.path, "plain", &p), -EACCES);
	script("lost", "#!/no/such/interpreter\n");
	CHECK_INT(program_open(dir.path, "lost", &p), 0);
	CHECK_INT(start(&p), -ENOENT);
	program_close(&p);
}

static const char *fd_path(int fd)
{
	static char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return path;
}

static void interrupted(int sig)
{
	(void)sig;
}

TEST(it_gets_default_signals_and_not_its_descriptor)
{
	_cleanup_(program_close) struct host_program p;
	char *argv[] = {(char *)"me", (char *)"-c",
			(char *)"echo $0 >&2; sed -n /^Sig[BIC]/p /proc/self/status >&2;"
				"readlink /proc/self/fd/* >&2; true",
			(char *)"zero", NULL};
	struct sigaction ignore = {.sa_handler = SIG_IGN}, handle = {.sa_handler = interrupted};
	sigset_t set, saved;
	char path[PATH_MAX];

	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, &saved);
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGTERM, &handle, NULL);
	CHECK_INT(program_open("/bin", "sh", &p), 0);
	CHECK_INT(start_and_wait(&p, argv), 0);
	CHECK(strstr(text, "zero\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"
			   "SigCgt:\t0000000000000000\n") == text);
	/* The shell is not there as a descriptor. */
	CHECK_INT(sys_readlinkat(AT_FDCWD, fd_path(p.fd), path, sizeof(path)) > 0, 1);
	CHECK(strstr(text, "pipe:"));
	CHECK(!strstr(text, path));
	/* And ours are as they were. */
	sigprocmask(SIG_SETMASK, NULL, &set);
	CHECK_INT(sigismember(&set, SIGUSR1), 1);
	sigaction(SIGTERM, NULL, &ignore);
	CHECK(ignore.sa_handler == interrupted);
	sigprocmask(SIG_SETMASK, &saved, NULL);
}

/* As crun ps runs ps(1). */
TEST(a_watched_child_is_executed_by_its_descriptor)
{
	_cleanup_close_ int null = sys_openat(AT_FDCWD, "/dev/null", O_RDWR, 0);
	_cleanup_(program_close) struct host_program p;
	const char *argv[] = {"tool", NULL}, *envp[] = {NULL};
	struct hook_child c = {
		.argv = argv,
		.envp = envp,
		.cwd = "/",
		.stdin_fd = null,
		.stdout_fd = FD_NONE,
		.stderr_fd = FD_NONE,
	};
	struct crun_error err;

	script("tool", "#!/bin/sh\necho old\n");
	CHECK_INT(program_open(dir.path, "tool", &p), 0);
	script("other", "#!/bin/sh\necho new\n");
	CHECK_INT(rename(at("other"), at("tool")), 0);
	c.path = p.path;
	c.program_fd = p.fd;
	CHECK_INT(hook_child_run(&c, &err), 0);
	CHECK_INT(c.exec_errno, 0);
	CHECK_STR(c.tail, "old\n");
	c.program_fd = FD_NONE;
	CHECK_INT(hook_child_run(&c, &err), 0);
	CHECK_STR(c.tail, "new\n");
}

/* In a mount namespace of its own the directories that have the helpers get traps of the same names. */
static int map_among_traps(void)
{
	struct oci_id_mapping map = {.container_id = 0, .host_id = 0, .size = 1};
	struct launch_plan plan = {
		.id_map_writer = ID_MAP_HELPERS,
		.uid_map = &map,
		.gid_map = &map,
		.uid_map_len = 1,
		.gid_map_len = 1,
	};
	struct idmap_helpers helpers = IDMAP_HELPERS_NONE;
	struct userns_holder holder;
	struct crun_error err = {0};
	char path[64];
	int r;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return 2;
	if (idmaps_open_helpers(&helpers, &err) < 0)
		return 2;
	script("newuidmap", "#!/bin/busybox false\n");
	script("newgidmap", "#!/bin/busybox false\n");
	if (mount(at("newuidmap"), helpers.uid.path, NULL, MS_BIND, NULL) < 0 ||
	    mount(at("newgidmap"), helpers.gid.path, NULL, MS_BIND, NULL) < 0)
		return 2;
	if (userns_holder_begin(&holder, &err) < 0)
		return 2;
	r = idmaps_write(&plan, &helpers, holder.pid, NULL, &err);
	if (r == 0) {
		snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)holder.pid);
		if (io_read_file_at(AT_FDCWD, path, text, sizeof(text)) <= 0)
			r = -EIO;
	} else {
		fprintf(stderr, "# %s\n", err.text);
	}
	userns_holder_end(&holder);
	idmaps_close_helpers(&helpers);
	return r != 0;
}

TEST(helpers_for_id_maps_are_those_that_were_there_at_first)
{
	struct idmap_helpers helpers = IDMAP_HELPERS_NONE;
	struct crun_error err;
	int r = idmaps_open_helpers(&helpers, &err), status;
	pid_t pid;

	idmaps_close_helpers(&helpers);
	if (r < 0)
		SKIP("newuidmap is not installed");
	if (geteuid() != 0)
		SKIP("mounts in a namespace of its own: for root only");
	pid = fork();
	if (pid == 0)
		_exit(map_among_traps());
	CHECK(sys_waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status));
	if (WEXITSTATUS(status) == 2)
		SKIP("no mount or user namespace can be made here");
	CHECK_INT(WEXITSTATUS(status), 0);
}

int main(void)
{
	int r;

	dir = tempdir_make();
	r = test_run_all();
	tempdir_remove(&dir);
	return r;
}
