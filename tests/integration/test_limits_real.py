# SPDX-License-Identifier: Apache-2.0
"""The value of each limit in the kernel's files when create returns, and what the limits do.

These need controllers that the host has not given away: on cgroup v2 those of the root, on v1 the
hierarchies that are mounted.  A case whose controller, file or hardware is missing is skipped.
"""

import os
import re

import hostside

SLEEP = ["sleep", "1000"]
MIB = 1 << 20
UNLIMITED = 1 << 60


def read(*names):
    with open(os.path.join(*names), encoding="ascii", errors="replace") as source:
        return source.read().strip()


def unified_root():
    point = hostside.cgroup_mounts().get("unified")
    return point if point and os.path.exists(f"{point}/cgroup.controllers") else None


def need_v2(t, controller):
    root = unified_root()
    if not root or controller not in read(root, "cgroup.controllers").split():
        t.skip(f"the cgroup v2 controller {controller} is not free here")
    return root


def need_v1(t, controller):
    for names, point in hostside.cgroup_mounts().items():
        if controller in names.split(","):
            return names, point
    return t.skip(f"no cgroup v1 hierarchy of {controller} here")


def limited(t, resources, args=None):
    bundle = t.bundle(args or SLEEP)
    bundle.config["linux"]["resources"] = resources
    return bundle.save()


def folder(t, bundle, controller):
    """The container's directory of a controller, whichever version serves it."""
    found = t.cgroup_dirs(bundle)
    for names, path in found.items():
        if controller in names.split(","):
            return path, 1
    return found["unified"], 2


def v2_files(t, controller, resources, expected):
    """Create with the resources; each file must hold its value.  The directory."""
    need_v2(t, controller)
    bundle = limited(t, resources)
    t.create(bundle)
    where = t.cgroup_dirs(bundle)["unified"]
    for name, value in expected.items():
        assert read(where, name) == str(value), (name, read(where, name), value)
    return where


def v1_files(t, controller, resources, expected):
    names, _point = need_v1(t, controller)
    bundle = limited(t, resources)
    t.create(bundle)
    where = t.cgroup_dirs(bundle)[names]
    for name, value in expected.items():
        assert read(where, name) == str(value), (name, read(where, name), value)
    return where


def has_file(t, controller, name):
    """Whether a new cgroup has the file: kernels differ."""
    root = need_v2(t, controller)
    bundle = limited(t, {})
    t.create(bundle)
    found = os.path.exists(os.path.join(root + bundle.cgroup, name))
    t.delete(bundle, force=True)
    return found


def disk(t):
    """major:minor of a disk that the I/O controllers know."""
    for name in sorted(os.listdir("/sys/block")):
        if not re.match(r"(loop|ram|zram|sr|fd|nbd|dm-)", name):
            return tuple(map(int, read("/sys/block", name, "dev").split(":")))
    return t.skip("there is no disk")


def huge_pages(t):
    if not os.path.isdir("/sys/kernel/mm/hugepages/hugepages-2048kB"):
        t.skip("no huge pages of 2 MB")


# ---- cgroup v2 ------------------------------------------------------------------------------


def test_v2_memory(t):
    where = v2_files(t, "memory", {"memory": {"limit": 64 * MIB, "reservation": 32 * MIB}},
                     {"memory.max": 64 * MIB, "memory.low": 32 * MIB})
    if os.path.exists(f"{where}/memory.swap.max"):
        assert read(where, "memory.swap.max") == "max"


def test_v2_swap_is_what_is_beyond_the_memory(t):
    if not has_file(t, "memory", "memory.swap.max"):
        t.skip("the kernel does not account swap")
    for limit, swap, value in ((64, 96, 32 * MIB), (64, 64, 0), (64, -1, "max"), (-1, -1, "max")):
        bundle = limited(t, {"memory": {"limit": limit * MIB if limit > 0 else limit,
                                        "swap": swap * MIB if swap > 0 else swap}})
        t.create(bundle)
        where = t.cgroup_dirs(bundle)["unified"]
        assert read(where, "memory.max") == (str(limit * MIB) if limit > 0 else "max")
        assert read(where, "memory.swap.max") == str(value), (limit, swap)
        t.delete(bundle, force=True)


