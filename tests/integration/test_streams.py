"""The streaming server by clients that speak its protocols byte by byte: versions, half-close, sizes, many at once, and
clients that are slow, vanish or do what they should not."""
import concurrent.futures
import hashlib
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.parse

import grpc
import pytest

from support.cri import Client, api
from support.http2 import DATA, END_HEADERS, END_STREAM, HEADERS, Raw, frame
from support.node import Node, pod, wait_for
from support.streams import ERR, OUT, STATUS, Connection, Spdy, WebSocket, exit_code, masked_frame

MB = 1 << 20
WEBSOCKETS = ["v5.channel.k8s.io", "v4.channel.k8s.io", "v4.base64.channel.k8s.io", "channel.k8s.io", "base64.channel.k8s.io"]
SPDYS = ["v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io"]


# On the pod's loopback: port 7 answers with what it gets; port 6 ends its output after a moment and never reads; port 5
# never accepts.
ECHO = """
import socket, socketserver, threading, time
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while (data := self.request.recv(65536)):
            self.request.sendall(data)
class Server(socketserver.ThreadingTCPServer):
    request_queue_size = 128
    daemon_threads = True
    def handle_error(self, *args):
        pass
class Deaf(socketserver.BaseRequestHandler):
    def handle(self):
        time.sleep(1)
        self.request.shutdown(socket.SHUT_WR)
        time.sleep(10)
full = socket.create_server(("127.0.0.1", 5), backlog=0)
filling = [socket.socket() for _ in range(2)]
for s in filling:
    s.setblocking(False)
    s.connect_ex(("127.0.0.1", 5))
threading.Thread(target=Server(("127.0.0.1", 6), Deaf).serve_forever, daemon=True).start()
server = Server(("127.0.0.1", 7), Echo)
print("ready", flush=True)
server.serve_forever()
"""


class World:
    """One agent with one pod for all of this file's tests."""

    def __init__(self, node):
        self.node = node
        node.write("s.yaml", pod("s", "sleep 100000 & wait",  # a shell, that reaps
                                 {"name": "tty", "command": ["sh"], "stdin": True, "tty": True},
                                 {"name": "shell", "command": ["sh"], "stdin": True},
                                 {"name": "web", "command": ["sh", "-c", "echo hello > /tmp/index.html; exec httpd -f -p 8080 -h /tmp"]}))
        self.sandbox = node.running("web")["podSandboxId"]
        self.main, self.tty, self.shell = (node.running(name)["id"] for name in ("main", "tty", "shell"))
        self.cri = Client(node.socket)
        pid = node.inspect({"id": self.main})["info"]["pid"]
        self.echo = subprocess.Popen(["nsenter", "-t", str(pid), "-n", sys.executable, "-c", ECHO], stdout=subprocess.PIPE)
        assert self.echo.stdout.readline() == b"ready\n"
        self.address = self.url("true").split("/")[2]

    def url(self, command, **kwargs):
        return self.cri.exec_url(self.main, ["sh", "-c", command], **kwargs)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.node.process.pid}/fd"))

    def processes(self):
        return self.node.exec({"id": self.main}, "ps", "-o", "args").splitlines()


@pytest.fixture(scope="module")
def world(busybox_archive):
    n = Node().start()
    try:
        n.nacelle("import", busybox_archive)
        w = World(n)
        yield w
        w.echo.kill()
        w.echo.wait()
    finally:
        n.stop()


@pytest.fixture(autouse=True)
def nothing_left(world):
    """What a test's clients held is given back: descriptors of the agent, processes in the container."""
    before = world.descriptors()
    yield
    wait_for(f"{before} descriptors again", lambda: world.descriptors() <= before, timeout=20)
    wait_for("the end of all execs", lambda: len([p for p in world.processes() if "sleep 100000" not in p and p != "COMMAND"]) <= 1)


# --- versions ---

@pytest.mark.parametrize("protocol", WEBSOCKETS)
def test_websocket_versions(world, protocol):
    with WebSocket(world.url("cat; echo err >&2; exit 7", stdin=True), protocol) as w:
        assert w.status == 101 and w.protocol == protocol
        w.send(0, b"to and fro")
        if protocol.startswith("v5"):
            w.end()
            got = w.rest()
            assert got[OUT] == b"to and fro" and got[ERR] == b"err\n" and exit_code(got[STATUS]) == 7
        else:  # no half-close before version 5: the input ends with the connection
            assert w.until(b"to and fro")


