// SPDX-License-Identifier: Apache-2.0
// The shield around our own binary: what an attacker reaches is a sealed file that is no program, and we go on working.
#include "sys/exe_shield.h"

#include "sys/anon.h"

#include "../test.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef SANITIZERS
#define SKIP_SANITIZED() SKIP("a build with sanitizers cannot be moved in memory")
#else
#define SKIP_SANITIZED() ((void)0)
#endif

#define REEXECED "--reexeced"
#define CANNOT	 77 /* exit status: this environment does not allow it */

static struct crun_error err;
static char binary[4096]; /* path of this program */
static const char *own_name;
static int data_counter = 41; /* .data */
static int bss_counter;	      /* .bss */

/* Leaves the child with the number of the line that failed. */
#define MUST(cond)                                                                            \
	do {                                                                                  \
		if (!(cond)) {                                                                \
			printf("# line %d: not: %s (errno %d, %s)\n", __LINE__, #cond, errno, \
			       err.text);                                                     \
			fflush(stdout);                                                       \
			_exit(1);                                                             \
		}                                                                             \
	} while (0)

/* Runs FN in a process of its own, as the shield is for good. Returns its exit status, or -SIGNAL. */
static int in_child(void (*fn)(void))
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		fn();
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

struct mapping {
	uintptr_t start, end;
	char perms[5];
	char rest[512];
};

/* This process's mappings, neighbours of the same protection as one. Returns their number. */
static size_t read_maps(struct mapping *maps, size_t max)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[1024];
	size_t n = 0;

	while (f && n < max && fgets(line, sizeof(line), f)) {
		struct mapping *m = &maps[n], *last = n > 0 ? &maps[n - 1] : NULL;
		char *p;

		m->start = strtoull(line, &p, 16);
		m->end = strtoull(p + 1, &p, 16);
		snprintf(m->perms, sizeof(m->perms), "%.4s", p + 1);
		snprintf(m->rest, sizeof(m->rest), "%s", p + 6);
		if (last && last->end == m->start && strcmp(last->perms, m->perms) == 0)
			last->end = m->end;
		else
			n++;
	}
	if (f)
		fclose(f);
	return n;
}

/* All that is mapped has the protection PERMS at the address of OBJECT. */
static int has_perms(const void *object, const char *perms)
{
	static struct mapping maps[256];
	size_t n = read_maps(maps, 256);

	for (size_t i = 0; i < n; i++) {
		if (maps[i].start <= (uintptr_t)object && (uintptr_t)object < maps[i].end)
			return strcmp(maps[i].perms, perms) == 0;
	}
	return 0;
}

static int maps_name_us(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[4200];
	int found = 0;

	while (f && fgets(line, sizeof(line), f))
		found |= strstr(line, binary) != NULL;
	if (f)
		fclose(f);
	return found;
}

static int twice_compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void program_works(void)
{
	int numbers[] = {3, 1, 2}, status = 0;
	char *memory, text[64];
	pid_t pid;

	data_counter++;
	bss_counter += 7;
	MUST(data_counter == 42 && bss_counter == 7);
	qsort(numbers, 3, sizeof(numbers[0]), twice_compare);
	MUST(numbers[0] == 1 && numbers[2] == 3);
	for (size_t size = 16; size < 4 << 20; size *= 4) {
		memory = malloc(size);
		MUST(memory != NULL);
		memset(memory, 1, size);
		free(memory);
	}
	snprintf(text, sizeof(text), "%.2f %s", 1.5, strerror(ENOENT));
	MUST(strcmp(text, "1.50 No such file or directory") == 0);
	errno = 0;
	MUST(open("/nonexistent", O_RDONLY | O_CLOEXEC) < 0 && errno == ENOENT);
	pid = fork();
	if (pid == 0)
		_exit(data_counter);
	MUST(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 42);
	pid = fork();
	if (pid == 0) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(1);
	}
	MUST(waitpid(pid, &status, 0) == pid && status == 0);
}

static void check_exe_is_memory(void)
{
	char target[256];
	ssize_t n = readlink("/proc/self/exe", target, sizeof(target) - 1);

	MUST(n > 0);
	target[n] = '\0';
	MUST(strstr(target, "memfd:") != NULL);
	MUST(exe_is_shielded());
}

