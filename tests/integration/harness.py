# SPDX-License-Identifier: Apache-2.0
"""The API of the integration tests.  Run them with run.py; see its --help.

A test is a function `test_something(t)` in a file test_*.py.  Its name states the promise that
is kept.  It runs as root in a process of its own, in a private mount namespace, with a temporary
directory `t.dir`, and fails by raising (plain `assert` is fine).

    @flavors("root", "rootless")   run it twice: the runtime is called as root and as an ordinary
                                   user (t.rootless tells which; files made through `t` belong
                                   to that user; t.uid/t.gid are its ids, t.subids its ranges)
    @timeout(600)                  instead of 300 seconds, which every test has
    @alone                         not while other tests run (load or timing matters)
    t.skip("reason")               reported with its reason
    t.needs("open_tree")           skip where the kernel, or that of --without, has no such call
    t.needs_own_memory_only()      skip where sanitizers or counters of coverage need memory, too

Bundles
    b = t.bundle(args=["sh", "-c", "true"], mutate=..., own_rootfs=False, rootless=None)
        .path  .config (dict; change it and call .save())  .id  .rootfs  .cgroup (cgroupsPath)
        mutate: a function that changes the config dict in place, or a dict that is merged
        (None deletes, lists replace).  rootless: True = single mapping, "ranges" = with
        subordinate ids; default: the flavor of the test.  rootfs: a directory to use instead.
        The config is the one `spec` writes, without a terminal.  The root file system holds
        busybox with all applets and /bin/probe (probe.c); it is hard-linked to the other tests'
        unless own_rootfs is set: do not write to existing files in place.

Calling the runtime (always with --root t.state_dir; output goes through files, so a detached
payload that keeps them open blocks nobody)
    r = t.rt("state", id, check=True, input=b"...", stdin=fd, stdout=fd, stderr=fd, env={...},
             pass_fds=[..], timeout=40, cwd=..., root=True)   -> .rc .out .err .code .pid (text)
        check: fail unless rc == 0.  `t.rt(..., check=False)` to look at failures.
        A command is given as the caller would type it: t.rt("--debug", "run", "-b", p, id).
    p = t.popen(...)                  same arguments, a subprocess.Popen, killed at the end
    t.fails(*args, has="text", code="CODE", ...)   must exit non-zero with one line on stderr
                                      holding `has`; docs/errors.md has the codes, which are not
                                      in .err but .code
    t.run_container(b, *opts)         foreground run -> result;  .probe = sections of /bin/probe
    t.create(b, *opts) t.start(x) t.state(x) t.kill(x, sig) t.delete(x, force=False)
        x is an id, a bundle or a result; create/run take id=...; all take check=...
    t.wait_status(x, "stopped", timeout=30)      t.pid(x)      t.wait_until(function, what)
    t.wait_running(x)                 the same, when a background `run` may not have begun yet
    t.probe(b_or_None, "fds", "status", ...)     run /bin/probe -> {"fds": [lines], ...}
    t.new_id()                        unique, has the prefix by which leaks are found
    t.runtime, t.argv(*args)          the binary, and the complete argument vector
    t.without("openat2")              from now on as if the kernel had no such call; see without.c

Terminals: t.pty(*args, rows=, cols=) runs the runtime on a pty; t.pty_argv([...]) any program;
t.console_socket(path=None) a listener; see terminals.py.

The host: t.host_snapshot(dir) -> dict, t.assert_untouched(dir, snapshot);  t.canary() a directory
outside of every rootfs that is checked at the end;  t.cgroup_dirs(x) -> {hierarchy: path};
t.assert_no_trace(x) no state directory, no cgroup;  t.mount(source, target, type, flags, data)
is undone at the end;  t.file(name, text), t.mkdir(name) below t.dir, owned by the test's user.

At the end of each test all containers are deleted by force; then a leftover process, cgroup,
mount or state directory fails the test ("leak").
"""

import inspect
import json
import os
import re
import signal
import subprocess
import sys
import time

import config as configs
import hostside
import terminals
from hostside import PATIENCE
from results import Result, fields, sections   # noqa: F401  pylint: disable=unused-import

