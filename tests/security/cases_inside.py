# SPDX-License-Identifier: Apache-2.0
"""R3: an attacker who is in the container already when `exec` comes in."""

import os
import time

import host
from case import BOUND, PATIENCE, case, with_caps, with_userns

# The longer exec needs inside, the better for the attacker: an image may make it search for its program.
LONG_PATH = ":".join(f"/deep/a/{n:0100}" for n in range(300)) + ":/bin"


STRONG = ("CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_SYS_ADMIN", "CAP_CHOWN",
          "CAP_FOWNER", "CAP_SETUID", "CAP_SETGID")


def attack(c, how, enough, userns=False, caps=(), change=None, opts=()):
    """A spy as the container's own process; execs until it has seen `enough` of them.

    With CAP_SYS_PTRACE and no user namespace the kernel denies nothing to it ("entitled"): there must
    be nothing of the host to be found in the joining process, then, and its program cannot be written.
    """
    host_root = os.stat("/")

    def alter(conf):
        with_caps(conf, *caps)
        conf["root"]["readonly"] = False
        conf["process"]["noNewPrivileges"] = False
        conf["process"]["env"] = ["PATH=" + LONG_PATH]
        if userns:
            with_userns(conf)
        if change:
            change(conf)

    bundle = c.bundle(["/bin/probe", "spy", how, "/tmp/ready", str(host_root.st_dev),
                       str(host_root.st_ino)], alter)
    directory = os.open("/canary", os.O_RDONLY | os.O_DIRECTORY)
    c.start_detached(bundle)
    deadline = time.monotonic() + 40 * PATIENCE
    while not os.path.exists(bundle.rootfs + "/tmp/ready"):
        assert time.monotonic() < deadline, host.read(bundle.log)
        time.sleep(0.01)
    saw = 0
    while saw < enough:
        # Asked for by name: that is what the long PATH is for.
        result = c.rt("exec", *opts, bundle.id, "true", pass_fds=[directory],
                      timeout=BOUND)
        c.rows += 1
        told = host.read(bundle.log)
        assert "ESCAPED" not in told, told[-2000:]
        assert result.rc == 0 or how.startswith("calls"), result
        saw = told.count("SAW")
        assert time.monotonic() < deadline or saw, f"the spy sees nothing: {told[-500:]}"
        if time.monotonic() > deadline:
            break
    os.close(directory)
    c.must("delete", "--force", bundle.id)
    c.audit()


@case("CVE-2016-9962", "CVE-2019-5736", "CVE-2016-8649")
def spy_on_the_files_of_exec(c):
    attack(c, "files", 2 * c.rounds)


@case("CVE-2016-9962", "CVE-2019-5736", "CVE-2016-8649")
def spy_on_the_files_of_exec_with_every_right(c):
    attack(c, "files-entitled", 2 * c.rounds, caps=STRONG)


@case("CVE-2016-9962")
def spy_on_the_files_of_exec_with_a_user_namespace(c):
    attack(c, "files", 2 * c.rounds, userns=True, caps=STRONG)


@case("CVE-2016-9962")
def trace_exec_and_take_its_descriptors(c):
    attack(c, "calls", 2 * c.rounds)


@case("CVE-2016-9962")
def trace_exec_with_every_right(c):
    attack(c, "calls-entitled", 2 * c.rounds, caps=STRONG)


@case("CVE-2016-9962")
def trace_exec_with_a_user_namespace(c):
    attack(c, "calls", 2 * c.rounds, userns=True, caps=STRONG)


@case("CVE-2016-9962")
def spy_on_exec_as_another_user(c):
    """The process changes its ids before execve: that must not open it again."""
    attack(c, "files", 2 * c.rounds, opts=["--user", "1000:1000"],
           change=lambda conf: conf["process"].update(user={"uid": 1000, "gid": 1000}))


@case()
def exec_is_stopped_by_the_container(c):
    """SIGSTOP before its program runs: whoever waits for `exec`, an engine's health check, must not hang."""
    attack(c, "stop", c.rounds)


@case("CVE-2019-5736", flavors=("root", "rootless"))
def program_that_is_the_runtime_itself(c):
    """An interpreter /proc/self/exe makes the kernel run whatever executes it: the runtime, inside."""
    for verb in ("run", "create", "exec"):
        bundle = c.bundle(["/bin/sleep", "1000"] if verb == "exec" else ["/evil"],
                          {"root": {"readonly": False}})
        evil = c.file(bundle.rootfs + "/evil", "#!/proc/self/exe\n", 0o755)
        if verb == "run":
            result = c.run(bundle)
            assert result.rc != 0, result
        elif verb == "create":
            result = c.rt("create", "-b", bundle.path, bundle.id, log=bundle.log)
            if result.rc == 0:
                c.rt("start", bundle.id)
                time.sleep(0.1)
        else:
            c.start_detached(bundle)
            os.chmod(evil, 0o755)
            result = c.rt("exec", bundle.id, "/evil")
            assert result.rc != 0, result
        c.rows += 1
        c.delete(bundle)
        c.audit(verb)


