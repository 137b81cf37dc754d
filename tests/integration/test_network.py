"""The built-in network: addresses, host ports, name files, nothing left."""
import json
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from support.node import address, free_port, pod, reached, wait_for

SERVER = "mkdir -p /w; hostname > /w/index.html; httpd -p 80 -h /w; sleep 1000"


def get(url):
    return urllib.request.urlopen(url, timeout=3).read().decode()


def test_pods_reach_each_other_and_the_host_reaches_them(node):
    node.write("a.yaml", pod("a", SERVER))
    node.write("b.yaml", pod("b", {"name": "client", "command": ["sleep", "1000"]}))
    a, b = node.running("main"), node.running("client")
    ip = address(node, a["podSandboxId"])
    wait_for("answer", lambda: get(f"http://{ip}/") == f"a-{node.name}\n")
    assert node.exec(b, "wget", "-q", "-O", "-", f"http://{ip}/") == f"a-{node.name}\n"
    extra = [i["ip"] for i in node.inspectp(a["podSandboxId"])["status"]["network"].get("additionalIps", [])]
    v6 = [i for i in extra if ":" in i][0]
    assert node.exec(b, "wget", "-q", "-O", "-", f"http://[{v6}]/") == f"a-{node.name}\n"
    assert "UP" in node.exec(b, "ip", "link", "show", "lo")
    assert "default via" in node.exec(b, "ip", "route")


# busybox has no server for UDP: one of ours goes into the pod's network namespace.
PONG = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 53))
while True:
    data, peer = s.recvfrom(100)
    s.sendto(b"pong", peer)
"""


def test_host_port_tcp_and_udp(node):
    tcp, udp = free_port(), free_port()
    node.write("hp.yaml", pod("hp", {"command": ["sh", "-c", SERVER],
                                     "ports": [{"containerPort": 80, "hostPort": tcp}, {"containerPort": 53, "hostPort": udp, "protocol": "UDP"}]}))
    pid = node.inspect(node.running("main"))["info"]["pid"]
    wait_for("answer", lambda: reached(lambda: get(f"http://127.0.0.1:{tcp}/")))

    def pong():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.3)
            s.sendto(b"ping", ("127.0.0.1", udp))
            return s.recv(100)
    server = subprocess.Popen(["nsenter", "-t", str(pid), "-n", sys.executable, "-c", PONG])
    try:
        assert wait_for("pong", lambda: reached(pong)) == b"pong"
    finally:
        server.kill()
        server.wait()
    node.remove("hp.yaml")
    wait_for("no pods", lambda: not node.pods())
    with pytest.raises(OSError):
        get(f"http://127.0.0.1:{tcp}/")


def test_taken_host_port_is_named(node):
    """A pod whose port another has is refused, as kubelet refuses it; UDP and another address are other ports."""
    port = free_port()
    node.write("one.yaml", pod("one", {"name": "one", "command": ["sleep", "1000"], "ports": [{"containerPort": 80, "hostPort": port}]}))
    node.running("one")
    node.write("two.yaml", pod("two", {"name": "two", "command": ["sleep", "1000"], "ports": [{"containerPort": 80, "hostPort": port}]}))
    wait_for("message", lambda: [line for line in node.log().splitlines() if f"pod default/one-{node.name} has port {port}" in line and "NodePorts" in line])
    assert node.container("two", "running") is None
    node.write("three.yaml", pod("three", {"name": "three", "command": ["sleep", "1000"], "ports": [{"containerPort": 80, "hostPort": port, "protocol": "UDP"}]}))
    node.running("three")
    # The port is free again; what was refused stays refused until it is written anew.
    node.remove("one.yaml")
    wait_for("its end", lambda: node.container("one", "running") is None)
    node.write("two.yaml", pod("two", {"name": "two", "command": ["sleep", "1001"], "ports": [{"containerPort": 80, "hostPort": port}]}))
    node.running("two")


def test_name_files(node):
    node.write("n.yaml", pod("n", "sleep 1000", hostname="me", subdomain="sub",
                             hostAliases=[{"ip": "10.1.2.3", "hostnames": ["alias"]}], dnsPolicy="None",
                             dnsConfig={"nameservers": ["10.9.9.9"], "searches": ["a.example", "b.example"], "options": [{"name": "ndots", "value": "3"}]}))
    c = node.running("main")
    assert node.exec(c, "cat", "/etc/resolv.conf").split() == "search a.example b.example nameserver 10.9.9.9 options ndots:3".split()
    hosts = node.exec(c, "cat", "/etc/hosts")
    assert "10.1.2.3\talias" in hosts and "127.0.0.1\tlocalhost" in hosts and "me" in hosts
    assert node.exec(c, "cat", "/etc/hostname") == "me\n" and node.exec(c, "hostname") == "me\n"


def test_addresses_are_distinct_and_given_back(new_node):
    node = new_node("--pod-cidr", "10.213.251.0/28")
    for i in range(8):
        node.write(f"p{i}.yaml", pod(f"p{i}", {"name": f"p{i}", "command": ["sleep", "1000"]}))
    for i in range(8):
        node.running(f"p{i}")
    ips = {address(node, p["id"]) for p in node.pods()}
    assert len(ips) == 8
    for i in range(8, 20):
        node.write(f"p{i}.yaml", pod(f"p{i}", {"name": f"p{i}", "command": ["sleep", "1000"]}))
    wait_for("message about the exhausted range", lambda: [line for line in node.log().splitlines() if "10.213.251.0/28" in line])
    for i in range(8):
        node.remove(f"p{i}.yaml")
    for i in range(8, 16):
        node.running(f"p{i}", timeout=40)


def test_bandwidth_annotation(node):
    node.write("bw.yaml", pod("bw", "sleep 1000", metadata={"annotations": {"kubernetes.io/ingress-bandwidth": "8M", "kubernetes.io/egress-bandwidth": "8M"}}))
    node.running("main")
    qdiscs = json.loads(subprocess.check_output(["tc", "-j", "qdisc"], text=True))
    assert [q for q in qdiscs if q["kind"] == "tbf"]


ECHO_PEER = """
import socket
s = socket.create_server(("::", 7), family=socket.AF_INET6, dualstack_ipv6=True)
while True:
    c, peer = s.accept()
    c.sendall(peer[0].replace("::ffff:", "").encode())
    c.close()
