"""The agent may die: containers, logs, counts and addresses go on."""
import os
import random
import re
import shutil
import signal
import subprocess
import time

from support import leaks
from support.node import address, pod, wait_for

COUNT = "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.01; done"


def numbers(node, container):
    return [int(n) for n in re.findall(r"line (\d+)\n", node.nacelle("logs", container["id"]))]


def test_kill_and_restart_touches_nothing(new_node):
    node = new_node()
    node.write("a.yaml", pod("a", COUNT))
    node.write("b.yaml", pod("b", {"name": "crash", "command": ["sh", "-c", "exit 4"]}))
    before = node.running("main")
    pid, ip = node.inspect(before)["info"]["pid"], address(node, before["podSandboxId"])
    wait_for("restart", lambda: node.container("crash", attempt=1))
    for sig in (signal.SIGKILL, signal.SIGTERM):
        node.kill(sig)
        time.sleep(0.5)
        node.start()
        after = node.running("main")
        assert after["id"] == before["id"] and node.inspect(after)["info"]["pid"] == pid
        assert address(node, after["podSandboxId"]) == ip
    found = numbers(node, before)
    assert found == list(range(1, len(found) + 1))
    assert int(node.container("crash")["metadata"]["attempt"]) >= 1
    assert len([c for c in node.containers() if c["metadata"]["name"] == "main"]) == 1


def test_exit_while_the_agent_was_away(new_node):
    node = new_node()
    node.write("x.yaml", pod("x", "sleep 1; exit 9", restartPolicy="Never"))
    c = node.running("main")
    node.kill()
    time.sleep(1.5)
    node.start()
    wait_for("exit code", lambda: node.inspect(c)["status"].get("exitCode") == 9)
    wait_for("Failed", lambda: node.status("x").get("phase") == "Failed")


def test_file_removed_while_the_agent_was_away(new_node):
    node = new_node()
    node.write("gone.yaml", pod("gone", "sleep 1000"))
    node.running("main")
    node.kill()
    node.remove("gone.yaml")
    node.start()
    wait_for("no pods", lambda: not node.pods())


def test_file_and_hints_removed_while_the_agent_was_away(new_node):
    node = new_node()
    node.write("gone.yaml", pod("gone", "sleep 1000"))
    node.running("main")
    node.kill()
    node.remove("gone.yaml")
    shutil.rmtree(node.root + "/pods")
    node.start()
    wait_for("no pods", lambda: not node.pods())
    assert "going on without its hint" in node.log()


def test_damaged_state_files_do_not_keep_it_from_starting(new_node):
    node = new_node()
    node.write("a.yaml", pod("a", "sleep 1000"))
    before = node.running("main")
    files = [os.path.join(t, f) for top in (node.root, node.run) for t, _, names in os.walk(top) if "/images" not in t and "/layers" not in t
             for f in names if os.path.isfile(os.path.join(t, f)) and os.path.getsize(os.path.join(t, f)) < 1 << 20 and "overlay" not in t and "/fs" not in t and "/netns" not in t]
    rng = random.Random(1)
    for path in sorted(files):
        if not os.path.exists(path):
            continue
        node.kill()
        keep = open(path, "rb").read()
        if rng.random() < 0.5:
            open(path, "wb").write(b"\xff" * 10)
        else:
            os.unlink(path)
        node.start()
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if node.container("main", "running") and node.container("main", "running")["id"] == before["id"]:
            continue
        try:
            before = node.running("main")
        except AssertionError:
            raise AssertionError(f"after damage to {path} ({len(keep)} bytes):\n{node.log()[-3000:]}") from None


