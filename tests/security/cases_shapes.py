# SPDX-License-Identifier: Apache-2.0
"""R1: hostile images.  One case per place; see shapes.py for what is tried there."""

import functools
import os
import stat

import host
import shapes
from case import case, mount, with_userns, without_dev

LOOK = ["/bin/probe", "look"]
NULLS = {"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9}
RECORDS = {}


def volume(c):
    """A directory of the caller that another container may write to, as the container's /dev."""
    path = c.new("volume")
    for name, minor in NULLS.items():
        os.mknod(f"{path}/{name}", stat.S_IFCHR | 0o666, os.makedev(1, minor))
    for name in ("pts", "shm", "mqueue"):
        os.mkdir(f"{path}/{name}")
    return path


def hostile_config(variant, source, dev):
    """A configuration in which every place of PLACES has a use."""
    how, terminal, readonly, userns, _verb = variant

    def change(conf):
        conf["process"].update(cwd="/work", terminal=bool(terminal))
        conf["root"]["readonly"] = bool(readonly)
        if how != "mounted":
            without_dev(conf)
        if how == "volume":
            conf["mounts"].append(mount("/dev", "bind", dev, "rbind"))
        if how == "absent":
            conf["mounts"].append(mount("/dev/pts", "devpts", "devpts", "newinstance",
                                        "ptmxmode=0666"))
        conf["mounts"] += [mount("/tmp/mount", "tmpfs", "tmpfs"),
                           mount("/deep/a/b", "tmpfs", "tmpfs", "nosuid"),
                           mount("/run", "tmpfs", "tmpfs", "mode=755"),
                           mount("/etc/mtab", "bind", source, "bind", "ro"),
                           mount("/file-mount", "bind", source, "bind", "ro")]
        conf["annotations"] = {"run.oci.handler": "", "org.opencontainers.image.os": "../../canary"}
        linux = conf["linux"]
        linux["maskedPaths"] += ["/masked", "/masked-file", "/deep/missing"]
        linux["readonlyPaths"] += ["/readonly", "/readonly-file"]
        linux["devices"] = [{"path": "/device", "type": "c", "major": 1, "minor": 7,
                             "fileMode": 0o666}]
        if userns:
            with_userns(conf)
    return change


class Rows:
    """The rows of one place, one after the other in the same canary host."""

    def __init__(self, c, place):
        self.c, self.place = c, place
        self.source = c.file("file-source", "source\n")
        # What a caller may have open, so that links to /proc/self/fd/7 have something to lead to.
        fd = os.open("/canary", os.O_RDONLY | os.O_DIRECTORY)
        os.dup2(fd, 7, inheritable=True)
        os.close(fd)
        self.ran, self.failures = 0, []

    def bundle(self, kind, variant):
        c = self.c
        dev = volume(c) if variant[0] == "volume" else None
        args = ["/bin/probe", "sleep"] if variant[4] == "exec" else LOOK
        bundle = c.bundle(args, hostile_config(variant, self.source, dev))
        base = bundle.rootfs
        place = self.place
        if dev and place.startswith("dev/"):
            base, place = os.path.dirname(dev), place.replace("dev", os.path.basename(dev), 1)

        def attack():
            if place != self.place:
                shapes.PLACES.setdefault(place, shapes.PLACES[self.place])
            shapes.put(base, place, kind)

        if kind == "readonly-image":
            host.mount(bundle.rootfs, bundle.rootfs, None, host.MS_BIND)
            host.mount(None, bundle.rootfs, None,
                       host.MS_BIND | host.MS_REMOUNT | host.MS_RDONLY)
            c.mounts = host.mounts()
        return bundle, attack

    def run(self, kind, variant):
        c = self.c
        what = f"{self.place} {kind} dev={variant[0]} terminal={variant[1]} readonly={variant[2]}" \
               f" userns={variant[3]} {variant[4]}"
        bundle, attack = self.bundle(kind, variant)
        try:
            result = self.execute(bundle, attack, variant)
            self.ran += c.verdict(bundle, result, what)
        except AssertionError as err:
            self.failures.append(f"{what}: {err}")
            c.delete(bundle)
            c.differences()
        finally:
            if kind == "readonly-image":
                host.umount(bundle.rootfs)
                c.mounts = host.mounts()
        c.remove(bundle)

    def execute(self, bundle, attack, variant):
        verb, terminal = variant[4], variant[1]
        if verb == "exec":
            return self.execute_later(bundle, attack, terminal)
        attack()
        c, fds = self.c, {"pass_fds": [7]}
        if verb == "run" and not terminal:
            return c.run(bundle, **fds)
        more, listener = [], None
        if terminal:
            path, listener = c.console_socket()
            more = ["--console-socket", path]
        argv = ["run", "--detach"] if verb == "run" else ["create"]
        result = c.rt(*argv, "-b", bundle.path, "--pid-file", bundle.pid_file, *more, bundle.id,
                      log=bundle.log, **fds)
        if result.rc == 0:
            self.follow(bundle, result, verb, listener)
        elif listener:
            listener.close()
        return result

    def follow(self, bundle, result, verb, listener):
        """Wait for the end of a container in the background, and take its output."""
        c, pid = self.c, self.c.pid(bundle)
        terminal = c.receive_terminal(listener) if listener else None
        if verb == "create":
            started = c.rt("start", bundle.id)
            assert started.rc == 0, started
        if terminal is not None:
            result.out = c.read_terminal(terminal)
        c.wait_end(pid)
        if terminal is None:
            result.out = host.read(bundle.log)
        c.must("delete", bundle.id)

    def execute_later(self, bundle, attack, terminal):
        """The container runs already, and changes what it is looked at through."""
        c = self.c
        bundle.config["process"]["terminal"] = False
        bundle.save()
        c.start_detached(bundle, pass_fds=[7])
        attack()
        if terminal:
            path, listener = c.console_socket()
            result = c.rt("exec", "--detach", "--tty", "--console-socket", path, "--pid-file",
                          bundle.path + "/exec-pid", bundle.id, *LOOK, pass_fds=[7])
            if result.rc == 0:
                result.out = c.read_terminal(c.receive_terminal(listener))
                c.wait_end(int(host.read(bundle.path + "/exec-pid")))
            listener.close()
        else:
            result = c.rt("exec", bundle.id, *LOOK, pass_fds=[7])
        c.must("delete", "--force", bundle.id)
        return result


def prepare():
    """Once for all cases."""
    RECORDS.update(shapes.select())


def selected(c, place):
    rows = shapes.product(place) if c.whole else RECORDS[place]
    if not 0 < c.sample < len(rows):
        return rows
    # Evenly over the rows, and others at each place, so that the sample has every kind somewhere.
    first = list(shapes.PLACES).index(place)
    return [rows[(first + n * len(rows) // c.sample) % len(rows)] for n in range(c.sample)]


def hostile_place(c, place):
    rows = Rows(c, place)
    todo = selected(c, place)
    for kind, variant in todo:
        rows.run(kind, variant)
    os.close(7)
    print("\n".join(rows.failures))
    assert not rows.failures, f"{len(rows.failures)} of {len(todo)}: {rows.failures[0]}"
    # A corpus in which nothing ever runs tests nothing.
    assert rows.ran or place == "." or c.sample, f"none of {len(todo)} images ran"


def name_of(place):
    return "image_" + {".": "root"}.get(place, place).lstrip(".").replace("/", "_") \
        .replace(".", "_").replace("-", "_")


for PLACE in shapes.PLACES:
    case(*shapes.TAGS.get(PLACE, ()), name=name_of(PLACE), limit=600)(
        functools.wraps(hostile_place)(functools.partial(hostile_place, place=PLACE)))
