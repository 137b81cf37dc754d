"""nacelle init, join, token, certs, backup, reset: two commands make a cluster."""
import http.server
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading

import pytest
from support import leaks
from support.api import Client, free_port
from support.faults import Faults
from support.join import openssl
from support.node import BUILD, Node, parent, pod, processes, wait_for


class Host:
    """What the commands make on a host of its own: its directories, and an agent beside other tests'."""

    def __init__(self):
        self.node = n = Node()
        self.config, self.data = n.dir + "/etc", n.dir + "/api"
        self.kubelet = self.config + "/kubelet.conf"
        self.places = ["--config-dir", self.config, "--data-dir", self.data, "--root-dir", n.root, "--run-dir", n.run, "--start", "process"]
        self.agent = [f"--agent-arg={a}" for a in (
            f"--pod-manifest-path={n.manifests}", f"--pod-logs-dir={n.logs}", f"--bridge={n.bridge}", f"--pod-cidr=10.213.{n.number}.0/24",
            f"--cgroup-root={n.cgroup}", f"--cni-conf-dir={n.dir}/cni",
            f"--port={free_port()}")]

    def nacelle(self, *args, input=None, **env):
        return subprocess.run([BUILD + "/nacelle", *args], capture_output=True, text=True, timeout=150, input=input, env={**os.environ, **env})

    def join(self, *args):
        return self.nacelle("join", *args, *self.places, *self.agent, f"--node-name={self.node.name}", "--node-ip=127.0.0.1")

    def ask(self, method, path, *args):
        return Client(self.port, self.data + "/pki").ask(method, path, *args)[1]

    def nodes(self):
        """{name: its object} of those that are Ready."""
        ready = lambda n: any(c["type"] == "Ready" and c["status"] == "True" for c in n["status"].get("conditions", []))
        return {n["metadata"]["name"]: n for n in self.ask("GET", "/api/v1/nodes")["items"] if ready(n)}

    def logs(self):
        return "".join(open(f"{self.node.run}/{name}.log").read()[-3000:] for name in ("nacelle-agent", "nacelle-api") if os.path.exists(f"{self.node.run}/{name}.log"))

    def leave(self):
        self.nacelle("reset", "--force", *self.places)
        self.node.stop()


@pytest.fixture(scope="module")
def first():
    host = Host()
    port = free_port()
    host.port = port
    host.init = [*host.places, *host.agent, "--apiserver-advertise-address=127.0.0.1", f"--apiserver-bind-port={port}", f"--node-name={host.node.name}", "--node-ip=127.0.0.1"]
    try:
        done = host.nacelle("init", *host.init)
        assert done.returncode == 0, done.stderr + host.logs()
        host.line = done.stdout.split("by:\n\n  ")[1].split()
        yield host
    finally:
        host.leave()


@pytest.fixture
def second():
    host = Host()
    yield host
    host.leave()


def test_init_makes_a_cluster_of_one(first):
    assert first.line[:2] == ["nacelle", "join"] and first.line[2] == f"127.0.0.1:{first.port}" and first.line[5] == "--discovery-token-ca-cert-hash"
    nodes = first.nodes()
    assert list(nodes) == [first.node.name]
    assert nodes[first.node.name]["metadata"]["labels"]["node-role.kubernetes.io/control-plane"] == ""
    # the token's kubeconfig is gone with its use
    assert sorted(os.listdir(first.config)) == ["agent.env", "api.env", "kubelet.conf"]


def test_init_again_changes_nothing(first):
    uid = first.nodes()[first.node.name]["metadata"]["uid"]
    done = first.nacelle("init", *first.init)
    assert done.returncode == 0, done.stderr + first.logs()
    assert first.nodes()[first.node.name]["metadata"]["uid"] == uid


def test_join_and_reset(first, second, busybox_archive):
    done = second.join(*first.line[2:])
    assert done.returncode == 0, done.stderr + second.logs()
    assert set(first.nodes()) == {first.node.name, second.node.name}
    again = second.join(*first.line[2:])
    assert again.returncode == 0, again.stderr + second.logs()
    assert second.nacelle("reset", *second.places, input="n\n").returncode == 1
    assert os.path.exists(second.kubelet)
    # its pods of the cluster end, and leave nothing behind
    n = second.node
    n.nacelle("import", busybox_archive)  # of the agent that the second join has started
    made = first.ask("POST", "/api/v1/namespaces/default/pods", pod("here", "trap 'exit 0' TERM; while :; do sleep 0.1; done", nodeName=n.name))
    wait_for("pod", lambda: first.ask("GET", "/api/v1/namespaces/default/pods/here").get("status", {}).get("phase") == "Running")
    done = second.nacelle("reset", "--force", *second.places)
    assert done.returncode == 0, done.stderr
    assert not os.path.exists(f"{n.root}/pods/{made['metadata']['uid']}") and not os.listdir(n.root + "/sandboxes")
    first.ask("DELETE", "/api/v1/namespaces/default/pods/here?gracePeriodSeconds=0")
    assert os.listdir(second.config) == [] and not os.path.exists(second.node.root + "/pki")
    first.ask("DELETE", f"/api/v1/nodes/{second.node.name}")


def test_join_again_waits_for_the_new_agent(first, second):
    """The node is Ready by what the agent before has told."""
    done = second.join(*first.line[2:])
    assert done.returncode == 0, done.stderr + second.logs()
    done = second.join(*first.line[2:], "--agent-arg=--max-pods=some")
    assert done.returncode != 0 and "it has ended" in done.stderr and "max-pods" in done.stderr
    assert second.join(*first.line[2:]).returncode == 0
    first.ask("DELETE", f"/api/v1/nodes/{second.node.name}")


