# SPDX-License-Identifier: Apache-2.0
"""Namespaces: new, shared and joined, id mappings, and what lives inside them."""

import os

import hostside
from harness import flavors

# config.json's word -> the file in /proc/PID/ns
TYPES = {"pid": "pid", "network": "net", "ipc": "ipc", "uts": "uts", "mount": "mnt",
         "user": "user", "cgroup": "cgroup", "time": "time"}
RANGE = [{"containerID": 0, "hostID": 100000, "size": 65536}]
SLEEP = ["sleep", "1000"]


def namespaces_of(pid="self"):
    names = {}
    for name in TYPES.values():
        names[name] = os.readlink(f"/proc/{pid}/ns/{name}")
    return names


def inside(sections):
    return dict(line.split(" ", 1) for line in sections["namespaces"])


def with_namespaces(*types, **paths):
    """A mutation: exactly these namespaces, the ones of `paths` joined."""
    def mutate(conf):
        conf["linux"]["namespaces"] = [{"type": kind} for kind in types] + \
            [{"type": kind, "path": path} for kind, path in paths.items()]
        if "uts" not in types and "uts" not in paths:
            conf.pop("hostname", None)
        if "user" in types:
            conf["linux"]["uidMappings"] = conf["linux"]["gidMappings"] = RANGE
        if "user" in types or "user" in paths:
            # Their mounts want a namespace of the same owner each; not what these tests are about.
            conf["mounts"] = [m for m in conf["mounts"]
                              if m["type"] not in ("sysfs", "cgroup", "mqueue")]
    return mutate


def reachable_root(t):
    """What mapped users must pass through; the files themselves are readable by all."""
    os.chmod(t.dir, 0o755)


def check_new(t, kind):
    types = sorted({"mount", "pid", kind})
    found = inside(t.probe(t.bundle(mutate=with_namespaces(*types)), "namespaces"))
    host = namespaces_of()
    new = {word for word, name in TYPES.items() if found[name] != host[name]}
    assert new == set(types), (new, types)


def test_new_network_namespace_is_the_only_other_change(t):
    check_new(t, "network")


def test_new_ipc_namespace_is_the_only_other_change(t):
    check_new(t, "ipc")


def test_new_uts_namespace_is_the_only_other_change(t):
    check_new(t, "uts")


def test_new_user_namespace_is_the_only_other_change(t):
    reachable_root(t)
    check_new(t, "user")


def test_new_cgroup_namespace_is_the_only_other_change(t):
    check_new(t, "cgroup")


def test_new_time_namespace_is_the_only_other_change(t):
    check_new(t, "time")


def test_all_eight_namespaces_are_new_together(t):
    reachable_root(t)
    found = inside(t.probe(t.bundle(mutate=with_namespaces(*TYPES)), "namespaces"))
    host = namespaces_of()
    assert not [name for name in TYPES.values() if found[name] == host[name]], found


def test_namespaces_that_are_not_listed_are_shared_with_the_caller(t):
    found = inside(t.probe(t.bundle(mutate=with_namespaces("mount")), "namespaces"))
    host = namespaces_of()
    assert {n for n in found if found[n] != host[n]} == {"mnt"}, found


def test_payload_is_pid_1_of_a_new_pid_namespace(t):
    lines = t.probe(None, "session")["session"]
    assert "pid 1" in lines and "ppid 0" in lines, lines


def bare(conf):
    """Nothing that needs a mount namespace."""
    conf["linux"]["namespaces"] = [{"type": "pid"}]
    conf["mounts"] = []
    conf["linux"]["maskedPaths"] = conf["linux"]["readonlyPaths"] = []
    conf["root"]["readonly"] = False
    conf.pop("hostname", None)


def test_container_without_a_mount_namespace_sees_only_its_root(t):
    before = set(hostside.mount_table())
    bundle = t.bundle("ls /; echo $$", own_rootfs=True, mutate=bare)
    result = t.run_container(bundle)
    assert "bin" in result.out.split() and "boot" not in result.out.split(), result
    assert result.out.split()[-1] == "1", result
    assert set(hostside.mount_table()) == before


def test_mounts_without_a_mount_namespace_are_refused(t):
    def mutate(conf):
        bare(conf)
        conf["mounts"] = [{"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"}]
    before = set(hostside.mount_table())
    bundle = t.bundle(mutate=mutate)
    t.fails("run", "-b", bundle.path, bundle.id, has="mount namespace")
    assert set(hostside.mount_table()) == before
    t.assert_no_trace(bundle)


