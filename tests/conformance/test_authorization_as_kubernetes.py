"""Who may do what, answered by kube-apiserver and by api/rbac: default roles, reviews of every kind, refusals' words, escalation."""
import http.client
import itertools
import json
import os
import ssl
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../integration"), HERE]

import control_plane  # noqa: E402
from support.node import BUILD  # noqa: E402

AUTHORIZE = BUILD + "/tests/conformance/authorize"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
ROLES = ["clusterroles", "clusterrolebindings", "roles", "rolebindings"]

pytestmark = pytest.mark.skipif(not control_plane.available(), reason="Kubernetes' own control plane is not built")


def rule(verbs, groups=None, resources=None, names=None, paths=None):
    parts = {"verbs": verbs, "apiGroups": groups, "resources": resources, "resourceNames": names, "nonResourceURLs": paths}
    return {k: [w if w != "core" else "" for w in v.split()] for k, v in parts.items() if v}


def subject(text):
    kind, name = text.split("/", 1)
    if kind == "ServiceAccount":
        namespace, name = name.split("/")
        return {"kind": kind, "name": name, **({"namespace": namespace} if namespace else {})}
    return {"kind": kind, "name": name, "apiGroup": "rbac.authorization.k8s.io"}


def role(name, *rules, namespace=None):
    kind = "Role" if namespace else "ClusterRole"
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": name, **({"namespace": namespace} if namespace else {})},
            "rules": list(rules)}


def binding(name, ref, *subjects, namespace=None):
    kind = "RoleBinding" if namespace else "ClusterRoleBinding"
    of, target = ref.split("/")
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": name, **({"namespace": namespace} if namespace else {})},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": of, "name": target}, "subjects": [subject(s) for s in subjects]}


OBJECTS = [
    role("logs", rule("get", "core", "*/log"), rule("get list", "core apps", "pods deployments/scale")),
    role("names", rule("get update", "core", "configmaps", "a b")),
    role("paths", rule("get", paths="/metrics /debug/* /a/*/b*")),
    role("everything", rule("*", "*", "*")),
    role("verbs", rule("* get", "core", "secrets"), rule("list", "*", "jobs")),
    role("escalator", rule("create update", "rbac.authorization.k8s.io", "roles rolebindings clusterroles clusterrolebindings"),
         rule("escalate bind", "rbac.authorization.k8s.io", "clusterroles roles", "view everything")),
    role("writer", rule("create update", "rbac.authorization.k8s.io", "roles rolebindings clusterroles clusterrolebindings")),
    role("local", rule("get create", "core", "pods pods/log"), namespace="default"),
    binding("logs", "ClusterRole/logs", "User/jane"),
    binding("names", "ClusterRole/names", "Group/devs", "User/quo\"te"),
    binding("paths", "ClusterRole/paths", "User/jane", "Group/devs"),
    binding("gone", "ClusterRole/no-such-role", "User/lost"),
    binding("gone-too", "ClusterRole/no-such-either", "User/lost"),
    binding("local", "Role/local", "User/jane", "ServiceAccount//robot", "ServiceAccount/other/robot", namespace="default"),
    binding("local-gone", "Role/nothing", "User/lost", namespace="default"),
    binding("local-everything", "ClusterRole/everything", "User/owner", namespace="default"),
    binding("verbs", "ClusterRole/verbs", "User/verbose"),
    binding("viewer", "ClusterRole/view", "User/viewer"),
    binding("editor", "ClusterRole/edit", "Group/editors", namespace="default"),
    binding("escalator", "ClusterRole/escalator", "User/escalator"),
    binding("writer", "ClusterRole/writer", "User/writer", "User/jane", "User/viewer", "User/owner"),
]

SUBJECTS = [("jane", ["devs", "system:authenticated"]), ("quo\"te", []), ("lost", ["system:authenticated"]), ("owner", []), ("verbose", []), ("viewer", []),
            ("", ["editors"]), ("escalator", []), ("root", ["system:masters"]), ("system:anonymous", ["system:unauthenticated"]),
            ("system:serviceaccount:default:robot", ["system:serviceaccounts"]), ("system:serviceaccount:other:robot", []),
            ("system:serviceaccount:kube-system:job-controller", []), ("system:kube-scheduler", []), ("system:kube-controller-manager", []),
            ("system:node:n1", ["system:nodes"]), ("system:node:n2", ["system:nodes"]), ("system:node:n1", []), ("n1", ["system:nodes"]),
            ("system:bootstrap:abcdef", ["system:bootstrappers"])]
