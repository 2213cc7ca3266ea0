#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Attack an OCI runtime: one line per case, the counts last, non-zero if any failed.

Each case has a canary host of its own (host.py), in which the runtime runs as root or as an ordinary
user.  That keeps a runtime with a hole away from the machine's files, but not from its kernel: a
runtime that is not the one of this tree is refused unless --throwaway says that the machine, a
virtual one for example, may be lost.  Needs Python 3.11, a static busybox, and a C compiler or
$CORPUS_PROBE, a static probe that was compiled elsewhere.
"""

import argparse
import ctypes
import gc
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
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import case as cases    # noqa: E402  pylint: disable=wrong-import-position
import host             # noqa: E402  pylint: disable=wrong-import-position

MODULES = ("cases_shapes", "cases_races", "cases_inside", "cases_fds", "cases_identity", "cases_lsm",
           "cases_audit")
OURS = "say what this host lacks to run containers"     # of the command `doctor`


class World:
    """What all cases of one run share: the programs, and what the machine is like."""

    def __init__(self, options):
        self.options = options
        self.dir = tempfile.mkdtemp(prefix="oci-corpus-")
        os.chmod(self.dir, 0o755)
        self.cgroup_mounts = list(host.cgroup_mounts().values())
        for name in ("bin", "root"):
            os.mkdir(os.path.join(self.dir, name))
        self.runtime = shutil.which(options.runtime) or options.runtime
        if not os.access(self.runtime, os.X_OK):
            raise SystemExit(f"run.py: no runtime at {self.runtime}")

    def build(self):
        busybox = os.environ.get("BUSYBOX") or shutil.which("busybox.static") \
            or shutil.which("busybox")
        if not busybox:
            raise SystemExit("run.py: busybox (static) is needed: install busybox-static")
        shutil.copy(busybox, f"{self.dir}/bin/busybox")
        ready = os.environ.get("CORPUS_PROBE")
        if ready:
            shutil.copy(ready, f"{self.dir}/bin/probe")
            return
        compiler = os.environ.get("CC", "cc").split()
        subprocess.check_call([*compiler, "-static", "-O1", "-o", f"{self.dir}/bin/probe",
                               f"{HERE}/probe.c"])

    def binds(self):
        """Python loads parts of itself when they are needed."""
        own = [] if sys.base_prefix.startswith("/usr") else [sys.base_prefix]
        return own + self.options.bind

    def check_runtime(self):
        if self.options.throwaway:
            return
        told = subprocess.run([self.runtime, "--help"], capture_output=True, text=True, check=False)
        if OURS not in told.stdout:
            raise SystemExit("run.py: this is not the runtime of this tree; a hole in it could hurt "
                             "this machine. Give --throwaway where that does not matter.")


class Job:
    """One case in one flavor: a child that makes the namespaces, and the canary host's first process."""

    def __init__(self, entry, number):
        self.entry, self.number = entry, number
        tags = " ".join(entry["tags"])
        self.name = entry["name"] + entry["shown"]
        self.label = self.name + (f" [{tags}]" if tags else "")
        self.limit = entry["limit"] * cases.PATIENCE
        self.pid = self.report = self.output = self.began = None
        self.prefix = f"oci-corpus-{os.getpid()}-{number}"

    def begin(self, world):
        self.output = os.path.join(world.dir, f"output{self.number}")
        self.report, write_end = os.pipe()
        self.began = time.monotonic()
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid:
            os.close(write_end)
            return
        status = 1
        try:
            os.close(self.report)
            host.LIBC.prctl(host.PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            host.check(host.LIBC.unshare(host.NEWNS | host.NEWPID | host.NEWIPC | host.NEWUTS),
                       "unshare")
            first = os.fork()
            if first == 0:
                self.child(world, write_end)
            os.close(write_end)
            status = os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])
        except BaseException:   # pylint: disable=broad-except
            traceback.print_exc()
        finally:
            os._exit(abs(status))

    def child(self, world, report):
        """The first process of the canary host."""
        verdict, reason, rows = "FAIL", "", 0
        try:
            host.LIBC.prctl(host.PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            self.plumb(report)
            runtime = host.enter(world.dir, world.runtime, world.binds())
            c = cases.Case(world, self.prefix, self.entry["flavor"], runtime)
            try:
                self.entry["function"](c)
                verdict = "ok"
            except cases.Skip as skip:
                verdict, reason = "skip", str(skip)
            left = c.finish()
            rows = c.rows
            if left:
                verdict, reason = "FAIL", "; ".join([reason] * bool(reason) + left)
        except BaseException as err:   # pylint: disable=broad-except
            traceback.print_exc()
            verdict, reason = "FAIL", f"{type(err).__name__}: {err}".split("\n", maxsplit=1)[0]
        os.write(900, json.dumps([verdict, reason[:400], rows]).encode())
        os._exit(0)

    def plumb(self, report):
        os.dup2(report, 900)
        out = os.open(self.output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        null = os.open("/dev/null", os.O_RDONLY)
        for old, new in ((null, 0), (out, 1), (out, 2)):
            os.dup2(old, new)
        os.closerange(3, 900)
        os.set_inheritable(900, False)
        os.umask(0o022)
        os.setsid()

    def end(self):
        data = os.read(self.report, 65536)
        os.close(self.report)
        for path in host.find_cgroups(self.prefix):
            host.remove_cgroup(path)
        return json.loads(data) if data else ["FAIL", "the case's process died", 0]

    def abort(self):
        host.kill(self.pid)
        os.waitpid(self.pid, 0)
        self.end()
        return ["FAIL", f"not done after {self.limit:.0f} s", 0]


class Runner:
    def __init__(self, world):
        self.world, self.running, self.results = world, [], []

    def say(self, job, verdict, reason, rows):
        spent = time.monotonic() - job.began if job.began else 0.0
        self.results.append({"case": job.name, "tags": list(job.entry["tags"]), "verdict": verdict,
                             "reason": reason, "rows": rows, "seconds": round(spent, 2)})
        more = f" ({reason})" if reason else f" ({rows} runs)" if rows > 1 else ""
        print(f"{verdict} {job.label}{more} [{spent:.1f}s]", flush=True)
        if job.output and os.path.exists(job.output):
            text = host.read(job.output).strip()
            if verdict == "FAIL" and text:
                text = text if len(text) < 6000 else text[:2000] + "\n[...]\n" + text[-4000:]
                print("".join(f"    {line}\n" for line in text.splitlines()), end="", flush=True)
            os.unlink(job.output)

    def step(self):
        if self.running:
            select.select([job.report for job in self.running], [], [], 0.2)
        for job in list(self.running):
            if os.waitpid(job.pid, os.WNOHANG)[0]:
                self.running.remove(job)
                self.say(job, *job.end())
            elif time.monotonic() - job.began > job.limit:
                self.running.remove(job)
                self.say(job, *job.abort())

    def run(self, jobs, width):
        gc.freeze()
        for job in jobs:
            if job.entry["flavor"] == "rootless" and not self.world.userns:
                self.say(job, "skip", "no user namespaces for ordinary users", 0)
                continue
            while len(self.running) >= width:
                self.step()
            job.begin(self.world)
            self.running.append(job)
        while self.running:
            self.step()

    def counts(self):
        return [sum(r["verdict"] == word for r in self.results) for word in ("ok", "FAIL", "skip")]


def user_namespaces():
    """Whether an ordinary user may make one."""
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(host.USER)
            os.setuid(host.USER)
            os._exit(1 if host.LIBC.unshare(0x10000000) else 0)
        finally:
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0


def table():
    """Markdown: what is known under a public name, and the cases that try it."""
    known = {}
    for entry in cases.CASES:
        for tag in entry["tags"]:
            names = known.setdefault(tag, [])
            if entry["name"] not in names:
                names.append(entry["name"])

    def order(tag):
        return (not tag.startswith("CVE"), [int(n) for n in re.findall(r"\d+", tag)], tag)

    lines = ["| known as | cases |", "|---|---|"]
    lines += [f"| {tag} | {', '.join(f'`{n}`' for n in known[tag])} |"
              for tag in sorted(known, key=order)]
    return "\n".join(lines) + "\n"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    built = os.path.join(os.environ.get("CRUN_BUILD", os.path.join(HERE, "../..")), "crun")
    parser.add_argument("--runtime", metavar="PATH", default=os.environ.get("RUNTIME") or built)
    parser.add_argument("-k", metavar="RE", default="", help="only cases whose name or tags match")
    parser.add_argument("-j", metavar="N", type=int, default=2, help="cases at a time")
    parser.add_argument("--flavor", choices=("root", "rootless"), help="only these cases")
    parser.add_argument("--all", action="store_true",
                        help="every combination of the shapes, and every descriptor (hours)")
    parser.add_argument("--sample", metavar="N", type=int, default=0,
                        help="of the shapes of each place only N, and few descriptors (emulators)")
    parser.add_argument("--rounds", metavar="N", type=int, default=8, help="of each race (8)")
    parser.add_argument("--json", metavar="FILE", help="the results, for programs")
    parser.add_argument("--throwaway", action="store_true",
                        help="this machine may be lost: any runtime is welcome")
    parser.add_argument("--bind", metavar="DIR", action="append", default=[],
                        help="a directory that the runtime needs, besides /usr and the like")
    parser.add_argument("--list", action="store_true", help="print the cases, run nothing")
    parser.add_argument("--table", action="store_true", help="print the table of README.md")
    return parser.parse_args()


def main():
    # Whoever called us with a closed standard stream must not have a case's report get its number.
    while os.open(os.devnull, os.O_RDWR) < 3:
        pass
    options = arguments()
    modules = [importlib.import_module(name) for name in MODULES]
    jobs = [Job(entry, n) for n, entry in enumerate(cases.CASES)]
    jobs = [job for job in jobs if re.search(options.k, job.label)
            and options.flavor in (None, job.entry["flavor"])]
    if options.table or options.list:
        print(table() if options.table else "".join(job.label + "\n" for job in jobs), end="")
        return 0
    if os.geteuid() != 0:
        raise SystemExit("run.py: the canary host can be made by root only")
    signal.signal(signal.SIGTERM, lambda *_args: sys.exit("run.py: terminated"))
    os.umask(0o022)
    ctypes.set_errno(0)
    for module in modules:
        if hasattr(module, "prepare") and any(m.entry["function"].__module__ == module.__name__
                                              for m in jobs):
            module.prepare()
    world = World(options)
    runner = Runner(world)
    try:
        world.check_runtime()
        world.build()
        world.userns = user_namespaces()
        runner.run(jobs, max(1, options.j))
    finally:
        for job in runner.running:
            job.abort()
        shutil.rmtree(world.dir, ignore_errors=True)
    passed, failed, skipped = runner.counts()
    if options.json:
        with open(options.json, "w", encoding="utf-8") as out:
            json.dump({"runtime": world.runtime, "passed": passed, "failed": failed,
                       "skipped": skipped, "cases": runner.results}, out, indent=1)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
