# SPDX-License-Identifier: Apache-2.0
"""Whatever a command waits for has an end: --timeout, and signals, end it, and nothing is left."""

import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import termios
import threading
import time

import hostside
from harness import PATIENCE, flavors

SLEEP = ["sleep", "1000"]
HANG = "exec sleep 1000"
# Seconds: enough for all that comes before what hangs; not a whole number, which is written otherwise.
BRIEF = 0.6 * PATIENCE + 0.401
STAGES_OF_CREATE = ("prestart", "createRuntime", "createContainer")
# The hook tells the process id of init, and waits.
TELL_INIT = ("sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/' >{0}.new; mv {0}.new {0}; "
             "while [ -e {0} ]; do sleep 0.01; done")
PTRACE_SEIZE, PTRACE_INTERRUPT, WALL = 0x4206, 0x4207, 0x40000000


def hook(script, **more):
    return [dict({"path": "/bin/sh", "args": ["sh", "-c", script]}, **more)]


def hanging(t, stage, script=HANG, args=None, **more):
    bundle = t.bundle(args or SLEEP)
    bundle.config["hooks"] = {stage: hook(script, **more)}
    return bundle.save()


class Stopper:
    """Stops the init of .bundle for good, as a debugger does: the runtime cannot continue it."""

    def __init__(self, t):
        self.path = t.path("init-pid")
        self.bundle = hanging(t, "createRuntime", TELL_INIT.format(self.path))
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
        self.thread = threading.Thread(target=self.work, daemon=True)

    def work(self):
        while not os.path.exists(self.path):
            time.sleep(0.01)
        with open(self.path, encoding="ascii") as source:
            pid = int(source.read())
        for request in PTRACE_SEIZE, PTRACE_INTERRUPT:
            if self.libc.ptrace(request, pid, None, None) < 0:
                raise OSError(ctypes.get_errno(), "ptrace")
        os.waitpid(pid, WALL)
        os.unlink(self.path)
        os.waitpid(pid, WALL)   # its end, which its parent learns of only then

    def __enter__(self):
        self.thread.start()
        return self.bundle

    def __exit__(self, *_exception):
        self.thread.join(30 * PATIENCE)


def gives_up(t, *args, within=20, has=()):
    """The command must end by its deadline, soon after it."""
    began = time.monotonic()
    result = t.fails(*args, has=["not done after"] + list(has))
    took = time.monotonic() - began
    assert 0.75 * BRIEF < took < within * PATIENCE, f"{took} s: {result}"
    assert len(result.err.strip().splitlines()) == 1, result
    return result


@flavors("root", "rootless")
def test_hook_without_a_timeout_ends_with_the_command(t):
    for stage in STAGES_OF_CREATE:
        for command in (["create"], ["run"], ["run", "-d"]):
            bundle = hanging(t, stage)
            gives_up(t, "--timeout", f"{BRIEF:g}", *command, "-b", bundle.path, bundle.id,
                     has=[f"{BRIEF:.3f} s", "phase `"])
            t.assert_no_trace(bundle)


def test_error_names_the_phases(t):
    def error_of(bundle):
        result = gives_up(t, f"--timeout={BRIEF * 1000:.0f}ms", "run", "-b", bundle.path, bundle.id)
        t.assert_no_trace(bundle)
        return result.err

    def error(stage):
        return error_of(hanging(t, stage))
    text = error("createRuntime")
    assert "phase `hooks`" in text and "createRuntime hook 0 `/bin/sh`" in text, text
    text = error("createContainer")
    assert "phase `ready`, init in phase `outside.createContainer`" in text, text
    text = error("startContainer")
    assert "init in phase `last.startContainer`" in text, text
    with Stopper(t) as bundle:
        text = error_of(bundle)
    assert "phase `ready`, init in phase `outside.hook_pause`" in text, text


def test_init_that_stops_for_good_does_not_hang_create(t):
    for command in ("create", "run"):
        with Stopper(t) as bundle:
            gives_up(t, "--timeout", f"{BRIEF:g}s", command, "-b", bundle.path, bundle.id)
        t.assert_no_trace(bundle)


def test_a_hooks_own_timeout_comes_first_when_it_is_shorter(t):
    bundle = hanging(t, "createRuntime", timeout=1)
    result = t.fails("--timeout", "300", "create", "-b", bundle.path, bundle.id,
                     has="not done after 1 seconds")
    assert "phase `hooks`" in result.err, result
    t.assert_no_trace(bundle)


def test_start_kills_a_container_whose_hook_hangs(t):
    bundle = hanging(t, "startContainer")
    t.create(bundle)
    gives_up(t, "--timeout", f"{BRIEF:g}", "start", bundle.id, has=["startContainer hooks"])
    state = t.state(bundle)
    assert (state["pid"], state["status"]) == (0, "stopped"), state
    t.delete(bundle)
    t.assert_no_trace(bundle)


