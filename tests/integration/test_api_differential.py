"""The corpus of tests/differential, replayed against nacelle-api and kube-apiserver: they differ where exceptions.txt says so, nowhere else."""
import base64
import json
import os
import pathlib
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
