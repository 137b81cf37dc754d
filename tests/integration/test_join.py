"""How a node gets its identity, keeps it, and comes back with it: real services, certificates and clocks."""
import base64
import glob
import http.client
import json
import os
import socket
import ssl
import time

import pytest
from support.api import Api
from support.join import TOKEN, dates, open_to_nodes, openssl, put_token, serial, sign, write_kubeconfig
from support.node import Node, wait_for

CSRS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"


def get(client, path):
    status, body = client.ask("GET", path)
    return body if status == 200 else None


@pytest.fixture(scope="module")
def api():
    a = Api(controllers="*").start()
    open_to_nodes(a.client())
    yield a
    a.stop()


class Joining(Node):
    """An agent with a directory for its identity."""

    def __init__(self, api, *options, user=None, **kwargs):
        super().__init__(**kwargs)
        self.left = False
        self.api, self.own, self.pem = api, self.dir + "/kubelet.conf", self.root + "/pki/kubelet-client-current.pem"
        self.bootstrap = write_kubeconfig(self.dir + "/bootstrap.conf", api, user or {"token": TOKEN})
        self.options += ["--kubeconfig", self.own, "--bootstrap-kubeconfig", self.bootstrap, *options]

    def has(self, pem):
        """This certificate, with the kubeconfig that names it."""
        os.makedirs(self.root + "/pki", exist_ok=True)
        with open(self.pem, "w") as f:
            f.write(pem)
        write_kubeconfig(self.own, self.api, {"client-certificate": self.pem, "client-key": self.pem})

    def leave(self):
        self.left = True
        self.stop()
        if os.path.exists(self.api.pki):
            self.api.client().ask("DELETE", f"/api/v1/nodes/{self.name}")

    def requests(self, client):
        return [c for c in get(client, CSRS)["items"] if openssl("req", "-noout", "-subject", input=decode(c)).strip().endswith(f"system:node:{self.name}")]


def decode(csr):
    return base64.b64decode(csr["spec"]["request"]).decode()


@pytest.fixture
def join(api):
    made = []

    def make(*options, **kwargs):
        made.append(Joining(kwargs.pop("api", api), *options, **kwargs))
        return made[-1]

    make.nodes = made
    yield make
    for n in made:
        if not n.left:
            n.leave()


def is_ready(client, n):
    node = get(client, f"/api/v1/nodes/{n.name}") or {}
    return any(c["type"] == "Ready" and c["status"] == "True" for c in node.get("status", {}).get("conditions", []))


def renewed(client, n):
    return (get(client, f"{LEASES}/{n.name}") or {}).get("spec", {}).get("renewTime")


def as_node(api, pem, method, path, body=None):
    """What the API answers to who has this certificate and its key."""
    context = ssl.create_default_context(cafile=f"{api.pki}/ca.crt")
    context.load_cert_chain(pem)
    connection = http.client.HTTPSConnection("127.0.0.1", api.port, context=context, timeout=10)
    connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_a_token_makes_a_node(client, join):
    n = join().start()
    wait_for("Node", lambda: is_ready(client, n))
    assert os.stat(n.own).st_mode & 0o777 == os.stat(n.pem).st_mode & 0o777 == 0o600
    assert openssl("x509", "-noout", "-subject", "-in", n.pem).strip() in (f"subject=O = system:nodes, CN = system:node:{n.name}",)
    made = n.requests(client)
    assert [c["spec"]["username"] for c in made] == ["system:bootstrap:" + TOKEN[:6]] and made[0]["metadata"]["name"].startswith("node-csr-")
    assert not [f for f in os.listdir(n.root + "/pki") if f.endswith(".tmp")]
    before = serial(n.pem)
    os.unlink(n.bootstrap)
    first = renewed(client, n)
    n.restart()
    wait_for("lease", lambda: renewed(client, n) != first)
    assert serial(n.pem) == before and len(n.requests(client)) == 1


def test_a_crash_before_the_kubeconfig_is_made_whole(client, join):
    n = join().start()
    wait_for("Node", lambda: is_ready(client, n))
    n.kill()
    os.unlink(n.own)
    before = serial(n.pem)
    n.start()
    wait_for("kubeconfig", lambda: os.path.exists(n.own))
    wait_for("Node", lambda: is_ready(client, n))
    assert serial(n.pem) == before and len(n.requests(client)) == 1


def test_a_restart_goes_on_with_its_request(client, join):
    """The key is kept before it is shown: who is killed while nobody has signed asks for no second certificate."""
    api = Api(controllers="*,-certificatesigningrequest-approving-controller").start()
    try:
        open_to_nodes(api.client())
        n = join(api=api).start()
        wait_for("request", lambda: n.requests(api.client()))
        n.restart()
        wait_for("key", lambda: os.path.exists(n.root + "/pki/kubelet-client.key.tmp"))
        made = n.requests(api.client())[0]
        made["status"]["conditions"] = [{"type": "Approved", "status": "True", "reason": "Test", "message": "a person has looked"}]
        assert api.client().ask("PUT", f"{CSRS}/{made['metadata']['name']}/approval", made)[0] == 200
        wait_for("Node", lambda: is_ready(api.client(), n))
        assert len(n.requests(api.client())) == 1
        n.leave()
    finally:
        api.stop()


