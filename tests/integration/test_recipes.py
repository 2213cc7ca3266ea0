# SPDX-License-Identifier: Apache-2.0
"""What engines do that has no other place: cgroup path forms, managers, keyring, --no-pivot."""

import os

import hostside
from harness import flavors
from test_lifecycle import SLEEP, running


def cgroup_lines(pid):
    with open(f"/proc/{pid}/cgroup", encoding="ascii") as source:
        return source.read().splitlines()


def own_path(t, path, *global_options):
    """Create with this cgroupsPath; the paths that init is in, without those of our own."""
    bundle = t.bundle(SLEEP, mutate={"linux": {"cgroupsPath": path}})
    bundle.cgroup = path
    t.rt(*global_options, "create", "-b", bundle.path, bundle.id)
    pid = t.pid(bundle)
    found = {line.split(":", 2)[2] for line in cgroup_lines(pid)}
    return bundle, found - set(hostside.own_cgroups().values()) - {"/"}


def test_recipe_14_half_a_megabyte_is_enough_to_start(t):
    t.needs_own_memory_only()
    bundle = t.bundle(SLEEP, mutate={"linux": {"resources": {"memory": {"limit": 512000}}}})
    t.create(bundle)
    t.start(bundle)
    assert t.state(bundle)["status"] == "running"


def test_recipe_15_colons_in_a_path_are_a_plain_directory_name(t):
    path = f"system.slice:{t.prefix}:x"
    bundle, found = own_path(t, path)
    assert found == {"/" + path}, found
    assert t.cgroup_dirs(bundle)
    t.delete(bundle, force=True)
    assert not t.cgroup_dirs(bundle)


def test_relative_cgroup_path_starts_at_the_root(t):
    _bundle, found = own_path(t, f"{t.prefix}/relative")
    assert found == {f"/{t.prefix}/relative"}, found


def test_empty_cgroup_path_gives_one_that_names_the_container(t):
    bundle, found = own_path(t, "")
    assert len(found) == 1 and found.pop().endswith(bundle.id), found
    t.delete(bundle, force=True)
    assert hostside.find_cgroups(bundle.id) == []


def test_cgroup_path_does_not_lead_upwards(t):
    name = f"{t.prefix}-up"
    bundle = t.bundle(SLEEP, mutate={"linux": {"cgroupsPath": f"/{t.prefix}/../../../{name}"}})
    result = t.create(bundle, check=False)
    if result.rc == 0:
        found = cgroup_lines(t.pid(bundle))
        assert any(line.endswith(f"/{name}") for line in found), found
        t.delete(bundle, force=True)
    assert hostside.find_cgroups(name) == []


class Jail:
    """A cgroup of our own to call the runtime from: a mistake must not reach the machine's."""

    def __init__(self, t):
        self.paths = []
        for point in hostside.cgroup_mounts().values():
            path = os.path.join(point, t.prefix + "-jail")
            os.mkdir(path)
            self.paths.append(path)
            for name in ("cpuset.mems", "cpuset.cpus"):
                if os.path.exists(os.path.join(path, name)) and "cpuset" in point:
                    with open(os.path.join(point, name), encoding="ascii") as source:
                        value = source.read()
                    with open(os.path.join(path, name), "w", encoding="ascii") as out:
                        out.write(value)

    def enter(self):
        for path in self.paths:
            with open(os.path.join(path, "cgroup.procs"), "w", encoding="ascii") as out:
                out.write("0")

    def close(self):
        for path in self.paths:
            os.rmdir(path)   # fails if it was removed already, or is still in use


