"""nacelle-oci in runc's place under Debian's containerd: ctr, and crictl on containerd's CRI."""
import json
import os
import select
import subprocess

import oci
import pytest
from support.containerd import Containerd
from support.node import processes, wait_for

BUILD = os.path.join(os.path.dirname(__file__), "../..", os.environ.get("BUILD", "build"))
IMAGE = "localhost/busybox:test"


def left_behind(containerd):
    """Mounts and processes that name containerd's directories, state of the runtime, cgroups."""
    with open("/proc/self/mountinfo") as f:
        mounts = [line.split()[4] for line in f if containerd.run in line or containerd.dir in line]
    state = containerd.run + "/oci"
    containers = [c for n in os.listdir(state) for c in os.listdir(f"{state}/{n}")] if os.path.isdir(state) else []
    cgroups = [p for p in ("/sys/fs/cgroup/memory/test", "/sys/fs/cgroup/test") if os.path.isdir(p) and any(e.is_dir() for e in os.scandir(p))]
    return mounts + containers + cgroups + list(processes("shim.*" + containerd.run).values())


@pytest.fixture(scope="module")
def containerd(busybox_archive):
    c = Containerd(os.path.realpath(BUILD + "/nacelle-oci"))
    c.load(busybox_archive)
    oci.Image([oci.busybox_layer()], Entrypoint=["/bin/sleep", "1000000"]).write_docker_archive(c.dir + "/pause.tar", "localhost/pause:test")
    c.load(c.dir + "/pause.tar")
    yield c
    for task in c.tasks():
        c.ctr("tasks", "kill", "-s", "KILL", task, check=False)
    wait_for("what containerd left behind to go", lambda: not left_behind(c))
    c.stop()
    remove_parents("test", "k8s.io")


def remove_parents(*names):
    """containerd's namespaces are cgroups, which stay."""
    for hierarchy in [""] + os.listdir("/sys/fs/cgroup"):
        for name in names:
            path = f"/sys/fs/cgroup/{hierarchy}/{name}"
            if os.path.isdir(path) and not any(e.is_dir() for e in os.scandir(path)):
                os.rmdir(path)


@pytest.fixture
def task(containerd, request):
    """A running container of the test's own name, gone afterwards."""
    name = request.node.name.replace("_", "-")
    containerd.ctr("run", "-d", *containerd.run_options(), "--memory-limit", str(64 << 20), IMAGE, name, "sh", "-c",
                   "trap 'exit 3' TERM; while :; do sleep 0.05; done")
    yield name
    containerd.ctr("tasks", "kill", "-s", "KILL", name, check=False)
    wait_for("end of the task", lambda: containerd.tasks().get(name) in (None, "STOPPED"))
    containerd.ctr("tasks", "delete", name, check=False)
    containerd.ctr("containers", "rm", name, check=False)


def terminal(containerd, *args):
    """ctr on a terminal of script(1)'s."""
    command = " ".join(["ctr", "-a", containerd.socket, "-n", "test", *args])
    return subprocess.run(["script", "-qec", "stty rows 30 cols 90; " + command, "/dev/null"], capture_output=True, text=True, timeout=60)


def test_run(containerd):
    done = containerd.ctr("run", "--rm", *containerd.run_options(), IMAGE, "run", "sh", "-c", "echo out; echo err >&2; exit 5", check=False)
    assert (done.returncode, done.stdout, done.stderr) == (5, "out\n", "err\n")


def test_error(containerd):
    done = containerd.ctr("run", "--rm", *containerd.run_options(), IMAGE, "error", "nowhere", check=False)
    assert done.returncode != 0 and 'exec "nowhere": executable file not found in $PATH' in done.stderr


def test_terminal(containerd):
    # ctr tells the size once the container runs.
    script = "tty; until stty size 2>/dev/null | grep 30; do sleep 0.05; done; exit 4"
    done = terminal(containerd, "run", "--rm", "-t", *containerd.run_options(), IMAGE, "terminal", "sh", "-c", f"'{script}'")
    assert done.returncode == 4 and "/dev/pts/0" in done.stdout and "30 90" in done.stdout


def test_exec(containerd, task):
    done = containerd.ctr("tasks", "exec", "--exec-id", "one", task, "sh", "-c", "cat; hostname; exit 7", check=False, input="given\n")
    assert done.returncode == 7 and done.stdout.startswith("given\n")
    done = terminal(containerd, "tasks", "exec", "-t", "--exec-id", "two", task, "tty")
    assert "/dev/pts/0" in done.stdout
    done = containerd.ctr("tasks", "exec", "--exec-id", "three", task, "nowhere", check=False)
    assert done.returncode != 0 and "not found" in done.stderr


def test_pause(containerd, task):
    containerd.ctr("tasks", "pause", task)
    assert containerd.tasks()[task] == "PAUSED"
    done = containerd.ctr("tasks", "exec", "--exec-id", "none", task, "true", check=False)
    assert done.returncode != 0 and "paused" in done.stderr
    containerd.ctr("tasks", "resume", task)
    assert containerd.tasks()[task] == "RUNNING"


