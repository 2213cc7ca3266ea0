# SPDX-License-Identifier: Apache-2.0
"""The systemd driver: the container's scope, its properties, and that nothing is left of it.

Most tests need systemd as process 1; those named "without" are about its absence and run anywhere.
"""

import os
import signal
import socket
import subprocess
import time

import hostside
import systemd_host
from harness import PATIENCE, Skip, flavors
from systemd_host import Systemd, find_dirs, has_driver, is_v2, path_of, wait_gone

SLEEP = ["sleep", "1000"]
PROPERTY = "org.systemd.property."


def bundle_for(t, path=None, args=SLEEP, resources=None, annotations=None, **kwargs):
    bundle = t.bundle(args, **kwargs)
    bundle.config["linux"]["cgroupsPath"] = bundle.cgroup = path or ""
    if resources is not None:
        bundle.config["linux"]["resources"] = resources
    if annotations:
        bundle.config["annotations"] = annotations
    return bundle.save()


def scope_of(bundle):
    return f"crun-{bundle.id}.scope"


def controllers(s):
    """What a container of this manager can have limits of."""
    if not is_v2():
        return set() if s.user else {n for names in hostside.cgroup_mounts()
                                     for n in names.split(",")}
    base = "/sys/fs/cgroup" + (s.show("user.slice", "ControlGroup").rsplit("/", 1)[0]
                               if s.user else "")
    with open(base + "/cgroup.controllers", encoding="ascii") as names:
        return set(names.read().split())


# ---- the scope ------------------------------------------------------------------------------


@flavors("rootless")
def test_manager_of_a_lingering_user(t):
    s = Systemd(t)
    if t.uid not in systemd_host.LINGERING:
        raise Skip("the test's user does not linger: there is no logind, or it does not know him")
    bundle = bundle_for(t)
    s.create(bundle)
    assert f"/user@{t.uid}.service/" in path_of(t.pid(bundle)), path_of(t.pid(bundle))
    t.rt("start", bundle.id)
    t.rt("delete", "--force", bundle.id)
    s.gone(scope_of(bundle))


@flavors("root", "rootless")
def test_container_lives_in_a_scope_and_leaves_none(t):
    s = Systemd(t)
    bundle = bundle_for(t)
    s.create(bundle)
    pid = t.pid(bundle)
    scope = scope_of(bundle)
    assert s.state(scope) == ["loaded", "active"]
    values = s.show(scope, "Slice", "Delegate", "CollectMode", "Transient")
    assert values == [s.manager_slice(), "yes", "inactive-or-failed", "yes"], values
    where = s.show(scope, "ControlGroup") + ("/container" if is_v2() else "")
    assert path_of(pid) == where, (path_of(pid), where)
    assert f"crun container {bundle.id}" in s.show(scope, "Description")
    s.rt("start", bundle.id)
    s.delete(bundle)
    s.gone(scope)
    t.assert_no_trace(bundle)


@flavors("root", "rootless")
def test_run_in_the_foreground_removes_the_scope(t):
    s = Systemd(t)
    bundle = bundle_for(t, args=["cat", "/proc/self/cgroup"])
    result = s.rt("--systemd-cgroup", "run", "-b", bundle.path, bundle.id)
    assert scope_of(bundle) in result.out, result
    s.gone(scope_of(bundle))


@flavors("root", "rootless")
def test_later_commands_need_neither_option_nor_environment(t):
    s = Systemd(t)
    bundle = bundle_for(t)
    s.create(bundle)
    # What engines pass: nothing but XDG_RUNTIME_DIR, empty for root.
    bare = dict(s.env) or {"XDG_RUNTIME_DIR": ""}
    t.rt("start", bundle.id, only_env=bare)
    t.rt("kill", bundle.id, "KILL", only_env=bare)
    t.wait_until(lambda: '"stopped"' in t.rt("state", bundle.id, only_env=bare).out, "its end")
    t.rt("delete", bundle.id, only_env=bare)
    s.gone(scope_of(bundle))


