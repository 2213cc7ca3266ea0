# SPDX-License-Identifier: Apache-2.0
"""The container's cgroup: made, joined, limited, and gone afterwards; never anybody else's.

Tests named "v2" run with a cgroup2 mounted over /sys/fs/cgroup in their own mount namespace, so
that the unified layout is tested on hosts of any layout (with the controllers that are free).
"""

import os

import hostside
from harness import flavors

SLEEP = ["sleep", "1000"]
ROOT = "/sys/fs/cgroup"
LIMITS = {"memory": {"limit": 64 << 20, "reservation": 32 << 20},
          "cpu": {"shares": 512, "quota": 50000, "period": 100000},
          "pids": {"limit": 33}}


def limits():
    """Those of LIMITS that there are controllers for."""
    return {name: value for name, value in LIMITS.items() if hostside.has_controller(name)}


def v1_only(t):
    if not [n for n in hostside.cgroup_mounts() if n not in ("unified", "name=systemd")]:
        t.skip("no cgroup v1 hierarchies here")


def unified(t):
    """Mount a cgroup2 where the runtime looks for it; the tests' own, unless the host has one."""
    if hostside.cgroup_mounts().get("unified") == ROOT:
        return
    try:
        t.mount("cgroup2", ROOT, "cgroup2")
    except OSError as err:
        t.skip(f"cgroup2 cannot be mounted: {err}")


def read(*names):
    with open(os.path.join(*names), encoding="ascii") as source:
        return source.read().strip()


def of_process(pid):
    """Hierarchy -> cgroup path, as we see it."""
    found = {}
    for line in read(f"/proc/{pid}/cgroup").splitlines():
        number, names, path = line.split(":", 2)
        found["unified" if number == "0" else names] = path
    return found


def limited(t, resources=None, path=None, args=SLEEP):
    bundle = t.bundle(args)
    bundle.config["linux"]["resources"] = resources if resources is not None else limits()
    if path is not None:
        bundle.cgroup = bundle.config["linux"]["cgroupsPath"] = path
    return bundle.save()


def no_cgroup_left(t, name=None):
    name = name or t.prefix
    left = []
    for top in {ROOT, os.path.join(ROOT, "unified")} | set(hostside.cgroup_mounts().values()):
        for here, dirs, _files in os.walk(top) if os.path.isdir(top) else ():
            left += [os.path.join(here, d) for d in dirs if name in d]
            if here.count("/") > top.count("/") + 1:
                dirs.clear()
    # The parent may be kept for the other containers of this test.
    return sorted({path for path in left if os.path.basename(path) not in t.cgroup_parents})


# ---- v1 and hybrid --------------------------------------------------------------------------


def test_container_is_in_its_cgroup_of_every_hierarchy_when_create_returns(t):
    v1_only(t)
    bundle = limited(t)
    t.create(bundle)
    found = of_process(t.pid(bundle))
    own = of_process("self")
    for name, path in found.items():
        if name.split(",")[0] in hostside.cgroup_mounts() or name in hostside.cgroup_mounts():
            assert path == bundle.cgroup, (name, path)
        else:
            assert path == own[name], (name, path)   # not mounted: nobody can move it
    assert set(t.cgroup_dirs(bundle)) == set(hostside.cgroup_mounts()), t.cgroup_dirs(bundle)


def test_v1_limits_are_in_the_kernels_files(t):
    v1_only(t)
    bundle = limited(t)
    t.create(bundle)
    dirs = t.cgroup_dirs(bundle)
    want = {"memory": {"memory.limit_in_bytes": 64 << 20, "memory.soft_limit_in_bytes": 32 << 20},
            "cpu": {"cpu.shares": 512, "cpu.cfs_quota_us": 50000, "cpu.cfs_period_us": 100000},
            "pids": {"pids.max": 33}}
    for controller, files in want.items():
        if controller not in dirs:
            continue
        for name, value in files.items():
            assert read(dirs[controller], name) == str(value), name
    assert {"memory", "cpu", "pids"} & set(dirs), dirs


def test_v1_limits_take_effect(t):
    v1_only(t)
    bundle = limited(t, {"pids": {"limit": 5}},
                     args=["sh", "-c", "for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; echo $i"])
    result = t.run_container(bundle, check=False)
    assert result.rc != 0 and "fork" in result.err, result


