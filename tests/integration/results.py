# SPDX-License-Identifier: Apache-2.0
"""What a command left behind, and the reading of what /bin/probe printed."""

import re

CODE_LINE = re.compile(r"^crun: error code ([A-Z_]+)\n", re.MULTILINE)


class Result:
    """What a finished command left: .rc .out .err (text), .out_bytes, .id of its container.

    The line of stderr that names the error's code is .code instead, None if there was none."""

    def __init__(self, argv, rc, out_path, err_path, container=None, pid=0):
        self.argv, self.rc, self.id, self.pid = argv, rc, container, pid
        self.out_path, self.err_path = out_path, err_path
        self.out, self.err = self.output(), self.errors()

    def output(self):
        """stdout now (a detached payload may have written more)."""
        return self.out_bytes.decode("utf-8", "replace")

    def errors(self):
        with open(self.err_path, "rb") as source:
            text = source.read().decode("utf-8", "replace")
        match = CODE_LINE.search(text)
        self.code = match.group(1) if match else None
        return CODE_LINE.sub("", text, count=1)

    @property
    def out_bytes(self):
        with open(self.out_path, "rb") as source:
            return source.read()

    @property
    def probe(self):
        return sections(self.out)

    def __repr__(self):
        return f"<rc {self.rc} of {' '.join(self.argv[1:])}: {self.out!r} / {self.err!r}>"


def sections(text):
    """Output of /bin/probe as {section: [lines]}."""
    found, lines = {}, None
    for line in text.splitlines():
        if line.startswith("== "):
            lines = found.setdefault(line[3:].rstrip("\r"), [])
        elif lines is not None:
            lines.append(line.rstrip("\r"))
    return found


def fields(lines):
    """["Name:\tvalue", "name value"] as a dict."""
    table = {}
    for line in lines:
        key, _sep, value = line.replace(":", " ", 1).partition(" ")
        table[key] = value.strip()
    return table
