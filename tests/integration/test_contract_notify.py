# SPDX-License-Identifier: Apache-2.0
"""NOTIFY_SOCKET: a payload in a service tells the service manager when it is ready."""

import os
import select
import signal
import socket
import time

from harness import PATIENCE, alone, flavors
from test_lifecycle import SLEEP

INSIDE = "/run/notify/notify.sock"


class Manager:
    """The socket of a service manager, as systemd has one for each unit."""

    def __init__(self, t, abstract=False):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.address = f"@{t.prefix}-{t.counter}" if abstract else t.path(f"manager{t.counter}")
        self.sock.bind(self.address.replace("@", "\0", 1) if abstract else self.address)
        if not abstract:
            os.chmod(self.address, 0o666)
        self.env = {"NOTIFY_SOCKET": self.address}

    def messages(self, timeout=0):
        """All that is there, barriers left out: reading one closes its descriptor, the answer."""
        found = []
        while select.select([self.sock], [], [], timeout)[0]:
            text = self.sock.recv(8192).decode()
            if text != "BARRIER=1":
                found.append(text.splitlines())
        return found

    def until_ends(self, child):
        """Its status; what still comes, such as the barrier that it waits for, is read."""
        deadline = time.monotonic() + 20 * PATIENCE
        while child.poll() is None:
            assert time.monotonic() < deadline, "it does not end"
            self.messages(0.05)
        return child.returncode

    def wait_for(self, line):
        """Reads until a message with LINE; returns all of them."""
        deadline, found = time.monotonic() + 20 * PATIENCE, []
        while not any(line in m for m in found):
            assert time.monotonic() < deadline, f"no {line} in {found}"
            found += self.messages(0.05)
        return found


def times_out_while_it_waits(command):
    """On a slow machine a short time is over before the payload runs."""
    return any("READY=1" in command(limit).err for limit in ("500ms", "3s", "12s"))


def talking(t, *words, **kwargs):
    """A payload that sends each of the messages and stays."""
    return t.bundle(["probe"] + [f"notify:{w}" for w in words] + ["pause"], **kwargs)


# ---- create and start ---------------------------------------------------------------------------

@flavors("root", "rootless")
def test_start_returns_when_the_payload_is_ready(t):
    for abstract in (False, True):
        manager, bundle = Manager(t, abstract), talking(t, "STATUS=nearly", "READY=1|STATUS=there")
        t.create(bundle, env=manager.env)
        pid = t.pid(bundle)
        assert manager.messages() == [], "create has nothing to say"
        child = t.popen("start", bundle.id, env=manager.env)
        found = manager.wait_for("READY=1")
        assert manager.until_ends(child) == 0
        assert found == [["STATUS=nearly"], ["READY=1", "STATUS=there", f"MAINPID={pid}"]], found
        assert t.state(bundle)["status"] == "running"
        t.delete(bundle, force=True)
        t.assert_no_trace(bundle)


def test_start_waits_until_then(t):
    manager = Manager(t)
    bundle = t.bundle("read x </go; probe notify:READY=1; exec sleep 1000", own_rootfs=True)
    os.mkfifo(os.path.join(bundle.rootfs, "go"))
    t.create(bundle, env=manager.env)
    child = t.popen("start", bundle.id, env=manager.env)
    t.wait_status(bundle, "running")
    time.sleep(0.2)
    assert child.poll() is None and manager.messages() == []
    with open(os.path.join(bundle.rootfs, "go"), "w", encoding="ascii") as go:
        go.write("go\n")
    manager.wait_for("READY=1")
    assert manager.until_ends(child) == 0


def test_start_ends_with_a_payload_that_never_is_ready(t):
    manager = Manager(t)
    bundle = t.bundle("exit 3")
    t.create(bundle, env=manager.env)
    result = t.rt("start", bundle.id, env=manager.env)
    assert result.err == "" and manager.messages() == [], result
    bundle = t.bundle(SLEEP)
    t.create(bundle, env=manager.env)
    child = t.popen("start", bundle.id, env=manager.env)
    t.wait_status(bundle, "running")
    t.kill(bundle, "KILL")
    assert child.wait(40 * PATIENCE) == 0
    t.wait_status(bundle, "stopped")


