"""nacelle-api beside kube-apiserver with etcd: the same load on the one and then on the other, TLS and certificates on.

The servers' CPU comes from /proc and says what a request costs also on a busy machine; rates and delays need a quiet one.
API='creates gets' in the environment: some parts alone. API_PEER=no: ours alone. API_SECONDS: of each load (4). API_OBJECTS: in the large store (100,000)."""
import http.client
import json
import os
import signal
import subprocess
import time

from support.api import BUILD, Api, Oracle

SECONDS = os.environ.get("API_SECONDS", "4")
OBJECTS = int(os.environ.get("API_OBJECTS", "100000"))
REST_S = float(os.environ.get("API_REST", "20"))
LISTED = 10_000
CONFIGMAPS, DEPLOYMENTS = "/api/v1/namespaces/{}/configmaps", "/apis/apps/v1/namespaces/default/deployments/{}-"
PROTOBUF = "accept: application/vnd.kubernetes.protobuf"
EVENT_BYTES = 1400
NAMESPACES = ("floors", "lists", "few", "many", "fields")


class Subject:
    """A server under load: its processes, and the loader at it."""

    def __init__(self, server, processes, pki):
        self.server, self.processes, self.pki = server, processes, pki

    def cpu(self):
        def one(process):
            with open(f"/proc/{process.pid}/stat") as f:
                fields = f.read().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return sum(map(one, self.processes()))

    def pss(self):
        def one(process):
            with open(f"/proc/{process.pid}/smaps_rollup") as f:
                return next(int(line.split()[1]) for line in f if line.startswith("Pss:"))
        return sum(map(one, self.processes())) / 1000

    def written(self):
        def one(process):
            with open(f"/proc/{process.pid}/io") as f:
                return next(int(line.split()[1]) for line in f if line.startswith("write_bytes:"))
        return sum(map(one, self.processes()))

    def load(self, workload, *, seconds=SECONDS, headers=(), **options):
        """What the loader says, and with it the server's CPU of one request in ms."""
        words = [f"--{name}" if value is True else f"--{name}={value}" for name, value in options.items() if value is not False]
        words += [f"--header={h}" for h in headers]
        loader = subprocess.Popen([f"{BUILD}/tests/bench/api_load", f"--server=127.0.0.1:{self.server.port}", f"--ca={self.pki}/ca.crt",
                                   f"--cert={self.pki}/admin.crt", f"--key={self.pki}/admin.key", f"--workload={workload}", f"--seconds={seconds}", *words],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if loader.stdout.readline() != "ready\n":
            raise SystemExit(f"bench: {workload}: no connection")
        pss, before = self.pss(), self.cpu()
        loader.stdin.write("\n")
        loader.stdin.flush()
        said = json.loads(loader.stdout.readline())
        said["cpu_ms"] = (self.cpu() - before) * 1000 / max(1, said["done"])
        said["pss_mb"] = pss
        loader.wait()
        return said

    def ask(self, method, path, body=None):
        status, _, text = self.server.client().raw(method, path, body) if isinstance(self.server, Api) else client(self.server).raw(method, path, body)
        assert status < 300 or status == 409, text

    def fill(self, namespace, count, workload="create", clients=32):
        return self.load(workload, clients=clients, count=count, seconds=600, path=CONFIGMAPS.format(namespace))


def client(oracle):
    from support.api import Client
    return Client(oracle.port, oracle.pki)


def serves(make_client, since):
    """Seconds until the server says that it is ready."""
    while True:
        try:
            if make_client().raw("GET", "/readyz")[0] == 200:
                return time.monotonic() - since
        except (OSError, http.client.HTTPException):
            time.sleep(0.002)
        if time.monotonic() - since > 120:
            raise SystemExit("bench: the server does not become ready")


# --- the parts: each gives figures by name ---

def rest(s):
    time.sleep(5)
    cpu, written = s.cpu(), s.written()
    time.sleep(REST_S)
    return {"memory at rest": (s.pss(), "MB"), "CPU at rest": ((s.cpu() - cpu) / REST_S * 100, "% of a core"),
            "written at rest": ((s.written() - written) / REST_S * 60 / 1000, "KB a minute")}


def each(name, said):
    return {name: (said["rate"], "requests/s"), f"{name}: p99": (said["p99_ms"], "ms"), f"{name}: CPU each": (said["cpu_ms"], "ms")}


def creates(s):
    out = {}
    for n in (1, 16, 64):
        out.update(each(f"durable creates, {n} clients", s.load("create", clients=n, path=CONFIGMAPS.format("default"))))
    return out


def gets(s):
    s.fill("few", 1, "numbered", 1)
    out = {}
    for n in (1, 16):
        out.update(each(f"GET, {n} clients", s.load("get", clients=n, path=CONFIGMAPS.format("few") + "/n-0")))
    return out


def floor(pki, size, connections, *rate):
    """What OpenSSL alone takes to bring so many bytes to so many connections over the loopback."""
    said = subprocess.run([f"{BUILD}/tests/bench/tls_floor", f"{pki}/admin.crt", f"{pki}/admin.key", str(size), str(connections), SECONDS, *map(str, rate)],
                          check=True, stdout=subprocess.PIPE)
    return json.loads(said.stdout)


def floors(s):
    """Not a server's: the least that the same bytes take on this machine."""
    s.fill("floors", LISTED)
    _, _, listed = s.server.client().raw("GET", CONFIGMAPS.format("floors"))
    said = floor(s.pki, len(listed), os.cpu_count())
    out = {"a list's bytes by OpenSSL alone": (said["rate"], "lists/s"), "a list's bytes by OpenSSL alone: CPU of the sender": (said["cpu_ms"], "ms"),
           "a list's bytes by OpenSSL alone: CPU of the reader": (said["reader_cpu_ms"], "ms")}
    for rate in (10, 100):
        said, name = floor(s.pki, EVENT_BYTES, 1000, rate), f"{EVENT_BYTES} bytes to 1,000 connections, {rate} times/s, by OpenSSL alone"
        out.update({f"{name}: made": (said["rate"], "1/s"), f"{name}: p99": (said["p99_ms"], "ms"), f"{name}: CPU of the sender": (said["cpu_ms"], "ms"),
                    f"{name}: CPU of the reader": (said["reader_cpu_ms"], "ms")})
    return out


def lists(s):
    s.fill("lists", LISTED)
    path, out = CONFIGMAPS.format("lists"), {}
    for name, workload, headers in (("", "get", ()), (" with gzip", "get", ("accept-encoding: gzip",)), (" in pages of 500", "pages", ()),
                                    (" in protobuf", "get", (PROTOBUF,)), (" in protobuf with gzip", "get", (PROTOBUF, "accept-encoding: gzip"))):
        said = s.load(workload, clients=4, path=path, headers=headers)
        out[f"LIST of 10,000{name}"] = said["rate"], "lists/s"
        out[f"LIST of 10,000{name}: CPU each"] = said["cpu_ms"], "ms"
    return out


def patches(s):
    out = {}
    for name, same in (("16 clients", False), ("16 clients on one object", True)):
        path = DEPLOYMENTS.format("one" if same else "web")
        for what, workload in (("server-side apply", "apply"), ("strategic patch", "strategic")):
            said = s.load(workload, clients=16, path=path, same=same)
            out.update(each(f"{what}, {name}", said))
            out[f"{what}, {name}: refused"] = 100 * said["failed"] / max(1, said["failed"] + said["done"]), "%"
    return out


def watched(s, namespace, watch, watchers, rate, same, writers, clients=None):
    """`clients`: so many share the watches, with a connection each; else each watcher has one."""
    said = s.load("stamp", clients=writers, rate=rate, watchers=watchers, same=same, path=CONFIGMAPS.format(namespace) + "/n-", watch=watch,
                  streams=watchers // (clients or watchers), seconds=max(8, float(SECONDS)))
    wanted = said["done"] * (watchers if same else 1)
    name = f"{watchers:,} " + (f"watches of {clients} clients" if clients else "watchers") + f", {rate} changes/s"
    return {f"{name}: p50": (said["p50_ms"], "ms"), f"{name}: p99": (said["p99_ms"], "ms"), f"{name}: made": (said["rate"], "requests/s"),
            f"{name}: delivered": (100 * said["delivered"] / max(1, wanted), "%"), f"{name}: CPU of a change": (said["cpu_ms"], "ms"),
            f"{name}: the loader's CPU of a change": (said["cpu_s"] * 1000 / max(1, said["done"]), "ms")}


def watches(s):
    s.fill("many", 1, "numbered", 1)
    path = CONFIGMAPS.format("many") + "?watch=1"
    out = {}
    for clients in (None, 10):
        for rate, writers in ((10, 2), (100, 8)):
            out.update(watched(s, "many", path, 1000, rate, True, writers, clients))
    return out


def held(s, n, **options):
    """KB that each of n connections takes of a server that has just begun, once all are there."""
    s.restart()
    before = s.pss()
    return (s.load(seconds=0.1, **options)["pss_mb"] - before) / n * 1000


def fields(s):
    """As kubelets: each watches what one field says is its own."""
    n, one = int(os.environ.get("API_KUBELETS", "10000")), CONFIGMAPS.format("fields") + "?watch=1&fieldSelector=metadata.name%3Dn-"
    watching = {"workload": "stamp", "clients": 1, "rate": 1, "watch": one, "path": CONFIGMAPS.format("fields") + "/n-"}
    s.fill("fields", n, "numbered")
    out = {"memory of a connection without a watch": (held(s, n, workload="get", clients=n, path="/version"), "KB"),
           "memory of a connection with a watch of one field": (held(s, n, watchers=n, **watching), "KB")}
    out["memory of a watch of one field, 100 on a connection, beside that"] = (
        held(s, n, watchers=n, streams=100, **watching) - held(s, n // 100, workload="get", clients=n // 100, path="/version") / 100, "KB")
    out.update(watched(s, "fields", one, n, 1000, False, 32))
    return out


def large(s):
    s.fill("default", OBJECTS, clients=64)
    after_load = s.pss()
    ready = s.restart()
    return {"memory with 100,000 objects after the load": (after_load, "MB"), "memory with 100,000 objects after a restart": (s.pss(), "MB"),
            "start with 100,000 objects": (ready, "s")}


PARTS = {f.__name__: f for f in (rest, creates, gets, floors, lists, patches, watches, fields, large)}
WANTED = {"memory at rest": "≤ 15 MB", "written at rest": "≤ 10 MB a day", "durable creates, 1 clients": "≥ 3", "durable creates, 16 clients": "≥ 6",
          "durable creates, 64 clients": "≥ 8", "durable creates, 64 clients: p99": "≥ 8", "durable creates, 64 clients: CPU each": "≥ 12",
          "GET, 1 clients": "≥ 4", "GET, 16 clients": "≥ 8", "LIST of 10,000": "≥ 15", "LIST of 10,000 with gzip": "≥ 15",
          "LIST of 10,000 in pages of 500": "≥ 15", "LIST of 10,000 in protobuf": "≥ 15", "server-side apply, 16 clients": "≥ 8",
          "strategic patch, 16 clients": "≥ 8", "server-side apply, 16 clients on one object": "≥ 20", "strategic patch, 16 clients on one object": "≥ 20",
          "1,000 watchers, 10 changes/s: p99": "≤ 10 ms", "1,000 watchers, 100 changes/s: p99": "≤ 25 ms", "10,000 watchers, 1000 changes/s: made": "keeps up",
          "1,000 watches of 10 clients, 10 changes/s: p99": "≤ 10 ms", "1,000 watches of 10 clients, 100 changes/s: p99": "≤ 25 ms",
          "memory of a watch of one field, 100 on a connection, beside that": "≤ 1 KB",
          "memory with 100,000 objects after the load": "≥ 10", "memory with 100,000 objects after a restart": "≥ 10", "start, empty": "≤ 0.1 s",
          "start with 100,000 objects": "≤ 1 s"}


def run(s, parts):
    out = {}
    for name in NAMESPACES:
        s.ask("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    for name in parts:
        out.update(PARTS[name](s))
    return out


def ours(api, parts):
    api.start()  # keys are made once
    api.end()
    s = Subject(api, lambda: [api.process], api.pki)

    def restart():
        if api.process.poll() is None:
            api.end()
        since = time.monotonic()
        api.start()
        return serves(api.client, since)
    s.restart = restart
    out = {"start, empty": (restart(), "s")}
    out.update(run(s, parts))
    return out


def theirs(pki, parts):
    oracle = Oracle(pki)
    s = Subject(oracle, lambda: oracle.processes, pki)

    def restart():
        for process in reversed(oracle.processes):
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        oracle.processes = []
        since = time.monotonic()
        oracle.start()
        return time.monotonic() - since
    s.restart = restart
    try:
        out = {"start, empty": (restart(), "s")}
        out.update(run(s, parts))
        return out
    finally:
        oracle.stop()


def bench_api(row):
    parts = os.environ.get("API", "").split() or list(PARTS)
    if unknown := [name for name in parts if name not in PARTS]:
        raise SystemExit(f"API: there is no part {unknown[0]}; give some of {' '.join(PARTS)}")
    api, peers = Api(), {}
    try:
        figures = ours(api, parts)
        api.end()
        if os.environ.get("API_PEER") != "no":
            peers = theirs(api.pki, [name for name in parts if name != "floors"])
    finally:
        api.stop()
    for name, (value, unit) in figures.items():
        row(name, peers.get(name, (None,))[0], value, unit, WANTED.get(name, ""))
