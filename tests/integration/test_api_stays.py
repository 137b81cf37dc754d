"""What a cluster cannot do without: refused to be deleted, or made again at once, or at the next start."""
import time

from support.api import Api

RBAC = "/apis/rbac.authorization.k8s.io/v1"
CIDR = "/apis/networking.k8s.io/v1/servicecidrs/kubernetes"
LEASES = "/api/v1/namespaces/kube-node-lease"
CLASS = "/apis/scheduling.k8s.io/v1/priorityclasses/system-node-critical"
JANE = {"Impersonate-User": "jane", "Impersonate-Group": "system:authenticated"}


def made_again(client, path, uid):
    end = time.monotonic() + 10
    while True:
        status, object = client.ask("GET", path)
        if status == 200 and object["metadata"]["uid"] != uid:
            return object
        assert time.monotonic() < end, path
        time.sleep(0.02)


def test_nobody_is_locked_out():
    api = Api("--service-cluster-ip-range", "10.96.0.0/24", controllers="*").start()
    try:
        client = api.client()
        for name in "default", "kube-system", "kube-public":
            status, answer = client.ask("DELETE", f"/api/v1/namespaces/{name}")
            assert (status, answer["message"]) == (403, f'namespaces "{name}" is forbidden: this namespace may not be deleted')
        status, answer = client.ask("DELETE", CLASS)
        assert (status, answer["message"]) == (403, 'priorityclasses.scheduling.k8s.io "system-node-critical" is forbidden: '
                                                    'this is a system priority class and cannot be deleted')
        for path in LEASES, CIDR, "/api/v1/namespaces/default/services/kubernetes":
            before = client.ask("GET", path)[1]
            assert client.ask("DELETE", path)[0] == 200
            again = made_again(client, path, before["metadata"]["uid"])
            assert again["spec"] == before["spec"] and again["metadata"].get("labels") == before["metadata"].get("labels")
        assert client.ask("POST", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases", {"metadata": {"name": "n"}, "spec": {}})[0] == 201
        status, service = client.ask("POST", "/api/v1/namespaces/default/services", {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 1}]}})
        assert status == 201 and service["spec"]["clusterIP"].startswith("10.96.0.")

        for what in "clusterrolebindings", "clusterroles":
            assert client.ask("DELETE", f"{RBAC}/{what}")[0] == 200 and client.ask("GET", f"{RBAC}/{what}")[1]["items"] == []
        assert client.ask("DELETE", CLASS.rsplit("/", 1)[0])[0] == 200
        assert client.ask("GET", "/version", **JANE)[0] == 403, "and the admin is in a group that needs no role"
        assert api.end() == 0
        client = api.start().client()
        assert client.ask("GET", "/version", **JANE)[0] == 200 and client.ask("GET", CLASS)[0] == 200
    finally:
        api.stop()


def test_whom_the_server_trusts():
    """kube-system/extension-apiserver-authentication: what is its own is put right, what others have added stays."""
    api = Api().start()
    path = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
    try:
        client = api.client()
        with open(api.pki + "/ca.crt") as f:
            authority = f.read()
        there = client.ask("GET", path)[1]
        assert there["data"] == {"client-ca-file": authority}
        assert client.ask("DELETE", path)[0] == 200
        assert made_again(client, path, there["metadata"]["uid"])["data"] == there["data"]
        change = {"data": {"client-ca-file": "none", "requestheader-username-headers": '["X-Remote-User"]'}}
        assert client.ask("PATCH", path, change, **{"Content-Type": "application/merge-patch+json"})[0] == 200
        api.end()
        api.start()
        assert api.client().ask("GET", path)[1]["data"] == {"client-ca-file": authority, "requestheader-username-headers": '["X-Remote-User"]'}
    finally:
        api.stop()
