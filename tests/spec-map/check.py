#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/spec-map.tsv tells the truth: every leaf has a row, every row files and tests that exist, what is refused is refused by
the program, what is done is not, and `crun features` promises no more and no less than the rows.

The program is asked with `create` on configurations that nobody could create, because process.terminal is true and nobody
holds the terminal. That is found out last, and before anything is touched: an error about it means that all else is accepted.

usage: check.py [CRUN]
"""

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(os.environ.get("top_srcdir", Path(__file__).resolve().parent.parent.parent))
CRUN = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else
                       os.path.join(os.environ.get("top_builddir", "."), "crun"))

sys.dont_write_bytecode = True
SPEC = importlib.util.spec_from_file_location("spec_map", TOP / "scripts" / "spec-map.py")
spec_map = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(spec_map)

# What the program says of a field that it does not support, and of an action that needs such a field.
REFUSALS = re.compile("not support")
ACCEPTED = "nobody would hold the terminal"
# Values of samples, where not just any text will do.
SAMPLES = {"/mounts/*/destination": "/mnt", "/process/cwd": "/", "/linux/devices/*/path": "/dev/x",
           "/linux/memoryPolicy/nodes": "0", "/process/execCPUAffinity/initial": "0",
           "/process/execCPUAffinity/final": "0", "/linux/seccomp/listenerPath": "/run/x",
           "/linux/intelRdt/l3CacheSchema": "L3:0=f", "/linux/intelRdt/memBwSchema": "MB:0=50",
           "/linux/intelRdt/schemata/*": "L3:0=f", "/ociVersion": "1.3.0"}


class Program:
    """Asks the program what it makes of a configuration."""

    def __init__(self, leaves, scratch):
        self.leaves = {leaf.pointer: leaf for leaf in leaves}
        self.scratch = scratch

    def required(self, pointer):
        """Members that the objects on the way to a leaf cannot do without."""
        parts = pointer.split("/")
        for end in range(2, len(parts)):
            above = "/".join(parts[:end]) + "/"
            for leaf in self.leaves.values():
                rest = leaf.pointer[len(above):]
                if leaf.required and leaf.pointer.startswith(above) and \
                        "/" not in rest.replace("/*", ""):
                    yield leaf.pointer

    def value(self, pointer):
        kind = self.leaves[pointer].type
        if pointer in SAMPLES:
            return SAMPLES[pointer]
        if kind == "bool" or kind == "boolean":
            return True
        if "int" in kind:
            return 1
        return kind.split("|")[0] if "|" in kind else "x"

    @staticmethod
    def put(conf, pointer, value):
        """Sets a value; returns the pointer with indexes and keys of its own."""
        node, concrete, parts = conf, "", pointer.split("/")[1:]
        for at, part in enumerate(parts):
            last = at + 1 == len(parts)
            following = [] if not last and parts[at + 1] == "*" else {}
            part = "key" if part == "<key>" else part
            concrete += "/" + ("0" if part == "*" else part)
            if part == "*" and not node:
                node.append(value if last else following)
            elif part == "*" and last:
                node[0] = value
            elif part != "*" and last:
                node[part] = value
            elif part != "*":
                node.setdefault(part, following)
            if not last:
                node = node[0 if part == "*" else part]
        return concrete

    def sample(self, pointer, value=None):
        """A configuration in which the leaf is set, and the leaf's own place in it."""
        conf = {"ociVersion": "1.3.0", "root": {"path": "rootfs"},
                "process": {"cwd": "/", "args": ["sh"], "terminal": True},
                "linux": {}}
        for other in self.required(pointer):
            self.put(conf, other, self.value(other))
        where = self.put(conf, pointer, self.value(pointer) if value is None else value)
        for name, this in (("uidMappings", os.geteuid()), ("gidMappings", os.getegid())):
            conf["linux"].setdefault(name, [{"containerID": 0, "hostID": this, "size": 1}])
        listed = conf["linux"].setdefault("namespaces", [])
        there = {space["type"] for space in listed}
        listed += [{"type": kind} for kind in ("user", "mount", "uts", "time") if kind not in there]
        return conf, where

    def ask(self, conf):
        """What the program says of the configuration, on one line."""
        with open(os.path.join(self.scratch, "config.json"), "w", encoding="utf-8") as out:
            json.dump(conf, out)
        done = subprocess.run([CRUN, "--root", os.path.join(self.scratch, "state"), "create",
                               "--bundle", self.scratch, "spec-map"], check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, universal_newlines=True, timeout=60)
        if done.returncode == 0:
            sys.exit("a container was made of a configuration that cannot work: %s" % conf)
        return done.stderr.strip()

    def accepts(self, pointer, value):
        return ACCEPTED in self.ask(self.sample(pointer, value)[0])

    def features(self):
        return json.loads(subprocess.run([CRUN, "features"], check=True, stdout=subprocess.PIPE,
                                         universal_newlines=True).stdout)


