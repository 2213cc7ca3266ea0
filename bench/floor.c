// SPDX-License-Identifier: Apache-2.0
// The floor: the bare system calls that a conforming run of the reference bundle needs, with the
// bundle's content compiled in. It is no runtime: it parses nothing and knows one container.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define CGROUP_ROOT	"/sys/fs/cgroup"
#define NOTHING_ALLOWED (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)
#define LENGTH(a)	(sizeof(a) / sizeof((a)[0]))

enum { MAX_HIERARCHIES = 24 };

/* <sys/mount.h> and <linux/mount.h> cannot be included together on every glibc. */
enum { UMOUNT_DETACH = 2, PROPAGATION_PRIVATE = 1 << 18 };

/* A cgroup of ours in one hierarchy: the only one on v2, one of many on v1 and hybrid hosts. */
struct hierarchy {
	char name[64];	/* directory below CGROUP_ROOT; "" on v2 */
	char path[256]; /* our directory in it */
	int procs_fd;
};

struct floor {
	const char *root;
	const char *bundle;
	const char *id;
	char rootfs[512];
	char record_dir[512];
	char record[640];
	struct hierarchy cg[MAX_HIERARCHIES];
	int n_cg;
	int is_v2;
	int into_fd; /* the cgroup2 directory that clone3 puts the child into, or -1 */
	int sock[2];
};

static long must(long r, const char *what)
{
	if (r < 0) {
		fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
		exit(1);
	}
	return r;
}

static void must_write(int fd, const char *text, const char *what)
{
	must(write(fd, text, strlen(text)), what);
}

/* Write a small file of a cgroup that we made. */
static void put(const char *dir, const char *file, const char *text)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = must(open(path, O_WRONLY | O_CLOEXEC), path);
	must_write(fd, text, path);
	close(fd);
}

/* --- host side: what the configuration costs to read, the record, the cgroup --- */

static void read_config(const struct floor *f)
{
	static char text[64 * 1024];
	char path[640];
	int fd;

	snprintf(path, sizeof(path), "%s/config.json", f->bundle);
	fd = must(open(path, O_RDONLY | O_CLOEXEC), path);
	must(read(fd, text, sizeof(text)), path);
	close(fd);
}

static void write_record(struct floor *f, long pid)
{
	char text[1024];
	int fd;

	snprintf(text, sizeof(text),
		 "{\"ociVersion\":\"1.2.0\",\"id\":\"%s\",\"status\":\"created\",\"pid\":%ld,"
		 "\"bundle\":\"%s\",\"cgroup\":\"%s\"}\n",
		 f->id, pid, f->bundle, f->cg[0].path);
	fd = must(open(f->record, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), f->record);
	must_write(fd, text, f->record);
	close(fd);
}

static void add_hierarchy(struct floor *f, const char *name)
{
	struct hierarchy *h = &f->cg[f->n_cg++];

	snprintf(h->name, sizeof(h->name), "%s", name);
	snprintf(h->path, sizeof(h->path), CGROUP_ROOT "/%s%s%s", name, *name ? "/" : "", f->id);
}

/* /proc/self/cgroup names every mounted hierarchy: N:CONTROLLERS:PATH. */
static void find_hierarchies(struct floor *f)
{
	char text[4096], *line, *save, *name, *end;
	struct statfs fs;
	long n;
	int fd;

	must(statfs(CGROUP_ROOT, &fs), CGROUP_ROOT);
	f->is_v2 = fs.f_type == CGROUP2_SUPER_MAGIC;
	if (f->is_v2) {
		add_hierarchy(f, "");
		return;
	}
	fd = must(open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC), "/proc/self/cgroup");
	n = must(read(fd, text, sizeof(text) - 1), "/proc/self/cgroup");
	close(fd);
	text[n] = '\0';
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		name = strchr(line, ':');
		end = name ? strchr(name + 1, ':') : NULL;
		if (!end || f->n_cg == MAX_HIERARCHIES)
			continue;
		*end = '\0';
		name++;
		if (!*name)
			name = "unified";
		else if (!strncmp(name, "name=", 5))
			name += 5;
		add_hierarchy(f, name);
	}
}

