# SPDX-License-Identifier: Apache-2.0
"""Short sequences in the shape in which engines call: what they rely on from end to end."""

import array
import json
import os
import select
import shutil
import signal
import socket
import time

import hostside
from harness import PATIENCE, flavors, one_json_line, rfc3339
from test_fds import at
from test_lifecycle import SLEEP, no_pid_namespace, running, stopped
from test_process_tree import stat_fields
from test_run import hook


def general(t, name="log.json"):
    return ["--log", t.path(name), "--log-format", "json"]


def log_entries(path):
    with open(path, encoding="utf-8") as source:
        return [json.loads(line) for line in source]


# ---- 3: unknown containers ----------------------------------------------------------------------

@flavors("root", "rootless")
def test_recipe_3_unknown_container(t):
    for number, args in enumerate((["kill", "nope", "9"], ["delete", "nope"])):
        t.fails(*general(t, f"log{number}"), *args, has="does not exist")
        entry = one_json_line(t.path(f"log{number}"))
        assert entry["level"] == "error" and rfc3339(entry["time"]), entry
    result = t.rt(*general(t, "none"), "delete", "--force", "nope")
    assert result.out == result.err == "" and os.path.getsize(t.path("none")) == 0, result


# ---- 5: create under a subreaper ----------------------------------------------------------------

@flavors("root", "rootless")
def test_recipe_5_create_as_conmon_and_the_shim_call_it(t):
    pipes = [os.pipe(), os.pipe()]
    bundle = t.bundle(SLEEP)
    t.create(bundle, "--pid-file", t.path("pid"), stdout=pipes[0][1], stderr=pipes[1][1])
    for read_end, write_end in pipes:
        os.close(write_end)
        assert not select.select([read_end], [], [], 0)[0], "something was written, or it is closed"
    with open(t.path("pid"), "rb") as source:
        digits = source.read()
    assert digits.isdigit(), digits
    pid = int(digits)
    assert stat_fields(pid) == (os.getpid(), pid, pid), "parent, process group, session"
    before = open(f"/proc/{pid}/cgroup", encoding="ascii").read()
    fds = lambda: sorted(int(n) for n in os.listdir(f"/proc/{pid}/fd"))
    # Init tells that it is ready before it closes what it told that with.
    t.wait_until(lambda: len(fds()) <= 4, "init to hold its standard streams and the gate only")
    assert fds()[:3] == [0, 1, 2]
    t.start(bundle)
    assert open(f"/proc/{pid}/cgroup", encoding="ascii").read() == before
    assert sorted(os.listdir(f"/proc/{pid}/fd")) == ["0", "1", "2"]
    for read_end, _write_end in pipes:
        os.close(read_end)


def test_pid_file_that_was_there_before(t):
    """CRI-O makes it empty beforehand; BuildKit polls for it and parses at once."""
    bundle = t.bundle(SLEEP)
    path = t.file("pid", "")
    inode = os.stat(path).st_ino
    t.create(bundle, "--pid-file", path)
    assert os.stat(path).st_ino != inode, "written in place: a reader could see half of it"
    assert open(path, "rb").read() == str(t.pid(bundle)).encode()
    other = t.bundle(["nosuch"])
    t.file("theirs", "")
    t.fails("create", "-b", other.path, "--pid-file", t.path("theirs"), other.id)
    assert os.path.getsize(t.path("theirs")) == 0
    assert [n for n in os.listdir(t.dir) if n.endswith(".tmp")] == []


# ---- 6: a create that fails ---------------------------------------------------------------------

@flavors("root", "rootless")
def test_recipe_6_failed_create_leaves_nothing_and_the_id_is_free(t):
    cases = (({"args": ["nosuch"]}, "executable file `nosuch` not found in $PATH"),
             ({"args": ["/etc"]}, "the path `/etc` is not a regular file"),
             ({"args": [""]}, "cannot find `` in $PATH"),
             ({"args": ["true"], "cwd": "/missing"}, "chdir to `/missing`"))
    bundle = t.bundle()
    for change, text in cases:
        bundle.config["process"].update(change)
        bundle.save()
        t.fails("create", "-b", bundle.path, bundle.id, has=text)
        t.assert_no_trace(bundle)
    bundle.config["process"].update(args=["true"], cwd="/")
    bundle.save()
    t.create(bundle)
    t.start(bundle)


# ---- 9: a stopped container ---------------------------------------------------------------------

@flavors("root", "rootless")
def test_recipe_9_stopped_container(t):
    bundle = stopped(t)
    assert t.state(bundle)["status"] == t.state(bundle)["status"] == "stopped"
    t.fails("kill", bundle.id, "9", has=["container not running", "no such process"])
    t.kill(bundle, "9", opts=["--all"])
    t.delete(bundle)
    t.fails("delete", bundle.id, has="does not exist")
    t.delete(bundle, force=True)


