"""What the API service writes down of requests: audit.k8s.io/v1 events, with kube-apiserver's fields in its order."""
import base64
import json
import os
import re
import ssl
import subprocess
import urllib.request

import pytest

from support.api import BUILD, PEERS, Api, Oracle
from support.workloads import eventually

MAPS = "/api/v1/namespaces/default/configmaps"
JSON, MERGE, APPLY = ({"Content-Type": "application/" + t} for t in ("json", "merge-patch+json", "apply-patch+yaml"))
POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- {level: None, users: ["system:apiserver"]}
- {level: None, nonResourceURLs: ["/readyz*", "/livez"]}
- {level: None, verbs: [get], resources: [{group: "", resources: [secrets]}]}
- {level: RequestResponse, resources: [{group: "", resources: [configmaps]}], omitManagedFields: true}
- {level: Request, resources: [{group: apps}], omitStages: [RequestReceived]}
- {level: Metadata}
"""
BARS = {"enforce": "baseline", "enforce-version": "v1.20", "audit": "restricted"}
POD = {"serviceAccountName": "own", "automountServiceAccountToken": False, "containers": [{"name": "c", "image": "i"}]}
REQUESTS = [
    ("POST", MAPS, {"metadata": {"name": "a"}, "data": {"x": "<y>"}}, JSON),
    ("POST", MAPS, {"metadata": {"name": "a"}}, JSON),
    ("GET", MAPS + "/a", None, {"Accept": "application/vnd.kubernetes.protobuf"}),
    ("GET", MAPS + "/nope", None, {}),
    ("GET", MAPS + "?limit=1", None, {"X-Forwarded-For": "10.1.2.3, nonsense, 10.1.2.4"}),
    ("PATCH", MAPS + "/a", {"data": {"x": "z"}}, MERGE),
    ("PATCH", MAPS + "/a?fieldManager=m", {"apiVersion": "v1", "kind": "ConfigMap", "data": {"b": "c"}}, APPLY),  # kube-apiserver loses the event of a patch in YAML
    ("DELETE", MAPS + "/a", None, {}),
    ("GET", MAPS + "?watch=1&timeoutSeconds=1", None, {}),
    ("GET", "/apis/apps/v1/deployments", None, {"Impersonate-User": "jane", "Impersonate-Group": "g", "Impersonate-Extra-Scopes": "s"}),
    ("GET", "/api/v1/namespaces/default/secrets/x", None, {}),
    ("GET", "/version", None, {}),
    ("GET", "/readyz", None, {}),
    ("GET", "/api/v1/namespaces/kube-system", None, {"Audit-ID": "mine"}),
    ("GET", "/nope", None, {}),
    ("GET", "/apis/apps/v1/nope/x", None, {}),
    ("GET", MAPS + "/a?timeout=nonsense", None, {}),
    ("POST", "/api/v1/namespaces", {"metadata": {"name": "plain"}}, JSON),
    ("POST", "/api/v1/namespaces", {"metadata": {"name": "barred", "labels": {f"pod-security.kubernetes.io/{k}": v for k, v in BARS.items()}}}, JSON),
    *[("POST", f"/api/v1/namespaces/{n}/serviceaccounts", {"metadata": {"name": "own"}}, JSON) for n in ("plain", "barred")],
    *[("POST", f"/api/v1/namespaces/{n}/pods", {"metadata": {"name": "p"}, "spec": POD}, JSON) for n in ("plain", "barred")],
    ("POST", "/api/v1/namespaces/barred/pods?dryRun=All", {"metadata": {"name": "q"}, "spec": {"hostNetwork": True, **POD}}, JSON),
    ("POST", "/apis/batch/v1/namespaces/barred/jobs", {"metadata": {"name": "j"}, "spec": {"template": {"spec": {"restartPolicy": "Never", **POD}}}}, JSON),
    ("PATCH", "/api/v1/namespaces/barred/pods/p", {"spec": {"containers": [{"name": "c", "image": "other"}]}}, {"Content-Type": "application/strategic-merge-patch+json"}),
    ("PATCH", "/api/v1/namespaces/barred/pods/p", {"metadata": {"labels": {"a": "b"}}}, MERGE),
    ("POST", "/api/v1/namespaces/plain/serviceaccounts/own/token", {"spec": {"audiences": ["x"]}}, JSON),
]


def ask_all(client):
    for method, path, body, headers in REQUESTS:
        client.raw(method, path, body, **headers)


def ask_as(port, token):
    request = urllib.request.Request(f"https://127.0.0.1:{port}/api", headers={"Authorization": "Bearer " + token, "User-Agent": "tests"})
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(request, context=ssl._create_unverified_context(), timeout=10)


def events(path):
    """Those of the tests' client, and of each request what may not differ."""
    with open(path) as f:
        lines = [line.rstrip("\n") for line in f if '"userAgent":"tests"' in line]
    for line in lines:
        assert json.loads(line)["kind"] == "Event"
    return [blur(line) for line in lines]


