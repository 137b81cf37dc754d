"""Kubelet's API of an agent that belongs to nacelle-api's cluster: who may, what is answered, streams."""
import collections
import concurrent.futures
import contextlib
import json
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest
from support.api import PEERS, Api
from support.http2 import END_HEADERS, END_STREAM, HEADERS, Raw, frame
from support.kubelet_client import Authority, Kubelet
from support.node import Node, free_port, pod, wait_for
from support.streams import ERR, IN, OUT, STATUS, Connection, Spdy, WebSocket, exit_code
from support.hosts import joined_node, kubeconfig
from test_node_api import get, phase

PODS = "/api/v1/namespaces/default/pods"


@pytest.fixture(scope="module")
def api():
    a = Api("--kubelet-preferred-address-types=InternalIP", controllers="*").start()
    yield a
    a.stop()


@pytest.fixture(scope="module")
def joined(api, busybox_archive, tmp_path_factory):
    with joined_node(api, busybox_archive, tmp_path_factory.mktemp("node")) as n:
        yield n
        for p in get(api.client(), PODS)["items"]:
            api.client().ask("DELETE", f"{PODS}/{p['metadata']['name']}", {"gracePeriodSeconds": 0})
        wait_for("end of the pods", lambda: not n.pods(), timeout=40)


@pytest.fixture(scope="module")
def authority(api, tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"), api.pki)


@pytest.fixture(scope="module")
def admin(joined, authority):
    return Kubelet(joined.port, authority.sign("root", "system:masters"))


def run(client, node, name, *containers, **spec):
    made = pod(name, *containers, nodeName=node.name, automountServiceAccountToken=False, **spec)
    status, body = client.ask("POST", PODS, made)
    assert status == 201, body
    return body


def token_of(client, account):
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    status, body = client.ask("POST", f"/api/v1/namespaces/default/serviceaccounts/{account}/token", request)
    assert status == 201, body
    return body["status"]["token"]


def bind(client, name, role, subject):
    binding = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name},
               "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}, "subjects": [subject]}
    status, body = client.ask("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding)
    assert status == 201, body


@pytest.fixture(scope="module")
def shell(api, joined):
    """A pod with something to do."""
    made = run(api.client(), joined, "shell", "echo begun; echo wrong >&2; exec sleep 100000",
               {"name": "tty", "command": ["sh"], "stdin": True, "tty": True},
               {"name": "cat", "command": ["cat"], "stdin": True},
               {"name": "web", "command": ["sh", "-c", "echo hello > /tmp/index.html; exec httpd -f -p 8080 -h /tmp"]})
    phase(api.client(), "shell", "Running")
    return made


# --- who may ---

ROUTES = [("GET", "/healthz"), ("GET", "/healthz/ping"), ("GET", "/pods"), ("GET", "/runningpods/"), ("GET", "/configz"), ("GET", "/stats/summary"), ("GET", "/metrics"),
          ("GET", "/metrics/cadvisor"), ("GET", "/metrics/resource"), ("GET", "/metrics/probes"), ("GET", "/logs/"), ("GET", "/logs/../../etc/shadow"),
          ("GET", "/containerLogs/default/shell/main"), ("GET", "/exec/default/shell/main?command=id&output=1"),
          ("POST", "/exec/default/shell/main?command=id&output=1"), ("POST", "/exec/default/shell/uid/main?command=id&output=1"),
          ("GET", "/attach/default/shell/main?output=1"), ("POST", "/attach/default/shell/main?output=1"), ("POST", "/portForward/default/shell"),
          ("POST", "/run/default/shell/main?cmd=id"), ("POST", "/checkpoint/default/shell/main"), ("GET", "/events"), ("GET", "/nothing"), ("PUT", "/pods"),
          ("HEAD", "/pods"), ("DELETE", "/exec/default/shell/main"), ("GET", "//pods"), ("GET", "/%70ods"),
          ("CONNECT", "127.0.0.1:1"), ("OPTIONS", "/pods")]


def test_nobody_gets_in_without_a_credential(joined, authority, shell, tmp_path):
    """All routes, with nothing, a foreign certificate, one that has ended or is not yet valid, one for servers, and tokens that are none."""
    foreign = Authority(tmp_path)
    strangers = [Kubelet(joined.port), Kubelet(joined.port, foreign.sign("root", "system:masters")), Kubelet(joined.port, authority.sign("root", "system:masters", since=-3, days=-1)),
                 Kubelet(joined.port, authority.sign("root", "system:masters", since=1, days=3)), Kubelet(joined.port, authority.sign("root", "system:masters", server=True)),
                 Kubelet(joined.port, token="wrong"), Kubelet(joined.port, token="a.b.c"), Kubelet(joined.port, token="x" * 30000)]
    for stranger in strangers:
        for method, path in ROUTES:
            status, text = stranger.ask(path, method)
            assert (status, text) == (401, "" if method == "HEAD" else "Unauthorized"), (stranger.certificate, method, path)
        assert stranger.ask("*", "OPTIONS") == (200, ""), "a ping, which Go's servers answer to anybody"


def test_who_has_no_right_gets_nothing(joined, authority, shell):
    nobody = Kubelet(joined.port, authority.sign("nobody"))
    for method, path in ROUTES:
        status, text = nobody.ask(path, method)
        assert status == 403, (method, path, text)
    assert nobody.ask("/pods")[1] == "Forbidden (user=nobody, verb=get, resource=nodes, subresource(s)=[pods proxy])\n"
    assert nobody.ask("/run/default/shell/main", "POST")[1] == "Forbidden (user=nobody, verb=create, resource=nodes, subresource(s)=[proxy])\n"
    assert nobody.ask("/stats/summary")[1] == "Forbidden (user=nobody, verb=get, resource=nodes, subresource(s)=[stats])\n"
    for headers, method in (([], "GET"), ([], "POST")):
        with Connection(f"https://127.0.0.1:{joined.port}/exec/default/shell/main?command=id&output=1",
                        [("Connection", "Upgrade"), ("Upgrade", "SPDY/3.1"), *headers], method) as c:
            assert c.status == 401


RIGHTS = {"healthz": "/healthz", "pods": "/pods", "configz": "/configz", "stats": "/stats/summary", "metrics": "/metrics/resource", "log": "/logs/"}


def test_rights_are_fine_grained(client, joined, authority):
    """KEP-2862: who has one subresource of nodes gets its paths, and no others; nodes/proxy is enough for some."""
    for right in [*RIGHTS, "proxy"]:
        role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": f"only-{right}"},
                "rules": [{"apiGroups": [""], "resources": [f"nodes/{right}"], "verbs": ["get"]}]}
        assert client.ask("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", role)[0] == 201
        bind(client, f"only-{right}", f"only-{right}", {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": f"only-{right}"})
    for right in [*RIGHTS, "proxy"]:
        k = Kubelet(joined.port, authority.sign(f"only-{right}"))
        got = {r for r, path in RIGHTS.items() if k.ask(path)[0] == 200}
        assert got == ({right} if right != "proxy" else {"healthz", "pods", "configz"}), right
        assert k.ask("/containerLogs/default/none/main")[0] == (404 if right == "proxy" else 403)
        assert k.ask("/run/default/none/main", "POST")[0] == 403


def test_tokens_of_service_accounts(api, client, joined):
    token = token_of(client, "default")
    k = Kubelet(joined.port, token=token)
    status, text = k.ask("/pods")
    assert status == 403 and "user=system:serviceaccount:default:default, verb=get" in text
    assert client.ask("POST", "/api/v1/namespaces/default/serviceaccounts", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "known"}})[0] == 201
    bind(client, "known", "system:kubelet-api-admin", {"kind": "ServiceAccount", "name": "known", "namespace": "default"})
    known = Kubelet(joined.port, token=token_of(client, "known"))
    assert known.json("/pods")["kind"] == "PodList"
    assert Kubelet(joined.port, token=token[:-4] + "AAAA").ask("/pods") == (401, "Unauthorized")