def names_place(text, where):
    """Whether the text names the place or an object around it, but not only the whole document."""
    parts = where.split("/")
    return any(re.search(re.escape("/".join(parts[:end])) + r"(?![\w/])", text)
               for end in range(3, len(parts) + 1))


def check_refusals(program, found):
    """A refused leaf is refused, and a leaf that is done is not."""
    for pointer, row in found.items():
        leaf, _, value = pointer.partition("=")
        conf, where = program.sample(leaf, value or None)
        said = program.ask(conf)
        refused = REFUSALS.search(said)
        if row.status != "refused" and refused:
            yield row, "%s is %s, but the program says: %s" % (pointer, row.status, said)
        elif row.status == "refused" and not refused:
            yield row, "%s is not refused, the program says: %s" % (pointer, said)
        elif row.status == "refused" and not names_place(said, where):
            yield row, "the refusal of %s does not name it: %s" % (pointer, said)


def read(path):
    return (TOP / path).read_text(encoding="utf-8")


def makefiles():
    return "".join(read(p.relative_to(TOP)) for p in
                   [TOP / "Makefile.am", *TOP.glob("tests/**/module.am"),
                    *TOP.glob("libocispec/module.am")])


def check_test(test, run):
    """Whether a test that a row names is there, and is run."""
    path, _, name = test.partition("::")
    if not name or not (TOP / path).is_file():
        return "there is no test %s" % test
    form = r"^def %s\(" if path.endswith(".py") else r"\bTEST\(%s\)"
    if not re.search(form % re.escape(name), read(path), re.MULTILINE):
        return "%s has no test `%s`" % (path, name)
    if path.endswith(".c") and not re.search(r"TESTS \+= .*\b%s\b" % re.escape(path[:-2]), run):
        return "%s is run by nobody" % path
    return None


def check_rows(rows):
    """Files and tests exist; a test's file has the name of the field in it."""
    run = makefiles()
    for row in rows:
        for path in row.files:
            if not (TOP / path).is_file():
                yield row, "there is no file %s" % path
        wrong = [w for w in (check_test(t, run) for t in row.tests) if w]
        for sentence in wrong:
            yield row, sentence
        if not row.files or not row.tests:
            yield row, "a row needs files and tests"
        if row.status == "ignored" and not row.note:
            yield row, "the note must say why this may be ignored"
        if wrong or row.status == "refused":  # check_refusals asks for these one by one
            continue
        text = "".join(read(t.partition("::")[0]) for t in row.tests)
        for pointer in row.pointers:
            key = [p for p in pointer.partition("=")[0].split("/") if p not in ("*", "<key>")][-1]
            words = "|".join((key, re.sub("([A-Z]+)", r"_\1", key).lower()))  # hostID, host_id
            if not re.search(r"\b(%s)\b" % words, text):
                yield row, "the tests of %s do not have the word %s" % (pointer, key)


