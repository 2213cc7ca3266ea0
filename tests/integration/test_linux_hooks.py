# SPDX-License-Identifier: Apache-2.0
"""Hooks: when, where and with what they run, and what their failure does."""

import json
import os
import signal
import time

from harness import PATIENCE, flavors

STAGES = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart",
          "poststop")
INSIDE = ("startContainer",)       # the program is looked up in the container
SLEEP = ["sleep", "1000"]
# What shells set by themselves.
OF_THE_SHELL = {"PATH", "PWD", "SHLVL", "_", "OLDPWD"}


def hook(script, path="/bin/sh", **more):
    return dict({"path": path, "args": ["sh", "-c", script]}, **more)


def with_hooks(t, args="true", **hooks):
    """A bundle with /mark mounted: a directory that hooks inside and outside write to."""
    mark = t.mkdir("mark")
    os.chmod(mark, 0o777)
    bundle = t.bundle(args)
    bundle.config["mounts"].append({"destination": "/mark", "type": "bind", "source": mark,
                                    "options": ["bind"]})
    bundle.config["hooks"] = hooks
    bundle.mark = mark
    return bundle.save()


def place(t, stage):
    """Where a hook of this stage sees the marks' directory."""
    return "/mark" if stage in INSIDE else t.path("mark")


def noted(t, bundle, name):
    with open(os.path.join(bundle.mark, name), encoding="utf-8", errors="replace") as source:
        return source.read()


def noting(t, stage, command, name=None):
    return hook(f"({command}) >{place(t, stage)}/{name or stage} 2>&1")


def order_hooks(t):
    return {stage: [hook(f"echo {stage}{n} >>{place(t, stage)}/order") for n in (1, 2)]
            for stage in STAGES}


@flavors("root", "rootless")
def test_all_hooks_run_in_order(t):
    # The payload waits: poststart follows its start, and comes from another process.
    bundle = with_hooks(t, "echo payload >>/mark/order; "
                        "until grep -q poststart2 /mark/order; do sleep 0.02; done",
                        **order_hooks(t))
    t.run_container(bundle)
    found = noted(t, bundle, "order").split()
    before = [f"{stage}{n}" for stage in STAGES[:4] for n in (1, 2)]
    assert found[:8] == before, found
    assert sorted(found[8:11]) == ["payload", "poststart1", "poststart2"], found
    assert found[11:] == ["poststop1", "poststop2"], found


def test_each_command_runs_its_hooks(t):
    bundle = with_hooks(t, SLEEP, **order_hooks(t))
    t.create(bundle)
    assert noted(t, bundle, "order").split() == \
        [f"{stage}{n}" for stage in STAGES[:3] for n in (1, 2)]
    t.start(bundle)
    assert noted(t, bundle, "order").split()[6:] == \
        ["startContainer1", "startContainer2", "poststart1", "poststart2"]
    t.kill(bundle, "KILL")
    t.wait_status(bundle, "stopped")
    assert "poststop1" not in noted(t, bundle, "order")
    t.delete(bundle)
    assert noted(t, bundle, "order").split()[10:] == ["poststop1", "poststop2"]


@flavors("root", "rootless")
def test_state_is_on_stdin(t):
    bundle = with_hooks(t, SLEEP, **{s: [noting(t, s, "cat")] for s in STAGES})
    bundle.config["annotations"] = {"org.example.key": "välue \"x\""}
    bundle.save()
    t.create(bundle)
    pid = t.pid(bundle)
    t.start(bundle)
    t.delete(bundle, force=True)
    status = {"prestart": "creating", "createRuntime": "creating", "createContainer": "creating",
              "startContainer": "created", "poststart": "running", "poststop": "stopped"}
    for stage in STAGES:
        state = json.loads(noted(t, bundle, stage))
        assert state["status"] == status[stage], (stage, state)
        assert (state["id"], state["bundle"]) == (bundle.id, bundle.path), (stage, state)
        assert state["annotations"] == bundle.config["annotations"], (stage, state)
        assert state["ociVersion"], (stage, state)
        if stage != "poststop":
            assert state["pid"] == pid, (stage, state, pid)


