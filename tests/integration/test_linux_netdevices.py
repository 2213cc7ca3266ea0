# SPDX-License-Identifier: Apache-2.0
"""linux.netDevices, with interfaces that are made in a network namespace of the test's own."""

import json
import os
import shutil
import signal
import subprocess

import hostside
from test_gc import found_by, killed_at, strace
from test_run import hook

CLONE_NEWNET = 0x40000000
RANGE = [{"containerID": 0, "hostID": 100000, "size": 65536}]
ADDRESSES = ("192.0.2.7/24", "198.51.100.9/32", "2001:db8::7/64")


def ip(*args, check=True):
    done = subprocess.run(["ip", *args], capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, (args, done.stderr)
    return done.stdout


def private_network(t):
    """From here on the test and the runtime are in a network namespace that nobody else uses."""
    if not shutil.which("ip"):
        t.skip("needs ip(8)")
    if hostside.LIBC.unshare(CLONE_NEWNET) != 0:
        t.skip("no new network namespace")
    ip("link", "set", "lo", "up")


def add_pair(name, pid=None):
    """A veth pair NAME and NAMEp, the one kind of virtual interface that every kernel has."""
    enter = ["nsenter", "-t", str(pid), "-n"] if pid else []
    return subprocess.run([*enter, "ip", "link", "add", name, "type", "veth", "peer", "name",
                           name + "p"], capture_output=True, text=True, check=False)


def make(t, name="nd0", addresses=ADDRESSES, up=True):
    done = add_pair(name)
    if done.returncode != 0:
        t.skip(f"no veth: {done.stderr.strip()}")
    for address in addresses:
        ip("addr", "add", address, "dev", name)
    if up:
        ip("link", "set", name, "up")
        ip("link", "set", name + "p", "up")


def may(bundle, capability):
    for kind in ("bounding", "effective", "permitted"):
        names = bundle.config["process"]["capabilities"].setdefault(kind, [])
        names.append(capability)
    return bundle.save()


def links(pid=None):
    """name -> (set of global addresses, up) of a process's network namespace, or of ours."""
    enter = ["nsenter", "-t", str(pid), "-n"] if pid else []
    found = subprocess.run([*enter, "ip", "-j", "addr"], capture_output=True, text=True,
                           check=True)
    return {link["ifname"]: ({f"{a['local']}/{a['prefixlen']}" for a in link["addr_info"]
                              if a.get("scope") == "global"}, "UP" in link["flags"])
            for link in json.loads(found.stdout)}


def with_devices(t, devices, args="sleep 1000", namespaces=("mount", "pid", "network"), **more):
    def mutate(conf):
        conf["linux"]["namespaces"] = [kind if isinstance(kind, dict) else {"type": kind}
                                       for kind in namespaces]
        conf["linux"]["netDevices"] = devices
        conf["linux"].update(more)
        conf.pop("hostname", None)
        # Not what these tests are about, and of another owner than some of their namespaces.
        conf["mounts"] = [m for m in conf["mounts"]
                          if m["type"] not in ("sysfs", "cgroup", "mqueue")]
    return t.bundle(args, mutate=mutate)


def refused(t, bundle, has):
    before = links()
    result = t.fails("run", "-b", bundle.path, bundle.id, has=has)
    assert links() == before, (before, links())
    t.assert_no_trace(bundle)
    return result


def test_device_moves_with_its_addresses_and_is_up(t):
    private_network(t)
    make(t)
    bundle = with_devices(t, {"nd0": {}})
    t.create(bundle)
    there = links(t.pid(bundle))
    assert there["nd0"] == (set(ADDRESSES), True), there
    assert there["lo"][1], there
    assert "nd0" not in links()


def test_device_that_was_down_is_up_inside(t):
    private_network(t)
    make(t, up=False)
    bundle = with_devices(t, {"nd0": {}})
    t.create(bundle)
    assert links(t.pid(bundle))["nd0"] == (set(ADDRESSES), True)


def test_devices_get_new_names(t):
    private_network(t)
    make(t)
    make(t, "nd1", addresses=["203.0.113.1/24"])
    bundle = with_devices(t, {"nd0": {"name": "net0"}, "nd1": {"name": "nd0"}})
    t.create(bundle)
    there = links(t.pid(bundle))
    assert there["net0"] == (set(ADDRESSES), True), there
    assert there["nd0"] == ({"203.0.113.1/24"}, True), there


def test_template_takes_the_first_free_number(t):
    private_network(t)
    make(t)
    make(t, "nd1", addresses=[])
    bundle = with_devices(t, {"nd0": {"name": "net%d"}, "nd1": {"name": "net%d"}})
    t.create(bundle)
    assert {"net0", "net1"} <= set(links(t.pid(bundle)))


def test_temporary_and_narrow_addresses_stay_behind(t):
    private_network(t)
    make(t, addresses=["192.0.2.7/24"])
    ip("addr", "add", "192.0.2.8/24", "dev", "nd0", "valid_lft", "500", "preferred_lft", "500")
    ip("addr", "add", "169.254.3.3/16", "dev", "nd0", "scope", "link")
    bundle = with_devices(t, {"nd0": {}})
    t.create(bundle)
    found = subprocess.run(
        ["nsenter", "-t", str(t.pid(bundle)), "-n", "ip", "addr", "show", "nd0"],
        capture_output=True, text=True, check=True).stdout
    assert "192.0.2.7/24" in found, found
    assert "192.0.2.8" not in found and "169.254.3.3" not in found, found


def test_attributes_survive_the_move(t):
    private_network(t)
    make(t, addresses=[])
    ip("link", "set", "nd0", "mtu", "1234", "address", "02:00:00:00:12:34")
    ip("addr", "add", "192.0.2.1", "peer", "192.0.2.2/32", "dev", "nd0", "metric", "77")
    bundle = with_devices(t, {"nd0": {"name": "x"}})
    t.create(bundle)
    found = subprocess.run(["nsenter", "-t", str(t.pid(bundle)), "-n", "ip", "addr", "show", "x"],
                           capture_output=True, text=True, check=True).stdout
    for text in ("mtu 1234", "02:00:00:00:12:34", "192.0.2.1 peer 192.0.2.2/32", "metric 77"):
        assert text in found, (text, found)


def test_end_of_a_pair_still_reaches_the_other(t):
    private_network(t)
    make(t, addresses=["192.0.2.2/24"])
    ip("addr", "add", "192.0.2.1/24", "dev", "nd0p")
    bundle = with_devices(t, {"nd0": {"name": "eth0"}}, "ping -c 1 -W 5 192.0.2.1")
    assert " 0% packet loss" in t.run_container(may(bundle, "CAP_NET_RAW")).out


def test_device_is_there_for_hooks_and_sysctls(t):
    private_network(t)
    make(t)
    bundle = with_devices(t, {"nd0": {"name": "eth7"}},
                          "cat /proc/sys/net/ipv4/conf/eth7/arp_ignore",
                          sysctl={"net.ipv4.conf.eth7.arp_ignore": "2"})
    note = t.path("seen")
    bundle.config["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": [
        "sh", "-c", 'pid=$(tr -d \' "\' | sed "s/.*pid:\\([0-9]*\\).*/\\1/"); '
                    f'nsenter -t "$pid" -n ip link >{note}']}]}
    bundle.save()
    assert t.run_container(bundle).out == "2\n"
    with open(note, encoding="ascii") as source:
        assert "eth7" in source.read()


