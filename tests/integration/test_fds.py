# SPDX-License-Identifier: Apache-2.0
"""Which descriptors the payload gets: the ones it was promised, and no others."""

import os
import re
import resource

from harness import flavors
from test_lifecycle import SLEEP
from test_run import hook


def numbers(sections):
    return sorted(int(line.split()[0]) for line in sections["fds"])


def at(number, text):
    """A pipe that holds `text`, its read end moved to the descriptor `number`."""
    read_end, write_end = os.pipe()
    os.write(write_end, text)
    os.close(write_end)
    os.dup2(read_end, number, inheritable=True)
    os.close(read_end)
    return number


@flavors("root", "rootless")
def test_payload_has_three_descriptors(t):
    assert numbers(t.probe(None, "fds")) == [0, 1, 2]


def test_payload_has_three_descriptors_after_create_and_start(t):
    bundle = t.bundle(["probe", "fds"])
    created = t.create(bundle)
    t.start(bundle)
    t.wait_status(bundle, "stopped")
    text = created.output()
    assert [int(line.split()[0]) for line in text.splitlines()[1:]] == [0, 1, 2], text


def test_recipe_8_a_hundred_inherited_descriptors_do_not_leak(t):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert soft > 600, (soft, hard)
    fds = [at(n, b"x") for n in list(range(40, 139)) + [500]]
    log = ["--log", t.path("log"), "--debug"]
    bundle = t.bundle(["probe", "fds"])
    result = t.rt(*log, "run", "-b", bundle.path, bundle.id, pass_fds=fds)
    assert numbers(result.probe) == [0, 1, 2]


def test_descriptor_above_the_limit_does_not_leak(t):
    """A limit that was lowered later says nothing about the numbers in use; and one of 2^20 and more is too many to try."""
    for calls, limit in ((None, 300), ("close_range", 300), ("close_range", 1048576)):
        if calls:
            t.without(calls)
        bundle = t.bundle(["probe", "fds"], mutate={"process": {"rlimits": None}})
        note = t.path(f"hook{calls}{limit}")
        bundle.config["hooks"] = {"prestart": hook(f"ls /proc/$$/fd >{note}")}
        bundle.save()
        argv = t.argv("run", "-b", bundle.path, bundle.id)
        result = t.rt(argv=["sh", "-c", f'ulimit -Sn {limit}; exec "$@"', "sh"] + argv,
                      pass_fds=[at(500, b"x")])
        assert numbers(result.probe) == [0, 1, 2], result
        with open(note, encoding="utf-8") as source:
            assert "500" not in source.read().split()


def test_preserve_fds_passes_what_was_asked_for(t):
    fds = [at(3, b"three"), at(4, b"four"), at(5, b"five")]
    bundle = t.bundle("cat <&3; cat <&4; ls /proc/self/fd | wc -l")
    result = t.run_container(bundle, "--preserve-fds", "2", pass_fds=fds)
    assert result.out == "threefour6\n", result   # 0-4 and the directory itself


def test_recipe_8_preserve_fds_with_holes(t):
    fds = [at(9, b"nine"), at(40, b"forty")]
    bundle = t.bundle(["probe", "fds"])
    result = t.run_container(bundle, "--preserve-fds", "38", pass_fds=fds)
    assert numbers(result.probe) == [0, 1, 2, 9, 40], result
    fds = [at(9, b"nine"), at(40, b"forty")]
    result = t.run_container(t.bundle("cat <&9; cat <&40"), "--preserve-fds=38", pass_fds=fds)
    assert result.out == "nineforty", result


def test_preserve_fds_survive_create_and_start(t):
    fds = [at(3, b"three")]
    bundle = t.bundle("cat <&3")
    created = t.create(bundle, "--preserve-fds", "1", pass_fds=fds)
    t.start(bundle)
    t.wait_status(bundle, "stopped")
    assert created.output() == "three", created.output()


def test_preserve_zero_fds(t):
    fds = [at(3, b"three")]
    bundle = t.bundle(["probe", "fds"])
    result = t.run_container(bundle, "--preserve-fds", "0", pass_fds=fds)
    assert numbers(result.probe) == [0, 1, 2], result


