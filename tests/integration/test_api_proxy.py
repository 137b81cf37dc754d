"""What nacelle-api has nodes and pods answer: logs, exec, attach, port-forward, proxies. The kubelet is a fake one in front of a real agent's streams."""
import base64
import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import threading
import time
import urllib.request

import pytest
from support.api import Api
from support.hosts import kubeconfig
from support.http2 import DATA, END_HEADERS, END_STREAM, HEADERS, PREFACE, SETTINGS, Raw, frame
from support.kubelet import FEATURE, NODE, Kubelet, make_pod, own_address
from support.node import PEERS, Node, free_port, pod, wait_for
from support.streams import OUT, STATUS, WebSocket, exit_code, masked_frame
from test_streaming import exit_a_shell

PODS = "/api/v1/namespaces/default/pods"
WITHOUT_ACCOUNTS = "--disable-admission-plugins=ServiceAccount"
TO_NODE = f"/api/v1/nodes/{NODE}/proxy"


@pytest.fixture(scope="module")
def agent(busybox_archive):
    n = Node().start()
    n.nacelle("import", busybox_archive)
    n.write("k.yaml", pod("k", "while true; do echo tick; sleep 0.2; done", {"name": "tty", "command": ["sh"], "stdin": True, "tty": True},
                          {"name": "web", "command": ["sh", "-c", "mkdir /w; echo hello > /w/index.html; exec httpd -f -p 8080 -h /w"]}))
    n.running("web")
    yield n
    n.stop()


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    directory = tmp_path_factory.mktemp("audit")
    policy = directory / "policy"
    policy.write_text("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata, resources: [{group: '', resources: [pods/exec, pods/log]}]}, {level: None}]\n")
    a = Api(WITHOUT_ACCOUNTS, "--audit-policy-file", str(policy), "--audit-log-path", str(directory / "log"), "--kubelet-timeout=2s")
    a.audit = directory / "log"
    yield a.start()
    a.stop()


@pytest.fixture(scope="module")
def address(agent):
    with own_address(agent.number) as a:
        yield a


@pytest.fixture(scope="module")
def kubelet(api, agent, address, tmp_path_factory):
    k = Kubelet(str(tmp_path_factory.mktemp("kubelet")), api.pki, agent, address=address)
    client = api.client()
    k.register(client)
    make_pod(client, "p")
    make_pod(client, f"k-{agent.name}", ("main", "tty", "web"), address=agent_address(agent))
    yield k
    k.stop()


def agent_address(agent):
    (found,) = [p for p in agent.pods() if p["metadata"]["name"] == f"k-{agent.name}"]
    return json.loads(agent.crictl("inspectp", found["id"]))["status"]["network"]["ip"]


def message(answer):
    status, _, text = answer
    return status, json.loads(text)["message"]


def begin(api, path, method="GET", body=None, headers=None):
    connection = api.client().open()
    connection.request(method, path, body, headers or {})
    return connection, connection.getresponse()


# --- requests ---


def echo(handler, path, query):
    body = b"".join(handler.body())
    handler.say(200, json.dumps({"method": handler.command, "path": handler.path, "headers": {k.lower(): v for k, v in handler.headers.items()},
                                 "body": body.decode()}), X_Own="yes", Access_Control_Allow_Origin="*", Keep_Alive="x", Date="long ago")


