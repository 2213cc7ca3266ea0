# SPDX-License-Identifier: Apache-2.0
"""Every option of config.md ("Linux mount options"): that it is accepted and what it does."""

import json
import os

import hostside
from harness import flavors

MS = {"ro": 1, "nosuid": 2, "nodev": 4, "noexec": 8, "nosymfollow": 256, "noatime": 1024,
      "nodiratime": 2048, "private": 1 << 18, "strictatime": 1 << 24}
FLAGS = set(MS) - {"private", "strictatime"} | {"relatime"}

# option -> (flags of a mount that had none but relatime, flags of one that had the rest)
ALL = {"ro", "nosuid", "nodev", "noexec", "nosymfollow", "noatime", "nodiratime"}
PLAIN = {
    "atime": ({"relatime"}, ALL - {"noatime"} | {"relatime"}),
    "dev": ({"relatime"}, ALL - {"nodev"}),
    "diratime": ({"relatime"}, ALL - {"nodiratime"}),
    "exec": ({"relatime"}, ALL - {"noexec"}),
    "noatime": ({"noatime"}, ALL),
    "nodev": ({"relatime", "nodev"}, ALL),
    "nodiratime": ({"relatime", "nodiratime"}, ALL),
    "noexec": ({"relatime", "noexec"}, ALL),
    "norelatime": ({"relatime"}, ALL),
    "nostrictatime": ({"relatime"}, ALL - {"noatime"} | {"relatime"}),
    "nosuid": ({"relatime", "nosuid"}, ALL),
    "nosymfollow": ({"relatime", "nosymfollow"}, ALL),
    "relatime": ({"relatime"}, ALL - {"noatime"} | {"relatime"}),
    "ro": ({"relatime", "ro"}, ALL),
    "rw": ({"relatime"}, ALL - {"ro"}),
    "strictatime": (set(), ALL - {"noatime"}),
    "suid": ({"relatime"}, ALL - {"nosuid"}),
    "symfollow": ({"relatime"}, ALL - {"nosymfollow"}),
}
RECURSIVE = {"r" + option: effect for option, effect in PLAIN.items()}
NEUTRAL = ("async", "defaults", "iversion", "loud", "noiversion", "nolazytime", "nomand", "silent")
SUPER = ("dirsync", "lazytime", "mand", "sync")
PROPAGATION = ("private", "shared", "slave", "unbindable")
ELSEWHERE = ("bind", "rbind", "remount", "tmpcopyup", "idmap", "ridmap")


def table_of_the_specification():
    """The words of config.md, in the order in which it lists them."""
    return """async atime bind defaults dev diratime dirsync exec iversion lazytime loud mand noatime
        nodev nodiratime noexec noiversion nolazytime nomand norelatime nostrictatime nosuid
        nosymfollow private ratime rbind rdev rdiratime relatime remount rexec rnoatime rnodev
        rnodiratime rnoexec rnorelatime rnostrictatime rnosuid rnosymfollow ro rprivate rrelatime
        rro rrw rshared rslave rstrictatime rsuid rsymfollow runbindable rw shared silent slave
        strictatime suid symfollow sync tmpcopyup unbindable idmap ridmap""".split()


class Mount:
    """What mountinfo says about one mount."""

    def __init__(self, line):
        head, tail = line.split(" - ", 1)
        head = head.split()
        self.point, self.options = head[4], set(head[5].split(","))
        self.flags = self.options & FLAGS
        self.tags = {tag.split(":")[0] for tag in head[6:]}
        self.super = set(tail.split()[2].split(","))


def mounted(t, mounts):
    """Mount point -> Mount in a container with `mounts`."""
    bundle = t.bundle(own_rootfs=True)
    bundle.config["mounts"] += mounts
    return {m.point: m for m in map(Mount, t.probe(bundle, "mounts")["mounts"])}


def bind(name, source, *options):
    return {"destination": f"/m/{name}", "type": "bind", "source": source,
            "options": list(options)}


def instance(name, *options, kind="tmpfs"):
    return {"destination": f"/m/{name}", "type": kind, "source": kind, "options": list(options)}


def nested(t, name, *flags):
    """A tmpfs with these flags, and a second one below it."""
    bits = sum(MS[f] for f in flags)
    path = t.mkdir(name)
    t.mount("tmpfs", path, "tmpfs")
    hostside.mount("none", path, None, MS["private"])
    below = os.path.join(path, "sub")
    os.mkdir(below)
    t.mount("tmpfs", below, "tmpfs")
    hostside.mount("none", below, None, MS["private"])
    if bits:
        for point in (below, path):
            hostside.mount("none", point, None, 32 | 4096 | bits)   # MS_REMOUNT | MS_BIND
    return path


