# SPDX-License-Identifier: Apache-2.0
"""SCMP_ACT_NOTIFY: the listener gets the descriptor and answers system calls in the kernel's place."""

import base64
import errno
import fcntl
import json
import os
import platform
import select
import socket
import struct
import threading
import time

import hostside
from harness import PATIENCE, flavors

# asm/unistd.h
CALLS = {"x86_64": {"getppid": 110, "mkdir": 83, "mkdirat": 258, "execve": 59, "futex": 202},
         "aarch64": {"getppid": 173, "mkdirat": 34, "execve": 221, "futex": 98}}
NUMBERS = CALLS.get(platform.machine(), {})
MKDIR = ["mkdir", "mkdirat"]

# linux/seccomp.h: _IOWR('!', 0, struct seccomp_notif), _IOWR('!', 1, struct seccomp_notif_resp)
NOTIF, RESPONSE = struct.Struct("=QIIiIQ6Q"), struct.Struct("=QqiI")
NOTIF_RECV = 3 << 30 | NOTIF.size << 16 | ord("!") << 8 | 0
NOTIF_SEND = 3 << 30 | RESPONSE.size << 16 | ord("!") << 8 | 1
CONTINUE = 1   # SECCOMP_USER_NOTIF_FLAG_CONTINUE


class Listener:
    """Accepts connections; answers what the filters report: {name: value, -errno or "continue"}."""

    def __init__(self, t, name="seccomp.sock", answers=None):
        if not NUMBERS:
            t.skip("the numbers of this architecture's system calls are not in the test")
        self.path = t.path(name)
        self.answers = {NUMBERS[k]: v for k, v in (answers or {}).items() if k in NUMBERS}
        self.t, self.messages, self.asked, self.trouble = t, [], [], []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.bind(self.path)
        os.chown(self.path, t.uid, t.gid)
        self.socket.listen(8)
        self.stop_read, self.stop_write = os.pipe()
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        os.write(self.stop_write, b"x")
        self.thread.join(10)
        assert not self.thread.is_alive()
        self.socket.close()
        os.unlink(self.path)
        os.close(self.stop_read)
        os.close(self.stop_write)
        assert not self.trouble, self.trouble

    def serve(self):
        try:
            self.loop()
        except Exception as problem:   # pylint: disable=broad-except
            self.trouble.append(repr(problem))

    def loop(self):
        poll, fds = select.poll(), set()
        poll.register(self.socket, select.POLLIN)
        poll.register(self.stop_read, select.POLLIN)
        while True:
            for fd, event in poll.poll():
                if fd == self.stop_read:
                    for each in fds:
                        os.close(each)
                    return
                if fd == self.socket.fileno():
                    new = self.accept()
                    fds.add(new)
                    poll.register(new, select.POLLIN)
                elif event & select.POLLIN:
                    self.answer(fd)
                else:
                    poll.unregister(fd)
                    fds.discard(fd)
                    os.close(fd)

    def accept(self):
        peer, _address = self.socket.accept()
        with peer:
            peer.settimeout(10)
            text, fds, _flags, _from = socket.recv_fds(peer, 65536, 8)
            while True:
                more, others, _flags, _from = socket.recv_fds(peer, 65536, 8)
                assert not others, "descriptors belong to the first message"
                if not more:
                    break
                text += more
        assert len(fds) == 1, fds
        self.messages.append(json.loads(text))
        return fds[0]

    def answer(self, fd):
        buffer = bytearray(NOTIF.size)
        try:
            fcntl.ioctl(fd, NOTIF_RECV, buffer)
            number, _pid, _flags, call = NOTIF.unpack(buffer)[:4]
            self.asked.append(call)
            value, error, flags = 0, 0, 0
            answer = self.answers.get(call, "continue")
            if answer == "continue":
                flags = CONTINUE
            elif answer < 0:
                error = answer
            else:
                value = answer
            fcntl.ioctl(fd, NOTIF_SEND, RESPONSE.pack(number, value, error, flags))
        except OSError as problem:
            # The caller was killed meanwhile.
            if problem.errno != errno.ENOENT:
                raise

    def message(self):
        """The only one.  It was sent before the runtime returned, but we may not have read it yet."""
        self.t.wait_until(lambda: self.messages, "a message to the listener")
        assert len(self.messages) == 1, self.messages
        return self.messages[0]

    def count(self, name):
        return self.asked.count(NUMBERS[name])


