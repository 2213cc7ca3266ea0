// SPDX-License-Identifier: Apache-2.0
// Checks of the process object: the values that the kernel takes pass, each other one is refused with its pointer.
#include "spec/check_process.h"

#include "../test.h"

#include <errno.h>
#include <stdint.h>

static struct crun_error err;

/* The pointer below /process/ that the check refuses, "" when it accepts. */
static const char *refused(const struct oci_process *p)
{
	static const char prefix[] = "/process/";

	memset(&err, 0, sizeof(err));
	if (check_process(p, &err) >= 0)
		return "";
	if (!err.kind || !err.errnum || !err.text[0])
		return "(not a complete error)";
	return strncmp(err.at, prefix, strlen(prefix)) == 0 ? err.at + strlen(prefix) : err.at;
}

#define POLICY(name) .policy = OCI_SCHEDULER_POLICY_##name
#define SCHEDULER(...) \
	refused(&(struct oci_process){.scheduler = &(struct oci_scheduler){__VA_ARGS__}})
#define FLAGS(...)                                         \
	.flags = (enum oci_scheduler_flag[]){__VA_ARGS__}, \
	.flags_len =                                       \
		sizeof((enum oci_scheduler_flag[]){__VA_ARGS__}) / sizeof(enum oci_scheduler_flag)
#define SIZE(h, w)                     \
	refused(&(struct oci_process){ \
		.console_size = &(struct oci_console_size){.height = (h), .width = (w)}})
#define IO(c, p)                                                                             \
	refused(&(struct oci_process){                                                       \
		.io_priority = &(struct oci_io_priority){.class = OCI_IO_PRIORITY_CLASS_##c, \
							 .priority = (p)}})
#define AFFINITY(...)                                      \
	refused(&(struct oci_process){.exec_cpu_affinity = \
					      &(struct oci_exec_cpu_affinity){__VA_ARGS__}})

TEST(nothing)
{
	CHECK_STR(refused(&(struct oci_process){.cwd = "/"}), "");
}

TEST(console_size)
{
	CHECK_STR(SIZE(24, 80), "");
	CHECK_STR(SIZE(0, 0), "");
	CHECK_STR(SIZE(65535, 65535), "");
	CHECK_STR(SIZE(65536, 80), "consoleSize/height");
	CHECK_STR(err.text, "a terminal's height is at most 65535 characters, and not 65536");
	CHECK_STR(SIZE(24, UINT32_MAX), "consoleSize/width");
}

TEST(nice)
{
	CHECK_STR(SCHEDULER(POLICY(OTHER)), "");
	CHECK_STR(SCHEDULER(POLICY(OTHER), .nice = -20), "");
	CHECK_STR(SCHEDULER(POLICY(BATCH), .nice = 19), "");
	CHECK_STR(SCHEDULER(POLICY(IDLE)), "");
	CHECK_STR(SCHEDULER(POLICY(OTHER), .nice = 20), "scheduler/nice");
	CHECK_STR(SCHEDULER(POLICY(BATCH), .nice = -21), "scheduler/nice");
	CHECK_STR(SCHEDULER(POLICY(OTHER), .nice = INT32_MIN), "scheduler/nice");
}

TEST(priority)
{
	CHECK_STR(SCHEDULER(POLICY(FIFO), .priority = 1), "");
	CHECK_STR(SCHEDULER(POLICY(RR), .priority = 99), "");
	CHECK_STR(SCHEDULER(POLICY(FIFO)), "scheduler/priority");
	CHECK_STR(SCHEDULER(POLICY(RR), .priority = 100), "scheduler/priority");
	CHECK_STR(err.text, "SCHED_RR needs a priority from 1 to 99, and not 100");
	CHECK_STR(SCHEDULER(POLICY(RR), .priority = -1), "scheduler/priority");
	CHECK_STR(SCHEDULER(POLICY(OTHER), .priority = 1), "scheduler/priority");
	CHECK_STR(SCHEDULER(POLICY(BATCH), .priority = 1), "scheduler/priority");
	CHECK_STR(SCHEDULER(POLICY(IDLE), .priority = -1), "scheduler/priority");
	CHECK_STR(SCHEDULER(POLICY(DEADLINE), .priority = 1, .runtime = 1024, .deadline = 1024),
		  "scheduler/priority");
}

