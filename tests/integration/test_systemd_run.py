# SPDX-License-Identifier: Apache-2.0
"""Bundles in transient units, as people start them with systemd-run; needs systemd as process 1."""

import subprocess

from harness import PATIENCE, Skip
from systemd_host import Systemd, path_of

LOOP = "trap 'exit 3' TERM; echo ready; while :; do sleep 0.1; done"


def systemd_run(t, *words, check=False):
    argv = ["systemd-run", "--quiet", *words]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=False,
                              timeout=60 * PATIENCE)
    except FileNotFoundError:
        raise Skip("systemd-run is not installed") from None
    t.log("+", " ".join(argv), "->", done.returncode, done.stdout, done.stderr)
    assert not check or done.returncode == 0, done
    return done


def cleaned(bundle):
    """The configuration without a cgroup of its own: it goes where the unit is."""
    bundle.config["linux"].pop("resources", None)
    return bundle.save()


def test_output_and_status_come_through_a_waiting_unit(t):
    Systemd(t)
    bundle = cleaned(t.bundle(["sh", "-c", "echo in a unit; echo error >&2; exit 3"]))
    done = systemd_run(t, "--pipe", "--wait", "--collect", *t.argv("run", "-b", bundle.path,
                                                                  bundle.id))
    assert (done.returncode, done.stdout, done.stderr) == (3, "in a unit\n", "error\n"), done


def test_unit_is_stopped_and_the_container_ends(t):
    s = Systemd(t)
    bundle = cleaned(t.bundle(["sh", "-c", LOOP]))
    unit = f"crun-unit-{bundle.id}.service"
    systemd_run(t, f"--unit={unit}", "--property=Delegate=yes", "--property=SuccessExitStatus=3",
                *t.argv("run", "-b", bundle.path, bundle.id), check=True)
    t.wait_running(bundle)
    s.ctl("stop", unit)
    t.wait_until(lambda: not t.state_entries(), "run to delete the container")
    s.ctl("reset-failed", unit, check=False)


def test_unit_of_a_systemd_cgroup_container(t):
    s = Systemd(t)
    bundle = t.bundle(["sh", "-c", LOOP])
    bundle.config["linux"]["cgroupsPath"] = f"system.slice:unit:{bundle.id}"
    bundle.cgroup = ""
    bundle.save()
    unit, scope = f"crun-unit-{bundle.id}.service", f"unit-{bundle.id}.scope"
    systemd_run(t, f"--unit={unit}", "--property=SuccessExitStatus=3",
                *t.argv("--systemd-cgroup", "run", "-b", bundle.path, bundle.id), check=True)
    t.wait_running(bundle)
    assert scope in path_of(t.pid(bundle)), path_of(t.pid(bundle))
    s.ctl("stop", unit)
    t.wait_until(lambda: not t.state_entries(), "run to delete the container")
    s.gone(scope)
    s.ctl("reset-failed", unit, check=False)


def test_detached_container_of_a_oneshot_unit_outlives_its_command(t):
    s = Systemd(t)
    bundle = cleaned(t.bundle(["sh", "-c", LOOP]))
    unit = f"crun-unit-{bundle.id}.service"
    systemd_run(t, f"--unit={unit}", "--property=Type=forking",
                f"--property=PIDFile={t.path('pid')}", "--property=Delegate=yes",
                *t.argv("run", "--detach", "--pid-file", t.path("pid"), "-b", bundle.path,
                        bundle.id), check=True)
    t.wait_running(bundle)
    assert s.show(unit, "ActiveState") == "active"
    t.rt("kill", bundle.id)
    t.wait_until(lambda: s.show(unit, "ActiveState") != "active", "the unit's end")
    t.rt("delete", bundle.id)
    s.ctl("reset-failed", unit, check=False)
