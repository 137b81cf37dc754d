"""RuntimeClass handlers that another OCI runtime serves: Debian's runc and crun make the containers, our shim keeps them."""
import json
import os
import shutil
import signal
import subprocess

import pytest

from support.node import BUILD, PEERS, Node, parent, pod, processes, wait_for

RUNTIMES = {"runc": shutil.which("runc"), "crun": shutil.which("crun")}


@pytest.fixture(scope="module")
def node(busybox_archive):
    entries = "".join(f"  - handler: {name}\n    path: {path}\n" for name, path in RUNTIMES.items())
    n = Node(config="apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nruntimes:\n" + entries).start()
    n.nacelle("import", busybox_archive)
    yield n
    n.stop()


@pytest.fixture(params=sorted(RUNTIMES))
def handler(request):
    return request.param


def run(node, tmp_path, handler, name="c", pod_fields=None, **fields):
    sandbox, config = str(tmp_path / "pod.json"), str(tmp_path / f"{name}.json")
    if not os.path.exists(sandbox):
        with open(sandbox, "w") as f:
            json.dump({"metadata": {"name": "s", "namespace": "test", "attempt": 1, "uid": "u" + handler}, "hostname": "s",
                       "log_directory": str(tmp_path / "logs"), "linux": {}, **(pod_fields or {})}, f)
        node.pod_id = node.crictl("runp", "-r", handler, sandbox).strip()
    with open(config, "w") as f:
        json.dump({"metadata": {"name": name}, "image": {"image": "localhost/busybox:test"}, "log_path": f"{name}.log", "linux": {}, **fields}, f)
    container = node.crictl("create", node.pod_id, config, sandbox).strip()
    return container, node.crictl("start", container, check=False)


def start(node, tmp_path, handler, name="c", **fields):
    container, done = run(node, tmp_path, handler, name, **fields)
    assert done.returncode == 0, done.stderr + node.log()[-2000:]
    return container


def execute(node, container, *command):
    return node.crictl("exec", "-s", container, *command)[:-2]


def test_status_names_the_handlers(node):
    info = json.loads(node.crictl("info"))
    features = {h.get("name", ""): h["features"] for h in info["runtimeHandlers"]}
    assert set(features) == {"", "nacelle", "runc", "crun"}
    assert features[""]["user_namespaces"] is True and not features["runc"].get("user_namespaces")
    out = node.crictl("runp", "-r", "kata", os.devnull, check=False)
    assert out.returncode != 0


def test_lifecycle(node, handler, tmp_path):
    limits = {"memory_limit_in_bytes": 64 << 20, "cpu_quota": 50000, "cpu_period": 100000}
    c = start(node, tmp_path, handler, command=["sh", "-c", "echo out; echo err >&2; hostname; trap 'echo term; exit 7' TERM; while :; do sleep 0.1; done"],
              linux={"resources": limits, "security_context": {"seccomp": {"profile_type": 0}, "capabilities": {"drop_capabilities": ["NET_RAW"]},
                                                                "run_as_user": {"value": 1000}, "supplemental_groups": [4000], "no_new_privs": True}})
    inspected = node.inspect(c)
    pid = inspected["info"]["pid"]
    assert "nacelle-shim" in open(f"/proc/{parent(pid)}/comm").read()
    wait_for("log", lambda: set(node.crictl("logs", c).split()) >= {"out", "s"})
    status = dict(line.split(":\t") for line in execute(node, c, "cat", "/proc/self/status").splitlines() if ":\t" in line)
    assert status["Seccomp"].strip() == "2" and status["NoNewPrivs"].strip() == "1" and status["Uid"].split()[0] == "1000"
    assert "4000" in status["Groups"].split() and int(status["CapBnd"], 16) & (1 << 13) == 0
    stats = json.loads(node.crictl("stats", "-o", "json", "--id", c))["stats"][0]
    assert int(stats["memory"]["workingSetBytes"]["value"]) > 0
    for line in open(f"/proc/{pid}/cgroup"):
        number, kinds, path = line.rstrip("\n").split(":", 2)
        if kinds in ("memory", "cpu", "pids") or number == "0":
            assert path.startswith(node.cgroup) and path.endswith(c), line
    done = node.crictl("exec", "-s", c, "sh", "-c", "exit 5", check=False)
    assert done.returncode != 0 and "5" in done.stderr
    node.crictl("stop", "-t", "10", c)
    status = node.inspect(c)["status"]
    assert status["exitCode"] == 7 and status["reason"] == "Error"
    assert node.crictl("logs", c).splitlines()[-1] == "term"
    # A second container of the pod, after the first is gone.
    node.crictl("rm", c)
    c = start(node, tmp_path, handler, "again", command=["sh", "-c", "exit 3"])
    wait_for("end", lambda: node.inspect(c)["status"]["state"] == "CONTAINER_EXITED")
    assert node.inspect(c)["status"]["exitCode"] == 3
    assert not [line for line in open("/proc/self/mountinfo") if c in line]


