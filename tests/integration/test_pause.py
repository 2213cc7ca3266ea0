# SPDX-License-Identifier: Apache-2.0
"""pause and resume: nothing runs in between, whatever the layout, and everything else still works.

Tests named "v2" run with a cgroup2 mounted over /sys/fs/cgroup in their own mount namespace.
"""

import ctypes
import json
import os
import select
import signal
import subprocess
import time

import hostside
from harness import PATIENCE, flavors
from test_lifecycle import SLEEP, no_pid_namespace, stopped
from test_linux_cgroups import ROOT, read, unified

COUNT = "n=0; while :; do n=$((n+1)); echo $n >/count; done"


def cgroups(t, bundle):
    """The container's directories: those of this host's layout, or that of the test's own v2."""
    if os.path.exists(f"{ROOT}/cgroup.controllers"):
        return [ROOT + bundle.cgroup]
    return list(t.cgroup_dirs(bundle).values())


def freezers(t, bundle):
    """The state file of each freezer that the container has -> its content."""
    found = {}
    for where in cgroups(t, bundle):
        for name in ("freezer.state", "cgroup.events"):
            if os.path.exists(os.path.join(where, name)):
                found[os.path.join(where, name)] = read(where, name)
    return found


def assert_freezers(t, bundle, frozen):
    found = freezers(t, bundle)
    assert found, "no freezer was found: the test is void"
    for name, text in found.items():
        if name.endswith("freezer.state"):
            assert text == ("FROZEN" if frozen else "THAWED"), found
        else:
            assert f"frozen {int(frozen)}" in text.splitlines(), found


def up(t, args=SLEEP, **kwargs):
    bundle = t.bundle(args, **kwargs)
    t.run_container(bundle, "--detach")
    return bundle


def pause(t, bundle, **kwargs):
    result = t.rt("pause", bundle.id, **kwargs)
    assert result.out == result.err == "", result
    return result


def resume(t, bundle, **kwargs):
    result = t.rt("resume", bundle.id, **kwargs)
    assert result.out == result.err == "", result
    return result


def nothing_runs_while_paused(t):
    bundle = up(t, COUNT, own_rootfs=True, mutate={"root": {"readonly": False}})
    count = os.path.join(bundle.rootfs, "count")
    t.wait_until(lambda: os.path.exists(count) and os.path.getsize(count), "the first number")
    pause(t, bundle)
    assert_freezers(t, bundle, True)
    before = os.stat(count).st_mtime_ns
    time.sleep(0.2)
    assert os.stat(count).st_mtime_ns == before, "it ran while it was paused"
    resume(t, bundle)
    assert_freezers(t, bundle, False)
    t.wait_until(lambda: os.stat(count).st_mtime_ns != before, "it to run again")


def test_nothing_runs_between_pause_and_resume(t):
    nothing_runs_while_paused(t)


def test_v2_nothing_runs_between_pause_and_resume(t):
    unified(t)
    nothing_runs_while_paused(t)


def states(t):
    bundle = up(t)
    for _round in range(3):
        assert t.state(bundle)["status"] == "running"
        pause(t, bundle)
        state = t.state(bundle)
        assert state["status"] == "paused" and state["pid"] > 0, state
        listed = json.loads(t.rt("list", "--format", "json").out)
        assert [c["status"] for c in listed if c["id"] == bundle.id] == ["paused"], listed
        assert "paused" in t.rt("list").out
        resume(t, bundle)
    assert t.state(bundle)["status"] == "running"


def test_state_and_list_say_paused(t):
    states(t)


def test_v2_state_and_list_say_paused(t):
    unified(t)
    states(t)


def test_processes_that_fork_all_the_time_are_paused(t):
    bundle = up(t, "for i in 1 2 3; do (while :; do /bin/true; done) & done; wait")
    for _round in range(5):
        pause(t, bundle)
        assert_freezers(t, bundle, True)
        resume(t, bundle)


def test_v2_processes_that_fork_all_the_time_are_paused(t):
    unified(t)
    bundle = up(t, "for i in 1 2 3; do (while :; do /bin/true; done) & done; wait")
    for _round in range(5):
        pause(t, bundle)
        assert_freezers(t, bundle, True)
        resume(t, bundle)


def killed_while_paused(t):
    for opts, mutate in (([], None), (["--all"], None), ([], no_pid_namespace),
                         (["--all"], no_pid_namespace)):
        bundle = up(t, "sleep 1000 & sleep 1000", mutate=mutate)
        pause(t, bundle)
        t.kill(bundle, "KILL", opts=opts)
        t.wait_status(bundle, "stopped")
        t.delete(bundle)
        t.assert_no_trace(bundle)
    bundle = up(t)
    pause(t, bundle)
    t.fails("delete", bundle.id, has="paused")
    begin = time.monotonic()
    t.delete(bundle, force=True)
    assert time.monotonic() - begin < 9 * PATIENCE, "delete --force waited"
    t.assert_no_trace(bundle)


