"""Pods that use more disk than they may, a node that runs short of disk, memory or tasks, and images that nothing uses."""
import json
import os
import re
import shutil
import subprocess
import time

import pytest

from support.node import Node, pod, wait_for

SLEEP = "sleep 1000"
KIND = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"


def limited(command, limit, **fields):
    return {"command": ["sh", "-c", command], "resources": {"limits": {"ephemeral-storage": limit}}, **fields}


def write(path, size):
    return f"head -c {size} /dev/zero > {path}; {SLEEP}"


def condition(status, name):
    return next((c for c in status.get("conditions", []) if c["type"] == name), {})


def node_conditions(node):
    return {c["type"]: c for c in json.loads(node.get("/node"))["status"]["conditions"]}


def evicted(node, name, timeout=40):
    return wait_for(f"eviction of {name}", lambda: node.status(name).get("reason") == "Evicted" and node.status(name), timeout)


def events_of(node, name, reason):
    return [e for e in json.loads(node.get("/events"))["items"] if e["reason"] == reason and e["involvedObject"]["name"].startswith(name)]


EMPTY_DIR = [{"name": "d", "emptyDir": {}}]
MOUNT = [{"name": "d", "mountPath": "/d"}]
DEEP = "i=0; while [ $i -lt 300 ]; do mkdir d && cd d; i=$((i+1)); done; head -c 5000000 /dev/zero > x; " + SLEEP

# what: (the pod's containers, its other fields, the message)
OVER = {
    "layer": ([limited(write("/x", 5000000), "1Mi")], {}, 'Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. '),
    "layer-of-one": ([limited(write("/x", 5000000), "1Mi", name="one"), limited(SLEEP, "1Gi", name="two")], {},
                     'Container one exceeded its local ephemeral storage limit "1Mi". '),
    "deep": ([limited(DEEP, "1M", name="one"), limited(SLEEP, "1Gi", name="two")], {}, 'Container one exceeded its local ephemeral storage limit "1M". '),
    "logs": ([limited("head -c 5000000 /dev/zero | tr '\\0' x | fold -w 100; " + SLEEP, "1500k", name="one"), limited(SLEEP, "1Gi", name="two")], {},
             'Container one exceeded its local ephemeral storage limit "1500k". '),
    "empty-dir": ([limited(write("/d/x", 5000000), "2Mi", volumeMounts=MOUNT)], {"volumes": EMPTY_DIR},
                  'Pod ephemeral local storage usage exceeds the total limit of containers 2Mi. '),
    "one-has-none": ([limited(SLEEP, "2Mi", name="one"), {"name": "two", "command": ["sh", "-c", write("/x", 5000000)]}], {},
                     'Pod ephemeral local storage usage exceeds the total limit of containers 2Mi. '),
    "sidecar": ([limited(SLEEP, "1Mi")], {"initContainers": [limited(write("/x", 5000000), "1Mi", name="car", image="localhost/busybox:test",
                                                                     imagePullPolicy="Never", restartPolicy="Always")]},
                'Pod ephemeral local storage usage exceeds the total limit of containers 2Mi. '),
    "size-limit": ([{"command": ["sh", "-c", write("/d/x", 5000000)], "volumeMounts": MOUNT}], {"volumes": [{"name": "d", "emptyDir": {"sizeLimit": "1Mi"}}]},
                   'Usage of EmptyDir volume "d" exceeds the limit "1Mi". '),
}
WITHIN = {
    "within": ([limited(write("/x", 500000), "1Mi")], {}),
    "links": ([limited("head -c 600000 /dev/zero > /x; for i in 1 2 3 4 5; do ln /x /x$i; done; " + SLEEP, "1Mi")], {}),
    "in-memory": ([limited(write("/d/x", 5000000), "1Mi", volumeMounts=MOUNT)], {"volumes": [{"name": "d", "emptyDir": {"medium": "Memory"}}]}),
    "critical": ([limited(write("/x", 5000000), "1Mi")], {"priorityClassName": "system-node-critical", "priority": 2000001000}),
}


@pytest.fixture(scope="module")
def many(busybox_archive):
    """All of them side by side: one look of the agent is for all."""
    node = Node().start()
    node.nacelle("import", busybox_archive)
    for name, (containers, fields, *_) in {**OVER, **WITHIN}.items():
        node.write(name + ".yaml", pod(name, *containers, restartPolicy="Never", **fields))
    yield node
    node.stop()


