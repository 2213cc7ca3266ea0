# SPDX-License-Identifier: Apache-2.0
"""Podman's units under a real systemd, and its systemd driver; booted.py runs them in a machine.

Nothing is set but the runtime: Podman's own choice is the driver systemd, the storage driver
overlay and the journal, for the administrator and for a user whose manager lingers.
"""

import os
import pwd
import shutil

from framework import Engine, scenario

IMAGE = "localhost/crun-test:latest"
CONTAINERS_CONF = """
[engine]
runtime = "crun"
[engine.runtimes]
crun = ["{runtime}"]
"""
# Process 1 of a pid namespace has to want SIGTERM to be ended by it.
PAYLOAD = "trap 'echo ending; exit 0' TERM; echo started; while :; do sleep 1000 & wait; done"
KUBE = """
apiVersion: v1
kind: Pod
metadata:
  name: kube
spec:
  hostNetwork: true
  containers:
  - name: one
    image: {image}
    imagePullPolicy: Never
    command: ["sh", "-c", "{payload}"]
  - name: two
    image: {image}
    imagePullPolicy: Never
    command: ["sh", "-c", "{payload}"]
"""
MIB = 1 << 20


class Podman(Engine):
    """.podman(...) and .systemctl(...), those of the flavor's manager."""

    name = "podman-units"
    keep_processes = ("catatonit", "podman pause", "podman")
    keep_mounts = (r"/run/netns", r".*/netns", r".*/containers/storage/(overlay|vfs)")
    programs = ("podman", "conmon", "systemctl")

    def __init__(self, world, flavor, folder):
        super().__init__(world, flavor, folder)
        self.home = pwd.getpwuid(self.uid).pw_dir
        self.unit_dir = self.home + "/.config/systemd/user" if self.rootless \
            else "/etc/systemd/system"
        self.units = []

    def start(self):
        for program in self.programs:
            if not shutil.which(program):
                self.skip(f"{program} is not installed in this machine")
        os.makedirs("/etc/containers", exist_ok=True)
        with open("/etc/containers/containers.conf", "w", encoding="utf-8") as out:
            out.write(CONTAINERS_CONF.format(runtime=self.runtime))
        self.run("mkdir", "-p", self.unit_dir)
        self.podman("import", self.image_tar(), IMAGE)
        info = self.podman("info", "--format", "{{.Host.OCIRuntime.Path}} {{.Host.CgroupManager}}")
        assert info.out.split() == [self.runtime, "systemd"], info

    def stop(self):
        self.podman("system", "prune", "--all", "--force", check=False)
        if self.rootless:
            self.podman("system", "migrate", check=False)   # ends the process of its namespace

    def environment(self, env=None):
        own = {"DBUS_SESSION_BUS_ADDRESS": f"unix:path={self.run_dir}/bus"} if self.rootless else {}
        return super().environment(dict(own, **(env or {})))

    def podman(self, *words, **kwargs):
        return self.run("podman", *words, **kwargs)

    def systemctl(self, *words, **kwargs):
        return self.run("systemctl", *(["--user"] if self.rootless else []), *words, **kwargs)

    def tidy(self):
        for unit in self.units:
            self.systemctl("stop", unit, check=False, timeout=90)
            path = os.path.join(self.unit_dir, unit)
            if os.path.exists(path):
                os.unlink(path)
        left = self.podman("ps", "-aq", check=False).out.split()
        self.podman("pod", "rm", "--all", "--force", "--time", "0", check=False)
        self.podman("rm", "--all", "--force", "--time", "0", check=False)
        if self.units:
            self.systemctl("daemon-reload")
            self.systemctl("reset-failed", check=False)
        self.units = []
        return [f"container {name}" for name in left]

    # ---- looking ----

    def show(self, unit, name):
        return self.systemctl("show", "--property", name, "--value", unit).out.strip()

    def inspect(self, container, template):
        return self.podman("inspect", "--format", template, container, check=False).out.strip()

    def cgroup_of(self, pid):
        """Directory of the v2 cgroup of a process."""
        line = [line for line in self.read(f"/proc/{pid}/cgroup").splitlines()
                if line.startswith("0::")][0]
        return "/sys/fs/cgroup" + line[3:]

    def scope_of(self, container):
        """(name of the scope, its cgroup's directory) of a running container."""
        identity, pid = self.inspect(container, "{{.Id}} {{.State.Pid}}").split()
        scope = f"libpod-{identity}.scope"
        path = self.cgroup_of(pid)
        assert f"/{scope}" in path, (path, scope)
        assert self.show(scope, "ActiveState") == "active", scope
        return scope, path[:path.index(scope) + len(scope)]

    def gone(self, scope, cgroup):
        """Nothing of a container: neither its unit, nor its cgroup, nor the runtime's state."""
        self.wait_until(lambda: self.show(scope, "ActiveState") != "active", f"the end of {scope}")
        self.wait_until(lambda: not os.path.exists(cgroup), f"the removal of {cgroup}")
        identity = scope[len("libpod-"):-len(".scope")]
        for path in self.state_dirs():
            assert not os.path.exists(os.path.join(path, identity)), path

    def value(self, cgroup, name):
        return self.read(os.path.join(cgroup, name)).strip()


