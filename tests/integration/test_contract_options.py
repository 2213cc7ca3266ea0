# SPDX-License-Identifier: Apache-2.0
"""What engines put on the command line: every option of theirs parses, and probes get the truth."""

import json
import os


# The option as callers write it; those that take a value come with one.  Section 11 of what
# engines require: whoever is listed there as a caller breaks when one of these is refused.
CREATE = ["--bundle=B", "-b B", "--config=F", "-f F", "--console-socket=S", "--pid-file=P",
          "--pidfd-socket=S", "--no-pivot", "--no-new-keyring", "--preserve-fds=1",
          "--no-subreaper", "-no-subreaper", "-bundle B", "-bundle=B", "-pid-file P"]
TABLE = {
    "": ["--root=R", "--log=L", "--log=file:L", "--log=journald:I", "--log=syslog:I",
         "--log-format=json", "--log-format text", "--log-level=error", "--log-level=warning",
         "--log-level debug", "--debug", "--systemd-cgroup", "-systemd-cgroup",
         "--cgroup-manager=cgroupfs", "--cgroup-manager systemd", "--cgroup-manager=disabled",
         "--rootless=true", "--rootless=false", "--rootless auto"],
    "create": CREATE,
    "run": CREATE + ["--detach", "-d", "--keep"],
    "start": [],
    "state": [],
    "kill": ["--all", "-a", "--regex", "-r"],
    "delete": ["--force", "-f", "--regex", "-r"],
    "pause": [],
    "resume": [],
    "ps": ["--format=json", "-f json", "--format table"],
    "list": ["--format=json", "-f json", "--format table", "--quiet", "-q"],
    "update": ["--resources=F", "-r -", "--blkio-weight=1", "--cpu-period=1", "--cpu-quota=1",
               "--cpu-share=1", "--cpu-rt-period=1", "--cpu-rt-runtime=1", "--cpuset-cpus=0",
               "--cpuset-mems=0", "--memory=64M", "--memory-reservation=1", "--memory-swap=1",
               "--pids-limit=1", "--l3-cache-schema=x", "--mem-bw-schema=x", "--kernel-memory=1",
               "--kernel-memory-tcp=1", "--cpu-burst=1", "--cpu-idle=1"],
    "checkpoint": ["--image-path=D", "--work-path=D", "--leave-running", "--tcp-established",
                   "--ext-unix-sk", "--shell-job", "--file-locks", "--parent-path=../p",
                   "--pre-dump", "--manage-cgroups-mode=soft", "--manage-cgroups-mode strict",
                   "--empty-ns network", "--network-lock=nftables", "--page-server=h:1",
                   "--status-fd 3", "--lazy-pages", "--auto-dedup", "--tcp-skip-in-flight",
                   "--link-remap"],
    "restore": CREATE + ["--detach", "-d", "--image-path=D", "--work-path D", "--tcp-established",
                         "--tcp-close", "--file-locks", "--lsm-profile=selinux:x",
                         "--lsm-mount-context=x", "--ext-unix-sk", "--shell-job",
                         "--manage-cgroups-mode=full", "--parent-path=p", "--empty-ns network",
                         "--auto-dedup", "--lazy-pages", "--network-lock=skip"],
    "features": [],
    "events": ["--stats", "--interval=1s"],
    "spec": ["--bundle=B", "-b B", "--rootless", "--file=F", "-f F"],
}
USAGE = 64


def test_every_option_that_callers_send_is_known(t):
    """Followed by one that is not: parsing goes on to the end, and that one is what is told."""
    for command, options in TABLE.items():
        for option in options + [None]:
            words = option.split() if option else []
            args = [command] * bool(command) + words + ["--no-such-option"]
            result = t.fails(*args, root=False, cwd=t.dir)
            assert "unknown option `--no-such-option`" in result.err, result
            assert result.rc == USAGE, result


def test_options_of_a_command_twice_and_abbreviated(t):
    bundle = t.bundle("exit 3")
    result = t.rt("run", "--bun=/nowhere", "--no-piv", "--no-pivot", "--bundle", "/nowhere",
                  "-no-subreaper", "--no-subreaper", f"--bundle={bundle.path}", bundle.id,
                  check=False)
    assert result.rc == 3, result


