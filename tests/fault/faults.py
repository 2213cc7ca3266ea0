# SPDX-License-Identifier: Apache-2.0
"""Which faults there are: read from the record of an undisturbed run, named, and chosen from.

A fault is named SCENARIO:PROCESS:PHASE:CALL:N:ACTION, as in "create:init:outside.mounts:move_mount:3:EPERM":
the third move_mount of init's phase outside.mounts fails with EPERM.  ACTION is an errno, "eof" (the call
returns 0), "kill" (SIGKILL at the beginning of the call) or "stop" (SIGSTOP there, SIGCONT a moment later).
With the call "malloc" it is the N-th allocation of the process that fails.
"""

import collections
import errno
import hashlib
import os
import re
import subprocess

# What a call may plausibly fail with; the first one is the first to be tried. EINTR must always be survived.
ERRNOS = {
    "openat": "EMFILE EACCES EIO", "openat2": "ENOMEM ENFILE EACCES EAGAIN", "close": "EIO EINTR",
    "read": "EIO EINTR", "pread64": "EIO EINTR", "write": "ENOSPC EIO EINTR",
    "pwrite64": "ENOSPC EINTR", "writev": "ENOSPC EINTR", "ftruncate": "EIO", "fsync": "EIO",
    "getdents64": "EIO", "newfstatat": "ENOMEM EACCES", "statx": "ENOMEM EACCES",
    "fstat": "ENOMEM", "fstatfs": "EIO EINTR", "statfs": "EIO EINTR", "readlinkat": "ENOMEM EACCES",
    "readlink": "ENOMEM EACCES", "faccessat2": "EIO", "faccessat": "EIO",
    "mkdirat": "ENOSPC EROFS EACCES", "mknodat": "ENOSPC EACCES", "symlinkat": "ENOSPC EACCES",
    "linkat": "ENOSPC", "unlinkat": "EBUSY EIO", "unlink": "EIO", "rmdir": "EBUSY",
    "renameat": "ENOSPC EIO", "renameat2": "ENOSPC EIO", "rename": "ENOSPC", "flock": "ENOLCK EINTR",
    "fchmod": "EPERM EROFS", "fchmodat": "EPERM", "fchown": "EPERM", "fchownat": "EPERM EROFS",
    "fsetxattr": "ENOSPC EPERM", "fchdir": "EACCES", "chdir": "EACCES", "getcwd": "ENOMEM",
    "memfd_create": "ENOMEM EMFILE", "mmap": "ENOMEM", "dup": "EMFILE", "dup3": "EINTR EBUSY",
    "pipe2": "EMFILE ENFILE", "signalfd4": "EMFILE", "eventfd2": "EMFILE", "timerfd_create": "EMFILE",
    "epoll_create1": "EMFILE", "inotify_init1": "EMFILE",
    "socket": "EMFILE ENOBUFS", "socketpair": "EMFILE ENOBUFS", "bind": "ENOSPC EACCES",
    "listen": "ENOMEM", "connect": "ECONNREFUSED EAGAIN EINTR", "accept4": "EMFILE EINTR",
    "sendto": "ENOBUFS EPIPE EINTR", "sendmsg": "ENOBUFS EPIPE EINTR",
    "recvfrom": "ENOMEM ECONNRESET EINTR", "recvmsg": "ENOMEM ECONNRESET EINTR",
    "poll": "ENOMEM EINTR", "ppoll": "ENOMEM EINTR",
    "clone": "EAGAIN ENOMEM", "clone3": "EAGAIN ENOMEM ENOSPC", "fork": "EAGAIN", "vfork": "EAGAIN",
    "execve": "ENOMEM EACCES", "execveat": "ENOMEM EACCES", "wait4": "EINTR", "waitid": "EINTR",
    "kill": "EPERM", "pidfd_send_signal": "EPERM", "pidfd_open": "EMFILE ENOMEM",
    "unshare": "ENOSPC EPERM", "setns": "EPERM ENOMEM",
    "mount": "ENOMEM EPERM", "umount2": "EBUSY EPERM", "pivot_root": "EPERM ENOMEM",
    "fsopen": "EMFILE EPERM", "fsconfig": "ENOMEM EPERM", "fsmount": "ENOMEM EMFILE EPERM",
    "fspick": "EPERM", "open_tree": "EMFILE ENOMEM EPERM", "move_mount": "ENOMEM EPERM",
    "mount_setattr": "ENOMEM EPERM", "chroot": "EPERM",
    "sethostname": "EPERM", "setdomainname": "EPERM", "setresuid": "EAGAIN EPERM",
    "setresgid": "EPERM", "setgroups": "EPERM ENOMEM", "capset": "EPERM", "capget": "EPERM",
    "prctl": "EPERM", "prlimit64": "EPERM", "setpriority": "EACCES", "sched_setaffinity": "EINVAL",
    "sched_setattr": "EPERM EBUSY", "ioprio_set": "EPERM", "seccomp": "ENOMEM EINVAL",
    "keyctl": "EDQUOT ENOMEM", "bpf": "EPERM ENOMEM", "ioctl": "EIO", "setsid": "EPERM",
    "personality": "EINVAL",
}
# What cannot happen there: signals are blocked while our code is moved; and what not even init may enter, nobody can.
NOT_THERE = (
    ("outside.shield", "write", "EINTR"), ("inside.seal", "openat2", "EACCES"),
    ("inside.seal", "newfstatat", "EACCES"), ("outside.masks", "openat2", "EACCES"),
    ("outside.masks", "newfstatat", "EACCES"),
    # libseccomp asks the kernel what it can, and takes every failure for a no.
    ("seccomp.compile", "seccomp", "ENOMEM"),
    # `create` has succeeded by then; and without its runtime, which an end of file means, init must give up.
    ("last.ready", "recvmsg", "kill"), ("last.ready", "accept4", "kill"),
    ("last.ready", "close", "kill"), ("last.ready", "recvmsg", "eof"),
)
# They take place and report a failure all the same: a descriptor is closed whatever close(2) says.
TAKE_PLACE = ("close", "fsync")
READS = ("read", "recvmsg", "recvfrom")
# Of how many allocations distinct() takes one.
STRIDE = 4
# Log lines are written with these in every phase; that the log fails is one case of many.
ENDLESS = ("stop",)

