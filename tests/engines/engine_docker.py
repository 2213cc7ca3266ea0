# SPDX-License-Identifier: Apache-2.0
"""Docker: the daemon of the host's release and of the next one, as root and under rootlesskit."""

import json
import os
import resource

import next_release
import real_root
import roots
import unstable_release
from contain import SUBIDS, SUBID_COUNT
from framework import Engine, Skip, scenario
from docker_build import Build
from docker_compose import Compose
from docker_run import Run

IMAGE = "crun-test:latest"
SCRIPT = "/usr/share/docker.io/contrib/dockerd-rootless.sh"
PACKAGES = ["docker.io", "docker-compose", "redis-server", "rootlesskit", "slirp4netns", "uidmap",
            "fuse-overlayfs", "iptables", "iproute2", "procps"]


class DockerBase(Engine):
    """The daemon and the client; .docker(...) is the command."""

    programs = ("dockerd", "docker")
    own_root = True
    keep_processes = ("dockerd", "containerd", "rootlesskit", "exe", "slirp4netns",
                      "docker-proxy", "rootlesskit-doc")
    keep_cgroups = (r"/docker", r"/docker/buildkit", r"/system\.slice", r"/user\.slice")
    keep_mounts = (r".*/docker/(overlay2|vfs|fuse-overlayfs|buildkit).*", r"/run/docker/netns/.*",
                   r".*/buildkit/executor/.*", r".*/docker")
    image = IMAGE
    daemon = None
    start_timeout = 300

    # ---- the daemon ----

    def start(self):
        self.host = f"unix://{self.run_dir}/docker.sock"
        for name in ("docker", "home/.docker", "context"):
            self.mkdir(name)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.file("daemon.json", json.dumps({
            "runtimes": {"crun": {"path": self.runtime}}, "default-runtime": "crun",
            "data-root": self.path("docker"), "exec-root": self.run_dir + "/docker",
            "hosts": [self.host], "storage-driver": "vfs" if self.rootless else "overlay2",
            "exec-opts": [] if self.rootless else ["native.cgroupdriver=cgroupfs"],
            "default-ulimits": {"nofile": {"Name": "nofile", "Soft": min(soft, 1024),
                                           "Hard": min(hard, 4096)}},
            "features": {"buildkit": True}, **self.settings()}))
        self.start_daemon()
        self.docker("import", "--change", 'CMD ["sh"]', self.image_tar(), IMAGE)

    def settings(self):
        return {}

    def start_daemon(self):
        argv = ["dockerd", "--config-file", self.path("daemon.json"), "--pidfile",
                self.run_dir + "/docker.pid"]
        env = {}
        if self.rootless:
            argv = ["sh", SCRIPT, *argv[1:], "--rootless"]
            env = {"DOCKERD_ROOTLESS_ROOTLESSKIT_SLIRP4NETNS_SANDBOX": "false"}
        with open(self.path("log/daemon"), "ab") as log:
            self.daemon = self.keep_running(self.popen(*argv, stdout=log, stderr=log, env=env))
        self.wait_until(self.answers, "dockerd", 90)

    def answers(self):
        assert self.daemon.poll() is None, self.read(self.path("log/daemon"))[-3000:]
        return os.path.exists(self.host[7:]) and self.docker("version", check=False).rc == 0

    def stop_daemon(self):
        self.daemon.terminate()
        self.daemon.wait(60)

    def stop(self):
        if self.daemon and self.daemon.poll() is None:
            self.docker("system", "prune", "--all", "--force", "--volumes", check=False)
            self.stop_daemon()

    def state_dirs(self):
        return [f"{self.run_dir}/docker/runtime-runc/moby", "/run/crun"]

    # ---- the client ----

    def environment(self, env=None):
        return super().environment({"DOCKER_HOST": self.host, **(env or {})})

    def docker(self, *words, **kwargs):
        return self.run("docker", *words, **kwargs)

    @staticmethod
    def words(words):
        return [IMAGE if word == ":" else word for word in words]

    def container(self, *words, **kwargs):
        """`docker run --rm` with these options and command, the image between them as ":"."""
        return self.docker("run", "--rm", *self.words(words), **kwargs)

    def background(self, *words):
        return self.docker("run", "--detach", *self.words(words)).out.strip()

    def inspect(self, name, template):
        return self.docker("inspect", "--format", template, name).out.strip()

    def logs(self, name):
        done = self.docker("logs", name)
        return done.out + done.err

    def has_exec(self):
        return self.run(self.runtime, "exec", "--help", check=False).rc == 0

    def need_exec(self):
        if not self.has_exec():
            self.skip("this crun has no exec")

    def tidy(self):
        names = self.docker("ps", "--all", "--quiet", check=False).out.split()
        if names:
            self.docker("rm", "--force", "--volumes", *names, check=False)
        for name in self.docker("network", "ls", "--quiet", "--filter", "type=custom",
                                check=False).out.split():
            self.docker("network", "rm", name, check=False)
        return []


