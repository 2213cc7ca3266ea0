# SPDX-License-Identifier: Apache-2.0
"""`update` under the systemd driver: the scope's properties change with the container's files, so
that a daemon-reload brings nothing back."""

import json
import os
import stat

from harness import flavors, timeout
from systemd_host import Systemd, is_v2
from test_systemd import SLEEP, bundle_for, controllers, scope_of
from test_update import Cgroup, memory_limits, read
from test_update_devices import DEVICES, KMSG, answers

MIB = 1 << 20


def update(s, bundle, *opts, resources=None):
    kwargs = {}
    if resources is not None:
        opts += ("--resources=-",)
        kwargs["input"] = json.dumps(resources).encode()
    result = s.rt("update", *opts, bundle.id, **kwargs)
    assert (result.out, result.err) == ("", ""), result


def limited(t, s, *needed, **resources):
    for name in needed:
        if name not in controllers(s):
            t.skip(f"no controller {name} for this manager")
    bundle = bundle_for(t, args=SLEEP, resources=resources)
    s.create(bundle)
    return bundle, Cgroup(t.pid(bundle))


@timeout(120)
@flavors("root", "rootless")
def test_new_limits_survive_a_daemon_reload(t):
    s = Systemd(t)
    bundle, cgroup = limited(t, s, "memory", "pids", memory={"limit": 64 * MIB},
                             pids={"limit": 33})
    scope = scope_of(bundle)
    update(s, bundle, "--memory=96m", "--pids-limit=44")
    for last in (False, True):
        assert memory_limits(t, cgroup)[0] == 96 * MIB
        assert cgroup.value(t, "pids", "pids.max", "pids.max") == "44"
        assert s.show(scope, "MemoryMax" if is_v2() else "MemoryLimit", "TasksMax") == \
            [str(96 * MIB), "44"]
        if not last:
            s.ctl("daemon-reload")
    # 0 is "not set", for systemd, too.
    update(s, bundle, "--pids-limit=0")
    assert s.show(scope, "TasksMax") == "44"
    update(s, bundle, "--pids-limit=-1")
    assert cgroup.value(t, "pids", "pids.max", "pids.max") == "max"
    s.delete(bundle)


@timeout(120)
@flavors("root", "rootless")
def test_quota_and_period_are_one_number_for_systemd(t):
    s = Systemd(t)
    bundle, cgroup = limited(t, s, "cpu", cpu={"quota": 50000, "period": 100000})
    scope = scope_of(bundle)

    def now():
        if cgroup.is_v1("cpu"):
            where = cgroup.dir(t, "cpu")
            return read(where, "cpu.cfs_quota_us"), read(where, "cpu.cfs_period_us")
        return tuple(read(cgroup.dir(t, "cpu"), "cpu.max").split())
    for opts, want, share in ((["--cpu-period=200000"], ("50000", "200000"), "250ms"),
                              (["--cpu-quota=100000"], ("100000", "200000"), "500ms"),
                              (["--cpu-quota=-1"], None, "infinity")):
        update(s, bundle, *opts)
        assert s.show(scope, "CPUQuotaPerSecUSec") == share, opts
        assert want is None and now()[0] in ("max", "-1") or now() == want, (opts, now())
    s.delete(bundle)


@timeout(120)
def test_controller_that_nobody_needed_before_is_enabled(t):
    s = Systemd(t)
    bundle, cgroup = limited(t, s, "cpuset", pids={"limit": 33})
    update(s, bundle, "--cpuset-cpus=0")
    assert cgroup.value(t, "cpuset", "cpuset.cpus", "cpuset.cpus") == "0"
    s.delete(bundle)


@timeout(120)
def test_new_device_rules_pass_systemds_filter_and_survive_a_reload(t):
    s = Systemd(t)
    bundle = bundle_for(t, args=["sh", "-c", "while sleep 0.02; do "
                                 "if true </dev/null; then a=yes; else a=no; fi; "
                                 "if true </kmsg; then b=yes; else b=no; fi; "
                                 "echo $a $b >/answer.new; mv /answer.new /answer; done "
                                 "2>/dev/null"], own_rootfs=True)
    bundle.config["root"]["readonly"] = False
    for names in bundle.config["process"]["capabilities"].values():
        names.append("CAP_SYSLOG")
    bundle.save()
    os.mknod(os.path.join(bundle.rootfs, "kmsg"), stat.S_IFCHR | 0o666, os.makedev(1, 11))
    s.create(bundle)
    s.rt("start", bundle.id)
    scope = scope_of(bundle)
    answers(t, bundle, "yes no")
    for rules, want in ((DEVICES + [KMSG], "yes yes"), (DEVICES, "yes no"),
                        ([{"allow": True, "access": "rwm"}], "yes yes"), (DEVICES, "yes no")):
        update(s, bundle, resources={"devices": rules})
        answers(t, bundle, want)
        if KMSG in rules:
            s.ctl("daemon-reload")
            answers(t, bundle, want)
        found = s.show(scope, "DeviceAllow") or ""
        assert ("1:11" in found) == (KMSG in rules), (rules, found)
    s.delete(bundle)
