"""The real crictl against the socket: every verb of the first page, as an operator uses it."""
import json

import pytest

from support.node import wait_for


@pytest.fixture
def sandbox(node, tmp_path):
    config = tmp_path / "pod.json"
    config.write_text(json.dumps({"metadata": {"name": "s", "namespace": "test", "attempt": 1, "uid": "u1"}, "hostname": "s",
                                  "log_directory": str(tmp_path / "logs"), "labels": {"k": "v"}, "linux": {}}))
    return node.crictl("runp", str(config)).strip(), str(config)


def create(node, sandbox, tmp_path, name="c", **fields):
    config = tmp_path / f"{name}.json"
    config.write_text(json.dumps({"metadata": {"name": name}, "image": {"image": "localhost/busybox:test"}, "log_path": f"{name}.log", "linux": {}, **fields}))
    return node.crictl("create", sandbox[0], str(config), sandbox[1]).strip()


def test_version_info(node):
    assert "RuntimeName:  nacelle" in node.crictl("version")
    info = json.loads(node.crictl("info"))
    assert {c["type"]: c["status"] for c in info["status"]["conditions"]}["RuntimeReady"] is True


def test_lifecycle(node, sandbox, tmp_path):
    c = create(node, sandbox, tmp_path, command=["sh", "-c", "echo hello; sleep 1000"])
    assert node.inspect(c)["status"]["state"] == "CONTAINER_CREATED"
    node.crictl("start", c)
    assert node.inspect(c)["status"]["state"] == "CONTAINER_RUNNING"
    assert c[:13] in node.crictl("ps")
    assert node.crictl("exec", "-s", c[:10], "echo", "in").startswith("in\n")
    wait_for("log", lambda: node.crictl("logs", c) == "hello\n")
    assert json.loads(node.crictl("stats", "-o", "json", "--id", c))["stats"]
    node.crictl("stop", "-t", "0", c)
    status = node.inspect(c)["status"]
    assert status["state"] == "CONTAINER_EXITED" and status["exitCode"] == 137
    node.crictl("rm", c)
    assert c not in node.crictl("ps", "-a", "-q")
    node.crictl("stopp", sandbox[0])
    assert node.inspectp(sandbox[0])["status"]["state"] == "SANDBOX_NOTREADY"
    node.crictl("rmp", sandbox[0])
    assert node.crictl("pods", "-q") == ""


def test_stats_of_the_network(node, sandbox, tmp_path):
    """Only with a default interface, without which a kubelet ends in a panic: a pod of the host's network has none."""
    config = tmp_path / "host.json"
    config.write_text(json.dumps({"metadata": {"name": "host", "namespace": "default", "uid": "host-net", "attempt": 0}, "linux": {"security_context": {"namespace_options": {"network": 2}}}}))
    host = node.crictl("runp", str(config)).strip()

    def network(pod):
        return json.loads(node.crictl("statsp", "-o", "json", "--id", pod))["stats"][0]["linux"].get("network")

    try:
        assert network(sandbox[0])["defaultInterface"]["name"] == "eth0"
        assert network(host) is None
    finally:
        node.crictl("rmp", "-f", host)


def test_exec_exit_code_and_timeout(node, sandbox, tmp_path):
    c = create(node, sandbox, tmp_path, command=["sleep", "1000"])
    node.crictl("start", c)
    assert node.crictl("exec", "-s", c, "sh", "-c", "exit 5", check=False).returncode != 0
    out = node.crictl("exec", "-s", "--timeout", "1", c, "sleep", "100", check=False)
    assert out.returncode != 0


def test_wrong_ids_and_missing_image(node, sandbox, tmp_path):
    assert node.crictl("inspect", "nosuchcontainer", check=False).returncode != 0
    config = tmp_path / "x.json"
    config.write_text(json.dumps({"metadata": {"name": "x"}, "image": {"image": "localhost/none:1"}, "linux": {}}))
    out = node.crictl("create", sandbox[0], str(config), sandbox[1], check=False)
    assert out.returncode != 0 and "localhost/none:1" in out.stderr


def test_exec_of_missing_program_is_explained(node, sandbox, tmp_path):
    c = create(node, sandbox, tmp_path, command=["/no/such/program"])
    out = node.crictl("start", c, check=False)
    assert out.returncode != 0 and "/no/such/program" in out.stderr and "no such file" in out.stderr.lower()


def test_images_verbs(node):
    images = node.images()
    assert any("localhost/busybox:test" in i["repoTags"] for i in images)
    status = json.loads(node.crictl("inspecti", "localhost/busybox:test"))
    assert status["status"]["repoTags"] == ["localhost/busybox:test"]
    assert json.loads(node.crictl("imagefsinfo"))


def test_metrics_have_cadvisor_s_names(node, sandbox, tmp_path):
    described = {d["name"]: d["labelKeys"] for d in json.loads(node.crictl("metricdescs", "-o", "json"))["descriptors"]}
    assert {"container_cpu_usage_seconds_total", "container_memory_working_set_bytes", "container_start_time_seconds", "container_last_seen",
            "container_oom_events_total", "container_fs_usage_bytes", "container_spec_cpu_quota", "container_memory_failures_total",
            "container_processes", "container_network_receive_bytes_total"} <= set(described)
    c = create(node, sandbox, tmp_path, command=["sh", "-c", "sleep 1000 & sleep 1000"], linux={"resources": {"cpu_quota": 50000, "cpu_period": 100000}})
    node.crictl("start", c)
    metrics = json.loads(node.crictl("metricsp", "-o", "json"))["podMetrics"]
    pod = next(p for p in metrics if p["podSandboxId"] == sandbox[0])
    found = {}
    for m in pod["containerMetrics"][0]["metrics"] + pod["metrics"]:
        assert len(m["labelValues"]) == len(described[m["name"]]), m
        found.setdefault(m["name"], []).append((int(m["value"]["value"] or 0), m["labelValues"]))
    wait_for("both processes", lambda: [v for p in json.loads(node.crictl("metricsp", "-o", "json"))["podMetrics"] if p["podSandboxId"] == sandbox[0]
                                        for m in p["containerMetrics"][0]["metrics"] if m["name"] == "container_processes" for v in [int(m["value"]["value"])]] in ([2], [3]))
    assert found["container_spec_cpu_quota"][0][0] == 50000 and found["container_start_time_seconds"][0][0] > 1e9
    assert found["container_memory_usage_bytes"][0][0] > 0 and len(found["container_memory_failures_total"]) == 2
    assert [labels[-1] for _, labels in found["container_network_receive_bytes_total"]] == ["eth0"]
