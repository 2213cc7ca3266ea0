# SPDX-License-Identifier: Apache-2.0
"""The harness itself: a leak that it would not see makes every other test worthless."""

import os
import subprocess

import hostside


def test_left_process_is_seen_and_ended(t):
    # Orphaned on purpose: it becomes a child of the test process, which is a subreaper.
    subprocess.check_call(["sh", "-c", "setsid sleep 1000 &"])
    leaks = t.left_processes()
    assert len(leaks) == 1 and "(sleep, S)" in leaks[0], leaks
    assert t.left_processes() == []


def test_left_cgroup_is_seen_and_removed(t):
    for base in (f"/{t.prefix}/c1", f"/{t.prefix}-7", f"/crun-{t.prefix}-8.scope"):
        point = sorted(hostside.cgroup_mounts().values())[0]
        os.makedirs(point + base)
        leaks = t.left_cgroups()
        assert leaks == [f"cgroup {point}{base}"], leaks
        assert not os.path.isdir(point + base) and t.left_cgroups() == []


def test_left_cgroup_with_a_process_is_emptied_and_removed(t):
    child = t.popen(argv=["sleep", "1000"])
    point = [p for n, p in hostside.cgroup_mounts().items() if n != "cpuset"][0]
    os.makedirs(f"{point}/{t.prefix}/c1/sub")
    with open(f"{point}/{t.prefix}/c1/sub/cgroup.procs", "w", encoding="ascii") as out:
        out.write(str(child.pid))
    assert len(t.left_cgroups()) == 2
    assert not os.path.isdir(f"{point}/{t.prefix}")


def test_left_mount_is_seen_and_undone(t):
    where = t.mkdir("mounted")
    hostside.mount("tmpfs", where, "tmpfs")
    assert t.left_mounts() == [f"mount {where} (tmpfs)"]
    assert t.left_mounts() == []


def test_mount_made_through_the_harness_is_no_leak(t):
    where = t.mkdir("mounted")
    t.mount("tmpfs", where, "tmpfs")
    assert t.left_mounts() == []


def test_left_state_is_seen(t):
    path = t.file(os.path.join(t.state_dir, "stray"))
    assert "state: stray" in t.finish()
    os.unlink(path)


def test_touched_canary_is_seen(t):
    path = t.canary()
    t.file(os.path.join(path, "file"), "other\n")
    assert any("canary changed: file" in leak for leak in t.finish())
    t.canaries.clear()


def test_snapshot_sees_every_kind_of_change(t):
    top = t.mkdir("top")
    t.file("top/a", "1")
    t.file("top/b", "1")
    t.file("top/c", "1")
    before = t.host_snapshot(top)
    t.file("top/a", "2")
    os.unlink(t.path("top/b"))
    os.chmod(t.path("top/c"), 0o600)
    os.symlink("x", t.path("top/d"))
    lines = hostside.difference(before, t.host_snapshot(top))
    assert [line.split(":")[1].strip() for line in lines] == [".", "a", "b", "c", "d"], lines


def test_mounts_of_a_test_are_private(t):
    before = os.stat("/proc/1").st_ino
    assert before and os.readlink("/proc/self/ns/mnt") != os.readlink(f"/proc/{os.getppid()}/ns/mnt")


def test_failing_command_fails_the_test(t):
    for broken in (lambda: t.rt(argv=["false"]), lambda: t.fails(argv=["true"]),
                   lambda: t.fails(argv=["false"]),   # fails without a word
                   lambda: t.fails(argv=["sh", "-c", "echo word >&2; kill -SEGV $$"]),
                   lambda: t.rt(argv=["sleep", "100"], timeout=0.2)):
        try:
            broken()
        except AssertionError:
            continue
        raise RuntimeError("the harness let a failure pass")