def notified(t, args, listener, *names, default="SCMP_ACT_ALLOW", rules=(), **more):
    """A bundle whose filter notifies `listener` (an object, a path or None) of these calls."""
    path = getattr(listener, "path", listener)
    seccomp = {"defaultAction": default, "syscalls": list(rules)}
    if names:
        seccomp["syscalls"].append({"names": list(names), "action": "SCMP_ACT_NOTIFY"})
    if path:
        seccomp["listenerPath"] = path
    seccomp.update(more)
    bundle = t.bundle(args, mutate={"linux": {"seccomp": seccomp}})
    bundle.config["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"})
    return bundle.save()


def ppid_of(text):
    """What /bin/probe got from getppid(2)."""
    return [line for line in text.split("\n") if line.startswith("ppid ")]


@flavors("root", "rootless")
def test_run_is_answered_by_the_listener(t):
    with Listener(t, answers={"getppid": 4711}) as listener:
        result = t.run_container(notified(t, ["probe", "session"], listener, "getppid"))
        assert ppid_of(result.out) == ["ppid 4711"] and result.err == "", result
        assert listener.count("getppid") == len(listener.asked) == 1, listener.asked


@flavors("root", "rootless")
def test_create_and_start_are_answered_by_the_listener(t):
    with Listener(t, answers={"mkdir": 0, "mkdirat": 0}) as listener:
        bundle = notified(t, "mkdir /tmp/x && ls /tmp | wc -l >/dev/shm/n; sleep 1000", listener,
                          *MKDIR)
        t.create(bundle)
        # Told while it was created, by a runtime that has gone since.
        assert listener.message() and not listener.asked, listener.asked
        pid = t.pid(bundle)
        t.start(bundle)
        seen = f"/proc/{pid}/root/dev/shm/n"
        t.wait_until(lambda: os.path.exists(seen) and open(seen, encoding="ascii").read() == "0\n",
                     "a mkdir that did not happen")
        assert t.pid(bundle) == pid
        assert len(os.listdir(f"/proc/{pid}/task")) == 1, "the thread is the process"
        t.delete(bundle, force=True)


@flavors("root", "rootless")
def test_errors_are_the_listeners(t):
    with Listener(t, answers={"mkdir": -errno.EXDEV, "mkdirat": -errno.EXDEV}) as listener:
        result = t.run_container(notified(t, "mkdir /tmp/x", listener, *MKDIR), check=False)
        assert result.rc == 1 and "Invalid cross-device link" in result.err, result


def test_the_container_process_state_is_that_of_the_specification(t):
    with Listener(t) as listener:
        bundle = notified(t, ["sleep", "1000"], listener, "getppid",
                          listenerMetadata="KEY=\"value\";\u00e4")
        bundle.config["annotations"] = {"my.key": "my/value"}
        bundle.save()
        t.create(bundle)
        pid = t.pid(bundle)
        state = listener.message().pop("state")
        assert listener.message() == {
            "ociVersion": bundle.config["ociVersion"], "fds": ["seccompFd"], "pid": pid,
            "metadata": "KEY=\"value\";\u00e4"}, listener.messages
        assert state["status"] == "creating" and state["id"] == bundle.id, state
        assert state["pid"] == pid and state["bundle"] == os.path.realpath(bundle.path), state
        assert state["annotations"] == {"my.key": "my/value"}, state
        assert state["ociVersion"] == bundle.config["ociVersion"], state
        t.delete(bundle, force=True)