SANITIZER = re.compile(r"ERROR: (Address|Leak)Sanitizer|\.c:\d+:\d+: runtime error:")
# What a compiler puts into a program that is built to be watched.
INSTRUMENTS = {b"__asan_init": "sanitizers", b"__llvm_prf_cnts": "counters of coverage",
               b"__gcov_": "counters of coverage"}
# Of those whose absence takes a promise away (docs/kernel-features.md): the numbers are the same on
# every architecture.
CALLS = {"open_tree": 428, "openat2": 437, "mount_setattr": 442,
         "statx": 332 if os.uname().machine == "x86_64" else 291}   # a number of its own there
ASK = ("import ctypes, errno; libc = ctypes.CDLL(None, use_errno=True); "
       "libc.syscall({}, -1, None, -1, None, 0); "
       "raise SystemExit(ctypes.get_errno() in (errno.ENOSYS, errno.EPERM))")
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Skip(Exception):
    """Raised by t.skip."""


def instruments(path):
    """Which the program at PATH was built with; none in an ordinary build, nor in a script."""
    with open(path, "rb") as program:
        content = program.read()
    return {name for mark, name in INSTRUMENTS.items() if mark in content}


def flavors(*names):
    def mark(function):
        function.flavors = names
        return function
    return mark


def timeout(seconds):
    def mark(function):
        function.timeout = seconds
        return function
    return mark


def alone(function):
    function.alone = True
    return function


class Bundle:
    """A directory with config.json, and the id under which it is to run."""

    def __init__(self, t, path, conf, rootfs):
        self.t, self.path, self.config, self.rootfs = t, path, conf, rootfs
        self.id = t.new_id()
        self.cgroup = conf.get("linux", {}).get("cgroupsPath")

    def save(self):
        self.t.file(os.path.join(self.path, "config.json"), json.dumps(self.config, indent=1))
        return self