# ---- joining ------------------------------------------------------------------------------


def running(t, *types, args=None):
    reachable_root(t)
    bundle = t.bundle(args or SLEEP, mutate=with_namespaces(*types))
    t.rt("run", "-d", "-b", bundle.path, bundle.id)
    return bundle, t.pid(bundle)


def paths_to(pid, *types):
    return {kind: f"/proc/{pid}/ns/{TYPES[kind]}" for kind in types}


def check_joined(t, types, joined, **more):
    """A second container joins `joined` of one that has made `types`."""
    _first, pid = running(t, *types)
    bundle = t.bundle(mutate=with_namespaces("mount", **paths_to(pid, *joined)))
    bundle.config["linux"].update(more)
    there, found = namespaces_of(pid), inside(t.probe(bundle, "namespaces"))
    same = {kind for kind in joined if found[TYPES[kind]] == there[TYPES[kind]]}
    assert same == set(joined), (found, there)
    assert os.path.exists(f"/proc/{pid}"), "the first container ended"
    return pid


def test_network_namespace_is_joined_by_path(t):
    check_joined(t, ["mount", "pid", "network"], ["network"])


def test_pid_namespace_is_joined_by_path(t):
    check_joined(t, ["mount", "pid"], ["pid"])


def test_ipc_and_uts_namespaces_are_joined_by_path(t):
    check_joined(t, ["mount", "pid", "ipc", "uts"], ["ipc", "uts"])


def test_cgroup_and_time_namespaces_are_joined_by_path(t):
    check_joined(t, ["mount", "pid", "cgroup", "time"], ["cgroup", "time"])


def test_user_pid_and_network_of_another_container_are_joined(t):
    check_joined(t, ["mount", "pid", "network", "user"], ["user", "pid", "network"])


def test_all_but_the_mount_namespace_of_another_container_are_joined(t):
    check_joined(t, list(TYPES), [kind for kind in TYPES if kind != "mount"])


def test_dummy_mappings_with_a_joined_user_namespace_are_not_written(t):
    dummy = [{"containerID": 0, "hostID": 0, "size": 1}]
    pid = check_joined(t, ["mount", "pid", "user"], ["user", "pid"],
                       uidMappings=dummy, gidMappings=dummy)
    with open(f"/proc/{pid}/uid_map", encoding="ascii") as source:
        assert source.read().split() == ["0", "100000", "65536"]


def test_payload_in_a_joined_pid_namespace_sees_the_others_processes(t):
    _first, pid = running(t, "mount", "pid")
    bundle = t.bundle("ps -o pid,args", mutate=with_namespaces("mount", **paths_to(pid, "pid")))
    result = t.run_container(bundle)
    assert [line for line in result.out.splitlines() if line.split()[:2] == ["1", "sleep"]], result


def test_mount_namespace_is_joined_by_path(t):
    _first, pid = running(t, "mount", "pid")
    bundle = t.bundle(mutate=bare)
    bundle.config["linux"]["namespaces"] = [
        {"type": "mount", "path": f"/proc/{pid}/ns/mnt"},
        {"type": "pid", "path": f"/proc/{pid}/ns/pid"}]
    # Inside that namespace the root is the other container's: its own path is "/".
    bundle.config["root"]["path"] = "/"
    there = namespaces_of(pid)
    found = inside(t.probe(bundle, "namespaces"))
    assert found["mnt"] == there["mnt"] and found["pid"] == there["pid"], found


def test_network_namespace_is_joined_through_a_bound_file(t):
    name = t.file("netns")
    child = t.popen(argv=["unshare", "-n", "sleep", "1000"])
    own = os.readlink("/proc/self/ns/net")
    t.wait_until(lambda: os.readlink(f"/proc/{child.pid}/ns/net") != own, "unshare")
    want = os.readlink(f"/proc/{child.pid}/ns/net")
    t.mount(f"/proc/{child.pid}/ns/net", name, flags=0x1000)
    bundle = t.bundle(mutate=with_namespaces("mount", "pid", network=name))
    assert inside(t.probe(bundle, "namespaces"))["net"] == want


