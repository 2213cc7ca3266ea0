// SPDX-License-Identifier: Apache-2.0
// start, state, kill, delete and list on containers whose init process is a child of the test, without a cgroup.
#include "libcrun.h"

#include "../test.h"
#include "base/cleanup.h"
#include "state/gate.h"
#include "state/liveness.h"
#include "sync/channel.h"
#include "tempdir.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

static struct crun_error err;

enum init_does {
	INIT_SLEEP,  /* never accepts */
	INIT_EXEC,   /* reads START, then executes a payload, which ends the connection */
	INIT_FAIL,   /* reads START and reports a failure */
	INIT_VANISH, /* dies with the connection accepted and START unread */
};

static void init_main(enum init_does does, int gate)
{
	struct channel ch = {.fd = FD_NONE, .peer = "the runtime"};
	struct crun_error failure;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* A payload is what somebody has executed. */
	if (does == INIT_SLEEP) {
		execlp("sleep", "sleep", "1000", NULL);
		_exit(127);
	}
	ch.fd = accept4(gate, NULL, NULL, SOCK_CLOEXEC);
	close(gate);
	if (does == INIT_VANISH) {
		/* Until there is something to leave unread. */
		poll(&(struct pollfd){.fd = ch.fd, .events = POLLIN}, 1, -1);
		_exit(1);
	}
	if (channel_expect(&ch, MSG_START, NULL, NULL, &failure) < 0)
		_exit(1);
	if (does == INIT_FAIL) {
		err_set(&failure, KIND_HOOK, EIO, "the hook did not like it");
		channel_send_error(&ch, &failure);
		_exit(1);
	}
	execlp("sleep", "sleep", "1000", NULL);
	_exit(127);
}

struct box {
	struct tempdir dir;
	struct libcrun_context ctx;
	pid_t pid;
};

static void box_done(struct box *box)
{
	if (box->pid > 0) {
		kill(box->pid, SIGKILL);
		waitpid(box->pid, NULL, 0);
	}
	tempdir_remove(&box->dir);
}

#define BOX(name)                                                                     \
	__attribute__((cleanup(box_done))) struct box name = {.dir = tempdir_make()}; \
	name.ctx = (struct libcrun_context)                                           \
	{                                                                             \
		.size = sizeof(struct libcrun_context), .state_root = name.dir.path   \
	}

/* Makes container "web" as `create` (with a gate) or `run` would leave it. */
static int box_fill(struct box *box, enum oci_record_phase phase, enum init_does does)
{
	struct oci_record rec = simple_record("web", phase);
	struct state_dir dir;
	int gate = FD_NONE, born[2], r;
	bool dead;

	r = state_reserve(box->dir.path, "web", &dir, &err);
	if (r < 0)
		return r;
	if (pipe2(born, O_CLOEXEC) < 0)
		return -errno;
	if (phase == OCI_RECORD_PHASE_CREATED)
		gate = gate_listen(&dir, &err);
	box->pid = fork();
	if (box->pid == 0) {
		state_close(&(struct state_dir){.root_fd = dir.root_fd, .fd = dir.fd});
		if (does != INIT_SLEEP)
			close(born[1]);
		init_main(does, gate);
	}
	close(born[1]);
	/* Until its execve closes the pipe. */
	if (read(born[0], &(char){0}, 1) != 0)
		return -EIO;
	close(born[0]);
	close_fd(&gate);
	rec.has_pid = rec.has_pid_start_time = true;
	rec.pid = box->pid;
	rec.has_has_private_pid = rec.has_private_pid = true;
	r = process_start_time(box->pid, &rec.pid_start_time, &dead);
	if (r == 0)
		r = state_write_record(&dir, &rec, &err);
	state_close(&dir);
	return r;
}

static void box_kill(struct box *box)
{
	kill(box->pid, SIGKILL);
	waitpid(box->pid, NULL, 0);
	box->pid = 0;
}

/* Runs state or list into a static buffer; NULL on failure. */
static const char *output_of(struct box *box, bool list, enum libcrun_list_format format)
{
	static char text[8192];
	FILE *out = fmemopen(text, sizeof(text) - 1, "we");
	int r;

	if (!out)
		return NULL;
	memset(text, 0, sizeof(text));
	r = list ? libcrun_list(&box->ctx, format, out, &err)
		 : libcrun_state(&box->ctx, "web", out, &err);
	fclose(out);
	return r < 0 ? NULL : text;
}

