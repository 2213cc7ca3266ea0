# SPDX-License-Identifier: Apache-2.0
"""doctor: namespaces that cannot be made, and ids that cannot be mapped, with what mends that."""

import os
import shutil

from diagnosis import (MS_BIND, MS_NOSUID, MS_REC, bind, doctor, holds, in_userns, of, sysctl,
                       tmpfs, user_name, write)
from harness import flavors


# ---- namespaces ------------------------------------------------------------------------------


def test_user_namespaces_that_run_out(t):
    for uid, status in ((0, "warning"), (65534, "problem")):
        found = in_userns(t, sysctl("max_user_namespaces", 0), uid)
        holds(found, "namespaces.user", status, "/proc/sys/user/max_user_namespaces is 0",
              "sysctl -w user.max_user_namespaces=", "No space left")
    found = in_userns(t, sysctl("max_user_namespaces", 7), 0)
    holds(found, "namespaces.max-user", "warning", "max_user_namespaces: 7")


def test_other_namespaces_that_run_out(t):
    script = sysctl("max_net_namespaces", 0) + sysctl("max_ipc_namespaces", 5)
    found = in_userns(t, script, 0)
    holds(found, "namespaces.network", "problem", "No space left", "max_net_namespaces is 0",
          "sysctl -w user.max_net_namespaces=")
    holds(found, "namespaces.ipc", "ok")
    holds(found, "namespaces.max-others", "warning", "max_ipc_namespaces: 5")


@flavors("root", "rootless")
def test_namespaces_that_are_refused(t):
    t.without("EPERM:unshare")
    found = doctor(t)
    if t.rootless:
        holds(found, "namespaces.user", "problem", "unshare(CLONE_NEWNS) in a new user namespace")
    else:
        holds(found, "namespaces.mount", "problem", "not permitted", "CAP_SYS_ADMIN")


def fake_root(t, **sysctls):
    """A copy of the host's mounts to chroot(2) to, where the kernel makes no user namespace."""
    root = t.mkdir("chroot", 0o755)
    t.mount("/", root, flags=MS_BIND | MS_REC)
    kernel = root + "/proc/sys/kernel"
    tmpfs(t, kernel)
    for name, value in sysctls.items():
        write(f"{kernel}/{name}", f"{value}\n")
    return ["chroot", "--userspec=65534:65534", root]


def test_sysctls_that_forbid_user_namespaces(t):
    found = doctor(t, wrapper=fake_root(t, unprivileged_userns_clone=0))
    holds(found, "namespaces.user", "problem", "not permitted",
          "/proc/sys/kernel/unprivileged_userns_clone is 0",
          "sysctl -w kernel.unprivileged_userns_clone=1")


def test_apparmor_that_forbids_user_namespaces(t):
    found = doctor(t, wrapper=fake_root(t, apparmor_restrict_unprivileged_userns=1))
    holds(found, "namespaces.user", "problem", "not permitted", "apparmor_restrict", "userns,",
          "apparmor_parser -r")


def test_user_namespaces_that_are_refused_without_a_sysctl(t):
    found = doctor(t, wrapper=fake_root(t))
    holds(found, "namespaces.user", "problem", "not permitted", "chroot")


def test_root_is_told_what_ordinary_users_lack(t):
    tmpfs(t, "/proc/sys/kernel")
    write("/proc/sys/kernel/unprivileged_userns_clone", "0\n")
    write("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n")
    found = doctor(t)
    holds(found, "namespaces.unprivileged", "note", "unprivileged_userns_clone: 0")
    holds(found, "namespaces.apparmor", "note", "apparmor_restrict_unprivileged_userns: 1")


# ---- subordinate ids -------------------------------------------------------------------------


def test_root_needs_no_subordinate_ids(t):
    assert not [one for one in doctor(t) if one["area"] == "ids"]


@flavors("rootless")
def test_subordinate_ids_are_mapped(t):
    if not t.subids:
        t.skip("no subordinate ids for the test user")
    found = doctor(t)
    holds(found, "ids.subuid", "ok", user_name(t))
    holds(found, "ids.subgid", "ok", user_name(t))
    holds(found, "ids.newuidmap", "ok")
    holds(found, "ids.mapping", "ok")


@flavors("rootless")
def test_missing_subordinate_ids(t):
    bind(t, "subuid", "somebody:100000:65536\n", "/etc/subuid")
    bind(t, "subgid", "", "/etc/subgid")
    found = doctor(t)
    name = user_name(t)
    holds(found, "ids.subuid", "problem", f"no line for {name}", "/etc/subuid",
          f"usermod --add-subuids 165536-231071 {name}", f"{name}:165536:65536")
    holds(found, "ids.subgid", "problem", f"usermod --add-subgids 100000-165535 {name}")
    assert not of(found, "ids.mapping")


