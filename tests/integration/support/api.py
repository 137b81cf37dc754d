"""nacelle-api in a directory of its own, and kube-apiserver with etcd beside it, each with a client that shows a certificate."""
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BUILD = os.path.join(REPO, os.environ.get("BUILD", "build"))
NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME of OpenSSL
RUN_CONTROLLERS = f"{BUILD}/tests/conformance/run_controllers"
PEERS = os.environ.get("PEERS", os.path.expanduser("~/.cache/nacelle-peers"))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Client:
    """One connection; ask() gives a status and what the body holds."""

    def __init__(self, port, pki, address="127.0.0.1", any_time=False):
        self.port, self.pki, self.address, self.connection = port, pki, address, None
        self.any_time = any_time  # the server's clock may be another than ours

    def open(self):
        context = ssl.create_default_context(cafile=f"{self.pki}/ca.crt")
        context.load_cert_chain(f"{self.pki}/admin.crt", f"{self.pki}/admin.key")
        if self.any_time:
            context.verify_flags |= NO_CHECK_TIME
        return http.client.HTTPSConnection(self.address, self.port, context=context, timeout=30)

    def raw(self, method, path, body=None, **headers):
        self.connection = self.connection or self.open()
        if body is not None and "Content-Type" not in headers:
            headers["Content-Type"] = "application/json"
        data = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
        self.connection.request(method, path, data, {"User-Agent": "tests", **headers})
        answer = self.connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def ask(self, method, path, body=None, **headers):
        status, _, text = self.raw(method, path, body, **headers)
        return status, json.loads(text)

    def watch(self, path):
        """Events as they come, until the server ends it."""
        connection = self.open()
        connection.request("GET", path, headers={"User-Agent": "tests"})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        for line in answer:
            yield json.loads(line)


class Api:
    """The server; start() after kill() goes on with what is on disk. Of the controllers it has those that change nothing but what they are asked for."""

    def __init__(self, *options, controllers="clusterrole-aggregation-controller", scheduler=False, data=None, address="127.0.0.1", inside=()):
        options = [f"--controllers={controllers}", f"--scheduler={str(scheduler).lower()}", *options]
        self.address, self.inside = address, list(inside)  # a command that starts it in a host
        self.directory = tempfile.mkdtemp(prefix="nacelle-api-")
        self.data, self.port, self.options, self.process = data or self.directory + "/data", free_port(), options, None
        self.pki, self.kubeconfig = self.data + "/pki", self.data + "/admin.kubeconfig"
        self.env = {}  # beside this process' own

    def launch(self):
        with open(self.directory + "/log", "ab") as log:
            self.process = subprocess.Popen([*self.inside, f"{BUILD}/nacelle-api", "--data-dir", self.data, "--bind-address", self.address, "--secure-port", str(self.port),
                                             *self.options], stdout=log, stderr=log, stdin=subprocess.DEVNULL, env={**os.environ, **self.env})

    def start(self):
        self.launch()
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(self.log()[-2000:])
            try:
                socket.create_connection((self.address, self.port), timeout=1).close()
                return self
            except OSError:
                time.sleep(0.02)
        raise AssertionError("nacelle-api does not listen: " + self.log()[-2000:])

    def client(self):
        return Client(self.port, self.pki, self.address)

    def kubectl(self, *args, **kwargs):
        env = dict(os.environ, KUBECONFIG=self.kubeconfig, HOME=self.directory)
        return subprocess.run([f"{PEERS}/kubectl", *args], env=env, capture_output=True, text=True, timeout=60, **kwargs)

    def log(self):
        with open(self.directory + "/log") as f:
            return f.read()

    def end(self, number=signal.SIGTERM):
        """Returns its exit code."""
        self.process.send_signal(number)
        return self.process.wait(10)

    def stop(self):
        code = self.end() if self.process.poll() is None else 0
        log = self.log()
        shutil.rmtree(self.directory)
        assert code == 0 and "runtime error" not in log and "AddressSanitizer" not in log, log


