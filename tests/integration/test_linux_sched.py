# SPDX-License-Identifier: Apache-2.0
"""Scheduler, I/O priority, CPU affinity, memory policy; and the limits of small numbers."""

import os
import shutil
import subprocess

from harness import flavors

RT_BUDGET = "/sys/fs/cgroup/cpu/cpu.rt_runtime_us"


def process(t, *args, rootless=None, **change):
    bundle = t.bundle(list(args) or ["sleep", "100"], rootless=rootless)
    bundle.config["process"].update(change)
    return bundle.save()


def started(t, bundle):
    """The host's pid of the payload, once it is the payload."""
    t.create(bundle)
    t.start(bundle)
    pid = t.pid(bundle)
    t.wait_until(lambda: "crun" not in open(f"/proc/{pid}/comm", encoding="utf-8").read(),
                 "the payload")
    return pid


def tool(t, *argv):
    if not shutil.which(argv[0]):
        t.skip(f"no {argv[0]}")
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def policy(t, pid):
    """{"scheduling policy": "SCHED_FIFO", "scheduling priority": "5"} as chrt(1) tells them."""
    lines = tool(t, "chrt", "-p", str(pid)).splitlines()
    return {line.split("current ")[1].split(": ")[0]: line.split(": ")[1] for line in lines}


def nice(pid):
    return os.getpriority(os.PRIO_PROCESS, pid)


def realtime(t, bundle):
    """Gives the container's cgroup real-time time, where a kernel wants that."""
    if not os.path.exists(RT_BUDGET):
        return bundle
    with open(RT_BUDGET, encoding="utf-8") as budget:
        if int(budget.read()) < 100000:
            t.skip("the host's root cgroup has no real-time budget")
    linux = bundle.config["linux"]
    linux["cgroupsPath"] = "/" + t.new_id()   # the parent must have a budget too
    linux.setdefault("resources", {})["cpu"] = {"realtimeRuntime": 2000,
                                                "realtimePeriod": 1000000}
    return bundle.save()


def two_cpus(t):
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        t.skip("one CPU only")
    return cpus


# ---- scheduler ----------------------------------------------------------------------------


@flavors("root", "rootless")
def test_batch_with_a_nice_value(t):
    pid = started(t, process(t, scheduler={"policy": "SCHED_BATCH", "nice": 7}))
    assert policy(t, pid)["scheduling policy"] == "SCHED_BATCH"
    assert nice(pid) == 7


@flavors("root", "rootless")
def test_idle(t):
    pid = started(t, process(t, scheduler={"policy": "SCHED_IDLE"}))
    assert policy(t, pid)["scheduling policy"] == "SCHED_IDLE"


def test_callers_nice_value_is_kept_without_a_scheduler_and_replaced_by_one(t):
    def run(**change):
        bundle = process(t, "/bin/probe", "nice", **change)
        return t.run_container(bundle, preexec_fn=lambda: os.nice(4)).probe["nice"]
    assert run() == [str(min(os.getpriority(os.PRIO_PROCESS, 0) + 4, 19))]
    assert run(scheduler={"policy": "SCHED_OTHER", "nice": 9}) == ["9"]
    assert run(scheduler={"policy": "SCHED_OTHER"}) == ["0"]


def test_better_nice_value_than_the_callers_as_root(t):
    pid = started(t, process(t, scheduler={"policy": "SCHED_OTHER", "nice": -11}))
    assert nice(pid) == -11


@flavors("rootless")
def test_scheduler_in_a_user_namespace_for_a_user_other_than_root(t):
    # Set while init still has the caller's id: afterwards an ordinary caller could not. Nor to a nice value below its own.
    want = min(19, os.nice(0) + 3)
    bundle = process(t, rootless="ranges", user={"uid": 5, "gid": 5},
                     scheduler={"policy": "SCHED_BATCH", "nice": want},
                     ioPriority={"class": "IOPRIO_CLASS_BE", "priority": 6})
    pid = started(t, bundle)
    assert policy(t, pid)["scheduling policy"] == "SCHED_BATCH" and nice(pid) == want
    assert tool(t, "ionice", "-p", str(pid)).strip() == "best-effort: prio 6"


