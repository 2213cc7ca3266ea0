// SPDX-License-Identifier: Apache-2.0
// crun doctor: subordinate ids, and the programs that map them.
#include "host/doctor/doctor.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "host/doctor/parse.h"
#include "host/idmaps.h"
#include "spawn/userns_holder.h"
#include "sys/deadline.h"
#include "sys/file.h"
#include "sys/io.h"
#include "sys/process.h"
#include "sys/xattr.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define ENOUGH	   65536 /* images use ids up to that of nobody, 65534 */
#define MAPPING_MS 10000
#define SINGLE_ID                                                                             \
	"Containers of this user have a single id, root's: images with files of other users " \
	"cannot be unpacked, and programs cannot change their user."

struct kind {
	const char *file, *id, *option; /* option of usermod(8) */
	const char *program, *program_id;
	unsigned cap;
};

static const struct kind kinds[] = {
	{"/etc/subuid", "ids.subuid", "--add-subuids", "newuidmap", "ids.newuidmap", CAP_SETUID},
	{"/etc/subgid", "ids.subgid", "--add-subgids", "newgidmap", "ids.newgidmap", CAP_SETGID},
};

/* The files have a line per user of the machine. */
static int read_file(struct doctor *d, const char *path, const char **ret)
{
	const size_t size = 1 << 20;
	char *text = oci_arena_bytes(&d->arena, size);
	int r = text ? io_read_file_at(AT_FDCWD, path, text, size) : -ENOMEM;

	*ret = r < 0 ? "" : text;
	return r;
}

static const char *name_of(struct doctor *d)
{
	return d->user[0] ? d->user : doctor_text(d, "%u", d->facts.euid);
}

static const char *how_to_add(struct doctor *d, const struct kind *k,
			      const struct doctor_subids *ids)
{
	return doctor_text(d,
			   "As root:\n"
			   "    usermod %s %llu-%llu %s\n"
			   "which adds this line to %s:\n"
			   "    %s:%llu:%d",
			   k->option, (unsigned long long)ids->free,
			   (unsigned long long)ids->free + ENOUGH - 1, name_of(d), k->file,
			   name_of(d), (unsigned long long)ids->free, ENOUGH);
}

/* nsswitch.conf(5): with "subid: sss" a server has the ranges, and the files are not looked at. */
static bool is_elsewhere(struct doctor *d)
{
	const char *text, *line;

	if (read_file(d, "/etc/nsswitch.conf", &text) < 0)
		return false;
	line = str_after(text, "subid:") ? text : strstr(text, "\nsubid:");
	if (!line)
		return false;
	line = strchr(line, ':') + 1;
	line += strspn(line, " \t");
	return !str_after(line, "files");
}

static bool check_ranges(struct doctor *d, const struct kind *k, struct doctor_subids *ids)
{
	const char *text;
	int r = read_file(d, k->file, &text);

	doctor_parse_subids(text, d->user, d->facts.euid, ids);
	if (ids->bad_line)
		doctor_add(
			d, DOCTOR_WARNING, k->id,
			doctor_text(d, "%s, line %u: not of the form user:first:count", k->file,
				    ids->bad_line),
			"The line has no effect; newuidmap and engines may refuse the whole file.",
			doctor_text(d, "As root, correct the line in %s.", k->file));
	if (!ids->any) {
		doctor_add(d, DOCTOR_PROBLEM, k->id,
			   r < 0 ? doctor_failure(d, k->file, r)
				 : doctor_text(d, "%s: no line for %s (uid %u)", k->file,
					       name_of(d), d->facts.euid),
			   SINGLE_ID, how_to_add(d, k, ids));
		return false;
	}
	if (ids->other[0])
		doctor_add(
			d, DOCTOR_WARNING, k->id,
			doctor_text(d, "%s: a range of %s overlaps one of %s", k->file, name_of(d),
				    ids->other),
			"The two users can change each other's files and processes.",
			"As root, give one of them another range, and have the user make the images "
			"anew.");
	if (ids->total < ENOUGH)
		doctor_add(d, DOCTOR_WARNING, k->id,
			   doctor_text(d, "%s: %llu ids for %s", k->file,
				       (unsigned long long)ids->total, name_of(d)),
			   "Images use ids up to 65534 (nobody): some cannot be unpacked.",
			   how_to_add(d, k, ids));
	else if (!ids->other[0] && !ids->bad_line)
		doctor_ok(d, k->id, "%s: %llu ids for %s, from %llu on", k->file,
			  (unsigned long long)ids->total, name_of(d),
			  (unsigned long long)ids->first);
	return true;
}

