# SPDX-License-Identifier: Apache-2.0
"""System call filters: actions, arguments, defaults, and when they are loaded."""

import json
import os
import platform

from harness import fields, flavors, instruments

HERE = os.path.dirname(os.path.abspath(__file__))
PROFILE = os.path.join(HERE, "..", "unit", "host", "seccomp_profile.json")
ENOSYS, ECHILD = 38, 10
SIGSYS_STATUS = 159


def rule(names, action, *args, errno=None):
    entry = {"names": names if isinstance(names, list) else [names], "action": action}
    if args:
        entry["args"] = list(args)
    if errno is not None:
        entry["errnoRet"] = errno
    return entry


def arg(index, value, op, value_two=None):
    entry = {"index": index, "value": value, "op": op}
    if value_two is not None:
        entry["valueTwo"] = value_two
    return entry


def filtered(t, args, *rules, default="SCMP_ACT_ALLOW", process=None, **more):
    """A bundle with this filter and a writable /tmp."""
    seccomp = dict({"defaultAction": default, "syscalls": list(rules)}, **more)
    bundle = t.bundle(args, mutate={"linux": {"seccomp": seccomp}, "process": process or {}})
    bundle.config["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"})
    return bundle.save()


MKDIR = ["mkdir", "mkdirat"]
CHMOD_MODE = 1   # of chmod(2)


@flavors("root", "rootless")
def test_errno_is_eperm_by_default(t):
    bundle = filtered(t, "mkdir /tmp/x; touch /tmp/y; ls /tmp", rule(MKDIR, "SCMP_ACT_ERRNO"))
    result = t.run_container(bundle)
    assert result.out == "y\n" and "Operation not permitted" in result.err, result


def test_errno_is_the_rules(t):
    bundle = filtered(t, "mkdir /tmp/x; rmdir /tmp/y",
                      rule(MKDIR, "SCMP_ACT_ERRNO", errno=ENOSYS),
                      rule("rmdir", "SCMP_ACT_ERRNO", errno=ECHILD))
    result = t.run_container(bundle, check=False)
    assert "Function not implemented" in result.err and "No child" in result.err, result


def test_errno_zero_pretends_success(t):
    bundle = filtered(t, "mkdir /tmp/x && ls /tmp | wc -l",
                      rule(MKDIR, "SCMP_ACT_ERRNO", errno=0))
    assert t.run_container(bundle).out == "0\n"


def test_kill_actions_end_the_caller(t):
    for action in ("SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD",
                   "SCMP_ACT_TRAP"):
        bundle = filtered(t, "mkdir /tmp/x; echo $?", rule(MKDIR, action))
        assert t.run_container(bundle).out == f"{SIGSYS_STATUS}\n", action


def test_payload_that_is_killed_itself_is_the_exit_status(t):
    bundle = filtered(t, ["mkdir", "/tmp/x"], rule(MKDIR, "SCMP_ACT_KILL_PROCESS"))
    assert t.run_container(bundle, check=False).rc == SIGSYS_STATUS


def test_log_and_allow_let_it_happen(t):
    bundle = filtered(t, "mkdir /tmp/x /tmp/y; ls /tmp", rule(MKDIR, "SCMP_ACT_LOG"))
    assert t.run_container(bundle).out == "x\ny\n"


def test_default_of_a_list_of_what_is_allowed(t):
    everything = allowed_names() + ["clone", "clone3", "personality"]
    for extra, words in (({}, "not permitted"), ({"defaultErrnoRet": ENOSYS}, "not implemented")):
        bundle = filtered(t, "mkdir /tmp/x; touch /tmp/y; ls /tmp",
                          rule([n for n in everything if n not in MKDIR], "SCMP_ACT_ALLOW"),
                          default="SCMP_ACT_ERRNO", **extra)
        result = t.run_container(bundle)
        assert result.out == "y\n" and words in result.err, result


def allowed_names():
    """What the Docker-like profile allows without conditions."""
    with open(PROFILE, encoding="utf-8") as source:
        profile = json.load(source)["linux"]["seccomp"]
    names = set()
    for entry in profile["syscalls"]:
        if entry["action"] == "SCMP_ACT_ALLOW" and not entry.get("args"):
            names.update(entry["names"])
    return sorted(names)


