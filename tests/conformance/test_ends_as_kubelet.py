"""How pods of the API service end: what a stock kubelet and the agent tell of them until they are gone, each a node of one cluster."""
import threading

import pytest

from stock_kubelet import Kubelet
from test_eviction_as_kubelet import plain
from test_kubelet_of_api import CONFIG, REPLACED, node  # noqa: F401

from support.api import Api  # noqa: E402
from support.hosts import kubeconfig  # noqa: E402
from support.leaks import leaked  # noqa: E402
from support.logind import Bus  # noqa: E402
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


SHUTDOWN = "shutdownGracePeriod: 10s\n"


@pytest.fixture(scope="module")
def bus():
    b = Bus(delay_s=60).start()
    yield b
    b.stop()


@pytest.fixture(scope="module")
def cluster(node, bus, tmp_path_factory):  # noqa: F811
    api = Api("--kubelet-preferred-address-types=InternalIP", controllers="*").start()
    client = api.client()
    kubelet = Kubelet(node, CONFIG.format(pki=api.pki) + "volumeStatsAggPeriod: 2s\n" + SHUTDOWN, without=(*REPLACED, "localStorageCapacityIsolation"),
                      flags=("--kubeconfig", kubeconfig(api, tmp_path_factory.mktemp("kubelet"), "stock")), env=bus.env)
    ours = Node(env=bus.env, config="apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n" + SHUTDOWN)
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


def ends(how, code):
    """It ends with @code a while after it was told to; as None never by itself."""
    trap = f"sleep 0.7; exit {code}" if code is not None else ""
    return f"trap '{trap}' TERM; {how}; while true; do sleep 0.1; done"


LATE = {"activeDeadlineSeconds": 4}
FULL = {"volumes": [{"name": "d", "emptyDir": {"sizeLimit": "1Mi"}}]}


def fills(code):
    return {"command": ["sh", "-c", ends("sleep 3; head -c 5000000 /dev/zero > /d/x", code)], "volumeMounts": [{"name": "d", "mountPath": "/d"}]}


def asks(command, cpu):
    return {"command": ["sh", "-c", command], "resources": {"requests": {"cpu": cpu}}}


# name: (containers, other fields), of pods that the node ends
JUDGED = {
    "late-well": ([ends("true", 0)], LATE),
    "late-three": ([ends("true", 3)], LATE),
    "late-killed": ([ends("true", None)], LATE),
    "late-never": ([ends("true", 0)], {**LATE, "restartPolicy": "Never"}),
    "late-two": ([ends("true", 0), ends("true", 3)], LATE),
    "full-well": ([fills(0)], FULL),
    "full-three": ([fills(3)], FULL),
    "full-killed": ([fills(None)], FULL),
    "full-two": ([fills(0), ends("true", 3)], FULL),
    "displaced-well": ([asks(ends("true", 0), "1200m")], {}),
    "displaced-three": ([asks(ends("true", 3), "1200m")], {}),
}
IMPORTANT = {"priorityClassName": "system-node-critical"}


class Watcher:
    """Each status of the pods of default, in the order in which they are told, one after another that differ."""
    def __init__(self, api):
        self.seen, ready = {}, threading.Event()
        threading.Thread(target=self.run, args=(api, ready), daemon=True).start()
        ready.wait(10)

    def run(self, api, ready):
        for event in api.client().watch(PODS + "?watch=true&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"):
            ready.set()
            if event["type"] in ("ADDED", "MODIFIED"):
                self.seen.setdefault(event["object"]["metadata"]["name"], []).append(event["object"]["status"])

    def last(self, name):
        return self.seen[name][-1] if self.seen.get(name) else {}


def is_final(status):
    return status.get("phase") in ("Succeeded", "Failed")


