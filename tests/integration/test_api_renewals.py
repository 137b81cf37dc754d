"""Leases: who holds one is on disk before it is answered; that he still does goes there at intervals."""
import signal
import time

from support.api import Api

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
