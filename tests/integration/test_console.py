# SPDX-License-Identifier: Apache-2.0
"""Terminals: the console socket of create, and the proxied terminal of a foreground run."""

import fcntl
import hashlib
import os
import signal

import hostside
import terminals
from harness import fields, flavors, sections

TTY = {"process": {"terminal": True}}
TIOCGPTN = 0x80045430


def on_console(t, bundle, verb=("create",), sock=None, **kwargs):
    """Create with a console socket; (pty master, data that came with it)."""
    sock = sock or t.console_socket()
    t.rt(*verb, "-b", bundle.path, "--console-socket", sock.path, bundle.id, **kwargs)
    data, fds = sock.accept()   # only now: engines accept after create has exited
    assert len(fds) == 1, fds
    return fds[0], data


def output_of(t, bundle, what=b"== end", **kwargs):
    master, _data = on_console(t, bundle, **kwargs)
    t.start(bundle)
    return terminals.read_master(master, what).decode()


# ---- console socket ----------------------------------------------------------------------------

@flavors("root", "rootless")
def test_recipe_10_one_master_comes_with_some_data(t):
    bundle = t.bundle("echo hello", mutate=TTY)
    master, data = on_console(t, bundle)
    assert 1 <= len(data) <= 4095, data
    assert os.isatty(master)
    fcntl.ioctl(master, TIOCGPTN, b"\0" * 4)   # only a master can answer this
    t.start(bundle)
    assert b"hello\r\n" in terminals.read_master(master, b"\n")


def test_console_socket_with_a_path_of_200_bytes(t):
    directory = t.mkdir("d" * 100)
    sock = t.console_socket(os.path.join(directory, "s" * 90))
    assert len(sock.path) >= 200
    on_console(t, t.bundle("echo hello", mutate=TTY), sock=sock)


def test_console_of_a_detached_run(t):
    bundle = t.bundle("echo hello; sleep 1000", mutate=TTY)
    master, _data = on_console(t, bundle, verb=("run", "--detach"))
    terminals.read_master(master, b"hello\r\n")


@flavors("root", "rootless")
def test_payload_has_a_controlling_terminal(t):
    bundle = t.bundle(["probe", "session", "end"], mutate=TTY)
    facts = fields(sections(output_of(t, bundle))["session"])
    assert facts["ctty"] == "yes" and facts["sid"] == facts["pid"] == "1", facts
    assert all(facts[f"isatty{fd}"] == "1" for fd in range(3)), facts
    assert facts["foreground"] == facts["pgid"], facts
    assert facts["ttyname"] in ("/dev/pts/0", "/dev/console"), facts


def test_terminal_is_one_of_the_containers_devpts(t):
    bundle = t.bundle(["probe", "dir:/dev/pts", "stat:/dev/pts/0", "stat:/dev/console", "end"],
                      mutate=TTY)
    found = sections(output_of(t, bundle))
    assert sorted(found["dir:/dev/pts"]) == ["0", "ptmx"], found
    pts, console = (found[f"stat:/dev/{n}"][0].split() for n in ("pts/0", "console"))
    assert pts[1:] == console[1:], found
    assert pts[1].startswith("20") and pts[5].startswith("136:"), found


def test_dev_console_is_the_terminal(t):
    bundle = t.bundle("echo to-console > /dev/console; echo == end", mutate=TTY)
    assert "to-console\r\n" in output_of(t, bundle)


def test_no_dev_console_without_a_terminal(t):
    found = t.probe(None, "stat:/dev/console")["stat:/dev/console"][0]
    assert "error" in found or found.split()[5] != "136:0", found


def test_terminal_belongs_to_the_user_of_the_payload(t):
    bundle = t.bundle(["probe", "stat:/dev/pts/0", "end"], mutate={
        "process": {"terminal": True, "user": {"uid": 1000, "gid": 1000}}})
    assert sections(output_of(t, bundle))["stat:/dev/pts/0"][0].split()[2] == "1000"


def test_console_size_is_applied(t):
    bundle = t.bundle(["probe", "winsize", "end"], mutate={
        "process": {"terminal": True, "consoleSize": {"height": 33, "width": 111}}})
    found = sections(output_of(t, bundle))
    assert found["winsize"] == ["0 33 111", "1 33 111", "2 33 111"], found


def test_caller_may_resize_through_the_master(t):
    bundle = t.bundle("trap 'probe winsize end' WINCH; echo ready; while :; do sleep 0.02; done",
                      mutate=TTY)
    master, _data = on_console(t, bundle)
    t.start(bundle)
    terminals.read_master(master, b"ready")
    terminals.set_winsize(master, 44, 66)
    assert b"0 44 66" in terminals.read_master(master, b"== end")


