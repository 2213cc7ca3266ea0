# SPDX-License-Identifier: Apache-2.0
"""The hooks of config.md and of the life cycle in runtime.md; see config.txt, runtime.txt."""

import json
import os


RUNTIME = ("prestart", "createRuntime", "poststart", "poststop")
STAGES = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart",
          "poststop")
SLEEP = ["sleep", "1000"]


def hook(script, **more):
    return dict({"path": "/bin/sh", "args": ["sh", "-c", script]}, **more)


def noting(t, stage, script, name=None):
    """A hook that writes the output of `script` where the test reads it."""
    folder = "/mark" if stage == "startContainer" else t.path("mark")
    return hook(f"({script}) >>{folder}/{name or stage} 2>&1")


def with_hooks(t, hooks, args="true"):
    """A bundle in which /mark is a directory of the host, for the payload and hooks inside."""
    mark = t.mkdir("mark")
    bundle = t.bundle(args)
    bundle.config["mounts"].append({"destination": "/mark", "type": "bind", "source": mark,
                                    "options": ["bind"]})
    bundle.config["hooks"] = hooks
    return bundle.save()


def noted(t, name):
    path = t.path("mark", name)
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8") as source:
        return source.read()


def one_life(t, bundle):
    """create, start, end and delete; no result is looked at."""
    for verb in (("create", "--bundle", bundle.path, bundle.id), ("start", bundle.id)):
        t.rt(*verb, check=False)
    t.rt("kill", bundle.id, "KILL", check=False)
    t.rt("delete", "--force", bundle.id, check=False)


def check_relative_path(t, stage):
    bundle = with_hooks(t, {stage: [dict(hook("true"), path="bin/sh")]})
    t.fails("create", "--bundle", bundle.path, bundle.id)
    t.assert_no_trace(bundle)


def check_timeout(t, stage):
    for seconds in (0, -1):
        bundle = with_hooks(t, {stage: [hook("true", timeout=seconds)]})
        t.fails("create", "--bundle", bundle.path, bundle.id)
        t.assert_no_trace(bundle)


def test_hooks_1_prestart_path_is_absolute(t):
    check_relative_path(t, "prestart")


def test_hooks_2_prestart_timeout_is_positive(t):
    check_timeout(t, "prestart")


def test_hooks_5_create_runtime_path_is_absolute(t):
    check_relative_path(t, "createRuntime")


def test_hooks_6_create_runtime_timeout_is_positive(t):
    check_timeout(t, "createRuntime")


def namespaces(pid="self"):
    return [os.readlink(f"/proc/{pid}/ns/{kind}") for kind in ("mnt", "net", "uts")]


def namespaces_of_hook(t, stage):
    """(the hook's, the payload's) namespaces."""
    script = "for n in mnt net uts; do readlink /proc/self/ns/$n; done"
    bundle = with_hooks(t, {stage: [noting(t, stage, script)]}, SLEEP)
    t.create(bundle)
    inside = namespaces(t.pid(bundle))
    t.start(bundle)
    t.delete(bundle, force=True)
    return noted(t, stage).split(), inside


def check_runs_in_runtime(t, stage):
    assert namespaces_of_hook(t, stage)[0] == namespaces()


def check_runs_in_container(t, stage):
    found, inside = namespaces_of_hook(t, stage)
    assert found == inside != namespaces()


def check_path_in_runtime(t, stage):
    """A program that only the host has."""
    program = t.file("hostprogram", f"#!/bin/sh\necho ran >{t.mkdir('mark')}/{stage}\n", 0o755)
    bundle = with_hooks(t, {stage: [{"path": program}]}, SLEEP)
    one_life(t, bundle)
    assert noted(t, stage) == "ran\n"


def check_path_in_container(t, stage):
    """A program that only the container has."""
    program = t.file("only", f"#!/bin/sh\necho ran >/mark/{stage}\n", 0o755)
    bundle = with_hooks(t, {stage: [{"path": "/mark/only"}]}, SLEEP)
    os.rename(program, t.path("mark", "only"))
    one_life(t, bundle)
    assert noted(t, stage) == "ran\n"


def test_hooks_3_prestart_path_is_the_hosts(t):
    check_path_in_runtime(t, "prestart")


def test_hooks_4_prestart_runs_in_the_runtimes_namespaces(t):
    check_runs_in_runtime(t, "prestart")