def test_last_words_of_a_payload_that_ends_at_once_are_heard(t):
    manager, bundle = Manager(t), t.bundle(["probe", "notify:READY=1"])
    t.create(bundle, env=manager.env)
    child = t.popen("start", bundle.id, env=manager.env)
    manager.wait_for("READY=1")
    assert manager.until_ends(child) == 0


def test_start_without_the_variable_tells_whom_create_was_called_by(t):
    manager, bundle = Manager(t), talking(t, "READY=1")
    t.create(bundle, env=manager.env)
    child = t.popen("start", bundle.id)
    manager.wait_for("READY=1")
    assert manager.until_ends(child) == 0


def test_start_with_the_variable_alone_waits_for_nobody(t):
    manager, bundle = Manager(t), t.bundle(SLEEP)
    t.create(bundle)
    t.rt("start", bundle.id, env=manager.env)
    assert t.state(bundle)["status"] == "running"


def test_timeout_of_start_ends_the_container(t):
    manager = Manager(t)

    def start(limit):
        bundle = t.bundle(SLEEP)
        t.create(bundle, env=manager.env)
        result = t.fails("--timeout", limit, "start", bundle.id, env=manager.env,
                         has="not done after")
        t.wait_status(bundle, "stopped")
        t.delete(bundle)
        return result
    assert times_out_while_it_waits(start)


# ---- run ----------------------------------------------------------------------------------------

@flavors("root", "rootless")
def test_detached_run_returns_when_the_payload_is_ready(t):
    manager, bundle = Manager(t), talking(t, "READY=1")
    child = t.popen("run", "--detach", "-b", bundle.path, bundle.id, env=manager.env)
    found = manager.wait_for("READY=1")
    assert manager.until_ends(child) == 0
    assert found == [["READY=1", f"MAINPID={t.pid(bundle)}"]], found


def test_timeout_and_signals_end_a_detached_run_that_waits(t):
    manager, bundle = Manager(t), t.bundle(SLEEP)

    def run(limit):
        result = t.fails("--timeout", limit, "run", "-d", "-b", bundle.path, bundle.id,
                         env=manager.env, has="not done after")
        t.assert_no_trace(bundle)
        return result
    assert times_out_while_it_waits(run)
    child = t.popen("run", "-d", "-b", bundle.path, bundle.id, env=manager.env)
    t.wait_running(bundle)
    child.send_signal(signal.SIGTERM)
    assert child.wait(40 * PATIENCE) == -signal.SIGTERM
    t.assert_no_trace(bundle)


@flavors("root", "rootless")
def test_foreground_run_passes_on_all_that_the_payload_says(t):
    manager = Manager(t)
    bundle = talking(t, "READY=1", "STATUS=a", "WATCHDOG=1", "RELOADING=1|MONOTONIC_USEC=5",
                     "STOPPING=1")
    bundle.config["process"]["args"].pop()   # "pause"
    bundle.save()
    result = t.run_container(bundle, env=manager.env)
    assert result.err == "" and result.out.count("sent") == 5, result
    # Whoever is waited for stays the main process: the runtime.
    assert manager.messages(0.1) == [["READY=1"], ["STATUS=a"], ["WATCHDOG=1"],
                                     ["RELOADING=1", "MONOTONIC_USEC=5"], ["STOPPING=1"]]


# ---- what the payload may not do ----------------------------------------------------------------

def test_only_what_says_how_the_payload_is_reaches_the_manager(t):
    manager = Manager(t)
    words = ["MAINPID=1", "FDSTORE=1|FDNAME=x", "BARRIER=1", "NOTIFYACCESS=all", "READY=11",
             "WATCHDOG_USEC=1", "X_READY=1", "MAINPID=1|STATUS=yes|FDSTOREREMOVE=1", ""]
    bundle = talking(t, *words)
    bundle.config["process"]["args"].pop()
    bundle.save()
    t.run_container(bundle, env=manager.env)
    assert manager.messages(0.1) == [["STATUS=yes"]]


