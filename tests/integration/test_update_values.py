# SPDX-License-Identifier: Apache-2.0
"""`update` with values and hosts that are rare: each key's verdict, and what is left after a failure."""

import os

import hostside
from harness import flavors
from test_update import LIMITS, MIB, container, need, read, refused, report, update


@flavors("root")
def test_empty_list_of_cpus_in_unified_is_written_as_such(t):
    need(t, "cpuset")
    bundle, cgroup = container(t, {"cpu": {"cpus": "0"}})
    if cgroup.is_v1("cpuset"):
        t.skip("the controller cpuset is a v1 hierarchy here")
    assert read(cgroup.v2, "cpuset.cpus") == "0"
    keys = report(t, bundle, resources={"unified": {"cpuset.cpus": ""}}, check=False)
    entry = keys["/unified/cpuset.cpus"]
    # Older kernels (6.12 is one) take no empty list while there are processes, and say so.
    if entry["verdict"] == "failed":
        assert "No space left on device" in entry["reason"], keys
        assert read(cgroup.v2, "cpuset.cpus") == "0"
    else:
        assert entry["verdict"] == "applied", keys
        assert read(cgroup.v2, "cpuset.cpus") == ""


@flavors("root")
def test_missing_controller_is_named_and_hides_no_other(t):
    bundle, cgroup = container(t)
    root = hostside.cgroup_mounts().get("unified")
    have = read(root, "cgroup.controllers").split() if root else []
    if not cgroup.v2 or "rdma" in have or "rdma" in cgroup.v1:
        t.skip("no controller of cgroup v2 is missing here")
    if "hugetlb" not in have or not os.path.isdir("/sys/kernel/mm/hugepages/hugepages-2048kB"):
        t.skip("no huge pages of 2 MB on cgroup v2 here")
    keys = report(t, bundle, check=False,
                  resources={"rdma": {"mlx5_0": {"hcaHandles": 1}},
                             "hugepageLimits": [{"pageSize": "2MB", "limit": 4 * MIB}]})
    assert keys["/rdma/mlx5_0"]["verdict"] == "unsupported", keys
    assert f"`{root}/cgroup.controllers` does not list it" in keys["/rdma/mlx5_0"]["reason"], keys
    assert keys["/hugepageLimits/0"]["verdict"] == "left", keys
    refused(t, bundle, resources={"unified": {"rdma.max": "mlx5_0 hca_handle=1"}},
            has=["controller `rdma` is not available", "cgroup.subtree_control"])


@flavors("root")
def test_failed_update_leaves_the_weight_of_a_container_that_it_made_idle(t):
    need(t, "cpu", "pids")
    bundle, cgroup = container(t, LIMITS)
    if not cgroup.has(t, "cpu", "cpu.idle", "cpu.idle"):
        t.skip("no cpu.idle here")
    keys = report(t, bundle, resources={"cpu": {"idle": 1}, "pids": {"limit": 1 << 40}},
                  check=False)
    assert keys["/pids/limit"]["verdict"] == "failed", keys
    assert keys["/cpu/idle"]["verdict"] == "left", keys
    assert cgroup.value(t, "cpu", "cpu.idle", "cpu.idle") == "0"
    assert cgroup.value(t, "cpu", "cpu.shares", "cpu.weight") in ("512", "59")


@flavors("root")
def test_document_of_empty_lists_asks_for_nothing(t):
    bundle, _ = container(t)
    update(t, bundle, resources={"devices": [], "hugepageLimits": [], "rdma": {}})
    assert report(t, bundle, resources={"devices": []}) == {}
    refused(t, bundle, resources={"device": []}, has="linux.resources")


@flavors("root")
def test_swap_alone_is_refused_where_memory_has_no_limit(t):
    need(t, "memory")
    bundle, _ = container(t)
    refused(t, bundle, "--memory-swap=128m", has=["memory/swap", "the container has none"])