def test_device_in_a_new_user_namespace(t):
    private_network(t)
    make(t)
    os.chmod(t.dir, 0o755)
    bundle = with_devices(t, {"nd0": {}}, "ip link set nd0 mtu 1400 && sleep 1000",
                          namespaces=("mount", "pid", "network", "user"),
                          uidMappings=RANGE, gidMappings=RANGE)
    may(bundle, "CAP_NET_ADMIN")
    t.rt("run", "-d", "-b", bundle.path, bundle.id)
    pid = t.pid(bundle)
    assert links(pid)["nd0"] == (set(ADDRESSES), True)
    assert os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/self/ns/net")
    # Its user namespace owns the network namespace: root inside rules over the device.
    t.wait_until(lambda: "mtu 1400" in subprocess.run(
        ["nsenter", "-t", str(pid), "-n", "ip", "link", "show", "nd0"], capture_output=True,
        text=True, check=True).stdout, "the container to set the mtu")


def joined(t):
    """Another network namespace, held by a process."""
    own = os.readlink("/proc/self/ns/net")
    child = t.popen(argv=["unshare", "-n", "sleep", "1000"])
    t.wait_until(lambda: os.readlink(f"/proc/{child.pid}/ns/net") != own, "unshare")
    return child, {"type": "network", "path": f"/proc/{child.pid}/ns/net"}


