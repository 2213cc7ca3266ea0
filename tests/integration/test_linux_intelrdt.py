# SPDX-License-Identifier: Apache-2.0
"""linux.intelRdt on this host; its rules are tested on a tree like resctrl's in tests/unit/host/test_intelrdt.c."""

import os


def resctrl_root():
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as source:
        for line in source:
            if line.split(" - ", 1)[1].startswith("resctrl "):
                return line.split()[4]
    return None


def with_rdt(t, args="true", **rdt):
    return t.bundle(args, mutate=lambda conf: conf["linux"].update(intelRdt=rdt))


def test_host_without_resctrl_is_told_what_to_mount(t):
    if resctrl_root():
        t.skip("resctrl is mounted here")
    bundle = with_rdt(t, schemata=["L3:0=f"])
    t.fails("run", "-b", bundle.path, bundle.id,
            has=["/linux/intelRdt", "resctrl is not mounted", "mount -t resctrl"], code="RESCTRL")
    t.assert_no_trace(bundle)


def test_directory_that_is_no_resctrl_is_not_taken_for_one(t):
    if resctrl_root():
        t.skip("resctrl is mounted here")
    # What mountinfo calls "resctrl" here is the source of a tmpfs, not its type.
    fake = t.mkdir("resctrl")
    t.mount("resctrl", fake, "tmpfs")
    bundle = with_rdt(t)
    t.fails("create", "-b", bundle.path, bundle.id, has="resctrl is not mounted")
    assert not os.listdir(fake)


def test_container_is_in_a_class_of_its_own(t):
    root = resctrl_root() or t.skip("no resctrl here: processor or kernel lack it, or nobody mounted it")
    bundle = with_rdt(t, ["sleep", "1000"])
    t.create(bundle)
    with open(os.path.join(root, bundle.id, "tasks"), encoding="ascii") as source:
        assert str(t.pid(bundle)) in source.read().split()
    t.delete(bundle, force=True)
    assert not os.path.exists(os.path.join(root, bundle.id))
