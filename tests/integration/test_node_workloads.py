"""Deployments and Services whose pods a real agent runs."""
import time

import pytest

from support.hosts import joined_node
from support.node import pod
from support.workloads import Namespace, eventually


@pytest.fixture(scope="module")
def node(api, busybox_archive, tmp_path_factory):
    with joined_node(api, busybox_archive, tmp_path_factory.mktemp("node")) as n:
        yield n


@pytest.fixture
def ns(api, node):
    n = Namespace(api.client())
    yield n
    n.delete(f"/api/v1/namespaces/{n.name}")
    assert eventually(lambda: n.get(f"/api/v1/namespaces/{n.name}") is None)


def spec(node, command, **more):
    return {**pod("x", {"command": ["sh", "-c", command], "ports": [{"name": "http", "containerPort": 80}], **more}, nodeName=node.name,
                  automountServiceAccountToken=False)["spec"]}


def deploy(ns, node, replicas, command="sleep 1000", **more):
    return ns.make(ns.apps + "deployments", "d", {"replicas": replicas, "selector": {"matchLabels": {"app": "a"}}, "template": {
        "metadata": {"labels": {"app": "a"}}, "spec": spec(node, command, **more)}})


def available(ns, n):
    found = ns.ask("GET", ns.apps + "deployments/d")
    status = found["status"]
    return status.get("observedGeneration") == found["metadata"]["generation"] and status.get("availableReplicas", 0) == n == status.get("updatedReplicas", 0) == status.get("replicas", 0)


def ends(ns):
    return {a for s in ns.ask("GET", ns.discovery + "endpointslices")["items"] for e in s["endpoints"] or [] if e["conditions"]["ready"] for a in e["addresses"]}


def test_deployment_runs_rolls_and_goes(ns, node):
    ns.service("s")
    deploy(ns, node, 6)
    assert eventually(lambda: available(ns, 6))
    addresses = {p["status"]["podIP"] for p in ns.active()}
    assert len(addresses) == 6 and eventually(lambda: ends(ns) == addresses)
    ns.merge(ns.apps + "deployments/d", {"spec": {"template": {"spec": spec(node, "sleep 2000")}}})
    assert eventually(lambda: available(ns, 6) and len(ns.pods()) == 6)
    assert eventually(lambda: ends(ns) == {p["status"]["podIP"] for p in ns.active()})
    ns.delete(ns.apps + "deployments/d")
    assert eventually(lambda: ns.pods() == [] and ends(ns) == set())


def test_what_ends_comes_back_and_what_is_not_ready_is_no_end_point(ns, node):
    ns.service("s")
    deploy(ns, node, 2, "touch /tmp/ready; sleep 1000", readinessProbe={"exec": {"command": ["cat", "/tmp/ready"]}, "periodSeconds": 1, "failureThreshold": 1})
    assert eventually(lambda: available(ns, 2) and len(ends(ns)) == 2)
    first = ns.active()[0]
    [container] = [c for c in node.containers() if c["labels"]["io.kubernetes.pod.name"] == first["metadata"]["name"]]
    node.exec(container, "rm", "/tmp/ready")
    assert eventually(lambda: ends(ns) == {p["status"]["podIP"] for p in ns.active()[1:]})
    assert eventually(lambda: ns.status(ns.apps + "deployments/d").get("availableReplicas") == 1)
    ns.delete(f"{ns.core}pods/{first['metadata']['name']}")
    assert eventually(lambda: available(ns, 2) and len(ends(ns)) == 2 and first["metadata"]["uid"] not in [p["metadata"]["uid"] for p in ns.pods()])


def test_forty_pods(ns, node):
    began = time.monotonic()
    deploy(ns, node, 40)
    assert eventually(lambda: available(ns, 40))
    there = time.monotonic()
    ns.delete(ns.apps + "deployments/d")
    assert eventually(lambda: ns.pods() == [])
    print(f"40 pods: {there - began:.2f} s until they run, {time.monotonic() - there:.2f} s until they are gone")
