# SPDX-License-Identifier: Apache-2.0
"""run: exit status, signals, standard streams, pid files, --detach and --keep."""

import hashlib
import os
import signal
import stat
import time

import hostside
from harness import PATIENCE, fields, flavors
from test_lifecycle import SLEEP, no_pid_namespace


def hook(script):
    return [{"path": "/bin/sh", "args": ["sh", "-c", script]}]


# ---- exit status -------------------------------------------------------------------------------

@flavors("root", "rootless")
def test_exit_status_is_the_payloads(t):
    for code in (0, 1, 2, 42, 125, 126, 127, 128, 255):
        result = t.run_container(t.bundle(["sh", "-c", f"exit {code}"]), check=False)
        assert result.rc == code and result.err == "", result


@flavors("root", "rootless")
def test_death_by_signal_is_128_plus_the_signal(t):
    for sig in (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGABRT):
        bundle = t.bundle(["probe", f"crash:{int(sig)}"], mutate=no_pid_namespace)
        result = t.run_container(bundle, check=False)
        assert result.rc == 128 + sig, result


def test_sigkill_of_pid_1_from_outside_is_137(t):
    bundle = t.bundle(SLEEP)
    child = t.popen("run", "-b", bundle.path, bundle.id)
    t.wait_running(bundle)
    pid = t.pid(bundle)
    # Running is also what has been told to start and has not yet executed its program.
    t.wait_until(lambda: hostside.processes()[pid][2] == "sleep", "the payload")
    t.kill(bundle, "KILL")
    assert child.wait(40 * PATIENCE) == 137


@flavors("root", "rootless")
def test_nothing_is_left_after_a_foreground_run(t):
    for script in ("exit 0", "exit 1", "kill -9 $$"):
        bundle = t.bundle(script, mutate=no_pid_namespace)
        t.run_container(bundle, check=False)
        t.assert_no_trace(bundle)
        t.fails("state", bundle.id, has="does not exist")


def test_run_ends_with_init_and_takes_the_rest_along(t):
    bundle = t.bundle("sleep 1000 & exit 3", mutate=no_pid_namespace)
    began = time.monotonic()
    assert t.run_container(bundle, check=False).rc == 3
    assert time.monotonic() - began < 30 * PATIENCE
    t.assert_no_trace(bundle)


def test_state_says_running_while_it_runs(t):
    bundle = t.bundle(SLEEP)
    child = t.popen("run", "-b", bundle.path, bundle.id)
    t.wait_running(bundle)
    t.kill(bundle, "KILL")
    child.wait(40 * PATIENCE)


# ---- --detach and --keep -----------------------------------------------------------------------

@flavors("root", "rootless")
def test_detach_returns_at_once_and_says_nothing(t):
    bundle = t.bundle(SLEEP)
    for option in ("--detach", "-d"):
        began = time.monotonic()
        result = t.run_container(bundle, option)
        assert time.monotonic() - began < 30 * PATIENCE and result.out == result.err == "", result
        assert t.state(bundle)["status"] == "running"
        t.delete(bundle, force=True)


def test_detached_run_ignores_how_the_payload_ends(t):
    bundle = t.bundle("exit 9")
    assert t.run_container(bundle, "--detach").rc == 0
    t.wait_status(bundle, "stopped")


def test_keep_leaves_state_and_cgroup_until_delete(t):
    bundle = t.bundle("exit 4")
    assert t.run_container(bundle, "--keep", check=False).rc == 4
    assert t.state(bundle)["status"] == "stopped"
    assert t.cgroup_dirs(bundle), "BuildKit reads memory.events there"
    t.delete(bundle)
    t.assert_no_trace(bundle)


def test_recipe_13_keep_with_stdin_held_open(t):
    read_end, write_end = os.pipe()
    bundle = t.bundle("exit 0")
    began = time.monotonic()
    t.run_container(bundle, "--keep", stdin=read_end)
    assert time.monotonic() - began < 30 * PATIENCE, "waited for the end of stdin"
    os.close(read_end)
    os.close(write_end)
    assert t.cgroup_dirs(bundle)
    t.delete(bundle)


def test_create_and_start_never_read_stdin(t):
    read_end, write_end = os.pipe()
    os.write(write_end, b"for the payload\n")
    bundle = t.bundle("read line; echo got $line")
    created = t.create(bundle, stdin=read_end)
    t.start(bundle, input=b"not for the payload\n")
    t.wait_until(lambda: created.output(), "the payload's output")
    assert created.output() == "got for the payload\n"
    os.close(read_end)
    os.close(write_end)


# ---- signals -----------------------------------------------------------------------------------

def test_signals_to_a_foreground_run_reach_the_payload(t):
    for sig in ("TERM", "HUP", "INT", "QUIT", "USR1", "USR2", "CONT"):
        number = getattr(signal, "SIG" + sig).value
        bundle = t.bundle(["probe", f"trap:{number}"])
        out = t.file("out" + sig)
        with open(out, "wb") as stream:
            child = t.popen("run", "-b", bundle.path, bundle.id, stdout=stream)
        t.wait_until(lambda path=out: os.path.getsize(path), "the trap")
        child.send_signal(getattr(signal, "SIG" + sig))
        assert child.wait(40 * PATIENCE) == 41, sig
        t.assert_no_trace(bundle)


