"""Tables and selectors beside Kubernetes': its own libraries over generated objects, and kube-apiserver's answers byte by byte."""
import datetime
import json
import os
import pathlib
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

import control_plane

ROOT = pathlib.Path(__file__).resolve().parents[2]
PEERS = os.environ.get("PEERS", os.path.expanduser("~/.cache/nacelle-peers"))
OURS = ROOT / os.environ.get("BUILD", "build") / "tests/conformance/print_objects"
CASES = ROOT / "tests/conformance/kube_print"
COUNT = 2000
TABLE = "application/json;as=Table;v={version};g=meta.k8s.io"

TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}, {"name": "d", "image": "j"}]}}
SELECTOR = {"matchLabels": {"a": "b"}}

# (path, object, status or None)
OBJECTS = [
    ("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "a", "labels": {"k": "v"}}, "data": {"x": "<&>", "y": "2"}, "binaryData": {"z": "YQ=="}}, None),
    ("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "b"}}, None),
    ("/api/v1/namespaces/default/secrets", {"metadata": {"name": "s"}, "stringData": {"x": "1"}}, None),
    ("/api/v1/namespaces/default/pods", {"metadata": {"name": "p"}} | {"spec": TEMPLATE["spec"] | {"readinessGates": [{"conditionType": "x/y"}]}},
     {"phase": "Running", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}], "conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": [
         {"name": "c", "image": "i", "imageID": "", "ready": True, "restartCount": 3, "state": {"running": {"startedAt": "2020-01-01T00:00:00Z"}},
          "lastState": {"terminated": {"exitCode": 1, "finishedAt": "2020-01-01T00:00:00Z"}}}]}),
    ("/api/v1/namespaces/default/pods", {"metadata": {"name": "q"}, "spec": TEMPLATE["spec"]}, {"phase": "Failed", "reason": "Evicted"}),
    ("/api/v1/namespaces/default/services", {"metadata": {"name": "l"}, "spec": {"type": "LoadBalancer", "selector": {"a": "b", "a.b": "c"}, "ports": [
        {"port": 80, "name": "h"}, {"port": 53, "protocol": "UDP", "name": "d"}]}}, {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}),
    ("/api/v1/nodes", {"metadata": {"name": "n", "labels": {"node-role.kubernetes.io/worker": ""}}, "spec": {"unschedulable": True}},
     {"conditions": [{"type": "Ready", "status": "True"}], "nodeInfo": {k: "x" for k in (
         "machineID", "systemUUID", "bootID", "kernelVersion", "osImage", "containerRuntimeVersion", "kubeletVersion", "kubeProxyVersion",
         "operatingSystem", "architecture")}, "addresses": [{"type": "InternalIP", "address": "10.1.1.1"}]}),
    ("/api/v1/namespaces/default/events", {"metadata": {"name": "e"}, "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"}, "reason": "R",
                                           "message": " m\n", "type": "Normal", "firstTimestamp": "2020-01-01T00:00:00Z", "count": 2}, None),
    ("/apis/events.k8s.io/v1/namespaces/default/events", {
        "metadata": {"name": "f"}, "regarding": {"kind": "Pod", "name": "p", "namespace": "default"}, "reason": "R", "note": "n", "type": "Warning", "action": "A",
        "eventTime": "2020-01-01T00:00:00.000001Z", "reportingController": "x.y/z", "reportingInstance": "i"}, None),
    ("/api/v1/namespaces/default/limitranges", {"metadata": {"name": "l"}, "spec": {"limits": []}}, None),
    ("/api/v1/namespaces/default/resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": {"configmaps": "100", "limits.cpu": "2"}}},
     {"hard": {"configmaps": "100", "limits.cpu": "2"}, "used": {"configmaps": "3"}}),
    ("/api/v1/persistentvolumes", {"metadata": {"name": "v"}, "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteMany", "ReadWriteOnce"],
                                                                       "hostPath": {"path": "/x"}}}, {"phase": "Available"}),
    ("/api/v1/namespaces/default/persistentvolumeclaims", {"metadata": {"name": "c"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "storageClassName": "s", "volumeName": "v", "resources": {"requests": {"storage": "1Gi"}}}},
     {"phase": "Bound", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"]}),
    ("/apis/apps/v1/namespaces/default/deployments", {"metadata": {"name": "d"}, "spec": {"replicas": 3, "selector": SELECTOR, "template": TEMPLATE}},
     {"replicas": 3, "readyReplicas": 1, "updatedReplicas": 2, "availableReplicas": 1}),
    ("/apis/apps/v1/namespaces/default/statefulsets", {"metadata": {"name": "d"}, "spec": {"selector": SELECTOR, "serviceName": "", "template": TEMPLATE}}, None),
    ("/apis/apps/v1/namespaces/default/daemonsets", {"metadata": {"name": "d"}, "spec": {"selector": SELECTOR, "template": TEMPLATE}}, None),
    ("/apis/batch/v1/namespaces/default/jobs", {"metadata": {"name": "j"}, "spec": {"template": {"spec": TEMPLATE["spec"] | {"restartPolicy": "Never"}}}}, None),
    ("/apis/batch/v1/namespaces/default/cronjobs", {"metadata": {"name": "j"}, "spec": {"schedule": "* * * * *", "timeZone": "Europe/Berlin", "jobTemplate": {
        "spec": {"template": {"spec": TEMPLATE["spec"] | {"restartPolicy": "Never"}}}}}}, None),
    ("/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers", {"metadata": {"name": "h"}, "spec": {
        "maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}, "metrics": [
            {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}},
            {"type": "Resource", "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}}},
            {"type": "Pods", "pods": {"metric": {"name": "m"}, "target": {"type": "AverageValue", "averageValue": "1500m"}}}]}}, None),
    ("/apis/networking.k8s.io/v1/namespaces/default/ingresses", {"metadata": {"name": "i"}, "spec": {"rules": [{"host": f"h{i}.x"} for i in range(5)],
                                                                                                     "tls": [{"hosts": ["h.x"]}]}}, None),
    ("/apis/networking.k8s.io/v1/namespaces/default/networkpolicies", {"metadata": {"name": "n"}, "spec": {"podSelector": {
        "matchExpressions": [{"key": "a", "operator": "In", "values": ["y", "x"]}]}}}, None),
    ("/apis/networking.k8s.io/v1/ingressclasses", {"metadata": {"name": "i", "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}},
                                                   "spec": {"controller": "a.b/c"}}, None),
    ("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", {"metadata": {"name": "s"}, "addressType": "IPv4", "ports": [{"port": 80, "name": "h"}],
                                                                     "endpoints": [{"addresses": ["10.0.0.1"]}]}, None),
    ("/apis/policy/v1/namespaces/default/poddisruptionbudgets", {"metadata": {"name": "p"}, "spec": {"minAvailable": "50%", "selector": SELECTOR}}, None),
    ("/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings", {"metadata": {"name": "r"}, "roleRef": {
        "kind": "Role", "name": "x", "apiGroup": "rbac.authorization.k8s.io"}, "subjects": [
            {"kind": "User", "name": "u", "apiGroup": "rbac.authorization.k8s.io"}, {"kind": "ServiceAccount", "name": "s", "namespace": "n"}]}, None),
    ("/apis/storage.k8s.io/v1/storageclasses", {"metadata": {"name": "s", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}, "provisioner": "x/y"}, None),
    ("/apis/storage.k8s.io/v1/csidrivers", {"metadata": {"name": "d.x"}, "spec": {"tokenRequests": [{"audience": "a"}]}}, None),
    ("/apis/scheduling.k8s.io/v1/priorityclasses", {"metadata": {"name": "p"}, "value": 7}, None),
    ("/apis/coordination.k8s.io/v1/namespaces/default/leases", {"metadata": {"name": "l"}, "spec": {"holderIdentity": "h"}}, None),
    ("/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies", {"metadata": {"name": "v.x"}, "spec": {
        "matchConstraints": {"resourceRules": [{"apiGroups": ["x"], "apiVersions": ["*"], "operations": ["CREATE"], "resources": ["*"]}]},
        "validations": [{"expression": "true"}]}}, None),
    ("/apis/resource.k8s.io/v1/namespaces/default/resourceclaims", {"metadata": {"name": "c"}, "spec": {}}, None),
]


@pytest.mark.parametrize("seed", [11])
def test_as_the_libraries(seed):
    """Objects of every kind, columns of custom resources, selectors: cells, definitions, matches and error texts."""
    subprocess.run([ROOT / "tests/peers/build", PEERS, "kube-print"], check=True, capture_output=True)
    cases = subprocess.run([sys.executable, CASES / "cases.py", str(seed), str(COUNT)], check=True, capture_output=True).stdout
    answered = subprocess.run([PEERS + "/kube-print"], input=cases, check=True, capture_output=True).stdout
    done = subprocess.run([sys.executable, CASES / "compare.py", OURS], input=answered, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode()
    assert answered.count(b"\n") > COUNT * 0.98


def send(plane, path, method="GET", body=None, accept="application/json"):
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    request = urllib.request.Request(plane.url + path, method=method, data=json.dumps(body).encode() if body is not None else None, headers={
        "Authorization": "Bearer " + control_plane.TOKEN, "Content-Type": kind, "Accept": accept})
    try:
        return urllib.request.urlopen(request, timeout=20, context=ssl._create_unverified_context()).read()
    except urllib.error.HTTPError as error:
        return error.read()


def fill(plane):
    for path, value, status in OBJECTS:
        answer = json.loads(send(plane, path, "POST", value))
        assert "metadata" in answer and answer["kind"] != "Status", (path, answer)
        if status:
            answer = json.loads(send(plane, f"{path}/{value['metadata']['name']}/status", "PATCH", {"status": status}))
            assert answer["kind"] != "Status", (path, answer)


def resources(plane):
    """(apiVersion, path of the list, kind, namespaced) of all that can be listed."""
    groups = [("v1", "/api/v1")]
    for group in json.loads(send(plane, "/apis"))["groups"]:
        groups += [(v["groupVersion"], "/apis/" + v["groupVersion"]) for v in group["versions"]]
    for version, path in groups:
        for resource in json.loads(send(plane, path))["resources"]:
            if "list" in resource["verbs"]:
                yield version, f"{path}/{resource['name']}", resource["kind"], resource["namespaced"]


def path_of(path, item):
    name, space = item["metadata"]["name"], item["metadata"].get("namespace")
    base, _, resource = path.rpartition("/")
    return f"{base}/namespaces/{space}/{resource}/{name}" if space else f"{path}/{name}"


def texts_of(plane, path, items):
    """The bytes of each object, as they are stored and sent."""
    for item in items:
        yield send(plane, path_of(path, item)).decode().rstrip("\n")


# What is not compared: objects that are made while they are asked for.
EXCEPTIONS = [("v1", "ComponentStatus")]
# Kept in another version, whose order of metrics the one that is asked for has lost.
KEPT = {("autoscaling/v1", "HorizontalPodAutoscaler"): "autoscaling/v2"}


def now_text():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def steady_now():
    """A time that is not about to become the next second."""
    while not 50000 < datetime.datetime.now().microsecond < 600000:
        time.sleep(0.02)
    return now_text()


def ask_ours(case):
    done = subprocess.run([OURS], input=json.dumps(case) + "\n", capture_output=True, check=True, text=True)
    return json.loads(done.stdout.rstrip("\n"))


def difference(what, theirs, ours):
    at = next((i for i, (a, b) in enumerate(zip(theirs, ours)) if a != b), 0)
    return f"{what}\n  theirs: {theirs[max(at - 100, 0):at + 300]}\n  ours:   {ours[max(at - 100, 0):at + 300]}"


def test_as_the_server(plane):
    """All kinds that a server has, in lists, alone and in pages, with and without their objects: the same bytes."""
    fill(plane)
    wrong, compared, kinds = [], 0, set()
    for version, path, kind, _ in resources(plane):
        whole = json.loads(send(plane, path))
        if (version, kind) in EXCEPTIONS:
            continue
        items = whole.get("items") or []
        kept = KEPT.get((version, kind), version)
        texts, shown = (list(texts_of(plane, p, items)) for p in (path.replace(version, kept), path))
        kinds.add((version, kind))
        ways = [(path, "v1", "", ""), (path, "v1", "Object", ""), (path, "v1beta1", "Metadata", ""), (path, "v1", "None", "limit=1")]
        ways = ways + [(path_of(path, items[0]), "v1", "", "alone=1")] if items else ways[:1]
        for where, table_version, include, query in ways:
            for attempt in range(4):
                now = steady_now() if attempt else now_text()
                theirs = send(plane, f"{where}?includeObject={include}&{query}", accept=TABLE.format(version=table_version)).decode()
                ours = ask_ours({"texts": texts[:1] if query else texts, "shown": shown, "group": kept, "kind": kind, "now": now, "include": include,
                                 "version": table_version, "head": json.loads(theirs).get("metadata", {})})
                if ours.get("text", "") + "\n" == theirs:
                    break
            else:
                wrong.append(difference(f"{where} {include} {query}", theirs, ours.get("text", str(ours)) + "\n"))
            compared += 1
    assert not wrong, f"{len(wrong)} of {compared}:\n" + "\n".join(w[:3000] for w in wrong[:5])
    assert compared > 190 and len(kinds) > 55, (compared, len(kinds))


def test_as_the_server_watches(plane):
    """Events are tables of a row each, of which the first alone has the columns."""
    path = "/api/v1/configmaps"
    items = json.loads(send(plane, path))["items"]
    texts = {json.loads(t)["metadata"]["uid"]: t for t in texts_of(plane, path, items)}
    for attempt in range(3):
        now = steady_now()
        events = [json.loads(line)["object"] for line in send(plane, path + "?watch=1&timeoutSeconds=1", accept=TABLE.format(version="v1")).splitlines()]
        ours = [json.loads(ask_ours({"texts": [texts[e["rows"][0]["object"]["metadata"]["uid"]]], "group": "v1", "kind": "ConfigMap", "now": now, "include": "",
                                     "noHeaders": i > 0, "head": e["metadata"]})["text"]) for i, e in enumerate(events)]
        if ours == events:
            break
    assert ours == events and len(events) > 2


def test_refusals_of_the_server(plane):
    theirs = json.loads(send(plane, "/api/v1/pods?includeObject=All", accept=TABLE.format(version="v1")))
    ours = ask_ours({"texts": [], "group": "v1", "kind": "Pod", "now": steady_now(), "include": "All", "head": {}})
    assert theirs["code"] == 400 and theirs["message"] == ours["error"]
