// SPDX-License-Identifier: Apache-2.0
// The state record of a launch: an intent before anything is made, the whole once it is.
#include "host/launch.h"
#include "host/verbs.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "state/liveness.h"
#include "sys/file.h"
#include "sys/io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RECORD_VERSION 1
#define PASSWD_MAX     (256 * 1024)

static const char *const manager_names[] = {
	[CGROUP_MANAGER_CGROUPFS] = "cgroupfs",
	[CGROUP_MANAGER_SYSTEMD] = "systemd",
	[CGROUP_MANAGER_DISABLED] = "disabled",
};

/* RFC 3339 with nanoseconds, in UTC. */
static void format_now(char *buf, size_t size)
{
	struct timespec ts;
	unsigned days, era, day_of_era, year_of_era, day_of_year, month, second;

	clock_gettime(CLOCK_REALTIME, &ts);
	/* gmtime_r(3) would read /etc/localtime first. The Gregorian calendar from March on, in eras of 400 years. */
	days = (unsigned)(ts.tv_sec / 86400) + 719468; /* since 0000-03-01 */
	second = (unsigned)(ts.tv_sec % 86400);
	era = days / 146097;
	day_of_era = days % 146097;
	year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	month = (5 * day_of_year + 2) / 153; /* 0 is March */
	snprintf(buf, size, "%04u-%02u-%02uT%02u:%02u:%02u.%09uZ",
		 (era * 400 + year_of_era + (month >= 10)) % 10000, (month + 2) % 12 + 1,
		 (day_of_year - (153 * month + 2) / 5 + 1) % 100, second / 3600 % 100,
		 second / 60 % 60, second % 60, (unsigned)ts.tv_nsec % 1000000000);
}

/* The name of the user who runs us, from the host's passwd file: no NSS, whose modules would be loaded into every start. */
static const char *find_owner(char *buf, size_t size)
{
	_cleanup_free_ char *text = NULL;
	char *rest, *line;
	uid_t uid = geteuid();

	if (uid == 0)
		return "root";
	snprintf(buf, size, "%u", uid);
	text = malloc(PASSWD_MAX);
	if (!text || io_read_file_at(AT_FDCWD, "/etc/passwd", text, PASSWD_MAX) < 0)
		return buf;
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		const char *name = strsep(&line, ":");
		const char *id;
		uint64_t value;

		strsep(&line, ":");
		id = strsep(&line, ":");
		if (id && str_to_u64(id, UINT32_MAX, &value) == 0 && value == uid) {
			snprintf(buf, size, "%s", name);
			break;
		}
	}
	return buf;
}

int record_prepare(struct launch *l, struct crun_error *err)
{
	const struct launch_plan *plan = l->plan;
	struct oci_record *rec = &l->record;
	bool dead;
	int r;

	format_now(l->created, sizeof(l->created));
	*rec = (struct oci_record){
		.has_version = true,
		.version = RECORD_VERSION,
		.id = l->id,
		.bundle = plan->bundle,
		.rootfs = plan->rootfs,
		.oci_version = plan->config->oci_version,
		.created = l->created,
		.owner = find_owner(l->owner, sizeof(l->owner)),
		.intel_rdt_group = l->rdt.ours[0] ? l->rdt.ours : NULL,
		.cgroup_manager = manager_names[plan->cgroup.manager],
		.has_has_private_pid = true,
		.has_private_pid = plan->ns[NS_PID].action == NS_NEW,
		.has_unified = true,
		.unified = plan->facts.cgroup_layout == CGROUP_V2,
		.annotations = plan->config->annotations,
		.has_oci_config_copied = true,
		.oci_config_copied = true,
		.notify_socket = plan->notify_dir ? l->ctx->notify_socket : NULL,
		.has_callers_keyring = !plan->new_keyring,
		.callers_keyring = !plan->new_keyring,
		.has_terminal = true,
		.terminal = plan->process.terminal,
		.has_start_container = true,
		.start_container = plan->config->hooks && plan->config->hooks->start_container_len,
		.has_poststart = true,
		.poststart = plan->config->hooks && plan->config->hooks->poststart_len,
		.has_poststop = true,
		.poststop = plan->config->hooks && plan->config->hooks->poststop_len,
		.has_detached = true,
		.detached = plan->detach,
		.has_keep = true,
		.keep = l->opts->keep,
		.has_runtime_pid = true,
		.runtime_pid = getpid(),
		.has_runtime_pid_start_time = true,
	};
	r = process_start_time((pid_t)rec->runtime_pid, &rec->runtime_pid_start_time, &dead);
	if (r < 0)
		return err_sys(err, r, "read our own start time");
	rec->has_pid_namespace = container_pid_namespace(&rec->pid_namespace) == 0;
	return 0;
}

/* Afresh each time: a cgroup that may be gone without (plan_cgroup.optional) is known to be so only after cgroup_create. */
static void describe_cgroup(struct launch *l)
{
	struct oci_record *rec = &l->record;
	const char *const *planned = cgroup_planned(l->cgroup);
	const char *const *used = cgroup_used(l->cgroup);

	rec->cgroup_path = cgroup_path(l->cgroup);
	rec->systemd_scope = cgroup_scope(l->cgroup);
	rec->cgroup_created = (const char **)planned;
	rec->cgroup_created_len = 0;
	while (planned && planned[rec->cgroup_created_len])
		rec->cgroup_created_len++;
	rec->cgroup_used = (const char **)used;
	rec->cgroup_used_len = 0;
	while (used && used[rec->cgroup_used_len])
		rec->cgroup_used_len++;
}

int record_write(struct launch *l, enum oci_record_phase phase, struct crun_error *err)
{
	struct oci_record *rec = &l->record;
	bool dead;
	int r;

	rec->phase = phase;
	describe_cgroup(l);
	if (l->pid > 0 && !rec->has_pid) {
		/* A zombie keeps its start time until we have reaped it, so this cannot race with its end. */
		r = process_start_time(l->pid, &rec->pid_start_time, &dead);
		if (r < 0)
			return err_sys(err, r, "read the start time of init");
		rec->has_pid = true;
		rec->pid = l->pid;
		rec->has_pid_start_time = true;
	}
	return state_write_record(&l->dir, rec, err);
}
