#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Gate: who may include whom.  A room is a privilege domain; the edge table below is its wall.

Rules beyond the table: files are included by the name "room/file.h", no .c file is included, and
there is no circle among headers nor among modules (x.c and x.h together are one module).
"""

import os.path
import re

import checklib

# From the bottom up, as the `layers:` line of ARCHITECTURE.md names them; a room sees only rooms
# above it in this table.  "libocispec" means the generated structs.
EDGES = {
    "base": (),
    "sys": ("base",),
    "fs": ("sys", "base"),
    "spec": ("base", "libocispec"),
    "plan": ("spec", "base", "libocispec"),
    "sync": ("sys", "base"),
    "hooks": ("plan", "sys", "base", "fs", "libocispec"),
    "spawn": ("plan", "sys", "base"),
    "cgroup": ("spec", "plan", "spawn", "fs", "sys", "base", "libocispec"),
    "state": ("spec", "plan", "fs", "sys", "base", "libocispec"),
    "init": ("plan", "sync", "hooks", "fs", "sys", "base"),
    "host": ("plan", "spec", "sync", "spawn", "hooks", "cgroup", "state", "fs", "sys", "base",
             "libocispec", "libcrun.h"),
}
# A file that is held to less than its room: it shares the parent's memory while it runs.
NARROWER = {"spawn/helper": ("sys", "base")}
# The single doors: header -> the one other room that may include it.
DOORS = {"src/libcrun/init/init_main.h": "host"}
# The contexts of init: each sees the files directly in init/ and its own folder, so that code after
# the pivot cannot even name a host file descriptor.
CONTEXTS = ("outside", "inside", "last")
# The public face of the library may call the verbs and everything below them, but not init.
FACE = ("libcrun.h",) + tuple(r for r in EDGES if r != "init") + ("libocispec",)

LIB = "src/libcrun/"
WHERE = ("src/", "libocispec/", "tests/", "bench/")
INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]+([\"<])([^\">\n]+)[\">]", re.MULTILINE)


def room_of(path):
    """'base', 'cli', 'libcrun.h', 'libcrun' (the face), 'libocispec', 'tests', or '?name'."""
    parts = path.split("/")
    if path.startswith(LIB):
        if len(parts) == 3:
            return parts[2] if parts[2] == "libcrun.h" else "libcrun"
        return parts[2] if parts[2] in EDGES else "?" + parts[2]
    if parts[0] == "src":
        return "cli" if parts[1] == "cli" and len(parts) > 2 else "?" + parts[1]
    return parts[0] if parts[0] == "libocispec" else "tests"


def resolve(path, quote, spelled, names):
    """The tree path that an include means; None for the C library's and the kernel's headers."""
    head = spelled.split("/")[0]
    if spelled == "config.h":
        return None
    if spelled in ("libcrun.h", "libcrun/libcrun.h"):
        return LIB + "libcrun.h"
    if head == "libocispec":
        return os.path.normpath(spelled)
    if "/" in spelled and head in EDGES and (quote == '"' or head not in ("sys",)):
        return os.path.normpath(LIB + spelled)
    if quote == "<":
        return None
    here = os.path.normpath(os.path.join(os.path.dirname(path), spelled))
    for candidate in (here, "src/" + spelled, LIB + spelled, "libocispec/" + spelled, spelled):
        if candidate in names:
            return candidate
    return "?" + spelled


def stem(path):
    return os.path.splitext(path[len(LIB):])[0]


def context_of(path):
    parts = path[len(LIB):].split("/")
    return parts[1] if parts[0] == "init" and len(parts) > 2 and parts[1] in CONTEXTS else None


def edge_error(path, target):
    """Why `path` may not include `target`, or None."""
    source, room = room_of(path), room_of(target)
    if source == "tests" or target == path:
        return None
    if source == "libocispec":
        return None if room == "libocispec" else "libocispec/ stands alone: it may not include %s" \
            % room
    if source == "cli":
        return None if room in ("cli", "libcrun.h") else "the command line is the library's first " \
            "customer: include only libcrun.h and cli/ files, not %s" % target
    if source == "libcrun.h":
        return None if room == "base" else "the public header shows only base's values (errors, " \
            "log levels): forward-declare instead of including %s" % target
    if source == "libcrun":
        allowed = FACE
    elif stem(path) in NARROWER and stem(path) != stem(target):
        source, allowed = stem(path), NARROWER[stem(path)]
    elif source == room:
        mine, other = context_of(path), context_of(target)
        if mine and other and mine != other:
            return "init/%s may not see init/%s: move what both need into a header in init/" \
                % (mine, other)
        return None
    else:
        allowed = EDGES[source]
    if room in allowed or DOORS.get(target) == source:
        return None
    return "%s may include only %s, not %s: move the code to the room that may, or pass the value " \
        "in" % (source, ", ".join(sorted(allowed)) or "itself", room)


def circles(graph, kind):
    """One finding for each edge that closes a circle, with the walk."""
    state, stack = {}, []

    def visit(node):
        state[node] = "open"
        stack.append(node)
        for target, line in sorted(graph.get(node, {}).items()):
            if state.get(target) == "open":
                walk = stack[stack.index(target):] + [target]
                names = " -> ".join(n[len(LIB):] if n.startswith(LIB) else n for n in walk)
                yield (node, line, "circle of %s %s: move what both need into one below them"
                       % (kind, names))
            elif target not in state:
                yield from visit(target)
        stack.pop()
        state[node] = "done"

    for start in sorted(graph):
        if start not in state:
            yield from visit(start)


def check_layers_line(tree):
    """ARCHITECTURE.md and the table say the same, and every edge of the table points down."""
    rooms = list(EDGES)
    for room, targets in EDGES.items():
        for target in targets:
            if target in EDGES and rooms.index(target) >= rooms.index(room):
                yield ("scripts/check-includes.py", 1, "edge %s -> %s points up: reorder the table"
                       % (room, target))
    if "ARCHITECTURE.md" not in tree.names:
        return
    text = tree.text("ARCHITECTURE.md")
    line = re.search(r"^[`\s]*layers:[ \t]*([^`\n]*)", text, re.MULTILINE)
    want = ["libcrun/" + r for r in rooms] + ["cli"]
    if line is None:
        yield "ARCHITECTURE.md", 1, "no `layers:` line: add `layers: %s`" % " ".join(want)
    elif line.group(1).split() != want:
        yield ("ARCHITECTURE.md", checklib.line_of(text, line.start(1)),
               "the `layers:` line and the edge table differ: write `layers: %s`" % " ".join(want))


def check(tree):
    yield from check_layers_line(tree)
    names = set(tree.names)
    headers, modules, firsts = {}, {}, {}
    for path in tree.under(WHERE, (".c", ".h")):
        if room_of(path).startswith("?"):
            yield (path, 1, "%s is not a room: add a row to the edge table in "
                   "scripts/check-includes.py and to `layers:`" % room_of(path)[1:])
            continue
        text = tree.text(path)
        for match in INCLUDE.finditer(checklib.blank(text, keep_strings=True)):
            line = checklib.line_of(text, match.start(1))
            quote, spelled = match.groups()
            target = resolve(path, quote, spelled, names)
            if target is None:
                continue
            if target.startswith("?"):
                if room_of(path) not in ("tests", "libocispec"):  # libocispec: made by the build
                    yield path, line, "no such file \"%s\": write \"room/file.h\"" % spelled
                continue
            if path.startswith(LIB) and target.startswith(LIB) and \
                    spelled not in (target[len(LIB):], "libcrun.h"):
                yield (path, line, "write the room: #include \"%s\"" % target[len(LIB):])
            if target.endswith(".c") and room_of(path) != "tests":
                yield path, line, "include a header, not %s: link the file instead" % target
            error = edge_error(path, target)
            if error:
                yield path, line, error
            if path.endswith(".h") and target != path:
                headers.setdefault(path, {}).setdefault(target, line)
            mine, other = os.path.splitext(path)[0], os.path.splitext(target)[0]
            if target == LIB + "libcrun.h":
                other = target
            if path == LIB + "libcrun.h":
                mine = path
            if mine != other:
                modules.setdefault(mine, {}).setdefault(other, line)
                firsts.setdefault((mine, other), path)
    yield from circles(headers, "headers")
    if not list(circles(headers, "headers")):
        for node, line, sentence in circles(modules, "modules"):
            path = next((firsts[(node, t)] for t, n in sorted(modules[node].items()) if n == line),
                        node + ".c")
            yield path, line, sentence


if __name__ == "__main__":
    checklib.run("includes", check)
