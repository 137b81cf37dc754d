"""What the API service takes before it says no: requests in flight, time, memory of answers, connections; and how it ends."""
import http.client
import json
import re
import resource
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

from support.api import BUILD, Api

MAPS = "/api/v1/namespaces/default/configmaps"
JANE = {"Impersonate-User": "jane", "Impersonate-Group": "system:authenticated"}
MIB = 1 << 20


def rss(api):
    """Resident memory; of a build with sanitizers, which keeps what is freed, nothing is asserted."""
    if "sanitize" in BUILD:
        return 0
    with open(f"/proc/{api.process.pid}/status") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmRSS"))


def wait_until(what, seconds=10):
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, what
        time.sleep(0.02)
    return found


class Slow:
    """A request whose body does not come, until it is finished."""

    def __init__(self, api, path=MAPS, **headers):
        self.body = json.dumps({"metadata": {"generateName": "slow-"}}).encode()
        self.connection = api.client().open()
        self.connection.putrequest("POST", path)
        for k, v in {"Content-Type": "application/json", "Content-Length": str(len(self.body)), **headers}.items():
            self.connection.putheader(k, v)
        self.connection.endheaders()

    def finish(self):
        self.connection.send(self.body)
        return self.answer()

    def answer(self):
        answer = self.connection.getresponse()
        text = answer.read()
        self.connection.close()
        return answer.status, answer.headers, text


