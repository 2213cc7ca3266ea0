# SPDX-License-Identifier: Apache-2.0
"""Initial RAM file systems: what finds the root file system, or the whole machine of a quick case.

The archive is written here (cpio, "newc"), so that neither root nor a cpio program is needed.
"""

import gzip
import lzma
import os
import re
import shutil
import stat
import subprocess

import common

# Loaded through dlopen, so that ldd does not see them.
DLOPENED = ("libseccomp.so.2", "libselinux.so.1", "libcap.so.2", "libyajl.so.2")
MODULES = ("virtio_pci", "virtio_blk", "ext4", "crc32c_generic")


class Archive:
    """A cpio archive in memory."""

    def __init__(self):
        self.parts, self.names, self.number = [], set(), 0

    def _add(self, name, mode, data=b"", device=(0, 0)):
        name = name.strip("/")
        if name in self.names:
            return
        parent = os.path.dirname(name)
        if parent:
            self.directory(parent)
        self.names.add(name)
        self.number += 1
        encoded = name.encode() + b"\0"
        fields = (self.number, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(encoded), 0)
        head = b"070701" + b"".join(b"%08x" % field for field in fields) + encoded
        self.parts += [head, b"\0" * (-len(head) % 4), data, b"\0" * (-len(data) % 4)]

    def directory(self, name, mode=0o755):
        self._add(name, stat.S_IFDIR | mode)

    def file(self, name, data, mode=0o644):
        self._add(name, stat.S_IFREG | mode, data.encode() if isinstance(data, str) else data)

    def link(self, name, target):
        self._add(name, stat.S_IFLNK | 0o777, target.encode())

    def device(self, name, major, minor):
        self._add(name, stat.S_IFCHR | 0o600, device=(major, minor))

    def copy(self, source, name, mode=None):
        with open(source, "rb") as stream:
            self.file(name, stream.read(),
                      stat.S_IMODE(os.stat(source).st_mode) if mode is None else mode)

    def tree(self, source, name):
        for here, dirs, files in os.walk(source):
            there = os.path.join(name, os.path.relpath(here, source))
            self.directory(os.path.normpath(there))
            for entry in dirs + files:
                path = os.path.join(here, entry)
                target = os.path.normpath(os.path.join(there, entry))
                if os.path.islink(path):
                    self.link(target, os.readlink(path))
                elif os.path.isfile(path):
                    self.copy(path, target)

    def write(self, path):
        self._add("TRAILER!!!", 0)
        with gzip.open(path, "wb", compresslevel=1) as out:
            out.write(b"".join(self.parts))


def busybox():
    path = os.environ.get("BUSYBOX") or shutil.which("busybox.static") or shutil.which("busybox")
    if not path:
        raise common.Unavailable("busybox (static) is not installed")
    return path


def libraries(program):
    """What the dynamic program needs: its interpreter, its libraries, those that it dlopens."""
    done = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    if done.returncode:
        return []   # static
    found = re.findall(r"(/\S+) \(0x", done.stdout)
    known = dict(re.findall(r"^\s(\S+) .*=> (\S+)$",
                            common.tool(["ldconfig", "-p"]), re.M))
    for name in DLOPENED:
        if name in known:
            found.append(known[name])
            found += re.findall(r"(/\S+) \(0x", common.tool(["ldd", known[name]]))
    return sorted(set(found))


def add_modules(archive, kernel, names):
    """The modules without compression: busybox does not know each of them.  Their load list."""
    loaded = []
    for path in kernel.module_files(*names):
        with open(path, "rb") as source:
            data = source.read()
        if path.endswith(".xz"):
            data = lzma.decompress(data)
        elif not path.endswith(".ko"):
            raise common.Unavailable(f"{os.path.basename(path)}: compression not known")
        name = f"modules/{len(loaded):02d}-{os.path.basename(path).split('.')[0]}.ko"
        archive.file(name, data)
        loaded.append(name)
    return loaded


def base(kernel, names):
    archive = Archive()
    for name in ("proc", "sys", "dev", "run", "tmp", "root", "etc", "newroot", "modules"):
        archive.directory(name)
    archive.device("dev/console", 5, 1)
    archive.copy(busybox(), "bin/busybox", 0o755)
    archive.link("bin/sh", "busybox")
    add_modules(archive, kernel, names)
    archive.copy(os.path.join(common.HERE, "init.sh"), "init", 0o755)
    return archive


def stage(kernel, target):
    """The one that mounts the root file system, /vm and the modules, and hands over to systemd."""
    archive = base(kernel, MODULES)
    for name in ("crun-vm.service", "crun-vm.target"):
        archive.copy(os.path.join(common.HERE, name), f"units/{name}", 0o644)
    archive.write(target)


def quick(kernel, target, runtime, script, files=()):
    """A machine without disks: busybox, the runtime, a bundle in /bundle, and the script."""
    archive = base(kernel, ("overlay", "loop", "dummy", "veth"))
    if runtime:
        archive.copy(runtime, "bin/crun", 0o755)
        for path in libraries(runtime):
            archive.copy(path, path, 0o755)
    archive.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n")
    archive.file("etc/group", "root:x:0:\nuser:x:1000:\n")
    archive.copy(busybox(), "bundle/rootfs/bin/busybox", 0o755)
    for applet in common.tool([busybox(), "--list"]).split():
        archive.link(f"bundle/rootfs/bin/{applet}", "busybox")
    for name in ("proc", "sys", "dev", "tmp", "etc"):
        archive.directory(f"bundle/rootfs/{name}")
    for source, name in files:
        if os.path.isdir(source):
            archive.tree(source, name)
        else:
            archive.copy(source, name)
    archive.file("case", script, 0o755)
    archive.write(target)
