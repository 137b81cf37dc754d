"""Hosts on one machine: network namespaces with an address each on Ethernets of the test's own, an agent in each.

    hosts = Hosts()                     # one Ethernet; Hosts(networks=2): two, with a router between them
    api = hosts.start_api()             # on the test's own address there: reached by tests and hosts alike
    a, b = hosts.join(), hosts.join()   # hosts with agents in the cluster
    a.node                              # support/node.py's; a.node.name, a.address, a.run("ip", "route")
    hosts.close()                       # all of it goes, also after a failure

The router ("fabric") is a namespace that has the Ethernets' bridges and forwards between them, and nowhere else: nothing leaves the machine.
"""
import base64
import contextlib
import ipaddress
import json
import os
import signal
import subprocess

from .api import Api
from .leaks import remove_own
from .node import Node, free_number, give_number, wait_for

CSRS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"


def ip(*args, check=True):
    done = subprocess.run(["ip", *args], capture_output=True, text=True)
    assert done.returncode == 0 or not check, f"ip {' '.join(args)}: {done.stderr}"
    return done.stdout


def sysctl(netns, **values):
    """net.* settings of a namespace, with / for the dots."""
    text = "; ".join(f"echo {value} > /proc/sys/net/{name}" for name, value in values.items())
    subprocess.run(["nsenter", f"--net=/run/netns/{netns}", "sh", "-c", text], check=True)


def kubeconfig(api, directory, name):
    """That of node `name`: its key signed by the cluster, as a bootstrapping kubelet asks for it."""
    client = api.client()
    subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{directory}/{name}.key",
                    "-out", f"{directory}/{name}.csr", "-subj", f"/O=system:nodes/CN=system:node:{name}"], check=True, capture_output=True)
    with open(f"{directory}/{name}.csr", "rb") as f:
        spec = {"request": base64.b64encode(f.read()).decode(), "signerName": "kubernetes.io/kube-apiserver-client-kubelet",
                "usages": ["digital signature", "client auth"]}
    status, made = client.ask("POST", CSRS, {"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": name}, "spec": spec})
    assert status == 201, made
    signed = wait_for("certificate", lambda: client.ask("GET", f"{CSRS}/{name}")[1].get("status", {}).get("certificate"))
    with open(f"{directory}/{name}.crt", "wb") as f:
        f.write(base64.b64decode(signed))
    config = {"apiVersion": "v1", "kind": "Config", "current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
              "clusters": [{"name": "c", "cluster": {"server": f"https://{api.address}:{api.port}", "certificate-authority": f"{api.pki}/ca.crt"}}],
              "users": [{"name": "u", "user": {"client-certificate": f"{directory}/{name}.crt", "client-key": f"{directory}/{name}.key"}}]}
    path = f"{directory}/{name}.kubeconfig"
    with open(path, "w") as f:
        json.dump(config, f)
    return path


def remove_pods(client, node):
    """Those of namespace default, at the service and at the node: what they hold counts for the next test."""
    path = "/api/v1/namespaces/default/pods"
    names = {p["metadata"]["name"] for p in client.ask("GET", path)[1]["items"]}
    for name in names:
        client.ask("DELETE", f"{path}/{name}", {"gracePeriodSeconds": 1})
    wait_for("end", lambda: not client.ask("GET", path)[1]["items"] and not {p["metadata"]["name"] for p in node.pods()} & names)


@contextlib.contextmanager
def joined_node(api, archive, directory):
    """An agent of this host that belongs to the cluster, with the archive's images."""
    n = Node()
    n.options += ["--kubeconfig", kubeconfig(api, directory, n.name)]
    n.start()
    n.nacelle("import", archive)
    wait_for("Node", lambda: api.client().ask("GET", f"/api/v1/nodes/{n.name}")[0] == 200)
    yield n
    n.stop()


class Ethernet:
    """A bridge in the fabric: an IPv4 and an IPv6 network, the fabric's address (the default gateway) the first of each."""

    def __init__(self, hosts, index):
        self.hosts, self.index, self.bridge = hosts, index, f"br{index}"
        self.n = 9 if index == 0 else 0

    def address(self, n):
        return f"10.214.{self.hosts.number}.{self.index * 64 + n}"

    def address6(self, n):
        return str(ipaddress.ip_address(f"fd00:214:{self.hosts.number:x}:{self.index:x}::{n:x}"))

    def next(self):
        self.n += 1
        return self.n + 1

    def plug(self, netns, inner, outer, mtu=1500):
        """A cable from the fabric's bridge to the interface `inner` in `netns` (None: the test's own namespace)."""
        fabric = self.hosts.fabric
        ip("link", "add", inner, *(["netns", netns] if netns else []), "mtu", str(mtu), "type", "veth", "peer", "name", outer, "mtu", str(mtu), "netns", fabric)
        ip("-n", fabric, "link", "set", "dev", outer, "master", self.bridge, "up")


