# SPDX-License-Identifier: Apache-2.0
"""Engines tell failures apart by their words: what each of them makes of ours."""

import json
import os
import re

from harness import flavors
from test_lifecycle import SLEEP, running, stopped

# ---- the matchers, as the engines have them -----------------------------------------------------

PODMAN = (("permission denied", re.compile(r".*permission denied.*|.*operation not permitted.*",
                                           re.I)),
          ("not found", re.compile(r".*executable file not found in.*|"
                                   r".*no such file or directory.*|.*open executable.*", re.I)),
          ("security attribute", re.compile(r".*`/proc/[a-z0-9].+/attr/?.*`", re.I)))
PODMAN_STATUS = {"permission denied": 126, "not found": 127, "security attribute": 126,
                 "OCI runtime error": 126}


def podman(text):
    """libpod's class of an error, and the line that the user gets to see."""
    for name, pattern in PODMAN:
        match = pattern.search(text)
        if match:
            return name, match.group(0)
    return "OCI runtime error", text.strip()


def podman_log(t, path):
    """What libpod reads in --log FILE: the whole of it must be one JSON document of strings."""
    with open(path, encoding="utf-8") as source:
        entry = json.loads(source.read())
    assert all(isinstance(entry[k], str) for k in ("msg", "level", "time")), entry
    return entry["msg"]


DOCKERD = (("permission denied", 126), ("is a directory", 126), ("not a directory", 127),
           ("executable file not found", 127), ("no such file or directory", 127),
           ("system cannot find the file specified", 127), ("failed to run runc create", 127))


def dockerd(text):
    for words, status in DOCKERD:
        if words in text.lower():
            return status
    return 128


def containerd_not_found(text):
    """For kill and delete, on stdout and stderr together."""
    return "os: process already finished" in text or "container not running" in text or \
        "no such process" in text.lower() or "does not exist" in text


def crio_not_found(text):
    return any(words in text for words in ("no such process", "container not running",
                                           "invalid process"))


# ---- the failures -------------------------------------------------------------------------------

def failure(t, *verbs, **process):
    """The texts of a create, and of a run, that fail for the process: on stderr and in the log."""
    for verb in verbs or (["create"], ["run"], ["run", "--detach"]):
        bundle = t.bundle(mutate={"process": process})
        log = t.path(f"log{t.counter}")
        result = t.fails("--log", log, "--log-format=json", *verb, "-b", bundle.path, bundle.id)
        t.assert_no_trace(bundle)
        yield result.err
        yield podman_log(t, log)


def missing(t):
    return failure(t, args=["foobar"])


def directory(t):
    return failure(t, args=["/etc"])


# ---- section 6.1, one test for each substring ---------------------------------------------------

@flavors("root", "rootless")
def test_does_not_exist(t):
    """containerd: kill and delete of what is gone; which is no missing command for dockerd."""
    for args in (["kill", "nope", "9"], ["kill", "--all", "nope", "9"], ["delete", "nope"],
                 ["state", "nope"], ["start", "nope"], ["pause", "nope"], ["resume", "nope"],
                 ["ps", "nope"]):
        result = t.fails(*args, has="does not exist")
        assert containerd_not_found(result.out + result.err), result
        assert dockerd(result.err) == 128 and podman(result.err)[0] == "OCI runtime error", result


@flavors("root", "rootless")
def test_container_not_running_and_no_such_process(t):
    bundle = stopped(t)
    for args in ([], ["9"], ["KILL"]):
        result = t.fails("kill", bundle.id, *args,
                         has=["container not running", "no such process"])
        assert containerd_not_found(result.out + result.err) and crio_not_found(result.err), result
        assert dockerd(result.err) == 128 and podman(result.err)[0] == "OCI runtime error", result


def test_permission_denied(t):
    bundle = t.bundle(["/tmp/script"])
    t.file(os.path.join(bundle.rootfs, "tmp/script"), "#!/bin/sh\n", mode=0o644)
    result = t.fails("create", "-b", bundle.path, bundle.id)
    assert podman(result.err)[0] == "permission denied" and dockerd(result.err) == 126, result
    # podman sys 160, of a volume that is mounted noexec
    assert re.search("exec.* permission denied", result.err), result


def test_directory_as_the_command(t):
    for text in directory(t):
        name, line = podman(text)
        assert (name, dockerd(text)) == ("permission denied", 126), text
        # podman e2e, with the words that libpod puts behind the line
        assert re.search(r"(open executable|the path `/etc` is not a regular file): "
                         r"Operation not permitted: OCI permission denied",
                         line + ": OCI permission denied"), line
        # podman sys 030
        assert re.search("(permission denied|is a directory)|is not a regular file", text), text


def test_not_a_directory(t):
    """A file is mounted over a directory: dockerd adds a hint for the user."""
    bundle = t.bundle(own_rootfs=True)
    source = t.file("a-file", "x")
    bundle.config["mounts"].append({"destination": "/etc", "type": "bind", "source": source,
                                    "options": ["bind"]})
    bundle.save()
    result = t.fails("create", "-b", bundle.path, bundle.id)
    assert dockerd(result.err) in (126, 127), result


