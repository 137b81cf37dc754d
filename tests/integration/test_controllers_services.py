"""Endpoints and EndpointSlices by what clients see: nacelle's controllers in the service, over HTTPS, and by kube-apiserver; and kube-controller-manager
in their place, of which the same is asked."""
import os
import time

import pytest

from support.api import PEERS, RUN_CONTROLLERS, Api, Beside, Elsewhere, Stock
from support.workloads import Namespace, eventually, pod_spec

OURS = ["endpoints-controller", "endpointslice-controller", "endpointslice-mirroring-controller"]
RANGES = "--service-cluster-ip-range=10.96.0.0/16,fd00:96::/112"
SINCE = "2026-11-29T08:00:00Z"


@pytest.fixture(scope="module", params=["here", "https", *(["stock", "beside"] if "STOCK" in os.environ else [])])
def cluster(request):
    if request.param in ("https", "beside") and not os.path.exists(RUN_CONTROLLERS):
        pytest.skip("run_controllers is not built (make unit-build)")
    peer = {"stock": "kube-controller-manager", "beside": "kube-apiserver"}.get(request.param)
    if peer and not os.path.exists(f"{PEERS}/{peer}"):
        pytest.skip(f"{peer} is not built (tests/peers/build)")
    api = Api(RANGES, controllers="*" if request.param == "here" else "*," + ",".join("-" + c for c in OURS)).start()
    other = {"here": lambda: None, "https": lambda: Elsewhere(api, ",".join(OURS)), "stock": lambda: Stock(api, ",".join(OURS)), "beside": lambda: Beside(api)}[request.param]()
    cluster = other if request.param == "beside" else api
    client = cluster.client()
    for name in "a", "b":
        assert client.ask("POST", "/api/v1/nodes", {"metadata": {"name": f"node-{name}", "labels": {"topology.kubernetes.io/zone": f"zone-{name}"}}})[0] == 201
    yield cluster
    if other:
        other.stop()
    api.stop()


@pytest.fixture
def ns(cluster):
    n = Namespace(cluster.client())
    yield n
    for p in n.pods():
        n.client.ask("DELETE", f"{n.core}pods/{p['metadata']['name']}", {"gracePeriodSeconds": 0})
    n.client.ask("DELETE", f"/api/v1/namespaces/{n.name}")


def slices(ns, service="s", family="IPv4"):
    found = ns.ask("GET", f"{ns.discovery}endpointslices?labelSelector=kubernetes.io/service-name={service}")["items"]
    return [s for s in found if s["addressType"] == family]


def ends(ns, service="s", family="IPv4"):
    """What is said of each pod."""
    return {e["targetRef"]["name"]: e for s in slices(ns, service, family) for e in s["endpoints"] or []}


def pod(ns, name, node="node-a", spec=None, labels=None, **status):
    p = ns.make(ns.core + "pods", name, spec or pod_spec(), labels=labels or {"app": "a"})
    if node:
        ns.bind(p, node)
    return ns.say(p, since=SINCE, **status)


def ready(ns, name, yes):
    return ns.say(ns.get(f"{ns.core}pods/{name}"), ready=yes)


def subsets(ns, name="s"):
    found = ns.get(f"{ns.core}endpoints/{name}")
    return None if found is None else sorted((sorted(a["targetRef"]["name"] for a in s.get("addresses", [])), sorted(a["targetRef"]["name"] for a in s.get("notReadyAddresses", [])),
                                              sorted((p.get("name", ""), p["port"], p["protocol"]) for p in s.get("ports", []))) for s in found.get("subsets", []))


def test_service_without_pods_has_one_empty_slice(ns):
    made = ns.service("s")
    [only] = eventually(lambda: slices(ns))
    assert only["endpoints"] in (None, []) and only["ports"] in (None, []) and only["metadata"]["generateName"] == "s-"
    assert only["metadata"]["ownerReferences"] == [{"apiVersion": "v1", "kind": "Service", "name": "s", "uid": made["metadata"]["uid"], "controller": True, "blockOwnerDeletion": True}]
    assert eventually(lambda: subsets(ns) == [])
    ns.delete(ns.core + "services/s")
    assert eventually(lambda: slices(ns) == [] and ns.get(ns.core + "endpoints/s") is None)


