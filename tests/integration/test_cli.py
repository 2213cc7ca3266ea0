# SPDX-License-Identifier: Apache-2.0
"""The grammar of the command line, and where relative paths and the state directory lie."""

import os
import subprocess

from harness import flavors

COMMANDS = ["create", "start", "run", "state", "kill", "delete", "list", "spec", "features",
            "pause", "resume", "ps", "events", "stats"]


def listed(t, *options, **kwargs):
    return t.rt(*options, "list", "-q", root=False, **kwargs).out.split()


def test_root_in_two_words(t):
    bundle = t.bundle()
    t.create(bundle)
    assert listed(t, "--root", t.state_dir) == [bundle.id]


def test_root_with_equals_sign(t):
    bundle = t.bundle()
    t.create(bundle)
    assert listed(t, f"--root={t.state_dir}") == [bundle.id]


def test_repeated_root_last_wins(t):
    bundle = t.bundle()
    t.create(bundle)
    other = t.mkdir("other")
    assert listed(t, "--root", other, f"--root={t.state_dir}") == [bundle.id]
    assert listed(t, "--root", t.state_dir, "--root", other) == []


def test_every_global_option_in_two_words(t):
    t.rt("--log", t.path("log"), "--log-format", "json", "--log-level", "error",
         "--cgroup-manager", "cgroupfs", "list")


def test_every_global_option_with_equals_sign(t):
    t.rt(f"--log={t.path('log')}", "--log-format=json", "--log-level=warning", "--rootless=true",
         "--cgroup-manager=cgroupfs", "list")
    t.rt("--rootless=false", "list")
    t.rt("--rootless=auto", "list")


def test_flags_may_be_repeated(t):
    # What a wrapper that adds its own options to an engine's makes of a command line.
    result = t.rt("--debug", "--systemd-cgroup", "--debug", "--rootless=true", "--root",
                  t.state_dir, "--systemd-cgroup", "state", "nope", check=False)
    assert result.rc != 0 and "`nope` does not exist" in result.err, result


def test_repeated_log_and_format_last_wins(t):
    t.fails("--log-format", "text", f"--log={t.path('first')}", "--log-format=json", "--log",
            t.path("second"), "state", "nope", code="CONTAINER_UNKNOWN")
    assert open(t.path("second"), encoding="utf-8").read().startswith("{")
    assert not os.path.exists(t.path("first")) or os.path.getsize(t.path("first")) == 0


def test_command_options_in_both_forms(t):
    first, second = t.bundle("exit 3"), t.bundle("exit 4")
    assert t.rt("run", f"--bundle={first.path}", first.id, check=False).rc == 3
    assert t.rt("run", "-b", second.path, second.id, check=False).rc == 4


def test_single_dash_no_subreaper(t):
    bundle = t.bundle("exit 5")
    assert t.rt("run", "-no-subreaper", "--bundle", bundle.path, bundle.id, check=False).rc == 5


def test_clustered_short_flags(t):
    bundle = t.bundle()
    t.rt("run", "-db", bundle.path, bundle.id)
    t.wait_status(bundle, "stopped")


def test_unambiguous_abbreviation(t):
    bundle = t.bundle("exit 6")
    assert t.rt("run", "--bun", bundle.path, bundle.id, check=False).rc == 6


def test_ambiguous_abbreviation_is_refused(t):
    t.fails("--log-", "json", "list", has="--log-", code="USAGE")


def test_unknown_global_option_names_itself(t):
    t.fails("--invalidflag", "list", has="invalidflag")


def test_unknown_command_option_names_itself(t):
    for command in COMMANDS:
        t.fails(command, "--invalidflag", "x", has="invalidflag")


def test_unknown_short_option_names_itself(t):
    t.fails("list", "-Z", has="Z")


def test_unknown_command_names_itself(t):
    t.fails("frobnicate", "x", has="frobnicate")


def test_no_command_is_an_error(t):
    t.fails()


def test_help_is_on_stdout_and_succeeds(t):
    for args in (["--help"], ["-h"]):
        result = t.rt(*args)
        assert result.err == "", result
        for command in COMMANDS:
            assert command in result.out, (command, result)


def test_help_of_each_command(t):
    for command in COMMANDS:
        for option in ("--help", "-h"):
            result = t.rt(command, option)
            assert command in result.out and result.err == "", result


