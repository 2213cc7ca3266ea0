# SPDX-License-Identifier: Apache-2.0
"""stats: what a container uses, for people and as JSON, and whose limit it was when memory ran out.

Tests named "v2" run with a cgroup2 mounted over /sys/fs/cgroup in their own mount namespace.
"""

import json
import os
import signal
import subprocess
import time

import hostside
from harness import PATIENCE, flavors
from test_lifecycle import SLEEP, stopped
from test_linux_cgroups import ROOT, read, unified

UNLIMITED = 2 ** 64 - 1
# The kernel may look for a second process to kill when the first takes long to go; it must not be init.
HOG = ("(echo 1000 >/proc/self/oom_score_adj; head -c 100000000 /dev/zero | tail -c 90000000) "
       ">/dev/null; sleep 1000")
PRESSURE = {"avg10", "avg60", "avg300", "total_us"}


def up(t, args=SLEEP, resources=None, path=None, **kwargs):
    bundle = t.bundle(args, **kwargs)
    if resources:
        t.need_controllers(*resources)
        bundle.config["linux"]["resources"] = resources
    if path:
        bundle.cgroup = bundle.config["linux"]["cgroupsPath"] = path
    bundle.save()
    t.run_container(bundle, "--detach")
    return bundle


def stats(t, bundle):
    result = t.rt("stats", "--format", "json", bundle.id)
    assert result.err == "", result
    return json.loads(result.out, parse_float=Decimals)


class Decimals(str):
    """A number with a point: only pressure averages may be one."""


