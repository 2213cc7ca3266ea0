// SPDX-License-Identifier: Apache-2.0
// The table of `crun ps CONTAINER OPTION...`: ps(1) makes it, and the rows of other processes are left out.
#include "host/ps.h"

#include "base/str.h"
#include "hooks/child.h"
#include "hooks/program.h"
#include "sys/anon.h"
#include "sys/file.h"
#include "sys/io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define PS_TIMEOUT_S 10
/* The kernel takes no longer argument (MAX_ARG_STRLEN). */
#define LIST_MAX   (128 * 1024 - 1)
#define OUTPUT_MAX (64 * 1024 * 1024)

static const char dirs[] = "/usr/bin /bin";

static bool is_ours(const struct ps_pids *pids, uint64_t pid)
{
	size_t low = 0, high = pids->len;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if ((uint64_t)pids->pids[mid] == pid)
			return true;
		if ((uint64_t)pids->pids[mid] < pid)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}

/* Where the word PID stands in the header. */
struct column {
	size_t end;   /* offset behind it */
	size_t index; /* words before it */
};

static bool find_column(const char *header, struct column *ret)
{
	size_t index = 0;

	for (const char *p = header; *p; index++) {
		size_t n;

		p += strspn(p, " ");
		n = strcspn(p, " ");
		if (n == 3 && memcmp(p, "PID", 3) == 0) {
			*ret = (struct column){.end = (size_t)(p - header) + n, .index = index};
			return true;
		}
		p += n;
	}
	return false;
}

static bool to_pid(const char *word, size_t len, uint64_t *ret)
{
	char text[16];

	if (len == 0 || len >= sizeof(text))
		return false;
	memcpy(text, word, len);
	text[len] = '\0';
	return str_to_u64(text, INT32_MAX, ret) == 0;
}

/* Numbers are aligned at the header's right end; only where a wide value before them has moved them words are counted. */
static bool row_pid(const char *row, const struct column *column, uint64_t *ret)
{
	size_t len = strlen(row), start = column->end, index = 0;

	if (len >= column->end && (row[column->end] == ' ' || row[column->end] == '\0')) {
		while (start > 0 && row[start - 1] != ' ')
			start--;
		if (to_pid(row + start, column->end - start, ret))
			return true;
	}
	for (const char *p = row; *p; index++) {
		size_t n;

		p += strspn(p, " ");
		n = strcspn(p, " ");
		if (index == column->index)
			return to_pid(p, n, ret);
		p += n;
	}
	return false;
}

static int filter(char *text, const struct ps_pids *pids, struct buf *out, struct crun_error *err)
{
	struct column column;
	char *line = strsep(&text, "\n");
	uint64_t pid;

	if (!line || !find_column(line, &column))
		return err_set(err, CODE_USAGE, EINVAL,
			       "ps(1) shows no column `PID` with these options, by which the "
			       "container's processes could be found");
	buf_printf(out, "%s\n", line);
	while ((line = strsep(&text, "\n"))) {
		if (row_pid(line, &column, &pid) && is_ours(pids, pid))
			buf_printf(out, "%s\n", line);
	}
	return 0;
}

/* ps, ARGS, and the list: without it, options that select nothing would show ps's own terminal, hence nothing. */
static const char **arguments(char *const *args, const char *list)
{
	size_t n = 0, at = 0;
	const char **argv;

	while (args[n])
		n++;
	argv = calloc(n + 4, sizeof(char *));
	if (!argv)
		return NULL;
	argv[at++] = "ps";
	for (size_t i = 0; i < n; i++)
		argv[at++] = args[i];
	if (list) {
		argv[at++] = "-p";
		argv[at++] = list;
	}
	return argv;
}

