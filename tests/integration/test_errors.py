# SPDX-License-Identifier: Apache-2.0
"""What a create that fails says, and that it leaves nothing behind."""

import os
import re

from harness import flavors
from test_lifecycle import SLEEP
from test_run import hook


def refuse(t, bundle, *texts, ending=None, verbs=(["create"], ["run"], ["run", "--detach"])):
    """Every way to create the container fails with one line that has `texts`; no trace stays."""
    for verb in verbs:
        result = t.fails(*verb, "-b", bundle.path, bundle.id, has=list(texts))
        assert len(result.err.strip().splitlines()) == 1, result
        if ending:
            assert result.err.rstrip("\n").endswith(ending), result
        assert result.rc not in (126, 127), "that is the payload's to say"
        t.assert_no_trace(bundle)
    return result


def then_works(t, bundle, **process):
    """The retry with the same id succeeds as soon as the config is right."""
    bundle.config["process"].update(process or {"args": ["true"], "cwd": "/"})
    bundle.save()
    assert t.run_container(bundle).err == ""


# ---- §6.2: the command -------------------------------------------------------------------------

@flavors("root", "rootless")
def test_missing_command(t):
    bundle = t.bundle(["nosuch"])
    refuse(t, bundle, "executable file not found in $PATH: executable file `nosuch` not found in "
           "$PATH: No such file or directory", ending="No such file or directory")
    then_works(t, bundle)


def test_missing_command_by_absolute_path(t):
    bundle = t.bundle(["/no/such"])
    refuse(t, bundle, ending="executable file `/no/such` not found: No such file or directory")
    then_works(t, bundle)


def test_missing_command_by_relative_path(t):
    bundle = t.bundle(["./such"])
    refuse(t, bundle, "./such", ending="No such file or directory")


def test_empty_command(t):
    bundle = t.bundle([""])
    refuse(t, bundle, ending="cannot find `` in $PATH: No such file or directory")
    then_works(t, bundle)


@flavors("root", "rootless")
def test_directory_as_command(t):
    bundle = t.bundle(["/etc"])
    refuse(t, bundle, "exec: permission denied: ",
           ending="the path `/etc` is not a regular file: Operation not permitted")
    then_works(t, bundle)


def test_command_without_execute_permission(t):
    bundle = t.bundle(["/tmp/script"])
    t.file(os.path.join(bundle.rootfs, "tmp/script"), "#!/bin/sh\n", mode=0o644)
    result = refuse(t, bundle, "/tmp/script", ending="ermission denied")
    assert re.search("exec.* permission denied", result.err), result


def test_command_on_a_noexec_mount(t):
    bundle = t.bundle(["/mnt/script"])
    source = t.mkdir("noexec")
    t.file("noexec/script", "#!/bin/sh\n", mode=0o755)
    bundle.config["mounts"].append({"destination": "/mnt", "type": "bind", "source": source,
                                    "options": ["bind", "noexec"]})
    os.mkdir(os.path.join(bundle.rootfs, "mnt"))
    bundle.save()
    result = refuse(t, bundle, "/mnt/script", ending="ermission denied")
    assert re.search("exec.* permission denied", result.err), result


def test_command_that_only_the_user_may_not_execute(t):
    bundle = t.bundle(["/tmp/script"], mutate={
        "process": {"user": {"uid": 1000, "gid": 1000}, "capabilities": None}})
    t.file(os.path.join(bundle.rootfs, "tmp/script"), "#!/bin/sh\n", mode=0o700)
    refuse(t, bundle, "/tmp/script", ending="ermission denied")


def test_search_skips_what_cannot_be_executed(t):
    # execvp's rule: a later directory may have the right one
    bundle = t.bundle(["tool"], mutate={"process": {"env": ["PATH=/tmp:/home/user:/root:/bin"]}})
    t.file(os.path.join(bundle.rootfs, "tmp/tool"), "no", mode=0o644)
    os.mkdir(os.path.join(bundle.rootfs, "home/user/tool"))
    t.file(os.path.join(bundle.rootfs, "root/tool"), "#!/bin/sh\nexit 17\n", mode=0o755)
    assert t.run_container(bundle, check=False).rc == 17


def test_search_uses_the_containers_path_only(t):
    bundle = t.bundle(["sh", "-c", "exit 0"], mutate={"process": {"env": ["PATH=/root"]}})
    refuse(t, bundle, "executable file `sh` not found in $PATH")


def test_script_with_a_missing_interpreter(t):
    # Only execve finds out, so this one may fail at start.
    bundle = t.bundle(["/tmp/script"])
    t.file(os.path.join(bundle.rootfs, "tmp/script"), "#!/no/such/shell\n", mode=0o755)
    result = t.fails("run", "-b", bundle.path, bundle.id, has="/tmp/script",
                     code="COMMAND_UNUSABLE")
    assert "No such file or directory" in result.err, result
    t.assert_no_trace(bundle)


# ---- §6.2: the rest of the process ------------------------------------------------------------

