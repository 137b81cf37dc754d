"""An API service that lies to its node: what it says never leads out of a pod's own directories, and other pods go on.

A wire in between changes what the real one has checked: words of the same length become others on their way to the agent.
"""
import json
import os
import select
import socket
import ssl
import threading

import pytest

from support.api import get
from support.hosts import kubeconfig
from support.node import Node, pod, wait_for

CORE = "/api/v1/namespaces/default"
PODS = f"{CORE}/pods"


class Wire:
    """Between the agent and the service: both sides are TLS; `words` are replaced in what the service says."""

    def __init__(self, api, certificate, key):
        self.api, self.words = api, {}
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(f"{api.pki}/apiserver.crt", f"{api.pki}/apiserver.key")
        self.client = ssl.create_default_context(cafile=f"{api.pki}/ca.crt")
        self.client.load_cert_chain(certificate, key)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                one, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.connect, args=(one,), daemon=True).start()

    def connect(self, one):
        try:
            one = self.server.wrap_socket(one, server_side=True)
            other = self.client.wrap_socket(socket.create_connection(("127.0.0.1", self.api.port)), server_hostname="127.0.0.1")
        except OSError:
            return one.close()
        try:
            self.pump(one, other)
        except OSError:
            pass
        one.close()
        other.close()

    def pump(self, one, other):
        """Both ways by one thread: before Python 3.13 two of them may not use one TLS connection, and what they lose is never heard of."""
        while True:
            for source in [s for s in (one, other) if s.pending()] or select.select([one, other], [], [])[0]:
                source.settimeout(0)
                try:
                    data = source.recv(1 << 16)
                except ssl.SSLWantReadError:  # a ticket, or a part of something
                    continue
                if not data:
                    return
                target = other if source is one else one
                target.settimeout(20)
                target.sendall(self.changed(data, source is other))

    def changed(self, data, lies):
        if not lies:  # nothing is compressed on the way back
            return data.replace(b"ccept-encoding: gzip", b"ccept-encoding: nope").replace(b"ccept-Encoding: gzip", b"ccept-Encoding: nope")
        for word, other in self.words.items():
            data = data.replace(word, other)
        return data

    def close(self):
        self.listener.close()


@pytest.fixture(scope="module")
def liar(api, busybox_archive, tmp_path_factory):
    """An agent at the far end of a wire."""
    n, directory = Node(), tmp_path_factory.mktemp("node")
    path = kubeconfig(api, directory, n.name)
    wire = Wire(api, f"{directory}/{n.name}.crt", f"{directory}/{n.name}.key")
    with open(path) as f:
        text = f.read().replace(f":{api.port}", f":{wire.port}")
    with open(path, "w") as f:
        f.write(text)
    n.wire, n.options = wire, [*n.options, "--kubeconfig", path]
    n.start()
    n.nacelle("import", busybox_archive)
    wait_for("Node", lambda: get(api.client(), f"/api/v1/nodes/{n.name}"))
    yield n
    wire.words.clear()
    api.client().ask("DELETE", PODS, {"gracePeriodSeconds": 0})
    n.stop()
    wire.close()


def make(client, path, **fields):
    status, body = client.ask("POST", path, fields)
    assert status == 201, body
    return body


def run(client, node, name, **spec):
    return make(client, PODS, **pod(name, spec.pop("container", "sleep 1000"), nodeName=node.name, automountServiceAccountToken=False, terminationGracePeriodSeconds=0, **spec))


def status_of(client, name):
    return get(client, f"{PODS}/{name}").get("status", {})


def everything(node):
    """What is on the node's disk, outside of layers."""
    return {os.path.join(top, f) for d in (node.dir, node.run, node.logs) for top, folders, files in os.walk(d) if "/store" not in top for f in folders + files}


def runs(client, node, name):
    """Others go on: one that is honest runs."""
    run(client, node, name)
    wait_for(f"{name} running", lambda: status_of(client, name).get("phase") == "Running")
    client.ask("DELETE", f"{PODS}/{name}", {"gracePeriodSeconds": 0})


KEYS = [("qa", ".."), ("q.up.a", "../upa"), ("q-up-up-up-a", "../../../upa"), ("q-root-a", "/root-aa"), ("q-data", "..data"), ("q-data-a", "..data/a")]
SOURCES = {"map": lambda name: {"configMap": {"name": name}}, "secret": lambda name: {"secret": {"secretName": name}}, "projected": lambda name: {"projected": {"sources": [{"configMap": {"name": name}}]}}}


def test_keys_that_are_paths(api, liar):
    """As names of files they are refused, in words that name volume and object or path; nothing of the volume is there then."""
    client = api.client()
    liar.wire.words = {f'"{key}"'.encode(): f'"{lie}"'.encode() for key, lie in KEYS}
    wanted = {}
    for i, (key, lie) in enumerate(KEYS):
        make(client, f"{CORE}/configmaps", metadata={"name": f"k{i}"}, data={key: "v", "good": "v"})
        make(client, f"{CORE}/secrets", metadata={"name": f"k{i}"}, stringData={key: "v", "good": "v"})
        for kind, source in SOURCES.items():
            run(client, liar, f"{kind}-{i}", container={"command": ["sleep", "1000"], "volumeMounts": [{"name": "v", "mountPath": "/v"}]}, volumes=[{"name": "v", **source(f"k{i}")}])
            wanted[f"{kind}-{i}"] = f"k{i}", lie

    def unsaid():
        said = [(e["involvedObject"]["name"], e["message"]) for e in get(client, f"{CORE}/events")["items"] if e["reason"] == "FailedMount"]
        return [(name, said) for name, (object, lie) in wanted.items()
                if not any(of == name and 'volume "v"' in text and (object in text or lie in text) for of, text in said)]
    wait_for("refusals", lambda: not unsaid(), timeout=60)
    assert all(status_of(client, name)["phase"] == "Pending" for name in wanted)
    runs(client, liar, "honest-1")
    assert not [path for path in everything(liar) if os.path.basename(path) in ("upa", "root-aa", "good")] and not os.path.exists("/root-aa")
    client.ask("DELETE", PODS, {"gracePeriodSeconds": 0})
    wait_for("end", lambda: not get(client, PODS)["items"])
    liar.wire.words = {}


