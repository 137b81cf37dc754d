"""Pods of several hosts reach each other and Services: agents of one cluster in network namespaces (support/hosts.py)."""
import contextlib
import json
import os
import re
import signal
import socket
import time

import pytest
from support.echo import Server, ask, inside, send_whole
from support.hosts import Hosts
from support.node import pod, wait_for

PODS = "/api/v1/namespaces/default/pods"
SERVICES = "/api/v1/namespaces/default/services"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
CONTROLLERS = "clusterrole-aggregation-controller,certificatesigningrequest-approving-controller,certificatesigningrequest-signing-controller,serviceaccount-controller"


def get(client, path):
    status, body = client.ask("GET", path)
    return body if status == 200 else None


def conditions(node):
    return {c["type"]: c for c in node.get("status", {}).get("conditions", [])}


def give_cidr(client, host, k):
    """What a controller gives: networks of its own to the k-th node."""
    cidrs = [f"10.215.{k}.0/24", f"fd00:215:{k:x}::/64"]
    path = f"/api/v1/nodes/{host.node.name}"
    wait_for("Node", lambda: get(client, path))
    status, body = client.ask("PATCH", path, {"spec": {"podCIDR": cidrs[0], "podCIDRs": cidrs}}, **{"Content-Type": "application/merge-patch+json"})
    assert status == 200, body
    return cidrs


def wait_ready(client, *hosts):
    for host in hosts:
        wait_for(f"{host.node.name} ready", lambda: conditions(get(client, f"/api/v1/nodes/{host.node.name}"))["Ready"]["status"] == "True")


class Pod:
    """A running pod: its namespace, and its addresses."""

    def __init__(self, client, host, name, **spec):
        self.client, self.host, self.name = client, host, name
        made = pod(name, "sleep 1000", nodeName=host.node.name, automountServiceAccountToken=False, terminationGracePeriodSeconds=0, **spec)
        status, body = client.ask("POST", PODS, made)
        assert status == 201, body
        self.uid = body["metadata"]["uid"]
        found = wait_for(f"{name} running", lambda: (lambda p: p if p["status"].get("phase") == "Running" else None)(get(client, f"{PODS}/{name}")))
        self.ips = [i["ip"] for i in found["status"]["podIPs"]]
        own = next(c for c in host.node.containers() if c["labels"]["io.kubernetes.pod.uid"] == self.uid)
        self.pid = host.node.inspect(own)["info"]["pid"]
        self.netns = f"/proc/{self.pid}/ns/net"

    def delete(self):
        self.client.ask("DELETE", f"{PODS}/{self.name}", {"gracePeriodSeconds": 0})


def netns(host):
    return f"/run/netns/{host.netns}"


@contextlib.contextmanager
def two_hosts(archive, networks=1):
    """In one cluster, with their networks; of two, each has one."""
    with Hosts(networks=networks) as hosts:
        client = hosts.start_api("--service-cluster-ip-range=10.96.0.0/16,fd00:96::/112", controllers=CONTROLLERS).client()
        hosts.client = client
        hosts.nodes = [hosts.join(archive=archive, network=i % networks) for i in range(2)]
        for k, host in enumerate(hosts.nodes):
            give_cidr(client, host, k + 1)
        wait_ready(client, *hosts.nodes)
        yield hosts
        for p in get(client, PODS)["items"]:
            client.ask("DELETE", f"{PODS}/{p['metadata']['name']}", {"gracePeriodSeconds": 0})


@contextlib.contextmanager
def pod_each(hosts):
    """A pod on each host, with a server on port 80."""
    made = [Pod(hosts.client, host, f"p{i}") for i, host in enumerate(hosts.nodes)]
    servers = [Server(p.netns, p.name, 80) for p in made]
    yield made
    for s in servers:
        s.close()


@pytest.fixture(scope="module")
def lan(busybox_archive):
    """Two hosts on one Ethernet."""
    with two_hosts(busybox_archive) as hosts:
        yield hosts


@pytest.fixture(scope="module")
def pods(lan):
    with pod_each(lan) as made:
        yield made


def test_pods_reach_each_other(lan, pods):
    """Both ways, both families, and each is seen as it is."""
    for one, other in (pods, pods[::-1]):
        for family in 0, 1:
            for udp in False, True:
                got = wait_for("answer", lambda: ask(one.netns, other.ips[family], 80, udp), timeout=5)
                assert got == (other.name, one.ips[family])
    routes = lan.nodes[0].run("ip", "route", "show", "proto", "110") + lan.nodes[0].run("ip", "-6", "route", "show", "proto", "110")
    assert f"10.215.2.0/24 via {lan.nodes[1].address} dev eth0" in routes and f"fd00:215:2::/64 via {lan.nodes[1].address6} dev eth0" in routes
    assert len(routes.splitlines()) == 2, routes


