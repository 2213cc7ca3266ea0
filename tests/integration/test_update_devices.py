# SPDX-License-Identifier: Apache-2.0
"""`update` of the device filter, seen from inside the container that goes on running."""

import os
import stat

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


@flavors("root")
def test_devices_are_filtered_anew_while_the_container_runs(t):
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
