# SPDX-License-Identifier: Apache-2.0
"""R5: strings that name somebody or something: users, ids, annotations, settings, cgroups, devices."""

import json
import os
import re

import host
from case import case, mount

# uid -> what must come out of it: (uid, gid) or None for an error.  Names are nobody's business here.
USERS = {"1": (1, None), "0": (0, 0), "1:2": (1, 2), "1000": (1000, None), "4242:4243": (4242, 4243),
         "01": (1, None), "1:": None, ":2": None, "4294967295": None, "4294967296": None,
         "-1": None, "1x": None, "": None, " 1": None, "1 ": None, "1:2:3": None, "0x1": None,
         "1:-1": None, "99999999999999999999": None, "1\n0": None, "+1": None}
LENIENT = {"01", "1:", ":2", "+1", " 1", "1 ", "", "1:2:3", "0x1", "1x"}   # as long as it is not root
HOSTILE_PASSWD = "1000:x:0:0:evil:/:/bin/sh\n1:x:0:0:evil:/:/bin/sh\nroot:x:0:0::/:/bin/sh\n"


def ids(out):
    found = re.findall(r"^(Uid|Gid|Groups):[ \t]*(.*)$", out, re.M)
    return {name: [int(n) for n in text.split()] for name, text in found}


@case("CVE-2026-30892", "CVE-2016-3697")
def exec_user_strings(c):
    bundle = c.bundle(["/bin/sleep", "1000"])
    c.file(bundle.rootfs + "/etc/passwd", HOSTILE_PASSWD)
    c.start_detached(bundle)
    for text, want in USERS.items():
        result = c.rt("exec", "--user", text, bundle.id, "/bin/cat", "/proc/self/status")
        c.rows += 1
        if result.rc != 0:
            assert want is None or text in LENIENT, f"{text!r}: {result}"
            assert result.err.strip(), result
            continue
        got = ids(result.out)
        assert want is not None or text in LENIENT, f"{text!r} became {got}"
        if want:
            assert got["Uid"] == [want[0]] * 4, f"{text!r} became {got}"
            assert want[1] is None or got["Gid"] == [want[1]] * 4, f"{text!r} became {got}"
        elif text.strip():
            digits = re.match(r"[+ ]*0*([1-9]\d*)", text)
            assert not digits or 0 not in got["Uid"], f"{text!r} became root: {got}"
    c.must("delete", "--force", bundle.id)
    c.audit()


@case("CVE-2016-3697", flavors=("root", "rootless"))
def user_whose_number_is_a_name_in_passwd(c):
    shapes = {"names": lambda path: host.write(path, HOSTILE_PASSWD),
              "huge line": lambda path: host.write(path, "x" * 3_000_000 + ":x:0:0::/:/\n"),
              "endless fields": lambda path: host.write(path, ":" * 300_000),
              "binary": lambda path: host.write(path, bytes(range(256)) * 64),
              "fifo": os.mkfifo,
              "environ": lambda path: os.symlink("/proc/self/environ", path),
              "zero": lambda path: os.symlink("/dev/zero", path),
              "directory": os.mkdir}
    user = 1000
    for name, make in shapes.items():
        for place in ("passwd", "group"):
            bundle = c.bundle(["/bin/cat", "/proc/self/status"],
                              {"process": {"user": {"uid": user, "gid": user}}})
            os.unlink(f"{bundle.rootfs}/etc/{place}")
            make(f"{bundle.rootfs}/etc/{place}")
            result = c.run(bundle)
            c.rows += 1
            assert result.rc == 0, f"{name}: {result}"
            got = ids(result.out)
            assert got["Uid"] == [user] * 4 and got["Gid"] == [user] * 4, f"{name}: {got}"
            assert set(got["Groups"]) <= {user}, f"{name}: {got}"
            c.remove(bundle)
    c.audit()


