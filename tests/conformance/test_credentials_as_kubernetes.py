"""Keys, certificates and tokens that api/pki and api/auth make, taken by Kubernetes' own programs, and the other way round."""
import base64
import json
import os
import ssl
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../integration"), HERE]

import control_plane  # noqa: E402
from support.node import BUILD, PEERS  # noqa: E402

CREDENTIALS = BUILD + "/tests/conformance/credentials"
TOKEN = "/api/v1/namespaces/default/serviceaccounts/robot/token"

pytestmark = pytest.mark.skipif(not control_plane.available() or not os.path.exists(PEERS + "/kubectl"), reason="Kubernetes' own programs are not built")


class Stock(control_plane.ControlPlane):
    """kube-apiserver that serves with our certificate, trusts our authority, and issues tokens with our key."""

    def __init__(self, directory):
        self.ours = directory
        self.make("https://127.0.0.1:1")
        pki = directory + "/pki"
        super().__init__("Node,RBAC", f"--client-ca-file={pki}/ca.crt", f"--tls-cert-file={pki}/apiserver.crt", f"--tls-private-key-file={pki}/apiserver.key",
                         "--enable-bootstrap-token-auth=true", sa_key=pki + "/sa.key", sa_pub=pki + "/sa.pub")
        self.make(self.url)

    def make(self, url, *args, stdin=""):
        self.server = url
        return subprocess.run([CREDENTIALS, self.ours, url, *args], input=stdin, check=True, capture_output=True, text=True).stdout

    def ours_says(self, *args, stdin=""):
        return self.make(self.server, *args, stdin=stdin)

    def get(self, path, token=None, body=None):
        request = urllib.request.Request(self.url + path, data=json.dumps(body).encode() if body else None,
                                         headers={"Authorization": "Bearer " + (token or control_plane.TOKEN), "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=20, context=ssl.create_default_context(cafile=self.ours + "/pki/ca.crt")) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def kubectl(self, *args, kubeconfig=None, check=True):
        return subprocess.run([PEERS + "/kubectl", "--kubeconfig", kubeconfig or self.ours + "/admin.kubeconfig", *args], capture_output=True, text=True, check=check,
                              env={**os.environ, "HOME": self.dir})


@pytest.fixture(scope="module")
def stock(tmp_path_factory):
    s = Stock(str(tmp_path_factory.mktemp("pki")))
    try:
        yield s
    finally:
        s.stop()


@pytest.fixture(scope="module")
def robot(stock):
    status, answer = stock.get("/api/v1/namespaces/default/serviceaccounts", body={"metadata": {"name": "robot"}})
    assert status == 201
    return json.loads(answer)["metadata"]["uid"]


def test_kubectl_with_our_kubeconfig(stock):
    who = json.loads(stock.kubectl("auth", "whoami", "-o", "json").stdout)["status"]["userInfo"]
    assert who["username"] == "kubernetes-admin" and who["groups"] == ["system:masters", "system:authenticated"]
    stock.kubectl("create", "configmap", "ours")


def test_our_token_there(stock, robot):
    token = stock.ours_says("token", "default", "robot", robot).strip()
    status, answer = stock.get("/apis/authentication.k8s.io/v1/selfsubjectreviews", token, {"kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1"})
    user = json.loads(answer)["status"]["userInfo"]
    assert status == 201 and user["username"] == "system:serviceaccount:default:robot" and user["uid"] == robot
    own = json.loads(stock.ours_says("review", robot, stdin=token))
    assert own["user"] == user
    status, _ = stock.get("/apis/authentication.k8s.io/v1/selfsubjectreviews", token[:-8] + "AAAAAAAA", {"kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1"})
    assert status == 401


def test_their_token_here(stock, robot):
    status, answer = stock.get("/api/v1/namespaces/default/secrets", body={"metadata": {"name": "s"}})
    assert status == 201
    secret = json.loads(answer)["metadata"]["uid"]
    for ref in [None, {"kind": "Secret", "apiVersion": "v1", "name": "s", "uid": secret}]:
        status, answer = stock.get(TOKEN, body={"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"boundObjectRef": ref}})
        assert status == 201, answer
        token = json.loads(answer)["status"]["token"]
        review = json.loads(stock.get("/apis/authentication.k8s.io/v1/tokenreviews", body={"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "spec": {"token": token}})[1])
        own = json.loads(stock.ours_says("review", robot, stdin=token))
        if ref:  # every object has the account's uid here, so that the secret's is another
            assert not own.get("authenticated") and "another now" in own["error"]
            continue
        assert own["user"] == review["status"]["user"] and own["authenticated"] and review["status"]["authenticated"]


def test_claims_are_theirs(stock, robot):
    def parts(token):
        return [json.loads(base64.urlsafe_b64decode(p + "==")) for p in token.split(".")[:2]]
    theirs = parts(json.loads(stock.get(TOKEN, body={"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}})[1])["status"]["token"])
    own = parts(stock.ours_says("token", "default", "robot", robot).strip())
    assert own[0] == theirs[0]
    assert list(own[1]) == list(theirs[1])
    variable = {"exp", "iat", "nbf", "jti"}
    assert {k: v for k, v in own[1].items() if k not in variable} == {k: v for k, v in theirs[1].items() if k not in variable}
    assert own[1]["exp"] - own[1]["iat"] == theirs[1]["exp"] - theirs[1]["iat"] and own[1]["nbf"] == own[1]["iat"]


def test_discovery_documents_are_theirs(stock):
    theirs = stock.get("/.well-known/openid-configuration")[1]
    own = stock.ours_says("discovery", json.loads(theirs)["jwks_uri"]).splitlines()
    assert own == [theirs, stock.get("/openid/v1/jwks")[1]]


def test_a_node_with_our_certificate(stock, tmp_path):
    key, request, certificate, config = (str(tmp_path / n) for n in ("key", "csr", "crt", "config"))
    subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-subj", "/O=system:nodes/CN=system:node:n1", "-out",
                    request], check=True, capture_output=True)
    with open(request) as r, open(certificate, "w") as c:
        c.write(stock.ours_says("sign", "kubernetes.io/kube-apiserver-client-kubelet", "digital signature", "client auth", stdin=r.read()))
    base = json.loads(stock.kubectl("config", "view", "--raw", "-o", "json").stdout)
    base["users"][0]["user"] = {"client-certificate": certificate, "client-key": key}
    with open(config, "w") as f:
        json.dump(base, f)
    who = json.loads(stock.kubectl("auth", "whoami", "-o", "json", kubeconfig=config).stdout)["status"]["userInfo"]
    assert who["username"] == "system:node:n1" and who["groups"] == ["system:nodes", "system:authenticated"]
    refused = stock.kubectl("get", "nodes", kubeconfig=config, check=False)
    assert "node 'n1' cannot read all nodes, only its own Node object" in refused.stderr
