// SPDX-License-Identifier: Apache-2.0
// The id maps of a new user namespace: written by ourselves, or by newuidmap and newgidmap side by side.
#include "host/idmaps.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "sys/anon.h"
#include "sys/file.h"
#include "sys/io.h"
#include "sys/pidfd.h"
#include "sys/process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int idmaps_write_one(pid_t pid, const char *file, const struct oci_id_mapping *map, size_t len,
		     struct crun_error *err)
{
	_cleanup_buf_ struct buf text = {0};
	char path[64];
	int r;

	for (size_t i = 0; i < len; i++)
		buf_printf(&text, "%u %u %u\n", map[i].container_id, map[i].host_id, map[i].size);
	if (text.failed)
		return err_sys(err, -ENOMEM, "write %s", file);
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	r = io_write_file_at(AT_FDCWD, path, text.data);
	return r < 0 ? err_sys_code(err, CODE_MAPPING_REFUSED, r, "write %s", path) : 0;
}

static int write_directly(const struct launch_plan *plan, pid_t pid, struct crun_error *err)
{
	char path[64];
	int r;

	if (plan->deny_setgroups) {
		snprintf(path, sizeof(path), "/proc/%d/setgroups", pid);
		r = io_write_file_at(AT_FDCWD, path, "deny");
		if (r < 0)
			return err_sys_code(err, CODE_MAPPING_REFUSED, r, "write %s", path);
	}
	r = idmaps_write_one(pid, "gid_map", plan->gid_map, plan->gid_map_len, err);
	if (r < 0)
		return err_at(err, "/linux/gidMappings");
	r = idmaps_write_one(pid, "uid_map", plan->uid_map, plan->uid_map_len, err);
	return r < 0 ? err_at(err, "/linux/uidMappings") : 0;
}

/* Of what a helper says: a sentence or two. */
#define MAX_WORDS 400

struct map_helper {
	const char *name, *field;
	const struct host_program *program;
	const struct oci_id_mapping *map;
	size_t len;
	pid_t pid;
	int words; /* the end of a pipe that has the helper's standard error */
};

/* What it says becomes a part of our own sentence, for callers take every line of our standard error for one of ours. */
static int spawn_helper(struct map_helper *h, char *const *argv, struct crun_error *err)
{
	_cleanup_close_ int words = FD_NONE, said = FD_NONE;
	int fds[2], r;

	/* Nobody reads before it ends: it must not wait for that. */
	r = sys_pipe(fds, O_NONBLOCK);
	if (r < 0)
		return err_sys_code(err, CODE_MAPPING_HELPER, r, "run %s", h->program->path);
	words = fds[0];
	said = fds[1];
	r = program_start(h->program, argv, environ, said);
	if (r < 0)
		return err_sys_code(err, CODE_MAPPING_HELPER, r, "run %s", h->program->path);
	h->pid = r;
	h->words = take_fd(&words);
	return 0;
}

static int start_helper(struct map_helper *h, pid_t pid, struct crun_error *err)
{
	_cleanup_free_ char **argv = calloc(3 + h->len * 3, sizeof(*argv));
	_cleanup_free_ char(*numbers)[12] = calloc(1 + h->len * 3, sizeof(*numbers));

	if (!argv || !numbers)
		return err_sys(err, -ENOMEM, "run %s", h->name);
	argv[0] = (char *)h->program->path;
	snprintf(numbers[0], sizeof(numbers[0]), "%d", pid);
	argv[1] = numbers[0];
	for (size_t i = 0; i < h->len; i++) {
		const unsigned values[3] = {h->map[i].container_id, h->map[i].host_id,
					    h->map[i].size};

		for (size_t k = 0; k < 3; k++) {
			char *number = numbers[1 + i * 3 + k];

			snprintf(number, sizeof(numbers[0]), "%u", values[k]);
			argv[2 + i * 3 + k] = number;
		}
	}
	return spawn_helper(h, argv, err);
}

/* They look users up, which may ask a server that does not answer. */
static int await_helper(const struct map_helper *h, const struct deadline *d,
			struct crun_error *err)
{
	struct deadline limit = deadline_or(d, DEADLINE_INIT_MS);
	_cleanup_close_ int pidfd = sys_pidfd_open(h->pid);
	int r = pidfd < 0 ? 0 : sys_pidfd_wait(&limit, pidfd);