/* A v1 cpuset accepts no process before it has CPUs and memory nodes. */
static void fill_cpuset(const struct hierarchy *h)
{
	static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};
	char path[512], text[4096];
	long n;
	int fd;

	for (size_t i = 0; i < LENGTH(files); i++) {
		snprintf(path, sizeof(path), CGROUP_ROOT "/%s/%s", h->name, files[i]);
		fd = must(open(path, O_RDONLY | O_CLOEXEC), path);
		n = must(read(fd, text, sizeof(text) - 1), path);
		close(fd);
		text[n] = '\0';
		put(h->path, files[i], text);
	}
}

/* The default devices, in the words of the v1 controller; the program below says the same. */
static void filter_devices_v1(const struct hierarchy *h)
{
	static const char *const allowed[] = {
		"c *:* m",   "b *:* m",	  "c 1:3 rwm", "c 1:5 rwm",   "c 1:7 rwm",
		"c 1:8 rwm", "c 1:9 rwm", "c 5:0 rwm", "c 136:* rwm", "c 5:2 rwm",
	};
	char path[512];
	int fd;

	put(h->path, "devices.deny", "a");
	snprintf(path, sizeof(path), "%s/devices.allow", h->path);
	fd = must(open(path, O_WRONLY | O_CLOEXEC), path);
	for (size_t i = 0; i < LENGTH(allowed); i++)
		must_write(fd, allowed[i], path);
	close(fd);
}

#define INSN(c, d, s, o, i)                                                         \
	{                                                                           \
		.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) \
	}
#define LOAD(d, o)	  INSN(BPF_LDX | BPF_MEM | BPF_W, d, BPF_REG_1, o, 0)
#define ALU(op, d, i)	  INSN(BPF_ALU64 | (op) | BPF_K, d, 0, 0, i)
#define JUMP(op, d, i, o) INSN(BPF_JMP | (op) | BPF_K, d, 0, o, i)
#define EXIT		  INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

static void filter_devices_v2(int cgroup_fd)
{
	/* r2 access << 16 | type, r3 access, r4 major, r5 minor */
	static const struct bpf_insn program[] = {
		LOAD(BPF_REG_2, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_3, BPF_REG_2, 0, 0),
		ALU(BPF_RSH, BPF_REG_3, 16),
		ALU(BPF_AND, BPF_REG_2, 0xffff),
		LOAD(BPF_REG_4, 4),
		LOAD(BPF_REG_5, 8),
		JUMP(BPF_JEQ, BPF_REG_3, BPF_DEVCG_ACC_MKNOD, 14),
		JUMP(BPF_JNE, BPF_REG_2, BPF_DEVCG_DEV_CHAR, 11),
		JUMP(BPF_JEQ, BPF_REG_4, 136, 12),
		JUMP(BPF_JEQ, BPF_REG_4, 5, 7),
		JUMP(BPF_JNE, BPF_REG_4, 1, 8),
		JUMP(BPF_JEQ, BPF_REG_5, 3, 9),
		JUMP(BPF_JEQ, BPF_REG_5, 5, 8),
		JUMP(BPF_JEQ, BPF_REG_5, 7, 7),
		JUMP(BPF_JEQ, BPF_REG_5, 8, 6),
		JUMP(BPF_JEQ, BPF_REG_5, 9, 5),
		JUMP(BPF_JA, 0, 0, 2),
		JUMP(BPF_JEQ, BPF_REG_5, 0, 3),
		JUMP(BPF_JEQ, BPF_REG_5, 2, 2),
		ALU(BPF_MOV, BPF_REG_0, 0), /* deny */
		EXIT,
		ALU(BPF_MOV, BPF_REG_0, 1), /* allow */
		EXIT,
	};
	union bpf_attr load = {
		.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
		.insns = (unsigned long)program,
		.insn_cnt = LENGTH(program),
		.license = (unsigned long)"Apache-2.0",
	};
	union bpf_attr attach = {
		.target_fd = cgroup_fd,
		.attach_type = BPF_CGROUP_DEVICE,
		.attach_flags = BPF_F_ALLOW_MULTI,
	};

	attach.attach_bpf_fd =
		must(syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load)), "bpf load");
	must(syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof(attach)), "bpf attach");
	close(attach.attach_bpf_fd);
}