def test_reset_after_a_reboot(first, second, busybox_archive):
    """Pods that were there before it leave sandboxes that are no more, beside those of now."""
    done = second.join(*first.line[2:])
    assert done.returncode == 0, done.stderr + second.logs()
    n = second.node
    n.nacelle("import", busybox_archive)
    path = "/api/v1/namespaces/default/pods"

    def phase(name):
        return first.ask("GET", f"{path}/{name}").get("status", {}).get("phase")
    for name, command, policy in (("goes-on", "sleep 1000", "Always"), ("ended", "exit 0", "Never"), ("killed", "sleep 1000", "Never")):
        first.ask("POST", path, pod(name, command, nodeName=n.name, restartPolicy=policy))
    wait_for("pods", lambda: [phase("goes-on"), phase("ended"), phase("killed")] == ["Running", "Succeeded", "Running"])
    for _ in range(2):
        agent = int(open(f"{n.run}/nacelle-agent.pid").read())
        pids = [n.inspect(c)["info"]["pid"] for c in n.containers() if c["state"] == "CONTAINER_RUNNING"]
        shims = [shim for shim in processes("nacelle-shim") if parent(shim) == agent]
        for process in (agent, *pids, *shims):
            os.kill(process, signal.SIGKILL)
        wait_for("their ends", lambda: not any(os.path.exists(f"/proc/{process}") for process in (agent, *pids, *shims)))
        for mount in reversed(leaks.mounts(n)):
            subprocess.run(["umount", "-l", mount], check=True)
        shutil.rmtree(n.run)
        done = second.join(*first.line[2:])
        assert done.returncode == 0, done.stderr + second.logs()
        wait_for("pods of after", lambda: [phase("goes-on"), phase("killed")] == ["Running", "Failed"])
        wait_for("a container of after", lambda: [c for c in n.containers() if c["state"] == "CONTAINER_RUNNING"])
    done = second.nacelle("reset", "--force", *second.places)
    assert done.returncode == 0, done.stderr + second.logs()
    assert not os.listdir(n.root + "/sandboxes")
    for name in ("goes-on", "ended", "killed"):
        first.ask("DELETE", f"{path}/{name}?gracePeriodSeconds=0")
    first.ask("DELETE", f"/api/v1/nodes/{n.name}")


def bare(host, *options, **env):
    """A cluster without a node."""
    host.port = free_port()
    done = host.nacelle("init", "--skip-node", "--apiserver-advertise-address=127.0.0.1", f"--apiserver-bind-port={host.port}", *host.places, *options, **env)
    if done.returncode == 0:
        host.line = done.stdout.split("by:\n\n  ")[1].split()
    return done


@pytest.fixture
def third():
    host = Host()
    yield host
    host.leave()


def test_a_host_is_a_node_of_one_cluster(first, second, third):
    """Who asks for another one is not told that it was done; nor does this host become two nodes."""
    assert bare(third).returncode == 0 and second.join(*first.line[2:]).returncode == 0
    before = {name: open(f"{second.config}/{name}").read() for name in os.listdir(second.config)}
    says = f"this host is a node of another cluster, that of https://127.0.0.1:{first.port} ({second.kubelet}); `nacelle reset` it first"
    for done in second.join(*third.line[2:]), second.nacelle("init", "--apiserver-advertise-address=127.0.0.1", *second.places):
        assert done.returncode == 1 and says in done.stderr, done
    done = second.nacelle("join", *first.line[2:], *second.places, *second.agent, "--node-name=other")
    assert done.returncode == 1 and f"this host is node {second.node.name} of that cluster ({second.kubelet}), not other: give --node-name {second.node.name}, or" in done.stderr, done
    assert before == {name: open(f"{second.config}/{name}").read() for name in os.listdir(second.config)}
    # the cluster is at another address now, which its certificate is for
    with open(second.kubelet, "w") as f:
        f.write(before["kubelet.conf"].replace(f"127.0.0.1:{first.port}", "127.0.0.1:1"))
    assert second.join(*first.line[2:]).returncode == 0 and open(second.kubelet).read() == before["kubelet.conf"]
    with open(second.kubelet, "w") as f:
        f.write("damaged")
    done = second.join(*first.line[2:])
    assert done.returncode == 1 and "`nacelle reset` takes it away: " + second.kubelet in done.stderr, done
    # the certificate of the other cluster is still there, and of no use
    os.unlink(second.kubelet)
    done = second.join(*third.line[2:])
    assert done.returncode == 0 and list(third.nodes()) == [second.node.name], done.stderr + second.logs()
    first.ask("DELETE", f"/api/v1/nodes/{second.node.name}")


def test_a_node_is_one_host(first, second):
    """Who joins by the name of a host that is there would have its pods, and it those of who joins."""
    done = second.join(*first.line[2:])
    assert done.returncode == 0 and second.nacelle("reset", "--force", *second.places).returncode == 0, done
    path = f"/api/v1/nodes/{second.node.name}"
    node = first.ask("GET", path)
    node["status"]["nodeInfo"]["bootID"] = "another"
    assert first.ask("PUT", path + "/status", node)["status"]["nodeInfo"]["bootID"] == "another"
    done = second.join(*first.line[2:])
    assert done.returncode == 1 and f"there is a Ready node {second.node.name} in that cluster, which is another host: give another --node-name, or" in done.stderr, done
    assert not os.listdir(second.config) and not processes(f"nacelle-agent.*{second.node.root}")
    first.ask("DELETE", path)
    assert second.join(*first.line[2:]).returncode == 0
    first.ask("DELETE", path)


