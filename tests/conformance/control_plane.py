"""etcd and kube-apiserver of Kubernetes itself on loopback, as little of them as a kubelet needs to run pods that are not static."""
import json
import os
import shutil
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

import stock_kubelet  # noqa: F401  its path
from support.node import PEERS, free_port, wait_for  # noqa: E402

PROGRAMS = [PEERS + "/etcd", PEERS + "/kube-apiserver"]
TOKEN = "stock"


def available():
    return all(os.path.exists(p) for p in PROGRAMS)


class ControlPlane:
    def __init__(self, authorization="AlwaysAllow", *flags, sa_key=None, sa_pub=None):
        self.dir = tempfile.mkdtemp(prefix="nacelle-api-", dir="/var/tmp")
        self.port, client, peer = free_port(), free_port(), free_port()
        self.url, self.kubeconfig = f"https://127.0.0.1:{self.port}", self.dir + "/kubeconfig"
        if not sa_key:
            sa_key = self.dir + "/sa.key"
            subprocess.run(["openssl", "genrsa", "-out", sa_key, "2048"], check=True, capture_output=True)
        for name, text in (("tokens", f'{TOKEN},stock,1,"system:masters"\n'), ("kubeconfig", json.dumps({
                "apiVersion": "v1", "kind": "Config", "current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": {"server": self.url, "insecure-skip-tls-verify": True}}],
                "users": [{"name": "u", "user": {"token": TOKEN}}]}))):
            with open(f"{self.dir}/{name}", "w") as f:
                f.write(text)
        self.processes = []
        self.run("etcd", "--data-dir", self.dir + "/etcd", "--listen-client-urls", f"http://127.0.0.1:{client}", "--advertise-client-urls",
                 f"http://127.0.0.1:{client}", "--listen-peer-urls", f"http://127.0.0.1:{peer}", "--initial-advertise-peer-urls",
                 f"http://127.0.0.1:{peer}", "--initial-cluster", f"default=http://127.0.0.1:{peer}")
        self.run("kube-apiserver", f"--etcd-servers=http://127.0.0.1:{client}", "--bind-address=127.0.0.1", f"--secure-port={self.port}",
                 f"--cert-dir={self.dir}/certs", f"--token-auth-file={self.dir}/tokens", "--authorization-mode=" + authorization, "--endpoint-reconciler-type=none",
                 "--disable-admission-plugins=ServiceAccount,TaintNodesByCondition", "--service-account-issuer=https://kubernetes.default.svc",
                 "--service-account-key-file=" + (sa_pub or sa_key), "--service-account-signing-key-file=" + sa_key, "--service-cluster-ip-range=10.96.0.0/16", *flags)
        try:
            wait_for("the API server", lambda: self.ask("/readyz") is not None, timeout=90, interval=0.3)
            wait_for("the namespace", lambda: self.ask("/api/v1/namespaces/default"), timeout=60, interval=0.3)
        except BaseException:
            self.stop()
            raise

    def run(self, program, *args):
        with open(f"{self.dir}/{program}.log", "wb") as log:
            self.processes.append(subprocess.Popen([f"{PEERS}/{program}", *args], stdout=log, stderr=log, cwd=self.dir))

    def ask(self, path, body=None):
        """The answer, as JSON where it is any; None when there is none, or a refusal."""
        request = urllib.request.Request(self.url + path, data=json.dumps(body).encode() if body else None,
                                         headers={"Authorization": "Bearer " + TOKEN, "Content-Type": "application/json"})
        try:
            text = urllib.request.urlopen(request, timeout=10, context=ssl._create_unverified_context()).read().decode()
        except (OSError, urllib.error.HTTPError) as error:
            if body and hasattr(error, "read"):
                raise AssertionError(f"POST {path}: {error.read().decode()}") from None
            return None
        return json.loads(text) if text.startswith("{") else text

    def pods(self):
        answer = self.ask("/api/v1/namespaces/default/pods")
        return answer["items"] if isinstance(answer, dict) else []

    def create(self, pod):
        self.ask("/api/v1/namespaces/default/pods", pod)

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        time.sleep(0.1)
        shutil.rmtree(self.dir, ignore_errors=True)
