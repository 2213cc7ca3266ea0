// SPDX-License-Identifier: Apache-2.0
// Attributes of a mount: see mount_attr.h.
#include "fs/mount_attr.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "fs/mount_old.h"
#include "fs/mount_id.h"
#include "fs/mountinfo.h"
#include "fs/walk.h"
#include "sys/file.h"
#include "sys/mount.h"

#include <stdlib.h>
#include <string.h>

#define ST_NOSYMFOLLOW_ 0x2000 /* statfs(2), 5.10 */

/* One flag in the three alphabets that the kernel has for it. */
static const struct attr_name {
	uint64_t attr;
	unsigned long ms;
	unsigned long st;
	const char *name;
} attr_names[] = {
	{MOUNT_ATTR_RDONLY, MS_RDONLY, 0x0001, "ro"},
	{MOUNT_ATTR_NOSUID, MS_NOSUID, 0x0002, "nosuid"},
	{MOUNT_ATTR_NODEV, MS_NODEV, 0x0004, "nodev"},
	{MOUNT_ATTR_NOEXEC, MS_NOEXEC, 0x0008, "noexec"},
	{MOUNT_ATTR_NOSYMFOLLOW, MS_NOSYMFOLLOW, ST_NOSYMFOLLOW_, "nosymfollow"},
};

/* Rounds over a tree of mounts that changes meanwhile. */
#define MAX_ROUNDS 16

/* What this process found out. */
static bool no_setattr;

#define ST_NOATIME_    0x0400
#define ST_NODIRATIME_ 0x0800
#define ST_RELATIME_   0x1000

/* mount_setattr(2), which is not tried again once it was missing. */
static int setattr(int fd, int recursive, uint64_t set, uint64_t clear, uint64_t propagation)
{
	int r;

	if (no_setattr)
		return -ENOSYS;
	r = sys_mount_setattr(fd, recursive, set, clear, propagation);
	no_setattr = r == -ENOSYS;
	return r;
}

