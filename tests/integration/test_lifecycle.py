# SPDX-License-Identifier: Apache-2.0
"""create, start, state, delete and list: what follows what, and what each of them answers."""

import json
import os
import signal
import time

from harness import PATIENCE, flavors, rfc3339

SLEEP = ["sleep", "1000"]


def no_pid_namespace(conf):
    kept = [n for n in conf["linux"]["namespaces"] if n["type"] != "pid"]
    conf["linux"]["namespaces"] = kept
    if any(n["type"] == "user" for n in kept):
        # the kernel gives a new procfs only to the owner of the pid namespace
        conf["mounts"][0] = {"destination": "/proc", "type": "bind", "source": "/proc",
                             "options": ["rbind"]}


def running(t, args=None, **kwargs):
    bundle = t.bundle(args or SLEEP, **kwargs)
    t.run_container(bundle, "--detach")
    return bundle


def stopped(t, **kwargs):
    bundle = running(t, **kwargs)
    t.kill(bundle, "KILL")
    t.wait_status(bundle, "stopped")
    return bundle


# ---- status ------------------------------------------------------------------------------------

def held_back(t, stage):
    """(bundle, fifo): a hook at STAGE writes a line to the fifo, and goes on when it can read one from there."""
    bundle = t.bundle(SLEEP, own_rootfs=True)
    fifo = os.path.join(bundle.rootfs, "go")
    os.mkfifo(fifo)
    os.chmod(fifo, 0o666)
    seen = "/go" if stage == "startContainer" else fifo
    bundle.config["hooks"] = {stage: [
        {"path": "/bin/sh", "args": ["sh", "-c", f"echo >{seen}; read x <{seen}"]}]}
    bundle.save()
    return bundle, fifo


def assert_status_while_held_back(t, bundle, fifo, status):
    with open(fifo, encoding="ascii") as told:
        told.readline()
    assert t.state(bundle)["status"] == status
    assert [c["status"] for c in json.loads(t.rt("list", "-f", "json").out)] == [status]
    t.fails("delete", bundle.id, has=["not stopped", "it is being started"])
    with open(fifo, "w", encoding="ascii") as go:
        go.write("\n")


@flavors("root", "rootless")
def test_run_is_creating_until_the_program_is_executed(t):
    bundle, fifo = held_back(t, "createRuntime")
    child = t.popen("run", "-b", bundle.path, bundle.id)
    assert_status_while_held_back(t, bundle, fifo, "creating")
    t.wait_running(bundle)
    t.kill(bundle, "KILL")
    assert child.wait(40 * PATIENCE) == 137


@flavors("root", "rootless")
def test_start_leaves_it_created_until_the_program_is_executed(t):
    bundle, fifo = held_back(t, "startContainer")
    t.create(bundle)
    child = t.popen("start", bundle.id)
    assert_status_while_held_back(t, bundle, fifo, "created")
    assert child.wait(40 * PATIENCE) == 0
    assert t.state(bundle)["status"] == "running"
    t.delete(bundle, force=True)


@flavors("root", "rootless")
def test_status_goes_created_running_stopped(t):
    bundle = t.bundle(SLEEP)
    t.create(bundle)
    assert t.state(bundle)["status"] == "created"
    t.start(bundle)
    assert t.state(bundle)["status"] == "running"
    os.kill(t.pid(bundle), signal.SIGKILL)
    t.wait_status(bundle, "stopped")
    assert t.state(bundle)["status"] == "stopped"   # and again: engines ask twice


@flavors("root", "rootless")
def test_state_json_shape(t):
    bundle = t.bundle(SLEEP, mutate={"annotations": {"a.b": "c\"/\u00e4", "empty": ""}})
    t.create(bundle)
    result = t.rt("state", bundle.id)
    state = json.loads(result.out)
    assert '"status": "created"' in result.out, result
    assert state["id"] == bundle.id and state["bundle"] == bundle.path, state
    assert state["rootfs"] == bundle.rootfs, "must be absolute"
    assert isinstance(state["ociVersion"], str) and state["ociVersion"].startswith("1."), state
    assert isinstance(state["pid"], int) and os.path.exists(f"/proc/{state['pid']}"), state
    assert rfc3339(state["created"]), state
    assert state["annotations"] == {"a.b": "c\"/\u00e4", "empty": ""}, state
    assert isinstance(state["owner"], str), state
    reserved = {"started", "finished", "exitCode", "oomKilled", "error", "initPid",
                "initStartTime", "checkpointedTime"}
    assert not reserved & set(state), state


