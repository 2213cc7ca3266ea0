# SPDX-License-Identifier: Apache-2.0
"""The root file system: read-only, propagation, where it is; and hostile images of every shape.

A hostile image has, in the place of something that the runtime touches, a link that leads out of
the root (or something else that does not belong there).  Whatever happens then, nothing outside
may change, nothing may hang, and a failure leaves nothing behind.
"""

import os
import shutil
import time

import hostside
from harness import PATIENCE, flavors

SLEEP = ["sleep", "1000"]
MS_SHARED = 1 << 20


def root_mount(sections):
    """(options, tags) of the mount on "/"."""
    for line in reversed(sections["mounts"]):
        head = line.split(" - ", 1)[0].split()
        if head[4] == "/":
            return set(head[5].split(",")), {tag.split(":")[0] for tag in head[6:]}
    raise AssertionError(sections)


@flavors("root", "rootless")
def test_readonly_root_cannot_be_written(t):
    bundle = t.bundle("touch /x; touch /dev/x && echo dev", mutate={"root": {"readonly": True}})
    result = t.run_container(bundle, check=False)
    assert "Read-only file system" in result.err and result.out == "dev\n", result


@flavors("root", "rootless")
def test_writable_root_can_be_written(t):
    bundle = t.bundle("echo text >/x", mutate={"root": {"readonly": False}}, own_rootfs=True)
    t.run_container(bundle)
    with open(os.path.join(bundle.rootfs, "x"), encoding="ascii") as source:
        assert source.read() == "text\n"


def test_readonly_is_the_containers_and_not_the_hosts(t):
    bundle = t.bundle(own_rootfs=True)
    t.run_container(bundle)
    t.file(os.path.join(bundle.rootfs, "still-writable"))


def test_root_path_may_be_relative_absolute_and_a_link(t):
    bundle = t.bundle("echo hello")
    os.symlink("rootfs", os.path.join(bundle.path, "link"))
    os.symlink(bundle.path, t.path("bundle-link"))
    for path in ("rootfs", "./rootfs/", bundle.rootfs, bundle.rootfs + "//.", "link",
                 t.path("bundle-link/link"), "../" + os.path.basename(bundle.path) + "/rootfs"):
        bundle.config["root"]["path"] = path
        bundle.save()
        assert t.run_container(bundle).out == "hello\n", path


def test_wrong_root_path_is_named(t):
    bundle = t.bundle()
    plain = t.file("plain")
    for path, word in (("missing", "No such file or directory"), (plain, "Not a directory"),
                       ("", "root")):
        bundle.config["root"]["path"] = path
        bundle.save()
        t.fails("run", "-b", bundle.path, bundle.id, has=word)
        t.assert_no_trace(bundle)


def test_the_hosts_files_are_out_of_reach(t):
    outside = t.canary()
    result = t.run_container(t.bundle(f"ls {outside}; ls /..; ls / | wc -l; cat /proc/mounts"),
                             check=False)
    assert "canary" not in result.out and outside not in result.out, result
    assert "No such file" in result.err, result


PROPAGATIONS = {"private": set(), "rprivate": set(), "slave": {"master"}, "rslave": {"master"},
                "shared": {"shared"}, "rshared": {"shared"}, "unbindable": {"unbindable"},
                "runbindable": {"unbindable"}, None: {"master"}}


def test_rootfs_propagation(t):
    top = t.mkdir("shared")
    t.mount("tmpfs", top, "tmpfs")
    hostside.mount("none", top, None, MS_SHARED)
    rootfs = os.path.join(top, "rootfs")
    t.world.clone_rootfs(rootfs, True, (0, 0))
    for value, want in PROPAGATIONS.items():
        bundle = t.bundle(["probe", "mounts"], rootfs=rootfs,
                          mutate={"linux": {"rootfsPropagation": value}})
        _options, tags = root_mount(t.run_container(bundle).probe)
        if value in ("shared", "rshared"):
            assert "shared" in tags, (value, tags)
        else:
            assert tags == want, (value, tags)


