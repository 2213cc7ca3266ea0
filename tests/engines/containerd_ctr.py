# SPDX-License-Identifier: Apache-2.0
"""containerd's scenarios with ctr: tasks, execs, limits, a daemon that is restarted."""

import json
import os
import re
import signal

from framework import scenario

FOREVER = ("sleep", "1000")
ERRNO = {"action": "SCMP_ACT_ERRNO", "errnoRet": 1}


class Ctr:
    # ---- one container in the foreground ----

    @scenario(quick=True)
    def run_prints_its_output(self):
        done = self.container(":", "sh", "-c", "echo out; echo err >&2")
        assert done.out == "out\n" and done.err == "err\n", done

    @scenario(quick=True)
    def exit_statuses(self):
        for script, status in (("exit 0", 0), ("exit 7", 7), ("sh -c 'kill -9 $$'; exit $?", 137)):
            done = self.container(":", "sh", "-c", script, check=False)
            assert done.rc == status, done

    @scenario(quick=True)
    def commands_that_cannot_run_fail_to_create(self):
        for words, text in (
                ((":", "no-such-program"),
                 "executable file `no-such-program` not found in $PATH: No such file or directory"),
                ((":", "/no/such"), "/no/such` not found: No such file or directory"),
                ((":", "/etc"), "permission denied: the path `/etc` is not a regular file"),
                (("--cwd", "/missing", ":", "true"), "chdir to `/missing`: No such file")):
            done = self.container(*words, check=False)
            assert done.rc and "OCI runtime create failed" in done.err, done
            assert text in done.err, done
            assert "unable to retrieve" not in done.err, done
        assert self.ctr("task", "ls", "-q").out == ""

    @scenario()
    def input_goes_through_and_ends(self):
        # The writer stays until the payload has read: ctr loses an end that comes before the task.
        read_end, write_end = os.pipe()
        child = self.popen(*self.run_argv(":", "sh", "-c", "read a; echo got $a; cat; echo end"),
                           stdin=read_end, stdout=open(self.file("got"), "wb"))
        os.close(read_end)
        os.write(write_end, b"one\n")
        self.wait_until(lambda: self.read(self.path("got")) == "got one\n", "the first line")
        os.write(write_end, b"two\n")
        os.close(write_end)
        assert child.wait(30) == 0
        assert self.read(self.path("got")) == "got one\ntwo\nend\n"

    @scenario()
    def much_output_is_complete(self):
        done = self.container(":", "sh", "-c", "seq 1 200000")
        assert done.out.count("\n") == 200000 and done.out.endswith("\n200000\n"), done.out[-100:]

    @scenario()
    def terminal(self):
        pty = self.pty(*self.run_argv("--tty", ":", "sh"))
        pty.expect(r"# ", 30)
        pty.send(b"tty; stty size\r")
        pty.expect(r"/dev/(pts/0|console)\r+\n24 80\r+\n")

        def resized():
            pty.send(b"stty size\r")
            return pty.expect(r"\r\n(\d+ \d+)\r+\n").group(1) == b"40 132"
        pty.resize(40, 132)
        self.wait_until(resized, "the new window size")
        pty.send(b"exit 4\r")
        assert pty.wait(30) == 4

    @scenario()
    def settings_of_the_process(self):
        options = self.ctr("run", "--help").out
        words = ["--hostname", "machine"] if "--hostname" in options else []
        done = self.container("--env", "ONE=1", "--cwd", "/tmp", *words, ":", "sh", "-c",
                              "echo $ONE; pwd; umask; hostname")
        assert done.out.split()[:3] == ["1", "/tmp", "0022"], done
        assert not words or done.out.split()[3:] == ["machine"], done
        if "--user" not in options:
            return
        done = self.container("--user", "1000:1000", ":", "sh", "-c",
                              "id -u; id -g; grep CapEff /proc/self/status")
        assert done.out.split()[:2] == ["1000", "1000"], done
        assert int(done.out.split()[-1], 16) == 0, done

    @scenario()
    def read_only_root_and_a_bind_mount(self):
        self.file("shared", "from the host\n")
        done = self.container(
            "--read-only", "--mount", f"type=bind,src={self.path('shared')},dst=/tmp/file,"
            "options=rbind:ro", ":", "sh", "-c", "cat /tmp/file; echo x >/tmp/file; echo x >/new",
            check=False)
        assert done.out == "from the host\n" and done.rc, done
        assert done.err.count("Read-only file system") == 2, done

    @scenario()
    def seccomp_profile(self):
        profile = {"defaultAction": "SCMP_ACT_ALLOW",
                   "syscalls": [dict(ERRNO, names=["mkdir", "mkdirat"])]}
        path = self.file("seccomp.json", json.dumps(profile))
        done = self.container("--seccomp", "--seccomp-profile", path, ":", "sh", "-c",
                              "mkdir /tmp/x || grep Seccomp: /proc/self/status", check=False)
        assert "Operation not permitted" in done.err, done
        assert done.out.split() == ["Seccomp:", "2"], done
        done = self.container("--seccomp", ":", "sh", "-c",
                              "unshare -r true; mkdir /tmp/x; echo $?")
        assert done.out == "0\n" and "Operation not permitted" in done.err, done

    @scenario()
    def capabilities(self):
        done = self.container("--cap-drop", "CAP_CHOWN", "--cap-add", "CAP_SYS_TIME", ":", "sh",
                              "-c",
                              "grep CapEff /proc/self/status")
        effective = int(done.out.split()[-1], 16)
        assert not effective & 1 << 0 and effective & 1 << 25, done

    @scenario(flavors=("root",))
    def privileged(self):
        done = self.container("--privileged", ":", "sh", "-c",
                              "mount -t tmpfs none /tmp && echo mounted; grep CapEff /proc/1/status")
        assert done.out.startswith("mounted\n"), done

    @scenario(flavors=("root",))
    def user_namespace(self):
        done = self.container("--uidmap", "0:100000:65536", "--gidmap", "0:100000:65536", ":", "sh",
                              "-c",
                              "cat /proc/self/uid_map; id -u; touch /root/new && ls -n /root/new")
        assert done.out.split()[:4] == ["0", "100000", "65536", "0"], done
        assert re.search(r" 0 +0 .*/root/new", done.out), done

    @scenario()
    def a_root_directory_without_a_snapshot(self):
        rootfs = self.mkdir("rootfs")
        self.run("cp", "-a", self.world.rootfs + "/.", rootfs)
        done = self.container("--rootfs", rootfs, "echo", "plain")
        assert done.out == "plain\n", done

    # ---- tasks in the background ----

    @scenario(quick=True)
    def detached_task_from_start_to_delete(self):
        self.background("d1", ":", *FOREVER)
        assert self.status("d1") == "RUNNING"
        pids = self.ctr("task", "ps", "d1").out.splitlines()[1:]
        assert len(pids) == 1, pids
        self.ctr("task", "kill", "--signal", "SIGKILL", "d1")
        self.wait_until(lambda: self.status("d1") == "STOPPED", "the end")
        done = self.ctr("task", "delete", "d1", check=False)
        assert done.rc in (0, 137), done
        self.ctr("container", "rm", "d1")

    @scenario(quick=True)
    def execs(self):
        self.need_exec()
        self.background("e1", ":", *FOREVER)
        done = self.exec("e1", "sh", "-c", "echo out; echo err >&2; exit 3", check=False)
        assert (done.rc, done.out, done.err) == (3, "out\n", "err\n"), done
        done = self.exec("e1", "no-such-program", check=False)
        assert done.rc and "OCI runtime exec failed" in done.err, done
        assert "executable file `no-such-program` not found in $PATH" in done.err, done
        done = self.ctr("task", "exec", "--exec-id", "user", "--user", "1000", "--cwd", "/tmp",
                        "e1",
                        "sh", "-c", "id -u; pwd; ps | grep -c 'sleep 1000'")
        assert done.out.split()[:2] == ["1000", "/tmp"], done
        done = self.ctr("task", "exec", "--detach", "--exec-id", "bg", "e1", "sleep", "999")
        self.wait_until(lambda: len(self.ctr("task", "ps", "e1").out.splitlines()) == 3, "two pids")

    @scenario()
    def exec_with_a_terminal(self):
        self.need_exec()
        self.background("e2", ":", *FOREVER)
        pty = self.pty(*self.argv("task", "exec", "--tty", "--exec-id", "t", "e2", "sh"))
        pty.expect(r"# ", 30)
        pty.send(b"tty\r")
        pty.expect(r"/dev/pts/0\r+\n")
        pty.send(b"exit 6\r")
        assert pty.wait(30) == 6

    @scenario()
    def many_short_execs(self):
        self.need_exec()
        self.background("e3", ":", *FOREVER)
        for number in range(20):
            done = self.exec("e3", "echo", str(number))
            assert done.out == f"{number}\n", done

    @scenario(quick=True, flavors=("root",))   # a user has no cgroup here to be frozen
    def pause_and_resume(self):
        self.background("p1", ":", *FOREVER)
        self.ctr("task", "pause", "p1")
        assert self.status("p1") == "PAUSED"
        self.ctr("task", "resume", "p1")
        assert self.status("p1") == "RUNNING"
        self.ctr("task", "pause", "p1")
        self.ctr("task", "kill", "--signal", "SIGKILL", "p1")
        self.wait_until(lambda: self.status("p1") == "STOPPED", "the end of a paused task")

    @scenario(flavors=("root",))
    def limits_and_metrics(self):
        self.need_controllers("memory", "cpu")
        self.background("m1", "--memory-limit", str(64 << 20), "--cpus", "0.5", ":", "sh", "-c",
                        "dd if=/dev/zero of=/dev/shm/file bs=1M count=4; exec sleep 1000")
        assert self.limit("m1", "memory", "memory.max", "memory.limit_in_bytes") == str(64 << 20)
        quota = self.limit("m1", "cpu", "cpu.max", "cpu.cfs_quota_us")
        assert quota in ("50000", "50000 100000"), quota
        metrics = json.loads(self.ctr("task", "metrics", "--format", "json", "m1").out)
        usage = metrics["memory"]
        usage = usage.get("usage") if isinstance(usage.get("usage"), int) else \
            usage.get("usage", {}).get("usage")
        assert usage and int(usage) > 1 << 20, metrics
        done = self.container("--memory-limit", str(16 << 20), ":", "sh", "-c",
                              "tail /dev/zero; echo $?; exit 5", check=False)
        assert done.rc in (5, 137) and "0" != done.out.strip(), done

    @scenario()
    def signals(self):
        out = self.path("signals")
        child = self.popen(*self.run_argv(":", "sh", "-c", "trap 'echo hup' HUP; trap 'exit 9' "
                                          "TERM; echo ready; while :; do sleep 0.1; done",
                                          name="s1"),
                           stdout=open(self.file("signals"), "wb"))
        self.wait_until(lambda: self.read(out) == "ready\n", "the payload")
        self.ctr("task", "kill", "--signal", "SIGHUP", "s1")
        self.wait_until(lambda: self.read(out) == "ready\nhup\n", "the signal's work")
        child.send_signal(signal.SIGTERM)   # ctr hands it on
        assert child.wait(30) == 9

    @scenario()
    def kill_all_processes(self):
        self.background("k1", ":", "sh", "-c", "trap '' TERM; sleep 1000 & sleep 1000 & wait")
        self.wait_until(lambda: len(self.ctr("task", "ps", "k1").out.splitlines()) == 4,
                        "three pids")
        self.ctr("task", "kill", "--all", "--signal", "SIGKILL", "k1")
        self.wait_until(lambda: self.status("k1") == "STOPPED", "the end")

    @scenario()
    def container_removed_behind_its_back(self):
        self.background("g1", ":", *FOREVER)
        self.run(*self.inside(), self.runtime, "--root", self.state_root("default"), "delete",
                 "--force", "g1")
        self.wait_until(lambda: self.status("g1") == "STOPPED", "the notice")
        done = self.ctr("task", "kill", "--signal", "SIGKILL", "g1", check=False)
        assert "not found" in done.err or done.rc == 0, done

    @scenario(flavors=("root",), timeout=300)   # rootlesskit's namespaces end with it
    def restart_of_the_daemon_under_running_containers(self):
        self.background("r1", ":", *FOREVER)
        before = self.ctr("task", "ps", "r1").out.split()
        self.stop_daemon()
        self.start_daemon()
        assert self.status("r1") == "RUNNING"
        assert self.ctr("task", "ps", "r1").out.split() == before
        self.background("r2", ":", *FOREVER)
        if self.has_exec():
            done = self.exec("r1", "echo", "after")
            assert done.out == "after\n", done
        self.ctr("task", "kill", "--signal", "SIGKILL", "r1")
        self.wait_until(lambda: self.status("r1") == "STOPPED", "the end")

    @scenario()
    def delete_of_a_running_task_by_force(self):
        self.background("f1", ":", *FOREVER)
        self.ctr("task", "delete", "--force", "f1", check=False)
        assert self.status("f1") is None