def test_disabled_manager_stays_in_the_callers_cgroup(t):
    jail = Jail(t)
    inside = t.popen(argv=["sleep", "1000"], preexec_fn=jail.enter)
    for path in (None, "/" + t.prefix + "/ignored"):
        bundle = t.bundle(SLEEP, mutate={"linux": {"cgroupsPath": path, "resources": None}})
        t.rt("--cgroup-manager", "disabled", "create", "-b", bundle.path, bundle.id,
             preexec_fn=jail.enter)
        lines = cgroup_lines(t.pid(bundle))
        assert lines == cgroup_lines(inside.pid), lines
        t.start(bundle)   # without the option: what create did is remembered
        t.kill(bundle, "KILL")
        t.wait_status(bundle, "stopped")
        t.delete(bundle)
        assert hostside.find_cgroups(t.prefix) == sorted(jail.paths)
    inside.kill()
    inside.wait()
    hostside.reap()
    jail.close()


def test_disabled_manager_kills_nobody_else(t):
    jail = Jail(t)
    bystander = t.popen(argv=["sleep", "1000"], preexec_fn=jail.enter)
    bundle = t.bundle(SLEEP, mutate={"linux": {"cgroupsPath": None, "resources": None}})
    t.rt("--cgroup-manager=disabled", "run", "-d", "-b", bundle.path, bundle.id,
         preexec_fn=jail.enter)
    t.kill(bundle, "KILL", opts=["--all"], check=False)
    t.delete(bundle, force=True)
    assert bystander.poll() is None, "a process of somebody else was killed"
    bystander.kill()
    bystander.wait()
    hostside.reap()
    jail.close()


def test_systemd_manager_without_systemd_fails_cleanly(t):
    if os.path.isdir("/run/systemd/system"):
        t.skip("systemd runs here")
    bundle = t.bundle(SLEEP, mutate={"linux": {"cgroupsPath": f"system.slice:{t.prefix}:x"}})
    t.fails("--systemd-cgroup", "create", "-b", bundle.path, bundle.id, has="systemd")
    t.assert_no_trace(bundle)
    assert hostside.find_cgroups(t.prefix) == []


def test_recipe_12_empty_environment_rootful(t):
    bundle = t.bundle(SLEEP)
    t.create(bundle)
    for args in (["start", bundle.id], ["kill", bundle.id, "9"], ["delete", "--force", bundle.id]):
        result = t.rt(*args, only_env={"XDG_RUNTIME_DIR": ""})
        assert result.out == result.err == "", result


@flavors("rootless")
def test_recipe_12_runtime_dir_only_rootless(t):
    bundle, env = t.bundle(SLEEP), {"XDG_RUNTIME_DIR": t.run_dir}
    t.rt("run", "-d", "-b", bundle.path, bundle.id, root=False)
    for args in (["kill", bundle.id, "9"], ["delete", "--force", bundle.id]):
        result = t.rt(*args, root=False, only_env=env)
        assert result.out == result.err == "", result
    assert bundle.id not in os.listdir(os.path.join(t.run_dir, "crun"))


def test_no_pivot_runs(t):
    result = t.run_container(t.bundle("echo hello; ls /"), "--no-pivot")
    assert result.out.split()[0] == "hello" and "bin" in result.out.split(), result
    assert "work" not in result.out and "boot" not in result.out, result


def test_payload_gets_a_session_keyring_of_its_own(t):
    first, second = t.probe(None, "keyring")["keyring"], t.probe(None, "keyring")["keyring"]
    assert first[0] != second[0], (first, second)
    # Without a name that somebody else's keyring could have.
    assert first[1].endswith("_ses"), first


def test_no_new_keyring_keeps_the_callers(t):
    first = t.run_container(t.bundle(["probe", "keyring"]), "--no-new-keyring").probe["keyring"]
    second = t.run_container(t.bundle(["probe", "keyring"]), "--no-new-keyring").probe["keyring"]
    assert first == second, (first, second)


def test_several_containers_live_side_by_side(t):
    bundles = [running(t) for _n in range(5)]
    pids = {t.pid(b) for b in bundles}
    assert len(pids) == 5
    t.delete(bundles[2], force=True)
    for bundle in bundles[:2] + bundles[3:]:
        assert t.state(bundle)["status"] == "running"
    ids = t.rt("list", "-q").out.split()
    assert sorted(ids) == sorted(b.id for b in bundles if b is not bundles[2])
