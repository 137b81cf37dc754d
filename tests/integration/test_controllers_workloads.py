"""ReplicaSets, ReplicationControllers, Deployments and PodDisruptionBudgets by what clients see: nacelle's controllers in the service and over HTTPS, and
kube-controller-manager in their place, of which the same is asked."""
import os
import time

import pytest

from support.api import PEERS, RUN_CONTROLLERS, Api, Beside, Elsewhere, Stock
from support.workloads import Namespace, eventually, pod_spec, template

NOT = "-pod-garbage-collector-controller"  # it ends pods that go and were never on a node: here they are held
OURS = ["replicaset-controller", "replicationcontroller-controller", "deployment-controller", "disruption-controller"]


def without_ours():
    return Api(controllers=f"*,{NOT}," + ",".join("-" + c for c in OURS)).start()


@pytest.fixture(scope="module", params=["here", "https", *(["stock", "beside"] if "STOCK" in os.environ else [])])
def cluster(request):
    if request.param in ("https", "beside") and not os.path.exists(RUN_CONTROLLERS):
        pytest.skip("run_controllers is not built (make unit-build)")
    peer = {"stock": "kube-controller-manager", "beside": "kube-apiserver"}.get(request.param)
    if peer and not os.path.exists(f"{PEERS}/{peer}"):
        pytest.skip(f"{peer} is not built (tests/peers/build)")
    api = Api(controllers=f"*,{NOT}").start() if request.param == "here" else without_ours()
    other = {"here": lambda: None, "https": lambda: Elsewhere(api, ",".join(OURS)), "stock": lambda: Stock(api, ",".join(OURS)), "beside": lambda: Beside(api, f"*,{NOT}")}[request.param]()
    yield other if request.param == "beside" else api
    if other:
        other.stop()
    api.stop()


@pytest.fixture
def ns(cluster):
    n = Namespace(cluster.client())
    yield n
    n.client.ask("DELETE", f"/api/v1/namespaces/{n.name}")


def conditions(status):
    return {c["type"]: (c["status"], c["reason"], c.get("message", "")) for c in status.get("conditions", [])}


# --- ReplicaSets


