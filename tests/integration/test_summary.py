"""/stats/summary: what pods and the node use of the disk, to the byte where a test has written it; who does the node's work."""
import calendar
import json
import os
import subprocess
import time

import pytest

from support.node import Node, pod, wait_for

FS = {"time", "availableBytes", "capacityBytes", "usedBytes", "inodesFree", "inodes", "inodesUsed"}
MIB = 1 << 20
VOLUMES = [{"name": "disk", "emptyDir": {}}, {"name": "memory", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}}, {"name": "host", "hostPath": {"path": "/usr"}},
           {"name": "facts", "downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}}]
WRITE = ("head -c 3145728 /dev/zero > /disk/x; mkdir /disk/d; head -c 2097152 /dev/zero > /memory/x; head -c 5242880 /dev/zero > /layer; "
         "head -c 1048576 /dev/zero | tr '\\0' x | fold -w 1000; sync; touch /disk/done; exec sleep 1000")


def summary(node, query=""):
    return json.loads(node.get("/stats/summary" + query))


def of(node, name):
    return next((p for p in summary(node)["pods"] if p["podRef"]["name"] == f"{name}-{node.name}"), None)


def du(path):
    """Bytes and inodes below a directory, itself among them."""
    return int(subprocess.run(["du", "-s", "-B1", path], capture_output=True, text=True).stdout.split()[0]), sum(len(d) + len(f) for _, d, f in os.walk(path)) + 1


@pytest.fixture(scope="module")
def host(busybox_archive):
    n = Node().start()
    n.nacelle("import", busybox_archive)
    yield n
    n.stop()


@pytest.fixture(scope="module")
def used(host):
    node = host
    mounts = [{"name": v["name"], "mountPath": "/" + v["name"]} for v in VOLUMES]
    node.write("used.yaml", pod("used", {"command": ["sh", "-c", WRITE], "volumeMounts": mounts}, {"name": "idle", "command": ["sleep", "1000"]}, volumes=VOLUMES))
    node.running("main")
    uid = wait_for("pod", lambda: next((p["metadata"]["uid"] for p in node.pod_list() if p["metadata"]["name"].startswith("used-")), None))
    wait_for("files", lambda: os.path.exists(f"{node.root}/pods/{uid}/volumes/kubernetes.io~empty-dir/disk/done"))
    return uid


def test_volumes(host, used):
    volumes = {v["name"]: v for v in of(host, "used")["volume"]}
    assert volumes.keys() == {"disk", "memory", "facts"}  # the host's own is nobody's use
    for v in volumes.values():
        assert v.keys() == FS | {"name"}
    disk = du(f"{host.root}/pods/{used}/volumes/kubernetes.io~empty-dir/disk")
    assert (volumes["disk"]["usedBytes"], volumes["disk"]["inodesUsed"]) == disk and disk[1] == 4 and disk[0] >= 3 * MIB
    # a file system of its own
    assert volumes["memory"]["capacityBytes"] == 64 * MIB and 2 * MIB <= volumes["memory"]["usedBytes"] < 3 * MIB
    assert volumes["memory"]["availableBytes"] == 62 * MIB
    node_fs = summary(host)["node"]["fs"]
    assert volumes["disk"]["capacityBytes"] == node_fs["capacityBytes"] and volumes["disk"]["inodes"] == node_fs["inodes"]


def test_volumes_are_walked_once_in_a_while(new_node, busybox_archive):
    """As often as volumeStatsAggPeriod says, however often somebody asks; what is told is of one moment."""
    node = new_node(config="apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nvolumeStatsAggPeriod: 3s\n")
    node.nacelle("import", busybox_archive)
    node.write("writes.yaml", pod("writes", {"command": ["sh", "-c", "while :; do head -c 8192 /dev/zero >> /d/x; sleep 0.1; done"], "volumeMounts": [{"name": "d", "mountPath": "/d"}]},
                                  volumes=[{"name": "d", "emptyDir": {}}]))
    node.running("main")
    first = wait_for("its volume", lambda: (of(node, "writes") or {}).get("volume"))
    assert [of(node, "writes")["volume"] for _ in range(5)] == [first] * 5 or time.time() > calendar.timegm(time.strptime(first[0]["time"], "%Y-%m-%dT%H:%M:%SZ")) + 3
    later = wait_for("another look", lambda: (lambda v: v if v != first else None)(of(node, "writes")["volume"]), timeout=20)
    assert later[0]["usedBytes"] > first[0]["usedBytes"] and later[0]["time"] > first[0]["time"]
    node.config = node.config.replace("3s", "-1s")
    node.restart()
    assert "volume" not in wait_for("the pod", lambda: of(node, "writes"))


def test_containers_and_the_pod(host, used):
    # a layer is measured once in ten seconds
    found = wait_for("layer", lambda: next((p for p in [of(host, "used")] if [c for c in p["containers"] if c["name"] == "main" and c["rootfs"]["usedBytes"] >= 5 * MIB]), None), timeout=25)
    containers = {c["name"]: c for c in found["containers"]}
    main, idle = containers["main"], containers["idle"]
    for c in (main, idle):
        assert c["rootfs"].keys() == FS and c["logs"].keys() == FS
    assert 1 * MIB <= main["logs"]["usedBytes"] < 2 * MIB and main["logs"]["inodesUsed"] == 1 and idle["logs"]["usedBytes"] < MIB
    node_fs = summary(host)["node"]["fs"]
    assert main["logs"]["capacityBytes"] == node_fs["capacityBytes"]
    disk = next(v for v in found["volume"] if v["name"] == "disk")
    parts = [c[what] for c in (main, idle) for what in ("rootfs", "logs")] + [disk]
    hosts = os.stat(f"{host.root}/pods/{used}/etc-hosts").st_blocks * 512
    assert found["ephemeral-storage"]["usedBytes"] == sum(p["usedBytes"] for p in parts) + hosts
    assert found["ephemeral-storage"]["inodesUsed"] == sum(p["inodesUsed"] for p in parts) + 1
    assert found["process_stats"]["process_count"] >= 2


def test_the_node(host, used):
    told = summary(host)["node"]
    assert told["nodeName"] == host.name and set(told) >= {"systemContainers", "startTime", "cpu", "memory", "network", "fs", "runtime", "rlimit", "swap"}
    images = told["runtime"]["imageFs"]
    assert images.keys() == FS and told["runtime"]["containerFs"] == images
    assert 0 < images["usedBytes"] < 64 * MIB and images["capacityBytes"] == told["fs"]["capacityBytes"]  # what images take, not the disk's other users
    if os.path.exists("/proc/pressure/cpu"):
        assert all(set(told[what]["psi"]) == {"full", "some"} for what in ("cpu", "memory", "io"))
    assert told["rlimit"]["maxpid"] > told["rlimit"]["curproc"] > 0
    assert not [i for i in told["network"]["interfaces"] if i["name"] == "lo" or i["name"].startswith("nv")]
    systems = {c["name"]: c for c in told["systemContainers"]}
    assert {"pods"} <= systems.keys() <= {"kubelet", "runtime", "pods"}
    pods = summary(host)["pods"]
    assert systems["pods"]["cpu"]["usageCoreNanoSeconds"] > 0 and systems["pods"]["memory"]["workingSetBytes"] > 0
    assert systems["pods"]["memory"]["usageBytes"] >= max(p["memory"]["rssBytes"] for p in pods)
    for c in systems.values():
        assert not {"rootfs", "logs"} & set(c)


def test_the_work_s_own_cgroup(new_node):
    """An agent that is in a cgroup of its own, as systemd's units are, tells what it uses itself."""
    name = f"/nacelle-test-own-{os.getpid()}"
    tops = [line.split()[1] for line in open("/proc/mounts") if line.split()[2] in ("cgroup", "cgroup2")]
    made = []
    try:
        for top in tops:
            path = top + name
            os.mkdir(path)
            made.append(path)
            for file in ("cpuset.cpus", "cpuset.mems"):
                if os.path.exists(f"{path}/{file}") and open(f"{path}/{file}").read().strip() == "":
                    try:
                        with open(f"{top}/{file}") as f, open(f"{path}/{file}", "w") as g:
                            g.write(f.read())
                    except OSError:
                        pass
        join = "; ".join(f"echo 0 > {path}/cgroup.procs" for path in made)
        node = new_node(before=["sh", "-c", f'{join}; exec "$@"', "sh"])
        first = {c["name"]: c for c in summary(node)["node"]["systemContainers"]}
        assert first.keys() == {"kubelet", "runtime", "pods"}
        assert first["kubelet"]["cpu"]["usageCoreNanoSeconds"] > 0 and first["kubelet"]["memory"]["workingSetBytes"] > MIB
        time.sleep(1.1)
        for _ in range(5):
            summary(node)
        second = {c["name"]: c for c in summary(node)["node"]["systemContainers"]}
        assert second["kubelet"]["cpu"]["usageNanoCores"] > 0
        node.kill()
        wait_for("end", lambda: all(not open(f"{p}/cgroup.procs").read() for p in made))
    finally:
        for path in made:
            os.rmdir(path)


def test_only_use(host, used):
    told = summary(host, "?only_cpu_and_memory=true")
    assert set(told["node"]) == {"nodeName", "systemContainers", "startTime", "cpu", "memory", "swap"}
    found = next(p for p in told["pods"] if p["podRef"]["uid"] == used)
    assert set(found) - {"swap"} == {"podRef", "startTime", "containers", "cpu", "memory"}
    assert all(set(c) - {"swap"} == {"name", "startTime", "cpu", "memory"} for c in found["containers"])