VERBS = ["get", "list", "watch", "create", "update", "delete", "*", "impersonate", "bind"]
RESOURCES = [("", "pods", ""), ("", "pods", "log"), ("", "pods", "status"), ("", "pods", "eviction"), ("", "secrets", ""), ("", "configmaps", ""), ("", "nodes", ""),
             ("", "nodes", "status"), ("", "serviceaccounts", "token"), ("", "serviceaccounts", ""), ("", "persistentvolumeclaims", ""),
             ("", "persistentvolumes", ""), ("", "persistentvolumeclaims", "status"), ("", "events", ""), ("apps", "deployments", ""), ("apps", "deployments", "scale"), ("extensions", "deployments", ""), ("batch", "jobs", ""),
             ("coordination.k8s.io", "leases", ""), ("storage.k8s.io", "csinodes", ""), ("storage.k8s.io", "volumeattachments", ""),
             ("resource.k8s.io", "resourceslices", ""), ("resource.k8s.io", "resourceclaims", ""),
             ("rbac.authorization.k8s.io", "clusterroles", ""), ("certificates.k8s.io", "certificatesigningrequests", ""), ("*", "*", "*"), ("no.such", "things", "")]
PLACES = [("", ""), ("default", ""), ("default", "a"), ("", "n1"), ("kube-node-lease", "n1")]
PATHS = ["/", "/healthz", "/version", "/metrics", "/metrics/x", "/debug/", "/debug/pprof", "/a/*/bcd", "/a/x/b", "/api", "/apis/apps", "/openapi/v2", "/.well-known/openid-configuration"]


def node_objects():
    """What gives the node n1 a reason to read; and a pod of n2."""
    def pod(name, node, **spec):
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"},
                "spec": {"nodeName": node, "containers": [{"name": "c", "image": "i", "env": [{"name": "E", "valueFrom": {"secretKeyRef": {"name": "env-" + name, "key": "k"}}}],
                                                            "envFrom": [{"configMapRef": {"name": "from-" + name}}]}],
                         "imagePullSecrets": [{"name": "pull-" + name}],
                         "volumes": [{"name": "s", "secret": {"secretName": "a" if node == "n1" else "b"}}, {"name": "m", "configMap": {"name": "map-" + name}},
                                     {"name": "c", "persistentVolumeClaim": {"claimName": "claim-" + name}},
                                     {"name": "p", "projected": {"sources": [{"secret": {"name": "projected-" + name}}, {"configMap": {"name": "projected-" + name}}]}}], **spec}}
    volume = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "volume"},
              "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "claimRef": {"namespace": "default", "name": "claim-p1"},
                       "csi": {"driver": "d", "volumeHandle": "h", "nodeStageSecretRef": {"name": "stage", "namespace": "default"},
                               "controllerPublishSecretRef": {"name": "publish", "namespace": "default"}}}}
    attachment = {"apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment", "metadata": {"name": "attachment"},
                  "spec": {"attacher": "d", "nodeName": "n1", "source": {"persistentVolumeName": "volume"}}}
    return [("/api/v1/namespaces/default/pods", pod("p1", "n1")), ("/api/v1/namespaces/default/pods", pod("p2", "n2")),
            ("/api/v1/persistentvolumes", volume), ("/apis/storage.k8s.io/v1/volumeattachments", attachment)]


def node_questions():
    names = ["a", "b", "env-p1", "env-p2", "pull-p1", "projected-p1", "projected-p2", "stage", "publish", "map-p1", "map-p2", "from-p1", "claim-p1", "claim-p2", "volume", "attachment",
             "p1", "p2", ""]
    for user, (group, resource), name, verb in itertools.product(
            ["n1", "n2"], [("", "secrets"), ("", "configmaps"), ("", "persistentvolumeclaims"), ("", "persistentvolumes"), ("storage.k8s.io", "volumeattachments"), ("", "pods")],
            names, ["get", "list"]):
        yield spec(f"system:node:{user}", ["system:nodes"], verb, group, resource, "", "default" if group == "" and resource != "persistentvolumes" else "", name)
    for value in ["n1", "n2"]:
        for key, group, resource in [("spec.nodeName", "", "pods"), ("spec.nodeName", "resource.k8s.io", "resourceslices"), ("metadata.name", "", "pods")]:
            s = spec("system:node:n1", ["system:nodes"], "list", group, resource, "", "", "")
            s["resourceAttributes"]["fieldSelector"] = {"requirements": [{"key": key, "operator": "In", "values": [value]}]}
            yield s


