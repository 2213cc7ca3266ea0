# SPDX-License-Identifier: Apache-2.0
"""Machines in a bad state: full and read-only disks, damaged records, jumping clocks, reused pids, low limits.

Run by tests/integration/run.py.
"""

import errno
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

import hostside
from harness import flavors, timeout

HERE = os.path.dirname(os.path.abspath(__file__))
SLEEP = ["sleep", "1000"]
MS_RDONLY, MS_REMOUNT = 1, 32
CYCLES = int(os.environ.get("CRUN_TEST_CYCLES", "40"))   # 200 for a long run
STEP = int(os.environ.get("CRUN_TEST_DAMAGE_STEP", "97"))   # bytes between two damages


def no_process_left(t):
    def none():
        hostside.reap()
        return not hostside.descendants(os.getpid())
    t.wait_until(none, f"the end of {hostside.descendants(os.getpid())}")


# ---- disks -----------------------------------------------------------------------------------


def test_state_directory_on_a_disk_that_is_full_at_any_point(t):
    """With every number of files that fit, from none up to enough."""
    small = t.mkdir("small")
    for inodes in range(2, 20):
        t.mount("tmpfs", small, "tmpfs", 0, f"size=256k,nr_inodes={inodes}")
        bundle = t.bundle(SLEEP)
        made = t.rt("--root", small, "create", "-b", bundle.path, bundle.id, root=False, check=False)
        if made.rc:
            assert made.rc < 128 and "No space left" in made.err, (inodes, made)
            assert os.listdir(small) == [], (inodes, os.listdir(small))
            assert not t.cgroup_dirs(bundle)
            no_process_left(t)
        else:
            t.rt("--root", small, "delete", "--force", bundle.id, root=False)
            assert not t.cgroup_dirs(bundle)
        hostside.umount(small)
        if made.rc == 0:
            break
    assert made.rc == 0 and inodes > 3, (inodes, made)


def test_state_directory_on_a_disk_without_a_free_page(t):
    """A file can be made there, but nothing be written to it."""
    small = t.mkdir("small")
    for pages in range(0, 12):
        t.mount("tmpfs", small, "tmpfs", 0, "size=64k")
        with open(f"{small}/filler", "wb") as out:
            out.write(b"x" * (4096 * (16 - pages)))
        bundle = t.bundle(SLEEP)
        made = t.rt("--root", small, "create", "-b", bundle.path, bundle.id, root=False, check=False)
        if made.rc:
            assert made.rc < 128 and "No space left" in made.err, (pages, made)
            assert os.listdir(small) == ["filler"], os.listdir(small)
            assert not t.cgroup_dirs(bundle)
        else:
            t.rt("--root", small, "delete", "--force", bundle.id, root=False)
        hostside.umount(small)
        if made.rc == 0:
            return
    raise AssertionError(f"eleven pages are not enough: {made}")


def test_state_directory_that_has_become_read_only(t):
    place = t.mkdir("place")
    t.mount("tmpfs", place, "tmpfs", 0, "size=1m")
    one, other = t.bundle(SLEEP), t.bundle(SLEEP)

    def on(*args, **kwargs):
        return t.rt("--root", place, *args, root=False, check=False, **kwargs)
    assert on("run", "-d", "-b", one.path, one.id).rc == 0
    pid = json.loads(on("state", one.id).out)["pid"]
    hostside.mount("tmpfs", place, None, MS_REMOUNT | MS_RDONLY)
    refused = on("create", "-b", other.path, other.id)
    assert 0 < refused.rc < 128 and "Read-only file system" in refused.err, refused
    assert not t.cgroup_dirs(other)
    assert json.loads(on("state", one.id).out)["status"] == "running"
    assert one.id in on("list", "-q").out
    # Deleting cannot succeed, and must say so; the container itself can be ended.
    refused = on("delete", "--force", one.id)
    assert 0 < refused.rc < 128 and "Read-only file system" in refused.err, refused
    t.wait_until(hostside.reaped(lambda: not os.path.exists(f"/proc/{pid}")), "its end")
    hostside.mount("tmpfs", place, None, MS_REMOUNT)
    assert on("delete", "--force", one.id).rc == 0
    assert os.listdir(place) == [] and not t.cgroup_dirs(one)