def test_replicaset_has_as_many_pods_as_it_wants(ns):
    path = ns.apps + "replicasets/r"
    made = ns.replicaset("r", 3, template={**template(), "metadata": {"labels": {"app": "a", "x": "y"}, "annotations": {"n": "m"}, "finalizers": []}})
    assert eventually(lambda: ns.status(path).get("replicas") == 3)
    for p in ns.pods():
        meta = p["metadata"]
        assert meta["generateName"] == "r-" and meta["name"].startswith("r-") and meta["labels"] == {"app": "a", "x": "y"} and meta["annotations"] == {"n": "m"}
        assert meta["ownerReferences"] == [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": made["metadata"]["uid"], "controller": True, "blockOwnerDeletion": True}]
    assert eventually(lambda: ns.status(path) == {"replicas": 3, "fullyLabeledReplicas": 3, "terminatingReplicas": 0, "observedGeneration": 1})
    ns.until(lambda: ns.status(path).get("availableReplicas") == 3)
    assert ns.status(path) == {"replicas": 3, "fullyLabeledReplicas": 3, "readyReplicas": 3, "availableReplicas": 3, "terminatingReplicas": 0, "observedGeneration": 1}
    gone = ns.pods()[0]["metadata"]["name"]
    ns.delete(f"{ns.core}pods/{gone}")
    assert eventually(lambda: len(ns.active()) == 3 and gone not in [p["metadata"]["name"] for p in ns.pods()]), "it makes up for one that goes"
    ns.merge(path, {"spec": {"replicas": 1}})
    assert eventually(lambda: ns.status(path)["replicas"] == 1 and ns.status(path)["observedGeneration"] == 2 and len(ns.pods()) == 1)
    assert ns.pods()[0]["status"]["phase"] == "Running", "what does not run yet goes first"
    said = ns.events("ReplicaSet")
    assert {r for r, _ in said} == {"SuccessfulCreate", "SuccessfulDelete"} and all(m.startswith(("Created pod: r-", "Deleted pod: r-")) for _, m in said)


def test_replicaset_makes_many_at_once(ns):
    ns.replicaset("r", 120)
    assert eventually(lambda: ns.status(ns.apps + "replicasets/r").get("replicas") == 120)
    time.sleep(0.3)
    assert len(ns.pods()) == 120, "and none too many"


def test_replicaset_adopts_and_gives_up(ns):
    ns.make(ns.core + "pods", "orphan", pod_spec(), labels={"app": "a"})
    account = ns.get(ns.core + "serviceaccounts/default")["metadata"]["uid"]
    foreign = ns.make(ns.core + "pods", "foreign", pod_spec(), labels={"app": "a"}, ownerReferences=[
        {"apiVersion": "v1", "kind": "ServiceAccount", "name": "default", "uid": account, "controller": True}])
    uid = ns.replicaset("r", 2)["metadata"]["uid"]
    assert eventually(lambda: [o["uid"] for o in ns.get(ns.core + "pods/orphan")["metadata"].get("ownerReferences", [])] == [uid])
    assert eventually(lambda: ns.status(ns.apps + "replicasets/r").get("replicas") == 2)
    assert len(ns.pods()) == 3 and ns.get(ns.core + "pods/foreign")["metadata"]["ownerReferences"] == foreign["metadata"]["ownerReferences"]
    ns.merge(ns.core + "pods/orphan", {"metadata": {"labels": {"app": "other"}}})
    assert eventually(lambda: "ownerReferences" not in ns.get(ns.core + "pods/orphan")["metadata"]), "what it selects no more is given up"
    assert eventually(lambda: len(ns.active("app=a")) == 3 and ns.status(ns.apps + "replicasets/r")["replicas"] == 2)
    ns.merge(ns.core + "pods/orphan", {"metadata": {"labels": {"app": "a"}}})
    assert eventually(lambda: len(ns.active("app=a")) == 3 and len(ns.pods()) == 3), "one that comes back is one too many"


def test_replicaset_that_orphans_leaves_its_pods(ns):
    ns.replicaset("r", 2)
    assert eventually(lambda: ns.status(ns.apps + "replicasets/r").get("replicas") == 2)
    ns.delete(ns.apps + "replicasets/r", propagationPolicy="Orphan")
    assert eventually(lambda: ns.get(ns.apps + "replicasets/r") is None)
    assert eventually(lambda: len(ns.pods()) == 2 and not any(p["metadata"].get("ownerReferences") for p in ns.pods()))
    uid = ns.replicaset("s", 2)["metadata"]["uid"]
    assert eventually(lambda: [o["uid"] for p in ns.pods() for o in p["metadata"].get("ownerReferences", [])] == [uid, uid]), "another takes them"


def test_replicaset_lets_go_what_costs_least(ns):
    ns.replicaset("r", 4)
    assert ns.until(lambda: ns.status(ns.apps + "replicasets/r").get("readyReplicas") == 4)
    names = [p["metadata"]["name"] for p in ns.pods()]
    for name, cost in zip(names, ("10", "-5", "0", "7")):
        ns.merge(f"{ns.core}pods/{name}", {"metadata": {"annotations": {"controller.kubernetes.io/pod-deletion-cost": cost}}})
    time.sleep(0.3)
    ns.merge(ns.apps + "replicasets/r", {"spec": {"replicas": 2}})
    assert eventually(lambda: [p["metadata"]["name"] for p in ns.active()] == [names[0], names[3]])


def test_replicaset_waits_until_pods_are_available(ns):
    ns.replicaset("r", 1, minReadySeconds=2)
    path = ns.apps + "replicasets/r"
    assert ns.until(lambda: ns.status(path).get("readyReplicas") == 1)
    assert "availableReplicas" not in ns.status(path)
    assert eventually(lambda: ns.status(path).get("availableReplicas") == 1)


def test_replicaset_says_why_it_has_no_pods(ns):
    path = ns.apps + "replicasets/r"
    ns.make(ns.core + "resourcequotas", "q", {"hard": {"pods": "1"}})
    assert eventually(lambda: ns.status(ns.core + "resourcequotas/q").get("hard"))
    ns.replicaset("r", 3)
    assert eventually(lambda: conditions(ns.status(path)).get("ReplicaFailure"))
    status, reason, message = conditions(ns.status(path))["ReplicaFailure"]
    assert (status, reason) == ("True", "FailedCreate") and "is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1" in message
    assert any(r == "FailedCreate" and m.startswith("Error creating: pods \"r-") for r, m in ns.events("ReplicaSet"))
    ns.merge(ns.core + "resourcequotas/q", {"spec": {"hard": {"pods": "5"}}})
    assert eventually(lambda: ns.status(path)["replicas"] == 3 and not conditions(ns.status(path)))


def test_replicaset_counts_what_terminates(ns):
    path = ns.apps + "replicasets/r"
    ns.replicaset("r", 2)
    assert eventually(lambda: len(ns.pods()) == 2)
    for p in ns.pods():
        ns.merge(f"{ns.core}pods/{p['metadata']['name']}", {"metadata": {"finalizers": ["example.com/held"]}})
    ns.merge(path, {"spec": {"replicas": 0}})
    assert eventually(lambda: ns.status(path).get("terminatingReplicas") == 2 and ns.status(path)["replicas"] == 0)
    for p in ns.pods():
        ns.merge(f"{ns.core}pods/{p['metadata']['name']}", {"metadata": {"finalizers": None}})
    assert eventually(lambda: ns.status(path)["terminatingReplicas"] == 0)


def test_replicationcontroller(ns):
    path = ns.core + "replicationcontrollers/r"
    made = ns.make(ns.core + "replicationcontrollers", "r", {"replicas": 2, "selector": {"app": "a"}, "template": template()})
    assert ns.until(lambda: ns.status(path).get("availableReplicas") == 2)
    assert ns.status(path) == {"replicas": 2, "fullyLabeledReplicas": 2, "readyReplicas": 2, "availableReplicas": 2, "observedGeneration": 1}
    assert {o["uid"] for p in ns.pods() for o in p["metadata"]["ownerReferences"]} == {made["metadata"]["uid"]}
    assert ns.get(path)["spec"]["selector"] == {"app": "a"}
    ns.merge(path, {"spec": {"replicas": 0}})
    assert eventually(lambda: ns.pods() == [] and ns.status(path)["replicas"] == 0)


# --- Deployments


def test_deployment_rolls_out(ns):
    path = ns.apps + "deployments/d"
    made = ns.deployment("d", 4, meta={"annotations": {"note": "first"}}, strategy={"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}})
    assert ns.until(lambda: conditions(ns.status(path)).get("Progressing", ("", ""))[1] == "NewReplicaSetAvailable")
    first = ns.sets()["i"]
    hash = first["metadata"]["labels"]["pod-template-hash"]
    assert first["metadata"]["name"] == f"d-{hash}" and first["metadata"]["labels"] == {"app": "a", "pod-template-hash": hash}
    assert first["spec"]["selector"] == {"matchLabels": {"app": "a", "pod-template-hash": hash}} and first["spec"]["template"]["metadata"]["labels"] == first["metadata"]["labels"]
    assert first["metadata"]["annotations"] == {"note": "first", "deployment.kubernetes.io/desired-replicas": "4", "deployment.kubernetes.io/max-replicas": "5",
                                                "deployment.kubernetes.io/revision": "1"}
    assert [(o["kind"], o["uid"], o["controller"]) for o in first["metadata"]["ownerReferences"]] == [("Deployment", made["metadata"]["uid"], True)]
    assert ns.get(path)["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"
    status = ns.status(path)
    assert conditions(status) == {"Available": ("True", "MinimumReplicasAvailable", "Deployment has minimum availability."),
                                  "Progressing": ("True", "NewReplicaSetAvailable", f'ReplicaSet "d-{hash}" has successfully progressed.')}
    assert {k: v for k, v in status.items() if k != "conditions"} == {"observedGeneration": 1, "replicas": 4, "updatedReplicas": 4, "readyReplicas": 4, "availableReplicas": 4,
                                                                     "terminatingReplicas": 0}
    seen = []
    ns.set_image("d", "j")
    assert ns.until(lambda: ns.sizes() == {"i": 0, "j": 4} and ns.status(path).get("updatedReplicas") == 4 and ns.status(path)["replicas"] == 4,
                    seen=lambda: seen.append((len(ns.active()), ns.status(path).get("availableReplicas", 0), sum(ns.sizes().values()))))
    assert max(total for _, _, total in seen) == 5 and min(available for _, available, _ in seen) >= 3, "never more than it may, never less than it must"
    assert ns.get(path)["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2" and ns.sets()["j"]["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"
    scaled = [m for r, m in ns.events("Deployment") if r == "ScalingReplicaSet"]
    assert f"Scaled up replica set d-{hash} from 0 to 4" in scaled and f"Scaled down replica set d-{hash} from 4 to 3" in scaled


def test_deployment_goes_back_to_a_revision(ns):
    path = ns.apps + "deployments/d"
    ns.deployment("d", 2)
    done = lambda image: lambda: ns.sizes().get(image) == 2 and sum(ns.sizes().values()) == 2 and ns.status(path).get("updatedReplicas") == 2
    for image in "i", "j", "i":
        ns.set_image("d", image)
        assert ns.until(done(image))
    back = ns.sets()["i"]["metadata"]["annotations"]
    assert eventually(lambda: ns.get(path)["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3")
    assert back["deployment.kubernetes.io/revision"] == "3" and back["deployment.kubernetes.io/revision-history"] == "1" and len(ns.sets()) == 2


def test_deployment_recreates(ns):
    path = ns.apps + "deployments/d"
    ns.deployment("d", 2, strategy={"type": "Recreate"})
    assert ns.until(lambda: ns.status(path).get("availableReplicas") == 2)
    for p in ns.pods():
        ns.merge(f"{ns.core}pods/{p['metadata']['name']}", {"metadata": {"finalizers": ["example.com/held"]}})
    ns.set_image("d", "j")
    assert eventually(lambda: ns.sizes() == {"i": 0})
    time.sleep(0.5)
    assert ns.sizes() == {"i": 0} and len(ns.pods()) == 2, "none comes before all have gone"
    for p in ns.pods():
        ns.merge(f"{ns.core}pods/{p['metadata']['name']}", {"metadata": {"finalizers": None}})
    assert ns.until(lambda: ns.sizes() == {"i": 0, "j": 2} and ns.status(path).get("availableReplicas") == 2)


def test_deployment_that_is_paused(ns):
    path = ns.apps + "deployments/d"
    ns.deployment("d", 2)
    assert ns.until(lambda: ns.status(path).get("availableReplicas") == 2)
    ns.merge(path, {"spec": {"paused": True}})
    assert eventually(lambda: conditions(ns.status(path)).get("Progressing", ("", "", "")) == ("Unknown", "DeploymentPaused", "Deployment is paused"))
    ns.set_image("d", "j")
    ns.merge(path, {"spec": {"replicas": 3}})
    assert eventually(lambda: ns.sizes() == {"i": 3}), "it scales, and does not roll"
    ns.merge(path, {"spec": {"paused": False}})
    assert ns.until(lambda: ns.sizes() == {"i": 0, "j": 3} and conditions(ns.status(path)).get("Progressing", ("", "", ""))[1] == "NewReplicaSetAvailable")


def test_deployment_scales_in_proportion(ns):
    path = ns.apps + "deployments/d"
    ns.deployment("d", 10, strategy={"rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}})
    assert ns.until(lambda: ns.status(path).get("availableReplicas") == 10)
    ns.set_image("d", "broken")
    assert ns.until(lambda: ns.sizes() == {"i": 8, "broken": 5} and ns.status(path).get("replicas") == 13, images=["i"])
    ns.merge(path, {"spec": {"replicas": 30}})
    assert ns.until(lambda: ns.sizes() == {"i": 20, "broken": 13}, images=["i"])
    assert {s["metadata"]["annotations"]["deployment.kubernetes.io/max-replicas"] for s in ns.sets().values()} == {"33"}
    ns.merge(path, {"spec": {"replicas": 12}})
    assert ns.until(lambda: sum(ns.sizes().values()) <= 15, images=["i"]) and ns.sizes() == {"i": 9, "broken": 6}


def test_deployment_that_makes_no_progress(ns):
    path = ns.apps + "deployments/d"
    ns.deployment("d", 1, progressDeadlineSeconds=2)
    name = eventually(lambda: ns.sets().get("i"))["metadata"]["name"]
    assert eventually(lambda: conditions(ns.status(path)).get("Progressing", ("", "", "")) == ("False", "ProgressDeadlineExceeded", f'ReplicaSet "{name}" has timed out progressing.'))
    assert ns.until(lambda: conditions(ns.status(path)).get("Progressing", ("", "", ""))[:2] == ("True", "NewReplicaSetAvailable"))


def test_deployment_keeps_some_of_its_history(ns):
    ns.deployment("d", 1, revisionHistoryLimit=1)
    for image in "i", "j", "k", "l":
        ns.set_image("d", image)
        assert ns.until(lambda: ns.sizes().get(image) == 1 and sum(ns.sizes().values()) == 1 and ns.status(ns.apps + "deployments/d").get("updatedReplicas") == 1)
    assert ns.until(lambda: ns.sizes() == {"k": 0, "l": 1})


def test_deployment_adopts_a_set_of_its_template(ns):
    path = ns.apps + "deployments/d"
    ns.deployment("d", 2)
    assert ns.until(lambda: ns.status(path).get("availableReplicas") == 2)
    name = ns.sets()["i"]["metadata"]["name"]
    pods = [p["metadata"]["uid"] for p in ns.pods()]
    ns.delete(path, propagationPolicy="Orphan")
    assert eventually(lambda: ns.get(path) is None and "ownerReferences" not in ns.sets()["i"]["metadata"])
    uid = ns.deployment("d", 2)["metadata"]["uid"]
    assert eventually(lambda: [o["uid"] for o in ns.sets()["i"]["metadata"].get("ownerReferences", [])] == [uid])
    assert eventually(lambda: ns.status(path).get("availableReplicas") == 2) and ns.sets()["i"]["metadata"]["name"] == name
    assert [p["metadata"]["uid"] for p in ns.pods()] == pods and len(ns.sets()) == 1


def test_deployment_whose_sets_name_is_taken(ns, cluster):
    path = ns.apps + "deployments/d"
    ns.deployment("d", 1)
    name = eventually(lambda: ns.sets().get("i"))["metadata"]["name"]
    ns.delete(path, propagationPolicy="Foreground")
    assert eventually(lambda: ns.get(path) is None and ns.sets() == {})
    ns.replicaset(name, 0, labels={"app": "other"})
    ns.deployment("d", 1)
    assert eventually(lambda: ns.status(path).get("collisionCount") == 1)
    assert ns.until(lambda: ns.status(path).get("availableReplicas") == 1)
    assert ns.get(f"{ns.apps}replicasets/{name}")["spec"]["selector"] == {"matchLabels": {"app": "other"}}


def test_deployment_says_that_pods_cannot_be_made(ns):
    path = ns.apps + "deployments/d"
    ns.make(ns.core + "resourcequotas", "q", {"hard": {"pods": "1"}})
    assert eventually(lambda: ns.status(ns.core + "resourcequotas/q").get("hard"))
    ns.deployment("d", 2)
    assert eventually(lambda: conditions(ns.status(path)).get("ReplicaFailure", ("", ""))[:2] == ("True", "FailedCreate"))


def test_deployment_whose_set_is_refused_says_so(ns):
    """A quota lets it have no ReplicaSet: it has said nothing before, so that there is no condition of its own yet."""
    ns.make(ns.core + "resourcequotas", "none", {"hard": {"count/replicasets.apps": "0"}})
    assert eventually(lambda: ns.status(ns.core + "resourcequotas/none").get("hard") == {"count/replicasets.apps": "0"})
    ns.deployment("d", 1)

    def told():
        return conditions(ns.status(ns.apps + "deployments/d")).get("Progressing")
    status, reason, message = eventually(told)
    assert (status, reason) == ("False", "ReplicaSetCreateError") and "exceeded quota: none" in message and not ns.sets()
    ns.delete(ns.core + "resourcequotas/none")
    assert eventually(lambda: conditions(ns.status(ns.apps + "deployments/d"))["Progressing"][0] == "True")


def test_deployment_goes_with_all_that_it_has(ns):
    ns.deployment("d", 3)
    assert eventually(lambda: len(ns.pods()) == 3)
    ns.delete(ns.apps + "deployments/d", propagationPolicy="Background")
    assert eventually(lambda: ns.pods() == [] and ns.sets() == {})


def test_deployment_that_goes_while_it_rolls_leaves_nothing(ns):
    """Also of pods that were made when their set was gone already."""
    for i in range(12):
        ns.deployment("d", 6)
        assert ns.until(lambda: ns.status(ns.apps + "deployments/d").get("availableReplicas") == 6)
        ns.set_image("d", "j")
        time.sleep(0.002 * i)
        ns.delete(ns.apps + "deployments/d", propagationPolicy="Background")
        assert eventually(lambda: ns.pods() == [] and ns.sets() == {})


def test_deployment_lets_go_where_it_has_most(ns):
    """Pods of all its sets count: they do the same work."""
    for node in "one", "two":
        ns.client.ask("POST", "/api/v1/nodes", {"metadata": {"name": node}})
    ns.deployment("d", 4)
    assert eventually(lambda: len(ns.pods()) == 4)
    pods = ns.pods()
    for p, node in zip(pods, ("one", "one", "one", "two")):
        ns.bind(p, node)
        ns.say(p, since="2026-11-29T08:00:00Z")
    assert eventually(lambda: ns.status(ns.apps + "deployments/d").get("readyReplicas") == 4)
    ns.merge(ns.apps + "deployments/d", {"spec": {"replicas": 2}})
    assert eventually(lambda: sorted(p["spec"]["nodeName"] for p in ns.active()) == ["one", "two"])


# --- PodDisruptionBudgets


def budget(ns):
    status = ns.status(ns.policy + "poddisruptionbudgets/b")
    return tuple(status.get(k) for k in ("expectedPods", "desiredHealthy", "currentHealthy", "disruptionsAllowed"))


@pytest.mark.parametrize("spec, running", [({"minAvailable": 2}, (3, 2, 3, 1)), ({"maxUnavailable": 1}, (3, 2, 3, 1)), ({"minAvailable": "50%"}, (3, 2, 3, 1)), ({"maxUnavailable": "34%"}, (3, 1, 3, 2))])
def test_budget_says_how_many_may_go(ns, spec, running):
    ns.make(ns.policy + "poddisruptionbudgets", "b", {"selector": {"matchLabels": {"app": "a"}}, **spec})
    ns.deployment("d", 3)
    assert eventually(lambda: budget(ns)[:3] == (running[0], running[1], 0) and conditions(ns.status(ns.policy + "poddisruptionbudgets/b"))["DisruptionAllowed"] == ("False", "InsufficientPods", ""))
    assert ns.until(lambda: budget(ns) == running)
    assert conditions(ns.status(ns.policy + "poddisruptionbudgets/b")) == {"DisruptionAllowed": ("True", "SufficientPods", "")}
    pods = ns.pods()
    evict = lambda p: ns.client.ask("POST", f"{ns.core}pods/{p['metadata']['name']}/eviction", {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": p["metadata"]["name"]}})[0]
    for p in pods[:running[3]]:
        assert evict(p) == 201
    assert eventually(lambda: budget(ns)[3] == 0)
    assert evict(pods[2]) == 429
    assert ns.until(lambda: budget(ns) == running), "what takes their place counts"


def test_each_controller_of_a_budget_counts_once(ns):
    """However many there are: 257 that want one pod each, and then one that wants two and has them."""
    sets = [(f"s{i:03}", 1) for i in range(257)] + [("t", 2)]
    for name, size in sets:
        made = ns.make(ns.apps + "statefulsets", name, {"replicas": size, "selector": {"matchLabels": {"app": "a"}}, "serviceName": "s", "template": template()})
        for i in range(size):
            ns.make(ns.core + "pods", f"{name}-{i}", pod_spec(), labels={"app": "a"}, ownerReferences=[
                {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": name, "uid": made["metadata"]["uid"], "controller": True}])
    ns.make(ns.policy + "poddisruptionbudgets", "b", {"selector": {"matchLabels": {"app": "a"}}, "maxUnavailable": 1})
    assert eventually(lambda: budget(ns)[0] == 259), budget(ns)
