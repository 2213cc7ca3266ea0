# SPDX-License-Identifier: Apache-2.0
"""`update` at the same time as other updates, and as `delete`."""

import subprocess

from harness import PATIENCE
from test_update import MIB, container, need


def ends(child):
    """What it wrote on standard error; it must come to an end, with success or with a reason."""
    err = child.communicate(timeout=40 * PATIENCE)[1].decode()
    assert child.returncode == (1 if err else 0), (child.returncode, err)
    assert "INTERNAL" not in err, err
    return err


def test_updates_at_the_same_time_do_not_mix(t):
    need(t, "pids", "memory")
    bundle, cgroup = container(t)
    children = [t.popen("update", "--pids-limit", str(100 + i), "--memory", f"{64 + i}m", bundle.id,
                        stderr=subprocess.PIPE) for i in range(6)]
    assert [ends(child) for child in children] == [""] * 6
    pids = int(cgroup.value(t, "pids", "pids.max", "pids.max"))
    memory = int(cgroup.value(t, "memory", "memory.limit_in_bytes", "memory.max"))
    assert memory // MIB - 64 == pids - 100, (memory, pids)
    t.delete(bundle, force=True)


def test_container_that_is_deleted_meanwhile(t):
    need(t, "pids")
    for _again in range(3):
        bundle, _cgroup = container(t, start=True)
        children = [t.popen("update", "--pids-limit", str(100 + i), bundle.id,
                            stderr=subprocess.PIPE) for i in range(4)]
        t.delete(bundle, force=True)
        for child in children:
            err = ends(child)
            assert not err or "does not exist" in err or "it is stopped" in err, err
        t.assert_no_trace(bundle)
