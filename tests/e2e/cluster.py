"""Kubernetes' own programs as a cluster: the control plane on a host, and kubelet and kube-proxy on each node, above a CRI socket.

They take the ports that they have by themselves: each host is a network namespace of its own (see `run`).
"""
import json
import os
import subprocess

import pki
from daemons import Daemons
from stock_kubelet import make_cgroup
from support.node import PEERS, wait_for

ADDRESS = "10.213.0.1"  # of the one node of Cluster
SERVICES, API_SERVICE, DNS_SERVICE = "10.96.0.0/16", "10.96.0.1", "10.96.0.10"
NODE = "node"

KUBELET = """
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://{place.socket}
cgroupDriver: cgroupfs
cgroupRoot: {place.cgroup}
failCgroupV1: false
failSwapOn: false
oomScoreAdj: 0
makeIPTablesUtilChains: false
healthzBindAddress: 0.0.0.0
authentication: {{anonymous: {{enabled: false}}, webhook: {{enabled: true}}, x509: {{clientCAFile: {authority}}}}}
authorization: {{mode: Webhook}}
clusterDNS: [{dns}]
clusterDomain: cluster.local
resolvConf: ""
podLogsDir: {place.dir}/pods
volumePluginDir: {place.dir}/volume-plugins
# The disk is shared with whatever else runs here.
evictionHard: {{memory.available: 1Mi}}
imageGCHighThresholdPercent: 100
"""


class ControlPlane:
    """etcd, kube-apiserver, kube-controller-manager, kube-scheduler on the host with `address`. `inside`: a command that starts programs there.
    `nodes`: their names; `pods`: the range of their pods' addresses, where the cluster hands those out. `directory` gets logs, certificates, kubeconfigs, etcd's data."""
    etcd_flags = ["--unsafe-no-fsync"]  # nobody needs the data after a power cut
    leader_flags = ["--leader-elect=false"]  # on a machine that stands still for ten seconds they would give up their leases, and end

    def __init__(self, directory, address=ADDRESS, inside=(), nodes=(NODE,), pods=None):
        self.dir, self.address, self.pods = directory, address, pods
        self.kubeconfig, self.authority = directory + "/admin.kubeconfig", directory + "/ca.crt"
        self.daemons = Daemons(directory, inside)
        pki.make_certificates(directory, ["127.0.0.1", address, API_SERVICE])
        pki.make_clients(directory, f"https://{address}:6443", nodes)

    def start(self):
        for start in (self._etcd, self._api_server, self._controller_manager, self._scheduler):
            start()

    def stop(self):
        self.daemons.stop()

    def kubectl(self, *words, input=None):
        done = subprocess.run([PEERS + "/kubectl", "--kubeconfig", self.kubeconfig, *words], capture_output=True, text=True, input=input)
        if done.returncode:
            raise AssertionError(f"kubectl {' '.join(words)}: {done.stderr}")
        return done.stdout

    def apply(self, objects):
        self.kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def node_kubeconfig(self, name):
        return f"{self.dir}/{pki.node(name)}.kubeconfig"

    def _run(self, program, health, *arguments):
        self.daemons.start(f"{PEERS}/{program}", arguments, health.format(self.address))

    def _etcd(self):
        own = f"http://{self.address}:2379"
        self._run("etcd", own + "/health", "--data-dir", "etcd", "--quota-backend-bytes", str(4 << 30), "--listen-client-urls", own, "--advertise-client-urls", own,
                  *self.etcd_flags)

    def _api_server(self):
        self._run("kube-apiserver", "https://{}:6443/readyz", "--etcd-servers", f"http://{self.address}:2379", "--advertise-address", self.address,
                  "--client-ca-file=ca.crt", "--token-auth-file=tokens.csv", "--tls-cert-file=server.crt", "--tls-private-key-file=server.key",
                  "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged",
                  "--service-cluster-ip-range", SERVICES, "--service-account-issuer=https://kubernetes.default.svc",
                  "--service-account-key-file=server.key", "--service-account-signing-key-file=server.key",
                  "--kubelet-client-certificate=server.crt", "--kubelet-client-key=server.key", "--kubelet-preferred-address-types=InternalIP",
                  "--requestheader-client-ca-file=ca.crt", "--requestheader-allowed-names", pki.COMMON_NAME,
                  "--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
                  "--requestheader-extra-headers-prefix=X-Remote-Extra-",
                  "--proxy-client-cert-file=server.crt", "--proxy-client-key-file=server.key", "--cert-dir=api-server")

    def _controller_manager(self):
        addresses = ["--allocate-node-cidrs", "--cluster-cidr", self.pods, "--service-cluster-ip-range", SERVICES] if self.pods else []
        self._run("kube-controller-manager", "https://{}:10257/healthz", *self._client_of_three("controller-manager"), *addresses,
                  "--root-ca-file=ca.crt", "--service-account-private-key-file=server.key", "--use-service-account-credentials",
                  "--cluster-signing-cert-file=ca.crt", "--cluster-signing-key-file=ca.key")

    def _scheduler(self):
        self._run("kube-scheduler", "https://{}:10259/healthz", *self._client_of_three("scheduler"))

    def _client_of_three(self, name):
        """The kubeconfig of a controller: to work with, and to ask who its own clients are and what they may."""
        file = name + ".kubeconfig"
        return [*self.leader_flags, "--kubeconfig", file, "--authentication-kubeconfig", file, "--authorization-kubeconfig", file, "--cert-dir", name]


