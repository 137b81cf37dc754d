"""What the service does by itself: namespaces, garbage, accounts and their tokens, certificates, volumes in use, finished Jobs."""
import base64
import http.client
import json
import os
import re
import signal
import ssl
import subprocess
import threading
import time

import pytest

from support.api import PEERS, Api, Elsewhere, get, make
from support.api import RUN_CONTROLLERS as RUN
from support.workloads import eventually

NAMESPACES = "/api/v1/namespaces"
CSRS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
MERGE = {"Content-Type": "application/merge-patch+json"}


def namespace(client, name):
    make(client, NAMESPACES, {"metadata": {"name": name}})
    return f"{NAMESPACES}/{name}"


def owned(name, *owners, block=True):
    references = [{"apiVersion": "v1", "kind": o["kind"], "name": o["metadata"]["name"], "uid": o["metadata"]["uid"], "blockOwnerDeletion": block} for o in owners]
    return {"metadata": {"name": name, "ownerReferences": references}}


def names(client, path):
    return sorted(o["metadata"]["name"] for o in get(client, path)["items"] if o["metadata"]["name"] != "kube-root-ca.crt")


def conditions(client, ns):
    return {c["type"]: (c["status"], c["reason"], c["message"]) for c in get(client, f"{NAMESPACES}/{ns}")["status"].get("conditions", [])}


# --- namespaces


def test_namespace_has_an_account_and_the_root_ca(api, client):
    path = namespace(client, "first")
    assert eventually(lambda: get(client, path + "/serviceaccounts/default"))
    assert eventually(lambda: get(client, path + "/configmaps/kube-root-ca.crt"))
    with open(api.pki + "/ca.crt") as f:
        authority = f.read()
    assert get(client, path + "/configmaps/kube-root-ca.crt")["data"] == {"ca.crt": authority}
    assert client.ask("PATCH", path + "/configmaps/kube-root-ca.crt", {"data": {"ca.crt": "no", "x": "y"}}, **MERGE)[0] == 200
    assert eventually(lambda: get(client, path + "/configmaps/kube-root-ca.crt")["data"] == {"ca.crt": authority})
    for gone in "/serviceaccounts/default", "/configmaps/kube-root-ca.crt":
        before = get(client, path + gone)["metadata"]["uid"]
        assert client.ask("DELETE", path + gone)[0] == 200
        assert eventually(lambda: (get(client, path + gone) or {"metadata": {"uid": before}})["metadata"]["uid"] != before), "it is made anew"
    assert client.ask("DELETE", path)[0] == 200
    assert eventually(lambda: not get(client, path))


