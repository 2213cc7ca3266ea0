// SPDX-License-Identifier: Apache-2.0
// Runs the hooks of one stage: see run.h.
#include "hooks/run.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "hooks/child.h"
#include "sys/anon.h"
#include "sys/file.h"
#include "sys/io.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct stage {
	const char *name;
	const char *status; /* runtime.md, State and Lifecycle */
	bool on_host; /* runs in the runtime namespace: config.md, POSIX-platform Hooks, Summary */
} stages[] = {
	{"prestart", "creating", true},		{"createRuntime", "creating", true},
	{"createContainer", "creating", false}, {"startContainer", "created", false},
	{"poststart", "running", true},		{"poststop", "stopped", true},
};

/* What all hooks of one list share. */
struct batch {
	const struct stage *stage;
	const struct hook_state *state;
	const struct deadline *deadline; /* or NULL */
	const struct oci_json *json;
	int stdout_fd, stderr_fd; /* or FD_NONE */
};

static const struct stage *find_stage(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(stages); i++) {
		if (str_eq(stages[i].name, name))
			return &stages[i];
	}
	return NULL;
}

const char *hooks_status(const char *stage)
{
	const struct stage *s = find_stage(stage);

	return s ? s->status : NULL;
}

/*
 * A file of its own for each hook, so that none sees where another's reading ended. A memfd holds any length, without
 * somebody who must keep writing (and get SIGPIPE from a hook that does not read).
 */