def test_pods_are_end_points(ns):
    ns.make(ns.core + "services", "s", {"selector": {"app": "a"}, "ports": [{"name": "web", "port": 80, "targetPort": "http", "appProtocol": "http"}]}, labels={"team": "x"})
    first, second = pod(ns, "p1"), pod(ns, "p2", "node-b")
    pod(ns, "other", labels={"app": "b"})
    ns.make(ns.core + "pods", "no-address", pod_spec(), labels={"app": "a"})
    assert eventually(lambda: sorted(ends(ns)) == ["p1", "p2"])
    ip = first["status"]["podIP"]
    assert ends(ns)["p1"] == {"addresses": [ip], "conditions": {"ready": True, "serving": True, "terminating": False}, "nodeName": "node-a", "zone": "zone-a",
                              "targetRef": {"kind": "Pod", "namespace": ns.name, "name": "p1", "uid": first["metadata"]["uid"]}}
    assert ends(ns)["p2"]["zone"] == "zone-b"
    [only] = slices(ns)
    assert only["ports"] == [{"name": "web", "port": 8080, "protocol": "TCP", "appProtocol": "http"}]
    assert only["metadata"]["labels"] == {"team": "x", "kubernetes.io/service-name": "s", "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}
    assert only["metadata"]["annotations"]["endpoints.kubernetes.io/last-change-trigger-time"] == SINCE
    assert eventually(lambda: subsets(ns) == [(["p1", "p2"], [], [("web", 8080, "TCP")])])
    found = ns.get(ns.core + "endpoints/s")
    assert found["metadata"]["labels"] == {"team": "x", "endpoints.kubernetes.io/managed-by": "endpoint-controller"}
    assert found["metadata"]["annotations"]["endpoints.kubernetes.io/last-change-trigger-time"] == SINCE
    assert found["subsets"][0]["addresses"][0] == {"ip": ip, "nodeName": "node-a", "targetRef": {"kind": "Pod", "namespace": ns.name, "name": "p1", "uid": first["metadata"]["uid"]}}
    assert found["subsets"][0]["ports"] == [{"name": "web", "port": 8080, "protocol": "TCP", "appProtocol": "http"}]
    assert second


def test_readiness_and_end(ns):
    ns.service("s")
    for name in "p1", "p2":
        pod(ns, name)
    assert eventually(lambda: len(ends(ns)) == 2)
    ready(ns, "p1", False)
    assert eventually(lambda: ends(ns)["p1"]["conditions"] == {"ready": False, "serving": False, "terminating": False})
    assert eventually(lambda: subsets(ns) == [(["p2"], ["p1"], [("web", 8080, "TCP")])])
    ns.delete(ns.core + "pods/p2")
    assert eventually(lambda: ends(ns)["p2"]["conditions"] == {"ready": False, "serving": True, "terminating": True})
    assert eventually(lambda: subsets(ns) == [([], ["p1"], [("web", 8080, "TCP")])]), "what goes is no end point to older clients"
    ns.say(ns.get(ns.core + "pods/p1"), phase="Failed", ready=False)
    assert eventually(lambda: sorted(ends(ns)) == ["p2"])
    ns.delete(ns.core + "pods/p2", gracePeriodSeconds=0)
    assert eventually(lambda: ends(ns) == {} and len(slices(ns)) == 1)


def test_not_ready_addresses_are_published(ns):
    ns.service("s", publishNotReadyAddresses=True)
    pod(ns, "p1", ready=False)
    assert eventually(lambda: ends(ns).get("p1", {}).get("conditions") == {"ready": True, "serving": False, "terminating": False})
    assert eventually(lambda: subsets(ns) == [(["p1"], [], [("web", 8080, "TCP")])])


def test_ports_by_name_differ(ns):
    ns.service("s", ports=[{"name": "web", "port": 80, "targetPort": "http"}, {"name": "raw", "port": 81, "targetPort": 9000}])
    pod(ns, "p1")
    pod(ns, "p2", spec={"containers": [{"name": "c", "image": "i", "ports": [{"name": "http", "containerPort": 8081}]}]})
    pod(ns, "p3", spec={"containers": [{"name": "c", "image": "i"}], "initContainers": [{"name": "s", "image": "i", "restartPolicy": "Always", "ports": [{"name": "http", "containerPort": 8082}]}]})
    pod(ns, "p4", spec={"containers": [{"name": "c", "image": "i", "ports": [{"name": "http", "containerPort": 8080, "protocol": "UDP"}]}]})
    assert eventually(lambda: {tuple(sorted(e["targetRef"]["name"] for e in s["endpoints"])): sorted((p["name"], p["port"]) for p in s["ports"]) for s in slices(ns)} == {
        ("p1",): [("raw", 9000), ("web", 8080)], ("p2",): [("raw", 9000), ("web", 8081)], ("p3",): [("raw", 9000), ("web", 8082)], ("p4",): [("raw", 9000)]})
    assert eventually(lambda: subsets(ns) == [(["p1"], [], [("web", 8080, "TCP")]), (["p1", "p2", "p3", "p4"], [], [("raw", 9000, "TCP")]),
                                              (["p2"], [], [("web", 8081, "TCP")]), (["p3"], [], [("web", 8082, "TCP")])])


def test_headless(ns):
    ns.service("s", clusterIP="None", ports=None)
    pod(ns, "p1", spec=pod_spec(hostname="h", subdomain="s"))
    pod(ns, "p2", spec=pod_spec(hostname="h", subdomain="other"))
    assert eventually(lambda: sorted(ends(ns)) == ["p1", "p2"])
    assert ends(ns)["p1"]["hostname"] == "h" and "hostname" not in ends(ns)["p2"] and slices(ns)[0]["ports"] in (None, [])
    assert slices(ns)[0]["metadata"]["labels"]["service.kubernetes.io/headless"] == ""
    assert eventually(lambda: subsets(ns) == [(["p1", "p2"], [], [])])
    found = ns.get(ns.core + "endpoints/s")
    assert found["metadata"]["labels"] == {"service.kubernetes.io/headless": "", "endpoints.kubernetes.io/managed-by": "endpoint-controller"}
    assert [a.get("hostname") for a in sorted(found["subsets"][0]["addresses"], key=lambda a: a["targetRef"]["name"])] == ["h", None]


def test_two_families(ns):
    ns.service("s", ipFamilyPolicy="RequireDualStack", ipFamilies=["IPv4", "IPv6"])
    pod(ns, "p1", podIP="10.1.0.1", podIPs=[{"ip": "10.1.0.1"}, {"ip": "fd00::1"}])
    pod(ns, "p2", podIP="10.1.0.2", podIPs=[{"ip": "10.1.0.2"}])
    assert eventually(lambda: sorted(ends(ns)) == ["p1", "p2"] and {n: e["addresses"] for n, e in ends(ns, family="IPv6").items()} == {"p1": ["fd00::1"]})
    ns.merge(ns.core + "services/s", {"spec": {"ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4"], "clusterIPs": [ns.get(ns.core + "services/s")["spec"]["clusterIP"]]}})
    assert eventually(lambda: slices(ns, family="IPv6") == [])


