// SPDX-License-Identifier: Apache-2.0
// What linux.resources asks for and this host's cgroup hierarchies do not have, found without touching anything: cgroup_check.
#include "cgroup/internal.h"

#include "sys/file.h"
#include "sys/io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where a configuration asks for each controller. */
static const char *const pointers[CG_CONTROLLERS] = {
	[CG_CPU] = "/linux/resources/cpu",	   [CG_CPUSET] = "/linux/resources/cpu",
	[CG_MEMORY] = "/linux/resources/memory",   [CG_PIDS] = "/linux/resources/pids",
	[CG_IO] = "/linux/resources/blockIO",	   [CG_HUGETLB] = "/linux/resources/hugepageLimits",
	[CG_NET_CLS] = "/linux/resources/network", [CG_NET_PRIO] = "/linux/resources/network",
	[CG_RDMA] = "/linux/resources/rdma",	   [CG_MISC] = "/linux/resources/unified",
};

struct check {
	const struct cgroup *cg;
	const struct cg_hier *v2; /* NULL: there is none */
	unsigned v2_bits;
	cgroup_finding_fn found;
	void *data;
};

static const struct cg_hier *hierarchy_of(const struct check *c, enum cg_controller controller)
{
	for (size_t i = 0; i < c->cg->hier_len; i++) {
		const struct cg_hier *h = &c->cg->hier[i];

		if (!h->v2 && (h->controllers & CG_BIT(controller)))
			return h;
	}
	return NULL;
}

static void check_controller(const struct check *c, enum cg_controller controller)
{
	const struct cg_controller_name *name = &cg_controller_names[controller];
	char text[512], v2[300] = "";

	if (!pointers[controller] || (c->v2_bits & CG_BIT(controller)) ||
	    hierarchy_of(c, controller))
		return;
	if (c->v2 && name->v2)
		snprintf(v2, sizeof(v2), "`%s/cgroup.controllers` does not list it", c->v2->root);
	else if (c->v2 && !cg_v1_controllers(c->cg))
		snprintf(v2, sizeof(v2),
			 "it exists in cgroup v1 only, and this host has cgroup v2");
	snprintf(text, sizeof(text), "the cgroup controller `%s` is not available: %s%s%s%s%s",
		 name->v2 && !cg_v1_controllers(c->cg) ? name->v2 : name->v1, v2,
		 v2[0] && cg_v1_controllers(c->cg) ? ", and " : "",
		 cg_v1_controllers(c->cg) || !v2[0] ? "no hierarchy is mounted at `" CG_ROOT "/"
						    : "",
		 cg_v1_controllers(c->cg) || !v2[0] ? name->v1 : "",
		 cg_v1_controllers(c->cg) || !v2[0] ? "`" : "");
	c->found(c->data, pointers[controller], text);
}

/* A file that the root of a v1 hierarchy has when the kernel was built and booted with the feature. On v2 the root has no limits. */
static void check_file(const struct check *c, bool wanted, enum cg_controller controller,
		       const char *file, const char *pointer)
{
	const struct cg_hier *h = wanted ? hierarchy_of(c, controller) : NULL;
	struct stat st;
	char text[512];

	if (!h || sys_fstatat(h->root_fd, file, &st) == 0)
		return;
	snprintf(text, sizeof(text),
		 "cgroup file `%s/%s` does not exist: this kernel was built or booted without it",
		 h->root, file);
	c->found(c->data, pointer, text);
}

static void check_files(const struct check *c, const struct oci_linux_resources *res)
{
	const struct oci_linux_memory *mem = res->memory;
	const struct oci_linux_cpu *cpu = res->cpu;

	check_file(c, mem && mem->swap > 0, CG_MEMORY, "memory.memsw.limit_in_bytes",
		   "/linux/resources/memory/swap");
	check_file(c, cpu && cpu->realtime_runtime, CG_CPU, "cpu.rt_runtime_us",
		   "/linux/resources/cpu/realtimeRuntime");
	check_file(c, cpu && cpu->realtime_period, CG_CPU, "cpu.rt_period_us",
		   "/linux/resources/cpu/realtimePeriod");
	check_file(c, res->block_io && res->block_io->leaf_weight, CG_IO, "blkio.leaf_weight",
		   "/linux/resources/blockIO/leafWeight");
}

/* The sizes that the kernel has are directories here in either version: "hugepages-2048kB" for "2MB". */
static void check_page_sizes(const struct check *c, const struct oci_linux_resources *res)
{
	for (size_t i = 0; i < res->hugepage_limits_len; i++) {
		const char *size = res->hugepage_limits[i].page_size;
		char path[96], at[64], text[256], *unit;
		unsigned long long n;
		struct stat st;

		if (!size)
			continue;
		n = strtoull(size, &unit, 10);
		n *= *unit == 'G' ? 1024 * 1024 : *unit == 'M' ? 1024 : 1;
		snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-%llukB", n);
		if (sys_fstatat(AT_FDCWD, path, &st) == 0)
			continue;
		snprintf(at, sizeof(at), "/linux/resources/hugepageLimits/%zu/pageSize", i);
		snprintf(text, sizeof(text), "this kernel has no huge pages of %.32s: no `%s`",
			 size, path);
		c->found(c->data, at, text);
	}
}

static void check_all(struct check *c, const struct plan_cgroup *plan)
{
	unsigned needed = cg_needed(plan);
	char text[1024];

	for (size_t i = 0; i < c->cg->hier_len && !c->v2; i++) {
		if (c->cg->hier[i].v2)
			c->v2 = &c->cg->hier[i];
	}
	if (c->v2 &&
	    io_read_file_at(c->v2->root_fd, "cgroup.controllers", text, sizeof(text)) >= 0) {
		text[strcspn(text, "\n")] = '\0';
		c->v2_bits = cg_controller_bits(text, " ", true);
	}
	for (unsigned i = 0; i < CG_CONTROLLERS; i++) {
		if (needed & CG_BIT(i))
			check_controller(c, i);
	}
	if (plan->resources->unified && plan->resources->unified->len && !c->v2)
		c->found(c->data, "/linux/resources/unified",
			 "linux.resources.unified needs cgroup v2, and this host has cgroup v1");
	check_files(c, plan->resources);
	check_page_sizes(c, plan->resources);
}

void cgroup_check(const struct plan_cgroup *plan, cgroup_finding_fn found, void *data)
{
	struct cgroup cg = {.plan = plan};
	struct check c = {.cg = &cg, .found = found, .data = data};
	struct crun_error err;

	if (!plan->resources || plan->manager == CGROUP_MANAGER_DISABLED)
		return;
	if (cg_discover(&cg, plan->layout, &err) < 0)
		found(data, "/linux/resources", err.text);
	else
		check_all(&c, plan);
	cg_clear(&cg);
}