class Units(Podman):
    """What `podman generate systemd` writes."""

    name = None

    def unit(self, name, *options, new=True):
        """A container and its unit, which is installed as its manual page says."""
        self.podman("create", "--name", name, "--network", "none", *options, IMAGE, "sh", "-c",
                    PAYLOAD)
        self.units.append(f"container-{name}.service")
        self.podman("generate", "systemd", *(["--new"] if new else []), "--name", name, "--files",
                    cwd=self.unit_dir)
        if new:   # the unit makes another one
            self.podman("rm", name)
        self.systemctl("daemon-reload")
        return self.units[-1]

    def running(self, unit, container):
        """(MainPID, container's id) of a unit that is."""
        assert self.show(unit, "ActiveState") == "active", self.systemctl("status", unit,
                                                                          check=False)
        main = self.show(unit, "MainPID")
        assert self.read(f"/proc/{main}/comm") == "conmon\n", main
        assert self.inspect(container, "{{.State.Status}}") == "running"
        return main, self.inspect(container, "{{.Id}}")

    def state(self, unit, state):
        self.wait_until(lambda: self.show(unit, "ActiveState") == state, f"{unit} to be {state}",
                        60)

    def ended(self, unit):
        assert self.show(unit, "ActiveState") == "inactive", self.systemctl("status", unit,
                                                                            check=False)
        assert self.show(unit, "Result") == "success"

    @scenario(timeout=300)
    def unit_that_makes_its_container(self):
        unit = self.unit("web", "--memory", "64m")
        text = self.read(os.path.join(self.unit_dir, unit))
        assert "Restart=on-failure" in text and "Type=notify" in text, text
        self.systemctl("start", unit)
        main, identity = self.running(unit, "web")
        scope, cgroup = self.scope_of("web")
        assert self.value(cgroup, "memory.max") == str(64 * MIB)
        status = self.systemctl("status", unit)
        assert "active (running)" in status.out and "conmon" in status.out, status
        assert self.podman("exec", "web", "cat", "/proc/1/comm").out == "sh\n"
        self.wait_until(lambda: self.podman("logs", "web", check=False).out == "started\n",
                        "what it printed")

        self.systemctl("restart", unit)
        assert self.running(unit, "web") != (main, identity)
        self.gone(scope, cgroup)
        scope, cgroup = self.scope_of("web")

        self.systemctl("stop", unit)
        self.ended(unit)
        self.gone(scope, cgroup)
        assert self.podman("ps", "-aq").out == ""

    @scenario(timeout=300)
    def unit_restarts_what_failed(self):
        unit = self.unit("web")
        self.systemctl("start", unit)
        first = self.running(unit, "web")
        scope, cgroup = self.scope_of("web")
        # From outside, as the kernel does when memory runs out.
        self.run("kill", "-KILL", self.inspect("web", "{{.State.Pid}}"), as_root=True)
        self.wait_until(lambda: self.show(unit, "NRestarts") == "1" and
                        self.show(unit, "ActiveState") == "active", "the restart")
        second = self.running(unit, "web")
        assert first[0] != second[0] and first[1] != second[1], (first, second)
        self.gone(scope, cgroup)
        scope, cgroup = self.scope_of("web")
        self.podman("stop", "web")   # behind the manager's back, and no failure
        self.state(unit, "inactive")
        self.ended(unit)
        self.gone(scope, cgroup)

    @scenario(timeout=300)
    def unit_of_an_existing_container(self):
        unit = self.unit("kept", new=False)
        identity = self.inspect("kept", "{{.Id}}")
        for _time in range(2):
            self.systemctl("start", unit)
            assert self.running(unit, "kept")[1] == identity
            scope, cgroup = self.scope_of("kept")
            self.systemctl("stop", unit)
            self.ended(unit)
            self.gone(scope, cgroup)
            assert self.inspect("kept", "{{.State.Status}} {{.State.ExitCode}}") == "exited 0"
        self.podman("rm", "kept")

    @scenario(timeout=300)
    def units_of_a_pod(self):
        """A slice for the pod, scopes in it, and a unit for each of them."""
        self.podman("pod", "create", "--name", "group", "--network", "none")
        for name in ("one", "two"):
            self.podman("create", "--pod", "group", "--name", name, IMAGE, "sh", "-c", PAYLOAD)
        self.units += ["container-one.service", "container-two.service", "pod-group.service"]
        self.podman("generate", "systemd", "--new", "--name", "group", "--files", cwd=self.unit_dir)
        self.podman("pod", "rm", "--force", "group")
        self.systemctl("daemon-reload")
        self.systemctl("start", "pod-group.service", timeout=120)
        for name in ("one", "two"):
            self.state(f"container-{name}.service", "active")
            self.running(f"container-{name}.service", name)
        scopes = [self.scope_of(name) for name in ("one", "two")]
        slices = {os.path.dirname(cgroup) for _scope, cgroup in scopes}
        assert len(slices) == 1 and "libpod_pod_" in str(slices), slices
        self.systemctl("stop", "pod-group.service", timeout=120)
        for unit in self.units[-3:]:
            self.state(unit, "inactive")
            self.ended(unit)
        for scope, cgroup in scopes:
            self.gone(scope, cgroup)
        assert self.podman("ps", "-aq").out == ""

    @scenario(timeout=300)
    def unit_of_a_pod_description(self):
        """The unit that comes with Podman, for `kube play` of a file."""
        path = self.file("kube.yaml", KUBE.format(image=IMAGE, payload=PAYLOAD))
        unit = "podman-kube@" + self.run("systemd-escape", path).out.strip() + ".service"
        if self.show(unit, "LoadState") != "loaded":
            self.skip("this Podman comes without podman-kube@.service")
        self.units.append(unit)
        self.systemctl("start", unit, timeout=120)
        assert self.show(unit, "ActiveState") == "active"
        # The unit is active as soon as Podman's own container is.
        self.wait_until(lambda: all(
            self.inspect("kube-" + name, "{{.State.Status}}") == "running" for name in ("one", "two")),
                        "both containers", 60)
        scopes = [self.scope_of("kube-" + name) for name in ("one", "two")]
        assert self.podman("exec", "kube-two", "echo", "hello").out == "hello\n"
        self.systemctl("stop", unit, timeout=120)
        # Success or not is not asked: the status is that of Podman's own service container, 137
        # where `--down` ends it by SIGKILL.
        assert self.show(unit, "ActiveState") in ("inactive", "failed")
        assert self.show(unit, "ExecMainStatus") in ("0", "137")
        for scope, cgroup in scopes:
            self.gone(scope, cgroup)
        assert self.podman("ps", "-aq").out == ""


