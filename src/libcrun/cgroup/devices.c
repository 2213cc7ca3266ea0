// SPDX-License-Identifier: Apache-2.0
// The ordered list of device access rules of a container, the same for both cgroup versions.
#include "cgroup/devices.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define RWM CG_ACCESS_ALL
#define CHR BPF_DEVCG_DEV_CHAR
#define BLK BPF_DEVCG_DEV_BLOCK

static const struct cg_rule deny_all = {false, 0, RWM, true, CG_ANY, CG_ANY, -1};

/* Making a node gives no access to the device; using it does. */
static const struct cg_rule always[] = {
	{true, 0, BPF_DEVCG_ACC_MKNOD, true, CG_ANY, CG_ANY, -1},
	{true, CHR, RWM, true, 1, 3, -1},	 /* null */
	{true, CHR, RWM, true, 1, 5, -1},	 /* zero */
	{true, CHR, RWM, true, 1, 7, -1},	 /* full */
	{true, CHR, RWM, true, 1, 8, -1},	 /* random */
	{true, CHR, RWM, true, 1, 9, -1},	 /* urandom */
	{true, CHR, RWM, true, 5, 0, -1},	 /* tty */
	{true, CHR, RWM, true, 5, 1, -1},	 /* console */
	{true, CHR, RWM, true, 5, 2, -1},	 /* ptmx */
	{true, CHR, RWM, true, 136, CG_ANY, -1}, /* pts */
};

int cg_rules_add(struct cg_rules *rules, const struct cg_rule *rule)
{
	if (rules->len == rules->cap) {
		size_t cap = rules->cap ? 2 * rules->cap : 32;
		struct cg_rule *items = reallocarray(rules->items, cap, sizeof(*items));

		if (!items)
			return -ENOMEM;
		rules->items = items;
		rules->cap = cap;
	}
	rules->items[rules->len++] = *rule;
	return 0;
}

void cg_rules_done(struct cg_rules *rules)
{
	free(rules->items);
	*rules = (struct cg_rules){0};
}

static uint8_t access_of(const char *letters)
{
	uint8_t access = 0;

	if (!letters)
		return CG_ACCESS_ALL;
	if (strchr(letters, 'r'))
		access |= BPF_DEVCG_ACC_READ;
	if (strchr(letters, 'w'))
		access |= BPF_DEVCG_ACC_WRITE;
	if (strchr(letters, 'm'))
		access |= BPF_DEVCG_ACC_MKNOD;
	return access;
}

/* An absent number matches all, and so does -1, which engines write for '*'. */
static int32_t number_of(bool has, int64_t n)
{
	return has && n >= 0 && n <= INT32_MAX ? (int32_t)n : CG_ANY;
}

static struct cg_rule rule_of(const struct oci_linux_device_cgroup *d, size_t index)
{
	struct cg_rule rule = {
		.allow = d->allow,
		.access = access_of(d->access),
		.major = number_of(d->has_major, d->major),
		.minor = number_of(d->has_minor, d->minor),
		.index = (int)index,
	};

	if (d->type && d->type[0] == 'c')
		rule.type = CHR;
	else if (d->type && d->type[0] == 'b')
		rule.type = BLK;
	return rule;
}

static int add_nodes(const struct plan_cgroup *plan, struct cg_rules *rules)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < plan->devices_len; i++) {
		const struct plan_device *d = &plan->devices[i];
		struct cg_rule rule = {.allow = true, .access = RWM, .ours = true, .index = -1};

		if (d->type != S_IFCHR && d->type != S_IFBLK)
			continue;
		/* Numbers that no device has must not become the wildcard. */
		if (d->major > INT32_MAX || d->minor > INT32_MAX)
			continue;
		rule.type = d->type == S_IFBLK ? BLK : CHR;
		rule.major = (int32_t)d->major;
		rule.minor = (int32_t)d->minor;
		r = cg_rules_add(rules, &rule);
	}
	return r;
}

int cg_rules_build(const struct plan_cgroup *plan, struct cg_rules *ret, struct crun_error *err)
{
	const struct oci_linux_resources *res = plan->resources;
	struct cg_rules rules = {0};
	int r = cg_rules_add(&rules, &deny_all);

	if (r >= 0)
		r = add_nodes(plan, &rules);
	for (size_t i = 0; r >= 0 && res && i < res->devices_len; i++) {
		struct cg_rule rule = rule_of(&res->devices[i], i);

		r = cg_rules_add(&rules, &rule);
	}
	for (size_t i = 0; r >= 0 && i < ARRAY_LEN(always); i++)
		r = cg_rules_add(&rules, &always[i]);
	if (r < 0) {
		cg_rules_done(&rules);
		return err_sys_code(err, CODE_DEVICE_FILTER, r, "device rules");
	}
	*ret = rules;
	return 0;
}

bool cg_rules_allow_all(const struct cg_rules *rules)
{
	for (size_t i = rules->len; i-- > 0;) {
		if (!rules->items[i].allow)
			return false;
		if (cg_rule_is_total(&rules->items[i]))
			return true;
	}
	return false;
}
