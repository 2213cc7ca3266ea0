// SPDX-License-Identifier: Apache-2.0
// The systemd driver: an update as properties of the scope, so that a daemon-reload later on changes nothing.
#include "cgroup/systemd.h"

#include "base/str.h"
#include "cgroup/bus.h"
#include "cgroup/devices.h"
#include "sys/io.h"

#include <errno.h>
#include <string.h>

/* The directory that holds FILE of a controller now, or NULL. */
static const struct cg_hier *hier_of(const struct cgroup *cg, enum cg_controller c, bool *ret_v2)
{
	const struct cg_hier *h = cg_find(cg, c, false);

	*ret_v2 = !h;
	return h ? h : cg_find(cg, c, true);
}

static bool read_number(const struct cg_hier *h, const char *file, uint64_t *ret)
{
	const struct cg_dir dir = {.fd = h->dir_fd, .path = file};

	return cg_read_u64(&dir, file, ret) == 0;
}

/* systemd knows quota and period as one number: what is not given is what the container has. */
static void fill_quota(const struct cgroup *cg, struct oci_linux_cpu *cpu)
{
	char text[64] = "", *blank;
	uint64_t quota, period, burst;
	bool v2;
	const struct cg_hier *h = hier_of(cg, CG_CPU, &v2);

	if (!h || (!cpu->quota && !cpu->period))
		return;
	if (v2) {
		if (io_read_file_at(h->dir_fd, "cpu.max", text, sizeof(text)) < 0)
			return;
		blank = strchr(text, ' ');
		if (!blank || str_to_u64(blank + 1, UINT64_MAX, &period) < 0)
			return;
		*blank = '\0';
		if (str_to_u64(text, INT64_MAX, &quota) < 0)
			quota = UINT64_MAX;
	} else if (!read_number(h, "cpu.cfs_quota_us", &quota) ||
		   !read_number(h, "cpu.cfs_period_us", &period)) {
		return;
	}
	if (!cpu->quota)
		cpu->quota = quota > INT64_MAX ? -1 : (int64_t)quota;
	if (!cpu->period)
		cpu->period = period;
	if (!cpu->has_burst && read_number(h, v2 ? "cpu.max.burst" : "cpu.cfs_burst_us", &burst))
		cpu->burst = burst;
}

static void fill_cpu(const struct cgroup *cg, struct oci_linux_cpu *cpu)
{
	fill_quota(cg, cpu);
	/* The kernel gives a cgroup that is no longer idle the usual weight; systemd must not remember the old one. */
	if (cpu->has_idle && !cpu->idle && !cpu->shares)
		cpu->shares = 1024;
}

/* memory.swap counts from a limit that need not be given again. */
static void fill_memory(const struct cgroup *cg, struct oci_linux_memory *mem)
{
	uint64_t limit;
	bool v2;
	const struct cg_hier *h = hier_of(cg, CG_MEMORY, &v2);

	if (h && v2 && mem->swap > 0 && !mem->limit && read_number(h, "memory.max", &limit) &&
	    limit <= INT64_MAX)
		mem->limit = (int64_t)limit;
}

/* What they were is asked before the first change, and stays what is put back. */
static int set_properties(struct cgroup *cg, struct cg_props *props, struct crun_error *err)
{
	_cleanup_bus_ struct cg_bus *bus = NULL;
	int r = cg_bus_open(cg->deadline, &bus, err);

	if (r >= 0 && cg->former)
		r = cg_bus_get_properties(bus, cg->scope, props, cg->former, err);
	return r < 0 ? r : cg_bus_set_properties(bus, cg->scope, props, err);
}

int cg_systemd_undo(struct cgroup *cg, struct crun_error *err)
{
	struct cg_props *former = cg->former;

	cg->former = NULL;
	return former && former->len ? set_properties(cg, former, err) : 0;
}

int cg_systemd_update(struct cgroup *cg, struct crun_error *err)
{
	struct oci_linux_resources res = *cg->plan->resources;
	struct oci_linux_memory memory;
	struct oci_linux_cpu cpu;
	_cleanup_(cg_props_done) struct cg_props props = {0};

	if (res.memory) {
		memory = *res.memory;
		fill_memory(cg, &memory);
		res.memory = &memory;
	}
	if (res.cpu) {
		cpu = *res.cpu;
		fill_cpu(cg, &cpu);
		res.cpu = &cpu;
	}
	if (res.pids && !res.pids->limit)
		res.pids = NULL;
	if (cg_props_of_resources(&res, !cg_v1_controllers(cg), &props) < 0)
		return err_sys_code(err, CODE_SYSTEMD_REFUSED, -ENOMEM, "properties of scope `%s`",
				    cg->scope);
	return props.len ? set_properties(cg, &props, err) : 0;
}

int cg_systemd_set_devices(struct cgroup *cg, const struct cg_rules *rules, struct crun_error *err)
{
	_cleanup_(cg_props_done) struct cg_props props = {0};
	struct cg_prop *allow = cg_prop_set(&props, "DeviceAllow", 'P');
	int r = allow ? 0 : -ENOMEM;

	if (allow)
		allow->replaces = true;
	if (r >= 0)
		r = cg_props_of_devices(rules, &props);
	if (r < 0)
		return err_sys_code(err, CODE_SYSTEMD_REFUSED, r, "properties of scope `%s`",
				    cg->scope);
	return set_properties(cg, &props, err);
}
