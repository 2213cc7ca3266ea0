// SPDX-License-Identifier: Apache-2.0
// Devices: the default ones of config-linux.md and those that the configuration lists.
#include "plan/internal.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <sys/stat.h>

/* config-linux.md, "Default Devices"; console and ptmx are made where the terminal and the links are. */
static const struct plan_device default_devices[] = {
	{"/dev/null", S_IFCHR, 0666, 1, 3, 0, 0, -1},
	{"/dev/zero", S_IFCHR, 0666, 1, 5, 0, 0, -1},
	{"/dev/full", S_IFCHR, 0666, 1, 7, 0, 0, -1},
	{"/dev/random", S_IFCHR, 0666, 1, 8, 0, 0, -1},
	{"/dev/urandom", S_IFCHR, 0666, 1, 9, 0, 0, -1},
	{"/dev/tty", S_IFCHR, 0666, 5, 0, 0, 0, -1},
};

static mode_t type_bits(enum oci_device_type type)
{
	switch (type) {
	case OCI_DEVICE_TYPE_BLOCK:
		return S_IFBLK;
	case OCI_DEVICE_TYPE_FIFO:
		return S_IFIFO;
	default:
		return S_IFCHR; /* "c" and "u" */
	}
}

static int check_device(const struct oci_linux_device *d, size_t i, struct crun_error *err)
{
	bool numbered = d->type != OCI_DEVICE_TYPE_FIFO;

	if (d->path[0] != '/') {
		err_set(err, KIND_SPEC, EINVAL, "device path `%s` must be absolute", d->path);
		return err_at(err, "/linux/devices/%zu/path", i);
	}
	if (numbered && (!d->has_major || !d->has_minor)) {
		err_set(err, KIND_SPEC, EINVAL, "device `%s` needs major and minor numbers",
			d->path);
		return err_at(err, "/linux/devices/%zu", i);
	}
	if (numbered && (d->major < 0 || d->minor < 0 || d->major > 0xfff || d->minor > 0xfffff)) {
		err_set(err, KIND_SPEC, ERANGE, "device `%s`: number out of range", d->path);
		return err_at(err, "/linux/devices/%zu", i);
	}
	return 0;
}

int plan_devices(struct launch_plan *plan, struct oci_arena *arena, struct crun_error *err)
{
	const struct oci_linux *lx = plan->linux_;
	struct plan_device *list =
		plan_alloc(arena, ARRAY_LEN(default_devices) + lx->devices_len, sizeof(*list));
	size_t n = ARRAY_LEN(default_devices);

	if (!list)
		return PLAN_NO_MEMORY(err);
	memcpy(list, default_devices, sizeof(default_devices));
	for (size_t i = 0; i < lx->devices_len; i++) {
		const struct oci_linux_device *d = &lx->devices[i];
		size_t at = 0;
		int r = check_device(d, i, err);

		if (r < 0)
			return r;
		/* A listed device replaces a default one of the same path, so that its mode and owner count. */
		while (at < n && !str_eq(list[at].path, d->path))
			at++;
		list[at] = (struct plan_device){
			.path = d->path,
			.type = type_bits(d->type),
			.mode = d->has_file_mode ? d->file_mode & 07777 : 0666,
			.major = (uint64_t)d->major,
			.minor = (uint64_t)d->minor,
			.uid = d->uid,
			.gid = d->gid,
			.index = (int)i,
		};
		if (at == n)
			n++;
	}
	plan->devices = list;
	plan->devices_len = n;
	/* mknod(2) of a device is refused outside the initial user namespace, whatever the capabilities. */
	plan->bind_devices = plan->ns[NS_USER].action != NS_SHARE || plan->facts.in_userns;
	return 0;
}