@pytest.mark.parametrize("protocol", WEBSOCKETS)
def test_websocket_exit(world, protocol):
    for code in (0, 1, 255):
        with WebSocket(world.url(f"echo out; exit {code}"), protocol) as w:
            got = w.rest()
            assert got[OUT] == b"out\n" and exit_code(got[STATUS]) == code


@pytest.mark.parametrize("version", SPDYS)
def test_spdy_versions(world, version):
    with Spdy(world.url("cat; echo err >&2; exit 7", stdin=True), version) as s:
        assert s.status == 101 and s.header("X-Stream-Protocol-Version") == version
        streams = s.command()
        s.write(streams["stdin"], b"to and fro", fin=True)
        got = s.rest(streams["stdout"], streams["stderr"], streams["error"])
        assert got[streams["stdout"]] == b"to and fro" and got[streams["stderr"]] == b"err\n"
        assert exit_code(got[streams["error"]]) == 7


@pytest.mark.parametrize("offered,chosen", [
    (WEBSOCKETS, WEBSOCKETS[0]), (["v9.channel.k8s.io", "v4.channel.k8s.io"], "v4.channel.k8s.io"),
    (["channel.k8s.io", "v5.channel.k8s.io"], "channel.k8s.io"), ([], None)])
def test_websocket_chooses(world, offered, chosen):
    with WebSocket(world.url("echo x"), *offered) as w:
        assert w.status == 101 and w.protocol == chosen
        assert w.rest()[OUT] == b"x\n"


def test_spdy_chooses(world):
    with Spdy(world.url("true"), "v9.channel.k8s.io", "v3.channel.k8s.io", "v4.channel.k8s.io") as s:
        assert s.header("X-Stream-Protocol-Version") == "v3.channel.k8s.io"


def test_a_message_in_fragments_and_pings_between(world):
    with WebSocket(world.url("cat", stdin=True), "v5.channel.k8s.io") as w:
        w.frame(2, b"\0one ", fin=False)
        w.frame(9, b"are you there")
        w.frame(0, b"two ", fin=False)
        w.frame(0, b"", fin=False)
        w.frame(0, b"three", fin=True)
        w.send(0)
        w.end()
        pong = None
        seen = b""
        while (got := w.receive()) and got[0] != 8:
            if got[0] == 10:
                pong = got[1]
            elif got[1][:1] == b"\1":
                seen += got[1][1:]
        assert pong == b"are you there" and seen == b"one two three"