def test_pods_and_nodes_reach_each_other(lan, pods):
    """Across nodes, with what each has; what is no part of the cluster sees the node."""
    a, b = lan.nodes
    server, outside = Server(netns(b), "b", 8080), Server(f"/run/netns/{lan.fabric}", "outside", 8080)
    try:
        assert ask(pods[0].netns, b.address, 8080) == ("b", pods[0].ips[0])
        assert ask(pods[0].netns, b.address6, 8080) == ("b", pods[0].ips[1])
        assert ask(netns(a), pods[1].ips[0], 80) == ("p1", a.address)
        assert ask(netns(a), pods[1].ips[1], 80) == ("p1", a.address6)
        assert ask(pods[0].netns, a.ethernet.address(1), 8080) == ("outside", a.address)
    finally:
        server.close()
        outside.close()


def test_packets_of_the_links_own_size(pods):
    for family in 0, 1:
        assert send_whole(pods[0].netns, pods[1].ips[family], 80, 1500) == "p1"


# --- Services ---

class Service:
    """A Service of both families, and who is behind it."""

    def __init__(self, client, name, *ends, port=80, target=80, protocol="TCP", **spec):
        self.client, self.name, self.port = client, name, port
        spec = {"ports": [{"name": "x", "port": port, "protocol": protocol, "targetPort": target}], "ipFamilyPolicy": "PreferDualStack", **spec}
        status, body = client.ask("POST", SERVICES, {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec})
        assert status == 201, body
        self.ips = body["spec"]["clusterIPs"]
        self.ports = [{"name": "x", "port": target, "protocol": protocol}]
        self.set(*ends)

    def set(self, *ends):
        """`ends` are pods, or addresses, or pairs of one and its conditions."""
        for family, kind in enumerate(["IPv4", "IPv6"][:len(self.ips)]):
            endpoints = []
            for end in ends:
                end, given = end if isinstance(end, tuple) else (end, {"ready": True})
                own = {"nodeName": end.host.node.name} if isinstance(end, Pod) else {}
                address = end.ips[family] if isinstance(end, Pod) else end if (":" in end) == (family == 1) else None
                endpoints += [{"addresses": [address], "conditions": given, **own}] if address else []
            made = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": kind, "ports": self.ports, "endpoints": endpoints,
                    "metadata": {"name": f"{self.name}-{kind.lower()}", "labels": {"kubernetes.io/service-name": self.name}}}
            path = f"{SLICES}/{made['metadata']['name']}"
            status, body = self.client.ask("PUT", path, made) if get(self.client, path) else self.client.ask("POST", SLICES, made)
            assert status in (200, 201), body

    def delete(self):
        assert self.client.ask("DELETE", f"{SERVICES}/{self.name}")[0] == 200
        for kind in "ipv4", "ipv6":
            self.client.ask("DELETE", f"{SLICES}/{self.name}-{kind}")


@pytest.fixture
def service(lan):
    made = []

    def make(name, *ends, **spec):
        made.append(Service(lan.client, name, *ends, **spec))
        return made[-1]

    yield make
    for s in made:
        if get(lan.client, f"{SERVICES}/{s.name}"):
            s.delete()


def answers(where, address, port, n=40, **kwargs):
    """Who answers, of n times."""
    def name():
        try:
            return (ask(where, address, port, **kwargs) or ("nobody",))[0]
        except ConnectionRefusedError:
            return "refused"
    return {name() for _ in range(n)}


def refused(where, address, port, **kwargs):
    try:
        ask(where, address, port, timeout=1, **kwargs)
    except ConnectionRefusedError:
        return True
    return False


def test_a_service_leads_to_all_behind_it(lan, pods, service):
    """From pods and from nodes, to pods of either node, and from a pod to itself."""
    made = service("both", *pods, port=8000)
    for ip in made.ips:
        for where in [p.netns for p in pods] + [netns(h) for h in lan.nodes]:
            wait_for("both answer", lambda: answers(where, ip, 8000) == {"p0", "p1"}, timeout=5)
    far = service("far", pods[1], port=8001)
    for family in 0, 1:
        for p in pods:  # each node hears of it by itself
            wait_for("answer", lambda: answers(p.netns, far.ips[family], 8001, n=1) == {"p1"}, timeout=5)
        assert ask(pods[0].netns, far.ips[family], 8001) == ("p1", pods[0].ips[family])
        assert ask(netns(lan.nodes[0]), far.ips[family], 8001) == ("p1", [lan.nodes[0].address, lan.nodes[0].address6][family])
        assert ask(pods[1].netns, far.ips[family], 8001)[0] == "p1"  # itself


