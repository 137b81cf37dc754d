"""Peers that mean harm to the server of lib/http: who is slow, who holds, who floods. Others are served meanwhile, memory and CPU stay
bounded, and each limit holds at its named maximum."""
import gzip
import os
import socket
import struct
import time

import pytest

from support.http import Raw2, Server, make_pki, read_all, tls_connect
from support.http2 import (CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE,
                           frame)
from support.node import wait_for

MEMORY_MAX = 24 << 20
CALM = ("goaway", 11)
SHORT = ("head_ms=500", "body_ms=700", "idle_ms=900", "stall_ms=1500", "handshake_ms=600", "linger_ms=400")
GET = b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def server():
    with Server() as s:
        with s.connect() as first:
            first.sendall(GET)
            first.recv(100)
        yield s


@pytest.fixture(scope="module")
def short():
    """With short times, which only those feel who let them pass."""
    with Server(*SHORT) as s:
        yield s


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    directory = tmp_path_factory.mktemp("pki")
    make_pki(directory)
    return directory


@pytest.fixture(autouse=True)
def unhurt(server):
    before, descriptors = server.memory(), len(os.listdir(f"/proc/{server.process.pid}/fd"))
    yield
    with server.connect() as s:
        s.sendall(GET)
        assert s.recv(100).startswith(b"HTTP/1.1 200")
    assert server.memory() - before < MEMORY_MAX
    wait_for("descriptors back", lambda: len(os.listdir(f"/proc/{server.process.pid}/fd")) <= descriptors)


def ends(s, low, high, sent=b""):
    """What the server says before it closes, which it does after some seconds: neither earlier nor later."""
    begin = time.monotonic()
    s.settimeout(high + 5)
    answer = read_all(s)
    assert answer is not None and low <= time.monotonic() - begin <= high + 1.5
    return answer


# --- who is slow ---

def test_a_head_that_does_not_come(short):
    with short.connect() as s:
        s.sendall(b"GET /hello HTTP/1.1\r\nHost:")
        answer = ends(s, 0.4, 0.5 + 0.4)
    assert answer.startswith(b"HTTP/1.1 408 ") and b"connection: close" in answer


def test_a_head_that_trickles(short):
    with short.connect() as s:
        begin = time.monotonic()
        try:
            for byte in GET * 10:
                s.send(bytes([byte]))
                time.sleep(0.05)
            raise AssertionError("never cut off")
        except (BrokenPipeError, ConnectionResetError):
            assert time.monotonic() - begin < 3


def test_a_head_that_does_not_come_over_http2(short):
    with Raw2(short) as r:
        r.send(frame(HEADERS, 1, r.head()[:3], END_STREAM))
        begin = time.monotonic()
        while r.receive():
            pass
        assert time.monotonic() - begin < 3


@pytest.mark.parametrize("framing", [b"Content-Length: 1000", b"Transfer-Encoding: chunked"])
def test_a_body_that_trickles(short, framing):
    with short.connect() as s:
        s.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\n" + framing + b"\r\n\r\n" + (b"a" if b"L" in framing else b"1\r\na\r\n"))
        assert ends(s, 0.6, 0.7 + 0.4).startswith(b"HTTP/1.1 408 ")


def test_the_rest_of_an_answered_request_that_does_not_come(short):
    """The connection would serve on behind it, but not for ever."""
    with short.connect() as s:
        s.sendall(b"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\na")
        answer = ends(s, 0.4, 0.5 + 0.4)
    assert answer.startswith(b"HTTP/1.1 404 ") and b"connection: close" not in answer and answer.count(b"HTTP/1.1") == 1


def test_a_body_that_trickles_over_http2(short):
    with Raw2(short) as r:
        r.get("/echo", END_HEADERS, method="POST")
        other = r.get("/hello")
        status = {}
        while len(status) < 2:
            kind, _, stream, payload = r.receive()
            if kind == HEADERS:
                status[stream] = dict(r.decoder.decode(payload))[":status"]
        assert status == {1: "408", other: "200"}


def test_idle_connections(short):
    with short.connect() as silent, short.connect() as kept:
        kept.sendall(GET)
        assert kept.recv(100).startswith(b"HTTP/1.1 200")
        assert ends(kept, 0.7, 0.9) is not None
        assert ends(silent, 0, 0.9) == b""


def test_a_client_that_does_not_close(short):
    """After "Connection: close" the rest is read for a while, so that the client sees its answer (RFC 9112, 9.6), and no longer."""
    with short.connect() as s:
        s.sendall(b"NONSENSE\r\n\r\n")
        assert s.recv(1000).startswith(b"HTTP/1.1 400")
        begin = time.monotonic()
        try:
            while time.monotonic() - begin < 5:
                s.send(b"x")
                time.sleep(0.05)
            raise AssertionError("never cut off")
        except (BrokenPipeError, ConnectionResetError):
            assert 0.3 < time.monotonic() - begin < 2


