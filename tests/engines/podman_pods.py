# SPDX-License-Identifier: Apache-2.0
"""Podman's scenarios: containers that share namespaces, pods and networks."""

import re
import urllib.error
import urllib.request

from framework import scenario

SERVE = "mkdir -p /www; echo hello > /www/index.html; exec httpd -f -p {} -h /www"
FETCH = "for i in $(seq 100); do wget -qO- http://{}/ 2>/dev/null && exit; " \
        "usleep 100000; done; exit 1"
KUBE = """
apiVersion: v1
kind: Pod
metadata:
  name: two
spec:
  restartPolicy: Never
  containers:
  - name: writer
    image: {image}
    imagePullPolicy: Never
    command: ["sh", "-c", "echo written > /data/file; exec sleep 1000"]
{limits}    volumeMounts:
    - name: data
      mountPath: /data
  - name: reader
    image: {image}
    imagePullPolicy: Never
    command: ["sh", "-c", "until cat /in/file; do usleep 50000; done; exec sleep 1000"]
    securityContext:
      runAsUser: 1000
      readOnlyRootFilesystem: true
    volumeMounts:
    - name: data
      mountPath: /in
      readOnly: true
  volumes:
  - name: data
    hostPath:
      path: {data}
      type: Directory
"""
# Not for users who have no cgroup of their own.
LIMITS = """    resources:
      limits:
        memory: 64Mi
"""


