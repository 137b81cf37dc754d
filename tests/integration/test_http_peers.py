"""lib/http with the world's clients and servers: curl, nghttp, h2load, Go's net/http, Python's http.client, urllib3 and requests against
the test server; our client against Go's, nginx, nghttpd and Python's servers. Both protocols, plain and in TLS with certificates."""
import http.client
import http.server
import os
import signal
import ssl
import subprocess
import threading
import time

import pytest

from support.http import Server, make_pki
from support.node import BUILD, PEERS, free_port, wait_for

GO = PEERS + "/http-peer"
MB = 1 << 20


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    directory = tmp_path_factory.mktemp("pki")
    make_pki(directory)
    (directory / "body").write_bytes(os.urandom(MB))
    return directory


@pytest.fixture(scope="module")
def plain():
    with Server("--loops", 2, "connections=1000") as s:
        yield s


@pytest.fixture(scope="module")
def secure(pki):
    with Server("--loops", 2, "connections=1000", "--tls", pki / "server.pem", pki / "server.key", "--authorities", pki / "ca.pem") as s:
        yield s


@pytest.fixture(params=["plain", "secure"])
def server(request, plain, secure):
    return plain if request.param == "plain" else secure


def run(*args, status=0):
    done = subprocess.run([str(a) for a in args], capture_output=True, timeout=60)
    assert done.returncode == status, done.stderr[-2000:]
    return done.stdout


# --- curl ---

PROTOCOLS = {"1.0": "--http1.0 --no-alpn", "1.1": "--http1.1", "2": "--http2", "2 by knowledge": "--http2-prior-knowledge"}


@pytest.fixture(params=PROTOCOLS)
def curl(request, server, pki):
    def do(path, *args, status=0):
        return run("curl", "-sS", "--cacert", pki / "ca.pem", *PROTOCOLS[request.param].split(), *args, server.url + path, status=status)
    do.version = "1.1" if request.param == "2" and server.url.startswith("http:") else request.param.split()[0]
    return do


def test_curl(curl, pki):
    assert curl("/hello") == b"hello\n"
    # Without TLS curl asks for h2c by Upgrade, which RFC 9113 has given up: it gets HTTP/1.1.
    assert curl("/request/a", "-w", "%{http_version} %{http_code}", "-o", "/dev/null").decode() in (f"{curl.version} 200", "1.1 200")
    assert curl("/nowhere", "-o", "/dev/null", "-w", "%{http_code}") == b"404"
    assert curl("/hello", "-I").startswith(b"HTTP/")
    assert curl("/stream") == b"piece\n" * 100


def test_curl_uploads(curl, pki):
    body = (pki / "body").read_bytes()
    assert curl("/echo", "--data-binary", f"@{pki}/body") == body
    assert curl("/echo", "-T", pki / "body") == body
    if curl.version != "1.0":
        assert curl("/count", "-X", "POST", "-T", "-", "-H", "Expect:") == b"0 -"
        assert curl("/echo", "-T", pki / "body", "-H", "Expect: 100-continue") == body


def test_curl_gzip(curl):
    """14 MB, the same with and without; the first in gzip while it is made, the next from what is kept."""
    whole = curl("/list")
    assert len(whole) > 14 * MB
    assert curl("/list", "--compressed") == whole
    size = int(curl("/list", "-H", "Accept-Encoding: gzip", "-o", "/dev/null", "-w", "%{size_download}"))
    assert size < len(whole) * 0.8
    assert curl("/list", "-H", "Accept-Encoding: gzip;q=0", "-o", "/dev/null", "-w", "%{size_download}") == str(len(whole)).encode()


def test_curl_keeps_connections(curl, server):
    if curl.version == "2" and server.url.startswith("http:"):
        pytest.skip("curl 7.88 fails to use such a connection again, with nghttpd, too")
    urls = [a for i in range(5) for a in ("-o", "/dev/null", f"{server.url}/request/{i}")]
    made = curl("/hello", *urls, "-o", "/dev/null", "-w", "%{num_connects}\n").split()
    assert sum(map(int, made)) == (6 if curl.version == "1.0" else 1)


def test_client_certificates(secure, pki):
    def peer(*args, status=0):
        return run("curl", "-sS", "--cacert", pki / "ca.pem", *args, secure.url + "/peer", status=status)
    assert peer() == b"none"
    for protocol in "--http1.1", "--http2":
        assert peer(protocol, "--cert", pki / "client.pem", "--key", pki / "client.key") == b"somebody"
        for version in "--tlsv1.2", "--tlsv1.3":
            assert peer(protocol, version, "--tls-max", version[-3:], "--cert", pki / "client.pem", "--key", pki / "client.key") == b"somebody"
    assert subprocess.run(["curl", "-sS", "--cacert", pki / "ca.pem", "--cert", pki / "other.pem", "--key", pki / "other.key",
                           secure.url + "/peer"], capture_output=True).returncode != 0
    assert subprocess.run(["curl", "-sS", "--tlsv1.1", "--tls-max", "1.1", "--cacert", pki / "ca.pem", secure.url + "/hello"],
                          capture_output=True).returncode != 0