# What has gone wrong once is in every sample, as long as the numbers do not move.
KNOWN = (
    "exec:child.1:birth:setns:1:kill",           # we killed our own process group
    "delete:host:begin:newfstatat:7:ENOMEM",     # success, and the state directory stayed
    "list:host:begin:getdents64:1:EIO",          # success, and an empty list
    "list:host:begin:pidfd_open:1:EMFILE",
    "pause:host:begin:pread64:1:EINTR",          # given up
    "run:host:cgroup.select:fstatfs:1:EIO",      # a hierarchy was taken for missing
    "create-rich:host:begin:statfs:1:EIO",
    "create:host:cgroup.select:getdents64:1:EIO",
    "create:init:last.ready:recvmsg:1:ENOMEM",   # init gave up after `create` had succeeded
    "create:init:last.ready:accept4:1:EMFILE",
    "update:host:-:malloc:91:ENOMEM",            # half an update
    "start:host:begin:newfstatat:7:ENOMEM",      # a wrong reason
    "resume:host:begin:fstatfs:1:EIO",
    "run:init:inside.cwd:getcwd:1:ENOMEM",
    "run-hooks:init:birth:openat:1:EMFILE",
    "update-devices:host:begin:bpf:4:stop",      # EAGAIN, for the sake of a signal
    "create-reused:host:cgroup:bpf:2:kill",      # a filter that nobody found
    "update-devices:host:begin:bpf:5:kill",
    "run-netdev:host:netdevs:openat:2:EMFILE",   # told as a bad descriptor
    "run-scope:init:birth:fstatfs:1:EIO",        # the cgroup of a process that was dead already
    "run:init:outside.mounts:openat:4:EMFILE",   # a hierarchy was missing inside
    "create-terminal:host:cgroup:write:17:EINTR",
    "create-terminal:init:inside.console:openat2:1:ENOMEM",
    "run-hooks:host:ready:clone3:2:ENOSPC",      # a warning that did not say which hook
    "create-sockets:host:cgroup:mkdirat:7:EROFS",   # no warning at all
    "run-scope:host:-:malloc:120:ENOMEM",        # waited for a signal that had come
    "run-scope:host:adopt:sendto:1:EPIPE",       # waited for whoever reads nothing any more
    "run-hooks:init:inside.seal:openat2:3:ENFILE",
)

Fault = collections.namedtuple("Fault", "scenario process path phase call number action")