@flavors("rootless")
def test_root_of_a_user_namespace_uses_the_users_manager(t):
    """As RootlessKit runs engines: their root is nobody's but ours outside."""
    s = Systemd(t)
    bundle = bundle_for(t, args=["true"], rootless=False)
    # Not what this is about, and on v1 a user namespace cannot copy the host's.
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if m["type"] != "cgroup"]
    bundle.save()
    for env in (s.env, {"XDG_RUNTIME_DIR": ""}):
        result = t.rt(argv=["unshare", "-Urm"] + t.argv(
            "--debug", "--systemd-cgroup", "run", "-b", bundle.path, bundle.id), env=env)
        assert f"connected to `/run/user/{t.uid}/systemd/private`" in result.err, result
        s.gone(scope_of(bundle))


def test_every_hierarchy_is_joined(t):
    s = Systemd(t)
    bundle = bundle_for(t, "crun-test.slice:p:" + t.new_id())
    s.create(bundle)
    with open(f"/proc/{t.pid(bundle)}/cgroup", encoding="ascii") as lines:
        found = {line.split(":", 2)[1] or "unified": line.rstrip("\n").split(":", 2)[2]
                 for line in lines}
    mounted = hostside.cgroup_mounts()
    for name, path in found.items():
        if name in mounted:
            assert "/crun-test.slice/" in path and ".scope" in path, found
    s.delete(bundle)
    assert not [p for point in mounted.values() for p in find_dirs(point, "crun-test.slice")
                if os.listdir(p) and any(os.path.isdir(os.path.join(p, n)) for n in os.listdir(p))]
    s.ctl("stop", "crun-test.slice")


def test_payload_that_outlives_its_init_is_killed(t):
    s = Systemd(t)
    bundle = bundle_for(t, args=["sh", "-c", "sleep 1000 & sleep 1000"])
    bundle.config["linux"]["namespaces"] = [
        n for n in bundle.config["linux"]["namespaces"] if n["type"] != "pid"]
    bundle.save()
    s.create(bundle)
    s.rt("start", bundle.id)
    s.rt("kill", bundle.id, "KILL")
    s.delete(bundle)
    s.gone(scope_of(bundle))


# ---- names ----------------------------------------------------------------------------------


def test_forms_of_the_path(t):
    s = Systemd(t)
    n = t.new_id()
    for path, slice_, unit in (
            (f"system.slice:libpod:{n}", "system.slice", f"libpod-{n}.scope"),
            (f":libpod:{n}", "system.slice", f"libpod-{n}.scope"),
            (f"-:libpod:{n}", "-.slice", f"libpod-{n}.scope"),
            (f"crun.slice:p+q:{n}", "crun.slice", f"p\\x2bq-{n}.scope"),
            ("crun-a-b.slice:p:" + n, "crun-a-b.slice", f"p-{n}.scope"),
            (f"crun.slice::{n}", "crun.slice", f"{n}.scope"),
            (n.replace("-", "_"), n.replace("-", "_") + ".slice", n.replace("-", "_") + ".scope"),
            ("crun.slice:p:crun-x.slice", "crun-x.slice", None),
            ("crun.slice:memory:", None, None),
            ("", "system.slice", None)):
        bundle = bundle_for(t, path)
        if slice_ is None:
            s.fails(bundle, "/linux/cgroupsPath")
            continue
        unit = unit or scope_of(bundle)
        s.create(bundle)
        assert s.show(unit, "Slice") == slice_, (path, s.show(unit, "Slice"))
        assert path_of(t.pid(bundle)).startswith(s.show(unit, "ControlGroup")), path
        s.delete(bundle)
        s.gone(unit)
    for name in ("crun.slice", n.replace("-", "_") + ".slice"):
        s.ctl("stop", name)


def test_unit_named_like_a_file_of_the_cgroup(t):
    s = Systemd(t)
    bundle = bundle_for(t, "crun.slice::memory")
    s.create(bundle)
    assert path_of(t.pid(bundle)).startswith("/crun.slice/_memory.scope"), path_of(t.pid(bundle))
    s.delete(bundle)
    s.gone("memory.scope")
    s.ctl("stop", "crun.slice")


def test_invalid_names_are_refused(t):
    s = Systemd(t)
    for path in ("/a/b", "a/b", "a.slice:b", "a--b.slice:p:x", "-a.slice:p:x", "a.slice:p:x/y",
                 "a.slice:p:" + "x" * 300, "b.slice:p:a-c.slice", "a b:p:x"):
        bundle = bundle_for(t, path)
        result = s.fails(bundle, ["/linux/cgroupsPath", "linux.cgroupsPath"])
        assert result.err.count("\n") == 1, result
        assert bundle.id not in t.state_entries()


