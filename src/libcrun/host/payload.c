// SPDX-License-Identifier: Apache-2.0
// Tells the payload's execve from the death of init: see payload.h.
#include "host/payload.h"

#include "init/init_main.h"
#include "sys/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* How long the kernel may take from closing init's files to the rest of execve or of the death; then nobody knows. */
#define PATIENCE_MS 2000

enum sight {
	SIGHT_PAYLOAD, /* another name than init's: execve changed it; or gone already, as it could be after a short life */
	SIGHT_BETWEEN, /* its files are closed, its name is still init's */
	SIGHT_DEAD,    /* a zombie with init's name */
};

static enum sight look(pid_t pid)
{
	static const char name[] = "(" INIT_COMM ") ";
	char path[64], text[2048];
	const char *found;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (io_read_file_at(AT_FDCWD, path, text, sizeof(text)) < 0)
		return SIGHT_PAYLOAD;
	found = strstr(text, name);
	if (!found)
		return SIGHT_PAYLOAD;
	return strchr("ZXx", found[sizeof(name) - 1]) ? SIGHT_DEAD : SIGHT_BETWEEN;
}

int payload_check_began(pid_t pid, struct crun_error *err)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	enum sight sight = look(pid);

	/* execve closes the files a moment before it changes the name. */
	for (int i = 0; i < PATIENCE_MS && sight == SIGHT_BETWEEN; i++) {
		nanosleep(&pause, NULL);
		sight = look(pid);
	}
	if (sight != SIGHT_DEAD)
		return 0;
	return err_set(
		err, KIND_INTERNAL, EPIPE,
		"read from the init process: it was killed before it could execute the payload "
		"(does the seccomp profile allow execve?)");
}