static bool state_says(struct box *box, const char *status)
{
	char want[64];
	const char *text = output_of(box, false, LIBCRUN_LIST_QUIET);

	snprintf(want, sizeof(want), "\"status\": \"%s\"", status);
	return text && strstr(text, want);
}

TEST(state_roots)
{
	struct libcrun_context ctx = {.size = sizeof(ctx)};
	char buf[512], tiny[8], cwd[256];

	setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
	CHECK_INT(libcrun_state_root(&ctx, buf, sizeof(buf), &err), 0);
	CHECK_STR(buf, "/run/user/7/crun");
	setenv("XDG_RUNTIME_DIR", "", 1);
	CHECK_INT(libcrun_state_root(&ctx, buf, sizeof(buf), &err), 0);
	CHECK_STR(buf, "/run/crun");
	unsetenv("XDG_RUNTIME_DIR");
	CHECK_INT(libcrun_state_root(&ctx, buf, sizeof(buf), &err), 0);
	CHECK_STR(buf, "/run/crun");
	CHECK_INT(libcrun_state_root(&ctx, tiny, sizeof(tiny), &err), -ENAMETOOLONG);
	ctx.state_root = "some/where";
	CHECK_INT(libcrun_state_root(&ctx, buf, sizeof(buf), &err), 0);
	CHECK(getcwd(cwd, sizeof(cwd)) && strncmp(buf, cwd, strlen(cwd)) == 0);
	CHECK_STR(buf + strlen(cwd), "/some/where");
	ctx.state_root = "";
	CHECK_INT(libcrun_state_root(&ctx, buf, sizeof(buf), &err), -EINVAL);
}

TEST(start_opens_the_gate_once)
{
	BOX(box);

	CHECK_INT(box_fill(&box, OCI_RECORD_PHASE_CREATED, INIT_EXEC), 0);
	CHECK(state_says(&box, "created"));
	CHECK_INT(libcrun_start(&box.ctx, "web", &err), 0);
	CHECK(state_says(&box, "running"));
	CHECK(libcrun_start(&box.ctx, "web", &err) < 0);
	CHECK_INT(err.kind, KIND_STATE);
	CHECK(strstr(err.text, "cannot start an already running container"));
	CHECK(state_says(&box, "running"));
}

TEST(start_passes_on_what_init_says)
{
	BOX(box);

	CHECK_INT(box_fill(&box, OCI_RECORD_PHASE_CREATED, INIT_FAIL), 0);
	CHECK(libcrun_start(&box.ctx, "web", &err) < 0);
	CHECK_INT(err.kind, KIND_HOOK);
	CHECK(strstr(err.text, "the hook did not like it"));
}

TEST(start_fails_when_init_dies_instead_of_reading)
{
	BOX(box);

	CHECK_INT(box_fill(&box, OCI_RECORD_PHASE_CREATED, INIT_VANISH), 0);
	alarm(60);
	CHECK(libcrun_start(&box.ctx, "web", &err) < 0);
	alarm(0);
	CHECK(strstr(err.text, "read from the init process"));
}

TEST(start_of_a_dead_container_fails_at_once)
{
	BOX(box);

	CHECK_INT(box_fill(&box, OCI_RECORD_PHASE_CREATED, INIT_SLEEP), 0);
	box_kill(&box);
	CHECK(state_says(&box, "stopped"));
	CHECK(libcrun_start(&box.ctx, "web", &err) < 0);
	CHECK_INT(err.kind, KIND_STATE);
	CHECK(strstr(err.text, "stopped"));
}

TEST(one_of_many_starts_wins)
{
	int status, won = 0;
	pid_t pids[6];
	BOX(box);

	CHECK_INT(box_fill(&box, OCI_RECORD_PHASE_CREATED, INIT_EXEC), 0);
	for (int i = 0; i < 6; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			_exit(libcrun_start(&box.ctx, "web", &err) < 0);
	}
	for (int i = 0; i < 6; i++) {
		CHECK_INT(waitpid(pids[i], &status, 0), pids[i]);
		won += WIFEXITED(status) && WEXITSTATUS(status) == 0;
	}
	CHECK_INT(won, 1);
}

