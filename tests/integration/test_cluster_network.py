"""Pods of several hosts reach each other and Services: agents of one cluster in network namespaces (support/hosts.py)."""
import json
import signal
import subprocess
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


@pytest.fixture(scope="module")
def lan(busybox_archive):
    """Two hosts on one Ethernet, in one cluster, with their networks."""
    with Hosts() as hosts:
        client = hosts.start_api(controllers=CONTROLLERS).client()
        hosts.client = client
        hosts.nodes = [hosts.join(archive=busybox_archive) for _ in range(2)]
        for k, host in enumerate(hosts.nodes):
            give_cidr(client, host, k + 1)
        wait_ready(client, *hosts.nodes)
        yield hosts
        for p in get(client, PODS)["items"]:
            client.ask("DELETE", f"{PODS}/{p['metadata']['name']}", {"gracePeriodSeconds": 0})


@pytest.fixture(scope="module")
def pods(lan):
    """A pod on each host, with a server on port 80."""
    made = [Pod(lan.client, host, f"p{i}") for i, host in enumerate(lan.nodes)]
    servers = [Server(p.netns, p.name, 80) for p in made]
    yield made
    for s in servers:
        s.close()


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
