# SPDX-License-Identifier: Apache-2.0
"""`crun mounts add` and `mounts remove` on containers that are there."""

import json
import os
import subprocess

import hostside
from harness import PATIENCE, flavors
from test_lifecycle import SLEEP, running, stopped


def writable(conf):
    conf["root"]["readonly"] = False


def container(t):
    return running(t, mutate=writable, own_rootfs=True)


def document(t, *mounts, bare=False):
    t.counter += 1
    return t.file(f"mounts{t.counter}.json", json.dumps(list(mounts) if bare
                                                        else {"mounts": mounts}))


def volume(t, name="volume", text="hello"):
    path = t.mkdir(name)
    t.file(os.path.join(name, "file"), text)
    return path


def bind(source, destination, *options):
    return {"destination": destination, "source": source, "type": "bind",
            "options": ["rbind", *options]}


def tmpfs(destination, *options):
    return {"destination": destination, "source": "tmpfs", "type": "tmpfs",
            "options": list(options)}


def mounts_of(t, bundle):
    """Mount points below /mnt in the container, with their options."""
    with open(f"/proc/{t.pid(bundle)}/mountinfo", encoding="utf-8") as table:
        rows = [line.split() for line in table]
    return {row[4]: row[5].split(",") for row in rows if row[4].startswith("/mnt/")}


def read(t, bundle, path):
    with open(f"/proc/{t.pid(bundle)}/root{path}", encoding="utf-8") as file:
        return file.read()


# ---- what works ----------------------------------------------------------------------------------

@flavors("root", "rootless")
def test_list_is_added_and_removed(t):
    t.needs("open_tree")
    bundle = container(t)
    for bare in (False, True):
        path = document(t, bind(volume(t), "/mnt/volume", "ro", "nosuid"),
                        tmpfs("/mnt/tmp", "size=64k", "ro", "noexec"),
                        tmpfs("/mnt/volume2", "nodev"), bare=bare)
        result = t.rt("mounts", "add", bundle.id, path)
        assert result.out == result.err == "", result
        assert read(t, bundle, "/mnt/volume/file") == "hello"
        options = mounts_of(t, bundle)
        assert {"ro", "nosuid"} <= set(options["/mnt/volume"]), options
        assert {"ro", "noexec"} <= set(options["/mnt/tmp"]), options
        assert "nodev" in options["/mnt/volume2"], options
        t.rt("mounts", "remove", bundle.id, path)
        assert mounts_of(t, bundle) == {}


@flavors("root")
def test_one_on_top_of_the_other_from_standard_input(t):
    t.needs("open_tree")
    bundle = container(t)
    with open(document(t, tmpfs("/mnt/a"), tmpfs("/mnt/a/b"), bind(volume(t), "/mnt/a/b")),
              encoding="utf-8") as file:
        text = file.read().encode()
    t.rt("mounts", "add", bundle.id, "-", input=text)
    assert read(t, bundle, "/mnt/a/b/file") == "hello"
    t.rt("mounts", "remove", bundle.id, "-", input=text)
    assert mounts_of(t, bundle) == {}


@flavors("root", "rootless")
def test_created_and_paused_containers(t):
    t.needs("open_tree")
    created = t.bundle(SLEEP, mutate=writable, own_rootfs=True)
    t.create(created)
    path = document(t, bind(volume(t), "/mnt/volume"))
    if t.rootless:
        # nobody may look at a process that is closed to ptrace, not even its user
        t.fails("mounts", "add", created.id, path, has="before its start")
        return
    t.rt("mounts", "add", created.id, path)
    t.start(created)
    assert read(t, created, "/mnt/volume/file") == "hello"
    t.rt("pause", created.id)
    t.rt("mounts", "remove", created.id, path)
    t.rt("resume", created.id)
    assert mounts_of(t, created) == {}


@flavors("root")
def test_source_that_only_root_can_reach(t):
    t.needs("open_tree")
    def own_users(conf):
        writable(conf)
        conf["linux"]["namespaces"].append({"type": "user"})
        conf["linux"]["uidMappings"] = conf["linux"]["gidMappings"] = [
            {"containerID": 0, "hostID": 100000, "size": 65536}]

    bundle = t.bundle(SLEEP, mutate=own_users, own_rootfs=True)
    os.chown(bundle.rootfs, 100000, 100000)
    t.run_container(bundle, "--detach")
    secret = t.mkdir("secret", 0o700)
    t.mkdir("secret/shared")
    t.file("secret/shared/file", "hello")
    t.rt("mounts", "add", bundle.id, document(t, bind(secret + "/shared", "/mnt/shared")))
    assert read(t, bundle, "/mnt/shared/file") == "hello"


# ---- what is refused, and leaves nothing -----------------------------------------------------------

@flavors("root", "rootless")
def test_all_or_nothing(t):
    t.needs("open_tree")
    bundle = container(t)
    good = bind(volume(t), "/mnt/volume")
    for bad, why in ((bind(t.path("nowhere"), "/mnt/b"), "No such file or directory"),
                     (tmpfs("/mnt/b", "size=many"), "size"),
                     (tmpfs("/proc/self"), "proc"),
                     (bind(t.file("plain"), "/mnt/volume"), "directory")):
        result = t.fails("mounts", "add", bundle.id, document(t, good, bad), has=why)
        assert "/mounts/1" in result.err, result
        assert mounts_of(t, bundle) == {}
    t.rt("mounts", "add", bundle.id, document(t, good))
    t.fails("mounts", "remove", bundle.id, document(t, {"destination": "/mnt/nothing"}, good))
    assert read(t, bundle, "/mnt/volume/file") == "hello"


