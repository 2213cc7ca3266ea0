# SPDX-License-Identifier: Apache-2.0
"""What an engine's scenarios are made of; README.md describes the interface."""

import inspect
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import time
import traceback

import contain
import hostside
import terminals
from results import Result

# Deadlines are for a real machine; an emulated or crowded one is slower.
PATIENCE = float(os.environ.get("CRUN_TEST_PATIENCE") or 1)
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Skip(Exception):
    """Why a scenario, or a whole engine, cannot run here."""


class TimedOut(Exception):
    """A scenario took longer than it may."""


def scenario(quick=False, flavors=("root", "rootless"), timeout=300, needs=()):
    """Make a method of an Engine a scenario; see README.md."""
    def mark(function):
        function.scenario = {"quick": quick, "flavors": flavors, "timeout": timeout,
                             "needs": needs}
        return function
    return mark


def ulimit(name):
    """NAME=SOFT:HARD of what there is: engines ask for more than a root may have who is not
    allowed to raise limits.
    """
    hard = resource.getrlimit(getattr(resource, "RLIMIT_" + name.upper()))[1]
    hard = 4096 if hard == resource.RLIM_INFINITY else min(hard, 4096)
    return f"{name}={hard}:{hard}"


class Engine:
    """One engine in one flavor, in a room of its own: the base of all engine_*.py."""

    name = None                  # what --engine takes
    flavors = ("root", "rootless")
    programs = ()                # without one of them the engine is skipped
    keep_processes = ()          # names (comm) that may stay between scenarios
    keep_cgroups = ()            # regular expressions of paths below the room's root, likewise
    keep_mounts = ()             # regular expressions of mount points, likewise
    own_root = False             # root() gives another root file system, which has the programs
    start_timeout = 180

    def __init__(self, world, flavor, folder):
        self.world, self.flavor, self.dir = world, flavor, folder
        self.rootless = flavor == "rootless"
        self.uid = contain.UID if self.rootless else 0
        self.runtime = world.runtime
        self.home = os.path.join(folder, "home")
        self.run_dir = f"/run/user/{self.uid}" if self.rootless else "/run"
        self.counter = 0
        self.children, self.ptys = [], []

    # ---- for engines to define ----

    @classmethod
    def root(cls):
        """Another root file system (a directory, not changed) to run in; may raise Skip."""
        return None

    def start(self):
        """Once, before the first scenario: settings, daemons, images."""

    def stop(self):
        """Once, after the last one: ends what start() began."""

    def tidy(self):
        """After each scenario: removes what it left, and returns a line for each such thing."""
        return []

    def state_dirs(self):
        """Directories of the runtime that must be empty after each scenario."""
        return [os.path.join(self.run_dir, "crun")]

    # ---- for scenarios ----

    def skip(self, reason):
        raise Skip(reason)

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def mkdir(self, name, mode=0o755):
        path = self.path(name)
        os.makedirs(path, exist_ok=True)
        os.chmod(path, mode)
        os.chown(path, self.uid, self.uid)
        return path

    def file(self, name, text="", mode=0o644):
        path = self.path(name)
        with open(path, "wb") as out:
            out.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(path, mode)
        os.chown(path, self.uid, self.uid)
        return path

    @staticmethod
    def read(path):
        with open(path, encoding="utf-8", errors="replace") as source:
            return source.read()

    @staticmethod
    def log(*words):
        print(*words, flush=True)

    @staticmethod
    def wait_until(function, what, timeout=60):
        deadline = time.monotonic() + timeout * PATIENCE
        while True:
            value = function()
            if value:
                return value
            if time.monotonic() > deadline:
                raise AssertionError(f"timed out waiting for {what}")
            time.sleep(0.05)

    def environment(self, env=None):
        """What a program of this room gets: PATH, HOME, TMPDIR, XDG_RUNTIME_DIR of a user."""
        base = {"PATH": PATH, "HOME": self.home, "LC_ALL": "C", "TMPDIR": self.path("tmp"),
                "USER": contain.USER if self.rootless else "root"}
        if self.rootless:
            base["XDG_RUNTIME_DIR"] = self.run_dir
        for name, value in os.environ.items():
            if name.startswith(("ASAN_", "UBSAN_", "LSAN_")):
                base[name] = value
        base.update(env or {})
        return {name: value for name, value in base.items() if value is not None}

    def popen(self, *argv, env=None, as_root=False, **kwargs):
        """A program of the flavor's user in the background; killed after the scenario."""
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        kwargs.setdefault("cwd", self.dir)
        kwargs = dict(contain.ids(self.rootless and not as_root), **kwargs)
        child = subprocess.Popen([str(word) for word in argv], env=self.environment(env), **kwargs)
        self.children.append(child)
        return child

    def run(self, *argv, check=True, input=None, timeout=120, **kwargs):
        """A program of the flavor's user -> .rc .out .err; its output goes through files."""
        self.counter += 1
        paths = [self.file(f"log/{self.counter}.{name}", mode=0o666) for name in ("out", "err")]
        if input is not None:
            kwargs["stdin"] = subprocess.PIPE
            input = input.encode() if isinstance(input, str) else input
        with open(paths[0], "r+b") as out, open(paths[1], "r+b") as err:
            kwargs.setdefault("stdout", out)
            kwargs.setdefault("stderr", err)
            child = self.popen(*argv, **kwargs)
        try:
            child.communicate(input, timeout=timeout * PATIENCE)
        except subprocess.TimeoutExpired:
            hostside.kill_tree(child.pid)
            child.wait()
            result = Result(child.args, 137, *paths)
            raise AssertionError(f"timed out after {timeout} s: {result}") from None
        self.children.remove(child)
        code = child.returncode if child.returncode >= 0 else 128 - child.returncode
        result = Result(child.args, code, *paths)
        self.log("+", result)
        if check:
            assert code == 0, result
        return result

    def in_cgroup(self, name, *argv, **kwargs):
        """run() as root, in a cgroup of that name below the room's root, which goes afterwards."""
        points = list(hostside.cgroup_mounts().values())
        places = [os.path.join(point, name) for point in points]
        for point, place in zip(points, places):
            os.mkdir(place)
            for file in ("cpuset.cpus", "cpuset.mems"):   # of v1, where they begin empty
                if os.path.exists(os.path.join(point, file)) and \
                        not os.path.exists(os.path.join(place, "cgroup.controllers")):
                    contain.write(os.path.join(place, file), self.read(os.path.join(point, file)))
        enter = "for p; do [ $p = -- ] && break; echo $$ > $p/cgroup.procs; done; " \
                "while [ $1 != -- ]; do shift; done; shift; exec \"$@\""
        try:
            return self.run("sh", "-c", enter, "sh", *places, "--", *argv, as_root=True, **kwargs)
        finally:
            for place in places:
                hostside.remove_cgroup(place)

    def pty(self, *argv, env=None, **kwargs):
        """The same on a terminal: see Pty in tests/integration/terminals.py."""
        pty = terminals.Pty([str(word) for word in argv], env=self.environment(env),
                            setup=lambda: contain.become(self.rootless), **kwargs)
        os.fchown(pty.slave, self.uid, -1)
        self.ptys.append(pty)
        return pty

    def image_tar(self):
        """A tar archive of the busybox root file system, for `import`."""
        return self.world.image_tar

    # ---- what is left ----

    def _stop_children(self):
        for pty in self.ptys:
            pty.close()
        for child in self.children:
            if child.poll() is None:
                hostside.kill_tree(child.pid)
                child.wait()
        self.ptys, self.children = [], []

    def keep_running(self, child):
        """A daemon of start(): popen()'s result that is not ended with the scenario."""
        self.children.remove(child)
        return child


