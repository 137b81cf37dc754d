"""Clients of the streaming server that do exactly as told, byte by byte: WebSocket (RFC 6455) and SPDY/3.1."""
import base64
import json
import os
import socket
import ssl
import struct
import urllib.parse
import zlib

IN, OUT, ERR, STATUS, RESIZE = range(5)
CLOSE = 255

# SPDY Protocol, Draft 3.1, section 2.6.10.1: the dictionary that header compression begins with.
_WORDS = ("options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow "
          "authorization cache-control connection content-base content-encoding content-language content-length content-location "
          "content-md5 content-range content-type date etag expect expires from host if-match if-modified-since if-none-match "
          "if-range if-unmodified-since last-modified location max-forwards pragma proxy-authenticate proxy-authorization range "
          "referer retry-after server te trailer transfer-encoding upgrade user-agent vary via warning www-authenticate method get "
          "status").split() + ["200 OK", "version", "HTTP/1.1", "url", "public", "set-cookie", "keep-alive", "origin"]
_REST = (b"100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative Information"
         b"204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error"
         b"501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, "
         b"Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,"
         b"text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.")
DICTIONARY = b"".join(struct.pack(">I", len(w)) + w.encode() for w in _WORDS) + _REST


class Connection:
    """An HTTP/1.1 request with an upgrade; `status` is what it was answered with, `answer` its head."""

    def __init__(self, url, headers, method="GET", certificate=None):
        parts = urllib.parse.urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout=30)
        if parts.scheme == "https":
            context = ssl._create_unverified_context()
            if certificate:
                context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket)
        self.buffer = b""
        lines = [f"{method} {parts.path}{'?' + parts.query if parts.query else ''} HTTP/1.1", f"Host: {parts.netloc}", *(f"{k}: {v}" for k, v in headers)]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        while b"\r\n\r\n" not in self.buffer:
            more = self.socket.recv(65536)
            if not more:
                break
            self.buffer += more
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        self.answer = head.decode()
        self.status = int(self.answer.split()[1]) if head else 0

    def header(self, name):
        for line in self.answer.split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name.lower():
                return value.strip()
        return None

    def take(self, n):
        """Exactly @n bytes; None at the end."""
        while len(self.buffer) < n:
            more = self.socket.recv(1 << 20)
            if not more:
                return None
            self.buffer += more
        piece, self.buffer = self.buffer[:n], self.buffer[n:]
        return piece

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.close()


