#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Proves that each style gate can fail: a small tree with one violation, then the clean tree.

Prints TAP; the exit status is 0 when every case behaved.  Needs no privileges and no build.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(TOP / "scripts"))
C = "// SPDX-License-Identifier: Apache-2.0\n/* A file of the test. */\n"
H = "/* SPDX-License-Identifier: Apache-2.0 */\n/* A header of the test. */\n#pragma once\n"
LIB = "src/libcrun/"
RUN = "src/libcrun/base/a.c"


def lines(count):
    return C + "\n" * (count - 2)


def function(body_lines, statement="\tx++;\n"):
    return C + "void f(int x)\n{\n" + statement * body_lines + "}\n"


def layers(text):
    return {"ARCHITECTURE.md": "# Architecture\n\nlayers: %s\n" % text}


RIGHT_LAYERS = "libcrun/base libcrun/sys libcrun/fs libcrun/spec libcrun/plan libcrun/sync " \
    "libcrun/hooks libcrun/spawn libcrun/cgroup libcrun/state libcrun/init libcrun/host cli"


def include(path, *targets):
    """A file that includes the targets, together with the targets."""
    head = H if path.endswith(".h") else C
    tree = {path: head + "".join("#include %s\n" % (t if t[0] == "<" else '"%s"' % t)
                                 for t in targets)}
    for target in targets:
        if target[0] == "<" or target.startswith("libocispec/"):
            continue
        folder = LIB if target.split("/")[0] != "cli" else "src/"
        tree.setdefault(folder + target, H)
    return tree


def call(statement, path=RUN):
    return {path: C + "void f(void)\n{\n\t%s;\n}\n" % statement}


def style():
    """The real rules, so that the gate is tested against what it judges by."""
    return {".clang-format": (TOP / ".clang-format").read_text(encoding="utf-8")}


