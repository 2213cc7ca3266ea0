# SPDX-License-Identifier: Apache-2.0
"""The table of kernels, cgroup layouts and drivers: each row is one machine, each column a driver."""

import collections
import re
import shutil
import tempfile

import cases
import common
import kernels

# What the layout and the driver of cgroups, or the kernel's security module, make a difference to.
SHORT = ["test_smoke.py", "test_lifecycle.py", "test_kill.py", "test_linux_cgroups.py",
         "test_limits_real.py", "test_lsm_real.py", "test_linux_devices.py"]
MORE = re.compile(r"test_(systemd|update|pause|ps|events|stats|cgroup|timeout).*\.py")
LINE = re.compile(r"(ok|FAIL|skip) (\S+)")
COLUMNS = ("cgroupfs", "systemd", "systemd user", "LSM")
Cell = collections.namedtuple("Cell", "name kernel layout lsm")


def cells():
    """The machines: every layout on every kernel, and SELinux in place of AppArmor on v2."""
    found = []
    for kernel in kernels.SOURCES:
        for layout, lsm in [(name, "apparmor") for name in cases.LAYOUTS] + [("v2", "selinux")]:
            found.append(Cell(f"{kernel} {layout} {lsm}", kernel, layout, lsm))
    return found


def column_of(test):
    """The column that a test counts in."""
    module = test.split(".")[0]
    if module == "test_lsm_real":
        return "LSM"
    if not module.startswith("test_systemd"):
        return "cgroupfs"
    return "systemd user" if "[rootless]" in test or "user" in test.split(".")[1] else "systemd"


class Row:
    """What one machine answered."""

    def __init__(self, cell):
        self.cell, self.why, self.seconds = cell, "", 0.0
        self.counts = {column: collections.Counter() for column in COLUMNS}
        self.failures, self.skips = [], []

    def take(self, line):
        match = LINE.match(line)
        if not match:
            return
        self.counts[column_of(match.group(2))][match.group(1)] += 1
        if match.group(1) == "FAIL":
            self.failures.append(line)
        elif match.group(1) == "skip":
            self.skips.append(line)

    def text(self, column):
        counts = self.counts[column]
        if not counts:
            return "–"
        return f"{counts['ok']}/{counts['FAIL']}/{counts['skip']}"


def fill(case, cell, whole):
    """What runs in this cell's machine."""
    if cell.lsm == "selinux":
        case.suite(["test_smoke.py", "test_lsm_real.py"])
    elif whole:
        case.suite([])
    else:
        case.suite(cases.existing(SHORT) + cases.matching(MORE))


def run_cell(cell, runtime, folder, whole):
    row = Row(cell)
    mine = tempfile.mkdtemp(dir=folder)

    def say(line):
        row.take(line)
        print(f"{cell.name}: {line}", flush=True)
    try:
        case = cases.Case(cell.layout, cell.lsm)
        fill(case, cell, whole)
        kernel = kernels.fetch(cell.kernel)
        result = case.boot(kernel, runtime, mine, say=say)
        row.seconds, row.why = result.seconds, result.why
        if not result.why and result.status and not row.failures:
            row.why = f"exit status {result.status}"
    finally:
        shutil.rmtree(mine, ignore_errors=True)
    return row


def table(rows):
    lines = [("kernel", "layout", "LSM on", *COLUMNS, "")]
    for row in rows:
        cell = row.cell
        lines.append((cell.kernel, cell.layout, cell.lsm, *map(row.text, COLUMNS),
                      row.why or f"{row.seconds:.0f} s"))
    widths = [max(len(line[n]) for line in lines) for n in range(len(lines[0]))]
    print("\npassed/failed/skipped")
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip())


def run(runtime, folder, only="", whole=False):
    """Every cell whose name has `only`; the exit status."""
    rows, absent = [], []
    for cell in cells():
        if only not in cell.name:
            continue
        try:
            rows.append(run_cell(cell, runtime, folder, whole))
        except common.Unavailable as reason:
            absent.append(f"{cell.name} ({reason})")
            print(f"skip {absent[-1]}", flush=True)
    table(rows)
    totals = collections.Counter(FAIL=sum(1 for row in rows if row.why))
    for row in rows:
        for line in row.failures:
            print(f"{row.cell.name}: {line}")
        totals += sum(row.counts.values(), collections.Counter())
    print(f"{totals['ok']} passed, {totals['FAIL']} failed, {totals['skip'] + len(absent)} skipped")
    return 1 if totals["FAIL"] else 0 if rows else 77