def test_flood_does_not_keep_the_runtime_from_the_end(t):
    manager = Manager(t)
    bundle = t.bundle("while :; do probe notify:X=1 notify:X=2 notify:X=3; done >/dev/null")
    child = t.popen("run", "-b", bundle.path, bundle.id, env=manager.env)
    t.wait_running(bundle)
    t.kill(bundle, "KILL")
    assert child.wait(40 * PATIENCE) == 137


def test_socket_is_there_for_every_user_and_cannot_be_changed(t):
    manager = Manager(t)
    script = "ls -l /run/notify; touch /run/notify/x; rm -f " + INSIDE + \
        "; grep ' /run/notify ' /proc/self/mountinfo; echo $NOTIFY_SOCKET; probe notify:READY=1"
    bundle = t.bundle(script, mutate={"process": {"user": {"uid": 1234, "gid": 1234},
                                                  "capabilities": None}})
    result = t.run_container(bundle, env=manager.env)
    assert result.out.splitlines()[-3:] == [INSIDE, "== notify:READY=1", "sent"], result
    mount = next(x for x in result.out.splitlines() if " /run/notify " in x)
    assert {"ro", "nosuid", "nodev", "noexec"} <= set(mount.split()[5].split(",")), result
    assert manager.messages(0.1) == [["READY=1"]]


def test_payload_in_a_user_namespace_is_heard(t):
    t.needs("open_tree")   # its socket lies where only the host's root gets to
    manager, ids = Manager(t), [{"containerID": 0, "hostID": 100000, "size": 65536}]
    bundle = t.bundle(["probe", "notify:READY=1"], mutate=lambda c: (
        c["linux"]["namespaces"].append({"type": "user"}),
        c["linux"].update(uidMappings=ids, gidMappings=ids)))
    os.makedirs(os.path.join(bundle.rootfs, "run/notify"), exist_ok=True)
    assert "sent" in t.run_container(bundle, env=manager.env).out
    assert manager.messages(0.1) == [["READY=1"]]


def test_tmpfs_of_the_configuration_at_run_does_not_hide_it(t):
    manager = Manager(t)
    mount = {"destination": "/run", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]}
    bundle = t.bundle(["probe", "notify:READY=1"], mutate=lambda c: c["mounts"].append(mount))
    assert "sent" in t.run_container(bundle, env=manager.env).out
    assert manager.messages(0.1) == [["READY=1"]]


# ---- when there is nothing to do ----------------------------------------------------------------

def test_socket_that_the_configuration_names_is_left_alone(t):
    """Podman's --sdnotify=container: conmon listens, at a socket that it has mounted itself."""
    manager = Manager(t)
    bundle = t.bundle("echo $NOTIFY_SOCKET; ls /run/notify")
    bundle.config["process"]["env"].append("NOTIFY_SOCKET=/run/theirs")
    bundle.save()
    result = t.run_container(bundle, env=manager.env, check=False)
    assert result.out == "/run/theirs\n" and "No such file" in result.err, result
    t.create(bundle, env=manager.env)
    t.rt("start", bundle.id, env=manager.env)


def test_variable_that_is_no_address_is_ignored(t):
    for value in ("", "relative", "/", "@", "vsock:2:1234", "/" + "x" * 200):
        bundle = t.bundle("echo -$NOTIFY_SOCKET-")
        result = t.run_container(bundle, env={"NOTIFY_SOCKET": value})
        assert result.out == "--\n" and result.err == "", result


def test_manager_that_is_not_there_is_no_failure(t):
    for address in (t.path("nobody"), "@" + t.prefix):
        bundle = talking(t, "READY=1")
        result = t.rt("run", "-d", "-b", bundle.path, bundle.id, env={"NOTIFY_SOCKET": address})
        assert result.err == "", result
        bundle = talking(t, "READY=1")
        result = t.rt("--log-level", "warning", "run", "-d", "-b", bundle.path, bundle.id,
                      env={"NOTIFY_SOCKET": address})
        assert "cannot be told" in result.err, result


@alone
def test_manager_that_reads_nothing_delays_for_a_limited_time_only(t):
    manager, bundle = Manager(t), talking(t, "READY=1")
    start = time.monotonic()
    t.rt("run", "-d", "-b", bundle.path, bundle.id, env=manager.env)
    assert time.monotonic() - start < 30 * PATIENCE
