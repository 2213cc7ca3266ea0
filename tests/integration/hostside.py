# SPDX-License-Identifier: Apache-2.0
"""What the tests see and tidy on the host: processes, cgroups, mounts, file trees."""

import ctypes
import errno
import hashlib
import os
import re
import signal
import stat
import time

# Deadlines are for a real machine; an emulated one is ten times as slow.
PATIENCE = float(os.environ.get("CRUN_TEST_PATIENCE") or 1)
LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, MS_REC, MS_PRIVATE, MNT_DETACH = 0x20000, 0x4000, 1 << 18, 2
PR_SET_CHILD_SUBREAPER = 36


def libc_call(result, what):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def become_subreaper():
    libc_call(LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl(SUBREAPER)")


def private_mounts():
    libc_call(LIBC.unshare(CLONE_NEWNS), "unshare(NEWNS)")
    libc_call(LIBC.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "mount(private)")


def mount(source, target, fstype=None, flags=0, data=None):
    enc = [None if x is None else os.fsencode(x) for x in (source, target, fstype, data)]
    libc_call(LIBC.mount(enc[0], enc[1], enc[2], flags, enc[3]), f"mount {source} on {target}")


def umount(target, flags=MNT_DETACH):
    libc_call(LIBC.umount2(os.fsencode(target), flags), f"umount {target}")


def unescape(text):
    """mountinfo writes blanks as octal escapes."""
    return text.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")


def mount_table():
    """Mount id -> (mount point, file system type, super options) of this mount namespace."""
    table = {}
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            head, tail = line.split(" - ", 1)
            head, tail = head.split(), tail.split()
            table[int(head[0])] = (unescape(head[4]), tail[0], tail[2] if len(tail) > 2 else "")
    return table


def all_cgroup_mounts():
    """[(name, mount point)] as cgroup_mounts, with those that are mounted twice or hidden."""
    found = []
    for point, kind, options in mount_table().values():
        if kind == "cgroup2":
            found.append(("unified", point))
        elif kind == "cgroup":
            names = [o for o in options.split(",") if o not in ("rw", "ro", "xattr")
                     and not o.startswith("release_agent=")]
            found.append((",".join(names), point))
    return found


def cgroup_mounts():
    """Name -> mount point; "unified" is cgroup2, others are named by their controllers."""
    return dict(reversed(all_cgroup_mounts()))


def has_controller(name):
    """Whether a cgroup can have limits of it: Linux 6.12 may have no v1 of memory and cpuset."""
    mounts = cgroup_mounts()
    if any(name in names.split(",") for names in mounts):
        return True
    try:
        with open(f"{mounts['unified']}/cgroup.controllers", encoding="ascii") as names:
            return name in names.read().split()
    except (KeyError, FileNotFoundError):
        return False


def own_cgroups():
    """Hierarchy name (as in cgroup_mounts) -> our own path in it."""
    paths = {}
    with open("/proc/self/cgroup", encoding="utf-8") as lines:
        for line in lines:
            number, names, path = line.rstrip("\n").split(":", 2)
            paths["unified" if number == "0" else names] = path
    return paths


def find_cgroups(prefix):
    """Cgroup directories that have `prefix` in their name, in any hierarchy.

    Looked for in the root, one level below it, and next to and below our own cgroup:
    a runtime has no business in creating one anywhere else.
    """
    hits = []
    own = own_cgroups()
    # All: what a test has mounted on /sys/fs/cgroup hides those below it.
    for name, point in all_cgroup_mounts():
        places = {point}
        mine = os.path.normpath(point + own.get(name, "/"))
        places.update((mine, os.path.dirname(mine) if mine != point else point))
        try:
            with os.scandir(point) as entries:
                places.update(e.path for e in entries if e.is_dir(follow_symlinks=False))
        except OSError:
            continue
        for place in places:
            try:
                with os.scandir(place) as entries:
                    hits.extend(e.path for e in entries
                                if prefix in e.name and e.is_dir(follow_symlinks=False))
            except OSError:
                continue
    return sorted(set(hits))


def cgroup_tree(path):
    """The directories of one cgroup subtree, deepest first."""
    found = []
    for here, _dirs, _files in os.walk(path, topdown=False):
        found.append(here)
    return found


def cgroup_pids(path):
    pids = []
    for here in cgroup_tree(path):
        try:
            with open(os.path.join(here, "cgroup.procs"), encoding="ascii") as lines:
                pids.extend(int(line) for line in lines)
        except OSError:
            continue
    return pids


def remove_cgroup(path, collect=True):
    """Kill what is left in a subtree that the tests created, and remove it.

    Without `collect` the dead stay: a thread must not take from another the exit status that it waits for, which is 0 then.
    """
    deadline = time.monotonic() + 10 * PATIENCE
    while os.path.isdir(path) and time.monotonic() < deadline:
        for here in cgroup_tree(path):
            state = os.path.join(here, "freezer.state")
            if os.path.exists(state):
                try:
                    with open(state, "w", encoding="ascii") as out:
                        out.write("THAWED")
                except OSError:
                    pass
        for pid in cgroup_pids(path):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if collect:
            reap()
        for here in cgroup_tree(path):
            try:
                os.rmdir(here)
            except OSError as err:
                if err.errno not in (errno.EBUSY, errno.ENOTEMPTY, errno.ENOENT):
                    raise
        time.sleep(0.01)


def processes():
    """Pid -> (parent, state letter, command name) for every process in sight."""
    table = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as source:
                text = source.read()
        except OSError:
            continue
        name = text[text.index("(") + 1:text.rindex(")")]
        fields = text[text.rindex(")") + 2:].split()
        table[int(entry)] = (int(fields[1]), fields[0], name)
    return table


def descendants(root):
    """Pid -> (state, command name) of everything below `root`, zombies included."""
    table = processes()
    children = {}
    for pid, (parent, _state, _name) in table.items():
        children.setdefault(parent, []).append(pid)
    found, queue = {}, [root]
    while queue:
        for pid in children.get(queue.pop(), []):
            found[pid] = table[pid][1:]
            queue.append(pid)
    return found


def reap():
    """Collect every dead child without waiting; the pids collected."""
    pids = []
    while True:
        try:
            pid, _status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return pids
        if pid == 0:
            return pids
        pids.append(pid)


def reaped(condition):
    """CONDITION for wait_until(), judged each time after the dead have been collected: as long as
    nobody does, they stay in /proc and in their cgroups.
    """
    def judge():
        reap()
        return condition()
    return judge


def kill_tree(root, with_root=True):
    """SIGKILL `root` and everything below it, repeated until a look finds nothing new."""
    for _attempt in range(20):
        below = {p for p, (state, _n) in descendants(root).items() if state != "Z"}
        targets = below | ({root} if with_root else set())
        for pid in targets:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if not below:
            return
        time.sleep(0.01)


def snapshot(top):
    """Relative path -> facts about a tree that must not change (times of reading excluded)."""
    facts = {}

    def record(path, name):
        info = os.lstat(path)
        content = None
        if stat.S_ISLNK(info.st_mode):
            content = os.readlink(path)
        elif stat.S_ISREG(info.st_mode) and info.st_size <= 1 << 20:
            with open(path, "rb") as source:
                content = hashlib.sha256(source.read()).hexdigest()
        try:
            attrs = tuple((a, os.getxattr(path, a, follow_symlinks=False))
                          for a in sorted(os.listxattr(path, follow_symlinks=False)))
        except OSError:
            attrs = ()
        facts[name] = (oct(info.st_mode), info.st_uid, info.st_gid, info.st_ino, info.st_rdev,
                       info.st_size, info.st_mtime_ns, content, attrs)

    record(top, ".")
    for here, dirs, files in os.walk(top):
        for entry in dirs + files:
            path = os.path.join(here, entry)
            record(path, os.path.relpath(path, top))
    return facts


def difference(before, after):
    """Human-readable differences of two snapshots."""
    lines = []
    for name in sorted(set(before) | set(after)):
        if name not in after:
            lines.append(f"removed: {name}")
        elif name not in before:
            lines.append(f"created: {name}")
        elif before[name] != after[name]:
            lines.append(f"changed: {name}: {before[name]} -> {after[name]}")
    return lines


def cpu_ticks(pid):
    """The processor time that a process has used."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as source:
        fields = source.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def kernel():
    """(major, minor) of the running kernel."""
    return tuple(int(part) for part in re.match(r"(\d+)\.(\d+)", os.uname().release).groups())


def needs_userfaultfd(t):
    """Without it a profile with a listener has to allow futex."""
    number = {"x86_64": 323, "aarch64": 282}.get(os.uname().machine, -1)
    fd = LIBC.syscall(number, os.O_CLOEXEC | 1)
    if fd < 0:
        t.skip("no userfaultfd for ordinary users on this kernel")
    os.close(fd)
