# SPDX-License-Identifier: Apache-2.0
"""AppArmor profiles and SELinux labels in force: for hosts whose kernel has one of them switched on."""

import json
import os
import shutil
import subprocess

from harness import flavors

LABEL = "system_u:system_r:container_t:s0:c1,c2"
FILES = "system_u:object_r:container_file_t:s0:c1,c2"
FOREIGN = "system_u:object_r:container_file_t:s0:c3"
PROFILE = """
profile %s flags=(attach_disconnected,mediate_deleted) {
  file,
  capability,
  network,
  mount,
  umount,
  pivot_root,
  signal,
  ptrace,
  unix,
  deny /**/secret rw,
  deny /secret rw,
  deny mount fstype=tmpfs,
}
"""


def read(path):
    with open(path, encoding="ascii") as source:
        return source.read().strip("\0\n")


@flavors("root", "rootless")
def test_label_for_a_module_that_is_not_there_is_refused(t):
    running = t.bundle("sleep 1000")
    t.create(running)
    t.start(running)
    asked = (("apparmorProfile", "docker-default", "--apparmor", "AppArmor",
              "/sys/kernel/security/apparmor"),
             ("selinuxLabel", LABEL, "--process-label", "SELinux", "/sys/fs/selinux/enforce"))
    for field, value, option, module, sign in asked:
        if os.path.exists(sign):
            continue
        bundle = t.bundle("true", mutate={"process": {field: value}})
        result = t.fails("create", "-b", bundle.path, bundle.id,
                         has=f"/process/{field}: ")
        assert f"{module} is not enabled on this host" in result.err, result
        t.assert_no_trace(bundle)
        result = t.fails("exec", option, value, running.id, "/bin/true", has="not enabled")
        assert module in result.err, result
    bundle = t.bundle("echo ran", mutate={"process": {"apparmorProfile": "unconfined"}})
    assert t.run_container(bundle).out == "ran\n"


# ---- AppArmor -------------------------------------------------------------------------------


def profile(t, text=PROFILE):
    """Name of a profile that is loaded for this test and gone after it, with `with`."""
    switch = "/sys/module/apparmor/parameters/enabled"
    if not os.path.exists(switch) or read(switch) != "Y":
        t.skip("AppArmor is not switched on")
    if not os.path.exists("/sys/kernel/security/apparmor/.load"):
        t.skip("securityfs is not mounted, or we may not load profiles")
    if not shutil.which("apparmor_parser"):
        t.skip("apparmor_parser is not installed")
    return Loaded(t, t.prefix + "-profile", text)


class Loaded:
    def __init__(self, t, name, text):
        self.t, self.name, self.text = t, name, text

    def parser(self, option):
        path = self.t.file("profile", self.text % self.name)
        subprocess.run(["apparmor_parser", "--skip-cache", option, path], check=True)

    def __enter__(self):
        self.parser("--replace")
        return self.name

    def __exit__(self, *_what):
        self.parser("--remove")


def confined(t, name, args):
    bundle = t.bundle(args, own_rootfs=True, mutate={"process": {"apparmorProfile": name}})
    t.file(os.path.join(bundle.rootfs, "secret"), "hidden\n")
    return bundle


def test_apparmor_profile_is_in_force(t):
    with profile(t) as name:
        script = ["sh", "-c", "cat /proc/self/attr/current; cat /secret"]
        result = t.run_container(confined(t, name, script), check=False)
        assert result.out == f"{name} (enforce)\n", result
        assert "Permission denied" in result.err, result
        result = t.run_container(confined(t, None, script))
        assert result.out.endswith("hidden\n") and name not in result.out, result


def test_apparmor_profile_comes_before_the_payload_without_new_privileges_too(t):
    with profile(t) as name:
        for value in (True, False):
            bundle = confined(t, name, ["cat", "/proc/self/attr/current"])
            bundle.config["process"]["noNewPrivileges"] = value
            bundle.save()
            assert t.run_container(bundle).out == f"{name} (enforce)\n", value


def test_apparmor_does_not_confine_what_the_runtime_does_itself(t):
    with profile(t) as name:
        bundle = confined(t, name, ["true"])
        bundle.config["mounts"].append({"destination": "/tmp", "type": "tmpfs",
                                        "source": "tmpfs"})
        bundle.save()
        t.create(bundle)
        assert t.state(bundle)["status"] == "created"
        t.start(bundle)
        t.wait_status(bundle, "stopped")


def test_apparmor_profile_that_is_not_loaded_fails_create(t):
    with profile(t):
        bundle = confined(t, "crun-test-no-such-profile", ["true"])
        t.fails("create", "-b", bundle.path, bundle.id,
                has=["crun-test-no-such-profile", "/process/apparmorProfile"], code="LSM_LABEL")
        t.assert_no_trace(bundle)


def test_apparmor_profile_that_forbids_our_signals(t):
    """moby#47749: a container whose profile takes no signals from us could not be stopped."""
    with profile(t, PROFILE.replace("  signal,\n", "")) as name:
        bundle = confined(t, name, ["sleep", "1000"])
        t.run_container(bundle, "--detach")
        for opts in ([], ["--all"]):
            result = t.fails("kill", *opts, bundle.id, "TERM", has=[
                "the label of crun is `unconfined`", f"is `{name} (enforce)`"])
            assert result.err.endswith("Permission denied\n"), result
        dirs = t.cgroup_dirs(bundle).values()
        kills = any(os.path.exists(f"{path}/cgroup.kill") for path in dirs)
        if kills:
            t.kill(bundle, "KILL")
            t.wait_status(bundle, "stopped")
            t.delete(bundle)
            t.assert_no_trace(bundle)
        else:
            t.fails("kill", bundle.id, "KILL", has="the label of crun is `unconfined`")
    if not kills:
        t.kill(bundle, "KILL")