def test_a_cluster_that_is_restored_elsewhere(second, third):
    """Its first node was another host, and Ready when the backup was made."""
    init = lambda host: host.nacelle("init", *host.places, *host.agent, "--apiserver-advertise-address=127.0.0.1", f"--apiserver-bind-port={host.port}", "--node-name=restored", "--node-ip=127.0.0.1")
    second.port = third.port = free_port()
    assert init(second).returncode == 0
    node = second.ask("GET", "/api/v1/nodes/restored")
    node["status"]["nodeInfo"]["bootID"] = "another"
    second.ask("PUT", "/api/v1/nodes/restored/status", node)
    second.ask("POST", "/api/v1/namespaces/default/configmaps", {"metadata": {"name": "kept"}})
    file = third.node.dir + "/backup"
    assert second.nacelle("backup", file, "--data-dir", second.data).returncode == 0
    second.nacelle("reset", "--force", *second.places)
    assert third.nacelle("restore", file, "--data-dir", third.data).returncode == 0
    done = init(third)
    assert done.returncode == 0, done.stderr + third.logs()
    assert list(third.nodes()) == ["restored"] and third.ask("GET", "/api/v1/namespaces/default/configmaps/kept")["metadata"]["name"] == "kept"


@pytest.mark.parametrize("where, what, words, again", [
    ("config", "read-only", "etc/bootstrap-kubelet.conf: Read-only file system", ""),
    ("run", "read-only", "nacelle-agent.log: Read-only file system", "nacelle-agent.log: Read-only file system; what runs of the cluster's pods, the next agent here ends"),
    ("config/agent.env", "directory", "etc/agent.env: Is a directory", "agent.env: Is a directory; what runs of the cluster's pods, the next agent here ends"),
    ("config/kubelet.conf", "directory", "`nacelle reset` takes it away: read ", ""),
    ("config/bootstrap-kubelet.conf", "directory", "etc/bootstrap-kubelet.conf: Is a directory", ""),
    ("root/pki", "file", "it has ended: open ", ""),
])
def test_what_is_in_the_way(first, second, where, what, words, again):
    """Is named, and a reset takes it away where it is one of ours, and goes on where it cannot."""
    path = {"config": second.config, "run": second.node.run, "root": second.node.root}[where.split("/")[0]] + where.partition("/")[1] + where.partition("/")[2]
    os.makedirs(os.path.dirname(path) if what == "file" else path)
    if what == "file":
        open(path, "w").close()
    if what == "read-only":
        subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "disk", path], check=True)
    try:
        done = second.join(*first.line[2:])
        assert done.returncode == 1 and words in done.stderr, done
        done = second.nacelle("reset", "--force", *second.places)
        assert done.returncode == 0 and again in done.stderr, done
    finally:
        if what == "read-only":
            subprocess.run(["umount", path], check=True)
    assert second.join(*first.line[2:]).returncode == 0
    first.ask("DELETE", f"/api/v1/nodes/{second.node.name}")


def test_join_where_no_service_is(second):
    def answer(server):
        connection = server.accept()[0]
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        connection.close()
    with socket.create_server(("127.0.0.1", 0)) as plain:
        threading.Thread(target=answer, args=(plain,), daemon=True).start()
        done = second.join(f"127.0.0.1:{plain.getsockname()[1]}", "--token", "abcdef.0123456789abcdef")
    assert done.returncode == 1 and "what answers there speaks no TLS: it is not an API service's port: " in done.stderr, done


def test_what_is_not_said_again(second):
    """Flags of before, or of somebody's hand, go with a word."""
    assert bare(second, "--pod-network-cidr=10.60.0.0/16", "--api-arg=--event-ttl=2h", "--service-cidr=10.50.0.0/16").stderr == ""
    command = ["init", "--skip-node", "--apiserver-advertise-address=127.0.0.1", f"--apiserver-bind-port={second.port}", *second.places]
    done = second.nacelle(*command, "--service-cidr=10.50.0.0/16")
    assert done.returncode == 0 and done.stderr.splitlines() == [f"nacelle: warning: {second.config}/api.env had {flag}, which is not said again: nacelle-api goes on without it"
                                                                 for flag in ("--cluster-cidr=10.60.0.0/16", "--event-ttl=2h")], done
    assert second.nacelle(*command, "--service-cidr=10.50.0.0/16").stderr == ""
    assert "Services have the addresses that it was made with, 10.50.0.0/16, not --service-cidr 10.70.0.0/16" in second.nacelle(*command, "--service-cidr=10.70.0.0/16").stderr


def test_one_at_a_time(first, second):
    command = [BUILD + "/nacelle", "join", *first.line[2:], *second.places, *second.agent, f"--node-name={second.node.name}", "--node-ip=127.0.0.1"]
    commands = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    said = [(*p.communicate(), p.returncode) for p in commands]
    assert any(code == 0 for _, _, code in said), said
    assert all("etc: another process uses it; a `nacelle` command is making, joining or leaving a cluster; wait for its end" in err for _, err, code in said if code), said
    assert len(processes(f"nacelle-agent.*{second.node.root}")) == 1
    first.ask("DELETE", f"/api/v1/nodes/{second.node.name}")


def test_init_is_of_this_host(first, second):
    """KUBECONFIG may be of another cluster, in which init has nothing to write."""
    info = lambda: first.ask("GET", "/api/v1/namespaces/kube-public/configmaps/cluster-info")["data"]
    before = info()
    done = bare(second, KUBECONFIG=first.data + "/admin.kubeconfig")
    assert done.returncode == 0 and info() == before and second.line[2] == f"127.0.0.1:{second.port}", done
    assert second.ask("GET", "/api/v1/namespaces/kube-public/configmaps/cluster-info")["data"] != before


