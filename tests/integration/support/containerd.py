"""Debian's containerd with state of its own, its runc-shim told to run another program in runc's place."""
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
  sandbox_image = "localhost/pause:test"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{dir}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "other"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.other]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.other.options]
        BinaryName = "{program}"
        Root = "{run}/oci"
"""


class Containerd:
    def __init__(self, program):
        self.program = program
        self.dir = tempfile.mkdtemp(prefix="nacelle-containerd-")
        self.run = tempfile.mkdtemp(prefix="nacelle-containerd-", dir="/run")
        self.socket = self.run + "/containerd.sock"
        os.makedirs(self.dir + "/cni")
        with open(self.dir + "/config.toml", "w") as f:
            f.write(CONFIG.format(dir=self.dir, run=self.run, program=program))
        with open(self.dir + "/cni/10-ptp.conflist", "w") as f:
            json.dump({"cniVersion": "0.4.0", "name": "test", "plugins": [
                {"type": "ptp", "ipam": {"type": "host-local", "dataDir": self.dir + "/ipam", "ranges": [[{"subnet": "10.216.7.0/24"}]]}}]}, f)
        with open(self.dir + "/log", "wb") as log:
            self.process = subprocess.Popen(["containerd", "-c", self.dir + "/config.toml"], stdout=log, stderr=log)
        wait_for("containerd", lambda: self.crictl("version", check=False).returncode == 0)

    def log(self):
        with open(self.dir + "/log") as f:
            return f.read()

    def ctr(self, *args, check=True, timeout=60, namespace="test", **kwargs):
        done = subprocess.run(["ctr", "-a", self.socket, "-n", namespace, *args], capture_output=True, text=True, timeout=timeout, **kwargs)
        assert done.returncode == 0 or not check, f"ctr {args}: {done.stdout}{done.stderr}"
        return done

    def run_options(self):
        return ["--runtime", "io.containerd.runc.v2", "--runc-binary", self.program, "--runc-root", self.run + "/oci"]

    def crictl(self, *args, check=True, timeout=60):
        done = subprocess.run([PEERS + "/crictl", "-r", "unix://" + self.socket, "-i", "unix://" + self.socket, "-t", "60s", *args],
                              capture_output=True, text=True, timeout=timeout)
        assert done.returncode == 0 or not check, f"crictl {args}: {done.stdout}{done.stderr}"
        return done

    def load(self, archive):
        for namespace in ("test", "k8s.io"):
            self.ctr("images", "import", archive, namespace=namespace)

    def tasks(self):
        lines = self.ctr("tasks", "ls").stdout.splitlines()[1:]
        return {line.split()[0]: line.split()[-1] for line in lines}

    def stop(self):
        for pod in json.loads(self.crictl("pods", "-o", "json").stdout or "{}").get("items") or []:
            self.crictl("rmp", "-f", pod["id"])
        for task in self.tasks():
            self.ctr("tasks", "kill", "-s", "KILL", task, check=False)
            wait_for("end of " + task, lambda: self.tasks().get(task) == "STOPPED")
            self.ctr("tasks", "delete", task, check=False)
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        shutil.rmtree(self.dir)
        shutil.rmtree(self.run)