# ---- limits ---------------------------------------------------------------------------------


def read(*names):
    with open(os.path.join(*names), encoding="ascii") as source:
        return source.read().strip()


@flavors("root", "rootless")
def test_limits_are_properties_and_files_and_survive_a_reload(t):
    s = Systemd(t)
    have = controllers(s)
    table = {
        "memory": ({"memory": {"limit": 64 << 20}}, ["MemoryMax", "MemoryLimit"], str(64 << 20),
                   "memory.max", "memory.limit_in_bytes", str(64 << 20)),
        "pids": ({"pids": {"limit": 33}}, ["TasksMax"], "33", "pids.max", "pids.max", "33"),
        "cpu": ({"cpu": {"shares": 512}}, ["CPUWeight", "CPUShares"], None,
                "cpu.weight", "cpu.shares", None),
    }
    wanted = {name: row for name, row in table.items() if name in have}
    if not wanted:
        t.skip(f"none of {sorted(table)} can be had here: {sorted(have)}")
    resources = {"devices": [{"allow": False, "access": "rwm"}]}
    for row in wanted.values():
        resources.update(row[0])
    bundle = bundle_for(t, resources=resources)
    s.create(bundle)
    scope = scope_of(bundle)

    def check():
        for name, (_, properties, value, v2, v1, text) in wanted.items():
            found = s.show(scope, properties[0 if is_v2() or len(properties) == 1 else 1])
            assert found == (value or ("59" if is_v2() else "512")), (name, found)
            if is_v2():
                where = s.directory(scope)
                assert read(where, "container", v2) == (text or "59"), name
                assert read(where, v2) == (text or "59"), name
            else:
                point = next(p for n, p in hostside.cgroup_mounts().items()
                             if name in n.split(","))
                where = point + s.show(scope, "ControlGroup")
                assert read(where, v1) == (text or "512"), name
    check()
    s.ctl("daemon-reload")
    check()
    s.delete(bundle)
    s.gone(scope)


def test_quota_is_exact_below_the_scope(t):
    s = Systemd(t)
    if not is_v2() or "cpu" not in controllers(s):
        t.skip("no cpu controller of cgroup v2")
    bundle = bundle_for(t, resources={"cpu": {"quota": 15555, "period": 100000}})
    s.create(bundle)
    where = s.directory(scope_of(bundle))
    s.ctl("daemon-reload")
    assert read(where, "container", "cpu.max") == "15555 100000"
    assert int(read(where, "cpu.max").split()[0]) >= 15555
    s.delete(bundle)


@flavors("rootless")
def test_missing_controller_of_a_user_is_named_with_the_remedy(t):
    s = Systemd(t)
    missing = [n for n in ("cpuset", "io", "cpu", "memory", "pids") if n not in controllers(s)]
    if not missing:
        t.skip("this user was given all controllers")
    limits = {"cpuset": {"cpu": {"cpus": "0"}}, "io": {"blockIO": {"weight": 100}},
              "cpu": {"cpu": {"shares": 100}}, "memory": {"memory": {"limit": 1 << 26}},
              "pids": {"pids": {"limit": 10}}}
    bundle = bundle_for(t, resources=limits[missing[0]])
    if is_v2():
        s.fails(bundle, [f"`{missing[0]}`", "/etc/systemd/system/user@.service.d/delegate.conf",
                         "Delegate=cpu cpuset io memory pids"])
    else:
        s.fails(bundle, missing[0] if missing[0] != "io" else "blkio")
    s.gone(scope_of(bundle))
    t.assert_no_trace(bundle)
    # Nothing asked for: it runs without limits.
    bundle = bundle_for(t, resources={})
    s.create(bundle)
    s.delete(bundle)