@flavors("root", "rootless")
def test_missing_working_directory(t):
    bundle = t.bundle(mutate={"process": {"cwd": "/missing"}})
    refuse(t, bundle, ending="chdir to `/missing`: No such file or directory")
    then_works(t, bundle)


def test_working_directory_that_is_a_file(t):
    bundle = t.bundle(mutate={"process": {"cwd": "/etc/passwd"}})
    refuse(t, bundle, "chdir to `/etc/passwd`", ending="Not a directory")


def test_relative_working_directory(t):
    refuse(t, t.bundle(mutate={"process": {"cwd": "tmp"}}), "cwd")


def test_init_that_vanishes_is_named(t):
    killer = "pid=$(sed 's/.*\"pid\": *\\([0-9]*\\).*/\\1/'); kill -9 $pid"
    bundle = t.bundle(SLEEP, mutate={"hooks": {"createRuntime": hook(killer)}})
    refuse(t, bundle, "read from the init process", verbs=(["create"],))


# ---- where the container does not come about ---------------------------------------------------

def test_failing_hook_is_named_with_its_exit_status(t):
    for kind in ("prestart", "createRuntime"):
        bundle = t.bundle("echo payload", mutate={"hooks": {kind: [
            {"path": "/bin/sh", "args": ["sh", "-c", "exit 37"]}]}})
        result = refuse(t, bundle, "/bin/sh", "37", kind)
        assert "payload" not in result.out, result


def test_missing_hook_is_named(t):
    bundle = t.bundle(mutate={"hooks": {"createRuntime": [{"path": "/no/such/hook"}]}})
    refuse(t, bundle, "/no/such/hook")


def test_hook_beyond_its_timeout_is_ended(t):
    bundle = t.bundle(mutate={"hooks": {"createRuntime": [
        {"path": "/bin/sleep", "args": ["sleep", "100"], "timeout": 1}]}})
    refuse(t, bundle, "/bin/sleep", verbs=(["create"],))


def test_mount_that_fails_is_named(t):
    for kind, source, options, has in (
            ("bind", "/no/such/source", ["bind"], "/no/such/source"),
            ("nosuchfs", "x", [], "/x"),
            ("tmpfs", "tmpfs", ["nosuchoption=1"], "/x")):
        bundle = t.bundle()
        bundle.config["mounts"].append({"destination": "/x", "type": kind, "source": source,
                                        "options": options})
        bundle.config["root"]["readonly"] = False
        bundle.save()
        refuse(t, bundle, has)


def test_missing_rootfs_is_named(t):
    bundle = t.bundle(mutate={"root": {"path": "nowhere"}})
    refuse(t, bundle, "nowhere")


def test_rootfs_that_is_a_file_is_named(t):
    bundle = t.bundle(mutate={"root": {"path": "config.json"}})
    refuse(t, bundle, "config.json")


def test_missing_bundle_is_named(t):
    for verb in ("create", "run"):
        t.fails(verb, "-b", "/no/such/bundle", t.new_id(), has="/no/such/bundle",
                code="BUNDLE_MISSING")
    assert t.state_entries() == []


def test_missing_config_is_named(t):
    path = t.mkdir("empty")
    for verb in ("create", "run"):
        t.fails(verb, "-b", path, t.new_id(), has="config.json", code="CONFIG_MISSING")
    assert t.state_entries() == []


def test_terminal_needs_a_console_socket(t):
    bundle = t.bundle(mutate={"process": {"terminal": True}})
    refuse(t, bundle, "console-socket", verbs=(["create"], ["run", "--detach"]))


def test_console_socket_that_nobody_listens_to(t):
    bundle = t.bundle(mutate={"process": {"terminal": True}})
    t.file("plain")
    for path in ("/no/such/socket", t.path("plain")):
        for verb in (["create"], ["run", "--detach"]):
            t.fails(*verb, "-b", bundle.path, "--console-socket", path, bundle.id, has=path)
            t.assert_no_trace(bundle)


def test_namespace_path_that_does_not_exist_is_named(t):
    bundle = t.bundle()
    bundle.config["linux"]["namespaces"][1]["path"] = "/proc/1/ns/nosuch"
    bundle.save()
    refuse(t, bundle, "/proc/1/ns/nosuch")


def test_namespace_path_of_another_kind_is_refused(t):
    bundle = t.bundle()
    bundle.config["linux"]["namespaces"][1]["path"] = "/proc/self/ns/uts"
    bundle.save()
    refuse(t, bundle, "/proc/self/ns/uts")


def test_late_failure_removes_the_cgroup_too(t):
    # The limits are written first; the mistake is the very last thing that is looked at.
    bundle = t.bundle(["nosuch"], mutate={"linux": {"resources": {
        "memory": {"limit": 64 << 20}, "pids": {"limit": 10}, "cpu": {"shares": 512}}}})
    refuse(t, bundle, "nosuch")
    then_works(t, bundle)


def test_many_failures_in_a_row_with_the_same_id(t):
    bundle = t.bundle(["nosuch"])
    for _n in range(20):
        t.fails("create", "-b", bundle.path, bundle.id)
        t.assert_no_trace(bundle)
    then_works(t, bundle)


