"""A kubelet of Kubernetes itself on the CRI socket of an agent with --runtime-only, without an API server."""
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

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../integration"), os.path.join(HERE, "../../contrib/demo")]

from support.node import PEERS, free_port  # noqa: E402

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
makeIPTablesUtilChains: false
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
featureGates: {{PodAndContainerStatsFromCRI: true, ContainerStopSignals: true}}
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
    def __init__(self, node, config="", without=(), flags=(), env=None):
        """@config: further lines; @without: fields of CONFIG that are left out."""
        self.node = node
        make_cgroup(node.cgroup)
        self.dir = tempfile.mkdtemp(prefix="nacelle-kubelet-", dir="/var/tmp")
        self.static = self.dir + "/static"
        os.makedirs(self.static)
        self.port = free_port()
        with open(self.dir + "/config.yaml", "w") as f:
            kept = [line for line in CONFIG.splitlines(True) if line.split(":")[0] not in without]
            f.write("".join(kept).format(dir=self.dir, socket=node.socket, cgroup=node.cgroup, port=self.port) + config)
        self.log = open(self.dir + "/log", "wb")
        self.process = subprocess.Popen([PEERS + "/kubelet", "--config", self.dir + "/config.yaml", "--root-dir", self.dir + "/root",
                                         "--cert-dir", self.dir + "/pki", "--hostname-override", "stock", "--v=2", *flags],
                                        stdout=self.log, stderr=self.log, env={**os.environ, **(env or {})})

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
