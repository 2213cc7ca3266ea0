# SPDX-License-Identifier: Apache-2.0
"""Nothing of an image is executed or loaded by the runtime itself, whatever it is called."""

import os
import re
import shutil

from harness import flavors
from test_exec import running

# Programs that a runtime may call on, and files with which the C library extends itself.
PROGRAMS = ("newuidmap", "newgidmap", "criu", "systemd-run", "busctl", "ps", "modprobe", "crun",
            "ip", "mount", "nsenter", "setpriv")
LIBRARY = re.compile(r"\.so(\.|\"|$)|ld\.so|nsswitch|locale|gconv|nscd|/etc/host|resolv\.conf")


def trapped(bundle):
    """The root file system gets a trap for every name; whatever runs one leaves a file /trapped."""
    trap = b"#!/bin/busybox sh\necho \"$0\" >>/trapped\n"
    for folder in ("bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin"):
        os.makedirs(os.path.join(bundle.rootfs, folder), exist_ok=True)
        for name in PROGRAMS:
            path = os.path.join(bundle.rootfs, folder, name)
            if os.path.lexists(path):
                os.unlink(path)
            with open(path, "wb") as out:
                out.write(trap)
            os.chmod(path, 0o755)
    for folder in ("lib", "lib64", "lib/x86_64-linux-gnu", "usr/lib"):
        os.makedirs(os.path.join(bundle.rootfs, folder), exist_ok=True)
        for name in ("libnss_files.so.2", "libnss_compat.so.2", "libc.so.6", "libseccomp.so.2",
                     "trap.so"):
            with open(os.path.join(bundle.rootfs, folder, name), "wb") as out:
                out.write(b"\x7fELF no library")
    os.makedirs(os.path.join(bundle.rootfs, "etc"), exist_ok=True)
    for name, text in (("ld.so.preload", "/lib/trap.so\n"), ("nsswitch.conf", "passwd: trap\n")):
        with open(os.path.join(bundle.rootfs, "etc", name), "w", encoding="ascii") as out:
            out.write(text)
    bundle.config["root"]["readonly"] = False
    bundle.config["process"]["env"] += ["LD_PRELOAD=/lib/trap.so", "LD_LIBRARY_PATH=/lib",
                                        "LC_ALL=trap", "GCONV_PATH=/lib", "PATH=/bin:/usr/bin"]
    bundle.save()


@flavors("root", "rootless")
def test_programs_of_the_image_are_never_the_runtimes_helpers(t):
    rootless = "ranges" if t.rootless else False
    bundle = t.bundle(["/bin/busybox", "true"], own_rootfs=True, rootless=rootless)
    os.chmod(bundle.rootfs, 0o777)
    trapped(bundle)
    t.run_container(bundle)
    bundle.config["process"]["args"] = ["/bin/busybox", "sleep", "1000"]
    bundle.save()
    t.create(bundle)
    t.start(bundle)
    t.rt("exec", bundle.id, "/bin/busybox", "true")
    t.rt("ps", bundle.id)
    t.delete(bundle, force=True)
    assert not os.path.exists(os.path.join(bundle.rootfs, "trapped"))
    # The trap works.
    bundle.config["process"]["args"] = ["newuidmap"]
    bundle.save()
    t.run_container(bundle)
    with open(os.path.join(bundle.rootfs, "trapped"), encoding="ascii") as source:
        assert "newuidmap" in source.read()


def loads(trace):
    """What each process of a trace opened or executed after it had entered another root."""
    inside, found = set(), []
    for line in trace.splitlines():
        pid, call = line.split(None, 1)
        if re.match(r"(pivot_root|chroot|setns)\(", call) and call.endswith("= 0"):
            inside.add(pid)
        elif call.startswith("execve(") and call.endswith("= 0"):
            inside.discard(pid)   # the payload's, from here on
        elif pid in inside and call.startswith(("open", "execve")):
            found.append(call)
    return found


def test_no_library_is_loaded_once_the_image_is_in_sight(t):
    if not shutil.which("strace"):
        t.skip("strace is not installed")
    strace = ["strace", "-f", "-qq", "-o", t.file("out"),
              "-e", "trace=open,openat,openat2,execve,execveat,pivot_root,chroot,setns"]
    bundle = t.bundle(["/bin/busybox", "true"], own_rootfs=True)
    trapped(bundle)
    bundle.config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW"}
    bundle.save()
    result = t.rt(argv=strace + t.argv("run", "-b", bundle.path, bundle.id), check=False)
    assert result.rc == 0, result
    with open(t.path("out"), encoding="utf-8", errors="replace") as source:
        calls = loads(source.read())
    assert any("busybox" in call for call in calls) or calls, "nothing was traced inside"
    bad = [call for call in calls if LIBRARY.search(call)]
    assert not bad, bad
    other = running(t)
    result = t.rt(argv=strace + t.argv("exec", other.id, "/bin/busybox", "true"), check=False)
    assert result.rc == 0, result
    with open(t.path("out"), encoding="utf-8", errors="replace") as source:
        bad = [call for call in loads(source.read()) if LIBRARY.search(call)]
    assert not bad, bad