def test_poststart_hook_that_hangs_ends_the_container(t):
    bundle = hanging(t, "poststart")
    t.create(bundle)
    gives_up(t, "--timeout", f"{BRIEF:g}", "start", bundle.id, has=["poststart hook 0"])
    t.wait_status(bundle, "stopped")
    t.delete(bundle)
    gives_up(t, "--timeout", f"{BRIEF:g}", "run", "-d", "-b", bundle.path, bundle.id,
             has=["poststart hook 0"])
    t.assert_no_trace(bundle)


def test_poststop_hook_that_hangs_is_a_warning_and_delete_goes_on(t):
    bundle = hanging(t, "poststop", args=["true"])
    t.rt("run", "-d", "-b", bundle.path, bundle.id)
    t.wait_status(bundle, "stopped")
    began = time.monotonic()
    result = t.rt("--timeout", f"{BRIEF:g}", "--log-level", "warning", "delete", bundle.id)
    assert time.monotonic() - began < 20 * PATIENCE
    assert "poststop hook 0" in result.err, result
    t.assert_no_trace(bundle)


def test_creation_that_fails_runs_poststop_hooks_for_a_limited_time_only(t):
    bundle = hanging(t, "createRuntime")
    bundle.config["hooks"]["poststop"] = hook(HANG)
    bundle.save()
    began = time.monotonic()
    t.fails("--timeout", f"{BRIEF:g}", "run", "-b", bundle.path, bundle.id, has="createRuntime hook")
    assert time.monotonic() - began < 20 * PATIENCE
    t.assert_no_trace(bundle)


def test_payload_may_run_longer_than_the_timeout(t):
    allowed = BRIEF * min(PATIENCE, 3)
    bundle = t.bundle(f"sleep {2.5 * allowed:g}; echo done")
    assert t.run_container(bundle).out == "done\n"
    result = t.rt("--timeout", f"{allowed:g}", "run", "-b", bundle.path, bundle.id + "-b")
    assert result.out == "done\n", result


def test_timeout_that_is_long_enough_changes_nothing(t):
    bundle = t.bundle(SLEEP)
    for form in ("120", "120s", "2m", "1h", "120000ms", "120.5", "0"):
        t.rt("--timeout", form, "create", "-b", bundle.path, bundle.id)
        t.rt("--timeout", form, "start", bundle.id)
        t.rt("--timeout", form, "delete", "--force", bundle.id)
        t.assert_no_trace(bundle)


def test_nonsense_is_no_timeout(t):
    for form in ("x", "-1", "1d", "s", ".", "1 s", "99999999999h", "1e3", "0x10", ".5"):
        t.fails("--timeout", form, "list", has="--timeout")


def test_listener_that_accepts_nobody(t):
    path = t.path("full.sock")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(0)
    queued = socket.socket(socket.AF_UNIX)
    queued.connect(path)
    bundle = t.bundle(SLEEP)
    bundle.config["process"]["terminal"] = True
    bundle.save()
    gives_up(t, "--timeout", f"{BRIEF:g}", "create", "--console-socket", path, "-b", bundle.path,
             bundle.id, has=["phase `sockets`", path])
    t.assert_no_trace(bundle)
    queued.close()
    listener.close()


def test_busy_container_is_waited_for_until_the_timeout(t):
    # A hook of its creation keeps it locked.
    bundle = hanging(t, "poststop", args=["true"])
    t.rt("run", "-d", "-b", bundle.path, bundle.id)
    t.wait_status(bundle, "stopped")
    holder = t.popen("delete", bundle.id)
    t.wait_until(lambda: not t.cgroup_dirs(bundle), "the other delete")
    gives_up(t, "--timeout", f"{BRIEF:g}", "delete", bundle.id, has=["busy"])
    hooks = hostside.descendants(holder.pid)
    holder.kill()   # before its hook, whose end it would go on after
    holder.wait()
    for pid in hooks:
        os.kill(pid, signal.SIGKILL)
    t.rt("--timeout", f"{BRIEF:g}", "delete", bundle.id)
    t.assert_no_trace(bundle)


# ---- signals -------------------------------------------------------------------------------


def interrupted(t, bundle, *command, number=signal.SIGTERM, when=None):
    """Sends the signal when the mark is there; the command must die of it, and leave nothing."""
    with open(t.path("err"), "w+", encoding="utf-8") as err:
        child = t.popen(*command, "-b", bundle.path, bundle.id, stderr=err)
        t.wait_until(when or (lambda: os.path.exists(t.path("mark", "here"))), "the hook")
        child.send_signal(number)
        began = time.monotonic()
        rc = child.wait(40 * PATIENCE)
        assert time.monotonic() - began < 20 * PATIENCE
        err.seek(0)
        text = err.read()
    assert rc == -number, (rc, text)
    assert f"interrupted by signal {int(number)}" in text and "phase `" in text, text
    t.assert_no_trace(bundle)
    if os.path.exists(t.path("mark", "here")):
        os.unlink(t.path("mark", "here"))
    return text


