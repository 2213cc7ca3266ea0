# SPDX-License-Identifier: Apache-2.0
"""What a case gets: images, bundles, the runtime, and the audit of the host after every step.

    @case("CVE-2024-21626", flavors=("root", "rootless"))
    def process_cwd_in_an_inherited_descriptor(c): ...

The name states the attack, the tags what it is known as.  A case fails by raising (plain `assert`
will do), and each call of c.audit() raises when the host is not what it was.
"""

import copy
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time

import host

PATIENCE = float(os.environ.get("CRUN_TEST_PATIENCE") or 1)
BOUND = 60      # seconds for one call of the runtime: a hang, and not a slow machine
CASES = []
CAPS = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
MASKED = ["/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
          "/proc/timer_list", "/proc/sched_debug", "/sys/firmware", "/proc/scsi"]
READONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
CREDULOUS = ("core_pattern", "modprobe", "sysrq", "hotplug", "poweroff_cmd")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Skip(Exception):
    """Raised by c.skip."""


def case(*tags, flavors=("root",), name=None, limit=300):
    def mark(function):
        module = function.__module__.replace("cases_", "")
        for flavor in flavors:
            CASES.append({"name": f"{module}.{name or function.__name__}", "tags": tags,
                          "function": function, "flavor": flavor, "limit": limit,
                          "shown": f"[{flavor}]" if len(flavors) > 1 else ""})
        return function
    return mark


def mount(destination, kind, source, *options):
    return {"destination": destination, "type": kind, "source": source, "options": list(options)}


def base_config(args, cgroups_path):
    """What `spec` of any runtime writes, without a terminal."""
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False, "user": {"uid": 0, "gid": 0}, "args": list(args), "cwd": "/",
            "env": ["PATH=" + PATH, "TERM=xterm"],
            "capabilities": {kind: list(CAPS) for kind in ("bounding", "effective", "permitted")},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": True},
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "corpus",
        "mounts": [
            mount("/proc", "proc", "proc"),
            mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
            mount("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance",
                  "ptmxmode=0666", "mode=0620"),
            mount("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777"),
            mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"),
            mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro"),
            mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "ro")],
        "linux": {
            "cgroupsPath": cgroups_path,
            "resources": {"devices": [{"allow": False, "access": "rwm"}]},
            "namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")],
            "maskedPaths": list(MASKED), "readonlyPaths": list(READONLY)}}


def rootless_config(conf, uid, gid):
    linux = conf["linux"]
    linux.pop("cgroupsPath")
    linux.pop("resources")
    linux["namespaces"] = [n for n in linux["namespaces"] if n["type"] != "network"]
    linux["namespaces"].append({"type": "user"})
    linux["uidMappings"] = [{"containerID": 0, "hostID": uid, "size": 1}]
    linux["gidMappings"] = [{"containerID": 0, "hostID": gid, "size": 1}]
    if host.SUBIDS and shutil.which("newuidmap"):
        more = {"containerID": 1, "hostID": host.SUBIDS[0], "size": host.SUBIDS[1]}
        linux["uidMappings"].append(more)
        linux["gidMappings"].append(dict(more))
    conf["mounts"] = [m for m in conf["mounts"] if m["destination"] != "/sys/fs/cgroup"]
    for entry in conf["mounts"]:
        if entry["destination"] == "/sys":
            entry.update(type="none", source="/sys",
                         options=["rbind", "nosuid", "noexec", "nodev", "ro"])


def with_userns(conf):
    """Root's own ids in a namespace of their own: nothing but the look-ups protects root's files."""
    conf["linux"]["namespaces"].append({"type": "user"})
    for kind in ("uidMappings", "gidMappings"):
        conf["linux"][kind] = [{"containerID": 0, "hostID": 0, "size": 65536}]


def with_caps(conf, *names):
    for kind in ("bounding", "effective", "permitted"):
        conf["process"]["capabilities"][kind] = CAPS + list(names)


def without_dev(conf):
    conf["mounts"] = [m for m in conf["mounts"] if not m["destination"].startswith("/dev")]


