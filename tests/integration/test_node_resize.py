"""Pods of nacelle-api's cluster that are resized while they run (KEP-1287), and critical ones that displace others."""
import os

import pytest
from support.api import get
from support.hosts import joined_node, remove_pods
from support.node import pod, wait_for

PODS = "/api/v1/namespaces/default/pods"
CPU = os.cpu_count() * 1000


@pytest.fixture(scope="module")
def node(api, busybox_archive, tmp_path_factory):
    with joined_node(api, busybox_archive, tmp_path_factory.mktemp("node")) as n:
        yield n


@pytest.fixture
def joined(client, node):
    """Without pods in the end, at the node neither: what they hold counts for the next test."""
    yield node
    remove_pods(client, node)


def cores(milli):
    return f"{milli}m" if milli % 1000 else str(milli // 1000)


def amounts(cpu, memory="64Mi"):
    return {"cpu": cores(cpu), "memory": memory}


def sized(name, cpu, memory="64Mi", **fields):
    both = amounts(cpu, memory)
    return {"name": name, "command": ["sleep", "1000"], "resources": {"requests": both, "limits": both}, **fields}


def run(client, name, *containers, node, **spec):
    made = pod(name, *containers, nodeName=node.name, automountServiceAccountToken=False, terminationGracePeriodSeconds=1, **spec)
    status, body = client.ask("POST", PODS, made)
    assert status == 201, body
    wait_for(f"{name} running", lambda: found(client, name)["status"].get("phase") == "Running")


def found(client, name):
    return get(client, f"{PODS}/{name}")


def resize(client, name, cpu, memory="64Mi", container="c"):
    both = amounts(cpu, memory)
    patch = {"spec": {"containers": [{"name": container, "resources": {"requests": both, "limits": both}}]}}
    status, body = client.ask("PATCH", f"{PODS}/{name}/resize", patch, **{"Content-Type": "application/strategic-merge-patch+json"})
    assert status == 200, body
    return body["metadata"]["generation"]


def waits(client, name):
    """Its conditions of a resize, by type."""
    return {c["type"]: c for c in found(client, name)["status"].get("conditions", []) if c["type"].startswith("PodResize")}


def is_resized(client, name, generation, cpu):
    status = found(client, name)["status"]
    has = status["containerStatuses"][0].get("resources", {})
    return (status.get("observedGeneration") == generation and not waits(client, name) and has.get("requests", {}).get("cpu") == cores(cpu)
            and "running" in status["containerStatuses"][0]["state"])


def events(client, name):
    return [(e["reason"], e["message"]) for e in get(client, "/api/v1/namespaces/default/events")["items"] if e["involvedObject"]["name"] == name]


def limit(node, container, controller, v1, v2):
    """A file of the container's cgroup as it sees it."""
    return node.exec(container, "sh", "-c", f"cat /sys/fs/cgroup/{controller}/{v1} 2>/dev/null || cat /sys/fs/cgroup/{v2}").split()[0]


def memory_limit(node, container):
    return limit(node, container, "memory", "memory.limit_in_bytes", "memory.max")


def cpu_quota(node, container):
    return limit(node, container, "cpu", "cpu.cfs_quota_us", "cpu.max")


def test_a_running_container_is_resized(client, joined):
    """Nothing restarts, the kernel has the new limits, and a new agent finds them."""
    run(client, "grows", sized("c", 50), node=joined)
    c = joined.running("c")
    assert (cpu_quota(joined, c), memory_limit(joined, c)) == ("5000", str(64 << 20))
    generation = resize(client, "grows", 100, "96Mi")
    wait_for("resize", lambda: is_resized(client, "grows", generation, 100))
    assert (cpu_quota(joined, c), memory_limit(joined, c)) == ("10000", str(96 << 20))
    generation = resize(client, "grows", 60, "32Mi")
    wait_for("resize", lambda: is_resized(client, "grows", generation, 60))
    assert (cpu_quota(joined, c), memory_limit(joined, c)) == ("6000", str(32 << 20))
    status = found(client, "grows")["status"]["containerStatuses"][0]
    assert status["restartCount"] == 0 and status["allocatedResources"] == status["resources"]["requests"] == status["resources"]["limits"] == amounts(60, "32Mi")
    wait_for("events", lambda: {"ResizeStarted", "ResizeCompleted"} <= {reason for reason, _ in events(client, "grows")})
    summary = '{"containers":[{"name":"c","resources":{"limits":{"cpu":"60m","memory":"32Mi"},"requests":{"cpu":"60m","memory":"32Mi"}}}],"generation":3}'
    wait_for("event", lambda: ("ResizeCompleted", "Pod resize completed: " + summary) in events(client, "grows"))
    joined.kill()
    joined.start()
    wait_for("status", lambda: is_resized(client, "grows", generation, 60))
    assert joined.running("c")["id"] == c["id"]


def test_a_resize_waits_for_others(client, joined):
    """Deferred while the node has not as much, over a restart of the agent too; then it comes."""
    run(client, "holds", sized("h", CPU * 6 // 10), node=joined)
    run(client, "small", sized("c", 100), node=joined)
    c = joined.running("c")
    generation = resize(client, "small", CPU // 2)
    pending = wait_for("condition", lambda: waits(client, "small").get("PodResizePending"))
    used = CPU * 6 // 10
    assert (pending["reason"], pending["message"], pending["observedGeneration"]) == (
        "Deferred", f"Node didn't have enough resource: cpu, requested: {CPU // 2}, used: {used}, capacity: {CPU}", generation)
    assert cpu_quota(joined, c) == "10000"
    joined.kill()
    joined.start()
    wait_for("the agent's word", lambda: (lambda own: own and own[0]["status"]["containerStatuses"][0]["allocatedResources"]["cpu"] == "100m"
             and "PodResizePending" in [c["type"] for c in own[0]["status"]["conditions"]])([p for p in joined.pod_list() if p["metadata"]["name"] == "small"]))
    assert cpu_quota(joined, c) == "10000" and "ResizeDeferred" in {reason for reason, _ in events(client, "small")}
    client.ask("DELETE", f"{PODS}/holds")
    wait_for("resize", lambda: is_resized(client, "small", generation, CPU // 2))
    assert cpu_quota(joined, c) == str(CPU // 2 * 100)


def test_a_resize_waits_for_one_that_shrinks(client, joined):
    run(client, "holds", sized("h", CPU * 6 // 10), node=joined)
    run(client, "small", sized("c", 100), node=joined)
    generation = resize(client, "small", CPU // 2)
    wait_for("condition", lambda: waits(client, "small").get("PodResizePending"))
    resize(client, "holds", 200, container="h")
    wait_for("resize", lambda: is_resized(client, "small", generation, CPU // 2))


def test_a_policy_restarts_the_container(client, joined):
    policy = [{"resourceName": "memory", "restartPolicy": "RestartContainer"}]
    run(client, "policy", sized("c", 50, resizePolicy=policy), node=joined)
    first = joined.running("c")
    generation = resize(client, "policy", 60)
    wait_for("resize", lambda: is_resized(client, "policy", generation, 60))
    assert joined.running("c")["id"] == first["id"]
    generation = resize(client, "policy", 60, "96Mi")
    wait_for("restart", lambda: found(client, "policy")["status"]["containerStatuses"][0]["restartCount"] == 1)
    wait_for("resize", lambda: is_resized(client, "policy", generation, 60))
    second = joined.running("c")
    assert second["id"] != first["id"] and memory_limit(joined, second) == str(96 << 20)
    assert ("Killing", "Container c resize requires restart") in events(client, "policy")
    generation = resize(client, "policy", 50, "64Mi")
    wait_for("resize", lambda: is_resized(client, "policy", generation, 50), timeout=40)
    third = joined.running("c")
    assert third["id"] != second["id"] and (cpu_quota(joined, third), memory_limit(joined, third)) == ("5000", str(64 << 20))


def test_memory_in_use_is_not_taken(client, joined):
    holds = sized("c", 100, "96Mi", command=["sh", "-c", "head -c 50000000 /dev/zero >/dev/shm/x; touch /done; exec sleep 1000"])
    run(client, "full", holds, node=joined)
    c = joined.running("c")
    wait_for("memory", lambda: "done" in joined.exec(c, "ls", "/"))
    resize(client, "full", 100, "32Mi")
    under_way = wait_for("failure", lambda: (lambda c: c if c and c.get("reason") else None)(waits(client, "full").get("PodResizeInProgress")))
    assert under_way["reason"] == "Error" and under_way["message"].startswith("cannot decrease memory limits: [attempting to set pod memory limit (33554432) below current usage (")
    assert memory_limit(joined, c) == str(96 << 20)
    status = found(client, "full")["status"]["containerStatuses"][0]
    assert (status["allocatedResources"]["memory"], status["resources"]["limits"]["memory"]) == ("32Mi", "96Mi")
    wait_for("event", lambda: "ResizeError" in {reason for reason, _ in events(client, "full")})
    joined.exec(c, "rm", "/dev/shm/x")
    generation = resize(client, "full", 110, "32Mi")
    wait_for("resize", lambda: is_resized(client, "full", generation, 110))
    assert memory_limit(joined, c) == str(32 << 20)


def test_critical_pods_displace_others(client, joined):
    """The least that is enough, with its own grace period; the critical one runs when that is over."""
    run(client, "bystander", sized("b", CPU // 10), node=joined)
    run(client, "victim", sized("v", CPU * 7 // 10), node=joined)
    run(client, "critical", sized("k", CPU // 2), node=joined, priorityClassName="system-node-critical")
    status = found(client, "victim")["status"]
    assert (status["phase"], status["reason"], status["message"]) == ("Failed", "Preempting", "Preempted in order to admit critical pod")
    target = next(c for c in status["conditions"] if c["type"] == "DisruptionTarget")
    assert (target["status"], target["reason"], target["message"]) == (
        "True", "TerminationByKubelet", "Pod was preempted by Kubelet to accommodate a critical pod.")
    assert ("Preempting", "Preempted in order to admit critical pod") in events(client, "victim")
    assert found(client, "bystander")["status"]["phase"] == "Running"
    joined.kill()
    joined.start()
    wait_for("status", lambda: found(client, "critical")["status"]["phase"] == "Running")
    assert found(client, "victim")["status"]["reason"] == "Preempting"


def test_the_place_of_a_pod_deleted_at_once(client, joined):
    """It is free when the service has the pod no more, though the node still ends it."""
    slow = sized("v", CPU * 7 // 10, command=["sh", "-c", "trap '' TERM; while true; do sleep 1; done"])
    run(client, "slow", slow, node=joined)
    client.ask("DELETE", f"{PODS}/slow", {"gracePeriodSeconds": 0})
    wait_for("end", lambda: not found(client, "slow"))
    run(client, "next", sized("n", CPU * 7 // 10), node=joined)


def test_a_static_pod_displaces_others(client, joined):
    run(client, "victim", sized("v", CPU * 7 // 10), node=joined)
    joined.write("static.yaml", pod("static", sized("s", CPU // 2)))
    try:
        assert joined.running("s")
        assert found(client, "victim")["status"]["reason"] == "Preempting"
    finally:
        joined.remove("static.yaml")