def test_v2_memory_files_of_unified(t):
    v2_files(t, "memory", {"memory": {"limit": 64 * MIB}, "unified": {
        "memory.high": str(48 * MIB), "memory.oom.group": "1", "memory.min": "4096",
        "memory.max": str(56 * MIB)}},
             {"memory.high": 48 * MIB, "memory.oom.group": 1, "memory.min": 4096,
              "memory.max": 56 * MIB})


def test_v2_cpu_weight_follows_the_current_formula(t):
    # 10^((log2(shares)^2 + 125 log2(shares)) / 612 - 7/34), rounded up
    for shares, weight in ((2, 1), (512, 59), (1024, 100), (2048, 174), (262144, 10000)):
        where = v2_files(t, "cpu", {"cpu": {"shares": shares}}, {"cpu.weight": weight})
        assert where


def test_v2_cpu_bandwidth(t):
    v2_files(t, "cpu", {"cpu": {"quota": 50000, "period": 200000}}, {"cpu.max": "50000 200000"})
    v2_files(t, "cpu", {"cpu": {"quota": 30000}}, {"cpu.max": "30000 100000"})
    v2_files(t, "cpu", {"cpu": {"quota": -1, "period": 50000}}, {"cpu.max": "max 50000"})


def test_v2_cpu_burst_and_idle(t):
    for name, resources, value in (
            ("cpu.max.burst", {"quota": 50000, "period": 100000, "burst": 20000}, 20000),
            ("cpu.idle", {"idle": 1}, 1)):
        if has_file(t, "cpu", name):
            v2_files(t, "cpu", {"cpu": resources}, {name: value})
        else:
            t.log(f"the kernel has no {name}")
            bundle = limited(t, {"cpu": resources})
            t.fails("create", "-b", bundle.path, bundle.id, has="/linux/resources/cpu/")
            t.assert_no_trace(bundle)


def test_v2_cpuset(t):
    last = os.cpu_count() - 1
    v2_files(t, "cpuset", {"cpu": {"cpus": str(last), "mems": "0"}},
             {"cpuset.cpus": last, "cpuset.mems": 0, "cpuset.cpus.effective": last})


def test_v2_pids(t):
    v2_files(t, "pids", {"pids": {"limit": 33}}, {"pids.max": 33})
    v2_files(t, "pids", {"pids": {"limit": -1}}, {"pids.max": "max"})


def test_v2_parent_with_processes_is_left_as_it_is(t):
    root = need_v2(t, "pids")
    parent = f"{root}/{t.prefix}"
    os.mkdir(parent)
    child = t.popen(argv=["sleep", "1000"])
    with open(f"{parent}/cgroup.procs", "w", encoding="ascii") as procs:
        procs.write(str(child.pid))
    # Threaded controllers the kernel would enable there, and refuse the container then.
    bundle = limited(t, {}, args=["true"])
    bundle.config["linux"]["cgroupsPath"] = f"/{t.prefix}/without"
    t.run_container(bundle.save())
    assert read(parent, "cgroup.type") == "domain"
    assert read(parent, "cgroup.subtree_control") == ""
    bundle.config["linux"]["resources"] = {"pids": {"limit": 5}}
    t.fails("run", "-b", bundle.save().path, bundle.id, has=["pids", "processes of its own"],
            code="CGROUP_BUSY")
    assert read(parent, "cgroup.type") == "domain"
    child.kill()
    child.wait()


def test_v2_io_throttles(t):
    need_v2(t, "io")
    major, minor = disk(t)

    def rate(value):
        return [{"major": major, "minor": minor, "rate": value}]
    v2_files(t, "io", {"blockIO": {"throttleReadBpsDevice": rate(MIB),
                                   "throttleWriteIOPSDevice": rate(120)}},
             {"io.max": f"{major}:{minor} rbps={MIB} wbps=max riops=max wiops=120"})
    v2_files(t, "io", {"blockIO": {"throttleWriteBpsDevice": rate(2 * MIB),
                                   "throttleReadIOPSDevice": rate(50)}},
             {"io.max": f"{major}:{minor} rbps=max wbps={2 * MIB} riops=50 wiops=max"})


def test_v2_io_weight(t):
    resources = {"blockIO": {"weight": 500}}
    if has_file(t, "io", "io.bfq.weight"):
        v2_files(t, "io", resources, {"io.bfq.weight": "default 500"})
    elif has_file(t, "io", "io.weight"):
        v2_files(t, "io", resources, {"io.weight": "default 4950"})
    else:
        bundle = limited(t, resources)
        t.fails("create", "-b", bundle.path, bundle.id, has="/linux/resources/blockIO/weight")