	if (r == 0)
		return 0;
	/* It is setuid, but its real user is still ours. */
	(void)sys_pidfd_send_signal(pidfd, SIGKILL);
	return deadline_err(&limit, r, err, "waiting for %s", h->name);
}

/* What the helper said, lines joined, without its name in front; "" when that was nothing. */
static void read_words(const struct map_helper *h, char words[MAX_WORDS])
{
	size_t name = strlen(h->name);
	ssize_t n = read(h->words, words, MAX_WORDS - 1);
	char *end = words + (n > 0 ? n : 0);

	while (end > words && (end[-1] == '\n' || end[-1] == '.'))
		end--;
	*end = '\0';
	for (char *p = words; (p = strchr(p, '\n'));)
		*p = ' ';
	if (strncmp(words, h->name, name) == 0 && words[name] == ':' && words[name + 1] == ' ')
		memmove(words, words + name + 2, strlen(words + name + 2) + 1);
}

static int finish_helper(const struct map_helper *h, const struct deadline *d,
			 struct crun_error *err)
{
	char words[MAX_WORDS];
	int status = 0, waited = await_helper(h, d, err);
	pid_t r = sys_waitpid(h->pid, &status, 0);

	if (waited < 0)
		return waited;
	if (r < 0)
		return err_sys(err, r, "wait for %s", h->name);
	read_words(h, words);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		if (words[0])
			log_debug("%s: %s", h->name, words);
		return 0;
	}
	err_set(err, CODE_MAPPING_REFUSED, EPERM,
		"%s refused the mappings: operation not permitted%s%s%s. Check that /etc/%s gives this user the "
		"ranges of linux.%s",
		h->name, words[0] ? " (" : "", words, words[0] ? ")" : "",
		h->field[0] == 'u' ? "subuid" : "subgid", h->field);
	return err_at(err, "/linux/%s", h->field);
}

static int open_helper(const char *name, const char *field, struct host_program *ret,
		       struct crun_error *err)
{
	int r = program_open(IDMAPS_HELPER_DIRS, name, ret);

	if (r == 0)
		return 0;
	if (r == -ENOENT)
		err_set(err, CODE_MAPPING_HELPER, ENOENT,
			"%s is needed for these mappings and is not installed (package uidmap or shadow-utils)",
			name);
	else
		err_sys_code(err, CODE_MAPPING_HELPER, r,
			     "open %s, which is needed for these mappings", name);
	return err_at(err, "/linux/%s", field);
}

int idmaps_open_helpers(struct idmap_helpers *ret, struct crun_error *err)
{
	int r = open_helper("newuidmap", "uidMappings", &ret->uid, err);

	return r < 0 ? r : open_helper("newgidmap", "gidMappings", &ret->gid, err);
}

void idmaps_close_helpers(struct idmap_helpers *helpers)
{
	program_close(&helpers->uid);
	program_close(&helpers->gid);
}

static int write_with_helpers(const struct launch_plan *plan, const struct idmap_helpers *programs,
			      pid_t pid, const struct deadline *d, struct crun_error *err)
{
	struct map_helper helpers[2] = {
		{"newuidmap", "uidMappings", &programs->uid, plan->uid_map, plan->uid_map_len, 0,
		 FD_NONE},
		{"newgidmap", "gidMappings", &programs->gid, plan->gid_map, plan->gid_map_len, 0,
		 FD_NONE},
	};
	struct crun_error late;
	int r, result = 0;

	for (size_t i = 0; i < ARRAY_LEN(helpers) && result == 0; i++)
		result = start_helper(&helpers[i], pid, err);
	for (size_t i = 0; i < ARRAY_LEN(helpers); i++) {
		if (helpers[i].pid <= 0)
			continue;
		r = finish_helper(&helpers[i], d, &late);
		close_fd(&helpers[i].words);
		if (r < 0 && result == 0) {
			*err = late;
			result = r;
		}
	}
	return result;
}

int idmaps_write(const struct launch_plan *plan, const struct idmap_helpers *helpers, pid_t pid,
		 const struct deadline *d, struct crun_error *err)
{
	switch (plan->id_map_writer) {
	case ID_MAP_DIRECT:
		return write_directly(plan, pid, err);
	case ID_MAP_HELPERS:
		return write_with_helpers(plan, helpers, pid, d, err);
	default:
		return 0;
	}
}