class Scenarios:
    def networked(self, *words, **kwargs):
        """`podman run` without --network none."""
        return self.podman("run", *self.words(words), **kwargs)

    def fetched(self, address):
        """What a web server in the room's own network answers."""
        def ask():
            try:
                with urllib.request.urlopen(f"http://{address}/", timeout=3) as answer:
                    return answer.read().decode()
            except (OSError, urllib.error.URLError):
                return None
        return self.wait_until(ask, f"an answer of {address}")

    @scenario(quick=True)
    def second_container_in_the_network_of_the_first(self):
        self.background("--name", "web", ":", "sh", "-c", SERVE.format("127.0.0.1:80"))
        done = self.networked("--rm", "--network", "container:web", ":", "sh", "-c",
                              FETCH.format("127.0.0.1"))
        assert done.out == "hello\n", done
        shared = self.networked("--rm", "--network", "container:web", "--pid", "container:web",
                                "--ipc", "container:web", ":", "ps")
        assert "httpd -f" in shared.out, shared
        self.podman("rm", "--force", "--time", "0", "web")

    @scenario()
    def pod_with_shared_namespaces(self):
        self.podman("pod", "create", "--name", "pod", "--network", "none", "--share",
                    "net,ipc,uts,pid", "--hostname", "podded")
        self.networked("-d", "--pod", "pod", "--name", "web", ":", "sh", "-c",
                       SERVE.format("127.0.0.1:80"))
        links = "for n in net ipc uts pid; do readlink /proc/self/ns/$n; done; hostname"
        first = self.networked("--rm", "--pod", "pod", ":", "sh", "-c", links)
        second = self.networked("--rm", "--pod", "pod", ":", "sh", "-c", links)
        assert first.out == second.out and first.out.endswith("podded\n"), (first, second)
        assert self.networked("--rm", "--pod", "pod", ":", "sh", "-c",
                              FETCH.format("127.0.0.1")).out == "hello\n"
        assert self.networked("--rm", "--pod", "pod", ":", "ps").out.count("httpd") >= 1
        self.podman("pod", "stop", "--time", "0", "pod")
        self.podman("pod", "start", "pod")
        self.wait_until(lambda: "hello" in self.podman(
            "exec", "web", "wget", "-qO-", "http://127.0.0.1/", check=False).out, "the pod again")
        if not self.rootless:
            self.podman("pod", "pause", "pod")
            self.podman("pod", "unpause", "pod")
        # With the first process of their pid namespace the others end: they may be gone by then.
        killed = self.podman("pod", "kill", "pod", check=False)
        assert killed.rc == 0 or "not running" in killed.err, killed
        self.podman("pod", "rm", "--force", "pod")

    @scenario(timeout=300)
    def kube_play_of_two_containers_with_a_volume(self):
        data = self.mkdir("kube-data", 0o777)
        text = self.file("pod.yaml", KUBE.format(
            image=self.image, data=data, limits="" if self.rootless else LIMITS))
        self.podman("kube", "play", "--network", "none", text)
        self.wait_until(lambda: self.podman("logs", "two-reader").out == "written\n",
                        "what the other wrote")
        assert self.podman("exec", "two-reader", "id", "-u").out == "1000\n"
        assert self.podman("exec", "two-reader", "sh", "-c", "echo x > /file; echo x > /in/file",
                           check=False).err.count("Read-only") == 2
        if not self.rootless:
            limit = self.podman("exec", "two-writer", "sh", "-c",
                                "cat /sys/fs/cgroup/memory.max "
                                "/sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null",
                                check=False)
            assert str(64 << 20) in limit.out, limit
        self.podman("kube", "down", text)
        assert self.podman("pod", "ps", "-q").out == ""

    # ---- networks ----

    @scenario(timeout=300)
    def two_containers_in_a_network(self):
        made = self.podman("network", "create", "net1", check=False)
        if made.rc:
            self.skip("no network: " + made.err.strip().splitlines()[-1][:100])
        try:
            web = self.networked("-d", "--network", "net1", "--name", "web", ":", "sh", "-c",
                                 SERVE.format("80"), check=False)
            if web.rc and re.search("netavark|iptables|nftables|CNI|slirp4netns|pasta", web.err):
                self.skip("the network cannot be set up: " + web.err.strip()[-150:])
            assert web.rc == 0, web
            address = self.inspect("web", "{{.NetworkSettings.Networks.net1.IPAddress}}")
            done = self.networked("--rm", "--network", "net1", ":", "sh", "-c",
                                  FETCH.format(address))
            assert done.out == "hello\n", done
            done = self.networked("--rm", "--network", "net1", ":", "sh", "-c",
                                  FETCH.format("web"), check=False)
            assert done.out == "hello\n", f"no answer by name: {done}"
            self.podman("rm", "--force", "--time", "0", "web")
        finally:
            self.podman("network", "rm", "--force", "net1", check=False)

    @scenario(flavors=("root",))
    def published_port(self):
        web = self.networked("-d", "-p", "8080:80", "--name", "web", ":", "sh", "-c",
                             SERVE.format("80"), check=False)
        if web.rc and re.search("netavark|iptables|nftables|CNI", web.err):
            self.skip("the network cannot be set up: " + web.err.strip()[-150:])
        assert web.rc == 0, web
        assert self.fetched("192.0.2.2:8080") == "hello\n"
        self.podman("rm", "--force", "--time", "0", "web")

    @scenario(flavors=("rootless",), needs=("slirp4netns",))
    def network_by_slirp4netns(self):
        self.networked("-d", "-p", "8080:80", "--network", "slirp4netns", "--name", "web", ":",
                       "sh", "-c", SERVE.format("80"))
        assert self.fetched("127.0.0.1:8080") == "hello\n"
        assert "10.0.2.100" in self.podman("exec", "web", "ip", "addr").out
        self.podman("rm", "--force", "--time", "0", "web")

    @scenario(flavors=("rootless",), needs=("pasta",))
    def network_by_pasta(self):
        web = self.networked("-d", "-p", "8080:80", "--network", "pasta", "--name", "web", ":",
                             "sh", "-c", SERVE.format("80"), check=False)
        if web.rc and re.search("unable to find network|network not found", web.err):
            self.skip("this Podman is too old for pasta")
        assert web.rc == 0, web
        assert self.fetched("127.0.0.1:8080") == "hello\n"
        self.podman("rm", "--force", "--time", "0", "web")
