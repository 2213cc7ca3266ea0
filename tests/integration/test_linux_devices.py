# SPDX-License-Identifier: Apache-2.0
"""Device nodes and links of /dev, configured devices, and the access rules of the cgroup."""

import os

import hostside
from harness import flavors

DEFAULT = {"null": "1:3", "zero": "1:5", "full": "1:7", "random": "1:8", "urandom": "1:9",
           "tty": "5:0"}
LINKS = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
         "stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx"}
MKNOD = ["CAP_MKNOD", "CAP_DAC_OVERRIDE"]


def device(path, kind, major=None, minor=None, **more):
    entry = {"path": path, "type": kind}
    if major is not None:
        entry.update(major=major, minor=minor)
    return dict(entry, **more)


def rule(allow, kind=None, major=None, minor=None, access=None):
    values = {"type": kind, "major": major, "minor": minor, "access": access}
    return dict({"allow": allow}, **{k: v for k, v in values.items() if v is not None})


def stats(t, bundle, *paths):
    """path -> [mode, uid, gid, "major:minor"]"""
    found = t.probe(bundle, *[f"stat:{p}" for p in paths])
    table = {}
    for lines in found.values():
        name, mode, *rest = lines[0].split()
        table[name] = [mode] + rest[:2] + rest[3:] if mode != "error" else lines
    return table


@flavors("root", "rootless")
def test_default_devices_are_there_for_everybody(t):
    found = stats(t, None, *[f"/dev/{name}" for name in DEFAULT])
    for name, number in DEFAULT.items():
        mode, _uid, _gid, rdev = found[f"/dev/{name}"]
        assert (mode, rdev) == ("20666", number), (name, found)


@flavors("root", "rootless")
def test_default_devices_work(t):
    result = t.run_container(t.bundle(
        "echo lost >/dev/null; head -c 5 /dev/zero | wc -c; head -c 5 /dev/urandom | wc -c;"
        "head -c 5 /dev/random | wc -c; echo x >/dev/full; cat /dev/null | wc -c; : </dev/tty"),
        check=False)
    assert result.out.split() == ["5", "5", "5", "0"], result
    assert "No space left" in result.err and "/dev/tty" in result.err, result


@flavors("root", "rootless")
def test_default_links_are_there(t):
    names = " ".join(f"/dev/{name}" for name in LINKS)
    result = t.run_container(t.bundle(f"for l in {names}; do readlink $l; done"))
    assert result.out.split("\n")[:-1] == list(LINKS.values()), result


@flavors("root", "rootless")
def test_a_terminal_can_be_opened_through_ptmx(t):
    result = t.run_container(t.bundle("exec 3<>/dev/ptmx && ls /dev/pts"))
    assert sorted(result.out.split()) == ["0", "ptmx"], result


def test_nothing_else_is_in_dev(t):
    result = t.run_container(t.bundle("ls /dev"))
    want = set(DEFAULT) | set(LINKS) | {"pts", "shm", "mqueue", "core"}
    assert set(result.out.split()) <= want, result


def test_configured_devices_of_every_type(t):
    devices = [device("/dev/chr", "c", 1, 5, fileMode=0o640, uid=12, gid=34),
               device("/dev/unbuffered", "u", 1, 7),
               device("/dev/blk", "b", 7, 200, fileMode=0o600),
               device("/dev/fifo", "p", fileMode=0o622, uid=5),
               device("/dev/deep/er/null", "c", 1, 3, fileMode=0o777),
               device("/elsewhere/zero", "c", 1, 5)]
    bundle = t.bundle(own_rootfs=True, mutate={"linux": {"devices": devices}})
    bundle.config["process"]["args"] = ["/bin/probe"] + [f"stat:{d['path']}" for d in devices]
    bundle.save()
    result = t.run_container(bundle, preexec_fn=lambda: os.umask(0o077))
    found = {}
    for lines in result.probe.values():
        name, mode, uid, gid, _size, rdev = lines[0].split()
        found[name] = [mode, uid, gid, rdev]
    assert found == {"/dev/chr": ["20640", "12", "34", "1:5"],
                     "/dev/unbuffered": ["20666", "0", "0", "1:7"],
                     "/dev/blk": ["60600", "0", "0", "7:200"],
                     "/dev/fifo": ["10622", "5", "0", "0:0"],
                     "/dev/deep/er/null": ["20777", "0", "0", "1:3"],
                     "/elsewhere/zero": ["20666", "0", "0", "1:5"]}, found


def test_configured_device_replaces_a_default_one(t):
    devices = [device("/dev/null", "c", 1, 3, fileMode=0o600, uid=7, gid=8)]
    bundle = t.bundle(mutate={"linux": {"devices": devices}})
    assert stats(t, bundle, "/dev/null")["/dev/null"] == ["20600", "7", "8", "1:3"]