def test_device_stays_in_a_joined_namespace_until_the_delete(t):
    private_network(t)
    make(t)
    holder, namespace = joined(t)
    bundle = with_devices(t, {"nd0": {"name": "eth0"}}, namespaces=("mount", "pid", namespace))
    t.create(bundle)
    assert links(holder.pid)["eth0"] == (set(ADDRESSES), True)
    # config-linux.md: it must not be moved out before deletion, whatever becomes of the process.
    t.rt("kill", bundle.id, "KILL")
    t.wait_status(bundle, "stopped")
    assert links(holder.pid)["eth0"] == (set(ADDRESSES), True)
    result = t.delete(bundle)
    assert not result.err, result
    assert "eth0" not in links(holder.pid)
    assert links()["nd0"] == (set(ADDRESSES), True), links()
    # And it can be had again.
    t.create(bundle)
    t.delete(bundle, force=True)
    assert links()["nd0"] == (set(ADDRESSES), True), links()


def test_device_is_back_when_run_has_ended(t):
    private_network(t)
    make(t, up=False)
    holder, namespace = joined(t)
    bundle = with_devices(t, {"nd0": {"name": "eth0"}}, "true",
                          namespaces=("mount", "pid", namespace))
    result = t.run_container(bundle)
    assert not result.err, result
    assert set(links(holder.pid)) == {"lo"}
    assert links()["nd0"] == (set(ADDRESSES), False), links()


def test_device_of_a_namespace_that_others_hold_is_back_after_delete(t):
    private_network(t)
    make(t)
    bundle = with_devices(t, {"nd0": {"name": "eth0"}}, "sleep 1000")
    t.create(bundle)
    guest = t.popen(argv=["nsenter", "-t", str(t.pid(bundle)), "-n", "sleep", "1000"])
    there = os.readlink(f"/proc/{t.pid(bundle)}/ns/net")
    t.wait_until(lambda: os.readlink(f"/proc/{guest.pid}/ns/net") == there, "nsenter")
    t.rt("kill", bundle.id, "KILL")
    t.wait_status(bundle, "stopped")
    assert links(guest.pid)["eth0"] == (set(ADDRESSES), True)
    t.delete(bundle)
    assert links()["nd0"] == (set(ADDRESSES), True), links()


def test_device_of_a_named_namespace_is_back_after_delete(t):
    private_network(t)
    make(t)
    bundle = with_devices(t, {"nd0": {}}, "sleep 1000")
    t.create(bundle)
    name = t.path("netns")
    with open(name, "w", encoding="ascii"):
        pass
    subprocess.run(["mount", "--bind", f"/proc/{t.pid(bundle)}/ns/net", name], check=True)
    try:
        t.rt("kill", bundle.id, "KILL")
        t.wait_status(bundle, "stopped")
        t.delete(bundle)
        assert links()["nd0"] == (set(ADDRESSES), True), links()
    finally:
        subprocess.run(["umount", name], check=True)


