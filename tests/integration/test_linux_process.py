# SPDX-License-Identifier: Apache-2.0
"""The payload's process: ids, capabilities, limits, working directory, environment, program."""

import os
import resource
import signal

import hostside
from harness import fields, flavors
from test_linux_cgroups import unified

CAP = {"CAP_CHOWN": 0, "CAP_DAC_OVERRIDE": 1, "CAP_KILL": 5, "CAP_SETGID": 6, "CAP_SETUID": 7,
       "CAP_NET_BIND_SERVICE": 10, "CAP_NET_RAW": 13, "CAP_SYS_ADMIN": 21, "CAP_AUDIT_WRITE": 29}
SETS = {"bounding": "CapBnd", "effective": "CapEff", "permitted": "CapPrm",
        "inheritable": "CapInh", "ambient": "CapAmb"}


def process(t, *args, **change):
    """A bundle whose process object has these values."""
    bundle = t.bundle(list(args) or ["true"])
    for key, value in change.items():
        if value is None:
            bundle.config["process"].pop(key, None)
        else:
            bundle.config["process"][key] = value
    return bundle.save()


def probed(t, *what, **change):
    return t.run_container(process(t, "/bin/probe", *what, **change)).probe


def bits(names):
    return f"{sum(1 << CAP[name] for name in names):016x}"


# ---- ids ----------------------------------------------------------------------------------


def test_uid_gid_and_groups_are_exactly_those_of_the_config(t):
    found = probed(t, "ids", user={"uid": 1234, "gid": 567, "additionalGids": [1, 99, 4000000000]})
    assert found["ids"][0] == "uid 1234 1234 1234" and found["ids"][1] == "gid 567 567 567"
    assert sorted(found["ids"][2].split()[1:], key=int) == ["1", "99", "4000000000"], found


def test_callers_groups_do_not_leak(t):
    bundle = process(t, "/bin/probe", "ids", user={"uid": 0, "gid": 0})
    result = t.run_container(bundle, preexec_fn=lambda: os.setgroups([7, 8, 9]))
    assert result.probe["ids"][2] == "groups", result


@flavors("root")
def test_many_groups_are_all_set(t):
    many = list(range(2000, 2300))
    found = probed(t, "ids", user={"uid": 5, "gid": 6, "additionalGids": many})
    assert sorted(map(int, found["ids"][2].split()[1:])) == many


def test_user_of_the_image_named_like_the_number_changes_nothing(t):
    # CVE-2016-3697: only the numbers of the configuration count.
    bundle = t.bundle(["/bin/probe", "ids"], own_rootfs=True)
    bundle.config["process"]["user"] = {"uid": 1000, "gid": 1000}
    bundle.save()
    t.file(os.path.join(bundle.rootfs, "etc/passwd"), "1000:x:0:0:root:/root:/bin/sh\n")
    t.file(os.path.join(bundle.rootfs, "etc/group"), "root:x:0:1000\nwheel:x:10:1000\n")
    found = t.run_container(bundle).probe["ids"]
    assert found == ["uid 1000 1000 1000", "gid 1000 1000 1000", "groups"], found


@flavors("root", "rootless")
def test_umask_is_0022_unless_configured(t):
    def run(user, umask):
        bundle = process(t, "/bin/probe", "umask", user=dict({"uid": 0, "gid": 0}, **user))
        return t.run_container(bundle, preexec_fn=lambda: os.umask(umask)).probe["umask"]
    assert run({}, 0o077) == ["0022"]
    assert run({}, 0) == ["0022"]
    assert run({"umask": 0o027}, 0o022) == ["0027"]
    assert run({"umask": 0}, 0o022) == ["0000"]


# ---- capabilities -------------------------------------------------------------------------


def caps_of(t, caps, **change):
    status = fields(probed(t, "status", capabilities=caps, **change)["status"])
    return {name: status[field] for name, field in SETS.items()}


