# SPDX-License-Identifier: Apache-2.0
"""What the style gates share: the list of files, a C lexer that blanks comments, and the report.

A gate is a function ``check(tree)`` that yields ``(path, line, sentence)``.  ``run`` turns it into
a program: exit 0 when nothing was found, 1 with one ``file:line: gate: sentence`` per finding,
77 when the gate cannot run here (the reason is printed).
"""

import os
import re
import subprocess
import sys
from pathlib import Path

SKIP = 77
NEVER = {".git", "autom4te.cache", "__pycache__", "generated", "build-aux", "m4"}


class Skip(Exception):
    """The gate cannot run on this machine; the text says why."""


class Tree:
    """The files of one source tree, read once."""

    def __init__(self, root):
        self.root = Path(root).resolve()
        self._text = {}
        self.names = sorted(n for n in self._list() if (self.root / n).is_file())

    def _list(self):
        # Untracked files count: a gate that sees a file only after `git add` is found out too late.
        if (self.root / ".git").exists():
            cmd = ["git", "-C", str(self.root), "ls-files", "-z", "-co", "--exclude-standard"]
            out = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
            if out.returncode == 0:
                return {os.fsdecode(n) for n in out.stdout.split(b"\0") if n}
        # A tarball, or a checkout that git refuses to read because it belongs to another user.
        names = []
        for folder, subfolders, files in os.walk(self.root):
            subfolders[:] = [d for d in subfolders if d not in NEVER and not d.startswith("build")
                             and not (Path(folder) / d / "config.status").exists()]
            names += [os.path.relpath(os.path.join(folder, f), self.root) for f in files]
        return names

    def under(self, folders, suffixes):
        """Names below one of the folders that end in one of the suffixes; generated code is not ours."""
        return [n for n in self.names if n.startswith(tuple(folders)) and n.endswith(tuple(suffixes))
                and "/generated/" not in n]

    def text(self, name):
        if name not in self._text:
            data = (self.root / name).read_bytes()
            self._text[name] = data.decode("utf-8", "replace")
        return self._text[name]


_TOKEN = re.compile(
    r"//(?:\\\n|[^\n])*|/\*.*?\*/"
    r"|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)


def spaces(text):
    return re.sub(r"[^\n]", " ", text)


def blank(text, keep_strings=False):
    """C text with comments (and the inside of strings) turned to spaces; offsets and lines stay."""
    def one(match):
        token = match.group()
        if token[0] == "/":
            return spaces(token)
        return token if keep_strings else token[0] + spaces(token[1:-1]) + token[-1]
    return _TOKEN.sub(one, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def arguments(code, paren):
    """The end offset of the argument list whose '(' is at `paren`."""
    depth = 0
    for i in range(paren, len(code)):
        if code[i] == "(":
            depth += 1
        elif code[i] == ")":
            depth -= 1
            if depth == 0:
                return i
    return len(code)


def report(gate, check, root):
    """The findings of one gate, one text per finding."""
    return ["%s:%d: %s: %s" % (path, line, gate, sentence)
            for path, line, sentence in sorted(set(check(Tree(root))))]


def run(gate, check):
    """Run one gate on the tree given as the first argument (default: the tree this file is in)."""
    try:
        rows = report(gate, check, sys.argv[1] if len(sys.argv) > 1
                      else Path(__file__).resolve().parent.parent)
    except Skip as why:
        print(why)
        sys.exit(SKIP)
    print("".join(row + "\n" for row in rows), end="")
    sys.exit(1 if rows else 0)
