# SPDX-License-Identifier: Apache-2.0
"""events: the statistics in the form that go-runc reads, key by key, and lack of memory at once."""

import json
import os
import signal
import subprocess
import time

from harness import PATIENCE, flavors
from test_lifecycle import SLEEP, stopped
from test_linux_cgroups import unified
from test_stats import HOG, up

PSI = {"some": {"avg10": float, "avg60": float, "avg300": float, "total": int},
       "full": {"avg10": float, "avg60": float, "avg300": float, "total": int}}
ENTRY = {"limit": int, "usage": int, "max": int, "failcnt": int}
IO = [{"major": int, "minor": int, "op": str, "value": int}]
DATA = {
    "cpu": {"usage": {"total": int, "percpu": [int], "percpu_kernel": [int], "percpu_user": [int],
                      "kernel": int, "user": int},
            "throttling": {"periods": int, "throttledPeriods": int, "throttledTime": int},
            "psi": PSI},
    "cpuset": {"cpus": [int], "mems": [int], "cpu_exclusive": int, "mem_hardwall": int,
               "mem_exclusive": int, "memory_migrate": int, "memory_spread_page": int,
               "memory_spread_slab": int, "memory_pressure": int, "sched_load_balance": int,
               "sched_relax_domain_level": "signed"},
    "memory": {"cache": int, "usage": ENTRY, "swap": ENTRY, "kernel": ENTRY, "kernelTCP": ENTRY,
               "raw": {None: int}, "psi": PSI},
    "pids": {"current": int, "limit": int},
    "blkio": {name: IO for name in (
        "ioServiceBytesRecursive", "ioServicedRecursive", "ioQueueRecursive",
        "ioServiceTimeRecursive", "ioWaitTimeRecursive", "ioMergedRecursive", "ioTimeRecursive",
        "sectorsRecursive")},
    "hugetlb": {None: {"usage": int, "max": int, "failcnt": int}},
    "intel_rdt": {},
    "network_interfaces": "network",
}
DATA["blkio"]["psi"] = PSI
NETWORK = [{"Name": str, **{f"{way}{what}": int for way in ("Rx", "Tx")
                            for what in ("Bytes", "Packets", "Errors", "Dropped")}}]


def check(value, kind, path="data"):
    """No key that the form does not have, and the type that a Go program expects."""
    if kind == "network":
        assert value is None or check(value, NETWORK, path) is None
    elif kind == "signed":
        assert type(value) is int, path
    elif isinstance(kind, dict):
        assert isinstance(value, dict), path
        for key, inner in value.items():
            assert key in kind or None in kind, f"unknown key {path}.{key}"
            check(inner, kind.get(key, kind.get(None)), f"{path}.{key}")
    elif isinstance(kind, list):
        assert isinstance(value, list), path
        for inner in value:
            check(inner, kind[0], path)
    elif kind is int:
        assert type(value) is int and 0 <= value < 2 ** 64, (path, value)
    elif kind is float:
        assert type(value) in (int, float), (path, value)
    else:
        assert type(value) is kind, (path, value)


def once(t, bundle):
    result = t.rt("events", "--stats", bundle.id)
    assert result.err == "" and result.out.count("\n") == 1 and result.out[-1] == "\n", result
    event = json.loads(result.out)
    assert set(event) == {"type", "id", "data"} and event["type"] == "stats", event
    assert event["id"] == bundle.id and set(event["data"]) == set(DATA), event
    check(event["data"], DATA)
    return event["data"]


def test_statistics_have_the_form_that_callers_read(t):
    bundle = up(t, "while :; do :; done", {"memory": {"limit": 64 << 20}, "pids": {"limit": 33}})
    t.wait_until(lambda: once(t, bundle)["cpu"]["usage"]["total"] > 10 ** 7, "some work")
    data = once(t, bundle)
    assert data["pids"]["limit"] == 33, data
    assert data["memory"]["usage"]["limit"] == 64 << 20, data
    assert 0 < data["memory"]["usage"]["usage"] <= 64 << 20, data
    assert data["memory"]["raw"]["pgfault"] > 0, data
    for entry in ("usage", "swap", "kernel", "kernelTCP"):
        assert isinstance(data["memory"][entry], dict)
    assert {"kernel", "user", "total"} <= set(data["cpu"]["usage"]), data


def test_no_limit_of_pids_is_zero(t):
    bundle = up(t)
    data = once(t, bundle)
    assert data["pids"].get("limit", 0) == 0 and data["pids"]["current"] == 1, data


def test_v2_statistics(t):
    unified(t)
    bundle = up(t, "sleep 1000 & sleep 1001")
    t.wait_until(lambda: once(t, bundle)["pids"]["current"] == 2, "two processes")
    once(t, bundle)