static void check_exe_is_no_program(void)
{
	char *argv[] = {(char *)"x", NULL};
	const char *script = "#!/proc/self/exe\n";
	char path[] = "/tmp/crun-shield-XXXXXX";
	int fd;

	MUST(execve("/proc/self/exe", argv, environ) < 0 && errno == EACCES);
	fd = mkstemp(path);
	MUST(fd >= 0 && write(fd, script, strlen(script)) > 0 && fchmod(fd, 0755) == 0);
	close(fd);
	MUST(execve(path, argv, environ) < 0 && errno == EACCES);
	unlink(path);
	/* Its owner may make it executable again, but there is nothing to execute. */
	MUST(chmod("/proc/self/exe", 0777) == 0);
	MUST(execve("/proc/self/exe", argv, environ) < 0 && errno == ENOEXEC);
	MUST(chmod("/proc/self/exe", 0400) == 0);
}

static void check_exe_is_read_only(void)
{
	char path[64];
	int fd = open("/proc/self/exe", O_PATH | O_CLOEXEC), rw;

	MUST(fd >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	for (int i = 0; i < 2; i++) {
		rw = open(i ? path : "/proc/self/exe", O_RDWR | O_CLOEXEC);
		if (rw < 0)
			continue;
		MUST(write(rw, "x", 1) < 0 && errno == EPERM);
		MUST(ftruncate(rw, 0) < 0 && errno == EPERM);
		close(rw);
	}
	close(fd);
}

static void shield_in_place(void)
{
	static struct mapping before[256], after[256];
	size_t n, m;

	/* Memory of the C library's own, so that nothing but the shield changes the mappings. */
	free(malloc(100));
	n = read_maps(before, 256);
	MUST(exe_shield(NULL, &err) == 0);
	m = read_maps(after, 256);
	MUST(n == m);
	for (size_t i = 0; i < n; i++) {
		MUST(before[i].start == after[i].start && before[i].end == after[i].end);
		MUST(strcmp(before[i].perms, after[i].perms) == 0);
	}
	MUST(!maps_name_us());
	MUST(has_perms((void *)(uintptr_t)program_works, "r-xp"));
	MUST(has_perms(&data_counter, "rw-p"));
	MUST(has_perms("a string", "r--p"));
	check_exe_is_memory();
	check_exe_is_read_only();
	check_exe_is_no_program();
	program_works();
	MUST(exe_shield(NULL, &err) == 0); /* again */
	MUST(exe_is_shielded());
}

TEST(in_place)
{
	SKIP_SANITIZED();
	if (geteuid() != 0)
		SKIP("needs root");
	CHECK_INT(in_child(shield_in_place), 0);
}

static void shield_in_mount_namespace(void)
{
	if (unshare(CLONE_NEWNS) < 0)
		_exit(CANNOT);
	MUST(exe_shield(NULL, &err) == 0);
	check_exe_is_memory();
	check_exe_is_read_only();
	check_exe_is_no_program();
	MUST(has_perms((void *)(uintptr_t)program_works, "r-xp"));
	MUST(has_perms(&data_counter, "rw-p"));
	program_works();
}

TEST(in_a_new_mount_namespace)
{
	int r;

	SKIP_SANITIZED();
	r = in_child(shield_in_mount_namespace);
	if (r == CANNOT)
		SKIP("no new mount namespace here");
	CHECK_INT(r, 0);
}

static void shield_unprivileged(void)
{
	pid_t pid;
	int fd, status = 0;

	if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
		_exit(CANNOT);
	/* As by execve of a user: the ids changed, but /proc is ours. */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	fd = exe_shield_prepare(&err);
	MUST(fd >= 0);
	MUST(exe_shield_apply(fd, &err) < 0 && err.kind == KIND_UNSUPPORTED);
	MUST(!exe_is_shielded());
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWUSER) < 0)
			_exit(CANNOT);
		MUST(exe_shield_apply(fd, &err) == 0);
		check_exe_is_memory();
		check_exe_is_no_program();
		program_works();
		_exit(0);
	}
	MUST(waitpid(pid, &status, 0) == pid);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

