#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Gate: the catalogue of errors, docs/errors.md and the tests agree.

The catalogue is src/libcrun/base/error_codes.def.  Each code is used by the sources, and is either
named by a test that produces it or listed with a reason in tests/untested-errors.txt.  The document
is made from the catalogue: `scripts/check-errors.py --write` writes it.
"""

import re
import sys
from pathlib import Path

import checklib

CATALOGUE = "src/libcrun/base/error_codes.def"
DOCUMENT = "docs/errors.md"
UNTESTED = "tests/untested-errors.txt"
WRITE = "run `scripts/check-errors.py --write`"
# What engines look for in our standard error, in any case of letters.
PHRASES = (
    "does not exist", "container not running", "not running", "no such process", "invalid process",
    "process already finished", "permission denied", "operation not permitted", "is a directory",
    "not a directory", "not found", "no such file", "no such", "cannot find", "open executable",
    "executable path is empty", "requires an argument", "flag needs an argument", "exec failed",
    "failed to run", "already exists", "is not running")
ENTRY = re.compile(r"^(SECTION|CODE)\((.*?)\)$", re.MULTILINE | re.DOTALL)
STRING = re.compile(r"\"((?:\\.|[^\"\\])*)\"")
HEAD = """\
# Errors

When a command of crun fails, its last line on standard error is `crun: error code CODE`, after the
line with the message. In a JSON log (`--log-format json`) the line of level *error* has the
code as `code`, beside `msg`, which says in full what happened to what; in the journal it is the field
`CRUN_ERROR_CODE`. Messages become better from version to version. Codes stay: programs that have to
tell failures apart should look at them.

A code that is not in this list comes from a newer version. The exit status is 64 for a command line
that crun cannot understand, and 1 for every other failure.

This page is made from `%s` by `scripts/check-errors.py --write`.
""" % CATALOGUE


class Code:
    def __init__(self, line, name, meaning, action):
        self.line, self.name, self.meaning, self.action = line, name, meaning, action


def split(text):
    """The arguments of CODE() as name, kind and the two texts."""
    head, rest = text.split(",", 2)[:2], text.split(",", 2)[2:]
    texts, joined, end = [], "", 0
    for match in STRING.finditer(rest[0] if rest else ""):
        if "," in rest[0][end:match.start()] and joined:
            texts.append(joined)
            joined = ""
        joined += match.group(1).replace('\\"', '"')
        end = match.end()
    return [word.strip() for word in head], texts + [joined]


def read(text):
    """[(section, [Code])] of the catalogue."""
    sections = []
    for match in ENTRY.finditer(text):
        line = checklib.line_of(text, match.start())
        if match.group(1) == "SECTION":
            sections.append((STRING.search(match.group(2)).group(1), []))
            continue
        (name, _), texts = split(match.group(2))
        sections[-1][1].append(Code(line, name, *(texts + ["", ""])[:2]))
    return sections


def document(sections):
    out = [HEAD]
    for title, codes in sections:
        out.append("\n## %s\n\n| code | what it means | what to do |\n|---|---|---|\n" % title)
        out += ["| `%s` | %s | %s |\n" % (c.name, c.meaning.replace("|", "\\|"),
                                          c.action.replace("|", "\\|")) for c in codes]
    return "".join(out)


def check_names(codes):
    seen = set()
    for code in codes:
        if not re.fullmatch("[A-Z]+(_[A-Z]+)*", code.name) or len(code.name) > 32:
            yield CATALOGUE, code.line, "`%s` is no name for a code" % code.name
        if code.name in seen:
            yield CATALOGUE, code.line, "the code %s is there twice" % code.name
        seen.add(code.name)
        words = code.name.replace("_", " ").lower()
        for phrase in PHRASES:
            if phrase in words:
                yield (CATALOGUE, code.line, "%s can be taken for the phrase \"%s\", which engines "
                       "look for: choose another name" % (code.name, phrase))
        if not code.meaning or not code.action:
            yield CATALOGUE, code.line, "%s needs what it means and what to do" % code.name


def untested(tree):
    """{code: (line, reason)}"""
    found = {}
    if UNTESTED in tree.names:
        for number, row in enumerate(tree.text(UNTESTED).splitlines(), 1):
            if row and not row.startswith("#"):
                name, _, reason = row.partition(":")
                found[name.strip()] = (number, reason.strip())
    return found


def words_of(tree, folder, pattern, suffixes):
    found = set()
    for name in tree.names:
        if name.startswith(folder) and name.endswith(suffixes):
            found.update(re.findall(pattern, tree.text(name)))
    return found


def check(tree):
    if CATALOGUE not in tree.names:
        return
    sections = read(tree.text(CATALOGUE))
    codes = [code for _, part in sections for code in part]
    yield from check_names(codes)
    if DOCUMENT not in tree.names or tree.text(DOCUMENT) != document(sections):
        yield DOCUMENT, 1, "differs from the catalogue %s: %s" % (CATALOGUE, WRITE)
    used = words_of(tree, "src/", r"\bCODE_([A-Z_]+)\b", ".c")
    tested = words_of(tree, "tests/", r"\bCODE_([A-Z_]+)\b", ".c") | \
        words_of(tree, "tests/", r"\"([A-Z_]+)\"", "/test_error.c") | \
        words_of(tree, "tests/", r"\bcode(?:=| == )\"([A-Z_]+)\"", ".py")
    excuses = untested(tree)
    for code in codes:
        if code.name not in used:
            yield CATALOGUE, code.line, "no source uses CODE_%s: remove it" % code.name
        if code.name not in tested and code.name not in excuses:
            yield (CATALOGUE, code.line, "no test produces %s: write one, or a line in %s"
                   % (code.name, UNTESTED))
    names = {code.name for code in codes}
    for name, (line, reason) in sorted(excuses.items()):
        if name not in names:
            yield UNTESTED, line, "there is no code %s" % name
        elif name in tested:
            yield UNTESTED, line, "a test names %s: remove the line" % name
        elif len(reason) < 10:
            yield UNTESTED, line, "say after a colon why no test can produce %s" % name


def write():
    root = Path(__file__).resolve().parent.parent
    text = document(read((root / CATALOGUE).read_text(encoding="utf-8")))
    (root / DOCUMENT).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        write()
    else:
        checklib.run("errors", check)
