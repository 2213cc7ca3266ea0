# SPDX-License-Identifier: Apache-2.0
"""The commands that are disturbed, each with what comes before it, and how its full success looks.

`before` makes what the command needs, `argv` is the command, `facts` are what its success consists of:
text that must be the same as after the undisturbed run. A container that only serves (`exec` into it)
is used again for the next fault, unless the last one hurt it.
"""

import ctypes
import json
import os
import re
import subprocess

import hostside

PAYLOAD = ["/bin/probe", "ids", "status", "fds", "mounts", "cgroup", "rlimits", "umask", "cwd",
           "hostname", "env", "signals", "oom", "dumpable", "stat:/dev/null", "dir:/dev"]
SLEEP = ["sleep", "1000"]
# Of /proc/self/status; the rest changes from run to run.
STATUS = re.compile(r"(Uid|Gid|Groups|Cap\w+|NoNewPrivs|Seccomp|Seccomp_filters|Sig(Blk|Ign|Cgt)):")
LIMITS = {"pids": {"limit": 77}}
RULES = [{"allow": False, "access": "rwm"}]
FILTER = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
    {"names": ["acct", "swapon"], "action": "SCMP_ACT_ERRNO"}]}


def facts_of_probe(text, t):
    """What the payload saw of itself, without what differs between two runs."""
    lines = []
    for line in text.replace(t.prefix, "PREFIX").splitlines():
        if ":\t" in line and not STATUS.match(line):
            continue
        mount = re.match(r"\d+ \d+ \d+:\d+ (\S+ \S+ \S+).* - (\S+) \S+ (\S+)", line)
        if mount:
            root, kind, options = mount.groups()
            line = f"mount {root} {kind} {re.sub(r'size=[^,]*|inode64|,', '', options)}"
        lines.append(re.sub(r"(socket|pipe|mnt|net|pid|uts|ipc|cgroup|user|time):\[\d+\]|c\d+$|"
                            r"\d{9,}|\.\d+\.(?=out|err)", "N", line))
    return "\n".join(lines)


class BpfQuery(ctypes.Structure):
    """union bpf_attr of BPF_PROG_QUERY."""

    _fields_ = [(name, ctypes.c_uint32) for name in ("fd", "attach_type", "flags", "attach_flags")] + \
               [("ids", ctypes.c_uint64), ("count", ctypes.c_uint32), ("more", ctypes.c_uint32 * 16)]