def test_v1_memory_limit_takes_effect(t):
    v1_only(t)
    t.need_controllers("memory")
    bundle = limited(t, {"memory": {"limit": 20 << 20, "swap": 20 << 20}},
                     args=["sh", "-c", "head -c 100000000 /dev/zero | tail -c 90000000 | wc -c"])
    result = t.run_container(bundle, check=False)
    assert result.out != "90000000\n", result


def test_unlimited_values(t):
    v1_only(t)
    unlimited = {"pids": {"limit": -1}, "memory": {"limit": -1}}
    bundle = limited(t, {name: unlimited[name] for name in limits() if name in unlimited})
    t.create(bundle)
    dirs = t.cgroup_dirs(bundle)
    assert read(dirs["pids"], "pids.max") == "max"
    if "memory" in dirs:
        assert int(read(dirs["memory"], "memory.limit_in_bytes")) > 1 << 60


def test_limit_that_the_kernel_refuses_is_named(t):
    v1_only(t)
    for resources, word in (({"cpu": {"quota": 1}}, "/linux/resources/cpu"),
                            ({"cpu": {"period": 1}}, "/linux/resources/cpu"),
                            ({"memory": {"limit": 1 << 20, "swap": 1 << 19}},
                             "/linux/resources/memory")):
        bundle = limited(t, resources)
        t.fails("create", "-b", bundle.path, bundle.id, has=word)
        t.assert_no_trace(bundle)
        assert no_cgroup_left(t) == []


def test_controller_that_is_missing_is_an_error_only_if_it_is_asked_for(t):
    v1_only(t)
    if "hugetlb" in hostside.cgroup_mounts():
        t.skip("hugetlb is a v1 controller here")
    bundle = limited(t, {"network": {"priorities": [{"name": "lo", "priority": 5}]}})
    t.fails("create", "-b", bundle.path, bundle.id, has="net_prio")
    t.assert_no_trace(bundle)


# ---- paths, for any layout ------------------------------------------------------------------


def test_empty_and_missing_paths_get_a_cgroup_of_their_own(t):
    own = of_process("self")
    for path in ("", None):
        bundle = limited(t, path=path, resources={})
        if path is None:
            bundle.config["linux"].pop("cgroupsPath")
            bundle.save()
        t.create(bundle)
        for name, found in of_process(t.pid(bundle)).items():
            if found != own[name]:
                assert bundle.id in found, (name, found)
        assert [n for n, p in of_process(t.pid(bundle)).items() if p != own[n]]
        t.delete(bundle, force=True)
        assert no_cgroup_left(t) == []


def test_the_root_cgroup_is_nobodys(t):
    before = read(f"{ROOT}/cgroup.procs") if os.path.exists(f"{ROOT}/cgroup.procs") else ""
    for path in ("/", "//", "/.", ".", "..", "/..", "/../..", "a/../..", "/a/..", "./", "/a//b",
                 "/" + t.prefix + "/../../x", "x" * 300, "/" + "y/" * 100, "/a\nb"):
        bundle = limited(t, {"pids": {"limit": 5}}, path=path)
        t.fails("create", "-b", bundle.path, bundle.id, has="cgroupsPath")
        t.assert_no_trace(limited(t))
        assert bundle.id not in t.state_entries()
    assert no_cgroup_left(t) == []
    assert bool(before) == os.path.exists(f"{ROOT}/cgroup.procs")


def test_colons_are_plain_characters(t):
    path = f"a:{t.prefix}:c"
    bundle = limited(t, {}, path=path)
    t.create(bundle)
    found = set(of_process(t.pid(bundle)).values())
    assert f"/{path}" in found, found
    t.delete(bundle, force=True)
    assert no_cgroup_left(t) == []


def test_deep_path_is_made_and_removed(t):
    deep = f"/{t.prefix}/" + "/".join(f"level{n}" for n in range(20))
    bundle = limited(t, {}, path=deep)
    t.create(bundle)
    assert deep in of_process(t.pid(bundle)).values()
    t.delete(bundle, force=True)
    for point in hostside.cgroup_mounts().values():
        assert not os.path.isdir(f"{point}/{t.prefix}/level0"), point