def test_pods_of_one_node_by_a_service(lan, pods, service):
    """What asks is seen by its own address, where bridged packets are shown to the rules; else by the node's among the pods'."""
    neighbour = Pod(lan.client, lan.nodes[1], "neighbour")
    made = service("near", pods[1], port=8000)
    for ip in made.ips:
        wait_for("answer", lambda: answers(neighbour.netns, ip, 8000, n=1) == {"p1"}, timeout=5)

    def bridged(value=None):
        names = [f"/proc/sys/net/bridge/bridge-nf-call-{t}" for t in ("iptables", "ip6tables")]
        if value is not None:
            lan.nodes[1].run("sh", "-c", "; ".join(f"echo {value} > {n}" for n in names))
        return os.path.exists(names[0]) and lan.nodes[1].run("cat", *names).split() == ["1", "1"]

    was = bridged()
    assert all(ask(neighbour.netns, made.ips[f], 8000) == ("p1", neighbour.ips[f] if was else ["10.215.2.1", "fd00:215:2::1"][f]) for f in (0, 1))
    if was:
        bridged(0)
        try:
            lan.nodes[1].node.restart()
            for f in 0, 1:
                wait_for("the node's own", lambda: ask(neighbour.netns, made.ips[f], 8000, timeout=1) == ("p1", ["10.215.2.1", "fd00:215:2::1"][f]), timeout=10)
                wait_for("itself", lambda: answers(pods[1].netns, made.ips[f], 8000, n=3) == {"p1"}, timeout=10)
        finally:
            bridged(1)
            lan.nodes[1].node.restart()
        wait_for("its own again", lambda: ask(neighbour.netns, made.ips[0], 8000, timeout=1) == ("p1", neighbour.ips[0]), timeout=10)
    neighbour.delete()


def test_who_is_behind_a_service_changes(lan, pods, service):
    """At once, to the last: then it is refused. An address without that port is refused too."""
    made = service("changing", pods[0], port=8000)
    ip, where = made.ips[0], pods[1].netns
    wait_for("answer", lambda: answers(where, ip, 8000, n=5) == {"p0"}, timeout=5)
    assert all(refused(where, ip, 8001) and refused(netns(lan.nodes[1]), ip, 8001) for _ in range(30))
    for ends in [pods, pods[1:], pods[:1], pods, []] * 2:
        made.set(*ends)
        began = time.monotonic()
        if ends:
            wait_for("the change", lambda: answers(where, ip, 8000, n=30) == {p.name for p in ends}, timeout=5)
        else:
            wait_for("refusal", lambda: refused(where, ip, 8000) and refused(netns(lan.nodes[1]), ip, 8000), timeout=5)
        assert time.monotonic() - began < 3
        listed = lan.nodes[0].run("nft", "list", "table", "inet", f"nacelle_services_{lan.nodes[0].node.bridge}")
        assert not ends or "numgen random mod" in listed
    made.delete()
    wait_for("no more refusal", lambda: not refused(where, ip, 8000), timeout=5)


def test_only_who_is_ready_is_asked(pods, service):
    ready, going = {"ready": True}, {"ready": False, "serving": True, "terminating": True}
    made = service("ready", (pods[0], {"ready": False}), (pods[1], ready), port=8000)
    ip, where = made.ips[0], pods[0].netns
    wait_for("answer", lambda: answers(where, ip, 8000, n=20) == {"p1"}, timeout=5)
    made.set((pods[0], going), (pods[1], ready))
    assert answers(where, ip, 8000, n=20) == {"p1"}
    made.set((pods[0], going), (pods[1], {"ready": False}))
    wait_for("who ends and serves", lambda: answers(where, ip, 8000, n=20) == {"p0"}, timeout=5)
    made.set((pods[0], {"ready": False, "serving": False, "terminating": True}))
    wait_for("refusal", lambda: refused(where, ip, 8000), timeout=5)


def test_a_service_of_the_node_alone(lan, pods, service):
    made = service("local", *pods, port=8000, internalTrafficPolicy="Local")
    for p in pods:
        wait_for("its own", lambda: answers(p.netns, made.ips[0], 8000, n=20) == {p.name}, timeout=5)
    made.set(pods[0])
    wait_for("refusal", lambda: refused(pods[1].netns, made.ips[0], 8000), timeout=5)


def test_a_sender_stays_where_it_was(pods, service):
    made = service("sticky", *pods, port=8000, sessionAffinity="ClientIP")
    for p in pods:
        wait_for("one of them", lambda: len(answers(p.netns, made.ips[0], 8000) & {"p0", "p1"}) == 1, timeout=5)
    first = answers(pods[0].netns, made.ips[0], 8000)
    assert len(first) == 1 and answers(pods[0].netns, made.ips[0], 8000) == first


def test_a_sender_stays_while_others_come_and_go(pods, service):
    """And goes elsewhere when its end has gone, to stay there."""
    made, where = service("kept", pods[0], port=8000, sessionAffinity="ClientIP"), pods[0].netns

    def set_ends(*ends):
        made.set(*ends)
        later = service(f"later{len(ends)}{ends[0].name}", *ends, port=8000)  # what is told later is known later
        for ip in later.ips:
            wait_for("all of them", lambda: answers(where, ip, 8000) == {p.name for p in ends}, timeout=5)
        later.delete()

    for ends, expected in ((pods[:1], "p0"), (pods, "p0"), (pods[1:], "p1"), (pods[::-1], "p1")):
        set_ends(*ends)
        for ip in made.ips:
            assert answers(where, ip, 8000) == {expected}
    for ip in made.ips:
        assert len(answers(pods[1].netns, ip, 8000)) == 1
    # What nft(8) reads of it: the senders at their end, which alone has them.
    table = f"nacelle_services_{pods[0].host.node.bridge}"
    rules = pods[0].host.run("nft", "list", "table", "inet", table)
    sets = dict(re.findall(r"\tset (end_6_\w+) \{\n(.*?)\n\t\}", rules, re.S))
    assert len([name for name, of in sets.items() if pods[0].ips[0] in of or pods[0].ips[1] in of]) == 2, rules
    made.delete()
    wait_for("nothing of it", lambda: "end_" not in (r := pods[0].host.run("nft", "list", "table", "inet", table)) and "keeps_" not in r, timeout=5)


