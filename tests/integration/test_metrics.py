"""What the agent tells of itself: Prometheus metrics, `crictl info`, the journal; and that it sleeps when nothing happens."""
import json
import os
import socket
import subprocess
import tempfile
import time

from prometheus_client.parser import text_string_to_metric_families

from support.faults import Cri
from support.node import Node, pod, wait_for

IDLE_SECONDS = 4
WAKE_UPS_MAX = 4  # in that time: for what ends by itself, a pool thread or a late close


def scrape(node):
    head, _, body = subprocess.run(["curl", "-si", "--unix-socket", node.run + "/kubelet.sock", "http://localhost/metrics"], check=True,
                                   capture_output=True, text=True).stdout.partition("\n\n")
    assert "text/plain; version=0.0.4" in head
    assert body.endswith("\n")
    families = list(text_string_to_metric_families(body))
    assert len({f.name for f in families}) == len(families), "a family is there twice"
    for f in families:
        assert f.type in ("counter", "gauge", "histogram") and f.documentation, f.name
        labels = [(s.name, tuple(sorted(s.labels.items()))) for s in f.samples]
        assert len(set(labels)) == len(labels), f.name
    return {f.name: f for f in families}


def value(families, name, **labels):
    found = [s.value for f in families.values() for s in f.samples if s.name == name and all(s.labels.get(k) == v for k, v in labels.items())]
    assert len(found) == 1, (name, labels, found)
    return found[0]


def check_histogram(family):
    series = {}
    for s in family.samples:
        key = tuple(sorted((k, v) for k, v in s.labels.items() if k != "le"))
        series.setdefault(key, {"buckets": []})
        if s.name.endswith("_bucket"):
            series[key]["buckets"].append((float(s.labels["le"]), s.value))
        else:
            series[key][s.name.rsplit("_", 1)[1]] = s.value
    for key, one in series.items():
        counts = [n for _, n in one["buckets"]]
        assert one["buckets"] == sorted(one["buckets"]) and counts == sorted(counts), (family.name, key)
        assert one["buckets"][-1] == (float("inf"), one["count"]) and one["sum"] >= 0, (family.name, key)


def test_metrics(new_node, registry):
    import oci
    node = new_node()
    before = scrape(node)
    node.write("a.yaml", pod("a", "sleep 1000"))
    node.write("b.yaml", pod("b", {"name": "crash", "command": ["sh", "-c", "exit 3"]}))
    node.running("main")
    wait_for("a restart", lambda: node.container("crash", attempt=1))
    layer = oci.Layer().file("data", os.urandom(100000))
    node.crictl("pull", registry.push(oci.Image([layer.tar()], Cmd=["x"]), "measured:1"))
    cri = Cri(node.socket)
    assert cri.call("ExecSync", {1: "nosuch", 2: ["true"]})[0] == "NOT_FOUND"
    cri.close()
    after = wait_for("restart in the metrics", lambda: (lambda m: value(m, "nacelle_container_restarts_total") >= 1 and m)(scrape(node)))
    assert value(after, "kubelet_runtime_operations_total", operation_type="run_podsandbox") == 2
    assert value(after, "kubelet_runtime_operations_errors_total", operation_type="exec_sync") == 1
    assert value(after, "kubelet_runtime_operations_duration_seconds_count", operation_type="run_podsandbox") == 2
    assert value(after, "kubelet_started_containers_total") >= 3
    assert value(after, "kubelet_running_pods") == 2 and value(after, "nacelle_shims") == 2 and value(after, "nacelle_directory_pods") == 2
    assert value(after, "kubelet_running_containers", container_state="running") == 1 and value(after, "kubelet_node_name", node=node.name) == 1
    assert value(after, "kubelet_started_pods_total") == 2 and value(after, "kubelet_started_pods_errors_total") == 0
    assert value(after, "kubelet_pod_start_duration_seconds_count") == 2 and 0 < value(after, "kubelet_pod_start_duration_seconds_sum") < 60
    assert value(after, "kubelet_desired_pods", static="true") == value(after, "kubelet_active_pods", static="true") == 2 and value(after, "kubelet_desired_pods", static="") == 0
    assert value(after, "nacelle_image_pulls_total") == 1
    assert 100000 <= value(after, "nacelle_image_pull_bytes_total") <= 110000
    assert value(after, "nacelle_image_pull_duration_seconds_count") == 1
    wait_for("the open descriptors, with the scrape's connection",
             lambda: value(scrape(node), "process_open_fds") == len(os.listdir(f"/proc/{node.process.pid}/fd")) + 1)
    assert 1e6 < value(after, "process_resident_memory_bytes") < 1e8
    assert abs(value(after, "process_start_time_seconds") - value(before, "process_start_time_seconds")) < 1
    assert time.time() - 600 < value(after, "process_start_time_seconds") < time.time()
    for family in after.values():
        if family.type == "histogram":
            check_histogram(family)
    # Labels are of fixed sets: other pods and images bring no other series.
    allowed = {"operation_type", "container_state", "version", "le", "node", "static", "git_version", "major", "minor"}
    assert {label for f in after.values() for s in f.samples for label in s.labels} <= allowed


