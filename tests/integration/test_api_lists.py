"""Whole lists, whose items are kept until the resource changes: as of which revision they are, and what is in them."""
import gzip
import json

import pytest

from support.api import Api

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
