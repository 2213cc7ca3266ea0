# SPDX-License-Identifier: Apache-2.0
"""Podman: the one that is installed, and a newer one of the distribution's next release."""

import shutil

from framework import Engine, ulimit
import podman_api
import podman_exec
import podman_limits
import podman_newer
import podman_overlay
import podman_pods
import podman_run

IMAGE = "localhost/crun-test:latest"
PAUSE = "localhost/crun-pause:latest"

CONTAINERS_CONF = """
[containers]
default_ulimits = [{ulimits}]
log_driver = "k8s-file"
[engine]
runtime = "crun"
cgroup_manager = "cgroupfs"
events_logger = "file"
image_copy_tmp_dir = "{dir}/tmp"
infra_image = "{pause}"
[engine.runtimes]
crun = ["{runtime}"]
[network]
network_config_dir = "{dir}/networks"
"""


class PodmanBase(Engine):
    """The settings and the image; .podman(...) is the command."""

    keep_processes = ("catatonit", "podman pause", "podman")
    keep_cgroups = (r"/libpod_parent(/conmon)?", r"/conmon", r"/user\.slice.*")
    keep_mounts = (r"/run/netns", r".*/netns", r".*/g/(overlay|vfs)")
    programs = ("podman", "conmon")
    image = IMAGE
    options = ()
    driver, driver_options = "vfs", ""

    def start(self):
        if self.rootless and not shutil.which("newuidmap"):
            self.skip("newuidmap is not installed")
        ulimits = f'"{ulimit("nofile")}", "{ulimit("nproc")}"'
        self.file("containers.conf", CONTAINERS_CONF.format(
            ulimits=ulimits, dir=self.dir, pause=PAUSE, runtime=self.runtime))
        self.file("storage.conf", f'[storage]\ndriver = "{self.driver}"\n'
                  f'graphroot = "{self.path("g")}"\nrunroot = "{self.path("r")}"\n'
                  + self.driver_options)
        for name in ("home/.config", "home/.config/containers"):
            self.mkdir(name)
        self.file("home/.config/containers/policy.json",
                  '{"default": [{"type": "insecureAcceptAnything"}]}')
        self.podman("import", self.image_tar(), IMAGE)
        self.podman("import", "--change", 'ENTRYPOINT ["/bin/sleep", "1000000"]', self.image_tar(),
                    PAUSE)

    def environment(self, env=None):
        own = {"CONTAINERS_CONF": self.path("containers.conf"),
               "CONTAINERS_STORAGE_CONF": self.path("storage.conf"),
               "PODMAN_IGNORE_CGROUPSV1_WARNING": "1"}
        return super().environment(dict(own, **(env or {})))

    def argv(self, *words):
        return ["podman", "--tmpdir", self.path("t"), *map(str, words)]

    def podman(self, *words, **kwargs):
        return self.run(*self.argv(*words), **kwargs)

    def words(self, words):
        return [IMAGE if word == ":" else word for word in words]

    def container(self, *words, **kwargs):
        """`podman run --rm` with these options and command, the image between them as ":"."""
        return self.podman("run", "--rm", "--network", "none", *self.words(words), **kwargs)

    def background(self, *words, **kwargs):
        """`podman run --detach`; the container's id."""
        done = self.podman("run", "--detach", "--network", "none", *self.words(words), **kwargs)
        return done.out.strip()

    def inspect(self, container, template):
        return self.podman("inspect", "--format", template, container).out.strip()

    def tidy(self):
        left = self.podman("ps", "-aq", check=False).out.split()
        if left:
            self.podman("rm", "--force", "--time", "0", *left, check=False)
        pods = self.podman("pod", "ps", "-q", check=False).out.split()
        if pods:
            self.podman("pod", "rm", "--force", "--time", "0", *pods, check=False)
        return [f"container {name}" for name in left] + [f"pod {name}" for name in pods]

    def stop(self):
        self.podman("rmi", "--force", IMAGE, PAUSE, check=False)
        if self.rootless:
            self.podman("system", "migrate", check=False)   # ends the process of its namespace


class Podman(podman_api.Scenarios, podman_pods.Scenarios, podman_exec.Scenarios,
             podman_limits.Scenarios, podman_run.Scenarios, PodmanBase):
    name = "podman"


class NewerPodman(Podman):
    name = "podman-newer"
    own_root = True

    @classmethod
    def root(cls):
        return podman_newer.root()


class OverlayPodman(podman_overlay.Scenarios, PodmanBase):
    """The driver that everybody has, where the kernel's overlay takes the layers."""

    name = "podman-overlay"
    own_root = True
    driver = "overlay"
    filesystem = "overlay"

    @classmethod
    def root(cls):
        return podman_newer.root()


class FusePodman(OverlayPodman):
    """The same in a file system of a user's process, for kernels that give users no overlay."""

    name = "podman-fuse-overlay"
    flavors = ("rootless",)
    driver_options = '[storage.options.overlay]\nmount_program = "/usr/bin/fuse-overlayfs"\n'
    filesystem = "fuse.fuse-overlayfs"
