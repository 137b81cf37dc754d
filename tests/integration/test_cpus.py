"""The CPU manager's policy static: on a host with two CPUs or more, of which the first is reserved."""
import json
import os

import pytest
from support.api import Api, get
from support.device_plugin import PROGRAM, resources
from support.hosts import kubeconfig
from support.node import Node, pod, wait_for

IDLE = ["sh", "-c", "trap exit TERM; sleep 1000 & wait"]
KIND = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
PODS = "/api/v1/namespaces/default/pods"
STATIC = KIND + 'cpuManagerPolicy: static\nreservedSystemCPUs: "0"\ncpuManagerReconcilePeriod: 10s\ntopologyManagerPolicy: none\nmemoryManagerPolicy: None\n'
ONLINE = sorted(os.sched_getaffinity(0))
pytestmark = pytest.mark.skipif(len(ONLINE) < 2 or ONLINE[0] != 0 or not os.path.exists(PROGRAM), reason="wants two CPUs, CPU 0 among them, and device-plugin (tests/peers/build)")


def text(cpus):
    """As the kernel writes a set."""
    ranges, cpus = [], sorted(cpus)
    for c in cpus:
        if ranges and ranges[-1][1] == c - 1:
            ranges[-1][1] = c
        else:
            ranges.append([c, c])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges)


ALL, LEFT = text(ONLINE), text(set(ONLINE) - {1})


@pytest.fixture
def static(busybox_archive):
    n = Node(config=STATIC).start()
    n.nacelle("import", busybox_archive)
    yield n
    n.stop()


def own(name, cpu="1", **fields):
    both = {"cpu": cpu, "memory": "32Mi"}
    return {"name": name, "image": "localhost/busybox:test", "imagePullPolicy": "Never", "command": IDLE,
            "resources": {"requests": both, "limits": both}, **fields}


def allowed(node, container):
    return node.exec(container, "sh", "-c", "grep Cpus_allowed_list /proc/self/status").split()[1]


def on(node, name, cpus):
    wait_for(f"{name} on {cpus}", lambda: (c := node.container(name, "running")) and allowed(node, c) == cpus)


def state(node):
    with open(f"{node.root}/cpu_manager_state") as f:
        return json.load(f)


def uid(node, name):
    return next(p["metadata"]["uid"] for p in node.pod_list() if p["metadata"]["name"] == f"{name}-{node.name}")


def test_a_guaranteed_pod_has_cpus_for_itself(static):
    node = static
    assert wait_for("state", lambda: os.path.exists(f"{node.root}/cpu_manager_state") and state(node))["policyName"] == "static"
    node.write("shares.json", pod("shares", {"name": "shares", "command": IDLE}))
    on(node, "shares", ALL)
    node.write("own.json", pod("own", own("own")))
    on(node, "own", "1")
    on(node, "shares", LEFT)
    first = uid(node, "own")
    assert state(node)["defaultCpuSet"] == LEFT and state(node)["entries"] == {first: {"own": "1"}}
    quota = node.exec(node.running("own"), "sh", "-c", "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null || cut -d' ' -f1 /sys/fs/cgroup/cpu.max")
    assert quota.strip() in ("-1", "max")

    told = resources(node)
    assert [c.get("cpu_ids") for p in told["list"]["pod_resources"] for c in p["containers"] if c["name"] == "own"] == [[1]]
    assert told["allocatable"]["cpu_ids"] == ONLINE[1:]

    ids = {c["metadata"]["name"]: c["id"] for c in node.containers()}
    node.restart()
    wait_for("pods", lambda: len(node.pod_list()) == 2)
    assert {c["metadata"]["name"]: c["id"] for c in node.containers()} == ids
    for name, cpus in (("own", "1"), ("shares", LEFT)):
        assert allowed(node, node.running(name)) == cpus
    node.crictl("stop", "-t", "0", node.running("own")["id"])
    again = node.running("own", attempt=1)
    assert allowed(node, again) == "1"

    node.remove("own.json")
    on(node, "shares", ALL)
    wait_for("state", lambda: state(node)["defaultCpuSet"] == ALL and "entries" not in state(node))


def test_init_containers_leave_theirs(static):
    node = static
    said = "grep Cpus_allowed_list /proc/self/status"
    node.write("inits.json", pod("inits", own("main"), initContainers=[own("first", command=["sh", "-c", said])]))
    on(node, "main", "1")
    assert node.crictl("logs", node.exited("first")["id"]).split()[1] == "1"
    assert state(node)["entries"] == {uid(node, "inits"): {"first": "1", "main": "1"}}


