// SPDX-License-Identifier: Apache-2.0
// Times chains of commands the way an engine runs them: vfork + exec, wait, and nothing else
// between the two clock readings. bench/run starts it once per sample.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_STEPS = 8, MAX_WORDS = 64, MAX_PARALLEL = 1000, DEADLINE_SECONDS = 120 };

/* One chain: steps[i] is an argument vector, or {"+reap"}: wait for the container itself. */
struct job {
	char **steps[MAX_STEPS];
	int n_steps;
	const char *id;
	int count;
	int parallel;
	int err_fd;
	int null_fd;
	long max_rss_kib;
};

/* Any failure ends the sample: a figure of a run that did not work is worth nothing. */
static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("driver: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

static long long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* Of all that was collected, and of what that had collected. */
static long long cpu_ns(void)
{
	struct rusage usage;

	getrusage(RUSAGE_CHILDREN, &usage);
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000LL +
	       (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000LL;
}

/* Replace each word "@" by the container's name; out has room for MAX_WORDS and a NULL. */
static void fill_in(char **words, char *name, char **out)
{
	for (int n = 0; *words; words++) {
		if (n++ == MAX_WORDS)
			die("a step has more than %d words", MAX_WORDS);
		*out++ = strcmp(*words, "@") ? *words : name;
	}
	*out = NULL;
}

static pid_t launch(const struct job *job, char **words, int serial)
{
	char name[128];
	char *argv[MAX_WORDS + 1];
	pid_t pid;

	snprintf(name, sizeof(name), job->count > 1 ? "%s-%d" : "%s", job->id, serial);
	fill_in(words, name, argv);
	/* vfork: what we carry ourselves must not be copied and so be part of the figure. */
	pid = vfork();
	if (pid == 0) {
		dup2(job->null_fd, STDIN_FILENO);
		dup2(job->null_fd, STDOUT_FILENO);
		dup2(job->err_fd, STDERR_FILENO);
		execv(argv[0], argv);
		_exit(127);
	}
	if (pid < 0)
		die("vfork: %s", strerror(errno));
	return pid;
}

/* Wait for one child (-1: any); its status must be 0. The peak RSS is kept when it counts. */
static void collect(struct job *job, pid_t pid, const char *what)
{
	struct rusage usage;
	int status;
	pid_t r;

	do {
		r = wait4(pid, &status, __WALL, &usage);
	} while (r < 0 && errno == EINTR);
	if (r < 0)
		die("%s: wait4: %s", what, strerror(errno));
	if (WIFSIGNALED(status))
		die("%s: killed by signal %d", what, WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		die("%s: exit status %d", what, WEXITSTATUS(status));
	if (usage.ru_maxrss > job->max_rss_kib)
		job->max_rss_kib = usage.ru_maxrss;
}

static void run_chain(struct job *job, int serial)
{
	for (int i = 0; i < job->n_steps; i++) {
		char **words = job->steps[i];

		/* We are a subreaper, as conmon and the containerd shim are: after `create` has
		 * ended, the container's first process is our child. */
		if (!strcmp(words[0], "+reap"))
			collect(job, -1, "the container");
		else
			collect(job, launch(job, words, serial), words[0]);
	}
}

static void run_parallel(struct job *job)
{
	int running = 0;

	for (int serial = 0; serial < job->count; serial++) {
		if (running == job->parallel) {
			collect(job, -1, job->steps[0][0]);
			running--;
		}
		launch(job, job->steps[0], serial);
		running++;
	}
	while (running-- > 0)
		collect(job, -1, job->steps[0][0]);
}

static int number(const char *s, int max)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(s, &end, 10);
	if (errno || *end || end == s || n < 1 || n > max)
		die("%s: expected a number from 1 to %d", s, max);
	return (int)n;
}

/* The words after the options are steps, separated by ";". */
static void read_steps(struct job *job, char **words)
{
	while (*words) {
		if (job->n_steps == MAX_STEPS)
			die("more than %d steps", MAX_STEPS);
		if (!strcmp(*words, ";"))
			die("empty step");
		job->steps[job->n_steps++] = words;
		while (*words && strcmp(*words, ";"))
			words++;
		if (*words)
			*words++ = NULL;
	}
	if (job->n_steps == 0)
		die("usage: driver [-i ID] [-n COUNT] [-p PARALLEL] [-e FILE] STEP [; STEP]...");
	if (job->parallel > 1 && job->n_steps > 1)
		die("only a single step can run in parallel");
}

int main(int argc, char **argv)
{
	struct job job = {.id = "bench", .count = 1, .parallel = 1, .err_fd = STDERR_FILENO};
	long long start, end;
	int opt;

	while ((opt = getopt(argc, argv, "+i:n:p:e:")) != -1) {
		if (opt == 'i')
			job.id = optarg;
		else if (opt == 'n')
			job.count = number(optarg, 1000000);
		else if (opt == 'p')
			job.parallel = number(optarg, MAX_PARALLEL);
		else if (opt == 'e')
			job.err_fd = open(optarg, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
		else
			return 2;
	}
	read_steps(&job, argv + optind);
	job.null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (job.err_fd < 0 || job.null_fd < 0)
		die("open: %s", strerror(errno));
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		die("prctl: %s", strerror(errno));
	/* A child does not inherit it: this ends a hanging driver, never a runtime. */
	alarm(DEADLINE_SECONDS);

	start = now_ns();
	if (job.parallel > 1)
		run_parallel(&job);
	else
		for (int serial = 0; serial < job.count; serial++)
			run_chain(&job, serial);
	end = now_ns();

	printf("%lld %ld %lld\n", end - start, job.max_rss_kib, cpu_ns());
	return 0;
}
