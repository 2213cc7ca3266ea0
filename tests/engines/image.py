# SPDX-License-Identifier: Apache-2.0
"""The image that the engines run: busybox with all applets, made here, in a tar archive."""

import os
import re
import shutil
import subprocess

PASSWD = "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n"
GROUP = "root:x:0:\nuser:x:1000:\nextra:x:1001:user\n"


def busybox():
    path = os.environ.get("BUSYBOX") or shutil.which("busybox.static") or shutil.which("busybox")
    if not path:
        raise SystemExit("run.py: busybox (static) is needed: install busybox-static")
    return path


def make(rootfs, archive):
    program = busybox()
    for name in ("bin", "dev", "proc", "sys", "etc", "tmp", "root", "home/user", "var/tmp", "run"):
        os.makedirs(os.path.join(rootfs, name))
    for name in ("tmp", "var/tmp"):
        os.chmod(os.path.join(rootfs, name), 0o1777)
    os.chown(os.path.join(rootfs, "home/user"), 1000, 1000)
    shutil.copy(program, os.path.join(rootfs, "bin/busybox"))
    os.chmod(os.path.join(rootfs, "bin/busybox"), 0o755)
    for applet in subprocess.check_output([program, "--list"], text=True).split():
        link = os.path.join(rootfs, "bin", applet)
        if not os.path.lexists(link):
            os.symlink("busybox", link)
    for name, text in (("passwd", PASSWD), ("group", GROUP), ("hosts", "")):
        with open(os.path.join(rootfs, "etc", name), "w", encoding="ascii") as out:
            out.write(text)
    pack(rootfs, archive)


def pack(tree, archive):
    subprocess.check_call(["tar", "--numeric-owner", "-cf", archive, "-C", tree, "."])


def with_program(rootfs, name, archive):
    """The same with a program of the host and its libraries; None when that is not installed."""
    program = shutil.which(name, path=os.environ.get("PATH", "/usr/bin") + ":/usr/sbin:/sbin")
    if not program:
        return None
    tree = archive + ".tree"
    subprocess.check_call(["cp", "-a", rootfs, tree])
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    files = re.findall(r"(/\S+) \(0x", listed) + [program]
    for path in files:
        os.makedirs(tree + os.path.dirname(path), exist_ok=True)
        shutil.copy(path, tree + path)
    pack(tree, archive)
    shutil.rmtree(tree)
    return archive