class Oracle:
    """kube-apiserver and etcd, which trust the keys of an Api."""

    def __init__(self, pki, plugins="NodeRestriction", ranges="10.96.0.0/16"):
        self.directory = tempfile.mkdtemp(prefix="nacelle-oracle-")
        self.pki, self.ranges, self.port, self.processes, self.plugins = pki, ranges, free_port(), [], plugins

    def run(self, name, *args):
        with open(f"{self.directory}/{name}.log", "wb") as log:
            self.processes.append(subprocess.Popen([f"{PEERS}/{name}", *args], stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.directory))

    def start(self):
        store, peer, pki = free_port(), free_port(), self.pki
        self.run("etcd", "--data-dir", "etcd", "--listen-client-urls", f"http://127.0.0.1:{store}", "--advertise-client-urls", f"http://127.0.0.1:{store}",
                 "--listen-peer-urls", f"http://127.0.0.1:{peer}", "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}",
                 "--initial-cluster", f"default=http://127.0.0.1:{peer}")
        self.run("kube-apiserver", f"--etcd-servers=http://127.0.0.1:{store}", "--bind-address=127.0.0.1", f"--secure-port={self.port}",
                 f"--client-ca-file={pki}/ca.crt", f"--tls-cert-file={pki}/apiserver.crt", f"--tls-private-key-file={pki}/apiserver.key",
                 "--authorization-mode=Node,RBAC", f"--enable-admission-plugins={self.plugins}", "--service-account-issuer=https://kubernetes.default.svc", f"--service-account-key-file={pki}/sa.pub",
                 f"--service-account-signing-key-file={pki}/sa.key", f"--service-cluster-ip-range={self.ranges}", "--endpoint-reconciler-type=none",
                 f"--cert-dir={self.directory}/certs", "--allow-privileged")
        client = Client(self.port, pki)
        for _ in range(600):
            try:
                if client.raw("GET", "/readyz")[0] == 200 and client.raw("GET", "/api/v1/namespaces/default")[0] == 200:
                    return self
            except OSError:
                client.connection = None
            time.sleep(0.1)
        raise AssertionError(f"kube-apiserver is not ready: {open(self.directory + '/kube-apiserver.log').read()[-2000:]}")

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
            process.wait(20)
        shutil.rmtree(self.directory)


class Elsewhere:
    """The controllers in a process of their own, by @api's kubeconfig."""

    def __init__(self, api, which="*"):
        self.log = open(api.directory + "/controllers.log", "w+")
        self.process = subprocess.Popen([RUN_CONTROLLERS, api.kubeconfig, which, api.pki], stdin=subprocess.PIPE, stdout=self.log, stderr=self.log)

    def stop(self):
        self.process.stdin.close()
        code = self.process.wait(10)
        self.log.seek(0)
        said = self.log.read()
        self.log.close()
        assert code == 0 and "Sanitizer" not in said, said


class Stock:
    """kube-controller-manager with the controllers that @which names, by @api's kubeconfig."""

    def __init__(self, api, which):
        self.log = open(api.directory + "/kube-controller-manager.log", "w+")
        self.process = subprocess.Popen([f"{PEERS}/kube-controller-manager", f"--kubeconfig={api.kubeconfig}", f"--controllers={which}", "--leader-elect=false",
                                         "--kube-api-qps=1000", "--kube-api-burst=1000", "--secure-port=0"], stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        self.log.close()


class Beside:
    """Our controllers in a process of their own by kube-apiserver: what stands for an Api then."""

    def __init__(self, api, which="*"):
        self.api, self.oracle = api, Oracle(api.pki, plugins="NodeRestriction,ResourceQuota", ranges="10.96.0.0/16,fd00:96::/112")
        self.oracle.start()
        self.directory, self.pki, self.kubeconfig = self.oracle.directory, api.pki, self.oracle.directory + "/kubeconfig"
        with open(api.kubeconfig) as f, open(self.kubeconfig, "w") as to:
            to.write(f.read().replace(f"127.0.0.1:{api.port}", f"127.0.0.1:{self.oracle.port}"))
        self.controllers = Elsewhere(self, which)

    def client(self):
        return Client(self.oracle.port, self.pki)

    def stop(self):
        self.controllers.stop()
        self.oracle.stop()


def get(client, path):
    status, body = client.ask("GET", path)
    return body if status == 200 else None


def make(client, path, body, expected=201):
    status, answer = client.ask("POST", path, body)
    assert status == expected, answer
    return answer
