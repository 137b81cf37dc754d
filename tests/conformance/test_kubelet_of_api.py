"""A stock kubelet as a node of nacelle-api, on the CRI socket of an agent: what kubectl does with its pods goes through the service's proxies."""
import os
import subprocess
import urllib.request

import pytest

from stock_kubelet import Kubelet

import oci  # noqa: E402
from support.api import Api  # noqa: E402
from support.hosts import kubeconfig  # noqa: E402
from support.leaks import leaked, remove_cgroups  # noqa: E402
from support.node import PEERS, Node, free_port, pod, wait_for  # noqa: E402
from test_streaming import exit_a_shell  # noqa: E402

PODS = "/api/v1/namespaces/default/pods"
REPLACED = ("registerNode", "authentication", "authorization", "staticPodPath", "address")
CONFIG = """address: 0.0.0.0
authentication: {{anonymous: {{enabled: false}}, webhook: {{enabled: true}}, x509: {{clientCAFile: {pki}/ca.crt}}}}
authorization: {{mode: Webhook}}
"""


def get(client, path):
    status, body = client.ask("GET", path)
    return body if status == 200 else None


@pytest.fixture(scope="module")
def node():
    n = Node("--runtime-only").start()
    archive = n.dir + "/busybox.tar"
    oci.Image([oci.busybox_layer()], Cmd=["sh"]).write_docker_archive(archive, "localhost/busybox:test")
    n.nacelle("import", archive)
    yield n
    for p in n.pods():
        n.crictl("rmp", "-f", p["id"], check=False)
    remove_cgroups(n)
    n.stop()


@pytest.fixture(scope="module")
def api(node, tmp_path_factory):
    api = Api("--kubelet-preferred-address-types=InternalIP", controllers="*").start()
    client = api.client()
    kubelet = Kubelet(node, CONFIG.format(pki=api.pki), without=REPLACED,
                      flags=("--kubeconfig", kubeconfig(api, tmp_path_factory.mktemp("kubelet"), "stock")))
    try:
        wait_for("the node", lambda: get(client, "/api/v1/nodes/stock"), timeout=60)
        made = pod("web", "mkdir /w; echo hello > /w/index.html; httpd -p 8080 -h /w; while true; do echo tick; sleep 0.2; done", tolerations=[{"operator": "Exists"}])
        status, answer = client.ask("POST", PODS, {**made, "spec": {**made["spec"], "nodeName": "stock", "automountServiceAccountToken": False}})
        assert status == 201, answer
        wait_for("the pod", lambda: get(client, PODS + "/web")["status"].get("phase") == "Running", timeout=60)
        yield api
        client.ask("DELETE", PODS + "/web?gracePeriodSeconds=1")
        wait_for("end of the pod", lambda: not get(client, PODS + "/web"), timeout=60)
        wait_for("kubelet to remove the pod's cgroup", lambda: "cgroups" not in leaked(node), timeout=60)
    finally:
        print(kubelet.text()[-3000:])
        kubelet.stop()
        api.stop()


@pytest.fixture(params=["kubectl", "kubectl-debian"])
def kubectl(request, api):
    program = f"{PEERS}/{request.param}"
    if not os.path.exists(program):
        pytest.skip(f"{request.param} is not built (tests/peers/build)")
    return program, dict(os.environ, KUBECONFIG=api.kubeconfig, HOME=api.directory)


def run(kubectl, *args, **kwargs):
    program, env = kubectl
    return subprocess.run([program, *args], env=env, capture_output=True, timeout=60, **kwargs)


def test_the_node_is_ready_and_says_what_it_takes(api):
    node = wait_for("ready", lambda: (lambda n: n if any(c["type"] == "Ready" and c["status"] == "True" for c in n["status"]["conditions"]) else None)(
        get(api.client(), "/api/v1/nodes/stock")), timeout=60)
    assert "ExtendWebSocketsToKubelet" in node["status"]["declaredFeatures"]
    assert api.client().raw("GET", "/api/v1/nodes/stock/proxy/healthz")[::2] == (200, b"ok")


def test_logs(kubectl):
    program, env = kubectl
    assert run(kubectl, "logs", "web", "--tail=1").stdout == b"tick\n"
    p = subprocess.Popen([program, "logs", "-f", "web"], env=env, stdout=subprocess.PIPE)
    try:
        assert [p.stdout.readline() for _ in range(3)] == [b"tick\n"] * 3
    finally:
        p.kill()
        p.communicate()
    assert b'container nobody is not valid for pod web' in run(kubectl, "logs", "web", "-c", "nobody").stderr


def test_exec_and_cp(kubectl, tmp_path):
    done = run(kubectl, "exec", "-i", "web", "--", "sh", "-c", "cat; echo err >&2; exit 7", input=b"in and out")
    assert (done.returncode, done.stdout) == (7, b"in and out") and b"err\n" in done.stderr
    data = os.urandom(8 << 20)
    (tmp_path / "data").write_bytes(data)
    assert run(kubectl, "cp", f"{tmp_path}/data", "web:/tmp/data").returncode == 0
    done = run(kubectl, "cp", "web:/tmp/data", f"{tmp_path}/back")
    assert (tmp_path / "back").read_bytes() == data, done.stderr


def test_terminal(kubectl):
    program, env = kubectl
    exit_a_shell(f"KUBECONFIG={env['KUBECONFIG']}", f"HOME={env['HOME']}", program, "exec", "-it", "web", "--", "sh")


def test_attach_and_port_forward(kubectl):
    program, env = kubectl
    local = free_port()
    attached = subprocess.Popen([program, "attach", "web"], env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    forward = subprocess.Popen([program, "port-forward", "web", f"{local}:8080"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert [attached.stdout.readline() for _ in range(2)] == [b"tick\n"] * 2
        assert forward.stdout.readline().startswith(b"Forwarding from")
        for _ in range(5):
            assert urllib.request.urlopen(f"http://127.0.0.1:{local}/", timeout=5).read() == b"hello\n"
    finally:
        for p in (attached, forward):
            p.kill()
            p.communicate()


def test_nobody_else_may_ask_the_kubelet(api):
    """Who may not create nodes/proxy gets nothing of it through the service."""
    done = run((f"{PEERS}/kubectl", dict(os.environ, KUBECONFIG=api.kubeconfig, HOME=api.directory)), "get", "--raw", "/api/v1/nodes/stock/proxy/pods", "--as=nobody")
    assert done.returncode != 0 and b"Forbidden" in done.stderr
