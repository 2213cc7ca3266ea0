#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The table of README.md is what run.py --table prints, and the edits of the mutants fit the sources."""

import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def output(*argv):
    return subprocess.run([sys.executable, "-B", *argv], cwd=HERE, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def main():
    told = output("run.py", "--table")
    with open(os.path.join(HERE, "README.md"), encoding="utf-8") as source:
        readme = source.read()
    bad = told.returncode
    if told.stdout not in readme:
        print(f"README.md does not have the table that run.py --table prints:\n{told.stdout}")
        bad = 1
    fit = output("mutants.py", "--check")
    print(fit.stdout, end="")
    return 1 if bad or fit.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