def test_no_capabilities_object_means_no_capabilities(t):
    found = fields(probed(t, "status", capabilities=None)["status"])
    assert [found[f] for f in ("CapEff", "CapPrm", "CapInh", "CapAmb")] == ["0" * 16] * 4, found


def test_empty_sets_are_empty(t):
    want = {name: [] for name in SETS}
    found = caps_of(t, want)
    assert set(found.values()) == {"0" * 16}, found


@flavors("root", "rootless")
def test_root_has_the_bounding_set_and_nothing_is_inheritable(t):
    names = ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW"]
    found = caps_of(t, {kind: names for kind in ("bounding", "effective", "permitted")})
    assert found["inheritable"] == found["ambient"] == "0" * 16, found
    assert found["bounding"] == found["effective"] == found["permitted"] == bits(names), found


def test_five_sets_are_set_one_by_one(t):
    # A user other than root keeps over execve what is ambient; the rest of its sets is lost.
    caps = {"bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_NET_RAW"],
            "permitted": ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID"],
            "effective": ["CAP_CHOWN", "CAP_KILL"],
            "inheritable": ["CAP_KILL", "CAP_SETUID"], "ambient": ["CAP_KILL"]}
    found = caps_of(t, caps, user={"uid": 1000, "gid": 1000})
    assert found == {"bounding": bits(caps["bounding"]), "permitted": bits(["CAP_KILL"]),
                     "effective": bits(["CAP_KILL"]), "ambient": bits(["CAP_KILL"]),
                     "inheritable": bits(caps["inheritable"])}, found


def test_ordinary_user_without_ambient_capabilities_has_none(t):
    names = ["CAP_CHOWN", "CAP_KILL", "CAP_SYS_ADMIN"]
    found = caps_of(t, {kind: names for kind in ("bounding", "effective", "permitted")},
                    user={"uid": 1000, "gid": 1000})
    assert found["effective"] == found["permitted"] == found["ambient"] == "0" * 16, found
    assert found["bounding"] == bits(names), found


def test_ambient_that_is_not_inheritable_is_left_out_with_a_warning(t):
    bundle = process(t, "/bin/probe", "status", user={"uid": 1000, "gid": 1000},
                     capabilities={"bounding": ["CAP_KILL"], "permitted": ["CAP_KILL"],
                                   "ambient": ["CAP_KILL"]})
    log = t.path("log")
    result = t.rt("--log", log, "--log-level", "warning", "run", "-b", bundle.path, bundle.id)
    assert fields(result.probe["status"])["CapAmb"] == "0" * 16, result
    assert "ambient" in open(log, encoding="utf-8").read()


def test_unknown_capability_is_left_out_with_a_warning(t):
    bundle = process(t, "/bin/probe", "status",
                     capabilities={"bounding": ["CAP_KILL", "CAP_NO_SUCH_THING"]})
    log = t.path("log")
    result = t.rt("--log", log, "--log-level", "warning", "run", "-b", bundle.path, bundle.id)
    assert fields(result.probe["status"])["CapBnd"] == bits(["CAP_KILL"]), result
    assert "CAP_NO_SUCH_THING" in open(log, encoding="utf-8").read()


def test_effective_beyond_permitted_is_refused(t):
    bundle = process(t, capabilities={"effective": ["CAP_KILL"], "permitted": []})
    t.fails("run", "-b", bundle.path, bundle.id, has="permitted")


def test_missing_capabilities_are_really_missing(t):
    bundle = process(t, "sh", "-c", "chown 5 /tmp/. ; mount -t tmpfs none /tmp")
    bundle.config["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"})
    bundle.save()
    result = t.run_container(bundle, check=False)
    assert result.rc != 0 and result.err.count("not permitted") + \
        result.err.count("ermission denied") == 2, result


def test_no_new_privileges(t):
    for value, want in ((True, "1"), (False, "0"), (None, "0")):
        found = fields(probed(t, "status", noNewPrivileges=value)["status"])
        assert found["NoNewPrivs"] == want, (value, found["NoNewPrivs"])


