# SPDX-License-Identifier: Apache-2.0
"""Podman's scenarios: more processes in a running container."""

import subprocess

from framework import scenario

FOREVER = ("sleep", "1000")


class Scenarios:
    def exec_in(self, *words, **kwargs):
        """A container `c`, and `podman exec` with these options and words in it."""
        if not self.podman("ps", "-q", "--filter", "name=^c$").out:
            self.background("--name", "c", ":", *FOREVER)
        return self.podman("exec", *words, **kwargs)

    def end(self, *names):
        self.podman("rm", "--force", "--time", "0", *(names or ("c",)))

    @scenario(quick=True)
    def exec_exit_statuses(self):
        for script, status in (("echo out; echo err >&2", 0), ("exit 7", 7), ("exit 126", 126),
                               ("kill -9 $$", 137), ("kill -15 $$", 143)):
            done = self.exec_in("c", "sh", "-c", script, check=False)
            assert done.rc == status, done
        done = self.exec_in("c", "sh", "-c", "echo out; echo err >&2")
        assert (done.out, done.err) == ("out\n", "err\n"), done
        done = self.exec_in("c", "no-such-program", check=False)
        assert done.rc == 127 and "no-such-program" in done.err, done
        done = self.exec_in("c", "/etc", check=False)
        assert done.rc == 126, done
        self.end()

    @scenario()
    def exec_with_its_own_settings(self):
        done = self.exec_in("--user", "1000:1001", "--workdir", "/tmp", "--env", "A=b c", "c",
                            "sh", "-c", "id -u; id -g; pwd; echo $A")
        assert done.out == "1000\n1001\n/tmp\nb c\n", done
        done = self.exec_in("--workdir", "/missing", "c", "true", check=False)
        assert done.rc in (126, 127) and "/missing" in done.err, done
        done = self.exec_in("--privileged", "c", "grep", "CapEff", "/proc/self/status")
        ours = [line for line in self.read("/proc/self/status").splitlines() if "CapBnd" in line]
        plain = self.exec_in("c", "grep", "CapEff", "/proc/self/status")
        assert int(done.out.split()[1], 16) > int(plain.out.split()[1], 16), (done, plain, ours)
        self.end()

    @scenario()
    def exec_reads_its_standard_input(self):
        data = b"0123456789abcdef\n" * 20000
        done = self.exec_in("-i", "c", "wc", "-c", input=data)
        assert done.out.strip() == str(len(data)), done
        self.end()

    @scenario()
    def exec_on_a_terminal(self):
        self.exec_in("c", "true")
        pty = self.pty(*self.argv("exec", "-it", "c", "sh"))
        pty.expect(r"# ", 30)
        pty.send(b"tty; stty size\r")
        pty.expect(r"/dev/pts/\d+\r\n24 80\r\n")
        pty.resize(40, 132)

        def resized():
            pty.send(b"stty size\r")
            return pty.expect(r"\r\n(\d+ \d+)\r\n").group(1) == b"40 132"
        self.wait_until(resized, "the new window size")
        pty.read()
        pty.send(b"exit 4\r")
        assert pty.wait(30) == 4
        self.end()

    @scenario()
    def exec_in_the_background(self):
        done = self.exec_in("--detach", "c", "sh", "-c", "echo $$ > /tmp/pid; exec sleep 1000")
        assert done.out.strip(), done
        self.wait_until(lambda: self.exec_in("c", "cat", "/tmp/pid", check=False).rc == 0, "it")
        assert "sleep 1000" in self.exec_in("c", "ps").out
        self.end()

    @scenario()
    def exec_of_many_at_once(self):
        self.exec_in("c", "true")
        children = [self.popen(*self.argv("exec", "c", "sh", "-c", f"sleep 0.2; exit {number}"),
                               stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
                    for number in range(6)]
        assert [child.wait(80) for child in children] == list(range(6))
        self.end()

    @scenario()
    def exec_prints_all_of_it(self):
        """A short command's output is complete, and so is a long one's."""
        for _number in range(5):
            assert self.exec_in("c", "echo", "short").out == "short\n"
        done = self.exec_in("c", "sh", "-c", "seq 200000")
        assert done.out.endswith("199999\n200000\n") and len(done.out) == 1288895, len(done.out)
        self.end()

    @scenario()
    def exec_hands_over_descriptors(self):
        self.exec_in("c", "true")
        done = self.run("sh", "-c", 'exec 3<"$0" && exec "$@"', self.file("handed", "through\n"),
                        *self.argv("exec", "--preserve-fds", "1", "c", "sh", "-c", "cat <&3"))
        assert done.out == "through\n", done
        self.end()

    @scenario(flavors=("root",))
    def exec_into_namespaces_of_others(self):
        maps = ("--uidmap", "0:5000000:65536", "--gidmap", "0:5000000:65536")
        self.background("--name", "c", *maps, ":", *FOREVER)
        done = self.exec_in("c", "sh", "-c", "id -u; cat /proc/self/uid_map")
        assert done.out.split() == ["0", "0", "5000000", "65536"], done
        self.end()

    @scenario()
    def exec_without_cgroups(self):
        self.background("--name", "c", "--cgroups", "disabled", ":", *FOREVER)
        assert self.exec_in("c", "echo", "hello").out == "hello\n"
        self.end()

    @scenario(quick=True)
    def healthcheck(self):
        self.background("--name", "c", "--health-cmd", "test -e /healthy", "--health-interval",
                        "disable", "--health-retries", "1", ":", *FOREVER)
        sick = self.podman("healthcheck", "run", "c", check=False)
        assert sick.rc == 1, sick
        self.podman("exec", "c", "touch", "/healthy")
        well = self.podman("healthcheck", "run", "c", check=False)
        assert well.rc == 0, well
        assert self.inspect("c", "{{.State.Health.Status}}") == "healthy"
        self.end()
