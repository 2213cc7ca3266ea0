# SPDX-License-Identifier: Apache-2.0
"""The root file system that boots systemd: debootstrapped of the host's release, kept in the cache.

The host's release, so that the runtime as it was built here finds its libraries.  A second one has
an engine, too.
"""

import hashlib
import os
import shutil
import sys
import time

import common

sys.path.insert(0, os.path.join(common.TOP, "tests/integration"))
import real_root    # noqa: E402  pylint: disable=wrong-import-position

PACKAGES = sorted([
    "systemd", "systemd-sysv", "dbus", "dbus-user-session", "libpam-systemd", "python3", "uidmap",
    "busybox-static", "iproute2", "procps", "kmod", "apparmor", "secilc", "strace", "socat",
    "util-linux", "passwd", "login", "libseccomp2", "libyajl2", "libcap2", "libselinux1"])
PODMAN = ["podman", "conmon", "crun", "netavark", "catatonit", "slirp4netns", "fuse-overlayfs",
          "containers-storage"]
RECIPE = 1   # to be counted up when build() makes something else of the lists
SPARE = 512 << 20
WEEK = 7 * 24 * 3600
# Units that cost seconds in an emulated machine, and do nothing for the tests.
MASKED = ("systemd-networkd.service", "systemd-resolved.service", "systemd-timesyncd.service",
          "systemd-pstore.service", "apt-daily.timer", "apt-daily-upgrade.timer",
          "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer",
          "motd-news.timer", "getty.target", "systemd-update-utmp.service", "apparmor.service",
          "systemd-machine-id-commit.service", "systemd-journal-flush.service",
          "sys-kernel-debug.mount", "sys-kernel-tracing.mount", "sys-kernel-config.mount",
          "sys-fs-fuse-connections.mount", "proc-sys-fs-binfmt_misc.automount",
          "dev-hugepages.mount", "modprobe@.service", "kmod-static-nodes.service",
          "systemd-modules-load.service", "systemd-random-seed.service",
          "systemd-sysusers.service", "systemd-user-sessions.service", "cron.service")


def build(target, packages, mirror, suite, components):
    partial = target + ".tree"
    shutil.rmtree(partial, ignore_errors=True)
    argv = ["debootstrap", "--variant=minbase", "--include=" + ",".join(packages),
            "--components=" + ",".join(components), suite, partial, mirror]
    common.tool(argv, timeout=1800, preexec_fn=real_root.hostside.private_mounts)
    for name in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale",
                 "usr/share/man", "var/lib/dpkg/info"):
        shutil.rmtree(os.path.join(partial, name), ignore_errors=True)
    for name in ("vm", "usr/lib/modules"):
        os.makedirs(os.path.join(partial, name), exist_ok=True)
    for unit in MASKED:
        path = os.path.join(partial, "etc/systemd/system", unit)
        if not os.path.lexists(path):
            os.symlink("/dev/null", path)
    with open(os.path.join(partial, "etc/machine-id"), "w", encoding="ascii") as out:
        out.write(hashlib.md5(target.encode()).hexdigest() + "\n")
    with open(os.path.join(partial, "etc/hostname"), "w", encoding="ascii") as out:
        out.write("crun-vm\n")
    common.tool(["chroot", partial, "useradd", "-m", "-s", "/bin/sh", "user"])
    common.make_ext4(target, partial, SPARE)
    shutil.rmtree(partial)


def forget_old(folder):
    """Images that nobody has used for a week."""
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if time.time() - os.path.getmtime(path) > WEEK:
            (shutil.rmtree if os.path.isdir(path) else os.unlink)(path)


def image(more=()):
    """Path of the image; made when the cache has none for this release and list of packages.

    `more` packages make it another image, beside that of the integration tests.
    """
    common.need("mke2fs")
    packages = sorted({*PACKAGES, *more})
    try:
        mirror, suite, components = real_root.host_source()
        digest = hashlib.sha256(repr((packages, MASKED, RECIPE)).encode()).hexdigest()[:10]
        target = os.path.join(common.cache_dir("roots"), f"{suite}-{digest}.ext4")
        with common.locked("root"):
            if not os.path.exists(target):
                if os.geteuid() != 0:
                    raise common.Unavailable("the root file system can only be made by root")
                real_root.check_prerequisites(mirror, suite)
                forget_old(os.path.dirname(target))
                build(target, packages, mirror, suite, components)
            os.utime(target)
    except real_root.Unavailable as reason:
        raise common.Unavailable(str(reason)) from None
    return target
