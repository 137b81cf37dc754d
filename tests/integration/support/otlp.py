"""A collector of traces: OTLP over gRPC, taken apart by the field numbers of opentelemetry-proto and by nothing of ours."""
import struct
import threading
from concurrent import futures

import grpc

from .node import wait_for

PATH = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
INTERNAL, SERVER, CLIENT = 1, 2, 3
SLACK = 2_000_000  # ns: a start is read from the wall clock, an end is a monotonic time from there


def _fields(data):
    """{field: [values]}"""
    found, at = {}, 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = varint()
        if key & 7 == 0:
            value = varint()
        elif key & 7 == 1:
            value, at = struct.unpack_from("<Q", data, at)[0], at + 8
        elif key & 7 == 5:
            value, at = struct.unpack_from("<I", data, at)[0], at + 4
        else:
            assert key & 7 == 2, key
            size = varint()
            value, at = bytes(data[at:at + size]), at + size
        found.setdefault(key >> 3, []).append(value)
    assert at == len(data)
    return found


def _attributes(pairs):
    found = {}
    for pair in map(_fields, pairs):
        (kind, (value,)), = _fields(pair[2][0]).items()
        found[pair[1][0].decode()] = value.decode() if kind == 1 else value
    return found


class Span:
    def __init__(self, data, resource, scope):
        f = _fields(data)
        self.trace, self.id, self.parent = f[1][0].hex(), f[2][0].hex(), f.get(4, [b""])[0].hex()
        assert len(self.trace) == 32 and len(self.id) == 16 and len(self.parent) in (0, 16)
        self.name, self.kind = f[5][0].decode(), f[6][0]
        self.start, self.end = f[7][0], f[8][0]
        self.attributes = _attributes(f.get(9, []))
        status = _fields(f.get(15, [b""])[0])
        self.status, self.message = status.get(3, [0])[0], status.get(2, [b""])[0].decode()
        self.flags = f.get(16, [0])[0]
        self.resource, self.scope = resource, scope

    def within(self, other):
        return other.start - SLACK <= self.start <= self.end <= other.end + SLACK

    def __repr__(self):
        return f"<{self.name} {self.trace[:6]}/{self.id[:6]} of {self.parent[:6] or '-'}>"


class Collector(grpc.GenericRpcHandler):
    def __init__(self, port=0):
        self._lock, self._spans, self.requests = threading.Lock(), [], 0
        self.port = port
        self.start()

    def start(self):
        self._server = grpc.server(futures.ThreadPoolExecutor(2), options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers((self,))
        port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        assert port, f"port {self.port} is taken"
        self.port = port
        self._server.start()
        return self

    def stop(self):
        self._server.stop(0).wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(self._export) if details.method == PATH else None

    def _export(self, request, context):
        with self._lock:
            self.requests += 1
            for resource_spans in map(_fields, _fields(request).get(1, [])):
                resource = _attributes(_fields(resource_spans[1][0]).get(1, []))
                for scope_spans in map(_fields, resource_spans.get(2, [])):
                    scope = _fields(scope_spans[1][0])[1][0].decode()
                    self._spans += [Span(data, resource, scope) for data in scope_spans.get(2, [])]
        return b""

    def spans(self, name=None, service="nacelle", **attributes):
        """Those of that name (the last part of it is enough) and with these attributes, whose dots are underscores."""
        with self._lock:
            return [s for s in self._spans if s.resource["service.name"] == service and
                    (name is None or s.name == name or s.name.endswith("/" + name)) and
                    all(s.attributes.get(k.replace("_", ".")) == v for k, v in attributes.items())]

    def one(self, name, **kwargs):
        """The only such span, waited for."""
        found = wait_for(f"span {name} {kwargs}", lambda: self.spans(name, **kwargs))
        assert len(found) == 1, found
        return found[0]

    def below(self, span):
        """{name: span} of its direct parts."""
        return {s.name.rsplit("/", 1)[-1]: s for s in self.spans() if s.parent == span.id and s.trace == span.trace}
