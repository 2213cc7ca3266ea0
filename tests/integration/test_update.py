# SPDX-License-Identifier: Apache-2.0
"""`update`: new limits are in the kernel's files when it returns, all of them or none.

The tests find the container's directories by /proc/PID/cgroup and know both versions' files, so
that they run on hosts of any layout; a controller that this host lacks is skipped.
"""

import json
import os

import hostside
from harness import flavors

SLEEP = ["sleep", "1000"]
MIB = 1 << 20
PAGE = os.sysconf("SC_PAGE_SIZE")
LIMITS = {"memory": {"limit": 64 * MIB, "swap": 96 * MIB}, "cpu": {"shares": 512},
          "pids": {"limit": 33}}
# Controller -> what it is called on v1.
V1_NAMES = {"io": "blkio"}


def read(*names):
    with open(os.path.join(*names), encoding="ascii") as source:
        return source.read().strip()


class Cgroup:
    """The directories of a process."""

    def __init__(self, pid):
        self.v1, self.v2 = {}, None
        mounts = hostside.cgroup_mounts()
        for line in read(f"/proc/{pid}/cgroup").splitlines():
            number, names, path = line.split(":", 2)
            point = mounts.get("unified" if number == "0" else names)
            if point and number == "0":
                self.v2 = point + path
            elif point:
                self.v1.update({name: point + path for name in names.split(",")})

    def is_v1(self, controller):
        return V1_NAMES.get(controller, controller) in self.v1

    def dir(self, t, controller):
        if self.is_v1(controller):
            return self.v1[V1_NAMES.get(controller, controller)]
        if not self.v2 or controller not in read(self.v2, "cgroup.controllers").split():
            t.skip(f"no controller {controller} here")
        return self.v2

    def value(self, t, controller, v1, v2):
        """The content of the file that this host has of the two."""
        return read(self.dir(t, controller), v1 if self.is_v1(controller) else v2)

    def has(self, t, controller, v1, v2):
        where = self.dir(t, controller)
        return os.path.exists(os.path.join(where, v1 if self.is_v1(controller) else v2))


def need(t, *controllers):
    """Skips where one of them is neither a v1 hierarchy nor free for v2."""
    mounts = hostside.cgroup_mounts()
    have = {name for names in mounts if names != "unified" for name in names.split(",")}
    have |= {"io"} if "blkio" in have else set()
    if "unified" in mounts:
        have |= set(read(mounts["unified"], "cgroup.controllers").split())
    for name in controllers:
        if name not in have:
            t.skip(f"no controller {name} here")


def container(t, resources=None, args=None, start=False):
    """A created container; returns it and its cgroup."""
    bundle = t.bundle(args or SLEEP)
    if resources is LIMITS:   # without those that nothing here can hold it to
        resources = {name: value for name, value in LIMITS.items() if hostside.has_controller(name)}
    rules = bundle.config["linux"]["resources"]["devices"]
    bundle.config["linux"]["resources"] = dict(resources or {}, devices=rules)
    bundle.save()
    t.create(bundle)
    if start:
        t.start(bundle)
    return bundle, Cgroup(t.pid(bundle))


def update(t, bundle, *opts, resources=None, **kwargs):
    """Success means not a word, as engines want it."""
    if resources is not None:
        opts += ("--resources=-",)
        kwargs["input"] = json.dumps(resources).encode()
    result = t.rt("update", *opts, bundle.id, **kwargs)
    assert result.out == "" and result.err == "", result
    return result


def refused(t, bundle, *opts, resources=None, has="", **kwargs):
    if resources is not None:
        opts += ("--resources=-",)
        kwargs["input"] = json.dumps(resources).encode()
    result = t.fails("update", *opts, bundle.id, has=has, **kwargs)
    assert result.err.count("\n") == 1, result
    return result


