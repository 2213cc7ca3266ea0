#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Build crun in several ways and run every test; called by scripts/test.

Steps (default: all, in this order):
  gates        make check-style
  gcc          build with gcc, warnings as errors; make check
  clang        build with clang, warnings as errors
  analyzer     compile with gcc -fanalyzer, findings are errors
  sanitizers   build with ASAN and UBSAN; make check
  static       build one static-pie binary; it runs a container
  dist         make distcheck, and the two man and install targets
  integration  the integration suite on the gcc build
  security     the attack corpus, its small rounds, on the gcc build
  hardened     a part of the integration suite, and a sample of faults, on the build with sanitizers
  faults       system calls, allocations and processes of the runtime fail: a sample of each command
  valgrind     unit tests, and a part of the integration suite, under memcheck on the gcc build
  vm           boot one distribution's kernel with systemd, and run a part of the suite there
  engines      container engines that are installed, a few scenarios of each
  engines-all  (not by default; --engines) every engine and scenario; newer ones are debootstrapped;
               Podman's units under systemd, in a virtual machine
  coverage     (not by default) lines of each room that the tests run, against their floors
  enosys       (not by default) the integration suite once for each of the newer system calls, without it
  vm-matrix    (not by default) every kernel, cgroup layout and driver, the whole suite in each
Each skip is printed with its reason. The last line counts everything.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ORIGIN = Path(__file__).resolve().parent.parent
STEPS = ["gates", "gcc", "clang", "analyzer", "sanitizers", "shared", "dist", "integration",
         "security", "faults", "valgrind", "hardened", "vm", "engines"]
EXTRA = ["vm-matrix", "engines-all", "coverage", "enosys"]
# What a kernel, or the profile of the container that we run in, may lack (tests/integration/without.c).
MISSING = ["openat2", "mount_api", "clone3", "pidfd", "mount_setattr", "close_range"]
JOBS = str(os.cpu_count() or 1)
# What the sanitizers' own memory, threads and exit work do not disturb.
HARDENED = ["test_cli.py", "test_errors.py", "test_kill.py", "test_lifecycle.py", "test_log.py",
            "test_run.py", "test_smoke.py"]
# What automake, make and the compilers begin a failure's line with.
CAUSE = re.compile(r"(FAIL|ERROR|XPASS): |.*(: error: |\*\*\* )")
SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$")


class Totals:
    def __init__(self):
        self.passed = self.failed = 0
        self.skips = []
        self.failures = []

    def ok(self, count=1):
        self.passed += count

    def fail(self, what):
        self.failed += 1
        self.failures.append(what)
        print(f"FAIL {what}", flush=True)

    def skip(self, what):
        self.skips.append(what)
        print(f"skip {what}", flush=True)


def copy_sources(target):
    """A copy of the tree without build products: a tree that was configured refuses other builds."""
    listed = subprocess.run(["git", "-C", str(ORIGIN), "ls-files", "-z", "-co",
                             "--exclude-standard"], capture_output=True)
    if listed.returncode:
        shutil.copytree(ORIGIN, target, symlinks=True)
        subprocess.run(["make", "-C", str(target), "distclean"], capture_output=True)
        return
    for name in filter(None, listed.stdout.decode().split("\0")):
        source, copy = ORIGIN / name, target / name
        if not source.exists():
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, copy, follow_symlinks=False)


