"""kubectl's exec, attach and port-forward, over WebSocket as it prefers and over SPDY as it falls back to."""
import os
import subprocess
import urllib.request

import pytest

from support.apiserver import ApiServer
from support.node import PEERS, Node, free_port, pod
from test_streaming import exit_a_shell

KUBECTL = PEERS + "/kubectl"
pytestmark = pytest.mark.skipif(not os.path.exists(KUBECTL), reason="kubectl is not built (tests/peers/build)")


@pytest.fixture(scope="module")
def api(busybox_archive):
    n = Node().start()
    server = ApiServer(n)
    try:
        n.nacelle("import", busybox_archive)
        n.write("k.yaml", pod("k", "while true; do echo tick; sleep 0.2; done",
                              {"name": "tty", "command": ["sh"], "stdin": True, "tty": True},
                              {"name": "web", "command": ["sh", "-c", "echo hello > /tmp/index.html; exec httpd -f -p 8080 -h /tmp"]}))
        n.running("web")
        server.name = f"k-{n.name}"
        yield server
    finally:
        server.stop()
        n.stop()


@pytest.fixture(params=["websocket", "spdy"])
def kubectl(api, request, tmp_path):
    """Its command line with everything but the verb, and its environment."""
    on = "true" if request.param == "websocket" else "false"
    env = dict(os.environ, KUBECTL_REMOTE_COMMAND_WEBSOCKETS=on, KUBECTL_PORT_FORWARD_WEBSOCKETS=on, HOME=str(tmp_path), KUBECONFIG="/dev/null")
    del api.seen[:]
    yield [KUBECTL, "--server", api.address, "--cache-dir", str(tmp_path)], env
    assert api.seen and all((upgrade.lower() == "websocket") == (request.param == "websocket") for _, upgrade, _ in api.seen), api.seen


def run(kubectl, *args, **kwargs):
    command, env = kubectl
    return subprocess.run([*command, *args], env=env, capture_output=True, timeout=60, **kwargs)


def test_exec(api, kubectl):
    done = run(kubectl, "exec", api.name, "-c", "main", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout) == (7, b"out\n") and done.stderr.startswith(b"err\n"), done.stderr
    done = run(kubectl, "exec", "-i", api.name, "-c", "main", "--", "cat", input=b"to and fro")
    assert (done.returncode, done.stdout) == (0, b"to and fro")
    data = os.urandom(8 << 20)
    assert run(kubectl, "exec", "-i", api.name, "-c", "main", "--", "cat", input=data).stdout == data
    assert run(kubectl, "exec", api.name, "-c", "main", "--", "/no/such").returncode != 0


def test_terminal(api, kubectl):
    command, env = kubectl
    exit_a_shell(*(f"{k}={v}" for k, v in env.items() if k.startswith("KUBE") or k == "HOME"), *command, "exec", "-it", api.name, "-c", "main", "--", "sh")


def test_attach(api, kubectl):
    command, env = kubectl
    p = subprocess.Popen([*command, "attach", api.name, "-c", "main"], env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert p.stdout.readline() == b"tick\n" and p.stdout.readline() == b"tick\n"
    finally:
        p.kill()
        p.wait()


def test_port_forward(api, kubectl):
    command, env = kubectl
    local = free_port()
    p = subprocess.Popen([*command, "port-forward", api.name, f"{local}:8080"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert p.stdout.readline().startswith(b"Forwarding from")
        for _ in range(10):
            assert urllib.request.urlopen(f"http://127.0.0.1:{local}/", timeout=5).read() == b"hello\n"
    finally:
        p.kill()
        p.communicate()