def test_metrics(containerd, task):
    text = containerd.ctr("tasks", "metrics", task).stdout
    limit = [line.split()[1] for line in text.splitlines() if line.startswith(("memory.limit_in_bytes", "memory.usage_limit"))]
    assert limit == [str(64 << 20)]
    assert len(containerd.ctr("tasks", "ps", task).stdout.splitlines()) >= 2


def test_kill(containerd, task):
    containerd.ctr("tasks", "kill", "-s", "TERM", task)
    wait_for("its end", lambda: containerd.tasks()[task] == "STOPPED")
    assert "exit code 3" in containerd.ctr("tasks", "delete", task).stderr


def test_kill_all(containerd):
    """Without a PID namespace of its own the container's other processes are killed by its cgroup."""
    containerd.ctr("run", "-d", *containerd.run_options(), "--with-ns", "pid:/proc/self/ns/pid", IMAGE, "all", "sh", "-c", "sleep 7777 & sleep 7778")
    wait_for("its processes", lambda: len(processes("^sleep 777[78]")) == 2)
    containerd.ctr("tasks", "kill", "--all", "-s", "KILL", "all")
    wait_for("their end", lambda: containerd.tasks()["all"] == "STOPPED" and not processes("^sleep 777[78]"))
    containerd.ctr("tasks", "delete", "all", check=False)
    containerd.ctr("containers", "rm", "all")


def test_events(containerd, task):
    events = subprocess.Popen(["ctr", "-a", containerd.socket, "-n", "test", "events"], stdout=subprocess.PIPE, text=True)
    try:
        # It says nothing when it has begun to listen.
        wait_for("an event", lambda: containerd.ctr("namespaces", "label", "test", "any=thing") and select.select([events.stdout], [], [], 0.2)[0])
        containerd.ctr("run", "--rm", *containerd.run_options(), "--memory-limit", str(8 << 20), IMAGE, "greedy", "sh", "-c",
                       "x=aaaaaaaa; while :; do x=$x$x; done", check=False)
        seen = []
        for line in events.stdout:
            seen += [topic for topic in ("/tasks/create", "/tasks/start", "/tasks/oom", "/tasks/exit", "/tasks/delete") if topic in line and "greedy" in line]
            if "/tasks/delete" in seen:
                break
        assert [t for t in seen if t != "/tasks/oom"] == ["/tasks/create", "/tasks/start", "/tasks/exit", "/tasks/delete"]
        assert "/tasks/oom" in seen
    finally:
        events.terminate()
        events.wait()


def test_checkpoint(containerd, task):
    done = containerd.ctr("tasks", "checkpoint", task, check=False)
    assert done.returncode != 0 and "checkpoint" in done.stderr
    assert containerd.tasks()[task] == "RUNNING"


def test_cri(containerd, tmp_path):
    """A pod through containerd's CRI: its network, exec, log, statistics, a new limit, its end."""
    (tmp_path / "pod.json").write_text(json.dumps({
        "metadata": {"name": "pod", "namespace": "default", "uid": "1"}, "log_directory": str(tmp_path), "hostname": "inside",
        "linux": {"cgroup_parent": "/k8s.io/nacelle-test"}}))
    (tmp_path / "container.json").write_text(json.dumps({
        "metadata": {"name": "main"}, "image": {"image": IMAGE}, "log_path": "main.log",
        "command": ["sh", "-c", "echo begin; trap 'exit 0' TERM; while :; do sleep 0.05; done"],
        "linux": {"resources": {"memory_limit_in_bytes": 32 << 20}, "security_context": {"masked_paths": ["/proc/keys"], "readonly_paths": ["/proc/sys"]}}}))
    pod = containerd.crictl("runp", str(tmp_path / "pod.json")).stdout.strip()
    container = containerd.crictl("create", pod, str(tmp_path / "container.json"), str(tmp_path / "pod.json")).stdout.strip()
    containerd.crictl("start", container)
    shell = "hostname; cat /proc/keys; ip -o addr show eth0 | wc -l; echo 1 >/proc/sys/kernel/domainname || echo refused"
    assert containerd.crictl("exec", "--sync", container, "sh", "-c", shell).stdout.split()[0] == "inside"
    wait_for("its log", lambda: "begin" in containerd.crictl("logs", container).stdout)
    assert container[:13] in containerd.crictl("stats", "-a").stdout
    containerd.crictl("update", "--memory", str(48 << 20), container)
    limit = containerd.crictl("exec", "--sync", container, "sh", "-c",
                              "cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max").stdout
    assert limit.strip() == str(48 << 20)
    containerd.crictl("stop", "-t", "5", container)
    state = json.loads(containerd.crictl("inspect", container).stdout)["status"]
    assert (state["state"], state["exitCode"]) == ("CONTAINER_EXITED", 0)
    containerd.crictl("rm", container)
    containerd.crictl("stopp", pod)
    containerd.crictl("rmp", pod)
    remove_parents("k8s.io/nacelle-test")
