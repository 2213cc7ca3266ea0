# SPDX-License-Identifier: Apache-2.0
"""R2: another container changes the tree while this one is being made."""

import os
import shutil

import host
from case import case, mount, with_userns, without_dev

LOOK = ["/bin/probe", "look"]


def race(c, change, prepare, verb="run", rounds=None, args=LOOK):
    """The same image again and again, while `prepare` has let a helper change it."""
    bundle = c.bundle(args, change)
    pairs = prepare(bundle)
    flipper = c.helper("flip", *pairs, ready="flipping")
    try:
        for number in range(rounds or 2 * c.rounds):
            if verb == "run":
                c.verdict(bundle, c.run(bundle), f"round {number}")
            else:
                c.verdict(bundle, c.rt("exec", bundle.id, *LOOK), f"round {number}")
    finally:
        c.stop(flipper)


def evil(bundle, place, target):
    """A link of the image with the name PLACE-evil; the two names that are to be exchanged."""
    path = f"{bundle.rootfs}/{place}"
    os.symlink(target, path + "-evil")
    return [path, path + "-evil"]


def directory_race(c, place, change=None, target="/canary/dir", below=()):
    def prepare(bundle):
        os.makedirs(f"{bundle.rootfs}/{place}", exist_ok=True)
        for name in below:
            os.makedirs(f"{bundle.rootfs}/{place}/{name}", exist_ok=True)
        return evil(bundle, place, target)
    race(c, change or {"root": {"readonly": False}}, prepare)


def image_dev(conf):
    without_dev(conf)
    conf["root"]["readonly"] = False
    conf["process"]["terminal"] = False


@case("CVE-2026-41579", "CVE-2026-47766")
def dev_of_the_image(c):
    directory_race(c, "dev", image_dev)


@case("CVE-2019-19921", "CVE-2023-27561", "CVE-2023-28642", "CVE-2025-54867")
def proc_and_a_link_to_the_volume(c):
    directory_race(c, "proc", target="/vol/proc")


@case("CVE-2025-54867")
def sys_and_a_link_out(c):
    directory_race(c, "sys")


def destination(*places):
    def change(conf):
        conf["root"]["readonly"] = False
        conf["mounts"] += [mount("/" + place, "tmpfs", "tmpfs") for place in places]
    return change


@case("CVE-2021-30465", "CVE-2015-1335")
def destination_of_a_mount(c):
    directory_race(c, "mount", destination("mount"))


@case("CVE-2024-45310")
def parent_of_a_mount_point_that_is_made(c):
    directory_race(c, "deep", destination("deep/new/mount", "deep/other"), "/canary/empty")


@case("CVE-2024-45310")
def parent_of_a_file_that_is_made(c):
    source = c.file("source", "source\n")

    def change(conf):
        conf["root"]["readonly"] = False
        conf["mounts"] += [mount("/deep/file", "bind", source, "bind"),
                           mount("/deep/dir/file", "bind", source, "bind")]
    directory_race(c, "deep", change, "/canary/empty")


@case("CVE-2021-30465")
def destination_on_a_volume_of_two_containers(c):
    """The second stage: what was mounted on the wrong place is the source of the next mount."""
    share = c.mkdir("share")
    for name in ("a", "a/sub"):
        c.mkdir(f"share/{name}")
    os.symlink("/", share + "/b")
    bundle = c.bundle(LOOK + ["/vol/a", "/vol/a/sub", "/data"], lambda conf: conf["mounts"].extend([
        mount("/vol", "bind", share, "rbind"), mount("/vol/a", "tmpfs", "tmpfs"),
        mount("/vol/a/sub", "bind", share, "rbind"), mount("/data", "bind", share + "/a", "rbind")]))
    # Only what the runtime resolves inside is the container's; the source below `share` is the caller's own, and steady.
    bundle.config["mounts"].pop()
    bundle.save()
    flipper = c.helper("flip", share + "/a", share + "/b", ready="flipping")
    for number in range(2 * c.rounds):
        c.verdict(bundle, c.run(bundle), f"round {number}")
    c.stop(flipper)


def masked(conf):
    without_dev(conf)
    conf["root"]["readonly"] = False
    conf["linux"]["maskedPaths"] += ["/masked", "/masked-file"]
    conf["linux"]["readonlyPaths"] += ["/readonly"]


@case("CVE-2025-31133", "CVE-2025-62161")
def null_device_of_the_image(c):
    def prepare(bundle):
        os.mknod(bundle.rootfs + "/dev/null", 0o20666, os.makedev(1, 3))
        host.write(bundle.rootfs + "/masked-file", "MASKED\n")
        return evil(bundle, "dev/null", "/etc/passwd")
    race(c, masked, prepare)