def test_selector_and_labels_change(ns):
    ns.service("s")
    pod(ns, "p1")
    pod(ns, "p2", labels={"app": "b"})
    assert eventually(lambda: sorted(ends(ns)) == ["p1"])
    ns.merge(ns.core + "services/s", {"spec": {"selector": {"app": "b"}}, "metadata": {"labels": {"new": "label"}}})
    assert eventually(lambda: sorted(ends(ns)) == ["p2"] and all(s["metadata"]["labels"].get("new") == "label" for s in slices(ns)))
    assert eventually(lambda: ns.get(ns.core + "endpoints/s")["metadata"]["labels"].get("new") == "label")
    ns.merge(ns.core + "pods/p1", {"metadata": {"labels": {"app": "b"}}})
    assert eventually(lambda: sorted(ends(ns)) == ["p1", "p2"])
    ns.merge(ns.core + "pods/p2", {"metadata": {"labels": {"app": "a"}}})
    assert eventually(lambda: sorted(ends(ns)) == ["p1"])


def test_service_without_selector_is_left_alone(ns):
    ns.service("s", selector=None)
    ns.ask("POST", ns.core + "endpoints", {"metadata": {"name": "s"}, "subsets": [{"addresses": [{"ip": "192.0.2.1"}], "ports": [{"port": 80}]}]})
    ns.ask("POST", ns.core + "endpoints", {"metadata": {"name": "nobodys"}, "subsets": [{"addresses": [{"ip": "192.0.2.1"}], "ports": [{"port": 80}]}]})
    ns.service("after")
    assert eventually(lambda: ns.get(ns.core + "endpoints/after"))
    assert ns.get(ns.core + "endpoints/s")["subsets"] and ns.get(ns.core + "endpoints/nobodys")


