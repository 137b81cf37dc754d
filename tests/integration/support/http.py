"""The test server on lib/http (tests/http/server.c), and bare connections to it."""
import os
import signal
import socket
import ssl
import subprocess

from .http2 import ACK, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PREFACE, RST_STREAM, SETTINGS, Raw, frame
from .node import BUILD


class Server:
    def __init__(self, *args):
        self.process = subprocess.Popen([BUILD + "/tests/http/server", *map(str, args)], stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        self.url = f"{'https' if '--tls' in args else 'http'}://localhost:{self.port}"

    def connect(self, timeout=10):
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def memory(self):
        """Private bytes."""
        with open(f"/proc/{self.process.pid}/smaps_rollup") as f:
            return sum(int(line.split()[1]) << 10 for line in f if line.startswith("Private"))

    def cpu(self):
        """Seconds."""
        with open(f"/proc/{self.process.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self, sig=signal.SIGINT):
        self.process.send_signal(sig)
        return self.process.wait(timeout=20)

    def __enter__(self):
        return self

    def __exit__(self, *args):
        if self.process.poll() is None:
            assert self.stop() == 0


def read_all(s):
    """All until the peer closes; None when it resets or says nothing for the socket's time-out."""
    data = b""
    try:
        while (more := s.recv(1 << 16)):
            data += more
    except ConnectionResetError:
        pass
    except TimeoutError:
        return None
    return data


class Raw2(Raw):
    """HTTP/2 frame by frame over TCP, with requests of ours."""

    def __init__(self, server, settings=b"", preface=True):
        import hpack
        self.socket = server.connect()
        self.encoder, self.decoder, self.buffer = hpack.Encoder(), hpack.Decoder(), b""
        self.stream = -1
        if preface:
            self.send(PREFACE + frame(SETTINGS, payload=settings))

    def head(self, path="/hello", method="GET", extra=()):
        return self.encoder.encode([(":method", method), (":scheme", "http"), (":path", path), (":authority", "localhost"), *extra])

    def get(self, path="/hello", flags=END_HEADERS | END_STREAM, **more):
        self.stream += 2
        self.send(frame(HEADERS, self.stream, self.head(path, **more), flags))
        return self.stream

    def reaction(self):
        """("goaway", code), ("reset", code), "closed", or, when nothing was wrong, the statuses of the answers: what comes before the
        answer to a second PING, since that to the first one may overtake others."""
        statuses, pings = [], 0
        self.ping()
        while (got := self.receive()):
            kind, flags, _, payload = got
            if kind == HEADERS:
                statuses += [int(v) for k, v in self.decoder.decode(payload) if k == ":status"]
            elif kind == RST_STREAM and (code := int.from_bytes(payload, "big")):
                return "reset", code
            elif kind == GOAWAY and (code := int.from_bytes(payload[4:8], "big")):
                return "goaway", code
            elif kind == PING and flags & ACK and payload == b"reaction":
                pings += 1
                if pings == 2:
                    return statuses
                self.ping()
        return "closed"

    def ping(self):
        try:
            self.send(frame(PING, payload=b"reaction"))
        except (BrokenPipeError, ConnectionResetError):
            pass


def make_pki(directory):
    """ca.pem, server.pem and .key for localhost, client.pem and .key of CN=somebody, other.pem and .key by nobody's authority."""
    def run(*args):
        subprocess.run(["openssl", *args], check=True, capture_output=True, cwd=directory)
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    run("req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test authority", "-days", "2")
    run("req", "-x509", *new, "-keyout", "other.key", "-out", "other.pem", "-subj", "/CN=other", "-days", "2")
    for name, subject, extension in (("server", "/CN=localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
                                     ("client", "/CN=somebody", "extendedKeyUsage=clientAuth")):
        with open(f"{directory}/{name}.ext", "w") as f:
            f.write(extension)
        run("req", *new, "-keyout", name + ".key", "-out", name + ".csr", "-subj", subject)
        run("x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile",
            name + ".ext", "-out", name + ".pem")


def tls_connect(server, ca, timeout=10, protocols=("http/1.1",)):
    context = ssl.create_default_context(cafile=ca)
    context.set_alpn_protocols(list(protocols))
    return context.wrap_socket(server.connect(timeout), server_hostname="localhost")
