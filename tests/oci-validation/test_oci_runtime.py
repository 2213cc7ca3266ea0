# SPDX-License-Identifier: Apache-2.0
"""runtime.md without hooks, sentence by sentence; see runtime.txt."""

import json
import os

SLEEP = ["sleep", "1000"]


def marking(t, args="touch /mark/ran; sleep 1000"):
    """A payload that leaves a mark; t.path("mark", "ran") exists when it ran."""
    mark = t.mkdir("mark")
    bundle = t.bundle(args)
    bundle.config["mounts"].append({"destination": "/mark", "type": "bind", "source": mark,
                                    "options": ["bind"]})
    return bundle.save()


def ran(t):
    return os.path.exists(t.path("mark", "ran"))


def stopped(t):
    bundle = t.bundle(SLEEP)
    t.create(bundle)
    t.start(bundle)
    t.kill(bundle, "KILL")
    t.wait_status(bundle, "stopped")
    return bundle


def test_scope_1_creator_can_use_every_operation(t):
    bundle = stopped(t)
    assert t.state(bundle)["status"] == "stopped"
    t.delete(bundle)


def test_state_1_id_is_unique(t):
    bundle = t.bundle(SLEEP)
    t.create(bundle)
    t.fails("create", "--bundle", t.bundle().path, bundle.id)
    assert t.state(bundle)["bundle"] == bundle.path


def test_state_2_status_words_are_the_known_ones(t):
    bundle = t.bundle(SLEEP)
    t.create(bundle)
    found = [t.state(bundle)["status"]]
    t.start(bundle)
    found.append(t.state(bundle)["status"])
    t.kill(bundle, "KILL")
    t.wait_status(bundle, "stopped")
    assert found == ["created", "running"], found


def test_state_3_json_has_the_known_pattern(t):
    bundle = t.bundle(SLEEP, mutate={"annotations": {"org.example.key": "value"}})
    t.create(bundle)
    state = t.state(bundle)
    types = {"ociVersion": str, "id": str, "status": str, "pid": int, "bundle": str,
             "annotations": dict}
    for name, kind in types.items():
        assert isinstance(state[name], kind), (name, state)
    assert state["id"] == bundle.id and state["bundle"] == bundle.path, state
    assert state["annotations"]["org.example.key"] == "value", state
    assert os.path.isdir(f"/proc/{state['pid']}"), state


def test_lifecycle_1_environment_is_the_configured_one(t):
    bundle = t.bundle(SLEEP, mutate={"hostname": "made-here"})
    t.create(bundle)
    pid = t.pid(bundle)
    for kind in ("pid", "net", "ipc", "uts", "mnt"):
        own, theirs = (os.readlink(f"/proc/{p}/ns/{kind}") for p in ("self", pid))
        assert own != theirs, kind
    assert set(os.listdir(f"/proc/{pid}/root/bin")) >= {"sh", "probe"}


def test_lifecycle_2_environment_that_cannot_be_made_is_an_error(t):
    bundle = t.bundle()
    bundle.config["mounts"].append({"destination": "/tmp", "type": "bind",
                                    "source": t.path("missing"), "options": ["bind"]})
    bundle.save()
    t.fails("create", "--bundle", bundle.path, bundle.id)
    t.assert_no_trace(bundle)


def test_lifecycle_3_resources_exist_once_it_is_created(t):
    bundle = t.bundle(SLEEP, mutate={"linux": {"resources": {"pids": {"limit": 123}}}})
    t.create(bundle)
    found = [os.path.join(path, "pids.max") for path in t.cgroup_dirs(bundle).values()]
    values = {open(path, encoding="ascii").read().strip() for path in found
              if os.path.exists(path)}
    assert values == {"123"}, values


def test_lifecycle_4_program_does_not_run_before_start(t):
    bundle = marking(t)
    t.create(bundle)
    assert t.state(bundle)["status"] == "created" and not ran(t)
    t.start(bundle)
    t.wait_until(lambda: ran(t), "the program")