class Host:
    """A namespace with eth0. Its agent, if any, is `node`."""

    def __init__(self, hosts, ethernet, mtu=1500):
        self.hosts, self.ethernet, self.node = hosts, ethernet, None
        self.netns = f"nch{hosts.number}h{len(hosts.all)}"
        self.mtu = mtu
        hosts.all.append(self)
        ip("netns", "add", self.netns)
        ip("-n", self.netns, "link", "set", "lo", "up")
        sysctl(self.netns, **{"ipv6/conf/all/accept_dad": 0, "ipv6/conf/default/accept_dad": 0, "ipv6/conf/default/accept_ra": 0})
        self.outer = f"h{len(hosts.all) - 1}"
        ethernet.plug(self.netns, "eth0", self.outer, mtu)
        self.address = self.address6 = None
        self.move()

    def move(self):
        """Takes a new address of the Ethernet, and has none of its old ones any more."""
        n = self.ethernet.next()
        self.address, self.address6 = self.ethernet.address(n), self.ethernet.address6(n)
        ip("-n", self.netns, "addr", "flush", "dev", "eth0", "scope", "global")
        ip("-n", self.netns, "addr", "add", f"{self.address}/26", "dev", "eth0")
        ip("-n", self.netns, "addr", "add", f"{self.address6}/64", "dev", "eth0", "nodad")
        ip("-n", self.netns, "link", "set", "eth0", "up")
        ip("-n", self.netns, "route", "replace", "default", "via", self.ethernet.address(1))
        ip("-n", self.netns, "-6", "route", "replace", "default", "via", self.ethernet.address6(1))

    def inside(self, *command):
        return ["nsenter", f"--net=/run/netns/{self.netns}", *command]

    def run(self, *command, check=True, timeout=30):
        return subprocess.run(self.inside(*command), check=check, capture_output=True, text=True, timeout=timeout).stdout

    def agent(self, *options, **kwargs):
        """An agent that is not started yet. Without a pod_cidr it waits for the cluster's."""
        self.node = Node(*options, netns=self.netns, node_ip=None, **{"pod_cidr": None, **kwargs})
        return self.node

    def remove(self):
        """The host dies: everything in it, and what its agent has made."""
        node, self.node = self.node, None
        if node:
            kill_all(node)
            remove_own(node)
        subprocess.run(["ip", "netns", "del", self.netns], capture_output=True)


def kill_all(node):
    """All that the agent has made, without asking it. Its cgroups say what is its own."""
    if node.process and node.process.poll() is None:
        node.children |= node.shims()
        node.process.send_signal(signal.SIGKILL)
        node.process.wait(timeout=20)
    for pid in node.children:
        kill(pid)
    for hierarchy in os.listdir("/sys/fs/cgroup"):
        for top, _, files in os.walk(f"/sys/fs/cgroup/{hierarchy}{node.cgroup}"):
            if "cgroup.procs" in files:
                with open(top + "/cgroup.procs") as f:
                    for pid in f.read().split():
                        kill(int(pid))


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


class Hosts:
    def __init__(self, networks=1, mtu=1500):
        self.number = free_number()
        self.fabric, self.all, self.api, self.mtu = f"nch{self.number}f", [], None, mtu
        self.cable = f"nch{self.number}t"
        self.remove_all()  # what a test that was killed has left under this number
        try:
            self.make(networks)
        except BaseException:
            self.remove_all()
            raise

    def make(self, networks):
        ip("netns", "add", self.fabric)
        sysctl(self.fabric, **{"ipv4/ip_forward": 1, "ipv6/conf/all/forwarding": 1, "ipv6/conf/all/accept_dad": 0, "ipv6/conf/default/accept_dad": 0})
        self.ethernets = [Ethernet(self, i) for i in range(networks)]
        for e in self.ethernets:
            ip("-n", self.fabric, "link", "add", e.bridge, "mtu", str(self.mtu), "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
            ip("-n", self.fabric, "addr", "add", f"{e.address(1)}/26", "dev", e.bridge)
            ip("-n", self.fabric, "addr", "add", f"{e.address6(1)}/64", "dev", e.bridge, "nodad")
            ip("-n", self.fabric, "link", "set", e.bridge, "up")
        first = self.ethernets[0]
        self.address, self.address6 = first.address(2), first.address6(2)
        first.plug(None, self.cable, "t", self.mtu)
        ip("addr", "add", f"{self.address}/26", "dev", self.cable)
        ip("addr", "add", f"{self.address6}/64", "dev", self.cable, "nodad")
        ip("link", "set", self.cable, "up")
        for e in self.ethernets[1:]:
            ip("route", "add", f"{e.address(0)}/26", "via", first.address(1))
            ip("-6", "route", "add", f"{e.address6(0)}/64", "via", first.address6(1))

    def start_api(self, *options, **kwargs):
        self.api = Api(*options, **{"address": self.address, "controllers": "*", **kwargs}).start()
        return self.api

    def add(self, network=0, **kwargs):
        """A host without an agent."""
        return Host(self, self.ethernets[network], **{"mtu": self.mtu, **kwargs})

    def join(self, *options, network=0, archive=None, **kwargs):
        """A host whose agent has joined the cluster of start_api(), with the image in `archive`."""
        host = self.add(network)
        node = host.agent(*options, **kwargs)
        node.options += ["--kubeconfig", kubeconfig(self.api, node.dir, node.name)]
        node.start()
        if archive:
            node.nacelle("import", archive)
        return host

    def close(self):
        """Ends agents in peace, then removes everything; what an agent has left behind fails, once all is gone."""
        failures = []
        try:
            for host in self.all:
                if host.node:
                    self.stop(host, failures)
            if self.api:
                try:
                    self.api.stop()
                except Exception as e:
                    failures.append(e)
        finally:
            self.remove_all()
        give_number(self.number)
        if failures:
            raise failures[0]

    @staticmethod
    def stop(host, failures):
        try:
            host.node.stop()
            host.node = None
        except Exception as e:
            failures.append(e)

    def remove_all(self):
        for host in self.all:
            host.remove()
        own = [line.split()[0] for line in ip("netns", "list", check=False).splitlines() if line.startswith((self.fabric, f"nch{self.number}h"))]
        for name in own:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)
        subprocess.run(["ip", "link", "del", self.cable], capture_output=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