# ---- the table --------------------------------------------------------------------------------


def test_every_option_of_the_specification_is_tested_and_announced(t):
    tested = set(PLAIN) | set(RECURSIVE) | set(NEUTRAL) | set(SUPER) | set(ELSEWHERE)
    tested |= set(PROPAGATION) | {"r" + option for option in PROPAGATION}
    assert tested == set(table_of_the_specification())
    facts = json.loads(t.rt("features").out)
    assert tested <= set(facts["mountOptions"]), tested - set(facts["mountOptions"])
    assert facts["linux"]["mountExtensions"]["idmap"]["enabled"] is True


def test_plain_options_change_the_mount_and_nothing_below(t):
    plain, flagged = nested(t, "plain"), nested(t, "flagged", *ALL)
    table = mounted(t, [bind(f"{o}{n}", s, "rbind", o) for o in PLAIN
                        for n, s in enumerate((plain, flagged))])
    for option, effects in PLAIN.items():
        for number, below in enumerate(({"relatime"}, ALL)):
            point = f"/m/{option}{number}"
            assert table[point].flags == effects[number], (option, table[point].options)
            assert table[point + "/sub"].flags == below, (option, table[point + "/sub"].options)


def test_recursive_options_change_everything_below(t):
    plain, flagged = nested(t, "plain"), nested(t, "flagged", *ALL)
    table = mounted(t, [bind(f"{o}{n}", s, "rbind", o) for o in RECURSIVE
                        for n, s in enumerate((plain, flagged))])
    for option, effects in RECURSIVE.items():
        for number, effect in enumerate(effects):
            point = f"/m/{option}{number}"
            for name in (point, point + "/sub"):
                assert table[name].flags == effect, (option, name, table[name].options)


def test_options_of_a_new_file_system(t):
    options = dict(PLAIN, **RECURSIVE)
    table = mounted(t, [instance(option, option) for option in options])
    for option, effects in options.items():
        assert table[f"/m/{option}"].flags == effects[0], (option, table[f"/m/{option}"].options)


def test_neutral_options_change_nothing(t):
    plain, flagged = nested(t, "plain"), nested(t, "flagged", *ALL)
    mounts = [bind(f"{o}{n}", s, "bind", o) for o in NEUTRAL
              for n, s in enumerate((plain, flagged))]
    table = mounted(t, mounts + [instance(option, option) for option in NEUTRAL])
    for option in NEUTRAL:
        assert table[f"/m/{option}0"].flags == {"relatime"}, option
        assert table[f"/m/{option}1"].flags == ALL, option
        assert table[f"/m/{option}"].flags == {"relatime"}, option
        assert not table[f"/m/{option}"].super & set(SUPER), option


def test_file_system_flags(t):
    mounts = [instance(option, option) for option in SUPER]
    mounts += [instance("all", *SUPER), instance("back", *SUPER, "async", "nolazytime", "nomand"),
               instance("forth", "async", "sync", "nolazytime", "lazytime")]
    table = mounted(t, mounts)
    for option in ("sync", "dirsync", "lazytime"):
        assert table[f"/m/{option}"].super & set(SUPER) == {option}, table[f"/m/{option}"].super
    # Mandatory locks are gone since Linux 5.15: the word is accepted, and may be shown.
    assert table["/m/all"].super >= {"sync", "dirsync", "lazytime"}, table["/m/all"].super
    assert table["/m/back"].super & set(SUPER) == {"dirsync"}, table["/m/back"].super
    assert {"sync", "lazytime"} <= table["/m/forth"].super, table["/m/forth"].super


def test_file_system_flags_are_refused_for_a_bind_mount(t):
    # The instance belongs to others, too.
    for option in SUPER:
        bundle = t.bundle()
        bundle.config["mounts"].append(bind("x", t.mkdir("source"), "bind", "async", option))
        bundle.save()
        t.fails("run", "-b", bundle.path, bundle.id, has=[f"`{option}`", "/mounts/7/options/2"])
        t.assert_no_trace(bundle)


def test_propagation_options(t):
    t.needs("open_tree")   # for "shared"
    source = nested(t, "source")
    words = PROPAGATION + tuple("r" + option for option in PROPAGATION)
    table = mounted(t, [bind(option, source, "rbind", option) for option in words])
    tag = {"private": set(), "shared": {"shared"}, "slave": set(), "unbindable": {"unbindable"}}
    for option in PROPAGATION:
        assert table[f"/m/{option}"].tags == tag[option], (option, table[f"/m/{option}"].tags)
        assert not table[f"/m/{option}/sub"].tags, (option, table[f"/m/{option}/sub"].tags)
        for point in (f"/m/r{option}", f"/m/r{option}/sub"):
            assert table[point].tags == tag[option], (point, table[point].tags)