# Lists of words in the features document, and the leaves that take them.
WORDS = {
    "/linux/namespaces": ["/linux/namespaces/*/type"],
    "/linux/seccomp/actions": ["/linux/seccomp/defaultAction", "/linux/seccomp/syscalls/*/action"],
    "/linux/seccomp/operators": ["/linux/seccomp/syscalls/*/args/*/op"],
    "/linux/seccomp/archs": ["/linux/seccomp/architectures/*"],
    "/linux/seccomp/knownFlags": ["/linux/seccomp/flags/*"],
    "/linux/seccomp/supportedFlags": ["/linux/seccomp/flags/*"],
    "/linux/memoryPolicy/modes": ["/linux/memoryPolicy/mode"],
    "/linux/memoryPolicy/flags": ["/linux/memoryPolicy/flags/*"],
}
# Yes or no in the features document, and the leaf that works if and only if it says yes.
SWITCHES = {
    "/linux/cgroup/v1": "/linux/resources/memory/limit",
    "/linux/cgroup/v2": "/linux/resources/unified/<key>",
    "/linux/cgroup/rdma": "/linux/resources/rdma/<key>/hcaHandles",
    "/linux/apparmor/enabled": "/process/apparmorProfile",
    "/linux/selinux/enabled": "/process/selinuxLabel",
    "/linux/intelRdt/enabled": "/linux/intelRdt/closID",
    "/linux/intelRdt/schemata": "/linux/intelRdt/schemata/*",
    "/linux/intelRdt/monitoring": "/linux/intelRdt/enableMonitoring",
    "/linux/mountExtensions/idmap/enabled": "/mounts/*/uidMappings/*/hostID",
    "/linux/netDevices/enabled": "/linux/netDevices/<key>/name",
}


def at(document, pointer):
    for part in pointer.split("/")[1:]:
        document = document.get(part) if isinstance(document, dict) else None
    return document


def check_words(program, found, features):
    has_seccomp = at(features, "/linux/seccomp/enabled")
    for place, pointers in WORDS.items():
        if place.startswith("/linux/seccomp/") and not has_seccomp:
            if at(features, place):
                yield "%s has words without seccomp" % place
            continue
        for pointer in pointers:
            said = set(at(features, place) or ())
            values = program.leaves[pointer].type.split("|")
            works = {v for v in values if found[pointer].status == "done"
                     and pointer + "=" + v not in found}
            for word in sorted(works ^ said):
                yield "%s: features %s %s, docs/spec-map.tsv does not agree" % (
                    pointer, "has" if word in said else "lacks", word)


def check_switches(found, features):
    for place, pointer in SWITCHES.items():
        if at(features, place) is not (found[pointer].status == "done"):
            yield "%s is %s, but %s is %s" % (place, at(features, place), pointer,
                                              found[pointer].status)


def check_mount_options(program, found, features):
    """Each word is taken for a mount of some kind; those for idmapped mounts are there if these work."""
    words = set(at(features, "/mountOptions"))
    idmaps = found["/mounts/*/uidMappings/*/hostID"].status == "done"
    for word in ("idmap", "ridmap"):
        if (word in words) is not idmaps:
            yield "mount option %s: features and docs/spec-map.tsv do not agree" % word
    for word in sorted(words):
        said = []
        for kind, more in (("tmpfs", []), ("bind", ["bind"])):
            conf, _where = program.sample("/hostname")
            conf["mounts"] = [{"destination": "/mnt", "type": kind, "source": "/",
                               "options": more + [word]}]
            said.append(program.ask(conf))
        if not any(ACCEPTED in text for text in said):
            yield "mount option %s is in features, but refused: %s" % (word, said[-1])


