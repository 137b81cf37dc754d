"""The agent as a node of nacelle-api's cluster: real services, one connection with the node's own certificate."""
import json
import os
import signal
import time

import pytest
from support.api import Api, get, node_kubeconfig
from support.node import Node, pod, wait_for

LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
PODS = "/api/v1/namespaces/default/pods"


@pytest.fixture(scope="module")
def api():
    a = Api(controllers="*").start()
    yield a
    a.stop()


@pytest.fixture
def client(api):
    return api.client()


@pytest.fixture(scope="module")
def joined(api, busybox_archive, tmp_path_factory):
    n = Node()
    n.options += ["--kubeconfig", node_kubeconfig(api, api.client(), tmp_path_factory.mktemp("node"), n.name)]
    n.start()
    n.nacelle("import", busybox_archive)
    wait_for("Node", lambda: get(api.client(), f"/api/v1/nodes/{n.name}"))
    yield n
    api.kubectl("delete", "pods", "--all", "--force", "--grace-period=0", "--wait=false")
    n.stop()


def conditions(of):
    return {c["type"]: c for c in of.get("status", {}).get("conditions", [])}


def test_the_node_is_there(api, client, joined):
    node = wait_for("heartbeat", lambda: (lambda n: n if conditions(n)["Ready"]["lastHeartbeatTime"] else None)(get(client, f"/api/v1/nodes/{joined.name}")))
    assert {t: c["status"] for t, c in conditions(node).items()} == {"Ready": "True", "MemoryPressure": "False", "DiskPressure": "False", "PIDPressure": "False"}
    assert node["metadata"]["labels"]["kubernetes.io/hostname"] == joined.name and node["metadata"]["labels"]["kubernetes.io/os"] == "linux"
    assert {a["type"]: a["address"] for a in node["status"]["addresses"]} == {"InternalIP": "127.0.0.1", "Hostname": joined.name}
    assert set(node["status"]["capacity"]) == set(node["status"]["allocatable"]) == {"cpu", "memory", "pods", "ephemeral-storage"}
    assert node["status"]["nodeInfo"]["kernelVersion"] == os.uname().release
    listed = api.kubectl("get", "nodes", "-o", "wide").stdout.splitlines()
    assert listed[1].split()[:2] == [joined.name, "Ready"], listed
    lease = wait_for("lease", lambda: get(client, f"{LEASES}/{joined.name}"))
    assert lease["spec"]["holderIdentity"] == joined.name and lease["spec"]["leaseDurationSeconds"] == 40
    first = lease["spec"]["renewTime"]
    wait_for("renewal", lambda: get(client, f"{LEASES}/{joined.name}")["spec"]["renewTime"] != first, timeout=15, interval=0.2)


def test_a_deleted_node_registers_again(client, joined):
    uid = get(client, f"/api/v1/nodes/{joined.name}")["metadata"]["uid"]
    assert client.ask("DELETE", f"/api/v1/nodes/{joined.name}")[0] == 200
    joined.restart()
    wait_for("Node", lambda: (get(client, f"/api/v1/nodes/{joined.name}") or {}).get("metadata", {}).get("uid", uid) != uid)


def run(client, name, *containers, node, **spec):
    made = pod(name, *containers, nodeName=node.name, automountServiceAccountToken=False, **spec)
    status, body = client.ask("POST", PODS, made)
    assert status == 201, body
    return body


def phase(client, name, wanted, timeout=20):
    def probe():
        found = get(client, f"{PODS}/{name}")
        return found if found and found["status"].get("phase") == wanted else None
    return wait_for(f"{name} {wanted}", probe, timeout)


def test_a_pod_runs_and_goes(api, client, joined):
    made = run(client, "one", "trap 'sleep 0.3; exit 0' TERM; echo here; while :; do sleep 0.1; done", node=joined, terminationGracePeriodSeconds=10)
    running = phase(client, "one", "Running")
    status = running["status"]
    assert {t: c["status"] for t, c in conditions(running).items()} == {"PodReadyToStartContainers": "True", "Initialized": "True", "Ready": "True",
                                                                      "ContainersReady": "True", "PodScheduled": "True"}
    assert status["observedGeneration"] == running["metadata"]["generation"] == conditions(running)["Ready"]["observedGeneration"]
    own = joined.container("main", "running")
    assert status["podIP"] == joined.inspectp(own["podSandboxId"])["status"]["network"]["ip"] and status["podIPs"][0] == {"ip": status["podIP"]}
    assert status["hostIP"] == "127.0.0.1" and status["startTime"]
    assert status["containerStatuses"][0]["containerID"] == "nacelle://" + own["id"] and status["containerStatuses"][0]["ready"]
    assert own["labels"]["io.kubernetes.pod.uid"] == made["metadata"]["uid"]
    assert api.kubectl("get", "pod", "one").stdout.splitlines()[1].split()[1:4] == ["1/1", "Running", "0"]
    events = json.loads(api.kubectl("get", "events", "-o", "json").stdout)["items"]
    assert {"Created", "Started"} <= {e["reason"] for e in events if e["involvedObject"]["uid"] == made["metadata"]["uid"]}
    began = time.monotonic()
    done = api.kubectl("delete", "pod", "one")
    assert done.returncode == 0 and time.monotonic() - began < 8, done
    assert get(client, f"{PODS}/one") is None
    wait_for("end of the container", lambda: joined.container("main") is None)


