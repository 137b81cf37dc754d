"""The end of the API service while everything is at work: whatever waits then, for the store, a turn, a quota or an account, is freed once, and what was
answered is there afterwards."""
import http.client
import json
import signal
import socket
import ssl
import threading
import time

import pytest

from support.api import Api
from support.http2 import ACK, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PREFACE, SETTINGS, Raw, frame

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


# --- clients that stand still, or begin anew meanwhile ---

MAPS = "/api/v1/namespaces/default/configmaps"
LINGER_S = 5  # HTTP_LINGER_MS: how long who stands still is waited for, once


def context_of(api, *protocols):
    context = ssl.create_default_context(cafile=f"{api.pki}/ca.crt")
    context.load_cert_chain(f"{api.pki}/admin.crt", f"{api.pki}/admin.key")
    protocols and context.set_alpn_protocols(protocols)
    return context


def ask_by_hand(api, text):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.connect(("127.0.0.1", api.port))
    s = context_of(api).wrap_socket(s, server_hostname="127.0.0.1")
    s.sendall(text.encode())
    return s


class Streams(Raw):
    """A connection of HTTP/2 that reads nothing by itself."""

    def __init__(self, api):
        super().__init__(("127.0.0.1", api.port), preface=False)
        self.socket, self.authority = context_of(api, "h2").wrap_socket(self.socket, server_hostname="127.0.0.1"), f"127.0.0.1:{api.port}"
        self.send(PREFACE + frame(SETTINGS))

    def get(self, stream, path):
        fields = [(":method", "GET"), (":scheme", "https"), (":path", path), (":authority", self.authority)]
        self.send(frame(HEADERS, stream, self.encoder.encode(fields), END_HEADERS | END_STREAM))


def test_who_stands_still_is_not_waited_for():
    """Who reads neither a list nor a watch, and who has sent half a body, over HTTP/1.1 and HTTP/2: not for --request-timeout."""
    api = Api().start()
    try:
        for i in range(12):
            assert api.client().raw("POST", MAPS, {"metadata": {"name": f"m{i}"}, "data": {"x": "y" * 700000}})[0] == 201
        clients = [ask_by_hand(api, f"GET {MAPS}{query} HTTP/1.1\r\nHost: x\r\n\r\n") for query in ("", "?watch=1")]
        clients += [ask_by_hand(api, f"POST {MAPS} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{")]
        clients += [Streams(api) for _ in range(2)]
        clients[-2].get(1, MAPS)
        clients[-1].get(1, MAPS + "?watch=1")
        time.sleep(1)
        begun = time.monotonic()
        api.process.send_signal(signal.SIGTERM)
        assert api.process.wait(60) == 0
        took = time.monotonic() - begun
        assert took < 4 * LINGER_S, took
        for c in clients:
            c.close()
    finally:
        api.stop()


def test_what_begins_while_the_service_leaves_is_ended():
    """A client has a stream begin before it has heard of the end: a watch ends at once, a way to a node is refused."""
    api = Api().start()
    try:
        client = api.client()
        node = {"metadata": {"name": "n"}, "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.1"}], "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}}}}
        assert client.raw("POST", "/api/v1/nodes", node)[0] == 201
        client.connection.close()
        with Streams(api) as r:
            r.get(1, MAPS + "?watch=1")
            begun, statuses, ended, told = None, {}, set(), None
            while len(ended) < 3:
                kind, flags, stream, payload = r.receive()
                if kind == PING and not flags & ACK and not told:
                    told = payload  # and is answered behind what is asked for meanwhile
                    r.get(3, MAPS + "?watch=1")
                    r.get(5, "/api/v1/nodes/n/proxy/metrics")
                    r.send(frame(PING, 0, payload, ACK))
                elif kind == HEADERS:
                    statuses[stream] = dict(r.decoder.decode(payload))
                    if not begun:
                        begun = time.monotonic()
                        api.process.send_signal(signal.SIGTERM)
                if kind in (HEADERS, DATA) and flags & END_STREAM:
                    ended.add(stream)
        assert told and [statuses[s][":status"] for s in (3, 5)] == ["200", "503"] and statuses[5]["retry-after"] == "1", statuses
        assert api.process.wait(60) == 0
        assert time.monotonic() - begun < LINGER_S
    finally:
        api.stop()


def test_a_resolver_that_does_not_answer_is_not_waited_for(tmp_path):
    """A node that is known by a name, and a server of names that says nothing, which the resolver asks again and again."""
    resolv = tmp_path / "resolv.conf"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.53.53.53", 53))
        silent.settimeout(10)
        resolv.write_text("nameserver 127.53.53.53\noptions timeout:10 attempts:3\n")
        api = Api("--kubelet-preferred-address-types=Hostname", inside=["unshare", "-m", "sh", "-c", f'mount --bind {resolv} /etc/resolv.conf && exec "$@"', "sh"]).start()
        try:
            client = api.client()
            assert client.raw("POST", "/api/v1/nodes", {"metadata": {"name": "n"}, "status": {"addresses": [{"type": "Hostname", "address": "nowhere.example"}]}})[0] == 201
            client.connection.request("GET", "/api/v1/nodes/n/proxy/metrics")
            assert b"nowhere" in silent.recv(512)
            begun = time.monotonic()
            api.process.send_signal(signal.SIGTERM)
            assert api.process.wait(60) == 0 and time.monotonic() - begun < LINGER_S
        finally:
            api.stop()