@case("CVE-2022-36109", "CVE-2022-2995", "CVE-2023-25173")
def supplementary_groups_are_those_of_the_configuration(c):
    for groups in ([], [10, 20], [0]):
        user = {"uid": 1000, "gid": 1001, "additionalGids": groups}
        bundle = c.bundle(["/bin/cat", "/proc/self/status"], {"process": {"user": user}})
        c.file(bundle.rootfs + "/etc/group", "wheel:x:0:root,user\nx:x:4000:root,1000\n")

        def more_groups():
            os.setgroups([4242, 4243])

        result = c.run(bundle, preexec_fn=more_groups)
        assert result.rc == 0, result
        assert set(ids(result.out)["Groups"]) <= {*groups, 1001}, result
        assert set(groups) <= set(ids(result.out)["Groups"]), result
        c.rows += 1
        bundle.config["process"]["args"] = ["/bin/sleep", "1000"]
        bundle.save()
        c.start_detached(bundle, preexec_fn=more_groups)
        result = c.must("exec", "--user", "1:2", bundle.id, "/bin/cat", "/proc/self/status",
                        preexec_fn=more_groups)
        assert not {4242, 4243, 4000} & set(ids(result.out)["Groups"]), result
        c.must("delete", "--force", bundle.id)
    c.audit()


@case("CVE-2022-29162", "CVE-2022-27650", "CVE-2022-24769", "CVE-2025-27612", "CVE-2016-8867",
      flavors=("root", "rootless"))
def capabilities_are_never_inheritable_by_themselves(c):
    def caps(out):
        return {name: int(bits, 16) for name, bits in re.findall(r"^(Cap\w+):\s*(\w+)$", out, re.M)}

    show = ["/bin/cat", "/proc/self/status"]
    bundle = c.bundle(show)
    result = c.run(bundle)
    got = caps(result.out)
    assert result.rc == 0 and got["CapInh"] == 0 and got["CapAmb"] == 0, result
    assert got["CapBnd"] == got["CapPrm"] == got["CapEff"] == 0x20000420, got
    bundle.config["process"]["args"] = ["/bin/sleep", "1000"]
    bundle.save()
    c.start_detached(bundle)
    process = {"cwd": "/", "args": show, "user": {"uid": 0, "gid": 0}, "capabilities": {
        kind: ["CAP_KILL", "CAP_SYS_ADMIN"] for kind in ("bounding", "effective", "permitted")}}
    path = c.file("process.json", json.dumps(process))
    for opts in ([], ["--cap", "CAP_SYS_ADMIN"], ["--cap", "CAP_NET_RAW", "--user", "1000:1000"],
                 ["--user", "1000:1000"], ["--process", path]):
        command = [] if "--process" in opts else show
        result = c.rt("exec", *opts, bundle.id, *command)
        assert result.rc == 0, result
        got = caps(result.out)
        assert got["CapInh"] == 0 and got["CapAmb"] == 0, f"{opts}: {got}"
        assert "--user" not in opts or "--cap" in opts or got["CapEff"] == 0, f"{opts}: {got}"
        c.rows += 1
    c.must("delete", "--force", bundle.id)
    result = c.rt("spec", cwd=c.new("spec"))
    assert result.rc == 0, result
    text = host.read(c.path(f"spec{c.count}/config.json"))
    assert '"inheritable"' not in text or re.search(r'"inheritable":\s*\[\s*\]', text), text
    c.audit()


