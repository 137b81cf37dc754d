"""The agent as a node of nacelle-api's cluster: real services, one connection with the node's own certificate."""
import json
import os
import re
import signal
import time

import pytest
from support.api import get
from support.hosts import joined_node, kubeconfig
from support.node import Node, pod, wait_for

LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
HUGE = "/sys/kernel/mm/hugepages"
PODS = "/api/v1/namespaces/default/pods"


@pytest.fixture(scope="module")
def joined(api, busybox_archive, tmp_path_factory):
    with joined_node(api, busybox_archive, tmp_path_factory.mktemp("node")) as n:
        yield n
        api.kubectl("delete", "pods", "--all", "--force", "--grace-period=0", "--wait=false")


def conditions(of):
    return {c["type"]: c for c in of.get("status", {}).get("conditions", [])}


def test_the_node_is_there(api, client, joined):
    node = wait_for("heartbeat", lambda: (lambda n: n if conditions(n)["Ready"]["lastHeartbeatTime"] else None)(get(client, f"/api/v1/nodes/{joined.name}")))
    assert {t: c["status"] for t, c in conditions(node).items()} == {"Ready": "True", "MemoryPressure": "False", "DiskPressure": "False", "PIDPressure": "False"}
    assert node["metadata"]["labels"]["kubernetes.io/hostname"] == joined.name and node["metadata"]["labels"]["kubernetes.io/os"] == "linux"
    assert {a["type"]: a["address"] for a in node["status"]["addresses"]} == {"InternalIP": "127.0.0.1", "Hostname": joined.name}
    huge = {name for name in node["status"]["capacity"] if name.startswith("hugepages-")}  # of the host: see test_a_node_tells_its_huge_pages
    assert set(node["status"]["capacity"]) == set(node["status"]["allocatable"]) == {"cpu", "memory", "pods", "ephemeral-storage"} | huge
    assert node["status"]["nodeInfo"]["kernelVersion"] == os.uname().release and node["status"]["nodeInfo"]["systemUUID"]
    listed = api.kubectl("get", "nodes", "-o", "wide").stdout.splitlines()
    assert listed[1].split()[:2] == [joined.name, "Ready"], listed
    lease = wait_for("lease", lambda: get(client, f"{LEASES}/{joined.name}"))
    assert lease["spec"]["holderIdentity"] == joined.name and lease["spec"]["leaseDurationSeconds"] == 40
    first = lease["spec"]["renewTime"]
    wait_for("renewal", lambda: get(client, f"{LEASES}/{joined.name}")["spec"]["renewTime"] != first, timeout=15, interval=0.2)


def test_the_node_says_what_its_runtime_has(client, joined):
    """Images, the largest first, handlers and features, as kubelet tells them."""
    joined.restart()

    def told():
        status = get(client, f"/api/v1/nodes/{joined.name}")["status"]
        return status if status.get("images") and status.get("runtimeHandlers") else None
    status = wait_for("images", told)
    own = sorted(joined.images(), key=lambda i: -int(i["size"]))
    assert [(i["names"], i["sizeBytes"]) for i in status["images"]] == [((i["repoDigests"] + i["repoTags"])[:5], int(i["size"])) for i in own]
    assert "localhost/busybox:test" in status["images"][0]["names"]
    handlers = {h["name"]: h["features"] for h in status["runtimeHandlers"]}
    assert set(handlers) >= {"", "nacelle"} and set(handlers[""]) == {"recursiveReadOnlyMounts", "userNamespaces"}, handlers
    assert status["features"] == {"supplementalGroupsPolicy": True}
    assert status["declaredFeatures"] == [
        "ExtendWebSocketsToKubelet", "InPlacePodLevelResourcesVerticalScaling", "InPlacePodVerticalScalingInitContainers", "RestartAllContainersOnContainerExits"]


def quantity(text):
    """Of bytes."""
    number, unit = re.fullmatch(r"(\d+)(Ki|Mi|Gi|Ti)?", text).groups()
    return int(number) * 1024 ** ["", "Ki", "Mi", "Gi", "Ti"].index(unit or "")