# ---- bad documents -----------------------------------------------------------------------------

def bad(t, text, *has):
    bundle = t.bundle()
    t.file(os.path.join(bundle.path, "config.json"), text)
    result = refuse(t, bundle, *has, verbs=(["create"],))
    assert re.search(r"config\.json:\d+:\d+", result.err), f"no file:line:column in {result}"
    return result


GOOD = '{\n"ociVersion": "1.0.2",\n"root": {"path": "rootfs"},\n"process": {"cwd": "/",\n' \
       '"args": ["true"], "user": {"uid": 0, "gid": 0}%s},\n"linux": {"namespaces": [' \
       '{"type": "mount"}, {"type": "pid"}]%s}%s\n}\n'


def test_good_document_is_accepted(t):
    bundle = t.bundle()
    t.file(os.path.join(bundle.path, "config.json"), GOOD % ("", "", ""))
    assert t.run_container(bundle).err == ""


def test_unknown_fields_foreign_platforms_and_newer_minor_are_accepted(t):
    bundle = t.bundle()
    text = GOOD % (', "x": [1, {}]', ', "y": null', ', "windows": {"z": 1}, "vm": {}, "z": 1.5e3')
    t.file(os.path.join(bundle.path, "config.json"), text.replace("1.0.2", "1.99.0"))
    assert t.run_container(bundle).err == ""


def test_other_major_version_is_refused(t):
    bundle = t.bundle(mutate={"ociVersion": "2.0.0"})
    refuse(t, bundle, "2.0.0", verbs=(["create"],))


def test_wrong_type_names_pointer_expected_and_found(t):
    result = bad(t, GOOD.replace('["true"]', '"true"') % ("", "", ""), "/process/args", "array",
                 "string")
    assert "config.json:5:" in result.err, result
    bad(t, GOOD % (', "terminal": "yes"', "", ""), "/process/terminal", "true or false")
    bad(t, GOOD % (', "env": ["A=1", 7]', "", ""), "/process/env/1", "string")
    bad(t, GOOD % ("", "", ', "mounts": [{"destination": "/a"}, 3]'), "/mounts/1", "object")


def test_number_out_of_range_or_not_an_integer(t):
    text = GOOD % ("", "", "")
    for value in ("-1", "4294967296", "1.5", "1e400", "99999999999999999999999"):
        bad(t, text.replace('"uid": 0', f'"uid": {value}'), "/process/user/uid")


def test_missing_required_field(t):
    text = GOOD % ("", "", "")
    bad(t, text.replace('"path": "rootfs"', ""), "/root", "path")
    bad(t, text.replace('"ociVersion": "1.0.2",', ""), "ociVersion")
    bad(t, text.replace('{"type": "pid"}', "{}"), "/linux/namespaces/1", "type")


def test_unknown_enum_value_with_the_nearest_known_one(t):
    text = GOOD % ("", "", "")
    result = bad(t, text.replace('"type": "pid"', '"type": "pidd"'), "pidd",
                 "/linux/namespaces/1/type")
    assert re.search(r"\bpid\b", result.err), result


def test_duplicate_key(t):
    bad(t, (GOOD % ("", "", "")).replace('"cwd": "/",', '"cwd": "/", "cwd": "/tmp",'), "cwd",
        "twice")


def test_damaged_documents(t):
    text = GOOD % ("", "", "")
    for damaged in (text[:60], text[:-3], text + "x", text + text, "[]\n", "null", "\"\"",
                    text.replace(":", "=", 1), text.replace(",\n", ",,\n", 1)):
        bad(t, damaged)
    bad(t, (GOOD % (', "env": ["A=\udcff\udcfe"]', "", "")).encode(errors="surrogateescape"),
        "UTF-8")


def test_empty_document(t):
    bundle = t.bundle()
    t.file(os.path.join(bundle.path, "config.json"), "")
    refuse(t, bundle, "config.json", "empty", verbs=(["create"],))


def test_deep_nesting_is_refused_not_crashed_on(t):
    deep = "[" * 100000 + "]" * 100000
    bad(t, GOOD % ("", "", f', "x": {deep}'))


def test_nul_character_in_a_path_or_argument(t):
    bad(t, (GOOD % ("", "", "")).replace('"true"', '"tr\\u0000ue"'), "/process/args/0")


def test_config_that_is_no_regular_file(t):
    bundle = t.bundle()
    path = os.path.join(bundle.path, "config.json")
    os.unlink(path)
    os.mkdir(path)
    t.fails("create", "-b", bundle.path, bundle.id, has="config.json")
    os.rmdir(path)
    os.mkfifo(path)
    t.fails("create", "-b", bundle.path, bundle.id, has="config.json", timeout=5)
    t.assert_no_trace(bundle)


def test_document_without_process_can_be_created_but_not_run(t):
    bundle = t.bundle(mutate={"process": None})
    t.fails("run", "-b", bundle.path, bundle.id, has="process", code="CONFIG_VALUE")
    t.assert_no_trace(bundle)
