"""What the cluster does for its nodes by itself: addresses for pods, signs of life, taints, evictions, what is left behind. Nodes are made up."""
import contextlib
import datetime
import os
import subprocess
import threading
import time

import pytest

from support.api import BUILD, Api, get, make
from support.workloads import eventually

NODES, PODS = "/api/v1/nodes", "/api/v1/namespaces/default/pods"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
MERGE = {"Content-Type": "application/merge-patch+json"}
STRATEGIC = {"Content-Type": "application/strategic-merge-patch+json"}
KUBELET = {"MemoryPressure": "False", "DiskPressure": "False", "PIDPressure": "False", "Ready": "True"}
GRACE = 1.5  # seconds
FAST = ("--node-monitor-grace-period=1500ms", "--node-startup-grace-period=1500ms", "--node-eviction-rate=100", "--secondary-node-eviction-rate=50")
ALL = "serviceaccount-controller,node-ipam-controller,node-lifecycle-controller,taint-eviction-controller,pod-garbage-collector-controller"


@contextlib.contextmanager
def running(*options, controllers=ALL):
    a = Api(*options, controllers=controllers).start()
    try:
        yield a
    finally:
        a.stop()


@pytest.fixture(scope="module")
def api():
    with running(*FAST, "--terminated-pod-gc-threshold=3") as a:
        yield a


@pytest.fixture
def client(api):
    c = api.client()
    yield c
    for path in PODS, NODES, LEASES:
        for o in get(c, path)["items"]:
            if o["metadata"].get("finalizers"):
                c.ask("PATCH", f"{path}/{o['metadata']['name']}", {"metadata": {"finalizers": None}}, **MERGE)
            c.ask("DELETE", f"{path}/{o['metadata']['name']}", {"gracePeriodSeconds": 0})
    c.ask("DELETE", "/api/v1/namespaces/default/events")


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def node(client, name, ready="True", labels=None, taints=None, **conditions):
    spec = {"taints": taints} if taints else {}
    make(client, NODES, {"metadata": {"name": name, "labels": labels or {}}, "spec": spec})
    if ready:
        tell(client, name, Ready=ready, **conditions)
    return name


def tell(client, name, **conditions):
    """What the kubelet says of itself."""
    at = now().strftime("%Y-%m-%dT%H:%M:%SZ")
    rows = [{"type": t, "status": s, "reason": "Tests", "message": "", "lastHeartbeatTime": at, "lastTransitionTime": at} for t, s in {**KUBELET, **conditions}.items()]
    status, answer = client.ask("PATCH", f"{NODES}/{name}/status", {"status": {"conditions": rows}}, **STRATEGIC)
    assert status == 200, answer


