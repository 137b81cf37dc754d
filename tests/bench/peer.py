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
  sandbox_image = "localhost/pause:bench"
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


class Containerd:
    def __init__(self, registry=""):
        self.dir = tempfile.mkdtemp(prefix="nacelle-bench-peer-")
        self.run = f"/run/nacelle-bench-peer-{os.getpid()}"
        self.socket = self.run + "/containerd.sock"
        os.makedirs(self.dir + "/cni")
        with open(self.dir + "/config.toml", "w") as f:
            f.write(CONFIG.format(dir=self.dir, run=self.run, registry=registry))
        with open(self.dir + "/cni/10-bridge.conflist", "w") as f:
            json.dump({"cniVersion": "0.4.0", "name": "bench", "plugins": [
                {"type": "bridge", "bridge": "benchbr0", "isGateway": True, "ipMasq": True,
                 "ipam": {"type": "host-local", "dataDir": self.dir + "/ipam", "ranges": [[{"subnet": "10.215.0.0/16"}]],
                          "routes": [{"dst": "0.0.0.0/0"}]}},
                {"type": "portmap", "capabilities": {"portMappings": True}}]}, f)
        self.log = open(self.dir + "/log", "wb")
        self.process = subprocess.Popen(["containerd", "-c", self.dir + "/config.toml"], stdout=self.log, stderr=self.log)
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
        subprocess.run(["ip", "link", "del", "benchbr0"], capture_output=True)
        shutil.rmtree(self.dir, ignore_errors=True)
        shutil.rmtree(self.run, ignore_errors=True)
