"""Kubelet's API beside a stock kubelet's: both run the same pods and are asked the same, by anybody, who may everything."""
import json
import os
import re
import ssl
import urllib.error
import urllib.request

import pytest

from stock_kubelet import Kubelet

import oci  # noqa: E402
from support.leaks import leaked  # noqa: E402
from support.node import Node, free_port, pod, wait_for  # noqa: E402

OPEN = ["--anonymous-auth", "--authentication-token-webhook=false", "--authorization-mode", "AlwaysAllow", "--address", "127.0.0.1"]
KIND = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
PODS = {
    "web.json": pod("web", "for i in 1 2 3; do echo out $i; done; exec sleep 100000",
                    {"name": "again", "command": ["sh", "-c", "[ -e /v/x ] && exec sleep 100000; touch /v/x; echo first; exit 1"],
                     "volumeMounts": [{"name": "v", "mountPath": "/v"}]}, volumes=[{"name": "v", "emptyDir": {}}]),
    "wait.json": pod("wait", {"command": ["true"], "image": "localhost/none:1"}),
    "init.json": pod("init", "true", initContainers=[{"name": "first", "image": "localhost/busybox:test", "imagePullPolicy": "Never", "command": ["sleep", "100000"]}]),
}
LOGS, EXEC, ATTACH, RUN = "/containerLogs/default", "/exec/default", "/attach/default", "/run/default"
QUERIES = ["", "?tailLines=1", "?tailLines=0", "?tail=2", "?tail=all", "?limitBytes=3", "?follow=false", "?stream=Stdout", "?stream=Stderr", "?stream=All", "?sinceSeconds=100000",
           "?tailLines=x", "?tailLines=", "?tailLines=-1", "?limitBytes=0", "?limitBytes=-1", "?sinceSeconds=0", "?sinceSeconds=-1", "?sinceTime=x", "?stream=Both", "?stream=stdout",
           "?stream=Stdout&tailLines=1", "?sinceTime=2020-01-01T00:00:00Z", "?sinceTime=2020-01-01T00:00:00.5Z&sinceSeconds=5", "?previous=true", "?tailLines=%31", "?limitBytes=+1",
           "?tailLines=1&tailLines=2", "?unknown=1", "?sinceTime=", "?stream="]
ASKED = [("GET", p) for p in (
    *(f"{LOGS}/web-stock/main{q}" for q in QUERIES), f"{LOGS}/web-stock/again?previous=true", f"{LOGS}/web-stock/again", f"{LOGS}/wait-stock/main", f"{LOGS}/wait-stock/main?previous=true",
    f"{LOGS}/init-stock/main", f"{LOGS}/init-stock/first", f"{LOGS}/web-stock/none", f"{LOGS}/none/main", "/containerLogs/kube-system/web-stock/main", "/containerLogs/default/web-stock",
    f"{EXEC}/web-stock/main?command=id&output=1", f"{EXEC}/web-stock/main?command=id", f"{EXEC}/none/main?command=id&output=1", f"{EXEC}/web-stock/none?command=id&output=1",
    f"{EXEC}/wait-stock/main?command=id&output=1", f"{EXEC}/web-stock/0-0/main?command=id&output=1", f"{ATTACH}/web-stock/main?output=1", f"{ATTACH}/web-stock/main",
    f"{ATTACH}/web-stock/none?output=1", f"{ATTACH}/none/main?output=1", "/portForward/default/web-stock", "/portForward/default/none", "/portForward/default/web-stock/0-0",
    "/portForward/default/wait-stock", "/healthz", "/healthz/ping", "/healthz/log", "/healthz/syncloop", "/healthz/none", "/healthz?verbose", "/none", "/run/default/web-stock/main",
    "/pods/none", "/metrics/none", "/exec/default/web-stock")]
ASKED += [("POST", p) for p in (
    f"{RUN}/web-stock/main?cmd=echo+hello", f"{RUN}/web-stock/main?cmd=ls+/none", f"{RUN}/web-stock/none?cmd=id", f"{RUN}/none/main?cmd=id", f"{RUN}/web-stock/0-0/main?cmd=id",
    f"{EXEC}/web-stock/main?command=id&output=1", "/portForward/default/web-stock", "/checkpoint/default/none/main", "/checkpoint/default/web-stock/none",
    "/checkpoint/default/web-stock/main?timeout=x", "/pods", "/metrics", f"{LOGS}/web-stock/main", "/runningpods/")]
