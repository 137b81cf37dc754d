"""The CRI socket itself: who may use it, bad requests, many clients, and that none of it hurts the agent."""
import os
import socket
import stat
import subprocess
import time

from support.node import BUILD, Node

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"


def connect(node):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(5)
    s.connect(node.socket)
    return s


def test_mode(node):
    st = os.stat(node.socket)
    assert stat.S_IMODE(st.st_mode) == 0o660 and st.st_uid == 0


def test_garbage(node):
    for data in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(4096), PREFACE + os.urandom(4096), PREFACE + b"\0\0\4\1\4\0\0\0\1zzzz", b""):
        with connect(node) as s:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            while s.recv(65536):
                pass
    assert "RuntimeName:  nacelle" in node.crictl("version")


def test_wrong_ids_and_names(node):
    for args, says in ((("inspect", "nosuch"), "not found"), (("inspectp", "nosuch"), "not found"),
                       (("exec", "-s", "nosuch", "true"), "not found"), (("rmi", "UPPER/case:x"), "no such image"),
                       (("inspecti", "no/such:image"), "no such image")):
        out = node.crictl(*args, check=False)
        assert out.returncode != 0 and says in out.stderr, (args, out.stderr)
        ours = node.nacelle(*args, check=False)
        assert ours.returncode == 1 and ours.stderr.startswith("nacelle: "), (args, ours.stderr)


def rss(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return sum(int(line.split()[1]) for line in f if line.startswith("Private"))


def test_idle_clients_cost_little(node):
    """An idle kubelet's connection must cost less than 100 kB."""
    clients = [connect(node) for _ in range(10)]
    for c in clients:
        c.sendall(PREFACE)
    time.sleep(0.3)
    before = rss(node.process.pid)
    more = [connect(node) for _ in range(100)]
    for c in more:
        c.sendall(PREFACE)
        c.recv(1)
    time.sleep(0.3)
    each = (rss(node.process.pid) - before) / len(more)
    print(f"{each:.1f} kB for each idle client")
    assert each < 100
    for c in clients + more:
        c.close()
    assert "nacelle" in node.crictl("version")


def test_events_reach_every_client(node):
    watchers = [subprocess.Popen([BUILD + "/nacelle", "-r", "unix://" + node.socket, "events", "-o", "table"], stdout=subprocess.PIPE)
                for _ in range(3)]
    try:
        time.sleep(0.3)
        node.write("e.yaml", {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "e"}, "spec": {"restartPolicy": "Never", "containers": [
            {"name": "main", "image": "localhost/busybox:test", "imagePullPolicy": "Never", "command": ["true"]}]}})
        c = node.exited("main")["id"]
        for w in watchers:
            seen = []
            while len(seen) < 3:
                line = w.stdout.readline().decode().split()
                if line[1] == c:
                    seen.append(line[2])
            assert seen == ["CONTAINER_CREATED_EVENT", "CONTAINER_STARTED_EVENT", "CONTAINER_STOPPED_EVENT"]
    finally:
        for w in watchers:
            w.kill()
            w.wait()


def test_socket_in_use_and_left_over(new_node):
    n = new_node()
    other = Node("--container-runtime-endpoint", "unix://" + n.socket)
    other.start(wait=False)
    assert other.process.wait(timeout=10) != 0
    assert "another process listens" in other.log()
    other.stop()
    n.kill()
    assert os.path.exists(n.socket)
    n.start()
    assert "nacelle" in n.crictl("version")
