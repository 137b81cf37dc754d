"""Identities beside Kubernetes' own programs: our agent joins a stock kube-apiserver by a bootstrap token, and the stock kubelet asks nacelle-api for its."""
import os
import time

import pytest
from stock_kubelet import Kubelet
from support.api import PEERS, Api, Client, Oracle
from support.join import TOKEN, dates, open_to_nodes, openssl, serial, sign, write_kubeconfig
from support.node import Node, wait_for

CSRS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"


@pytest.fixture(scope="module")
def keys():
    api = Api(controllers="*").start()
    open_to_nodes(api.client())
    yield api
    api.stop()


class Kubernetes(Oracle):
    """kube-apiserver with bootstrap tokens, and kube-controller-manager, which approves and signs."""

    def run(self, name, *args):
        super().run(name, *args, *(["--enable-bootstrap-token-auth"] if name == "kube-apiserver" else []))

    def start(self):
        super().start()
        self.kubeconfig = write_kubeconfig(self.directory + "/admin.conf", self, {"client-certificate": self.pki + "/admin.crt", "client-key": self.pki + "/admin.key"})
        self.run("kube-controller-manager", "--kubeconfig", self.kubeconfig, "--controllers=csrapproving,csrsigning", f"--cluster-signing-cert-file={self.pki}/ca.crt",
                 f"--cluster-signing-key-file={self.pki}/ca.key", "--leader-elect=false", "--secure-port=0")
        return self

    def client(self):
        return Client(self.port, self.pki)


def has_node(client, name):
    status, node = client.ask("GET", f"/api/v1/nodes/{name}")
    return status == 200 and any(c["type"] == "Ready" for c in node.get("status", {}).get("conditions", []))


@pytest.mark.skipif(not all(os.path.exists(f"{PEERS}/{p}") for p in ("etcd", "kube-apiserver", "kube-controller-manager")), reason="no Kubernetes")
def test_our_agent_joins_kube_apiserver(keys, tmp_path):
    oracle = Kubernetes(keys.pki).start()
    n = Node()
    try:
        client = oracle.client()
        open_to_nodes(client)
        own, pem = n.dir + "/kubelet.conf", n.root + "/pki/kubelet-client-current.pem"
        n.options += ["--kubeconfig", own, "--bootstrap-kubeconfig", write_kubeconfig(n.dir + "/bootstrap.conf", oracle, {"token": TOKEN}),
                      "--rotate-certificates=true"]
        n.start()
        wait_for("Node", lambda: has_node(client, n.name), timeout=60)
        # a certificate that is over: 401 there, and the token is tried again
        before = serial(pem)
        n.kill()
        with open(pem, "w") as f:
            f.write(sign(keys, tmp_path, n.name, 1600000000, 1600001000))
        n.start()
        wait_for("another certificate", lambda: has_two(client) and dates(pem)[1] > time.time(), timeout=60)
        assert serial(pem) != before
    finally:
        n.stop()
        oracle.stop()


def has_two(client):
    return len([c for c in client.ask("GET", CSRS)[1]["items"] if c.get("status", {}).get("certificate")]) == 2


@pytest.mark.skipif(not os.path.exists(f"{PEERS}/kubelet"), reason="no kubelet")
def test_the_stock_kubelet_joins_by_a_token(keys):
    """Its client certificate by the token; its serving one, which is approved for what its Node has recorded and nobody else is known by."""
    client, n = keys.client(), Node("--runtime-only").start()
    own, bootstrap = n.dir + "/kubelet.conf", write_kubeconfig(n.dir + "/bootstrap.conf", keys, {"token": TOKEN})
    kubelet = Kubelet(n, config="rotateCertificates: true\nserverTLSBootstrap: true\n", without=("authentication", "authorization", "registerNode"),
                      flags=("--kubeconfig", own, "--bootstrap-kubeconfig", bootstrap))
    try:
        wait_for("Node", lambda: has_node(client, "stock"), timeout=60)
        assert "CN = system:node:stock" in openssl("x509", "-noout", "-subject", "-in", kubelet.dir + "/pki/kubelet-client-current.pem")
        wait_for("serving certificate", lambda: os.path.exists(kubelet.dir + "/pki/kubelet-server-current.pem"), timeout=60)
    except AssertionError as e:
        raise AssertionError(f"{e}\n{kubelet.text()[-3000:]}") from None
    finally:
        kubelet.stop()
        n.stop()
