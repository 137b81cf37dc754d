"""What a cluster of several hosts is made of: nacelle's programs or Kubernetes' own, for the control plane and for the nodes apart.

A control plane has start(), stop(), kubeconfig, authority (the file of its certificate) and node_kubeconfig(); a node has a name, start(control plane), connect(other nodes) and stop().
"""
import os
import shutil
import subprocess

import cluster
import suite_images
from peer import Containerd
from support.hosts import kubeconfig
from support.leaks import cgroups_of_pods
from support.node import wait_for

PODS = "10.244.0.0/16"
MIRROR = 'mirrors:\n  registry.k8s.io: {{endpoint: ["http://{0}"]}}\n'


class OurControlPlane:
    """As `nacelle init` has it: on the first host."""
    proxy_kubeconfig = None  # its nodes may see what kube-proxy wants to

    def __init__(self, hosts, directory, machines, names):
        self.hosts, self.dir = hosts, directory
        # In memory, for the same reason as etcd's --unsafe-no-fsync.
        self.api = hosts.start_api(f"--cluster-cidr={PODS}", scheduler=True, data="/run/nacelle-api", address=machines[0].address, inside=machines[0].inside())
        self.kubeconfig, self.authority = self.api.kubeconfig, self.api.pki + "/ca.crt"

    def start(self):
        pass

    def node_kubeconfig(self, name):
        return kubeconfig(self.api, self.dir, name)

    def stop(self):
        """The process ends with its hosts; what it has said is kept."""
        shutil.copy(self.api.directory + "/log", self.dir + "/api.log")


class StockControlPlane(cluster.ControlPlane):
    def __init__(self, hosts, directory, machines, names):
        super().__init__(directory, machines[0].address, machines[0].inside(), names, PODS)
        self.proxy_kubeconfig = directory + "/proxy.kubeconfig"

    def start(self):
        super().start()
        # Elsewhere the user's to do (docs/CONFORMANCE.md): kube-apiserver lets kube-proxy see who is behind a Service, and no node.
        self.apply([{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "nodes-see-end-points"},
                     "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:node-proxier"},
                     "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:nodes"}]}])


def end(host):
    """Its agent ends in peace, once: what it has left behind fails."""
    node, host.node = host.node, None
    node.stop()


class OurNode:
    """An agent, which has its pods' addresses from the cluster."""

    def __init__(self, host, n, directory, cgroup, registry):
        self.host = host
        with open(directory + "/registries.yaml", "w") as f:
            f.write(MIRROR.format(registry))
        self.node = host.agent("--registries", directory + "/registries.yaml", "--port", "10250", root=f"{directory}/node{n}")
        self.node.cgroup, self.node.log_path = cgroup, f"{directory}/agent{n}.log"
        self.name = self.node.name

    def start(self, plane):
        self.node.options += ["--kubeconfig", plane.node_kubeconfig(self.name)]
        self.node.start()

    def connect(self, others):
        pass  # it finds them

    def stop(self):
        end(self.host)


class StockNode:
    """Kubernetes' kubelet and kube-proxy above a runtime of RUNTIMES; the other hosts' pods are reached by routes that the test makes (connect())."""

    def __init__(self, host, n, directory, cgroup, registry):
        self.host, self.name, self.dir, self.pods = host, f"stock{n}", f"{directory}/node{n}", f"10.244.{n}.0/24"
        os.makedirs(self.dir)
        self.runtime = RUNTIMES[os.environ.get("RUNTIME") or "nacelle"](host, n, self.dir, cgroup, registry, self.pods)
        self.place = cluster.Place(self.name, host.address, self.runtime.socket, cgroup, self.pods, self.dir, host.inside())

    def start(self, plane):
        config = plane.node_kubeconfig(self.name)
        self.place.start_kubelet(config, plane.authority)
        self.place.start_proxy(plane.proxy_kubeconfig or config)

    def connect(self, others):
        for other in others:
            self.host.run("ip", "route", "replace", other.pods, "via", other.host.address)

    def stop(self):
        wait_for("kubelet to remove the pods' cgroups", lambda: not cgroups_of_pods(self.place.cgroup), timeout=60)
        self.place.stop()
        self.runtime.end()


class OurRuntime:
    """An agent with --runtime-only."""

    def __init__(self, host, n, directory, cgroup, registry, pods):
        with open(directory + "/registries.yaml", "w") as f:
            f.write(MIRROR.format(registry))
        self.host = host
        self.node = host.agent("--runtime-only", "--registries", directory + "/registries.yaml", root=directory + "/agent", pod_cidr=pods)
        self.node.cgroup, self.node.log_path = cgroup, directory + "/agent.log"
        self.node.start()
        self.socket = self.node.socket

    def end(self):
        for pod in self.node.pods():  # kubelet keeps those that have ended until it needs the space
            self.node.crictl("rmp", "-f", pod["id"])
        end(self.host)


class StockRuntime(Containerd):
    """Debian's containerd and runc."""

    def __init__(self, host, n, directory, cgroup, registry, pods):
        pause = next(name for name in suite_images.wanted() if name.startswith("pause:"))
        super().__init__(registry, mirror=True, pods=pods, pause="registry.k8s.io/" + pause, inside=host.inside(), number=n)
        self.kept = directory + "/containerd.log"
        for name, value in (("ipv4/ip_forward", 1), ("ipv6/conf/all/forwarding", 1)):
            subprocess.run(host.inside("sh", "-c", f"echo {value} > /proc/sys/net/{name}"), check=True)

    def end(self):
        shutil.copy(self.dir + "/log", self.kept)
        super().stop()


RUNTIMES = {"nacelle": OurRuntime, "containerd": StockRuntime}
PLANES = {"nacelle": OurControlPlane, "stock": StockControlPlane}
NODES = {"nacelle": OurNode, "stock": StockNode}