@flavors("rootless")
def test_rootless_container_joins_another_ones_namespaces(t):
    first = t.bundle(SLEEP)
    t.rt("run", "-d", "-b", first.path, first.id)
    pid = t.pid(first)
    joined = ["user", "pid", "ipc", "uts"]
    bundle = t.bundle()
    bundle.config["linux"]["namespaces"] = [{"type": "mount"}] + [
        {"type": kind, "path": path} for kind, path in paths_to(pid, *joined).items()]
    bundle.config.pop("hostname")
    there, found = namespaces_of(pid), inside(t.probe(bundle, "namespaces"))
    assert [k for k in joined if found[TYPES[k]] != there[TYPES[k]]] == [], (found, there)


def test_wrong_namespace_paths_are_refused(t):
    plain = t.file("plain")
    for path, word in (("/proc/self/ns/uts", "network"), (plain, plain),
                       (t.path("missing"), "No such file or directory"),
                       ("relative/path", "absolute")):
        bundle = t.bundle(mutate=with_namespaces("mount", "pid", network=path))
        t.fails("run", "-b", bundle.path, bundle.id, has=word)
        t.assert_no_trace(bundle)


def test_namespace_listed_twice_is_refused(t):
    bundle = t.bundle(mutate=with_namespaces("mount", "pid", "pid"))
    t.fails("run", "-b", bundle.path, bundle.id, has="twice")


# ---- time ---------------------------------------------------------------------------------


def uptime(text):
    return float(text.split()[0])


def offsets(conf):
    conf["linux"]["timeOffsets"] = {"boottime": {"secs": 1000000},
                                    "monotonic": {"secs": 200000, "nanosecs": 500000000}}


def check_offsets(t, *types):
    bundle = t.bundle("cat /proc/uptime; cat /proc/self/timens_offsets",
                      mutate=with_namespaces("mount", "pid", "time", *types))
    offsets(bundle.config)
    bundle.save()
    with open("/proc/uptime", encoding="ascii") as source:
        host = uptime(source.read())
    result = t.run_container(bundle)
    assert 1000000 <= uptime(result.out) - host < 1000060, result
    table = {line.split()[0]: line.split()[1:] for line in result.out.splitlines()[1:]}
    assert table["monotonic"] == ["200000", "500000000"], result


def test_time_offsets_shift_the_clocks(t):
    check_offsets(t)


def test_time_offsets_work_in_a_user_namespace(t):
    reachable_root(t)
    check_offsets(t, "user")


def test_time_offsets_without_a_time_namespace_are_refused(t):
    bundle = t.bundle(mutate=offsets)
    t.fails("run", "-b", bundle.path, bundle.id, has="time namespace")


# ---- user namespaces ----------------------------------------------------------------------


def maps(t, bundle):
    names = [f"file:/proc/self/{name}" for name in ("uid_map", "gid_map", "setgroups")]
    found = t.probe(bundle, *names)
    return [" ".join(found[name][0].split()) for name in names]


def test_root_writes_an_identity_mapping(t):
    bundle = t.bundle(mutate=with_namespaces("mount", "pid", "user"))
    same = [{"containerID": 0, "hostID": 0, "size": 65536}]
    bundle.config["linux"].update(uidMappings=same, gidMappings=same)
    assert maps(t, bundle) == ["0 0 65536", "0 0 65536", "allow"]


def test_root_writes_a_range(t):
    reachable_root(t)
    bundle = t.bundle(mutate=with_namespaces("mount", "pid", "user"))
    assert maps(t, bundle) == ["0 100000 65536", "0 100000 65536", "allow"]


def test_ids_of_a_range_are_the_hosts_outside(t):
    reachable_root(t)
    bundle = t.bundle(SLEEP, mutate=with_namespaces("mount", "pid", "user"))
    bundle.config["process"]["user"] = {"uid": 7, "gid": 8, "additionalGids": [9, 10]}
    bundle.save()
    t.rt("run", "-d", "-b", bundle.path, bundle.id)
    with open(f"/proc/{t.pid(bundle)}/status", encoding="ascii") as source:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in source if ":\t" in line)
    assert status["Uid"].split() == ["100007"] * 4, status["Uid"]
    assert status["Gid"].split() == ["100008"] * 4, status["Gid"]
    assert sorted(status["Groups"].split()) == ["100009", "100010"], status["Groups"]


def test_several_mappings_are_all_written(t):
    reachable_root(t)
    bundle = t.bundle(mutate=with_namespaces("mount", "pid", "user"))
    many = [{"containerID": n * 10, "hostID": 100000 + n * 20, "size": 10} for n in range(40)]
    bundle.config["linux"].update(uidMappings=many, gidMappings=many)
    found = t.probe(bundle, "file:/proc/self/uid_map")["file:/proc/self/uid_map"]
    assert [line.split() for line in found] == \
        [[str(n * 10), str(100000 + n * 20), "10"] for n in range(40)], found