@flavors("rootless")
def test_damaged_and_overlapping_subordinate_ids(t):
    bind(t, "subuid", f"a line\n{user_name(t)}:200000:70000\nother:265000:65536\n", "/etc/subuid")
    bind(t, "subgid", f"{t.uid}:200000:1000\n", "/etc/subgid")
    found = doctor(t)
    holds(found, "ids.subuid", "warning", "/etc/subuid, line 1", "user:first:count")
    holds(found, "ids.subuid", "warning", "overlaps one of other")
    holds(found, "ids.subgid", "warning", "1000 ids", "65534")


@flavors("rootless")
def test_subordinate_ids_from_elsewhere(t):
    bind(t, "nsswitch", "passwd: files\nsubid:  sss\n", "/etc/nsswitch.conf")
    found = doctor(t)
    holds(found, "ids.elsewhere", "note", "getsubids")
    assert not of(found, "ids.subuid") and not of(found, "ids.mapping")


def program(t, name, source, mode, owner=(0, 0)):
    """A file to bind over /usr/bin/NAME."""
    target = f"/usr/bin/{name}"
    if not os.path.exists(target):
        t.skip(f"no {target} on this machine")
    path = t.path(f"{name}-{mode:o}")
    shutil.copy(source, path)
    os.chown(path, *owner)
    os.chmod(path, mode)
    t.mount(path, target, flags=MS_BIND)
    return path


@flavors("rootless")
def test_programs_that_map_ids_are_missing(t):
    for name in ("newuidmap", "newgidmap"):
        program(t, name, "/bin/true", 0o644)
    found = doctor(t)
    holds(found, "ids.newuidmap", "problem", "in none of /usr/bin", "apt-get install uidmap")
    holds(found, "ids.newgidmap", "problem", "in none of")
    assert not of(found, "ids.mapping")


@flavors("rootless")
def test_programs_that_map_ids_without_privilege(t):
    program(t, "newuidmap", "/bin/true", 0o755)
    program(t, "newgidmap", "/bin/true", 0o4755, owner=(t.uid, t.gid))
    found = doctor(t)
    holds(found, "ids.newuidmap", "problem", "mode 0755 of uid 0", "chmod 4755 /usr/bin/newuidmap",
          "setcap cap_setuid=ep")
    holds(found, "ids.newgidmap", "problem", f"of uid {t.uid}", "setcap cap_setgid=ep")


@flavors("rootless")
def test_programs_that_map_ids_by_file_capabilities(t):
    path = program(t, "newuidmap", "/usr/bin/newuidmap", 0o755)
    value = b"\x01\x00\x00\x02" + (1 << 7).to_bytes(4, "little") + bytes(12)
    try:
        os.setxattr(path, "security.capability", value)
    except OSError as error:
        t.skip(f"no file capabilities in {t.dir}: {error}")
    holds(doctor(t), "ids.newuidmap", "ok")


@flavors("rootless")
def test_programs_that_map_ids_on_nosuid(t):
    place = t.mkdir("nosuid")
    tmpfs(t, place, MS_NOSUID)
    for name in ("newuidmap", "newgidmap"):
        if not os.path.exists(f"/usr/bin/{name}"):
            t.skip(f"no /usr/bin/{name} on this machine")
        shutil.copy(f"/usr/bin/{name}", place)
        os.chmod(f"{place}/{name}", 0o4755)
        t.mount(f"{place}/{name}", f"/usr/bin/{name}", flags=MS_BIND)
    holds(doctor(t), "ids.newuidmap", "problem", "nosuid")


@flavors("rootless")
def test_programs_that_map_ids_with_no_new_privs(t):
    if not t.subids:
        t.skip("no subordinate ids for the test user")
    found = doctor(t, wrapper=["setpriv", "--no-new-privs"])
    holds(found, "ids.newuidmap", "problem", "no_new_privs", "NoNewPrivileges=")


@flavors("rootless")
def test_mappings_that_are_refused(t):
    if not t.subids:
        t.skip("no subordinate ids for the test user")
    program(t, "newgidmap", t.file("says", "#!/bin/sh\necho newgidmap: not today. >&2\nexit 1\n"),
            0o4755)
    holds(doctor(t), "ids.mapping", "problem",
          "newgidmap refused the mappings: operation not permitted (not today). Check")