def test_paused_container_has_statistics(t):
    bundle = up(t)
    t.rt("pause", bundle.id)
    once(t, bundle)


def stream(t, bundle, *opts):
    out = t.path(f"events{time.monotonic_ns()}")
    with open(out, "wb") as stdout:
        child = t.popen("events", *opts, bundle.id, stdout=stdout)

    def lines():
        def complete():   # who reads meanwhile may see the first part of a write(2)
            with open(out, encoding="utf-8") as source:
                text = source.read()
            return [text] if text == "" or text.endswith("\n") else None
        text = t.wait_until(complete, "the rest of a line")[0]
        return [json.loads(line) for line in text.splitlines()]
    return child, lines


def test_stream_comes_in_intervals_and_ends_with_the_container(t):
    bundle = up(t)
    begin = time.monotonic()
    child, lines = stream(t, bundle, "--interval", "200ms")
    t.wait_until(lambda: len(lines()) >= 4, "four objects")
    assert time.monotonic() - begin > 0.5, "they came too early"
    t.kill(bundle, "KILL")
    assert child.wait(40 * PATIENCE) == 0
    for event in lines():
        assert event["type"] == "stats" and event["id"] == bundle.id
        check(event["data"], DATA)


def test_first_object_comes_at_once(t):
    bundle = up(t)
    for opts in ([], ["--interval", "1h"], ["--interval=1m"], ["--interval", "60"]):
        child, lines = stream(t, bundle, *opts)
        t.wait_until(lines, "the first object", 20)
        child.kill()
        child.wait()
        assert len(lines()) == 1


def run_out_of_memory(t, script):
    """A container with 20 MiB whose SCRIPT begins once somebody reads its events."""
    t.need_controllers("memory")
    bundle = t.bundle(["sh", "-c", "read x </go; " + script], own_rootfs=True)
    os.mkfifo(os.path.join(bundle.rootfs, "go"))
    bundle.config["linux"]["resources"] = {"memory": {"limit": 20 << 20, "swap": 20 << 20}}
    bundle.save()
    t.run_container(bundle, "--detach")
    child, lines = stream(t, bundle, "--interval", "1h")
    t.wait_until(lines, "the first object")
    with open(os.path.join(bundle.rootfs, "go"), "w", encoding="ascii") as go:
        go.write("\n")
    return bundle, child, lines


def test_lack_of_memory_is_told_at_once(t):
    bundle, child, lines = run_out_of_memory(t, HOG)
    t.wait_until(lambda: len(lines()) > 1, "the event", 30)
    assert lines()[1] == {"type": "oom", "id": bundle.id}, lines()
    assert child.poll() is None, (child.returncode, lines())
    t.kill(bundle, "KILL")
    assert child.wait(40 * PATIENCE) == 0


def test_lack_of_memory_that_ends_the_container_is_told(t):
    _, child, lines = run_out_of_memory(t, "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done")
    assert child.wait(30 * PATIENCE) == 0
    assert [event["type"] for event in lines()][-1] == "oom", lines()


def test_signals_end_it(t):
    bundle = up(t)
    for number in (signal.SIGINT, signal.SIGTERM):
        child, lines = stream(t, bundle, "--interval", "50ms")
        t.wait_until(lambda: len(lines()) > 1, "objects")
        child.send_signal(number)
        assert child.wait(40 * PATIENCE) == -number
        lines()


def test_reader_that_is_gone_ends_it_without_a_failure(t):
    bundle = up(t)
    for interval in ("50ms", "1h"):
        child = t.popen("events", "--interval", interval, bundle.id, stdout=subprocess.PIPE,
                        stderr=subprocess.PIPE)
        os.read(child.stdout.fileno(), 10)
        child.stdout.close()
        assert child.wait(40 * PATIENCE) == 0, interval
        assert child.stderr.read() == b""
        child.stderr.close()
        t.children.remove(child)


def test_errors(t):
    t.fails("events", "nobody", has="`nobody` does not exist")
    t.fails("events")
    t.fails("events", "--interval", "often", "x", has="often")
    bundle = stopped(t)
    t.fails("events", bundle.id, has=["container not running", "stopped"])
    t.fails("events", "--stats", bundle.id, has="container not running")


@flavors("root", "rootless")
def test_container_without_cgroup(t):
    bundle = t.bundle(SLEEP)
    t.rt("--cgroup-manager", "disabled", "run", "-d", "-b", bundle.path, bundle.id)
    t.fails("events", bundle.id, has="no cgroup of its own", code="CGROUP_NONE")
    t.fails("events", "--stats", bundle.id, has="no cgroup of its own")