def test_device_filter_survives_a_reload(t):
    s = Systemd(t)
    script = ("trap 'for d in kmsg null; do (head -c0 </dev/$d) 2>/dev/null && echo yes $d || "
              "echo no $d; done >>/out; echo end >>/out' USR1; echo up >>/out; "
              "while :; do sleep 0.05; done")
    bundle = bundle_for(t, args=["sh", "-c", script], own_rootfs=True)
    bundle.config["root"]["readonly"] = False
    bundle.config["linux"]["devices"] = [
        {"type": "c", "path": "/dev/kmsg", "major": 1, "minor": 11, "fileMode": 0o666}]
    bundle.save()
    out = os.path.join(bundle.rootfs, "out")
    s.create(bundle)
    s.rt("start", bundle.id)
    t.wait_until(lambda: os.path.exists(out) and "up" in read(out), "the payload")
    for count in (1, 2):
        s.rt("kill", bundle.id, "USR1")
        t.wait_until(lambda: read(out).count("end") == count, "its answer")
        assert read(out).count("no kmsg") == count, read(out)
        assert read(out).count("yes null") == count, read(out)
        s.ctl("daemon-reload")
        assert s.state(scope_of(bundle)) == ["loaded", "active"]
    policy, allowed = s.show(scope_of(bundle), "DevicePolicy", "DeviceAllow")
    if is_v2():
        assert policy == "strict" and "/dev/char/1:3 rwm" in allowed, (policy, allowed)
    else:
        assert (policy, allowed) == ("auto", None)   # on v1 the files are ours alone
    s.delete(bundle)


def test_privileged_container_may_use_all_devices(t):
    s = Systemd(t)
    bundle = bundle_for(t, resources={"devices": [{"allow": True, "access": "rwm"}]})
    s.create(bundle)
    assert s.show(scope_of(bundle), "DevicePolicy", "DeviceAllow") == ["auto", None]
    s.delete(bundle)


# ---- annotations ----------------------------------------------------------------------------


@flavors("root", "rootless")
def test_annotations_become_properties(t):
    s = Systemd(t)
    bundle = bundle_for(t, annotations={
        PROPERTY + "KillSignal": "37",
        PROPERTY + "TimeoutStopSec": "7",
        PROPERTY + "SendSIGHUP": "true",
        PROPERTY + "Description": "'my own'",
        PROPERTY + "Wants": "['basic.target']",
        PROPERTY + "RuntimeMaxUSec": "uint64 3600000000",
        PROPERTY + "Slice": "'crun-mine.slice'"})
    s.create(bundle)
    scope = scope_of(bundle)
    values = s.show(scope, "KillSignal", "TimeoutStopUSec", "SendSIGHUP", "Description", "Wants",
                    "RuntimeMaxUSec", "Slice")
    assert values == ["37", "7s", "yes", "my own", "basic.target", "1h", "crun-mine.slice"], values
    s.delete(bundle)
    s.gone(scope)
    s.ctl("stop", "crun.slice")


def test_wrong_annotations_are_refused(t):
    s = Systemd(t)
    for name, value, word in (("TimeoutStopSec", "'x'", "seconds"), ("KillSignal", "abc", "value"),
                              ("NoSuchProperty", "7", "NoSuchProperty"),
                              ("KillSignal", "'TERM'", "KillSignal"),
                              ("PIDs", "[]", "processes"), ("Slice", "7", "slice")):
        bundle = bundle_for(t, annotations={PROPERTY + name: value})
        if name == "NoSuchProperty":
            s.fails(bundle, [word, "annotations"], code="SYSTEMD_REFUSED")
        else:
            s.fails(bundle, [word, "annotations"])
        s.gone(scope_of(bundle))
        t.assert_no_trace(bundle)


@flavors("root", "rootless")
def test_subgroup_can_be_chosen(t):
    s = Systemd(t)
    for name, want in (("", ""), ("inner", "/inner")):
        bundle = bundle_for(t, annotations={"run.oci.systemd.subgroup": name})
        s.create(bundle)
        scope = scope_of(bundle)
        assert path_of(t.pid(bundle)) == s.show(scope, "ControlGroup") + want
        s.rt("start", bundle.id)
        s.delete(bundle)
        s.gone(scope)
    bundle = bundle_for(t, annotations={"run.oci.systemd.subgroup": "../x"})
    s.fails(bundle, "run.oci.systemd.subgroup")
    t.assert_no_trace(bundle)