def test_no_new_privileges_stops_setuid_programs(t):
    for value, want in ((True, "1000"), (False, "0")):
        bundle = t.bundle(["/bin/probe", "ids"], own_rootfs=True)
        os.chmod(os.path.join(bundle.rootfs, "bin/probe"), 0o4755)
        bundle.config["process"].update(user={"uid": 1000, "gid": 1000}, noNewPrivileges=value)
        bundle.save()
        found = t.run_container(bundle).probe["ids"][0].split()
        assert found[2] == want, (value, found)


# ---- limits -------------------------------------------------------------------------------


@flavors("root", "rootless")
def test_rlimits_are_set_exactly(t):
    limits = {"RLIMIT_NOFILE": (100, 200), "RLIMIT_CORE": (0, 0), "RLIMIT_NPROC": (500, 600),
              "RLIMIT_STACK": (1 << 20, 1 << 22), "RLIMIT_FSIZE": (1 << 30, 1 << 40),
              "RLIMIT_MEMLOCK": (4096, 8192), "RLIMIT_CPU": (1000, 2000),
              "RLIMIT_SIGPENDING": (50, 60), "RLIMIT_MSGQUEUE": (1000, 2000)}
    found = fields(probed(t, "rlimits", rlimits=[
        {"type": name, "soft": soft, "hard": hard} for name, (soft, hard) in limits.items()])
        ["rlimits"])
    for name, (soft, hard) in limits.items():
        assert found[name] == f"{soft} {hard}", (name, found[name])


def test_infinite_rlimits_are_taken(t):
    endless = 2 ** 64 - 1
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    if hard != resource.RLIM_INFINITY:
        t.skip("the hard limit is not infinite here")
    found = fields(probed(t, "rlimits", rlimits=[
        {"type": "RLIMIT_DATA", "soft": endless, "hard": endless}])["rlimits"])
    assert found["RLIMIT_DATA"] == f"{endless} {endless}", found


def test_other_rlimits_are_the_callers(t):
    bundle = process(t, "/bin/probe", "rlimits", rlimits=[])

    def lower():
        resource.setrlimit(resource.RLIMIT_NOFILE, (77, 99))
    found = fields(t.run_container(bundle, preexec_fn=lower).probe["rlimits"])
    assert found["RLIMIT_NOFILE"] == "77 99", found


def test_wrong_rlimits_are_refused(t):
    for limits, word in (([{"type": "RLIMIT_NONE", "soft": 1, "hard": 1}], "RLIMIT_NONE"),
                         ([{"type": "RLIMIT_CORE", "soft": 2, "hard": 1}], "soft"),
                         ([{"type": "RLIMIT_CORE", "soft": 1, "hard": 1}] * 2, "twice")):
        bundle = process(t, rlimits=limits)
        t.fails("run", "-b", bundle.path, bundle.id, has=word)
        t.assert_no_trace(bundle)


def test_oom_score_adj_is_set(t):
    with open("/proc/self/oom_score_adj", encoding="ascii") as source:
        own = source.read().strip()
    assert probed(t, "oom", oomScoreAdj=500)["oom"] == ["500"]
    assert probed(t, "oom", oomScoreAdj=1000)["oom"] == ["1000"]
    assert probed(t, "oom")["oom"] == [own]


@flavors("rootless")
def test_oom_score_adj_is_set_by_an_ordinary_user(t):
    assert probed(t, "oom", oomScoreAdj=700)["oom"] == ["700"]


# ---- working directory --------------------------------------------------------------------


def test_cwd_is_entered(t):
    assert probed(t, "cwd", cwd="/home/user")["cwd"] == ["/home/user"]
    assert probed(t, "cwd", cwd="/home//./user/..")["cwd"] == ["/home"]