def test_a_node_tells_its_huge_pages(client, joined):
    """Sizes of which there are none, too; as memory they are not allocatable."""
    sizes = {f"hugepages-{kib // 1048576}Gi" if kib >= 1048576 else f"hugepages-{kib // 1024}Mi" if kib >= 1024 else f"hugepages-{kib}Ki": kib * 1024 * int(open(f"{HUGE}/{d}/nr_hugepages").read())
             for d in os.listdir(HUGE) for kib in [int(re.search(r"\d+", d)[0])]} if os.path.exists(HUGE) else {}
    status = get(client, f"/api/v1/nodes/{joined.name}")["status"]
    for amounts in status["capacity"], status["allocatable"]:
        assert {name: quantity(amount) for name, amount in amounts.items() if name.startswith("hugepages-")} == sizes
    assert quantity(status["capacity"]["memory"]) - quantity(status["allocatable"]["memory"]) >= sum(sizes.values())


def test_a_deleted_node_registers_again(client, joined):
    uid = get(client, f"/api/v1/nodes/{joined.name}")["metadata"]["uid"]
    assert client.ask("DELETE", f"/api/v1/nodes/{joined.name}")[0] == 200
    joined.restart()
    wait_for("Node", lambda: (get(client, f"/api/v1/nodes/{joined.name}") or {}).get("metadata", {}).get("uid", uid) != uid)


def test_a_node_made_anew_by_another_is_filled_in(client, joined):
    """Not after five minutes: without a Ready condition its pods would be evicted."""
    path = f"/api/v1/nodes/{joined.name}"
    assert client.ask("DELETE", path)[0] == 200
    status, made = client.ask("POST", "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": joined.name}})
    assert status == 201, made

    def is_filled():
        node = get(client, path)
        return conditions(node).get("Ready", {}).get("status") == "True" and node["metadata"]["labels"].get("kubernetes.io/os") == "linux" and node["metadata"]["uid"]
    assert wait_for("its status", is_filled, timeout=9) == made["metadata"]["uid"]


def test_conditions_that_others_write_are_told_again(client, joined):
    """As soon as kubelet does (nodeStatusUpdateFrequency): the Unknown of a node that was cut off does not stay for five minutes."""
    path = f"/api/v1/nodes/{joined.name}"

    def told():
        return {t: (c["status"], c["reason"], c["message"]) for t, c in conditions(get(client, path)).items()}
    own = wait_for("its status", lambda: (lambda t: t if t.get("Ready", ("",))[0] == "True" else None)(told()))
    for status, reason in (("Unknown", "NodeStatusUnknown"), ("Unknown", "NodeStatusUnknown"), (None, "Another")):
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        lost = [{"type": t, "status": status or c[0], "reason": reason, "message": "of others", "lastTransitionTime": at, "lastHeartbeatTime": at} for t, c in own.items()]
        answer = client.ask("PATCH", path + "/status", {"status": {"conditions": lost}}, **{"Content-Type": "application/strategic-merge-patch+json"})
        assert answer[0] == 200 and {c["reason"] for c in conditions(answer[1]).values()} == {reason}, answer
        wait_for("what is true", lambda: told() == own, timeout=15)
        if status:
            assert all(c["lastTransitionTime"] >= at for c in conditions(get(client, path)).values()), get(client, path)["status"]["conditions"]


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
    assert {"Created", "Started"} <= {e["reason"] for e in events if e["involvedObject"]["uid"] == made["metadata"]["uid"]
                                      and e["involvedObject"]["fieldPath"] == "spec.containers{main}" and e["source"] == {"component": "kubelet", "host": joined.name}}
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


