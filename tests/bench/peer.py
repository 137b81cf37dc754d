"""containerd + runc + CNI bridge from Debian, started for a measurement with state of its own."""
import json
import os
import shutil
import signal
import subprocess
import tempfile

from support.node import PEERS, wait_for

CONFIG = """
version = 2
root = "{dir}/root"
state = "{run}"
[grpc]
  address = "{run}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{dir}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".registry.configs."{registry}".tls]
    insecure_skip_verify = true
"""
MIRROR = """
  [plugins."io.containerd.grpc.v1.cri".registry.mirrors."registry.k8s.io"]
    endpoint = ["http://{registry}"]
"""


class Containerd:
    """`registry`: one that it reads from without looking at its certificate, or with `mirror` by plain HTTP whatever is registry.k8s.io's. `pods`: their addresses.
    `number` tells those of one process apart; `inside`: a command that starts it on a host."""

    def __init__(self, registry="", mirror=False, pods="10.215.0.0/16", pause="localhost/pause:bench", inside=(), number=0):
        self.inside = list(inside)
        self.dir = tempfile.mkdtemp(prefix="nacelle-bench-peer-")
        self.run = f"/run/nacelle-bench-peer-{os.getpid()}-{number}"
        self.socket = self.run + "/containerd.sock"
        os.makedirs(self.dir + "/cni")
        with open(self.dir + "/config.toml", "w") as f:
            f.write((CONFIG + MIRROR * mirror).format(dir=self.dir, run=self.run, registry=registry, pause=pause))
        with open(self.dir + "/cni/10-bridge.conflist", "w") as f:
            json.dump({"cniVersion": "0.4.0", "name": "bench", "plugins": [
                {"type": "bridge", "bridge": "benchbr0", "isGateway": True, "ipMasq": True, "hairpinMode": True,
                 "ipam": {"type": "host-local", "dataDir": self.dir + "/ipam", "ranges": [[{"subnet": pods}]],
                          "routes": [{"dst": "0.0.0.0/0"}]}},
                {"type": "portmap", "capabilities": {"portMappings": True}}]}, f)
        self.log = open(self.dir + "/log", "wb")
        self.process = subprocess.Popen([*self.inside, "containerd", "-c", self.dir + "/config.toml"], stdout=self.log, stderr=self.log)
        wait_for("containerd", lambda: self.crictl("version").returncode == 0)

    def crictl(self, *args):
        return subprocess.run([PEERS + "/crictl", "-r", "unix://" + self.socket, "-i", "unix://" + self.socket, "-t", "60s", *args],
                              capture_output=True, text=True)

    def load(self, archive):
        subprocess.run(["ctr", "-a", self.socket, "-n", "k8s.io", "images", "import", archive], check=True, capture_output=True)

    def stop(self):
        for pod in json.loads(self.crictl("pods", "-o", "json").stdout or "{}").get("items") or []:
            self.crictl("rmp", "-f", pod["id"])
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        subprocess.run([*self.inside, "ip", "link", "del", "benchbr0"], capture_output=True)
        shutil.rmtree(self.dir, ignore_errors=True)
        shutil.rmtree(self.run, ignore_errors=True)
