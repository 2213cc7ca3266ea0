# SPDX-License-Identifier: Apache-2.0
"""Podman's scenarios: one container, from `run --rm` to `rm`."""

import os
import re
import shutil
import socket
import subprocess

from framework import scenario

TALKER = "echo one; echo two >&2; trap 'echo bye; exit 5' TERM; while :; do sleep 0.05; done"
FOREVER = ("sleep", "1000")


class Scenarios:
    @scenario(quick=True)
    def run_prints_and_leaves_nothing(self):
        info = self.podman("info", "--format", "{{.Host.OCIRuntime.Path}}").out.strip()
        assert info == self.runtime, f"not the runtime under test: {info}"
        done = self.container(":", "sh", "-c", "echo out; echo err >&2; hostname; echo $HOME")
        lines = done.out.split("\n")
        assert lines[0] == "out" and len(lines[1]) == 12 and lines[2] == "/root", done
        assert done.err == "err\n", done

    @scenario(quick=True)
    def exit_statuses(self):
        for script, status in (("exit 0", 0), ("exit 7", 7), ("exit 125", 125),
                               ("kill -9 $$", 137), ("kill -15 $$; sleep 9", 0)):
            done = self.container(":", "sh", "-c", "sh -c '" + script + "'; exit $?" if "kill" in
                                  script else script, check=False)
            assert done.rc == status or "15" in script, done
        done = self.container(":", "/etc", check=False)
        assert done.rc == 126 and re.search("permission denied|not a regular file|is a directory",
                                            done.err.lower()), done
        done = self.container(":", "no-such-program", check=False)
        assert done.rc == 127 and re.search(
            r"executable file `no-such-program` not found in \$PATH: No such file or directory",
            done.err), done

    @scenario()
    def working_directory_that_is_missing_or_a_file(self):
        done = self.container("--workdir", "/etc/passwd", ":", "true", check=False)
        assert done.rc in (126, 127) and "/etc/passwd" in done.err, done

    @scenario()
    def option_that_the_runtime_does_not_know(self):
        done = self.podman("--runtime-flag", "invalidflag", "run", "--rm", "--network", "none",
                           self.image, "true", check=False)
        assert done.rc in (125, 126) and "invalidflag" in done.err, done
        self.wait_until(lambda: self.podman("ps", "-aq").out == "", "removal")

    @scenario()
    def runtime_flags_for_debugging(self):
        log = self.path("tmp", "debug.log")
        done = self.podman("--runtime-flag", "debug", "--runtime-flag", "log=" + log, "run",
                           "--rm", "--network", "none", self.image, "echo", "hello")
        assert done.out == "hello\n", done
        assert os.path.exists(log), "the log file was not made"

    @scenario(quick=True)
    def standard_input_goes_through(self):
        data = b"0123456789abcdef\n" * 20000
        done = self.container("-i", ":", "wc", "-c", input=data)
        assert done.out.strip() == str(len(data)), done

    @scenario()
    def interactive_terminal(self):
        pty = self.pty(*self.argv("run", "--rm", "-it", "--network", "none", self.image, "sh"))
        pty.expect(r"# ", 30)
        pty.send(b"tty; stty size\r")
        pty.expect(r"/dev/pts/0\r\n24 80\r\n")

        def resized():
            pty.send(b"stty size\r")
            return pty.expect(r"\r\n(\d+ \d+)\r\n").group(1) == b"40 132"
        pty.resize(40, 132)
        self.wait_until(resized, "the new window size")
        pty.read()
        pty.send(b"sleep 1000\r")
        pty.expect(r"sleep 1000\r\n")
        self.wait_until(lambda: not pty.read(0.2), "silence")
        pty.send(b"\x03")
        pty.expect(r"# ")
        pty.send(b"exit 4\r")
        assert pty.wait(30) == 4

    @scenario(quick=True)
    def detached_logs_stop_wait_rm(self):
        container = self.background("--name", "talker", ":", "sh", "-c", TALKER)
        assert re.fullmatch("[0-9a-f]{64}", container), container
        self.wait_until(lambda: self.podman("logs", "talker").out == "one\n", "the log")
        assert self.podman("logs", "talker").err == "two\n"
        assert self.podman("ps", "-q", "--no-trunc").out.strip() == container
        assert os.path.isdir(os.path.join(self.state_dirs()[0], container))
        stopped = self.podman("stop", "--time", "20", "talker")
        assert stopped.err == "", stopped
        assert self.podman("logs", "talker").out == "one\nbye\n"
        assert self.podman("wait", "talker").out == "5\n"
        assert self.inspect("talker", "{{.State.ExitCode}}") == "5"
        assert self.podman("rm", "talker").err == ""

    @scenario()
    def stop_of_a_deaf_container_kills_it(self):
        self.background("--name", "deaf", ":", "sh", "-c", "trap '' TERM; sleep 1000 & wait; wait")
        self.podman("stop", "--time", "1", "deaf")
        assert self.inspect("deaf", "{{.State.ExitCode}}") == "137"
        self.podman("rm", "deaf")

    @scenario()
    def create_init_start_kill_start_again(self):
        script = "trap 'echo signal' USR1; echo ready; while :; do sleep 0.05; done"
        self.podman("create", "--name", "c", "--network", "none", self.image, "sh", "-c", script)
        self.podman("init", "c")   # the runtime's create without its start
        container = self.inspect("c", "{{.Id}}")
        state = self.run(self.runtime, "--root", self.state_dirs()[0], "state", container).out
        assert '"created"' in state, state
        assert self.podman("logs", "c").out == ""
        started = self.podman("start", "c")
        assert started.err == "", started
        self.wait_until(lambda: self.podman("logs", "c").out == "ready\n", "the payload")
        self.podman("kill", "--signal", "USR1", "c")
        self.wait_until(lambda: self.podman("logs", "c").out == "ready\nsignal\n", "the signal")
        killed = self.podman("kill", "c")
        assert killed.err == "", killed
        assert self.podman("wait", "c").out == "137\n"
        self.podman("start", "c")   # a second create with the same id
        self.wait_until(lambda: self.inspect("c", "{{.State.Status}}") == "running", "the restart")
        self.podman("rm", "--force", "--time", "0", "c")

    @scenario(quick=True)
    def rm_by_force_leaves_no_state(self):
        container = self.background(":", *FOREVER)
        path = os.path.join(self.state_dirs()[0], container)
        assert os.path.isdir(path), path
        done = self.podman("rm", "--force", "--time", "0", container)
        assert done.err == "" and not os.path.exists(path), done

    @scenario()
    def restarts(self):
        self.background("--name", "c", ":", "sh", "-c", "echo begun; exec sleep 1000")
        for count in (2, 3):
            self.podman("restart", "--time", "0", "c")
            self.wait_until(lambda n=count: self.podman("logs", "c").out == "begun\n" * n,
                            "the restart")
        self.podman("rm", "--force", "--time", "0", "c")
        self.background("--name", "d", "--restart", "on-failure:3", ":", "sh", "-c",
                        "echo try; exit 1")
        self.wait_until(lambda: self.podman("logs", "d").out == "try\n" * 4, "the retries")
        self.wait_until(lambda: self.inspect("d", "{{.State.Status}}") == "exited", "the end")
        self.podman("rm", "d")

    @scenario()
    def attach(self):
        self.podman("create", "--name", "c", "--network", "none", self.image, "sh", "-c",
                    "echo hello; exit 6")
        done = self.podman("start", "--attach", "c", check=False)
        assert (done.rc, done.out) == (6, "hello\n"), done
        self.podman("rm", "c")
        self.background("-i", "--name", "d", ":", "sh", "-c", "read x; echo got $x; exit 3")
        done = self.podman("attach", "d", input="word\n", check=False)
        assert "got word\n" in done.out, done
        assert self.podman("wait", "d").out == "3\n"
        self.podman("rm", "d")

    @scenario()
    def pause_and_unpause(self):
        script = "while :; do date +%s%N; sleep 0.1; done"
        container = self.background("--name", "c", ":", "sh", "-c", script)
        paused = self.podman("pause", "c", check=False)
        if paused.rc and self.rootless:
            assert "cgroup" in paused.err, paused
            self.podman("rm", "--force", "--time", "0", "c")
            self.skip("Podman pauses no rootless containers without cgroups v2")
        assert paused.rc == 0 and paused.err == "", paused
        assert self.inspect("c", "{{.State.Status}}") == "paused"
        state = self.run(self.runtime, "--root", self.state_dirs()[0], "state", container).out
        assert '"paused"' in state, state
        before = self.podman("logs", "c").out
        refused = self.podman("exec", "c", "true", check=False)
        assert refused.rc != 0, refused
        assert self.podman("logs", "c").out == before
        assert self.podman("unpause", "c").err == ""
        self.wait_until(lambda: self.podman("logs", "c").out != before, "life")
        self.podman("pause", "c")
        self.podman("rm", "--force", "--time", "0", "c")   # kills a frozen one

    @scenario()
    def init_process(self):
        if not any(os.path.exists(p) for p in ("/usr/libexec/podman/catatonit",
                                               "/usr/bin/catatonit")):
            self.skip("catatonit is not installed")
        # `exec`, for a signal must reach the payload itself.
        done = self.container("--init", ":", "sh", "-c",
                              "cat /proc/1/comm; ps | grep -c catatonit; exit 9", check=False)
        assert done.rc == 9 and "init" in done.out.split()[0] or "catatonit" in done.out, done

    @scenario()
    def preserved_descriptors(self):
        path = self.file("handed", "through\n")
        with open(path, "rb") as source:
            os.dup2(source.fileno(), 3)
            done = self.container("--preserve-fds", "1", ":", "sh", "-c", "cat <&3; ls /proc/self/fd",
                                  pass_fds=[3])
            os.close(3)
        assert done.out.split()[:5] == ["through", "0", "1", "2", "3"], done

    @scenario()
    def preserved_descriptors_with_holes(self):
        if "--preserve-fd " not in self.podman("run", "--help").out.replace("strings", ""):
            self.skip("this Podman has no --preserve-fd")
        with open(self.file("nine", "nine\n"), "rb") as nine, \
                open(self.file("forty", "forty\n"), "rb") as forty:
            os.dup2(nine.fileno(), 9)
            os.dup2(forty.fileno(), 40)
            done = self.container("--preserve-fd=9,40", ":", "sh", "-c",
                                  "cat <&9; cat /proc/self/fd/40; ls /proc/self/fd",
                                  pass_fds=[9, 40])
            os.close(9)
            os.close(40)
        assert done.out.split()[:7] == ["nine", "forty", "0", "1", "2", "3", "40"], done

    @scenario()
    def umask(self):
        assert self.container(":", "sh", "-c", "umask").out == "0022\n"
        assert self.container("--umask", "0077", ":", "sh", "-c", "umask").out == "0077\n"

    @scenario(flavors=("rootless",))
    def keep_groups(self):
        if self.container("--group-add", "keep-groups", ":", "true", check=False).rc:
            self.skip("this Podman does not let crun keep groups")
        ours = 64400
        argv = self.argv("run", "--rm", "--network", "none", "--group-add", "keep-groups",
                         self.image, "grep", "Groups:", "/proc/self/status")
        done = self.run(*argv, extra_groups=[ours])
        assert done.out.split()[1:], done   # shown as the overflow id, but there

    @scenario()
    def notification_of_readiness_by_the_container(self):
        if not shutil.which("nc", path="/usr/bin:/bin") and "nc" not in os.listdir(
                os.path.join(self.world.rootfs, "bin")):
            self.skip("busybox has no nc")
        path = self.path("tmp", "notify.sock")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.bind(path)
            os.chmod(path, 0o777)
            sock.settimeout(30)
            self.podman("run", "-d", "--name", "c", "--network", "none", "--sdnotify", "conmon",
                        self.image, *FOREVER, env={"NOTIFY_SOCKET": path})
            text = b""
            while b"READY=1" not in text:
                text += sock.recv(4096) + b"\n"
            assert b"MAINPID=" in text, text
        self.podman("rm", "--force", "--time", "0", "c")
        os.unlink(path)

    @scenario()
    def several_at_once(self):
        children = [self.popen(*self.argv("run", "--rm", "--network", "none", self.image, "sleep",
                                          "0.3"), stderr=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL) for _number in range(6)]
        assert [child.wait(80) for child in children] == [0] * 6

    @scenario()
    def hooks_of_the_engine(self):
        self.mkdir("hooks.d")
        out = self.path("tmp", "hook-out")
        self.file("hooks.d/test.json", """{"version": "1.0.0", "when": {"always": true},
            "stages": ["createRuntime", "poststop"], "hook": {"path": "/bin/sh",
            "args": ["sh", "-c", "cat >> %s; echo >> %s"]}}""" % (out, out))
        self.podman("--hooks-dir", self.path("hooks.d"), "run", "--rm", "--network", "none",
                    self.image, "true")
        states = re.findall(r'"status": ?"(\w+)"', self.read(out))
        os.unlink(out)
        assert states == ["creating", "stopped"], states

    @scenario()
    def build(self):
        self.mkdir("context")
        self.file("context/Containerfile", f"FROM {self.image}\nRUN echo built > /made && id -u\n"
                  "USER 1000\nRUN id -u\nCMD cat /made\n")
        argv = ("build", "--isolation", "oci", "--network", "none", "--layers=false")
        done = self.podman(*argv, "--tag", "localhost/built", self.path("context"))
        assert "\n0\n" in done.out and "\n1000\n" in done.out, done
        assert self.podman("run", "--rm", "--network", "none", "localhost/built").out == "built\n"
        self.podman("rmi", "localhost/built")
        self.file("context/Containerfile", f"FROM {self.image}\nRUN exit 9\n")
        done = self.podman(*argv, self.path("context"), check=False)
        assert done.rc != 0 and "9" in done.err, done
