# SPDX-License-Identifier: Apache-2.0
"""crun gc: what killed commands leave is found and removed, and nothing else is touched."""

import collections
import json
import os
import re
import shutil
import signal

import hostside
from harness import flavors
from systemd_host import Systemd
from test_crash import damage, forge, nothing_runs
from test_lifecycle import SLEEP
from test_run import hook
from test_systemd import bundle_for, scope_of

# Whatever happens between two of these changes nothing that outlives the process.
POINTS = ("mkdir", "mkdirat", "mknodat", "openat", "renameat", "unlink", "unlinkat", "clone3",
          "bind", "connect", "sendto", "sendmsg", "write", "flock", "pidfd_send_signal",
          "exit_group")
# How many calls of each kind a command is killed at, spread over all of them.
EACH = int(os.environ.get("CRUN_TEST_KILLS", "3"))
SETUP = {"linux": {"resources": {"pids": {"limit": 100}}}}


def gc(t, *options, check=True):
    return t.rt("gc", *options, check=check)


def found_by(t, *options, check=True):
    result = gc(t, "--format", "json", *options, check=check)
    return {entry["id"]: entry for entry in json.loads(result.out)}


def strace(t, *options):
    if not shutil.which("strace"):
        t.skip("strace is not installed")
    return ["strace", "-qq", "-o", t.file("strace.out"), *options]