def test_single_dash_does_not_hide_letters(t):
    bundle = t.bundle()
    t.rt("run", "-db", bundle.path, bundle.id)   # -d -b, for no long option is called "db"
    t.wait_status(bundle, "stopped")
    t.rt("delete", "-force", bundle.id)
    t.rt("list", "-format", "json")
    t.rt("list", "-fjson")


def test_status_of_a_command_line_that_nobody_understands(t):
    for args in ([], ["frobnicate"], ["--invalidflag", "list"], ["list", "--invalidflag"],
                 ["state"], ["state", "a", "b"], ["run", "--bundle"], ["list", "-f", "yaml"],
                 ["run", "--preserve-fds=x", "y"], ["kill", "x", "NOSIGNAL"]):
        result = t.fails(*args)
        assert result.rc == USAGE, result
        assert len(result.err.splitlines()) == 1, result
    assert t.fails("state", "nope").rc == 1


def test_options_after_the_container_are_arguments(t):
    bundle = t.bundle(["sleep", "1000"])
    t.create(bundle)
    for args in (["state", bundle.id, "--help"], ["delete", bundle.id, "-f"],
                 ["start", bundle.id, "--root=/x"]):
        assert t.fails(*args).rc == USAGE
    assert t.state(bundle)["status"] == "created"


def test_recipe_1_features(t):
    result = t.rt("features", root=False, only_env={})
    document = json.loads(result.out)
    assert result.err == "", result
    assert document["ociVersionMin"] and document["ociVersionMax"]
    assert document["linux"]["mountExtensions"]["idmap"]["enabled"] is True
    assert "rro" in document["mountOptions"]
    assert {"user", "pid", "mount", "cgroup"} <= set(document["linux"]["namespaces"])


def test_recipe_2_version_and_probes(t):
    version = t.rt("--version").out
    assert version.splitlines()[0].startswith("crun version "), version
    assert sum("version" in line for line in version.splitlines()) == 1, version
    built_in = json.loads(t.rt("features").out)["annotations"]["run.oci.crun.checkpoint.enabled"]
    for command in ("checkpoint", "restore"):
        for option in ("--help", "-h"):
            result = t.rt(command, option, check=False)
            assert (result.rc == 0) == (built_in == "true"), result
            if result.rc != 0:
                assert result.out == "" and len(result.err.splitlines()) == 1, result
                assert "cannot checkpoint and restore" in result.err, result
    for args in (["--lsm-mount-context"], ["--bundle", "x", "--lsm-mount-context"]):
        t.fails("restore", *args, has="requires an argument", root=False)


def test_recipe_4_repeated_and_single_dash_options(t):
    general = ["--root", t.state_dir, "--log", t.path("log"), "--log-format", "json"]
    result = t.fails(*general, "--rootless=true", "--root", t.state_dir, "--systemd-cgroup",
                     "--systemd-cgroup", "state", "x", root=False, has="`x` does not exist")
    assert result.rc == 1, result
    result = t.fails(*general, "restore", "-no-subreaper", "--bundle", "B", "x", root=False)
    assert "option" not in result.err, result


def test_restore_that_cannot_be_done_leaves_nothing(t):
    """The command lines of conmon and containerd's shim."""
    bundle, image = t.bundle(), t.mkdir("image")
    for args in (["--bundle", bundle.path, "--pid-file", t.path("pid"), "--no-pivot",
                  "--no-new-keyring", "--detach", "--image-path", image, "--work-path",
                  bundle.path, "--tcp-established", "--tcp-close", "--file-locks",
                  "--lsm-mount-context=a:b:c:d", "--lsm-profile=selinux:a:b:c:d",
                  "--preserve-fds", "2"],
                 ["--image-path", image, "--work-path", bundle.path, "--detach", "--pid-file",
                  t.path("pid"), "--no-pivot", "-no-subreaper", "--bundle", bundle.path]):
        result = t.fails("restore", *args, bundle.id)
        assert len(result.err.splitlines()) == 1 and result.rc != USAGE, result
        t.assert_no_trace(bundle)
        assert not os.path.exists(t.path("pid")) and os.listdir(image) == [], result
    running = t.bundle(["sleep", "1000"])
    t.run_container(running, "--detach")
    t.fails("checkpoint", "--image-path", image, "--work-path", running.path, "--leave-running",
            "--leave-running", running.id)
    assert t.state(running)["status"] == "running" and os.listdir(image) == []