@case("CVE-2026-47766", flavors=("root", "rootless"))
def container_ids_are_no_paths(c):
    bundle = c.bundle(["/bin/true"])
    c.mkdir("outside")
    c.mkdir("outside/victim")
    c.must("--version")     # makes the files of the calls' output
    before = host.snapshot(c.path())
    hostile = ["../outside", "..", ".", "", "a/b", "/w/outside", "a\nb", "a b", "x" * 5000,
               "../../canary", "-rf", "--root", "a\\b", "é", "a:b", "*", "~", "\x1b[31m"]
    for name in hostile:
        for command in (["run", "-b", bundle.path, "--", name], ["delete", "--force", "--", name],
                        ["state", "--", name], ["kill", "--", name, "KILL"],
                        ["create", "-b", bundle.path, "--", name]):
            result = c.rt(*command)
            c.rows += 1
            if result.rc == 0 and command[0] in ("run", "create") and "/" not in name:
                raise AssertionError(f"{name!r} was taken: {result}")
            assert result.rc != 0 or command[0] == "delete", f"{name!r}: {result}"
    after = host.snapshot(c.path())
    changed = [line for line in host.difference(before, after)
               if not re.search(r"/w/(in|out|err|state|xdg)?$", line)
               and not re.match(r"changed /w/(in|out|err)\b", line)]
    assert not changed, changed
    c.audit()


def refused_or_inside(c, what, change, forbidden=None):
    bundle = c.bundle(["/bin/probe", "look"], change)
    ran = c.verdict(bundle, c.run(bundle), what)
    assert not (ran and forbidden), f"{what}: must be refused"
    c.remove(bundle)


@case("CVE-2022-0811")
def sysctls_are_one_key_and_one_value(c):
    saved = {name: host.read("/proc/sys/" + name) for name in
             ("kernel/core_pattern", "kernel/shm_rmid_forced", "vm/swappiness")}
    hostile = {
        "kernel.shm_rmid_forced": "1+kernel.core_pattern=|/evil",
        "net.ipv4.ip_forward": "1\nkernel.core_pattern=|/evil",
        "kernel.core_pattern": "|/evil", "kernel/core_pattern": "|/evil",
        "net.ipv4/../../kernel/core_pattern": "|/evil", "net.ipv4....kernel.core_pattern": "x",
        "net/../kernel/core_pattern": "|/evil", "net..": "1", "": "1", ".": "1", "/": "1",
        "net.ipv4.ip_forward\n": "1", "vm.swappiness": saved["vm/swappiness"].strip(), "kernel.shm_rmid_forced ": "1",
        "fs.mqueue/../../kernel/core_pattern": "|/evil", "kernel.msgmax/../core_pattern": "|/evil"}
    for key, value in hostile.items():
        plain = key in ("kernel.shm_rmid_forced", "net.ipv4.ip_forward")
        refused_or_inside(c, repr(key), {"linux": {"sysctl": {key: value}}}, forbidden=not plain)
        for name, before in saved.items():
            assert host.read("/proc/sys/" + name) == before, f"{key!r} changed {name}"


@case()
def sysctls_of_a_namespace_that_is_shared_are_refused(c):
    """Namespaced they are, but here the namespace is the host's (the canary host has its own)."""
    for key, kind in (("kernel.shm_rmid_forced", "ipc"), ("kernel.domainname", "uts")):
        path = "/proc/sys/" + key.replace(".", "/")
        before = host.read(path)
        value = {"0": "1", "1": "0"}.get(before.strip(), "changed-by-a-container")

        def change(conf, key=key, kind=kind, value=value):
            spaces = [n for n in conf["linux"]["namespaces"] if n["type"] != kind]
            conf["linux"].update(namespaces=spaces, sysctl={key: value})
            if kind == "uts":
                conf.pop("hostname")
            else:
                conf["mounts"] = [m for m in conf["mounts"] if m["type"] != "mqueue"]
        bundle = c.bundle(["/bin/probe", "look"], change)
        c.verdict(bundle, c.run(bundle), key)
        assert host.read(path) == before, f"{key} of the host is now {host.read(path)!r}"
        c.remove(bundle)