@pytest.mark.parametrize("name", OVER)
def test_over_a_limit_of_its_own(many, name):
    status = evicted(many, name)
    assert status["phase"] == "Failed" and status["message"] == OVER[name][2]
    assert not condition(status, "DisruptionTarget")
    wait_for("end of its containers", lambda: all("terminated" in c["state"] for c in many.status(name)["containerStatuses"]))


def test_within_their_limits(many):
    for name in OVER:
        evicted(many, name)
    time.sleep(11)  # a look more
    assert {name: many.status(name).get("phase") for name in WITHIN} == dict.fromkeys(WITHIN, "Running")


def test_of_an_evicted_pod_only_its_status_stays(many):
    """Its layers, logs and volumes are what was too much: they go, and nothing of it comes back after a restart."""
    evicted(many, "layer-of-one")
    uid = next(p["metadata"]["uid"] for p in many.pod_list() if p["metadata"]["name"].startswith("layer-of-one"))
    wait_for("removal of its containers", lambda: not any(c["labels"]["io.kubernetes.pod.uid"] == uid for c in many.containers()))
    wait_for("removal of its logs", lambda: not [d for d in os.listdir(many.logs) if uid in d])
    status = many.status("layer-of-one")
    many.restart()
    again = wait_for("the pod after a restart", lambda: many.status("layer-of-one"))
    assert {k: again[k] for k in ("phase", "reason", "message")} == {k: status[k] for k in ("phase", "reason", "message")}
    assert again["containerStatuses"] == status["containerStatuses"]
    assert many.status("within")["phase"] == "Running"
    time.sleep(1)
    assert not any(c["labels"]["io.kubernetes.pod.uid"] == uid for c in many.containers())


# --- the node runs short ---


@pytest.fixture
def small_disk(busybox_archive):
    """Makes an agent whose directories lie on a file system of their own, of 256 MiB."""
    made = []

    def make(config):
        node = Node(config=KIND + config)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256m,nr_inodes=20000", "small", node.dir], check=True)
        made.append(node)
        os.makedirs(node.manifests)
        node.start()
        node.nacelle("import", busybox_archive)
        return node
    yield make
    for node in made:
        try:
            if node.process.poll() is not None:
                node.start()
            for name in os.listdir(node.manifests):
                os.unlink(os.path.join(node.manifests, name))
            wait_for("end of the pods", lambda: not node.pods(), timeout=40)
            print(node.log()[-3000:])
            node.stop()
        finally:
            subprocess.run(["umount", "-l", node.dir], check=False)
            shutil.rmtree(node.dir)


def filled(size, **fields):
    return {"command": ["sh", "-c", write("/x", size)], **fields}


def asks(storage):
    return {"requests": {"ephemeral-storage": storage}}


DISK = """
evictionHard: {nodefs.available: 25%}
evictionMinimumReclaim: {nodefs.available: 10Mi}
evictionPressureTransitionPeriod: 12s
imageGCHighThresholdPercent: 100
"""


