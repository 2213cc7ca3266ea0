// SPDX-License-Identifier: Apache-2.0
// crun doctor: numbers that run out: processes, descriptors, watches; huge pages, resctrl, ports, the clock.
#include "host/doctor/doctor.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "host/doctor/parse.h"
#include "host/intelrdt.h"
#include "sys/file.h"
#include "sys/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#define FEW_PROCESSES 100
#define NOFILE_WANTED 65536
#define MEMLOCK_OLD   ((rlim_t)64 * 1024)
/* 2024-01-01: a clock before that is a clock that nobody set. */
#define TIME_FLOOR 1704067200

static const char *sysctl(struct doctor *d, const char *name, unsigned value)
{
	return doctor_text(d,
			   "As root, now and for every boot:\n"
			   "    sysctl -w %s=%u\n"
			   "    echo %s=%u >>/etc/sysctl.d/93-containers.conf",
			   name, value, name, value);
}

struct tightest {
	char where[4200];
	uint64_t max, now;
};

/* The cgroup of v2 at PATH, or of v1's pids hierarchy, if it leaves less than what was found so far. */
static void look_at_pids(const char *dir, struct tightest *t)
{
	char path[4200];
	uint64_t max, now;

	snprintf(path, sizeof(path), "%.4000s/pids.max", dir);
	if (!doctor_read_number(path, &max) || max == UINT64_MAX)
		return;
	snprintf(path, sizeof(path), "%.4000s/pids.current", dir);
	if (!doctor_read_number(path, &now))
		now = 0;
	now = now < max ? now : max;
	if (t->where[0] && t->max - t->now <= max - now)
		return;
	snprintf(t->where, sizeof(t->where), "%.4000s/pids.max", dir);
	t->max = max;
	t->now = now;
}

/* "4:pids:/a/b" of /proc/self/cgroup. */
static bool own_pids_cgroup(const struct doctor *d, char *text, char *buf, size_t size)
{
	char *line, *path;

	if (d->facts.cgroup_layout == CGROUP_V2) {
		char own[4096];

		if (!doctor_parse_own_cgroup(text, own, sizeof(own)))
			return false;
		snprintf(buf, size, "/sys/fs/cgroup%s", own);
		return true;
	}
	while ((line = strsep(&text, "\n"))) {
		path = strstr(line, ":pids:");
		if (!path)
			continue;
		snprintf(buf, size, "/sys/fs/cgroup/pids%s", path + strlen(":pids:"));
		return true;
	}
	return false;
}

static void check_pids_cgroup(struct doctor *d)
{
	struct tightest t = {0};
	char text[8192], dir[4200], *slash;

	if (io_read_file_at(AT_FDCWD, "/proc/self/cgroup", text, sizeof(text)) < 0 ||
	    !own_pids_cgroup(d, text, dir, sizeof(dir)) || strstr(dir, ".."))
		return;
	for (;;) {
		look_at_pids(dir, &t);
		slash = strrchr(dir, '/');
		if (!slash || slash - dir < (ptrdiff_t)strlen("/sys/fs/cgroup"))
			break;
		*slash = '\0';
	}
	if (!t.where[0]) {
		doctor_ok(d, "limits.pids", "pids.max: no limit in our cgroups");
		return;
	}
	if (t.max - t.now >= FEW_PROCESSES) {
		doctor_ok(d, "limits.pids", "%s: %llu, of which %llu are left", t.where,
			  (unsigned long long)t.max, (unsigned long long)(t.max - t.now));
		return;
	}
	doctor_add(
		d, DOCTOR_WARNING, "limits.pids",
		doctor_text(d, "%s: %llu, of which %llu are left", t.where,
			    (unsigned long long)t.max, (unsigned long long)(t.max - t.now)),
		"Containers in there cannot make processes: \"Resource temporarily unavailable\".",
		"Raise the limit of that cgroup: TasksMax= of the systemd unit (for a user's, a "
		"drop-in of user-.slice), `--pids-limit` of the outer container.");
}

