"""What Kubernetes' kube-controller-manager makes of a cluster's objects, and what our controllers do: in nacelle-api, and over HTTPS
beside kube-apiserver."""
import base64
import json
import os
import subprocess
import sys
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../integration"), HERE]

import test_controllers as t  # noqa: E402
from support import workloads  # noqa: E402
from support.api import PEERS, Api, Client, Oracle  # noqa: E402

NEEDED = [f"{PEERS}/{p}" for p in ("etcd", "kube-apiserver", "kube-controller-manager")] + [t.RUN]
pytestmark = pytest.mark.skipif(not all(os.path.exists(p) for p in NEEDED), reason="Kubernetes' own programs are not built")

workloads.PATIENCE = 60  # kube-controller-manager waits for 5 s before it looks at a namespace
CONTROLLERS = ",".join(c + "-controller" for c in (
    "namespace", "garbage-collector", "serviceaccount", "serviceaccount-token", "root-ca-certificate-publisher", "clusterrole-aggregation",
    "certificatesigningrequest-approving", "certificatesigningrequest-signing", "bootstrap-signer"))


def kept(obj, *paths):
    """What of @obj's metadata and of @paths is the same wherever it is made."""
    said = {k: v for k, v in obj["metadata"].items() if k in ("name", "namespace", "annotations", "labels", "finalizers", "ownerReferences")}
    for reference in said.get("ownerReferences", []):
        reference.pop("uid")
    return {"metadata": said, **{p: obj.get(p) for p in paths}}


def claims(token):
    part = token.split(".")[1]
    said = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    said.pop("kubernetes.io/serviceaccount/service-account.uid")
    return said