int mount_attr_change(int fd, const struct mount_change *c)
{
	uint64_t rec_propagation = c->propagation_rec ? c->propagation : 0;
	uint64_t top_propagation = c->propagation_rec ? 0 : c->propagation;
	int r;

	if (c->rec_set || c->rec_clr || rec_propagation) {
		r = setattr(fd, 1, c->rec_set, c->rec_clr, rec_propagation);
		if (r < 0)
			return r;
	}
	if (c->set || c->clr || top_propagation) {
		r = setattr(fd, 0, c->set, c->clr, top_propagation);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The flags of mount(2) that leave the mount of FD as it is. */
static int current_flags(int fd, unsigned long *ret)
{
	struct statfs st;
	unsigned long ms = 0;
	int r;

	r = sys_fstatfs(fd, &st);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(attr_names); i++) {
		if ((unsigned long)st.f_flags & attr_names[i].st)
			ms |= attr_names[i].ms;
	}
	/* One of them always: without any of the four that follow a remount keeps them all, `nodiratime` too. */
	if (st.f_flags & ST_NOATIME_)
		ms |= MS_NOATIME;
	else
		ms |= st.f_flags & ST_RELATIME_ ? MS_RELATIME : MS_STRICTATIME;
	if (st.f_flags & ST_NODIRATIME_)
		ms |= MS_NODIRATIME;
	*ret = ms;
	return 0;
}

static unsigned long change_flags(unsigned long ms, const struct mount_change *c)
{
	for (size_t i = 0; i < ARRAY_LEN(attr_names); i++) {
		if (c->clr & attr_names[i].attr)
			ms &= ~attr_names[i].ms;
		if (c->set & attr_names[i].attr)
			ms |= attr_names[i].ms;
	}
	if (c->clr & MOUNT_ATTR__ATIME) {
		ms &= ~(unsigned long)(MS_NOATIME | MS_STRICTATIME | MS_RELATIME);
		if ((c->set & MOUNT_ATTR__ATIME) == MOUNT_ATTR_NOATIME)
			ms |= MS_NOATIME;
		else if ((c->set & MOUNT_ATTR__ATIME) == MOUNT_ATTR_STRICTATIME)
			ms |= MS_STRICTATIME;
		else
			ms |= MS_RELATIME;
	}
	if (c->clr & MOUNT_ATTR_NODIRATIME)
		ms &= ~(unsigned long)MS_NODIRATIME;
	if (c->set & MOUNT_ATTR_NODIRATIME)
		ms |= MS_NODIRATIME;
	return ms;
}

/* The words of mountinfo for what a mount has of its own. */
static unsigned long listed_flags(const char *options)
{
	unsigned long ms = 0;

	for (size_t i = 0; i < ARRAY_LEN(attr_names); i++) {
		if (mountinfo_has_option(options, attr_names[i].name, strlen(attr_names[i].name)))
			ms |= attr_names[i].ms;
	}
	if (mountinfo_has_option(options, "noatime", strlen("noatime")))
		ms |= MS_NOATIME;
	else if (mountinfo_has_option(options, "relatime", strlen("relatime")))
		ms |= MS_RELATIME;
	else
		ms |= MS_STRICTATIME;
	if (mountinfo_has_option(options, "nodiratime", strlen("nodiratime")))
		ms |= MS_NODIRATIME;
	return ms;
}

/* A reading of the mount table, and which of its mounts lie below one of them. */
struct table {
	struct buf text;
	struct mountinfo *mounts;
	bool *below;
	size_t len;
	const struct mountinfo *top;
};

static void table_done(struct table *t)
{
	buf_done(&t->text);
	free(t->mounts);
	free(t->below);
	*t = (struct table){0};
}

/* The order of the table is no help: a mount may be listed before the one that it is on. */
static void mark_below(struct table *t)
{
	bool changed = true;

	while (changed) {
		changed = false;
		for (size_t i = 0; i < t->len; i++) {
			for (size_t k = 0; !t->below[i] && k < t->len; k++) {
				if (t->mounts[k].id != t->mounts[i].parent ||
				    (&t->mounts[k] != t->top && !t->below[k]) ||
				    &t->mounts[i] == t->top)
					continue;
				t->below[i] = changed = true;
			}
		}
	}
}

static int table_read(struct table *t, int proc_fd, uint64_t top_id)
{
	struct mountinfo m;
	size_t cap = 0;
	char *cursor;
	int r;

	r = mountinfo_read(proc_fd, "self/mountinfo", &t->text, ERR_IGNORED);
	if (r < 0)
		return r;
	for (const char *p = t->text.data; p && *p; p++)
		cap += *p == '\n';
	t->mounts = calloc(cap + 1, sizeof(*t->mounts));
	t->below = calloc(cap + 1, sizeof(*t->below));
	if (!t->mounts || !t->below)
		return -ENOMEM;
	cursor = t->text.data;
	while (t->len < cap && mountinfo_next(&cursor, &m))
		t->mounts[t->len++] = m;
	for (size_t i = 0; i < t->len; i++) {
		if (t->mounts[i].id == top_id)
			t->top = &t->mounts[i];
	}
	if (!t->top)
		return -ENOENT;
	mark_below(t);
	return 0;
}

static const struct mountinfo *find_mount(const struct table *t, uint64_t id)
{
	for (size_t i = 0; i < t->len; i++) {
		if (t->mounts[i].id == id)
			return &t->mounts[i];
	}
	return NULL;
}

/* A mount other than NEXT on the mount AT that lies over PATH or above it. */
static bool is_covered_at(const struct table *t, const struct mountinfo *at,
			  const struct mountinfo *next, const char *path)
{
	for (size_t i = 0; i < t->len; i++) {
		const char *rest = str_after(path, t->mounts[i].mount_point);

		if (t->mounts[i].parent == at->id && &t->mounts[i] != at && &t->mounts[i] != next &&
		    rest && (*rest == '/' || *rest == '\0'))
			return true;
	}
	return false;
}

/* True when other mounts cover M or the way to it from the top, so that nobody can reach it. */
static bool is_covered(const struct table *t, const struct mountinfo *m)
{
	const struct mountinfo *next = NULL;

	for (const struct mountinfo *at = m; at && at != t->top; at = find_mount(t, at->parent)) {
		if (is_covered_at(t, at, next, m->mount_point))
			return true;
		next = at;
	}
	return is_covered_at(t, t->top, next, m->mount_point) &&
	       strlen(t->top->mount_point) < strlen(m->mount_point);
}

/* The root of the mount M, which is below the one of FD: by a path without links, and only if it is still that one. */
static int open_below(const struct table *t, int proc_fd, int fd, const struct mountinfo *m)
{
	const char *rest = str_after(m->mount_point, t->top->mount_point);
	_cleanup_close_ int found = FD_NONE;
	uint64_t id;
	int r;

	if (!rest)
		return -EAGAIN;
	rest += strspn(rest, "/");
	found = lookup_open(fd, rest, O_PATH | O_NOFOLLOW,
			    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
	if (found < 0)
		return found;
	r = mount_id_of(proc_fd, found, &id);
	if (r < 0)
		return r;
	return id == m->id ? take_fd(&found) : -EAGAIN;
}

/* Whether the mount M has what C asks for. */
static bool is_changed(const struct mountinfo *m, const struct mount_change *c)
{
	unsigned long now = listed_flags(m->options);

	return change_flags(now, c) == now;
}

/* One round over the mounts below FD. Returns how many had to be changed. */
static int change_round(int proc_fd, int fd, uint64_t top_id, const struct mount_change *c)
{
	struct table t = {0};
	int changed = 0, r;

	r = table_read(&t, proc_fd, top_id);
	for (size_t i = 0; r >= 0 && i < t.len; i++) {
		const struct mountinfo *m = &t.mounts[i];
		_cleanup_close_ int below = FD_NONE;

		if (!t.below[i] || is_changed(m, c) || is_covered(&t, m))
			continue;
		changed++;
		below = open_below(&t, proc_fd, fd, m);
		/* Moved or gone meanwhile: the next round sees. */
		if (below == -EAGAIN || below == -ENOENT)
			continue;
		r = below < 0 ? below
			      : mount_old_change(proc_fd, below,
						 MS_REMOUNT | MS_BIND |
							 change_flags(listed_flags(m->options), c));
	}
	table_done(&t);
	return r < 0 ? r : changed;
}

/* Until a round finds nothing more to be done: mounts may come from elsewhere while we look. */
static int change_below(int proc_fd, int fd, const struct mount_change *c)
{
	uint64_t id;
	int r = mount_id_of(proc_fd, fd, &id);

	if (r < 0)
		return r;
	for (int i = 0; i < MAX_ROUNDS; i++) {
		r = change_round(proc_fd, fd, id, c);
		if (r <= 0)
			return r;
	}
	return -EBUSY;
}

static int change_one(int proc_fd, int fd, const struct mount_change *c)
{
	unsigned long ms;
	int r = current_flags(fd, &ms);

	if (r < 0)
		return r;
	return mount_old_change(proc_fd, fd, MS_REMOUNT | MS_BIND | change_flags(ms, c));
}

int mount_attr_remount(int proc_fd, int fd, const struct mount_change *c)
{
	int r = 0;

	if (c->rec_set || c->rec_clr) {
		const struct mount_change all = {.set = c->rec_set, .clr = c->rec_clr};

		r = change_one(proc_fd, fd, &all);
		if (r >= 0)
			r = change_below(proc_fd, fd, &all);
	}
	if (r >= 0 && (c->set || c->clr))
		r = change_one(proc_fd, fd, c);
	if (r >= 0 && c->propagation)
		r = mount_old_change(proc_fd, fd,
				     c->propagation | (c->propagation_rec ? MS_REC : 0));
	return r;
}

unsigned long mount_attr_flags(uint64_t attrs)
{
	const struct mount_change c = {.set = attrs, .clr = MOUNT_ATTR__ATIME};

	return change_flags(0, &c);
}

bool mount_attr_needs_proc(void)
{
	return no_setattr;
}

int mount_attr_apply(int proc_fd, int fd, const struct mount_change *c)
{
	int r = mount_attr_change(fd, c);

	return r == -ENOSYS ? mount_attr_remount(proc_fd, fd, c) : r;
}

int mount_attr_get(int fd, uint64_t *ret)
{
	struct statfs st;
	uint64_t attrs = 0;
	int r;

	r = sys_fstatfs(fd, &st);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(attr_names); i++) {
		if ((unsigned long)st.f_flags & attr_names[i].st)
			attrs |= attr_names[i].attr;
	}
	*ret = attrs;
	return 0;
}

int mount_attr_verify(int fd, uint64_t attrs, struct crun_error *err)
{
	uint64_t got, missing;

	attrs &= MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC |
		 MOUNT_ATTR_NOSYMFOLLOW;
	if (!attrs)
		return 0;
	/* FUSE lets nobody but its owner ask; the kernel took the flags without an error. */
	if (mount_attr_get(fd, &got) < 0)
		return 0;
	missing = attrs & ~got;
	if (missing)
		return err_set(err, KIND_SYSTEM, EIO, "mount option `%s` did not take effect",
			       mount_attr_name(missing));
	return 0;
}

int mount_attr_verify_atime(int fd, uint64_t set, uint64_t clr, struct crun_error *err)
{
	static const struct {
		uint64_t mode;
		const char *name;
	} modes[] = {
		{MOUNT_ATTR_RELATIME, "relatime"},
		{MOUNT_ATTR_NOATIME, "noatime"},
		{MOUNT_ATTR_STRICTATIME, "strictatime"},
	};
	uint64_t wanted = set & MOUNT_ATTR__ATIME, got = MOUNT_ATTR_STRICTATIME;
	struct statfs st;

	if ((!(clr & MOUNT_ATTR__ATIME) && !(set & MOUNT_ATTR_NODIRATIME)) ||
	    sys_fstatfs(fd, &st) < 0)
		return 0;
	if (st.f_flags & ST_NOATIME_)
		got = MOUNT_ATTR_NOATIME;
	else if (st.f_flags & ST_RELATIME_)
		got = MOUNT_ATTR_RELATIME;
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		if ((clr & MOUNT_ATTR__ATIME) && modes[i].mode == wanted && wanted != got)
			return err_set(err, KIND_SYSTEM, EIO,
				       "mount option `%s` did not take effect", modes[i].name);
	}
	if ((set & MOUNT_ATTR_NODIRATIME) && !(st.f_flags & ST_NODIRATIME_))
		return err_set(err, KIND_SYSTEM, EIO,
			       "mount option `nodiratime` did not take effect");
	return 0;
}

const char *mount_attr_name(uint64_t attrs)
{
	for (size_t i = 0; i < ARRAY_LEN(attr_names); i++) {
		if (attrs & attr_names[i].attr)
			return attr_names[i].name;
	}
	if (attrs & MOUNT_ATTR__ATIME)
		return "atime";
	return (attrs & MOUNT_ATTR_NODIRATIME) ? "nodiratime" : "(none)";
}
