# SPDX-License-Identifier: Apache-2.0
"""The room in which an engine runs: namespaces, hidden directories, cgroups, users and a network.

Nothing that an engine does in it reaches the host: it has a mount, pid, network, ipc, uts and cgroup
namespace of its own; /run, /tmp and the engines' directories below /var/lib are empty; the root of
each cgroup hierarchy that it sees is a cgroup made for it; its users exist in this room only.
"""

import ctypes
import encodings.idna   # noqa: F401  pylint: disable=unused-import
import fcntl
import os
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                                "integration"))
import hostside     # noqa: E402  pylint: disable=wrong-import-position

# Above: a room with another root has no Python, so that what urllib loads late has to be there before.
CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x02000000, 0x04000000, 0x08000000
CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND = 32, 4096
PR_SET_PDEATHSIG = 1
USER, UID, SUBIDS, SUBID_COUNT = "engines", 64321, 10000000, 1 << 18
HIDDEN = ("/tmp", "/var/lib/containers", "/var/lib/docker", "/var/lib/containerd", "/var/lib/cni",
          "/var/cache/containers")
OWN_SETTINGS = ("cni/net.d", "docker", "containerd")   # of the host's administrator, below /etc
DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9),
           "tty": (5, 0), "kmsg": (1, 11), "fuse": (10, 229), "net/tun": (10, 200)}
LINKS = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
         "stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx", "core": "/proc/kcore"}
ADDRESS, GATEWAY = "192.0.2.2", "192.0.2.1"


# ---- cgroups, before the namespaces -----------------------------------------------------------

def make_cgroups(name):
    """A cgroup `name` in the root of every hierarchy that lets us, entered; their paths."""
    made = []
    for hierarchy, point in hostside.cgroup_mounts().items():
        path = os.path.join(point, name)
        try:
            os.mkdir(path)
        except OSError:
            continue
        made.append(path)
        if "cpuset" in hierarchy.split(","):   # empty in a new cgroup, which then takes nobody
            for file in ("cpuset.cpus", "cpuset.mems"):
                with open(os.path.join(point, file), encoding="ascii") as source:
                    value = source.read()
                write(os.path.join(path, file), value)
        write(os.path.join(path, "cgroup.procs"), str(os.getpid()))
    return made


def remove_cgroups(name):
    """What is left of them; what was still in there."""
    left = []
    for point in hostside.cgroup_mounts().values():
        path = os.path.join(point, name)
        if os.path.isdir(path):
            left += [f"process {pid} in {path}" for pid in hostside.cgroup_pids(path)]
            hostside.remove_cgroup(path)
            if os.path.isdir(path):
                left.append(f"cgroup {path}")
    return left


def write(path, text):
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


# ---- mounts --------------------------------------------------------------------------------

def bind(source, target):
    hostside.mount(source, target, None, MS_BIND)


def mount_cgroups(hierarchies):
    """The hierarchies as they look from our cgroup namespace, at their usual places."""
    pure = list(hierarchies) == ["unified"] and hierarchies["unified"] == "/sys/fs/cgroup"
    if pure:
        hostside.mount("cgroup2", "/sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    elif hierarchies:
        hostside.mount("tmpfs", "/sys/fs/cgroup", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
        for name, point in hierarchies.items():
            if not point.startswith("/sys/fs/cgroup/"):
                continue
            os.mkdir(point)
            kind, data = ("cgroup2", None) if name == "unified" else ("cgroup", name)
            hostside.mount("cgroup", point, kind, MS_NOSUID | MS_NODEV | MS_NOEXEC, data)
            if "," in name:   # cpu,cpuacct is also found under each of the names
                for one in name.split(","):
                    if not os.path.lexists("/sys/fs/cgroup/" + one):
                        os.symlink(os.path.basename(point), "/sys/fs/cgroup/" + one)


def leave_root_cgroup():
    """cgroup2 wants no processes in a cgroup that hands controllers to others."""
    for name, point in hostside.cgroup_mounts().items():
        if name == "unified":
            os.mkdir(os.path.join(point, "init"))
            write(os.path.join(point, "init/cgroup.procs"), "0")
            with open(os.path.join(point, "cgroup.controllers"), encoding="ascii") as source:
                for controller in source.read().split():
                    try:
                        write(os.path.join(point, "cgroup.subtree_control"), "+" + controller)
                    except OSError:
                        pass   # the scenario that needs it says so


def hide_host(folder):
    """Empty directories over what engines would share with the host's own."""
    resolv = os.path.realpath("/etc/resolv.conf")
    hostside.mount("tmpfs", "/run", "tmpfs", MS_NOSUID, "mode=755")
    os.makedirs("/run/lock", exist_ok=True)
    if resolv.startswith("/run/"):
        os.makedirs(os.path.dirname(resolv), exist_ok=True)
        write(resolv, f"nameserver {GATEWAY}\n")
    for path in HIDDEN:
        if os.path.isdir(path) and not os.path.islink(path):
            mode = stat.S_IMODE(os.stat(path).st_mode)
            hostside.mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, f"mode={mode:o}")
    devices()
    users(folder)


def devices():
    """A /dev of our own, with those of the host's devices that do no harm, open to everybody."""
    there = [name for name in DEVICES if os.path.exists("/dev/" + name)]
    hostside.mount("tmpfs", "/dev", "tmpfs", MS_NOSUID, "mode=755")
    for name in ("net", "pts", "shm", "mqueue"):
        os.mkdir("/dev/" + name)
    for name in there:
        os.mknod("/dev/" + name, stat.S_IFCHR | 0o666, os.makedev(*DEVICES[name]))
        os.chmod("/dev/" + name, 0o644 if name == "kmsg" else 0o666)
    for name, target in LINKS.items():
        os.symlink(target, "/dev/" + name)
    hostside.mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
                   "newinstance,ptmxmode=0666,mode=620,gid=5")
    hostside.mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
    hostside.mount("mqueue", "/dev/mqueue", "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC)


def users(folder):
    """The user of the rootless scenarios, known in this room only.

    All of /etc is a copy: single files as mount points would be uncovered when somebody on the host
    replaces what is below them, as useradd does.
    """
    copy, home = os.path.join(folder, "etc"), os.path.join(folder, "home")
    subprocess.run(["cp", "-a", "--reflink=auto", "/etc", copy], check=True)
    added = {"passwd": f"{USER}:x:{UID}:{UID}::{home}:/bin/sh\n", "group": f"{USER}:x:{UID}:\n",
             "shadow": f"{USER}:*:19000::::::\n"}
    for name in ("subuid", "subgid"):
        write(os.path.join(copy, name), "")
        added[name] = f"{USER}:{SUBIDS}:{SUBID_COUNT}\ncontainers:{2 * SUBIDS}:{1 << 24}\n"
    for name, line in added.items():
        with open(os.path.join(copy, name), "a", encoding="utf-8") as out:
            out.write(line)
    for name in OWN_SETTINGS:
        shutil.rmtree(os.path.join(copy, name), ignore_errors=True)
        os.makedirs(os.path.join(copy, name))
    bind(copy, "/etc")


def enter_root(root, folder, shared):
    """Make an overlay of `root` the root file system; `shared` stays visible at its path."""
    layers = os.path.join(folder, "overlay")
    for name in ("upper", "work", "merged"):
        os.makedirs(os.path.join(layers, name))
    os.chmod(os.path.join(layers, "upper"), 0o755)
    merged = os.path.join(layers, "merged")
    hostside.mount("overlay", merged, "overlay", 0, f"lowerdir={root},upperdir={layers}/upper,"
                   f"workdir={layers}/work")
    os.makedirs(merged + shared, exist_ok=True)
    hostside.mount(shared, merged + shared, None, MS_BIND)
    hostside.mount("/dev", merged + "/dev", None, MS_BIND)
    os.makedirs(merged + "/.old", exist_ok=True)
    os.chdir(merged)
    hostside.libc_call(hostside.LIBC.pivot_root(b".", b".old"), "pivot_root")
    os.chdir("/")
    hostside.mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    hostside.mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC)


