# SPDX-License-Identifier: Apache-2.0
"""Steps that the tests with real programs share: containers as Docker would write them, in the
four ways in which they can be run, and a person who types at a shell."""

import os
import re

import real_config
import real_root
from harness import timeout

# How a test's containers get their ids: by root without and with a user namespace (which engines
# call remapping), by an ordinary user who maps only himself, and by an ordinary user with the
# subordinate ranges that newuidmap and newgidmap write.
MAPPINGS = {"as_root": None, "as_root_remapped": "remapped", "as_user": "single",
            "as_user_with_ranges": "ranges"}
PROMPT = r"ready:(\d+)> "

# A child that runs on a stack of its own, as namespaces are joined, is not known to ASAN.
SANITIZER_NOISE = re.compile(r"==\d+==WARNING: ASan is ignoring requested __asan_handle_no_return"
                             r".*?\n(False positive.*?\n)?(For details.*?\n)?", re.S)


def in_every_mapping(namespace, seconds, *checks):
    """For each check(t, mapping) put a test function of each mapping into a module."""
    for check in checks:
        for suffix, mapping in MAPPINGS.items():
            def test(t, check=check, mapping=mapping):
                check(t, mapping)
            test.flavors = ("rootless" if mapping in ("single", "ranges") else "root",)
            name = check.__name__.replace("check_", "test_", 1) + "_" + suffix
            namespace[name] = timeout(seconds)(test)


class Place:
    """A root file system, and bundles that share it."""

    def __init__(self, t, mapping, rootfs=None):
        self.t, self.mapping, self.rootfs = t, mapping, rootfs
        if mapping == "remapped" and not rootfs:
            self.rootfs = t.path("remapped")
            t.world.clone_rootfs(self.rootfs, True, (0, 0))
            real_root.give_to(self.rootfs, *real_root.REMAPPED)
            os.chmod(self.rootfs, 0o755)

    @classmethod
    def debian(cls, t, mapping):
        return cls(t, mapping, real_root.debian(t, mapping))

    def bundle(self, args, change=None, user=None):
        """A Docker-like bundle; `change` is a function of the config."""
        def mutate(conf):
            real_config.docker(self.t, conf)
            if self.mapping == "remapped":
                real_config.remap(conf, real_root.REMAP_FIRST)
            if user:
                conf["process"]["user"] = {"uid": user[0], "gid": user[1]}
            if change:
                change(conf)
        rootless = {"single": True, "ranges": "ranges"}.get(self.mapping, False)
        return self.t.bundle(args, rootfs=self.rootfs, mutate=mutate, rootless=rootless)

    def run(self, args, change=None, **kwargs):
        """A foreground run that must succeed -> its standard output."""
        result = self.t.run_container(self.bundle(args, change), **kwargs)
        assert SANITIZER_NOISE.sub("", result.err) == "", result
        return result.out

    def detach(self, args, change=None, user=None):
        """A detached run -> (bundle, result, pid)."""
        bundle = self.bundle(args, change, user)
        result = self.t.run_container(bundle, "--detach")
        return bundle, result, self.t.pid(bundle)

    def neighbour(self, pid):
        """A change that puts a container into the network namespace of process `pid`.

        The user namespace that owns it comes along: what an ordinary user may not join otherwise,
        and where sysfs may not be mounted otherwise.
        """
        kinds = ("user", "network") if self.mapping else ("network",)

        def change(conf):
            real_config.join(conf, pid, *kinds)
        return change

    def account(self, name):
        """(uid, gid) of an account of this root, or None where only one id is mapped."""
        if self.mapping == "single":
            return None
        with open(self.rootfs + "/etc/passwd", encoding="utf-8") as lines:
            for line in lines:
                fields = line.split(":")
                if fields[0] == name:
                    return int(fields[2]), int(fields[3])
        raise AssertionError(f"no account {name}")


def terminal(conf):
    conf["process"]["terminal"] = True
    conf["process"]["consoleSize"] = {"height": 24, "width": 80}
    env = conf["process"]["env"]
    env[env.index("TERM=xterm")] = "TERM=dumb"   # no escape sequences around what is printed


def type_line(pty, line):
    """Type a command; what it printed, and its status from the next prompt."""
    pty.send(line.encode() + b"\r")
    pty.expect(r"\n")   # the echo of what was typed
    match = pty.expect(PROMPT)
    printed = match.string[:match.start()].decode()
    return printed.replace("\r\n", "\n"), int(match.group(1))


def in_foreground(t, pty, command):
    """Type a command that stays, and wait until the shell has given the terminal to it."""
    pty.send(command + b"\r")
    pty.expect(command + rb"\r\n")
    t.wait_until(lambda: not pty.read(0.2), "silence")


def work_at_a_shell(t, bundle, resized):
    """A session: commands, pipes, history of statuses, job control, sizes, leaving."""
    pty = t.pty("run", "-b", bundle.path, bundle.id, rows=24, cols=80)
    pty.expect(r"[#$] ")
    pty.send(b"PS1='ready:$''?> '\r")
    pty.expect(r"\n.*" + PROMPT)
    assert pty.is_raw(), "the terminal outside still edits lines"

    assert type_line(pty, "tty")[0] in ("/dev/pts/0\n", "/dev/console\n")
    assert type_line(pty, "stty size") == ("24 80\n", 0)
    assert type_line(pty, "false") == ("", 1)
    assert type_line(pty, "seq 3 | tac | tr '\\n' ' '; echo") == ("3 2 1 \n", 0)
    assert type_line(pty, "hostname") == ("crun-test\n", 0)
    assert type_line(pty, "no-such-command")[1] == 127

    pty.resize(40, 132)
    t.wait_until(lambda: type_line(pty, "stty size")[0] == resized, "the new window size")
    pty.read()   # the shell has drawn its line again

    job_control(t, pty)

    in_foreground(t, pty, b"cat")
    pty.send(b"typed\r")
    pty.expect(r"typed\r\ntyped\r\n")   # the echo, and cat
    pty.send(b"\x04")
    pty.expect(r"ready:0> ")

    # Nothing is lost between a program and the terminal outside, however much there is.
    text, status = type_line(pty, "seq 20000")
    assert status == 0 and text == "".join(f"{n}\n" for n in range(1, 20001)), len(text)

    pty.send(b"exit 7\r")
    assert pty.wait() == 7
    assert not pty.is_raw(), "the terminal outside was left raw"
    t.assert_no_trace(bundle)


def job_control(t, pty):
    """^C, ^Z, bg, fg and jobs: what needs a controlling terminal and process groups."""
    in_foreground(t, pty, b"sleep 1000")
    pty.send(b"\x03")
    pty.expect(r"\^C.*ready:130> ")

    in_foreground(t, pty, b"sleep 2000")
    pty.send(b"\x1a")
    pty.expect(r"\^Z.*Stopped.*sleep 2000.*" + PROMPT)
    assert "sleep 2000" in type_line(pty, "bg")[0]
    assert "Running" in type_line(pty, "jobs")[0]
    in_foreground(t, pty, b"fg")
    pty.send(b"\x03")
    pty.expect(r"ready:130> ")
    assert type_line(pty, "jobs") == ("", 0)
