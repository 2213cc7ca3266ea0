// SPDX-License-Identifier: Apache-2.0
// The process object of exec: from a file, or the container's own one, with what the options change.
#include "host/exec.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "plan/exec.h"
#include "spec/tables.h"
#include "sys/file.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#define NO_MEMORY(err) err_sys(err, -ENOMEM, "read the process")

static int read_file(struct exec *x, struct oci_process **ret, struct crun_error *err)
{
	const char *path = x->opts->process;
	_cleanup_close_ int fd = FD_NONE;
	struct oci_parse_error why;
	int r;

	x->process_path = path;
	fd = str_eq(path, "-") ? sys_dup_cloexec(STDIN_FILENO, 3)
			       : sys_openat(AT_FDCWD, path, O_RDONLY, 0);
	if (fd < 0)
		return err_sys_code(err, CODE_CONFIG_MISSING, fd, "open `%s`", path);
	r = oci_process_parse_fd(fd, path, &x->l.arena, &x->process_text, ret, &why);
	if (r < 0)
		return err_set(err, r == -EINVAL ? (unsigned)CODE_CONFIG_SYNTAX : KIND_SYSTEM,
			       why.errnum, "%s", why.text);
	return 0;
}

/* The container's own process, but for what belongs to the one command: its terminal, and a scheduler that was admitted once. */
static int copy_containers(struct exec *x, struct oci_process **ret, struct crun_error *err)
{
	struct oci_process *p = oci_arena_alloc(&x->l.arena, sizeof(*p));

	if (!p)
		return NO_MEMORY(err);
	if (!x->config->process)
		return err_set(
			err, KIND_SPEC, EINVAL,
			"the container's configuration has no process to take settings from: "
			"use --process");
	*p = *x->config->process;
	p->has_terminal = true;
	p->terminal = false;
	p->console_size = NULL;
	if (p->scheduler && p->scheduler->policy == OCI_SCHEDULER_POLICY_DEADLINE)
		p->scheduler = NULL;
	*ret = p;
	return 0;
}

