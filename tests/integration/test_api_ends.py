"""The end of the API service while everything is at work: whatever waits then, for the store, a turn, a quota or an account, is freed once, and what was
answered is there afterwards."""
import http.client
import json
import signal
import threading
import time

import pytest

from support.api import Api

MERGE = {"Content-Type": "application/merge-patch+json"}

WRITERS = 12


class Writers:
    """Create, patch and delete in namespace "crowd" until the server is gone; names that were answered with 201 are kept."""

    def __init__(self, api):
        self.api, self.made, self.threads = api, set(), [threading.Thread(target=self.write, args=(i,)) for i in range(WRITERS)]

    def write(self, i):
        client, base = self.api.client(), "/api/v1/namespaces/crowd/"
        for n in range(100000):
            name = f"w{i}-{n}"
            try:
                if client.raw("POST", base + "configmaps", {"metadata": {"name": name}})[0] == 201:
                    self.made.add(name)
                client.raw("POST", base + "persistentvolumeclaims", {"metadata": {"name": f"c{i}"}, "spec": {
                    "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}})
                client.raw("PATCH", base + "persistentvolumeclaims/c0", {"metadata": {"labels": {"by": name}}}, **{"Content-Type": "application/merge-patch+json"})
                client.raw("POST", base + "services", {"metadata": {"name": f"s{i}"}, "spec": {"ports": [{"port": 80}]}})
                client.raw("DELETE", base + f"services/s{i}")
                client.raw("POST", base + "pods", {"metadata": {"name": f"p{i}"}, "spec": {"containers": [{"name": "c", "image": "i"}]}})
            except (OSError, http.client.HTTPException):
                return

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        for t in self.threads:
            t.join()


@pytest.mark.parametrize("signals", [1, 2])
def test_all_that_waits_goes(signals):
    """One signal has requests finish, a second takes them along."""
    api = Api(controllers="*").start()
    try:
        client = api.client()
        client.raw("POST", "/api/v1/namespaces", {"metadata": {"name": "crowd"}})
        for name, hard in (("some", {"count/configmaps": "100000", "services": "3"}), ("more", {"persistentvolumeclaims": "5", "pods": "4"})):
            code, quota = client.ask("POST", "/api/v1/namespaces/crowd/resourcequotas", {"metadata": {"name": name}, "spec": {"hard": hard}})
            assert code == 201, quota
            body = {"status": {"hard": hard, "used": dict.fromkeys(hard, "0")}}  # its controller writes one, too
            assert client.ask("PATCH", f"/api/v1/namespaces/crowd/resourcequotas/{name}/status", body, **MERGE)[0] == 200
        for n in range(3):
            with Writers(api) as writers:
                while not writers.made:
                    time.sleep(0.01)
                time.sleep(0.1 + 0.05 * n)
                for _ in range(signals):
                    api.process.send_signal(signal.SIGTERM)
                    time.sleep(0.002)
                code = api.process.wait(60)
            assert code == 0, (n, code, api.log())
            api.start()
            there = {o["metadata"]["name"] for o in api.client().ask("GET", "/api/v1/namespaces/crowd/configmaps")[1]["items"]}
            assert writers.made and writers.made <= there
    finally:
        api.stop()


def test_bodies_outlive_their_clients():
    """Patches of one object that wait for one another, from clients that leave at once or have no time: each is made whole or not at all."""
    api = Api().start()
    try:
        client, path = api.client(), "/api/v1/namespaces/default/configmaps/map"
        client.raw("POST", path[:-4], {"metadata": {"name": "map"}})
        for n in range(3):
            connections = [api.client().open() for _ in range(18)]
            for c in connections:
                c.connect()
            for i, c in enumerate(connections):
                text = f"{n}-{i}-" + "x" * 5000
                c.request("PATCH", path + ("?timeout=1ms" if i % 3 == 0 else ""), json.dumps({"data": {f"k{i}": text}}), {"Content-Type": "application/merge-patch+json"})
                if i % 3 == 1:
                    c.sock.close()
            for i, c in enumerate(connections):
                if i % 3 != 1:
                    assert c.getresponse().status == 200 or i % 3 == 0
                c.close()
        data = client.ask("GET", path)[1]["data"]
        assert data["k2"] == "2-2-" + "x" * 5000
        assert all(text.split("-")[1] == key[1:] and text.endswith("-" + "x" * 5000) for key, text in data.items())
    finally:
        api.stop()
