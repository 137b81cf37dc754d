"""The corpus of tests/differential, replayed against nacelle-api and kube-apiserver: they differ where exceptions.txt says so, nowhere else."""
import base64
import http.client
import json
import os
import pathlib
import socket
import sys

import pytest

from support.api import PEERS, REPO, Api, Oracle

sys.path.insert(0, REPO + "/tests/differential")
import differential  # noqa: E402

pytestmark = pytest.mark.skipif(not all(os.path.exists(f"{PEERS}/{n}") for n in ("kube-apiserver", "etcd")),
                                reason="kube-apiserver and etcd are not built (tests/peers/build)")
CORPUS = sorted(pathlib.Path(REPO, "tests/differential/corpus").glob("*.txt"))


@pytest.fixture(scope="module")
def servers():
    api = Api("--service-cluster-ip-range", differential.RANGES, "--enable-admission-plugins", differential.PLUGINS).start()
    oracle = Oracle(api.pki, differential.PLUGINS, differential.RANGES)
    try:
        oracle.start()
        yield differential.Server("kube-apiserver", oracle.port, api.pki), differential.Server("nacelle-api", api.port, api.pki)
    finally:
        oracle.stop()
        api.stop()


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_as_kube_apiserver(servers, path):
    said = []
    compared, differ = differential.run(*servers, [path], said.append)
    assert compared > 0 and differ == 0, "\n".join(said)


# kube-apiserver's checks of what is not here: a certificate for its own requests, apiservers of other versions, custom kinds, aggregation.
NO_CHECKS = {"loopback-serving-certificate", "autoregister-completion"} | {f"poststarthook/{hook}" for hook in (
    "start-apiserver-admission-initializer", "priority-and-fairness-filter", "storage-object-count-tracker-hook", "start-apiextensions-informers",
    "start-apiextensions-controllers", "crd-informer-synced", "peer-endpoint-reconciler-controller", "start-kube-apiserver-identity-lease-controller",
    "start-kube-apiserver-identity-lease-garbage-collector", "start-kube-aggregator-informers", "apiservice-status-local-available-controller",
    "apiservice-status-remote-available-controller", "apiservice-registration-controller", "apiservice-discovery-controller",
    "kube-apiserver-autoregistration", "apiservice-openapi-controller", "apiservice-openapiv3-controller")}


def get(server, path):
    status, headers, text = server.ask({"method": "GET", "path": path, "headers": {}, "body": ""})
    return status, headers, [line for line in text.splitlines() if not any(f"]{name} " in line for name in NO_CHECKS)]


@pytest.mark.parametrize("page", ["livez", "readyz", "healthz"])
def test_checks_of_health(servers, page):
    """By the same names, in the same order, and each by itself."""
    for query in ("?verbose", "?verbose=1&exclude=etcd&exclude=poststarthook/rbac/bootstrap-roles&exclude=nope&exclude=shutdown", ""):
        theirs, ours = (get(server, f"/{page}{query}") for server in servers)
        assert theirs == ours
    names = [line[3:].rpartition(" ")[0] for line in get(servers[1], f"/{page}?verbose")[2][:-1]]
    assert len(names) == (18 if page == "readyz" else 15)
    for name in names:
        theirs, ours = (get(server, f"/{page}/{name}") for server in servers)
        assert theirs == ours and ours[::2] == (200, ["ok"]), name


def test_what_the_checks_came_to(servers):
    """/metrics/slis: each page's checks, which asking for one by itself does not count."""
    theirs, ours = (get(server, "/metrics/slis")[2] for server in servers)
    for server in servers:
        assert get(server, "/livez")[0] == get(server, "/livez?exclude=etcd")[0] == get(server, "/livez/ping")[0] == get(server, "/livez/etcd")[0] == 200
    for before, server in zip((theirs, ours), servers):
        grown = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in get(server, "/metrics/slis")[2] if not line.startswith("#")}
        was = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in before if not line.startswith("#")}
        for name, more in (("ping", 2), ("etcd", 1)):
            sample = f'kubernetes_healthchecks_total{{name="{name}",status="success",type="livez"}}'
            assert grown[sample] - was.get(sample, 0) == more and grown[f'kubernetes_healthcheck{{name="{name}",type="livez"}}'] == 1
    kept = [[line.rpartition(" ")[0] if line[0] != "#" else line for line in get(server, "/metrics/slis")[2]
             if f'"error"' not in line and "process_start" not in line and not any(f'name="{name}"' in line for name in NO_CHECKS)] for server in servers]
    assert kept[0] == kept[1]