# Queries of the host's logs that are wrong, or find nothing.
LOG_QUERIES = [
    "query=", "query=%20%20", "query=&query=", "query=a%20b", "query=a;b", "query=" + "a" * 256, "query=" + "a" * 257, "query=a%C3%A4", "query=nacelle-none",
    "query=nacelle-a&query=nacelle-b&query=nacelle-c&query=nacelle-d", "query=a&query=b&query=c&query=d&query=e", "query=a%20b&query=c%22d", "query=/none.log", "query=none/x",
    "query=../log", "query=a/b&query=c", "query=a/b&query=c/d", "query=a/b&tailLines=1", "query=a%5Cb", "tailLines=1", "pattern=a", "query=a&tailLines=-1", "query=a&tailLines=100001",
    "query=a&tailLines=x", "query=a&tailLines=99999999999999999999", "query=nacelle-a&tailLines=", "query=a&boot=1", "query=a&boot=x", "query=a&boot=1.5", "query=a&sinceTime=x",
    "query=a&sinceTime=2020-01-01", "query=a&untilTime=yesterday&sinceTime=now&boot=x&tailLines=y", "query=a&sinceTime=2020-01-02T00:00:00Z&untilTime=2020-01-01T00:00:00Z",
    "query=a&sinceTime=2020-01-02T00:00:00Z&untilTime=2020-01-01T00:00:00%2B01:00&boot=3&tailLines=-2", "query=nacelle-a&sinceTime=2020-01-01T00:00:00Z",
    "query=nacelle-a&query=nacelle-b&pattern=x", "query=nacelle-a&pattern=", "query=nacelle-a&boot=0", "sinceTime=2020-01-01T00:00:00Z", "Query=a&unknown=1", "tailLines=", "query=a&query=a%20b",
    "query=%3Ca%3E", "query=%3Ca%3E/x",
]
ASKED += [("GET", f"/logs/?{q}") for q in LOG_QUERIES if q not in ("tailLines=", "Query=a&unknown=1")]
ASKED += [("GET", p) for p in ("/logs/none?query=a", "/logs/none", "/logs/none?tailLines=1", "/logs?query=a")]
# Ours differ there, and why.
EXCEPT = {
    ("GET", "/healthz?verbose"): "kubelet's checks have others beside them",
    ("GET", f"{LOGS}/web-stock/main?stream=Stdout"): "kubelet has it behind a feature gate that is off",
    ("GET", f"{LOGS}/web-stock/main?stream=Stderr"): "the same",
    ("GET", f"{EXEC}/web-stock/0-0/main?command=id&output=1"): "a pod of another uid is another pod, which kubelet forgets",
    ("POST", f"{RUN}/web-stock/0-0/main?cmd=id"): "the same",
    ("GET", "/logs/?query=a;b"): "Go leaves parameters with a semicolon out",
    ("POST", "/metrics"): "kubelet's metrics do not look at the method",
}


def ask(port, method, path):
    request = urllib.request.Request(f"https://127.0.0.1:{port}{path}", method=method)
    try:
        with urllib.request.urlopen(request, context=ssl._create_unverified_context(), timeout=20) as answer:
            return answer.status, answer.headers.get("Content-Type"), answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.headers.get("Content-Type"), e.read().decode()


class Ours:
    def __init__(self, archive):
        self.port = free_port()
        self.node = Node(*OPEN, "--port", str(self.port), config=f"{KIND}enableSystemLogQuery: true\n")
        self.node.name = "stock"
        self.node.start()
        self.node.nacelle("import", archive)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    archive = str(tmp_path_factory.mktemp("image")) + "/busybox.tar"
    oci.Image([oci.busybox_layer()], Cmd=["sh"]).write_docker_archive(archive, "localhost/busybox:test")
    below = Node("--runtime-only").start()
    below.nacelle("import", archive)
    stock = Kubelet(below, "enableSystemLogQuery: true\n")
    ours = Ours(archive)
    for file, manifest in PODS.items():
        stock.write(file, manifest)
        ours.node.write(file, manifest)

    def settled(port):
        try:
            items = {p["metadata"]["name"]: p.get("status", {}) for p in json.loads(ask(port, "GET", "/pods")[2])["items"] or []}
        except OSError:
            return False
        states = {n: {c["name"]: c for c in s.get("containerStatuses", [])} for n, s in items.items()}
        return states.get("web-stock", {}).get("again", {}).get("restartCount") == 1 and "running" in states["web-stock"]["again"]["state"] and \
            "ErrImage" in str(states.get("wait-stock")) and items.get("init-stock", {}).get("initContainerStatuses", [{}])[0].get("started")
    try:
        for port in (stock.port, ours.port):
            wait_for("pods", lambda: settled(port), timeout=90, interval=0.3)
        yield stock, ours
    finally:
        end(below, stock, ours)


def end(below, stock, ours):
    for name in os.listdir(stock.static):
        os.unlink(f"{stock.static}/{name}")
    try:
        wait_for("end of the pods", lambda: not [p for p in below.pods() if p["state"] == "SANDBOX_READY"], timeout=60)
        wait_for("kubelet to remove the pods' cgroups", lambda: "cgroups" not in leaked(below), timeout=60)
    finally:
        stock.stop()
        for p in below.pods():
            below.crictl("rmp", "-f", p["id"], check=False)
        below.stop()
        ours.node.stop()