def test_what_takes_power_on_the_host_works_in_a_user_namespace(t):
    if os.geteuid() != 0:
        t.skip("only root on the host has that power")
    bundle = process(t, rootless=True, scheduler={"policy": "SCHED_OTHER", "nice": -7},
                     ioPriority={"class": "IOPRIO_CLASS_RT", "priority": 2})
    pid = started(t, bundle)
    assert nice(pid) == -7
    assert tool(t, "ionice", "-p", str(pid)).strip() == "realtime: prio 2"


def test_fifo_and_round_robin(t):
    for name, priority in (("SCHED_FIFO", 3), ("SCHED_RR", 99)):
        bundle = realtime(t, process(t, scheduler={"policy": name, "priority": priority}))
        found = policy(t, started(t, bundle))
        assert found == {"scheduling policy": name, "scheduling priority": str(priority)}, found


def test_reset_on_fork_frees_the_children(t):
    bundle = process(t, "sh", "-c", "sleep 100 & wait",
                     scheduler={"policy": "SCHED_BATCH", "flags": ["SCHED_FLAG_RESET_ON_FORK"]})
    pid = started(t, bundle)
    assert policy(t, pid)["scheduling policy"] == "SCHED_BATCH|SCHED_RESET_ON_FORK"

    def children():
        path = f"/proc/{pid}/task/{pid}/children"
        return open(path, encoding="utf-8").read().split()
    child = t.wait_until(children, "the payload's child")[0]
    # BATCH without real-time or a better nice value is not reset; the flag itself is.
    assert "RESET_ON_FORK" not in policy(t, child)["scheduling policy"]


def deadline(t, *args, **more):
    times = {"runtime": 2000000, "deadline": 50000000, "period": 100000000}
    return process(t, *args, scheduler=dict({"policy": "SCHED_DEADLINE"}, **times, **more))


@flavors("root")
def test_deadline_with_its_three_times(t):
    pid = started(t, deadline(t, flags=["SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_DL_OVERRUN"]))
    found = policy(t, pid)
    assert found["scheduling policy"] == "SCHED_DEADLINE|SCHED_RESET_ON_FORK", found
    assert found["runtime/deadline/period parameters"] == "2000000/50000000/100000000", found


def test_deadline_with_run_and_with_a_tied_caller(t):
    # 6: SCHED_DEADLINE, field 41 of stat.  The kernel wants all CPUs for it.
    bundle = deadline(t, "/bin/probe", "file:/proc/self/stat")
    cpu = min(os.sched_getaffinity(0))
    result = t.run_container(bundle, preexec_fn=lambda: os.sched_setaffinity(0, {cpu}))
    assert result.probe["file:/proc/self/stat"][0].split()[40] == "6", result


def test_deadline_and_hooks_of_the_container(t):
    # A process under SCHED_DEADLINE cannot fork: it becomes one after its createContainer hooks.
    bundle = deadline(t, "/bin/probe", "file:/proc/self/stat")
    log = t.path("hook.log")
    bundle.config["hooks"] = {"createContainer": [
        {"path": "/bin/sh", "args": ["sh", "-c", f"echo ran > {log}"]}]}
    bundle.save()
    result = t.run_container(bundle)
    assert result.probe["file:/proc/self/stat"][0].split()[40] == "6", result
    assert open(log, encoding="utf-8").read() == "ran\n"
    bundle.config["hooks"] = {"startContainer": [{"path": "/bin/true"}]}
    bundle.save()
    t.fails("run", "-b", bundle.path, bundle.id, has="/process/scheduler/flags")


def test_deadline_that_the_kernel_refuses_fails_and_leaves_nothing(t):
    # sched(7): the CPUs of the process must be all of the scheduling domain's.
    bundle = deadline(t)
    cpus = two_cpus(t)
    bundle.config["linux"].setdefault("resources", {})["cpu"] = {"cpus": str(cpus[0])}
    bundle.save()
    for verb in ("create", "run"):
        t.fails(verb, "-b", bundle.path, bundle.id,
                has=["SCHED_DEADLINE", "/process/scheduler", "cpuset"], code="SCHEDULER")
        t.assert_no_trace(bundle)


