# SPDX-License-Identifier: Apache-2.0
"""The real workloads that need no distribution: busybox as shell, server and client.

They run where the network for test_real_debian.py is missing, and are quick everywhere.
"""

from harness import PATIENCE
from real_session import Place, in_every_mapping, terminal, work_at_a_shell

HTTP_SERVER = "mkdir /tmp/www; echo 'hello over http' > /tmp/www/index.html; " \
              "exec httpd -f -p 127.0.0.1:80 -h /tmp/www"
HTTP_CLIENT = "for i in $(seq 100); do wget -qO- http://127.0.0.1:80/ 2>/dev/null && exit; " \
              "usleep 100000; done; exit 1"


def check_shell_session(t, mapping):
    place = Place(t, mapping)
    work_at_a_shell(t, place.bundle(["sh", "-i"], terminal), "40 132\n")


def check_http_server(t, mapping):
    place = Place(t, mapping)
    server, _result, pid = place.detach(HTTP_SERVER)
    assert place.run(HTTP_CLIENT, place.neighbour(pid)) == "hello over http\n"
    alone = "wget -qO- http://127.0.0.1:80/ 2>&1; true"
    assert "refused" in place.run(alone)
    assert "hello" in place.run(alone, place.neighbour(pid))
    t.kill(server, "KILL")
    t.wait_status(server, "stopped")
    t.delete(server)
    t.assert_no_trace(server)


def check_many_processes_share_one_server(t, mapping):
    """Twenty containers at once in the network namespace of another one."""
    place = Place(t, mapping)
    server, _result, pid = place.detach(HTTP_SERVER)
    place.run(HTTP_CLIENT, place.neighbour(pid))
    bundles = [place.bundle(HTTP_CLIENT, place.neighbour(pid)) for _n in range(20)]
    children = [t.popen("run", "-b", b.path, b.id, stdout=-3) for b in bundles]
    assert [child.wait(30 * PATIENCE) for child in children] == [0] * 20
    for bundle in bundles:
        t.assert_no_trace(bundle)
    t.delete(server, force=True)


in_every_mapping(globals(), 60, check_shell_session, check_http_server,
                 check_many_processes_share_one_server)
