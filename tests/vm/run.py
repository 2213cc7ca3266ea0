#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Boot a distribution's kernel in QEMU, and run something there: a command, tests, or the matrix.

  run.py --quick --kernel 5.10 -- crun run x      busybox and the runtime only; 3 seconds
  run.py --kernel 6.1 -- crun --version           a root file system with systemd
  run.py --kernel 6.1 --layout v1 test_smoke.py   files of tests/integration (and -k TEXT)
  run.py --all --kernel newest                    the whole integration suite
  run.py --slice                                  what scripts/test runs, on one kernel
  run.py --matrix                                 every kernel, layout and driver, as a table
  run.py --corpus --lsm selinux -k '^lsm'         the attack corpus (tests/security)
  run.py --podman                                 Podman's units under systemd (tests/engines)

A quick case runs in /bundle (`crun spec` has been there; its root file system is busybox), as root
of a machine without disks; with --file SOURCE[:TARGET] it gets more files.  --shell takes the command
as one shell script.  Kernels and the root file system are fetched from the distribution's mirror at
the first use and kept in $CRUN_VM_CACHE ($XDG_CACHE_HOME/crun-vm, ~/.cache/crun-vm).
Exits 77 with the reason when no machine can be booted here.
"""

import argparse
import os
import shlex
import shutil
import signal
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import cases        # noqa: E402  pylint: disable=wrong-import-position
import common       # noqa: E402  pylint: disable=wrong-import-position
import initramfs    # noqa: E402  pylint: disable=wrong-import-position
import kernels      # noqa: E402  pylint: disable=wrong-import-position
import machine      # noqa: E402  pylint: disable=wrong-import-position
import matrix       # noqa: E402  pylint: disable=wrong-import-position
import root         # noqa: E402  pylint: disable=wrong-import-position

EXIT_SKIP = 77


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--kernel", metavar="NAME", default=kernels.DEFAULT,
        help=f"{', '.join(kernels.SOURCES)} (default {kernels.DEFAULT})")
    add("--layout", choices=cases.LAYOUTS, default="v2", help="of the cgroups (default v2)")
    add("--lsm", choices=("apparmor", "selinux", "none"), default="apparmor")
    add("--linger", action="store_true", help="`user` has a lingering manager of systemd")
    add("--quick", action="store_true", help="a small initial RAM file system instead of systemd")
    add("--runtime", metavar="PATH", help="default $RUNTIME, or crun in $CRUN_BUILD or the tree")
    add("--file", action="append", default=[], metavar="SOURCE[:TARGET]",
        help="one more file or folder for a quick case")
    add("--cpus", type=int, default=2)
    add("--memory", type=int, default=1536, metavar="MIB")
    add("--single", action="store_true",
        help="emulated CPUs take turns in one thread, so that other machines can run beside it")
    add("--append", default="", metavar="WORDS", help="more words for the kernel's command line")
    add("--timeout", type=int, metavar="SECONDS")
    add("--shell", metavar="SCRIPT", help="a shell script to run")
    add("-k", metavar="TEXT", default="", help="only tests whose name has TEXT")
    add("--without", metavar="CALLS", help="as of tests/integration/run.py: lack these calls, too")
    add("-j", metavar="N", type=int, default=2, help="tests at a time")
    add("--all", action="store_true", help="every file of the integration suite")
    add("--slice", action="store_true", help="the selection that scripts/test runs")
    add("--corpus", action="store_true", help="the attack corpus; -k is a regular expression then")
    add("--podman", action="store_true",
        help="a root file system with Podman; without a command: tests/engines/booted.py")
    add("--matrix", action="store_true", help="all kernels, layouts and drivers")
    add("--only", metavar="TEXT[,TEXT...]", default="",
        help="only cells of the matrix that have TEXT")
    add("--whole", action="store_true", help="with --matrix: the whole integration suite")
    add("--results", metavar="FILE",
        help="with --matrix: where each cell's result goes; those that are green there do not run again")
    add("--list", action="store_true", help="the kernels, and the cells of the matrix")
    add("--fetch", action="store_true", help="fetch what the run would need, and stop")
    add("--update", action="store_true", help="ask the mirror for newer kernels")
    add("--console", action="store_true", help="print the kernel's console at the end")
    add("what", nargs="*", metavar="FILE | -- COMMAND")
    argv = sys.argv[1:]
    command = None
    if "--" in argv:
        at = argv.index("--")
        argv, command = argv[:at], argv[at + 1:]
    options = parser.parse_args(argv)
    options.command = command
    if options.shell:
        options.command = ["sh", "-c", options.shell]
    if options.kernel not in kernels.SOURCES:
        parser.error(f"--kernel is one of {', '.join(kernels.SOURCES)}")
    return options


def runtime_of(options):
    built = os.path.join(os.environ.get("CRUN_BUILD", common.TOP), "crun")
    path = options.runtime or os.environ.get("RUNTIME") or built
    if not os.access(path, os.X_OK):
        raise SystemExit(f"run.py: no runtime at {path} (build it, or say --runtime)")
    return os.path.abspath(path)


def quick(options, kernel, folder):
    files = []
    for word in options.file:
        source, _sep, target = word.partition(":")
        files.append((source, target or "extra/" + os.path.basename(source.rstrip("/"))))
    if not options.command:
        raise SystemExit("run.py: --quick takes a command after --")
    script = options.shell or shlex.join(options.command)
    initrd = os.path.join(folder, "initrd")
    initramfs.quick(kernel, initrd, runtime_of(options), script + "\n", files)
    append = [f"vm.layout={options.layout}", *cases.lsm_words(options.lsm), options.append]
    return machine.boot(kernel, initrd, append, cpus=options.cpus, memory=options.memory,
                        timeout=options.timeout or 120, folder=folder, single=options.single)


def show_list():
    have = kernels.cached()
    for name, source in kernels.SOURCES.items():
        kernel = kernels.fetch(name).release if name in have else "not fetched"
        print(f"{name:8} {source.suite:10} {kernel}  {source.why}")
    for cell in matrix.cells():
        print(f"  {cell.name}")


def one(options, folder):
    kernel = kernels.fetch(options.kernel, options.update)
    if options.quick and not options.fetch:
        return quick(options, kernel, folder)
    case = cases.Case(options.layout, options.lsm)
    case.linger = options.linger
    if options.podman:
        case.packages, case.linger = root.PODMAN, True
    if options.command:
        case.command(options.command)
    elif options.corpus:
        case.corpus(words=["-j", str(options.j), *(["-k", options.k] if options.k else [])])
    elif options.slice:
        case.slice()
    elif options.podman:
        case.booted(options.k)
    else:
        case.suite([] if options.all else options.what, options.k, options.j,
                   options.without)
        if not options.all and not options.what and not options.k:
            raise SystemExit("run.py: name files of tests, or --all, or a command after --")
    if options.fetch:
        return case.prepare()
    return case.boot(kernel, runtime_of(options), folder, append=[options.append],
                     cpus=options.cpus, memory=options.memory, timeout=options.timeout,
                     single=options.single)


def main():
    options = parse()
    sys.stdout.reconfigure(errors="replace")
    if options.list:
        show_list()
        return 0
    signal.signal(signal.SIGTERM, lambda *_args: sys.exit("run.py: terminated"))
    folder = tempfile.mkdtemp(prefix="crun-vm-")
    try:
        if options.matrix:
            return matrix.run(runtime_of(options), folder, options.only, options.whole,
                              options.results)
        result = one(options, folder)
        if options.console and result:
            print(result.console)
        return machine.report(result) if result else 0
    except common.Unavailable as reason:
        print(f"skip vm ({reason})")
        print("0 passed, 0 failed, 1 skipped")
        return EXIT_SKIP
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
