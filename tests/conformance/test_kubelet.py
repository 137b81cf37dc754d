"""A stock kubelet on the CRI socket, without an API server: static pods, probes, logs, exec, stats, restarts."""
import json
import os
import ssl
import urllib.request

import pytest

from stock_kubelet import Kubelet

import oci  # noqa: E402
from support.leaks import leaked  # noqa: E402
from support.node import Node, pod, wait_for  # noqa: E402
from support.otlp import SERVER, Collector  # noqa: E402
from support.streams import WebSocket  # noqa: E402


@pytest.fixture(scope="module")
def collector():
    with Collector() as c:
        yield c


@pytest.fixture(scope="module")
def kubelet(collector):
    tracing = f"tracing: {{endpoint: '127.0.0.1:{collector.port}', samplingRatePerMillion: %d}}\n"
    kind = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
    node = Node("--runtime-only", config=kind + tracing % 0).start()
    archive = node.dir + "/busybox.tar"
    oci.Image([oci.busybox_layer()], Cmd=["sh"]).write_docker_archive(archive, "localhost/busybox:test")
    node.nacelle("import", archive)
    k = Kubelet(node, tracing % 1000000)
    yield k
    for name in os.listdir(k.static):
        os.unlink(f"{k.static}/{name}")
    try:
        wait_for("end of the pods", lambda: not [p for p in node.pods() if p["state"] == "SANDBOX_READY"], timeout=60)
        wait_for("kubelet to remove the pods' cgroups", lambda: "cgroups" not in leaked(node), timeout=60)
    finally:
        print(k.text()[-5000:])
        k.stop()
        for p in node.pods():
            node.crictl("rmp", "-f", p["id"], check=False)
        node.stop()


def container(status, name="main"):
    return next((c for c in status.get("containerStatuses", []) if c["name"] == name), {})


def test_spans_are_parts_of_kubelets(kubelet, collector):
    """kubelet's syncPod, its client's span of a call, and ours of the same call: one trace, which kubelet chose."""
    kubelet.write("traced.json", pod("traced", "sleep 1000"))
    ours = wait_for("the span of the sandbox", lambda: collector.spans("RunPodSandbox", k8s_pod_name="traced-stock"), timeout=60)[0]
    started = wait_for("the span of the start", lambda: collector.spans("StartContainer", k8s_pod_name="traced-stock"), timeout=60)[0]
    theirs = wait_for("kubelet's span of the call", lambda: [s for s in collector.spans("RunPodSandbox", service="kubelet") if s.id == ours.parent],
                      timeout=60)[0]
    sync = wait_for("kubelet's sync", lambda: [s for s in collector.spans("syncPod", service="kubelet") if s.trace == ours.trace], timeout=60)[0]
    assert theirs.trace == ours.trace == started.trace and ours.kind == SERVER and ours.name == theirs.name
    assert ours.within(theirs) and theirs.within(sync)
    assert {"sandbox_create", "network_attach"} <= collector.below(ours).keys()


def test_static_pod_probes_logs_exec_stats(kubelet):
    kubelet.write("web.json", pod("web", {"command": ["sh", "-c", "mkdir /w; echo hello | tee /w/index.html; exec httpd -f -p 8080 -h /w"],
                                          "readinessProbe": {"httpGet": {"path": "/index.html", "port": 8080}, "periodSeconds": 1},
                                          "livenessProbe": {"exec": {"command": ["cat", "/w/index.html"]}, "periodSeconds": 1}}))
    wait_for("ready", lambda: container(kubelet.status("web")).get("ready"), timeout=60)
    assert kubelet.get("/containerLogs/default/web-stock/main") == "hello\n"
    # /stats/summary needs a root device that cadvisor knows; the same figures come from CRI here.
    metrics = kubelet.get("/metrics/resource")
    assert [line for line in metrics.splitlines() if line.startswith("container_memory_working_set_bytes") and 'pod="web-stock"' in line]
    # What kubelet calls /metrics/cadvisor is ListPodSandboxMetrics here.
    def cadvisor(name):
        return [line for line in kubelet.get("/metrics/cadvisor").splitlines() if line.startswith(name + "{") and 'pod="web-stock"' in line]
    wait_for("metrics of the container", lambda: cadvisor("container_memory_working_set_bytes"), timeout=30, interval=0.5)
    for name in ("container_cpu_usage_seconds_total", "container_start_time_seconds", "container_last_seen", "container_processes"):
        assert [line for line in cadvisor(name) if 'container="main"' in line and 'namespace="default"' in line], name
    assert [line for line in cadvisor("container_network_receive_bytes_total") if 'interface="eth0"' in line]
    out = urllib.request.urlopen(urllib.request.Request(f"https://127.0.0.1:{kubelet.port}/run/default/web-stock/main?cmd=hostname", method="POST"),
                                 context=ssl._create_unverified_context(), timeout=10).read().decode()
    assert out == "web-stock\n"


@pytest.mark.parametrize("protocols", [[], ["v4.channel.k8s.io"], ["v4.base64.channel.k8s.io"]])
def test_port_forward_over_plain_websocket(kubelet, protocols):
    """As an API server asks a kubelet, which passes it on to the CRI's streaming server."""
    wait_for("ready", lambda: container(kubelet.status("web")).get("ready"), timeout=60)
    with WebSocket(f"https://127.0.0.1:{kubelet.port}/portForward/default/web-stock?port=8080&port=9", *protocols) as w:
        assert w.status == 101
        w.send(0, b"GET /index.html HTTP/1.0\r\n\r\n")
        got = {channel: b"" for channel in range(4)}
        while not (got[0].endswith(b"hello\n") and got[3].endswith(b"efused")):
            channel, data = w.message()
            got[channel] += data
        assert got[0].startswith(b"\x90\x1fHTTP/1.") and got[1] == b"\x90\x1f" and got[2] == b"\x09\0"
        assert got[3].startswith(b"\x09\0error forwarding port 9 to pod")


def test_links_to_logs_are_kubelets(kubelet):
    """What test_logs.py asks of the agent's own links, here of kubelet's."""
    c = wait_for("container", lambda: container(kubelet.status("web")).get("containerID"), timeout=60).split("://")[1]
    target = os.readlink(f"/var/log/containers/web-stock_default_main-{c}.log")
    assert target == json.loads(kubelet.node.crictl("inspect", c))["status"]["logPath"] and target.startswith(kubelet.dir + "/pods/")


def test_restart_and_termination_message(kubelet):
    kubelet.write("bad.json", pod("bad", "echo -n reason > /dev/termination-log; exit 3"))
    terminated = wait_for("restart", lambda: container(kubelet.status("bad")).get("lastState", {}).get("terminated"), timeout=60)
    assert terminated["exitCode"] == 3 and terminated["message"] == "reason"


def test_removal(kubelet):
    kubelet.write("gone.json", pod("gone", {"name": "gone", "command": ["sleep", "1000"]}))
    wait_for("running", lambda: container(kubelet.status("gone"), "gone").get("state", {}).get("running"), timeout=60)
    os.unlink(kubelet.static + "/gone.json")
    wait_for("removal", lambda: not [c for c in kubelet.node.containers() if c["metadata"]["name"] == "gone" and c["state"] == "CONTAINER_RUNNING"], timeout=60)