def kill_points(t, command):
    """(call, number) of the places at which COMMAND, which is run once for that, is to be killed."""
    result = t.rt(argv=strace(t, "-e", "trace=" + ",".join(POINTS)) + command, check=False)
    if result.rc:
        t.skip(f"cannot be traced: {result.err.strip()}")
    with open(t.path("strace.out"), encoding="utf-8", errors="replace") as source:
        calls = collections.Counter(re.findall(r"^(\w+)\(", source.read(), re.MULTILINE))
    assert calls["renameat"] or calls["unlinkat"], calls
    points = []
    for call, count in sorted(calls.items()):
        some = {1 + (count - 1) * k // max(EACH - 1, 1) for k in range(EACH)}
        points += [(call, number) for number in sorted(some)]
    return points


def killed_at(t, point, command):
    call, number = point
    result = t.rt(argv=strace(t, "-e", f"trace={call}", "-e",
                              f"inject={call}:signal=KILL:when={number}") + command, check=False)
    return result.rc == 128 + signal.SIGKILL


def status(t, bundle):
    result = t.rt("state", bundle.id, check=False)
    return json.loads(result.out)["status"] if result.rc == 0 else None


def is_marked(t, bundle, mark):
    return os.path.exists(os.path.join(t.state_dir, bundle.id, mark))


def end(t, bundle):
    """Ends the container if it is alive, which is not for gc to do."""
    # An init whose runtime is killed executes the payload or dies; for a moment it has done neither.
    t.wait_until(hostside.reaped(lambda: status(t, bundle) != "creating"), "the payload, or the end")
    if status(t, bundle) in ("created", "running"):
        t.kill(bundle, "KILL", check=False)   # an init that dies with its runtime may be quicker
        t.wait_until(hostside.reaped(lambda: status(t, bundle) == "stopped"), "its end")


def assert_nothing_left(t, bundle, why):
    result = gc(t)
    assert bundle.id not in t.state_entries(), (why, result)
    t.assert_no_trace(bundle)
    nothing_runs(t)


# ---- commands that are killed ------------------------------------------------------------------

@flavors("root", "rootless")
def test_create_killed_anywhere_is_cleaned(t):
    def command(bundle):
        return t.argv("create", "-b", bundle.path, bundle.id)
    bundle = t.bundle(SLEEP, mutate=None if t.rootless else SETUP)
    points = kill_points(t, command(bundle))
    t.delete(bundle, force=True)
    for point in points:
        bundle = t.bundle(SLEEP, mutate=None if t.rootless else SETUP)
        killed_at(t, point, command(bundle))
        if status(t, bundle) == "created":   # all was done
            gc(t)
            t.delete(bundle)
        else:
            assert_nothing_left(t, bundle, point)


@flavors("root", "rootless")
def test_detached_run_killed_anywhere_is_cleaned(t):
    def command(bundle):
        return t.argv("run", "-d", "-b", bundle.path, bundle.id)
    bundle = t.bundle(SLEEP)
    points = kill_points(t, command(bundle))
    t.delete(bundle, force=True)
    for point in points:
        bundle = t.bundle(SLEEP)
        killed_at(t, point, command(bundle))
        if is_marked(t, bundle, "began"):
            assert bundle.id not in found_by(t), point
            assert status(t, bundle) == "running", point
        end(t, bundle)
        if is_marked(t, bundle, "began"):   # it is like any other that has stopped
            assert bundle.id not in found_by(t), point
            t.delete(bundle)
        assert_nothing_left(t, bundle, point)


@flavors("root", "rootless")
def test_run_killed_anywhere_is_cleaned(t):
    def command(bundle):
        return t.argv("run", "-b", bundle.path, bundle.id)
    points = kill_points(t, command(t.bundle(["true"])))
    for point in points:
        bundle = t.bundle(["true"])
        killed_at(t, point, command(bundle))
        t.wait_until(hostside.reaped(lambda b=bundle: status(t, b) in (None, "stopped")), "its end")
        assert_nothing_left(t, bundle, point)


@flavors("root", "rootless")
def test_delete_killed_anywhere_is_cleaned(t):
    for options in ([], ["--force"]):
        def command(bundle, options=options):
            return t.argv("delete", *options, bundle.id)

        def made(options=options):
            bundle = t.bundle(SLEEP)
            t.create(bundle)
            if options:
                t.start(bundle)
            return bundle
        for point in kill_points(t, command(made())):
            bundle = made()
            if killed_at(t, point, command(bundle)) and not is_marked(t, bundle, "deleting") and \
                    bundle.id in t.state_entries() and status(t, bundle):
                t.delete(bundle, force=True)   # it had not begun
                continue
            end(t, bundle)   # killed before it could do so itself
            assert_nothing_left(t, bundle, (options, point))


@flavors("root", "rootless")
def test_creation_that_ends_in_a_hook(t):
    bundle = t.bundle(SLEEP, mutate={"hooks": {"createRuntime": hook("kill -9 $PPID")}})
    assert t.rt("create", "-b", bundle.path, bundle.id, check=False).rc == 137
    hostside.reap()
    before = t.state_entries()
    result = gc(t, "--dry-run")
    assert re.fullmatch(rf"would remove {bundle.id}: its creation was cut off \(.*"
                        r"state directory\)\n", result.out), result
    entry = found_by(t, "-n")[bundle.id]
    assert entry["reason"] == "creation" and not entry["removed"] and "error" not in entry, entry
    assert t.rootless or f"cgroup {bundle.cgroup}" in entry["found"], entry
    assert t.state_entries() == before
    result = gc(t)
    assert result.out.startswith(f"removed {bundle.id}: "), result
    t.assert_no_trace(bundle)
    assert gc(t).out == "" and json.loads(gc(t, "-f", "json").out) == []


def test_deletion_that_ends_in_a_hook(t):
    flag = t.path("once")
    bundle = t.bundle(SLEEP, mutate={"hooks": {
        "poststop": hook(f"test -e {flag} && exit; touch {flag}; kill -9 $PPID")}})
    t.create(bundle)
    assert t.delete(bundle, check=False).rc == 137
    hostside.reap()
    assert status(t, bundle) == "stopped"
    assert found_by(t)[bundle.id]["reason"] == "deletion"
    t.assert_no_trace(bundle)


def runs_its_program(t, bundle):
    """Before that init ends with the command that makes it."""
    with open(f"/proc/{t.state(bundle)['pid']}/comm", encoding="ascii") as source:
        return source.read().strip() == SLEEP[0]


@flavors("root", "rootless")
def test_run_that_is_killed_while_its_container_runs(t):
    for options, stays in ([], False), (["--keep"], True), (["-d"], True):
        bundle = t.bundle(SLEEP)
        child = t.popen("run", *options, "-b", bundle.path, bundle.id)
        t.wait_running(bundle)
        t.wait_until(lambda b=bundle: runs_its_program(t, b), "the payload")
        t.wait_until(lambda b=bundle, s=stays: not s or is_marked(t, b, "began"), "the mark")
        if options != ["-d"]:
            child.kill()
        child.wait()
        assert bundle.id not in found_by(t)
        end(t, bundle)
        found = found_by(t)
        if stays:
            assert bundle.id not in found, (options, found)
            t.delete(bundle)
        else:
            assert found[bundle.id]["reason"] == "run" and found[bundle.id]["removed"], found
        t.assert_no_trace(bundle)


def test_run_in_the_foreground_is_not_disturbed(t):
    bundle = t.bundle(["sh", "-c", "read line"])
    child = t.popen("run", "-b", bundle.path, bundle.id, stdin=-1)
    t.wait_running(bundle)
    assert found_by(t) == {}
    child.stdin.close()
    assert child.wait() == 1
    t.assert_no_trace(bundle)


@flavors("root", "rootless")
def test_scope_of_a_cut_off_creation_is_stopped(t):
    s = Systemd(t)
    bundle = bundle_for(t)
    scope = scope_of(bundle)
    bundle.config["hooks"] = {"createRuntime": hook("kill -9 $PPID")}
    bundle.save()
    # Somebody outlives the command in there: the scope does not end by itself.
    result = t.rt("--systemd-cgroup", "create", "-b", bundle.path, bundle.id, env=s.env, check=False)
    assert result.rc == 137, result
    living = bundle_for(t)
    s.create(living)
    found = found_by(t, "--dry-run")
    assert list(found) == [bundle.id] and found[bundle.id]["reason"] == "creation", found
    if s.state(scope) == ["loaded", "active"]:
        assert f"scope {scope}" in found[bundle.id]["found"], found
    found = found_by(t)
    assert found[bundle.id]["removed"], found
    s.gone(scope)
    t.assert_no_trace(bundle)
    assert s.state(scope_of(living)) == ["loaded", "active"]
    s.delete(living)
    s.gone(scope_of(living))
    hostside.kill_tree(os.getpid(), with_root=False)


# ---- what is left alone ------------------------------------------------------------------------

@flavors("root", "rootless")
def test_containers_that_live_or_have_stopped_are_left_alone(t):
    created, running, stopped, killed = (t.bundle(SLEEP) for _n in range(4))
    for bundle in (created, running, stopped, killed):
        t.create(bundle)
    for bundle in (running, stopped):
        t.start(bundle)
    for bundle in (stopped, killed):   # the second one at its gate
        end(t, bundle)
    result = gc(t)
    assert result.out == result.err == "", result
    assert [status(t, b) for b in (created, running, stopped, killed)] == [
        "created", "running", "stopped", "stopped"]
    for bundle in (created, running, stopped, killed):
        t.delete(bundle, force=True)


def test_creation_under_way_is_left_alone(t):
    go = t.path("go")
    bundle = t.bundle(SLEEP, mutate={"hooks": {
        "createRuntime": hook(f"touch {go}.there; until test -e {go}; do sleep 0.05; done")}})
    child = t.popen("create", "-b", bundle.path, bundle.id)
    t.wait_until(lambda: os.path.exists(go + ".there"), "the hook")
    assert found_by(t) == {}
    t.file(go)
    assert child.wait() == 0
    t.delete(bundle, force=True)


@flavors("root", "rootless")
def test_state_directory_without_a_record_is_removed(t):
    name = t.new_id()
    t.mkdir(os.path.join(t.state_dir, name), 0o700)
    assert found_by(t)[name]["reason"] == "no-record" and t.state_entries() == []


def test_damaged_record_is_left_for_delete_force(t):
    bundle = t.bundle(SLEEP)
    t.create(bundle)
    groups = t.cgroup_dirs(bundle).values()
    os.kill(t.pid(bundle), signal.SIGKILL)
    t.wait_status(bundle, "stopped")
    damage(os.path.join(t.state_dir, bundle.id, "state.json"), "half")
    result = gc(t, check=False)
    assert result.rc == 1 and result.out.startswith(f"left {bundle.id}: its state cannot be read")
    entry = found_by(t, check=False)[bundle.id]
    assert not entry["removed"] and "damaged" in entry["error"], entry
    t.delete(bundle, force=True)
    for path in groups:
        hostside.remove_cgroup(path)


def test_record_of_another_pid_namespace_is_left_alone(t):
    """Seen from there the container may well live."""
    bundle = t.bundle(SLEEP, mutate={"hooks": {"createRuntime": hook("kill -9 $PPID")}})
    t.rt("create", "-b", bundle.path, bundle.id, check=False)
    hostside.reap()
    forge(t, bundle, pidNamespace=1)
    entry = found_by(t)[bundle.id]
    assert entry["reason"] == "elsewhere" and not entry["removed"], entry
    t.delete(bundle, force=True)


def test_what_others_put_into_the_state_root_is_left_alone(t):
    canary = t.canary()
    os.symlink(canary, os.path.join(t.state_dir, "link"))
    t.file(os.path.join(t.state_dir, "file"), "x")
    os.mkdir(os.path.join(t.state_dir, "theirs"))
    os.chown(os.path.join(t.state_dir, "theirs"), 1, 1)
    assert gc(t).out == ""
    assert t.state_entries() == ["file", "link", "theirs"]
    os.unlink(os.path.join(t.state_dir, "link"))
    os.unlink(os.path.join(t.state_dir, "file"))
    os.rmdir(os.path.join(t.state_dir, "theirs"))


# ---- several at once ---------------------------------------------------------------------------

def test_two_at_once_and_containers_that_come_and_go(t):
    broken = [t.bundle(SLEEP, mutate={"hooks": {"createRuntime": hook("kill -9 $PPID")}})
              for _n in range(4)]
    for bundle in broken:
        t.rt("create", "-b", bundle.path, bundle.id, check=False)
    hostside.reap()
    bundle = t.bundle(["true"])
    for _n in range(8):
        sweepers = [t.popen("gc") for _n in range(2)]
        t.create(bundle)
        t.start(bundle)
        t.wait_until(lambda: status(t, bundle) == "stopped", "its end")
        t.delete(bundle)
        assert [child.wait() for child in sweepers] == [0, 0]
    assert t.state_entries() == []
    for bundle in broken:
        t.assert_no_trace(bundle)