def test_namespace_goes_with_all_that_is_in_it(client):
    path = namespace(client, "full")
    for i in range(1000):
        make(client, path + "/configmaps", {"metadata": {"name": f"c{i}"}, "data": {"a": "b"}})
    make(client, path + "/services", {"metadata": {"name": "s"}, "spec": {"clusterIP": "None"}})
    make(client, "/apis/apps/v1/namespaces/full/deployments", {"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {
        "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}})
    make(client, path + "/events", {"metadata": {"name": "e"}, "involvedObject": {"namespace": "full"}})
    status, answer = client.ask("DELETE", path)
    assert status == 200 and answer["status"]["phase"] == "Terminating"
    assert client.ask("POST", path + "/configmaps", {"metadata": {"name": "late"}})[0] in (403, 404)
    assert eventually(lambda: not get(client, path))
    namespace(client, "full")
    assert names(client, path + "/configmaps") == [] and names(client, path + "/events") == [], "one of the same name begins empty"
    client.ask("DELETE", path)


def test_namespace_says_what_holds_it(client):
    path = namespace(client, "held")
    make(client, path + "/configmaps", {"metadata": {"name": "a", "finalizers": ["example.com/b", "example.com/a"]}})
    make(client, path + "/secrets", {"metadata": {"name": "a", "finalizers": ["example.com/a"]}})
    assert client.ask("DELETE", path)[0] == 200
    assert eventually(lambda: conditions(client, "held").get("NamespaceContentRemaining", ("",))[0] == "True")
    said = conditions(client, "held")
    assert said == {
        "NamespaceDeletionDiscoveryFailure": ("False", "ResourcesDiscovered", "All resources successfully discovered"),
        "NamespaceDeletionGroupVersionParsingFailure": ("False", "ParsedGroupVersions", "All legacy kube types successfully parsed"),
        "NamespaceDeletionContentFailure": ("False", "ContentDeleted", "All content successfully deleted, may be waiting on finalization"),
        "NamespaceContentRemaining": ("True", "SomeResourcesRemain", "Some resources are remaining: configmaps. has 1 resource instances, secrets. has 1 resource instances"),
        "NamespaceFinalizersRemaining": ("True", "SomeFinalizersRemain", "Some content in the namespace has finalizers remaining: "
                                         "example.com/a in 2 resource instances, example.com/b in 1 resource instances"),
    }
    assert client.ask("PATCH", path + "/secrets/a", {"metadata": {"finalizers": None}}, **MERGE)[0] == 200
    assert client.ask("PATCH", path + "/configmaps/a", {"metadata": {"finalizers": None}}, **MERGE)[0] == 200
    assert eventually(lambda: not get(client, path)), "it goes soon after the last that held it"


def test_pods_go_first(client):
    path = namespace(client, "pods")
    assert eventually(lambda: get(client, path + "/serviceaccounts/default"))
    make(client, path + "/pods", {"metadata": {"name": "p", "finalizers": ["example.com/a"]}, "spec": {"containers": [{"name": "c", "image": "i"}]}})
    make(client, path + "/configmaps", {"metadata": {"name": "needed"}})
    assert client.ask("DELETE", path)[0] == 200
    assert eventually(lambda: get(client, path + "/pods/p")["metadata"].get("deletionTimestamp"))
    time.sleep(0.3)
    assert get(client, path + "/configmaps/needed"), "what a pod may need is there until it is gone"
    assert client.ask("PATCH", path + "/pods/p", {"metadata": {"finalizers": None}}, **MERGE)[0] == 200
    assert eventually(lambda: not get(client, path))


# --- garbage


@pytest.fixture
def maps(client):
    name = f"gc-{time.monotonic_ns()}"
    yield namespace(client, name) + "/configmaps"
    client.ask("DELETE", f"{NAMESPACES}/{name}")


def family(client, maps):
    parent = make(client, maps, {"metadata": {"name": "parent"}})
    child = make(client, maps, owned("child", parent))
    make(client, maps, owned("grandchild", child))
    make(client, maps, owned("other", parent, block=False))
    return parent


def test_background(client, maps):
    family(client, maps)
    assert client.ask("DELETE", maps + "/parent", {"propagationPolicy": "Background"})[0] == 200
    assert get(client, maps + "/parent") is None
    assert eventually(lambda: names(client, maps) == [])


def test_foreground(client, maps):
    family(client, maps)
    assert client.ask("PATCH", maps + "/grandchild", {"metadata": {"finalizers": ["example.com/a"]}}, **MERGE)[0] == 200
    assert client.ask("DELETE", maps + "/parent", {"propagationPolicy": "Foreground"})[0] == 200
    assert eventually(lambda: names(client, maps) == ["child", "grandchild", "parent"]), "what does not block goes, what blocks is waited for"
    assert get(client, maps + "/parent")["metadata"]["finalizers"] == ["foregroundDeletion"]
    time.sleep(0.2)
    assert names(client, maps) == ["child", "grandchild", "parent"]
    assert client.ask("PATCH", maps + "/grandchild", {"metadata": {"finalizers": None}}, **MERGE)[0] == 200
    assert eventually(lambda: names(client, maps) == [])


def test_orphans(client, maps):
    family(client, maps)
    assert client.ask("DELETE", maps + "/parent", {"propagationPolicy": "Orphan"})[0] == 200
    assert eventually(lambda: names(client, maps) == ["child", "grandchild", "other"])
    assert "ownerReferences" not in get(client, maps + "/child")["metadata"] and "ownerReferences" not in get(client, maps + "/other")["metadata"]
    assert get(client, maps + "/grandchild")["metadata"]["ownerReferences"][0]["name"] == "child"


def test_one_of_two_owners(client, maps):
    one, two = (make(client, maps, {"metadata": {"name": n}}) for n in ("one", "two"))
    make(client, maps, owned("shared", one, two))
    assert client.ask("DELETE", maps + "/one")[0] == 200
    assert eventually(lambda: [o["name"] for o in get(client, maps + "/shared")["metadata"]["ownerReferences"]] == ["two"])
    assert client.ask("DELETE", maps + "/two")[0] == 200
    assert eventually(lambda: names(client, maps) == [])


def test_owners_that_are_not_there(client, maps):
    ghost = {"kind": "ConfigMap", "metadata": {"name": "ghost", "uid": "00000000-0000-0000-0000-00000000dead"}}
    there = make(client, maps, {"metadata": {"name": "there"}})
    impostor = {"kind": "ConfigMap", "metadata": {"name": "there", "uid": ghost["metadata"]["uid"]}}
    for i, owners in enumerate([[ghost], [impostor], [ghost, there]]):
        make(client, maps, owned(f"o{i}", *owners))
    assert eventually(lambda: names(client, maps) == ["o2", "there"]), "by name alone nobody is owned"
    assert eventually(lambda: [o["name"] for o in get(client, maps + "/o2")["metadata"]["ownerReferences"]] == ["there"])


def test_many_owners(client, maps):
    """More than may be asked for at a time: all count."""
    ghosts = [{"kind": "ConfigMap", "metadata": {"name": f"ghost-{i}", "uid": f"00000000-0000-0000-0000-{i:012}"}} for i in range(600)]
    there = make(client, maps, {"metadata": {"name": "there"}})
    make(client, maps, owned("nobodys", *ghosts))
    make(client, maps, owned("somebodys", *ghosts, there))
    assert eventually(lambda: names(client, maps) == ["somebodys", "there"])
    assert eventually(lambda: [o["name"] for o in get(client, maps + "/somebodys")["metadata"]["ownerReferences"]] == ["there"])
    assert client.ask("DELETE", maps + "/there")[0] == 200
    assert eventually(lambda: names(client, maps) == [])


def test_owners_across_namespaces(client, maps):
    elsewhere = make(client, "/api/v1/namespaces/default/configmaps", {"metadata": {"name": "elsewhere"}})
    account = make(client, "/apis/rbac.authorization.k8s.io/v1/clusterroles", {"metadata": {"name": "owner-of-the-cluster"}, "rules": []})
    account["kind"] = "ClusterRole"
    of_cluster = owned("of-cluster", account)
    of_cluster["metadata"]["ownerReferences"][0]["apiVersion"] = "rbac.authorization.k8s.io/v1"
    make(client, maps, of_cluster)
    make(client, "/api/v1/namespaces/default/configmaps", owned("beside", elsewhere))
    ns = maps.split("/")[4]
    for name in "astray", "astray-too":  # the first before, the second after its owner is known
        uid = make(client, maps, owned(name, elsewhere))["metadata"]["uid"]
        assert eventually(lambda: names(client, maps) == ["of-cluster"]), "an owner is in the same namespace, or in none"
        events = lambda: [e for e in get(client, f"{NAMESPACES}/{ns}/events")["items"] if e["involvedObject"].get("uid") == uid]  # noqa: B023, E731
        assert eventually(events)
        e = events()[0]
        assert (e["reason"], e["type"], e["source"]["component"], e["count"]) == ("OwnerRefInvalidNamespace", "Warning", "garbage-collector-controller", 1)
        assert e["message"] == f'ownerRef [v1/ConfigMap, namespace: {ns}, name: elsewhere, uid: {elsewhere["metadata"]["uid"]}] does not exist in namespace "{ns}"'
    assert get(client, "/api/v1/namespaces/default/configmaps/beside"), "whatever others say of its owner"
    assert client.ask("DELETE", "/apis/rbac.authorization.k8s.io/v1/clusterroles/owner-of-the-cluster")[0] == 200
    assert eventually(lambda: names(client, maps) == [])
    assert client.ask("DELETE", "/api/v1/namespaces/default/configmaps/elsewhere")[0] == 200
    assert eventually(lambda: get(client, "/api/v1/namespaces/default/configmaps/beside") is None)


def test_a_circle_goes(client, maps):
    a = make(client, maps, {"metadata": {"name": "a"}})
    b = make(client, maps, owned("b", a))
    assert client.ask("PATCH", maps + "/a", owned("a", b), **MERGE)[0] == 200
    assert client.ask("DELETE", maps + "/a", {"propagationPolicy": "Foreground"})[0] == 200
    assert eventually(lambda: names(client, maps) == [])


def test_killed_in_the_middle():
    """What was begun before a kill -9 is ended after it; at rest nothing is written."""
    a = Api(controllers="*").start()
    try:
        client = a.client()
        path = namespace(client, "big")
        parent = make(client, path + "/configmaps", {"metadata": {"name": "parent"}})
        for i in range(300):
            make(client, path + "/configmaps", owned(f"c{i}", parent))
        make(client, path + "/configmaps", {"metadata": {"name": "kept", "finalizers": ["example.com/a"]}})
        assert client.ask("DELETE", path + "/configmaps/parent", {"propagationPolicy": "Foreground"})[0] == 200
        a.end(signal.SIGKILL)
        a.start()
        client = a.client()
        assert eventually(lambda: names(client, path + "/configmaps") == ["kept"])
        assert client.ask("DELETE", path)[0] == 200
        a.end(signal.SIGKILL)
        a.start()
        client = a.client()
        assert client.ask("PATCH", path + "/configmaps/kept", {"metadata": {"finalizers": None}}, **MERGE)[0] == 200
        assert eventually(lambda: not get(client, path))
        revision = lambda: get(client, NAMESPACES)["metadata"]["resourceVersion"]  # noqa: E731
        before = revision()
        time.sleep(1)
        assert revision() == before, "at rest"
    finally:
        a.stop()


# --- accounts, tokens, certificates


def test_tokens_in_secrets(api, client):
    path = namespace(client, "tokens")
    assert eventually(lambda: get(client, path + "/serviceaccounts/default"))
    secret = {"metadata": {"name": "t", "annotations": {"kubernetes.io/service-account.name": "default"}}, "type": "kubernetes.io/service-account-token"}
    make(client, path + "/secrets", secret)
    make(client, path + "/secrets", {**secret, "metadata": {"name": "lost", "annotations": {"kubernetes.io/service-account.name": "nobody"}}})
    assert eventually(lambda: "token" in get(client, path + "/secrets/t").get("data", {}))
    assert eventually(lambda: names(client, path + "/secrets") == ["t"]), "one without an account goes"
    data = {k: base64.b64decode(v).decode() for k, v in get(client, path + "/secrets/t")["data"].items()}
    account = get(client, path + "/serviceaccounts/default")["metadata"]["uid"]
    assert data["namespace"] == "tokens" and data["ca.crt"] == open(api.pki + "/ca.crt").read()
    part = data["token"].split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) == {
        "iss": "kubernetes/serviceaccount", "kubernetes.io/serviceaccount/namespace": "tokens", "kubernetes.io/serviceaccount/secret.name": "t",
        "kubernetes.io/serviceaccount/service-account.name": "default", "kubernetes.io/serviceaccount/service-account.uid": account,
        "sub": "system:serviceaccount:tokens:default"}

    def who(token):
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
        return make(client, "/apis/authentication.k8s.io/v1/tokenreviews", review)["status"]

    assert who(data["token"])["user"] == {"username": "system:serviceaccount:tokens:default", "uid": account,
                                          "groups": ["system:serviceaccounts", "system:serviceaccounts:tokens", "system:authenticated"]}
    assert not who(data["token"][:-4] + "AAAA").get("authenticated")
    assert client.ask("PATCH", path + "/secrets/t", {"metadata": {"labels": {"kubernetes.io/legacy-token-invalid-since": "2026-01-01"}}}, **MERGE)[0] == 200
    assert not who(data["token"]).get("authenticated"), "marked as invalid"
    assert client.ask("PATCH", path + "/secrets/t", {"metadata": {"labels": None}}, **MERGE)[0] == 200
    assert who(data["token"])["authenticated"]
    assert client.ask("PATCH", path + "/secrets/t", {"data": {"token": None}}, **MERGE)[0] == 200
    assert eventually(lambda: "token" in get(client, path + "/secrets/t")["data"]), "a new one"
    assert client.ask("DELETE", path + "/serviceaccounts/default")[0] == 200
    assert eventually(lambda: names(client, path + "/secrets") == []), "it goes with its account"
    assert not who(data["token"]).get("authenticated")
    client.ask("DELETE", path)


SINCE = NAMESPACES + "/kube-system/configmaps/kube-apiserver-legacy-service-account-token-tracking"
USED, INVALID = "kubernetes.io/legacy-token-last-used", "kubernetes.io/legacy-token-invalid-since"


def show_token(api, token):
    """What GET /version says to who has it: status, and the warning."""
    context = ssl.create_default_context(cafile=api.pki + "/ca.crt")
    connection = http.client.HTTPSConnection("127.0.0.1", api.port, context=context, timeout=20)
    try:
        connection.request("GET", "/version", headers={"Authorization": "Bearer " + token})
        answer = connection.getresponse()
        return answer.status, answer.getheader("Warning")
    finally:
        connection.close()


def test_the_use_of_tokens_in_secrets_is_noted(api, client):
    path = namespace(client, "noted")
    assert eventually(lambda: get(client, path + "/serviceaccounts/default"))
    make(client, path + "/secrets", {"metadata": {"name": "t", "annotations": {"kubernetes.io/service-account.name": "default"}},
                                     "type": "kubernetes.io/service-account-token"})
    assert eventually(lambda: "token" in get(client, path + "/secrets/t").get("data", {}))
    labels = lambda: get(client, path + "/secrets/t")["metadata"].get("labels", {})  # noqa: E731
    today = lambda: time.strftime("%Y-%m-%d", time.gmtime())  # noqa: E731
    token = base64.b64decode(get(client, path + "/secrets/t")["data"]["token"]).decode()
    day = today()
    assert labels() == {}
    assert show_token(api, token) == (200, None)
    assert eventually(lambda: labels().get(USED) in (day, today()))
    revision = get(client, path + "/secrets/t")["metadata"]["resourceVersion"]
    assert show_token(api, token) == (200, None)

    assert client.ask("PATCH", path + "/serviceaccounts/default", {"secrets": [{"name": "t"}]}, **MERGE)[0] == 200
    warning = ("299 - \"Use tokens from the TokenRequest API or manually created secret-based tokens "
               "instead of auto-generated secret-based tokens.\"")
    assert show_token(api, token) == (200, warning)
    if day == today():
        assert get(client, path + "/secrets/t")["metadata"]["resourceVersion"] == revision, "once a day"

    assert client.ask("PATCH", path + "/secrets/t", {"metadata": {"labels": {INVALID: "2026-01-01", USED: "2020-01-01"}}}, **MERGE)[0] == 200
    assert show_token(api, token) == (401, None)
    assert eventually(lambda: labels().get(USED) in (day, today())), "noted also of one that does not count"
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    assert make(client, "/apis/authentication.k8s.io/v1/tokenreviews", review)["status"]["error"].startswith(
        "the token in secret noted/t for service account noted/default has been marked invalid. Use tokens from the TokenRequest API")
    client.ask("DELETE", path)


def test_since_when_use_is_noted(client):
    date = lambda: (get(client, SINCE) or {}).get("data", {}).get("since", "")  # noqa: E731
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", date())
    assert client.ask("PATCH", SINCE, {"data": {"since": "2020-02-29", "more": "x"}}, **MERGE)[0] == 200
    assert date() == "2020-02-29"
    assert client.ask("PATCH", SINCE, {"data": {"since": "2020-02-30"}}, **MERGE)[0] == 200
    assert eventually(lambda: re.fullmatch(r"\d{4}-\d\d-\d\d", date()) and date() > "2026"), "what is no date is today's"
    assert get(client, SINCE)["data"]["more"] == "x"
    assert client.ask("DELETE", SINCE)[0] == 200
    assert eventually(lambda: date() > "2026"), "it comes back"


def test_unused_tokens_go():
    a = Api("--legacy-service-account-token-clean-up-period=1s", controllers="*").start()
    try:
        client = a.client()
        path = namespace(client, "unused")
        assert client.ask("PATCH", SINCE, {"data": {"since": "2020-01-01"}}, **MERGE)[0] == 200
        assert eventually(lambda: get(client, path + "/serviceaccounts/default"))
        for name in ("t", "by-hand"):
            make(client, path + "/secrets", {"metadata": {"name": name, "annotations": {"kubernetes.io/service-account.name": "default"}},
                                             "type": "kubernetes.io/service-account-token"})
        assert eventually(lambda: all("token" in s.get("data", {}) for s in get(client, path + "/secrets")["items"]))
        assert client.ask("PATCH", path + "/serviceaccounts/default", {"secrets": [{"name": "t"}]}, **MERGE)[0] == 200
        mark = lambda: get(client, path + "/secrets/t")["metadata"].get("labels", {}).get(INVALID)  # noqa: E731
        time.sleep(2)  # until it is older than the period
        for name in ("t", "by-hand"):
            assert client.ask("PATCH", path + "/secrets/" + name, {"metadata": {"labels": {USED: "2020-01-01"}}}, **MERGE)[0] == 200
        assert eventually(mark)
        assert client.ask("PATCH", path + "/secrets/t", {"metadata": {"labels": {INVALID: "2020-01-01"}}}, **MERGE)[0] == 200
        assert eventually(lambda: names(client, path + "/secrets") == ["by-hand"]), "what people have made stays"
    finally:
        a.stop()


def signing_request(directory, subject):
    subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{directory}/key", "-out", f"{directory}/csr",
                    "-subj", subject], check=True, capture_output=True)
    with open(f"{directory}/csr", "rb") as f:
        return base64.b64encode(f.read()).decode()


