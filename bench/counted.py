# SPDX-License-Identifier: Apache-2.0
"""What bench/run counts and does not time: calls and processes, memory, instructions."""
import contextlib
import errno
import os
import re
import shutil
import subprocess
import time

from machine import CGROUP_ROOT, DEADLINE, call, cgroup_mode, first_line, mount, umount
from runtimes import Failed
from workloads import command

# name, unit, meaning
COUNTED = [
    ("peak RSS", "KiB", "of the runtime and what it waited for, in `run`"),
    ("least memory", "KiB", "the smallest memory limit around the runtime, with all that it makes, in which `run` works"),
    ("least memory.max", "KiB", "the smallest linux.resources.memory.limit with which `run` works"),
    ("syscalls", "", "of all processes of one `run`, loader and payload included"),
    ("processes", "", "of one `run`, runtime and payload included"),
    ("threads", "", "of one `run`, beyond one per process"),
    ("messages", "", "that the processes of one `run` send each other by sendmsg or sendto"),
    ("parse", "instructions", "of one parse of the reference config.json, against yajl_tree, a tree without names or checks"),
]
CALLS = ("syscalls", "processes", "threads", "messages")
MOST, LEAST, STEP = 64 * 1024, 64, 16  # KiB
TRIES = 3
SEARCHES = 9  # of the memory rows


def count_calls(bench, runtime):
    out, name = bench.shop.path("count.out"), bench.shop.new_id()   # not the program itself
    run = command(runtime, "run", "--bundle", bench.bundle("true"), name)
    done = call([bench.shop.build("count", static=False), "--whole", out, *run])
    if done.returncode:
        bench.shop.remove_containers(runtime, name)
        raise Failed("under ptrace: " + first_line(done.stderr))
    with open(out, encoding="ascii") as f:
        processes, threads, messages, loads, calls = (int(word) for word in f.read().split())
    return {"syscalls": loads + calls, "processes": processes, "threads": threads,
            "messages": messages}


# --- memory ---------------------------------------------------------------------------------


def search(works):
    """The smallest number of KiB that WORKS accepts, to within STEP; None: not even the largest."""
    low, high = LEAST, MOST
    if not works(high):
        return None
    while high - low > STEP:
        middle = (low + high) // 2 // 4 * 4
        if works(middle):
            high = middle
        else:
            low = middle
    return high


@contextlib.contextmanager
def memory_group(bench):
    """A cgroup of our own with the memory controller: its directory and the file of the limit."""
    own = None
    if cgroup_mode() == "v2":
        with open(f"{CGROUP_ROOT}/cgroup.subtree_control", encoding="ascii") as f:
            own = CGROUP_ROOT if "memory" in f.read().split() else None
    top, name = own, "memory.max"
    if not own:
        top, name = bench.shop.path("memory"), "memory.limit_in_bytes"
        os.makedirs(top, exist_ok=True)
        mount("cgroup", top, "cgroup", 0, "memory")
    group = os.path.join(top, bench.shop.new_id())
    os.mkdir(group)
    try:
        yield group, os.path.join(group, name)
    finally:
        for _ in range(100):
            with contextlib.suppress(OSError):
                os.rmdir(group)
                break
            call(["sleep", "0.05"])
        if not own:
            umount(top)


def write(path, text):
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


def write_limit(path, kib):
    """The charges of what has just ended are given back a little later, and no limit goes below them: EBUSY."""
    for left in reversed(range(100)):
        try:
            write(path, str(kib * 1024))
            return
        except OSError as e:
            if e.errno != errno.EBUSY or not left:
                raise
        time.sleep(0.02)


def works_inside(bench, runtime, group, limit):
    """Everything that `run` needs is paid for by GROUP: it is cold and empty each time."""
    def works(kib):
        for _ in range(TRIES):
            name = bench.shop.new_id()
            write_limit(limit, kib)
            run = command(runtime, "run", "--bundle", bench.bundle("true"), name)
            try:
                done = subprocess.run(
                    run, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL, timeout=20, check=False,
                    preexec_fn=lambda: write(f"{group}/cgroup.procs", str(os.getpid())))
                good = done.returncode == 0
            except subprocess.TimeoutExpired:
                good = False
            if not good:
                write_limit(limit, MOST)
                bench.shop.remove_containers(runtime, name)
                return False
        return True
    return works


def works_with(bench, runtime):
    def works(kib):
        bundle = bench.shop.make_bundle(
            bench.shop.new_id(), ["/bin/true"],
            lambda config: config["linux"]["resources"].update({"memory": {"limit": kib * 1024}}))
        name = bench.shop.new_id()
        try:
            for _ in range(TRIES):
                done = call(command(runtime, "run", "--bundle", bundle, name))
                if done.returncode:
                    bench.shop.remove_containers(runtime, name)
                    works.said = first_line(done.stderr)
                    return False
            return True
        except subprocess.TimeoutExpired:
            bench.shop.remove_containers(runtime, name)
            return False
        finally:
            shutil.rmtree(bundle)
    works.said = "it fails"
    return works


def searches(bench, name, runtimes, works_of, why):
    """(runtime, KiB) of several searches: what a processor has charged beforehand makes one differ from the next by a fifth."""
    left = list(runtimes)
    for _ in range(SEARCHES):
        for runtime in list(left):
            works = works_of(runtime)
            found = search(works)
            if found:
                yield runtime, found
            else:
                bench.skip(name, runtime, why(works))
                left.remove(runtime)


def least_memory(bench, runtimes):
    with memory_group(bench) as (group, limit):
        yield from searches(bench, "least memory", runtimes,
                            lambda runtime: works_inside(bench, runtime, group, limit),
                            lambda _works: f"fails in {MOST} KiB, too")


def least_limit(bench, runtimes):
    if cgroup_mode() == "v2":
        with open(f"{CGROUP_ROOT}/cgroup.controllers", encoding="ascii") as f:
            if "memory" not in f.read().split():
                raise Failed("cgroup2 has no memory controller here: it is bound to v1")
    yield from searches(bench, "least memory.max", runtimes,
                        lambda runtime: works_with(bench, runtime), lambda works: works.said)


# --- instructions ---------------------------------------------------------------------------


def parse_instructions(bench):
    """{"ours": N, "yajl_tree": N}, of the program that `make bench/parse` builds."""
    if not shutil.which("valgrind"):
        raise Failed("valgrind is not installed")
    for directory in (os.getcwd(), os.path.dirname(bench.here)):
        if os.path.exists(os.path.join(directory, "Makefile")):
            made = call(["make", "-s", "-C", directory, "bench/parse"])
            if made.returncode:
                raise Failed(f"make bench/parse: {first_line(made.stderr)}")
            program = os.path.join(directory, "bench/parse")
            break
    else:
        raise Failed("needs a build directory: run it from there")
    config = os.path.join(bench.bundle("true"), "config.json")
    found = {}
    for who in ("ours", "yajl_tree"):
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", "--toggle-collect=measured",
             f"--callgrind-out-file={bench.shop.path('callgrind')}", program, who, config],
            capture_output=True, text=True, timeout=DEADLINE, check=False)
        said = re.search(r"Collected\s*:\s*(\d+)", done.stderr)
        if done.returncode or not said:
            raise Failed(f"valgrind: {first_line(done.stderr)}")
        found[who] = int(said.group(1))
    return found