def test_v2_huge_pages(t):
    huge_pages(t)
    where = v2_files(t, "hugetlb", {"hugepageLimits": [{"pageSize": "2MB", "limit": 4 * MIB}]},
                     {"hugetlb.2MB.max": 4 * MIB})
    if os.path.exists(f"{where}/hugetlb.2MB.rsvd.max"):
        assert read(where, "hugetlb.2MB.rsvd.max") == str(4 * MIB)


def test_v2_rdma(t):
    need_v2(t, "rdma")
    devices = "/sys/class/infiniband"
    names = sorted(os.listdir(devices)) if os.path.isdir(devices) else []
    if names:
        v2_files(t, "rdma", {"rdma": {names[0]: {"hcaHandles": 3, "hcaObjects": 100}}},
                 {"rdma.max": f"{names[0]} hca_handle=3 hca_object=100"})
    bundle = limited(t, {"rdma": {"no-such-device": {"hcaHandles": 3}}})
    t.fails("create", "-b", bundle.path, bundle.id, has="/linux/resources/rdma")
    t.assert_no_trace(bundle)


def test_v2_misc(t):
    root = need_v2(t, "misc")
    if not os.path.exists(f"{root}/misc.capacity"):
        t.skip("this kernel's misc controller has no misc.capacity")
    resources = read(root, "misc.capacity").split("\n")
    if resources == [""]:
        # Nothing to be counted (SEV, SGX ...): the kernel refuses any name.
        bundle = limited(t, {"unified": {"misc.max": "sev 1"}})
        t.fails("create", "-b", bundle.path, bundle.id,
                has=["/linux/resources/unified/misc.max", "misc.capacity", "Invalid argument"])
        t.assert_no_trace(bundle)
        return
    name = resources[0].split()[0]
    where = v2_files(t, "misc", {"unified": {"misc.max": f"{name} 1"}}, {})
    assert f"{name} 1" in read(where, "misc.max").split("\n")


def test_v2_unified_of_several_controllers(t):
    need_v2(t, "cpu")
    v2_files(t, "pids", {"pids": {"limit": 20}, "unified": {
        "pids.max": "44", "cpu.weight": "77", "cgroup.max.descendants": "5"}},
             {"pids.max": 44, "cpu.weight": 77, "cgroup.max.descendants": 5})


def test_v2_unified_with_a_file_that_is_not_there_is_refused(t):
    need_v2(t, "memory")
    bundle = limited(t, {"unified": {"memory.no_such_file": "1"}})
    t.fails("create", "-b", bundle.path, bundle.id, has="memory.no_such_file")
    t.assert_no_trace(bundle)


def test_v2_all_at_once(t):
    for name in ("cpu", "memory", "cpuset", "io"):
        need_v2(t, name)
    v2_files(t, "pids", {"memory": {"limit": 64 * MIB}, "pids": {"limit": 12},
                         "cpu": {"shares": 1024, "quota": 40000, "period": 100000, "cpus": "0"}},
             {"memory.max": 64 * MIB, "pids.max": 12, "cpu.weight": 100,
              "cpu.max": "40000 100000", "cpuset.cpus": 0})


# ---- cgroup v1 ------------------------------------------------------------------------------


def test_v1_memory(t):
    where = v1_files(t, "memory", {"memory": {"limit": 64 * MIB, "reservation": 32 * MIB,
                                              "swappiness": 10}},
                     {"memory.limit_in_bytes": 64 * MIB, "memory.swappiness": 10,
                      "memory.soft_limit_in_bytes": 32 * MIB})
    if os.path.exists(f"{where}/memory.memsw.limit_in_bytes"):
        v1_files(t, "memory", {"memory": {"limit": 64 * MIB, "swap": 96 * MIB}},
                 {"memory.memsw.limit_in_bytes": 96 * MIB})
        where = v1_files(t, "memory", {"memory": {"limit": 64 * MIB, "swap": -1}}, {})
        assert int(read(where, "memory.memsw.limit_in_bytes")) > UNLIMITED


def test_v1_oom_killer_can_be_disabled(t):
    where = v1_files(t, "memory", {"memory": {"limit": 64 * MIB, "disableOOMKiller": True}}, {})
    assert "oom_kill_disable 1" in read(where, "memory.oom_control")