def test_the_pod_that_fills_the_disk_goes(small_disk):
    """Who uses more than it asked for goes, though another uses more; the critical one stays though it asked for nothing."""
    node = small_disk(DISK)
    node.write("asked.yaml", pod("asked", filled(90 << 20, name="asked", resources=asks("150Mi"))))
    node.write("critical.yaml", pod("critical", filled(20 << 20, name="critical"), priorityClassName="system-cluster-critical"))
    node.write("light.yaml", pod("light", filled(2 << 20, name="light")))
    for name in ("asked", "critical", "light"):
        node.running(name)
    assert node_conditions(node)["DiskPressure"]["status"] == "False"
    node.write("hog.yaml", pod("hog", filled(80 << 20, name="hog")))
    status = evicted(node, "hog")
    message = re.fullmatch(r"The node was low on resource: ephemeral-storage. Threshold quantity: 64Mi, available: (\d+)Ki. "
                           r"Container hog was using 8\d(?:Mi|\d{3}Ki), request is 0, has larger consumption of ephemeral-storage. ", status["message"])
    assert message and int(message[1]) < 64 * 1024, status["message"]
    assert condition(status, "DisruptionTarget") == {**condition(status, "DisruptionTarget"), "status": "True", "reason": "TerminationByKubelet",
                                                     "message": status["message"]}
    pressure = node_conditions(node)["DiskPressure"]
    assert (pressure["status"], pressure["reason"], pressure["message"]) == ("True", "KubeletHasDiskPressure", "kubelet has disk pressure")
    assert events_of(node, node.name, "NodeHasDiskPressure") and events_of(node, node.name, "EvictionThresholdMet")[0]["message"] == \
        "Attempting to reclaim ephemeral-storage"
    assert events_of(node, "hog", "Evicted")[0]["message"] == status["message"]
    # Whoever comes now is not taken, but a critical pod is.
    node.write("late.yaml", pod("late", {"name": "late", "command": ["sleep", "1000"]}))
    assert evicted(node, "late")["message"] == "Pod was rejected: The node had condition: [DiskPressure]. "
    node.write("vital.yaml", pod("vital", {"name": "vital", "command": ["sleep", "1000"]}, priorityClassName="system-node-critical"))
    node.running("vital")
    wait_for("end of the pressure", lambda: node_conditions(node)["DiskPressure"]["status"] == "False", timeout=60)
    assert {name: node.status(name)["phase"] for name in ("asked", "critical", "light")} == dict.fromkeys(("asked", "critical", "light"), "Running")
    assert 'kubelet_evictions{eviction_signal="nodefs.available"} 1' in node.get("/metrics")
    node.write("then.yaml", pod("then", {"name": "then", "command": ["sleep", "1000"]}))
    node.running("then")


def test_the_pod_that_takes_the_inodes_goes(small_disk):
    node = small_disk("evictionHard: {nodefs.inodesFree: 30%}\nimageGCHighThresholdPercent: 100\n")
    node.write("few.yaml", pod("few", filled(30 << 20, name="few")))
    node.write("files.yaml", pod("files", {"name": "files", "command": ["sh", "-c", f"cd /d; for i in $(seq 18000); do : > $i; done; {SLEEP}"],
                                           "volumeMounts": MOUNT}, volumes=EMPTY_DIR))
    status = evicted(node, "files")
    assert re.fullmatch(r"The node was low on resource: inodes. Threshold quantity: 6000, available: \d+. ", status["message"]), status["message"]
    assert node.status("few")["phase"] == "Running"


def test_soft_thresholds_wait(small_disk):
    node = small_disk("evictionHard: {}\nevictionSoft: {nodefs.available: 60%}\nevictionSoftGracePeriod: {nodefs.available: 15s}\n"
                      "evictionMaxPodGracePeriod: 3\nimageGCHighThresholdPercent: 100\n")
    node.write("hog.yaml", pod("hog", {"name": "hog", "command": ["sh", "-c", f"trap '' TERM; head -c 150000000 /dev/zero > /x; while :; do sleep 1; done"]},
                               terminationGracePeriodSeconds=600))
    wait_for("pressure", lambda: node_conditions(node)["DiskPressure"]["status"] == "True", timeout=30)
    began = time.monotonic()
    assert node.status("hog")["phase"] == "Running"
    wait_for("eviction", lambda: events_of(node, "hog", "Evicted"), timeout=60)
    assert 10 < time.monotonic() - began < 25
    began, status = time.monotonic(), node.status("hog")
    assert status["phase"] == "Running" and "reason" not in status and "running" in status["containerStatuses"][0]["state"]
    assert "terminated" in evicted(node, "hog")["containerStatuses"][0]["state"]
    assert 1.5 < time.monotonic() - began < 8


@pytest.fixture
def heavy_archive(tmp_path):
    """An image of 60 MB that cannot be compressed."""
    import oci

    def make(name):
        layer = oci.Layer().file("data", os.urandom(60 << 20))
        path = str(tmp_path / "heavy.tar")
        oci.Image([oci.busybox_layer(), layer.tar()], Cmd=["sh"]).write_docker_archive(path, f"localhost/{name}:test")
        return path
    return make


def has_image(node, name):
    return any(f"localhost/{name}:test" in i["repoTags"] for i in node.images())