def renew(client, name):
    spec = {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
    if client.ask("PATCH", f"{LEASES}/{name}", {"spec": spec}, **MERGE)[0] == 404:
        make(client, LEASES, {"metadata": {"name": name}, "spec": spec})


class Alive:
    """Renews leases, as kubelets do."""

    def __init__(self, api, *names):
        self.api, self.names, self.ends = api, names, threading.Event()
        for name in names:
            renew(api.client(), name)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        client = self.api.client()
        while not self.ends.wait(0.3):
            for name in self.names:
                renew(client, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ends.set()
        self.thread.join()


def pod(client, name, on, ready=True, **spec):
    made = make(client, PODS, {"metadata": {"name": name}, "spec": {"nodeName": on, "containers": [{"name": "c", "image": "i"}], **spec}})
    if ready:
        at = now().strftime("%Y-%m-%dT%H:%M:%SZ")
        running_ = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": at}]}
        assert client.ask("PATCH", f"{PODS}/{name}/status", {"status": running_}, **STRATEGIC)[0] == 200
    return made


def taints(client, name):
    return sorted((t["key"].removeprefix("node.kubernetes.io/"), t["effect"]) for t in get(client, f"{NODES}/{name}")["spec"].get("taints", []))


def conditions(o):
    return {c["type"]: (c["status"], c.get("reason", ""), c.get("message", "")) for c in o["status"].get("conditions", [])}


def events(client, name, reason):
    return [e for e in get(client, "/api/v1/namespaces/default/events")["items"] if e["involvedObject"]["name"] == name and e["reason"] == reason]


def cidrs(client):
    return {n["metadata"]["name"]: n["spec"].get("podCIDRs") for n in get(client, NODES)["items"]}


LOST = [("unreachable", "NoExecute"), ("unreachable", "NoSchedule")]


# --- addresses for pods


def test_each_node_gets_addresses_for_its_pods():
    """Blocks differ, outlive a restart, and are given back; who says his own keeps them; there is an event when none is left."""
    a = Api("--cluster-cidr=10.200.0.0/22", "--node-cidr-mask-size=24", controllers="node-ipam-controller").start()
    try:
        client = a.client()
        make(client, NODES, {"metadata": {"name": "own"}, "spec": {"podCIDR": "10.200.1.0/24", "podCIDRs": ["10.200.1.0/24"]}})
        for i in range(2):
            make(client, NODES, {"metadata": {"name": f"n{i}"}})
        assert eventually(lambda: None not in cidrs(client).values())
        assert sorted(c for c, in cidrs(client).values()) == ["10.200.0.0/24", "10.200.1.0/24", "10.200.2.0/24"]
        assert get(client, f"{NODES}/n0")["spec"]["podCIDR"] == cidrs(client)["n0"][0]
        before = cidrs(client)
        a.end()
        a.start()
        client = a.client()
        make(client, NODES, {"metadata": {"name": "n2"}})
        assert eventually(lambda: cidrs(client)["n2"] == ["10.200.3.0/24"]) and {**before, "n2": ["10.200.3.0/24"]} == cidrs(client)
        make(client, NODES, {"metadata": {"name": "late"}})
        assert eventually(lambda: events(client, "late", "CIDRNotAvailable"))
        e = events(client, "late", "CIDRNotAvailable")[0]
        assert (e["type"], e["message"], e["source"]["component"]) == ("Normal", "Node late status is now: CIDRNotAvailable", "cidrAllocator")
        assert client.ask("DELETE", f"{NODES}/own")[0] == 200
        assert eventually(lambda: cidrs(client)["late"] == ["10.200.1.0/24"]), "as soon as one is given back"
    finally:
        a.stop()


def test_addresses_of_both_families():
    with running("--service-cluster-ip-range=10.244.0.0/16,fd00:96::/112", "--node-cidr-mask-size-ipv6=72", controllers="nodeipam") as a:
        client = a.client()
        for i in range(3):
            make(client, NODES, {"metadata": {"name": f"n{i}"}})
        assert eventually(lambda: None not in cidrs(client).values())
        assert sorted(map(tuple, cidrs(client).values())) == [("10.128.0.0/24", "fd00:10:244::/72"), ("10.128.1.0/24", "fd00:10:244:0:100::/72"),
                                                              ("10.128.2.0/24", "fd00:10:244:0:200::/72")], "beside the Services'"


def test_services_addresses_are_spared():
    with running("--cluster-cidr=10.0.0.0/22", "--service-cluster-ip-range=10.0.1.0/24", controllers="nodeipam") as a:
        client = a.client()
        for i in range(4):
            make(client, NODES, {"metadata": {"name": f"n{i}"}})
        assert eventually(lambda: sorted(c for c in cidrs(client).values() if c) == [["10.0.0.0/24"], ["10.0.2.0/24"], ["10.0.3.0/24"]])


def test_no_addresses_where_none_are_wanted():
    with running("--allocate-node-cidrs=false", controllers="nodeipam,ttl") as a:
        client = a.client()
        make(client, NODES, {"metadata": {"name": "n"}})
        assert eventually(lambda: get(client, f"{NODES}/n")["metadata"].get("annotations") == {"node.alpha.kubernetes.io/ttl": "0"})
        assert cidrs(client) == {"n": None}


def test_flags_that_do_not_fit():
    for words, said in {("--cluster-cidr=10.0.0.0",): "--cluster-cidr: ", ("--cluster-cidr=10.0.0.0/16,10.1.0.0/16",): "one of each family",
                        ("--cluster-cidr=10.0.0.0/24", "--node-cidr-mask-size=16"): "10.0.0.0/24 has no blocks of /16",
                        ("--cluster-cidr=10.0.0.0/8", "--node-cidr-mask-size-ipv4=25"): "too many blocks",
                        ("--node-eviction-rate=-1",): "--node-eviction-rate -1"}.items():
        api = Api(*words)
        with pytest.raises(AssertionError, match=said):
            api.start()
        api.stop()


# --- signs of life


def test_a_node_that_is_not_heard_of(api, client):
    """Conditions, events, pods and taints as kube-controller-manager has them; and back."""
    node(client, "n1")
    node(client, "n2")
    with Alive(api, "n2"):
        pod(client, "p", "n1", tolerations=[{"operator": "Exists"}])
        assert eventually(lambda: events(client, "n1", "RegisteredNode"))
        e = events(client, "n1", "RegisteredNode")[0]
        assert (e["type"], e["message"], e["source"]["component"]) == ("Normal", "Node n1 event: Registered Node n1 in Controller", "node-controller")
        assert taints(client, "n1") == []
        assert eventually(lambda: taints(client, "n1") == LOST)
        said = conditions(get(client, f"{NODES}/n1"))
        assert said == {t: ("Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.") for t in KUBELET}
        assert eventually(lambda: events(client, "n1", "NodeNotReady"))
        assert events(client, "n1", "NodeNotReady")[0]["message"] == "Node n1 status is now: NodeNotReady"
        assert eventually(lambda: conditions(get(client, PODS + "/p"))["Ready"][0] == "False")
        assert eventually(lambda: events(client, "p", "NodeNotReady"))
        e = events(client, "p", "NodeNotReady")[0]
        assert (e["type"], e["message"]) == ("Warning", "Node is not ready")
        pod(client, "late", "n1", tolerations=[{"operator": "Exists"}])
        assert all("timeAdded" in t for t in get(client, f"{NODES}/n1")["spec"]["taints"])
        assert taints(client, "n2") == [], "its lease is renewed"
        tell(client, "n1")
        assert eventually(lambda: taints(client, "n1") == [])
        assert client.ask("DELETE", f"{NODES}/n1")[0] == 200
        assert eventually(lambda: events(client, "n1", "RemovingNode"))


def test_a_node_that_never_said_anything(api, client):
    node(client, "ok")
    with Alive(api, "ok"):
        node(client, "mute", ready=None)
        assert eventually(lambda: taints(client, "mute") == LOST)
        assert conditions(get(client, f"{NODES}/mute")) == {t: ("Unknown", "NodeStatusNeverUpdated", "Kubelet never posted node status.") for t in KUBELET}


def test_a_lease_alone_keeps_a_node(api, client):
    node(client, "n")
    with Alive(api, "n"):
        time.sleep(2 * GRACE)
        assert conditions(get(client, f"{NODES}/n"))["Ready"][0] == "True" and taints(client, "n") == []


def test_taints_follow_conditions(api, client):
    others = [{"key": "node.kubernetes.io/memory-pressure", "effect": "NoExecute"}, {"key": "mine", "effect": "NoSchedule"}]
    node(client, "n", taints=others, MemoryPressure="True", DiskPressure="True", PIDPressure="True", NetworkUnavailable="True")
    node(client, "ok")
    with Alive(api, "n", "ok"):
        kept = [("memory-pressure", "NoExecute"), ("mine", "NoSchedule")]
        assert eventually(lambda: taints(client, "n") == sorted(kept + [(k, "NoSchedule") for k in (
            "disk-pressure", "memory-pressure", "network-unavailable", "pid-pressure")]))
        tell(client, "n", NetworkUnavailable="False")
        assert client.ask("PATCH", f"{NODES}/n", {"spec": {"unschedulable": True}}, **MERGE)[0] == 200
        assert eventually(lambda: taints(client, "n") == sorted(kept + [("unschedulable", "NoSchedule")]))
        assert client.ask("PATCH", f"{NODES}/n", {"spec": {"unschedulable": None}}, **MERGE)[0] == 200
        tell(client, "n", Ready="False")
        assert eventually(lambda: taints(client, "n") == sorted(kept + [("not-ready", "NoExecute"), ("not-ready", "NoSchedule")]))
        tell(client, "n")
        assert eventually(lambda: taints(client, "n") == sorted(kept))


def test_when_all_nodes_are_lost_nothing_is_evicted(api, client):
    for name in "n1", "n2":
        node(client, name)
    pod(client, "p", "n1")
    assert eventually(lambda: all(("unreachable", "NoSchedule") in taints(client, n) for n in ("n1", "n2")))
    time.sleep(0.5)
    assert [taints(client, n) for n in ("n1", "n2")] == 2 * [[("unreachable", "NoSchedule")]], "it is this side that is cut off"
    tell(client, "n2")
    with Alive(api, "n2"):
        assert eventually(lambda: taints(client, "n1") == LOST), "one is back: the others count as lost again"
        assert get(client, PODS + "/p")["metadata"].get("deletionTimestamp") is None, "it tolerates it for 300 s"


def test_zones_of_which_much_is_lost_are_spared():
    """Of four nodes of a zone three are lost: more than its part, and few: it waits; the other zone does not."""
    with running("--node-monitor-grace-period=1s", "--node-eviction-rate=100", "--unhealthy-zone-threshold=0.55") as a:
        client = a.client()
        for i in range(4):
            node(client, f"a{i}", labels={"topology.kubernetes.io/zone": "a"})
        for i in range(3):
            node(client, f"b{i}", labels={"topology.kubernetes.io/zone": "b"})
        with Alive(a, "a0", "b0", "b1"):
            assert eventually(lambda: taints(client, "b2") == LOST)
            assert eventually(lambda: all(("unreachable", "NoSchedule") in taints(client, f"a{i}") for i in (1, 2, 3)))
            time.sleep(0.3)
            executed = [i for i in (1, 2, 3) if ("unreachable", "NoExecute") in taints(client, f"a{i}")]
            assert len(executed) < 3, "the one that makes it too many waits"
            tell(client, "a3")
            with Alive(a, "a3"):
                assert eventually(lambda: taints(client, "a1") == taints(client, "a2") == LOST)


def test_evictions_have_a_rate():
    with running("--node-monitor-grace-period=1s", "--node-eviction-rate=1") as a:
        client = a.client()
        for i in range(8):
            node(client, f"n{i}")
        with Alive(a, *(f"n{i}" for i in range(5))):
            lost = lambda: sum(("unreachable", "NoExecute") in taints(client, f"n{i}") for i in (5, 6, 7))  # noqa: E731
            assert eventually(lambda: lost() >= 1)
            began = time.monotonic()
            assert eventually(lambda: lost() == 3)
            assert 1.5 < time.monotonic() - began < 6, "one a second"


# --- evictions


def test_pods_go_from_tainted_nodes(api, client):
    node(client, "n")
    key = lambda **more: {"key": "k", "operator": "Equal", "value": "v", "effect": "NoExecute", **more}  # noqa: E731
    with Alive(api, "n"):
        pod(client, "stays", "n", tolerations=[key()])
        pod(client, "goes", "n")
        pod(client, "other-value", "n", tolerations=[key(value="w")])
        pod(client, "later", "n", tolerations=[key(tolerationSeconds=2)])
        pod(client, "cancelled", "n", tolerations=[key(tolerationSeconds=300)])
        assert client.ask("PATCH", f"{NODES}/n", {"spec": {"taints": [{"key": "k", "value": "v", "effect": "NoExecute"}]}}, **MERGE)[0] == 200
        going = lambda n: "deletionTimestamp" in get(client, f"{PODS}/{n}")["metadata"]  # noqa: E731
        began = time.monotonic()
        assert eventually(lambda: going("goes") and going("other-value"))
        assert not going("later")
        gone = get(client, PODS + "/goes")
        assert conditions(gone)["DisruptionTarget"] == ("True", "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint")
        assert gone["metadata"]["deletionGracePeriodSeconds"] == 30
        assert eventually(lambda: events(client, "goes", "TaintManagerEviction"))
        e = events(client, "goes", "TaintManagerEviction")[0]
        assert (e["type"], e["message"], e["source"]["component"]) == ("Normal", "Marking for deletion Pod default/goes", "taint-eviction-controller")
        assert eventually(lambda: going("later"))
        assert 1.5 < time.monotonic() - began < 6
        make(client, PODS, {"metadata": {"name": "newcomer"}, "spec": {"nodeName": "n", "containers": [{"name": "c", "image": "i"}]}})
        assert eventually(lambda: going("newcomer")), "who comes later finds the taint"
        assert client.ask("PATCH", f"{NODES}/n", {"spec": {"taints": None}}, **MERGE)[0] == 200
        assert eventually(lambda: [e["message"] for e in events(client, "cancelled", "TaintManagerEviction")] == ["Cancelling deletion of Pod default/cancelled"])
        assert not going("stays") and not going("cancelled")


def test_pods_of_a_lost_node_go(api, client):
    node(client, "n1")
    node(client, "n2")
    with Alive(api, "n2"):
        pod(client, "p", "n1", tolerations=[{"key": f"node.kubernetes.io/{k}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 1}
                                            for k in ("not-ready", "unreachable")])
        assert eventually(lambda: "deletionTimestamp" in get(client, PODS + "/p")["metadata"])


# --- what is left behind


def test_pods_that_have_ended_go_past_so_many(api, client):
    node(client, "n")
    with Alive(api, "n"):
        for i in range(6):
            pod(client, f"p{i}", "n", ready=False)
            status = {"phase": "Failed", "reason": "Evicted"} if i == 4 else {"phase": "Succeeded"}
            assert client.ask("PATCH", f"{PODS}/p{i}/status", {"status": status}, **MERGE)[0] == 200
        pod(client, "runs", "n")
        left = lambda: sorted(p["metadata"]["name"] for p in get(client, PODS)["items"])  # noqa: E731
        assert eventually(lambda: len(left()) == 4)
        assert left() == ["p2", "p3", "p5", "runs"], "the evicted first, then the oldest"


def test_pods_without_a_node_that_are_deleted_go(api, client):
    made = make(client, PODS, {"metadata": {"name": "p", "finalizers": ["example.com/a"]}, "spec": {"schedulerName": "nobody", "containers": [{"name": "c", "image": "i"}]}})
    assert client.ask("DELETE", PODS + "/p")[0] == 200
    assert eventually(lambda: get(client, PODS + "/p")["status"]["phase"] == "Failed"), made
    assert client.ask("PATCH", PODS + "/p", {"metadata": {"finalizers": None}}, **MERGE)[0] == 200
    assert eventually(lambda: get(client, PODS + "/p") is None)


def test_pods_of_a_node_that_is_out_of_service_go(api, client):
    node(client, "n1")
    node(client, "n2")
    with Alive(api, "n2"):
        pod(client, "p", "n1")
        pod(client, "stays", "n1", tolerations=[{"operator": "Exists"}])
        assert eventually(lambda: ("unreachable", "NoSchedule") in taints(client, "n1"))
        added = get(client, f"{NODES}/n1")["spec"]["taints"] + [{"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"}]
        status = 409
        while status == 409:
            status = client.ask("PATCH", f"{NODES}/n1", {"spec": {"taints": added}}, **MERGE)[0]
        assert status == 200
        assert eventually(lambda: get(client, PODS + "/p") is None), "whatever its grace period is"
        assert get(client, PODS + "/stays")["metadata"].get("deletionTimestamp") is None


# --- elsewhere: the same over HTTPS, with the time that a missing node has made short

RUN = f"{BUILD}/tests/conformance/run_controllers"


@pytest.mark.skipif(not os.path.exists(RUN), reason="run_controllers is not built (make unit-build)")
def test_over_https():
    a = Api(controllers="").start()
    with open(a.directory + "/controllers.log", "w+") as log:
        there = subprocess.Popen([RUN, a.kubeconfig, ALL, a.pki, "grace=1500ms", "quarantine=500ms"], stdin=subprocess.PIPE, stdout=log, stderr=log)
        try:
            client = a.client()
            node(client, "n1")
            node(client, "n2")
            with Alive(a, "n2"):
                pod(client, "p", "n1")
                assert eventually(lambda: taints(client, "n1") == LOST)
                assert eventually(lambda: conditions(get(client, PODS + "/p"))["Ready"][0] == "False")
                assert client.ask("PATCH", f"{PODS}/p", {"metadata": {"finalizers": ["example.com/a"]}}, **MERGE)[0] == 200
                assert client.ask("DELETE", f"{NODES}/n1")[0] == 200
                assert eventually(lambda: "deletionTimestamp" in get(client, PODS + "/p")["metadata"])
                left = get(client, PODS + "/p")
                assert left["status"]["phase"] == "Failed"
                assert conditions(left)["DisruptionTarget"] == ("True", "DeletionByPodGC", "PodGC: node no longer exists")
                assert client.ask("PATCH", f"{PODS}/p", {"metadata": {"finalizers": None}}, **MERGE)[0] == 200
                assert eventually(lambda: get(client, PODS + "/p") is None)
        finally:
            there.stdin.close()
            code = there.wait(10)
            log.seek(0)
            said = log.read()
            a.stop()
    assert code == 0 and "Sanitizer" not in said, said
