# SPDX-License-Identifier: Apache-2.0
"""Kernels of Debian's releases: fetched by apt with lists of our own, unpacked into the cache.

apt verifies the archive's signature with Debian's keyring; nothing of the host's apt is changed.
The cloud flavour is a quarter of the size, and has what containers and virtual machines need.
"""

import collections
import glob
import os
import re
import shutil

import common

Source = collections.namedtuple("Source", "suite why")
SOURCES = {
    "5.10": Source("bullseye", "the oldest that is packaged, and the oldest that we support"),
    "6.1": Source("bookworm", ""),
    "6.12": Source("trixie", ""),
    "newest": Source("sid", "what comes next"),
}
DEFAULT = "6.12"
META = "linux-image-cloud-amd64"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
MIRROR = os.environ.get("CRUN_VM_MIRROR") or "http://deb.debian.org/debian"


class Kernel:
    """An unpacked one: .release (uname -r), .image (bzImage), .modules (its directory)."""

    def __init__(self, name, top):
        self.name, self.top = name, top
        self.image = os.path.join(top, "vmlinuz")
        self.release = os.listdir(os.path.join(top, "tree/lib/modules"))[0]
        self.modules = os.path.join(top, "tree/lib/modules", self.release)
        self.modules_image = os.path.join(top, "modules.ext4")
        self._deps = None

    @property
    def version(self):
        return re.match(r"\d+\.\d+", self.release).group()

    def module_files(self, *names):
        """The files of these modules and of what they need, in the order of loading.

        Those that are built in have no file.
        """
        if self._deps is None:
            self._deps = {}
            with open(os.path.join(self.modules, "modules.dep"), encoding="utf-8") as lines:
                for line in lines:
                    path, _sep, needed = line.partition(":")
                    self._deps[module_name(path)] = (path, needed.split())
        order = []
        for name in names:
            if name not in self._deps:
                continue
            path, needed = self._deps[name]
            for file in needed[::-1] + [path]:   # modules.dep has the deepest last
                if file not in order:
                    order.append(file)
        return [os.path.join(self.modules, file) for file in order]


def module_name(path):
    return os.path.basename(path).split(".")[0].replace("-", "_")