def report(t, bundle, *opts, resources=None, check=True):
    """Key -> entry of the JSON report."""
    kwargs = {}
    if resources is not None:
        opts += ("-r", "-")
        kwargs["input"] = json.dumps(resources).encode()
    result = t.rt("update", "--format=json", *opts, bundle.id, check=check, **kwargs)
    document = json.loads(result.out)
    assert document["id"] == bundle.id
    keys = {entry["key"]: entry for entry in document["keys"]}
    assert len(keys) == len(document["keys"]), document
    return keys


def memory_limits(t, cgroup):
    limit = cgroup.value(t, "memory", "memory.limit_in_bytes", "memory.max")
    swap = None
    if cgroup.has(t, "memory", "memory.memsw.limit_in_bytes", "memory.swap.max"):
        swap = cgroup.value(t, "memory", "memory.memsw.limit_in_bytes", "memory.swap.max")
    total = None if swap is None else unlimited(swap)
    if total is not None and not cgroup.is_v1("memory"):
        total += unlimited(limit)
    return unlimited(limit), total


def unlimited(text):
    value = float("inf") if text == "max" else int(text)
    return float("inf") if value > 1 << 62 else value


# ---- the forms in which engines call it -------------------------------------------------------


@flavors("root")
def test_resources_come_from_stdin_or_a_file_in_every_spelling(t):
    need(t, "pids")
    bundle, cgroup = container(t)
    path = t.file("resources.json")
    forms = (["--resources=-"], ["--resources", "-"], ["-r", "-"], ["-r-"], ["--resources=" + path],
             ["-r", path])
    for number, form in enumerate(forms, 40):
        text = json.dumps({"pids": {"limit": number}})
        t.file("resources.json", text)
        result = t.rt("update", *form, bundle.id, input=text.encode())
        assert (result.out, result.err) == ("", ""), result
        assert cgroup.value(t, "pids", "pids.max", "pids.max") == str(number), form


@flavors("root")
def test_created_running_and_paused_containers_take_new_limits(t):
    need(t, "pids")
    bundle, cgroup = container(t, LIMITS)
    update(t, bundle, "--pids-limit", "44")
    assert cgroup.value(t, "pids", "pids.max", "pids.max") == "44"
    t.start(bundle)
    update(t, bundle, "--pids-limit=55")
    assert cgroup.value(t, "pids", "pids.max", "pids.max") == "55"
    freezer, names = (cgroup.v1["freezer"], ("freezer.state", "FROZEN", "THAWED")) \
        if "freezer" in cgroup.v1 else (cgroup.v2, ("cgroup.freeze", "1", "0"))
    with open(os.path.join(freezer, names[0]), "w", encoding="ascii") as out:
        out.write(names[1])
    t.wait_status(bundle, "paused")
    update(t, bundle, "--pids-limit=66")
    assert cgroup.value(t, "pids", "pids.max", "pids.max") == "66"
    with open(os.path.join(freezer, names[0]), "w", encoding="ascii") as out:
        out.write(names[2])
    t.kill(bundle, "KILL")
    t.wait_status(bundle, "stopped")
    refused(t, bundle, "--pids-limit=77", has=["stopped", "not created, running or paused"])


@flavors("root")
def test_container_that_is_not_there(t):
    t.fails("update", "--pids-limit=5", t.prefix + "-none", has="does not exist")


# ---- each of the options ----------------------------------------------------------------------


@flavors("root")
def test_memory_options_take_units_and_may_raise_and_lower_both(t):
    need(t, "memory")
    bundle, cgroup = container(t, LIMITS)
    for limit, swap in (("32m", "48M"), ("1g", "2G"), ("128MiB", "256mb"), ("65536k", "65536K"),
                        (str(64 * MIB), "-1"), ("1t", "-1"), ("50m", "60m"), ("-1", "-1"),
                        ("70m", "70m")):
        update(t, bundle, "--memory", limit, "--memory-swap", swap)
        got_limit, got_swap = memory_limits(t, cgroup)
        want = {"m": MIB, "g": 1 << 30, "k": 1024, "t": 1 << 40}

        def number(text):
            if text == "-1":
                return float("inf")
            digits = text.rstrip("kKmMgGtTiIbB")
            unit = text[len(digits):].lower()[:1]
            return int(digits) * want.get(unit, 1)
        assert got_limit == number(limit), (limit, swap)
        assert got_swap in (None, number(swap)), (limit, swap, got_swap)


