#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the program does without any container: its documents, its log, and how it treats its caller.

usage: check_program.py [CRUN]
"""

import ctypes
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile

CRUN = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else
                       os.path.join(os.environ.get("top_builddir", "."), "crun"))


class Skip(Exception):
    pass


def crun(*args, **kwargs):
    argv = kwargs.pop("argv", [CRUN])
    return subprocess.run([*argv, *args], check=False, stdout=kwargs.pop("stdout", subprocess.PIPE),
                          stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                          universal_newlines=True, **kwargs)


def good(*args, **kwargs):
    done = crun(*args, **kwargs)
    assert done.returncode == 0 and done.stderr == "", done
    return done.stdout


def bad(*args, status=1, code=None, **kwargs):
    done = crun(*args, **kwargs)
    lines = done.stderr.splitlines()
    assert done.returncode == status and len(lines) == 2, done
    assert lines[0].startswith("crun: ") and lines[1].startswith("crun: error code "), done
    code = "USAGE" if status == 64 else code
    assert not code or lines[1].endswith(" " + code), done
    return lines[0] + "\n"


def test_version(_):
    lines = good("--version").splitlines()
    assert re.match(r"^crun version \S+$", lines[0]) and lines[1].startswith("commit: "), lines
    assert lines[2] == "spec: 1.3.0" and all(w[0] in "+-" for w in lines[3].split()), lines
    assert sum("version" in line for line in lines) == 1, lines


def test_features_are_the_documents_and_agree_with_the_version(_):
    doc = json.loads(good("features"))
    words = good("--version").splitlines()[3].split()
    assert doc["ociVersionMin"] == "1.0.0" and doc["ociVersionMax"] == "1.3.0"
    assert doc["hooks"] == ["prestart", "createRuntime", "createContainer", "startContainer",
                            "poststart", "poststop"]
    assert {"rro", "rbind", "nosuid", "rprivate", "tmpcopyup"} <= set(doc["mountOptions"])
    linux = doc["linux"]
    assert set(linux["namespaces"]) == {"cgroup", "ipc", "mount", "network", "pid", "user", "uts",
                                        "time"}
    assert len(linux["capabilities"]) == len(set(linux["capabilities"])) >= 41
    assert all(name.startswith("CAP_") for name in linux["capabilities"])
    assert linux["seccomp"]["enabled"] == ("+SECCOMP" in words)
    assert linux["cgroup"]["systemd"] == ("+SYSTEMD" in words)
    assert linux["selinux"]["enabled"] == ("+SELINUX" in words)
    assert ("idmap" in doc["mountOptions"]) == linux["mountExtensions"]["idmap"]["enabled"]
    if linux["seccomp"]["enabled"]:
        assert "SCMP_ACT_ERRNO" in linux["seccomp"]["actions"]
        assert "SCMP_ARCH_X86_64" in linux["seccomp"]["archs"]
        assert "SCMP_CMP_MASKED_EQ" in linux["seccomp"]["operators"]
    assert all(isinstance(v, str) for v in doc["annotations"].values())


def test_spec(here):
    assert good("spec", cwd=here) == ""
    with open(os.path.join(here, "config.json"), encoding="utf-8") as source:
        doc = json.load(source)
    caps = doc["process"]["capabilities"]
    assert doc["process"]["terminal"] is True and doc["process"]["args"] == ["sh"]
    assert set(caps) == {"bounding", "effective", "permitted"}, caps
    assert {n["type"] for n in doc["linux"]["namespaces"]} == {"pid", "network", "ipc", "uts",
                                                               "mount", "cgroup"}
    assert [m["destination"] for m in doc["mounts"]] == \
        ["/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys", "/sys/fs/cgroup"]
    assert doc["root"] == {"path": "rootfs", "readonly": True}


def test_spec_for_an_unprivileged_user(here):
    good("spec", "--rootless", "--bundle", here, "--file", "other.json")
    with open(os.path.join(here, "other.json"), encoding="utf-8") as source:
        doc = json.load(source)
    linux = doc["linux"]
    assert linux["uidMappings"] == [{"containerID": 0, "hostID": os.geteuid(), "size": 1}]
    assert linux["gidMappings"] == [{"containerID": 0, "hostID": os.getegid(), "size": 1}]
    kinds = {n["type"] for n in linux["namespaces"]}
    assert "user" in kinds and "network" not in kinds
    assert not [o for m in doc["mounts"] for o in m.get("options", []) if o.startswith("gid=")]
    assert [m["options"][0] for m in doc["mounts"] if m["destination"] == "/sys"] == ["rbind"]


def test_spec_to_stdout(here):
    assert json.loads(good("spec", "-f", "-", cwd=here))["ociVersion"] == "1.3.0"
    assert os.listdir(here) == []


def test_spec_does_not_overwrite(here):
    path = os.path.join(here, "config.json")
    with open(path, "w", encoding="utf-8") as out:
        out.write("mine")
    assert "`config.json` exists already" in bad("spec", "-b", here)
    with open(path, encoding="utf-8") as source:
        assert source.read() == "mine"
    os.remove(path)
    os.symlink("target", path)
    bad("spec", "-b", here)
    assert os.listdir(here) == ["config.json"]


def test_a_missing_bundle_is_named(here):
    assert "/missing`: No such file" in bad("spec", "-b", here + "/missing")


def test_a_full_disk_is_a_failure(_):
    with open("/dev/full", "w", encoding="utf-8") as full:
        for args in (["features"], ["--version"], ["--help"], ["spec", "-f", "-"]):
            assert "No space left on device" in bad(*args, stdout=full), args


def test_a_reader_that_is_gone_is_a_failure_and_not_a_signal(_):
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        assert "Broken pipe" in bad("features", stdout=write_end)
    finally:
        os.close(write_end)


def test_usage_errors(_):
    for args in (["--nope"], [], ["nope"], ["spec", "extra"], ["kill", "x", "NOPE"],
                 ["kill", "--regex", "["], ["create"], ["list", "--format", "xml"]):
        assert "--help`" in bad(*args, status=64), args
    assert "requires an argument" in bad("--root", status=64)


def test_commands_that_engines_probe_for_fail_until_they_exist(_):
    text = good("--help")
    for name in ("checkpoint", "restore"):
        if "  %s " % name not in text:
            assert name in bad(name, "--help")


def test_the_log_is_there_whatever_is_wrong_behind_it(here):
    for number, args in enumerate((["--nope", "list"], ["nope"], ["--log-level", "loud", "list"],
                                   ["spec", "extra"], [])):
        path = os.path.join(here, str(number))
        text = bad("--log", path, "--log-format=json", *args, status=64)
        with open(path, encoding="utf-8") as source:
            entry = json.loads(source.read())
        assert entry["level"] == "error" and "crun: " + entry["msg"] + "\n" == text, (entry, text)
        assert re.match(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$", entry["time"]), entry


def test_log_options_behind_a_mistake_count(here):
    path = os.path.join(here, "log")
    bad("--nope", "--log", path, "list", status=64)
    assert os.path.getsize(path) > 0


def test_regular_expressions_select_containers(here):
    # Containers whose creation was cut off before anything was recorded: empty directories.
    ids = ["a-1", "a-2", "b-1", "xa-3"]
    for name in ids:
        os.mkdir(os.path.join(here, name))
    assert good("--root", here, "list", "-q").split() == ids
    good("--root", here, "delete", "--force", "--regex", "zz")
    assert "no container matches `zz`" in bad("--root", here, "kill", "--regex", "zz")
    assert "`a-1` " in bad("--root", here, "kill", "-r", "^a-[0-9]$", "KILL")
    good("--root", here, "delete", "-f", "-r", "^a-[0-9]$")
    assert sorted(os.listdir(here)) == ["b-1", "xa-3"]
    good("--root", here, "delete", "-fr", "a-3|b")
    assert os.listdir(here) == []


def test_a_log_that_nobody_reads_does_not_hang(here):
    path = os.path.join(here, "fifo")
    os.mkfifo(path)
    assert "open the log `%s`" % path in bad("--log", path, "features", timeout=60)


def closing(*fds):
    """A command line that starts crun with these descriptors closed."""
    script = "import os, sys; [os.close(fd) for fd in map(int, sys.argv[1].split(','))]; " \
        "os.execv(sys.argv[2], sys.argv[2:])"
    return [sys.executable, "-c", script, ",".join(map(str, fds)), CRUN]


def test_closed_standard_descriptors_are_held(here):
    # Without that the log would become descriptor 2, and the message would be in it twice.
    path = os.path.join(here, "log")
    done = crun("--log", path, "kill", "x", "NOPE", argv=closing(0, 1, 2))
    assert done.returncode == 64 and done.stderr == "", done
    with open(path, encoding="utf-8") as source:
        assert len(source.read().splitlines()) == 1


def test_a_setuid_copy_refuses_to_run(here):
    if os.geteuid() != 0:
        raise Skip("only root can make a copy that belongs to root")
    if os.statvfs(here).f_flag & os.ST_NOSUID:
        raise Skip("the temporary directory is mounted nosuid")
    copy = os.path.join(here, "crun-setuid")
    shutil.copy(CRUN, copy)
    os.chmod(here, 0o755)
    os.chmod(copy, 0o4755)

    def drop():
        os.setgid(65534)
        os.setuid(65534)

    assert "setuid" in bad("--version", code="BORROWED_RIGHTS", argv=[copy], preexec_fn=drop)
    os.chmod(copy, 0o755)
    good("--version", argv=[copy], preexec_fn=drop)


def test_the_journal_gets_one_datagram(here):
    # The journal's address is fixed: take its place in a mount namespace of our own.
    if os.geteuid() != 0 or not os.path.isdir("/run"):
        raise Skip("needs root for a mount namespace")
    pid = os.fork()
    if pid:
        status = os.WEXITSTATUS(os.waitpid(pid, 0)[1])
        if status == 77:
            raise Skip("no mount namespace with a tmpfs may be made here")
        assert status == 0, "see above"
        return
    status = 1
    try:
        status = journal_child(here)
    except AssertionError as failure:
        print("#", failure)
    finally:
        os._exit(status)


def journal_child(here):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x00020000) or \
            libc.mount(b"none", b"/", None, 0x4000 | 0x40000, None) or \
            libc.mount(b"tmpfs", b"/run", b"tmpfs", 0, None):
        return 77
    os.makedirs("/run/systemd/journal")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind("/run/systemd/journal/socket")
        journal.settimeout(60)
        bad("--log=journald:some-id", "nope", status=64, cwd=here)
        fields = journal.recv(65536).decode().splitlines()
    assert "PRIORITY=3" in fields and "SYSLOG_IDENTIFIER=some-id" in fields, fields
    assert any(f.startswith("MESSAGE=unknown command `nope`") for f in fields), fields
    return 0


def main():
    tests = [(n, f) for n, f in sorted(globals().items()) if n.startswith("test_")]
    failed = 0
    for number, (name, function) in enumerate(tests, 1):
        outcome, note = "ok", ""
        with tempfile.TemporaryDirectory(prefix="crun-cli-") as here:
            try:
                function(here)
            except Skip as reason:
                note = " # SKIP %s" % reason
            except (AssertionError, ValueError, OSError) as failure:
                outcome = "not ok"
                failed += 1
                print("# %s: %s" % (type(failure).__name__, str(failure).replace("\n", "\n# ")))
        print("%s %d %s%s" % (outcome, number, name[len("test_"):], note), flush=True)
    print("1..%d" % len(tests))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
