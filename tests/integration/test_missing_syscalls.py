# SPDX-License-Identifier: Apache-2.0
"""Kernels that lack a system call, and seccomp profiles that answer EPERM to what they do not know.

What docs/kernel-features.md promises for each: other tests, run where the call is missing.  The
whole suite can be run so with `run.py --without CALLS`.
"""

import functools
import os

import test_console
import test_events
import test_fds
import test_kill
import test_linux_hooks
import test_linux_masks
import test_linux_mounts
import test_linux_rootfs
import test_pause
import test_smoke
import test_stats
from harness import flavors

BASE = (
    test_smoke.test_run_prints_what_the_payload_prints,
    test_smoke.test_create_start_state_kill_delete,
)
PATHS = (
    test_linux_rootfs.test_hostile_dev_of_an_image_without_a_dev_mount,
    test_linux_rootfs.test_hostile_dev_with_a_terminal,
    test_linux_rootfs.test_hostile_paths_elsewhere,
    test_linux_rootfs.test_hostile_places_of_mount_points_on_a_volume,
    test_linux_mounts.test_links_in_a_destination_stay_inside_the_root,
    test_linux_mounts.test_nothing_gets_into_proc_through_a_link,
    test_linux_masks.test_links_out_of_the_image_mask_nothing_of_the_host,
)
MOUNTS = (
    test_linux_mounts.test_every_type_of_the_default_configuration_is_there,
    test_linux_mounts.test_every_type_works_for_an_ordinary_user,
    test_linux_mounts.test_nothing_below_sys_is_writable_for_an_ordinary_user,
    test_linux_mounts.test_recursive_flags_reach_what_is_mounted_below,
    test_linux_mounts.test_read_only_tmpfs_is_read_only_though_it_was_filled,
    test_linux_mounts.test_tmpcopyup_brings_everything_along,
    test_linux_mounts.test_bind_leaves_out_what_is_mounted_below_and_rbind_takes_it,
    test_linux_masks.test_masks_of_the_default_configuration_hold,
    test_linux_masks.test_readonly_path_includes_what_is_mounted_below,
    test_linux_rootfs.test_readonly_root_cannot_be_written,
    test_linux_rootfs.test_the_hosts_files_are_out_of_reach,
    test_linux_rootfs.test_no_pivot_gives_the_same_view,
    test_console.test_dev_console_is_the_terminal,
)
PROCESSES = (
    test_kill.test_kill_all_reaches_every_process,
    test_kill.test_kill_of_a_stopped_container_says_so_in_every_engines_words,
    test_kill.test_v2_kill_all_reaches_cgroups_below,
)
# What looks at a process that is not a child of ours, or waits for its end.
HANDLES = PROCESSES + (
    test_pause.test_nothing_runs_between_pause_and_resume,
    test_pause.test_v2_nothing_runs_between_pause_and_resume,
    test_events.test_stream_comes_in_intervals_and_ends_with_the_container,
    test_stats.test_watch_ends_with_the_container,
)
FDS = (
    test_fds.test_recipe_8_a_hundred_inherited_descriptors_do_not_leak,
    test_linux_hooks.test_all_hooks_run_in_order,
    test_linux_hooks.test_state_is_on_stdin,
)

SLICES = {
    "openat2": BASE + PATHS + MOUNTS[:2],
    "mount_api": BASE + PATHS + MOUNTS,
    "mount_setattr": BASE + MOUNTS,
    "clone3": BASE + PROCESSES + FDS,
    "pidfd": BASE + HANDLES,
    "pidfd_open": HANDLES,
    "pidfd_send_signal": PROCESSES,
    "close_range": BASE + FDS,
    "memfd_create": FDS[1:],
    "faccessat2": BASE,
    "statx": BASE + PATHS,
    "statmount": BASE,
    "linux-6.1": BASE + MOUNTS[:2],
    "linux-5.10": BASE + PATHS + MOUNTS + PROCESSES + FDS,
    "linux-5.4": BASE + PATHS + MOUNTS,
    "linux-5.1": BASE + PATHS[:3],
    "EPERM:openat2": BASE + PATHS[:1],
    "EPERM:mount_api": BASE + MOUNTS[:3],
    "EPERM:mount_setattr": BASE + MOUNTS[:3],
    "EPERM:pidfd": BASE,
    "EPERM:close_range,faccessat2": BASE + FDS,
    "EPERM:clone3": BASE,
}