def test_cwd_through_a_link_is_where_it_leads_inside(t):
    outside = t.canary()
    for target, want in (("/home/user", "/home/user"), ("../../../home", "/home"),
                         (outside, None)):
        bundle = t.bundle(["/bin/probe", "cwd"], own_rootfs=True)
        bundle.config["root"]["readonly"] = True
        bundle.config["process"]["cwd"] = "/link"
        os.symlink(target, os.path.join(bundle.rootfs, "link"))
        bundle.save()
        result = t.run_container(bundle, check=False)
        if want:
            assert result.probe["cwd"] == [want], (target, result)
        elif result.rc == 0:
            assert result.probe["cwd"] == [outside], result   # made inside, empty
            assert not os.listdir(bundle.rootfs + outside), result


def test_cwd_that_cannot_be_entered_fails_create_with_the_known_words(t):
    for cwd, words in (("/etc/passwd", "Not a directory"), ("/etc/passwd/x", "Not a directory")):
        bundle = process(t, cwd=cwd)
        t.fails("create", "-b", bundle.path, bundle.id, has=[f"chdir to `{cwd}`", words],
                code="CWD_REFUSED")
        t.assert_no_trace(bundle)
    bundle = process(t, cwd="relative")
    t.fails("create", "-b", bundle.path, bundle.id, has="absolute")


def test_cwd_is_entered_as_the_user(t):
    bundle = t.bundle(["/bin/probe", "cwd"], own_rootfs=True)
    private = os.path.join(bundle.rootfs, "private")
    os.mkdir(private, 0o700)
    os.chown(private, 1000, 1000)
    bundle.config["process"].update(cwd="/private", user={"uid": 1000, "gid": 1000})
    bundle.save()
    assert t.run_container(bundle).probe["cwd"] == ["/private"]
    bundle.config["process"]["user"] = {"uid": 1001, "gid": 1001}
    bundle.save()
    t.fails("run", "-b", bundle.path, bundle.id, has=["chdir to `/private`", "ermission denied"])


def leaked_directories(t):
    """Directories of the host at the descriptors that a caller may have left open."""
    outside = t.canary()
    fds = []
    for number in range(3, 12):
        fd = os.open(outside, os.O_RDONLY | os.O_DIRECTORY)
        os.dup2(fd, number + 40, inheritable=True)
        os.close(fd)
        fds.append(number + 40)
    low = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    os.dup2(low, 3, inheritable=True)
    return outside, fds + [3]


def test_cwd_on_a_leaked_descriptor_stays_inside(t):
    # CVE-2024-21626
    outside, fds = leaked_directories(t)
    bundle = t.bundle("pwd; ls; ls ../../../..")
    for number in range(0, 65):
        bundle.config["process"]["cwd"] = f"/proc/self/fd/{number}"
        bundle.save()
        result = t.run_container(bundle, check=False, pass_fds=fds)
        assert "canary" not in result.out and "boot" not in result.out.split() \
            and outside not in result.out, (number, result)
        assert result.rc != 0 and result.rc < 128 and "chdir to" in result.err, (number, result)
        t.assert_no_trace(bundle)


def test_program_on_a_leaked_descriptor_is_not_found(t):
    _outside, fds = leaked_directories(t)
    for number in list(range(0, 16)) + fds:
        for tail in ("bin/true", "usr/bin/true", "../../../../../../bin/true"):
            bundle = process(t, f"/proc/self/fd/{number}/{tail}")
            t.fails("run", "-b", bundle.path, bundle.id, pass_fds=fds)
    bundle = process(t, "../../../../../../../../../usr/bin/python3", "-c", "print('host')")
    t.fails("run", "-b", bundle.path, bundle.id, has="not found")


# ---- environment --------------------------------------------------------------------------


def test_environment_is_exactly_the_configs(t):
    env = ["B=2", "A=1", "EMPTY=", "SPACE= a b ", "EQ=a=b", "HOME=/nowhere", "UTF=äö",
           "LONG=" + "x" * 100000]
    found = probed(t, "env", env=env)["env"]
    assert found == env, found
    bundle = process(t, "/bin/probe", "env", env=["HOME=/x"])
    result = t.run_container(bundle, env={"LEAK": "1", "NOTIFY_SOCKET": None})
    assert result.probe["env"] == ["HOME=/x"], result


