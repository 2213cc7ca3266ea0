#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write docs/spec-map.md: one row for each leaf of the Linux schema, from docs/spec-map.tsv.

usage: spec-map.py [--check] [TOP]    --check: only say whether the page is up to date
"""

import os
import re
import sys
from typing import Dict, Iterator, List, NamedTuple, Tuple

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(HERE)
STATUSES = ("done", "refused", "ignored")

PREAMBLE = """\
# Specification map

Written by `scripts/spec-map.py` from the schema (`libocispec/schema`) and `docs/spec-map.tsv`, and checked by
`tests/spec-map/check.py`: change the table there, then run the script.

Every field that runtime-spec 1.3 has for Linux in `config.json`, what happens to it, where, and what tests it:

- **done**: has its effect, or creating the container fails and says why.
- **refused**: not supported; a configuration that has it is refused with an error that names the field.
- **ignored**: has no effect, which the specification allows; the note says why.

Fields of other platforms (`windows`, `solaris`, `vm`, `zos`, `freebsd`, `process.commandLine`, `process.user.username`) and
fields that the specification does not know are ignored, as it demands (config.md, "Extensibility").
"""


class MapError(Exception):
    """The table contradicts itself or the schema."""


class Leaf(NamedTuple):
    pointer: str
    type: str
    required: bool
    place: str


class Row(NamedTuple):
    pointers: List[str]
    status: str
    files: List[str]
    tests: List[str]
    note: str
    line: int


def leaves(top: str) -> List[Leaf]:
    """The leaves of config.json, in the order of the schema."""
    sys.path.insert(0, os.path.join(top, "libocispec", "generate"))
    import emit_leaves  # pylint: disable=import-outside-toplevel,import-error
    import load  # pylint: disable=import-outside-toplevel,import-error

    model = load.load(os.path.join(top, "libocispec", "schema"))
    found = []
    for pointer, member in emit_leaves.leaves(model, model.roots["config"].type, ""):
        kind = member.kind
        if kind == "enum":
            kind = "|".join(model.enums[member.target].values)
        found.append(Leaf(pointer, kind, member.required, member.where))
    return found


def expand(text: str) -> Iterator[str]:
    """a{b,c}d -> abd, acd"""
    match = re.search(r"{([^{}]*)}", text)
    if not match:
        yield text
        return
    for word in match.group(1).split(","):
        yield from expand(text[:match.start()] + word + text[match.end():])


def table(top: str) -> List[Row]:
    """The rows of docs/spec-map.tsv, in their order."""
    rows = []
    with open(os.path.join(top, "docs", "spec-map.tsv"), encoding="utf-8") as source:
        for number, line in enumerate(source, 1):
            line = line.rstrip("\n")
            if not line or line.startswith("#"):
                continue
            cells = line.split("\t")
            if len(cells) not in (4, 5):
                raise MapError(f"docs/spec-map.tsv:{number}: {len(cells)} columns instead of 4 or 5")
            pointers, status, files, tests = cells[:4]
            if status not in STATUSES:
                raise MapError(f"docs/spec-map.tsv:{number}: `{status}` is not one of {STATUSES}")
            note = cells[4] if len(cells) == 5 else ""
            rows.append(Row(list(expand(pointers)), status, files.split(), tests.split(), note,
                            number))
    return rows


def by_pointer(rows: List[Row], known: List[Leaf]) -> Dict[str, Row]:
    """Row of each leaf and of each exception; every leaf must have one and only one."""
    types = {leaf.pointer: leaf.type for leaf in known}
    found: Dict[str, Row] = {}
    for row in rows:
        for pointer in row.pointers:
            where = f"docs/spec-map.tsv:{row.line}: {pointer}"
            leaf, _, value = pointer.partition("=")
            if leaf not in types:
                raise MapError(f"{where}: the schema has no such leaf")
            if value and value not in types[leaf].split("|"):
                raise MapError(f"{where}: the schema has no such value")
            if pointer in found:
                raise MapError(f"{where}: is in line {found[pointer].line} already")
            found[pointer] = row
    for leaf in known:
        if leaf.pointer not in found:
            raise MapError(f"docs/spec-map.tsv: no row for {leaf.pointer}")
    return found


def cell(words: List[str]) -> str:
    return "<br>".join(f"`{word}`" for word in words)


def page(known: List[Leaf], found: Dict[str, Row]) -> str:
    """The Markdown page."""
    places: List[str] = []
    parts = [PREAMBLE]
    counts = {status: sum(found[leaf.pointer].status == status for leaf in known)
              for status in STATUSES}
    parts.append(f"\n{len(known)} fields: " + ", ".join(f"{n} {s}" for s, n in counts.items()) + ".\n")
    for leaf in known:
        if leaf.place not in places:
            places.append(leaf.place)
            parts.append(f"\n## {leaf.place}\n\n"
                         "| pointer | status | files | tests | note |\n|---|---|---|---|---|\n")
            for other in known:
                if other.place == leaf.place:
                    parts += lines_of(other.pointer, found)
    return "".join(parts)


def lines_of(leaf: str, found: Dict[str, Row]) -> Iterator[str]:
    for pointer in sorted(p for p in found if p == leaf or p.startswith(leaf + "=")):
        row = found[pointer]
        note = row.note.replace("|", "\\|")
        yield (f"| `{pointer}` | {row.status} | {cell(row.files)} | {cell(row.tests)} | {note} |\n")


def read(top: str) -> Tuple[List[Leaf], Dict[str, Row]]:
    known = leaves(top)
    return known, by_pointer(table(top), known)


def is_current(top: str, text: str) -> bool:
    try:
        with open(os.path.join(top, "docs", "spec-map.md"), encoding="utf-8") as source:
            return source.read() == text
    except FileNotFoundError:
        return False


def main() -> None:
    words = sys.argv[1:]
    check = "--check" in words
    top = next((w for w in words if not w.startswith("-")), TOP)
    try:
        text = page(*read(top))
    except MapError as error:
        sys.exit(str(error))
    if check:
        sys.exit(0 if is_current(top, text) else "docs/spec-map.md is old: run scripts/spec-map.py")
    with open(os.path.join(top, "docs", "spec-map.md"), "w", encoding="utf-8") as out:
        out.write(text)


if __name__ == "__main__":
    main()