def test_containers_mounts_do_not_reach_a_shared_host(t):
    top = t.mkdir("shared")
    t.mount("tmpfs", top, "tmpfs")
    hostside.mount("none", top, None, MS_SHARED)
    rootfs = os.path.join(top, "rootfs")
    t.world.clone_rootfs(rootfs, True, (0, 0))
    before = hostside.mount_table()
    for value in (None, "private", "rslave", "shared", "rshared"):
        bundle = t.bundle(SLEEP, rootfs=rootfs, mutate={"linux": {"rootfsPropagation": value}})
        t.create(bundle)
        during = hostside.mount_table()
        t.delete(bundle, force=True)
        assert during == before, (value, set(during.values()) ^ set(before.values()))


@flavors("root", "rootless")
def test_no_pivot_gives_the_same_view(t):
    views = []
    for options in ([], ["--no-pivot"]):
        bundle = t.bundle("ls /; pwd; ls -a /dev; touch /x; ls /../..")
        views.append(t.run_container(bundle, *options, check=False))
    assert views[0].out == views[1].out and "bin" in views[0].out, views
    assert "Read-only file system" in views[1].err, views


def test_no_pivot_on_a_root_that_cannot_be_pivoted(t):
    # What an initramfs is like: the root of the mount namespace has no parent mount to go to.
    bundle = t.bundle("echo hello")
    result = t.run_container(bundle, "--no-pivot")
    assert result.out == "hello\n"
    assert "canary" not in t.run_container(t.bundle("cat /proc/mounts"), "--no-pivot").out


# ---- hostile images -----------------------------------------------------------------------

# What is replaced; True: the runtime expects a directory there.
PLACES = {
    "dev": True, "dev/null": False, "dev/console": False, "dev/pts": True, "dev/ptmx": False,
    "dev/shm": True, "dev/mqueue": True, "dev/tty": False, "dev/fd": False, "dev/stdin": False,
    "proc": True, "sys": True, "sys/fs": True, "sys/fs/cgroup": True, "etc": True,
    "etc/passwd": False, "run": True, "tmp": True, "tmp/mount": True, "work": True,
    "masked": True, "masked-file": False, "readonly": True, "readonly-file": False,
    "file-mount": False, "device": False,
}


def link_shapes(outside, is_dir):
    """Name -> text of a symbolic link."""
    there = outside + ("/dir" if is_dir else "/file")
    climbing = "../" * 30
    return {
        "absolute": there, "climbing": climbing + there.lstrip("/"),
        "missing": outside + "/new", "missing-climbing": climbing[:-1] + outside + "/new",
        "top": outside, "root": "/", "loop": None, "chain": None, "dangling": "/no/such/place",
        "fd": "/proc/self/fd/7", "magic": "/proc/1/root" + there, "old-root": "/.old" + there,
        "self": "/proc/self/exe",
    }


def make_shape(path, shape, outside, is_dir):
    links = link_shapes(outside, is_dir)
    if shape == "loop":
        os.symlink(os.path.basename(path), path)
    elif shape == "chain":
        for n in range(50):
            os.symlink(f"{os.path.basename(path)}.{n + 1}", path + (f".{n}" if n else ""))
        os.symlink(outside, path + ".50")
    elif shape in links:
        os.symlink(links[shape], path)
    elif shape == "fifo":
        os.mkfifo(path)
    elif shape == "regular":
        with open(path, "w", encoding="ascii") as out:
            out.write("regular\n")
    elif shape == "directory":
        os.mkdir(path)
    elif shape == "block":
        os.mknod(path, 0o60666, os.makedev(1, 3))
    else:
        os.mknod(path, 0o20666, os.makedev(1, 1))   # "device": /dev/mem's number


SHAPES = list(link_shapes("", True)) + ["fifo", "regular", "directory", "block", "device"]


class Image:
    """A small root file system that is made afresh for every shape."""

    def __init__(self, t):
        self.t, self.top = t, t.mkdir("image")
        self.skeleton = ["bin", "dev", "proc", "sys", "etc", "run", "tmp", "work", "masked",
                         "readonly"]
        self.bin = t.path("image-bin")
        os.mkdir(self.bin)
        source = os.path.join(t.world.rootfs, "bin")
        for name in ("sh", "true", "probe"):
            os.link(os.path.join(source, name), os.path.join(self.bin, name))
        self.number = 0

    def make(self, place, shape, outside):
        self.number += 1
        root = os.path.join(self.top, str(self.number))
        os.mkdir(root)
        for name in self.skeleton:
            os.mkdir(os.path.join(root, name))
        for name in os.listdir(self.bin):
            os.link(os.path.join(self.bin, name), os.path.join(root, "bin", name))
        for name in ("masked-file", "readonly-file", "etc/passwd"):
            with open(os.path.join(root, name), "w", encoding="ascii") as out:
                out.write("root:x:0:0:root:/root:/bin/sh\n")
        path = os.path.join(root, place)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.isdir(path):
            shutil.rmtree(path)
        elif os.path.lexists(path):
            os.unlink(path)
        make_shape(path, shape, outside, PLACES[place])
        return root


