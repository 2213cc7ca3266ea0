// SPDX-License-Identifier: Apache-2.0
// Tests of a cgroup's life on the kernel's own: made, joined, signalled, reopened, removed, and never somebody else's.
#include "real.h"

#include <sys/inotify.h>

static void make_and_remove(void)
{
	struct plan_cgroup plan = plan_for("a/b", NULL);
	struct cgroup *cg = create(&plan), *again;
	pid_t pid, *pids;
	size_t len;
	int status;

	CHECK(cg);
	CHECK(strstr(cgroup_path(cg), "/a/b"));
	pid = born_in(cg);
	CHECK(pid > 0);
	CHECK_INT(cgroup_pids(cg, &pids, &len, &err), 0);
	CHECK_INT(len, 1);
	CHECK_INT(pids[0], pid);
	free(pids);
	again = reopen(cg);
	CHECK(again);
	CHECK_INT(again->hier_len, cg->hier_len);
	/* A process is still in it: destroy ends it. It is our child, so a zombie stays until we reap it. */
	CHECK_INT(cgroup_destroy(again, &err), 0);
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK(!any_left(cg));
	CHECK_INT(cgroup_destroy(again, &err), 0);
	CHECK_INT(cgroup_destroy(cg, &err), 0);
	cgroup_free(again);
	cgroup_free(cg);
}

static void in_every_hierarchy(void)
{
	struct plan_cgroup plan = plan_for("x", NULL);
	struct cgroup *cg = create(&plan);
	char file[64], text[8192], needle[160];
	pid_t pid;

	CHECK(cg);
	pid = born_in(cg);
	snprintf(file, sizeof(file), "/proc/%d/cgroup", (int)pid);
	CHECK(io_read_file_at(AT_FDCWD, file, text, sizeof(text)) > 0);
	snprintf(needle, sizeof(needle), ":%s", cgroup_path(cg));
	for (size_t i = 0; i < cg->hier_len; i++) {
		char *p = strstr(text, needle);

		CHECK(p);
		*p = '#';
	}
	CHECK_INT(cgroup_destroy(cg, &err), 0);
	waitpid(pid, NULL, 0);
	CHECK(!any_left(cg));
	cgroup_free(cg);
}

/* What the payload makes below its directory goes, processes in it included. */
static void nested(void)
{
	struct plan_cgroup plan = plan_for("n", NULL);
	struct cgroup *cg = create(&plan);
	char text[16];
	pid_t pid;

	CHECK(cg);
	pid = born_in(cg);
	snprintf(text, sizeof(text), "%d", (int)pid);
	for (size_t i = 0; i < cg->hier_len; i++) {
		int fd = cg->hier[i].dir_fd;

		CHECK(sys_mkdirat(fd, "s", 0755) >= 0 && sys_mkdirat(fd, "s/t", 0755) >= 0 &&
		      sys_mkdirat(fd, "s/u", 0755) >= 0);
		if (!(cg->hier[i].controllers & CG_BIT(CG_CPUSET)))
			CHECK(io_write_file_at(fd, "s/u/cgroup.procs", text) >= 0);
	}
	CHECK_INT(cgroup_destroy(cg, &err), 0);
	waitpid(pid, NULL, 0);
	CHECK(!any_left(cg));
	cgroup_free(cg);
}