def test_a_sender_stays_when_the_agent_is_killed(lan, pods, service):
    """And starts again, while its end is there; who is behind it may change meanwhile."""
    made, where, host = service("outlives", *pods, port=8000, sessionAffinity="ClientIP"), pods[0].netns, lan.nodes[0]
    wait_for("both lead somewhere", lambda: all(answers(where, ip, 8000) <= {"p0", "p1"} for ip in made.ips), timeout=5)
    first = [answers(where, ip, 8000) for ip in made.ips]
    assert all(len(f) == 1 for f in first)
    for i in range(4):
        host.node.kill(signal.SIGKILL)
        if i == 2:
            made.set(*pods, "10.215.1.250", "fd00:215:1::250")  # which nobody has
        assert [answers(where, ip, 8000) for ip in made.ips] == first
        host.node.start()
        wait_ready(lan.client, host)
        later = service(f"known{i}", pods[1], port=8000)  # what is told later is known later
        wait_for("the change", lambda: answers(where, later.ips[0], 8000) == {"p1"}, timeout=10)
        assert [answers(where, ip, 8000) for ip in made.ips] == first, i
    host.node.kill(signal.SIGKILL)
    gone = [p for p in pods if p.name in first[0]]
    made.set(*[p for p in pods if p not in gone])
    host.node.start()
    wait_for("another end", lambda: not answers(where, made.ips[0], 8000) & first[0], timeout=10)
    table = f"nacelle_services_{host.node.bridge}"
    made.delete()
    wait_for("nothing of it", lambda: "end_" not in (r := host.run("nft", "list", "table", "inet", table)) and "keeps_" not in r, timeout=5)


def test_a_sender_stays_for_its_time(pods, service):
    """Counted from when it came last: timeoutSeconds."""
    kept, soon = (service(name, *pods, port=8000, sessionAffinity="ClientIP", sessionAffinityConfig={"clientIP": {"timeoutSeconds": seconds}}) for name, seconds in (("timed", 5), ("short", 1)))
    where, seen = pods[0].netns, set()
    wait_for("both", lambda: answers(where, kept.ips[0], 8000, n=1) | answers(where, soon.ips[0], 8000, n=1) <= {"p0", "p1"}, timeout=5)
    wait_for("another end after its time", lambda: seen.update(answers(where, soon.ips[0], 8000, n=3)) or len(seen) == 2 or time.sleep(1.2), timeout=60)
    first, last = answers(where, kept.ips[0], 8000, n=1), time.monotonic()
    for _ in range(5):
        time.sleep(2)
        again, now = answers(where, kept.ips[0], 8000, n=1), time.monotonic()
        assert again == first or now - last >= 5  # a machine that stood still
        first, last = again, now


def test_a_flow_of_udp_is_led_to_who_is_there(pods, service):
    """Also one that goes on from one port: to another end when its own has gone, and to the first that comes."""
    made = service("udp", pods[1], port=8000, protocol="UDP")
    ip, where = made.ips[0], pods[0].netns
    wait_for("answer", lambda: answers(where, ip, 8000, n=1, udp=True, timeout=0.5, local=7000) == {"p1"}, timeout=5)
    assert ask(where, ip, 8000, udp=True, local=7000) == ("p1", pods[0].ips[0])
    for ends in [pods[:1], pods[1:], [], pods[:1]]:
        made.set(*ends)
        if ends:
            wait_for("the change", lambda: answers(where, ip, 8000, n=1, udp=True, timeout=0.3, local=7000) == {ends[0].name}, timeout=5)
        else:
            wait_for("refusal", lambda: refused(where, ip, 8000, udp=True, local=7000), timeout=5)


def udp_answers(where, ip, ports):
    """How many of the answers to the one Service come from whom, each flow from a port of its own, which it may have had before."""
    def call():
        names = {}
        with contextlib.ExitStack() as all:
            sockets = [all.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in ports]
            for s, port in zip(sockets, ports):
                s.settimeout(1)
                s.bind(("", port))
                s.connect((ip, 8000))
                s.send(b"?")
                try:
                    name = s.recv(1000).decode().split()[0]
                except OSError:
                    name = "nobody"
                names[name] = names.get(name, 0) + 1
        return names
    return inside(where, call)


def test_all_flows_of_udp_are_led_to_who_is_there(pods, service):
    """However many there are."""
    import resource
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8192)), hard))
    made = service("many-udp", pods[1], port=8000, protocol="UDP")
    ip, where, ports = made.ips[0], pods[0].netns, range(20000, 25000)
    wait_for("answer", lambda: answers(where, ip, 8000, n=1, udp=True, timeout=0.5, local=7100) == {"p1"}, timeout=5)
    assert udp_answers(where, ip, ports) == {"p1": len(ports)}
    made.set(pods[0])
    wait_for("the change", lambda: answers(where, ip, 8000, n=1, udp=True, timeout=0.3, local=7100) == {"p0"}, timeout=5)
    wait_for("the change of all", lambda: set(udp_answers(where, ip, ports)) == {"p0"}, timeout=20)