def test_a_wrong_token_is_told_and_replaced(client, join):
    n = join(user={"token": "ffffff.0123456789abcdef"}).start()
    wait_for("words", lambda: "client certificate: Unauthorized" in n.log())
    put_token(client, "ffffff.0123456789abcdef")
    wait_for("Node", lambda: is_ready(client, n), timeout=30)


def test_neither_kubeconfig_nor_bootstrap(join):
    n = join()
    os.unlink(n.bootstrap)
    n.start(wait=False)
    assert n.process.wait(10) == 1
    assert f"neither {n.own} is there nor {n.bootstrap} (--bootstrap-kubeconfig)" in n.log()


def test_a_certificate_is_renewed_before_its_end(api, client, join, tmp_path):
    n, now = join(), int(time.time())
    n.has(sign(api, tmp_path, n.name, now - 1, now + 14))
    os.unlink(n.bootstrap)
    n.start()
    wait_for("Node", lambda: is_ready(client, n))
    before = serial(n.pem)
    wait_for("another certificate", lambda: serial(n.pem) != before)
    assert now + 0.7 * 15 - 2 <= time.time() <= now + 14
    assert n.requests(client)[0]["spec"]["username"] == f"system:node:{n.name}"
    first = renewed(client, n)
    time.sleep(max(0, now + 15 - time.time()))
    wait_for("lease by the new one", lambda: renewed(client, n) != first, timeout=25)
    assert n.log().count("there is a new one") == 1


def test_who_was_off_comes_back(api, client, join, tmp_path):
    n, now = join(), int(time.time())
    n.has(sign(api, tmp_path, n.name, now - 60, now + 12))
    os.unlink(n.bootstrap)
    n.options += ["--rotate-certificates=false"]
    n.start()
    wait_for("Node", lambda: is_ready(client, n), timeout=11)
    n.kill()
    n.options.pop()
    while time.time() <= now + 13:
        time.sleep(0.1)
    old = n.dir + "/old.pem"
    with open(n.pem) as f, open(old, "w") as to:
        to.write(f.read())
    # what a node may with a certificate that is over: ask for its next one
    status, text = as_node(api, old, "GET", f"/api/v1/nodes/{n.name}")
    assert status == 403 and "may ask for a new one" in text, text
    assert as_node(api, old, "GET", "/api")[0] == as_node(api, old, "GET", CSRS)[0] == 403
    first = renewed(client, n)
    n.start()
    wait_for("lease", lambda: renewed(client, n) != first)
    assert dates(n.pem)[1] > now + 86400
    # and once its Node is gone, not that either
    n.kill()
    assert client.ask("DELETE", f"/api/v1/nodes/{n.name}")[0] == 200
    assert as_node(api, old, "GET", f"/api/v1/nodes/{n.name}")[0] == 401
    # which another machine of the same name does not change
    n.start()
    wait_for("Node", lambda: is_ready(client, n))
    assert as_node(api, old, "GET", f"/api/v1/nodes/{n.name}")[0] == 401


