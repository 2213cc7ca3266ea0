# SPDX-License-Identifier: Apache-2.0
"""doctor: cgroups of each layout, what is delegated of them, and systemd."""

import os
import stat

import hostside
import systemd_host
from diagnosis import (MS_BIND, MS_RDONLY, MS_REMOUNT, doctor, enter, findings, holds, of,
                       only_v2, own_cgroup, tmpfs, user_name, write)
from harness import flavors


# ---- cgroups ---------------------------------------------------------------------------------


def test_no_cgroup_file_system(t):
    t.mount(t.mkdir("empty"), "/sys/fs/cgroup", flags=MS_BIND)
    found = doctor(t)
    holds(found, "cgroup.layout", "problem", "no cgroup file system", "mount -t cgroup2")
    found = findings(t.rt("--cgroup-manager=disabled", "doctor", "--json", check=False))
    holds(found, "cgroup.layout", "ok", "disabled")


@flavors("root", "rootless")
def test_cgroup_v1_without_controllers(t):
    tmpfs(t, "/sys/fs/cgroup")
    write("/sys/fs/cgroup/memory/cgroup.procs")
    found = doctor(t)
    holds(found, "cgroup.layout", "warning" if t.rootless else "note", "v1",
          "systemd.unified_cgroup_hierarchy=1")
    for name, status in (("cpu", "warning"), ("pids", "warning"), ("cpuset", "note"),
                         ("blkio", "note"), ("hugetlb", "note")):
        holds(found, "cgroup.controllers", status, f"/sys/fs/cgroup/{name}: no such hierarchy")
    holds(found, "cgroup.swap", "note", "swapaccount=1")


def test_read_only_cgroups(t):
    place = t.mkdir("ro")
    tmpfs(t, place)
    write(place + "/memory/cgroup.procs")
    t.mount(place, "/sys/fs/cgroup", flags=MS_BIND)
    hostside.mount(None, "/sys/fs/cgroup", None, MS_REMOUNT | MS_BIND | MS_RDONLY)
    holds(doctor(t), "cgroup.read-only", "problem", "mounted read-only", "remount,rw /sys/fs/cgroup")


def test_controllers_of_cgroup_v2(t):
    only_v2(t)
    with open("/sys/fs/cgroup/cgroup.controllers", encoding="ascii") as source:
        have = source.read().split()
    found = doctor(t)
    holds(found, "cgroup.layout", "ok", "cgroup v2")
    for name in ("memory", "cpu", "pids", "cpuset", "io", "hugetlb"):
        if name in have:
            assert not any(f"`{name}`" in one["found"] for one in of(found, "cgroup.controllers"))
        else:
            one = holds(found, "cgroup.controllers", "note" if name in ("cpuset", "io", "hugetlb")
                        else "warning", f"`{name}` is not in")
            assert name != "memory" or "cgroup_enable=memory" in one["fix"], one


@flavors("rootless")
def test_cgroups_that_are_not_delegated(t):
    only_v2(t)
    found = doctor(t)
    one = of(found, "cgroup.delegation")[0]
    if one["status"] == "ok":
        t.skip("everything is delegated to the test user here")
    assert "cgroup" in one["found"] and "--cgroup-manager=systemd" in one["fix"], one


def delegated(t, top):
    """doctor as an ordinary user whose own cgroup, a child of `top`, was delegated."""
    return doctor(t, wrapper=enter(top + "/shell", "setpriv", "--reuid=65534", "--regid=65534",
                                   "--clear-groups"))


def test_delegated_cgroups_without_controllers(t):
    only_v2(t)
    top = own_cgroup(t)
    os.makedirs(top + "/shell")
    for path in (top, top + "/cgroup.procs", top + "/shell", top + "/shell/cgroup.procs"):
        os.chown(path, 65534, 65534)
    with open(top + "/cgroup.controllers", encoding="ascii") as source:
        have = source.read().split()
    lacks = [c for c in ("memory", "cpu", "pids", "cpuset", "io") if c not in have]
    status = "warning" if set(lacks) & {"memory", "cpu", "pids"} else "note" if lacks else "ok"
    tmpfs(t, "/run")
    has = ["without " + " ".join(lacks), "cgroup.subtree_control", f"+{lacks[0]}"] if lacks else []
    holds(delegated(t, top), "cgroup.delegation", status, t.prefix, *has)
    os.makedirs("/run/systemd/system")
    has = ["/etc/systemd/system/user@.service.d/delegate.conf", "[Service]",
           "Delegate=cpu cpuset io memory pids", "systemctl daemon-reload",
           "systemctl restart user@65534.service"] if lacks else []
    holds(delegated(t, top), "cgroup.delegation", status, *has)
    os.rmdir(top + "/shell")


