# SPDX-License-Identifier: Apache-2.0
"""Propagation of mounts between the host and the container."""

import os

import hostside
from test_linux_mounts import Mount, bind, mounted, tmp_source, with_mounts

MS_SHARED = 1 << 20


def test_propagation_options(t):
    t.needs("open_tree")   # for "shared"
    source = tmp_source(t)
    hostside.mount("none", source, None, MS_SHARED)
    want = {"private": set(), "rprivate": set(), "slave": {"master"}, "rslave": {"master"},
            "shared": {"shared"}, "rshared": {"shared"}, "unbindable": {"unbindable"},
            "runbindable": {"unbindable"}}
    for option, tags in want.items():
        found = mounted(t, bind(source, "/tmp", "rbind", option))["/tmp"].tags
        assert found == tags, (option, found)


def in_table(pid, point):
    with open(f"/proc/{pid}/mountinfo", encoding="ascii") as lines:
        return any(Mount(line).point == point for line in lines)


def propagating(t, option):
    source = tmp_source(t)
    hostside.mount("none", source, None, MS_SHARED)
    for name in ("in", "out"):
        os.mkdir(os.path.join(source, name))
    caps = ["CAP_SYS_ADMIN", "CAP_MKNOD"]
    sets = {kind: caps for kind in ("bounding", "effective", "permitted")}
    bundle = with_mounts(t, bind(source, "/tmp", "rbind", option),
                         args="mount -t tmpfs none /tmp/out && exec sleep 1000",
                         mutate={"process": {"capabilities": sets}})
    t.rt("run", "-d", "-b", bundle.path, bundle.id)
    pid = t.pid(bundle)
    t.wait_until(lambda: in_table(pid, "/tmp/out"), "the mount inside")
    t.mount("tmpfs", os.path.join(source, "in"), "tmpfs")
    seen_outside = in_table("self", os.path.join(source, "out"))
    seen_inside = in_table(pid, "/tmp/in")
    t.delete(bundle, force=True)
    if seen_outside:
        hostside.umount(os.path.join(source, "out"))
    return seen_inside, seen_outside


def test_mounts_propagate_as_the_option_says(t):
    t.needs("open_tree")
    assert propagating(t, "rshared") == (True, True)


def test_mounts_propagate_into_a_slave_only(t):
    assert propagating(t, "rslave") == (True, False)


def test_private_mounts_do_not_propagate(t):
    assert propagating(t, "rprivate") == (False, False)