def test_namespaces_of_each_stage(t):
    command = "for n in mnt pid net; do readlink /proc/self/ns/$n; done"
    bundle = with_hooks(t, "until [ -s /mark/poststart ]; do sleep 0.02; done; " +
                        command + " >/mark/payload",
                        **{s: [noting(t, s, command)] for s in STAGES})
    t.run_container(bundle)
    own = "".join(os.readlink(f"/proc/self/ns/{n}") + "\n" for n in ("mnt", "pid", "net"))
    payload = noted(t, bundle, "payload")
    assert not set(own.split()) & set(payload.split()), payload
    for stage in STAGES:
        want = payload if stage in ("createContainer", "startContainer") else own
        assert noted(t, bundle, stage) == want, stage


def test_network_can_be_made_by_a_create_runtime_hook(t):
    # What CNI does: the hook reaches the container's network namespace by the pid in the state.
    script = "pid=$(sed -n 's/.*\"pid\": *\\([0-9]*\\).*/\\1/p'); " \
             "nsenter -t $pid -n ip link add dummy7 type dummy || " \
             "nsenter -t $pid -n sysctl -qw net.ipv4.ip_forward=1"
    bundle = with_hooks(t, "ip link; cat /proc/sys/net/ipv4/ip_forward",
                        createRuntime=[hook(script, env=["PATH=/usr/sbin:/usr/bin:/sbin:/bin"])])
    result = t.run_container(bundle)
    assert "dummy7" in result.out or result.out.endswith("1\n"), result


def test_create_container_hook_sees_the_hosts_files_and_the_containers_mounts(t):
    bundle = with_hooks(t, createContainer=[noting(
        t, "createContainer", "ls -d /proc/self/root/bin; grep -c mark /proc/self/mountinfo")])
    before = os.path.exists("/mark")
    t.run_container(bundle)
    text = noted(t, bundle, "createContainer").split()
    assert text[0] == "/proc/self/root/bin" and int(text[1]) >= 1, text
    assert os.path.exists("/mark") == before


def test_environment_is_the_hooks_own(t):
    bundle = with_hooks(t, **{s: [dict(noting(t, s, "/usr/bin/env || env"), env=["A=1", "B=x y"])]
                              for s in STAGES})
    bundle.config["process"]["env"].append("LD_PRELOAD=/evil.so")
    bundle.save()
    t.run_container(bundle, env={"LEAK": "caller"})
    for stage in STAGES:
        names = dict(line.split("=", 1) for line in noted(t, bundle, stage).splitlines()
                     if "=" in line)
        assert names.get("A") == "1" and names.get("B") == "x y", (stage, names)
        assert set(names) <= {"A", "B"} | OF_THE_SHELL, (stage, names)
        assert "PATH=" + names.get("PATH", "") != bundle.config["process"]["env"][0], (stage, names)


def test_without_an_environment_the_payloads_does_not_get_to_hooks(t):
    # CVE-2025-23266: variables of the image in a program that runs with the host's power.
    bundle = with_hooks(t, **{s: [noting(t, s, "/usr/bin/env || env")] for s in STAGES})
    bundle.config["process"]["env"].append("FROM_IMAGE=1")
    bundle.save()
    t.run_container(bundle)
    for stage in STAGES:
        assert "FROM_IMAGE" not in noted(t, bundle, stage), stage
    for stage in ("createContainer", "startContainer"):
        names = {line.split("=")[0] for line in noted(t, bundle, stage).splitlines()
                 if "=" in line}
        assert names <= OF_THE_SHELL, (stage, names)


def test_working_directory_of_hooks(t):
    bundle = with_hooks(t, **{s: [noting(t, s, "pwd -P")] for s in STAGES})
    t.run_container(bundle, cwd="/")
    for stage in STAGES:
        want = bundle.path if stage not in ("createContainer", "startContainer") else "/"
        assert noted(t, bundle, stage).strip() == want, stage


def test_umask_of_hooks_is_the_callers(t):
    bundle = with_hooks(t, **{stage: [noting(t, stage, "umask")] for stage in STAGES})
    t.run_container(bundle, preexec_fn=lambda: os.umask(0o027))
    for stage in STAGES:   # in the container it is the payload's
        assert noted(t, bundle, stage) == ("0022\n" if stage in INSIDE else "0027\n"), stage


def test_arguments_are_the_hooks_and_default_to_the_path(t):
    script = t.file("script", '#!/bin/sh\nprintf "%s|" "$0" "$@" >' + t.path("mark/args"), 0o755)
    bundle = with_hooks(t, createRuntime=[{"path": script, "args": ["zero", "one two", ""]}])
    t.run_container(bundle)
    assert noted(t, bundle, "args").split("|")[1:] == ["one two", "", ""], noted(t, bundle, "args")
    bundle.config["hooks"] = {"createRuntime": [{"path": script}]}
    bundle.save()
    t.run_container(bundle)
    assert noted(t, bundle, "args") == script + "|"