class Apt:
    """apt with a configuration, lists and a cache of its own, for one suite."""

    def __init__(self, suite):
        common.need("apt-get", "apt-cache", "apt-config", "dpkg-deb", "depmod", "mke2fs")
        if not os.path.exists(KEYRING):
            raise common.Unavailable("Debian's keyring is not installed (debian-archive-keyring)")
        self.top = common.cache_dir("apt", suite)
        for name in ("etc/preferences.d", "state/lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(self.top, name), exist_ok=True)
        with open(f"{self.top}/etc/sources.list", "w", encoding="ascii") as out:
            out.write(f"deb [signed-by={KEYRING} arch=amd64] {MIRROR} {suite} main\n")
        with open(f"{self.top}/etc/apt.conf", "w", encoding="utf-8") as out:
            out.write(self.configuration())
        self.env = dict(os.environ, APT_CONFIG=f"{self.top}/etc/apt.conf", LC_ALL="C")

    def configuration(self):
        # How the host reaches mirrors (proxies, time-outs) is right for us too.
        host = [line for line in common.tool(["apt-config", "dump"]).splitlines()
                if line.startswith("Acquire::") and "IndexTargets" not in line
                and "Changelogs" not in line]
        own = {"Dir::Etc": f"{self.top}/etc", "Dir::Etc::main": "/dev/null",
               "Dir::Etc::parts": "/dev/null", "Dir::Etc::sourceparts": "/dev/null",
               "Dir::Etc::sourcelist": f"{self.top}/etc/sources.list",
               "Dir::Etc::preferencesparts": f"{self.top}/etc/preferences.d",
               "Dir::State": f"{self.top}/state", "Dir::State::status": "/dev/null",
               "Dir::Cache": f"{self.top}/cache", "Acquire::Languages": "none",
               "Acquire::Retries": "2", "Acquire::GzipIndexes": "true",
               "APT::Architecture": "amd64",
               "APT::Architectures": "amd64",
               "APT::Sandbox::User": "root"}
        return "\n".join(host + [f'{key} "{value}";' for key, value in own.items()]) + "\n"

    def update(self):
        common.tool(["apt-get", "-q", "-o", "APT::Update::Error-Mode=any", "update"],
                    env=self.env)

    def show(self, package):
        """The fields of the candidate of a package."""
        text = common.tool(["apt-cache", "show", "--no-all-versions", package], env=self.env)
        return dict(re.findall(r"^([\w-]+): (.*)$", text, re.M))

    def download(self, packages, into):
        os.makedirs(into, exist_ok=True)
        common.tool(["apt-get", "-q", "download", *packages], cwd=into, env=self.env)
        return glob.glob(os.path.join(into, "*.deb"))


def depends(fields, pattern):
    return [name for name in re.findall(r"[a-z0-9.+-]+", fields.get("Depends", ""))
            if re.fullmatch(pattern, name)]


def unpack(debs, top):
    """The parts that we need of the packages: the image, its configuration, the modules."""
    raw = os.path.join(top, "raw")
    for deb in debs:
        common.tool(["dpkg-deb", "-x", deb, raw])
    modules = (glob.glob(f"{raw}/lib/modules/*/kernel") +
               glob.glob(f"{raw}/usr/lib/modules/*/kernel"))
    images = glob.glob(f"{raw}/boot/vmlinuz-*") + glob.glob(f"{raw}/usr/lib/modules/*/vmlinuz")
    if not modules or not images:
        raise common.Unavailable(f"no kernel in {' '.join(map(os.path.basename, debs))}")
    home = os.path.dirname(modules[0])
    release = os.path.basename(home)
    os.makedirs(f"{top}/tree/lib/modules")
    shutil.copy(images[0], f"{top}/vmlinuz")
    for config in glob.glob(f"{raw}/boot/config-*") + glob.glob(f"{home}/config"):
        shutil.copy(config, f"{top}/config")
    os.rename(home, f"{top}/tree/lib/modules/{release}")
    common.tool(["depmod", "-b", f"{top}/tree", release])
    common.make_ext4(f"{top}/modules.ext4", f"{top}/tree/lib/modules")
    shutil.rmtree(raw)


def fetch(name, update=False):
    """The kernel of that name, from the cache or the mirror; `update`: ask for a newer one."""
    top = os.path.join(common.cache_dir("kernels"), name)
    with common.locked("fetch"):
        if os.path.isdir(top) and not update:
            return Kernel(name, top)
        apt = Apt(SOURCES[name].suite)
        apt.update()
        images = depends(apt.show(META), r"linux-image-[0-9].*")
        if not images:
            raise common.Unavailable(f"{META} of {SOURCES[name].suite} names no kernel")
        fields = apt.show(images[0])
        if os.path.isdir(top):
            with open(f"{top}/package", encoding="utf-8") as source:
                if source.read() == f"{images[0]} {fields['Version']}":
                    return Kernel(name, top)
        packages = images + depends(fields, r"linux-(binary|modules)-[0-9].*")
        partial = top + ".partial"
        shutil.rmtree(partial, ignore_errors=True)
        debs = apt.download(packages, f"{partial}/debs")
        unpack(debs, partial)
        shutil.rmtree(f"{partial}/debs")
        shutil.rmtree(apt.top)   # the lists are larger than the kernel
        with open(f"{partial}/package", "w", encoding="utf-8") as out:
            out.write(f"{images[0]} {fields['Version']}")
        shutil.rmtree(top, ignore_errors=True)
        os.rename(partial, top)
    return Kernel(name, top)


def cached():
    """Names of the kernels that need no network."""
    return [name for name in SOURCES
            if os.path.isdir(os.path.join(common.cache_dir("kernels"), name))]
