# SPDX-License-Identifier: Apache-2.0
"""The codes of errors (docs/errors.md): where they are shown, and how each comes about.

The gate `errors` asks for a test of every code. Those that other tests produce anyway are named
there, as `code=` of `t.fails`.
"""

import ctypes
import json
import os
import re
import resource
import subprocess

from harness import flavors, one_json_line
from test_lifecycle import SLEEP
from test_run import hook

LAST_LINE = re.compile(r"\ncrun: error code ([A-Z]+(?:_[A-Z]+)*)\n\Z")
LIBC = ctypes.CDLL(None)


def drop_capability(number):
    """For the caller of the runtime, so that root does not have it either (PR_CAPBSET_DROP)."""
    return lambda: LIBC.prctl(24, number, 0, 0, 0)


def refused(t, mutate=None, *opts, code, args=("true",), **kwargs):
    """`run` of a bundle that `mutate` spoils fails with the code, and leaves nothing."""
    bundle = t.bundle(list(args), mutate=mutate)
    t.fails("run", "-b", bundle.path, *opts, bundle.id, code=code, **kwargs)
    t.assert_no_trace(bundle)


# ---- where a code is shown ---------------------------------------------------------------------

@flavors("root", "rootless")
def test_code_is_a_line_of_its_own_behind_the_message_in_the_same_write(t):
    bundle = t.bundle(["nosuch"])
    read_end, write_end = os.pipe2(os.O_DIRECT)   # packet mode: one read per write
    t.rt("--log", t.path("log"), "--log-format", "json", "create", "-b", bundle.path, bundle.id,
         check=False, stderr=write_end)
    os.close(write_end)
    packet = os.read(read_end, 8191).decode()
    assert os.read(read_end, 8191) == b"", "a second write"
    os.close(read_end)
    match = LAST_LINE.search(packet)
    assert match and match.group(1) == "COMMAND_MISSING", packet
    message = packet[:match.start()]
    # Podman keeps the line in which it finds the phrase, and its tests want it to end there.
    assert message.endswith(": No such file or directory") and "\n" not in message, packet
    entry = one_json_line(t.path("log"))
    assert entry["code"] == "COMMAND_MISSING" and entry["kind"] == "NOT_FOUND", entry
    assert message == "crun: " + entry["msg"], (message, entry)


def test_code_is_not_in_a_text_log(t):
    result = t.fails("--log", t.path("log"), "state", "nope", code="CONTAINER_UNKNOWN")
    with open(t.path("log"), encoding="utf-8") as source:
        assert source.read() == result.err[len("crun: "):]


def test_message_that_fills_the_line_leaves_room_for_the_code(t):
    result = t.rt("state", "x" * 60000, check=False)
    assert result.code and len(result.err) < 16384, result


def test_warnings_have_no_code(t):
    bundle = t.bundle(["true"])
    result = t.rt("--debug", "run", "-b", bundle.path, bundle.id)
    assert result.err and not result.code, result


# ---- how they come about -----------------------------------------------------------------------

def test_codes_of_the_process(t):
    refused(t, args=["/etc"], code="COMMAND_REFUSED")
    refused(t, {"process": {"cwd": "/missing"}}, code="CWD_MISSING")
    refused(t, {"process": {"scheduler": {"policy": "SCHED_ISO"}}}, code="UNSUPPORTED")
    refused(t, {"process": {"rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1 << 40,
                                         "hard": 1 << 40}]}}, code="RLIMIT")
    refused(t, {"process": {"user": {"uid": 0, "gid": 0, "additionalGids": [5]}}},
            code="CREDENTIALS", preexec_fn=drop_capability(6))

    def wanted_first():
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:
            score.write("500")
        drop_capability(24)()
    refused(t, {"process": {"oomScoreAdj": -1000}}, code="OOM_SCORE", preexec_fn=wanted_first)


def test_codes_of_the_terminal(t):
    refused(t, None, "--console-socket", t.path("nobody"), code="TERMINAL_MISMATCH")
    listener = t.console_socket()

    def without_devpts(config):
        config["process"]["terminal"] = True
        config["mounts"] = [m for m in config["mounts"] if m["type"] != "devpts"]
    refused(t, without_devpts, "--console-socket", listener.path, code="TERMINAL")


