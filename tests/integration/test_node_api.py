"""The agent as a node of nacelle-api's cluster: real services, one connection with the node's own certificate."""
import base64
import json
import os
import signal
import subprocess
import threading
import time

import pytest
from support.api import Api
from support.node import Node, pod, wait_for

CSRS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
PODS = "/api/v1/namespaces/default/pods"


def get(client, path):
    status, body = client.ask("GET", path)
    return body if status == 200 else None


def kubeconfig(api, client, directory, name):
    """That of node `name`: its key signed by the cluster, as a bootstrapping kubelet asks for it."""
    subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{directory}/{name}.key",
                    "-out", f"{directory}/{name}.csr", "-subj", f"/O=system:nodes/CN=system:node:{name}"], check=True, capture_output=True)
    with open(f"{directory}/{name}.csr", "rb") as f:
        spec = {"request": base64.b64encode(f.read()).decode(), "signerName": "kubernetes.io/kube-apiserver-client-kubelet",
                "usages": ["digital signature", "client auth"]}
    status, made = client.ask("POST", CSRS, {"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": name}, "spec": spec})
    assert status == 201, made
    signed = wait_for("certificate", lambda: get(client, f"{CSRS}/{name}").get("status", {}).get("certificate"))
    with open(f"{directory}/{name}.crt", "wb") as f:
        f.write(base64.b64decode(signed))
    config = {"apiVersion": "v1", "kind": "Config", "current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
              "clusters": [{"name": "c", "cluster": {"server": f"https://127.0.0.1:{api.port}", "certificate-authority": f"{api.pki}/ca.crt"}}],
              "users": [{"name": "u", "user": {"client-certificate": f"{directory}/{name}.crt", "client-key": f"{directory}/{name}.key"}}]}
    path = f"{directory}/{name}.kubeconfig"
    with open(path, "w") as f:
        json.dump(config, f)
    return path


@pytest.fixture(scope="module")
def api():
    a = Api(controllers="*").start()
    yield a
    a.stop()


@pytest.fixture
def client(api):
    return api.client()


@pytest.fixture(scope="module")
def joined(api, busybox_archive, tmp_path_factory):
    n = Node()
    n.options += ["--kubeconfig", kubeconfig(api, api.client(), tmp_path_factory.mktemp("node"), n.name)]
    n.start()
    n.nacelle("import", busybox_archive)
    wait_for("Node", lambda: get(api.client(), f"/api/v1/nodes/{n.name}"))
    yield n
    for name in api.kubectl("get", "pods", "-A", "-o", "name").stdout.split():
        api.kubectl("delete", name, "--now")
    n.stop()


def conditions(of):
    return {c["type"]: c for c in of.get("status", {}).get("conditions", [])}


def test_the_node_is_there(api, client, joined):
    node = wait_for("heartbeat", lambda: (lambda n: n if conditions(n)["Ready"]["lastHeartbeatTime"] else None)(get(client, f"/api/v1/nodes/{joined.name}")))
    assert {t: c["status"] for t, c in conditions(node).items()} == {"Ready": "True", "MemoryPressure": "False", "DiskPressure": "False", "PIDPressure": "False"}
    assert node["metadata"]["labels"]["kubernetes.io/hostname"] == joined.name and node["metadata"]["labels"]["kubernetes.io/os"] == "linux"
    assert {a["type"]: a["address"] for a in node["status"]["addresses"]} == {"InternalIP": "127.0.0.1", "Hostname": joined.name}
    assert set(node["status"]["capacity"]) == set(node["status"]["allocatable"]) == {"cpu", "memory", "pods", "ephemeral-storage"}
    assert node["status"]["nodeInfo"]["kernelVersion"] == os.uname().release
    listed = api.kubectl("get", "nodes", "-o", "wide").stdout.splitlines()
    assert listed[1].split()[:2] == [joined.name, "Ready"], listed
    lease = wait_for("lease", lambda: get(client, f"{LEASES}/{joined.name}"))
    assert lease["spec"]["holderIdentity"] == joined.name and lease["spec"]["leaseDurationSeconds"] == 40
    first = lease["spec"]["renewTime"]
    wait_for("renewal", lambda: get(client, f"{LEASES}/{joined.name}")["spec"]["renewTime"] != first, timeout=15, interval=0.2)


def test_a_deleted_node_registers_again(client, joined):
    uid = get(client, f"/api/v1/nodes/{joined.name}")["metadata"]["uid"]
    assert client.ask("DELETE", f"/api/v1/nodes/{joined.name}")[0] == 200
    joined.restart()
    wait_for("Node", lambda: (get(client, f"/api/v1/nodes/{joined.name}") or {}).get("metadata", {}).get("uid", uid) != uid)