class Docker(Run, Build, Compose, DockerBase):
    """Of the next release."""

    name = "docker"

    @classmethod
    def root(cls):
        return next_release.root()


class UnstableDocker(Run, Build, Compose, DockerBase):
    """The newest that is packaged, with containerd 2."""

    name = "docker-unstable"

    @classmethod
    def root(cls):
        return unstable_release.root()


class OlderDocker(Run, Build, Compose, DockerBase):
    """Of the host's release."""

    name = "docker-older"

    @classmethod
    def root(cls):
        try:
            _mirror, suite, _components = real_root.host_source()
        except real_root.Unavailable as reason:
            raise Skip(str(reason)) from None
        if suite == next_release.SUITE:
            raise Skip(f"{suite} is the host's release")
        return roots.debootstrap(suite, PACKAGES)


class RemappedDocker(DockerBase):
    """Root's containers in a user namespace of the daemon's choice."""

    name = "docker-userns"
    flavors = ("root",)

    @classmethod
    def root(cls):
        return next_release.root()

    def settings(self):
        return {"userns-remap": "engines"}

    @scenario()
    def root_of_the_container_is_nobody_on_the_host(self):
        bind = self.mkdir("bound")
        os.chmod(bind, 0o777)
        done = self.container("-v", f"{bind}:/bound", "--memory", "64m", ":", "sh", "-c",
                              "cat /proc/self/uid_map; id -u; touch /bound/file /root/file; "
                              "chown 5:6 /bound/file && stat -c %u:%g /bound/file /root/file")
        assert done.out.split() == ["0", str(SUBIDS), str(SUBID_COUNT), "0", "5:6", "0:0"], done
        facts = os.stat(bind + "/file")
        assert (facts.st_uid, facts.st_gid) == (SUBIDS + 5, SUBIDS + 6), facts

    @scenario()
    def detached_with_exec_and_a_port(self):
        self.need_exec()
        self.background("--name", "server", "--publish", "127.0.0.1:8083:80", ":", "httpd", "-f",
                        "-p",
                        "80", "-h", "/etc")
        fetch = [self.world.rootfs + "/bin/busybox", "wget", "-q", "-O", "-",
                 "http://127.0.0.1:8083/passwd"]
        self.wait_until(lambda: "user:x:1000" in self.run(*fetch, check=False).out, "the page")
        done = self.docker("exec", "server", "sh", "-c", "id -u; cat /proc/1/uid_map")
        assert done.out.split()[:3] == ["0", "0", str(SUBIDS)], done

    @scenario()
    def namespaces_of_the_host(self):
        done = self.container("--userns", "host", ":", "cat", "/proc/self/uid_map")
        assert done.out.split() == ["0", "0", "4294967295"], done
        done = self.container("--privileged", ":", "true", check=False)
        assert done.rc == 125 and "incompatible" in done.err, done
