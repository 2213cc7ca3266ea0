#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What tests/vm does with an emulator's answers, without one: make check runs this.

An emulator of a few lines writes what a guest would; a panic, a machine that stops early and one that
never stops must each be a failure, whatever the tests inside have printed before.
"""

import contextlib
import gzip
import io
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
FOLDER = tempfile.mkdtemp(prefix="crun-check-vm-")
os.environ["CRUN_VM_CACHE"] = os.path.join(FOLDER, "cache")

import initramfs    # noqa: E402  pylint: disable=wrong-import-position
import kernels      # noqa: E402  pylint: disable=wrong-import-position
import machine      # noqa: E402  pylint: disable=wrong-import-position
import matrix       # noqa: E402  pylint: disable=wrong-import-position

GOOD = "ok test_a.test_b [0.10s]\\n1 passed, 0 failed, 0 skipped\\n"


def emulate(script, timeout=20):
    """(status, why, what run.py prints at the end) of a machine that does `script`."""
    folder = tempfile.mkdtemp(dir=FOLDER)
    argv = ["/bin/sh", "-c", f"cd {folder}; {script}"]
    result = machine.run(argv, folder, timeout, lambda line: None)
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        status = machine.report(result)
    return status, result.why, out.getvalue()


def check_good_machine():
    status, why, out = emulate(f"printf '{GOOD}@vm exit 0\\n' >results")
    assert (status, why, out) == (0, "", ""), (status, why, out)


def check_failed_test():
    status, why, _out = emulate("printf 'FAIL test_a.test_b\\n@vm exit 1\\n' >results")
    assert (status, why) == (1, ""), (status, why)


def check_panic():
    status, why, out = emulate(f"printf '{GOOD}@vm exit 0\\n' >results; "
                               "printf 'x\\n[ 1.0] Kernel panic - not syncing\\n' >console; sleep 1")
    assert status == 1 and "panicked" in why and "1 passed, 1 failed" in out, (status, why, out)


def check_early_end():
    status, why, out = emulate(f"printf '{GOOD}' >results")
    assert status == 1 and "before its tests" in why, (status, why)
    assert out.endswith("1 passed, 1 failed, 0 skipped\n"), out


def check_time_is_up():
    status, why, out = emulate("sleep 60", timeout=0.3)
    assert status == 1 and "not finished" in why and "0 passed, 1 failed" in out, (why, out)


def check_archive():
    archive = initramfs.Archive()
    archive.file("a/b/c", "text\n", 0o755)
    archive.link("a/l", "b/c")
    path = os.path.join(FOLDER, "archive")
    archive.write(path)
    with gzip.open(path) as source:
        data = source.read()
    names, at = [], 0
    while at < len(data):
        head = data[at:at + 110]
        assert head[:6] == b"070701", (at, head)
        mode, size, length = (int(head[6 + 8 * n:14 + 8 * n], 16) for n in (1, 6, 11))
        name = data[at + 110:at + 109 + length].decode()
        at = -(-(at + 110 + length) // 4) * 4
        names.append((name, oct(mode), data[at:at + size]))
        at = -(-(at + size) // 4) * 4
    assert names == [("a", "0o40755", b""), ("a/b", "0o40755", b""),
                     ("a/b/c", "0o100755", b"text\n"), ("a/l", "0o120777", b"b/c"),
                     ("TRAILER!!!", "0o0", b"")], names


def check_modules_come_after_what_they_need():
    modules = os.path.join(FOLDER, "kernel/tree/lib/modules/6.1.0-9-cloud")
    os.makedirs(modules)
    with open(os.path.join(modules, "modules.dep"), "w", encoding="ascii") as out:
        out.write("kernel/virtio_pci.ko: kernel/virtio_ring.ko kernel/virtio.ko\n"
                  "kernel/virtio_ring.ko: kernel/virtio.ko\nkernel/virtio.ko:\n"
                  "kernel/virtio-blk.ko.xz: kernel/virtio_ring.ko kernel/virtio.ko\n")
    kernel = kernels.Kernel("6.1", os.path.join(FOLDER, "kernel"))
    names = [kernels.module_name(path) for path in
             kernel.module_files("virtio_pci", "built_in", "virtio_blk")]
    assert names == ["virtio", "virtio_ring", "virtio_pci", "virtio_blk"], names
    assert kernel.version == "6.1"


def check_columns_of_the_table():
    row = matrix.Row(matrix.cells()[0])
    for line in ("ok test_kill.test_a [1s]", "FAIL test_systemd.test_b[root] (x) [1s]",
                 "skip test_systemd.test_b[rootless] (y) [1s]", "ok test_lsm_real.test_c [1s]",
                 "ok lsm.label [CVE-2019-16884] (2 runs) [1s]",
                 "    ok indented", "1 passed, 1 failed, 1 skipped"):
        row.take(line)
    texts = [row.text(column) for column in matrix.COLUMNS]
    assert texts == ["1/0/0", "0/1/0", "0/0/1", "2/0/0"], texts
    assert len(row.failures) == 1


def check_results_that_were_kept():
    path, rows = os.path.join(FOLDER, "kept"), []
    for cell, lines in zip(matrix.choose("newest,6.1 v1"),
                           (["ok test_kill.test_a [1s]", "skip test_ps.test_b (no (b) here) [0.1s]",
                            "skip lsm.label [CVE-2019-16884] (no (b) here) [0.1s]"],
                            ["FAIL test_kill.test_a (y) [1s]"])):
        rows.append(matrix.Row(cell))
        rows[-1].take("FAIL test_kill.test_before_a_panic (x) [1s]")
        rows[-1].forget()
        for line in lines:
            rows[-1].take(line)
        rows[-1].save(path)
    kept = matrix.load(path)
    assert list(kept) == ["newest v2 apparmor", "newest v1 apparmor"], kept
    assert [row.green() for row in kept.values()] == [True, False]
    assert [kept[row.cell.name].text("cgroupfs") for row in rows] == ["1/0/1", "0/1/0"]
    assert rows[0].text("LSM") == "0/0/1"
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        matrix.skips(list(kept.values()))
    assert "   2  no (b) here: newest v2 apparmor\n" in out.getvalue(), out.getvalue()
    assert matrix.choose("6.1 v1,newest hybrid")[0].name == "6.1 v1 apparmor"


def main():
    failed = 0
    cases = [(name, f) for name, f in globals().items() if name.startswith("check_")]
    print(f"1..{len(cases)}")
    try:
        for number, (name, function) in enumerate(cases, 1):
            try:
                function()
                print(f"ok {number} - {name}")
            except AssertionError as err:
                failed += 1
                print(f"not ok {number} - {name}: {err}")
    finally:
        shutil.rmtree(FOLDER, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