def test_state_without_annotations_has_no_null(t):
    bundle = t.bundle(SLEEP)
    t.create(bundle)
    assert t.state(bundle).get("annotations", {}) == {}
    assert "null" not in t.rt("state", bundle.id).out


def test_state_of_a_stopped_container_names_no_process(t):
    bundle = stopped(t)
    state = t.state(bundle)
    assert state.get("pid", 0) == 0 and state["bundle"] == bundle.path, state


def test_state_of_zombie_init_is_stopped(t):
    bundle = running(t)
    pid = t.pid(bundle)
    os.kill(pid, signal.SIGKILL)
    t.wait_until(lambda: open(f"/proc/{pid}/stat", encoding="utf-8").read().split(") ")[1][0]
                 == "Z", "zombie")
    assert t.state(bundle)["status"] == "stopped"


def test_state_of_reaped_init_is_stopped(t):
    bundle = running(t)
    pid = t.pid(bundle)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)   # the test process is the subreaper
    assert t.state(bundle)["status"] == "stopped"


def test_state_of_init_that_ended_by_itself_is_stopped(t):
    bundle = t.bundle("exit 3")
    t.run_container(bundle, "--detach")
    t.wait_status(bundle, "stopped")


def test_another_process_with_the_same_pid_is_not_the_container(t):
    # The record must hold more than a number.  The pid is taken again with a counter that we
    # own: inside a pid namespace made for the test.
    bundle = t.bundle(SLEEP)
    script = f"""
        {' '.join(t.argv('run', '-d', '-b', bundle.path, bundle.id))} || exit 1
        pid=$(busybox sed -n 's/.*"pid": *\\([0-9]*\\).*/\\1/p' <<X\n$({' '.join(t.argv('state', bundle.id))})\nX\n)
        kill -9 $pid; while kill -0 $pid 2>/dev/null; do sleep 0.02; done
        echo $((pid - 1)) > /proc/sys/kernel/ns_last_pid; sleep 50 & other=$!
        [ $other = $pid ] || {{ echo "cannot take the pid again"; exit 77; }}
        {' '.join(t.argv('state', bundle.id))}
        {' '.join(t.argv('kill', bundle.id, '9'))} && exit 2
        kill -0 $other || exit 3
        {' '.join(t.argv('delete', '--force', bundle.id))} || exit 4
        kill -0 $other || exit 5
    """
    done = t.rt(argv=["unshare", "-pf", "--mount-proc", "bash", "-c", script], check=False)
    if done.rc == 77:
        t.skip("the kernel does not let us choose a pid")
    assert done.rc == 0, done
    assert '"status": "stopped"' in done.out, done


# ---- what is refused ---------------------------------------------------------------------------

def test_duplicate_id_leaves_the_first_untouched(t):
    first, second = running(t), t.bundle(SLEEP)
    before = t.state(first)
    for verb in ("create", "run"):
        t.fails(verb, "-b", second.path, first.id, has="already exists", code="CONTAINER_EXISTS")
        assert t.state(first) == before
    assert t.cgroup_dirs(first) and os.path.exists(f"/proc/{before['pid']}")
    assert not t.cgroup_dirs(second)


def test_id_can_be_used_again_after_delete(t):
    bundle = t.bundle(SLEEP)
    for _round in range(3):
        t.create(bundle)
        t.delete(bundle)


def test_unknown_id(t):
    for args in (["state"], ["start"], ["kill"], ["delete"]):
        result = t.fails(*args, "nope", has="container `nope` does not exist")
        assert "o such file" not in result.err, result


def test_start_of_a_running_container_is_refused(t):
    bundle = running(t)
    t.fails("start", bundle.id, has="running", code="CONTAINER_STATE")
    assert t.state(bundle)["status"] == "running"


def test_start_of_a_stopped_container_is_refused(t):
    bundle = stopped(t)
    t.fails("start", bundle.id)
    assert t.state(bundle)["status"] == "stopped"