class Room:
    """Runs an engine's scenarios inside of its room, and looks for what they leave."""

    settling = 20   # seconds that what ends by itself may take after a scenario

    def __init__(self, engine, report):
        self.engine, self.report = engine, report
        self.before = {}

    def say(self, verdict, name, reason, began, output=""):
        self.report({"verdict": verdict, "name": name, "reason": str(reason)[:600],
                     "seconds": time.monotonic() - began, "output": output})

    # ---- leftovers ----

    @staticmethod
    def cgroups():
        found = set()
        for point in hostside.cgroup_mounts().values():
            found.update(path for path in hostside.cgroup_tree(point)
                         if path not in (point, os.path.join(point, "init")))
        return found

    def processes(self, with_kept=False):
        kept = () if with_kept else self.engine.keep_processes
        return {pid: name for pid, (_parent, _state, name) in hostside.processes().items()
                if pid not in (1, os.getpid()) and name not in kept}

    def mounts(self):
        return {number: entry[0] for number, entry in hostside.mount_table().items()}

    def look(self):
        self.before = {"cgroups": self.cgroups(), "mounts": set(self.mounts()),
                       "processes": set(self.processes(True))}

    def leftovers(self):
        engine = self.engine
        found = [f"process {pid} ({name})" for pid, name in self.processes().items()
                 if pid not in self.before["processes"]]
        tops = list(hostside.cgroup_mounts().values())
        for path in sorted(self.cgroups() - self.before["cgroups"]):
            top = max((top for top in tops if path.startswith(top + "/")), key=len)
            if not any(re.fullmatch(p, path[len(top):]) for p in engine.keep_cgroups):
                found.append(f"cgroup {path}")
        for number, point in self.mounts().items():
            if number not in self.before["mounts"] and \
                    not any(re.fullmatch(p, point) for p in engine.keep_mounts):
                found.append(f"mount {point}")
        for path in engine.state_dirs():
            if os.path.isdir(path):
                found += [f"state {path}/{name}" for name in sorted(os.listdir(path))
                          if not name.startswith(".")]
        return found

    def remove_leftovers(self):
        for pid in self.processes():
            if pid not in self.before["processes"]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        for path in sorted(self.cgroups() - self.before["cgroups"], reverse=True):
            if not {1, os.getpid()} & set(hostside.cgroup_pids(path)):
                hostside.remove_cgroup(path)
        for number, point in sorted(self.mounts().items(), reverse=True):
            if number not in self.before["mounts"]:
                try:
                    hostside.umount(point)
                except OSError:
                    pass
        for path in self.engine.state_dirs():
            for name in os.listdir(path) if os.path.isdir(path) else ():
                shutil.rmtree(os.path.join(path, name), ignore_errors=True)

    def settled(self, times=1):
        """Leftovers that are still there after a while: much ends a moment after the command."""
        deadline = time.monotonic() + times * self.settling * PATIENCE
        while True:
            hostside.reap()
            left = self.leftovers()
            if not left or time.monotonic() > deadline:
                return left
            time.sleep(0.05)

    # ---- one after the other ----

    def one(self, name, function):
        engine, facts = self.engine, function.scenario
        began = time.monotonic()
        output = engine.path("output")
        verdict, reason = "ok", ""
        with Output(output):
            try:
                self.needed(facts["needs"])
                self.limited(function, facts["timeout"])
            except Skip as skip:
                verdict, reason = "skip", skip
            except Exception as err:   # pylint: disable=broad-except
                traceback.print_exc()
                verdict = "FAIL"
                reason = str(err).split("\n", maxsplit=1)[0] or type(err).__name__
            left = self.clean(output)
        if left and verdict != "FAIL":
            verdict, reason = "FAIL", "left: " + "; ".join(left)
        self.say(verdict, name, reason, began, engine.read(output) if verdict == "FAIL" else "")

    @staticmethod
    def needed(programs):
        for program in programs:
            if not shutil.which(program, path=PATH):
                raise Skip(f"{program} is not installed")

    @staticmethod
    def limited(function, seconds):
        def ring(_number, _frame):
            raise TimedOut(f"took more than {seconds} s")
        signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, seconds * PATIENCE)
        try:
            return function()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def clean(self, _output):
        left = []
        self.engine._stop_children()   # pylint: disable=protected-access
        try:
            left += self.limited(self.engine.tidy, 60) or []
        except Exception as err:   # pylint: disable=broad-except
            traceback.print_exc()
            left.append(f"tidying failed: {err}"[:200])
        more = self.settled()
        if more:
            print("left:", *more, sep="\n    ", flush=True)
            self.remove_leftovers()
        return left + more

    def run(self, jobs):
        self.all(jobs)
        self.report({"end": True})

    def shell(self, command):
        """Instead of scenarios: one command in the room, after the engine's start."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        engine = self.prepare()
        engine.start()
        subprocess.call(["sh", "-c", command], env=engine.environment(dict(os.environ, **engine.environment())), cwd=engine.dir,
                        **contain.ids(engine.rootless))
        engine.tidy()
        engine.stop()

    def prepare(self):
        engine = self.engine
        os.chdir(engine.dir)   # wherever run.py was called, that directory may be hidden
        for name in ("home", "log", "tmp"):
            engine.mkdir(name)
        if engine.rootless:
            os.makedirs(engine.run_dir, 0o700)
            os.chown(engine.run_dir, engine.uid, engine.uid)
        return engine

    def all(self, jobs):
        began = time.monotonic()
        engine = self.prepare()
        output = engine.path("output")
        if engine.rootless and not contain.users_may_unshare():
            for name, _function in jobs:
                self.say("skip", name, "the kernel refuses user namespaces to users", began)
            return
        self.look()
        with Output(output):
            try:
                self.limited(engine.start, engine.start_timeout)
                failed = None
            except Skip as skip:
                failed = "skip", str(skip)
            except Exception as err:   # pylint: disable=broad-except
                traceback.print_exc()
                failed = "FAIL", str(err).split("\n", maxsplit=1)[0]
        first = self.before
        if failed and failed[0] == "skip":
            for name, _function in jobs:
                self.say("skip", name, failed[1], began)
        elif failed:
            self.say("FAIL", "start of the engine", failed[1], began, engine.read(output))
        else:
            self.look()
            for name, function in jobs:
                self.one(name, function)
        self.before = first
        self.end()

    def end(self):
        began = time.monotonic()
        output = self.engine.path("output")
        with Output(output):
            try:
                self.limited(self.engine.stop, 120)
                left = self.at_the_end()
            except Exception as err:   # pylint: disable=broad-except
                traceback.print_exc()
                left = [str(err)]
        if left:
            self.say("FAIL", "nothing is left at the end", "; ".join(left), began,
                     self.engine.read(output))
        else:
            self.say("ok", "nothing is left at the end", "", began)

    def at_the_end(self):
        """Now nothing may stay but the engine's own cgroups and mounts, which are without processes."""
        kept, self.engine.keep_processes = self.engine.keep_processes, ()
        left = self.settled(2)
        self.engine.keep_processes = kept
        return left


class Output:
    """What a scenario prints goes to a file, which is shown when it fails."""

    def __init__(self, path):
        self.path, self.saved = path, []

    def __enter__(self):
        new = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        for number in (1, 2):
            self.saved.append(os.dup(number))
            os.dup2(new, number)
        os.close(new)

    def __exit__(self, *_exception):
        for number, saved in zip((1, 2), self.saved):
            os.dup2(saved, number)
            os.close(saved)


def scenarios_of(engine_class):
    """(title, attribute, facts) in the order in which they are written, base classes first."""
    found = {}
    for base in reversed(engine_class.__mro__):
        for name, function in vars(base).items():
            if hasattr(function, "scenario"):
                found.setdefault(name, None)
    table = []
    for name in found:
        function = inspect.getattr_static(engine_class, name)
        if hasattr(function, "scenario"):   # a subclass takes one away by setting it to None
            table.append((name.replace("_", " "), name, function.scenario))
    return table


def send(pipe, message):
    os.write(pipe, json.dumps(message).encode() + b"\n")
