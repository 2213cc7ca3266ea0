#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Inside the machine, started by crun-vm.service: does what /vm/case.json says, and switches off.

The case is {"commands": [[argv...]...], "swap": bool, "selinux": bool, "linger": bool}.  Everything
printed goes to the second serial port; the last line says the exit status.
"""

import ctypes
import json
import os
import subprocess
import sys
import time
import tty

PORT, HERE = "/dev/ttyS1", os.path.dirname(os.path.abspath(__file__))
USER = "user"


def open_port():
    port = os.open(PORT, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(port)
    for number in (1, 2):
        os.dup2(port, number)
    os.set_inheritable(port, False)


def call(*argv):
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)


def swap_on():
    call("mkswap", "/dev/vdd")
    call("swapon", "/dev/vdd")


def load_policy():
    """Put SELinux into force with the policy of selinux.cil."""
    if not os.path.isdir("/sys/fs/selinux"):
        raise SystemExit("guest: the kernel was not booted with SELinux")
    if not os.path.exists("/sys/fs/selinux/load"):
        call("mount", "-t", "selinuxfs", "selinuxfs", "/sys/fs/selinux")
    with open("/sys/fs/selinux/policyvers", encoding="ascii") as source:
        version = min(int(source.read()), 33)
    call("secilc", "-M", "true", "-U", "allow", "-c", str(version), "-o", "/run/policy", "-f",
         "/dev/null", os.path.join(HERE, "selinux.cil"))
    with open("/run/policy", "rb") as source, open("/sys/fs/selinux/load", "wb", 0) as out:
        out.write(source.read())
    with open("/sys/fs/selinux/enforce", "w", encoding="ascii") as out:
        out.write("1")


def linger():
    """An ordinary user whose systemd runs without a session."""
    call("loginctl", "enable-linger", USER)
    bus = f"/run/user/{os.stat('/home/' + USER).st_uid}/bus"
    deadline = time.monotonic() + 600   # emulated, it is slow
    while not os.path.exists(bus):
        if time.monotonic() > deadline:
            raise SystemExit("guest: the user's systemd does not start")
        time.sleep(0.2)


def work():
    with open("/vm/case.json", encoding="utf-8") as source:
        case = json.load(source)
    os.environ.update(
        PATH="/vm/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", HOME="/root",
        LC_ALL="C", CRUN_TEST_PROGRAMS="/vm/programs", RUNTIME="/vm/bin/crun", **case.get("env", {}))
    os.environ.pop("INVOCATION_ID", None)
    os.umask(0o022)
    os.chdir("/root")
    if case.get("swap"):
        swap_on()
    if case.get("linger"):
        linger()
    if case.get("selinux"):
        load_policy()
    worst = 0
    for argv in case["commands"]:
        worst = max(worst, abs(subprocess.run(argv, check=False).returncode))
    return min(worst, 255)


def main():
    open_port()
    status = 125
    try:
        status = work()
    except (OSError, subprocess.CalledProcessError, SystemExit) as err:
        print(f"guest: {err}", flush=True)
    finally:
        print(f"\n@vm exit {status}", flush=True)
        sys.stdout.flush()
        time.sleep(0.2)
        os.sync()
        ctypes.CDLL(None).reboot(0x4321FEDC)   # RB_POWER_OFF


if __name__ == "__main__":
    main()
