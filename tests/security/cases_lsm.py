# SPDX-License-Identifier: Apache-2.0
"""R6: a label that cannot be set is the end of the container, never a container without it."""

import contextlib
import os
import shutil
import subprocess

import host
from case import case, mount

SECURITY = "/sys/kernel/security/apparmor"
PROFILE = """profile %s flags=(attach_disconnected,mediate_deleted) {
  file, capability, network, mount, umount, pivot_root, signal, ptrace, unix,
}
"""
# Of the policy that tests/vm loads; others know it under the same name.
LABEL = "system_u:system_r:container_t:s0:c1,c2"
FILES = "system_u:object_r:container_file_t:s0:c1,c2"


def apparmor():
    try:
        return host.read("/sys/module/apparmor/parameters/enabled").strip() == "Y"
    except OSError:
        return False


def selinux():
    """Whether it is enforcing, with a policy that has a type for containers."""
    try:
        with open("/sys/fs/selinux/context", "wb", 0) as check:
            check.write(LABEL.encode() + b"\0")
        return host.read("/sys/fs/selinux/enforce").strip() == "1"
    except OSError:
        return False


def must_fail(c, change, what):
    bundle = c.bundle(["/bin/true"], change)
    result = c.run(bundle)
    c.rows += 1
    assert result.rc != 0 and result.err.strip(), f"{what}: runs without its label: {result}"
    c.delete_failed(bundle)
    c.remove(bundle)
    c.audit(what)


@case("CVE-2019-16884", "CVE-2015-1334", flavors=("root", "rootless"))
def apparmor_profile_that_cannot_be_set(c):
    for name in ("no-such-profile-4f1d", "unconfined_no_such", "unconfined//x", "a\nb", "../x"):
        must_fail(c, {"process": {"apparmorProfile": name}}, f"AppArmor {name!r}")


@case("CVE-2019-16884", "CVE-2015-1334")
def selinux_label_that_cannot_be_set(c):
    for label in ("no:such:label:s0", "no-label", "system_u:system_r:no_such_t:s0", "a\nb"):
        must_fail(c, {"process": {"selinuxLabel": label}}, f"SELinux {label!r}")


@case("CVE-2019-16884", "CVE-2015-1334")
def label_of_exec_that_cannot_be_set(c):
    bundle = c.bundle(["/bin/sleep", "1000"])
    c.start_detached(bundle)
    for opts in (["--apparmor", "no-such-profile-4f1d"], ["--process-label", "no:such:label:s0"]):
        result = c.rt("exec", *opts, bundle.id, "/bin/true")
        assert result.rc != 0 and result.err.strip(), f"{opts}: {result}"
        c.rows += 1
    c.must("delete", "--force", bundle.id)
    c.audit()


def fake_proc(c):
    """What an image or a volume has in the place of procfs: files that take every label."""
    fake = c.new("fake")
    for where in ("self", "thread-self", "1"):
        for name in ("exec", "current", "fscreate", "apparmor/exec", "apparmor/current"):
            path = f"{fake}/{where}/attr/{name}"
            os.makedirs(os.path.dirname(path), exist_ok=True)
            host.write(path, "", 0o666)
    return fake


@case("CVE-2019-16884", "CVE-2015-3630", "CVE-2015-3631", "CVE-2025-52881")
def mounts_over_proc_are_refused(c):
    fake = fake_proc(c)
    for destination in ("/proc", "/proc/", "//proc", "/./proc", "/tmp/../proc", "/link", "/link/self",
                        "/proc/self", "/proc/self/attr", "/proc/sys", "/proc/thread-self", "/proc/1",
                        "/proc/sysrq-trigger", "/proc/self/attr/../attr"):
        for kind, source, opts in (("tmpfs", "tmpfs", []), ("bind", fake, ["rbind"])):
            def change(conf, kind=kind, source=source, opts=opts, destination=destination):
                conf["mounts"].append(mount(destination, kind, source, *opts))
            bundle = c.bundle(["/bin/probe", "look"], change)
            os.symlink("/proc", bundle.rootfs + "/link")
            result = c.run(bundle)
            ran = c.verdict(bundle, result, f"{kind} on {destination}")
            assert not ran, f"{kind} on {destination}: must be refused: {result}"
            c.remove(bundle)


def without_procfs(conf):
    conf["mounts"] = [m for m in conf["mounts"] if m["destination"] != "/proc"]
    conf["linux"]["maskedPaths"] = conf["linux"]["readonlyPaths"] = []


def put_fake_proc(c, bundle):
    os.rmdir(bundle.rootfs + "/proc")
    os.rename(fake_proc(c), bundle.rootfs + "/proc")