"""


@pytest.fixture
def outside(node):
    """A network beyond the host: a namespace with a server that tells its caller his address."""
    name, link = f"out{node.number}", f"nvout{node.number}"
    near4, far4, near6, far6 = (a.format(node.number) for a in ("198.18.{}.1", "198.18.{}.2", "2001:db8:{}::1", "2001:db8:{}::2"))
    for command in (f"ip netns add {name}", f"ip link add {link} type veth peer name eth0 netns {name}",
                    f"ip addr add {near4}/24 dev {link}", f"ip addr add {near6}/64 dev {link} nodad", f"ip link set {link} up",
                    f"ip -n {name} addr add {far4}/24 dev eth0", f"ip -n {name} addr add {far6}/64 dev eth0 nodad", f"ip -n {name} link set eth0 up"):
        subprocess.run(command.split(), check=True)
    server = subprocess.Popen(["ip", "netns", "exec", name, sys.executable, "-c", ECHO_PEER])
    yield {far4: near4, far6: near6}
    server.kill()
    server.wait()
    subprocess.run(["ip", "link", "del", link])
    subprocess.run(["ip", "netns", "del", name], check=True)


def test_what_leaves_the_host_has_the_hosts_address(node, outside):
    node.write("out.yaml", pod("out", {"name": "out", "command": ["sleep", "1000"]}))
    c = node.running("out")
    for far, near in outside.items():
        wait_for(f"answer of {far}", lambda: node.exec(c, "nc", "-w", "2", far, "7", check=False).stdout.strip() == near)
    node.write("own.yaml", pod("own", {"name": "own", "command": ["sh", "-c", SERVER]}))
    own = node.inspectp(node.running("own")["podSandboxId"])["status"]["network"]["ip"]
    wait_for("pod to pod", lambda: node.exec(c, "wget", "-q", "-O", "-", f"http://{own}/", check=False).stdout.startswith("own-"))


def test_bandwidth_is_what_the_annotations_say(node):
    """4 Mbit/s out: what goes beyond the burst takes its time."""
    node.write("slow.yaml", pod("slow", {"name": "slow", "command": ["sh", "-c", "mkdir /w; head -c 1000000 /dev/zero > /w/big; exec httpd -f -p 80 -h /w"]},
                                metadata={"annotations": {"kubernetes.io/egress-bandwidth": "4M"}}))
    node.write("fast.yaml", pod("fast", {"name": "fast", "command": ["sh", "-c", "mkdir /w; head -c 1000000 /dev/zero > /w/big; exec httpd -f -p 80 -h /w"]}))
    took = {}
    for name in ("slow", "fast"):
        url = f"http://{address(node, node.running(name)['podSandboxId'])}/big"
        wait_for("answer", lambda: reached(lambda: urllib.request.urlopen(url, timeout=3).close() or True))
        begin = time.monotonic()
        assert len(urllib.request.urlopen(url, timeout=30).read()) == 1000000
        took[name] = time.monotonic() - begin
    assert took["slow"] > 0.7 and took["fast"] < took["slow"] / 2, took
