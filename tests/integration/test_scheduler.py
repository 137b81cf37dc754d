"""The scheduler of nacelle-api: kubectl's pods get nodes, or words why not. Nodes are objects alone but where an agent is asked for."""
import json
import statistics
import subprocess
import time

import pytest
from support.api import BUILD, Api
from support.node import Node, pod, wait_for
from support.hosts import kubeconfig

NODES, PODS = "/api/v1/nodes", "/api/v1/namespaces/default/pods"
BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
MERGE = {"Content-Type": "application/merge-patch+json"}
CONTROLLERS = "serviceaccount,namespace,csrapproving,csrsigning"


@pytest.fixture(scope="module")
def api():
    a = Api(controllers=CONTROLLERS, scheduler=True).start()
    wait_for("account", lambda: a.client().ask("GET", "/api/v1/namespaces/default/serviceaccounts/default")[0] == 200)
    yield a
    a.stop()


def clear(client):
    for path in PODS, NODES, BUDGETS:
        status, answer = client.ask("DELETE", path, {"gracePeriodSeconds": 0})
        assert status == 200, answer


@pytest.fixture
def client(api):
    c = api.client()
    yield c
    clear(c)


def make(client, path, body):
    status, made = client.ask("POST", path, body)
    assert status == 201, made
    return made


