# SPDX-License-Identifier: Apache-2.0
"""--trace: a file that says how long each phase took, on the host side and in init, on one clock."""

import json
import os
import re
import stat
import time

from harness import flavors

SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "src", "libcrun")


def table(name, which):
    """The phases of a table of the program's source, in order."""
    with open(os.path.join(SOURCES, name), encoding="utf-8") as source:
        text = source.read()
    body = re.search(r"^const struct \w+ %s\[\] = \{\n(.*?)^\};" % which, text, re.M | re.S).group(1)
    return re.findall(r"\{\.name = \"([^\"]+)\"", body)


class Trace:
    """A trace file, checked for what holds for every one."""

    def __init__(self, path, before):
        info = os.stat(path)
        assert stat.S_IMODE(info.st_mode) == 0o600, oct(info.st_mode)
        with open(path, encoding="utf-8") as source:
            events = json.load(source)
        self.spans = [e for e in events if e["ph"] == "X"]
        assert all(e["ph"] in "XM" for e in events), events
        after = time.clock_gettime(time.CLOCK_MONOTONIC)
        for span in self.spans:
            assert span["cat"] in ("host", "init") and span["tid"] == span["pid"], span
            assert before <= span["ts"] / 1e6 and span["dur"] >= 0, (before, span)
            assert (span["ts"] + span["dur"]) / 1e6 <= after, (after, span)
        for cat in ("host", "init"):
            assert len({s["pid"] for s in self.spans if s["cat"] == cat}) <= 1, self.spans
            self.check_nesting([s for s in self.spans if s["cat"] == cat])
        self.host = [s["name"] for s in self.spans if s["cat"] == "host"]
        self.init = [s["name"] for s in self.spans if s["cat"] == "init"]

    @staticmethod
    def check_nesting(spans):
        """One process does one thing at a time: two spans lie in each other or behind each other."""
        slack = 0.002  # a nanosecond for each of two roundings
        for i, a in enumerate(spans):
            for b in spans[i + 1:]:
                end = a["ts"] + a["dur"]
                assert a["ts"] <= b["ts"], ("order", a, b)
                assert b["ts"] + slack >= end or b["ts"] + b["dur"] <= end + slack, (a, b)

    def one(self, name):
        found = [s for s in self.spans if s["name"] == name]
        assert len(found) == 1, (name, found)
        return found[0]

    def inside(self, outer, *names):
        a = self.one(outer)
        for name in names:
            b = self.one(name)
            assert a["ts"] <= b["ts"] and b["ts"] + b["dur"] <= a["ts"] + a["dur"] + 0.002, (a, b)

    def in_order(self, phases, there, *needed):
        """THERE has of PHASES some, each once, in their order, and all that are NEEDED."""
        places = [phases.index(name) for name in there if name in phases]
        assert places == sorted(set(places)), there
        for name in needed:
            assert name in there, (name, there)


def traced(t, *args, **options):
    path = os.path.join(t.dir, "trace.json")
    before = time.clock_gettime(time.CLOCK_MONOTONIC)
    result = t.rt("--trace", path, *args, **options)
    return Trace(path, before), result


def init_phases(of_exec=False):
    return [f"{domain}.{name}" for domain in ("outside", "inside", "last")
            for name in table(f"init/{domain}/phases.c", ("exec_" if of_exec else "") + domain + "_phases")]


def check_init(trace, *needed, of_exec=False):
    trace.in_order(init_phases(of_exec), trace.init, *needed)
    trace.inside("init", "outside", "inside", "last")
    for name in trace.init:
        if "." in name:
            trace.inside(name.split(".")[0], name)
    assert trace.one("spawn")["ts"] <= trace.one("init")["ts"], trace.spans


