# SPDX-License-Identifier: Apache-2.0
"""Hostile callers, containers and moments: nothing hangs, leaks, or reaches the host."""

import contextlib
import ctypes
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import threading
import time

import hostside
from harness import PATIENCE, flavors
from test_crash import nothing_runs
from test_lifecycle import SLEEP
from test_run import hook

RENAMES = {"x86_64": ("264", "316"), "aarch64": ("38", "276")}.get(os.uname().machine, ())
KEYCTL = {"x86_64": 250, "aarch64": 219}
JOIN_SESSION_KEYRING, SETPERM = 1, 5


@flavors("root", "rootless")
def test_console_socket_that_is_closed_at_once_fails_create(t):
    path = t.path("rude.sock")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    os.chmod(path, 0o666)
    listener.listen(1)
    thread = threading.Thread(target=lambda: listener.accept()[0].close())
    thread.start()
    bundle = t.bundle(SLEEP, mutate={"process": {"terminal": True}})
    t.fails("create", "-b", bundle.path, "--console-socket", path, bundle.id, has="send",
            code="CONSOLE_SOCKET")
    thread.join()
    listener.close()
    t.assert_no_trace(bundle)


def test_preserved_fds_that_the_caller_did_not_open_lead_nowhere(t):
    """CVE-2024-21626: the image chooses the program, and execve looks before it closes."""
    secret = t.file("secret", "#!/bin/sh\necho escaped\n", 0o755)
    above = "/".join([".."] * 40)
    for number in range(3, 24):
        for verb in (["run"], ["create"]):
            bundle = t.bundle([f"/proc/self/fd/{number}/{above}{secret}"])
            result = t.rt(*verb, "--preserve-fds", "20", "-b", bundle.path, bundle.id,
                          check=False)
            assert result.rc != 0 and "escaped" not in result.out, (number, result)


def plant_keyring(number, name, tell, wait):
    """What a container can do: a session keyring that anybody may join, held as long as we live."""
    libc = ctypes.CDLL(None, use_errno=True)
    serial = libc.syscall(number, JOIN_SESSION_KEYRING, name.encode(), 0, 0, 0)
    open_to_all = serial > 0 and libc.syscall(number, SETPERM, serial, 0x3f3f3f3f, 0, 0) == 0
    os.write(tell, str(serial if open_to_all else 0).encode())
    os.read(wait, 1)
    os._exit(0)


def test_session_keyring_of_the_same_name_is_not_joined(t):
    number = KEYCTL.get(os.uname().machine) or t.skip("the number of keyctl is not known")
    bundle = t.bundle(["probe", "keyring"])
    told, tell = os.pipe()
    wait, release = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(release)
        plant_keyring(number, bundle.id, tell, wait)
    planted = os.read(told, 32).decode()
    result = t.run_container(bundle)
    os.close(release)
    os.waitpid(child, 0)
    assert planted != "0" and f"session {planted}" not in result.out, (planted, result)


@flavors("root", "rootless")
def test_low_limit_of_descriptors_is_the_payloads_only(t):
    for limit in (3, 4, 8):
        bundle = t.bundle("ulimit -n; ulimit -Hn", mutate={"process": {"rlimits": [
            {"type": "RLIMIT_NOFILE", "soft": limit, "hard": limit}]}})
        t.create(bundle)
        t.start(bundle)
        t.delete(bundle, force=True)
        assert t.run_container(bundle).out.split() == [str(limit)] * 2


@flavors("root", "rootless")
def test_caller_that_ignores_sigchld(t):
    def ignore():
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)

    bundle = t.bundle("exit 7", rootless="ranges" if t.rootless and t.subids else None)
    result = t.rt("run", "-b", bundle.path, bundle.id, preexec_fn=ignore, check=False)
    assert (result.rc, result.err) == (7, ""), result
    t.rt("create", "-b", bundle.path, bundle.id, preexec_fn=ignore)
    t.delete(bundle, force=True)
    for args in (["no-such-program"], ["/no/such/program"]):
        bundle = t.bundle(args)
        for _n in range(5):
            t.fails("create", "-b", bundle.path, bundle.id, preexec_fn=ignore,
                    has="executable file", code="COMMAND_MISSING")


@flavors("root")
def test_forced_delete_does_not_wait_for_a_start_that_hangs(t):
    bundle = t.bundle(SLEEP, mutate={"hooks": {"startContainer": hook("sleep 1000")}})
    t.create(bundle)
    start = t.popen("start", bundle.id, stderr=subprocess.PIPE)
    t.wait_until(lambda: not os.path.exists(os.path.join(t.state_dir, bundle.id, "start")))
    t.rt("delete", "--force", bundle.id)
    assert start.wait(40 * PATIENCE) != 0
    t.assert_no_trace(bundle)


def test_more_bind_mounts_than_descriptors_fail_cleanly(t):
    source = t.mkdir("source")
    mounts = [{"destination": f"/m{n}", "type": "bind", "source": source,
               "options": ["rbind"]} for n in range(100)]

    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    bundle = t.bundle("ulimit -n", mutate=lambda c: c["mounts"].extend(mounts))
    result = t.rt("run", "-b", bundle.path, bundle.id, preexec_fn=limit, check=False)
    if result.rc == 0:
        assert result.out == "64\n", result
    else:
        assert "Too many open files" in result.err, result
    t.assert_no_trace(bundle)


