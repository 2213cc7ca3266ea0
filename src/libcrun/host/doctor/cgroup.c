// SPDX-License-Identifier: Apache-2.0
// crun doctor: the cgroup hierarchies, their controllers, and what of them is ours.
#include "host/doctor/doctor.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "cgroup/cgroup.h"
#include "host/doctor/parse.h"
#include "libcrun.h"
#include "sys/file.h"
#include "sys/io.h"

#include <errno.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define ROOT "/sys/fs/cgroup"

/* What `--memory` and its like need. The others are asked for by few. */
static const struct controller {
	const char *v1, *v2;
	enum doctor_status missing;
	const char *limits;
} controllers[] = {
	{"memory", "memory", DOCTOR_WARNING, "memory"},
	{"cpu", "cpu", DOCTOR_WARNING, "CPU time"},
	{"pids", "pids", DOCTOR_WARNING, "the number of processes"},
	{"cpuset", "cpuset", DOCTOR_NOTE, "CPUs and memory nodes"},
	{"blkio", "io", DOCTOR_NOTE, "I/O"},
	{"hugetlb", "hugetlb", DOCTOR_NOTE, "huge pages"},
};

static const char *v2_root(const struct doctor *d)
{
	return d->facts.cgroup_layout == CGROUP_HYBRID ? ROOT "/unified" : ROOT;
}

static bool is_v1(const struct doctor *d)
{
	return d->facts.cgroup_layout == CGROUP_V1 || d->facts.cgroup_layout == CGROUP_HYBRID;
}

#define TO_V2                                                                               \
	"Boot with cgroup v2 alone; with systemd, add this to the kernel's command line:\n" \
	"    systemd.unified_cgroup_hierarchy=1"

static bool check_layout(struct doctor *d)
{
	static const char *const id = "cgroup.layout";

	switch (d->facts.cgroup_layout) {
	case CGROUP_V2:
		doctor_ok(d, id, ROOT ": cgroup v2");
		return true;
	case CGROUP_HYBRID:
	case CGROUP_V1:
		doctor_add(
			d, doctor_if_rootless(d, DOCTOR_WARNING, DOCTOR_NOTE), id,
			is_v1(d) && d->facts.cgroup_layout == CGROUP_HYBRID
				? ROOT ": a tmpfs with hierarchies of cgroup v1, and " ROOT
				       "/unified with v2"
				: ROOT ": a tmpfs with hierarchies of cgroup v1",
			"Containers of ordinary users get no limits, pause or statistics; there is "
			"no pressure information; systemd 258 and later do not start on it.",
			TO_V2);
		return true;
	default:
		doctor_add(
			d, doctor_if_rootless(d, DOCTOR_WARNING, DOCTOR_PROBLEM), id,
			ROOT ": no cgroup file system",
			"Containers with a cgroup do not start: there are no limits, no pause, no "
			"statistics, and no certain end of all processes.",
			"As root:\n"
			"    mount -t cgroup2 cgroup2 " ROOT "\n"
			"or run crun with --cgroup-manager=disabled. In a container, have the outer "
			"engine mount it.");
		return false;
	}
}

/* The container's directory is made in each of them. */
static void check_read_only(struct doctor *d)
{
	const char *where = is_v1(d) ? ROOT "/memory" : ROOT;
	struct statvfs fs;

	if (statvfs(where, &fs) < 0)
		return;
	if (!(fs.f_flag & ST_RDONLY)) {
		doctor_ok(d, "cgroup.read-only", "%s: mounted for writing", where);
		return;
	}
	doctor_add(d, doctor_if_rootless(d, DOCTOR_WARNING, DOCTOR_PROBLEM), "cgroup.read-only",
		   doctor_text(d, "%s: mounted read-only", where),
		   "No cgroup can be made: containers with limits do not start.",
		   "In a container, have the outer engine mount it for writing (Podman: "
		   "--security-opt unmask=" ROOT
		   ", Docker: --privileged --cgroupns=private), or run crun with "
		   "--cgroup-manager=disabled. As root of the host:\n"
		   "    mount -o remount,rw " ROOT);
}

static bool has_v1(const struct controller *c)
{
	char path[64];

	snprintf(path, sizeof(path), ROOT "/%s/cgroup.procs", c->v1);
	return access(path, F_OK) == 0;
}

