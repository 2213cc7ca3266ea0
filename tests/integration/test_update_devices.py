# SPDX-License-Identifier: Apache-2.0
"""`update` of the device filter, seen from inside the container that goes on running."""

import os
import stat

import hostside
from harness import flavors
from test_update import Cgroup, read, refused, report, update

DEVICES = [{"allow": False, "access": "rwm"}]
KMSG = {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "rwm"}


def device_container(t):
    """It answers on a file whether it can read /dev/kmsg and /dev/null."""
    bundle = t.bundle("while sleep 0.02; do "
                      "if true </dev/null; then a=yes; else a=no; fi; "
                      "if true </kmsg; then b=yes; else b=no; fi; "
                      "echo $a $b >/answer.new; mv /answer.new /answer; done 2>/dev/null",
                      own_rootfs=True)
    bundle.config["root"]["readonly"] = False
    for names in bundle.config["process"]["capabilities"].values():
        names.append("CAP_SYSLOG")   # without it the kernel itself may refuse /dev/kmsg
    bundle.save()
    os.mknod(os.path.join(bundle.rootfs, "kmsg"), stat.S_IFCHR | 0o666, os.makedev(1, 11))
    t.create(bundle)
    t.start(bundle)
    return bundle


def answers(t, bundle, want):
    path = os.path.join(bundle.rootfs, "answer")

    def matches():
        return os.path.exists(path) and read(path) == want
    t.wait_until(matches, f"the answer {want}")
    if os.path.exists(path):
        os.unlink(path)
    t.wait_until(matches, f"the answer {want} again")


def only_v2(t):
    """A cgroup2 where the runtime looks for it, so that any host has a filter in eBPF."""
    if hostside.cgroup_mounts().get("unified") == "/sys/fs/cgroup":
        return
    try:
        t.mount("cgroup2", "/sys/fs/cgroup", "cgroup2")
    except OSError as err:
        t.skip(f"cgroup2 cannot be mounted: {err}")


def filtered_anew(t):
    bundle = device_container(t)
    answers(t, bundle, "yes no")
    keys = report(t, bundle, resources={"devices": DEVICES + [KMSG]})
    assert keys["/devices"]["verdict"] == "applied"
    answers(t, bundle, "yes yes")
    keys = report(t, bundle, resources={"devices": DEVICES + [KMSG]})
    assert keys["/devices"]["verdict"] == "unchanged"
    # Other limits leave the filter alone.
    update(t, bundle, resources={"cpu": {"shares": 0}})
    answers(t, bundle, "yes yes")
    update(t, bundle, resources={"devices": DEVICES})
    answers(t, bundle, "yes no")
    update(t, bundle, resources={"devices": [{"allow": True, "access": "rwm"}]})
    answers(t, bundle, "yes yes")
    update(t, bundle, resources={"devices": DEVICES})
    answers(t, bundle, "yes no")


@flavors("root")
def test_devices_are_filtered_anew_while_the_container_runs(t):
    filtered_anew(t)


@flavors("root")
def test_v2_devices_are_filtered_anew_while_the_container_runs(t):
    only_v2(t)
    filtered_anew(t)


TTYS = {"allow": True, "type": "c", "major": 4, "access": "rw"}


def never_open(t):
    """While one filter takes the place of another, what neither allows stays closed, and what both allow open."""
    bundle = t.bundle("while true; do "
                      "if true </kmsg; then echo wide; fi; "
                      "if true </dev/null; then :; else echo gap; fi; "
                      "done 2>/dev/null", own_rootfs=True)
    for names in bundle.config["process"]["capabilities"].values():
        names.append("CAP_SYSLOG")
    bundle.save()
    os.mknod(os.path.join(bundle.rootfs, "kmsg"), stat.S_IFCHR | 0o666, os.makedev(1, 11))
    out = t.path("words")
    with open(out, "wb") as words:
        t.rt("create", "--bundle", bundle.path, bundle.id, stdout=words)
    t.start(bundle)
    for _ in range(15):
        update(t, bundle, resources={"devices": DEVICES + [TTYS]})
        update(t, bundle, resources={"devices": DEVICES + [dict(TTYS, minor=1)]})
        update(t, bundle, resources={"devices": DEVICES})
    t.kill(bundle, "KILL")
    t.wait_status(bundle, "stopped")
    assert read(out) == "", set(read(out).split())


@flavors("root")
def test_change_of_the_filter_is_never_open_and_never_closed(t):
    never_open(t)


@flavors("root")
def test_v2_change_of_the_filter_is_never_open_and_never_closed(t):
    only_v2(t)
    never_open(t)


@flavors("root")
def test_v1_exceptions_from_allowed_need_a_paused_container(t):
    bundle = device_container(t)
    if not Cgroup(t.pid(bundle)).is_v1("devices"):
        t.skip("cgroup v2 changes the whole filter at once")
    rules = [{"allow": True, "access": "rwm"},
             {"allow": False, "type": "c", "major": 1, "minor": 11, "access": "rwm"}]
    refused(t, bundle, resources={"devices": rules}, has=["pause", "/devices"])
    answers(t, bundle, "yes no")
    t.rt("pause", bundle.id)
    update(t, bundle, resources={"devices": rules})
    t.rt("resume", bundle.id)
    answers(t, bundle, "yes no")
    where = Cgroup(t.pid(bundle)).dir(t, "devices")
    assert read(where, "devices.list") == "a *:* rwm"
    # The kernel does not say what is denied: nothing may be taken for done already.
    update(t, bundle, resources={"devices": rules[:1]})
    answers(t, bundle, "yes yes")


@flavors("root")
def test_v1_default_cannot_change_with_cgroups_below(t):
    bundle = device_container(t)
    cgroup = Cgroup(t.pid(bundle))
    if not cgroup.is_v1("devices"):
        t.skip("cgroup v2 changes the whole filter at once")
    below = os.path.join(cgroup.dir(t, "devices"), "below")
    os.mkdir(below)
    before = read(cgroup.dir(t, "devices"), "devices.list")
    result = refused(t, bundle, resources={"devices": [{"allow": True, "access": "rwm"}]},
                     has="below it", code="CGROUP_BUSY")
    assert "put back" not in result.err, result
    assert read(cgroup.dir(t, "devices"), "devices.list") == before
    # A list can change all the same, and what is below follows.
    update(t, bundle, resources={"devices": DEVICES + [KMSG]})
    answers(t, bundle, "yes yes")
    update(t, bundle, resources={"devices": DEVICES})
    answers(t, bundle, "yes no")
    os.rmdir(below)


@flavors("root")
def test_device_rule_that_v1_cannot_express_changes_nothing(t):
    bundle = device_container(t)
    rules = [{"allow": False, "access": "rwm"}, {"allow": True, "type": "c", "major": 1,
                                                 "access": "rwm"},
             {"allow": False, "type": "c", "major": 1, "minor": 11, "access": "rwm"}]
    if Cgroup(t.pid(bundle)).is_v1("devices"):
        refused(t, bundle, resources={"devices": rules}, has=["devices/2", "cgroup v1"])
    else:
        update(t, bundle, resources={"devices": rules})
    answers(t, bundle, "yes no")
