// SPDX-License-Identifier: Apache-2.0
// The process object of a configuration, turned into what init does with it: see process.h.
#include "plan/process.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "plan/internal.h"
#include "spec/check_process.h"
#include "spec/tables.h"

#include <errno.h>

#define DEFAULT_PATH  "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define DEFAULT_UMASK 0022

static int plan_caps(const struct oci_process *spec, unsigned last_cap, struct plan_caps *ret,
		     struct crun_error *err)
{
	const struct oci_capabilities *c = spec->capabilities;
	const struct {
		const char *name;
		const char **list;
		size_t len;
		uint64_t *set;
	} sets[] = {
		{"bounding", c->bounding, c->bounding_len, &ret->bounding},
		{"effective", c->effective, c->effective_len, &ret->effective},
		{"permitted", c->permitted, c->permitted_len, &ret->permitted},
		{"inheritable", c->inheritable, c->inheritable_len, &ret->inheritable},
		{"ambient", c->ambient, c->ambient_len, &ret->ambient},
	};

	for (size_t s = 0; s < ARRAY_LEN(sets); s++) {
		for (size_t i = 0; i < sets[s].len; i++) {
			int cap = cap_number(sets[s].list[i]);

			/* config.md: what cannot be granted is logged as a warning, it is not a failure. */
			if (cap < 0 || (unsigned)cap > last_cap) {
				log_warning(
					"/process/capabilities/%s/%zu: capability `%s` is unknown to "
					"this kernel and left out",
					sets[s].name, i, sets[s].list[i]);
				continue;
			}
			*sets[s].set |= UINT64_C(1) << cap;
		}
	}
	/* The kernel refuses an effective capability that is not permitted: say which field is at fault. */
	if (ret->effective & ~ret->permitted) {
		err_set(err, KIND_SPEC, EINVAL,
			"every effective capability must be in the permitted set too");
		return err_at(err, "/process/capabilities/effective");
	}
	return 0;
}

static int plan_rlimits(const struct oci_process *spec, struct oci_arena *arena,
			struct plan_process *ret, struct crun_error *err)
{
	struct plan_rlimit *list = plan_alloc(arena, spec->rlimits_len, sizeof(*list));

	if (!list)
		return PLAN_NO_MEMORY(err);
	for (size_t i = 0; i < spec->rlimits_len; i++) {
		const struct oci_rlimit *r = &spec->rlimits[i];
		int resource = rlimit_number(r->type);

		if (resource < 0) {
			err_set(err, KIND_SPEC, EINVAL, "unknown resource limit `%s`", r->type);
			return err_at(err, "/process/rlimits/%zu/type", i);
		}
		for (size_t k = 0; k < i; k++) {
			if (list[k].resource != resource)
				continue;
			err_set(err, KIND_SPEC, EINVAL, "resource limit `%s` is given twice",
				r->type);
			return err_at(err, "/process/rlimits/%zu/type", i);
		}
		if (r->soft > r->hard) {
			err_set(err, KIND_SPEC, EINVAL,
				"the soft limit of `%s` is above its hard limit", r->type);
			return err_at(err, "/process/rlimits/%zu/soft", i);
		}
		list[i] = (struct plan_rlimit){resource, r->type, r->soft, r->hard};
	}
	ret->rlimits = list;
	ret->rlimits_len = spec->rlimits_len;
	return 0;
}

static int plan_environment(const struct oci_process *spec, struct oci_arena *arena,
			    struct plan_process *ret, struct crun_error *err)
{
	/* Room for HOME, LISTEN_FDS, LISTEN_PID and NOTIFY_SOCKET, which init may have to add. */
	ret->envp = plan_alloc(arena, spec->env_len + 5, sizeof(*ret->envp));
	if (!ret->envp)
		return PLAN_NO_MEMORY(err);
	ret->path = DEFAULT_PATH;
	for (size_t i = 0; i < spec->env_len; i++) {
		const char *eq = strchr(spec->env[i], '='),
			   *path = str_after(spec->env[i], "PATH=");

		if (!eq || eq == spec->env[i]) {
			err_set(err, KIND_SPEC, EINVAL, "`%s` is not of the form NAME=value",
				spec->env[i]);
			return err_at(err, "/process/env/%zu", i);
		}
		if (path)
			ret->path = path;
		ret->envp[i] = spec->env[i];
	}
	return 0;
}

static void plan_user(const struct oci_user *user, struct plan_process *ret)
{
	ret->umask = DEFAULT_UMASK;
	if (!user)
		return;
	ret->uid = user->uid;
	ret->gid = user->gid;
	ret->groups = user->additional_gids;
	ret->groups_len = user->additional_gids_len;
	if (user->has_umask)
		ret->umask = user->umask & 0777;
}

int plan_process(const struct oci_process *spec, unsigned last_cap, struct oci_arena *arena,
		 struct plan_process *ret, struct crun_error *err)
{
	int r;

	*ret = (struct plan_process){.spec = spec, .cwd = spec->cwd};
	if (spec->args_len == 0) {
		err_set(err, KIND_SPEC, EINVAL, "process.args must name the program to run");
		return err_at(err, "/process/args");
	}
	ret->argv = (const char *const *)spec->args;
	if (spec->cwd[0] != '/') {
		err_set(err, KIND_SPEC, EINVAL, "process.cwd `%s` must be an absolute path",
			spec->cwd);
		return err_at(err, "/process/cwd");
	}
	r = check_process(spec, err);
	if (r < 0)
		return r;
	plan_user(spec->user, ret);
	r = plan_environment(spec, arena, ret, err);
	if (r < 0)
		return r;
	r = plan_rlimits(spec, arena, ret, err);
	if (r < 0)
		return r;
	ret->has_caps = spec->capabilities;
	if (spec->capabilities) {
		r = plan_caps(spec, last_cap, &ret->caps, err);
		if (r < 0)
			return r;
	}
	ret->no_new_privs = spec->has_no_new_privileges && spec->no_new_privileges;
	ret->terminal = spec->has_terminal && spec->terminal;
	ret->set_groups = true;
	return 0;
}
