#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Gate: docs/kernel-features.md has a row for each call that may be missing, and names tests that exist."""

import re

import checklib

DOC = "docs/kernel-features.md"
CALLS = "tests/integration/test_missing_syscalls.py"
MAY_BE_MISSING = re.compile(r"SYS_RET_NEW\s*\(.*?SYS_(\w+)", re.S)
# What goes with a call that is tried first, and has therefore no need of SYS_RET_NEW.
WITH_IT = ("fsopen", "fsconfig", "fsmount", "move_mount", "statx")


def word(text):
    return re.sub(r"\W", "_", text)


def check(tree):
    if DOC not in tree.names:
        return
    text = tree.text(DOC)
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    for name in tree.under(["src/libcrun/sys/"], [".c"]):
        for call in MAY_BE_MISSING.findall(tree.text(name)):
            if not any(f"`{call}`" in row.split("|")[1] or call in row.split("|")[1] for row in rows):
                yield DOC, 1, "no row tells what is done without %s, which %s expects to be missing" % (
                    call, name)
    for call in WITH_IT:
        if not any(call in row.split("|")[1] for row in rows):
            yield DOC, 1, "no row tells what is done without %s" % call
    tests = tree.text(CALLS) if CALLS in tree.names else ""
    slices = {word(name) for name in re.findall(r"^    \"([^\"]+)\": ", tests, re.M)}
    for match in re.finditer(r"`(tests?[_/][\w./*-]+)`", text):
        name = match.group(1)
        if "/" in name:
            found = name in tree.names or any(n.startswith(name + "/") for n in tree.names)
        elif name.endswith("__*"):
            found = name[len("test_"):-len("__*")] in slices
        else:
            found = f"def {name}(" in tests
        if not found:
            yield DOC, checklib.line_of(text, match.start()), "there is no test %s" % name


if __name__ == "__main__":
    checklib.run("kernel", check)