def test_hooks_7_create_runtime_path_is_the_hosts(t):
    check_path_in_runtime(t, "createRuntime")


def test_hooks_8_create_runtime_runs_in_the_runtimes_namespaces(t):
    check_runs_in_runtime(t, "createRuntime")


def test_hooks_9_create_container_path_is_the_hosts(t):
    check_path_in_runtime(t, "createContainer")


def test_hooks_10_create_container_runs_in_the_containers_namespaces(t):
    check_runs_in_container(t, "createContainer")


def test_hooks_11_start_container_path_is_the_containers(t):
    check_path_in_container(t, "startContainer")


def test_hooks_12_start_container_runs_in_the_containers_namespaces(t):
    check_runs_in_container(t, "startContainer")


def test_hooks_13_poststart_path_is_the_hosts(t):
    check_path_in_runtime(t, "poststart")


def test_hooks_14_poststart_runs_in_the_runtimes_namespaces(t):
    check_runs_in_runtime(t, "poststart")


def test_hooks_15_poststop_path_is_the_hosts(t):
    check_path_in_runtime(t, "poststop")


def test_hooks_16_poststop_runs_in_the_runtimes_namespaces(t):
    check_runs_in_runtime(t, "poststop")


def test_hooks_17_are_called_in_the_listed_order(t):
    numbers = range(5)
    hooks = {stage: [noting(t, stage, f"echo {n}") for n in numbers] for stage in STAGES}
    one_life(t, with_hooks(t, hooks, SLEEP))
    for stage in STAGES:
        assert noted(t, stage).split() == [str(n) for n in numbers], stage


def test_hooks_18_get_the_state_on_stdin(t):
    bundle = with_hooks(t, {stage: [noting(t, stage, "cat")] for stage in STAGES}, SLEEP)
    one_life(t, bundle)
    for stage in STAGES:
        state = json.loads(noted(t, stage))
        assert (state["id"], state["bundle"]) == (bundle.id, bundle.path), (stage, state)
        assert state["ociVersion"] and state["status"], (stage, state)


# ---- when ---------------------------------------------------------------------------------------


def check_before_pivot(t, stage):
    """Part of create; the namespaces exist, but init's root is still the host's."""
    script = f"sed 's/.*\"pid\": *\\([0-9]*\\).*/\\1/' | head -c 20 >{t.path('mark')}/pid; " \
             f"pid=$(cat {t.path('mark')}/pid); readlink /proc/$pid/ns/mnt; " \
             f"test -e /proc/$pid/root{t.path('mark')} && echo host"
    bundle = with_hooks(t, {stage: [noting(t, stage, script)]}, SLEEP)
    t.create(bundle)
    lines = noted(t, stage).split()
    assert lines[0] == namespaces(t.pid(bundle))[0] != namespaces()[0], lines
    assert lines[1:] == ["host"], lines


def check_order(t, first, second):
    hooks = {second: [noting(t, second, "echo second", "order")],
             first: [noting(t, first, "echo first", "order")]}
    one_life(t, with_hooks(t, hooks, SLEEP))
    assert noted(t, "order").split() == ["first", "second"]


def test_prestart_1_runs_in_create_before_the_pivot(t):
    check_before_pivot(t, "prestart")


def test_prestart_2_runs_before_create_runtime(t):
    check_order(t, "prestart", "createRuntime")


def test_create_runtime_hooks_1_run_in_create_before_the_pivot(t):
    check_before_pivot(t, "createRuntime")


def test_create_container_hooks_1_run_in_create_before_the_pivot(t):
    # In the container's mount namespace the host's directory is still in sight.
    script = f"readlink /proc/self/ns/mnt; test -e {t.path('mark')} && echo host"
    bundle = with_hooks(t, {"createContainer": [noting(t, "createContainer", script)]}, SLEEP)
    t.create(bundle)
    assert noted(t, "createContainer").split() == [namespaces(t.pid(bundle))[0], "host"]


def test_create_container_hooks_2_run_after_create_runtime(t):
    check_order(t, "createRuntime", "createContainer")


