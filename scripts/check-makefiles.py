#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Gate: every C file is named in a Makefile.am or module.am, and every file named there exists.

A source that no makefile names is code that no compiler, no sanitizer and no release contains.
"""

import os.path
import re

import checklib

SOURCES = ("src/", "libocispec/runtime/", "tests/", "bench/")
# Nothing names these to have them compiled, and nothing below them needs to exist before a build.
NOT_COMPILED = {"EXTRA_DIST", "CLEANFILES", "DISTCLEANFILES", "MAINTAINERCLEANFILES"}
BUILT = {"BUILT_SOURCES", "CLEANFILES", "DISTCLEANFILES", "MAINTAINERCLEANFILES", "MOSTLYCLEANFILES"}
ASSIGN = re.compile(r"^[ ]*([\w%]+)[ \t]*[+:?]?=(.*)$")
FILE = re.compile(r"^[\w./%+-]+\.(?:c|h|py|sh|json|md|am|map|rst|in|1)$")


def assignments(text):
    """(variable, words, first line) of each assignment, continuation lines joined."""
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        first, line = at, lines[at]
        while line.endswith("\\") and at + 1 < len(lines):
            at += 1
            line = line[:-1] + " \0" + lines[at]
        at += 1
        match = ASSIGN.match(line.split("#")[0])
        if match:
            words, number = [], first + 1
            for word in match.group(2).replace("\0", " \0 ").split(" "):
                if word == "\0":
                    number += 1
                elif word.strip():
                    words.append((word.strip(), number))
            yield match.group(1), words


def named_path(word, makefile, names):
    """The tree path that a word of a makefile names, or None when it names none."""
    folder = os.path.dirname(makefile)
    word = word.replace("%D%", folder or ".").replace("$(srcdir)/", "").replace("$(top_srcdir)/", "")
    if not FILE.match(word):
        return None
    path = os.path.normpath(word)
    local = os.path.normpath(os.path.join(folder, word))
    return local if local in names and path not in names else path


def check(tree):
    names = set(tree.names)
    makefiles = [n for n in tree.names
                 if os.path.basename(n) in ("Makefile.am", "module.am", "Makemodule.am")]
    named, compiled, built = {}, set(), set()
    for makefile in makefiles:
        for variable, words in assignments(tree.text(makefile)):
            if variable.endswith("FLAGS"):
                continue  # -include config.h names what configure makes
            for word, line in words:
                path = named_path(word, makefile, names)
                if path is None:
                    continue
                if variable in BUILT or variable.startswith("nodist_"):
                    built.add(path)
                else:
                    named.setdefault(path, (makefile, line))
                if variable not in NOT_COMPILED:
                    compiled.add(path)
    for path, (makefile, line) in named.items():
        if path not in names and path not in built and "/generated/" not in path:
            yield makefile, line, "%s does not exist: correct or remove the name" % path
    for path in tree.under(SOURCES, (".c",)):
        # A test may hand a C file to a compiler inside a container: then it is only distributed.
        if path not in compiled and not (path in named and path.startswith("tests/")):
            yield path, 1, "no makefile compiles this file: add it to the _SOURCES of its room"
    for path in tree.under(("src/", "libocispec/runtime/"), (".h",)):
        if path not in named and path not in built:
            yield path, 1, "no makefile names this header, so a release lacks it: add it to _SOURCES"


if __name__ == "__main__":
    checklib.run("makefiles", check)
