# SPDX-License-Identifier: Apache-2.0
"""What a failure leaves on stderr and in the log file."""

import json
import os

from harness import flavors, one_json_line, rfc3339


def lines_of(path):
    with open(path, encoding="utf-8") as source:
        return [json.loads(line) for line in source.read().splitlines()]


def log_options(t, name="log", form="json"):
    return ["--log", t.path(name), "--log-format", form]


@flavors("root", "rootless")
def test_a_failure_is_one_json_line_with_message_level_and_time(t):
    result = t.fails(*log_options(t), "state", "nope")
    entry = one_json_line(t.path("log"))
    assert set(entry) >= {"msg", "level", "time"}, entry
    assert entry["level"] == "error" and "`nope` does not exist" in entry["msg"], entry
    assert rfc3339(entry["time"]), entry
    assert result.out == "", result


@flavors("root", "rootless")
def test_stderr_is_plain_text_even_with_a_json_log(t):
    bundle = t.bundle(["nosuch"])
    result = t.fails(*log_options(t), "create", "-b", bundle.path, bundle.id)
    assert not result.err.lstrip().startswith("{"), result
    entry = one_json_line(t.path("log"))
    assert entry["msg"].strip() in result.err, (entry, result)
    assert len(result.err.strip().splitlines()) == 1, result


def test_recipe_3_kill_and_delete_of_an_unknown_container(t):
    for number, args in enumerate((["kill", "nope", "9"], ["delete", "nope"])):
        t.fails(*log_options(t, f"l{number}"), *args, has="does not exist")
        entry = one_json_line(t.path(f"l{number}"))
        assert "does not exist" in entry["msg"] and rfc3339(entry["time"]), entry
        # the text of ENOENT would make dockerd answer "command not found"
        assert "no such file" not in entry["msg"].lower(), entry


def test_recipe_3_forced_delete_of_an_unknown_container_is_silent(t):
    result = t.rt(*log_options(t), "delete", "--force", "nope")
    assert result.out == result.err == "", result
    assert os.path.getsize(t.path("log")) == 0


def test_recipe_11_two_failures_are_two_lines_and_one_write_each(t):
    bundle = t.bundle(["nosuch"])
    for count in (1, 2):
        read_end, write_end = os.pipe2(os.O_DIRECT)   # packet mode: one read per write
        t.rt(*log_options(t), "create", "-b", bundle.path, bundle.id, check=False,
             stderr=write_end)
        os.close(write_end)
        packet = os.read(read_end, 8191)
        assert b"executable file" in packet and b"nosuch" in packet, packet
        assert packet.endswith(b"\n"), packet
        assert os.read(read_end, 8191) == b"", "a second write, or stderr is still held"
        os.close(read_end)
        assert len(lines_of(t.path("log"))) == count


def test_success_logs_nothing_but_makes_the_file(t):
    bundle = t.bundle()
    result = t.rt(*log_options(t), "run", "-b", bundle.path, bundle.id)
    assert result.out == result.err == "", result
    assert os.path.getsize(t.path("log")) == 0


def test_success_is_silent_for_every_command(t):
    bundle = t.bundle(["sleep", "1000"])
    for args in (["create", "-b", bundle.path, bundle.id], ["start", bundle.id],
                 ["kill", bundle.id, "KILL"], ["delete", "--force", bundle.id]):
        result = t.rt(*args)
        assert result.out == result.err == "", result


def test_log_is_opened_before_anything_is_validated(t):
    # containerd takes a missing log file for a missing command.
    for number, args in enumerate((
            ["run", "--bundle", "/no/such/bundle", "x"], ["frobnicate"],
            ["create", "--invalidflag", "x"], ["run"], ["state", "../x"])):
        t.fails(*log_options(t, f"l{number}"), *args)
        assert one_json_line(t.path(f"l{number}"))["level"] == "error"


def test_log_is_appended_to(t):
    t.file("log", '{"msg":"earlier","level":"error","time":"2026-01-01T00:00:00Z"}\n')
    t.fails(*log_options(t), "state", "nope")
    entries = lines_of(t.path("log"))
    assert [e["msg"] for e in entries][0] == "earlier" and len(entries) == 2, entries


def test_concurrent_failures_do_not_mix_their_lines(t):
    children = [t.popen(*log_options(t), "state", f"nope{n}", stderr=-3) for n in range(12)]
    assert all(child.wait() != 0 for child in children)
    entries = lines_of(t.path("log"))
    assert len(entries) == 12 and len({e["msg"] for e in entries}) == 12, entries