def test_absent_environment_has_home_only(t):
    bundle = process(t, "/bin/probe", "env", env=None)
    assert t.run_container(bundle).probe["env"] == ["HOME=/root"]


def test_malformed_environment_is_refused(t):
    for word in ("NOEQUALS", "=x", ""):
        bundle = process(t, env=["A=1", word])
        t.fails("run", "-b", bundle.path, bundle.id, has="/process/env/1")


def home(t, bundle):
    for line in t.run_container(bundle).probe["env"]:
        if line.startswith("HOME="):
            return line[5:]
    return None


def test_home_is_the_users_in_the_images_passwd(t):
    for uid, want in ((0, "/root"), (1000, "/home/user"), (4242, "/")):
        bundle = process(t, "/bin/probe", "env", user={"uid": uid, "gid": 0}, env=["A=1"])
        assert home(t, bundle) == want, uid


def test_hostile_passwd_neither_hangs_nor_breaks(t):
    outside = t.canary()
    texts = {"endless line": b"x" * 3000000, "no newline": b"root:x:0:0::/good:/bin/sh",
             "nul": b"root:x:0:0::/a\0b:/bin/sh\n", "short": b"root:x:0\n::::::\n:\n\n",
             "huge number": b"root:x:18446744073709551616:0::/a:/bin/sh\n",
             "negative": b"root:x:-4294967296:0::/a:/bin/sh\n", "empty": b"",
             "relative": b"root:x:0:0::relative:/bin/sh\n",
             "late": b"y:x:5:5::/y:/z\n" * 1000 + b"root:x:0:0::/late:/bin/sh\n"}
    want = {"no newline": "/good", "late": "/late"}
    for name, text in texts.items():
        bundle = t.bundle(["/bin/probe", "env"], own_rootfs=True,
                          mutate={"process": {"env": ["A=1"]}})
        t.file(os.path.join(bundle.rootfs, "etc/passwd"), text)
        found = home(t, bundle)
        assert found == want.get(name, "/a" if name == "nul" else "/"), (name, found)
    for name, make in {"fifo": os.mkfifo, "folder": os.mkdir,
                       "zero": lambda p: os.symlink("/dev/zero", p),
                       "environ": lambda p: os.symlink("/proc/self/environ", p),
                       "outside": lambda p: os.symlink(outside + "/file", p),
                       "loop": lambda p: os.symlink("passwd", p)}.items():
        bundle = t.bundle(["/bin/probe", "env"], own_rootfs=True,
                          mutate={"process": {"env": ["A=1"]}})
        path = os.path.join(bundle.rootfs, "etc/passwd")
        os.unlink(path)
        make(path)
        assert home(t, bundle) == "/", name


# ---- program ------------------------------------------------------------------------------


def with_programs(t, **change):
    """An image with programs of the same name in several directories."""
    bundle = t.bundle(own_rootfs=True)
    for where, mode in (("one", 0o644), ("two", 0o755), ("three", 0o755)):
        os.mkdir(os.path.join(bundle.rootfs, where))
        path = os.path.join(bundle.rootfs, where, "tool")
        with open(path, "w", encoding="ascii") as out:
            out.write(f"#!/bin/sh\necho {where} $0 \"$@\"\n")
        os.chmod(path, mode)
    os.mkdir(os.path.join(bundle.rootfs, "zero"))
    os.mkdir(os.path.join(bundle.rootfs, "zero/tool"))
    bundle.config["process"].update(change)
    return bundle.save()


def test_path_of_the_configured_environment_is_searched_in_order(t):
    env = ["PATH=/missing:/zero:/one:/two:/three"]
    result = t.run_container(with_programs(t, args=["tool", "a"], env=env))
    assert result.out == "two /two/tool a\n", result