def test_codes_of_the_configuration(t):
    bundle = t.bundle()
    t.file(os.path.join(bundle.path, "config.json"), "{")
    t.fails("run", "-b", bundle.path, bundle.id, code="CONFIG_SYNTAX")
    root = t.bundle(mutate={"linux": {"cgroupsPath": "/"}})
    t.fails("run", "-b", root.path, root.id, code="CGROUP_PATH")


@flavors("rootless")
def test_code_of_a_missing_user_namespace(t):
    def without(config):
        config["linux"]["namespaces"] = [n for n in config["linux"]["namespaces"]
                                         if n["type"] != "user"]
        for name in ("uidMappings", "gidMappings"):
            config["linux"].pop(name, None)
    refused(t, without, code="USERNS_NEEDED")


@flavors("rootless")
def test_code_of_a_missing_mapping_helper(t):
    upper, work = t.mkdir("upper"), t.mkdir("work")
    try:
        t.mount("overlay", "/usr/bin", "overlay", 0,
                f"lowerdir=/usr/bin,upperdir={upper},workdir={work}")
    except OSError as error:
        t.skip(f"no overlay can be mounted here: {error}")
    for name in ("newuidmap", "newgidmap"):
        if os.path.exists("/usr/bin/" + name):
            os.unlink("/usr/bin/" + name)
    bundle = t.bundle(rootless="ranges")
    t.fails("run", "-b", bundle.path, bundle.id, code="MAPPING_HELPER")
    t.assert_no_trace(bundle)


def test_codes_of_the_root_file_system(t):
    refused(t, {"root": {"path": "missing"}}, code="ROOTFS_MISSING")
    refused(t, {"root": {"path": "config.json"}}, code="ROOTFS_UNUSABLE")
    loop = t.bundle(own_rootfs=True, mutate={"linux": {"maskedPaths": ["/loop"]}})
    os.symlink("loop", os.path.join(loop.rootfs, "loop"))
    t.fails("run", "-b", loop.path, loop.id, code="MASK")


def test_codes_of_namespaces(t):
    def joined(config):
        config["linux"]["namespaces"].append({"type": "network", "path": "/no/such"})
        config["linux"]["namespaces"] = [n for n in config["linux"]["namespaces"]
                                         if n["type"] != "network" or "path" in n]
    refused(t, joined, code="NAMESPACE_JOIN")
    refused(t, {"linux": {"netDevices": {"nosuch0": {}}}}, code="NETWORK_DEVICE")

    def before_boot(config):
        config["linux"]["namespaces"].append({"type": "time"})
        config["linux"]["timeOffsets"] = {"boottime": {"secs": -1 << 30}}
    if os.path.exists("/proc/self/ns/time"):
        refused(t, before_boot, code="NAMESPACE_CREATE")


def test_code_of_a_host_name_that_is_somebody_elses(t):
    holder = t.popen(argv=["unshare", "-u", "sh", "-c", "echo; exec sleep 1000"],
                     stdout=subprocess.PIPE)
    holder.stdout.read(1)

    def joined(config):
        spaces = [n for n in config["linux"]["namespaces"] if n["type"] not in ("uts", "user")]
        config["linux"]["namespaces"] = spaces + [
            {"type": "user"}, {"type": "uts", "path": f"/proc/{holder.pid}/ns/uts"}]
        for name in ("uidMappings", "gidMappings"):
            config["linux"][name] = [{"containerID": 0, "hostID": 0, "size": 65536}]
        config["hostname"] = "other"
    refused(t, joined, code="HOSTNAME")


def test_codes_of_hooks(t):
    refused(t, {"hooks": {"createRuntime": [{"path": "/no/such/hook"}]}}, code="HOOK_MISSING")
    killer = "pid=$(sed 's/.*\"pid\": *\\([0-9]*\\).*/\\1/'); kill -9 $pid"
    bundle = t.bundle(SLEEP, mutate={"hooks": {"createRuntime": hook(killer)}})
    t.fails("create", "-b", bundle.path, bundle.id, code="INIT_DIED")


def test_codes_of_the_host(t):
    refused(t, code="FILE_LIMIT", preexec_fn=lambda: resource.setrlimit(
        resource.RLIMIT_NOFILE, (4, 4)))
    bundle = t.bundle()
    t.fails("--root", "/proc/nowhere", "run", "-b", bundle.path, bundle.id, code="STATE_DIR")
    folder = t.mkdir("spec")
    t.rt("spec", "-b", folder)
    t.fails("spec", "-b", folder, code="FILE_IN_THE_WAY")
    with open("/dev/full", "wb") as full:
        result = t.rt("features", check=False, stdout=full)
    assert result.code == "OUTPUT", result


