# SPDX-License-Identifier: Apache-2.0
"""Docker's scenarios: the application of every tutorial of Compose: web, app and redis."""

import os
import re
import shutil
import subprocess

from framework import scenario

COMPOSE = """
version: "3.3"
services:
  web:
    image: {image}
    command: httpd -f -p 80 -h /srv/web
    volumes: ["{dir}/srv:/srv:ro"]
    ports: ["127.0.0.1:8082:80"]
    depends_on: [app]
  app:
    image: {image}
    command: sh -c "echo begun; exec httpd -f -p 8000 -h /srv/app"
    environment:
      STORE: redis
    volumes: ["{dir}/srv:/srv:ro"]
    read_only: true
    depends_on: [redis]
  redis:
    image: {redis}
    volumes: ["store:/data"]
    stop_grace_period: 5s
volumes:
  store: {{}}
"""

# A statically linked program's look-up of names does not work without libraries.
NAME = """address() {
	nslookup "$1" | awk '/^Name:/ { found = 1 } found && /^Address/ { print $NF; exit }'
}
"""
WEB = """#!/bin/sh
. /srv/name
printf 'Content-Type: text/plain\\r\\n\\r\\n'
wget -q -O - "http://$(address app):8000/cgi-bin/visit"
"""
# What the tutorial's application does: counts visits in redis.
APP = """#!/bin/sh
. /srv/name
count=$(printf 'INCR hits\\r\\nQUIT\\r\\n' | nc "$(address redis)" 6379 | sed -n '1s/^:\\([0-9]*\\).*/\\1/p')
printf 'Content-Type: text/plain\\r\\n\\r\\nThis page was visited %s times.\\n' "$count"
"""


def libraries(program):
    """Paths that ldd names."""
    text = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return re.findall(r"(/\S+) \(0x", text)


class Compose:
    def redis_image(self):
        """An image of the redis-server that is installed here, with its libraries."""
        program = shutil.which("redis-server")
        if not program:
            self.skip("redis-server is not installed")
        tree = self.mkdir("redis")
        self.run("cp", "-a", self.world.rootfs + "/.", tree)
        for path in [program, *libraries(program)]:
            target = tree + (path if path.startswith("/lib") else "/bin/redis-server"
                             if path == program else path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy(os.path.realpath(path), target)
        os.makedirs(tree + "/data", exist_ok=True)
        self.run("tar", "-cf", self.path("redis.tar"), "-C", tree, ".")
        self.docker("import", "--change",
                    'CMD ["redis-server", "--dir", "/data", "--protected-mode", '
                    '"no", "--save", ""]', self.path("redis.tar"), "crun-redis")
        shutil.rmtree(tree)
        return "crun-redis"

    def compose(self, *words, **kwargs):
        program = shutil.which("docker-compose") or \
            "/usr/libexec/docker/cli-plugins/docker-compose"
        if not os.access(program, os.X_OK):
            self.skip("docker-compose is not installed")
        kwargs.setdefault("timeout", 120)
        return self.run(program, "--project-name", "shop", "--file", self.path("compose.yaml"),
                        *words,
                        **kwargs)

    def visit(self, port=8082):
        page = "/cgi-bin/visit"
        done = self.run(self.world.rootfs + "/bin/busybox", "wget", "-q", "-O", "-",
                        f"http://127.0.0.1:{port}{page}", check=False)
        found = re.fullmatch(r"This page was visited (\d+) times\.\n", done.out)
        return int(found.group(1)) if found else None

    @scenario(timeout=300)
    def compose_of_web_app_and_redis(self):
        self.compose("version")
        for name in ("srv", "srv/web", "srv/web/cgi-bin", "srv/app", "srv/app/cgi-bin"):
            self.mkdir(name)
        self.file("srv/name", NAME)
        self.file("srv/web/cgi-bin/visit", WEB, 0o755)
        self.file("srv/app/cgi-bin/visit", APP, 0o755)
        self.file("compose.yaml", COMPOSE.format(image=self.image, redis=self.redis_image(),
                                                 dir=self.dir))
        try:
            self.compose("up", "--detach")
            first = self.wait_until(self.visit, "the page", 60)
            assert self.visit() == first + 1
            assert self.compose("ps").out.count("redis") >= 1
            if self.has_exec():
                done = self.compose("exec", "-T", "app", "sh", "-c", "echo $STORE; touch /x",
                                    check=False)
                assert done.out == "redis\n" and "Read-only file system" in done.err, done
            self.compose("restart", "--timeout", "1", "app")
            assert self.wait_until(self.visit, "the page again", 60) == first + 2
            self.compose("stop", "--timeout", "2")
            self.compose("start")
            self.wait_until(self.visit, "the page after a stop", 60)
        finally:
            self.compose("logs", check=False)
            self.compose("down", "--volumes", "--timeout", "1", check=False)
            self.docker("rmi", "--force", "crun-redis", check=False)
