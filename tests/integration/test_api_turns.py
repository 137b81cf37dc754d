"""Many who change one object at once: each change is made once, from what all before it have made."""
import json
import threading

API = {}  # with what an API service has by itself
MAPS = "/api/v1/namespaces/default/configmaps"
STRATEGIC = "application/strategic-merge-patch+json"
CLIENTS, ROUNDS = 12, 25


def together(work):
    """work(i) for each client, in a thread of its own."""
    failed = []

    def run(i):
        try:
            work(i)
        except BaseException as e:  # noqa: B036
            failed.append(e)
    threads = [threading.Thread(target=run, args=(i,)) for i in range(CLIENTS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed, failed[0]


def test_patches_meet(api):
    assert api.client().ask("POST", MAPS, {"metadata": {"name": "patched"}})[0] == 201

    def work(i):
        client = api.client()
        for n in range(ROUNDS):
            status, got = client.ask("PATCH", f"{MAPS}/patched", {"data": {f"k{i}-{n}": str(n)}}, **{"Content-Type": STRATEGIC})
            assert status == 200, got
            assert got["data"][f"k{i}-{n}"] == str(n) and all(f"k{i}-{m}" in got["data"] for m in range(n))
    together(work)
    assert len(api.client().ask("GET", f"{MAPS}/patched")[1]["data"]) == CLIENTS * ROUNDS


def test_versions_are_seen_once(api):
    """Patches, and writers who say which version they replace: a counter loses nothing, and a watcher sees each version."""
    first = api.client().ask("POST", MAPS, {"metadata": {"name": "counted"}, "data": {"n": "0"}})[1]
    made = [0] * CLIENTS

    def work(i):
        client = api.client()
        for n in range(ROUNDS):
            if i % 2:
                status, got = client.ask("PATCH", f"{MAPS}/counted", {"data": {f"p{i}": str(n)}}, **{"Content-Type": STRATEGIC})
                assert status == 200, got
                continue
            now = client.ask("GET", f"{MAPS}/counted")[1]
            now["data"]["n"] = str(int(now["data"]["n"]) + 1)
            status, got = client.ask("PUT", f"{MAPS}/counted", now)
            assert status in (200, 409), got
            made[i] += status == 200
    together(work)
    last = api.client().ask("GET", f"{MAPS}/counted")[1]
    assert int(last["data"]["n"]) == sum(made) and all(last["data"][f"p{i}"] == str(ROUNDS - 1) for i in range(1, CLIENTS, 2))
    versions, since = [], first["metadata"]["resourceVersion"]
    for event in api.client().watch(f"{MAPS}?watch=1&fieldSelector=metadata.name%3Dcounted&resourceVersion={since}&timeoutSeconds=1"):
        versions.append(int(event["object"]["metadata"]["resourceVersion"]))
    assert versions == sorted(set(versions)) and versions[-1] == int(last["metadata"]["resourceVersion"])
    assert len(versions) == sum(made) + (CLIENTS // 2) * ROUNDS


def test_nothing_to_change_makes_no_version(api):
    api.client().ask("POST", MAPS, {"metadata": {"name": "same"}, "data": {"a": "0"}})
    seen = set()

    def work(i):
        client = api.client()
        for n in range(ROUNDS):
            status, got = client.ask("PATCH", f"{MAPS}/same", {"data": {"a": str(n)}}, **{"Content-Type": STRATEGIC})
            assert status == 200 and got["metadata"]["resourceVersion"] != "0", got
            seen.add((got["metadata"]["resourceVersion"], got["data"]["a"]))
    together(work)
    assert len({version for version, _ in seen}) == len(seen)


def test_deleted_and_made_again(api):
    """Patches, deletions and creations of one name: each answer is one that fits, and what is left can be read."""
    def work(i):
        client = api.client()
        for n in range(ROUNDS):
            if i % 3 == 0:
                status = client.ask("PATCH", f"{MAPS}/fleeting", {"data": {f"k{i}": str(n)}}, **{"Content-Type": STRATEGIC})[0]
                assert status in (200, 404), status
            elif i % 3 == 1:
                assert client.ask("DELETE", f"{MAPS}/fleeting")[0] in (200, 404)
            else:
                body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "fleeting"}, "data": {f"a{i}": str(n)}}
                status, got = client.ask("PATCH", f"{MAPS}/fleeting?fieldManager=m{i}", json.dumps(body).encode(),
                                         **{"Content-Type": "application/apply-patch+yaml"})
                assert status in (200, 201, 409), got
    together(work)
    assert api.client().ask("GET", f"{MAPS}/fleeting")[0] in (200, 404)