def marking(t, stage):
    mark = t.mkdir("mark", 0o777)
    os.chmod(mark, 0o777)
    bundle = t.bundle(SLEEP)
    bundle.config["mounts"].append({"destination": "/mark", "type": "bind", "source": mark,
                                    "options": ["bind"]})
    where = "/mark" if stage == "startContainer" else mark
    bundle.config["hooks"] = {stage: hook(f"touch {where}/here; {HANG}")}
    return bundle.save()


@flavors("root", "rootless")
def test_signal_ends_a_creation_and_leaves_nothing(t):
    for stage in STAGES_OF_CREATE:
        for command in ("create", "run"):
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                interrupted(t, marking(t, stage), command, number=number)


def read_so_far(t, fd):
    """Writes the beginning of a document into the pipe; returns when somebody has read it."""
    os.write(fd, b"{")
    t.wait_until(lambda: fcntl.ioctl(fd, termios.FIONREAD, b"\0" * 4) == b"\0" * 4, "a reader")


@flavors("root", "rootless")
def test_signal_ends_the_reading_of_a_document(t):
    """Nothing has been made by then, and what is read may come from a terminal or never come to its end."""
    running, new, fifo = t.bundle(SLEEP), t.bundle(SLEEP), t.path("fifo")
    t.create(running)
    t.start(running)
    os.mkfifo(fifo)
    os.chmod(fifo, 0o666)
    config = ["-b", new.path, "--config", fifo, new.id]
    for command in (["create", *config], ["run", *config], ["run", "-d", *config],
                    ["exec", "--process", fifo, running.id],
                    ["exec", "-d", "--process", fifo, running.id],
                    ["mounts", "add", running.id, fifo]):
        ours = os.open(fifo, os.O_RDWR)
        try:
            child = t.popen(*command, stderr=subprocess.DEVNULL)
            read_so_far(t, ours)
            child.send_signal(signal.SIGINT)
            assert child.wait(40 * PATIENCE) == -signal.SIGINT, command
        finally:
            os.close(ours)
    t.assert_no_trace(new)
    t.delete(running, force=True)


def test_signal_ends_run_while_start_hooks_hang(t):
    for stage in ("startContainer", "poststart"):
        for opts in ([], ["-d"]):
            interrupted(t, marking(t, stage), "run", *opts, number=signal.SIGINT)


def test_poststop_hooks_run_after_an_interruption(t):
    bundle = marking(t, "createRuntime")
    bundle.config["hooks"]["poststop"] = hook(f"touch {t.path('mark')}/stopped")
    bundle.save()
    interrupted(t, bundle, "create")
    assert os.path.exists(t.path("mark", "stopped"))


def test_second_signal_ends_a_poststop_hook_of_the_undoing(t):
    bundle = marking(t, "createRuntime")
    bundle.config["hooks"]["poststop"] = hook(f"touch {t.path('mark')}/stopped; {HANG}")
    bundle.save()
    child = t.popen("create", "-b", bundle.path, bundle.id, stderr=subprocess.DEVNULL)
    t.wait_until(lambda: os.path.exists(t.path("mark", "here")), "the hook")
    child.send_signal(signal.SIGTERM)
    t.wait_until(lambda: os.path.exists(t.path("mark", "stopped")), "the poststop hook")
    child.send_signal(signal.SIGTERM)
    assert child.wait(40 * PATIENCE) == -signal.SIGTERM
    t.assert_no_trace(bundle)


def test_ignored_signals_stay_ignored(t):
    bundle = marking(t, "createRuntime")
    bundle.config["hooks"]["createRuntime"] = hook(f"touch {t.path('mark')}/here; sleep 1")
    bundle.save()
    child = t.popen("create", "-b", bundle.path, bundle.id,
                    preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    t.wait_until(lambda: os.path.exists(t.path("mark", "here")), "the hook")
    child.send_signal(signal.SIGHUP)
    assert child.wait(40 * PATIENCE) == 0
    assert t.state(bundle)["status"] == "created"


def test_signals_after_the_start_are_the_payloads(t):
    bundle = t.bundle("trap 'echo got it; exit 7' TERM; echo ready; while :; do sleep 0.1; done")
    with open(t.path("out"), "w+", encoding="utf-8") as out:
        child = t.popen("run", "-b", bundle.path, bundle.id, stdout=out)
        t.wait_until(lambda: "ready" in open(t.path("out"), encoding="utf-8").read(), "payload")
        child.send_signal(signal.SIGTERM)
        assert child.wait(40 * PATIENCE) == 7
        out.seek(0)
        assert out.read() == "ready\ngot it\n"
    t.assert_no_trace(bundle)


def test_id_is_free_after_an_interruption(t):
    bundle = marking(t, "createRuntime")
    interrupted(t, bundle, "create")
    del bundle.config["hooks"]
    bundle.save()
    t.create(bundle)
    t.delete(bundle, force=True)