def test_exec_that_times_out_is_killed(node, handler, tmp_path):
    c = start(node, tmp_path, handler, command=["sleep", "1000"])
    done = node.crictl("exec", "-s", "--timeout", "1", c, "sleep", "987", check=False)
    assert done.returncode != 0 and "DeadlineExceeded" in done.stderr
    wait_for("end of the process", lambda: not processes(r"^sleep 987 "))


def test_terminal(node, handler, tmp_path):
    c = start(node, tmp_path, handler, command=["sh", "-c", "tty; stty size; exec cat"], tty=True, stdin=True)
    wait_for("terminal", lambda: "/dev/pts/0" in node.crictl("logs", c) or "/dev/console" in node.crictl("logs", c))
    out = subprocess.run(["script", "-qec", f"{node_crictl(node)} exec -it {c} sh -c 'tty; test -t 0 && echo yes'", "/dev/null"],
                         capture_output=True, text=True, timeout=60).stdout
    assert "yes" in out


def node_crictl(node):
    return f"{PEERS}/crictl -r unix://{node.socket} -i unix://{node.socket}"


def test_mounts_devices_and_namespaces(node, handler, tmp_path):
    (tmp_path / "v").mkdir()
    (tmp_path / "v/file").write_text("volume")
    options = {"namespace_options": {"pid": 0}}
    c = start(node, tmp_path, handler, command=["sleep", "1000"], pod_fields={"linux": {"security_context": options}},
              mounts=[{"host_path": str(tmp_path / "v"), "container_path": "/v", "readonly": True}],
              devices=[{"host_path": "/dev/null", "container_path": "/dev/mine", "permissions": "rw"}],
              linux={"security_context": {**options, "readonly_rootfs": True, "masked_paths": ["/proc/keys"], "readonly_paths": ["/proc/sys"]}})
    assert execute(node, c, "cat", "/v/file") == "volume"
    assert "Read-only" in node.crictl("exec", "-s", c, "touch", "/v/x", check=False).stderr
    assert "Read-only" in node.crictl("exec", "-s", c, "touch", "/x", check=False).stderr
    assert execute(node, c, "sh", "-c", "echo x > /dev/mine && echo fine") == "fine\n"
    assert execute(node, c, "sh", "-c", "mount | grep -c ' on /dev/shm '").strip() == "1"
    # The pod's pid namespace, /dev/shm, network and host name are shared with a second container, and nothing else of the host is seen.
    other = start(node, tmp_path, handler, "other", command=["sh", "-c", "echo shared > /dev/shm/x; sleep 1000"],
                  linux={"security_context": options})
    assert wait_for("shared memory", lambda: node.crictl("exec", "-s", c, "cat", "/dev/shm/x", check=False).stdout.strip()) == "shared"
    assert "sleep 1000" in execute(node, other, "ps") and "nacelle-pause" in execute(node, other, "ps")
    assert node.run not in execute(node, other, "cat", "/proc/self/mountinfo").replace(f"{node.run}/pods", "")