def hostile_config(t, with_dev, readonly, userns, source):
    """A change of the default configuration that touches every place of PLACES."""
    def mutate(conf):
        conf["process"]["cwd"] = "/work"
        conf["root"]["readonly"] = readonly
        if not with_dev:
            conf["mounts"] = [m for m in conf["mounts"]
                              if not m["destination"].startswith("/dev")]
            conf["mounts"].append({"destination": "/dev/pts", "type": "devpts",
                                   "source": "devpts", "options": ["ptmxmode=0666"]})
        conf["mounts"] += [
            {"destination": "/tmp/mount", "type": "tmpfs", "source": "tmpfs"},
            {"destination": "/run", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"]},
            {"destination": "/file-mount", "type": "bind", "source": source,
             "options": ["bind", "ro"]}]
        linux = conf["linux"]
        linux["maskedPaths"] += ["/masked", "/masked-file"]
        linux["readonlyPaths"] += ["/readonly", "/readonly-file"]
        linux["devices"] = [{"path": "/device", "type": "c", "major": 1, "minor": 7,
                             "fileMode": 0o666}]
        if userns:
            linux["namespaces"].append({"type": "user"})
            linux["uidMappings"] = linux["gidMappings"] = [
                {"containerID": 0, "hostID": 0, "size": 65536}]
    return mutate


def outside_tree(t):
    """What must not change; names that a runtime could create are there, and others missing."""
    outside = t.canary()
    for name in ("null", "console", "ptmx", "passwd", "tty"):
        t.file(os.path.join(outside, "dir", name), "canary\n")
    for name in ("pts", "shm", "fs"):
        os.mkdir(os.path.join(outside, "dir", name))
    t.canaries[-1] = (outside, t.host_snapshot(outside))
    return outside


def check_hostile(t, variants, places, shapes=SHAPES, terminal=False):
    """Run every place x shape, each with the next of the variants; collects all failures."""
    image, outside = Image(t), outside_tree(t)
    t.canaries.clear()   # compared after each run, which says more
    source = t.file("file-source", "source\n")
    keep = os.open(outside, os.O_RDONLY | os.O_DIRECTORY)
    os.dup2(keep, 7, inheritable=True)
    before, mounts, bad, ran = t.host_snapshot(outside), hostside.mount_table(), [], 0
    shift = 0
    for place in places:
        for number, shape in enumerate(shapes):
            variant = variants[(number + shift) % len(variants)]
            rootfs = image.make(place, shape, outside)
            bundle = t.bundle(["/bin/true"], rootfs=rootfs,
                              mutate=hostile_config(t, *variant, source=source))
            what = f"{place} {shape} (dev, readonly, userns)={variant}"
            began = time.monotonic()
            ran += run_hostile(t, bundle, terminal, what, bad)
            if time.monotonic() - began > 20 * PATIENCE:
                bad.append(f"{what}: took {time.monotonic() - began:.1f} s")
            lines = hostside.difference(before, t.host_snapshot(outside))
            if lines:
                bad.append(f"{what}: touched {lines}")
                before = t.host_snapshot(outside)
            shutil.rmtree(rootfs)
        shift += 1
    os.close(keep)
    if hostside.mount_table() != mounts:
        bad.append("mounts were left on the host")
    assert not bad, "\n".join([f"{len(bad)} of hostile images:"] + bad)
    assert ran > len(places), "nearly nothing ran: the images themselves are wrong"


def run_hostile(t, bundle, terminal, what, bad):
    """1 if the container ran, 0 if it was refused; appends to `bad` what is neither."""
    if terminal:
        bundle.config["process"]["terminal"] = True
        bundle.save()
        sock = t.console_socket()
        result = t.create(bundle, "--console-socket", sock.path, check=False, pass_fds=[7])
        if result.rc == 0:
            for fd in sock.accept()[1]:
                os.close(fd)
            t.start(bundle)
            t.wait_status(bundle, "stopped")
            t.delete(bundle)
        sock.close()
    else:
        result = t.run_container(bundle, check=False, pass_fds=[7])
    if result.rc >= 128 or (result.rc and not result.err.strip()):
        bad.append(f"{what}: {result}")
    try:
        t.assert_no_trace(bundle)
    except AssertionError as err:
        bad.append(f"{what}: {err}")
    return int(result.rc == 0)


WITH_DEV = [(True, True, False), (True, False, False), (True, True, True)]
WITHOUT_DEV = [(False, False, False), (False, True, False), (False, False, True)]
BELOW_DEV = [place for place in PLACES if place.startswith("dev")]
ELSEWHERE = [place for place in PLACES if not place.startswith("dev")]


def test_hostile_dev_of_an_image_without_a_dev_mount(t):
    check_hostile(t, WITHOUT_DEV, BELOW_DEV)


def test_hostile_dev_of_an_image_below_a_dev_mount(t):
    check_hostile(t, WITH_DEV, ["dev"])


def test_hostile_dev_with_a_terminal(t):
    check_hostile(t, WITHOUT_DEV + WITH_DEV,
                  ["dev", "dev/console", "dev/pts", "dev/ptmx", "dev/null"], terminal=True)


def test_hostile_paths_elsewhere(t):
    check_hostile(t, WITH_DEV, ELSEWHERE)


def test_hostile_places_of_mount_points_on_a_volume(t):
    """A volume that another container can write to is as hostile as an image."""
    outside, volume = outside_tree(t), t.mkdir("volume")
    os.symlink(outside + "/dir", os.path.join(volume, "link"))
    for name in ("/vol/link/new", "/vol/link", "/vol/link/../new"):
        bundle = t.bundle(own_rootfs=True)
        bundle.config["mounts"] += [
            {"destination": "/vol", "type": "bind", "source": volume, "options": ["rbind"]},
            {"destination": name, "type": "tmpfs", "source": "tmpfs"}]
        bundle.config["linux"]["maskedPaths"].append(name)
        bundle.config["linux"]["readonlyPaths"].append("/vol/link")
        bundle.save()
        t.run_container(bundle, check=False)
        t.assert_no_trace(bundle)


def test_mask_does_not_take_the_images_null_device(t):
    # CVE-2025-31133: a link in the place of /dev/null would be bound over the masked file.
    for shape in ("absolute", "self", "device", "block", "regular", "fifo"):
        bundle = t.bundle("cat /secret; wc -c </secret", own_rootfs=True)
        bundle.config["mounts"] = [m for m in bundle.config["mounts"]
                                   if not m["destination"].startswith("/dev")]
        bundle.config["linux"]["maskedPaths"] = ["/secret"]
        bundle.save()
        t.file(os.path.join(bundle.rootfs, "secret"), "secret\n")
        make_shape(os.path.join(bundle.rootfs, "dev/null"), shape, "/etc", False)
        result = t.run_container(bundle, check=False)
        assert "secret\n" not in result.out and (result.rc or result.out == "0\n"), result


def test_image_cannot_make_the_runtime_run_its_programs(t):
    """Names of programs that a runtime starts, each a trap that writes to a mounted canary."""
    mark = t.mkdir("mark")
    os.chmod(mark, 0o777)
    bundle = t.bundle(["true"], own_rootfs=True)
    for name in ("newuidmap", "newgidmap", "criu", "systemd-run", "mount", "modprobe"):
        for where in ("bin", "usr/bin", "sbin"):
            folder = os.path.join(bundle.rootfs, where)
            os.makedirs(folder, exist_ok=True)
            path = os.path.join(folder, name)
            if os.path.lexists(path):
                os.unlink(path)
            with open(path, "w", encoding="ascii") as out:
                out.write("#!/bin/sh\ntouch /mark/$0\n")
            os.chmod(path, 0o755)
    bundle.config["mounts"].append({"destination": "/mark", "type": "bind", "source": mark,
                                    "options": ["bind"]})
    bundle.save()
    t.run_container(bundle)
    assert os.listdir(mark) == []