def test_v1_cpu(t):
    where = v1_files(t, "cpu", {"cpu": {"shares": 512, "quota": 50000, "period": 200000}},
                     {"cpu.shares": 512, "cpu.cfs_quota_us": 50000, "cpu.cfs_period_us": 200000})
    if os.path.exists(f"{where}/cpu.cfs_burst_us"):
        v1_files(t, "cpu", {"cpu": {"quota": 50000, "period": 100000, "burst": 20000}},
                 {"cpu.cfs_burst_us": 20000})
    if os.path.exists(f"{where}/cpu.idle"):
        v1_files(t, "cpu", {"cpu": {"idle": 1}}, {"cpu.idle": 1})


def test_v1_cpuset(t):
    last = os.cpu_count() - 1
    v1_files(t, "cpuset", {"cpu": {"cpus": str(last), "mems": "0"}},
             {"cpuset.cpus": last, "cpuset.mems": 0})


def test_v1_pids(t):
    v1_files(t, "pids", {"pids": {"limit": 33}}, {"pids.max": 33})


def test_v1_io_throttles(t):
    need_v1(t, "blkio")
    major, minor = disk(t)

    def rate(value):
        return [{"major": major, "minor": minor, "rate": value}]
    v1_files(t, "blkio", {"blockIO": {
        "throttleReadBpsDevice": rate(MIB), "throttleWriteBpsDevice": rate(2 * MIB),
        "throttleReadIOPSDevice": rate(50), "throttleWriteIOPSDevice": rate(120)}},
             {"blkio.throttle.read_bps_device": f"{major}:{minor} {MIB}",
              "blkio.throttle.write_bps_device": f"{major}:{minor} {2 * MIB}",
              "blkio.throttle.read_iops_device": f"{major}:{minor} 50",
              "blkio.throttle.write_iops_device": f"{major}:{minor} 120"})


def test_v1_huge_pages(t):
    huge_pages(t)
    v1_files(t, "hugetlb", {"hugepageLimits": [{"pageSize": "2MB", "limit": 4 * MIB}]},
             {"hugetlb.2MB.limit_in_bytes": 4 * MIB})


def test_v1_network(t):
    v1_files(t, "net_cls", {"network": {"classID": 0x100001}}, {"net_cls.classid": 0x100001})
    where = v1_files(t, "net_prio", {"network": {"priorities": [{"name": "lo", "priority": 5}]}},
                     {})
    assert "lo 5" in read(where, "net_prio.ifpriomap").splitlines()


# ---- what they do, on any layout --------------------------------------------------------------


def some(t, controller):
    """Skip unless the controller exists in either version."""
    if any(controller in names.split(",") for names in hostside.cgroup_mounts()):
        return
    need_v2(t, controller)


def oom_kills(where, version):
    text = read(where, "memory.events" if version == 2 else "memory.oom_control")
    found = re.search(r"^oom_kill (\d+)", text, re.M)
    return int(found.group(1)) if found else None


def test_memory_beyond_the_limit_is_an_oom_kill_that_the_cgroup_counts(t):
    some(t, "memory")
    limits = {"limit": 20 * MIB, "swap": 20 * MIB}
    bundle = limited(t, {"memory": limits}, [
        "sh", "-c", "dd if=/dev/zero of=/dev/null bs=90M count=1; echo status $?; exec sleep 1000"])
    result = t.rt("run", "-d", "-b", bundle.path, bundle.id, check=False)
    if re.search(r"memsw|memory\.swap\.max", result.err):   # the kernel does not account swap
        limits.pop("swap")
        bundle.save()
        result = t.rt("run", "-d", "-b", bundle.path, bundle.id)
    assert result.rc == 0, result
    where, version = folder(t, bundle, "memory")
    t.wait_until(lambda: "status" in result.output(), "the victim's end", 90)
    assert "status 137" in result.output(), result.output()
    assert oom_kills(where, version) in (1, None), read(where, "memory.events")
    assert t.state(bundle)["status"] == "running"


def test_container_whose_first_process_is_oom_killed_ends_with_137(t):
    some(t, "memory")
    bundle = limited(t, {"memory": {"limit": 20 * MIB}},
                     ["dd", "if=/dev/zero", "of=/dev/null", "bs=90M", "count=1"])
    swaps = int(re.search(r"^SwapTotal:\s+(\d+)", read("/proc/meminfo"), re.M).group(1))
    if swaps:
        bundle.config["linux"]["resources"]["memory"]["swap"] = 20 * MIB
        bundle.save()
    assert t.run_container(bundle, check=False, timeout=90).rc == 137
    t.assert_no_trace(bundle)


