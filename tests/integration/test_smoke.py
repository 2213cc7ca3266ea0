# SPDX-License-Identifier: Apache-2.0
"""The shortest way through the runtime; if this fails, read nothing else first."""

from harness import flavors


@flavors("root", "rootless")
def test_run_prints_what_the_payload_prints(t):
    result = t.run_container(t.bundle("echo hello from $(id -u)"))
    assert result.out == "hello from 0\n", result
    assert result.err == "", result


@flavors("root", "rootless")
def test_create_start_state_kill_delete(t):
    bundle = t.bundle(["sleep", "1000"])
    t.create(bundle)
    assert t.state(bundle)["status"] == "created"
    t.start(bundle)
    assert t.state(bundle)["status"] == "running"
    t.kill(bundle, "KILL")
    t.wait_status(bundle, "stopped")
    t.delete(bundle)
    t.assert_no_trace(bundle)


@flavors("rootless")
def test_subordinate_ranges_give_a_second_user(t):
    bundle = t.bundle("id -u", rootless="ranges", mutate={"process": {"user": {"uid": 1000, "gid": 1000}}})
    assert t.run_container(bundle).out == "1000\n"
