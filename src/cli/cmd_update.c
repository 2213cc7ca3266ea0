// SPDX-License-Identifier: Apache-2.0
// crun update: new limits for a container.
#include "cli.h"

#include <string.h>

struct update_options {
	struct libcrun_update_options values;
	const char *format;
};

static int run_update(struct invocation *inv, struct crun_error *err)
{
	struct update_options *opts = inv->options;
	enum libcrun_update_format format = LIBCRUN_UPDATE_QUIET;

	opts->values.size = sizeof(opts->values);
	if (opts->format)
		format = strcmp(opts->format, "json") == 0 ? LIBCRUN_UPDATE_JSON
							   : LIBCRUN_UPDATE_TABLE;
	if (libcrun_update_check(&opts->values, err) < 0) {
		inv->usage = true;
		return -err->errnum;
	}
	return libcrun_update(&inv->ctx, inv->args[0], &opts->values, format, stdout, err);
}

#define VALUE(field) offsetof(struct update_options, values.field)

static const struct option_spec update_table[] = {
	{"resources", "r", OPTION_TEXT, VALUE(resources), "FILE", NULL,
	 "read a linux.resources object from FILE, - for standard input"},
	{"memory", NULL, OPTION_TEXT, VALUE(memory), "BYTES", NULL, "limit of memory"},
	{"memory-reservation", NULL, OPTION_TEXT, VALUE(memory_reservation), "BYTES", NULL,
	 "memory that is kept from being taken back"},
	{"memory-swap", NULL, OPTION_TEXT, VALUE(memory_swap), "BYTES", NULL,
	 "limit of memory and swap together"},
	{"kernel-memory", NULL, OPTION_TEXT, VALUE(kernel_memory), "BYTES", NULL,
	 "accepted and ignored: kernels no longer have it"},
	{"kernel-memory-tcp", NULL, OPTION_TEXT, VALUE(kernel_memory_tcp), "BYTES", NULL,
	 "accepted and ignored: kernels no longer have it"},
	{"cpu-share", NULL, OPTION_TEXT, VALUE(cpu_shares), "N", NULL,
	 "weight of the container's processes, 2 to 262144"},
	{"cpu-shares", NULL, OPTION_TEXT, VALUE(cpu_shares), "N", NULL, "the same as --cpu-share"},
	{"cpu-period", NULL, OPTION_TEXT, VALUE(cpu_period), "MICROSECONDS", NULL,
	 "period that the quota is for"},
	{"cpu-quota", NULL, OPTION_TEXT, VALUE(cpu_quota), "MICROSECONDS", NULL,
	 "run time in each period"},
	{"cpu-burst", NULL, OPTION_TEXT, VALUE(cpu_burst), "MICROSECONDS", NULL,
	 "unused run time that may be saved up"},
	{"cpu-rt-period", NULL, OPTION_TEXT, VALUE(cpu_rt_period), "MICROSECONDS", NULL,
	 "period of the realtime scheduler (cgroup v1)"},
	{"cpu-rt-runtime", NULL, OPTION_TEXT, VALUE(cpu_rt_runtime), "MICROSECONDS", NULL,
	 "realtime run time in each period (cgroup v1)"},
	{"cpu-idle", NULL, OPTION_TEXT, VALUE(cpu_idle), "0|1", NULL,
	 "1: run only what nobody else wants to run on"},
	{"cpuset-cpus", NULL, OPTION_TEXT, VALUE(cpuset_cpus), "LIST", NULL, "CPUs to run on"},
	{"cpuset-mems", NULL, OPTION_TEXT, VALUE(cpuset_mems), "LIST", NULL, "memory nodes to use"},
	{"pids-limit", NULL, OPTION_TEXT, VALUE(pids_limit), "N", NULL,
	 "largest number of processes and threads"},
	{"blkio-weight", NULL, OPTION_TEXT, VALUE(blkio_weight), "N", NULL,
	 "weight of the container's block I/O, 10 to 1000"},
	{"l3-cache-schema", NULL, OPTION_TEXT, VALUE(l3_cache_schema), "TEXT", NULL,
	 "lines for the schemata of resctrl"},
	{"mem-bw-schema", NULL, OPTION_TEXT, VALUE(mem_bw_schema), "TEXT", NULL,
	 "memory bandwidth line for the schemata of resctrl"},
	{"format", "f", OPTION_CHOICE, offsetof(struct update_options, format), "table|json", NULL,
	 "report what became of each value"},
	OPTIONS_END,
};

static const struct option_spec *const options[] = {update_table, options_help, NULL};

const struct command command_update = {
	.name = "update",
	.arguments = "CONTAINER",
	.summary = "change the limits of a container",
	.description =
		"Changes the limits of a container that is created, running or paused: all that are given, or\n"
		"none. -1 means no limit, and BYTES may have a unit: k, m, g, t or p.",
	.options = options,
	.options_size = sizeof(struct update_options),
	.min_args = 1,
	.max_args = 1,
	.run = run_update,
};
