"""What kube-controller-manager says is used of quotas, and what our controller says."""
import os
import sys


HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../integration"), HERE]

import test_controllers as t  # noqa: E402
import test_controllers_as_kubernetes as k  # noqa: E402
from support.api import Api  # noqa: E402

pytestmark = k.pytestmark

AMOUNTS = {"requests": {"cpu": "1500m", "memory": "1.5Gi", "ephemeral-storage": "1G", "example.com/gpu": "2"},
           "limits": {"cpu": "2", "memory": "2Gi", "example.com/gpu": "2"}}
CONTAINER = {"name": "c", "image": "i"}
PODS = {
    "usual": {"containers": [{**CONTAINER, "resources": AMOUNTS}]},
    "two": {"containers": [{**CONTAINER, "resources": {"requests": {"cpu": "100m"}}}, {**CONTAINER, "name": "d", "resources": {"limits": {"memory": "100M"}}}]},
    "initial": {"containers": [{**CONTAINER, "resources": {"requests": {"cpu": "100m"}}}],
                "initContainers": [{**CONTAINER, "name": "i", "resources": {"requests": {"cpu": "3"}}},
                                   {**CONTAINER, "name": "s", "restartPolicy": "Always", "resources": {"requests": {"cpu": "1", "memory": "0.1"}}}]},
    "ends": {"containers": [CONTAINER], "activeDeadlineSeconds": 600},
    "best": {"containers": [CONTAINER]},
    "critical": {"containers": [CONTAINER], "priorityClassName": "system-node-critical"},
    "apart": {"containers": [CONTAINER], "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"topologyKey": "a", "namespaces": ["b"], "labelSelector": {}}]}}},
    "failed": {"containers": [{**CONTAINER, "resources": AMOUNTS}]},
}
OTHERS = [
    ("services", {"metadata": {"name": "node"}, "spec": {"type": "NodePort", "ports": [{"port": 1, "name": "a"}, {"port": 2, "name": "b"}]}}),
    ("services", {"metadata": {"name": "balancer"}, "spec": {"type": "LoadBalancer", "ports": [{"port": 1}]}}),
    ("services", {"metadata": {"name": "bare"}, "spec": {"type": "LoadBalancer", "ports": [{"port": 1}], "allocateLoadBalancerNodePorts": False}}),
    ("services", {"metadata": {"name": "s"}, "spec": {"clusterIP": "None"}}),
    ("persistentvolumeclaims", {"metadata": {"name": "gold"}, "spec": {"storageClassName": "gold", "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1.5Gi"}}}}),
    ("persistentvolumeclaims", {"metadata": {"name": "none"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "3G"}}}}),
    ("secrets", {"metadata": {"name": "s"}}),
    ("replicationcontrollers", {"metadata": {"name": "r"}, "spec": {"selector": {"a": "b"}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [CONTAINER]}}}}),
]
NAMES = ("pods cpu memory requests.cpu requests.memory limits.cpu limits.memory requests.ephemeral-storage ephemeral-storage limits.ephemeral-storage "
         "requests.example.com/gpu hugepages-2Mi requests.hugepages-2Mi services services.nodeports services.loadbalancers persistentvolumeclaims requests.storage "
         "gold.storageclass.storage.k8s.io/requests.storage gold.storageclass.storage.k8s.io/persistentvolumeclaims secrets configmaps replicationcontrollers "
         "resourcequotas count/pods count/services count/secrets count/events count/replicasets.apps count/deployments.apps count/replicasets count/moons.example.com "
         "count/leases.coordination.k8s.io count/serviceaccounts count/resourcequotas count/resourceclaims.resource.k8s.io "
         "gpu.deviceclass.resource.k8s.io/devices").split()
SCOPES = {
    "best": {"hard": {"pods": "100"}, "scopes": ["BestEffort"]},
    "not-best": {"hard": {"pods": "100", "cpu": "100"}, "scopes": ["NotBestEffort"]},
    "ends": {"hard": {"pods": "100"}, "scopes": ["Terminating"]},
    "goes-on": {"hard": {"pods": "100", "limits.memory": "100Gi"}, "scopes": ["NotTerminating", "NotBestEffort"]},
    "crossing": {"hard": {"pods": "100"}, "scopes": ["CrossNamespacePodAffinity"]},
    **{f"class-{operator.lower()}": {"hard": {"pods": "100"}, "scopeSelector": {"matchExpressions": [
        {"scopeName": "PriorityClass", "operator": operator, **({"values": ["system-node-critical"]} if "In" in operator else {})}]}}
       for operator in ("In", "NotIn", "Exists", "DoesNotExist")},
    "all": {"hard": {n: "100" for n in NAMES}},  # the last: it counts the others
}


def scenario(client, directory):
    path = t.namespace(client, "q")
    said = {}
    assert t.eventually(lambda: t.get(client, path + "/serviceaccounts/default") and t.get(client, path + "/configmaps/kube-root-ca.crt"))
    for name, spec in PODS.items():
        t.make(client, path + "/pods", {"metadata": {"name": name}, "spec": spec})
    assert client.ask("PATCH", path + "/pods/failed/status", {"status": {"phase": "Failed"}}, **t.MERGE)[0] == 200
    for resource, body in OTHERS:
        t.make(client, f"{path}/{resource}", body)
    quotas = path + "/resourcequotas"
    for name, spec in SCOPES.items():
        t.make(client, quotas, {"metadata": {"name": name}, "spec": spec})

    def look(step):
        said[step] = {name: {k: v for k, v in t.get(client, f"{quotas}/{name}")["status"].items()} for name in SCOPES}

    def count(name, amount):
        return t.used(client, path, name).get(amount)

    assert t.eventually(lambda: all((t.used(client, path, n) or {}).get("pods") for n in SCOPES))
    look("made")
    for gone in "pods/usual", "pods/critical", "pods/ends", "pods/best", "services/node", "persistentvolumeclaims/gold", "secrets/s":
        assert client.ask("DELETE", f"{path}/{gone}", {"gracePeriodSeconds": 0})[0] == 200
    assert client.ask("DELETE", f"{path}/replicationcontrollers/r", {"propagationPolicy": "Background"})[0] == 200
    wanted = {"pods": "3", "secrets": "0", "services": "3", "persistentvolumeclaims": "1", "replicationcontrollers": "0"}
    assert t.eventually(lambda: {n: count("all", n) for n in wanted} == wanted and count("best", "pods") == "1" and count("class-in", "pods") == "0"), \
        (t.used(client, path, "all"), count("best", "pods"), count("class-in", "pods"))
    look("gone")
    assert client.ask("PATCH", quotas + "/best", {"spec": {"hard": {"pods": "7", "count/pods": "7", "cpu": "1"}}}, **t.MERGE)[0] in (200, 422)
    assert client.ask("PATCH", quotas + "/all", {"spec": {"hard": {n: None for n in NAMES[2:]}}}, **t.MERGE)[0] == 200
    assert t.eventually(lambda: sorted(t.used(client, path, "all")) == ["cpu", "pods"])
    look("fewer")
    return said


def test_as_kube_controller_manager(tmp_path):
    controllers = k.CONTROLLERS + ",resourcequota-controller,persistentvolumeclaim-protection-controller"
    api = Api(controllers=controllers).start()
    try:
        ours = scenario(api.client(), tmp_path)
        theirs = k.theirs(api, tmp_path, controllers, scenario)
        assert ours == theirs
    finally:
        api.stop()
