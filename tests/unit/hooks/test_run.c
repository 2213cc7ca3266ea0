// SPDX-License-Identifier: Apache-2.0
// Hooks as programs see them: stdin, environment, directory, descriptors, signals, and how their failures read.
#include "hooks/run.h"

#include "base/cleanup.h"
#include "host/lifecycle_hooks.h"

#include "../test.h"
#include "../without.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char dir[] = "/tmp/crun-hooks-XXXXXX";
static struct crun_error err;

static struct oci_string_pair annotations[3] = {{"a/b", "c/d \"q\""}};
static struct oci_string_map annotation_map = {annotations, 1};

static const char *in_dir(const char *name)
{
	static char path[4][128];
	static int n;

	n = (n + 1) % 4;
	snprintf(path[n], sizeof(path[n]), "%s/%s", dir, name);
	return path[n];
}

static struct hook_state state(void)
{
	annotation_map.len = 1;
	return (struct hook_state){
		.oci_version = "1.3.0",
		.id = "box",
		.bundle = dir,
		.root = "/b/rootfs",
		.pid = 4711,
		.annotations = &annotation_map,
	};
}

/* Runs `sh -c SCRIPT` as the only hook of STAGE. */
static int run_script(const char *stage, const char *script, const char **env, size_t env_len,
		      int timeout, const struct hook_state *st)
{
	const char *args[] = {"sh", "-c", script};
	struct oci_hook hook = {
		.path = "/bin/sh",
		.args = args,
		.args_len = 3,
		.env = env,
		.env_len = env_len,
		.has_timeout = timeout > 0,
		.timeout = timeout,
	};

	memset(&err, 0, sizeof(err));
	return hooks_run_list(stage, &hook, 1, st, NULL, &err);
}

