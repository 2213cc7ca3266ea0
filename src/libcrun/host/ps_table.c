// SPDX-License-Identifier: Apache-2.0
// The table of `crun ps` without options for ps(1): read from /proc, so that no program is needed.
#include "host/ps.h"

#include "base/str.h"
#include "sys/io.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COMMAND_MAX 4096

struct process {
	char comm[64], state;
	uint64_t ppid, ticks;
	uint32_t uid;
};

/* Fields 3, 4, 14 and 15 of /proc/PID/stat; the name before them is any text and may hold blanks and brackets. */
static bool parse_stat(char *text, struct process *ret)
{
	char *open = strchr(text, '('), *close = strrchr(text, ')');
	uint64_t value;

	if (!open || !close || close < open || close[1] != ' ')
		return false;
	*close = '\0';
	snprintf(ret->comm, sizeof(ret->comm), "%s", open + 1);
	text = close + 2;
	for (int field = 3; field <= 15; field++) {
		char *word = strsep(&text, " ");

		/* Of the state, a letter and nothing that a terminal would act upon. */
		if (!word || (field == 3 && (*word < 'A' || *word > 'z')))
			return false;
		if (field == 3)
			ret->state = word[0];
		if (field != 4 && field != 14 && field != 15)
			continue;
		if (str_to_u64(word, UINT64_MAX / 2, &value) < 0)
			return false;
		if (field == 4)
			ret->ppid = value;
		else
			ret->ticks += value;
	}
	return true;
}

/* Without line breaks and escape sequences: the container chose this text, and it goes to somebody's terminal. */
static void printable(char *text, size_t len)
{
	while (len > 0 && text[len - 1] == '\0')
		len--;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '\0')
			text[i] = ' ';
		else if (c < ' ' || c == 0x7f || (c >= 0x80 && c < 0xa0))
			text[i] = '?';
	}
	text[len] = '\0';
}

/* The command line; empty for a zombie and for a process that wiped it. */
static size_t read_command(int dir, char buf[COMMAND_MAX])
{
	_cleanup_close_ int fd = openat(dir, "cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : io_read_full(fd, buf, COMMAND_MAX - 1);

	if (n < 0)
		n = 0;
	printable(buf, (size_t)n);
	return strlen(buf);
}

static void add_row(pid_t pid, uint64_t hz, struct buf *out)
{
	_cleanup_close_ int dir = FD_NONE;
	char path[32], text[1024], command[COMMAND_MAX];
	struct process p = {.state = '?'};
	struct stat st;
	uint64_t seconds;

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* The owner of the directory is the effective uid, unless the process is closed to ptrace. */
	if (dir < 0 || fstat(dir, &st) < 0 ||
	    io_read_file_at(dir, "stat", text, sizeof(text)) < 0 || !parse_stat(text, &p))
		return;
	p.uid = st.st_uid;
	if (read_command(dir, command) == 0) {
		printable(p.comm, strlen(p.comm));
		snprintf(command, sizeof(command), "[%s]", p.comm);
	}
	seconds = p.ticks / hz;
	snprintf(text, sizeof(text), "%" PRIu64 ":%02u:%02u", seconds / 3600,
		 (unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60));
	buf_printf(out, "%-10u  %10d  %10" PRIu64 "  %c  %9s  %s\n", p.uid, (int)pid, p.ppid,
		   p.state, text, command);
}

void ps_table(const struct ps_pids *pids, struct buf *out)
{
	long hz = sysconf(_SC_CLK_TCK);

	buf_printf(out, "%-10s  %10s  %10s  %c  %9s  %s\n", "UID", "PID", "PPID", 'S', "TIME",
		   "COMMAND");
	for (size_t i = 0; i < pids->len; i++)
		add_row(pids->pids[i], hz > 0 ? (uint64_t)hz : 100, out);
}
