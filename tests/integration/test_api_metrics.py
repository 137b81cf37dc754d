"""What the API service counts, by kube-apiserver's names, in both formats of Prometheus."""
import json
import math
import socket
import time

from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families
from prometheus_client.parser import text_string_to_metric_families

API = {}  # with what an API service has by itself
MAPS = "/api/v1/namespaces/default/configmaps"
APPLY = {"Content-Type": "application/apply-patch+yaml"}
OF_MAPS = {"component": "apiserver", "group": "", "version": "v1", "resource": "configmaps", "subresource": ""}


def scrape(api):
    status, headers, text = api.client().raw("GET", "/metrics")
    assert status == 200 and headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return check(list(text_string_to_metric_families(text.decode())))


def check(families):
    """Each family once, each series once, histograms that add up."""
    assert len({f.name for f in families}) == len(families)
    for f in families:
        assert f.documentation and f.type in ("counter", "gauge", "histogram"), f
        keys = [(s.name, tuple(sorted(s.labels.items()))) for s in f.samples]
        assert len(set(keys)) == len(keys), f.name
        buckets = {}
        for s in f.samples:
            if s.name.endswith("_bucket"):
                buckets.setdefault(tuple(sorted((k, v) for k, v in s.labels.items() if k != "le")), []).append((float(s.labels["le"]), s.value))
        counts = {tuple(sorted(s.labels.items())): s.value for s in f.samples if s.name.endswith("_count") and f.type == "histogram"}
        assert counts.keys() == buckets.keys()
        for key, rows in buckets.items():
            assert rows == sorted(rows) and [n for _, n in rows] == sorted(n for _, n in rows) and rows[-1] == (math.inf, counts[key]), (f.name, key)
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for f in families for s in f.samples}


def value(samples, name, **labels):
    found = [v for (n, l), v in samples.items() if n == name and labels.items() <= dict(l).items()]
    assert len(found) <= 1, (name, labels, found)
    return found[0] if found else 0


def test_requests_are_counted(api):
    client, before = api.client(), scrape(api)
    assert client.raw("POST", MAPS, {"metadata": {"name": "a"}})[0] == 201
    assert client.raw("POST", MAPS, {"metadata": {"name": "a"}})[0] == 409
    assert client.raw("POST", MAPS + "?dryRun=All", {"metadata": {"name": "b"}})[0] == 201
    assert client.raw("PATCH", MAPS + "/a?fieldManager=x", b'{"apiVersion":"v1","kind":"ConfigMap","data":{"a":"b"}}', **APPLY)[0] == 200
    assert client.raw("PATCH", MAPS + "/a", b'{"data":{"a":"c"}}', **{"Content-Type": "application/merge-patch+json"})[0] == 200
    assert client.raw("GET", MAPS + "/a")[0] == client.raw("GET", MAPS)[0] == client.raw("GET", "/api/v1/configmaps")[0] == 200
    assert client.raw("GET", MAPS + "?timeout=1ns")[0] == 504
    assert client.raw("DELETE", MAPS + "/a")[0] == 200
    after = scrape(api)
    for labels in ({"verb": "POST", "code": "201", "scope": "resource", "dry_run": ""}, {"verb": "POST", "code": "409", "scope": "resource", "dry_run": ""},
                   {"verb": "POST", "code": "201", "scope": "resource", "dry_run": "All"}, {"verb": "APPLY", "code": "200", "scope": "resource"},
                   {"verb": "PATCH", "code": "200", "scope": "resource"}, {"verb": "GET", "code": "200", "scope": "resource"},
                   {"verb": "LIST", "code": "200", "scope": "namespace"}, {"verb": "LIST", "code": "200", "scope": "cluster"},
                   {"verb": "LIST", "code": "504", "scope": "namespace"}, {"verb": "DELETE", "code": "200", "scope": "resource"}):
        assert value(after, "apiserver_request_total", **OF_MAPS, **labels) - value(before, "apiserver_request_total", **OF_MAPS, **labels) == 1, labels
    assert value(after, "apiserver_request_terminations_total", **OF_MAPS, verb="LIST", code="504") == 1
    assert value(after, "apiserver_request_duration_seconds_count", **OF_MAPS, verb="POST", scope="resource", dry_run="") == 2
    assert value(after, "apiserver_request_sli_duration_seconds_count", **OF_MAPS, verb="POST", scope="resource") == 2
    assert value(after, "apiserver_response_sizes_count", **OF_MAPS, verb="LIST", scope="cluster") == 1
    assert value(after, "apiserver_response_sizes_sum", **OF_MAPS, verb="LIST", scope="cluster") > 100
    for operation, n in (("create", 1), ("update", 2), ("delete", 1)):
        assert value(after, "etcd_request_duration_seconds_count", group="", resource="configmaps", operation=operation) >= n, operation
    assert value(after, "apiserver_request_total", subresource="/metrics", verb="GET", code="200", resource="") >= 1


