# SPDX-License-Identifier: Apache-2.0
"""The runtime may be killed at any moment, and its files may be damaged: delete --force cleans."""

import json
import os
import random
import signal
import time

import hostside
from harness import flavors
from test_lifecycle import SLEEP
from test_run import hook

ROUNDS = int(os.environ.get("CRUN_TEST_CRASHES", "60"))


def duration(t, *verb):
    """How long the command takes when it is left alone, roughly."""
    best = 10.0
    for _n in range(3):
        bundle = t.bundle(SLEEP)
        began = time.monotonic()
        t.rt(*verb, "-b", bundle.path, bundle.id)
        best = min(best, time.monotonic() - began)
        t.delete(bundle, force=True)
    return best


def nothing_runs(t):
    t.wait_until(hostside.reaped(lambda: not hostside.descendants(os.getpid())),
                 "the processes of a killed runtime to end")


def clean_up(t, bundle):
    result = t.delete(bundle, force=True)
    assert result.out == result.err == "", result
    t.assert_no_trace(bundle)
    nothing_runs(t)


@flavors("root", "rootless")
def test_create_killed_at_any_time(t):
    span = duration(t, "create")
    for number in range(ROUNDS):
        bundle = t.bundle(SLEEP)
        child = t.popen("create", "-b", bundle.path, bundle.id, stderr=-3)
        time.sleep(span * 1.2 * number / ROUNDS)
        child.kill()
        child.wait()
        clean_up(t, bundle)