static void make_cgroups(struct floor *f)
{
	char path[512];

	f->into_fd = -1;
	for (int i = 0; i < f->n_cg; i++) {
		struct hierarchy *h = &f->cg[i];

		must(mkdir(h->path, 0755), h->path);
		if (f->is_v2 || !strcmp(h->name, "unified")) {
			f->into_fd =
				must(open(h->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), h->path);
			h->procs_fd = -1;
			continue;
		}
		if (strstr(h->name, "cpuset"))
			fill_cpuset(h);
		if (!strcmp(h->name, "devices"))
			filter_devices_v1(h);
		snprintf(path, sizeof(path), "%s/cgroup.procs", h->path);
		h->procs_fd = must(open(path, O_WRONLY | O_CLOEXEC), path);
	}
	if (f->is_v2)
		filter_devices_v2(f->into_fd);
}

static void join_v1(const struct floor *f, long pid)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", pid);
	for (int i = 0; i < f->n_cg; i++)
		if (f->cg[i].procs_fd >= 0)
			must_write(f->cg[i].procs_fd, text, f->cg[i].path);
}

static void remove_everything(const struct floor *f)
{
	unlink(f->record);
	rmdir(f->record_dir);
	for (int i = 0; i < f->n_cg; i++)
		for (int tries = 0; rmdir(f->cg[i].path) < 0 && errno == EBUSY; tries++) {
			if (tries == 10000)
				must(-1, f->cg[i].path);
			sched_yield();
		}
}

/* --- container side --- */

static int new_mount(const char *type, const char *source, unsigned int attr,
		     const char *const *options)
{
	int fs = must(syscall(SYS_fsopen, type, FSOPEN_CLOEXEC), type);

	must(syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "source", source, 0), type);
	for (; options && *options; options += 2)
		must(syscall(SYS_fsconfig, fs, options[1] ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG,
			     options[0], options[1], 0),
		     options[0]);
	must(syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0), type);
	return must(syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attr), type);
}

/* Below the container's root, wherever its links may point. Not there: -1. */
static int in_root(int root, const char *path)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
	long fd = syscall(SYS_openat2, root, path, &how, sizeof(how));

	if (fd < 0 && errno == ENOENT)
		return -1;
	return must(fd, path);
}

static void attach(int mount_fd, int target)
{
	must(syscall(SYS_move_mount, mount_fd, "", target, "",
		     MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH),
	     "move_mount");
}

static int clone_tree(int dir, const char *path)
{
	return must(syscall(SYS_open_tree, dir, path,
			    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE),
		    "open_tree");
}

static void set_attr(int dir, const char *path, unsigned int flags, unsigned int attr,
		     unsigned int propagation)
{
	struct mount_attr change = {.attr_set = attr, .propagation = propagation};

	must(syscall(SYS_mount_setattr, dir, path, flags | AT_EMPTY_PATH, &change, sizeof(change)),
	     "mount_setattr");
}

static void bring_lo_up(void)
{
	struct {
		struct nlmsghdr head;
		struct ifinfomsg info;
	} ask = {
		.head = {.nlmsg_len = sizeof(ask),
			 .nlmsg_type = RTM_NEWLINK,
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
		.info = {.ifi_index = 1, .ifi_flags = IFF_UP, .ifi_change = IFF_UP},
	};
	struct {
		struct nlmsghdr head;
		struct nlmsgerr err;
		char rest[256];
	} answer = {0};
	int fd = must(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), "netlink");

	must(send(fd, &ask, sizeof(ask), 0), "netlink send");
	must(recv(fd, &answer, sizeof(answer), 0), "netlink recv");
	errno = -answer.err.error;
	must(answer.err.error, "lo up");
	close(fd);
}

static void make_devices(int dev)
{
	static const struct {
		const char *name;
		int major, minor;
	} nodes[] = {{"null", 1, 3},   {"zero", 1, 5},	  {"full", 1, 7},
		     {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}};
	static const char *const links[][2] = {{"/proc/self/fd", "fd"},
					       {"/proc/self/fd/0", "stdin"},
					       {"/proc/self/fd/1", "stdout"},
					       {"/proc/self/fd/2", "stderr"},
					       {"pts/ptmx", "ptmx"}};

	for (size_t i = 0; i < LENGTH(nodes); i++)
		must(mknodat(dev, nodes[i].name, S_IFCHR | 0666,
			     makedev(nodes[i].major, nodes[i].minor)),
		     nodes[i].name);
	for (size_t i = 0; i < LENGTH(links); i++)
		must(symlinkat(links[i][0], dev, links[i][1]), links[i][1]);
}

