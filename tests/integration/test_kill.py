# SPDX-License-Identifier: Apache-2.0
"""kill: signal names, whom it reaches, and what it says when nobody is there."""

import json
import os
import signal

import hostside
from harness import PATIENCE, flavors
from test_lifecycle import SLEEP, no_pid_namespace, running, stopped
from test_linux_cgroups import ROOT, unified

TRAP = "trap 'exit 41' %s; echo ready; while :; do sleep 0.02; done"


def trapped(t, name):
    """A foreground run whose payload answers the signal `name` by exit status 41."""
    bundle = t.bundle(TRAP % name)
    out = t.file("out" + str(name))
    with open(out, "wb") as stream:
        child = t.popen("run", "-b", bundle.path, bundle.id, stdout=stream)
    t.wait_until(lambda: os.path.getsize(out), "the payload's trap")
    return bundle, child


def test_no_signal_means_term(t):
    bundle, child = trapped(t, "TERM")
    result = t.kill(bundle)
    assert result.out == result.err == "", result
    assert child.wait(40 * PATIENCE) == 41


def test_spellings_of_a_signal(t):
    for text in ("USR1", "SIGUSR1", "10", "usr1", "SigUsr1"):
        bundle, child = trapped(t, "USR1")
        t.kill(bundle, text)
        assert child.wait(40 * PATIENCE) == 41, text


def test_realtime_signals_by_number(t):
    for number in (34, 40, 64):
        bundle, child = trapped(t, number)
        t.kill(bundle, str(number))
        assert child.wait(40 * PATIENCE) == 41, number


def test_realtime_signals_by_name(t):
    for text, number in (("RTMIN", 34), ("SIGRTMIN+3", 37), ("RTMAX", 64), ("RTMAX-1", 63)):
        bundle, child = trapped(t, number)
        t.kill(bundle, text)
        assert child.wait(40 * PATIENCE) == 41, text


def test_signal_zero_asks_only(t):
    bundle = running(t)
    t.kill(bundle, "0")
    assert t.state(bundle)["status"] == "running"


def test_signals_that_do_not_exist(t):
    bundle = running(t)
    for text in ("65", "-1", "NOPE", "SIG", "9x", "99999999999999999999", "RTMIN+31",
                 "SIGSIGKILL"):
        t.fails("kill", bundle.id, text)
    t.fails("kill", bundle.id, "FOO", has="FOO")
    assert t.state(bundle)["status"] == "running"


def test_kill_before_start(t):
    bundle = t.bundle(SLEEP)
    t.create(bundle)
    t.kill(bundle, "KILL")
    t.wait_status(bundle, "stopped")
    t.delete(bundle)


@flavors("root", "rootless")
def test_kill_of_a_stopped_container_says_so_in_every_engines_words(t):
    bundle = stopped(t)
    for args in ([], ["9"], ["KILL"], ["TERM"]):
        # lower case: CRI-O compares case-sensitively
        t.fails("kill", bundle.id, *args, has=["container not running", "no such process"])


def test_kill_all_of_a_stopped_container_succeeds(t):
    bundle = stopped(t)
    for opts in (["--all"], ["-a"]):
        result = t.kill(bundle, "9", opts=opts)
        assert result.out == result.err == "", result
    t.delete(bundle)


def test_kill_all_reaches_what_init_left_behind(t):
    bundle = running(t, "sleep 1000 & exit 0", mutate=no_pid_namespace)
    t.wait_status(bundle, "stopped")
    paths = t.cgroup_dirs(bundle).values()
    assert any(hostside.cgroup_pids(p) for p in paths), "the test is void"
    t.kill(bundle, "9", opts=["--all"])
    t.wait_until(hostside.reaped(lambda: not any(hostside.cgroup_pids(p) for p in paths)),
                 "the leftovers to die")


