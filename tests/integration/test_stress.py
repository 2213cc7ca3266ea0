# SPDX-License-Identifier: Apache-2.0
"""Many containers one after another and at once leave nothing behind; the harness counts.

CRUN_TEST_SEQUENTIAL and CRUN_TEST_PARALLEL set the numbers.
"""

import os
import subprocess

import hostside
from harness import alone, flavors, timeout
from test_lifecycle import SLEEP

SEQUENTIAL = int(os.environ.get("CRUN_TEST_SEQUENTIAL", "1000"))
PARALLEL = int(os.environ.get("CRUN_TEST_PARALLEL", "50"))


def nothing_left(t, mounts_before):
    assert t.state_entries() == []
    hostside.reap()
    assert hostside.descendants(os.getpid()) == {}
    left = [path for top in hostside.find_cgroups(t.prefix)
            for path in hostside.cgroup_tree(top) if path != top]
    assert left == [], left
    assert set(hostside.mount_table()) == mounts_before


@alone
@timeout(600)
def test_a_thousand_runs_in_sequence(t):
    bundle = t.bundle(["true"])
    argv = t.argv("run", "-b", bundle.path, bundle.id)
    env, before = t.environment(), set(hostside.mount_table())
    for number in range(SEQUENTIAL):
        code = subprocess.call(argv, env=env, stdin=subprocess.DEVNULL)
        assert code == 0, (number, code)
    nothing_left(t, before)


@alone
@flavors("rootless")
def test_runs_of_an_ordinary_user_in_sequence(t):
    bundle, before = t.bundle(["true"]), set(hostside.mount_table())
    for _n in range(max(1, SEQUENTIAL // 10)):
        child = t.popen("run", "-b", bundle.path, bundle.id)
        assert child.wait() == 0
        t.children.remove(child)
    nothing_left(t, before)


@alone
@flavors("root", "rootless")
def test_fifty_runs_in_parallel(t):
    before = set(hostside.mount_table())
    bundles = [t.bundle(f"exit {number % 256}") for number in range(PARALLEL)]
    children = [t.popen("run", "-b", b.path, b.id) for b in bundles]
    codes = [child.wait(240) for child in children]
    assert codes == [number % 256 for number in range(PARALLEL)], codes
    nothing_left(t, before)


@alone
def test_fifty_creates_and_deletes_in_parallel_from_one_bundle(t):
    before = set(hostside.mount_table())
    # One bundle, many containers: each gets a cgroup of its own when the path is left out.
    bundle = t.bundle(SLEEP, mutate={"linux": {"cgroupsPath": None}})
    ids = [t.new_id() for _n in range(PARALLEL)]
    for verb in (["create", "-b", bundle.path], ["start"], ["kill"], ["delete", "--force"]):
        children = [t.popen(*verb, id, *(["KILL"] if verb == ["kill"] else [])) for id in ids]
        assert [child.wait(240) for child in children] == [0] * PARALLEL, verb
    nothing_left(t, before)


@alone
def test_listing_while_containers_come_and_go(t):
    bundles = [t.bundle(["true"]) for _n in range(20)]
    children = [t.popen("run", "-b", b.path, b.id) for b in bundles]
    while any(child.poll() is None for child in children):
        result = t.rt("list", "-f", "json")
        assert result.err == "", result
    assert [child.wait() for child in children] == [0] * 20
