# SPDX-License-Identifier: Apache-2.0
"""Masked and read-only paths."""

import os

from harness import flavors
from test_run import hook


def image(t, args, masked=(), readonly=(), mutate=None):
    """A writable image with a file, a directory and links, and these paths added."""
    bundle = t.bundle(args, own_rootfs=True, mutate={"root": {"readonly": False}})
    t.file(os.path.join(bundle.rootfs, "secret"), "secret\n")
    os.mkdir(os.path.join(bundle.rootfs, "folder"))
    os.chown(os.path.join(bundle.rootfs, "folder"), t.uid, t.gid)
    t.file(os.path.join(bundle.rootfs, "folder/file"), "secret\n")
    os.symlink("secret", os.path.join(bundle.rootfs, "link"))
    os.symlink("/folder", os.path.join(bundle.rootfs, "folder-link"))
    bundle.config["linux"]["maskedPaths"] += list(masked)
    bundle.config["linux"]["readonlyPaths"] += list(readonly)
    if mutate:
        mutate(bundle.config)
    return bundle.save()


@flavors("root", "rootless")
def test_masked_file_is_empty(t):
    result = t.run_container(image(t, "cat /secret; echo x >/secret; wc -c </secret",
                                   masked=["/secret"]))
    assert result.out == "0\n", result


@flavors("root", "rootless")
def test_masked_directory_is_empty_and_stays_so(t):
    result = t.run_container(image(t, "ls -A /folder; touch /folder/x; stat -c %a /folder",
                                   masked=["/folder"]), check=False)
    assert result.out == "555\n" and "Read-only file system" in result.err, result


@flavors("root", "rootless")
def test_masks_of_the_default_configuration_hold(t):
    result = t.run_container(t.bundle(
        "cat /proc/keys /proc/timer_list /proc/kcore | wc -c; ls -A /sys/firmware /proc/acpi"))
    assert result.out.startswith("0\n"), result
    listed = [line for line in result.out.splitlines()[1:] if line and not line.endswith(":")]
    assert not listed, result


def test_mask_cannot_be_taken_off_by_the_payload(t):
    caps = ["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"]
    sets = {kind: caps for kind in ("bounding", "effective", "permitted")}
    bundle = t.bundle("cat /proc/keys | wc -c",
                      mutate={"process": {"capabilities": sets}})
    assert t.run_container(bundle).out == "0\n"


def test_masked_link_masks_what_it_leads_to(t):
    result = t.run_container(image(t, "cat /secret /link; ls -A /folder /folder-link",
                                   masked=["/link", "/folder-link"]))
    assert "secret" not in result.out and "file" not in result.out, result


def test_missing_paths_are_nothing_to_hide(t):
    t.run_container(image(t, "true", masked=["/no/such", "/secret/below", "/no"],
                          readonly=["/none", "/secret/below"]))
    bundle = image(t, "ls / | grep -c no", masked=["/no/such"], readonly=["/no/where"])
    assert t.run_container(bundle, check=False).out == "0\n"


def test_dangling_and_looping_links_are_nothing_to_hide_or_an_error(t):
    for target in ("/nowhere", "loop"):
        bundle = image(t, "cat /secret", masked=["/loop"], readonly=["/loop"])
        os.symlink(target, os.path.join(bundle.rootfs, "loop"))
        result = t.run_container(bundle, check=False)
        assert result.out == "secret\n" if result.rc == 0 else "/loop" in result.err, result


def test_links_out_of_the_image_mask_nothing_of_the_host(t):
    outside = t.canary()
    for target in (outside, "../../../../../../.." + outside):
        bundle = image(t, "true", masked=["/out/dir", "/out/file"], readonly=["/out"])
        os.symlink(target, os.path.join(bundle.rootfs, "out"))
        t.run_container(bundle, check=False)
        assert os.listdir(outside)


def test_same_path_twice_and_nested_ones(t):
    bundle = image(t, "ls -A /folder; cat /folder/file",
                   masked=["/folder", "/folder", "/folder/file", "/secret", "/secret"],
                   readonly=["/folder", "/folder", "/folder/file"])
    result = t.run_container(bundle, check=False)
    assert result.out == "" and "No such file" in result.err, result


