"""The cases of RFC 9112 and RFC 9113, message by message and frame by frame, against the server of lib/http: what is sent, and the
reaction that the section asks for."""
import struct

import pytest

from support.http import Raw2, Server, read_all
from support.http2 import (ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PREFACE, PRIORITY, PUSH, RST_STREAM,
                           SETTINGS, WINDOW_UPDATE, frame)

PADDED = 8
PROTOCOL, FLOW, CLOSED, SIZE, REFUSED, COMPRESSION = 1, 3, 5, 6, 7, 9


@pytest.fixture(scope="module")
def server():
    with Server() as s:
        yield s


# --- HTTP/1.1: (section, name, what is sent, the statuses, whether the connection stays) ---

GET = b"GET /hello HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /echo HTTP/1.1\r\nHost: x\r\n"
HTTP1 = [
    ("2.2", "a request", GET + b"\r\n", [200], True),
    ("2.2", "lines that end in LF", b"GET /hello HTTP/1.1\nHost: x\n\n", [400], False),
    ("2.2", "an empty line before", b"\r\n" + GET + b"\r\n", [400], False),
    ("2.2", "a CR by itself", b"GET /hello HTTP/1.1\r\nHost: x\rX: y\r\n\r\n", [400], False),
    ("2.2", "a blank before the first field", b"GET /hello HTTP/1.1\r\n Host: x\r\n\r\n", [400], False),
    ("2.2", "a NUL", GET + b"X: a\0b\r\n\r\n", [400], False),
    ("2.3", "HTTP/1.0 closes", b"GET /hello HTTP/1.0\r\n\r\n", [200], False),
    ("2.3", "HTTP/1.9", b"GET /hello HTTP/1.9\r\nHost: x\r\n\r\n", [200], True),
    ("2.3", "HTTP/2.0", b"GET /hello HTTP/2.0\r\nHost: x\r\n\r\n", [505], False),
    ("2.3", "HTTP/1.10", b"GET /hello HTTP/1.10\r\nHost: x\r\n\r\n", [400], False),
    ("2.3", "http/1.1", b"GET /hello http/1.1\r\nHost: x\r\n\r\n", [400], False),
    ("3", "no version", b"GET /hello\r\nHost: x\r\n\r\n", [400], False),
    ("3", "two blanks", b"GET  /hello HTTP/1.1\r\nHost: x\r\n\r\n", [400], False),
    ("3", "a blank in the target", b"GET /hel lo HTTP/1.1\r\nHost: x\r\n\r\n", [400], False),
    ("3", "a tabulator", b"GET\t/hello HTTP/1.1\r\nHost: x\r\n\r\n", [400], False),
    ("3.1", "a method with other characters", b"G(T /hello HTTP/1.1\r\nHost: x\r\n\r\n", [400], False),
    ("3.1", "an unknown method", b"BREW /hello HTTP/1.1\r\nHost: x\r\n\r\n", [405], True),
    ("3.2", "no Host", b"GET /hello HTTP/1.1\r\n\r\n", [400], False),
    ("3.2", "two Hosts", GET + b"Host: y\r\n\r\n", [400], False),
    ("3.2", "twice the same Host", GET + b"Host: x\r\n\r\n", [400], False),
    ("3.2", "a Host that is none", b"GET /hello HTTP/1.1\r\nHost: a b\r\n\r\n", [400], False),
    ("3.2", "a Host with user", b"GET /hello HTTP/1.1\r\nHost: u@h\r\n\r\n", [400], False),
    ("3.2", "a Host with a path", b"GET /hello HTTP/1.1\r\nHost: h/x\r\n\r\n", [400], False),
    ("3.2", "an empty Host", b"GET /hello HTTP/1.1\r\nHost:\r\n\r\n", [200], True),
    ("3.2.1", "a target without a slash", b"GET hello HTTP/1.1\r\nHost: x\r\n\r\n", [400], False),
    ("3.2.1", "a fragment", b"GET /hello#a HTTP/1.1\r\nHost: x\r\n\r\n", [400], False),
    ("3.2.2", "absolute form", b"GET http://y/hello HTTP/1.1\r\nHost: x\r\n\r\n", [200], True),
    ("3.2.2", "absolute form without a host", b"GET http:///hello HTTP/1.1\r\nHost: x\r\n\r\n", [400], False),
    ("3.2.2", "absolute form with user", b"GET http://u@y/hello HTTP/1.1\r\nHost: x\r\n\r\n", [400], False),
    ("3.2.2", "absolute form, no Host", b"GET http://y/hello HTTP/1.1\r\n\r\n", [400], False),
    ("3.2.4", "asterisk", b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", [200], True),
    ("5", "a blank before the colon", GET + b"X : y\r\n\r\n", [400], False),
    ("5", "no colon", GET + b"XY\r\n\r\n", [400], False),
    ("5", "no name", GET + b": y\r\n\r\n", [400], False),
    ("5", "a name with other characters", GET + b"X@: y\r\n\r\n", [400], False),
    ("5.1", "blanks around the value", GET + b"X: \t y \t \r\n\r\n", [200], True),
    ("5.1", "a control character in the value", GET + b"X: a\x01b\r\n\r\n", [400], False),
    ("5.1", "bytes above 127 in the value", GET + b"X: \xc3\xa4\r\n\r\n", [200], True),
    ("5.2", "a folded line", GET + b"X: a\r\n b\r\n\r\n", [400], False),
    ("6.1", "both lengths", POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [400], False),
    ("6.1", "both lengths, the other way", POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", [400], False),
    ("6.1", "chunked in HTTP/1.0", b"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [400], False),
    ("6.1", "gzip, chunked", POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", [501], False),
    ("6.1", "chunked twice", POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", [501], False),
    ("6.1", "chunked in two fields", POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [501], False),
    ("6.1", "an unknown coding", POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", [501], False),
    ("6.1", "identity", POST + b"Transfer-Encoding: identity\r\n\r\n", [501], False),
    ("6.1", "CHUNKED", POST + b"Transfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n", [200], True),
    ("6.2", "a length", POST + b"Content-Length: 3\r\n\r\nabc", [200], True),
    ("6.2", "a length with a sign", POST + b"Content-Length: +3\r\n\r\nabc", [400], False),
    ("6.2", "a negative length", POST + b"Content-Length: -3\r\n\r\nabc", [400], False),
    ("6.2", "a length in hexadecimal", POST + b"Content-Length: 0x3\r\n\r\nabc", [400], False),
    ("6.2", "an empty length", POST + b"Content-Length:\r\n\r\n", [400], False),
    ("6.2", "a length that is too large", POST + b"Content-Length: 9223372036854775808\r\n\r\n", [400], False),
    ("6.3", "two lengths", POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", [400], False),
    ("6.3", "the same length twice", POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", [400], False),
    ("6.3", "a list of lengths", POST + b"Content-Length: 3, 3\r\n\r\nabc", [400], False),
    ("6.3", "no length is no body", POST + b"\r\n" + GET + b"\r\n", [200, 200], True),
    ("7.1", "chunks", POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", [200], True),
    ("7.1", "chunks in capitals, zeros before", POST + b"Transfer-Encoding: chunked\r\n\r\n00A\r\n0123456789\r\n000\r\n\r\n", [200], True),
    ("7.1", "a size with a sign", POST + b"Transfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n0\r\n\r\n", [], False),
    ("7.1", "a size with 0x", POST + b"Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n", [], False),
    ("7.1", "a size past 64 bits", POST + b"Transfer-Encoding: chunked\r\n\r\n10000000000000003\r\nabc\r\n0\r\n\r\n", [], False),
    ("7.1", "an empty size", POST + b"Transfer-Encoding: chunked\r\n\r\n\r\nabc\r\n0\r\n\r\n", [], False),
    ("7.1", "more than the size", POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", [], False),
    ("7.1", "sizes that end in LF", POST + b"Transfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n", [], False),
    ("7.1.1", "extensions", POST + b"Transfer-Encoding: chunked\r\n\r\n3;a=b;c\r\nabc\r\n0;d\r\n\r\n", [200], True),
    ("7.1.1", "an extension with LF", POST + b"Transfer-Encoding: chunked\r\n\r\n3;a\nb\r\nabc\r\n0\r\n\r\n", [], False),
    ("7.1.1", "a long extension", POST + b"Transfer-Encoding: chunked\r\n\r\n3;" + b"a" * 300 + b"\r\nabc\r\n0\r\n\r\n", [], False),
    ("7.1.2", "trailers", POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\n\r\n", [200], True),
    ("7.1.2", "trailers that are folded", POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: 1\r\n 2\r\n\r\n", [], False),
    ("7.1.2", "a trailer that frames changes nothing",
     POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n" + GET + b"\r\n", [200, 200], True),
    ("9.3", "requests one behind the other", GET + b"\r\n" + GET + b"\r\n" + POST + b"Content-Length: 1\r\n\r\nx", [200] * 3, True),
    ("9.3", "Connection: close", GET + b"Connection: close\r\n\r\n" + GET + b"\r\n", [200], False),
    ("9.3", "Connection: x, CLOSE", GET + b"Connection: x, CLOSE\r\n\r\n", [200], False),
    ("9110 10.1.1", "Expect: 100-continue", POST + b"Expect: 100-continue\r\nContent-Length: 1\r\n\r\nx", [100, 200], True),
    ("9110 10.1.1", "Expect without a body", GET + b"Expect: 100-continue\r\n\r\n", [200], True),
    ("9110 10.1.1", "Expect in HTTP/1.0", b"POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx", [200], False),
    ("9110 7.8", "Upgrade where there is none", GET + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n", [200], True),
    ("9110 7.8", "a tunnel without Upgrade", b"GET /tunnel HTTP/1.1\r\nHost: x\r\n\r\n", [426], True),
    ("9110 4.1", "a target of 32 KB", b"GET /request/" + b"a" * (32768 - 9) + b" HTTP/1.1\r\nHost: x\r\n\r\n", [200], True),
    ("9110 4.1", "a target of one byte more", b"GET /request/" + b"a" * (32768 - 8) + b" HTTP/1.1\r\nHost: x\r\n\r\n", [414], False),
    ("6585 5", "256 fields", GET + b"X: y\r\n" * 255 + b"\r\n", [200], True),
    ("6585 5", "257 fields", GET + b"X: y\r\n" * 256 + b"\r\n", [431], False),
    ("6585 5", "a head of 64 KB", GET + b"X: " + b"y" * (65536 - len(GET) - 7) + b"\r\n\r\n", [200], True),
    ("6585 5", "a head of one byte more", GET + b"X: " + b"y" * (65536 - len(GET) - 6) + b"\r\n\r\n", [431], False),
]


def count_statuses(answer):
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:] if part[:3].isdigit() and part[3:4] == b" "]


@pytest.mark.parametrize("section,name,sent,expected,stays", HTTP1, ids=[f"{c[0]} {c[1]}" for c in HTTP1])
@pytest.mark.parametrize("pieces", ["whole", "bytes"])
def test_http1(server, section, name, sent, expected, stays, pieces):
    if pieces == "bytes" and len(sent) > 400:
        pytest.skip("long")
    with server.connect() as s:
        if pieces == "whole":
            s.sendall(sent)
        else:  # the parser's state goes with it over each byte
            for i in range(len(sent)):
                try:
                    s.send(sent[i:i + 1])
                except (BrokenPipeError, ConnectionResetError):
                    break
        if stays:
            s.sendall(b"GET /loop HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        got = count_statuses(read_all(s))
    assert got == (expected + [200] if stays else expected)


# --- HTTP/2: (section, name, what is done, the reactions that are right) ---

def setting(key, value):
    return struct.pack(">HI", key, value)


def request(r, *fields, stream=1, flags=END_HEADERS | END_STREAM):
    """Exactly these fields."""
    r.send(frame(HEADERS, stream, r.encoder.encode(list(fields)), flags))


METHOD, SCHEME, PATH, AUTHORITY = (":method", "GET"), (":scheme", "http"), (":path", "/hello"), (":authority", "localhost")
OK = [200]


def goaway(*codes):
    return [("goaway", c) for c in codes]


def reset(*codes):
    return [("reset", c) for c in codes] + goaway(*codes)


def open_stream(r, path="/echo", method="POST", extra=()):
    """One whose body is to come."""
    return r.get(path, END_HEADERS, method=method, extra=extra)


def after_end(kind, payload=b"", flags=0):
    def do(r):
        r.get("/hold")
        r.send(frame(kind, 1, payload, flags))
    return do


def after_reset(kind, payload=b"", flags=0):
    def do(r):
        open_stream(r, "/hold")
        r.send(frame(RST_STREAM, 1, struct.pack(">I", 8)))
        r.send(frame(kind, 1, payload, flags))
    return do


def sends(*frames):
    return lambda r: r.send(b"".join(frames))


def with_body(length, *bodies):
    def do(r):
        open_stream(r, extra=[("content-length", str(length))])
        for i, body in enumerate(bodies):
            r.send(frame(DATA, 1, body, END_STREAM if i == len(bodies) - 1 else 0))
    return do


def window(size, then=b""):
    """A request whose answer has to fit."""
    def do(r):
        r.send(frame(SETTINGS, payload=setting(4, size)))
        r.get()
        r.send(then)
    return do


def split_head(*between, end=True):
    def do(r):
        block = r.head()
        r.send(frame(HEADERS, 1, block[:4], END_STREAM) + b"".join(between) + frame(CONTINUATION, 1, block[4:], END_HEADERS if end else 0))
    return do


def decreasing(r):
    r.stream = 3
    r.get("/hold")
    r.stream = 1
    r.get("/hold")


def two_heads(flags):
    def do(r):
        open_stream(r)
        r.send(frame(HEADERS, 1, r.encoder.encode([("x-sum", "1")]), flags))
    return do


def pseudo_trailers(r):
    open_stream(r)
    r.send(frame(HEADERS, 1, r.encoder.encode([(":method", "GET")]), END_HEADERS | END_STREAM))


def padded_head(r):
    block = r.head()
    r.send(frame(HEADERS, 1, bytes([len(block) + 1]) + block, END_HEADERS | END_STREAM | PADDED))


def self_dependent(r):
    r.send(frame(HEADERS, 1, struct.pack(">IB", 1, 15) + r.head(), END_HEADERS | END_STREAM | 0x20))


def fields(*items):
    return lambda r: request(r, *items)


HTTP2 = [
    ("3.4", "a request", lambda r: r.get(), [OK]),
    ("4.1", "a frame of an unknown type", sends(frame(0x16, 0, b"x" * 8)), [[]]),
    ("4.1", "flags that a frame does not know", sends(frame(PING, 0, b"12345678", 0x16)), [[]]),
    ("4.1", "the reserved bit", sends(frame(PING, 0x80000000, b"12345678")), [[]]),
    ("4.2", "DATA of 16,384 bytes", lambda r: (open_stream(r), r.send(frame(DATA, 1, b"x" * 16384, END_STREAM))), [OK]),
    ("4.2", "DATA of one byte more", lambda r: (open_stream(r), r.send(frame(DATA, 1, b"x" * 16385, END_STREAM))), reset(SIZE)),
    ("4.2", "HEADERS of 16,385 bytes", sends(frame(HEADERS, 1, b"\0" * 16385, END_HEADERS)), goaway(SIZE)),
    ("4.3", "a head that is no HPACK", sends(frame(HEADERS, 1, b"\xff\xff\xff\xff\xff", END_HEADERS | END_STREAM)), goaway(COMPRESSION)),
    ("4.3", "an index of 0 (RFC 7541, 6.1)", sends(frame(HEADERS, 1, b"\x80", END_HEADERS | END_STREAM)), goaway(COMPRESSION)),
    ("4.3", "an index past the table", sends(frame(HEADERS, 1, b"\xff\x64", END_HEADERS | END_STREAM)), goaway(COMPRESSION)),
    ("4.3", "Huffman with EOS (RFC 7541, 5.2)", sends(frame(HEADERS, 1, b"\0\x84\xff\xff\xff\xff\x01x", END_HEADERS)), goaway(COMPRESSION)),
    ("4.3", "a table larger than allowed", sends(frame(HEADERS, 1, b"\x3f\xe2\x1f", END_HEADERS | END_STREAM)), goaway(COMPRESSION)),
    ("4.3", "PRIORITY within a head", split_head(frame(PRIORITY, 1, b"\0" * 5)), goaway(PROTOCOL)),
    ("4.3", "another stream's HEADERS within a head", split_head(frame(HEADERS, 3, b"\x82", END_HEADERS)), goaway(PROTOCOL)),
    ("5.1", "DATA on an idle stream", sends(frame(DATA, 1, b"x", END_STREAM)), goaway(PROTOCOL, CLOSED)),
    ("5.1", "RST_STREAM on an idle stream", sends(frame(RST_STREAM, 1, b"\0\0\0\x08")), goaway(PROTOCOL)),
    ("5.1", "WINDOW_UPDATE on an idle stream", sends(frame(WINDOW_UPDATE, 1, b"\0\0\0\x01")), goaway(PROTOCOL)),
    ("5.1", "CONTINUATION on an idle stream", sends(frame(CONTINUATION, 1, b"\x82", END_HEADERS)), goaway(PROTOCOL)),
    ("5.1", "DATA after the end", after_end(DATA, b"x", END_STREAM), reset(CLOSED)),
    ("5.1", "HEADERS after the end", after_end(HEADERS, b"\x82", END_HEADERS | END_STREAM), reset(CLOSED)),
    ("5.1", "CONTINUATION after the end", after_end(CONTINUATION, b"\x82", END_HEADERS), goaway(PROTOCOL, CLOSED)),
    ("5.1", "WINDOW_UPDATE after the end", after_end(WINDOW_UPDATE, b"\0\0\0\x01"), [[]]),
    ("5.1", "PRIORITY after the end", after_end(PRIORITY, b"\0\0\0\0\x01"), [[]]),
    ("5.1", "WINDOW_UPDATE after a reset", after_reset(WINDOW_UPDATE, b"\0\0\0\x01"), [[]]),
    ("5.1", "DATA after a reset", after_reset(DATA, b"x"), [[], *reset(CLOSED)]),
    ("5.1.1", "an even number", sends(frame(HEADERS, 2, b"\x82\x86\x84\x41\x01x", END_HEADERS | END_STREAM)), goaway(PROTOCOL)),
    ("5.1.1", "a number that decreases", decreasing, [[]]),  # nghttp2 ignores it: it may be a stream that we have reset
    ("5.1.2", "a stream more than allowed", lambda r: [r.get("/hold") for _ in range(257)], reset(REFUSED)),
    ("5.3.1", "HEADERS that depend on their own stream", self_dependent, [OK, *reset(PROTOCOL)]),
    ("5.5", "an unknown frame within a head", split_head(frame(0x16, 0, b"x")), goaway(PROTOCOL)),
    ("6.1", "DATA on stream 0", sends(frame(DATA, 0, b"x")), goaway(PROTOCOL)),
    ("6.1", "padding longer than DATA", lambda r: (open_stream(r), r.send(frame(DATA, 1, b"\x06x", END_STREAM | PADDED))), goaway(PROTOCOL)),
    ("6.1", "DATA that is all padding", lambda r: (open_stream(r), r.send(frame(DATA, 1, b"\x01x", END_STREAM | PADDED))), [OK]),
    ("6.2", "HEADERS on stream 0", sends(frame(HEADERS, 0, b"\x82", END_HEADERS | END_STREAM)), goaway(PROTOCOL)),
    ("6.2", "padding longer than HEADERS", padded_head, goaway(PROTOCOL)),
    ("6.2", "a whole head in two frames", split_head(), [OK]),
    ("6.3", "PRIORITY on stream 0", sends(frame(PRIORITY, 0, b"\0" * 5)), goaway(PROTOCOL)),
    ("6.3", "PRIORITY of 4 bytes", sends(frame(PRIORITY, 1, b"\0" * 4)), reset(SIZE)),
    ("6.4", "RST_STREAM on stream 0", sends(frame(RST_STREAM, 0, b"\0\0\0\x08")), goaway(PROTOCOL)),
    ("6.4", "RST_STREAM of 3 bytes", lambda r: (open_stream(r), r.send(frame(RST_STREAM, 1, b"\0\0\0"))), goaway(SIZE)),
    ("6.5", "SETTINGS", sends(frame(SETTINGS, payload=setting(3, 100))), [[]]),
    ("6.5", "an acknowledgement with content", sends(frame(SETTINGS, payload=setting(3, 100), flags=ACK)), goaway(SIZE)),
    ("6.5", "SETTINGS on a stream", sends(frame(SETTINGS, 1, setting(3, 100))), goaway(PROTOCOL)),
    ("6.5", "SETTINGS of 5 bytes", sends(frame(SETTINGS, payload=b"\0" * 5)), goaway(SIZE)),
    ("6.5.2", "ENABLE_PUSH 2", sends(frame(SETTINGS, payload=setting(2, 2))), goaway(PROTOCOL)),
    ("6.5.2", "INITIAL_WINDOW_SIZE 2^31", sends(frame(SETTINGS, payload=setting(4, 1 << 31))), goaway(FLOW)),
    ("6.5.2", "MAX_FRAME_SIZE 16,383", sends(frame(SETTINGS, payload=setting(5, 16383))), goaway(PROTOCOL)),
    ("6.5.2", "MAX_FRAME_SIZE 2^24", sends(frame(SETTINGS, payload=setting(5, 1 << 24))), goaway(PROTOCOL)),
    ("6.5.2", "an unknown setting", sends(frame(SETTINGS, payload=setting(0xff, 1))), [[]]),
    ("6.6", "PUSH_PROMISE from a client", lambda r: (open_stream(r), r.send(frame(PUSH, 1, b"\0\0\0\x02\x82", END_HEADERS))), goaway(PROTOCOL)),
    ("6.7", "PING", sends(frame(PING, payload=b"12345678")), [[]]),
    ("6.7", "PING with ACK", sends(frame(PING, payload=b"12345678", flags=ACK)), [[]]),
    ("6.7", "PING on a stream", sends(frame(PING, 1, b"12345678")), goaway(PROTOCOL)),
    ("6.7", "PING of 6 bytes", sends(frame(PING, payload=b"123456")), goaway(SIZE)),
    ("6.8", "GOAWAY on a stream", sends(frame(GOAWAY, 1, b"\0" * 8)), goaway(PROTOCOL)),
    ("6.8", "GOAWAY of 7 bytes", sends(frame(GOAWAY, 0, b"\0" * 7)), goaway(SIZE)),
    ("6.9", "WINDOW_UPDATE of 0", sends(frame(WINDOW_UPDATE, 0, b"\0\0\0\0")), goaway(PROTOCOL)),
    ("6.9", "WINDOW_UPDATE of 0 on a stream", lambda r: (open_stream(r, "/hold"), r.send(frame(WINDOW_UPDATE, 1, b"\0\0\0\0"))), reset(PROTOCOL)),
    ("6.9", "WINDOW_UPDATE of 3 bytes", sends(frame(WINDOW_UPDATE, 0, b"\0\0\0")), goaway(SIZE)),
    ("6.9.1", "a window past 2^31-1", sends(frame(WINDOW_UPDATE, 0, struct.pack(">I", 0x7fffffff))), goaway(FLOW)),
    ("6.9.1", "a stream's window past 2^31-1",
     lambda r: (open_stream(r, "/hold"), r.send(frame(WINDOW_UPDATE, 1, struct.pack(">I", 0x7fffffff)))), reset(FLOW)),
    ("6.9.2", "a window that INITIAL_WINDOW_SIZE takes past 2^31-1",
     lambda r: (open_stream(r, "/hold"), r.send(frame(WINDOW_UPDATE, 1, struct.pack(">I", 0x10000)) + frame(SETTINGS, payload=setting(4, 0x7fffffff)))),
     reset(FLOW)),  # of the stream, by nghttp2, for the connection
    ("6.10", "three CONTINUATIONs", split_head(frame(CONTINUATION, 1, b""), frame(CONTINUATION, 1, b"")), [OK]),
    ("6.10", "CONTINUATION on stream 0", split_head(frame(CONTINUATION, 0, b"")), goaway(PROTOCOL)),
    ("6.10", "CONTINUATION behind a whole head", after_end(CONTINUATION, b"", END_HEADERS), goaway(PROTOCOL, CLOSED)),
    ("6.10", "DATA within a head", split_head(frame(DATA, 1, b"x")), goaway(PROTOCOL)),
    ("8.1", "trailers", two_heads(END_HEADERS | END_STREAM), [OK]),
    ("8.1", "a second head that ends nothing", two_heads(END_HEADERS), reset(PROTOCOL)),
    ("8.1", "a length that is right", with_body(6, b"abc", b"def"), [OK]),
    ("8.1.1", "a length that is too long", with_body(7, b"abc", b"def"), reset(PROTOCOL)),
    ("8.1.1", "a length that is too short", with_body(5, b"abc", b"def"), reset(PROTOCOL)),
    ("8.2.1", "a name in capitals", fields(METHOD, SCHEME, PATH, AUTHORITY, ("X-Y", "z")), reset(PROTOCOL)),
    ("8.2.1", "a name with a blank", fields(METHOD, SCHEME, PATH, AUTHORITY, ("x y", "z")), reset(PROTOCOL)),
    ("8.2.1", "a value with CR LF", fields(METHOD, SCHEME, PATH, AUTHORITY, ("x", "a\r\nb: c")), reset(PROTOCOL)),
    ("8.2.1", "a value with NUL", fields(METHOD, SCHEME, PATH, AUTHORITY, ("x", "a\0b")), reset(PROTOCOL)),
    ("8.2.2", "Connection", fields(METHOD, SCHEME, PATH, AUTHORITY, ("connection", "close")), reset(PROTOCOL)),
    ("8.2.2", "Transfer-Encoding", fields(METHOD, SCHEME, PATH, AUTHORITY, ("transfer-encoding", "chunked")), reset(PROTOCOL)),
    ("8.2.2", "Upgrade", fields(METHOD, SCHEME, PATH, AUTHORITY, ("upgrade", "x")), reset(PROTOCOL)),
    ("8.2.2", "TE: gzip", fields(METHOD, SCHEME, PATH, AUTHORITY, ("te", "gzip")), reset(PROTOCOL)),
    ("8.2.2", "TE: trailers", fields(METHOD, SCHEME, PATH, AUTHORITY, ("te", "trailers")), [OK]),
    ("8.3", "an unknown pseudo field", fields(METHOD, SCHEME, PATH, AUTHORITY, (":x", "y")), reset(PROTOCOL)),
    ("8.3", "a response's pseudo field", fields(METHOD, SCHEME, PATH, AUTHORITY, (":status", "200")), reset(PROTOCOL)),
    ("8.3", "a pseudo field in trailers", pseudo_trailers, reset(PROTOCOL)),
    ("8.3", "a pseudo field behind others", fields(METHOD, SCHEME, ("x", "y"), PATH, AUTHORITY), reset(PROTOCOL)),
    ("8.3.1", "no :method", fields(SCHEME, PATH, AUTHORITY), reset(PROTOCOL)),
    ("8.3.1", "no :scheme", fields(METHOD, PATH, AUTHORITY), reset(PROTOCOL)),
    ("8.3.1", "no :path", fields(METHOD, SCHEME, AUTHORITY), reset(PROTOCOL)),
    ("8.3.1", "an empty :path", fields(METHOD, SCHEME, (":path", ""), AUTHORITY), reset(PROTOCOL)),
    ("8.3.1", "a :path without a slash", fields(METHOD, SCHEME, (":path", "hello"), AUTHORITY), reset(PROTOCOL)),
    ("8.3.1", ":method twice", fields(METHOD, METHOD, SCHEME, PATH, AUTHORITY), reset(PROTOCOL)),
    ("8.3.1", ":scheme twice", fields(METHOD, SCHEME, SCHEME, PATH, AUTHORITY), reset(PROTOCOL)),
    ("8.3.1", ":path twice", fields(METHOD, SCHEME, PATH, PATH, AUTHORITY), reset(PROTOCOL)),
    ("8.3.1", ":authority twice", fields(METHOD, SCHEME, PATH, AUTHORITY, AUTHORITY), reset(PROTOCOL)),
    ("8.3.1", "Host in place of :authority", fields(METHOD, SCHEME, PATH, ("host", "localhost")), [OK]),
    ("8.5", "CONNECT with :path", fields((":method", "CONNECT"), SCHEME, PATH, AUTHORITY), reset(PROTOCOL)),
    ("8441 4", "extended CONNECT", lambda r: request(r, (":method", "CONNECT"), (":protocol", "echo"), SCHEME, (":path", "/tunnel"), AUTHORITY,
                                                     flags=END_HEADERS), [OK]),
]


@pytest.mark.parametrize("section,name,do,right", HTTP2, ids=[f"{c[0]} {c[1]}" for c in HTTP2])
def test_http2(server, section, name, do, right):
    with Raw2(server) as r:
        try:
            do(r)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert r.reaction() in right


@pytest.mark.parametrize("sent", [b"INVALID CONNECTION PREFACE\r\n\r\n", PREFACE[:-1] + b"x", PREFACE + frame(PING, payload=b"12345678")],
                         ids=["none", "wrong", "no SETTINGS"])
def test_prefaces(server, sent):
    with server.connect() as s:
        s.sendall(sent)
        answer = read_all(s)
    assert answer is not None and (answer.startswith(b"HTTP/1.1 400") or frame(GOAWAY)[3:4] in answer)


def data_of(r):
    """Bytes of DATA that are there."""
    size = pings = 0
    r.ping()
    while (got := r.receive()):
        if got[0] == DATA:
            size += len(got[3])
        elif got[0] == PING:
            pings += 1
            if pings == 2:
                return size
            r.ping()
    return None


def test_windows(server):
    """6.9: nothing past the window; what it grows by, by SETTINGS too, and from below 0, is sent at once."""
    with Raw2(server, setting(4, 1)) as r:
        r.get()
        assert data_of(r) == 1
        assert data_of(r) == 0
        r.send(frame(WINDOW_UPDATE, 1, b"\0\0\0\x02"))
        assert data_of(r) == 2
        r.send(frame(SETTINGS, payload=setting(4, 0)))  # the window is -1 now
        r.send(frame(WINDOW_UPDATE, 1, b"\0\0\0\x01"))
        assert data_of(r) == 0
        r.send(frame(WINDOW_UPDATE, 1, b"\0\0\0\x01"))
        assert data_of(r) == 1
        r.send(frame(SETTINGS, payload=setting(4, 100)))
        assert data_of(r) == 2


def test_answers_to_ping_and_settings(server):
    with Raw2(server) as r:
        r.send(frame(PING, payload=b"abcdefgh"))
        seen = []
        while len(seen) < 2:
            kind, flags, stream, payload = r.receive()
            if flags & ACK and kind in (PING, SETTINGS):
                seen.append((kind, stream, payload))
        assert sorted(seen) == [(SETTINGS, 0, b""), (PING, 0, b"abcdefgh")]
