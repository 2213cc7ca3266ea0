# SPDX-License-Identifier: Apache-2.0
"""Podman with our runtime: what its users type, from `run --rm` to `rm`."""

import functools
import json
import os

from harness import PATIENCE, fields, flavors, timeout
from real_podman import Podman, ulimit


def with_podman(function):
    """Give a test a Podman, and see that the test leaves nothing in it."""
    @functools.wraps(function)
    def test(t):
        podman = Podman(t)
        try:
            function(t, podman)
        finally:
            left = podman.close()
        assert not left, f"containers were left: {left}"
    return timeout(180)(test)


@with_podman
def test_run_prints_and_leaves_nothing(t, podman):
    done = podman.container(":", "sh", "-c", "echo out; echo err >&2; hostname; echo $HOME")
    lines = done.out.split("\n")
    assert lines[0] == "out" and len(lines[1]) == 12 and lines[2] == "/root", done
    assert done.err == "err\n", done
    assert t.state_entries() == []


@with_podman
def test_exit_statuses(_t, podman):
    for script, status in (("exit 0", 0), ("exit 3", 3), ("exit 125", 125),
                           ("sleep 10 & kill -9 $!; wait $! 2>/dev/null", 137)):
        done = podman.container(":", "sh", "-c", script, check=False)
        assert done.rc == status, done
    done = podman.container(":", "/etc", check=False)
    assert done.rc == 126 and "permission denied" in done.err.lower(), done
    done = podman.container(":", "no-such-program", check=False)
    assert done.rc == 127 and "no-such-program" in done.err, done
    done = podman.container("--workdir", "/etc/passwd", ":", "true", check=False)
    assert done.rc in (126, 127) and "/etc/passwd" in done.err, done


@with_podman
def test_option_that_the_runtime_does_not_know(_t, podman):
    done = podman.run("--runtime-flag", "invalidflag", "run", "--rm", *podman.options(),
                      *podman.words([":", "true"]), check=False)
    assert done.rc in (125, 126) and "invalidflag" in done.err, done


@with_podman
def test_standard_input_goes_through(_t, podman):
    data = b"0123456789abcdef\n" * 20000
    done = podman.container("-i", ":", "wc", "-c", input=data)
    assert done.out.strip() == str(len(data)), done


@with_podman
def test_interactive_terminal(t, podman):
    pty = podman.pty(":", "sh")
    pty.expect(r"# ")
    pty.send(b"tty; stty size\r")
    pty.expect(r"/dev/pts/0\r\n24 80\r\n")

    def resized():
        pty.send(b"stty size\r")
        return pty.expect(r"\r\n(\d+ \d+)\r\n").group(1) == b"40 132"
    pty.resize(40, 132)
    t.wait_until(resized, "the new window size")
    pty.read()   # the shell has drawn its line again
    pty.send(b"sleep 1000\r")
    pty.expect(r"sleep 1000\r\n")
    t.wait_until(lambda: not pty.read(0.2), "silence")
    pty.send(b"\x03")
    pty.expect(r"# ")
    pty.send(b"exit 4\r")
    assert pty.wait(30) == 4


TALKER = "echo one; echo two >&2; trap 'echo bye; exit 5' TERM; while :; do sleep 0.05; done"


@with_podman
def test_detached_logs_stop_wait_rm(t, podman):
    container = podman.background("--name", "talker", ":", "sh", "-c", TALKER)
    t.wait_until(lambda: podman.run("logs", "talker").out == "one\n", "the log")
    assert podman.run("logs", "talker").err == "two\n"
    assert podman.run("ps", "-q", "--no-trunc").out.strip() == container
    assert podman.inspect("talker", "{{.State.Status}}") == "running"
    assert t.state(container)["status"] == "running"
    assert t.pid(container) == int(podman.inspect("talker", "{{.State.Pid}}"))
    stopped = podman.run("stop", "--time", "20", "talker")
    assert stopped.err == "", stopped
    assert podman.run("logs", "talker").out == "one\nbye\n"
    assert podman.run("wait", "talker").out == "5\n"
    assert podman.inspect("talker", "{{.State.ExitCode}}") == "5"
    assert podman.run("rm", "talker").err == ""
    assert t.state_entries() == []


