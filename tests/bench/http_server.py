"""lib/http's server beside Go's net/http, on one loop and on two: h2load, in TLS."""
import os
import re
import subprocess

from support.http import Server, make_pki, tls_connect
from support.node import PEERS

CONNECTIONS = 1000


def rate(url, *args):
    """Requests a second; the best of three."""
    def once():
        out = subprocess.run(["h2load", "-t1", *args, url], capture_output=True, text=True, check=True).stdout
        assert re.search(r" 0 failed", out), out
        return float(re.search(r"([\d.]+) req/s", out)[1])
    return max(once() for _ in range(3))


def go_server(directory, processors):
    server = subprocess.Popen([PEERS + "/http-peer", "server", directory + "/server.pem", directory + "/server.key"], stdout=subprocess.PIPE,
                              text=True, env={**os.environ, "GOMAXPROCS": str(processors)})
    return server, f"https://localhost:{int(server.stdout.readline())}"


def bench_http(row, directory):
    make_pki(directory)
    tls = ("--tls", directory + "/server.pem", directory + "/server.key")
    for loops in 1, 2:
        name = f"on {loops} {'loop' if loops == 1 else 'loops'}"
        go, url = go_server(directory, loops)
        try:
            peer = [rate(url + "/hello", "-n40000", "-c16", "-m16"), rate(url + "/hello", "-n20000", "-c16", "--h1")]
        finally:
            go.kill()
            go.wait()
        with Server("--loops", loops, *tls) as server:
            row(f"HTTP/2 in TLS, 16 × 16 at once, {name}", peer[0], rate(server.url + "/hello", "-n40000", "-c16", "-m16"), "requests/s", "")
            row(f"HTTP/1.1 in TLS, 16 at once, {name}", peer[1], rate(server.url + "/hello", "-n20000", "-c16", "--h1"), "requests/s", "")
            row(f"a list of 14 MB, HTTP/2 in TLS, {name}", None, rate(server.url + "/list", "-n40", "-c4"), "lists/s", "")
            row(f"the same with gzip, {name}", None, rate(server.url + "/list", "-n40", "-c4", "-Haccept-encoding: gzip"), "lists/s", "")
    with Server("connections=2000", *tls) as server:
        def grown(request):
            before, held = server.memory(), [tls_connect(server, directory + "/ca.pem") for _ in range(CONNECTIONS)]
            for s in held if request else ():
                s.sendall(request)
                s.recv(1000)
            size = (server.memory() - before) / CONNECTIONS
            for s in held:
                s.close()
            return size
        session = grown(None)
        row("memory of a connection in TLS without a request", None, session / 1000, "KB", "")
    with Server("connections=2000", *tls) as server:
        row("memory of one that watches", None, grown(b"GET /watch HTTP/1.1\r\nHost: x\r\n\r\n") / 1000, "KB", "≤ 1 KB more")