def test_what_clients_make_up_is_no_label(api):
    client = api.client()
    for i in range(50):
        client.raw("GET", f"/api/v1/made-up-{i}")
        client.raw("GET", f"/apis/made-up-{i}/v1/things")
        client.raw("GET", f"/made-up-{i}")
        client.raw("GET", f"{MAPS}/x/made-up-{i}")
    assert b"made-up" not in client.raw("GET", "/metrics")[2]


def test_objects_watches_and_identities(api):
    client = api.client()
    assert client.raw("POST", MAPS, {"metadata": {"name": "w"}})[0] == 201
    connection, running = client.open(), {"verb": "WATCH", "scope": "namespace", **OF_MAPS}
    connection.request("GET", MAPS + "?watch=1&fieldSelector=metadata.name%3Dw")
    answer = connection.getresponse()
    assert json.loads(answer.readline())["type"] == "ADDED"
    samples = scrape(api)
    assert value(samples, "apiserver_longrunning_requests", **running) == 1
    assert value(samples, "apiserver_watch_events_total", group="", version="v1", resource="configmaps") >= 1
    assert value(samples, "apiserver_watch_events_sizes_sum", group="", version="v1", resource="configmaps") > 100
    assert value(samples, "apiserver_resource_objects", group="", resource="configmaps") == value(samples, "apiserver_storage_objects", resource="configmaps") >= 1
    assert value(samples, "apiserver_storage_objects", resource="deployments.apps") == 0
    assert value(samples, "apiserver_storage_objects", resource="clusterroles.rbac.authorization.k8s.io") > 10
    assert value(samples, "apiserver_current_inflight_requests", request_kind="readOnly") == 1
    connection.sock.close() if connection.sock else answer.close()
    connection.close()
    assert client.raw("GET", MAPS, **{"Impersonate-User": "nobody"})[0] == 403
    assert client.raw("GET", MAPS, Authorization="Bearer wrong")[0] == 200, "the certificate counts"
    with socket.create_connection(("127.0.0.1", api.port)) as s:
        s.sendall(b"this is no TLS, and was never meant to be\r\n\r\n")
        try:
            s.recv(100)
        except ConnectionResetError:
            pass
    for _ in range(100):
        samples = scrape(api)
        if value(samples, "apiserver_longrunning_requests", **running) == 0:
            break
        time.sleep(0.02)
    assert value(samples, "apiserver_longrunning_requests", **running) == 0
    assert value(samples, "authentication_attempts_total", result="success") > 10, "which the parser calls so"
    assert value(samples, "authorization_attempts_total", result="denied") >= 1
    assert value(samples, "apiserver_tls_handshake_errors_total") >= 1
    assert value(samples, "process_resident_memory_bytes") > 1 << 20 and value(samples, "kubernetes_build_info", major="1", minor="36") == 1


def test_queues_of_controllers(api):
    """A role that comes makes those due that aggregate."""
    client, before = api.client(), scrape(api)

    def of_queue(samples, name):
        return samples[name, (("name", "clusterrole-aggregation-controller"),)]

    role = {"metadata": {"name": "counted", "labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}}, "rules": []}
    assert client.raw("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", role)[0] == 201
    end, adds, done = time.monotonic() + 20, 0, -1
    while time.monotonic() < end and (done != adds or adds == of_queue(before, "workqueue_adds_total")):
        after = scrape(api)
        adds, done = of_queue(after, "workqueue_adds_total"), of_queue(after, "workqueue_work_duration_seconds_count")
    assert done == adds > of_queue(before, "workqueue_adds_total")
    assert of_queue(after, "workqueue_depth") == 0 and of_queue(after, "workqueue_retries_total") >= 0


def test_open_metrics(api):
    status, headers, text = api.client().raw("GET", "/metrics", Accept="application/openmetrics-text; version=1.0.0,text/plain;q=0.5")
    assert status == 200 and headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    samples = check(list(open_families(text.decode())))
    assert value(samples, "authentication_attempts_total", result="success") > 0 and text.endswith(b"\n# EOF\n")


def test_only_who_may_reads_them(api):
    assert api.client().raw("GET", "/metrics", **{"Impersonate-User": "jane"})[0] == 403


def test_admission_is_timed(api):
    """By plugin and by step, what was refused apart."""
    client = api.client()
    assert client.ask("POST", "/api/v1/namespaces/default/configmaps", {"metadata": {"name": "timed"}})[0] == 201
    assert client.ask("POST", "/api/v1/namespaces/nowhere/configmaps", {"metadata": {"name": "timed"}})[0] == 404
    lines = client.raw("GET", "/metrics")[2].decode().splitlines()
    for labels in ('controller_admission_duration_seconds_count{name="NamespaceLifecycle",operation="CREATE",rejected="false",type="admit"}',
                   'controller_admission_duration_seconds_count{name="NamespaceLifecycle",operation="CREATE",rejected="true",type="admit"}',
                   'step_admission_duration_seconds_count{operation="CREATE",rejected="true",type="admit"}',
                   'step_admission_duration_seconds_count{operation="CREATE",rejected="false",type="validate"}'):
        (line,) = [line for line in lines if line.startswith("apiserver_admission_" + labels)]
        assert int(line.split()[1]) > 0, line