@flavors("rootless")
def test_ordinary_user_writes_a_single_mapping(t):
    assert maps(t, t.bundle()) == [f"0 {t.uid} 1", f"0 {t.gid} 1", "deny"]


@flavors("rootless")
def test_ordinary_user_gets_ranges_through_the_helpers(t):
    found = maps(t, t.bundle(rootless="ranges"))
    assert found[0].startswith(f"0 {t.uid} 1") and found[2] == "allow", found
    text = t.probe(t.bundle(rootless="ranges"), "file:/proc/self/uid_map")
    rows = [line.split() for line in text["file:/proc/self/uid_map"]]
    assert rows[1] == ["1", str(t.subids[0]), str(t.subids[2])], rows


@flavors("rootless")
def test_ranges_that_are_not_the_users_are_refused(t):
    if not t.subids:
        t.skip("no subordinate ids for the test user")
    bundle = t.bundle(rootless="ranges")
    bundle.config["linux"]["uidMappings"][1]["hostID"] = 3000000000
    bundle.save()
    result = t.fails("run", "-b", bundle.path, bundle.id, has="newuidmap", code="MAPPING_REFUSED")
    assert "peration not permitted" in result.err, result
    # What the helper says is a part of the sentence: callers take each line for one of the runtime's.
    assert result.err.count("\n") == 1 and " (uid range [" in result.err, result
    t.assert_no_trace(bundle)


@flavors("rootless")
def test_groups_with_a_single_mapping_are_refused_with_a_hint(t):
    bundle = t.bundle()
    bundle.config["process"]["user"]["additionalGids"] = [0]
    bundle.save()
    t.fails("run", "-b", bundle.path, bundle.id, has="additional groups", code="ID_UNMAPPED")


@flavors("rootless")
def test_ordinary_user_without_a_user_namespace_is_told_so(t):
    bundle = t.bundle(rootless=False)
    t.fails("run", "-b", bundle.path, bundle.id, has="user namespace")
    t.assert_no_trace(bundle)


def test_wrong_mappings_are_refused(t):
    reachable_root(t)

    def one(start, host, size):
        return {"containerID": start, "hostID": host, "size": size}
    cases = [([], "uidMappings"), ([one(0, 100000, 0)], "size 0"),
             ([one(0, 100000, 10), one(5, 200000, 10)], "overlaps"),
             ([one(1, 100000, 10)], "uid 0 is not mapped")]
    for mapping, word in cases:
        bundle = t.bundle(mutate=with_namespaces("mount", "pid", "user"))
        bundle.config["linux"]["uidMappings"] = mapping
        bundle.save()
        t.fails("run", "-b", bundle.path, bundle.id, has=word)
        t.assert_no_trace(bundle)


def test_mappings_without_a_user_namespace_are_refused(t):
    bundle = t.bundle(mutate={"linux": {"uidMappings": RANGE, "gidMappings": RANGE}})
    t.fails("run", "-b", bundle.path, bundle.id, has="user namespace")


# ---- what lives in namespaces ---------------------------------------------------------------


@flavors("root", "rootless")
def test_loopback_is_up_in_a_new_network_namespace(t):
    bundle = t.bundle("ip -o addr show lo; ping -c 1 -W 2 127.0.0.1 >/dev/null; echo ping $?; "
                      "nc -l -p 8080 -e echo served & "
                      "until nc 127.0.0.1 8080 </dev/null 2>/dev/null; do sleep 0.02; done")
    spaces = bundle.config["linux"]["namespaces"]
    if not [n for n in spaces if n["type"] == "network"]:
        spaces.append({"type": "network"})
        bundle.save()
    result = t.run_container(bundle)
    assert "127.0.0.1/8" in result.out and "served" in result.out, result


def test_loopback_of_a_joined_network_namespace_is_left_alone(t):
    name = t.file("netns")
    child = t.popen(argv=["unshare", "-n", "sleep", "1000"])
    own = os.readlink("/proc/self/ns/net")
    t.wait_until(lambda: os.readlink(f"/proc/{child.pid}/ns/net") != own, "unshare")
    t.mount(f"/proc/{child.pid}/ns/net", name, flags=0x1000)
    bundle = t.bundle("ip -o link show lo", mutate=with_namespaces("mount", "pid", network=name))
    result = t.run_container(bundle)
    assert "LOOPBACK" in result.out and "UP" not in result.out, result