TEST(unknown_containers)
{
	BOX(box);

	CHECK_INT(libcrun_start(&box.ctx, "web", &err), -ENOENT);
	CHECK_STR(err.text, "container `web` does not exist");
	CHECK_INT(libcrun_kill(&box.ctx, "web", 9, false, &err), -ENOENT);
	CHECK_STR(err.text, "container `web` does not exist");
	CHECK_INT(libcrun_kill(&box.ctx, "web", 9, true, &err), -ENOENT);
	CHECK_INT(libcrun_delete(&box.ctx, "web", false, &err), -ENOENT);
	CHECK_STR(err.text, "container `web` does not exist");
	CHECK_INT(libcrun_delete(&box.ctx, "web", true, &err), 0);
	CHECK_INT(libcrun_delete(&box.ctx, "../web", true, &err), -EINVAL);
}

TEST(kill_reaches_init)
{
	int status;
	BOX(box);

	CHECK_INT(box_fill(&box, OCI_RECORD_PHASE_RUNNING, INIT_SLEEP), 0);
	CHECK(state_says(&box, "running"));
	CHECK_INT(libcrun_kill(&box.ctx, "web", 0, false, &err), 0);
	CHECK_INT(libcrun_kill(&box.ctx, "web", -1, false, &err), -EINVAL);
	CHECK_INT(libcrun_kill(&box.ctx, "web", 65, false, &err), -EINVAL);
	CHECK_INT(libcrun_kill(&box.ctx, "web", SIGTERM, false, &err), 0);
	CHECK_INT(waitpid(box.pid, &status, 0), box.pid);
	box.pid = 0;
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	for (int i = 0; i < 2; i++) {
		CHECK_INT(libcrun_kill(&box.ctx, "web", i ? SIGKILL : SIGTERM, false, &err),
			  -ESRCH);
		CHECK_STR(err.text, "container not running: container `web` is stopped: "
				    "no such process");
		CHECK_INT(err.kind, KIND_STATE);
	}
	CHECK_INT(libcrun_kill(&box.ctx, "web", SIGKILL, true, &err), 0);
}

TEST(a_reused_pid_is_neither_killed_nor_running)
{
	struct oci_record rec = simple_record("web", OCI_RECORD_PHASE_RUNNING);
	struct state_dir dir;
	uint64_t time;
	bool dead;
	BOX(box);

	/* The record names our own process with the start time of another one. */
	CHECK_INT(process_start_time(getpid(), &time, &dead), 0);
	rec.has_pid = rec.has_pid_start_time = true;
	rec.pid = getpid();
	rec.pid_start_time = time - 1;
	CHECK_INT(state_reserve(box.dir.path, "web", &dir, &err), 0);
	CHECK_INT(state_write_record(&dir, &rec, &err), 0);
	state_close(&dir);
	CHECK(state_says(&box, "stopped"));
	CHECK_INT(libcrun_kill(&box.ctx, "web", SIGKILL, false, &err), -ESRCH);
	CHECK_INT(libcrun_kill(&box.ctx, "web", SIGKILL, true, &err), 0);
	CHECK_INT(libcrun_delete(&box.ctx, "web", true, &err), 0);
}

TEST(delete_refuses_the_living_and_force_does_not)
{
	BOX(box);

	CHECK_INT(box_fill(&box, OCI_RECORD_PHASE_RUNNING, INIT_SLEEP), 0);
	CHECK(libcrun_delete(&box.ctx, "web", false, &err) < 0);
	CHECK_INT(err.kind, KIND_STATE);
	CHECK(strstr(err.text, "`web`") && strstr(err.text, "running"));
	CHECK_INT(kill(box.pid, 0), 0);
	CHECK_INT(libcrun_delete(&box.ctx, "web", true, &err), 0);
	CHECK(!path_exists(in_dir(box.dir.path, "web")));
	/* Killed, and a zombie of ours by now. */
	CHECK_INT(waitpid(box.pid, NULL, WNOHANG), box.pid);
	box.pid = 0;
}

TEST(delete_of_a_created_container_needs_no_force)
{
	BOX(box);

	CHECK_INT(box_fill(&box, OCI_RECORD_PHASE_CREATED, INIT_SLEEP), 0);
	CHECK_INT(libcrun_delete(&box.ctx, "web", false, &err), 0);
	CHECK(!path_exists(in_dir(box.dir.path, "web")));
	CHECK_INT(waitpid(box.pid, NULL, WNOHANG), box.pid);
	box.pid = 0;
}

TEST(delete_of_a_stopped_container)
{
	BOX(box);

	CHECK_INT(box_fill(&box, OCI_RECORD_PHASE_RUNNING, INIT_SLEEP), 0);
	box_kill(&box);
	CHECK_INT(libcrun_delete(&box.ctx, "web", false, &err), 0);
	CHECK(!path_exists(in_dir(box.dir.path, "web")));
}