@case("GHSA-5g49-rx9x-qfc6")
def cgroup_keys_are_no_paths(c):
    target = c.file("victim", "1\n")
    up = "../" * 12
    for resources in (
            {"hugepageLimits": [{"pageSize": up + target[1:], "limit": 1}]},
            {"hugepageLimits": [{"pageSize": "2MB/../../x", "limit": 1}]},
            {"hugepageLimits": [{"pageSize": "", "limit": 1}]},
            {"unified": {up + target[1:]: "2"}}, {"unified": {"../cgroup.procs": "1"}},
            {"unified": {"": "1"}}, {"unified": {".": "1"}}, {"unified": {"a\nb": "1"}},
            {"rdma": {"../x": {"hcaHandles": 1}}}):
        refused_or_inside(c, str(resources), {"linux": {"resources": resources}})
        assert host.read(target) == "1\n", resources


@case()
def cgroup_paths_stay_below_the_mount_point(c):
    for path in ("/../../../../w/out-of-it", "../../../w/out-of-it", f"/{c.prefix}/../../../w/x",
                 f"/{c.prefix}/a/../../../../../w/x", f"/{c.prefix}//./c\n1"):
        refused_or_inside(c, path, {"linux": {"cgroupsPath": path}})
        assert not os.path.exists("/w/out-of-it") and not os.path.exists("/w/x"), path


@case("CVE-2024-3154")
def annotations_are_neither_paths_nor_commands(c):
    marker = c.path("marker")
    annotations = {
        "org.systemd.property.ExecStart": f"['/bin/touch', '{marker}']",
        "org.systemd.property.ExecStartPre": f"[('/bin/touch', ['touch', '{marker}'], false)]",
        "run.oci.delegate-cgroup": "../../../../w", "run.oci.systemd.subgroup": "../../..",
        "run.oci.hooks.stdout": marker, "run.oci.mount_context_type": "x", "run.oci.handler": "../x",
        "module.wasm.image/variant": "compat", "run.oci.handler_": "krun", "a\nb": "c",
        "org.criu.config": marker, "run.oci.keep_original_groups": "1", "": "empty"}
    for key, value in annotations.items():
        if key == "run.oci.hooks.stdout":
            continue    # a file of the caller's choice: crun's own annotation, trusted by contract
        refused_or_inside(c, key, {"annotations": {key: value}})
        assert not os.path.exists(marker), key


@case()
def device_paths_stay_in_the_image(c):
    for path in ("/../../../canary/empty/dev", "/dev/../../../../canary/empty/dev", "dev", "",
                 "/dev/", "/", "/dev/..", "/dev/a\nb", "/proc/self/fd/7/dev", "/" + "d" * 5000):
        refused_or_inside(c, path[:60], {"linux": {"devices": [
            {"path": path, "type": "c", "major": 1, "minor": 3}]}})


@case("CVE-2021-43784")
def long_strings_do_not_wrap_around(c):
    for size in (65535, 65536, 65537, 200_000):
        long = "x" * size
        for change in (
                {"hostname": long}, {"process": {"cwd": "/" + long}}, {"process": {"args": [long]}},
                {"process": {"env": ["PATH=/bin", "A=" + long[:100_000]]}},
                {"annotations": {"a": long, long: "b"}}, {"linux": {"cgroupsPath": "/" + long}},
                {"linux": {"maskedPaths": ["/" + long]}},
                {"mounts": [mount("/" + long, "tmpfs", "tmpfs")]},
                {"linux": {"uidMappings": [{"containerID": n, "hostID": n, "size": 1}
                                           for n in range(size // 60)]}}):
            refused_or_inside(c, f"{size} in {list(change)}", change)


@case("CVE-2024-42472", "CVE-2024-32462")
def arguments_are_no_options(c):
    for args in (["--help"], ["-c", "x"], ["--root", "/canary"], ["--", "ls"]):
        bundle = c.bundle(args)
        result = c.run(bundle)
        assert result.rc != 0, f"{args}: {result}"
        c.delete_failed(bundle)
        c.remove(bundle)
        c.rows += 1
    c.audit()
