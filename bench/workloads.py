# SPDX-License-Identifier: Apache-2.0
"""What bench/run measures: for each workload the commands of one sample, and what they need around them."""
import contextlib
import json
import os
import shutil
import subprocess

from machine import DEADLINE, Workshop, call, first_line, mount, umount
from runtimes import HERE, Failed

PROFILE = os.path.join(os.path.dirname(HERE), "tests/unit/host/seccomp_profile.json")
# Of the user in the files of make_user(); not in those of the machine.
USER, SUBIDS = 54321, (200000, 65535)


class Sample:
    """Commands between two readings of the clock, driver options, containers made, and as whom."""

    def __init__(self, *steps, options=(), count=1, root=None, user=None):
        self.steps, self.options, self.count = steps, options, count
        self.root, self.user = root, user


class Workload:
    def __init__(self, name, meaning, sample, unit="µs", share=1.0, group=None, keeper=False,
                 floor=False):
        self.name, self.meaning, self.sample, self.unit = name, meaning, sample, unit
        self.share = share    # of the rounds
        self.group = group    # needs what group() sets up: is measured in rounds of its own
        self.keeper = keeper  # needs a container that sleeps
        self.floor = floor    # the floor program can do it


# --- configurations -------------------------------------------------------------------------


def with_seccomp(config):
    with open(PROFILE, encoding="utf-8") as f:
        profile = json.load(f)["linux"]["seccomp"]
    profile.pop("flags", None)
    config["linux"]["seccomp"] = profile


def rootless(config, ranges):
    linux = config["linux"]
    linux["namespaces"].append({"type": "user"})
    for key in ("uidMappings", "gidMappings"):
        linux[key] = [{"containerID": 0, "hostID": USER, "size": 1}]
        if ranges:
            linux[key].append({"containerID": 1, "hostID": SUBIDS[0], "size": SUBIDS[1]})
    # Nothing is delegated to the user, and nobody may filter devices.
    linux.pop("resources", None)
    for entry in config["mounts"]:
        if entry["type"] == "devpts" and not ranges:
            entry["options"].remove("gid=5")


def with_binds(config, bundle, count):
    source = os.path.join(bundle, "source")
    os.mkdir(source)
    for number in range(count):
        os.makedirs(os.path.join(bundle, f"rootfs/volumes/{number}"))
        config["mounts"].append({"destination": f"/volumes/{number}", "type": "bind",
                                 "source": source, "options": ["rbind", "ro", "nosuid"]})


def make_user(shop):
    """A user with subordinate ids, in files of our own over those of the machine: needs private mounts."""
    line = f"crunbench:{SUBIDS[0]}:{SUBIDS[1]}\n"
    files = {"passwd": f"crunbench:x:{USER}:{USER}::/:/bin/sh\n", "group": f"crunbench:x:{USER}:\n",
             "subuid": line, "subgid": line}
    for name, text in files.items():
        there, ours = f"/etc/{name}", shop.path("etc-" + name)
        if not os.path.exists(there):
            raise Failed(f"{there} is missing, over which one with a user could be mounted")
        shutil.copy(there, ours)
        with open(ours, "a", encoding="ascii") as f:
            f.write(text)
        mount(ours, there, None, 0x1000)


# --- groups: what must be there while some workloads are measured ----------------------------


@contextlib.contextmanager
def as_user(bench):
    make_user(bench.shop)
    for runtime in bench.runtimes:
        runtime.user_root = os.path.join(bench.shop.runs, runtime.name + "-user")
        os.mkdir(runtime.user_root, 0o700)
        os.chown(runtime.user_root, USER, USER)
    os.chmod(bench.shop.runs, 0o711)
    try:
        yield
    finally:
        for name in ("passwd", "group", "subuid", "subgid"):
            # Whoever replaces the file, useradd say, takes our mount away with it.
            with contextlib.suppress(Failed):
                umount(f"/etc/{name}")


@contextlib.contextmanager
def many_mounts(bench):
    top = bench.shop.path("mounts")
    os.mkdir(top)
    mount("tmpfs", top, "tmpfs")
    try:
        os.mkdir(f"{top}/source")
        for number in range(bench.many(10000)):
            os.mkdir(f"{top}/{number}")
            mount(f"{top}/source", f"{top}/{number}", None, 0x1000)
        yield
    finally:
        umount(top)


@contextlib.contextmanager
def many_containers(bench):
    """Stopped ones: living ones of some runtimes would fill the memory. They go with their directories."""
    count = bench.many(1000)
    for runtime in bench.runtimes:
        if runtime.is_floor:
            continue
        runtime.many_root = os.path.join(bench.shop.runs, runtime.name + "-many")
        os.mkdir(runtime.many_root, 0o700)
        head = [runtime.path, "--root", runtime.many_root]
        steps = (head + ["create", "--bundle", bench.bundle("true"), "@"], head + ["start", "@"],
                 ["+reap"])
        bench.say(f"{count} containers of {runtime.name}")
        try:
            bench.drive(Sample(*steps, options=["-n", str(count)], count=count), bench.shop.new_id())
        except Failed as e:
            bench.notes.append(f"{runtime.name}: only a part of {count} containers: {e}")
    yield


GROUPS = {"user": as_user, "mounts": many_mounts, "containers": many_containers}
# Those that change mounts, which is only done where nobody else sees it.
PRIVATE = ("user", "mounts")


# --- samples --------------------------------------------------------------------------------