def test_lifecycle_5_later_changes_of_the_config_do_not_matter(t):
    bundle = marking(t)
    t.create(bundle)
    bundle.config["process"]["args"] = ["sh", "-c", "touch /mark/other; sleep 1000"]
    bundle.config["annotations"] = {"org.example.late": "x"}
    bundle.save()
    t.start(bundle)
    t.wait_until(lambda: ran(t), "the program")
    assert not os.path.exists(t.path("mark", "other"))
    assert "org.example.late" not in t.state(bundle).get("annotations", {})


def test_lifecycle_14_program_is_the_configured_one(t):
    bundle = t.bundle(["sh", "-c", "echo \"$0 $1 $WORD $(pwd)\"; exit 5", "zero", "one"])
    bundle.config["process"]["env"].append("WORD=hello")
    bundle.config["process"]["cwd"] = "/tmp"
    result = t.run_container(bundle.save(), check=False)
    assert (result.rc, result.out) == (5, "zero one hello /tmp\n"), result


def test_lifecycle_17_container_is_destroyed(t):
    bundle = stopped(t)
    assert t.cgroup_dirs(bundle)
    t.delete(bundle)
    t.assert_no_trace(bundle)


def test_errors_1_failure_leaves_everything_as_it_was(t):
    bundle = t.bundle(["/bin/of-nobody"], own_rootfs=True)
    before = t.host_snapshot(bundle.path)
    t.rt("run", "--bundle", bundle.path, bundle.id, check=False)
    t.delete(bundle, force=True, check=False)
    t.assert_no_trace(bundle)
    t.assert_untouched(bundle.path, before)


def test_warnings_1_operation_goes_on(t):
    names = ["CAP_OF_NOBODY"]
    bundle = t.bundle("echo ran", mutate={"process": {"capabilities": {"bounding": names,
                                                                       "ambient": None}}})
    log = t.path("log")
    result = t.rt("--debug", "--log", log, "run", "--bundle", bundle.path, bundle.id)
    with open(log, encoding="utf-8") as source:
        assert result.out == "ran\n" and "CAP_OF_NOBODY" in source.read() + result.err, result


def test_operations_1_all_are_there(t):
    bundle = stopped(t)
    t.delete(bundle)
    for verb in ("state", "create", "start", "kill", "delete"):
        result = t.rt(verb, "--help", check=False)
        assert result.rc == 0 and verb in result.out, result


# ---- Query State ------------------------------------------------------------------------------


def test_query_state_1_needs_an_id(t):
    t.fails("state")


def test_query_state_2_unknown_container_is_an_error(t):
    t.fails("state", t.new_id())


def test_query_state_3_returns_the_state(t):
    bundle = t.bundle(SLEEP)
    t.create(bundle)
    state = json.loads(t.rt("state", bundle.id).out)
    assert (state["id"], state["status"]) == (bundle.id, "created"), state


# ---- Create -----------------------------------------------------------------------------------


def test_create_1_needs_bundle_and_id(t):
    t.fails("create", "--bundle", t.bundle().path)
    # The command line takes the working directory for a bundle; it is none here.
    t.fails("create", t.new_id(), cwd=t.mkdir("empty"))


def test_create_2_id_that_is_taken_or_invalid_is_an_error(t):
    bundle = t.bundle(SLEEP)
    t.create(bundle)
    for name in (bundle.id, "a/b", "..", "", "with space"):
        t.fails("create", "--bundle", bundle.path, name)


def test_create_3_no_container_is_made_then(t):
    bundle = t.bundle(SLEEP)
    t.create(bundle)
    pid = t.pid(bundle)
    t.fails("create", "--bundle", t.bundle().path, bundle.id)
    assert t.pid(bundle) == pid and os.listdir(t.state_dir) == [bundle.id]


def test_create_4_makes_a_container(t):
    bundle = t.bundle(SLEEP)
    t.create(bundle)
    assert t.state(bundle)["status"] == "created"


def test_create_5_applies_the_configuration(t):
    bundle = t.bundle(SLEEP)
    bundle.config["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"})
    t.create(bundle.save())
    with open(f"/proc/{t.pid(bundle)}/mountinfo", encoding="utf-8") as lines:
        points = {line.split()[4] for line in lines}
    assert {"/", "/proc", "/dev", "/tmp", "/sys"} <= points, points


def test_create_6_does_not_run_the_program(t):
    bundle = marking(t)
    t.create(bundle)
    assert not ran(t)


