"""The scheduler beside kube-scheduler: the same nodes and pods, made by chance, in two services of which one has kube-scheduler for its scheduler. What fits
nowhere does so for the same reasons, word for word; what fits gets a node that both would give it.

SCHEDULER_SEED, SCHEDULER_PODS: another or a longer run."""
import os
import random
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../integration")
import test_scheduler as t  # noqa: E402
from support.api import PEERS, Api  # noqa: E402
from support.node import wait_for  # noqa: E402

PROGRAM = f"{PEERS}/kube-scheduler"
SEED, COUNT = int(os.environ.get("SCHEDULER_SEED", "1")), int(os.environ.get("SCHEDULER_PODS", "150"))
HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
CLASSES = {"low": (10, "PreemptLowerPriority"), "mid": (100, "PreemptLowerPriority"), "high": (1000, "PreemptLowerPriority"), "mild": (500, "Never")}
CLAIMS = "/api/v1/namespaces/default/persistentvolumeclaims"
SERVICES = "/api/v1/namespaces/default/services"
OWNERS = {"x": ("apps/v1", "ReplicaSet", "/apis/apps/v1/namespaces/default/replicasets"), "y": ("apps/v1", "StatefulSet", "/apis/apps/v1/namespaces/default/statefulsets"),
          "z": ("v1", "ReplicationController", "/api/v1/namespaces/default/replicationcontrollers")}
DRAWS = 24  # of equals any may be taken: so often a pod is made anew before two choices count as different

pytestmark = pytest.mark.skipif(not os.path.exists(PROGRAM), reason="no kube-scheduler")