def command(runtime, *words):
    return [runtime.path, "--root", runtime.root, *words]


def run_of(bundle, **more):
    return lambda bench, runtime: Sample(
        command(runtime, "run", "--bundle", bench.bundle(bundle), "@"), **more)


def life(bench, runtime):
    return Sample(command(runtime, "create", "--bundle", bench.bundle("true"), "@"),
                  command(runtime, "start", "@"), ["+reap"], command(runtime, "delete", "@"))


def seccomp_cold(bench, runtime):
    """Whatever a runtime keeps lies below its root: a new one, made before the clock starts."""
    root = os.path.join(bench.shop.runs, "cold-" + bench.shop.new_id())
    os.mkdir(root, 0o700)
    bench.cold_roots.append(root)
    return Sample([runtime.path, "--root", root, "run", "--bundle", bench.bundle("seccomp"), "@"],
                  root=root)


def user_run(bundle):
    return lambda bench, runtime: Sample(
        [runtime.path, "--root", runtime.user_root, "run", "--bundle", bench.bundle(bundle), "@"],
        root=runtime.user_root, user=USER)


def on_keeper(*words, reap=False):
    """WORDS, where "ID" is the sleeping container."""
    def sample(_bench, runtime):
        steps = [command(runtime, *(runtime.keeper if w == "ID" else w for w in words))]
        return Sample(*steps, *([["+reap"]] if reap else []))
    return sample


def list_many(_bench, runtime):
    return Sample([runtime.path, "--root", runtime.many_root, "list"])


TIMED = [
    Workload("run", "one `run` of the reference bundle", run_of("true"), floor=True),
    Workload("create+start+delete", "the three commands and the container's end between them", life),
    Workload("100 sequential", "100 `run`s in a row, per container",
             run_of("true", options=["-n", "100"], count=100), "µs each", 0.1, floor=True),
    Workload("20 parallel", "20 `run`s at once, per container",
             run_of("true", options=["-n", "20", "-p", "20"], count=20), "µs each", 0.25, floor=True),
    Workload("run seccomp warm", "`run` with the rules of Docker's default profile, not for the first time",
             run_of("seccomp")),
    Workload("run seccomp cold", "the same in a state root that was never used", seccomp_cold),
    Workload("run 500 binds", "`run` with 500 bind mounts", run_of("binds"), share=0.25),
    Workload("state", "`state` of a running container", on_keeper("state", "ID"), keeper=True),
    Workload("kill 0", "`kill ID 0` of a running container", on_keeper("kill", "ID", "0"), keeper=True),
    Workload("exec", "`exec ID /bin/true` in a running container",
             on_keeper("exec", "ID", "/bin/true"), keeper=True),
    Workload("exec --detach", "the same detached, and the end of its process",
             on_keeper("exec", "--detach", "ID", "/bin/true", reap=True), keeper=True),
    Workload("--version", "the start of the program itself",
             lambda _bench, runtime: Sample([runtime.path, "--version"]), floor=True),
    Workload("run rootless", "`run` as a user, whose own id alone is mapped", user_run("single"),
             group="user"),
    Workload("run rootless ranges", "`run` as a user, with newuidmap and newgidmap",
             user_run("ranges"), group="user"),
    Workload("run 10,000 mounts", "`run` on a host with 10,000 mounts", run_of("true"), share=0.5,
             group="mounts", floor=True),
    Workload("list 1,000", "`list` of 1,000 stopped containers", list_many, share=0.25,
             group="containers"),
]

BUNDLES = {
    "true": None,
    "sleep": None,
    "seccomp": lambda config, _path, _bench: with_seccomp(config),
    "binds": lambda config, path, bench: with_binds(config, path, bench.many(500)),
    "single": lambda config, _path, _bench: rootless(config, False),
    "ranges": lambda config, _path, _bench: rootless(config, True),
}


def make_bundle(bench, name):
    args = ["/bin/sleep", "86400"] if name == "sleep" else ["/bin/true"]
    change = BUNDLES[name]
    path = bench.shop.path(name)
    return bench.shop.make_bundle(name, args, change and (lambda c: change(c, path, bench)))


# --- a container that state and exec are measured on ----------------------------------------


def start_keeper(bench, runtime):
    name = bench.shop.new_id()
    # Pipes would stay open for as long as the container lives.
    log = bench.shop.path("keeper")
    with open(log, "w", encoding="utf-8") as f:
        done = subprocess.run(
            command(runtime, "create", "--bundle", bench.bundle("sleep"), name),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=f, timeout=DEADLINE,
            check=False)
    if done.returncode:
        with open(log, encoding="utf-8", errors="replace") as f:
            said = f.read()
        bench.shop.remove_containers(runtime, name)
        raise Failed(first_line(said))
    runtime.keeper = name
    state = call(command(runtime, "state", name))
    started = call(command(runtime, "start", name))
    try:
        runtime.keeper_pid = int(json.loads(state.stdout)["pid"])
    except (ValueError, KeyError):
        raise Failed(f"state printed no pid: {first_line(state.stderr)}") from None
    if started.returncode:
        raise Failed(first_line(started.stderr))


def stop_keeper(bench, runtime):
    name, pid = runtime.keeper, runtime.keeper_pid
    runtime.keeper = runtime.keeper_pid = None
    call(command(runtime, "kill", name, "KILL"))
    if pid:
        Workshop.wait_for(pid)
    call(command(runtime, "delete", "--force", name))
    bench.shop.remove_cgroups(name)
