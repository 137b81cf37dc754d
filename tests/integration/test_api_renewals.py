"""Leases: who holds one is on disk before it is answered; that he still does goes there at intervals."""
import signal
import time

from support.api import Api
from support.workloads import eventually

LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"


def written(api):
    with open(f"/proc/{api.process.pid}/io") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("write_bytes"))


def settled(api):
    """What was written, once the service has done what it does by itself after a start."""
    before, now = -1, written(api)
    while now != before:
        time.sleep(0.3)
        before, now = now, written(api)
    return now


def test_renewals():
    api = Api().start()
    try:
        client = api.client()
        lease = client.ask("POST", LEASES, {"metadata": {"name": "l"}, "spec": {
            "holderIdentity": "a", "leaseDurationSeconds": 40, "renewTime": "2026-01-01T00:00:00.000000Z"}})[1]
        before = settled(api)
        for i in range(60):
            lease["spec"]["renewTime"] = f"2026-01-01T00:00:{i:02}.000001Z"
            status, lease = client.ask("PUT", f"{LEASES}/l", lease)
            assert status == 200, lease
        assert written(api) == before
        assert client.ask("GET", f"{LEASES}/l")[1] == lease
        versions = [int(lease["metadata"]["resourceVersion"])]
        lease["spec"]["holderIdentity"] = "b"
        lease = client.ask("PUT", f"{LEASES}/l", lease)[1]
        assert written(api) > before
        versions.append(int(lease["metadata"]["resourceVersion"]))
        api.end(signal.SIGKILL)
        api.start()
        client = api.client()
        assert client.ask("GET", f"{LEASES}/l")[1] == lease
        lease["spec"]["renewTime"] = "2026-01-01T00:01:00.000000Z"
        lease = client.ask("PUT", f"{LEASES}/l", lease)[1]
        versions.append(int(lease["metadata"]["resourceVersion"]))
        assert versions == sorted(set(versions))
        assert api.end() == 0  # what was not on disk is by now
        api.start()
        assert api.client().ask("GET", f"{LEASES}/l")[1] == lease
    finally:
        api.stop()


def test_what_a_quota_counts_is_not_waited_for():
    """It is told at once and on disk some time later: a start counts it anew."""
    api = Api(controllers="*").start()
    try:
        client, path = api.client(), "/api/v1/namespaces/default/resourcequotas/q"
        used = lambda: (api.client().ask("GET", path)[1].get("status") or {}).get("used")
        assert client.ask("POST", "/api/v1/namespaces/default/resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": {"count/secrets": "9"}}})[0] == 201
        assert eventually(lambda: used() == {"count/secrets": "0"})
        before = settled(api)
        for n in range(5):
            quota = client.ask("GET", path)[1]
            quota["status"]["used"] = {"count/secrets": str(n + 1)}
            assert client.ask("PUT", path + "/status", quota)[0] == 200
        assert written(api) == before
        quota = client.ask("GET", path)[1]
        quota["spec"]["hard"]["count/secrets"] = "8"
        assert client.ask("PUT", path, quota)[0] == 200
        assert written(api) > before
        api.end(signal.SIGKILL)
        api.start()
        assert api.client().ask("GET", path)[1]["spec"] == {"hard": {"count/secrets": "8"}}
        assert eventually(lambda: used() == {"count/secrets": "0"})
    finally:
        api.stop()
