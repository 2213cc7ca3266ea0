# SPDX-License-Identifier: Apache-2.0
"""Scenarios in which somebody else takes part: who listens for descriptors, systemd, resctrl, mounts that are added."""

import json
import os
import threading

import hostside
from fake_systemd import FakeSystemd
from scenarios import SLEEP, Create, DeleteForce, Run, Serving, Update

RESCTRL = "/sys/fs/resctrl"


def drain(listener):
    """What a failed command connected and may have sent."""
    listener.sock.setblocking(False)
    try:
        while True:
            listener.sock.accept()[0].close()
    except BlockingIOError:
        pass


class CreateSockets(Create):
    """With a listener for seccomp notifications and one for the pidfd."""

    flavors = ("root", "rootless")

    def mutate(self, config):
        super().mutate(config)
        self.listener, self.receiver = self.t.console_socket(), self.t.console_socket()
        config["linux"]["seccomp"] = {
            "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": self.listener.path,
            "syscalls": [{"names": ["acct"], "action": "SCMP_ACT_NOTIFY"}]}

    def argv(self):
        return self.bundle_argv("create", "--pidfd-socket", self.receiver.path)

    def before(self):
        drain(self.listener)
        drain(self.receiver)

    def facts(self, result):
        told, fds = self.listener.accept()
        what = [os.readlink(f"/proc/self/fd/{fd}") for fd in fds]
        state = json.loads(told)
        _data, pidfds = self.receiver.accept()
        pids = []
        for fd in pidfds:
            with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as text:
                pids += [int(line[5:]) for line in text if line.startswith("Pid:\t")]
        same = pids == [self.t.pid(self.bundle)] == [state["pid"]]
        try:
            return f"{what} {same} {state['state']['status']}\n" + super().facts(result)
        finally:
            for fd in fds + pidfds:
                os.close(fd)


class Scope(Create):
    """A scope of systemd: one of our own that speaks as much D-Bus as is needed."""

    flavors = ("v2",)
    manager = None

    def mutate(self, config):
        super().mutate(config)
        config["linux"]["cgroupsPath"] = f"fake.slice:p:{self.t.new_id()}"
        config["linux"]["resources"] = {"devices": [{"allow": False, "access": "rwm"}]}

    def prepare(self):
        features = self.t.rt("--version").out
        if "+SYSTEMD" not in features:
            self.t.skip("this runtime was built without the systemd driver")
        self.t.mount("tmpfs", "/run/systemd", "tmpfs")
        self.manager = FakeSystemd("/run/systemd/private", ("/sys/fs/cgroup", f"/{self.t.prefix}"))
        # It ends with this process, after the last fault.
        threading.Thread(target=self.manager.serve, daemon=True).start()

    def before(self):
        for name in list(self.manager.units):
            self.manager.remove(name)

    def argv(self):
        return ["--systemd-cgroup", *self.bundle_argv("create")]

    def make(self, start=True):
        self.t.rt(*Scope.argv(self))
        if start:
            self.t.start(self.bundle)

    def left(self):
        """Systemd forgets a scope in which there is nobody; that it was left to that is told."""
        with open(self.t.path("log"), encoding="utf-8", errors="replace") as log:
            is_told = "is left to systemd, which forgets it" in log.read()
        for name in list(self.manager.units) if is_told else ():
            if not hostside.cgroup_pids(self.manager.directory(name)):
                self.manager.remove(name)
        return list(self.manager.units)

    def facts(self, result):
        (name,) = self.manager.units
        wanted = sorted((key, sig) for key, (sig, _value) in self.manager.units[name].items())
        return f"{wanted}\n" + super().facts(result)


class ScopeRun(Scope):
    """In the foreground, and so deleted at its end."""

    def argv(self):
        return ["--systemd-cgroup", *self.bundle_argv("run")]

    def facts(self, result):
        return f"{self.left()}\n" + Run.facts(self, result)


