"""Kubernetes' own control plane, kubelet and kube-proxy on one node, whose CRI socket is an agent's.

It takes the ports that the programs have by themselves: each cluster lives in a network namespace of its own (see `run`).
"""
import json
import os
import subprocess

import pki
from daemons import Daemons
from stock_kubelet import make_cgroup
from support.node import PEERS, wait_for

ADDRESS = "10.213.0.1"  # the node's
SERVICES, API_SERVICE, DNS_SERVICE = "10.96.0.0/16", "10.96.0.1", "10.96.0.10"
ETCD = "http://127.0.0.1:2379"
NODE = "node"

KUBELET = """
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://{socket}
cgroupDriver: cgroupfs
cgroupRoot: {cgroup}
failCgroupV1: false
failSwapOn: false
oomScoreAdj: 0
makeIPTablesUtilChains: false
authentication: {{anonymous: {{enabled: false}}, webhook: {{enabled: true}}, x509: {{clientCAFile: {dir}/ca.crt}}}}
authorization: {{mode: Webhook}}
clusterDNS: [{dns}]
clusterDomain: cluster.local
resolvConf: ""
podLogsDir: {dir}/pods
volumePluginDir: {dir}/volume-plugins
# The disk is shared with whatever else runs here.
evictionHard: {{memory.available: 1Mi}}
imageGCHighThresholdPercent: 100
"""


class Cluster:
    """`node`: the support.node.Node on which pods run. `directory` gets logs, certificates, kubeconfigs, etcd's data."""

    def __init__(self, node, directory):
        self.node, self.dir = node, directory
        self.kubeconfig = directory + "/admin.kubeconfig"
        self.daemons = Daemons(directory)
        pki.make_certificates(directory, ["127.0.0.1", ADDRESS, API_SERVICE])
        pki.make_clients(directory, f"https://{ADDRESS}:6443", NODE)

    def start(self):
        for start in (self._etcd, self._api_server, self._controller_manager, self._scheduler, self._kubelet, self._proxy):
            start()
        wait_for("ready node", self._node_is_ready, timeout=60, interval=0.2)

    def stop(self):
        self.daemons.stop()

    def kubectl(self, *words, input=None):
        done = subprocess.run([PEERS + "/kubectl", "--kubeconfig", self.kubeconfig, *words], capture_output=True, text=True, input=input)
        if done.returncode:
            raise AssertionError(f"kubectl {' '.join(words)}: {done.stderr}")
        return done.stdout

    def apply(self, objects):
        self.kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def _node_is_ready(self):
        return "True" in self.kubectl("get", "nodes", "-o", "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}")

    def _run(self, program, health, *arguments):
        self.daemons.start(f"{PEERS}/{program}", arguments, health)

    def _etcd(self):
        # Nobody needs the data after a power cut.
        self._run("etcd", ETCD + "/health", "--data-dir", "etcd", "--unsafe-no-fsync", "--quota-backend-bytes", str(4 << 30),
                  "--listen-client-urls", ETCD, "--advertise-client-urls", ETCD)

    def _api_server(self):
        self._run("kube-apiserver", "https://127.0.0.1:6443/readyz", "--etcd-servers", ETCD, "--advertise-address", ADDRESS,
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
        self._run("kube-controller-manager", "https://127.0.0.1:10257/healthz", *self._client_of_three("controller-manager"),
                  "--root-ca-file=ca.crt", "--service-account-private-key-file=server.key", "--use-service-account-credentials",
                  "--cluster-signing-cert-file=ca.crt", "--cluster-signing-key-file=ca.key")

    def _scheduler(self):
        self._run("kube-scheduler", "https://127.0.0.1:10259/healthz", *self._client_of_three("scheduler"))

    def _client_of_three(self, name):
        """The kubeconfig of a controller: to work with, and to ask who its own clients are and what they may."""
        file = name + ".kubeconfig"
        return ["--kubeconfig", file, "--authentication-kubeconfig", file, "--authorization-kubeconfig", file, "--cert-dir", name]

    def _kubelet(self):
        make_cgroup(self.node.cgroup)
        with open(self.dir + "/kubelet.yaml", "w") as f:
            f.write(KUBELET.format(socket=self.node.socket, cgroup=self.node.cgroup, dir=self.dir, dns=DNS_SERVICE))
        os.makedirs(self.dir + "/kubelet")
        self._run("kubelet", "http://127.0.0.1:10248/healthz", "--config", "kubelet.yaml", "--kubeconfig=kubelet.kubeconfig",
                  "--root-dir", self.dir + "/kubelet", "--cert-dir=kubelet-certificates", "--hostname-override", NODE, "--node-ip", ADDRESS)

    def _proxy(self):
        self._run("kube-proxy", "http://127.0.0.1:10256/healthz", "--kubeconfig=proxy.kubeconfig", "--proxy-mode=nftables",
                  "--cluster-cidr", self.node.pod_cidr, "--hostname-override", NODE, "--conntrack-max-per-core=0",
                  "--conntrack-tcp-timeout-established=0", "--conntrack-tcp-timeout-close-wait=0")
