# SPDX-License-Identifier: Apache-2.0
"""R4: descriptors that the runtime, or its caller, has open."""

import os
import socket

import host
from case import case

SOME = (*range(0, 24), 31, 32, 63, 64, 100, 127, 128, 255)
ABOVE = "/".join([".."] * 40)


def numbers(c):
    return range(256) if c.whole else SOME[3:11] if c.sample else SOME


def careless_caller(c):
    """Descriptors 3 to 20 as an engine with leaks would have them; the list of them."""
    made = []
    for number in range(3, 21):
        if number % 3 == 0:
            fd = os.open("/canary", os.O_RDONLY | os.O_DIRECTORY)
        elif number % 3 == 1:
            fd = os.memfd_create("leaked")
            os.write(fd, host.TOKEN.encode())
        else:
            fd = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).detach()
        if fd != number:
            os.dup2(fd, number)
            os.close(fd)
        os.set_inheritable(number, True)
        made.append(number)
    return made


@case("CVE-2024-21626", flavors=("root", "rootless"))
def inherited_descriptors_of_run(c):
    bundle = c.bundle()
    c.verdict(bundle, c.run(bundle, pass_fds=careless_caller(c)), may_fail=False)


@case("CVE-2024-21626")
def inherited_descriptors_of_create_and_start(c):
    bundle = c.bundle()
    fds = careless_caller(c)
    c.must("create", "-b", bundle.path, "--pid-file", bundle.pid_file, bundle.id, log=bundle.log,
           pass_fds=fds)
    c.must("start", bundle.id, pass_fds=fds)
    c.wait_end(c.pid(bundle))
    out = host.read(bundle.log)
    assert "ESCAPED" not in out and "INSIDE" in out, out
    c.must("delete", bundle.id)
    c.audit()


@case("CVE-2024-21626", "CVE-2016-9962", flavors=("root", "rootless"))
def inherited_descriptors_of_exec(c):
    bundle = c.bundle(["/bin/sleep", "1000"])
    fds = careless_caller(c)
    c.start_detached(bundle, pass_fds=fds)
    for opts in ([], ["--user", "1000:1000"] if not c.rootless else []):
        result = c.must("exec", *opts, bundle.id, "/bin/probe", "look", pass_fds=fds)
        assert "ESCAPED" not in result.out and "INSIDE" in result.out, result
    c.must("delete", "--force", bundle.id)
    c.audit()


@case("CVE-2024-21626")
def path_descriptors_with_self_audit(c):
    """poll(2) does not see them: a runtime that looks for what it has left open has to ask one by one.

    The variable is this tree's; to other runtimes it means nothing, and theirs must be closed like all.
    """
    for number in range(3, 21):
        os.dup2(os.open("/canary", os.O_PATH | os.O_DIRECTORY), number, inheritable=True)
    bundle = c.bundle()
    c.verdict(bundle, c.run(bundle, pass_fds=list(range(3, 21)), env={"CRUN_SELF_AUDIT": "1"}))


@case("CVE-2024-21626", limit=300)
def process_cwd_in_a_descriptor(c):
    """Whatever the runtime has open at that number when it changes the directory."""
    os.dup2(os.open("/canary", os.O_RDONLY | os.O_DIRECTORY), 9)
    for number in numbers(c):
        for tail in ("", "/.."):
            if tail and number % 3:
                continue
            bundle = c.bundle(change={"process": {"cwd": f"/proc/self/fd/{number}{tail}"}})
            c.verdict(bundle, c.run(bundle, pass_fds=[9]), bundle.config["process"]["cwd"])
            c.remove(bundle)


@case("CVE-2024-21626")
def process_cwd_through_a_link_of_the_image(c):
    for number in numbers(c):
        bundle = c.bundle(change={"process": {"cwd": "/work"}})
        os.rmdir(bundle.rootfs + "/work")
        os.symlink(f"/proc/self/fd/{number}", bundle.rootfs + "/work")
        c.verdict(bundle, c.run(bundle), f"/work -> fd/{number}")
        c.remove(bundle)


@case("CVE-2024-21626", limit=300)
def exec_cwd_in_a_descriptor(c):
    bundle = c.bundle(["/bin/sleep", "1000"])
    c.start_detached(bundle)
    link = bundle.rootfs + "/work"
    os.rmdir(link)
    os.dup2(os.open("/canary", os.O_RDONLY | os.O_DIRECTORY), 9)
    for number in numbers(c):
        os.symlink(f"/proc/self/fd/{number}", link)
        for cwd in (f"/proc/self/fd/{number}", "/work") if number % 2 else ("/work",):
            result = c.rt("exec", "--cwd", cwd, bundle.id, "/bin/probe", "look", pass_fds=[9])
            c.rows += 1
            assert "ESCAPED" not in result.out, (number, result)
            assert result.rc == 0 or result.err.strip(), result
        os.unlink(link)
    c.must("delete", "--force", bundle.id)
    c.audit()


@case("CVE-2024-21626")
def program_in_a_descriptor(c):
    """execve(2) looks before it closes."""
    os.dup2(os.open("/canary", os.O_RDONLY | os.O_DIRECTORY), 9)
    for number in numbers(c) if c.sample else range(3, 21):
        for program in (f"/proc/self/fd/{number}/{ABOVE}/canary/program",
                        f"/proc/self/fd/{number}/program"):
            for opts in ([], ["--preserve-fds", "20"]):
                bundle = c.bundle([program])
                result = c.run(bundle, *opts, pass_fds=[9])
                # With the option, the caller itself hands the directory of the host over.
                given = opts and number == 9
                assert "escaped" not in result.out or given, result
                c.rows += 1
                c.delete_failed(bundle)
                c.remove(bundle)
    c.audit()


@case("CVE-2024-21626")
def preserved_descriptors_are_the_only_ones(c):
    fds = careless_caller(c)
    bundle = c.bundle(["/bin/probe", "audit"])
    result = c.run(bundle, "--preserve-fds", "2", pass_fds=fds)
    assert "\nfds 0 1 2 3 4\n" in result.out, result
    c.audit()


@case("CVE-2026-88265")
def standard_input_null_is_not_taken_from_the_image(c):
    """The image's /dev/null is a file of a volume: neither attached, nor changed."""
    shared = c.mkdir("shared")
    victim = c.file("shared/victim", host.TOKEN + "\n", 0o600)
    for dev in ("link", "file", "block", "absent"):
        for user in (0, 1000):
            def change(conf, user=user):
                conf["mounts"] = [m for m in conf["mounts"] if not
                                  m["destination"].startswith("/dev")]
                conf["mounts"].append({"destination": "/mount", "type": "bind", "source": shared,
                                       "options": ["rbind"]})
                conf["process"]["user"] = {"uid": user, "gid": user}
                conf["root"]["readonly"] = False

            bundle = c.bundle(["/bin/sh", "-c", "cat <&0; echo x >&1; echo INSIDE"], change)
            place = bundle.rootfs + "/dev/null"
            if dev == "link":
                os.symlink("/mount/victim", place)
            elif dev == "block":
                os.mknod(place, 0o60666, os.makedev(1, 3))
            elif dev == "file":
                os.link(victim, place)
            before = os.lstat(victim)
            with open("/dev/null", "r+b", buffering=0) as null:
                result = c.run(bundle, stdin=null)
            assert host.TOKEN not in result.out, result
            after = os.lstat(victim)
            assert (before.st_uid, before.st_mode, before.st_size) == \
                (after.st_uid, after.st_mode, after.st_size), "the file of the host was changed"
            c.verdict(bundle, result, f"{dev} user {user}")