def name_of(fault):
    return ":".join(str(part) for part in (fault.scenario, fault.process, fault.phase, fault.call,
                                           fault.number, fault.action))


def system_calls():
    """Number -> name, as the compiler's headers have it."""
    compiler = os.environ.get("CC", "cc").split()
    text = subprocess.run([*compiler, "-dM", "-E", "-"], input="#include <sys/syscall.h>\n",
                          capture_output=True, text=True, check=True).stdout
    return {int(number): name
            for name, number in re.findall(r"#define __NR_(\w+) (\d+)$", text, re.M)}


class Record:
    """The calls of an undisturbed run, in their order."""

    def __init__(self, path, calls):
        self.calls = []   # (path, phase, name)
        with open(path, encoding="ascii", errors="replace") as lines:
            for line in lines:
                process, phase, number = line.rstrip("\n").split("\t")
                self.calls.append((process, phase, calls.get(int(number), number)))
        self.names = self.name_processes()

    def name_processes(self):
        """Path -> name: who has phases of init is init; others have numbers, which are stable."""
        names = {"0": "host"}
        for path, phase, _call in self.calls:
            if path not in names and "." in phase and not phase.startswith("undo."):
                names[path] = "init"
        others = sorted({path for path, _p, _c in self.calls if path not in names})
        for path in others:
            names[path] = "child" + path[1:]
        return names

    def candidates(self, scenario):
        """All faults of system calls, and for each how soon a sample should have it (0 is first)."""
        seen, last = collections.Counter(), {}
        for key in self.calls:
            last[key] = last.get(key, 0) + 1
        phases, first = set(), set()
        for key in self.calls:
            path, phase, call = key
            seen[key] += 1
            errnos = [e for e in ERRNOS.get(call, "").split() if (phase, call, e) not in NOT_THERE]
            actions = [(e, 1) for e in errnos] + [("eof", 1)] * (call in READS)
            if actions:
                actions += [("kill", 2), ("stop", 4)]
            actions = [(a, rank) for a, rank in actions if (phase, call, a) not in NOT_THERE]
            for position, (action, rank) in enumerate(actions):
                if position == 0 and (path, call) not in first:
                    rank = 0
                elif seen[key] == 1 and action == "kill" and (path, phase) not in phases:
                    rank = 0
                elif seen[key] == 1 and action == "stop" and (path, phase, "stop") not in phases:
                    rank = 1
                elif seen[key] not in (1, last[key]):
                    rank = 3
                yield rank, Fault(scenario, self.names[path], path, phase, call, seen[key], action)
                if action == "stop":
                    phases.add((path, phase, "stop"))
            if actions:
                phases.add((path, phase))
                first.add((path, call))


def sample(candidates, size, seed):
    """
    As many as SIZE, the most telling first, in the order of the record. Within a rank chance decides, by the name of a fault: so a
    change of the runtime changes the sample in that place alone.
    """
    known = [fault for _rank, fault in candidates if name_of(fault) in KNOWN]

    def lot(number):
        rank, fault = candidates[number]
        return rank, hashlib.sha256(f"{seed} {name_of(fault)}".encode()).digest()
    others = [n for n, (_rank, fault) in enumerate(candidates) if fault not in known]
    chosen = sorted(sorted(others, key=lot)[:max(size - len(known), 0)])
    return known + [candidates[number][1] for number in chosen]


def distinct(names, seed):
    """
    Of NAMES (FLAVOR/FAULT) one for each flavor, process, phase, call and action, and one in STRIDE of the allocations of each command.
    Chance decides which, as in sample(); so it is another call and another command with each SEED.
    """
    classes = {}
    for name in names:
        flavor, _slash, fault = name.partition("/")
        scenario, process, phase, call, number, action = fault.split(":")
        key = [flavor, process, phase, call, action]
        if call == "malloc":
            key += [scenario, int(number) // STRIDE]
        elif phase == "begin":
            key.append(scenario.partition("-")[0])   # a command without phases is all in this one
        lot = hashlib.sha256(f"{seed} {name}".encode()).digest()
        classes.setdefault(tuple(key), []).append((lot, name))
    chosen = {min(lots)[1] for lots in classes.values()}
    return [name for name in names if name in chosen]


def number_of(action):
    """ACTION as inject.c wants it."""
    return str(getattr(errno, action)) if action.isupper() else action
