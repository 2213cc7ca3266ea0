# SPDX-License-Identifier: Apache-2.0
"""exec: what a process that joins a container is, and what the command answers."""

import json
import os
import re
import signal
import threading
import time

import hostside
import terminals
from harness import PATIENCE, fields, flavors, sections
from test_fds import at
from test_lifecycle import SLEEP
from test_linux_seccomp_notify import Listener, notified

NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts")


def running(t, mutate=None, args=SLEEP, **kwargs):
    bundle = t.bundle(args, mutate=mutate, **kwargs)
    t.rt("run", "-d", "-b", bundle.path, bundle.id)
    return bundle


def process(t, name="process.json", **members):
    return t.file(name, json.dumps({"cwd": "/", "args": ["true"], "env": ["PATH=/bin"], **members}))


def probe(t, bundle, *what, opts=(), **kwargs):
    return sections(t.rt("exec", *opts, bundle.id, "probe", *what, "end", **kwargs).out)


def status_of(t, bundle, *opts, **kwargs):
    lines = probe(t, bundle, "status", opts=opts, **kwargs)["status"]
    return dict(line.split(":", 1) for line in lines if ":" in line)


def namespaces(pid):
    return {n: os.readlink(f"/proc/{pid}/ns/{n}") for n in NAMESPACES
            if os.path.exists(f"/proc/{pid}/ns/{n}")}