@flavors("root", "rootless")
def test_run_tells_the_phases_of_both_sides_in_order_and_on_one_clock(t):
    trace, _ = traced(t, "run", "-b", t.bundle("true").path, t.new_id())
    trace.in_order(table("host/launch.c", "host_phases"), trace.host,
                   "state", "intent", "spawn", "publish", "ready")
    trace.inside("run", "load", "state", "spawn", "ready", "payload", "wait", "remove")
    check_init(trace, "outside.mounts", "outside.pivot", "inside.credentials", "last.ready",
               "last.execve")
    # READY is said by init, and heard by the host side.
    ready = trace.one("ready")
    assert trace.one("last.ready")["ts"] <= ready["ts"] + ready["dur"], trace.spans
    # The host side sees the execve, and waits only then.
    execve = trace.one("last.execve")
    assert execve["args"] == {"unfinished": True}, execve
    assert execve["ts"] + execve["dur"] <= trace.one("wait")["ts"], trace.spans
    assert not any("failed" in s.get("args", {}) for s in trace.spans), trace.spans


@flavors("root", "rootless")
def test_create_start_exec_delete_each_have_a_trace(t):
    bundle = t.bundle(["sleep", "1000"])
    trace, _ = traced(t, "create", "-b", bundle.path, bundle.id)
    trace.in_order(table("host/launch.c", "host_phases"), trace.host,
                   "gate", "spawn", "ready", "settle", "record")
    trace.in_order(init_phases(), trace.init, "outside.rootfs", "last.ready")
    assert "last.execve" not in trace.init, trace.init
    assert trace.one("init")["args"] == {"unfinished": True}, trace.spans
    trace, _ = traced(t, "start", bundle.id)
    assert trace.host == ["start", "open", "record", "lock", "record", "gate", "execve",
                          "poststart"], trace.host
    if not t.missing:   # it takes a memfd
        trace.in_order(init_phases(), trace.init, "last.execve")
        trace.inside("start", "gate", "execve", "last.execve")
    trace, _ = traced(t, "exec", bundle.id, "true")
    trace.in_order(table("host/exec.c", "exec_phases"), trace.host, "namespaces", "spawn", "execve")
    trace.inside("exec", "load", "spawn", "execve", "wait")
    check_init(trace, "inside.credentials", "last.execve", of_exec=True)
    trace, _ = traced(t, "state", bundle.id)
    assert trace.host == ["state", "open", "record"], trace.host
    trace, _ = traced(t, "delete", "--force", bundle.id)
    places = [trace.host.index(name) for name in ("delete", "open", "kill", "lock", "state.remove")]
    assert places == sorted(places), trace.host


def test_a_time_namespace_does_not_move_the_clock_of_the_trace(t):
    if not os.path.exists("/proc/self/ns/time"):
        t.skip("the kernel has no time namespaces")

    def shift(config):
        config["linux"]["namespaces"].append({"type": "time"})
        config["linux"]["timeOffsets"] = {"monotonic": {"secs": 86400, "nanosecs": 0}}

    trace, result = traced(t, "run", "-b", t.bundle("cat /proc/uptime", mutate=shift).path, t.new_id())
    assert result.out, result
    check_init(trace, "outside.timens", "last.execve")
    bundle = t.bundle("true", mutate=shift)
    trace, _ = traced(t, "create", "-b", bundle.path, bundle.id)
    trace, _ = traced(t, "start", bundle.id)
    trace.inside("start", "gate", "execve", "last.execve")


def test_a_start_that_fails_in_init_says_where(t):
    def hook(config):
        config["hooks"] = {"startContainer": [{"path": "/bin/false"}]}

    for create in ((), ("--trace", os.path.join(t.dir, "other.json"))):
        bundle = t.bundle("true", mutate=hook)
        t.rt(*create, "create", "-b", bundle.path, bundle.id)
        trace, result = traced(t, "start", bundle.id, check=False)
        assert result.rc == 1, result
        assert trace.one("last.startContainer")["args"] == {"failed": True}, trace.spans
        assert trace.one("execve")["args"] == {"failed": True}, trace.spans
        assert trace.init == ["last.startContainer"], trace.init
        t.delete(bundle, force=True)


