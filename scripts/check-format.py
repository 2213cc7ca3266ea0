#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Gate: clang-format has nothing to change; .clang-format is the judge, there is no debate.

Version 14 is the reference.  It is taken by name when it is installed; another version is used
only when it is newer, because an older one does not know all the options in .clang-format.
"""

import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import checklib

OLDEST = 14
WHERE = ("src/", "libocispec/", "tests/", "bench/")
DIAGNOSTIC = re.compile(r"^(.+?):(\d+):(\d+): (?:error|warning): (.*)$")


def formatter():
    for name in filter(None, (os.environ.get("CLANG_FORMAT"), "clang-format-14", "clang-format")):
        path = shutil.which(name)
        if not path:
            continue
        out = subprocess.run([path, "--version"], stdout=subprocess.PIPE, text=True, check=False)
        version = re.search(r"version (\d+)", out.stdout)
        if version and int(version.group(1)) >= OLDEST:
            return path
    return None


def dry_run(tool, root, names):
    cmd = [tool, "--style=file", "--fallback-style=none", "--dry-run", "-Werror", *names]
    out = subprocess.run(cmd, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                         text=True, errors="replace", check=False)
    found = [m.groups() for m in map(DIAGNOSTIC.match, out.stderr.splitlines()) if m]
    if out.returncode != 0 and not found:
        return [(names[0], "1", "1", "clang-format failed: " + out.stderr.strip()[:300])]
    return found


def check(tree):
    names = tree.under(WHERE, (".c", ".h"))
    tool = formatter()
    if tool is None:
        reason = "clang-format %d or newer is not installed" % OLDEST
        if os.environ.get("CI") == "true":
            return [(".clang-format", 1, reason + ", and CI must not skip it: install it")]
        raise checklib.Skip(reason)
    if ".clang-format" not in tree.names:
        return [(".clang-format", 1, "the formatting rules are missing: restore this file")]
    if not names:
        return []
    jobs = min(os.cpu_count() or 1, len(names))
    parts = [names[i::jobs] for i in range(jobs)]
    with ThreadPoolExecutor(jobs) as pool:
        found = [f for part in pool.map(lambda p: dry_run(tool, tree.root, p), parts) for f in part]
    wrong = {}
    for name, line, column, text in found:
        if text.startswith("clang-format failed"):
            return [(name, 1, text)]
        # The complaint about an indentation starts at the line feed before it.
        row = tree.text(name).split("\n")[int(line) - 1]
        wrong.setdefault(name, set()).add(int(line) + (int(column) > len(row.encode())))
    return [(name, min(rows), "clang-format would change %s: run clang-format -i %s" %
             ("this line" if len(rows) == 1 else "%d places from here" % len(rows), name))
            for name, rows in wrong.items()]


if __name__ == "__main__":
    checklib.run("format", check)
