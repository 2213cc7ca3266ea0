# SPDX-License-Identifier: Apache-2.0
"""A systemd manager that hangs when it is told to: as much D-Bus as the driver speaks.

    with FakeSystemd(path, base) as manager:    a thread; BASE is its own cgroup2 directory
        manager.hang = {"SetUnitProperties"}    these calls get no answer
        manager.units[name]                     property -> (signature, value)
        manager.calls                           [(member, arguments)]
"""

import os
import socket
import struct
import threading

import hostside

BUS = "org.freedesktop.systemd1"
NUMBERS = {"y": "B", "b": "I", "n": "h", "q": "H", "i": "i", "u": "I", "x": "q", "t": "Q", "d": "d"}
# What a scope has before anybody sets it.
DEFAULTS = {"DevicePolicy": ("s", "auto"), "DeviceAllow": ("a(ss)", []),
            "TasksMax": ("t", 2 ** 64 - 1), "MemoryMax": ("t", 2 ** 64 - 1)}


def alignment(sig):
    if sig[0] in "({":
        return 8
    if sig[0] in "soa":
        return 4
    return 1 if sig[0] in "gv" else struct.calcsize(NUMBERS[sig[0]])


def split(sig):
    """The first complete type of a signature, and the rest."""
    if sig[0] == "a":
        first, rest = split(sig[1:])
        return "a" + first, rest
    if sig[0] not in "({":
        return sig[0], sig[1:]
    depth = 0
    for i, c in enumerate(sig):
        depth += (c in "({") - (c in ")}")
        if depth == 0:
            return sig[:i + 1], sig[i + 1:]
    raise ValueError(sig)


class Reader:
    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def align(self, n):
        self.at += -self.at % n

    def number(self, code):
        size = struct.calcsize(code)
        self.align(size)
        value, = struct.unpack_from("<" + code, self.data, self.at)
        self.at += size
        return value

    def text(self, length):
        value = self.data[self.at:self.at + length].decode()
        self.at += length + 1
        return value

    def all(self, sig):
        values = []
        while sig:
            first, sig = split(sig)
            values.append(self.one(first))
        return values

    def one(self, sig):
        if sig in NUMBERS:
            return self.number(NUMBERS[sig])
        if sig in "so":
            return self.text(self.number("I"))
        if sig == "g":
            return self.text(self.number("B"))
        if sig == "v":
            inner = self.one("g")
            return inner, self.one(inner)
        if sig[0] == "a":
            length = self.number("I")
            self.align(alignment(sig[1:]))
            end, values = self.at + length, []
            while self.at < end:
                values.append(self.one(sig[1:]))
            return values
        self.align(8)
        return self.all(sig[1:-1])


class Writer:
    def __init__(self):
        self.data = bytearray()

    def align(self, n):
        self.data += bytes(-len(self.data) % n)

    def number(self, code, value):
        self.align(struct.calcsize(code))
        self.data += struct.pack("<" + code, value)

    def all(self, sig, values):
        for value in values:
            first, sig = split(sig)
            self.one(first, value)
        return self

    def one(self, sig, value):
        if sig in NUMBERS:
            self.number(NUMBERS[sig], value)
        elif sig in "sog":
            self.number("B" if sig == "g" else "I", len(value.encode()))
            self.data += value.encode() + b"\0"
        elif sig == "v":
            self.one("g", value[0])
            self.one(*value)
        elif sig[0] == "a":
            self.number("I", 0)
            at = len(self.data)
            self.align(alignment(sig[1:]))
            start = len(self.data)
            for item in value:
                self.one(sig[1:], item)
            struct.pack_into("<I", self.data, at - 4, len(self.data) - start)
        else:
            self.align(8)
            self.all(sig[1:-1], value)