def test_wrong_schedulers_are_refused_with_their_place(t):
    for scheduler, place in (
            ({"policy": "SCHED_ISO"}, "/process/scheduler/policy"),
            ({"policy": "SCHED_FIFO"}, "/process/scheduler/priority"),
            ({"policy": "SCHED_OTHER", "nice": 20}, "/process/scheduler/nice"),
            ({"policy": "SCHED_DEADLINE", "runtime": 1}, "/process/scheduler/runtime"),
            ({"policy": "SCHED_LATER"}, "/process/scheduler/policy"),
            ({"policy": "SCHED_IDLE", "flags": ["FLAG"]}, "/process/scheduler/flags/0")):
        bundle = process(t, scheduler=scheduler)
        t.fails("run", "-b", bundle.path, bundle.id, has=place)
        t.assert_no_trace(bundle)


@flavors("rootless")
def test_ordinary_user_is_told_what_real_time_takes(t):
    bundle = process(t, scheduler={"policy": "SCHED_FIFO", "priority": 1})
    t.fails("run", "-b", bundle.path, bundle.id, has=["SCHED_FIFO", "CAP_SYS_NICE"])
    bundle = process(t, ioPriority={"class": "IOPRIO_CLASS_RT", "priority": 1})
    t.fails("run", "-b", bundle.path, bundle.id, has=["IOPRIO_CLASS_RT", "CAP_SYS_NICE"])


# ---- I/O priority -------------------------------------------------------------------------


@flavors("root", "rootless")
def test_io_priority(t):
    for kind, priority, shown in (("BE", 2, "best-effort: prio 2"), ("IDLE", 0, "idle")):
        bundle = process(t, ioPriority={"class": f"IOPRIO_CLASS_{kind}", "priority": priority})
        assert tool(t, "ionice", "-p", str(started(t, bundle))).strip() == shown


def test_io_priority_of_real_time_reaches_the_children(t):
    bundle = process(t, "sh", "-c", "sleep 100 & wait",
                     ioPriority={"class": "IOPRIO_CLASS_RT", "priority": 4})
    pid = started(t, bundle)

    def children():
        return open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8").read().split()
    for one in [str(pid)] + t.wait_until(children, "the payload's child"):
        assert tool(t, "ionice", "-p", one).strip() == "realtime: prio 4"


def test_io_priority_out_of_range_is_refused(t):
    for priority in (8, -1):
        bundle = process(t, ioPriority={"class": "IOPRIO_CLASS_BE", "priority": priority})
        t.fails("run", "-b", bundle.path, bundle.id, has="/process/ioPriority/priority")


# ---- CPU affinity -------------------------------------------------------------------------


def cpus_of(t, bundle, tied_to):
    result = t.run_container(bundle, preexec_fn=lambda: os.sched_setaffinity(0, tied_to))
    lines = result.probe["status"]
    return [line.split()[1] for line in lines if line.startswith("Cpus_allowed_list:")][0]


@flavors("root", "rootless")
def test_callers_affinity_does_not_tie_the_container(t):
    cpus = two_cpus(t)
    free = cpus_of(t, process(t, "/bin/probe", "status"), set(cpus))
    assert cpus_of(t, process(t, "/bin/probe", "status"), {cpus[0]}) == free


def test_cpus_are_those_of_the_cpuset(t):
    cpus = two_cpus(t)
    bundle = process(t, "/bin/probe", "status")
    bundle.config["linux"].setdefault("resources", {})["cpu"] = {"cpus": str(cpus[1])}
    bundle.save()
    assert cpus_of(t, bundle, {cpus[0]}) == str(cpus[1])


def test_affinity_for_exec_is_checked_and_not_applied_to_init(t):
    cpus = two_cpus(t)
    bundle = process(t, "/bin/probe", "status",
                     execCPUAffinity={"initial": str(cpus[0]), "final": f"{cpus[0]}, 1024-2047"})
    free = cpus_of(t, process(t, "/bin/probe", "status"), set(cpus))
    assert cpus_of(t, bundle, set(cpus)) == free
    for name, value in (("initial", "0-"), ("final", "x"), ("final", "99999")):
        bundle = process(t, execCPUAffinity={name: value})
        t.fails("run", "-b", bundle.path, bundle.id, has=f"/process/execCPUAffinity/{name}")


# ---- memory policy ------------------------------------------------------------------------


def memory(t, **policy_object):
    return t.bundle(["/bin/probe", "file:/proc/self/numa_maps"],
                    mutate={"linux": {"memoryPolicy": policy_object}})


def policies(t, bundle):
    return {line.split()[1] for line in
            t.run_container(bundle).probe["file:/proc/self/numa_maps"] if line}