def test_create_7_property_that_cannot_be_applied_is_an_error(t):
    bundle = t.bundle()
    bundle.config["mounts"].append({"destination": "/tmp", "type": "no-such-fs", "source": "x"})
    bundle.save()
    t.fails("create", "--bundle", bundle.path, bundle.id)


def test_create_8_no_container_is_made_then(t):
    test_create_7_property_that_cannot_be_applied_is_an_error(t)
    assert os.listdir(t.state_dir) == []


# ---- Start ------------------------------------------------------------------------------------


def test_start_1_needs_an_id(t):
    t.fails("start")


def test_start_2_of_a_container_that_is_not_created_changes_nothing(t):
    bundle = t.bundle(SLEEP)
    t.create(bundle)
    t.start(bundle)
    before = t.state(bundle)
    t.fails("start", bundle.id)
    assert t.state(bundle) == before


def test_start_3_of_a_container_that_is_not_created_is_an_error(t):
    t.fails("start", stopped(t).id)
    t.fails("start", t.new_id())


def test_start_4_runs_the_program(t):
    bundle = marking(t)
    t.create(bundle)
    t.start(bundle)
    t.wait_until(lambda: ran(t), "the program")
    assert t.state(bundle)["status"] == "running"


def test_start_5_without_process_is_an_error(t):
    bundle = t.bundle(mutate={"process": None})
    if t.create(bundle, check=False).rc == 0:
        t.fails("start", bundle.id)


# ---- Kill ---------------------------------------------------------------------------------------


def test_kill_1_needs_an_id(t):
    t.fails("kill")


def test_kill_2_of_a_stopped_container_changes_nothing(t):
    bundle = stopped(t)
    before = t.state(bundle)
    t.rt("kill", bundle.id, "TERM", check=False)
    assert t.state(bundle) == before


def test_kill_3_of_a_stopped_container_is_an_error(t):
    t.fails("kill", stopped(t).id, "TERM")
    t.fails("kill", t.new_id(), "TERM")


def test_kill_4_sends_the_signal(t):
    bundle = marking(t, "trap 'touch /mark/usr1' USR1; touch /mark/ran;"
                        "while :; do sleep 0.05; done")
    t.create(bundle)
    t.start(bundle)
    t.wait_until(lambda: ran(t), "the trap")
    t.kill(bundle, "USR1")
    t.wait_until(lambda: os.path.exists(t.path("mark", "usr1")), "the signal")
    created = t.bundle(SLEEP)
    t.create(created)
    t.kill(created, "KILL")
    t.wait_status(created, "stopped")


# ---- Delete -------------------------------------------------------------------------------------


def test_delete_1_needs_an_id(t):
    t.fails("delete")


def test_delete_2_of_a_running_container_changes_nothing(t):
    bundle = t.bundle(SLEEP)
    t.create(bundle)
    t.start(bundle)
    before = t.state(bundle)
    t.rt("delete", bundle.id, check=False)
    assert t.state(bundle) == before


def test_delete_3_of_a_running_container_is_an_error(t):
    bundle = t.bundle(SLEEP)
    t.create(bundle)
    t.start(bundle)
    t.fails("delete", bundle.id)
    t.fails("delete", t.new_id())


def test_delete_4_removes_what_create_made(t):
    bundle = stopped(t)
    t.delete(bundle)
    t.assert_no_trace(bundle)
    t.create(bundle)     # the id is free again


def test_delete_5_keeps_what_others_made(t):
    first = t.bundle(SLEEP)
    t.create(first)
    pid = t.pid(first)
    second = t.bundle(SLEEP)
    for entry in second.config["linux"]["namespaces"]:
        if entry["type"] in ("network", "ipc", "uts"):
            kind = {"network": "net"}.get(entry["type"], entry["type"])
            entry["path"] = f"/proc/{pid}/ns/{kind}"
    second.config.pop("hostname", None)
    second.save()
    before = t.host_snapshot(second.path)
    t.create(second)
    t.delete(second, force=True)
    assert t.pid(first) == pid and os.path.exists(f"/proc/{pid}/ns/net")
    t.assert_untouched(second.path, before)