/* "0.00 0.01 0.05 1/234 5678" */
static bool count_threads(uint64_t *ret)
{
	char text[128], *p;

	if (io_read_file_at(AT_FDCWD, "/proc/loadavg", text, sizeof(text)) < 0)
		return false;
	p = strchr(text, '/');
	if (!p)
		return false;
	p++;
	p[strcspn(p, " ")] = '\0';
	return str_to_u64(p, UINT32_MAX, ret) == 0;
}

static void check_threads(struct doctor *d)
{
	uint64_t now, threads, pids, max;

	if (!count_threads(&now) || !doctor_read_number("/proc/sys/kernel/threads-max", &threads) ||
	    !doctor_read_number("/proc/sys/kernel/pid_max", &pids))
		return;
	max = pids < threads ? pids : threads;
	if (now * 10 < max * 9)
		doctor_ok(d, "limits.threads",
			  "%llu threads; kernel.pid_max %llu, threads-max %llu",
			  (unsigned long long)now, (unsigned long long)pids,
			  (unsigned long long)threads);
	else
		doctor_add(d, DOCTOR_WARNING, "limits.threads",
			   doctor_text(d, "/proc/loadavg: %llu threads, and kernel.%s is %llu",
				       (unsigned long long)now,
				       pids < threads ? "pid_max" : "threads-max",
				       (unsigned long long)max),
			   "Soon no process can be made.",
			   pids < threads ? sysctl(d, "kernel.pid_max", 4194304)
					  : sysctl(d, "kernel.threads-max", 500000));
}

static void check_rlimits(struct doctor *d)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0) {
		const char *found =
			doctor_text(d, "RLIMIT_NOFILE: %llu, at most %llu",
				    (unsigned long long)l.rlim_cur, (unsigned long long)l.rlim_max);

		if (l.rlim_max >= NOFILE_WANTED)
			doctor_ok(d, "limits.nofile", "%s", found);
		else
			doctor_add(
				d, l.rlim_max < 1024 ? DOCTOR_WARNING : DOCTOR_NOTE,
				"limits.nofile", found,
				"Containers cannot have more; databases and web servers want 65536 "
				"or more files.",
				"Raise it for whatever starts crun: LimitNOFILE=1048576 of the systemd "
				"unit, or in /etc/security/limits.d/90-nofile.conf:\n"
				"    * hard nofile 1048576");
	}
	if (d->rootless && getrlimit(RLIMIT_NPROC, &l) == 0 && l.rlim_cur < 1024)
		doctor_add(d, DOCTOR_WARNING, "limits.nproc",
			   doctor_text(d, "RLIMIT_NPROC: %llu", (unsigned long long)l.rlim_cur),
			   "All processes of this user, those in containers included, count.",
			   "In /etc/security/limits.d/90-nproc.conf:\n"
			   "    * - nproc 65536");
	if (getrlimit(RLIMIT_MEMLOCK, &l) == 0 && l.rlim_max < MEMLOCK_OLD)
		doctor_add(
			d, DOCTOR_NOTE, "limits.memlock",
			doctor_text(d, "RLIMIT_MEMLOCK: at most %llu bytes",
				    (unsigned long long)l.rlim_max),
			"Programs that lock memory (databases, io_uring) fail in containers; before "
			"Linux 5.11 device filters cannot be loaded.",
			"Raise it for whatever starts crun: LimitMEMLOCK=8M of the systemd unit.");
}

static void check_least(struct doctor *d, const char *id, const char *path, unsigned least,
			const char *consequence, const char *name, unsigned value)
{
	uint64_t now;

	if (!doctor_read_number(path, &now))
		return;
	if (now >= least)
		doctor_ok(d, id, "%s: %llu", path, (unsigned long long)now);
	else
		doctor_add(d, DOCTOR_NOTE, id,
			   doctor_text(d, "%s: %llu", path, (unsigned long long)now), consequence,
			   sysctl(d, name, value));
}