def test_wrong_devices_are_refused(t):
    for entry, word in ((device("relative", "c", 1, 3), "absolute"),
                        (device("/dev/x", "c"), "major"),
                        (device("/dev/x", "c", -1, 3), "range"),
                        (device("/dev/x", "c", 1 << 20, 3), "range"),
                        (device("/dev/x", "q", 1, 3), "type")):
        bundle = t.bundle(mutate={"linux": {"devices": [entry]}})
        t.fails("run", "-b", bundle.path, bundle.id, has=["/linux/devices/0", word])
        t.assert_no_trace(bundle)


def test_something_else_at_a_devices_place_is_refused(t):
    for make in (os.mkdir, os.mkfifo, lambda p: os.symlink("/etc/passwd", p),
                 lambda p: open(p, "w", encoding="ascii").close(),
                 lambda p: os.mknod(p, 0o60666, os.makedev(1, 3))):
        bundle = t.bundle(own_rootfs=True, mutate={
            "linux": {"devices": [device("/thing", "c", 1, 3)]}})
        make(os.path.join(bundle.rootfs, "thing"))
        t.fails("run", "-b", bundle.path, bundle.id, has=["/thing", "File exists"], code="DEVICE")
        t.assert_no_trace(bundle)


def test_same_device_already_in_the_image_is_used(t):
    bundle = t.bundle("echo x >/thing", own_rootfs=True, mutate={
        "linux": {"devices": [device("/thing", "c", 1, 3)]}})
    os.mknod(os.path.join(bundle.rootfs, "thing"), 0o20666, os.makedev(1, 3))
    t.run_container(bundle)


@flavors("rootless")
def test_ordinary_users_devices_are_the_hosts_bound(t):
    bundle = t.bundle(mutate={"linux": {"devices": [device("/dev/extra/full", "c", 1, 7)]}},
                      own_rootfs=True)
    with_path = t.bundle(mutate={"linux": {"devices": [device("/dev/null", "c", 1, 3)]}})
    assert stats(t, with_path, "/dev/null")["/dev/null"][3] == "1:3"
    # The host has no such path to bind.
    t.fails("run", "-b", bundle.path, bundle.id, has="/dev/extra/full",
            code="MOUNT_SOURCE_MISSING")
    t.assert_no_trace(bundle)


@flavors("rootless")
def test_host_node_of_another_number_is_not_bound(t):
    bundle = t.bundle(mutate={"linux": {"devices": [device("/dev/zero", "c", 1, 7)]}})
    t.fails("run", "-b", bundle.path, bundle.id, has=["/dev/zero", "1:7"])
    t.assert_no_trace(bundle)


def test_root_in_a_user_namespace_gets_devices_bound(t):
    os.chmod(t.dir, 0o755)

    def mutate(conf):
        conf["linux"]["namespaces"].append({"type": "user"})
        conf["linux"]["uidMappings"] = conf["linux"]["gidMappings"] = [
            {"containerID": 0, "hostID": 100000, "size": 65536}]
    found = stats(t, t.bundle(mutate=mutate), *[f"/dev/{name}" for name in DEFAULT])
    assert {name: found[f"/dev/{name}"][3] for name in DEFAULT} == DEFAULT, found
    result = t.run_container(t.bundle("echo x >/dev/null; head -c 3 /dev/zero | wc -c",
                                      mutate=mutate))
    assert result.out.strip() == "3", result


def test_bound_dev_is_left_alone(t):
    source = t.mkdir("dev")
    os.mknod(os.path.join(source, "null"), 0o20666, os.makedev(1, 3))
    before = t.host_snapshot(source)
    bundle = t.bundle("ls /dev")
    bundle.config["mounts"] = [m for m in bundle.config["mounts"]
                               if not m["destination"].startswith("/dev")]
    bundle.config["mounts"].append({"destination": "/dev", "type": "bind", "source": source,
                                    "options": ["rbind"]})
    bundle.save()
    assert t.run_container(bundle).out == "null\n"
    t.assert_untouched(source, before)


# ---- access rules -------------------------------------------------------------------------

NODES = [device("/dev/kmsg-like", "c", 1, 11), device("/dev/mem-like", "c", 1, 1),
         device("/dev/loop-like", "b", 7, 0), device("/dev/loop-other", "b", 7, 1),
         device("/dev/hw-like", "c", 10, 183)]


def opens(t, rules, paths, modes=("r", "w", "rw"), **more):
    """{path: which ways of opening are not refused with EPERM}.

    Other errors (a device that is not there, or wants a capability) mean the cgroup let it pass.
    """
    how = {"r": ": <", "w": ": >>", "rw": ": <>"}
    script = "".join(f"({how[m]}{p}) 2>/tmp/e; grep -q 'not permitted' /tmp/e || echo {p} {m};"
                     for p in paths for m in modes)
    bundle = t.bundle(script, mutate={
        "linux": dict({"devices": NODES, "resources": {"devices": rules}}, **more)})
    # CAP_SYS_RAWIO and CAP_SYSLOG: without them the drivers themselves say EPERM.
    caps = MKNOD + ["CAP_SYS_RAWIO", "CAP_SYSLOG", "CAP_SYS_ADMIN"]
    bundle.config["process"]["capabilities"] = {
        kind: caps for kind in ("bounding", "effective", "permitted")}
    bundle.config["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"})
    bundle.save()
    table = {path: set() for path in paths}
    for line in t.run_container(bundle).out.splitlines():
        path, mode = line.split()
        table[path].add(mode)
    return table