def test_create_with_limits_and_hooks_killed_at_any_time(t):
    change = {"hooks": {"createRuntime": hook("sleep 0.01")}, "linux": {"resources": {
        "memory": {"limit": 256 << 20}, "pids": {"limit": 100}, "cpu": {"shares": 512}}}}
    span = duration(t, "create") + 0.02
    for _n in range(ROUNDS // 2):
        bundle = t.bundle(SLEEP, mutate=change)
        child = t.popen("create", "-b", bundle.path, bundle.id, stderr=-3)
        time.sleep(random.uniform(0, span))
        child.kill()
        child.wait()
        clean_up(t, bundle)


def test_id_is_free_again_after_the_crash_is_cleaned(t):
    span = duration(t, "create")
    bundle = t.bundle(SLEEP)
    for number in range(ROUNDS // 3):
        child = t.popen("create", "-b", bundle.path, bundle.id, stderr=-3)
        time.sleep(span * number * 3 / ROUNDS)
        child.kill()
        child.wait()
        t.delete(bundle, force=True)
        t.create(bundle)
        t.delete(bundle)
        nothing_runs(t)


def test_state_and_list_answer_while_a_container_is_half_made(t):
    span = duration(t, "create")
    for number in range(20):
        bundle = t.bundle(SLEEP)
        child = t.popen("create", "-b", bundle.path, bundle.id, stderr=-3)
        time.sleep(span * number / 20)
        child.kill()
        child.wait()
        result = t.rt("state", bundle.id, check=False)
        assert result.rc < 128 and (result.rc or json.loads(result.out)["status"] in (
            "creating", "created", "stopped")), result
        t.rt("list", "-f", "json")
        t.rt("list", "-q")
        clean_up(t, bundle)


def test_foreground_run_killed_at_any_time(t):
    span = duration(t, "run", "--detach") + 0.02
    for number in range(ROUNDS // 2):
        bundle = t.bundle(SLEEP)
        child = t.popen("run", "-b", bundle.path, bundle.id, stderr=-3)
        time.sleep(span * 2 * number / ROUNDS)
        child.kill()
        child.wait()
        clean_up(t, bundle)


def test_start_and_delete_killed_at_any_time(t):
    for number in range(ROUNDS // 3):
        for verb in (["start"], ["delete", "--force"]):
            bundle = t.bundle(SLEEP)
            t.create(bundle)
            child = t.popen(*verb, bundle.id, stderr=-3)
            time.sleep(0.0005 * number)
            child.kill()
            child.wait()
            clean_up(t, bundle)


def test_container_of_a_killed_foreground_run_can_be_managed(t):
    bundle = t.bundle(SLEEP)
    child = t.popen("run", "-b", bundle.path, bundle.id)
    t.wait_running(bundle)
    child.kill()
    child.wait()
    assert t.state(bundle)["status"] in ("running", "stopped")
    clean_up(t, bundle)


def test_init_dies_with_a_runtime_that_is_killed_during_a_hook(t):
    bundle = t.bundle(SLEEP, mutate={"hooks": {"createRuntime": hook("kill -9 $PPID")}})
    result = t.rt("create", "-b", bundle.path, bundle.id, check=False)
    assert result.rc == 128 + signal.SIGKILL, result
    clean_up(t, bundle)


# ---- damaged files -----------------------------------------------------------------------------

def damage(path, how):
    size = os.path.getsize(path)
    with open(path, "r+b") as out:
        if how == "empty":
            out.truncate(0)
        elif how == "half":
            out.truncate(size // 2)
        elif how == "noise":
            out.write(os.urandom(max(size, 64)))
        elif how == "other":
            out.truncate(0)
            out.write(b'{"pid": "x", "status": 7, "bundle": [], "ociVersion": {}}\n')


def test_damaged_record(t):
    for how in ("empty", "half", "noise", "other", "missing"):
        other, bundle = t.bundle(SLEEP), t.bundle(SLEEP)
        t.create(other)
        t.create(bundle)
        groups = t.cgroup_dirs(bundle).values()
        os.kill(t.pid(bundle), signal.SIGKILL)
        t.wait_status(bundle, "stopped")
        for here, _dirs, files in os.walk(os.path.join(t.state_dir, bundle.id)):
            for name in files:
                path = os.path.join(here, name)
                if os.path.isfile(path) and not os.path.islink(path):
                    if how == "missing":
                        os.unlink(path)
                    else:
                        damage(path, how)
        result = t.rt("state", bundle.id, check=False)
        assert 0 < result.rc < 128 and bundle.id in result.err, (how, result)
        for args in (["list"], ["list", "-f", "json"]):
            result = t.rt(*args)
            assert other.id in result.out, (how, result)
        for args in (["start"], ["kill"], ["delete"]):
            result = t.rt(*args, bundle.id, check=False)
            assert result.rc < 128, (how, result)
        result = t.delete(bundle, force=True)
        assert bundle.id not in t.state_entries(), how
        for path in groups:   # its name may have been in the record only
            hostside.remove_cgroup(path)
        assert t.state(other)["status"] == "created"
        t.delete(other)


def test_damaged_record_never_makes_the_runtime_kill_somebody_else(t):
    bystander = t.popen(argv=["sleep", "1000"])
    bundle = t.bundle(SLEEP)
    t.create(bundle)
    pid = t.pid(bundle)
    for here, _dirs, files in os.walk(os.path.join(t.state_dir, bundle.id)):
        for name in files:
            path = os.path.join(here, name)
            if os.path.isfile(path):
                with open(path, "rb") as source:
                    text = source.read()
                with open(path, "wb") as out:
                    out.write(text.replace(str(pid).encode(), str(bystander.pid).encode()))
    t.rt("kill", bundle.id, "KILL", check=False)
    t.rt("kill", "--all", bundle.id, "KILL", check=False)
    t.rt("delete", "--force", bundle.id, check=False)
    assert bystander.poll() is None, "the start time of the process was not compared"
    if os.path.exists(f"/proc/{pid}"):
        os.kill(pid, signal.SIGKILL)


def forge(t, bundle, **values):
    path = os.path.join(t.state_dir, bundle.id, "state.json")
    with open(path, encoding="utf-8") as source:
        record = json.load(source)
    record.update(values)
    with open(path, "w", encoding="utf-8") as out:
        json.dump(record, out)


def test_record_with_somebody_elses_cgroup_is_given_up_and_the_cgroup_left_alone(t):
    """The root, or what this test (and so the runtime) is in: everybody would be killed."""
    mounts = hostside.cgroup_mounts()
    name, where = next((n, m) for n, m in mounts.items() if "pids" in n or n == "unified")
    above = f"/{t.prefix}/above"
    inner = f"{where}{above}/us"
    os.makedirs(inner)
    bystander = t.popen(argv=["sleep", "1000"])

    def move(pid, path):
        with open(f"{path}/cgroup.procs", "w", encoding="ascii") as out:
            out.write(str(pid))
    try:
        move(bystander.pid, inner)
        for path in ("/", "//", above):
            bundle = t.bundle(SLEEP)
            t.create(bundle)
            pid, own = t.pid(bundle), t.cgroup_dirs(bundle).values()
            forge(t, bundle, cgroupPath=path, cgroupCreated=[where + path.rstrip("/")])
            argv = ["sh", "-c", f"echo $$ >{inner}/cgroup.procs && exec \"$@\"", "sh"]
            for args in (["kill", "--all", bundle.id, "KILL"],
                         ["update", "--pids-limit=5", bundle.id]):
                result = t.rt(argv=argv + t.argv(*args), check=False)
                assert result.rc > 0 and "which is the root or above" in result.err, result
            result = t.rt(argv=argv + t.argv("delete", "--force", bundle.id))
            assert "it is left alone" in result.err and f"`{path}`" in result.err, result
            assert bundle.id not in t.state_entries()
            t.wait_until(hostside.reaped(lambda: not os.path.exists(f"/proc/{pid}")), "its end")
            assert bystander.poll() is None and os.path.isdir(inner)
            for left in own:
                hostside.remove_cgroup(left)
    finally:
        bystander.kill()
        bystander.wait()
        hostside.remove_cgroup(inner)
        hostside.remove_cgroup(os.path.dirname(inner))
        hostside.remove_cgroup(f"{where}/{t.prefix}")


@flavors("root", "rootless")
def test_state_directory_without_a_record(t):
    id = t.new_id()
    t.mkdir(os.path.join(t.state_dir, id), 0o700)
    for args in (["state"], ["start"], ["kill"]):
        result = t.fails(*args, id, code="CONTAINER_DAMAGED")
        assert result.rc < 128 and id in result.err, result
    t.rt("list")
    result = t.delete(id, force=True)
    assert result.out == result.err == "" and id not in t.state_entries(), result


def test_state_directory_that_holds_strangers_files(t):
    id = t.new_id()
    canary = t.canary()
    top = t.mkdir(os.path.join(t.state_dir, id), 0o700)
    os.symlink(canary, os.path.join(top, "link"))
    os.mkdir(os.path.join(top, "dir"))
    os.symlink("/", os.path.join(top, "dir", "root"))
    t.delete(id, force=True)
    assert id not in t.state_entries()   # and the canary is looked at in the end


def test_state_directory_that_is_a_symlink_is_not_followed(t):
    id = t.new_id()
    canary = t.canary()
    os.symlink(canary, os.path.join(t.state_dir, id))
    t.rt("delete", "--force", id, check=False)
    if os.path.islink(os.path.join(t.state_dir, id)):
        os.unlink(os.path.join(t.state_dir, id))


def test_files_in_the_root_directory_are_not_containers(t):
    t.file(os.path.join(t.state_dir, "stray"), "x")
    result = t.rt("list", "-q")
    assert result.out == "", result
    os.unlink(os.path.join(t.state_dir, "stray"))


def test_full_state_file_system_fails_cleanly(t):
    small = t.mkdir("small")
    t.mount("tmpfs", small, "tmpfs", 0, "size=8k,nr_inodes=4")
    bundle = t.bundle(SLEEP)
    result = t.rt("--root", small, "create", "-b", bundle.path, bundle.id, root=False,
                  check=False)
    if result.rc == 0:
        t.skip("8 KiB and 4 inodes were enough")
    assert result.rc < 128 and result.err, result
    assert os.listdir(small) == [] and not t.cgroup_dirs(bundle)
    nothing_runs(t)
