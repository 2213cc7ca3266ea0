# SPDX-License-Identifier: Apache-2.0
"""config-linux.md, sentence by sentence, as far as any runtime can be asked; see config-linux.txt."""

import os

import hostside
from test_linux_mounts import Mount

SLEEP = ["sleep", "1000"]
TYPES = {"network": "net", "ipc": "ipc", "uts": "uts", "mount": "mnt", "pid": "pid",
         "cgroup": "cgroup", "user": "user", "time": "time"}


def refused(t, change):
    bundle = t.bundle(mutate=change)
    t.fails("create", "--bundle", bundle.path, bundle.id)
    t.assert_no_trace(bundle)


def spaces(pid, kinds):
    return {kind: os.readlink(f"/proc/{pid}/ns/{TYPES[kind]}") for kind in kinds}


def running(t, mutate=None):
    bundle = t.bundle(SLEEP, mutate=mutate)
    t.create(bundle)
    return bundle, t.pid(bundle)


def set_namespace(conf, kind, path=None):
    """Replace (or add) the entry of this type."""
    others = [ns for ns in conf["linux"]["namespaces"] if ns["type"] != kind]
    entry = {"type": kind, "path": path} if path else {"type": kind}
    conf["linux"]["namespaces"] = others + [entry]
    if path and kind == "uts":
        conf.pop("hostname", None)


# ---- Default filesystems --------------------------------------------------------------------


def test_default_filesystems_1_are_made_available(t):
    bundle = t.bundle()
    table = {m.point: m.kind for m in map(Mount, t.probe(bundle, "mounts")["mounts"])}
    want = {"/proc": "proc", "/sys": "sysfs", "/dev/pts": "devpts", "/dev/shm": "tmpfs"}
    assert want.items() <= table.items(), table


# ---- Namespaces -------------------------------------------------------------------------------


def identity(conf):
    conf["linux"]["uidMappings"] = [{"containerID": 0, "hostID": 0, "size": 65536}]
    conf["linux"]["gidMappings"] = [{"containerID": 0, "hostID": 0, "size": 65536}]


def check_supported(t, kind):
    """A new one of this type is made, whatever else there is."""
    def mutate(conf):
        set_namespace(conf, kind)
        if kind == "user":
            identity(conf)
    _bundle, pid = running(t, mutate)
    assert spaces(pid, [kind]) != spaces("self", [kind])


def test_namespaces_1_pid_is_supported(t):
    check_supported(t, "pid")


def test_namespaces_1_network_is_supported(t):
    check_supported(t, "network")


def test_namespaces_1_mount_is_supported(t):
    check_supported(t, "mount")


def test_namespaces_1_ipc_is_supported(t):
    check_supported(t, "ipc")


def test_namespaces_1_uts_is_supported(t):
    check_supported(t, "uts")


def test_namespaces_1_user_is_supported(t):
    check_supported(t, "user")


def test_namespaces_1_cgroup_is_supported(t):
    check_supported(t, "cgroup")


def test_namespaces_1_time_is_supported(t):
    check_supported(t, "time")


def test_namespaces_2_path_is_absolute(t):
    def mutate(conf):
        set_namespace(conf, "network", "proc/self/ns/net")
    refused(t, mutate)


def test_namespaces_3_process_is_placed_where_the_path_says(t):
    _first, pid = running(t)
    for kind in ("network", "ipc", "uts"):
        def mutate(conf, kind=kind):
            set_namespace(conf, kind, f"/proc/{pid}/ns/{TYPES[kind]}")
        bundle, second = running(t, mutate)
        assert spaces(second, [kind]) == spaces(pid, [kind]), kind
        t.delete(bundle, force=True)


def test_namespaces_4_path_to_another_type_is_an_error(t):
    for path in ("/proc/self/ns/uts", "/etc/passwd", "/of/nobody"):
        def mutate(conf, path=path):
            set_namespace(conf, "network", path)
        refused(t, mutate)


