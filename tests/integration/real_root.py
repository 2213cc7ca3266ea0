# SPDX-License-Identifier: Apache-2.0
"""A Debian (or Ubuntu) root file system for the tests, of the host's own release and mirror.

It is made once with debootstrap, and kept in $CRUN_TEST_CACHE (/var/tmp/crun-test-cache).  Tests
get a throw-away overlay of it; those of an ordinary user get one of a copy which that user owns.
"""

import contextlib
import fcntl
import glob
import hashlib
import os
import re
import shutil
import stat
import subprocess
import urllib.error
import urllib.request

import hostside

PACKAGES = ["gcc", "libc6-dev", "python3", "redis-server"]
CACHE = os.environ.get("CRUN_TEST_CACHE") or "/var/tmp/crun-test-cache"
BUILD_SECONDS = 1200
REMAP_FIRST = 1 << 24
REMAPPED = ((REMAP_FIRST, REMAP_FIRST), (REMAP_FIRST + 1, REMAP_FIRST + 1))   # for give_to


class Unavailable(Exception):
    """Why there is no such root file system here."""


def os_release():
    found = {}
    try:
        with open("/etc/os-release", encoding="utf-8") as lines:
            for line in lines:
                name, _sep, value = line.strip().partition("=")
                found[name] = value.strip("\"'")
    except OSError:
        pass
    return found


def one_line_sources(text):
    """`deb [options] URI suite component…` -> (URI, suite, components)."""
    for line in text.splitlines():
        match = re.match(r"deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)\s*(.*)", line.strip())
        if match:
            yield match.group(1), match.group(2), match.group(3).split("#")[0].split()


def deb822_sources(text):
    for stanza in re.split(r"\n\s*\n", text):
        lines = "\n".join(li for li in stanza.splitlines() if not li.startswith("#"))
        found = {name.lower(): value.split()
                 for name, value in re.findall(r"^([\w-]+):((?:.*)(?:\n[ \t]+.*)*)", lines, re.M)}
        if "deb" in found.get("types", []) and found.get("enabled", ["yes"]) != ["no"]:
            for uri in found.get("uris", []):
                for suite in found.get("suites", []):
                    yield uri, suite, found.get("components", [])


def host_source():
    """(mirror, suite, components) of the host's own release."""
    suite = os_release().get("VERSION_CODENAME")
    if not suite:
        raise Unavailable("the host is no Debian or Ubuntu release")
    entries = []
    for path in ["/etc/apt/sources.list"] + sorted(glob.glob("/etc/apt/sources.list.d/*")):
        try:
            with open(path, encoding="utf-8", errors="replace") as source:
                text = source.read()
        except OSError:
            continue
        entries += (deb822_sources if path.endswith(".sources") else one_line_sources)(text)
    for uri, name, components in entries:
        if name == suite and "main" in components and uri.startswith("http"):
            return uri.rstrip("/"), suite, [c for c in components if c in ("main", "universe")]
    raise Unavailable(f"apt has no http source for {suite}")


def check_prerequisites(mirror, suite):
    if not shutil.which("debootstrap"):
        raise Unavailable("debootstrap is not installed")
    if not os.path.exists(f"/usr/share/debootstrap/scripts/{suite}"):
        raise Unavailable(f"debootstrap does not know {suite}")
    try:
        with urllib.request.urlopen(f"{mirror}/dists/{suite}/Release", timeout=20):
            pass
    except (OSError, urllib.error.URLError) as err:
        raise Unavailable(f"the network is missing: {mirror}: {err}") from None


def build(target, mirror, suite, components):
    """Run debootstrap into `target`, which appears only when it is complete."""
    check_prerequisites(mirror, suite)
    partial = target + ".partial"
    shutil.rmtree(partial, ignore_errors=True)
    argv = ["debootstrap", "--variant=minbase", "--include=" + ",".join(PACKAGES),
            "--components=" + ",".join(components), suite, partial, mirror]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=BUILD_SECONDS - 60,
                              preexec_fn=hostside.private_mounts, check=False)
    except subprocess.TimeoutExpired:
        raise Unavailable("debootstrap takes too long on this network") from None
    if done.returncode != 0:
        raise Unavailable("debootstrap: " + " / ".join(done.stdout.splitlines()[-2:]))
    for package in glob.glob(partial + "/var/cache/apt/archives/*.deb"):
        os.unlink(package)
    os.rename(partial, target)