def end(pid):
    """Kills a detached process, which is ours to reap; until then its container's init could not end."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def detached(t, bundle, *words, name="pid", **kwargs):
    t.rt("exec", "-d", "--pid-file", t.path(name), *words, **kwargs)
    with open(t.path(name), encoding="ascii") as f:
        return int(f.read())


# ---- statuses and errors ------------------------------------------------------------------------

@flavors("root", "rootless")
def test_exit_status_is_that_of_the_command(t):
    bundle = running(t)
    for command, status in (("exit 7", 7), ("kill -9 $$", 137), ("kill -TERM $$", 143), ("true", 0)):
        assert t.rt("exec", bundle.id, "sh", "-c", command, check=False).rc == status, command


@flavors("root", "rootless")
def test_words_of_failures_are_those_that_engines_look_for(t):
    bundle = running(t)
    for words, text in (
            (["nosuch"], "executable file not found in $PATH: executable file `nosuch` not found in "
                         "$PATH: No such file or directory"),
            (["/no/such"], "executable file `/no/such` not found: No such file or directory"),
            ([""], "cannot find `` in $PATH: No such file or directory"),
            (["/etc"], "exec: permission denied: the path `/etc` is not a regular file: "
                       "Operation not permitted")):
        pid_file = t.path("pid")
        result = t.fails("exec", "--pid-file", pid_file, bundle.id, *words, has=text)
        assert result.rc == 1 and "exec failed: " in result.err, result
        assert result.err.splitlines()[0].endswith(text), result.err
        assert not os.path.exists(pid_file)
        t.fails("exec", "-d", "--pid-file", pid_file, bundle.id, *words, has=text)
        assert not os.path.exists(pid_file)
    result = t.fails("exec", "--cwd", "/missing", bundle.id, "true",
                     has="chdir to `/missing`: No such file or directory")
    t.fails("exec", "no-" + bundle.id, "true", has="does not exist")


def test_mistakes_in_the_command_line_are_told_apart(t):
    bundle = running(t)
    for words, text in (((), "needs a command"), (("--no-such", "true"), "--no-such"),
                        (("-e", "NOVALUE", "true"), "NAME=VALUE"), (("-c", "CAP_NONE", "true"), "CAP_NONE"),
                        (("-g", "1,x", "true"), "1,x")):
        opts = words[:-1]
        t.fails("exec", *opts, bundle.id, *words[-1:], has=text)


def test_user_option_takes_numbers_and_nothing_else(t):
    """CVE-2016-3697, and a uid that was read as 0."""
    bundle = t.bundle(SLEEP, own_rootfs=True)
    os.makedirs(os.path.join(bundle.rootfs, "etc"), exist_ok=True)
    with open(os.path.join(bundle.rootfs, "etc/passwd"), "w", encoding="ascii") as f:
        f.write("1000:x:0:0::/trap:/bin/sh\nuser:x:1000:7::/home/user:/bin/sh\n")
    t.rt("run", "-d", "-b", bundle.path, bundle.id)
    for user, uid, gid in (("1", 1, 0), ("0", 0, 0), ("1:2", 1, 2), ("01", 1, 0), ("1000", 1000, 0)):
        status = status_of(t, bundle, "-u", user)
        assert status["Uid"].split() == [str(uid)] * 4, (user, status["Uid"])
        assert status["Gid"].split() == [str(gid)] * 4, (user, status["Gid"])
    for user in ("1:", ":2", "4294967295", "4294967296", "-1", "1x", "1:-1", "root", "1:2:3", " 1"):
        t.fails("exec", "-u", user, bundle.id, "true", has="--user")
    assert "HOME=/home/user" in probe(t, bundle, "env", opts=("-u", "1000:5"))["env"]


# ---- the two forms ------------------------------------------------------------------------------

@flavors("root", "rootless")
def test_process_file_detached_with_a_pid_file(t):
    bundle = running(t)
    path = process(t, args=["sh", "-c", "sleep 1000"])
    pid = detached(t, bundle, "--process", path, bundle.id)
    assert re.fullmatch(r"\d+", open(t.path("pid"), encoding="ascii").read())
    assert namespaces(pid) == namespaces(t.pid(bundle))
    assert os.getsid(pid) == pid
    end(pid)


def test_process_file_is_checked_like_a_configuration(t):
    bundle = running(t)
    for members, text in (({"args": []}, "args"), ({"cwd": "tmp"}, "/cwd: "),
                          ({"rlimits": [{"type": "RLIMIT_X", "soft": 1, "hard": 1}]}, "/rlimits/0/type"),
                          ({"env": ["NOVALUE"]}, "/env/0"), ({"args": 3}, "/args: expected")):
        path = process(t, **members)
        result = t.fails("exec", "-p", path, bundle.id, has=text)
        assert "process.json:1:" in result.err, result.err
    t.fails("exec", "-p", t.path("none"), bundle.id, has="No such file")
    t.fails("exec", "-p", t.file("bad.json", "{"), bundle.id, has="bad.json:1:")


def test_process_may_come_from_the_standard_input(t):
    bundle = running(t)
    text = json.dumps({"cwd": "/tmp", "args": ["pwd"], "env": ["PATH=/bin"]})
    assert t.rt("exec", "-p", "-", bundle.id, input=text.encode()).out == "/tmp\n"


def test_options_change_the_containers_own_process(t):
    bundle = running(t, mutate={"process": {"env": ["PATH=/bin", "A=1", "B=2"], "cwd": "/tmp"}})
    result = t.rt("exec", "-e", "A=new", "--env=C=3", "--cwd", "/etc", bundle.id, "sh", "-c",
                  "pwd; echo $A $B $C; env | grep -c ^A=")
    assert result.out == "/etc\nnew 2 3\n1\n", result.out
    assert t.rt("exec", bundle.id, "pwd").out == "/tmp\n"
    assert fields(probe(t, bundle, "ids", opts=("-g", "5,6", "-g", "7"))["ids"])["groups"].split() in (
        ["5", "6", "7"], ["0", "5", "6", "7"])


def test_what_a_process_leaves_out_is_the_containers(t):
    caps = ["CAP_KILL", "CAP_CHOWN"]
    bundle = running(t, mutate={"process": {
        "user": {"uid": 5, "gid": 6, "additionalGids": [8]}, "noNewPrivileges": True,
        "capabilities": {"bounding": caps, "effective": [], "permitted": []},
        "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 77, "hard": 78}], "oomScoreAdj": 321}})
    out = t.rt("exec", "-p", process(t, args=["probe", "status", "rlimits", "oom", "end"]), bundle.id).out
    found = sections(out)
    status = dict(line.split(":", 1) for line in found["status"] if ":" in line)
    assert status["Uid"].split() == ["5"] * 4 and status["Gid"].split() == ["6"] * 4
    assert status["Groups"].split() == ["8"] and status["NoNewPrivs"].strip() == "1"
    assert int(status["CapBnd"], 16) == 1 << 5 | 1, status
    assert any("77" in line and "78" in line for line in found["rlimits"]), found["rlimits"]
    assert found["oom"][0].split()[-1] == "321", found["oom"]


def test_added_capability_is_never_inheritable(t):
    """CVE-2022-29162."""
    bundle = running(t)
    before, after = status_of(t, bundle), status_of(t, bundle, "-c", "CAP_NET_ADMIN", "--cap", "sys_ptrace")
    new = 1 << 12 | 1 << 19
    for name in ("CapBnd", "CapEff", "CapPrm"):
        assert int(after[name], 16) == int(before[name], 16) | new, name
    assert int(after["CapInh"], 16) == int(after["CapAmb"], 16) == 0


def test_no_new_privs_option(t):
    bundle = running(t, mutate={"process": {"noNewPrivileges": False}})
    assert status_of(t, bundle)["NoNewPrivs"].strip() == "0"
    assert status_of(t, bundle, "--no-new-privs")["NoNewPrivs"].strip() == "1"


# ---- where the process is -----------------------------------------------------------------------

@flavors("root", "rootless")
def test_every_namespace_is_that_of_the_container(t):
    new = [{"type": name} for name in ("pid", "network", "ipc", "uts", "mount", "cgroup", "time")]
    bundle = t.bundle(SLEEP)
    bundle.config["linux"]["namespaces"] = new + (
        [{"type": "user"}] if any(n["type"] == "user" for n in bundle.config["linux"]["namespaces"]) else [])
    if not os.path.exists("/proc/self/ns/time"):
        bundle.config["linux"]["namespaces"] = [n for n in bundle.config["linux"]["namespaces"]
                                                if n["type"] != "time"]
    bundle.save()
    t.rt("run", "-d", "-b", bundle.path, bundle.id)
    pid = detached(t, bundle, bundle.id, "sleep", "1000")
    assert namespaces(pid) == namespaces(t.pid(bundle))
    assert os.readlink(f"/proc/{pid}/root") == "/"
    end(pid)


def test_container_with_a_user_namespace(t):
    def own_ids(conf):
        conf["linux"]["namespaces"].append({"type": "user"})
        for name in ("uidMappings", "gidMappings"):
            conf["linux"][name] = [{"containerID": 0, "hostID": 100000, "size": 65536}]

    bundle = running(t, mutate=own_ids)
    pid = detached(t, bundle, "-u", "7:8", bundle.id, "sleep", "1000")
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        status = f.read()
    assert "\nUid:\t100007\t" in status and "\nGid:\t100008\t" in status, status
    assert namespaces(pid) == namespaces(t.pid(bundle))
    end(pid)
    for _ in range(30):   # the keyring of each is charged to a user with a quota of 200
        t.rt("exec", bundle.id, "true")


def test_joined_namespaces_of_another_container(t):
    first = running(t)
    pid = t.pid(first)

    def join(conf):
        conf["linux"]["namespaces"] = [{"type": "mount"}] + [
            {"type": kind, "path": f"/proc/{pid}/ns/{name}"}
            for kind, name in (("pid", "pid"), ("network", "net"), ("ipc", "ipc"), ("uts", "uts"))]
        conf.pop("hostname", None)

    second = running(t, mutate=join)
    other = detached(t, second, second.id, "sleep", "1000")
    assert namespaces(other) == namespaces(t.pid(second))
    end(other)
    t.delete(second, force=True)
    hostside.reap()   # it was a process of the first one's pid namespace, whose init waits for it


@flavors("root", "rootless")
def test_containers_cgroup_is_joined(t):
    bundle = running(t)
    pid = detached(t, bundle, bundle.id, "sleep", "1000")
    with open(f"/proc/{pid}/cgroup", encoding="ascii") as f, \
            open(f"/proc/{t.pid(bundle)}/cgroup", encoding="ascii") as g:
        assert sorted(f) == sorted(g)
    end(pid)


def test_cgroup_option_names_one_below_the_containers(t):
    bundle = running(t)
    dirs = t.cgroup_dirs(bundle)
    for path in dirs.values():
        os.mkdir(os.path.join(path, "sub"))
        for name in ("cpuset.cpus", "cpuset.mems"):   # empty in a new cgroup of v1, which takes no process then
            if os.path.exists(os.path.join(path, name)) and "cpuset" in path.split("/")[4]:
                with open(os.path.join(path, name), encoding="ascii") as f, \
                        open(os.path.join(path, "sub", name), "w", encoding="ascii") as g:
                    g.write(f.read())
    pid = detached(t, bundle, "--cgroup", "sub", bundle.id, "sleep", "1000")
    for path in dirs.values():
        with open(os.path.join(path, "sub", "cgroup.procs"), encoding="ascii") as f:
            assert f.read().split() == [str(pid)], path
    end(pid)
    t.fails("exec", "--cgroup", "missing", bundle.id, "true", has="no cgroup `missing`")
    t.fails("exec", "--cgroup", "../..", bundle.id, "true", has="not below")
    t.fails("exec", "--cgroup", "/../..", bundle.id, "true", has="not below")


def test_delegated_cgroup_is_joined_where_init_is(t):
    """A payload that hands its controllers down leaves no room in the container's own cgroup: EBUSY."""
    bundle = running(t)
    unified = [path for path in t.cgroup_dirs(bundle).values()
               if os.path.exists(os.path.join(path, "cgroup.subtree_control"))]
    if not unified:
        t.skip("the container has no cgroup in a v2 hierarchy")
    path = unified[0]
    with open(os.path.join(path, "cgroup.controllers"), encoding="ascii") as f:
        controllers = f.read().split()
    if not controllers:
        t.skip("no controller is available in the v2 hierarchy")
    inner = os.path.join(path, "init.scope")
    os.mkdir(inner)
    with open(os.path.join(inner, "cgroup.procs"), "w", encoding="ascii") as f:
        f.write(str(t.pid(bundle)))
    with open(os.path.join(path, "cgroup.subtree_control"), "w", encoding="ascii") as f:
        f.write("+" + controllers[0])
    pid = detached(t, bundle, bundle.id, "sleep", "1000")
    with open(os.path.join(inner, "cgroup.procs"), encoding="ascii") as f:
        assert str(pid) in f.read().split()
    end(pid)
    t.fails("exec", "--cgroup", "/", bundle.id, "true", has="busy")


