#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""That what a scenario leaves is found, and fails it: make check runs this.

Engines of a few lines leave one thing of each kind in rooms that are made like those of the real
ones.  Each must be named in the line of the scenario that left it, and in no other line.
"""

import contextlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import run      # noqa: E402  pylint: disable=wrong-import-position
from run import framework, hostside, printer    # noqa: E402  pylint: disable=wrong-import-position

Engine, scenario = framework.Engine, framework.scenario

EXIT_SKIP = 77
LEFT = ["setsid", "-f", "sleep", "1000"]   # as a child of the room's first process


def needed():
    """Why no room can be made here; None when it can."""
    if os.geteuid() != 0:
        return "needs root"
    if not hostside.cgroup_mounts():
        return "no cgroup file system is mounted"
    done = subprocess.run(["unshare", "--mount", "--net", "--pid", "--fork", "true"],
                          capture_output=True, text=True, check=False)
    return done.stderr.strip() or "no namespaces" if done.returncode else None


class World:
    """A room's surroundings, without the image that nobody here runs."""

    def __init__(self, folder):
        self.dir, self.runtime = folder, os.path.join(folder, "bin/crun")
        os.chmod(folder, 0o755)
        os.mkdir(os.path.join(folder, "bin"))
        shutil.copy("/bin/true", self.runtime)


class Leaks(Engine):
    """After each scenario that leaves something comes one that must not be blamed for it."""

    flavors = ("root",)
    keep_processes = ("kept-daemon",)
    keep_mounts = (r".*/kept",)
    keep_cgroups = (r"/kept",)

    def tidy(self):
        note = self.path("container")
        if not os.path.exists(note):
            return []
        os.unlink(note)
        return ["container of the engine"]

    @staticmethod
    def cgroup(name):
        point = sorted(hostside.cgroup_mounts().values())[0]
        os.mkdir(os.path.join(point, name))
        return os.path.join(point, name)

    def mount(self, name):
        hostside.mount("tmpfs", self.mkdir(name), "tmpfs", 0)

    @scenario()
    def nothing(self):
        self.run("true")
        self.popen("sleep", "1000")   # is ended with the scenario

    @scenario()
    def process(self):
        self.run(*LEFT)

    @scenario()
    def nothing_after_the_process(self):
        for _try in range(200):   # it was killed, and may not have ended yet
            alive = [name for _parent, state, name in hostside.processes().values() if state != "Z"]
            if "sleep" not in alive:
                return
            time.sleep(0.05)
        raise AssertionError(alive)

    @scenario()
    def mountpoint(self):
        self.mount("left")

    @scenario()
    def nothing_after_the_mountpoint(self):
        assert not os.path.ismount(self.path("left"))

    @scenario()
    def cgroup_below_a_kept_one(self):
        os.mkdir(os.path.join(self.cgroup("kept"), "left"))

    @scenario()
    def nothing_after_the_cgroup(self):
        pass

    @scenario()
    def process_in_a_cgroup(self):
        self.run("sh", "-c", f"echo $$ >{self.cgroup('busy')}/cgroup.procs; exec setsid -f sleep 1000")

    @scenario()
    def state_of_the_runtime(self):
        os.makedirs("/run/crun/container")

    @scenario()
    def what_the_engine_says(self):
        self.file("container")

    @scenario()
    def what_is_kept(self):
        self.mount("kept")

    @scenario()
    def failure_that_leaves_something_too(self):
        self.run(*LEFT)
        assert False, "the cause"

    @scenario(timeout=1)
    def endless(self):
        time.sleep(1000)

    @scenario()
    def skipped(self):
        self.run(*LEFT)
        self.skip("the reason")

    @scenario(needs=("no-such-program",))
    def program_that_is_missing(self):
        raise AssertionError("was called")


class EndsLate(Engine):
    """What may stay between scenarios may not stay after the engine's end."""

    flavors = ("root",)
    keep_processes = ("sleep",)

    @scenario()
    def daemon(self):
        self.run(*LEFT)


class EndsEarly(Engine):
    """Its second scenario is never reported."""

    flavors = ("root",)

    @scenario()
    def good(self):
        pass

    @scenario()
    def fatal(self):
        os._exit(3)

    @scenario()
    def later(self):
        pass


# scenario -> verdict, and words that the reason must have
EXPECTED = {
    Leaks: {
        "nothing": ("ok",),
        "process": ("FAIL", "left: process", "(sleep)"),
        "nothing after the process": ("ok",),
        "mountpoint": ("FAIL", "left: mount", "/left"),
        "nothing after the mountpoint": ("ok",),
        "cgroup below a kept one": ("FAIL", "left: cgroup", "/kept/left"),
        "nothing after the cgroup": ("ok",),
        "process in a cgroup": ("FAIL", "left: process", "; cgroup", "/busy"),
        "state of the runtime": ("FAIL", "left: state /run/crun/container"),
        "what the engine says": ("FAIL", "left: container of the engine"),
        "what is kept": ("ok",),
        "failure that leaves something too": ("FAIL", "the cause"),
        "endless": ("FAIL", "took more than 1 s"),
        "skipped": ("FAIL", "left: process", "(sleep)"),
        "program that is missing": ("skip", "no-such-program is not installed"),
        "nothing is left at the end": ("ok",),
    },
    EndsLate: {
        "daemon": ("ok",),
        "nothing is left at the end": ("FAIL", "process", "(sleep)"),
    },
    EndsEarly: {
        "good": ("ok",),
        "left on the host": ("FAIL", "the room ended too early, with status 0x300"),
    },
}


def drive(world, engine_class, number):
    """[(verdict, scenario, reason)...] of an engine, and the counts that run.py would end with."""
    engine_class.name = engine_class.__name__
    seen, say = [], printer.Printer()
    jobs = framework.scenarios_of(engine_class)

    def hear(label, message):
        seen.append((message["verdict"], message["name"], message["reason"]))
        say(label, message)
    session = run.Session(world, engine_class, "root", jobs, number)
    with contextlib.redirect_stdout(io.StringIO()):
        session.run(hear, None)
    for point in hostside.cgroup_mounts().values():
        assert not os.path.exists(os.path.join(point, session.cgroup)), point
    return seen, say.counts


def check(world, engine_class, number):
    seen, counts = drive(world, engine_class, number)
    expected = EXPECTED[engine_class]
    for verdict, name, reason in seen:
        wanted, *words = expected.get(name, ("no such line",))
        assert verdict == wanted and all(word in reason for word in words), (name, verdict, reason)
        print(f"ok {engine_class.name} {name}: {verdict} {reason}", flush=True)
    assert sorted(name for _verdict, name, _reason in seen) == sorted(expected), seen
    failed = [name for name, (verdict, *_words) in expected.items() if verdict == "FAIL"]
    assert counts["FAIL"] == len(failed), counts


def main():
    reason = needed()
    if reason:
        print(f"skip check_engines ({reason})")
        return EXIT_SKIP
    framework.Room.settling = 2
    folder = tempfile.mkdtemp(prefix="crun-check-engines-", dir="/var/tmp")
    try:
        world = World(folder)
        for number, engine_class in enumerate(EXPECTED):
            check(world, engine_class, number)
    finally:
        subprocess.run(["rm", "-rf", "--one-file-system", folder], check=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