def run_still(status):
    """For each container, whether it does."""
    return ["running" in c["state"] for kind in ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses") for c in status.get(kind, [])]


def make(client, name, host, containers, **fields):
    made = pod(name, *containers, nodeName=host, automountServiceAccountToken=False, tolerations=[{"operator": "Exists"}], **fields)
    made["spec"]["terminationGracePeriodSeconds"] = 2
    status, answer = client.ask("POST", PODS, made)
    assert status == 201, answer


def compare(watcher, ours, cases):
    """What is told last while all of it runs still, and what is told last of all. A kubelet tells the containers' ends together, we each when it comes."""
    wrong = []
    for name in cases:
        theirs, mine = (watcher.seen[f"{name}-{host}"] for host in ("stock", ours))
        for side in (theirs, mine):
            assert not [s for s in side if is_final(s) and any(run_still(s))], name
        for which, pick in (("grace", lambda side: [s for s in side if run_still(s) and all(run_still(s))][-1]), ("end", lambda side: side[-1])):
            a, b = ({**told(s), **plain(s)} for s in (pick(theirs), pick(mine)))
            if a != b:
                wrong.append(f"{name}, {which}\n   {a}\n   {b}")
    assert not wrong, "\n".join(wrong)


def test_what_is_told_of_those_that_the_node_ends(cluster):
    """A pod has not failed before its containers have ended, for whatever reason it ends: its phase stays, and has no reason yet."""
    api, ours = cluster
    client, watcher, hosts = api.client(), Watcher(api), ("stock", ours)
    for case, (containers, fields) in JUDGED.items():
        for host in hosts:
            if not case.startswith("displaced"):
                make(client, f"{case}-{host}", host, containers, **fields)
    for case in JUDGED:
        for host in hosts:
            if not case.startswith("displaced"):
                wait_for(f"the end of {case} on {host}", lambda: is_final(watcher.last(f"{case}-{host}")), timeout=90, interval=0.2)
    for case in (c for c in JUDGED if c.startswith("displaced")):
        for host in hosts:
            make(client, f"{case}-{host}", host, *JUDGED[case][:1])
            wait_for(f"{case} on {host}", lambda: any(run_still(watcher.last(f"{case}-{host}"))), timeout=30, interval=0.2)
        for host in hosts:
            make(client, f"for-{case}-{host}", host, [asks(HEARS, "1200m")], **IMPORTANT)
            wait_for(f"the end of {case} on {host}", lambda: is_final(watcher.last(f"{case}-{host}")), timeout=30, interval=0.2)
            client.ask("DELETE", f"{PODS}/for-{case}-{host}?gracePeriodSeconds=0")
            wait_for("its room", lambda: not get(client, f"{PODS}/for-{case}-{host}"), timeout=30)
    compare(watcher, ours, JUDGED)
    assert {case: (lambda s: (s["phase"], s.get("reason")))(watcher.last(f"{case}-{ours}")) for case in JUDGED} == {
        **{case: ("Failed", "DeadlineExceeded") for case in JUDGED if case.startswith("late")},
        "full-well": ("Succeeded", None), "full-three": ("Failed", "Evicted"), "full-killed": ("Failed", "Evicted"), "full-two": ("Failed", "Evicted"),
        "displaced-well": ("Succeeded", None), "displaced-three": ("Failed", "Preempting")}


LIVES_FOR_A_WHILE = "touch /tmp/ok; (sleep 3; rm /tmp/ok) & "
LIVENESS = {"livenessProbe": {"exec": {"command": ["test", "-e", "/tmp/ok"]}, "periodSeconds": 1, "failureThreshold": 1}}
RESTARTED = {"well": HEARS, "three": WITH_THREE, "killed": DEAF}


def restart(watcher, name):
    """What is told of readiness, state and restarts, each once, from when it is ready on until it has restarted once and is ready again."""
    seen = []
    for status in watcher.seen[name]:
        ready = next((c["status"] for c in status.get("conditions", []) if c["type"] == "Ready"), None)
        now = [(ready, c["ready"], c["started"], next(iter(c["state"])), c["restartCount"]) for c in status.get("containerStatuses", [])]
        if (seen or ready == "True") and seen[-1:] != [now] and seen[-1:] != [[("True", True, True, "running", 1)]]:
            seen.append(now)
    return seen


def test_what_is_told_of_a_restart_by_a_probe(cluster):
    """That it ended is no news where it runs again at once."""
    api, ours = cluster
    client, watcher, hosts = api.client(), Watcher(api), ("stock", ours)
    for case, command in RESTARTED.items():
        for host in hosts:
            make(client, f"restarts-{case}-{host}", host, [{"command": ["sh", "-c", LIVES_FOR_A_WHILE + command], **LIVENESS}])
    for case in RESTARTED:
        for host in hosts:
            wait_for(f"the restart of {case} on {host}", lambda: [1 for c in watcher.last(f"restarts-{case}-{host}").get("containerStatuses", []) if c["restartCount"]],
                     timeout=60, interval=0.2)
    for case in RESTARTED:
        theirs, mine = (restart(watcher, f"restarts-{case}-{host}") for host in hosts)
        assert theirs == mine == [[("True", True, True, "running", 0)], [("True", True, True, "running", 1)]], case


def test_what_is_told_while_a_hook_runs(cluster):
    """A container does not run before its postStart hook has passed."""
    api, ours = cluster
    client, watcher, hosts = api.client(), Watcher(api), ("stock", ours)
    for host in hosts:
        make(client, f"hook-{host}", host, [{"command": ["sh", "-c", HEARS], "lifecycle": {"postStart": {"exec": {"command": ["sleep", "3"]}}}}])
    told = {}
    for host in hosts:
        wait_for(f"the hook on {host}", lambda: any(run_still(watcher.last(f"hook-{host}"))), timeout=30, interval=0.2)
        for status in watcher.seen[f"hook-{host}"]:
            now = [(status["phase"], *state_of(c), c["started"], "containerID" in c) for c in status.get("containerStatuses", [])]
            if now and told.setdefault(host, [])[-1:] != now:
                told[host] += now
    assert told["stock"] == told[ours] == [
        ("Pending", "main", "waiting", "ContainerCreating", None, False, False, False), ("Running", "main", "running", None, None, True, True, True)]


DOWN = {"well": [ends("true", 0)], "three": [ends("true", 3)], "killed": [ends("true", None)], "two": [ends("true", 0), ends("true", 3)]}


def test_what_is_told_of_those_that_go_down_with_the_host(cluster, bus):
    """Nothing runs after this one: neither takes pods any more."""
    api, ours = cluster
    client, watcher, hosts = api.client(), Watcher(api), ("stock", ours)
    for case, containers in DOWN.items():
        for host in hosts:
            make(client, f"down-{case}-{host}", host, containers)
    for case in DOWN:
        for host in hosts:
            wait_for(f"{case} on {host}", lambda: (lambda r: r and all(r))(run_still(watcher.last(f"down-{case}-{host}"))), timeout=30, interval=0.2)
    bus.prepare(True)
    for case in DOWN:
        for host in hosts:
            wait_for(f"the end of {case} on {host}", lambda: is_final(watcher.last(f"down-{case}-{host}")), timeout=30, interval=0.2)
    compare(watcher, ours, [f"down-{case}" for case in DOWN])
    assert [watcher.last(f"down-{case}-{ours}")["phase"] for case in DOWN] == ["Succeeded", "Failed", "Failed", "Failed"]