/* A name that begins with a dot is a name as any other; and the payload chooses how deep it goes. */
static void hidden_and_deep(void)
{
	struct plan_cgroup plan = plan_for("d", NULL);
	struct cgroup *cg = create(&plan);
	pid_t pid, *pids;
	char text[16];
	size_t len;

	CHECK(cg);
	pid = born_in(cg);
	snprintf(text, sizeof(text), "%d", (int)pid);
	for (size_t i = 0; i < cg->hier_len; i++) {
		int fd = sys_openat(cg->hier[i].dir_fd, ".", O_RDONLY | O_DIRECTORY, 0);

		for (int k = 0; k < 250; k++) {
			CHECK(sys_mkdirat(fd, k % 2 ? "..." : ".hidden", 0755) >= 0);
			CHECK_INT(cg_step(&fd, k % 2 ? "..." : ".hidden"), 0);
		}
		if (!(cg->hier[i].controllers & CG_BIT(CG_CPUSET)))
			CHECK(io_write_file_at(fd, "cgroup.procs", text) >= 0);
		close(fd);
	}
	CHECK_INT(cgroup_pids(cg, &pids, &len, &err), 0);
	CHECK_INT(len, 1);
	CHECK_INT(pids[0], pid);
	free(pids);
	CHECK_INT(cgroup_signal(cg, SIGUSR1, &err), 0);
	CHECK_INT(waitpid(pid, NULL, 0), pid);
	CHECK_INT(cgroup_destroy(cg, &err), 0);
	CHECK(!any_left(cg));
	cgroup_free(cg);
}

static size_t children_of(int dir)
{
	struct stat st;

	return fstat(dir, &st) == 0 ? st.st_nlink - 2 : 0;
}

/* The deadline, or a signal, ends the removal of a tree although it gets on; and it goes on from there. */
static void large_tree(void)
{
	struct oci_linux_resources res = {0};
	struct plan_cgroup plan = plan_for("lt", &res);
	struct cgroup *cg = create(&plan);
	struct deadline d = deadline_none();
	char name[16], path[CG_PATH_SIZE];
	size_t left;
	int dir, r;

	CHECK(cg);
	dir = dup(cg->hier[0].dir_fd);
	for (int i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		CHECK_INT(mkdirat(dir, name, 0755), 0);
	}
	CHECK_INT(children_of(dir), 60);
	/* Readable once the first is gone, as a signalfd once a signal came. */
	snprintf(path, sizeof(path), "%s%s", cg->hier[0].root, cg->path);
	d.cancel_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	CHECK(inotify_add_watch(d.cancel_fd, path, IN_DELETE) >= 0);
	cgroup_set_deadline(cg, &d);
	r = cgroup_destroy(cg, &err);
	left = children_of(dir);
	close(d.cancel_fd);
	cgroup_set_deadline(cg, NULL);
	CHECK_INT(cgroup_destroy(cg, &err), 0);
	close(dir);
	CHECK_INT(r, -EINTR);
	CHECK_INT(left, 59);
	CHECK(!any_left(cg));
	cgroup_free(cg);
}

static void signals(void)
{
	struct plan_cgroup plan = plan_for("k", NULL);
	struct cgroup *cg = create(&plan);
	pid_t a, b;
	int status;

	CHECK(cg);
	a = born_in(cg);
	b = born_in(cg);
	CHECK_INT(cgroup_signal(cg, SIGUSR1, &err), 0);
	CHECK_INT(waitpid(a, &status, 0), a);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1);
	CHECK_INT(waitpid(b, &status, 0), b);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1);
	a = born_in(cg);
	CHECK_INT(cgroup_signal(cg, SIGKILL, &err), 0);
	CHECK_INT(waitpid(a, &status, 0), a);
	CHECK(WTERMSIG(status) == SIGKILL);
	CHECK_INT(cgroup_destroy(cg, &err), 0);
	CHECK(!any_left(cg));
	cgroup_free(cg);
}

