"""The same pods evicted by a stock kubelet, which has them from an API server since it never evicts static ones, and by our own agent:
phase, reason, words and conditions are the same."""
import json
import re
import subprocess

import pytest

import control_plane
from stock_kubelet import Kubelet

import oci  # noqa: E402
from support.leaks import leaked, remove_cgroups  # noqa: E402
from support.node import Node, pod, wait_for  # noqa: E402

pytestmark = pytest.mark.skipif(not control_plane.available(), reason="no etcd and kube-apiserver among the peers")

SLEEP = "sleep 1000"
EMPTY_DIR, MOUNT = [{"name": "d", "emptyDir": {}}], [{"name": "d", "mountPath": "/d"}]


def limited(command, limit, **fields):
    return {"command": ["sh", "-c", command], "resources": {"limits": {"ephemeral-storage": limit}}, **fields}


def write(path, size=5000000):
    return f"head -c {size} /dev/zero > {path}; {SLEEP}"


LINES = "head -c 5000000 /dev/zero | tr '\\0' x | fold -w 100; " + SLEEP
CAR = {"name": "car", "image": "localhost/busybox:test", "imagePullPolicy": "Never", "restartPolicy": "Always"}

# name: (containers, other fields, whether it goes)
CASES = {
    "layer": ([limited(write("/x"), "1Mi")], {}, True),
    "layer-of-one": ([limited(write("/x"), "1Mi", name="one"), limited(SLEEP, "1Gi", name="two")], {}, True),
    "logs": ([limited(LINES, "1500k", name="one"), limited(SLEEP, "1Gi", name="two")], {}, True),
    "empty-dir": ([limited(write("/d/x"), "2Mi", volumeMounts=MOUNT)], {"volumes": EMPTY_DIR}, True),
    "empty-dir-apart": ([limited(write("/d/x"), "2Mi", name="one", volumeMounts=MOUNT), limited(SLEEP, "1Gi", name="two")], {"volumes": EMPTY_DIR}, False),
    "one-has-none": ([limited(SLEEP, "2Mi", name="one"), {"name": "two", "command": ["sh", "-c", write("/x")]}], {}, True),
    "sidecar": ([limited(SLEEP, "1Mi")], {"initContainers": [limited(write("/x"), "1Mi", **CAR)]}, True),
    "sidecar-apart": ([limited(SLEEP, "1Gi")], {"initContainers": [limited(write("/x"), "1Mi", **CAR)]}, False),
    "size-limit": ([{"command": ["sh", "-c", write("/d/x")], "volumeMounts": MOUNT}], {"volumes": [{"name": "d", "emptyDir": {"sizeLimit": "1Mi"}}]}, True),
    "in-memory": ([limited(write("/d/x"), "1Mi", volumeMounts=MOUNT)], {"volumes": [{"name": "d", "emptyDir": {"medium": "Memory"}}]}, False),
    "links": ([limited("head -c 600000 /dev/zero > /x; for i in 1 2 3 4 5; do ln /x /x$i; done; " + SLEEP, "1Mi")], {}, False),
    "within": ([limited(write("/x", 500000), "1Mi")], {}, False),
    "nothing": ([limited(SLEEP, "0")], {}, True),
}
GONE = [name for name, case in CASES.items() if case[2]]
PRESSURE = """evictionHard: {memory.available: 1Mi}
evictionSoft: {memory.available: 99%}
evictionSoftGracePeriod: {memory.available: 60s}
evictionMaxPodGracePeriod: 1
imageGCHighThresholdPercent: 100
"""


def add_busybox(node):
    archive = node.dir + "/image.tar"
    oci.Image([oci.busybox_layer()], Cmd=["sh"]).write_docker_archive(archive, "localhost/busybox:test")
    node.nacelle("import", archive)