def spec(user, groups, verb, group, resource, subresource, namespace, name):
    attributes = {"verb": verb, "group": group, "resource": resource, "subresource": subresource, "namespace": namespace, "name": name}
    return {"user": user, "groups": groups, "resourceAttributes": {k: v for k, v in attributes.items() if v}}


def matrix():
    for (user, groups), verb, (group, resource, subresource), (namespace, name) in itertools.product(SUBJECTS, VERBS, RESOURCES, PLACES):
        yield spec(user, groups, verb, group, resource, subresource, namespace, name)
    for (user, groups), path, verb in itertools.product(SUBJECTS, PATHS, ["get", "post"]):
        yield {"user": user, "groups": groups, "nonResourceAttributes": {"path": path, "verb": verb}}


class Stock:
    """kube-apiserver over one connection."""

    def __init__(self):
        self.plane = control_plane.ControlPlane("Node,RBAC")
        self.connection = http.client.HTTPSConnection("127.0.0.1", self.plane.port, context=ssl._create_unverified_context(), timeout=60)

    def request(self, method, path, body=None, **headers):
        headers = {"Authorization": "Bearer " + control_plane.TOKEN, "Content-Type": "application/json", **headers}
        self.connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read())

    def items(self, resource):
        answer = self.request("GET", f"{RBAC}/{resource}")[1]
        return [{"kind": answer["kind"][:-len("List")], "apiVersion": answer["apiVersion"], **o} for o in answer["items"]]

    def create(self, path, body):
        status, answer = self.request("POST", path, body)
        assert status == 201, answer
        return answer

    def review(self, wanted):
        return self.create("/apis/authorization.k8s.io/v1/subjectaccessreviews", {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": wanted})["status"]

    def impersonate(self, method, path, user, groups=(), body=None):
        self.connection.putrequest(method, path)
        text = json.dumps(body).encode() if body is not None else b""
        for name, value in [("Authorization", "Bearer " + control_plane.TOKEN), ("Content-Type", "application/json"), ("Content-Length", str(len(text))), ("Impersonate-User", user),
                            *[("Impersonate-Group", g) for g in groups]]:
            self.connection.putheader(name, value)
        self.connection.endheaders(text)
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read())


def path_of(thing):
    namespace = thing["metadata"].get("namespace")
    return RBAC + (f"/namespaces/{namespace}" if namespace else "") + "/" + thing["kind"].lower() + "s"


@pytest.fixture(scope="module")
def defaults():
    return json.loads(subprocess.run([AUTHORIZE, "defaults"], check=True, capture_output=True, text=True).stdout)


@pytest.fixture(scope="module")
def stock(defaults):
    """kube-apiserver with the objects of this file, and its aggregated roles filled: no controller of its own does that here."""
    s = Stock()
    try:
        s.fresh = {r: s.items(r) for r in ROLES}
        s.lines = [{"object": o} for r in ROLES for o in s.fresh[r]]
        aggregated = [o for o in s.fresh["clusterroles"] if "aggregationRule" in o]
        answers = ours(s.lines + [{"aggregate": o} for o in sorted(aggregated, key=lambda o: "view edit admin".split().index(o["metadata"]["name"]))])
        s.aggregated = {o["metadata"]["name"]: o for o in answers}
        for o in answers:
            assert s.request("PUT", f"{RBAC}/clusterroles/{o['metadata']['name']}", {**o, "metadata": {"name": o["metadata"]["name"]}})[0] == 200
        for o in OBJECTS:
            s.create(path_of(o), o)
        for path, o in node_objects():
            s.create(path, o)
        s.lines += [{"object": o} for o in answers + OBJECTS + [o for _, o in node_objects()]]
        s.impersonate("GET", "/api", "settles", ["system:authenticated"])
        yield s
    finally:
        s.plane.stop()


def ours(lines):
    text = "".join(json.dumps(line) + "\n" for line in lines)
    out = subprocess.run([AUTHORIZE], input=text, check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def bare(thing):
    """Without what the server adds."""
    meta = {k: v for k, v in thing["metadata"].items() if k not in ("uid", "resourceVersion", "creationTimestamp", "managedFields", "generation")}
    return {**thing, "metadata": meta}


@pytest.mark.parametrize("resource", ROLES)
def test_default_roles_and_bindings(stock, defaults, resource):
    key = lambda o: (o["metadata"].get("namespace", ""), o["metadata"]["name"])  # noqa: E731
    theirs, own = sorted(stock.fresh[resource], key=key), sorted(defaults[resource], key=key)
    # What comes with metrics-server there, and what lets an agent be its node's kube-proxy.
    own = [o for o in own if o["metadata"]["name"] not in ("system:aggregated-metrics-reader", "nacelle:node-proxier")]
    assert [key(o) for o in own] == [key(o) for o in theirs]
    for a, b in zip(own, theirs):
        assert bare(a) == bare(b)


def test_aggregated_roles_hold_each_other(stock):
    rules = {name: {json.dumps(r, sort_keys=True) for r in o["rules"]} for name, o in stock.aggregated.items()}
    assert rules["view"] < rules["edit"] < rules["admin"] and len(rules["view"]) > 8


def compare(stock, questions):
    questions = list(questions)
    answers = ours(stock.lines + [{"spec": q} for q in questions])
    wrong = []
    for question, own in zip(questions, answers):
        theirs = stock.review(question)
        if alike(own, theirs):
            continue
        wrong.append(f"{json.dumps(question)}\n   ours:   {own}\n   theirs: {theirs}")
    assert not wrong, f"{len(wrong)} of {len(questions)} differ:\n" + "\n".join(wrong[:20])
    return answers


def alike(own, theirs):
    """Where several bindings allow the same, which one is told is chance there."""
    if own.get("allowed") and theirs.get("allowed"):
        return own.get("reason", "").split()[:3] == theirs.get("reason", "").split()[:3] or ("allowed by" in own["reason"] and "allowed by" in theirs["reason"])
    parts = [sorted(a.get("reason", "").replace("[", "").replace("]", "").replace("RBAC: ", "").split(", ")) for a in (own, theirs)]
    return own["allowed"] == theirs["allowed"] and own.get("denied") == theirs.get("denied") and parts[0] == parts[1]


def test_matrix(stock):
    answers = compare(stock, itertools.islice(matrix(), 0, None, 11))
    assert sum(a["allowed"] for a in answers) > 100 and sum(not a["allowed"] for a in answers) > 1000


def test_nodes(stock):
    answers = compare(stock, node_questions())
    assert sum(a["allowed"] for a in answers) > 20


def test_reasons_word_by_word(stock):
    """Where one binding alone allows."""
    questions = [spec("jane", [], "get", "", "pods", "log", "other", ""), spec("jane", [], "create", "", "pods", "", "default", ""),
                 spec("system:serviceaccount:default:robot", [], "get", "", "pods", "", "default", "x"), spec("system:serviceaccount:other:robot", [], "get", "", "pods", "", "default", "x"),
                 spec("x", ["devs"], "update", "", "configmaps", "", "d", "b"), spec("quo\"te", [], "get", "", "configmaps", "", "d", "a"),
                 spec("lost", [], "get", "", "pods", "", "", ""), spec("nobody", [], "get", "", "pods", "", "", ""), spec("root", ["system:masters"], "get", "", "pods", "", "", "")]
    for question, own in zip(questions, ours(stock.lines + [{"spec": q} for q in questions])):
        theirs = stock.review(question)
        assert own["allowed"] == theirs["allowed"]
        assert alike(own, theirs) and (not own["allowed"] or own.get("reason", "") == theirs.get("reason", "")), (question, own, theirs)


def test_refusals_word_by_word(stock):
    cases = [("GET", "/api/v1/namespaces/default/secrets/x", spec("jane", [], "get", "", "secrets", "", "default", "x")),
             ("GET", "/api/v1/nodes", spec("quo\"te", [], "list", "", "nodes", "", "", "")),
             ("GET", "/api/v1/namespaces/default/pods/x/log", spec("nobody", [], "get", "", "pods", "log", "default", "x")),
             ("DELETE", "/apis/apps/v1/namespaces/a/deployments", spec("jane", [], "deletecollection", "apps", "deployments", "", "a", "")),
             ("GET", "/apis/apps/v1/namespaces/a/deployments/x/scale", spec("nobody", [], "get", "apps", "deployments", "scale", "a", "x")),
             ("GET", "/api/v1/pods?watch=1", spec("j\u00f6rg\\", [], "watch", "", "pods", "", "", "")),
             ("GET", "/metrics", {"user": "nobody", "nonResourceAttributes": {"path": "/metrics", "verb": "get"}}),
             ("GET", "/api/v1/pods", spec("lost", [], "list", "", "pods", "", "", "")),
             ("GET", "/api/v1/namespaces/default/secrets/b", spec("system:node:n1", ["system:nodes"], "get", "", "secrets", "", "default", "b")),
             ("GET", "/api/v1/nodes/n2", spec("system:node:n1", ["system:nodes"], "get", "", "nodes", "", "", "n2"))]
    for (method, path, wanted), own in zip(cases, ours(stock.lines + [{"forbidden": c[2]} for c in cases])):
        status, answer = stock.impersonate(method, path, wanted["user"].encode() if not wanted["user"].isascii() else wanted["user"], wanted.get("groups", []))
        assert status == 403
        sort = lambda text: sorted(text.replace("[", "").replace("]", "").split(", "))  # noqa: E731
        assert own == answer["message"] or ("not found" in own and len(own) == len(answer["message"]) and sort(own)[1:-1] == sort(answer["message"])[1:-1]), (own, answer["message"])


def test_escalation(stock):
    all_of_pods = rule("get list watch", "core", "pods")
    cases = [("jane", ["devs"], role("r1", all_of_pods)), ("jane", [], role("r1", rule("get list", "core", "pods"), rule("get", paths="/metrics /healthz /debug/x"))),
             ("jane", ["devs"], role("r2", rule("get delete", "core", "pods/log secrets"), rule("get", "core", "configmaps", "a c"), namespace="default")),
             ("viewer", [], role("r3", rule("get list watch", "core apps", "pods deployments"))), ("viewer", [], role("r3", rule("*", "core", "pods"))), ("owner", [], role("r4", rule("*", "core batch", "pods jobs"), namespace="default")),
             ("owner", [], role("r4", rule("*", "core", "pods"))), ("escalator", [], role("view", rule("*", "*", "*"))), ("escalator", [], role("r5", rule("*", "*", "*"), rule("*", paths="*"))),
             ("root", ["system:masters"], role("r6", rule("*", "*", "*"))),
             ("viewer", [], binding("b1", "ClusterRole/view", "User/x")), ("writer", [], binding("b2", "ClusterRole/logs", "User/x")), ("jane", [], binding("b3", "ClusterRole/logs", "User/x")),
             ("escalator", [], binding("b4", "ClusterRole/everything", "User/x")), ("jane", [], binding("b5", "Role/local", "User/x", namespace="default")), ("writer", [], binding("b5", "Role/local", "User/x", namespace="default")),
             ("writer", [], binding("b6", "ClusterRole/no-such-role", "User/x")), ("writer", [], binding("b7", "Role/missing", "User/x", namespace="default"))]
    # Impersonation adds system:authenticated to the groups that it is told.
    answers = ours(stock.lines + [{"write": thing, "user": user, "groups": [*groups, "system:authenticated"]} for user, groups, thing in cases])
    refused = 0
    for (user, groups, thing), own in zip(cases, answers):
        status, answer = stock.impersonate("POST", path_of(thing) + "?dryRun=All", user, groups, thing)
        message = answer["message"] if status in (403, 404) else ""
        assert (own == "") == (message == ""), (user, thing, own, answer)
        assert message.endswith(own), (user, thing, own, message)
        refused += message != ""
    assert refused > 6


def test_reviews_that_ask_nothing(stock):
    cases = [{"user": "a"}, {"user": "a", "resourceAttributes": {"verb": "get"}, "nonResourceAttributes": {"path": "/", "verb": "get"}}, {"resourceAttributes": {"verb": "get"}}]
    for wanted, own in zip(cases, ours([{"spec": c} for c in cases])):
        status, answer = stock.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": wanted})
        assert status == 422 and answer["message"].endswith(own.split(": ", 1)[1]), (own, answer)
        assert own in answer["message"], (own, answer["message"])
