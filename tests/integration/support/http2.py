"""HTTP/2 frame by frame, for what no client library lets one do. Headers by Debian's python3-hpack."""
import socket
import struct

import hpack

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, ACK = 1, 4, 1
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, stream=0, payload=b"", flags=0):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


class Raw:
    """A connection to a Unix socket's path, or to a TCP address; over TLS with a context."""

    def __init__(self, path, settings=b"", preface=True, context=None):
        self.socket = socket.socket(socket.AF_UNIX if isinstance(path, str) else socket.AF_INET)
        self.socket.settimeout(20)
        self.socket.connect(path)
        if context:
            self.socket = context.wrap_socket(self.socket)
        self.encoder, self.decoder, self.buffer = hpack.Encoder(), hpack.Decoder(), b""
        self.stream = -1
        if preface:
            self.send(PREFACE + frame(SETTINGS, payload=settings))

    def send(self, data):
        self.socket.sendall(data)

    def headers(self, method, extra=(), post="POST", kind="application/grpc"):
        return self.encoder.encode([(":method", post), (":scheme", "http"), (":path", method), (":authority", "localhost"),
                                    ("content-type", kind), ("te", "trailers"), *extra])

    def request(self, method, message=b"", extra=(), flags=END_STREAM):
        """Sends one whole call; its stream."""
        self.stream += 2
        body = b"\0" + struct.pack(">I", len(message)) + message
        self.send(frame(HEADERS, self.stream, self.headers(method, extra), END_HEADERS) + frame(DATA, self.stream, body, flags))
        return self.stream

    def receive(self):
        """(kind, flags, stream, payload); None at the end."""
        while len(self.buffer) < 9 or len(self.buffer) < 9 + int.from_bytes(self.buffer[:3], "big"):
            try:
                more = self.socket.recv(1 << 20)
            except ConnectionResetError:
                return None
            if not more:
                return None
            self.buffer += more
        n = int.from_bytes(self.buffer[:3], "big")
        kind, flags, stream = self.buffer[3], self.buffer[4], int.from_bytes(self.buffer[5:9], "big")
        payload, self.buffer = self.buffer[9:9 + n], self.buffer[9 + n:]
        return kind, flags, stream, payload

    def status(self, stream):
        """The grpc-status of a stream (as number), or ("reset", code), or ("goaway", code), or "closed"."""
        status = None
        while (got := self.receive()):
            kind, flags, on, payload = got
            if kind == HEADERS:
                for key, value in self.decoder.decode(payload):
                    if key == "grpc-status" and on == stream:
                        status = int(value)
                if on == stream and flags & END_STREAM:
                    return status
            elif kind == RST_STREAM and on == stream:
                return "reset", int.from_bytes(payload, "big")
            elif kind == GOAWAY:
                return "goaway", int.from_bytes(payload[4:8], "big")
        return "closed"

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.close()