def test_what_was_forgotten_while_the_agent_was_down_has_no_time_left(client, joined):
    """Nobody could ask for a shorter time any more."""
    run(client, "forgotten", {"name": "forgotten", "command": ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"]}, node=joined, terminationGracePeriodSeconds=3600)
    phase(client, "forgotten", "Running")
    joined.kill()
    client.ask("DELETE", f"{PODS}/forgotten", {"gracePeriodSeconds": 0})
    joined.start()
    wait_for("its end", lambda: joined.container("forgotten") is None)


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


def mirror_name(node, name):
    return f"{name}-{node.name.lower()}"


def test_a_static_pod_has_a_mirror(api, client, joined):
    """It is shown with its status; deleted, it comes back, and nothing of the pod restarts; another manifest has another one; it goes with the file."""
    name = mirror_name(joined, "shown")
    joined.write("shown.yaml", pod("shown", "exec sleep 1000"))
    first = phase(client, name, "Running")
    own = joined.container("main", "running")
    notes, owner = first["metadata"]["annotations"], first["metadata"]["ownerReferences"]
    assert notes["kubernetes.io/config.mirror"] == notes["kubernetes.io/config.hash"] == own["labels"]["io.kubernetes.pod.uid"]
    assert notes["kubernetes.io/config.source"] == "file"
    assert [(o["kind"], o["name"], o["uid"], o["controller"]) for o in owner] == [
        ("Node", joined.name, get(client, f"/api/v1/nodes/{joined.name}")["metadata"]["uid"], True)]
    assert first["status"]["containerStatuses"][0]["containerID"] == "nacelle://" + own["id"]
    said = wait_for("events", lambda: "Container started" in api.kubectl("describe", "pod", name).stdout)
    assert said
    api.kubectl("delete", "pod", name, "--wait=false")
    again = wait_for("another mirror", lambda: (lambda p: p if p and p["metadata"]["uid"] != first["metadata"]["uid"] else None)(get(client, f"{PODS}/{name}")))
    phase(client, name, "Running")
    assert joined.container("main", "running")["id"] == own["id"] and "deletionTimestamp" not in again["metadata"]
    joined.write("shown.yaml", pod("shown", "exec sleep 1001"))
    wait_for("the new pod's", lambda: (get(client, f"{PODS}/{name}") or {"metadata": {"annotations": {}}})["metadata"]["annotations"].get("kubernetes.io/config.mirror")
             not in (None, notes["kubernetes.io/config.mirror"]), timeout=40)
    phase(client, name, "Running")
    joined.restart()
    uid = get(client, f"{PODS}/{name}")["metadata"]["uid"]
    phase(client, name, "Running")
    joined.remove("shown.yaml")
    wait_for("end of the mirror", lambda: get(client, f"{PODS}/{name}") is None, timeout=40)
    assert uid


def test_a_mirror_whose_pod_went_while_the_agent_was_down(client, joined):
    joined.write("lost.yaml", pod("lost", "exec sleep 1000", terminationGracePeriodSeconds=1))
    phase(client, mirror_name(joined, "lost"), "Running")
    joined.kill()
    os.unlink(f"{joined.manifests}/lost.yaml")
    joined.start()
    wait_for("end of the mirror", lambda: get(client, f"{PODS}/{mirror_name(joined, 'lost')}") is None)


def patch(client, name, body, sub=""):
    status, answer = client.ask("PATCH", f"{PODS}/{name}{sub}", body, **{"Content-Type": "application/strategic-merge-patch+json"})
    assert status == 200, answer
    return answer


def goes(client, name):
    client.ask("DELETE", f"{PODS}/{name}", {"gracePeriodSeconds": 0})
    wait_for("end", lambda: get(client, f"{PODS}/{name}") is None)


def test_labels_reach_a_volume(client, joined):
    """By one swap, without a restart; the status says which generation of the pod it is of."""
    volume = {"name": "d", "downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}}
    run(client, "labelled", {"command": ["sleep", "1000"], "volumeMounts": [{"name": "d", "mountPath": "/d"}]}, node=joined, volumes=[volume])
    phase(client, "labelled", "Running")
    own = joined.container("main", "running")
    patch(client, "labelled", {"metadata": {"labels": {"new": "one"}}})
    wait_for("the label in the volume", lambda: 'new="one"' in joined.exec(own, "cat", "/d/labels"), timeout=5, interval=0.05)
    assert joined.container("main", "running")["id"] == own["id"]
    goes(client, "labelled")


def test_another_image_restarts_its_container(api, client, joined):
    run(client, "renewed", "trap 'exit 0' TERM; while :; do sleep 0.1; done", node=joined, restartPolicy="Never")
    before = phase(client, "renewed", "Running")["status"]["containerStatuses"][0]
    joined.nacelle("tag", before["image"], "localhost/other:test")
    version, began = get(client, f"{PODS}/renewed")["metadata"]["resourceVersion"], time.monotonic()
    patch(client, "renewed", {"spec": {"containers": [{"name": "main", "image": "localhost/other:test"}]}})

    def renewed():
        status = get(client, f"{PODS}/renewed")["status"]
        own = status["containerStatuses"][0]
        return status if own["containerID"] != before["containerID"] and "running" in own["state"] else None
    status = wait_for("the other image", renewed)
    told = [conditions(e["object"])["Ready"]["status"] for e in client.watch(f"{PODS}?watch=1&timeoutSeconds=1&resourceVersion={version}&fieldSelector=metadata.name=renewed")]
    assert set(told) == {"True"} or time.monotonic() - began > 2, "that it was not ready in between is news only where it takes long"
    assert status["containerStatuses"][0]["image"] == "localhost/other:test" and status["containerStatuses"][0]["restartCount"] == 1
    assert status["observedGeneration"] == get(client, f"{PODS}/renewed")["metadata"]["generation"] == 2
    wait_for("event", lambda: "definition changed, will be restarted" in api.kubectl("describe", "pod", "renewed").stdout)
    goes(client, "renewed")


def patch_status(client, name, *rows):
    status, answer = client.ask("PATCH", f"{PODS}/{name}/status", {"status": {"conditions": list(rows)}}, **{"Content-Type": "application/strategic-merge-patch+json"})
    assert status == 200, answer


def test_a_pod_s_status_that_others_write_is_told_again(client, joined):
    """The node life cycle tells the pods of a lost node not ready, and leaves it to the node to tell them ready again."""
    run(client, "told", "exec sleep 1000", node=joined)
    wait_for("Ready", lambda: conditions(get(client, f"{PODS}/told")).get("Ready", {}).get("status") == "True")
    patch_status(client, "told", {"type": "Ready", "status": "False"})
    wait_for("Ready again", lambda: conditions(get(client, f"{PODS}/told"))["Ready"]["status"] == "True", timeout=25)
    client.ask("DELETE", f"{PODS}/told", {"gracePeriodSeconds": 0})


def test_readiness_gates(client, joined):
    """A pod with gates is ready when others have set their conditions, and only while these are true; a restart of the agent changes nothing of it."""
    run(client, "gated", "exec sleep 1000", node=joined, readinessGates=[{"conditionType": "example.com/gate"}])
    ready = lambda: conditions(get(client, f"{PODS}/gated")).get("Ready", {})  # noqa: E731
    wait_for("no gate", lambda: "does not exist" in ready().get("message", ""))
    patch_status(client, "gated", {"type": "example.com/gate", "status": "False"})
    wait_for("closed", lambda: 'is not "True", but False' in ready().get("message", ""))
    patch_status(client, "gated", {"type": "example.com/gate", "status": "True"})
    wait_for("open", lambda: ready()["status"] == "True")
    joined.restart()
    since = ready()["lastTransitionTime"]
    time.sleep(2)
    assert ready()["status"] == "True" and ready()["lastTransitionTime"] == since
    patch_status(client, "gated", {"type": "example.com/gate", "status": "Unknown"})
    wait_for("closed again", lambda: ready()["status"] == "False")
    client.ask("DELETE", f"{PODS}/gated", {"gracePeriodSeconds": 0})


def test_a_deadline_set_later(client, joined):
    run(client, "late", "exec sleep 1000", node=joined, terminationGracePeriodSeconds=1)
    phase(client, "late", "Running")
    patch(client, "late", {"spec": {"activeDeadlineSeconds": 1}})
    assert phase(client, "late", "Failed")["status"]["reason"] == "DeadlineExceeded"
    goes(client, "late")


def told_of(client, name, version):
    """What the service was told of a pod since."""
    return [e["object"]["status"] for e in client.watch(f"{PODS}?watch=1&timeoutSeconds=1&resourceVersion={version}&fieldSelector=metadata.name={name}")
            if e["type"] == "MODIFIED"]


def test_a_pod_has_not_failed_while_it_ends(client, joined):
    run(client, "still-there", "trap 'sleep 1; exit 3' TERM; while :; do sleep 0.1; done", node=joined, terminationGracePeriodSeconds=20)
    version = phase(client, "still-there", "Running")["metadata"]["resourceVersion"]
    patch(client, "still-there", {"spec": {"activeDeadlineSeconds": 1}})
    assert phase(client, "still-there", "Failed")["status"]["reason"] == "DeadlineExceeded"
    told = [(s["phase"], s.get("reason"), conditions({"status": s})["Ready"].get("reason"), *s["containerStatuses"][0]["state"]) for s in told_of(client, "still-there", version)]
    assert [t for i, t in enumerate(told) if t not in told[:i]][-2:] == [
        ("Running", None, "PodFailed", "running"), ("Failed", "DeadlineExceeded", "PodFailed", "terminated")]
    goes(client, "still-there")


def test_the_last_status_is_told_before_the_pod_goes(api, client, joined):
    """All of it ends and is removed while an earlier status waits for its answer."""
    def ends(seconds, code):
        return ["sh", "-c", f"trap 'sleep {seconds}; exit {code}' TERM; while :; do sleep 0.1; done"]

    run(client, "last", {"name": "first", "command": ends(2, 0)}, {"name": "second", "command": ends(3, 3)}, node=joined, terminationGracePeriodSeconds=20)
    made = phase(client, "last", "Running")
    assert client.ask("DELETE", f"{PODS}/last")[0] == 200
    time.sleep(0.5)  # the node has heard of it, and both have their signal
    os.kill(api.process.pid, signal.SIGSTOP)
    try:
        wait_for("its end", lambda: not [p for p in joined.pods() if p["metadata"]["name"] == "last"])
    finally:
        os.kill(api.process.pid, signal.SIGCONT)
    gone = next(e["object"] for e in client.watch(f"{PODS}?watch=1&timeoutSeconds=20&fieldSelector=metadata.name=last&resourceVersion={made['metadata']['resourceVersion']}")
                if e["type"] == "DELETED")
    assert gone["status"]["phase"] == "Failed", gone["status"]
    assert {c["name"]: c["state"]["terminated"]["exitCode"] for c in gone["status"]["containerStatuses"]} == {"first": 0, "second": 3}


def test_a_restart_by_a_probe_is_no_news(client, joined):
    """As long as the container is up again at once, the pod is ready all the time, as kubelet tells it."""
    liveness = {"exec": {"command": ["test", "-e", "/tmp/ok"]}, "periodSeconds": 1, "failureThreshold": 1, "initialDelaySeconds": 2}
    run(client, "again", {"command": ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"], "livenessProbe": liveness}, node=joined, terminationGracePeriodSeconds=1)
    version = phase(client, "again", "Running")["metadata"]["resourceVersion"]

    def restarted():
        own = get(client, f"{PODS}/again")["status"]["containerStatuses"][0]
        return own["restartCount"] == 1 and "running" in own["state"]
    began = time.monotonic()
    wait_for("restart", restarted, timeout=20)
    told = [(conditions({"status": s})["Ready"]["status"], s["containerStatuses"][0]["ready"], *s["containerStatuses"][0]["state"]) for s in told_of(client, "again", version)
            if s["containerStatuses"][0]["restartCount"] <= 1]
    assert set(told) == {("True", True, "running")} or time.monotonic() - began > 6, told
    goes(client, "again")


def test_a_grace_period_that_is_shortened(client, joined):
    run(client, "slow", "trap '' TERM; while :; do sleep 0.1; done", node=joined, terminationGracePeriodSeconds=100)
    phase(client, "slow", "Running")
    assert client.ask("DELETE", f"{PODS}/slow")[0] == 200
    wait_for("its end to begin", lambda: get(client, f"{PODS}/slow")["metadata"].get("deletionTimestamp"))
    time.sleep(0.5)
    began = time.monotonic()
    assert client.ask("DELETE", f"{PODS}/slow", {"gracePeriodSeconds": 1})[0] == 200
    wait_for("end", lambda: get(client, f"{PODS}/slow") is None)
    assert time.monotonic() - began < 10


def test_an_ephemeral_container(api, client, joined):
    """As kubectl debug adds it: it sees its target's processes, ends once, and the agent knows it again after a restart."""
    run(client, "debugged", "exec sleep 1234", node=joined)
    image = phase(client, "debugged", "Running")["status"]["containerStatuses"][0]["image"]
    done = api.kubectl("debug", "debugged", f"--image={image}", "--target=main", "-c", "look", "--profile=general", "--", "sh", "-c", "ps; exec sleep 2345")
    assert done.returncode == 0, done
    own = joined.running("look")
    wait_for("the target's process", lambda: "sleep 1234" in joined.exec(own, "ps"))

    def look():
        return {s["name"]: s for s in get(client, f"{PODS}/debugged")["status"].get("ephemeralContainerStatuses", [])}.get("look")
    wait_for("status", lambda: look() and "running" in look()["state"])
    joined.kill()
    joined.start()
    wait_for("status", lambda: look()["containerID"] == "nacelle://" + own["id"] and "running" in look()["state"])
    assert joined.container("look", "running")["id"] == own["id"]
    joined.exec(own, "kill", "-9", "1", check=False)
    status = get(client, f"{PODS}/debugged")["status"]
    assert status["phase"] == "Running" and status["containerStatuses"][0]["restartCount"] == 0
    goes(client, "debugged")


def test_a_pod_that_the_node_cannot_hold(client, joined):
    run(client, "large", {"command": ["true"], "resources": {"requests": {"cpu": "1000"}}}, node=joined)
    status = phase(client, "large", "Failed")["status"]
    assert status["reason"] == "OutOfcpu" and "Node didn't have enough resource: cpu, requested: 1000000, used: 0, capacity: " in status["message"], status
    client.ask("DELETE", f"{PODS}/large")
    wait_for("end", lambda: get(client, f"{PODS}/large") is None)


def test_one_pod_more_than_the_node_runs(api, client, busybox_archive, tmp_path):
    n = Node()
    n.options += ["--kubeconfig", kubeconfig(api, tmp_path, n.name), "--max-pods", "1"]
    n.start()
    try:
        n.nacelle("import", busybox_archive)
        wait_for("Node", lambda: get(client, f"/api/v1/nodes/{n.name}"))
        run(client, "first", "exec sleep 1000", node=n)
        phase(client, "first", "Running")
        run(client, "second", "exec sleep 1000", node=n)
        status = phase(client, "second", "Failed")["status"]
        assert (status["reason"], status["message"]) == (
            "OutOfpods", "Pod was rejected: Node didn't have enough resource: pods, requested: 1, used: 1, capacity: 1")
        goes(client, "second")
        goes(client, "first")
    finally:
        n.stop()


HOLDS = """#!/bin/sh
case $CNI_COMMAND in
VERSION) echo '{{"cniVersion":"1.0.0","supportedVersions":["1.0.0"]}}';;
ADD) echo '{{"cniVersion":"1.0.0","ips":[{{"address":"10.212.250.9/24"}}]}}';;
DEL) n=0; while [ -e {dir}/hold ] && [ $n -lt 400 ]; do sleep 0.05; n=$((n + 1)); done;;
esac
"""


def test_the_place_of_one_that_has_ended(api, client, busybox_archive, tmp_path):
    """The cluster knows of its end before its sandbox has gone: who gets its place waits for it, and has not failed."""
    (tmp_path / "net.d").mkdir()
    (tmp_path / "net.d/1.conflist").write_text(json.dumps({"cniVersion": "1.0.0", "name": "held", "plugins": [{"type": "holds"}]}))
    (tmp_path / "holds").write_text(HOLDS.format(dir=tmp_path))
    (tmp_path / "holds").chmod(0o755)
    n = Node()
    n.options += ["--kubeconfig", kubeconfig(api, tmp_path, n.name), "--cni-conf-dir", f"{tmp_path}/net.d", "--cni-bin-dir", str(tmp_path)]
    n.start()
    try:
        n.nacelle("import", busybox_archive)
        cpus = wait_for("Node", lambda: get(client, f"/api/v1/nodes/{n.name}").get("status", {}).get("allocatable", {}).get("cpu"))
        path = "/api/v1/namespaces/default/pods"
        phase = lambda name: get(client, f"{path}/{name}").get("status", {}).get("phase")  # noqa: E731

        def create(name, command):
            made = pod(name, {"command": ["sh", "-c", command], "resources": {"requests": {"cpu": cpus}}}, nodeName=n.name, restartPolicy="Never",
                       automountServiceAccountToken=False, terminationGracePeriodSeconds=1)
            assert client.ask("POST", path, made)[0] == 201
        create("ended", "sleep 1")
        wait_for("start", lambda: phase("ended") == "Running")
        (tmp_path / "hold").touch()
        wait_for("end", lambda: phase("ended") == "Succeeded")
        create("next", "sleep 1000")
        time.sleep(1)
        assert phase("next") == "Pending"
        create("none-left", "sleep 1000")
        wait_for("refusal", lambda: phase("none-left") == "Failed")
        (tmp_path / "hold").unlink()
        wait_for("its place", lambda: phase("next") == "Running")
    finally:
        (tmp_path / "hold").unlink(missing_ok=True)
        for name in "ended", "next", "none-left":
            client.ask("DELETE", f"/api/v1/namespaces/default/pods/{name}", {"gracePeriodSeconds": 1})
        wait_for("the end of all", lambda: not n.pods())
        n.stop()
        client.ask("DELETE", f"/api/v1/nodes/{n.name}")
