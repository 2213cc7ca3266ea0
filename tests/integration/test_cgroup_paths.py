# SPDX-License-Identifier: Apache-2.0
"""linux.cgroupsPath: a cgroup that is there already, and the sub-cgroup that a payload may have.

Tests named "v2" run on cgroup v2 alone, mounted in the test's own mount namespace.
"""

import json
import os
import stat
import subprocess

import hostside
from harness import PATIENCE
from test_linux_cgroups import (ROOT, SLEEP, limited, no_cgroup_left, of_process, read, unified,
                                v1_only, writable_cgroup)
from test_update_devices import answers


def prepared(t, name="theirs", uid=0):
    """A path of which every hierarchy has the directory, made by somebody else."""
    path, made = f"/{t.prefix}/{name}", []
    # cgroup v2 on top of a host's v1 hides it: what has the name of a hierarchy there is a cgroup.
    unified_only = os.path.exists(f"{ROOT}/cgroup.controllers")
    for point in [ROOT] if unified_only else sorted(set(hostside.cgroup_mounts().values())):
        if os.path.exists(f"{point}/cgroup.procs"):
            os.makedirs(point + path, exist_ok=True)
            os.chown(point + path, uid, -1)
            made.append(point + path)
    for where in made:
        cpus = os.path.join(os.path.dirname(where), "cpuset.cpus")
        if os.path.exists(cpus) and os.path.exists(f"{where}/cpuset.mems"):
            fill_cpuset(where)
    return path, made