@flavors("root")
def test_unlimited_memory_means_unlimited_swap_unless_it_is_given(t):
    need(t, "memory")
    bundle, cgroup = container(t, LIMITS)
    update(t, bundle, resources={"memory": {"limit": -1}})
    limit, swap = memory_limits(t, cgroup)
    assert limit == float("inf") and swap in (None, float("inf"))


@flavors("root")
def test_swap_alone_counts_from_the_limit_that_the_container_has(t):
    need(t, "memory")
    bundle, cgroup = container(t, LIMITS)
    if memory_limits(t, cgroup)[1] is None:
        refused(t, bundle, "--memory-swap=128m", has="does not exist")
        return
    update(t, bundle, "--memory-swap=128m")
    assert memory_limits(t, cgroup) == (64 * MIB, 128 * MIB)
    refused(t, bundle, "--memory-swap=32m", has=["memory/swap", "less than that of memory"],
            code="LIMIT_CONFLICT")
    assert memory_limits(t, cgroup) == (64 * MIB, 128 * MIB)
    if cgroup.is_v1("memory"):
        refused(t, bundle, "--memory=256m", has=["memory/limit", "change both"])
        assert memory_limits(t, cgroup) == (64 * MIB, 128 * MIB)


@flavors("root")
def test_reservation(t):
    need(t, "memory")
    bundle, cgroup = container(t, LIMITS)
    update(t, bundle, "--memory-reservation", "16m")
    assert cgroup.value(t, "memory", "memory.soft_limit_in_bytes", "memory.low") == str(16 * MIB)
    assert memory_limits(t, cgroup)[0] == 64 * MIB


@flavors("root")
def test_kernel_memory_is_ignored_with_a_notice(t):
    need(t, "memory")
    bundle, _ = container(t, LIMITS)
    update(t, bundle, "--kernel-memory=16m", "--kernel-memory-tcp=16m")
    result = t.rt("--log-level", "warning", "update", "--kernel-memory=16m", bundle.id)
    assert "ignored" in result.err, result
    keys = report(t, bundle, "--kernel-memory=16m")
    assert keys["/memory/kernel"]["verdict"] == "ignored"


@flavors("root")
def test_quota_and_period_keep_the_one_that_is_not_given(t):
    need(t, "cpu")
    bundle, cgroup = container(t)

    def now():
        if cgroup.is_v1("cpu"):
            where = cgroup.dir(t, "cpu")
            quota = read(where, "cpu.cfs_quota_us")
            return "max" if quota == "-1" else quota, read(where, "cpu.cfs_period_us")
        return tuple(read(cgroup.dir(t, "cpu"), "cpu.max").split())
    for opts, want in ((("--cpu-quota", "50000"), ("50000", "100000")),
                       (("--cpu-period", "200000"), ("50000", "200000")),
                       (("--cpu-quota=20000", "--cpu-period=40000"), ("20000", "40000")),
                       (("--cpu-quota=500000", "--cpu-period=1000000"), ("500000", "1000000")),
                       (("--cpu-quota=-1",), ("max", "1000000")),
                       (("--cpu-period=50000",), ("max", "50000"))):
        update(t, bundle, *opts)
        assert now() == want, opts