def process_file(t, **members):
    return t.file("process.json", json.dumps(dict({
        "cwd": "/", "user": {"uid": 0, "gid": 0}, "env": ["PATH=/bin"]}, **members)))


def test_exec_takes_the_apparmor_profile_that_it_is_given(t):
    script = ["sh", "-c", "cat /proc/self/attr/current; cat /secret"]
    with profile(t) as name:
        bundle = confined(t, None, ["sleep", "1000"])
        t.run_container(bundle, "--detach")
        path = process_file(t, args=script, apparmorProfile=name)
        for args in (["--apparmor", name, bundle.id, *script], ["--process", path, bundle.id]):
            result = t.rt("exec", *args, check=False)
            assert result.out == f"{name} (enforce)\n", result
            assert "Permission denied" in result.err, result
        result = t.rt("exec", bundle.id, *script)
        assert result.out.endswith("hidden\n") and name not in result.out, result
        t.fails("exec", "--apparmor", "crun-test-no-such-profile", bundle.id, "true",
                has="crun-test-no-such-profile", code="LSM_LABEL")
        # The container's own, unless another is named.
        bundle = confined(t, name, ["sleep", "1000"])
        t.run_container(bundle, "--detach")
        result = t.rt("exec", bundle.id, *script, check=False)
        assert result.out == f"{name} (enforce)\n" and "hidden" not in result.out, result


# ---- SELinux --------------------------------------------------------------------------------


def enforcing(t):
    if not os.path.exists("/sys/fs/selinux/enforce") or read("/sys/fs/selinux/enforce") != "1":
        t.skip("SELinux is not enforcing")
    try:
        with open("/sys/fs/selinux/context", "wb", 0) as check:
            check.write(LABEL.encode() + b"\0")
    except OSError:
        t.skip("the policy has no container_t")


def labelled(t, args, label=LABEL, **process):
    """A bundle whose files have the container's label; one file is of another container's."""
    bundle = t.bundle(args, own_rootfs=True, mutate={
        "process": dict(process, selinuxLabel=label), "linux": {"mountLabel": FILES}})
    t.file(os.path.join(bundle.rootfs, "foreign"), "hidden\n")
    for here, dirs, files in os.walk(bundle.rootfs):
        for name in [here] + [os.path.join(here, n) for n in dirs + files]:
            text = FOREIGN if name.endswith("/foreign") else FILES
            os.setxattr(name, "security.selinux", text.encode() + b"\0", follow_symlinks=False)
    return bundle


def piped(t, bundle):
    """stdout and stderr through pipes: a file of the host is closed to the container."""
    child = t.popen("run", "--bundle", bundle.path, bundle.id, stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE, text=True)
    out, err = child.communicate(timeout=100)
    return out.replace("\0", "\n").split("\n"), err


def test_selinux_label_is_in_force(t):
    enforcing(t)
    script = ["sh", "-c", "cat /proc/self/attr/current; echo; cat /foreign"]
    out, err = piped(t, labelled(t, script))
    assert out[0] == LABEL and "hidden" not in out, out
    assert "Permission denied" in err, err
    bundle = labelled(t, script)
    bundle.config["process"].pop("selinuxLabel")
    bundle.config["linux"].pop("mountLabel")
    bundle.save()
    out, err = piped(t, bundle)
    assert "hidden" in out and LABEL not in out, (out, err)


def test_selinux_label_does_not_depend_on_new_privileges(t):
    enforcing(t)
    for value in (True, False):
        bundle = labelled(t, ["cat", "/proc/self/attr/current"], noNewPrivileges=value)
        assert piped(t, bundle)[0][0] == LABEL, value


def test_selinux_mount_label_is_on_what_is_mounted(t):
    enforcing(t)
    bundle = labelled(t, ["sleep", "1000"])
    t.create(bundle)
    t.start(bundle)
    root = f"/proc/{t.pid(bundle)}/root"
    for name in ("/dev", "/dev/shm"):
        found = os.getxattr(root + name, "security.selinux").rstrip(b"\0").decode()
        assert found == FILES, (name, found)
    with open(f"/proc/{t.pid(bundle)}/attr/current", encoding="ascii") as source:
        assert source.read().strip("\0\n") == LABEL


def test_selinux_label_that_the_policy_does_not_know_fails_create(t):
    enforcing(t)
    bundle = labelled(t, ["true"], label="system_u:system_r:no_such_type_t:s0")
    t.fails("create", "-b", bundle.path, bundle.id, has=["no_such_type_t", "/process/selinuxLabel"])
    t.assert_no_trace(bundle)


def test_exec_takes_the_selinux_label_that_it_is_given(t):
    def label_of(*args):
        child = t.popen("exec", *args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        out, err = child.communicate(timeout=100)
        return out.strip("\0\n") or err

    enforcing(t)
    command = ["cat", "/proc/self/attr/current"]
    bundle = labelled(t, ["sleep", "1000"])
    bundle.config["process"].pop("selinuxLabel")
    bundle.save()
    t.create(bundle)
    t.start(bundle)
    path = process_file(t, args=command, selinuxLabel=LABEL)
    assert label_of("--process-label", LABEL, bundle.id, *command) == LABEL
    assert label_of("--process", path, bundle.id) == LABEL
    assert LABEL not in label_of(bundle.id, *command)
    t.fails("exec", "--process-label", "system_u:system_r:no_such_type_t:s0", bundle.id, "true",
            has="no_such_type_t", code="LSM_LABEL")
    # The container's own, unless another is named.
    bundle = labelled(t, ["sleep", "1000"])
    t.create(bundle)
    t.start(bundle)
    assert label_of(bundle.id, *command) == LABEL
