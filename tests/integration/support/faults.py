"""Faults on demand: the control block of tests/faults/faults.c, and a CRI client that tells code and text of each answer."""
import os
import struct
import subprocess
import tempfile

import grpc

from .node import BUILD, TOP

KINDS = {"ENOSPC": 1, "EIO": 2, "EMFILE": 4, "ENOMEM": 8}
HEAD = struct.Struct("=5I116s")


class Faults:
    """`env` is what a program needs to be made to fail."""

    def __init__(self):
        library = os.path.join(BUILD, "tests/faults.so")
        subprocess.run(["make", "-s", "-C", TOP, "BUILD=" + BUILD, library], check=True)
        fd, self.path = tempfile.mkstemp(prefix="nacelle-faults-")
        os.write(fd, bytes(HEAD.size))
        os.close(fd)
        self.env = {"LD_PRELOAD": library, "NACELLE_FAULTS": self.path}

    def arm(self, kind, nth, sticky=False):
        with open(self.path, "r+b", buffering=0) as f:
            f.write(HEAD.pack(0, nth, sticky, 0, 0, b""))
            f.seek(0)
            f.write(struct.pack("=I", KINDS[kind]))

    def disarm(self):
        """How many calls there were, how many failed, and the first of these."""
        with open(self.path, "r+b", buffering=0) as f:
            f.write(struct.pack("=I", 0))
            f.seek(0)
            _, _, _, count, hits, what = HEAD.unpack(f.read(HEAD.size))
        return count, hits, what.split(b"\0")[0].decode(errors="replace")

    def close(self):
        os.unlink(self.path)


# --- protobuf by hand: {field: value}, values are ints, texts, such dicts, and lists of these ---

def _varint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7f | 0x80)
        n >>= 7
    return bytes(out) + bytes([n])


def encode(message):
    out = b""
    for number, value in message.items():
        for v in value if isinstance(value, list) else [value]:
            if isinstance(v, int):
                out += _varint(number << 3) + _varint(v)
            else:
                data = encode(v) if isinstance(v, dict) else v.encode()
                out += _varint(number << 3 | 2) + _varint(len(data)) + data
    return out


def _take_varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7f) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def decode(data):
    """[(field, int or bytes)]"""
    found, at = [], 0
    while at < len(data):
        key, at = _take_varint(data, at)
        value, at = _take_varint(data, at)
        if key & 7 == 2:
            value, at = data[at:at + value], at + value
        found.append((key >> 3, value))
    return found


def field(data, number):
    return next((v for n, v in decode(data) if n == number), None)


class Cri:
    """Calls by name; each answers (code, text, response), with code None when it went well."""

    def __init__(self, socket):
        self.channel = grpc.insecure_channel("unix://" + socket, options=[("grpc.initial_reconnect_backoff_ms", 50),
                                                                          ("grpc.max_reconnect_backoff_ms", 200)])

    def call(self, method, message, timeout=15, ready=False):
        """`ready`: a connection is waited for."""
        service = "/nacelle.v1.Images/" if method in ("Import", "Untag") else \
            "/runtime.v1.ImageService/" if "Image" in method else "/runtime.v1.RuntimeService/"
        try:
            if method == "Import":
                stream = self.channel.unary_stream(service + method)(encode(message), timeout=timeout, wait_for_ready=ready)
                return None, "", list(stream)[-1]
            return None, "", self.channel.unary_unary(service + method)(encode(message), timeout=timeout, wait_for_ready=ready)
        except grpc.RpcError as e:
            return e.code().name, e.details(), b""

    def must(self, method, message):
        code, text, response = self.call(method, message, ready=True)
        if code == "UNAVAILABLE":  # the connection ended with the last fault
            code, text, response = self.call(method, message, ready=True)
        assert code is None, f"{method}: {code}: {text}"
        return response

    def ids(self, method):
        return [field(v, 1).decode() for n, v in decode(self.must(method, {})) if n == 1]

    def close(self):
        self.channel.close()