def test_text_log_is_the_message_only(t):
    result = t.fails("--log", t.path("log"), "state", "nope")
    with open(t.path("log"), encoding="utf-8") as source:
        text = source.read()
    assert "`nope` does not exist" in text and not text.startswith("{"), text
    assert len(text.splitlines()) == 1 and "`nope` does not exist" in result.err, text


def test_json_format_without_a_log_file_still_prints_to_stderr(t):
    result = t.fails("--log-format", "json", "state", "nope", has="nope")
    assert "does not exist" in result.err, result


def test_log_that_cannot_be_opened_is_an_error_that_names_it(t):
    result = t.fails("--log", "/no/such/dir/log", "list", has="/no/such/dir/log", code="LOG_FILE")
    assert result.rc != 0, result


def test_full_log_device_does_not_swallow_the_message(t):
    t.fails("--log", "/dev/full", "--log-format", "json", "state", "nope",
            has="`nope` does not exist")


def test_log_destination_file_prefix(t):
    t.fails("--log", f"file:{t.path('log')}", "--log-format=json", "state", "nope")
    one_json_line(t.path("log"))


def test_journald_and_syslog_destinations_never_fail_a_command(t):
    for where in ("journald:some-id", "syslog:some-id"):
        result = t.rt(f"--log={where}", "--log-level=error", "list", "-q")
        assert result.err == "", result
        t.fails(f"--log={where}", "state", "nope", has="does not exist")


def test_debug_says_something_and_keeps_the_log_json(t):
    bundle = t.bundle()
    t.rt("--debug", *log_options(t), "run", "-b", bundle.path, bundle.id)
    entries = lines_of(t.path("log"))
    assert entries and {e["level"] for e in entries} <= {"debug", "warning"}, entries
    assert all(rfc3339(e["time"]) for e in entries), entries


def test_log_level_debug_equals_debug(t):
    bundle = t.bundle()
    t.rt("--log-level=debug", *log_options(t), "run", "-b", bundle.path, bundle.id)
    assert lines_of(t.path("log"))


def test_odd_bytes_are_escaped_in_the_log_and_stay_one_line(t):
    for number, name in enumerate(('a"b', "a\nb", "a\\b", "a\tb\x01", b"a\xff\xfeb")):
        result = t.fails(*log_options(t, f"l{number}"), "state",
                         name if isinstance(name, str) else os.fsdecode(name))
        one_json_line(t.path(f"l{number}"))
        assert len(result.err.strip("\n").splitlines()) == 1, result


def test_long_messages_stay_whole(t):
    name = "x" * 900
    bundle = t.bundle([name])
    result = t.fails(*log_options(t), "create", "-b", bundle.path, bundle.id)
    assert name in result.err and name in one_json_line(t.path("log"))["msg"]


# ---- stderr that nobody reads ------------------------------------------------------------------

def broken_pipe():
    read_end, write_end = os.pipe()
    os.close(read_end)
    return write_end


def test_create_survives_a_closed_stderr_reader(t):
    bundle = t.bundle(["sleep", "1000"])
    fd = broken_pipe()
    t.rt("--debug", "create", "-b", bundle.path, bundle.id, stderr=fd)
    os.close(fd)
    assert t.state(bundle)["status"] == "created"


def test_failing_create_with_a_closed_stderr_reader_cleans_up(t):
    bundle = t.bundle(["nosuch"])
    fd = broken_pipe()
    result = t.rt(*log_options(t), "create", "-b", bundle.path, bundle.id, stderr=fd, check=False)
    os.close(fd)
    assert 0 < result.rc < 128, result
    one_json_line(t.path("log"))
    t.assert_no_trace(bundle)


def test_error_of_the_payload_after_start_is_not_a_log_entry(t):
    bundle = t.bundle("echo trouble >&2; exit 9")
    result = t.rt(*log_options(t), "run", "-b", bundle.path, bundle.id, check=False)
    assert result.rc == 9 and result.err == "trouble\n", result
    assert os.path.getsize(t.path("log")) == 0


def test_init_errors_are_logged_once_by_the_parent(t):
    bundle = t.bundle(mutate={"process": {"cwd": "/missing"}})
    result = t.fails(*log_options(t), "create", "-b", bundle.path, bundle.id)
    assert result.err.count("/missing") == 1, result
    assert one_json_line(t.path("log"))["msg"].count("/missing") == 1