def test_answers_are_remembered(api, joined, authority):
    """While the service is away who was known goes on, and others are told that it is not known whether they may."""
    known = Kubelet(joined.port, authority.sign("root", "system:masters"))
    assert known.ask("/healthz") == (200, "ok")
    api.process.send_signal(19)
    try:
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            assert {s for s, _ in pool.map(lambda _: Kubelet(joined.port, known.certificate).ask("/healthz"), range(20))} == {200}
    finally:
        api.process.send_signal(18)


def test_the_certificate_is_kept(joined):
    first = ssl.get_server_certificate(("127.0.0.1", joined.port))
    shown = subprocess.run(["openssl", "x509", "-noout", "-text"], input=first, capture_output=True, text=True).stdout
    assert f"DNS:{joined.name}" in shown and "IP Address:127.0.0.1" in shown and "TLS Web Server Authentication" in shown
    with open(f"{joined.root}/pki/kubelet.crt") as f:
        assert f.read().strip() == first.strip()
    assert os.stat(f"{joined.root}/pki/kubelet.key").st_mode & 0o777 == 0o600
    joined.restart()
    assert wait_for("port", lambda: _certificate(joined.port)) == first


def _certificate(port):
    try:
        return ssl.get_server_certificate(("127.0.0.1", port))
    except OSError:
        return None


def test_the_node_says_its_port(client, joined):
    assert get(client, f"/api/v1/nodes/{joined.name}")["status"]["daemonEndpoints"] == {"kubeletEndpoint": {"Port": joined.port}}