TEST(a_policy_that_does_not_exist)
{
	CHECK_STR(SCHEDULER(POLICY(ISO)), "scheduler/policy");
	CHECK_INT(err.kind, KIND_UNSUPPORTED);
	CHECK_STR(SCHEDULER(POLICY(ISO), FLAGS(OCI_SCHEDULER_FLAG_KEEP_POLICY)),
		  "scheduler/policy");
}

#define DEADLINE(r, d, p) \
	SCHEDULER(POLICY(DEADLINE), .runtime = (r), .deadline = (d), .period = (p))

TEST(deadlines)
{
	CHECK_STR(DEADLINE(1024, 1024, 0), "");
	CHECK_STR(DEADLINE(1024, 2000, 2000), "");
	CHECK_STR(DEADLINE(1024, INT64_MAX, INT64_MAX), "");
	CHECK_STR(DEADLINE(0, 2000, 3000), "scheduler/runtime");
	CHECK_STR(DEADLINE(1023, 2000, 3000), "scheduler/runtime");
	CHECK_STR(DEADLINE(2000, 1999, 3000), "scheduler/deadline");
	CHECK_STR(DEADLINE(2000, 0, 3000), "scheduler/deadline");
	CHECK_STR(DEADLINE(2000, UINT64_C(1) << 63, 0), "scheduler/deadline");
	CHECK_STR(DEADLINE(2000, 3000, 2999), "scheduler/period");
	CHECK_STR(DEADLINE(2000, 3000, UINT64_MAX), "scheduler/period");
}

TEST(parameters_that_are_kept_are_not_looked_at)
{
	CHECK_STR(SCHEDULER(POLICY(FIFO), FLAGS(OCI_SCHEDULER_FLAG_KEEP_PARAMS)), "");
	CHECK_STR(SCHEDULER(POLICY(DEADLINE), FLAGS(OCI_SCHEDULER_FLAG_RESET_ON_FORK,
						    OCI_SCHEDULER_FLAG_KEEP_POLICY)),
		  "");
	CHECK_STR(SCHEDULER(POLICY(FIFO), FLAGS(OCI_SCHEDULER_FLAG_RESET_ON_FORK)),
		  "scheduler/priority");
}

TEST(io_priority)
{
	CHECK_STR(IO(RT, 0), "");
	CHECK_STR(IO(BE, 7), "");
	CHECK_STR(IO(IDLE, 0), "");
	CHECK_STR(IO(BE, 8), "ioPriority/priority");
	CHECK_STR(IO(RT, -1), "ioPriority/priority");
	CHECK_STR(err.text, "expected an I/O priority from 0 to 7, and not -1");
}

TEST(exec_cpu_affinity)
{
	CHECK_STR(AFFINITY(.initial = "0-3,7"), "");
	CHECK_STR(AFFINITY(.initial = "", .final = " 1, 2 "), "");
	CHECK_STR(AFFINITY(.final = "0-1023,1024,8191"), "");
	CHECK_STR(AFFINITY(.initial = "0-"), "execCPUAffinity/initial");
	CHECK_STR(err.text, "expected a list of CPUs such as 0-3,7, and not `0-`");
	CHECK_STR(AFFINITY(.initial = "0", .final = "3-1"), "execCPUAffinity/final");
	CHECK_STR(AFFINITY(.final = "a"), "execCPUAffinity/final");
	CHECK_STR(AFFINITY(.final = "32768"), "execCPUAffinity/final");
	CHECK_INT(err.errnum, ERANGE);
}

TEST_MAIN()