def test_large_annotations_arrive_whole(t):
    with Listener(t) as listener:
        bundle = notified(t, ["true"], listener, "getppid")
        bundle.config["annotations"] = {"big": "x" * 400000}
        bundle.save()
        t.run_container(bundle)
        assert len(listener.message()["state"]["annotations"]["big"]) == 400000


def test_without_metadata_there_is_none(t):
    with Listener(t) as listener:
        t.run_container(notified(t, ["true"], listener, "getppid"))
        assert "metadata" not in listener.message(), listener.messages


@flavors("root", "rootless")
def test_missing_listener_fails_create_and_leaves_nothing(t):
    for path in (t.path("nobody"), t.file("no-socket")):
        bundle = notified(t, ["true"], path, "getppid")
        for verb in ("create", "run"):
            t.fails(verb, "-b", bundle.path, bundle.id, has=[path, "listener"])
            t.assert_no_trace(bundle)


def test_listener_that_hangs_up_fails_create_and_leaves_nothing(t):
    path = t.path("deaf.sock")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.bind(path)
    sock.listen(1)

    def hang_up():
        peer, _ = sock.accept()
        peer.close()
    thread = threading.Thread(target=hang_up)
    thread.start()
    # The hook gives it time to do so before the message is sent.
    bundle = notified(t, ["true"], path, "getppid")
    bundle.config["hooks"] = {"createRuntime": [{"path": "/bin/sleep", "args": ["sleep", "0.3"]}]}
    bundle.save()
    t.fails("create", "-b", bundle.path, bundle.id, has="listener", code="SECCOMP_LISTENER")
    thread.join()
    sock.close()
    t.assert_no_trace(bundle)


def test_paths_of_listeners_are_absolute(t):
    for more in ({"listenerPath": "seccomp.sock"}, {"listenerPath": ""}):
        bundle = notified(t, ["true"], None, "getppid", **more)
        t.fails("run", "-b", bundle.path, bundle.id, has=["/linux/seccomp/listenerPath", "absolute"],
                code="SECCOMP_PROFILE")
    bundle = notified(t, ["true"], None, "getppid")
    t.fails("run", "-b", bundle.path, bundle.id, env={"RUN_OCI_SECCOMP_RECEIVER": "seccomp.sock"},
            has="absolute")
    bundle.config["annotations"] = {"run.oci.seccomp.receiver": "seccomp.sock"}
    bundle.save()
    t.fails("run", "-b", bundle.path, bundle.id, has=["/annotations/run.oci.seccomp.receiver",
                                                      "absolute"])
    t.assert_no_trace(bundle)


def test_long_paths_of_listeners_work(t):
    t.mkdir("d" * 120)
    with Listener(t) as listener:
        os.symlink(listener.path, t.path("d" * 120, "link"))
        t.run_container(notified(t, ["true"], t.path("d" * 120, "link"), "getppid"))
        assert listener.message()


def test_annotation_and_environment_name_the_listener_too(t):
    with Listener(t, answers={"getppid": 4712}) as one, \
            Listener(t, "other.sock", answers={"getppid": 4713}) as other:
        by_environment = {"RUN_OCI_SECCOMP_RECEIVER": other.path}
        bundle = notified(t, ["probe", "session"], None, "getppid")
        assert ppid_of(t.run_container(bundle, env=by_environment).out) == ["ppid 4713"]
        bundle.config["annotations"] = {"run.oci.seccomp.receiver": one.path}
        bundle.save()
        assert ppid_of(t.run_container(bundle, env=by_environment).out) == ["ppid 4712"]
        # The configuration's own field comes first.
        bundle.config["linux"]["seccomp"]["listenerPath"] = other.path
        bundle.save()
        assert ppid_of(t.run_container(bundle).out) == ["ppid 4713"]


