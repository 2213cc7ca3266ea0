# SPDX-License-Identifier: Apache-2.0
"""Buildah: the one that is installed, and a newer one of the distribution's next release."""

import json
import os
import re
import shutil

import next_release
from framework import Engine, scenario, ulimit

IMAGE = "localhost/crun-test:latest"
# Of Buildah's own tests: tells in JSON, in the configuration's words, what a step has been given.
REPORTER = "/usr/libexec/buildah/testreport"
DOCKERFILE = """FROM {image}
ENV GREETING=hello
RUN echo "$GREETING" >/made && id -u >>/made
WORKDIR /place
RUN ["/bin/sh", "-c", "pwd >here; hostname >name"]
USER 1000
RUN id -u >/tmp/user
"""


class Buildah(Engine):
    name = "buildah"
    programs = ("buildah",)
    image = IMAGE

    def __init__(self, world, flavor, folder):
        super().__init__(world, flavor, folder)
        self.isolation = "rootless" if self.rootless else "oci"
        self.how = ["--runtime", self.runtime, "--isolation", self.isolation]

    def start(self):
        if self.rootless and not shutil.which("newuidmap"):
            self.skip("newuidmap is not installed")
        for name in ("home/.config", "home/.config/containers", "context"):
            self.mkdir(name)
        self.file("storage.conf", f'[storage]\ndriver = "vfs"\ngraphroot = "{self.path("g")}"\n'
                  f'runroot = "{self.path("r")}"\n')
        self.file("home/.config/containers/policy.json",
                  '{"default": [{"type": "insecureAcceptAnything"}]}')
        ulimits = f'"{ulimit("nofile")}", "{ulimit("nproc")}"'
        self.file("containers.conf", f'[containers]\ndefault_ulimits = [{ulimits}]\n[engine]\n'
                  'cgroup_manager = "cgroupfs"\n')
        name = self.buildah("from", "scratch").out.strip()
        self.buildah("add", name, self.image_tar(), "/")
        self.buildah("config", "--cmd", "sh", "--env", "PATH=/bin", name)
        self.buildah("commit", name, IMAGE)
        self.buildah("rm", name)

    def environment(self, env=None):
        return super().environment({
            "CONTAINERS_CONF": self.path("containers.conf"), "BUILDAH_ISOLATION": self.isolation,
            "CONTAINERS_STORAGE_CONF": self.path("storage.conf"),
            "BUILDAH_RUNTIME": self.runtime, **(env or {})})

    def buildah(self, *words, **kwargs):
        return self.run("buildah", *words, **kwargs)

    def working(self):
        return self.buildah("from", "--pull-never", IMAGE).out.strip()

    def step(self, *words, **kwargs):
        """`buildah run` in a new working container; ":" stands for that container and "--"."""
        name = self.working()
        table = []
        for word in words:
            table += ["--", name] if word == ":" else [word]
        return self.buildah("run", *self.how, *table, **kwargs)

    def tidy(self):
        self.buildah("rm", "--all", check=False)
        for line in self.buildah("images", "--format", "{{.Name}}", check=False).out.split():
            if line != IMAGE.split(":", maxsplit=1)[0]:
                self.buildah("rmi", "--force", line, check=False)
        return []

    def stop(self):
        self.buildah("rmi", "--all", "--force", check=False)

    # ---- scenarios ----

    @scenario()
    def run_prints_and_hands_on_the_status(self):
        done = self.step(":", "sh", "-c", "echo out; echo err >&2; exit 7", check=False)
        assert done.out == "out\n" and done.err.startswith("err\n") and done.rc == 7, done
        done = self.step(":", "sh", "-c", "cat /proc/self/attr/current >/dev/null 2>&1; echo $$")
        assert done.out == "1\n", done

    @scenario(quick=True)
    def build_with_run_steps(self):
        self.file("context/Dockerfile", DOCKERFILE.format(image=IMAGE))
        self.buildah("bud", *self.how, "--pull-never", "--tag",
                     "made", self.path("context"), timeout=90)
        name = self.buildah("from", "--pull-never", "made").out.strip()
        done = self.buildah("run", name, "--", "cat", "/made", "/place/here", "/tmp/user")
        assert done.out == "hello\n0\n/place\n1000\n", done

    @scenario()
    def build_that_fails(self):
        for command, text in (("exit 9", "9"), ("no-such-program", "not found")):
            self.file("context/Dockerfile", f"FROM {IMAGE}\nRUN {command}\n")
            done = self.buildah("bud", *self.how, "--pull-never",
                                "--tag", "bad", self.path("context"), check=False)
            assert done.rc and text in done.out + done.err, done

    @scenario()
    def commands_that_cannot_run(self):
        for command, text in (
                ("no-such-program", "executable file `no-such-program` not found in $PATH"),
                ("/etc", "the path `/etc` is not a regular file")):
            done = self.step(":", command, check=False)
            assert done.rc and text in done.err, done

    @scenario()
    def terminal(self):
        name = self.working()
        pty = self.pty("buildah", "run", *self.how, "-t", name,
                       "sh")
        pty.expect(r"[#$] ", 30)
        pty.send(b"tty\r")
        pty.expect(r"/dev/(pts/0|console)\r+\n")
        pty.send(b"exit 4\r")
        assert pty.wait(30) == 4

    @scenario()
    def input_goes_through(self):
        data = b"0123456789abcdef\n" * 20000
        done = self.step(":", "wc", "-c", input=data)
        assert done.out.strip() == str(len(data)), done

    @scenario()
    def runtime_flags(self):
        log = self.path("tmp", "flag.log")
        done = self.step("--runtime-flag", "log=" + log, "--runtime-flag", "debug", ":", "echo",
                         "hello")
        assert done.out == "hello\n" and os.path.getsize(log), done
        done = self.step("--runtime-flag", "invalidflag", ":", "true", check=False)
        assert done.rc and "invalidflag" in done.err, done

    @scenario()
    def mounts_users_and_capabilities(self):
        self.file("note", "a note\n")
        done = self.step("--volume", f"{self.path('note')}:/tmp/note:ro", "--user", "1000",
                         "--cap-drop",
                         "CAP_CHOWN", "--mount", "type=tmpfs,dst=/scratch", ":", "sh", "-c",
                         "cat /tmp/note; id -u; touch /tmp/note; stat -f -c %T /scratch",
                         check=False)
        assert done.out == "a note\n1000\ntmpfs\n" and "Read-only file system" in done.err, done
        done = self.step("--cap-drop", "CAP_CHOWN", ":", "grep", "CapEff", "/proc/self/status")
        assert not int(done.out.split()[1], 16) & 1, done

    @scenario()
    def report_of_its_own_test_program(self):
        if not os.path.exists(REPORTER):
            self.skip("this package has no testreport")
        done = self.step("--volume", f"{os.path.dirname(REPORTER)}:/report:ro", "--workingdir",
                         "/tmp", "--user", "1000:1001", "--cap-drop", "CAP_CHOWN", "--env",
                         "GREETING=hi", ":", "/report/" + os.path.basename(REPORTER))
        spec = json.loads(done.out)["Spec"]
        process, mounts = spec["process"], {}
        for entry in spec["mounts"]:
            mounts.setdefault(entry["destination"], entry)
        user = process["user"]
        assert (user["uid"], user["gid"], process["cwd"]) == (1000, 1001, "/tmp"), process
        assert {"PATH=/bin", "GREETING=hi"} <= set(process["env"]), process
        assert process["args"] == ["/report/testreport"], process
        sets = process["capabilities"]
        assert "CAP_CHOWN" not in sets["bounding"] and "CAP_KILL" in sets["bounding"], sets
        assert not sets.get("effective") and not sets.get("permitted"), sets
        limits = {entry["type"]: f"{entry['soft']}:{entry['hard']}" for entry in process["rlimits"]}
        for name in ("nofile", "nproc"):
            assert f"{name}={limits['RLIMIT_' + name.upper()]}" == ulimit(name), limits
        for place, kind, option in (("/report", None, "ro"), ("/proc", "proc", "nosuid"),
                                    ("/dev/pts", "devpts", "noexec"), ("/proc/sys", "proc", "ro"),
                                    ("/dev/shm", "tmpfs", "nodev"), ("/sys/firmware", "tmpfs", "ro")):
            entry = mounts[place]
            assert kind in (None, entry["type"]) and option in entry["options"], entry
        outside = spec["linux"]["uidMappings"][0]
        wanted = (self.uid, 1) if self.rootless else (0, 4294967295)
        assert (outside["containerID"], outside["hostID"], outside["size"]) == (0, *wanted), outside

    @scenario(flavors=("root",))
    def cgroup_parent(self):
        name = self.buildah("from", "--pull-never", "--cgroup-parent", "/build-steps",
                            IMAGE).out.strip()
        done = self.buildah("run", *self.how, name, "--", "cat",
                            "/proc/self/cgroup")
        assert re.search("build-steps|:/$", done.out, re.M), done

    @scenario()
    def network_of_the_host(self):
        done = self.step("--network", "host", ":", "ip", "-o", "link")
        assert "eth0" in done.out, done

    @scenario()
    def step_that_is_interrupted(self):
        # Buildah watches for signals as soon as it asks for the state; before, one is its own end.
        calls = self.file("calls")
        watched = self.file("watched", f'#!/bin/sh\necho "$*" >>{calls}\nexec {self.runtime} "$@"\n',
                            0o755)
        child = self.popen("buildah", "run", "--runtime", watched, *self.how[2:], self.working(),
                           "--", "sh", "-c", "echo ready; sleep 1000",
                           stdout=open(self.file("steps"), "wb"))
        self.wait_until(lambda: self.read(self.path("steps")) == "ready\n", "the step")
        self.wait_until(lambda: re.search(r"\bstate\b", self.read(calls)), "its observation")
        child.terminate()
        child.wait(30)
        assert child.returncode, child.returncode


class NewerBuildah(Buildah):
    name = "buildah-newer"
    own_root = True

    @classmethod
    def root(cls):
        return next_release.root()