def refused_modes(t, *args):
    """Which of these modes chmod(2) does not get, under a rule with `args`."""
    modes = (0o100, 0o200, 0o300, 0o400, 0o700)
    script = "touch /tmp/x; " + "".join(
        f"chmod {mode:o} /tmp/x 2>/dev/null || echo {mode:o};" for mode in modes)
    result = t.run_container(filtered(t, script, rule("chmod", "SCMP_ACT_ERRNO", *args)))
    return [int(line, 8) for line in result.out.split()]


def test_arguments_are_compared(t):
    cases = (("SCMP_CMP_EQ", (0o300,), [0o300]),
             ("SCMP_CMP_NE", (0o300,), [0o100, 0o200, 0o400, 0o700]),
             ("SCMP_CMP_LT", (0o300,), [0o100, 0o200]),
             ("SCMP_CMP_LE", (0o300,), [0o100, 0o200, 0o300]),
             ("SCMP_CMP_GT", (0o300,), [0o400, 0o700]),
             ("SCMP_CMP_GE", (0o300,), [0o300, 0o400, 0o700]),
             ("SCMP_CMP_MASKED_EQ", (0o200, 0o200), [0o200, 0o300, 0o700]))
    for op, values, want in cases:
        found = refused_modes(t, arg(CHMOD_MODE, values[0], op, *values[1:]))
        assert found == want, (op, [oct(m) for m in found])


def test_several_arguments_must_all_match(t):
    both = (arg(CHMOD_MODE, 0o200, "SCMP_CMP_GE"), arg(0, 1, "SCMP_CMP_GT"))
    assert refused_modes(t, *both) == [0o200, 0o300, 0o400, 0o700]
    never = (arg(CHMOD_MODE, 0o200, "SCMP_CMP_GE"), arg(0, 0, "SCMP_CMP_EQ"))
    assert refused_modes(t, *never) == []


def test_one_argument_named_twice_means_either(t):
    assert refused_modes(t, arg(CHMOD_MODE, 0o100, "SCMP_CMP_EQ"),
                         arg(CHMOD_MODE, 0o400, "SCMP_CMP_EQ")) == [0o100, 0o400]


def test_filter_needs_no_new_privileges_nor_the_capability(t):
    for nnp in (True, False):
        for caps in ([], ["CAP_SYS_ADMIN"]):
            for uid in (0, 1000):
                sets = {kind: caps for kind in ("bounding", "effective", "permitted")}
                bundle = filtered(t, ["probe", "status"], rule(MKDIR, "SCMP_ACT_ERRNO"),
                                  process={"noNewPrivileges": nnp, "capabilities": sets,
                                           "user": {"uid": uid, "gid": uid}})
                status = fields(t.run_container(bundle).probe["status"])
                what = (nnp, caps, uid)
                assert status["Seccomp"] == "2", what
                assert status["NoNewPrivs"] == str(int(nnp)), what
                # The power to load a filter is not the payload's.
                want = 1 << 21 if caps and uid == 0 else 0
                assert int(status["CapEff"], 16) == want, (what, status["CapEff"])


def test_filter_is_loaded_where_no_thread_can_look_at_it(t):
    """A limit of one process: the self-audit, which all tests ask for, says so in the debug log and goes on."""
    for limit, looks in ((1, False), (2, True)):
        bundle = filtered(t, ["probe", "status"], rule(MKDIR, "SCMP_ACT_ERRNO"))
        bundle.config["linux"]["resources"] = {"pids": {"limit": limit}}
        bundle.save()
        done = t.rt("--debug", "run", "-b", bundle.path, bundle.id)
        assert ("filter cannot be looked at" in done.err) != looks, done
        assert "Seccomp:\t2" in done.out, done


@flavors("rootless")
def test_ordinary_user_may_filter_without_no_new_privileges(t):
    bundle = filtered(t, ["probe", "status"], rule(MKDIR, "SCMP_ACT_ERRNO"),
                      process={"noNewPrivileges": False})
    status = fields(t.run_container(bundle).probe["status"])
    assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", "0"), status


def test_without_seccomp_there_is_no_filter(t):
    if t.missing:
        t.skip("the filter of --without is in force")
    assert fields(t.run_container(t.bundle(["probe", "status"])).probe["status"])["Seccomp"] == "0"