def in_inner_root(t, top, setup="true"):
    """doctor where the cgroup of ours `top` is the root of the cgroup namespace."""
    # On a tmpfs, for the kernel does not mount the same file system twice at one place.
    script = f"{setup}; echo $$ >{top}/cgroup.procs && exec unshare -C -m sh -c '" \
        "mount -t tmpfs none /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && " \
        "exec \"$@\"' sh \"$@\""
    return doctor(t, wrapper=["sh", "-c", script, "sh"])


def test_processes_in_the_root_of_the_cgroup_namespace(t):
    found = in_inner_root(t, own_cgroup(t))
    holds(found, "cgroup.inner-root", "warning", "cgroup.procs", "mkdir /sys/fs/cgroup/init")


def test_threaded_cgroups(t):
    top = own_cgroup(t)
    os.mkdir(top + "/inner")
    write(top + "/inner/cgroup.type", "threaded")
    found = in_inner_root(t, top)
    holds(found, "cgroup.type", "warning", "domain threaded")
    os.rmdir(top + "/inner")


def test_limits_of_the_cgroup_tree(t):
    top = own_cgroup(t)
    found = in_inner_root(t, top, f"echo 3 >{top}/cgroup.max.depth; "
                          f"echo 9 >{top}/cgroup.max.descendants")
    holds(found, "cgroup.max-depth", "warning", "cgroup.max.depth: 3", "echo max >")
    holds(found, "cgroup.max-descendants", "warning", "cgroup.max.descendants: 9")


# ---- systemd ---------------------------------------------------------------------------------


def booted(t, yes):
    tmpfs(t, "/run")
    if yes:
        os.makedirs("/run/systemd/system")


@flavors("root", "rootless")
def test_no_systemd(t):
    booted(t, False)
    holds(doctor(t), "systemd.booted", "note", "/run/systemd/system", "--cgroup-manager=cgroupfs")
    result = t.rt("--systemd-cgroup", "doctor", "--json", check=False)
    holds(findings(result), "systemd.booted", "problem", "no container starts")
    holds(findings(result), "systemd.bus", "problem")


@flavors("root", "rootless")
def test_a_systemd_that_cannot_be_reached(t):
    booted(t, True)
    found = doctor(t)
    holds(found, "systemd.booted", "ok")
    one = holds(found, "systemd.bus", "warning", "--cgroup-manager=cgroupfs")
    if "cannot connect" in one["found"]:
        assert ("enable-linger" if t.rootless else "daemon-reexec") in one["fix"], one


@flavors("root", "rootless")
def test_a_systemd_that_answers(t):
    s = systemd_host.Systemd(t)
    found = doctor(t, env=s.env)
    holds(found, "systemd.booted", "ok")
    holds(found, "systemd.bus", "ok", "the user's manager" if t.rootless else "the system's manager")
    if t.rootless and systemd_host.is_v2():
        point = f"/sys/fs/cgroup/user.slice/user-{t.uid}.slice/user@{t.uid}.service"
        with open(point + "/cgroup.controllers", encoding="ascii") as source:
            have = source.read().split()
        one = of(found, "systemd.delegation")[0]
        lacks = [c for c in ("memory", "cpu", "pids", "cpuset", "io") if c not in have]
        assert (one["status"] == "ok") == (not lacks) and point in one["found"], one
        assert not lacks or "delegate.conf" in one["fix"], one
        found = findings(s.rt("--systemd-cgroup", "doctor", "--json", check=False))
        assert not of(found, "cgroup.delegation"), found


@flavors("rootless")
def test_the_runtime_directory(t):
    holds(doctor(t), "systemd.runtime-dir", "ok", t.run_dir)
    for value, word in ((None, "not set"), ("", "not set"), ("run", "not absolute"),
                        (t.path("nowhere"), "No such file"), ("/proc", "is of uid 0")):
        found = doctor(t, env={"XDG_RUNTIME_DIR": value})
        holds(found, "systemd.runtime-dir", "warning", word, f"XDG_RUNTIME_DIR=/run/user/{t.uid}")


@flavors("rootless")
def test_lingering(t):
    booted(t, True)
    tmpfs(t, "/var/lib")
    holds(doctor(t), "systemd.linger", "note", f"loginctl enable-linger {user_name(t)}")
    write(f"/var/lib/systemd/linger/{user_name(t)}")
    holds(doctor(t), "systemd.linger", "ok")


def test_links_of_devices(t):
    booted(t, True)
    place = t.mkdir("dev")
    tmpfs(t, place)
    for name, minor in (("null", 3), ("zero", 5), ("random", 8), ("urandom", 9)):
        os.mknod(f"{place}/{name}", stat.S_IFCHR | 0o666, os.makedev(1, minor))
        os.chmod(f"{place}/{name}", 0o666)
    t.mount(place, "/dev", flags=MS_BIND)
    holds(doctor(t), "systemd.device-links", "warning", "/dev/char")
    os.mkdir("/dev/char")
    assert not of(doctor(t), "systemd.device-links")
    write("/dev/nvidiactl")
    holds(doctor(t), "systemd.device-links", "warning", "create-dev-char-symlinks")