def test_validate_knows_where_listeners_are_named(t):
    bundle = notified(t, ["true"], None, "getppid")
    result = t.rt("validate", "--bundle", bundle.path, check=False)
    assert result.rc == 1 and "needs a listenerPath" in result.out, result
    t.rt("validate", "--bundle", bundle.path, env={"RUN_OCI_SECCOMP_RECEIVER": "/run/x"})


def test_without_the_action_the_path_is_ignored(t):
    bundle = notified(t, ["true"], t.path("nobody"),
                      rules=[{"names": MKDIR, "action": "SCMP_ACT_ERRNO"}])
    t.run_container(bundle)


@flavors("root", "rootless")
def test_everything_may_be_notified(t):
    # Also what init itself needs before the payload runs.
    with Listener(t) as listener:
        bundle = notified(t, "echo hello; mkdir /tmp/x", listener, default="SCMP_ACT_NOTIFY")
        assert t.run_container(bundle).out == "hello\n"
        assert listener.count("execve") >= 1, listener.asked
        t.create(bundle)
        t.start(bundle)
        t.wait_status(bundle, "stopped")
        t.delete(bundle)


def test_init_is_not_under_the_filter(t):
    # accept4, sendmsg, clone and the like are forbidden to the payload, not to us.
    with Listener(t) as listener:
        forbidden = ["accept", "accept4", "sendmsg", "recvmsg", "clone", "clone3", "vfork", "fork",
                     "seccomp", "prctl", "setrlimit", "tgkill", "pipe2", "wait4", "close_range"]
        bundle = notified(t, ["probe", "session"], listener, "getppid", rules=[
            {"names": forbidden, "action": "SCMP_ACT_KILL_PROCESS"}])
        bundle.config["hooks"] = {"startContainer": [{"path": "/bin/true"}]}
        bundle.save()
        t.create(bundle)
        t.start(bundle)
        t.wait_status(bundle, "stopped")
        assert listener.count("getppid") == 1, listener.asked
        t.delete(bundle)


@flavors("root", "rootless")
def test_filter_needs_no_new_privileges_nor_the_capability(t):
    for nnp in (True, False):
        with Listener(t, answers={"getppid": 4711}) as listener:
            bundle = notified(t, ["probe", "session", "status"], listener, "getppid")
            bundle.config["process"]["noNewPrivileges"] = nnp
            bundle.save()
            result = t.run_container(bundle)
            assert ppid_of(result.out) == ["ppid 4711"], (nnp, result)
            assert "\nSeccomp:\t2\n" in result.out, result
            assert f"\nNoNewPrivs:\t{int(nnp)}\n" in result.out, result


def test_without_futex_it_works_all_the_same(t):
    with Listener(t, answers={"getppid": 4711}) as listener:
        hostside.needs_userfaultfd(t)
        bundle = notified(t, ["probe", "session"], listener, "getppid", rules=[
            {"names": ["futex", "sched_yield"], "action": "SCMP_ACT_ERRNO"}])
        assert ppid_of(t.run_container(bundle).out) == ["ppid 4711"]


def test_waiting_payload_needs_no_system_call(t):
    """Its thread is under a filter that forbids each wait: it sleeps all the same, until start."""
    waits = ["futex", "sched_yield", "nanosleep", "clock_nanosleep"]
    for action in ("SCMP_ACT_ERRNO", "SCMP_ACT_NOTIFY"):
        with Listener(t, answers={"getppid": 4711}) as listener:
            hostside.needs_userfaultfd(t)
            bundle = notified(t, ["probe", "session"], listener, "getppid", rules=[
                {"names": waits, "action": action}])
            t.create(bundle)
            pid = t.pid(bundle)
            before = hostside.cpu_ticks(pid)
            time.sleep(0.7)
            # A hundredth of a second each: one that turns in circles takes seventy.
            assert hostside.cpu_ticks(pid) - before <= 5, hostside.cpu_ticks(pid) - before
            t.start(bundle)
            t.wait_status(bundle, "stopped")
            assert NUMBERS["futex"] not in listener.asked or action == "SCMP_ACT_NOTIFY"
            t.delete(bundle)


