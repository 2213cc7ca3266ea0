# SPDX-License-Identifier: Apache-2.0
"""config.md without mounts and hooks, sentence by sentence; see config.txt."""

import json
import os

from harness import fields

SLEEP = ["sleep", "1000"]


def refused(t, change, **kwargs):
    """create fails and leaves nothing; `change` is merged into the configuration."""
    bundle = t.bundle(mutate=change, **kwargs)
    result = t.fails("create", "--bundle", bundle.path, bundle.id)
    t.assert_no_trace(bundle)
    return result


def limit(kind, soft, hard):
    return {"process": {"rlimits": [{"type": kind, "soft": soft, "hard": hard}]}}


# ---- Specification version ----------------------------------------------------------------


def test_specification_version_1_is_a_semantic_version(t):
    for version in ("", "1", "1.0", "one", "1.0.0.0", "v1.0.0"):
        refused(t, {"ociVersion": version})
    for version in ("1.0.0", "1.0.2-dev", "1.1.0+build.5"):
        t.run_container(t.bundle(mutate={"ociVersion": version}))


# ---- Root -----------------------------------------------------------------------------------


def test_root_3_path_need_not_be_called_rootfs(t):
    bundle = t.bundle("echo here")
    os.rename(bundle.rootfs, os.path.join(bundle.path, "tree"))
    bundle.config["root"]["path"] = "tree"
    assert t.run_container(bundle.save()).out == "here\n"


def test_root_4_a_directory_exists_at_the_path(t):
    refused(t, {"root": {"path": "missing"}})
    refused(t, {"root": {"path": "config.json"}})


def test_root_5_readonly_root_is_read_only(t):
    bundle = t.bundle("touch /file", own_rootfs=True, mutate={"root": {"readonly": True}})
    assert t.run_container(bundle, check=False).rc != 0
    assert not os.path.exists(os.path.join(bundle.rootfs, "file"))
    bundle = t.bundle("touch /file", own_rootfs=True, mutate={"root": {"readonly": None}})
    t.run_container(bundle)
    assert os.path.exists(os.path.join(bundle.rootfs, "file"))


# ---- Process --------------------------------------------------------------------------------


def test_process_1_console_size_is_ignored_without_a_terminal(t):
    size = {"process": {"consoleSize": {"height": 25, "width": 80}}}
    assert t.run_container(t.bundle("echo ran", mutate=size)).out == "ran\n"
    size["process"]["terminal"] = None
    assert t.run_container(t.bundle("echo ran", mutate=size)).out == "ran\n"


def test_process_2_working_directory_is_absolute(t):
    refused(t, {"process": {"cwd": "tmp"}})
    assert t.run_container(t.bundle("pwd", mutate={"process": {"cwd": "/tmp"}})).out == "/tmp\n"


# ---- POSIX process --------------------------------------------------------------------------


def test_posix_process_1_unknown_limits_are_an_error(t):
    refused(t, limit("RLIMIT_NONSENSE", 1, 1))
    refused(t, limit("NOFILE", 1, 1))


def test_posix_process_2_every_limit_can_be_asked_for(t):
    names = ("CORE", "CPU", "FSIZE", "DATA", "STACK", "AS", "NPROC", "NOFILE", "MEMLOCK")
    entries = [{"type": "RLIMIT_" + name, "soft": 32, "hard": 32} for name in ("CORE", "NOFILE")]
    bundle = t.bundle(mutate={"process": {"rlimits": entries}})
    found = {line.split()[0]: line.split()[1:] for line in t.probe(bundle, "rlimits")["rlimits"]}
    assert {"RLIMIT_" + name for name in names} <= set(found), found
    assert found["RLIMIT_CORE"] == found["RLIMIT_NOFILE"] == ["32", "32"], found


def limits_of(t, **limits):
    entries = [{"type": "RLIMIT_" + name, "soft": soft, "hard": hard}
               for name, (soft, hard) in limits.items()]
    bundle = t.bundle("cat /proc/self/limits", mutate={"process": {"rlimits": entries}})
    return t.run_container(bundle).out.splitlines()


def words_of(lines, head):
    return [line[len(head):].split() for line in lines if line.startswith(head)][0]


def test_posix_process_3_soft_limit_is_the_configured_one(t):
    lines = limits_of(t, NOFILE=(100, 200), CORE=(1024, 4096))
    assert words_of(lines, "Max open files")[0] == "100", lines
    assert words_of(lines, "Max core file size")[0] == "1024", lines


