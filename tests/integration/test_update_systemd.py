# SPDX-License-Identifier: Apache-2.0
"""`update` under the systemd driver: the scope's properties change with the container's files, so
that a daemon-reload brings nothing back."""

import json
import os
import signal
import stat
import subprocess

import hostside
from fake_systemd import FakeSystemd
from harness import PATIENCE, flavors, timeout
from systemd_host import Systemd, has_driver, is_v2
from test_linux_cgroups import ROOT, unified
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


def test_controller_that_nobody_needed_before_is_enabled(t):
    s = Systemd(t)
    bundle, cgroup = limited(t, s, "cpuset", pids={"limit": 33})
    update(s, bundle, "--cpuset-cpus=0")
    assert cgroup.value(t, "cpuset", "cpuset.cpus", "cpuset.cpus") == "0"
    s.delete(bundle)


def has_v1_devices():
    return any("devices" in names.split(",") for names in hostside.cgroup_mounts())


def answering(t, **kwargs):
    """Says all the time whether it may open /dev/null and /kmsg."""
    bundle = bundle_for(t, args=["sh", "-c", "while sleep 0.3; do "
                                 "if true </dev/null; then a=yes; else a=no; fi; "
                                 "if true </kmsg; then b=yes; else b=no; fi; "
                                 "echo $a $b >/answer.new; mv /answer.new /answer; done "
                                 "2>/dev/null"], own_rootfs=True, **kwargs)
    bundle.config["root"]["readonly"] = False
    for names in bundle.config["process"]["capabilities"].values():
        names.append("CAP_SYSLOG")
    bundle.save()
    os.mknod(os.path.join(bundle.rootfs, "kmsg"), stat.S_IFCHR | 0o666, os.makedev(1, 11))
    return bundle


@timeout(400)
def test_new_device_rules_pass_systemds_filter_and_survive_a_reload(t):
    s = Systemd(t)
    bundle = answering(t)
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
        assert ("1:11" in found) == (KMSG in rules and not has_v1_devices()), (rules, found)
    s.delete(bundle)


ALL_BUT_KMSG = [{"allow": True, "access": "rwm"}, dict(KMSG, allow=False)]


@timeout(400)
def test_rules_that_systemd_cannot_say_survive_all_that_it_writes(t):
    """Everything but one device, and one of many majors: it has words for neither."""
    s = Systemd(t)
    reload = ["daemon-reload"]
    bundle = answering(t, resources={"devices": ALL_BUT_KMSG})
    scope = scope_of(bundle)
    name = "MemoryMax" if is_v2() else "MemoryLimit"
    s.create(bundle)
    s.rt("start", bundle.id)
    answers(t, bundle, "yes no")
    commands = [reload, ["set-property", "--runtime", scope, f"{name}=512M"], reload]
    if has_v1_devices():
        # On v2 this is a filter besides ours, and takes /dev/null away as the administrator wants.
        commands += [["set-property", "--runtime", scope, "DeviceAllow=/dev/kmsg rwm"], reload]
    for command in commands:
        s.ctl(*command)
        answers(t, bundle, "yes no")
    broad = {"allow": True, "type": "c", "access": "rw"}
    for rules, want in ((DEVICES, "yes no"), (DEVICES + [dict(broad, minor=11)], "yes yes"),
                        (DEVICES + [dict(broad, minor=12)], "yes no"), (ALL_BUT_KMSG, "yes no"),
                        ([{"allow": True, "access": "rwm"}], "yes yes")):
        # v1 would allow everything for a moment on the way to "all but".
        s.rt("pause", bundle.id)
        update(s, bundle, resources={"devices": rules})
        s.rt("resume", bundle.id)
        answers(t, bundle, want)
        if len(rules) > 1:
            s.ctl(*reload)
            answers(t, bundle, want)
    s.delete(bundle)
    s.gone(scope)
    t.assert_no_trace(bundle)


# ---- a manager that hangs ---------------------------------------------------------------------


