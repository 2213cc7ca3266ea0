# SPDX-License-Identifier: Apache-2.0
"""Podman's scenarios with the storage driver overlay: containers whose root is a mount of layers."""

import os

from framework import scenario


class Scenarios:
    def root_type(self, *words):
        done = self.container(*words, ":", "awk", '$5 == "/" { sub(/.* - /, ""); print $1 }',
                              "/proc/self/mountinfo")
        return done.out.strip()

    @scenario()
    def root_is_a_mount_of_layers(self):
        info = self.podman("info", "--format", "{{.Store.GraphDriverName}}").out.strip()
        assert info == "overlay", info
        assert self.root_type() == self.filesystem
        assert self.root_type("--read-only") == self.filesystem
        done = self.container("--read-only", "--tmpfs", "/scratch", ":", "sh", "-c",
                              "touch /scratch/x; touch /x", check=False)
        assert done.rc and done.err.count("Read-only file system") == 1, done

    @scenario()
    def files_of_layers_are_changed_and_committed(self):
        """Copied up, removed and replaced: what is a character device or a mark in the layer above."""
        # A name that cannot be the beginning of an image's id, which `podman diff` prefers.
        self.podman("run", "--name", "writer", "--network", "none", self.image, "sh", "-c",
                    "echo more >>/etc/passwd; rm /etc/group; rm -r /home; mkdir /home; touch /home/x")
        changes = self.podman("diff", "writer").out.split("\n")
        assert {"C /etc/passwd", "D /etc/group", "A /home/x"} <= set(changes), changes
        self.podman("commit", "--quiet", "writer", "localhost/changed")
        self.podman("rm", "writer")
        done = self.podman("run", "--rm", "--network", "none", "localhost/changed", "sh", "-c",
                           "tail -n 1 /etc/passwd; ls /home; test -e /etc/group; echo $?")
        assert done.out.split() == ["more", "x", "1"], done
        self.podman("rmi", "localhost/changed")

    @scenario()
    def root_stays_over_a_restart(self):
        self.background("--name", "c", ":", "sh", "-c", "echo run >>/count; exec sleep 1000")
        count = ("exec", "c", "cat", "/count")
        self.wait_until(lambda: self.podman(*count, check=False).out == "run\n", "the first run")
        self.podman("restart", "--time", "0", "c")
        self.wait_until(lambda: self.podman(*count, check=False).out == "run\nrun\n", "the second")
        self.podman("rm", "--force", "--time", "0", "c")

    @scenario()
    def volumes_that_are_layers(self):
        """An overlay over a directory of the host, and an image's files as a volume."""
        self.mkdir("lower")
        self.file("lower/file", "below\n")
        done = self.container("--volume", self.path("lower") + ":/data:O", "--mount",
                              f"type=image,source={self.image},destination=/image", ":", "sh", "-c",
                              "cat /data/file; echo above >/data/file; cat /data/file; "
                              "test -x /image/bin/busybox && echo there")
        assert done.out == "below\nabove\nthere\n", done
        assert self.read(self.path("lower/file")) == "below\n"
        assert os.listdir(self.path("lower")) == ["file"]

    @scenario()
    def user_namespaces_over_layers(self):
        """Root's layers are mapped by the kernel or changed by Podman; either way they fit."""
        done = self.container("--userns", "auto:size=5000", ":", "sh", "-c",
                              "cat /proc/self/uid_map; stat -c %u:%g /etc/passwd /home/user; "
                              "touch /new && stat -c %u:%g /new")
        words = done.out.split()
        assert words[0] == "0" and words[1] != "0" and words[2] == "5000", done
        assert words[3:] == ["0:0", "1000:1000", "0:0"], done

    @scenario()
    def programs_in_layers_may_have_other_users(self):
        done = self.container("--user", "user", ":", "sh", "-c",
                              "echo x >/dev/null && id -u; cp /bin/busybox /tmp/echo && "
                              "/tmp/echo copied; awk '$5 == \"/\" { print $6 }' "
                              "/proc/self/mountinfo")
        words = done.out.split()
        assert words[:2] == ["1000", "copied"], done
        assert not {"nosuid", "noexec"} & set(words[2].split(",")), done
