"""metrics.k8s.io and `kubectl top`: what made-up kubelets say of nodes and pods, and when they are asked."""
import contextlib
import http.server
import os
import ssl
import threading
import time

import pytest

from support.api import PEERS, Api
from support.hosts import kubeconfig
from support.node import Node, wait_for
from support.node import pod as pod_manifest

NODES, PODS, GROUP = "/api/v1/nodes", "/api/v1/namespaces/default/pods", "/apis/metrics.k8s.io/v1beta1"
STRATEGIC = {"Content-Type": "application/strategic-merge-patch+json"}
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}


class Kubelet:
    """Says that containers use what @containers has: {(pod, container): (CPUs, bytes)}; the node uses 2 CPUs and 4 GiB."""

    def __init__(self, api, containers, address="127.0.0.1", status=200, body=None, delay=0):
        self.containers, self.asked, self.who, self.status, self.body, self.began, self.delay = containers, [], [], status, body, time.time(), delay
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{api.pki}/apiserver.crt", f"{api.pki}/apiserver.key")
        context.load_verify_locations(f"{api.pki}/ca.crt")
        context.verify_mode = ssl.CERT_REQUIRED
        kubelet = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                kubelet.asked.append((time.monotonic(), self.path))
                kubelet.who.append(dict(x[0] for x in self.connection.getpeercert()["subject"])["commonName"])
                time.sleep(kubelet.delay)
                text = (kubelet.body or kubelet.text()).encode()
                self.send_response(kubelet.status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((address, 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def text(self):
        now = time.time()
        at, ran = int(now * 1000), now - self.began + 1000
        lines = ["# TYPE node_cpu_usage_seconds_total counter", f"node_cpu_usage_seconds_total {2 * ran} {at}", f"node_memory_working_set_bytes {float(4 << 30)} {at}"]
        for (pod, container), (cpu, memory) in self.containers.items():
            labels = f'{{container="{container}",namespace="default",pod="{pod}"}}'
            lines += [f"container_cpu_usage_seconds_total{labels} {cpu * ran} {at}", f"container_memory_working_set_bytes{labels} {memory} {at}"]
        return "\n".join(lines + ["scrape_error 0", ""])

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def make(client, path, body):
    status, answer = client.ask("POST", path, body)
    assert status == 201, answer


def node(client, name, kubelet=None, port=None, labels=None):
    make(client, NODES, {"metadata": {"name": name, "labels": labels or {}}})
    status = {"capacity": {"cpu": "4", "memory": "8Gi"}, "allocatable": {"cpu": "4", "memory": "8Gi"}}
    if kubelet or port:
        status |= {"addresses": [{"type": "Hostname", "address": name}, {"type": "InternalIP", "address": "127.0.0.1"}],
                   "daemonEndpoints": {"kubeletEndpoint": {"Port": port or kubelet.port}}}
    assert client.ask("PATCH", f"{NODES}/{name}/status", {"status": status}, **STRATEGIC)[0] == 200


def pod(client, name, on, *containers, labels=None, phase="Running"):
    make(client, PODS, {"metadata": {"name": name, "labels": labels or {}}, "spec": {"nodeName": on, "containers": [{"name": c, "image": "i"} for c in containers]}})
    assert client.ask("PATCH", f"{PODS}/{name}/status", {"status": {"phase": phase}}, **STRATEGIC)[0] == 200


@contextlib.contextmanager
def cluster(*options):
    api = Api(*options, controllers="serviceaccount-controller").start()
    kubelets = []
    try:
        def kubelet(containers, **more):
            kubelets.append(Kubelet(api, containers, **more))
            return kubelets[-1]

        yield api, api.client(), kubelet
    finally:
        api.stop()
        for k in kubelets:
            k.stop()


def nano(text):
    return {"n": 1, "u": 1000, "m": 1000000}[text[-1]] * int(text[:-1]) if not text[-1].isdigit() else int(text) * 10**9


def near(text, cpus):
    return abs(nano(text) - cpus * 1e9) < 0.02e9 * max(cpus, 1)


@pytest.fixture(scope="module")
def two():
    with cluster() as (api, client, kubelet):
        one, other = kubelet({("web", "c"): (0.25, 100 << 20), ("web", "side"): (0.05, 20 << 20), ("ended", "c"): (1, 1)}), kubelet({("db", "c"): (1.5, 3 << 30)})
        node(client, "n1", one, labels={"zone": "a"})
        node(client, "n2", other)
        pod(client, "web", "n1", "c", "side", labels={"app": "web"})
        pod(client, "db", "n2", "c", labels={"app": "db"})
        pod(client, "ended", "n1", "c", phase="Succeeded")
        pod(client, "unknown", "n2", "c")
        yield api, client, (one, other)


def test_nodes_and_pods_by_what_kubelets_say(two):
    _, client, kubelets = two
    began = time.monotonic()
    status, nodes = client.ask("GET", GROUP + "/nodes")
    assert status == 200 and time.monotonic() - began < 3, "who asks first has an answer at once"
    assert (nodes["kind"], nodes["apiVersion"], nodes["metadata"]) == ("NodeMetricsList", "metrics.k8s.io/v1beta1", {})
    n1, n2 = nodes["items"]
    assert n1["metadata"]["name"] == "n1" and n1["metadata"]["labels"] == {"zone": "a"} and n2["metadata"]["name"] == "n2"
    assert near(n1["usage"]["cpu"], 2) and n1["usage"]["memory"] == "4Gi"
    assert n1["window"].endswith("s") and abs(time.time() - time.mktime(time.strptime(n1["timestamp"], "%Y-%m-%dT%H:%M:%SZ")) + time.timezone) < 5
    pods = client.ask("GET", GROUP + "/pods")[1]["items"]
    assert [(p["metadata"]["namespace"], p["metadata"]["name"], [c["name"] for c in p["containers"]]) for p in pods] == [
        ("default", "db", ["c"]), ("default", "web", ["c", "side"])], "what runs and is measured"
    assert near(pods[1]["containers"][0]["usage"]["cpu"], 0.25) and pods[1]["containers"][0]["usage"]["memory"] == "100Mi"
    assert {w for k in kubelets for w in k.who} == {"kube-apiserver-kubelet-client"} and {p for k in kubelets for _, p in k.asked} == {"/metrics/resource"}


def test_one_of_them(two):
    _, client, _ = two
    status, one = client.ask("GET", GROUP + "/nodes/n2")
    assert status == 200 and one["kind"] == "NodeMetrics" and one["metadata"]["name"] == "n2"
    status, one = client.ask("GET", GROUP + "/namespaces/default/pods/web")
    assert status == 200 and one["kind"] == "PodMetrics" and len(one["containers"]) == 2
    for path, said in (("/nodes/none", 'nodemetrics.metrics.k8s.io "none" not found'), ("/namespaces/default/pods/unknown", 'podmetrics.metrics.k8s.io "unknown" not found')):
        status, answer = client.ask("GET", GROUP + path)
        assert (status, answer["reason"], answer["message"]) == (404, "NotFound", said)
    for method, path in (("POST", "/nodes"), ("DELETE", "/nodes/n1"), ("GET", "/nodes?watch=true")):
        assert client.ask(method, GROUP + path, {} if method == "POST" else None)[0] == 405, (method, path)


def test_selectors(two):
    _, client, _ = two
    names = lambda path: [o["metadata"]["name"] for o in client.ask("GET", GROUP + path)[1]["items"]]  # noqa: E731
    assert names("/pods?labelSelector=app%3Dweb") == ["web"]
    assert names("/namespaces/default/pods?fieldSelector=metadata.name%3Ddb") == ["db"]
    assert names("/namespaces/other/pods") == []
    assert names("/nodes?labelSelector=zone") == ["n1"]


def test_tables(two):
    _, client, _ = two
    status, table = client.ask("GET", GROUP + "/namespaces/default/pods", **TABLE)
    assert status == 200
    assert [(c["name"], c["type"], c["format"]) for c in table["columnDefinitions"]] == [
        ("Name", "string", "name"), ("cpu", "string", "quantity"), ("memory", "string", "quantity"), ("Window", "string", "duration")]
    cells = {r["cells"][0]: r["cells"] for r in table["rows"]}
    assert near(cells["web"][1], 0.3) and cells["web"][2] == "120Mi" and cells["web"][3].endswith("s")
    assert client.ask("GET", GROUP + "/nodes", **TABLE)[1]["rows"][0]["cells"][2] == "4Gi"


def test_discovery_and_rights(two):
    api, client, _ = two
    groups = {g["name"]: g for g in client.ask("GET", "/apis")[1]["groups"]}
    assert groups["metrics.k8s.io"]["preferredVersion"] == {"groupVersion": "metrics.k8s.io/v1beta1", "version": "v1beta1"}
    resources = client.ask("GET", GROUP)[1]["resources"]
    assert [(r["name"], r["kind"], r["namespaced"], r["verbs"]) for r in resources] == [("nodes", "NodeMetrics", False, ["get", "list"]), ("pods", "PodMetrics", True, ["get", "list"])]
    role = client.ask("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:aggregated-metrics-reader")[1]
    assert role["rules"] == [{"verbs": ["get", "list", "watch"], "apiGroups": ["metrics.k8s.io"], "resources": ["nodes", "pods"]}]
    viewer = {"Impersonate-User": "jane"}
    assert client.ask("GET", GROUP + "/nodes", **viewer)[0] == 403


needs_kubectl = pytest.mark.skipif(not os.path.exists(f"{PEERS}/kubectl"), reason="kubectl is not built (tests/peers/build)")


@needs_kubectl
def test_kubectl_top(two):
    api, _, _ = two

    def top(*words):
        said = api.kubectl("top", *words)
        assert said.returncode == 0, said.stderr
        return [line.split() for line in said.stdout.splitlines()]

    nodes = top("nodes")
    assert nodes[0] == ["NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"]
    assert [n[0] for n in nodes[1:]] == ["n1", "n2"] and nodes[1][2:] in (["50%", "4096Mi", "50%"], ["49%", "4096Mi", "50%"])
    assert [p[0] for p in top("pods", "--sort-by=cpu", "--no-headers")] == ["db", "web"]
    assert [p[0] for p in top("pods", "--sort-by=memory", "--no-headers")] == ["db", "web"]
    assert [(p[0], p[1], p[3]) for p in top("pods", "--containers", "--no-headers", "-l", "app=web")] == [("web", "c", "100Mi"), ("web", "side", "20Mi")]
    assert [p[1] for p in top("pods", "-A", "--no-headers", "--sum")][:2] == ["db", "web"]
    assert top("node", "n2", "--no-headers")[0][0] == "n2"
    assert "n1" in api.kubectl("get", "nodes.metrics.k8s.io").stdout


def test_nobody_is_asked_while_nobody_asks():
    with cluster() as (_, client, kubelet):
        k = kubelet({})
        node(client, "n", k)
        time.sleep(1.5)
        assert k.asked == []
        assert len(client.ask("GET", GROUP + "/nodes")[1]["items"]) == 1
        assert len(k.asked) == 2
        for _ in range(20):
            assert client.ask("GET", GROUP + "/nodes")[0] == 200
        assert len(k.asked) == 2, "a round is for all"


def test_nodes_that_do_not_answer():
    """Who asks does not wait for them, and hears of the others; the log says why, once."""
    with cluster() as (api, client, kubelet):
        bad = {"closed": dict(port=9), "refuses": dict(kubelet=kubelet({}, status=401)), "slow": dict(kubelet=kubelet({}, delay=6)),
               "wrong": dict(kubelet=kubelet({}, body='node_cpu_usage_seconds_total{a="b 1\n')), "nowhere": {}}
        for name, where in bad.items():
            node(client, name, **where)
        node(client, "well", kubelet({}))
        began = time.monotonic()
        nodes = client.ask("GET", GROUP + "/nodes")[1]["items"]
        assert [n["metadata"]["name"] for n in nodes] == ["well"] and time.monotonic() - began < 5
        log = api.log()
        assert "node refuses: its usage is not known: the kubelet answers 401 to GET /metrics/resource" in log
        assert "node wrong: its usage is not known: line 1 of the metrics" in log and log.count("node closed: its usage") == 1
        assert client.ask("DELETE", f"{NODES}/slow")[0] == 200


def test_many_ask_at_once():
    with cluster("--loops=4") as (api, client, kubelet):
        k = kubelet({("p", "c"): (0.5, 1 << 20)})
        node(client, "n", k)
        pod(client, "p", "n", "c")
        seen = []
        threads = [threading.Thread(target=lambda: seen.append(len(api.client().ask("GET", GROUP + "/pods")[1]["items"]))) for _ in range(20)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert seen == [1] * 20 and len(k.asked) == 2


# --- a node that is one


@needs_kubectl
def test_top_of_an_agent(busybox_archive, tmp_path):
    """Our own kubelet API, asked with the certificate that kubelets know; a pod that computes is seen to."""
    api = Api(controllers="*").start()
    n = Node()
    try:
        n.options += ["--kubeconfig", kubeconfig(api, tmp_path, n.name)]
        n.start()
        n.nacelle("import", busybox_archive)
        client = api.client()
        wait_for("Node", lambda: client.ask("GET", f"{NODES}/{n.name}")[0] == 200)
        made = pod_manifest("busy", "while true; do :; done", nodeName=n.name, automountServiceAccountToken=False)
        wait_for("default's account", lambda: client.ask("POST", PODS, made)[0] == 201)
        wait_for("the pod", lambda: client.ask("GET", f"{PODS}/busy")[1]["status"].get("phase") == "Running")
        wait_for("its usage", lambda: client.ask("GET", GROUP + "/pods")[1]["items"], timeout=40)
        (line,) = api.kubectl("top", "pods", "--no-headers").stdout.splitlines()
        assert line.split()[0] == "busy" and int(line.split()[1].removesuffix("m")) > 50, line
        (line,) = api.kubectl("top", "nodes", "--no-headers").stdout.splitlines()
        assert line.split()[0] == n.name and int(line.split()[1].removesuffix("m")) > 50 and int(line.split()[3].removesuffix("Mi")) > 50, line
        assert client.ask("DELETE", f"{PODS}/busy", {"gracePeriodSeconds": 0})[0] == 200
        wait_for("end of the pod", lambda: not n.pods(), timeout=40)
    finally:
        n.stop()
        api.stop()