def test_requests_pass_as_they_are(api, kubelet, client):
    kubelet.answers["echo"] = echo
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        status, headers, text = client.raw(method, f"{TO_NODE}/echo/a%20b//c/../d;e/?q=1&q=%2F+x", b"body" if method in ("POST", "PUT", "PATCH") else None,
                                           **{"X-Mine": "a", "X-Forwarded-For": "10.1.2.3", "Accept-Encoding": "br", "Authorization": "Bearer x", "TE": "trailers",
                                              "Connection": "X-Hop", "X-Hop": "1", "Content-Type": "text/x",
                                              "X-Remote-User": "root", "X-Remote-Uid": "0", "X-Remote-Group": "system:masters", "X-Remote-Extra-Scopes": "all"})
        seen = json.loads(text)
        client.connection = None
        assert (status, seen["method"], seen["path"]) == (200, method, "/echo/a%20b/d;e/?q=1&q=%2F+x"), seen
        assert seen["body"] == ("body" if method in ("POST", "PUT", "PATCH") else "")
        h = seen["headers"]
        assert (h["x-mine"], h["x-forwarded-for"], h["accept-encoding"], h["te"]) == ("a", "10.1.2.3, 127.0.0.1", "br", "trailers"), h
        assert h["host"] == f"127.0.0.1:{api.port}" and h["x-forwarded-uri"] == f"{TO_NODE}/echo/a%20b/d;e/"
        assert not {"authorization", "x-hop", "connection"} & set(h) and not [name for name in h if name.startswith("x-remote-")], h
        assert headers["X-Own"] == "yes" and headers["Audit-Id"] and headers.get_all("Cache-Control") == ["no-cache, private"]
        assert not {"access-control-allow-origin", "keep-alive"} & {k.lower() for k in headers} and headers["Date"] != "long ago"
    shown = kubelet.seen[-1][3]
    assert [v for part in shown["subject"] for v in part] == [("organizationName", "system:masters"), ("commonName", "kube-apiserver-kubelet-client")]
    status, headers, text = client.raw("HEAD", f"{TO_NODE}/echo")
    assert (status, text) == (200, b"") and int(headers["Content-Length"]) > 0
    kubelet.answers["teapot"] = lambda handler, path, query: handler.say(418, "short and stout")
    assert client.raw("GET", f"{TO_NODE}/teapot")[::2] == (418, b"short and stout")


def test_heads_with_many_fields(api, kubelet, client, monkeypatch):
    """As many as a head may have pass, and this server's own beside them, which stand first; one more is told."""
    def many(handler, path, query):
        handler.send_response_only(200)
        for name, value in [("Content-Length", "2"), ("Audit-Id", "theirs"), ("Cache-Control", "max-age=3")] + [(f"X-F{i}", "v") for i in range(int(query["n"][0]) - 3)]:
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(b"ok")
    monkeypatch.setattr(http.client, "_MAXHEADERS", 1000)
    kubelet.answers["many"] = many
    status, headers, text = client.raw("GET", f"{TO_NODE}/many?n=256", **{"Audit-Id": "ours"})
    assert (status, text, len([h for h in headers if h.startswith("x-f")])) == (200, b"ok", 253)
    assert headers.get_all("Audit-Id") == ["ours", "theirs"] and headers.get_all("Cache-Control") == ["no-cache, private", "max-age=3"]
    assert message(client.raw("GET", f"{TO_NODE}/many?n=257")) == (503, "error trying to reach service: the answer's head is too large")
    monkeypatch.setattr("http.server._MAXHEADERS", 1000, raising=False)
    kubelet.answers["echo"] = echo
    own = 3  # Host, Accept-Encoding, User-Agent
    status, _, text = client.raw("GET", f"{TO_NODE}/echo", **{f"X-F{i}": "v" for i in range(256 - own)})
    seen = json.loads(text)["headers"]
    assert status == 200 and len([h for h in seen if h.startswith("x-f") and h[3:].isdigit()]) == 253 and seen["x-forwarded-for"] == "127.0.0.1"


def test_a_switch_of_protocols_that_nobody_asked_for(kubelet, client):
    """No client is told of it, as an answer or as a log: it would take all that follows for another protocol's."""
    def switch(handler, path, query):
        handler.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")
        handler.close_connection = True
    kubelet.answers["switch"] = kubelet.answers["containerLogs"] = switch
    for path in (f"{TO_NODE}/switch", f"{PODS}/p/log"):
        assert message(client.raw("GET", path)) == (500, 'backend tried to switch protocol "websocket" when "" was requested'), path
    assert message(client.raw("POST", f"{TO_NODE}/switch", b"body"))[0] == 500


def test_pages_are_found_below_a_slash(kubelet, client):
    status, headers, _ = client.raw("GET", f"{TO_NODE}?a=b")
    assert (status, headers["Location"]) == (301, f"{TO_NODE}/?a=b")
    for there, here in (("/other/", f"{TO_NODE}/other/"), (f"https://{kubelet.address}:{kubelet.port}/x?y", f"{TO_NODE}/x?y"), ("relative", "relative"),
                        ("https://example.test/x", "https://example.test/x")):
        kubelet.answers["away"] = lambda handler, path, query: handler.say(302, "", Location=there)
        status, headers, _ = client.raw("GET", f"{TO_NODE}/away")
        assert (status, headers["Location"]) == (302, here)
    page = b'<html><a href="/there">/there</a><img src="here.png"></html>'
    for kind, rewritten in (("text/html; charset=utf-8", True), ("text/plain", False)):
        kubelet.answers["page"] = lambda handler, path, query: handler.say(200, page, Content_Type=kind)
        text = client.raw("GET", f"{TO_NODE}/page")[2]
        assert text == (page.replace(b'"/there"', f'"{TO_NODE}/there"'.encode()) if rewritten else page)