static int cut_off(struct box *box, const char *record)
{
	if (mkdir(in_dir(box->dir.path, "web"), 0700) < 0)
		return -errno;
	return record ? put_file(in_dir(box->dir.path, "web/state.json"), record) : 0;
}

TEST(what_a_cut_off_creation_leaves_is_deleted)
{
	static const char *const records[] = {
		NULL,
		"{\"version\":1,\"id\":\"web\",\"phase\":\"intent\"}",
		"{\"version\":1,\"id\":\"web\",\"phase\":\"creating\",\"runtimePid\":1,"
		"\"runtimePidStartTime\":1,\"pid\":1,\"pidStartTime\":1}",
	};

	for (int force = 0; force < 2; force++) {
		for (size_t i = 0; i < ARRAY_LEN(records); i++) {
			BOX(box);

			CHECK_INT(cut_off(&box, records[i]), 0);
			if (records[i])
				CHECK(state_says(&box, "stopped"));
			else
				CHECK(!state_says(&box, "stopped") && strstr(err.text, "cut off"));
			CHECK_INT(libcrun_delete(&box.ctx, "web", force, &err), 0);
			CHECK(!path_exists(in_dir(box.dir.path, "web")));
		}
	}
}

TEST(a_damaged_record_is_deleted_by_force_only)
{
	BOX(box);

	CHECK_INT(cut_off(&box, "{\"version\":1"), 0);
	CHECK(libcrun_delete(&box.ctx, "web", false, &err) < 0);
	CHECK(strstr(err.text, "damaged"));
	CHECK(path_exists(in_dir(box.dir.path, "web")));
	CHECK_INT(libcrun_delete(&box.ctx, "web", true, &err), 0);
	CHECK(!path_exists(in_dir(box.dir.path, "web")));
}

TEST(the_init_process_of_a_cut_off_creation_dies_by_force_only)
{
	BOX(box);

	CHECK_INT(box_fill(&box, OCI_RECORD_PHASE_CREATING, INIT_SLEEP), 0);
	CHECK(state_says(&box, "creating"));
	CHECK(libcrun_delete(&box.ctx, "web", false, &err) < 0);
	CHECK(strstr(err.text, "cut off"));
	CHECK_INT(kill(box.pid, 0), 0);
	CHECK_INT(libcrun_delete(&box.ctx, "web", true, &err), 0);
	CHECK_INT(waitpid(box.pid, NULL, WNOHANG), box.pid);
	box.pid = 0;
}

TEST(a_creation_that_goes_on_is_left_alone)
{
	struct oci_record rec = simple_record("web", OCI_RECORD_PHASE_CREATING);
	struct state_dir dir;
	bool dead;
	BOX(box);

	/* We are the creating runtime, and hold the lock. */
	rec.has_runtime_pid = rec.has_runtime_pid_start_time = true;
	rec.runtime_pid = getpid();
	CHECK_INT(process_start_time(getpid(), &rec.runtime_pid_start_time, &dead), 0);
	CHECK_INT(state_reserve(box.dir.path, "web", &dir, &err), 0);
	CHECK_INT(state_write_record(&dir, &rec, &err), 0);
	CHECK(state_says(&box, "creating"));
	CHECK(libcrun_start(&box.ctx, "web", &err) < 0);
	CHECK(strstr(err.text, "creating"));
	CHECK(libcrun_delete(&box.ctx, "web", false, &err) < 0);
	CHECK(strstr(err.text, "it is being created"));
	/* Without the pid in the record the lock tells. */
	rec.has_runtime_pid = rec.has_runtime_pid_start_time = false;
	CHECK_INT(state_write_record(&dir, &rec, &err), 0);
	CHECK(state_says(&box, "creating"));
	CHECK_INT(state_remove(&dir, &err), 0);
	state_close(&dir);
}

TEST(forced_deletes_at_the_same_time_all_succeed)
{
	int status, bad = 0;
	pid_t pids[4];
	BOX(box);

	CHECK_INT(box_fill(&box, OCI_RECORD_PHASE_RUNNING, INIT_SLEEP), 0);
	for (int i = 0; i < 4; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			_exit(libcrun_delete(&box.ctx, "web", true, &err) < 0);
	}
	for (int i = 0; i < 4; i++) {
		CHECK_INT(waitpid(pids[i], &status, 0), pids[i]);
		bad += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
	}
	CHECK_INT(bad, 0);
	CHECK(!path_exists(in_dir(box.dir.path, "web")));
}

