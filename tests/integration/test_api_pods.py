"""Bindings and evictions of an API service: of many who want the same, as many get it as there is of it."""
import concurrent.futures

import pytest

from support.api import Api

PODS = "/api/v1/namespaces/default/pods"
BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
MERGE = {"Content-Type": "application/merge-patch+json"}


@pytest.fixture(scope="module")
def api():
    a = Api().start()
    a.client().ask("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
    yield a
    a.stop()


def at_once(api, asks):
    with concurrent.futures.ThreadPoolExecutor(len(asks)) as pool:
        return list(pool.map(lambda ask: api.client().ask(*ask), asks))


def make_pod(client, name, **labels):
    pod = {"metadata": {"name": name, "labels": labels},
           "spec": {"serviceAccountName": "default", "automountServiceAccountToken": False, "containers": [{"name": "c", "image": "i:1"}]}}
    assert client.ask("POST", PODS, pod)[0] == 201


def bind(name, node):
    return "POST", f"{PODS}/{name}/binding", {"metadata": {"name": name}, "target": {"kind": "Node", "name": node}}


def evict(name, **options):
    return "POST", f"{PODS}/{name}/eviction", {"metadata": {"name": name}, **({"deleteOptions": options} if options else {})}


def test_a_pod_is_bound_once(api):
    client = api.client()
    make_pod(client, "wanted")
    answers = at_once(api, [bind("wanted", f"n{i}") for i in range(16)])
    assert sorted(code for code, _ in answers) == [201] + [409] * 15
    node = next(i for i, (code, _) in enumerate(answers) if code == 201)
    pod = client.ask("GET", f"{PODS}/wanted")[1]
    assert pod["spec"]["nodeName"] == f"n{node}" and [c["type"] for c in pod["status"]["conditions"]] == ["PodScheduled"]


def test_no_more_go_than_the_budget_allows(api):
    client = api.client()
    names = [f"p{i}" for i in range(8)]
    for name in names:
        make_pod(client, name, app="a")
        assert client.ask(*bind(name, "n"))[0] == 201
        running = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2024-01-01T00:00:00Z"}]}}
        assert client.ask("PATCH", f"{PODS}/{name}/status", running, **MERGE)[0] == 200
    assert client.ask("POST", BUDGETS, {"metadata": {"name": "b"}, "spec": {"minAvailable": 5, "selector": {"matchLabels": {"app": "a"}}}})[0] == 201
    allowed = {"status": {"observedGeneration": 1, "disruptionsAllowed": 3, "currentHealthy": 8, "desiredHealthy": 5, "expectedPods": 8}}
    assert client.ask("PATCH", f"{BUDGETS}/b/status", allowed, **MERGE)[0] == 200

    assert {code for code, _ in at_once(api, [(m, f"{p}?dryRun=All", b) for m, p, b in map(evict, names)])} == {201}
    answers = at_once(api, [evict(name, gracePeriodSeconds=30) for name in names])
    gone = sorted(name for name, (code, _) in zip(names, answers) if code == 201)
    assert len(gone) == 3 and sorted(code for code, _ in answers) == [201] * 3 + [429] * 5, answers
    status = client.ask("GET", f"{BUDGETS}/b")[1]["status"]
    assert status["disruptionsAllowed"] == 0 and sorted(status["disruptedPods"]) == gone
    pods = {p["metadata"]["name"]: p for p in client.ask("GET", PODS)[1]["items"]}
    assert sorted(n for n, p in pods.items() if "deletionTimestamp" in p["metadata"]) == gone
    assert all(any(c["type"] == "DisruptionTarget" for c in pods[n]["status"]["conditions"]) for n in gone)
    refused = next(body for code, body in answers if code == 429)
    assert refused["details"]["causes"][0]["reason"] == "DisruptionBudget"
