# SPDX-License-Identifier: Apache-2.0
"""Idmapped mounts: whose files are seen inside, whose files are written, and what is refused."""

import functools
import os
import struct
import subprocess

import hostside
from harness import flavors

HOST = 100000   # where the ids of the containers with a user namespace begin
MS_PRIVATE = 1 << 18


def idmapped(test):
    """For a test of what kernels have that can: what the others say is in test_missing_syscalls.py."""
    @functools.wraps(test)
    def wrapped(t):
        t.needs_linux(5, 12, "idmapped mounts")
        t.needs("open_tree")
        t.needs("mount_setattr")
        test(t)
    return wrapped


def ids(inside, outside, size):
    return [{"containerID": inside, "hostID": outside, "size": size}]


def volume(source, *options, destination="/tmp", uids=None, gids=None):
    mount = {"destination": destination, "type": "bind", "source": source,
             "options": list(options or ("bind",))}
    if uids:
        mount["uidMappings"] = uids
    if gids:
        mount["gidMappings"] = gids
    return mount


def with_mounts(t, *mounts, args="true", userns=None, own_rootfs=False):
    bundle = t.bundle(args, own_rootfs=own_rootfs)
    bundle.config["mounts"] += mounts
    if userns:
        bundle.config["linux"].update(uidMappings=userns, gidMappings=userns)
        bundle.config["linux"]["namespaces"].append({"type": "user"})
    return bundle.save()


def owner(path):
    info = os.lstat(path)
    return info.st_uid, info.st_gid


def make_files(directory, uid=0, gid=0):
    """One file of uid:gid and a directory that everybody may write to."""
    path = os.path.join(directory, "file")
    with open(path, "w", encoding="ascii") as out:
        out.write("text\n")
    os.chown(path, uid, gid)
    os.chmod(directory, 0o777)


def tmpfs(t, path):
    os.makedirs(path, exist_ok=True)
    t.mount("tmpfs", path, "tmpfs", 0, "mode=777")
    hostside.mount("none", path, None, MS_PRIVATE)
    return path


def sources(t):
    """Directories on the file system of the temporary directory and on a tmpfs."""
    on_disk, on_tmpfs = t.mkdir("on-disk"), tmpfs(t, t.mkdir("on-tmpfs"))
    for path in (on_disk, on_tmpfs):
        make_files(path)
    return on_disk, on_tmpfs


SHOW = "stat -c '%u %g' /tmp/file; touch /tmp/new && stat -c '%u %g' /tmp/new"


# ---- mappings of the mount's own --------------------------------------------------------------


@idmapped
def test_owners_are_shifted_both_ways(t):
    # uid 0 of the disk is 2000 here: the container's root has no id on the disk, 2000 has.
    for source in sources(t):
        bundle = with_mounts(t, volume(source, "bind", "idmap", uids=ids(0, 2000, 10),
                                       gids=ids(0, 3000, 10)), args=SHOW)
        bundle.config["process"]["user"] = {"uid": 2003, "gid": 3004}
        result = t.run_container(bundle.save())
        assert result.out == "2000 3000\n2003 3004\n", result
        assert owner(os.path.join(source, "new")) == (3, 4)
        assert owner(os.path.join(source, "file")) == (0, 0)


@idmapped
def test_mappings_without_the_option_are_used(t):
    source = sources(t)[1]
    bundle = with_mounts(t, volume(source, "rbind", uids=ids(0, 7, 1), gids=ids(0, 8, 1)),
                         args="stat -c '%u %g' /tmp/file")
    assert t.run_container(bundle).out == "7 8\n"


@idmapped
def test_spelling_of_engines(t):
    source = sources(t)[1]
    os.chown(os.path.join(source, "file"), 11, 1)
    bundle = with_mounts(t, volume(source, "rbind", "idmap=uids=0-1-10#10-500-10;gids=0-100-10"),
                         args="stat -c '%u %g' /tmp/file")
    assert t.run_container(bundle).out == "501 101\n"
    # The ids of the second column are the container's with '@', and the host's without.
    bundle = with_mounts(t, volume(source, "rbind", "idmap=uids=@0-0-20;gids=@0-30-20"),
                         args="stat -c '%u %g' /tmp/file", userns=ids(0, HOST, 1000))
    assert t.run_container(bundle).out == "11 31\n"