@pytest.mark.parametrize("how", ["no table", "a table"])
def test_a_flow_of_udp_is_led_on_by_the_next_agent(lan, pods, service, how):
    """Its end has gone while there was no agent; or one had led others elsewhere, and was killed before it came to this one."""
    made, a = service("later-udp", pods[1], port=8000, protocol="UDP"), lan.nodes[0]
    ip, where = made.ips[0], netns(a)
    for address in made.ips:
        wait_for("answer", lambda: answers(where, address, 8000, n=1, udp=True, timeout=0.5, local=7200) == {"p1"}, timeout=5)
    a.node.kill(signal.SIGKILL)
    made.set(pods[0])
    table, path = f"inet nacelle_services_{a.node.bridge}", a.node.dir + "/table"
    if how == "a table":
        keys = [f"backs{version} {{ {made.ips[family]} . udp . 8000 . 0x0" for family, version in enumerate("46")]
        with open(path, "w") as f:
            f.writelines(f"delete element {table} {key} }}\nadd element {table} {key} : {end} . 80 }}\n" for key, end in zip(keys, pods[0].ips))
        a.run("nft", "-f", path)
    else:
        a.run("nft", "delete", "table", *table.split())
    assert answers(where, ip, 8000, n=1, udp=True, timeout=0.5, local=7200) == {"p1"}
    a.node.start()
    wait_ready(lan.client, a)
    wait_for("the other", lambda: answers(where, ip, 8000, n=1, udp=True, timeout=0.3, local=7200) == {"p0"}, timeout=10)


def test_the_api_service_is_reached_by_its_service(lan, pods):
    """In-cluster clients do, from pods and from nodes."""
    kubernetes = get(lan.client, f"{SERVICES}/kubernetes")["spec"]["clusterIP"]

    def answers_tls(where):
        import socket
        import ssl
        context = ssl.create_default_context(cafile=f"{lan.api.pki}/ca.crt")

        def call():
            with socket.create_connection((kubernetes, 443), timeout=5) as s, context.wrap_socket(s, server_hostname="kubernetes.default.svc") as t:
                t.sendall(b"GET /livez HTTP/1.1\r\nHost: kubernetes\r\nConnection: close\r\n\r\n")
                return t.recv(100).startswith(b"HTTP/1.1 ")
        return inside(where, call)

    for where in [p.netns for p in pods] + [netns(h) for h in lan.nodes]:
        assert wait_for("answer", lambda: answers_tls(where), timeout=5)


def test_all_goes_on_without_the_agent(lan, pods, service):
    """Killed, and started again: no connection fails meanwhile."""
    made = service("stays", *pods, port=8000)
    ip, where, failed, done, began = made.ips[0], pods[0].netns, [], [], time.monotonic()
    wait_for("both answer", lambda: answers(where, ip, 8000) == {"p0", "p1"}, timeout=5)

    def try_one(address, port):
        try:
            return ask(where, address, port, timeout=1) or "no answer"
        except OSError as error:
            return str(error)

    def go_on():
        while not done:
            for address, port in (ip, 8000), (pods[1].ips[0], 80), (pods[1].ips[1], 80):
                answer = try_one(address, port)
                if isinstance(answer, str):
                    failed.append((time.monotonic() - began, address, answer))
            time.sleep(0.005)

    import threading
    thread = threading.Thread(target=go_on)
    thread.start()
    for host in lan.nodes:
        host.node.kill(signal.SIGKILL)
        assert answers(where, ip, 8000) == {"p0", "p1"} and ask(where, pods[1].ips[0], 80) == ("p1", pods[0].ips[0])
        host.node.start()
        wait_ready(lan.client, host)
        made.set(pods[1])
        wait_for("change", lambda: answers(netns(host), ip, 8000, n=20) == {"p1"}, timeout=10)
        made.set(*pods)
        wait_for("change back", lambda: answers(netns(host), ip, 8000) == {"p0", "p1"}, timeout=10)
    done.append(1)
    thread.join()
    assert not failed, failed
    assert ask(where, pods[1].ips[0], 80) == ("p1", pods[0].ips[0])


# --- addresses that change, and nodes that go ---

