# SPDX-License-Identifier: Apache-2.0
"""Mounts of config.md: order, destinations, and the table of options row by row; see config.txt.

The tests of the options are made from the tables below, one for each row, and are called
test_option_NAME.
"""

import os

import hostside
from test_linux_mounts import Mount, bind, entry, tmp_source, with_mounts

MS_SHARED, MS_REC, MS_REMOUNT, MS_BIND = 1 << 20, 0x4000, 32, 4096
BITS = {"ro": 1, "nosuid": 2, "nodev": 4, "noexec": 8, "nosymfollow": 256, "noatime": 1024,
        "nodiratime": 2048}
FLAGS = {"ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "nosymfollow", "relatime"}

# Option -> what it must (+) and must not (-) show in the options of the mount, in the payload's
# mountinfo. Each is tried on a tmpfs of its own and on a bind mount.
OWN = {
    "ro": "+ro", "rw": "-ro", "nosuid": "+nosuid", "suid": "-nosuid", "nodev": "+nodev",
    "dev": "-nodev", "noexec": "+noexec", "exec": "-noexec", "noatime": "+noatime",
    "atime": "-noatime", "nodiratime": "+nodiratime", "diratime": "-nodiratime",
    "relatime": "+relatime", "norelatime": "", "strictatime": "-relatime -noatime",
    "nostrictatime": "+relatime", "nosymfollow": "+nosymfollow", "symfollow": "-nosymfollow",
    "defaults": "-ro -nosuid -nodev -noexec", "loud": "-silent", "silent": "-loud",
}
# Options of the file system itself: (what the super block shows, and must not).
SUPER = {
    "sync": ("sync", None), "async": (None, "sync"), "dirsync": ("dirsync", None),
    "lazytime": ("lazytime", None), "nolazytime": (None, "lazytime"),
    "iversion": (None, None), "noiversion": (None, None),
}
# The recursive ones: the same signs, on the mount and on the one below it.
RECURSIVE = {
    "rro": "+ro", "rrw": "-ro", "rnosuid": "+nosuid", "rsuid": "-nosuid", "rnodev": "+nodev",
    "rdev": "-nodev", "rnoexec": "+noexec", "rexec": "-noexec", "rnoatime": "+noatime",
    "ratime": "-noatime", "rnodiratime": "+nodiratime", "rdiratime": "-nodiratime",
    "rrelatime": "+relatime", "rnorelatime": "", "rstrictatime": "-relatime -noatime",
    "rnostrictatime": "+relatime", "rnosymfollow": "+nosymfollow",
    "rsymfollow": "-nosymfollow",
}
# Propagation: the optional field of mountinfo; the second is what must not be there.
PROPAGATION = {
    "private": (None, {"shared", "master", "unbindable"}), "shared": ("shared", set()),
    "slave": ("master", set()), "unbindable": ("unbindable", {"shared", "master"}),
}


def nested(t):
    source = tmp_source(t)
    os.mkdir(os.path.join(source, "below"))
    t.mount("tmpfs", os.path.join(source, "below"), "tmpfs", 0)
    return source


def table_of(t, *mounts):
    """Mount point -> the uppermost mount, from inside."""
    bundle = with_mounts(t, *mounts)
    lines = t.probe(bundle, "mounts")["mounts"]
    return {mount.point: mount for mount in map(Mount, lines)}


def check_signs(signs, mount):
    for sign in signs.split():
        there = sign[1:] in mount.options
        assert there == (sign[0] == "+"), (sign, mount)


def own_option(name, signs):
    def test(t):
        check_signs(signs, table_of(t, entry("/tmp", "tmpfs", "tmpfs", name))["/tmp"])
        # What the option takes back is set before it, where there is something to take back.
        before = [s[1:] for s in signs.split() if s[0] == "-" and s[1:] in FLAGS - {"relatime"}]
        if name not in ("defaults", "strictatime", "norelatime"):
            signs_of = table_of(t, entry("/tmp", "tmpfs", "tmpfs", *before, name))["/tmp"]
            check_signs(signs, signs_of)
        check_signs(signs, table_of(t, bind(tmp_source(t), "/tmp", "bind", name))["/tmp"])
    return test


def super_option(name, shown, hidden):
    def test(t):
        mount = table_of(t, entry("/tmp", "tmpfs", "tmpfs", name))["/tmp"]
        shows = mount.super | mount.options
        assert shown is None or shown in shows, mount
        assert hidden is None or hidden not in shows, mount
    return test


def recursive_option(name, signs):
    def test(t):
        source = nested(t)
        # What the option takes back, the source has.
        number = sum(BITS.get(sign[1:], 0) for sign in signs.split() if sign[0] == "-")
        for point in (source, os.path.join(source, "below")) if number else ():
            hostside.mount("none", point, None, MS_REMOUNT | MS_BIND | number)
        table = table_of(t, bind(source, "/tmp", "rbind", name))
        for point in ("/tmp", "/tmp/below"):
            check_signs(signs, table[point])
    return test


def propagation_option(name, tag, without, recursive):
    def test(t):
        source = nested(t)
        hostside.mount("none", source, None, MS_SHARED | MS_REC)
        table = table_of(t, bind(source, "/tmp", "rbind", name))
        for point in ("/tmp", "/tmp/below") if recursive else ("/tmp",):
            assert tag is None or tag in table[point].tags, table[point]
            assert not without & table[point].tags, table[point]
    return test


def make_tests():
    made = {}
    for name, signs in OWN.items():
        made[name] = own_option(name, signs)
    for name, (shown, hidden) in SUPER.items():
        made[name] = super_option(name, shown, hidden)
    for name, signs in RECURSIVE.items():
        made[name] = recursive_option(name, signs)
    for name, (tag, without) in PROPAGATION.items():
        made[name] = propagation_option(name, tag, without, False)
        made["r" + name] = propagation_option("r" + name, tag, without, True)
    for name, function in made.items():
        function.__name__ = f"test_option_{name}"
        globals()[function.__name__] = function


make_tests()


def test_option_bind(t):
    table = table_of(t, entry("/tmp", "none", nested(t), "bind"))
    assert "/tmp" in table and "/tmp/below" not in table, table


def test_option_rbind(t):
    table = table_of(t, entry("/tmp", "none", nested(t), "rbind"))
    assert "/tmp" in table and "/tmp/below" in table, table


def test_option_remount(t):
    table = table_of(t, entry("/tmp", "tmpfs", "tmpfs"),
                     entry("/tmp", "tmpfs", "tmpfs", "remount", "ro", "nosuid"))
    assert {"ro", "nosuid"} <= table["/tmp"].options, table


# ---- the other sentences ------------------------------------------------------------------------


def test_mounts_1_are_mounted_in_the_listed_order(t):
    first, second = t.mkdir("first"), t.mkdir("second")
    os.mkdir(os.path.join(first, "sub"))
    os.mkdir(os.path.join(second, "sub"))
    open(os.path.join(second, "sub", "it"), "w", encoding="ascii").close()
    bundle = with_mounts(t, bind(first, "/tmp"), entry("/tmp/sub", "tmpfs", "tmpfs"),
                         args="ls /tmp/sub; grep -c ' /tmp/sub ' /proc/mounts")
    assert t.run_container(bundle).out == "1\n"
    bundle = with_mounts(t, entry("/tmp/sub", "tmpfs", "tmpfs"), bind(second, "/tmp"),
                         args="ls /tmp/sub", own_rootfs=True)
    assert t.run_container(bundle).out == "it\n"


def test_mounts_2_destination_is_absolute(t):
    assert "/tmp" in table_of(t, entry("/tmp", "tmpfs", "tmpfs"))


def test_mounts_3_relative_destination_starts_at_the_root(t):
    bundle = with_mounts(t, entry("tmp", "tmpfs", "tmpfs"))
    bundle.config["process"]["cwd"] = "/bin"
    points = [Mount(line).point for line in t.probe(bundle.save(), "mounts")["mounts"]]
    assert "/tmp" in points, points


def test_linux_mount_options_unknown_options_go_to_the_file_system(t):
    mount = table_of(t, entry("/tmp", "tmpfs", "tmpfs", "size=64k", "nr_inodes=77"))["/tmp"]
    assert {"size=64k", "nr_inodes=77"} <= mount.super, mount
    bundle = with_mounts(t, entry("/tmp", "tmpfs", "tmpfs", "of-no-file-system"))
    t.fails("create", "--bundle", bundle.path, bundle.id)
    t.assert_no_trace(bundle)