@idmapped
def test_an_id_without_a_mapping_is_nobody_and_cannot_write(t):
    source = sources(t)[1]
    os.chown(os.path.join(source, "file"), 50, 50)
    bundle = with_mounts(t, volume(source, "bind", "idmap", uids=ids(0, 2000, 10),
                                   gids=ids(0, 2000, 10)),
                         args="stat -c '%u %g' /tmp/file; touch /tmp/new")
    result = t.run_container(bundle, check=False)
    assert result.out == "65534 65534\n" and "Value too large" in result.err, result
    assert not os.path.exists(os.path.join(source, "new"))


@idmapped
def test_several_mounts_share_or_differ(t):
    one, two = sources(t)
    first, second = ids(0, 20, 1), ids(0, 30, 1)
    bundle = with_mounts(t, volume(one, "bind", "idmap", destination="/a", uids=first, gids=first),
                         volume(two, "bind", "idmap", destination="/b", uids=second, gids=second),
                         volume(two, "bind", "idmap", destination="/c", uids=first, gids=first),
                         volume(two, "bind", destination="/d"), own_rootfs=True,
                         args="stat -c '%u %g' /a/file /b/file /c/file /d/file")
    assert t.run_container(bundle).out == "20 20\n30 30\n20 20\n0 0\n"


@idmapped
def test_a_single_file_can_be_mapped(t):
    source = t.file("plain", "text\n")
    bundle = with_mounts(t, volume(source, "bind", "idmap=uids=0-9-1;gids=0-9-1",
                                   destination="/etc/passwd"), args="stat -c '%u %g' /etc/passwd")
    assert t.run_container(bundle).out == "9 9\n"


@idmapped
def test_flags_and_mapping_go_together(t):
    source = sources(t)[1]
    bundle = with_mounts(t, volume(source, "bind", "ro", "nosuid", "idmap=uids=0-0-9;gids=0-0-9"),
                         args="grep ' /tmp ' /proc/self/mountinfo; touch /tmp/x")
    result = t.run_container(bundle, check=False)
    words = result.out.split()[5].split(",")
    assert {"ro", "nosuid"} <= set(words) and "Read-only" in result.err, result


# ---- the container's user namespace -----------------------------------------------------------


@idmapped
def test_containers_own_mapping(t):
    for source in sources(t):
        for option in ("idmap", "ridmap"):
            bundle = with_mounts(t, volume(source, "rbind", option), args=SHOW,
                                 userns=ids(0, HOST, 1000))
            assert t.run_container(bundle).out == "0 0\n0 0\n"
            assert owner(os.path.join(source, "new")) == (0, 0)
            os.unlink(os.path.join(source, "new"))
        # The same volume without: nobody's files.
        bundle = with_mounts(t, volume(source, "rbind"), args="stat -c '%u %g' /tmp/file",
                             userns=ids(0, HOST, 1000))
        assert t.run_container(bundle).out == "65534 65534\n"


@idmapped
def test_mapping_of_its_own_in_a_container_with_a_user_namespace(t):
    # What containerd sends: the host ids are the host's, seen through the container's map.
    source = sources(t)[0]
    mapping = ids(0, HOST + 5, 100)
    bundle = with_mounts(t, volume(source, "rbind", uids=mapping, gids=mapping),
                         args="stat -c '%u %g' /tmp/file", userns=ids(0, HOST, 1000))
    assert t.run_container(bundle).out == "5 5\n"