def test_a_node_whose_address_changes_comes_back(lan, pods, service):
    """Within 5 s, and its pods are those of before."""
    a, b = lan.nodes
    made = service("moving", *pods, port=8000)
    before, pids = b.address, [p["id"] for p in b.node.containers()]
    assert wait_for("answer", lambda: ask(pods[0].netns, pods[1].ips[0], 80), timeout=5) == ("p1", pods[0].ips[0])
    b.move()
    began = time.monotonic()
    for family in 0, 1:
        wait_for("answer", lambda: ask(pods[0].netns, pods[1].ips[family], 80, timeout=0.2), timeout=5)
        wait_for("answer", lambda: ask(pods[1].netns, pods[0].ips[family], 80, timeout=0.2), timeout=5)
    wait_for("the service", lambda: answers(netns(b), made.ips[0], 8000, timeout=0.2) == {"p0", "p1"}, timeout=5)
    took = time.monotonic() - began
    addresses = get(lan.client, f"/api/v1/nodes/{b.node.name}")["status"]["addresses"]
    assert took < 5 and [x["address"] for x in addresses if x["type"] == "InternalIP"] == [b.address, b.address6], (took, addresses)
    assert f"10.215.2.0/24 via {b.address} " in a.run("ip", "route") and before not in a.run("ip", "route")
    assert [p["id"] for p in b.node.containers()] == pids
    assert ask(pods[1].netns, pods[0].ips[0], 80) == ("p0", pods[1].ips[0])


def test_what_a_node_had_goes_with_it(lan, pods, busybox_archive):
    """A third one comes and goes: routes to it, and what it is let through with."""
    client, a = lan.client, lan.nodes[0]
    c = lan.join(archive=busybox_archive)
    give_cidr(client, c, 3)
    wait_ready(client, c)
    wait_for("route", lambda: f"10.215.3.0/24 via {c.address} " in a.run("ip", "route"))
    table = ("nft", "list", "set", "inet", f"nacelle_{a.node.bridge}", "inside4")
    wait_for("let through", lambda: c.address in a.run(*table))
    third = Pod(client, c, "p3")
    server = Server(third.netns, "p3", 80)
    assert wait_for("answer", lambda: ask(pods[0].netns, third.ips[0], 80), timeout=5) == ("p3", pods[0].ips[0])
    server.close()
    third.delete()
    wait_for("end of the pod", lambda: not c.node.pods())
    name = c.node.name
    c.node.stop()
    c.node = None
    assert client.ask("DELETE", f"/api/v1/nodes/{name}")[0] == 200
    wait_for("no route", lambda: "10.215.3.0/24" not in a.run("ip", "route"))
    wait_for("not let through", lambda: c.address not in a.run(*table))


def test_what_someone_removes_is_put_back(lan, pods):
    a = lan.nodes[0]
    for family in ("-4", "10.215.2.0/24"), ("-6", "fd00:215:2::/64"):
        a.run("ip", family[0], "route", "del", family[1])
        wait_for("the route again", lambda: family[1] in a.run("ip", family[0], "route"), timeout=5)
    a.run("nft", "flush", "ruleset")
    made = Service(lan.client, "after-the-flush", *pods, port=8000)
    wait_for("both answer", lambda: answers(pods[0].netns, made.ips[0], 8000) == {"p0", "p1"}, timeout=5)
    # where nothing changes, by the next word of its Node: its own status is one
    time.sleep(0.5)
    a.run("nft", "flush", "ruleset")
    assert lan.client.ask("PATCH", f"/api/v1/nodes/{a.node.name}", {"metadata": {"annotations": {"a": "word"}}}, **{"Content-Type": "application/merge-patch+json"})[0] == 200
    wait_for("both answer", lambda: answers(pods[0].netns, made.ips[0], 8000) == {"p0", "p1"}, timeout=5)
    outside = Server(f"/run/netns/{lan.fabric}", "outside", 8080)
    try:
        assert wait_for("hidden", lambda: ask(pods[0].netns, a.ethernet.address(1), 8080), timeout=5) == ("outside", a.address)
    finally:
        outside.close()
    made.delete()


# --- hosts in two networks ---

@pytest.fixture(scope="module")
def routed(busybox_archive):
    """Two hosts in networks of their own, with a router between that knows nothing of pods."""
    with two_hosts(busybox_archive, networks=2) as hosts:
        yield hosts


@pytest.fixture(scope="module")
def far_pods(routed):
    with pod_each(routed) as made:
        yield made


def test_pods_reach_each_other_by_a_tunnel(routed, far_pods):
    """Both ways, both families, each as it is; and nothing of it but the tunnel is on the way."""
    for one, other in (far_pods, far_pods[::-1]):
        for family in 0, 1:
            for udp in False, True:
                assert wait_for("answer", lambda: ask(one.netns, other.ips[family], 80, udp), timeout=5) == (other.name, one.ips[family])
    a = routed.nodes[0]
    link = json.loads(a.run("ip", "-j", "-d", "link", "show", "type", "vxlan"))
    assert len(link) == 1 and link[0]["mtu"] == 1450
    data = link[0]["linkinfo"]["info_data"]
    assert data["port"] == 8472 and data["id"] == 0x6e6163 and not data["learning"]
    fdb = a.run("bridge", "fdb", "show", "dev", link[0]["ifname"]).splitlines()
    assert len(fdb) == 1 and f"dst {routed.nodes[1].address}" in fdb[0] and "permanent" in fdb[0], fdb


def test_packets_that_fit_into_the_tunnel(far_pods):
    for family in 0, 1:
        assert send_whole(far_pods[0].netns, far_pods[1].ips[family], 80, 1450) == "p1"
        assert send_whole(far_pods[0].netns, far_pods[1].ips[family], 80, 1451) == 1450