def test_swap_beyond_the_memory_is_used(t):
    some(t, "memory")
    free = int(re.search(r"^SwapFree:\s+(\d+)", read("/proc/meminfo"), re.M).group(1))
    if free < 100 << 10:
        t.skip("less than 100 MB of swap")
    bundle = limited(t, {"memory": {"limit": 16 * MIB, "swap": 96 * MIB}}, [
        "dd", "if=/dev/zero", "of=/dev/null", "bs=40M", "count=1"])
    result = t.run_container(bundle, check=False, timeout=90)
    if re.search(r"memsw|memory\.swap\.max", result.err):
        t.skip("the kernel does not account swap")
    assert result.rc == 0 and "1+0 records out" in result.err, result
    bundle.config["linux"]["resources"]["memory"]["swap"] = 16 * MIB
    assert t.run_container(bundle.save(), check=False, timeout=90).rc == 137


def test_container_starts_with_500_kib(t):
    some(t, "memory")
    t.needs_own_memory_only()
    bundle = limited(t, {"memory": {"limit": 512000}}, ["echo", "alive"])
    assert t.run_container(bundle, timeout=60).out == "alive\n"
    bundle = limited(t, {"memory": {"limit": 512000}}, ["echo", "alive"])
    t.create(bundle, timeout=60)
    where, version = folder(t, bundle, "memory")
    page = os.sysconf("SC_PAGE_SIZE")
    name = "memory.max" if version == 2 else "memory.limit_in_bytes"
    assert read(where, name) == str(512000 // page * page)
    t.start(bundle)
    t.wait_status(bundle, "stopped", 60)


def test_tasks_beyond_the_limit_cannot_be_made(t):
    some(t, "pids")
    bundle = limited(t, {"pids": {"limit": 5}}, [
        "sh", "-c", "for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; echo made $i"])
    result = t.run_container(bundle, check=False)
    assert "made" not in result.out and "fork" in result.err, result


def test_processors_of_the_cpuset_are_the_containers_only(t):
    some(t, "cpuset")
    last = os.cpu_count() - 1
    if not last:
        t.skip("there is one CPU")
    bundle = limited(t, {"cpu": {"cpus": str(last)}},
                     ["grep", "Cpus_allowed_list", "/proc/self/status"])
    assert t.run_container(bundle).out.split()[1] == str(last)


def test_device_rules_hold_inside(t):
    # Nothing has these numbers: whoever may open the nodes is told that there is no such device.
    # Making nodes is always allowed, as engines expect; opening them is what the rules are for.
    caps = ["CAP_MKNOD", "CAP_DAC_OVERRIDE"]
    bundle = limited(t, {"devices": [
        {"allow": False, "access": "rwm"},
        {"allow": True, "type": "c", "major": 252, "minor": 202, "access": "r"},
        {"allow": True, "type": "c", "major": 252, "minor": 204, "access": "rw"}]}, ["sh", "-c", """
            try() { echo "$1: $("$@" 2>&1 | sed 's/.*: //' )"; }
            may_read() { : <$1; }
            may_write() { : >>$1; }
            try mknod /tmp/made b 252 201
            for node in /tmp/made /tmp/there /tmp/both /dev/null; do
                try may_read $node; try may_write $node
            done"""])
    bundle.config["linux"]["devices"] = [
        {"path": f"/tmp/{name}", "type": "c", "major": 252, "minor": minor, "fileMode": 0o666}
        for name, minor in (("there", 202), ("both", 204))]
    bundle.config["process"]["capabilities"] = {
        kind: caps for kind in ("bounding", "effective", "permitted")}
    bundle.config["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"})
    bundle.save()
    # A driver that has the major number says ENODEV, and otherwise it is ENXIO.
    refused, absent = "Operation not permitted", "No such device"
    want = [("mknod", ""), ("may_read", refused), ("may_write", refused),
            ("may_read", absent), ("may_write", refused), ("may_read", absent),
            ("may_write", absent), ("may_read", ""), ("may_write", "")]
    lines = [tuple(line.split(": ", 1)) for line in t.run_container(bundle).out.splitlines()]
    assert [(name, text.strip().replace(" or address", "")) for name, text in lines] == want, lines