@contextlib.contextmanager
def locked(path):
    with open(path, "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def once(t, name, make):
    """The result of make() shared by all tests of a run; so is the reason when there is none."""
    note = os.path.join(t.world.dir, f"real-{name}.unavailable")
    with locked(os.path.join(t.world.dir, f"real-{name}.lock")):
        if os.path.exists(note):
            with open(note, encoding="utf-8") as source:
                raise Unavailable(source.read())
        try:
            return make()
        except Unavailable as err:
            with open(note, "w", encoding="utf-8") as out:
                out.write(str(err))
            raise


def cached_debian():
    if os.geteuid() != 0:
        raise Unavailable("only root can make one and give it to others")
    mirror, suite, components = host_source()
    digest = hashlib.sha256(repr((PACKAGES, components)).encode()).hexdigest()[:10]
    os.makedirs(CACHE, exist_ok=True)
    target = os.path.join(CACHE, f"{suite}-{os.uname().machine}-{digest}")
    with locked(os.path.join(CACHE, "lock")):
        if not os.path.isdir(target):
            build(target, mirror, suite, components)
    return target


def give_to(top, owner, ranges):
    """Chown a tree to what container ids mean on the host: 0 -> owner, n -> ranges + n - 1.

    Without ranges there is only one id in the container, and everything becomes the user's.
    """
    uid, gid = owner

    def chown(path):
        info = os.lstat(path)
        new_uid = uid if not ranges or info.st_uid == 0 else ranges[0] + info.st_uid - 1
        new_gid = gid if not ranges or info.st_gid == 0 else ranges[1] + info.st_gid - 1
        os.lchown(path, new_uid, new_gid)
        if info.st_mode & (stat.S_ISUID | stat.S_ISGID) and not stat.S_ISLNK(info.st_mode):
            os.chmod(path, stat.S_IMODE(info.st_mode))   # chown has cleared them

    chown(top)
    for here, dirs, files in os.walk(top):
        for name in dirs + files:
            chown(os.path.join(here, name))


def owned_copy(t, name, source, owner, ranges):
    """A copy of `source` that belongs to others, made once per run."""
    target = os.path.join(t.world.dir, f"real-root-{name}")

    def make():
        if not os.path.isdir(target):
            subprocess.check_call(["cp", "-a", "--reflink=auto", source, target + ".partial"])
            give_to(target + ".partial", owner, ranges)
            os.rename(target + ".partial", target)
        return target
    return once(t, name, make)


def throw_away(t, lower, owner):
    """A writable view of `lower`: an overlay as engines make it, or else a plain copy."""
    t.counter += 1
    merged = t.mkdir(f"root{t.counter}")
    layers = [t.path(f"{name}{t.counter}") for name in ("upper", "work")]
    for path in layers:
        os.mkdir(path)
    os.chown(layers[0], *owner)   # the upper layer's own directory is the root that is seen
    options = f"lowerdir={lower},upperdir={layers[0]},workdir={layers[1]}"
    try:
        t.mount("overlay", merged, "overlay", 0, options)
    except OSError:
        t.log("no overlay here, copying")
        subprocess.check_call(["cp", "-a", "--reflink=auto", lower + "/.", merged])
    return merged


def debian(t, mapping=None):
    """A root file system of the distribution for this test, or Skip.

    mapping: None for a container in the user namespace of the host, "remapped" for one of root
    with REMAPPED ids, "single" or "ranges" for one of an ordinary user.
    """
    owner, ranges = (t.uid, t.gid), None
    if mapping == "remapped":
        owner, ranges = REMAPPED
    elif mapping == "ranges":
        ranges = t.subids or t.skip("no subordinate ids for the test user (newuidmap missing?)")
    try:
        lower = once(t, "debian", cached_debian)
        if mapping:
            lower = owned_copy(t, mapping, lower, owner, ranges)
    except Unavailable as reason:
        t.skip(f"no Debian root: {reason}")
    return throw_away(t, lower, owner)
