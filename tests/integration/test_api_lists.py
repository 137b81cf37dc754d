"""Whole lists, whose items are kept until the resource changes: as of which revision they are, and what is in them."""
import gzip
import json

import pytest

from support.api import BUILD, Api

MAPS = "/api/v1/namespaces/default/configmaps"
PROTOBUF = "application/vnd.kubernetes.protobuf"
COUNT = 300  # of 1 KB: more than what is compressed and kept


@pytest.fixture(scope="module")
def api():
    a = Api().start()
    client = a.client()
    for i in range(COUNT):
        assert client.ask("POST", MAPS, {"metadata": {"name": f"m{i:03}"}, "data": {"a": "x" * 1000}})[0] == 201
    yield a
    a.stop()


def names(items):
    return [i["metadata"]["name"] for i in items]


def test_the_same_in_any_form(api):
    client = api.client()
    plain = client.raw("GET", MAPS)[2]
    assert "m000" in names(json.loads(plain)["items"])
    for accept in ("application/json", PROTOBUF):
        whole = client.raw("GET", MAPS, Accept=accept)[2]
        for _ in range(3):
            status, headers, body = client.raw("GET", MAPS, Accept=accept, **{"Accept-Encoding": "gzip"})
            assert status == 200 and headers["Content-Encoding"] == "gzip" and gzip.decompress(body) == whole
        assert client.raw("GET", MAPS, Accept=accept)[2] == whole
    pages, token = [], ""
    while True:
        page = client.ask("GET", f"{MAPS}?limit=70&continue={token}")[1]
        pages += page["items"]
        token = page["metadata"].get("continue", "")
        if not token:
            break
    assert pages == json.loads(plain)["items"]


def test_the_revision_is_the_present_one(api):
    client = api.client()
    before = client.ask("GET", MAPS)[1]
    made = client.ask("POST", "/api/v1/namespaces", {"metadata": {"name": "other"}})[1]["metadata"]["resourceVersion"]
    after = client.ask("GET", MAPS)[1]
    assert after["items"] == before["items"] and int(after["metadata"]["resourceVersion"]) >= int(made) > int(before["metadata"]["resourceVersion"])


@pytest.mark.parametrize("accept", ["application/json", PROTOBUF])
def test_a_change_is_in_the_next_one(api, accept):
    client, get = api.client(), lambda: api.client().raw("GET", MAPS, Accept=accept)[2]  # noqa: E731
    for round_ in range(5):
        get()
        mark = f"mark-{round_}-{accept[-4:]}"
        assert client.ask("PATCH", f"{MAPS}/m100", {"data": {"mark": mark}}, **{"Content-Type": "application/merge-patch+json"})[0] == 200
        assert mark.encode() in get()
    assert client.ask("POST", MAPS, {"metadata": {"name": "zz"}, "data": {}})[0] == 201
    assert b"zz" in get()
    assert client.ask("DELETE", f"{MAPS}/zz")[0] == 200
    assert b'"zz"' not in get() and b"\x02zz" not in get()


def test_other_lists_are_others(api):
    client = api.client()
    client.ask("POST", "/api/v1/namespaces/other/configmaps", {"metadata": {"name": "alone"}, "data": {}})
    everything, one = client.ask("GET", "/api/v1/configmaps")[1]["items"], client.ask("GET", MAPS)[1]["items"]
    assert "alone" in names(everything) and "alone" not in names(one)
    assert names(client.ask("GET", f"{MAPS}?fieldSelector=metadata.name%3Dm007")[1]["items"]) == ["m007"]
    assert client.ask("GET", f"{MAPS}?labelSelector=a%3Db")[1]["items"] == []


@pytest.mark.skipif("sanitize" in BUILD, reason="a build with sanitizers keeps what is freed")
def test_another_version_is_made_of_one_at_a_time():
    """What a list in another version than objects are kept in takes is the list, and little beside it."""
    api = Api().start()
    try:
        client = api.client()
        spec = {"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}}
        for i in range(60):
            body = {"metadata": {"name": f"h{i}", "annotations": {"a": "x" * 200_000}}, "spec": spec}
            assert client.ask("POST", "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers", body)[0] == 201
        kept = client.raw("GET", "/apis/autoscaling/v2/horizontalpodautoscalers")[2]
        before = highest(api)
        other = client.raw("GET", "/apis/autoscaling/v1/horizontalpodautoscalers")[2]
        assert len(other) > 12_000_000 and abs(len(kept) - len(other)) < 60_000
        assert highest(api) - before < 2 * len(other)
    finally:
        api.stop()


def highest(api):
    """The most that it has had of resident memory, in bytes."""
    with open(f"/proc/{api.process.pid}/status") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmHWM"))
