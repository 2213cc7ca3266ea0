# SPDX-License-Identifier: Apache-2.0
"""The table of kernels, cgroup layouts and drivers: each row is one machine, each column a driver."""

import collections
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import traceback

import cases
import common
import kernels
import machine

# What the layout and the driver of cgroups, or the kernel's security module, make a difference to.
SHORT = ["test_smoke.py", "test_lifecycle.py", "test_kill.py", "test_linux_cgroups.py",
         "test_limits_real.py", "test_lsm_real.py", "test_linux_devices.py"]
MORE = re.compile(r"test_(systemd|update|pause|ps|events|stats|cgroup|timeout).*\.py")
LINE = re.compile(r"(ok|FAIL|skip) (\S+)")
SKIP = re.compile(r"skip \S+ (?:\[[^]]*\] )?\((.*)\) \[[\d.]+s\]$")
CORPUS = r"^lsm\.(apparmor|selinux|label)"     # of the attack corpus: what only such a kernel can show
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
    if module in ("test_lsm_real", "lsm"):
        return "LSM"
    if not module.startswith("test_systemd"):
        return "cgroupfs"
    return "systemd user" if "[rootless]" in test or "user" in test.split(".")[1] else "systemd"


class Row:
    """What one machine answered."""

    def __init__(self, cell):
        self.cell, self.why, self.absent, self.seconds = cell, "", "", 0.0
        self.forget()

    def forget(self):
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

    def green(self):
        return not (self.why or self.failures or self.absent)

    def save(self, path):
        """One more line of a file of results."""
        with open(path, "a", encoding="utf-8") as out:
            out.write(json.dumps({"cell": self.cell.name, "why": self.why, "absent": self.absent,
                                  "counts": self.counts, "seconds": round(self.seconds),
                                  "failures": self.failures, "skips": self.skips}) + "\n")


def load(path):
    """Name of the cell -> the last row that was saved."""
    rows, known = {}, {cell.name: cell for cell in cells()}
    if not os.path.exists(path):
        return rows
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            saved = json.loads(line)
            if saved["cell"] in known:
                row = rows[saved["cell"]] = Row(known[saved["cell"]])
                row.why, row.absent, row.seconds = saved["why"], saved["absent"], saved["seconds"]
                row.failures, row.skips = saved["failures"], saved["skips"]
                row.counts.update({column: collections.Counter(counts)
                                   for column, counts in saved["counts"].items()})
    return rows


def fill(case, cell, whole):
    """What runs in this cell's machine."""
    if cell.lsm == "selinux":
        case.suite(["test_smoke.py", "test_lsm_real.py"])
    elif whole:
        case.suite([])
    else:
        case.suite(cases.existing(SHORT) + cases.matching(MORE))
    case.corpus(words=["-k", CORPUS])


def run_cell(cell, runtime, folder, whole):
    row = Row(cell)
    mine = tempfile.mkdtemp(dir=folder)

    def say(line):
        row.take(line)
        print(f"{cell.name}: {line}\n", end="", flush=True)
    try:
        case = cases.Case(cell.layout, cell.lsm)
        fill(case, cell, whole)
        kernel = kernels.fetch(cell.kernel)
        result = case.boot(kernel, runtime, mine, say=say, again=row.forget, single=True)
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
                      row.absent or row.why or f"{row.seconds:.0f} s"))
    widths = [max(len(line[n]) for line in lines) for n in range(len(lines[0]))]
    print("\npassed/failed/skipped")
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip())


def skips(rows):
    """Every reason of a skip, with the number of tests and the cells."""
    found = {}
    for row in rows:
        for line in row.skips:
            match = SKIP.match(line)
            tests, where = found.setdefault(match.group(1) if match else line, (set(), {}))
            tests.add(line.split()[1])
            where[row.cell.name] = True
    print("\nskipped")
    for reason, (tests, where) in sorted(found.items()):
        print(f"{len(tests):4}  {reason}: {', '.join(where)}")
    print()


def start(cell, runtime, folder, whole, results):
    """A process that runs the cell and writes its row into `results`; the pid."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    try:
        machine.die_with_parent(signal.SIGTERM)
        try:
            row = run_cell(cell, runtime, folder, whole)
        except common.Unavailable as reason:
            row = Row(cell)
            row.absent = f"not run: {reason}"
            print(f"skip {cell.name} ({reason})")
        row.save(results)
    except Exception:   # pylint: disable=broad-except
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(0)


def run_all(wanted, *how):
    """Run the wanted cells, as many at a time as there are CPUs for."""
    waiting, running = list(wanted), set()
    try:
        while waiting or running:
            while waiting and len(running) < (os.cpu_count() or 1):
                running.add(start(waiting.pop(0), *how))
            running.discard(os.wait()[0])
    finally:
        for pid in running:
            os.kill(pid, signal.SIGTERM)
        for pid in running:
            os.waitpid(pid, 0)


def choose(only):
    """The cells whose name has one of the texts that `only` lists, in that order."""
    found = {cell.name: cell for text in only.split(",") for cell in cells() if text in cell.name}
    return list(found.values())


def run(runtime, folder, only="", whole=False, results=None):
    """Every cell that choose() finds; the exit status.

    With a file of `results` only those that it has no green row of; the table has all of them.
    """
    results = results or os.path.join(folder, "results")
    done = load(results)
    chosen = choose(only)
    run_all([cell for cell in chosen if not (cell.name in done and done[cell.name].green())],
            runtime, folder, whole, results)
    done = load(results)
    rows = [done[cell.name] for cell in chosen if cell.name in done]
    table(rows)
    skips(rows)
    # A cell without a row: what ran it has died.
    totals = collections.Counter(FAIL=sum(1 for row in rows if row.why) + len(chosen) - len(rows),
                                 skip=sum(1 for row in rows if row.absent))
    for row in rows:
        for line in row.failures:
            print(f"{row.cell.name}: {line}")
        totals += sum(row.counts.values(), collections.Counter())
    print(f"{totals['ok']} passed, {totals['FAIL']} failed, {totals['skip']} skipped")
    return 1 if totals["FAIL"] else 77 if all(row.absent for row in rows) else 0