def faked(t):
    """A container in a scope of our own manager, and an update of it that waits for ever."""
    unified(t)
    if not has_driver(t):
        t.skip("this runtime was built without the systemd driver")
    t.mount("tmpfs", "/run/systemd", "tmpfs")
    manager = FakeSystemd("/run/systemd/private", (ROOT, f"/{t.prefix}"))
    bundle = bundle_for(t, f"fake.slice:p:{t.new_id()}", args=SLEEP)
    return manager, bundle


class Hanging:
    """`update` up to the place where systemd is told of the devices and does not answer."""

    NEW = {"devices": DEVICES + [KMSG], "unified": {"cgroup.max.depth": "7"}}

    def __init__(self, t, manager, bundle):
        self.t, self.manager, self.bundle = t, manager, bundle
        t.rt("--systemd-cgroup", "create", "-b", bundle.path, bundle.id)
        (self.scope,) = manager.units
        self.where = manager.directory(self.scope) + "/container"
        if os.path.exists(f"{self.where}/pids.max"):
            self.NEW = dict(self.NEW, pids={"limit": 44})
        self.before = dict(manager.units[self.scope])
        self.files = self.read()

    def read(self):
        return [read(self.where, n) for n in ("cgroup.max.depth", "pids.max")
                if os.path.exists(f"{self.where}/{n}")]

    def start(self, *opts):
        asked = len(self.manager.called("SetUnitProperties"))
        child = self.t.popen(*opts, "update", "--resources=-", self.bundle.id,
                             stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        child.stdin.write(json.dumps(self.NEW).encode())
        child.stdin.close()
        self.t.wait_until(lambda: len(self.manager.called("SetUnitProperties")) > asked,
                          "the call to systemd")
        assert self.read()[0] == "7", "the files come first, or this test is void"
        return child

    def assert_undone(self):
        assert self.read() == self.files, (self.read(), self.files)
        now = self.manager.units[self.scope]
        changed = {n: v for n, v in now.items() if v != self.before[n]}
        assert not changed, changed


def test_v2_signals_and_timeout_undo_an_update_that_systemd_does_not_answer(t):
    manager, bundle = faked(t)
    with manager:
        hanging = Hanging(t, manager, bundle)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, None):
            manager.hang = {"SetUnitProperties"}
            child = hanging.start(*([] if number else [f"--timeout={3 * PATIENCE:g}s"]))
            told = manager.called("SetUnitProperties")[-1][2]
            # Who is asked now answers, and had done what it was told before.
            manager.set(hanging.scope, told)
            manager.hang = set()
            if number:
                child.send_signal(number)
            err = child.stderr.read().decode()
            assert child.wait(30 * PATIENCE) == (-number if number else 1), err
            assert (f"by signal {int(number)}" if number else f"not done after {3 * PATIENCE:g} s") in err, err
            assert "SetUnitProperties" in err and "put back" not in err, err
            assert ("DeviceAllow", ["a(ss)", []]) in [(n, list(v)) for n, v in told], told
            hanging.assert_undone()
        t.rt("update", "--resources=-", bundle.id, input=json.dumps(hanging.NEW).encode())
        assert hanging.read()[0] == "7"
        assert ["/dev/char/1:11", "rwm"] in manager.units[hanging.scope]["DeviceAllow"][1]
        t.rt("delete", "--force", bundle.id)
        assert not manager.units


def test_v2_what_systemd_does_not_take_back_is_said(t):
    manager, bundle = faked(t)
    with manager:
        hanging = Hanging(t, manager, bundle)
        manager.hang = {"SetUnitProperties"}
        child = hanging.start()
        child.send_signal(signal.SIGTERM)
        err = child.stderr.read().decode()
        assert child.wait(60 * PATIENCE) == -signal.SIGTERM, err
        for words in ("interrupted by signal 15", hanging.scope, "cannot be put back", "after 5 s"):
            assert words in err, err
        assert hanging.read() == hanging.files, "the files do not wait for systemd"
        t.rt("delete", "--force", bundle.id)
