# SPDX-License-Identifier: Apache-2.0
"""Mounts: every type, flag and destination, and what is refused."""

import os

import hostside
from harness import flavors

MS_PRIVATE = 1 << 18


def entry(destination, kind, source, *options):
    mount = {"destination": destination, "type": kind, "source": source}
    if options:
        mount["options"] = list(options)
    return mount


def bind(source, destination, *options):
    return entry(destination, "bind", source, *(options or ("bind",)))


class Mount:
    """One line of mountinfo."""

    def __init__(self, line):
        head, tail = line.split(" - ", 1)
        head = head.split()
        self.root, self.point, self.options = head[3], head[4], set(head[5].split(","))
        self.tags = {tag.split(":")[0] for tag in head[6:]}
        kind, _source, options = (tail.split() + [""])[:3]
        self.kind, self.super = kind, set(options.split(","))

    def __repr__(self):
        return f"<{self.kind} on {self.point} {self.options} {self.tags} {self.super}>"


def with_mounts(t, *mounts, args="true", own_rootfs=False, **more):
    bundle = t.bundle(args, own_rootfs=own_rootfs, **more)
    bundle.config["mounts"] += mounts
    return bundle.save()


def mounted(t, *mounts, own_rootfs=False):
    """Mount point -> uppermost Mount, as the payload sees them."""
    bundle = with_mounts(t, *mounts, own_rootfs=own_rootfs)
    table = [Mount(line) for line in t.probe(bundle, "mounts")["mounts"]]
    return {m.point: m for m in table}


def tmp_source(t, name="source"):
    """A tmpfs of the test: a source whose flags and propagation are known."""
    path = t.mkdir(name)
    t.mount("tmpfs", path, "tmpfs", 0, "mode=755")
    hostside.mount("none", path, None, MS_PRIVATE)
    return path


# ---- types --------------------------------------------------------------------------------


def test_every_type_of_the_default_configuration_is_there(t):
    table = mounted(t)
    kinds = {point: table[point].kind for point in
             ("/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys")}
    assert kinds == {"/proc": "proc", "/dev": "tmpfs", "/dev/pts": "devpts",
                     "/dev/shm": "tmpfs", "/dev/mqueue": "mqueue", "/sys": "sysfs"}, table
    assert any(m.kind in ("cgroup", "cgroup2") for p, m in table.items()
               if p.startswith("/sys/fs/cgroup")), table
    assert {"nosuid", "nodev", "noexec", "ro"} <= table["/sys"].options, table["/sys"]
    assert "size=65536k" in table["/dev"].super and "mode=755" in table["/dev"].super
    assert {"mode=620", "gid=5", "ptmxmode=666"} <= table["/dev/pts"].super, table["/dev/pts"]


@flavors("rootless")
def test_every_type_works_for_an_ordinary_user(t):
    table = mounted(t)
    kinds = {point: table[point].kind for point in
             ("/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys")}
    assert kinds == {"/proc": "proc", "/dev": "tmpfs", "/dev/pts": "devpts",
                     "/dev/shm": "tmpfs", "/dev/mqueue": "mqueue", "/sys": "sysfs"}, table


@flavors("rootless")
def test_nothing_below_sys_is_writable_for_an_ordinary_user(t):
    # CVE-2023-25809: the host's cgroups come along with a bind mount of /sys.
    table = mounted(t)
    writable = [m for p, m in table.items() if p.startswith("/sys") and "ro" not in m.options]
    assert not writable, writable


def test_unknown_file_system_is_named(t):
    bundle = with_mounts(t, entry("/tmp", "nosuchfs", "none"))
    t.fails("run", "-b", bundle.path, bundle.id, has=["nosuchfs", "/mounts/7"], code="MOUNT_TYPE")
    t.assert_no_trace(bundle)


def test_unknown_option_is_named(t):
    bundle = with_mounts(t, entry("/tmp", "tmpfs", "tmpfs", "nosuchoption=1"))
    t.fails("run", "-b", bundle.path, bundle.id, has=["nosuchoption", "/mounts/7"],
            code="MOUNT_OPTION")
    t.assert_no_trace(bundle)