@flavors("root")
def test_shares_in_both_spellings_and_idle(t):
    need(t, "cpu")
    bundle, cgroup = container(t)
    for opts, shares, weight in ((("--cpu-share", "2048"), "2048", "174"),
                                 (("--cpu-shares=1024",), "1024", "100"),
                                 (("--cpu-share=2",), "2", "1")):
        update(t, bundle, *opts)
        assert cgroup.value(t, "cpu", "cpu.shares", "cpu.weight") in (shares, weight), opts
    if not cgroup.has(t, "cpu", "cpu.idle", "cpu.idle"):
        t.skip("no cpu.idle here")
    update(t, bundle, "--cpu-idle", "1")
    assert cgroup.value(t, "cpu", "cpu.idle", "cpu.idle") == "1"
    refused(t, bundle, "--cpu-share=512", has="idle", code="LIMIT_REFUSED")
    update(t, bundle, "--cpu-idle=0", "--cpu-share=512")
    assert cgroup.value(t, "cpu", "cpu.idle", "cpu.idle") == "0"
    assert cgroup.value(t, "cpu", "cpu.shares", "cpu.weight") in ("512", "59")


@flavors("root")
def test_burst_is_held_against_the_quota(t):
    need(t, "cpu")
    bundle, cgroup = container(t, {"cpu": {"quota": 50000, "period": 100000}})
    if not cgroup.has(t, "cpu", "cpu.cfs_burst_us", "cpu.max.burst"):
        t.skip("no burst here")

    def burst():
        return cgroup.value(t, "cpu", "cpu.cfs_burst_us", "cpu.max.burst")
    update(t, bundle, "--cpu-burst=40000")
    assert burst() == "40000"
    refused(t, bundle, "--cpu-quota=20000", has=["cpu/quota", "burst"])
    update(t, bundle, "--cpu-quota=20000", "--cpu-burst=10000")
    update(t, bundle, "--cpu-quota=90000", "--cpu-burst=80000")
    assert burst() == "80000"
    update(t, bundle, resources={"cpu": {"burst": 0}})
    assert burst() == "0"


@flavors("root")
def test_cpusets(t):
    need(t, "cpuset")
    bundle, cgroup = container(t, {"cpu": {"cpus": "0"}})
    cpus = sorted(os.sched_getaffinity(0))
    update(t, bundle, "--cpuset-cpus", str(cpus[-1]), "--cpuset-mems", "0")
    assert cgroup.value(t, "cpuset", "cpuset.cpus", "cpuset.cpus") == str(cpus[-1])
    assert cgroup.value(t, "cpuset", "cpuset.mems", "cpuset.mems") == "0"
    t.start(bundle)
    assert os.sched_getaffinity(t.pid(bundle)) == {cpus[-1]}
    refused(t, bundle, "--cpuset-cpus=nonsense", has="--cpuset-cpus")


@flavors("root")
def test_cpuset_of_cgroups_below_keeps_the_list(t):
    need(t, "cpuset")
    bundle, cgroup = container(t)
    cpus = sorted(os.sched_getaffinity(0))
    if not cgroup.is_v1("cpuset") or len(cpus) < 2:
        t.skip("v1 cpusets and two CPUs needed")
    below = os.path.join(cgroup.dir(t, "cpuset"), "below")
    os.mkdir(below)
    with open(os.path.join(below, "cpuset.cpus"), "w", encoding="ascii") as out:
        out.write(str(cpus[1]))
    refused(t, bundle, f"--cpuset-cpus={cpus[0]}", has=["below", "cpuset.cpus"])
    os.rmdir(below)
    update(t, bundle, f"--cpuset-cpus={cpus[0]}")


@flavors("root")
def test_pids_limit_can_be_lifted_and_zero_leaves_it(t):
    need(t, "pids")
    bundle, cgroup = container(t, LIMITS)
    update(t, bundle, "--pids-limit=0")
    assert cgroup.value(t, "pids", "pids.max", "pids.max") == "33"
    update(t, bundle, "--pids-limit", "-1")
    assert cgroup.value(t, "pids", "pids.max", "pids.max") == "max"


@flavors("root")
def test_realtime_limits_are_v1_only(t):
    need(t, "cpu")
    bundle, cgroup = container(t)
    if cgroup.is_v1("cpu") and cgroup.has(t, "cpu", "cpu.rt_period_us", "-"):
        update(t, bundle, "--cpu-rt-period=500000")
        assert read(cgroup.dir(t, "cpu"), "cpu.rt_period_us") == "500000"
    else:
        keys = report(t, bundle, "--cpu-rt-period=500000", "--cpu-rt-runtime=1000", check=False)
        assert {e["verdict"] for e in keys.values()} == {"unsupported"}, keys


