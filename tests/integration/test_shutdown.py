"""The host goes down: logind says so by the system bus, and holds it back until the pods have ended in order."""
import time

import pytest

from support.hosts import kubeconfig
from support.logind import Bus
from support.node import Node, free_number, pod, wait_for
from support.workloads import Namespace, eventually

KIND = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
LOCK = ("shutdown", "nacelle-agent", "Pods are ended in order", "delay")
MESSAGE = "Pod was terminated in response to imminent node shutdown."
CRITICAL = {"priorityClassName": "system-node-critical", "priority": 2000001000}
DEAF = "trap '' TERM; while true; do sleep 1; done"
HEARS = "trap 'exit 0' TERM; while true; do sleep 0.1; done"


def condition(status, kind):
    return next((c for c in status.get("conditions", []) if c["type"] == kind), {})


@pytest.fixture
def bus():
    made = []

    def make(**kwargs):
        made.append(Bus(**kwargs).start())
        return made[-1]

    yield make
    for b in made:
        b.stop()


@pytest.fixture
def on_bus(new_node, bus):
    """An agent that waits for a bus' shutdowns: on_bus(config)."""
    def make(config, *options, delay_s=60, locked=True, **kwargs):
        b = bus(delay_s=delay_s)
        n = new_node(*options, config=KIND + config, env=b.env, before=b.before if delay_s < 60 else (), **kwargs)
        if locked:
            wait_for("lock", lambda: b.locks() == [LOCK])
        return n, b
    return make


def ended(node, name):
    """When its container ended, in the log's order of pods' ends."""
    return node.status(name)["containerStatuses"][0]["state"]["terminated"]["finishedAt"]


def is_shut_down(status):
    disruption = condition(status, "DisruptionTarget")
    assert (status["phase"], status["reason"], status["message"]) == ("Failed", "Terminated", MESSAGE)
    assert (disruption["status"], disruption["reason"], disruption["message"]) == ("True", "TerminationByKubelet", MESSAGE)
    return True


def has_ended_well(status):
    """In its grace: for kubelet that is no failure."""
    assert status["phase"] == "Succeeded" and not {"reason", "message"} & status.keys() and condition(status, "DisruptionTarget")["status"] == "True"
    return True


def test_pods_of_files_end_by_priority_and_the_host_goes(on_bus):
    node, bus = on_bus("shutdownGracePeriod: 30s\nshutdownGracePeriodCriticalPods: 15s\n")
    node.write("low.yaml", pod("low", "trap 'sleep 2; exit 0' TERM; while true; do sleep 0.1; done", terminationGracePeriodSeconds=20))
    node.write("high.yaml", pod("high", "trap 'sleep 1; exit 0' TERM; while true; do sleep 0.1; done", terminationGracePeriodSeconds=20, **CRITICAL))
    node.write("done.yaml", pod("done", "true", restartPolicy="Never"))
    for name in ("low", "high"):
        wait_for(name, lambda: node.status(name).get("phase") == "Running")
    wait_for("end of done", lambda: node.status("done").get("phase") == "Succeeded")
    began = time.monotonic()
    bus.prepare(True)
    wait_for("refusal", lambda: "within 15 s" in node.log())
    node.write("late.yaml", pod("late", HEARS))
    late = wait_for("refusal", lambda: node.status("late").get("reason") and node.status("late"))
    assert (late["phase"], late["reason"], late["message"]) == ("Failed", "NodeShutdown", "Pod was rejected: Pod was rejected as the node is shutting down.")
    wait_for("end of the lock", lambda: bus.locks() == [])
    assert time.monotonic() - began < 25
    assert is_shut_down(node.status("low")) and is_shut_down(node.status("high"))
    assert node.status("done")["phase"] == "Succeeded" and "reason" not in node.status("done")
    assert ended(node, "low") < ended(node, "high")
    assert node.log().index("priority 0 and more end") < node.log().index("priority 2000000000 and more end") < node.log().index("the host may go down")
    assert any(e["reason"] == "NodeShutdown" and e["message"] == "Shutdown manager detected shutdown event" for e in events(node))


def events(node):
    import json
    return json.loads(node.get("/events"))["items"]


