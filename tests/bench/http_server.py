"""lib/http's server beside Go's net/http, on one loop and on two: h2load, in TLS."""
import os
import re
import subprocess

from support.http import Server, make_pki, tls_connect
from support.node import PEERS

CONNECTIONS = 1000


def load(pid, n, url, *args):
    """Requests a second, and the server's CPU for one in microseconds; the best of three."""
    def once():
        before = cpu(pid)
        out = subprocess.run(["h2load", "-t1", f"-n{n}", *args, url], capture_output=True, text=True, check=True).stdout
        assert re.search(r" 0 failed", out), out
        return float(re.search(r"([\d.]+) req/s", out)[1]), (cpu(pid) - before) / n * 1e6
    runs = [once() for _ in range(3)]
    return max(r[0] for r in runs), min(r[1] for r in runs)


def cpu(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


SMALL = [("HTTP/2 in TLS, 16 × 16 at once", 40000, ["-c16", "-m16"]), ("HTTP/1.1 in TLS, 16 at once", 20000, ["-c16", "--h1"])]
LISTS = [("a list of 14 MB, HTTP/2 in TLS", []), ("the same with gzip", ["-Haccept-encoding: gzip"])]


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
            peers = [load(go.pid, n, url + "/hello", *args) for _, n, args in SMALL]
        finally:
            go.kill()
            go.wait()
        with Server("--loops", loops, *tls) as server:
            for (what, n, args), peer in zip(SMALL, peers):
                ours = load(server.process.pid, n, server.url + "/hello", *args)
                row(f"{what}, {name}", peer[0], ours[0], "requests/s", "")
                row(f"{what}, {name}: CPU each", peer[1], ours[1], "µs", "")
            for what, args in LISTS:
                row(f"{what}, {name}", None, load(server.process.pid, 40, server.url + "/list", "-c4", *args)[0], "lists/s", "")
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