def blur(line):
    line = re.sub(r'"(auditID|uid|resourceVersion)":"[^"]*"', r'"\1":"X"', line)
    line = re.sub(r'"authenticationMetadata":\{[^}]*\},', "", line)  # not yet: by which kind of impersonation
    line = re.sub(r"JTI=[0-9a-f-]{36}", "JTI", line)
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "T", line)


@pytest.fixture
def policy(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return path


def audited(policy, *options, **more):
    return Api("--audit-policy-file", str(policy), "--audit-log-path", str(policy.parent / "audit.log"), *options, **more)


def test_events(policy):
    api = audited(policy).start()
    try:
        ask_all(api.client())
        ask_as(api.port, "wrong")
    finally:
        api.stop()
    path = policy.parent / "audit.log"
    assert os.stat(path).st_mode & 0o777 == 0o600
    all_events = [json.loads(line) for line in open(path) if '"tests"' in line]
    by_request = {}
    for e in all_events:
        by_request.setdefault((e["verb"], e["requestURI"]), []).append(e)
    created = by_request["create", MAPS]
    assert [e["stage"] for e in created] == ["RequestReceived", "ResponseComplete"] * 2
    assert list(created[1]) == ["kind", "apiVersion", "level", "auditID", "stage", "requestURI", "verb", "user", "sourceIPs", "userAgent", "objectRef", "responseStatus",
                                "requestObject", "responseObject", "requestReceivedTimestamp", "stageTimestamp", "annotations"]
    assert created[0]["auditID"] == created[1]["auditID"] != created[2]["auditID"]
    assert created[1]["requestObject"] == {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a"}, "data": {"x": "<y>"}}
    assert created[1]["responseObject"]["metadata"]["uid"] and "managedFields" not in created[1]["responseObject"]["metadata"]
    assert created[3]["responseStatus"]["reason"] == "AlreadyExists" and created[3]["responseObject"]["kind"] == "Status"
    assert by_request["get", MAPS + "/a"][1]["responseObject"]["data"] == {"x": "<y>"}, "JSON, whatever the client got"
    assert by_request["list", MAPS + "?limit=1"][0]["sourceIPs"] == ["10.1.2.3", "10.1.2.4", "127.0.0.1"]
    assert [e["stage"] for e in by_request["watch", MAPS + "?watch=1&timeoutSeconds=1"]] == ["RequestReceived", "ResponseStarted", "ResponseComplete"]
    jane, = by_request["list", "/apis/apps/v1/deployments"]
    assert jane["impersonatedUser"] == {"username": "jane", "groups": ["g", "system:authenticated"], "extra": {"scopes": ["s"]}}
    assert jane["annotations"] == {"authorization.k8s.io/decision": "forbid", "authorization.k8s.io/reason": ""} and jane["user"]["username"] == "kubernetes-admin"
    pod = by_request["create", "/api/v1/namespaces/barred/pods"][1]["annotations"]
    assert pod["pod-security.kubernetes.io/enforce-policy"] == "baseline:v1.20" and pod["pod-security.kubernetes.io/audit-violations"].startswith("would violate PodSecurity")
    assert by_request["create", "/api/v1/namespaces/plain/pods"][1]["annotations"]["pod-security.kubernetes.io/enforce-policy"] == "privileged:latest"
    issued = by_request["create", "/api/v1/namespaces/plain/serviceaccounts/own/token"][1]["annotations"]
    assert re.fullmatch(r"JTI=[0-9a-f-]{36}", issued["authentication.kubernetes.io/issued-credential-id"])
    assert by_request["get", "/api/v1/namespaces/kube-system"][0]["auditID"] == "mine"
    assert ("get", "/readyz") not in by_request and ("get", "/api/v1/namespaces/default/secrets/x") not in by_request
    refused, = by_request["get", "/api"]
    assert refused["stage"] == "ResponseStarted" and refused["user"] == {} and refused["responseStatus"]["code"] == 401


@pytest.mark.skipif(not os.path.exists(f"{PEERS}/kube-apiserver"), reason="kube-apiserver is not built (tests/peers/build)")
def test_events_are_kube_apiservers(policy):
    """The same requests, and the same bytes but for ids and times."""
    class Audited(Oracle):
        def run(self, name, *args):
            more = ("--audit-policy-file", str(policy), "--audit-log-path", str(policy.parent / "theirs.log")) if name == "kube-apiserver" else ()
            super().run(name, *args, *more)

    api = audited(policy).start()
    oracle = Audited(api.pki)
    try:
        oracle.start()
        for port in (api.port, oracle.port):
            client = api.client()
            client.port = port
            ask_all(client)
            ask_as(port, "wrong")
    finally:
        oracle.stop()
        api.stop()
    ours, theirs = events(policy.parent / "audit.log"), events(policy.parent / "theirs.log")
    theirs = [e for e in theirs if '"requestURI":"/api/v1/namespaces/default"' not in e and '/readyz' not in e]
    key = lambda line: [json.loads(line)[k] for k in ("requestURI", "verb", "stage")]  # noqa: E731
    for ours_is, theirs_is in zip(sorted(ours, key=key), sorted(theirs, key=key), strict=True):
        assert ours_is == theirs_is


def test_tokens_of_secrets_are_told(policy):
    """Those that an account names, and others."""
    api = audited(policy, controllers="serviceaccount-token-controller").start()
    path = "/api/v1/namespaces/default"
    secret = {"metadata": {"name": "t", "annotations": {"kubernetes.io/service-account.name": "own"}}, "type": "kubernetes.io/service-account-token"}
    try:
        client = api.client()
        assert client.raw("POST", path + "/serviceaccounts", {"metadata": {"name": "own"}})[0] == 201
        assert client.raw("POST", path + "/secrets", secret)[0] == 201
        token = eventually(lambda: client.ask("GET", path + "/secrets/t")[1].get("data", {}).get("token"))
        for _ in range(2):
            request = urllib.request.Request(f"https://127.0.0.1:{api.port}/api", headers={"Authorization": "Bearer " + base64.b64decode(token).decode(), "User-Agent": "tests"})
            assert urllib.request.urlopen(request, context=ssl._create_unverified_context(), timeout=10).status == 200
            assert client.raw("PATCH", path + "/serviceaccounts/own", {"secrets": [{"name": "t"}]}, **MERGE)[0] == 200
    finally:
        api.stop()
    told = [e["annotations"] for e in map(json.loads, open(policy.parent / "audit.log")) if e["requestURI"] == "/api" and e["stage"] == "ResponseComplete"]
    kinds = ("authentication.k8s.io/legacy-token-manual-secret", "authentication.k8s.io/legacy-token-autogenerated-secret")
    assert len(told) == 2
    for annotations, kind in zip(told, kinds):
        assert annotations["authentication.k8s.io/legacy-token"] == "system:serviceaccount:default:own"
        assert annotations[kind] == "t" and [k for k in kinds if k in annotations] == [kind]


def test_full_files_are_put_aside(policy):
    policy.write_text("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: RequestResponse}]\n")
    api = audited(policy, "--audit-log-maxsize", "1", "--audit-log-maxbackup", "2").start()
    try:
        client = api.client()
        for i in range(12):
            assert client.raw("POST", MAPS, {"metadata": {"name": f"large-{i}"}, "data": {"a": "x" * 300000}})[0] == 201
    finally:
        api.stop()
    files = sorted(policy.parent.glob("audit*.log"))
    aside = [f for f in files if re.fullmatch(r"audit-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}\.log", f.name)]
    assert len(files) == 3 and len(aside) == 2 and all(f.stat().st_size <= 1 << 20 for f in files)
    for f in files:
        assert all(json.loads(line)["kind"] == "Event" for line in f.read_text().splitlines())


def test_a_full_disk_loses_events_and_nothing_else(policy):
    api = Api("--audit-policy-file", str(policy), "--audit-log-path", "/dev/full").start()
    try:
        client = api.client()
        assert client.raw("POST", MAPS, {"metadata": {"name": "a"}})[0] == 201
        assert client.raw("GET", MAPS + "/a")[0] == 200
    finally:
        log = api.log()
        api.stop()
    assert "events are lost" in log




@pytest.mark.parametrize("text, words", [
    (POLICY.replace("verbs:", "verb:"), 'policy.yaml:6: unknown field "verb"'),
    (POLICY.replace("level: Metadata}", "level: Some}"), '"Some" is none; there are None, Metadata, Request, RequestResponse'),
    (POLICY.replace("[RequestReceived]", "[Received]"), '"Received" is no stage'),
    (POLICY.replace('"/livez"', '"livez"'), '"livez" does not begin with a /'),
    (POLICY.replace("audit.k8s.io/v1", "audit.k8s.io/v1beta1"), "give a Policy of audit.k8s.io/v1"),
    (POLICY.replace("level: Request,", 'level: Request, nonResourceURLs: ["/x"],'), "not of both"),
    ("- a\n", "it is no map"),
    ("{", "policy.yaml"),
])
def test_policies_that_are_none(policy, text, words):
    policy.write_text(text)
    done = subprocess.run([f"{BUILD}/nacelle-api", "--data-dir", str(policy.parent / "d"), "--audit-policy-file", str(policy), "--audit-log-path", "-"], capture_output=True,
                          text=True, timeout=20)
    assert done.returncode == 1 and words in done.stderr, done