def check_others(program, found, features, model):
    for hook in {p.split("/")[2] for p in program.leaves if p.startswith("/hooks/")} \
            ^ set(at(features, "/hooks")):
        yield "hook %s: features and the schema do not agree" % hook
    for hook in at(features, "/hooks"):
        if found["/hooks/%s/*/path" % hook].status != "done":
            yield "hook %s is in features and not done" % hook
    for name in at(features, "/linux/capabilities"):
        conf, _where = program.sample("/process/capabilities/bounding/*", name)
        said = program.ask(conf)
        if ACCEPTED not in said:
            yield "capability %s is in features, but refused: %s" % (name, said)
        if name not in read("src/libcrun/spec/tables.c"):
            yield "capability %s is in no table" % name
    if at(features, "/linux/cgroup/systemd") and not list(TOP.glob("src/libcrun/cgroup/systemd*")):
        yield "systemd is in features, but nothing speaks to it"
    sources = "".join(p.read_text(encoding="utf-8") for p in TOP.glob("src/**/*.c")
                      if p.name != "features.c")
    for name in at(features, "/potentiallyUnsafeConfigAnnotations"):
        if '"' + name not in sources:
            yield "annotations %s are in features, and nothing reads them" % name
    for pointer in model:
        if at(features, re.sub(r"/(\*|<key>)$", "", pointer)) is None:
            yield "features says nothing of %s" % pointer


def features_leaves():
    import emit_leaves  # pylint: disable=import-outside-toplevel,import-error
    import load  # pylint: disable=import-outside-toplevel,import-error

    model = load.load(str(TOP / "libocispec" / "schema"))
    return [pointer for pointer, _ in emit_leaves.leaves(model, model.roots["features"].type, "")]


def findings(program, rows, known, asks=True):
    """Everything that is wrong, one sentence each."""
    try:
        found = spec_map.by_pointer(rows, known)
    except spec_map.MapError as error:
        yield str(error)
        return
    for row, sentence in check_rows(rows):
        yield "docs/spec-map.tsv:%d: %s" % (row.line, sentence)
    features = program.features()
    yield from check_words(program, found, features)
    yield from check_switches(found, features)
    if not asks:
        return
    for row, sentence in check_refusals(program, found):
        yield "docs/spec-map.tsv:%d: %s" % (row.line, sentence)
    yield from check_mount_options(program, found, features)
    yield from check_others(program, found, features, features_leaves())
    if not spec_map.is_current(str(TOP), spec_map.page(known, found)):
        yield "docs/spec-map.md is old: run scripts/spec-map.py"


def check_the_check(program, rows, known):
    """Errors that are made on purpose must be found: a check that sees nothing would pass for ever."""
    def where(pointer):
        return next(i for i, row in enumerate(rows) if pointer in row.pointers)

    def changed(pointer, **fields):
        at_row = where(pointer)
        return rows[:at_row] + [rows[at_row]._replace(**fields)] + rows[at_row + 1:]

    wrong = [
        ("a leaf without a row", rows[:-1]),
        ("a leaf with two rows", rows + rows[-1:]),
        ("a test that does not exist", changed("/hostname", tests=["tests/x.py::test_x"])),
        ("a file that does not exist", changed("/hostname", files=["src/x.c"])),
        ("no test", changed("/hostname", tests=[])),
        ("features beyond the rows", changed("/linux/namespaces/*/type", status="refused")),
    ]
    for what, table in wrong:
        if not list(findings(program, table, known, asks=False)):
            yield "the check does not find: %s" % what
    hostname = spec_map.Row(["/hostname"], "refused", [], [], "", 0)
    if not list(check_refusals(program, {"/hostname": hostname})):
        yield "the check does not find a field that is accepted in silence"


def main():
    try:
        known = spec_map.leaves(str(TOP))
        rows = spec_map.table(str(TOP))
        spec_map.by_pointer(rows, known)
    except spec_map.MapError as error:
        sys.exit(str(error))
    with tempfile.TemporaryDirectory(prefix="crun-test-") as scratch:
        program = Program(known, scratch)
        wrong = list(findings(program, rows, known)) + list(check_the_check(program, rows, known))
    for line in wrong:
        print(line)
    print("%d leaves, %d rows, %d findings" % (len(known), len(rows), len(wrong)))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
