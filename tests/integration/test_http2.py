"""The CRI socket under attack: frames that are wrong, floods, connections that only hold. The agent answers others all the
while, stays within its memory, and gives everything back."""
import concurrent.futures
import os
import socket
import struct
import time

import pytest

from support.cri import Client, api
from support.http2 import (CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PREFACE, PRIORITY, RST_STREAM, SETTINGS,
                           WINDOW_UPDATE, Raw, frame)
from support.node import Node, wait_for

VERSION = "/runtime.v1.RuntimeService/Version"
MEMORY_MAX = 20000  # kB that the agent may be larger than at the start, whatever is done to it


@pytest.fixture(scope="module")
def agent():
    n = Node("--runtime-only").start()
    with Raw(n.socket) as r:
        assert r.status(r.request(VERSION)) == 0
    yield n
    n.stop()


def private(node):
    with open(f"/proc/{node.process.pid}/smaps_rollup") as f:
        return sum(int(line.split()[1]) for line in f if line.startswith("Private"))


@pytest.fixture(autouse=True)
def unhurt(agent):
    descriptors, memory = len(os.listdir(f"/proc/{agent.process.pid}/fd")), private(agent)
    yield
    assert agent.process.poll() is None
    with Raw(agent.socket) as r:
        assert r.status(r.request(VERSION)) == 0
    wait_for("the descriptors back", lambda: len(os.listdir(f"/proc/{agent.process.pid}/fd")) <= descriptors)
    assert private(agent) - memory < MEMORY_MAX


def flood(r, data, times):
    """Sends until it is cut off; whether it was."""
    try:
        for _ in range(times):
            r.send(data)
        return False
    except (BrokenPipeError, ConnectionResetError, socket.timeout):
        return True


@pytest.mark.parametrize("path,code", [
    ("/runtime.v1.RuntimeService/NoSuchMethod", 12), ("/no.such.Service/Version", 12), ("/", 12), ("/x" * 5000, 12),
    ("/runtime.v1.RuntimeService/", 12), ("/runtime.v1alpha2.RuntimeService/Version", 12), (VERSION, 0)],
    ids=["method", "service", "root", "long", "empty", "older version", "right"])
def test_methods(agent, path, code):
    with Raw(agent.socket) as r:
        assert r.status(r.request(path)) == code


def test_messages_that_are_too_large(agent):
    with Raw(agent.socket) as r:  # claimed only
        r.stream += 2
        r.send(frame(HEADERS, 1, r.headers(VERSION), END_HEADERS) + frame(DATA, 1, b"\0\xff\xff\xff\xff"))
        assert r.status(1) == 8
    c = Client(agent.socket, **{"grpc.max_send_message_length": 64 << 20})
    code, text = c.code("Version", version="x" * (17 << 20))
    assert code == "RESOURCE_EXHAUSTED" and "larger than max" in text
    c.close()


def test_many_large_messages_at_once(agent):
    """Ten of 15 MB each, which may not all be held at a time: each is answered."""
    def one(_):
        c = Client(agent.socket, **{"grpc.max_send_message_length": 64 << 20})
        try:
            return c.code("Version", version="x" * (15 << 20))[0]
        finally:
            c.close()
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        assert set(pool.map(one, range(10))) <= {"OK", "RESOURCE_EXHAUSTED"}


def test_a_message_of_very_many_parts(agent):
    """Two bytes each on the wire, more in memory."""
    with Raw(agent.socket) as r:
        command = api.ExecSyncRequest(container_id="x", cmd=[""] * 300000).SerializeToString()
        r.stream += 2
        r.send(frame(HEADERS, 1, r.headers("/runtime.v1.RuntimeService/ExecSync"), END_HEADERS))
        body = b"\0" + struct.pack(">I", len(command)) + command
        for i in range(0, len(body), 16384):
            r.send(frame(DATA, 1, body[i:i + 16384], END_STREAM if i + 16384 >= len(body) else 0))
            if i > 32768:  # the first window; then as the server allows
                while r.receive()[0] != WINDOW_UPDATE:
                    pass
            if i > 60000:
                break
    with Raw(agent.socket) as r:
        deep = b""
        for _ in range(5000):  # nested: PodSandboxConfig in RunPodSandboxRequest, field 1 in field 1 ...
            deep = b"\x0a" + varint(len(deep)) + deep
        assert r.status(r.request("/runtime.v1.RuntimeService/RunPodSandbox", deep[:16000])) in (3, 8, 13)


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def test_header_bytes(agent):
    """Past the bound the stream is reset; the connection goes on."""
    with Raw(agent.socket) as r:
        stream = r.request(VERSION, extra=[(f"x-{i}", "v" * 200) for i in range(60)])
        assert r.status(stream) == 0
    with Raw(agent.socket) as r:
        r.stream += 2
        block = r.headers(VERSION, [(f"x-{i}", "v" * 3000) for i in range(20)])
        r.send(frame(HEADERS, 1, block[:16000]) + b"".join(frame(CONTINUATION, 1, block[i:i + 16000], END_HEADERS if i + 16000 >= len(block) else 0)
                                                          for i in range(16000, len(block), 16000)))
        assert r.status(1)[0] in ("reset", "goaway")
        if r.socket.fileno() >= 0:
            stream = r.request(VERSION)
            assert r.status(stream) in (0, "closed")


