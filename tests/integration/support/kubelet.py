"""As much of a kubelet's server as nacelle-api's proxies need: over TLS, with answers that a test chooses, and exec, attach and
port-forward passed on to the CRI streaming server of an agent."""
import contextlib
import http.server
import select
import socket
import ssl
import subprocess
import threading
import urllib.parse

from .apiserver import ApiServer

NODE = "fake"


@contextlib.contextmanager
def own_address(number):
    """One that other hosts could have, on the loopback device: nodes' proxies lead to no other."""
    address = f"198.51.100.{number}"
    subprocess.run(["ip", "addr", "add", address + "/32", "dev", "lo"], check=True)
    try:
        yield address
    finally:
        subprocess.run(["ip", "addr", "del", address + "/32", "dev", "lo"], check=True)


FEATURE = "ExtendWebSocketsToKubelet"


def certificate(directory, pki, name, names):
    """DIR/NAME.crt and .key, signed by the authority in `pki`, for `names` ("IP:127.0.0.1")."""
    key, csr, crt, ext = (f"{directory}/{name}.{end}" for end in ("key", "csr", "crt", "ext"))
    with open(ext, "w") as f:
        f.write(f"subjectAltName={names}\nextendedKeyUsage=serverAuth\n")
    subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", csr, "-subj", f"/CN={name}"],
                   check=True, capture_output=True)
    subprocess.run(["openssl", "x509", "-req", "-in", csr, "-CA", f"{pki}/ca.crt", "-CAkey", f"{pki}/ca.key", "-CAcreateserial", "-CAserial", f"{directory}/serial",
                    "-days", "2", "-extfile", ext, "-out", crt], check=True, capture_output=True)
    return crt, key


def pump(tls, plain):
    """Bytes both ways until either side has ended, by one thread: two may not share a TLS connection."""
    waiting, other, ended = {plain: b"", tls: b""}, {plain: tls, tls: plain}, []
    for s in other:
        s.setblocking(False)
    while not any(not waiting[other[s]] for s in ended):
        readers = [s for s in other if s not in ended and len(waiting[other[s]]) < 1 << 20]
        kept = [tls] if tls in readers and tls.pending() else []
        readable, writable, _ = select.select(readers, [s for s in other if waiting[s]], [], 0 if kept else None)
        try:
            for s in {*readable, *kept}:
                try:
                    data = s.recv(1 << 18)
                except (ssl.SSLWantReadError, BlockingIOError):
                    continue
                waiting[other[s]] += data
                ended += [] if data else [s]
            for s in writable:
                try:
                    waiting[s] = waiting[s][s.send(waiting[s]):]
                except (ssl.SSLWantWriteError, BlockingIOError):
                    continue
        except OSError:
            return


class Kubelet:
    """Its certificate is signed by the authority in `pki`, its clients' by that in `clients`. `answers`: a function (handler, path, query) for each first segment of a path; `seen`: (method, path, headers) of all requests."""

    def __init__(self, directory, pki, agent=None, names=None, clients=None, address="127.0.0.1"):
        self.seen, self.closed, self.answers = [], threading.Event(), {}
        self.streams = ApiServer(agent) if agent else None
        self.only_spdy, self.address = False, address
        kubelet = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def setup(self):
                self.request.do_handshake()
                super().setup()

            def answer(self):
                path, _, query = self.path.partition("?")
                kubelet.seen.append((self.command, self.path, dict(self.headers), self.connection.getpeercert()))
                first = path.split("/")[1]
                if first in kubelet.answers:
                    return kubelet.answers[first](self, path, urllib.parse.parse_qs(query))
                if first in ("exec", "attach", "portForward"):
                    return self.stream(first, path.split("/")[3:], urllib.parse.parse_qs(query))
                self.say(404, "404 page not found\n")

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = answer

            def say(self, status, body=b"", **headers):
                body = body.encode() if isinstance(body, str) else body
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def begin_chunks(self, **headers):
                self.send_response(200)
                for name, value in {"Transfer-Encoding": "chunked", **headers}.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()

            def chunk(self, data):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

            def body(self):
                """Its pieces."""
                if self.headers.get("Transfer-Encoding") == "chunked":
                    while (n := int(self.rfile.readline(), 16)):
                        yield self.rfile.read(n)
                        self.rfile.readline()
                    self.rfile.readline()
                    return
                left = int(self.headers.get("Content-Length", 0))
                while left > 0:
                    piece = self.rfile.read(min(left, 1 << 20))
                    left -= len(piece)
                    yield piece

            def stream(self, verb, names, query):
                if kubelet.only_spdy and self.headers.get("Upgrade", "").lower() == "websocket":
                    return self.say(400, "this kubelet speaks SPDY alone\n")
                ours = {"input": "stdin", "output": "stdout", "error": "stderr"}
                query = {ours.get(k, k): v for k, v in query.items()} | ({"container": [names[1]]} if len(names) > 1 else {})
                url = urllib.parse.urlsplit(kubelet.streams.url(names[0], verb.lower(), query))
                with socket.create_connection((url.hostname, url.port)) as s:
                    head = f"{self.command} {url.path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in self.headers.items()) + "\r\n"
                    s.sendall(head.encode())
                    pump(self.connection, s)
                self.close_connection = True
                self.connection.settimeout(2)
                try:
                    self.connection.unwrap()
                except OSError:
                    pass
                kubelet.closed.set()

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, request, client_address):
                kubelet.closed.set()

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate(directory, pki, NODE, names or f"IP:{address}"))
        context.load_verify_locations(f"{clients or pki}/ca.crt")
        context.verify_mode = ssl.CERT_OPTIONAL
        self.server = Server((address, 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        if self.streams:
            self.streams.stop()

    def register(self, client, name=NODE, websockets=False, addresses=None, port=None):
        """The Node whose kubelet it is."""
        client.ask("POST", "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
        _, node = client.ask("GET", f"/api/v1/nodes/{name}")
        node["status"] = {"addresses": [{"type": t, "address": a} for t, a in addresses or [("InternalIP", self.address)]], "daemonEndpoints": {"kubeletEndpoint": {"Port": port or self.port}},
                          **({"declaredFeatures": [FEATURE]} if websockets else {})}
        status, node = client.ask("PUT", f"/api/v1/nodes/{name}/status", node)
        assert status == 200, node


def make_pod(client, name, containers=("main",), node=NODE, address=None, labels=None, ports=()):
    spec = {"nodeName": node, "containers": [{"name": c, "image": "x", "ports": [{"containerPort": p} for p in ports]} for c in containers]}
    status, pod = client.ask("POST", "/api/v1/namespaces/default/pods", {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels or {}},
                                                                         "spec": {"automountServiceAccountToken": False, **spec}})
    assert status == 201, pod
    if address:
        pod["status"].update(phase="Running", podIP=address, podIPs=[{"ip": address}])
        status, pod = client.ask("PUT", f"/api/v1/namespaces/default/pods/{name}/status", pod)
        assert status == 200, pod
    return pod