# ---- records ---------------------------------------------------------------------------------


def damages(text):
    """Every so many bytes: changed there, cut off there, a piece missing or doubled."""
    for at in range(0, len(text), STEP):
        yield f"bit flipped at {at}", text[:at] + bytes([text[at] ^ 1 << at % 8]) + text[at + 1:]
        yield f"cut off at {at}", text[:at]
        yield f"zeros from {at}", text[:at] + bytes(min(STEP, len(text) - at)) + text[at + STEP:]
        yield f"piece missing at {at}", text[:at] + text[at + STEP:]
        yield f"piece twice at {at}", text[:at + STEP] + text[at:]


@flavors("root", "rootless")
def test_record_damaged_anywhere(t):
    """Whatever is in it: an answer or an error, nobody else is hurt, and it can be removed."""
    other, bundle = t.bundle(SLEEP), t.bundle(SLEEP)
    t.create(other)
    t.create(bundle)
    groups = t.cgroup_dirs(bundle).values()
    os.kill(t.pid(bundle), signal.SIGKILL)
    t.wait_status(bundle, "stopped")
    home, saved = os.path.join(t.state_dir, bundle.id), t.path("saved")
    shutil.copytree(home, saved, ignore=lambda top, names: [
        n for n in names if not os.path.isfile(os.path.join(top, n))])
    with open(f"{saved}/state.json", "rb") as source:
        text = source.read()
    for what, damaged in damages(text):
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(saved, home)
        with open(f"{home}/state.json", "wb") as out:
            out.write(damaged)
        subprocess.check_call(["chown", "-R", f"{t.uid}:{t.gid}", home])
        result = t.rt("state", bundle.id, check=False)
        assert result.rc < 128 and bool(result.err) == (result.rc != 0), (what, result)
        listed = t.rt("list", "-q")
        assert other.id in listed.out.split(), (what, listed)
        result = t.delete(bundle, force=True, check=False)
        assert result.rc == 0, (what, result)
        assert not os.path.exists(home), what
    assert t.state(other)["status"] == "created"
    t.delete(other, force=True)
    for path in groups:   # its name may have been in the record only
        hostside.remove_cgroup(path)


# ---- time and pids ---------------------------------------------------------------------------


def preload(t):
    """The library of preload.c; ours must be a dynamic binary."""
    path = t.path("preload.so")
    compiler = shutil.which("cc") or shutil.which("gcc") or t.skip("no compiler here")
    subprocess.check_call([compiler, "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", path,
                           os.path.join(HERE, "preload.c")])
    return path


def test_clock_that_jumps_with_every_look(t):
    """The clock of a process cannot be set without the machine's, so what libc tells is replaced."""
    env = {"LD_PRELOAD": preload(t), "FAULT_CLOCK": str(400 * 24 * 3600)}
    bundle = t.bundle("echo on; exec sleep 1000")
    created = []
    for _n in range(2):
        t.rt("--timeout", "60", "create", "-b", bundle.path, bundle.id, env=env)
        created.append(json.loads(t.rt("state", bundle.id, env=env).out)["created"])
        t.rt("--timeout", "60", "start", bundle.id, env=env)
        for verb in ("pause", "resume"):
            if not t.rootless:
                t.rt("--timeout", "60", verb, bundle.id, env=env)
        assert t.rt("exec", bundle.id, "echo", "in", env=env).out == "in\n"
        assert json.loads(t.rt("state", bundle.id, env=env).out)["status"] == "running"
        t.rt("delete", "--force", bundle.id, env=env)
    if abs(int(created[0][:4]) - time.gmtime().tm_year) > 20:
        raise AssertionError(created)
    if created[0][:4] == time.strftime("%Y"):
        t.skip("the runtime does not ask libc for the time (a static binary?)")


