#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Start container engines for real, and drive them with crun as their runtime.

  run.py                         every engine that is installed, all scenarios
  run.py --quick                 a few scenarios of each, in less than a minute
  run.py --engine podman -k exec only that engine's scenarios that have "exec" in their name

One line per scenario: `ok|FAIL|skip engine[root|rootless] scenario (reason)`; the counts last, with
the reasons of all skips above them.  Each engine runs in a room of its own (contain.py): its
storage, its network, its cgroups, its users; what is left there after a scenario fails it.

The runtime under test is --runtime, else $RUNTIME, else crun in $CRUN_BUILD, else the one in the
top of the source tree.  Needs root, Python 3.9 and a static busybox.
"""

import argparse
import glob
import importlib
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "integration")]

import contain      # noqa: E402  pylint: disable=wrong-import-position
import framework    # noqa: E402  pylint: disable=wrong-import-position
import hostside     # noqa: E402  pylint: disable=wrong-import-position
import image        # noqa: E402  pylint: disable=wrong-import-position
import printer      # noqa: E402  pylint: disable=wrong-import-position


class World:
    """What all engines of one run share; .dir is seen under this name in every room."""

    def __init__(self, runtime, keep):
        self.keep = keep
        base = os.environ.get("CRUN_ENGINES_DIR") or "/var/tmp"
        self.dir = tempfile.mkdtemp(prefix="crun-engines-", dir=base)
        os.chmod(self.dir, 0o755)
        os.mkdir(os.path.join(self.dir, "bin"))
        self.runtime = os.path.join(self.dir, "bin", "crun")
        shutil.copy(runtime, self.runtime)
        os.chmod(self.runtime, 0o755)
        self.rootfs = os.path.join(self.dir, "rootfs")
        self.image_tar = os.path.join(self.dir, "image.tar")
        image.make(self.rootfs, self.image_tar)
        self.redis_tar = image.with_program(self.rootfs, "redis-server",
                                            os.path.join(self.dir, "redis.tar"))

    def close(self):
        if not self.keep:
            subprocess.run(["rm", "-rf", "--one-file-system", self.dir], check=False)


class Session:
    """One engine in one flavor: a process that reports line by line."""

    def __init__(self, world, engine_class, flavor, jobs, number):
        self.world, self.engine_class, self.flavor, self.jobs = world, engine_class, flavor, jobs
        self.label = f"{engine_class.name}[{flavor}]"
        self.dir = os.path.join(world.dir, f"e{number}")
        self.cgroup = f"crun-engines-{os.getpid()}-{number}"

    def child(self, pipe, shell):
        if not shell:
            os.dup2(os.open("/dev/null", os.O_RDWR), 0)
        contain.make_cgroups(self.cgroup)
        engine = self.engine_class(self.world, self.flavor, self.dir)
        room = framework.Room(engine, lambda message: framework.send(pipe, message))
        jobs = [(title, getattr(engine, name)) for title, name, _facts in self.jobs]
        contain.inside(self.dir, self.engine_class.root(), self.world.dir,
                       lambda: room.shell(shell) if shell else room.run(jobs))

    def run(self, say, shell):
        """Calls say() for each result."""
        os.mkdir(self.dir, 0o755)
        os.chown(self.dir, *(2 * [contain.UID if self.flavor == "rootless" else 0]))
        read_end, write_end = os.pipe()
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            try:
                os.close(read_end)
                self.child(write_end, shell)
            except framework.Skip as skip:
                framework.send(write_end, {"verdict": "skip", "name": "all", "seconds": 0,
                                           "reason": str(skip), "output": ""})
                os._exit(0)
            except BaseException as err:   # pylint: disable=broad-except
                framework.send(write_end, {"verdict": "FAIL", "name": "the room", "seconds": 0,
                                           "reason": f"{type(err).__name__}: {err}", "output": ""})
            finally:
                os._exit(1)
        os.close(write_end)
        complete = bool(shell)
        try:
            for message in messages(read_end):
                if "end" in message:
                    complete = True
                else:
                    complete = complete or message["name"] in ("all", "the room")
                    say(self.label, message)
            _pid, status = os.waitpid(pid, 0)
        except BaseException:
            hostside.kill_tree(pid)
            os.waitpid(pid, 0)
            raise
        finally:
            os.close(read_end)
            left = contain.remove_cgroups(self.cgroup)
        if not complete:
            left.append(f"the room ended too early, with status {status:#x}")
        for what in left:
            say(self.label, {"verdict": "FAIL", "name": "left on the host", "reason": what,
                             "seconds": 0, "output": ""})


def messages(pipe):
    """Objects that arrive as lines of JSON, until the last writer is gone."""
    data = b""
    while True:
        select.select([pipe], [], [])
        chunk = os.read(pipe, 1 << 16)
        if not chunk:
            return
        data += chunk
        *lines, data = data.split(b"\n")
        for line in lines:
            yield json.loads(line)


def engines():
    """All subclasses of Engine that have a name, in the files engine_*.py."""
    for path in sorted(glob.glob(os.path.join(HERE, "engine_*.py"))):
        importlib.import_module(os.path.basename(path)[:-3])
    found, queue = [], [framework.Engine]
    while queue:
        for sub in queue.pop(0).__subclasses__():
            if vars(sub).get("name") and sub not in found:
                found.append(sub)
            queue.append(sub)
    return sorted(found, key=lambda cls: cls.name)


def plan(options):
    """(class, flavor, jobs) of everything that was asked for."""
    known = engines()
    names = [cls.name for cls in known]
    for name in options.engine:
        if name not in names:
            raise SystemExit(f"run.py: no engine {name}: it is one of {', '.join(names)}")
    for cls in known:
        if options.engine and cls.name not in options.engine:
            continue
        if options.quick and cls.own_root and not options.engine:   # its root takes minutes
            continue
        for flavor in cls.flavors:
            if options.flavor and flavor != options.flavor:
                continue
            jobs = [job for job in framework.scenarios_of(cls) if flavor in job[2]["flavors"]
                    and (job[2]["quick"] or not options.quick)
                    and re.search(options.k, f"{cls.name}[{flavor}] {job[0]}")]
            if jobs:
                yield cls, flavor, jobs


def missing(cls):
    """Why an engine cannot run here at all."""
    for program in cls.programs:
        if not shutil.which(program, path=framework.PATH):
            return f"{program} is not installed"
    return None


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--quick", action="store_true", help="only the scenarios that are marked quick")
    add("--engine", metavar="NAME", action="append", default=[], help="may be repeated")
    add("--flavor", choices=("root", "rootless"))
    add("-k", metavar="TEXT", default="", help="only scenarios whose line matches (a regular expression)")
    add("--runtime", metavar="PATH")
    add("--shell", metavar="COMMAND", help="run only this in the room of the engine")
    add("--list", action="store_true", help="print the scenarios, run nothing")
    add("--keep", action="store_true", help="keep the temporary directory, and name it")
    return parser.parse_args()


def choose_runtime(option):
    top = os.path.dirname(os.path.dirname(HERE))
    path = option or os.environ.get("RUNTIME") or \
        os.path.join(os.environ.get("CRUN_BUILD", top), "crun")
    if not os.access(path, os.X_OK):
        raise SystemExit(f"run.py: no runtime at {path} (build it, or say --runtime)")
    return path


def main():
    options = parse()
    todo = list(plan(options))
    if options.list:
        for cls, flavor, jobs in todo:
            for title, _name, facts in jobs:
                print(f"{cls.name}[{flavor}] {title}" + (" (quick)" if facts["quick"] else ""))
        return 0
    os.umask(0o022)
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):   # a shell's background job
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, lambda *_args: sys.exit("run.py: terminated"))
    say = printer.Printer()
    impossible = None if os.geteuid() == 0 else "needs root"
    began, world = time.monotonic(), None
    try:
        for number, (cls, flavor, jobs) in enumerate(todo):
            reason = impossible or (missing(cls) if not cls.own_root else None)
            if not reason and world is None:
                world = World(choose_runtime(options.runtime), options.keep)
            if reason:
                say(f"{cls.name}[{flavor}]", {"verdict": "skip", "name": f"{len(jobs)} scenarios",
                                              "reason": reason, "seconds": 0, "output": ""})
                continue
            Session(world, cls, flavor, jobs, number).run(say, options.shell)
    finally:
        if world:
            world.close()
            if options.keep:
                print(f"kept: {world.dir}")
    print(f"{time.monotonic() - began:.0f} s", flush=True)
    say.summary()
    return 1 if say.counts["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