def test_cgroup_manager_disabled_stays_with_the_caller(t):
    bundle = t.bundle(SLEEP)
    t.rt("--cgroup-manager", "disabled", "run", "-d", "-b", bundle.path, bundle.id)
    out = t.rt("--cgroup-manager", "disabled", "exec", bundle.id, "cat", "/proc/self/cgroup").out
    assert bundle.id not in out and out


# ---- states -------------------------------------------------------------------------------------

def test_created_container_takes_processes(t):
    bundle = t.bundle(SLEEP)
    t.create(bundle)
    assert t.rt("exec", bundle.id, "echo", "hello").out == "hello\n"
    t.start(bundle)
    assert t.rt("exec", bundle.id, "echo", "again").out == "again\n"


def test_stopped_container_takes_none(t):
    bundle = t.bundle(["true"])
    t.create(bundle)
    t.start(bundle)
    t.wait_status(bundle, "stopped")
    t.fails("exec", bundle.id, "true", has="container not running: container `")


def test_paused_container_takes_one_only_if_told_so(t):
    if not hostside.has_controller("freezer") and not os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        t.skip("there is no freezer")
    bundle = running(t)
    t.rt("pause", bundle.id)
    t.fails("exec", bundle.id, "true", has="paused")
    child = t.popen("exec", "--ignore-paused", bundle.id, "sh", "-c", "exit 5")
    t.rt("resume", bundle.id)
    assert child.wait(40 * PATIENCE) == 5