def test_preserve_more_fds_than_there_are(t):
    result = t.run_container(t.bundle(["probe", "fds"]), "--preserve-fds", "100")
    assert numbers(result.probe) == [0, 1, 2], result


def listen(t, bundle, count, *opts, fds=()):
    """Run as systemd starts a socket-activated service: LISTEN_PID is the runtime's pid."""
    argv = t.argv("run", "-b", bundle.path, *opts, bundle.id)
    return t.rt(argv=["sh", "-c", f'export LISTEN_PID=$$ LISTEN_FDS={count}; exec "$@"', "sh"]
                + argv, pass_fds=fds)


def test_listen_fds_are_passed_and_announced(t):
    fds = [at(3, b"three"), at(4, b"four")]
    bundle = t.bundle("cat <&3; cat <&4; echo; echo $LISTEN_FDS $LISTEN_PID")
    result = listen(t, bundle, 2, fds=fds)
    assert result.out == "threefour\n2 1\n", result


def test_listen_fds_do_not_add_to_preserved_ones(t):
    # Podman passes both with the same meaning; what follows belongs to conmon.
    fds = [at(3, b"three"), at(4, b"four")]
    bundle = t.bundle(["probe", "fds"])
    result = listen(t, bundle, 1, "--preserve-fds", "1", fds=fds)
    assert numbers(result.probe) == [0, 1, 2, 3], result


def test_listen_fds_of_another_process_are_not_ours(t):
    fds = [at(3, b"three")]
    bundle = t.bundle(["probe", "fds"])
    result = t.run_container(bundle, env={"LISTEN_FDS": "1", "LISTEN_PID": "1"}, pass_fds=fds)
    assert numbers(result.probe) == [0, 1, 2], result


def test_no_listen_fds_no_announcement(t):
    assert "LISTEN" not in t.run_container(t.bundle(["env"])).out


def test_hooks_have_three_descriptors(t):
    for kind in ("createRuntime", "poststart", "poststop"):
        log = t.file("fds" + kind)
        bundle = t.bundle(mutate={"hooks": {kind: hook(f"exec > {log}; exec ls -l /proc/self/fd")}})
        t.run_container(bundle, pass_fds=[at(30, b"x")])
        with open(log, encoding="utf-8") as source:
            fds = dict(re.findall(r" (\d+) -> (.*)", source.read()))
        # ls itself has the directory open
        extra = [target for number, target in fds.items() if int(number) > 2]
        assert len(fds) >= 3 and all(x.startswith("/proc/") for x in extra), fds


def test_runtime_files_are_never_a_working_directory(t):
    # CVE-2024-21626: a leaked directory descriptor as cwd leads out of the container.
    for number in range(3, 16):
        bundle = t.bundle("ls ..", mutate={"process": {"cwd": f"/proc/self/fd/{number}"}})
        t.fails("run", "-b", bundle.path, bundle.id)
        t.assert_no_trace(bundle)


def test_payload_cannot_see_the_hosts_directories_through_its_descriptors(t):
    bundle = t.bundle(["probe", "fds"])
    t.canary()
    for line in t.run_container(bundle).probe["fds"]:
        assert "/state/" not in line and bundle.path not in line, line


def test_soft_limit_of_descriptors_does_not_limit_the_runtime(t):
    bundle = t.bundle(["sh", "-c", "ulimit -n"], mutate={
        "process": {"rlimits": [{"type": "RLIMIT_NOFILE", "soft": 64, "hard": 64}]}})
    result = t.run_container(bundle, preexec_fn=lambda: resource.setrlimit(
        resource.RLIMIT_NOFILE, (32, 4096)))
    assert result.out == "64\n", result


def test_state_directory_is_closed_to_others(t):
    bundle = t.bundle(SLEEP)
    t.create(bundle)
    for here, _dirs, _files in os.walk(os.path.join(t.state_dir, bundle.id)):
        assert os.stat(here).st_mode & 0o077 in (0, 0o011), here