def test_certificates(api, client, tmp_path):
    spec = {"request": signing_request(tmp_path, "/O=system:nodes/CN=system:node:n1"), "signerName": "kubernetes.io/kube-apiserver-client-kubelet",
            "usages": ["digital signature", "client auth"]}
    make(client, CSRS, {"metadata": {"name": "node"}, "spec": spec})
    assert eventually(lambda: "certificate" in get(client, CSRS + "/node").get("status", {})), "who may do everything brings up nodes"
    status = get(client, CSRS + "/node")["status"]
    assert [(c["type"], c["reason"]) for c in status["conditions"]] == [("Approved", "AutoApproved")]
    (tmp_path / "crt").write_bytes(base64.b64decode(status["certificate"]))
    said = subprocess.run(["openssl", "verify", "-CAfile", api.pki + "/ca.crt", f"{tmp_path}/crt"], capture_output=True, text=True)
    assert said.returncode == 0, said
    assert "CN = system:node:n1" in subprocess.run(["openssl", "x509", "-in", f"{tmp_path}/crt", "-noout", "-subject"], capture_output=True, text=True).stdout

    other = {**spec, "request": signing_request(tmp_path, "/CN=jane"), "signerName": "kubernetes.io/kube-apiserver-client"}
    made = make(client, CSRS, {"metadata": {"name": "jane"}, "spec": other})
    time.sleep(0.3)
    assert "status" not in get(client, CSRS + "/jane") or not get(client, CSRS + "/jane")["status"], "a person is approved by a person"
    made["status"] = {"conditions": [{"type": "Approved", "status": "True", "reason": "Tests", "message": "yes"}]}
    assert client.ask("PUT", CSRS + "/jane/approval", made)[0] == 200
    assert eventually(lambda: "certificate" in get(client, CSRS + "/jane").get("status", {}))

    made = make(client, CSRS, {"metadata": {"name": "wrong"}, "spec": {**other, "usages": ["server auth"], "signerName": "kubernetes.io/kube-apiserver-client"}})
    made["status"] = {"conditions": [{"type": "Approved", "status": "True", "reason": "Tests", "message": "yes"}]}
    assert client.ask("PUT", CSRS + "/wrong/approval", made)[0] == 200
    assert eventually(lambda: [(c["type"], c["reason"], c["message"]) for c in get(client, CSRS + "/wrong")["status"]["conditions"] if c["type"] == "Failed"] ==
                      [("Failed", "SignerValidationFailure", "invalid usage for client certificate: server auth")])


