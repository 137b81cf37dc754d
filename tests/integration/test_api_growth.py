"""What a request makes the API service do grows as the request does: many errors, conflicts, warnings and rules in one body of a few megabytes are answered from little memory."""
import json
import os

import pytest

from support.api import Api

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
MANY = 40000
PEAK_MB = 450  # the answers alone are some megabytes each
SPENT_S = 4  # of the processor, also where sanitizers look on: what grows as the square of the request takes tens of seconds


@pytest.fixture(scope="module")
def api():
    server = Api().start()
    yield server
    server.stop()


def peak_mb(api):
    with open(f"/proc/{api.process.pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmHWM")) // 1024


def spent(api):
    """Seconds of the processor."""
    with open(f"/proc/{api.process.pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def config_map(value, **metadata):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "many", **metadata}, "data": {f"k{i}": value for i in range(MANY)}}


def test_many_conflicts(api):
    client, apply = api.client(), {"Content-Type": "application/apply-patch+yaml"}
    assert client.ask("PATCH", f"{CONFIG_MAPS}/many?fieldManager=a", config_map("v"), **apply)[0] == 201
    status, answer = client.ask("PATCH", f"{CONFIG_MAPS}/many?fieldManager=b", config_map("w"), **apply)
    assert status == 409 and answer["message"].startswith(f'Apply failed with {MANY} conflicts: conflicts with "a":\n- .data.k0\n')
    assert len(answer["details"]["causes"]) == MANY and peak_mb(api) < PEAK_MB


def test_many_options(api):
    status, _ = api.client().ask("DELETE", f"{CONFIG_MAPS}/many", {"dryRun": ["x"] * MANY})
    assert status == 422 and peak_mb(api) < PEAK_MB


def test_many_errors(api):
    status, answer = api.client().ask("POST", CONFIG_MAPS, {"metadata": {"name": "wrong", "finalizers": [f"-{i}" for i in range(MANY)]}})
    assert status == 422 and answer["message"].startswith('ConfigMap "wrong" is invalid: [metadata.finalizers: Invalid value: "-0": ') and peak_mb(api) < PEAK_MB


def test_many_rules(api):
    """The verbs of one resource become one rule in the refusal's words."""
    client = api.client()
    client.ask("POST", ROLES, {"metadata": {"name": "makes"}, "rules": [{"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"], "verbs": ["create"]}]})
    client.ask("POST", ROLES.replace("roles", "rolebindings"), {"metadata": {"name": "makes"}, "roleRef": {"kind": "ClusterRole", "name": "makes", "apiGroup": "rbac.authorization.k8s.io"},
                                                                "subjects": [{"kind": "User", "name": "joe"}]})
    for rules in ([{"apiGroups": [""], "resources": ["pods"], "verbs": [f"v{i}"]} for i in range(MANY // 2)],
                  [{"apiGroups": [""], "resources": [f"r{i}"], "verbs": ["get"]} for i in range(MANY // 2)]):
        body = json.dumps({"metadata": {"name": "more"}, "rules": rules})
        status, answer = client.ask("POST", ROLES, body, **{"Impersonate-User": "joe"})
        assert status == 403 and "is attempting to grant RBAC permissions not currently held" in answer["message"] and peak_mb(api) < PEAK_MB


def test_many_checks(api):
    """Whoever asks for health has no name."""
    status, _, text = api.client().raw("GET", "/healthz?verbose&" + "&".join(f"exclude=x{i}" for i in range(1000)))
    assert status == 200 and b"no matches for" in text and peak_mb(api) < PEAK_MB


def test_many_scopes(api):
    """Of a quota: what its selector looks like is told of errors, and there are none; resources are not counted anew for each."""
    client, quotas = api.client(), "/api/v1/namespaces/default/resourcequotas?dryRun=All"
    one = {"scopeName": "PriorityClass", "operator": "In", "values": ["x"]}
    status, _ = client.ask("POST", quotas, {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "1"}, "scopeSelector": {"matchExpressions": [one] * (MANY // 4)}}})
    assert status == 201 and peak_mb(api) < PEAK_MB
    hard = {f"requests.storage.io/x{i}": "1" for i in range(MANY)} | {"pods": "1"}
    status, _ = client.ask("POST", quotas, {"metadata": {"name": "q"}, "spec": {"hard": hard, "scopeSelector": {"matchExpressions": [one] * (MANY // 4)}}})
    assert status == 201 and peak_mb(api) < PEAK_MB
    status, answer = client.ask("POST", quotas, {"metadata": {"name": "q"}, "spec": {"hard": {"services": "1"}, "scopeSelector": {"matchExpressions": [one] * (MANY // 4)}}})
    assert status == 422 and "unsupported scope applied to resource" in answer["message"] and peak_mb(api) < PEAK_MB


def test_many_controllers(api):
    """Each but the first is one too many, and is shown with all others."""
    owners = [{"apiVersion": "v1", "kind": "Pod", "name": f"p{i}", "uid": f"u{i}", "controller": True} for i in range(MANY // 4)]
    status, answer = api.client().ask("POST", CONFIG_MAPS + "?dryRun=All", {"metadata": {"name": "owned", "ownerReferences": owners}})
    assert status == 422 and "Only one reference can have Controller set to true" in answer["message"] and peak_mb(api) < PEAK_MB


def test_many_labels_of_a_node(api):
    """A node is told which of them are not its own to set, and they are compared with those that it has."""
    client, node = api.client(), {"Impersonate-User": "system:node:many", "Impersonate-Group": "system:nodes"}
    for name in ("x", "kubernetes.io"):
        status, answer = client.ask("POST", "/api/v1/nodes", {"metadata": {"name": "many", "labels": {f"{name}/{i}": "" for i in range(MANY)}}}, **node)
        assert status == (201 if name == "x" else 403) and peak_mb(api) < PEAK_MB
    merge = {"Content-Type": "application/merge-patch+json"}
    status, answer = client.ask("PATCH", "/api/v1/nodes/many", {"metadata": {"labels": {f"k8s.io/{i}": "" for i in range(MANY)}}}, **merge, **node)
    assert status == 403 and "is not allowed to modify labels: k8s.io/0, k8s.io/1, k8s.io/10, " in answer["message"] and peak_mb(api) < PEAK_MB
    client.ask("DELETE", "/api/v1/nodes/many")


def test_many_addresses(api):
    """Of a Service: those that were there before are taken as they are."""
    client, services = api.client(), "/api/v1/namespaces/default/services"
    ips = [f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}" for i in range(2 * MANY)]
    service = {"metadata": {"name": "many"}, "spec": {"ports": [{"port": 80}], "externalIPs": ips}}
    assert client.ask("POST", services, service)[0] == 201
    start = spent(api)
    assert client.ask("PUT", services + "/many", {**service, "metadata": {"name": "many", "labels": {"a": "b"}}})[0] == 200
    assert spent(api) - start < SPENT_S
    client.ask("DELETE", services + "/many")


def test_many_urls(api):
    client, start = api.client(), spent(api)
    rule = {"subjects": [{"kind": "User", "user": {"name": "x"}}], "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": [f"/{i}" for i in range(2 * MANY)]}]}
    status, _ = client.ask("POST", "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas?dryRun=All",
                           {"metadata": {"name": "many"}, "spec": {"priorityLevelConfiguration": {"name": "global-default"}, "rules": [rule]}})
    assert status == 201 and spent(api) - start < SPENT_S