@flavors("root")
def test_block_io(t):
    need(t, "io")
    bundle, cgroup = container(t)
    where = cgroup.dir(t, "io")
    devices = [d for d in sorted(os.listdir("/sys/block"))
               if not d.startswith(("loop", "ram", "zram"))]
    if not devices:
        t.skip("no block device here")
    number = read("/sys/block", devices[0], "dev")
    major, minor = (int(n) for n in number.split(":"))
    device = {"major": major, "minor": minor}
    resources = {"blockIO": {"throttleReadBpsDevice": [dict(device, rate=MIB)],
                             "throttleWriteIOPSDevice": [dict(device, rate=100)]}}
    update(t, bundle, resources=resources)
    if cgroup.is_v1("io"):
        assert read(where, "blkio.throttle.read_bps_device") == f"{number} {MIB}"
        assert read(where, "blkio.throttle.write_iops_device") == f"{number} 100"
    else:
        assert f"{number} rbps={MIB} wbps=max riops=max wiops=100" in read(where, "io.max")
    assert {e["verdict"] for e in report(t, bundle, resources=resources).values()} == {"unchanged"}
    resources["blockIO"]["throttleReadBpsDevice"][0]["rate"] = 0
    update(t, bundle, resources=resources)
    assert str(MIB) not in read(where, "blkio.throttle.read_bps_device"
                                if cgroup.is_v1("io") else "io.max")
    weight = [n for n in ("blkio.bfq.weight", "blkio.weight", "io.bfq.weight", "io.weight")
              if os.path.exists(os.path.join(where, n))]
    if weight:
        update(t, bundle, "--blkio-weight", "500")
        assert read(where, weight[0]).split()[-1] in ("500", "4950", "4949"), weight
    else:
        refused(t, bundle, "--blkio-weight", "500", has=["blockIO/weight", "does not exist"])


@flavors("root")
def test_huge_pages(t):
    need(t, "hugetlb")
    bundle, cgroup = container(t)
    sizes = [n[len("hugepages-"):-2] for n in os.listdir("/sys/kernel/mm/hugepages")] \
        if os.path.isdir("/sys/kernel/mm/hugepages") else []
    if "2048" not in sizes:
        t.skip("no pages of 2 MB here")
    # The controller was not asked for at create: on v2 it is enabled now.
    update(t, bundle, resources={"hugepageLimits": [{"pageSize": "2MB", "limit": 4 * MIB}]})
    assert cgroup.value(t, "hugetlb", "hugetlb.2MB.limit_in_bytes", "hugetlb.2MB.max") == \
        str(4 * MIB)


@flavors("root")
def test_unified_keys_and_missing_controllers(t):
    bundle, cgroup = container(t)
    if not cgroup.v2:
        refused(t, bundle, resources={"unified": {"cgroup.max.depth": "5"}}, has="cgroup v2")
        return
    update(t, bundle, resources={"unified": {"cgroup.max.depth": "5"}})
    assert read(cgroup.v2, "cgroup.max.depth") == "5"
    refused(t, bundle, resources={"unified": {"cgroup.none": "5"}}, has="cgroup.none",
            code="CGROUP_FEATURE")
    refused(t, bundle, resources={"unified": {"frobs.max": "5"}},
            has=["frobs", "cgroup.controllers"])
    refused(t, bundle, resources={"unified": {"a/../memory.max": "5"}}, has="cgroup file")
    refused(t, bundle, resources={"unified": {"cgroup.procs": "1"}}, has="not a limit")
    if cgroup.is_v1("memory"):
        refused(t, bundle, resources={"unified": {"memory.high": "1000000"}},
                has=["memory.high", "cgroup v1 hierarchy"])
    else:
        update(t, bundle, resources={"unified": {"memory.high": str(64 * MIB)}})
        assert read(cgroup.v2, "memory.high") == str(64 * MIB)