def test_the_certificate_that_the_cluster_signs(api, client, authority, tmp_path):
    """serverTLSBootstrap: the port goes on with the self-signed one until the request was approved, and then with the cluster's."""
    n = Node(config="apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nserverTLSBootstrap: true\n")
    n.options += ["--kubeconfig", kubeconfig(api, tmp_path, n.name)]
    n.start()
    try:
        assert Kubelet(n.port, authority.sign("root", "system:masters")).ask("/healthz") == (200, "ok")
        csrs = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
        asked = wait_for("request", lambda: [c for c in get(client, csrs)["items"]
                                             if c["spec"]["signerName"] == "kubernetes.io/kubelet-serving" and c["spec"]["username"] == f"system:node:{n.name}"])[0]
        asked["status"]["conditions"] = [{"type": "Approved", "status": "True", "reason": "test", "message": "test"}]
        assert client.ask("PUT", f"{csrs}/{asked['metadata']['name']}/approval", asked)[0] == 200
        trusting = ssl.create_default_context(cafile=f"{api.pki}/ca.crt")

        def trusted():
            try:
                with socket.create_connection(("127.0.0.1", n.port)) as s, trusting.wrap_socket(s, server_hostname="127.0.0.1"):
                    return True
            except ssl.SSLError:
                return False
        wait_for("the cluster's certificate", trusted)
        n.restart()
        wait_for("it again", trusted)
    finally:
        n.stop()


# --- what is answered ---

def test_plain_answers(joined, admin, shell):
    assert admin.ask("/healthz") == (200, "ok") == admin.ask("/healthz/syncloop")
    assert admin.get("/healthz?verbose") == "[+]ping ok\n[+]log ok\n[+]syncloop ok\nhealthz check passed\n"
    listed = admin.json("/pods")
    mine = next(p for p in listed["items"] if p["metadata"]["name"] == "shell")
    assert listed["kind"] == "PodList" and mine["metadata"]["uid"] == shell["metadata"]["uid"] and mine["status"]["phase"] == "Running"
    running = next(p for p in admin.json("/runningpods/")["items"] if p["metadata"]["name"] == "shell")
    assert {c["name"] for c in running["spec"]["containers"]} == {"main", "tty", "cat", "web"}
    config = admin.json("/configz")["kubeletconfig"]
    assert config["port"] == joined.port and config["authentication"]["webhook"] == {"enabled": True, "cacheTTL": "2m0s"}
    assert config["authorization"] == {"mode": "Webhook", "webhook": {"cacheAuthorizedTTL": "5m0s", "cacheUnauthorizedTTL": "30s"}}
    assert admin.ask("/nothing")[0] == 404 and admin.ask("/pods", "POST") == (405, "405: Method Not Allowed")
    assert admin.ask("/events")[0] == 404 and json.loads(joined.get("/events"))["kind"] == "EventList"
    assert json.loads(joined.get("/stats/summary"))["node"]["nodeName"] == joined.name
    assert joined.get("/containerLogs/default/shell/main") == "404: Page Not Found"


def test_summary_and_metrics(joined, admin, shell):
    summary = admin.json("/stats/summary")
    assert summary["node"]["nodeName"] == joined.name and summary["node"]["cpu"]["usageCoreNanoSeconds"] > 0
    assert {"availableBytes", "capacityBytes", "usedBytes", "inodesFree", "inodes", "inodesUsed", "time"} == set(summary["node"]["fs"])
    mine = next(p for p in summary["pods"] if p["podRef"] == {"name": "shell", "namespace": "default", "uid": shell["metadata"]["uid"]})
    assert {c["name"] for c in mine["containers"]} == {"main", "tty", "cat", "web"}
    assert mine["memory"]["workingSetBytes"] > 0 and mine["network"]["name"] == "eth0" and all(c["memory"]["usageBytes"] > 0 for c in mine["containers"])
    only = admin.json("/stats/summary?only_cpu_and_memory=true")["node"]
    assert set(only) - {"systemContainers"} == {"nodeName", "startTime", "cpu", "memory", "swap"}
    resource = admin.get("/metrics/resource")
    assert re.search(r'^pod_memory_working_set_bytes\{namespace="default",pod="shell"\} [\d.e+]+ \d{13}$', resource, re.M), resource
    assert re.search(r'^container_cpu_usage_seconds_total\{container="cat",namespace="default",pod="shell"\} [\d.e-]+ \d{13}$', resource, re.M), resource
    assert re.search(r"^node_cpu_usage_seconds_total [\d.e+]+ \d{13}$", resource, re.M) and "\nresource_scrape_error 0\n" in resource
    cadvisor = admin.get("/metrics/cadvisor")
    assert re.search(r'^container_memory_working_set_bytes\{[^}]*container="web"[^}]*pod="shell"[^}]*\} \d[\d.e+]* \d{13}$', cadvisor, re.M) and "machine_cpu_cores" in cadvisor
    # What a rate is made of: with its fraction, and of devices by the names that dashboards choose by.
    assert re.search(r'^container_cpu_usage_seconds_total\{[^}]*container="web"[^}]*\} \d+\.\d{3,} \d{13}$', cadvisor, re.M), cadvisor
    assert all(os.path.exists(d) or re.match(r"\d+:\d+$", d) for d in re.findall(r'^container_fs_reads_total\{[^}]*device="([^"]+)"', cadvisor, re.M))
    number = lambda family: float(re.search(rf"^{family}\S* (\S+)$", cadvisor, re.M)[1])  # noqa: E731
    assert number("machine_cpu_cores") == os.cpu_count() >= number("machine_cpu_physical_cores") >= number("machine_cpu_sockets") >= 1
    assert number("machine_scrape_error") == number("container_scrape_error") == 0 and f'kernelVersion="{os.uname().release}"' in cadvisor
    assert "kubelet_running_pods" in admin.get("/metrics")


