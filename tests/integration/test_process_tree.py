# SPDX-License-Identifier: Apache-2.0
"""Whose child the container is, what else runs, and who still holds the standard streams."""

import ctypes
import os
import select
import signal
import time

import hostside
from harness import PATIENCE, fields, flavors
from test_lifecycle import SLEEP, no_pid_namespace
from test_run import hook


def stat_fields(pid):
    """ppid, pgrp, session of a process."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as source:
        rest = source.read().rpartition(") ")[2].split()
    return tuple(int(x) for x in rest[1:4])


@flavors("root", "rootless")
def test_container_process_leads_its_own_session(t):
    for verb in (["create"], ["run", "--detach"]):
        bundle = t.bundle(SLEEP)
        t.rt(*verb, "-b", bundle.path, bundle.id)
        pid = t.pid(bundle)
        assert stat_fields(pid)[1:] == (pid, pid)
        assert os.getpgid(pid) != os.getpgid(0)
        t.delete(bundle, force=True)


def test_session_seen_from_inside(t):
    facts = fields(t.probe(None, "session")["session"])
    assert facts["pid"] == facts["sid"] == facts["pgid"] == "1", facts
    assert facts["ctty"] != "yes", facts


@flavors("root", "rootless")
def test_init_becomes_the_child_of_the_callers_subreaper(t):
    for verb in (["create"], ["run", "--detach"]):
        bundle = t.bundle(SLEEP)
        t.rt(*verb, "-b", bundle.path, bundle.id)
        assert stat_fields(t.pid(bundle))[0] == os.getpid()
        t.delete(bundle, force=True)


@flavors("root", "rootless")
def test_nothing_but_init_stays_behind(t):
    bundle = t.bundle(SLEEP)
    t.create(bundle)
    pid = t.pid(bundle)
    assert set(hostside.descendants(os.getpid())) == {pid}
    t.start(bundle)
    assert set(hostside.descendants(os.getpid())) == {pid}
    for _n in range(3):
        t.state(bundle)
        t.rt("list")
        t.kill(bundle, "0")
    assert set(hostside.descendants(os.getpid())) == {pid}
    t.delete(bundle, force=True)
    assert {p: s for p, s in hostside.descendants(os.getpid()).items() if s[0] != "Z"} == {}


def test_no_unknown_zombie_reaches_the_caller(t):
    # Engines reap children that they do not know; each is a pid they may mistake for theirs.
    hostside.reap()
    bundle = t.bundle(SLEEP)
    t.create(bundle)
    t.start(bundle)
    assert hostside.reap() == []
    pid = t.pid(bundle)
    t.delete(bundle, force=True)
    assert hostside.reap() == [pid]


def test_failed_create_leaves_no_zombie_to_the_caller(t):
    hostside.reap()
    for change in ({"args": ["nosuch"]}, {"cwd": "/missing"}, {"user": {"uid": 0, "gid": 0},
                                                               "args": ["/etc"]}):
        bundle = t.bundle(mutate={"process": change})
        t.fails("create", "-b", bundle.path, bundle.id)
        assert hostside.descendants(os.getpid()) == {}
        assert hostside.reap() == []


def test_recipe_5_init_that_waits_holds_only_its_streams_and_the_gate(t):
    read_end, write_end = os.pipe()
    bundle = t.bundle(SLEEP)
    t.create(bundle, "--pid-file", t.path("pid"), stdout=write_end, stderr=write_end)
    os.close(write_end)
    pid = int(open(t.path("pid"), encoding="ascii").read())
    fds = {int(n): os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd")}
    assert {0, 1, 2} <= set(fds) and len(fds) <= 4, fds
    assert not any(f.startswith(bundle.path) for f in fds.values()), fds
    os.close(read_end)


def test_foreground_runtime_is_the_subreaper_of_its_container(t):
    bundle = t.bundle("(sleep 1000 & echo $! > /tmp/pid) ; sleep 1000", mutate=lambda c: (
        no_pid_namespace(c), c["root"].update(readonly=False)))
    child = t.popen("run", "-b", bundle.path, bundle.id)
    path = os.path.join(bundle.rootfs, "tmp", "pid")
    t.wait_until(lambda: os.path.exists(path) and os.path.getsize(path), "the orphan's pid")
    orphan = int(open(path, encoding="ascii").read())
    t.wait_until(lambda: stat_fields(orphan)[0] == child.pid, "the orphan's new parent")
    t.kill(bundle, "KILL")
    assert child.wait(40 * PATIENCE) == 137


def test_no_subreaper_is_accepted(t):
    for verb, option in (("run", "--no-subreaper"), ("run", "-no-subreaper"),
                         ("create", "--no-subreaper")):
        bundle = t.bundle()
        t.rt(verb, option, "-b", bundle.path, bundle.id)
        t.delete(bundle, force=True)


def test_container_survives_the_death_of_whoever_called_the_runtime(t):
    # go-runc, conmon and Buildah set PDEATHSIG on the runtime; it must not reach the container.
    bundle = t.bundle(SLEEP)
    libc = ctypes.CDLL(None)
    pid = os.fork()
    if pid == 0:
        try:
            t.rt("run", "--detach", "-b", bundle.path, bundle.id,
                 preexec_fn=lambda: libc.prctl(1, signal.SIGKILL, 0, 0, 0))
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    time.sleep(0.1)
    assert t.state(bundle)["status"] == "running"


def test_detached_container_survives_the_end_of_the_callers_session(t):
    bundle = t.bundle(SLEEP)
    t.rt("run", "-d", "-b", bundle.path, bundle.id, start_new_session=True)
    assert t.state(bundle)["status"] == "running"


def closes_within(fd, seconds=20.0):
    """Read to the end of file; False if somebody keeps the other end open."""
    deadline = time.monotonic() + seconds * PATIENCE
    while time.monotonic() < deadline:
        ready, _w, _x = select.select([fd], [], [], 0.1)
        if ready and not os.read(fd, 65536):
            return True
    return False


def test_streams_are_closed_when_a_failed_create_returns(t):
    cases = [{"process": {"args": ["nosuch"]}}, {"process": {"cwd": "/missing"}},
             {"process": {"args": ["/etc"]}},
             {"hooks": {"createRuntime": hook("exit 3")}},
             {"hooks": {"prestart": hook("sleep 0.1; exit 3")}},
             {"mounts": [{"destination": "/x", "type": "nosuchfs", "source": "x"}]}]
    for change in cases:
        bundle = t.bundle(mutate=change)
        pipes = [os.pipe(), os.pipe()]
        result = t.rt("create", "-b", bundle.path, bundle.id, stdout=pipes[0][1],
                      stderr=pipes[1][1], check=False)
        assert result.rc != 0, change
        for read_end, write_end in pipes:
            os.close(write_end)
            assert closes_within(read_end), f"a stray process holds stdio: {change}"
            os.close(read_end)
        t.assert_no_trace(bundle)


def test_only_the_payload_keeps_the_streams_open(t):
    read_end, write_end = os.pipe()
    bundle = t.bundle(SLEEP)
    t.rt("run", "--detach", "-b", bundle.path, bundle.id, stdout=write_end, stderr=write_end)
    os.close(write_end)
    assert not closes_within(read_end, 0.2), "the payload should have it"
    os.kill(t.pid(bundle), signal.SIGKILL)
    assert closes_within(read_end), "somebody else kept the pipe open"
    os.close(read_end)


def test_daemons_started_by_hooks_do_not_hold_the_streams(t):
    # A hook gets no descriptor of the payload: its stdout is not the container's.
    number = t.path("daemon")
    bundle = t.bundle(SLEEP, mutate={"hooks": {"createRuntime": hook(
        f"sleep 1000 >/dev/null 2>&1 </dev/null & echo $! >{number}")}})
    read_end, write_end = os.pipe()
    t.rt("run", "--detach", "-b", bundle.path, bundle.id, stdout=write_end, stderr=write_end)
    os.close(write_end)
    os.kill(t.pid(bundle), signal.SIGKILL)
    assert closes_within(read_end)
    os.close(read_end)
    with open(number, encoding="ascii") as source:
        os.kill(int(source.read()), signal.SIGKILL)


def test_create_returns_while_stderr_is_a_full_pipe(t):
    # An engine that does not read must not block a successful create.
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    try:
        while True:
            os.write(write_end, b"x" * 4096)
    except BlockingIOError:
        pass
    os.set_blocking(write_end, True)
    bundle = t.bundle(SLEEP)
    t.create(bundle, stderr=write_end)
    os.close(read_end)
    os.close(write_end)
