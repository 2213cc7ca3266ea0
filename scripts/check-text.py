#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Gate: the form of text files: licence line, purpose line, white space, words for strangers."""

import ast
import re

import checklib

C_FIRST = "// SPDX-License-Identifier: Apache-2.0"
H_FIRST = "/* SPDX-License-Identifier: Apache-2.0 */"
C_WHERE = ("src/", "libocispec/", "tests/", "bench/")
# Texts that mean something only to their author, on the author's machine.
# (A process has a session of its own, so that word alone is fine.)
PRIVATE = re.compile("/" + "work/|session" + " of (?:the |this )?(?:project|work)|sub" + "agent",
                     re.IGNORECASE)
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


def quoted_lines(text):
    """The lines inside the long strings of a Python file: a generator's C code has C's tabs."""
    inside = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.JoinedStr) or \
                isinstance(node, ast.Constant) and isinstance(node.value, str):
            inside.update(range(node.lineno + 1, node.end_lineno + 1))
    return inside


def check_script(name, text):
    free = ()
    if name.endswith(".py"):
        try:
            free = quoted_lines(text)
        except SyntaxError as error:
            yield name, error.lineno or 1, "Python cannot read it: %s" % error.msg
            return
    for number, row in enumerate(text.split("\n"), 1):
        if row != row.rstrip():
            yield name, number, "white space at the end of the line: remove it"
        if number in free:
            continue
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
        match = PRIVATE.search(text)
        if match:
            yield (name, checklib.line_of(text, match.start()),
                   "\"%s\" means nothing to a stranger: say it without" % match.group())


if __name__ == "__main__":
    checklib.run("text", check)