def masked_frame(opcode, payload, fin=True):
    """A client's frame of WebSocket."""
    mask = os.urandom(4)
    n = len(payload)
    size = bytes([0x80 | n]) if n < 126 else b"\xfe" + struct.pack(">H", n) if n < 65536 else b"\xff" + struct.pack(">Q", n)
    if n:
        key = int.from_bytes((mask * (n // 4 + 1))[:n], "big")
        payload = (int.from_bytes(payload, "big") ^ key).to_bytes(n, "big")
    return bytes([opcode | (0x80 if fin else 0)]) + size + mask + payload


class WebSocket(Connection):
    def __init__(self, url, *protocols, certificate=None):
        headers = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
                   ("Sec-WebSocket-Key", base64.b64encode(os.urandom(16)).decode())]
        if protocols:
            headers.append(("Sec-WebSocket-Protocol", ", ".join(protocols)))
        super().__init__(url, headers, certificate=certificate)
        self.protocol = self.header("Sec-WebSocket-Protocol")
        self.base64 = "base64" in (self.protocol or "")

    def frame(self, opcode, payload, fin=True):
        self.socket.sendall(masked_frame(opcode, payload, fin))

    def send(self, channel, data=b""):
        if self.base64:
            self.frame(1, str(channel).encode() + base64.b64encode(data))
        else:
            self.frame(2, bytes([channel]) + data)

    def end(self, channel=IN):
        """Version 5: that channel's half-close."""
        self.send(CLOSE, bytes([channel]))

    def resize(self, columns, rows):
        self.send(RESIZE, json.dumps({"Width": columns, "Height": rows}).encode())

    def receive(self):
        """One frame: (opcode, payload); None at the connection's end."""
        head = self.take(2)
        if head is None:
            return None
        n = head[1] & 127
        assert not head[1] & 128, "servers do not mask"
        if n >= 126:
            n = int.from_bytes(self.take(2 if n == 126 else 8), "big")
        return head[0] & 15, self.take(n)

    def message(self):
        """The next (channel, bytes), empty ones left out; None when it is over."""
        while True:
            got = self.receive()
            if got is None or got[0] == 8:
                return None
            opcode, data = got
            if opcode in (9, 10) or not data:
                continue
            channel, data = (int(data[:1]), base64.b64decode(data[1:])) if self.base64 else (data[0], data[1:])
            if data:
                return channel, data

    def until(self, text, channel=OUT):
        seen = b""
        while text not in seen:
            got = self.message()
            assert got, f"ended after {seen!r}"
            if got[0] == channel:
                seen += got[1]
        return seen

    def rest(self):
        """All that comes until the end, by channel; the status is parsed."""
        seen = {OUT: [], ERR: [], STATUS: []}
        while (got := self.message()):
            seen[got[0]].append(got[1])
        return {k: b"".join(v) for k, v in seen.items()}


def exit_code(status):
    """The exit code in a Status object (versions 4 and 5) or a text (before)."""
    if not status:
        return 0
    if not status.startswith(b"{"):
        return int(status.split()[-1])
    status = json.loads(status)
    if status["status"] == "Success":
        return 0
    causes = status.get("details", {}).get("causes", [])
    return int(causes[0]["message"]) if causes else status["message"]


class Spdy(Connection):
    def __init__(self, url, *versions, tunnel=None, certificate=None):
        """@tunnel: a connection to speak through instead of an upgrade of its own."""
        if tunnel:
            self.socket, self.buffer, self.tunnel = tunnel.socket, b"", tunnel
        else:
            self.tunnel = None
            super().__init__(url, [("Connection", "Upgrade"), ("Upgrade", "SPDY/3.1"),
                                   *(("X-Stream-Protocol-Version", v) for v in versions)], method="POST", certificate=certificate)
        self.deflate = zlib.compressobj(level=6, zdict=DICTIONARY)
        self.last = -1
        self.replied = set()

    def raw(self, data):
        if self.tunnel:
            self.tunnel.frame(2, data)
        else:
            self.socket.sendall(data)

    def take(self, n):
        while self.tunnel and len(self.buffer) < n:
            got = self.tunnel.receive()
            if got is None or got[0] == 8:
                return None
            self.buffer += got[1] if got[0] == 2 else b""
        return super().take(n)

    def open(self, fin=False, **headers):
        self.last += 2
        block = struct.pack(">I", len(headers))
        for key, value in headers.items():
            for text in (key, str(value)):
                block += struct.pack(">I", len(text)) + text.encode()
        block = self.deflate.compress(block) + self.deflate.flush(zlib.Z_SYNC_FLUSH)
        self.raw(struct.pack(">HHI", 0x8003, 1, (1 if fin else 0) << 24 | (10 + len(block))) + struct.pack(">IIH", self.last, 0, 0) + block)
        return self.last

    def write(self, stream, data=b"", fin=False):
        for i in range(0, max(len(data), 1), 1 << 20):
            piece = data[i:i + (1 << 20)]
            last = fin and i + len(piece) == len(data)
            self.raw(struct.pack(">II", stream, (1 if last else 0) << 24 | len(piece)) + piece)

    def reset(self, stream, status=5):
        self.raw(struct.pack(">HHI", 0x8003, 3, 8) + struct.pack(">II", stream, status))

    def event(self):
        """("data", stream, bytes, fin), ("reply"|"reset"|"goaway"|"ping", stream, payload, False); None at the end."""
        head = self.take(8)
        if head is None:
            return None
        first, second = struct.unpack(">II", head)
        body = self.take(second & 0xffffff) if second & 0xffffff else b""
        if body is None:
            return None
        if not first >> 31:
            return "data", first, body, bool(second >> 24 & 1)
        kind = {2: "reply", 3: "reset", 6: "ping", 7: "goaway"}.get(first & 0xffff, "other")
        return kind, struct.unpack(">I", body[:4])[0], body, False

    def rest(self, *streams):
        """What came on each stream until all of @streams have ended (or everything has)."""
        seen, open_ = {s: b"" for s in streams}, set(streams)
        pieces = {s: [] for s in streams}
        while open_ and (got := self.event()):
            kind, stream, data, fin = got
            if kind == "data" and stream in pieces:
                pieces[stream].append(data)
            if fin or kind == "reset":
                open_.discard(stream)
        seen.update({s: b"".join(p) for s, p in pieces.items()})
        return seen

    def command(self, tty=False, stdin=True, resize=False):
        """Opens the streams of a remote command; their numbers by name."""
        names = ["error"] + (["stdin"] if stdin else []) + ["stdout"] + ([] if tty else ["stderr"]) + (["resize"] if resize else [])
        return {name: self.open(streamtype=name) for name in names}

    def forward(self, port, request):
        """The error and data streams of one forwarded connection."""
        return (self.open(fin=True, streamtype="error", port=port, requestid=request),
                self.open(streamtype="data", port=port, requestid=request))
