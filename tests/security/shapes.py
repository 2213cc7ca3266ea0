# SPDX-License-Identifier: Apache-2.0
"""R1: what an image may have in the places that a runtime looks at, makes or mounts on.

The full product of place x kind x variant has tens of thousands of rows.  select() takes each place
with each kind once and chooses the rest such that every pair of values (place, kind, how /dev comes
about, terminal, read-only, user namespace, command) occurs, always in the same way.
"""

import itertools
import os
import shutil
import socket
import stat

# Path in the image -> whether a directory is expected there.
PLACES = {
    ".": True, "dev": True, "dev/null": False, "dev/console": False, "dev/pts": True,
    "dev/ptmx": False, "dev/shm": True, "dev/mqueue": True, "dev/fd": False, "dev/stdin": False,
    "dev/tty": False, "dev/zero": False, "proc": True, "proc/sys": True, "proc/self": True,
    "sys": True, "sys/fs": True, "sys/fs/cgroup": True, "etc": True, "etc/passwd": False,
    "etc/group": False, "etc/mtab": False, "run": True, "tmp": True, "tmp/mount": True,
    "work": True, "deep": True, "deep/a": True, "deep/a/b": True, "file-mount": False,
    "masked": True, "masked-file": False, "readonly": True, "readonly-file": False,
    "device": False, ".krun_config.json": False, "run/.containerenv": False, "old_root": True,
}
TAGS = {
    ".": (), "dev": ("CVE-2026-41579", "CVE-2026-47766", "CVE-2024-5154"),
    "dev/null": ("CVE-2025-31133", "CVE-2025-62161", "CVE-2026-88265"),
    "dev/console": ("CVE-2026-88264", "CVE-2025-52565"), "dev/pts": ("CVE-2025-52565",),
    "dev/ptmx": ("CVE-2026-41579", "CVE-2026-47766"),
    "proc": ("CVE-2019-19921", "CVE-2023-27561", "CVE-2023-28642", "CVE-2025-54867"),
    "sys": ("CVE-2025-54867",), "sys/fs/cgroup": ("CVE-2019-19921",),
    "etc/passwd": ("CVE-2016-3697",), "etc/mtab": ("CVE-2024-5154",),
    "work": ("CVE-2024-21626",), "tmp/mount": ("CVE-2019-18837", "CVE-2015-1335"),
    "deep": ("CVE-2019-18837", "CVE-2015-3627", "CVE-2015-3629"), "deep/a": ("CVE-2024-45310",),
    "deep/a/b": ("CVE-2019-18837",), "file-mount": ("CVE-2024-45310",),
    "masked-file": ("CVE-2025-31133",), ".krun_config.json": ("CVE-2025-24965",),
    "old_root": ("CVE-2026-87766",),
}
LINKS = ("absolute", "relative", "climbing", "missing", "missing-climbing", "top", "root",
         "chain-39", "chain-41", "loop", "dangling", "long", "fd", "magic", "staging",
         "state", "exe")
FILES = ("regular", "directory", "fifo", "socket", "char", "block", "locked", "absent",
         "readonly-image")
KINDS = LINKS + FILES
# Of a root that is a link, what it leads to is the root: that is the caller's business, not the image's.
ROOT_KINDS = ("loop", "dangling", "regular", "fifo", "socket", "char", "block", "locked",
              "readonly-image")
DEV, TERMINAL, READONLY, USERNS = ("mounted", "absent", "volume"), (0, 1), (0, 1), (0, 1)
VERBS = ("run", "create", "exec")
VARIANTS = [v for v in itertools.product(DEV, TERMINAL, READONLY, USERNS, VERBS)]


def link_text(kind, place, is_dir):
    there = "/canary/dir" if is_dir else "/canary/file"
    depth = len(place.split("/"))
    return {
        "absolute": there, "relative": "../" * (depth - 1) + "bin", "climbing": "../" * 30 + there[1:],
        "missing": "/canary/empty/new", "missing-climbing": "../" * 30 + "canary/empty/new",
        "top": "/canary", "root": "/", "dangling": "/no/such/place",
        "long": "/" + "x" * 250 + "/" + "y" * 250, "fd": "/proc/self/fd/7",
        "magic": "/proc/1/root" + there, "staging": "/.old/../old_root/../.." + there,
        "state": "/w/state/new", "exe": "/proc/self/exe"}[kind]