def test_a_header_bomb(agent):
    """One large field in the table, then named 16,000 times by one byte each."""
    with Raw(agent.socket) as r:
        r.stream += 2
        first = r.headers(VERSION, [("x-bomb", "v" * 4000)])
        r.send(frame(HEADERS, 1, first + b"\xbe" * 12000, END_HEADERS | END_STREAM))
        assert r.status(1) != 0


def test_a_flood_of_continuations(agent):
    """CVE-2024-28182 and its like: headers that never end."""
    with Raw(agent.socket) as r:
        r.send(frame(HEADERS, 1, r.headers(VERSION)))
        piece = frame(CONTINUATION, 1, b"\0\x01a\x01b" * 2000)
        flood(r, piece, 3000)
        assert r.status(1)[0] in ("reset", "goaway", "c")


def test_empty_continuations(agent):
    with Raw(agent.socket) as r:
        r.send(frame(HEADERS, 1, r.headers(VERSION)))
        flood(r, frame(CONTINUATION, 1) * 1000, 200)


def test_rapid_reset(agent):
    """CVE-2023-44487: streams opened and given up at once, with work begun for each."""
    with Raw(agent.socket) as r:
        status = api.StatusRequest(verbose=True).SerializeToString()
        body = b"\0" + struct.pack(">I", len(status)) + status
        r.socket.settimeout(2)
        done = 0
        for _ in range(20000):
            r.stream += 2
            block = r.headers("/runtime.v1.RuntimeService/Status")
            if flood(r, frame(HEADERS, r.stream, block, END_HEADERS) + frame(DATA, r.stream, body, END_STREAM) +
                     frame(RST_STREAM, r.stream, struct.pack(">I", 8)), 1):
                break
            done += 1
            if done % 1000 == 0:
                with Raw(agent.socket) as other:
                    begun = time.monotonic()
                    assert other.status(other.request(VERSION)) == 0
                    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("what", ["ping", "settings", "priority", "window", "empty data", "unknown", "reset"])
def test_floods_of_small_frames(agent, what):
    data = {"ping": frame(PING, payload=b"01234567"), "settings": frame(SETTINGS, payload=struct.pack(">HI", 3, 100)),
            "priority": frame(PRIORITY, 5, struct.pack(">IB", 3, 1)), "window": frame(WINDOW_UPDATE, 0, struct.pack(">I", 1)),
            "empty data": frame(DATA, 1), "unknown": frame(0xbb, 0, b"x" * 100), "reset": frame(RST_STREAM, 1, struct.pack(">I", 8))}[what]
    with Raw(agent.socket) as r:
        if what == "empty data":
            r.send(frame(HEADERS, 1, r.headers(VERSION), END_HEADERS))
        r.socket.settimeout(2)  # what is not read back blocks the sender: meant
        flood(r, data * 500, 200)
    with Raw(agent.socket) as r:
        assert r.status(r.request(VERSION)) == 0


@pytest.mark.parametrize("data", [
    frame(DATA, 0, b"x"), frame(HEADERS, 2, b""), frame(SETTINGS, 1), frame(SETTINGS, 0, b"xxx"), frame(PING, 0, b"short"),
    frame(WINDOW_UPDATE, 0, struct.pack(">I", 0)), frame(WINDOW_UPDATE, 0, struct.pack(">I", 0x7fffffff)) * 3, frame(5, 1, b"\0\0\0\2"),
    frame(RST_STREAM, 99, struct.pack(">I", 8)), frame(CONTINUATION, 1, b"x"), b"\xff\xff\xff\0\0\0\0\0\1", frame(HEADERS, 1, b"\xff" * 100, 4),
    frame(SETTINGS, 0, struct.pack(">HI", 4, 0xffffffff)), frame(SETTINGS, 0, struct.pack(">HI", 5, 1))],
    ids=["data on 0", "even stream", "settings on 1", "settings size", "ping size", "window 0", "window too large", "push", "reset of none",
         "continuation of none", "frame size", "hpack", "initial window", "frame size setting"])
