#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make system calls and allocations of the runtime fail, one at a time, and kill its processes there.

An undisturbed run of each command tells which calls there are. The command must then fail with a message,
or succeed in full; it must not hang; and after `delete --force` nothing may be left. Prints a line per fault
that does not end so, and the counts. A fault's name (see faults.py) repeats it: run.py -k NAME --all.
"""

import argparse
import collections
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integration"))

import faults       # noqa: E402  pylint: disable=wrong-import-position
import harness      # noqa: E402  pylint: disable=wrong-import-position
import messages     # noqa: E402  pylint: disable=wrong-import-position
import hostside     # noqa: E402  pylint: disable=wrong-import-position
import run as integration   # noqa: E402  pylint: disable=wrong-import-position
import partners     # noqa: E402  pylint: disable=wrong-import-position
import scenarios    # noqa: E402  pylint: disable=wrong-import-position

SCENARIOS = {**scenarios.SCENARIOS, **partners.SCENARIOS}

FLAVORS = ("root", "v2", "rootless")
LIMIT = 60   # seconds for a command, which takes a hundredth
COUNTS = "=QQQ"
# A sanitizer that cannot work without the call; and one that says nothing of the program.
NOT_OURS = re.compile(r"Sanitizer: CHECK failed: sanitizer_|ERROR: Failed to mmap|"
                      r"LeakSanitizer has encountered a fatal error")


class Misbehaviour(Exception):
    """What the oracle says."""


class NotOurs(Exception):
    """What failed, or could not bear it, was somebody else's."""


def library_in(report):
    """
    The library whose mistake a sanitizer reports, or None. When an allocation fails, libseccomp (2.5.4) leaks and frees twice; and
    vasprintf (glibc 2.36) writes the end of 100 characters behind the 100 bytes that it could not make more.
    """
    if re.search(r"heap-buffer-overflow.*\nWRITE .*\n +#0 .* in __interceptor_vasprintf ", report):
        return "vasprintf"
    parts = [part for part in report.split("\n\n") if re.search(r"^ +#0 ", part, re.M)]
    # The first frames are the allocator's; who asked it for the block is what counts.
    callers = [re.findall(r"^ +#\d+ .*", part, re.M)[:4] for part in parts]
    whole = parts and all("libseccomp.so" in " ".join(lines) for lines in callers)
    return "libseccomp" if whole else None