def test_namespaces_5_without_a_path_a_new_one_is_made(t):
    kinds = ("pid", "network", "ipc", "uts", "mount")
    _first, one = running(t)
    _second, two = running(t)
    for kind in kinds:
        assert len({str(spaces(pid, [kind])) for pid in (one, two, "self")}) == 3, kind


def test_namespaces_6_unlisted_types_are_the_runtimes(t):
    def mutate(conf):
        conf["linux"]["namespaces"] = [{"type": "pid"}, {"type": "mount"}]
        conf.pop("hostname", None)
    _bundle, pid = running(t, mutate)
    kinds = [kind for kind in TYPES if kind not in ("pid", "mount")]
    assert spaces(pid, kinds) == spaces("self", kinds)


def test_namespaces_7_type_listed_twice_is_an_error(t):
    def mutate(conf):
        conf["linux"]["namespaces"].append({"type": "network"})
    refused(t, mutate)


def test_user_namespace_mappings_1_owners_of_files_stay(t):
    def mutate(conf):
        conf["linux"]["namespaces"].append({"type": "user"})
        for kind in ("uidMappings", "gidMappings"):
            conf["linux"][kind] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    os.chmod(t.dir, 0o755)
    bundle = t.bundle("id -u", own_rootfs=True, mutate=mutate)
    os.chmod(bundle.path, 0o755)
    before = t.host_snapshot(bundle.rootfs)
    assert t.run_container(bundle).out == "0\n"
    t.assert_untouched(bundle.rootfs, before)


# ---- Devices -------------------------------------------------------------------------------


NODE = {"path": "/dev/thing", "type": "c", "major": 1, "minor": 5, "fileMode": 0o640, "uid": 3,
        "gid": 4}


def test_devices_1_are_available(t):
    fifo = {"path": "/dev/pipe", "type": "p", "fileMode": 0o600}
    bundle = t.bundle("stat -c '%F %t:%T %a %u %g' /dev/thing; stat -c %F /dev/pipe",
                      mutate={"linux": {"devices": [NODE, fifo]}})
    lines = t.run_container(bundle).out.splitlines()
    assert lines == ["character special file 1:5 640 3 4", "fifo"], lines


def test_devices_2_other_file_at_the_path_is_an_error(t):
    bundle = t.bundle(own_rootfs=True, mutate={"linux": {"devices": [dict(NODE, path="/it")]}})
    os.mkdir(os.path.join(bundle.rootfs, "it"))
    t.fails("create", "--bundle", bundle.path, bundle.id)
    t.assert_no_trace(bundle)


def test_devices_3_same_numbers_twice_are_no_reason_to_fail(t):
    # It SHOULD NOT be in a configuration; a runtime that gets it anyway makes both.
    bundle = t.bundle("stat -c %t:%T /dev/thing /dev/other",
                      mutate={"linux": {"devices": [NODE, dict(NODE, path="/dev/other")]}})
    assert t.run_container(bundle).out.split() == ["1:5", "1:5"]


def test_default_devices_1_are_supplied(t):
    names = ["null", "zero", "full", "random", "urandom", "tty"]
    paths = " ".join(f"/dev/{name}" for name in names)
    result = t.run_container(t.bundle(f"stat -c '%F %t:%T' {paths}; exec 3<>/dev/ptmx"))
    want = [f"character special file {n}" for n in ("1:3", "1:5", "1:7", "1:8", "1:9", "5:0")]
    assert result.out.splitlines() == want, result


# ---- Control groups -------------------------------------------------------------------------


def cgroup_of(pid):
    with open(f"/proc/{pid}/cgroup", encoding="ascii") as lines:
        return {line.strip().split(":", 2)[2] for line in lines}


def test_cgroups_path_1_absolute_and_relative_paths_are_taken(t):
    for path in (f"/{t.prefix}/absolute", f"{t.prefix}/relative"):
        bundle, pid = running(t, {"linux": {"cgroupsPath": path}})
        assert any(os.path.basename(path) in found for found in cgroup_of(pid)), cgroup_of(pid)
        t.delete(bundle, force=True)


