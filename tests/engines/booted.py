#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Inside a virtual machine with systemd: engines as that machine's administrator and a user run them.

`tests/vm/run.py --podman` boots the machine.  There is no room here as run.py makes them: the whole
machine is one, and is thrown away.  Its services come and go on their own, so that only what an
engine makes counts as left over.  Lines and counts are those of run.py.
"""

import argparse
import os
import pwd
import re
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "integration")]

import booted_podman    # noqa: E402  pylint: disable=wrong-import-position
import contain      # noqa: E402  pylint: disable=wrong-import-position
import framework    # noqa: E402  pylint: disable=wrong-import-position
import hostside     # noqa: E402  pylint: disable=wrong-import-position
import image        # noqa: E402  pylint: disable=wrong-import-position
import printer      # noqa: E402  pylint: disable=wrong-import-position

USER = "user"   # of the machine's root file system
CGROUPS = re.compile(r"libpod|/container-|/pod-|/podman-kube@|/crun-")
MOUNTS = re.compile(r"containers|netns|crun|libpod")
PROGRAMS = ("conmon", "crun", "slirp4netns", "netavark")


class World:
    """The image, and the runtime under test."""

    def __init__(self, runtime, folder):
        self.dir, self.runtime = folder, runtime
        self.rootfs = os.path.join(folder, "rootfs")
        self.image_tar = os.path.join(folder, "image.tar")
        image.make(self.rootfs, self.image_tar)


class Machine(framework.Room):
    """What an engine left in a machine where other things happen, too."""

    def prepare(self):
        engine = self.engine
        os.chdir(engine.dir)
        for name in ("log", "tmp"):
            engine.mkdir(name)
        return engine

    @staticmethod
    def cgroups():
        return {path for path in framework.Room.cgroups() if CGROUPS.search(path)}

    def mounts(self):
        return {number: point for number, point in super().mounts().items()
                if MOUNTS.search(point)}

    def processes(self, with_kept=False):
        return {pid: name for pid, name in super().processes(with_kept).items()
                if name in PROGRAMS or self.of_container(pid)}

    @staticmethod
    def of_container(pid):
        try:
            with open(f"/proc/{pid}/cgroup", encoding="ascii") as source:
                return CGROUPS.search(source.read())
        except OSError:
            return None


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flavor", choices=("root", "rootless"))
    parser.add_argument("-k", metavar="TEXT", default="",
                        help="only scenarios whose line matches (a regular expression)")
    parser.add_argument("--runtime", metavar="PATH", default="/vm/bin/crun")
    return parser.parse_args()


def main():
    options = parse()
    # Everything else here asks these two who the rootless flavor is.
    contain.USER, contain.UID = USER, pwd.getpwnam(USER).pw_uid
    os.umask(0o022)
    say = printer.Printer()
    folder = tempfile.mkdtemp(prefix="booted-", dir="/var/tmp")
    os.chmod(folder, 0o755)
    world = World(options.runtime, folder)
    for cls in booted_podman.ENGINES:
        for flavor in cls.flavors:
            label = f"{cls.name}[{flavor}]"
            jobs = [job for job in framework.scenarios_of(cls) if flavor in job[2]["flavors"]
                    and re.search(options.k, f"{label} {job[0]}")]
            if not jobs or options.flavor not in (None, flavor):
                continue
            engine = cls(world, flavor, os.path.join(folder, flavor))
            os.mkdir(engine.dir, 0o755)
            os.chown(engine.dir, engine.uid, engine.uid)
            Machine(engine, lambda message, label=label: say(label, message)).all(
                [(title, getattr(engine, name)) for title, name, _facts in jobs])
    hostside.reap()
    say.summary()
    return 1 if say.counts["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