@case("CVE-2025-52881", "CVE-2025-62596", "CVE-2019-16884")
def label_is_not_written_to_what_the_image_has_for_proc(c):
    """Without a mount of procfs in the configuration, the image's own /proc has the files."""
    if apparmor():
        process = {"apparmorProfile": "no-such-profile-4f1d"}
    elif selinux():
        process = {"selinuxLabel": "system_u:system_r:no_such_t:s0"}
    else:
        c.skip("neither AppArmor nor SELinux is in force")
    for with_mount in (True, False):
        bundle = c.bundle(["/bin/true"], {"process": process})
        if not with_mount:
            without_procfs(bundle.config)
            bundle.save()
        put_fake_proc(c, bundle)
        result = c.run(bundle)
        assert result.rc != 0, f"the label went to a file of the image: {result}"
        c.delete_failed(bundle)
        c.rows += 1
    c.audit()


@contextlib.contextmanager
def profile(c):
    """Name of a profile that is in the kernel for the length of a case."""
    if not apparmor():
        c.skip("no AppArmor in this kernel")
    if not shutil.which("apparmor_parser") or not os.path.exists(SECURITY + "/.load"):
        c.skip("no apparmor_parser, or profiles cannot be loaded here")
    name = c.prefix + "-profile"
    path = c.file("profile", PROFILE % name)

    def parser(option):
        subprocess.run(["apparmor_parser", "--skip-cache", option, path], check=True)
    parser("--replace")
    try:
        yield name
    finally:
        parser("--remove")


def check_label(pid, shown, what):
    """As the kernel tells it to the host: what a container says of itself might be made up."""
    have = host.read(f"/proc/{pid}/attr/current").strip("\0\n")
    assert have == shown, f"{what} has the label {have!r} in place of {shown!r}"


def in_force(c, process, shown, prepare=lambda bundle: None):
    """With the image's own /proc a runtime may refuse, but not start anything without the label."""
    for with_mount in (True, False):
        bundle = c.bundle(["/bin/sleep", "1000"], {"process": process})
        if not with_mount:
            without_procfs(bundle.config)
            bundle.save()
            put_fake_proc(c, bundle)
        prepare(bundle)
        c.rows += 1
        result = c.rt("run", "-b", bundle.path, "--detach", "--pid-file", bundle.pid_file, bundle.id,
                      log=bundle.log)
        assert result.rc == 0 or not with_mount, result
        if result.rc == 0:
            check_label(c.pid(bundle), shown, "the container")
            path = bundle.path + "/exec-pid"
            result = c.rt("exec", "--detach", "--pid-file", path, bundle.id, "/bin/sleep", "1000",
                          log=bundle.log + "-exec")
            assert result.rc == 0 or not with_mount, result
            if result.rc == 0:
                added = int(host.read(path))
                check_label(added, shown, "the process of exec")
                # A child of ours: as long as nobody waits for it, its pid namespace cannot end.
                host.kill(added)
                c.wait_end(added)
        c.must("delete", "--force", bundle.id)
    c.audit()


@case("CVE-2023-28642", "CVE-2025-52881", "CVE-2019-16884")
def apparmor_profile_is_in_force(c):
    with profile(c) as name:
        for no_new_privileges in (True, False):
            in_force(c, {"apparmorProfile": name, "noNewPrivileges": no_new_privileges},
                     name + " (enforce)")


def label_files(bundle):
    for here, dirs, files in os.walk(bundle.rootfs):
        for path in [here] + [os.path.join(here, name) for name in dirs + files]:
            os.setxattr(path, "security.selinux", FILES.encode() + b"\0", follow_symlinks=False)


@case("CVE-2025-52881", "CVE-2019-16884")
def selinux_label_is_in_force(c):
    if not selinux():
        c.skip("SELinux is not enforcing, or its policy has no container_t")
    for no_new_privileges in (True, False):
        in_force(c, {"selinuxLabel": LABEL, "noNewPrivileges": no_new_privileges}, LABEL,
                 label_files)


@case("CVE-2025-52881")
def settings_do_not_go_to_what_the_image_has_for_proc(c):
    """Sysctls, the OOM score and the rest: an image whose /proc is a tree of links to a victim."""
    victim = "/canary/file"

    def change(conf):
        conf["mounts"] = [m for m in conf["mounts"] if m["destination"] != "/proc"]
        conf["linux"].update(maskedPaths=[], readonlyPaths=[],
                             sysctl={"kernel.shm_rmid_forced": "1"})
        conf["process"]["oomScoreAdj"] = 100
        conf["root"]["readonly"] = False

    for kind in ("link", "file"):
        bundle = c.bundle(["/bin/probe", "look"], change)
        proc = bundle.rootfs + "/proc"
        for name in ("sys/kernel/shm_rmid_forced", "self/oom_score_adj", "1/oom_score_adj",
                     "self/setgroups", "self/uid_map", "self/timens_offsets", "sysrq-trigger"):
            os.makedirs(os.path.dirname(f"{proc}/{name}"), exist_ok=True)
            if kind == "link":
                os.symlink(victim, f"{proc}/{name}")
            else:
                host.write(f"{proc}/{name}", "untouched")
        result = c.run(bundle)
        c.verdict(bundle, result, kind)
        for name in ("sys/kernel/shm_rmid_forced", "self/oom_score_adj", "sysrq-trigger"):
            assert kind == "link" or host.read(f"{proc}/{name}") == "untouched", name