def test_help_of_create_lists_its_options(t):
    text = t.rt("create", "--help").out
    for option in ("--bundle", "--pid-file", "--console-socket", "--no-pivot", "--no-new-keyring",
                   "--preserve-fds", "--no-subreaper", "--config"):
        assert option in text, (option, text)


def test_version_lines(t):
    for option in ("--version", "-v"):
        result = t.rt(option)
        lines = result.out.splitlines()
        assert result.err == "", result
        assert lines[0].split()[:2] == ["crun", "version"] and len(lines[0].split()) == 3, result
        assert lines[1].startswith("commit: "), result
        assert any(line.startswith("spec: ") for line in lines), result
        # dockerd takes any line with this word for the version
        assert sum("version" in line for line in lines) == 1, result


def test_version_needs_no_environment_and_no_root_directory(t):
    result = t.rt("--version", root=False, only_env={})
    assert result.out and result.err == "", result


def test_options_stop_at_the_first_word(t):
    bundle = t.bundle(["sleep", "1000"])
    t.run_container(bundle, "--detach")
    t.fails("delete", bundle.id, "--force")
    assert t.state(bundle)["status"] == "running"


def test_double_dash_ends_the_options(t):
    bundle = t.bundle("exit 7")
    assert t.rt("run", "--bundle", bundle.path, "--", bundle.id, check=False).rc == 7
    t.fails("state", "--", "--help", has="--help", code="CONTAINER_ID")


def test_missing_container_id(t):
    for command in ("create", "start", "run", "state", "kill", "delete"):
        t.fails(command)


def test_too_many_arguments(t):
    for command in ("create", "start", "run", "state", "delete"):
        t.fails(command, "one", "two")


def test_missing_option_value(t):
    for args in (["--root"], ["--log-format"]):
        result = t.fails(*args, root=False)
        assert "requires an argument" in result.err, result
    result = t.fails("run", "--bundle")
    assert "requires an argument" in result.err, result


def test_value_where_none_is_taken(t):
    t.fails("run", "--detach=maybe", "x", has="detach")


def test_bad_values_of_options(t):
    t.fails("--log-format", "yaml", "list", has="yaml")
    t.fails("--log-level", "loud", "list", has="loud")
    t.fails("--cgroup-manager", "nobody", "list", has="nobody")
    t.fails("run", "--preserve-fds", "many", "x", has="many")
    t.fails("run", "--preserve-fds", "-1", "x", has="-1")


def test_usage_error_is_one_plain_line_plus_hint(t):
    result = t.fails("create", "--invalidflag", "x")
    assert len(result.err.splitlines()) <= 3 and len(result.err) < 600, result


# ---- paths ------------------------------------------------------------------------------------

def test_bundle_defaults_to_the_working_directory(t):
    bundle = t.bundle("exit 8")
    assert t.rt("run", bundle.id, check=False, cwd=bundle.path).rc == 8


def test_relative_bundle(t):
    bundle = t.bundle("sleep 1000")
    t.rt("create", "--bundle", os.path.basename(bundle.path), bundle.id, cwd=t.dir)
    assert t.state(bundle)["bundle"] == bundle.path


def test_relative_pid_file_is_resolved_against_the_callers_directory(t):
    bundle = t.bundle()
    where = t.mkdir("where")
    t.rt("create", "--bundle", bundle.path, "--pid-file", "a.pid", bundle.id, cwd=where)
    with open(os.path.join(where, "a.pid"), encoding="ascii") as source:
        assert int(source.read()) == t.pid(bundle)


def test_relative_console_socket_is_resolved_against_the_callers_directory(t):
    bundle = t.bundle(mutate={"process": {"terminal": True}})
    where = t.mkdir("where")
    sock = t.console_socket(os.path.join(where, "c.sock"))
    t.rt("create", "--bundle", bundle.path, "--console-socket", "c.sock", bundle.id, cwd=where)
    assert len(sock.accept()[1]) == 1


def test_relative_log_is_resolved_against_the_callers_directory(t):
    bundle = t.bundle(["nosuch"])
    where = t.mkdir("where")
    t.fails("--log", "l", "create", "--bundle", bundle.path, bundle.id, cwd=where)
    assert os.path.getsize(os.path.join(where, "l")) > 0
    assert not os.path.exists(os.path.join(bundle.path, "l"))