def without(calls, test):
    @functools.wraps(test)
    def run(t):
        if t.missing:
            t.skip("it is the same whatever --without hides: it hides calls itself")
        if calls == "memfd_create" and not t.rootless:
            t.skip("root's containers are refused: test_own_binary_is_not_left_unprotected")
        if calls == "statx" and t.rootless:
            # One without either: mounts are told apart by /proc/self/fdinfo, closed to an init that is not dumpable.
            t.needs_linux(5, 12, "mount_setattr, for an ordinary user who lacks statx")
        t.without(calls)
        test(t)
    return run


def word(text):
    return "".join(c if c.isalnum() else "_" for c in text)


for calls_, tests_ in SLICES.items():
    for test_ in tests_:
        globals()[f"test_{word(calls_)}__{test_.__name__[5:]}"] = without(calls_, test_)
del test_   # it would be taken for a test


@flavors("root", "rootless")
def test_volume_that_is_shared_with_the_host_is_refused(t):
    source = t.mkdir("volume")
    mount = {"destination": "/v", "type": "bind", "source": source,
             "options": ["rbind", "rshared"]}
    bundle = t.bundle(mutate=lambda c: c["mounts"].append(mount))
    t.without("mount_api")
    t.fails("run", "-b", bundle.path, bundle.id, has=("open_tree", "Linux 5.2"),
            code="KERNEL_TOO_OLD")


def test_own_binary_is_not_left_unprotected(t):
    bundle = t.bundle()
    t.without("memfd_create")
    t.fails("run", "-b", bundle.path, bundle.id, has=("memfd_create", "seccomp profile"),
            code="SELF_PROTECTION")


def test_idmapped_mount_needs_the_call_and_says_so(t):
    source = t.mkdir("volume")
    ids = [{"containerID": 0, "hostID": 1000, "size": 10}]
    mount = {"destination": "/v", "type": "bind", "source": source,
             "options": ["bind"], "uidMappings": ids, "gidMappings": ids}
    bundle = t.bundle(mutate=lambda c: c["mounts"].append(mount))
    t.without("mount_setattr")
    t.fails("run", "-b", bundle.path, bundle.id, has="idmapped mounts need Linux 5.12")


@flavors("root", "rootless")
def test_current_directory_that_the_user_may_not_enter(t):
    """mount(2) takes paths only, so the process goes to the links of procfs and comes back."""
    closed = t.mkdir("closed")
    os.chown(closed, 0, 0)
    os.chmod(closed, 0o700)

    def enter():
        os.chdir(closed)

    bundle = t.bundle(args=["pwd"], mutate={"process": {"cwd": "/tmp"}})
    for calls in ("mount_setattr", "mount_api"):
        t.without(calls)
        result = t.rt("run", "-b", bundle.path, bundle.id, preexec_fn=enter)
        assert result.out == "/tmp\n", result


def test_validate_accepts_what_can_be_made_without_the_call(t):
    source = t.mkdir("volume")
    mount = {"destination": "/v", "type": "bind", "source": source, "options": ["rbind", "rro"]}
    bundle = t.bundle("touch /v/x 2>/dev/null || echo refused",
                      mutate=lambda c: c["mounts"].append(mount))
    t.without("mount_setattr")
    t.rt("validate", "-b", bundle.path)
    assert t.run_container(bundle).out == "refused\n"
