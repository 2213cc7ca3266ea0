# SPDX-License-Identifier: Apache-2.0
"""Real programs of a distribution in Docker-like containers: by root and by an ordinary user."""

import re

import real_root
from harness import fields
from real_session import Place, in_every_mapping, terminal, work_at_a_shell

PROGRAM = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static void *square(void *arg) { return (void *)((long)arg * (long)arg); }

int main(void)
{
	long sum = 0;
	int status;
	pthread_t threads[8];

	for (long i = 0; i < 8; i++)
		if (pthread_create(&threads[i], NULL, square, (void *)i))
			return 1;
	for (int i = 0; i < 8; i++) {
		void *one;

		pthread_join(threads[i], &one);
		sum += (long)one;
	}
	if (fork() == 0)
		_exit(unshare(0x04000000) == -1 && errno == EPERM ? 42 : 1);
	wait(&status);
	printf("%ld %d\n", sum, WEXITSTATUS(status));
	return 0;
}
"""

HTTP_SERVER = """
set -e
mkdir /tmp/www
echo 'hello over http' > /tmp/www/index.html
exec python3 -m http.server --directory /tmp/www --bind 127.0.0.1 80
"""

HTTP_CLIENT = """
import sys, time, urllib.request
for attempt in range(100):
    try:
        sys.stdout.write(urllib.request.urlopen('http://localhost:80/').read().decode())
        break
    except urllib.error.URLError:
        time.sleep(0.1)
