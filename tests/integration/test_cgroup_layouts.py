# SPDX-License-Identifier: Apache-2.0
"""Hosts as they come: cgroup v1 without v2, none at all, read-only, nested in a cgroup namespace, no manager.

Each layout is made in the test's own mount namespace, by mounts that cover the host's.
"""

import os
import subprocess

import hostside
from harness import PATIENCE, flavors
from test_linux_cgroups import (ROOT, SLEEP, limited, no_cgroup_left, of_process, read, unified,
                                v1_only)

MS_RDONLY, MS_BIND, MS_REMOUNT = 1, 4096, 32
NONE = "--cgroup-manager=disabled"


def read_only(t, point):
    t.mount(None, point, None, MS_BIND | MS_REMOUNT | MS_RDONLY)


def lives(t, bundle, *opts):
    """The whole life of a container; returns its cgroups while it ran."""
    t.rt(*opts, "create", "-b", bundle.path, bundle.id)
    found = of_process(t.pid(bundle))
    # What was used at create is remembered.
    t.start(bundle)
    assert t.state(bundle)["status"] == "running"
    t.kill(bundle, "KILL")
    t.wait_status(bundle, "stopped")
    t.delete(bundle)
    assert bundle.id not in t.state_entries()
    return found


def test_disabled_manager_stays_in_the_callers_cgroup(t):
    own = of_process("self")
    for path in (f"/{t.prefix}/x", "", "a:b:c"):
        for resources in ({}, {"pids": {"limit": 5}, "devices": [{"allow": False}]}):
            bundle = limited(t, resources, path=path)
            assert lives(t, bundle, NONE) == own
    assert no_cgroup_left(t) == []
    # Nobody but the container is killed for it.
    child = t.popen(argv=["sleep", "1000"])
    bundle = limited(t, {})
    t.rt(NONE, "run", "-d", "-b", bundle.path, bundle.id)
    t.kill(bundle, "KILL", opts=["--all"])
    t.wait_status(bundle, "stopped")
    t.delete(bundle, force=True)
    assert child.poll() is None


def test_no_cgroup_file_system_at_all(t):
    t.mount("none", ROOT, "tmpfs")
    bundle = limited(t, {})
    for command in (["create"], ["run"]):
        t.fails(*command, "-b", bundle.path, bundle.id,
                has=["no cgroup file system", "--cgroup-manager=disabled"], code="CGROUP_MOUNT")
        assert bundle.id not in t.state_entries()
    lives(t, bundle, NONE)
    bundle.config["process"]["args"] = ["echo", "hi"]
    bundle.save()
    assert t.rt(NONE, "run", "-b", bundle.path, bundle.id).out == "hi\n"


def test_v1_without_v2(t):
    v1_only(t)
    if os.path.isdir(f"{ROOT}/unified"):
        t.mount("none", f"{ROOT}/unified", "tmpfs")
    bundle = limited(t, {"pids": {"limit": 9}})
    found = lives(t, bundle)
    assert [p for n, p in found.items() if "pids" in n.split(",")] == [bundle.cgroup], found
    assert found.get("unified", "/") != bundle.cgroup, found
    assert no_cgroup_left(t) == []


def test_v1_with_some_hierarchies_only(t):
    v1_only(t)
    mounts = hostside.cgroup_mounts()
    kept = {name: mounts[name] for name in ("pids", "devices") if name in mounts}
    if len(kept) != 2:
        t.skip("pids and devices are not hierarchies of their own here")
    saved = t.mkdir("saved")
    for name, point in kept.items():
        os.mkdir(f"{saved}/{name}")
        t.mount(point, f"{saved}/{name}", None, MS_BIND)
    t.mount("none", ROOT, "tmpfs")
    for name in kept:
        os.mkdir(f"{ROOT}/{name}")
        t.mount(f"{saved}/{name}", f"{ROOT}/{name}", None, MS_BIND)
    bundle = limited(t, {"pids": {"limit": 9}})
    found = lives(t, bundle)
    assert found["pids"] == found["devices"] == bundle.cgroup, found
    bundle = limited(t, {"memory": {"limit": 1 << 26}})
    t.fails("create", "-b", bundle.path, bundle.id, has="memory", code="CGROUP_CONTROLLER")
    left = [top for top, _dirs, _files in os.walk(ROOT) if f"{t.prefix}/" in top]
    assert left == [], left