def test_sigkill_of_a_paused_container_takes_effect(t):
    killed_while_paused(t)


def test_v2_sigkill_of_a_paused_container_takes_effect(t):
    unified(t)
    killed_while_paused(t)


def test_other_signals_wait_for_resume(t):
    bundle = t.bundle("trap 'echo got; exit' TERM; echo ready; while :; do sleep 0.02; done")
    started = t.run_container(bundle, "--detach")
    t.wait_until(lambda: "ready" in started.output(), "the trap")
    pause(t, bundle)
    t.kill(bundle, "TERM")
    time.sleep(0.1)
    assert "got" not in started.output() and t.state(bundle)["status"] == "paused"
    resume(t, bundle)
    t.wait_until(lambda: "got" in started.output(), "the signal")
    t.wait_status(bundle, "stopped")


def created(t):
    bundle = t.bundle(["echo", "started"])
    made = t.create(bundle)
    pause(t, bundle)
    assert t.state(bundle)["status"] == "paused"
    t.fails("start", bundle.id, has="paused")
    resume(t, bundle)
    assert t.state(bundle)["status"] == "created"
    t.start(bundle)
    t.wait_until(lambda: "started" in made.output(), "the payload")


def test_created_container_is_paused_and_can_be_started_once_resumed(t):
    created(t)


def test_v2_created_container_is_paused_and_can_be_started_once_resumed(t):
    unified(t)
    created(t)


def test_unknown_container(t):
    for command in ("pause", "resume"):
        t.fails(command, "nobody", has="`nobody` does not exist")


def test_stopped_container(t):
    bundle = stopped(t)
    for command in ("pause", "resume"):
        t.fails(command, bundle.id, has=["container not running", "no such process", "stopped"])


def test_wrong_state_is_named(t):
    bundle = up(t)
    t.fails("resume", bundle.id, has=["not paused", "running"])
    pause(t, bundle)
    t.fails("pause", bundle.id, has="paused already")
    assert t.state(bundle)["status"] == "paused", "the second pause undid the first"
    resume(t, bundle)
    t.fails("resume", bundle.id, has="not paused")


def test_v2_container_that_died_while_paused_leaves_nothing_frozen(t):
    unified(t)
    bundle = up(t, "sleep 1000 & exec sleep 1001", mutate=no_pid_namespace)
    pause(t, bundle)
    pid = t.pid(bundle)
    os.kill(pid, 9)
    t.wait_status(bundle, "stopped")
    # containerd resumes it and logs the error; what init left behind goes on.
    t.fails("resume", bundle.id, has="container not running")
    assert read(ROOT + bundle.cgroup, "cgroup.freeze") == "0"
    t.delete(bundle)
    t.assert_no_trace(bundle)


def test_v2_cgroup_that_was_not_made_for_the_container_cannot_be_paused(t):
    unified(t)
    path = f"/{t.prefix}/theirs"
    os.makedirs(ROOT + path)
    bundle = t.bundle(SLEEP)
    bundle.cgroup = bundle.config["linux"]["cgroupsPath"] = path
    bundle.save()
    t.run_container(bundle, "--detach")
    try:
        t.fails("pause", bundle.id, has=["was not made for it",
                                         "linux.cgroupsPath that does not exist yet"])
        assert read(ROOT + path, "cgroup.freeze") == "0"
        assert t.state(bundle)["status"] == "running"
    finally:
        t.delete(bundle, force=True)
        hostside.remove_cgroup(ROOT + path)
        hostside.remove_cgroup(os.path.dirname(ROOT + path))


def stuck(t, where):
    """A process in the v2 cgroup WHERE that cannot freeze: its open(2) waits for our answer by
    fanotify(7). Returns what is to be closed to let it go on."""
    libc = ctypes.CDLL(None, use_errno=True)
    file = t.file("stuck")
    fan = libc.fanotify_init(0x4 | 0x1, os.O_RDONLY | os.O_CLOEXEC)   # CLASS_CONTENT | CLOEXEC
    if fan < 0 or libc.fanotify_mark(fan, 1, ctypes.c_uint64(0x10000), -100, file.encode()) < 0:
        t.skip(f"no fanotify permission events: {os.strerror(ctypes.get_errno())}")
    t.popen(argv=["sh", "-c", f"echo $$ >{where}/cgroup.procs && exec cat {file}"])
    ready, _, _ = select.select([fan], [], [], 30)
    assert ready, "nobody opened the file"
    return fan