def test_called_off_the_node_goes_on(on_bus):
    node, bus = on_bus("shutdownGracePeriod: 20s\n")
    node.write("a.yaml", pod("a", HEARS))
    wait_for("pod", lambda: node.status("a").get("phase") == "Running")
    bus.prepare(True)
    wait_for("end of the lock", lambda: bus.locks() == [])
    node.write("late.yaml", pod("late", HEARS))
    wait_for("refusal", lambda: node.status("late").get("reason") == "NodeShutdown")
    bus.prepare(False)
    for name in ("a", "late"):
        wait_for(f"{name} again", lambda: node.status(name).get("phase") == "Running")
    assert "reason" not in node.status("a") and wait_for("lock", lambda: bus.locks() == [LOCK])


def test_called_off_while_the_bus_is_away(on_bus):
    """Who is given a lock has no shutdown to wait for any more: logind refuses it during one."""
    node, bus = on_bus("shutdownGracePeriod: 20s\n")
    bus.prepare(True)
    wait_for("end of the lock", lambda: bus.locks() == [])
    node.write("late.yaml", pod("late", HEARS))
    wait_for("refusal", lambda: node.status("late").get("reason") == "NodeShutdown")
    bus.restart()
    wait_for("late again", lambda: node.status("late").get("phase") == "Running")
    wait_for("lock", lambda: bus.locks() == [LOCK])


def test_pods_of_files_are_there_after_the_next_boot(on_bus):
    node, bus = on_bus("shutdownGracePeriod: 20s\n")
    node.write("a.yaml", pod("a", HEARS))
    node.write("once.yaml", pod("once", HEARS, restartPolicy="Never"))
    for name in ("a", "once"):
        wait_for(name, lambda: node.status(name).get("phase") == "Running")
    bus.prepare(True)
    wait_for("end of the lock", lambda: bus.locks() == [])
    assert is_shut_down(node.status("a")) and has_ended_well(node.status("once"))
    node.restart()
    wait_for("pod", lambda: node.status("a").get("phase") == "Running")
    assert node.status("a")["containerStatuses"][0]["restartCount"] == 1 and "reason" not in node.status("a")
    assert node.status("once")["phase"] == "Succeeded"  # as its container has ended


def test_who_does_not_end_is_killed_when_the_group_s_time_is_over(on_bus):
    node, bus = on_bus("shutdownGracePeriodByPodPriority:\n- {priority: 1000, shutdownGracePeriodSeconds: 1}\n- {priority: 0, shutdownGracePeriodSeconds: 2}\n"
                       "- {priority: 100, shutdownGracePeriodSeconds: 1}\n")
    for name, priority in (("below", -5), ("low", 99), ("middle", 500), ("high", 5000)):
        node.write(name + ".yaml", pod(name, DEAF, terminationGracePeriodSeconds=600, priority=priority))
    for name in ("below", "low", "middle", "high"):
        wait_for(name, lambda: node.status(name).get("phase") == "Running")
    bus.prepare(True)
    wait_for("end of the lock", lambda: bus.locks() == [])
    for name in ("below", "low", "middle", "high"):
        assert wait_for(name, lambda: node.status(name)["containerStatuses"][0]["state"].get("terminated"))["exitCode"] == 137
        assert is_shut_down(node.status(name))
    for least, n, seconds in ((0, 2, 2), (100, 1, 1), (1000, 1, 1)):
        assert f"shutdown: {n} pods of priority {least} and more end within {seconds} s" in node.log()


def test_logind_s_delay_is_raised(on_bus):
    node, bus = on_bus("shutdownGracePeriod: 30s\n", delay_s=5, locked=False)
    wait_for("SIGHUP", lambda: bus.signals() == [("systemd-logind.service", "all", "1")])
    assert bus.drop_in() == 30
    bus.reload()
    wait_for("lock", lambda: bus.locks() == [LOCK])
    assert "did not help" not in node.log()


def test_a_delay_that_stays_short_is_told_once_and_made_do_with(on_bus):
    node, bus = on_bus("shutdownGracePeriod: 30s\n", delay_s=5)
    assert node.log().count("set InhibitDelayMaxSec=30 in logind.conf(5) and restart systemd-logind") == 1


def test_without_a_bus_the_node_works_and_a_bus_that_comes_is_found(new_node, bus):
    b = Bus()
    node = new_node(config=KIND + "shutdownGracePeriod: 5s\n", env=b.env)
    node.write("a.yaml", pod("a", HEARS))
    wait_for("pod", lambda: node.status("a").get("phase") == "Running")
    assert node.log().count("until that works the host goes down without waiting for pods") == 1
    b.start()
    try:
        wait_for("lock", lambda: b.locks() == [LOCK], timeout=20)
    finally:
        b.stop()
    wait_for("its end is told", lambda: "the system bus has gone" in node.log())
    assert node.status("a")["phase"] == "Running"