def test_probes_are_counted(client, joined, admin):
    made = run(client, joined, "probed", {"command": ["sh", "-c", "touch /x; exec sleep 1000"], "readinessProbe": {"exec": {"command": ["ls", "/x"]}, "periodSeconds": 1},
                                          "livenessProbe": {"exec": {"command": ["ls", "/y"]}, "periodSeconds": 1, "failureThreshold": 100}})
    uid = made["metadata"]["uid"]
    row = 'prober_probe_total{container="main",namespace="default",pod="probed",pod_uid="%s",probe_type="%s",result="%s"} '
    wait_for("results", lambda: all(row % (uid, *what) in admin.get("/metrics/probes") for what in (("Readiness", "successful"), ("Liveness", "failed"))))
    # Those that failed have no time, as kubelet counts it.
    text, series = admin.get("/metrics/probes"), 'prober_probe_duration_seconds_%s{container="main",namespace="default",pod="probed",probe_type="%s"%s} '
    number = lambda *what: float(re.search(re.escape(series % what) + r"(\S+)", text)[1])  # noqa: E731
    assert number("count", "Readiness", "") == number("bucket", "Readiness", ',le="+Inf"') >= 1 and 0 < number("sum", "Readiness", "") < 30
    assert series % ("count", "Liveness", "") not in text
    metrics = admin.get("/metrics")
    assert int(re.search(r'^rest_client_requests_total\{code="200",host="127\.0\.0\.1:\d+",method="PATCH"\} (\d+)$', metrics, re.M)[1]) >= 1
    assert re.search(r'^kubelet_desired_pods\{static=""\} [1-9]', metrics, re.M) and re.search(r'^kubelet_certificate_manager_client_ttl_seconds (\+Inf|\d+)$', metrics, re.M)


def test_host_logs_are_those_below_var_log(admin, tmp_path):
    name = f"/var/log/nacelle-test-{os.getpid()}"
    os.mkdir(name)
    try:
        with open(f"{name}/large <&>.log", "wb") as f:
            f.write(os.urandom(3 << 20))
        os.symlink("/etc/shadow", f"{name}/absolute")
        os.symlink("../../../etc/shadow", f"{name}/relative")
        os.symlink("large <&>.log", f"{name}/inside")
        os.mkfifo(f"{name}/fifo")
        top = "/logs" + name[len("/var/log"):]
        assert '<a href="large%20%3C%26%3E.log">large &#60;&#38;&#62;.log</a>' in admin.get(top + "/")
        connection = admin.open()
        connection.request("GET", top + "?a=b", headers=admin.headers)
        answer = connection.getresponse()
        assert (answer.status, answer.headers["Location"]) == (301, os.path.basename(name) + "/?a=b")
        answer.read()
        connection.request("GET", "/logs?a=b", headers=admin.headers)
        answer = connection.getresponse()
        assert (answer.status, answer.headers["Location"]) == (307, "/logs/?a=b") and f'<a href="{os.path.basename(name)}/">' in admin.get("/logs/")
        with open(f"{name}/inside", "rb") as f:
            assert admin.raw(top + "/inside") == (200, f.read())
        for path in ("absolute", "relative", "fifo"):
            assert admin.ask(f"{top}/{path}")[0] == 403, path
        for path in ("/logs/../../etc/shadow", "/logs/%2e%2e/%2e%2e/etc/shadow", "/logs//etc/shadow", "/logs/%2fetc%2fshadow"):
            assert admin.ask(path)[0] in (403, 404), path
    finally:
        subprocess.run(["rm", "-r", name], check=True)


# --- logs ---

