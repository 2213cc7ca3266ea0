// SPDX-License-Identifier: Apache-2.0
// Look-ups without openat2(2): the same answers as the kernel's, the tests of test_inroot.c, and renames in between.
#include "test_inroot.c"

#include "../without.h"
#include "fs/walk.h"

#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define IN_ROOT (RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
#define BENEATH (RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS)
#define NO_LINK (RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS)
#define PROC	(BENEATH | RESOLVE_NO_XDEV)

static const struct question {
	const char *path;
	int flags;
	unsigned long resolve;
	bool in_proc; /* below the host's /proc and not the tree */
} questions[] = {
	{".", O_PATH, IN_ROOT, false},
	{"/", O_PATH, IN_ROOT, false},
	{"..", O_PATH, IN_ROOT, false},
	{"..", O_PATH, BENEATH, false},
	{"a/..", O_PATH, BENEATH, false},
	{"a/../..", O_PATH, BENEATH, false},
	{"a/../../a/b", O_PATH, IN_ROOT, false},
	{"/a", O_PATH, BENEATH, false},
	{"a/b/f", O_RDONLY, IN_ROOT, false},
	{"a/b/f/", O_PATH, IN_ROOT, false},
	{"a/b/f/.", O_PATH, IN_ROOT, false},
	{"a/b/f/x", O_PATH, IN_ROOT, false},
	{"a/b/f", O_PATH | O_DIRECTORY, IN_ROOT, false},
	{"a/b", O_PATH | O_DIRECTORY, IN_ROOT, false},
	{"a/b/", O_RDONLY | O_DIRECTORY, IN_ROOT, false},
	{"a/b", O_RDWR, IN_ROOT, false},
	{"missing", O_PATH, IN_ROOT, false},
	{"missing/x", O_PATH, IN_ROOT, false},
	{"", O_PATH, IN_ROOT, false},
	{"abs", O_PATH, IN_ROOT, false},
	{"abs", O_PATH, BENEATH, false},
	{"abs", O_PATH | O_NOFOLLOW, BENEATH, false},
	{"abs", O_RDONLY | O_NOFOLLOW, IN_ROOT, false},
	{"abs/f", O_PATH, IN_ROOT, false},
	{"abs/f", O_PATH, NO_LINK, false},
	{"abs", O_PATH, NO_LINK, false},
	{"abs", O_PATH | O_NOFOLLOW, NO_LINK, false},
	{"abs/", O_PATH | O_NOFOLLOW, IN_ROOT, false},
	{"climb", O_PATH, IN_ROOT, false},
	{"climb", O_PATH, BENEATH, false},
	{"climb/b/f", O_RDONLY, IN_ROOT, false},
	{"rel/f", O_RDONLY, BENEATH, false},
	{"loop", O_PATH, IN_ROOT, false},
	{"loop", O_PATH | O_NOFOLLOW, IN_ROOT, false},
	{"dangling", O_PATH, IN_ROOT, false},
	{"self/fd", O_PATH | O_DIRECTORY, PROC, true},
	{"self/stat", O_RDONLY, PROC, true},
	{"self/exe", O_PATH, PROC, true},
	{"self/root", O_PATH, PROC, true},
	{"self/cwd/etc", O_PATH, PROC, true},
	{"self/fd/0", O_PATH, PROC, true},
	{"thread-self/attr", O_PATH, PROC, true},
	{"mounts", O_RDONLY, PROC, true},
	{"net/dev", O_RDONLY, PROC, true},
	{"self/root", O_PATH, IN_ROOT, true},
};

/* An error, or which file it is. */
struct answer {
	int error;
	dev_t dev;
	ino_t ino;
};

static void fill(void)
{
	int fd;

	tree_make(&t);
	mkdirat(t.root, "a", 0755);
	mkdirat(t.root, "a/b", 0755);
	fd = openat(t.root, "a/b/f", O_CREAT | O_RDWR | O_CLOEXEC, 0644);
	close(fd);
	(void)!symlinkat("/a/b", t.root, "abs");
	(void)!symlinkat("a/b", t.root, "rel");
	(void)!symlinkat("../../../../a", t.root, "climb");
	(void)!symlinkat("loop", t.root, "loop");
	(void)!symlinkat("nothing/here", t.root, "dangling");
}