def test_another_policy_wants_the_state_removed(static):
    node = static
    wait_for("state", lambda: os.path.exists(f"{node.root}/cpu_manager_state"))
    node.kill()
    node.config = KIND
    node.start(wait=False)
    assert node.process.wait(timeout=10) != 0
    assert 'configured policy "none" differs from state checkpoint policy "static"' in node.log()
    assert f"please drain this node and delete {node.root}/cpu_manager_state before starting the agent again" in node.log()
    os.unlink(f"{node.root}/cpu_manager_state")
    node.start()
    assert wait_for("state", lambda: os.path.exists(f"{node.root}/cpu_manager_state") and state(node))["policyName"] == "none"


@pytest.mark.parametrize("broken, words", [
    ('{"policyName":"static","defaultCpuSet":"0,900","checksum":0}', "doesn't match with CPUs in state"),
    ('{"policyName":"static","defaultCpuSet":"1","checksum":0}', 'not all reserved cpus: "0" are present in defaultCpuSet'),
    ('{"policyName":"static","defaultCpuSet":"0-1","entries":{"u":{"c":"1"}},"checksum":0}', "overlaps with default cpuset"),
])
def test_states_that_are_wrong(tmp_path, broken, words):
    node = Node(config=STATIC, root=str(tmp_path))
    os.makedirs(node.root)
    with open(f"{node.root}/cpu_manager_state", "w") as f:
        f.write(broken)
    node.start(wait=False)
    try:
        assert node.process.wait(timeout=10) != 0
        assert words in node.log() and f"{node.root}/cpu_manager_state" in node.log()
        with open(f"{node.root}/cpu_manager_state") as f:
            assert f.read() == broken
    finally:
        node.stop()


@pytest.mark.parametrize("broken, words", [
    ("{", "not JSON"),
    ('{"policyName":"static","defaultCpuSet":"1-x","checksum":0}', "could not parse default cpu set"),
    ('{"policyName":"static","defaultCpuSet":"0","checksum":12}', "checkpoint is corrupted"),
])
def test_states_that_are_broken_are_set_aside(static, broken, words):
    """What runs on CPUs of its own goes on with some."""
    node = static
    node.write("own.json", pod("own", own("own")))
    on(node, "own", "1")
    before = node.running("own")["id"]
    node.kill()
    with open(f"{node.root}/cpu_manager_state", "w") as f:
        f.write(broken)
    node.start()
    assert words in node.log() and f"{node.root}/cpu_manager_state.broken" in node.log()
    wait_for("state", lambda: state(node).get("entries") == {uid(node, "own"): {"own": "1"}})
    assert node.running("own")["id"] == before and allowed(node, node.running("own")) == "1"


def test_a_guaranteed_pod_is_not_resized(busybox_archive, tmp_path):
    api = Api(controllers="*").start()
    node = Node(config=STATIC)
    node.options += ["--kubeconfig", kubeconfig(api, tmp_path, node.name)]
    try:
        client = api.client()
        node.start()
        node.nacelle("import", busybox_archive)
        wait_for("Node", lambda: get(client, f"/api/v1/nodes/{node.name}"))
        assert get(client, f"/api/v1/nodes/{node.name}")["status"]["allocatable"]["cpu"] == str(len(ONLINE) - 1)
        made = pod("fixed", own("own"), nodeName=node.name, automountServiceAccountToken=False)
        assert client.ask("POST", PODS, made)[0] == 201
        on(node, "own", "1")
        less = {"cpu": "500m", "memory": "32Mi"}
        assert client.ask("PATCH", f"{PODS}/fixed/resize", {"spec": {"containers": [{"name": "own", "resources": {"requests": less, "limits": less}}]}},
                          **{"Content-Type": "application/strategic-merge-patch+json"})[0] == 200
        pending = wait_for("condition", lambda: next((c for c in get(client, f"{PODS}/fixed")["status"]["conditions"] if c["type"] == "PodResizePending"), None))
        assert pending["reason"] == "Infeasible"
        assert pending["message"] == 'Resize is infeasible for Guaranteed Pods alongside CPU Manager policy "static"'
        assert client.ask("DELETE", f"{PODS}/fixed", {"gracePeriodSeconds": 1})[0] == 200
        wait_for("end", lambda: not node.pods())
    finally:
        node.stop()
        api.stop()
