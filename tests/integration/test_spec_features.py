# SPDX-License-Identifier: Apache-2.0
"""spec writes a config that runs; features tells engines what they may ask for."""

import json
import os

import hostside
from harness import flavors


def spec(t, *opts, cwd=None):
    where = cwd or t.mkdir(t.new_id())
    result = t.rt("spec", *opts, cwd=where)
    assert result.out == result.err == "", result
    with open(os.path.join(where, "config.json"), encoding="utf-8") as source:
        return where, json.load(source)


@flavors("root", "rootless")
def test_spec_writes_a_config_into_the_working_directory(t):
    _where, conf = spec(t)
    assert conf["ociVersion"].startswith("1."), conf
    assert conf["process"]["terminal"] is True and conf["process"]["args"] == ["sh"], conf
    assert conf["root"]["path"] == "rootfs", conf
    assert {n["type"] for n in conf["linux"]["namespaces"]} >= {"pid", "network", "ipc", "uts",
                                                               "mount"}, conf
    assert {m["destination"] for m in conf["mounts"]} >= {
        "/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys"}, conf
    assert conf["process"]["noNewPrivileges"] is True
    assert conf["linux"]["maskedPaths"] and conf["linux"]["readonlyPaths"]


def test_spec_writes_into_the_bundle(t):
    for option in ("--bundle", "-b"):
        where = t.mkdir(t.new_id())
        t.rt("spec", option, where)
        json.load(open(os.path.join(where, "config.json"), encoding="utf-8"))


def test_spec_refuses_to_overwrite(t):
    where = t.mkdir("there")
    path = t.file("there/config.json", "precious")
    t.fails("spec", cwd=where, has="config.json")
    assert open(path, encoding="ascii").read() == "precious"


def test_spec_refuses_to_write_through_a_dangling_symlink(t):
    where = t.mkdir("there")
    os.symlink(t.path("elsewhere"), os.path.join(where, "config.json"))
    t.fails("spec", cwd=where, has="config.json")
    assert not os.path.exists(t.path("elsewhere"))


def test_spec_into_a_missing_bundle_is_an_error(t):
    t.fails("spec", "--bundle", "/no/such/bundle", has="/no/such/bundle")


def adapt(conf):
    conf["process"].update(terminal=False, args=["sh", "-c", "echo it-runs; id -u"])
    return conf


def run_spec(t, *opts):
    bundle = t.bundle()
    os.unlink(os.path.join(bundle.path, "config.json"))
    _where, conf = spec(t, *opts, cwd=bundle.path)
    bundle.config = adapt(conf)
    if not t.rootless:
        conf["linux"]["cgroupsPath"] = bundle.cgroup
    bundle.save()
    result = t.run_container(bundle)
    assert result.out == "it-runs\n0\n" and result.err == "", result
    return conf


def test_the_spec_that_was_written_runs(t):
    run_spec(t)


@flavors("rootless")
def test_the_rootless_spec_runs_without_privileges(t):
    conf = run_spec(t, "--rootless")
    assert {"type": "user"} in conf["linux"]["namespaces"], conf
    assert conf["linux"]["uidMappings"] == [{"containerID": 0, "hostID": t.uid, "size": 1}]
    assert conf["linux"]["gidMappings"] == [{"containerID": 0, "hostID": t.gid, "size": 1}]
    assert "resources" not in conf["linux"] or not conf["linux"]["resources"], conf


def test_the_spec_runs_on_a_terminal_as_it_is(t):
    bundle = t.bundle()
    os.unlink(os.path.join(bundle.path, "config.json"))
    spec(t, cwd=bundle.path)
    pty = t.pty("run", "-b", bundle.path, bundle.id)
    pty.expect("# ")
    pty.send(b"echo $((40+2)); exit 3\r")
    pty.expect("42")
    assert pty.wait() == 3


def test_a_container_without_cgroups_path_gets_one_of_its_own(t):
    bundle = t.bundle(["sleep", "1000"], mutate={"linux": {"cgroupsPath": None}})
    bundle.cgroup = None
    t.create(bundle)
    text = open(f"/proc/{t.pid(bundle)}/cgroup", encoding="ascii").read()
    assert f"{bundle.id}\n" in text and hostside.find_cgroups(bundle.id), text
    t.delete(bundle)
    assert hostside.find_cgroups(bundle.id) == []


