# SPDX-License-Identifier: Apache-2.0
"""Hostile processes of a container while exec and mounts work on it."""

import contextlib
import ctypes
import json
import os
import signal
import threading
import time

import hostside
from harness import flavors
from test_lifecycle import running
from test_mounts import document, tmpfs, writable

RENAMEAT2 = {"x86_64": 316, "aarch64": 276}
AT_FDCWD, EXCHANGE = -100, 2

# The first process makes itself a user namespace that does not know the host's root, who stays in the one around it.
LEAVE_FOR_A_USERNS = """
(while [ "$(readlink /proc/1/ns/user)" = "$(readlink /proc/self/ns/user)" ]; do :; done
 echo 0 1000 1 > /proc/1/uid_map && echo 0 1000 1 > /proc/1/gid_map && echo done > /tmp/ready
 exec sleep 1000) &
exec unshare -U sleep 1000
"""


@flavors("root")
def test_binary_is_shielded_from_a_container_that_hides_its_root(t):
    """CVE-2019-5736: who stays outside of init's new user namespace may write to what belongs to the host's root."""
    def change(conf):
        writable(conf)
        for which in ("bounding", "permitted", "effective"):
            conf["process"]["capabilities"][which] = ["CAP_SETUID", "CAP_SETGID", "CAP_KILL"]

    bundle = running(t, ["sh", "-c", LEAVE_FOR_A_USERNS], mutate=change, own_rootfs=True)
    t.wait_until(lambda: os.path.exists(os.path.join(bundle.rootfs, "tmp", "ready")),
                 "the namespace")
    t.file(os.path.join(bundle.rootfs, "evil"), "#!/proc/self/exe\n", 0o755)
    process = t.file("process.json", json.dumps({"cwd": "/", "args": ["/evil"],
                                                 "capabilities": {},
                                                 "user": {"uid": 0, "gid": 0}}))
    t.fails("exec", "--process", process, bundle.id, has="exec: permission denied")


@flavors("root", "rootless")
def test_oom_score_is_in_force_for_exec_too(t):
    """The joining process is closed to ptrace, so that an ordinary user's runtime cannot write its score."""
    bundle = running(t, mutate={"process": {"oomScoreAdj": 77}})
    assert t.rt("exec", bundle.id, "cat", "/proc/self/oom_score_adj").out == "77\n"
    process = t.file("score.json", json.dumps({"cwd": "/", "args": ["cat", "/proc/self/oom_score_adj"],
                                               "oomScoreAdj": 99, "user": {"uid": 0, "gid": 0}}))
    assert t.rt("exec", "--process", process, bundle.id).out == "99\n"


def points(t, bundle):
    with open(f"/proc/{t.pid(bundle)}/mountinfo", encoding="utf-8") as table:
        return sorted(line.split()[4] for line in table)


@flavors("root")
def test_mounts_that_fail_take_away_nothing_but_their_own(t):
    """A path that was a new mount's a moment ago leads to a mount that protects the host when the list fails."""
    number = RENAMEAT2.get(os.uname().machine) or t.skip("renameat2(2) has no number here")
    bundle = running(t, mutate=writable, own_rootfs=True)
    good, evil = (os.path.join(bundle.rootfs, name) for name in ("good", "evil"))
    os.mkdir(good)
    os.mkdir(evil)
    for i in range(80):
        os.mkdir(os.path.join(good, f"m{i}"))
        os.symlink("/sys/firmware", os.path.join(evil, f"m{i}"))
    path = document(t, *(tmpfs(f"/good/m{i}", "ro") for i in range(80)), tmpfs("/proc/self"))
    before, libc, stop = points(t, bundle), ctypes.CDLL(None, use_errno=True), threading.Event()

    def swap():
        while not stop.is_set():
            libc.syscall(number, AT_FDCWD, good.encode(), AT_FDCWD, evil.encode(), EXCHANGE)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(8):
            t.fails("mounts", "add", bundle.id, path)
            assert points(t, bundle) == before
    finally:
        stop.set()
        thread.join()


# The shell's own kill and patterns: no process but this one and those that come.
STOP_ONCE = """
while :; do
	for p in /proc/[0-9]*; do
		p=${p#/proc/}
		if [ "$p" -gt 1 ] && kill -STOP $p 2>/dev/null; then
			echo $p >> /tmp/stopped
			%s
		fi
	done
done
"""


def stopped(bundle):
    try:
        with open(os.path.join(bundle.rootfs, "tmp", "stopped"), encoding="ascii") as numbers:
            return numbers.read().split()
    except FileNotFoundError:
        return []


def exec_detached(t, bundle, **kwargs):
    """Runs true, which may be stopped for good once it runs: ended and collected, for the pid namespace waits for it."""
    pid_file = t.path("pid")
    result = t.rt("exec", "--detach", "--pid-file", pid_file, bundle.id, "/bin/true", **kwargs)
    if result.rc == 0:
        with open(pid_file, encoding="ascii") as number:
            pid = int(number.read())
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        t.wait_until(hostside.reaped(lambda: not os.path.exists(f"/proc/{pid}")), "its end")
    return result


@flavors("root", "rootless")
def test_process_that_joins_is_not_stopped_for_long(t):
    """exec --detach returns with the execve: stopped before that, it would wait for ever."""
    bundle = running(t, ["sh", "-c", STOP_ONCE % "exec sleep 1000"], mutate=writable,
                     own_rootfs=True)
    exec_detached(t, bundle, timeout=30)
    t.wait_until(lambda: stopped(bundle), "a process that was stopped")


@flavors("root")
def test_process_that_joins_is_stopped_again_and_again(t):
    bundle = running(t, ["sh", "-c", STOP_ONCE % ":"], mutate=writable, own_rootfs=True)
    began = time.monotonic()
    for _n in range(3):
        result = exec_detached(t, bundle, check=False, timeout=60)
        assert result.rc == 0 or "sends it SIGSTOP" in result.err, result
        if result.rc != 0 or time.monotonic() - began > 30:
            break
    assert stopped(bundle), "nothing was stopped"