def test_many_masked_paths_work(t):
    bundle = image(t, "cat /many/* | wc -c; ls -d /many/* | wc -l")
    os.mkdir(os.path.join(bundle.rootfs, "many"))
    for n in range(300):
        t.file(os.path.join(bundle.rootfs, f"many/{n}"), "secret\n")
    bundle.config["linux"]["maskedPaths"] += [f"/many/{n}" for n in range(300)]
    bundle.save()
    assert t.run_container(bundle).out == "0\n300\n"


def test_masked_fifo_does_not_hang(t):
    bundle = image(t, "cat /fifo", masked=["/fifo"])
    os.mkfifo(os.path.join(bundle.rootfs, "fifo"))
    assert t.run_container(bundle).out == ""


@flavors("root", "rootless")
def test_readonly_file_and_directory_cannot_be_written(t):
    bundle = image(t, "echo x >/secret; touch /folder/x; cat /secret /folder/file; echo y >/new",
                   readonly=["/secret", "/folder"])
    result = t.run_container(bundle)
    assert result.out == "secret\nsecret\n", result
    assert result.err.count("Read-only file system") == 2, result


def test_readonly_path_includes_what_is_mounted_below(t):
    def mutate(conf):
        conf["mounts"].append({"destination": "/folder/sub", "type": "tmpfs", "source": "tmpfs"})
    bundle = image(t, "touch /folder/sub/x", readonly=["/folder"], mutate=mutate)
    result = t.run_container(bundle, check=False)
    assert "Read-only file system" in result.err, result


def test_readonly_path_keeps_the_other_flags(t):
    def mutate(conf):
        conf["mounts"].append({"destination": "/folder", "type": "tmpfs", "source": "tmpfs",
                               "options": ["nosuid", "nodev", "noexec"]})
    bundle = image(t, ["probe", "mounts"], readonly=["/folder"], mutate=mutate)
    lines = [line.split() for line in t.run_container(bundle).probe["mounts"]]
    options = [line[5].split(",") for line in lines if line[4] == "/folder"][-1]
    assert {"ro", "nosuid", "nodev", "noexec"} <= set(options), options


@flavors("root", "rootless")
def test_readonly_paths_of_the_default_configuration_hold(t):
    caps = ["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE", "CAP_NET_ADMIN"]
    sets = {kind: caps for kind in ("bounding", "effective", "permitted")}
    bundle = t.bundle("echo 1 >/proc/sys/kernel/shm_rmid_forced; touch /proc/irq /proc/bus",
                      mutate={"process": {"capabilities": sets}})
    result = t.run_container(bundle, check=False)
    assert result.err.count("Read-only file system") == 3, result


def test_readonly_file_cannot_be_reached_through_another_name(t):
    result = t.run_container(image(t, "echo x >/link; cat /secret", readonly=["/link"]),
                             check=False)
    assert result.out == "secret\n", result


def test_masks_and_readonly_paths_need_a_mount_namespace(t):
    for field in ("maskedPaths", "readonlyPaths"):
        bundle = t.bundle()
        conf = bundle.config
        conf["linux"]["namespaces"] = [{"type": "pid"}]
        conf["mounts"] = []
        conf["root"]["readonly"] = False
        conf.pop("hostname")
        conf["linux"]["maskedPaths"] = conf["linux"]["readonlyPaths"] = []
        conf["linux"][field] = ["/etc"]
        bundle.save()
        t.fails("run", "-b", bundle.path, bundle.id, has="mount namespace",
                code="NAMESPACE_NEEDED")
        t.assert_no_trace(bundle)


def test_links_of_procfs_are_followed(t):
    bundle = t.bundle("cat /proc/self/mountinfo")
    bundle.config["linux"]["readonlyPaths"] = ["/proc/mounts", "/proc/net"]
    bundle.config["linux"]["maskedPaths"] = ["/proc/thread-self"]
    lines = t.run_container(bundle.save()).out.splitlines()
    options = {line.split()[4]: line.split()[5].split(",") for line in lines}
    for point in ("/proc/1/mounts", "/proc/1/net", "/proc/1/task/1"):
        assert "ro" in options[point], lines


