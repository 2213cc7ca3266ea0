# SPDX-License-Identifier: Apache-2.0
"""doctor: security modules, filters, keys, file systems, devices, and being in a container."""

import glob
import os
import stat

import hostside
from diagnosis import (MS_BIND, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_REMOUNT, bind, doctor,
                       findings, holds, in_userns, of, only_v2, tmpfs, write)
from harness import flavors


# ---- security --------------------------------------------------------------------------------


def test_apparmor_without_its_parser(t):
    tmpfs(t, "/sys/module")
    write("/sys/module/apparmor/parameters/enabled", "Y\n")
    for path in ("/usr/sbin/apparmor_parser", "/sbin/apparmor_parser"):
        if os.path.exists(path):
            bind(t, os.path.basename(path), "", path)
    found = doctor(t)
    assert of(found, "security.apparmor")[0]["status"] in ("ok", "warning")
    holds(found, "security.apparmor-parser", "warning", "apparmor_parser")


def test_a_policy_without_containers(t):
    tmpfs(t, "/sys/fs")
    write("/sys/fs/selinux/enforce", "1")
    write("/sys/fs/selinux/context")
    holds(doctor(t), "security.selinux", "ok", "enforcing")
    # Refuses what is no number with EINVAL, as the policy does what it does not know.
    t.mount(f"/proc/{os.getpid()}/oom_score_adj", "/sys/fs/selinux/context", flags=MS_BIND)
    holds(doctor(t), "security.selinux", "problem", "container_t", "container-selinux")
    write("/sys/fs/selinux/enforce", "0")
    holds(doctor(t), "security.selinux", "warning", "permissive")


def test_root_without_capabilities(t):
    wrapper = ["setpriv", "--bounding-set=-mknod,-setpcap"]
    found = doctor(t, wrapper=wrapper)
    holds(found, "security.capabilities", "problem", "CAP_SETPCAP")
    holds(found, "security.capabilities", "note", "CAP_MKNOD", "--cap-add CAP_MKNOD")
    found = doctor(t, wrapper=["setpriv", "--bounding-set=-sys_admin"])
    holds(found, "security.capabilities", "problem", "CAP_SYS_ADMIN")


def test_device_filters_that_cannot_be_loaded(t):
    only_v2(t)
    holds(doctor(t), "security.device-filter", "ok")
    t.without("EPERM:bpf")
    holds(doctor(t), "security.device-filter", "problem", "bpf(BPF_PROG_LOAD)", "CAP_BPF")
    found = in_userns(t, "", 0)
    holds(found, "security.device-filter", "note", "user namespace")


@flavors("root", "rootless")
def test_filters_that_cannot_be_loaded(t):
    holds(doctor(t), "seccomp.filter", "ok")
    t.without("EPERM:seccomp")
    found = doctor(t)
    holds(found, "seccomp.filter", "problem", "seccomp(SECCOMP_SET_MODE_FILTER)")
    holds(found, "seccomp.listener", "note", "NEW_LISTENER")
    holds(found, "seccomp.wait-killable", "note", "5.19")


def test_actions_of_filters(t):
    bind(t, "actions", "kill_thread trap allow\n", "/proc/sys/kernel/seccomp/actions_avail")
    found = doctor(t)
    holds(found, "seccomp.actions", "problem", "no `errno`")
    for name in ("user_notif", "log", "kill_process"):
        holds(found, "seccomp.actions", "note", f"no `{name}`")
    tmpfs(t, "/proc/sys/kernel/seccomp")
    holds(doctor(t), "seccomp.actions", "warning", "No such file", "CONFIG_SECCOMP_FILTER")


