# SPDX-License-Identifier: Apache-2.0
"""A Podman of our own for one test: its storage, its settings, and an image made of busybox."""

import os
import re
import resource
import shutil
import subprocess
import tempfile

import hostside

MS_BIND = 4096
IMAGE = "localhost/crun-test"

CONTAINERS_CONF = """
[containers]
default_ulimits = [{ulimits}]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
image_copy_tmp_dir = "{dir}"
[network]
network_config_dir = "{dir}/networks"
"""

POLICY = '{"default": [{"type": "insecureAcceptAnything"}]}'


def ulimit(name):
    """Podman asks for more than a root without CAP_SYS_RESOURCE may have."""
    hard = resource.getrlimit(getattr(resource, "RLIMIT_" + name.upper()))[1]
    hard = 4096 if hard == resource.RLIM_INFINITY else min(hard, 4096)
    return f"{name}={hard}:{hard}"


class Podman:
    """.run("run", "--rm", …) -> result; everything it makes is below a directory of its own.

    The directory is a short one, because sockets are made deep below it.
    """

    def __init__(self, t):
        self.t = t
        if not shutil.which("podman"):
            t.skip("podman is not installed")
        if os.geteuid() == 0:   # its locks are shared memory under a fixed name
            t.mount("tmpfs", "/dev/shm", "tmpfs", 0, "mode=1777")
        if not t.rootless:      # podman never says --root; so no other test's containers are there
            os.makedirs("/run/crun", 0o700, exist_ok=True)
            t.mount(t.state_dir, "/run/crun", None, MS_BIND)
            if os.path.isdir("/var/lib/containers"):   # a cache of what is known about images
                t.mount("tmpfs", "/var/lib/containers", "tmpfs", 0, "mode=700")
        self.dir = tempfile.mkdtemp(prefix="pod", dir=t.world.dir)
        os.chmod(self.dir, 0o755)
        os.chown(self.dir, t.uid, t.gid)
        self.parent = f"{t.prefix}-podman"
        t.cgroup_parents.add(self.parent)
        t.file(self.path("c.conf"),
               CONTAINERS_CONF.format(ulimits=f'"{ulimit("nofile")}", "{ulimit("nproc")}"', dir=self.dir))
        t.file(self.path("s.conf"), '[storage]\ndriver = "vfs"\n'
               f'graphroot = "{self.path("g")}"\nrunroot = "{self.path("r")}"\n')
        t.mkdir(self.path("home"))
        t.mkdir(self.path("home/.config"))
        t.mkdir(self.path("home/.config/containers"))
        t.file(self.path("home/.config/containers/policy.json"), POLICY)
        self.load_image()

    def path(self, name):
        return os.path.join(self.dir, name)

    def environment(self):
        return {"CONTAINERS_CONF": self.path("c.conf"), "HOME": self.path("home"),
                "CONTAINERS_STORAGE_CONF": self.path("s.conf"), "TMPDIR": self.dir}

    def argv(self, *args):
        return ["podman", "--root", self.path("g"), "--runroot", self.path("r"), "--tmpdir",
                self.path("t"), "--storage-driver", "vfs", "--runtime", self.t.runtime,
                *map(str, args)]

    def load_image(self):
        tar = self.path("image.tar")
        subprocess.check_call(["tar", "-cf", tar, "-C", self.t.world.rootfs, "."])
        self.run("import", tar, IMAGE)
        os.unlink(tar)

    def run(self, *args, check=True, timeout=120, **kwargs):
        """A podman command -> result.  Its monitor notes in our directory that memory ran out."""
        return self.t.rt(argv=self.argv(*args), env=self.environment(), check=check,
                         timeout=timeout, cwd=self.dir, **kwargs)

    def options(self):
        """What each `run` and `create` gets: nothing here depends on the network of the host."""
        options = ["--network", "none"]
        if not self.t.rootless:
            options += ["--cgroup-parent", "/" + self.parent]
        return options

    def container(self, *args, **kwargs):
        """`podman run --rm` with these options and command, the image between them as ":"."""
        return self.run("run", "--rm", *self.options(), *self.words(args), **kwargs)

    def background(self, *args):
        """`podman run --detach`; the container's id."""
        done = self.run("run", "--detach", *self.options(), *self.words(args))
        assert re.fullmatch(r"[0-9a-f]{64}\n", done.out) and done.err == "", done
        return done.out.strip()

    @staticmethod
    def words(args):
        return [IMAGE if word == ":" else word for word in args]

    def pty(self, *args):
        argv = self.argv("run", "--rm", "-it", *self.options(), *self.words(args))
        return self.t.pty_argv(argv, env=self.environment())

    def inspect(self, container, template):
        return self.run("inspect", "--format", template, container).out.strip()

    def cgroup_value(self, container, *names):
        """Content of the first of these files (v1 and v2 names) in the container's cgroup."""
        for point in hostside.cgroup_mounts().values():
            for name in names:
                path = os.path.join(point, self.parent, "libpod-" + container, name)
                if os.path.exists(path):
                    with open(path, encoding="ascii") as source:
                        return source.read().strip()
        raise AssertionError(f"no {names} for {container}")

    def close(self):
        """Remove and return what is left; a rootless Podman keeps a process for its namespace."""
        left = self.run("ps", "-aq", check=False).out.split()
        if left:
            self.run("rm", "--force", "--time", "0", *left, check=False)
        self.t.wait_until(lambda: not self.conmons(), "the monitors to leave")
        if self.t.rootless:
            self.run("system", "migrate", check=False)   # ends that process
        self.remove_conmon_cgroups()
        return left

    @staticmethod
    def conmons():
        hostside.reap()
        return [p for p, (_s, name) in hostside.descendants(os.getpid()).items()
                if name in ("conmon", "podman")]

    def remove_conmon_cgroups(self):
        """Podman keeps one for its monitors; the containers' own are ours to remove."""
        for top in hostside.find_cgroups(self.parent):
            path = os.path.join(top, "conmon")
            if os.path.isdir(path):
                os.rmdir(path)