def test_pod_whose_node_is_not_there_is_left_out(ns, cluster):
    ns.service("s")
    ns.service("all", publishNotReadyAddresses=True)
    node = f"late-{ns.name}"
    pod(ns, "p1", node=None, spec=pod_spec(nodeName=node))
    assert eventually(lambda: "p1" in ends(ns, "all")) and ends(ns) == {}
    ns.ask("POST", "/api/v1/nodes", {"metadata": {"name": node, "labels": {"topology.kubernetes.io/zone": "z"}}})
    assert eventually(lambda: ends(ns).get("p1", {}).get("zone") == "z")


def test_what_is_changed_by_hand_is_made_right(ns):
    ns.service("s")
    pod(ns, "p1")
    assert eventually(lambda: ends(ns))
    [only] = slices(ns)
    path = f"{ns.discovery}endpointslices/{only['metadata']['name']}"
    ns.merge(path, {"endpoints": []})
    assert eventually(lambda: "p1" in ends(ns))
    ns.delete(path)
    assert eventually(lambda: "p1" in ends(ns) and slices(ns)[0]["metadata"]["name"] != only["metadata"]["name"])
    ns.delete(ns.core + "endpoints/s")
    assert eventually(lambda: subsets(ns) == [(["p1"], [], [("web", 8080, "TCP")])])


def test_many_pods_are_slices_of_a_hundred(ns):
    """And a change writes the slice that it is in, no other."""
    ns.service("s")
    for i in range(230):
        pod(ns, f"p{i:03}", node="node-a")
    assert eventually(lambda: len(ends(ns)) == 230)
    assert eventually(lambda: len(subsets(ns)[0][0]) == 230)
    before = {s["metadata"]["name"]: s for s in slices(ns)}
    assert sorted(len(s["endpoints"]) for s in before.values())[-1] <= 100 and len(before) in (3, 4)
    ready(ns, "p007", False)
    assert eventually(lambda: not ends(ns)["p007"]["conditions"]["ready"])
    time.sleep(0.2)
    changed = [n for n, s in before.items() if next(t for t in slices(ns) if t["metadata"]["name"] == n)["metadata"]["resourceVersion"] != s["metadata"]["resourceVersion"]]
    assert len(changed) == 1 and any(e["targetRef"]["name"] == "p007" for e in before[changed[0]]["endpoints"])


def test_endpoints_by_hand_are_mirrored(ns):
    ns.service("s", selector=None)
    made = ns.ask("POST", ns.core + "endpoints", {"metadata": {"name": "s", "labels": {"team": "x"}, "annotations": {"note": "y"}}, "subsets": [
        {"addresses": [{"ip": "192.0.2.1", "hostname": "h"}, {"ip": "2001:db8::1"}], "notReadyAddresses": [{"ip": "192.0.2.2"}], "ports": [{"name": "web", "port": 80}]}]})
    assert eventually(lambda: {(e["addresses"][0], e["conditions"]["ready"], e.get("hostname")) for s in slices(ns) for e in s["endpoints"]} == {
        ("192.0.2.1", True, "h"), ("192.0.2.2", False, None)})
    assert eventually(lambda: [e["addresses"] for s in slices(ns, family="IPv6") for e in s["endpoints"]] == [["2001:db8::1"]])
    [only] = slices(ns)
    meta = only["metadata"]
    assert meta["labels"] == {"team": "x", "kubernetes.io/service-name": "s", "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io"}
    assert meta["annotations"] == {"note": "y"} and meta["ownerReferences"] == [
        {"apiVersion": "v1", "kind": "Endpoints", "name": "s", "uid": made["metadata"]["uid"], "controller": True, "blockOwnerDeletion": True}]
    assert only["ports"] == [{"name": "web", "port": 80, "protocol": "TCP"}]
    ns.merge(ns.core + "endpoints/s", {"subsets": [{"addresses": [{"ip": "192.0.2.3"}], "ports": [{"name": "web", "port": 81}]}]})
    assert eventually(lambda: [(e["addresses"], s["ports"][0]["port"]) for s in slices(ns) for e in s["endpoints"]] == [(["192.0.2.3"], 81)] and slices(ns, family="IPv6") == [])
    ns.merge(ns.core + "endpoints/s", {"metadata": {"labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}}})
    assert eventually(lambda: slices(ns) == [])