def node(client, name, labels={}, spec={}, **allocatable):
    """TaintNodesByCondition has it tainted when it is made: that is taken off."""
    amounts = {"cpu": "2", "memory": "4Gi", "ephemeral-storage": "10Gi", "pods": "110", **allocatable}
    make(client, NODES, {"metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **labels}}})
    assert client.ask("PATCH", f"{NODES}/{name}/status", {"status": {"allocatable": amounts, "capacity": amounts}}, **MERGE)[0] == 200
    assert client.ask("PATCH", f"{NODES}/{name}", {"spec": {"taints": None, **spec}}, **MERGE)[0] == 200


def small(name, cpu="100m", **spec):
    meta = spec.pop("metadata", {})
    return {"metadata": {"name": name, **meta}, "spec": {"containers": [{"name": "c", "image": "i", "resources": {"requests": {"cpu": cpu}}}], **spec}}


def get(client, path):
    status, body = client.ask("GET", path)
    return body if status == 200 else None


def bound(client, name):
    return wait_for(f"node of {name}", lambda: get(client, f"{PODS}/{name}")["spec"].get("nodeName"))


def condition(of):
    return next((c for c in of["status"].get("conditions", []) if c["type"] == "PodScheduled"), None)


def refused(client, name):
    return wait_for(f"refusal of {name}", lambda: (c := condition(get(client, f"{PODS}/{name}"))) and c["status"] == "False" and c)


def events(client, name):
    return [e for e in get(client, "/api/v1/namespaces/default/events")["items"] if e["involvedObject"]["name"] == name]


def test_a_pod_gets_a_node(api, client):
    node(client, "a")
    assert api.kubectl("run", "first", "--image=i").returncode == 0
    assert bound(client, "first") == "a"
    assert condition(get(client, f"{PODS}/first"))["status"] == "True"
    told = wait_for("event", lambda: events(client, "first"))
    assert [(e["type"], e["reason"], e["message"], e["source"]["component"]) for e in told] == [
        ("Normal", "Scheduled", "Successfully assigned default/first to a", "default-scheduler")]
    assert "Successfully assigned default/first to a" in api.kubectl("describe", "pod", "first").stdout


def test_a_pod_that_fits_nowhere_says_why_and_gets_the_next_node_that_helps(api, client):
    node(client, "a", spec={"taints": [{"key": "k", "effect": "NoSchedule"}]})
    node(client, "b", cpu="1")
    make(client, PODS, small("big", cpu="1500m"))
    why = refused(client, "big")
    words = ("0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s). "
             "no new claims to deallocate, preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.")
    assert (why["reason"], why["message"], why["observedGeneration"]) == ("Unschedulable", words, 1)
    told = wait_for("event", lambda: events(client, "big"))
    assert [(e["type"], e["reason"], e["message"]) for e in told] == [("Warning", "FailedScheduling", words)]
    assert api.kubectl("get", "pod", "big").stdout.splitlines()[1].split()[2] == "Pending"
    began = time.monotonic()
    assert api.kubectl("taint", "node", "a", "k-").returncode == 0
    assert bound(client, "big") == "a" and time.monotonic() - began < 5


def test_a_cordoned_node_is_left_alone(api, client):
    node(client, "a")
    assert api.kubectl("cordon", "a").returncode == 0
    make(client, PODS, small("p"))
    assert "1 node(s) were unschedulable" in refused(client, "p")["message"]
    assert api.kubectl("uncordon", "a").returncode == 0
    assert bound(client, "p") == "a"


def test_no_nodes(client):
    make(client, PODS, small("p"))
    assert refused(client, "p")["message"] == "no nodes available to schedule pods"
    node(client, "a")
    assert bound(client, "p") == "a"


def test_gates_and_other_schedulers_are_heeded(api, client):
    node(client, "a")
    make(client, PODS, small("gated", schedulingGates=[{"name": "example.com/g"}]))
    make(client, PODS, small("theirs", schedulerName="mine"))
    make(client, PODS, small("p"))
    assert bound(client, "p") == "a"
    assert refused(client, "gated")["reason"] == "SchedulingGated"
    theirs = get(client, f"{PODS}/theirs")
    assert "nodeName" not in theirs["spec"] and condition(theirs) is None
    assert client.ask("PATCH", f"{PODS}/gated", {"spec": {"schedulingGates": []}}, **MERGE)[0] == 200
    assert bound(client, "gated") == "a"


def test_pods_spread_and_keep_apart(client):
    for name in "abc":
        node(client, name)
    term = {"labelSelector": {"matchLabels": {"app": "x"}}, "topologyKey": "kubernetes.io/hostname"}
    apart = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    for i in range(4):
        make(client, PODS, small(f"p{i}", metadata={"labels": {"app": "x"}}, affinity=apart))
    assert sorted(wait_for("three", lambda: (n := [p["spec"].get("nodeName") for p in get(client, PODS)["items"]]).count(None) == 1 and
                           [x for x in n if x])) == ["a", "b", "c"]
    last = next(p["metadata"]["name"] for p in get(client, PODS)["items"] if "nodeName" not in p["spec"])
    assert refused(client, last)["message"].startswith("0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules. no new claims to deallocate, preemption: ")
    gone = next(p for p in get(client, PODS)["items"] if p["spec"].get("nodeName") == "b")["metadata"]["name"]
    assert client.ask("DELETE", f"{PODS}/{gone}", {"gracePeriodSeconds": 0})[0] == 200
    assert bound(client, last) == "b"


def test_the_important_make_room(api, client):
    node(client, "a", cpu="1")
    make(client, "/apis/scheduling.k8s.io/v1/priorityclasses", {"metadata": {"name": "high"}, "value": 1000})
    make(client, PODS, small("low-1", cpu="500m", metadata={"labels": {"app": "kept"}}))
    make(client, PODS, small("low-2", cpu="500m"))
    assert bound(client, "low-1") == bound(client, "low-2") == "a"
    make(client, BUDGETS, {"metadata": {"name": "b"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "kept"}}}})
    make(client, PODS, small("high", cpu="500m", priorityClassName="high"))
    wait_for("nomination", lambda: get(client, f"{PODS}/high")["status"].get("nominatedNodeName") == "a" or
             get(client, f"{PODS}/high")["spec"].get("nodeName"))
    gone = wait_for("victim", lambda: [p for p in get(client, PODS)["items"] if "deletionTimestamp" in p["metadata"]])
    assert [p["metadata"]["name"] for p in gone] == ["low-2"], "the budget keeps the other"
    told = next(c for c in gone[0]["status"]["conditions"] if c["type"] == "DisruptionTarget")
    assert (told["status"], told["reason"], told["message"]) == ("True", "PreemptionByScheduler", "default-scheduler: preempting to accommodate a higher priority pod")
    assert client.ask("DELETE", f"{PODS}/low-2", {"gracePeriodSeconds": 0})[0] == 200  # as its node does in the end
    assert bound(client, "high") == "a"
    assert "nominatedNodeName" not in get(client, f"{PODS}/high")["status"]
    assert [e["reason"] for e in events(client, "low-2")][-1] == "Preempted"


