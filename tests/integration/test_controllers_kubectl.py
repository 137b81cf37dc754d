"""kubectl's verbs for workloads, end to end: rollout, scale, expose, autoscale, drain."""
import os
import threading

import pytest

from support.api import PEERS
from support.workloads import Namespace, eventually

pytestmark = pytest.mark.skipif(not os.path.exists(f"{PEERS}/kubectl"), reason="kubectl is not built (tests/peers/build)")


class Node:
    """Lets the pods of a namespace run, as long as it is there."""

    def __init__(self, api, name):
        self.ended = threading.Event()
        self.ns = Namespace.__new__(Namespace)
        self.ns.client, self.ns.core, self.ns.addresses = api.client(), f"/api/v1/namespaces/{name}/", 0
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def work(self):
        while not self.ended.wait(0.02):
            self.ns.run()

    def stop(self):
        self.ended.set()
        self.thread.join()


@pytest.fixture
def ns(api):
    n = Namespace(api.client())
    node = Node(api, n.name)
    n.kubectl = lambda *args, ok=True: say(api.kubectl("-n", n.name, *args), ok)
    yield n
    node.stop()
    n.client.ask("DELETE", f"/api/v1/namespaces/{n.name}")


def say(done, ok):
    assert (done.returncode == 0) == ok, done.stdout + done.stderr
    return done.stdout if ok else done.stderr


def test_rollout(ns):
    ns.kubectl("create", "deployment", "web", "--image=nginx:1", "--replicas=3", "--port=80")
    assert 'deployment "web" successfully rolled out' in ns.kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    ns.kubectl("set", "image", "deployment/web", "nginx=nginx:2")
    ns.kubectl("annotate", "deployment/web", "kubernetes.io/change-cause=the second")
    assert "successfully rolled out" in ns.kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    history = eventually(lambda: (lambda said: "the second" in said and said)(ns.kubectl("rollout", "history", "deployment/web")))
    assert [line.split(None, 1) for line in history.splitlines() if line[:1].isdigit()] == [["1", "<none>"], ["2", "the second"]]
    assert "nginx:1" in ns.kubectl("rollout", "history", "deployment/web", "--revision=1")
    assert "rolled back" in ns.kubectl("rollout", "undo", "deployment/web")
    ns.kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    assert ns.kubectl("get", "deployment", "web", "-o", "jsonpath={.spec.template.spec.containers[0].image}") == "nginx:1"
    assert [line.split()[0] for line in ns.kubectl("rollout", "history", "deployment/web").splitlines() if line[:1].isdigit()] == ["2", "3"]
    assert "rolled back" in ns.kubectl("rollout", "undo", "deployment/web", "--to-revision=2")
    ns.kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    assert ns.kubectl("get", "deployment", "web", "-o", "jsonpath={.spec.template.spec.containers[0].image}") == "nginx:2"
    before = ns.kubectl("get", "pods", "-o", "name")
    ns.kubectl("rollout", "restart", "deployment/web")
    ns.kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    assert eventually(lambda: not set(before.split()) & set(ns.kubectl("get", "pods", "-o", "name").split()))
    said = ns.kubectl("describe", "deployment", "web")
    assert "ScalingReplicaSet" in said and "NewReplicaSet:" in said and "3 desired | 3 updated | 3 total | 3 available | 0 unavailable" in said


def test_pause_and_resume(ns):
    ns.kubectl("create", "deployment", "web", "--image=nginx:1", "--replicas=2")
    ns.kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    ns.kubectl("set", "image", "deployment/web", "nginx=nginx:0")
    ns.kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    ns.kubectl("rollout", "pause", "deployment/web")
    ns.kubectl("set", "image", "deployment/web", "nginx=nginx:2")
    assert "cannot rollback a paused deployment" in ns.kubectl("rollout", "undo", "deployment/web", ok=False)
    assert len(ns.sets()) == 2
    ns.kubectl("rollout", "resume", "deployment/web")
    ns.kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    assert ns.sizes() == {"nginx:1": 0, "nginx:0": 0, "nginx:2": 2}


def test_scale_expose_and_autoscale(ns):
    ns.kubectl("create", "deployment", "web", "--image=nginx:1", "--port=80")
    ns.kubectl("scale", "deployment", "web", "--replicas=4", "--current-replicas=1")
    ns.kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    ns.kubectl("wait", "--for=jsonpath={.status.availableReplicas}=4", "deployment/web", "--timeout=30s")
    assert ns.kubectl("get", "deployment", "web", "--no-headers").split()[1:4] == ["4/4", "4", "4"]
    ns.kubectl("expose", "deployment", "web", "--name=front", "--port=80")
    assert eventually(lambda: ns.get(ns.core + "endpoints/front") is not None)
    ns.kubectl("autoscale", "deployment", "web", "--min=2", "--max=5", "--cpu=80%")
    assert "Deployment/web" in ns.kubectl("get", "hpa")
    ns.kubectl("delete", "deployment", "web")
    assert eventually(lambda: ns.pods() == [] and ns.sets() == {})


def test_drain_asks_the_budget(api, ns):
    """One after the other, as a budget lets them, and all that a Deployment makes anew goes elsewhere."""
    for name in "old", "new":
        ns.client.ask("POST", "/api/v1/nodes", {"metadata": {"name": f"{name}-{ns.name}"}})
    ns.kubectl("create", "deployment", "web", "--image=nginx:1", "--replicas=3")
    ns.make(ns.policy + "poddisruptionbudgets", "b", {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}})
    ns.kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    for p in ns.pods():
        ns.bind(p, f"old-{ns.name}")
    assert eventually(lambda: ns.status(ns.policy + "poddisruptionbudgets/b").get("disruptionsAllowed") == 1)
    said = say(api.kubectl("drain", f"old-{ns.name}", "--timeout=60s"), True)
    assert said.count("evicted") == 3 or said.count("evicting") >= 3, said
    ns.kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    assert not [p for p in ns.active() if p["spec"].get("nodeName") == f"old-{ns.name}"]