def test_callers_path_does_not_matter(t):
    bundle = with_programs(t, args=["tool"], env=["PATH=/three"])
    assert t.run_container(bundle, env={"PATH": "/two"}).out.startswith("three")
    bundle = with_programs(t, args=["true"], env=["A=1"])
    t.run_container(bundle, env={"PATH": "/two"})   # no PATH at all: the usual directories


def test_empty_path_element_is_the_working_directory(t):
    bundle = with_programs(t, args=["tool"], env=["PATH=/missing:"], cwd="/two")
    assert t.run_container(bundle).out.startswith("two")


def test_relative_program_starts_at_the_working_directory(t):
    for name in ("./tool", "../two/tool"):
        bundle = with_programs(t, args=[name], cwd="/two")
        assert t.run_container(bundle).out.startswith("two"), name


def test_programs_that_cannot_be_run_have_the_known_words(t):
    cases = ((["nosuch"], "executable file `nosuch` not found in $PATH: No such file"),
             (["/no/such"], "executable file `/no/such` not found: No such file or directory"),
             ([""], "cannot find `` in $PATH"),
             (["/etc"], "the path `/etc` is not a regular file: Operation not permitted"),
             (["/etc/passwd"], "ermission denied"), (["/etc/passwd/x"], "not found"))
    for args, words in cases:
        bundle = process(t, *args, args=args)
        t.fails("create", "-b", bundle.path, bundle.id, has=words)
        t.assert_no_trace(bundle)
    bundle = process(t, args=[])
    t.fails("create", "-b", bundle.path, bundle.id, has="args")


def test_arguments_arrive_unchanged(t):
    args = ["/bin/sh", "-c", 'for a in "$@"; do printf "[%s]" "$a"; done', "name", "", " ", "a b",
            "$HOME", "*", "\n", "ü", "'\"\\", "x" * 100000]
    result = t.run_container(process(t, args=args))
    assert result.out == "".join(f"[{a}]" for a in args[4:]), result.out[:300]


def test_too_many_arguments_are_an_error_not_a_crash(t):
    bundle = process(t, args=["/bin/true"] + ["x" * 100000] * 40)
    result = t.fails("run", "-b", bundle.path, bundle.id, has="rgument list too long")
    assert result.rc < 128
    t.assert_no_trace(bundle)


def test_script_whose_interpreter_is_missing_says_so(t):
    bundle = t.bundle(["/script"], own_rootfs=True)
    t.file(os.path.join(bundle.rootfs, "script"), "#!/no/interpreter\n", 0o755)
    t.fails("run", "-b", bundle.path, bundle.id, has=["/script", "interpreter"])
    t.assert_no_trace(bundle)


def test_file_that_is_no_program_says_so(t):
    bundle = t.bundle(["/text"], own_rootfs=True)
    t.file(os.path.join(bundle.rootfs, "text"), "text\n", 0o755)
    t.fails("run", "-b", bundle.path, bundle.id, has=["/text", "xec format error"])
    t.assert_no_trace(bundle)


# ---- the rest of the process --------------------------------------------------------------


def test_personality_is_set(t):
    assert probed(t, "personality")["personality"] == ["0"]
    bundle = t.bundle(["/bin/probe", "personality"],
                      mutate={"linux": {"personality": {"domain": "LINUX32"}}})
    assert t.run_container(bundle).probe["personality"] == ["8"]


@flavors("root", "rootless")
def test_payload_leads_a_session_of_its_own(t):
    found = fields(probed(t, "session")["session"])
    assert found["pid"] == found["pgid"] == found["sid"] == "1", found
    assert found["ctty"].startswith("No such device"), found


def test_signals_are_reset(t):
    def disturb():
        for number in (signal.SIGPIPE, signal.SIGHUP, signal.SIGINT, signal.SIGUSR1, 40):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGCHLD, signal.SIGUSR2])
    bundle = process(t, "/bin/probe", "signals")
    result = t.run_container(bundle, preexec_fn=disturb, restore_signals=False)
    assert result.probe["signals"] == ["blocked", "ignored", "pdeathsig 0"], result


