# SPDX-License-Identifier: Apache-2.0
"""Real documents and the specification's samples: read, written, compared value by value.

The fixtures come from the engines that the file names begin with; identifiers were changed.
full-config.json has every field that the schema knows.
The samples are looked for in $OCI_SPEC_DIR, else in ../shared/oci-spec beside the sources.
"""

import json
import os
import subprocess
import sys

TOP = os.environ.get("top_srcdir", ".")
BUILD = os.environ.get("top_builddir", ".")
FIXTURES = os.path.join(TOP, "libocispec/tests/fixtures")
SPEC = os.environ.get("OCI_SPEC_DIR", os.path.join(TOP, "../shared/oci-spec"))
REWRITE = os.path.join(BUILD, "libocispec/tests/rewrite")
LEAVES = os.path.join(BUILD, "libocispec/generated/leaves.tsv")

# Left out when written back, by the specification's own rules.
OTHER_PLATFORMS = ("windows", "vm", "solaris", "zos", "freebsd")

# Samples that the specification's JSON schema judges otherwise than a Linux runtime must.
VERDICTS = {
    "config/good/spec-example.json": "/ociVersion: expected a specification version 1.x",
    "config/good/zos-example.json": "/ociVersion: expected a specification version 1.x",
    # FreeBSD's objects are not looked into.
    "config/bad/freebsd-vnet-disable.json": None,
}

count = failures = 0


def report(good, name, why="", skip=""):
    global count, failures
    count += 1
    failures += not good
    print("%sok %d - %s%s" % ("" if good else "not ", count, name, " # SKIP " + skip if skip else ""))
    if not good and why:
        print("# " + why.replace("\n", "\n# "))


def rewrite(kind, path, *options):
    done = subprocess.run([REWRITE, *options, kind, path], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)
    return done.returncode, done.stdout, done.stderr.decode()


def known(value, root=True):
    """The document without other platforms' objects and nulls."""
    if isinstance(value, dict):
        return {k: known(v, False) for k, v in value.items()
                if v is not None and not (root and k in OTHER_PLATFORMS)}
    if isinstance(value, list):
        return [known(v, False) for v in value]
    return value


def difference(a, b, path=""):
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted(set(a) | set(b)):
            if key not in a or key not in b:
                return "%s/%s is only in one of them" % (path, key)
            found = difference(a[key], b[key], path + "/" + key)
            if found:
                return found
        return ""
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return next(filter(None, (difference(x, y, "%s/%d" % (path, i))
                                  for i, (x, y) in enumerate(zip(a, b)))), "")
    # bool is an int in Python
    return "" if type(a) is type(b) and a == b else "%s: %r became %r" % (path, a, b)


def check_good(kind, path, name, extras=()):
    with open(path, encoding="utf-8") as stream:
        original = json.load(stream)
    for extra in extras:
        parent = original
        for key in extra[:-1]:
            parent = parent[key]
        del parent[extra[-1]]
    for options in ((), ("--pretty",)):
        code, text, error = rewrite(kind, path, *options)
        if code != 0:
            report(False, name, error)
            return
        why = difference(known(original), json.loads(text))
        report(not why, "%s %s" % (name, " ".join(options)), why)


def check_bad(kind, path, name, part=""):
    code, text, error = rewrite(kind, path)
    good = code == 1 and not text and error.count("\n") == 1 and part in error
    report(good, name + " is refused", "exit %d: %s" % (code, error))


def check_samples():
    samples = os.path.join(SPEC, "samples")
    if not os.path.isdir(samples):
        report(True, "samples of the specification", skip="no samples in %s" % SPEC)
        return
    for kind in ("config", "features", "state"):
        for verdict in ("good", "bad"):
            directory = os.path.join(samples, kind, verdict)
            for name in sorted(os.listdir(directory)):
                path, short = os.path.join(directory, name), "%s/%s/%s" % (kind, verdict, name)
                expected = VERDICTS.get(short, "" if verdict == "bad" else None)
                if expected is None:
                    check_good(kind, path, short)
                else:
                    check_bad(kind, path, short, expected)
    check_renumbered(samples)


def check_renumbered(samples):
    """The large example with a version of today; its oomScoreAdj in resources is long gone."""
    with open(os.path.join(samples, "config/good/spec-example.json"), encoding="utf-8") as stream:
        document = json.load(stream)
    document["ociVersion"] = "1.3.0"
    path = os.path.join(BUILD, "libocispec/tests/spec-example.tmp")
    with open(path, "w", encoding="utf-8") as stream:
        json.dump(document, stream)
    check_good("config", path, "spec-example.json as 1.3.0",
               [("linux", "resources", "oomScoreAdj")])
    os.unlink(path)


def leaves(kind):
    with open(LEAVES, encoding="utf-8") as stream:
        for line in stream:
            fields = line.rstrip("\n").split("\t")
            if fields[0] == kind:
                yield fields[1]


def reach(values, parts):
    """All values that a pointer with * and <key> reaches."""
    for part in parts:
        following = []
        for value in values:
            if part == "*" and isinstance(value, list):
                following += value
            elif part == "<key>" and isinstance(value, dict):
                following += value.values()
            elif isinstance(value, dict) and part in value:
                following.append(value[part])
        values = following
    return values


def check_full():
    path = os.path.join(FIXTURES, "full-config.json")
    with open(path, encoding="utf-8") as stream:
        text = stream.read()
    document = json.loads(text)
    missing = [p for p in leaves("config") if not reach([document], p.split("/")[1:])]
    report(not missing, "full-config.json has every field", "missing: " + " ".join(missing))
    _, written, error = rewrite("config", path, "--pretty")
    report(written.decode() == text, "full-config.json comes out byte for byte", error)


def main():
    for name in sorted(os.listdir(FIXTURES)):
        kind = "features" if "features" in name else "config"
        check_good(kind, os.path.join(FIXTURES, name), name)
    check_full()
    check_samples()
    print("1..%d" % count)
    sys.exit(1 if failures else 0)


main()
