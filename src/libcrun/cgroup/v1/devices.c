// SPDX-License-Identifier: Apache-2.0
// cgroup v1: the devices controller, which knows a default answer and a list of exceptions from it.
#include "cgroup/devices.h"

#include "base/log.h"
#include "sys/file.h"
#include "sys/io.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool field_within(int32_t inner, int32_t outer)
{
	return outer == CG_ANY || inner == outer;
}

static bool field_meets(int32_t a, int32_t b)
{
	return a == CG_ANY || b == CG_ANY || a == b;
}

bool cg_v1_within(const struct cg_rule *a, const struct cg_rule *b)
{
	return a->type == b->type && field_within(a->major, b->major) &&
	       field_within(a->minor, b->minor);
}

static bool meets(const struct cg_rule *a, const struct cg_rule *b)
{
	return a->type == b->type && field_meets(a->major, b->major) &&
	       field_meets(a->minor, b->minor);
}

static int cannot_express(const struct cg_rule *rule, struct crun_error *err)
{
	err_set(err, CODE_DEVICE_RULE, EOPNOTSUPP,
		"this device rule changes a part of what a broader rule before it says, which cgroup v1 cannot "
		"express");
	return rule->index < 0 ? -err->errnum
			       : err_at(err, "/linux/resources/devices/%d", rule->index);
}

/* The rule takes exceptions back. */
static int subtract(struct cg_rules *exceptions, const struct cg_rule *rule, struct crun_error *err)
{
	size_t kept = 0;

	for (size_t i = 0; i < exceptions->len; i++) {
		struct cg_rule *e = &exceptions->items[i];

		if (meets(e, rule) && (e->access & rule->access)) {
			if (cg_v1_within(e, rule))
				e->access &= (uint8_t)~rule->access;
			else if (!rule->ours)
				return cannot_express(rule, err);
			/* A default of ours that the configuration denies in part stays denied. */
		}
		if (e->access)
			exceptions->items[kept++] = *e;
	}
	exceptions->len = kept;
	return 0;
}

/* The rule is an exception, unless one that is there covers it. */
static int add(struct cg_rules *exceptions, const struct cg_rule *rule, struct crun_error *err)
{
	struct cg_rule e = *rule;
	int r;

	for (size_t i = 0; i < exceptions->len; i++) {
		struct cg_rule *old = &exceptions->items[i];

		if (cg_v1_within(&e, old) && !(e.access & ~old->access))
			return 0;
		if (cg_v1_within(&e, old) && cg_v1_within(old, &e)) {
			old->access |= e.access;
			return 0;
		}
	}
	r = cg_rules_add(exceptions, &e);
	return r < 0 ? err_sys_code(err, CODE_DEVICE_FILTER, r, "device rules") : 0;
}

static int add_or_subtract(struct cg_rules *exceptions, bool allowed, const struct cg_rule *rule,
			   struct crun_error *err)
{
	return rule->allow == allowed ? subtract(exceptions, rule, err)
				      : add(exceptions, rule, err);
}

int cg_v1_exceptions(const struct cg_rules *rules, bool *ret_default, struct cg_rules *ret,
		     struct crun_error *err)
{
	struct cg_rules exceptions = {0};
	bool allowed = false;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < rules->len; i++) {
		struct cg_rule rule = rules->items[i];

		if (cg_rule_is_total(&rule)) {
			allowed = rule.allow;
			exceptions.len = 0;
			continue;
		}
		if (rule.type) {
			r = add_or_subtract(&exceptions, allowed, &rule, err);
			continue;
		}
		/* The kernel takes type `a` for "all devices", whatever follows: say both types instead. */
		rule.type = BPF_DEVCG_DEV_CHAR;
		r = add_or_subtract(&exceptions, allowed, &rule, err);
		rule.type = BPF_DEVCG_DEV_BLOCK;
		if (r >= 0)
			r = add_or_subtract(&exceptions, allowed, &rule, err);
	}
	if (r < 0) {
		cg_rules_done(&exceptions);
		return r;
	}
	*ret_default = allowed;
	*ret = exceptions;
	return 0;
}