def test_names_that_are_paths(api, liar):
    """Of pods, their namespaces, containers and volumes, and their UIDs: such pods are none, and nothing of them is anywhere."""
    client = api.client()
    before = everything(liar)
    words = {"q-pod-aaaa": "../../escx", "q-cont-aaaaa": "../../../esc", "q-vol-aaa": "../../esc", "q-deep-aaaaaa": "a/../../../esc"}
    liar.wire.words = {f'"{word}"'.encode(): f'"{lie}"'.encode() for word, lie in words.items()}
    mounted = lambda v: {"container": {"command": ["sleep", "1000"], "volumeMounts": [{"name": v, "mountPath": "/v"}]}, "volumes": [{"name": v, "emptyDir": {}}]}  # noqa: E731
    run(client, liar, "q-pod-aaaa")
    run(client, liar, "container", container={"name": "q-cont-aaaaa", "command": ["sleep", "1000"]})
    run(client, liar, "volume", **mounted("q-vol-aaa"))
    run(client, liar, "sub-path", container={"command": ["sleep", "1000"], "volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": "q-deep-aaaaaa"}]},
        volumes=[{"name": "v", "emptyDir": {}}])
    # the UID is known before the node hears of it
    late = make(client, PODS, **pod("uid", "sleep 1000", schedulingGates=[{"name": "x.y/z"}]))
    uid = late["metadata"]["uid"]
    liar.wire.words[f'"{uid}"'.encode()] = ('"' + "../" * 10 + "escx" + "q" * (len(uid) - 34) + '"').encode()
    assert client.ask("PATCH", f"{PODS}/uid", {"spec": {"schedulingGates": []}}, **{"Content-Type": "application/merge-patch+json"})[0] == 200
    make(client, f"{PODS}/uid/binding", metadata={"name": "uid"}, target={"kind": "Node", "name": liar.name})
    make(client, "/api/v1/namespaces", metadata={"name": "q-space-aaaa"})
    wait_for("account", lambda: get(client, "/api/v1/namespaces/q-space-aaaa/serviceaccounts/default"))
    liar.wire.words[b'"q-space-aaaa"'] = b'"../../../esc"'
    make(client, "/api/v1/namespaces/q-space-aaaa/pods", **pod("space", "sleep 1000", nodeName=liar.name, automountServiceAccountToken=False))
    runs(client, liar, "honest-2")
    names = ["q-pod-aaaa", "container", "volume", "sub-path", "uid"]
    assert not any(status_of(client, name).get("phase") == "Running" for name in names)
    new = {path for path in everything(liar) - before if "esc" in path}
    outside = [path for path in ("/escx", "/esc", "/tmp/esc", "/var/log/esc", "/run/esc", os.path.dirname(liar.dir) + "/esc") if os.path.exists(path)]
    assert not outside and not new, (outside, new)
    for what in ("metadata.name: Invalid value: \"../../escx\"", "spec.containers[0].name: Invalid value: \"../../../esc\"", "spec.volumes[0].name: Invalid value: \"../../esc\"",
                 "subPath: Invalid value: \"a/../../../esc\"", "its uid is none", "metadata.namespace: Invalid value: \"../../../esc\""):
        assert what in liar.log()


def peak(node):
    """The most memory that the agent has had, in MiB."""
    with open(f"/proc/{node.process.pid}/status") as f:
        return next(int(line.split()[1]) >> 10 for line in f if line.startswith("VmHWM"))


def test_pods_that_ask_for_gigabytes(api, liar):
    """Small ones, of which each word, file or mount stands for something large: the agent takes no more memory for them than for others."""
    client = api.client()
    mounts = [{"name": "v", "mountPath": f"/m{i}", "subPathExpr": "a"} for i in range(300)]
    many = [{"name": "B", "value": "x" * 200}, *({"name": f"A{i}", "value": "$(B)"} for i in range(8000))]
    run(client, liar, "words", container={"command": ["true"], "env": [{"name": "A", "value": "x" * 100000}], "args": ["$(A)"] * 8000})
    run(client, liar, "expressions", container={"command": ["sleep", "1000"], "env": many, "volumeMounts": mounts}, volumes=[{"name": "v", "emptyDir": {}}])
    files = [{"path": f"f{i}", "fieldRef": {"fieldPath": "metadata.annotations"}} for i in range(2000)]
    wide = pod("files", "sleep 1000", nodeName=liar.name, automountServiceAccountToken=False, terminationGracePeriodSeconds=0, volumes=[{"name": "v", "downwardAPI": {"items": files}}])
    wide["metadata"]["annotations"] = {"a": "x" * 250000}
    make(client, PODS, **wide)
    wait_for("words", lambda: "all are longer than 2097152" in json.dumps(status_of(client, "words")), timeout=30)
    wait_for("files", lambda: [e for e in get(client, f"{CORE}/events")["items"] if "the files of the pod's volumes have more than 134217728 bytes" in e["message"]], timeout=30)
    wait_for("expressions", lambda: status_of(client, "expressions").get("phase") == "Running", timeout=60)
    assert peak(liar) < 250
    runs(client, liar, "honest-3")
    client.ask("DELETE", PODS, {"gracePeriodSeconds": 0})