static int stdin_of(const struct oci_json *json, struct crun_error *err)
{
	_cleanup_close_ int fd = sys_anon_file("oci-state");
	int r;

	if (fd < 0)
		return err_sys(err, fd, "make a file for the hook's stdin");
	r = io_write_all(fd, json->data, json->len);
	if (r == 0)
		r = sys_add_seals(fd, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
	/* An ordinary file, for want of memfd_create: a tmpfs answers EPERM, others EINVAL. Nobody but this hook gets it. */
	if (r == -EINVAL || r == -EPERM)
		r = 0;
	if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	if (r < 0)
		return err_sys(err, r, "write the hook's stdin");
	return take_fd(&fd);
}

static const char *annotation(const struct hook_state *state, const char *key)
{
	const struct oci_string_map *map = state->annotations;

	for (size_t i = 0; map && i < map->len; i++) {
		if (str_eq(map->items[i].key, key))
			return map->items[i].value;
	}
	return NULL;
}

/* The file that an annotation names, or OTHERWISE (NULL: nothing, FD_NONE). */
static int open_output(const struct hook_state *state, const char *key, const char *otherwise,
		       int *ret, struct crun_error *err)
{
	const char *path = annotation(state, key);
	int flags = O_WRONLY | O_NOCTTY;
	int fd;

	if (path)
		flags |= O_CREAT | O_APPEND;
	else
		path = otherwise;
	if (!path)
		return 0;
	fd = sys_openat(AT_FDCWD, path, flags, 0644);
	if (fd < 0)
		return err_sys(err, fd, "open `%s` for the output of hooks", path);
	*ret = fd;
	return 0;
}

/* A NULL-terminated copy of the array; NULL without memory. */
static const char **terminated(const char *const *items, size_t len)
{
	const char **copy = calloc(len + 1, sizeof(*copy));

	if (!copy)
		return NULL;
	for (size_t i = 0; i < len; i++)
		copy[i] = items[i];
	return copy;
}

/* Turns how the process ended into an error, or 0. */
static int judge(const struct hook_child *c, const char *stage, size_t index,
		 struct crun_error *err)
{
	char line[HOOK_TAIL + 1];
	const char *colon;

	if (c->gave_up) {
		deadline_err(c->deadline, c->gave_up, err, "%s hook %zu `%s` was killed", stage,
			     index, c->path);
		return err_at(err, "/hooks/%s/%zu", stage, index);
	}
	if (!c->timed_out && !c->exec_errno && c->status == 0)
		return 0;
	hook_child_last_line(c, line, sizeof(line));
	colon = line[0] ? ": " : "";
	if (c->exec_errno) {
		err_sys(err, -c->exec_errno, "execute %s hook %zu `%s`", stage, index, c->path);
		err_kind(err, KIND_HOOK);
		err_code(err, CODE_HOOK_MISSING);
	} else if (c->timed_out) {
		err_set(err, CODE_HOOK_TIMEOUT, ETIMEDOUT,
			"%s hook %zu `%s` was killed, it was not done after %d seconds%s%s", stage,
			index, c->path, c->timeout, colon, line);
	} else if (WIFSIGNALED(c->status)) {
		err_set(err, KIND_HOOK, EIO, "%s hook %zu `%s` was killed by signal %d%s%s", stage,
			index, c->path, WTERMSIG(c->status), colon, line);
	} else {
		err_set(err, KIND_HOOK, EIO, "%s hook %zu `%s` failed with exit status %d%s%s",
			stage, index, c->path, WEXITSTATUS(c->status), colon, line);
	}
	return err_at(err, "/hooks/%s/%zu", stage, index);
}

static int run_one(const struct batch *b, const struct oci_hook *hook, size_t index,
		   struct crun_error *err)
{
	static const char *const nothing[] = {NULL};
	_cleanup_close_ int stdin_fd = stdin_of(b->json, err);
	_cleanup_free_ const char **argv = NULL, **envp = NULL;
	struct hook_child c = {
		.program_fd = FD_NONE,
		.path = hook->path,
		.cwd = b->stage->on_host ? b->state->bundle : "/",
		.stdin_fd = stdin_fd,
		.stdout_fd = b->stdout_fd,
		.stderr_fd = b->stderr_fd,
		.timeout = hook->has_timeout ? hook->timeout : 0,
		.deadline = b->deadline,
		/* Init is killed for a hook that hangs, and need not have a pid namespace that takes its children along. */
		.dies_with_us = !b->stage->on_host,
	};
	int r;

	if (stdin_fd < 0)
		return stdin_fd;
	argv = hook->args_len ? terminated(hook->args, hook->args_len) : terminated(&hook->path, 1);
	envp = terminated(hook->env, hook->env_len);
	if (!argv || !envp)
		return err_sys(err, -ENOMEM, "run %s hook %zu `%s`", b->stage->name, index,
			       hook->path);
	c.argv = argv;
	c.envp = envp;
	if (!hook->env)
		c.envp = b->stage->on_host ? (const char *const *)environ : nothing;
	log_debug("run %s hook %zu `%s`", b->stage->name, index, hook->path);
	r = hook_child_run(&c, err);
	if (r < 0)
		return r;
	return judge(&c, b->stage->name, index, err);
}

/* Whatever goes wrong on the way to a hook: which one was to be run. */
static int at_hook(const char *stage, size_t index, struct crun_error *err)
{
	return err->at[0] ? -err->errnum : err_at(err, "/hooks/%s/%zu", stage, index);
}

/* Runs the hooks from number FIRST up to END, which is not run any more. */
static int run_some(struct batch *b, const struct oci_hook *list, size_t first, size_t end,
		    struct crun_error *err)
{
	struct hook_state told = *b->state;
	struct oci_json json = {0};
	int r;

	if (!told.status)
		told.status = b->stage->status;
	b->json = &json;
	r = hooks_state_json(&told, &json, err);
	if (r < 0) {
		err_in(err, "%s hooks", b->stage->name);
		at_hook(b->stage->name, first, err);
	}
	for (size_t i = first; r == 0 && i < end; i++) {
		r = run_one(b, &list[i], i, err);
		if (r < 0)
			at_hook(b->stage->name, i, err);
	}
	oci_json_free(&json);
	return r;
}

static int prepare_and_run(const char *stage, const struct oci_hook *list, size_t first, size_t end,
			   const struct hook_state *state, const struct deadline *d,
			   struct crun_error *err)
{
	_cleanup_close_ int out = FD_NONE, errout = FD_NONE;
	struct batch b = {.stage = find_stage(stage), .state = state, .deadline = d};
	int r;

	if (first == end)
		return 0;
	if (!b.stage)
		return err_set(err, KIND_INTERNAL, EINVAL, "there is no hook stage `%s`", stage);
	if (b.stage->on_host) {
		r = open_output(state, "run.oci.hooks.stdout", "/dev/null", &out, err);
		if (r >= 0)
			r = open_output(state, "run.oci.hooks.stderr", NULL, &errout, err);
		if (r < 0)
			return at_hook(stage, first, err);
	}
	b.stdout_fd = out;
	b.stderr_fd = errout;
	return run_some(&b, list, first, end, err);
}

int hooks_run_list(const char *stage, const struct oci_hook *list, size_t len,
		   const struct hook_state *state, const struct deadline *d, struct crun_error *err)
{
	return prepare_and_run(stage, list, 0, len, state, d, err);
}

int hooks_run_one(const char *stage, const struct oci_hook *list, size_t index,
		  const struct hook_state *state, const struct deadline *d, struct crun_error *err)
{
	return prepare_and_run(stage, list, index, index + 1, state, d, err);
}