# ---- network -------------------------------------------------------------------------------

def interface_up(name):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        flags = struct.pack("16sh14x", name.encode(), 0x41)   # UP, RUNNING
        fcntl.ioctl(sock, 0x8914, flags)                      # SIOCSIFFLAGS


def network():
    """Loopback, and an interface with an address and a default route that leads nowhere."""
    interface_up("lo")
    for argv in (["link", "add", "eth0", "type", "veth", "peer", "name", "eth1"],
                 ["addr", "add", ADDRESS + "/24", "dev", "eth0"], ["link", "set", "eth1", "up"],
                 ["link", "set", "eth0", "up"], ["route", "add", "default", "via", GATEWAY]):
        if subprocess.run(["ip", *argv], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          check=False).returncode:
            return


# ---- processes -----------------------------------------------------------------------------

def die_with_parent():
    hostside.LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def settle(folder, root, shared):
    """All that makes the room, in the first process of its pid namespace."""
    hierarchies = hostside.cgroup_mounts()
    hostside.libc_call(hostside.LIBC.mount(b"none", b"/", None, hostside.MS_REC |
                                           hostside.MS_PRIVATE, None), "mount(private)")
    if root:
        enter_root(root, folder, shared)
        hostside.umount("/.old")
    else:
        # Over the host's, which shows other pids: then only one of them is whole.
        hostside.mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
        hostside.mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    mount_cgroups(hierarchies)
    leave_root_cgroup()
    hide_host(folder)
    socket.sethostname("engines")
    network()
    crun = shutil.which("crun")
    if crun:   # for those who look for it by name
        bind(os.path.join(shared, "bin/crun"), crun)


def inside(folder, root, shared, function):
    """Run function() in the room, as a child of its pid 1; returns in nobody."""
    die_with_parent()
    flags = CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET | \
        hostside.CLONE_NEWNS
    hostside.libc_call(hostside.LIBC.unshare(flags), "unshare")
    first = os.fork()
    if first:
        _pid, status = os.waitpid(first, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xff)
    die_with_parent()
    settle(folder, root, shared)
    second = os.fork()
    if second == 0:
        os.setsid()
        function()
        os._exit(0)
    while True:   # pid 1 inherits every orphan
        pid, status = os.waitpid(-1, 0)
        if pid == second:
            os._exit(os.waitstatus_to_exitcode(status) & 0xff)


def ids(rootless):
    """Keyword arguments of subprocess.Popen for who runs the engine."""
    return {"user": UID, "group": UID, "extra_groups": []} if rootless else {}


def become(rootless):
    """The same for a process that is already there."""
    if rootless:
        os.setgroups([])
        os.setgid(UID)
        os.setuid(UID)


def users_may_unshare():
    """Whether an ordinary user may make a user namespace at all."""
    pid = os.fork()
    if pid == 0:
        try:
            become(True)
            ctypes.set_errno(0)
            os._exit(1 if hostside.LIBC.unshare(0x10000000) else 0)   # CLONE_NEWUSER
        finally:
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0