def test_bootstrap_tokens(client):
    make(client, "/api/v1/namespaces/kube-public/configmaps", {"metadata": {"name": "cluster-info"}, "data": {"kubeconfig": "hello"}})
    data = {"token-id": "abcdef", "token-secret": "0123456789abcdef", "usage-bootstrap-signing": "true"}
    secret = lambda name, **more: {"metadata": {"name": name}, "type": "bootstrap.kubernetes.io/token", "stringData": {**data, **more}}  # noqa: E731
    path, info = "/api/v1/namespaces/kube-system/secrets", "/api/v1/namespaces/kube-public/configmaps/cluster-info"
    make(client, path, secret("bootstrap-token-abcdef"))
    # Computed by go-jose, as kube-controller-manager does.
    signature = "eyJhbGciOiJIUzI1NiIsImtpZCI6ImFiY2RlZiJ9..MxsnbCjBaYzcbNIFa06F-wuF9LX26rhMlrL4zA1511s"
    assert eventually(lambda: get(client, info)["data"] == {"kubeconfig": "hello", "jws-kubeconfig-abcdef": signature})
    assert client.ask("DELETE", path + "/bootstrap-token-abcdef")[0] == 200
    assert eventually(lambda: get(client, info)["data"] == {"kubeconfig": "hello"})
    make(client, path, secret("bootstrap-token-abcdee", **{"token-id": "abcdee", "expiration": "2026-01-01T00:00:00Z"}))
    assert eventually(lambda: get(client, path + "/bootstrap-token-abcdee") is None), "it is over"


