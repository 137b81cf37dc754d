"""Thousands of calls at once for one container, one pod: each is answered, and the agent and its shims stay the same processes."""
import collections
import os
import re
import signal
import subprocess

import pytest

from support import streams
from support.cri import SERVICES, Client, api
from support.node import wait_for

CALLS_MAX = 8192  # GRPC_CALLS_MAX
EXECS_MAX = 1024
ATTACHED_MAX = 64
CHANNELS = 36     # of 256 streams: more than that


@pytest.fixture
def client(node):
    c = Client(node.socket)
    yield c
    c.close()


@pytest.fixture
def pod(node, client):
    """A pod's sandbox, as its own config and id, and its shim."""
    before = node.shims()
    config = api.PodSandboxConfig(metadata=api.PodSandboxMetadata(name="crowd", namespace="default", uid="crowd"), log_directory=node.logs + "/crowd")
    sandbox = client.call("RunPodSandbox", config=config).pod_sandbox_id
    shim, = node.shims() - before
    yield config, sandbox, shim
    assert node.shims() - before == {shim}
    client.call("RemovePodSandbox", pod_sandbox_id=sandbox)


def create(client, pod, name, *command, **fields):
    config = api.ContainerConfig(metadata=api.ContainerMetadata(name=name), image=api.ImageSpec(image="localhost/busybox:test"), command=command, **fields)
    return client.call("CreateContainer", pod_sandbox_id=pod[1], config=config, sandbox_config=pod[0]).container_id


class Crowd:
    """Calls of one method over many connections."""

    def __init__(self, node, n, name, timeout=120, request_timeout=None, **fields):
        if request_timeout is not None:
            fields["timeout"] = request_timeout
        self.clients = [Client(node.socket, **{"grpc.use_local_subchannel_pool": 1}) for _ in range(min(n, CHANNELS))]
        request = getattr(api, SERVICES[name][1].input_type.name)(**fields)
        methods = [c._method(name, False) for c in self.clients]
        self.futures = [methods[i % len(methods)].future(request, timeout=timeout) for i in range(n)]

    def answers(self):
        """How often each status code came."""
        counted = collections.Counter((f.exception().code().name if f.exception() else "OK") for f in self.futures)
        self.close()
        return counted

    def close(self):
        for c in self.clients:
            c.close()


def begun(node, method):
    """Calls of that method since the agent began."""
    out = subprocess.run(["curl", "-s", "--unix-socket", node.run + "/kubelet.sock", "http://localhost/metrics"], capture_output=True, text=True).stdout
    found = re.search(rf'kubelet_runtime_operations_total{{operation_type="{method}"}} (\d+)', out)
    return int(found[1]) if found else 0


@pytest.mark.parametrize("n", [4096, CALLS_MAX, CALLS_MAX + 1])
def test_calls_that_wait_for_one_container(node, client, pod, n):
    """One start waits for its shim; all others wait for that start, and are then refused one after the other."""
    container = create(client, pod, "one", "sleep", "1000")
    before = begun(node, "start_container")
    os.kill(pod[2], signal.SIGSTOP)
    try:
        crowd = Crowd(node, n, "StartContainer", container_id=container)
        wait_for("calls that wait", lambda: begun(node, "start_container") - before == min(n, CALLS_MAX), timeout=60, interval=0.2)
    finally:
        os.kill(pod[2], signal.SIGCONT)
    expected = {"OK": 1, "INVALID_ARGUMENT": min(n, CALLS_MAX) - 1}
    if n > CALLS_MAX:
        expected["RESOURCE_EXHAUSTED"] = n - CALLS_MAX
    assert crowd.answers() == expected
    assert node.process.poll() is None
    client.call("RemoveContainer", container_id=container)


@pytest.mark.parametrize("n", [300, EXECS_MAX + 100])
def test_execs_at_once(node, client, pod, n):
    """As many as a pod takes run; the others are refused at once, and all of them are answered."""
    container = create(client, pod, "one", "sleep", "1000")
    client.call("StartContainer", container_id=container)
    crowd = execs_that_wait(node, client, container, n)
    try:
        wait_for("all of them", lambda: begun_execs(container, node) == min(n, EXECS_MAX), timeout=60, interval=0.2)
        if n > EXECS_MAX:
            refused = wait_for("the refusals", lambda: (lambda done: done if len(done) == n - EXECS_MAX else None)([f for f in crowd.futures if f.done()]))
            assert {f.exception().code().name for f in refused} == {"RESOURCE_EXHAUSTED"}
            assert f"{EXECS_MAX} processes are executed in pod default/crowd at once" in refused[0].exception().details()
            said = node.crictl("exec", container, "true", check=False, timeout=20)
            assert said.returncode != 0 and f"{EXECS_MAX} processes are executed" in said.stderr
        # What is no exec is served as before.
        other = create(client, pod, "other", "sleep", "1000")
        client.call("StartContainer", container_id=other)
        client.call("StopContainer", container_id=other)
    finally:
        pid = node.inspect(container)["info"]["pid"]
        open(f"/proc/{pid}/root/go", "w").close()
    answers = crowd.answers()
    assert answers == {"OK": min(n, EXECS_MAX), **({"RESOURCE_EXHAUSTED": n - EXECS_MAX} if n > EXECS_MAX else {})}
    assert client.call("ExecSync", container_id=container, cmd=["echo", "again"]).stdout == b"again\n"