static void check_huge_pages(struct doctor *d)
{
	_cleanup_closedir_ DIR *dir = opendir("/sys/kernel/mm/hugepages");
	_cleanup_buf_ struct buf list = {0};
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		const char *size = str_after(e->d_name, "hugepages-");
		char path[320];
		uint64_t n;

		snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/%s/nr_hugepages", e->d_name);
		if (size && doctor_read_number(path, &n))
			buf_printf(&list, "%s%llu of %s", list.len ? ", " : "",
				   (unsigned long long)n, size);
	}
	if (list.data && !list.failed)
		doctor_ok(d, "limits.huge-pages", "reserved: %s", list.data);
}

static void check_resctrl(struct doctor *d)
{
	_cleanup_close_ int fd = FD_NONE;
	char list[8192] = "";
	struct crun_error err;

	fd = intelrdt_open(&err);
	if (fd >= 0) {
		doctor_ok(d, "limits.resctrl", "resctrl: mounted");
		return;
	}
	(void)io_read_file_at(AT_FDCWD, "/proc/filesystems", list, sizeof(list));
	if (strstr(list, "\tresctrl"))
		doctor_add(d, DOCTOR_NOTE, "limits.resctrl",
			   "/proc/filesystems: resctrl is there, and not mounted",
			   "Containers with linux.intelRdt (cache, memory bandwidth) do not start.",
			   "As root, now and for every boot:\n"
			   "    mount -t resctrl resctrl /sys/fs/resctrl\n"
			   "    echo 'resctrl /sys/fs/resctrl resctrl defaults 0 0' >>/etc/fstab");
	else
		doctor_ok(d, "limits.resctrl", "this processor or kernel has none; few need it");
}

static void check_ports(struct doctor *d)
{
	uint64_t first;

	if (!d->rootless ||
	    !doctor_read_number("/proc/sys/net/ipv4/ip_unprivileged_port_start", &first))
		return;
	if (first <= 80)
		doctor_ok(d, "limits.ports", "net.ipv4.ip_unprivileged_port_start: %llu",
			  (unsigned long long)first);
	else
		doctor_add(d, DOCTOR_NOTE, "limits.ports",
			   doctor_text(d, "net.ipv4.ip_unprivileged_port_start: %llu",
				       (unsigned long long)first),
			   "Containers of this user cannot publish ports below that (80, 443).",
			   sysctl(d, "net.ipv4.ip_unprivileged_port_start", 80));
}

static void check_time(struct doctor *d)
{
	struct timex t = {0};
	struct timespec now;
	int r = adjtimex(&t);

	if (clock_gettime(CLOCK_REALTIME, &now) < 0)
		return;
	if (now.tv_sec < TIME_FLOOR)
		doctor_add(
			d, DOCTOR_WARNING, "limits.time",
			doctor_text(d, "clock_gettime(CLOCK_REALTIME): %lld",
				    (long long)now.tv_sec),
			"The clock is wrong: certificates of registries are not valid yet, images "
			"cannot be pulled.",
			"As root:\n    timedatectl set-ntp true");
	else if (r < 0 || !(t.status & STA_UNSYNC))
		doctor_ok(d, "limits.time", "the clock is set%s",
			  r < 0 ? "" : ", and kept by a time server");
	else
		doctor_add(
			d, DOCTOR_NOTE, "limits.time", "adjtimex: no time server keeps the clock",
			"It may drift: then certificates look expired, and logs of machines do not "
			"fit together.",
			"As root:\n    timedatectl set-ntp true\n"
			"A virtual machine may be kept by its host instead.");
}

void doctor_limits(struct doctor *d)
{
	check_pids_cgroup(d);
	check_threads(d);
	check_rlimits(d);
	check_least(d, "limits.inotify-instances", "/proc/sys/fs/inotify/max_user_instances", 256,
		    "Programs that watch files fail with \"Too many open files\" when a user has "
		    "many containers.",
		    "fs.inotify.max_user_instances", 1024);
	check_least(d, "limits.inotify-watches", "/proc/sys/fs/inotify/max_user_watches", 65536,
		    "Programs that watch many files fail with \"No space left on device\".",
		    "fs.inotify.max_user_watches", 524288);
	check_huge_pages(d);
	check_resctrl(d);
	check_ports(d);
	check_time(d);
}