def test_a_library_that_cannot_be_loaded(t):
    if "built without" in of(doctor(t), "seccomp.library")[0]["found"]:
        t.skip("built without seccomp")
    paths = [p for pattern in ("/usr/lib*/", "/usr/lib*/*/", "/lib*/", "/lib*/*/")
             for p in glob.glob(pattern + "libseccomp.so.2")]
    if not paths:
        t.skip("libseccomp.so.2 is not below /usr/lib")
    for i, path in enumerate(sorted({os.path.realpath(p) for p in paths})):
        t.mount(t.file(f"library{i}", "no library"), path, flags=MS_BIND)
    found = doctor(t)
    if of(found, "seccomp.library")[0]["status"] == "ok":
        t.skip("the runtime is linked statically")
    holds(found, "seccomp.library", "problem", "libseccomp", "apt-get install libseccomp2")


# ---- keys ------------------------------------------------------------------------------------


@flavors("root", "rootless")
def test_the_quota_of_keys(t):
    bind(t, "key-users", f"{t.uid:5}:     5 5/5 199/200 100/20000\n", "/proc/key-users")
    one = holds(doctor(t), "keyring.quota", "warning", "199 of 200 keys")
    assert ("kernel.keys.maxkeys=" if t.rootless else "kernel.keys.root_maxkeys=") in one["fix"], one
    hostside.umount("/proc/key-users")
    bind(t, "key-users2", f"{t.uid:5}:     5 5/5 1/200 100/20000\n", "/proc/key-users")
    holds(doctor(t), "keyring.quota", "ok")


@flavors("root", "rootless")
def test_session_keyrings_that_cannot_be_made(t):
    for error, status, word in (("EDQUOT:", "problem", "quota exceeded"),
                                ("EPERM:", "note", "not permitted"), ("", "note", "CONFIG_KEYS")):
        t.without(error + "keyctl")
        holds(doctor(t), "keyring.session", status, word)


# ---- file systems ----------------------------------------------------------------------------


def with_state(t, place):
    argv = [t.runtime, "--root", place, "doctor", "--json"]
    return findings(t.rt(argv=argv, check=False))


def test_the_file_system_of_the_state(t):
    place = t.mkdir("place")
    tmpfs(t, place, data="size=256k,nr_inodes=60,mode=700")
    holds(with_state(t, place), "storage.state", "ok", "tmpfs")
    with open(place + "/full", "wb") as out:
        out.write(bytes(250 * 1024))
    holds(with_state(t, place), "storage.state", "warning", "No space left on device")
    os.unlink(place + "/full")
    for i in range(57):
        write(f"{place}/{i}")
    holds(with_state(t, place), "storage.state", "warning", "nr_inodes")
    hostside.mount(None, place, None, MS_REMOUNT | MS_RDONLY)
    holds(with_state(t, place), "storage.state", "problem", "read-only")


@flavors("rootless")
def test_a_state_directory_that_is_not_ours(t):
    place = t.mkdir("place")
    os.chown(place, 0, 0)
    holds(with_state(t, place), "storage.state", "problem", "not for our user to write", "--root")
    holds(with_state(t, place + "/a/b"), "storage.state", "problem", "does not exist", place)
    os.chmod(place, 0o777)
    holds(with_state(t, place), "storage.state", "warning", "not ours alone", f"chown {t.uid}")


@flavors("root", "rootless")
def test_a_home_of_root_file_systems_that_forbids_programs(t):
    home = t.mkdir("home")
    tmpfs(t, home, MS_NOEXEC | MS_NOSUID)
    os.chmod(home, 0o777)
    found = doctor(t, env={"HOME": home})
    holds(found, "storage.home", "warning", "noexec", "tmpfs")


def test_a_file_system_that_does_not_answer(t):
    place = t.mkdir("hangs")
    fuse = os.open("/dev/fuse", os.O_RDWR) if os.path.exists("/dev/fuse") else -1
    if fuse < 0:
        t.skip("no /dev/fuse")
    try:
        t.mount("nobody", place, "fuse", data=f"fd={fuse},rootmode=40000,user_id=0,group_id=0")
        found = doctor(t, env={"HOME": place + "/below"}, timeout=60)
        holds(found, "storage.home", "note", "no answer within", "server")
        holds(found, "idmap.home", "note")
    finally:
        os.close(fuse)


