"""Resource limits are real: cgroup values as the container is held to them, OOM kills explained."""
import glob
import os

from support.node import pod, wait_for


def cgroup_file(pid, controller, v1, v2):
    """The content of a control file of a process's cgroup, wherever the controller is."""
    for line in open(f"/proc/{pid}/cgroup"):
        _, names, path = line.strip().split(":", 2)
        if controller in names.split(","):
            found = glob.glob(f"/sys/fs/cgroup/{controller}{path}/{v1}")
            return open(found[0]).read().strip()
    path = [line.strip().split(":", 2)[2] for line in open(f"/proc/{pid}/cgroup") if line.startswith("0::")][0]
    return open(f"/sys/fs/cgroup{path}/{v2}").read().strip()


def test_limits_in_cgroup_files(node):
    node.write("lim.yaml", pod("lim", {"command": ["sleep", "1000"], "resources": {"limits": {"memory": "64Mi", "cpu": "500m"}, "requests": {"cpu": "250m"}}}))
    c = node.running("main")
    pid = node.inspect(c)["info"]["pid"]
    assert cgroup_file(pid, "memory", "memory.limit_in_bytes", "memory.max") == str(64 << 20)
    assert cgroup_file(pid, "cpu", "cpu.cfs_quota_us", "cpu.max").split()[0] == "50000"
    assert cgroup_file(pid, "cpu", "cpu.shares", "cpu.weight") in ("256", "10")
    path = next(line for line in open(f"/proc/{pid}/cgroup") if "memory" in line or line.startswith("0::"))
    assert "/kubepods/burstable/pod" in path


def test_all_pods_have_the_weight_of_their_processors(new_node):
    """As kubelet's node allocatable: beside the node's own work they count as many processors as they may ask for."""
    node = new_node(config="apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nsystemReserved: {cpu: 500m}\n")
    shares = (os.cpu_count() * 1000 - 500) * 1024 // 1000
    v1, v2 = f"/sys/fs/cgroup/cpu{node.cgroup}/kubepods/cpu.shares", f"/sys/fs/cgroup{node.cgroup}/kubepods/cpu.weight"
    with open(v1 if os.path.exists(v1) else v2) as f:
        has = int(f.read())
    assert has == shares if os.path.exists(v1) else has != 100, has


