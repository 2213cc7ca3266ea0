# SPDX-License-Identifier: Apache-2.0
"""Find the programs that bench/run measures, and the static busybox of its bundle."""
import os
import shutil

HERE = os.path.dirname(os.path.abspath(__file__))


class Failed(Exception):
    """One sentence for the user; never a traceback."""


class Runtime:
    def __init__(self, name, path, is_ours=False, is_floor=False):
        self.name, self.path = name, path
        self.is_ours, self.is_floor = is_ours, is_floor
        self.root = None
        self.version = ""
        self.keeper = None
        self.keeper_pid = None


def is_static(path):
    """True for an ELF program without an interpreter (no PT_INTERP header)."""
    try:
        with open(path, "rb") as f:
            data = f.read(4096)
    except OSError:
        return False
    if data[:4] != b"\x7fELF" or data[4] not in (1, 2):
        return False
    order = "little" if data[5] == 1 else "big"
    wide = data[4] == 2
    offset = int.from_bytes(data[32:40] if wide else data[28:32], order)
    base = 54 if wide else 42
    size = int.from_bytes(data[base : base + 2], order)
    count = int.from_bytes(data[base + 2 : base + 4], order)
    headers = (data[offset + i * size : offset + i * size + 4] for i in range(count))
    return all(int.from_bytes(head, order) != 3 for head in headers)


def find_busybox():
    given = os.environ.get("BUSYBOX")
    found = [shutil.which(name) for name in ("busybox-static", "busybox.static", "busybox")]
    for path in [given] if given else found + ["/bin/busybox", "/usr/bin/busybox"]:
        if path and is_static(path):
            return path
    raise Failed("no static busybox found: install busybox-static or set BUSYBOX=/path/to/it")


def our_crun():
    """The program of this tree; a libtool wrapper script would be measured itself."""
    for directory in (os.getcwd(), os.path.dirname(HERE)):
        for name in (".libs/crun", "crun"):
            path = os.path.join(directory, name)
            if os.path.isfile(path) and os.access(path, os.X_OK):
                return path
    return None


def named_runtimes(text):
    """RUNTIMES: words, each a path, a command or NAME=PATH."""
    for word in text.split():
        name, _, path = word.rpartition("=")
        full = shutil.which(path)
        if not full:
            raise Failed(f"RUNTIMES: {path} is not a program")
        yield name or os.path.basename(full), os.path.abspath(full)


def found_runtimes():
    for name in ("crun", "runc"):
        for path in (shutil.which(name), f"/usr/bin/{name}"):
            if path and os.access(path, os.X_OK):
                yield name, path


def choose_runtimes(given):
    chosen, seen, names = [], set(), {"floor"}

    def add(name, path, **what):
        real = os.path.realpath(path)
        if real in seen:
            return
        seen.add(real)
        unique, n = name, 2
        while unique in names:
            unique, n = f"{name}{n}", n + 1
        names.add(unique)
        chosen.append(Runtime(unique, path, **what))

    ours = our_crun()
    if ours:
        add("ours", ours, is_ours=True)
    for name, path in named_runtimes(given) if given else found_runtimes():
        add(name, path)
    return chosen