def test_init_that_dies_meanwhile_is_an_error_and_no_hang(t):
    bundle = running(t)
    pid = t.pid(bundle)
    stop = threading.Timer(0.2, lambda: os.kill(pid, signal.SIGKILL))
    stop.start()
    for _ in range(200):
        result = t.rt("exec", bundle.id, "true", check=False)
        if result.rc:
            break
    stop.join()
    assert result.rc in (1, 137), result


# ---- descriptors, signals, terminal -------------------------------------------------------------

@flavors("root", "rootless")
def test_only_promised_descriptors_come_along(t):
    bundle = running(t)
    fds = [at(n, b"x") for n in (9, 40, 77)]
    found = probe(t, bundle, "fds", opts=("--preserve-fds", "38"), pass_fds=fds)["fds"]
    assert sorted(int(line.split()[0]) for line in found) == [0, 1, 2, 9, 40], found
    found = probe(t, bundle, "fds", pass_fds=fds)["fds"]
    assert sorted(int(line.split()[0]) for line in found) == [0, 1, 2], found


def test_signals_are_as_new(t):
    bundle = running(t)
    child = t.popen("exec", bundle.id, "probe", "signals", "end",
                    preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1]),
                    stdout=-1)
    out = child.communicate(timeout=40 * PATIENCE)[0]
    found = sections(out.decode() if isinstance(out, bytes) else out)["signals"]
    assert found[:2] == ["blocked", "ignored"], found


