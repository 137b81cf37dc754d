"""How pods of the API service end: what a stock kubelet and the agent tell of them until they are gone, each a node of one cluster."""
import threading

import pytest

from stock_kubelet import Kubelet
from test_kubelet_of_api import CONFIG, REPLACED, node  # noqa: F401

from support.api import Api  # noqa: E402
from support.hosts import kubeconfig  # noqa: E402
from support.leaks import leaked  # noqa: E402
from support.node import Node, pod, wait_for  # noqa: E402

PODS = "/api/v1/namespaces/default/pods"
HEARS = "trap 'exit 0' TERM; while true; do sleep 0.1; done"
WITH_THREE = "trap 'exit 3' TERM; while true; do sleep 0.1; done"
DEAF = "trap '' TERM; while true; do sleep 1; done"
IMAGE = {"image": "localhost/busybox:test", "imagePullPolicy": "Never"}
ABSENT = {"command": ["true"], "image": "localhost/none:1"}

# name: (containers, other fields)
CASES = {
    "well": ([HEARS], {}),
    "three": ([WITH_THREE], {}),
    "killed": ([DEAF], {}),
    "one-of-two": ([HEARS, WITH_THREE], {}),
    "never": ([HEARS], {"restartPolicy": "Never"}),
    "half-done": (["true", HEARS], {"restartPolicy": "Never"}),
    "failed": (["exit 2", HEARS], {"restartPolicy": "OnFailure"}),
    "absent": ([ABSENT], {}),
    "one-absent": ([HEARS, ABSENT], {}),
    "init": ([HEARS], {"initContainers": [{"name": "first", "command": ["sh", "-c", HEARS], **IMAGE}]}),
    "after-init": ([HEARS], {"initContainers": [{"name": "first", "command": ["true"], **IMAGE}]}),
    "sidecar": ([HEARS], {"initContainers": [{"name": "car", "command": ["sh", "-c", HEARS], "restartPolicy": "Always", **IMAGE}]}),
}


def get(client, path):
    status, body = client.ask("GET", path)
    return body if status == 200 else None


@pytest.fixture(scope="module")
def cluster(node, tmp_path_factory):  # noqa: F811
    api = Api("--kubelet-preferred-address-types=InternalIP", controllers="*").start()
    client = api.client()
    kubelet = Kubelet(node, CONFIG.format(pki=api.pki), without=REPLACED, flags=("--kubeconfig", kubeconfig(api, tmp_path_factory.mktemp("kubelet"), "stock")))
    ours = Node()
    ours.options += ["--kubeconfig", kubeconfig(api, tmp_path_factory.mktemp("ours"), ours.name)]
    ours.start()
    ours.nacelle("import", node.dir + "/busybox.tar")
    try:
        for name in ("stock", ours.name):
            wait_for("the node", lambda: get(client, f"/api/v1/nodes/{name}"), timeout=60)
        yield api, ours.name
        client.ask("DELETE", PODS, {"gracePeriodSeconds": 1})
        wait_for("end of the pods", lambda: not get(client, PODS)["items"], timeout=60)
        wait_for("kubelet to remove the pods' cgroups", lambda: "cgroups" not in leaked(node), timeout=60)
    finally:
        print(kubelet.text()[-3000:])
        kubelet.stop()
        ours.stop()
        api.stop()


def follow(api, seen, ready):
    for event in api.client().watch(PODS + "?watch=true"):
        ready.set()
        seen.setdefault(event["object"]["metadata"]["name"], []).append(event)
        if len([1 for events in seen.values() if events[-1]["type"] == "DELETED"]) == 2 * len(CASES):
            return


def state_of(c):
    [(kind, state)] = c["state"].items()
    return c["name"], kind, state.get("reason"), state.get("exitCode"), c["ready"]


def told(status):
    return {"phase": status["phase"], "reason": status.get("reason"),
            "conditions": {c["type"]: (c["status"], c.get("reason")) for c in status["conditions"]},
            **{kind: [state_of(c) for c in status.get(kind, [])] for kind in ("initContainerStatuses", "containerStatuses")}}


def is_up(client, name, case):
    status = get(client, f"{PODS}/{name}")["status"]
    states = {c["name"]: c for kind in ("initContainerStatuses", "containerStatuses") for c in status.get(kind, [])}
    kinds = {n: next(iter(c["state"])) for n, c in states.items()}
    if case == "absent":
        return "ErrImage" in str(states) or "ImagePull" in str(states)
    if case == "one-absent":
        return kinds.get("main") == "running" and ("ErrImage" in str(states) or "ImagePull" in str(states))
    if case == "init":
        return kinds.get("first") == "running"
    if case == "half-done":
        return kinds.get("main") == "terminated" and kinds.get("c1") == "running"
    if case == "failed":  # a kubelet may tell either between two runs
        return states.get("main", {}).get("restartCount", 0) >= 1 and kinds.get("main") in ("waiting", "terminated") and kinds.get("c1") == "running"
    return status.get("phase") == "Running" and all(k == "running" for n, k in kinds.items() if n != "first")


def test_what_is_told_last(cluster):
    """The phase is final, and so is each container's state, before the object goes."""
    api, ours = cluster
    client, seen, ready = api.client(), {}, threading.Event()
    for case, (containers, fields) in CASES.items():
        for host in ("stock", ours):
            made = pod(f"{case}-{host}", *containers, nodeName=host, automountServiceAccountToken=False, tolerations=[{"operator": "Exists"}], **fields)
            made["spec"]["terminationGracePeriodSeconds"] = 2
            status, answer = client.ask("POST", PODS, made)
            assert status == 201, answer
    for case in CASES:
        for host in ("stock", ours):
            wait_for(f"{case} on {host}", lambda: is_up(client, f"{case}-{host}", case), timeout=60, interval=0.2)
    watcher = threading.Thread(target=follow, args=(api, seen, ready), daemon=True)
    watcher.start()
    ready.wait(10)
    for case in CASES:
        for host in ("stock", ours):
            client.ask("DELETE", f"{PODS}/{case}-{host}")
    watcher.join(60)
    assert not watcher.is_alive(), {n: e[-1]["type"] for n, e in seen.items()}
    last = {name: told(events[-1]["object"]["status"]) for name, events in seen.items()}
    wrong = {case: (last[f"{case}-stock"], last[f"{case}-{ours}"]) for case in CASES if last[f"{case}-stock"] != last[f"{case}-{ours}"]}
    assert not wrong, "\n".join(f"{case}\n   {a}\n   {b}" for case, (a, b) in wrong.items())
    assert {case: last[f"{case}-{ours}"]["phase"] for case in CASES} == {
        "well": "Succeeded", "three": "Failed", "killed": "Failed", "one-of-two": "Failed", "never": "Succeeded", "half-done": "Succeeded", "failed": "Failed",
        "absent": "Failed", "one-absent": "Failed", "init": "Failed", "after-init": "Succeeded", "sidecar": "Succeeded"}
