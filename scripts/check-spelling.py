#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Gate: codespell finds nothing in what people read: sources, scripts and documents."""

import re
import shutil
import subprocess
from pathlib import Path

import checklib

READ = (".c", ".h", ".py", ".sh", ".md", ".am", ".ac", ".1", ".map", ".yml", ".yaml")
IGNORE = "scripts/codespell-ignore"


def check(tree):
    if not shutil.which("codespell"):
        raise checklib.Skip("codespell is not installed")
    names = [n for n in tree.names if n.endswith(READ) or n.startswith(("scripts/", ".ci/"))]
    names = [n for n in names if n != IGNORE and "/generated/" not in n]
    if not names:
        return
    ignore = ["-I", IGNORE] if (Path(tree.root) / IGNORE).exists() else []
    out = subprocess.run(["codespell", "--quiet-level", "6", *ignore, *names], cwd=tree.root,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                         errors="replace", check=False)
    for row in out.stdout.splitlines():
        match = re.match(r"^(?:\./)?(.+?):(\d+): (.+)$", row)
        if match:
            yield (match.group(1), int(match.group(2)), "misspelled, write %s" % match.group(3))


if __name__ == "__main__":
    checklib.run("spelling", check)