def test_devpts_is_an_instance_of_its_own(t):
    result = t.run_container(t.bundle("ls /dev/pts"))
    assert result.out.split() == ["ptmx"], result


# ---- flags --------------------------------------------------------------------------------

FLAGS = ("ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "nosymfollow")


def check_flags(t, make):
    """make(options) -> a mount to /tmp; each flag alone is there, and no other."""
    for flag in FLAGS:
        found = mounted(t, make(flag))["/tmp"].options & set(FLAGS)
        assert found == {flag}, (flag, found)


def test_flags_of_a_new_instance(t):
    check_flags(t, lambda flag: entry("/tmp", "tmpfs", "tmpfs", flag))


def test_flags_of_a_bind_mount(t):
    source = tmp_source(t)
    check_flags(t, lambda flag: bind(source, "/tmp", "bind", flag))


def test_flags_of_a_recursive_bind_mount(t):
    source = tmp_source(t)
    check_flags(t, lambda flag: bind(source, "/tmp", "rbind", flag))


def test_access_time_modes(t):
    source = tmp_source(t)
    wanted = {"relatime": "relatime", "noatime": "noatime", "strictatime": None,
              "norelatime": "relatime", "nostrictatime": "relatime"}
    for make in (lambda o: entry("/tmp", "tmpfs", "tmpfs", o),
                 lambda o: bind(source, "/tmp", "bind", o)):
        for option, want in wanted.items():
            found = mounted(t, make(option))["/tmp"].options & {"relatime", "noatime"}
            assert found == ({want} if want else set()), (option, found)


def test_all_flags_together_and_the_later_of_opposites_wins(t):
    found = mounted(t, entry("/tmp", "tmpfs", "tmpfs", *FLAGS))["/tmp"].options
    assert set(FLAGS) <= found, found
    opposites = ("ro", "rw", "nosuid", "suid", "nodev", "dev", "noexec", "exec", "noatime",
                 "atime", "nodiratime", "diratime", "nosymfollow", "symfollow")
    found = mounted(t, entry("/tmp", "tmpfs", "tmpfs", *opposites))["/tmp"].options
    assert not found & set(FLAGS), found


def test_flags_have_their_effect(t):
    source = tmp_source(t)
    open(os.path.join(source, "script"), "w", encoding="ascii").write("#!/bin/sh\necho ran\n")
    os.chmod(os.path.join(source, "script"), 0o755)
    os.symlink("script", os.path.join(source, "link"))
    bundle = with_mounts(t, bind(source, "/tmp", "bind", "ro", "noexec", "nosymfollow"),
                         args="touch /tmp/x; /tmp/script; cat /tmp/link")
    result = t.run_container(bundle, check=False)
    assert "Read-only file system" in result.err and "ermission denied" in result.err, result
    assert result.err.count("\n") >= 3 and not result.out, result


def test_source_keeps_its_own_flags(t):
    source = tmp_source(t)
    mounted(t, bind(source, "/tmp", "bind", "ro", "noexec"))
    found = [o for p, _k, o in hostside.mount_table().values() if p == source]
    with open("/proc/self/mountinfo", encoding="ascii") as lines:
        line = [Mount(x) for x in lines if f" {source} " in x][-1]
    assert found and not line.options & {"ro", "noexec"}, line


def nested_source(t):
    source = tmp_source(t)
    os.mkdir(os.path.join(source, "sub"))
    t.mount("tmpfs", os.path.join(source, "sub"), "tmpfs")
    return source


def test_bind_leaves_out_what_is_mounted_below_and_rbind_takes_it(t):
    source = nested_source(t)
    assert "/tmp/sub" not in mounted(t, bind(source, "/tmp", "bind"))
    assert "/tmp/sub" in mounted(t, bind(source, "/tmp", "rbind"))
    assert "/tmp/sub" in mounted(t, entry("/tmp", "rbind", source))
    assert "/tmp/sub" not in mounted(t, entry("/tmp", "bind", source))


def test_recursive_flags_reach_what_is_mounted_below(t):
    source = nested_source(t)
    for flag in FLAGS:
        table = mounted(t, bind(source, "/tmp", "rbind", "r" + flag))
        for point in ("/tmp", "/tmp/sub"):
            assert table[point].options & set(FLAGS) == {flag}, (flag, table[point])
        table = mounted(t, bind(source, "/tmp", "rbind", flag))
        assert flag in table["/tmp"].options and flag not in table["/tmp/sub"].options, table


def test_recursive_flags_are_taken_back_recursively(t):
    source = t.mkdir("ro")
    t.mount("tmpfs", source, "tmpfs", 1 | 8)   # MS_RDONLY | MS_NOEXEC
    table = mounted(t, bind(source, "/tmp", "rbind", "rrw", "rexec"))
    assert not table["/tmp"].options & {"ro", "noexec"}, table["/tmp"]


@flavors("rootless")
def test_read_only_bind_mount_of_an_ordinary_user(t):
    source = t.mkdir("volume")
    t.file("volume/file", "text\n")
    bundle = with_mounts(t, bind(source, "/tmp", "rbind", "ro", "nosuid", "nodev"),
                         args="cat /tmp/file; touch /tmp/x")
    result = t.run_container(bundle, check=False)
    assert result.out == "text\n" and "Read-only file system" in result.err, result


@flavors("rootless")
def test_locked_flags_stay_and_nobody_is_told_otherwise(t):
    source = t.mkdir("locked")
    t.mount("tmpfs", source, "tmpfs", 1 | 2 | 4 | 8)   # ro nosuid nodev noexec
    found = mounted(t, bind(source, "/tmp", "rbind", "rw"))["/tmp"].options
    assert {"ro", "nosuid", "nodev", "noexec"} <= found, found
    bundle = with_mounts(t, bind(source, "/tmp", "rbind", "exec"))
    t.fails("run", "-b", bundle.path, bundle.id, has=["noexec", "locked"], code="MOUNT_REFUSED")


# ---- tmpfs --------------------------------------------------------------------------------


def test_tmpfs_size_mode_and_owner(t):
    mount = entry("/tmp", "tmpfs", "tmpfs", "size=4m", "mode=0750", "uid=12", "gid=34",
                  "nr_inodes=100")
    bundle = with_mounts(t, mount, args=["probe", "stat:/tmp", "mounts"])
    found = t.run_container(bundle).probe
    assert found["stat:/tmp"][0].split()[1:4] == ["40750", "12", "34"], found["stat:/tmp"]
    table = {m.point: m for m in map(Mount, found["mounts"])}
    assert {"size=4096k", "nr_inodes=100"} <= table["/tmp"].super, table["/tmp"]


def test_tmpfs_without_a_mode_takes_that_of_the_directory_it_covers(t):
    bundle = with_mounts(t, entry("/tmp", "tmpfs", "tmpfs"), args=["probe", "stat:/tmp"])
    assert t.run_container(bundle).probe["stat:/tmp"][0].split()[1] == "41777"


def test_full_tmpfs_says_so(t):
    bundle = with_mounts(t, entry("/tmp", "tmpfs", "tmpfs", "size=64k"),
                         args="dd if=/dev/zero of=/tmp/file bs=1k count=100; stat -c %s /tmp/file")
    result = t.run_container(bundle)
    assert "No space left" in result.err and int(result.out) <= 65536, result


def test_options_longer_than_fsconfig_takes(t):
    """The lower directories of an overlay: a value of fsconfig(2) has no more than 255 bytes."""
    layers = [t.mkdir(f"{i}-" + "long" * 20) for i in range(8)]
    for i, layer in enumerate(layers):
        for j in range(i, 8):
            t.file(os.path.join(layer, f"file{j}"), f"{i}\n")
    upper, work = t.mkdir("upper"), t.mkdir("work")
    try:
        t.mount("overlay", t.mkdir("tried"), "overlay", 0,
                f"lowerdir={layers[0]},upperdir={upper},workdir={work}")
    except OSError as error:
        t.skip(f"no overlay can be mounted here: {error}")
    hostside.umount(t.path("tried"))
    overlay = entry("/data", "overlay", "overlay", f"lowerdir={':'.join(layers)}",
                    f"upperdir={upper}", f"workdir={work}", "nosuid", "nodev", "noexec", "rslave")
    bundle = with_mounts(t, overlay, args="cat /data/file*; echo new >/data/file8; "
                                          "grep ' /data ' /proc/self/mountinfo", own_rootfs=True)
    *found, mount = t.run_container(bundle).out.splitlines()
    # The first of them lies on top.
    assert found == ["0"] * 8, found
    assert {"rw", "nosuid", "nodev", "noexec"} <= set(mount.split()[5].split(",")), mount
    with open(os.path.join(upper, "file8"), encoding="ascii") as source:
        assert source.read() == "new\n"
    overlay["options"].append("no_such_option=1")
    t.fails("run", "-b", bundle.save().path, bundle.id, has=["/mounts/7", "overlay"],
            code="MOUNT_OPTION")
    t.assert_no_trace(bundle)


def test_tmpcopyup_brings_everything_along(t):
    bundle = with_mounts(t, entry("/data", "tmpfs", "tmpfs", "tmpcopyup", "mode=711"),
                         args="cd /data; cat a/b/file; readlink link; stat -c '%a %u %g' a/b/file;"
                              " [ -p fifo ] && echo fifo; stat -c %a a/b; touch new && echo new",
                         own_rootfs=True)
    top = os.path.join(bundle.rootfs, "data")
    os.makedirs(os.path.join(top, "a/b"))
    with open(os.path.join(top, "a/b/file"), "w", encoding="ascii") as out:
        out.write("text\n")
    os.chmod(os.path.join(top, "a/b"), 0o1755)
    os.chmod(os.path.join(top, "a/b/file"), 0o4755)
    os.chown(os.path.join(top, "a/b/file"), 5, 6)
    os.chmod(os.path.join(top, "a/b/file"), 0o4755)
    os.symlink("/etc/passwd", os.path.join(top, "link"))
    os.mkfifo(os.path.join(top, "fifo"))
    before = t.host_snapshot(bundle.rootfs)
    result = t.run_container(bundle)
    assert result.out.split("\n") == ["text", "/etc/passwd", "4755 5 6", "fifo", "1755", "new",
                                      ""], result
    t.assert_untouched(bundle.rootfs, before)


def test_tmpcopyup_that_does_not_fit_fails(t):
    bundle = with_mounts(t, entry("/data", "tmpfs", "tmpfs", "tmpcopyup", "size=64k"),
                         own_rootfs=True)
    os.mkdir(os.path.join(bundle.rootfs, "data"))
    with open(os.path.join(bundle.rootfs, "data/big"), "wb") as out:
        out.write(b"x" * 200000)
    t.fails("run", "-b", bundle.path, bundle.id, has=["/data", "No space left"])
    t.assert_no_trace(bundle)


def test_tmpcopyup_needs_a_tmpfs(t):
    bundle = with_mounts(t, entry("/tmp", "bind", "/etc", "bind", "tmpcopyup"))
    t.fails("run", "-b", bundle.path, bundle.id, has="tmpcopyup")


def test_read_only_tmpfs_is_read_only_though_it_was_filled(t):
    bundle = with_mounts(t, entry("/tmp", "tmpfs", "tmpfs", "ro"),
                         entry("/tmp/below/deep", "tmpfs", "tmpfs"),
                         args="touch /tmp/below/deep/x && echo below; touch /tmp/x")
    result = t.run_container(bundle, check=False)
    assert result.out == "below\n" and "Read-only file system" in result.err, result


# ---- destinations -------------------------------------------------------------------------


@flavors("root", "rootless")
def test_missing_directories_are_created(t):
    source = t.mkdir("volume")
    t.file("volume/file", "text\n")
    bundle = with_mounts(t, bind(source, "/new/deep/er", "rbind"),
                         args="cat /new/deep/er/file; stat -c %a /new /new/deep",
                         own_rootfs=True)
    result = t.run_container(bundle)
    assert result.out == "text\n755\n755\n", result
    assert os.listdir(os.path.join(bundle.rootfs, "new/deep/er")) == []


def test_missing_directories_have_mode_755_whatever_the_umask(t):
    bundle = with_mounts(t, entry("/new/deep", "tmpfs", "tmpfs"),
                         args="stat -c %a /new", own_rootfs=True)
    assert t.run_container(bundle, preexec_fn=lambda: os.umask(0o077)).out == "755\n"


@flavors("root", "rootless")
def test_file_is_bound_over_a_missing_and_an_existing_file(t):
    source = t.file("source", "bound\n")
    bundle = with_mounts(t, bind(source, "/etc/passwd"), bind(source, "/new/dir/file"),
                         args="cat /etc/passwd /new/dir/file", own_rootfs=True)
    before = open(os.path.join(bundle.rootfs, "etc/passwd"), encoding="ascii").read()
    assert t.run_container(bundle).out == "bound\nbound\n"
    assert open(os.path.join(bundle.rootfs, "etc/passwd"), encoding="ascii").read() == before


def test_file_over_a_directory_is_refused_and_the_other_way_round(t):
    source, folder = t.file("source"), t.mkdir("folder")
    for mount in (bind(source, "/etc"), bind(folder, "/etc/passwd")):
        bundle = with_mounts(t, mount)
        t.fails("run", "-b", bundle.path, bundle.id, has=[mount["destination"], "irectory"])
        t.assert_no_trace(bundle)


def linked(t, link, target, destination, *more, args):
    bundle = with_mounts(t, *more, args=args, own_rootfs=True)
    source = t.mkdir("volume")
    t.file("volume/file", "text\n")
    os.symlink(target, os.path.join(bundle.rootfs, link))
    bundle.config["mounts"].append(bind(source, destination, "rbind"))
    bundle.save()
    return t.run_container(bundle)


def test_links_in_a_destination_stay_inside_the_root(t):
    outside = t.canary()
    for number, target in enumerate((outside, "../../../../../../../../.." + outside)):
        name = f"link{number}"
        result = linked(t, name, target, f"/{name}", args=f"cat {outside}/file /{name}/file")
        assert result.out == "text\ntext\n", result


def test_absolute_link_is_followed_inside(t):
    result = linked(t, "link", "/tmp", "/link/sub", args="cat /tmp/sub/file; readlink /link")
    assert result.out == "text\n/tmp\n", result


def test_relative_link_is_followed_inside(t):
    result = linked(t, "etc/link", "../tmp", "/etc/link", args="cat /tmp/file")
    assert result.out == "text\n", result


def test_dangling_link_is_created_where_it_points_inside(t):
    result = linked(t, "link", "/no/such/place", "/link", args="cat /no/such/place/file")
    assert result.out == "text\n", result


def test_relative_destination_starts_at_the_root(t):
    source = t.mkdir("volume")
    t.file("volume/file", "text\n")
    bundle = with_mounts(t, bind(source, "tmp", "rbind"), args="cat /tmp/file")
    assert t.run_container(bundle).out == "text\n"


def test_dots_in_a_destination_do_not_lead_out(t):
    source = t.mkdir("volume")
    t.file("volume/file", "text\n")
    bundle = with_mounts(t, bind(source, "/etc/../../../tmp/./sub/../sub", "rbind"),
                         args="cat /tmp/sub/file", own_rootfs=True)
    assert t.run_container(bundle).out == "text\n"


def test_looping_link_is_an_error(t):
    bundle = with_mounts(t, entry("/loop/x", "tmpfs", "tmpfs"), own_rootfs=True)
    os.symlink("loop", os.path.join(bundle.rootfs, "loop"))
    t.fails("run", "-b", bundle.path, bundle.id, has=["/loop", "symbolic links"])
    t.assert_no_trace(bundle)


def test_destination_root_is_refused(t):
    for name in ("/", "/.", "//", "/etc/.."):
        bundle = with_mounts(t, entry(name, "tmpfs", "tmpfs"))
        t.fails("run", "-b", bundle.path, bundle.id, has="root directory", code="MOUNT_TARGET")
    bundle = with_mounts(t, entry("", "tmpfs", "tmpfs"))
    t.fails("run", "-b", bundle.path, bundle.id, has="destination")


def test_copy_symlink_makes_a_link(t):
    source = t.path("link-source")
    os.symlink("/etc/passwd", source)
    bundle = with_mounts(t, bind(source, "/new/link", "bind", "copy-symlink"),
                         args="readlink /new/link", own_rootfs=True)
    assert t.run_container(bundle).out == "/etc/passwd\n"


def test_copy_symlink_of_a_file_is_a_bind_mount(t):
    source = t.file("source", "text\n")
    bundle = with_mounts(t, bind(source, "/new/file", "bind", "copy-symlink"),
                         args="cat /new/file", own_rootfs=True)
    assert t.run_container(bundle).out == "text\n"


def test_source_through_a_link_is_its_target(t):
    t.file("target", "text\n")
    os.symlink("target", t.path("link-source"))
    bundle = with_mounts(t, bind(t.path("link-source"), "/tmp/file"), args="cat /tmp/file",
                         own_rootfs=True)
    assert t.run_container(bundle).out == "text\n"


def test_relative_source_starts_at_the_bundle(t):
    bundle = with_mounts(t, bind("volume", "/tmp", "rbind"), args="cat /tmp/file")
    os.mkdir(os.path.join(bundle.path, "volume"))
    t.file(os.path.join(bundle.path, "volume/file"), "text\n")
    assert t.run_container(bundle, cwd="/").out == "text\n"


def test_later_mounts_go_over_earlier_ones(t):
    one, two = t.mkdir("one"), t.mkdir("two")
    t.file("one/file", "one\n")
    t.file("two/file", "two\n")
    os.mkdir(os.path.join(one, "sub"))
    bundle = with_mounts(t, bind(one, "/tmp", "rbind"), bind(two, "/tmp/sub", "rbind"),
                         bind(two, "/root", "rbind"), bind(one, "/root", "rbind"),
                         args="cat /tmp/file /tmp/sub/file /root/file")
    assert t.run_container(bundle).out == "one\ntwo\none\n"


def test_many_mounts_work(t):
    source = t.file("source", "x")
    many = [bind(source, f"/new/file{n}", "bind", "ro") for n in range(300)]
    bundle = with_mounts(t, *many, args="ls /new | wc -l", own_rootfs=True)
    assert t.run_container(bundle).out == "300\n"


# ---- refusals -----------------------------------------------------------------------------


def test_missing_source_is_named(t):
    for source in ("/no/such/source", t.path("none")):
        bundle = with_mounts(t, bind(source, "/tmp", "rbind"))
        t.fails("run", "-b", bundle.path, bundle.id,
                has=[source, "/tmp", "No such file or directory"])
        t.assert_no_trace(bundle)
    bundle = with_mounts(t, {"destination": "/tmp", "type": "bind", "options": ["bind"]})
    t.fails("run", "-b", bundle.path, bundle.id, has="source")


@flavors("rootless")
def test_source_that_the_user_may_not_reach_is_refused(t):
    hidden = t.mkdir("hidden/inside")
    os.chown(t.path("hidden"), 0, 0)
    os.chmod(t.path("hidden"), 0o700)
    bundle = with_mounts(t, bind(hidden, "/tmp", "rbind"))
    t.fails("run", "-b", bundle.path, bundle.id, has=[hidden, "ermission denied"],
            code="MOUNT_SOURCE_REFUSED")
    t.assert_no_trace(bundle)


def test_mount_without_type_and_bind_is_refused(t):
    bundle = with_mounts(t, {"destination": "/tmp", "source": "/etc"})
    t.fails("run", "-b", bundle.path, bundle.id, has="/mounts/7")


def test_nothing_may_cover_proc_or_what_is_in_it(t):
    folder, plain = t.mkdir("volume"), t.file("plain")
    for mount in (entry("/proc", "tmpfs", "tmpfs"), bind(folder, "/proc", "rbind"),
                  entry("/proc/self", "tmpfs", "tmpfs"), bind(plain, "/proc/sys/kernel/panic"),
                  bind(plain, "/proc/self/attr/current"), bind(plain, "/proc/version"),
                  entry("/proc/sys", "tmpfs", "tmpfs"), bind(plain, "/proc/../proc/version"),
                  bind(folder, "//proc//sys", "rbind"), entry("/proc/sys", "proc", "proc"),
                  bind(folder, "/proc/cpuinfo", "rbind")):
        bundle = with_mounts(t, mount)
        t.fails("run", "-b", bundle.path, bundle.id, has="/proc")
        t.assert_no_trace(bundle)


def test_nothing_gets_into_proc_through_a_link(t):
    plain = t.file("plain")
    for target, destination in (("/proc", "/link/version"), ("proc/version", "/link"),
                                ("/proc/sys/kernel", "/link/panic")):
        bundle = with_mounts(t, bind(plain, destination), own_rootfs=True)
        os.symlink(target, os.path.join(bundle.rootfs, "link"))
        t.fails("run", "-b", bundle.path, bundle.id, has="/proc")
        t.assert_no_trace(bundle)


def test_the_files_that_lxcfs_covers_are_allowed(t):
    plain = t.file("plain", "covered\n")
    names = ("cpuinfo", "diskstats", "loadavg", "meminfo", "stat", "swaps", "uptime")
    # Allowed as well, but the kernel forgets the entries of /proc/PID/net at every look-up.
    bundle = with_mounts(t, *[bind(plain, f"/proc/{n}") for n in names + ("net/dev",)],
                         args=["cat"] + [f"/proc/{n}" for n in names])
    result = t.run_container(bundle)
    assert result.out == "covered\n" * len(names), result


def test_hosts_proc_may_be_bound_to_proc(t):
    def mutate(conf):
        conf["linux"]["namespaces"] = [n for n in conf["linux"]["namespaces"]
                                       if n["type"] != "pid"]
        conf["mounts"][0] = bind("/proc", "/proc", "rbind")
    result = t.run_container(t.bundle("echo $$; ls -d /proc/1", mutate=mutate))
    assert result.out.split()[1] == "/proc/1" and result.out.split()[0] != "1", result


def test_proc_and_sysfs_want_a_real_directory(t):
    outside = t.canary()
    for name in ("proc", "sys"):
        for target in (outside, "tmp", "/tmp"):
            bundle = t.bundle(own_rootfs=True)
            os.rmdir(os.path.join(bundle.rootfs, name))
            os.symlink(target, os.path.join(bundle.rootfs, name))
            t.fails("run", "-b", bundle.path, bundle.id, has=[f"/{name}", "irectory"])
            t.assert_no_trace(bundle)


def test_remount_changes_the_flags_of_a_mount(t):
    table = mounted(t, entry("/tmp", "tmpfs", "tmpfs"),
                    entry("/tmp", "none", "none", "remount", "bind", "ro", "noexec"))
    assert {"ro", "noexec"} <= table["/tmp"].options, table["/tmp"]


def test_mounts_leave_nothing_on_the_host(t):
    option = "rshared" if t.has("open_tree") else "rslave"
    before = hostside.mount_table()
    mounted(t, entry("/tmp", "tmpfs", "tmpfs", "rshared"), bind(t.mkdir("v"), "/root", option))
    assert hostside.mount_table() == before


@flavors("rootless")
def test_proc_of_who_shares_the_pid_namespace_is_the_hosts(t):
    """The kernel makes a user none of his own; for a pid namespace of its own there is no other."""
    def share(conf):
        conf["linux"]["namespaces"] = [n for n in conf["linux"]["namespaces"]
                                       if n["type"] != "pid"]
    b = t.bundle("readlink /proc/self/ns/pid; head -c 1 /proc/kcore; echo x > /proc/sys/kernel/ctrl-alt-del",
                 mutate=share)
    done = t.rt("--debug", "run", "--bundle", b.path, b.id, id=b.id, check=False)
    assert done.out == os.readlink("/proc/self/ns/pid") + "\n", done
    assert "mount to /proc: bound the host's /proc" in done.err, done
    assert "Read-only" in done.err, done   # readonlyPaths are laid over it as over any other
