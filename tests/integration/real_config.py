# SPDX-License-Identifier: Apache-2.0
"""Bundle configurations of the shape that Docker writes: its defaults for capabilities, mounts,
devices, paths and system calls, so that real programs meet what they meet in production."""

import functools
import os
import re
import shutil
import subprocess

import config as configs
from harness import Skip

CAPS = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW",
        "CAP_SETGID", "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE",
        "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE"]

MASKED = configs.MASKED + ["/sys/devices/virtual/powercap", "/proc/interrupts"]

CLONE_NEW = 0x7E020000   # every namespace flag of clone(2)

# What a container is not to call without extra capabilities; all else that the C library of the
# host knows by name is allowed, which is how long the list of the real profile is, too.
DENIED = """
acct add_key afs_syscall bpf clock_adjtime clock_adjtime64 clock_settime clock_settime64
create_module delete_module finit_module fsconfig fsmount fsopen fspick get_kernel_syms
get_mempolicy init_module io_uring_enter io_uring_register io_uring_setup ioperm iopl kcmp
kexec_file_load kexec_load keyctl lookup_dcookie mbind migrate_pages mount mount_setattr
move_mount move_pages name_to_handle_at nfsservctl open_by_handle_at open_tree perf_event_open
pivot_root process_madvise process_vm_readv process_vm_writev ptrace query_module quotactl
quotactl_fd reboot request_key set_mempolicy set_mempolicy_home_node setdomainname sethostname
setns settimeofday swapoff swapon _sysctl sysfs umount umount2 unshare uselib userfaultfd ustat
vhangup vserver clone clone3 personality socket
""".split()


@functools.lru_cache(maxsize=None)
def syscall_names():
    """The names in the kernel headers of the host; they include some that only it has."""
    compiler = os.environ.get("CC", "cc").split()
    if not shutil.which(compiler[0]):
        raise Skip("no compiler, whose headers name the system calls")
    text = subprocess.run(compiler + ["-E", "-dM", "-include", "sys/syscall.h", "-x", "c",
                                      "/dev/null"], stdout=subprocess.PIPE, text=True, check=True)
    names = re.findall(r"^#define SYS_([a-z]\w*)", text.stdout, re.M)
    assert len(names) > 200, "the compiler says nothing about system calls"
    return sorted(names)


def compare(index, value, operator="SCMP_CMP_EQ", value_two=None):
    entry = {"index": index, "value": value, "op": operator}
    if value_two is not None:
        entry["valueTwo"] = value_two
    return entry


def seccomp():
    """Default "permission denied", a long list of names, and the few that look at arguments."""
    allow = [name for name in syscall_names() if name not in DENIED]
    rules = [
        # Real profiles name calls that this machine or this libseccomp does not have.
        {"names": allow + ["sync_file_range2", "arm_fadvise64_64", "not_a_syscall_of_today"],
         "action": "SCMP_ACT_ALLOW"},
        {"names": ["socket"], "action": "SCMP_ACT_ALLOW",
         "args": [compare(0, 40, "SCMP_CMP_NE")]},                     # AF_VSOCK
        {"names": ["clone"], "action": "SCMP_ACT_ALLOW",
         "args": [compare(0, CLONE_NEW, "SCMP_CMP_MASKED_EQ", 0)]},
        # Its flags are in memory: the C library falls back to clone on "no such call".
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
    ]
    for persona in (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF):
        rules.append({"names": ["personality"], "action": "SCMP_ACT_ALLOW",
                      "args": [compare(0, persona)]})
    machine = {"x86_64": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
               "aarch64": ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]}
    profile = {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "syscalls": rules}
    if os.uname().machine in machine:
        profile["architectures"] = machine[os.uname().machine]
    return profile


def device(access, major=None, minor=None, kind="c"):
    rule = {"allow": True, "type": kind, "access": access}
    if major is not None:
        rule["major"] = major
    if minor is not None:
        rule["minor"] = minor
    return rule


def device_rules():
    rules = [{"allow": False, "access": "rwm"}, device("m"), device("m", kind="b")]
    for major, minor in ((1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2)):
        rules.append(device("rwm", major, minor))
    rules.append(device("rwm", 136))
    return rules


def etc_file(t, name, text):
    """What Docker binds over three files of /etc."""
    path = t.file(name, text)
    return configs.mount("/etc/" + name, "bind", path, "rbind", "rprivate")


def docker(t, conf):
    """Change `conf` (a root or rootless base) in place into what Docker would have written."""
    process, linux = conf["process"], conf["linux"]
    process["capabilities"] = {name: list(CAPS) for name in ("bounding", "effective", "permitted")}
    process["noNewPrivileges"] = False
    process["oomScoreAdj"] = 0
    process["rlimits"] = [{"type": "RLIMIT_NOFILE", "hard": 4096, "soft": 1024}]
    process["env"] += ["HOSTNAME=" + conf["hostname"], "HOME=/root", "LANG=C.UTF-8"]
    conf["root"]["readonly"] = False
    conf["mounts"] += [
        configs.mount("/run", "tmpfs", "tmpfs", "nosuid", "nodev", "mode=755", "size=65536k"),
        configs.mount("/tmp", "tmpfs", "tmpfs", "nosuid", "nodev", "mode=1777"),
        etc_file(t, "hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost\n"),
        etc_file(t, "hostname", conf["hostname"] + "\n"),
        etc_file(t, "resolv.conf", "nameserver 127.0.0.1\n"),
    ]
    linux["maskedPaths"], linux["readonlyPaths"] = list(MASKED), list(configs.READONLY)
    linux["seccomp"] = seccomp()
    linux["sysctl"] = {"net.ipv4.ip_unprivileged_port_start": "0"}
    if "resources" in linux:
        linux["resources"] = {
            "devices": device_rules(),
            "memory": {"limit": 1 << 30},
            "cpu": {"shares": 512},
            "pids": {"limit": 200},
        }
    if not any(ns["type"] == "network" for ns in linux["namespaces"]):
        linux["namespaces"].append({"type": "network"})


def remap(conf, first):
    """Give a root container a user namespace whose ids begin at `first` of the host."""
    linux = conf["linux"]
    linux["namespaces"].append({"type": "user"})
    for name in ("uidMappings", "gidMappings"):
        linux[name] = [{"containerID": 0, "hostID": first, "size": 65536}]


def join(conf, pid, *kinds):
    """Let `conf` join these namespaces of process `pid` by path instead of making its own."""
    linux = conf["linux"]
    linux["namespaces"] = [ns for ns in linux["namespaces"] if ns["type"] not in kinds]
    for kind in kinds:
        name = {"network": "net", "mount": "mnt"}.get(kind, kind)
        linux["namespaces"].append({"type": kind, "path": f"/proc/{pid}/ns/{name}"})
    if "user" in kinds:
        linux.pop("uidMappings", None)
        linux.pop("gidMappings", None)
    if "network" in kinds:
        linux.pop("sysctl", None)   # the owner of the namespace has set it