static void frozen(void)
{
	struct plan_cgroup plan = plan_for("f", NULL);
	struct cgroup *cg = create(&plan);
	bool is = true;
	pid_t pid;
	int status;

	CHECK(cg);
	pid = born_in(cg);
	CHECK_INT(cgroup_is_frozen(cg, &is, &err), 0);
	CHECK(!is);
	for (size_t i = 0; i < cg->hier_len; i++) {
		const struct cg_hier *h = &cg->hier[i];

		if (h->v2 && !has(cg, CG_FREEZER))
			CHECK_INT(io_write_file_at(h->dir_fd, "cgroup.freeze", "1"), 0);
		if (!h->v2 && (h->controllers & CG_BIT(CG_FREEZER)))
			CHECK_INT(io_write_file_at(h->dir_fd, "freezer.state", "FROZEN"), 0);
	}
	CHECK_INT(cgroup_is_frozen(cg, &is, &err), 0);
	CHECK(is);
	CHECK_INT(cgroup_thaw(cg, &err), 0);
	CHECK_INT(cgroup_is_frozen(cg, &is, &err), 0);
	CHECK(!is);
	for (size_t i = 0; i < cg->hier_len; i++) {
		if (!cg->hier[i].v2 && (cg->hier[i].controllers & CG_BIT(CG_FREEZER)))
			CHECK_INT(io_write_file_at(cg->hier[i].dir_fd, "freezer.state", "FROZEN"),
				  0);
	}
	CHECK_INT(cgroup_destroy(cg, &err), 0);
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(!any_left(cg));
	cgroup_free(cg);
}

/* A process that does not die: destroy gives up in time, says so, and does the rest when it is called again. */
TEST(bounded)
{
	struct plan_cgroup plan;
	char state[256];
	struct cgroup *cg;
	int64_t start, took;
	pid_t pid;
	int r;

	NEED_ROOT();
	if (access(CG_ROOT "/freezer/cgroup.procs", F_OK) < 0)
		SKIP("no v1 freezer to hold a process with");
	plan = plan_for("t/x", NULL);
	cg = create(&plan);
	CHECK(cg);
	pid = born_in(cg);
	/* Thawing the container does not thaw what is above it. */
	snprintf(state, sizeof(state), CG_ROOT "/freezer/crun-test-cg-%d/t/freezer.state",
		 (int)getpid());
	CHECK_INT(io_write_file_at(AT_FDCWD, state, "FROZEN"), 0);
	start = clock_ms();
	r = cgroup_destroy(cg, &err);
	took = clock_ms() - start;
	/* Before anything is checked: a test that ends with this frozen leaves a process that nothing can kill. */
	CHECK_INT(io_write_file_at(AT_FDCWD, state, "THAWED"), 0);
	CHECK_INT(r, -ETIMEDOUT);
	CHECK_INT(err.kind, KIND_TIMEOUT);
	CHECK(strstr(err.text, cgroup_path(cg)));
	CHECK(took < CG_DESTROY_MS + 10000);
	CHECK_INT(cgroup_destroy(cg, &err), 0);
	CHECK_INT(waitpid(pid, NULL, 0), pid);
	CHECK(!any_left(cg));
	cgroup_free(cg);
}

/* A directory that was there before is not removed, and used only while nobody else does. */
static void foreign(void)
{
	struct plan_cgroup plan = plan_for("own", NULL);
	char dir[300], parent[256];
	struct cgroup *cg = create(&plan), *other = NULL;
	pid_t pid;

	CHECK(cg);
	/* An empty one can be lived in; it is nobody's to remove but its maker's. */
	CHECK_INT(cgroup_select(&plan, NULL, &other, &err), 0);
	CHECK(!cgroup_planned(other)[0]);
	CHECK(cgroup_used(other)[0]);
	CHECK_INT(cgroup_create(other, &err), 0);
	CHECK_INT(cgroup_destroy(other, &err), 0);
	CHECK_INT(access(cgroup_used(other)[0], F_OK), 0);
	cgroup_free(other);
	other = NULL;
	/* With a process in it, it is somebody's. */
	pid = born_in(cg);
	CHECK_INT(cgroup_select(&plan, NULL, &other, &err), -EEXIST);
	CHECK_INT(err.kind, KIND_EXISTS);
	CHECK_STR(err.at, "/linux/cgroupsPath");
	CHECK(strstr(err.text, "holds 1 process that is not this container's"));
	/* A neighbour below the shared parent keeps the parent. */
	snprintf(parent, sizeof(parent), "%s/crun-test-cg-%d", cg->hier[0].root, (int)getpid());
	snprintf(dir, sizeof(dir), "%s/neighbour", parent);
	CHECK_INT(mkdir(dir, 0755), 0);
	CHECK_INT(cgroup_destroy(cg, &err), 0);
	CHECK_INT(waitpid(pid, NULL, 0), pid);
	CHECK_INT(access(dir, F_OK), 0);
	cgroup_free(cg);
	/* The next one finds the parent and leaves it. */
	cg = create(&plan);
	CHECK(cg);
	CHECK_INT(cgroup_destroy(cg, &err), 0);
	CHECK_INT(rmdir(dir), 0);
	CHECK_INT(rmdir(parent), 0);
	cgroup_free(cg);
}