def test_v2_pause_that_hangs_is_undone_by_signals_and_by_the_timeout(t):
    unified(t)
    bundle = up(t)
    where = ROOT + bundle.cgroup
    fan = stuck(t, where)
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            child = t.popen("pause", bundle.id, stderr=subprocess.PIPE)
            t.wait_until(lambda: read(where, "cgroup.freeze") == "1", "the beginning")
            child.send_signal(number)
            err = child.communicate(timeout=30 * PATIENCE)[1].decode()
            assert child.returncode == -number, (child.returncode, err)
            assert f"interrupted by signal {int(number)}" in err and bundle.id in err, err
            assert read(where, "cgroup.freeze") == "0"
            assert t.state(bundle)["status"] == "running"
        t.fails("--timeout=300ms", "pause", bundle.id, has=["did not freeze within 300 ms", "cat"],
                code="FREEZE_TIMEOUT")
        assert read(where, "cgroup.freeze") == "0"
    finally:
        os.close(fan)
    pause(t, bundle)
    resume(t, bundle)


def without_cgroup(t):
    bundle = t.bundle(SLEEP)
    t.rt("--cgroup-manager", "disabled", "run", "-d", "-b", bundle.path, bundle.id)
    t.fails("pause", bundle.id, has="no cgroup of its own")
    t.fails("resume", bundle.id, has="not paused")
    assert t.state(bundle)["status"] == "running"


def test_container_without_cgroup_cannot_be_paused(t):
    without_cgroup(t)


@flavors("rootless")
def test_ordinary_user_without_cgroup_is_told(t):
    without_cgroup(t)


def frozen_parent(t, where, name, on, off):
    bundle = t.bundle(SLEEP)
    bundle.cgroup = bundle.config["linux"]["cgroupsPath"] = f"/{t.prefix}/above/c"
    bundle.save()
    t.run_container(bundle, "--detach")
    state = f"{where}/{t.prefix}/above/{name}"
    with open(state, "w", encoding="ascii") as out:
        out.write(on)
    try:
        assert t.state(bundle)["status"] == "running"   # nobody paused it
        pause(t, bundle)
        assert t.state(bundle)["status"] == "paused"
        t.fails("resume", bundle.id, has=["stays frozen", f"/{t.prefix}/above` above it"])
    finally:
        with open(state, "w", encoding="ascii") as out:
            out.write(off)
    assert t.state(bundle)["status"] == "running"
    t.delete(bundle, force=True)
    t.assert_no_trace(bundle)


def test_v1_cgroup_above_that_somebody_froze(t):
    where = hostside.cgroup_mounts().get("freezer") or t.skip("no v1 freezer here")
    frozen_parent(t, where, "freezer.state", "FROZEN", "THAWED")


def test_v2_cgroup_above_that_somebody_froze(t):
    unified(t)
    frozen_parent(t, ROOT, "cgroup.freeze", "1", "0")


def test_v2_cgroup_that_the_payload_froze_is_its_own_affair(t):
    """A cgroup below the container's is no business of pause and resume, but no shelter either."""
    unified(t)
    bundle = up(t)
    inner = ROOT + bundle.cgroup + "/inner"
    os.mkdir(inner)
    with open(inner + "/cgroup.freeze", "w", encoding="ascii") as out:
        out.write("1")
    assert t.state(bundle)["status"] == "running"
    pause(t, bundle)
    resume(t, bundle)
    assert read(inner, "cgroup.freeze") == "1"
    t.delete(bundle, force=True)
    t.assert_no_trace(bundle)


def test_v1_cgroup_that_the_payload_froze_does_not_keep_it_alive(t):
    where = hostside.cgroup_mounts().get("freezer") or t.skip("no v1 freezer here")
    for command in (["kill", "--all"], ["delete", "--force"]):
        bundle = up(t, "sleep 1000 & sleep 1001", mutate=no_pid_namespace)
        inner = f"{where}{bundle.cgroup}/inner/most"
        os.makedirs(inner)
        t.wait_until(lambda: len(hostside.cgroup_pids(where + bundle.cgroup)) == 2, "two")
        other = [p for p in hostside.cgroup_pids(where + bundle.cgroup) if p != t.pid(bundle)][0]
        for name, text in (("cgroup.procs", str(other)), ("freezer.state", "FROZEN")):
            with open(f"{inner}/{name}", "w", encoding="ascii") as out:
                out.write(text)
        t.rt(*command, bundle.id, *(["KILL"] if command[0] == "kill" else []))
        t.wait_until(hostside.reaped(lambda: not os.path.exists(f"/proc/{other}")), "its death")
        t.delete(bundle, force=True)
        t.assert_no_trace(bundle)