def test_init_with_ipv6_alone(second):
    port = free_port()
    done = second.nacelle("init", *second.places, *second.agent, "--apiserver-advertise-address=::1", f"--apiserver-bind-port={port}", "--service-cidr=fd96::/112",
                          "--pod-network-cidr=fd44::/56", f"--node-name={second.node.name}", "--node-ip=::1")
    assert done.returncode == 0, done.stderr + second.logs()
    assert f"nacelle join [::1]:{port} " in done.stdout and f"https://[::1]:{port}\n" in open(second.kubelet).read()


def test_the_systems_own_tools_know_the_hash(first):
    public = openssl("x509", "-pubkey", "-noout", "-in", first.data + "/pki/ca.crt")
    digest = subprocess.run("openssl pkey -pubin -outform der | sha256sum", shell=True, input=public, capture_output=True, text=True).stdout.split()[0]
    assert first.line[6] == "sha256:" + digest


def test_a_cluster_that_is_another_gets_no_token(first, second):
    """What pretends to be the API: a server with a certificate and cluster-info of its own hears no secret."""
    heard = []
    other = second.node.dir + "/other"
    os.makedirs(other)
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", other + "/key", "-out", other + "/crt", "-subj", "/CN=kubernetes",
            "-addext", "subjectAltName=IP:127.0.0.1")
    map_of = Client(first.port, first.data + "/pki").ask("GET", "/api/v1/namespaces/kube-public/configmaps/cluster-info")[1]

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def do_GET(self):
            heard.append((self.path, dict(self.headers)))
            body = json.dumps(map_of).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(other + "/crt", other + "/key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"127.0.0.1:{server.server_address[1]}"
    try:
        # the real cluster-info, replayed: the authority in it has not signed this server
        done = second.join(address, *first.line[3:])
        assert done.returncode == 1 and "certificate" in done.stderr, done.stderr
        # one of its own making: the token's signature does not fit it
        map_of["data"]["kubeconfig"] = map_of["data"]["kubeconfig"].replace("https://", "https://x")
        done = second.join(address, *first.line[3:])
        assert done.returncode == 1 and "is not signed with this token" in done.stderr, done.stderr
    finally:
        server.shutdown()
    assert heard and all("Authorization" not in headers and "authorization" not in headers for _, headers in heard)
    assert not os.path.exists(second.config)


@pytest.mark.parametrize("arguments, words", [
    (["--token", "nonsense"], "--token: the token is not of the form abcdef.0123456789abcdef"),
    ([], "give --token"),
    (["--token", "zzzzzz.0123456789abcdef"], "which it does not know or which is over"),
    (["--token", None, "--ca-cert-hash", "sha256:" + "0" * 64], "it is another cluster, or somebody between"),
    (["--token", None, "--ca-cert-hash", "sha256:0"], "give sha256: and 64 hexadecimal digits"),
])
def test_what_join_refuses(first, second, arguments, words):
    done = second.join(first.line[2], *[a or first.line[4] for a in arguments])
    assert done.returncode == 1 and words in done.stderr, done.stderr
    assert not os.path.exists(second.config)


def test_output_that_is_lost(first):
    """A token that nobody has read is none."""
    with open("/dev/full", "w") as full:
        for command in ["token", "create"], ["token", "list"]:
            done = subprocess.run([BUILD + "/nacelle", *command, "--data-dir", first.data], stdout=full, stderr=subprocess.PIPE, text=True, timeout=30)
            assert done.returncode == 1 and done.stderr == "nacelle: the output is not whole: No space left on device\n", done


def test_join_by_another_name(first, second):
    done = second.join(f"127.1:{first.port}", *first.line[3:])
    assert done.returncode == 1 and "does not name this address: join by one that it names, or give it to `nacelle init --apiserver-cert-extra-sans`: " in done.stderr, done
    assert second.join(f"https://localhost:{first.port}/", *first.line[3:]).returncode == 0
    first.ask("DELETE", f"/api/v1/nodes/{second.node.name}")


def test_tokens(first):
    token = lambda *args: first.nacelle("token", *args, "--data-dir", first.data)
    made = token("create", "--ttl", "1h", "--description", "mine").stdout.strip()
    listed = [line for line in token("list").stdout.splitlines() if line.startswith(made)]
    assert len(listed) == 1 and "mine" in listed[0] and "authentication,signing" in listed[0]
    line = token("create", "ninety.0123456789abcdef", "--print-join-command").stdout.split()
    assert line == first.line[:4] + ["ninety.0123456789abcdef"] + first.line[5:]
    assert token("create", "ninety.0123456789abcdef", "--ttl", "2h").returncode == 0
    taken = token("create", "ninety.fedcba9876543210")
    assert taken.returncode == 1 and "there is another token ninety; delete it first" in taken.stderr
    for wrong in ("ninety.", "ninetynine", "ninety.0123456789abcdeF", "../../", ""):
        done = token("delete", made, wrong)
        assert done.returncode == 1 and f"{wrong}: give the token, or its first six letters" in done.stderr
    assert all(text in token("list").stdout for text in (made, "ninety.0123456789abcdef"))
    assert token("delete", made, "ninety").returncode == 0
    assert not any(text in token("list").stdout for text in (made, "ninety"))
    assert token("delete", made).returncode == 1 and token("create", "wrong").returncode == 1
    assert token("take").returncode == 2
    # what is less than a second is no eternity
    made = token("create", "--ttl", "1ms").stdout.strip()
    assert [line.split()[1] for line in token("list").stdout.splitlines() if line.startswith(made)] != ["<forever>"]
    assert "one token is created at a time" in token("create", "aaaaaa.0123456789abcdef", "bbbbbb.0123456789abcdef").stderr
    assert token("list", "x").returncode == 1
    assert not any(text in token("list").stdout for text in ("aaaaaa.", "bbbbbb."))


def answers(host):
    try:
        return host.nodes()
    except OSError:
        return None


def test_certificates_and_backup(first):
    check = first.nacelle("certs", "check", *first.places)
    assert check.returncode == 0, check.stdout
    rows = {line.split()[0]: line for line in check.stdout.splitlines()[1:]}
    assert {"ca.crt", "apiserver.crt", "admin.crt", "kubelet-client-current.pem"} <= set(rows) and "364d" in rows["apiserver.crt"] + rows["admin.crt"]
    before = openssl("x509", "-noout", "-serial", "-in", first.data + "/pki/apiserver.crt")
    done = first.nacelle("certs", "renew", *first.places)
    assert done.returncode == 0, done.stderr
    wait_for("service", lambda: answers(first))
    assert openssl("x509", "-noout", "-serial", "-in", first.data + "/pki/apiserver.crt") != before
    file = first.node.dir + "/backup"
    done = first.nacelle("backup", file, "--data-dir", first.data)
    assert done.returncode == 0 and os.path.getsize(file) > 0, done.stderr
    # what is put back belongs to whom the directory does
    other = first.node.dir + "/other"
    os.makedirs(other, mode=0o700)
    os.chown(other, 65534, 65534)
    done = first.nacelle("restore", file, "--data-dir", other)
    assert done.returncode == 0, done.stderr
    assert os.listdir(other) and {os.stat(f"{other}/{name}").st_uid for name in os.listdir(other)} == {65534}
    done = first.nacelle("restore", "/nowhere", "--data-dir", other)
    assert done.returncode == 1 and "/nowhere" in done.stderr


# --- what goes wrong, in words that say what to do ---

@pytest.mark.parametrize("arguments, words", [
    (["reset"], "This host is in no cluster: there is nothing to undo."),
    (["token", "list"], "run this on the API service's host, or give --kubeconfig: open "),
    (["token", "create"], "run this on the API service's host, or give --kubeconfig: open "),
    (["backup", "/tmp/none"], "state.db: No such file or directory"),
    (["restore", "/none"], "restore of /none: No such file or directory"),
    (["certs", "check"], "there are no certificates in "),
    (["join", "127.0.0.1:x", "--token", "abcdef.0123456789abcdef"], "https://127.0.0.1:x: x is no port; give ADDRESS:PORT"),
    (["join", "127.0.0.1:1", "--token", "abcdef.0123456789abcdef"], "https://127.0.0.1:1: Connection refused"),
    (["join", "nosuch.invalid", "--token", "abcdef.0123456789abcdef"], "nosuch.invalid:6443: "),
    (["init", "--apiserver-advertise-address=127.0.0.1", "--service-cidr=x"], 'it has ended: nacelle-api: --service-cluster-ip-range: "x" is not a CIDR'),
    (["init", "--apiserver-advertise-address=x"], "--apiserver-advertise-address x: give an IP address"),
    (["init", "--apiserver-advertise-address=0.0.0.0"], "--apiserver-advertise-address 0.0.0.0: give an IP address"),
    (["init", "--apiserver-advertise-address=fd00::1"], "fd00::1 is of IPv6, and Services' first addresses are of IPv4: give --service-cidr and --pod-network-cidr of IPv6"),
    (["init", "--apiserver-advertise-address=127.0.0.1", "--node-name=Foo"], '--node-name "Foo": a lowercase RFC 1123 subdomain must consist of'),
    (["init", "--apiserver-advertise-address=127.0.0.1", "--node-ip=300.1.1.1"], '--node-ip "300.1.1.1": give an IP address'),
    (["init", "--apiserver-advertise-address=127.0.0.1", "--agent-arg=--a b"], "--agent-arg: --a b: blanks, quotes and $ cannot be in an argument"),
    (["init", "--apiserver-advertise-address=127.0.0.1", "--api-arg=a"], '--api-arg "a": give a flag, --FLAG=VALUE'),
    (["init", "--apiserver-advertise-address=127.0.0.1", "--run-dir=run"], '--run-dir "run": give an absolute path'),
    (["join", "127.0.0.1:1", "--token", "abcdef.0123456789abcdef", "--ca-cert-hash", "sha256:" + "g" * 64], "give sha256: and 64 hexadecimal digits"),
    (["join", "http://127.0.0.1:1", "--token", "abcdef.0123456789abcdef"], '"http://127.0.0.1:1": give ADDRESS:PORT'),
    (["join", "", "--token", "abcdef.0123456789abcdef"], '"": give ADDRESS:PORT'),
    (["join", "[::1", "--token", "abcdef.0123456789abcdef"], '"[::1": give ADDRESS:PORT'),
    (["join", "127.0.0.1:6443:1", "--token", "abcdef.0123456789abcdef"], '"127.0.0.1:6443:1": give ADDRESS:PORT'),
    (["join", "https://127.0.0.1:1/", "--token", "abcdef.0123456789abcdef"], "https://127.0.0.1:1: Connection refused"),
])
def test_on_a_host_that_is_in_no_cluster(second, arguments, words):
    places = ["--data-dir", second.data] if arguments[0] in ("token", "backup", "restore") else second.places
    done = second.nacelle(arguments[0], *places, *arguments[1:])
    assert words in done.stdout + done.stderr and done.returncode == (0 if arguments == ["reset"] else 1), done


def hang_up(server):
    try:
        while True:
            server.accept()[0].close()
    except OSError:
        pass


def test_a_port_that_is_taken(second):
    with socket.create_server(("0.0.0.0", 0)) as taken:
        threading.Thread(target=hang_up, args=(taken,), daemon=True).start()
        done = second.nacelle("init", "--skip-node", "--apiserver-advertise-address=127.0.0.1", f"--apiserver-bind-port={taken.getsockname()[1]}", *second.places)
    assert done.returncode == 1 and re.search(r"nacelle-api does not come \(its log: .*\): it has ended: listen on 0.0.0.0:\d+: Address already in use", done.stderr), done


def test_an_agent_that_ends(first, second):
    """Why is told; what was made of the node can be undone all the same."""
    done = second.nacelle("join", *first.line[2:], *second.places, "--agent-arg=--no-such-flag")
    assert done.returncode == 1 and 'it has ended: nacelle-agent: unknown flag "--no-such-flag"' in done.stderr, done
    done = second.nacelle("reset", "--force", *second.places)
    assert done.returncode == 0 and 'unknown flag "--no-such-flag"' in done.stderr and os.listdir(second.config) == [], done


def test_who_is_interrupted_goes_on(second):
    """At whatever moment: given again it makes the cluster, and nothing is left running beside it."""
    command = ["init", "--skip-node", "--apiserver-advertise-address=127.0.0.1", f"--apiserver-bind-port={free_port()}", *second.places]
    for n in range(12):
        with subprocess.Popen([BUILD + "/nacelle", *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as p:
            try:
                p.wait(0.01 * n)
            except subprocess.TimeoutExpired:
                p.send_signal(signal.SIGINT)
    done = second.nacelle(*command)
    assert done.returncode == 0, done.stderr + second.logs()
    assert second.nacelle("token", "list", "--data-dir", second.data).returncode == 0
    assert len(processes(f"nacelle-api --data-dir={second.data} ")) == 1
    assert second.nacelle("reset", "--force", *second.places).returncode == 0
    assert not processes(f"nacelle-api --data-dir={second.data} ")


def test_a_service_that_no_file_tells_of(second):
    """Of an init that was killed between its start and the file: two would make two authorities, and have one port."""
    assert bare(second).returncode == 0
    for command in ["init", "--skip-node", "--apiserver-advertise-address=127.0.0.1", f"--apiserver-bind-port={second.port}"], ["certs", "renew"], ["reset", "--force"]:
        os.unlink(second.node.run + "/nacelle-api.pid")
        done = second.nacelle(*command, *second.places)
        assert done.returncode == 0 and len(processes(f"nacelle-api --data-dir={second.data} ")) == (command[0] != "reset"), done


def test_two_services_of_one_directory(second):
    """Begun at a time, with nothing there yet: one of them serves, with one authority."""
    for n in range(5):
        data = f"{second.node.dir}/both{n}"
        both = [subprocess.Popen([BUILD + "/nacelle-api", "--data-dir", data, "--secure-port=0", "--bind-address=127.0.0.1"], stderr=subprocess.PIPE, text=True) for _ in range(2)]
        try:
            wait_for("the end of one", lambda: any(p.poll() is not None for p in both))
            loser = next(p for p in both if p.poll() is not None)
            assert "another process uses it; stop that nacelle-api first" in loser.stderr.read()
            wait_for("the other", lambda: second.nacelle("token", "list", "--data-dir", data).returncode in (0, 1) and os.path.exists(data + "/admin.kubeconfig"))
            openssl("verify", "-CAfile", data + "/pki/ca.crt", data + "/pki/admin.crt")
        finally:
            for p in both:
                p.kill()
                p.wait()
                p.stderr.close()


def test_a_renewal_that_was_killed(second):
    """At whatever moment: given again it ends with certificates that are new, and a service that runs."""
    command = ["init", "--skip-node", "--apiserver-advertise-address=127.0.0.1", f"--apiserver-bind-port={free_port()}", *second.places]
    assert second.nacelle(*command).returncode == 0
    for n in range(6):
        with subprocess.Popen([BUILD + "/nacelle", "certs", "renew", *second.places], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as p:
            try:
                p.wait(0.01 * n)
            except subprocess.TimeoutExpired:
                p.kill()
        done = second.nacelle("certs", "renew", *second.places)
        assert done.returncode == 0 and done.stdout == "4 certificates are made anew\n", done
        wait_for("service", lambda: second.nacelle("token", "list", "--data-dir", second.data).returncode == 0)
        assert len(processes(f"nacelle-api --data-dir={second.data} ")) == 1
    assert second.nacelle("certs", "check", *second.places).returncode == 0


@pytest.fixture
def certificates(second):
    """A cluster without a node, and what is of its certificates."""
    assert bare(second).returncode == 0
    pki = second.data + "/pki/"
    yield second, pki, lambda: {name: open(pki + name).read() for name in os.listdir(pki) if name.endswith(".crt")}


def renew(host):
    return host.nacelle("certs", "renew", *host.places)


@pytest.mark.parametrize("text, words", [(None, "without it no certificate can be made; put it back from your copy: open "), ("x", "ca.key is not the key of ")])
@pytest.mark.parametrize("of", ["ca", "front-proxy-ca"])
def test_a_renewal_without_the_authoritys_key(certificates, of, text, words):
    """There would be none then, and a service that cannot start."""
    host, pki, texts = certificates
    before = texts()
    os.rename(f"{pki}{of}.key", pki + "kept")
    if text:
        with open(f"{pki}{of}.key", "w") as f:
            f.write(text)
    done = renew(host)
    assert done.returncode == 1 and words in done.stderr and not done.stdout, done
    assert texts() == before and host.nodes() == {}
    os.rename(pki + "kept", f"{pki}{of}.key")
    assert renew(host).returncode == 0 and texts()["apiserver.crt"] != before["apiserver.crt"]
    assert sorted(texts()) == sorted(before) == sorted(name for name in os.listdir(pki) if ".crt" in name)


def test_a_renewal_that_the_service_does_not_survive(certificates):
    """The certificates are the old ones then."""
    host, pki, texts = certificates
    before = texts()
    with open(host.config + "/api.env") as f:
        env = f.read()
    with open(host.config + "/api.env", "w") as f:
        f.write(env.replace('="', '="--nosuch '))
    done = renew(host)
    assert done.returncode == 1 and not done.stdout and re.search("the certificates are the old ones: .*--nosuch: no such flag", done.stderr), done
    assert texts() == before and sorted(before) == sorted(name for name in os.listdir(pki) if ".crt" in name)
    # another service's
    with open(host.config + "/api.env", "w") as f:
        f.write(env.replace(host.data, "/nowhere"))
    done = renew(host)
    assert done.returncode == 1 and f"api.env has --data-dir=/nowhere; give the same, not {host.data}" in done.stderr and texts() == before, done
    os.unlink(host.config + "/api.env")
    assert renew(host).returncode == 1 and texts() == before
    # as somebody may have written it
    with open(host.config + "/api.env", "w") as f:
        f.write("# NACELLE_API_ARGS=\"--nosuch\"\n" + env.split("\n")[1].replace('"', "'") + "\n")
    assert renew(host).returncode == 0 and host.nodes() == {} and texts() != before


def test_certificates_are_roots(certificates):
    host, _, texts = certificates
    os.chmod(host.node.dir, 0o755)
    before = texts()
    for command, words in (["certs", "check"], "Permission denied; run this as root"), (["certs", "renew"], "Permission denied; run this as root"), (["reset", "--force"], "run this as root"):
        done = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", BUILD + "/nacelle", *command, *host.places], capture_output=True, text=True, timeout=30)
        assert done.returncode == 1 and words in done.stderr and not done.stdout, done
    assert texts() == before


@pytest.mark.parametrize("kind", ["mount", "link", "directory"])
def test_a_reset_takes_what_is_the_services(second, kind):
    """Also from a disk of its own; others' files stay, copies of keys and objects among them."""
    real = second.node.dir + "/real" if kind == "link" else second.data
    os.makedirs(real)
    if kind == "mount":
        subprocess.run(["mount", "-t", "tmpfs", "disk", real], check=True)
    if kind == "link":
        os.symlink(real, second.data)
    try:
        assert bare(second).returncode == 0
        for name in "state.db.bak", "mine":
            open(f"{real}/{name}", "w").close()
        shutil.copytree(real + "/pki", real + "/pki.copy")
        for name in "admin.kubeconfig.7~", "state.db.new.abcdef":
            open(f"{real}/{name}", "w").close()
        open(second.config + "/kubelet.conf.3~", "w").close()
        done = second.nacelle("reset", "--force", *second.places)
        assert done.returncode == 0 and sorted(os.listdir(real)) == ["mine", "pki.copy", "state.db.bak"] and not os.listdir(second.config), done
        assert second.nacelle("reset", *second.places).stdout == "This host is in no cluster: there is nothing to undo.\n"
        for name in "state.db.bak", "mine":
            os.unlink(f"{real}/{name}")
        shutil.rmtree(real + "/pki.copy")
        assert bare(second).returncode == 0 and second.nacelle("reset", "--force", *second.places).returncode == 0
        assert os.path.exists(second.data) == (kind != "directory") and (kind == "directory" or not os.listdir(real))
    finally:
        if kind == "mount":
            subprocess.run(["umount", real], check=True)


@pytest.mark.parametrize("text", ["", "# NACELLE_AGENT_ARGS=\"\"", "NACELLE_AGENT_ARGS=\"--root-dir=/nowhere"])
def test_a_reset_of_what_is_damaged(first, second, text):
    """A host leaves its cluster whatever has become of its files."""
    assert second.join(*first.line[2:]).returncode == 0
    with open(second.config + "/agent.env", "w") as f:
        f.write(text)
    done = second.nacelle("reset", "--force", *second.places)
    assert done.returncode == 0, done
    assert not os.listdir(second.config) and not processes(f"nacelle-agent.*{second.node.root}")
    first.ask("DELETE", f"/api/v1/nodes/{second.node.name}")


RC_SERVICE = """#!/bin/sh
echo "rc-service $*" >> {dir}/calls
"""
RC_UPDATE = """#!/bin/sh
# as OpenRC's: what is there may be added, what is not there cannot be deleted
echo "rc-update $*" >> {dir}/calls
case $1 in
add) touch {dir}/default-$2;;
del) rm {dir}/default-$2 2>/dev/null || {{ echo " * rc-update: service \\`$2' is not in the runlevel \\`$3'" >&2; exit 1; }};;
esac
"""


@pytest.mark.parametrize("there", [False, True])
def test_a_reset_by_openrc(second, tmp_path, there):
    """Also where the service is in no runlevel: of an init that did not come so far, or of a reset that was interrupted."""
    shutil.copy(BUILD + "/nacelle", tmp_path)
    for name, text in ("rc-service", RC_SERVICE), ("rc-update", RC_UPDATE):
        (tmp_path / name).write_text(text.format(dir=tmp_path))
        (tmp_path / name).chmod(0o755)
    if there:
        (tmp_path / "default-nacelle-api").touch()
    os.makedirs(second.config)
    with open(second.config + "/api.env", "w") as f:
        f.write('NACELLE_API_ARGS="--data-dir=/nowhere"\n')
    done = subprocess.run([tmp_path / "nacelle", "reset", "--force", *second.places[:-1], "openrc"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done
    assert os.listdir(second.config) == [] and not (tmp_path / "default-nacelle-api").exists()
    assert (tmp_path / "calls").read_text().splitlines()[0] == "rc-service nacelle-api stop"


def test_a_full_disk(second):
    os.makedirs(second.config)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "full", second.config], check=True)
    try:
        with open(second.config + "/fill", "wb", buffering=0) as f, pytest.raises(OSError):
            while True:
                f.write(bytes(4096))
        command = ["init", "--skip-node", "--apiserver-advertise-address=127.0.0.1", f"--apiserver-bind-port={free_port()}", *second.places]
        done = second.nacelle(*command)
        assert done.returncode == 1 and "api.env: No space left on device" in done.stderr, done
        os.unlink(second.config + "/fill")
        assert second.nacelle(*command).returncode == 0
        assert second.nacelle("reset", "--force", *second.places).returncode == 0
    finally:
        subprocess.run(["umount", second.config], check=True)


def test_the_services_user_is_made_by_systemd(second, tmp_path):
    """Before its unit is started: `make install` leaves that to the next boot."""
    shutil.copy(BUILD + "/nacelle", tmp_path)
    for name in "systemctl", "systemd-sysusers":
        (tmp_path / name).write_text(f'#!/bin/sh\necho "{name} $*" >> {tmp_path}/calls\n[ "$1" != restart ]\n')
        (tmp_path / name).chmod(0o755)
    # an /etc of its own, as the units have theirs there
    alone = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs etc /etc && exec "$@"', "-", tmp_path / "nacelle"]
    init = ["init", "--skip-node", "--apiserver-advertise-address=127.0.0.1", "--start=systemd"]
    done = subprocess.run([*alone, *init, "--config-dir", second.config], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and f"--config-dir {second.config}: on this host nacelle-api and nacelle-agent are started with what is in /etc/nacelle" in done.stderr, done
    assert not os.path.exists(second.config) and not (tmp_path / "calls").exists()
    done = subprocess.run([*alone, *init, "--data-dir", second.data], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "systemctl restart nacelle-api" in done.stderr and f"has given it ReadWritePaths={second.data}" in done.stderr, done
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls.pop(0) == "systemd-sysusers nacelle-api.conf"
    assert calls == ["systemctl enable nacelle-api", "systemctl restart nacelle-api"]


def fill(directory):
    """Nothing more can be written there, nor a file be made."""
    with open(directory + "/fill", "wb", buffering=0) as f, pytest.raises(OSError):
        while True:
            f.write(bytes(4096))
    return f.name


@pytest.mark.parametrize("full", ["config", "run", "root"])
def test_a_reset_on_a_full_disk(first, second, busybox_archive, full):
    """It takes away all the same, the cluster's pods as well."""
    n = second.node
    directory = {"config": second.config, "run": n.run, "root": n.root}[full]
    os.makedirs(directory, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "full", directory], check=True)
    try:
        done = second.join(*first.line[2:])
        assert done.returncode == 0, done.stderr + second.logs()
        n.nacelle("import", busybox_archive)
        first.ask("POST", "/api/v1/namespaces/default/pods", pod("here", "trap 'exit 0' TERM; while :; do sleep 0.1; done", nodeName=n.name))
        wait_for("pod", lambda: first.ask("GET", "/api/v1/namespaces/default/pods/here").get("status", {}).get("phase") == "Running")
        filling = fill(directory)
        done = second.nacelle("reset", "--force", *second.places)
        assert done.returncode == 0, done.stderr + second.logs()
        assert [name for name in os.listdir(second.config) if name != "fill"] == [] and not os.path.exists(n.root + "/pki")
        assert not processes(f"nacelle-agent.*{n.root}")
        assert not done.stderr and not os.listdir(n.root + "/sandboxes")
        os.unlink(filling)
    finally:
        first.ask("DELETE", "/api/v1/namespaces/default/pods/here?gracePeriodSeconds=0")
        first.ask("DELETE", f"/api/v1/nodes/{n.name}")
        subprocess.run(["umount", "-l", directory], check=True)


@pytest.mark.parametrize("nth, sticky", [(1, True), *((i, False) for i in range(1, 9))])
def test_a_reset_that_cannot_write(first, second, nth, sticky):
    """Nothing at all, or one thing of many: no agent is left running that no file tells of."""
    faults = Faults()
    try:
        done = second.join(*first.line[2:])
        assert done.returncode == 0, done.stderr + second.logs()
        faults.arm("ENOSPC", nth, sticky)
        done = second.nacelle("reset", "--force", *second.places, **faults.env)
        _, hits, _ = faults.disarm()
        assert hits and done.returncode == 0, done.stderr + second.logs()
        assert not sticky or "agent.env: No space left on device; what runs of the cluster's pods, the next agent here ends" in done.stderr
        assert os.listdir(second.config) == [] and not os.path.exists(second.node.root + "/pki") and not processes(f"nacelle-agent.*{second.node.root}")
    finally:
        faults.close()
        first.ask("DELETE", f"/api/v1/nodes/{second.node.name}")


def test_a_backup_takes_nothing_away(first):
    for name in "state.db", "state.db-wal", "state.db.new":
        done = first.nacelle("backup", f"{first.data}/{name}", "--data-dir", first.data)
        assert done.returncode == 1 and done.stderr == f"nacelle: backup: {first.data}/{name} is of the store itself; give another file\n"
    done = first.nacelle("backup", "/dev/null", "--data-dir", first.data)
    assert done.returncode == 1 and "/dev/null is no file; give one" in done.stderr
    done = first.nacelle("restore", first.data + "/state.db", "--data-dir", first.data)
    assert done.returncode == 1 and "another process uses it; stop nacelle-api first" in done.stderr
    assert first.nodes()


def test_without_root(second):
    for command in ["init", "--apiserver-advertise-address=127.0.0.1"], ["join", "127.0.0.1:1", "--token", "abcdef.0123456789abcdef"]:
        done = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", BUILD + "/nacelle", *command, *second.places], capture_output=True, text=True, timeout=30)
        assert done.returncode == 1 and done.stderr == "nacelle: a node's agent needs root; run this as root\n", done