@flavors("root", "rootless")
def test_profile_of_the_docker_kind_runs_programs(t):
    if platform.machine() != "x86_64":
        t.skip("the profile at hand is for x86_64")
    with open(PROFILE, encoding="utf-8") as source:
        profile = json.load(source)["linux"]["seccomp"]
    profile["flags"] = []
    script = "ls / | wc -l; mkdir /tmp/x; ps | wc -l; unshare -m true; echo unshare $?; " \
             "(sleep 0.1 & wait); dd if=/dev/zero of=/tmp/f bs=1k count=5; rm -r /tmp/x"
    bundle = t.bundle(script, mutate={"linux": {"seccomp": profile}})
    bundle.config["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"})
    bundle.save()
    result = t.run_container(bundle)
    assert "unshare 1" in result.out and "not permitted" in result.err, result
    # The same profile lives with create and start, and with a foreground terminal.
    t.create(bundle)
    t.start(bundle)
    t.wait_status(bundle, "stopped")
    t.delete(bundle)


def test_other_architectures_may_be_listed(t):
    if platform.machine() != "x86_64":
        t.skip("written for x86_64")
    bundle = filtered(t, "mkdir /tmp/x", rule(MKDIR, "SCMP_ACT_ERRNO"),
                      architectures=["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32",
                                     "SCMP_ARCH_AARCH64", "SCMP_ARCH_S390X"])
    result = t.run_container(bundle, check=False)
    assert result.rc == 1 and "not permitted" in result.err, result


def test_flags_are_taken(t):
    bundle = filtered(t, "true", rule(MKDIR, "SCMP_ACT_ERRNO"),
                      flags=["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
                             "SECCOMP_FILTER_FLAG_TSYNC"])
    t.run_container(bundle)


def test_unknown_system_calls_are_left_out(t):
    bundle = filtered(t, "mkdir /tmp/x",
                      rule(["no_such_system_call"] + MKDIR, "SCMP_ACT_ERRNO"),
                      rule(["another_one_from_the_future"], "SCMP_ACT_ALLOW"))
    result = t.run_container(bundle, check=False)
    assert result.rc == 1 and "not permitted" in result.err, result


def test_wrong_filters_are_refused_where_they_are_wrong(t):
    cases = ((rule(MKDIR, "SCMP_ACT_NOSUCH"), {}, "action"),
             (rule([], "SCMP_ACT_ERRNO"), {}, "names"),
             (rule(MKDIR, "SCMP_ACT_ERRNO", arg(6, 1, "SCMP_CMP_EQ")), {}, "index"),
             (rule(MKDIR, "SCMP_ACT_ERRNO", arg(1, 1, "SCMP_CMP_XX")), {}, "op"),
             (rule(MKDIR, "SCMP_ACT_ERRNO", errno=5000), {}, "errnoRet"),
             (rule(MKDIR, "SCMP_ACT_KILL", errno=1), {}, "errnoRet"),
             (rule(MKDIR, "SCMP_ACT_NOTIFY"), {}, "listenerPath"),
             (rule(MKDIR, "SCMP_ACT_ERRNO"), {"architectures": ["SCMP_ARCH_VAX"]}, "VAX"),
             (rule(MKDIR, "SCMP_ACT_ERRNO"), {"flags": ["SECCOMP_FILTER_FLAG_NO"]}, "FLAG_NO"))
    for entry, more, word in cases:
        bundle = filtered(t, "true", entry, **more)
        t.fails("run", "-b", bundle.path, bundle.id, has=["seccomp", word])
        t.assert_no_trace(bundle)


def forbidding(t):
    """Default actions; not ERRNO with a sanitizer, whose handler of the crash cannot exit then."""
    actions = ["SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS"]
    return actions if "sanitizers" in instruments(t.runtime) else actions + ["SCMP_ACT_ERRNO"]


def test_profile_that_forbids_everything_says_so(t):
    for default in forbidding(t):
        bundle = filtered(t, "true", default=default)
        result = t.run_container(bundle, check=False)
        assert result.rc != 0 and "read from the init process" in result.err, (default, result)
        t.assert_no_trace(bundle)