def test_without_the_option_no_library_is_loaded(new_node):
    node = new_node()
    with open(f"/proc/{node.process.pid}/maps") as f:
        assert "libsystemd" not in f.read()


@pytest.mark.parametrize("text,error", [
    ("shutdownGracePeriod: 500ms", "shutdownGracePeriod: 500ms is too short"),
    ("shutdownGracePeriod: 5s\nshutdownGracePeriodCriticalPods: 10s", "shutdownGracePeriodCriticalPods: 10s is more than shutdownGracePeriod (5s)"),
    ("shutdownGracePeriod: 5s\nshutdownGracePeriodByPodPriority: [{priority: 1, shutdownGracePeriodSeconds: 1}]", "one of them has to go"),
    ("shutdownGracePeriodByPodPriority: [{priority: 1, seconds: 1}]", "shutdownGracePeriodByPodPriority: seconds: unknown field"),
    ("shutdownGracePeriodByPodPriority: [{priority: 1, shutdownGracePeriodSeconds: -1}]", "-1 is not within 0 to 86400"),
    ("shutdownGracePeriodByPodPriority: 5", "wants a list"),
])
def test_what_cannot_be_is_said(text, error):
    node = Node(config=KIND + text + "\n")
    node.start(wait=False)
    assert node.process.wait(10) == 2 and error in node.log()
    node.stop()


def test_the_cluster_hears_of_it(api, on_bus, tmp_path):
    number = free_number()
    config = kubeconfig(api, tmp_path, f"node{number}")
    node, bus = on_bus("shutdownGracePeriod: 20s\nshutdownGracePeriodCriticalPods: 10s\n", "--kubeconfig", config, number=number)
    ns = Namespace(api.client())
    path = f"/api/v1/nodes/{node.name}"
    wait_for("Ready", lambda: condition(ns.get(path)["status"], "Ready").get("status") == "True")
    for name, command in ("a", HEARS.replace("exit 0", "exit 3")), ("well", HEARS):
        ns.ask("POST", ns.core + "pods", pod(name, command, nodeName=node.name, automountServiceAccountToken=False, terminationGracePeriodSeconds=30))
    node.write("s.yaml", pod("s", HEARS))
    mirror = f"/api/v1/namespaces/default/pods/s-{node.name}"
    status = lambda p: (ns.get(p) or {}).get("status", {})
    for p in (ns.core + "pods/a", ns.core + "pods/well", mirror):
        assert eventually(lambda: status(p).get("phase") == "Running")
    bus.prepare(True)
    wait_for("end of the lock", lambda: bus.locks() == [])
    # what the host's end would have cut off has been told by then
    ready = condition(ns.get(path)["status"], "Ready")
    assert (ready["status"], ready["reason"], ready["message"]) == ("False", "KubeletNotReady", "node is shutting down")
    assert is_shut_down(status(ns.core + "pods/a")) and has_ended_well(status(ns.core + "pods/well")) and is_shut_down(status(mirror))
    assert "has not heard" not in node.log()
    ns.ask("POST", ns.core + "pods", pod("late", HEARS, nodeName=node.name, automountServiceAccountToken=False))
    assert eventually(lambda: status(ns.core + "pods/late").get("reason") == "NodeShutdown")
    bus.prepare(False)
    assert eventually(lambda: condition(ns.get(path)["status"], "Ready").get("status") == "True")
    assert eventually(lambda: status(mirror).get("phase") == "Running")
    assert not {"reason", "message"} & status(mirror).keys() and not condition(status(mirror), "DisruptionTarget")
    # what has failed for good does not come back with the agent
    node.restart()
    wait_for("list", lambda: bus.locks() == [LOCK])
    time.sleep(1)
    assert is_shut_down(status(ns.core + "pods/a")) and has_ended_well(status(ns.core + "pods/well"))
    assert [c for c in node.containers() if c["state"] == "CONTAINER_RUNNING" and c["metadata"]["name"] == "main" and c["labels"]["io.kubernetes.pod.name"] == "a"] == []
    for name in ("a", "well", "late"):
        ns.delete(f"{ns.core}pods/{name}")
    ns.delete(f"/api/v1/namespaces/{ns.name}")