def fill_cpuset(where):
    """An empty cpuset of v1 takes nobody; whoever prepares one fills it."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        for level in (os.path.dirname(where), where):
            file = os.path.join(level, name)
            if read(file):
                continue
            value = read(os.path.dirname(level), name)
            with open(file, "w", encoding="ascii") as out:
                out.write(value)


def remove(made):
    for where in made:
        hostside.remove_cgroup(where)
        hostside.remove_cgroup(os.path.dirname(where))


def write(path, value):
    with open(path, "w", encoding="ascii") as out:
        out.write(value)


def programs(where):
    """Ids of the device filters at a cgroup; None where the tool to ask is missing."""
    try:
        out = subprocess.run(["bpftool", "cgroup", "show", where], check=True,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode()
    except (OSError, subprocess.CalledProcessError):
        return None
    return [line.split()[0] for line in out.splitlines() if "device" in line]


def check_reuse(t, limits):
    path, made = prepared(t)
    bundle = limited(t, limits, path=path)
    for _again in range(2):
        t.create(bundle)
        pid = t.pid(bundle)
        assert path in of_process(pid).values(), of_process(pid)
        for where in made:
            if limits and os.path.exists(f"{where}/pids.max"):
                assert read(where, "pids.max") == "21"
        t.start(bundle)
        t.kill(bundle, "KILL")
        t.wait_status(bundle, "stopped")
        t.delete(bundle)
        for where in made:
            assert os.path.isdir(where), where
    assert t.run_container(limited(t, {}, path=path, args=["echo", "hi"])).out == "hi\n"
    # What fails late is undone, but for the directory.
    bad = limited(t, {}, path=path, args=["/no/such"])
    t.fails("run", "-b", bad.path, bad.id)
    for where in made:
        assert os.path.isdir(where) and not read(where, "cgroup.procs"), where
    return path, made


def test_empty_cgroup_that_exists_is_used_and_stays(t):
    v1_only(t)
    _path, made = check_reuse(t, {"pids": {"limit": 21}})
    remove(made)


def test_v2_empty_cgroup_that_exists_is_used_and_stays(t):
    unified(t)
    available = "pids" in read(ROOT, "cgroup.controllers").split()
    _path, made = check_reuse(t, {"pids": {"limit": 21}} if available else {})
    left = programs(made[0])
    remove(made)
    assert not left, f"device filters stay at {made[0]}: {left}"


def container_with_kmsg(t, path):
    """In the cgroup of this path; it answers on a file whether it can read /dev/kmsg."""
    bundle = t.bundle("while sleep 0.02; do if true </kmsg; then a=yes; else a=no; fi; "
                      "echo $a >/answer.new; mv /answer.new /answer; done 2>/dev/null",
                      own_rootfs=True)
    bundle.config["root"]["readonly"] = False
    bundle.config["linux"]["resources"] = {"devices": [{"allow": False, "access": "rwm"}]}
    bundle.cgroup = bundle.config["linux"]["cgroupsPath"] = path
    for names in bundle.config["process"]["capabilities"].values():
        names.append("CAP_SYSLOG")
    bundle.save()
    os.mknod(os.path.join(bundle.rootfs, "kmsg"), stat.S_IFCHR | 0o666, os.makedev(1, 11))
    return bundle


def assert_devices_are_free(t, where):
    """No device filter holds for processes of this cgroup."""
    node = t.path("kmsg")
    os.mknod(node, 0o20600, os.makedev(1, 11))
    probe = f"echo $$ >{where}/cgroup.procs && mknod {node}.2 b 7 0 && : <{node}.2"
    result = subprocess.run(["sh", "-c", probe], stderr=subprocess.PIPE, check=False)
    assert b"not permitted" not in result.stderr, result.stderr


def test_v2_update_changes_limits_and_devices_in_a_cgroup_that_exists(t):
    unified(t)
    path, made = prepared(t)
    bundle = container_with_kmsg(t, path)
    t.run_container(bundle, "--detach")
    answers(t, bundle, "no")
    kmsg = {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "rw"}
    for rules, want in (([kmsg], "yes"), ([dict(kmsg, allow=False)], "no"),
                        ([{"allow": True, "access": "rwm"}], "yes"), ([kmsg], "yes")):
        t.rt("update", "--resources=-", bundle.id, input=json.dumps(
            {"devices": rules, "unified": {"cgroup.max.depth": "7"}}).encode())
        answers(t, bundle, want)
        assert read(made[0], "cgroup.max.depth") == "7"
    # The filter that delete takes back is the last one.
    t.delete(bundle, force=True)
    assert_devices_are_free(t, made[0])
    remove(made)


def test_v2_run_takes_back_the_filter_of_an_update(t):
    unified(t)
    path, made = prepared(t)
    bundle = container_with_kmsg(t, path)
    child = t.popen("run", "-b", bundle.path, bundle.id)
    answers(t, bundle, "no")
    t.rt("update", "--resources=-", bundle.id, input=json.dumps(
        {"devices": [{"allow": True, "type": "c", "major": 1, "minor": 11,
                      "access": "rw"}]}).encode())
    answers(t, bundle, "yes")
    t.kill(bundle, "KILL")
    assert child.wait(40 * PATIENCE) == 137
    assert_devices_are_free(t, made[0])
    remove(made)


def test_v2_device_filter_holds_in_a_cgroup_that_exists_and_goes_with_the_container(t):
    unified(t)
    path, made = prepared(t)
    deny = {"devices": [{"allow": False, "access": "rwm"}]}
    script = "mknod /tmp/a b 7 0; (: </tmp/a) 2>&1 | grep -c permitted; echo x >/dev/null && echo ok"
    bundle = limited(t, deny, path=path, args=["sh", "-c", script])
    bundle.config["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"})
    caps = bundle.config["process"]["capabilities"]
    for kind in caps:
        caps[kind] = sorted(set(caps[kind]) | {"CAP_MKNOD"})
    bundle.save()
    assert t.run_container(bundle).out == "1\nok\n"
    # The directory is as free as it was: our own shell may open the device from there.
    node = t.path("loop0")
    os.mknod(node, 0o60600, os.makedev(7, 0))
    probe = f"echo $$ >{made[0]}/cgroup.procs && : <{node}"
    result = subprocess.run(["sh", "-c", probe], stderr=subprocess.PIPE, check=False)
    assert b"not permitted" not in result.stderr, result.stderr
    remove(made)


def test_frozen_cgroup_is_refused(t):
    v1_only(t)
    freezer = hostside.cgroup_mounts().get("freezer") or t.skip("no freezer")
    _path, made = prepared(t)
    for level in (freezer + f"/{t.prefix}/theirs", freezer + f"/{t.prefix}"):
        write(f"{level}/freezer.state", "FROZEN")
        for path in (f"/{t.prefix}/theirs", f"/{t.prefix}/theirs/below"):
            bundle = limited(t, {}, path=path)
            for command in (["create"], ["run"]):
                t.fails(*command, "-b", bundle.path, bundle.id, has=["is frozen", "cgroupsPath"],
                        code="CGROUP_FROZEN")
                assert bundle.id not in t.state_entries()
        write(f"{level}/freezer.state", "THAWED")
    remove(made)


def test_v2_frozen_cgroup_is_refused(t):
    unified(t)
    _path, made = prepared(t)
    for level in (made[0], os.path.dirname(made[0])):
        write(f"{level}/cgroup.freeze", "1")
        for path in (f"/{t.prefix}/theirs", f"/{t.prefix}/theirs/below"):
            bundle = limited(t, {}, path=path)
            t.fails("create", "-b", bundle.path, bundle.id, has=["is frozen", "cgroupsPath"])
            assert not os.path.isdir(made[0] + "/below")
        write(f"{level}/cgroup.freeze", "0")
    remove(made)


def test_v2_cgroup_with_processes_is_refused_with_their_number(t):
    unified(t)
    path, made = prepared(t)
    children = [t.popen(argv=["sleep", "1000"]) for _n in range(3)]
    os.mkdir(made[0] + "/below")
    for child, where in zip(children, (made[0], made[0], made[0] + "/below")):
        write(where + "/cgroup.procs", str(child.pid))
    bundle = limited(t, {}, path=path)
    t.fails("create", "-b", bundle.path, bundle.id, has=["holds 3 processes", "exists already"],
            code="CGROUP_IN_USE")
    assert all(child.poll() is None for child in children)
    for child in children:
        child.kill()
        child.wait()
    remove(made)


def test_v2_cgroup_that_takes_no_process_is_refused(t):
    unified(t)
    path, made = prepared(t)
    parent, controllers = os.path.dirname(made[0]), read(ROOT, "cgroup.controllers").split()
    if controllers:
        for where in (ROOT, parent, made[0]):
            write(where + "/cgroup.subtree_control", "+" + controllers[0])
        bundle = limited(t, {}, path=path)
        t.fails("create", "-b", bundle.path, bundle.id, has="takes no process")
        write(made[0] + "/cgroup.subtree_control", "-" + controllers[0])
        write(parent + "/cgroup.subtree_control", "-" + controllers[0])
    write(made[0] + "/cgroup.type", "threaded")
    bundle = limited(t, {}, path=path)
    t.fails("create", "-b", bundle.path, bundle.id, has="takes no process")
    remove(made)


def test_v2_cgroup_with_no_room_below_it_is_named_as_the_reason(t):
    unified(t)
    path, made = prepared(t)
    write(made[0] + "/cgroup.max.descendants", "1")
    bundle = limited(t, {}, path=path + "/a/b")
    t.fails("create", "-b", bundle.path, bundle.id, has=[path + "/a/b", "cgroup.max.descendants"],
            code="CGROUP_CREATE")
    assert not os.path.isdir(made[0] + "/a")
    remove(made)


def test_cgroup_of_another_user_is_refused(t):
    path, made = prepared(t, uid=12345)
    bundle = limited(t, {}, path=path)
    t.fails("create", "-b", bundle.path, bundle.id, has=["belongs to uid 12345", "cgroupsPath"])
    remove(made)


def test_two_containers_cannot_share_one(t):
    path, made = prepared(t)
    first, second = limited(t, {}, path=path), limited(t, {}, path=path)
    t.create(first)
    t.fails("create", "-b", second.path, second.id, has="exists already")
    # Neither may the first one's end harm whoever came after it.
    t.kill(first, "KILL")
    t.wait_status(first, "stopped")
    t.create(second)
    t.kill(first, "KILL", opts=["--all"], check=False)
    t.delete(first)
    assert t.state(second)["status"] == "created"
    t.start(second)
    t.wait_status(second, "running")
    t.delete(second, force=True)
    remove(made)


def test_cgroup_that_a_stopped_container_made_is_not_taken(t):
    path = f"/{t.prefix}/made"
    first, second = limited(t, {}, path=path), limited(t, {}, path=path)
    t.create(first)
    t.kill(first, "KILL")
    t.wait_status(first, "stopped")
    # Else `kill --all` and `delete` of the first would end the second.
    t.fails("create", "-b", second.path, second.id,
            has=["exists already", f"`{first.id}`", "stopped", "cgroupsPath"])
    t.delete(first)
    t.create(second)
    t.delete(second, force=True)
    t.assert_no_trace(second)


def test_own_cgroup_of_the_caller_is_never_taken(t):
    for name, path in of_process("self").items():
        if name not in hostside.cgroup_mounts() or path == "/" or "/../" in path:
            continue
        bundle = limited(t, {}, path=path)
        t.fails("create", "-b", bundle.path, bundle.id, has="exists already")


def test_relative_path_is_below_the_root(t):
    bundle = limited(t, {}, path=f"{t.prefix}/rel")
    t.create(bundle)
    assert f"/{t.prefix}/rel" in of_process(t.pid(bundle)).values()
    t.delete(bundle, force=True)
    assert no_cgroup_left(t) == []


# ---- ownership: config-linux.md, "Cgroup ownership" ---------------------------------------------


def owned(t, annotations=None, readonly=False):
    """A container of root's with a user namespace, and a cgroup that it sees writable."""
    bundle = limited(t, {}, args=SLEEP)
    conf = bundle.config
    if not readonly:
        writable_cgroup(conf)
    names = {n["type"] for n in conf["linux"]["namespaces"]}
    conf["linux"]["namespaces"] += [{"type": kind} for kind in ("user", "cgroup")
                                    if kind not in names]
    for field in ("uidMappings", "gidMappings"):
        conf["linux"][field] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    conf["annotations"] = annotations or {}
    bundle.save()
    t.create(bundle)
    return bundle