def test_websocket_over_http2(world):
    """Two execs side by side on one connection, by extended CONNECT (RFC 8441): no key, no proof, the same frames."""
    urls = [urllib.parse.urlsplit(world.url(f"cat; exit {code}", stdin=True)) for code in (7, 8)]
    with Raw((urls[0].hostname, urls[0].port)) as r:
        data, ended, statuses = {1: b"", 3: b""}, set(), {}
        for stream, url in zip(data, urls):
            r.send(frame(HEADERS, stream, r.encoder.encode([
                (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", url.path), (":authority", url.netloc),
                ("sec-websocket-version", "13"), ("sec-websocket-protocol", "v5.channel.k8s.io")]), END_HEADERS))
        for stream in data:
            r.send(frame(DATA, stream, masked_frame(2, b"\0to %d" % stream) + masked_frame(2, bytes([255, 0]))))
        while len(ended) < 2:
            kind, flags, stream, payload = r.receive()
            if kind == HEADERS:
                statuses[stream] = dict(r.decoder.decode(payload))
            elif kind == DATA:
                data[stream] += payload
                ended |= {stream} if flags & END_STREAM else set()
        for stream, code in zip(data, (7, 8)):
            assert statuses[stream][":status"] == "200" and statuses[stream]["sec-websocket-protocol"] == "v5.channel.k8s.io"
            assert b"\x05\1to %d" % stream in data[stream] and data[stream].endswith(b"\x88\x02\x03\xe8")
            assert b'"reason":"ExitCode","message":"%d"' % code in data[stream]


# --- refusals ---

def test_tokens(world):
    url = world.url("true")
    with WebSocket(url, WEBSOCKETS[0]) as w:
        assert w.status == 101
        w.rest()
    base = url.rsplit("/", 1)[0]
    other = base.rsplit("/", 1)[0] + "/attach/" + world.url("true").rsplit("/", 1)[1]
    for wrong, why in ((url, "used"), (base + "/" + "0" * 32, "unknown"), (base + "/", "empty"), (base, "none"), (url + "0", "longer"),
                       (base + "/../" + url.rsplit("/", 1)[1], "not in place"), ("http://" + world.address + "/", "root")):
        for kind in (WebSocket, Spdy):
            with kind(wrong, "v4.channel.k8s.io") as c:
                assert c.status == 404, (why, c.answer)
    with WebSocket(other, WEBSOCKETS[0]) as w:
        assert w.status == 404, "an exec's token is no attach's"


def test_answers_before_an_upgrade(world):
    url = world.url("true")
    for headers, status in (([], 400), ([("Connection", "Upgrade"), ("Upgrade", "h2c")], 400),
                            ([("Connection", "Upgrade"), ("Upgrade", "websocket")], 400),
                            ([("Connection", "Upgrade"), ("Upgrade", "SPDY/3.1"), ("X-Stream-Protocol-Version", "v0.nothing")], 403)):
        with Connection(url, headers) as c:
            assert c.status == status, (headers, c.answer)
    with Connection(url, [("Connection", "Upgrade"), ("Upgrade", "websocket")], method="DELETE") as c:
        assert c.status == 405
    with WebSocket(url, WEBSOCKETS[0]) as w:
        assert w.status == 101, "what was refused before the token did not use it up"
        w.rest()


def test_heads_are_bounded(world):
    url = urllib.parse.urlsplit(world.url("true"))
    with socket.create_connection((url.hostname, url.port), timeout=20) as s:
        try:
            for _ in range(100):
                s.sendall(b"GET / HTTP/1.1\r\n" if _ == 0 else b"X-Filler: " + b"x" * 4000 + b"\r\n")
            s.shutdown(socket.SHUT_WR)
            assert s.recv(100) == b"" or True
        except OSError:
            pass  # reset: what is meant


def listening(pid):
    """The TCP ports that a process listens on."""
    inodes = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            inodes.add(os.readlink(f"/proc/{pid}/fd/{name}"))
        except OSError:
            pass
    ports = set()
    for table in ("tcp", "tcp6"):
        with open(f"/proc/{pid}/net/{table}") as f:
            rows = [line.split() for line in list(f)[1:]]
        ports |= {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in inodes}
    return ports


def test_listens_on_loopback_only(world):
    host, _, port = world.address.rpartition(":")
    assert host == "127.0.0.1"
    gateway = f"10.213.{world.node.number}.1"
    with pytest.raises(OSError):
        socket.create_connection((gateway, int(port)), timeout=5).close()
    assert listening(world.node.process.pid) == {int(port)}, "one streaming server, and nothing else on TCP"


def test_a_head_that_never_ends_is_given_up(world):
    """Slow heads hold their places only for a while, and hold nobody else up."""
    url = urllib.parse.urlsplit(world.url("true"))
    slow = [socket.create_connection((url.hostname, url.port), timeout=60) for _ in range(100)]
    try:
        for s in slow:
            s.sendall(b"GET /exec/")
        with WebSocket(world.url("echo quick"), WEBSOCKETS[0]) as w:
            assert w.rest()[OUT] == b"quick\n"
        for s in slow:
            answer = b"".join(iter(lambda: s.recv(1000), b""))
            assert answer.startswith(b"HTTP/1.1 408 "), answer
    finally:
        for s in slow:
            s.close()


@pytest.mark.parametrize("request_,says", [
    (dict(cmd=[], stdout=True), "no command to run"), (dict(cmd=["true"]), "one of stdin, stdout, stderr"),
    (dict(cmd=["true"], tty=True, stdout=True, stderr=True), "cannot both be true")], ids=["empty", "no stream", "tty and stderr"])
def test_requests_that_make_no_sense(world, request_, says):
    code, text = world.cri.code("Exec", container_id=world.main, **request_)
    assert code == "INVALID_ARGUMENT" and says in text


# --- data ---

def feed(send, data, done):
    for i in range(0, len(data), 256 << 10):
        send(data[i:i + (256 << 10)])
    done()


@pytest.mark.parametrize("kind", ["v5.channel.k8s.io", "spdy"])
def test_50_mb_each_way(world, kind):
    """Through sha256sum into the container, and from /dev/zero out of it."""
    data = os.urandom(MB) * 50
    digest = hashlib.sha256(data).hexdigest().encode()
    into, out = world.url("sha256sum", stdin=True), world.url("head -c 52428800 /dev/zero | tr '\\0' x")
    if kind == "spdy":
        with Spdy(into, "v4.channel.k8s.io") as s:
            streams = s.command()
            t = threading.Thread(target=s.write, args=(streams["stdin"], data, True))
            t.start()
            assert s.rest(streams["stdout"])[streams["stdout"]].split()[0] == digest
            t.join()
        with Spdy(out, "v4.channel.k8s.io") as s:
            streams = s.command(stdin=False)
            got = s.rest(streams["stdout"])[streams["stdout"]]
    else:
        with WebSocket(into, kind) as w:
            t = threading.Thread(target=feed, args=(lambda piece: w.send(0, piece), data, w.end))
            t.start()
            assert w.until(b"\n").split()[0] == digest
            t.join()
        with WebSocket(out, kind) as w:
            got = w.rest()[OUT]
    assert len(got) == 50 * MB and got.count(b"x") == 50 * MB


def test_a_slow_reader_gets_everything(world):
    """It reads 1 KB, rests, reads on; the process waits, another client does not, and the agent's memory stays."""
    def private():
        with open(f"/proc/{world.node.process.pid}/smaps_rollup") as f:
            return sum(int(line.split()[1]) for line in f if line.startswith("Private"))
    before = private()
    with WebSocket(world.url("head -c 20000000 /dev/zero"), "v5.channel.k8s.io") as w:
        w.take(1024)
        for _ in range(5):
            with WebSocket(world.url("echo quick"), "v5.channel.k8s.io") as other:
                assert other.rest()[OUT] == b"quick\n"
        assert private() - before < 3000
        n = len(w.buffer) + 1024
        while (more := w.socket.recv(MB)):
            n += len(more)
        assert n > 20000000


def test_a_reader_that_rests_at_the_end_gets_everything(world):
    """The process has ended, and more is still to come than the kernel holds: what waits keeps for as long as its reader does."""
    with WebSocket(world.url("head -c 20000000 /dev/zero"), "v5.channel.k8s.io") as w:
        n = 0
        while any("head" in p for p in world.processes()):
            n += len(w.take(MB // 2))
        time.sleep(6)
        n += len(w.buffer)
        while (more := w.socket.recv(MB)):
            n += len(more)
        assert n > 20000000


@pytest.mark.parametrize("size", [1000, 100000, MB])
def test_a_reader_that_rests_gets_what_the_kernel_has(world, size):
    """All was given to the kernel: the server's end, when the client does not close, takes nothing of it away."""
    with WebSocket(world.url(f"head -c {size} /dev/zero"), "v5.channel.k8s.io") as w:
        time.sleep(7)
        n = len(w.buffer)
        while (more := w.socket.recv(MB)):
            n += len(more)
        assert n > size


def test_vanished_clients(world):
    """Twenty that go in the middle of a flood, by a close and by a reset: every writer ends."""
    for i in range(20):
        c = WebSocket(world.url("yes", tty=i % 4 == 3, stdin=True), "v5.channel.k8s.io")
        c.take(10000)
        if i % 2:
            c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        c.close()
    wait_for("the end of the writers", lambda: not [p for p in world.processes() if p == "yes"])


def test_a_vanished_client_ends_the_input(world):
    with WebSocket(world.url("cat; sleep 1", stdin=True), "v4.channel.k8s.io") as w:
        w.send(0, b"x")
        w.until(b"x")
    wait_for("the end of cat", lambda: not [p for p in world.processes() if p == "cat"])


def test_a_hundred_at_once(world):
    def one(i):
        with WebSocket(world.url(f"cat; exit {i % 7}", stdin=True), "v5.channel.k8s.io") as w:
            w.send(0, b"%d" % i)
            w.end()
            got = w.rest()
            return got[OUT] == b"%d" % i and exit_code(got[STATUS]) == i % 7
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        assert all(pool.map(one, range(100)))


def test_a_child_that_keeps_the_output_open(world):
    """The exec's own end ends the session soon, though its child holds the pipe."""
    begun = time.monotonic()
    with WebSocket(world.url("sleep 7 & echo done; exit 3"), "v5.channel.k8s.io") as w:
        got = w.rest()
    assert got[OUT] == b"done\n" and exit_code(got[STATUS]) == 3 and time.monotonic() - begun < 20


# --- terminals ---

def test_sizes(world):
    with WebSocket(world.url("stty size; read x; stty size; read x; stty size", tty=True, stdin=True), "v5.channel.k8s.io") as w:
        w.resize(132, 43)
        w.until(b"\n")
        for columns, rows in ((80, 24), (20000, 20000)):
            w.resize(columns, rows)
            time.sleep(0.2)
            w.send(0, b"\n")
            w.until(f"{rows} {columns}".encode())
        assert exit_code(w.rest()[STATUS]) == 0


@pytest.mark.parametrize("bad", [b"{}", b"{\"Width\":-1,\"Height\":5}", b"{\"Width\":70000,\"Height\":5}", b"]]]", b"{" * 5000, b"\0}"],
                         ids=["empty", "negative", "large", "garbage", "long", "nul"])
def test_sizes_that_are_none(world, bad):
    with WebSocket(world.url("read x; stty size", tty=True, stdin=True), "v5.channel.k8s.io") as w:
        w.resize(90, 30)
        w.send(4, bad)
        time.sleep(0.1)
        w.send(0, b"\n")
        w.until(b"30 90")


def test_spdy_terminal(world):
    with Spdy(world.url("read x; stty size; exit 5", tty=True, stdin=True), "v4.channel.k8s.io") as s:
        streams = s.command(tty=True, resize=True)
        s.write(streams["resize"], b'{"Width":77,"Height":22}\n{"Width":78,')
        s.write(streams["resize"], b'"Height":23}\n')
        time.sleep(0.2)
        s.write(streams["stdin"], b"\n")
        got = s.rest(streams["stdout"], streams["error"])
        assert b"23 78" in got[streams["stdout"]] and exit_code(got[streams["error"]]) == 5


def test_keys_reach_the_terminal(world):
    with WebSocket(world.url("trap 'echo interrupted; exit 9' INT; echo ready; while :; do sleep 1; done", tty=True, stdin=True),
                   "v5.channel.k8s.io") as w:
        w.until(b"ready")
        w.send(0, b"\3")
        w.until(b"interrupted")
        assert exit_code(w.rest()[STATUS]) == 9


# --- attach ---

def test_attach_two_at_once_and_come_back(world):
    """Both see what the shell prints; each goes without ending it; a third finds it as it was left."""
    one, two = (WebSocket(world.cri.attach_url(world.tty, tty=True, stdin=True), "v5.channel.k8s.io") for _ in range(2))
    with one, two:
        time.sleep(0.3)
        one.send(0, b"keep=me; echo a\"\"b\n")
        one.until(b"ab\r\n")
        two.until(b"ab\r\n")
    with Spdy(world.cri.attach_url(world.tty, tty=True, stdin=True), "v4.channel.k8s.io") as s:
        streams = s.command(tty=True, resize=True)
        s.write(streams["resize"], b'{"Width":99,"Height":33}')
        time.sleep(0.3)
        s.write(streams["stdin"], b"echo $keep; stty size\n")
        seen = b""
        while b"me\r\n33 99" not in seen:
            kind, stream, data, _ = s.event()
            seen += data if kind == "data" and stream == streams["stdout"] else b""
    assert world.node.container("tty", "running")["id"] == world.tty


def test_attach_without_a_terminal(world):
    with WebSocket(world.cri.attach_url(world.shell, stdin=True), "v5.channel.k8s.io") as w:
        time.sleep(0.3)
        w.send(0, b"echo out; echo err >&2\n")
        got = {OUT: b"", ERR: b""}
        while got[OUT] != b"out\n" or got[ERR] != b"err\n":
            channel, data = w.message()
            got[channel] += data
    assert world.node.container("shell", "running")["id"] == world.shell


def test_an_attached_client_that_does_not_read(world):
    """The container's output goes on to its log meanwhile, and the client is left behind."""
    with WebSocket(world.cri.attach_url(world.shell, stdin=True), "v5.channel.k8s.io") as w:
        time.sleep(0.3)
        w.send(0, b"yes 0123456789abcdef | head -c 8000000; echo; echo the end\n")
        wait_for("the log's end", lambda: "the end" in world.node.crictl("logs", "--tail", "1", world.shell), timeout=30)
    with WebSocket(world.cri.attach_url(world.shell, stdin=True), "v5.channel.k8s.io") as w:
        time.sleep(0.3)
        w.send(0, b"echo still here\n")
        w.until(b"still here\n")


# --- port-forward ---

def forwards(world, *ports):
    return Spdy(world.cri.forward_url(world.sandbox, *ports), "portforward.k8s.io")


def test_forwards_of_several_ports_in_parallel(world):
    with forwards(world, 7, 8080) as s:
        made = [s.forward(7 if i % 2 else 8080, i) for i in range(40)]
        for i, (_, data) in enumerate(made):
            s.write(data, b"number %d" % i if i % 2 else b"GET / HTTP/1.0\r\n\r\n", fin=bool(i % 2))
        got = s.rest(*(stream for pair in made for stream in pair))
        for i, (error, data) in enumerate(made):
            assert got[error] == b""
            assert got[data] == b"number %d" % i if i % 2 else got[data].endswith(b"hello\n")


def test_forward_half_close_and_size(world):
    with forwards(world, 7) as s:
        payload = os.urandom(MB) * 10
        error, data = s.forward(7, 1)
        t = threading.Thread(target=s.write, args=(data, payload, True))
        t.start()
        got = s.rest(error, data)
        t.join()
        assert got[error] == b"" and hashlib.sha256(got[data]).digest() == hashlib.sha256(payload).digest()


def test_a_refused_port_and_on(world):
    with forwards(world, 9, 7) as s:
        error, data = s.forward(9, 1)
        got = s.rest(error, data)
        assert b"error forwarding port 9 to pod" in got[error] and b"refused" in got[error].lower() and got[data] == b""
        error, data = s.forward(7, 2)
        s.write(data, b"goes on", fin=True)
        assert s.rest(error, data)[data] == b"goes on"


def test_forward_streams_reset(world):
    with forwards(world, 7) as s:
        for i in range(50):
            error, data = s.forward(7, i)
            s.write(data, b"x" * 1000)
            s.reset(data)
        error, data = s.forward(7, 99)
        s.write(data, b"after all", fin=True)
        assert s.rest(error, data)[data] == b"after all"


def test_forward_tunnelled(world):
    with WebSocket(world.cri.forward_url(world.sandbox, 7), "SPDY/3.1+portforward.k8s.io") as w:
        assert w.status == 101
        s = Spdy(None, tunnel=w)
        error, data = s.forward(7, 0)
        s.write(data, b"through both", fin=True)
        assert s.rest(error, data)[data] == b"through both"


@pytest.mark.parametrize("protocols,chosen", [
    ([], None), (["v4.channel.k8s.io"], "v4.channel.k8s.io"), (["v4.base64.channel.k8s.io"], "v4.base64.channel.k8s.io"),
    (["v4.base64.channel.k8s.io", "v4.channel.k8s.io"], "v4.base64.channel.k8s.io")])
def test_forward_over_plain_websocket(world, protocols, chosen):
    """Two channels a port, data and error, each of which begins with the port, little endian."""
    with WebSocket(world.cri.forward_url(world.sandbox, 7, 9, 8080), *protocols) as w:
        assert w.status == 101 and w.protocol == chosen
        w.send(0, b"there and back")
        w.send(4, b"GET / HTTP/1.0\r\n\r\n")
        got = {channel: b"" for channel in range(6)}
        while not (got[0].endswith(b"back") and got[4].endswith(b"hello\n") and got[3].endswith(b"efused")):
            channel, data = w.message()
            got[channel] += data
        assert [got[channel][:2] for channel in range(6)] == [b"\x07\0", b"\x07\0", b"\x09\0", b"\x09\0", b"\x90\x1f", b"\x90\x1f"]
        assert got[0][2:] == b"there and back" and got[3][2:].startswith(b"error forwarding port 9 to pod")
        assert got[1][2:] == got[2][2:] == got[5][2:] == b""


def test_plain_websocket_ends_with_its_last_port(world):
    with WebSocket(world.cri.forward_url(world.sandbox, 9, 9)) as w:
        while w.message():
            pass
    with WebSocket(world.cri.forward_url(world.sandbox)) as w:
        assert w.status == 101 and w.message() is None


def test_a_slow_forward_holds_up_no_other(world):
    """One client floods the echo and reads nothing; another session works."""
    with forwards(world, 7) as s:
        error, data = s.forward(7, 1)
        s.socket.settimeout(1)
        try:
            s.write(data, b"x" * (30 * MB))
        except OSError:
            pass
        with forwards(world, 7) as other:
            error, data = other.forward(7, 1)
            other.write(data, b"quick", fin=True)
            assert other.rest(error, data)[data] == b"quick"


def test_a_connection_that_ends_unread_lets_the_others_go_on(world):
    """What the pod did not take held the session up; it is dropped with its connection."""
    with forwards(world, 6, 7) as s:
        error, data = s.forward(6, 1)
        s.write(data, b"x" * (30 * MB))
        error, data = s.forward(7, 2)
        s.write(data, b"goes on", fin=True)
        assert s.rest(error, data)[data] == b"goes on"


def test_a_port_that_does_not_accept(world):
    """Given up after a while, and nobody else waits for it."""
    with forwards(world, 5, 7) as s:
        stuck = s.forward(5, 1)
        error, data = s.forward(7, 2)
        s.write(data, b"meanwhile", fin=True)
        assert s.rest(error, data)[data] == b"meanwhile"
        assert b"timed out" in s.rest(*stuck)[stuck[0]]


def test_requests_are_bounded(new_node):
    """A thousand may wait for their clients, 512 clients be there: one more is refused, nobody else hurt."""
    n = new_node()
    n.write("b.yaml", pod("b", "sleep 100000 & wait"))
    c = n.running("main")["id"]
    cri = Client(n.socket)
    urls = [cri.exec_url(c, ["true"]) for _ in range(1000)]
    code, text = cri.code("Exec", container_id=c, cmd=["true"], stdout=True)
    assert code == "RESOURCE_EXHAUSTED" and "1000 streaming requests" in text
    with WebSocket(urls[0], WEBSOCKETS[0]) as w:
        assert exit_code(w.rest()[STATUS]) == 0
    assert cri.code("Exec", container_id=c, cmd=["true"], stdout=True)[0] == "OK", "a place is free again"
    address = urllib.parse.urlsplit(urls[0])
    held = [socket.create_connection((address.hostname, address.port), timeout=20) for _ in range(530)]
    try:
        def refused():
            ended = 0
            for s in held:
                s.setblocking(False)
                try:
                    ended += s.recv(1) == b""
                except BlockingIOError:
                    pass
                except OSError:
                    ended += 1
            return ended >= 18
        wait_for("refusals", refused, timeout=5)
        assert cri.code("Version")[0] == "OK"
    finally:
        for s in held:
            s.close()
        cri.close()

    def again():
        with WebSocket(urls[1], WEBSOCKETS[0]) as w:
            return w.status == 101 and exit_code(w.rest()[STATUS]) == 0
    wait_for("a place for a client", again)


# --- calls whose client goes ---

def worker_processes(node):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as f:
                name, rest = f.read().rpartition(")")[::2]
        except OSError:
            continue
        if name.endswith("(nacelle-image") and int(rest.split()[1]) == node.process.pid and rest.split()[0] != "Z":
            found.append(pid)
    return found


@pytest.mark.parametrize("how", ["deadline", "gone"])
def test_exec_sync_ends_with_its_client(world, how):
    cri = Client(world.node.socket)
    if how == "deadline":
        with pytest.raises(grpc.RpcError) as e:
            cri.call("ExecSync", timeout=0.5, container_id=world.main, cmd=["sleep", "777"])
        assert e.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    else:
        threading.Thread(target=cri.code, args=("ExecSync",), kwargs=dict(container_id=world.main, cmd=["sleep", "777"]), daemon=True).start()
        wait_for("the process", lambda: "sleep 777" in world.processes())
    cri.close()
    wait_for("the end of the process", lambda: "sleep 777" not in world.processes())


def test_a_pull_ends_with_its_client(world):
    """From a registry that takes the connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        cri = Client(world.node.socket)
        image = api.ImageSpec(image=f"127.0.0.1:{silent.getsockname()[1]}/never:1")
        threading.Thread(target=cri.code, args=("PullImage",), kwargs=dict(image=image), daemon=True).start()
        wait_for("the worker", lambda: worker_processes(world.node))
        cri.close()
        wait_for("the end of the worker", lambda: not worker_processes(world.node))