TEST(for_an_unprivileged_user)
{
	int r;

	SKIP_SANITIZED();
	r = in_child(shield_unprivileged);
	if (r == CANNOT)
		SKIP("no new user namespace for this user");
	CHECK_INT(r, 0);
}

static size_t slurp(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, buf, size);

	close(fd);
	return n < 0 ? 0 : (size_t)n;
}

static void proc_still_tells_the_truth(void)
{
	static char before[2][65536], after[2][65536];
	size_t len = slurp("/proc/self/cmdline", before[0], sizeof(before[0]));
	size_t env = slurp("/proc/self/environ", before[1], sizeof(before[1]));

	MUST(len > 0);
	MUST(exe_shield(NULL, &err) == 0);
	MUST(slurp("/proc/self/cmdline", after[0], sizeof(after[0])) == len);
	MUST(memcmp(before[0], after[0], len) == 0);
	MUST(slurp("/proc/self/environ", after[1], sizeof(after[1])) == env);
	MUST(memcmp(before[1], after[1], env) == 0);
}

TEST(command_line_and_environment_stay)
{
	SKIP_SANITIZED();
	if (geteuid() != 0)
		SKIP("needs root");
	CHECK_INT(in_child(proc_still_tells_the_truth), 0);
}

/* The attack: keep a handle on the binary until the runtime is gone, and its text no longer busy. */
TEST(a_kept_handle_cannot_write)
{
	char path[64];
	int ready[2], fd, rw;
	char c;
	pid_t pid;

	SKIP_SANITIZED();
	if (geteuid() != 0)
		SKIP("needs root");
	CHECK(pipe(ready) == 0);
	pid = fork();
	if (pid == 0) {
		c = exe_shield(NULL, &err) == 0;
		_exit(write(ready[1], &c, 1) == 1 && pause());
	}
	CHECK(read(ready[0], &c, 1) == 1 && c == 1);
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	fd = open(path, O_PATH | O_CLOEXEC);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ready[0]);
	close(ready[1]);
	CHECK(fd >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	rw = open(path, O_RDWR | O_CLOEXEC);
	if (rw >= 0) {
		CHECK(write(rw, "x", 1) < 0 && errno == EPERM);
		CHECK(ftruncate(rw, 0) < 0 && errno == EPERM);
		close(rw);
	}
	close(fd);
}

static void reexec(void)
{
	char *argv[] = {(char *)own_name, (char *)REEXECED, NULL};

	/* Comes back only when it failed. */
	MUST(exe_shield_reexec(argv, &err) > 0);
}

TEST(reexec_makes_a_sealed_copy)
{
	CHECK(!exe_is_shielded());
	CHECK_INT(in_child(reexec), 42);
}

/* The process that reexec() became. */
static int reexeced(char **argv)
{
	char comm[32] = "";
	size_t n;

	if (!exe_is_shielded() || exe_shield_reexec(argv, &err) != 0)
		return 1;
	n = slurp("/proc/self/comm", comm, sizeof(comm) - 1);
	if (n == 0 || strncmp(comm, "test_exe_shield", 15) != 0)
		return 2;
	return open("/proc/self/exe", O_WRONLY | O_CLOEXEC) < 0 ? 42 : 3;
}

static bool mapped(uid_t uid, void *data)
{
	(void)uid;
	return *(bool *)data;
}

TEST(who_needs_it)
{
	bool yes = true, no = false;
	struct stat st;

	CHECK(stat("/proc/self/exe", &st) == 0);
	CHECK(exe_shield_is_needed(NULL, NULL));
	CHECK(exe_shield_is_needed(mapped, &yes));
	CHECK_INT(exe_shield_is_needed(mapped, &no), (st.st_mode & 022) != 0);
}

int main(int argc, char **argv)
{
	ssize_t n = readlink("/proc/self/exe", binary, sizeof(binary) - 1);

	if (n <= 0)
		return 1;
	own_name = argv[0];
	if (argc > 1 && strcmp(argv[1], REEXECED) == 0)
		return reexeced(argv);
	return test_run_all();
}