"""


def check_shell_session(t, mapping):
    place = Place.debian(t, mapping)
    work_at_a_shell(t, place.bundle(["bash", "--norc", "-i"], terminal), "40 132\n")


def check_container_looks_as_docker_makes_it(t, mapping):
    """What the programs below rely on, seen from inside."""
    place = Place.debian(t, mapping)
    status = fields(place.run(["cat", "/proc/self/status"]).splitlines())
    assert status["Seccomp"] == "2" and status["NoNewPrivs"] == "0", status
    assert status["CapEff"] == status["CapBnd"] == "00000000a80425fb", status
    assert place.run(["sh", "-c", "cat /proc/kcore /proc/keys 2>/dev/null | wc -c"]) == "0\n"
    assert place.run("! echo 1 2>/dev/null > /proc/sys/kernel/domainname && echo kept") == "kept\n"
    assert place.run("cat /etc/hosts") == "127.0.0.1\tlocalhost\n::1\tlocalhost\n"
    assert place.run("findmnt -no FSTYPE /run || stat -fc %T /run").strip() == "tmpfs"
    assert place.run("for n in null zero full random urandom tty; do "
                     "test -c /dev/$n || echo $n; done") == ""
    assert place.run("head -c 3 /dev/zero | wc -c; echo x > /dev/null") == "3\n"
    assert place.run("cat /proc/sys/net/ipv4/ip_unprivileged_port_start") == "0\n"


def check_apt_and_dpkg(t, mapping):
    place = Place.debian(t, mapping)
    assert re.match(r"apt \d+\.\d+.*\(\w+\)\n", place.run(["apt-get", "--version"]))
    assert "redis-server" in place.run(["dpkg", "-l"])
    assert place.run(["dpkg", "--audit"]) == ""
    # A package's whole way: packed, unpacked, its maintainer script run, and removed again.
    assert place.run(["bash", "-ec", """
        mkdir -p /tmp/p/DEBIAN /tmp/p/opt
        echo content > /tmp/p/opt/crun-test-file
        printf 'Package: crun-test\\nVersion: 1\\nArchitecture: all\\n' > /tmp/p/DEBIAN/control
        printf 'Maintainer: Nobody <nobody@example.org>\\nDescription: x\\n' >> /tmp/p/DEBIAN/control
        printf '#!/bin/sh\\necho configured as $(id -u)\\n' > /tmp/p/DEBIAN/postinst
        chmod 755 /tmp/p/DEBIAN/postinst
        dpkg-deb --build /tmp/p /tmp/p.deb > /dev/null
        dpkg -i /tmp/p.deb 2>&1 | tail -1
        cat /opt/crun-test-file
        dpkg -r crun-test > /dev/null
        test ! -e /opt/crun-test-file && echo removed"""]) == "configured as 0\ncontent\nremoved\n"


def check_compile_and_run(t, mapping):
    place = Place.debian(t, mapping)
    script = "cat > /root/x.c && gcc -O1 -Wall -pthread -o /root/x /root/x.c && exec /root/x"
    assert place.run(["bash", "-ec", script], input=PROGRAM.encode(), timeout=60) == "140 42\n"
    # A second container finds what the first has written.
    assert place.run(["/root/x"]) == "140 42\n"


def check_http_server(t, mapping):
    place = Place.debian(t, mapping)
    server, result, pid = place.detach(["bash", "-c", HTTP_SERVER])
    client = ["python3", "-c", HTTP_CLIENT]
    assert place.run(client, place.neighbour(pid), timeout=40) == "hello over http\n"
    # Only there: a container with a network of its own does not see it.
    alone = "import socket; print(socket.socket().connect_ex(('127.0.0.1', 80)))"
    assert place.run(["python3", "-c", alone]) == "111\n"
    assert place.run(["python3", "-c", alone], place.neighbour(pid)) == "0\n"
    t.wait_until(lambda: '"GET / HTTP/1.1" 200' in result.errors(), "the server's log")
    t.kill(server, "INT")   # python leaves at ^C
    t.wait_status(server, "stopped")
    t.delete(server)
    t.assert_no_trace(server)


def check_redis(t, mapping):
    place = Place.debian(t, mapping)
    argv = ["redis-server", "--port", "6379", "--dir", "/tmp", "--daemonize", "no"]
    server, result, pid = place.detach(argv, user=place.account("redis"))
    t.wait_until(lambda: "Ready to accept connections" in result.output(), "redis", 30)

    def client(*words, stdin=None):
        kwargs = {"input": stdin.encode()} if stdin else {}
        return place.run(["redis-cli", *words], place.neighbour(pid), **kwargs)
    assert client("ping") == "PONG\n"
    assert client("set", "greeting", "hello world") == "OK\n"
    assert client("get", "greeting") == "hello world\n"
    many = "".join(f"lpush list {n}\n" for n in range(2000))
    assert client(stdin=many).splitlines()[-1] == "2000"
    assert client("llen", "list") == "2000\n"
    assert client("bgsave") == "Background saving started\n"   # a fork that writes /tmp/dump.rdb
    t.wait_until(lambda: "DB saved on disk" in result.output(), "the snapshot", 20)
    client("shutdown", "nosave")
    t.wait_status(server, "stopped")
    t.delete(server)
    t.assert_no_trace(server)


def test_host_sources_are_understood(_t):
    one_line = "# x\ndeb [arch=amd64 signed-by=/k] http://m/debian trixie main contrib # y\n" \
               "deb-src http://m/debian trixie main\ndeb http://m/s trixie-security main\n"
    assert list(real_root.one_line_sources(one_line)) == [
        ("http://m/debian", "trixie", ["main", "contrib"]),
        ("http://m/s", "trixie-security", ["main"])]
    stanzas = "Types: deb deb-src\n# comment\nURIs: http://m/ubuntu/\nSuites: noble\n" \
              " noble-updates\nComponents: main universe\n\nTypes: deb\nEnabled: no\n" \
              "URIs: http://off/\nSuites: noble\nComponents: main\n"
    assert list(real_root.deb822_sources(stanzas)) == [
        ("http://m/ubuntu/", "noble", ["main", "universe"]),
        ("http://m/ubuntu/", "noble-updates", ["main", "universe"])]


in_every_mapping(globals(), real_root.BUILD_SECONDS + 120,
                 check_shell_session, check_container_looks_as_docker_makes_it,
                 check_apt_and_dpkg, check_compile_and_run, check_http_server, check_redis)
