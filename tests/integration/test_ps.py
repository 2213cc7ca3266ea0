# SPDX-License-Identifier: Apache-2.0
"""ps: the processes of a container and of nobody else, as numbers for engines or as a table."""

import json
import os

import hostside
from harness import flavors
from test_kill import commands
from test_lifecycle import SLEEP, no_pid_namespace, stopped
from test_pause import cgroups
from test_linux_cgroups import nested, unified

THREE = "sleep 1001 & sleep 1002 & sleep 1003"


def up(t, args=SLEEP, count=1, **kwargs):
    bundle = t.bundle(args, **kwargs)
    t.run_container(bundle, "--detach")
    t.wait_until(lambda: len(pids(t, bundle)) == count, f"{count} processes")
    return bundle


def pids(t, bundle):
    result = t.rt("ps", "--format", "json", bundle.id)
    assert result.err == "", result
    found = json.loads(result.out)
    assert isinstance(found, list) and all(type(p) is int for p in found), result
    return found


def table(t, bundle, *args):
    result = t.rt("ps", bundle.id, *args)
    assert result.err == "", result
    lines = result.out.splitlines()
    assert "PID" in lines[0].split(), result
    return lines


def column(lines, name="PID"):
    index = lines[0].split().index(name)
    return [line.split()[index] for line in lines[1:]]


def test_json_is_an_array_of_host_pids(t):
    bundle = up(t, THREE, 3)
    found = pids(t, bundle)
    assert t.pid(bundle) in found
    assert found == sorted(hostside.cgroup_pids(cgroups(t, bundle)[0]))
    for opts in (["-f", "json"], ["--format=json"], ["-fjson"]):
        assert json.loads(t.rt("ps", *opts, bundle.id).out) == found


def test_v2_json_is_an_array_of_host_pids(t):
    unified(t)
    test_json_is_an_array_of_host_pids(t)


def test_created_and_paused_containers_have_processes(t):
    bundle = t.bundle(SLEEP)
    t.create(bundle)
    assert pids(t, bundle) == [t.pid(bundle)]
    t.start(bundle)
    t.rt("pause", bundle.id)
    assert pids(t, bundle) == [t.pid(bundle)]
    assert column(table(t, bundle)) == [str(t.pid(bundle))]


def test_cgroups_below_are_included(t):
    bundle, count = nested(t)
    assert len(pids(t, bundle)) > 1, count


def test_v2_cgroups_below_are_included(t):
    unified(t)
    bundle, _count = nested(t)
    assert len(pids(t, bundle)) == 2


def test_table_of_our_own(t):
    bundle = up(t, THREE, 3)
    lines = table(t, bundle)
    assert lines[0].split() == ["UID", "PID", "PPID", "S", "TIME", "COMMAND"], lines
    assert [int(p) for p in column(lines)] == pids(t, bundle)
    for seconds in ("1001", "1002", "1003"):
        assert sum(line.endswith(f"sleep {seconds}") for line in lines) == 1, lines
    assert lines == table(t, bundle) == t.rt("ps", "-f", "table", bundle.id).out.splitlines()


def test_command_lines_cannot_write_to_the_terminal(t):
    bundle = up(t, ["sh", "-c", "sleep 1000; :", "a\x1b[2Jb\nc\rd\x7fe"], 2)
    lines = table(t, bundle)
    assert len(lines) == 3 and lines[1].endswith("a?[2Jb?c?d?e"), lines


def test_names_with_brackets_and_blanks(t):
    bundle = up(t, "printf 'x) R 1 (' >/proc/self/comm; sleep 1000; :", 2)
    with open(f"/proc/{t.pid(bundle)}/comm", encoding="utf-8") as source:
        assert source.read() == "x) R 1 (\n", "the test is void"
    lines = table(t, bundle)
    assert [int(p) for p in column(lines)] == pids(t, bundle), lines
    assert set(column(lines, "S")) <= set("RSD"), lines


def test_table_of_the_hosts_ps(t):
    if not (os.path.exists("/bin/ps") or os.path.exists("/usr/bin/ps")):
        t.skip("no ps(1) here")
    bundle = up(t, THREE, 3)
    want = [str(p) for p in pids(t, bundle)]
    for args in (["-ef"], ["aux"], ["-o", "pid,args"], ["-e", "-o", "comm,pid,args"], ["-eLf"],
                 ["-o", "args,pid"]):
        lines = table(t, bundle, *args)
        assert len(lines) == 4, (args, lines)
        if args[-1] != "args,pid":
            assert sorted(column(lines), key=int) == want, (args, lines)


def test_ps_options_that_do_not_work_are_explained(t):
    bundle = up(t)
    t.fails("ps", bundle.id, "--no-such-option", has="ps")
    t.fails("ps", bundle.id, "-o", "comm", has="PID")
    t.fails("ps", "--format", "json", bundle.id, "-ef", has="-ef")
    t.fails("ps", "--format", "yaml", bundle.id, has="yaml")


def test_the_callers_environment_does_not_choose_the_program(t):
    bundle = up(t)
    fake = t.file("bin", "") and t.mkdir("evil")
    marker = t.path("marker")
    t.file(os.path.join(fake, "ps"), f"#!/bin/sh\ntouch {marker}\n", 0o755)
    result = t.rt("ps", bundle.id, "-ef", env={"PATH": fake, "PS_FORMAT": "comm",
                                               "LD_PRELOAD": "/no/such/library"})
    assert str(t.pid(bundle)) in result.out and not os.path.exists(marker), result


def test_stopped_container_has_none(t):
    bundle = stopped(t)
    assert pids(t, bundle) == []
    assert len(table(t, bundle)) == 1
    assert len(table(t, bundle, "-ef")) == 1


def test_what_init_left_behind_is_listed(t):
    bundle = t.bundle("sleep 1000 & exit 0", mutate=no_pid_namespace)
    t.run_container(bundle, "--detach")
    t.wait_status(bundle, "stopped")
    found = pids(t, bundle)
    left = commands(cgroups(t, bundle)[0])
    assert len(found) == 1 and any("sleep" in line for line in left), (found, left)


def test_unknown_container(t):
    t.fails("ps", "nobody", has="`nobody` does not exist")
    t.fails("ps")


@flavors("root", "rootless")
def test_without_a_cgroup_the_pid_namespace_tells(t):
    bundle = t.bundle(THREE)
    t.rt("--cgroup-manager", "disabled", "run", "-d", "-b", bundle.path, bundle.id)
    t.wait_until(lambda: len(pids(t, bundle)) == 3, "three processes")
    assert t.pid(bundle) in pids(t, bundle)
    bundle = t.bundle(THREE, mutate=no_pid_namespace)
    t.rt("--cgroup-manager", "disabled", "run", "-d", "-b", bundle.path, bundle.id)
    assert pids(t, bundle) == [t.pid(bundle)]
    t.kill(bundle, "KILL")
    for line in hostside.descendants(os.getpid()).items():
        if line[1][1] == "sleep" and line[0] not in pids(t, bundle):
            try:
                os.kill(line[0], 9)
            except ProcessLookupError:
                pass