# gate, what the case shows, tree, what a finding must contain (None: the gate must be content)
CASES = [
    ("format", "tabs", {**style(), RUN: C + "int x;\n\nvoid f(void)\n{\n\tx = 1;\n}\n"}, None),
    ("format", "spaces", {**style(), RUN: C + "int x;\n\nvoid f(void)\n{\n    x = 1;\n}\n"},
     "base/a.c:7: format: clang-format would"),
    ("format", "a test's header", {**style(), "tests/unit/a.h": H + "int  x;\n"}, "tests/unit/a.h:4:"),
    ("format", "no rules", {RUN: C}, ".clang-format:1:"),
    ("format", "generated code is free", {**style(), "libocispec/generated/a.c": "int  x;\n"}, None),

    ("size", "600 lines", {RUN: lines(600)}, None),
    ("size", "601 lines", {RUN: lines(601)}, "base/a.c:601: size: the file has 601 lines"),
    ("size", "601 lines of Python", {"libocispec/generate/m.py": "\n" * 601}, "m.py:601:"),
    ("size", "80-line function", {RUN: function(77)}, None),
    ("size", "81-line function", {RUN: function(78)}, "base/a.c:3: size: f() has 81 lines"),
    ("size", "81 lines after a macro", {RUN: C + "DEFINE_CLEANUP(x)\n" + function(78)[len(C):]},
     "f() has 81 lines"),
    ("size", "attribute first", {RUN: C + "__attribute__((format(printf, 1, 2))) static\n"
                                 + function(78)[len(C):]}, "f() has 82 lines"),
    ("size", "a long table is no function",
     {RUN: C + "static const int t[] = {\n" + "\t1,\n" * 200 + "};\n"}, None),
    ("size", "complexity 20", {RUN: function(19, "\tif (x)\n\t\tx++;\n")}, None),
    ("size", "complexity 21", {RUN: function(20, "\tif (x)\n\t\tx++;\n")}, "complexity 21"),
    ("size", "complexity by && and || and ?:",
     {RUN: C + "int f(int x)\n{\n\treturn x" + " && 1 || 2" * 8 + " ? 1 : x ? 2 : x ? 3 : 4 + (x ? 1 : 2);"
      "\n}\n"}, "complexity 21"),
    ("size", "complexity by case",
     {RUN: C + "void f(int x)\n{\n\tswitch (x) {\n"
      + "".join("\tcase %d:\n" % i for i in range(20)) + "\t\tx++;\n\t}\n}\n"}, "complexity 21"),
    ("size", "comments and strings are no branches",
     {RUN: function(30, '\tg("if (x) && {"); /* if (x) { */ // case\n')}, None),
    ("size", "half a block in #if", {RUN: C + "void f(void)\n{\n#ifdef X\n\tif (x) {\n#else\n\t{\n"
                                     "#endif\n\t}\n}\n"}, "braces do not balance"),
    ("size", "both branches of #if are read", {RUN: C + "#ifdef X\nint a;\n#else\n"
                                               + function(78)[len(C):] + "#endif\n"}, "81 lines"),

    ("includes", "downwards", include(LIB + "sys/a.c", "base/error.h", "<sys/mount.h>", "<errno.h>"),
     None),
    ("includes", "base sees sys", include(RUN, "sys/open.h"), "base may include only itself, not sys"),
    ("includes", "by angle brackets too", include(RUN, "<plan/plan.h>"), "not plan"),
    ("includes", "plan sees spec", include(LIB + "plan/a.c", "spec/check.h", "<libocispec/oci.h>"), None),
    ("includes", "plan sees sys", include(LIB + "plan/a.c", "sys/open.h"), "not sys"),
    ("includes", "sync sees libocispec", include(LIB + "sync/a.c", "libocispec/oci.h"),
     "not libocispec"),
    ("includes", "init sees host", include(LIB + "init/outside/a.c", "host/create.h"), "not host"),
    ("includes", "init sees cgroup", include(LIB + "init/a.c", "cgroup/cgroup.h"), "not cgroup"),
    ("includes", "init sees spec", include(LIB + "init/last/a.c", "spec/load.h"), "not spec"),
    ("includes", "init sees plan, sync and hooks",
     include(LIB + "init/a.c", "plan/plan.h", "sync/channel.h", "hooks/run.h", "init/outside/x.h"), None),
    ("includes", "inside sees outside", include(LIB + "init/inside/a.c", "init/outside/x.h"),
     "init/inside may not see init/outside"),
    ("includes", "host opens the door", include(LIB + "host/a.c", "init/init_main.h", "cgroup/c.h"), None),
    ("includes", "host goes around the door", include(LIB + "host/a.c", "init/outside/x.h"), "not init"),
    ("includes", "nobody else opens it", include(LIB + "spawn/a.c", "init/init_main.h"), "not init"),
    ("includes", "spawn sees plan", include(LIB + "spawn/spawn.c", "plan/plan.h"), None),
    ("includes", "the helper sees plan", include(LIB + "spawn/helper.c", "plan/plan.h"), "not plan"),
    ("includes", "the helper sees its room", include(LIB + "spawn/helper.c", "spawn/spawn.h"),
     "not spawn"),
    ("includes", "cli sees the face", include("src/cli/main.c", "libcrun.h", "cli/options.h"), None),
    ("includes", "cli sees the face by <>", include("src/cli/main.c", "<libcrun.h>"), None),
    ("includes", "cli sees base", include("src/cli/main.c", "base/error.h"), "first customer"),
    ("includes", "the face sees host", include(LIB + "libcrun.c", "libcrun.h", "host/create.h"), None),
    ("includes", "the face sees init", include(LIB + "libcrun.c", "init/init_main.h"), "not init"),
    ("includes", "the public header shows the error", include(LIB + "libcrun.h", "base/error.h"), None),
    ("includes", "the public header sees plan", include(LIB + "libcrun.h", "plan/plan.h"),
     "shows only base"),
    ("includes", "libocispec sees base", include("libocispec/runtime/a.c", "base/error.h"),
     "stands alone"),
    ("includes", "unknown room", include(LIB + "utils/a.c", "base/error.h"), "utils is not a room"),
    ("includes", "unknown folder in src", {"src/tools/a.c": C}, "tools is not a room"),
    ("includes", "name without a room", {**include(RUN, "base/b.h"), LIB + "base/c.c": C
                                         + '#include "b.h"\n'}, 'write the room: #include "base/b.h"'),
    ("includes", "a .c file", {RUN: C + '#include "base/b.c"\n', LIB + "base/b.c": C},
     "include a header"),
    ("includes", "circle of headers", {LIB + "base/a.h": H + '#include "base/b.h"\n',
                                       LIB + "base/b.h": H + '#include "base/a.h"\n'},
     "circle of headers base/a.h -> base/b.h -> base/a.h"),
    ("includes", "circle of modules", {**include(RUN, "base/a.h", "base/b.h"),
                                       **include(LIB + "base/b.c", "base/b.h", "base/a.h")},
     "circle of modules base/a -> base/b -> base/a"),
    ("includes", "a commented include", {RUN: C + '/* #include "host/x.h" */\n'}, None),
    ("includes", "layers agree", layers(RIGHT_LAYERS), None),
    ("includes", "layers differ", layers(RIGHT_LAYERS.replace("libcrun/fs ", "")), "ARCHITECTURE.md:3:"),
    ("includes", "layers missing", {"ARCHITECTURE.md": "# Architecture\n"}, "no `layers:` line"),

    ("banned", "member, wrapper, comment, string, definition",
     {RUN: C + "#define strcpy(d, s) banned(d, s)\nvoid f(void)\n{\n\tops->open(x);\n\ta.system(x);\n"
      '\tsys_mount(x); /* strcpy(a, b) */\n\tg("gets(x)");\n}\n'}, None),
    ("banned", "stream in the library", call("fputs(x, stderr)"), "a standard stream"),
    ("banned", "AT_FDCWD in init", call("openat(AT_FDCWD, p, O_CLOEXEC)", LIB + "init/a.c"), "AT_FDCWD:"),
    ("banned", "_exit in init", call("_exit(1)", LIB + "init/a.c"), None),
    ("banned", "_exit in host", call("_exit(1)", LIB + "host/a.c"), "_exit():"),
    ("banned", "exit in cli", call("exit(1)", "src/cli/main.c"), None),
    ("banned", "open with O_CLOEXEC", call("open(g(p), O_RDONLY |\n\t\tO_CLOEXEC)"), None),
    ("banned", "open without O_CLOEXEC", call("open(g(O_CLOEXEC), O_RDONLY)".replace("O_CLOEXEC", "x")),
     "open(): add O_CLOEXEC"),
    ("banned", "openat over two lines", call("openat(d, p,\n\t\tO_RDONLY)"), "openat(): add O_CLOEXEC"),
    ("banned", "fopen with e", call('fopen(p, "re")'), None),
    ("banned", "fopen without e", call('fopen(p, "r")'), 'fopen(): add "e"'),
    ("banned", "socket", call("socket(AF_UNIX, SOCK_STREAM, 0)"), "SOCK_CLOEXEC"),
    ("banned", "dlopen", call("dlopen(x, 0)"), "dlopen():"),
    ("banned", "dlopen where it may", call("dlopen(x, 0)", LIB + "criu/a.c"), None),
    ("banned", "dlopen in a wrapper file", call("dlopen(x, 0)", LIB + "base/dl.c"), None),
    ("banned", "*at forms in init", call("mkdirat(d, p, 0)", LIB + "init/a.c"), None),
    ("banned", "mkdir in host", call("mkdir(p, 0)", LIB + "host/a.c"), None),
    ("banned", "mount in host", call("mount(a)", LIB + "host/a.c"), "mount():"),
    ("banned", "sleep in a test", call("sleep(1)", "tests/unit/a.c"), None),
]
for name in ("strcpy strcat sprintf vsprintf gets strtok atoi atol atof system popen tmpnam mktemp "
             "realpath alloca getpwnam getpwuid getgrnam getgrgid setlocale signal rand sleep usleep "
             "exit printf pipe dup").split():
    CASES.append(("banned", name, call(name + "(x)"), "base/a.c:5: banned: %s():" % name))