# Runs as the first process of a pid namespace: who reaps decides when a number is free again.
REUSE = r"""
import json, os, signal, subprocess, sys, time
runtime, root, bundle, id = sys.argv[1:]
def rt(*args):
    return subprocess.run([runtime, "--root", root, *args], capture_output=True, text=True)
def fill(number):
    for _attempt in range(50):
        with open("/proc/sys/kernel/ns_last_pid", "w") as out:
            out.write(str(number - 1))
        pid = os.fork()
        if pid == 0:
            while True:
                signal.pause()
        if pid == number:
            return
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    raise SystemExit("the number cannot be had again")
with open(os.path.join(os.path.dirname(bundle), "payload"), "wb") as out:
    made = subprocess.run([runtime, "--root", root, "run", "-d", "-b", bundle, id], stdout=out, stderr=out)
assert made.returncode == 0, open(out.name).read()
pid = json.loads(rt("state", id).stdout)["pid"]
os.kill(pid, signal.SIGKILL)
os.waitpid(pid, 0)
fill(pid)
state = json.loads(rt("state", id).stdout)
assert state["status"] == "stopped", state
for args in (["kill", id, "KILL"], ["kill", "--all", id, "KILL"], ["exec", id, "true"],
             ["pause", id], ["delete", "--force", id]):
    print(args, rt(*args))
    assert os.waitpid(pid, os.WNOHANG) == (0, 0), f"{args}: somebody else was killed"
    with open(f"/proc/{pid}/stat") as source:
        assert source.read().rpartition(")")[2].split()[0] == "S"
assert rt("state", id).returncode != 0
print("done")
"""


def test_pid_of_a_dead_container_belongs_to_somebody_else_now(t):
    bundle = t.bundle(SLEEP)
    script = t.file("reuse.py", REUSE) or t.path("reuse.py")
    argv = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", sys.executable, script,
            t.runtime, t.state_dir, bundle.path, bundle.id]
    result = t.rt(argv=argv, check=False)
    if "Operation not permitted" in result.err and "unshare" in result.err:
        t.skip(result.err.strip())
    assert result.rc == 0 and result.out.endswith("done\n"), result


# ---- limits ----------------------------------------------------------------------------------