def device_filters(path):
    """The numbers of the device filters that are attached to a cgroup; none where there cannot be any."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return []
    ids = (ctypes.c_uint32 * 64)()
    query = BpfQuery(fd=fd, attach_type=6, ids=ctypes.addressof(ids), count=64)   # BPF_CGROUP_DEVICE
    call = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
    result = hostside.LIBC.syscall(call, 16, ctypes.byref(query), ctypes.sizeof(query))
    os.close(fd)
    return ids[:query.count] if result == 0 else []


def hook(command):
    return [{"path": "/bin/sh", "args": ["sh", "-c", command]}]


class Scenario:
    """A command in a bundle of its own."""

    args = ()              # the command and its options; the id comes last
    payload = PAYLOAD
    serves = False         # the container survives the command
    flavors = ("root", "rootless", "v2")
    own_rootfs = False     # one that may be written to
    change = {}

    def __init__(self, t, name):
        self.t, self.name = t, name
        self.bundle = t.bundle(self.payload, mutate=self.mutate, own_rootfs=self.own_rootfs)
        self.ready = False
        self.prepare()

    def mutate(self, config):
        change = dict(self.change)
        if not self.t.rootless:
            resources = config["linux"].setdefault("resources", {})
            if self.t.flavor == "root":
                resources.update(LIMITS)
        if "linux" in change:
            config["linux"].update(change.pop("linux"))
        if "process" in change:
            config["process"].update(change.pop("process"))
        config.update(change)

    def prepare(self):
        pass

    # ---- one fault ----

    def before(self):
        pass

    def done(self):
        """After the last fault: what the scenario itself has made on the host."""

    def argv(self):
        return [*self.args, self.bundle.id]

    def bundle_argv(self, *command):
        return [*command, "-b", self.bundle.path, self.bundle.id]

    def facts(self, result):
        return facts_of_probe(result.out, self.t)

    def hurt(self, result):
        """After a command that failed: what it may not have done to its container, or None."""
        return None

    def tolerates(self, fault, result):
        """
        Whether this fault may make a success differ: an image's passwd file may be anything; and a hierarchy of which no limit is
        asked may be read-only, which root is warned of.
        """
        if fault.call == "mkdirat" and fault.action in ("EROFS", "EACCES"):
            return any("has no cgroup of its own there" in w for w in result.warnings)
        return fault.process == "init" and fault.phase == "inside.environment"

    def left(self):
        """What a command could leave behind where nobody else looks."""
        return []

    # ---- for the scenarios below ----

    def make(self, start=True):
        out = self.t.path("payload.out")
        self.t.file(out)
        with open(out, "wb") as stdout:
            self.t.rt(*self.bundle_argv("create"), stdout=stdout)
        if start:
            self.t.start(self.bundle)

    def end_of_payload(self):
        self.t.wait_status(self.bundle, "stopped")
        with open(self.t.path("payload.out"), encoding="utf-8", errors="replace") as text:
            return facts_of_probe(text.read(), self.t)

    def status(self):
        return self.t.state(self.bundle)["status"]

    def members(self):
        """The processes of the container, by name."""
        pid = self.t.pid(self.bundle)
        with open(f"/proc/{pid}/status", encoding="ascii") as text:
            inner = int(re.search(r"NSpid:.*\t(\d+)\n", text.read()).group(1))
        assert inner == 1, inner
        table, names, queue = hostside.processes(), [], [pid]
        space = os.readlink(f"/proc/{pid}/ns/pid")
        for other, (_parent, state, name) in table.items():
            try:
                if os.readlink(f"/proc/{other}/ns/pid") == space and state != "Z":
                    names.append(name)
            except OSError:
                continue
        return sorted(names + queue[1:])


class Run(Scenario):
    def argv(self):
        return self.bundle_argv("run")


class Create(Scenario):
    def argv(self):
        return self.bundle_argv("create")

    def facts(self, result):
        self.t.start(self.bundle)
        self.t.wait_status(self.bundle, "stopped")
        return facts_of_probe(result.output(), self.t)


class CreateRich(Create):
    """What a container of an engine has."""

    flavors = ("root", "v2")

    def mutate(self, config):
        super().mutate(config)
        config["linux"]["seccomp"] = FILTER
        config["linux"]["namespaces"].append({"type": "cgroup"})
        config["linux"]["sysctl"] = {"net.ipv4.ip_forward": "1"}
        config["linux"]["readonlyPaths"] = config["linux"]["readonlyPaths"] + ["/etc/passwd"]
        config["linux"]["maskedPaths"] = config["linux"]["maskedPaths"] + ["/etc/group"]
        config["process"]["oomScoreAdj"] = 77
        config["process"]["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [1001],
                                     "umask": 0o27}
        volume = self.t.mkdir("volume")
        config["mounts"].append({"destination": "/tmp", "type": "bind", "source": volume,
                                 "options": ["rbind", "rro", "nosuid"]})


class RunHooks(Run):
    """Of each kind one that adds a line to a file of its own."""

    def mutate(self, config):
        super().mutate(config)
        out = self.t.file(self.t.path("hooks.out")) or self.t.path("hooks.out")
        config["hooks"] = {kind: hook(f"echo {kind} >>{out}") for kind in
                           ("prestart", "createRuntime", "createContainer", "poststart",
                            "poststop")}

    def before(self):
        self.t.file(self.t.path("hooks.out"))

    def tolerates(self, fault, result):
        """The failure of a hook after the start is a warning, as the specification has it."""
        is_late = fault.process.startswith("child") or fault.call == "malloc"
        what = "post" if is_late else "poststop"
        return any(what in w for w in result.warnings) or super().tolerates(fault, result)

    def facts(self, result):
        with open(self.t.path("hooks.out"), encoding="ascii") as text:
            return super().facts(result) + text.read()


class CreateTerminal(Create):
    flavors = ("root", "rootless")
    change = {"process": {"terminal": True, "consoleSize": {"height": 33, "width": 77}}}
    payload = ["/bin/probe", "winsize", "session", "status"]

    def prepare(self):
        self.console = self.t.console_socket()

    def argv(self):
        return self.bundle_argv("create", "--console-socket", self.console.path)

    def facts(self, result):
        _data, (master,) = self.console.accept()
        self.t.start(self.bundle)
        text = b""
        try:
            while True:
                part = os.read(master, 65536)
                if not part:
                    break
                text += part
        except OSError:   # the terminal's other side is closed
            pass
        finally:
            os.close(master)
        return facts_of_probe(text.decode(), self.t)

    def before(self):
        """What a failed create connected and may have sent."""
        self.console.sock.setblocking(False)
        try:
            while True:
                self.console.sock.accept()[0].close()
        except BlockingIOError:
            pass


class CreateUserns(Create):
    """A user namespace with a range of ids, made by root."""

    flavors = ("root", "v2")
    change = {"linux": {"uidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}],
                        "gidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}]}}

    def mutate(self, config):
        super().mutate(config)
        config["linux"]["namespaces"].append({"type": "user"})


class RootlessRanges(Create):
    """With newuidmap and newgidmap."""

    flavors = ("rootless",)

    def mutate(self, config):
        super().mutate(config)
        if not self.t.subids:
            self.t.skip("no subordinate ids for the test user")
        first_uid, first_gid, count = self.t.subids
        config["linux"]["uidMappings"].append(
            {"containerID": 1, "hostID": first_uid, "size": count})
        config["linux"]["gidMappings"].append(
            {"containerID": 1, "hostID": first_gid, "size": count})


class RunNetdev(Run):
    """An interface of the host, which must come back."""

    flavors = ("root",)
    change = {"linux": {"netDevices": {"fault0": {"name": "eth9"}}}}

    def prepare(self):
        if hostside.LIBC.unshare(0x40000000) != 0:   # CLONE_NEWNET
            self.t.skip("no new network namespace")
        self.before()

    def before(self):
        # One end may still be in the namespace of a container that is just ending.
        for link in ("fault0", "eth9", "fault1"):
            subprocess.run(["ip", "link", "del", link], stderr=subprocess.DEVNULL, check=False)
        try:
            subprocess.run(["ip", "link", "add", "fault0", "type", "veth", "peer", "name", "fault1"],
                           check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as err:
            self.t.skip(f"no veth: {err}")

    def hurt(self, result):
        if result.rc == 128 + 9:
            return None   # killed: delete --force brings it back, or the end of its namespace ends it
        have = [entry["ifname"] for entry in json.loads(
            subprocess.run(["ip", "-j", "link"], capture_output=True, check=True).stdout)]
        return None if "fault0" in have else f"the interface did not come back: {have}"


class Start(Scenario):
    args = ("start",)

    def before(self):
        self.make(start=False)

    def facts(self, _result):
        return self.end_of_payload()


class Kill(Scenario):
    args = ("kill", "--all")
    payload = SLEEP

    def before(self):
        self.make()

    def argv(self):
        return [*self.args, self.bundle.id, "KILL"]

    def facts(self, _result):
        self.t.wait_status(self.bundle, "stopped")
        return "stopped"


class Delete(Scenario):
    args = ("delete",)

    def before(self):
        self.make()
        self.t.wait_status(self.bundle, "stopped")

    def facts(self, _result):
        return f"{self.t.state_entries()} {sorted(self.t.cgroup_dirs(self.bundle))}"


class DeleteForce(Delete):
    args = ("delete", "--force")
    payload = SLEEP

    def before(self):
        self.make()


def interrupted_output(fault, result):
    """stdio gives up then; but no signal has a handler of ours, so that none interrupts a write."""
    return fault.call in ("write", "writev") and "Interrupted system call" in result.err


class Serving(Scenario):
    """A command on a container that goes on living."""

    payload = SLEEP
    serves = True

    def before(self):
        if not self.ready:
            self.make()
            self.ready = True

    def facts(self, result):
        return result.out.replace(self.t.prefix, "PREFIX")

    def hurt(self, result):
        status = self.status()
        return None if status == "running" else f"its container is {status}"

    def tolerates(self, fault, result):
        return interrupted_output(fault, result) if fault.action == "EINTR" else \
            super().tolerates(fault, result)


class Exec(Serving):
    def argv(self):
        return ["exec", self.bundle.id, *PAYLOAD]

    def facts(self, result):
        return facts_of_probe(result.out, self.t)

    def hurt(self, result):
        def alone():
            return self.members() == ["sleep"]
        try:
            self.t.wait_until(alone, "an added process to end", 5)
        except AssertionError:
            return f"processes left in the container: {self.members()}"
        return super().hurt(result)


class State(Serving):
    args = ("state",)

    def facts(self, result):
        return json.loads(result.out)["status"]


class List(Serving):
    def argv(self):
        return ["list", "-f", "json"]

    def facts(self, result):
        return str([entry["status"] for entry in json.loads(result.out)])

    def tolerates(self, fault, result):
        # A record that ends early is a damaged one, of which only the log tells.
        return fault.action == "eof" or super().tolerates(fault, result)


class Ps(Serving):
    def argv(self):
        return ["ps", "-f", "json", self.bundle.id]

    def facts(self, result):
        return str(len(json.loads(result.out)))


class Update(Serving):
    flavors = ("root",)

    def argv(self):
        return ["update", "--pids-limit", "55", "--cpu-share", "512", self.bundle.id]

    def values(self):
        groups = self.t.cgroup_dirs(self.bundle)
        found = []
        for name in ("pids.max", "cpu.shares"):
            for path in groups.values():
                if os.path.exists(f"{path}/{name}"):
                    with open(f"{path}/{name}", encoding="ascii") as text:
                        found.append(text.read().strip())
        return " ".join(found)

    def facts(self, _result):
        return self.values()

    def before(self):
        super().before()
        if self.values() != "77 1024":
            self.t.rt("update", "--pids-limit", "77", "--cpu-share", "1024", self.bundle.id)

    def hurt(self, result):
        """All or nothing, unless it was killed in between."""
        if result.rc > 128 or self.values() in ("77 1024", "55 512"):
            return super().hurt(result)
        return f"half an update: {self.values()}"


class UpdateDevices(Serving):
    """In a cgroup that was there before, where a filter that nobody takes away would stay."""

    flavors = ("v2",)

    def mutate(self, config):
        self.path = f"/{self.t.prefix}/prepared"
        os.makedirs(f"/sys/fs/cgroup{self.path}")
        config["linux"]["cgroupsPath"] = self.path
        config["linux"]["resources"] = {"devices": RULES}
        self.wider = self.t.file("wider.json", json.dumps({"devices": [
            *RULES, {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "r"}]}))
        self.former = None

    def done(self):
        os.rmdir(f"/sys/fs/cgroup{self.path}")
        os.rmdir(os.path.dirname(f"/sys/fs/cgroup{self.path}"))

    def argv(self):
        return ["update", "--resources", self.t.path("wider.json"), self.bundle.id]

    def filters(self):
        return device_filters(f"/sys/fs/cgroup{self.path}")

    def before(self):
        super().before()
        if self.filters() == self.former:
            return
        self.t.file("narrow.json", json.dumps({"devices": RULES}))
        self.t.rt("update", "--resources", self.t.path("narrow.json"), self.bundle.id)
        self.former = self.filters()
        assert len(self.former) == 1, self.former

    def facts(self, _result):
        found = self.filters()
        return f"{len(found)} other filters" if found != self.former else "the former filter"

    def hurt(self, result):
        """All or nothing; whoever is killed may leave both, for the next update or the deletion."""
        found = self.filters()
        if result.rc > 128 or found == self.former:
            return super().hurt(result)
        return f"half an update: {found}, was {self.former}"


class CreateReused(Create):
    """The same while it is created."""

    flavors = ("v2",)
    mutate = UpdateDevices.mutate
    done = UpdateDevices.done


class Pause(Serving):
    args = ("pause",)

    def facts(self, _result):
        return self.status()

    def before(self):
        super().before()
        if self.status() == "paused":
            self.t.rt("resume", self.bundle.id)

    def hurt(self, result):
        status = self.status()
        if result.rc > 128 and status == "paused":
            return None
        return None if status == "running" else f"pause failed, and its container is {status}"


class Resume(Pause):
    args = ("resume",)

    def before(self):
        Serving.before(self)
        if self.status() == "running":
            self.t.rt("pause", self.bundle.id)

    def hurt(self, result):
        return None if self.status() in ("running", "paused") else f"{self.status()}"


SCENARIOS = {
    "run": Run, "create": Create, "create-rich": CreateRich, "run-hooks": RunHooks,
    "create-terminal": CreateTerminal, "create-userns": CreateUserns,
    "create-ranges": RootlessRanges, "run-netdev": RunNetdev, "start": Start, "kill": Kill,
    "delete": Delete, "delete-force": DeleteForce, "exec": Exec, "state": State, "list": List,
    "ps": Ps, "update": Update, "update-devices": UpdateDevices,
    "create-reused": CreateReused, "pause": Pause, "resume": Resume,
}
for rootful in (Pause, Resume):
    rootful.flavors = ("root", "v2")