def merge(conf, change):
    for key, value in change.items():
        if value is None:
            conf.pop(key, None)
        elif isinstance(value, dict) and isinstance(conf.get(key), dict):
            merge(conf[key], value)
        else:
            conf[key] = copy.deepcopy(value)


class Result:
    """The end of one call of the runtime."""

    def __init__(self, argv, rc, out, err):
        self.argv, self.rc, self.out, self.err = argv, rc, out, err

    def __str__(self):
        return f"{' '.join(map(str, self.argv))} -> {self.rc}, {self.out[-600:]!r}, {self.err!r}"


class Bundle:
    def __init__(self, path, rootfs, conf, ident):
        self.path, self.rootfs, self.config, self.id = path, rootfs, conf, ident
        self.pid_file, self.log = path + "/pid", path + "/log"

    def save(self):
        host.write(self.path + "/config.json", json.dumps(self.config))
        return self


class Case:
    def __init__(self, world, prefix, flavor, runtime):
        self.world, self.prefix, self.runtime = world, prefix, runtime
        self.rootless = flavor == "rootless"
        self.uid = self.gid = host.USER if self.rootless else 0
        self.rounds, self.whole = world.options.rounds, world.options.all
        self.sample = world.options.sample      # rows of a table that are enough; 0: all of them
        self.count = self.rows = 0
        self.known, self.helpers = set(), []
        self.state = self.mkdir("state", 0o700)
        self.run_dir = self.mkdir("xdg", 0o700)
        self.base = self.skeleton()
        self.sysctls = self.kernel_settings()
        self.before, self.mounts = host.snapshot(), host.mounts()

    # ---- files ---------------------------------------------------------------------------------

    @staticmethod
    def skip(reason):
        raise Skip(reason)

    def path(self, *names):
        return os.path.join(host.WORK, *names)

    def own(self, path):
        if self.rootless:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)
        return path

    def mkdir(self, name, mode=0o755):
        path = self.path(name)
        os.makedirs(path, exist_ok=True)
        os.chmod(path, mode)
        return self.own(path)

    def file(self, name, text="", mode=0o644):
        path = self.path(name)
        host.write(path, text, mode)
        return self.own(path)

    def new(self, name):
        self.count += 1
        return self.mkdir(f"{name}{self.count}")

    def skeleton(self):
        """Relative path -> source (None: a directory) of the image that all others begin as."""
        tree = {name: None for name in ("bin", "dev", "proc", "sys", "etc", "run", "tmp", "work",
                                        "mount", "masked", "readonly", "deep", "vol", "data")}
        tree.update({"bin/probe": "/w/bin/probe", "bin/busybox": "/w/bin/busybox"})
        tree.update({f"bin/{name}": "/w/bin/busybox" for name in
                     ("sh", "true", "sleep", "cat", "ls", "id", "grep", "echo")})
        return tree

    def image(self):
        """A new root file system, with links to the programs, which are never written to."""
        root = self.new("image")
        for name, source in self.base.items():
            path = f"{root}/{name}"
            if source is None:
                os.mkdir(path)
                self.own(path)
            else:
                os.link(source, path)
        for name in ("etc/passwd", "etc/group", "masked-file", "readonly-file"):
            self.file(f"{root}/{name}", "root:x:0:0:root:/:/bin/sh\n")
        self.file(f"{root}/etc/group", "root:x:0:\n")
        os.chmod(f"{root}/tmp", 0o1777)
        return root

    def bundle(self, args=("/bin/probe", "look"), change=None, rootfs=None):
        """A bundle of its own; `change` alters the configuration in place, or is merged into it."""
        path = self.new("bundle")
        ident = f"{self.prefix}-{self.count}"
        conf = base_config(args, f"/{self.prefix}/c{self.count}")
        if self.rootless:
            rootless_config(conf, self.uid, self.gid)
        rootfs = rootfs or self.image()
        conf["root"]["path"] = rootfs
        if callable(change):
            change(conf)
        elif change:
            merge(conf, change)
        return Bundle(path, rootfs, conf, ident).save()

    # ---- the runtime ---------------------------------------------------------------------------

    def argv(self, *args):
        return [self.runtime, "--root", self.state, *map(str, args)]

    def identity(self):
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.rootless else {}

    def environment(self, env=None):
        keep = {k: v for k, v in os.environ.items() if k.startswith(("ASAN_", "UBSAN_", "LSAN_"))}
        more = {"XDG_RUNTIME_DIR": self.run_dir} if self.rootless else {}
        return {"PATH": PATH, "HOME": "/root", "LC_ALL": "C", **keep, **more, **(env or {})}

    def rt(self, *args, timeout=BOUND, env=None, argv=None, log=None, **more):
        """Call the runtime; its output goes through files, so that nobody else can hold it up.

        Its input is an empty file: what is done to the host's /dev/null has a case of its own.

        A process that lives on needs a `log` of its own: the usual file belongs to the next call.
        """
        argv, log = argv or self.argv(*args), log or self.path("out")
        with open(log, "w+b") as out, open(self.path("err"), "w+b") as err, \
                open(self.path("in"), "a+b") as nothing:
            more.setdefault("stdin", nothing)
            child = subprocess.Popen(argv, stdout=out, stderr=err, env=self.environment(env),
                                     **{**self.identity(), **more})
            try:
                child.wait(timeout * PATIENCE)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
                raise AssertionError(f"hangs: {argv}: {host.read(log)}") from None
        rc = child.returncode if child.returncode >= 0 else 128 - child.returncode
        result = Result(argv[1:], rc, host.read(log), host.read(self.path("err")))
        assert "Sanitizer" not in result.err and "runtime error:" not in result.err, result
        return result

    def run(self, bundle, *opts, **more):
        return self.rt("run", "-b", bundle.path, *opts, bundle.id, **more)

    def must(self, *args, **more):
        result = self.rt(*args, **more)
        assert result.rc == 0, result
        return result

    def delete(self, bundle):
        return self.rt("delete", "--force", bundle.id)

    def pid(self, bundle):
        return int(host.read(bundle.pid_file))

    def start_detached(self, bundle, *opts, **more):
        return self.must("run", "-b", bundle.path, "--detach", "--pid-file", bundle.pid_file, *opts,
                         bundle.id, log=bundle.log, **more)

    def wait_end(self, pid):
        """Of a container's process: its parent has ended, so it is a child of ours."""
        deadline = time.monotonic() + BOUND * PATIENCE
        while time.monotonic() < deadline:
            try:
                done, _status = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                if not os.path.exists(f"/proc/{pid}"):
                    return
                done = 0
            if done:
                return
            time.sleep(0.003)
        raise AssertionError(f"the container's process {pid} does not end")

    def helper(self, *args, ready=None, **more):
        """A process beside the container, for the length of the case; waits for the line `ready`."""
        child = subprocess.Popen(["/w/bin/probe", *args], stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True, **more)
        self.known.add(child.pid)
        self.helpers.append(child)
        if ready:
            line = child.stdout.readline()
            assert ready in line, f"{args}: {line}"
        return child

    def stop(self, child):
        child.kill()
        child.wait()
        child.stdout.close()
        self.known.discard(child.pid)
        self.helpers.remove(child)

    # ---- terminals -----------------------------------------------------------------------------

    def console_socket(self):
        path = self.path(f"tty{self.count}.sock")
        if os.path.exists(path):
            os.unlink(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(path)
        self.own(path)
        os.chmod(path, 0o777)
        listener.listen(4)
        return path, listener

    @staticmethod
    def receive_terminal(listener):
        listener.settimeout(BOUND * PATIENCE)
        connection = listener.accept()[0]
        connection.settimeout(BOUND * PATIENCE)
        _data, fds, _flags, _address = socket.recv_fds(connection, 4096, 4)
        connection.close()
        listener.close()
        return fds[0]

    @staticmethod
    def read_terminal(fd):
        """Everything that is written until the other end is closed."""
        text = b""
        try:
            while True:
                data = os.read(fd, 65536)
                if not data:
                    break
                text += data
        except OSError:
            pass
        os.close(fd)
        return text.decode(errors="replace")

    # ---- the verdict on the host ---------------------------------------------------------------

    @staticmethod
    def kernel_settings():
        """What belongs to the whole machine and would give it to an attacker."""
        values = {}
        for name in CREDULOUS:
            try:
                values[name] = host.read("/proc/sys/kernel/" + name)
            except OSError:
                pass
        return values

    def differences(self):
        """R8: what is not as it was before the runtime was called."""
        found = []
        if not host.quick(self.before):
            after = host.snapshot()
            found += ["host: " + line for line in host.difference(self.before, after)]
            self.before = after
        if host.mounts() != self.mounts:
            found += [f"mount left: {line}" for line in host.mounts() if line not in self.mounts]
            found += [f"mount lost: {line}" for line in self.mounts if line not in host.mounts()]
            self.mounts = host.mounts()
        left = os.listdir(self.state)
        found += [f"state left: {name}" for name in left if name.startswith(self.prefix)]
        return found

    def leftovers(self):
        """Processes and cgroups that outlived their container; they may need a moment to end."""
        deadline, found = time.monotonic() + 15 * PATIENCE, []
        while time.monotonic() < deadline:
            host.reap_except(self.known)
            found = [f"process left: {pid} {entry}" for pid, entry in host.processes().items()
                     if pid not in self.known]
            found += [f"cgroup left: {path}" for path in self.cgroups()]
            if not found:
                break
            time.sleep(0.01)
        return found

    def cgroups(self):
        """Of our containers; what is above them may stay, for other containers may be in it."""
        found = []
        for point in self.world.cgroup_mounts:
            for top in (point, os.path.join(point, self.prefix)):
                try:
                    found += [os.path.join(top, name) for name in os.listdir(top)
                              if (top != point and re.match(r"c\d+$", name))
                              or (name.startswith(self.prefix) and name != self.prefix)]
                except OSError:
                    continue
        return found

    def audit(self, what=""):
        found = self.differences() + self.leftovers()
        assert not found, f"{what}: {'; '.join(found[:12])}"

    def verdict(self, bundle, result, what="", may_fail=True):
        """RUN-FAILS cleanly or RUN-OK-INSIDE, and R8; whether the container has run."""
        self.rows += 1
        assert "ESCAPED" not in result.out, f"{what}: {result}"
        # 255 is a status that runtimes do exit with.
        killed = 128 < result.rc <= 128 + signal.SIGRTMAX
        assert not killed or "INSIDE" in result.out, f"{what}: died: {result}"
        if "INSIDE" not in result.out:
            assert result.rc != 0 and result.err.strip(), f"{what}: neither ran nor failed: {result}"
            assert may_fail, f"{what}: must run: {result}"
        self.delete_failed(bundle)
        self.audit(what)
        return "INSIDE" in result.out

    def delete_failed(self, bundle):
        """A failed `create` may leave a record in some runtimes; `delete --force` has to be enough."""
        if os.path.exists(os.path.join(self.state, bundle.id)):
            self.delete(bundle)

    def remove(self, bundle):
        shutil.rmtree(bundle.path)
        if os.path.isdir(bundle.rootfs) and not os.path.islink(bundle.rootfs):
            shutil.rmtree(bundle.rootfs, ignore_errors=True)
        else:
            os.unlink(bundle.rootfs)

    def finish(self):
        """The last audit, of what takes longer, too."""
        for child in list(self.helpers):
            self.stop(child)
        for name in os.listdir(self.state):
            if name.startswith(self.prefix):
                self.rt("delete", "--force", name)
        found = self.differences() + self.leftovers()
        settings = self.kernel_settings()
        found += [f"kernel.{name} is now {settings[name]!r}" for name in settings
                  if settings[name] != self.sysctls[name]]
        signal.alarm(0)
        return found