def with_descriptors(limit):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


@flavors("root", "rootless")
def test_few_descriptors_are_called_just_that(t):
    """What cannot be looked at for want of a descriptor is not missing: no cgroup, no label is left out for it."""
    bundle = t.bundle(SLEEP, mutate={} if t.rootless else {
        "linux": {"resources": {"pids": {"limit": 50}}}})
    refused = 0
    for limit in range(4, 40, 2):
        result = t.rt("create", "-b", bundle.path, bundle.id, check=False,
                      preexec_fn=with_descriptors(limit))
        if result.rc == 0:
            break
        refused += 1
        assert "Too many open files" in result.err and result.code == "FILE_LIMIT", (limit, result)
        t.assert_no_trace(bundle)
    assert refused and result.rc == 0, (refused, result)
    t.start(bundle)
    verbs = [(["state"], []), (["exec"], ["true"]), (["ps"], []), (["stats"], []),
             (["kill"], ["KILL"]), (["delete", "--force"], [])]
    for verb, args in verbs:
        sent = False
        if t.rootless and verb == ["stats"]:
            continue  # without a cgroup nothing is counted
        for limit in range(4, 40, 2):
            result = t.rt(*verb, bundle.id, *args, check=False, preexec_fn=with_descriptors(limit))
            if result.rc == 0 or "Too many open files" not in result.err:
                break
            sent = verb == ["kill"] and "thaw cgroup" in result.err
        # What could not be thawed for want of a descriptor was not frozen, and the signal had been sent.
        assert result.rc == 0 or (sent and "is stopped" in result.err), (verb, limit, result)
    t.assert_no_trace(bundle)


def test_doctor_does_not_take_a_lack_of_descriptors_for_lacks_of_the_host(t):
    t.fails("doctor", preexec_fn=with_descriptors(12), has="Too many open files",
            code="FILE_LIMIT")


@flavors("root", "rootless")
def test_pid_file_that_cannot_be_written_leaves_nothing(t):
    for path in (t.path("no/such/dir/pid"), "/proc/pid", t.mkdir("a-directory")):
        for verb in (["create"], ["run", "--detach"], ["run"]):
            bundle = t.bundle(SLEEP)
            t.fails(*verb, "--pid-file", path, "-b", bundle.path, bundle.id, has="pid file",
                    code="PID_FILE")
            t.assert_no_trace(bundle)
    hostside.reap()


def test_pid_file_replaces_a_link_and_does_not_follow_it(t):
    victim = t.file("victim", "precious\n")
    link = t.path("pid")
    os.symlink(victim, link)
    bundle = t.bundle(SLEEP)
    t.create(bundle, "--pid-file", link)
    assert not os.path.islink(link) and open(link, encoding="ascii").read() == str(t.pid(bundle))
    assert open(victim, encoding="ascii").read() == "precious\n"


def delayed_child(tracer):
    """The process that strace holds at the beginning of a renameat(2); None if there is none yet."""
    with open(f"/proc/{tracer}/task/{tracer}/children", encoding="ascii") as children:
        pids = children.read().split()
    for pid in pids:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/syscall", encoding="ascii") as call:
            if call.read().split()[0] in RENAMES:
                return int(pid)
    return None


@flavors("root", "rootless")
def test_run_that_is_killed_before_its_record_names_init_leaves_no_payload(t):
    strace = shutil.which("strace") or t.skip("strace is not installed")
    marker = t.mkdir("marker", 0o777)
    for when in (1, 2, 3):
        bundle = t.bundle(f"echo > /m/{when}; exec sleep 1000", mutate={
            "linux": {"cgroupsPath": None}})
        bundle.config["mounts"].append({"destination": "/m", "type": "bind", "source": marker,
                                        "options": ["rbind"]})
        bundle.save()
        # The n-th replacement of a file in the state directory is so slow that we come in between.
        tracer = t.popen(argv=[
            strace, "-o", "/dev/null", "-e", "trace=renameat,renameat2",
            "-e", f"inject=renameat,renameat2:delay_enter=60000000:when={when}",
            *t.argv("--cgroup-manager", "disabled", "run", "--detach", "-b", bundle.path,
                    bundle.id)])
        runtime = t.wait_until(lambda p=tracer.pid: delayed_child(p), "the delay")
        time.sleep(0.3)   # a payload that is not held back would leave its mark
        os.kill(runtime, signal.SIGKILL)
        tracer.kill()   # or it waits for the end of the delay
        tracer.wait(40 * PATIENCE)
        assert not os.listdir(marker), when
        t.rt("delete", "--force", bundle.id)
        nothing_runs(t)