def hidden_library(t, name):
    """From now on the library cannot be loaded: an empty file covers each of its copies."""
    listed = subprocess.run(["/sbin/ldconfig", "-p"], check=True, stdout=subprocess.PIPE).stdout
    paths = {os.path.realpath(p) for p in re.findall(r"=> (\S*/%s\.so\.\S*)" % name, listed.decode())}
    if not paths:
        t.skip(f"{name} is not installed")
    for path in paths:
        t.mount("/dev/null", path, None, 4096)   # MS_BIND


def test_code_of_a_missing_seccomp_library(t):
    version = t.rt("--version").out
    if "+SECCOMP" not in version:
        t.skip("built without seccomp")
    if "+STATIC" in version:
        t.skip("a static program has its libraries in it")
    hidden_library(t, "libseccomp")
    refused(t, {"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]}}}, code="SECCOMP_LIBRARY")


def test_code_of_a_build_without_the_systemd_driver(t):
    if "+SYSTEMD" in t.rt("--version").out:
        t.skip("built with the systemd cgroup driver")
    bundle = t.bundle(mutate={"linux": {"cgroupsPath": ""}})
    t.fails("--systemd-cgroup", "run", "-b", bundle.path, bundle.id, code="SYSTEMD_LIBRARY")


def test_code_of_a_missing_systemd(t):
    if "+SYSTEMD" not in t.rt("--version").out:
        t.skip("built without the systemd cgroup driver")
    for path in ("/run/systemd", "/run/dbus"):
        if os.path.isdir(path):
            t.mount("tmpfs", path, "tmpfs")
    bundle = t.bundle(mutate={"linux": {"cgroupsPath": ""}})
    t.fails("--systemd-cgroup", "run", "-b", bundle.path, bundle.id, code="SYSTEMD_BUS")


def refused_in(t, script, *options, code, mutate=None):
    """Fails with the code where SCRIPT, under unshare(1) with OPTIONS, calls the runtime."""
    bundle = t.bundle(mutate=mutate or {"linux": {"cgroupsPath": ""}})
    child = t.popen(argv=["unshare", *options, "--propagation", "slave", "sh", "-c", script, "sh"] +
                    t.argv("--cgroup-manager=disabled", "run", "-b", bundle.path, bundle.id),
                    stderr=subprocess.PIPE, text=True)
    err = child.communicate()[1]
    assert child.returncode == 1 and err.endswith(f"\ncrun: error code {code}\n"), (code, err)


def user_namespace(config):
    config["linux"]["namespaces"].append({"type": "user"})
    for name in ("uidMappings", "gidMappings"):
        config["linux"][name] = [{"containerID": 0, "hostID": 0, "size": 65536}]


def test_codes_of_the_place_in_which_the_runtime_is_called(t):
    refused_in(t, 'umount -l /proc; exec "$@"', "-m", code="PROC_MISSING")
    refused_in(t, 'echo 0 >/proc/sys/user/max_pid_namespaces; exec "$@"', "-rm",
               code="NAMESPACE_LIMIT")
    # user_namespaces(7): nobody makes one in a chroot
    place = t.mkdir("place")
    refused_in(t, f'mount --rbind / {place} && exec chroot {place} "$@"', "-m",
               code="USERNS_FORBIDDEN", mutate=user_namespace)


def test_code_of_a_cgroup_below_a_file(t):
    bundle = t.bundle(mutate={"linux": {"cgroupsPath": "/cgroup.procs/x"}})
    t.fails("run", "-b", bundle.path, bundle.id, code="CGROUP_CREATE")


def test_code_of_a_ps_that_fails(t):
    bundle = t.bundle(SLEEP)
    t.create(bundle)
    t.file("ps", "#!/bin/sh\nkill -9 $$\n", mode=0o755)
    t.mount(t.path("ps"), os.path.realpath("/usr/bin/ps"), None, 4096)   # MS_BIND
    t.fails("ps", bundle.id, "-ef", code="PS_PROGRAM")


def test_json_code_is_the_one_of_stderr(t):
    path = t.path("log")
    for args in (["state", "nope"], ["--nope"], ["run", "-b", "/nowhere", "x"], ["kill", "../x"]):
        result = t.rt("--log", path, "--log-format=json", *args, check=False)
        with open(path, encoding="utf-8") as source:
            assert json.loads(source.read().splitlines()[-1])["code"] == result.code, result