def test_words_and_statuses(both):
    """The same statuses, types and texts, but for what is named in EXCEPT."""
    stock, ours = both
    wrong = {}
    for what in ASKED:
        theirs, mine = ask(stock.port, *what), ask(ours.port, *what)
        if theirs != mine and what not in EXCEPT:
            wrong[what] = (theirs, mine)
    assert not wrong, "\n".join(f"{w}\n   {a}\n   {b}" for w, (a, b) in wrong.items())


def shape(value):
    """Names of members, without values."""
    if isinstance(value, dict):
        return {k: shape(v) for k, v in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value else type(value).__name__


def by_name(port):
    return {p["metadata"]["name"]: p for p in json.loads(ask(port, "GET", "/pods")[2])["items"]}


def test_pods(both):
    stock, ours = both
    theirs, mine = by_name(stock.port), by_name(ours.port)
    assert theirs.keys() == mine.keys()
    for name in theirs:
        assert shape(theirs[name]["spec"]) == shape(mine[name]["spec"]), name
        assert theirs[name]["metadata"].keys() == mine[name]["metadata"].keys(), name


def families(text):
    return dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))


def labels(text, family):
    return {frozenset(re.findall(r'(\w+)="', line)) for line in text.splitlines() if re.match(family + r"[{ ]", line)}


def test_metrics_have_kubelets_names_and_labels(both):
    stock, ours = both
    for path in ("/metrics/resource", "/metrics/cadvisor", "/metrics/probes"):
        theirs, mine = ask(stock.port, "GET", path)[2], ask(ours.port, "GET", path)[2]
        for family, kind in families(mine).items():
            if family in families(theirs):
                assert families(theirs)[family] == kind, family
                assert labels(mine, family) == labels(theirs, family), family
        if path == "/metrics/resource":
            assert {h for h in re.findall("^# HELP .*$", mine, re.M) if " node_" not in h} <= set(re.findall("^# HELP .*$", theirs, re.M))
            # Of the node a stock kubelet tells by cAdvisor, which does not know this host's root device.
            assert {f for f in families(theirs) if not f.startswith(("node_", "scrape"))} == {f for f in families(mine) if not f.startswith("node_")}
    theirs, mine = ask(stock.port, "GET", "/metrics")[2], ask(ours.port, "GET", "/metrics")[2]
    assert {f: kind for f, kind in families(mine).items() if families(theirs).get(f, kind) != kind} == {}
    for family in ("kubelet_node_name", "kubelet_pod_start_duration_seconds_bucket", "kubelet_running_containers", "kubelet_runtime_operations_total", "kubelet_started_pods_total"):
        assert labels(mine, family) == labels(theirs, family), family
    buckets = lambda text: re.findall(r'^kubelet_pod_start_duration_seconds_bucket\{le="(\S+)"\}', text, re.M)  # noqa: E731
    assert buckets(mine) == buckets(theirs)
    lacking = set(families(ask(stock.port, "GET", "/metrics/cadvisor")[2])) - set(families(ask(ours.port, "GET", "/metrics/cadvisor")[2]))
    assert lacking <= {"machine_dimm_capacity_bytes", "machine_dimm_count", "machine_node_distance", "machine_nvm_avg_power_budget_watts", "machine_nvm_capacity",
                       "machine_thread_siblings_count", "machine_cpu_books", "machine_cpu_drawers",
                       # Of a hierarchy in which the agent makes no cgroups by itself.
                       "container_hugetlb_usage_bytes"}, lacking


def test_configz(both):
    stock, ours = both
    theirs, mine = (json.loads(ask(port, "GET", "/configz")[2])["kubeletconfig"] for port in (stock.port, ours.port))
    # A network and a number that kubelet has no default for.
    assert {name for name, value in mine.items() if type(value) is not type(theirs.get(name))} == {"podCIDR", "maxParallelImagePulls"}


def test_running_pods(both):
    stock, ours = both
    theirs, mine = ({p["metadata"]["name"]: shape(p) for p in json.loads(ask(port, "GET", "/runningpods/")[2])["items"]} for port in (stock.port, ours.port))
    assert theirs == mine


def members(value, at=""):
    """Paths of all there is; what is left without a limit comes from CRI as 0, and is left out by us, as by a kubelet that asks cAdvisor."""
    if isinstance(value, dict):
        return {p for k, v in value.items() if k not in ("availableBytes", "swapAvailableBytes") for p in members(v, f"{at}/{k}")} or {at}
    return {at}


def test_summary_of_use(both):
    """CPU and memory, as metrics' readers ask for: the same members. The rest a stock kubelet cannot tell where it does not know the root's device: vm/run has that."""
    def told(port):
        summary = json.loads(ask(port, "GET", "/stats/summary?only_cpu_and_memory=true")[2])
        systems = {c["name"]: c for c in summary["node"].pop("systemContainers")}
        pods = {p["podRef"]["name"]: {**p, "containers": {c["name"]: c for c in p["containers"] or []}} for p in summary["pods"]}
        return members(summary["node"]), members(pods), members(systems["pods"])
    assert told(both[0].port) == told(both[1].port)