TEST(poststop_hooks_run_from_the_copy_and_their_failure_is_no_failure)
{
	char config[PATH_MAX + 600];
	struct state_dir dir;
	BOX(box);

	CHECK_INT(box_fill(&box, OCI_RECORD_PHASE_RUNNING, INIT_SLEEP), 0);
	box_kill(&box);
	CHECK_INT(state_open(box.dir.path, "web", true, &dir, &err), 0);
	/* simple_record's bundle does not exist: hooks may not need it. */
	snprintf(config, sizeof(config),
		 "{\"ociVersion\":\"1.2.0\",\"hooks\":{\"poststop\":["
		 "{\"path\":\"/bin/false\"},"
		 "{\"path\":\"/bin/sh\",\"args\":[\"sh\",\"-c\",\"cat > %s/hook.json\"]}]}}",
		 box.dir.path);
	CHECK_INT(state_write_config(&dir, config, strlen(config), &err), 0);
	state_close(&dir);
	CHECK_INT(libcrun_delete(&box.ctx, "web", false, &err), 0);
	CHECK(path_exists(in_dir(box.dir.path, "hook.json")));
	CHECK(!path_exists(in_dir(box.dir.path, "web")));
}

TEST(a_failing_poststart_hook_stops_the_container)
{
	static const char config[] = "{\"ociVersion\":\"1.2.0\",\"hooks\":{\"poststart\":["
				     "{\"path\":\"/bin/false\"}]}}";
	struct state_dir dir;
	BOX(box);

	CHECK_INT(box_fill(&box, OCI_RECORD_PHASE_CREATED, INIT_EXEC), 0);
	CHECK_INT(state_open(box.dir.path, "web", true, &dir, &err), 0);
	CHECK_INT(state_write_config(&dir, config, strlen(config), &err), 0);
	state_close(&dir);
	CHECK(libcrun_start(&box.ctx, "web", &err) < 0);
	CHECK_INT(err.kind, KIND_HOOK);
	CHECK(state_says(&box, "stopped"));
}

TEST(state_document)
{
	const char *text;
	char want[64];
	BOX(box);

	CHECK_INT(box_fill(&box, OCI_RECORD_PHASE_RUNNING, INIT_SLEEP), 0);
	text = output_of(&box, false, LIBCRUN_LIST_QUIET);
	snprintf(want, sizeof(want), "\"pid\": %d", (int)box.pid);
	CHECK(text && strstr(text, want));
	CHECK(strstr(text, "\"ociVersion\": \"1.2.0\"") && strstr(text, "\"id\": \"web\""));
	CHECK(strstr(text, "\"rootfs\": \"/some/bundle/rootfs\"") &&
	      strstr(text, "\"bundle\": \"/some/bundle\""));
	CHECK(strstr(text, "\"created\": \"2026-01-02T03:04:05.000006Z\"") &&
	      strstr(text, "\"owner\": \"root\""));
	CHECK(!strstr(text, "annotations") && !strstr(text, "null"));
	CHECK_STR(text + strlen(text) - 2, "}\n");
	box_kill(&box);
	text = output_of(&box, false, LIBCRUN_LIST_QUIET);
	CHECK(text && strstr(text, "\"pid\": 0"));
}

TEST(lists)
{
	const char *text;
	BOX(box);

	CHECK_STR(output_of(&box, true, LIBCRUN_LIST_QUIET), "");
	CHECK(strncmp(output_of(&box, true, LIBCRUN_LIST_JSON), "[", 1) == 0);
	CHECK_STR(output_of(&box, true, LIBCRUN_LIST_TABLE),
		  "ID  PID  STATUS  BUNDLE  CREATED  OWNER\n");
	CHECK_INT(box_fill(&box, OCI_RECORD_PHASE_RUNNING, INIT_SLEEP), 0);
	CHECK_INT(mkdir(in_dir(box.dir.path, "broken"), 0700), 0);
	CHECK_STR(output_of(&box, true, LIBCRUN_LIST_QUIET), "broken\nweb\n");
	text = output_of(&box, true, LIBCRUN_LIST_JSON);
	CHECK(text && strstr(text, "\"status\": \"running\"") && !strstr(text, "broken"));
	box_kill(&box);
	text = output_of(&box, true, LIBCRUN_LIST_TABLE);
	CHECK_STR(text, "ID   PID  STATUS   BUNDLE        CREATED                      OWNER\n"
			"web  0    stopped  /some/bundle  2026-01-02T03:04:05.000006Z  root\n");
}

TEST_MAIN()