for name in ("mount umount mkdir mknod symlink chmod chown stat lstat access unlink rename link "
             "readlink truncate chroot chdir open").split():
    CASES.append(("banned", name + " in init", call(name + "(x, O_CLOEXEC)", LIB + "init/outside/a.c"),
                  "outside/a.c:5: banned: %s():" % name))

KERNEL = {
    "docs/kernel-features.md": "| `new`, fsopen fsconfig fsmount move_mount statx | `test_new__*` |\n"
                               "| b | `test_x` |\n",
    "tests/integration/test_missing_syscalls.py": '    "new": BASE,\ndef test_x(t):\n',
}
STORY = {LIB + "init/last/phases.c": '{.name = "a"}, {.name = "b"}, {0}',
         "ARCHITECTURE.md": "| last | a · b |\n"}
NAMED = {RUN: C, LIB + "base/a.h": H,
         LIB + "base/module.am": "libbase_la_SOURCES = \\\n\t%D%/a.c \\\n\tsrc/libcrun/base/a.h\n"}


LOADED = {}


def load(name):
    """A gate's module, once; a process for each case would take most of the time."""
    if name not in LOADED:
        spec = importlib.util.spec_from_file_location(name, TOP / "scripts" / ("check-%s.py" % name))
        LOADED[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(LOADED[name])
    return LOADED[name]


def errors(name, used=None, tested=None):
    """A tree with a catalogue of one code, which a source uses and a test names."""
    catalogue = "SECTION(\"All\")\nCODE(%s, KIND_SPEC, \"It is wrong.\", \"Mend it.\")\n" % name
    gate_ = load("errors")
    return {gate_.CATALOGUE: catalogue, gate_.DOCUMENT: gate_.document(gate_.read(catalogue)),
            **call("err_set(CODE_%s)" % (used or name)),
            "tests/integration/test_a.py": "t.fails(code=\"%s\")\n" % (tested or name)}


CASES += [
    ("makefiles", "named", NAMED, None),
    ("makefiles", "unnamed source", {**NAMED, LIB + "base/b.c": C}, "base/b.c:1: makefiles: no makefile"),
    ("makefiles", "unnamed header", {**NAMED, LIB + "base/b.h": H}, "base/b.h:1:"),
    ("makefiles", "unnamed test", {**NAMED, "tests/unit/t.c": C}, "tests/unit/t.c:1:"),
    ("makefiles", "unnamed bench", {**NAMED, "bench/floor.c": C}, "bench/floor.c:1:"),
    ("makefiles", "named in a comment", {**NAMED, LIB + "base/b.c": C, "Makefile.am":
                                         "x_SOURCES = # src/libcrun/base/b.c\n"}, "base/b.c:1:"),
    ("makefiles", "distributed, not compiled", {**NAMED, LIB + "base/b.c": C, "Makefile.am":
                                                "EXTRA_DIST = src/libcrun/base/b.c\n"}, "base/b.c:1:"),
    ("makefiles", "gone", {"Makefile.am": "x_SOURCES = \\\n\tsrc/gone.c\n"},
     "Makefile.am:2: makefiles: src/gone.c does not exist"),
    ("makefiles", "flags", {"Makefile.am": "AM_CPPFLAGS = -include config.h\n"}, None),
    ("makefiles", "made by the build",
     {"Makefile.am": "BUILT_SOURCES = libocispec/x.c\nl_SOURCES = libocispec/x.c $(builddir)/y.c\n"}, None),

    ("spelling", "right", {"README.md": "The kernel receives it.\n"}, None),
    ("spelling", "wrong", {"README.md": "The kernel\n" + "rec" + "ieves it.\n"}, "README.md:2: spelling:"),

    ("story", "told", STORY, None),
    ("story", "another order", {**STORY, "ARCHITECTURE.md": "| last | b · a |\n"},
     "ARCHITECTURE.md:1: story: src/libcrun/init/last/phases.c has phase a at place 1, this says b"),
    ("story", "one too few", {**STORY, "ARCHITECTURE.md": "\n| last | a |\n"}, "phase b at place 2"),
    ("story", "exec's", {LIB + "host/exec.c": 'const struct exec_phase exec_phases[] = {\n{.name = "x"}',
                         "ARCHITECTURE.md": "| exec: host | y |\n"},
     "host/exec.c has phase x at place 1, this says y"),
    ("story", "the host's", {LIB + "host/launch.c": '{.name = "x"}', "ARCHITECTURE.md":
                             " (load) y\n x   words\n z   words\n (run: w)\n"}, "this says z"),

    ("errors", "told", errors("A"), None),
    ("errors", "a phrase of engines", errors("NOT_FOUND"),
     "src/libcrun/base/error_codes.def:2: errors: NOT_FOUND can be taken for the phrase"),
    ("errors", "no source", errors("A", used="B"),
     "src/libcrun/base/error_codes.def:2: errors: no source uses CODE_A"),
    ("errors", "no test", errors("A", tested="B"),
     "src/libcrun/base/error_codes.def:2: errors: no test produces A"),
    ("errors", "an excuse", {**errors("A", tested="B"),
                             "tests/untested-errors.txt": "A: it cannot be helped\n"}, None),
    ("errors", "an excuse too many", {**errors("A"),
                                      "tests/untested-errors.txt": "A: it cannot be helped\n"},
     "tests/untested-errors.txt:1: errors: a test names A"),
    ("errors", "another document", {**errors("A"), "docs/errors.md": "# Errors\n"},
     "docs/errors.md:1: errors: differs from the catalogue"),
    ("kernel", "told", {LIB + "sys/a.c": "SYS_RET_NEW(syscall(SYS_new, 1), 2)", **KERNEL}, None),
    ("kernel", "no row", {LIB + "sys/a.c": "SYS_RET_NEW(syscall(SYS_newer, 1), 2)", **KERNEL},
     "docs/kernel-features.md:1: kernel: no row tells what is done without newer"),
    ("kernel", "no such test", {"docs/kernel-features.md":
                                KERNEL["docs/kernel-features.md"] + "| a | `test_gone__*` |\n"},
     "docs/kernel-features.md:3: kernel: there is no test test_gone__*"),

    ("text", "clean", {RUN: C, LIB + "base/a.h": H, "a.py": "if x:\n    pass\n", "a.sh": "a\n\tb\n"}, None),
    ("text", "no licence line", {RUN: "int x;\n"}, "base/a.c:1: text: the first line"),
    ("text", "no purpose", {RUN: C.split("\n", maxsplit=1)[0] + "\nint x;\n"}, "base/a.c:2: text: after"),
    ("text", "trailing space", {"a.py": "x = 1 \n"}, "a.py:1: text: white space"),
    ("text", "tab in Python", {"a.py": "if x:\n\tpass\n"}, "a.py:2: text: tab"),
    ("text", "tab in quoted C", {"a.py": 'x = """\nint f()\n{\n\treturn 0;\n}\n"""\n'}, None),
    ("text", "broken Python", {"a.py": "x = (\n\n"}, "Python cannot read it"),
    ("text", "a process's session", {"README.md": "a session" + " of its own\n"}, None),
    ("text", "space before tab", {"a.sh": "if a; then\n \tb\nfi\n"}, "a.sh:2: text: space before"),
    ("text", "script without a suffix", {"scripts/x": "#!/bin/sh\necho \n"}, "scripts/x:2:"),
    ("text", "carriage return", {"README.md": "a\r\n"}, "carriage"),
    ("text", "no last line feed", {"README.md": "a"}, "no line feed"),
    ("text", "private path", {"README.md": "a\nsee /" + "work/x\n"}, "README.md:2: text:"),
]


def write(folder, tree):
    for name, text in tree.items():
        path = Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())