def test_existing_cgroup_with_processes_is_refused_and_untouched(t):
    path = f"/{t.prefix}/theirs"
    child = t.popen(argv=["sleep", "1000"])
    made = []
    for name, point in hostside.cgroup_mounts().items():
        os.makedirs(point + path, exist_ok=True)
        made.append(point + path)
        if name in ("pids", "unified"):
            with open(f"{point}{path}/cgroup.procs", "w", encoding="ascii") as out:
                out.write(str(child.pid))
    bundle = limited(t, {"pids": {"limit": 5}}, path=path)
    for command in (["create"], ["run"], ["run", "-d"]):
        t.fails(*command, "-b", bundle.path, bundle.id,
                has=["exists already", "cgroupsPath", "holds 1 process"])
    t.rt("delete", "--force", bundle.id)
    assert child.poll() is None, "a process of somebody else was killed"
    for where in made:
        assert os.path.isdir(where), where
        if os.path.exists(f"{where}/pids.max"):
            assert read(where, "pids.max") == "max"
    child.kill()
    child.wait()
    for where in made:
        hostside.remove_cgroup(where)


def test_parent_that_others_use_stays(t):
    first = limited(t, {}, path=f"/{t.prefix}/shared/one")
    second = limited(t, {}, path=f"/{t.prefix}/shared/two")
    t.create(first)
    t.create(second)
    t.delete(first, force=True)
    assert f"/{t.prefix}/shared/two" in of_process(t.pid(second)).values()
    t.delete(second, force=True)
    assert no_cgroup_left(t, "shared") == []


def test_cgroup_goes_with_a_failed_creation_however_late(t):
    def fail(change):
        bundle = limited(t, {"pids": {"limit": 20}})
        change(bundle.config)
        bundle.save()
        for command in (["create"], ["run"]):
            t.fails(*command, "-b", bundle.path, bundle.id)
            t.assert_no_trace(bundle)
            assert no_cgroup_left(t) == [], command
        # The same id works at once.
        bundle.config.pop("hooks", None)
        bundle.config.update(limited(t).config)
        bundle.config["linux"]["cgroupsPath"] = bundle.cgroup
        bundle.save()
        t.create(bundle)
        t.delete(bundle, force=True)

    def mount(conf):
        conf["mounts"].append({"destination": "/x", "type": "bind", "source": "/no/such"})

    def hook(stage, path="/bin/false"):
        return lambda conf: conf.update(hooks={stage: [{"path": path}]})
    fail(lambda conf: conf["linux"]["resources"].update(cpu={"quota": 1}))
    fail(lambda conf: conf["linux"]["namespaces"][0].update(path="/no/such/namespace"))
    fail(mount)
    fail(lambda conf: conf["linux"].update(sysctl={"net.ipv4.no_such": "1"}))
    fail(hook("prestart"))
    fail(hook("createRuntime"))
    fail(hook("createContainer"))
    fail(lambda conf: conf["process"].update(cwd="/etc/passwd"))
    fail(lambda conf: conf["process"].update(args=["/no/such/program"]))


def test_console_socket_that_is_gone_leaves_no_cgroup(t):
    bundle = limited(t, {})
    bundle.config["process"]["terminal"] = True
    bundle.save()
    t.fails("create", "-b", bundle.path, "--console-socket", t.path("none"), bundle.id)
    t.assert_no_trace(bundle)
    assert no_cgroup_left(t) == []


def writable_cgroup(conf):
    for entry in conf["mounts"]:
        if entry["destination"] == "/sys/fs/cgroup":
            entry["options"] = ["nosuid", "nodev", "noexec", "rw"]


NEST = "for d in $(find /sys/fs/cgroup -maxdepth 1 -type d); do mkdir -p $d/a/b/c 2>/dev/null && " \
       "{ sleep 1000 & echo $! >$d/a/b/c/cgroup.procs; }; done; " \
       "find /sys/fs/cgroup -name c | wc -l; exec sleep 1000"


def nested(t):
    """A payload that makes cgroups below its own and puts processes there."""
    bundle = t.bundle(NEST, mutate=writable_cgroup)
    bundle.config["linux"]["namespaces"].append({"type": "cgroup"})
    bundle.save()
    result = t.rt("run", "-d", "-b", bundle.path, bundle.id)
    return bundle, t.wait_until(lambda: result.output().strip(), "the nested cgroups")


def test_nested_cgroups_of_the_payload_are_removed_with_their_processes(t):
    bundle, count = nested(t)
    assert int(count) > 0, count
    pids = [pid for path in t.cgroup_dirs(bundle).values() for pid in hostside.cgroup_pids(path)]
    assert len(set(pids)) > 1, pids
    t.delete(bundle, force=True)
    t.assert_no_trace(bundle)
    for pid in pids:
        assert not os.path.exists(f"/proc/{pid}/exe") or \
            "sleep" not in read(f"/proc/{pid}/comm"), pid