def scenario(client, directory):
    """Objects go in; what is there in the end, by name."""
    said = {}
    path = t.namespace(client, "c")
    maps = path + "/configmaps"
    assert t.eventually(lambda: t.get(client, path + "/serviceaccounts/default") and t.get(client, maps + "/kube-root-ca.crt"))
    said["account"] = kept(t.get(client, path + "/serviceaccounts/default"))
    said["root CA"] = kept(t.get(client, maps + "/kube-root-ca.crt"), "data")

    # a family, each way; what is in the way of each other is waited for
    for propagation in "Background", "Foreground", "Orphan":
        t.family(client, maps)
        assert client.ask("DELETE", maps + "/parent", {"propagationPolicy": propagation})[0] == 200
        wanted = ["child", "grandchild", "other"] if propagation == "Orphan" else []
        assert t.eventually(lambda: t.names(client, maps) == wanted), propagation  # noqa: B023
        said[propagation] = [kept(t.get(client, f"{maps}/{n}")) for n in wanted]
        for name in wanted[::2]:
            assert client.ask("DELETE", f"{maps}/{name}")[0] == 200
        assert t.eventually(lambda: t.names(client, maps) == [])
    t.family(client, maps)
    client.ask("PATCH", maps + "/grandchild", {"metadata": {"finalizers": ["example.com/a"]}}, **t.MERGE)
    assert client.ask("DELETE", maps + "/parent", {"propagationPolicy": "Foreground"})[0] == 200
    assert t.eventually(lambda: t.names(client, maps) == ["child", "grandchild", "parent"] and
                        t.get(client, maps + "/grandchild")["metadata"].get("deletionTimestamp"))
    said["waiting"] = [kept(t.get(client, f"{maps}/{n}")) for n in ("child", "grandchild", "parent")]
    one = t.make(client, maps, {"metadata": {"name": "one"}})
    ghost = {"kind": "ConfigMap", "metadata": {"name": "ghost", "uid": "00000000-0000-0000-0000-00000000dead"}}
    t.make(client, maps, t.owned("two", one, ghost))
    assert t.eventually(lambda: len(t.get(client, maps + "/two")["metadata"]["ownerReferences"]) == 1)
    said["one of two"] = kept(t.get(client, maps + "/two"))
    elsewhere = t.make(client, "/api/v1/namespaces/default/configmaps", {"metadata": {"name": "elsewhere"}})
    t.make(client, maps, t.owned("astray", elsewhere))
    events = lambda: [e for e in t.get(client, path + "/events")["items"] if e["involvedObject"]["name"] == "astray"]  # noqa: E731
    assert t.eventually(lambda: events() and t.get(client, maps + "/astray") is None)
    event = events()[0]
    said["event"] = [event[k] for k in ("reason", "type", "source", "reportingComponent", "count")] + [event["message"].split(", uid")[0],
                                                                                                 sorted(event["involvedObject"])]

    # tokens, certificates, bootstrap tokens
    t.make(client, path + "/secrets", {"metadata": {"name": "t", "annotations": {"kubernetes.io/service-account.name": "default"}},
                                       "type": "kubernetes.io/service-account-token"})
    assert t.eventually(lambda: "token" in t.get(client, path + "/secrets/t").get("data", {}))
    secret = t.get(client, path + "/secrets/t")
    said["token"] = sorted(secret["data"]), sorted(secret["metadata"]["annotations"]), claims(base64.b64decode(secret["data"]["token"]).decode())
    spec = {"request": t.signing_request(directory, "/O=system:nodes/CN=system:node:n1"), "signerName": "kubernetes.io/kube-apiserver-client-kubelet",
            "usages": ["digital signature", "client auth"]}
    t.make(client, t.CSRS, {"metadata": {"name": "node"}, "spec": spec})
    wrong = t.make(client, t.CSRS, {"metadata": {"name": "wrong"}, "spec": {**spec, "usages": ["server auth"], "signerName": "kubernetes.io/kube-apiserver-client"}})
    wrong["status"] = {"conditions": [{"type": "Approved", "status": "True", "reason": "Tests", "message": "yes"}]}
    assert client.ask("PUT", t.CSRS + "/wrong/approval", wrong)[0] == 200
    assert t.eventually(lambda: "certificate" in t.get(client, t.CSRS + "/node").get("status", {}))
    assert t.eventually(lambda: len(t.get(client, t.CSRS + "/wrong")["status"]["conditions"]) == 2)
    for name in "node", "wrong":
        csr = t.get(client, t.CSRS + "/" + name)
        said[name] = [{k: v for k, v in c.items() if not k.startswith("last")} for c in csr["status"]["conditions"]]
    t.make(client, "/api/v1/namespaces/kube-public/configmaps", {"metadata": {"name": "cluster-info"}, "data": {"kubeconfig": "hello"}})
    t.make(client, "/api/v1/namespaces/kube-system/secrets", {"metadata": {"name": "bootstrap-token-abcdef"}, "type": "bootstrap.kubernetes.io/token", "stringData": {
        "token-id": "abcdef", "token-secret": "0123456789abcdef", "usage-bootstrap-signing": "true"}})
    info = "/api/v1/namespaces/kube-public/configmaps/cluster-info"
    assert t.eventually(lambda: len(t.get(client, info)["data"]) == 2)
    said["cluster-info"] = t.get(client, info)["data"]

    # a namespace that cannot go yet, and why
    held = t.namespace(client, "held")
    t.make(client, held + "/configmaps", {"metadata": {"name": "a", "finalizers": ["example.com/b", "example.com/a"]}})
    t.make(client, "/apis/apps/v1/namespaces/held/deployments", {"metadata": {"name": "d", "finalizers": ["example.com/a"]}, "spec": {
        "selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}})
    assert client.ask("DELETE", held)[0] == 200
    assert t.eventually(lambda: "deployments" in t.conditions(client, "held").get("NamespaceContentRemaining", ("", "", ""))[2])
    said["held"] = t.conditions(client, "held")
    rules = t.get(client, "/apis/rbac.authorization.k8s.io/v1/clusterroles/view")["rules"]
    said["aggregated"] = [r for r in rules if r.get("apiGroups") != ["metrics.k8s.io"]]  # metrics-server's there
    return said


def theirs(api, directory, controllers=CONTROLLERS, scenario=scenario):
    oracle = Oracle(api.pki)
    manager = None
    try:
        oracle.start()
        config = kubeconfig(api, oracle, directory)
        with open(directory / "manager.log", "wb") as log:
            manager = subprocess.Popen([f"{PEERS}/kube-controller-manager", f"--kubeconfig={config}", "--leader-elect=false", "--secure-port=0", f"--controllers={controllers}",
                                        f"--root-ca-file={api.pki}/ca.crt", f"--service-account-private-key-file={api.pki}/sa.key", "--use-service-account-credentials",
                                        f"--cluster-signing-cert-file={api.pki}/ca.crt", f"--cluster-signing-key-file={api.pki}/ca.key"],
                                       stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        return scenario(Client(oracle.port, api.pki), directory)
    finally:
        if manager:
            manager.terminate()
            manager.wait(20)
        oracle.stop()


def kubeconfig(api, oracle, directory):
    path = directory / "kubeconfig"
    path.write_text(open(api.kubeconfig).read().replace(f"127.0.0.1:{api.port}", f"127.0.0.1:{oracle.port}"))
    return path


def test_as_kube_controller_manager(tmp_path):
    api = Api(controllers="*").start()
    try:
        ours = scenario(api.client(), tmp_path)
        assert ours == theirs(api, tmp_path)
    finally:
        api.stop()


def test_beside_kube_apiserver(tmp_path):
    """The same controllers, which have never heard of any server but ours, clean up behind kube-apiserver."""
    api = Api(controllers="").start()
    oracle = Oracle(api.pki)
    process = None
    try:
        oracle.start()
        with open(tmp_path / "log", "wb") as log:
            process = subprocess.Popen([t.RUN, str(kubeconfig(api, oracle, tmp_path)), "*", api.pki], stdin=subprocess.PIPE, stdout=log, stderr=log)
        client = Client(oracle.port, api.pki)
        t.test_namespace_has_an_account_and_the_root_ca(api, client)
        for test in t.test_namespace_says_what_holds_it, t.test_pods_go_first, t.test_volumes_in_use, t.test_finished_jobs, t.test_a_quota_is_counted:
            test(client)
        for test in t.test_background, t.test_foreground, t.test_orphans, t.test_owners_that_are_not_there, t.test_a_circle_goes:
            test(client, t.namespace(client, f"gc-{time.monotonic_ns()}") + "/configmaps")
    finally:
        if process:
            process.stdin.close()
            assert process.wait(20) == 0
        oracle.stop()
        api.stop()