static const char *content(const char *name)
{
	static char buf[65536];
	int fd = open(in_dir(name), O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, buf, sizeof(buf) - 1);

	close(fd);
	buf[n < 0 ? 0 : n] = '\0';
	return buf;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

TEST(stdin_is_the_state)
{
	struct hook_state st = state();
	const char *env[] = {"PATH=/usr/bin:/bin"};

	CHECK_INT(run_script("createRuntime", "cat > state", env, 1, 0, &st), 0);
	CHECK(strstr(content("state"), "{\"ociVersion\":\"1.3.0\",\"id\":\"box\",") != NULL);
	CHECK(strstr(content("state"), "\"status\":\"creating\",\"pid\":4711,") != NULL);
	CHECK(strstr(content("state"), "\"root\":\"/b/rootfs\"") != NULL);
	CHECK(strstr(content("state"), "\"annotations\":{\"a/b\":\"c/d \\\"q\\\"\"}}") != NULL);
	CHECK(strchr(content("state"), '\n') == NULL);
}

TEST(status_follows_the_lifecycle)
{
	CHECK_STR(hooks_status("prestart"), "creating");
	CHECK_STR(hooks_status("createContainer"), "creating");
	CHECK_STR(hooks_status("startContainer"), "created");
	CHECK_STR(hooks_status("poststart"), "running");
	CHECK_STR(hooks_status("poststop"), "stopped");
	CHECK(hooks_status("nonsense") == NULL);
}

TEST(a_stopped_container_has_no_pid)
{
	struct hook_state st = state();

	st.pid = 0;
	CHECK_INT(run_script("poststop", "cat > state", NULL, 0, 0, &st), 0);
	CHECK(strstr(content("state"), "\"pid\"") == NULL);
	CHECK(strstr(content("state"), "\"status\":\"stopped\"") != NULL);
}

TEST(a_large_state_arrives_whole_and_unread_is_no_failure)
{
	struct hook_state st = state();
	size_t len = 3 << 20;
	_cleanup_free_ char *big = malloc(len + 1);

	CHECK(big != NULL);
	memset(big, 'x', len);
	big[len] = '\0';
	annotations[1] = (struct oci_string_pair){"big", big};
	annotation_map.len = 2;
	CHECK_INT(run_script("createRuntime", "wc -c > count", NULL, 0, 0, &st), 0);
	CHECK(strtol(content("count"), NULL, 10) > (long)len);
	CHECK_INT(run_script("createRuntime", "exit 0", NULL, 0, 0, &st), 0);
}

TEST(environment)
{
	struct hook_state st = state();
	const char *env[] = {"A=1", "PATH=/usr/bin:/bin"};
	const char *none[] = {NULL};

	setenv("CRUN_TEST_LEAK", "1", 1);
	CHECK_INT(run_script("createRuntime", "env > env", env, 2, 0, &st), 0);
	CHECK(strstr(content("env"), "A=1\n") != NULL);
	CHECK(strstr(content("env"), "CRUN_TEST_LEAK") == NULL);
	/* Absent on the host side: the runtime's; present and empty: empty. */
	CHECK_INT(run_script("createRuntime", "env > env", NULL, 0, 0, &st), 0);
	CHECK(strstr(content("env"), "CRUN_TEST_LEAK=1\n") != NULL);
	CHECK_INT(run_script("createRuntime", "/usr/bin/env > env", none, 0, 0, &st), 0);
	CHECK(strstr(content("env"), "CRUN_TEST_LEAK") == NULL);
}

TEST(a_hook_beside_the_image_inherits_nothing)
{
	struct hook_state st = state();
	char script[256];

	setenv("LD_PRELOAD_X", "evil", 1);
	snprintf(script, sizeof(script), "/usr/bin/env > %s; pwd >> %s", in_dir("env"),
		 in_dir("env"));
	CHECK_INT(run_script("createContainer", script, NULL, 0, 0, &st), 0);
	CHECK(strstr(content("env"), "LD_PRELOAD_X") == NULL);
	/* The last line is the directory. */
	CHECK(strstr(content("env"), "\n/\n") != NULL);
	CHECK_INT(run_script("startContainer", script, NULL, 0, 0, &st), 0);
	CHECK(strstr(content("env"), "LD_PRELOAD_X") == NULL);
	unsetenv("LD_PRELOAD_X");
}

TEST(a_missing_bundle_does_not_matter)
{
	struct hook_state st = state();
	char script[256];

	st.bundle = "/nonexistent/bundle";
	snprintf(script, sizeof(script), "pwd > %s", in_dir("cwd"));
	CHECK_INT(run_script("createRuntime", script, NULL, 0, 0, &st), 0);
	CHECK_STR(content("cwd"), "/\n");
}

TEST(args_default_to_the_path)
{
	struct hook_state st = state();
	struct oci_hook hook = {.path = "/bin/true"};

	CHECK_INT(hooks_run_list("prestart", &hook, 1, &st, NULL, &err), 0);
}

TEST(no_descriptor_leaks)
{
	struct hook_state st = state();
	int leak = open("/", O_RDONLY | O_DIRECTORY);

	CHECK(leak >= 0);
	CHECK(dup2(leak, 200) == 200);
	CHECK_INT(run_script("createRuntime", "ls -l /proc/self/fd > fds", NULL, 0, 0, &st), 0);
	close(leak);
	close(200);
	/* 0, 1, 2 and ls's own directory, which is 3. */
	CHECK(strstr(content("fds"), " 3 -> ") != NULL);
	CHECK(strstr(content("fds"), " 4 -> ") == NULL);
	CHECK(strstr(content("fds"), " 200 -> ") == NULL);
}

static void dispose(int sig, void (*handler)(int))
{
	struct sigaction sa = {.sa_handler = handler};

	sigaction(sig, &sa, NULL);
}

TEST(signals_are_default)
{
	struct hook_state st = state();
	sigset_t set, old;

	dispose(SIGPIPE, SIG_IGN);
	dispose(SIGCHLD, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, &old);
	/* Not by the shell, which looks at signals itself. */
	CHECK_INT(run_script("createRuntime", "exec grep -E 'Sig(Blk|Ign)' /proc/self/status > sig",
			     NULL, 0, 0, &st),
		  0);
	sigprocmask(SIG_SETMASK, &old, NULL);
	dispose(SIGPIPE, SIG_DFL);
	dispose(SIGCHLD, SIG_DFL);
	CHECK_STR(content("sig"), "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST(an_exit_status_is_reported_with_the_last_words)
{
	struct hook_state st = state();

	CHECK(run_script("createRuntime", "echo first >&2; echo 'no such device' >&2; exit 3", NULL,
			 0, 0, &st) < 0);
	CHECK_INT(err.kind, KIND_HOOK);
	CHECK_STR(err.text,
		  "createRuntime hook 0 `/bin/sh` failed with exit status 3: no such device");
	CHECK_STR(err.at, "/hooks/createRuntime/0");
}

TEST(in_the_container_stdout_counts_as_well)
{
	struct hook_state st = state();

	CHECK(run_script("startContainer", "echo words; exit 1", NULL, 0, 0, &st) < 0);
	CHECK_STR(err.text, "startContainer hook 0 `/bin/sh` failed with exit status 1: words");
}

TEST(much_output_neither_blocks_nor_floods)
{
	struct hook_state st = state();

	CHECK(run_script(
		      "createRuntime",
		      "i=0; while [ $i -lt 5000 ]; do echo 'a line of some length, to fill the pipe' "
		      ">&2; i=$((i+1)); done; printf '%01000d' 7 >&2; exit 1",
		      NULL, 0, 20, &st) < 0);
	CHECK_INT(err.kind, KIND_HOOK);
	CHECK(strlen(err.text) < 700);
	CHECK(strstr(err.text, "0007") != NULL);
}

TEST(a_signal_is_reported)
{
	struct hook_state st = state();

	CHECK(run_script("poststart", "kill -9 $$", NULL, 0, 0, &st) < 0);
	CHECK_INT(err.kind, KIND_HOOK);
	CHECK_STR(err.text, "poststart hook 0 `/bin/sh` was killed by signal 9");
}

TEST(what_cannot_be_executed_is_reported)
{
	struct hook_state st = state();
	struct oci_hook hooks[] = {{.path = "/bin/true"}, {.path = "/nonexistent/hook"}};

	CHECK_INT(hooks_run_list("prestart", hooks, 2, &st, NULL, &err), -ENOENT);
	CHECK_INT(err.kind, KIND_HOOK);
	CHECK(strstr(err.text, "prestart hook 1 `/nonexistent/hook`: No such file") != NULL);
	CHECK_STR(err.at, "/hooks/prestart/1");
}

TEST(what_keeps_a_hook_from_being_run_says_which_one)
{
	struct hook_state st = state();
	struct oci_hook hooks[] = {{.path = "/bin/true"}, {.path = "/bin/true"}};
	struct rlimit old, none;
	int r;

	CHECK_INT(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = old.rlim_max};
	CHECK_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
	r = hooks_run_one("poststop", hooks, 1, &st, NULL, &err);
	CHECK_INT(setrlimit(RLIMIT_NOFILE, &old), 0);
	CHECK_INT(r, -EMFILE);
	CHECK_STR(err.at, "/hooks/poststop/1");
}

TEST(the_first_failure_ends_the_list)
{
	struct hook_state st = state();
	const char *args[] = {"touch", "ran"};
	struct oci_hook hooks[] = {{.path = "/bin/false"},
				   {.path = "/usr/bin/touch", .args = args, .args_len = 2}};
	struct oci_hooks all = {.poststop = hooks, .poststop_len = 2};

	CHECK(hooks_run_list("createRuntime", hooks, 2, &st, NULL, &err) < 0);
	CHECK(access(in_dir("ran"), F_OK) < 0);
	/* poststop is the exception. */
	lifecycle_hooks_poststop(&all, &st, NULL);
	CHECK(access(in_dir("ran"), F_OK) == 0);
}

TEST(a_timeout_kills_the_whole_group)
{
	struct hook_state st = state();
	double begin = now();
	int status = 0;
	pid_t pid;

	/* What the hook leaves behind becomes ours, or nobody here could wait for its end. */
	CHECK_INT(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	CHECK_INT(run_script("createRuntime",
			     "sleep 60 & echo $! > group; echo stuck >&2; sleep 60", NULL, 0, 1,
			     &st),
		  -ETIMEDOUT);
	CHECK(now() - begin < 30);
	CHECK_INT(err.kind, KIND_TIMEOUT);
	CHECK(strstr(err.text, "not done after 1 seconds: stuck") != NULL);
	pid = (pid_t)strtol(content("group"), NULL, 10);
	/* The shell may have collected it on the way to its own end. */
	if (waitpid(pid, &status, 0) == pid)
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	else
		CHECK(errno == ECHILD && kill(pid, 0) < 0);
	CHECK_INT(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
}

TEST(a_background_process_does_not_hang_us)
{
	struct hook_state st = state();
	double begin = now();

	CHECK_INT(run_script("createRuntime", "sleep 60 & echo $! > bg; exit 0", NULL, 0, 0, &st),
		  0);
	CHECK(now() - begin < 30);
	/* ... and lives on. */
	CHECK_INT(kill((pid_t)strtol(content("bg"), NULL, 10), SIGKILL), 0);
}

TEST(output_goes_to_the_files_of_the_annotations)
{
	struct hook_state st = state();
	_cleanup_free_ char *out = strdup(in_dir("out.log")), *errs = strdup(in_dir("err.log"));

	annotations[1] = (struct oci_string_pair){"run.oci.hooks.stdout", out};
	annotations[2] = (struct oci_string_pair){"run.oci.hooks.stderr", errs};
	annotation_map.len = 3;
	CHECK_INT(run_script("createRuntime", "echo one; echo two >&2", NULL, 0, 0, &st), 0);
	CHECK_INT(run_script("createRuntime", "echo one", NULL, 0, 0, &st), 0);
	CHECK_STR(content("out.log"), "one\none\n");
	CHECK_STR(content("err.log"), "two\n");
	/* Not inside the container, where the path would be the image's. */
	CHECK_INT(run_script("createContainer", "echo three", NULL, 0, 0, &st), 0);
	CHECK_STR(content("out.log"), "one\none\n");
}

/* The last, for it takes the call away for good. A tmpfs refuses seals in another way than other file systems. */
TEST(without_memfd_create_stdin_is_an_ordinary_file)
{
	struct hook_state st = state();
	const char *env[] = {"PATH=/usr/bin:/bin"};

	without_call(SYS_memfd_create);
	CHECK_INT(run_script("createRuntime", "cat > state", env, 1, 0, &st), 0);
	CHECK(strstr(content("state"), "{\"ociVersion\":\"1.3.0\",\"id\":\"box\",") != NULL);
}

int main(void)
{
	const char *args[] = {"rm", "-rf", dir};
	struct oci_hook cleanup = {.path = "/bin/rm", .args = args, .args_len = 3};
	struct hook_state st = {.id = "box", .bundle = "/"};
	int r;

	if (!mkdtemp(dir))
		return 1;
	r = test_run_all();
	return hooks_run_list("poststop", &cleanup, 1, &st, NULL, &err) < 0 ? 1 : r;
}