@with_podman
def test_stop_of_a_deaf_container_kills_it(_t, podman):
    podman.background("--name", "deaf", ":", "sh", "-c", "trap '' TERM; sleep 1000 & wait; wait")
    podman.run("stop", "--time", "1", "deaf")
    assert podman.inspect("deaf", "{{.State.ExitCode}}") == "137"
    podman.run("rm", "deaf")


@with_podman
def test_create_start_kill_rm(t, podman):
    script = "trap 'echo signal' USR1; echo ready; while :; do sleep 0.05; done"
    podman.run("create", "--name", "c", *podman.options(), *podman.words([":", "sh", "-c", script]))
    assert podman.inspect("c", "{{.State.Status}}") in ("created", "configured")
    podman.run("init", "c")   # the runtime's create without its start
    container = podman.inspect("c", "{{.Id}}")
    assert t.state(container)["status"] == "created"
    assert podman.run("logs", "c").out == ""
    started = podman.run("start", "c")
    assert started.err == "", started
    t.wait_until(lambda: podman.run("logs", "c").out == "ready\n", "the payload")
    podman.run("kill", "--signal", "USR1", "c")
    t.wait_until(lambda: podman.run("logs", "c").out == "ready\nsignal\n", "the signal")
    killed = podman.run("kill", "c")
    assert killed.err == "", killed
    assert podman.run("wait", "c").out == "137\n"
    # The same container once more: a second create with the same id.
    podman.run("start", "c")
    t.wait_until(lambda: podman.inspect("c", "{{.State.Status}}") == "running", "the restart")
    podman.run("rm", "--force", "--time", "0", "c")
    assert t.state_entries() == []


@with_podman
def test_attach_to_the_end(_t, podman):
    podman.run("create", "--name", "c", *podman.options(),
               *podman.words([":", "sh", "-c", "echo hello; exit 6"]))
    done = podman.run("start", "--attach", "c", check=False)
    assert (done.rc, done.out) == (6, "hello\n"), done
    podman.run("rm", "c")


@with_podman
def test_limits(_t, podman):
    container = podman.background("--memory", "64m", "--pids-limit", "20", "--cpu-shares", "512",
                                  "--name", "limited", ":", "sleep", "1000")
    memory = podman.cgroup_value(container, "memory.limit_in_bytes", "memory.max")
    assert memory == str(64 << 20), memory
    assert podman.cgroup_value(container, "pids.max") == "20"
    podman.run("rm", "--force", "--time", "0", "limited")
    forks = "for i in $(seq 40); do sleep 1000 & done; echo never"
    done = podman.container("--pids-limit", "10", ":", "sh", "-c", forks, check=False)
    assert done.rc != 0 and "fork" in done.err, done
    eat = "x=$(head -c 100000000 /dev/zero | tr '\\0' x); echo never"
    done = podman.container("--memory", "16m", "--memory-swap", "16m", ":", "sh", "-c", eat,
                            check=False)
    assert done.rc in (2, 137) and "never" not in done.out, done
    assert os.path.exists(podman.path("oom")), "the monitor did not see that memory ran out"


@with_podman
def test_identity_and_privileges(_t, podman):
    done = podman.container("--user", "1000:1001", "--group-add", "2000", ":", "id")
    assert done.out.startswith("uid=1000(user) gid=1001(extra)") and "2000" in done.out, done
    assert podman.container("--user", "user", ":", "id", "-un").out == "user\n"
    assert podman.container(":", "id", "-u").out == "0\n"
    status = fields(podman.container("--cap-drop", "all", ":", "cat",
                                     "/proc/self/status").out.splitlines())
    for name in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb"):
        assert int(status[name], 16) == 0, status
    assert status["Seccomp"] == "2" and status["NoNewPrivs"] == "0", status
    one = podman.container("--cap-drop", "all", "--cap-add", "chown", "--security-opt",
                           "no-new-privileges", "--security-opt", "seccomp=unconfined", ":",
                           "cat", "/proc/self/status")
    status = fields(one.out.splitlines())
    assert int(status["CapEff"], 16) == 1 and status["NoNewPrivs"] == "1", status
    assert status["Seccomp"] == "0", status