def test_oom_kill_is_reported_with_usage_and_limit(node):
    node.write("oom.yaml", pod("oom", {"command": ["sh", "-c", "x=a; while :; do x=$x$x$x; done"], "resources": {"limits": {"memory": "16Mi"}}},
                               restartPolicy="Never"))
    wait_for("OOMKilled", lambda: (node.status("oom").get("containerStatuses") or [{}])[0].get("state", {}).get("terminated", {}).get("reason") == "OOMKilled")
    assert node.status("oom")["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 137
    lines = [line for line in node.log().splitlines() if "OOM" in line and "main" in line and "limit" in line]
    assert lines and ("16" in lines[0])


def test_limit_too_small_to_start_is_named(node):
    """128m are milli-bytes, a mistake that many make; the kernel has no room for as much as a cgroup then."""
    for name, limit in ("milli", "128m"), ("page", "4096"):
        node.write(f"{name}.yaml", pod(name, {"command": ["sleep", "1000"], "resources": {"limits": {"memory": limit}}}, restartPolicy="Never"))
        state = wait_for("its failure", lambda: (node.status(name).get("containerStatuses") or [{}])[0].get("state", {}).get("terminated"))
        assert state["reason"] == "StartError" and "the memory limit of " in state["message"] and "is too small for anything to start" in state["message"]


def test_pids_limit(new_node):
    node = new_node(config="apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\npodPidsLimit: 32\n")
    node.write("pids.yaml", pod("pids", "sleep 1000"))
    c = node.running("main")
    out = node.exec(c, "sh", "-c", "for i in $(seq 60); do sleep 5 & done; wait", check=False)
    assert "fork" in out.stderr + out.stdout or out.returncode != 0


def test_devices_are_denied(node):
    node.write("dev.yaml", pod("dev", "sleep 1000"))
    c = node.running("main")
    out = node.exec(c, "sh", "-c", "mknod /tmp/d b 254 0 && cat /tmp/d | head -c 1", check=False)
    assert "Operation not permitted" in out.stderr + out.stdout
    assert node.exec(c, "sh", "-c", "head -c 4 /dev/zero | wc -c").strip() == "4"


def test_stats(node):
    node.write("st.yaml", pod("st", "while :; do :; done"))
    c = node.running("main")
    import json
    stats = wait_for("usage", lambda: (lambda s: s if int(s["cpu"]["usageCoreNanoSeconds"]["value"]) > 10**7 else None)(
        json.loads(node.crictl("stats", "-o", "json", "--id", c["id"]))["stats"][0]))
    assert int(stats["memory"]["workingSetBytes"]["value"]) > 0
    node.crictl("statsp", "-o", "json")


def test_a_static_binary_starts_within_128_kib(node, tmp_path):
    """What it costs to make a container is not charged to it where memory has a v1 hierarchy."""
    import io
    import json
    import subprocess
    import tarfile

    import oci
    source, program, archive, layer = tmp_path / "t.c", tmp_path / "true", tmp_path / "t.tar", io.BytesIO()
    source.write_text("int main(void) { return 0; }")
    subprocess.check_call(["musl-gcc", "-static", "-Os", "-s", str(source), "-o", str(program)])
    with tarfile.open(fileobj=layer, mode="w") as t:
        t.add(program, "true")
    oci.Image([layer.getvalue()], Cmd=["/true"]).write_docker_archive(str(archive), "localhost/true:test")
    node.nacelle("import", str(archive))
    (tmp_path / "pod.json").write_text(json.dumps({"metadata": {"name": "s", "namespace": "test", "attempt": 1, "uid": "u"}, "linux": {}}))
    sandbox = node.crictl("runp", str(tmp_path / "pod.json")).strip()
    for i in range(5):
        (tmp_path / "c.json").write_text(json.dumps({"metadata": {"name": f"c{i}"}, "image": {"image": "localhost/true:test"},
                                                     "linux": {"resources": {"memory_limit_in_bytes": 128 << 10}}}))
        c = node.crictl("create", sandbox, str(tmp_path / "c.json"), str(tmp_path / "pod.json")).strip()
        node.crictl("start", c)
        wait_for("end", lambda: node.inspect(c)["status"]["state"] == "CONTAINER_EXITED")
        assert node.inspect(c)["status"]["exitCode"] == 0


def message(**fields):
    """A protobuf message: field numbers as _1=..., values integers, texts or messages (bytes)."""
    def varint(n):
        n &= (1 << 64) - 1
        out = b""
        while n > 127:
            out, n = out + bytes([n & 127 | 128]), n >> 7
        return out + bytes([n])
    text = b""
    for name, value in fields.items():
        number = int(name[1:])
        if isinstance(value, int):
            text += varint(number << 3) + varint(value)
        else:
            value = value.encode() if isinstance(value, str) else value
            text += varint(number << 3 | 2) + varint(len(value)) + value
    return text


def rpc(node, tmp_path, method, body):
    """A call that no command of crictl makes; gRPC's status of it."""
    import subprocess
    request = tmp_path / "request"
    request.write_bytes(b"\0" + len(body).to_bytes(4, "big") + body)
    out = subprocess.run(["curl", "-s", "-v", "--http2-prior-knowledge", "--unix-socket", node.socket, "-H", "content-type: application/grpc", "-H", "te: trailers",
                          "--data-binary", f"@{request}", "-o", os.devnull, f"http://localhost/runtime.v1.RuntimeService/{method}"], capture_output=True, text=True)
    return next(int(line.split(":")[1]) for line in out.stderr.splitlines() if "grpc-status:" in line)


def test_pod_level_resources_are_updated(node, tmp_path):
    import json
    config = {"metadata": {"name": "s", "namespace": "test", "attempt": 1, "uid": "u"}, "linux": {"resources": {"memory_limit_in_bytes": 64 << 20}}}
    (tmp_path / "pod.json").write_text(json.dumps(config))
    sandbox = node.crictl("runp", str(tmp_path / "pod.json")).strip()

    def of_pod(controller, v1, v2):
        found = glob.glob(f"/sys/fs/cgroup/{controller}{node.cgroup}/{sandbox}/{v1}") or glob.glob(f"/sys/fs/cgroup{node.cgroup}/{sandbox}/{v2}")
        return open(found[0]).read().strip()
    assert of_pod("memory", "memory.limit_in_bytes", "memory.max") == str(64 << 20)
    resources = message(_1=100000, _2=30000, _3=512, _4=48 << 20)
    assert rpc(node, tmp_path, "UpdatePodSandboxResources", message(_1=sandbox, _3=resources)) == 0
    assert of_pod("memory", "memory.limit_in_bytes", "memory.max") == str(48 << 20)
    assert of_pod("cpu", "cpu.cfs_quota_us", "cpu.max").split()[0] == "30000"
    assert rpc(node, tmp_path, "UpdatePodSandboxResources", message(_1="nosuchpod", _3=resources)) == 5
    assert rpc(node, tmp_path, "UpdatePodSandboxResources", message(_1=sandbox, _3=message(_4=-7))) == 3
    node.crictl("stopp", sandbox)
    assert rpc(node, tmp_path, "UpdatePodSandboxResources", message(_1=sandbox, _3=resources)) == 3
    assert rpc(node, tmp_path, "UpdateRuntimeConfig", message(_1=message(_1=message(_1="10.1.0.0/16")))) == 0