@pytest.mark.parametrize("path", ["/list", "/endless"])
def test_a_reader_that_does_not_read(short, path):
    with short.connect() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        time.sleep(3)
        s.settimeout(10)
        answer = read_all(s)
    assert answer is not None and 0 < len(answer) < 12 << 20


def test_a_stream_whose_window_stays_closed(short):
    """The connection lives, and its other streams are answered: only the one that takes nothing is reset."""
    with Raw2(short, struct.pack(">HI", 4, 0)) as r:
        stalled, begin = r.get("/list"), time.monotonic()
        while True:
            r.get("/request/x", method="DELETE", extra=[("x", "y")])
            r.send(frame(RST_STREAM, r.stream, struct.pack(">I", 8)))
            kind, _, stream, payload = r.receive()
            if kind == HEADERS:
                r.decoder.decode(payload)
            if kind == RST_STREAM and stream == stalled:
                break
            assert time.monotonic() - begin < 5
            time.sleep(0.05)
        assert time.monotonic() - begin > 1.4
        assert r.reaction() != "closed"


def test_a_slow_reader_is_served(short):
    """Slow, but it reads: not closed, however long it takes."""
    with short.connect() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        s.sendall(b"GET /list HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        size, begin = 0, time.monotonic()
        while (data := s.recv(1 << 19)):
            size += len(data)
            if time.monotonic() - begin < 2:
                time.sleep(0.05)
        assert size > 14 << 20


# --- who holds ---

def test_connections_past_the_maximum():
    with Server("connections=10") as server:
        held = [server.connect() for _ in range(10)]
        watch = b"GET /watch HTTP/1.1\r\nHost: x\r\n\r\n"
        for s in held[:9]:  # with work; the tenth is idle
            s.sendall(watch)
            assert s.recv(100)
        held[9].sendall(GET)
        assert held[9].recv(100)
        with server.connect() as more:
            more.sendall(watch)
            assert more.recv(100)
            assert read_all(held[9]) is not None  # made room
            with server.connect() as refused:  # nobody can
                assert read_all(refused) == b""
        for s in held:
            s.close()


def test_handshakes_that_do_not_end(pki):
    with Server("--tls", pki / "server.pem", pki / "server.key", "handshakes=5", *SHORT) as server:
        first = server.connect()
        time.sleep(0.1)
        half = [server.connect() for _ in range(5)]
        first.settimeout(0.4)
        assert read_all(first) == b""  # the oldest made room
        with tls_connect(server, pki / "ca.pem") as s:  # who means it gets in
            s.sendall(GET)
            assert s.recv(100).startswith(b"HTTP/1.1 200")
        for s in half:
            assert ends(s, 0, 0.7) == b""


def test_tls_records_that_are_none(pki):
    with Server("--tls", pki / "server.pem", pki / "server.key", *SHORT) as server:
        for sent in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 70000, b"\x16\x03\x01\x00\x05\x01\0\0\0\0", os.urandom(4096),
                     b"\x15\x03\x01\x00\x02\x02\x28" * 1000, b"\x16\x03\x01\x00\x00" * 10000, b"\x80\x2e\x01\x03\x01" + b"x" * 100):
            with server.connect() as s:
                try:
                    s.sendall(sent)
                except (BrokenPipeError, ConnectionResetError):
                    continue
                assert read_all(s) is not None
        with tls_connect(server, pki / "ca.pem") as s:
            s.sendall(GET)
            assert s.recv(100).startswith(b"HTTP/1.1 200")


def test_thousands_of_connections():
    with Server("connections=3000") as server:
        before, held = server.memory(), []
        for _ in range(2000):
            s = server.connect()
            s.sendall(b"GET /watch HTTP/1.1\r\nHost: x\r\n\r\n")
            held.append(s)
        for s in held:
            assert s.recv(1000).startswith(b"HTTP/1.1 200")
        each = (server.memory() - before) / len(held)
        for s in held:
            s.close()
    assert each < 3500


# --- who floods ---

def flood(r, data, times):
    """Sends until it is cut off; then why."""
    try:
        for _ in range(times):
            r.send(data)
    except (BrokenPipeError, ConnectionResetError):
        return CALM
    return r.reaction()


FLOODS = {
    "PING": frame(PING, payload=b"12345678") * 1000,
    "SETTINGS": frame(SETTINGS, payload=struct.pack(">HI", 4, 65535)) * 1000,
    "empty SETTINGS": frame(SETTINGS) * 1000,
    "PRIORITY": frame(PRIORITY, 1, struct.pack(">IB", 0, 1)) * 1000,
    "PRIORITY of ever new streams": b"".join(frame(PRIORITY, 2 * i + 1, struct.pack(">IB", 2 * i + 3, 1)) for i in range(1000)),
    "SETTINGS' acknowledgements": frame(SETTINGS, flags=1) * 1000,
}


