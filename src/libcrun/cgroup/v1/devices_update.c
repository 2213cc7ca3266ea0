// SPDX-License-Identifier: Apache-2.0
// cgroup v1: changes the list of exceptions of a container that exists, entry by entry, so that it never allows more than before and after.
#include "cgroup/devices.h"

#include "base/log.h"
#include "base/str.h"
#include "sys/io.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_SIZE (64 * 1024)

static int parse_number(const char **s, char end, int32_t *ret)
{
	char text[16];
	size_t n = strcspn(*s, (const char[]){end, '\0'});
	uint64_t value;

	if ((*s)[n] != end || n == 0 || n >= sizeof(text))
		return -EINVAL;
	memcpy(text, *s, n);
	text[n] = '\0';
	*s += n + 1;
	*ret = CG_ANY;
	if (str_eq(text, "*"))
		return 0;
	if (str_to_u64(text, INT32_MAX, &value) < 0)
		return -EINVAL;
	*ret = (int32_t)value;
	return 0;
}

/* "c 136:* rwm" */
static int parse_line(const char *line, struct cg_rule *ret)
{
	const char *s = line + 2;

	*ret = (struct cg_rule){.allow = true, .index = -1};
	if (line[0] != 'b' && line[0] != 'c')
		return -EINVAL;
	ret->type = line[0] == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR;
	if (line[1] != ' ' || parse_number(&s, ':', &ret->major) < 0 ||
	    parse_number(&s, ' ', &ret->minor) < 0)
		return -EINVAL;
	for (; *s && *s != '\n'; s++) {
		if (*s == 'r')
			ret->access |= BPF_DEVCG_ACC_READ;
		else if (*s == 'w')
			ret->access |= BPF_DEVCG_ACC_WRITE;
		else if (*s == 'm')
			ret->access |= BPF_DEVCG_ACC_MKNOD;
	}
	return 0;
}

int cg_v1_filter_parse(const char *text, struct cg_v1_filter *ret)
{
	*ret = (struct cg_v1_filter){.allowed = false};
	while (*text) {
		struct cg_rule rule;

		if (text[0] == 'a')
			ret->allowed = true;
		else if (parse_line(text, &rule) >= 0 && cg_rules_add(&ret->exceptions, &rule) < 0)
			return -ENOMEM;
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	return 0;
}

static bool same_device(const struct cg_rule *a, const struct cg_rule *b)
{
	return a->type == b->type && a->major == b->major && a->minor == b->minor;
}

/* The accesses of the entry of LIST for just the devices of E. */
static uint8_t access_of(const struct cg_rules *list, const struct cg_rule *e)
{
	uint8_t access = 0;

	for (size_t i = 0; i < list->len; i++) {
		if (same_device(&list->items[i], e))
			access |= list->items[i].access;
	}
	return access;
}

/* The accesses of E that LIST has, entries for more devices included. */
static uint8_t covered(const struct cg_rules *list, const struct cg_rule *e)
{
	uint8_t access = 0;

	for (size_t i = 0; i < list->len; i++) {
		if (cg_v1_within(e, &list->items[i]))
			access |= list->items[i].access;
	}
	return access & e->access;
}

static bool has_all(const struct cg_rules *list, const struct cg_rules *of)
{
	for (size_t i = 0; i < of->len; i++) {
		if (of->items[i].access & ~access_of(list, &of->items[i]))
			return false;
	}
	return true;
}

static int write_rule(const struct cg_device_change *c, const char *file, const struct cg_rule *e,
		      uint8_t access, struct crun_error *err)
{
	struct cg_rule part = *e;
	char text[64];
	int r;

	part.access = access;
	if (!access)
		return 0;
	cg_v1_format_rule(text, &part);
	r = io_write_file_at(c->h->dir_fd, file, text);
	if (r >= 0)
		return 0;
	/* Inside a container, the outer one's rules bound ours; the configuration's own must not get lost in silence. */
	if (r == -EPERM && e->ours) {
		log_debug("device rule `%s` is more than the cgroup above allows", text);
		return 0;
	}
	err_sys_code(err, CODE_DEVICE_FILTER, r, "write `%s` to `%s%s/%s`", text, c->h->root,
		     c->cg->path, file);
	return e->index < 0 ? r : err_at(err, "/linux/resources/devices/%d", e->index);
}

/*
 * Between two lists of what is allowed. What the old list allows anyhow comes first, so that a narrower entry takes over from a broader one
 * without a gap; then everything goes that the new one has not; then comes what is really new.
 */
static int change_list(const struct cg_device_change *c, const struct cg_rules *from,
		       const struct cg_rules *to, struct crun_error *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < to->len; i++) {
		const struct cg_rule *e = &to->items[i];

		r = write_rule(c, "devices.allow", e, covered(from, e) & ~access_of(from, e), err);
	}
	for (size_t i = 0; r >= 0 && i < from->len; i++) {
		const struct cg_rule *e = &from->items[i];

		r = write_rule(c, "devices.deny", e, e->access & ~access_of(to, e), err);
	}
	for (size_t i = 0; r >= 0 && i < to->len; i++) {
		const struct cg_rule *e = &to->items[i];

		r = write_rule(c, "devices.allow", e, e->access & ~covered(from, e), err);
	}
	return r;
}

