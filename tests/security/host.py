# SPDX-License-Identifier: Apache-2.0
"""The canary host: the throw-away "machine" that each case gets, and what is compared on it.

A case runs in its own mount, pid, ipc and uts namespaces, whose root is a tmpfs: the programs of the
real machine are bound into it read-only, everything else is made here, and every inode of it is
watched.  So a runtime that is led out of an image damages this tree, which is then seen, and not the
machine.  It ends, with all processes and mounts, when the first process of the pid namespace does.
"""

import ctypes
import errno
import hashlib
import os
import shutil
import signal
import stat
import time

LIBC = ctypes.CDLL(None, use_errno=True)
NEWNS, NEWUTS, NEWIPC, NEWPID = 0x20000, 0x4000000, 0x8000000, 0x20000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND = 1, 2, 4, 8, 32, 4096
MS_REC, MS_PRIVATE, MS_SLAVE, MS_SHARED = 0x4000, 1 << 18, 1 << 19, 1 << 20
MNT_DETACH, PR_SET_PDEATHSIG = 2, 1
TOKEN = "HOST-CANARY-4f1d"      # the text of every watched file; the probe looks for it
PROGRAMS = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "nix", "gnu")
NODES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9),
         "tty": (5, 0)}
# What the dynamic linker, the name service and newuidmap read.
ETC = ("ld.so.cache", "ld.so.conf", "ld.so.preload", "nsswitch.conf", "login.defs", "localtime")
WORK = "/w"
SCRATCH = ("/tmp", "/run", "/var/tmp", "/dev/shm")
SUBIDS = (100000, 65536)
USER = 64321


def check(result, what):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(source, target, fstype=None, flags=0, data=None):
    words = [None if x is None else os.fsencode(x) for x in (source, target, fstype, data)]
    check(LIBC.mount(words[0], words[1], words[2], flags, words[3]), f"mount {source} on {target}")


def umount(target):
    check(LIBC.umount2(os.fsencode(target), MNT_DETACH), f"umount {target}")


def write(path, text, mode=0o644):
    with open(path, "wb") as out:
        out.write(text if isinstance(text, bytes) else text.encode())
    os.chmod(path, mode)


def read(path):
    with open(path, encoding="utf-8", errors="surrogateescape") as source:
        return source.read()


def bind_readonly(source, target):
    mount(source, target, None, MS_BIND | MS_REC)
    kept = 0
    flags = os.statvfs(target).f_flag
    for have, want in ((os.ST_NOSUID, MS_NOSUID), (os.ST_NODEV, MS_NODEV),
                       (os.ST_NOEXEC, MS_NOEXEC)):
        kept |= want if flags & have else 0
    mount(None, target, None, MS_BIND | MS_REMOUNT | MS_RDONLY | kept)


def bind_programs(root, more):
    for name in PROGRAMS:
        source, target = "/" + name, os.path.join(root, name)
        if os.path.islink(source):
            os.symlink(os.readlink(source), target)
        elif os.path.isdir(source):
            os.mkdir(target)
            bind_readonly(source, target)
    for source in more:
        os.makedirs(root + source, exist_ok=True)
        bind_readonly(source, root + source)