@pytest.mark.parametrize("what", FLOODS)
def test_floods(server, what):
    with Raw2(server) as r:
        r.get("/hold")
        assert flood(r, FLOODS[what], 30) in (CALM, ("goaway", 1))


@pytest.mark.parametrize("data", [frame(DATA, 1), frame(DATA, 1, b"\x03\0\0\0", 8)], ids=["empty", "padding"])
def test_empty_data(server, data):
    with Raw2(server) as r:
        r.get("/count", END_HEADERS, method="POST")
        assert flood(r, data * 1000, 30) == CALM


def test_small_data_is_no_flood(server):
    with Raw2(server) as r:
        r.get("/count", END_HEADERS, method="POST")
        for _ in range(20):
            r.send(frame(DATA, 1, b"x") * 1000)
        r.send(frame(DATA, 1, b"x", END_STREAM))
        assert r.reaction() == [200]


def test_rapid_reset(server):
    with Raw2(server) as r:
        def once():
            r.get("/hold")
            r.send(frame(RST_STREAM, r.stream, struct.pack(">I", 8)))
        try:
            for _ in range(190):
                once()
            assert r.reaction() == []
            for _ in range(300):
                once()
        except (BrokenPipeError, ConnectionResetError):
            return
        assert r.reaction() in (CALM, "closed")


def test_resets_that_the_server_is_made_to_send(server):
    """CVE-2025-8671: wrong frames that have the server reset its streams."""
    with Raw2(server) as r:
        try:
            for _ in range(500):
                r.get("/hold")
                r.send(frame(WINDOW_UPDATE, r.stream, b"\0\0\0\0"))
        except (BrokenPipeError, ConnectionResetError):
            return
        while (got := r.receive()):
            if got[0] == 7 and int.from_bytes(got[3][4:8], "big"):
                return
        # the end without more words is right, too


def test_continuations_without_end(server):
    with Raw2(server) as r:
        begin = server.cpu()
        r.send(frame(HEADERS, 1, r.head(), END_STREAM))
        try:
            for _ in range(2000):
                r.send(frame(CONTINUATION, 1, (b"\0\x01x\x7d" + b"y" * 125) * 100))
        except (BrokenPipeError, ConnectionResetError):
            pass
        r.socket.settimeout(1)
        try:
            reaction = r.reaction()
        except TimeoutError:
            reaction = "waits for the head's end"
        assert reaction in ("closed", CALM, ("goaway", 1), ("goaway", 9), "waits for the head's end")
        assert server.cpu() - begin < 2


def test_a_head_of_many_small_references(server):
    """An HPACK bomb: a large field in the table, and then a byte each time. One that is too large is answered so; who goes on is sent away,
    for all of it has to be looked at."""
    with Raw2(server) as r:
        r.get(extra=[("x-bomb", "b" * 3000)])
        block = r.head()
        r.send(frame(HEADERS, 3, block + b"\xbe" * 1000, END_HEADERS | END_STREAM))
        assert r.reaction() == [200, 431]
        begin = server.cpu()
        try:
            for stream in range(5, 1005, 2):
                r.send(frame(HEADERS, stream, block + b"\xbe" * 12000, END_HEADERS | END_STREAM))
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert r.reaction() in ("closed", CALM)
        assert server.cpu() - begin < 1


def test_streams_at_the_maximum(server):
    with Raw2(server) as r:
        for _ in range(256):
            r.get("/hold")
        assert r.reaction() == []
        r.get("/hold")
        assert r.reaction() == ("reset", 7)


def test_requests_one_behind_the_other_that_nobody_reads(server):
    """A client that asks and asks and reads nothing is not read any more."""
    with server.connect() as s:
        s.settimeout(3)
        sent = 0
        try:
            while sent < 256 << 20:
                sent += s.send(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
        except TimeoutError:
            assert sent > 1 << 20
            return
    raise AssertionError("all was taken")


# --- bodies ---

def test_the_largest_body(server):
    for size, status in ((3 << 20, b"200"), ((3 << 20) + 1, b"413")):
        with server.connect() as s:
            s.sendall(f"POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n".encode())
            try:
                s.sendall(b"x" * size)
            except (BrokenPipeError, ConnectionResetError):
                pass
            assert read_all(s).split(b" ")[1] == status


@pytest.mark.parametrize("size,status", [(3 << 20, b"200"), ((3 << 20) + 1, b"413"), (60 << 20, b"413")])
def test_bodies_that_grow(server, size, status):
    body = gzip.compress(b"\0" * size, 6)
    with server.connect() as s:
        s.sendall(f"POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n"
                  .encode() + body)
        assert read_all(s).split(b" ")[1] == status


def test_more_than_was_said(server):
    """What is behind a body is the next request, never a part of this one."""
    with server.connect() as s:
        s.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET /loop HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = read_all(s)
    assert answer.count(b"HTTP/1.1 200") == 2 and b"\r\n\r\nabcHTTP" in answer