@with_podman
def test_file_systems(t, podman):
    done = podman.container("--read-only", ":", "sh", "-c", "echo x > /file", check=False)
    assert done.rc != 0 and "Read-only file system" in done.err, done
    assert podman.container("--read-only", ":", "sh", "-c", "echo x > /tmp/file && cat /tmp/file "
                            "&& echo x > /dev/shm/file").out == "x\n"
    shared = t.mkdir("shared")
    t.file("shared/from-outside", "hello\n")
    podman.container("--volume", shared + ":/data", ":", "sh", "-c",
                     "cat /data/from-outside > /data/from-inside")
    with open(os.path.join(shared, "from-inside"), encoding="ascii") as source:
        assert source.read() == "hello\n"
    done = podman.container("-v", shared + ":/data:ro", ":", "touch", "/data/x", check=False)
    assert done.rc == 1 and "Read-only" in done.err, done
    mounted = podman.container("--tmpfs", "/scratch:size=1m,mode=1777", ":", "sh", "-c",
                               "grep /scratch /proc/mounts; stat -c %a /scratch").out
    assert "size=1024k" in mounted and mounted.endswith("1777\n"), mounted
    podman.run("volume", "create", "vol")
    podman.container("-v", "vol:/v", ":", "sh", "-c", "echo kept > /v/file")
    assert podman.container("-v", "vol:/v", ":", "cat", "/v/file").out == "kept\n"
    podman.run("volume", "rm", "vol")


@with_podman
def test_settings_of_the_process(_t, podman):
    options = ["--env", "A=b c", "--workdir", "/tmp", "--hostname", "box", "--ulimit",
               "nofile=100:200", "--ulimit", ulimit("nproc"), "--sysctl", "net.ipv4.ip_forward=1", "--shm-size", "1m",
               "--stop-signal", "USR1", "--label", "a=b", "--oom-score-adj", "500", "--umask",
               "0077"]
    script = "echo $A; pwd; hostname; ulimit -Sn; ulimit -Hn; cat /proc/sys/net/ipv4/ip_forward; " \
             "cat /proc/self/oom_score_adj; umask; df -k /dev/shm | tail -1 | awk '{print $2}'"
    done = podman.container(*options, ":", "sh", "-c", script)
    assert done.out.split("\n") == ["b c", "/tmp", "box", "100", "200", "1", "500", "0077", "1024",
                                    ""], done


@with_podman
def test_second_container_in_the_network_of_the_first(_t, podman):
    podman.background("--name", "web", ":", "sh", "-c", "mkdir /www; echo hello > /www/index.html; "
                      "exec httpd -f -p 127.0.0.1:80 -h /www")
    script = "for i in $(seq 100); do wget -qO- http://127.0.0.1/ 2>/dev/null && exit; " \
             "usleep 50000; done; exit 1"
    argv = ["run", "--rm", "--network", "container:web", "--cgroup-parent", "/" + podman.parent]
    assert podman.run(*argv, *podman.words([":", "sh", "-c", script])).out == "hello\n"
    shared = podman.run(*argv, "--pid", "container:web", "--ipc", "container:web",
                        *podman.words([":", "ps"])).out
    assert "httpd -f" in shared, shared
    podman.run("rm", "--force", "--time", "0", "web")


