# SPDX-License-Identifier: Apache-2.0
"""containerd's scenarios through the kubelet's interface (CRI, runtime.v1): pods.

Field numbers are those of k8s.io/cri-api's api.proto.
"""

import os

import grpc
from framework import scenario

SERVICE = "/runtime.v1.RuntimeService/"
POD, CONTAINER, NODE = 0, 1, 2          # NamespaceMode
CREATED, RUNNING, EXITED = 0, 1, 2      # ContainerState


class Cri:
    def cri(self, method, message, timeout=60):
        address = f"{self.run_dir}/containerd/containerd.sock"
        self.log("+ CRI", method, message)
        size = len(self.read(self.path("log/daemon")))
        try:
            return grpc.call(address, SERVICE + method, message, timeout)
        except grpc.Refused as err:
            lines = [line for line in self.read(self.path("log/daemon"))[size:].splitlines()
                     if "level=error" in line]
            raise grpc.Refused(f"{err}: {lines[-1] if lines else ''}") from None

    def refused(self, method, message):
        """The daemon's words about a call that must fail."""
        try:
            self.cri(method, message)
        except grpc.Refused as err:
            return str(err)
        raise AssertionError(f"{method} did not fail")

    def pod_config(self, name, network=NODE, pid=CONTAINER, **more):
        self.mkdir("pods")
        linux = {1: more.get("parent", ""),
                 2: {1: {1: network, 2: pid, 3: more.get("ipc", POD)}}}
        if "sysctls" in more:
            linux[3] = grpc.pairs(more["sysctls"])
        return {1: {1: name, 2: name + "-uid", 3: "default"}, 2: "" if network == NODE else name,
                3: self.path("pods"), 7: grpc.pairs({"example.com/note": "kept"}), 8: linux}

    def pod(self, name, **options):
        if self.rootless:
            self.skip("the CRI needs root")
        config = self.pod_config(name, **options)
        return config, grpc.get(self.cri("RunPodSandbox", {1: config}), 1).decode()

    def create(self, pod, name, command, security=None, resources=None, **more):
        config, sandbox = pod
        namespaces = config[8][2][1]
        container = {1: {1: name}, 2: {1: self.image}, 3: list(command), 11: name + ".log",
                     6: [{1: "ONE", 2: "1"}], 7: more.get("mounts", []),
                     15: {1: resources or {}, 2: {3: namespaces, **(security or {})}}}
        if more.get("tty"):
            container[14] = True
        answer = self.cri("CreateContainer", {1: sandbox, 2: container, 3: config})
        return grpc.get(answer, 1).decode()

    def run_in(self, pod, name, command, **options):
        container = self.create(pod, name, command, **options)
        self.cri("StartContainer", {1: container})
        return container

    def exec_sync(self, container, *command, timeout=0):
        answer = self.cri("ExecSync", {1: container, 2: list(command), 3: timeout})
        return (grpc.get(answer, 3, default=0), grpc.get(answer, 1, default=b"").decode(),
                grpc.get(answer, 2, default=b"").decode())

    def container_status(self, container):
        """(state, exit code, reason)"""
        answer = self.cri("ContainerStatus", {1: container})
        return (grpc.get(answer, 1, 3, default=0), grpc.get(answer, 1, 7, default=0),
                grpc.get(answer, 1, 10, default=b"").decode())

    def pod_log(self, name):
        path = self.path("pods", name + ".log")
        return self.read(path) if os.path.exists(path) else ""

    def pods(self):
        return [grpc.get(item, 1).decode()
                for item in grpc.decode(self.cri("ListPodSandbox", {})).get(1, [])]

    def tidy_pods(self):
        for sandbox in self.pods():
            self.cri("StopPodSandbox", {1: sandbox})
            self.cri("RemovePodSandbox", {1: sandbox})
        return []

    # ---- scenarios ----

    @scenario(quick=True, flavors=("root",))
    def pod_of_two_containers_that_share_network_and_ipc(self):
        if not os.path.exists("/usr/lib/cni/bridge"):
            self.skip("containernetworking-plugins is not installed")
        pod = self.pod("two", network=POD)
        server = self.run_in(pod, "server", [
            "sh", "-c", "mkdir /tmp/www; echo hello >/tmp/www/index.html; hostname; "
            "echo shared >/dev/shm/file; exec httpd -f -p 127.0.0.1:8080 -h /tmp/www"])
        client = self.run_in(pod, "client", ["sleep", "1000"])
        if self.has_exec():
            self.wait_until(lambda: self.exec_sync(
                client, "wget", "-q", "-O", "-", "http://127.0.0.1:8080/")[1] == "hello\n", "a page")
            assert self.exec_sync(client, "cat", "/dev/shm/file") == (0, "shared\n", "")
        pids = [self.init_pid(container) for container in (server, client)]
        for kind, same in (("net", True), ("ipc", True), ("uts", True), ("mnt", False), ("pid", False)):
            links = {os.readlink(f"/proc/{pid}/ns/{kind}") for pid in pids}
            assert (len(links) == 1) == same, (kind, links)
        self.wait_until(lambda: "stdout F two" in self.pod_log("server"), "the log")
        answer = self.cri("PodSandboxStatus", {1: pod[1]})
        assert grpc.get(answer, 1, 5, 1, default=b"").decode().startswith("198.51.100."), answer
        self.end(pod, server, client)

    def init_pid(self, container):
        for line in self.ctr("--namespace", "k8s.io", "task", "ls").out.splitlines():
            words = line.split()
            if words[0] == container:
                return words[1]
        raise AssertionError(f"no task {container}")

    def end(self, pod, *containers):
        for container in containers:
            self.cri("StopContainer", {1: container, 2: 1})
            assert self.container_status(container)[0] == EXITED
            self.cri("RemoveContainer", {1: container})
        self.cri("StopPodSandbox", {1: pod[1]})
        self.cri("RemovePodSandbox", {1: pod[1]})
        assert not self.pods()

    @scenario(flavors=("root",))
    def pod_exit_codes_reasons_and_logs(self):
        pod = self.pod("codes")
        container = self.run_in(pod, "seven", ["sh", "-c", "echo out; echo err >&2; exit 7"])
        self.wait_until(lambda: self.container_status(container)[0] == EXITED, "the end")
        assert self.container_status(container) == (EXITED, 7, "Error")
        self.wait_until(lambda: self.pod_log("seven").count("\n") == 2, "two lines")
        assert " stdout F out" in self.pod_log("seven") and " stderr F err" in self.pod_log("seven")
        missing = self.create(pod, "missing", ["no-such-program"])
        text = self.refused("StartContainer", {1: missing})
        assert "executable file `no-such-program` not found in $PATH" in text.replace("\\", ""), text
        assert self.container_status(missing)[:2] == (EXITED, 128), self.container_status(missing)
        self.end(pod)

    @scenario(flavors=("root",))
    def pod_exec_sync(self):
        self.need_exec()
        pod = self.pod("exec")
        container = self.run_in(pod, "main", ["sleep", "1000"], security={5: {1: 1000}})
        assert self.exec_sync(container, "sh", "-c", "echo out; echo err >&2; exit 3") == \
            (3, "out\n", "err\n")
        assert self.exec_sync(container, "sh", "-c", "id -u; echo $ONE")[1] == "1000\n1\n"
        text = self.refused("ExecSync", {1: container, 2: ["no-such-program"]})
        assert "no-such-program" in text, text
        text = self.refused("ExecSync", {1: container, 2: ["sleep", "99"], 3: 1})
        assert "timeout" in text or "deadline" in text, text
        for number in range(10):
            assert self.exec_sync(container, "echo", str(number)) == (0, f"{number}\n", "")
        self.end(pod, container)

    @scenario(flavors=("root",))
    def pod_resources_update_and_stats(self):
        self.need_controllers("memory", "cpu")
        pod = self.pod("limits", parent="/kubepods/pod1")
        container = self.run_in(pod, "main", ["sleep", "1000"], resources={
            1: 100000, 2: 20000, 3: 512, 4: 64 << 20, 5: 100})
        group = "kubepods/pod1"
        assert self.limit(container, "memory", "memory.max", "memory.limit_in_bytes",
                          group) == str(64 << 20)
        self.cri("UpdateContainerResources", {1: container, 2: {4: 96 << 20, 2: 30000, 1: 100000}})
        assert self.limit(container, "memory", "memory.max", "memory.limit_in_bytes",
                          group) == str(96 << 20)
        assert self.limit(container, "cpu", "cpu.max", "cpu.cfs_quota_us",
                          group) in ("30000", "30000 100000")
        stats = grpc.get(self.cri("ContainerStats", {1: container}), 1)
        assert grpc.get(stats, 1, 1).decode() == container
        assert grpc.get(stats, 3, 2, 1, default=0) > 0, grpc.decode(stats)
        pid = self.init_pid(container)
        assert self.read(f"/proc/{pid}/oom_score_adj") != "", pid
        self.end(pod, container)

    @scenario(flavors=("root",))
    def pod_with_a_shared_pid_namespace(self):
        pod = self.pod("pids", pid=POD)
        first = self.run_in(pod, "first", ["sleep", "1111"])
        second = self.run_in(pod, "second", ["sh", "-c", "ps; sleep 1000 & sleep 1000 & wait"])
        self.wait_until(lambda: "sleep 1111" in self.pod_log("second"), "the neighbour")
        self.cri("StopContainer", {1: second, 2: 0})
        assert self.container_status(second)[0] == EXITED
        assert self.container_status(first)[0] == RUNNING
        self.end(pod, first)

    @scenario(flavors=("root",))
    def pod_security(self):
        pod = self.pod("security", network=POD if os.path.exists("/usr/lib/cni/bridge") else NODE,
                       **({"sysctls": {"net.ipv4.ip_unprivileged_port_start": "1"}}
                          if os.path.exists("/usr/lib/cni/bridge") else {}))
        script = "touch /x || echo read-only; grep -E 'NoNewPrivs|CapEff|^Seccomp:' /proc/1/status; " \
            "id -G; cat /proc/sys/net/ipv4/ip_unprivileged_port_start; cat /proc/kcore | wc -c"
        container = self.run_in(pod, "main", ["sh", "-c", script], security={
            1: {2: ["ALL"]}, 5: {1: 1000}, 7: True, 8: [3000], 11: True, 12: {1: 1000},
            13: ["/proc/kcore"], 15: {1: 0}})
        self.wait_until(lambda: self.container_status(container)[0] == EXITED, "the end")
        log = self.pod_log("main")
        for words in ("F read-only", "NoNewPrivs:\t1", "CapEff:\t0000000000000000", "Seccomp:\t2",
                      "F 1000 ", "3000", "stdout F 0"):
            assert words in log, (words, log)
        self.end(pod, container)

    @scenario(flavors=("root",))
    def pod_container_out_of_memory(self):
        self.need_controllers("memory")
        pod = self.pod("oom")
        container = self.run_in(pod, "main", ["tail", "/dev/zero"], resources={4: 32 << 20})
        self.wait_until(lambda: self.container_status(container)[0] == EXITED, "the end", 60)
        status = self.container_status(container)
        assert status == (EXITED, 137, "OOMKilled"), status
        self.end(pod, container)

    @scenario(flavors=("root",))
    def pod_container_killed_by_a_signal_when_stopped(self):
        pod = self.pod("stop")
        polite = self.run_in(pod, "polite", ["sh", "-c", "trap 'exit 3' TERM; echo ready; "
                                             "while :; do sleep 0.1; done"])
        deaf = self.run_in(pod, "deaf", ["sh", "-c", "trap '' TERM; echo ready; sleep 1000 & wait"])
        for name in ("polite", "deaf"):
            self.wait_until(lambda name=name: "ready" in self.pod_log(name), "both")
        self.cri("StopContainer", {1: polite, 2: 20})
        assert self.container_status(polite)[1] == 3
        self.cri("StopContainer", {1: deaf, 2: 1})
        assert self.container_status(deaf)[1] == 137
        self.end(pod)

    @scenario(flavors=("root",), timeout=300)
    def pod_survives_a_restart_of_the_daemon(self):
        pod = self.pod("restart")
        container = self.run_in(pod, "main", ["sleep", "1000"])
        self.stop_daemon()
        self.start_daemon()
        assert self.container_status(container)[0] == RUNNING
        if self.has_exec():
            assert self.exec_sync(container, "echo", "after") == (0, "after\n", "")
        self.end(pod, container)
