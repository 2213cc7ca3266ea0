// SPDX-License-Identifier: Apache-2.0
// Keeps the runtime's own binary out of a container's reach: see exe_shield.h.
#include "sys/exe_shield.h"

#include "base/cleanup.h"
#include "sys/anon.h"
#include "sys/file.h"
#include "sys/io.h"
#include "sys/mount.h"
#include "sys/process.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MEMFD_NAME "crun"
#define SEALS	   (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

#ifdef SANITIZERS
static const bool movable = false; /* they keep maps of their own */
#else
static const bool movable = true;
#endif

/* A range of pages of the program with one protection. */
struct part {
	uintptr_t start, end;
	int prot;
	bool pristine; /* the same bytes as in the file, at offset */
	off_t offset;
};

#define PARTS_MAX 16

struct image {
	struct part parts[PARTS_MAX];
	size_t n;
	uintptr_t page;
	bool too_many;
};

bool exe_is_shielded(void)
{
	_cleanup_close_ int fd = sys_openat(AT_FDCWD, "/proc/self/exe", O_RDONLY, 0);
	int seals;

	if (fd < 0)
		return false;
	seals = sys_get_seals(fd);
	return seals >= 0 && (seals & SEALS) == SEALS;
}

static void add_part(struct image *image, const struct part *part)
{
	if (part->start >= part->end)
		return;
	if (image->n == PARTS_MAX) {
		image->too_many = true;
		return;
	}
	image->parts[image->n++] = *part;
}

static int prot_of(uint32_t flags)
{
	return (flags & PF_R ? PROT_READ : 0) | (flags & PF_W ? PROT_WRITE : 0) |
	       (flags & PF_X ? PROT_EXEC : 0);
}

/* The program's own header, by the linker: only its pages are to be moved, and asking libc for them costs page faults. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

/* What is to be added to the addresses in the headers: the first segment begins with the program's header. */
static uintptr_t load_base(void)
{
	const ElfW(Phdr) *p =
		(const ElfW(Phdr) *)((const char *)&__ehdr_start + __ehdr_start.e_phoff);

	while (p->p_type != PT_LOAD)
		p++;
	return (uintptr_t)&__ehdr_start - p->p_vaddr + p->p_offset;
}

/*
 * The pages that the kernel or the dynamic loader mapped from the file: whole pages around the file part of each
 * segment (what follows is anonymous). Those that were relocated and then made read-only stay so; the loader rounds
 * both ends of that range down.
 */
static void collect(struct image *image)
{
	const ElfW(Phdr) *headers =
		(const ElfW(Phdr) *)((const char *)&__ehdr_start + __ehdr_start.e_phoff);
	uintptr_t mask = ~(image->page - 1), relro_start = 0, relro_end = 0, base = load_base();

	for (int i = 0; i < __ehdr_start.e_phnum; i++) {
		const ElfW(Phdr) *p = &headers[i];

		if (p->p_type != PT_GNU_RELRO)
			continue;
		relro_start = (base + p->p_vaddr) & mask;
		relro_end = (base + p->p_vaddr + p->p_memsz) & mask;
	}
	for (int i = 0; i < __ehdr_start.e_phnum; i++) {
		const ElfW(Phdr) *p = &headers[i];
		struct part part = {
			.start = (base + p->p_vaddr) & mask,
			.end = (base + p->p_vaddr + p->p_filesz + image->page - 1) & mask,
			.prot = prot_of(p->p_flags),
			.pristine = !(p->p_flags & PF_W),
			.offset = (off_t)(p->p_offset & mask),
		};

		if (p->p_type != PT_LOAD || p->p_filesz == 0)
			continue;
		if (relro_start >= part.start && relro_end <= part.end && relro_start < relro_end) {
			struct part before = part, relro = part;

			before.end = relro.start = relro_start;
			relro.end = part.start = relro_end;
			relro.prot &= ~PROT_WRITE;
			add_part(image, &before);
			add_part(image, &relro);
		}
		add_part(image, &part);
	}
}

