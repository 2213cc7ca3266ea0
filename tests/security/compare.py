#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The corpus against this tree's runtime and those of Debian's releases, each in a virtual machine of its own.

  compare.py --results FILE                    run what FILE has no result of yet, print the table
  compare.py --results FILE --markdown docs/security-comparison.md     and put it into the page
  compare.py --only crun-sid -k '^fds'         one runtime, some cases

Nothing of another runtime touches this machine: its package and the libraries that it needs are fetched
by apt with lists of our own, and unpacked over the root file system of a machine of tests/vm, which is
thrown away.  --sample, --rounds and -k are those of run.py; where the CPU is emulated, a row of the corpus
takes seconds.
"""

import argparse
import glob
import json
import os
import re
import shutil
import signal
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "tests/vm"))
sys.dont_write_bytecode = True

import cases        # noqa: E402  pylint: disable=wrong-import-position
import common       # noqa: E402  pylint: disable=wrong-import-position
import kernels      # noqa: E402  pylint: disable=wrong-import-position

OURS = "ours"
PEERS = ("crun-bookworm", "runc-bookworm", "crun-trixie", "runc-trixie", "crun-sid", "runc-sid")
# One attack at each thing that has been attacked: what an emulated processor does in ten minutes.
CORE = r"|".join((
    r"^shapes\.image_(dev|dev_null|dev_console|proc|work|masked_file) ",
    r"^races\.(dev_of|null_device|destination_of_a|working_directory )",
    r"^inside\.(spy_on_the_files_of_exec(_with_every_right)? |exec_is_stopped|writes_to|image_with)",
    r"^fds\.(inherited_descriptors_of_(run|exec)\[root\]|exec_cwd|standard_input)",
    r"^identity\.(exec_user|supplementary|capabilities.*\[root\]|sysctls|cgroup|device_paths)",
    r"^lsm\.(apparmor.*[a-z] |label|mounts_over)",
    r"^audit\.(final_state.*\[root\]|no_cgroup.*\[root\]|hooks|masked.*\[root\]|keys|set_uid)"))
LINE = re.compile(r"(ok|FAIL|skip) (\w+\.\w+)(\[\w+\])?(?: \[[^\]]*\])?(?: \((.*)\))? \[[\d.]+s\]$")
BEGIN, END = "<!-- compare.py: begin -->\n", "<!-- compare.py: end -->\n"


def closure(apt, package):
    """The package, and the libraries that it needs."""
    found, queue = [], [package]
    while queue:
        name = queue.pop()
        if name in found:
            continue
        try:
            fields = apt.show(name)
        except common.Unavailable:
            continue    # a virtual package
        found.append(name)
        queue += kernels.depends(fields, r"lib.*")
    return found


def peer(name, folder):
    """A folder with what is to be put over the root of a machine; kept in the cache."""
    package, _sep, suite = name.partition("-")
    top = os.path.join(common.cache_dir("peers"), name)
    if not os.path.isdir(top):
        apt = kernels.Apt(suite)
        apt.update()
        partial = os.path.join(folder, name)
        for deb in apt.download(closure(apt, package), f"{partial}.debs"):
            common.tool(["dpkg-deb", "-x", deb, partial])
        for what in ("usr/share", "etc"):
            shutil.rmtree(os.path.join(partial, what), ignore_errors=True)
        shutil.move(partial, top + ".partial")
        os.rename(top + ".partial", top)
    return top


class Outcome:
    """What one machine told: the version, the kernel, and a verdict for each case."""

    def __init__(self, name):
        self.name, self.version, self.kernel, self.why = name, "", "", ""
        self.cases, self.seconds = {}, 0.0

    def take(self, line):
        match = LINE.match(line)
        if match:
            verdict, case, flavor, reason = match.groups()
            self.cases[case + (flavor or "")] = [verdict, reason or ""]
        elif line.startswith("@kernel "):
            self.kernel = line.split()[1]
        elif line.startswith("@version ") and not self.version:
            self.version = line.split(" ", 1)[1]
        print(f"{self.name}: {line}", flush=True)

    def forget(self):
        self.cases = {}

    def failed(self):
        return {case: reason for case, (verdict, reason) in self.cases.items() if verdict == "FAIL"}

    def count(self, verdict):
        return sum(1 for have, _reason in self.cases.values() if have == verdict)


def attack(name, options, folder):
    """Boot a machine for the runtime of that name, and let the corpus at it."""
    outcome = Outcome(name)
    case = cases.Case(options.layout, options.lsm)
    program = "/vm/bin/crun"
    if name != OURS:
        top = peer(name, folder)
        case.folders.append((top, "peer"))
        program = "/" + os.path.relpath([path for where in ("usr/sbin", "usr/bin") for path in
                                         glob.glob(f"{top}/{where}/{name.split('-')[0]}")][0], top)
        # Of the first libraries that are exchanged, tar itself is a user.
        case.command(["sh", "-c", "tar -C /vm/peer -c . | tar -C / -x --keep-directory-symlink"])
    case.command(["sh", "-c", f"echo @kernel $(uname -r); {program} --version | sed 's/^/@version /'"])
    words = ["-j", str(options.j), "--rounds", str(options.rounds), "--sample", str(options.sample)]
    case.corpus(program, words + (["-k", options.k] if options.k else []))
    mine = tempfile.mkdtemp(dir=folder)
    result = case.boot(kernels.fetch(options.kernel), options.runtime, mine, say=outcome.take,
                       again=outcome.forget, single=options.single)
    outcome.why, outcome.seconds = result.why, result.seconds
    shutil.rmtree(mine)
    return outcome


def load(path):
    """Name -> what earlier calls found out; only what came to its end."""
    found = {}
    if path and os.path.exists(path):
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                fields = json.loads(line)
                outcome = found.get(fields["name"]) or Outcome(fields["name"])
                # Some cases again: the others are what they were.
                fields["cases"] = {**outcome.cases, **fields["cases"]}
                outcome.__dict__.update(fields)
                if not outcome.why:
                    found[outcome.name] = outcome
    return found


def save(path, outcome):
    if path:
        with open(path, "a", encoding="utf-8") as out:
            out.write(json.dumps(outcome.__dict__) + "\n")


def title(outcome):
    words = re.sub(r"\b(version|commit:?)\b", "", outcome.version).split()
    origin = outcome.name.partition("-")[2]
    return " ".join(words[:2]) + (f" ({origin})" if origin else " (this tree)")


def markdown(outcomes):
    """The counts of each runtime, and a row for each case that any of them failed."""
    names = [title(outcome) for outcome in outcomes]
    lines = ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for verdict, word in (("ok", "passed"), ("FAIL", "failed"), ("skip", "skipped")):
        lines.append(f"| {word} | " + " | ".join(str(o.count(verdict)) for o in outcomes) + " |")
    differ = sorted({case for outcome in outcomes for case in outcome.failed()})
    for case in differ:
        marks = []
        for outcome in outcomes:
            verdict = outcome.cases.get(case, ["–"])[0]
            marks.append({"ok": "ok", "FAIL": "**FAIL**", "skip": "skip"}.get(verdict, "–"))
        lines.append(f"| `{case}` | " + " | ".join(marks) + " |")
    kernel = ", ".join(sorted({outcome.kernel for outcome in outcomes}))
    return f"Linux {kernel}. Cases that all of them passed have no row.\n\n" + "\n".join(lines) + "\n"


def put_into(path, text):
    with open(path, encoding="utf-8") as source:
        old = source.read()
    if BEGIN not in old or END not in old:
        raise SystemExit(f"compare.py: {path} has no lines {BEGIN.strip()} and {END.strip()}")
    head, tail = old.split(BEGIN)[0], old.split(END)[-1]
    with open(path, "w", encoding="utf-8") as out:
        out.write(head + BEGIN + text + END + tail)


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--runtime", metavar="PATH", help="ours; default $RUNTIME, or crun in $CRUN_BUILD or the tree")
    add("--only", metavar="NAME[,NAME...]", default=",".join((OURS, *PEERS)),
        help=f"of {OURS}, {', '.join(PEERS)}")
    add("--kernel", default=kernels.DEFAULT, choices=kernels.SOURCES)
    add("--layout", choices=cases.LAYOUTS, default="v2")
    add("--lsm", choices=("apparmor", "selinux", "none"), default="apparmor")
    add("--single", action="store_true", help="emulated CPUs take turns in one thread")
    add("-k", metavar="RE", default="")
    add("--core", dest="k", action="store_const", const=CORE, help="a third of the cases")
    add("-j", metavar="N", type=int, default=2)
    add("--rounds", metavar="N", type=int, default=2)
    add("--sample", metavar="N", type=int, default=4)
    add("--again", action="store_true", help="run what --results has already, too (-k: some cases)")
    add("--results", metavar="FILE", help="kept between calls: a JSON object for each machine")
    add("--markdown", metavar="FILE", help="put the table between the two marks of this page")
    options = parser.parse_args()
    built = os.path.join(os.environ.get("CRUN_BUILD", TOP), "crun")
    options.runtime = os.path.abspath(options.runtime or os.environ.get("RUNTIME") or built)
    options.names = options.only.split(",")
    unknown = set(options.names) - {OURS, *PEERS}
    if unknown:
        parser.error(f"there is no runtime {unknown.pop()}")
    return options


def main():
    options = parse()
    sys.stdout.reconfigure(errors="replace")
    signal.signal(signal.SIGTERM, lambda *_args: sys.exit("compare.py: terminated"))
    folder = tempfile.mkdtemp(prefix="crun-compare-")
    done = load(options.results)
    try:
        for name in options.names:
            if options.again or name not in done:
                outcome = attack(name, options, folder)
                save(options.results, outcome)
                if outcome.why:
                    print(f"{name}: no result ({outcome.why})", flush=True)
                elif name in done:
                    done[name].cases.update(outcome.cases)
                else:
                    done[name] = outcome
    except common.Unavailable as reason:
        print(f"skip compare ({reason})")
        return 77
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    outcomes = [done[name] for name in options.names if name in done]
    text = markdown(outcomes)
    print(text)
    for outcome in outcomes:
        for case, reason in sorted(outcome.failed().items()):
            print(f"{title(outcome)}: {case}: {reason}")
    if options.markdown:
        put_into(options.markdown, text)
    return 0 if len(outcomes) == len(options.names) else 1


if __name__ == "__main__":
    sys.exit(main())
