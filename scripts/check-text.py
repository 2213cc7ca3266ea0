#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Gate: the form of text files: licence line, purpose line, white space, words for strangers."""

import re

import checklib

C_FIRST = "// SPDX-License-Identifier: Apache-2.0"
H_FIRST = "/* SPDX-License-Identifier: Apache-2.0 */"
C_WHERE = ("src/", "libocispec/", "tests/", "bench/")
# Texts that mean something only to their author, on the author's machine.
PRIVATE = ("/" + "work/", "session" + " of", "sub" + "agent")
READ = (".c", ".h", ".py", ".sh", ".md", ".am", ".ac", ".1", ".map", ".json", ".yml", ".yaml", ".txt",
        ".in", ".bats", ".conf")


def is_script(name, text):
    return name.endswith((".py", ".sh", ".bats")) or text.startswith("#!")


def check_head(name, text):
    lines = text.split("\n")
    first = C_FIRST if name.endswith(".c") else H_FIRST
    if lines[0] != first:
        yield name, 1, "the first line must be: %s" % first
        return
    rest = [(n, row) for n, row in enumerate(lines[1:], 2) if row.strip() not in ("", "#pragma once")]
    if rest and not rest[0][1].lstrip().startswith(("/*", "//", "*")):
        yield name, rest[0][0], "after the licence line, say in one sentence what the file is for"


def check_script(name, text):
    for number, row in enumerate(text.split("\n"), 1):
        if row != row.rstrip():
            yield name, number, "white space at the end of the line: remove it"
        if re.match(r"[ \t]* \t", row):
            yield name, number, "space before a tab in the indentation: use one kind only"
        elif row.startswith("\t") and name.endswith(".py"):
            yield name, number, "tab in the indentation: use four spaces"


def check(tree):
    for name in tree.names:
        if "/generated/" in name or "/corpus" in name or name == "LICENSE":
            continue
        data = (tree.root / name).read_bytes()[:2]
        if not (name.endswith(READ) or data == b"#!" or "/" not in name):
            continue
        text = tree.text(name)
        if name.startswith(C_WHERE) and name.endswith((".c", ".h")):
            yield from check_head(name, text)
        if is_script(name, text):
            yield from check_script(name, text)
        if "\r" in text:
            yield name, 1, "carriage returns: end lines with a line feed only"
        if text and not text.endswith("\n"):
            yield name, text.count("\n") + 1, "no line feed at the end of the file: add one"
        lower = text.lower()
        for word in PRIVATE:
            at = lower.find(word)
            if at >= 0:
                yield (name, checklib.line_of(text, at),
                       "\"%s\" means nothing to a stranger: say it without" % word)


if __name__ == "__main__":
    checklib.run("text", check)