@flavors("root", "rootless")
def test_hooks_get_no_descriptors_of_ours(t):
    bundle = with_hooks(t, **{s: [noting(t, s, "cd /proc/self/fd; echo *")] for s in STAGES})
    fds = []
    for number in (7, 50):
        fd = os.open("/", os.O_RDONLY)
        os.dup2(fd, number, inheritable=True)
        os.close(fd)
        fds.append(number)
    t.run_container(bundle, pass_fds=fds)
    for stage in STAGES:
        # The shell keeps the redirected ones, and its own for reading the directory.
        numbers = {int(n) for n in noted(t, bundle, stage).split()}
        assert not numbers & {7, 50} and len(numbers) <= 4, (stage, numbers)


def test_hook_does_not_get_the_payloads_stdin_nor_its_stdout(t):
    bundle = with_hooks(t, "cat", **{s: [hook("cat >/dev/null; echo from-hook")] for s in STAGES})
    result = t.run_container(bundle, input=b"for the payload\n")
    assert result.out.replace("from-hook\n", "") == "for the payload\n", result


def ignore_some():
    for number in (signal.SIGPIPE, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR2])


def test_signals_of_hooks_are_reset(t):
    bundle = with_hooks(t, **{s: [noting(t, s, "grep Sig /proc/self/status")] for s in STAGES})
    t.run_container(bundle, restore_signals=False, preexec_fn=ignore_some)
    for stage in STAGES:
        table = dict(line.split(":\t") for line in noted(t, bundle, stage).splitlines())
        ignored = int(table["SigIgn"], 16) & ~4   # SIGQUIT: busybox's shell does that
        assert int(table["SigBlk"], 16) == 0 and ignored == 0, (stage, table)


# ---- failure ------------------------------------------------------------------------------


@flavors("root", "rootless")
def test_failing_hook_before_the_payload_ends_the_creation(t):
    for stage in STAGES[:4]:
        bundle = with_hooks(t, "echo ran >/mark/ran",
                            **{stage: [hook("true"), hook("echo because >&2; exit 3"),
                                       noting(t, stage, "echo third", "third")],
                               "poststop": [noting(t, "poststop", "cat", "stopped")]})
        t.fails("run", "-b", bundle.path, bundle.id,
                has=[f"{stage} hook 1", "exit status 3", "because", f"/hooks/{stage}/1"],
                code="HOOK_FAILED")
        t.assert_no_trace(bundle)
        assert not os.path.exists(os.path.join(bundle.mark, "ran")), stage
        assert not os.path.exists(os.path.join(bundle.mark, "third")), stage


def test_failing_start_container_hook_fails_start(t):
    bundle = with_hooks(t, SLEEP, startContainer=[hook("exit 3")])
    t.create(bundle)
    t.fails("start", bundle.id, has=["startContainer", "exit status 3"])
    assert t.state(bundle)["status"] == "stopped"
    t.delete(bundle)
    t.assert_no_trace(bundle)


@flavors("root")
def test_init_that_told_why_start_failed_ends_by_itself(t):
    cases = ((hook("exit 3"), "exit status 3"),
             (dict(hook("sleep 1000"), timeout=1), "not done after 1 second"))
    for case, words in cases:
        bundle = with_hooks(t, SLEEP, startContainer=[case])
        t.create(bundle)
        pid = t.pid(bundle)
        result = t.fails("start", bundle.id, has=["startContainer", words])
        assert "came to an end" not in result.err, result
        assert t.state(bundle)["status"] == "stopped"
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1, case
        t.delete(bundle)


def test_failing_poststart_hook_stops_the_container(t):
    bundle = with_hooks(t, SLEEP, poststart=[hook("exit 3")])
    t.create(bundle)
    t.fails("start", bundle.id, has=["poststart", "exit status 3"])
    assert t.state(bundle)["status"] == "stopped"
    t.delete(bundle)
    bundle = with_hooks(t, SLEEP, poststart=[hook("exit 3")])
    t.fails("run", "-d", "-b", bundle.path, bundle.id, has=["poststart", "exit status 3"])
    t.assert_no_trace(bundle)