@flavors("root")
def test_network_class_and_priorities(t):
    bundle, cgroup = container(t)
    resources = {"network": {"classID": 0x100001, "priorities": [{"name": "lo", "priority": 3}]}}
    if "net_cls" in cgroup.v1 and "net_prio" in cgroup.v1:
        update(t, bundle, resources=resources)
        assert read(cgroup.v1["net_cls"], "net_cls.classid") == str(0x100001)
        assert "lo 3" in read(cgroup.v1["net_prio"], "net_prio.ifpriomap")
    else:
        keys = report(t, bundle, resources=resources, check=False)
        assert "unsupported" in {e["verdict"] for e in keys.values()}, keys


# ---- all or nothing ---------------------------------------------------------------------------


@flavors("root")
def test_what_is_not_supported_here_keeps_everything_from_being_applied(t):
    need(t, "pids")
    bundle, cgroup = container(t, LIMITS)
    resources = {"pids": {"limit": 44}, "unified": {"pids.no_such_file": "3"}}
    refused(t, bundle, resources=resources, has="/linux/resources/unified")
    assert cgroup.value(t, "pids", "pids.max", "pids.max") == "33"
    keys = report(t, bundle, resources=resources, check=False)
    assert keys["/unified/pids.no_such_file"]["verdict"] == "unsupported", keys
    assert keys["/pids/limit"]["verdict"] == "left", keys
    assert cgroup.value(t, "pids", "pids.max", "pids.max") == "33"


@flavors("root")
def test_failure_in_the_middle_puts_the_former_values_back(t):
    need(t, "cpu", "memory", "pids")
    bundle, cgroup = container(t, LIMITS)
    before = memory_limits(t, cgroup)
    # The kernel has the last word on the quota: 0.0001 of a second is too short, in its eyes only.
    resources = {"memory": {"limit": 32 * MIB, "swap": 48 * MIB}, "pids": {"limit": 44},
                 "cpu": {"shares": 700},
                 "blockIO": {"throttleReadBpsDevice": [{"major": 4000, "minor": 1, "rate": 5}]}}
    need(t, "io")
    keys = report(t, bundle, resources=resources, check=False)
    assert keys["/blockIO/throttleReadBpsDevice/0"]["verdict"] == "failed", keys
    assert keys["/memory/limit"]["verdict"] == "left", keys
    assert memory_limits(t, cgroup) == before
    assert cgroup.value(t, "pids", "pids.max", "pids.max") == "33"
    assert cgroup.value(t, "cpu", "cpu.shares", "cpu.weight") in ("512", "59")
    refused(t, bundle, resources=resources, has="4000:1")


@flavors("root")
def test_check_before_update_refuses_a_limit_below_the_usage(t):
    need(t, "memory")
    bundle, cgroup = container(t, LIMITS, start=True)
    before = memory_limits(t, cgroup)
    limit = {"limit": PAGE, "swap": PAGE}
    refused(t, bundle, resources={"memory": dict(limit, checkBeforeUpdate=True)},
            has=["memory/limit", "checkBeforeUpdate"], code="LIMIT_BELOW_USE")
    assert memory_limits(t, cgroup) == before
    assert t.state(bundle)["status"] == "running"


@flavors("root")
def test_verdicts(t):
    need(t, "pids", "memory")
    bundle, cgroup = container(t, LIMITS)
    keys = report(t, bundle, resources={"pids": {"limit": 44}, "memory": {"limit": 64 * MIB},
                                        "cpu": {"shares": 0}})
    assert keys["/pids/limit"]["verdict"] == "applied"
    assert keys["/pids/limit"]["before"] == "33" and keys["/pids/limit"]["after"] == "44"
    assert keys["/pids/limit"]["file"].endswith("pids.max")
    assert keys["/memory/limit"]["verdict"] == "unchanged"
    assert keys["/cpu/shares"]["verdict"] == "unchanged" and "not set" in keys["/cpu/shares"]["reason"]
    table = t.rt("update", "--format", "table", "--pids-limit=44", bundle.id).out
    assert table.splitlines()[0].split() == ["KEY", "VERDICT", "WHAT"]
    assert table.splitlines()[1].split()[:2] == ["/pids/limit", "unchanged"], table
    log = t.rt("--debug", "update", "--pids-limit=45", bundle.id).err
    assert "pids/limit: applied" in log, log
    assert cgroup.value(t, "pids", "pids.max", "pids.max") == "45"


