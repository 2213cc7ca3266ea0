// SPDX-License-Identifier: Apache-2.0
// linux.netDevices: which interface goes into the container's network namespace, and under which name.
#include "plan/internal.h"

#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/* What dev_valid_name() of the kernel takes: 1 to 15 bytes without blanks, '/' and ':', neither "." nor "..". */
static bool name_is_valid(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n > PLAN_NET_NAME_MAX || str_eq(name, ".") || str_eq(name, ".."))
		return false;
	for (; *name; name++) {
		if (*name == '/' || *name == ':' || isspace((unsigned char)*name))
			return false;
	}
	return true;
}

/* A '%' is no part of a name: the kernel takes it for a template, in which it must be the only one, and of the form %d. */
static bool template_is_valid(const char *name)
{
	const char *percent = strchr(name, '%');

	return !percent || (percent[1] == 'd' && !strchr(percent + 1, '%'));
}

static int check_names(const struct plan_net_device *dev, struct crun_error *err)
{
	if (!name_is_valid(dev->name) || strchr(dev->name, '%'))
		return err_set(err, KIND_SPEC, EINVAL, "`%.64s` is not a name of a network device",
			       dev->name);
	if (!name_is_valid(dev->inside) || !template_is_valid(dev->inside))
		return err_set(err, KIND_SPEC, EINVAL,
			       "`%.64s` is not a name that a network device can have", dev->inside);
	if (str_eq(dev->name, "lo") || str_eq(dev->inside, "lo"))
		return err_set(err, KIND_SPEC, EINVAL,
			       "every network namespace has a loopback device `lo` of its own");
	return 0;
}

int plan_net_devices(struct launch_plan *plan, struct oci_arena *arena, struct crun_error *err)
{
	const struct oci_linux_net_device_map *map = plan->linux_->net_devices;
	struct plan_net_device *devices;

	if (!map || !map->len)
		return 0;
	if (plan->ns[NS_NET].action == NS_SHARE) {
		err_set(err, CODE_NAMESPACE_NEEDED, EINVAL,
			"network devices need a network namespace: add {\"type\": \"network\"} to linux.namespaces");
		return err_at(err, "/linux/netDevices");
	}
	devices = plan_alloc(arena, map->len, sizeof(*devices));
	if (!devices)
		return PLAN_NO_MEMORY(err);
	for (size_t i = 0; i < map->len; i++) {
		const char *name = map->items[i].value.name;

		devices[i] = (struct plan_net_device){
			.name = map->items[i].key,
			.inside = name && name[0] ? name : map->items[i].key,
		};
		if (check_names(&devices[i], err) < 0)
			return err_at_key(err, "/linux/netDevices", devices[i].name);
		for (size_t k = 0; k < i; k++) {
			if (!str_eq(devices[i].inside, devices[k].inside) ||
			    strchr(devices[i].inside, '%'))
				continue;
			err_set(err, KIND_SPEC, EINVAL,
				"network devices `%s` and `%s` would both be called `%s`",
				devices[k].name, devices[i].name, devices[i].inside);
			return err_at_key(err, "/linux/netDevices", devices[i].name);
		}
	}
	plan->net_devices = devices;
	plan->net_devices_len = map->len;
	return 0;
}