def test_start_container_hooks_1_run_in_start_before_the_program(t):
    bundle = with_hooks(t, {"startContainer": [noting(t, "startContainer", "echo hook", "order")]},
                        "echo program >>/mark/order; sleep 1000")
    t.create(bundle)
    assert noted(t, "order") == ""
    t.start(bundle)
    t.wait_until(lambda: noted(t, "order").split() == ["hook", "program"], "the order")


def test_poststart_1_runs_after_the_program_before_start_returns(t):
    # The hook looks at what runs: it must be the program, not the runtime that waits for start.
    script = "pid=$(sed 's/.*\"pid\": *\\([0-9]*\\).*/\\1/'); tr '\\0' ' ' </proc/$pid/cmdline"
    bundle = with_hooks(t, {"poststart": [noting(t, "poststart", script)]}, SLEEP)
    t.create(bundle)
    assert noted(t, "poststart") == ""
    t.start(bundle)
    assert noted(t, "poststart").split() == SLEEP, noted(t, "poststart")


def test_poststop_1_runs_after_deletion_before_delete_returns(t):
    script = "pid=$(sed 's/.*\"pid\": *\\([0-9]*\\).*/\\1/'); echo deleted"
    bundle = with_hooks(t, {"poststop": [noting(t, "poststop", script)]}, SLEEP)
    t.create(bundle)
    t.start(bundle)
    t.kill(bundle, "KILL")
    t.wait_status(bundle, "stopped")
    assert noted(t, "poststop") == ""
    t.delete(bundle)
    assert noted(t, "poststop") == "deleted\n"


# ---- the life cycle's failures --------------------------------------------------------------------


def check_invoked(t, *stages):
    bundle = with_hooks(t, {stage: [noting(t, stage, "echo called")] for stage in stages}, SLEEP)
    one_life(t, bundle)
    for stage in stages:
        assert noted(t, stage) == "called\n", stage


def check_failure_in_create(t, stage):
    """An error, no container, and the life cycle goes on with destruction and poststop."""
    bundle = with_hooks(t, {stage: [hook("exit 7")],
                            "poststop": [noting(t, "poststop", "echo called")]}, SLEEP)
    t.fails("create", "--bundle", bundle.path, bundle.id)
    t.assert_no_trace(bundle)
    assert noted(t, "poststop") == "called\n"


def check_failure_in_start(t, stage):
    bundle = with_hooks(t, {stage: [hook("exit 7")]}, SLEEP)
    t.create(bundle)
    t.fails("start", bundle.id)
    gone = t.rt("state", bundle.id, check=False)
    assert gone.rc != 0 or json.loads(gone.out)["status"] == "stopped", gone


def test_lifecycle_6_prestart_hooks_are_invoked(t):
    check_invoked(t, "prestart")


def test_lifecycle_7_failing_prestart_hook_ends_the_container(t):
    check_failure_in_create(t, "prestart")


def test_lifecycle_8_create_runtime_hooks_are_invoked(t):
    check_invoked(t, "createRuntime")


def test_lifecycle_9_failing_create_runtime_hook_ends_the_container(t):
    check_failure_in_create(t, "createRuntime")


def test_lifecycle_10_create_container_hooks_are_invoked(t):
    check_invoked(t, "createContainer")


def test_lifecycle_11_failing_create_container_hook_ends_the_container(t):
    check_failure_in_create(t, "createContainer")


def test_lifecycle_12_start_container_hooks_are_invoked(t):
    check_invoked(t, "startContainer")


def test_lifecycle_13_failing_start_container_hook_ends_the_container(t):
    check_failure_in_start(t, "startContainer")


def test_lifecycle_15_poststart_hooks_are_invoked(t):
    check_invoked(t, "poststart")


def test_lifecycle_16_failing_poststart_hook_ends_the_container(t):
    check_failure_in_start(t, "poststart")


def test_lifecycle_18_poststop_hooks_are_invoked(t):
    check_invoked(t, *STAGES)


def test_lifecycle_19_failing_poststop_hook_is_a_warning(t):
    bundle = with_hooks(t, {"poststop": [hook("exit 7"), noting(t, "poststop", "echo next")]},
                        SLEEP)
    log = t.path("log")
    t.create(bundle)
    t.rt("--debug", "--log", log, "delete", "--force", bundle.id)
    assert noted(t, "poststop") == "next\n"
    with open(log, encoding="utf-8") as source:
        assert "exit status 7" in source.read()
    t.assert_no_trace(bundle)