def test_start_fails_instead_of_hanging_when_init_was_killed(t):
    bundle = t.bundle(SLEEP)
    t.create(bundle)
    os.kill(t.pid(bundle), signal.SIGKILL)
    began = time.monotonic()
    t.fails("start", bundle.id)
    assert time.monotonic() - began < 9 * PATIENCE
    t.delete(bundle)
    t.assert_no_trace(bundle)


def test_start_fails_instead_of_hanging_when_init_is_killed_meanwhile(t):
    for _round in range(10):
        bundle = t.bundle(SLEEP)
        t.create(bundle)
        pid = t.pid(bundle)
        child = t.popen("start", bundle.id, stderr=-3)
        os.kill(pid, signal.SIGKILL)
        child.wait(40 * PATIENCE)
        t.delete(bundle, force=True)


def test_exactly_one_of_concurrent_starts_wins(t):
    for _round in range(5):
        bundle = t.bundle("echo once >> /tmp/started; sleep 1000",
                          mutate={"root": {"readonly": False}})
        t.create(bundle)
        children = [t.popen("start", bundle.id, stderr=-3) for _n in range(6)]
        codes = [child.wait(40 * PATIENCE) for child in children]
        assert codes.count(0) == 1, codes
        log = os.path.join(bundle.rootfs, "tmp", "started")
        t.wait_until(lambda path=log: os.path.exists(path) and os.path.getsize(path),
                     "the payload")
        assert open(log, encoding="ascii").read() == "once\n"
        t.delete(bundle, force=True)


def test_exactly_one_of_concurrent_creates_wins(t):
    bundle = t.bundle(SLEEP)
    children = [t.popen("create", "-b", bundle.path, bundle.id, stderr=-3, stdout=-3)
                for _n in range(6)]
    codes = [child.wait(40 * PATIENCE) for child in children]
    assert codes.count(0) == 1, codes
    assert t.state(bundle)["status"] == "created"
    t.delete(bundle)
    t.assert_no_trace(bundle)


def test_delete_of_a_running_container_is_refused(t):
    bundle = running(t)
    t.fails("delete", bundle.id)
    assert t.state(bundle)["status"] == "running" and t.cgroup_dirs(bundle)


@flavors("root", "rootless")
def test_created_container_is_deleted_without_force(t):
    bundle = t.bundle(SLEEP)
    t.create(bundle)
    pid = t.pid(bundle)
    t.delete(bundle)
    t.assert_no_trace(bundle)
    os.waitpid(pid, 0)


def test_second_delete_says_does_not_exist(t):
    bundle = stopped(t)
    t.delete(bundle)
    t.fails("delete", bundle.id, has="does not exist")
    result = t.delete(bundle, force=True)
    assert result.out == result.err == "", result


def test_delete_right_after_the_kill(t):
    # containerd and Buildah do not wait between reaping init and deleting.
    for _round in range(10):
        bundle = running(t)
        pid = t.pid(bundle)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        t.delete(bundle)
        t.assert_no_trace(bundle)


def test_forced_delete_of_a_running_container(t):
    bundle = running(t)
    pid = t.pid(bundle)
    result = t.delete(bundle, force=True)
    assert result.out == result.err == "", result
    assert open(f"/proc/{pid}/stat", encoding="utf-8").read().split(") ")[1][0] == "Z"
    t.assert_no_trace(bundle)


def test_forced_delete_takes_the_children_too(t):
    bundle = running(t, "sleep 1000 & sleep 1000 & sleep 1000", mutate=no_pid_namespace)
    t.delete(bundle, force=True)
    t.assert_no_trace(bundle)


def test_delete_kills_what_init_left_behind(t):
    bundle = running(t, "sleep 1000 & exit 0", mutate=no_pid_namespace)
    t.wait_status(bundle, "stopped")
    t.delete(bundle)
    t.assert_no_trace(bundle)


def test_losing_the_race_of_forced_deletes_is_no_error(t):
    for _round in range(5):
        bundle = running(t)
        children = [t.popen("delete", "--force", bundle.id) for _n in range(4)]
        assert [child.wait(40 * PATIENCE) for child in children] == [0] * 4
        t.assert_no_trace(bundle)


def test_state_during_delete_is_never_a_parse_error(t):
    for _round in range(10):
        bundle = stopped(t)
        children = [t.popen("state", bundle.id, stdout=-1, stderr=-1) for _n in range(3)]
        t.delete(bundle)
        for child in children:
            out, err = child.communicate(timeout=40 * PATIENCE)
            if child.returncode == 0:
                assert json.loads(out)["status"] == "stopped"
            else:
                assert b"does not exist" in err, err


