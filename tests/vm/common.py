# SPDX-License-Identifier: Apache-2.0
"""What the modules of tests/vm share: the cache, locks, and running of tools."""

import contextlib
import fcntl
import os
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
# Tools of the administrator are often not in the PATH of others.
os.environ["PATH"] = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"


class Unavailable(Exception):
    """Why no machine can be booted here: the reason of a skip."""


def cache_dir(*names):
    """A directory below the cache, made when it is missing."""
    base = os.environ.get("CRUN_VM_CACHE")
    if not base:
        base = os.path.join(os.environ.get("XDG_CACHE_HOME") or
                            os.path.expanduser("~/.cache"), "crun-vm")
    path = os.path.join(base, *names)
    os.makedirs(path, exist_ok=True)
    return path


@contextlib.contextmanager
def locked(name, shared=False):
    """Only one at a time, or only those that share it; the lock is a file of the cache.

    First come, first served: whoever waits for the lock keeps later ones from sharing it.
    """
    with open(os.path.join(cache_dir(), name + ".lock"), "w", encoding="ascii") as lock:
        with open(lock.name + ".queue", "w", encoding="ascii") as queue:
            fcntl.flock(queue, fcntl.LOCK_EX)
            fcntl.flock(lock, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield


def need(*tools):
    for tool in tools:
        if not shutil.which(tool):
            raise Unavailable(f"{tool} is not installed")


def tool(argv, timeout=900, **kwargs):
    """Output of a command that must succeed; its last lines are the reason when it does not."""
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, errors="replace",
                              timeout=timeout, check=False, **kwargs)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{argv[0]} took more than {timeout} s") from None
    except (OSError, subprocess.SubprocessError) as err:
        raise Unavailable(f"{argv[0]}: {err}") from None
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise Unavailable(f"{' '.join(argv[:2])}: {' / '.join(lines)}")
    return done.stdout


def tree_size(top):
    """Bytes that the files below `top` need in blocks of 4 KiB, and the number of inodes."""
    total = count = 0
    for here, dirs, files in os.walk(top):
        for name in dirs + files:
            info = os.lstat(os.path.join(here, name))
            count += 1
            total += -(-info.st_size // 4096) * 4096
    return total, count


def make_ext4(image, top, spare=0):
    """An ext4 image of the tree `top`, with `spare` bytes free; appears when it is complete."""
    need("mke2fs")
    size, count = tree_size(top)
    size += size // 12 + count * 512 + (8 << 20) + spare
    inodes = count + count // 4 + 4096
    partial = image + ".partial"
    tool(["mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-O", "^has_journal", "-m", "0",
          "-N", str(inodes), "-d", top, partial, f"{size >> 10}k"])
    os.rename(partial, image)