static int set_default(const struct cg_device_change *c, const char *file, struct crun_error *err)
{
	int r = io_write_file_at(c->h->dir_fd, file, "a");

	if (r == -EINVAL)
		return err_set(
			err, CODE_CGROUP_BUSY, EBUSY,
			"cgroup `%s%s` has cgroups below it: cgroup v1 changes the answer for "
			"all devices only while there are none",
			c->h->root, c->cg->path);
	return r < 0 ? err_sys_code(err, CODE_DEVICE_FILTER, r, "write `a` to `%s%s/%s`",
				    c->h->root, c->cg->path, file)
		     : 0;
}

/*
 * From "all but some" to all, or from all to all: which it is the kernel does not say. Nobody who was allowed everything must get an error
 * for cgroups that it made below its own.
 */
static int forget_exceptions(const struct cg_device_change *c, struct crun_error *err)
{
	int r = set_default(c, "devices.allow", err);

	if (r != -EBUSY)
		return r;
	log_warning("%s; what was denied before stays denied", err->text);
	*err = (struct crun_error){0};
	return 0;
}

int cg_v1_devices_change(const struct cg_device_change *c, const struct cg_v1_filter *from,
			 const struct cg_v1_filter *to, struct crun_error *err)
{
	int r = 0;

	if (!from->allowed && !to->allowed)
		return change_list(c, &from->exceptions, &to->exceptions, err);
	if (from->allowed && to->allowed && !to->exceptions.len)
		return forget_exceptions(c, err);
	/* This forgets all exceptions. From "allowed" nobody knows which there were. */
	if (from->allowed || to->exceptions.len)
		r = set_default(c, "devices.deny", err);
	if (r >= 0 && to->allowed)
		r = set_default(c, "devices.allow", err);
	for (size_t i = 0; r >= 0 && i < to->exceptions.len; i++)
		r = write_rule(c, to->allowed ? "devices.deny" : "devices.allow",
			       &to->exceptions.items[i], to->exceptions.items[i].access, err);
	return r;
}

static int read_filter(const struct cg_device_change *c, struct cg_v1_filter *ret,
		       struct crun_error *err)
{
	_cleanup_free_ char *text = malloc(LIST_SIZE);
	int r = -ENOMEM;

	if (text)
		r = io_read_file_at(c->h->dir_fd, "devices.list", text, LIST_SIZE);
	if (r >= 0)
		r = cg_v1_filter_parse(text, ret);
	if (r < 0)
		return err_sys_code(err, CODE_DEVICE_FILTER, r, "read `%s%s/devices.list`",
				    c->h->root, c->cg->path);
	return 0;
}

static bool same_list(const struct cg_rules *a, const struct cg_rules *b)
{
	return has_all(a, b) && has_all(b, a);
}

int cg_v1_devices_undo(const struct cg_device_change *c, struct crun_error *err)
{
	struct cg_v1_filter now = {.allowed = false};
	int r = read_filter(c, &now, err);

	/* A change that failed at its beginning needs none. */
	if (r >= 0 && (now.allowed != c->before.allowed ||
		       !same_list(&now.exceptions, &c->before.exceptions)))
		r = cg_v1_devices_change(c, &now, &c->before, err);
	cg_rules_done(&now.exceptions);
	return r;
}

int cg_v1_devices_prepare(struct cg_device_change *c, struct crun_error *err)
{
	int r = read_filter(c, &c->before, err);

	if (r < 0)
		return r;
	r = cg_v1_exceptions(&c->rules, &c->after.allowed, &c->after.exceptions, err);
	if (r < 0)
		return r;
	if (!c->before.allowed && !c->after.allowed)
		return !same_list(&c->before.exceptions, &c->after.exceptions);
	if (c->after.allowed && c->after.exceptions.len && !c->frozen)
		return err_set(
			err, KIND_STATE, EBUSY,
			"cgroup v1 would allow every device for a moment on the way to a filter that "
			"denies single ones: pause the container first");
	return 1;
}
