"""Admission with others at work: quotas under many writers, pods that come before their account."""
import json
import random
import threading
import time


from support.api import Api

API = {}  # with what an API service has by itself
CLIENTS, EACH = 64, 6


def make_namespace(client, name, hard, **spec):
    assert client.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name}})[0] == 201
    client.ask("POST", f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": "default"}})
    make_quota(client, name, "q", hard, **spec)


def make_quota(client, namespace, name, hard, **spec):
    path = f"/api/v1/namespaces/{namespace}/resourcequotas"
    assert client.ask("POST", path, {"metadata": {"name": name}, "spec": {"hard": hard, **spec}})[0] == 201
    status = {"hard": hard, "used": {k: "0" for k in hard}}
    assert client.ask("PUT", f"{path}/{name}/status", {"metadata": {"name": name}, "status": status})[0] == 200


def used(client, namespace, name="q"):
    return client.ask("GET", f"/api/v1/namespaces/{namespace}/resourcequotas/{name}")[1]["status"]["used"]


def in_threads(api, work):
    """work(client, i) by CLIENTS clients at a time; returns all that they return."""
    results, failures = [], []

    def run(i):
        client = api.client()
        try:
            results.extend(work(client, i))
        except Exception as e:  # noqa: BLE001
            failures.append(repr(e))

    threads = [threading.Thread(target=run, args=(i,)) for i in range(CLIENTS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures, failures[:3]
    return results


def test_counts_are_exact(api):
    """64 clients make 384 objects where 100 are allowed: 100 are made, all others hear of the quota."""
    client = api.client()
    make_namespace(client, "crowd", {"configmaps": "100"})
    make_quota(client, "crowd", "wide", {"count/configmaps": "1000"})

    def work(own, i):
        return [own.ask("POST", "/api/v1/namespaces/crowd/configmaps", {"metadata": {"name": f"c{i}-{n}"}}) for n in range(EACH)]

    answers = in_threads(api, work)
    made = [a for s, a in answers if s == 201]
    refused = [a for s, a in answers if s == 403]
    assert len(made) == 100 and len(refused) == CLIENTS * EACH - 100, [a for s, a in answers if s not in (201, 403)][:3]
    assert all("exceeded quota: q, requested: configmaps=1, used: configmaps=" in a["message"] for a in refused)
    assert len(client.ask("GET", "/api/v1/namespaces/crowd/configmaps")[1]["items"]) == 100
    assert used(client, "crowd") == {"configmaps": "100"} and used(client, "crowd", "wide") == {"count/configmaps": "100"}


def test_amounts_are_exact(api):
    """Pods of different sizes: what is used is the sum of those that were made, and never above what is allowed."""
    client = api.client()
    make_namespace(client, "sizes", {"requests.cpu": "10", "pods": "60"})
    chance = random.Random(7)
    sizes = {(i, n): chance.randrange(50, 900) for i in range(CLIENTS) for n in range(EACH)}

    def work(own, i):
        answers = []
        for n in range(EACH):
            pod = {"metadata": {"name": f"p{i}-{n}"}, "spec": {"automountServiceAccountToken": False, "containers": [
                {"name": "c", "image": "i", "resources": {"requests": {"cpu": f"{sizes[i, n]}m"}}}]}}
            answers.append((own.ask("POST", "/api/v1/namespaces/sizes/pods", pod)[0], sizes[i, n]))
        return answers

    answers = in_threads(api, work)
    assert {s for s, _ in answers} == {201, 403}
    total, pods = sum(size for s, size in answers if s == 201), sum(s == 201 for s, _ in answers)
    assert total <= 10000 and pods <= 60
    now = used(client, "sizes")
    cpu = now["requests.cpu"]
    assert (int(cpu[:-1]) if cpu.endswith("m") else int(cpu) * 1000) == total and now["pods"] == str(pods)


def test_with_another_writer(api):
    """Whoever writes the quota meanwhile loses nothing and makes nothing be lost."""
    client = api.client()
    make_namespace(client, "busy", {"configmaps": "1000"})
    stop, patched = threading.Event(), []

    def annotate():
        own, n = api.client(), 0
        while not stop.is_set():
            n += 1
            status, _ = own.ask("PATCH", "/api/v1/namespaces/busy/resourcequotas/q", {"metadata": {"annotations": {"n": str(n)}}},
                                **{"Content-Type": "application/merge-patch+json"})
            patched.append(status)

    thread = threading.Thread(target=annotate)
    thread.start()
    try:
        answers = in_threads(api, lambda own, i: [own.ask("POST", "/api/v1/namespaces/busy/configmaps", {"metadata": {"name": f"c{i}-{n}"}})[0]
                                                  for n in range(EACH)])
    finally:
        stop.set()
        thread.join()
    made = answers.count(201)
    assert set(answers) <= {201, 409} and made > CLIENTS, answers
    assert patched and set(patched) <= {200, 409}
    quota = client.ask("GET", "/api/v1/namespaces/busy/resourcequotas/q")[1]
    assert made <= int(quota["status"]["used"]["configmaps"]) <= CLIENTS * EACH


def test_what_is_there_is_not_charged(api):
    """A second object of a name, a dry run and what is refused for another reason leave the quota as it is."""
    client = api.client()
    make_namespace(client, "once", {"configmaps": "3"})
    maps = "/api/v1/namespaces/once/configmaps"
    assert client.ask("POST", maps, {"metadata": {"name": "a"}})[0] == 201
    for _ in range(5):
        assert client.ask("POST", maps, {"metadata": {"name": "a"}})[0] == 409
        assert client.ask("POST", maps + "?dryRun=All", {"metadata": {"name": "b"}})[0] == 201
        assert client.ask("POST", maps, {"metadata": {"name": "Not A Name"}})[0] == 422
    assert used(client, "once") == {"configmaps": "1"}


def test_clients_that_leave(api):
    """Who goes away while his request waits for its quota holds nobody up."""
    client = api.client()
    make_namespace(client, "leaving", {"configmaps": "500"})

    def work(own, i):
        for n in range(EACH):
            connection = own.open()
            body = json.dumps({"metadata": {"name": f"c{i}-{n}"}})
            connection.request("POST", "/api/v1/namespaces/leaving/configmaps", body, {"Content-Type": "application/json"})
            connection.close()
        return []

    in_threads(api, work)
    assert client.ask("POST", "/api/v1/namespaces/leaving/configmaps", {"metadata": {"name": "last"}})[0] == 201
    there = len(client.ask("GET", "/api/v1/namespaces/leaving/configmaps")[1]["items"])
    assert there <= int(used(client, "leaving")["configmaps"]) <= 500


def test_a_pod_waits_for_its_account(api):
    """What makes a namespace and a pod in it in one go need not know of the account that is made between."""
    client, answers = api.client(), []
    pod = {"metadata": {"name": "early"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    assert client.ask("POST", "/api/v1/namespaces", {"metadata": {"name": "early"}})[0] == 201
    thread = threading.Thread(target=lambda: answers.append(api.client().ask("POST", "/api/v1/namespaces/early/pods", pod)))
    thread.start()
    time.sleep(0.2)
    assert client.ask("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "of-no-interest"}})[0] == 201
    assert client.ask("POST", "/api/v1/namespaces/early/serviceaccounts", {"metadata": {"name": "default"}})[0] in (201, 409)
    thread.join()
    assert answers[0][0] == 201 and answers[0][1]["spec"]["serviceAccountName"] == "default"


def test_an_account_that_never_comes():
    """Nor is anybody waited for for long, or held up by who waits; the service ends meanwhile."""
    a = Api().start()
    try:
        client, answers = a.client(), []
        pod = {"metadata": {"name": "p"}, "spec": {"serviceAccountName": "default", "containers": [{"name": "c", "image": "i"}]}}

        def ask(namespace):
            answers.append(a.client().ask("POST", f"/api/v1/namespaces/{namespace}/pods", pod))

        assert client.ask("DELETE", "/api/v1/namespaces/kube-node-lease/serviceaccounts/default")[0] in (200, 404)
        threads = [threading.Thread(target=ask, args=("kube-node-lease",)) for _ in range(20)]
        for t in threads:
            t.start()
        assert client.ask("GET", "/api/v1/namespaces/default")[0] == 200
        for t in threads:
            t.join()
        assert {s for s, _ in answers} <= {201, 403, 409} and len(answers) == 20
        connection = client.open()
        connection.request("POST", "/api/v1/namespaces/kube-public/pods", json.dumps(pod), {"Content-Type": "application/json"})
        time.sleep(0.1)
    finally:
        a.stop()