def run(command, **env):
    clean = {k: v for k, v in os.environ.items() if k not in ("CI", "CLANG_FORMAT")}
    out = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                         env={**clean, "PYTHONDONTWRITEBYTECODE": "1", **env}, check=False)
    return out.returncode, out.stdout


def gate(name, folder, **env):
    return run([sys.executable, str(TOP / "scripts" / ("check-%s.py" % name)), folder], **env)


def judge(name, tree, expected):
    """None when the gate behaved, a skip when its tool is missing, else what went wrong."""
    module = load(name)
    with tempfile.TemporaryDirectory(prefix="gates-") as folder:
        write(folder, tree)
        try:
            rows = module.checklib.report(name, module.check, folder)
        except module.checklib.Skip as why:
            return "SKIP %s" % why
    if expected is None:
        return "\n".join(rows)
    if not any(expected in row and ": %s: " % name in row for row in rows):
        return "wanted %r, found:\n%s" % (expected, "\n".join(rows))
    return None


def missing_tool(name, ci):
    """A gate whose tool is not installed says so, and fails where nothing may be skipped."""
    with tempfile.TemporaryDirectory(prefix="gates-") as folder:
        write(folder, {**style(), RUN: C})
        env = {"PATH": folder, **({"CI": "true"} if ci else {})}
        status, out = gate(name, folder, **env)
    wanted = 1 if ci else 77
    return None if status == wanted and "not installed" in out else "status %d: %s" % (status, out)