static void format_number(char text[16], int32_t n)
{
	if (n == CG_ANY)
		snprintf(text, 16, "*");
	else
		snprintf(text, 16, "%d", n);
}

void cg_v1_format_rule(char text[64], const struct cg_rule *e)
{
	char major[16], minor[16];

	format_number(major, e->major);
	format_number(minor, e->minor);
	snprintf(text, 64, "%c %s:%s %s%s%s", e->type == BPF_DEVCG_DEV_BLOCK ? 'b' : 'c', major,
		 minor, e->access & BPF_DEVCG_ACC_READ ? "r" : "",
		 e->access & BPF_DEVCG_ACC_WRITE ? "w" : "",
		 e->access & BPF_DEVCG_ACC_MKNOD ? "m" : "");
}

static int open_and_write(const struct cg_hier *h, const struct cgroup *cg, const char *file,
			  const char *text, struct crun_error *err)
{
	_cleanup_close_ int fd = sys_openat(h->dir_fd, file, O_WRONLY, 0);
	int r;

	if (fd < 0)
		return err_sys_code(err, CODE_DEVICE_FILTER, fd, "open `%s%s/%s`", h->root,
				    cg->path, file);
	r = io_write_all(fd, text, strlen(text));
	if (r < 0)
		return err_sys_code(err, CODE_DEVICE_FILTER, r, "write `%s` to `%s%s/%s`", text,
				    h->root, cg->path, file);
	return take_fd(&fd);
}

static int write_exceptions(int fd, const struct cg_rules *exceptions, const char *what,
			    struct crun_error *err)
{
	for (size_t i = 0; i < exceptions->len; i++) {
		const struct cg_rule *e = &exceptions->items[i];
		char text[64];
		int r;

		cg_v1_format_rule(text, e);
		r = io_write_all(fd, text, strlen(text));
		if (r >= 0)
			continue;
		/* Inside a container, the outer one's rules bound ours; the configuration's own must not get lost in silence. */
		if (r == -EPERM && e->ours) {
			log_debug("device rule `%s` is more than the cgroup above allows", text);
			continue;
		}
		err_sys_code(err, CODE_DEVICE_FILTER, r, "write `%s` to `%s`", text, what);
		return e->index < 0 ? -err->errnum
				    : err_at(err, "/linux/resources/devices/%d", e->index);
	}
	return 0;
}

int cg_v1_devices(const struct cgroup *cg, const struct cg_hier *h, const struct cg_rules *rules,
		  struct crun_error *err)
{
	_cleanup_close_ int first = FD_NONE, second = FD_NONE;
	struct cg_rules exceptions = {0};
	bool allowed;
	int r;

	if ((!h->leaf_made && !h->used) || h->dir_fd < 0)
		return err_set(err, KIND_INTERNAL, EINVAL,
			       "device filter for cgroup `%s%s`, which is not ours", h->root,
			       cg->path);
	r = cg_v1_exceptions(rules, &allowed, &exceptions, err);
	if (r < 0)
		return r;
	/* A new directory inherits its parent's rules: `a` sets the default and drops all exceptions. */
	first = open_and_write(h, cg, allowed ? "devices.allow" : "devices.deny", "a", err);
	r = first;
	if (r >= 0 && exceptions.len > 0) {
		const char *file = allowed ? "devices.deny" : "devices.allow";

		second = sys_openat(h->dir_fd, file, O_WRONLY, 0);
		r = second;
		if (r < 0)
			err_sys_code(err, CODE_DEVICE_FILTER, r, "open `%s%s/%s`", h->root,
				     cg->path, file);
		else
			r = write_exceptions(second, &exceptions, file, err);
	}
	cg_rules_done(&exceptions);
	return r < 0 ? r : 0;
}
