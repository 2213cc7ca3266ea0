# SPDX-License-Identifier: Apache-2.0
"""Podman's scenarios: what a container may see, do and use."""

import os
import re
import shutil

import hostside
from framework import scenario, ulimit
from results import fields

EAT = "x=$(head -c 100000000 /dev/zero | tr '\\0' x); echo never"


class Scenarios:
    def cgroup_value(self, container, *names):
        """Content of the first of these files (v1 and v2 names) in the container's cgroup."""
        for point in hostside.cgroup_mounts().values():
            for here in hostside.cgroup_tree(point):
                if os.path.basename(here) == "libpod-" + container:
                    for name in names:
                        path = os.path.join(here, name)
                        if os.path.exists(path):
                            return self.read(path).strip()
        return None

    @scenario(quick=True, flavors=("root",))
    def memory_cpus_and_pids_limit(self):
        container = self.background("--memory", "64m", "--pids-limit", "20", "--cpus", "0.5",
                                    ":", "sleep", "1000")
        assert self.cgroup_value(container, "memory.limit_in_bytes", "memory.max") == \
            str(64 << 20)
        assert self.cgroup_value(container, "pids.max") == "20"
        quota = self.cgroup_value(container, "cpu.cfs_quota_us", "cpu.max")
        assert quota in ("50000", "50000 100000"), quota
        stats = self.podman("stats", "--no-stream", "--format", "{{.MemUsage}} {{.PIDs}}",
                            container).out
        assert "67.11MB" in stats and stats.split()[-1] == "1", stats
        self.podman("rm", "--force", "--time", "0", container)

    @scenario(flavors=("root",))
    def limits_take_effect(self):
        forks = "for i in $(seq 40); do sleep 5 & done; echo never"
        done = self.container("--pids-limit", "10", ":", "sh", "-c", forks, check=False)
        assert done.rc != 0 and "fork" in done.err, done
        done = self.container("--memory", "16m", "--memory-swap", "16m", ":", "sh", "-c", EAT,
                              check=False)
        assert done.rc in (2, 137) and "never" not in done.out, done

    @scenario(flavors=("root",))
    def memory_that_runs_out_is_reported(self):
        self.background("--name", "c", "--memory", "16m", "--memory-swap", "16m", ":", "sh", "-c",
                        "exec sh -c '" + EAT.replace("'", "'\\''") + "'")
        self.podman("wait", "c")
        # Old monitors leave their note in the directory in which Podman was called.
        assert self.inspect("c", "{{.State.OOMKilled}}") == "true" or \
            os.path.exists(self.path("oom"))
        self.podman("rm", "c")

    @scenario(flavors=("root",))
    def update(self):
        if self.podman("update", "--help", check=False).rc:
            self.skip("this Podman has no update")
        container = self.background("--memory", "64m", ":", "sleep", "1000")
        done = self.podman("update", "--memory", "128m", "--memory-swap", "256m", "--cpus", "0.25",
                           "--pids-limit", "33", container, check=False)
        if done.rc and "unknown flag: --pids-limit" in done.err:
            done = self.podman("update", "--memory", "128m", "--memory-swap", "256m", "--cpus",
                               "0.25", container)
        else:
            assert self.cgroup_value(container, "pids.max") == "33", done
        assert done.rc == 0, done
        assert self.cgroup_value(container, "memory.limit_in_bytes", "memory.max") == \
            str(128 << 20)
        quota = self.cgroup_value(container, "cpu.cfs_quota_us", "cpu.max")
        assert quota in ("25000", "25000 100000"), quota
        self.podman("rm", "--force", "--time", "0", container)

    @scenario(quick=True)
    def cgroups_disabled(self):
        before = self.read("/proc/self/cgroup")
        done = self.container("--cgroups", "disabled", "--cgroupns", "host", ":", "cat",
                              "/proc/self/cgroup")
        assert "libpod-" not in done.out, done
        if not self.rootless:
            assert done.out == before, (done, before)

    @scenario(flavors=("root",))
    def cgroups_split(self):
        """As in a systemd unit: Podman moves itself aside in the cgroup it was started in."""
        done = self.in_cgroup("unit", *self.argv("run", "--rm", "--network", "none", "--cgroups",
                                                 "split", "--cgroupns", "host", self.image, "cat",
                                                 "/proc/self/cgroup"))
        assert "/unit/libpod-payload-" in done.out, done

    @scenario(flavors=("root",))
    def cgroup_parent(self):
        done = self.container("--cgroup-parent", "/chosen/deep", "--cgroupns", "host", ":", "cat",
                              "/proc/self/cgroup")
        assert "/chosen/deep/libpod-" in done.out, done
        for point in hostside.cgroup_mounts().values():
            for path in ("chosen/deep/conmon", "chosen/deep", "chosen"):
                path = os.path.join(point, path)
                if os.path.isdir(path):   # Podman does not wait for the end of its monitor
                    self.wait_until(lambda p=path: not hostside.cgroup_pids(p), "an empty cgroup")
                    os.rmdir(path)

    @scenario(quick=True)
    def capabilities_and_privileges(self):
        status = fields(self.container("--cap-drop", "ALL", ":", "cat",
                                       "/proc/self/status").out.splitlines())
        for name in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb"):
            assert int(status[name], 16) == 0, status
        assert status["Seccomp"] == "2" and status["NoNewPrivs"] == "0", status
        one = self.container("--cap-drop", "all", "--cap-add", "chown", "--security-opt",
                             "no-new-privileges", "--security-opt", "seccomp=unconfined", ":",
                             "cat", "/proc/self/status")
        status = fields(one.out.splitlines())
        assert int(status["CapEff"], 16) == 1 and status["NoNewPrivs"] == "1", status
        assert status["Seccomp"] == "0", status

    @scenario()
    def seccomp_profile_from_a_file(self):
        profile = self.file("seccomp.json", '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": '
                            '[{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", '
                            '"errnoRet": 100}]}')
        done = self.container("--security-opt", "seccomp=" + profile, ":", "mkdir", "/new",
                              check=False)
        assert done.rc == 1 and "Network is down" in done.err, done
        profile = self.file("seccomp.json", '{"defaultAction": "SCMP_ACT_ERRNO"}')
        done = self.container("--security-opt", "seccomp=" + profile, ":", "true", check=False)
        # The profile denies an end, too, so that libc's is a SIGSEGV. That is all there is to know where
        # Podman's monitor has reaped it before the runtime's start looks what became of it.
        said = done.rc in (1, 126, 127, 255) and "it was killed before" in done.err
        assert said or (done.rc == 139 and not done.err), done

    @scenario()
    def apparmor(self):
        if not os.path.isdir("/sys/kernel/security/apparmor"):
            done = self.container("--security-opt", "apparmor=some-profile", ":", "true",
                                  check=False)
            assert done.rc != 0 and "apparmor" in done.err.lower(), done
            self.skip("AppArmor is not in force here; naming a profile fails, and says so")
        assert self.container("--security-opt", "apparmor=unconfined", ":", "cat",
                              "/proc/self/attr/current").out.strip() == "unconfined"

    @scenario()
    def identity(self):
        done = self.container("--user", "1000:1001", "--group-add", "2000", ":", "id")
        assert done.out.startswith("uid=1000(user) gid=1001(extra)") and "2000" in done.out, done
        assert self.container("--user", "user", ":", "id", "-un").out == "user\n"
        assert self.container(":", "id", "-u").out == "0\n"

    @scenario()
    def read_only_root(self):
        done = self.container("--read-only", ":", "sh", "-c", "echo x > /file", check=False)
        assert done.rc != 0 and "Read-only file system" in done.err, done
        assert self.container("--read-only", ":", "sh", "-c", "echo x > /tmp/file && "
                              "cat /tmp/file && echo x > /dev/shm/file").out == "x\n"

    @scenario()
    def volumes_and_tmpfs(self):
        shared = self.mkdir("shared")
        self.file("shared/from-outside", "hello\n")
        self.container("--volume", shared + ":/data", ":", "sh", "-c",
                       "cat /data/from-outside > /data/from-inside")
        assert self.read(self.path("shared/from-inside")) == "hello\n"
        done = self.container("-v", shared + ":/data:ro", ":", "touch", "/data/x", check=False)
        assert done.rc == 1 and "Read-only" in done.err, done
        mounted = self.container("--tmpfs", "/scratch:size=1m,mode=1777", ":", "sh", "-c",
                                 "grep /scratch /proc/mounts; stat -c %a /scratch").out
        assert "size=1024k" in mounted and mounted.endswith("1777\n"), mounted
        self.podman("volume", "create", "vol")
        self.container("-v", "vol:/v", ":", "sh", "-c", "echo kept > /v/file")
        assert self.container("-v", "vol:/v", ":", "cat", "/v/file").out == "kept\n"
        done = self.container("-v", "vol:/v:noexec", ":", "sh", "-c",
                              "cp /bin/busybox /v/ && /v/busybox true", check=False)
        assert done.rc == 126, done
        self.podman("volume", "rm", "vol")

    @scenario()
    def tmpfs_with_what_was_there(self):
        """Podman adds tmpcopyup to every tmpfs."""
        done = self.container("--tmpfs", "/etc", ":", "sh", "-c",
                              "cat /etc/group; stat -f -c %T /etc; touch /etc/new")
        assert "extra:x:1001:user" in done.out and "tmpfs" in done.out, done

    @scenario()
    def settings_of_the_process(self):
        options = ["--env", "A=b c", "--workdir", "/tmp", "--hostname", "box", "--ulimit",
                   "nofile=100:200", "--ulimit", ulimit("nproc"), "--sysctl", "net.ipv4.ip_forward=1", "--shm-size", "1m",
                   "--oom-score-adj", "500"]
        script = "echo $A; pwd; hostname; ulimit -Sn; ulimit -Hn; " \
                 "cat /proc/sys/net/ipv4/ip_forward; cat /proc/self/oom_score_adj; " \
                 "df -k /dev/shm | tail -1 | awk '{print $2}'"
        done = self.container(*options, ":", "sh", "-c", script)
        assert done.out.split("\n") == ["b c", "/tmp", "box", "100", "200", "1", "500", "1024",
                                        ""], done

    @scenario()
    def namespaces_of_the_host(self):
        def link(kind):
            return os.readlink("/proc/self/ns/" + kind) + "\n"
        for kind, option in (("pid", "--pid"), ("ipc", "--ipc"), ("uts", "--uts")):
            seen = self.container(option, "host", ":", "readlink", "/proc/self/ns/" + kind).out
            assert seen == link(kind), (kind, seen)
            assert self.container(":", "readlink", "/proc/self/ns/" + kind).out != link(kind)

    # ---- user namespaces ----

    @scenario(flavors=("root",))
    def user_namespace_with_mappings(self):
        done = self.container("--uidmap", "0:5000000:65536", "--gidmap", "0:5000000:65536", ":",
                              "sh", "-c",
                              "cat /proc/self/uid_map; touch /new; stat -c %u:%g /new /bin/sh")
        assert done.out.split() == ["0", "5000000", "65536", "0:0", "0:0"], done
        done = self.container("--uidmap", "0:5000000:65536", "--user", "1000", ":", "id", "-u")
        assert done.out == "1000\n", done

    @scenario()
    def user_namespace_chosen_by_the_engine(self):
        seen = set()
        for _number in range(2):
            done = self.background("--userns", "auto", ":", "sleep", "1000")
            pid = self.inspect(done, "{{.State.Pid}}")
            seen.add(self.read(f"/proc/{pid}/uid_map").split()[1])
        for container in self.podman("ps", "-q").out.split():
            self.podman("rm", "--force", "--time", "0", container)
        assert len(seen) == 2, seen

    @scenario(quick=True, flavors=("rootless",))
    def keep_id(self):
        done = self.container("--userns", "keep-id", ":", "sh", "-c",
                              "id -u; stat -c %u /proc/self/; id -g")
        assert done.out == f"{self.uid}\n" * 3, done
        done = self.container("--userns", "keep-id", "--user", "0", ":", "id", "-u")
        assert done.out == "0\n", done

    @scenario(flavors=("root",))
    def idmapped_volumes(self):
        source = self.mkdir("idmapped")
        self.file("idmapped/file", "text\n")
        maps = ("--uidmap", "0:5000000:65536", "--gidmap", "0:5000000:65536")
        show = (":", "sh", "-c", "stat -c %u:%g /v/file; touch /v/new && stat -c %u:%g /v/new")
        done = self.container(*maps, "-v", f"{source}:/v:idmap", *show)
        assert done.out.split() == ["0:0", "0:0"], done
        assert os.stat(self.path("idmapped/new")).st_uid == 0

    # ---- devices ----

    @scenario(flavors=("root",))
    def devices(self):
        read = "head -c 1 /dev/kmsg > /dev/null 2>&1 && echo read || echo refused"
        assert self.container("--cap-add", "mknod", ":", "sh", "-c",
                              f"mknod /dev/kmsg c 1 11; {read}").out == "refused\n"
        done = self.container("--device", "/dev/null:/dev/renamed:rwm", ":", "sh", "-c",
                              "stat -c %t:%T /dev/renamed; echo x > /dev/renamed && echo written")
        assert done.out == "1:3\nwritten\n", done

    @scenario()
    def devices_by_a_cdi_specification(self):
        out = self.path("tmp", "cdi-hook")
        self.mkdir("cdi")
        self.file("cdi/mounted", "by cdi\n")
        self.file("cdi/example.json", """{"cdiVersion": "0.5.0", "kind": "example.com/thing",
            "devices": [{"name": "one", "containerEdits": {
               "env": ["CDI=yes"],
               "deviceNodes": [{"path": "/dev/null", "permissions": "rw"},
                               {"path": "/dev/fuse"}],
               "mounts": [{"hostPath": "%s", "containerPath": "/mounted",
                           "options": ["ro", "nosuid", "nodev", "bind"]}],
               "hooks": [{"hookName": "createContainer", "path": "/bin/sh",
                          "args": ["sh", "-c", "cat > %s"]}]}}]}""" %
                  (self.path("cdi/mounted"), out))
        options = self.cdi_options()
        done = self.podman(*options, "run", "--rm", "--network", "none", "--device",
                           "example.com/thing=one", self.image, "sh", "-c",
                           "echo $CDI; cat /mounted; ls /dev/fuse", check=False)
        if self.rootless and done.rc and re.search("CDI|unresolvable|stat", done.err):
            self.skip("this Podman does not look for CDI specifications of a user")
        assert done.rc == 0, done
        assert done.out == "yes\nby cdi\n/dev/fuse\n", done
        assert '"status"' in self.read(out) and '"creating"' in self.read(out), "the hook"
        os.unlink(out)
        shutil.rmtree("/run/cdi", ignore_errors=True)

    def cdi_options(self):
        """--cdi-spec-dir is new; the old place is of the whole host, and so only there for root."""
        if "--cdi-spec-dir" in self.podman("--help").out:
            return ["--cdi-spec-dir", self.path("cdi")]
        if self.rootless:
            self.skip("this Podman has no --cdi-spec-dir")
        os.makedirs("/run/cdi", exist_ok=True)
        shutil.copy(self.path("cdi/example.json"), "/run/cdi/example.json")
        return []
