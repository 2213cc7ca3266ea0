# SPDX-License-Identifier: Apache-2.0
"""Pseudo terminals and console sockets for the tests."""

import array
import fcntl
import os
import re
import select
import signal
import socket
import struct
import termios
import time

from hostside import PATIENCE


def set_winsize(fd, rows, cols):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))


def get_winsize(fd):
    return struct.unpack("HHHH", fcntl.ioctl(fd, termios.TIOCGWINSZ, b"\0" * 8))[:2]


class Pty:
    """A program running in its own session with a pty as controlling terminal and stdio.

    .send(bytes)  .expect(regex, timeout) -> match  .read(timeout)  .wait(timeout) -> status
    .resize(rows, cols)  .attrs() (termios of the terminal)  .buffer (everything not yet matched)
    .log (everything that arrived)  .pid  .close()
    """

    def __init__(self, argv, rows=24, cols=80, env=None, setup=None, stdin=None, stdout=None):
        self.master, self.slave = os.openpty()
        set_winsize(self.slave, rows, cols)
        self.buffer = b""
        self.log = b""
        self.status = None
        self.argv = argv
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.setsid()
                fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
                os.dup2(self.slave if stdin is None else stdin, 0)
                os.dup2(self.slave if stdout is None else stdout, 1)
                os.dup2(self.slave, 2)
                os.closerange(3, 4096)
                for sig in (signal.SIGPIPE, signal.SIGINT, signal.SIGTTOU):
                    signal.signal(sig, signal.SIG_DFL)
                if setup:
                    setup()
                os.execvpe(argv[0], argv, env or os.environ)
            except BaseException as err:   # pylint: disable=broad-except
                os.write(2, f"pty child: {err}\n".encode())
            finally:
                os._exit(126)
        os.set_blocking(self.master, False)

    def send(self, data):
        """Write everything, reading meanwhile so that neither side can block the other."""
        while data:
            select.select([], [self.master], [], 0.2)
            try:
                data = data[os.write(self.master, data):]
            except BlockingIOError:
                self._pull(0.05)

    def _pull(self, timeout):
        ready, _w, _x = select.select([self.master], [], [], timeout)
        if not ready:
            return False
        try:
            data = os.read(self.master, 65536)
        except (OSError, BlockingIOError):
            return False
        self.buffer += data
        self.log += data
        return bool(data)

    def expect(self, pattern, timeout=30):
        """Wait until `pattern` matches; consume through the end of the match."""
        regex = re.compile(pattern if isinstance(pattern, bytes) else pattern.encode(), re.S)
        deadline = time.monotonic() + timeout * PATIENCE
        while True:
            match = regex.search(self.buffer)
            if match:
                self.buffer = self.buffer[match.end():]
                return match
            if time.monotonic() > deadline:
                raise AssertionError(f"no {pattern!r} from {self.argv}: got {self.log[-2000:]!r}")
            self._pull(0.05)

    def read(self, timeout=0.2):
        """Everything that arrives until the line has been quiet for `timeout` seconds."""
        while self._pull(timeout):
            pass
        data, self.buffer = self.buffer, b""
        return data

    def wait(self, timeout=30):
        """Exit status as a shell shows it (128 + signal), reading output meanwhile."""
        deadline = time.monotonic() + timeout * PATIENCE
        while self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                code = os.waitstatus_to_exitcode(status)
                self.status = code if code >= 0 else 128 - code
                break
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.argv} did not exit; output {self.log[-2000:]!r}")
            self._pull(0.02)
        while self._pull(0.05):
            pass
        return self.status

    def resize(self, rows, cols):
        """Set the size; the kernel sends SIGWINCH to the foreground process group."""
        set_winsize(self.master, rows, cols)

    def attrs(self):
        return termios.tcgetattr(self.slave)

    def is_raw(self):
        """No echo and no line editing: what a proxy must set on the outer terminal."""
        return not self.attrs()[3] & (termios.ECHO | termios.ICANON)

    def kill(self, sig=signal.SIGKILL):
        os.kill(self.pid, sig)

    def close(self):
        if self.status is None:
            try:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass
        for fd in (self.master, self.slave):
            try:
                os.close(fd)
            except OSError:
                pass


class ConsoleSocket:
    """A listener for `--console-socket`. .path  .accept(timeout) -> (data, [fds])"""

    def __init__(self, path, owner=None, backlog=5):
        self.path = path
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        where = os.open(os.path.dirname(path), os.O_PATH)
        try:   # the directory by number, because the name may exceed sun_path
            self.sock.bind(f"/proc/self/fd/{where}/{os.path.basename(path)}")
        finally:
            os.close(where)
        if owner:
            os.chown(path, *owner)
        self.sock.listen(backlog)

    def accept(self, timeout=10):
        self.sock.settimeout(timeout)
        conn, _peer = self.sock.accept()
        conn.settimeout(timeout)
        fds = array.array("i")
        with conn:
            data, ancillary, flags, _addr = conn.recvmsg(4096, socket.CMSG_SPACE(8 * 4))
        for level, kind, payload in ancillary:
            assert (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS), (level, kind)
            fds.frombytes(payload[:len(payload) - len(payload) % fds.itemsize])
        assert not flags & socket.MSG_CTRUNC, "more control data than one message may carry"
        return data, list(fds)

    def close(self):
        self.sock.close()


def read_master(fd, until, timeout=30):
    """Read a pty master until the regex `until` (bytes) matches; the bytes read."""
    data = b""
    deadline = time.monotonic() + timeout * PATIENCE
    while not re.search(until, data, re.S):
        if time.monotonic() > deadline:
            raise AssertionError(f"no {until!r} on the console: {data!r}")
        ready, _w, _x = select.select([fd], [], [], 0.1)
        if ready:
            try:
                chunk = os.read(fd, 65536)
            except OSError:   # EIO: the last slave is closed
                chunk = b""
            if not chunk and not re.search(until, data, re.S):
                raise AssertionError(f"console closed before {until!r}: {data!r}")
            data += chunk
    return data