@flavors("root", "rootless")
def test_delegated_cgroup_is_below_the_namespace(t):
    s = Systemd(t)
    bundle = bundle_for(t, args=["sh", "-c", "cat /proc/self/cgroup; sleep 1000"],
                        annotations={"run.oci.delegate-cgroup": "mine"})
    namespaces = bundle.config["linux"]["namespaces"]
    if not any(n["type"] == "cgroup" for n in namespaces):
        namespaces.append({"type": "cgroup"})
    bundle.save()
    if not is_v2():
        s.fails(bundle, "needs cgroup v2")
        return
    s.create(bundle)
    scope = scope_of(bundle)
    assert path_of(t.pid(bundle)) == s.show(scope, "ControlGroup") + "/container/mine"
    s.rt("start", bundle.id)
    s.delete(bundle)
    s.gone(scope)
    bundle.config["process"]["args"] = ["cat", "/proc/self/cgroup"]
    bundle.save()
    result = s.rt("--systemd-cgroup", "run", "-b", bundle.path, bundle.id)
    assert result.out.strip().endswith("0::/mine"), result


# ---- what others left -----------------------------------------------------------------------


def test_failed_scope_of_a_dead_container_is_swept_away(t):
    s = Systemd(t)
    bundle = bundle_for(t)
    scope = scope_of(bundle)
    child = t.popen(argv=["systemd-run", "--quiet", "--scope", f"--unit={scope}",
                          "-pRuntimeMaxSec=1", "sleep", "1000"])
    child.wait(timeout=40 * PATIENCE)
    t.wait_until(lambda: s.state(scope)[1] == "failed", "a failed scope")
    s.create(bundle)
    assert s.state(scope) == ["loaded", "active"]
    s.delete(bundle)
    s.gone(scope)


def test_directories_without_a_unit_are_swept_away(t):
    s = Systemd(t)
    bundle = bundle_for(t)
    scope = scope_of(bundle)
    point = hostside.cgroup_mounts()["unified" if is_v2() else "name=systemd"]
    os.makedirs(f"{point}/system.slice/{scope}/container")
    s.create(bundle)
    s.delete(bundle)
    s.gone(scope)


@flavors("root", "rootless")
def test_living_scope_is_refused_and_left_alone(t):
    s = Systemd(t)
    first = bundle_for(t, ":p:" + t.new_id())
    s.create(first)
    pid = t.pid(first)
    second = bundle_for(t, first.cgroup)
    s.fails(second, ["/linux/cgroupsPath", "living processes", str(pid)])
    t.rt("delete", "--force", second.id)
    assert os.path.exists(f"/proc/{pid}") and t.state(first)["status"] == "created"
    scope = first.cgroup.replace(":p:", "p-") + ".scope"
    assert s.state(scope) == ["loaded", "active"]
    s.delete(first)
    s.gone(scope)


def test_scope_that_is_not_ours_survives_our_delete(t):
    """The record names a scope, and before it was started somebody else took the name."""
    s = Systemd(t)
    bundle = bundle_for(t)
    scope = scope_of(bundle)
    s.create(bundle)
    pid = t.pid(bundle)
    os.kill(pid, signal.SIGKILL)
    t.wait_until(lambda: s.state(scope)[0] == "not-found", "the end of the scope")
    child = t.popen(argv=["systemd-run", "--quiet", "--scope", f"--unit={scope}", "sleep", "1000"])
    t.wait_until(lambda: s.state(scope)[1] == "active", "the other's scope")
    t.kill(bundle, "KILL", opts=["--all"], check=False)
    assert child.poll() is None
    s.delete(bundle)
    assert s.state(scope) == ["loaded", "active"]
    assert child.poll() is None
    s.ctl("stop", scope)


@flavors("root", "rootless")
def test_failed_creation_leaves_no_scope(t):
    s = Systemd(t)
    for mutate in (lambda b: b.config["process"].update(args=["/no/such/command"]),
                   lambda b: b.config["linux"].update(resources={"unified": {"hugetlb.x": "1"}})
                   if is_v2() else b.config["process"].update(cwd="/nowhere")):
        bundle = bundle_for(t)
        mutate(bundle)
        bundle.save()
        result = s.create(bundle, check=False)
        assert result.rc != 0, result
        s.gone(scope_of(bundle))
        t.assert_no_trace(bundle)