def overwriter(c, verb):
    """The dynamic linker of an image is its own: it runs with the runtime's binary as /proc/self/exe."""
    script = ("for n in /proc/[0-9]*/exe /proc/self/exe; do ( echo OVERWRITTEN >>$n ) 2>/dev/null; "
              "done; echo INSIDE")
    bundle = c.bundle(["/bin/sh", "-c", script if verb == "run" else "sleep 1000"],
                      lambda conf: with_caps(conf, "CAP_DAC_OVERRIDE", "CAP_SYS_PTRACE"))
    if verb == "run":
        c.verdict(bundle, c.run(bundle), may_fail=False)
        return
    c.start_detached(bundle)
    for _ in range(3):
        c.must("exec", bundle.id, "/bin/sh", "-c", script)
    c.must("delete", "--force", bundle.id)


@case("CVE-2019-5736")
def writes_to_the_program_of_every_process(c):
    overwriter(c, "run")
    overwriter(c, "exec")
    c.audit()


@case("CVE-2026-84042", "CVE-2022-1227", "CVE-2019-14271", "CVE-2025-23266")
def image_with_traps_in_the_place_of_helpers(c):
    """Programs and libraries that a runtime might start or load: each of them tells when it runs."""
    mark = c.mkdir("mark", 0o777)
    names = ("newuidmap", "newgidmap", "criu", "passt", "systemd-run", "mount", "umount", "modprobe",
             "ip", "iptables", "ps", "tar", "crun", "runc")

    def change(conf):
        conf["mounts"].append({"destination": "/mount", "type": "bind", "source": mark,
                               "options": ["bind"]})
        conf["process"]["env"] += ["LD_PRELOAD=/lib/trap.so", "LD_LIBRARY_PATH=/lib"]
        conf["hooks"] = {"createContainer": [{"path": "/bin/sh", "args": [
            "sh", "-c", "test -z \"$LD_PRELOAD\" || touch /w/mark/hook"]}]}

    for verb in ("run", "exec"):
        bundle = c.bundle(["/bin/sleep", "1000"] if verb == "exec" else ["/bin/probe", "look"],
                          change)
        for folder in ("bin", "usr/bin", "sbin", "usr/sbin", "usr/local/bin", "lib", "usr/lib"):
            os.makedirs(f"{bundle.rootfs}/{folder}", exist_ok=True)
            for name in names:
                c.file(f"{bundle.rootfs}/{folder}/{name}",
                       "#!/bin/sh\necho x >/mount/$$; echo x >/w/mark/$$\n", 0o755)
            for name in ("libnss_files.so.2", "libc.so.6", "trap.so"):
                c.file(f"{bundle.rootfs}/{folder}/{name}", "not a library\n")
        host.write(bundle.rootfs + "/etc/nsswitch.conf", "passwd: trap\n")
        host.write(bundle.rootfs + "/etc/ld.so.preload", "/lib/trap.so\n")
        if verb == "run":
            c.verdict(bundle, c.run(bundle), may_fail=False)
        else:
            c.start_detached(bundle)
            c.must("exec", bundle.id, "/bin/true")
            c.rt("ps", bundle.id)
            c.must("delete", "--force", bundle.id)
        assert not os.listdir(mark), f"{verb}: a trap ran: {os.listdir(mark)}"
    c.audit()


@case("CVE-2017-5226", "CVE-2016-10124")
def typing_into_the_terminal_of_the_caller(c):
    """Standard input is a terminal of the caller, and its session is not ours to type into."""
    master, slave = os.openpty()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.dup2(slave, 0)
        import fcntl    # pylint: disable=import-outside-toplevel
        import termios  # pylint: disable=import-outside-toplevel
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        bundle = c.bundle(["/bin/probe", "type"])
        result = c.run(bundle, stdin=0)
        os._exit(42 if "worked" in result.out else 0 if "TIOCSTI" in result.out else 1)
    c.known.add(pid)
    _pid, status = os.waitpid(pid, 0)
    os.close(master)
    os.close(slave)
    assert os.waitstatus_to_exitcode(status) == 0, f"exit status {status >> 8}: 42 is a success"
    c.audit()