def test_logs_with_all_options(client, joined, admin):
    run(client, joined, "lines", "for i in 1 2 3 4 5; do echo out$i; echo err$i >&2; sleep 0.05; done; exec sleep 1000")
    phase(client, "lines", "Running")
    path = "/containerLogs/default/lines/main"
    wait_for("all lines", lambda: admin.get(path).count("\n") == 10)
    text = admin.get(path)
    assert sorted(text.split()) == sorted([f"{s}{i}" for s in ("out", "err") for i in range(1, 6)])
    assert admin.get(path + "?tailLines=3").split() == text.split()[-3:] == admin.get(path + "?tail=3").split()
    assert admin.get(path + "?tailLines=0") == "" and admin.get(path + "?tail=all") == text
    assert admin.get(path + "?limitBytes=7") == text[:7]
    assert admin.get(path + "?stream=Stdout").split() == [f"out{i}" for i in range(1, 6)]
    assert admin.get(path + "?stream=Stderr").split() == [f"err{i}" for i in range(1, 6)]
    stamped = admin.get(path + "?timestamps=true").splitlines()
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(Z|[+-]\d\d:\d\d) (out|err)\d", line) for line in stamped)
    since = stamped[6].split()[0]
    assert admin.get(f"{path}?sinceTime={since.replace('+', '%2B')}").split() == text.split()[6:]
    assert admin.get(path + "?sinceSeconds=1000") == text
    for query, status in (("tailLines=x", 400), ("limitBytes=", 400), ("sinceTime=yesterday", 400), ("tailLines=-1", 422), ("limitBytes=0", 422), ("sinceSeconds=0", 422),
                          (f"sinceSeconds=1&sinceTime={since.replace('+', '%2B')}", 422), ("stream=Both", 422), ("stream=Stdout&tailLines=1", 422)):
        words = '{"message": "Unable to decode query."}' if status == 400 else '{"message": "Invalid request."}'
        assert admin.ask(f"{path}?{query}") == (status, words), query


def test_logs_that_are_not_there(client, joined, admin):
    run(client, joined, "absent", {"name": "main", "image": "localhost/none:1", "command": ["true"]})
    wait_for("waiting", lambda: "waiting" in str(get(client, f"{PODS}/absent")["status"].get("containerStatuses")) and
             "ErrImageNeverPull" in str(get(client, f"{PODS}/absent")["status"]))
    assert admin.ask("/containerLogs/default/absent/main") == (400, 'container "main" in pod "absent" is waiting to start: ErrImageNeverPull')
    assert admin.ask("/containerLogs/default/absent/main?previous=true") == (400, 'previous terminated container "main" in pod "absent" not found')
    assert admin.ask("/containerLogs/default/absent/other") == (404, 'container "other" not found in pod "absent"')
    assert admin.ask("/containerLogs/default/none/main") == (404, 'pod "none" does not exist')


def test_logs_of_the_one_before(client, joined, admin):
    script = "[ -e /v/x ] && echo second && exec sleep 1000; touch /v/x; echo first; exit 1"
    run(client, joined, "again", {"name": "main", "command": ["sh", "-c", script], "volumeMounts": [{"name": "v", "mountPath": "/v"}]}, volumes=[{"name": "v", "emptyDir": {}}])
    wait_for("restart", lambda: (lambda s: s and s[0]["restartCount"] == 1 and "running" in s[0]["state"])(get(client, f"{PODS}/again")["status"].get("containerStatuses")), timeout=40)
    wait_for("its line", lambda: admin.get("/containerLogs/default/again/main") == "second\n")
    assert admin.get("/containerLogs/default/again/main?previous=true") == "first\n"


def test_many_follow_logs(joined, authority, shell):
    """The node's inotify instances (fs.inotify.max_user_instances, 128) are not for one's followers; past 256 of them one is told to come again."""
    certificate, open_now = authority.sign("root", "system:masters"), []

    def instances():
        fds = f"/proc/{joined.process.pid}/fd"
        return sum(link(f"{fds}/{fd}").endswith("inotify") for fd in os.listdir(fds))

    def link(path):
        try:
            return os.readlink(path)
        except OSError:
            return ""

    def follow(_):
        connection = Kubelet(joined.port, certificate).open()
        connection.request("GET", "/containerLogs/default/shell/main?follow=true")
        open_now.append(connection)
        return connection.getresponse().status
    before = instances()
    try:
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            assert set(pool.map(follow, range(150))) == {200}
        assert instances() <= before + 1
    finally:
        for connection in open_now:
            connection.close()


def test_followed_logs_end_with_the_container(client, joined, admin):
    run(client, joined, "followed", "i=0; while [ $i -lt 40 ]; do echo line $i; i=$((i+1)); sleep 0.02; done; echo the last", restartPolicy="Never")
    wait_for("a container", lambda: admin.ask("/containerLogs/default/followed/main")[0] == 200)
    answer = admin.stream("/containerLogs/default/followed/main?follow=true")
    assert answer.read().decode().splitlines() == [f"line {i}" for i in range(40)] + ["the last"]


def test_a_client_that_does_not_read_holds_nothing(client, joined, admin):
    """What it does not take stays in the file; others, and the pod, go on. Its leaving is noticed."""
    run(client, joined, "loud", "while :; do cat /proc/kallsyms 2>/dev/null | head -c 200000; sleep 0.01; done")
    phase(client, "loud", "Running")
    lazy = [admin.stream("/containerLogs/default/loud/main?follow=true") for _ in range(8)]
    time.sleep(1)
    with open(f"/proc/{joined.process.pid}/status") as f:
        assert int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)) < 120 << 10
    assert len(admin.get("/containerLogs/default/loud/main?limitBytes=100000")) == 100000
    for answer in lazy:
        answer.close()
    client.ask("DELETE", f"{PODS}/loud", {"gracePeriodSeconds": 0})