class Driver(Podman):
    """Containers that Podman's systemd driver has put into scopes."""

    name = None

    def background(self, *words):
        words = [IMAGE if word == ":" else word for word in words]
        return self.podman("--cgroup-manager", "systemd", "run", "--detach", "--network", "none",
                           *words).out.strip()

    def limits(self, scope, cgroup):
        files = [self.value(cgroup, name) for name in ("memory.max", "cpu.max", "pids.max")]
        shown = [self.show(scope, name) for name in ("MemoryMax", "CPUQuotaPerSecUSec", "TasksMax")]
        return files, shown

    @scenario(timeout=300)
    def limits_are_those_of_the_scope(self):
        container = self.background("--memory", "64m", "--cpus", "0.5", "--pids-limit", "50", ":",
                                    "sh", "-c", PAYLOAD)
        scope, cgroup = self.scope_of(container)
        expected = [str(64 * MIB), "50000 100000", "50"], [str(64 * MIB), "500ms", "50"]
        assert self.limits(scope, cgroup) == expected, self.limits(scope, cgroup)
        self.systemctl("daemon-reload")   # writes them again, as the manager knows them
        assert self.limits(scope, cgroup) == expected, self.limits(scope, cgroup)
        seen = self.podman("exec", container, "cat", "/sys/fs/cgroup/memory.max",
                           "/sys/fs/cgroup/pids.max").out.split()
        assert seen == [str(64 * MIB), "50"] or seen == ["max", "max"], seen

        if self.podman("update", "--help", check=False).rc == 0:
            self.podman("update", "--memory", "96m", "--memory-swap", "192m", "--cpus", "0.25",
                        container)
            expected = [str(96 * MIB), "25000 100000", "50"], [str(96 * MIB), "250ms", "50"]
            assert self.limits(scope, cgroup) == expected, self.limits(scope, cgroup)
            self.systemctl("daemon-reload")
            assert self.limits(scope, cgroup) == expected, self.limits(scope, cgroup)
        self.podman("stop", container)
        self.podman("rm", container)
        self.gone(scope, cgroup)

    @scenario(timeout=300)
    def pause_and_exec(self):
        container = self.background(":", "sh", "-c", PAYLOAD)
        scope, cgroup = self.scope_of(container)
        inner = self.cgroup_of(self.inspect(container, "{{.State.Pid}}"))
        self.podman("pause", container)
        assert "frozen 1" in self.value(inner, "cgroup.events")
        assert self.inspect(container, "{{.State.Status}}") == "paused"
        self.podman("unpause", container)
        assert "frozen 0" in self.value(inner, "cgroup.events")
        done = self.podman("exec", container, "sh", "-c", "echo out; exit 7", check=False)
        assert (done.rc, done.out) == (7, "out\n"), done
        self.podman("rm", "--force", "--time", "0", container)
        self.gone(scope, cgroup)

    @scenario(timeout=300)
    def health_checks_by_timers(self):
        container = self.background("--health-cmd", "test -e /tmp/good", "--health-interval", "3s",
                                    "--health-retries", "1", ":", "sh", "-c", PAYLOAD)
        timers = self.systemctl("list-timers", "--all").out
        assert container in timers, timers
        self.wait_until(lambda: self.inspect(container, "{{.State.Health.Status}}") == "unhealthy",
                        "unhealthy")
        self.podman("exec", container, "touch", "/tmp/good")
        self.wait_until(lambda: self.inspect(container, "{{.State.Health.Status}}") == "healthy",
                        "healthy")
        self.podman("rm", "--force", "--time", "0", container)
        self.wait_until(lambda: container not in self.systemctl("list-timers", "--all").out,
                        "the end of its timer")


class PodmanUnits(Driver, Units):
    name = "podman-units"


ENGINES = (PodmanUnits,)