@with_podman
def test_hooks_of_the_engine(t, podman):
    """An OCI hook directory: each hook gets the state on its standard input."""
    hooks = t.mkdir("hooks.d")
    out = t.path("hook-out")
    hook = {"version": "1.0.0", "when": {"always": True}, "stages": ["createRuntime", "poststop"],
            "hook": {"path": "/bin/sh", "args": ["sh", "-c", f"cat >> {out}; echo >> {out}"]}}
    t.file("hooks.d/test.json", json.dumps(hook))
    podman.run("--hooks-dir", hooks, "run", "--rm", *podman.options(), *podman.words([":", "true"]))
    text, states, decoder = open(out, encoding="utf-8").read().strip(), [], json.JSONDecoder()
    while text:
        state, end = decoder.raw_decode(text)
        states.append(state)
        text = text[end:].strip()
    assert [state["status"] for state in states] == ["creating", "stopped"], states
    assert states[0]["id"] == states[1]["id"] and states[0]["pid"] > 0, states


@with_podman
def test_namespaces_of_the_host(_t, podman):
    def link(kind):
        return os.readlink("/proc/self/ns/" + kind) + "\n"
    for kind, option in (("pid", "--pid"), ("ipc", "--ipc"), ("uts", "--uts")):
        seen = podman.container(option, "host", ":", "readlink", "/proc/self/ns/" + kind).out
        assert seen == link(kind), (kind, seen)
        assert podman.container(":", "readlink", "/proc/self/ns/" + kind).out != link(kind)
    seen = podman.run("run", "--rm", "--network", "host", "--cgroup-parent", "/" + podman.parent,
                      *podman.words([":", "readlink", "/proc/self/ns/net"])).out
    assert seen == link("net"), seen


@with_podman
def test_user_namespace_of_root(_t, podman):
    done = podman.container("--uidmap", "0:5000000:65536", "--gidmap", "0:5000000:65536", ":", "sh",
                            "-c", "cat /proc/self/uid_map; touch /new; stat -c %u:%g /new /bin/sh")
    assert done.out.split() == ["0", "5000000", "65536", "0:0", "0:0"], done
    done = podman.container("--uidmap", "0:5000000:65536", "--user", "1000", ":", "id", "-u")
    assert done.out == "1000\n", done


@with_podman
def test_idmapped_volumes_of_root(t, podman):
    source = t.mkdir("volume")
    t.file("volume/file", "text\n")
    maps = ("--uidmap", "0:5000000:65536", "--gidmap", "0:5000000:65536")
    show = (":", "sh", "-c", "stat -c %u:%g /v/file; touch /v/new && stat -c %u:%g /v/new")
    done = podman.container(*maps, "-v", f"{source}:/v:idmap", *show)
    assert done.out.split() == ["0:0", "0:0"], done
    assert os.stat(t.path("volume", "new")).st_uid == 0
    done = podman.container("-v", f"{source}:/v:idmap=uids=0-7-10;gids=0-8-10", ":", "stat", "-c",
                            "%u:%g", "/v/file")
    assert done.out == "7:8\n", done


@with_podman
def test_devices(_t, podman):
    read = "head -c 1 /dev/kmsg > /dev/null 2>&1 && echo read || echo refused"
    assert podman.container(":", "sh", "-c", f"mknod /dev/kmsg c 1 11 2>/dev/null; {read}").out \
        == "refused\n"
    done = podman.container("--device", "/dev/null:/dev/renamed:rwm", ":", "sh", "-c",
                            "stat -c %t:%T /dev/renamed; echo x > /dev/renamed && echo written")
    assert done.out == "1:3\nwritten\n", done


@with_podman
def test_restarts(t, podman):
    podman.run("run", "--detach", "--name", "c", *podman.options(),
               *podman.words([":", "sh", "-c", "echo begun; exec sleep 1000"]))
    for count in (2, 3):
        podman.run("restart", "--time", "0", "c")
        t.wait_until(lambda n=count: podman.run("logs", "c").out == "begun\n" * n, "the restart")
    podman.run("rm", "--force", "--time", "0", "c")
    podman.run("run", "--detach", "--name", "d", "--restart", "on-failure:3", *podman.options(),
               *podman.words([":", "sh", "-c", "echo try; exit 1"]))
    t.wait_until(lambda: podman.run("logs", "d").out == "try\n" * 4, "the retries", 20)
    t.wait_until(lambda: podman.inspect("d", "{{.State.Status}}") == "exited", "the end")
    podman.run("rm", "d")
    assert t.state_entries() == []