def test_a_signal_right_after_the_fork_is_not_lost(t):
    # The payload cannot have its trap yet, so the runtime may end it, but nothing may stay.
    for delay in (0.0, 0.005, 0.02):
        bundle = t.bundle(["sleep", "3"])
        child = t.popen("run", "-b", bundle.path, bundle.id, stderr=-3)
        time.sleep(delay)
        child.terminate()
        child.wait(40 * PATIENCE)
        t.delete(bundle, force=True)
        t.assert_no_trace(bundle)


def test_payload_starts_with_clean_signals(t):
    bundle = t.bundle(["probe", "signals"])

    def conmon_like():
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT,
                                                  signal.SIGCHLD])

    result = t.run_container(bundle, preexec_fn=conmon_like, restore_signals=False)
    facts = fields(result.probe["signals"])
    assert facts == {"blocked": "", "ignored": "", "pdeathsig": "0"}, facts


# ---- standard streams --------------------------------------------------------------------------

@flavors("root", "rootless")
def test_ten_megabytes_pass_through_unchanged(t):
    data = os.urandom(10 << 20)
    result = t.run_container(t.bundle(["cat"]), input=data)
    assert hashlib.sha256(result.out_bytes).digest() == hashlib.sha256(data).digest()


def test_streams_are_the_callers_own(t):
    read_end, write_end = os.pipe()
    bundle = t.bundle(["probe", "fds"])
    t.run_container(bundle, stdout=write_end)
    os.close(write_end)
    with open(read_end, encoding="ascii") as source:
        text = source.read()
        assert f"1 pipe:[{os.fstat(source.fileno()).st_ino}]" in text, text


def test_stderr_and_stdout_stay_apart(t):
    result = t.run_container(t.bundle("echo out; echo err >&2"))
    assert (result.out, result.err) == ("out\n", "err\n"), result


def test_closed_standard_streams(t):
    for redirect in ("<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"):
        bundle = t.bundle("exit 3")
        argv = t.argv("run", "-b", bundle.path, bundle.id)
        result = t.rt(argv=["sh", "-c", f'"$@" {redirect}', "sh"] + argv, check=False)
        assert result.rc == 3, (redirect, result)


def test_closed_standard_streams_do_not_become_runtime_files(t):
    for redirect in ("<&-", "<&- >&- 2>&-"):
        bundle = t.bundle("ls -l /proc/self/fd > /tmp/fds; exit 3",
                          mutate={"root": {"readonly": False}})
        argv = t.argv("--log", t.path("log"), "run", "-b", bundle.path, bundle.id)
        result = t.rt(argv=["sh", "-c", f'"$@" {redirect}', "sh"] + argv, check=False)
        assert result.rc == 3, (redirect, result)
        text = open(os.path.join(bundle.rootfs, "tmp/fds"), encoding="utf-8").read()
        for intruder in (t.path("log"), t.state_dir, bundle.path, "socket"):
            assert intruder not in text, text


def test_user_of_the_payload_may_reopen_its_streams(t):
    bundle = t.bundle("echo again > /dev/stdout; echo too > /dev/stderr",
                      mutate={"process": {"user": {"uid": 1000, "gid": 1000}}})
    pipes = [os.pipe(), os.pipe()]
    t.run_container(bundle, stdout=pipes[0][1], stderr=pipes[1][1])
    for (read_end, write_end), text in zip(pipes, (b"again\n", b"too\n")):
        assert os.read(read_end, 100) == text
        assert os.fstat(read_end).st_uid == 1000
        os.close(read_end)
        os.close(write_end)


def test_device_nodes_keep_their_owner(t):
    before = os.stat("/dev/null")
    bundle = t.bundle(mutate={"process": {"user": {"uid": 1000, "gid": 1000}}})
    with open("/dev/null", "r+b") as null:
        t.run_container(bundle, stdin=null, stdout=null, stderr=null)
    after = os.stat("/dev/null")
    assert (before.st_uid, before.st_gid, before.st_mode) == \
        (after.st_uid, after.st_gid, after.st_mode)


def test_read_only_stream_is_no_obstacle(t):
    bundle = t.bundle("exit 2", mutate={"process": {"user": {"uid": 1000, "gid": 1000}}})
    with open("/proc/version", "rb") as stdin:
        assert t.run_container(bundle, stdin=stdin, check=False).rc == 2


# ---- pid file ----------------------------------------------------------------------------------

@flavors("root", "rootless")
def test_pid_file_is_digits_only(t):
    for verb in (["create"], ["run", "--detach"]):
        bundle = t.bundle(SLEEP)
        path = os.path.join(t.mkdir("pids"), "pid")
        t.rt(*verb, "-b", bundle.path, "--pid-file", path, bundle.id)
        with open(path, "rb") as source:
            assert source.read() == str(t.pid(bundle)).encode()
        assert os.listdir(t.path("pids")) == ["pid"], "a temporary file was left"
        t.delete(bundle, force=True)