static const char *how_to_enable(const struct controller *c)
{
	return str_eq(c->v2, "memory")
		       ? "Boot with these on the kernel's command line (the Raspberry Pi and some "
			 "other boards leave the controller off):\n"
			 "    cgroup_enable=memory cgroup_memory=1"
		       : "Run a kernel that was built with it. On a hybrid host it may be mounted as a "
			 "hierarchy of v1 outside of " ROOT ".";
}

static void check_controllers(struct doctor *d)
{
	char path[64], list[512] = "";
	size_t missing = 0;

	snprintf(path, sizeof(path), "%s/cgroup.controllers", v2_root(d));
	(void)io_read_file_at(AT_FDCWD, path, list, sizeof(list));
	for (size_t i = 0; i < ARRAY_LEN(controllers); i++) {
		const struct controller *c = &controllers[i];

		if (doctor_has_word(list, c->v2) || (is_v1(d) && has_v1(c)))
			continue;
		missing++;
		doctor_add(d, c->missing, "cgroup.controllers",
			   is_v1(d)
				   ? doctor_text(d, ROOT "/%s: no such hierarchy", c->v1)
				   : doctor_text(d, "%s: `%s` is not in \"%s\"", path, c->v2, list),
			   doctor_text(d, "Containers with a limit of %s do not start.", c->limits),
			   how_to_enable(c));
	}
	if (missing == 0)
		doctor_ok(d, "cgroup.controllers",
			  "%s: memory, cpu, pids, cpuset, io and hugetlb are there", ROOT);
}

#define DROP_IN                                                              \
	"As root, with systemd:\n"                                           \
	"    mkdir -p /etc/systemd/system/user@.service.d\n"                 \
	"    cat >/etc/systemd/system/user@.service.d/delegate.conf <<EOF\n" \
	"    [Service]\n"                                                    \
	"    Delegate=cpu cpuset io memory pids\n"                           \
	"    EOF\n"                                                          \
	"    systemctl daemon-reload\n"                                      \
	"The user has to log out of all sessions and in again, or:\n"

static const char *how_to_delegate(struct doctor *d, const char *missing)
{
	unsigned uid = d->facts.euid;

	if (access("/run/systemd/system", F_OK) == 0)
		return doctor_text(d, DROP_IN "    systemctl restart user@%u.service", uid);
	return doctor_text(d,
			   "As root:\n"
			   "    cd " ROOT "; echo \"%s\" >cgroup.subtree_control\n"
			   "    mkdir -p u%u/shell; chown -R %u u%u\n"
			   "    echo PID >u%u/shell/cgroup.procs\n"
			   "where PID is that of the shell that runs crun.",
			   missing, uid, uid, uid, uid);
}

void doctor_delegation(struct doctor *d, const char *id, const char *dir)
{
	char path[4200], list[512] = "", missing[128] = "", plus[160] = "";
	enum doctor_status worst = DOCTOR_OK;

	snprintf(path, sizeof(path), "%.4000s/cgroup.controllers", dir);
	(void)io_read_file_at(AT_FDCWD, path, list, sizeof(list));
	for (size_t i = 0; i < ARRAY_LEN(controllers) - 1; i++) { /* hugetlb is for root alone */
		const struct controller *c = &controllers[i];

		if (doctor_has_word(list, c->v2))
			continue;
		snprintf(missing + strlen(missing), sizeof(missing) - strlen(missing), "%s%s",
			 missing[0] ? " " : "", c->v2);
		snprintf(plus + strlen(plus), sizeof(plus) - strlen(plus), "%s+%s",
			 plus[0] ? " " : "", c->v2);
		worst = c->missing < worst ? c->missing : worst;
	}
	if (worst == DOCTOR_OK)
		doctor_ok(d, id, "%s: cpu, cpuset, io, memory and pids are ours", dir);
	else
		doctor_add(d, worst, id,
			   doctor_text(d, "%s: \"%s\", without %s", path, list, missing),
			   doctor_text(d, "Limits that need %s are refused.", missing),
			   how_to_delegate(d, plus));
}

/* An ordinary user on cgroup v2. */
static void check_delegation(struct doctor *d)
{
	char base[4096];

	if (cgroup_delegated(CGROUP_V2, base, sizeof(base))) {
		doctor_delegation(d, "cgroup.delegation", base);
		return;
	}
	doctor_add(
		d, DOCTOR_WARNING, "cgroup.delegation",
		"/proc/self/cgroup: neither our own cgroup nor the one above it may be written to",
		"With --cgroup-manager=cgroupfs containers get no cgroup: no limits, pause or "
		"statistics.",
		doctor_text(d,
			    "Use --cgroup-manager=systemd, or start crun in a scope of the user's "
			    "own:\n"
			    "    systemd-run --user --scope -p Delegate=yes crun ...\n"
			    "%s",
			    how_to_delegate(d, "+cpu +cpuset +io +memory +pids")));
}