def resident(node):
    """In MiB."""
    with open(f"/proc/{node.process.pid}/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)) >> 10


@contextlib.contextmanager
def unread(admin, path, connections, streams=64):
    """HTTP/2 connections that ask for `path`, and have no window for any of it."""
    context = ssl._create_unverified_context()
    context.load_cert_chain(admin.certificate)
    context.set_alpn_protocols(["h2"])
    with contextlib.ExitStack() as stack:
        asked = [stack.enter_context(Raw(("127.0.0.1", admin.port), struct.pack(">HI", 4, 0), context=context)) for _ in range(connections)]
        for c in asked:
            c.send(b"".join(frame(HEADERS, 2 * i + 1, c.encoder.encode([(":method", "GET"), (":scheme", "https"), (":path", path), (":authority", "x")]),
                                  END_HEADERS | END_STREAM) for i in range(streams)))
        statuses = collections.Counter()
        for c in asked:
            answered = 0
            while answered < streams:
                kind, _, _, payload = c.receive()
                if kind == HEADERS:
                    answered += 1
                    statuses[int(dict(c.decoder.decode(payload))[":status"])] += 1
        yield statuses


def test_answers_that_nobody_reads_have_a_maximum(client, joined, admin):
    """Of all pods, and of the host's files: what is past it is told so, who is on the host is not, and all is well once it was given up."""
    for i in range(5):
        made = pod(f"wide-{i}", "sleep 1000", nodeName=joined.name, automountServiceAccountToken=False, terminationGracePeriodSeconds=0)
        made["metadata"]["annotations"] = {"wide": "x" * 200000}
        assert client.ask("POST", PODS, made)[0] == 201
    wait_for("pods", lambda: len(admin.get("/pods")) > 1000000)
    before = resident(joined)
    with unread(admin, "/pods", 5) as statuses:
        assert set(statuses) == {200, 429} and 20 <= statuses[200] <= 70, statuses
        assert resident(joined) - before < 200
        assert admin.ask("/pods") == (429, "Too many requests, please try again later.") and admin.get("/healthz") == "ok"
        assert len(joined.pods()) >= 5
    wait_for("room", lambda: admin.ask("/pods")[0] == 200)
    name = f"/var/log/nacelle-test-{os.getpid()}"
    try:
        with open(name, "w") as f:
            f.truncate(1 << 20)
        with unread(admin, f"/logs/{os.path.basename(name)}", 5) as statuses:
            assert statuses == {200: 256, 429: 64}
            assert resident(joined) - before < 300
        wait_for("room", lambda: admin.ask(f"/logs/{os.path.basename(name)}")[0] == 200)
    finally:
        os.unlink(name)
    for i in range(5):
        client.ask("DELETE", f"{PODS}/wide-{i}", {"gracePeriodSeconds": 0})


# --- streams ---

def upgraded(admin, path, protocol, kind=WebSocket, **how):
    return kind(f"https://127.0.0.1:{admin.port}{path}", protocol, certificate=admin.certificate, **how)


@pytest.mark.parametrize("protocol", ["v5.channel.k8s.io", "v4.channel.k8s.io"])
@pytest.mark.parametrize("uid", [False, True])
def test_exec_by_websocket(admin, shell, protocol, uid):
    path = f"/exec/default/shell/{shell['metadata']['uid'] + '/' if uid else ''}main?command=sh&command=-c&command=echo+out%3Becho+err+>%262%3Bexit+7&output=1&error=1"
    with upgraded(admin, path, protocol) as ws:
        got = ws.rest()
    assert got[OUT] == b"out\n" and got[ERR] == b"err\n" and exit_code(got[STATUS]) == 7


@pytest.mark.parametrize("uid", [False, True])
def test_exec_by_spdy(admin, shell, uid):
    path = f"/exec/default/shell/{shell['metadata']['uid'] + '/' if uid else ''}main?command=cat&input=1&output=1&error=1"
    with upgraded(admin, path, "v4.channel.k8s.io", Spdy) as spdy:
        streams = spdy.command()
        data = os.urandom(1 << 20)
        spdy.write(streams["stdin"], data, fin=True)
        got = spdy.rest(streams["stdout"], streams["error"])
    assert got[streams["stdout"]] == data and exit_code(got[streams["error"]]) == 0


def test_a_terminal(admin, shell):
    with upgraded(admin, "/exec/default/shell/main?command=sh&input=1&output=1&tty=1&error=1", "v5.channel.k8s.io") as ws:
        ws.resize(91, 17)
        ws.send(IN, b"stty size; exit 3\n")
        got = ws.rest()
    assert b"17 91" in got[OUT] and exit_code(got[STATUS]) == 3


def test_attach(admin, shell):
    with upgraded(admin, "/attach/default/shell/cat?input=1&output=1", "v5.channel.k8s.io") as ws:
        ws.send(IN, b"hello\n")
        assert ws.until(b"hello\n") == b"hello\n"
    with upgraded(admin, "/attach/default/shell/tty?input=1&output=1&error=1", "v4.channel.k8s.io") as ws:
        ws.send(IN, b"echo $((6*7))\n")
        assert b"42" in ws.until(b"42")


def test_port_forward(admin, shell):
    with upgraded(admin, "/portForward/default/shell", "portforward.k8s.io", Spdy) as spdy:
        error, data = spdy.forward(8080, 0)
        spdy.write(data, b"GET /index.html HTTP/1.0\r\n\r\n")
        assert spdy.rest(data)[data].endswith(b"\r\n\r\nhello\n")
    with upgraded(admin, f"/portForward/default/shell/{shell['metadata']['uid']}?port=8080", "v4.channel.k8s.io") as ws:
        ws.send(0, b"GET /index.html HTTP/1.0\r\n\r\n")
        seen = b""
        while not seen.endswith(b"hello\n"):
            channel, got = ws.message()
            seen += got if channel == 0 else b""
        assert b"200 OK" in seen
    with upgraded(admin, "/portForward/default/shell", "SPDY/3.1+portforward.k8s.io") as ws:
        spdy = Spdy(None, tunnel=ws)
        error, data = spdy.forward(8080, 0)
        spdy.write(data, b"GET /index.html HTTP/1.0\r\n\r\n")
        assert spdy.rest(data)[data].endswith(b"hello\n")


def test_exec_refused(admin, shell):
    assert admin.ask("/exec/default/shell/main?command=id") == (400, "you must specify at least 1 of stdin, stdout, stderr")
    assert admin.ask("/exec/default/none/main?command=id&output=1") == (404, "pod does not exist")
    assert admin.ask("/exec/default/shell/none?command=id&output=1") == (500, 'container not found ("none")')
    assert admin.ask("/exec/default/shell/main?command=id&output=1") == (500, "Upgrade request required\n")
    assert admin.ask("/exec/default/shell/0-0/main?command=id&output=1") == (500, 'container not found ("main")')
    assert admin.ask("/attach/default/shell/none?output=1") == (500, "container none not found in pod shell_default")
    assert admin.ask("/portForward/default/shell/0-0", "POST") == (404, "pod not found")
    assert admin.ask("/portForward/default/shell?port=0")[0] == 400


def test_run(admin, shell):
    assert admin.ask("/run/default/shell/main?cmd=echo+hello", "POST") == (200, "hello\n")
    assert admin.ask(f"/run/default/shell/{shell['metadata']['uid']}/main?cmd=echo+hello", "POST") == (200, "hello\n")
    assert admin.ask("/run/default/shell/main?cmd=ls+/none", "POST")[0] == 500
    assert "command 'ls /none' exited with 1: " in admin.ask("/run/default/shell/main?cmd=ls+/none", "POST")[1]


# --- kubectl, through nacelle-api ---

@pytest.mark.parametrize("program", ["kubectl", "kubectl-debian"])
def test_kubectl(api, shell, tmp_path, program):
    """logs, exec with a terminal, attach, cp and port-forward, by the WebSockets of today and the SPDY of 1.20."""
    env = dict(os.environ, KUBECONFIG=api.kubeconfig, HOME=str(tmp_path))

    def kubectl(*args, **how):
        return subprocess.run([f"{PEERS}/{program}", *args], env=env, capture_output=True, timeout=60, **how)
    assert sorted(kubectl("logs", "shell", "-c", "main").stdout.split()) == [b"begun", b"wrong"]
    ran = kubectl("exec", "shell", "-c", "main", "--", "sh", "-c", "echo out; echo err >&2; exit 4")
    assert (ran.returncode, ran.stdout, ran.stderr.splitlines()[0]) == (4, b"out\n", b"err")
    assert kubectl("exec", "-i", "shell", "-c", "main", "--", "cat", input=b"there and back").stdout == b"there and back"
    typed = subprocess.run(["script", "-qec", f"{PEERS}/{program} exec -it shell -c main -- sh -c 'test -t 0 && test -t 1 && echo terminal'", "/dev/null"], env=env, capture_output=True, timeout=60)
    assert b"terminal" in typed.stdout, typed
    data = os.urandom(5 << 20)
    (tmp_path / "there").write_bytes(data)
    assert kubectl("cp", f"{tmp_path}/there", "shell:/tmp/there", "-c", "main").returncode == 0
    assert kubectl("cp", "shell:/tmp/there", f"{tmp_path}/back", "-c", "main").returncode == 0
    assert (tmp_path / "back").read_bytes() == data
    with subprocess.Popen([f"{PEERS}/{program}", "port-forward", "pod/shell", ":8080"], env=env, stdout=subprocess.PIPE) as forward:
        port = int(forward.stdout.readline().split(b":")[1].split()[0])
        assert subprocess.run(["curl", "-s", f"http://127.0.0.1:{port}/index.html"], capture_output=True).stdout == b"hello\n"
        forward.terminate()
    with subprocess.Popen([f"{PEERS}/{program}", "logs", "-f", "shell", "-c", "cat"], env=env, stdout=subprocess.PIPE) as follow:
        assert kubectl("attach", "-i", "shell", "-c", "cat", input=f"for {program}\n".encode()).returncode == 0
        assert any(f"for {program}".encode() in follow.stdout.readline() for _ in range(10))
        follow.terminate()


# --- how fast, and for how many ---

def test_many_at_once(admin, shell):
    """Requests of many clients over connections of their own: each gets its answer."""
    path = "/containerLogs/default/shell/main"
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda _: Kubelet(admin.port, admin.certificate).ask(path), range(200)))
    assert {(s, "".join(sorted(t.splitlines()))) for s, t in answers} == {(200, "begunwrong")}