def test_stdio_of_create_is_not_the_payloads_when_it_has_a_terminal(t):
    bundle = t.bundle("echo secret; echo == end", mutate=TTY)
    master, _data = on_console(t, bundle)
    result = t.start(bundle)
    terminals.read_master(master, b"== end")
    assert "secret" not in result.output()


def test_listener_that_closes_without_accepting_is_no_crash(t):
    bundle = t.bundle(mutate=TTY)
    sock = t.console_socket(backlog=0)
    path = sock.path
    sock.close()
    result = t.fails("create", "-b", bundle.path, "--console-socket", path, bundle.id)
    assert result.rc < 128, result
    t.assert_no_trace(bundle)


def test_signal_characters_of_the_master_reach_the_payload(t):
    bundle = t.bundle("trap 'echo == end; exit' INT; echo ready; while :; do sleep 0.02; done",
                      mutate=TTY)
    master, _data = on_console(t, bundle)
    t.start(bundle)
    terminals.read_master(master, b"ready")
    os.write(master, b"\x03")
    terminals.read_master(master, b"== end")


def test_closing_the_master_hangs_up(t):
    bundle = t.bundle("trap 'echo hup > /tmp/hup; exit' HUP; echo ready; "
                      "while :; do sleep 0.02; done",
                      mutate={"process": {"terminal": True}, "root": {"readonly": False}})
    master, _data = on_console(t, bundle)
    t.start(bundle)
    terminals.read_master(master, b"ready")
    os.close(master)
    t.wait_until(lambda: os.path.exists(os.path.join(bundle.rootfs, "tmp/hup")), "the hang-up")


# ---- foreground run ----------------------------------------------------------------------------

def interactive(t, args, rows=24, cols=80, **kwargs):
    bundle = t.bundle(args, mutate=dict(TTY, **kwargs))
    return bundle, t.pty("run", "-b", bundle.path, bundle.id, rows=rows, cols=cols)


@flavors("root", "rootless")
def test_output_and_exit_status_on_a_terminal(t):
    _bundle, pty = interactive(t, "tty; echo one; echo two; exit 7")
    assert pty.wait() == 7
    assert b"\r\none\r\ntwo\r\n" in pty.log and b"\r\r\n" not in pty.log, pty.log


@flavors("root", "rootless")
def test_input_is_echoed_once(t):
    _bundle, pty = interactive(t, "echo ready; read line; echo got-$line")
    pty.expect("ready")
    pty.send(b"word\r")
    pty.expect(r"\nword\r\ngot-word\r\n")
    assert pty.wait() == 0


def test_terminal_is_raw_meanwhile_and_restored_at_the_end(t):
    _bundle, pty = interactive(t, "echo ready; read line; exit 3")
    pty.expect("ready")
    t.wait_until(pty.is_raw, "raw mode")
    pty.send(b"x\r")
    assert pty.wait() == 3
    fresh = t.pty_argv(["true"])
    assert pty.attrs() == fresh.attrs()


def test_terminal_is_restored_when_the_payload_is_killed(t):
    for sig in ("KILL", "TERM"):
        bundle, pty = interactive(t, "trap 'exit 4' TERM; echo ready; "
                                     "while :; do sleep 0.02; done")
        pty.expect("ready")
        t.kill(bundle, sig)
        assert pty.wait() == (137 if sig == "KILL" else 4)
        assert not pty.is_raw()
        t.assert_no_trace(bundle)


def test_terminal_is_restored_when_the_runtime_is_told_to_end(t):
    for sig in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        bundle, pty = interactive(t, ["probe", f"trap:{sig.value}"])
        pty.expect("ready")
        pty.kill(sig)
        assert pty.wait() == 41
        assert not pty.is_raw()
        t.assert_no_trace(bundle)


def test_terminal_is_restored_when_create_fails(t):
    bundle, pty = interactive(t, ["nosuch"])
    assert pty.wait() not in (0, 126, 127)
    assert b"nosuch" in pty.log and not pty.is_raw()
    t.assert_no_trace(bundle)


def test_window_size_is_taken_over_and_followed(t):
    _bundle, pty = interactive(t, "probe winsize; trap 'probe winsize end' WINCH; echo ready; "
                                  "while :; do sleep 0.02; done", rows=31, cols=97)
    pty.expect("0 31 97.*ready")
    pty.resize(50, 132)
    pty.expect("0 50 132.*== end")
    pty.resize(20, 40)
    pty.expect("0 20 40.*== end")


def test_control_c_goes_to_the_payload(t):
    _bundle, pty = interactive(t, "trap 'echo caught; exit 41' INT; echo ready; "
                                  "while :; do sleep 0.02; done")
    pty.expect("ready")
    t.wait_until(pty.is_raw, "raw mode")
    pty.send(b"\x03")
    pty.expect("caught")
    assert pty.wait() == 41