class Lab:
    """One scenario in one flavor: its container, and the tools to disturb it."""

    def __init__(self, world, t, name):
        self.world, self.t, self.name = world, t, name
        self.tools = os.path.join(world.dir, "tools")
        self.scenario = SCENARIOS[name](t, name)
        self.record = t.path("record")
        self.report = t.path("report")
        self.counts = t.path("counts")
        self.log = t.path("log")
        for path in (self.record, self.report, self.counts, self.log):
            t.file(path, mode=0o666)
        self.facts = self.clean = None

    # ---- running ----

    def command(self):
        """With the log in a file: inject.c reads the phases when they are written there."""
        os.truncate(self.log, 0)
        return [self.t.runtime, "--root", self.t.state_dir, "--log", self.log, "--log-format", "json",
                "--log-level", "debug", *self.scenario.argv()]

    def run(self, argv, env=None, leaks=True, **options):
        """Its result, with the warnings that the log has. What a sanitizer finds raises an exception."""
        if self.world.sanitized:
            # In front of it lies preload.so; and where its words cannot be seen, the signal tells.
            env = {"ASAN_OPTIONS": f"detect_leaks={int(leaks)}:verify_asan_link_order=0:abort_on_error=1:"
                                   "fast_unwind_on_malloc=0",
                   "UBSAN_OPTIONS": "print_stacktrace=1:abort_on_error=1", **(env or {})}
        try:
            result = self.t.rt(argv=argv, check=False, timeout=LIMIT, env=env, **options)
        except AssertionError as err:
            library = self.world.sanitized and library_in(str(err))
            if library:
                raise NotOurs(f"it is more than {library} can bear") from err
            raise
        with open(self.log, encoding="utf-8", errors="replace") as lines:
            result.warnings = [line for line in lines if '"level":"warning"' in line]
        return result

    def inject(self, *options, leaks=True):
        """The command below inject.c, which root runs also for an ordinary user."""
        who = ["--user", f"{self.t.uid}:{self.t.gid}"] if self.t.rootless else []
        argv = [os.path.join(self.tools, "inject"), *who, *options, *self.command()]
        drop = {"user": None, "group": None, "extra_groups": None} if self.t.rootless else {}
        return self.run(argv, leaks=leaks, **drop)

    def allocate(self, **which):
        self.t.file(self.counts, bytes(struct.calcsize(COUNTS)), mode=0o666)
        env = {"LD_PRELOAD": os.path.join(self.tools, "preload.so"), "FAULT_COUNTS": self.counts}
        env.update(which)
        return self.run(self.command(), env=env)

    def read_counts(self):
        with open(self.counts, "rb") as source:
            return struct.unpack(COUNTS, source.read())

    # ---- what is there ----

    def surroundings(self):
        """All that a command could leave behind, as far as it does not change by itself."""
        t = self.t
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as text:
            mounts = text.read()
        groups = []
        for name, point in hostside.cgroup_mounts().items():
            top = f"{point}/{t.prefix}"
            own = hostside.own_cgroups().get(name, "/")
            for place in (top, f"{point}{own}/{t.prefix}", f"{point}{own}/crun-{self.id}"):
                groups += hostside.cgroup_tree(place) if os.path.isdir(place) else []
        groups = [g for g in groups if os.path.basename(g) != t.prefix]
        files = [name for name in os.listdir(t.dir) if not name.startswith(".")]
        filters = [f"{g} {number}" for g in groups for number in scenarios.device_filters(g)]
        return {"mounts": mounts.splitlines(), "cgroups": groups, "files": files,
                "device filters": filters, "others": self.scenario.left(),
                "state": os.listdir(t.state_dir), "temporary": self.in_common_places()}

    def in_common_places(self):
        found = []
        for place in ("/tmp", "/run", "/dev/shm", "/var/tmp"):
            try:
                found += [f"{place}/{n}" for n in os.listdir(place)
                          if self.t.prefix in n or n.startswith("crun.")]
            except OSError:
                continue
        return found

    @property
    def id(self):
        return self.scenario.bundle.id

    def clean_up(self):
        """`delete --force`, and then there must be nothing."""
        self.scenario.ready = False
        # A pid namespace ends when all of its processes were reaped: what a killed command added is ours to reap.
        hostside.reap()
        result = self.t.rt("delete", "--force", self.id, check=False, timeout=LIMIT)
        if result.rc or result.err:
            raise Misbehaviour(f"delete --force: exit status {result.rc}: {result.err.strip()}")
        deadline = time.monotonic() + 15 * harness.PATIENCE
        while True:
            hostside.reap()
            left = hostside.descendants(os.getpid())
            if not left:
                break
            if time.monotonic() > deadline:
                raise Misbehaviour(f"processes left: {left}")
            time.sleep(0.005)
        if self.clean is None:
            return
        for kind, things in self.surroundings().items():
            new = [thing for thing in things if thing not in self.clean[kind]]
            if new:
                raise Misbehaviour(f"{kind} left: {new}")

    # ---- faults ----

    def undisturbed(self, calls):
        """The record of a run to which nothing happens, and the two counts of allocations."""
        self.scenario.before()
        result = self.allocate()
        assert result.rc == 0, f"fails undisturbed: {result}"
        host, others, _fired = self.read_counts()
        self.scenario.facts(result)
        self.clean_up()
        self.clean = self.surroundings()
        self.scenario.before()
        # Leaks cannot be looked for in a process that is traced: inject.c lets go of it after the fault.
        result = self.inject("--record", self.record, leaks=False)
        assert result.rc == 0, f"fails when it is traced: {result}"
        self.facts = self.scenario.facts(result)
        self.clean_up()
        record = faults.Record(self.record, calls)
        found = list(record.candidates(self.name))
        for process, count in (("host", host), ("others", others)):
            for number in range(1, count + 1):
                rank = 1 if number % 5 == 1 else 3
                found.append((rank, faults.Fault(self.name, process, "-", "-", "malloc", number,
                                                 "ENOMEM")))
        return found

    def attempt(self, fault, numbers):
        """Inflict it; whether it took place."""
        if not self.scenario.ready:
            self.scenario.before()
        elif self.scenario.serves:
            self.scenario.before()
        if fault.call == "malloc":
            which = "FAULT_HOST" if fault.process == "host" else "FAULT_OTHERS"
            result = self.allocate(**{which: str(fault.number)})
            fired = self.read_counts()[2] != 0
        else:
            action = faults.number_of(fault.action)
            if fault.call in faults.TAKE_PLACE and action.isdigit():
                action = "result:" + action
            result = self.inject("--report", self.report, "--fault", fault.path, fault.phase,
                                 str(numbers[fault.call]), str(fault.number), action)
            with open(self.report, encoding="ascii") as text:
                fired = text.read() == "fired\n"
        if fired and self.world.sanitized and NOT_OURS.search(result.err):
            raise NotOurs("the call was the sanitizer's")
        if fired:
            self.judge(fault, result)
        if not self.scenario.serves or not fired or fault.action == "kill":
            self.clean_up()
        return fired

    def judge(self, fault, result):
        if result.rc == 0:
            facts = self.scenario.facts(result)
            if facts != self.facts and not self.scenario.tolerates(fault, result):
                raise Misbehaviour("reports success, but: " + difference(self.facts, facts))
            return
        if fault.action in ("stop", "EINTR") and not self.scenario.tolerates(fault, result):
            raise Misbehaviour(f"exit status {result.rc}: {result.err.strip()}")
        if result.rc >= 128:
            # From the last READY on init is the payload, whose end `run` tells.
            payload = fault.process == "init" and fault.phase.startswith("last.")
            if fault.action != "kill" or not (fault.process == "host" or payload):
                raise Misbehaviour(f"dies of signal {result.rc - 128}: {result.err.strip()}")
        else:
            missing = messages.missing(fault, result.err)
            if missing:
                raise Misbehaviour(f"{missing}: {result.err.strip()!r}")
        hurt = self.scenario.hurt(result)
        if hurt:
            raise Misbehaviour(hurt)


