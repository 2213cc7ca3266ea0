// SPDX-License-Identifier: Apache-2.0
// Tests of freezing: on the real kernel, with a process that will not freeze, and below somebody else's frozen cgroup.
#include "real.h"

#include "../wait_in.h"

#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/stat.h>

/* Every freezer that the cgroup has says VALUE. */
static bool all_say(const struct cgroup *cg, const char *v1, const char *v2)
{
	size_t n = 0;
	char text[256];

	for (size_t i = 0; i < cg->hier_len; i++) {
		const struct cg_hier *h = &cg->hier[i];
		const char *file = h->v2 ? "cgroup.events" : "freezer.state";

		if (io_read_file_at(h->dir_fd, file, text, sizeof(text)) < 0)
			continue;
		n++;
		if (!strstr(text, h->v2 ? v2 : v1))
			return false;
	}
	return n > 0;
}

static void end(struct cgroup *cg, pid_t pid)
{
	if (pid > 0) {
		kill(pid, SIGKILL);
		cgroup_thaw(cg, ERR_IGNORED) < 0 ? printf("# not thawed\n") : 0;
		waitpid(pid, NULL, 0);
	}
	if (cgroup_destroy(cg, &err) < 0)
		printf("# %s\n", err.text);
	cgroup_free(cg);
}

static void freeze_and_resume(void)
{
	struct oci_linux_resources res = {0};
	struct plan_cgroup plan = plan_for("fr", &res);
	struct cgroup *cg = create(&plan), *again;
	pid_t pid;
	bool is = false;

	CHECK(cg);
	pid = born_in(cg);
	CHECK(pid > 0);
	again = reopen(cg);
	CHECK(again && cgroup_exists(again));
	CHECK_INT(cgroup_freeze(again, &err), 0);
	CHECK(all_say(cg, "FROZEN", "frozen 1"));
	CHECK_INT(cgroup_is_frozen(again, &is, &err), 0);
	CHECK(is);
	CHECK_INT(cgroup_resume(again, &err), 0);
	CHECK(all_say(cg, "THAWED", "frozen 0"));
	CHECK_INT(cgroup_is_frozen(again, &is, &err), 0);
	CHECK(!is);
	cgroup_free(again);
	end(cg, pid);
}

static void empty_one_freezes(void)
{
	struct oci_linux_resources res = {0};
	struct plan_cgroup plan = plan_for("em", &res);
	struct cgroup *cg = create(&plan);

	CHECK(cg);
	CHECK_INT(cgroup_freeze(cg, &err), 0);
	CHECK_INT(cgroup_resume(cg, &err), 0);
	end(cg, 0);
}

static void own_one_is_refused(void)
{
	struct oci_linux_resources res = {0};
	struct plan_cgroup plan = plan_for("ow", &res);
	struct cgroup *cg = create(&plan);
	int status;
	pid_t pid;

	CHECK(cg);
	pid = fork();
	if (pid == 0) {
		if (cgroup_adopt(cg, getpid(), &err) < 0)
			_exit(2);
		_exit(cgroup_freeze(cg, &err) == -EDEADLK ? 0 : 1);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK_INT(status, 0);
	end(cg, 0);
}

/* The parent is frozen by somebody: our own is not called frozen, and resume tells whose it is. */
static void frozen_parent(void)
{
	struct oci_linux_resources res = {0};
	struct plan_cgroup plan = plan_for("up/one", &res);
	struct cgroup *cg = create(&plan);
	const struct cg_hier *h = NULL;
	char rel[CG_PATH_SIZE];
	int parent, looked, frozen, resumed, thawed;
	bool is = true;
	pid_t pid;

	CHECK(cg);
	pid = born_in(cg);
	CHECK(pid > 0);
	for (size_t i = 0; i < cg->hier_len; i++) {
		if (cg->hier[i].v2 || (cg->hier[i].controllers & CG_BIT(CG_FREEZER)))
			h = h && !h->v2 ? h : &cg->hier[i];
	}
	CHECK(h);
	cg_prefix(cg, cg->depth - 1, rel);
	parent = sys_openat(h->root_fd, rel, O_RDONLY | O_DIRECTORY, 0);
	CHECK(parent >= 0);
	CHECK_INT(io_write_file_at(parent, h->v2 ? "cgroup.freeze" : "freezer.state",
				   h->v2 ? "1" : "FROZEN"),
		  0);
	/* No check before all is thawed: a frozen process would outlive this test. */
	looked = cgroup_is_frozen(cg, &is, &err);
	frozen = cgroup_freeze(cg, &err);
	resumed = cgroup_resume(cg, &err);
	thawed = io_write_file_at(parent, h->v2 ? "cgroup.freeze" : "freezer.state",
				  h->v2 ? "0" : "THAWED");
	close(parent);
	end(cg, pid);
	CHECK_INT(thawed, 0);
	CHECK_INT(looked, 0);
	CHECK(!is);
	CHECK_INT(frozen, 0);
	CHECK_INT(resumed, -EBUSY);
	CHECK(strstr(err.text, "/up` above it"));
}

/* A process whose open(2) waits for an answer by fanotify is not interrupted by the v2 freezer. */
static pid_t stuck_in(struct cgroup *cg, const char *file, int *ret_fan)
{
	pid_t pid;
	int fd;

	*ret_fan = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY | O_CLOEXEC);
	if (*ret_fan < 0 ||
	    fanotify_mark(*ret_fan, FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, file) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		if (cgroup_adopt(cg, getpid(), &err) < 0)
			_exit(2);
		fd = open(file, O_RDONLY | O_CLOEXEC);
		_exit(fd < 0);
	}
	/* The event is readable once the process waits. */
	return pid > 0 && wait_in(*ret_fan, 60000) == 1 ? pid : -1;
}