def refused(server, head, body, later):
    """What a connection says to a POST that is refused, of which @later is sent once the answer is there; and to the request behind it."""
    with server.context.wrap_socket(socket.create_connection(("127.0.0.1", server.port), timeout=30), server_hostname="127.0.0.1") as s:
        def answer():
            response = http.client.HTTPResponse(s)
            response.begin()
            response.read()
            return response.status, response.getheader("Connection")

        s.sendall(f"POST /nope HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n".encode() + body)
        said = [answer()]
        if said[0][1] != "close":
            s.sendall(later + b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            said.append(answer())
        return said


@pytest.mark.parametrize("size, sent", [(10, 10), (0, 0), (262143, 262143), (262144, 262144), (300000, 300000)])
def test_connections_of_refused_requests(servers, size, sent):
    """They go on where the body is small; else, and where the client waits for its leave to send it, they end."""
    theirs, ours = (refused(server, f"Content-Length: {size}", b"x" * sent, b"") for server in servers)
    assert theirs == ours == [(404, None), (200, None)] if size < 262144 else theirs == ours == [(404, "close")]
    theirs, ours = (refused(server, f"Content-Length: {size or 1}\r\nExpect: 100-continue", b"", b"") for server in servers)
    assert theirs == ours == [(404, "close")]


def test_the_rest_of_a_refused_request(servers):
    """Also where it comes behind the answer, which kube-apiserver gives only when the body is there."""
    rest = b"GET /api HTTP/1.1\r\nHost: x\r\n\r\n" * 100  # not taken for requests
    assert refused(servers[1], f"Content-Length: {10 + len(rest)}", b"x" * 10, rest) == [(404, None), (200, None)]
    assert refused(servers[1], "Content-Length: 10", b"x" * 10, b"x y z\r\n\r\n")[1][0] == 400  # more than it said is another


def lives(server):
    """For how long tokens live, and after which time they say that they should have been replaced: of requests for 3607 s, for another audience, for 3600 s."""
    def post(path, body):
        status, _, answer = server.ask({"method": "POST", "path": path, "headers": {"Content-Type": "application/json"}, "body": json.dumps(body)})
        assert status == 201, answer
        return json.loads(answer)

    post("/api/v1/namespaces", {"metadata": {"name": "lives"}})
    post("/api/v1/namespaces/lives/serviceaccounts", {"metadata": {"name": "robot"}})
    post("/api/v1/namespaces/lives/pods", {"metadata": {"name": "p"}, "spec": {
        "serviceAccountName": "robot", "automountServiceAccountToken": False, "containers": [{"name": "c", "image": "i"}]}})
    said = []
    for seconds, audiences, pod in ((3607, None, True), (3607, ["else"], True), (3600, None, True), (3607, None, False)):
        spec = {"expirationSeconds": seconds, "audiences": audiences, "boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "p"} if pod else None}
        token = post("/api/v1/namespaces/lives/serviceaccounts/robot/token", {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec})
        part = token["status"]["token"].split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        warns = claims["kubernetes.io"].get("warnafter")
        said.append((claims["exp"] - claims["iat"], warns and warns - claims["iat"], token["spec"]["expirationSeconds"]))
    return said


def test_tokens_live_as_kube_apiservers(servers):
    theirs, ours = (lives(server) for server in servers)
    assert ours == theirs and theirs[0] == (365 * 86400, 3607, 3607)
