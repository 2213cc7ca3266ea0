#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hold what the commands do against the bounds of counts.tsv: processes, messages between them, system calls.

Counted under ptrace (count.c), so exactly, and on any machine alike: no time is measured. The bundle is
that of bench/run with other masks, the cgroups are v2 in a mount namespace of our own. Not counted are the dynamic loader,
whose calls depend on the libraries, and the payload. What `create` leaves behind is counted up to its execve.
Prints TAP; exits with 77 where it cannot run.

usage: bench/counts.py [--write] [CRUN]
  --write  make today's numbers the bounds, with a little room for system calls
"""
import json
import os
import platform
import re
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # the source tree may belong to someone else
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from machine import DEADLINE, Workshop, call, cgroup_mode, enter_private_v2, first_line  # noqa: E402
from runtimes import HERE, Failed, Runtime, our_crun  # noqa: E402

TABLE = os.path.join(HERE, "counts.tsv")
COLUMNS = ("processes", "messages", "syscalls")
# On an older one the ways round what it lacks would be counted.
OLDEST = (6, 1)
# A signal or a slow machine may cost a poll more: the least of several is exact.
REPEAT = 3
# Each costs calls if it is there: so these are, in every kernel, or in none.
MASKED = ["/proc/version", "/proc/uptime", "/proc/stat", "/proc/tty", "/sys/fs"] + \
    [f"/proc/not-there-{number}" for number in range(5)]
READONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/driver"]
ROOM = 6


class Unable(Exception):
    """Why nothing can be counted here."""


class Counter:
    def __init__(self, crun):
        self.shop = Workshop()
        self.runtime = Runtime("ours", crun, is_ours=True)
        self.runtime.root = os.path.join(self.shop.runs, "ours")
        os.mkdir(self.runtime.root, 0o700)
        self.tool = self.shop.build("count", static=False)
        self.true = self.shop.make_bundle("true", ["/bin/true"], on_any_kernel)
        self.sleep = self.shop.make_bundle("sleep", ["/bin/sleep", "86400"], on_any_kernel)
        self.serial = 0

    def argv(self, *words):
        return [self.runtime.path, "--root", self.runtime.root, *words]

    def plain(self, *words):
        """Uncounted. Its output goes to a file, which a detached payload may keep open."""
        with open(self.shop.path("stderr"), "w+", encoding="utf-8") as log:
            done = subprocess.run(self.argv(*words), stdin=subprocess.DEVNULL, stdout=log,
                                  stderr=log, timeout=DEADLINE, env=environment(), check=False)
            log.seek(0)
            said = log.read()
        if done.returncode:
            raise Failed(f"{words[0]}: {first_line(said)}")
        return said

    def begin(self, *words):
        self.serial += 1
        out = self.shop.path(f"count{self.serial}")
        with open(out + ".err", "w", encoding="utf-8") as log:
            child = subprocess.Popen([self.tool, out, *self.argv(*words)], env=environment(),
                                     stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return child, out, words[0]

    @staticmethod
    def end(begun):
        child, out, what = begun
        status = child.wait(timeout=DEADLINE)
        with open(out + ".err", encoding="utf-8", errors="replace") as log:
            said = log.read()
        if status:
            raise (Unable if status == 125 else Failed)(f"{what}: {first_line(said)}")
        with open(out, encoding="ascii") as f:
            processes, _, messages, _, calls = (int(word) for word in f.read().split())
        return processes, messages, calls

    def counted(self, *words):
        return self.end(self.begin(*words))

    def status(self, name):
        done = call(self.argv("state", name), env=environment())
        return json.loads(done.stdout) if done.returncode == 0 else {"status": None}

    def until(self, name, status):
        deadline = time.monotonic() + DEADLINE
        while True:
            state = self.status(name)
            if state["status"] == status:
                return state
            if time.monotonic() > deadline:
                raise Failed(f"the container is {state['status']}, not {status}")
            time.sleep(0.01)

    def life(self):
        """create, start, delete: each with what it makes."""
        name = self.shop.new_id()
        try:
            creation = self.begin("create", "--bundle", self.true, name)
            pid = self.until(name, "created")["pid"]
            counts = {"start": self.counted("start", name)}
            counts["create"] = self.end(creation)
            self.shop.wait_for(pid)
            self.until(name, "stopped")
            counts["delete"] = self.counted("delete", name)
            return counts
        except (Failed, Unable):
            self.shop.remove_containers(self.runtime, name)
            raise

    def guests(self):
        """What is done to a container that runs."""
        name = self.shop.new_id()
        try:
            self.plain("run", "--detach", "--bundle", self.sleep, name)
            pid = self.status(name)["pid"]
            counts = {
                "state": self.counted("state", name),
                "kill 0": self.counted("kill", name, "0"),
                "exec": self.counted("exec", name, "/bin/true"),
                "exec --detach": self.counted("exec", "--detach", name, "/bin/true"),
            }
            self.plain("kill", name, "KILL")
            self.shop.wait_for(pid)
            self.plain("delete", "--force", name)
            return counts
        except (Failed, Unable):
            self.shop.remove_containers(self.runtime, name)
            raise

    def once(self):
        name = self.shop.new_id()
        try:
            counts = {"run": self.counted("run", "--bundle", self.true, name)}
        except (Failed, Unable):
            self.shop.remove_containers(self.runtime, name)
            raise
        counts.update(self.life())
        counts.update(self.guests())
        return counts

    def all(self):
        rounds = [self.once() for _ in range(REPEAT)]
        return {name: tuple(min(r[name][i] for r in rounds) for i in range(len(COLUMNS)))
                for name in ("run", "create", "start", "delete", "exec", "exec --detach", "state",
                             "kill 0")}


def on_any_kernel(config):
    config["linux"].update(maskedPaths=MASKED, readonlyPaths=READONLY)


def environment():
    """What the runtime looks at would be counted, too."""
    return {"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), "LC_ALL": "C"}


def read_table():
    bounds = {}
    with open(TABLE, encoding="ascii") as f:
        for line in f:
            if not line.startswith("#") and line.strip():
                name, *numbers = line.rstrip("\n").split("\t")
                bounds[name] = tuple(int(n) for n in numbers)
    return bounds


def write_table(counts):
    with open(TABLE, "w", encoding="ascii") as f:
        f.write("# What a command may cost at most, with all that it makes: see counts.py, which writes this (--write).\n")
        f.write("# command\t" + "\t".join(COLUMNS) + "\n")
        for name, (processes, messages, calls) in counts.items():
            f.write(f"{name}\t{processes}\t{messages}\t{calls + ROOM}\n")


def check(counts):
    """TAP; the number of failures."""
    bounds = read_table()
    print(f"1..{len(counts)}")
    failed = 0
    for number, (name, found) in enumerate(counts.items(), 1):
        above = [f"{n} {column}, not {bound} at most" for n, bound, column in
                 zip(found, bounds.get(name, (0, 0, 0)), COLUMNS) if n > bound]
        said = ", ".join(f"{n} {column}" for n, column in zip(found, COLUMNS))
        print(f"{'not ok' if above else 'ok'} {number} - {name}: {said}")
        for text in above:
            print(f"# {name}: {text}: what is new? If it must be: bench/counts.py --write")
        failed += bool(above)
    return failed


def look_at_machine(crun):
    if os.geteuid() != 0:
        raise Unable("needs root")
    release = tuple(int(n) for n in re.match(r"(\d+)\.(\d+)", platform.release()).groups())
    if release < OLDEST:
        raise Unable(f"Linux {platform.release()} lacks calls, and the ways round would be counted")
    with open(crun, "rb") as f:
        if b"__asan_init" in f.read():
            raise Unable("a build with sanitizers makes system calls of its own")
    if cgroup_mode() != "v2":
        enter_private_v2()


def main():
    words = [word for word in sys.argv[1:] if word != "--write"]
    crun = os.path.abspath(words[0]) if words else our_crun()
    counter = None
    try:
        if not crun:
            raise Unable("crun is not built")
        look_at_machine(crun)
        counter = Counter(crun)
        counts = counter.all()
        if "--write" in sys.argv:
            write_table(counts)
        return 1 if check(counts) else 0
    except (Unable, Failed, OSError) as e:
        # What the machine refuses to root is not the runtime's fault; what the runtime refuses is.
        if isinstance(e, Failed) and counter:
            print(f"Bail out! {e}")
            return 1
        print(f"1..0 # SKIP {e}")
        return 77
    finally:
        if counter:
            counter.shop.clean_up()


if __name__ == "__main__":
    sys.exit(main())
