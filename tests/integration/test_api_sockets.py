"""Watches over WebSockets, as browsers have them: an event is a message."""
import base64
import json
import os
import signal
import socket
import ssl
import time

import pytest
from support.api import Api
from support.http2 import DATA, END_HEADERS, END_STREAM, HEADERS, PREFACE, SETTINGS, Raw, frame
from support.node import wait_for
from support.streams import masked_frame

MAPS = "/api/v1/namespaces/default/configmaps"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
BEARER = "base64url.bearer.authorization.k8s.io."
LINGER_S = 5  # WATCH_LINGER_MS


@pytest.fixture(scope="module")
def api():
    a = Api().start()
    yield a
    a.stop()


@pytest.fixture(autouse=True)
def nothing_is_left(api):
    yield
    client = api.client()
    client.raw("DELETE", MAPS)
    wait_for("all watches to end", lambda: watches(client) == 0)


def watches(client):
    text = client.raw("GET", "/metrics")[2].decode()
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith("apiserver_longrunning_requests{") and 'resource="configmaps"' in line)


class Socket:
    """A WebSocket by hand."""

    def __init__(self, api, path, *protocols, certificate=True, version="13", **headers):
        context = ssl.create_default_context(cafile=f"{api.pki}/ca.crt")
        certificate and context.load_cert_chain(f"{api.pki}/admin.crt", f"{api.pki}/admin.key")
        self.socket = context.wrap_socket(socket.create_connection(("127.0.0.1", api.port), timeout=20), server_hostname="127.0.0.1")
        fields = {"Host": f"127.0.0.1:{api.port}", "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": version, "Origin": "https://console.example",
                  "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(), **({"Sec-WebSocket-Protocol": ", ".join(protocols)} if protocols else {}), **headers}
        self.socket.sendall(f"GET {path} HTTP/1.1\r\n".encode() + b"".join(f"{k}: {v}\r\n".encode() for k, v in fields.items()) + b"\r\n")
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            self.more()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        self.status, self.fields = int(lines[0].split()[1]), {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:])}

    def more(self):
        data = self.socket.recv(1 << 16)
        if not data:
            raise EOFError(self.buffer)
        self.buffer += data

    def message(self):
        """(opcode, payload)."""
        def need(n):
            while len(self.buffer) < n:
                self.more()
        need(2)
        size, at = self.buffer[1] & 127, 2
        assert self.buffer[0] & 128 and not self.buffer[1] & 128, "one frame a message, not masked"
        if size > 125:
            at += 2 if size == 126 else 8
            need(at)
            size = int.from_bytes(self.buffer[2:at], "big")
        need(at + size)
        opcode, payload, self.buffer = self.buffer[0] & 15, self.buffer[at:at + size], self.buffer[at + size:]
        return opcode, payload

    def event(self):
        opcode, payload = self.message()
        assert opcode == TEXT and payload.endswith(b"\n"), (opcode, payload)
        event = json.loads(payload)
        return event["type"], event["object"]["metadata"]["name"]

    def send(self, opcode, payload=b""):
        self.socket.sendall(masked_frame(opcode, payload))

    def ended(self):
        with pytest.raises((EOFError, ConnectionResetError)):
            self.more()
        return True

    def close(self):
        self.socket.close()


def make(api, name, data="x"):
    assert api.client().raw("POST", MAPS, {"metadata": {"name": name}, "data": {"x": data}})[0] == 201


def test_events_are_messages(api):
    make(api, "first")
    w = Socket(api, MAPS + "?watch=1", "base64.binary.k8s.io")
    assert (w.status, w.fields["sec-websocket-protocol"]) == (101, "base64.binary.k8s.io")
    assert w.event() == ("ADDED", "first")
    make(api, "second", "y" * 100000)
    assert w.event() == ("ADDED", "second")
    w.send(TEXT, b"nobody listens")
    w.send(PING, b"are you there")
    assert w.message() == (PONG, b"are you there")
    api.client().raw("DELETE", MAPS + "/first")
    assert w.event() == ("DELETED", "first")
    w.send(CLOSE, b"\x03\xe8")
    assert w.message() == (CLOSE, b"\x03\xe8") and w.ended()
    w.close()


