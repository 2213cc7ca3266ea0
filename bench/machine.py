# SPDX-License-Identifier: Apache-2.0
"""What the measuring programs need of the machine: helpers built, bundles, containers, and all of it gone afterwards."""
import ctypes
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from runtimes import HERE, Failed, find_busybox

CGROUP_ROOT = "/sys/fs/cgroup"
PR_SET_CHILD_SUBREAPER = 36
CLONE_NEWNS = 0x00020000
MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 0x1000, 0x4000, 1 << 18, 2
DEADLINE = 180


def first_line(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "warning" not in line]
    return (errors or lines or ["no message"])[0][:160]


def libc_call(name, *args):
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*args) < 0:
        raise Failed(f"{name}: {os.strerror(ctypes.get_errno())}")


def mount(source, target, fstype=None, flags=0, data=None):
    names = [None if text is None else os.fsencode(text) for text in (source, target, fstype, data)]
    libc_call("mount", *names[:3], ctypes.c_ulong(flags), names[3])


def umount(target):
    libc_call("umount2", os.fsencode(target), MNT_DETACH)


def cgroup_mode():
    if os.path.exists(f"{CGROUP_ROOT}/cgroup.controllers"):
        return "v2"
    hybrid = os.path.exists(f"{CGROUP_ROOT}/unified/cgroup.controllers")
    return "hybrid" if hybrid else "v1"


def enter_private_mounts():
    """A mount namespace of our own and our children's: the machine's own mounts stay as they are."""
    before = os.readlink("/proc/self/ns/mnt")
    libc_call("unshare", CLONE_NEWNS)
    if os.readlink("/proc/self/ns/mnt") == before:
        raise Failed("the kernel gave no new mount namespace; nothing was changed")
    mount(None, "/", None, MS_REC | MS_PRIVATE)


def enter_private_v2():
    """Pure cgroup2, in such a namespace."""
    enter_private_mounts()
    umount(CGROUP_ROOT)
    mount("cgroup2", CGROUP_ROOT, "cgroup2")


def call(argv, **more):
    more.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run(argv, capture_output=True, text=True, timeout=DEADLINE,
                          start_new_session=True, **more)


def is_tmpfs(path):
    """Whether a directory lies on a file system in memory; False when that cannot be told."""
    path, best, kind = os.path.realpath(path), "", ""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as f:
            lines = f.readlines()
    except OSError:
        return False
    for line in lines:
        point = line.split()[4]
        # Of mounts on the same point the last one is in sight.
        if (path + "/").startswith(point.rstrip("/") + "/") and len(point) >= len(best):
            best, kind = point, line.split(" - ")[1].split()[0]
    return kind == "tmpfs"


class Workshop:
    """A place for helpers, bundles and state directories. All that comes from it carries one random name."""

    def __init__(self, note=None):
        # The name marks everything that is ours, so that cleaning up cannot hit anything else.
        self.prefix = f"crunbench{os.getpid()}x{random.randrange(16**6):06x}"
        self.note = note or (lambda text: None)
        self.serial = 0
        self.dir = tempfile.mkdtemp(prefix=self.prefix + "-")
        os.chmod(self.dir, 0o711)
        # State directories belong on a tmpfs, where /run puts them on a real host.
        places = (d for d in ("/run", "/dev/shm") if is_tmpfs(d) and os.access(d, os.W_OK))
        place = next(places, None)
        if not place:
            self.note("the state directories are on a disk: neither /run nor /dev/shm is a tmpfs")
        self.runs = tempfile.mkdtemp(prefix=self.prefix + "-", dir=place)
        libc_call("prctl", PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def new_id(self):
        self.serial += 1
        return f"{self.prefix}-{self.serial}"

    def build(self, name, *libraries, static=True):
        """The program that make built, if it is not older than its source; else our own."""
        source = os.path.join(HERE, name + ".c")
        for directory in (os.path.join(os.getcwd(), "bench"), HERE):
            path = os.path.join(directory, name)
            if os.access(path, os.X_OK) and os.path.getmtime(path) >= os.path.getmtime(source):
                return path
        path = self.path(name)
        if os.path.exists(path):
            return path
        command = os.environ.get("CC", "cc").split() + ["-std=gnu11", "-O2", "-o", path, source]
        if static and call(command + ["-static"]).returncode == 0:
            return path
        plain = call(command + list(libraries))
        if plain.returncode:
            raise Failed(f"cannot build {source}: {first_line(plain.stderr)}")
        if static:
            self.note(f"no static C library: {name} is linked dynamically, and so costs more")
        return path

    def make_bundle(self, name, args, change=None):
        """The reference bundle with these arguments; CHANGE gets its configuration."""
        bundle = self.path(name)
        for directory in ("bin", "dev", "proc", "sys", "root", "tmp"):
            os.makedirs(os.path.join(bundle, "rootfs", directory))
        shutil.copy(find_busybox(), os.path.join(bundle, "rootfs/bin/busybox"))
        for applet in ("sh", "true", "sleep"):
            os.symlink("busybox", os.path.join(bundle, "rootfs/bin", applet))
        with open(os.path.join(HERE, "reference.json"), encoding="utf-8") as f:
            config = json.load(f)
        config["process"]["args"] = args
        if cgroup_mode() != "v2":
            # As `runc spec` does: a cgroup namespace only where there is a unified hierarchy.
            spaces = config["linux"]["namespaces"]
            config["linux"]["namespaces"] = [n for n in spaces if n["type"] != "cgroup"]
        if change:
            change(config)
        with open(os.path.join(bundle, "config.json"), "w", encoding="utf-8") as f:
            json.dump(config, f, indent="\t")
        return bundle

    def remove_containers(self, runtime, name, count=1):
        """After a failure, of which we know nothing: remove all that a sample may have made."""
        for known in [name] if count == 1 else [f"{name}-{i}" for i in range(count)]:
            if not runtime.is_floor:
                call([runtime.path, "--root", runtime.root, "delete", "--force", known])
            shutil.rmtree(os.path.join(runtime.root, known), ignore_errors=True)
        self.remove_cgroups(name)

    @staticmethod
    def wait_for(pid):
        """
        Reap a container whose `create` left it to us; killed again if it does not end. What exec added must
        be reaped first: before that a pid namespace does not end.
        """
        for attempt in range(200):
            try:
                while True:
                    gone = os.waitpid(-1, os.WNOHANG)[0]
                    if gone == pid:
                        return
                    if gone == 0:
                        break
            except ChildProcessError:
                return
            if attempt == 100:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)

    def remove_cgroups(self, mark):
        """rmdir the cgroups whose names carry a mark of ours; never anything else's."""
        name = re.compile(re.escape(mark) + r"(?!\d)")
        for attempt in range(50):
            left = [path for path, _, _ in os.walk(CGROUP_ROOT)
                    if name.search(path, len(CGROUP_ROOT))]
            if not left:
                return
            for path in sorted(left, key=len, reverse=True):
                try:
                    if attempt > 10:
                        kill_in(path)
                    os.rmdir(path)
                except OSError:
                    pass
            time.sleep(0.02)
        print(f"bench: cgroups left behind: {' '.join(left)}", file=sys.stderr)

    def clean_up(self):
        self.remove_cgroups(self.prefix)
        while True:
            try:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    break
            except ChildProcessError:
                break
        for directory in (self.dir, self.runs):
            shutil.rmtree(directory, ignore_errors=True)


def kill_in(path):
    with open(os.path.join(path, "cgroup.procs"), encoding="ascii") as f:
        for line in f:
            os.kill(int(line), signal.SIGKILL)
