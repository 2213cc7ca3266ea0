# SPDX-License-Identifier: Apache-2.0
"""Root file systems with newer engines than the host's: debootstrapped once, kept in a cache.

The cache is $CRUN_ENGINES_CACHE, else crun-engines in $XDG_CACHE_HOME (~/.cache).
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import time

import real_root
from framework import Skip

MONTH = 30 * 24 * 3600
# What crun, as it was built here, is linked with.
LIBRARIES = ["libyajl2", "libseccomp2", "libcap2", "libselinux1"]


def cache():
    base = os.environ.get("CRUN_ENGINES_CACHE")
    if not base:
        base = os.path.join(os.environ.get("XDG_CACHE_HOME") or
                            os.path.expanduser("~/.cache"), "crun-engines")
    os.makedirs(base, exist_ok=True)
    return base


def debootstrap(suite, packages):
    """Directory with `packages` of a Debian suite; Skip says why there is none."""
    packages = sorted(set(packages) | set(LIBRARIES))
    digest = hashlib.sha256(repr(packages).encode()).hexdigest()[:10]
    target = os.path.join(cache(), f"{suite}-{digest}")
    if os.path.isdir(target):   # without waiting for who makes another
        os.utime(target)
        return target
    with open(os.path.join(cache(), "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(target):
            forget_old()
            build(target, suite, packages)
        os.utime(target)
    return target


def forget_old():
    for name in os.listdir(cache()):
        path = os.path.join(cache(), name)
        if os.path.isdir(path) and time.time() - os.path.getmtime(path) > MONTH:
            shutil.rmtree(path, ignore_errors=True)


def build(target, suite, packages):
    try:
        mirror, _suite, _components = real_root.host_source()
        real_root.check_prerequisites(mirror, suite)
    except real_root.Unavailable as reason:
        raise Skip(f"no {suite}: {reason}") from None
    partial = target + ".partial"
    shutil.rmtree(partial, ignore_errors=True)
    argv = ["debootstrap", "--variant=minbase", "--include=" + ",".join(packages), suite, partial,
            mirror]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=1800, check=False,
                              preexec_fn=real_root.hostside.private_mounts)
    except subprocess.TimeoutExpired:
        raise Skip(f"no {suite}: debootstrap takes too long on this network") from None
    if done.returncode:
        raise Skip(f"no {suite}: debootstrap: " + " / ".join(done.stdout.splitlines()[-2:]))
    for name in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale",
                 "usr/share/man"):
        shutil.rmtree(os.path.join(partial, name), ignore_errors=True)
    os.rename(partial, target)