def test_kill_all_reaches_every_process(t):
    # Init survives the signal, so only --all explains the end of the others.
    script = "trap '' USR1; sh -c 'trap - USR1; exec sleep 1000' & wait $!; echo $?; sleep 1000"
    bundle = t.bundle(script)
    started = t.run_container(bundle, "--detach")
    path = list(t.cgroup_dirs(bundle).values())[0]
    t.wait_until(lambda: len(hostside.cgroup_pids(path)) == 2, "two processes")
    t.wait_until(lambda: "sleep 1000" in commands(path), "sleep")
    t.kill(bundle, "USR2", opts=["--all"])
    t.wait_until(lambda: "140" in started.output(), "128 + SIGUSR2")


def commands(cgroup):
    found = []
    for pid in hostside.cgroup_pids(cgroup):
        try:
            with open(f"/proc/{pid}/cmdline", encoding="utf-8") as source:
                found.append(source.read().rstrip("\0").replace("\0", " "))
        except (FileNotFoundError, ProcessLookupError):
            pass   # it has just ended
    return found


def test_kill_without_all_reaches_init_only(t):
    bundle = t.bundle("trap 'echo got' USR1; sleep 1000 & while :; do sleep 0.02; done")
    started = t.run_container(bundle, "--detach")
    path = list(t.cgroup_dirs(bundle).values())[0]
    t.wait_until(lambda: "sleep 1000" in commands(path), "sleep")
    t.kill(bundle, "USR1")
    t.wait_until(lambda: "got" in started.output(), "the trap")
    assert "sleep 1000" in commands(path)


def test_sigkill_without_a_pid_namespace_kills_all(t):
    bundle = running(t, "sleep 1000 & sleep 1000", mutate=no_pid_namespace)
    path = list(t.cgroup_dirs(bundle).values())[0]
    t.wait_until(lambda: len(hostside.cgroup_pids(path)) >= 2, "two processes")
    t.kill(bundle, "KILL")
    t.wait_until(hostside.reaped(lambda: not hostside.cgroup_pids(path)), "all to die")


def test_kill_does_not_touch_a_cgroup_it_did_not_make(t):
    # The container is put where somebody else already lives.
    parent = f"/{t.prefix}/shared"
    made = []
    for point in hostside.cgroup_mounts().values():
        if "cpuset" not in point and point.count("/") > 1:
            os.makedirs(point + parent)
            made.append(point + parent)
    bystander = t.popen(argv=["sleep", "1000"])
    for path in made:
        with open(os.path.join(path, "cgroup.procs"), "w", encoding="ascii") as out:
            out.write(str(bystander.pid))
    bundle = t.bundle(SLEEP, mutate={"linux": {"cgroupsPath": parent}})
    if t.run_container(bundle, "--detach", check=False).rc == 0:
        t.kill(bundle, "KILL")
        t.wait_status(bundle, "stopped")
        t.kill(bundle, "KILL", opts=["--all"], check=False)
        t.delete(bundle, force=True)
    assert bystander.poll() is None, "a process of somebody else was killed"
    assert all(os.path.isdir(path) for path in made), "somebody else's cgroup was removed"
    bystander.kill()
    bystander.wait()
    for path in made:
        os.rmdir(path)


def test_kill_by_number_of_every_standard_signal_is_accepted(t):
    bundle = running(t)   # init of a pid namespace ignores what it has no handler for
    for number in range(1, 32):
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            t.kill(bundle, str(number))
    assert t.state(bundle)["status"] == "running"


def nested_processes(t, bundle, where):
    """Two more processes of the container, in cgroups below its own."""
    t.wait_until(lambda: len(hostside.cgroup_pids(where)) == 3, "three processes")
    pids = sorted(set(hostside.cgroup_pids(where)) - {t.pid(bundle)})
    for pid, name in zip(pids, ("a", "a/b")):
        os.makedirs(f"{where}/{name}", exist_ok=True)
        with open(f"{where}/{name}/cgroup.procs", "w", encoding="ascii") as out:
            out.write(str(pid))
    return pids