def test_a_program_that_is_not_there_is_named(node, handler, tmp_path):
    c, done = run(node, tmp_path, handler, command=["/bin/nothing"])
    assert done.returncode != 0 and "/bin/nothing" in done.stderr and handler in done.stderr
    status = node.inspect(c)["status"]
    assert status["state"] == "CONTAINER_EXITED" and status["reason"] == "StartError"
    assert not processes(rf"{handler}.*{c}")


def test_agent_and_shim_may_die(node, handler, tmp_path):
    c = start(node, tmp_path, handler, command=["sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done"])
    wait_for("output", lambda: len(node.crictl("logs", c).split()) > 3)
    pid = node.inspect(c)["info"]["pid"]
    node.restart()
    assert node.inspect(c)["info"]["pid"] == pid
    assert execute(node, c, "echo", "here") == "here\n"
    os.kill(parent(pid), signal.SIGKILL)
    wait_for("a new shim", lambda: node.crictl("exec", "-s", c, "echo", "again", check=False).stdout.strip() == "again")
    assert node.inspect(c)["info"]["pid"] == pid
    os.kill(pid, signal.SIGKILL)
    wait_for("end", lambda: node.inspect(c)["status"]["state"] == "CONTAINER_EXITED")
    assert node.inspect(c)["status"]["exitCode"] == 137
    numbers = [int(n) for n in node.crictl("logs", c).split()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_pod_of_the_directory(node, handler):
    node.write("h.yaml", pod("h", {"name": "main", "command": ["sleep", "1000"],
                                   "livenessProbe": {"exec": {"command": ["true"]}, "periodSeconds": 1}}, runtimeClassName=handler))
    c = node.running("main")
    assert node.inspectp(c["podSandboxId"])["status"]["runtimeHandler"] == handler
    assert processes("nacelle-shim") and parent(node.inspect(c)["info"]["pid"])


def test_user_namespaces_are_refused(node, handler, tmp_path):
    mapping = [{"host_id": 100000, "container_id": 0, "length": 65536}]
    config = tmp_path / "p.json"
    config.write_text(json.dumps({"metadata": {"name": "u", "namespace": "test", "attempt": 1, "uid": "uu"}, "linux": {"security_context": {
        "namespace_options": {"userns_options": {"mode": 0, "uids": mapping, "gids": mapping}}}}}))
    out = node.crictl("runp", "-r", handler, str(config), check=False)
    assert out.returncode != 0 and "no user namespaces" in out.stderr


BROKEN = {
    "silent": ("exit 1", "left no error"),
    "wordy": ("""for a in "$@"; do [ "$last" = --log ] && log=$a; last=$a; done
echo '{"level":"error","msg":"no more magic"}' > $log; exit 1""", "create: no more magic"),
    "idle": ("exit 0", "runtime.pid"),
    "liar": ("""for a in "$@"; do [ "$last" = --pid-file ] && echo -n 1 > $a; last=$a; done""", "its pid file says"),
    "thief": ("""for a in "$@"; do [ "$last" = --pid-file ] && echo -n $PPID > $a; last=$a; done""", "No such process"),
}


def test_runtimes_that_do_not_work(new_node, tmp_path):
    names = []
    for name, (text, _) in BROKEN.items():
        (tmp_path / name).write_text("#!/bin/sh\n" + text + "\n")
        (tmp_path / name).chmod(0o755)
        names.append(f"{name}={tmp_path / name}")
    node = new_node("--runtimes", ",".join(names + [f"missing={tmp_path}/missing"]))
    for name, (_, says) in {**BROKEN, "missing": ("", "o such file")}.items():
        directory = tmp_path / ("pod-" + name)
        directory.mkdir()
        c, done = run(node, directory, name, command=["sleep", "1000"])
        assert done.returncode != 0 and says in done.stderr, (name, done.stderr)
        assert node.inspect(c)["status"]["reason"] == "StartError"
        node.crictl("rmp", "-f", node.pod_id)
    out = subprocess.run([BUILD + "/nacelle-agent", "--run-dir", str(tmp_path), "--root-dir", str(tmp_path), "--runtimes", "runc=runc"], capture_output=True, text=True)
    assert out.returncode != 0 and "wants NAME=PATH" in out.stderr