def test_nodes_and_the_tunnel(routed, far_pods):
    """A node's own packets come by its address in its pods' network; to a node that is behind a router pods are hidden."""
    a, b = routed.nodes
    server = Server(netns(b), "b", 8080)
    try:
        assert ask(netns(a), far_pods[1].ips[0], 80) == ("p1", "10.215.1.1")
        assert ask(netns(a), far_pods[1].ips[1], 80) == ("p1", "fd00:215:1::1")
        assert ask(far_pods[0].netns, b.address, 8080) == ("b", a.address)
    finally:
        server.close()


def test_a_service_over_the_tunnel(routed, far_pods):
    made = Service(routed.client, "both", *far_pods, port=8000)
    for ip in made.ips:
        for where in [p.netns for p in far_pods] + [netns(h) for h in routed.nodes]:
            wait_for("both answer", lambda: answers(where, ip, 8000) == {"p0", "p1"}, timeout=5)
    made.delete()


def test_a_node_behind_a_router_moves(routed, far_pods):
    a, b = routed.nodes
    assert ask(far_pods[0].netns, far_pods[1].ips[0], 80)
    b.move()
    for family in 0, 1:
        wait_for("answer", lambda: ask(far_pods[0].netns, far_pods[1].ips[family], 80, timeout=0.2), timeout=5)
    fdb = a.run("bridge", "fdb", "show").splitlines()
    assert [line for line in fdb if f"dst {b.address} " in line] and len([line for line in fdb if "dst" in line]) == 1, fdb


def test_a_boot_without_the_api_service(routed, far_pods):
    """Where other nodes are is known from before."""
    a, address = routed.nodes[0], far_pods[1].ips[0]
    routed.api.end()
    a.node.kill()
    for link in json.loads(a.run("ip", "-j", "link", "show", "type", "vxlan")):
        a.run("ip", "link", "del", link["ifname"])
    assert not ask(far_pods[0].netns, address, 80, timeout=0.3)
    a.node.start()
    assert wait_for("answer", lambda: ask(far_pods[0].netns, address, 80, timeout=0.3), timeout=5) == ("p1", far_pods[0].ips[0])
    routed.api.start()
    routed.client.connection = None
    wait_ready(routed.client, *routed.nodes)


# --- a node's own networks ---

@pytest.fixture
def alone(busybox_archive):
    """A cluster of one node, which has no network for its pods yet."""
    with Hosts() as hosts:
        hosts.client = hosts.start_api(controllers=CONTROLLERS).client()
        hosts.join(archive=busybox_archive)
        yield hosts


def address_of(node, name):
    """That of the running container's pod; None before there is one."""
    found = node.container(name, "running")
    return node.inspectp(found["podSandboxId"])["status"]["network"]["ip"] if found else None


def named(name, **spec):
    return pod(name, {"name": name, "command": ["sleep", "1000"]}, **spec)


def test_pods_wait_for_the_clusters_addresses(alone):
    """Of files and of the API service; those with the host's network need none. The node says why it is not ready."""
    client, node = alone.client, alone.all[0].node
    path = f"/api/v1/nodes/{node.name}"
    ready = wait_for("condition", lambda: conditions(get(client, path) or {}).get("Ready"))
    assert (ready["status"], ready["reason"]) == ("False", "KubeletNotReady")
    assert ready["message"] == ("container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:"
                                "the cluster has given this node no pod CIDR yet (spec.podCIDR of its Node)")
    node.write("host.yaml", named("host", hostNetwork=True))
    node.write("file.yaml", named("file"))
    assert client.ask("POST", PODS, named("api", nodeName=node.name, automountServiceAccountToken=False))[0] == 201
    node.running("host")
    events = "/api/v1/namespaces/default/events"
    wait_for("event", lambda: [e for e in get(client, events)["items"] if e["reason"] == "NetworkNotReady" and e["involvedObject"]["name"] == "api"
                               and e["message"].startswith("network is not ready: container runtime network not ready: NetworkReady=false")])
    assert {c["metadata"]["name"] for c in node.containers()} == {"host"}
    assert client.ask("POST", PODS, named("given-up", nodeName=node.name, automountServiceAccountToken=False))[0] == 201
    assert client.ask("DELETE", f"{PODS}/given-up")[0] == 200
    wait_for("end of one that never ran", lambda: get(client, f"{PODS}/given-up") is None)
    give_cidr(client, alone.all[0], 7)
    for name in "file", "api":
        node.running(name, timeout=5)
        assert address_of(node, name).startswith("10.215.7.")
    ready = wait_for("ready", lambda: (lambda c: c if c["status"] == "True" else None)(conditions(get(client, path))["Ready"]))
    assert ready["reason"] == "KubeletReady"
    assert client.ask("DELETE", f"{PODS}/api", {"gracePeriodSeconds": 0})[0] == 200


def test_addresses_of_the_user_that_the_cluster_does_not_know(alone, busybox_archive):
    """They are the pods', and it is said that other nodes look elsewhere."""
    host = alone.join(archive=busybox_archive, pod_cidr="10.216.1.0/24")
    host.node.write("own.yaml", named("own"))
    host.node.running("own")
    assert address_of(host.node, "own").startswith("10.216.1.")
    give_cidr(alone.client, host, 12)
    wait_for("the warning", lambda: "--pod-cidr is another than the cluster gives this node" in host.node.log())
    assert address_of(host.node, "own").startswith("10.216.1.")


