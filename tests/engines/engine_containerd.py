# SPDX-License-Identifier: Apache-2.0
"""containerd: the one that is installed, that of the distribution's next release, and containerd 2."""

import os
import shutil

import archives
import grpc
import next_release
from containerd_cri import Cri
from containerd_ctr import Ctr
from framework import Engine
import hostside
import unstable_release

IMAGE = "docker.io/library/crun-test:latest"
PAUSE = "docker.io/library/crun-pause:latest"
BRIDGE = "crun0"

CONFIG = """
version = 2
root = "{dir}/ctd"
state = "{run}/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs",
  "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"{disabled}]
[grpc]
address = "{run}/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"
disable_tcp_service = true
enable_selinux = false
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".containerd]
default_runtime_name = "crun"
snapshotter = "overlayfs"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.crun]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.crun.options]
BinaryName = "{runtime}"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{dir}/cni"
"""

CNI = """{"cniVersion": "0.4.0", "name": "pods", "plugins": [{"type": "bridge", "bridge": "%s",
"isGateway": true, "ipMasq": false, "ipam": {"type": "host-local", "dataDir": "%s",
"ranges": [[{"subnet": "198.51.100.0/24"}]]}}]}"""


class Containerd(Ctr, Cri, Engine):
    name = "containerd"
    programs = ("containerd", "containerd-shim-runc-v2", "ctr")
    keep_processes = ("containerd", "rootlesskit", "exe", "slirp4netns")
    keep_cgroups = (r"/default", r"/k8s\.io", r"/kubepods")
    image = IMAGE
    daemon = None

    # ---- the daemon ----

    def start(self):
        if self.rootless and not shutil.which("rootlesskit"):
            self.skip("rootlesskit is not installed")
        self.snapshotter = "native" if self.rootless else "overlayfs"
        for name in ("ctd", "cni", "ipam"):
            self.mkdir(name)
        self.file("cni/10-pods.conflist", CNI % (BRIDGE, self.path("ipam")))
        self.file("config.toml", CONFIG.format(
            dir=self.dir, run=self.run_dir, pause=PAUSE, runtime=self.runtime,
            disabled=', "io.containerd.grpc.v1.cri"' if self.rootless else ""))
        self.start_daemon()
        tar = [self.image_tar()]
        image = archives.docker_archive(self.path("image"), tar, IMAGE, Cmd=["sh"])
        pause = archives.docker_archive(self.path("pause"), tar, PAUSE,
                                        Entrypoint=["sleep", "9999"])
        # The daemon of containerd 2 unpacks for the default snapshotter only, and ctr for any.
        local = ["--local"] if "--local" in self.ctr("image", "import", "--help").out else []
        self.ctr("image", "import", *local, "--snapshotter", self.snapshotter, image)
        if not self.rootless:
            for path in image, pause:
                self.ctr("--namespace", "k8s.io", "image", "import", path)
        for name in ("image", "pause"):
            os.unlink(self.path(name))

    def start_daemon(self):
        argv = ["containerd", "--config", self.path("config.toml")]
        if self.rootless:
            argv = ["rootlesskit", "--state-dir", self.path("rk"), "--net", "host", "--copy-up",
                    "/run"] + argv
        with open(self.path("log/daemon"), "ab") as log:
            self.daemon = self.keep_running(self.popen(*argv, stdout=log, stderr=log))
        self.wait_until(self.answers, "containerd", 60)

    def answers(self):
        assert self.daemon.poll() is None, self.read(self.path("log/daemon"))[-2000:]
        if self.rootless and not os.path.exists(self.path("rk/child_pid")):
            return False
        if self.ctr("version", check=False).rc:
            return False
        try:
            return self.rootless or self.pods() is not None
        except grpc.Refused:
            return False

    def stop_daemon(self):
        self.daemon.terminate()
        self.daemon.wait(30)

    def stop(self):
        if self.daemon and self.daemon.poll() is None:
            self.stop_daemon()

    def state_root(self, namespace):
        return f"/run/containerd/runc/{namespace}"   # rootless: as it is seen from inside()

    def state_dirs(self):
        return [self.state_root("default"), self.state_root("k8s.io"), "/run/crun"]

    # ---- the client ----

    def inside(self):
        """Words before a command that enter the daemon's namespaces."""
        if not self.rootless:
            return []
        pid = self.read(self.path("rk/child_pid")).strip()
        return ["nsenter", "--preserve-credentials", "-U", "-m", "-t", pid]

    def argv(self, *words):
        return [*self.inside(), "ctr", "--address", f"{self.run_dir}/containerd/containerd.sock",
                *map(str, words)]

    def ctr(self, *words, **kwargs):
        return self.run(*self.argv(*words), **kwargs)

    def run_argv(self, *words, name=None):
        """`ctr run --rm` with these words; ":" stands for the image and the container's name."""
        self.counter += 1
        name = name or f"c{self.counter}"
        table = []
        for word in words:
            table += [IMAGE, name] if word == ":" else [word]
        if "--rootfs" in table:   # its directory is in place of the image
            at = table.index("--rootfs") + 2
            table = table[:at] + [name] + table[at:]
        return self.argv("run", "--runc-binary", self.runtime, "--snapshotter", self.snapshotter,
                         *self.extra(), *table)

    def extra(self):
        # An ordinary user has no cgroup of v1; ctr asks for a path, and for the usual CPU shares.
        return ["--cgroup", "", "--cpu-shares", "0"] if self.rootless else []

    def container(self, *words, **kwargs):
        argv = self.run_argv(*words)
        at = argv.index("run") + 1
        return self.run(*argv[:at], "--rm", *argv[at:], **kwargs)

    def background(self, name, *words):
        argv = self.run_argv(*words, name=name)
        at = argv.index("run") + 1
        self.run(*argv[:at], "--detach", *argv[at:])

    def status(self, name):
        for line in self.ctr("task", "ls").out.splitlines()[1:]:
            words = line.split()
            if words[0] == name:
                return words[-1]
        return None

    def exec(self, name, *words, **kwargs):
        self.counter += 1
        return self.ctr("task", "exec", "--exec-id", f"x{self.counter}", name, *words, **kwargs)

    def has_exec(self):
        return self.run(self.runtime, "exec", "--help", check=False).rc == 0

    def need_exec(self):
        if not self.has_exec():
            self.skip("this crun has no exec")

    # ---- cgroups ----

    def need_controllers(self, *names):
        mounts = hostside.cgroup_mounts()
        for name in names:
            if not self.controller(mounts, name):
                self.skip(f"no cgroup controller {name} here")

    @staticmethod
    def controller(mounts, name):
        for hierarchy, point in mounts.items():
            if name in hierarchy.split(","):
                return point
        point = mounts.get("unified")
        if point:
            with open(point + "/cgroup.controllers", encoding="ascii") as source:
                if name in source.read().split():
                    return point
        return None

    def limit(self, container, controller, v2, v1, group="default"):
        point = self.controller(hostside.cgroup_mounts(), controller)
        folder = f"{point}/{group}/{container}"
        for name in (v2, v1):
            if os.path.exists(f"{folder}/{name}"):
                return self.read(f"{folder}/{name}").strip()
        raise AssertionError(f"neither {v1} nor {v2} in {folder}")

    def tidy(self):
        left = []
        for line in self.ctr("task", "ls", check=False).out.splitlines()[1:]:
            self.ctr("task", "delete", "--force", line.split()[0], check=False)
        for name in self.ctr("container", "ls", "-q", check=False).out.split():
            self.ctr("container", "rm", name, check=False)
        if not self.rootless:
            left += self.tidy_pods()
        return left


class NewerContainerd(Containerd):
    name = "containerd-newer"
    own_root = True

    @classmethod
    def root(cls):
        return next_release.root()


class UnstableContainerd(Containerd):
    name = "containerd-unstable"
    own_root = True

    @classmethod
    def root(cls):
        return unstable_release.root()