/*
 * cgroup-v2.rst, "No Internal Process Constraint": where a container is given a cgroup namespace, its root is a cgroup like any other, so
 * processes in it keep its children from having controllers.
 */
static void check_inner_root(struct doctor *d)
{
	char text[4096], enabled[512] = "";
	struct stat st;

	if (d->facts.cgroup_layout != CGROUP_V2 ||
	    sys_fstatat(AT_FDCWD, ROOT "/cgroup.type", &st) < 0)
		return; /* only the host's root has no type */
	if (io_read_file_at(AT_FDCWD, ROOT "/cgroup.type", text, sizeof(text)) >= 0 &&
	    !str_eq(text, "domain")) {
		doctor_add(d, DOCTOR_WARNING, "cgroup.type",
			   doctor_text(d, ROOT "/cgroup.type: \"%s\"", text),
			   "Below a threaded cgroup there are no limits of memory and I/O.",
			   "Start crun from a cgroup of the type \"domain\".");
		return;
	}
	(void)io_read_file_at(AT_FDCWD, ROOT "/cgroup.subtree_control", enabled, sizeof(enabled));
	if (io_read_file_at(AT_FDCWD, ROOT "/cgroup.procs", text, sizeof(text)) == 0 || enabled[0])
		doctor_ok(d, "cgroup.inner-root", ROOT ": controllers can be handed down");
	else
		doctor_add(d, DOCTOR_WARNING, "cgroup.inner-root",
			   ROOT
			   "/cgroup.procs: processes are in the root of our cgroup namespace, and "
			   "cgroup.subtree_control is empty",
			   "No controller can be handed down: containers with limits do not start.",
			   "Before the first container, move the processes out of the way:\n"
			   "    mkdir " ROOT "/init\n"
			   "    xargs -rn1 <" ROOT "/cgroup.procs >" ROOT "/init/cgroup.procs\n"
			   "    sed 's/ / +/g;s/^/+/' <" ROOT "/cgroup.controllers >" ROOT
			   "/cgroup.subtree_control");
}

static void check_maximum(struct doctor *d, const char *id, const char *file, uint64_t enough,
			  const char *what)
{
	char path[128];
	uint64_t value;

	snprintf(path, sizeof(path), "%s/%s", v2_root(d), file);
	if (!doctor_read_number(path, &value) || value >= enough)
		return;
	doctor_add(d, DOCTOR_WARNING, id,
		   doctor_text(d, "%s: %llu", path, (unsigned long long)value), what,
		   doctor_text(d, "As root of the host:\n    echo max >%s", path));
}

static void check_swap(struct doctor *d)
{
	if (!is_v1(d) || access(ROOT "/memory/cgroup.procs", F_OK) < 0 ||
	    access(ROOT "/memory/memory.memsw.limit_in_bytes", F_OK) == 0)
		return;
	doctor_add(d, DOCTOR_NOTE, "cgroup.swap",
		   ROOT "/memory/memory.memsw.limit_in_bytes: no such file",
		   "Containers with a limit of swap do not start.",
		   "Boot with this on the kernel's command line:\n    swapaccount=1");
}

void doctor_cgroup(struct doctor *d)
{
	if (d->ctx->cgroup_manager && str_eq(d->ctx->cgroup_manager, "disabled")) {
		doctor_ok(d, "cgroup.layout", "--cgroup-manager=disabled: not looked at");
		return;
	}
	if (!check_layout(d))
		return;
	check_read_only(d);
	check_controllers(d);
	/* Under systemd our own cgroup does not matter, but the manager's does: systemd.delegation. */
	if (d->rootless && d->facts.cgroup_layout == CGROUP_V2 && !doctor_wants_systemd(d))
		check_delegation(d);
	check_inner_root(d);
	check_maximum(d, "cgroup.max-depth", "cgroup.max.depth", 8,
		      "Containers' cgroups lie some levels deep: they cannot be made.");
	check_maximum(d, "cgroup.max-descendants", "cgroup.max.descendants", 256,
		      "Each container takes a cgroup or more: soon none can be made.");
	check_swap(d);
}