static size_t list_len(const char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

static bool is_same_variable(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");

	return a[n] == '=' && strncmp(a, b, n + 1) == 0;
}

/* A variable that is there already gets the new value: a second one of that name would not be seen by most programs. */
static int set_env(struct exec *x, struct oci_process *p, struct crun_error *err)
{
	size_t added = list_len(x->opts->env), len = p->env_len;
	const char **env;

	if (!added)
		return 0;
	env = oci_arena_alloc(&x->l.arena, (len + added) * sizeof(*env));
	if (!env)
		return NO_MEMORY(err);
	for (size_t i = 0; i < len; i++)
		env[i] = p->env[i];
	for (size_t i = 0; i < added; i++) {
		const char *text = x->opts->env[i];
		size_t at = 0;

		if (!strchr(text, '=') || text[0] == '=')
			return err_set(err, CODE_USAGE, EINVAL, "--env takes NAME=VALUE, not `%s`",
				       text);
		while (at < len && !is_same_variable(text, env[at]))
			at++;
		env[at] = text;
		len = at == len ? len + 1 : len;
	}
	p->env = env;
	p->env_len = len;
	return 0;
}

/* "1,2" as well as one at a time. */
static int add_gids(struct exec *x, struct oci_user *user, struct crun_error *err)
{
	size_t room = user->additional_gids_len;
	uint32_t *gids;

	for (const char *const *g = x->opts->additional_gids; *g; g++) {
		room++;
		for (const char *c = *g; *c; c++)
			room += *c == ',';
	}
	gids = oci_arena_alloc(&x->l.arena, room * sizeof(*gids));
	if (!gids)
		return NO_MEMORY(err);
	for (size_t i = 0; i < user->additional_gids_len; i++)
		gids[i] = user->additional_gids[i];
	for (const char *const *g = x->opts->additional_gids; *g; g++) {
		const char *rest = *g;

		for (;;) {
			size_t n = strcspn(rest, ",");
			char number[16];
			uint64_t gid;

			snprintf(number, sizeof(number), "%.*s", (int)n, rest);
			if (n >= sizeof(number) || str_to_u64(number, UINT32_MAX - 1, &gid) < 0)
				return err_set(err, CODE_USAGE, EINVAL,
					       "--additional-gids takes group ids, not `%s`", *g);
			gids[user->additional_gids_len++] = (uint32_t)gid;
			if (!rest[n])
				break;
			rest += n + 1;
		}
	}
	user->additional_gids = gids;
	return 0;
}

static int set_user(struct exec *x, struct oci_process *p, struct crun_error *err)
{
	struct oci_user *user;
	uint32_t uid, gid;
	bool has_gid;

	if (!x->opts->user && !list_len(x->opts->additional_gids))
		return 0;
	user = oci_arena_alloc(&x->l.arena, sizeof(*user));
	if (!user)
		return NO_MEMORY(err);
	*user = p->user ? *p->user : (struct oci_user){0};
	if (x->opts->user) {
		if (plan_exec_user(x->opts->user, &uid, &gid, &has_gid) < 0)
			return err_set(err, CODE_USAGE, EINVAL,
				       "--user takes UID or UID:GID in digits, not `%s`",
				       x->opts->user);
		user->has_uid = true;
		user->uid = uid;
		if (has_gid) {
			user->has_gid = true;
			user->gid = gid;
		}
	}
	p->user = user;
	return list_len(x->opts->additional_gids) ? add_gids(x, user, err) : 0;
}

/* "CAP_SYS_ADMIN", "sys_admin": as config.json would write it. */
static int name_of_cap(struct exec *x, const char *text, const char **ret, struct crun_error *err)
{
	size_t len = strlen(text);
	char *name = oci_arena_alloc(&x->l.arena, len + sizeof("CAP_"));
	size_t at = 0;

	if (!name)
		return NO_MEMORY(err);
	if (strncasecmp(text, "CAP_", 4) != 0) {
		memcpy(name, "CAP_", 4);
		at = 4;
	}
	for (size_t i = 0; i <= len; i++)
		name[at + i] = (char)toupper((unsigned char)text[i]);
	if (cap_number(name) < 0)
		return err_set(err, CODE_USAGE, EINVAL, "unknown capability `%s`", text);
	*ret = name;
	return 0;
}

static int extend(struct exec *x, const char ***list, size_t *len, const char *const *names,
		  size_t n, struct crun_error *err)
{
	const char **longer = oci_arena_alloc(&x->l.arena, (*len + n) * sizeof(*longer));

	if (!longer)
		return NO_MEMORY(err);
	for (size_t i = 0; i < *len; i++)
		longer[i] = (*list)[i];
	for (size_t i = 0; i < n; i++)
		longer[*len + i] = names[i];
	*list = longer;
	*len += n;
	return 0;
}

/* Never the inheritable set: what is in there comes back with any program that has file capabilities (CVE-2022-29162). */
static int add_caps(struct exec *x, struct oci_process *p, struct crun_error *err)
{
	size_t n = list_len(x->opts->caps);
	struct oci_capabilities *caps;
	const char **names;
	int r = 0;

	if (!n)
		return 0;
	caps = oci_arena_alloc(&x->l.arena, sizeof(*caps));
	names = oci_arena_alloc(&x->l.arena, n * sizeof(*names));
	if (!caps || !names)
		return NO_MEMORY(err);
	*caps = p->capabilities ? *p->capabilities : (struct oci_capabilities){0};
	for (size_t i = 0; r == 0 && i < n; i++)
		r = name_of_cap(x, x->opts->caps[i], &names[i], err);
	if (r == 0)
		r = extend(x, &caps->bounding, &caps->bounding_len, names, n, err);
	if (r == 0)
		r = extend(x, &caps->effective, &caps->effective_len, names, n, err);
	if (r == 0)
		r = extend(x, &caps->permitted, &caps->permitted_len, names, n, err);
	p->capabilities = caps;
	return r;
}

static void set_plain(const struct libcrun_exec_options *opts, struct oci_process *p)
{
	if (opts->args) {
		p->args = (const char **)opts->args;
		p->args_len = list_len(opts->args);
	}
	if (opts->cwd)
		p->cwd = opts->cwd;
	if (opts->tty) {
		p->has_terminal = true;
		p->terminal = true;
	}
	if (opts->no_new_privs) {
		p->has_no_new_privileges = true;
		p->no_new_privileges = true;
	}
	if (opts->apparmor)
		p->apparmor_profile = opts->apparmor;
	if (opts->process_label)
		p->selinux_label = opts->process_label;
}

int exec_read_process(struct exec *x, struct oci_process **ret, struct crun_error *err)
{
	struct oci_process *p;
	int r = x->opts->process ? read_file(x, &p, err) : copy_containers(x, &p, err);

	if (r < 0)
		return r;
	plan_exec_defaults(p, x->config->process);
	set_plain(x->opts, p);
	r = set_env(x, p, err);
	if (r == 0)
		r = set_user(x, p, err);
	if (r == 0)
		r = add_caps(x, p, err);
	*ret = p;
	return r;
}

int exec_locate(const struct exec *x, struct crun_error *err)
{
	const char *below = str_after(err->at, "/process");
	unsigned line, column;
	char at[sizeof(err->at)];

	/* The file is a process object, the checks are those of a whole configuration. */
	if (below && !x->process_path)
		err->at[0] = '\0'; /* there is no document that it would point into */
	if (!below || !x->process_path || !x->process_text.data)
		return -err->errnum;
	memcpy(at, below, strlen(below) + 1);
	memcpy(err->at, at, sizeof(at));
	if (oci_locate(x->process_text.data, x->process_text.len, at, &line, &column) != 0)
		return -err->errnum;
	return err_in(err, "%s:%u:%u: %s", x->process_path, line, column, at);
}