def test_virtual_device_of_a_living_container_is_back_after_delete(t):
    """Nobody else holds the namespace: the runtime does, while it ends the container."""
    private_network(t)
    make(t)
    bundle = with_devices(t, {"nd0": {"name": "eth0"}}, "sleep 1000")
    t.create(bundle)
    t.delete(bundle)
    assert links()["nd0"] == (set(ADDRESSES), True), links()
    t.rt("run", "-d", "-b", bundle.path, bundle.id)
    t.delete(bundle, force=True)
    assert links()["nd0"] == (set(ADDRESSES), True), links()


def test_renamed_device_is_back_under_its_old_name(t):
    private_network(t)
    make(t)
    holder, namespace = joined(t)
    bundle = with_devices(t, {"nd0": {"name": "eth0"}}, namespaces=("mount", "pid", namespace))
    t.create(bundle)
    enter = ["nsenter", "-t", str(holder.pid), "-n", "ip"]
    subprocess.run([*enter, "link", "set", "eth0", "down"], check=True)
    subprocess.run([*enter, "link", "set", "eth0", "name", "other"], check=True)
    subprocess.run([*enter, "addr", "add", "203.0.113.9/24", "dev", "other"], check=True)
    t.delete(bundle, force=True)
    # With what it had here, and nothing that it was given there.
    assert links()["nd0"] == (set(ADDRESSES), True), links()


def test_another_device_of_its_name_or_number_is_not_taken(t):
    """A joined namespace may belong to somebody who would like a device of his among the host's."""
    private_network(t)
    make(t)
    holder, namespace = joined(t)
    bundle = with_devices(t, {"nd0": {"name": "eth0"}}, namespaces=("mount", "pid", namespace))
    t.create(bundle)
    enter = ["nsenter", "-t", str(holder.pid), "-n", "ip"]
    index = json.loads(subprocess.run([*enter, "-j", "link", "show", "eth0"], check=True,
                                      capture_output=True).stdout)[0]["ifindex"]
    subprocess.run([*enter, "link", "del", "eth0"], check=True)
    # The same kind; but where its other end is, he cannot choose.
    subprocess.run([*enter, "link", "add", "eth0", "index", str(index), "type", "veth", "peer",
                    "name", "mine"], check=True)
    t.delete(bundle, force=True)
    assert "nd0" not in links(), links()
    assert {"eth0", "mine"} <= set(links(holder.pid))


def test_another_device_is_not_taken_for_one_of_a_cut_off_creation(t):
    """A runtime that is killed right after the move has noted neither number: as its record was before that."""
    private_network(t)
    make(t)
    peer = json.loads(ip("-j", "link", "show", "nd0p"))[0]["ifindex"]
    holder, namespace = joined(t)
    bundle = with_devices(t, {"nd0": {"name": "eth0"}}, namespaces=("mount", "pid", namespace))
    enter = ["nsenter", "-t", str(holder.pid), "-n", "ip"]
    for replaced in (False, True):
        t.create(bundle)
        path = os.path.join(t.state_dir, bundle.id, "state.json")
        with open(path, encoding="utf-8") as source:
            record = json.load(source)
        for key in ("index", "linkNamespace"):
            del record["netDevices"][0][key]
        with open(path, "w", encoding="utf-8") as out:
            json.dump(record, out)
        if replaced:
            subprocess.run([*enter, "link", "del", "eth0"], check=True)
            subprocess.run([*enter, "link", "add", "eth0", "type", "veth", "peer", "name", "mine",
                            "index", str(peer)], check=True)
        t.delete(bundle, force=True)
        assert ("nd0" in links()) is not replaced, links()
    assert {"eth0", "mine"} <= set(links(holder.pid))