def test_strict_umask_of_the_caller_does_not_hide_the_containers_cgroup(t):
    """The payload's user reads its limits there."""
    bundle = t.bundle(SLEEP)
    t.rt("create", "-b", bundle.path, bundle.id, preexec_fn=lambda: os.umask(0o077))
    dirs = t.cgroup_dirs(bundle).values()
    assert dirs
    for path in dirs:
        assert os.stat(path).st_mode & 0o777 == 0o755, path
        assert os.stat(os.path.dirname(path)).st_mode & 0o777 == 0o755, path


def test_record_that_another_user_has_planted_is_not_believed(t):
    t.mkdir("state", 0o1777)
    victim = subprocess.Popen(["sleep", "1000"])
    with open(f"/proc/{victim.pid}/stat", encoding="ascii") as stat:
        start_time = int(stat.read().rsplit(")", 1)[1].split()[19])
    bundle = t.bundle(SLEEP)
    t.create(bundle)
    with open(os.path.join(t.state_dir, bundle.id, "state.json"), encoding="utf-8") as file:
        record = json.load(file)
    t.delete(bundle)
    record["pid"], record["pidStartTime"] = victim.pid, start_time
    planted = os.path.join(t.state_dir, bundle.id)
    os.mkdir(planted)
    t.file(os.path.join(planted, "state.json"), json.dumps(record))
    os.chown(planted, 1234, 1234)
    try:
        for command in (["kill", bundle.id, "KILL"], ["delete", "--force", bundle.id],
                        ["state", bundle.id]):
            t.fails(*command, has="belongs to uid 1234", code="CONTAINER_OWNER")
        assert victim.poll() is None
    finally:
        shutil.rmtree(planted)
        victim.kill()
        victim.wait()


@flavors("rootless")
def test_process_that_proc_hides_is_not_taken_for_a_stopped_container(t):
    """Deleted as such, the init that waits for its start would have stayed for ever."""
    unshare = shutil.which("unshare") or t.skip("unshare is not installed")
    bundle = t.bundle(SLEEP)
    t.create(bundle)
    pid = t.pid(bundle)

    def hidden(*verb):
        words = [f"--reuid={t.uid}", f"--regid={t.gid}", "--clear-groups", *t.argv(*verb, bundle.id)]
        command = f"mount -t proc -o hidepid=2 proc /proc && exec setpriv {' '.join(words)}"
        return subprocess.run([unshare, "-m", "--propagation", "private", "sh", "-c", command],
                              capture_output=True, text=True, check=False, timeout=40 * PATIENCE)
    for verb in (["state"], ["start"], ["delete"], ["delete", "--force"]):
        result = hidden(*verb)
        assert result.returncode == 1, (verb, result)
        assert f"process {pid}" in result.stderr and "hidepid" in result.stderr, (verb, result)
    assert t.state(bundle)["status"] == "created"
    t.start(bundle)
    t.wait_running(bundle)
    # Its program is closed to nobody of its user's.
    assert json.loads(hidden("state").stdout)["status"] == "running"
    assert hidden("delete", "--force").returncode == 0
    t.assert_no_trace(bundle)


def test_callers_groups_never_stay_because_they_could_not_be_dropped(t):
    setpriv = shutil.which("setpriv") or t.skip("setpriv is not installed")
    bundle = t.bundle("id -G")
    result = t.rt(argv=[setpriv, "--groups", "0,54321", "--bounding-set", "-setgid",
                        *t.argv("run", "-b", bundle.path, bundle.id)], check=False)
    assert "54321" not in result.out, result
    assert result.rc != 0 and "setgroups" in result.err, result


def test_what_an_image_has_for_a_terminal_is_not_even_opened(t):
    """The open of a device, with all of root's power, may already do something."""
    strace = shutil.which("strace") or t.skip("strace is not installed")
    bundle = t.bundle(SLEEP, own_rootfs=True, mutate={"process": {"terminal": True}})
    bundle.config["mounts"] = [m for m in bundle.config["mounts"]
                               if not m["destination"].startswith("/dev")]
    bundle.save()
    os.makedirs(os.path.join(bundle.rootfs, "dev/pts"))
    os.mkfifo(os.path.join(bundle.rootfs, "dev/pts/ptmx"))
    trace = t.path("trace")
    result = t.rt(argv=[strace, "-f", "-o", trace, "-e", "trace=openat2",
                        *t.argv("run", "-b", bundle.path, bundle.id)], check=False)
    assert result.rc != 0 and "not the multiplexer" in result.err, result
    with open(trace, encoding="utf-8") as lines:
        opened = [line for line in lines if "ptmx" in line and "O_PATH" not in line]
    assert not opened, opened


def test_user_namespace_without_an_id_0(t):
    ids = [{"containerID": 1000, "hostID": 100000, "size": 10}]
    bundle = t.bundle("id -u; grep CapEff /proc/self/status; touch /dev/shm/x", mutate={
        "process": {"user": {"uid": 1001, "gid": 1001}, "capabilities": {"bounding": []}},
        "linux": {"uidMappings": ids, "gidMappings": ids}})
    bundle.config["linux"]["namespaces"].append({"type": "user"})
    bundle.save()
    result = t.run_container(bundle)
    assert result.out.split() == ["1001", "CapEff:", "0" * 16], result
