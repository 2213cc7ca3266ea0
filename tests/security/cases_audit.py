# SPDX-License-Identifier: Apache-2.0
"""R7: the state in which the container's program is started, told by itself."""

import os
import re
import shutil

import host
from case import CAPS, PATH, case, with_userns

NUMBERS = {"CAP_AUDIT_WRITE": 29, "CAP_KILL": 5, "CAP_NET_BIND_SERVICE": 10}
AUDIT = ["/bin/probe", "audit"]


def sections(text):
    parts = re.split(r"^== (.*)\n", text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def fields(text, separator):
    return dict(line.split(separator, 1) for line in text.splitlines() if separator in line)


class Told:
    """What the probe said."""

    def __init__(self, text):
        assert "== end" in text, f"the probe did not come to its end: {text[-500:]}"
        self.parts = sections(text)
        self.process = fields(self.parts["process"], " ")
        self.status = {k: v.strip() for k, v in fields(self.parts["status"], ":").items()}
        self.mounts = {}
        for line in self.parts["mounts"].splitlines():
            if " - " in line:
                head, tail = (half.split() for half in line.split(" - ", 1))
                self.mounts[head[4]] = {"root": head[3], "options": set(head[5].split(",")),
                                        "peers": head[6:], "type": tail[0], "source": tail[1],
                                        "super": set(tail[2].split(","))}


def check_process(told, seccomp, first):
    process, status = told.process, told.status
    wanted = sum(1 << NUMBERS[name] for name in CAPS)
    for name in ("CapPrm", "CapEff", "CapBnd"):
        assert int(status[name], 16) == wanted, (name, status[name])
    for name in ("CapInh", "CapAmb"):
        assert int(status[name], 16) == 0, (name, status[name])
    assert status["NoNewPrivs"] == "1", "no_new_privs is not set"
    assert status["Seccomp"] == ("2" if seccomp else status["Seccomp"]), status["Seccomp"]
    assert set(status["Groups"].split()) <= {"0"}, status["Groups"]
    assert int(status["SigBlk"], 16) == 0, status["SigBlk"]
    assert process["fds"].split() == ["0", "1", "2"], process["fds"]
    assert process["umask"] == "022", process["umask"]
    assert process["cwd"] == "/", process["cwd"]
    assert process["dumpable"] == "1" and process["keepcaps"] == "0", process
    assert process["securebits"] == "0" and process["pdeathsig"] == "0", process
    assert process.get("ignored", "") == "", process
    if first:
        assert process["pid"] == "1" and process["sid"] == "1", process
    assert process["sid"] == process["pid"], "not a leader of its session"
    assert re.search(r"^Max open files\s+1024\s+1024", told.parts["limits"], re.M)
    assert told.parts["oom_score_adj"].strip() == "77", told.parts["oom_score_adj"]


def check_mounts(told, config, rootless):
    mounts = told.mounts
    assert "ro" in mounts["/"]["options"], "the root is not read-only"
    for entry in config["mounts"]:
        point = entry["destination"]
        if point.startswith("/sys/fs/cgroup"):
            continue
        assert point in mounts, f"{point} is not mounted"
        have = mounts[point]["options"] | mounts[point]["super"]
        wanted = {"ro", "nosuid", "nodev", "noexec"} & set(entry["options"])
        assert wanted <= have, f"{point} lacks {wanted - have}"
    for path in config["linux"]["readonlyPaths"]:
        if os.path.exists(path):
            assert path in mounts and "ro" in mounts[path]["options"], f"{path} is not read-only"
    for path in config["linux"]["maskedPaths"]:
        if os.path.exists(path):
            assert path in mounts or not os.access(path, os.R_OK), f"{path} is not masked"
    for point, entry in mounts.items():
        assert entry["type"] not in ("cgroup", "cgroup2") or "ro" in entry["options"], \
            f"cgroups can be written at {point}"
        assert not any(word.startswith("shared:") for word in entry["peers"]), \
            f"{point} propagates to the host"
        # Of the host's own file systems there is nothing but the root.
        allowed = ("proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2", "devtmpfs")
        if rootless and point.startswith("/sys"):
            continue
        assert point == "/" or entry["type"] in allowed, f"{point} is {entry}"
        assert "/canary" not in entry["root"], f"{point} is {entry}"


def check_all(c, text, config, seccomp, first=True):
    told = Told(text)
    check_process(told, seccomp, first)
    check_mounts(told, config, c.rootless)
    return told


def seccomp_profile():
    machine = {"x86_64": "SCMP_ARCH_X86_64", "aarch64": "SCMP_ARCH_AARCH64"}
    if os.uname().machine not in machine:
        return None
    return {"defaultAction": "SCMP_ACT_ALLOW", "architectures": [machine[os.uname().machine]],
            "syscalls": [{"names": ["keyctl", "add_key", "request_key", "reboot"],
                          "action": "SCMP_ACT_ERRNO"}]}


def alter(c, userns):
    def change(conf):
        conf["process"]["oomScoreAdj"] = 77
        profile = seccomp_profile()
        if profile:
            conf["linux"]["seccomp"] = profile
        if userns:
            with_userns(conf)
        os.umask(0o077)      # of the caller, and none of the container's business
    return change


def audit_everything(c, userns=False):
    adjust = int(host.read("/proc/self/oom_score_adj"))
    assert adjust <= 77, "the caller's own OOM score is above that of the case"
    bundle = c.bundle(AUDIT, alter(c, userns))
    os.umask(0o022)
    seccomp = bool(seccomp_profile())
    result = c.run(bundle, umask=0o077)
    assert result.rc == 0, result
    check_all(c, result.out, bundle.config, seccomp)
    c.rows += 1
    c.must("create", "-b", bundle.path, "--pid-file", bundle.pid_file, bundle.id, log=bundle.log)
    c.must("start", bundle.id)
    c.wait_end(c.pid(bundle))
    check_all(c, host.read(bundle.log), bundle.config, seccomp)
    c.must("delete", bundle.id)
    bundle.config["process"]["args"] = ["/bin/sleep", "1000"]
    bundle.save()
    c.start_detached(bundle)
    # Whether exec takes it from the configuration, runtimes differ in.
    result = c.must("exec", "--no-new-privs", bundle.id, *AUDIT)
    check_all(c, result.out, bundle.config, seccomp, first=False)
    c.must("delete", "--force", bundle.id)
    c.rows += 2
    c.audit()


@case("CVE-2022-29162", "CVE-2024-21626", "CVE-2023-25809", flavors=("root", "rootless"))
def final_state_of_the_process(c):
    audit_everything(c)


@case("CVE-2023-25809")
def final_state_of_the_process_in_a_user_namespace(c):
    audit_everything(c, userns=True)


@case("CVE-2023-25809", "CVE-2022-0492", flavors=("root", "rootless"))
def no_cgroup_can_be_written(c):
    """Not through a recursive bind of the host's /sys either: each of its mounts is to be read-only."""
    for bind in (False, True):
        def change(conf, bind=bind):
            if bind:
                conf["mounts"] = [m for m in conf["mounts"]
                                  if not m["destination"].startswith("/sys")]
                conf["mounts"].append({"destination": "/sys", "type": "bind", "source": "/sys",
                                       "options": ["rbind", "nosuid", "noexec", "nodev", "rro"]})
            for kind in ("bounding", "effective", "permitted"):
                conf["process"]["capabilities"][kind].append("CAP_DAC_OVERRIDE")
        name = f"{c.prefix}-intruder"
        script = f"for d in /sys/fs/cgroup /sys/fs/cgroup/*; do mkdir $d/{name} && echo ESCAPED $d; " \
                 "done 2>/dev/null; echo INSIDE"
        bundle = c.bundle(["/bin/sh", "-c", script.replace("mkdir", "/bin/busybox mkdir")], change)
        c.verdict(bundle, c.run(bundle), f"bind={bind}")
        assert not host.find_cgroups(name), host.find_cgroups(name)


@case("CVE-2022-0492")
def release_agent_of_cgroup_v1_cannot_be_written(c):
    bundle = c.bundle(["/bin/sh", "-c", "for f in /sys/fs/cgroup/*/release_agent; do "
                       "( echo /evil >$f ) 2>/dev/null && echo ESCAPED $f; done; echo INSIDE"])
    c.verdict(bundle, c.run(bundle), may_fail=False)


@case("CVE-2025-23266", "CVE-2024-0132")
def hooks_have_the_environment_that_is_theirs(c):
    """What the image sets for its program never reaches a program of the host."""
    log = c.path("hooks")
    script = f"env >>{log}; pwd >>{log}; echo UMASK $(umask) >>{log}; echo DONE >>{log}"
    hook = {"path": "/bin/sh", "args": ["sh", "-c", script]}
    kinds = ("prestart", "createRuntime", "createContainer", "poststart", "poststop")
    bundle = c.bundle(["/bin/probe", "look"], {"hooks": {kind: [hook] for kind in kinds},
                                               "process": {"env": [
                                                   "PATH=" + PATH, "LD_PRELOAD=/evil.so",
                                                   "BASH_ENV=/evil", "ENV=/evil", "EVIL=1"]}})
    c.verdict(bundle, c.run(bundle), may_fail=False)
    told = host.read(log)
    assert told.count("DONE") == len(kinds), told
    for word in ("LD_PRELOAD", "BASH_ENV", "EVIL"):
        assert word not in told, f"{word}: {told}"
    # What such a program makes on the host would be everybody's to write.
    assert "UMASK 0000" not in told, told


@case("CVE-2025-31133", flavors=("root", "rootless"))
def masked_paths_are_empty_with_every_shape_of_null(c):
    """What covers a masked file must be the real null device, wherever it comes from."""
    for kind in ("absent", "link-etc", "link-self", "char", "block", "file", "directory", "fifo"):
        if c.rootless and kind in ("char", "block"):
            continue
        def change(conf):
            conf["mounts"] = [m for m in conf["mounts"] if not m["destination"].startswith("/dev")]
            conf["linux"]["maskedPaths"] += ["/masked-file", "/masked"]
        script = "cat /masked-file; ls /masked; cat /proc/kcore | /bin/busybox wc -c; " \
                 "echo x >/masked-file; /bin/probe look"
        bundle = c.bundle(["/bin/sh", "-c", script], change)
        c.file(bundle.rootfs + "/masked-file", "SECRET\n")
        c.file(bundle.rootfs + "/masked/SECRET", "x")
        place = bundle.rootfs + "/dev/null"
        if kind.startswith("link"):
            os.symlink({"link-etc": "/etc/passwd", "link-self": "/proc/self/exe"}[kind], place)
        elif kind in ("char", "block"):
            os.mknod(place, 0o20666 if kind == "char" else 0o60666, os.makedev(1, 1 if kind ==
                                                                             "char" else 3))
        elif kind != "absent":
            {"file": lambda p: host.write(p, "SECRET\n"), "directory": os.mkdir,
             "fifo": os.mkfifo}[kind](place)
        result = c.run(bundle)
        assert "SECRET" not in result.out and "root:" not in result.out, f"{kind}: {result}"
        assert "INSIDE" not in result.out or "\n0\n" in "\n" + result.out, f"{kind}: {result}"
        c.verdict(bundle, result, kind)
        c.remove(bundle)


@case("CVE-2016-9962")
def keys_of_the_caller_are_out_of_sight(c):
    bundle = c.bundle(AUDIT)
    serial = host.LIBC.syscall({"x86_64": 250}.get(os.uname().machine, 219), 1, b"corpus", 0, 0, 0)
    result = c.run(bundle)
    assert result.rc == 0, result
    mine = host.LIBC.syscall({"x86_64": 250}.get(os.uname().machine, 219), 0, -3, 0, 0, 0)
    if serial <= 0:
        c.skip("no keyrings here")
    told = Told(result.out)
    assert told.process["keyring"] != str(mine), "the container has the caller's session keyring"
    c.audit()


@case("CVE-2015-1331", flavors=("root", "rootless"))
def state_directory_is_closed(c):
    bundle = c.bundle(["/bin/sleep", "1000"])
    c.start_detached(bundle)
    assert os.stat(c.state).st_mode & 0o077 == 0, "the state directory is open to others"
    for here, _dirs, names in os.walk(os.path.join(c.state, bundle.id)):
        assert os.stat(here).st_mode & 0o022 == 0, here
        for name in names:
            mode = os.lstat(os.path.join(here, name)).st_mode
            assert mode & 0o022 == 0 or (mode & 0o170000) == 0o140000, f"{here}/{name} {mode:o}"
    c.must("delete", "--force", bundle.id)
    c.audit()


@case("CVE-2020-15257")
def no_abstract_sockets(c):
    """Whoever shares the network namespace may connect to one: the file system protects sockets, no name does."""
    def abstract():
        return {line.split()[-1] for line in host.read("/proc/net/unix").splitlines()
                if line.split()[-1].startswith("@")}

    before = abstract()
    bundle = c.bundle(["/bin/sleep", "1000"], lambda conf: conf["linux"].update(namespaces=[
        n for n in conf["linux"]["namespaces"] if n["type"] != "network"]))
    c.must("create", "-b", bundle.path, bundle.id, log=bundle.log)
    made = abstract() - before
    c.must("start", bundle.id)
    made |= abstract() - before
    assert not [name for name in made if c.prefix in name or "crun" in name or "runc" in name], made
    c.must("delete", "--force", bundle.id)
    c.audit()


@case("CVE-2026-41163", "CVE-2020-5291", "CVE-2016-8659")
def set_uid_runtime_gives_nobody_root(c):
    """Installed set-uid by mistake: an ordinary user must not become root by it."""
    program = c.path("setuid-runtime")
    shutil.copy(c.runtime, program)
    os.chown(program, 0, 0)
    os.chmod(program, 0o4755)
    bundle = c.bundle(["/bin/probe", "look"])
    c.mkdir("open", 0o777)
    user = {"user": host.USER, "group": host.USER, "extra_groups": []}
    result = c.rt(argv=[program, "--root", c.path("open/state"), "run", "-b", bundle.path,
                        bundle.id], **user)
    assert result.rc != 0 and "INSIDE" not in result.out, f"an ordinary user got a container: {result}"
    if os.path.exists(c.path("open/state")):
        assert os.stat(c.path("open/state")).st_uid != 0, "the state directory was made by root"
    c.audit()