def test_control_d_is_the_end_of_file(t):
    _bundle, pty = interactive(t, "echo ready; cat; echo after")
    pty.expect("ready")
    t.wait_until(pty.is_raw, "raw mode")
    pty.send(b"line\r\x04")
    pty.expect("line\r\nline\r\nafter")
    assert pty.wait() == 0


def test_no_byte_of_a_megabyte_is_lost(t):
    _bundle, pty = interactive(t, ["probe", "spew:1000000"])
    assert pty.wait(60) == 0
    assert pty.log.count(b"x") == 999000 and pty.log.count(b"\r\n") == 1001, len(pty.log)


def test_last_words_before_the_exit_arrive(t):
    for number in range(20):
        _bundle, pty = interactive(t, f"echo last-words-{number}")
        assert pty.wait() == 0
        assert b"last-words-%d\r\n" % number in pty.log, pty.log


def test_no_byte_of_the_input_is_lost(t):
    data = bytes(range(256)) * 400
    script = f"stty raw -echo; echo ready; head -c {len(data)} | md5sum; stty sane"
    _bundle, pty = interactive(t, script)
    pty.expect("ready")
    pty.send(data)
    pty.expect(hashlib.md5(data).hexdigest())
    assert pty.wait() == 0


def test_a_shell_session(t):
    _bundle, pty = interactive(t, ["sh", "-i"])
    pty.expect("# ")
    for command, answer in (("echo $((6*7))", "42"), ("id -u", "0"), ("tty", "/dev/pts/0"),
                            ("cat /proc/1/comm", "sh")):
        pty.send(command.encode() + b"\r")
        pty.expect(rf"\n{answer}\r\n.*# ")
    pty.send(b"exit 9\r")
    assert pty.wait() == 9


def sleeps():
    """The states of the processes of that name, such as S (it waits) and T (it was stopped)."""
    return [s for s, name in hostside.descendants(os.getpid()).values() if name == "sleep"]


def test_job_control_inside_the_container(t):
    _bundle, pty = interactive(t, ["sh", "-i"])
    pty.expect("# ")
    pty.send(b"sleep 1000\r")
    t.wait_until(lambda: "S" in sleeps(), "the job")
    pty.send(b"\x1a")
    pty.expect("Stopped.*# ")
    pty.send(b"jobs\r")
    pty.expect(r"\[1\].*Stopped.*sleep 1000.*# ")
    pty.send(b"fg\r")
    t.wait_until(lambda: "S" in sleeps(), "the job to go on")
    pty.send(b"\x03")
    pty.expect("# ")
    pty.send(b"exit 0\r")
    assert pty.wait() == 0


def test_runtime_stopped_by_job_control_gives_the_terminal_back(t):
    # What a shell's `kill -TSTP %1` and `fg` do: cooked while it is stopped, raw afterwards.
    bundle = t.bundle("echo ready; read line; echo got-$line; exit 5", mutate=TTY)
    argv = t.argv("run", "-b", bundle.path, bundle.id)
    pty = t.pty_argv(["bash", "--norc", "-i"], env={"PS1": "PROMPT>"})
    pty.expect("PROMPT>")
    pty.send((" ".join(argv) + "\r").encode())
    pty.expect("ready")
    t.wait_until(pty.is_raw, "raw mode")
    job = os.tcgetpgrp(pty.master)
    os.kill(job, signal.SIGTSTP)
    pty.expect("PROMPT>")
    pty.send(b"fg\r")
    # The shell's line editor has it raw too.
    t.wait_until(lambda: os.tcgetpgrp(pty.master) == job and pty.is_raw(), "raw mode again")
    pty.send(b"word\r")
    pty.expect("got-word")
    pty.expect("PROMPT>")
    pty.send(b"echo status-$?\r")
    pty.expect("status-5")


def test_terminal_in_the_config_but_no_terminal_outside(t):
    bundle = t.bundle("tty; echo hello; exit 6", mutate=TTY)
    result = t.run_container(bundle, check=False)
    assert result.rc == 6 and "/dev/pts/0" in result.out and "hello" in result.out, result


def test_piped_output_while_stdin_is_a_terminal(t):
    bundle = t.bundle("echo hello; exit 6", mutate=TTY)
    with open(t.path("out"), "wb") as out:
        pty = terminals.Pty(t.argv("run", "-b", bundle.path, bundle.id), stdout=out.fileno())
        t.ptys.append(pty)
    assert pty.wait() == 6 and not pty.is_raw()
    assert b"hello" in open(t.path("out"), "rb").read()


def test_without_a_terminal_the_streams_of_a_tty_are_passed_through(t):
    bundle = t.bundle(["probe", "session"])
    pty = t.pty("run", "-b", bundle.path, bundle.id)
    assert pty.wait() == 0
    facts = fields(sections(pty.log.decode())["session"])
    # its own session: the caller's terminal is usable, but does not control it
    assert facts["isatty0"] == "1" and facts["ctty"] != "yes", facts
    assert not pty.is_raw()