def test_pid_file_replaces_an_older_one_by_rename(t):
    bundle = t.bundle(SLEEP)
    path = t.file("pid", "987654321987654321\n")
    before = os.stat(path).st_ino
    keep = os.open(path, os.O_RDONLY)
    t.create(bundle, "--pid-file", path)
    assert open(path, encoding="ascii").read() == str(t.pid(bundle))
    assert os.stat(path).st_ino != before and os.read(keep, 5) == b"98765"
    os.close(keep)


def test_pid_file_of_a_foreground_run(t):
    bundle = t.bundle(SLEEP)
    path = t.path("pid")
    child = t.popen("run", "-b", bundle.path, "--pid-file", path, bundle.id)
    t.wait_until(lambda: os.path.exists(path), "the pid file")
    text = open(path, encoding="ascii").read()   # complete at first sight
    assert text.isdigit(), text
    t.wait_status(bundle, "running")
    assert int(text) == t.pid(bundle)
    t.kill(bundle, "KILL")
    child.wait(40 * PATIENCE)


def test_pid_file_is_written_even_if_init_ends_at_once(t):
    bundle = t.bundle("exit 0")
    t.run_container(bundle, "--detach", "--pid-file", t.path("pid"))
    assert open(t.path("pid"), encoding="ascii").read().isdigit()


def test_no_pid_file_after_a_failure(t):
    for number, change in enumerate(({"args": ["nosuch"]}, {"cwd": "/missing"})):
        bundle = t.bundle(mutate={"process": change})
        for verb in (["create"], ["run", "-d"], ["run"]):
            path = t.path(f"pid{number}")
            t.fails(*verb, "-b", bundle.path, "--pid-file", path, bundle.id)
            assert not os.path.exists(path)


def test_pid_file_that_cannot_be_written_fails_the_command(t):
    bundle = t.bundle(SLEEP)
    for verb in (["create"], ["run", "-d"]):
        t.fails(*verb, "-b", bundle.path, "--pid-file", "/no/such/dir/pid", bundle.id,
                has="/no/such/dir/pid")
        t.assert_no_trace(bundle)


def test_pid_file_symlink_is_replaced_not_followed(t):
    bundle = t.bundle(SLEEP)
    victim = t.file("victim", "precious")
    os.symlink(victim, t.path("pid"))
    t.create(bundle, "--pid-file", t.path("pid"))
    assert open(victim, encoding="ascii").read() == "precious"
    assert stat.S_ISREG(os.lstat(t.path("pid")).st_mode)


# ---- hooks around the payload ------------------------------------------------------------------

def test_hooks_and_payload_come_in_order(t):
    log = t.file("order", mode=0o666)
    names = ("prestart", "createRuntime", "poststart", "poststop")
    bundle = t.bundle(["sh", "-c", "read x < /fifo; echo payload >> /order"], mutate={
        "hooks": {name: hook(f"echo {name} >> {log}") for name in names}})
    os.mkfifo(os.path.join(bundle.rootfs, "fifo"))
    t.file(os.path.join(bundle.rootfs, "order"))
    bundle.config["mounts"].append({"destination": "/order", "source": log, "type": "bind",
                                    "options": ["bind"]})
    bundle.save()
    child = t.popen("run", "-b", bundle.path, bundle.id)

    def words():
        return open(log, encoding="ascii").read().split()

    t.wait_until(lambda: "poststart" in words(), "poststart")
    assert words() == ["prestart", "createRuntime", "poststart"]
    with open(os.path.join(bundle.rootfs, "fifo"), "w", encoding="ascii") as fifo:
        fifo.write("go\n")
    assert child.wait(40 * PATIENCE) == 0
    assert words() == list(names[:3]) + ["payload", "poststop"]


def test_poststop_runs_once_for_each_way_to_end(t):
    for how in ("run", "delete", "force"):
        log = t.file("log" + how)
        bundle = t.bundle("exit 0" if how == "run" else SLEEP, mutate={
            "hooks": {"poststop": hook(f"cat >> {log}; echo >> {log}")}})
        if how == "run":
            t.run_container(bundle)
        else:
            t.run_container(bundle, "--detach")
            if how == "delete":
                t.kill(bundle, "KILL")
                t.wait_status(bundle, "stopped")
            t.delete(bundle, force=how == "force")
        lines = open(log, encoding="utf-8").read().split("\n")
        assert len(lines) == 2 and '"stopped"' in lines[0] and bundle.id in lines[0], lines


def test_failing_poststop_hook_does_not_fail_the_delete(t):
    bundle = t.bundle("exit 0", mutate={"hooks": {"poststop": hook("exit 9")}})
    assert t.run_container(bundle).rc == 0
    t.assert_no_trace(bundle)