def test_the_addresses_outlive_the_service_and_the_agent(alone):
    client, node = alone.client, alone.all[0].node
    give_cidr(client, alone.all[0], 8)
    wait_ready(client, alone.all[0])
    alone.api.end()
    node.restart()
    node.write("late.yaml", named("late"))
    node.running("late")
    assert address_of(node, "late").startswith("10.215.8.")
    alone.api.launch()


def test_a_node_that_leaves_keeps_nothing_of_the_cluster(alone):
    """Started without a kubeconfig: Services' addresses, ways to nodes and what was kept go; pods of files stay."""
    client, host = alone.client, alone.all[0]
    node = host.node
    give_cidr(client, host, 11)
    node.write("stays.yaml", named("stays"))
    own = node.running("stays")["id"]
    path, other = "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "other"}, "spec": {"podCIDR": "10.215.12.0/24", "podCIDRs": ["10.215.12.0/24"]}}
    assert client.ask("POST", path, other)[0] == 201
    status = {"status": {"addresses": [{"type": "InternalIP", "address": "198.51.100.1"}]}}
    assert client.ask("PATCH", f"{path}/other/status", status, **{"Content-Type": "application/merge-patch+json"})[0] == 200
    kept = node.root + "/network"
    wait_for("a tunnel, Services and what is kept", lambda: "10.215.12.0/24" in host.run("ip", "route") and os.path.exists(kept)
             and "nacelle_services_" in host.run("nft", "list", "tables"))
    assert host.run("ip", "link", "show", "type", "vxlan")
    at = node.options.index("--kubeconfig")
    del node.options[at:at + 2]
    node.restart()
    assert "nacelle_services_" not in host.run("nft", "list", "tables") and not os.path.exists(kept)
    assert not host.run("ip", "link", "show", "type", "vxlan") and "10.215.12.0/24" not in host.run("ip", "route")
    assert node.running("stays")["id"] == own


def test_a_node_made_anew_gets_other_addresses(alone):
    """Pods that run keep theirs, and reach what they did."""
    client, host = alone.client, alone.all[0]
    node, path = host.node, f"/api/v1/nodes/{host.node.name}"
    give_cidr(client, host, 9)
    node.write("old.yaml", named("old"))
    node.running("old")
    old = address_of(node, "old")
    assert old.startswith("10.215.9.")
    assert client.ask("DELETE", path)[0] == 200
    node.restart()
    wait_for("the Node again", lambda: get(client, path))
    node.write("between.yaml", named("between"))
    node.running("between")
    assert address_of(node, "between").startswith("10.215.9.")
    give_cidr(client, host, 10)
    wait_for("other addresses", lambda: "10.215.10.1/24" in host.run("ip", "addr"))
    node.write("new.yaml", named("new"))
    node.running("new")
    assert address_of(node, "new").startswith("10.215.10.") and address_of(node, "old") == old
    pid = node.inspect(node.running("old"))["info"]["pid"]
    server = Server(f"/proc/{node.inspect(node.running('new'))['info']['pid']}/ns/net", "new", 80)
    assert ask(f"/proc/{pid}/ns/net", address_of(node, "new"), 80) == ("new", old)
    server.close()


# --- all of it together ---

def test_a_cluster_by_its_controllers(busybox_archive):
    """Nodes get networks, Services their ends, nobody helps: pods come and go, and who asks the Service meets those that are there."""
    with Hosts() as hosts:
        client = hosts.client = hosts.start_api().client()
        nodes = [hosts.join(archive=busybox_archive) for _ in range(2)]
        wait_ready(client, *nodes)
        cidrs = [get(client, f"/api/v1/nodes/{h.node.name}")["spec"]["podCIDRs"] for h in nodes]
        assert all(cidrs) and cidrs[0] != cidrs[1]
        spec = {"selector": {"app": "web"}, "ports": [{"port": 8000, "targetPort": 80}]}
        status, made = client.ask("POST", SERVICES, {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec})
        assert status == 201, made
        address, here = made["spec"]["clusterIP"], [netns(h) for h in nodes]
        wait_for("refusal", lambda: all(refused(n, address, 8000) for n in here))
        pods = [Pod(client, h, f"web{i}", metadata={"labels": {"app": "web"}}) for i, h in enumerate(nodes)]
        servers = [Server(p.netns, p.name, 80) for p in pods]
        for where in here + [p.netns for p in pods]:
            wait_for("both", lambda: answers(where, address, 8000) == {"web0", "web1"})
        pods[0].delete()
        wait_for("the other", lambda: all(answers(n, address, 8000, n=20) == {"web1"} for n in here + [pods[1].netns]))
        pods[1].delete()
        wait_for("refusal", lambda: all(refused(n, address, 8000) for n in here))
        for s in servers:
            s.close()
        wait_for("end of the pods", lambda: not get(client, PODS)["items"])