@idmapped
def test_joined_user_namespace_gives_its_mapping(t):
    source = sources(t)[1]
    holder = with_mounts(t, args="sleep 60", userns=ids(0, HOST, 1000))
    t.create(holder)
    bundle = with_mounts(t, volume(source, "rbind", "idmap"), args=SHOW)
    bundle.config["linux"]["namespaces"].append(
        {"type": "user", "path": f"/proc/{t.pid(holder)}/ns/user"})
    assert t.run_container(bundle.save()).out == "0 0\n0 0\n"
    assert owner(os.path.join(source, "new")) == (0, 0)
    t.delete(holder, force=True)


# ---- recursion --------------------------------------------------------------------------------


def nested(t):
    source = sources(t)[1]
    make_files(tmpfs(t, os.path.join(source, "sub")))
    return source


@idmapped
def test_idmap_is_for_the_top_and_ridmap_for_everything_below(t):
    source = nested(t)
    mapping = ids(0, 40, 10)
    for option, below in (("idmap", "0 0"), ("ridmap", "40 40")):
        bundle = with_mounts(t, volume(source, "rbind", option, uids=mapping, gids=mapping),
                             args="stat -c '%u %g' /tmp/file /tmp/sub/file")
        assert t.run_container(bundle).out == f"40 40\n{below}\n", option


# ---- new file systems -------------------------------------------------------------------------


def new_tmpfs(*options, **more):
    return dict({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs",
                 "options": list(options)}, **more)


@idmapped
def test_new_tmpfs_is_mapped(t):
    mapping = ids(0, 60, 10)
    bundle = with_mounts(t, new_tmpfs("idmap", "mode=777", uidMappings=mapping,
                                      gidMappings=mapping),
                         args="stat -c '%u %g %a' /tmp; touch /tmp/x; stat -c '%u' /tmp/x")
    bundle.config["process"]["user"] = {"uid": 61, "gid": 61}
    assert t.run_container(bundle.save()).out == "60 60 777\n61\n"


@idmapped
def test_copied_up_files_are_mapped(t):
    bundle = with_mounts(t, dict(new_tmpfs("tmpcopyup", "idmap=uids=0-5-9;gids=0-6-9"),
                                 destination="/data"), own_rootfs=True,
                         args="stat -c '%u %g' /data /data/file")
    os.mkdir(os.path.join(bundle.rootfs, "data"))
    make_files(os.path.join(bundle.rootfs, "data"), 1, 1)
    assert t.run_container(bundle).out == "5 6\n6 7\n"


# ---- refusals ---------------------------------------------------------------------------------


def refused(t, *mounts, has, userns=None):
    bundle = with_mounts(t, *mounts, userns=userns)
    number = len(bundle.config["mounts"]) - 1
    t.fails("run", "-b", bundle.path, bundle.id, has=[f"/mounts/{number}"] + list(has))
    t.assert_no_trace(bundle)


@idmapped
def test_file_system_that_cannot_be_mapped_is_named(t):
    option = "idmap=uids=0-1-10;gids=0-1-10"
    for source, name in (("/proc", "proc"), ("/sys", "sysfs")):
        refused(t, volume(source, "bind", option),
                has=[f"the {name} file system at `{source}` cannot be idmapped"])
    for kind in ("mqueue", "sysfs"):
        refused(t, dict(new_tmpfs(option), type=kind, source=kind),
                has=[f"the {kind} file system cannot be idmapped"])


@idmapped
def test_file_system_below_that_cannot_be_mapped_is_named(t):
    source = nested(t)
    inner = os.path.join(source, "sub", "proc")
    os.mkdir(inner)
    t.mount("proc", inner, "proc")
    option = "idmap=uids=0-1-10;gids=0-1-10"
    refused(t, volume(source, "rbind", "r" + option),
            has=[f"the proc file system at `{inner}` cannot be idmapped"])
    assert t.run_container(with_mounts(t, volume(source, "rbind", option))).rc == 0