def test_failed_creation_takes_no_other_device(t):
    private_network(t)
    make(t)
    holder, namespace = joined(t)
    bundle = with_devices(t, {"nd0": {"name": "eth0"}}, namespaces=("mount", "pid", namespace))
    swap = (f"nsenter -t {holder.pid} -n ip link del eth0; nsenter -t {holder.pid} -n "
            "ip link add eth0 type veth peer name mine; exit 1")
    bundle.config["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", swap]}]}
    t.fails("create", "-b", bundle.save().path, bundle.id, has="createRuntime")
    assert "nd0" not in links(), links()
    assert {"eth0", "mine"} <= set(links(holder.pid))
    t.assert_no_trace(bundle)


def test_device_stays_where_its_name_is_taken_meanwhile(t):
    private_network(t)
    make(t)
    holder, namespace = joined(t)
    bundle = with_devices(t, {"nd0": {"name": "eth0"}}, namespaces=("mount", "pid", namespace))
    t.create(bundle)
    make(t, "nd0x", addresses=[])
    ip("link", "set", "nd0x", "down")
    ip("link", "set", "nd0x", "name", "nd0")
    result = t.rt("--log-level", "warning", "delete", "--force", bundle.id)
    assert "`nd0` (`eth0` in the container) back" in result.err, result
    assert links(holder.pid)["eth0"] == (set(ADDRESSES), True)
    t.assert_no_trace(bundle)


def test_device_does_not_go_to_a_third_namespace(t):
    private_network(t)
    make(t)
    holder, namespace = joined(t)
    bundle = with_devices(t, {"nd0": {}}, namespaces=("mount", "pid", namespace))
    t.create(bundle)
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    assert hostside.LIBC.unshare(CLONE_NEWNET) == 0
    result = t.rt("--log-level", "warning", "delete", "--force", bundle.id)
    assert "not the one that they came from" in result.err, result
    assert "nd0" not in links() and "nd0" in links(holder.pid)
    assert hostside.LIBC.setns(home, CLONE_NEWNET) == 0
    os.close(home)


def test_device_is_back_after_a_creation_that_was_killed(t):
    private_network(t)
    make(t)
    holder, namespace = joined(t)
    bundle = with_devices(t, {"nd0": {"name": "eth0"}}, namespaces=("mount", "pid", namespace))
    note = t.path("hook")
    bundle.config["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": [
        "sh", "-c", f"echo $$ >{note}.new; mv {note}.new {note}; exec sleep 60"]}]}
    creating = t.popen("create", "-b", bundle.save().path, bundle.id)
    t.wait_until(lambda: os.path.exists(note), "the hook")
    creating.kill()
    creating.wait()
    with open(note, encoding="ascii") as source:
        os.kill(int(source.read()), signal.SIGKILL)
    assert "eth0" in links(holder.pid)
    t.delete(bundle, force=True)
    assert links()["nd0"] == (set(ADDRESSES), True), links()


def test_garbage_collection_gives_devices_back(t):
    """As delete does: from a namespace that others have, and from one that only init holds."""
    private_network(t)
    make(t)
    holder, namespace = joined(t)
    bundle = with_devices(t, {"nd0": {"name": "eth0"}}, namespaces=("mount", "pid", namespace))
    bundle.config["hooks"] = {"createRuntime": hook("kill -9 $PPID")}
    assert t.rt("create", "-b", bundle.save().path, bundle.id, check=False).rc == 137
    hostside.reap()
    assert "eth0" in links(holder.pid)
    assert "network interface nd0" in found_by(t)[bundle.id]["found"]
    assert links()["nd0"] == (set(ADDRESSES), True), links()

    def command(bundle):
        return t.argv("create", "-b", bundle.path, bundle.id)
    bundle = with_devices(t, {"nd0": {"name": "eth0"}})
    t.rt(argv=strace(t, "-e", "trace=renameat") + command(bundle))
    with open(t.path("strace.out"), encoding="utf-8", errors="replace") as source:
        last = source.read().count("renameat(")
    t.delete(bundle)
    # In the middle of its last record, whose init waits for a start already.
    bundle = with_devices(t, {"nd0": {"name": "eth0"}})
    assert killed_at(t, ("renameat", last), command(bundle))
    hostside.reap()
    assert "nd0" not in links()
    found = found_by(t)[bundle.id]
    assert found["reason"] == "creation" and found["removed"], found
    assert "network interface nd0" in found["found"], found
    assert any(thing.startswith("process ") for thing in found["found"]), found
    assert links()["nd0"] == (set(ADDRESSES), True), links()
    t.assert_no_trace(bundle)