def test_bind_mount_without_options_keeps_its_flags(t):
    flagged = nested(t, "flagged", *ALL)
    table = mounted(t, [bind("top", flagged, "bind"), bind("tree", flagged, "rbind")])
    assert table["/m/top"].flags == ALL and "/m/top/sub" not in table
    assert table["/m/tree"].flags == table["/m/tree/sub"].flags == ALL


# ---- combinations -----------------------------------------------------------------------------


def test_the_last_of_the_access_time_modes_wins(t):
    modes = {"noatime": {"noatime"}, "relatime": {"relatime"}, "strictatime": set(),
             "atime": {"relatime"}}
    pairs = [(a, b) for a in modes for b in modes if a != b]
    source = nested(t, "source")
    table = mounted(t, [bind(f"{a}-{b}", source, "rbind", a, b) for a, b in pairs] +
                    [instance(f"{a}+{b}", "r" + a, "r" + b) for a, b in pairs])
    for first, second in pairs:
        assert table[f"/m/{first}-{second}"].flags == modes[second], (first, second)
        assert table[f"/m/{first}+{second}"].flags == modes[second], (first, second)


def test_modes_do_not_touch_other_flags(t):
    table = mounted(t, [instance("x", "ro", "nodiratime", "noatime", "nosuid", "strictatime",
                                 "norelatime")])
    assert table["/m/x"].flags == {"ro", "nodiratime", "nosuid"}, table["/m/x"].options


def test_the_mount_itself_may_differ_from_what_is_below(t):
    source = nested(t, "source")
    cases = {("rro", "rw"): (set(), {"ro"}), ("rw", "rro"): (set(), {"ro"}),
             ("ro", "rrw"): ({"ro"}, set()), ("rrw", "ro"): ({"ro"}, set()),
             ("rnoexec", "exec", "rnodev"): ({"nodev"}, {"noexec", "nodev"})}
    table = mounted(t, [bind("-".join(c), source, "rbind", *c) for c in cases] +
                    [instance("+".join(c), *c) for c in cases])
    for case, (top, below) in cases.items():
        point = f"/m/{'-'.join(case)}"
        assert table[point].flags == top | {"relatime"}, (case, table[point].options)
        assert table[point + "/sub"].flags == below | {"relatime"}, case
        assert table[f"/m/{'+'.join(case)}"].flags == top | {"relatime"}, case


def test_options_have_their_effect(t):
    source = nested(t, "source")
    script = os.path.join(source, "sub", "script")
    with open(script, "w", encoding="ascii") as out:
        out.write("#!/bin/sh\necho ran\n")
    os.chmod(script, 0o755)
    os.symlink("script", os.path.join(source, "sub", "link"))
    bundle = t.bundle("/m/a/sub/script; cat /m/b/sub/link >/dev/null; echo x >/m/c/sub/x;"
                      "/m/d/sub/script", own_rootfs=True)
    bundle.config["mounts"] += [bind("a", source, "rbind", "rnoexec"),
                                bind("b", source, "rbind", "rnosymfollow"),
                                bind("c", source, "rbind", "rro"),
                                bind("d", source, "rbind", "noexec", "nosymfollow", "ro")]
    result = t.run_container(bundle.save(), check=False)
    assert result.out == "ran\n", result
    for words in ("ermission denied", "Too many levels of symbolic links", "Read-only"):
        assert words in result.err, (words, result)
    assert not os.path.exists(os.path.join(source, "sub", "x"))


def test_remount_takes_the_same_options(t):
    options = [o for o in PLAIN if o.startswith("no")] + ["ro"]
    mounts = [m for o in options for m in
              (instance(o, "mode=700"), instance(o, "remount", o))]
    table = mounted(t, mounts)
    for option in options:
        assert table[f"/m/{option}"].flags == PLAIN[option][0], (option, table[f"/m/{option}"])


@flavors("rootless")
def test_options_of_an_ordinary_users_mounts(t):
    source = t.mkdir("source")
    mounts = [bind(o, source, "rbind", o) for o in PLAIN if o.startswith("no") or o == "ro"]
    mounts += [instance("t" + o, o) for o in PLAIN]
    table = mounted(t, mounts)
    for option, effects in PLAIN.items():
        assert table[f"/m/t{option}"].flags == effects[0], option
    for option in ("nosuid", "nodev", "noexec", "nosymfollow", "ro"):
        assert option in table[f"/m/{option}"].flags, (option, table[f"/m/{option}"].options)