def test_profile_that_forbids_everything_fails_start_after_create(t):
    for default in forbidding(t):
        bundle = filtered(t, "true", default=default)
        t.create(bundle)
        result = t.start(bundle, check=False)
        assert result.rc != 0 and "read from the init process" in result.err, (default, result)
        t.wait_status(bundle, "stopped")
        t.delete(bundle)
        t.assert_no_trace(bundle)


def test_profile_that_forbids_the_programs_start_fails_with_its_reason(t):
    bundle = filtered(t, "true", rule("execve", "SCMP_ACT_ERRNO", errno=ENOSYS))
    t.fails("run", "-b", bundle.path, bundle.id, has="Function not implemented")
    t.assert_no_trace(bundle)
    t.create(bundle)
    t.fails("start", bundle.id, has="Function not implemented")
    assert t.state(bundle)["status"] == "stopped"


def test_start_container_hook_runs_before_the_filter(t):
    bundle = filtered(t, "ls /tmp", rule(MKDIR, "SCMP_ACT_ERRNO"))
    bundle.config["hooks"] = {"startContainer": [
        {"path": "/bin/mkdir", "args": ["mkdir", "/tmp/by-hook"]}]}
    bundle.save()
    assert t.run_container(bundle).out == "by-hook\n"


def test_plugins_are_refused_and_not_ignored(t):
    bundle = t.bundle(["true"], mutate={"annotations": {"run.oci.seccomp.plugins": "/lib/a.so"}})
    t.fails("run", "-b", bundle.path, bundle.id, code="UNSUPPORTED",
            has=["/annotations/run.oci.seccomp.plugins", "listenerPath"])
    t.assert_no_trace(bundle)


def cache_entries(t):
    """The compiled filters that are kept, by path. A runtime that keeps none has nothing to be tested here."""
    cache = os.path.join(t.state_dir, ".seccomp")
    if not os.path.isdir(cache):
        t.skip("this runtime keeps no compiled filters below its state root")
    return {os.path.join(cache, name): open(os.path.join(cache, name), "rb").read()
            for name in sorted(os.listdir(cache))}


@flavors("root", "rootless")
def test_kept_filters_are_used_by_the_same_profile_only(t):
    bundle = filtered(t, "mkdir /tmp/x; rmdir /tmp/y", rule(MKDIR, "SCMP_ACT_ERRNO", errno=ENOSYS))
    for _ in range(2):
        assert "Function not implemented" in t.run_container(bundle, check=False).err
        kept = cache_entries(t)
        assert len(kept) == 1, kept
    other = filtered(t, "mkdir /tmp/x", rule(MKDIR, "SCMP_ACT_ERRNO", errno=ECHILD))
    assert "No child" in t.run_container(other, check=False).err
    assert len(cache_entries(t)) == 2
    assert "Function not implemented" in t.run_container(bundle, check=False).err
    t.assert_no_trace(bundle)


def test_kept_filter_that_is_damaged_is_compiled_again(t):
    bundle = filtered(t, "mkdir /tmp/x", rule(MKDIR, "SCMP_ACT_ERRNO", errno=ENOSYS))
    t.run_container(bundle, check=False)
    (path, whole), = cache_entries(t).items()
    allow = (0x7fff0000 << 32 | 0x06).to_bytes(8, "little")   # "return SCMP_ACT_ALLOW"
    for bad in (b"", whole[:-8], whole[:len(whole) // 2], whole + b"\0" * 8,
                whole[:-8] + allow, whole[:-80] + allow * 10):
        with open(path, "wb") as file:
            file.write(bad)
        result = t.run_container(bundle, check=False)
        assert "Function not implemented" in result.err, (len(bad), result)
        assert cache_entries(t) == {path: whole}


def test_kept_filter_that_others_may_write_to_is_not_used(t):
    bundle = filtered(t, "mkdir /tmp/x", rule(MKDIR, "SCMP_ACT_ERRNO", errno=ENOSYS))
    t.run_container(bundle, check=False)
    (path, _), = cache_entries(t).items()
    os.chmod(path, 0o622)
    assert "Function not implemented" in t.run_container(bundle, check=False).err
    assert os.stat(path).st_mode & 0o777 == 0o600
