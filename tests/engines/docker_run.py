# SPDX-License-Identifier: Apache-2.0
"""Docker's scenarios: containers, from `run --rm` to `rm`, their limits and their network."""

import json
import os
import re

from framework import scenario
import hostside

FOREVER = ("sleep", "1000")
LOOP = "echo ready; while :; do sleep 0.1; done"


class Run:
    @scenario(quick=True)
    def info_shows_the_runtime(self):
        info = json.loads(self.docker("info", "--format", "{{json .}}").out)
        assert info["DefaultRuntime"] == "crun", info["DefaultRuntime"]
        assert info["Runtimes"]["crun"]["path"] == self.runtime, info["Runtimes"]
        version = self.run(self.runtime, "--version").out
        name = version.split("\n", maxsplit=1)[0].split()[-1]
        text = self.docker("version").out
        assert re.search(r"crun:\s+Version:\s+" + re.escape(name) + "\n", text), (name, text)

    @scenario(quick=True)
    def run_prints_its_output(self):
        done = self.container(":", "sh", "-c", "echo out; echo err >&2; hostname; echo $HOME")
        lines = done.out.split("\n")
        assert lines[0] == "out" and len(lines[1]) == 12 and lines[2] == "/root", done
        assert done.err == "err\n", done

    @scenario(quick=True)
    def exit_statuses(self):
        for script, status in (("exit 0", 0), ("exit 7", 7), ("sh -c 'kill -9 $$'; exit $?", 137)):
            done = self.container(":", "sh", "-c", script, check=False)
            assert done.rc == status, done
        for words, status, text in (
                ((":", "no-such-program"), 127,
                 "executable file `no-such-program` not found in $PATH: No such file or directory"),
                ((":", "/etc"), 126, "permission denied: the path `/etc` is not a regular file"),
                (("--no-such-option", ":", "true"), 125, "unknown flag"),
                (("--workdir", "/etc/passwd", ":", "true"), 127, "/etc/passwd")):
            done = self.container(*words, check=False)
            assert (done.rc == status or "workdir" in words[0]) and done.rc, done
            assert text in done.err.lower() or text in done.err, done

    @scenario()
    def input_goes_through(self):
        data = b"0123456789abcdef\n" * 20000
        done = self.container("-i", ":", "wc", "-c", input=data)
        assert done.out.strip() == str(len(data)), done
        done = self.container("-i", "-u", "1000", ":", "sh", "-c", "cat >/dev/stdout",
                              input="to the user\n")
        assert done.out == "to the user\n", done

    @scenario()
    def interactive_terminal(self):
        pty = self.pty("docker", "run", "--rm", "-it", self.image, "sh")
        pty.expect(r"# ", 30)
        pty.send(b"tty; stty size\r")
        pty.expect(r"/dev/(pts/0|console)\r+\n24 80\r+\n")

        def resized():
            pty.send(b"stty size\r")
            return pty.expect(r"\r+\n(\d+ \d+)\r+\n").group(1) == b"40 132"
        pty.resize(40, 132)
        self.wait_until(resized, "the new window size")
        pty.send(b"sh -c 'echo $((6 * 7)); exec sleep 1000'\r")
        pty.expect(r"\n42\r+\n")
        pty.send(b"\x03")
        pty.expect(r"# ")
        pty.send(b"exit 4\r")
        assert pty.wait(30) == 4

    @scenario(quick=True)
    def detached_logs_stop_and_rm(self):
        script = "echo one; echo two >&2; trap 'echo bye; exit 5' TERM; while :; do sleep 0.05; done"
        container = self.background("--name", "talker", ":", "sh", "-c", script)
        self.wait_until(lambda: self.docker("logs", "talker").out == "one\n", "the log")
        assert os.path.isdir(os.path.join(self.state_dirs()[0], container)) or self.rootless
        self.docker("stop", "--time", "20", "talker")
        assert self.inspect("talker", "{{.State.ExitCode}}") == "5"
        assert self.docker("wait", "talker").out == "5\n"
        assert self.docker("logs", "talker").out == "one\nbye\n"
        self.docker("rm", "talker")

    @scenario()
    def kill_with_signals_and_rm_by_force(self):
        self.background("--name", "kk", ":", "sh", "-c", "trap 'echo hup' HUP; " + LOOP)
        self.wait_until(lambda: "ready" in self.logs("kk"), "the payload")
        self.docker("kill", "--signal", "HUP", "kk")
        self.wait_until(lambda: "hup" in self.logs("kk"), "the signal's work")
        self.docker("kill", "kk")
        self.wait_until(lambda: self.inspect("kk", "{{.State.Running}}") == "false", "the end")
        assert self.inspect("kk", "{{.State.ExitCode}}") == "137"
        self.docker("start", "kk")
        self.docker("rm", "--force", "kk")

    @scenario()
    def stop_of_a_deaf_container_kills_it(self):
        self.background("--name", "deaf", ":", "sh", "-c", "trap '' TERM; sleep 1000 & wait; wait")
        self.docker("stop", "--time", "1", "deaf")
        assert self.inspect("deaf", "{{.State.ExitCode}}") == "137"

    @scenario()
    def restart_and_restart_policy(self):
        self.background("--name", "rr", ":", "sh", "-c", "echo begun; exec sleep 1000")
        self.docker("restart", "--time", "0", "rr")
        self.wait_until(lambda: self.logs("rr").count("begun") == 2, "the second start")
        self.background("--name", "again", "--restart", "on-failure:2", ":", "sh", "-c", "exit 3")
        self.wait_until(lambda: self.inspect("again", "{{.RestartCount}} {{.State.Running}}") ==
                        "2 false", "two restarts")

    @scenario(quick=True)
    def execs(self):
        self.need_exec()
        self.background("--name", "ee", "--env", "ONE=1", ":", *FOREVER)
        for script, status in (("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)):
            done = self.docker("exec", "ee", "sh", "-c", script, check=False)
            assert done.rc == status, done
        done = self.docker("exec", "ee", "no-such-program", check=False)
        assert done.rc in (126, 127) and "executable file `no-such-program` not found" in \
            done.out + done.err, done   # Docker 26 says 126 for every failure
        done = self.docker("exec", "ee", "/etc", check=False)
        assert done.rc == 126, done
        done = self.docker("exec", "--user", "1000:1001", "--env", "TWO=2", "--workdir", "/tmp",
                           "ee",
                           "sh", "-c", "id -u; id -g; echo $ONE$TWO; pwd")
        assert done.out.split() == ["1000", "1001", "12", "/tmp"], done
        done = self.docker("exec", "-i", "ee", "cat", input="in and out\n")
        assert done.out == "in and out\n", done
        self.docker("exec", "--detach", "ee", "sleep", "999")
        self.wait_until(lambda: "sleep 999" in self.docker("top", "ee").out, "the second process")

    @scenario()
    def exec_with_a_terminal(self):
        self.need_exec()
        self.background("--name", "ee", ":", *FOREVER)
        pty = self.pty("docker", "exec", "-it", "ee", "sh")
        pty.expect(r"# ", 30)
        pty.send(b"tty; stty size\r")
        pty.expect(r"/dev/pts/0\r+\n24 80\r+\n")
        pty.send(b"exit 6\r")
        assert pty.wait(30) == 6

    @scenario()
    def healthcheck(self):
        self.need_exec()
        self.background("--name", "hh", "--health-cmd", "test -e /tmp/healthy", "--health-interval",
                        "1s",
                        "--health-retries", "1", ":", *FOREVER)
        status = lambda: self.inspect("hh", "{{.State.Health.Status}}")   # noqa: E731
        self.wait_until(lambda: status() == "unhealthy", "bad health")
        self.docker("exec", "hh", "touch", "/tmp/healthy")
        self.wait_until(lambda: status() == "healthy", "good health")

    @scenario(flavors=("root",))
    def pause_and_unpause(self):
        self.background("--name", "pp", ":", *FOREVER)
        self.docker("pause", "pp")
        assert self.inspect("pp", "{{.State.Status}}") == "paused"
        self.docker("unpause", "pp")
        assert self.inspect("pp", "{{.State.Status}}") == "running"
        self.docker("pause", "pp")
        self.docker("rm", "--force", "pp")

    @scenario()
    def top_and_stats(self):
        self.background("--name", "tt", ":", "sh", "-c", "sleep 1000 & exec sleep 1000")
        if self.rootless:   # without cgroups there are no processes to be seen in them
            return
        self.wait_until(lambda: self.docker("top", "tt").out.count("sleep 1000") == 2,
                        "two processes")
        stats = json.loads(self.docker("stats", "--no-stream", "--format", "{{json .}}", "tt").out)
        assert stats["PIDs"] == "2", stats

    @scenario(flavors=("root",))
    def limits_and_update(self):
        self.background("--name", "ll", "--memory", "64m", "--pids-limit", "20", "--cpus", "0.5",
                        "--cpu-shares", "512", ":", *FOREVER)
        assert self.limit("ll", "memory", "memory.max", "memory.limit_in_bytes") == str(64 << 20)
        assert self.limit("ll", "pids", "pids.max", "pids.max") == "20"
        quota = self.limit("ll", "cpu", "cpu.max", "cpu.cfs_quota_us")
        assert quota in ("50000", "50000 100000"), quota
        self.docker("update", "--memory", "96m", "--memory-swap", "-1", "--pids-limit", "30",
                    "--cpus",
                    "0.25", "ll")
        assert self.limit("ll", "memory", "memory.max", "memory.limit_in_bytes") == str(96 << 20)
        assert self.limit("ll", "pids", "pids.max", "pids.max") == "30"
        quota = self.limit("ll", "cpu", "cpu.max", "cpu.cfs_quota_us")
        assert quota in ("25000", "25000 100000"), quota

    @scenario(flavors=("root",))
    def out_of_memory_and_too_many_processes(self):
        done = self.docker("run", "--name", "oom", "--memory", "16m", self.image, "sh", "-c",
                           "tail /dev/zero", check=False)
        assert done.rc in (137, 1), done
        killed = "{{.State.OOMKilled}}"
        self.wait_until(lambda: self.inspect("oom", killed) == "true" or done.rc == 1,
                        "the daemon's notice")
        done = self.container("--pids-limit", "3", ":", "sh", "-c",
                              "sleep 9 & sleep 9 & sleep 9 & sleep 9 & wait", check=False)
        assert "fork" in done.err, done

    def limit(self, container, controller, v2, v1):
        pid = self.inspect(container, "{{.State.Pid}}")
        for line in self.read(f"/proc/{pid}/cgroup").splitlines():
            _number, names, path = line.split(":", 2)
            mounts = hostside.cgroup_mounts()
            if controller in names.split(",") and names in mounts:
                return self.read(f"{mounts[names]}{path}/{v1}").strip()
            file = f"{mounts.get('unified')}{path}/{v2}"
            if not names and os.path.exists(file):
                return self.read(file).strip()
        self.skip(f"no cgroup controller {controller} here")
        return None

    # ---- files, users, security ----

    @scenario(quick=True)
    def volumes_and_binds(self):
        bind = self.mkdir("bound")
        os.chmod(bind, 0o777)
        self.docker("volume", "create", "vol")
        self.container("-v", "vol:/data", "-v", f"{bind}:/bound", ":", "sh", "-c",
                       "echo one >/data/file; echo two >/bound/file")
        assert self.read(bind + "/file") == "two\n"
        done = self.container("-v", "vol:/data:ro", "--mount",
                              f"type=bind,src={bind},dst=/bound,readonly",
                              "--tmpfs", "/scratch:size=1m,mode=0711", ":", "sh", "-c",
                              "cat /data/file /bound/file; stat -c %a /scratch; touch /data/x /bound/x",
                              check=False)
        assert done.out == "one\ntwo\n711\n" and done.err.count("Read-only file system") == 2, done
        self.docker("volume", "rm", "vol")

    @scenario()
    def copy_in_and_out(self):
        self.file("note", "a note\n")
        self.background("--name", "cc", ":", *FOREVER)
        self.docker("cp", self.path("note"), "cc:/tmp/copy")
        self.docker("cp", "cc:/tmp/copy", self.path("back"))
        assert self.read(self.path("back")) == "a note\n"
        assert "A /tmp/copy" in self.docker("diff", "cc").out

    @scenario(quick=True)
    def read_only_and_capabilities(self):
        done = self.container("--read-only", "--cap-drop", "ALL", "--security-opt",
                              "no-new-privileges",
                              ":", "sh", "-c",
                              "touch /x; grep -E 'Cap(Eff|Bnd)|NoNew' /proc/self/status",
                              check=False)
        assert "Read-only file system" in done.err, done
        values = done.out.split()
        assert int(values[1], 16) == int(values[3], 16) == 0 and values[5] == "1", done

    @scenario()
    def users_and_groups(self):
        done = self.container("--user", "user", "--group-add", "4242", ":", "sh", "-c",
                              "id -u; id -G; "
                              "echo $HOME; umask")
        lines = done.out.splitlines()
        assert lines[0] == "1000" and "4242" in lines[1].split(), done
        assert lines[2:] == ["/home/user", "0022"], done

    @scenario()
    def seccomp_profiles(self):
        profile = self.file("seccomp.json", json.dumps({
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}))
        done = self.container("--security-opt", f"seccomp={profile}", ":", "mkdir", "/tmp/x",
                              check=False)
        assert done.rc == 1 and "Operation not permitted" in done.err, done
        done = self.container(":", "sh", "-c", "grep Seccomp: /proc/self/status; unshare -r true",
                              check=False)
        assert done.out.split() == ["Seccomp:", "2"] and "Operation not permitted" in done.err, done
        done = self.container("--security-opt", "seccomp=unconfined", ":", "grep", "Seccomp:",
                              "/proc/self/status")
        assert done.out.split() == ["Seccomp:", "0"], done

    @scenario(flavors=("root",))
    def privileged_and_devices(self):
        done = self.container("--privileged", ":", "sh", "-c",
                              "mount -t tmpfs none /tmp && echo mounted")
        assert done.out == "mounted\n", done
        done = self.container("--device", "/dev/null:/dev/mine:r", ":", "sh", "-c",
                              "stat -c %t,%T /dev/mine; echo x >/dev/mine", check=False)
        assert done.out == "1,3\n", done

    @scenario()
    def namespaces_of_others(self):
        self.background("--name", "first", "--ipc", "shareable", ":", "sh", "-c",
                        "echo shared >/dev/shm/file; exec sleep 1234")
        self.wait_until(lambda: self.inspect("first", "{{.State.Running}}") == "true", "the first")
        done = self.container("--pid", "container:first", "--ipc", "container:first", "--network",
                              "container:first", ":", "sh", "-c", "ps | grep -c '[s]leep 1234'; "
                              "cat /dev/shm/file; hostname")
        assert done.out.splitlines()[:2] == ["1", "shared"], done
        done = self.container("--network", "host", "--uts", "host", ":", "hostname")
        assert done.out.strip(), done

    @scenario()
    def sysctls_ulimits_init_and_shm(self):
        done = self.container("--sysctl", "net.ipv4.ip_unprivileged_port_start=5", "--ulimit",
                              "nofile=100:200", "--shm-size", "2m", "--init", ":", "sh", "-c",
                              "cat /proc/sys/net/ipv4/ip_unprivileged_port_start; ulimit -n; ulimit -Hn; "
                              "df -k /dev/shm | tail -1; cat /proc/1/comm")
        lines = done.out.splitlines()
        assert lines[:3] == ["5", "100", "200"] and lines[3].split()[1] == "2048", done
        assert lines[4] in ("docker-init", "tini"), done

    # ---- networks ----

    @scenario(timeout=300)
    def two_containers_on_a_network(self):
        self.docker("network", "create", "shop")
        self.background("--name", "server", "--network", "shop", "--network-alias", "web", ":",
                        "sh",
                        "-c",
                        "mkdir /www; echo hello >/www/index.html; exec httpd -f -p 80 -h /www")
        address = self.inspect("server", "{{.NetworkSettings.Networks.shop.IPAddress}}")
        done = self.container("--network", "shop", ":", "nslookup", "web", check=False)
        assert re.search(rf"Name:\s+web\nAddress: {address}\n", done.out), done
        client = ("--network", "shop", ":", "wget", "-q", "-O", "-", f"http://{address}/")
        self.wait_until(lambda: self.container(*client, check=False).out == "hello\n", "the page",
                        30)
        self.docker("network", "disconnect", "shop", "server")
        assert self.container(*client, check=False).rc

    @scenario(quick=True)
    def published_port(self):
        self.background("--name", "server", "--publish", "127.0.0.1:8081:80", ":", "sh", "-c",
                        "mkdir /www; echo hello >/www/index.html; exec httpd -f -p 80 -h /www")
        fetch = ["busybox", "wget", "-q", "-O", "-", "http://127.0.0.1:8081/"]
        if not os.path.exists("/bin/busybox"):
            fetch[:1] = [self.world.rootfs + "/bin/busybox"]
        self.wait_until(lambda: self.run(*fetch, check=False).out == "hello\n", "the page")

    # ---- the daemon ----

    @scenario(flavors=("root",), timeout=300)   # rootlesskit's namespaces end with it
    def restart_of_the_daemon_with_live_restore(self):
        text = self.read(self.path("daemon.json"))
        try:
            self.file("daemon.json", text[:-1] + ', "live-restore": true}')
            self.stop_daemon()
            self.start_daemon()
            self.background("--name", "alive", ":", *FOREVER)
            pid = self.inspect("alive", "{{.State.Pid}}")
            self.stop_daemon()
            self.start_daemon()
            assert self.inspect("alive", "{{.State.Running}} {{.State.Pid}}") == f"true {pid}"
            if self.has_exec():
                assert self.docker("exec", "alive", "echo", "after").out == "after\n"
            self.docker("rm", "--force", "alive")
        finally:
            self.file("daemon.json", text)
            self.stop_daemon()
            self.start_daemon()