static struct answer ask(const struct question *q, int proc)
{
	struct answer a = {0};
	struct stat st;
	int fd = lookup_open(q->in_proc ? proc : t.root, q->path, q->flags, q->resolve);

	if (fd < 0) {
		a.error = fd;
		return a;
	}
	if (fstatat(fd, "", &st, AT_EMPTY_PATH) == 0) {
		a.dev = st.st_dev;
		a.ino = st.st_ino;
	}
	close(fd);
	return a;
}

#define QUESTIONS (sizeof(questions) / sizeof(questions[0]))

/* The child that lacks openat2(2) runs the tests of test_inroot.c again, not these. */
static bool is_child;

TEST(answers_are_those_of_the_kernel)
{
	struct answer *walked = mmap(NULL, sizeof(*walked) * QUESTIONS, PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	pid_t pid;

	if (is_child)
		return;
	fill();
	pid = fork();
	if (pid == 0) {
		without_call(SYS_openat2);
		for (size_t i = 0; i < QUESTIONS; i++)
			walked[i] = ask(&questions[i], proc);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	for (size_t i = 0; i < QUESTIONS; i++) {
		const struct question *q = &questions[i];
		struct answer a = ask(q, proc);
		/* Its own directory in /proc is another one than the child's. */
		bool is_same = a.error == walked[i].error &&
			       (q->in_proc || (a.dev == walked[i].dev && a.ino == walked[i].ino));

		if (!is_same)
			TEST_FAIL("`%s` %#x %#lx: %d ino %ju, the kernel says %d ino %ju", q->path,
				  (unsigned)q->flags, q->resolve, walked[i].error,
				  (uintmax_t)walked[i].ino, a.error, (uintmax_t)a.ino);
	}
	close(proc);
	munmap(walked, sizeof(*walked) * QUESTIONS);
	tree_remove(&t);
}

/* Swaps the directory "a" and the link "out" to the canary for as long as it lives. */
static void __attribute__((noreturn)) swap_for_ever(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	for (;;)
		renameat2(t.root, "a", t.root, "out", RENAME_EXCHANGE);
}

/* Looks up what is a directory at one moment and a link out of the root at the next. 0: never got out. */
static int look_while_swapped(void)
{
	struct stat canary, st;
	int found = 0;

	without_call(SYS_openat2);
	if (fstat(t.canary, &canary) < 0)
		return 2;
	for (int i = 0; i < 20000; i++) {
		int fd = i % 2 ? inroot_open(t.root, "a/../a", O_PATH)
			       : inroot_make(t.root, "a/new", S_IFDIR | 0755, 0, NULL, &err);

		if (fd < 0)
			continue;
		found++;
		if (fstat(fd, &st) < 0 ||
		    (st.st_dev == canary.st_dev && st.st_ino == canary.st_ino))
			return 3;
		close(fd);
	}
	return found ? 0 : 4;
}

TEST(nobody_gets_out_by_a_race)
{
	pid_t swapper, looker;
	int status;

	if (is_child)
		return;
	tree_make(&t);
	mkdirat(t.root, "a", 0755);
	outside_link("out");
	swapper = fork();
	if (swapper == 0)
		swap_for_ever();
	looker = fork();
	if (looker == 0)
		_exit(look_while_swapped());
	waitpid(looker, &status, 0);
	kill(swapper, SIGKILL);
	waitpid(swapper, NULL, 0);
	CHECK_INT(status, 0);
	CHECK(tree_canary_is_empty(&t));
	tree_remove(&t);
}

TEST(all_tests_of_inroot_without_the_call)
{
	pid_t pid;
	int status;

	if (is_child)
		return;
	pid = fork();
	if (pid == 0) {
		is_child = true;
		without_call(SYS_openat2);
		_exit(test_run_all());
	}
	waitpid(pid, &status, 0);
	CHECK_INT(status, 0);
}
