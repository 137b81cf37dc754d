"""Thousands of calls at once for one container, one pod: each is answered, and the agent and its shims stay the same processes."""
import collections
import os
import re
import signal
import subprocess

import pytest

from support.cri import SERVICES, Client, api
from support.node import wait_for

CALLS_MAX = 8192  # GRPC_CALLS_MAX
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

    def __init__(self, node, n, name, timeout=120, **fields):
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