static void mount_cgroup(const struct floor *f, int root)
{
	int fd, tree;

	if (f->is_v2) {
		fd = new_mount("cgroup2", "cgroup", NOTHING_ALLOWED | MOUNT_ATTR_RDONLY, NULL);
		attach(fd, in_root(root, "sys/fs/cgroup"));
		return;
	}
	fd = new_mount("tmpfs", "tmpfs", NOTHING_ALLOWED, NULL);
	attach(fd, in_root(root, "sys/fs/cgroup"));
	for (int i = 0; i < f->n_cg; i++) {
		must(mkdirat(fd, f->cg[i].name, 0755), f->cg[i].name);
		tree = clone_tree(AT_FDCWD, f->cg[i].path);
		set_attr(tree, "", 0, NOTHING_ALLOWED | MOUNT_ATTR_RDONLY, 0);
		attach(tree, in_root(fd, f->cg[i].name));
	}
	set_attr(fd, "", 0, MOUNT_ATTR_RDONLY, 0);
}

/* Returns the file descriptor of /dev, which the masks clone /dev/null from. */
static int make_mounts(const struct floor *f, int root)
{
	static const char *const dev_opts[] = {"mode", "755", "size", "65536k", NULL};
	static const char *const shm_opts[] = {"mode", "1777", "size", "65536k", NULL};
	static const char *const pts_opts[] = {"newinstance", NULL,  "ptmxmode", "0666", "mode",
					       "0620",	      "gid", "5",	 NULL};
	int dev;

	attach(new_mount("proc", "proc", 0, NULL), in_root(root, "proc"));
	dev = new_mount("tmpfs", "tmpfs", MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME, dev_opts);
	attach(dev, in_root(root, "dev"));
	must(mkdirat(dev, "pts", 0755), "pts");
	must(mkdirat(dev, "shm", 0755), "shm");
	must(mkdirat(dev, "mqueue", 0755), "mqueue");
	attach(new_mount("devpts", "devpts", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, pts_opts),
	       in_root(dev, "pts"));
	attach(new_mount("tmpfs", "shm", NOTHING_ALLOWED, shm_opts), in_root(dev, "shm"));
	attach(new_mount("mqueue", "mqueue", NOTHING_ALLOWED, NULL), in_root(dev, "mqueue"));
	attach(new_mount("sysfs", "sysfs", NOTHING_ALLOWED | MOUNT_ATTR_RDONLY, NULL),
	       in_root(root, "sys"));
	mount_cgroup(f, root);
	make_devices(dev);
	return dev;
}

static void mask_paths(int root, int dev)
{
	static const char *const paths[] = {
		"proc/acpi",	      "proc/asound",	 "proc/kcore",	     "proc/keys",
		"proc/latency_stats", "proc/timer_list", "proc/timer_stats", "proc/sched_debug",
		"sys/firmware",	      "proc/scsi"};
	struct stat st;
	int target, empty = -1;

	for (size_t i = 0; i < LENGTH(paths); i++) {
		target = in_root(root, paths[i]);
		if (target < 0)
			continue;
		must(fstat(target, &st), paths[i]);
		if (!S_ISDIR(st.st_mode)) {
			attach(clone_tree(dev, "null"), target);
		} else if (empty < 0) {
			/* Once attached, this one serves as the source of all further masks. */
			empty = new_mount("tmpfs", "tmpfs", MOUNT_ATTR_RDONLY, NULL);
			attach(empty, target);
		} else {
			attach(clone_tree(empty, ""), target);
		}
	}
}

static void protect_paths(int root)
{
	static const char *const paths[] = {"proc/bus", "proc/fs", "proc/irq", "proc/sys",
					    "proc/sysrq-trigger"};
	int target, tree;

	for (size_t i = 0; i < LENGTH(paths); i++) {
		target = in_root(root, paths[i]);
		if (target < 0)
			continue;
		tree = clone_tree(target, "");
		set_attr(tree, "", AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0);
		attach(tree, target);
	}
}

