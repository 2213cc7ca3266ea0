#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""crun validate: all findings at once, where they are, and the same that create finds.

usage: check_validate.py [CRUN]
"""

import copy
import json
import os
import shutil
import subprocess
import sys
import tempfile

CRUN = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else
                       os.path.join(os.environ.get("top_builddir", "."), "crun"))
GOOD = {
    "ociVersion": "1.2.0", "root": {"path": "rootfs"},
    "process": {"cwd": "/", "args": ["sh"], "terminal": True},
    "linux": {"namespaces": [{"type": "mount"}, {"type": "user"}, {"type": "pid"}],
              "uidMappings": [{"containerID": 0, "hostID": os.geteuid(), "size": 1}],
              "gidMappings": [{"containerID": 0, "hostID": os.getegid(), "size": 1}]},
}


class Bundle:
    def __init__(self, path):
        self.path = path
        os.mkdir(os.path.join(path, "rootfs"))

    def write(self, conf):
        with open(os.path.join(self.path, "config.json"), "w", encoding="utf-8") as out:
            out.write(conf if isinstance(conf, str) else json.dumps(conf, indent=1))

    def crun(self, *args):
        return subprocess.run([CRUN, "--root", os.path.join(self.path, "state"), *args],
                              check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, universal_newlines=True, timeout=60)

    def validate(self, conf=None):
        if conf is not None:
            self.write(conf)
        done = self.crun("validate", "--bundle", self.path, "--format", "json")
        assert done.stderr == "", done
        found = json.loads(done.stdout)
        errors = [f for f in found["findings"] if f["level"] == "error"]
        assert found["valid"] is (not errors) and done.returncode == bool(errors), done
        assert all(f["message"] and f["rule"] and f["fix"] for f in found["findings"]), found
        return found["findings"]


def changed(**parts):
    """GOOD with members added to the objects that the arguments name; None takes one away."""
    conf = copy.deepcopy(GOOD)
    for name, value in parts.items():
        place = conf if name == "top" else conf[name]
        place.update(value)
        for key in [k for k, v in place.items() if v is None]:
            del place[key]
    return conf


def pointers(findings, level="error"):
    return [f["pointer"] for f in findings if f["level"] == level]


# One fault each, and where it is.
FAULTS = [
    (changed(process={"cwd": "tmp"}), "/process/cwd"),
    (changed(process={"args": []}), "/process/args"),
    (changed(process={"env": ["A=1", "B"]}), "/process/env/1"),
    (changed(process={"user": {"uid": 7}}), "/process/user/uid"),
    (changed(process={"rlimits": [{"type": "RLIMIT_X", "soft": 1, "hard": 1}]}),
     "/process/rlimits/0/type"),
    (changed(top={"hostname": "x"}), "/hostname"),
    (changed(top={"process": None}), "/process"),
    (changed(top={"root": None}), "/root"),
    (changed(top={"ociVersion": "3.0.0"}), "/ociVersion"),
    (changed(linux={"uidMappings": None}), "/linux/uidMappings"),
    (changed(linux={"namespaces": GOOD["linux"]["namespaces"] + [{"type": "pid"}]}),
     "/linux/namespaces/3"),
    (changed(linux={"namespaces": GOOD["linux"]["namespaces"][1:], "maskedPaths": ["/proc"]}),
     "/linux/maskedPaths"),
    (changed(linux={"sysctl": {"kernel.panic": "1"}}), "/linux/sysctl/kernel.panic"),
    (changed(linux={"timeOffsets": {"boottime": {"secs": 1}}}), "/linux/timeOffsets"),
    (changed(linux={"resources": {"cpu": {"idle": 7}}}), "/linux/resources/cpu/idle"),
    (changed(linux={"personality": {"domain": "LINUX", "flags": ["X"]}}),
     "/linux/personality/flags/0"),
    (changed(top={"mounts": [{"destination": "/x", "type": "tmpfs", "options": ["tmpcopyup", "="]}]}),
     "/mounts/0/options/1"),
    (changed(top={"hooks": {"poststop": [{"path": "x"}]}}), "/hooks/poststop/0/path"),
    (changed(linux={"seccomp": {"defaultAction": "SCMP_ACT_ALLOW",
                                "syscalls": [{"names": [], "action": "SCMP_ACT_LOG"}]}}),
     "/linux/seccomp/syscalls/0/names"),
]


def test_what_the_example_has_is_in_order(here):
    done = here.crun("spec", "--rootless", "--bundle", here.path)
    assert done.returncode == 0, done
    found = here.validate()
    assert pointers(found) == [], found


def test_each_fault_is_found_and_create_says_the_same(here):
    assert pointers(here.validate(GOOD)) == []
    for conf, where in FAULTS:
        found = here.validate(conf)
        assert pointers(found) == [where], (where, found)
        said = here.crun("create", "--bundle", here.path, "validate").stderr
        message = [f for f in found if f["level"] == "error"][0]["message"]
        assert message in said and where in said, (message, said)


def test_all_faults_are_found_at_once(here):
    conf = copy.deepcopy(GOOD)
    conf["process"].update(cwd="tmp", args=[], env=["A", "B=1", "C", "=d"])
    conf["process"]["rlimits"] = [{"type": "RLIMIT_X", "soft": 1, "hard": 1},
                                  {"type": "RLIMIT_CORE", "soft": "x", "hard": 1},
                                  {"type": "RLIMIT_CORE", "soft": 2, "hard": 1}]
    conf["mounts"] = [{"destination": "/a", "type": "tmpfs"}, {"type": "tmpfs"},
                      {"destination": "/c", "type": "bind", "source": "/no/such"},
                      {"destination": "/d", "type": 4}]
    conf["hostname"] = "x"
    conf["root"]["path"] = "nowhere"
    conf["linux"]["sysctl"] = {"net.ipv4.ip_forward": "1", "kernel.panic": "1"}
    conf["linux"]["namespaces"].append({"type": "usr"})
    found = here.validate(conf)
    want = {"/process/cwd", "/process/args", "/process/env/0", "/process/env/2", "/process/env/3",
            "/process/rlimits/0/type", "/process/rlimits/1/soft", "/process/rlimits/2/soft",
            "/mounts/1", "/mounts/2/source", "/mounts/3/type", "/hostname", "/root/path",
            "/linux/sysctl/net.ipv4.ip_forward", "/linux/sysctl/kernel.panic",
            "/linux/namespaces/3/type"}
    assert set(pointers(found)) == want and len(pointers(found)) == len(want), \
        sorted(set(pointers(found)) ^ want)
    lines = open(os.path.join(here.path, "config.json"), encoding="utf-8").read().split("\n")
    for finding in found:
        text = lines[finding["line"] - 1][finding["column"] - 1:]
        if finding["pointer"] == "/process/env/2":
            assert text.startswith('"C"'), (finding, text)
        if finding["pointer"] == "/linux/sysctl/kernel.panic":
            assert text.startswith('"1"'), (finding, text)


def test_one_cause_is_one_finding(here):
    conf = changed(linux={"namespaces": [{"type": "user"}, {"type": "pid"}]},
                   top={"mounts": [{"destination": d, "type": "tmpfs"} for d in ("/a", "/b", "/c")]})
    assert pointers(here.validate(conf)) == ["/mounts/0"]


def test_warnings_are_no_errors(here):
    conf = changed(process={"capabilities": {"bounding": ["CAP_KILL", "CAP_NOPE"]}},
                   top={"mounts": [{"destination": "/x", "type": "nofs"}]},
                   linux={"resources": {"memory": {"kernel": 4096}}})
    found = here.validate(conf)
    assert set(pointers(found, "warning")) == {"/process/capabilities/bounding/1", "/mounts/0/type",
                                               "/linux/resources/memory"}, found
    assert pointers(found) == []
    conf = changed(linux={"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["mkdir", "nope"], "action": "SCMP_ACT_ERRNO"}]}})
    found = here.validate(conf)
    if "built without seccomp" not in str(found):
        assert pointers(found, "warning") == ["/linux/seccomp/syscalls/0/names/1"], found


def test_what_is_no_json_is_one_error_at_its_place(here):
    for text, line in (("", 1), ("{", 1), ("{\n \"ociVersion\": \"1.0.0\",\n x}", 3), ("[]", 1), ("{}}", 1)):
        found = here.validate(text)
        assert len(pointers(found)) == 1 and found[0]["line"] == line, (text, found)


def mounted_or_listed(controller):
    """Whether this host has a cgroup controller, of either version."""
    top = "/sys/fs/cgroup"
    for path in (f"{top}/cgroup.controllers", f"{top}/unified/cgroup.controllers"):
        if os.path.exists(path):
            with open(path, encoding="ascii") as source:
                if controller in source.read().split():
                    return True
    return os.path.isdir(f"{top}/{controller}")


def test_what_this_host_lacks_is_found(here):
    conf = copy.deepcopy(GOOD)
    conf["linux"]["resources"] = {"rdma": {"x": {"hcaHandles": 3}}, "network": {"classID": 5},
                                  "pids": {"limit": 5},
                                  "hugepageLimits": [{"pageSize": "3MB", "limit": 5}]}
    want = {"/linux/resources/hugepageLimits/0/pageSize"}
    for controller, pointer in (("rdma", "/linux/resources/rdma"), ("pids", "/linux/resources/pids"),
                                ("net_cls", "/linux/resources/network"),
                                ("hugetlb", "/linux/resources/hugepageLimits")):
        if not mounted_or_listed(controller):
            want.add(pointer)
    found = here.validate(conf)
    assert set(pointers(found)) in (want, want - {"/linux/resources/hugepageLimits/0/pageSize"}), found
    for finding in found:
        if finding["pointer"] in ("/linux/resources/rdma", "/linux/resources/network"):
            assert "/sys/fs/cgroup" in finding["message"], finding


def test_file_systems_that_cannot_be_idmapped_are_found(here):
    ids = [{"containerID": 0, "hostID": 100000, "size": 10}]
    conf = copy.deepcopy(GOOD)
    conf["linux"] = {"namespaces": [{"type": "mount"}, {"type": "pid"}]}
    conf["mounts"] = [
        dict({"destination": d, "uidMappings": ids, "gidMappings": ids}, **more) for d, more in (
            ("/a", {"type": "bind", "source": "/sys", "options": ["bind", "idmap"]}),
            ("/b", {"type": "ramfs", "options": ["idmap"]}))]
    with open("/proc/self/mountinfo", encoding="utf-8") as source:
        before = source.read()
    found = here.validate(conf)
    if os.geteuid() == 0:
        assert pointers(found) == ["/mounts/0", "/mounts/1"], found
        assert "the sysfs file system at `/sys` cannot be idmapped" in found[0]["message"], found
    else:
        assert pointers(found, "warning") and "could not be tried" in found[0]["message"], found
    with open("/proc/self/mountinfo", encoding="utf-8") as source:
        assert source.read() == before


def test_more_than_a_person_reads_are_counted(here):
    conf = changed(process={"env": [f"V{i}" for i in range(300)]})
    here.write(conf)
    done = here.crun("validate", "--bundle", here.path, "--format", "json")
    found = json.loads(done.stdout)
    assert (len(found["findings"]), found["errors"], found["notShown"]) == (256, 300, 44), done
    done = here.crun("validate", "--bundle", here.path)
    assert done.stdout.endswith("44 more findings are not shown\n300 errors, 0 warnings\n"), done
    assert done.returncode == 1, done


def test_an_ordinary_user_learns_all_as_well(here):
    if os.geteuid() != 0:
        return   # all the others were an ordinary user's
    os.chmod(here.path, 0o755)
    program = shutil.copy(CRUN, os.path.join(here.path, "crun"))
    here.write(changed(linux={"namespaces": [{"type": "mount"}, {"type": "pid"}],
                              "uidMappings": None, "gidMappings": None},
                       process={"cwd": "tmp"}, top={"hostname": "x"}))

    def become_nobody():
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    done = subprocess.run([program, "validate", "-b", here.path, "--format", "json"], check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=60,
                          stderr=subprocess.PIPE, preexec_fn=become_nobody)
    assert done.returncode == 1 and done.stderr == b"", done
    found = json.loads(done.stdout)["findings"]
    assert set(pointers(found)) == {"", "/process/cwd", "/hostname"}, found
    assert "needs a user namespace" in str(found), found


def test_text_is_for_people(here):
    here.write(changed(process={"cwd": "tmp"}))
    done = here.crun("validate", "-b", here.path)
    assert done.returncode == 1 and done.stderr == "", done
    first, rule, fix, last = done.stdout.splitlines()
    assert first.startswith(os.path.join(here.path, "config.json") + ":"), first
    assert ": error: /process/cwd: process.cwd `tmp` must be an absolute path" in first
    assert rule.startswith("    rule: config.md#process") and fix.startswith("    fix: ")
    assert last == "1 errors, 0 warnings"
    other = os.path.join(here.path, "other.json")
    os.rename(os.path.join(here.path, "config.json"), other)
    assert here.crun("validate", "-b", here.path, "-f", other).stdout.startswith(other + ":")


def test_what_cannot_be_read_is_a_failure_and_no_finding(here):
    done = here.crun("validate", "-b", here.path)
    assert done.returncode == 1 and done.stdout == "" and "config.json" in done.stderr, done
    done = here.crun("validate", "-b", here.path + "/none")
    assert done.returncode == 1 and done.stdout == "" and "/none" in done.stderr, done


def test_names_from_the_configuration_stay_on_their_line(here):
    evil = "/x\n0 errors, 0 warnings\x1b[2J\u009b31m\x7f"
    here.write(changed(top={"mounts": [{"destination": "/a", "type": "bind", "source": evil},
                                       {"destination": "/b", "type": evil}]},
                       process={"env": [evil]}, linux={"sysctl": {evil: "1"}}))
    done = here.crun("validate", "--bundle", here.path)
    assert done.returncode == 1, done
    assert done.stdout.splitlines()[-1].startswith("3 errors, "), done
    assert not [c for c in done.stdout if c != "\n" and (c < " " or "\x7f" <= c < "\xa0")], done
    assert done.stdout.count("\n0 errors") == 0, done


def test_many_warnings_hide_no_error(here):
    many = ["CAP_NO_%d" % i for i in range(2100)]
    found = here.validate(changed(process={"capabilities": {"bounding": many}},
                                  top={"mounts": [{"destination": "/c", "type": "bind",
                                                   "source": "/no/such"}]}))
    assert len(pointers(found, "warning")) > 100, len(found)
    done = here.crun("validate", "--bundle", here.path)
    assert done.returncode == 1 and " 1 errors, 2047 warnings" in " " + done.stdout.splitlines()[-1]


def test_nothing_is_made(here):
    here.validate(GOOD)
    assert sorted(os.listdir(here.path)) == ["config.json", "rootfs"]


def main():
    failed = 0
    tests = [(n, f) for n, f in globals().items() if n.startswith("test_")]
    for number, (name, test) in enumerate(tests, 1):
        with tempfile.TemporaryDirectory(prefix="crun-test-") as path:
            try:
                test(Bundle(os.path.realpath(path)))
                print("ok %d %s" % (number, name))
            except AssertionError as error:
                failed += 1
                print("not ok %d %s\n# %s" % (number, name, error))
    print("1..%d" % len(tests))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