@pytest.mark.parametrize("version,tls,shown", [("--http1.1", "1.2", "1.1"), ("--http1.1", "1.3", "1.1"), ("--http2", "1.2", "2"), ("--http2", "1.3", "2")])
def test_versions_of_http_and_tls(admin, version, tls, shown):
    curl = subprocess.run(["curl", "-sk", version, "--tlsv" + tls, "--tls-max", tls, "--cert", admin.certificate, f"https://127.0.0.1:{admin.port}/healthz", "-w", " %{http_version}"],
                          capture_output=True, text=True)
    assert curl.stdout == f"ok {shown}", curl


def test_old_tls_is_refused(admin):
    assert subprocess.run(["curl", "-sk", "--tlsv1.1", "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0", "--cert", admin.certificate, f"https://127.0.0.1:{admin.port}/healthz"],
                          capture_output=True).returncode != 0


def test_the_agent_leaves_with_clients_there(client, joined, admin, shell):
    """Followed logs, a command, a forwarded port and one that is run: the agent ends at once and well, and goes on after its start."""
    follow = admin.stream("/containerLogs/default/shell/main?follow=true")
    command = upgraded(admin, "/exec/default/shell/main?command=sleep&command=1000&output=1", "v5.channel.k8s.io")
    forward = upgraded(admin, "/portForward/default/shell", "portforward.k8s.io", Spdy)
    runs = threading.Thread(target=lambda: pytest.raises(Exception, Kubelet(admin.port, admin.certificate).ask, "/run/default/shell/main?cmd=sleep+1000", "POST"))
    runs.start()
    wait_for("the command that is run", lambda: "sleep\0" in _commands() and _commands().count("sleep\0" + "1000\0") >= 2)
    began = time.monotonic()
    joined.kill(signal.SIGTERM)
    assert joined.process.returncode == 0 and time.monotonic() - began < 10, joined.log()[-2000:]
    for stream in (follow, command, forward):
        stream.close()
    runs.join(20)
    joined.start()
    admin.connection = None
    wait_for("its answer", lambda: _certificate(joined.port))
    assert admin.ask("/healthz") == (200, "ok")