def test_unused_images_go_at_the_high_threshold(small_disk, heavy_archive):
    """And not below it, nor what a pod has."""
    node = small_disk("evictionHard: {}\nimageGCHighThresholdPercent: 60\nimageGCLowThresholdPercent: 50\nimageMinimumGCAge: 1s\n")
    node.nacelle("import", heavy_archive("heavy"))
    node.write("a.yaml", pod("a", {"name": "a", "command": ["sleep", "1000"]}))
    node.running("a")
    time.sleep(12)
    assert has_image(node, "heavy")
    node.write("b.yaml", pod("b", filled(60 << 20, name="b")))
    wait_for("deletion of the unused image", lambda: not has_image(node, "heavy"), timeout=40)
    assert has_image(node, "busybox")
    wait_for("its space", lambda: os.statvfs(node.root).f_bavail * os.statvfs(node.root).f_frsize > 130 << 20)
    assert node.status("a")["phase"] == node.status("b")["phase"] == "Running"
    assert 'kubelet_image_garbage_collected_total{reason="space"} 1' in node.get("/metrics")


def test_old_images_go(small_disk, heavy_archive):
    node = small_disk("evictionHard: {}\nimageMinimumGCAge: 1s\nimageMaximumGCAge: 20s\n")
    node.nacelle("import", heavy_archive("heavy"))
    node.write("a.yaml", pod("a", {"name": "a", "command": ["sleep", "1000"]}))
    wait_for("deletion of the old image", lambda: not has_image(node, "heavy"), timeout=90)
    assert has_image(node, "busybox") and node.status("a")["phase"] == "Running"


def test_under_pressure_dead_containers_go_first_then_images_then_pods(small_disk, heavy_archive):
    """A pod that is done keeps its status, and is not run again after a restart."""
    node = small_disk("evictionHard: {nodefs.available: 40%}\nimageGCHighThresholdPercent: 100\nimageMinimumGCAge: 50ms\n")
    node.write("done.yaml", pod("done", {"name": "done", "command": ["sh", "-c", "head -c 90000000 /dev/zero > /x; echo ran; exit 0"]}, restartPolicy="Never"))
    wait_for("its end", lambda: node.status("done").get("phase") == "Succeeded")
    before = node.status("done")
    node.write("a.yaml", pod("a", filled(70 << 20, name="a")))
    wait_for("removal of the dead container", lambda: node.running("a") and not node.container("done"), timeout=40)
    after = node.status("done")
    assert after["phase"] == "Succeeded" and after["containerStatuses"][0]["state"] == before["containerStatuses"][0]["state"]
    time.sleep(11)
    assert node.status("a")["phase"] == "Running"
    node.restart()
    wait_for("the pod after a restart", lambda: node.status("done"))
    time.sleep(2)
    again = node.status("done")
    assert again["phase"] == "Succeeded" and again["containerStatuses"][0]["state"] == before["containerStatuses"][0]["state"]
    assert not node.container("done")
    node.nacelle("import", heavy_archive("heavy"))
    wait_for("deletion of the unused image", lambda: not has_image(node, "heavy"), timeout=40)
    assert node.status("a")["phase"] == "Running"


def test_images_on_a_disk_of_their_own(busybox_archive, heavy_archive):
    """When theirs is short, unused ones go and no pod's files do; a pod that asked for nothing stays as long as that is enough."""
    node = Node(config=KIND + "evictionHard: {imagefs.available: 40%}\nimageGCHighThresholdPercent: 100\nimageMinimumGCAge: 50ms\n")
    images = node.root + "/images"
    os.makedirs(images)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200m", "images", images], check=True)
    try:
        node.start()
        node.nacelle("import", busybox_archive)
        node.write("done.yaml", pod("done", {"name": "done", "command": ["true"]}, restartPolicy="Never"))
        node.write("a.yaml", pod("a", filled(5 << 20, name="a")))
        node.running("a")
        node.nacelle("import", heavy_archive("heavy"))
        wait_for("deletion of the unused image", lambda: not has_image(node, "heavy"), timeout=40)
        time.sleep(11)
        assert node.status("a")["phase"] == "Running" and node.container("done") and has_image(node, "busybox")
    finally:
        print(node.log()[-2000:])
        for name in os.listdir(node.manifests):
            os.unlink(os.path.join(node.manifests, name))
        wait_for("end of the pods", lambda: not node.pods(), timeout=40)
        node.kill(15)
        subprocess.run(["umount", "-l", images], check=True)
        node.start().stop()


