# SPDX-License-Identifier: Apache-2.0
"""One run of a virtual machine.

The guest has two serial ports: the first is the kernel's console, the second carries what the tests
print, ending with "@vm exit STATUS".  Both are files on our side; what is printed is passed on line
by line as it comes.
"""

import ctypes
import os
import re
import signal
import subprocess
import sys
import time

import common

# A newer one elsewhere is worth its while: QEMU 10 needs three quarters of 7.2's time.
QEMU = os.environ.get("QEMU", "qemu-system-x86_64")
# Without what only makes emulation slower, and without cmpxchg16b: QEMU 7.2 returns wrong flags for it
# now and then, and the kernel's allocator dies of that.
CPU = "max,la57=off,smap=off,smep=off,umip=off,pku=off,cx16=off"
QUICKER = "mitigations=off rcupdate.rcu_expedited=1"   # a tenth of the time, each of these two lines
# An emulated kernel that rewrites its own code while another CPU runs there dies now and then, while it
# boots for the most part. That cannot be where the CPUs take turns in one thread, as from the second try
# on. What a test does to a kernel it does each time.
TRIES = 3
PANICKED = "the kernel panicked"
PANIC = ("Kernel panic", "end Kernel panic", "Attempted to kill init")


class Result:
    """.status of the case (None: never came to its end), .lines it printed, .why, .console."""

    def __init__(self):
        self.status, self.lines, self.why, self.console, self.seconds = None, [], "", "", 0.0

    def tail(self, count=40):
        return "\n".join(self.console.splitlines()[-count:])


def try_kvm(kernel):
    """Whether a kernel really begins to run: nested KVM often exists and dies on the way."""
    argv = [QEMU, "-machine", "q35", "-accel", "kvm", "-cpu", "host", "-m", "512", "-nodefaults",
            "-display", "none", "-no-reboot", "-serial", "stdio", "-kernel", kernel.image,
            "-append", "console=ttyS0 panic=-1"]
    qemu = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, start_new_session=True)
    deadline, seen = time.monotonic() + 15, b""
    os.set_blocking(qemu.stdout.fileno(), False)
    while time.monotonic() < deadline and b"internal error" not in seen:
        seen += qemu.stdout.read() or b""
        if b"Kernel panic" in seen or qemu.poll() is not None:   # without a root it has to panic
            break
        time.sleep(0.1)
    qemu.kill()
    qemu.communicate()
    return b"Kernel panic" in seen


def has_kvm(kernel):
    """The same, remembered until the host boots again."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as source:
        note = os.path.join(common.cache_dir("kvm"), source.read().strip())
    if not os.path.exists(note):
        verdict = "works" if try_kvm(kernel) else "fails"
        with open(note, "w", encoding="ascii") as out:
            out.write(verdict)
    with open(note, encoding="ascii") as source:
        return source.read() == "works"


def command(kernel, initrd, append, disks, cpus, memory, folder, single):
    kvm = has_kvm(kernel)
    argv = [QEMU, "-machine", "q35", "-m", str(memory), "-smp", str(cpus), "-nodefaults",
            "-display", "none", "-no-reboot", "-kernel", kernel.image, "-initrd", initrd,
            "-accel", "kvm" if kvm else f"tcg,thread={'single' if single else 'multi'}",
            "-cpu", "host" if kvm else CPU,
            "-serial", f"file:{folder}/console", "-serial", f"file:{folder}/results",
            "-append", " ".join(["console=ttyS0 quiet loglevel=4 panic=-1", QUICKER, *append])]
    for number, (path, writable) in enumerate(disks):
        # Nothing that a guest writes stays.
        argv += ["-drive", f"file={path},if=none,id=d{number},format=raw,cache=unsafe," +
                 ("snapshot=on" if writable else "readonly=on"),
                 "-device", f"virtio-blk-pci,drive=d{number}"]
    return argv


def die_with_parent(number=signal.SIGKILL):
    """Nobody waits for an emulator whose caller was killed."""
    ctypes.CDLL(None).prctl(1, number)   # PR_SET_PDEATHSIG


class Stream:
    """Complete lines of a growing file."""

    def __init__(self, path):
        self.path, self.offset, self.rest = path, 0, b""

    def lines(self):
        try:
            with open(self.path, "rb") as source:
                source.seek(self.offset)
                data = source.read()
        except FileNotFoundError:
            return []
        self.offset += len(data)
        *whole, self.rest = (self.rest + data).split(b"\n")
        return [line.decode("utf-8", "replace").rstrip("\r") for line in whole]


def run(argv, folder, timeout, say):
    """Start QEMU and read until the guest has switched itself off, or `timeout` seconds."""
    result, results, console = Result(), Stream(f"{folder}/results"), Stream(f"{folder}/console")
    began = time.monotonic()
    log = []
    # In a group of its own: an interrupt from the terminal reaches us first.
    qemu = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, start_new_session=True,
                            preexec_fn=die_with_parent)
    try:
        while True:
            over = qemu.poll() is not None
            for line in results.lines():
                if line.startswith("@vm exit "):
                    result.status = int(line.split()[2])
                else:
                    result.lines.append(line)
                    say(line)
            fresh = console.lines()
            log += fresh
            if any(word in line for line in fresh for word in PANIC):
                result.why = PANICKED
            if over:
                break
            result.seconds = time.monotonic() - began
            if result.seconds > timeout:
                result.why = f"not finished after {timeout} s"
                break
            time.sleep(0.05 if result.seconds < 60 else 0.3)
    finally:
        if qemu.poll() is None:
            os.killpg(qemu.pid, signal.SIGKILL)
        out = qemu.communicate()[0].decode("utf-8", "replace")
    result.console = "\n".join(log + [console.rest.decode("utf-8", "replace"), out])
    result.seconds = time.monotonic() - began
    if result.why:
        result.status = None
    elif result.status is None:
        result.why = "the machine stopped before its tests did"
    return result


def boot(kernel, initrd, append=(), disks=(), cpus=2, memory=1024, timeout=600, say=print,
         folder=None, single=False, again=None):
    """Run a machine in `folder` (a temporary directory of the caller); see Result.

    `single`: its CPUs are emulated in one thread, so that others can run beside it.  `again` is
    called when what was said so far does not count, because the machine has to start once more.
    """
    common.need(QEMU)
    kvm = has_kvm(kernel)
    for tries_left in range(TRIES - 1, -1, -1):
        for name in ("console", "results"):
            with open(os.path.join(folder, name), "wb"):
                pass
        argv = command(kernel, initrd, append, disks, cpus, memory, folder, single)
        with common.locked("machine", shared=single or kvm):
            result = run(argv, folder, timeout, say)
        if result.why:
            print(f"vm: {result.why}; the console's end:\n" +
                  "\n".join("    " + line for line in result.tail().splitlines()),
                  file=sys.stderr, flush=True)
        if result.why != PANICKED or kvm or not tries_left:
            break
        single = True
        print("vm: starting again, for it may be the emulator's fault", file=sys.stderr, flush=True)
        if again:
            again()
    return result


def report(result):
    """The exit status; a machine that did not come to its end is one more failure."""
    if result.status is None:
        counts = [re.match(r"(\d+) passed, (\d+) failed, (\d+) skipped$", line)
                  for line in result.lines]
        last = [match.groups() for match in counts if match][-1:] or [(0, 0, 0)]
        passed, failed, skipped = map(int, last[0])
        print(f"FAIL vm ({result.why})")
        print(f"{passed} passed, {failed + 1} failed, {skipped} skipped")
    print(f"vm: {result.seconds:.0f} s", file=sys.stderr)
    return 1 if result.status is None else result.status