@flavors("root")
def test_types_that_show_a_namespace(t):
    bundle = container(t)
    for kind in ("proc", "sysfs", "mqueue", "cgroup", "cgroup2"):
        t.fails("mounts", "add", bundle.id,
                document(t, {"destination": "/mnt/x", "type": kind, "source": kind}),
                has="would show the host's")
    t.fails("mounts", "add", bundle.id, document(t, bind("/etc", "/mnt", "remount", "ro")),
            has="remount")
    assert mounts_of(t, bundle) == {}


@flavors("root")
def test_protections_stay(t):
    bundle = container(t)
    for path in ("/proc", "/proc/sys", "/", "/sys/firmware"):
        t.fails("mounts", "remove", bundle.id, document(t, {"destination": path}))
    with open(f"/proc/{t.pid(bundle)}/mountinfo", encoding="utf-8") as table:
        points = [line.split()[4] for line in table]
    assert {"/", "/proc", "/proc/sys", "/sys/firmware"} <= set(points), points


@flavors("root")
def test_documents_that_are_none(t):
    bundle = container(t)
    broken = t.file("broken.json", '[{"destination": "/mnt/x", "type": 5}]')
    t.fails("mounts", "add", bundle.id, broken, has=f"{broken}:1:36: ")
    t.fails("mounts", "add", bundle.id, t.file("text", "mounts"), has="text:1:1")
    t.fails("mounts", "add", bundle.id, t.file("object", "{}"), has="mounts")
    t.fails("mounts", "add", bundle.id, t.path("missing"), has="No such file or directory")
    t.fails("mounts", "change", bundle.id, broken, has="`add` or `remove`")
    other = t.file("other.json", '[\n  {"destination": "/mnt/x", "type": "tmpfs",\n'
                                 '   "options": ["copy-symlink"]}]')
    t.fails("mounts", "add", bundle.id, other, has=f"{other}:3:")


def test_containers_that_are_not_there(t):
    bundle = stopped(t)
    path = document(t, tmpfs("/mnt/x"))
    t.fails("mounts", "add", bundle.id, path, has="container not running")
    t.fails("mounts", "add", t.new_id(), path, has="does not exist")


@flavors("root")
def test_container_without_a_mount_namespace(t):
    def shared(conf):
        namespaces = conf["linux"]["namespaces"]
        conf["linux"]["namespaces"] = [n for n in namespaces if n["type"] not in ("mount", "pid")]
        conf["mounts"] = []
        conf["linux"].pop("maskedPaths", None)
        conf["linux"].pop("readonlyPaths", None)
        writable(conf)

    bundle = running(t, mutate=shared, own_rootfs=True)
    t.fails("mounts", "add", bundle.id, document(t, tmpfs("/mnt")),
            has="no mount namespace of its own")


# ---- hostile roots -----------------------------------------------------------------------------------

@flavors("root", "rootless")
def test_links_lead_nowhere_else(t):
    t.needs("open_tree")
    bundle = container(t)
    target = t.mkdir("target")
    root = f"/proc/{t.pid(bundle)}/root"
    os.symlink(target, root + "/escape")
    os.symlink("../../../../../.." + target, root + "/escape2")
    before = set(t.mounts_before)
    for link in ("/escape", "/escape2/x"):
        t.rt("mounts", "add", bundle.id, document(t, bind(volume(t), link)))
        assert os.listdir(target) == [], "a mount point on the host"
        t.rt("mounts", "remove", bundle.id, document(t, {"destination": link}))
    assert set(hostside.mount_table()) == before


@flavors("root", "rootless")
def test_link_to_a_mount_of_the_configuration_removes_nothing(t):
    """Such a mount may hide a part of another one; the container makes links where it likes."""
    def hide(conf):
        writable(conf)
        conf["mounts"] += [bind(volume(t), "/data"), tmpfs("/data/hidden")]

    t.mkdir("volume")
    t.mkdir("volume/hidden")
    bundle = running(t, mutate=hide, own_rootfs=True)
    os.symlink("/data/hidden", f"/proc/{t.pid(bundle)}/root/link")
    t.fails("mounts", "remove", bundle.id, document(t, {"destination": "/link"}),
            has="by its own name")
    t.rt("mounts", "remove", bundle.id, document(t, {"destination": "/data/hidden"}))


# ---- at the same time as others ------------------------------------------------------------------

@flavors("root", "rootless")
def test_container_that_is_paused_and_deleted_meanwhile(t):
    t.needs("open_tree")
    for _again in range(2):
        bundle = container(t)
        paths = [document(t, bind(volume(t), f"/mnt/{i}"), tmpfs(f"/mnt/{i}b")) for i in range(4)]
        children = [t.popen("mounts", "add", bundle.id, path, stderr=subprocess.PIPE)
                    for path in paths]
        if t.cgroup_dirs(bundle):
            t.rt("pause", bundle.id)
        for i, child in enumerate(children):
            assert child.communicate(timeout=40 * PATIENCE)[1] == b"", i
        assert len(mounts_of(t, bundle)) == 8
        children = [t.popen("mounts", "remove", bundle.id, path, stderr=subprocess.PIPE)
                    for path in paths]
        t.delete(bundle, force=True)
        for child in children:
            err = child.communicate(timeout=40 * PATIENCE)[1].decode()
            assert child.returncode == (1 if err else 0) and "INTERNAL" not in err, err
        t.assert_no_trace(bundle)