def delegated_files():
    with open("/sys/kernel/cgroup/delegate", encoding="ascii") as source:
        return source.read().split()


def test_v2_cgroup_belongs_to_the_containers_root(t):
    unified(t)
    bundle = owned(t)
    top = ROOT + bundle.cgroup
    assert os.stat(top).st_uid == 100000
    for name in os.listdir(top):
        want = 100000 if name in delegated_files() else 0
        assert os.stat(f"{top}/{name}").st_uid == want, name
    assert os.stat(os.path.dirname(top)).st_uid == 0
    bundle = owned(t, readonly=True)
    assert os.stat(ROOT + bundle.cgroup).st_uid == 0


def test_v2_delegated_sub_cgroup_holds_the_payload(t):
    unified(t)
    bundle = owned(t, {"run.oci.delegate-cgroup": "mine"})
    top = ROOT + bundle.cgroup
    assert of_process(t.pid(bundle))["unified"] == bundle.cgroup + "/mine"
    for name in ("", "/cgroup.procs", "/cgroup.subtree_control"):
        assert os.stat(f"{top}/mine{name}").st_uid == 100000, name
    t.kill(bundle, "KILL")
    t.wait_status(bundle, "stopped")
    t.delete(bundle)
    t.assert_no_trace(bundle)
    assert no_cgroup_left(t) == []


def test_v2_cgroup_of_somebody_is_not_given_away(t):
    unified(t)
    path, made = prepared(t)
    bundle = limited(t, {}, path=path)
    writable_cgroup(bundle.config)
    bundle.config["linux"]["namespaces"].append({"type": "cgroup"})
    bundle.config["process"]["user"] = {"uid": 1234, "gid": 1234}
    bundle.save()
    t.create(bundle)
    assert os.stat(made[0]).st_uid == 0
    t.delete(bundle, force=True)
    remove(made)