class Sides:
    def __init__(self, config):
        self.api, self.theirs, self.ours = control_plane.ControlPlane(), Node("--runtime-only").start(), Node()
        self.kubelet = Kubelet(self.theirs, without=("localStorageCapacityIsolation", "registerNode", "evictionHard", "imageGCHighThresholdPercent"), config=config,
                               flags=("--kubeconfig", self.api.kubeconfig))
        self.ours.config = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n" + config
        self.ours.start()
        add_busybox(self.theirs)
        add_busybox(self.ours)
        wait_for("the node", lambda: self.api.ask("/api/v1/nodes/stock"), timeout=60)

    def run(self, name, containers, **fields):
        made = pod(name, *containers, restartPolicy="Never", tolerations=[{"operator": "Exists"}], **fields)
        self.ours.write(name + ".json", made)
        self.api.create({**made, "spec": {**made["spec"], "nodeName": "stock", "automountServiceAccountToken": False}})

    def status(self, name):
        return next((p["status"] for p in self.api.pods() if p["metadata"]["name"] == name), {}), self.ours.status(name)

    def stop(self):
        try:
            for p in self.api.pods():
                subprocess.run([control_plane.PEERS + "/kubectl", "--kubeconfig", self.api.kubeconfig, "delete", "pod", p["metadata"]["name"],
                                "--grace-period=1", "--wait=false"], capture_output=True)
            self.ours.stop()
            wait_for("end of the pods", lambda: not self.api.pods() and not [p for p in self.theirs.pods() if p["state"] == "SANDBOX_READY"], timeout=90)
            wait_for("kubelet to remove the pods' cgroups", lambda: "cgroups" not in leaked(self.theirs), timeout=90)
        finally:
            print(self.kubelet.text()[-3000:])
            self.kubelet.stop()
            for p in self.theirs.pods():
                self.theirs.crictl("rmp", "-f", p["id"], check=False)
            remove_cgroups(self.theirs)
            self.theirs.stop()
            self.api.stop()


def plain(status):
    """What both must say alike: amounts depend on when it was looked."""
    disruption = [c for c in status.get("conditions", []) if c["type"] == "DisruptionTarget"]
    found = {"phase": status.get("phase"), "reason": status.get("reason"), "message": status.get("message"),
             "disruption": [{k: v for k, v in c.items() if not k.startswith("last") and k != "observedGeneration"} for c in disruption]}
    return json.loads(re.sub(r"(was using|available:|quantity:) \d+(\.\d+)?(m|[kKMGT]i?)?", r"\1 N", json.dumps(found)))


@pytest.fixture(scope="module")
def limits():
    sides = Sides("evictionHard: {memory.available: 1Mi}\nimageGCHighThresholdPercent: 100\n")
    try:
        for name, (containers, fields, _) in CASES.items():
            sides.run(name, containers, **fields)
        yield sides
    finally:
        sides.stop()


@pytest.mark.parametrize("name", GONE)
def test_over_its_limits(limits, name):
    """kubelet counts volumes once a minute."""
    theirs, ours = wait_for(f"eviction of {name} by both", lambda: (lambda s: all(x.get("reason") == "Evicted" for x in s) and s)(limits.status(name)), timeout=150,
                            interval=0.5)
    assert plain(theirs) == plain(ours)


def test_within_its_limits(limits):
    for name in GONE:
        wait_for(f"eviction of {name} by both", lambda: all(x.get("reason") == "Evicted" for x in limits.status(name)), timeout=150, interval=0.5)
    for name in CASES.keys() - set(GONE):
        assert [s.get("phase") for s in limits.status(name)] == ["Running", "Running"], name


def test_under_pressure_for_memory():
    """Both are short of it from the beginning, and act a minute later: the same words, and the same order of those that a request or
    their usage tell apart."""
    sides = Sides(PRESSURE)
    held = "x=$(head -c {} /dev/zero | tr '\\0' x); sleep 1000; :"
    names = ["large", "small", "asked"]
    try:
        for name, size, asks in (("large", 50000000, {}), ("small", 2000000, {}), ("asked", 60000000, {"requests": {"memory": "1Gi"}})):
            sides.run(name, [{"name": name, "command": ["sh", "-c", held.format(size)], "resources": asks}])
        for name in names:
            wait_for(f"{name} to run", lambda: all(s.get("phase") == "Running" for s in sides.status(name)), timeout=60)
        for name in names:
            theirs, ours = wait_for(f"eviction of {name} by both", lambda: (lambda s: all(x.get("reason") == "Evicted" for x in s) and s)(sides.status(name)), timeout=200,
                                    interval=0.5)
            assert plain(theirs) == plain(ours)

        def order(events):
            return [e["involvedObject"]["name"].split("-")[0] for e in sorted(events, key=lambda e: e["firstTimestamp"]) if e["reason"] == "Evicted"]
        assert order(sides.api.ask("/api/v1/namespaces/default/events")["items"]) == order(json.loads(sides.ours.get("/events"))["items"]) == names
        theirs = {c["type"]: c for c in sides.api.ask("/api/v1/nodes/stock")["status"]["conditions"]}["MemoryPressure"]
        ours = {c["type"]: c for c in json.loads(sides.ours.get("/node"))["status"]["conditions"]}["MemoryPressure"]
        assert {k: theirs[k] for k in ("status", "reason", "message")} == {k: ours[k] for k in ("status", "reason", "message")}
    finally:
        sides.stop()