def test_frames_that_are_wrong(agent, data):
    with Raw(agent.socket) as r:
        r.send(data)
        assert r.status(1)[0] in ("goaway", "c", "reset")


def test_thousands_of_streams(agent):
    """Twenty connections with 250 streams each open at a time, then all answered."""
    made = [Raw(agent.socket) for _ in range(20)]
    try:
        for r in made:
            for _ in range(250):
                r.stream += 2
                r.send(frame(HEADERS, r.stream, r.headers(VERSION), END_HEADERS))
        for r in made:
            for stream in range(1, 501, 2):
                r.send(frame(DATA, stream, b"\0\0\0\0\0", END_STREAM))
        for r in made:
            ended = 0
            while ended < 250:
                kind, flags, _, payload = r.receive()
                if kind == HEADERS:
                    ended += bool(flags & END_STREAM)
    finally:
        for r in made:
            r.close()


def test_more_streams_than_allowed(agent):
    with Raw(agent.socket) as r:
        assert r.receive()[0] == SETTINGS
        for _ in range(257):
            r.stream += 2
            r.send(frame(HEADERS, r.stream, r.headers(VERSION), END_HEADERS))
        assert r.status(r.stream) in (("reset", 7), ("goaway", 1))


def test_a_reader_that_never_reads(agent):
    """Asks and asks, without window and without reading."""
    with Raw(agent.socket, settings=struct.pack(">HI", 4, 0)) as r:
        r.socket.settimeout(2)
        for _ in range(250):
            r.request("/runtime.v1.RuntimeService/Status", api.StatusRequest(verbose=True).SerializeToString())
        with Raw(agent.socket) as other:
            assert other.status(other.request(VERSION)) == 0


def test_connections_that_only_hold(agent):
    """Half a preface each, more than there is room for: newcomers are served, those that wait longest are closed."""
    made = []
    try:
        for i in range(500):
            r = Raw(agent.socket, preface=False)
            r.send(PREFACE[:i % len(PREFACE)])
            made.append(r)
        with Raw(agent.socket) as other:
            assert other.status(other.request(VERSION)) == 0
        assert "nacelle" in agent.crictl("version")
    finally:
        for r in made:
            r.close()


def test_a_slow_reader_of_events_loses_none(agent):
    """It takes nothing while 150 sandboxes come and go, then reads: every event is there, in order. Another reads along."""
    cri = Client(agent.socket)
    with Raw(agent.socket, settings=struct.pack(">HI", 4, 0)) as r:
        stream = r.request("/runtime.v1.RuntimeService/GetContainerEvents")
        along = cri.stream("GetContainerEvents")
        while r.receive()[0] != HEADERS:  # it is open
            pass
        along.initial_metadata()
        ids = []
        for i in range(150):
            config = api.PodSandboxConfig(metadata=api.PodSandboxMetadata(name=f"e{i}", namespace="default", uid=f"e{i}"),
                                          linux=api.LinuxPodSandboxConfig())
            ids.append(cri.call("RunPodSandbox", config=config).pod_sandbox_id)
            cri.call("RemovePodSandbox", pod_sandbox_id=ids[-1])
        kinds = [api.CONTAINER_CREATED_EVENT, api.CONTAINER_STARTED_EVENT, api.CONTAINER_STOPPED_EVENT, api.CONTAINER_DELETED_EVENT]
        wanted = [(i, kind) for i in ids for kind in kinds]
        assert [(e.container_id, e.container_event_type) for _, e in zip(wanted, along)] == wanted
        along.cancel()
        for on in (0, stream):
            r.send(frame(WINDOW_UPDATE, on, struct.pack(">I", 64 << 20)))
        data, got = b"", []
        while len(got) < len(wanted):
            kind, _, on, payload = r.receive()
            data += payload if kind == DATA and on == stream else b""
            while len(data) >= 5 and len(data) >= 5 + int.from_bytes(data[1:5], "big"):
                n = int.from_bytes(data[1:5], "big")
                event = api.ContainerEventResponse.FromString(data[5:5 + n])
                data = data[5 + n:]
                got.append((event.container_id, event.container_event_type))
        assert got == wanted
    cri.close()


def test_more_readers_of_events_than_there_is_room_for(agent):
    """Past CRI_SUBSCRIBERS_MAX one is refused, and has a place again when another leaves."""
    with Raw(agent.socket) as r:
        streams = [r.request("/runtime.v1.RuntimeService/GetContainerEvents") for _ in range(70)]
        assert r.status(streams[-1]) == 8
    with Raw(agent.socket) as r:
        def again():
            stream = r.request("/runtime.v1.RuntimeService/GetContainerEvents")
            r.socket.settimeout(0.5)
            try:
                return r.status(stream) != 8
            except socket.timeout:
                return True  # it is open
        wait_for("a place", again)