def test_posix_process_4_hard_limit_is_the_configured_one(t):
    lines = limits_of(t, NOFILE=(100, 200), CORE=(1024, 4096))
    assert words_of(lines, "Max open files")[1] == "200", lines
    assert words_of(lines, "Max core file size")[1] == "4096", lines


def test_posix_process_5_duplicated_limits_are_an_error(t):
    entry = {"type": "RLIMIT_NOFILE", "soft": 100, "hard": 100}
    refused(t, {"process": {"rlimits": [entry, entry]}})


# ---- Linux process --------------------------------------------------------------------------


def with_unknown_capability(t):
    names = ["CAP_KILL", "CAP_OF_NOBODY"]
    sets = {"bounding": names, "effective": names, "permitted": names, "ambient": None}
    return t.bundle(["/bin/probe", "status"], mutate={"process": {"capabilities": sets}})


def test_linux_process_1_unknown_capability_is_a_warning(t):
    bundle, log = with_unknown_capability(t), t.path("log")
    result = t.rt("--debug", "--log", log, "run", "--bundle", bundle.path, bundle.id)
    with open(log, encoding="utf-8") as source:
        assert "CAP_OF_NOBODY" in source.read() + result.err, result


def test_linux_process_2_unknown_capability_is_no_failure(t):
    result = t.run_container(with_unknown_capability(t))
    assert int(fields(result.probe["status"])["CapBnd"], 16) == 1 << 5, result


def score_of(t, process):
    bundle = t.bundle("cat /proc/self/oom_score_adj", mutate={"process": process})
    return t.run_container(bundle).out.strip()


def test_linux_process_3_oom_score_is_set(t):
    assert score_of(t, {"oomScoreAdj": 321}) == "321"


def test_linux_process_4_oom_score_is_left_alone(t):
    with open("/proc/self/oom_score_adj", "r+", encoding="ascii") as own:
        own.write("77")
    assert score_of(t, {"oomScoreAdj": None}) == "77"


# ---- Annotations ----------------------------------------------------------------------------


def test_annotations_1_are_a_map(t):
    refused(t, {"annotations": ["org.example.key"]})
    refused(t, {"annotations": "org.example.key"})


def test_annotations_2_keys_are_strings(t):
    bundle = t.bundle()
    with open(os.path.join(bundle.path, "config.json"), "r+", encoding="utf-8") as config:
        text = json.dumps(bundle.config)
        config.write('{"annotations": {1: "x"}, ' + text[1:])
        config.truncate()
    t.fails("create", "--bundle", bundle.path, bundle.id)
    t.assert_no_trace(bundle)


def test_annotations_3_keys_are_not_empty(t):
    refused(t, {"annotations": {"": "value"}})


def test_annotations_unknown_keys_are_no_error_and_reported_by_state(t):
    notes = {"org.opencontainers.nobody.knows": "x", "org.example.empty": ""}
    bundle = t.bundle(SLEEP, mutate={"annotations": notes})
    t.create(bundle)
    assert t.state(bundle)["annotations"].items() >= notes.items()


def test_annotations_values_are_strings(t):
    for value in (1, True, None, {"a": "b"}, ["x"]):
        def mutate(conf, value=value):
            conf["annotations"] = {"org.example.key": value}
        bundle = t.bundle(mutate=mutate)
        t.fails("create", "--bundle", bundle.path, bundle.id)
        t.assert_no_trace(bundle)


# ---- Extensibility and valid values ---------------------------------------------------------


def test_extensibility_1_unknown_properties_are_ignored(t):
    def mutate(conf):
        for place in (conf, conf["process"], conf["linux"], conf["root"], conf["mounts"][0],
                      conf["linux"]["resources"], conf["process"]["user"]):
            place["x-unknown"] = {"of": ["nobody", 1, None]}
    assert t.run_container(t.bundle("echo ran", mutate=mutate)).out == "ran\n"


def test_valid_values_1_invalid_values_are_an_error(t):
    for change in ({"process": {"cwd": ""}}, {"process": {"args": []}},
                   {"process": {"user": {"uid": -1, "gid": 0}}},
                   {"linux": {"rootfsPropagation": "sideways"}},
                   {"linux": {"namespaces": [{"type": "nonsense"}]}}):
        refused(t, change)
