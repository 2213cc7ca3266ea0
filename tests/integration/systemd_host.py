# SPDX-License-Identifier: Apache-2.0
"""The systemd of this host, for the tests of the systemd driver.

    s = Systemd(t)      skips the test where systemd is not process 1 or the runtime cannot use it;
                        for a rootless test it is the user's manager (run.py starts it)
    s.create(bundle), s.run(...)    with --systemd-cgroup and the environment that is needed
    s.show(unit, "Slice", ...)      the properties' values
    s.gone(unit)                    waits until nothing is left of it
"""

import os
import subprocess
import time

import hostside
from harness import PATIENCE, Skip

RUNNING = "/run/systemd/system"   # sd_booted(3)


STARTED = set()     # user ids
LINGERING = set()   # user ids


def is_booted():
    with open("/proc/1/comm", encoding="ascii") as name:
        return name.read().strip() == "systemd" and os.path.isdir(RUNNING)


def quietly(*argv):
    try:
        return subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              check=False).returncode == 0
    except FileNotFoundError:
        return False


def start_user_manager(uid):
    """The manager of a user who is not logged in, for the time of the run: he lingers, where there
    is a logind to tell."""
    if os.geteuid() != 0 or not is_booted() or os.path.exists(f"/run/user/{uid}/systemd/private"):
        return
    if quietly("loginctl", "enable-linger", str(uid)):
        LINGERING.add(uid)
    if quietly("systemctl", "start", f"user@{uid}.service"):
        STARTED.add(uid)


def stop_user_manager(uid):
    if uid in LINGERING:
        quietly("loginctl", "disable-linger", str(uid))
    if uid in STARTED:
        quietly("systemctl", "stop", f"user@{uid}.service", f"user-{uid}.slice")


def has_driver(t):
    words = subprocess.run([t.runtime, "--version"], stdout=subprocess.PIPE, text=True,
                           check=False).stdout
    return "+SYSTEMD" in words


def is_v2():
    return os.path.exists("/sys/fs/cgroup/cgroup.controllers")


class Systemd:
    def __init__(self, t):
        self.t = t
        if not is_booted():
            raise Skip("systemd is not process 1 here")
        if not has_driver(t):
            raise Skip("this runtime was built without the systemd driver")
        self.user = t.rootless
        self.env = {}
        self.units = set()
        if self.user:
            self.find_manager()

    def find_manager(self):
        runtime_dir = f"/run/user/{self.t.uid}"
        if not os.path.exists(runtime_dir + "/systemd/private"):
            raise Skip(f"no systemd manager runs for uid {self.t.uid}")
        self.env = {"XDG_RUNTIME_DIR": runtime_dir}

    # ---- the runtime ----

    def rt(self, *args, **kwargs):
        env = dict(self.env, **kwargs.pop("env", {}))
        return self.t.rt(*args, env=env, **kwargs)

    def create(self, bundle, *opts, **kwargs):
        return self.rt("--systemd-cgroup", *opts, "create", "-b", bundle.path, bundle.id, **kwargs)

    def fails(self, bundle, has, *opts, code=None, **kwargs):
        result = self.create(bundle, *opts, check=False, **kwargs)
        assert result.rc != 0, result
        for text in [has] if isinstance(has, str) else has:
            assert text in result.err, f"no {text!r} in {result}"
        assert not code or result.code in (None, code), result
        return result

    def delete(self, bundle):
        return self.rt("delete", "--force", bundle.id)

    # ---- systemd ----

    def ctl(self, *args, check=True):
        argv = ["systemctl"] + (["--user"] if self.user else []) + list(args)
        kwargs = {}
        if self.user:
            kwargs = {"user": self.t.uid, "group": self.t.gid, "extra_groups": [],
                      "env": dict(self.t.environment(), **self.env)}
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False, timeout=90 * PATIENCE, **kwargs)
        self.t.log("+", " ".join(argv), "->", done.returncode, done.stdout.strip())
        if check:
            assert done.returncode == 0, done.stdout
        return done.stdout.strip()

    def show(self, unit, *names):
        """The values of properties, in the order asked for."""
        values = {}
        for line in self.ctl("show", unit, *[f"-p{n}" for n in names]).splitlines():
            name, _, value = line.partition("=")
            values[name] = values[name] + "\n" + value if name in values else value
        found = [values.get(n) for n in names]
        return found[0] if len(found) == 1 else found

    def state(self, unit):
        return self.show(unit, "LoadState", "ActiveState")

    def gone(self, unit):
        assert self.state(unit) == ["not-found", "inactive"], self.state(unit)
        left = [path for point in set(hostside.cgroup_mounts().values())
                for path in find_dirs(point, unit)]
        assert not left, left

    def directory(self, unit):
        """The scope's directory on v2, or in systemd's own v1 hierarchy."""
        point = hostside.cgroup_mounts()["unified" if is_v2() else "name=systemd"]
        return point + self.show(unit, "ControlGroup")

    def manager_slice(self):
        return "user.slice" if self.user else "system.slice"


def find_dirs(top, name):
    return [os.path.join(here, d) for here, dirs, _files in os.walk(top) for d in dirs
            if d.lstrip("_") == name]


def path_of(pid):
    """The cgroup of a process where systemd keeps it."""
    with open(f"/proc/{pid}/cgroup", encoding="ascii") as lines:
        for line in lines:
            if line.startswith("0::") if is_v2() else ":name=systemd:" in line:
                return line.rstrip("\n").split(":", 2)[2]
    raise AssertionError("no cgroup")


def wait_gone(path, seconds=10):
    deadline = time.monotonic() + seconds * PATIENCE
    while os.path.exists(path) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not os.path.exists(path), path