def test_directory_under_proc_or_sys_that_is_renamed_meanwhile(t):
    """The mount goes with it, and what is hidden in it would be there for all to see."""
    for folder in ("proc", "sys"):
        for then in ("true", "mkdir {rootfs}/" + folder, "ln -s elsewhere {rootfs}/" + folder):
            bundle = image(t, "ls -A /elsewhere")
            rootfs = bundle.rootfs
            # runtime.md: these hooks run in the runtime's namespaces, where nothing is mounted there.
            bundle.config["hooks"] = {"createRuntime": hook(
                f"mv {rootfs}/{folder} {rootfs}/elsewhere && " + then.format(rootfs=rootfs))}
            bundle.save()
            result = t.fails("run", "-b", bundle.path, bundle.id)
            assert f"`/{folder}` is not what was mounted there" in result.err, (folder, then, result)
            t.assert_no_trace(bundle)


def test_the_same_with_a_destination_written_otherwise(t):
    for spelling in ("/sys/", "//sys", "/./sys"):
        bundle = image(t, "ls -A /elsewhere")
        rootfs = bundle.rootfs
        for mount in bundle.config["mounts"]:
            if mount["destination"] == "/sys":
                mount["destination"] = spelling
        bundle.save()
        assert "/elsewhere: No such file" in t.run_container(bundle, check=False).err
        bundle.config["hooks"] = {"createRuntime": hook(
            f"mv {rootfs}/sys {rootfs}/elsewhere && mkdir {rootfs}/sys")}
        bundle.save()
        result = t.fails("run", "-b", bundle.path, bundle.id)
        assert "`/sys` is not what was mounted there" in result.err, (spelling, result)


def test_the_same_with_a_bind_mount(t):
    t.needs("statx")
    bundle = image(t, "ls -A /elsewhere")
    rootfs = bundle.rootfs
    for mount in bundle.config["mounts"]:
        if mount["destination"] == "/sys":
            mount.update(type="bind", source="/sys", options=["rbind", "ro"])
    bundle.save()
    assert "/elsewhere: No such file" in t.run_container(bundle, check=False).err
    bundle.config["hooks"] = {"createRuntime": hook(
        f"mv {rootfs}/sys {rootfs}/elsewhere && mkdir {rootfs}/sys")}
    bundle.save()
    result = t.fails("run", "-b", bundle.path, bundle.id)
    assert "`/sys` is not what was mounted there" in result.err, result


def test_paths_deep_in_kernel_directories(t):
    """Names, links and other mounts on the way."""
    masked = ["/sys/devices/virtual/tty", "/sys/class/tty/tty", "/proc/sys/kernel/hostname",
              "/proc/self/environ", "/proc/no/such/file", "/sys/module/../kernel/notes",
              "/sys/fs/cgroup/cgroup.procs"]
    readonly = ["/proc/sys/vm/../kernel", "/sys/kernel/mm", "/proc/1/task", "/sys/no/such"]
    result = t.run_container(image(
        t, "ls -A /sys/devices/virtual/tty; cat /proc/sys/kernel/hostname | wc -c;"
        "grep -c ' /proc/sys/kernel .*ro[, ]' /proc/self/mountinfo;"
        "grep -c ' /sys/kernel/mm .*ro[, ]' /proc/self/mountinfo", masked=masked, readonly=readonly))
    assert result.out.split() == ["0", "1", "1"], result


def test_slashes_too_many(t):
    def only(config):
        config["linux"]["maskedPaths"] = ["//folder//", "/proc/sys//kernel/hostname", "/proc///keys",
                                          "/sys//module"]
        config["linux"]["readonlyPaths"] = ["/proc//sys"]

    result = t.run_container(image(
        t, "ls -A /folder /sys/module | grep -v :; cat /proc/sys/kernel/hostname /proc/keys | wc -c;"
        "grep -c ' /proc/sys .*ro[, ]' /proc/self/mountinfo", mutate=only))
    assert result.out.split() == ["0", "1"], result