class Runner:
    def __init__(self, build_root):
        self.root = build_root
        self.top = build_root / "source"
        self.totals = Totals()

    def command(self, argv, cwd, log, env=None):
        """Run argv with its output in the file log; the exit status."""
        with open(log, "ab") as out:
            return subprocess.run(argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out,
                                  stderr=subprocess.STDOUT, env=env).returncode

    def require(self, what, argv, cwd, log, env=None):
        """The same as a test of its own: True when it succeeded."""
        if self.command(argv, cwd, log, env) == 0:
            self.totals.ok()
            return True
        self.totals.fail(what)
        lines = log.read_text(errors="replace").splitlines()
        # With parallel jobs the cause is often far above the end.
        causes = [line for line in lines[:-40] if CAUSE.match(line)][:40]
        print("\n".join("    " + line for line in causes + lines[-40:]), flush=True)
        return False

    def configure(self, name, *options, cc=None):
        """A build directory with everything compiled; None when that failed."""
        build = self.root / name
        build.mkdir(parents=True, exist_ok=True)
        log = build / "build.txt"
        env = dict(os.environ, **({"CC": cc} if cc else {}))
        configure = [str(self.top / "configure"), *options]
        if not self.require(f"{name}: configure", configure, build, log, env):
            return None
        if not self.require(f"{name}: make", ["make", "-j", JOBS], build, log):
            return None
        return build

    def make_check(self, name, build):
        log = build / "check.txt"
        env = dict(os.environ, ASAN_OPTIONS="detect_leaks=1", UBSAN_OPTIONS="print_stacktrace=1")
        self.command(["make", "-k", "-j", JOBS, "check"], build, log, env)
        seen = 0
        for trs in sorted(build.rglob("*.trs")):
            test = str(trs.relative_to(build))[:-len(".trs")]
            result = re.search(r"^:global-test-result: (\S+)", trs.read_text(), re.M)
            word = result.group(1) if result else "ERROR"
            output = trs.with_suffix(".log").read_text(errors="replace")
            seen += 1
            if word == "PASS":
                self.totals.ok()
            elif word == "SKIP":
                lines = [line for line in output.splitlines()
                         if "skip" in line.lower() and not line.startswith("SKIP ")]
                self.totals.skip(f"{name}: {test} ({(lines or ['no reason given'])[-1].strip()})")
                continue
            else:
                self.totals.fail(f"{name}: {test}")
                print("\n".join("    " + line for line in output.splitlines()[-60:]), flush=True)
                continue
            for line in re.findall(r"^ok .*# SKIP.*$", output, re.M | re.I):
                self.totals.skip(f"{name}: {test}: {line}")
        if not seen:
            self.totals.fail(f"{name}: make check ran nothing")
            print(log.read_text(errors="replace")[-4000:], flush=True)

    def integration(self, name, build, files=(), env=None):
        if os.getuid() != 0:
            self.totals.skip(f"{name}: the integration suite needs root")
            return
        self.counted(name, [str(self.top / "tests/integration/run.py"), "--runtime",
                            str(build / "crun"),
                            *[str(self.top / "tests/integration" / f) for f in files]], env)

    def counted(self, name, argv, env=None):
        """A program in Python that prints a line per test, and the counts last."""
        argv = [sys.executable, "-B", *argv]
        run = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, errors="replace",
                               env=dict(os.environ, **(env or {})))
        summary = None
        failures = []  # each with what it printed: often the end of the output is all one is shown
        for line in run.stdout:
            print(f"{name}: {line}", end="", flush=True)
            summary = SUMMARY.match(line.strip()) or summary
            if line.startswith("FAIL "):
                failures.append([f"{name}: {line[5:].rstrip()}"])
            elif line.startswith("    ") and failures:
                failures[-1].append(line.rstrip())
            if line.startswith("skip "):
                self.totals.skips.append(f"{name}: {line[5:].strip()}")
        status = run.wait()
        if not summary:
            self.totals.fail(f"{name}: no summary, exit status {status}")
            return
        self.totals.ok(int(summary.group(1)))
        self.totals.failed += int(summary.group(2))
        self.totals.failures += ["\n".join(lines[:1] + lines[1:][-20:]) for lines in failures]
        if int(summary.group(2)) > len(failures):
            self.totals.failures.append(f"{name}: {summary.group(2)} tests, see above")

    # ---- the steps ----

    def gates(self):
        run = subprocess.run([str(ORIGIN / "scripts/check-style")], cwd=ORIGIN, text=True,
                             capture_output=True)
        print(run.stdout + run.stderr, end="", flush=True)
        if run.returncode:
            self.totals.fail("gates: scripts/check-style")
        else:
            self.totals.ok()

    def has_interpreter(self, program):
        """Whether a loader is needed for PROGRAM: it is no static one."""
        said = subprocess.run(["readelf", "-lW", str(program)], capture_output=True, text=True)
        return "INTERP" in said.stdout

    def gcc(self):
        build = self.configure("gcc", "--enable-warnings-as-errors", cc="gcc")
        if not build:
            return
        if self.has_interpreter(build / "crun"):
            self.totals.skip("gcc: the program is not static (a static library is missing here)")
        else:
            self.totals.ok()
        self.make_check("gcc", build)

    def clang(self):
        if not shutil.which("clang"):
            self.totals.skip("clang: not installed")
            return
        self.configure("clang", "--enable-warnings-as-errors", cc="clang")

    def analyzer(self):
        self.configure("analyzer", "--enable-warnings-as-errors", "CFLAGS=-O1 -fanalyzer",
                       cc="gcc")

    def sanitizers(self):
        build = self.configure("sanitizers", "--enable-warnings-as-errors",
                               "--enable-sanitizers", "CFLAGS=-O1 -g", cc="gcc")
        if build:
            self.make_check("sanitizers", build)

    def shared(self):
        """What a distribution without static libraries builds."""
        build = self.configure("shared", "--enable-warnings-as-errors", "--disable-static",
                               "--enable-shared-yajl", cc="gcc")
        if not build:
            return
        if self.has_interpreter(build / "crun"):
            self.totals.ok()
        else:
            self.totals.fail("shared: the binary has no program interpreter")
        self.integration("shared", build, ["test_smoke.py", "test_own_protection.py",
                                           "test_linux_seccomp.py", "test_error_codes.py"])

    def dist(self):
        build = self.root / "dist"
        build.mkdir(parents=True, exist_ok=True)
        log = build / "build.txt"
        if not self.require("dist: configure", [str(self.top / "configure")], build, log):
            return
        # The tree of a failed distcheck stays: what its tests printed is the only trace of a rare
        # failure.
        if not self.require("dist: make distcheck", ["make", "-j", JOBS, "distcheck"], build, log):
            for printed in sorted(build.rglob("test-suite.log")):
                print(printed.read_text(errors="replace")[-8000:], flush=True)

    def whole_suite(self):
        build = self.root / "gcc"
        if not (build / "crun").exists():
            self.totals.fail("integration: there is no gcc build")
            return
        # Named one by one: the sentences of the specification lie in a folder of their own.
        files = [str(path) for folder in ("tests/integration", "tests/oci-validation", "tests/fault")
                 for path in sorted((self.top / folder).glob("test_*.py"))]
        self.integration("integration", build, files)

    def security(self):
        if os.getuid() != 0:
            self.totals.skip("security: the attack corpus needs root")
            return
        self.on_gcc_build("security", "tests/security/run.py")

    def hardened(self):
        build = self.root / "sanitizers"
        if not (build / "crun").exists():
            self.totals.fail("hardened: there is no build with sanitizers")
            return
        self.integration("hardened", build, HARDENED, {"ASAN_OPTIONS": "detect_leaks=0"})
        if os.getuid() != 0:
            return
        run = [str(self.top / "tests/fault/run.py"), "--runtime", str(build / "crun"), "--seed", "hardened"]
        self.counted("hardened: faults", [*run, "--sample", "4"])
        self.counted("hardened: allocations", [*run, "--sample", "3", "--flavor", "root", "-k", ":malloc:"])

    def on_gcc_build(self, name, script, *options, program="crun"):
        build = self.root / "gcc"
        if not (build / "crun").exists() and not self.configure("gcc", cc="gcc"):
            return
        if not (build / program).exists() and \
                not self.require(f"{name}: {program}", ["make", "-j", JOBS, program], build,
                                 build / f"{program}.txt"):
            return
        self.counted(name, [str(self.top / script), "--runtime", str(build / program), *options])

    def faults(self):
        """With shared libraries, in front of which one of the tests is put."""
        self.on_gcc_build("faults", "tests/fault/run.py", program="crun-shared")
        self.on_gcc_build("clocks", "tests/integration/run.py",
                          str(self.top / "tests/fault/test_adversity.py"), "-k", "clock",
                          program="crun-shared")

    def valgrind(self):
        build = self.root / "gcc"
        if not shutil.which("valgrind"):
            self.totals.skip("valgrind: not installed")
            return
        if not (build / "crun").exists() and not self.configure("gcc", cc="gcc"):
            return
        if self.require("valgrind: test programs", ["make", "-j", JOBS, "check", "crun-shared",
                                                       "TESTS="], build, build / "valgrind.txt"):
            self.counted("valgrind", [str(self.top / "scripts/valgrind"), "--build", str(build)])

    def coverage(self):
        if not shutil.which("clang") or not shutil.which("llvm-cov"):
            self.totals.skip("coverage: clang or llvm is not installed")
            return
        self.counted("coverage", [str(self.top / "scripts/coverage"), "--build",
                                  str(self.root / "coverage")])

    def enosys(self):
        for call in MISSING:
            self.on_gcc_build(f"without {call}", "tests/integration/run.py", "--without", call)
        # Without it there is nothing that could protect our binary from root's containers.
        self.on_gcc_build("without memfd_create", "tests/integration/run.py", "--without",
                          "memfd_create", "-k", "[rootless]")

    def vm(self):
        self.on_gcc_build("vm", "tests/vm/run.py", "--slice")

    def vm_matrix(self):
        self.on_gcc_build("vm-matrix", "tests/vm/run.py", "--matrix", "--whole")

    def engines(self):
        self.on_gcc_build("engines", "tests/engines/run.py", "--quick")

    def engines_all(self):
        self.on_gcc_build("engines-all", "tests/engines/run.py")
        self.on_gcc_build("engines-all", "tests/vm/run.py", "--podman")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("steps", nargs="*", metavar="STEP", help=", ".join(STEPS))
    parser.add_argument("--build", metavar="DIR", help="build below DIR and keep it")
    parser.add_argument("--vm-matrix", action="store_true",
                        help="the step vm-matrix, alone or after the steps named")
    parser.add_argument("--engines", action="store_true",
                        help="the step engines-all, alone or after the steps named")
    args = parser.parse_args()
    unknown = [step for step in args.steps if step not in STEPS + EXTRA]
    if unknown:
        parser.error(f"unknown step {unknown[0]}: it is one of {', '.join(STEPS + EXTRA)}")
    more = [step for step, asked in (("vm-matrix", args.vm_matrix), ("engines-all", args.engines))
            if asked]
    steps = args.steps + more or STEPS
    root = Path(args.build or tempfile.mkdtemp(prefix="crun-test-build-")).resolve()
    runner = Runner(root)
    spec = ORIGIN.parent / "shared/oci-spec"
    if "OCI_SPEC_DIR" not in os.environ and spec.is_dir():
        os.environ["OCI_SPEC_DIR"] = str(spec)
    try:
        shutil.rmtree(runner.top, ignore_errors=True)
        copy_sources(runner.top)
        if not runner.require("autogen", [str(runner.top / "autogen.sh")], runner.top,
                              root / "autogen.txt"):
            steps = ["gates"]
        for step in steps:
            begin = time.monotonic()
            print(f"== {step}", flush=True)
            name = "whole_suite" if step == "integration" else step.replace("-", "_")
            getattr(runner, name)()
            print(f"== {step}: {time.monotonic() - begin:.0f} s", flush=True)
    finally:
        if not args.build:
            shutil.rmtree(root, ignore_errors=True)
    totals = runner.totals
    for skip in totals.skips:
        print(f"skipped: {skip}")
    for failure in totals.failures:
        print(f"failed: {failure}")
    print(f"{totals.passed} passed, {totals.failed} failed, {len(totals.skips)} skipped")
    return 1 if totals.failed or not totals.passed else 0


if __name__ == "__main__":
    sys.exit(main())