class FakeSystemd:
    def __init__(self, path, base):
        self.root, self.base = base
        self.units, self.calls, self.hang = {}, [], set()
        self.serial = 0
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(16)
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_exc):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)
        for name in list(self.units):
            self.remove(name)

    def called(self, member):
        return [args for name, args in self.calls if name == member]

    # ---- the wire ----

    def serve(self):
        while True:
            try:
                link, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(link,), daemon=True).start()

    def talk(self, link):
        try:
            stream = link.makefile("rb")
            stream.read(1)
            while True:
                line = stream.readline().strip()
                if not line or line == b"BEGIN":
                    break
                link.sendall({b"NEGOTIATE_UNIX_FD": b"AGREE_UNIX_FD\r\n", b"AUTH EXTERNAL":
                              b"DATA\r\n"}.get(line, b"OK " + b"0" * 32 + b"\r\n"))
            while self.message(link, stream):
                pass
        except (OSError, struct.error):
            pass
        finally:
            link.close()

    def message(self, link, stream):
        start = stream.read(16)
        if len(start) < 16:
            return False
        _kind, flags = start[1], start[2]
        length, serial, fields = struct.unpack_from("<III", start, 4)
        header = start + stream.read(fields + -fields % 8)
        at = Reader(header, 12)
        values = {number: value[1] for number, value in at.one("a(yv)")}
        args = Reader(stream.read(length)).all(values.get(8, ""))
        member = values.get(3, "")
        self.calls.append((member, args))
        if member in self.hang:
            return True
        answer = getattr(self, "on_" + member, None)
        try:
            sig, body, after = answer(*args) if answer else ("", [], None)
        except KeyError as error:
            self.send(link, 3, {5: ("u", serial), 4: ("s", error.args[0])}, "s", ["no such thing"])
            return True
        if not flags & 1:
            self.send(link, 2, {5: ("u", serial)}, sig, body)
        if after:
            self.send(link, 4, {1: ("o", "/org/freedesktop/systemd1"), 2: ("s", BUS + ".Manager"),
                                3: ("s", "JobRemoved")}, "uoss", after)
        return True

    def send(self, link, kind, fields, sig, body):
        self.serial += 1
        data = Writer().all(sig, body).data
        if sig:
            fields[8] = ("g", sig)
        header = Writer()
        header.data += bytes([ord("l"), kind, 0, 1])
        header.all("uu", [len(data), self.serial])
        header.one("a(yv)", list(fields.items()))
        header.align(8)
        link.sendall(header.data + data)

    # ---- the manager ----

    def job(self, name):
        path = f"/org/freedesktop/systemd1/job/{len(self.calls)}"
        return "o", [path], [len(self.calls), path, name, "done"]

    def directory(self, name):
        return f"{self.root}{self.base}/{self.units[name]['Slice'][1]}/{name}"

    def set(self, name, props):
        unit = self.units[name]
        for prop, (sig, value) in props:
            if sig == "a(ss)" and value:
                value = unit.get(prop, (sig, []))[1] + value
            unit[prop] = (sig, value)

    def remove(self, name):
        where = self.directory(name)
        del self.units[name]
        for here, _dirs, _files in os.walk(where, topdown=False):
            hostside.remove_cgroup(here, collect=False)
        hostside.remove_cgroup(os.path.dirname(where), collect=False)
        hostside.remove_cgroup(self.root + self.base, collect=False)

    def on_Get(self, interface, name):
        if name == "ControlGroup":
            return "v", [("s", self.base)], None
        units = list(self.units.values())
        if interface == BUS + ".Unit" and name in ("Description", "ActiveState"):
            return "v", [units[0].get(name, ("s", "active"))], None
        if interface != BUS + ".Scope" or name not in units[0]:
            raise KeyError("org.freedesktop.DBus.Error.UnknownProperty")
        return "v", [units[0][name]], None

    def on_GetUnit(self, name):
        if name not in self.units:
            raise KeyError(BUS + ".NoSuchUnit")
        return "o", ["/org/freedesktop/systemd1/unit/x"], None

    def on_StartTransientUnit(self, name, _mode, props, _others):
        self.units[name] = dict(DEFAULTS)
        self.set(name, props)
        where = self.directory(name)
        os.makedirs(where)
        above = self.root
        for part in os.path.relpath(where, self.root).split("/"):
            for controller in ("memory", "pids"):
                try:
                    with open(above + "/cgroup.subtree_control", "w", encoding="ascii") as out:
                        out.write(f"+{controller}")
                except OSError:
                    pass
            above += "/" + part
        for pid in self.units[name]["PIDs"][1]:
            with open(where + "/cgroup.procs", "w", encoding="ascii") as out:
                out.write(str(pid))
        return self.job(name)

    def on_StopUnit(self, name, _mode):
        if name not in self.units:
            raise KeyError(BUS + ".NoSuchUnit")
        self.remove(name)
        return self.job(name)

    def on_SetUnitProperties(self, name, _runtime, props):
        self.set(name, props)
        return "", [], None