def test_denied_by_default_and_the_defaults_stay_usable(t):
    found = opens(t, [rule(False, access="rwm")],
                  ["/dev/loop-like", "/dev/kmsg-like", "/dev/null", "/dev/zero", "/dev/full"])
    assert not found["/dev/loop-like"] and not found["/dev/kmsg-like"], found
    for name in ("null", "zero", "full"):
        assert found[f"/dev/{name}"] == {"r", "w", "rw"}, found


def test_without_rules_nothing_is_filtered(t):
    found = opens(t, [], ["/dev/loop-like", "/dev/null"])
    assert found == {path: {"r", "w", "rw"} for path in found}, found


def test_allowed_access_is_exactly_what_was_asked(t):
    deny = rule(False, access="rwm")
    for access, want in (("r", {"r"}), ("w", {"w"}), ("rw", {"r", "w", "rw"}), ("m", set())):
        found = opens(t, [deny, rule(True, "b", 7, 0, access)],
                      ["/dev/loop-like", "/dev/loop-other"])
        assert found["/dev/loop-like"] == want and not found["/dev/loop-other"], (access, found)


def test_character_and_block_devices_are_told_apart(t):
    found = opens(t, [rule(False, access="rwm"), rule(True, "c", 7, 0, "rwm")],
                  ["/dev/loop-like"])
    assert not found["/dev/loop-like"], found
    found = opens(t, [rule(False, access="rwm"), rule(True, "b", 1, 11, "rwm")],
                  ["/dev/kmsg-like"])
    assert not found["/dev/kmsg-like"], found
    found = opens(t, [rule(False, access="rwm"), rule(True, "c", 1, 11, "rwm")],
                  ["/dev/kmsg-like"], modes=("r",))
    assert found["/dev/kmsg-like"] == {"r"}, found


def test_numbers_may_be_left_out_or_minus_one(t):
    deny = rule(False, access="rwm")
    for wild in (rule(True, "b", 7, None, "r"), rule(True, "b", 7, -1, "r"),
                 rule(True, "b", None, None, "r"), rule(True, None, None, None, "r"),
                 rule(True, "a", None, None, "r")):
        found = opens(t, [deny, wild], ["/dev/loop-like", "/dev/loop-other"], modes=("r", "w"))
        assert found == {"/dev/loop-like": {"r"}, "/dev/loop-other": {"r"}}, (wild, found)


def test_later_rules_win(t):
    allow_all, deny_all = rule(True, access="rwm"), rule(False, access="rwm")
    one = rule(False, "b", 7, 0, "rwm")
    paths = ["/dev/loop-like", "/dev/loop-other"]
    found = opens(t, [deny_all, one, rule(True, "b", 7, None, "rwm")], paths)
    assert found[paths[0]] and found[paths[1]], found
    found = opens(t, [allow_all, one], paths)
    assert not found[paths[0]] and found[paths[1]], found
    found = opens(t, [allow_all, deny_all], paths)
    assert not found[paths[0]] and not found[paths[1]], found


def test_exception_from_a_wide_rule_is_kept_or_refused(t):
    # cgroup v1 has one list of exceptions from "all" or "none": an exception from an exception
    # cannot be said there, and must not be dropped.
    bundle = t.bundle(mutate={"linux": {"devices": NODES, "resources": {"devices": [
        rule(False, access="rwm"), rule(True, "b", 7, None, "rwm"),
        rule(False, "b", 7, 0, "rwm")]}}})
    if "devices" in hostside.cgroup_mounts():
        t.fails("run", "-b", bundle.path, bundle.id,
                has=["cgroup v1", "/linux/resources/devices/2"], code="DEVICE_RULE")
        t.assert_no_trace(bundle)
        return
    paths = ["/dev/loop-like", "/dev/loop-other"]
    found = opens(t, bundle.config["linux"]["resources"]["devices"], paths)
    assert not found[paths[0]] and found[paths[1]], found


def test_making_a_node_is_not_using_it(t):
    bundle = t.bundle("mknod /tmp/x b 7 3 && echo made; : </tmp/x")
    bundle.config["process"]["capabilities"] = {
        kind: MKNOD for kind in ("bounding", "effective", "permitted")}
    bundle.config["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"})
    bundle.save()
    result = t.run_container(bundle, check=False)
    assert result.out == "made\n" and "not permitted" in result.err, result


def test_rules_of_one_container_do_not_touch_another(t):
    open_one = t.bundle(["sleep", "1000"], mutate={"linux": {"devices": NODES, "resources": {
        "devices": [rule(False, access="rwm"), rule(True, "b", 7, None, "rwm")]}}})
    t.rt("run", "-d", "-b", open_one.path, open_one.id)
    found = opens(t, [rule(False, access="rwm")], ["/dev/loop-like"])
    assert not found["/dev/loop-like"], found