def test_a_trace_of_the_creation_is_none_of_the_start(t):
    bundle = t.bundle("true")
    traced(t, "create", "-b", bundle.path, bundle.id)
    t.start(bundle)
    t.wait_status(bundle, "stopped")
    t.delete(bundle)


def test_a_failing_creation_is_told_with_what_is_undone(t):
    b = t.bundle("true", mutate=lambda c: c["mounts"].append(
        {"destination": "/there", "type": "nosuchfs", "source": "none"}))
    trace, result = traced(t, "run", "-b", b.path, b.id, check=False)
    assert result.rc == 1 and "nosuchfs" in result.err, result
    for name in ("run", "init", "outside", "outside.mounts"):
        assert trace.one(name)["args"] == {"failed": True}, trace.one(name)
    # Init may be gone before the host side waits for it: then what it does at that moment fails.
    phases = [s for s in trace.spans if s["cat"] == "host" and s["name"] != "run"
              and not s["name"].startswith("undo: ")]
    assert phases[-1]["args"] == {"failed": True}, phases
    assert not any("args" in s for s in phases[:-1]), phases
    assert trace.init[-1] == "outside.mounts", trace.init
    undone = [name for name in trace.host if name.startswith("undo: ")]
    assert "undo: spawn" in undone and undone[-1] == "undo: state", undone
    t.assert_no_trace(b)


def test_a_failing_payload_is_no_failing_run(t):
    trace, result = traced(t, "run", "-b", t.bundle("exit 3").path, t.new_id(), check=False)
    assert result.rc == 3, result
    assert "args" not in trace.one("run"), trace.one("run")


def test_the_file_is_emptied_first_and_must_be_one(t):
    b = t.bundle("true")
    path = os.path.join(t.dir, "trace.json")
    with open(path, "w", encoding="utf-8") as old:
        os.fchmod(old.fileno(), 0o600)
        old.write("x" * 100000)
    traced(t, "run", "-b", b.path, b.id)
    link, fifo = os.path.join(t.dir, "link"), os.path.join(t.dir, "fifo")
    os.symlink(path, link)
    os.mkfifo(fifo)
    size = os.path.getsize(path)
    t.fails("--trace", link, "run", "-b", b.path, b.id, has="link`: it is a symbolic link", code="TRACE_FILE")
    t.fails("--trace", fifo, "run", "-b", b.path, b.id, has="open the trace", code="TRACE_FILE")
    t.fails("--trace", t.dir, "run", "-b", b.path, b.id, has="open the trace", code="TRACE_FILE")
    t.fails("--trace", os.path.join(t.dir, "no/such"), "run", "-b", b.path, b.id,
            has="No such file", code="TRACE_FILE")
    assert os.path.getsize(path) == size, "the link's target was written to"
    t.assert_no_trace(b)


def test_a_full_disk_costs_the_trace_and_not_the_container(t):
    small = os.path.join(t.dir, "small")
    os.mkdir(small)
    t.mount("tmpfs", small, "tmpfs", 0, "size=4k,nr_inodes=4")
    with open(os.path.join(small, "filler"), "wb") as filler:
        filler.write(b"x" * 4096)
    b = t.bundle("exit 3")
    result = t.rt("--trace", os.path.join(small, "trace"), "run", "-b", b.path, b.id, check=False)
    assert result.rc == 3, result
    assert "write the trace" in result.err and "No space left" in result.err, result


def test_the_payload_inherits_neither_the_file_nor_the_memory(t):
    b = t.bundle("ls -l /proc/self/fd; cat /proc/self/maps")
    _, result = traced(t, "run", "--preserve-fds", "5", "-b", b.path, b.id)
    assert "trace" not in result.out, result.out
    assert "/dev/zero" not in result.out, result.out
