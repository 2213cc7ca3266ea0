# SPDX-License-Identifier: Apache-2.0
"""What engines rely on from kill and delete; and what a policy that forbids our signals changes."""

import os

from harness import flavors
from test_lifecycle import SLEEP, no_pid_namespace, running, stopped


def dead(t, bundle):
    t.wait_status(bundle, "stopped")


# ---- the forms of section 3.6 -------------------------------------------------------------------

@flavors("root", "rootless")
def test_every_form_that_an_engine_sends(t):
    for args in (["kill", "ID", "9"], ["kill", "ID", "KILL"], ["kill", "ID", "SIGKILL"],
                 ["kill", "ID", "sigkill"], ["kill", "--all", "ID", "9"],
                 ["kill", "-a", "ID", "9"], ["kill", "--all", "ID", "KILL"]):
        bundle = running(t)
        result = t.rt(*[bundle.id if a == "ID" else a for a in args])
        assert result.out == result.err == "", result
        dead(t, bundle)
        t.delete(bundle)


def test_signal_zero_in_each_state(t):
    bundle = t.bundle(SLEEP)
    t.create(bundle)
    t.kill(bundle, "0")
    t.start(bundle)
    t.kill(bundle, "0")
    t.kill(bundle, "0", opts=["--all"])
    assert t.state(bundle)["status"] == "running"
    t.kill(bundle, "KILL")
    dead(t, bundle)
    t.fails("kill", bundle.id, "0", has=["container not running", "no such process"],
            code="CONTAINER_STOPPED")
    t.kill(bundle, "0", opts=["--all"])


def test_kill_all_of_a_created_container(t):
    bundle = t.bundle(SLEEP)
    t.create(bundle)
    t.kill(bundle, "9", opts=["--all"])
    dead(t, bundle)
    t.delete(bundle)


def test_sigkill_of_a_paused_container(t):
    for opts in ([], ["--all"]):
        bundle = running(t)
        t.rt("pause", bundle.id)
        t.kill(bundle, "KILL", opts=opts)
        dead(t, bundle)
        t.delete(bundle)


def test_kill_by_regular_expression(t):
    first, second, other = running(t), running(t), running(t)
    ids = [first.id, second.id]
    pattern = "^(" + "|".join(i.replace("-", "[-]") for i in ids) + ")$"
    for option in ("--regex", "-r"):
        t.rt("kill", option, pattern, "0")
    t.rt("kill", "--regex", pattern, "KILL")
    for bundle in (first, second):
        dead(t, bundle)
    assert t.state(other)["status"] == "running"
    # Both are stopped now: each is a failure, told once.
    result = t.fails("kill", "--regex", pattern, "KILL", has="container not running")
    assert len(result.err.splitlines()) == 1, result
    t.fails("kill", "--regex", "^no-such-container$", "KILL", has="no-such-container")
    t.fails("kill", "--regex", "(", "KILL", has="regular expression")


def test_delete_by_regular_expression(t):
    first, second, other = stopped(t), stopped(t), running(t)
    pattern = f"^({first.id}|{second.id})$"
    t.rt("delete", "--regex", pattern)
    for bundle in (first, second):
        t.assert_no_trace(bundle)
    t.fails("delete", "-r", pattern, has=pattern)
    result = t.rt("delete", "--force", "-r", pattern)
    assert result.out == result.err == "", result
    t.rt("delete", "-f", "--regex", f"^{other.id}$")
    t.assert_no_trace(other)


# ---- a policy forbids our signals ---------------------------------------------------------------

def kill_file(t, bundle):
    for path in t.cgroup_dirs(bundle).values():
        if os.path.exists(f"{path}/cgroup.kill"):
            return
    t.skip("no cgroup v2 with cgroup.kill (Linux 5.14) here")


def denied(t):
    t.without("EACCES:signals")


def end(t, bundle):
    t.without(None)
    t.delete(bundle, force=True)
    t.assert_no_trace(bundle)


@flavors("root", "rootless")
def test_sigkill_takes_the_way_of_the_cgroup_when_signals_are_denied(t):
    for opts in ([], ["--all"]):
        for error in ("EACCES", "EPERM"):
            bundle = running(t)
            kill_file(t, bundle)
            t.without(f"{error}:signals")
            result = t.kill(bundle, "KILL", opts=opts)
            assert result.out == result.err == "", result
            dead(t, bundle)
            end(t, bundle)


def test_forced_delete_takes_the_way_of_the_cgroup_when_signals_are_denied(t):
    bundle = running(t, "sleep 1000 & sleep 1000", mutate=no_pid_namespace)
    kill_file(t, bundle)
    denied(t)
    result = t.delete(bundle, force=True)
    assert result.out == result.err == "", result
    t.assert_no_trace(bundle)


@flavors("root", "rootless")
def test_other_signals_that_are_denied_name_both_labels(t):
    bundle = running(t)
    pid = t.pid(bundle)
    for opts in ([], ["--all"]):
        denied(t)
        result = t.fails("kill", *opts, bundle.id, "TERM", has=[
            "denied", "the label of crun is ", f"that of process {pid} is "],
                         code="SIGNAL_REFUSED")
        assert result.err.endswith("Permission denied\n"), result
        assert "container not running" not in result.err, result
        t.without(None)
        assert t.state(bundle)["status"] == "running"
    end(t, bundle)


def test_sigkill_that_is_denied_without_a_cgroup_names_both_labels(t):
    bundle = t.bundle(SLEEP)
    t.rt("--cgroup-manager", "disabled", "run", "-d", "-b", bundle.path, bundle.id)
    denied(t)
    for args in (["kill", bundle.id, "KILL"], ["kill", "-a", bundle.id, "KILL"],
                 ["delete", "--force", bundle.id]):
        t.fails(*args, has=["the label of crun is ", "Permission denied"])
    end(t, bundle)