/* What keeps PATH, open as FD, from getting its privilege; NULL when nothing does. */
static const char *powerless(struct doctor *d, const struct kind *k, const char *path, int fd,
			     const char **ret_fix)
{
	unsigned char caps[32];
	struct statvfs fs;
	struct stat st;
	int n = sys_fgetxattr(fd, "security.capability", caps, sizeof(caps));
	bool by_file = n > 0 && doctor_parse_file_cap(caps, (size_t)n, k->cap);

	if (sys_fstatat(fd, "", &st) < 0 || fstatvfs(fd, &fs) < 0)
		return NULL;
	if (!by_file && !((st.st_mode & S_ISUID) && st.st_uid == 0)) {
		*ret_fix = doctor_text(
			d,
			"As root, one of these; the first is what most distributions "
			"do:\n"
			"    chown root:root %s && chmod 4755 %s\n"
			"    setcap %s=ep %s",
			path, path, k->cap == CAP_SETUID ? "cap_setuid" : "cap_setgid", path);
		return doctor_text(d, "%s: mode %04o of uid %u, without file capabilities", path,
				   st.st_mode & 07777, st.st_uid);
	}
	if (fs.f_flag & ST_NOSUID) {
		*ret_fix = "As root, mount that file system without the option nosuid.";
		return doctor_text(d, "%s: on a file system that is mounted nosuid", path);
	}
	if (sys_prctl(PR_GET_NO_NEW_PRIVS, 0, 0) == 1) {
		*ret_fix = "Start crun without no_new_privs: systemd's NoNewPrivileges=, "
			   "`setpriv --no-new-privs` or a container's noNewPrivileges set it.";
		return doctor_text(d, "%s: crun runs with no_new_privs", path);
	}
	return NULL;
}

static bool check_program(struct doctor *d, const struct kind *k)
{
	_cleanup_(program_close) struct host_program program;
	_cleanup_close_ int fd = FD_NONE;
	const char *path, *why, *fix;

	if (program_open(IDMAPS_HELPER_DIRS, k->program, &program) < 0) {
		doctor_add(d, DOCTOR_PROBLEM, k->program_id,
			   doctor_text(d, "%s: in none of %s", k->program, IDMAPS_HELPER_DIRS),
			   SINGLE_ID,
			   "Install it, as root:\n"
			   "    apt-get install uidmap        # Debian, Ubuntu\n"
			   "    dnf install shadow-utils      # Fedora, RHEL\n"
			   "    apk add shadow-subids         # Alpine");
		return false;
	}
	path = program.path;
	fd = sys_openat(AT_FDCWD, path, O_RDONLY, 0);
	why = fd < 0 ? NULL : powerless(d, k, path, fd, &fix);
	if (why) {
		doctor_add(d, DOCTOR_PROBLEM, k->program_id, why, SINGLE_ID, fix);
		return false;
	}
	doctor_ok(d, k->program_id, "%s: may map ids", path);
	return true;
}

/* The whole of it, as a container would have it. */
static void try_mapping(struct doctor *d, const struct doctor_subids ids[2])
{
	struct oci_id_mapping maps[2][2];
	struct launch_plan plan = {.id_map_writer = ID_MAP_HELPERS};
	struct idmap_helpers helpers = IDMAP_HELPERS_NONE;
	struct deadline limit = deadline_in(MAPPING_MS);
	struct userns_holder holder;
	struct crun_error err;
	int r;

	for (size_t i = 0; i < 2; i++) {
		maps[i][0] = (struct oci_id_mapping){
			.container_id = 0,
			.host_id = i ? d->facts.egid : d->facts.euid,
			.size = 1,
		};
		maps[i][1] = (struct oci_id_mapping){
			.container_id = 1,
			.host_id = (uint32_t)ids[i].first,
			.size = (uint32_t)ids[i].count,
		};
	}
	plan.uid_map = maps[0];
	plan.gid_map = maps[1];
	plan.uid_map_len = plan.gid_map_len = 2;
	if (userns_holder_begin(&holder, &err) < 0)
		return; /* that is another finding */
	r = idmaps_open_helpers(&helpers, &err);
	if (r == 0)
		r = idmaps_write(&plan, &helpers, holder.pid, &limit, &err);
	idmaps_close_helpers(&helpers);
	userns_holder_end(&holder);
	if (r >= 0)
		doctor_ok(d, "ids.mapping",
			  "newuidmap, newgidmap: mapped the ranges into a user namespace");
	else
		doctor_add(
			d, DOCTOR_PROBLEM, "ids.mapping", doctor_text(d, "%s", err.text), SINGLE_ID,
			"The program's own words are in parentheses. Usual reasons are a range that is "
			"not wholly one of the user's, and a container around crun whose own user "
			"namespace does not have these ids.");
}

void doctor_ids(struct doctor *d)
{
	struct doctor_subids ids[2];
	bool files = true, ranges = true, programs = true;

	/* Root writes maps by itself, and needs nobody's leave. */
	if (!d->rootless)
		return;
	if (is_elsewhere(d)) {
		doctor_add(d, DOCTOR_NOTE, "ids.elsewhere",
			   "/etc/nsswitch.conf: subordinate ids do not come from files",
			   "Whether there are any for this user was not looked at.",
			   doctor_text(d, "Ask:\n    getsubids %s", name_of(d)));
		files = false;
	}
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		ranges = files && check_ranges(d, &kinds[i], &ids[i]) && ranges;
		programs = check_program(d, &kinds[i]) && programs;
	}
	if (ranges && programs)
		try_mapping(d, ids);
}