def make_dev(dev):
    for name, number in NODES.items():
        os.mknod(f"{dev}/{name}", stat.S_IFCHR | 0o666, os.makedev(*number))
        os.chmod(f"{dev}/{name}", 0o666)
    for name in ("fuse", "net"):
        if os.path.exists("/dev/" + name):
            os.symlink("/nowhere", f"{dev}/{name}")
    for name in ("pts", "shm", "mqueue"):
        os.mkdir(f"{dev}/{name}")
    mount("devpts", f"{dev}/pts", "devpts", MS_NOSUID | MS_NOEXEC,
          "newinstance,ptmxmode=0666,mode=0620,gid=5")
    mount("tmpfs", f"{dev}/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
    mount("mqueue", f"{dev}/mqueue", "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    os.symlink("pts/ptmx", f"{dev}/ptmx")
    for n, name in enumerate(("stdin", "stdout", "stderr")):
        os.symlink(f"/proc/self/fd/{n}", f"{dev}/{name}")
    os.symlink("/proc/self/fd", f"{dev}/fd")


def make_canaries(root):
    """Victims: names that a runtime looks for or creates are there, and others are missing."""
    text = TOKEN + "\n"
    for name in ("canary/dir/pts", "canary/dir/shm", "canary/dir/fs", "canary/empty", "etc/cron.d",
                 "root/.ssh", "home", "opt", "srv", "mnt", "var/lib", "run/lock"):
        os.makedirs(os.path.join(root, name))
    for name in ("file", "dir/file", "dir/null", "dir/console", "dir/ptmx", "dir/passwd", "dir/tty",
                 "dir/mtab", "dir/zero", "host-canary"):
        write(f"{root}/canary/{name}", text)
    write(f"{root}/host-canary", text)
    os.chown(f"{root}/canary/file", 1234, 1234)
    write(f"{root}/canary/program", "#!/bin/sh\necho escaped: " + text, 0o755)
    write(f"{root}/canary/secret", text, 0o600)
    write(f"{root}/etc/cron.d/job", text)
    write(f"{root}/etc/shadow", text, 0o600)
    write(f"{root}/root/.ssh/authorized_keys", text, 0o600)
    write(f"{root}/run/secret", text)
    # With a user namespace, a runtime binds the host's node of the same path.
    os.mknod(f"{root}/device", stat.S_IFCHR | 0o666, os.makedev(1, 7))
    for name in ("canary/file", "canary/dir"):
        try:
            os.setxattr(f"{root}/{name}", "trusted.canary", b"canary")
        except OSError:
            pass


def make_etc(root):
    os.makedirs(f"{root}/etc", exist_ok=True)
    for name in ETC:
        if os.path.exists("/etc/" + name):
            shutil.copy("/etc/" + name, f"{root}/etc/{name}")
    for name in ("ld.so.conf.d", "apparmor.d", "selinux", "crypto-policies"):
        if os.path.isdir("/etc/" + name):
            shutil.copytree("/etc/" + name, f"{root}/etc/{name}", symlinks=True)
    canary = f"canary:x:4242:4242:{TOKEN}:/root:/bin/sh\n"
    write(f"{root}/etc/passwd", "root:x:0:0::/root:/bin/sh\n"
          f"attack:x:{USER}:{USER}::/tmp:/bin/sh\n" + canary)
    write(f"{root}/etc/group", f"root:x:0:\nattack:x:{USER}:\ntty:x:5:\ncanary:x:4242:\n")
    for name in ("subuid", "subgid"):
        write(f"{root}/etc/{name}", f"attack:{SUBIDS[0]}:{SUBIDS[1]}\n")


def enter(world_dir, runtime, more):
    """Build the canary host and make it our root; the path of the runtime in it."""
    root = os.path.join(world_dir, "root")
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    mount("tmpfs", root, "tmpfs", 0, "mode=0755")
    bind_programs(root, more)
    make_etc(root)
    make_canaries(root)
    for name in ("dev", "proc", "sys", "w"):
        os.mkdir(f"{root}/{name}")
    os.mkdir(f"{root}/tmp")
    os.chmod(f"{root}/tmp", 0o1777)
    make_dev(f"{root}/dev")
    mount("proc", f"{root}/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    mount("/sys", f"{root}/sys", None, MS_BIND | MS_REC)
    mount("tmpfs", f"{root}/w", "tmpfs", 0, "mode=0755")
    shutil.copytree(os.path.join(world_dir, "bin"), f"{root}/w/bin")
    os.makedirs(f"{root}/opt/runtime")
    program = "/opt/runtime/" + os.path.basename(runtime)
    shutil.copy(runtime, root + program)
    os.chmod(root + program, 0o755)
    os.chdir(root)
    check(LIBC.syscall(155 if os.uname().machine == "x86_64" else 41, b".", b"."), "pivot_root")
    umount(".")
    os.chdir("/")
    mount("none", "/", None, MS_PRIVATE)
    return program


def snapshot(top="/"):
    """Path -> facts of every inode on the file system of `top` (times of reading excluded)."""
    facts, device = {}, os.lstat(top).st_dev
    queue = [top]
    while queue:
        path = queue.pop()
        info = os.lstat(path)
        content = None
        if stat.S_ISLNK(info.st_mode):
            content = os.readlink(path)
        elif stat.S_ISREG(info.st_mode):
            with open(path, "rb") as source:
                content = hashlib.sha256(source.read()).hexdigest()
        try:
            attrs = tuple((a, os.getxattr(path, a, follow_symlinks=False))
                          for a in sorted(os.listxattr(path, follow_symlinks=False)))
        except OSError:
            attrs = ()
        facts[path] = (oct(info.st_mode), info.st_uid, info.st_gid, info.st_ino, info.st_rdev,
                       info.st_nlink, info.st_mtime_ns, info.st_ctime_ns, content, attrs)
        if stat.S_ISDIR(info.st_mode):
            for name in os.listdir(path):
                below = os.path.join(path, name)
                if os.lstat(below).st_dev == device:
                    queue.append(below)
    return facts


def quick(snapshot_before):
    """Whether the change times of all inodes are those of the snapshot: what ordinary calls cannot forge."""
    for path, facts in snapshot_before.items():
        try:
            info = os.lstat(path)
        except OSError:
            return False
        if (info.st_ino, info.st_ctime_ns, info.st_mtime_ns) != (facts[3], facts[7], facts[6]):
            return False
    return True


def harmless(path, before, after):
    """Only the times have changed, of what a runtime may use: a device, or where temporary names are made."""
    def lasting(facts):
        return facts[:6] + facts[8:]
    usual = path in SCRATCH or stat.S_ISCHR(int(before[0], 8))
    return usual and lasting(before) == lasting(after)


def difference(before, after):
    lines = []
    for name in sorted(set(before) | set(after)):
        if name not in after:
            lines.append(f"removed {name}")
        elif name not in before:
            lines.append(f"created {name} {after[name][0]}")
        elif before[name] != after[name] and not harmless(name, before[name], after[name]):
            lines.append(f"changed {name}")
    return lines


def mounts(pid="self"):
    """Sorted (parent id, mount point, options, type) of the mounts of a process."""
    table = []
    for line in read(f"/proc/{pid}/mountinfo").splitlines():
        head, tail = line.split(" - ", 1)
        head, tail = head.split(), tail.split()
        table.append((head[1], head[4], head[5], " ".join(head[6:]), tail[0]))
    return sorted(table)


def cgroup_mounts():
    found = {}
    for line in read("/proc/self/mountinfo").splitlines():
        head, tail = line.split(" - ", 1)
        head, tail = head.split(), tail.split()
        if tail[0] in ("cgroup", "cgroup2"):
            found.setdefault(tail[2] if tail[0] == "cgroup" else "unified", head[4])
    return found


def own_cgroups():
    """All our own places in the hierarchies, without the leading slash."""
    return {line.split(":", 2)[2].strip("/") for line in read("/proc/self/cgroup").splitlines()}


def find_cgroups(prefix):
    """Directories with `prefix` in their name at the top, one below it, and around our own cgroup."""
    hits, places = set(), set()
    for point in cgroup_mounts().values():
        places.add(point)
        for mine in own_cgroups():
            places.update((os.path.join(point, mine), os.path.dirname(os.path.join(point, mine))))
        try:
            places.update(e.path for e in os.scandir(point) if e.is_dir(follow_symlinks=False))
        except OSError:
            continue
    for place in places:
        try:
            hits.update(e.path for e in os.scandir(place)
                        if prefix in e.name and e.is_dir(follow_symlinks=False))
        except OSError:
            continue
    return sorted(hits)


def remove_cgroup(path):
    """Kill what is left in a cgroup that the corpus made, and remove it."""
    deadline = time.monotonic() + 10
    while os.path.isdir(path) and time.monotonic() < deadline:
        below = [here for here, _dirs, _files in os.walk(path, topdown=False)]
        for here in below:
            for name, text in (("freezer.state", "THAWED"), ("cgroup.freeze", "0")):
                if os.path.exists(f"{here}/{name}"):
                    write_quietly(f"{here}/{name}", text)
            try:
                pids = [int(word) for word in read(f"{here}/cgroup.procs").split()]
            except OSError:
                continue
            for pid in pids:
                if pid > 0:
                    kill(pid)
        for here in below:
            try:
                os.rmdir(here)
            except OSError as err:
                if err.errno not in (errno.EBUSY, errno.ENOTEMPTY, errno.ENOENT):
                    raise
        time.sleep(0.01)


def write_quietly(path, text):
    try:
        with open(path, "w", encoding="ascii") as out:
            out.write(text)
    except OSError:
        pass


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def processes():
    """Pid -> (parent, state, command) of everything in this pid namespace but its first process."""
    table = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or entry == "1":
            continue
        try:
            text = read(f"/proc/{entry}/stat")
        except OSError:
            continue
        fields = text[text.rindex(")") + 2:].split()
        table[int(entry)] = (int(fields[1]), fields[0], text[text.index("(") + 1:text.rindex(")")])
    return table


def reap_except(known):
    """Collect the dead children that nobody waits for by name."""
    for pid, (parent, state, _name) in processes().items():
        if state == "Z" and parent == 1 and pid not in known:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass
