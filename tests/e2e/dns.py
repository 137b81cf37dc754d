"""The cluster's resolver as other clusters have it: CoreDNS as a Deployment behind the service kube-dns."""
from cluster import DNS_SERVICE

IMAGE = "registry.k8s.io/coredns/coredns:test"
COREFILE = """.:53 {
    errors
    health
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        ttl 5
    }
    reload
}
"""
LABELS = {"k8s-app": "kube-dns"}


def named(api, kind, name, **rest):
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": "kube-system"}, **rest}


def ports(field):
    return [{"name": "dns", "protocol": "UDP", field: 53}, {"name": "dns-tcp", "protocol": "TCP", field: 53}]


def pod_template():
    container = {"name": "coredns", "image": IMAGE, "args": ["-conf", "/etc/coredns/Corefile"], "ports": ports("containerPort"),
                 "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns"}],
                 "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1}}
    return {"metadata": {"labels": LABELS},
            "spec": {"serviceAccountName": "coredns", "dnsPolicy": "Default", "containers": [container],
                     "volumes": [{"name": "config", "configMap": {"name": "coredns"}}]}}


def objects():
    subject = {"kind": "ServiceAccount", "name": "coredns", "namespace": "kube-system"}
    return [
        named("v1", "ServiceAccount", "coredns"),
        named("rbac.authorization.k8s.io/v1", "ClusterRole", "coredns", rules=[
            {"apiGroups": [""], "resources": ["endpoints", "services", "pods", "namespaces"], "verbs": ["list", "watch"]},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]}]),
        named("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "coredns", subjects=[subject],
              roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "coredns"}),
        named("v1", "ConfigMap", "coredns", data={"Corefile": COREFILE}),
        named("apps/v1", "Deployment", "coredns", spec={"selector": {"matchLabels": LABELS}, "template": pod_template()}),
        named("v1", "Service", "kube-dns", spec={"clusterIP": DNS_SERVICE, "selector": LABELS, "ports": ports("port")}),
    ]


def start(cluster):
    cluster.apply(objects())
    cluster.kubectl("rollout", "status", "--namespace=kube-system", "--timeout=120s", "deployment/coredns")


def stop(cluster):
    cluster.kubectl("delete", "--namespace=kube-system", "deployment/coredns", "--cascade=foreground", "--timeout=60s")