static int copy_part(int fd, const struct part *part, off_t offset)
{
	size_t len = part->end - part->start;

	if (lseek(fd, offset, SEEK_SET) < 0)
		return -errno;
	for (size_t done = 0; done < len;) {
		/* The bare call: an address sanitizer takes the gaps between the variables of the image for overflows. */
		long n = syscall(SYS_write, fd, (const char *)part->start + done, len - done);

		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return 0;
}

static int map_part(const struct part *part, int fd, off_t offset)
{
	return mmap((void *)part->start, part->end - part->start, part->prot,
		    MAP_PRIVATE | MAP_FIXED, fd, offset) == MAP_FAILED
		       ? -errno
		       : 0;
}

/*
 * Puts other pages with the same content in the place of the original ones, this function's own code among them: the
 * kernel replaces a mapping within one call, and what it returns to is the same instructions. Nothing may change the
 * program's data between the copy and the replacement, hence no signal handler and no variable outside the stack.
 *
 * The copy begins with an empty page: what /proc/self/exe shows must not be a program.
 */
static int move_to(int fd, int twin, const struct image *image)
{
	off_t offset = (off_t)image->page;
	int r;

	for (size_t i = 0; i < image->n; i++) {
		const struct part *p = &image->parts[i];

		/* Refused on a noexec mount. */
		if (twin >= 0 && p->pristine && map_part(p, twin, p->offset) == 0)
			continue;
		r = copy_part(fd, p, offset);
		if (r < 0)
			return r;
		r = map_part(p, fd, offset);
		if (r < 0)
			return r;
		offset += (off_t)(p->end - p->start);
	}
	return 0;
}

static bool same_file_elsewhere(const struct statx *a, const struct statx *b)
{
	return a->stx_dev_major == b->stx_dev_major && a->stx_dev_minor == b->stx_dev_minor &&
	       a->stx_ino == b->stx_ino && (a->stx_mask & b->stx_mask & STATX_MNT_ID) &&
	       a->stx_mnt_id != b->stx_mnt_id;
}

/* Opens FD's file again, read-only: the kernel takes no file for an executable that somebody may write to. */
static int reopen_read_only(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return sys_openat(AT_FDCWD, path, O_RDONLY, 0);
}

/* FD if it is the file that we execute, through another mount; else FD_NONE, and FD is closed. */
static int twin_or_none(int fd)
{
	struct statx old, twin;

	if (fd >= 0 && statx(AT_FDCWD, "/proc/self/exe", 0, STATX_INO | STATX_MNT_ID, &old) == 0 &&
	    statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &twin) == 0 &&
	    same_file_elsewhere(&old, &twin))
		return fd;
	close_fd(&fd);
	return FD_NONE;
}

/*
 * Our binary through another mount than the one that it was executed from, or FD_NONE. In a mount namespace that was
 * made since, every path leads to one; in the old one a copy of the mount does, which nobody else sees, and which ends with the
 * mappings. *RET_TREE is that copy, which is no longer needed. The kernel counts a mapping as one of the old executable by its mount and name,
 * so these may stay, and no page of code needs to be copied: that is most of the cost.
 */
static int open_twin(int *ret_tree)
{
	_cleanup_close_ int tree = FD_NONE;
	char path[4096];
	int fd;

	if (sys_readlinkat(AT_FDCWD, "/proc/self/exe", path, sizeof(path)) < 0)
		return FD_NONE;
	fd = twin_or_none(sys_openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0));
	if (fd >= 0)
		return fd;
	/* Read-only: the mappings are a way to the file for whoever may use /proc/PID/map_files. */
	tree = sys_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE);
	if (tree < 0 || sys_mount_setattr(tree, false, MOUNT_ATTR_RDONLY, 0, 0) < 0)
		return FD_NONE;
	fd = twin_or_none(reopen_read_only(tree));
	*ret_tree = take_fd(&tree);
	return fd;
}

/* Only a sealed file in memory is safe from whom it is to protect us against: there is no way round. */
static int no_memfd(int r, struct crun_error *err)
{
	if (r != -ENOSYS)
		return err_sys(err, r, "make a file in memory for our own code");
	return err_set(err, KIND_SYSTEM, ENOSYS,
		       "our own binary cannot be protected from the container: memfd_create (Linux "
		       "3.17) is hidden, allow it in the seccomp profile that we run under");
}

static int prepare(int *ret_tree, struct crun_error *err)
{
	struct image image = {.page = (uintptr_t)sysconf(_SC_PAGESIZE)};
	_cleanup_close_ int twin = FD_NONE;
	_cleanup_close_ int fd = sys_memfd_create(MEMFD_NAME, MFD_ALLOW_SEALING | MFD_EXEC);
	sigset_t all, saved;
	int ro, r;

	if (!movable)
		return err_set(err, KIND_UNSUPPORTED, EOPNOTSUPP,
			       "a build with sanitizers cannot be moved in memory");
	if (fd < 0)
		return no_memfd(fd, err);
	collect(&image);
	if (image.too_many || image.n == 0)
		return err_set(err, KIND_UNSUPPORTED, EOPNOTSUPP,
			       "our own program has a layout that cannot be moved in memory");
	twin = open_twin(ret_tree);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &saved);
	r = move_to(fd, twin, &image);
	sigprocmask(SIG_SETMASK, &saved, NULL);
	if (r < 0)
		return err_sys(err, r, "move our own code to memory");
	r = sys_add_seals(fd, SEALS);
	if (r < 0)
		return err_sys(err, r, "seal the copy of our own code");
	ro = reopen_read_only(fd);
	return ro < 0 ? err_sys(err, ro, "open the copy of our own code") : ro;
}

int exe_shield_prepare(struct crun_error *err)
{
	_cleanup_close_ int tree = FD_NONE;

	return prepare(&tree, err);
}