/* Sets *ret_text to what it wrote, malloc'd. -ECHILD: it ran, and failed as *err says. */
static int run_ps(const struct host_program *ps, char *const *args, const char *list,
		  char **ret_text, struct crun_error *err)
{
	static const char *const envp[] = {"PATH=/usr/bin:/bin", "LC_ALL=C", NULL};
	_cleanup_close_ int output = sys_memfd_create("ps", MFD_NOEXEC_SEAL);
	_cleanup_close_ int null = sys_openat(AT_FDCWD, "/dev/null", O_RDONLY, 0);
	_cleanup_free_ const char **argv = arguments(args, list);
	struct hook_child child = {
		.path = ps->path,
		.program_fd = ps->fd,
		.envp = envp,
		.cwd = "/",
		.stdin_fd = null,
		.stdout_fd = output,
		.stderr_fd = FD_NONE,
		.timeout = PS_TIMEOUT_S,
	};
	char line[256];
	struct stat st;
	ssize_t n;
	int r;

	if (output < 0 || null < 0 || !argv)
		return err_sys_code(err, CODE_PS_PROGRAM,
				    !argv	 ? -ENOMEM
				    : output < 0 ? output
						 : null,
				    "run ps(1)");
	child.argv = argv;
	r = hook_child_run(&child, err);
	if (r < 0)
		return r;
	if (child.exec_errno)
		return err_sys_code(err, CODE_PS_PROGRAM, -child.exec_errno, "execute `%s`",
				    child.path);
	if (child.timed_out)
		return err_set(err, KIND_TIMEOUT, ETIMEDOUT, "`%s` was still running after %d s",
			       child.path, PS_TIMEOUT_S);
	if (!WIFEXITED(child.status) || WEXITSTATUS(child.status) > 1)
		return err_set(err, CODE_PS_PROGRAM, ECHILD, "`%s` failed: %s", child.path,
			       hook_child_last_line(&child, line, sizeof(line)));
	/* 1 is also the status of having found none; then it says nothing on its stderr. */
	if (WEXITSTATUS(child.status) == 1 && child.tail_len > 0)
		return err_set(err, CODE_USAGE, ECHILD, "`%s`: %s", child.path,
			       hook_child_last_line(&child, line, sizeof(line)));
	if (fstat(output, &st) < 0)
		return err_sys_code(err, CODE_PS_PROGRAM, -errno, "stat the output of `%s`",
				    child.path);
	if (st.st_size > OUTPUT_MAX)
		return err_set(err, KIND_UNSUPPORTED, EFBIG, "`%s` wrote more than %d MiB",
			       child.path, OUTPUT_MAX >> 20);
	*ret_text = calloc(1, (size_t)st.st_size + 1);
	if (!*ret_text)
		return err_sys(err, -ENOMEM, "output of `%s`", child.path);
	n = io_read_start(output, *ret_text, (size_t)st.st_size);
	return n < 0 ? err_sys_code(err, CODE_PS_PROGRAM, (int)n, "read the output of `%s`",
				    child.path)
		     : 0;
}

int ps_program(const struct ps_pids *pids, char *const *args, struct buf *out,
	       struct crun_error *err)
{
	_cleanup_buf_ struct buf list = {0};
	_cleanup_free_ char *text = NULL;
	_cleanup_(program_close) struct host_program ps;
	int r = program_open(dirs, "ps", &ps);

	if (r < 0)
		return err_sys_code(err, CODE_PS_PROGRAM, r, "find ps(1) in one of %s", dirs);
	r = -ECHILD;
	for (size_t i = 0; i < pids->len; i++)
		buf_printf(&list, "%s%d", i ? "," : "", (int)pids->pids[i]);
	if (list.failed)
		return err_sys(err, -ENOMEM, "list of processes");
	if (list.len > 0 && list.len < LIST_MAX)
		r = run_ps(&ps, args, list.data, &text, err);
	/* Options that the list does not go with, or a ps that knows no lists: then all are shown, for us to choose from. */
	if (r == -ECHILD)
		r = run_ps(&ps, args, NULL, &text, err);
	return r < 0 ? r : filter(text, pids, out, err);
}
