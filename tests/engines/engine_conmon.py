# SPDX-License-Identifier: Apache-2.0
"""conmon without an engine: driven by its options and pipes as Podman does it."""

import json
import os
import select
import shutil
import time

import hostside
from framework import Engine, PATIENCE, scenario


class Conmon(Engine):
    name = "conmon"
    programs = ("conmon",)
    keep_cgroups = ()

    def start(self):
        for name in ("exits", "bundles"):
            self.mkdir(name)
        self.state = self.mkdir("state", 0o700)
        self.ids = []
        tree = self.path("rootfs")
        self.run("cp", "-a", self.world.rootfs, tree, as_root=True)
        if self.rootless:
            for here, _dirs, files in os.walk(tree):
                for name in [here] + [os.path.join(here, file) for file in files]:
                    os.lchown(name, self.uid, self.uid)

    def state_dirs(self):
        return [self.state]

    def tidy(self):
        left = [name for name in os.listdir(self.state) if not name.startswith(".")]
        for name in self.ids:
            self.crun("delete", "--force", name)
        self.ids = []
        return [f"container {name}" for name in left]

    # ---- as Podman does it ----

    def crun(self, *words, **kwargs):
        return self.run(self.runtime, "--root", self.state, *words, **kwargs)

    def bundle(self, *args, terminal=False):
        """A bundle with these arguments of the process; its id."""
        self.counter += 1
        name = f"conmon{self.counter}"
        path = self.mkdir(f"bundles/{name}")
        options = ["--rootless"] if self.rootless else []
        self.run(self.runtime, "spec", "--bundle", path, *options)
        file = os.path.join(path, "config.json")
        config = json.loads(self.read(file))
        config["root"] = {"path": self.path("rootfs"), "readonly": False}
        config["process"].update(args=list(args), terminal=terminal)
        if not self.rootless:
            config["linux"]["cgroupsPath"] = f"/libpod_parent/libpod-{name}"
        self.file(file, json.dumps(config))
        self.ids.append(name)
        return name

    def conmon(self, *words, id, folder, exits=None):
        """Start one, let it begin, and return what it says through its sync pipe."""
        sync_read, sync_write = os.pipe()
        start_read, start_write = os.pipe()
        argv = ["conmon", "--api-version", "1", "--cid", id, "--runtime", self.runtime,
                "--bundle", folder, "--exit-dir", exits or self.path("exits"), "--log-level", "error",
                "--runtime-arg", "--root=" + self.state, "--runtime-arg", "--log-format=json",
                "--runtime-arg", "--log", "--runtime-arg=" + os.path.join(folder, "oci-log"),
                "--full-attach", *words]
        child = self.popen(*argv, pass_fds=(sync_write, start_read),
                           env={"_OCI_SYNCPIPE": str(sync_write),
                                "_OCI_STARTPIPE": str(start_read)})
        os.close(sync_write)
        os.close(start_read)
        os.write(start_write, b"\0")
        os.close(start_write)
        data = self.message(sync_read)
        os.close(sync_read)
        self.log("conmon", argv[1:], data)
        child.wait(30)
        # of a short exec it tells the exit status as well, on a line of its own
        return json.loads(data.splitlines()[0])

    @staticmethod
    def message(fd):
        data, deadline = b"", time.monotonic() + 30 * PATIENCE
        while not data.endswith(b"\n"):
            assert time.monotonic() < deadline, f"conmon says nothing more than {data!r}"
            if select.select([fd], [], [], 0.5)[0]:
                chunk = os.read(fd, 8192)
                if not chunk:
                    break
                data += chunk
        assert data, "conmon closed its pipe without a word"
        return data.decode()

    def create(self, name, *words):
        folder = self.path("bundles", name)
        return self.conmon("--cuuid", name, "--name", name, "--container-pidfile",
                           os.path.join(folder, "pidfile"), "--conmon-pidfile",
                           os.path.join(folder, "conmon.pid"), "--log-path",
                           "k8s-file:" + os.path.join(folder, "ctr.log"), *words, id=name,
                           folder=folder)

    def exit_status(self, name, session=None):
        """conmon names the file after the container; a session has a directory of its own."""
        path = self.path("bundles", session, "exit", name) if session else self.path("exits", name)
        self.wait_until(lambda: os.path.exists(path) and self.read(path), "the exit file")
        return int(self.read(path))

    def printed(self, name, stream="stdout"):
        """The lines of a stream in the log, without time and tag."""
        path = os.path.join(self.path("bundles", name), "ctr.log")
        rows = [line.split(" ", 3) for line in self.read(path).splitlines()]
        return [row[3] for row in rows if row[1] == stream]

    def finish(self, name):
        done = self.crun("delete", "--force", name)
        assert (done.out, done.err) == ("", ""), done

    # ---- scenarios ----

    @scenario(quick=True)
    def create_start_and_exit_status(self):
        name = self.bundle("sh", "-c", "echo out; echo err >&2; exit 7")
        said = self.create(name)
        pid = said.get("data", said.get("pid"))
        text = self.read(self.path("bundles", name, "pidfile"))
        assert text == str(pid) and pid > 0, (said, text)
        assert '"created"' in self.crun("state", name).out
        started = self.crun("start", name)
        assert (started.out, started.err) == ("", ""), started
        assert self.exit_status(name) == 7
        assert self.printed(name) == ["out"] and self.printed(name, "stderr") == ["err"]
        self.finish(name)

    @scenario(quick=True)
    def failed_create_is_told(self):
        name = self.bundle("no-such-program")
        said = self.create(name)
        number = said.get("data", said.get("pid", 0))
        assert number < 0, said
        assert "executable file `no-such-program` not found in $PATH" in said["message"], said
        log = self.read(self.path("bundles", name, "oci-log")).splitlines()
        assert len(log) == 1, log
        entry = json.loads(log[0])
        assert entry["level"] == "error" and "no-such-program" in entry["msg"], entry
        assert not os.path.exists(self.path("bundles", name, "pidfile"))
        assert os.listdir(self.state) == [] or name not in os.listdir(self.state)
        self.finish(name)

    @scenario()
    def same_name_again_after_a_failure(self):
        name = self.bundle("no-such-program")
        assert self.create(name).get("message")
        path = self.path("bundles", name, "config.json")
        config = json.loads(self.read(path))
        config["process"]["args"] = ["true"]
        self.file(path, json.dumps(config))
        assert not self.create(name).get("message")
        self.crun("start", name)
        assert self.exit_status(name) == 0
        self.finish(name)

    @scenario()
    def killed_payload(self):
        name = self.bundle("sleep", "1000")
        self.create(name)
        self.crun("start", name)
        self.crun("kill", name, "9")
        assert self.exit_status(name) == 137
        self.finish(name)

    @scenario()
    def terminal(self):
        name = self.bundle("sh", "-c", "tty; stty size; exit 3", terminal=True)
        said = self.create(name, "--terminal")
        assert not said.get("message"), said
        self.crun("start", name)
        assert self.exit_status(name) == 3
        assert "/dev/pts/0" in " ".join(self.printed(name)), self.printed(name)
        self.finish(name)

    @scenario()
    def time_is_limited(self):
        name = self.bundle("sleep", "1000")
        self.create(name, "--timeout", "1")
        self.crun("start", name)
        assert self.exit_status(name) != 0
        self.finish(name)

    @scenario()
    def exit_command_runs_after_the_end(self):
        name = self.bundle("sh", "-c", "exit 5")
        marker = self.path("tmp", name)
        words = ["--exit-command", "/bin/sh", "--exit-command-arg", "-c", "--exit-command-arg",
                 f"{self.runtime} --root {self.state} delete --force {name} > {marker} 2>&1; "
                 f"echo done $? >> {marker}"]
        self.create(name, *words)
        self.crun("start", name)
        self.wait_until(lambda: os.path.exists(marker) and "done" in self.read(marker),
                        "the exit command")
        assert self.read(marker) == "done 0\n", self.read(marker)
        assert self.exit_status(name) == 5
        os.unlink(marker)

    # ---- exec ----

    def process(self, name, *args, terminal=False):
        config = json.loads(self.read(self.path("bundles", name, "config.json")))
        config["process"].update(args=list(args), terminal=terminal)
        return config["process"]

    def exec_in(self, name, *args, terminal=False):
        """An exec session of a container -> (what conmon says, name of the session)."""
        self.counter += 1
        session = f"session{self.counter}"
        folder = self.mkdir(f"bundles/{session}")
        spec = self.file(f"bundles/{session}/process.json",
                         json.dumps(self.process(name, *args, terminal=terminal)))
        words = ["--cuuid", session, "--name", name, "--container-pidfile",
                 os.path.join(folder, "pidfile"), "--log-path",
                 "k8s-file:" + os.path.join(folder, "ctr.log"), "--exec", "--exec-process-spec",
                 spec] + (["--terminal"] if terminal else [])
        exits = self.mkdir(f"bundles/{session}/exit")
        return self.conmon(*words, id=name, folder=folder, exits=exits), session

    @scenario(quick=True)
    def exec_and_its_exit_status(self):
        name = self.bundle("sleep", "1000")
        self.create(name)
        self.crun("start", name)
        said, session = self.exec_in(name, "sh", "-c", "echo hello; exit 9")
        assert said.get("data", said.get("pid", 0)) > 0, said
        assert self.exit_status(name, session) == 9
        assert self.printed(session) == ["hello"]
        said, session = self.exec_in(name, "no-such-program")
        assert said.get("data", said.get("pid", 0)) < 0, said
        assert "no-such-program" in said["message"], said
        assert not os.path.exists(self.path("bundles", session, "pidfile"))
        said, session = self.exec_in(name, "sh", "-c", "tty; exit 4", terminal=True)
        assert self.exit_status(name, session) == 4, said
        self.crun("kill", name, "KILL")
        assert self.exit_status(name) == 137
        self.finish(name)

    @scenario(flavors=("root",))
    def memory_that_runs_out_is_seen(self):
        eat = "x=$(head -c 100000000 /dev/zero | tr '\\0' x); echo never"
        name = self.bundle("sh", "-c", eat)
        path = self.path("bundles", name, "config.json")
        config = json.loads(self.read(path))
        config["linux"]["resources"] = {"memory": {"limit": 16 << 20, "swap": 16 << 20}}
        self.file(path, json.dumps(config))
        persist = self.mkdir("persist")
        self.create(name, "--persist-dir", persist)
        self.crun("start", name)
        assert self.exit_status(name) in (2, 137)
        seen = [folder for folder in (persist, self.dir, self.path("bundles", name))
                if os.path.exists(os.path.join(folder, "oom"))]
        assert seen, "the monitor did not see that memory ran out"
        self.finish(name)
        shutil.rmtree(persist)

    @scenario()
    def monitor_that_is_killed(self):
        """Without its monitor a container goes on, and can be removed."""
        name = self.bundle("sleep", "1000")
        self.create(name)
        self.crun("start", name)
        monitor = int(self.read(self.path("bundles", name, "conmon.pid")))
        os.kill(monitor, 9)
        self.wait_until(lambda: monitor not in hostside.processes(), "its end")
        assert '"running"' in self.crun("state", name).out
        self.finish(name)
