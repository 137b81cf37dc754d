"""What Kubernetes' kube-controller-manager makes of nodes and their pods, and what our controllers do: beside nacelle-api, the same scenario."""
import os
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../integration"), HERE]

import test_nodes as t  # noqa: E402
from support.api import PEERS, Api  # noqa: E402

MANAGER = f"{PEERS}/kube-controller-manager"
pytestmark = pytest.mark.skipif(not os.path.exists(MANAGER), reason="kube-controller-manager is not built")

t.PATIENCE = 120  # it looks for pods whose node is gone every 20 s, after 40 s
FLAGS = ("--cluster-cidr=10.200.0.0/20", "--node-cidr-mask-size=24", "--terminated-pod-gc-threshold=3", "--node-monitor-grace-period=4s",
         "--node-startup-grace-period=4s", "--node-eviction-rate=100")
NAMES = "node-ipam-controller,node-lifecycle-controller,taint-eviction-controller,pod-garbage-collector-controller,ttl-controller,serviceaccount-controller"


def kept(o, *paths):
    """What is the same wherever it is made."""
    meta, spec, status = o["metadata"], o["spec"], o.get("status", {})
    said = {"annotations": meta.get("annotations"), "going": "deletionTimestamp" in meta, "grace": meta.get("deletionGracePeriodSeconds"),
            "phase": status.get("phase"), "observed": status.get("observedGeneration")}
    said["conditions"] = [{k: v for k, v in c.items() if not k.startswith("last")} for c in sorted(status.get("conditions", []), key=lambda c: c["type"])]
    said["taints"] = sorted((x["key"], x.get("value"), x["effect"], "timeAdded" in x) for x in spec.get("taints", []))
    said["cidrs"] = "podCIDR" in spec and [spec["podCIDR"]] == spec["podCIDRs"]
    return said


def told(client, name):
    return sorted({(e["reason"], e["type"], e["message"], e["source"]["component"], e["involvedObject"]["kind"])
                   for e in t.get(client, "/api/v1/namespaces/default/events")["items"] if e["involvedObject"]["name"] == name
                   and e["reason"] != "CIDRAssignmentFailed"})  # of a write that met another there; it is tried again


def scenario(client, a):
    said = {}
    exists = [{"operator": "Exists"}]
    for name in "lost", "alive", "alive2", "alive3", "tainted", "pressed":
        t.node(client, name)
    with t.Alive(a, "alive", "alive2", "alive3", "tainted", "pressed"):
        assert t.eventually(lambda: None not in t.cidrs(client).values())
        said["CIDRs"] = sorted(t.cidrs(client).values())
        t.pod(client, "on-lost", "lost", tolerations=exists)
        t.pod(client, "on-tainted", "tainted")
        t.pod(client, "tolerant", "tainted", tolerations=exists)
        t.node(client, "mute", ready=None)
        assert t.eventually(lambda: t.taints(client, "lost") == t.LOST and t.taints(client, "mute") == t.LOST)
        assert t.eventually(lambda: t.conditions(t.get(client, t.PODS + "/on-lost"))["Ready"][0] == "False")
        assert t.eventually(lambda: t.events(client, "on-lost", "NodeNotReady"))
        t.tell(client, "pressed", MemoryPressure="True", Ready="False")
        assert t.eventually(lambda: len(t.taints(client, "pressed")) == 3)
        assert client.ask("PATCH", f"{t.NODES}/tainted", {"spec": {"unschedulable": True, "taints": [{"key": "k", "value": "v", "effect": "NoExecute"}]}}, **t.MERGE)[0] == 200
        assert t.eventually(lambda: "deletionTimestamp" in t.get(client, t.PODS + "/on-tainted")["metadata"])
        assert t.eventually(lambda: len(t.taints(client, "tainted")) == 2)
        assert t.eventually(lambda: t.events(client, "on-tainted", "TaintManagerEviction"))
        for name in "lost", "mute", "alive", "pressed", "tainted":
            said[name] = kept(t.get(client, f"{t.NODES}/{name}"))
        for name in "on-lost", "on-tainted", "tolerant":
            said[name] = kept(t.get(client, f"{t.PODS}/{name}"))
        said["events"] = {name: told(client, name) for name in ("lost", "on-lost", "on-tainted", "tolerant", "pressed", "mute")}

        # what is left behind
        t.pod(client, "orphan", "lost", tolerations=exists, ready=False)
        assert client.ask("PATCH", f"{t.PODS}/orphan", {"metadata": {"finalizers": ["example.com/a"]}}, **t.MERGE)[0] == 200
        assert client.ask("DELETE", f"{t.NODES}/lost")[0] == 200
        t.make(client, t.PODS, {"metadata": {"name": "unscheduled", "finalizers": ["example.com/a"]}, "spec": {"containers": [{"name": "c", "image": "i"}]}})
        assert client.ask("DELETE", t.PODS + "/unscheduled")[0] == 200
        for i in range(5):
            t.pod(client, f"ended{i}", "alive", ready=False)
            status = {"phase": "Failed", "reason": "Evicted"} if i == 3 else {"phase": "Succeeded"}
            assert client.ask("PATCH", f"{t.PODS}/ended{i}/status", {"status": status}, **t.MERGE)[0] == 200
        phase = lambda n: (t.get(client, f"{t.PODS}/{n}") or {"status": {}})["status"].get("phase")  # noqa: E731
        assert t.eventually(lambda: phase("unscheduled") == "Failed" and phase("orphan") == "Failed")
        assert t.eventually(lambda: t.get(client, t.PODS + "/orphan")["metadata"].get("deletionTimestamp"))
        assert t.eventually(lambda: not t.get(client, t.PODS + "/on-lost"))
        assert t.eventually(lambda: sum(phase(f"ended{i}") is not None for i in range(5)) <= 3)
        said["left"] = sorted(p["metadata"]["name"] for p in t.get(client, t.PODS)["items"])
        for name in "orphan", "unscheduled":
            said[name] = kept(t.get(client, f"{t.PODS}/{name}"))
    return said


def by_kubernetes():
    a = Api(controllers="").start()
    with open(a.directory + "/manager.log", "w") as log:
        manager = subprocess.Popen([MANAGER, f"--kubeconfig={a.kubeconfig}", f"--controllers={NAMES}", "--leader-elect=false", "--allocate-node-cidrs",
                                    "--service-cluster-ip-range=10.96.0.0/16", "--secure-port=0", "--node-monitor-period=1s", *FLAGS], stdout=log, stderr=log)
        try:
            return scenario(a.client(), a)
        finally:
            manager.terminate()
            manager.wait(20)
            a.stop()


def by_us():
    a = Api(*FLAGS, controllers=NAMES).start()
    try:
        return scenario(a.client(), a)
    finally:
        a.stop()


def test_nodes_end_as_with_kubernetes():
    theirs, ours = by_kubernetes(), by_us()
    differ = {k: (ours[k], theirs[k]) for k in theirs if ours[k] != theirs[k]}
    assert not differ, differ
