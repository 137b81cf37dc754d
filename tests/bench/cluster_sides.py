"""The two clusters of one node that cluster.py measures: nacelle's, and Kubernetes' own on containerd. Each lives in namespaces of its own."""
import os
import re
import subprocess
import sys
import time
from types import SimpleNamespace

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../e2e"), os.path.join(HERE, "../integration"), os.path.join(HERE, "../conformance"), os.path.join(HERE, "../../contrib/demo"), HERE]

import oci  # noqa: E402
from support.api import PEERS, Api, Client  # noqa: E402
from support.hosts import kubeconfig  # noqa: E402
from support.node import Node, parent, processes, wait_for  # noqa: E402

IMAGE = "localhost/busybox:test"
IDLE_S = 20  # after which a connection is not trusted
STOCK_PODS = "10.215.0.0/16"  # the range of peer.Containerd's bridge


def archives(directory):
    busybox, pause = directory + "/busybox.tar", directory + "/pause.tar"
    oci.Image([oci.busybox_layer()], Cmd=["sh"]).write_docker_archive(busybox, IMAGE)
    oci.Image([oci.busybox_layer()], Entrypoint=["/bin/sleep", "1000000"]).write_docker_archive(pause, "localhost/pause:bench")
    return busybox, pause


class Patient(Client):
    """Asks by a new connection where the server may have closed the last one meanwhile."""
    asked, endless = 0, False

    def open(self):
        connection = super().open()
        connection.timeout = None if self.endless else connection.timeout
        return connection

    def raw(self, *args, **kwargs):
        if time.monotonic() - self.asked > IDLE_S:
            self.connection = None
        self.asked = time.monotonic()
        return super().raw(*args, **kwargs)


class Side:
    """What measurements ask of a cluster: `cgroup` is where its pods are, `node_name` its (first) node."""

    def kubectl(self, *words, **kwargs):
        return subprocess.Popen([PEERS + "/kubectl", "--kubeconfig", self.kubeconfig, *words], **kwargs)

    def wait_ready(self, nodes=1):
        client = self.client()

        def ready():
            items = client.ask("GET", "/api/v1/nodes")[1].get("items") or []
            taints = [t for n in items for t in n["spec"].get("taints") or []]
            return len(items) == nodes and not taints and all(
                c["status"] == "True" for n in items for c in n["status"].get("conditions", []) if c["type"] == "Ready")
        wait_for("ready nodes", ready, timeout=120, interval=0.1)
        wait_for("account", lambda: client.ask("GET", "/api/v1/namespaces/default/serviceaccounts/default")[0] == 200, timeout=60)


class Ours(Side):
    def __init__(self, directory, cgroups, images):
        self.dir, self.cgroups, self.images, self.nodes = directory, cgroups, images, []
        self.cgroup, self.grace = cgroups[0], 5
        self.api = Api(controllers="*", scheduler=True).start()
        self.kubeconfig, self.pki, self.port = self.api.kubeconfig, self.api.pki, self.api.port
        self.add()
        self.node_name = self.nodes[0].name

    def add(self):
        n = len(self.nodes)
        node = Node(root=f"{self.dir}/node{n}")
        node.cgroup = self.cgroups[n]
        node.options += ["--kubeconfig", kubeconfig(self.api, node.dir, node.name)]
        node.start()
        node.nacelle("import", self.images[0])
        self.nodes.append(node)
        self.wait_ready(len(self.nodes))

    def client(self):
        return Patient(self.port, self.pki)

    def control_plane(self):
        return [self.api.process.pid]

    def daemons(self):
        return [n.process.pid for n in self.nodes]

    def shims(self):
        return [p for p in processes(r"nacelle-shim") if parent(p) in self.daemons()]

    def stop(self):
        for node in self.nodes:
            node.stop()
        self.api.stop()

    def logs(self):
        return [self.api.directory + "/log", *[n.log_path for n in self.nodes]]


class Stock(Side):
    def __init__(self, directory, cgroups, images):
        import cluster as e2e
        from peer import Containerd

        class Cluster(e2e.Cluster):
            etcd_flags = []  # what is acknowledged is on the disk, as with ours
            leader_flags = []  # what they do at rest is measured

            def start(self):
                e2e.ControlPlane.start(self)
                self._kubelet()

        subprocess.run(["ip", "address", "add", f"{e2e.ADDRESS}/32", "dev", "lo"], check=True)
        subprocess.run(["hostname", e2e.NODE], check=True)
        self.node_name, self.cgroup, self.port, self.pki = e2e.NODE, cgroups[0], 6443, directory
        self.containerd = Containerd()
        for image in images:
            self.containerd.load(image)
        node = SimpleNamespace(socket=self.containerd.socket, cgroup=self.cgroup, pod_cidr=STOCK_PODS)
        self.cluster = Cluster(node, directory)
        self.kubeconfig = self.cluster.kubeconfig
        for name in ("crt", "key"):  # the server's is an administrator's too
            os.symlink(f"{directory}/server.{name}", f"{directory}/admin.{name}")
        self.cluster.start()
        self.wait_ready()

    def client(self):
        return Patient(self.port, self.pki)

    def pid(self, name):
        return next(process.pid for program, process in self.cluster.daemons.running + self.cluster.place.daemons.running if program == name)

    def control_plane(self):
        return [self.pid(name) for name in ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")]

    def daemons(self):
        return [self.pid("kubelet"), self.containerd.process.pid]

    def shims(self):
        return list(processes(r"containerd-shim-runc-v2 .*" + re.escape(self.containerd.socket)))

    def stop(self):
        self.cluster.stop()
        self.containerd.stop()

    def logs(self):
        return []