@with_podman
def test_preserved_descriptor(t, podman):
    path = t.file("handed", "through\n")
    with open(path, "rb") as source:
        os.dup2(source.fileno(), 3)
    done = podman.container("--preserve-fds", "1", ":", "sh", "-c", "cat <&3", pass_fds=[3])
    os.close(3)
    assert done.out == "through\n", done


@with_podman
def test_build(t, podman):
    """The builder calls the runtime itself: create, start, state again and again, delete."""
    t.mkdir("context")
    t.file("context/Containerfile", "FROM localhost/crun-test\nRUN echo built > /made && id -u\n"
           "USER 1000\nRUN id -u\nCMD cat /made\n")
    done = podman.run("build", "--isolation", "oci", "--network", "none", "--tag",
                      "localhost/crun-built", "--layers=false", "--cgroup-parent",
                      "/" + podman.parent, t.path("context"))
    assert "\n0\n" in done.out and "\n1000\n" in done.out, done
    assert podman.run("run", "--rm", *podman.options(), "localhost/crun-built").out == "built\n"
    t.file("context/Containerfile", "FROM localhost/crun-test\nRUN exit 9\n")
    done = podman.run("build", "--isolation", "oci", "--network", "none", "--cgroup-parent",
                      "/" + podman.parent, t.path("context"), check=False)
    assert done.rc != 0 and "9" in done.err, done
    assert t.state_entries() == []


@with_podman
def test_several_at_once(t, podman):
    """Ten containers started together: engines do not take turns."""
    def start():
        argv = podman.argv("run", "--rm", *podman.options(), *podman.words([":", "sleep", "0.3"]))
        return t.popen(argv=argv, env=podman.environment())
    children = [start() for _n in range(10)]
    assert [child.wait(60 * PATIENCE) for child in children] == [0] * 10
    assert t.state_entries() == []


@with_podman
def test_state_is_in_the_usual_place(t, podman):
    """Podman looks there itself, and passes no --root."""
    container = podman.background("--name", "c", ":", "sleep", "1000")
    path = os.path.join("/run/crun", container)
    assert os.path.isdir(path)
    podman.run("rm", "--force", "--time", "0", "c")
    assert not os.path.exists(path)


@flavors("rootless")
@with_podman
def test_rootless(t, podman):
    if not t.subids:
        t.skip("no subordinate ids for the test user (newuidmap missing?)")
    done = podman.container(":", "sh", "-c", "id -u; echo hello; exit 3", check=False)
    assert (done.rc, done.out) == (3, "0\nhello\n"), done
    assert podman.container("--user", "1000", ":", "id", "-u").out == "1000\n"
    kept = podman.container("--userns", "keep-id", ":", "sh", "-c", "id -u; stat -c %u /proc/self/")
    assert kept.out == f"{t.uid}\n{t.uid}\n", kept
    container = podman.background("--name", "talker", ":", "sh", "-c", TALKER)
    assert os.path.isdir(os.path.join(t.run_dir, "crun", container))
    t.wait_until(lambda: podman.run("logs", "talker").out == "one\n", "the log")
    podman.run("stop", "--time", "20", "talker")
    assert podman.run("wait", "talker").out == "5\n"
    podman.run("rm", "talker")
    # The directory of compiled filters stays.
    assert set(os.listdir(os.path.join(t.run_dir, "crun"))) <= {".seccomp"}
    pty = podman.pty(":", "sh")
    pty.expect(r"# ")
    pty.send(b"stty size; exit 4\r")
    pty.expect(r"24 80\r\n")
    assert pty.wait(30) == 4