# --- what goes after its time, and what stays while it is used


def test_finished_jobs(client):
    path = "/apis/batch/v1/namespaces/default/jobs"
    make(client, path, {"metadata": {"name": "j"}, "spec": {"ttlSecondsAfterFinished": 1, "template": {"spec": {
        "restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}}})
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    done = [{"type": t, "status": "True", "lastTransitionTime": now, "lastProbeTime": now} for t in ("SuccessCriteriaMet", "Complete")]
    status, answer = client.ask("PATCH", path + "/j/status", {"status": {"startTime": now, "completionTime": now, "conditions": done, "succeeded": 1}}, **MERGE)
    assert status == 200, answer
    assert get(client, path + "/j")
    assert eventually(lambda: get(client, path + "/j") is None)


def test_volumes_in_use(client):
    claims, pods = "/api/v1/namespaces/default/persistentvolumeclaims", "/api/v1/namespaces/default/pods"
    make(client, claims, {"metadata": {"name": "c"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}})
    make(client, "/api/v1/persistentvolumes", {"metadata": {"name": "v"}, "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
                                                                                   "hostPath": {"path": "/x"}}})
    assert eventually(lambda: get(client, claims + "/c")["metadata"].get("finalizers") == ["kubernetes.io/pvc-protection"])
    assert eventually(lambda: get(client, "/api/v1/persistentvolumes/v")["metadata"].get("finalizers") == ["kubernetes.io/pv-protection"])
    make(client, pods, {"metadata": {"name": "user"}, "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "i"}],
                                                               "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]}})
    assert client.ask("DELETE", claims + "/c")[0] == 200
    time.sleep(0.3)
    assert get(client, claims + "/c")["metadata"]["deletionTimestamp"], "a pod has it"
    assert client.ask("DELETE", pods + "/user", {"gracePeriodSeconds": 0})[0] == 200
    assert eventually(lambda: get(client, claims + "/c") is None)
    assert client.ask("DELETE", "/api/v1/persistentvolumes/v")[0] == 200
    assert eventually(lambda: get(client, "/api/v1/persistentvolumes/v") is None)


def test_classes_of_volumes_in_use(client):
    classes, claims = "/apis/storage.k8s.io/v1/volumeattributesclasses", "/api/v1/namespaces/default/persistentvolumeclaims"
    make(client, classes, {"metadata": {"name": "fast"}, "driverName": "example.com", "parameters": {"iops": "9"}})
    assert eventually(lambda: get(client, classes + "/fast")["metadata"].get("finalizers") == ["kubernetes.io/vac-protection"])
    make(client, claims, {"metadata": {"name": "quick"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
                                                                  "volumeAttributesClassName": "fast"}})
    time.sleep(0.3)
    assert client.ask("DELETE", classes + "/fast")[0] == 200
    time.sleep(0.3)
    assert get(client, classes + "/fast")["metadata"]["deletionTimestamp"], "a claim names it"
    assert client.ask("DELETE", claims + "/quick")[0] == 200
    assert eventually(lambda: get(client, classes + "/fast") is None)


def test_events_go():
    a = Api("--event-ttl=2s", controllers="*").start()
    try:
        client = a.client()
        now = lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())  # noqa: E731
        events = "/api/v1/namespaces/default/events"
        for i in range(300):
            at = "2099-01-01T00:00:00Z" if i == 7 else now()
            make(client, events, {"metadata": {"name": f"e{i}"}, "involvedObject": {"namespace": "default"}, "lastTimestamp": at})
        assert eventually(lambda: names(client, events) == ["e7"]), "what was told later stays"
    finally:
        a.stop()


# --- quotas


def used(client, path, name="q"):
    return (get(client, f"{path}/resourcequotas/{name}").get("status") or {}).get("used")


def pod(name, cpu="100m", **spec):
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "i", "resources": {"requests": {"cpu": cpu}}}], **spec}}


def test_a_quota_is_counted(client):
    """What was there before it, what goes, what ends, what it bounds from now on; and somebody else's word on it does not last."""
    path = namespace(client, "counted")
    for i in range(3):
        make(client, path + "/pods", pod(f"p{i}"))
    make(client, path + "/services", {"metadata": {"name": "s"}, "spec": {"type": "NodePort", "ports": [{"port": 1}]}})
    hard = {"pods": "3", "requests.cpu": "1", "count/secrets": "2", "services.nodeports": "1", "count/replicasets.apps": "1", "example.com/moon": "1"}
    make(client, path + "/resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": hard}})
    wanted = {"pods": "3", "requests.cpu": "300m", "count/secrets": "0", "services.nodeports": "1", "count/replicasets.apps": "0"}
    assert eventually(lambda: used(client, path) == wanted), used(client, path)
    assert get(client, path + "/resourcequotas/q")["status"]["hard"] == hard
    assert client.ask("POST", path + "/pods", pod("more"))[0] == 403
    assert client.ask("DELETE", path + "/pods/p0", {"gracePeriodSeconds": 0})[0] == 200
    assert eventually(lambda: used(client, path)["pods"] == "2")
    make(client, path + "/pods", pod("more", "500m"))
    assert used(client, path)["requests.cpu"] == "700m", "admission has charged it"
    assert client.ask("PATCH", path + "/pods/more/status", {"status": {"phase": "Succeeded"}}, **MERGE)[0] == 200
    assert eventually(lambda: used(client, path)["requests.cpu"] == "200m"), "it has ended"
    assert client.ask("PATCH", path + "/services/s", {"spec": {"type": "ClusterIP", "ports": [{"port": 1, "nodePort": None}]}}, **MERGE)[0] == 200
    assert eventually(lambda: used(client, path)["services.nodeports"] == "0")
    assert client.ask("PATCH", path + "/resourcequotas/q", {"spec": {"hard": {"pods": "9", "requests.cpu": None, "count/pods": "9"}}}, **MERGE)[0] == 200
    assert eventually(lambda: used(client, path).get("count/pods") == "3" and "requests.cpu" not in used(client, path))
    assert client.ask("PATCH", path + "/resourcequotas/q/status", {"status": {"hard": {"pods": "1"}}}, **MERGE)[0] == 200
    assert eventually(lambda: get(client, path + "/resourcequotas/q")["status"]["hard"]["pods"] == "9")
    assert client.ask("DELETE", path)[0] == 200


