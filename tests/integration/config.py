# SPDX-License-Identifier: Apache-2.0
"""The bundle configuration that the integration tests start from.

It has the content which `spec` of any runtime writes, but it is built here, so that no test
depends on the `spec` command of the runtime under test.
"""

import copy

CAPS = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]

MASKED = ["/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
          "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware",
          "/proc/scsi"]

READONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]


def mount(destination, kind, source, *options):
    """One element of `mounts`."""
    entry = {"destination": destination, "type": kind, "source": source}
    if options:
        entry["options"] = list(options)
    return entry


def base(args, cgroups_path=None):
    """A root bundle's config: what `spec` writes, with terminal off and `args` as command."""
    conf = {
        "ociVersion": "1.0.2-dev",
        "process": {
            "terminal": False,
            "user": {"uid": 0, "gid": 0},
            "args": list(args),
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                    "TERM=xterm"],
            "cwd": "/",
            "capabilities": {"bounding": list(CAPS), "effective": list(CAPS),
                             "permitted": list(CAPS), "ambient": list(CAPS)},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "crun-test",
        "mounts": [
            mount("/proc", "proc", "proc"),
            mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
            mount("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance",
                  "ptmxmode=0666", "mode=0620", "gid=5"),
            mount("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777",
                  "size=65536k"),
            mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"),
            mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro"),
            mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime",
                  "ro"),
        ],
        "linux": {
            "resources": {"devices": [{"allow": False, "access": "rwm"}]},
            "namespaces": [{"type": kind} for kind in
                           ("pid", "network", "ipc", "uts", "mount")],
            "maskedPaths": list(MASKED),
            "readonlyPaths": list(READONLY),
        },
    }
    if cgroups_path:
        conf["linux"]["cgroupsPath"] = cgroups_path
    return conf


def rootless(conf, uid, gid, ranges=None):
    """Turn `conf` into what `spec --rootless` writes for the caller uid:gid.

    `ranges` is (first subordinate uid, first subordinate gid, count) or None for the single
    mapping that needs no helper program.
    """
    conf = copy.deepcopy(conf)
    linux = conf["linux"]
    linux.pop("cgroupsPath", None)
    linux.pop("resources", None)
    linux["namespaces"] = [ns for ns in linux["namespaces"] if ns["type"] != "network"]
    linux["namespaces"].append({"type": "user"})
    linux["uidMappings"] = [{"containerID": 0, "hostID": uid, "size": 1}]
    linux["gidMappings"] = [{"containerID": 0, "hostID": gid, "size": 1}]
    if ranges:
        linux["uidMappings"].append({"containerID": 1, "hostID": ranges[0], "size": ranges[2]})
        linux["gidMappings"].append({"containerID": 1, "hostID": ranges[1], "size": ranges[2]})
    mounts = []
    for entry in conf["mounts"]:
        options = entry.get("options", [])
        if entry["destination"] == "/sys":
            entry = mount("/sys", "none", "/sys", "rbind", "nosuid", "noexec", "nodev", "ro")
        elif entry["destination"] == "/sys/fs/cgroup":
            continue
        elif not ranges and "gid=5" in options:
            entry = dict(entry, options=[o for o in options if o != "gid=5"])
        mounts.append(entry)
    conf["mounts"] = mounts
    return conf


def merge(conf, change):
    """Merge the dict `change` into `conf` in place: None removes a key, lists replace."""
    for key, value in change.items():
        if value is None:
            conf.pop(key, None)
        elif isinstance(value, dict) and isinstance(conf.get(key), dict):
            merge(conf[key], value)
        else:
            conf[key] = copy.deepcopy(value)
    return conf