def clock(offset):
    """What makes a program's wall clock another one (libfaketime)."""
    return {"LD_PRELOAD": glob.glob("/usr/lib/*/faketime/libfaketime.so.1")[0], "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


@pytest.mark.parametrize("offset", ["-30y", "+30y"])
def test_a_node_whose_clock_is_wrong(client, join, offset):
    n = join(env=clock(offset)).start()
    wait_for("Node", lambda: is_ready(client, n))
    assert abs(dates(n.pem)[0] - time.time()) < 3600
    n.restart()
    first = renewed(client, n)
    wait_for("lease", lambda: renewed(client, n) != first)
    # its certificate is in doubt once a start, and not again
    wait_for("renewal", lambda: len(n.requests(client)) == 2)
    time.sleep(3)
    assert len(n.requests(client)) == 2


def test_a_service_whose_clock_was_wrong(join):
    """Off for three years by the service's clock; and then a clock that is right again."""
    api = Api(controllers="*")
    try:
        api.env = clock("-3y")
        open_to_nodes_untimed(api.start())
        n = join(api=api).start()
        wait_for("registration", lambda: f"node {n.name}: registered" in n.log())
        assert dates(n.pem)[1] < time.time()
        api.end()
        api.env = {}
        api.start()
        wait_for("another certificate", lambda: dates(n.pem)[1] > time.time(), timeout=60)
        wait_for("Node", lambda: is_ready(api.client(), n), timeout=30)
        n.leave()
    finally:
        api.stop()


def open_to_nodes_untimed(api):
    """With a client that believes in the service's time."""
    real, ssl.create_default_context = ssl.create_default_context, untimed
    try:
        open_to_nodes(api.client())
    finally:
        ssl.create_default_context = real


def untimed(cafile=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile)
    context.verify_flags |= 0x200000 # X509_V_FLAG_NO_CHECK_TIME
    return context


def shakes_hands(port, authority):
    try:
        with socket.create_connection(("127.0.0.1", port)) as s, ssl.create_default_context(cafile=authority).wrap_socket(s, server_hostname="127.0.0.1"):
            return True
    except ssl.SSLError:
        return False


def test_a_serving_certificate(api, client, join):
    config = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nserverTLSBootstrap: true\n"
    n = join(config=config).start()
    pem = n.root + "/pki/kubelet-server-current.pem"
    wait_for("Node", lambda: is_ready(client, n))
    # 127.0.0.1 is also the API's: approved on its own host alone, which an administrator's label tells
    wait_for("request", lambda: "is left to others to approve: 127.0.0.1: the API service" in api.log())
    assert not os.path.exists(pem)
    assert client.ask("PATCH", f"/api/v1/nodes/{n.name}", {"metadata": {"labels": {"node-role.kubernetes.io/control-plane": ""}}},
                      **{"Content-Type": "application/merge-patch+json"})[0] == 200
    wait_for("certificate", lambda: os.path.exists(pem))
    text = openssl("x509", "-noout", "-ext", "subjectAltName,extendedKeyUsage", "-in", pem)
    # it is what the node serves with
    port = get(client, f"/api/v1/nodes/{n.name}")["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"]
    wait_for("handshake", lambda: shakes_hands(port, api.pki + "/ca.crt"))
    assert f"DNS:{n.name}" in text and "IP Address:127.0.0.1" in text and "TLS Web Server Authentication" in text


def ask_serving(api, directory, who, name, *sans, code=201):
    """A serving request for node `name` by who has the certificate `who`; its name."""
    made = f"serving-{time.monotonic_ns()}"
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{directory}/{made}.key", "-out", f"{directory}/{made}.csr",
            "-subj", f"/O=system:nodes/CN=system:node:{name}", "-addext", "subjectAltName=" + ",".join(sans))
    with open(f"{directory}/{made}.csr", "rb") as f:
        spec = {"request": base64.b64encode(f.read()).decode(), "signerName": "kubernetes.io/kubelet-serving", "usages": ["digital signature", "server auth"]}
    status, text = as_node(api, who, "POST", CSRS, {"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": made}, "spec": spec})
    assert status == code, text
    return made


def test_what_serving_certificates_nodes_may_have(api, client, tmp_path):
    """A node writes its own addresses: that does not make it the API, a Service or another node."""
    now, pems = int(time.time()), {}
    for name, addresses in (("first", ["10.9.0.1", "10.9.0.3"]), ("second", ["10.9.0.2", "10.9.0.3", "127.0.0.1", "10.96.0.1"])):
        pems[name] = str(tmp_path / name)
        (tmp_path / name).write_text(sign(api, tmp_path, name, now - 60, now + 600))
        hosts = [{"type": "Hostname", "address": h} for h in ([name] if name == "first" else [name, "kubernetes.default.svc", "web.default.svc", "first"])]
        status, text = as_node(api, pems[name], "POST", "/api/v1/nodes", {"kind": "Node", "apiVersion": "v1", "metadata": {"name": name}, "status": {
            "addresses": [{"type": "InternalIP", "address": a} for a in addresses] + hosts}})
        assert status == 201, text
    refused = [ask_serving(api, tmp_path, pems["second"], "second", *sans) for sans in (
        ["IP:10.9.0.1"], ["IP:10.9.0.2", "IP:10.9.0.3"], ["IP:127.0.0.1"], ["IP:10.96.0.1"], ["DNS:kubernetes.default.svc"], ["DNS:web.default.svc"],
        ["DNS:first"], ["DNS:elsewhere", "IP:10.9.0.2"])]
    ask_serving(api, tmp_path, pems["second"], "first", "IP:10.9.0.1", code=403)
    taken = [ask_serving(api, tmp_path, pems["second"], "second", "IP:10.9.0.2", "DNS:second"), ask_serving(api, tmp_path, pems["first"], "first", "IP:10.9.0.1")]
    for made in taken:
        wait_for("certificate", lambda: get(client, f"{CSRS}/{made}")["status"].get("certificate"))
    for made in refused:
        assert not get(client, f"{CSRS}/{made}")["status"], made
    for name in pems:
        client.ask("DELETE", f"/api/v1/nodes/{name}")
