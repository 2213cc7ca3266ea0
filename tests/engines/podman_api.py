# SPDX-License-Identifier: Apache-2.0
"""Podman's scenarios: its Docker API, driven by Docker's own client, and compose files."""

import os
import shutil
import urllib.request

import hostside
from framework import PATH, scenario

REDIS = "localhost/crun-redis:latest"
# The usual tutorial: a page that counts its visits in redis.
COUNT = """#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
printf 'INCR hits\\r\\nQUIT\\r\\n' | nc redis 6379 | head -n 1
"""
COMPOSE = """
version: "3"
services:
  web:
    image: {image}
    command: ["httpd", "-f", "-p", "80", "-h", "/www"]
    ports: ["8000:80"]
    depends_on: [redis]
    volumes: ["{www}:/www:ro"]
  redis:
    image: {redis}
    command: ["redis-server", "--save", "", "--protected-mode", "no"]
    volumes: ["data:/data"]
    working_dir: /data
volumes:
  data: {{}}
"""


class Scenarios:
    def service(self):
        """`podman system service` for this scenario; the address of its socket."""
        path = self.path("tmp", "api.sock")
        self.popen(*self.argv("system", "service", "--time", "0", "unix://" + path))
        self.wait_until(lambda: os.path.exists(path), "the socket")
        return "unix://" + path

    def docker(self, address, *words, **kwargs):
        return self.run("docker", "-H", address, *words, **kwargs)

    @scenario(needs=("docker",), timeout=180)
    def docker_client_on_the_api_socket(self):
        at = self.service()
        assert "Podman" in self.docker(at, "version").out
        done = self.docker(at, "run", "--name", "first", "--network", "none", self.image, "sh",
                           "-c", "echo out; echo err >&2; exit 7", check=False)
        assert (done.rc, done.out, done.err) == (7, "out\n", "err\n"), done
        self.docker(at, "rm", "first")
        done = self.docker(at, "run", "--rm", "--network", "none", self.image, "echo", "hello")
        assert done.out == "hello\n", done
        self.docker(at, "run", "-d", "--name", "c", "--network", "none", self.image, "sh", "-c",
                    "echo begun; exec sleep 1000")
        assert self.docker(at, "ps", "--format", "{{.Names}}").out == "c\n"
        self.wait_until(lambda: self.docker(at, "logs", "c").out == "begun\n", "the log")
        done = self.docker(at, "exec", "c", "sh", "-c", "echo executed; exit 5", check=False)
        assert (done.rc, done.out) == (5, "executed\n"), done
        assert "sleep 1000" in self.docker(at, "top", "c").out
        if not self.rootless:
            self.docker(at, "pause", "c")
            self.docker(at, "unpause", "c")
        self.docker(at, "restart", "--time", "0", "c")
        self.docker(at, "kill", "c")
        assert self.docker(at, "wait", "c").out == "137\n"
        self.docker(at, "rm", "c")
        self.docker(at, "create", "--name", "m", "--network", "none", self.image, "no-such")
        missing = self.docker(at, "start", "m", check=False)
        assert missing.rc != 0 and "no-such" in missing.err, missing
        self.docker(at, "rm", "m")
        self.end_waiting_monitors()
        self.run("rm", "-f", self.path("tmp", "api.sock"))

    def end_waiting_monitors(self):
        """For exec by the API a monitor waits for five minutes before it forgets the session."""
        for pid in hostside.processes():
            try:
                words = self.read(f"/proc/{pid}/cmdline").split("\0")
            except OSError:
                continue
            if words[0].endswith("conmon") and "--exit-delay" in words:
                os.kill(pid, 9)

    @scenario(timeout=60)
    def containers_survive_the_service(self):
        path = self.path("tmp", "api.sock")
        service = self.popen(*self.argv("system", "service", "--time", "0", "unix://" + path))
        self.wait_until(lambda: os.path.exists(path), "the socket")
        remote = self.argv()[0:1] + ["--remote", "--url", "unix://" + path]
        done = self.run(*remote, "run", "-d", "--name", "c", "--network", "none", self.image,
                        "sleep", "1000")
        assert done.out.strip(), done
        service.terminate()
        service.wait(30)
        assert self.podman("ps", "--format", "{{.Names}}").out == "c\n"
        self.podman("rm", "--force", "--time", "0", "c")
        self.run("rm", "-f", path)

    # ---- compose ----

    def compose(self, *tool, **kwargs):
        """web + redis by a compose file; tool is the command without `up`."""
        if not self.world.redis_tar:
            self.skip("redis-server is not installed")
        www = self.mkdir("compose/www/cgi-bin")
        self.file("compose/www/cgi-bin/count", COUNT, 0o755)
        file = self.file("compose/compose.yml", COMPOSE.format(
            image=self.image, redis=REDIS, www=os.path.dirname(www)))
        self.podman("import", self.world.redis_tar, REDIS)
        try:
            up = self.run(*tool, "-f", file, "up", "-d", check=False, timeout=150, **kwargs)
            if up.rc and "dnsname" in up.err:
                self.skip("the network has no names: " + up.err.strip()[-100:])
            assert up.rc == 0, up
            hits = [self.visit() for _number in range(3)]
            assert hits == [":1", ":2", ":3"], hits
            self.run(*tool, "-f", file, "down", "--volumes", timeout=100, **kwargs)
            left = self.podman("ps", "-aq").out + self.podman("pod", "ps", "-q").out
            assert not left, left
        finally:
            self.tidy()
            self.podman("network", "prune", "--force", check=False)
            self.podman("volume", "prune", "--force", check=False)
            self.podman("rmi", "--force", REDIS, check=False)

    def visit(self):
        def ask():
            try:
                with urllib.request.urlopen("http://127.0.0.1:8000/cgi-bin/count",
                                            timeout=5) as answer:
                    return answer.read().decode().strip()
            except OSError:
                return None
        return self.wait_until(ask, "the page", 60)

    @scenario(timeout=300)
    def compose_of_web_and_redis_by_docker_compose(self):
        tool = ["docker-compose"]
        if not shutil.which("docker-compose", path=PATH):
            if not shutil.which("docker", path=PATH) or \
                    self.run("docker", "compose", "version", check=False).rc:
                self.skip("docker-compose is not installed")
            tool = ["docker", "compose"]
        self.compose(*tool, env={"DOCKER_HOST": self.service()})

    @scenario(timeout=300, needs=("podman-compose",))
    def compose_of_web_and_redis_by_podman_compose(self):
        wrapper = self.file("podman", "#!/bin/sh\nexec podman --tmpdir "
                            f"{self.path('t')} \"$@\"\n", 0o755)
        self.compose("podman-compose", "--podman-path", wrapper)