/* Reads the addresses that PR_SET_MM_MAP wants all at once; they stay what they are. proc_pid_stat(5) has the numbers. */
static int current_map(struct prctl_mm_map *map)
{
	const struct {
		int field;
		__u64 *value;
	} wanted[] = {
		{26, &map->start_code}, {27, &map->end_code}, {28, &map->start_stack},
		{45, &map->start_data}, {46, &map->end_data}, {47, &map->start_brk},
		{48, &map->arg_start},	{49, &map->arg_end},  {50, &map->env_start},
		{51, &map->env_end},
	};
	char stat[2048], *p;
	size_t found = 0;
	int r;

	memset(map, 0, sizeof(*map));
	r = io_read_file_at(AT_FDCWD, "/proc/self/stat", stat, sizeof(stat));
	if (r < 0)
		return r;
	/* The second field, the name, may contain anything. */
	p = strrchr(stat, ')');
	for (int field = 2; p && *p && found < ARRAY_LEN(wanted); field++) {
		if (field == wanted[found].field)
			*wanted[found++].value = strtoull(p, NULL, 10);
		p = strchr(p, ' ');
		if (p)
			p++;
	}
	map->brk = (__u64)syscall(SYS_brk, 0);
	return found == ARRAY_LEN(wanted) ? 0 : -EPROTO;
}

static int set_exe(int fd)
{
	struct prctl_mm_map map;
	int r;

	/* Needs CAP_SYS_RESOURCE over the whole host. */
	if (prctl(PR_SET_MM, PR_SET_MM_EXE_FILE, fd, 0, 0) == 0)
		return 0;
	if (errno != EPERM)
		return -errno;
	/* Needs CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN in our user namespace, and CONFIG_CHECKPOINT_RESTORE. */
	r = current_map(&map);
	if (r < 0)
		return r;
	map.exe_fd = (__u32)fd;
	return prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0) < 0 ? -errno : 0;
}

int exe_shield_apply(int fd, struct crun_error *err)
{
	int r = set_exe(fd);

	if (r < 0) {
		err_sys(err, r, "make /proc/self/exe a file in memory");
		return r == -EINVAL || r == -EPERM ? err_kind(err, KIND_UNSUPPORTED) : r;
	}
	/* Only the owner can undo this, and even then there is no program in it that could be executed. */
	sys_fchmod(fd, 0400);
	return 0;
}

int exe_shield(int *ret_fd, struct crun_error *err)
{
	_cleanup_close_ int tree = FD_NONE;
	_cleanup_close_ int fd = prepare(&tree, err);
	int r = fd < 0 ? fd : exe_shield_apply(fd, err);

	if (r >= 0 && ret_fd)
		*ret_fd = take_fd(&tree);
	return r;
}

/* A sealed copy of the file FD, open read-only. */
static int sealed_copy(int fd, struct crun_error *err)
{
	_cleanup_close_ int copy = sys_memfd_create(MEMFD_NAME, MFD_ALLOW_SEALING | MFD_EXEC);
	ssize_t n;
	int r;

	if (copy < 0)
		return no_memfd(copy, err);
	do
		n = sendfile(copy, fd, NULL, 1 << 30);
	while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0)
		return err_sys(err, -errno, "copy our own binary");
	r = sys_add_seals(copy, SEALS | F_SEAL_EXEC);
	/* Before 6.3 there is no F_SEAL_EXEC: the mode of the copy may change, its content not. */
	if (r == -EINVAL)
		r = sys_add_seals(copy, SEALS);
	if (r < 0)
		return err_sys(err, r, "seal the copy of our own binary");
	r = reopen_read_only(copy);
	return r < 0 ? err_sys(err, r, "open the copy of our own binary") : r;
}

int exe_shield_reexec(char *const argv[], struct crun_error *err)
{
	_cleanup_close_ int fd = FD_NONE, copy = FD_NONE;
	int r;

	if (exe_is_shielded()) {
		/* Executing a descriptor made its number our name in process lists. */
		prctl(PR_SET_NAME, program_invocation_short_name, 0, 0, 0);
		return 0;
	}
	fd = sys_openat(AT_FDCWD, "/proc/self/exe", O_RDONLY, 0);
	if (fd < 0)
		return err_sys(err, fd, "open our own binary");
	copy = sealed_copy(fd, err);
	if (copy < 0)
		return copy;
	r = sys_execveat(copy, "", argv, environ, AT_EMPTY_PATH);
	return err_sys(err, r, "execute the copy of our own binary");
}

bool exe_shield_is_supported(void)
{
	static int supported = -1;
	unsigned size = 0;

	/* Answered without any privilege, and only by kernels that know the call that matters (CONFIG_CHECKPOINT_RESTORE). */
	if (supported < 0)
		supported = movable && prctl(PR_SET_MM, PR_SET_MM_MAP_SIZE, &size, 0, 0) == 0;
	return supported;
}

bool exe_shield_is_needed(bool (*is_mapped)(uid_t uid, void *data), void *data)
{
	struct stat st;

	if (!is_mapped || stat("/proc/self/exe", &st) < 0)
		return true;
	/* The group's bits are also the limit of what an access control list grants (acl(5)). */
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return true;
	return is_mapped(st.st_uid, data);
}