def test_v2_read_only_is_named(t):
    unified(t)
    read_only(t, ROOT)
    for resources in ({}, {"pids": {"limit": 5}}):
        for path in (f"/{t.prefix}/x", ""):
            bundle = limited(t, resources, path=path)
            t.fails("run", "-b", bundle.path, bundle.id,
                    has=["read-only", ROOT, "--cgroup-manager=disabled"], code="CGROUP_READ_ONLY")
            assert bundle.id not in t.state_entries()
    lives(t, limited(t, {}), NONE)


def test_v1_read_only_hierarchies_are_left_out_with_a_warning(t):
    v1_only(t)
    mounts = hostside.cgroup_mounts()
    if not {"pids", "freezer", "devices"} <= set(mounts):
        t.skip("pids, freezer and devices are not hierarchies of their own here")
    read_only(t, mounts["freezer"])
    bundle = limited(t, {"pids": {"limit": 9}}, args=["cat", "/proc/self/cgroup"])
    result = t.rt("--log-level", "warning", "run", "-b", bundle.path, bundle.id)
    assert "freezer" in result.err and "has no cgroup of its own there" in result.err, result
    assert f":pids:{bundle.cgroup}\n" in result.out, result
    assert f":freezer:{bundle.cgroup}\n" not in result.out, result
    # Not where the configuration asks for a limit.
    read_only(t, mounts["pids"])
    t.fails("run", "-b", bundle.path, bundle.id, has=["read-only", "/pids"], code="CGROUP_READ_ONLY")
    assert no_cgroup_left(t) == []


def test_v2_read_only_is_nothing_to_an_ordinary_user_without_limits(t):
    unified(t)
    read_only(t, ROOT)
    for resources, fails in (({}, False), ({"pids": {"limit": 5}}, True)):
        bundle = t.bundle(["echo", "hi"], rootless=True)
        bundle.config["linux"]["resources"] = resources
        bundle.config["linux"].pop("cgroupsPath", None)
        bundle.save()
        drop = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]
        argv = drop + t.argv("run", "-b", bundle.path, bundle.id)
        result = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                                stdin=subprocess.DEVNULL)
        if fails:
            assert result.returncode == 1 and b"pids" in result.stderr, result
        else:
            assert result.stdout == b"hi\n", result


class Nested:
    """A cgroup namespace whose root is a cgroup of the test, on v2, and a process in there."""

    def __init__(self, t):
        self.t, self.top = t, f"{ROOT}/{t.prefix}"
        os.makedirs(f"{self.top}/own")
        inner = (f"umount {ROOT} && mount -t cgroup2 none {ROOT} && "
                 f"echo $$ >{ROOT}/own/cgroup.procs && echo there && exec sleep 1000")
        outer = f"echo $$ >{self.top}/cgroup.procs && exec unshare -C -m sh -c '{inner}'"
        self.holder = subprocess.Popen(["sh", "-c", outer], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, start_new_session=True)
        assert self.holder.stdout.readline() == b"there\n"

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()

    def run(self, *command):
        """The exit status and output of the runtime in there."""
        # From outside: a cgroup that gave controllers to those below takes no process any more.
        move = f"echo $$ >{self.top}/own/cgroup.procs && exec \"$@\""
        enter = ["nsenter", "-C", "-m", "-t", str(self.holder.pid)]
        # Into a file: a detached payload holds its standard streams open.
        with open(self.t.path("nested.err"), "w+", encoding="utf-8") as err:
            rc = subprocess.run(["sh", "-c", move, "sh", *enter, *command], stdout=err, stderr=err,
                                stdin=subprocess.DEVNULL, check=False, timeout=20).returncode
            err.seek(0)
            return rc, err.read()


