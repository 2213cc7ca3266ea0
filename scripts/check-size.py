#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Gate: file <= 600 lines, function <= 80 lines, cyclomatic complexity <= 20; no exceptions.

The complexity is McCabe's number as pmccabe's first column counts it: one, plus one for each
if, for, while, case, &&, || and ?:, in the source as written.  A macro named *foreach* is a loop.
"""

import re

import checklib

FILE_LINES = 600
FUNCTION_LINES = 80
COMPLEXITY = 20

WHERE = ("src/", "libocispec/", "tests/", "bench/", "scripts/")
BRANCH = re.compile(r"\b(?:if|for|while|case|\w*for_?each\w*)\b|&&|\|\||\?")
DIRECTIVE = re.compile(r"^[ \t]*#[ \t]*(\w*)(?:\\\n|[^\n])*", re.MULTILINE)
CPLUSPLUS = re.compile(r"^[ \t]*#[ \t]*ifdef[ \t]+__cplusplus\b.*?^[ \t]*#[ \t]*endif\b",
                       re.MULTILINE | re.DOTALL)
ATTRIBUTE = re.compile(r"__attribute__\s*\(\((?:[^()]|\([^()]*\))*\)\)")
TYPE_BODY = re.compile(r"(?:^|\s)(?:struct|union|enum)(?:\s+\w+)?\s*$")
LAST_WORD = re.compile(r"(\w+)\s*$")


def function_start(header):
    """(name, offset of its first word) when the text before a top-level brace opens a function."""
    header = ATTRIBUTE.sub(lambda m: checklib.spaces(m.group()), header)
    depth, end, name, first = 0, 0, None, 0
    for at, char in enumerate(header):
        if char == "=" and depth == 0:
            return None
        if char == "(":
            word = LAST_WORD.search(header, 0, at)
            if depth == 0 and word:
                name, first = word.group(1), end
            depth += 1
        elif char == ")":
            depth -= 1
            end = at + 1
    if name is None or TYPE_BODY.search(header):
        return None
    return name, first + len(header[first:]) - len(header[first:].lstrip())


def scan(text):
    """Yield ('function', name, first, last, complexity) and ('unbalanced', line) of a C text."""
    code = CPLUSPLUS.sub(lambda m: checklib.spaces(m.group()), checklib.blank(text))
    marks = [(m.start(), m.group(1)) for m in DIRECTIVE.finditer(code)]
    code = DIRECTIVE.sub(lambda m: checklib.spaces(m.group()), code)
    events = marks + [(m.start(), m.group()) for m in re.finditer(r"[{};]", code)]
    depth, header, opened, function, stack = 0, 0, 0, None, []
    for at, what in sorted(events):
        if what in ("if", "ifdef", "ifndef"):
            stack.append(depth)
        elif what in ("else", "elif", "endif"):
            if stack and depth != stack[-1]:
                yield "unbalanced", checklib.line_of(text, at)
                depth = stack[-1]
            if what == "endif" and stack:
                stack.pop()
        elif what == "{":
            if depth == 0:
                opened, function = at, function_start(code[header:at])
            depth += 1
        elif what == "}":
            depth = max(depth - 1, 0)
            if depth == 0:
                if function:
                    yield ("function", function[0], checklib.line_of(text, header + function[1]),
                           checklib.line_of(text, at), 1 + len(BRANCH.findall(code, opened, at)))
                header, function = at + 1, None
        elif what == ";" and depth == 0:
            header = at + 1


def check_c(name, text):
    for kind, *rest in scan(text):
        if kind == "unbalanced":
            yield (name, rest[0], "braces do not balance inside one #if branch: put whole "
                   "functions or whole statements into each branch")
            continue
        function, first, last, complexity = rest
        if last - first + 1 > FUNCTION_LINES:
            yield (name, first, "%s() has %d lines: split it into named steps of at most %d lines"
                   % (function, last - first + 1, FUNCTION_LINES))
        if complexity > COMPLEXITY:
            yield (name, first, "%s() has cyclomatic complexity %d: use a table or named steps to "
                   "get to %d" % (function, complexity, COMPLEXITY))


def check(tree):
    for name in tree.under(WHERE, (".c", ".h", ".py", ".sh")):
        text = tree.text(name)
        lines = text.count("\n") + (not text.endswith("\n"))
        if lines > FILE_LINES:
            yield (name, FILE_LINES + 1, "the file has %d lines: split it by concern into files of "
                   "at most %d" % (lines, FILE_LINES))
        if name.endswith((".c", ".h")):
            yield from check_c(name, text)


if __name__ == "__main__":
    checklib.run("size", check)