# ---- features ----------------------------------------------------------------------------------

def features(t, **kwargs):
    result = t.rt("features", **kwargs)
    assert result.err == "", result
    return json.loads(result.out)


@flavors("root", "rootless")
def test_recipe_1_features_is_json_and_nothing_else(t):
    facts = features(t)
    assert facts["ociVersionMin"] and facts["ociVersionMax"], facts
    assert facts["linux"]["mountExtensions"]["idmap"]["enabled"] in (True, False), facts
    assert "rro" in facts["mountOptions"], facts


def test_features_needs_no_environment_and_no_root_directory(t):
    assert features(t, root=False, only_env={}) == features(t)


def test_features_top_level(t):
    facts = features(t)
    assert set(facts["hooks"]) == {"prestart", "createRuntime", "createContainer",
                                   "startContainer", "poststart", "poststop"}, facts["hooks"]
    assert {"bind", "rbind", "ro", "rw", "nosuid", "nodev", "noexec", "rprivate", "rslave",
            "rshared", "relatime", "noatime", "tmpcopyup", "rro"} <= set(facts["mountOptions"])
    assert all(isinstance(v, str) for v in facts.get("annotations", {}).values()), facts
    assert all(isinstance(v, str) for v in facts["potentiallyUnsafeConfigAnnotations"]), facts


def test_features_linux(t):
    linux = features(t)["linux"]
    assert set(linux["namespaces"]) == {"cgroup", "ipc", "mount", "network", "pid", "user", "uts",
                                        "time"}, linux
    assert "CAP_SYS_ADMIN" in linux["capabilities"] and len(linux["capabilities"]) >= 41, linux
    assert all(c.startswith("CAP_") for c in linux["capabilities"])
    for key in ("v1", "v2", "systemd", "systemdUser", "rdma"):
        assert isinstance(linux["cgroup"][key], bool), linux["cgroup"]
    assert linux["cgroup"]["v1"] and linux["cgroup"]["v2"]
    for key in ("apparmor", "selinux", "intelRdt", "netDevices"):
        assert isinstance(linux[key]["enabled"], bool), linux[key]


def test_features_seccomp(t):
    seccomp = features(t)["linux"]["seccomp"]
    assert isinstance(seccomp["enabled"], bool), seccomp
    if seccomp["enabled"]:
        assert {"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_NOTIFY"} <= set(seccomp["actions"])
        assert {"SCMP_CMP_EQ", "SCMP_CMP_MASKED_EQ"} <= set(seccomp["operators"]), seccomp
        assert any(a.startswith("SCMP_ARCH_") for a in seccomp["archs"]), seccomp
        assert set(seccomp["supportedFlags"]) <= set(seccomp["knownFlags"]), seccomp


def test_features_are_stable_words_without_duplicates(t):
    facts = features(t)
    for words in (facts["mountOptions"], facts["hooks"], facts["linux"]["capabilities"],
                  facts["linux"]["namespaces"]):
        assert len(words) == len(set(words)), words


def test_mount_options_that_features_lists_are_accepted(t):
    # A promise per word: none of them may be refused as unknown.
    bundle = t.bundle(mutate={"root": {"readonly": False}})
    base, source = list(bundle.config["mounts"]), t.mkdir("source")
    for option in features(t)["mountOptions"]:
        if "idmap" in option or option in ("copy-symlink", "src-nofollow", "dest-nofollow",
                                             "remount"):
            continue   # these need more than the word
        option += "" if not option.endswith("=") else "1"
        refusals = []
        for kind, more in (("bind", ["bind"]), ("tmpfs", [])):
            bundle.config["mounts"] = base + [{"destination": "/mnt", "type": kind,
                                               "source": source, "options": more + [option]}]
            bundle.save()
            result = t.run_container(bundle, check=False)
            if result.rc:
                refusals.append(result.err)
        assert len(refusals) < 2, (option, refusals)