def test_delete_works_without_bundle_and_rootfs(t):
    bundle = stopped(t)
    os.rename(bundle.path, bundle.path + ".gone")
    assert t.state(bundle)["status"] == "stopped"
    t.delete(bundle)
    t.assert_no_trace(bundle)


def test_later_commands_work_when_bundle_and_rootfs_cannot_be_seen(t):
    # Podman creates from a mount namespace that is gone afterwards.
    bundle = t.bundle("trap 'exit 0' TERM; while :; do sleep 0.02; done")
    t.create(bundle)
    os.rename(bundle.path, bundle.path + ".gone")
    t.start(bundle)
    assert t.state(bundle)["status"] == "running"
    t.rt("list")
    t.kill(bundle, "KILL")
    t.wait_status(bundle, "stopped")
    t.delete(bundle)
    t.assert_no_trace(bundle)


# ---- ids ---------------------------------------------------------------------------------------

def test_ids_that_are_accepted(t):
    for suffix in ("", "A_b+c.d-9", "..", "-", "x" * 100):
        bundle = t.bundle(SLEEP)
        id = bundle.id + suffix
        t.create(bundle, id=id)
        assert t.state(id)["id"] == id
        t.delete(id)


def test_ids_that_are_refused(t):
    bundle = t.bundle(SLEEP)
    outside = t.canary()
    before = t.state_entries()
    for id in ("", ".", "..", ".hidden", "a/b", "../x", "a b", "a\nb", "a\tb", "a:b", "a*b",
               "\u00e4", "a%b", "a@b", "/abs", "x" * 300, "../" + os.path.basename(outside)):
        for args in (["create", "-b", bundle.path], ["run", "-b", bundle.path], ["state"],
                     ["start"], ["kill"], ["delete"], ["delete", "--force"]):
            if id == "x" * 300 and args == ["delete", "--force"]:
                continue   # an unknown container, if you will
            t.fails(*args, "--", id)
    assert t.state_entries() == before


# ---- list --------------------------------------------------------------------------------------

def test_list_table_has_the_bundle_in_the_fourth_column(t):
    bundle = running(t)
    lines = t.rt("list").out.splitlines()
    assert lines[0].split() == ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"], lines
    row = lines[1].split()
    assert row[0] == bundle.id and row[2] == "running" and row[3] == bundle.path, lines
    assert int(row[1]) == t.pid(bundle) and rfc3339(row[4]) and row[5] == "root", lines


def test_list_json(t):
    assert json.loads(t.rt("list", "--format", "json").out) in ([], None)
    first, second = running(t), t.bundle(SLEEP)
    t.create(second)
    for args in (["--format=json"], ["-f", "json"]):
        table = {c["id"]: c for c in json.loads(t.rt("list", *args).out)}
        assert set(table) == {first.id, second.id}
        assert table[first.id]["status"] == "running"
        assert table[second.id]["status"] == "created"
        for bundle in (first, second):
            entry = table[bundle.id]
            assert entry["pid"] == t.pid(bundle) and entry["bundle"] == bundle.path, entry
            assert rfc3339(entry["created"]) and entry["owner"] == "root", entry


def test_list_quiet_is_ids_only(t):
    assert t.rt("list", "-q").out == ""
    bundles = [stopped(t), running(t)]
    for option in ("-q", "--quiet"):
        assert sorted(t.rt("list", option).out.split("\n")[:-1]) == sorted(b.id for b in bundles)


def test_list_of_a_missing_root_is_empty_and_makes_nothing(t):
    missing = t.path("nothing", "here")
    result = t.rt("--root", missing, "list", "-q", root=False)
    assert result.out == result.err == "", result


def test_list_refuses_an_unknown_format(t):
    t.fails("list", "--format", "xml", has="xml")


# ---- cgroup ------------------------------------------------------------------------------------

def test_init_is_in_its_final_cgroup_when_create_returns(t):
    bundle = t.bundle(SLEEP)
    t.create(bundle)
    path = f"/proc/{t.pid(bundle)}/cgroup"
    before = open(path, encoding="ascii").read()
    assert bundle.cgroup in before, before
    t.start(bundle)
    assert open(path, encoding="ascii").read() == before