/* Somebody makes our directory between the decision and the deed: it stays, and nothing of ours does. */
static void made_meanwhile(void)
{
	struct plan_cgroup plan = plan_for("r", NULL);
	const char *const *planned;
	char last[256], parent[256];
	struct cgroup *cg;
	size_t n = 0;

	CHECK_INT(cgroup_select(&plan, NULL, &cg, &err), 0);
	for (planned = cgroup_planned(cg); planned[n];)
		n++;
	snprintf(last, sizeof(last), "%s", planned[n - 1]);
	snprintf(parent, sizeof(parent), "%.*s", (int)(strlen(last) - 2), last);
	CHECK(mkdir(parent, 0755) == 0 && mkdir(last, 0755) == 0);
	CHECK_INT(cgroup_create(cg, &err), -EEXIST);
	CHECK_INT(err.kind, KIND_EXISTS);
	CHECK_INT(rmdir(last), 0);
	CHECK_INT(rmdir(parent), 0);
	CHECK(!any_left(cg));
	cgroup_free(cg);
}

/* Creation was cut off: only some of the recorded directories are there. */
static void half_made(void)
{
	struct plan_cgroup plan = plan_for("half", NULL);
	struct cgroup *cg, *again;

	CHECK_INT(cgroup_select(&plan, NULL, &cg, &err), 0);
	again = reopen(cg);
	CHECK(again);
	CHECK_INT(cgroup_destroy(again, &err), 0);
	cgroup_free(again);
	CHECK_INT(mkdir(cgroup_planned(cg)[0], 0755), 0);
	again = reopen(cg);
	CHECK(again);
	CHECK_INT(cgroup_destroy(again, &err), 0);
	cgroup_free(again);
	CHECK(!any_left(cg));
	CHECK_INT(mkdir(cgroup_planned(cg)[0], 0755), 0);
	CHECK_INT(mkdir(cgroup_planned(cg)[1], 0755), 0);
	again = reopen(cg);
	CHECK(again);
	CHECK_INT(cgroup_destroy(again, &err), 0);
	CHECK(!any_left(cg));
	cgroup_free(again);
	cgroup_free(cg);
}

/* A record that names directories of others, or no cgroups at all, makes nothing go. */
static void damaged_record(void)
{
	char root[128], dir[160];
	const char *created[] = {dir, "/tmp", "", "relative", CG_ROOT};
	struct oci_record record = {
		.id = "x", .cgroup_path = root, .cgroup_created = created, .cgroup_created_len = 5};
	struct cgroup *cg;

	snprintf(root, sizeof(root), "/crun-test-dir-%d", (int)getpid());
	snprintf(dir, sizeof(dir), "/tmp%s", root);
	CHECK_INT(mkdir(dir, 0755), 0);
	CHECK_INT(cgroup_open(&record, &cg, &err), 0);
	CHECK_INT(cgroup_destroy(cg, &err), 0);
	cgroup_free(cg);
	CHECK_INT(rmdir(dir), 0);
	record.cgroup_path = "/";
	CHECK(cgroup_open(&record, &cg, &err) < 0);
	record.cgroup_path = "/a/../..";
	CHECK(cgroup_open(&record, &cg, &err) < 0);
}