def test_limit_of_one_process_leaves_room_for_the_payloads_thread(t):
    """An ordinary user: the kernel does not hold root to RLIMIT_NPROC."""
    with Listener(t, answers={"getppid": 4711}) as listener:
        bundle = notified(t, ["probe", "session", "rlimits"], listener, "getppid")
        bundle.config["process"]["user"] = {"uid": 54321, "gid": 54321}
        bundle.config["process"]["capabilities"] = {}
        bundle.config["process"]["rlimits"] = [
            {"type": "RLIMIT_NPROC", "soft": 1, "hard": 1},
            {"type": "RLIMIT_AS", "soft": 64 << 20, "hard": 64 << 20}]
        result = t.run_container(bundle.save())
        assert ppid_of(result.out) == ["ppid 4711"], result
        for line in ("RLIMIT_NPROC 1 1", f"RLIMIT_AS {64 << 20} {64 << 20}"):
            assert line in result.out.splitlines(), result


def test_pids_limit_without_room_for_the_payloads_thread_says_so(t):
    path = t.path("never-asked.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.bind(path)
        sock.listen(1)
        bundle = notified(t, ["true"], path, "getppid")
        bundle.config["linux"]["resources"] = {"pids": {"limit": 1}}
        t.fails("run", "-b", bundle.save().path, bundle.id,
                has=["seccomp listener needs a second thread", "linux.resources.pids.limit"],
                code="SECCOMP_LOAD")
        t.assert_no_trace(bundle)
    with Listener(t) as listener:
        bundle = notified(t, ["true"], listener, "getppid")
        bundle.config["linux"]["resources"] = {"pids": {"limit": 2}}
        t.run_container(bundle.save())


def test_listener_that_reads_byte_by_byte_does_not_hold_create(t):
    path = t.path("slow.sock")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.bind(path)
    sock.listen(1)

    def trickle():
        peer, _ = sock.accept()
        # Enough for the socket to have room again and again, never enough for all of it.
        while peer.recv(20000):
            time.sleep(0.2)
        peer.close()
    thread = threading.Thread(target=trickle)
    thread.start()
    bundle = notified(t, ["true"], path, "getppid")
    bundle.config["annotations"] = {"big": "x" * 4000000}
    # Long enough to get there, and shorter than the forty seconds that the whole of it would take.
    limit = int(min(4 * PATIENCE, 20))
    before = time.monotonic()
    t.fails("--timeout", str(limit), "create", "-b", bundle.save().path, bundle.id,
            has="listener for seccomp, which does not read it", code="TIMEOUT")
    assert time.monotonic() - before < limit + 15
    thread.join()
    sock.close()
    t.assert_no_trace(bundle)


def test_filter_that_forbids_the_programs_start_says_so(t):
    cases = (("SCMP_ACT_ERRNO", {"errnoRet": errno.ENOSYS}, "Function not implemented"),
             ("SCMP_ACT_KILL_THREAD", {}, "read from the init process"),
             ("SCMP_ACT_KILL_PROCESS", {}, "read from the init process"))
    with Listener(t) as listener:
        for action, more, words in cases:
            bundle = notified(t, ["true"], listener, "getppid", rules=[
                dict({"names": ["execve"], "action": action}, **more)])
            t.fails("run", "-b", bundle.path, bundle.id, has=words)
            t.assert_no_trace(bundle)
            t.create(bundle)
            t.fails("start", bundle.id, has=words)
            assert t.state(bundle)["status"] == "stopped", action
            t.delete(bundle, force=True)


def test_program_that_cannot_be_executed_says_so(t):
    with Listener(t) as listener:
        bundle = notified(t, ["/bin/bad"], listener, "getppid")
        rootfs = bundle.rootfs
        t.file(os.path.join(rootfs, "bin", "bad"), "#!/no/such/interpreter\n", mode=0o755)
        t.fails("run", "-b", bundle.path, bundle.id, has="interpreter")
        t.assert_no_trace(bundle)


def test_created_container_can_be_killed_and_deleted(t):
    with Listener(t) as listener:
        bundle = notified(t, ["true"], listener, "getppid")
        t.create(bundle)
        t.kill(bundle, "KILL")
        t.wait_status(bundle, "stopped")
        t.delete(bundle)
        bundle = notified(t, ["true"], listener, "getppid")
        t.create(bundle)
        t.delete(bundle, force=True)


def test_payload_has_no_descriptor_of_it(t):
    with Listener(t) as listener:
        bundle = notified(t, ["probe", "fds"], listener, "getppid")
        fds = t.run_container(bundle).probe["fds"]
        assert [line.split()[0] for line in fds] == ["0", "1", "2"], fds


def test_waiting_killable_is_a_flag_for_listeners(t):
    t.needs_linux(5, 19, "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV")
    with Listener(t, answers={"getppid": 4711}) as listener:
        bundle = notified(t, ["probe", "session"], listener, "getppid",
                          flags=["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
                                 "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
                                 "SECCOMP_FILTER_FLAG_TSYNC"])
        assert ppid_of(t.run_container(bundle).out) == ["ppid 4711"]


def test_scheduler_is_the_payloads(t):
    # Also where the kernel takes it from new threads, or gives it to one thread only.
    times = {"runtime": 2000000, "deadline": 50000000, "period": 100000000}
    with Listener(t) as listener:
        for scheduler, want in (
                ({"policy": "SCHED_BATCH", "nice": -7, "flags": ["SCHED_FLAG_RESET_ON_FORK"]},
                 (3, -7)),
                (dict({"policy": "SCHED_DEADLINE"}, **times),
                 (6, os.getpriority(os.PRIO_PROCESS, 0)))):
            bundle = notified(t, ["probe", "file:/proc/self/stat"], listener, "getppid")
            bundle.config["process"]["scheduler"] = scheduler
            bundle.save()
            stat = t.run_container(bundle).probe["file:/proc/self/stat"][0].split()
            assert (int(stat[40]), int(stat[18])) == want, (scheduler, stat)


# ---- annotations -------------------------------------------------------------------------------

def insn(code, jt, jf, k):
    return struct.pack("=HBBI", code, jt, jf, k)


def program(action, call):
    """ld [nr]; jeq #call, action; allow."""
    return (insn(0x20, 0, 0, 0) + insn(0x15, 0, 1, NUMBERS[call]) + insn(0x06, 0, 0, action)
            + insn(0x06, 0, 0, 0x7fff0000))


def with_program(t, args, code):
    text = base64.b64encode(code).decode() if isinstance(code, bytes) else code
    bundle = t.bundle(args)
    bundle.config["annotations"] = {"run.oci.seccomp_bpf_data": text}
    return bundle.save()


@flavors("root", "rootless")
def test_compiled_program_takes_the_profiles_place(t):
    if not NUMBERS:
        t.skip("the numbers of this architecture's system calls are not in the test")
    bundle = with_program(t, ["probe", "session"], program(0x00050000 | 77, "getppid"))
    # A profile that would forbid the start is not compiled.
    for seccomp in (None, {"defaultAction": "SCMP_ACT_KILL"}):
        if seccomp:
            bundle.config["linux"]["seccomp"] = seccomp
            bundle.save()
        assert ppid_of(t.run_container(bundle).out) == ["ppid -77"]   # the C library expects no error


def test_compiled_program_may_notify(t):
    with Listener(t, answers={"getppid": 4711}) as listener:
        bundle = with_program(t, ["probe", "session"], program(0x7fc00000, "getppid"))
        t.fails("run", "-b", bundle.path, bundle.id,
                has=["/annotations/run.oci.seccomp_bpf_data", "listenerPath"])
        bundle.config["annotations"]["run.oci.seccomp.receiver"] = listener.path
        bundle.save()
        assert ppid_of(t.run_container(bundle).out) == ["ppid 4711"]


def test_wrong_programs_are_refused_before_anything_is_made(t):
    allow = insn(0x06, 0, 0, 0x7fff0000)
    cases = (("", "1 to 4096"), ("not base64!", "base64"), (allow[:6] + b"\0", "7 bytes"),
             (insn(0x15, 9, 0, 1) + allow, "jumps out"), (insn(0x20, 0, 0, 64) + allow, "outside"),
             (insn(0x20, 0, 0, 0), "return"), (insn(0xffff, 0, 0, 0) + allow, "instruction 0"),
             (allow * 4097, "4097"))
    for code, words in cases:
        bundle = with_program(t, ["true"], code)
        t.fails("run", "-b", bundle.path, bundle.id,
                has=["/annotations/run.oci.seccomp_bpf_data", words])
        t.assert_no_trace(bundle)


def test_unknown_system_calls_are_an_error_if_asked_for(t):
    rules = [{"names": MKDIR + ["no_such_call"], "action": "SCMP_ACT_ERRNO"}]
    bundle = notified(t, ["true"], None, rules=rules)
    for value, refused in (("1", True), ("0", False)):
        bundle.config["annotations"] = {"run.oci.seccomp_fail_unknown_syscall": value}
        bundle.save()
        if refused:
            t.fails("run", "-b", bundle.path, bundle.id,
                    has=["no_such_call", "/linux/seccomp/syscalls/0/names/2"],
                    code="SECCOMP_SYSCALL")
            t.assert_no_trace(bundle)
        else:
            t.run_container(bundle)


def test_calls_newer_than_the_profile_do_not_exist_if_asked_for(t):
    if platform.machine() != "x86_64":
        t.skip("written for x86_64")
    t.needs("openat2")   # a container calls it
    # The newest that the profile names is openat2, 437; faccessat2 is 439.  mkdir, 83, is older.
    rules = [{"names": ["openat2"] + known_calls(), "action": "SCMP_ACT_ALLOW"}]
    for value, newer in ((None, errno.EPERM), ("0", errno.EPERM), ("1", errno.ENOSYS)):
        for default, errno_of_mkdir in (("SCMP_ACT_ERRNO", errno.EPERM), ("SCMP_ACT_LOG", None)):
            bundle = notified(t, ["probe", "syscall:83", "syscall:437", "syscall:439"], None,
                              default=default, rules=rules)
            bundle.config["annotations"] = {"run.oci.seccomp.enosys": value} if value else {}
            bundle.save()
            found = t.run_container(bundle).probe
            # The arguments are zero: what is let through fails differently.
            want = {"syscall:83": [errno_of_mkdir or errno.EFAULT], "syscall:437": [errno.EINVAL],
                    "syscall:439": [newer if errno_of_mkdir else errno.EFAULT]}
            assert found == {k: [str(v[0])] for k, v in want.items()}, (value, default, found)


def known_calls():
    """What the Docker-like profile names, but mkdir and what is newer than openat2."""
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "..", "unit", "host", "seccomp_profile.json"),
              encoding="utf-8") as source:
        profile = json.load(source)["linux"]["seccomp"]
    names = {n for rule in profile["syscalls"] for n in rule["names"]}
    return sorted(names - set(MKDIR) - {"faccessat2", "epoll_pwait2", "process_madvise", "close_range",
                           "landlock_create_ruleset", "landlock_add_rule",
                           "landlock_restrict_self", "futex_waitv", "memfd_secret",
                           "process_mrelease", "pidfd_getfd", "set_mempolicy_home_node"})