def test_processes_left_in_the_cgroup_do_not_outlive_delete(t):
    bundle = t.bundle("(setsid sleep 1000 &); true")
    conf = bundle.config
    conf["linux"]["namespaces"] = [n for n in conf["linux"]["namespaces"] if n["type"] != "pid"]
    bundle.save()
    t.rt("run", "-d", "-b", bundle.path, bundle.id)
    t.wait_status(bundle, "stopped")
    pids = [p for path in t.cgroup_dirs(bundle).values() for p in hostside.cgroup_pids(path)]
    assert pids, "nothing was left to be killed"
    t.delete(bundle)
    t.assert_no_trace(bundle)


def test_cgroup_namespace_shows_its_own_root(t):
    bundle = t.bundle(["probe", "cgroup"])
    bundle.config["linux"]["namespaces"].append({"type": "cgroup"})
    bundle.save()
    lines = t.run_container(bundle).probe["cgroup"]
    mounted = {name for name in hostside.cgroup_mounts()}
    for line in lines:
        number, names, path = line.split(":", 2)
        if (names or "unified") in mounted or (number == "0" and "unified" in mounted):
            assert path == "/", lines


def test_without_a_cgroup_namespace_the_hosts_path_is_seen(t):
    bundle = t.bundle(["probe", "cgroup"])
    lines = t.run_container(bundle).probe["cgroup"]
    assert any(line.endswith(bundle.cgroup) for line in lines), lines


@flavors("root")
def test_cgroup_mount_shows_the_containers_own_cgroup_only(t):
    for namespace in (True, False):
        bundle = t.bundle("find /sys/fs/cgroup -name cgroup.procs | wc -l; "
                          "find /sys/fs/cgroup -name cgroup.procs | xargs cat | sort -u | head -20")
        if namespace:
            bundle.config["linux"]["namespaces"].append({"type": "cgroup"})
        bundle.save()
        result = t.run_container(bundle)
        count, *pids = result.out.split()
        assert 0 < int(count) <= len(hostside.cgroup_mounts()), result
        assert "1" in pids and set(pids) <= {str(n) for n in range(20)}, (namespace, result)


def test_readonly_cgroup_mount_cannot_be_written(t):
    result = t.run_container(t.bundle(
        "for d in /sys/fs/cgroup /sys/fs/cgroup/*; do mkdir $d/x && echo made; done"), check=False)
    assert "made" not in result.out and "Read-only file system" in result.err, result


@flavors("rootless")
def test_ordinary_user_without_power_over_cgroups_goes_without(t):
    bundle = t.bundle(["probe", "cgroup"])
    own = set(of_process("self").values())
    paths = {line.split(":", 2)[2] for line in t.run_container(bundle).probe["cgroup"]}
    assert paths <= own | {"/"} or all(t.prefix in p or p in own for p in paths), paths


@flavors("rootless")
def test_ordinary_user_who_asks_for_limits_that_cannot_be_set_is_told(t):
    if os.access(ROOT, os.W_OK) and os.geteuid() != 0:
        t.skip("the cgroup file system is writable")
    bundle = t.bundle(mutate={"linux": {"resources": {"pids": {"limit": 5}},
                                        "cgroupsPath": f"/{t.prefix}/c"}})
    t.fails("run", "-b", bundle.path, bundle.id, has="cgroup", code="CGROUP_DELEGATION")
    t.assert_no_trace(bundle)


# ---- the unified layout -----------------------------------------------------------------------


def test_v2_container_is_born_in_its_cgroup(t):
    unified(t)
    bundle = limited(t, {})
    t.create(bundle)
    assert of_process(t.pid(bundle))["unified"] == bundle.cgroup
    where = ROOT + bundle.cgroup
    assert hostside.cgroup_pids(where) == [t.pid(bundle)]
    t.delete(bundle, force=True)
    assert not os.path.isdir(where) and no_cgroup_left(t) == []


def test_v2_empty_path_and_refused_paths(t):
    unified(t)
    bundle = limited(t, {}, path="")
    t.create(bundle)
    assert bundle.id in of_process(t.pid(bundle))["unified"]
    t.delete(bundle, force=True)
    for path in ("/", "..", "/a/../..", "//"):
        bundle = limited(t, {}, path=path)
        t.fails("create", "-b", bundle.path, bundle.id, has="cgroupsPath")
    assert no_cgroup_left(t) == []