def test_bodies_of_any_size_both_ways(api, kubelet, tmp_path):
    """Nothing is held but what waits for a reader: 32 MB go through, and back, with a process that stays small."""
    def bounce(handler, path, query):
        handler.begin_chunks()
        for piece in handler.body():
            handler.chunk(piece)
        handler.chunk(b"")
    kubelet.answers["bounce"] = bounce
    data = os.urandom(32 << 20)
    (tmp_path / "data").write_bytes(data)
    for version in ("--http1.1", "--http2"):
        before, most = memory(api), 0
        p = subprocess.Popen(["curl", "-sSf", version, "--cacert", f"{api.pki}/ca.crt", "--cert", f"{api.pki}/admin.crt", "--key", f"{api.pki}/admin.key", "-X", "POST",
                              "-T", f"{tmp_path}/data", "-H", "Transfer-Encoding: chunked", f"https://127.0.0.1:{api.port}{TO_NODE}/bounce", "-o", f"{tmp_path}/back"])
        while p.poll() is None:
            most = max(most, memory(api))
            time.sleep(0.02)
        assert p.returncode == 0 and (tmp_path / "back").read_bytes() == data
        assert most - before < 8 << 20, most - before


def memory(api):
    with open(f"/proc/{api.process.pid}/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)) << 10


def test_a_reader_that_does_not_read_holds_the_writer_back(api, kubelet):
    written = []
    def pour(handler, path, query):
        handler.begin_chunks()
        for _ in range(400):
            handler.chunk(bytes(1 << 18))
            written.append(1)
        handler.chunk(b"")
    kubelet.answers["pour"] = pour
    before = memory(api)
    connection, answer = begin(api, f"{TO_NODE}/pour")
    def stands():
        n = len(written)
        time.sleep(0.3)
        return 0 < n == len(written)
    wait_for("standstill", stands)
    assert len(written) < 200 and memory(api) - before < 8 << 20
    assert len(answer.read()) == 400 << 18
    connection.close()


def test_whoever_goes_takes_the_other_along(api, kubelet, client):
    def cut(handler, path, query):
        handler.begin_chunks()
        handler.chunk(b"half")
        handler.wfile.flush()
        handler.connection.close()
        handler.close_connection = True
    kubelet.answers["cut"] = cut
    connection, answer = begin(api, f"{TO_NODE}/cut")
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        answer.read()
    kubelet.closed.clear()
    def drip(handler, path, query):
        handler.begin_chunks()
        try:
            while True:
                handler.chunk(b"drop")
                time.sleep(0.02)
        except OSError:
            kubelet.closed.set()
    kubelet.answers["drip"] = drip
    connection, answer = begin(api, f"{TO_NODE}/drip")
    assert answer.read(4) == b"drop"
    connection.close()
    assert kubelet.closed.wait(10)


def test_nobody_is_there(api, kubelet, client):
    dead = free_port()
    kubelet.register(client, "dead", port=dead)
    make_pod(client, "lost", node="dead")
    refused = f"dial tcp {kubelet.address}:{dead}: connect: connection refused"
    assert message(client.raw("GET", "/api/v1/nodes/dead/proxy/x")) == (503, f"error trying to reach service: {refused}")
    assert message(client.raw("GET", f"{PODS}/lost/log?tailLines=3&follow=1")) == \
        (500, f'Get "https://{kubelet.address}:{dead}/containerLogs/default/lost/main?follow=true&tailLines=3": {refused}')
    upgrade = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1"}
    assert message(client.raw("POST", f"{PODS}/lost/exec?command=x", **upgrade)) == (500, f"error dialing backend: {refused}")
    assert message(client.raw("GET", "/api/v1/nodes/dead/proxy/x", **upgrade)) == (500, f"error dialing backend: {refused}")
    assert message(client.raw("POST", f"{PODS}/lost/exec?command=x")) == (400, "Upgrade request required")
    kubelet.register(client, "nameless", addresses=(("Hostname", "nobody.invalid"),))
    make_pod(client, "nowhere", node="nameless")
    status, said = message(client.raw("GET", "/api/v1/nodes/nameless/proxy/x"))
    assert status == 400 and said.startswith("lookup nobody.invalid: "), said
    status, said = message(client.raw("POST", f"{PODS}/nowhere/exec?command=x", **upgrade))
    assert status == 500 and said.startswith("error dialing backend: dial tcp: lookup nobody.invalid: "), said
    for port, why in (("99999", "address 99999: invalid port"), ("web", "lookup tcp/web: unknown port")):
        assert message(client.raw("GET", f"/api/v1/nodes/{NODE}:{port}/proxy/x")) == (503, f"error trying to reach service: dial tcp: {why}")
    plain = socket.socket()
    plain.bind((kubelet.address, 0))
    plain.listen()
    kubelet.register(client, "mute", port=plain.getsockname()[1])
    began = time.monotonic()
    assert message(client.raw("GET", "/api/v1/nodes/mute/proxy/x"))[0] == 503 and 1.5 < time.monotonic() - began < 8
    plain.close()


def test_addresses_of_this_host_are_not_gone_to(api, kubelet, client):
    """Pods, and nodes' ports that are not their kubelet's, as kube-apiserver has it."""
    make_pod(client, "self", address="127.0.0.1")
    make_pod(client, "cloud", address="169.254.169.254")
    for path in (f"{PODS}/self:80/proxy/", f"{PODS}/cloud/proxy/"):
        assert message(client.raw("GET", path)) == (400, "address not allowed"), path
    kubelet.register(client, "local", addresses=(("Hostname", "localhost"),))
    for path in ("local", "local:9", f"https:local:{kubelet.port}"):
        assert message(client.raw("GET", f"/api/v1/nodes/{path}/proxy/")) == (400, "address not allowed"), path
    for i, mapped in enumerate(("::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:169.254.169.254")):
        kubelet.register(client, f"mapped-{i}", addresses=(("InternalIP", mapped),))
        assert message(client.raw("GET", f"/api/v1/nodes/mapped-{i}:{api.port}/proxy/")) == (400, "address not allowed"), mapped


def test_pods_and_services(api, agent, kubelet, client):
    name = f"k-{agent.name}"
    assert client.raw("GET", f"{PODS}/{name}:8080/proxy/index.html")[::2] == (200, b"hello\n")
    assert client.raw("GET", f"{PODS}/http:{name}:8080/proxy/")[::2] == (200, b"hello\n")
    assert client.raw("GET", f"{PODS}/{name}:8080/proxy/none")[0] == 404
    status, said = message(client.raw("GET", f"{PODS}/https:{name}:8080/proxy/"))
    assert status == 503 and said == "error trying to reach service: http: server gave HTTP response to HTTPS client", said
    client.ask("POST", "/api/v1/namespaces/default/services", {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
                                                              "spec": {"ports": [{"name": "web", "port": 80, "targetPort": 8080}]}})
    client.ask("POST", "/api/v1/namespaces/default/endpoints", {
        "apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "s"},
        "subsets": [{"ports": [{"name": "web", "port": 8080}],
                     "addresses": [{"ip": agent_address(agent), "targetRef": {"kind": "Pod", "namespace": "default", "name": name}}]}]})
    for form in ("s:web", "http:s:web", "s:80"):
        assert client.raw("GET", f"/api/v1/namespaces/default/services/{form}/proxy/index.html")[::2] == (200, b"hello\n")


# --- logs ---


def test_logs(api, kubelet, client):
    more = threading.Event()
    def log(handler, path, query):
        handler.begin_chunks(Content_Type="text/x-odd")
        handler.chunk(b"one\n")
        more.wait(10)
        handler.chunk(b"two\n")
        handler.chunk(b"")
    kubelet.answers["containerLogs"] = log
    p = subprocess.Popen([f"{PEERS}/kubectl", "logs", "-f", "p", "--tail=5", "--since-time=2026-01-01T01:00:00.5+01:00", "--timestamps"],
                         env=dict(os.environ, KUBECONFIG=api.kubeconfig, HOME=api.directory), stdout=subprocess.PIPE)
    assert p.stdout.readline() == b"one\n"
    more.set()
    assert p.communicate(timeout=20)[0] == b"two\n" and p.returncode == 0
    method, path, headers, _ = kubelet.seen[-1]
    assert (method, path) == ("GET", "/containerLogs/default/p/main?follow=true&sinceTime=2026-01-01T00%3A00%3A00Z&tailLines=5&timestamps=true")
    assert "Authorization" not in headers and headers["Host"] == f"{kubelet.address}:{kubelet.port}"
    status, headers, text = client.raw("GET", f"{PODS}/p/log")
    assert (status, headers["Content-Type"], text) == (200, "text/plain", b"one\ntwo\n")
    wait_for("audit", lambda: any(e["stage"] == "ResponseComplete" and e["objectRef"].get("subresource") == "log" and e["responseStatus"]["code"] == 200
                                  for e in map(json.loads, api.audit.read_text().splitlines())))


@pytest.mark.parametrize("protocols", [(), ("binary.k8s.io",), ("base64.binary.k8s.io",), ("other", "base64.binary.k8s.io")])
def test_logs_by_websocket(api, kubelet, client, tmp_path, protocols):
    """Message by message, and a close when the log is over."""
    def log(handler, path, query):
        handler.begin_chunks()
        handler.chunk(b"one\n")
        handler.chunk(b"x" * 100_000)
        handler.chunk(b"")
    kubelet.answers["containerLogs"] = log
    path = f"https://127.0.0.1:{api.port}{PODS}/p/log?follow=true"
    stream = WebSocket(path, *protocols, certificate=both(api, tmp_path))
    assert stream.status == 101 and stream.protocol == next((p for p in protocols if p != "other"), None)
    text, opcodes = b"", set()
    while (got := stream.receive()) and got[0] != 8:
        opcodes.add(got[0])
        text += base64.b64decode(got[1]) if stream.base64 else got[1]
    assert text == b"one\n" + b"x" * 100_000 and opcodes == ({1} if stream.base64 else {2}) and got == (8, b"\x03\xe8")
    assert "sec-websocket-key" not in {k.lower() for k in kubelet.seen[-1][2]}, "the kubelet is asked for a body"
    kubelet.answers["containerLogs"] = lambda handler, path, query: handler.say(400, "container not ready")
    assert WebSocket(path, *protocols, certificate=both(api, tmp_path)).status == 400


def both(api, directory):
    """The administrator's certificate and key in one file."""
    path = f"{directory}/admin.pem"
    with open(path, "w") as f:
        for name in ("admin.crt", "admin.key"):
            with open(f"{api.pki}/{name}") as part:
                f.write(part.read())
    return path


def test_logs_that_are_not_given(kubelet, client):
    for said, (status, words) in {
            (400, "container not ready"): (400, "container not ready"), (500, "broken"): (500, "Internal error occurred: broken"),
            (404, "no pod"): (404, "the server could not find the requested resource ( pods/log p)"),
            (409, "no"): (409, "the server reported a conflict ( pods/log p)"), (418, "tea"): (418, "the server responded with the status code 418 but did not return more details ( pods/log p)"),
            (502, "odd"): (502, 'an error on the server ("odd") has prevented the request from succeeding ( pods/log p)'), (503, "later"): (503, "the server is currently unable to handle the request ( pods/log p)")}.items():
        kubelet.answers["containerLogs"] = lambda handler, path, query: handler.say(*said)
        assert message(client.raw("GET", f"{PODS}/p/log")) == (status, words)
    kubelet.answers["containerLogs"] = lambda handler, path, query: handler.say(302, "", Location="/elsewhere")
    assert message(client.raw("GET", f"{PODS}/p/log")) == (500, 'Get "/elsewhere": redirects forbidden')


def test_the_kubelet_has_to_be_the_node(tmp_path, api, address):
    """With --kubelet-certificate-authority; but for a log that says it does not matter who answers."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{tmp_path}/ca.key", "-out", f"{tmp_path}/ca.crt",
                    "-days", "2", "-subj", "/CN=kubelets"], check=True, capture_output=True)
    strict = Api(WITHOUT_ACCOUNTS, "--kubelet-certificate-authority", f"{tmp_path}/ca.crt").start()
    good, wrong, foreign = (Kubelet(str(tmp_path), pki, names=names, clients=strict.pki, address=address)
                            for pki, names in ((tmp_path, None), (tmp_path, "DNS:elsewhere"), (api.pki, None)))
    try:
        client = strict.client()
        for k, name in ((good, "good"), (wrong, "wrong"), (foreign, "foreign")):
            k.answers["containerLogs"] = k.answers["x"] = lambda handler, path, query: handler.say(200, "yes")
            k.register(client, name)
            make_pod(client, name, node=name)
        status, _, text = client.raw("GET", "/api/v1/nodes/good/proxy/x")
        assert (status, text) == (200, b"yes"), text
        for name, why in (("wrong", "x509: certificate is not valid for this address"), ("foreign", "x509: certificate signed by unknown authority")):
            assert message(client.raw("GET", f"/api/v1/nodes/{name}/proxy/x")) == (503, f"error trying to reach service: tls: failed to verify certificate: {why}")
            assert message(client.raw("GET", f"{PODS}/{name}/log"))[0] == 500
            assert client.raw("GET", f"{PODS}/{name}/log?insecureSkipTLSVerifyBackend=true")[::2] == (200, b"yes")
    finally:
        strict.stop()
        for k in (good, wrong, foreign):
            k.stop()


# --- exec, attach, port-forward ---


def set_up(kubelet, client, how):
    """A kubelet that takes WebSockets, and says so, or one that knows SPDY alone."""
    kubelet.only_spdy = how == "translated"
    kubelet.register(client, websockets=not kubelet.only_spdy)


@pytest.fixture(params=["passed on", "translated"])
def streams(request, kubelet, client):
    set_up(kubelet, client, request.param)


@pytest.fixture(params=[("kubectl", "passed on"), ("kubectl", "translated"), ("kubectl-spdy", "translated"), ("kubectl-debian", "passed on")], ids=" ".join)
def kubectl(request, api, agent, kubelet, client):
    name, how = request.param
    program = f"{PEERS}/{name.replace('-spdy', '')}"
    if not os.path.exists(program):
        pytest.skip(f"{name} is not built (tests/peers/build)")
    set_up(kubelet, client, how)
    on = "false" if name.endswith("spdy") else "true"
    env = dict(os.environ, KUBECONFIG=api.kubeconfig, HOME=api.directory, KUBECTL_REMOTE_COMMAND_WEBSOCKETS=on, KUBECTL_PORT_FORWARD_WEBSOCKETS=on)
    return program, env, f"k-{agent.name}"


def test_exec(kubectl):
    program, env, name = kubectl
    def run(*args, **kwargs):
        return subprocess.run([program, "exec", *args], env=env, capture_output=True, timeout=60, **kwargs)
    done = run(name, "-c", "main", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout) == (7, b"out\n") and done.stderr.startswith(b"err\n"), done.stderr
    data = os.urandom(8 << 20)
    done = run("-i", name, "-c", "main", "--", "cat", input=data)
    assert done.returncode == 0 and done.stdout == data, done.stderr
    assert run(name, "-c", "main", "--", "/no/such").returncode != 0


def test_terminal_attach_and_forward(kubectl):
    program, env, name = kubectl
    exit_a_shell(*(f"{k}={v}" for k, v in env.items() if k.startswith("KUBE") or k == "HOME"), program, "exec", "-it", name, "-c", "main", "--", "sh")
    p = subprocess.Popen([program, "attach", name, "-c", "main"], env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert p.stdout.readline() == b"tick\n" and p.stdout.readline() == b"tick\n"
    finally:
        p.kill()
        p.communicate()
    local = free_port()
    p = subprocess.Popen([program, "port-forward", name, f"{local}:8080"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert p.stdout.readline().startswith(b"Forwarding from")
        for _ in range(5):
            assert urllib.request.urlopen(f"http://127.0.0.1:{local}/", timeout=5).read() == b"hello\n"
    finally:
        p.kill()
        p.communicate()


def websocket(api, path, *protocols, user=None, certificate=True):
    """@user: who the administrator is then, whose certificate is shown."""
    original = ssl._create_unverified_context
    def context():
        c = original()
        certificate and c.load_cert_chain(f"{api.pki}/admin.crt", f"{api.pki}/admin.key")
        return c
    class Connection(WebSocket):
        def __init__(self):
            headers = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
                       ("Sec-WebSocket-Key", base64.b64encode(os.urandom(16)).decode()), ("Sec-WebSocket-Protocol", ", ".join(protocols))]
            headers += [("Impersonate-User", user)] if user else []
            super(WebSocket, self).__init__(f"https://127.0.0.1:{api.port}{path}", headers)
            self.protocol, self.base64 = self.header("Sec-WebSocket-Protocol"), False
    ssl._create_unverified_context = context
    try:
        return Connection()
    finally:
        ssl._create_unverified_context = original


def test_a_websocket_by_hand(api, agent, kubelet, client, streams):
    path = f"{PODS}/k-{agent.name}/exec?container=main&stdout=true&stdin=true&command=sh&command=-c&command=cat%3B%20exit%205"
    with websocket(api, path, "v5.channel.k8s.io", "v4.channel.k8s.io") as w:
        assert (w.status, w.protocol) == (101, "v5.channel.k8s.io")
        w.send(0, b"a" * 100000)
        w.frame(9, b"ping")
        w.end()
        got = w.rest()
        assert got[OUT] == b"a" * 100000 and exit_code(got[STATUS]) == 5
    with websocket(api, f"{PODS}/lost/exec?stdout=1&command=x", "v5.channel.k8s.io") as w:
        assert w.status in (404, 500)
    wait_for("all tunnels to end", lambda: running(client) == 0)


def test_a_token_among_a_websocket_s_protocols(api, agent, kubelet, client, streams):
    """As browsers bring it: it says who asks, and ends here. What is no token, or all that is offered, is refused."""
    rules = "/apis/rbac.authorization.k8s.io/v1"
    client.ask("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "browser"}})
    client.ask("POST", f"{rules}/clusterrolebindings", {"metadata": {"name": "browsers"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
                                                        "subjects": [{"kind": "ServiceAccount", "namespace": "default", "name": "browser"}]})
    _, issued = client.ask("POST", "/api/v1/namespaces/default/serviceaccounts/browser/token", {"spec": {}})
    bearer = "base64url.bearer.authorization.k8s.io."
    token = bearer + base64.urlsafe_b64encode(issued["status"]["token"].encode()).decode().rstrip("=")
    path = f"{PODS}/k-{agent.name}/exec?container=main&stdout=true&command=id"
    with websocket(api, path, token, "v5.channel.k8s.io", certificate=False) as w:
        assert (w.status, w.protocol) == (101, "v5.channel.k8s.io") and b"uid=0" in w.rest()[OUT]
    for protocols in ((token,), (token, token, "v5.channel.k8s.io"), (token + "=", "v5.channel.k8s.io"), (bearer + "d3Jvbmc", "v5.channel.k8s.io"),
                      ("v5.channel.k8s.io",)):
        with websocket(api, path, *protocols, certificate=False) as w:
            assert w.status == 401, protocols
    kubelet.answers["echo"] = echo
    for certificate in (False, True):
        with websocket(api, f"{TO_NODE}/echo", "a.example", token, "b.example", certificate=certificate) as w:
            assert w.status == 500, "the kubelet switches no protocol"
        assert {k.lower(): v for k, v in kubelet.seen[-1][2].items()}["sec-websocket-protocol"] == "a.example, b.example"


def test_websockets_over_http2(api, agent, kubelet, client, streams):
    """By extended CONNECT (RFC 8441), several on a connection: the same frames, without key and proof."""
    context = ssl.create_default_context(cafile=f"{api.pki}/ca.crt")
    context.load_cert_chain(f"{api.pki}/admin.crt", f"{api.pki}/admin.key")
    context.set_alpn_protocols(["h2"])
    data, ended, statuses = {1: b"", 3: b""}, set(), {}
    with Raw(("127.0.0.1", api.port), preface=False) as r:
        r.socket = context.wrap_socket(r.socket, server_hostname="127.0.0.1")
        r.send(PREFACE + frame(SETTINGS))
        for stream in data:
            path = f"{PODS}/k-{agent.name}/exec?container=main&stdin=1&stdout=1&command=sh&command=-c&command=cat%3B%20exit%20{stream}"
            r.send(frame(HEADERS, stream, r.encoder.encode([
                (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":path", path), (":authority", f"127.0.0.1:{api.port}"),
                ("sec-websocket-version", "13"), ("sec-websocket-protocol", "v5.channel.k8s.io")]), END_HEADERS))
        while len(ended) < 2:
            kind, flags, stream, payload = r.receive()
            if kind == HEADERS:
                statuses[stream] = dict(r.decoder.decode(payload))
                assert statuses[stream][":status"] == "200", statuses
                r.send(frame(DATA, stream, masked_frame(2, b"\0to %d" % stream) + masked_frame(2, bytes([255, 0]))))
            elif kind == DATA:
                data[stream] += payload
                ended |= {stream} if flags & END_STREAM else set()
    for stream in data:
        assert statuses[stream]["sec-websocket-protocol"] == "v5.channel.k8s.io"
        assert b"\x01to %d" % stream in data[stream] and b'"reason":"ExitCode","message":"%d"' % stream in data[stream]


def running(client):
    _, _, text = client.raw("GET", "/metrics")
    return sum(float(line.split()[-1]) for line in text.decode().splitlines()
               if line.startswith("apiserver_longrunning_requests{") and 'verb="CONNECT"' in line)


def test_who_may_only_get_gets_no_tunnel(api, agent, client, kubelet):
    name = f"k-{agent.name}"
    rules = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
    client.ask("POST", f"{rules}/roles", {"metadata": {"name": "looks"}, "rules": [{"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["get"]}]})
    client.ask("POST", f"{rules}/rolebindings", {"metadata": {"name": "looks"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "looks"},
                                                 "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "looker"}]})
    path = f"{PODS}/{name}/exec?container=main&stdout=true&command=id"
    with websocket(api, path, "v5.channel.k8s.io", user="looker") as w:
        assert w.status == 403
    client.ask("PUT", f"{rules}/roles/looks", {"metadata": {"name": "looks"}, "rules": [{"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["get", "create"]}]})
    with websocket(api, path, "v5.channel.k8s.io", user="looker") as w:
        assert w.status == 101 and b"uid=0" in w.rest()[OUT]


def test_a_tunnel_ends_with_either_side(api, agent, kubelet, client, streams):
    kubelet.closed.clear()
    path = f"{PODS}/k-{agent.name}/exec?container=main&stdout=true&stdin=true&command=cat"
    w = websocket(api, path, "v5.channel.k8s.io")
    assert w.status == 101 and running(client) == 1
    w.send(0, b"x")
    w.until(b"x")
    w.close()
    assert kubelet.closed.wait(10)
    wait_for("the tunnel's end", lambda: running(client) == 0)


def test_the_service_leaves_without_waiting_for_tunnels(tmp_path, agent):
    api = Api(WITHOUT_ACCOUNTS).start()
    k = Kubelet(str(tmp_path), api.pki, agent)
    try:
        k.register(api.client(), websockets=True)
        make_pod(api.client(), f"k-{agent.name}", ("main",))
        w = websocket(api, f"{PODS}/k-{agent.name}/exec?container=main&stdout=true&stdin=true&command=cat", "v5.channel.k8s.io")
        assert w.status == 101
    finally:
        api.stop()
        k.stop()


# --- the agent's own kubelet ---


def test_the_agent_answers(busybox_archive, tmp_path):
    """What kubectl does to pods of a node that nacelle's agent is."""
    api = Api(WITHOUT_ACCOUNTS, controllers="*").start()
    node = Node()
    try:
        node.options += ["--kubeconfig", kubeconfig(api, tmp_path, node.name), "--port", str(free_port())]
        node.start()
        node.nacelle("import", busybox_archive)
        client = api.client()
        wait_for("the node", lambda: FEATURE in client.ask("GET", f"/api/v1/nodes/{node.name}")[1].get("status", {}).get("declaredFeatures", []))
        made = pod("a", "while true; do echo tick; sleep 0.2; done", {"name": "web", "command": ["sh", "-c", "mkdir /w; echo hello > /w/index.html; exec httpd -f -p 8080 -h /w"]})
        status, answer = client.ask("POST", PODS, {**made, "spec": {**made["spec"], "nodeName": node.name, "automountServiceAccountToken": False}})
        assert status == 201, answer
        wait_for("the pod", lambda: client.ask("GET", PODS + "/a")[1]["status"].get("phase") == "Running")
        for name in ("kubectl", "kubectl-debian"):
            env = dict(os.environ, KUBECONFIG=api.kubeconfig, HOME=api.directory)
            def run(*args, **kwargs):
                return subprocess.run([f"{PEERS}/{name}", *args], env=env, capture_output=True, timeout=60, **kwargs)
            done = run("logs", "a", "-c", "main", "--tail=1")
            assert done.stdout == b"tick\n", done.stderr
            done = run("exec", "-i", "a", "-c", "main", "--", "sh", "-c", "cat; exit 7", input=b"in and out")
            assert (done.returncode, done.stdout) == (7, b"in and out"), done.stderr
            local = free_port()
            p = subprocess.Popen([f"{PEERS}/{name}", "port-forward", "a", f"{local}:8080"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            try:
                assert p.stdout.readline().startswith(b"Forwarding from")
                assert urllib.request.urlopen(f"http://127.0.0.1:{local}/", timeout=5).read() == b"hello\n"
            finally:
                p.kill()
                p.communicate()
        client.ask("DELETE", PODS + "/a?gracePeriodSeconds=0")
    finally:
        node.stop()
        api.stop()