def test_a_reader_that_is_slow(api):
    """What is there first waits for it, a piece at a time, and what changes meanwhile comes behind it."""
    for i in range(6):
        make(api, f"map-{i}", "y" * 700000)
    w = Socket(api, MAPS + "?watch=1")
    time.sleep(0.5)
    make(api, "map-6")
    assert [w.event() for _ in range(7)] == [("ADDED", f"map-{i}") for i in range(7)]
    w.close()


def test_of_protobuf_they_are_binary(api):
    make(api, "map")
    w = Socket(api, MAPS + "?watch=1&timeoutSeconds=1", Accept="application/vnd.kubernetes.protobuf;stream=watch")
    opcode, payload = w.message()
    assert (w.status, opcode) == (101, BINARY) and payload.startswith(b"\n\x05ADDED\x12") and b"k8s\0" in payload
    assert w.message() == (CLOSE, b"\x03\xe8") and w.ended()
    w.close()


def test_a_token_among_the_protocols(api):
    client = api.client()
    client.ask("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "browser"}})
    client.ask("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
        "metadata": {"name": "browsers"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "ServiceAccount", "namespace": "default", "name": "browser"}]})
    _, issued = client.ask("POST", "/api/v1/namespaces/default/serviceaccounts/browser/token", {"spec": {}})
    token = BEARER + base64.urlsafe_b64encode(issued["status"]["token"].encode()).decode().rstrip("=")
    make(api, "map")
    w = Socket(api, MAPS + "?watch=1", token, "base64.binary.k8s.io", certificate=False)
    assert (w.status, w.fields["sec-websocket-protocol"]) == (101, "base64.binary.k8s.io") and w.event() == ("ADDED", "map")
    w.close()
    w = Socket(api, "/api/v1/namespaces/default/secrets?watch=1", token, "base64.binary.k8s.io", certificate=False)
    assert w.status == 403
    w.close()


def test_what_is_no_watch_by_websocket(api):
    for path, protocols, version, status in ((MAPS + "?watch=1", ("a", "b"), "13", 400), (MAPS + "?watch=1", (), "8", 400), (MAPS, (), "13", 200),
                                             ("/api/v1/namespaces/default/nothing?watch=1", (), "13", 404)):
        w = Socket(api, path, *protocols, version=version)
        assert w.status == status, (path, protocols, version)
        w.close()


def test_a_client_that_does_not_close(api):
    w = Socket(api, MAPS + "?watch=1&timeoutSeconds=1")
    assert w.message() == (CLOSE, b"\x03\xe8") and w.ended()
    wait_for("the watch to be given up", lambda: watches(api.client()) == 0, timeout=3 * LINGER_S)
    w.close()


def test_over_http2(api):
    make(api, "map")
    context = ssl.create_default_context(cafile=f"{api.pki}/ca.crt")
    context.load_cert_chain(f"{api.pki}/admin.crt", f"{api.pki}/admin.key")
    context.set_alpn_protocols(["h2"])
    with Raw(("127.0.0.1", api.port), preface=False) as r:
        r.socket, got, status = context.wrap_socket(r.socket, server_hostname="127.0.0.1"), b"", None
        r.send(PREFACE + frame(SETTINGS))
        r.send(frame(HEADERS, 1, r.encoder.encode([
            (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":path", MAPS + "?watch=1&timeoutSeconds=1"), (":authority", f"127.0.0.1:{api.port}"),
            ("sec-websocket-version", "13"), ("origin", "https://console.example")]), END_HEADERS))
        while True:
            kind, flags, stream, payload = r.receive()
            if kind == HEADERS:
                status = dict(r.decoder.decode(payload))[":status"]
            elif kind == DATA:
                got += payload
                if flags & END_STREAM:
                    break
    assert status == "200" and got[0] == 0x80 | TEXT and b'{"type":"ADDED"' in got and got.endswith(b"\x88\x02\x03\xe8")


def test_the_end_of_the_service():
    a = Api().start()
    try:
        make(a, "map")
        w = Socket(a, MAPS + "?watch=1")
        assert w.event() == ("ADDED", "map")
        begun = time.monotonic()
        a.process.send_signal(signal.SIGTERM)
        assert w.message() == (CLOSE, b"\x03\xe8")
        w.close()
        assert a.process.wait(20) == 0 and time.monotonic() - begun < LINGER_S
    finally:
        a.stop()