class Maker:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def maybe(self, chance):
        return self.r.random() < chance

    def app(self):
        return self.r.choice("xyz")

    def nodes(self):
        made, sizes = [], [self.r.choice([50, 400, 900]) * 1000000 for _ in range(3)]
        for i in range(self.r.randint(3, 9)):
            labels = {"disk": self.r.choice(["ssd", "hdd"])} if self.maybe(0.7) else {}
            if self.maybe(0.8):
                labels[ZONE] = self.r.choice(["z1", "z2", "z3"])
            spec = {}
            if self.maybe(0.3):
                spec["taints"] = [{"key": "k", "value": self.r.choice(["v", ""]), "effect": self.r.choice(["NoSchedule", "NoExecute", "PreferNoSchedule"])}]
            if self.maybe(0.1):
                spec["unschedulable"] = True
            more = {"example.com/gpu": "2"} if self.maybe(0.3) else {}
            images = [{"names": [f"i{n}:latest"], "sizeBytes": sizes[n]} for n in range(3) if self.maybe(0.4)]
            made.append((f"n{i}", labels, spec, images, dict(cpu=self.r.choice(["1", "2", "4"]), memory=self.r.choice(["1Gi", "4Gi"]), pods=self.r.choice(["4", "110"]), **more)))
        return made

    def selector(self):
        return {"labelSelector": {"matchLabels": {"app": self.app()}} if self.maybe(0.8) else {"matchExpressions": [
            {"key": "app", "operator": self.r.choice(["In", "NotIn"]), "values": ["x", "y"]}]}}

    def term(self):
        term = {**self.selector(), "topologyKey": self.r.choice([HOST, ZONE])}
        if self.maybe(0.2):
            term["namespaceSelector"] = {}
        return term

    def terms(self):
        if self.maybe(0.5):
            return {"requiredDuringSchedulingIgnoredDuringExecution": [self.term() for _ in range(self.r.randint(1, 2))]}
        return {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": self.r.randint(1, 100), "podAffinityTerm": self.term()} for _ in range(2)]}

    def expression(self):
        op = self.r.choice(["In", "NotIn", "Exists", "DoesNotExist"])
        return {"key": "disk", "operator": op, **({"values": [self.r.choice(["ssd", "hdd"])]} if op in ("In", "NotIn") else {})}

    def node_affinity(self):
        if self.maybe(0.1):
            return {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [f"n{self.r.randint(0, 9)}"]}]} for _ in range(self.r.randint(1, 2))]}}
        if self.maybe(0.5):
            return {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [self.expression()]} for _ in range(self.r.randint(1, 2))]}}
        return {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": self.r.randint(1, 100), "preference": {"matchExpressions": [self.expression()]}}]}

    def affinity(self):
        made = {}
        for kind, make in ("nodeAffinity", self.node_affinity), ("podAffinity", self.terms), ("podAntiAffinity", self.terms):
            if self.maybe(0.25):
                made[kind] = make()
        return made

    def spread(self):
        made = {"maxSkew": self.r.randint(1, 2), "topologyKey": self.r.choice([HOST, ZONE]), "whenUnsatisfiable": self.r.choice(["DoNotSchedule", "ScheduleAnyway"]),
                **self.selector()}
        if made["whenUnsatisfiable"] == "DoNotSchedule" and self.maybe(0.2):
            made["minDomains"] = self.r.randint(1, 4)
        for policy in "nodeAffinityPolicy", "nodeTaintsPolicy":
            if self.maybe(0.2):
                made[policy] = self.r.choice(["Honor", "Ignore"])
        return made

    def container(self, name):
        requests = {}
        if self.maybe(0.7):
            requests["cpu"] = self.r.choice(["100m", "500m", "1", "3"])
        if self.maybe(0.6):
            requests["memory"] = self.r.choice(["64Mi", "512Mi", "2Gi"])
        if self.maybe(0.1):
            requests["example.com/gpu"] = "1"
        made = {"name": name, "image": f"i{self.r.randint(0, 5)}", "resources": {"requests": requests, "limits": {k: v for k, v in requests.items() if "/" in k}}}
        if self.maybe(0.2):
            made["ports"] = [{"containerPort": 80, "hostPort": self.r.choice([8080, 8081]), "protocol": self.r.choice(["TCP", "UDP"])}]
        return made

    def pod(self, name, node=None):
        spec = {"containers": [self.container("c")], "terminationGracePeriodSeconds": 0}
        if self.maybe(0.2):
            spec["initContainers"] = [dict(self.container("i"), **({"restartPolicy": "Always"} if self.maybe(0.5) else {}))]
        if self.maybe(0.3):
            spec["tolerations"] = [self.r.choice([{"key": "k", "operator": "Exists"}, {"key": "k", "value": "v"}, {"operator": "Exists"},
                                                  {"key": "k", "operator": "Exists", "effect": "NoSchedule"}])]
        if self.maybe(0.2):
            spec["nodeSelector"] = {"disk": self.r.choice(["ssd", "hdd"])}
        if self.maybe(0.6):
            spec["affinity"] = self.affinity()
        if self.maybe(0.3):
            keys, spec["topologySpreadConstraints"] = set(), []
            for c in (self.spread(), self.spread()):
                if (key := (c["topologyKey"], c["whenUnsatisfiable"])) not in keys:
                    keys.add(key)
                    spec["topologySpreadConstraints"].append(c)
        if self.maybe(0.4):
            spec["priorityClassName"] = self.r.choice(list(CLASSES))
        if self.maybe(0.05):
            spec["volumes"] = [{"name": "v", "persistentVolumeClaim": {"claimName": self.r.choice(["absent", "waits"])}}]
        if node:
            spec["nodeName"] = node
        return {"metadata": {"name": name, **self.kin()}, "spec": spec}

    def kin(self):
        """Its labels, and, at times, what owns it: by these it is spread where it does not say how."""
        if not self.maybe(0.8):
            return {"labels": {}}
        app = self.app()
        version, kind = OWNERS[app][:2]
        owner = {"apiVersion": version, "kind": kind, "name": f"owner-{app}", "uid": "u", "controller": True}
        return {"labels": {"app": app, "tier": self.r.choice("12")}, **({"ownerReferences": [owner]} if self.maybe(0.4) else {})}

    def services(self):
        return [(f"s{i}", {"app": self.app()} if self.maybe(0.7) else {"tier": self.r.choice("12")}) for i in range(2) if self.maybe(0.5)]


def make_there(client, pod, i):
    """Of pods that are as important the one that began last goes first: they begin one after the other."""
    t.make(client, t.PODS, pod)
    assert client.ask("PATCH", f"{t.PODS}/{pod['metadata']['name']}/status", {"status": {"startTime": f"2026-01-01T00:00:{i:02}Z"}}, **t.MERGE)[0] == 200


def attempt(client, pod, there):
    """(node, words why none, those that had to go for it); what has gone is made anew."""
    t.make(client, t.PODS, pod)
    path = f"{t.PODS}/{pod['metadata']['name']}"

    def outcome():
        found = t.get(client, path)
        if found["spec"].get("nodeName"):
            return found["spec"]["nodeName"], None
        c = t.condition(found)
        return (None, f"{c['reason']}: {c['message']}") if c and not found["status"].get("nominatedNodeName") else None
    try:
        node, words = wait_for("outcome", outcome, timeout=5, interval=0.005)
    except AssertionError:
        found = t.get(client, path)
        # kube-scheduler at times does not hear of it when the last of those has gone that a pod with host ports waits for, and tries it again after 5 minutes
        if client.whose == "ours" or not found["status"].get("nominatedNodeName"):
            raise AssertionError(f"{client.whose}: {found}") from None
        node, words = found["status"]["nominatedNodeName"], None
    status, answer = client.ask("DELETE", path, {"gracePeriodSeconds": 0})
    assert status == 200, answer
    left = {p["metadata"]["name"] for p in t.get(client, t.PODS)["items"]}
    gone = [i for i, p in enumerate(there) if p["metadata"]["name"] not in left]
    for i in gone:
        make_there(client, there[i], i)
    return node, words, tuple(gone)


def agree(ours, theirs, pod, there):
    """What the two did, and whether it is the same; of different nodes, whether one of several that are equal was taken."""
    a, b = attempt(ours, pod, there), attempt(theirs, pod, there)
    chosen, other = {a}, {b}
    for _ in range(DRAWS):
        if a == b or a[1] or b[1] or chosen & other:
            break
        chosen.add(attempt(ours, pod, there))
        other.add(attempt(theirs, pod, there))
    return a == b or bool(not a[1] and not b[1] and chosen & other), a, b, chosen, other


def prepare(api):
    client = api.client()
    wait_for("account", lambda: client.ask("GET", "/api/v1/namespaces/default/serviceaccounts/default")[0] == 200)
    for name, (value, policy) in CLASSES.items():
        t.make(client, "/apis/scheduling.k8s.io/v1/priorityclasses", {"metadata": {"name": name}, "value": value, "preemptionPolicy": policy})
    t.make(client, CLAIMS, {"metadata": {"name": "waits"}, "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "", "resources": {"requests": {"storage": "1Gi"}}}})


    for app, (_, kind, path) in OWNERS.items():
        labels = {"app": app}
        spec = {"replicas": 0, "selector": labels if kind == "ReplicationController" else {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}
        t.make(client, path, {"metadata": {"name": f"owner-{app}"}, "spec": {**spec, **({"serviceName": "s"} if kind == "StatefulSet" else {})}})


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    ours, theirs = Api(controllers=t.CONTROLLERS, scheduler=True).start(), Api(controllers=t.CONTROLLERS).start()
    with open(tmp_path_factory.mktemp("scheduler") / "log", "wb") as log:
        program = subprocess.Popen([PROGRAM, f"--kubeconfig={theirs.kubeconfig}", "--leader-elect=false", "--secure-port=0"], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        for a in ours, theirs:
            prepare(a)
        yield ours, theirs
    finally:
        program.terminate()
        program.wait(20)
        ours.stop()
        theirs.stop()


@pytest.mark.parametrize("round", range(max(1, COUNT // 30)))
def test_as_kube_scheduler(both, round):
    maker = Maker(SEED * 1000 + round)
    ours, theirs = (a.client() for a in both)
    ours.whose, theirs.whose = "ours", "kube-scheduler's"
    nodes = maker.nodes()
    there = [maker.pod(f"there-{i}", maker.r.choice(nodes)[0]) for i in range(maker.r.randint(0, 8))]
    services = maker.services()
    failures, placed = [], 0
    try:
        for client in ours, theirs:
            for name, labels, spec, images, allocatable in nodes:
                t.node(client, name, labels, spec, **allocatable)
                assert client.ask("PATCH", f"{t.NODES}/{name}/status", {"status": {"images": images}}, **t.MERGE)[0] == 200
            for name, selector in services:
                t.make(client, SERVICES, {"metadata": {"name": name}, "spec": {"clusterIP": "None", "selector": selector}})
            for i, pod in enumerate(there):
                make_there(client, pod, i)
        for i in range(30):
            pod = maker.pod(f"new-{i}")
            same, a, b, chosen, other = agree(ours, theirs, pod, there)
            placed += a[1] is None
            if not same:
                failures.append((pod["spec"], pod["metadata"].get("labels"), a, b, chosen, other))
        assert not failures, f"{len(failures)} of 30; the first:\nspec {failures[0][0]}\nlabels {failures[0][1]}\nours {failures[0][2]} {failures[0][4]}\ntheirs {failures[0][3]} {failures[0][5]}\nnodes {nodes}\nthere {there} services {services}"
    finally:
        for client in ours, theirs:
            for name, _ in services:
                client.ask("DELETE", f"{SERVICES}/{name}")
            t.clear(client)