class ScopeDelete(Scope):
    payload = SLEEP

    def before(self):
        super().before()
        self.make()

    def argv(self):
        return ["delete", "--force", self.bundle.id]

    def facts(self, result):
        return f"{self.left()} {DeleteForce.facts(self, result)}"


class ScopeUpdate(Scope):
    """All or nothing, on either side."""

    payload = SLEEP
    serves = True

    def mutate(self, config):
        super().mutate(config)
        config["linux"]["resources"]["unified"] = {"cgroup.max.depth": "9"}

    def values(self):
        (name,) = self.manager.units
        where = self.manager.directory(name) + "/container"
        with open(f"{where}/cgroup.max.depth", encoding="ascii") as text:
            depth = text.read().strip()
        return f"{depth} {self.manager.units[name]['DeviceAllow'][1] == self.allowed}"

    def before(self):
        if not self.ready:
            super().before()
            self.make()
            (name,) = self.manager.units
            self.allowed = self.manager.units[name]["DeviceAllow"][1]
            self.ready = True
        elif self.values() != "9 True":
            self.update("9")

    def document(self, depth):
        return self.t.file("new.json", json.dumps({"unified": {"cgroup.max.depth": depth}}))

    def update(self, depth):
        self.t.rt("update", "--resources", self.document(depth), self.bundle.id)

    def argv(self):
        return ["update", "--resources", self.document("7"), self.bundle.id]

    def facts(self, _result):
        return self.values()

    def hurt(self, result):
        if result.rc > 128 or self.values() in ("9 True", "7 True"):
            return Serving.hurt(self, result)
        return f"half an update: {self.values()}"

    tolerates = Update.tolerates


class MountsAdd(Serving):
    """Three mounts: all of them or none."""

    flavors = ("root", "rootless")
    own_rootfs = True

    def mutate(self, config):
        super().mutate(config)
        config["root"]["readonly"] = False
        volume = self.t.mkdir("volume")
        self.list = self.t.file("mounts.json", json.dumps([
            {"destination": "/mnt/a", "type": "bind", "source": volume, "options": ["rbind", "ro"]},
            {"destination": "/mnt/b", "type": "tmpfs", "source": "tmpfs", "options": ["nodev"]},
            {"destination": "/mnt/b/c", "type": "bind", "source": volume, "options": ["rbind"]}]))

    def mounted(self):
        with open(f"/proc/{self.t.pid(self.bundle)}/mountinfo", encoding="utf-8") as table:
            rows = [line.split() for line in table]
        return [f"{row[4]} {row[5]}" for row in rows if row[4].startswith("/mnt/")]

    def before(self):
        super().before()
        while self.mounted():
            self.t.rt("mounts", "remove", self.bundle.id, self.t.path("mounts.json"))

    def argv(self):
        return ["mounts", "add", self.bundle.id, self.t.path("mounts.json")]

    def facts(self, _result):
        return "\n".join(self.mounted())

    def hurt(self, result):
        found = self.mounted()
        if result.rc > 128 or len(found) in (0, 3) or \
                "some of the mounts may have been changed" in result.err:
            return super().hurt(result)
        return f"half of the mounts: {found}"


class CreateRdt(Create):
    """In a class of service of its own."""

    flavors = ("root",)
    change = {"linux": {"intelRdt": {"closID": ""}}}

    def prepare(self):
        if not os.path.exists(f"{RESCTRL}/schemata"):
            self.t.skip(f"resctrl is not mounted at {RESCTRL}")

    def left(self):
        known = ("info", "mon_data", "mon_groups")
        return [name for name in os.listdir(RESCTRL)
                if name not in known and os.path.isdir(f"{RESCTRL}/{name}") and self.bundle.id in name]


SCENARIOS = {
    "create-sockets": CreateSockets, "create-scope": Scope, "run-scope": ScopeRun,
    "delete-scope": ScopeDelete, "update-scope": ScopeUpdate, "mounts-add": MountsAdd,
    "create-rdt": CreateRdt,
}