static void will_not_freeze(void)
{
	struct oci_linux_resources res = {0};
	struct plan_cgroup plan = plan_for("st", &res);
	struct cgroup *cg = create(&plan);
	char file[] = "/tmp/crun-test-XXXXXX", number[64];
	struct deadline deadline;
	int fan = -1, fd = mkostemp(file, O_CLOEXEC), r;
	pid_t pid;

	CHECK(cg && fd >= 0);
	close(fd);
	pid = stuck_in(cg, file, &fan);
	unlink(file);
	if (pid < 0) {
		end(cg, 0);
		SKIP("no fanotify permission events here");
	}
	deadline = deadline_in(300);
	cgroup_set_deadline(cg, &deadline);
	r = cgroup_freeze(cg, &err);
	close(fan); /* lets the process go on */
	end(cg, pid);
	CHECK_INT(r, -ETIMEDOUT);
	CHECK_INT(err.kind, KIND_TIMEOUT);
	snprintf(number, sizeof(number), "process %d (test_freezer", (int)pid);
	CHECK(strstr(err.text, number));
	CHECK(strstr(err.text, "within 300 ms"));
}

/* A directory that looks like a cgroup whose kernel never answers. */
static bool fake(struct cgroup *cg, char *dir, bool v2)
{
	static char path[] = "/x";
	const char *const files[][2] = {{"cgroup.freeze", "0"},
					{"cgroup.events", "populated 1\nfrozen 0\n"},
					{"cgroup.procs", ""}};

	if (!mkdtemp(dir))
		return false;
	*cg = (struct cgroup){.path = path, .depth = 1, .ends = {1}, .hier_len = 1};
	cg->hier[0] = (struct cg_hier){.root = dir, .v2 = v2, .leaf_made = true};
	cg->hier[0].dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cg->hier[0].root_fd = FD_NONE;
	for (size_t i = 0; v2 && i < ARRAY_LEN(files); i++) {
		int fd = openat(cg->hier[0].dir_fd, files[i][0], O_WRONLY | O_CREAT | O_CLOEXEC,
				0600);

		if (fd < 0 || io_write_all(fd, files[i][1], strlen(files[i][1])) < 0)
			return false;
		close(fd);
	}
	return true;
}

static void remove_fake(struct cgroup *cg, const char *dir)
{
	unlinkat(cg->hier[0].dir_fd, "cgroup.freeze", 0);
	unlinkat(cg->hier[0].dir_fd, "cgroup.events", 0);
	unlinkat(cg->hier[0].dir_fd, "cgroup.procs", 0);
	close(cg->hier[0].dir_fd);
	rmdir(dir);
}

TEST(deadline_thaws_again)
{
	char dir[] = "/tmp/crun-test-XXXXXX", text[16];
	struct deadline deadline;
	struct cgroup cg;
	int r;

	CHECK(fake(&cg, dir, true));
	deadline = deadline_in(50);
	cgroup_set_deadline(&cg, &deadline);
	r = cgroup_freeze(&cg, &err);
	CHECK(io_read_file_at(cg.hier[0].dir_fd, "cgroup.freeze", text, sizeof(text)) > 0);
	remove_fake(&cg, dir);
	CHECK_INT(r, -ETIMEDOUT);
	CHECK_STR(text, "0");
	CHECK(strstr(err.text, "did not freeze within 50 ms; it was thawed again"));
}

TEST(signal_thaws_again)
{
	char dir[] = "/tmp/crun-test-XXXXXX", path[64], text[16];
	struct deadline deadline = deadline_none();
	struct cgroup cg;
	int r;

	CHECK(fake(&cg, dir, true));
	snprintf(path, sizeof(path), "%s/cgroup.freeze", dir);
	/* Readable once the freezer is written to, as a signalfd once a signal came. */
	deadline.cancel_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	CHECK(inotify_add_watch(deadline.cancel_fd, path, IN_MODIFY) >= 0);
	cgroup_set_deadline(&cg, &deadline);
	r = cgroup_freeze(&cg, &err);
	CHECK(io_read_file_at(cg.hier[0].dir_fd, "cgroup.freeze", text, sizeof(text)) > 0);
	close(deadline.cancel_fd);
	remove_fake(&cg, dir);
	CHECK_INT(r, -EINTR);
	CHECK_INT(err.kind, KIND_INTERRUPTED);
	CHECK_STR(text, "0");
}

TEST(no_freezer_is_an_error)
{
	char dir[] = "/tmp/crun-test-XXXXXX";
	struct cgroup cg;
	int r;

	CHECK(fake(&cg, dir, false));
	r = cgroup_freeze(&cg, &err);
	remove_fake(&cg, dir);
	CHECK_INT(r, -EOPNOTSUPP);
	CHECK_INT(err.kind, KIND_UNSUPPORTED);
	CHECK(strstr(err.text, "has no freezer"));
}

TEST_BOTH(freeze_and_resume)
TEST_BOTH(empty_one_freezes)
TEST_BOTH(own_one_is_refused)
TEST_BOTH(frozen_parent)

TEST(v2_will_not_freeze)
{
	NEED_ROOT();
	in_private_mounts(will_not_freeze, true);
}

TEST_MAIN()
