"""What the API service answered is there after kill -9 (ROUNDS times: `make soak-api` raises it to 1,000), and after a disk that was full."""
import json
import os
import random
import signal
import time

import pytest

from support.acknowledged import MAPS, Writers
from support.api import PEERS, Api
from support.disk import fill, small_disk  # noqa: F401

ROUNDS = int(os.environ.get("ROUNDS", "8"))
needs_kubectl = pytest.mark.skipif(not os.path.exists(f"{PEERS}/kubectl"), reason="kubectl is not built (tests/peers/build)")


def test_kill():
    api, rng = Api().start(), random.Random(13)
    writers = Writers(api.client)
    try:
        for number in range(ROUNDS):
            writers.start()
            time.sleep(rng.random() * 0.3)
            api.end(signal.SIGKILL)
            writers.finish()
            api.start()
            wrong = writers.check()
            assert not wrong, f"round {number}: {wrong}"
        assert writers.answered > 10 * ROUNDS and not writers.refused
        print(f"{ROUNDS} kills, {writers.answered} answered changes")
    finally:
        writers.finish()
        api.stop()


def test_kill_first_starts():
    """Whatever is there of keys, objects and the store when it is killed, the next start goes on from."""
    rng = random.Random(14)
    for number in range(ROUNDS):
        api = Api()
        try:
            api.launch()
            time.sleep(rng.random() * 0.1)
            api.end(signal.SIGKILL)
            api.start()
            wrong = Writers(api.client).check()
            assert not wrong, f"round {number}: {wrong}"
        finally:
            api.stop()


def test_a_full_disk_is_emptied(small_disk):  # noqa: F811
    """What is deleted goes, large or held by finalizers, out of what is kept for that; nothing else is changed meanwhile."""
    api = Api(data=small_disk + "/data").start()
    try:
        client, filler, large = api.client(), small_disk + "/filler", "x" * 900_000
        for i in range(8):
            body = {"metadata": {"name": f"large-{i}", "finalizers": ["example.com/held"] if i < 2 else []}, "data": {"x": large[:1000] if i < 2 else large}}
            assert client.ask("POST", MAPS, body)[0] == 201
        fill(filler)
        for attempt in range(50):
            if (answer := client.ask("POST", MAPS, {"metadata": {"name": f"more-{attempt}"}, "data": {"x": large}}))[0] != 201:
                break
            os.unlink(filler)
            fill(filler)
        assert answer[0] == 500 and "the disk is full" in answer[1]["message"], answer
        for i in range(8):
            assert client.ask("DELETE", f"{MAPS}/large-{i}")[0] == 200, f"large-{i}"
            assert client.ask("POST", MAPS, {"metadata": {"name": "small"}})[0] == 500, "what was given is for deletions"
        merge = {"Content-Type": "application/merge-patch+json"}
        assert client.ask("PATCH", f"{MAPS}/large-1", {"data": {"y": large}}, **merge)[0] == 500, "nor for what grows before it goes"
        assert client.ask("PATCH", f"{MAPS}/large-1", {"data": {"y": "small"}}, **merge)[0] == 200
        left = client.ask("GET", f"{MAPS}/large-0")[1]["metadata"]
        assert left["deletionTimestamp"] and client.ask("PATCH", f"{MAPS}/large-0", {"metadata": {"finalizers": None}},
                                                        **{"Content-Type": "application/merge-patch+json"})[0] == 200
        assert client.ask("GET", f"{MAPS}/large-0")[0] == 404
        assert client.ask("DELETE", f"{MAPS}?labelSelector=!none")[0] == 200
        os.unlink(filler)
        assert has_space_again(api)
        assert [m["metadata"]["name"] for m in client.ask("GET", MAPS)[1]["items"]] == ["again", "large-1"]
        api.end(signal.SIGKILL)
        api.start()
        assert [m["metadata"]["name"] for m in api.client().ask("GET", MAPS)[1]["items"]] == ["again", "large-1"]
    finally:
        api.stop()


def has_space_again(api, seconds=20):
    """Whether a change is taken, by then."""
    deadline = time.time() + seconds
    while (made := api.kubectl("create", "configmap", "again")).returncode and time.time() < deadline:
        assert "the disk is full" in made.stderr, made
        time.sleep(0.1)
    return made.returncode == 0


@needs_kubectl
def refused_at_last(api, filler):
    """A large object that there is no space for; the service gives some back when its log begins anew."""
    for number in range(100):
        fill(f"{filler}-{number}")
        made = api.kubectl("create", "configmap", f"more-{number}", f"--from-literal=x={'x' * 100000}")
        if made.returncode:
            return f"more-{number}", made
    raise AssertionError("nothing is refused")


def test_full_disk(small_disk):  # noqa: F811
    """Changes are refused with the reason, what there is stays readable, also to who watches; once there is space, all goes on by itself."""
    api = Api(data=small_disk + "/data").start()
    writers, filler = Writers(api.client, seed=2), small_disk + "/filler"
    try:
        assert api.kubectl("create", "configmap", "kept", "--from-literal=a=b").returncode == 0
        writers.start()
        time.sleep(0.3)
        fill(filler)
        deadline = time.time() + 20
        while not writers.refused and time.time() < deadline:
            fill(filler + str(time.time()))  # what the service had given back
            time.sleep(0.1)
        writers.finish()
        assert set(writers.refused) == {500}, "changes are refused"
        name, refused = refused_at_last(api, filler)
        assert refused.returncode == 1 and "the disk is full" in refused.stderr, refused
        assert api.kubectl("get", "configmap", "kept", "-o", "jsonpath={.data.a}").stdout == "b"
        assert api.kubectl("get", "configmap", name).stderr.startswith("Error from server (NotFound)")
        assert next(api.client().watch(f"{MAPS}?watch=1&timeoutSeconds=5&fieldSelector=metadata.name=kept"))["type"] == "ADDED"
        assert "kept" in [m["metadata"]["name"] for m in json.loads(api.kubectl("get", "configmaps", "-o", "json").stdout)["items"]]
        assert api.end(signal.SIGKILL) < 0
        fill(filler + "-more")
        api.start()
        assert api.kubectl("get", "configmap", "kept", "-o", "jsonpath={.data.a}").stdout == "b", "also to who starts on a full disk"
        for name in os.listdir(small_disk):
            if name.startswith("filler"):
                os.unlink(f"{small_disk}/{name}")
        assert has_space_again(api)
        assert api.kubectl("delete", "configmap", "again", "kept").returncode == 0
        assert not (wrong := writers.check()), wrong
        api.end(signal.SIGKILL)
        api.start()
        assert not (wrong := writers.check()), wrong
    finally:
        writers.finish()
        api.stop()