def test_relative_root(t):
    bundle = t.bundle("sleep 1000")
    t.rt("--root", "state", "create", "--bundle", bundle.path, bundle.id, cwd=t.dir, root=False)
    assert t.state(bundle)["status"] == "created"


def test_relative_config_lies_in_the_bundle(t):
    bundle = t.bundle("exit 1")
    os.rename(os.path.join(bundle.path, "config.json"), os.path.join(bundle.path, "other.json"))
    result = t.rt("run", "--config", os.path.join(bundle.path, "other.json"), "--bundle",
                  bundle.path, bundle.id, check=False)
    assert result.rc == 1 and result.err == "", result


def test_missing_root_directories_are_made_private(t):
    bundle = t.bundle()
    top = t.path("deep", "state")
    t.rt("--root", top, "create", "--bundle", bundle.path, bundle.id, root=False)
    try:
        assert os.stat(top).st_mode & 0o7777 == 0o700
    finally:
        t.rt("--root", top, "delete", bundle.id, root=False)


# ---- the state directory without --root --------------------------------------------------------

def test_root_is_taken_from_xdg_runtime_dir(t):
    bundle = t.bundle()
    env = {"XDG_RUNTIME_DIR": t.run_dir}
    t.rt("create", "--bundle", bundle.path, bundle.id, root=False, env=env)
    try:
        assert bundle.id in os.listdir(os.path.join(t.run_dir, "crun"))
    finally:
        t.rt("delete", bundle.id, root=False, only_env=env)
    assert bundle.id not in os.listdir(os.path.join(t.run_dir, "crun"))


def test_empty_xdg_runtime_dir_means_run_crun(t):
    # Podman as root sets the variable to the empty string.
    t.mount("tmpfs", "/run", "tmpfs")
    bundle = t.bundle(["sleep", "1000"])
    env = {"XDG_RUNTIME_DIR": ""}
    t.rt("create", "--bundle", bundle.path, bundle.id, root=False, env=env)
    assert bundle.id in os.listdir("/run/crun")
    for args in (["start", bundle.id], ["kill", bundle.id, "9"], ["delete", "--force", bundle.id]):
        result = t.rt(*args, root=False, only_env=env)
        assert result.out == result.err == "", result
    assert os.listdir("/run/crun") == []


def test_unset_xdg_runtime_dir_means_run_crun(t):
    t.mount("tmpfs", "/run", "tmpfs")
    bundle = t.bundle()
    t.rt("create", "--bundle", bundle.path, bundle.id, root=False, env={"XDG_RUNTIME_DIR": None})
    try:
        assert bundle.id in os.listdir("/run/crun")
    finally:
        t.rt("delete", bundle.id, root=False, only_env={})


@flavors("rootless")
def test_rootless_default_root(t):
    bundle = t.bundle()
    t.rt("create", "--bundle", bundle.path, bundle.id, root=False)
    try:
        assert bundle.id in os.listdir(os.path.join(t.run_dir, "crun"))
    finally:
        t.rt("delete", bundle.id, root=False, only_env={"XDG_RUNTIME_DIR": t.run_dir})


def test_commands_work_with_an_empty_environment(t):
    bundle = t.bundle(["sleep", "1000"])
    t.create(bundle, only_env={})
    for args in (["start", bundle.id], ["state", bundle.id], ["kill", bundle.id, "KILL"]):
        t.rt(*args, only_env={})
    t.wait_status(bundle, "stopped")
    t.rt("delete", bundle.id, only_env={})


def test_payload_gets_nothing_of_the_callers_environment(t):
    bundle = t.bundle()
    lines = t.probe(bundle, "env", env={"SECRET_OF_CALLER": "1"})["env"]
    names = {line.split("=")[0] for line in lines}
    assert names == {"PATH", "TERM", "HOME"}, lines
    assert "HOME=/root" in lines, lines


def test_argv_zero_may_be_missing_a_directory(t):
    # An engine may start the runtime by a name found in PATH.
    env = dict(t.environment(), PATH=os.path.dirname(t.runtime))
    done = subprocess.run([os.path.basename(t.runtime), "--version"], env=env, check=False,
                          executable=t.runtime, stdout=subprocess.PIPE)
    assert done.returncode == 0