@flavors("root", "rootless")
def test_hostname_and_domainname_are_set(t):
    bundle = t.bundle(mutate={"hostname": "a" * 64, "domainname": "example.test"})
    found = t.probe(bundle, "hostname", "domainname")
    assert found == {"hostname": ["a" * 64], "domainname": ["example.test"]}, found
    assert os.uname().nodename != "a" * 64


def test_hostname_without_a_uts_namespace_is_refused(t):
    before = os.uname().nodename
    bundle = t.bundle(mutate=with_namespaces("mount", "pid"))
    for field in ("hostname", "domainname"):
        bundle.config.pop("hostname", None)
        bundle.config.pop("domainname", None)
        bundle.config[field] = "other"
        bundle.save()
        t.fails("run", "-b", bundle.path, bundle.id, has=field)
    assert os.uname().nodename == before


def test_hostname_longer_than_the_kernels_is_refused(t):
    bundle = t.bundle(mutate={"hostname": "a" * 65})
    t.fails("run", "-b", bundle.path, bundle.id, has="64")


def test_namespaced_sysctls_are_set(t):
    values = {"net.ipv4.ip_forward": "1", "net/ipv4/conf/lo/forwarding": "0",
              "kernel.msgmax": "10000", "kernel.shm_rmid_forced": "1",
              "fs.mqueue.msg_max": "20", "kernel.sem": "250 32000 100 130",
              "kernel.domainname": "set.by.sysctl"}
    bundle = t.bundle(mutate={"linux": {"sysctl": values}})
    names = {key: key.replace(".", "/") for key in values}
    before = {key: open(f"/proc/sys/{name}", encoding="ascii").read()
              for key, name in names.items()}
    found = t.probe(bundle, *[f"sysctl:{name}" for name in names.values()])
    for key, name in names.items():
        assert found[f"sysctl:{name}"][0].split() == values[key].split(), (key, found)
        with open(f"/proc/sys/{name}", encoding="ascii") as source:
            assert source.read() == before[key], f"{key} of the host was changed"


@flavors("rootless")
def test_network_sysctls_are_set_by_an_ordinary_user(t):
    bundle = t.bundle(mutate={"linux": {"sysctl": {"net.ipv4.ip_unprivileged_port_start": "80"}}})
    bundle.config["linux"]["namespaces"].append({"type": "network"})
    found = t.probe(bundle, "sysctl:net/ipv4/ip_unprivileged_port_start")
    assert list(found.values()) == [["80"]], found


def test_sysctls_of_the_whole_host_are_refused(t):
    for key in ("vm.swappiness", "kernel.panic", "kernel.core_pattern", "kernel/core_pattern",
                "kernel.msgmaxx", "fs.file-max", "net/../kernel/panic", "net..kernel.panic",
                "net.", "", "/etc/passwd", "net.ipv4/../../kernel/core_pattern"):
        bundle = t.bundle(mutate={"linux": {"sysctl": {key: "1"}}})
        t.fails("run", "-b", bundle.path, bundle.id, has="sysctl")
        t.assert_no_trace(bundle)


def test_sysctls_need_their_namespace(t):
    for key, kind in (("net.ipv4.ip_forward", "network"), ("kernel.msgmax", "ipc"),
                      ("fs.mqueue.msg_max", "ipc"), ("kernel.domainname", "uts")):
        bundle = t.bundle(mutate={"linux": {"sysctl": {key: "1"}}})
        spaces = bundle.config["linux"]["namespaces"]
        bundle.config["linux"]["namespaces"] = [n for n in spaces if n["type"] != kind]
        bundle.config.pop("hostname")
        bundle.save()
        t.fails("run", "-b", bundle.path, bundle.id, has=[key, kind], code="SYSCTL_HOST")


def test_sysctl_value_with_a_newline_is_refused(t):
    bundle = t.bundle(mutate={"linux": {"sysctl": {"net.ipv4.ip_forward": "1\n"}}})
    t.fails("run", "-b", bundle.path, bundle.id, has="newline")


def test_unknown_sysctl_names_its_key(t):
    bundle = t.bundle(mutate={"linux": {"sysctl": {"net.ipv4.no_such_thing": "1"}}})
    t.fails("run", "-b", bundle.path, bundle.id,
            has=["net.ipv4.no_such_thing", "No such file or directory"], code="SYSCTL")
    t.assert_no_trace(bundle)
