# SPDX-License-Identifier: Apache-2.0
"""The shell as an engine: bundles that people and scripts drive directly.

Units of systemd are in tests/integration/test_systemd_run.py: a room has no systemd.
"""

import json
import os
import signal
import subprocess
import time

from framework import Engine, scenario

LOOP = "echo ready; while :; do sleep 0.1; done"


class Shell(Engine):
    name = "shell"
    keep_cgroups = ()

    def start(self):
        self.mkdir("bundles")
        if not self.rootless:
            self.mkdir("crun-root")

    def state_dirs(self):
        return ["/run/crun", os.path.join(self.run_dir, "crun")]

    def environment(self, env=None):
        return super().environment({"CRUN": self.runtime, "BUNDLES": self.path("bundles"),
                                    **(env or {})})

    def bundle(self, name, *args, **changes):
        """A directory with config.json as `crun spec` writes it, and these arguments and changes."""
        path = self.mkdir("bundles/" + name)
        rootless = ["--rootless"] if self.rootless else []
        self.run("rm", "-f", path + "/config.json")
        self.run(self.runtime, "spec", "--bundle", path, *rootless)
        config = json.loads(self.read(path + "/config.json"))
        config["root"] = {"path": self.world.rootfs, "readonly": True}
        config["process"].update({"args": list(args), "terminal": False,
                                  "env": ["PATH=/bin", "TERM=xterm"]})
        config["process"].update(changes.pop("process", {}))
        config.update(changes)
        self.file(f"bundles/{name}/config.json", json.dumps(config))
        return path

    def sh(self, script, **kwargs):
        return self.run("sh", "-c", script, **kwargs)

    def states(self):
        return json.loads(self.run(self.runtime, "list", "--format", "json").out or "null") or []

    def tidy(self):
        left = [entry["id"] for entry in self.states()]
        for name in left:
            self.run(self.runtime, "delete", "--force", name, check=False)
        return [f"container {name}" for name in left]

    # ---- scenarios ----

    @scenario(quick=True)
    def run_in_a_pipeline(self):
        self.bundle("upper", "tr", "a-z", "A-Z")
        self.bundle("count", "wc", "-l")
        done = self.sh("seq 1 5000 | $CRUN run -b $BUNDLES/count one-$$")
        assert done.out == "5000\n" and done.err == "", done
        done = self.sh("echo one two | $CRUN run -b $BUNDLES/upper one | tr T D | "
                       "$CRUN run -b $BUNDLES/upper two")
        assert done.out == "ONE DWO\n", done
        done = self.sh("x=$(echo inner | $CRUN run -b $BUNDLES/upper three); echo \"<$x>\"")
        assert done.out == "<INNER>\n", done

    @scenario()
    def reader_that_goes_away_early(self):
        self.bundle("endless", "yes")
        done = self.sh("$CRUN run -b $BUNDLES/endless endless | head -n 2", timeout=30)
        assert done.out == "y\ny\n", done

    @scenario()
    def input_that_stays_open(self):
        self.bundle("deaf", "echo", "done")
        read_end, write_end = os.pipe()
        began = time.monotonic()
        done = self.sh("$CRUN run -b $BUNDLES/deaf one", stdin=read_end, timeout=30)
        os.close(read_end)
        os.close(write_end)
        assert done.out == "done\n" and time.monotonic() - began < 25, done

    @scenario()
    def closed_standard_files(self):
        self.bundle("fds", "sh", "-c", "ls /proc/self/fd | tr '\\n' ' ' >&2")
        done = self.sh("$CRUN run -b $BUNDLES/fds one 7</dev/null 9>/dev/null")
        assert done.err.split()[:3] == ["0", "1", "2"] and not {"7", "9"} & set(done.err.split()), done
        done = self.sh("$CRUN run -b $BUNDLES/fds two <&-", check=False)
        assert done.rc == 0 and "1 2" in done.err, done

    @scenario(quick=True)
    def exit_statuses_in_the_shell(self):
        self.bundle("seven", "sh", "-c", "exit 7")
        self.bundle("killed", "sh", "-c", "sh -c 'kill -9 $$'; exit $?")
        self.bundle("missing", "no-such-program")
        done = self.sh("$CRUN run -b $BUNDLES/seven a; echo $?; $CRUN run -b $BUNDLES/killed b; echo $?;"
                       "$CRUN run -b $BUNDLES/missing c || echo failed; set -e; "
                       "if $CRUN run -b $BUNDLES/seven d; then echo no; else echo $?; fi")
        assert done.out.split() == ["7", "137", "failed", "7"], done
        assert done.err.count("not found") >= 1, done

    @scenario(quick=True)
    def create_start_kill_delete(self):
        self.bundle("loop", "sh", "-c", "trap 'exit 3' TERM; " + LOOP)
        done = self.sh("""set -e
            $CRUN create -b $BUNDLES/loop --pid-file pid c1 >out 2>&1 </dev/null
            $CRUN state c1 | grep -q '"status": "created"'
            test -d /proc/$(cat pid)
            $CRUN start c1
            while ! grep -q ready out; do sleep 0.05; done
            $CRUN state c1 | grep -q '"status": "running"'
            $CRUN kill c1
            while $CRUN state c1 | grep -q '"status": "running"'; do sleep 0.05; done
            $CRUN delete c1
            ! $CRUN state c1 2>/dev/null""", timeout=60)
        assert done.err == "", done

    @scenario(quick=True)
    def exec_in_a_pipeline(self):
        if self.run(self.runtime, "exec", "--help", check=False).rc:
            self.skip("this crun has no exec")
        self.bundle("loop", "sh", "-c", LOOP)
        done = self.sh("""set -e
            $CRUN run -d -b $BUNDLES/loop e1 </dev/null >/dev/null 2>&1
            echo through | $CRUN exec e1 cat | $CRUN exec e1 tr a-z A-Z
            $CRUN exec e1 sh -c 'exit 9' || echo $?
            $CRUN exec e1 seq 1 100000 | wc -l
            for i in 1 2 3 4 5 6 7 8 9 10; do $CRUN exec e1 echo $i; done | wc -l
            seq 1 8 | xargs -P 4 -I N $CRUN exec e1 echo N | sort -n | tr '\\n' ' '
            $CRUN delete --force e1""")
        assert done.out.split() == ["THROUGH", "9", "100000", "10", *"12345678"], done

    @scenario()
    def nohup_and_a_terminal_that_is_gone(self):
        self.bundle("loop", "sh", "-c", LOOP)
        pty = self.pty("sh", "-c", f"cd {self.dir}; nohup $CRUN run -b $BUNDLES/loop n1 >out 2>&1 & sleep 0.2; "
                       "while ! grep -q ready out; do sleep 0.1; done; echo started; read x")
        pty.expect(r"started", 30)
        pty.close()
        state = json.loads(self.run(self.runtime, "state", "n1").out)
        assert state["status"] == "running", state
        self.run(self.runtime, "kill", "n1", "KILL")
        self.wait_until(lambda: not self.states(), "run to delete it")

    @scenario()
    def interactive_with_control_c_and_control_z(self):
        self.bundle("sh", "sh", process={"terminal": True})
        pty = self.pty("sh", "-c", "$CRUN run -b $BUNDLES/sh t1; echo status $?")
        pty.expect(r"# ", 30)
        job = b"sh -c 'echo $((6 * 7)); exec sleep 1000'\r"   # it is in the foreground when it prints
        pty.send(job)
        pty.expect(r"\n42\r+\n")
        pty.send(b"\x03")
        pty.expect(r"# ")
        pty.send(job)
        pty.expect(r"\n42\r+\n")
        pty.send(b"\x1a")
        pty.expect(r"[Ss]topped")
        pty.send(b"kill -9 %1\r")

        def left():   # the shell refuses as long as it has not seen the job's end
            pty.send(b"exit 5\r")
            return b"status 5" in pty.read(0.5)
        self.wait_until(left, "the shell's end")

    @scenario()
    def control_c_without_a_container_terminal(self):
        self.bundle("trap", "sh", "-c", "trap 'echo interrupted; exit 4' INT; " + LOOP)
        pty = self.pty("sh", "-c", "trap : INT; $CRUN run -b $BUNDLES/trap t2; echo status $?")
        pty.expect(r"ready", 30)
        pty.send(b"\x03")
        pty.expect(r"interrupted\r+\nstatus 4", 30)

    @scenario()
    def setsid_and_a_detached_run(self):
        self.bundle("loop", "sh", "-c", LOOP)
        self.sh("setsid $CRUN run -d -b $BUNDLES/loop s1 </dev/null >out 2>&1; "
                "while ! grep -q ready out; do sleep 0.05; done")
        assert [entry["status"] for entry in self.states()] == ["running"]
        self.run(self.runtime, "delete", "--force", "s1")

    @scenario()
    def timeout_ends_the_container(self):
        self.bundle("loop", "sh", "-c", "trap 'echo bye; exit 6' TERM; " + LOOP)
        done = self.sh("timeout --preserve-status 3 $CRUN run -b $BUNDLES/loop t1", check=False)
        assert done.rc == 6 and done.out == "ready\nbye\n", done
        self.bundle("deaf", "sh", "-c", "trap '' TERM; " + LOOP)
        done = self.sh("timeout -k 1 2 $CRUN run -b $BUNDLES/deaf t2", check=False)
        assert done.rc == 137, done
        self.run(self.runtime, "delete", "--force", "t2")   # a killed runtime cannot

    @scenario()
    def many_at_once_with_xargs(self):
        self.bundle("echo", "sh", "-c", "echo begin; sleep 0.2; echo end")
        done = self.sh("seq 1 16 | xargs -P 4 -I N $CRUN run -b $BUNDLES/echo many-N", timeout=80)
        assert done.out.count("begin\n") == done.out.count("end\n") == 16 and done.err == "", done

    @scenario()
    def the_same_name_at_once(self):
        self.bundle("loop", "sleep", "1000")
        script = "$CRUN run -d -b $BUNDLES/loop same </dev/null >/dev/null 2>err.@ && echo won"
        done = self.sh(f"seq 1 6 | xargs -P 6 -I @ sh -c '{script}'; cat err.*", check=False, timeout=80)
        assert done.out.count("won") == 1 and done.out.count("already exists") == 5, done
        self.run(self.runtime, "delete", "--force", "same")

    @scenario()
    def job_control_of_the_shell(self):
        self.bundle("loop", "sh", "-c", "trap 'exit 3' TERM; " + LOOP)
        done = self.sh("""$CRUN run -b $BUNDLES/loop j1 >out & pid=$!
            while ! grep -q ready out; do sleep 0.05; done
            kill -STOP $pid; sleep 0.2; kill -CONT $pid
            kill $pid; wait $pid; echo $?""")
        assert done.out == "3\n", done

    @scenario()
    def environment_limits_and_umask_do_not_leak(self):
        self.bundle("env", "sh", "-c", "env | sort; umask; ulimit -n")
        done = self.sh("umask 077; export SECRET=x; ulimit -S -n 99; $CRUN run -b $BUNDLES/env e1")
        assert "SECRET" not in done.out and "PATH=/bin" in done.out and "0022" in done.out, done

    @scenario(flavors=("root",))
    def unprivileged_limits_of_a_script(self):
        for controller, name in (("memory", "memory"), ("pids", "pids")):
            if not os.path.isdir("/sys/fs/cgroup/" + controller) and \
                    not os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
                self.skip(f"no cgroup controller {name} here")
        self.bundle("loop", "sleep", "1000")
        done = self.sh("""set -e
            $CRUN run -d -b $BUNDLES/loop l1 </dev/null >/dev/null 2>&1
            echo '{"memory": {"limit": 67108864}}' | $CRUN update -r - l1
            $CRUN update --pids-limit 12 l1
            $CRUN ps --format json l1 | tr -d ' \\n'; echo
            $CRUN pause l1; $CRUN list; $CRUN resume l1
            $CRUN delete --force l1""")
        assert done.out.startswith("[") and "paused" in done.out, done

    @scenario()
    def killed_runtime_and_its_cleanup(self):
        self.bundle("loop", "sh", "-c", LOOP)
        child = self.popen(self.runtime, "run", "-b", self.path("bundles/loop"), "k1",
                           stdout=subprocess.PIPE)
        assert child.stdout.readline() == b"ready\n"
        child.stdout.close()
        child.send_signal(signal.SIGKILL)
        child.wait(10)
        self.run(self.runtime, "delete", "--force", "k1")
        assert not self.states()
