"""A stock kubelet on the CRI socket, without an API server: static pods, probes, logs, exec, stats, restarts."""
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../integration"), os.path.join(HERE, "../../contrib/demo")]

import oci  # noqa: E402
from support.leaks import leaked  # noqa: E402
from support.node import PEERS, Node, free_port, pod, wait_for  # noqa: E402

CONFIG = """
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
staticPodPath: {dir}/static
containerRuntimeEndpoint: unix://{socket}
cgroupDriver: cgroupfs
cgroupRoot: {cgroup}
cgroupsPerQOS: true
enforceNodeAllocatable: []
failCgroupV1: false
failSwapOn: false
podLogsDir: {dir}/pods
address: 127.0.0.1
port: {port}
healthzPort: 0
readOnlyPort: 0
localStorageCapacityIsolation: false
authentication: {{anonymous: {{enabled: true}}, webhook: {{enabled: false}}}}
authorization: {{mode: AlwaysAllow}}
registerNode: false
imageGCHighThresholdPercent: 100
evictionHard: {{memory.available: 1Mi}}
featureGates: {{PodAndContainerStatsFromCRI: true}}
"""


def make_cgroup(path):
    """kubelet wants its root in every hierarchy, also in those that the runtime leaves alone."""
    for hierarchy in os.listdir("/sys/fs/cgroup"):
        top = f"/sys/fs/cgroup/{hierarchy}"
        if not os.path.isdir(top) or os.path.islink(top):
            continue
        os.makedirs(top + path, exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):
            if hierarchy == "cpuset":
                with open(f"{top}/{name}") as source, open(f"{top}{path}/{name}", "w") as target:
                    target.write(source.read())


class Kubelet:
    def __init__(self, node):
        self.node = node
        make_cgroup(node.cgroup)
        self.dir = tempfile.mkdtemp(prefix="nacelle-kubelet-", dir="/var/tmp")
        self.static = self.dir + "/static"
        os.makedirs(self.static)
        self.port = free_port()
        with open(self.dir + "/config.yaml", "w") as f:
            f.write(CONFIG.format(dir=self.dir, socket=node.socket, cgroup=node.cgroup, port=self.port))
        self.log = open(self.dir + "/log", "wb")
        self.process = subprocess.Popen([PEERS + "/kubelet", "--config", self.dir + "/config.yaml", "--root-dir", self.dir + "/root",
                                         "--cert-dir", self.dir + "/pki", "--hostname-override", "stock", "--v=2"], stdout=self.log, stderr=self.log)

    def get(self, path):
        url = f"https://127.0.0.1:{self.port}{path}"
        try:
            return urllib.request.urlopen(url, timeout=10, context=ssl._create_unverified_context()).read().decode()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"GET {path}: {error.code} {error.read().decode()}") from None

    def pods(self):
        try:
            return json.loads(self.get("/pods")).get("items") or []
        except OSError:
            return []

    def status(self, name):
        return next((p.get("status", {}) for p in self.pods() if p["metadata"]["name"] == name + "-stock"), {})

    def write(self, name, manifest):
        with open(f"{self.static}/.{name}", "w") as f:
            json.dump(manifest, f)
        os.rename(f"{self.static}/.{name}", f"{self.static}/{name}")

    def text(self):
        with open(self.dir + "/log", errors="replace") as f:
            return f.read()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=20)
        self.log.close()
        for line in reversed(open("/proc/self/mountinfo").read().splitlines()):
            if self.dir in line.split()[4]:
                subprocess.run(["umount", "-l", line.split()[4]])
        shutil.rmtree(self.dir, ignore_errors=True)


@pytest.fixture(scope="module")
def kubelet():
    node = Node("--runtime-only").start()
    archive = node.dir + "/busybox.tar"
    oci.Image([oci.busybox_layer()], Cmd=["sh"]).write_docker_archive(archive, "localhost/busybox:test")
    node.nacelle("import", archive)
    k = Kubelet(node)
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


def test_static_pod_probes_logs_exec_stats(kubelet):
    kubelet.write("web.json", pod("web", {"command": ["sh", "-c", "mkdir /w; echo hello | tee /w/index.html; exec httpd -f -p 8080 -h /w"],
                                          "readinessProbe": {"httpGet": {"path": "/index.html", "port": 8080}, "periodSeconds": 1},
                                          "livenessProbe": {"exec": {"command": ["cat", "/w/index.html"]}, "periodSeconds": 1}}))
    wait_for("ready", lambda: container(kubelet.status("web")).get("ready"), timeout=60)
    assert kubelet.get("/containerLogs/default/web-stock/main") == "hello\n"
    # /stats/summary needs a root device that cadvisor knows; the same figures come from CRI here.
    metrics = kubelet.get("/metrics/resource")
    assert [line for line in metrics.splitlines() if line.startswith("container_memory_working_set_bytes") and 'pod="web-stock"' in line]
    out = urllib.request.urlopen(urllib.request.Request(f"https://127.0.0.1:{kubelet.port}/run/default/web-stock/main?cmd=hostname", method="POST"),
                                 context=ssl._create_unverified_context(), timeout=10).read().decode()
    assert out == "web-stock\n"


def test_restart_and_termination_message(kubelet):
    kubelet.write("bad.json", pod("bad", "echo -n reason > /dev/termination-log; exit 3"))
    terminated = wait_for("restart", lambda: container(kubelet.status("bad")).get("lastState", {}).get("terminated"), timeout=60)
    assert terminated["exitCode"] == 3 and terminated["message"] == "reason"


def test_removal(kubelet):
    kubelet.write("gone.json", pod("gone", {"name": "gone", "command": ["sleep", "1000"]}))
    wait_for("running", lambda: container(kubelet.status("gone"), "gone").get("state", {}).get("running"), timeout=60)
    os.unlink(kubelet.static + "/gone.json")
    wait_for("removal", lambda: not [c for c in kubelet.node.containers() if c["metadata"]["name"] == "gone" and c["state"] == "CONTAINER_RUNNING"], timeout=60)
