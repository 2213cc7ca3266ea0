// SPDX-License-Identifier: Apache-2.0
// crun gc and the groups of resctrl, which no test can mount: a directory takes its place.
#include "libcrun.h"

#include "base/buf.h"
#include "fs/mountinfo.h"
#include "sys/file.h"

#include "../state/tempdir.h"
#include "../test.h"

#define RESCTRL_MAGIC 0x7655821

static struct crun_error err;
static struct tempdir resctrl, root;
static char output[4096];

int __real_sys_fstatfs(int fd, struct statfs *ret);
int __wrap_sys_fstatfs(int fd, struct statfs *ret);
int __wrap_mountinfo_read(int proc_fd, const char *path, struct buf *text, struct crun_error *e);

int __wrap_sys_fstatfs(int fd, struct statfs *ret)
{
	int r = __real_sys_fstatfs(fd, ret);
	struct stat now, ours;

	if (r == 0 && fstat(fd, &now) == 0 && stat(resctrl.path, &ours) == 0 &&
	    now.st_ino == ours.st_ino && now.st_dev == ours.st_dev)
		ret->f_type = RESCTRL_MAGIC;
	return r;
}

int __wrap_mountinfo_read(int proc_fd, const char *path, struct buf *text, struct crun_error *e)
{
	(void)proc_fd;
	(void)path;
	(void)e;
	buf_printf(text, "40 30 0:40 / %s rw - resctrl resctrl rw\n", resctrl.path);
	return text->failed ? -ENOMEM : 0;
}

/* A container whose creation was cut off after it had made the group of its own. */
static int leave(const char *id, const char *group)
{
	struct oci_record rec = simple_record(id, OCI_RECORD_PHASE_INTENT);
	struct state_dir dir;
	struct stat ns;
	int r = state_reserve(root.path, id, &dir, &err);

	if (r < 0 || stat("/proc/self/ns/pid", &ns) < 0)
		return -1;
	rec.intel_rdt_group = group;
	rec.has_pid_namespace = true;
	rec.pid_namespace = ns.st_ino;
	r = state_write_record(&dir, &rec, &err);
	state_close(&dir);
	return r;
}

/* What gc tells; *LEFT is the number of those that it could not remove. */
static const char *collect(unsigned *left)
{
	const struct libcrun_context ctx = {.size = sizeof(ctx), .state_root = root.path};
	const struct libcrun_gc_options opts = {.size = sizeof(opts)};
	FILE *out = fmemopen(output, sizeof(output), "w");

	if (!out || libcrun_gc(&ctx, &opts, out, left, &err) < 0)
		return err.text;
	fclose(out);
	return output;
}

TEST(group_of_a_cut_off_creation_is_removed)
{
	unsigned left;

	resctrl = tempdir_make();
	root = tempdir_make();
	CHECK_INT(mkdir(in_dir(resctrl.path, "box"), 0755), 0);
	CHECK_INT(mkdir(in_dir(resctrl.path, "other"), 0755), 0);
	CHECK_INT(leave("box", "box"), 0);
	CHECK_STR(collect(&left), "removed box: its creation was cut off (resctrl group box, state "
				  "directory)\n");
	CHECK_INT(left, 0);
	CHECK(!path_exists(in_dir(resctrl.path, "box")));
	CHECK(path_exists(in_dir(resctrl.path, "other")));
	CHECK(!path_exists(in_dir(root.path, "box")));
	/* Killed before it was made. */
	CHECK_INT(leave("box", "box"), 0);
	CHECK(strstr(collect(&left), "removed box: "));
	CHECK_INT(left, 0);
	tempdir_remove(&resctrl);
	tempdir_remove(&root);
}

/* Then the record is the only way to find it again. */
TEST(group_that_cannot_be_removed_keeps_the_record)
{
	unsigned left;

	resctrl = tempdir_make();
	root = tempdir_make();
	CHECK_INT(mkdir(in_dir(resctrl.path, "box"), 0755), 0);
	CHECK_INT(put_file(in_dir(resctrl.path, "box/tasks"), ""), 0);
	CHECK_INT(leave("box", "box"), 0);
	CHECK(strstr(collect(&left), "left box: "));
	CHECK(strstr(output, "remove the group `box` of resctrl"));
	CHECK_INT(left, 1);
	CHECK(path_exists(in_dir(root.path, "box")));
	CHECK_INT(unlink(in_dir(resctrl.path, "box/tasks")), 0);
	CHECK(strstr(collect(&left), "removed box: "));
	CHECK_INT(left, 0);
	CHECK(!path_exists(in_dir(resctrl.path, "box")));
	tempdir_remove(&resctrl);
	tempdir_remove(&root);
}

TEST_MAIN()