def test_v2_nested_in_a_cgroup_namespace_paths_begin_at_its_root(t):
    unified(t)
    for path, where in ((f"/{t.prefix}-in/x", f"/{t.prefix}-in/x"), ("", "/crun-")):
        bundle = limited(t, {}, path=path, args=SLEEP)
        with Nested(t) as inside:
            result = inside.run(*t.argv("run", "-d", "-b", bundle.path, bundle.id))
            assert result == (0, ""), result
            found = of_process(t.pid(bundle))["unified"]
            assert found.startswith(f"/{t.prefix}{where}"), found
            result = inside.run(*t.argv("delete", "--force", bundle.id))
            assert result == (0, ""), result
        assert not os.path.isdir(f"{ROOT}{found}"), found
        hostside.remove_cgroup(f"{ROOT}/{t.prefix}")


def delegated(t):
    """A subtree that is the ordinary user's; and a function that calls the runtime from within."""
    user = (t.uid, t.gid)
    top = f"{ROOT}/{t.prefix}"
    os.makedirs(f"{top}/shell")
    for where in (top, f"{top}/shell"):
        for name in ("", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"):
            os.chown(os.path.join(where, name), *user)

    def call(*args):
        enter = f"echo $$ >{top}/shell/cgroup.procs; exec setpriv --reuid={user[0]} " \
                f"--regid={user[1]} --clear-groups {' '.join(t.argv(*args))}"
        return subprocess.run(["sh", "-c", enter], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              stdin=subprocess.DEVNULL, check=False, timeout=20 * PATIENCE)
    return top, call


@flavors("rootless")
def test_v2_delegated_subtree_of_an_ordinary_user(t):
    unified(t)
    top, call = delegated(t)
    bundle = t.bundle(["cat", "/proc/self/cgroup"], rootless=True)
    bundle.config["linux"].pop("cgroupsPath", None)
    # The host's paths are to be seen.
    bundle.config["linux"]["namespaces"] = [n for n in bundle.config["linux"]["namespaces"]
                                            if n["type"] != "cgroup"]
    bundle.save()

    def run(number):
        return call("run", "-b", bundle.path, f"{bundle.id}-{number}")
    result = run(1)
    lines = result.stdout.decode().splitlines()
    assert f"0::/{t.prefix}/crun-{bundle.id}-1" in lines, result
    assert sorted(e for e in os.listdir(top) if "crun" in e) == []
    # What cannot be had is named, with the way to get it.
    bundle.config["linux"]["resources"] = {"memory": {"limit": 1 << 26}}
    bundle.save()
    if "memory" not in read(ROOT, "cgroup.controllers").split():
        result = run(2)
        assert result.returncode == 1, result
        for word in (b"`memory`", b"not delegated", b"delegate.conf" if os.path.isdir(
                "/run/systemd/system") else b"chown"):
            assert word in result.stderr, result
    assert sorted(e for e in os.listdir(top) if "crun" in e) == []
    hostside.remove_cgroup(top)


@flavors("rootless")
def test_v2_delegated_cgroup_whose_modes_the_payload_took_away_is_removed(t):
    """Root of the container is the user who calls us, and the modes of what is handed to it are its own to change."""
    unified(t)
    top, call = delegated(t)
    files = ("cgroup.kill", "cgroup.procs", "cgroup.events", "cgroup.freeze")
    for verbs in ([["delete", "--force"]], [["kill", "--all"], ["delete", "--force"]]):
        bundle = t.bundle(SLEEP, rootless=True)
        bundle.config["linux"]["cgroupsPath"] = f"/{t.prefix}/hostile"
        bundle.save()
        result = call("run", "-d", "-b", bundle.path, bundle.id, "</dev/null", ">/dev/null",
                      "2>&1")
        assert result.returncode == 0, result
        where = f"{top}/hostile"
        os.makedirs(f"{where}/a/b")
        for path in (f"{where}/a", f"{where}/a/b"):
            os.chown(path, t.uid, t.gid)
        for path in (f"{where}/a/b", f"{where}/a", *(f"{where}/{name}" for name in files), where):
            os.chmod(path, 0)
        for verb in verbs:
            result = call(*verb, bundle.id, *(["KILL"] if verb[0] == "kill" else []))
            assert result.returncode == 0 and not result.stderr, (verb, result)
        assert not os.path.exists(where), verbs
        t.assert_no_trace(bundle)
    hostside.remove_cgroup(top)