def test_idmap_needs_a_mapping(t):
    source = t.mkdir("volume")
    for option in ("idmap", "ridmap"):
        refused(t, volume(source, "bind", option), has=["uidMappings and gidMappings"])
    refused(t, volume(source, "bind", "idmap", uids=ids(0, 1, 1)), has=["gidMappings"])
    refused(t, volume(source, "bind", gids=ids(0, 1, 1)), has=["uidMappings"])
    refused(t, volume(source, "bind", "idmap=uids=0-1-1"), has=["no gids"])
    refused(t, volume(source, "bind", "idmap=uids=0-1;gids=0-1-1"), has=["malformed at `;gids"])


def test_new_file_system_in_a_user_namespace_is_refused(t):
    refused(t, new_tmpfs("idmap"), userns=ids(0, HOST, 1000), has=["tmpfs", "user namespace"])


@flavors("rootless")
def test_an_ordinary_user_is_told(t):
    bundle = with_mounts(t, volume(t.mkdir("volume"), "bind", "idmap"))
    t.fails("run", "-b", bundle.path, bundle.id, has=["idmapped", "not permitted"],
            code="MOUNT_IDMAP")
    t.assert_no_trace(bundle)


def idmapped_on_the_host(source, target, namespace):
    """mount --bind SOURCE TARGET with the mapping of a user namespace, as mount(8) of 2.39 can."""
    libc, at_fdcwd, empty_path = hostside.LIBC, -100, 0x1000
    tree = libc.syscall(428, at_fdcwd, os.fsencode(source), 1)   # open_tree, OPEN_TREE_CLONE
    assert tree >= 0
    with open(namespace, encoding="ascii") as userns:
        attr = struct.pack("QQQQ", 0x100000, 0, 0, userns.fileno())   # MOUNT_ATTR_IDMAP
        hostside.libc_call(libc.syscall(442, tree, b"", empty_path, attr, len(attr)),
                           "mount_setattr")
    hostside.libc_call(libc.syscall(429, tree, b"", at_fdcwd, os.fsencode(target), 4),
                       "move_mount")
    os.close(tree)


@idmapped
def test_a_mount_is_mapped_only_once(t):
    source, target = sources(t)[1], t.mkdir("target")
    holder = with_mounts(t, userns=ids(0, HOST, 1000))
    t.create(holder)
    idmapped_on_the_host(source, target, f"/proc/{t.pid(holder)}/ns/user")
    t.made_mounts.append(target)
    t.delete(holder, force=True)
    mapping = ids(0, 40, 10)
    refused(t, volume(target, "bind", "idmap", uids=mapping, gids=mapping),
            has=[f"`{target}` is idmapped already", "not permitted"])


def in_a_user_namespace(t, script, bundle):
    """What the runtime says that SCRIPT starts as root of a user namespace of its own."""
    child = t.popen(argv=["unshare", "-rm", "--propagation", "slave", "sh", "-c", script, "sh"] +
                    t.argv("run", "-b", bundle.path, bundle.id), stderr=subprocess.PIPE, text=True)
    err = child.communicate()[1]
    assert child.returncode == 1, err
    t.assert_no_trace(bundle)
    return err


@idmapped
def test_root_of_a_user_namespace_learns_whose_the_file_system_is(t):
    source = sources(t)[0]
    mapping = ids(0, 0, 1)
    bundle = with_mounts(t, volume(source, "bind", "idmap", uids=mapping, gids=mapping))
    script = 'exec "$@"'
    assert "only root of the user namespace" in in_a_user_namespace(t, script, bundle)
    script = 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"'
    assert "user.max_user_namespaces" in in_a_user_namespace(t, script, bundle)


@idmapped
def test_no_helper_and_no_namespace_stays(t):
    source = sources(t)[1]
    mapping = ids(0, 40, 10)
    bundle = with_mounts(t, volume(source, "bind", "idmap", uids=mapping, gids=mapping),
                         args=["probe", "fds"])
    fds = t.run_container(bundle).probe["fds"]
    assert len(fds) == 3, fds
    assert not [s for s in hostside.descendants(os.getpid()).values() if s[0] != "Z"]