@flavors("root", "rootless")
def test_memory_policy_modes(t):
    if not os.path.exists("/proc/self/numa_maps"):
        t.skip("a kernel without NUMA")
    for mode, nodes, shown in (("BIND", "0", "bind:0"), ("INTERLEAVE", "0-0", "interleave:0"),
                               ("PREFERRED", "0", "prefer:0"), ("LOCAL", None, "local"),
                               ("DEFAULT", "", "default")):
        change = {"mode": f"MPOL_{mode}"}
        if nodes is not None:
            change["nodes"] = nodes
        assert policies(t, memory(t, **change)) == {shown}, mode


def test_memory_policy_flags(t):
    if not os.path.exists("/proc/self/numa_maps"):
        t.skip("a kernel without NUMA")
    for flag, shown in (("STATIC_NODES", "bind=static:0"), ("RELATIVE_NODES", "bind=relative:0")):
        bundle = memory(t, mode="MPOL_BIND", nodes="0", flags=[f"MPOL_F_{flag}"])
        assert policies(t, bundle) == {shown}, flag


def test_newer_memory_policies_work_or_are_explained(t):
    for mode, flags, shown in (("PREFERRED_MANY", [], "prefer (many):0"),
                               ("WEIGHTED_INTERLEAVE", [], "weighted interleave:0"),
                               ("BIND", ["MPOL_F_NUMA_BALANCING"], "bind=balancing:0")):
        bundle = memory(t, mode=f"MPOL_{mode}", nodes="0", flags=flags)
        result = t.run_container(bundle, check=False)
        if result.rc == 0:
            assert shown.split(" ", 1)[-1] in "\n".join(
                result.probe["file:/proc/self/numa_maps"]), result
        else:
            assert f"MPOL_{mode}" in result.err and "/linux/memoryPolicy" in result.err, result


def test_memory_node_that_does_not_exist_fails(t):
    for nodes in ("1023", "64-70,900"):
        bundle = memory(t, mode="MPOL_BIND", nodes=nodes)
        t.fails("run", "-b", bundle.path, bundle.id, has=["/linux/memoryPolicy", nodes],
                code="MEMORY_POLICY")
        t.assert_no_trace(bundle)


def test_wrong_memory_policies_are_refused_with_their_place(t):
    for policy_object, place in (
            ({"mode": "MPOL_BIND"}, "nodes"), ({"mode": "MPOL_BIND", "nodes": "z"}, "nodes"),
            ({"mode": "MPOL_LOCAL", "nodes": "0"}, "nodes"), ({"nodes": "0"}, "mode"),
            ({"mode": "MPOL_OTHER", "nodes": "0"}, "mode"),
            ({"mode": "MPOL_DEFAULT", "flags": ["MPOL_F_STATIC_NODES"]}, "flags"),
            ({"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_X"]}, "flags/0")):
        bundle = memory(t, **policy_object)
        t.fails("run", "-b", bundle.path, bundle.id, has=f"/linux/memoryPolicy/{place}")


# ---- numbers with limits ------------------------------------------------------------------


def test_terminal_larger_than_a_terminal_can_be_is_refused(t):
    bundle = process(t, terminal=True, consoleSize={"height": 65536, "width": 80})
    t.fails("run", "-b", bundle.path, bundle.id, has="/process/consoleSize/height")


def test_personality_flags_are_reserved(t):
    bundle = t.bundle(mutate={"linux": {"personality": {"domain": "LINUX", "flags": ["A"]}}})
    t.fails("run", "-b", bundle.path, bundle.id, has="/linux/personality/flags/0")
    bundle = t.bundle(mutate={"linux": {"personality": {"domain": "LINUX", "flags": []}}})
    t.run_container(bundle)


def test_time_offsets_out_of_range_are_refused(t):
    for offsets, place in (({"monotonic": {"nanosecs": 10 ** 9}}, "monotonic/nanosecs"),
                           ({"boottime": {"secs": 2 ** 62}}, "boottime/secs"),
                           ({"realtime": {"secs": 1}}, "realtime")):
        bundle = t.bundle(mutate={"linux": {"timeOffsets": offsets}})
        bundle.config["linux"]["namespaces"].append({"type": "time"})
        bundle.save()
        t.fails("run", "-b", bundle.path, bundle.id, has=f"/linux/timeOffsets/{place}")