/* The parent goes between the decision and the deed, as when a neighbour is deleted. */
static void parent_goes(void)
{
	struct plan_cgroup plan = plan_for("p", NULL);
	char parent[256];
	struct cgroup *cg = create(&plan), *next;

	CHECK(cg);
	snprintf(parent, sizeof(parent), "%s", plan.path);
	plan.path = parent;
	parent[strlen(parent) - 1] = 'q';
	CHECK_INT(cgroup_select(&plan, NULL, &next, &err), 0);
	CHECK_INT(cgroup_destroy(cg, &err), 0);
	CHECK(!any_left(cg));
	CHECK_INT(cgroup_create(next, &err), 0);
	CHECK_INT(cgroup_destroy(next, &err), 0);
	CHECK(!any_left(next));
	CHECK(!any_left(cg));
	cgroup_free(next);
	cgroup_free(cg);
}

static void neighbour(const char *parent, int n)
{
	struct plan_cgroup plan = plan_for("", NULL);
	char path[256];

	plan.path = path;
	plan.unprivileged = true; /* the filter is not what this is about */
	for (int i = 0; i < 25; i++) {
		struct cgroup *cg;

		snprintf(path, sizeof(path), "%s/%d-%d", parent, n, i);
		cg = create(&plan);
		if (!cg)
			_exit(1);
		if (cgroup_destroy(cg, &err) < 0) {
			printf("# %s\n", err.text);
			_exit(2);
		}
		cgroup_free(cg);
	}
	_exit(0);
}

/* Containers come and go below a parent that the first of them makes and the last takes along. */
static void neighbours(void)
{
	struct plan_cgroup plan = plan_for("s", NULL);
	char parent[160];
	struct cgroup *cg;
	int status, bad = 0;

	snprintf(parent, sizeof(parent), "%s", plan.path);
	CHECK_INT(cgroup_select(&plan, NULL, &cg, &err), 0);
	fflush(stdout);
	for (int n = 0; n < 8; n++) {
		if (fork() == 0)
			neighbour(parent, n);
	}
	while (wait(&status) > 0)
		bad += status != 0;
	CHECK_INT(bad, 0);
	CHECK(!any_left(cg));
	cgroup_free(cg);
}

static void own_names(void)
{
	struct plan_cgroup plan = plan_for("", NULL);
	char id[1025];
	struct cgroup *a, *b;

	snprintf(id, sizeof(id), "test-%d", (int)getpid());
	plan.id = id;
	plan.path = NULL;
	a = create(&plan);
	CHECK(a);
	plan.path = "";
	b = create(&plan);
	CHECK(b);
	CHECK(!strncmp(cgroup_path(a), "/crun-test-", 11));
	CHECK(strcmp(cgroup_path(a), cgroup_path(b)) != 0);
	CHECK_INT(cgroup_destroy(a, &err), 0);
	CHECK_INT(cgroup_destroy(b, &err), 0);
	CHECK(!any_left(a) && !any_left(b));
	cgroup_free(a);
	cgroup_free(b);
	memset(id, 'i', 1024);
	id[1024] = '\0';
	a = create(&plan);
	CHECK(a);
	CHECK_INT(cgroup_destroy(a, &err), 0);
	CHECK(!any_left(a));
	cgroup_free(a);
}

TEST_BOTH(make_and_remove)
TEST_BOTH(in_every_hierarchy)
TEST_BOTH(nested)
TEST_BOTH(hidden_and_deep)
TEST_BOTH(large_tree)
TEST_BOTH(signals)
TEST_BOTH(frozen)
TEST_BOTH(foreign)
TEST_BOTH(made_meanwhile)
TEST_BOTH(parent_goes)
TEST_BOTH(half_made)
TEST_BOTH(damaged_record)
TEST_BOTH(neighbours)
TEST_BOTH(own_names)

TEST_MAIN()