def test_recipe_9_zombie_of_the_caller(t):
    """containerd deletes right after init's end, while others of a shared pid namespace linger."""
    bundle = running(t, "sleep 1000 & exec sleep 1000", mutate=no_pid_namespace)
    os.kill(t.pid(bundle), signal.SIGKILL)
    t.wait_status(bundle, "stopped")
    t.delete(bundle)
    t.assert_no_trace(bundle)


# ---- 10: sockets that receive descriptors -------------------------------------------------------

def received(sock):
    """The data and the descriptors of the one message on a connection that ends behind it."""
    connection, _address = sock.accept()
    data, ancillary, _flags, _from = connection.recvmsg(4096, socket.CMSG_SPACE(16 * 4))
    fds = array.array("i")
    for _level, _type, raw in ancillary:
        fds.frombytes(raw[:len(raw) - len(raw) % fds.itemsize])
    assert connection.recv(1) == b"", "more than one message"
    connection.close()
    return data, list(fds)


def listener(t, name):
    """A socket that accepts nobody until the caller does; its path may be long."""
    sock, here = socket.socket(socket.AF_UNIX), os.open(t.dir, os.O_PATH)
    path = t.path(name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    inside = os.open(os.path.dirname(path), os.O_PATH)
    sock.bind(f"/proc/self/fd/{inside}/{os.path.basename(path)}")
    os.close(inside)
    os.close(here)
    sock.listen(4)
    return sock, path


def test_recipe_10_console_socket(t):
    for name in ("console", "d" * 200 + "/console"):
        sock, path = listener(t, name)
        bundle = t.bundle(SLEEP, mutate={"process": {"terminal": True}})
        t.create(bundle, "--console-socket", path)
        data, fds = received(sock)
        assert 1 <= len(data) <= 4095 and len(fds) == 1, (data, fds)
        assert os.isatty(fds[0])
        os.close(fds[0])
        sock.close()


def test_pidfd_socket(t):
    """The same for --pidfd-socket, which comes before the annotation."""
    for verb in (["create"], ["run", "--detach"]):
        for name in ("pidfd" + verb[0], "p" * 200 + f"/{verb[0]}"):
            sock, path = listener(t, name)
            bundle = t.bundle(SLEEP, mutate={
                "annotations": {"run.oci.pidfd_receiver": "/no/such/socket"}})
            t.rt(*verb, "-b", bundle.path, "--pidfd-socket", path, bundle.id)
            data, fds = received(sock)
            assert 1 <= len(data) <= 4095 and len(fds) == 1, (data, fds)
            with open(f"/proc/self/fdinfo/{fds[0]}", encoding="ascii") as source:
                text = source.read()
            assert f"Pid:\t{t.pid(bundle)}\n" in text, text
            assert not select.select(fds, [], [], 0)[0], "it has ended already"
            t.kill(bundle, "KILL")
            assert select.select(fds, [], [], 10 * PATIENCE)[0]
            os.close(fds[0])
            sock.close()
            t.delete(bundle, force=True)


def test_pidfd_socket_that_nobody_listens_to(t):
    for path in (t.path("nobody"), t.file("file")):
        bundle = t.bundle(SLEEP)
        t.fails("create", "-b", bundle.path, "--pidfd-socket", path, bundle.id, has=path)
        t.assert_no_trace(bundle)


# ---- 11: the log --------------------------------------------------------------------------------

def test_recipe_11_each_failure_is_one_line_and_one_write(t):
    bundle = t.bundle(["nosuch"])
    for count in (1, 2):
        read_end, write_end = os.pipe2(os.O_DIRECT)   # a packet for each write
        t.rt(*general(t), "create", "-b", bundle.path, bundle.id, check=False, stderr=write_end)
        os.close(write_end)
        packet = os.read(read_end, 65536)
        assert b"`nosuch` not found" in packet and packet.endswith(b"\n"), packet
        assert os.read(read_end, 65536) == b"", "a second write, or somebody holds stderr"
        os.close(read_end)
        entries = log_entries(t.path("log.json"))
        assert len(entries) == count and all(e["level"] == "error" for e in entries), entries


def test_one_write_for_every_kind_of_failure(t):
    bundle = running(t)
    broken = t.bundle(mutate={"hooks": {"createRuntime": hook("echo words >&2; exit 3")}})
    for args in (["state", "nope"], ["frobnicate"], ["run"], ["--nonsense", "list"],
                 ["create", "-b", broken.path, broken.id], ["delete", bundle.id],
                 ["start", bundle.id], ["restore", "--help"], ["kill", bundle.id, "NOSIGNAL"]):
        read_end, write_end = os.pipe2(os.O_DIRECT)
        log = f"log{t.counter}"
        result = t.rt(*general(t, log), *args, check=False, stderr=write_end)
        os.close(write_end)
        packets = [p for p in iter(lambda: os.read(read_end, 65536), b"")]
        os.close(read_end)
        ours = [p for p in packets if p.startswith(b"crun: ")]
        assert result.rc != 0 and len(ours) == 1, (args, packets)
        entry = one_json_line(t.path(log))
        assert entry["level"] == "error" and entry["msg"].encode() in ours[0], (entry, ours)


class Service:
    """A datagram socket at a path of the host that is the test's own for the time of the test."""

    def __init__(self, t, directory, name):
        t.mount("tmpfs", directory, "tmpfs")
        path = os.path.join(directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(path)
        os.chmod(path, 0o666)

    def messages(self):
        found = []
        while select.select([self.sock], [], [], 0.1)[0]:
            found.append(self.sock.recv(65536))
        return found


def test_log_to_the_journal(t):
    """Its native protocol, at the socket that systemd has; one entry for each failure."""
    journal = Service(t, "/run", "systemd/journal/socket")
    t.fails("--log=journald:some-id", "state", "nope", has="does not exist")
    entries = journal.messages()
    assert len(entries) == 1, entries
    lines = entries[0].decode().splitlines()
    assert "SYSLOG_IDENTIFIER=some-id" in lines and "PRIORITY=3" in lines, lines
    assert any(x.startswith("MESSAGE=") and "`nope` does not exist" in x for x in lines), lines
    t.rt("--log=journald:some-id", "list")
    assert journal.messages() == []


def test_log_to_a_journal_that_is_not_there(t):
    t.mount("tmpfs", "/run", "tmpfs")
    bundle = t.bundle()
    result = t.rt("--log=journald:some-id", "--debug", "run", "-b", bundle.path, bundle.id)
    assert result.err == "", result
    t.fails("--log=journald:some-id", "state", "nope", has="`nope` does not exist")


def test_log_that_several_commands_share_is_appended_to(t):
    """BuildKit has one for all of its containers."""
    bundles = [t.bundle(["nosuch"]) for _n in range(6)]
    children = [t.popen(*general(t), "create", "-b", b.path, b.id, stderr=-3) for b in bundles]
    assert all(c.wait(40 * PATIENCE) not in (0, None) for c in children)
    assert len(log_entries(t.path("log.json"))) == len(bundles)


# ---- 13: run --keep -----------------------------------------------------------------------------

def test_recipe_13_run_keep(t):
    read_end, write_end = os.pipe()
    bundle = t.bundle("exit 5")
    result = t.rt(*general(t), "run", "--bundle", bundle.path, "--keep", bundle.id,
                  stdin=read_end, check=False)
    assert result.rc == 5 and result.err == "", result
    state = t.state(bundle)
    assert state["status"] == "stopped" and os.path.isabs(state["rootfs"]), state
    assert t.cgroup_dirs(bundle), "BuildKit reads memory.events there"
    t.fails("run", "--bundle", bundle.path, "--keep", bundle.id, has="already exists")
    t.delete(bundle)
    t.assert_no_trace(bundle)
    os.close(read_end)
    os.close(write_end)


def test_run_keep_after_a_failure_keeps_nothing(t):
    bundle = t.bundle(["nosuch"])
    t.fails("run", "--keep", "-b", bundle.path, bundle.id)
    t.assert_no_trace(bundle)


# ---- deletes that meet --------------------------------------------------------------------------

def ends(children):
    return [child.wait(40 * PATIENCE) for child in children]


def test_two_forced_deletes_at_once(t):
    for _n in range(8):
        bundle = running(t)
        children = [t.popen("delete", "--force", bundle.id, stderr=-1) for _k in range(3)]
        assert ends(children) == [0, 0, 0], [c.stderr.read() for c in children]
        t.assert_no_trace(bundle)
        hostside.reap()


def test_two_plain_deletes_at_once(t):
    for _n in range(8):
        bundle = stopped(t)
        children = [t.popen("delete", bundle.id, stderr=-1) for _k in range(2)]
        assert sorted(ends(children)) == [0, 1], "one of them comes too late"
        texts = b"".join(c.stderr.read() for c in children)
        assert b"does not exist" in texts, texts
        t.assert_no_trace(bundle)


def test_forced_delete_while_start_runs(t):
    for _n in range(5):
        bundle = t.bundle(SLEEP, mutate={"hooks": {"poststart": hook("sleep 0.05")}})
        t.create(bundle)
        start = t.popen("start", bundle.id, stderr=-1)
        result = t.delete(bundle, force=True)
        assert result.err == "", result
        assert start.wait(40 * PATIENCE) in (0, 1), start.stderr.read()
        t.assert_no_trace(bundle)


def test_forced_delete_while_create_runs(t):
    for pause in (0, 0.005, 0.02, 0.05):
        bundle = t.bundle(SLEEP, mutate={"hooks": {"createRuntime": hook("sleep 0.2")}})
        create = t.popen("create", "-b", bundle.path, bundle.id, stderr=-1)
        time.sleep(pause)
        t.delete(bundle, force=True)
        create.wait(40 * PATIENCE)
        t.delete(bundle, force=True)
        t.assert_no_trace(bundle)


def test_forced_delete_of_what_a_killed_create_left(t):
    # A hook of the host does not die with the runtime: this one ends when that has.
    begun = t.path("begun")
    bundle = t.bundle(SLEEP, mutate={"hooks": {"createRuntime": hook(
        f"echo >{begun}; while kill -0 $PPID; do sleep 0.01; done 2>/dev/null")}})
    create = t.popen("create", "-b", bundle.path, bundle.id)
    t.wait_until(lambda: os.path.exists(begun), "the hook")
    assert t.cgroup_dirs(bundle), "the test is void"
    create.send_signal(signal.SIGKILL)
    create.wait()
    result = t.delete(bundle, force=True)
    assert result.out == result.err == "", result
    t.assert_no_trace(bundle)


# ---- descriptors, signals, streams --------------------------------------------------------------

def test_podman_passes_the_sockets_of_systemd_twice(t):
    """LISTEN_FDS of a unit and --preserve-fds, the same number; what follows is conmon's own."""
    fds = [at(n, b"x") for n in (3, 4, 5, 6)]
    bundle = t.bundle(["probe", "fds", "env"], mutate={"process": {"env": [
        "PATH=/bin", "LISTEN_PID=1", "LISTEN_FDS=2", "LISTEN_FDNAMES=a:b"]}})
    result = t.run_container(bundle, "--preserve-fds", "2", env={"LISTEN_FDS": "2"}, pass_fds=fds)
    assert [int(x.split()[0]) for x in result.probe["fds"]] == [0, 1, 2, 3, 4], result
    listen = sorted(x for x in result.probe["env"] if x.startswith("LISTEN"))
    assert listen == ["LISTEN_FDNAMES=a:b", "LISTEN_FDS=2", "LISTEN_PID=1"], result


def test_listen_fds_with_holes(t):
    fds = [at(4, b"four")]
    result = t.run_container(t.bundle(["probe", "fds", "env"]), env={"LISTEN_FDS": "3"},
                             pass_fds=fds)
    assert [int(x.split()[0]) for x in result.probe["fds"]] == [0, 1, 2, 4], result
    assert {"LISTEN_FDS=3", "LISTEN_PID=1"} <= set(result.probe["env"]), result


def test_payload_may_reopen_its_streams(t):
    """Pipes that belong to somebody else, as those of containerd's shim do."""
    pipe = os.pipe()
    os.fchown(pipe[1], 4321, 4321)
    os.fchmod(pipe[1], 0o600)
    bundle = t.bundle("echo reopened >/dev/stdout", mutate={
        "process": {"user": {"uid": 1000, "gid": 1000}, "capabilities": None}})
    result = t.run_container(bundle, stdout=pipe[1])
    os.close(pipe[1])
    assert os.read(pipe[0], 100) == b"reopened\n" and result.err == "", result
    os.close(pipe[0])


# ---- names that ask for a handler ---------------------------------------------------------------

def test_name_of_a_handler_is_refused(t):
    """Podman's --runtime krun: without the virtual machine it must not run at all."""
    bundle = t.bundle("echo ran")
    for name, known in (("krun", True), ("crun-wasm", True), ("crun-1.30-linux-amd64", False),
                        ("crun", False)):
        where = t.mkdir("bin")
        shutil.copy(t.runtime, os.path.join(where, name))
        argv = [os.path.join(where, name), "--root", t.state_dir, "run", "-b", bundle.path,
                bundle.id]
        if known:
            result = t.fails(argv=argv, has="handler")
            assert result.out == "", result
            t.assert_no_trace(bundle)
        else:
            assert t.rt(argv=argv).out == "ran\n"


# ---- 15 and environment -------------------------------------------------------------------------

def test_start_kill_and_delete_need_nothing_but_the_state(t):
    """Podman gives XDG_RUNTIME_DIR only; bundle and rootfs may be unmounted by then."""
    bundle = t.bundle(SLEEP)
    t.create(bundle)
    os.unlink(os.path.join(bundle.path, "config.json"))
    os.rename(bundle.path, bundle.path + "-moved")
    for args in (["start", bundle.id], ["state", bundle.id], ["pause", bundle.id],
                 ["resume", bundle.id], ["kill", bundle.id, "9"],
                 ["delete", "--force", bundle.id]):
        assert t.rt(*args, only_env={"XDG_RUNTIME_DIR": ""}, cwd="/").err == ""