def test_a_bundle_that_does_not_answer(t):
    place = t.mkdir("hangs")
    fuse = os.open("/dev/fuse", os.O_RDWR) if os.path.exists("/dev/fuse") else -1
    if fuse < 0:
        t.skip("no /dev/fuse")

    def point(conf):
        conf["mounts"].append({"destination": "/x", "type": "bind", "source": place + "/below",
                               "options": ["bind"]})
    try:
        t.mount("nobody", place, "fuse", data=f"fd={fuse},rootmode=40000,user_id=0,group_id=0")
        found = doctor(t, "--bundle", t.bundle(mutate=point).path, timeout=90)
        holds(found, "bundle.config", "problem", "no answer within", "servers")
    finally:
        os.close(fuse)


@flavors("root", "rootless")
def test_overlay_that_cannot_be_mounted(t):
    t.without("EPERM:mount")
    found = doctor(t)
    one = of(found, "storage.overlay")[0]
    assert one["status"] in ("warning", "note") and "not permitted" in one["found"], one


def test_file_systems_that_cannot_be_idmapped(t):
    t.needs("open_tree")
    t.needs("mount_setattr")
    holds(doctor(t, env={"HOME": "/sys"}), "idmap.home", "note", "/sys (sysfs)", "ext4, xfs")
    t.without("mount_setattr")
    holds(doctor(t), "idmap.home", "note", "not implemented", "5.12")


@flavors("rootless")
def test_an_ordinary_user_cannot_idmap(t):
    holds(doctor(t), "idmap.unprivileged", "ok")


# ---- devices ---------------------------------------------------------------------------------


@flavors("root", "rootless")
def test_devices_that_are_missing(t):
    status = "warning" if t.rootless else "note"
    if not os.path.exists("/dev/fuse") or not os.path.isdir("/dev/net"):
        t.skip("no /dev/fuse or /dev/net to be taken away")
    t.mount("/dev/null", "/dev/fuse", flags=MS_BIND)
    tmpfs(t, "/dev/net")
    found = doctor(t)
    holds(found, "devices.fuse", status, "not the character device 10:229", "modprobe fuse")
    holds(found, "devices.tun", status, "/dev/net/tun: No such file", "modprobe tun")


@flavors("rootless")
def test_devices_that_may_not_be_opened(t):
    tmpfs(t, "/dev/net" if os.path.isdir("/dev/net") else t.skip("no /dev/net"))
    os.mknod("/dev/net/tun", stat.S_IFCHR | 0o600, os.makedev(10, 200))
    holds(doctor(t), "devices.tun", "warning", "Permission denied", "chmod 666 /dev/net/tun")


# ---- in a container --------------------------------------------------------------------------


@flavors("root", "rootless")
def test_a_masked_proc(t):
    one = of(doctor(t), "nested.proc")
    if not one or one[0]["status"] != "ok":
        t.skip("proc cannot be mounted in a user namespace here")
    t.mount("/dev/null", "/proc/kcore" if os.path.exists("/proc/kcore") else "/proc/keys",
            flags=MS_BIND)
    tmpfs(t, "/sys/kernel")
    found = doctor(t)
    status = "problem" if t.rootless else "warning"
    holds(found, "nested.proc", status, "mount proc", "not permitted", "`/proc/k",
          "systempaths=unconfined")
    holds(found, "nested.sysfs", status, "mount sysfs", "not permitted", "`/sys/kernel`")


def test_signs_of_a_container(t):
    tmpfs(t, "/run")
    write("/run/.containerenv")
    holds(doctor(t), "nested.container", "note", "/run/.containerenv")


@flavors("root", "rootless")
def test_a_user_namespace_with_few_ids(t):
    found = doctor(t, wrapper=["unshare", "-Ur"])
    holds(found, "nested.user-namespace", "warning", "/proc/self/uid_map: 1 ids")
    if not t.rootless:
        holds(in_userns(t, "", 0), "nested.user-namespace", "ok")