def test_a_pod_ends(client, joined):
    run(client, "ends", "exit 0", node=joined, restartPolicy="Never")
    run(client, "fails", "exit 3", node=joined, restartPolicy="Never")
    assert phase(client, "ends", "Succeeded")["status"]["containerStatuses"][0]["state"]["terminated"]["reason"] == "Completed"
    assert phase(client, "fails", "Failed")["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 3
    joined.restart()
    for name in ("ends", "fails"):
        assert client.ask("DELETE", f"{PODS}/{name}")[0] == 200
        wait_for("end", lambda: get(client, f"{PODS}/{name}") is None)


def test_a_pod_deleted_at_once_goes(client, joined):
    run(client, "now", "sleep 1000", node=joined)
    phase(client, "now", "Running")
    assert client.ask("DELETE", f"{PODS}/now", {"gracePeriodSeconds": 0})[0] == 200
    assert get(client, f"{PODS}/now") is None
    wait_for("end of the container", lambda: joined.container("main") is None)


def test_a_pod_of_the_same_name_follows(client, joined):
    first = run(client, "again", "sleep 1000", node=joined)
    phase(client, "again", "Running")
    client.ask("DELETE", f"{PODS}/again", {"gracePeriodSeconds": 0})
    second = run(client, "again", "sleep 1000", node=joined)
    assert phase(client, "again", "Running")["metadata"]["uid"] == second["metadata"]["uid"] != first["metadata"]["uid"]
    client.ask("DELETE", f"{PODS}/again")
    wait_for("end", lambda: get(client, f"{PODS}/again") is None)


def test_the_service_away(api, client, joined):
    """kill -9 of the service: pods go on; what changed meanwhile is told when it is back, and what was deleted ends."""
    run(client, "stays", "echo x; exec sleep 1000", node=joined)
    run(client, "ends-meanwhile", "while [ ! -e /tmp/end ]; do sleep 0.1; done", node=joined, restartPolicy="Never")
    phase(client, "stays", "Running")
    phase(client, "ends-meanwhile", "Running")
    kept = {c["id"] for c in joined.containers() if c["labels"]["io.kubernetes.pod.name"] == "stays"}
    api.process.send_signal(signal.SIGKILL)
    api.process.wait(10)
    other = next(c for c in joined.containers() if c["labels"]["io.kubernetes.pod.name"] == "ends-meanwhile")
    joined.exec(other, "touch", "/tmp/end")
    joined.exited("main")
    assert {c["id"] for c in joined.containers() if c["labels"]["io.kubernetes.pod.name"] == "stays" and c["state"] == "CONTAINER_RUNNING"} == kept
    api.start()
    client = api.client()
    phase(client, "ends-meanwhile", "Succeeded", timeout=40)
    assert phase(client, "stays", "Running")["status"]["containerStatuses"][0]["restartCount"] == 0
    for name in ("stays", "ends-meanwhile"):
        client.ask("DELETE", f"{PODS}/{name}")
        wait_for("end", lambda: get(client, f"{PODS}/{name}") is None, timeout=40)


def test_the_agent_killed(api, client, joined):
    """No container restarts; what was deleted meanwhile ends; without the service, too, pods are kept."""
    run(client, "kept", "exec sleep 1000", node=joined)
    run(client, "deleted", "exec sleep 1000", node=joined)
    phase(client, "kept", "Running")
    phase(client, "deleted", "Running")
    kept = {c["id"] for c in joined.containers() if c["labels"]["io.kubernetes.pod.name"] == "kept"}
    joined.kill()
    client.ask("DELETE", f"{PODS}/deleted", {"gracePeriodSeconds": 0})
    run(client, "meanwhile", {"name": "meanwhile", "command": ["sleep", "1000"]}, node=joined)
    joined.start()
    wait_for("end of the deleted one", lambda: {c["id"] for c in joined.containers() if c["metadata"]["name"] == "main"} == kept)
    phase(client, "meanwhile", "Running")
    client.ask("DELETE", f"{PODS}/meanwhile", {"gracePeriodSeconds": 0})
    wait_for("its end", lambda: {c["id"] for c in joined.containers()} == kept)
    assert phase(client, "kept", "Running")["status"]["containerStatuses"][0]["restartCount"] == 0
    joined.kill()
    api.process.send_signal(signal.SIGKILL)
    api.process.wait(10)
    joined.start()
    time.sleep(1)
    assert {c["id"] for c in joined.containers() if c["state"] == "CONTAINER_RUNNING"} == kept
    api.start()
    client = api.client()
    client.ask("DELETE", f"{PODS}/kept")
    wait_for("end", lambda: get(client, f"{PODS}/kept") is None, timeout=40)


def test_static_pods_beside(client, joined):
    joined.write("own.yaml", pod("own", "exec sleep 1000"))
    joined.running("main")
    run(client, "theirs", {"name": "theirs", "command": ["sleep", "1000"]}, node=joined)
    phase(client, "theirs", "Running")
    client.ask("DELETE", f"{PODS}/theirs")
    wait_for("end", lambda: get(client, f"{PODS}/theirs") is None)
    assert joined.container("main", "running")
    joined.remove("own.yaml")
    wait_for("end of it", lambda: joined.container("main") is None)


def test_a_pod_that_the_node_cannot_hold(client, joined):
    run(client, "large", {"command": ["true"], "resources": {"requests": {"cpu": "1000"}}}, node=joined)
    status = phase(client, "large", "Failed")["status"]
    assert status["reason"] == "OutOfcpu" and "Node didn't have enough resource: cpu, requested: 1000000, used: 0, capacity: " in status["message"], status
    client.ask("DELETE", f"{PODS}/large")
    wait_for("end", lambda: get(client, f"{PODS}/large") is None)