def test_failing_poststart_hook_of_run_spares_a_successor(t):
    """The hook runs without the lock: whoever deletes the container meanwhile may make another of that name."""
    other = t.bundle(SLEEP)
    pid_file, log = t.path("pid"), t.path("hook.log")
    bundle = with_hooks(t, SLEEP)
    crun = " ".join(t.argv())
    script = (f"exec >{log} 2>&1; {crun} delete --force {bundle.id} && "
              f"{crun} create -b {other.path} --pid-file {pid_file} {bundle.id}; exit 3")
    bundle.config["hooks"] = {"poststart": [hook(script)]}
    bundle.config["linux"]["cgroupsPath"] = other.config["linux"]["cgroupsPath"]
    bundle.save()
    began = time.monotonic()
    t.fails("run", "-d", "-b", bundle.path, "--pid-file", pid_file, bundle.id,
            has=["poststart", "exit status 3"])
    took = time.monotonic() - began
    with open(log, encoding="utf-8") as source:
        assert t.state(bundle)["status"] == "created", source.read()
    assert os.path.exists(pid_file), "the successor's pid file was removed"
    assert t.cgroup_dirs(other) and took < 20 * PATIENCE, took
    t.start(bundle)
    t.wait_status(bundle, "running")
    t.delete(bundle, force=True)


def test_failing_poststop_hook_is_a_warning_and_the_others_run(t):
    bundle = with_hooks(t, SLEEP, poststop=[hook("exit 3"), noting(t, "poststop", "echo second")])
    t.create(bundle)
    log = t.path("log")
    t.rt("--log", log, "--log-level", "warning", "delete", "--force", bundle.id)
    assert noted(t, bundle, "poststop") == "second\n"
    with open(log, encoding="utf-8") as source:
        assert "poststop" in source.read()
    t.assert_no_trace(bundle)


def test_hook_that_is_killed_or_missing_is_said_so(t):
    for entry, words in ((hook("kill -KILL $$"), "signal 9"),
                         ({"path": "/no/such/hook"}, "No such file or directory"),
                         ({"path": "/etc/passwd"}, "ermission denied"),
                         ({"path": "relative"}, "absolute"),
                         (hook("true", timeout=0), "timeout")):
        for stage in ("createRuntime", "createContainer"):
            bundle = with_hooks(t, **{stage: [entry]})
            t.fails("create", "-b", bundle.path, bundle.id, has=[stage, words])
            t.assert_no_trace(bundle)


def test_hook_that_takes_too_long_is_killed_with_its_children(t):
    for stage in STAGES[:4]:
        bundle = with_hooks(t, **{stage: [hook("sleep 1000 & sleep 1000", timeout=1)]})
        began = time.monotonic()
        t.fails("run", "-b", bundle.path, bundle.id, has=[stage, "1 seconds"], code="HOOK_TIMEOUT")
        assert 0.9 < time.monotonic() - began < 60 * PATIENCE, stage
        t.assert_no_trace(bundle)


def test_hook_that_leaves_a_process_behind_does_not_hang_us(t):
    pids = t.path("pids")
    bundle = with_hooks(t, createRuntime=[hook(f"sleep 1000 & echo $! >>{pids}"),
                                          hook(f"sleep 1000 >&2 & echo $! >>{pids}")])
    t.run_container(bundle)
    with open(pids, encoding="ascii") as left:
        for pid in left.read().split():
            os.kill(int(pid), signal.SIGKILL)


def test_hook_that_does_not_read_its_stdin_is_fine(t):
    bundle = with_hooks(t, **{s: [hook("exec <&-; true")] for s in STAGES})
    bundle.config["annotations"] = {f"org.example.{n}": "x" * 1000 for n in range(300)}
    bundle.save()
    t.run_container(bundle)


def test_hook_with_much_output_does_not_hang(t):
    bundle = with_hooks(t, createRuntime=[hook("head -c 3000000 /dev/zero; "
                                               "head -c 3000000 /dev/zero >&2")])
    t.run_container(bundle)


def test_poststop_hooks_come_from_the_copy_of_the_configuration(t):
    bundle = with_hooks(t, SLEEP, poststop=[noting(t, "poststop", "echo done")])
    t.create(bundle)
    os.unlink(os.path.join(bundle.path, "config.json"))
    t.delete(bundle, force=True)
    assert noted(t, bundle, "poststop") == "done\n"


def test_many_hooks_all_run(t):
    bundle = with_hooks(t, createRuntime=[hook(f"echo x >>{t.path('mark')}/many")] * 100)
    t.run_container(bundle)
    assert noted(t, bundle, "many") == "x\n" * 100
