#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Gate: ARCHITECTURE.md tells the phases that the tables of the program have, in their order."""

import re

import checklib

DOC = "ARCHITECTURE.md"
HOST = "src/libcrun/host/launch.c"
EXEC = "src/libcrun/host/exec.c"
INIT = "src/libcrun/init/%s/phases.c"


def phases(tree, name, of_exec=False):
    """The phases of the file's first table, or of the one for exec, which comes behind it."""
    parts = re.split(r"^const struct \w+ exec_\w+\[\] = \{", tree.text(name), 1, re.M) + [""]
    return re.findall(r"\{\.name = \"([^\"]+)\"", parts[1 if of_exec else 0])


def compare(line, where, told, real):
    for position, (a, b) in enumerate(zip(told + [None], real + [None])):
        if a != b:
            yield DOC, line, "%s has phase %s at place %d, this says %s" % (
                where, b or "none", position + 1, a or "none")
            return


def check(tree):
    if DOC not in tree.names:
        return
    text = tree.text(DOC)
    for table in ("outside", "inside", "last"):
        if INIT % table not in tree.names:
            continue
        row = re.search(r"^\| %s \| (.*) \|$" % table, text, re.M)
        line = checklib.line_of(text, row.start()) if row else 1
        told = row.group(1).split(" · ") if row else []
        yield from compare(line, INIT % table, told, phases(tree, INIT % table))
        row = re.search(r"^\| exec: %s \| (.*) \|$" % table, text, re.M)
        told = row.group(1).split(" · ") if row else []
        yield from compare(line, INIT % table, told, phases(tree, INIT % table, True))
    if EXEC in tree.names:
        row = re.search(r"^\| exec: host \| (.*) \|$", text, re.M)
        told = row.group(1).split(" · ") if row else []
        yield from compare(checklib.line_of(text, row.start()) if row else 1, EXEC, told,
                           phases(tree, EXEC, True))
    if HOST in tree.names:
        block = re.search(r"^ \(load\).*\n((?: .*\n)*?)^ \(run: ", text, re.M)
        told = re.findall(r"^ (\S+)", block.group(1), re.M) if block else []
        yield from compare(checklib.line_of(text, block.start(1)) if block else 1, HOST, told,
                           phases(tree, HOST))


if __name__ == "__main__":
    checklib.run("story", check)