def test_order_of_evictions_for_memory(new_node):
    """More than was asked for goes first, then the lower priority, then what uses most; one at a time, the critical pod never."""
    node = new_node(config=KIND + "evictionHard: {}\n")
    held = "x=$(head -c {} /dev/zero | tr '\\0' x); sleep 1000; :"
    pods = {"large": {"command": ["sh", "-c", held.format(30000000)]}, "small": {"command": ["sh", "-c", held.format(5000000)]},
            "important": {"command": ["sh", "-c", held.format(40000000)]},
            "asked": {"command": ["sh", "-c", held.format(50000000)], "resources": {"requests": {"memory": "1Gi"}}},
            "critical": {"command": ["sh", "-c", held.format(60000000)]}}
    fields = {"important": {"priority": 1000}, "critical": {"priority": 2000000000}}
    for name, container in pods.items():
        node.write(name + ".yaml", pod(name, {"name": name, **container}, **fields.get(name, {})))
        node.running(name)
    node.config = KIND + "evictionHard: {memory.available: 99%}\n"
    node.restart()
    status = evicted(node, "asked", timeout=90)
    assert re.fullmatch(r"The node was low on resource: memory. Threshold quantity: \d+, available: \d+Ki. ", status["message"]), status["message"]
    assert re.fullmatch(r"The node was low on resource: memory. .* Container large was using \d+[KM]i, request is 0, has larger consumption of memory. ",
                        node.status("large")["message"])
    order = [e["involvedObject"]["name"].rsplit("-", 1)[0] for e in json.loads(node.get("/events"))["items"] if e["reason"] == "Evicted"]
    assert order == ["large", "small", "important", "asked"], order
    assert node.status("critical")["phase"] == "Running"
    assert node_conditions(node)["MemoryPressure"]["reason"] == "KubeletHasInsufficientMemory"


# --- tasks ---


def kubepods(node, file):
    path = next(p for p in (f"/sys/fs/cgroup/pids{node.cgroup}/kubepods", f"/sys/fs/cgroup{node.cgroup}/kubepods") if os.path.exists(p))
    with open(f"{path}/{file}") as f:
        return f.read().strip()


def pids_max():
    return min(int(open(f"/proc/sys/kernel/{name}").read()) for name in ("pid_max", "threads-max"))


def test_the_node_keeps_tasks_for_itself(new_node):
    assert int(kubepods(new_node(), "pids.max")) == pids_max() - pids_max() // 8


def test_a_fork_bomb_leaves_the_node_alone(new_node):
    """All of the pods' tasks are taken, and the node works on: it answers, ends the pod, and starts the next."""
    node = new_node(config=KIND + f"systemReserved: {{pid: '{pids_max() - 1000}'}}\nkubeReserved: {{pid: '500'}}\n")
    assert kubepods(node, "pids.max") == "500"
    node.write("bomb.yaml", pod("bomb", {"name": "bomb", "command": ["sh", "-c", "f() { f | f & }; f; sleep 1000"]}))
    wait_for("all tasks to be taken", lambda: int(kubepods(node, "pids.current")) >= 490)
    assert "nacelle" in node.nacelle("version") and node.status("bomb")["phase"]
    node.remove("bomb.yaml")
    wait_for("end of the bomb", lambda: not node.pods() and int(kubepods(node, "pids.current")) == 0, timeout=60)
    node.write("next.yaml", pod("next", {"name": "next", "command": ["sleep", "1000"]}))
    node.running("next")


def test_a_fork_bomb_is_evicted(new_node):
    """With a threshold for tasks the pod goes by itself."""
    used = int(open("/proc/loadavg").read().split()[3].split("/")[1])
    node = new_node(config=KIND + f"systemReserved: {{pid: '{pids_max() - 3000}'}}\nevictionHard: {{pid.available: '{pids_max() - used - 1500}'}}\n")
    node.write("calm.yaml", pod("calm", {"name": "calm", "command": ["sleep", "1000"]}))
    node.running("calm")
    node.write("bomb.yaml", pod("bomb", {"name": "bomb", "command": ["sh", "-c", "for i in $(seq 2500); do sleep 1000 & done; wait"]}))
    status = evicted(node, "bomb")
    assert re.fullmatch(r"The node was low on resource: pids. Threshold quantity: \d+k?, available: \d+. ", status["message"]), status["message"]
    assert node.status("calm")["phase"] == "Running"