# --- nghttp, h2load ---

def test_nghttp(server, pki):
    out = run("nghttp", "-nv", "-d", pki / "body", "-H:method: POST", "--trailer", "x-sum: 9", server.url + "/count")
    assert b":status: 200" in out
    assert run("nghttp", "-d", pki / "body", "-H:method: POST", "--trailer", "x-sum: 9", server.url + "/count") == f"{MB} 9".encode()
    assert run("nghttp", "--no-verify-peer", "-n", *[f"{server.url}/request/{i}" for i in range(20)], "-s").count(b"200") >= 20


@pytest.mark.parametrize("args", [["-c1", "-m100"], ["-c10", "-m10"], ["-c50", "-m1"], ["-c10", "--h1"]], ids=lambda a: " ".join(a))
def test_h2load(server, args):
    out = run("h2load", *args, "-n2000", server.url + "/hello").decode()
    assert "2000 succeeded, 0 failed" in out and "2000 2xx" in out


def test_h2load_of_large_answers(server):
    out = run("h2load", "-c4", "-m2", "-n16", server.url + "/list").decode()
    assert "16 succeeded, 0 failed" in out


# --- Go ---

@pytest.mark.skipif(not os.path.exists(GO), reason="http-peer is not built (tests/peers/build)")
@pytest.mark.parametrize("version", ["1.1", "2"])
def test_go(server, pki, version):
    if version == "2" and server.url.startswith("http:"):
        pytest.skip("Go speaks HTTP/2 in TLS only")
    out = subprocess.run([GO, "client", server.url, pki / "ca.pem", pki / "client.pem", pki / "client.key"], capture_output=True, timeout=60,
                         text=True, env={**os.environ, **({"HTTP1": "1"} if version == "1.1" else {})})
    lines = dict(line.split(" ", 1) if not line.startswith("too") else ("too", line) for line in out.stdout.splitlines())
    assert lines == {"hello": f"200 HTTP/{'2.0' if version == '2' else '1.1'} hello", "head": "200 6 0", "echo": "true", "continue": "true",
                     "upload": f"{20 * MB} 7", "stream": "600 42", "list": "true true", "too": "too large 413",
                     "peer": "somebody" if server.url.startswith("https") else "none", "many": "200"}, out


# --- Python ---

