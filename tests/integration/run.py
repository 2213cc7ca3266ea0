#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run the integration tests: one line per test, the counts last, non-zero if any failed.

The runtime under test is --runtime, else $RUNTIME, else crun in $CRUN_BUILD, else the one in the
top of the source tree.  Needs Python 3.9, a C compiler, and a static busybox.
"""

import argparse
import fcntl
import fnmatch
import gc
import glob
import importlib
import json
import os
import pwd
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import harness      # noqa: E402  pylint: disable=wrong-import-position
import hostside     # noqa: E402  pylint: disable=wrong-import-position
import systemd_host     # noqa: E402  pylint: disable=wrong-import-position

sys.modules.setdefault("run", sys.modules[__name__])


def words_of_the_tests():
    """Whatever may be the name of a command: each bundle has a link per command, most of busybox's
    are never used, and making and removing them was a third of what the tests cost.
    """
    words = set()
    for source in glob.glob(os.path.join(os.path.dirname(HERE), "*", "*.py")):
        with open(source, encoding="utf-8") as text:
            words.update(re.findall(r"[\w\[-]+", text.read()))
    return words


class World:
    """What all tests of one run share."""

    def __init__(self, runtime, without=None):
        self.without = without   # what --without said: calls that this "kernel" lacks
        self.dir = tempfile.mkdtemp(prefix="crun-test-")
        os.chmod(self.dir, 0o755)
        self.user, self.subids, self.user_name = (os.geteuid(), os.getegid()), None, None
        self.rootfs = os.path.join(self.dir, "rootfs")
        self.runtime = self.keep_runtime(runtime)

    def keep_runtime(self, runtime):
        """A copy: rebuilding meanwhile changes nothing, and the test user can reach it."""
        path = shutil.which(runtime) or runtime
        if not os.access(path, os.X_OK):
            raise SystemExit(f"run.py: no runtime at {path} (build it, or set RUNTIME)")
        with open(path, "rb") as source:
            if source.read(4) != b"\x7fELF":
                return os.path.abspath(path)
        os.mkdir(os.path.join(self.dir, "bin"))
        copy = os.path.join(self.dir, "bin", os.path.basename(path))
        shutil.copy(path, copy)
        return copy

    def build_rootfs(self):
        busybox = os.environ.get("BUSYBOX") or shutil.which("busybox.static") \
            or shutil.which("busybox")
        if not busybox:
            raise SystemExit("run.py: busybox (static) is needed: install busybox-static")
        for name in ("bin", "dev", "proc", "sys", "etc", "tmp", "root", "home/user"):
            os.makedirs(os.path.join(self.rootfs, name))
        os.chmod(os.path.join(self.rootfs, "tmp"), 0o1777)
        os.chown(os.path.join(self.rootfs, "home/user"), 1000, 1000)
        first = os.path.join(self.rootfs, "bin", "busybox")
        shutil.copy(busybox, first)
        words = words_of_the_tests()
        for applet in subprocess.check_output([busybox, "--list"], text=True).split():
            link = os.path.join(self.rootfs, "bin", applet)
            if applet in words and not os.path.exists(link):
                os.link(first, link)
        self.etc("passwd", "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n")
        self.etc("group", "root:x:0:\nuser:x:1000:\nextra:x:1001:user\n")
        self.compile("probe.c", os.path.join(self.rootfs, "bin", "probe"), "-static")
        self.launcher = os.path.join(self.dir, "without")
        self.compile("without.c", self.launcher)

    @staticmethod
    def compile(source, target, *flags):
        ready = os.environ.get("CRUN_TEST_PROGRAMS")   # compiled elsewhere: no compiler here
        if ready:
            shutil.copy(os.path.join(ready, source[:-2]), target)
            return
        compiler = os.environ.get("CC", "cc").split()
        subprocess.check_call(compiler + [*flags, "-O1", "-o", target,
                                          os.path.join(HERE, source)])

    def etc(self, name, text):
        with open(os.path.join(self.rootfs, "etc", name), "w", encoding="ascii") as out:
            out.write(text)

    def clone_rootfs(self, target, deep, owner):
        """A copy of the root file system; its files are hard links unless `deep`."""
        for here, dirs, files in os.walk(self.rootfs):
            there = os.path.normpath(os.path.join(target, os.path.relpath(here, self.rootfs)))
            info = os.stat(here)
            os.mkdir(there)
            os.chmod(there, info.st_mode & 0o7777)
            if os.geteuid() == 0:
                os.chown(there, owner[0] or info.st_uid, owner[1] or info.st_gid)
            for name in files:
                source, new = os.path.join(here, name), os.path.join(there, name)
                applet = here.endswith("/bin") and name not in ("busybox", "probe")
                if deep and applet:
                    os.symlink("busybox", new)
                elif deep:
                    shutil.copy(source, new)
                    os.chown(new, *owner)
                else:
                    os.link(source, new)

    def make_user(self):
        """An ordinary user with subordinate ids; without useradd a bare number."""
        if os.geteuid() != 0:
            return
        name = f"crun-test-{os.getpid()}"
        self.user = (64000 + os.getpid() % 1000,) * 2
        if not shutil.which("useradd"):
            return
        for _attempt in range(20):   # someone else may hold the lock on /etc/passwd
            done = subprocess.run(["useradd", "-M", "-U", "-s", "/bin/sh", "-d", self.dir, name],
                                  stderr=subprocess.PIPE, text=True, check=False)
            if done.returncode == 0:
                break
            time.sleep(0.3)
        else:
            print(f"run.py: useradd: {done.stderr.strip()}", file=sys.stderr)
            return
        entry = pwd.getpwnam(name)
        self.user, self.user_name = (entry.pw_uid, entry.pw_gid), name
        ranges = [self.subid_range(f"/etc/sub{kind}id", name) for kind in "ug"]
        if all(ranges) and shutil.which("newuidmap"):
            self.subids = (ranges[0][0], ranges[1][0], min(ranges[0][1], ranges[1][1]))

    @staticmethod
    def subid_range(path, name):
        try:
            with open(path, encoding="utf-8") as lines:
                for line in lines:
                    fields = line.strip().split(":")
                    if fields[0] == name:
                        return int(fields[1]), int(fields[2])
        except OSError:
            pass
        return None

    def rootless_works(self):
        """Whether the test user may make a user namespace at all."""
        pid = os.fork()
        if pid == 0:
            try:
                if os.geteuid() == 0:
                    os.setgroups([])
                    os.setgid(self.user[1])
                    os.setuid(self.user[0])
                os._exit(1 if hostside.LIBC.unshare(0x10000000) else 0)   # CLONE_NEWUSER
            finally:
                os._exit(1)
        return os.waitpid(pid, 0)[1] == 0

    def close(self):
        if self.user_name:
            systemd_host.stop_user_manager(self.user[0])
            for _attempt in range(20):
                if subprocess.run(["userdel", self.user_name], stderr=subprocess.DEVNULL,
                                  check=False).returncode == 0:
                    break
                time.sleep(0.3)
        shutil.rmtree(self.dir, ignore_errors=True)


LEAST = 300   # seconds for a test: a quiet machine needs a tenth for the longest without a mark


class Job:
    """One test in one flavor."""

    def __init__(self, module, name, function, flavor, number):
        self.module, self.function, self.flavor, self.number = module, function, flavor, number
        self.flavor_count = len(getattr(function, "flavors", ("root",)))
        self.name = f"{module}.{name}" + (f"[{flavor}]" if self.flavor_count > 1 else "")
        self.limit = max(LEAST, getattr(function, "timeout", 0)) * harness.PATIENCE
        self.alone = getattr(function, "alone", False)
        self.pid = self.report = self.began = None
        self.output = ""

    def begin(self, world):
        self.output = os.path.join(world.dir, f"output{self.number}")
        self.report, write_end = os.pipe()
        self.began = time.monotonic()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.report)
            status = 1
            try:
                self.child(world, write_end)
                status = 0
            finally:
                os._exit(status)
        os.close(write_end)

    def child(self, world, report):
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.setpgid(0, 0)
        # Tests put their own files at low numbers.
        report = fcntl.fcntl(report, fcntl.F_DUPFD_CLOEXEC, 900)
        os.closerange(3, 900)
        out = os.open(self.output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        null = os.open("/dev/null", os.O_RDONLY)
        for old, new in ((null, 0), (out, 1), (out, 2)):
            os.dup2(old, new)
        hostside.become_subreaper()
        if os.geteuid() == 0:
            hostside.private_mounts()
        t = harness.Test(world, self.name, self.number, self.flavor)
        verdict, reason = "ok", ""
        try:
            self.function(t)
        except harness.Skip as skip:
            verdict, reason = "skip", str(skip)
        except BaseException as err:   # pylint: disable=broad-except
            traceback.print_exc()
            verdict, reason = "FAIL", f"{type(err).__name__}: {err}".split("\n", maxsplit=1)[0]
        leaks = t.finish()
        for leak in leaks:
            t.log("leak:", leak)
        if leaks and verdict != "FAIL":
            verdict, reason = "FAIL", "leak: " + "; ".join(leaks)
        os.write(report, json.dumps([verdict, reason[:300]]).encode())

    def end(self, world):
        """Read the verdict after the process has ended."""
        data = os.read(self.report, 65536)
        os.close(self.report)
        if data:
            verdict, reason = json.loads(data)
        else:
            verdict, reason = "FAIL", "the test process died"
        shutil.rmtree(os.path.join(world.dir, f"t{self.number}"), ignore_errors=True)
        return verdict, reason

    def abort(self, world):
        """Time is up: kill the whole tree and what is in its cgroups."""
        hostside.kill_tree(self.pid)
        for path in hostside.find_cgroups(f"crun-test-{self.pid}-{self.number}"):
            hostside.remove_cgroup(path)
        self.end(world)
        return "FAIL", f"timed out after {self.limit} s"


def discover(files, pattern):
    names = files or sorted(f for f in os.listdir(HERE)
                            if fnmatch.fnmatch(f, "test_*.py"))
    jobs = []
    for file in names:
        module = os.path.basename(file)[:-3]
        if os.path.dirname(file):
            sys.path.append(os.path.dirname(os.path.abspath(file)))
        for name, function in harness.tests_in(importlib.import_module(module)):
            for flavor in getattr(function, "flavors", ("root",)):
                job = Job(module, name, function, flavor, len(jobs))
                if pattern in job.name:
                    jobs.append(job)
    return jobs


class Runner:
    """Keeps up to `width` tests going."""

    def __init__(self, world, width):
        self.world, self.width = world, width
        self.running, self.counts = [], {"ok": 0, "FAIL": 0, "skip": 0}
        self.impossible = {}   # flavor -> reason
        if os.geteuid() != 0:
            self.impossible["root"] = "needs root"

    def say(self, job, verdict, reason):
        self.counts[verdict] += 1
        spent = time.monotonic() - job.began if job.began else 0.0
        extra = f" ({reason})" if reason else ""
        print(f"{verdict} {job.name}{extra} [{spent:.2f}s]", flush=True)
        if verdict == "FAIL" and os.path.exists(job.output):
            with open(job.output, encoding="utf-8", errors="replace") as source:
                text = source.read()
            if len(text) > 8000:
                text = text[:3000] + "\n    [...]\n" + text[-5000:]
            print("".join(f"    {line}\n" for line in text.splitlines()), end="", flush=True)
        if os.path.exists(job.output):
            os.unlink(job.output)

    def step(self, wait):
        if wait and self.running:
            select.select([job.report for job in self.running], [], [], 0.2)
        for job in list(self.running):
            pid, _status = os.waitpid(job.pid, os.WNOHANG)
            if pid:
                self.running.remove(job)
                self.say(job, *job.end(self.world))
            elif time.monotonic() - job.began > job.limit:
                self.running.remove(job)
                self.say(job, *job.abort(self.world))
                try:
                    os.waitpid(job.pid, 0)
                except ChildProcessError:
                    pass

    def drain(self):
        while self.running:
            self.step(True)

    def run(self, jobs):
        gc.freeze()   # or each test's process copies what the collector looks at
        for job in jobs:
            if job.flavor in self.impossible:
                self.say(job, "skip", self.impossible[job.flavor])
                continue
            while len(self.running) >= (1 if job.alone else self.width) or \
                    (job.alone and self.running) or any(j.alone for j in self.running):
                self.step(True)
            job.begin(self.world)
            self.running.append(job)
        self.drain()


def choose_runtime(option):
    top = os.path.dirname(os.path.dirname(HERE))
    built = os.path.join(os.environ.get("CRUN_BUILD", top), "crun")
    return option or os.environ.get("RUNTIME") or built


def main():
    # A shell starts background jobs with these ignored, and so would be everything that the tests start.
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    # Without a standard input its number would be that of some file of ours.
    while os.open(os.devnull, os.O_RDWR) < 3:
        pass
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-k", metavar="TEXT", default="", help="only tests whose name has TEXT")
    parser.add_argument("-j", metavar="N", type=int, default=2, help="tests at a time")
    parser.add_argument("--list", action="store_true", help="print the names, run nothing")
    parser.add_argument("--runtime", metavar="PATH")
    parser.add_argument("--without", metavar="CALLS",
                        help="the kernel lacks these system calls: \"openat2,clone3\", "
                        "\"linux-5.10\", \"EPERM:pidfd\" (see without.c)")
    parser.add_argument("files", nargs="*", metavar="FILE")
    options = parser.parse_args()
    jobs = discover(options.files, options.k)
    if options.list:
        print("\n".join(job.name for job in jobs))
        return 0
    os.umask(0o022)
    signal.signal(signal.SIGTERM, lambda *_args: sys.exit("run.py: terminated"))
    world = World(choose_runtime(options.runtime), options.without)
    runner = Runner(world, max(1, options.j))
    try:
        hostside.become_subreaper()
        world.build_rootfs()
        if any(job.flavor == "rootless" for job in jobs):
            world.make_user()
            if not world.rootless_works():
                runner.impossible["rootless"] = "the kernel refuses user namespaces to users"
            # Before the tests have mount namespaces of their own, which would not see its directory.
            if any("systemd" in job.module for job in jobs):
                systemd_host.start_user_manager(world.user[0])
        runner.run(jobs)
    finally:
        for job in runner.running:
            job.abort(world)
        hostside.kill_tree(os.getpid(), with_root=False)
        hostside.reap()
        world.close()
    counts = runner.counts
    print(f"{counts['ok']} passed, {counts['FAIL']} failed, {counts['skip']} skipped")
    return 1 if counts["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
