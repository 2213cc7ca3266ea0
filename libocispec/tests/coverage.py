# SPDX-License-Identifier: Apache-2.0
"""Our schema against the specification's JSON schema: same fields, types and required ones.

The JSON schema is looked for in $OCI_SPEC_DIR, else in ../shared/oci-spec beside the sources.
"""

import json
import os
import sys

TOP = os.environ.get("top_srcdir", ".")
BUILD = os.environ.get("top_builddir", ".")
SPEC = os.environ.get("OCI_SPEC_DIR", os.path.join(TOP, "../shared/oci-spec"))
LEAVES = os.path.join(BUILD, "libocispec/generated/leaves.tsv")

DOCUMENTS = {"config": "config-schema.json", "features": "features-schema.json",
             "state": "state-schema.json"}
OTHER_PLATFORMS = ("/windows/", "/vm/", "/solaris/", "/zos/", "/freebsd/")

# In the JSON schema but not in ours: other platforms' fields inside common objects.
NOT_OURS = {"config/process/commandLine", "config/process/user/username"}
# In ours but not in the JSON schema, which lags behind the text or the engines.
NOT_THEIRS = {
    "features/linux/intelRdt/schemata", "features/linux/intelRdt/monitoring",
    "features/linux/memoryPolicy/modes/*", "features/linux/memoryPolicy/flags/*",
    "state/rootfs", "state/created", "state/owner",
}
# Required in one of them only: where the text and the JSON schema differ we follow the text, and
# where engines leave a field out we accept that.
REQUIRED_DIFFERS = {
    "config/linux/resources/pids/limit",  # engines write "pids": {}
    "config/linux/personality/domain",
    "config/linux/resources/blockIO/throttleReadBpsDevice/*/rate",
    "config/linux/resources/blockIO/throttleWriteBpsDevice/*/rate",
    "config/linux/resources/blockIO/throttleReadIOPSDevice/*/rate",
    "config/linux/resources/blockIO/throttleWriteIOPSDevice/*/rate",
}
# Types that differ on purpose.
TYPE_DIFFERS = {
    "config/process/consoleSize/height": "uint32",  # uint in the text; no terminal is larger
    "config/process/consoleSize/width": "uint32",
    "config/linux/devices/*/fileMode": "uint32",  # engines set the file type bits too
    "config/linux/devices/*/type": "c|b|u|p",  # a pattern there
    "config/linux/rootfsPropagation":  # with the engines' recursive forms
        "shared|slave|private|unbindable|rshared|rslave|rprivate|runbindable",
    "state/status": "creating|created|running|paused|stopped",  # paused is ours
}
for name in ("namespaces/*", "seccomp/actions/*", "seccomp/operators/*", "seccomp/archs/*",
             "seccomp/knownFlags/*", "seccomp/supportedFlags/*"):
    # Names stay strings: a newer runtime may know more than we do.
    TYPE_DIFFERS["features/linux/" + name] = "string"

cache = {}
failures = count = 0


def report(good, name, why=()):
    global count, failures
    count += 1
    failures += not good
    print("%sok %d - %s" % ("" if good else "not ", count, name))
    for line in why:
        print("# " + line)


def load(name):
    if name not in cache:
        with open(os.path.join(SPEC, name), encoding="utf-8") as stream:
            cache[name] = json.load(stream)
    return cache[name]


def resolve(node, source):
    while "$ref" in node:
        place, _, pointer = node["$ref"].partition("#")
        source = place or source
        node = load(source)
        for part in pointer.strip("/").split("/"):
            node = node[part]
    return node, source


def merge(node, source):
    """A node with its allOf parts as one object, and the source of each property."""
    properties, required = {}, set(node.get("required", ()))
    for key, value in node.get("properties", {}).items():
        properties[key] = (value, source)
    for part in node.get("allOf", ()):
        inner, inner_source = resolve(part, source)
        more, also = merge(inner, inner_source)
        properties.update(more)
        required |= also
    return properties, required


def integer_type(node):
    low, high = node.get("minimum"), node.get("maximum")
    for name, span in (("uint16", (0, 2**16 - 1)), ("int32", (-(2**31), 2**31 - 1)),
                       ("uint32", (0, 2**32 - 1)), ("int64", (-(2**63), 2**63 - 1)),
                       ("uint64", (0, 2**64 - 1))):
        if (low, high) == span:
            return name
    return "int32"  # Go's int without a range of its own


def theirs(node, source, path, required):
    node, source = resolve(node, source)
    if "anyOf" in node:
        node, source = resolve(node["anyOf"][0], source)
    if node.get("type") == "array":
        yield from theirs(node["items"], source, path + "/*", required)
        return
    properties, needed = merge(node, source)
    if properties and path == "config/linux/timeOffsets":
        # Two clocks there, a map by clock name in ours.
        yield from theirs(properties["boottime"][0], properties["boottime"][1], path + "/<key>",
                          False)
    elif properties:
        for key, (value, where) in properties.items():
            yield from theirs(value, where, path + "/" + key, key in needed)
    elif "additionalProperties" in node:
        yield from theirs(node["additionalProperties"], source, path + "/<key>", False)
    elif "patternProperties" in node:
        yield from theirs(list(node["patternProperties"].values())[0], source, path + "/<key>",
                          False)
    else:
        kind = node.get("type")
        if "enum" in node:
            kind = "|".join(node["enum"])
        elif kind == "integer":
            kind = integer_type(node)
        yield path, kind, required


def ours(document):
    with open(LEAVES, encoding="utf-8") as stream:
        for line in stream:
            root, pointer, kind, need = line.rstrip("\n").split("\t")[:4]
            if root == document:
                yield root + pointer, kind, need == "required"


def same_type(path, mine, other):
    if path in TYPE_DIFFERS:
        return mine == TYPE_DIFFERS[path]
    return sorted(mine.split("|")) == sorted(other.split("|"))


def main():
    if not os.path.exists(os.path.join(SPEC, "config-schema.json")):
        print("1..0 # SKIP no JSON schema of the specification in %s" % SPEC)
        sys.exit(77)
    seen = set()
    for document, name in DOCUMENTS.items():
        mine = {path: (kind, need) for path, kind, need in ours(document)}
        other = {path: (kind, need) for path, kind, need in theirs(load(name), name, document, True)
                 if not any(p in path + "/" for p in OTHER_PLATFORMS)}
        seen |= set(mine) | set(other)
        missing = sorted(set(other) - set(mine) - NOT_OURS)
        report(not missing, "%s: nothing is missing" % document, missing)
        invented = sorted(set(mine) - set(other) - NOT_THEIRS)
        report(not invented, "%s: nothing is invented" % document, invented)
        both = sorted(set(mine) & set(other))
        wrong = ["%s: %s, there %s" % (p, mine[p][0], other[p][0]) for p in both
                 if not same_type(p, mine[p][0], other[p][0])]
        report(not wrong, "%s: types of %d fields" % (document, len(both)), wrong)
        wrong = [p for p in both if (mine[p][1] != other[p][1]) != (p in REQUIRED_DIFFERS)
                 and not p.endswith("*")]
        report(not wrong, "%s: required fields" % document, wrong)
    stale = (NOT_OURS | NOT_THEIRS | REQUIRED_DIFFERS | set(TYPE_DIFFERS)) - seen
    report(not stale, "the exceptions of this test still exist", sorted(stale))
    print("1..%d" % count)
    sys.exit(1 if failures else 0)


main()
