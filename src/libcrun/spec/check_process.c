// SPDX-License-Identifier: Apache-2.0
// Checks of the process object: see check_process.h.
#include "spec/check_process.h"

#include "base/cleanup.h"
#include "base/number_list.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>

/* struct winsize has 16 bits for each. */
#define CONSOLE_MAX 65535
/* setpriority(2). */
#define NICE_MIN (-20)
#define NICE_MAX 19
/* sched(7): static priorities of SCHED_FIFO and SCHED_RR. */
#define RT_PRIORITY_MIN 1
#define RT_PRIORITY_MAX 99
/* sched(7), SCHED_DEADLINE: "under the current implementation, all of the parameter values must be at least 1024 ... and less than 2^63". */
#define DEADLINE_MIN 1024
/* ioprio_set(2). */
#define IO_PRIORITY_MAX 7

static int check_console_size(const struct oci_console_size *size, struct crun_error *err)
{
	const struct {
		const char *name;
		uint32_t value;
	} sides[] = {{"height", size->height}, {"width", size->width}};

	for (size_t i = 0; i < ARRAY_LEN(sides); i++) {
		if (sides[i].value <= CONSOLE_MAX)
			continue;
		err_set(err, KIND_SPEC, EINVAL,
			"a terminal's %s is at most 65535 characters, and not %" PRIu32,
			sides[i].name, sides[i].value);
		return err_at(err, "/process/consoleSize/%s", sides[i].name);
	}
	return 0;
}

static bool has_flag(const struct oci_scheduler *s, enum oci_scheduler_flag flag)
{
	for (size_t i = 0; i < s->flags_len; i++) {
		if (s->flags[i] == flag)
			return true;
	}
	return false;
}

static int check_priority(const struct oci_scheduler *s, struct crun_error *err)
{
	const char *policy = oci_scheduler_policy_name(s->policy);

	if (s->policy == OCI_SCHEDULER_POLICY_FIFO || s->policy == OCI_SCHEDULER_POLICY_RR) {
		if (s->priority >= RT_PRIORITY_MIN && s->priority <= RT_PRIORITY_MAX)
			return 0;
		err_set(err, KIND_SPEC, EINVAL,
			"%s needs a priority from 1 to 99, and not %" PRId32, policy, s->priority);
	} else {
		if (s->priority == 0)
			return 0;
		err_set(err, KIND_SPEC, EINVAL,
			"%s has no priority: only SCHED_FIFO and SCHED_RR have, and not %" PRId32,
			policy, s->priority);
	}
	return err_at(err, "/process/scheduler/priority");
}

/* sched(7): 1024 <= runtime <= deadline <= period; a period of 0 is the deadline. */
static int check_deadline(const struct oci_scheduler *s, struct crun_error *err)
{
	const char *at;

	if (s->runtime < DEADLINE_MIN) {
		at = "runtime";
		err_set(err, KIND_SPEC, EINVAL,
			"SCHED_DEADLINE needs a runtime of 1024 nanoseconds or more, and not %" PRIu64,
			s->runtime);
	} else if (s->deadline < s->runtime || s->deadline > INT64_MAX) {
		at = "deadline";
		err_set(err, KIND_SPEC, EINVAL,
			"SCHED_DEADLINE needs a deadline (%" PRIu64
			") that is not before the runtime (%" PRIu64 ") is over",
			s->deadline, s->runtime);
	} else if ((s->period && s->period < s->deadline) || s->period > INT64_MAX) {
		at = "period";
		err_set(err, KIND_SPEC, EINVAL,
			"SCHED_DEADLINE needs a period (%" PRIu64
			") that is not shorter than the deadline (%" PRIu64 ")",
			s->period, s->deadline);
	} else {
		return 0;
	}
	return err_at(err, "/process/scheduler/%s", at);
}

static int check_scheduler(const struct oci_scheduler *s, struct crun_error *err)
{
	int r;

	/* Number 4 is set aside in linux/sched.h for a policy that was never merged. */
	if (s->policy == OCI_SCHEDULER_POLICY_ISO) {
		err_set(err, KIND_UNSUPPORTED, EOPNOTSUPP,
			"no Linux kernel has SCHED_ISO: its number is reserved, the scheduler does "
			"not exist");
		return err_at(err, "/process/scheduler/policy");
	}
	/* The kernel would take the nearest one without a word. */
	if (s->nice < NICE_MIN || s->nice > NICE_MAX) {
		err_set(err, KIND_SPEC, EINVAL,
			"expected a nice value from -20 to 19, and not %" PRId32, s->nice);
		return err_at(err, "/process/scheduler/nice");
	}
	/* With these the parameters are those that the process already has. */
	if (has_flag(s, OCI_SCHEDULER_FLAG_KEEP_POLICY) ||
	    has_flag(s, OCI_SCHEDULER_FLAG_KEEP_PARAMS))
		return 0;
	r = check_priority(s, err);
	if (r < 0)
		return r;
	return s->policy == OCI_SCHEDULER_POLICY_DEADLINE ? check_deadline(s, err) : 0;
}

static int check_io_priority(const struct oci_io_priority *io, struct crun_error *err)
{
	if (io->priority >= 0 && io->priority <= IO_PRIORITY_MAX)
		return 0;
	err_set(err, KIND_SPEC, EINVAL, "expected an I/O priority from 0 to 7, and not %" PRId32,
		io->priority);
	return err_at(err, "/process/ioPriority/priority");
}

static int check_affinity(const struct oci_exec_cpu_affinity *a, struct crun_error *err)
{
	const struct {
		const char *name, *list;
	} lists[] = {{"initial", a->initial}, {"final", a->final}};

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		unsigned end;
		int r;

		if (!lists[i].list)
			continue;
		r = number_list_parse(lists[i].list, CPU_LIST_LIMIT, NULL, &end);
		if (r == 0)
			continue;
		if (r == -ERANGE)
			err_set(err, KIND_SPEC, ERANGE,
				"the list `%s` names a CPU beyond %u, which no kernel has",
				lists[i].list, CPU_LIST_LIMIT - 1);
		else
			err_set(err, KIND_SPEC, EINVAL,
				"expected a list of CPUs such as 0-3,7, and not `%s`",
				lists[i].list);
		return err_at(err, "/process/execCPUAffinity/%s", lists[i].name);
	}
	return 0;
}

int check_process(const struct oci_process *p, struct crun_error *err)
{
	int r = 0;

	if (p->console_size)
		r = check_console_size(p->console_size, err);
	if (r == 0 && p->scheduler)
		r = check_scheduler(p->scheduler, err);
	if (r == 0 && p->io_priority)
		r = check_io_priority(p->io_priority, err);
	if (r == 0 && p->exec_cpu_affinity)
		r = check_affinity(p->exec_cpu_affinity, err);
	return r;
}