def test_template_in_a_joined_namespace_avoids_what_is_there(t):
    private_network(t)
    make(t)
    holder, namespace = joined(t)
    for name in ("net0", "net2"):
        assert add_pair(name, holder.pid).returncode == 0
    bundle = with_devices(t, {"nd0": {"name": "net%d"}},
                          namespaces=("mount", "pid", namespace))
    t.create(bundle)
    assert links(holder.pid)["net1"] == (set(ADDRESSES), True)


def test_name_that_is_taken_in_the_container_is_refused(t):
    private_network(t)
    make(t)
    holder, namespace = joined(t)
    assert add_pair("eth0", holder.pid).returncode == 0
    bundle = with_devices(t, {"nd0": {"name": "eth0"}}, namespaces=("mount", "pid", namespace))
    refused(t, bundle, ["/linux/netDevices/nd0", "`eth0` exists already"])
    assert "nd0" not in links(holder.pid)


def test_missing_device_is_named_and_the_others_come_back(t):
    private_network(t)
    make(t)
    bundle = with_devices(t, {"nd0": {"name": "eth0"}, "nd9": {}})
    refused(t, bundle, ["/linux/netDevices/nd9", "there is no network device `nd9`"])


def test_device_comes_back_when_the_creation_fails_later(t):
    private_network(t)
    make(t)
    make(t, "nd1", addresses=["203.0.113.1/24"], up=False)
    bundle = with_devices(t, {"nd0": {"name": "eth0"}, "nd1": {}}, ["/bin/missing"])
    refused(t, bundle, "/bin/missing")
    assert links()["nd1"][1] is False
    bundle = with_devices(t, {"nd0": {"name": "eth0"}, "nd1": {"name": "nd0"}})
    bundle.config["hooks"] = {"createRuntime": [{"path": "/bin/false"}]}
    refused(t, bundle.save(), "createRuntime")
    result = t.fails("create", "-b", bundle.path, bundle.id, has="createRuntime")
    assert "undo" not in result.err, result


def test_device_that_may_not_move_is_refused(t):
    private_network(t)
    done = subprocess.run(["ip", "link", "add", "br0", "type", "bridge"], capture_output=True,
                          text=True, check=False)
    if done.returncode != 0:
        t.skip("no bridges, which are bound to their namespace")
    bundle = with_devices(t, {"br0": {"name": "eth0"}})
    refused(t, bundle, ["/linux/netDevices/br0", "does not let the network device `br0`"])


def test_virtual_device_ends_with_the_container(t):
    """What config-linux.md tells about the kernel: virtual interfaces end with the namespace."""
    private_network(t)
    make(t)
    bundle = with_devices(t, {"nd0": {}}, "true")
    t.run_container(bundle)
    t.assert_no_trace(bundle)
    t.wait_until(lambda: "nd0" not in links(), "the namespace's end")


def test_without_a_network_namespace_of_its_own_it_is_refused(t):
    private_network(t)
    make(t)
    bundle = with_devices(t, {"nd0": {}}, namespaces=("mount", "pid"))
    refused(t, bundle, ["/linux/netDevices", "need a network namespace"])
    own = {"type": "network", "path": "/proc/self/ns/net"}
    refused(t, with_devices(t, {"nd0": {}}, namespaces=("mount", "pid", own)), "exists already")