def whole(tree, wanted, text):
    """check-style itself: a line per gate, and its status is the gates'."""
    with tempfile.TemporaryDirectory(prefix="gates-") as folder:
        write(folder, {**style(), **tree})
        status, out = run([str(TOP / "scripts/check-style"), folder], PYTHON=sys.executable)
    gates = [row.split()[0] for row in out.splitlines() if row.split()[1:2] in (["ok"], ["FAIL"], ["skip:"])]
    missing = {"format", "size", "includes", "banned", "makefiles", "spelling", "text"} - set(gates)
    if status != wanted or text not in out or missing:
        return "status %d, no line for %s: %s" % (status, sorted(missing), out)
    return None


def untracked():
    """In a git checkout a file counts before `git add`, and an ignored one does not."""
    if not shutil.which("git"):
        return "SKIP git is not installed"
    with tempfile.TemporaryDirectory(prefix="gates-") as folder:
        subprocess.run(["git", "init", "-q", folder], check=True, stderr=subprocess.DEVNULL)
        write(folder, {".gitignore": "/src/libcrun/base/b.c\n", RUN: "int x;\n",
                       LIB + "base/b.c": "int x;\n"})
        _, out = gate("text", folder)
    return None if "base/a.c:1" in out and "base/b.c" not in out else out


def main():
    os.environ.pop("CI", None)
    tests = [("%s: %s" % (c[0], c[1]), lambda c=c: judge(c[0], c[2], c[3])) for c in CASES]
    tests += [("format: no tool", lambda: missing_tool("format", False)),
              ("format: no tool in CI", lambda: missing_tool("format", True)),
              ("spelling: no tool", lambda: missing_tool("spelling", False)),
              ("check-style: clean tree", lambda: whole(NAMED, 0, "size       ok")),
              ("check-style: one violation", lambda: whole({**NAMED, **call("gets(x)")}, 1, "gets():")),
              ("files: untracked and ignored", untracked)]
    failed = 0
    print("1..%d" % len(tests))
    for number, (title, test) in enumerate(tests, 1):
        wrong = test()
        if wrong and wrong.startswith("SKIP "):
            print("ok %d - %s # %s" % (number, title, wrong))
        elif wrong:
            failed += 1
            print("not ok %d - %s" % (number, title))
            print("\n".join("# " + row for row in wrong.splitlines()))
        else:
            print("ok %d - %s" % (number, title))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
