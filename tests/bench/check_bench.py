#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The parts of bench/ that compute: intervals, rows, Markdown, the reading of strace, the search for the least memory. Prints TAP."""

import contextlib
import importlib.machinery
import importlib.util
import io
import os
import sys

sys.dont_write_bytecode = True
TOP = os.environ.get("top_srcdir") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
BENCH = os.path.join(TOP, "bench")
sys.path.insert(0, BENCH)
import counted  # noqa: E402
import counts  # noqa: E402
import report  # noqa: E402
import workloads  # noqa: E402


def program(name):
    """A script without a suffix, as a module."""
    loader = importlib.machinery.SourceFileLoader("bench_" + name, os.path.join(BENCH, name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


STRACE = """\
100   10.000000 execve("/crun", ["crun"], 0x7 /* 5 vars */) = 0 <0.000200>
100   10.000300 clone3({flags=CLONE_NEWNS}, 88 <unfinished ...>
101   10.000350 umask(0)                = 022 <0.000001>
100   10.000400 <... clone3 resumed> => {parent_tid=[0]}, 88) = 101 <0.000100>
100   10.000500 wait4(101, <unfinished ...>
101   10.000600 mount("a", "b", "<x>", 0, NULL) = 0 <0.000050>
101   10.000700 exit_group(0)           = ?
101   10.000800 +++ exited with 0 +++
100   10.000900 <... wait4 resumed>, NULL) = 101 <0.000400>
"""


def check_that_an_interval_holds_the_ratio_and_tells_noise():
    calm = report.ratio_interval([50, 51, 49] * 20, [100, 101, 99] * 20)
    wild = report.ratio_interval(list(range(20, 80)), list(range(40, 160, 2)))
    assert calm[0] <= 0.5 <= calm[1] and calm[1] - calm[0] < 0.03, calm
    assert wild[0] < 0.5 < wild[1] and wild[1] - wild[0] > 0.1, wild
    assert calm == report.ratio_interval([50, 51, 49] * 20, [100, 101, 99] * 20), "by chance"
    assert report.ratio_interval([1], [2]) is None


def check_that_ratios_are_to_the_peer_and_of_parse_to_the_tree():
    samples = {("run", "ours"): [50.0] * 9, ("run", "crun"): [100.0] * 9, ("run", "floor"): [40.0] * 9,
               ("parse", "ours"): [30], ("parse", "yajl_tree"): [60]}
    rows = {(r["workload"], r["runtime"]): r for r in report.rows_of(
        samples, [("run", "µs", ""), ("parse", "", "")], ["ours", "crun", "floor"], "crun")}
    assert rows[("run", "ours")]["of_base"] == 0.5 and rows[("run", "ours")]["of_floor"] == 1.25, rows
    assert rows[("run", "crun")]["of_base"] == 1 and "of_base_95" not in rows[("run", "crun")], rows
    assert rows[("parse", "ours")]["of_base"] == 0.5, rows
    document = {"host": {"kernel": "6.18.1-foo", "machine": "x", "cpus": 2, "cgroup": "v2",
                         "private_v2": True, "load": 0.0, "date": "d"},
                "runtimes": [{"name": n, "path": "/secret/" + n, "version": "1"}
                             for n in ("ours", "crun", "floor")],
                "rounds": 9, "clock": "time", "base": "crun", "results": list(rows.values()), "skipped": [], "notes": []}
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        report.print_markdown(document)
    assert "| `run`, µs | 50 | 100 | 40 | 0.50 (0.50–0.50) | 1.25 (1.25–1.25) |" in out.getvalue(), \
        out.getvalue()
    assert "secret" not in out.getvalue() and "foo" not in out.getvalue(), out.getvalue()


def check_that_calls_of_strace_are_put_together_again():
    calls = program("trace").peer_calls(STRACE)
    assert [(pid, round(begin - 10, 6), seconds, name) for pid, begin, seconds, name in calls] == [
        ("100", 0, 0.0002, "execve"), ("100", 0.0003, 0.0001, "clone3"), ("101", 0.00035, 1e-06, "umask"),
        ("100", 0.0005, 0.0004, "wait4"), ("101", 0.0006, 5e-05, "mount")], calls


def check_that_the_least_memory_is_found():
    for least in (64, 100, 1068, 65536):
        found = counted.search(lambda kib, least=least: kib >= least)
        assert least <= found <= least + counted.STEP + 4, (least, found)
    assert counted.search(lambda kib: False) is None


def check_that_every_row_has_a_bundle_and_a_name_of_its_own():
    names = [w.name for w in workloads.TIMED] + [c[0] for c in counted.COUNTED]
    assert len(set(names)) == len(names), names
    assert {w.group for w in workloads.TIMED} - {None} == set(workloads.GROUPS), workloads.GROUPS


def check_that_bounds_are_held():
    found = {name: (n[0], n[1], n[2]) for name, n in counts.read_table().items()}
    assert "run" in found and "create" in found, found
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert counts.check(found) == 0, out.getvalue()
        more = dict(found, run=(found["run"][0], found["run"][1], found["run"][2] + 1))
        assert counts.check(more) == 1, out.getvalue()
    assert "system" not in out.getvalue() and "syscalls, not" in out.getvalue(), out.getvalue()


def main():
    checks = [(name, f) for name, f in globals().items() if name.startswith("check_that")]
    print(f"1..{len(checks)}")
    failed = 0
    for number, (name, function) in enumerate(checks, 1):
        try:
            function()
            print(f"ok {number} - {name}")
        except AssertionError as e:
            failed += 1
            print(f"not ok {number} - {name}: {e}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