def test_http_client(server, pki):
    if server.url.startswith("https"):
        c = http.client.HTTPSConnection("localhost", server.port, context=ssl.create_default_context(cafile=pki / "ca.pem"))
    else:
        c = http.client.HTTPConnection("localhost", server.port)
    for _ in range(3):  # one connection
        c.request("POST", "/echo", iter([b"abc", b"def"]), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
        assert c.getresponse().read() == b"abcdef"
        c.request("GET", "/stream")
        assert c.getresponse().read() == b"piece\n" * 100
        c.request("HEAD", "/list")
        r = c.getresponse()
        assert int(r.headers["Content-Length"]) > 14 * MB and r.read() == b"" and r.headers["Vary"] == "Accept-Encoding"
    c.close()


def test_urllib3_and_requests(server, pki):
    requests = pytest.importorskip("requests")
    with requests.Session() as s:
        s.verify, s.trust_env = str(pki / "ca.pem"), False
        for _ in range(2):
            r = s.get(server.url + "/list")
            assert r.headers["Content-Encoding"] == "gzip" and len(r.content) > 14 * MB
            assert s.post(server.url + "/echo", data=b"x" * MB).content == b"x" * MB
            assert s.put(server.url + "/echo", data=iter([b"a", b"b"])).content == b"ab"
        assert s.post(server.url + "/echo", data=b"x" * (3 * MB + 1)).status_code == 413


# --- loops ---

def test_connections_on_both_loops(plain):
    held, seen = [], {}
    for _ in range(16):
        c = http.client.HTTPConnection("localhost", plain.port)
        c.request("GET", "/loop")
        loop = c.getresponse().read()
        seen[loop] = seen.get(loop, 0) + 1
        held.append(c)
    for c in held:
        c.close()
    assert seen == {b"0": 8, b"1": 8}


@pytest.mark.skipif(not os.path.exists(GO), reason="http-peer is not built (tests/peers/build)")
def test_a_drain_loses_no_request(pki):
    """SIGTERM under load: what was begun is answered, even what crosses the server's GOAWAY; the server ends by itself, and well."""
    with Server("--loops", 2, "--tls", pki / "server.pem", pki / "server.key") as server:
        loader = subprocess.Popen([GO, "hammer", server.url, pki / "ca.pem"], stdout=subprocess.PIPE, text=True)
        time.sleep(1)
        assert server.stop(signal.SIGTERM) == 0
        assert loader.communicate(timeout=20)[0] == "lost 0 true\n"


# --- our client ---

def ask(port, version, ca, n, method, target, *body):
    out = subprocess.run([BUILD + "/tests/http/client", f"127.0.0.1:{port}", version, str(ca), str(n), method, target, *body],
                         capture_output=True, text=True, timeout=60)
    assert out.returncode == 0, out.stderr
    lines = out.stdout.splitlines()
    assert len(lines) == n and len(set(lines)) == 1, lines
    return lines[0]


@pytest.mark.skipif(not os.path.exists(GO), reason="http-peer is not built (tests/peers/build)")
@pytest.mark.parametrize("version", ["any", "1", "2"])
def test_our_client_with_go(pki, version):
    server = subprocess.Popen([GO, "server", pki / "server.pem", pki / "server.key"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        port, ca = int(server.stdout.readline()), pki / "ca.pem"
        spoken = "HTTP/1.1" if version == "1" else "HTTP/2.0"
        if version != "1":
            assert ask(port, version, ca, 1, "GET", "/hello") == f"200 14 hello {spoken} -"
            assert ask(port, version, ca, 200, "POST", "/echo", "body") == "200 4 body -"
            assert ask(port, version, ca, 3, "GET", "/large").startswith(f"200 {20 * MB} ")
            assert ask(port, version, ca, 1, "GET", "/trailer") == "200 4 body 42"
            assert ask(port, version, ca, 1, "HEAD", "/hello").startswith("200 0 ")
            assert ask(port, version, ca, 1, "GET", "/abort").startswith("error ")
            assert ask(port, version, "-", 1, "GET", "/hello").startswith(("error", "400"))  # plain where TLS is meant
        other = pki / "other.pem"
        assert ask(port, version, other, 2, "GET", "/hello").startswith("error ")
    finally:
        server.kill()
        server.wait()


NGINX = """daemon off; master_process off; pid {0}/nginx.pid; error_log {0}/error.log; events {{}}
http {{ access_log off; client_body_temp_path {0}; proxy_temp_path {0}; fastcgi_temp_path {0}; uwsgi_temp_path {0}; scgi_temp_path {0};
 gzip on; gzip_min_length 100; gzip_types *; keepalive_requests 20;
 server {{ listen 127.0.0.1:{1}; root {0}; }}
 server {{ listen 127.0.0.1:{2} ssl http2; ssl_certificate {0}/server.pem; ssl_certificate_key {0}/server.key; root {0}; }} }}"""


def test_our_client_with_nginx(pki):
    """gzip, connections that the server closes after 20 requests, and both protocols."""
    import shutil
    if not shutil.which("nginx") and not os.path.exists("/usr/sbin/nginx"):
        pytest.skip("nginx is not installed")
    ports = free_port(), free_port()
    (pki / "text").write_text("some text " * 100000)
    (pki / "nginx.conf").write_text(NGINX.format(pki, *ports))
    server = subprocess.Popen(["/usr/sbin/nginx", "-c", pki / "nginx.conf"], stderr=subprocess.DEVNULL)
    try:
        wait_for("nginx", lambda: subprocess.run(["curl", "-s", "-o", "/dev/null", f"http://127.0.0.1:{ports[0]}/text"]).returncode == 0)
        assert ask(ports[0], "1", "-", 30, "GET", "/text").startswith(f"200 1000000 some text ")
        assert ask(ports[1], "any", pki / "ca.pem", 15, "GET", "/text").startswith("200 1000000 some text ")
        assert ask(ports[0], "1", "-", 1, "GET", "/nowhere").startswith("404 ")
    finally:
        server.terminate()
        server.wait()


def test_our_client_with_nghttpd(pki):
    import shutil
    if not shutil.which("nghttpd"):
        pytest.skip("nghttpd is not installed")
    port = free_port()
    server = subprocess.Popen(["nghttpd", str(port), "--no-tls", "-a", "127.0.0.1", "-d", pki], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for("nghttpd", lambda: subprocess.run(["nghttp", "-n", f"http://127.0.0.1:{port}/body"], capture_output=True).stdout == b"" or True)
        wait_for("nghttpd's port", lambda: subprocess.run(["curl", "-s", "--http2-prior-knowledge", "-o", "/dev/null", f"http://127.0.0.1:{port}/body"]).returncode == 0)
        assert ask(port, "2", "-", 20, "GET", "/body").startswith(f"200 {MB} ")
    finally:
        server.terminate()
        server.wait()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        if self.path == "/close":  # HTTP/1.0: the end is the body's end
            self.end_headers()
            self.wfile.write(b"until the end")
            return
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"abc" if self.path != "/short" else b"a")
        self.close_connection = self.path == "/short"

    def log_message(self, *args):
        pass


def test_our_client_with_python():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    assert ask(port, "1", "-", 5, "GET", "/") == "200 3 abc -"
    assert ask(port, "1", "-", 5, "GET", "/close") == "200 13 until the end -"
    assert ask(port, "1", "-", 1, "GET", "/short").startswith("error ")
    server.shutdown()
    server.server_close()
