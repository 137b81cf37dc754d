"""What becomes of a cluster of two hosts when its parts are killed, cut off, or have no space: nothing that was answered is lost, no container restarts.

ROUNDS (4; `make soak-cluster`: 300) kills in all."""
import os
import random
import re
import signal
import subprocess
import time

import pytest
from support.acknowledged import Writers
from support.api import get
from support.disk import fill, small_disk  # noqa: F401
from support.hosts import Hosts, kubeconfig
from support.node import Node, pod, wait_for

ROUNDS = int(os.environ.get("ROUNDS", "4"))
PODS, MAPS, DEPLOYMENTS = "/api/v1/namespaces/default/pods", "/api/v1/namespaces/default/configmaps", "/apis/apps/v1/namespaces/default/deployments"
MERGE = {"Content-Type": "application/merge-patch+json"}
REPLICAS = 6


@pytest.fixture(scope="module")
def cluster(busybox_archive):
    """Two hosts, and a Deployment that has pods on both."""
    with Hosts() as hosts:
        hosts.start_api(scheduler=True)
        hosts.nodes = [hosts.join(archive=busybox_archive) for _ in range(2)]
        spread = [{"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": {"app": "web"}}}]
        spec = {**pod("web", "sleep 100000 & wait")["spec"], "automountServiceAccountToken": False, "topologySpreadConstraints": spread}
        made = {"metadata": {"name": "web"}, "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}}, "spec": spec}}}
        client = hosts.api.client()
        for host in hosts.nodes:
            wait_for("Ready", lambda: ready(client, host))
        assert client.ask("POST", DEPLOYMENTS, made)[0] == 201
        scale(client, REPLICAS)
        wait_for("all pods", lambda: running(client), timeout=60)
        yield hosts
        client = hosts.api.client()
        client.ask("DELETE", DEPLOYMENTS + "/web")
        for p in get(client, PODS)["items"]:
            client.ask("DELETE", f"{PODS}/{p['metadata']['name']}", {"gracePeriodSeconds": 0})
        wait_for("no pods", lambda: not get(client, PODS)["items"], timeout=60)


def ready(client, host):
    node = get(client, f"/api/v1/nodes/{host.node.name}") or {}
    return any(c["type"] == "Ready" and c["status"] == "True" for c in node.get("status", {}).get("conditions", []))


def renewed(client, host):
    return (get(client, f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{host.node.name}") or {}).get("spec", {}).get("renewTime")


def scale(client, replicas):
    status, answer = client.ask("PATCH", f"{DEPLOYMENTS}/web", {"spec": {"replicas": replicas}}, **MERGE)
    assert status == 200, answer


def running(client, replicas=REPLICAS):
    found = get(client, PODS + "?labelSelector=app%3Dweb")["items"]
    good = [p for p in found if p["status"].get("phase") == "Running" and not p["metadata"].get("deletionTimestamp")]
    return found if len(good) == len(found) == replicas else None


def told(client):
    """{pod: (container's id, how often it was started again)} as the service has it."""
    return {p["metadata"]["uid"]: [(s["containerID"], s["restartCount"]) for s in p["status"]["containerStatuses"]] for p in get(client, PODS)["items"]}


def real(hosts):
    """{container's id: its process} as the nodes have it."""
    return {c["id"]: host.node.inspect(c)["info"]["pid"] for host in hosts.nodes for c in host.node.containers() if c["state"] == "CONTAINER_RUNNING"}


def end(process):
    process.send_signal(signal.SIGKILL)
    process.wait(20)


def test_kill(cluster):
    """kill -9 of the service and of agents, one after the other and together, while a client writes and pods are made."""
    api, rng, writers = cluster.api, random.Random(11), Writers(cluster.api.client, seed=3)
    assert len({p["spec"]["nodeName"] for p in running(api.client())}) == 2
    before, processes = told(api.client()), real(cluster)
    for number in range(ROUNDS):
        victims = [["api"], cluster.nodes[:1], cluster.nodes[1:], ["api", *cluster.nodes]][number % 4]
        writers.start()
        api.client().ask("POST", PODS, {**pod("once", f"exit {number % 100}", restartPolicy="Never", automountServiceAccountToken=False)})
        time.sleep(rng.random() * 0.4)
        for victim in victims:
            end(api.process) if victim == "api" else victim.node.kill()
        for victim in victims:
            api.start() if victim == "api" else victim.node.start()
        writers.finish()
        client = api.client()
        wrong = writers.check()
        assert not wrong, f"round {number}: {wrong}"
        made = get(client, PODS + "/once")
        if made:
            done = wait_for("its end", lambda: (lambda p: p if p["status"].get("phase") in ("Succeeded", "Failed") else None)(get(client, PODS + "/once")), timeout=60)
            assert done["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == number % 100, done["status"]
            client.ask("DELETE", PODS + "/once")
            wait_for("it is gone", lambda: get(client, PODS + "/once") is None, timeout=60)
        wait_for("all as it was", lambda: told(client) == before, timeout=60)
        assert {c: p for c, p in real(cluster).items() if c in processes} == processes, f"round {number}"
    assert running(api.client())


def test_a_node_that_is_cut_off(cluster):
    """Its pods go on; what ends meanwhile, and what is deleted meanwhile, is known once the cable is back."""
    api, (near, far) = cluster.api, cluster.nodes
    client = api.client()
    made = {name: client.ask("POST", PODS, pod(name, command, nodeName=far.node.name, restartPolicy="Never", automountServiceAccountToken=False))[1]["metadata"]["uid"]
            for name, command in (("ends", "while [ ! -e /tmp/end ]; do sleep 0.1; done; exit 3"), ("orphan", "sleep 1000"), ("deleted", "sleep 1000"))}
    for name in made:
        wait_for(f"{name} running", lambda: get(client, f"{PODS}/{name}")["status"].get("phase") == "Running")
    own = {c["labels"]["io.kubernetes.pod.name"]: c for c in far.node.containers() if c["labels"]["io.kubernetes.pod.name"] in made}
    kept = {u: c for u, c in told(client).items() if u not in made.values()}
    processes = {c: p for c, p in real(cluster).items() if c not in {o["id"] for o in own.values()}}
    cable = ["ip", "-n", cluster.fabric, "link", "set", far.outer]
    lease = renewed(client, far)
    subprocess.run([*cable, "down"], check=True)
    try:
        far.node.exec(own["ends"], "touch", "/tmp/end")
        wait_for("its end", lambda: far.node.inspect(own["ends"])["status"]["state"] == "CONTAINER_EXITED")
        assert client.ask("DELETE", PODS + "/orphan", {"gracePeriodSeconds": 0})[0] == 200 and get(client, PODS + "/orphan") is None
        assert client.ask("DELETE", PODS + "/deleted")[0] == 200
        late = client.ask("POST", PODS, pod("late", "sleep 1000", nodeName=far.node.name, automountServiceAccountToken=False))
        assert late[0] == 201
        time.sleep(float(os.environ.get("PARTITION", "2")))
        assert {c["id"] for c in far.node.containers() if c["state"] == "CONTAINER_RUNNING"} >= {own["orphan"]["id"], own["deleted"]["id"]}
        assert get(client, PODS + "/ends")["status"]["phase"] == "Running" and get(client, PODS + "/deleted")["metadata"]["deletionTimestamp"]
    finally:
        subprocess.run([*cable, "up"], check=True)
    said = wait_for("how it ended", lambda: (lambda s: s if s.get("phase") == "Failed" else None)(get(client, PODS + "/ends")["status"]), timeout=60)
    assert said["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 3
    wait_for("the orphan's end", lambda: not [c for c in far.node.containers() if c["id"] in (own["orphan"]["id"], own["deleted"]["id"])], timeout=60)
    wait_for("the deleted one's", lambda: get(client, PODS + "/deleted") is None, timeout=60)
    wait_for("the late one", lambda: get(client, PODS + "/late")["status"].get("phase") == "Running", timeout=60)
    wait_for("its Lease", lambda: renewed(client, far) != lease, timeout=60)
    wait_for("Ready", lambda: ready(client, far), timeout=60)
    for name in ("ends", "late"):
        client.ask("DELETE", f"{PODS}/{name}")
    wait_for("their end", lambda: told(client) == kept, timeout=60)
    assert real(cluster) == processes, "what was not meant is as it was"


def test_a_full_disk(cluster, small_disk, busybox_archive, tmp_path):  # noqa: F811
    """Volumes keep their old content, whole; statuses are told; with space again all goes on by itself."""
    client = cluster.api.client()
    node = Node("--eviction-hard=", "--image-gc-high-threshold=100", root=small_disk + "/node")
    node.manifests, node.log_path = str(tmp_path / "manifests"), str(tmp_path / "agent.log")
    os.mkdir(node.manifests)
    node.options += ["--kubeconfig", kubeconfig(cluster.api, str(tmp_path), node.name)]
    first, second = ({f"k{i}": c * 20000 for i in range(20)} for c in "ab")
    client.ask("POST", MAPS, {"metadata": {"name": "large"}, "data": first})
    volume = {"volumes": [{"name": "v", "configMap": {"name": "large"}}], "automountServiceAccountToken": False, "nodeName": node.name, "tolerations": [{"operator": "Exists"}]}
    seen = "cat /v/* | tr -d '\\n' | tr -s ab; echo; ls /v | wc -l"
    try:
        node.start()
        node.nacelle("import", busybox_archive)
        reader = {"name": "main", "command": ["sh", "-c", "sleep 100000 & wait"], "volumeMounts": [{"name": "v", "mountPath": "/v"}]}
        for made in (pod("reader", reader, **volume), pod("leaves", "while [ ! -e /dev/shm/end ]; do sleep 0.1; done; exit 5", restartPolicy="Never", **{**volume, "volumes": []})):
            assert client.ask("POST", PODS, made)[0] == 201
        wait_for("running", lambda: all(get(client, f"{PODS}/{n}")["status"].get("phase") == "Running" for n in ("reader", "leaves")), timeout=60)
        mine = {c["labels"]["io.kubernetes.pod.name"]: c for c in node.containers()}
        assert node.exec(mine["reader"], "sh", "-c", seen).split() == ["a", "20"]
        fill(small_disk + "/filler")
        client.ask("PUT", MAPS + "/large", {"metadata": {"name": "large"}, "data": second})
        wait_for("the reason in the log", lambda: re.search(r"pod default/reader: .*No space left on device", node.log()))
        assert node.exec(mine["reader"], "sh", "-c", seen).split() == ["a", "20"], "the old content, whole"
        node.exec(mine["leaves"], "touch", "/dev/shm/end")
        wait_for("its end", lambda: get(client, PODS + "/leaves")["status"].get("phase") == "Failed", timeout=60)
        assert get(client, PODS + "/leaves")["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 5
        assert len(re.findall(r"pod default/reader: .*No space left on device", node.log())) < 5, "told once, not each time"
        os.unlink(small_disk + "/filler")
        wait_for("the new content", lambda: node.exec(mine["reader"], "sh", "-c", seen).split() == ["b", "20"], timeout=60)
        assert get(client, PODS + "/reader")["status"]["containerStatuses"][0]["restartCount"] == 0
    finally:
        for name in ("reader", "leaves"):
            client.ask("DELETE", f"{PODS}/{name}", {"gracePeriodSeconds": 0})
        client.ask("DELETE", MAPS + "/large")
        if node.process.poll() is not None:
            node.start()
        node.stop()
        client.ask("DELETE", f"/api/v1/nodes/{node.name}")