# ---- mistakes ---------------------------------------------------------------------------------


@flavors("root")
def test_mistakes_in_the_command_line_are_one_sentence_and_change_nothing(t):
    need(t, "pids")
    bundle, cgroup = container(t, LIMITS)
    for opts, word in ((["--memory", "12q"], "--memory"), (["--memory=-5"], "--memory"),
                       (["--memory=99999999p"], "too large"), (["--pids-limit=x"], "--pids-limit"),
                       (["--cpu-share=-3"], "--cpu-share"), (["--cpu-share=1.5"], "--cpu-share"),
                       (["--blkio-weight=99999"], "--blkio-weight"),
                       (["--blkio-weight=5"], "--blkio-weight"),
                       (["--cpu-period=10"], "--cpu-period"), (["--cpu-quota=10"], "--cpu-quota"),
                       (["--cpu-idle=2"], "--cpu-idle"), (["--memory="], "--memory"),
                       (["--memory=1m", "--memory-swap=512k"], "--memory-swap"),
                       (["--no-such-option"], "--no-such-option"), ([], "nothing to update"),
                       (["-r", "-", "--pids-limit=5"], "--resources"),
                       (["--pids-limit=44", "--format=xml"], "table|json")):
        result = refused(t, bundle, *(["--pids-limit=44"] if opts and word != "--resources" and
                                      word != "--pids-limit" else []), *opts, has=word)
        assert result.rc == 64, result
        assert cgroup.value(t, "pids", "pids.max", "pids.max") == "33"
    t.fails("update", "--pids-limit=5", has="CONTAINER")


@flavors("root")
def test_mistakes_in_the_document(t):
    need(t, "pids")
    bundle, cgroup = container(t, LIMITS)
    for text, word in ((b"", "resources"), (b"{", "standard input:1"),
                       (b"[]", "object"), (b'{"pids": {"limit": "5"}}', "/pids/limit"),
                       (b'{"linux": {"resources": {"pids": {"limit": 5}}}}', "linux.resources"),
                       (b'{"memory": {"limit": -7}}', "memory/limit")):
        result = t.fails("update", "-r", "-", bundle.id, input=text)
        assert word in result.err or word == "resources", result
    t.fails("update", "-r", t.path("none.json"), bundle.id, has="none.json")
    # The specification wants unknown members ignored, which the report tells.
    keys = report(t, bundle, resources={"pids": {"limt": 5, "limit": 33}})
    assert keys["/pids/limt"]["verdict"] == "ignored", keys
    assert keys["/pids/limit"]["verdict"] == "unchanged", keys
    update(t, bundle, resources={})
    assert cgroup.value(t, "pids", "pids.max", "pids.max") == "33"


@flavors("rootless")
def test_container_without_a_cgroup_of_its_own_is_told_so(t):
    bundle = t.bundle(SLEEP)
    t.create(bundle)
    if t.cgroup_dirs(bundle):
        t.skip("this user has power over cgroups")
    refused(t, bundle, "--pids-limit=5", has=["pids/limit", "no cgroup"])


def test_schemata_need_a_class_of_service(t):
    bundle = t.bundle(SLEEP)
    t.create(bundle)
    refused(t, bundle, "--l3-cache-schema", "L3:0=f", has=["resctrl", "intelRdt"][:1])
    refused(t, bundle, "--mem-bw-schema", "MB:0=20", has="resctrl")