@pytest.fixture(scope="module")
def api():
    a = Api("--max-mutating-requests-inflight", "2", "--max-requests-inflight", "4").start()
    client = a.client()
    assert client.raw("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
        "metadata": {"name": "jane"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jane"}]})[0] == 201
    yield a
    a.stop()


def test_changes_in_flight(api):
    """Past the bound others are told to come again; those that read, watches and administrators are not held up."""
    client, slow = api.client(), [Slow(api, **JANE) for _ in range(2)]

    def refused():
        answer = client.raw("POST", MAPS, {"metadata": {"generateName": "x-"}}, **JANE)
        return answer if answer[0] == 429 else None

    _, headers, text = wait_until(refused)
    assert headers["Retry-After"] == "1" and headers["Content-Type"] == "text/plain; charset=utf-8" and headers["Audit-Id"]
    assert text == b"Too many requests, please try again later.\n"
    assert client.raw("GET", MAPS, **JANE)[0] == 200
    assert client.raw("POST", MAPS, {"metadata": {"generateName": "x-"}})[0] == 201
    assert [s.finish()[0] for s in slow] == [201, 201]
    assert client.raw("POST", MAPS, {"metadata": {"generateName": "x-"}}, **JANE)[0] == 201


def test_a_client_that_goes_gives_its_place_back(api):
    for _ in range(8):
        for s in [Slow(api, **JANE) for _ in range(2)]:
            s.connection.close()
    wait_until(lambda: api.client().raw("POST", MAPS, {"metadata": {"generateName": "x-"}}, **JANE)[0] == 201)


def test_time_is_over(api):
    status, headers, text = Slow(api, MAPS + "?timeout=200ms").answer()
    assert (status, headers["Content-Type"]) == (504, "text/plain; charset=utf-8")
    assert text == (b'{"metadata":{},"status":"Failure","message":"Timeout: request did not complete within the allotted timeout",'
                    b'"reason":"Timeout","details":{},"code":504}\n')
    client = api.client()
    assert client.raw("GET", MAPS + "?timeout=1ns")[0] == 504
    assert client.raw("GET", MAPS + "?timeout=0s")[0] == client.raw("GET", MAPS + "?timeout=100h")[0] == 200
    for text, words in (("1", 'missing unit in duration "1"'), ("1x", 'unknown unit "x" in duration "1x"'), ("-", 'invalid duration "-"')):
        status, answer = client.ask("GET", f"{MAPS}?timeout={text}")
        assert (status, answer["message"]) == (400, "invalid timeout specified in the request URL - time: " + words)
    assert api.client().watch(MAPS + "?watch=1&timeout=1ns&timeoutSeconds=1"), "a watch has its own time"


def test_the_servers_own_time():
    api = Api("--request-timeout", "300ms").start()
    try:
        slow = [Slow(api) for _ in range(20)]
        assert {s.answer()[0] for s in slow} == {504}
        assert api.client().raw("GET", MAPS)[0] == 200
    finally:
        api.stop()


def test_bodies(api):
    client = api.client()
    largest = 3 * MIB
    status, answer = client.ask("POST", MAPS, b" " * (largest + 1))
    assert (status, answer["reason"], answer["message"]) == (413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728")
    client = api.client()
    empty = json.dumps({"metadata": {"generateName": "x-"}}).encode()
    assert client.raw("POST", MAPS, empty + b" " * (largest - len(empty)))[0] == 201
    before = rss(api)
    for depth in (101, 10000, MIB // 2):
        assert client.raw("POST", MAPS, b'{"metadata":' + b'{"a":' * depth)[0] == 400
        assert client.raw("POST", MAPS, b"[" * depth)[0] == 400
        assert client.raw("POST", MAPS, b"a: " + b"[" * depth, **{"Content-Type": "application/yaml"})[0] == 400
    many = b'{"metadata":{"generateName":"x-"},"data":{' + b",".join(b'"%d":""' % i for i in range(300000)) + b"}}"
    assert client.raw("POST", MAPS, many)[0] in (400, 413, 422)
    assert rss(api) - before < 96 * MIB


def test_readers_that_do_not_read(api):
    """Large answers wait in memory up to a bound; then others are told to come again, and small answers go out."""
    client = api.client()
    for i in range(24):
        assert client.raw("POST", MAPS, {"metadata": {"name": f"large-{i}"}, "data": {"a": "x" * 900000}})[0] == 201
    before, readers = rss(api), []
    try:
        for _ in range(24):
            connection = api.client().open()
            connection.connect()
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.request("GET", MAPS)
            readers.append(connection)
        wait_until(lambda: api.client().raw("GET", MAPS)[0] == 429)
        assert client.raw("GET", MAPS + "?limit=1")[0] in (200, 429) and client.raw("GET", "/readyz")[0] == 200
        assert rss(api) - before < 256 * MIB
    finally:
        for connection in readers:
            connection.close()
    wait_until(lambda: api.client().raw("GET", MAPS)[0] == 200)
    assert client.raw("DELETE", MAPS)[0] == 200


def test_connections(api):
    """Ten thousand that say nothing, and a thousand that have said who they are: others are served, memory is bounded."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(20000, hard), hard))
    before, held = rss(api), []
    try:
        for _ in range(10000):
            held.append(socket.create_connection(("127.0.0.1", api.port), timeout=10))
        context = ssl.create_default_context(cafile=f"{api.pki}/ca.crt")
        for _ in range(1000):
            held.append(context.wrap_socket(socket.create_connection(("127.0.0.1", api.port), timeout=10), server_hostname="127.0.0.1"))
        assert api.client().raw("GET", "/readyz")[0] == 200
        assert rss(api) - before < 160 * MIB
    finally:
        for s in held:
            s.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert api.client().raw("GET", MAPS)[0] == 200


def test_writes_that_meet():
    """Sixty-four clients change one object: each change is made, or told of as a conflict; none is lost."""
    api = Api().start()
    try:
        assert api.client().raw("POST", MAPS, {"metadata": {"name": "one"}, "data": {}})[0] == 201
        made, others = [], []

        def change(number):
            client = api.client()
            for i in range(8):
                key = f"k{number}-{i}"
                status = client.raw("PATCH", MAPS + "/one", json.dumps({"data": {key: "x"}}).encode(),
                                    **{"Content-Type": "application/merge-patch+json"})[0]
                made.append(key) if status == 200 else others.append(status)

        threads = [threading.Thread(target=change, args=(n,)) for n in range(64)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert set(api.client().ask("GET", MAPS + "/one")[1]["data"]) == set(made) and set(others) <= {409, 429}
        assert len(made) + len(others) == 64 * 8 and rss(api) < 160 * MIB
    finally:
        api.stop()


def test_it_leaves_in_order():
    """At a signal /readyz fails first, watches get their end, what is under way is finished, and then it is gone."""
    api = Api("--shutdown-delay-duration", "500ms").start()
    seen = []

    def watch():
        try:
            seen.extend(event["type"] for event in api.client().watch(MAPS + "?watch=1"))
            seen.append("end")
        except (http.client.HTTPException, OSError) as e:
            seen.append(e)

    try:
        assert api.client().raw("POST", MAPS, {"metadata": {"name": "x"}})[0] == 201
        watcher = threading.Thread(target=watch)
        watcher.start()
        slow, client = Slow(api), api.client()
        wait_until(lambda: "ADDED" in seen)
        api.process.send_signal(signal.SIGTERM)
        status, _, text = wait_until(lambda: (a := client.raw("GET", "/readyz"))[0] == 500 and a)
        assert b"[-]shutdown failed: reason withheld\n" in text and text.endswith(b"readyz check failed\n")
        counted = client.raw("GET", "/metrics/slis")[2].decode()
        assert 'kubernetes_healthcheck{name="shutdown",type="readyz"} 0\n' in counted and 'kubernetes_healthcheck{name="ping",type="readyz"} 1\n' in counted
        assert int(re.search(r'kubernetes_healthchecks_total\{name="shutdown",status="error",type="readyz"\} (\d+)\n', counted)[1]) >= 1
        assert client.raw("GET", "/readyz/shutdown")[2] == b"internal server error: process is shutting down\n"
        assert client.raw("GET", "/livez")[0] == client.raw("GET", "/readyz?exclude=shutdown")[0] == client.raw("GET", MAPS)[0] == 200
        watcher.join(10)
        assert seen[-1] == "end"
        assert slow.finish()[0] == 201
        assert api.process.wait(10) == 0
    finally:
        api.stop()


def test_it_leaves_at_once_for_a_second_signal():
    api = Api("--shutdown-delay-duration", "1h").start()
    try:
        api.process.send_signal(signal.SIGTERM)
        wait_until(lambda: api.client().raw("GET", "/readyz")[0] == 500)
        api.process.send_signal(signal.SIGTERM)
        assert api.process.wait(5) == 0
    finally:
        api.stop()


def test_some_are_sent_to_another_connection():
    """--goaway-chance: HTTP/2 connections end, and requests on them do not fail."""
    api = Api("--goaway-chance", "0.02").start()
    try:
        done = subprocess.run(["curl", "-sS", "--http2", "--cacert", f"{api.pki}/ca.crt", "--cert", f"{api.pki}/admin.crt", "--key", f"{api.pki}/admin.key",
                               "-o", "/dev/null", "-w", "%{http_code} %{num_connects}\n", f"https://127.0.0.1:{api.port}/readyz?[1-400]"],
                              capture_output=True, text=True, timeout=60)
        rows = [line.split() for line in done.stdout.splitlines()]
        assert len(rows) == 400 and {code for code, _ in rows} == {"200"}, done
        assert 1 < sum(int(n) for _, n in rows) < 100
    finally:
        api.stop()