def test_signals_are_forwarded(t):
    bundle = running(t, mutate={"root": {"readonly": False}})
    child = t.popen("exec", bundle.id, "sh", "-c",
                    "trap 'exit 9' TERM; touch /tmp/ready; while :; do sleep 0.1; done")
    t.wait_until(lambda: t.rt("exec", bundle.id, "test", "-e", "/tmp/ready", check=False).rc == 0)
    child.send_signal(signal.SIGTERM)
    assert child.wait(40 * PATIENCE) == 9


@flavors("root", "rootless")
def test_foreground_terminal(t):
    bundle = running(t)
    pty = t.pty("exec", "-t", bundle.id, "probe", "session", "winsize", "end", rows=31, cols=97)
    text = pty.expect(rb"(?s).*== end").group().decode()
    found = sections(text.replace("\r", ""))
    assert "31" in " ".join(found["winsize"]) and "97" in " ".join(found["winsize"]), found
    assert fields(found["session"])["ctty"] == "yes", found
    assert pty.wait() == 0


def test_console_socket_gets_the_master(t):
    bundle = running(t)
    sock = t.console_socket()
    size = {"height": 11, "width": 44}
    path = process(t, args=["sh", "-c", "stty size; sleep 1000"], terminal=True, consoleSize=size)
    t.rt("exec", "-d", "-p", path, "--console-socket", sock.path, "--pid-file", t.path("pid"), bundle.id)
    _data, fds = sock.accept()
    assert len(fds) == 1 and os.isatty(fds[0])
    assert b"11 44" in terminals.read_master(fds[0], b"\n")
    with open(t.path("pid"), encoding="ascii") as f:
        end(int(f.read()))
    t.fails("exec", "-d", "-t", bundle.id, "true", has="--console-socket")
    t.fails("exec", "-d", "--console-socket", sock.path, bundle.id, "true", has="no terminal")


def test_console_socket_that_nobody_serves_leaves_nothing(t):
    bundle = running(t)
    t.fails("exec", "-d", "-t", "--console-socket", t.path("none"), "--pid-file", t.path("pid"),
            bundle.id, "sleep", "1000", has="connect")
    assert not os.path.exists(t.path("pid"))
    assert len(t.rt("exec", bundle.id, "ps").out.splitlines()) <= 3