def reaches_cgroups_below(t, where_of):
    for number in ("TERM", "KILL"):
        bundle = t.bundle("sleep 1001 & sleep 1002 & trap '' TERM; wait; wait; read x </hold",
                          own_rootfs=True)
        os.mkfifo(os.path.join(bundle.rootfs, "hold"))
        t.run_container(bundle, "--detach")
        pids = nested_processes(t, bundle, where_of(bundle))
        t.kill(bundle, number, opts=["--all"])
        t.wait_until(lambda: not set(pids) & set(hostside.cgroup_pids(where_of(bundle)))
                     or not os.path.isdir(where_of(bundle)), f"{number} to reach all")
        t.delete(bundle, force=True)
        t.assert_no_trace(bundle)


def test_kill_all_reaches_cgroups_below(t):
    mounts = hostside.cgroup_mounts()
    point = mounts.get("unified") or mounts.get("freezer") or mounts.get("pids")
    reaches_cgroups_below(t, lambda bundle: point + bundle.cgroup)


def test_kill_ends_an_init_process_that_froze_itself_below_its_cgroup(t):
    point = hostside.cgroup_mounts().get("freezer")
    if not point:
        t.skip("no cgroup v1 freezer on this host")
    bundle = running(t)
    frozen = f"{point}{bundle.cgroup}/.frozen"
    os.mkdir(frozen)
    for name, value in (("cgroup.procs", t.pid(bundle)), ("freezer.state", "FROZEN")):
        with open(f"{frozen}/{name}", "w", encoding="ascii") as out:
            out.write(str(value))
    t.kill(bundle, "KILL")
    t.wait_status(bundle, "stopped")
    t.delete(bundle)
    t.assert_no_trace(bundle)


def test_v2_kill_all_reaches_cgroups_below(t):
    unified(t)
    reaches_cgroups_below(t, lambda bundle: ROOT + bundle.cgroup)


FORKS = "fork() { while :; do (sleep 0.01; :) & (:) & sleep 0.005; done; }; " \
        "fork & fork & fork & sleep 1000"


def seen_pids(t, bundle):
    return json.loads(t.rt("ps", "-f", "json", bundle.id).out)


def outruns_forks(t, mutate, *opts):
    for number in ("KILL", "9"):
        bundle = running(t, FORKS, mutate=mutate)
        t.wait_until(lambda b=bundle: len(seen_pids(t, b)) > 4, "forks")
        t.kill(bundle, number, opts=opts)
        t.wait_until(hostside.reaped(lambda b=bundle: seen_pids(t, b) == []), "all to die")
        t.wait_status(bundle, "stopped")
        t.delete(bundle)


def test_kill_all_outruns_forks(t):
    outruns_forks(t, None, "--all")
    outruns_forks(t, no_pid_namespace, "--all")


def test_v2_kill_all_outruns_forks(t):
    unified(t)
    outruns_forks(t, no_pid_namespace, "--all")


def test_v2_kill_all_of_a_stopped_container_reaches_what_is_left(t):
    unified(t)
    bundle = running(t, "sleep 1000 & exit 0", mutate=no_pid_namespace)
    t.wait_status(bundle, "stopped")
    assert hostside.cgroup_pids(ROOT + bundle.cgroup), "the test is void"
    t.kill(bundle, "TERM", opts=["--all"])
    t.wait_until(hostside.reaped(lambda: not hostside.cgroup_pids(ROOT + bundle.cgroup)),
                 "the leftovers to die")
    t.kill(bundle, "9", opts=["--all"])
    t.delete(bundle)


def test_kill_all_of_a_paused_container_kills_all(t):
    bundle = running(t, "sleep 1000 & sleep 1000 & wait", mutate=no_pid_namespace)
    t.rt("pause", bundle.id)
    t.kill(bundle, "KILL", opts=["--all"])
    t.wait_status(bundle, "stopped")
    t.wait_until(hostside.reaped(lambda: seen_pids(t, bundle) == []), "all to die")
    t.delete(bundle)


@flavors("root", "rootless")
def test_kill_all_without_a_cgroup_reaches_init(t):
    bundle = t.bundle(SLEEP)
    t.rt("--cgroup-manager", "disabled", "run", "-d", "-b", bundle.path, bundle.id)
    t.kill(bundle, "KILL", opts=["--all"])
    t.wait_status(bundle, "stopped")
    t.kill(bundle, "KILL", opts=["--all"])
    t.delete(bundle)