def test_quotas_with_scopes(client):
    path = namespace(client, "scoped")
    make(client, path + "/resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "5"}, "scopes": ["BestEffort"]}})
    make(client, path + "/resourcequotas", {"metadata": {"name": "ends"}, "spec": {"hard": {"pods": "5"}, "scopes": ["Terminating"]}})
    make(client, path + "/resourcequotas", {"metadata": {"name": "class"}, "spec": {"hard": {"pods": "5"}, "scopeSelector": {"matchExpressions": [
        {"scopeName": "PriorityClass", "operator": "In", "values": ["system-node-critical"]}]}}})
    assert eventually(lambda: all((used(client, path, n) or {}).get("pods") == "0" for n in ("q", "ends", "class")))
    make(client, path + "/pods", {"metadata": {"name": "best"}, "spec": {"containers": [{"name": "c", "image": "i"}], "activeDeadlineSeconds": 600}})
    make(client, path + "/pods", pod("other"))
    assert [used(client, path, n)["pods"] for n in ("q", "ends", "class")] == ["1", "1", "0"]
    assert client.ask("DELETE", path + "/pods/best", {"gracePeriodSeconds": 0})[0] == 200
    assert eventually(lambda: [used(client, path, n)["pods"] for n in ("q", "ends", "class")] == ["0", "0", "0"])
    assert client.ask("DELETE", path)[0] == 200


def test_what_goes_alone_is_counted_at_once(client):
    """Much that goes together is few recounts, for which neither what goes alone waits nor what goes right after it: less than the 20 ms
    in which they are gathered, at least once in ten."""
    path = namespace(client, "alone")
    make(client, path + "/resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": {"count/secrets": "20"}}})
    assert eventually(lambda: used(client, path) == {"count/secrets": "0"})
    least = [1, 1]
    for _ in range(10):
        for name in ("first", "second"):
            make(client, path + "/secrets", {"metadata": {"name": name}})
        for n, name in enumerate(("first", "second")):
            assert client.ask("DELETE", f"{path}/secrets/{name}")[0] == 200
            begin = time.monotonic()
            while used(client, path) != {"count/secrets": str(1 - n)}:
                assert time.monotonic() < begin + 10
            least[n] = min(least[n], time.monotonic() - begin)
        time.sleep(0.05)
    assert max(least) < 0.015, least
    assert client.ask("DELETE", path)[0] == 200