class Place:
    """Where a node's programs run: the `name` and `address` of the node, the runtime's `socket`, its pods' `cgroup` and addresses (`pods`), and what is its own on the disk."""

    def __init__(self, name, address, socket, cgroup, pods, directory, inside=()):
        self.name, self.address, self.socket, self.cgroup, self.pods, self.dir, self.inside = name, address, socket, cgroup, pods, directory, inside
        os.makedirs(directory, exist_ok=True)
        self.daemons = Daemons(directory, inside)

    def start_kubelet(self, kubeconfig, authority):
        make_cgroup(self.cgroup)
        with open(self.dir + "/kubelet.yaml", "w") as f:
            f.write(KUBELET.format(place=self, authority=authority, dns=DNS_SERVICE))
        os.makedirs(self.dir + "/kubelet")
        self.daemons.start(PEERS + "/kubelet", ["--config", "kubelet.yaml", "--kubeconfig", kubeconfig, "--root-dir", self.dir + "/kubelet",
                                                "--cert-dir=kubelet-certificates", "--hostname-override", self.name, "--node-ip", self.address],
                           f"http://{self.address}:10248/healthz")

    def start_proxy(self, kubeconfig):
        self.daemons.start(PEERS + "/kube-proxy", ["--kubeconfig", kubeconfig, "--proxy-mode=nftables", "--cluster-cidr", self.pods,
                                                   "--hostname-override", self.name, "--conntrack-max-per-core=0",
                                                   "--conntrack-tcp-timeout-established=0", "--conntrack-tcp-timeout-close-wait=0"],
                           f"http://{self.address}:10256/healthz")

    def stop(self):
        self.daemons.stop()


class Cluster(ControlPlane):
    """With one node, on the same host. `node`: the support.node.Node, or what has its socket, cgroup and pod_cidr, on which pods run."""

    def __init__(self, node, directory):
        super().__init__(directory)
        self.place = Place(NODE, ADDRESS, node.socket, node.cgroup, node.pod_cidr, directory)

    def start(self):
        super().start()
        self._kubelet()
        self.place.start_proxy(self.dir + "/proxy.kubeconfig")
        wait_for("ready node", self._node_is_ready, timeout=60, interval=0.2)

    def stop(self):
        self.place.stop()
        super().stop()

    def _kubelet(self):
        self.place.start_kubelet(self.node_kubeconfig(NODE), self.authority)

    def _node_is_ready(self):
        return "True" in self.kubectl("get", "nodes", "-o", "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}")
