"""OpenAPI v2, as older clients ask for it: what it says, beside kube-apiserver's, and its protobuf, as kubectl reads it."""
import gzip
import json
import os

import pytest

from support.api import PEERS, Oracle

API = {}  # with what an API service has by itself
PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
has = lambda *names: all(os.path.exists(f"{PEERS}/{n}") for n in names)  # noqa: E731

# What the facts do not hold; and what is said of requests that go through the server, or ask for no resource.
UNSAID = {"description", "x-kubernetes-unions", "x-kubernetes-map-type"}
CONNECTS = ("/attach", "/exec", "/log", "/portforward", "/proxy", "/proxy/{path}")
PAGES = {"APIGroup", "APIGroupList", "APIVersions", "GroupVersionForDiscovery", "ServerAddressByClientCIDR", "Info"}
IN_EVERY_GROUP = {"DeleteOptions", "WatchEvent"}


def test_forms(api):
    client = api.client()
    status, headers, text = client.raw("GET", "/openapi/v2")
    assert (status, headers["Content-Type"], headers["Vary"]) == (200, "application/json", "Accept") and json.loads(text)["swagger"] == "2.0"
    assert client.raw("GET", "/openapi/v2", **{"If-None-Match": headers["ETag"]})[::2] == (304, b"")
    packed = client.raw("GET", "/openapi/v2", **{"Accept-Encoding": "gzip"})
    assert packed[1]["Content-Encoding"] == "gzip" and gzip.decompress(packed[2]) == text
    for accept in (PROTOBUF, PROTOBUF.replace("@", "."), PROTOBUF + ", application/json"):
        status, headers, text = client.raw("GET", "/openapi/v2", Accept=accept)
        assert (status, headers["Content-Type"]) == (200, PROTOBUF.replace("@", ".")) and text.startswith(b"\n\x032.0\x12")
    assert client.raw("GET", "/openapi/v2", Accept="text/html")[0] == client.raw("GET", "/openapi/v2", Accept="application/yaml")[0] == 406


@pytest.mark.skipif(not has("kubectl"), reason="kubectl is not built (tests/peers/build)")
def test_kubectl_reads_the_protobuf(api):
    explained = api.kubectl("explain", "deployment.spec.strategy", "--output=plaintext-openapiv2").stdout
    assert "KIND:     Deployment" in explained and "RESOURCE: strategy <Object>" in explained and "rollingUpdate\t<Object>" in explained
    containers = api.kubectl("explain", "pod.spec.containers", "--recursive", "--output=plaintext-openapiv2").stdout
    choices = api.kubectl("explain", "pod.spec.restartPolicy").stdout
    assert "ENUM:\n    Always\n    Never\n    OnFailure\n" in choices, choices
    assert "imagePullPolicy\t<string>" in containers and "-required-" in api.kubectl("explain", "pod.spec", "--output=plaintext-openapiv2").stdout


def comparable(value, document, inside=None):
    if isinstance(value, list):
        return [comparable(v, document) for v in value]
    if not isinstance(value, dict):
        return value
    if str(value.get("$ref")).startswith("#/parameters/"):
        return comparable(document["parameters"][value["$ref"].rpartition("/")[2]], document)
    result = {k: comparable(v, document, k) for k, v in value.items() if k not in UNSAID or inside in ("properties", "definitions")}
    for key in ("produces", "consumes"):
        if isinstance(result.get(key), list):
            result[key] = sorted(result[key])
    if isinstance(result.get("parameters"), list):
        result["parameters"] = sorted((p for p in result["parameters"] if p["name"] != "shardSelector"), key=lambda p: p["name"])
    return result


@pytest.mark.skipif(not has("kube-apiserver", "etcd"), reason="kube-apiserver is not built (tests/peers/build)")
def test_it_is_kube_apiservers(api):
    """Every definition, and every operation on a resource."""
    oracle = Oracle(api.pki)
    try:
        oracle.start()
        client = api.client()
        ours = client.ask("GET", "/openapi/v2")[1]
        client = api.client()
        client.port = oracle.port
        theirs = client.ask("GET", "/openapi/v2")[1]
    finally:
        oracle.stop()
    wrong, definitions, paths = [], 0, 0
    for name, value in theirs["definitions"].items():
        if name.rpartition(".")[2] in PAGES | IN_EVERY_GROUP:
            continue
        definitions += 1
        if comparable(value, theirs) != comparable(ours["definitions"].get(name), ours):
            wrong.append(name)
    for path, item in theirs["paths"].items():
        if path.endswith(CONNECTS) or (path.endswith("/") and path not in ours["paths"]):
            continue
        paths += 1
        if comparable(item, theirs) != comparable(ours["paths"].get(path), ours):
            wrong.append(path)
    assert not wrong and definitions > 550 and paths > 350, (definitions, paths, wrong[:20])