def make(path, kind, place, is_dir):
    """Put `kind` where nothing is."""
    if kind.startswith("chain-"):
        last = int(kind[6:])
        for n in range(last):
            os.symlink(f"{os.path.basename(path)}.{n + 1}", path + (f".{n}" if n else ""))
        os.symlink("/canary/dir" if is_dir else "/canary/file", f"{path}.{last}")
    elif kind == "loop":
        os.symlink(os.path.basename(path), path)
    elif kind in LINKS:
        os.symlink(link_text(kind, place, is_dir), path)
    elif kind == "regular":
        with open(path, "w", encoding="ascii") as out:
            out.write("regular\n")
    elif kind in ("directory", "locked") and (is_dir or kind == "directory"):
        os.mkdir(path, 0o755 if kind == "directory" else 0)
    elif kind == "locked":
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0))
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        here = os.getcwd()
        os.chdir(os.path.dirname(path))     # the address of a socket is short
        listener.bind(os.path.basename(path))
        os.chdir(here)
        listener.close()
    elif kind == "char":
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 1))
    elif kind == "block":
        os.mknod(path, stat.S_IFBLK | 0o666, os.makedev(1, 3))


def put(root, place, kind):
    """Make ROOT/PLACE a KIND, whatever was there."""
    path = os.path.normpath(os.path.join(root, place))
    if kind == "readonly-image":
        return
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)
    if not os.path.isdir(os.path.dirname(path)):
        os.makedirs(os.path.dirname(path))
    make(path, kind, place, PLACES[place])


def possible(place, kind, variant):
    dev, _terminal, _readonly, _userns, verb = variant
    if place == "." and verb == "exec":
        return False    # the root of a container that runs is what it is
    if kind == "readonly-image" and verb == "exec":
        return False
    return not (dev == "volume" and kind == "readonly-image" and place.startswith("dev"))


def kinds_of(place):
    return ROOT_KINDS if place == "." else KINDS


def cost(variant):
    """In calls of the runtime: what ties are decided by."""
    return {"run": 0, "create": 1, "exec": 2}[variant[4]] + variant[1] + variant[3]


class Missing:
    """The pairs of values that no row has yet, but a possible row could have."""

    def __init__(self):
        self.order = sorted(VARIANTS, key=cost)
        names = ("dev", "terminal", "readonly", "userns", "verb")
        self.values = {v: set(zip(names, v)) for v in VARIANTS}
        self.inner = {v: set(itertools.combinations(sorted(self.values[v], key=str), 2))
                      for v in VARIANTS}
        self.within = set().union(*self.inner.values())
        self.at, self.of = {}, {}
        for place in PLACES:
            for kind in kinds_of(place):
                for variant in VARIANTS:
                    if possible(place, kind, variant):
                        self.at.setdefault(place, set()).update(self.values[variant])
                        self.of.setdefault(kind, set()).update(self.values[variant])

    def gain(self, place, kind, variant):
        values = self.values[variant]
        return len(self.inner[variant] & self.within) + len(values & self.at[place]) \
            + len(values & self.of[kind])

    def take(self, place, kind, variant):
        self.within -= self.inner[variant]
        self.at[place] -= self.values[variant]
        self.of[kind] -= self.values[variant]
        return kind, variant

    def best(self, place, kind):
        """The cheapest of those that cover the most."""
        some = [v for v in self.order if possible(place, kind, v)]
        if not (self.within or self.at[place] or self.of[kind]):
            return some[0]
        return max(some, key=lambda v: self.gain(place, kind, v))


def select():
    """Place -> its rows (kind, variant): one of each kind, and then what pairs are still missing."""
    missing, rows = Missing(), {}
    for place in PLACES:
        rows[place] = [missing.take(place, kind, missing.best(place, kind))
                       for kind in kinds_of(place)]
    for place in PLACES:
        for kind in kinds_of(place):
            while True:
                variant = missing.best(place, kind)
                if not missing.gain(place, kind, variant):
                    break
                rows[place].append(missing.take(place, kind, variant))
    return rows


def product(place):
    return [(kind, variant) for kind in kinds_of(place) for variant in VARIANTS
            if possible(place, kind, variant)]