def difference(expected, found):
    expected, found = expected.splitlines(), found.splitlines()
    lines = [f"-{line}" for line in expected if line not in found]
    lines += [f"+{line}" for line in found if line not in expected]
    return "; ".join(lines[:6]) or "the same lines in another order"


class Worker:
    """Runs one scenario in one flavor, in a process of its own; tells what happens through a pipe."""

    def __init__(self, world, options, number, flavor, name, only=None):
        """With ONLY: the names to choose from."""
        self.world, self.options, self.number = world, options, number
        self.flavor, self.name, self.only = flavor, name, only
        self.title = f"{flavor}/{name}"
        self.pipe, write_end = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.pipe)
            status = 1
            try:
                self.child(os.fdopen(write_end, "w", buffering=1))
                status = 0
            finally:
                os._exit(status)
        os.close(write_end)

    def child(self, out):
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.setpgid(0, 0)
        log = os.open(os.path.join(self.world.dir, f"log{self.number}"),
                      os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        null = os.open("/dev/null", os.O_RDONLY)
        for old, new in ((null, 0), (log, 1), (log, 2)):
            os.dup2(old, new)
        hostside.become_subreaper()
        hostside.private_mounts()

        def say(verdict, fault="", text=""):
            out.write(json.dumps([verdict, fault, text]) + "\n")
        t = harness.Test(self.world, self.title, self.number, self.flavor)
        t.flavor = self.flavor
        try:
            if self.flavor == "v2" and hostside.cgroup_mounts().get("unified") != "/sys/fs/cgroup":
                t.mount("cgroup2", "/sys/fs/cgroup", "cgroup2")
            self.all_faults(t, say)
        except harness.Skip as skip:
            say("skip", self.title, str(skip))
        except BaseException as err:   # pylint: disable=broad-except
            traceback.print_exc()
            say("FAIL", self.title, f"{type(err).__name__}: {err}")
        for leak in t.finish():
            say("FAIL", self.title, f"left at the end: {leak}")
        for line in self.keys_left(t):
            say("FAIL", self.title, f"key left: {line}")

    @staticmethod
    def keys_left(t):
        """The kernel collects them a moment later."""
        deadline = time.monotonic() + 20 * harness.PATIENCE
        while True:
            with open("/proc/keys", encoding="utf-8", errors="replace") as keys:
                left = [line.strip() for line in keys if t.prefix in line]
            if not left or time.monotonic() > deadline:
                return left
            time.sleep(0.1)

    def all_faults(self, t, say):
        calls = faults.system_calls()
        numbers = {name: number for number, name in calls.items()}
        lab = Lab(self.world, t, self.name)
        found = lab.undisturbed(calls)
        chosen = [fault for _rank, fault in found]
        if self.options.k:
            chosen = [f for f in chosen if self.options.k.search(f"{self.flavor}/{faults.name_of(f)}")]
        if self.only is not None:
            chosen = [f for f in chosen if f"{self.flavor}/{faults.name_of(f)}" in self.only]
        elif not self.options.all and len(chosen) > self.options.sample:
            some = set(chosen)
            chosen = faults.sample([(r, f) for r, f in found if f in some], self.options.sample,
                                   f"{self.options.seed} {self.title}")
        for fault in chosen:
            name = f"{self.flavor}/{faults.name_of(fault)}"
            if self.options.list:
                say("list", name)
                continue
            print("=====", name, file=sys.stderr, flush=True)
            self.one_fault(lab, fault, numbers, name, say)
        if lab.scenario.ready:
            lab.clean_up()
        lab.scenario.done()

    @staticmethod
    def one_fault(lab, fault, numbers, name, say):
        try:
            fired = lab.attempt(fault, numbers)
            say("ok" if fired else "skip", name, "" if fired else "the call did not take place again")
            return
        except NotOurs as reason:
            say("skip", name, str(reason))
        except Misbehaviour as bad:
            say("FAIL", name, str(bad))
        except (AssertionError, OSError, ValueError, KeyError) as err:
            traceback.print_exc()
            say("FAIL", name, f"{type(err).__name__}: {err}")
        # Back to a known state, by force where the runtime does not do it.
        hostside.kill_tree(os.getpid(), with_root=False)
        hostside.reap()
        try:
            lab.clean_up()
        except (Misbehaviour, AssertionError) as err:
            shutil.rmtree(os.path.join(lab.t.state_dir, lab.id), ignore_errors=True)
            for top in hostside.find_cgroups(lab.t.prefix):
                hostside.remove_cgroup(top)
            print("clean up:", err, file=sys.stderr, flush=True)


class Runner:
    def __init__(self, world, options):
        self.world, self.options = world, options
        self.counts = collections.Counter()
        self.skipped = collections.Counter()
        self.running, self.started = [], 0

    def build_tools(self):
        tools = os.path.join(self.world.dir, "tools")
        os.mkdir(tools)
        compiler = os.environ.get("CC", "cc").split() + ["-D_GNU_SOURCE", "-O1", "-o"]
        subprocess.check_call([*compiler, f"{tools}/inject", f"{HERE}/inject.c"])
        subprocess.check_call([*compiler, f"{tools}/preload.so", "-shared", "-fPIC",
                               f"{HERE}/preload.c"])
        os.chmod(f"{tools}/preload.so", 0o755)

    def jobs(self):
        for name, scenario in SCENARIOS.items():
            for flavor in FLAVORS:
                if flavor in scenario.flavors and flavor in self.options.flavor and \
                        re.search(self.options.scenario, name):
                    yield flavor, name

    def run(self):
        only = self.distinct() if self.options.distinct else None
        self.work(self.options, print, only)

    def distinct(self):
        """Which of all commands' faults: for this they have to be listed first."""
        names = []
        listing = argparse.Namespace(**{**vars(self.options), "list": True, "all": True,
                                        "verbose": False, "keep_log": None})
        self.work(listing, lambda line, **_flush: names.append(line))
        failed, self.counts = self.counts["FAIL"], collections.Counter()
        self.skipped.clear()
        if failed:
            print("\n".join(names))
            sys.exit("run.py: the undisturbed commands fail")
        return set(faults.distinct([n for n in names if not n.startswith("skip ")], self.options.seed))

    def work(self, options, put, only=None):
        for flavor, name in self.jobs():
            while len(self.running) >= options.j:
                self.step(options, put)
            self.started += 1
            self.running.append(Worker(self.world, options, self.started, flavor, name, only))
        while self.running:
            self.step(options, put)

    def step(self, options, put):
        """Read what the oldest worker says, to its end."""
        worker = self.running.pop(0)
        with os.fdopen(worker.pipe, encoding="utf-8") as lines:
            for line in lines:
                verdict, fault, text = json.loads(line)
                self.counts[verdict] += 1
                if verdict == "FAIL":
                    put(f"FAIL {fault}: {text}", flush=True)
                elif verdict == "skip" and fault != worker.title:
                    self.skipped[worker.title, text] += 1
                elif verdict == "skip":
                    put(f"skip {fault} ({text})", flush=True)
                elif verdict == "list" or options.verbose:
                    put(f"{verdict} {fault}" if options.verbose else fault, flush=True)
        _pid, status = os.waitpid(worker.pid, 0)
        if status:
            self.counts["FAIL"] += 1
            put(f"FAIL {worker.title}: the worker ended with status {status}", flush=True)
        if options.keep_log:
            shutil.copy(os.path.join(self.world.dir, f"log{worker.number}"),
                        f"{options.keep_log}.{worker.flavor}.{worker.name}")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runtime", metavar="PATH")
    parser.add_argument("--all", action="store_true", help="every fault, not a sample (hours)")
    parser.add_argument("--distinct", action="store_true",
                        help="of each system call in each phase, with each errno, one over all commands, "
                             "and some allocations (an hour)")
    parser.add_argument("--sample", metavar="N", type=int, default=20,
                        help="faults of each command and flavor (20)")
    parser.add_argument("--seed", metavar="N", default="0", help="another sample")
    parser.add_argument("--scenario", metavar="RE", default="", help="only these commands")
    parser.add_argument("--flavor", action="append", choices=FLAVORS,
                        help="root, v2 (cgroup v2 only), rootless; default: all")
    parser.add_argument("-k", metavar="RE", type=re.compile, help="only faults with such a name")
    parser.add_argument("-j", metavar="N", type=int, default=2, help="commands at a time (2)")
    parser.add_argument("--list", action="store_true", help="print the names, inflict nothing")
    parser.add_argument("-v", "--verbose", action="store_true", help="a line for every fault")
    parser.add_argument("--keep-log", metavar="PREFIX", help="what the commands printed")
    options = parser.parse_args()
    options.flavor = options.flavor or list(FLAVORS)
    if options.k and not options.scenario:
        name = re.match(r"(?:(\w+)/)?([\w-]+):", options.k.pattern)
        options.scenario = f"^{name.group(2)}$" if name else ""
    return options


def is_static(path):
    """Whether nobody loads libraries for the program (no PT_INTERP, elf(5)), so that ours cannot be one of them."""
    with open(path, "rb") as source:
        head = source.read(64)
        if head[:5] != b"\x7fELF\x02":
            return False   # a script around it, for instance
        offset, = struct.unpack_from("=Q", head, 32)
        size, count = struct.unpack_from("=HH", head, 54)
        source.seek(offset)
        table = source.read(size * count)
    return all(struct.unpack_from("=I", table, n * size)[0] != 3 for n in range(count))


def main():
    # Whoever called us with a closed standard stream must not have a pipe of ours get its number.
    while os.open(os.devnull, os.O_RDWR) < 3:
        pass
    options = arguments()
    if os.geteuid() != 0:
        print("skip faults (they need root)\n0 passed, 0 failed, 1 skipped")
        return 0
    if os.uname().machine not in ("x86_64", "aarch64"):
        print("skip faults (inject.c does not know this architecture)\n"
              "0 passed, 0 failed, 1 skipped")
        return 0
    runtime = integration.choose_runtime(options.runtime)
    if is_static(runtime):
        sys.exit(f"run.py: {runtime} is a static program, into which no failing allocator can be "
                 "put: `make crun-shared` links the same with shared libraries")
    os.umask(0o022)
    signal.signal(signal.SIGTERM, lambda *_args: sys.exit("run.py: terminated"))
    world = integration.World(runtime)
    world.sanitized = "sanitizers" in harness.instruments(runtime)
    runner = Runner(world, options)
    try:
        hostside.become_subreaper()
        world.build_rootfs()
        runner.build_tools()
        if "rootless" in options.flavor:
            world.make_user()
            if not world.rootless_works():
                options.flavor.remove("rootless")
                print("skip rootless (the kernel refuses user namespaces to users)")
                runner.counts["skip"] += 1
        runner.run()
    finally:
        hostside.kill_tree(os.getpid(), with_root=False)
        hostside.reap()
        world.close()
    for (title, reason), count in runner.skipped.items():
        print(f"skip {title} ({count} faults: {reason})")
    counts = runner.counts
    print(f"{counts['ok']} passed, {counts['FAIL']} failed, {counts['skip']} skipped")
    return 1 if counts["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
