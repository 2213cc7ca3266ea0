# SPDX-License-Identifier: Apache-2.0
"""For the tests of doctor: calling it, looking at what it found, and taking things from the host.

What a host lacks is taken from it by files bound over those that doctor looks at (in the test's own
mount namespace), by hidden system calls, in user namespaces, cgroups and with limits of the test's own.
"""

import json
import os
import pwd
import sys

import hostside

MS_RDONLY, MS_NOSUID, MS_NOEXEC, MS_REMOUNT, MS_BIND, MS_REC = 1, 2, 8, 32, 4096, 16384
MEMBERS = ["id", "area", "status", "found", "consequence", "fix"]
STATUSES = ["problem", "warning", "note", "ok"]
# Makes a user namespace in which all ids are what they are, does what argv[1] says as its root, and
# goes on as the user argv[2] with the program argv[3:].
IN_USERNS = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
ready, go = os.pipe(), os.pipe()
pid = os.fork()
if pid == 0:
    assert libc.unshare(0x10000000) == 0
    os.write(ready[1], b"x")
    os.read(go[0], 1)
    exec(sys.argv[1])
    os.setgroups([])
    os.setresgid(*[int(sys.argv[2])] * 3)
    os.setresuid(*[int(sys.argv[2])] * 3)
    os.execv(sys.argv[3], sys.argv[3:])
os.read(ready[0], 1)
for kind in "ug":
    with open(f"/proc/{pid}/{kind}id_map", "w") as out:
        out.write("0 0 4294967295")
os.write(go[1], b"x")
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def findings(result):
    """The findings in the JSON of `result`, whose form must be the documented one."""
    assert result.rc in (0, 1), result
    found = json.loads(result.out)
    for one in found:
        assert list(one) == MEMBERS, one
        assert all(isinstance(value, str) for value in one.values()), one
        assert one["status"] in STATUSES and one["found"], one
        assert one["id"].startswith(one["area"] + "."), one
        assert all(bool(one[m]) == (one["status"] != "ok") for m in MEMBERS[4:]), one
    assert result.rc == any(one["status"] == "problem" for one in found), result
    return found


def doctor(t, *opts, wrapper=(), **kwargs):
    argv = list(wrapper) + t.argv("doctor", "--json", *opts)
    return findings(t.rt(argv=argv, check=False, **kwargs))


def of(found, name):
    return [one for one in found if one["id"] == name]


def holds(found, name, status, *has):
    """Some finding of this id has the status, and all of the words."""
    for one in of(found, name):
        text = one["found"] + "\n" + one["consequence"] + "\n" + one["fix"]
        if one["status"] == status and all(word in text for word in has):
            return one
    raise AssertionError(f"no {status} {name} with {has} in {of(found, name)}")


def bind(t, name, text, target):
    """Bind a file with this text over target, which must exist."""
    if not os.path.exists(target):
        t.skip(f"no {target} on this machine")
    t.mount(t.file(name, text), target, flags=MS_BIND)


def tmpfs(t, target, flags=0, data=""):
    t.mount("tmpfs", target, "tmpfs", flags, data)


def write(path, text="", mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as out:
        out.write(text)
    os.chmod(path, mode)


def in_userns(t, script, uid, *opts):
    return doctor(t, *opts, wrapper=[sys.executable, "-c", IN_USERNS, script, str(uid)])


def user_name(t):
    return pwd.getpwuid(t.uid).pw_name


def only_v2(t):
    """cgroup v2 alone, as the hosts of today have it; its controllers may be v1's here."""
    if os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        return
    t.mount("cgroup2", "/sys/fs/cgroup", "cgroup2")


def own_cgroup(t, name=""):
    """A cgroup of ours in v2, with what leads to it."""
    points = [point for point, kind, _o in hostside.mount_table().values() if kind == "cgroup2"]
    if not points:
        t.skip("no hierarchy of cgroup v2")
    # The last, for only_v2() hides what was mounted below /sys/fs/cgroup.
    path = f"{points[-1]}/{t.prefix}{name}"
    os.makedirs(path, exist_ok=True)
    return path


def enter(path, *more):
    return ["sh", "-c", f"echo $$ >{path}/cgroup.procs && exec \"$@\"", "sh", *more]


def sysctl(name, value):
    return f"open('/proc/sys/user/{name}', 'w').write('{value}')\n"