def check_numbers(value, path=""):
    """Counters are integers from 0 on, averages have two decimals, and nothing is null."""
    if isinstance(value, dict):
        for key, inner in value.items():
            check_numbers(inner, f"{path}/{key}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            check_numbers(inner, f"{path}/{number}")
    elif isinstance(value, Decimals):
        assert "/pressure/" in path and path.rsplit("/", 1)[1].startswith("avg"), path
        assert len(value.split(".")[1]) == 2, (path, value)
    elif not isinstance(value, str):
        assert type(value) is int and 0 <= value <= UNLIMITED, (path, value)
        assert not path.rsplit("/", 1)[1].startswith("avg"), (path, value)


def keys(value, required, allowed=frozenset()):
    assert required <= set(value) <= required | allowed, (set(value), required, allowed)


def check_shape(found, bundle):
    check_numbers(found)
    keys(found, {"id", "status", "cpu", "io", "pids"}, {"memory", "oom", "hugetlb", "network"})
    assert found["id"] == bundle.id
    keys(found["cpu"], {"usage_ns", "user_ns", "system_ns"},
         {"periods", "throttled_periods", "throttled_ns", "bursts", "burst_ns", "cpus", "mems",
          "pressure"})
    keys(found["io"], {"devices"}, {"pressure"})
    for device in found["io"]["devices"]:
        keys(device, {"device"}, {"read_bytes", "write_bytes", "discard_bytes", "reads", "writes",
                                  "discards"})
        assert all(part.isdigit() for part in device["device"].split(":")), device
    keys(found["pids"], {"current"}, {"peak", "limit"})
    for what in ("cpu", "io", "memory"):
        if "pressure" in found.get(what, {}):
            keys(found[what]["pressure"], {"some"}, {"full"})
            for line in found[what]["pressure"].values():
                keys(line, PRESSURE)


def check_memory(found):
    keys(found["memory"], {"current", "limit"},
         {"peak", "cache", "swap", "events", "pressure"})
    keys(found["memory"].get("swap", {}), set(), {"current", "peak", "limit"})
    keys(found["memory"].get("events", {}), set(), {"low", "high", "max", "oom", "oom_kill"})


def test_json_has_the_promised_members(t):
    bundle = up(t, "while :; do :; done", {"memory": {"limit": 64 << 20}, "pids": {"limit": 33},
                                           "cpu": {"quota": 20000, "period": 100000}})
    t.wait_until(lambda: stats(t, bundle)["cpu"]["throttled_ns"], "the quota to be used up")
    found = stats(t, bundle)
    check_shape(found, bundle)
    check_memory(found)
    assert found["status"] == "running"
    assert found["memory"]["limit"] == 64 << 20, found
    # On v2 the kernel has a peak since 5.19.
    counted = any(os.path.exists(os.path.join(path, name)) for path in t.cgroup_dirs(bundle).values()
                  for name in ("memory.peak", "memory.max_usage_in_bytes"))
    assert ("peak" in found["memory"]) == counted, found
    assert 0 < found["memory"]["current"] <= found["memory"].get("peak", 64 << 20) <= 64 << 20, found
    assert found["pids"] == {**found["pids"], "current": 1, "limit": 33}, found
    assert found["cpu"]["usage_ns"] > 10 ** 7, found
    assert found["cpu"]["throttled_periods"] > 0 < found["cpu"]["throttled_ns"], found
    assert "oom" not in found
    if "network" in found:
        keys(found["network"][0], {"name"} | {
            f"{way}_{what}" for way in ("rx", "tx")
            for what in ("bytes", "packets", "errors", "dropped")})
        assert found["network"][0]["name"] == "lo", found


def kernels_numbers(t, bundle):
    """Bytes of memory now and at most (or None), nanoseconds of CPU time: as the files have them."""
    t.need_controllers("memory")
    dirs = {name: path for names, path in t.cgroup_dirs(bundle).items() for name in names.split(",")}
    if "cpuacct" in dirs:
        usage = int(read(dirs["cpuacct"], "cpuacct.usage"))
    else:
        usage = 1000 * int(read(dirs["unified"], "cpu.stat").split()[1])
    if "memory" in dirs:
        return (int(read(dirs["memory"], "memory.usage_in_bytes")),
                int(read(dirs["memory"], "memory.max_usage_in_bytes")), usage)
    path = dirs["unified"]
    peak = os.path.exists(os.path.join(path, "memory.peak"))
    return int(read(path, "memory.current")), int(read(path, "memory.peak")) if peak else None, usage


def test_numbers_are_those_of_the_kernel(t):
    bundle = up(t, resources={"pids": {"limit": 12}})
    found = stats(t, bundle)
    current, peak, usage = kernels_numbers(t, bundle)
    assert abs(found["memory"]["current"] - current) < 1 << 20
    assert peak is None or found["memory"]["peak"] <= peak
    assert found["memory"]["limit"] == UNLIMITED, found
    assert found["cpu"]["usage_ns"] <= usage
    assert found["pids"]["limit"] == 12


def disk_of(t, path):
    """(major, minor) of the disk that has a file."""
    number = os.stat(path).st_dev
    here = os.path.realpath(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")
    if not os.path.exists(here):
        t.skip("the root file system is on no block device")
    if os.path.exists(f"{here}/partition"):
        here = os.path.dirname(here)
    return [int(number) for number in read(here, "dev").split(":")]


def test_io_is_counted_per_device(t):
    bundle = t.bundle("dd if=/dev/zero of=/file bs=1M count=3 conv=fsync 2>/dev/null; sleep 1000",
                      own_rootfs=True, mutate={"root": {"readonly": False}})
    v1 = any("blkio" in names.split(",") for names in hostside.cgroup_mounts())
    if not v1:
        t.need_controllers("io")
    major, minor = disk_of(t, bundle.rootfs)
    if v1:
        # On v1 kernels before 6.5 count what a limit applies to, and nothing else.
        bundle.config["linux"]["resources"] = {"blockIO": {"throttleWriteBpsDevice": [
            {"major": major, "minor": minor, "rate": 1 << 40}]}}
        bundle.save()
    t.run_container(bundle, "--detach")

    def written():
        return sum(d.get("write_bytes", 0) for d in stats(t, bundle)["io"]["devices"])
    t.wait_until(lambda: written() >= 3 << 20, "3 MiB written")


def test_page_for_people(t):
    bundle = up(t, resources={"memory": {"limit": 64 << 20}})
    out = t.rt("stats", bundle.id).out
    lines = out.splitlines()
    assert lines[0].split() == ["container", bundle.id, "(running)"], out
    assert "limit 64.0 MiB" in out and "\x1b" not in out, out
    assert [line.split()[0] for line in lines[:2]] == ["container", "cpu"], out


def test_all_containers_have_a_line_each(t):
    first, second = up(t), up(t)
    third = stopped(t)
    lines = t.rt("stats").out.splitlines()
    assert lines[0].split()[:3] == ["ID", "STATUS", "CPU"], lines
    got = {line.split()[0]: line.split()[1] for line in lines[1:]}
    assert got == {first.id: "running", second.id: "running", third.id: "stopped"}, lines
    found = json.loads(t.rt("stats", "-f", "json").out)
    assert sorted(c["id"] for c in found) == sorted(got), found
    for container in (first, second, third):
        t.delete(container, force=True)
    assert json.loads(t.rt("stats", "-f", "json").out) == []
    assert len(t.rt("stats").out.splitlines()) == 1


def test_v2_mechanics_without_controllers(t):
    unified(t)
    bundle = up(t, "sleep 1000 & sleep 1001")
    t.wait_until(lambda: stats(t, bundle)["pids"]["current"] == 2, "two processes")
    found = stats(t, bundle)
    check_shape(found, bundle)
    if "memory" not in read(ROOT, "cgroup.controllers").split():
        assert "current" not in found.get("memory", {}), "a missing controller must not be 0"
        assert "limit" not in found["pids"] or "pids" in read(ROOT, "cgroup.controllers")
    have = os.path.exists(f"{ROOT}{bundle.cgroup}/cpu.pressure")
    assert ("pressure" in found["cpu"]) == have
    t.rt("stats", bundle.id)
    t.rt("stats")


# ---- lack of memory ---------------------------------------------------------------------------


def memory_parent(t, name, limit):
    """A cgroup above the container's with a limit of its own."""
    t.need_controllers("memory")
    where = hostside.cgroup_mounts().get("memory")
    if where:
        path = f"{where}/{t.prefix}/{name}"
        os.makedirs(path)
        for file in ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"):
            if os.path.exists(f"{path}/{file}"):
                with open(f"{path}/{file}", "w", encoding="ascii") as out:
                    out.write(str(limit))
        return
    root = hostside.cgroup_mounts()["unified"]
    for top in (root, f"{root}/{t.prefix}"):
        os.makedirs(top, exist_ok=True)
        with open(f"{top}/cgroup.subtree_control", "w", encoding="ascii") as out:
            out.write("+memory")
    path = f"{root}/{t.prefix}/{name}"
    os.makedirs(path)
    for name, value in (("memory.max", limit), ("memory.swap.max", 0)):
        if os.path.exists(f"{path}/{name}"):
            with open(f"{path}/{name}", "w", encoding="ascii") as out:
                out.write(str(value))


def killed(t, bundle):
    def oom():
        return stats(t, bundle).get("oom")
    return t.wait_until(oom, "a process to be killed", 30)


def test_own_limit_is_blamed(t):
    bundle = up(t, HOG, {"memory": {"limit": 20 << 20, "swap": 20 << 20}})
    found = killed(t, bundle)
    keys(found, {"kills", "scope", "cgroup", "limit", "message"})
    assert found["kills"] >= 1 and found["scope"] == "container", found
    assert found["cgroup"].endswith(bundle.cgroup) and found["limit"] == 20 << 20, found
    assert "its own limit of 20.0 MiB" in found["message"], found
    assert stats(t, bundle)["memory"]["events"]["oom_kill"] >= found["kills"]
    assert found["message"] in t.rt("stats", bundle.id).out


def test_limit_above_is_blamed(t):
    memory_parent(t, "pod", 30 << 20)
    bundle = up(t, HOG, {"memory": {"limit": 500 << 20}}, path=f"/{t.prefix}/pod/c")
    found = killed(t, bundle)
    assert found["scope"] == "ancestor" and found["cgroup"].endswith(f"/{t.prefix}/pod"), found
    assert found["limit"] == 30 << 20 and "above the container" in found["message"], found
    t.delete(bundle, force=True)
    mounts = hostside.cgroup_mounts()
    where = mounts.get("memory") or mounts["unified"]
    hostside.remove_cgroup(f"{where}/{t.prefix}/pod")


def test_stopped_container_still_tells(t):
    bundle = up(t, ["sh", "-c", "head -c 100000000 /dev/zero | tail -c 90000000 >/dev/null"],
                {"memory": {"limit": 20 << 20, "swap": 20 << 20}})
    t.wait_status(bundle, "stopped", 30)
    found = stats(t, bundle)
    assert found["status"] == "stopped" and found["oom"]["scope"] == "container", found
    t.delete(bundle)


# ---- watching ---------------------------------------------------------------------------------


def test_watch_ends_with_the_container(t):
    bundle = up(t, ["sleep", f"{2 * PATIENCE:g}"])
    begin = time.monotonic()
    result = t.rt("stats", "--watch", "--interval", f"{200 * PATIENCE:.0f}ms", "-f", "json",
                  bundle.id)
    assert time.monotonic() - begin < 20 * PATIENCE, "it did not notice the end"
    lines = [json.loads(line) for line in result.out.splitlines()]
    assert 3 <= len(lines) <= 14 and result.err == "", result
    assert [c["status"] for c in lines[:-1]] == ["running"] * (len(lines) - 1), result
    assert lines[-1]["status"] == "stopped", result


def test_watch_shows_percent_and_ends_when_nobody_reads(t):
    bundle = up(t, "while :; do :; done")
    child = t.popen("stats", "--interval", "0.3", bundle.id, stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE)
    text = b""
    while b" %, " not in text:
        text += os.read(child.stdout.fileno(), 4096)
    child.stdout.close()
    assert child.wait(40 * PATIENCE) == 0, "a reader that is gone is no failure"
    assert child.stderr.read() == b""
    child.stderr.close()
    t.children.remove(child)


def test_watch_of_all_until_a_signal(t):
    up(t)
    child = t.popen("stats", "--watch", "--interval", "0.1", stdout=subprocess.PIPE)
    assert b"ID" in os.read(child.stdout.fileno(), 4096)
    child.send_signal(signal.SIGTERM)
    assert child.wait(40 * PATIENCE) == -signal.SIGTERM
    child.stdout.close()
    t.children.remove(child)


# ---- errors -----------------------------------------------------------------------------------


def test_errors(t):
    t.fails("stats", "nobody", has="`nobody` does not exist")
    t.fails("stats", "one", "two")
    t.fails("stats", "--interval", "soon", has="soon")
    t.fails("stats", "--format", "xml", has="xml")


@flavors("root", "rootless")
def test_container_without_cgroup(t):
    bundle = t.bundle(SLEEP)
    t.rt("--cgroup-manager", "disabled", "run", "-d", "-b", bundle.path, bundle.id)
    t.fails("stats", bundle.id, has="no cgroup of its own")
    assert json.loads(t.rt("stats", "-f", "json").out) == [{"id": bundle.id, "status": "running"}]
    t.kill(bundle, "KILL")
    t.wait_status(bundle, "stopped")
    t.fails("stats", bundle.id, has="container not running")


def test_closed_output_is_a_failure(t):
    bundle = up(t)
    with open("/dev/full", "wb") as full:
        t.fails("stats", bundle.id, stdout=full, has="No space left on device", code="OUTPUT")
