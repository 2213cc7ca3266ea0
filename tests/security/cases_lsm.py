# SPDX-License-Identifier: Apache-2.0
"""R6: a label that cannot be set is the end of the container, never a container without it."""

import os

import host
from case import case, mount

PROFILES = "/sys/kernel/security/apparmor/profiles"


def apparmor():
    try:
        return host.read("/sys/module/apparmor/parameters/enabled").strip() == "Y"
    except OSError:
        return False


def selinux():
    return os.path.isdir("/sys/fs/selinux/booleans")


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


@case("CVE-2025-52881", "CVE-2025-62596", "CVE-2019-16884")
def label_is_not_written_to_what_the_image_has_for_proc(c):
    """Without a mount of procfs in the configuration, the image's own /proc has the files."""
    if not apparmor():
        c.skip("AppArmor is not enabled in this kernel")
    for with_mount in (True, False):
        def change(conf, with_mount=with_mount):
            conf["process"]["apparmorProfile"] = "no-such-profile-4f1d"
            if not with_mount:
                conf["mounts"] = [m for m in conf["mounts"] if m["destination"] != "/proc"]
                conf["linux"]["maskedPaths"] = conf["linux"]["readonlyPaths"] = []
        bundle = c.bundle(["/bin/true"], change)
        os.rmdir(bundle.rootfs + "/proc")
        os.rename(fake_proc(c), bundle.rootfs + "/proc")
        result = c.run(bundle)
        assert result.rc != 0, f"the label went to a file of the image: {result}"
        c.delete_failed(bundle)
        c.rows += 1
    c.audit()


@case("CVE-2023-28642", "CVE-2025-52881")
def real_profile_is_in_force(c):
    if not apparmor():
        c.skip("no AppArmor in this kernel")
    loaded = [line.split(" ")[0] for line in host.read(PROFILES).splitlines()]
    known = [name for name in ("crun-test", "containers-default-0.1", "docker-default",
                               "crun-container") if name in loaded]
    if not known:
        c.skip("no profile for containers is loaded")
    bundle = c.bundle(["/bin/cat", "/proc/self/attr/current"],
                      {"process": {"apparmorProfile": known[0]}})
    result = c.run(bundle)
    assert result.rc == 0 and result.out.startswith(known[0]), result
    c.audit()


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