def test_executable_file_not_found(t):
    for text in missing(t):
        name, line = podman(text)
        assert (name, dockerd(text)) == ("not found", 127), text
        # docker integration-cli; nerdctl inspect
        assert "executable file not found" in text, text
        assert "executable file not found in $PATH" in text, text
        # podman e2e run_exit
        assert "executable file `foobar` not found in $PATH: No such file or directory" in line
        # nothing behind it: libpod's own words follow
        assert line.endswith("No such file or directory"), line


def test_no_such_file_or_directory(t):
    for text in failure(t, args=["/no/such"]):
        assert podman(text)[0] == "not found" and dockerd(text) == 127, text
        # cri-o policy.bats
        assert re.search("No such file or directory|unable to start container process", text)
    for text in failure(t, args=[""]):
        # podman sys 030, an image without an entry point
        assert re.search(r"(executable file `` not found in \$PATH|cannot find `` in \$PATH): "
                         r"No such file or directory: OCI runtime attempted",
                         podman(text)[1] + ": OCI runtime attempted"), text
        assert dockerd(text) == 127, text
    for text in failure(t, cwd="/missing"):
        assert "chdir to `/missing`: No such file or directory" in podman(text)[1], text
        assert podman(text)[0] == "not found" and dockerd(text) == 127, text


def test_security_attribute(t):
    """podman sys 410: a label that the host's module does not take."""
    selinux = os.path.exists("/sys/fs/selinux/enforce")
    apparmor = os.path.exists("/sys/kernel/security/apparmor")
    if not selinux and not apparmor:
        t.skip("neither SELinux nor AppArmor is in force")
    change = {"selinuxLabel": "bad:label"} if selinux else {"apparmorProfile": t.prefix + "-no"}
    for text in failure(t, **change):
        assert re.search(r"`/proc/.*/attr.*`", text), text


def test_requires_an_argument(t):
    """Podman asks with it whether pods can be restored."""
    result = t.fails("restore", "--lsm-mount-context", root=False)
    assert re.search("flag needs an argument|requires an argument", result.err), result


def test_read_from_the_init_process(t):
    """podman e2e run_seccomp: every system call of the payload is refused, its execve too."""
    bundle = t.bundle(SLEEP, mutate={"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ERRNO"}}})
    t.fails("run", "-b", bundle.path, bundle.id, has="read from the init process")
    t.create(bundle)
    result = t.fails("start", bundle.id, has="read from the init process")
    assert t.state(bundle)["status"] == "stopped"
    assert PODMAN_STATUS[podman(result.err)[0]] == 126, result


def test_already_exists(t):
    bundle = t.bundle(SLEEP)
    t.create(bundle)
    pid = t.pid(bundle)
    for verb in (["create"], ["run"]):
        t.fails(*verb, "-b", bundle.path, bundle.id, has="already exists")
    assert t.state(bundle)["status"] == "created" and t.pid(bundle) == pid


def test_start_twice(t):
    bundle = running(t)
    t.fails("start", bundle.id, has="cannot start an already running container")


def test_unknown_flag_is_named(t):
    """podman sys 030: --runtime-flag invalidflag."""
    result = t.fails("--invalidflag", "create", "x", has="invalidflag")
    assert PODMAN_STATUS[podman(result.err)[0]] == 126, result


def test_state_has_a_space_behind_the_colon(t):
    """conmon's tests look for `status": "running"`."""
    bundle = running(t)
    assert re.search(r'status": "running"', t.rt("state", bundle.id).out)


def test_runtime_flags_of_buildah(t):
    log = t.path("flags.log")
    bundle = t.bundle()
    result = t.rt("--log=" + log, "--debug", "run", "-b", bundle.path, bundle.id)
    assert result.err == "" and os.path.getsize(log) > 0, result
    assert t.rt("--debug", "run", "-b", bundle.path, bundle.id).err


# ---- what must not be matched -------------------------------------------------------------------

def test_other_failures_are_no_missing_command(t):
    """Section 4.6: errno text in an unrelated message changes the status that the user gets."""
    cases = ({"ociVersion": "2.0.0"}, {"process": {"cwd": "relative"}},
             {"process": {"noNewPrivileges": "yes"}},
             {"hooks": {"createRuntime": [{"path": "/bin/false"}]}},
             {"annotations": {"run.oci.handler": "no-such-handler"}},
             {"mounts": [{"destination": "/x", "type": "nosuchfs", "source": "x"}]})
    for change in cases:
        bundle = t.bundle(mutate=change)
        result = t.fails("create", "-b", bundle.path, bundle.id)
        assert podman(result.err)[0] == "OCI runtime error", (change, result)
        assert dockerd(result.err) == 128, (change, result)


def test_hook_that_fails_is_named_with_its_status(t):
    bundle = t.bundle(mutate={"hooks": {"createRuntime": [
        {"path": "/bin/sh", "args": ["sh", "-c", "exit 7"]}]}})
    result = t.fails("create", "-b", bundle.path, bundle.id, has=["/bin/sh", "7"])
    assert podman(result.err)[0] == "OCI runtime error", result