def test_metrics_of_a_runtime_only_agent(new_node):
    node = new_node("--runtime-only")
    assert value(scrape(node), "kubelet_runtime_operations_total", operation_type="version") >= 1


def test_oom_and_shims_are_counted(new_node):
    node = new_node()
    node.write("o.yaml", pod("o", {"command": ["sh", "-c", "x=aaaaaaaa; while :; do x=$x$x; done"], "resources": {"limits": {"memory": "16Mi"}}},
                             restartPolicy="Never"))
    node.exited("main")
    wait_for("the kill in the metrics", lambda: value(scrape(node), "nacelle_oom_kills_total") >= 1)
    node.write("s.yaml", pod("s", {"name": "sleeper", "command": ["sleep", "1000"]}))
    node.running("sleeper")
    os.kill(node.shims().pop(), 9)
    wait_for("the new shim in the metrics", lambda: value(scrape(node), "nacelle_shims_recovered_total") == 1)


def test_info(new_node):
    node = new_node()
    node.write("a.yaml", pod("a", "sleep 1000"))
    node.running("main")
    info = json.loads(node.crictl("info"))
    assert {c["type"]: c["status"] for c in info["status"]["conditions"]} == {"RuntimeReady": True, "NetworkReady": True}
    config = info["config"]
    assert config["rootDir"] == node.root and config["runDir"] == node.run and config["cgroupRoot"] == node.cgroup
    assert config["cgroupMode"] in ("v2", "hybrid", "v1") and config["networkReady"] is True
    assert config["kernel"] == os.uname().release and config["version"] in node.nacelle("version")
    assert (config["sandboxes"], config["sandboxesReady"], config["containers"], config["containersRunning"]) == (1, 1, 1, 1)


def test_info_says_why_the_network_is_not_ready(new_node):
    node = new_node("--cni-bin-dir", "/nowhere")
    os.makedirs(node.dir + "/cni", exist_ok=True)
    with open(node.dir + "/cni/10-x.conflist", "w") as f:
        f.write('{"cniVersion": "1.0.0", "name": "x", "plugins": [{"type": "nosuchplugin"}]}')

    def why():
        info = json.loads(node.crictl("info"))
        network = next(c for c in info["status"]["conditions"] if c["type"] == "NetworkReady")
        return not network["status"] and (network["reason"], network["message"], info["config"])
    reason, message, config = wait_for("a network that is not ready", why)
    assert reason == "NetworkPluginNotReady" and "nosuchplugin" in message and config["networkReason"] == message


def switches(pid):
    """Times that the process' threads went to sleep of their own: each is a wake-up."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/status") as f:
            total += sum(int(line.split()[1]) for line in f if line.startswith("voluntary_ctxt"))
    return total


def test_nothing_wakes_it_when_nothing_happens(new_node):
    """Idle pods, and files that come and go beside the manifests' directory."""
    node = new_node()
    for i in range(10):
        node.write(f"p{i}.yaml", pod(f"p{i}", {"name": f"p{i}", "command": ["sleep", "1000"]}))
    wait_for("all pods", lambda: len([c for c in node.containers() if c["state"] == "CONTAINER_RUNNING"]) == 10)
    # Threads end some seconds after their last work.
    wait_for("one thread", lambda: len(os.listdir(f"/proc/{node.process.pid}/task")) == 1, timeout=40, interval=0.2)
    time.sleep(1)
    processes = {node.process.pid, *node.shims()}
    before = {pid: switches(pid) for pid in processes}
    for i in range(200):
        with tempfile.NamedTemporaryFile(dir=node.dir), tempfile.NamedTemporaryFile(dir="/run"):
            time.sleep(IDLE_SECONDS / 200)
    woken = {pid: switches(pid) - before[pid] for pid in processes}
    assert max(woken.values()) <= WAKE_UPS_MAX, f"agent {woken[node.process.pid]}, shims {sorted(woken.values())}"


def test_journal_fields(busybox_archive):
    """With the journal's stream for its standard error; where this host has no journal, a socket in its place."""
    if os.path.exists("/run/systemd/journal/socket"):
        return
    os.makedirs("/run/systemd/journal", exist_ok=True)
    node = Node()
    with open(node.log_path, "ab") as f, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        st = os.fstat(f.fileno())
        node.env["JOURNAL_STREAM"] = f"{st.st_dev}:{st.st_ino}"
        journal.bind("/run/systemd/journal/socket")
        journal.settimeout(20)
        try:
            node.start()
            node.nacelle("import", busybox_archive)
            node.write("a.yaml", pod("a", "sleep 1000"))
            node.running("main")
            said = b""
            while b"Started" not in said:
                said = journal.recv(65536)
                assert said.startswith(b"PRIORITY=") and b"\nSYSLOG_IDENTIFIER=agent\nMESSAGE\n" in said
        finally:
            os.unlink("/run/systemd/journal/socket")
            node.stop()
    assert said.startswith(b"PRIORITY=6\n") and said.endswith(f"\nPOD_NAMESPACE=default\nPOD_NAME=a-{node.name}\nCONTAINER_NAME=main\n".encode())