def test_records_of_init_containers_gone(new_node):
    """What came after them is there: they count as done, as kubelet takes it, and the pod is no Pending one."""
    node = new_node()
    steps = [{"name": n, "image": "localhost/busybox:test", "imagePullPolicy": "Never", "command": ["true"]} for n in ("one", "two")]
    node.write("i.yaml", pod("i", "sleep 1000", initContainers=steps))
    main = node.running("main")
    node.crictl("rm", node.container("one")["id"])
    for hint in (True, False):
        node.kill()
        if not hint:
            os.unlink(f"{node.root}/pods/{main['labels']['io.kubernetes.pod.uid']}/state")
        node.start()
        status = wait_for("Running", lambda: (lambda s: s if s.get("phase") == "Running" else None)(node.status("i")))
        state = status["initContainerStatuses"][0]
        assert state["state"]["terminated"]["reason"] == "Completed" and state["state"]["terminated"]["exitCode"] == 0
        assert "treat it as exited normally" in state["state"]["terminated"]["message"]
        assert state["ready"] and state["restartCount"] == 0 and {c["status"] for c in status["conditions"]} == {"True"}
        assert node.running("main")["id"] == main["id"] and not node.container("one")


def test_shim_killed(new_node):
    node = new_node()
    node.write("s.yaml", pod("s", COUNT))
    c = node.running("main")
    pid = node.inspect(c)["info"]["pid"]
    assert len(node.shims()) == 1
    os.kill(node.shims().pop(), signal.SIGKILL)
    time.sleep(1)
    after = node.running("main")
    assert after["id"] == c["id"] and os.path.exists(f"/proc/{pid}")
    seen = len(numbers(node, c))
    wait_for("the log to go on", lambda: len(numbers(node, c)) > seen + 20)
    found = numbers(node, c)
    assert found == list(range(1, len(found) + 1))


def test_kill_at_random_moments(new_node):
    node = new_node()
    rng = random.Random(7)
    for round_number in range(12):
        for i in range(4):
            node.write(f"p{i}.yaml", pod(f"p{i}", {"name": f"p{i}", "command": ["sleep", str(1000 + round_number)]}))
        time.sleep(rng.random() * 0.15)
        node.restart()
    for i in range(4):
        node.running(f"p{i}")
    wait_for("one sandbox a pod", lambda: len([p for p in node.pods() if p["state"] == "SANDBOX_READY"]) == 4)


def test_run_directory_lost_is_a_reboot(new_node):
    """Processes, namespaces and the run directory are gone; records and manifests are not."""
    node = new_node()
    node.write("a.yaml", pod("a", "sleep 1000"))
    before = node.running("main")
    pid = node.inspect(before)["info"]["pid"]
    shims = node.shims()
    node.kill()
    for process in (pid, *shims):
        os.kill(process, signal.SIGKILL)
    for mount in reversed(leaks.mounts(node)):
        subprocess.run(["umount", "-l", mount], check=True)
    shutil.rmtree(node.run)
    node.start()
    after = wait_for("container after the reboot", lambda: next((c for c in node.containers() if c["state"] == "CONTAINER_RUNNING"), None))
    assert after["id"] != before["id"] and node.inspect(after)["status"]["metadata"]["attempt"] == 1
    assert len([p for p in node.pods() if p["state"] == "SANDBOX_READY"]) == 1


def test_cgroup_of_a_pod_whose_making_was_cut_off(new_node):
    node = new_node()
    node.write("a.yaml", pod("a", "sleep 1000"))
    before = node.running("main")
    top = f"/sys/fs/cgroup/unified{node.cgroup}" if os.path.isdir("/sys/fs/cgroup/unified") else f"/sys/fs/cgroup{node.cgroup}"
    own = [d for d in os.listdir(top + "/kubepods/besteffort") if d.startswith("pod")]
    os.mkdir(top + "/kubepods/besteffort/podcut-off")
    node.restart()
    assert [d for d in os.listdir(top + "/kubepods/besteffort") if d.startswith("pod")] == own
    assert node.running("main")["id"] == before["id"]


def test_a_peaceful_end_without_pods_leaves_no_mount(new_node):
    node = new_node()
    assert leaks.mounts(node)
    node.kill(signal.SIGTERM)
    assert leaks.mounts(node) == []
    node.start()