def test_few_descriptors_and_many_mounts(t):
    """Starts, or says that there are too few."""
    bundle = t.bundle(["true"])
    for number in range(100):
        source = t.mkdir(f"volume{number}")
        bundle.config["mounts"].append({"destination": f"/tmp/{number}", "type": "bind",
                                        "source": source, "options": ["rbind", "ro"]})
    bundle.config["mounts"].insert(0, {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"})
    bundle.config["process"].pop("rlimits")
    bundle.save()
    outcomes = {}
    for soft in (12, 24, 48, 64, 128, 1024):
        def few(number=soft):
            resource.setrlimit(resource.RLIMIT_NOFILE, (number, number))
        result = t.rt("run", "-b", bundle.path, bundle.id, check=False, preexec_fn=few)
        outcomes[soft] = result.rc
        assert result.rc == 0 or (result.rc < 128 and "Too many open files" in result.err), \
            (soft, result)
        t.assert_no_trace(bundle)
        no_process_left(t)
    assert outcomes[1024] == 0, outcomes


FILL_KEYS = r"""
import ctypes, os, subprocess, sys
if os.geteuid() == 0:   # not from the outset: the user may not be able to run this interpreter
    os.setgroups([])
    os.setresgid(*[int(sys.argv[2])] * 3)
    os.setresuid(*[int(sys.argv[1])] * 3)
libc = ctypes.CDLL(None, use_errno=True)
add_key, keyctl = {"x86_64": (248, 250), "aarch64": (217, 219)}[os.uname().machine]
# The first session keyring of a process is made whatever the quota says; later ones are not.
libc.syscall(keyctl, 1, None)
made = 0
# The keyring of the process (-2) goes with it.
while libc.syscall(add_key, b"user", b"fault%d" % made, b"x", 1, -2) >= 0 and made < 5000:
    made += 1
print("filled", made, ctypes.get_errno(), flush=True)
raise SystemExit(subprocess.run(sys.argv[3:]).returncode)
"""


@flavors("rootless")
def test_no_key_is_left_in_the_quota(t):
    if os.uname().machine not in ("x86_64", "aarch64"):
        t.skip("the number of add_key(2) is not known here")
    bundle = t.bundle(["echo", "alive"])
    head = [sys.executable, "-c", FILL_KEYS, str(t.uid), str(t.gid)]
    as_root = {"user": None, "group": None, "extra_groups": None} if os.geteuid() == 0 else {}
    result = t.rt(argv=head + t.argv("run", "-b", bundle.path, bundle.id), check=False,
                  **as_root)
    filled = re.search(r"filled (\d+) (\d+)", result.out)
    if not filled or int(filled.group(2)) != errno.EDQUOT:
        t.skip(f"the quota cannot be filled: {result.out} {result.err}")
    assert 0 < result.rc < 128 and "quota" in result.err and "--no-new-keyring" in result.err, result
    t.assert_no_trace(bundle)
    result = t.rt(argv=head + t.argv("run", "--no-new-keyring", "-b", bundle.path, bundle.id),
                  **as_root)
    assert "alive" in result.out, result


def test_memory_limits_from_64_kib_upward(t):
    """Starts, or fails and says why; it neither hangs nor leaves anything."""
    t.need_controllers("memory")
    started = []
    for kib in (64, 128, 256, 512, 1024, 2048, 4096):
        bundle = t.bundle(["echo", "alive"], mutate={"linux": {"resources": {
            "memory": {"limit": kib << 10}}}})
        result = t.rt("run", "-b", bundle.path, bundle.id, check=False, timeout=60)
        if result.rc == 0:
            assert result.out == "alive\n", result
            started.append(kib)
        elif result.rc == 128 + signal.SIGKILL:
            assert not result.err or "memory" in result.err, (kib, result)   # the payload itself
        else:
            assert result.rc < 128 and re.search("memory", result.err), (kib, result)
        t.assert_no_trace(bundle)
        no_process_left(t)
    assert started and started == sorted(started) and started[-1] == 4096, started


# ---- many at once ----------------------------------------------------------------------------


def live_and_die(t, bundle, dice):
    """One container's life; each command may be killed at any moment."""
    verbs = [["create", "-b", bundle.path], ["start"], ["kill", "--all"], ["delete"]]
    for verb in verbs:
        tail = ["KILL"] if verb[0] == "kill" else []
        child = t.popen(*verb, bundle.id, *tail, stderr=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL)
        if dice.random() < 0.4:
            time.sleep(dice.uniform(0, 0.03))
            child.kill()
        child.wait()
    t.delete(bundle, force=True)
    t.assert_no_trace(bundle)


@timeout(600)
@flavors("root", "rootless")
def test_four_workers_whose_commands_are_killed_at_random(t):
    bundles = [t.bundle(SLEEP) for _n in range(4)]
    workers = []
    for number, bundle in enumerate(bundles):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                hostside.become_subreaper()
                t.counter = 1000 * (number + 1)
                dice = random.Random(number)
                for _n in range(max(1, CYCLES // 4)):
                    live_and_die(t, bundle, dice)
                no_process_left(t)
                status = 0
            except BaseException as err:   # pylint: disable=broad-except
                t.log(f"worker {number}: {type(err).__name__}: {err}")
            finally:
                os._exit(status)
        workers.append(pid)
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in workers]
    assert codes == [0] * 4, codes
    assert t.state_entries() == []
    no_process_left(t)