def test_quotas_are_exact(api, client):
    """Objects come and go from many sides while they are counted: never are there more than the quota allows, and in the end it knows."""
    path = namespace(client, "exact")
    make(client, path + "/resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": {"count/secrets": "20"}}})
    assert eventually(lambda: used(client, path) == {"count/secrets": "0"})
    over, made, end = [], [], time.monotonic() + 2

    def churn(n):
        own, mine = api.client(), []
        while time.monotonic() < end:
            name = f"s{n}-{len(made)}"
            if own.ask("POST", path + "/secrets", {"metadata": {"name": name}})[0] == 201:
                made.append(name)
                mine.append(name)
                there = len(get(own, path + "/secrets")["items"])
                if there > 20:
                    over.append(there)
            elif mine:
                assert own.ask("DELETE", f"{path}/secrets/{mine.pop(0)}")[0] == 200
            else:
                time.sleep(0.01)

    threads = [threading.Thread(target=churn, args=(n,)) for n in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not over and len(made) > 20, (over, len(made))
    left = len(get(client, path + "/secrets")["items"])
    assert eventually(lambda: used(client, path) == {"count/secrets": str(left)}), (used(client, path), left)
    assert client.ask("DELETE", path)[0] == 200


@pytest.mark.skipif(not os.path.exists(f"{PEERS}/kubectl"), reason="kubectl is not built (tests/peers/build)")
def test_kubectl_sees_a_quota(api, client):
    path = namespace(client, "seen")
    assert api.kubectl("create", "quota", "q", "--hard=configmaps=2,secrets=1", "-n", "seen").returncode == 0
    assert eventually(lambda: used(client, path) == {"configmaps": "1", "secrets": "0"}), "kube-root-ca.crt counts"
    assert api.kubectl("create", "configmap", "a", "-n", "seen").returncode == 0
    refused = api.kubectl("create", "configmap", "b", "-n", "seen")
    assert "exceeded quota: q, requested: configmaps=1, used: configmaps=2, limited: configmaps=2" in refused.stderr
    assert "configmaps: 2/2, secrets: 0/1" in api.kubectl("get", "quota", "q", "-n", "seen").stdout
    assert api.kubectl("delete", "configmap", "a", "-n", "seen").returncode == 0
    assert eventually(lambda: "configmaps: 1/2" in api.kubectl("get", "quota", "q", "-n", "seen").stdout)
    assert api.kubectl("create", "configmap", "b", "-n", "seen").returncode == 0
    assert api.kubectl("delete", "namespace", "seen").returncode == 0


# --- together


@pytest.mark.skipif(not os.path.exists(f"{PEERS}/kubectl"), reason="kubectl is not built (tests/peers/build)")
def test_kubectl_waits(api, client, maps):
    family(client, maps)
    ns = maps.split("/")[4]
    assert api.kubectl("delete", "configmap", "parent", "-n", ns, "--cascade=foreground").returncode == 0
    assert names(client, maps) == [], "it has waited"
    assert api.kubectl("delete", "namespace", ns).returncode == 0
    assert get(client, f"{NAMESPACES}/{ns}") is None


def test_many_at_a_time(api):
    """Namespaces come and go from several sides; each is empty at its end, and none is left."""
    failed = []

    def churn(n):
        client = api.client()
        for i in range(5):
            path = namespace(client, f"churn-{n}-{i}")
            parent = make(client, path + "/configmaps", {"metadata": {"name": "p"}})
            for j in range(10):
                make(client, path + "/configmaps", owned(f"c{j}", parent))
            if client.ask("DELETE", path)[0] != 200 or not eventually(lambda: get(client, path) is None):
                failed.append(path)

    threads = [threading.Thread(target=churn, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed


def test_which_controllers_run():
    a = Api(controllers="*,-serviceaccount-controller,-root-ca-cert-publisher").start()
    try:
        client = a.client()
        path = namespace(client, "bare")
        make(client, path + "/configmaps", owned("c", {"kind": "ConfigMap", "metadata": {"name": "x", "uid": "00000000-0000-0000-0000-00000000dead"}}))
        assert eventually(lambda: get(client, path + "/configmaps")["items"] == []) and get(client, path + "/serviceaccounts")["items"] == []
    finally:
        a.stop()
    wrong = Api(controllers="*,-nothing")
    with pytest.raises(AssertionError, match='--controllers: "-nothing" is no controller'):
        wrong.start()
    wrong.stop()


# --- elsewhere: the same controllers, over HTTPS

@pytest.mark.skipif(not os.path.exists(RUN), reason="run_controllers is not built (make unit-build)")
def test_over_https():
    """They do there what they do here, go on when the server does, and hear of what came meanwhile."""
    a = Api(controllers="").start()
    there = Elsewhere(a)
    try:
        client = a.client()
        path = namespace(client, "far")
        assert eventually(lambda: get(client, path + "/serviceaccounts/default") and get(client, path + "/configmaps/kube-root-ca.crt"))
        maps = path + "/configmaps"
        for propagation in "Background", "Foreground":
            family(client, maps)
            assert client.ask("DELETE", maps + "/parent", {"propagationPolicy": propagation})[0] == 200
            assert eventually(lambda: names(client, maps) == []), propagation
        for i in range(600):  # more than a page of a list
            make(client, maps, {"metadata": {"name": f"c{i}"}})
        parent = family(client, maps)
        a.end()
        a.start()
        client = a.client()
        assert client.ask("DELETE", maps + "/parent", {"propagationPolicy": "Background"})[0] == 200
        assert eventually(lambda: get(client, maps + "/child") is None and get(client, maps + "/grandchild") is None), parent
        assert client.ask("DELETE", path)[0] == 200
        assert eventually(lambda: not get(client, path))
    finally:
        there.stop()
        a.stop()
