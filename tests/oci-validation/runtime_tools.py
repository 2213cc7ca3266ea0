#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run the validation programs of an opencontainers/runtime-tools checkout on a runtime.

runtime_tools.py DIR [NAME...]   DIR/validation/*/*.t (built there by its `make runtimetest
                                 validation-executables`), or those whose path has a NAME

The runtime is $RUNTIME, or the crun of the build tree. Each program prints TAP, which is counted:
its failures are listed, and the exit status is 1 when there is one that runtime-tools.txt does not
explain. They need root, and run one after the other; the runtime gets a state directory of their
own (--root), and what a program leaves in it is deleted before the next one starts.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
RESULT = re.compile(r"^(not )?ok\b[ \t]*\d*[ \t]*-?[ \t]*(.*)$")
DIRECTIVE = re.compile(r"#\s*(skip|todo)\b", re.I)


def programs(folder, names):
    found = sorted((folder / "validation").glob("*/*.t"))
    return [p for p in found if os.access(p, os.X_OK)
            and (not names or any(name in str(p) for name in names))]


def read_known():
    """(program, beginning of the failure's text, reason) of the differences that are explained."""
    path = Path(__file__).resolve().parent / "runtime-tools.txt"
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()
            if line.strip() and not line.startswith("#")]
    for row in rows:
        if len(row) != 3:
            sys.exit(f"{path}: {row}: three columns are wanted")
    return rows


def count(text, status):
    """(passed, skipped, descriptions of the failures) of a program's output and exit status."""
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
    for bail in re.findall(r"^Bail out!.*$", text, re.M):
        failures.append(bail)
    if planned and int(planned.group(1)) > passed + skipped + len(failures):
        failures.append(f"ended early: {planned.group(0)}")
    if status and not failures:
        failures.append(f"exit status {status}")
    # Some say what they have to say with their exit status alone.
    if not status and not passed + skipped + len(failures):
        passed = 1
    return passed, skipped, failures


def words_of(text, runtime):
    """What the runtime said at last, or the program: the reason of a failure without a text."""
    lines = [line.strip() for line in text.splitlines()
             if line.strip() and not re.match(r"(ok|not ok|#|\s|TAP|1\.\.)", line)]
    said = [line for line in lines if line.startswith(f"{runtime.name}: ")]
    return (said or lines or [""])[-1]


class Runtime:
    """The runtime behind a script that gives it a state directory of its own."""

    def __init__(self, path, folder):
        self.path, self.state = path, os.path.join(folder, "state")
        self.script = os.path.join(folder, path.name)
        with open(self.script, "w", encoding="utf-8") as out:
            out.write(f"#!/bin/sh\nexec {shlex.quote(str(path))} --root {shlex.quote(self.state)} "
                      '"$@"\n')
        os.chmod(self.script, 0o755)

    def call(self, *args):
        return subprocess.run([self.script, *args], check=False, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                              timeout=60).stdout

    def clean(self):
        """Deletes what is left; returns how many containers that were."""
        ids = os.listdir(self.state) if os.path.isdir(self.state) else []
        ids = [name for name in ids if not name.startswith(".")]
        for name in ids:
            self.call("delete", "--force", name)
        return len(ids)


def run(program, folder, runtime, limit):
    env = dict(os.environ, RUNTIME=runtime.script)
    try:
        done = subprocess.run(["unshare", "-m", "--propagation", "private", str(program.resolve())],
                              cwd=folder.resolve(), env=env,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", timeout=limit)
    except subprocess.TimeoutExpired:
        return 0, 0, [f"did not end within {limit} s"]
    finally:
        left = runtime.clean()
    if left:
        print(f"    (left {left} containers)")
    passed, skipped, failures = count(done.stdout, done.returncode)
    return passed, skipped, [f"{text}: {words_of(done.stdout, runtime.path)}"
                             if text.startswith("exit status") else text for text in failures]


def explain(name, text, known):
    return next((reason for program, start, reason in known
                 if program == name and text.startswith(start)), None)


def drive_all(found, folder, runtime, limit):
    """[passed, failed, explained, skipped]"""
    totals, known = [0, 0, 0, 0], read_known()
    for program in found:
        passed, skipped, failures = run(program, folder, runtime, limit)
        reasons = [explain(program.stem, text, known) for text in failures]
        bad = reasons.count(None)
        totals = [x + y for x, y in zip(totals, (passed, bad, len(failures) - bad, skipped))]
        print(f"{'FAIL' if bad else 'ok'} {program.relative_to(folder)} "
              f"({passed} passed, {len(failures) - bad} explained, {skipped} skipped)", flush=True)
        for text, reason in zip(failures, reasons):
            print(f"    {text}" + (f"\n        explained: {reason}" if reason else ""))
    return totals


def drive(folder, names, limit):
    """Run them all and print the results; 0 when none failed."""
    built = os.path.join(os.environ.get("CRUN_BUILD", TOP), "crun")
    path = Path(os.environ.get("RUNTIME") or built).resolve()
    found = programs(folder, names)
    if not found:
        sys.exit(f"{folder}: no program validation/*/*.t that can be run; build them with "
                 "`make runtimetest validation-executables`")
    if not os.access(folder / "runtimetest", os.X_OK):
        sys.exit(f"{folder}: no `runtimetest`, which runs in the containers; build it with "
                 "`make runtimetest`")
    if not os.access(path, os.X_OK):
        sys.exit(f"{path}: no runtime that can be run")
    with tempfile.TemporaryDirectory(prefix="crun-rt-") as scratch:
        totals = drive_all(found, folder, Runtime(path, scratch), limit)
    print("{} passed, {} failed, {} failed for a reason that is known, {} skipped".format(*totals))
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
