#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How many of the specification's sentences have a test.

The catalogues bundle.txt, runtime.txt, config.txt and config-linux.txt list the sentences of the
documents of runtime-spec 1.3 that say MUST (NOT) or SHOULD (NOT), section by section in their
order, each in our own words:

    [Heading of the section]
    MUST what the sentence demands
    <tab>test names, or "not: " and why there is none

A sentence is called by document, section and number: "runtime.md Create 3". A test is
MODULE.FUNCTION in this directory or in tests/integration, or FILE.c:NAME of a unit test. Words
that only say whether a field may be left out (REQUIRED, OPTIONAL) are the schema's: libocispec
is generated from it.

coverage.py          count them; the exit status is 1 when a sentence has neither test nor reason,
                     or a test that it names does not exist, or a test here belongs to none
coverage.py --list   print each sentence with its tests or reason
coverage.py --runtime-tools DIR   then run the programs of a runtime-tools checkout on $RUNTIME,
                     or on the crun of the build tree; see runtime_tools.py
"""

import argparse
import importlib
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
DOCUMENTS = ("config", "config-linux", "runtime", "bundle")
LEVELS = ("MUST", "SHOULD")
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE), str(TOP / "tests/integration")]

import harness         # noqa: E402  pylint: disable=wrong-import-position
import runtime_tools   # noqa: E402  pylint: disable=wrong-import-position


class Sentence:
    def __init__(self, name, level, text):
        self.name, self.level, self.text = name, level, text
        self.tests, self.reason = [], None


def read_catalogue(path):
    """Its sentences and what is wrong with it."""
    sentences, problems, section, number = [], [], None, 0
    for count, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        where = f"{path.name}:{count}"
        head, _blank, rest = line.partition(" ")
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("[") and line.endswith("]"):
            section, number = line[1:-1], 0
        elif head in LEVELS and section and rest:
            number += 1
            sentences.append(Sentence(f"{path.stem}.md {section} {number}", head, rest))
        elif line.startswith("\tnot: ") and sentences:
            sentences[-1].reason = line[6:].strip()
        elif line.startswith("\t") and sentences:
            sentences[-1].tests += line.split()
        else:
            problems.append(f"{where}: neither section, sentence, tests nor reason: {line}")
    return sentences, problems


class Tests:
    """Which tests there are."""

    def __init__(self):
        self.modules = {}

    def of_module(self, name):
        if name not in self.modules:
            try:
                found = harness.tests_in(importlib.import_module(name))
            except ImportError:
                found = []
            self.modules[name] = {function for function, _object in found}
        return self.modules[name]

    def has(self, test):
        file, colon, name = test.partition(":")
        if colon:
            path = TOP / file
            return path.is_file() and bool(re.search(rf"\bTEST\({re.escape(name)}\)",
                                                     path.read_text(encoding="utf-8")))
        module, _dot, function = test.partition(".")
        return function in self.of_module(module)


def check(sentences, tests):
    problems = []
    for sentence in sentences:
        if not sentence.tests and not sentence.reason:
            problems.append(f"{sentence.name}: neither a test nor a reason")
        if sentence.tests and sentence.reason:
            problems.append(f"{sentence.name}: a test and a reason why there is none")
        problems += [f"{sentence.name}: there is no test {test}"
                     for test in sentence.tests if not tests.has(test)]
    named = {test for sentence in sentences for test in sentence.tests}
    for path in sorted(HERE.glob("test_*.py")):
        problems += [f"{path.stem}.{function}: belongs to no sentence"
                     for function in sorted(tests.of_module(path.stem))
                     if f"{path.stem}.{function}" not in named]
    return problems


def summary(title, sentences):
    tested = sum(1 for sentence in sentences if sentence.tests)
    levels = ", ".join(f"{sum(1 for s in sentences if s.level == level)} {level}"
                       for level in LEVELS)
    return f"{title}: {tested} of {len(sentences)} sentences tested ({levels}), " \
           f"{len(sentences) - tested} with a reason"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="print each sentence")
    parser.add_argument("--runtime-tools", type=Path, metavar="DIR",
                        help="a built checkout of opencontainers/runtime-tools")
    options = parser.parse_args()
    every, problems, tests = [], [], Tests()
    for document in DOCUMENTS:
        sentences, wrong = read_catalogue(HERE / f"{document}.txt")
        problems += wrong
        every += sentences
        if options.list:
            for s in sentences:
                print(f"{s.name}: {s.level} {s.text}: {s.reason or ' '.join(s.tests)}")
        print(summary(f"{document}.md", sentences))
    problems += check(every, tests)
    print(summary("all", every))
    for problem in problems:
        print(f"FAIL {problem}")
    failed = bool(problems) or not every
    if options.runtime_tools:
        failed |= runtime_tools.drive(options.runtime_tools, [], 120) != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
