# SPDX-License-Identifier: Apache-2.0
"""Podman in Podman: crun makes a container in a container that it made, with and without privileges."""

import os
import shutil
import struct

import contain
import podman_newer
from engine_podman import PodmanBase
from framework import PATH, scenario

CONF = """[containers]
default_ulimits = ["nofile=1000:1000", "nproc=1000:1000"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
"""
# In the place of crun: what the inner Podman asks for, and the debug log in a file that stays.
WRAPPER = """#!/bin/bash
words=() skip=
for word; do
	[ "$skip" ] && { skip=; continue; }
	case $word in
	--log) skip=1 ;;
	--log=* | --log-format=*) ;;
	*) words+=("$word") ;;
	esac
done
exec /opt/crun --debug --log /tmp/crun-debug.log "${words[@]}"
"""
INNER = """
export PODMAN_IGNORE_CGROUPSV1_WARNING=1
podman --storage-driver vfs import /image.tar localhost/inner >/dev/null 2>&1 || exit 99
podman --storage-driver vfs run --rm "$@" localhost/inner sh -c 'echo inner; exit 7'
echo "status $?"
cat /tmp/crun-debug.log
"""
# What the documentation of Podman's own image sets for its users.
UNPRIVILEGED = ("--network", "host", "--uts", "host", "--ipc", "host", "--cgroupns", "host",
                "--cgroups", "disabled")
CAP_SETGID, CAP_SETUID = 6, 7


class Nested(PodmanBase):
    name = "podman-in-podman"
    flavors = ("root",)
    own_root = True      # not of the room, but it takes as long
    inner = None

    @classmethod
    def root(cls):
        cls.inner = podman_newer.root()

    def start(self):
        if not shutil.which("podman", path=PATH):
            self.skip("podman is not installed")
        super().start()
        for name in ("upper", "work", "inner"):
            self.mkdir("nest/" + name)
        self.tree = self.path("nest/inner")
        contain.hostside.mount("overlay", self.tree, "overlay", 0,
                               f"lowerdir={self.inner},upperdir={self.path('nest/upper')},"
                               f"workdir={self.path('nest/work')}")
        self.put("etc/containers/containers.conf", CONF)
        self.put("etc/containers/policy.json", '{"default": [{"type": "insecureAcceptAnything"}]}')
        self.put("inner.sh", INNER)
        self.put("usr/bin/crun", WRAPPER)
        os.chmod(os.path.join(self.tree, "usr/bin/crun"), 0o755)
        shutil.copy(self.runtime, os.path.join(self.tree, "opt/crun"))
        shutil.copy(self.image_tar(), os.path.join(self.tree, "image.tar"))
        self.run("chroot", self.tree, "useradd", "-m", "-u", "1000", "podman")
        for name in ("etc/subuid", "etc/subgid"):
            self.put(name, "podman:1:999\npodman:1001:64535\n")
        # By set-user-id they would need CAP_SYS_ADMIN, which the outer container lacks.
        for name, number in (("newuidmap", CAP_SETUID), ("newgidmap", CAP_SETGID)):
            path = os.path.join(self.tree, "usr/bin", name)
            os.chmod(path, 0o755)
            os.setxattr(path, "security.capability",
                        struct.pack("<5I", 0x02000001, 1 << number, 0, 0, 0))

    def stop(self):
        super().stop()
        contain.hostside.umount(self.tree)

    def put(self, name, text):
        path = os.path.join(self.tree, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        contain.write(path, text)
        os.chmod(path, 0o644)

    def nested(self, outer, inner):
        """Output of a container in a container, whose status is 7, and the inner crun's log."""
        done = self.podman("run", "--rm", "--network", "none", *outer, "--rootfs", self.tree, "sh",
                           "/inner.sh", *inner, timeout=150)
        log = os.path.join(self.tree, "tmp/crun-debug.log")
        if os.path.exists(log):
            os.unlink(log)
        return done

    def works(self, done, *traces):
        lines = done.out.splitlines()
        assert lines[:2] == ["inner", "status 7"], done
        for trace in traces:
            assert trace in done.out, f"the log does not say `{trace}`: {done}"

    @scenario(timeout=200)
    def privileged_by_root(self):
        done = self.nested(["--privileged"], ["--network", "none"])
        self.works(done, "mount to /sys/fs/cgroup")

    @scenario(timeout=200)
    def privileged_by_a_user(self):
        """Rootless in the container: there is no cgroup for it, and no power over devices."""
        done = self.nested(["--privileged", "--user", "podman"], ["--network", "none"])
        self.works(done, "going without a cgroup")

    @scenario(timeout=200)
    def some_capabilities_by_root(self):
        done = self.nested(["--cap-add", "sys_admin,mknod", "--device", "/dev/fuse"],
                           ["--network", "host", "--cgroups", "disabled"])
        self.works(done)

    @scenario(timeout=200)
    def no_privileges_by_a_user(self):
        """The visible /proc is masked, so that the kernel makes no other: Podman's image binds it."""
        done = self.nested(["--user", "podman", "--device", "/dev/fuse"],
                           [*UNPRIVILEGED, "--volume", "/proc:/proc"])
        self.works(done)

    @scenario(timeout=200)
    def refusal_of_proc_is_explained(self):
        done = self.nested(["--user", "podman", "--device", "/dev/fuse"], UNPRIVILEGED)
        assert "status 126" in done.out, done
        assert "the kernel refuses a new proc filesystem" in done.err, done
