#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run the validation programs of an opencontainers/runtime-tools checkout on a runtime.

runtime_tools.py DIR [NAME...]   DIR/validation/*/*.t (built there by its `make runtimetest
                                 validation-executables`), or those whose path has a NAME

The runtime is $RUNTIME, or the crun of the build tree. Each program prints TAP, which is counted:
its failures are listed, and the exit status is 1 when there is one. They need root, and run one
after the other.
"""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
RESULT = re.compile(r"^(not )?ok\b[ \t]*\d*[ \t]*-?[ \t]*(.*)$")
DIRECTIVE = re.compile(r"#\s*(skip|todo)\b", re.I)


def programs(folder, names):
    found = sorted((folder / "validation").glob("*/*.t"))
    return [p for p in found if os.access(p, os.X_OK)
            and (not names or any(name in str(p) for name in names))]


def count(text):
    """(passed, failed, skipped, descriptions of the failures) of TAP output."""
    passed, skipped, failures = 0, 0, []
    planned = re.search(r"^1\.\.(\d+)", text, re.M)
    for line in text.splitlines():
        result = RESULT.match(line)
        if not result:
            continue
        if DIRECTIVE.search(line):
            skipped += 1
        elif result.group(1):
            failures.append(result.group(2))
        else:
            passed += 1
    if not planned and not re.search(r"^Bail out!", text, re.M) and not passed + skipped:
        failures.append("printed no TAP")
    for bail in re.findall(r"^Bail out!.*$", text, re.M):
        failures.append(bail)
    if planned and int(planned.group(1)) > passed + skipped + len(failures):
        failures.append(f"ended early: {planned.group(0)}")
    return passed, skipped, failures


def run(program, folder, runtime, limit):
    env = dict(os.environ, RUNTIME=str(runtime))
    try:
        done = subprocess.run([str(program.resolve())], cwd=folder.resolve(), env=env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", timeout=limit)
    except subprocess.TimeoutExpired:
        return 0, 0, [f"did not end within {limit} s"]
    passed, skipped, failures = count(done.stdout)
    if done.returncode and not failures:
        failures.append(f"exit status {done.returncode}")
    return passed, skipped, failures


def drive(folder, names, limit):
    """Run them all and print the results; 0 when none failed."""
    built = os.path.join(os.environ.get("CRUN_BUILD", TOP), "crun")
    runtime = Path(os.environ.get("RUNTIME") or built).resolve()
    found = programs(folder, names)
    if not found:
        sys.exit(f"{folder}: no program validation/*/*.t that can be run; build them with "
                 "`make runtimetest validation-executables`")
    if not os.access(runtime, os.X_OK):
        sys.exit(f"{runtime}: no runtime that can be run")
    totals = [0, 0, 0]
    for program in found:
        passed, skipped, failures = run(program, folder, runtime, limit)
        totals = [totals[0] + passed, totals[1] + len(failures), totals[2] + skipped]
        name = program.relative_to(folder)
        print(f"{'FAIL' if failures else 'ok'} {name} ({passed} passed, {skipped} skipped)")
        for text in failures:
            print(f"    {text}")
    print(f"{totals[0]} passed, {totals[1]} failed, {totals[2]} skipped")
    return 1 if totals[1] else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--timeout", type=int, default=120, metavar="SECONDS")
    options = parser.parse_args()
    return drive(options.folder, options.names, options.timeout)


if __name__ == "__main__":
    sys.exit(main())