def test_a_claim_that_is_not_bound_is_waited_for(client):
    node(client, "a")
    make(client, PODS, small("p", volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "x"}}]))
    assert 'persistentvolumeclaim "x" not found' in refused(client, "p")["message"]
    make(client, "/api/v1/namespaces/default/persistentvolumeclaims",
         {"metadata": {"name": "x"}, "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "", "resources": {"requests": {"storage": "1Gi"}}}})
    wait_for("words", lambda: "pod has unbound immediate PersistentVolumeClaims" in condition(get(client, f"{PODS}/p"))["message"])
    assert client.ask("DELETE", "/api/v1/namespaces/default/persistentvolumeclaims/x")[0] == 200


def test_many_pods_fill_the_nodes(client):
    for i in range(10):
        node(client, f"n{i}", cpu="1")
    for i in range(101):
        make(client, PODS, small(f"p{i}"))
    def placed():
        found = [p["spec"].get("nodeName") for p in get(client, PODS)["items"]]
        return found if len([n for n in found if n]) == 100 else None
    found = wait_for("all", placed)
    assert all(found.count(f"n{i}") == 10 for i in range(10))


def test_metrics(client):
    text = client.raw("GET", "/metrics")[2].decode()
    for name in ('scheduler_schedule_attempts_total{profile="default-scheduler",result="scheduled"}', 'scheduler_pending_pods{queue="unschedulable"}',
                 "scheduler_scheduling_algorithm_duration_seconds_count", "scheduler_pod_scheduling_sli_duration_seconds_sum"):
        assert name in text, name


def test_at_rest_a_pod_has_its_node_at_once(client):
    node(client, "a")
    times, watch = [], client.open()
    watch.request("GET", PODS + "?watch=true", headers={"User-Agent": "tests"})
    answer = watch.getresponse()
    for i in range(20):
        began = time.monotonic()
        make(client, PODS, small(f"p{i}", cpu="1m"))
        while json.loads(answer.readline())["object"]["spec"].get("nodeName") is None:
            pass
        times.append(time.monotonic() - began)
        time.sleep(0.01)
    watch.close()
    print(f"created to bound: {statistics.median(times) * 1000:.1f} ms")
    assert statistics.median(times) < 0.25


def test_after_a_kill_every_pod_gets_its_node_and_no_node_too_many():
    a = Api(controllers=CONTROLLERS, scheduler=True).start()
    try:
        c = a.client()
        wait_for("account", lambda: c.ask("GET", "/api/v1/namespaces/default/serviceaccounts/default")[0] == 200)
        for i in range(5):
            node(c, f"n{i}", cpu="2")
        for i in range(100):
            make(c, PODS, small(f"p{i}"))
            if i % 40 == 30:
                a.process.kill()
                a.process.wait()
                a.start()
                c = a.client()
        found = wait_for("all", lambda: (n := [p["spec"].get("nodeName") for p in get(c, PODS)["items"]]).count(None) == 0 and n)
        assert len(found) == 100 and all(found.count(f"n{i}") == 20 for i in range(5))
    finally:
        a.stop()


def test_turned_off_it_leaves_pods_alone(api):
    other = Api(controllers=CONTROLLERS).start()
    try:
        c = other.client()
        wait_for("account", lambda: c.ask("GET", "/api/v1/namespaces/default/serviceaccounts/default")[0] == 200)
        node(c, "a")
        make(c, PODS, small("p"))
        with subprocess.Popen([f"{BUILD}/tests/conformance/run_scheduler", other.kubeconfig], stdin=subprocess.PIPE) as elsewhere:
            assert bound(c, "p") == "a"
            elsewhere.stdin.close()
            assert elsewhere.wait(10) == 0
        make(c, PODS, small("q"))
        time.sleep(0.3)
        assert "nodeName" not in get(c, f"{PODS}/q")["spec"] and condition(get(c, f"{PODS}/q")) is None
    finally:
        other.stop()


def test_with_an_agent_a_pod_runs(api, client, busybox_archive, tmp_path):
    n = Node()
    n.options += ["--kubeconfig", kubeconfig(api, tmp_path, n.name)]
    n.start()
    try:
        n.nacelle("import", busybox_archive)
        wait_for("Node", lambda: get(client, f"{NODES}/{n.name}"))
        assert client.ask("PATCH", f"{NODES}/{n.name}", {"spec": {"taints": None}}, **MERGE)[0] == 200
        times = []
        for i in range(8):
            began = time.monotonic()
            make(client, PODS, pod(f"p{i}", "sleep 1000", automountServiceAccountToken=False))
            wait_for("Running", lambda: get(client, f"{PODS}/p{i}")["status"].get("phase") == "Running", interval=0.001)
            times.append(time.monotonic() - began)
        print(f"created to Running: {statistics.median(times) * 1000:.1f} ms")
        assert get(client, f"{PODS}/p0")["spec"]["nodeName"] == n.name
        assert client.ask("DELETE", PODS)[0] == 200
        wait_for("end", lambda: not get(client, PODS)["items"])
    finally:
        n.stop()