class Test:
    """The `t` that a test gets."""

    def __init__(self, world, name, number, flavor):
        self.world, self.name, self.rootless = world, name, flavor == "rootless"
        self.runtime = world.runtime
        self.missing = world.without
        self.prefix = f"crun-test-{os.getpid()}-{number}"
        self.uid, self.gid = world.user if self.rootless else (os.geteuid(), os.getegid())
        self.subids = world.subids if self.rootless else None
        self.dir = os.path.join(world.dir, f"t{number}")
        self.counter = 0
        self.cgroup_parents = {self.prefix}
        self.children, self.ptys, self.sockets, self.canaries = [], [], [], []
        self.made_mounts = []
        os.mkdir(self.dir, 0o755)
        os.chown(self.dir, self.uid, self.gid)
        self.state_dir = self.mkdir("state", 0o700)
        self.run_dir = self.mkdir("xdg", 0o700)
        self.mounts_before = set(hostside.mount_table())

    # ---- small things -------------------------------------------------------------------

    def skip(self, reason):
        raise Skip(reason)

    def needs_linux(self, major, minor, what):
        if hostside.kernel() < (major, minor):
            self.skip(f"{what}: Linux {major}.{minor} and newer")

    def need_controllers(self, *names):
        for name in names:
            if not hostside.has_controller(name):
                self.skip(f"the kernel has no cgroup controller {name} in this layout")

    def new_id(self):
        self.counter += 1
        return f"{self.prefix}-{self.counter}"

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def mkdir(self, name, mode=0o755):
        path = self.path(name)
        os.makedirs(path, exist_ok=True)
        os.chmod(path, mode)
        os.chown(path, self.uid, self.gid)
        return path

    def file(self, name, text="", mode=0o644):
        path = self.path(name)
        with open(path, "wb") as out:
            out.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(path, mode)
        os.chown(path, self.uid, self.gid)
        return path

    def log(self, *words):
        print(*words, file=sys.stderr, flush=True)

    def wait_until(self, function, what="condition", timeout=30):
        deadline = time.monotonic() + timeout * PATIENCE
        while True:
            value = function()
            if value:
                return value
            assert time.monotonic() < deadline, f"timed out waiting for {what}"
            time.sleep(0.01 * PATIENCE)

    # ---- bundles ------------------------------------------------------------------------

    def bundle(self, args=None, rootfs=None, mutate=None, rootless=None, own_rootfs=False):
        self.counter += 1
        path = self.mkdir(f"b{self.counter}")
        if isinstance(args, str):
            args = ["sh", "-c", args]
        conf = configs.base(args or ["true"], f"/{self.prefix}/c{self.counter}")
        rootless = self.rootless if rootless is None else rootless
        if rootless:
            ranges = None
            if rootless == "ranges":
                ranges = self.subids or self.skip("no subordinate ids for the test user")
            conf = configs.rootless(conf, self.uid, self.gid, ranges)
        if rootfs is None:
            rootfs = os.path.join(path, "rootfs")
            self.world.clone_rootfs(rootfs, own_rootfs, (self.uid, self.gid))
        else:
            conf["root"]["path"] = rootfs
        if callable(mutate):
            mutate(conf)
        elif mutate:
            configs.merge(conf, mutate)
        return Bundle(self, path, conf, rootfs).save()

    # ---- the runtime --------------------------------------------------------------------

    def argv(self, *args, root=True):
        head = [self.runtime] + (["--root", self.state_dir] if root else [])
        return self.launcher() + head + [str(a) for a in args]

    def without(self, calls):
        """From now on the runtime runs on a "kernel" without CALLS, as run.py --without does it."""
        self.missing = calls

    def has(self, call):
        """Whether the kernel on which the runtime runs has CALL, a key of CALLS."""
        argv = self.launcher(as_user=False) + [sys.executable, "-c", ASK.format(CALLS[call])]
        return subprocess.run(argv, check=False).returncode == 0

    def needs(self, call):
        if not self.has(call):
            self.skip(f"{call} is missing: see docs/kernel-features.md")

    def needs_own_memory_only(self):
        for name in instruments(self.runtime):
            self.skip(f"the runtime was built with {name}, whose memory counts as the container's")

    def launcher(self, as_user=True):
        """The filter is loaded by root even for an ordinary user: newuidmap must keep working."""
        if not self.missing:
            return []
        error, _colon, calls = self.missing.rpartition(":")
        head = [self.world.launcher] + (["--errno", error] if error else [])
        if as_user and self._identity():
            head += ["--user", f"{self.uid}:{self.gid}"]
        return head + [calls]

    def environment(self, env=None):
        base = {"PATH": DEFAULT_PATH, "HOME": self.dir, "LC_ALL": "C", "CRUN_SELF_AUDIT": "1"}
        for name, value in os.environ.items():   # what sanitizer builds and coverage need
            if name.startswith(("ASAN_", "UBSAN_", "LSAN_", "LLVM_", "GCOV_")):
                base[name] = value
        if self.rootless:
            base["XDG_RUNTIME_DIR"] = self.run_dir
        base.update(env or {})
        return {k: v for k, v in base.items() if v is not None}

    def _identity(self):
        if self.rootless and os.geteuid() == 0:
            return {"user": self.uid, "group": self.gid, "extra_groups": []}
        return {}

    def popen(self, *args, env=None, root=True, only_env=None, argv=None, **kwargs):
        """Start the runtime (or `argv`) as the user of this flavor."""
        argv = argv or self.argv(*args, root=root)
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        if argv[0] != self.world.launcher:
            kwargs = dict(self._identity(), **kwargs)
        child = subprocess.Popen(
            argv, env=self.environment(env) if only_env is None else only_env, **kwargs)
        self.children.append(child)
        return child

    def rt(self, *args, check=True, input=None, timeout=40, id=None, **kwargs):
        self.counter += 1
        out_path, err_path = (self.path(f".{self.counter}.{n}") for n in ("out", "err"))
        for path in (out_path, err_path):
            self.file(path)
        if input is not None:
            kwargs["stdin"] = subprocess.PIPE
        with open(out_path, "r+b") as out, open(err_path, "r+b") as err:
            kwargs.setdefault("stdout", out)
            kwargs.setdefault("stderr", err)
            child = self.popen(*args, **kwargs)
        try:
            child.communicate(input, timeout=timeout * PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            raise AssertionError(f"timed out after {timeout} s: {child.args}") from None
        self.children.remove(child)
        rc = child.returncode if child.returncode >= 0 else 128 - child.returncode
        result = Result(child.args, rc, out_path, err_path, id, child.pid)
        self.log("+", result)
        assert not SANITIZER.search(result.err), f"found by a sanitizer: {result.err}"
        if check:
            assert rc == 0, result
        return result

    def fails(self, *args, has="", code=None, **kwargs):
        """The command must fail and say why; returns the result."""
        result = self.rt(*args, check=False, **kwargs)
        assert result.rc != 0, f"must fail: {result}"
        assert result.rc < 128, f"must fail, not die: {result}"
        assert result.err.strip(), f"failed without a word: {result}"
        for text in [has] if isinstance(has, str) else has:
            assert text in result.err, f"no {text!r} in: {result}"
        # Other runtimes have no codes; that ours always shows one is test_error_codes.py's matter.
        assert not code or result.code in (None, code), f"code {result.code}, not {code}: {result}"
        return result

    @staticmethod
    def id_of(thing):
        return thing if isinstance(thing, str) else thing.id

    def run_container(self, bundle, *opts, id=None, **kwargs):
        id = id or bundle.id
        return self.rt("run", "--bundle", bundle.path, *opts, id, id=id, **kwargs)

    def create(self, bundle, *opts, id=None, **kwargs):
        id = id or bundle.id
        return self.rt("create", "--bundle", bundle.path, *opts, id, id=id, **kwargs)

    def start(self, thing, **kwargs):
        return self.rt("start", self.id_of(thing), **kwargs)

    def state(self, thing):
        result = self.rt("state", self.id_of(thing))
        assert result.err == "", result
        return json.loads(result.out)

    def pid(self, thing):
        return self.state(thing)["pid"]

    def kill(self, thing, *signal_name, opts=(), **kwargs):
        return self.rt("kill", *opts, self.id_of(thing), *signal_name, **kwargs)

    def delete(self, thing, force=False, **kwargs):
        opts = ["--force"] if force else []
        return self.rt("delete", *opts, self.id_of(thing), **kwargs)

    def wait_status(self, thing, status, timeout=30):
        return self.wait_until(lambda: self.state(thing)["status"] == status,
                               f"status {status}", timeout)

    def wait_running(self, thing, timeout=30):
        """For a `run` in the background, of which `state` may not know anything yet."""
        def running():
            result = self.rt("state", self.id_of(thing), check=False)
            return result.rc == 0 and json.loads(result.out)["status"] == "running"
        return self.wait_until(running, "the container to run", timeout)

    def probe(self, bundle, *what, **kwargs):
        bundle = bundle or self.bundle()
        bundle.config["process"]["args"] = ["/bin/probe"] + list(what)
        bundle.save()
        return self.run_container(bundle, **kwargs).probe

    # ---- terminals ----------------------------------------------------------------------

    def pty_argv(self, argv, env=None, **kwargs):
        def drop():
            if self._identity() and argv[0] != self.world.launcher:
                os.setgroups([])
                os.setgid(self.gid)
                os.setuid(self.uid)
        pty = terminals.Pty(argv, env=self.environment(env), setup=drop, **kwargs)
        os.fchown(pty.slave, self.uid, -1)
        self.ptys.append(pty)
        return pty

    def pty(self, *args, **kwargs):
        return self.pty_argv(self.argv(*args), **kwargs)

    def console_socket(self, path=None, **kwargs):
        self.counter += 1
        path = path or self.path(f"console{self.counter}.sock")
        sock = terminals.ConsoleSocket(path, owner=(self.uid, self.gid), **kwargs)
        self.sockets.append(sock)
        return sock

    # ---- the host -----------------------------------------------------------------------

    def mount(self, source, target, fstype=None, flags=0, data=None):
        hostside.mount(source, target, fstype, flags, data)
        self.made_mounts.append(target)

    def host_snapshot(self, top):
        return hostside.snapshot(top)

    def assert_untouched(self, top, before):
        lines = hostside.difference(before, hostside.snapshot(top))
        assert not lines, f"{top} was touched:\n" + "\n".join(lines)

    def canary(self):
        """A directory (.path is its name) that nothing may read from or write to."""
        self.counter += 1
        path = self.mkdir(f"canary{self.counter}")
        self.file(os.path.join(path, "file"), "canary\n")
        os.mkdir(os.path.join(path, "dir"))
        self.canaries.append((path, hostside.snapshot(path)))
        return path

    def cgroup_dirs(self, thing):
        """Hierarchy name -> existing directory of this container."""
        names = {self.id_of(thing)}
        if isinstance(thing, Bundle):
            names = {(thing.cgroup or "/" + thing.id).lstrip("/")}
        own, found = hostside.own_cgroups(), {}
        for hierarchy, point in hostside.cgroup_mounts().items():
            for base in ("/", f"/{self.prefix}/", own.get(hierarchy, "/") + "/"):
                for name in names:
                    path = os.path.normpath(point + base + name)
                    if os.path.isdir(path):
                        found[hierarchy] = path
        return found

    def state_entries(self):
        try:
            return sorted(e for e in os.listdir(self.state_dir) if not e.startswith("."))
        except FileNotFoundError:
            return []

    def assert_no_trace(self, thing):
        assert self.id_of(thing) not in self.state_entries(), self.state_entries()
        left = self.cgroup_dirs(thing)
        assert not left, f"cgroups left: {left}"

    # ---- the end ------------------------------------------------------------------------

    def finish(self):
        """Stop everything the test started, remove its containers; the list of leaks."""
        for pty in self.ptys:
            pty.close()
        for sock in self.sockets:
            sock.close()
        for child in self.children:
            if child.poll() is None:
                hostside.kill_tree(child.pid)
                child.wait()
        leaks = []
        for id in self.state_entries():
            if os.path.isdir(os.path.join(self.state_dir, id)):
                result = self.rt("delete", "--force", id, check=False)
                if result.rc != 0:
                    leaks.append(f"cannot delete {id}: {result.err.strip()}")
        leaks += self.left_processes() + self.left_cgroups() + self.left_mounts()
        leaks += [f"state: {e}" for e in self.state_entries()]
        for path, before in self.canaries:
            leaks += [f"canary {line}" for line in
                      hostside.difference(before, hostside.snapshot(path))]
        return leaks + self.changed_devices()

    @staticmethod
    def changed_devices():
        """The host's own nodes, which runtimes have chowned by mistake (runc#3674)."""
        changed = []
        for path in ("/dev/null", "/dev/zero", "/dev/tty"):
            info = os.stat(path)
            if info.st_uid != 0 or info.st_mode & 0o777 != 0o666:
                changed.append(f"host: {path} has owner {info.st_uid}, mode {info.st_mode:o}")
        return changed

    def left_processes(self):
        deadline = time.monotonic() + 10 * PATIENCE
        while True:
            hostside.reap()
            below = hostside.descendants(os.getpid())
            if not below:
                return []
            if time.monotonic() > deadline:
                hostside.kill_tree(os.getpid(), with_root=False)
                hostside.reap()
                return [f"process {pid} ({name}, {state})"
                        for pid, (state, name) in below.items()]
            time.sleep(0.01 * PATIENCE)

    def left_cgroups(self):
        """The parent that all containers of a test share may stay; nothing below it may."""
        leaks = []
        for top in hostside.find_cgroups(self.prefix):
            tree = hostside.cgroup_tree(top)
            parent = os.path.basename(top) in self.cgroup_parents
            leaks += [f"cgroup {path}" for path in tree if not (parent and path == top)]
            hostside.remove_cgroup(top)
        return leaks

    def left_mounts(self):
        for target in reversed(self.made_mounts):
            try:
                hostside.umount(target)
            except OSError:
                pass
        leaks = []
        table = hostside.mount_table()
        for number in sorted(set(table) - self.mounts_before, reverse=True):
            point = table[number][0]
            leaks.append(f"mount {point} ({table[number][1]})")
            try:
                hostside.umount(point)
            except OSError:
                pass
        return leaks


def tests_in(module):
    """The tests of a module in source order."""
    found = [(name, f) for name, f in vars(module).items()
             if name.startswith("test_") and inspect.isfunction(f)]
    return sorted(found, key=lambda item: item[1].__code__.co_firstlineno)


def one_json_line(path):
    """The single JSON object of a log file."""
    with open(path, encoding="utf-8") as source:
        lines = source.read().split("\n")
    assert lines[-1] == "" and len(lines) == 2, lines
    return json.loads(lines[0])


def rfc3339(text):
    pattern = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)"
    return bool(re.fullmatch(pattern, text))


def sigdesc(number):
    return signal.Signals(number).name
