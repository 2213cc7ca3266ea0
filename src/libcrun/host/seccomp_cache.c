// SPDX-License-Identifier: Apache-2.0
// Which profiles are the same to whoever compiles them: see seccomp_cache.h.
#include "host/seccomp_cache.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "host/seccomp_compile.h"
#include "state/filter_cache.h"

#include <libocispec/oci.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#ifdef HAVE_SECCOMP

#include "host/seccomp_dl.h"

static void add_number(struct buf *key, uint64_t value)
{
	buf_append(key, &value, sizeof(value));
}

/* With its length, so that no two texts look like two others. */
static void add_text(struct buf *key, const char *text)
{
	size_t len = text ? strlen(text) : 0;

	add_number(key, text ? len : UINT64_MAX);
	buf_append(key, text ? text : "", len);
}

static void add_file(struct buf *key, const struct stat *st)
{
	add_number(key, st->st_dev);
	add_number(key, st->st_ino);
	add_number(key, (uint64_t)st->st_size);
	add_number(key, (uint64_t)st->st_mtim.tv_sec);
	add_number(key, (uint64_t)st->st_mtim.tv_nsec);
	add_number(key, (uint64_t)st->st_ctim.tv_sec);
	add_number(key, (uint64_t)st->st_ctim.tv_nsec);
}

/*
 * Another build of us may compile otherwise, also of the same version, and with another library linked in. False: who we are is not to be told
 * any more, because our file was replaced, or was put out of the container's reach (exe_shield.h).
 */
static bool add_ourselves(struct buf *key)
{
	struct stat st;

	if (stat("/proc/self/exe", &st) < 0 || st.st_nlink == 0)
		return false;
	add_file(key, &st);
	return true;
}

/* Another kernel knows other actions. */
static void add_host(struct buf *key)
{
	struct utsname name = {0};

	(void)uname(&name);
	add_text(key, name.release);
	add_text(key, name.version);
	add_text(key, name.machine);
}

/* Which file the loader would take. That the file itself is still the same one, the entry tells. */
static void add_loader(struct buf *key)
{
	struct stat st = {0};

	if (stat("/etc/ld.so.cache", &st) < 0)
		st = (struct stat){0};
	add_file(key, &st);
	add_text(key, getenv("LD_LIBRARY_PATH"));
	add_text(key, getenv("LD_PRELOAD"));
}

static void add_rule(struct buf *key, const struct oci_linux_syscall *rule)
{
	add_number(key, rule->action);
	add_number(key, rule->has_errno_ret ? rule->errno_ret : UINT64_MAX);
	add_number(key, rule->names_len);
	for (size_t i = 0; i < rule->names_len; i++)
		add_text(key, rule->names[i]);
	add_number(key, rule->args_len);
	for (size_t i = 0; i < rule->args_len; i++) {
		add_number(key, rule->args[i].index);
		add_number(key, rule->args[i].op);
		add_number(key, rule->args[i].value);
		add_number(key, rule->args[i].value_two);
	}
}

/* Not the flags and the listener, which are no part of the program. */
static void make_key(const struct plan_seccomp *plan, struct buf *key)
{
	const struct oci_linux_seccomp *profile = plan->profile;

	add_host(key);
	add_loader(key);
	add_number(key, plan->strict);
	add_number(key, plan->enosys);
	add_number(key, profile->default_action);
	add_number(key, profile->has_default_errno_ret ? profile->default_errno_ret : UINT64_MAX);
	add_number(key, profile->architectures_len);
	for (size_t i = 0; i < profile->architectures_len; i++)
		add_number(key, profile->architectures[i]);
	add_number(key, profile->syscalls_len);
	for (size_t i = 0; i < profile->syscalls_len; i++)
		add_rule(key, &profile->syscalls[i]);
}

int seccomp_compile_cached(const struct plan_seccomp *plan, int root_fd, struct seccomp_area *area,
			   struct crun_error *err)
{
	_cleanup_buf_ struct buf key = {0};
	const char *library;
	int r;

	if (plan->program || !add_ourselves(&key))
		return seccomp_compile(plan, area, err);
	make_key(plan, &key);
	r = key.failed ? -ENOMEM : filter_cache_read(root_fd, &key, area);
	if (r == 0) {
		log_debug("seccomp: the program is taken from the cache");
		seccomp_set_flags(plan, area);
		return 0;
	}
	if (r != -ENOENT)
		log_debug("seccomp: nothing is taken from the cache: %s", err_describe(-r));
	r = seccomp_compile(plan, area, err);
	if (r < 0 || area->warned)
		return r;
	if (seccomp_library_path(&library) == 0)
		r = filter_cache_write(root_fd, &key, library, area);
	if (r < 0)
		log_debug("seccomp: the program is not kept: %s", err_describe(-r));
	return 0;
}

#else

int seccomp_compile_cached(const struct plan_seccomp *plan, int root_fd, struct seccomp_area *area,
			   struct crun_error *err)
{
	(void)root_fd;
	return seccomp_compile(plan, area, err);
}

#endif