@flavors("root", "rootless")
def test_payload_is_dumpable_and_has_plain_securebits(t):
    found = probed(t, "dumpable", "securebits")
    assert found == {"dumpable": ["1"], "securebits": ["0"]}, found


def test_keyring_of_the_session_is_new_for_each_container(t):
    first, second = (probed(t, "keyring")["keyring"] for _n in range(2))
    assert first[0] != second[0], (first, second)


@flavors("root", "rootless")
def test_payload_has_three_descriptors(t):
    fds = []
    for number in (5, 17, 300):
        fd = os.open("/", os.O_RDONLY)
        os.dup2(fd, number, inheritable=True)
        os.close(fd)
        fds.append(number)
    bundle = process(t, "/bin/probe", "fds")
    result = t.run_container(bundle, pass_fds=fds)
    assert [line.split()[0] for line in result.probe["fds"]] == ["0", "1", "2"], result


def test_closed_standard_streams_of_the_caller_do_no_harm(t):
    bundle = t.bundle("echo ran; readlink /proc/self/fd/0")

    def close():
        os.close(0)
    result = t.run_container(bundle, preexec_fn=close, check=False)
    assert result.rc == 0 and result.out.startswith("ran\n"), result
    assert "canary" not in result.out


def test_payloads_end_is_the_exit_status(t):
    for code in (0, 1, 77, 255):
        assert t.run_container(process(t, "/bin/probe", f"exit:{code}"), check=False).rc == code


def test_keep_original_groups_keeps_the_callers(t):
    # Podman's --group-add keep-groups, without and with a user namespace.
    identity = [{"containerID": 0, "hostID": 0, "size": 65536}]
    for mutate in ({}, {"linux": {"uidMappings": identity, "gidMappings": identity}}):
        for keep, groups in (("1", "1234"), (None, "")):
            bundle = t.bundle("grep Groups /proc/self/status", mutate=dict(
                mutate, annotations={"run.oci.keep_original_groups": keep} if keep else {}))
            if mutate:
                bundle.config["linux"]["namespaces"].append({"type": "user"})
                bundle.save()
            result = t.rt(argv=["setpriv", "--groups", "1234"]
                          + t.argv("run", "-b", bundle.path, bundle.id))
            assert result.out.split()[1:] == groups.split(), (mutate, keep, result)


def test_pidfd_receiver_gets_a_pidfd(t):
    listener = t.console_socket()
    bundle = t.bundle(["sleep", "1000"],
                      mutate={"annotations": {"run.oci.pidfd_receiver": listener.path}})
    t.create(bundle)
    fd = listener.accept()[1][0]
    with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as info:
        assert f"Pid:\t{t.pid(bundle)}\n" in info.read()


def test_v2_systemds_v1_hierarchy_is_refused_where_there_is_none(t):
    key = "run.oci.systemd.force_cgroup_v1"
    bundle = t.bundle(["true"], mutate={"annotations": {key: "/sys/fs/cgroup/systemd"}})
    if "unified" not in hostside.cgroup_mounts() or \
            hostside.cgroup_mounts()["unified"] != "/sys/fs/cgroup":
        t.run_container(bundle)   # this host has the hierarchy
    unified(t)
    t.fails("run", "-b", bundle.path, bundle.id, has=[f"/annotations/{key}", "cgroup v2"])
    t.assert_no_trace(bundle)


def test_unknown_handler_is_refused(t):
    bundle = t.bundle(mutate={"annotations": {"run.oci.handler": "wasm"}})
    t.fails("run", "-b", bundle.path, bundle.id, has=["/annotations/run.oci.handler", "`wasm`"],
            code="HANDLER_UNKNOWN")
    t.assert_no_trace(bundle)