def test_short_output_is_complete(t):
    bundle = running(t)
    for number in range(60):
        assert t.rt("exec", bundle.id, "echo", str(number)).out == f"{number}\n"
    for number in range(20):
        pty = t.pty("exec", "-t", bundle.id, "echo", f"line{number}")
        pty.expect(f"line{number}\r\n".encode())
        assert pty.wait() == 0


MUCH = "i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); done"


def test_terminal_that_is_read_late_loses_nothing(t):
    bundle = running(t)
    master, slave = os.openpty()
    child = t.popen("exec", "-t", bundle.id, "sh", "-c", MUCH, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    # more than all buffers hold is under way, and nobody reads
    time.sleep(0.5)
    assert child.poll() is None
    found = b""
    while len(found) < 3000 * 42:
        found += os.read(master, 65536)
    assert found == b"0123456789012345678901234567890123456789\r\n" * 3000
    assert child.wait(40 * PATIENCE) == 0
    os.close(master)


def test_terminal_that_goes_away_ends_the_command(t):
    bundle = running(t)
    master, slave = os.openpty()
    child = t.popen("exec", "-t", bundle.id, "sh", "-c", "while :; do echo y; done", stdin=slave,
                    stdout=slave, stderr=slave)
    os.close(slave)
    os.read(master, 10)
    os.close(master)
    assert child.wait(40 * PATIENCE) != 0
    t.wait_until(lambda: len(t.rt("ps", bundle.id).out.splitlines()) == 2, "the process to end")


# ---- seccomp and protection ---------------------------------------------------------------------

FILTER = {"linux": {"seccomp": {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}}}


@flavors("root", "rootless")
def test_containers_filter_holds_for_the_process(t):
    bundle = running(t, mutate=FILTER)
    result = t.rt("exec", bundle.id, "mkdir", "/tmp/x", check=False)
    assert result.rc and "Function not implemented" in result.err, result
    stored = os.path.join(t.state_dir, bundle.id, "seccomp.bpf")
    for damage in (b"", b"crunbpf1" + b"\0" * 40, None):
        with open(stored, "rb") as f:
            good = f.read()
        if damage is None:
            os.unlink(stored)
        else:
            with open(stored, "wb") as f:
                f.write(damage)
        result = t.rt("exec", bundle.id, "mkdir", "/tmp/x", check=False)
        assert result.rc and "Function not implemented" in result.err, (damage, result)
        with open(stored, "wb") as f:
            f.write(good)
        os.chown(stored, t.uid, t.gid)


def test_listener_is_told_of_each_process(t):
    """config-linux.md, "The Container Process State": running, when it is not the container's first process."""
    with Listener(t) as listener:
        bundle = notified(t, SLEEP, listener, "mkdir", "mkdirat")
        t.rt("run", "-d", "-b", bundle.path, bundle.id)
        pid = detached(t, bundle, bundle.id, "sleep", "1000")
        t.wait_until(lambda: len(listener.messages) == 2, "a second message to the listener")
        first, second = listener.messages
        assert first["state"]["status"] == "creating" and second["state"]["status"] == "running"
        assert second["pid"] == second["state"]["pid"] == pid, second
        end(pid)


def test_file_below_cwd_cannot_lead_out(t):
    """CVE-2024-21626, with a link that the container prepared."""
    links = "ln -s /proc/self/fd/7 /tmp/work; ln -s /proc/self/fd /tmp/fds; sleep 1000"
    bundle = running(t, args=["sh", "-c", links], mutate={"root": {"readonly": False}})
    t.wait_until(lambda: t.rt("exec", bundle.id, "test", "-L", "/tmp/fds", check=False).rc == 0)
    host = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    try:
        for number in (3, 7, 8, host):
            os.dup2(host, number, inheritable=True) if number != host else os.set_inheritable(host, True)
            for cwd in ("/tmp/work", f"/proc/self/fd/{number}", f"/tmp/fds/{number}"):
                t.fails("exec", "--cwd", cwd, bundle.id, "true", has="chdir to", pass_fds=[number])
    finally:
        os.close(host)


def test_container_root_cannot_look_into_the_joining_process(t):
    """CVE-2016-9962: nothing of the host is there to be seen, from the first instruction on."""
    spy = ("while :; do for p in /proc/[0-9]*; do [ $p = /proc/1 ] || "
           "for f in $p/root $p/cwd $p/exe $p/fd/*; do readlink $f; done; done; done > /tmp/seen 2>/dev/null")
    bundle = running(t, args=["sh", "-c", spy], mutate={"root": {"readonly": False}})
    seen = set()

    def look():
        t.rt("exec", bundle.id, "true")
        with open(os.path.join(bundle.rootfs, "tmp/seen"), encoding="utf-8") as f:
            seen.update(f.read().split("\n")[:-1])   # the last line may be half a one
        return "/" in seen and len(seen) > 3

    for _ in range(40):
        look()
    t.wait_until(look, "the spy has seen something")
    harmless = r"(/|/bin/\w+|/tmp/seen|(pipe|socket|anon_inode|net|mnt):.*|/dev/null|/proc(/.*)?|/memfd:.*|/.*/out\d*|)"
    strange = [line for line in seen if not re.fullmatch(harmless, line) and t.dir not in line]
    assert not strange, strange


def test_failures_leave_no_process(t):
    bundle = running(t)
    before = set(hostside.descendants(os.getpid()))
    for opts in (["--cwd", "/missing"], ["-u", "99:99", "--cwd", "/root/none"], []):
        t.fails("exec", *opts, bundle.id, "nosuch", has="No such file")
    assert set(hostside.descendants(os.getpid())) <= before


def test_exec_affinity(t):
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        t.skip("there is one CPU only")
    bundle = running(t)
    for affinity, want in (({"initial": str(cpus[0])}, {cpus[0]}), ({"final": str(cpus[1])}, {cpus[1]}),
                           ({"initial": str(cpus[0]), "final": str(cpus[1])}, {cpus[1]})):
        pid = detached(t, bundle, "-p", process(t, args=["sleep", "1000"], execCPUAffinity=affinity),
                       bundle.id)
        assert os.sched_getaffinity(pid) == want, affinity
        end(pid)
    child = t.popen("exec", bundle.id, "sleep", "1000",
                    preexec_fn=lambda: os.sched_setaffinity(0, {cpus[0]}))

    def sleeps_on_all(pid):
        with open(f"/proc/{pid}/comm", encoding="utf-8") as comm:
            return comm.read() == "sleep\n" and len(os.sched_getaffinity(pid)) > 1

    t.wait_until(lambda: any(sleeps_on_all(p) for p in json.loads(
        t.rt("ps", "--format", "json", bundle.id).out) if p != t.pid(bundle)))
    child.send_signal(signal.SIGTERM)
    assert child.wait(40 * PATIENCE) == 143


def test_interrupted_command_leaves_nothing(t):
    """A process that stands still while it sets itself up: the runtime gives up by a signal and by --timeout."""
    if not hostside.has_controller("freezer") and not os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        t.skip("there is no freezer")
    bundle = running(t)
    t.rt("pause", bundle.id)
    result = t.rt("--timeout", "1", "exec", "--ignore-paused", "--pid-file", t.path("pid"), bundle.id,
                  "true", check=False, timeout=60)
    assert result.rc and "not done after" in result.err, result
    assert not os.path.exists(t.path("pid")) and "has not ended" not in result.err, result
    # Gone before the container goes on, also on cgroup v1, where what is frozen does not die of SIGKILL.
    t.wait_until(hostside.reaped(lambda: len(t.rt("ps", bundle.id).out.splitlines()) == 2))
    assert t.state(bundle)["status"] == "paused"
    t.rt("resume", bundle.id)
    assert t.rt("exec", bundle.id, "echo", "on").out == "on\n"