def _commands():
    text = ""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline") as f:
                text += "\n" + f.read()
        except OSError:
            pass
    return text


def test_configurations_that_do_not_go(tmp_path, busybox_archive):
    """A port that another has, a certificate that is none, an authority that is not there: one sentence, and the agent does not start."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        open_ = ["--authentication-token-webhook=false", "--authorization-mode", "AlwaysAllow", "--address", "127.0.0.1"]
        for options, words in ((["--port", str(port)], f"--port: listen on 127.0.0.1:{port}: Address already in use"),
                               (["--port", "1", "--client-ca-file", "/no/such"], "--client-ca-file: open /no/such: No such file or directory"),
                               (["--port", "1", "--tls-cert-file", "/dev/null", "--tls-private-key-file", "/dev/null"], "/dev/null: certificate")):
            n = Node(*open_, *options)
            n.start(wait=False)
            try:
                assert n.process.wait(20) == 1 and words in n.log(), n.log()
            finally:
                n.stop()


def test_without_a_cluster(tmp_path, busybox_archive):
    """AlwaysAllow and a client authority of one's own: kubelet alone, as its documentation has it."""
    mine, port = Authority(tmp_path), free_port()
    (tmp_path / "ca.crt").write_bytes(mine.pem())
    n = Node(config="apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\naddress: 127.0.0.1\n"
             f"authentication: {{x509: {{clientCAFile: {tmp_path}/ca.crt}}, webhook: {{enabled: false}}, anonymous: {{enabled: false}}}}\n"
             f"authorization: {{mode: AlwaysAllow}}\nport: {port}\n")
    n.start()
    try:
        assert Kubelet(port, mine.sign("anybody")).json("/pods")["kind"] == "PodList"
        assert Kubelet(port).ask("/pods") == (401, "Unauthorized")
    finally:
        n.stop()