def test_cgroups_path_2_absolute_path_starts_at_the_mount_point(t):
    bundle, pid = running(t)
    assert bundle.cgroup in cgroup_of(pid), cgroup_of(pid)
    found = t.cgroup_dirs(bundle)
    mounts = hostside.cgroup_mounts()
    assert found and all(path == mounts[name] + bundle.cgroup for name, path in found.items())


def test_cgroups_path_3_same_value_is_the_same_place(t):
    path, seen = f"{t.prefix}/again", []
    for _time in range(2):
        bundle, pid = running(t, {"linux": {"cgroupsPath": path}})
        seen.append(cgroup_of(pid))
        t.delete(bundle, force=True)
    assert seen[0] == seen[1], seen


def test_allowed_device_list_1_entries_are_applied_in_order(t):
    devices = [{"allow": False, "access": "rwm"},
               {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "rw"},
               {"allow": False, "type": "c", "major": 1, "minor": 11, "access": "w"}]
    node = {"path": "/dev/thing", "type": "c", "major": 1, "minor": 11}
    for count, denied in ((1, True), (2, False), (3, True)):
        bundle = t.bundle("(: >>/dev/thing) 2>&1", mutate={"linux": {
            "devices": [node], "resources": {"devices": devices[:count]}}})
        result = t.run_container(bundle, check=False)
        assert ("not permitted" in result.out) == denied, (count, result)


def test_cpu_1_burst_beyond_the_quota_is_an_error(t):
    refused(t, {"linux": {"resources": {"cpu": {"quota": 10000, "period": 100000,
                                                "burst": 20000}}}})


# ---- Intel RDT ----------------------------------------------------------------------------------


def has_resctrl():
    return any(kind == "resctrl" for _point, kind, _options in hostside.mount_table().values())


def test_intel_rdt_2_without_resctrl_is_an_error(t):
    if has_resctrl():
        t.skip("resctrl is mounted here")
    refused(t, {"linux": {"intelRdt": {"closID": "of-nobody"}}})


def test_intel_rdt_7_memory_bandwidth_schema_is_one_line_of_its_kind(t):
    for value in ("L3:0=f", "MB:0=20\nL3:0=f"):
        bundle = t.bundle(mutate={"linux": {"intelRdt": {"memBwSchema": value}}})
        result = t.fails("create", "--bundle", bundle.path, bundle.id)
        assert "memBwSchema" in result.err, result
        t.assert_no_trace(bundle)


# ---- Seccomp -------------------------------------------------------------------------------------


def seccomp(t, **more):
    filter_ = dict({"defaultAction": "SCMP_ACT_ALLOW"}, **more)
    return {"linux": {"seccomp": filter_}}


def rule(action, names=("mkdir", "mkdirat"), **more):
    return dict({"names": list(names), "action": action}, **more)


def test_seccomp_1_default_errno_needs_an_action_that_has_one(t):
    refused(t, seccomp(t, defaultErrnoRet=5))


def test_seccomp_8_names_are_not_empty(t):
    refused(t, seccomp(t, syscalls=[rule("SCMP_ACT_ERRNO", ())]))


def test_seccomp_9_errno_needs_an_action_that_has_one(t):
    refused(t, seccomp(t, syscalls=[rule("SCMP_ACT_KILL", errnoRet=5)]))


def test_seccomp_7_listener_metadata_needs_a_listener(t):
    refused(t, seccomp(t, listenerMetadata="x"))


# ---- Masked and read-only paths --------------------------------------------------------------


def test_masked_paths_1_are_absolute(t):
    refused(t, {"linux": {"maskedPaths": ["etc/passwd"]}})


def test_readonly_paths_1_are_absolute(t):
    refused(t, {"linux": {"readonlyPaths": ["etc"]}})