static void limit_power(void)
{
	static const unsigned char kept[] = {CAP_KILL, CAP_NET_BIND_SERVICE, CAP_AUDIT_WRITE};
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};
	const struct rlimit files = {1024, 1024};
	unsigned int mask = 0;

	for (size_t i = 0; i < LENGTH(kept); i++)
		mask |= 1U << kept[i];
	data[0].effective = data[0].permitted = mask;
	must(setrlimit(RLIMIT_NOFILE, &files), "setrlimit");
	must(syscall(SYS_setgroups, 0, NULL), "setgroups");
	for (int cap = 0; cap < 64; cap++) {
		if (cap < 32 && mask & 1U << cap)
			continue;
		/* EINVAL: past the last capability that this kernel knows. */
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			break;
	}
	must(syscall(SYS_capset, &head, data), "capset");
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
}

static void __attribute__((noreturn)) child(const struct floor *f)
{
	static char *const argv[] = {"/bin/true", NULL};
	static char *const envp[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm",
		"HOME=/root", NULL};
	char go;
	int root, dev;

	must(setsid(), "setsid");
	must(syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, f->id), "session keyring");
	umask(0);
	bring_lo_up();
	set_attr(AT_FDCWD, "/", AT_RECURSIVE, 0, PROPAGATION_PRIVATE);
	root = clone_tree(AT_FDCWD, f->rootfs);
	must(syscall(SYS_move_mount, root, "", AT_FDCWD, f->rootfs, MOVE_MOUNT_F_EMPTY_PATH),
	     f->rootfs);
	dev = make_mounts(f, root);
	mask_paths(root, dev);
	protect_paths(root);
	set_attr(root, "", 0, MOUNT_ATTR_RDONLY, 0);
	must(fchdir(root), "fchdir");
	must(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	must(syscall(SYS_umount2, ".", UMOUNT_DETACH), "umount2");
	must(chdir("/"), "chdir");
	must(sethostname("bench", 5), "sethostname");
	/* On v1 the parent moves us into our cgroups meanwhile. */
	if (!f->is_v2)
		must(recv(f->sock[1], &go, 1, 0), "recv");
	limit_power();
	umask(022);
	must(syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC), "close_range");
	must(send(f->sock[1], "R", 1, MSG_NOSIGNAL), "send");
	execve(argv[0], argv, envp);
	must(-1, argv[0]);
	_exit(1);
}

static int run(struct floor *f)
{
	struct clone_args args = {
		.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET,
		.exit_signal = SIGCHLD,
	};
	char ready = 0;
	int status;
	long pid;

	read_config(f);
	must(mkdir(f->record_dir, 0700), f->record_dir);
	find_hierarchies(f);
	make_cgroups(f);
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, f->sock), "socketpair");
	if (f->is_v2)
		args.flags |= CLONE_NEWCGROUP;
	if (f->into_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = f->into_fd;
	}
	pid = must(syscall(SYS_clone3, &args, sizeof(args)), "clone3");
	if (pid == 0)
		child(f);
	close(f->sock[1]);
	write_record(f, pid);
	if (!f->is_v2) {
		join_v1(f, pid);
		must(send(f->sock[0], "G", 1, MSG_NOSIGNAL), "send");
	}
	must(recv(f->sock[0], &ready, 1, 0), "recv");
	must(waitpid(pid, &status, 0), "waitpid");
	remove_everything(f);
	return ready == 'R' && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
	static struct floor f;

	if (argc == 2 && !strcmp(argv[1], "--version")) {
		puts("floor 1");
		return 0;
	}
	if (argc != 7 || strcmp(argv[1], "--root") || strcmp(argv[3], "run") ||
	    strcmp(argv[4], "--bundle")) {
		fputs("usage: floor --version | floor --root DIR run --bundle DIR ID\n", stderr);
		return 2;
	}
	f.root = argv[2];
	f.bundle = argv[5];
	f.id = argv[6];
	snprintf(f.rootfs, sizeof(f.rootfs), "%s/rootfs", f.bundle);
	snprintf(f.record_dir, sizeof(f.record_dir), "%s/%s", f.root, f.id);
	snprintf(f.record, sizeof(f.record), "%s/state.json", f.record_dir);
	return run(&f);
}