def test_v2_missing_controllers_matter_only_if_a_value_is_asked_for(t):
    unified(t)
    free = read(ROOT, "cgroup.controllers").split()
    for name, resources in (("memory", {"memory": {"limit": 64 << 20}}),
                            ("pids", {"pids": {"limit": 5}}), ("cpu", {"cpu": {"shares": 512}})):
        bundle = limited(t, resources)
        if name in free:
            t.create(bundle)
            t.delete(bundle, force=True)
        else:
            t.fails("create", "-b", bundle.path, bundle.id, has=name)
        assert no_cgroup_left(t) == [], name


def test_v2_limits_of_the_free_controllers(t):
    unified(t)
    free = read(ROOT, "cgroup.controllers").split()
    if "hugetlb" not in free:
        t.skip("hugetlb is not a free controller here")
    files = [n for n in os.listdir("/sys/kernel/mm/hugepages")] \
        if os.path.isdir("/sys/kernel/mm/hugepages") else []
    if "hugepages-2048kB" not in files:
        t.skip("no huge pages of 2 MB")
    bundle = limited(t, {"hugepageLimits": [{"pageSize": "2MB", "limit": 4 << 20}]})
    t.create(bundle)
    assert read(ROOT + bundle.cgroup, "hugetlb.2MB.max") == str(4 << 20)
    t.delete(bundle, force=True)
    assert no_cgroup_left(t) == []


def test_v2_device_rules_are_enforced(t):
    unified(t)
    bundle = limited(t, {"devices": [{"allow": False, "access": "rwm"},
                                     {"allow": True, "type": "b", "major": 7, "minor": 1,
                                      "access": "r"}]},
                     args=["sh", "-c", "mknod /tmp/a b 7 0; mknod /tmp/b b 7 1; : </tmp/a; "
                           ": 3>>/tmp/b; echo x >/dev/null && echo null"])
    caps = ["CAP_MKNOD", "CAP_SYS_ADMIN"]
    bundle.config["process"]["capabilities"] = {
        kind: caps for kind in ("bounding", "effective", "permitted")}
    bundle.config["process"]["args"][2] = (
        "mknod /tmp/a b 7 0; mknod /tmp/b b 7 1; (: </tmp/a) 2>&1; (: >>/tmp/b) 2>&1;"
        "(: </tmp/b) 2>&1 | grep -c permitted; echo x >/dev/null && echo null")
    bundle.config["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"})
    bundle.save()
    lines = t.run_container(bundle).out.splitlines()
    assert len(lines) == 4 and lines[2:] == ["0", "null"], lines
    assert all("not permitted" in line for line in lines[:2]), lines


def test_v2_cgroup_goes_with_a_failed_creation(t):
    unified(t)
    for change in ({"process": {"cwd": "/etc/passwd"}}, {"process": {"args": ["/no/such"]}},
                   {"hooks": {"createRuntime": [{"path": "/bin/false"}]}},
                   {"linux": {"sysctl": {"net.ipv4.no_such": "1"}}}):
        bundle = t.bundle(mutate=change)
        t.fails("create", "-b", bundle.path, bundle.id)
        assert no_cgroup_left(t) == [], change


def test_v2_nested_cgroups_are_removed(t):
    unified(t)
    bundle, _count = nested(t)
    where = ROOT + bundle.cgroup
    assert os.path.isdir(where + "/a/b/c") and len(hostside.cgroup_pids(where)) > 1
    t.delete(bundle, force=True)
    assert not os.path.isdir(where) and no_cgroup_left(t) == []


def test_v2_cgroup_namespace_shows_its_own_root(t):
    unified(t)
    bundle = t.bundle("grep ^0: /proc/self/cgroup; cat /sys/fs/cgroup/cgroup.procs | wc -l; "
                      "stat -f -c %T /sys/fs/cgroup")
    bundle.config["linux"]["namespaces"].append({"type": "cgroup"})
    bundle.save()
    lines = t.run_container(bundle).out.split()
    assert lines[0] == "0::/" and 1 <= int(lines[1]) <= 5, lines
    bundle = t.bundle("cat /sys/fs/cgroup/cgroup.procs | wc -l")   # without a namespace
    assert 1 <= int(t.run_container(bundle).out) <= 5