@flavors("root", "rootless")
def test_killed_runtime_leaves_what_delete_finds(t):
    s = Systemd(t)
    bundle = bundle_for(t)
    ready = t.path("hook")
    bundle.config["hooks"] = {"createRuntime": [
        {"path": "/bin/sh", "args": ["sh", "-c", f"touch {ready}; exec sleep 1000"]}]}
    bundle.save()
    child = t.popen("--systemd-cgroup", "create", "-b", bundle.path, bundle.id, env=s.env)
    t.wait_until(lambda: os.path.exists(ready), "the hook")
    scope = scope_of(bundle)
    assert s.state(scope) == ["loaded", "active"]
    child.kill()
    child.wait()
    s.delete(bundle)
    s.gone(scope)
    t.assert_no_trace(bundle)
    hostside.kill_tree(os.getpid(), with_root=False)


# ---- without systemd ------------------------------------------------------------------------


def hide(t, *places):
    for place in places:
        if os.path.isdir(place):
            t.mount("tmpfs", place, "tmpfs")


def needs_driver(t):
    if not has_driver(t):
        t.skip("this runtime was built without the systemd driver")


def test_without_a_manager_the_error_names_what_was_tried(t):
    needs_driver(t)
    hide(t, "/run/systemd", "/run/dbus", "/run/user")
    bundle = bundle_for(t)
    result = t.fails("--systemd-cgroup", "create", "-b", bundle.path, bundle.id,
                     has="--cgroup-manager=cgroupfs")
    for place in ("/run/systemd/private", "/run/dbus/system_bus_socket"):
        assert place in result.err, result
    t.assert_no_trace(bundle)


@flavors("rootless")
def test_without_a_user_manager_the_error_names_what_was_tried(t):
    needs_driver(t)
    hide(t, "/run/user")
    bundle = bundle_for(t)
    for env, place in (({}, t.run_dir), ({"XDG_RUNTIME_DIR": ""}, f"/run/user/{t.uid}")):
        result = t.fails("--systemd-cgroup", "create", "-b", bundle.path, bundle.id, env=env,
                         has="--cgroup-manager=cgroupfs")
        assert f"{place}/systemd/private" in result.err and f"{place}/bus" in result.err
        assert "enable-linger" in result.err, result
    t.assert_no_trace(bundle)


def test_without_an_answer_from_systemd_the_time_limit_holds(t):
    """A manager that accepts and never says a word, and one that does not even accept."""
    needs_driver(t)
    if not os.path.isdir("/run/systemd"):
        if os.path.exists("/run/systemd"):
            t.skip("/run/systemd is no directory")
        hide(t, "/run")
        os.mkdir("/run/systemd")
    hide(t, "/run/systemd")
    server = socket.socket(socket.AF_UNIX)
    server.bind("/run/systemd/private")
    for backlog in (5, 0):
        server.listen(backlog)
        full = []
        while backlog == 0:
            client = socket.socket(socket.AF_UNIX)
            client.setblocking(False)
            full.append(client)
            try:
                client.connect("/run/systemd/private")
            except BlockingIOError:
                break
        bundle = bundle_for(t)
        began = time.monotonic()
        result = t.rt("--timeout", "2s", "--systemd-cgroup", "create", "-b", bundle.path,
                      bundle.id, check=False)
        spent = time.monotonic() - began
        assert result.rc != 0, result
        assert "systemd" in result.err and "not done after 2 s" in result.err, result
        assert 1.9 < spent < 20 * PATIENCE, spent
        t.assert_no_trace(bundle)


def test_without_a_manager_delete_removes_what_it_can(t):
    s = Systemd(t)
    bundle = bundle_for(t)
    s.create(bundle)
    where = s.directory(scope_of(bundle))
    hide(t, "/run/systemd", "/run/dbus")
    result = s.rt("--log-level=warning", "delete", "--force", bundle.id)
    assert "is left to systemd" in result.err, result
    t.assert_no_trace(bundle)
    wait_gone(where)
    for place in ("/run/systemd", "/run/dbus"):
        subprocess.run(["umount", place], check=False)
    t.wait_until(lambda: s.state(scope_of(bundle))[0] == "not-found", "the end of the scope")
