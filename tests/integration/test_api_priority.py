"""FlowSchemas and priority levels: the default ones, kept as they are to be, and which of them a request is of."""
import pytest

from support.node import wait_for

API = {}  # with what an API service has by itself
GROUP = "/apis/flowcontrol.apiserver.k8s.io/v1"
SCHEMAS, LEVELS = GROUP + "/flowschemas", GROUP + "/prioritylevelconfigurations"
MERGE = {"Content-Type": "application/merge-patch+json"}


def names_of(client):
    """Of schemas and levels, by uid."""
    return {o["metadata"]["uid"]: o["metadata"]["name"] for path in (SCHEMAS, LEVELS) for o in client.ask("GET", path)[1]["items"]}


def flow_of(api, method, path, user=None, groups=(), body=None):
    """The names of the schema and of the level that the answer's head says."""
    client = api.client()
    client.connection = client.open()
    client.connection.putrequest(method, path)
    for name, value in [("Impersonate-User", user)] * bool(user) + [("Impersonate-Group", g) for g in groups]:
        client.connection.putheader(name, value)
    client.connection.endheaders()
    answer = client.connection.getresponse()
    names = names_of(api.client())
    return tuple(names.get(answer.headers[f"X-Kubernetes-PF-{kind}-UID"]) for kind in ("FlowSchema", "PriorityLevel"))


NODES, ACCOUNTS = ("system:nodes",), ("system:serviceaccounts",)


@pytest.mark.parametrize("path,user,groups,flow", [
    ("/api/v1/nodes", None, (), ("exempt", "exempt")),
    ("/version", None, (), ("exempt", "exempt")),
    ("/readyz", "jane", (), ("probes", "exempt")),
    ("/readyz/ping", "jane", (), ("probes", "exempt")),
    ("/readyzz", "jane", (), ("global-default", "global-default")),
    ("/api/v1/pods", "jane", (), ("global-default", "global-default")),
    ("/api/v1/nodes/n1", "system:node:n1", NODES, ("system-node-high", "node-high")),
    ("/api/v1/nodes/n1/status", "system:node:n1", NODES, ("system-node-high", "node-high")),
    ("/api/v1/nodes/n1/proxy", "system:node:n1", NODES, ("system-nodes", "system")),
    ("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n1", "system:node:n1", NODES, ("system-node-high", "node-high")),
    ("/api/v1/pods", "system:node:n1", NODES, ("system-nodes", "system")),
    ("/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/l", "system:kube-scheduler", (), ("system-leader-election", "leader-election")),
    ("/apis/coordination.k8s.io/v1/namespaces/kube-system/leases", "system:kube-scheduler", (), ("kube-scheduler", "workload-high")),
    ("/api/v1/pods", "system:kube-controller-manager", (), ("kube-controller-manager", "workload-high")),
    ("/api/v1/pods", "system:serviceaccount:kube-system:x", ACCOUNTS, ("kube-system-service-accounts", "workload-high")),
    ("/api/v1/pods", "system:serviceaccount:default:x", ACCOUNTS, ("service-accounts", "workload-low")),
    ("/api/v1/pods", "system:serviceaccount:kube-systemx:x", ACCOUNTS, ("service-accounts", "workload-low")),
])
def test_whose_a_request_is(api, path, user, groups, flow):
    if path.endswith("/proxy"):
        assert flow_of(api, "GET", path, user, groups) == (None, None), "what lasts long is of none"
    else:
        assert flow_of(api, "GET", path, user, groups) == flow


def test_a_schema_of_ones_own(api):
    """From the moment at which its level is there; before global-default, by precedence."""
    client = api.client()
    schema = {"metadata": {"name": "own"}, "spec": {"priorityLevelConfiguration": {"name": "own"}, "matchingPrecedence": 9899, "rules": [
        {"subjects": [{"kind": "User", "user": {"name": "jane"}}], "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}]}]}}
    level = {"metadata": {"name": "own"}, "spec": {"type": "Limited", "limited": {"nominalConcurrencyShares": 1, "limitResponse": {"type": "Reject"}}}}

    def dangling():
        return [(c["status"], c["reason"]) for c in client.ask("GET", SCHEMAS + "/own")[1]["status"].get("conditions", []) if c["type"] == "Dangling"]
    assert client.ask("POST", SCHEMAS, schema)[0] == 201
    wait_for("condition", lambda: dangling() == [("True", "NotFound")])
    assert flow_of(api, "GET", "/version", "jane") == ("global-default", "global-default")
    assert client.ask("POST", LEVELS, level)[0] == 201
    wait_for("condition", lambda: dangling() == [("False", "Found")])
    assert flow_of(api, "GET", "/version", "jane") == ("own", "own")
    assert flow_of(api, "GET", "/api/v1/pods", "jane") == ("global-default", "global-default")
    assert client.ask("PATCH", SCHEMAS + "/own", {"spec": {"matchingPrecedence": 9901}}, **MERGE)[0] == 200
    assert flow_of(api, "GET", "/version", "jane") == ("global-default", "global-default")
    assert client.ask("DELETE", SCHEMAS + "/own")[0] == client.ask("DELETE", LEVELS + "/own")[0] == 200


def test_the_default_ones_stay(api):
    client = api.client()
    before = client.ask("GET", LEVELS + "/system")[1]
    assert client.ask("DELETE", LEVELS + "/system")[0] == 200
    again = wait_for("level", lambda: (o := client.ask("GET", LEVELS + "/system"))[0] == 200 and o[1])
    assert again["spec"] == before["spec"] and again["metadata"]["uid"] != before["metadata"]["uid"]
    assert client.ask("PATCH", SCHEMAS + "/global-default", {"spec": {"matchingPrecedence": 9000}}, **MERGE)[0] == 200
    wait_for("its spec", lambda: client.ask("GET", SCHEMAS + "/global-default")[1]["spec"]["matchingPrecedence"] == 9900)
    free = {"metadata": {"annotations": {"apf.kubernetes.io/autoupdate-spec": "false"}}, "spec": {"matchingPrecedence": 9001}}
    assert client.ask("PATCH", SCHEMAS + "/global-default", free, **MERGE)[0] == 200
    api.end()
    api.start()
    client = api.client()
    there = client.ask("GET", SCHEMAS + "/global-default")[1]
    assert there["spec"]["matchingPrecedence"] == 9001 and there["metadata"]["annotations"] == free["metadata"]["annotations"]
    assert client.ask("PATCH", SCHEMAS + "/global-default", {"metadata": {"annotations": {"apf.kubernetes.io/autoupdate-spec": "yes"}}}, **MERGE)[0] == 200
    wait_for("annotation", lambda: client.ask("GET", SCHEMAS + "/global-default")[1]["metadata"]["annotations"]["apf.kubernetes.io/autoupdate-spec"] == "false")


def test_metrics(api):
    flow_of(api, "GET", "/version", "jane")
    lines = api.client().raw("GET", "/metrics")[2].decode().splitlines()
    assert 'apiserver_flowcontrol_nominal_limit_seats{priority_level="workload-low"} 245' in lines  # 600 * 100 / 245
    assert 'apiserver_flowcontrol_nominal_limit_seats{priority_level="exempt"} 0' in lines
    (counted,) = [line for line in lines if line.startswith('apiserver_flowcontrol_dispatched_requests_total{flow_schema="global-default",priority_level="global-default"}')]
    assert int(counted.split()[1]) > 0