def execs_that_wait(node, client, container, n):
    """Until somebody opens the FIFO that they read from, and closes it."""
    client.call("ExecSync", container_id=container, cmd=["mkfifo", "/go"])
    return Crowd(node, n, "ExecSync", container_id=container, cmd=["cat", "/go"])


def begun_execs(container, node):
    """Processes of the container's cgroup that wait in its execs."""
    for path in (f"/sys/fs/cgroup/pids{node.cgroup}", f"/sys/fs/cgroup{node.cgroup}"):
        for top, _, files in os.walk(path):
            if top.endswith(container) and "cgroup.procs" in files:
                with open(top + "/cgroup.procs") as f:
                    count = 0
                    for pid in f.read().split():
                        try:
                            with open(f"/proc/{pid}/cmdline") as c:
                                count += "/go" in c.read()
                        except OSError:
                            pass
                    return count
    return 0


def test_a_stopped_container_with_execs_at_once(node, client, pod):
    """Nobody waits for an exec whose container has ended, and the end needs no exec's place."""
    container = create(client, pod, "one", "sleep", "1000")
    client.call("StartContainer", container_id=container)
    crowd = execs_that_wait(node, client, container, 300)
    wait_for("all of them", lambda: begun_execs(container, node) == 300, timeout=60, interval=0.2)
    assert client.code("StopContainer", container_id=container, timeout=0)[0] == "OK"
    assert sum(crowd.answers().values()) == 300
    assert begun_execs(container, node) == 0


def test_a_shim_that_does_not_answer(node, client, pod):
    """Its execs are answered when their time is over, and the agent serves others."""
    container = create(client, pod, "one", "sleep", "1000")
    client.call("StartContainer", container_id=container)
    os.kill(pod[2], signal.SIGSTOP)
    try:
        crowd = Crowd(node, 300, "ExecSync", container_id=container, cmd=["true"], request_timeout=1)
        assert client.call("Version").runtime_name == "nacelle"
        assert crowd.answers() == {"DEADLINE_EXCEEDED": 300}
    finally:
        os.kill(pod[2], signal.SIGCONT)
    assert client.call("ExecSync", container_id=container, cmd=["echo", "again"]).stdout == b"again\n"


def test_a_shim_that_is_not_found(node, client, pod):
    """It lives, so that no death is told and no other comes: whoever waited for that is answered all the same."""
    container = create(client, pod, "one", "sleep", "1000")
    client.call("StartContainer", container_id=container)
    path = f"{node.run}/sandboxes/{pod[1]}/shim.sock"
    os.rename(path, path + ".away")
    try:
        crowd = Crowd(node, 20, "ExecSync", container_id=container, cmd=["true"])
        assert crowd.answers() == {"UNAVAILABLE": 20}
    finally:
        os.rename(path + ".away", path)
    assert client.call("ExecSync", container_id=container, cmd=["echo", "again"]).stdout == b"again\n"


def test_clients_attached_at_once(node, client, pod):
    container = create(client, pod, "one", "sleep", "1000")
    client.call("StartContainer", container_id=container)
    attached = []
    for _ in range(ATTACHED_MAX):
        attached.append(streams.WebSocket(client.attach_url(container), "v5.channel.k8s.io"))
        assert refusal(attached[-1]) == ""
    one_more = streams.WebSocket(client.attach_url(container), "v5.channel.k8s.io")
    assert f"{ATTACHED_MAX} clients are attached to the container" in refusal(one_more)
    for c in [one_more, *attached]:
        c.close()
    wait_for("room for another", lambda: "are attached" not in attach_and_leave(client, container))


def refusal(connection):
    """What a session says that does not begin; one that does says nothing."""
    connection.socket.settimeout(0.1)
    try:
        return str(connection.rest())
    except TimeoutError:
        return ""


def attach_and_leave(client, container):
    with streams.WebSocket(client.attach_url(container), "v5.channel.k8s.io") as c:
        return refusal(c)