@case("CVE-2025-52565", "CVE-2026-88264")
def console_and_terminals_of_the_image(c):
    def prepare(bundle):
        host.write(bundle.rootfs + "/dev/console", "")
        return evil(bundle, "dev/console", "/canary/empty/new")
    bundle = c.bundle(LOOK, image_dev)
    bundle.config["process"]["terminal"] = True
    bundle.config["mounts"].append(mount("/dev/pts", "devpts", "devpts", "newinstance",
                                         "ptmxmode=0666"))
    os.mkdir(bundle.rootfs + "/dev/pts")
    bundle.save()
    pairs = prepare(bundle)
    flipper = c.helper("flip", *pairs, ready="flipping")
    for number in range(c.rounds):
        path, listener = c.console_socket()
        result = c.rt("run", "--detach", "-b", bundle.path, "--pid-file", bundle.pid_file,
                      "--console-socket", path, bundle.id)
        if result.rc == 0:
            pid = c.pid(bundle)
            result.out = c.read_terminal(c.receive_terminal(listener))
            c.wait_end(pid)
            c.must("delete", bundle.id)
        listener.close()
        c.verdict(bundle, result, f"round {number}")
    c.stop(flipper)


@case("CVE-2025-31133")
def masked_and_readonly_directories(c):
    def prepare(bundle):
        return evil(bundle, "masked", "/canary") + evil(bundle, "readonly", "/canary/dir")
    race(c, masked, prepare)


@case("CVE-2024-21626")
def working_directory(c):
    directory_race(c, "data", {"root": {"readonly": False}, "process": {"cwd": "/data/new"}},
                   "/canary/empty")


@case("CVE-2025-24965")
def passwd_and_a_link(c):
    def prepare(bundle):
        return evil(bundle, "etc/passwd", "/etc/shadow")
    race(c, {"root": {"readonly": False}}, prepare)


@case("CVE-2024-21626")
def working_directory_of_exec(c):
    bundle = c.bundle(["/bin/sleep", "1000"], {"root": {"readonly": False},
                                               "process": {"cwd": "/work"}})
    pairs = evil(bundle, "work", "/proc/self/fd/7")
    c.start_detached(bundle)
    flipper = c.helper("flip", *pairs, ready="flipping")
    for number in range(2 * c.rounds):
        result = c.rt("exec", "--cwd", "/work", bundle.id, *LOOK)
        c.rows += 1
        assert "ESCAPED" not in result.out, f"round {number}: {result}"
    c.stop(flipper)
    c.must("delete", "--force", bundle.id)
    c.audit()


@case("CVE-2021-30465")
def destination_in_a_user_namespace(c):
    def change(conf):
        destination("mount", "deep/new")(conf)
        with_userns(conf)
    directory_race(c, "mount", change)


def shared_tree(c):
    """A volume whose mounts propagate into the containers that bind it."""
    share = c.mkdir("share")
    host.mount("tmpfs", share, "tmpfs")
    host.mount("none", share, None, host.MS_SHARED)
    os.mkdir(share + "/a")
    os.mkdir(share + "/links")
    return share


def propagation_race(c, share, source, target, change):
    bundle = c.bundle(LOOK + ["/vol/a", "/vol/a/sub"], change)
    flipper = c.helper("mount-flip", source, target, ready="flipping")
    try:
        for number in range(2 * c.rounds):
            result = c.run(bundle)
            c.rows += 1
            assert "ESCAPED" not in result.out, f"round {number}: {result}"
            c.delete_failed(bundle)
    finally:
        c.stop(flipper)
    while target in [line[1] for line in host.mounts()]:
        host.umount(target)
    c.audit()
    host.umount(share)
    c.mounts = host.mounts()


@case("CVE-2025-52881", "CVE-2019-16884", "CVE-2025-62596")
def mounts_that_come_and_go_below_a_volume(c):
    share = shared_tree(c)
    os.symlink("/canary", share + "/links/sub")
    c.mounts = host.mounts()
    propagation_race(c, share, share + "/links", share + "/a", lambda conf: conf["mounts"].extend([
        mount("/vol", "bind", share, "rbind", "rslave"),
        mount("/vol/a/sub", "tmpfs", "tmpfs")]))


@case("CVE-2025-52881")
def rootfs_on_a_tree_whose_mounts_propagate(c):
    """The image lies on a shared mount: an attacker in another namespace mounts on its /proc and /dev."""
    share = shared_tree(c)
    c.mounts = host.mounts()
    os.symlink("/canary/dir", share + "/links/null")
    os.symlink("/canary/dir", share + "/links/pts")
    rootfs = share + "/root"
    shutil.copytree(c.image(), rootfs, symlinks=True)

    def change(conf):
        conf["root"].update(path=rootfs, readonly=False)
        conf["linux"]["rootfsPropagation"] = "slave"
    propagation_race(c, share, share + "/links", rootfs + "/dev", change)
