"""What ends a container ends all that is in its cgroup: with the host's process namespace, or one that it shares with containers that go on,
nothing else ends its children and what was executed in it."""
import os
import subprocess
import time

import pytest

from support.cri import Client
from support.node import PEERS, pod, wait_for

SHARED = {"hostPID": {"hostPID": True}, "shareProcessNamespace": {"shareProcessNamespace": True}, "own": {}}

# Two children, one of them in a session of its own and one with no parent; and a mark to find them by.
CHILDREN = "for i in 1 2; do setsid sleep {mark}{n}$i </dev/null >/dev/null 2>&1 & done; (sleep {mark}{n}3 &) ; "
OTHER = {"name": "other", "command": ["sleep", "1000"]}


def mark(node):
    return f"9{node.number:03}"


def sleepers(node, n=""):
    """Processes of that mark, by their command line."""
    wanted = f"sleep\0{mark(node)}{n}"
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline") as f:
                line = f.read()
            with open(f"/proc/{pid}/stat") as f:
                zombie = f.read().rsplit(")", 1)[1].split()[0] == "Z"
        except OSError:
            continue
        if line.startswith(wanted) and not zombie:
            found.append(int(pid))
    return found


def children(node, n):
    return CHILDREN.format(mark=mark(node), n=n)


@pytest.fixture(params=SHARED)
def spec(request, node):
    yield SHARED[request.param]
    left = sleepers(node)
    for pid in left:
        os.kill(pid, 9)
    assert not left


def test_by_itself_and_again(node, spec):
    """Each restart begins with nothing of the one before."""
    command = children(node, 1) + "sleep 0.5; exit 1"
    node.write("p.yaml", pod("p", {"command": ["sh", "-c", command]}, OTHER, **spec))
    node.running("main", attempt=1)
    wait_for("the children of the second alone", lambda: len(sleepers(node, 1)) == 3)
    node.exited("main", attempt=1, timeout=40)
    assert sleepers(node, 1) == []
    assert node.container("other", "running")


@pytest.mark.parametrize("timeout", [0, 5])
def test_crictl_stop(node, spec, timeout):
    node.write("p.yaml", pod("p", {"command": ["sh", "-c", children(node, 2) + "trap 'exit 0' TERM; while :; do sleep 0.1; done"]}, OTHER,
                             restartPolicy="Never", **spec))
    c = node.running("main")
    wait_for("its children", lambda: len(sleepers(node, 2)) == 3)
    node.crictl("stop", "-t", str(timeout), c["id"])
    assert sleepers(node, 2) == []
    assert node.container("other", "running")


def test_what_was_executed(node, spec):
    """An exec that still runs, and what an exec that has ended left behind."""
    node.write("p.yaml", pod("p", {"command": ["sleep", "1000"]}, OTHER, restartPolicy="Never", **spec))
    c = node.running("main")
    running = subprocess.Popen([PEERS + "/crictl", "-r", "unix://" + node.socket, "exec", c["id"], "sh", "-c", children(node, 3) + f"exec sleep {mark(node)}34"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    node.exec(c, "sh", "-c", children(node, 4))
    wait_for("them all", lambda: len(sleepers(node, 3)) == 4 and len(sleepers(node, 4)) == 3)
    node.crictl("stop", "-t", "0", c["id"])
    assert sleepers(node, 3) == [] and sleepers(node, 4) == []
    assert running.wait(timeout=10) != 0


def test_the_first_process_is_killed(node, spec):
    node.write("p.yaml", pod("p", {"command": ["sh", "-c", children(node, 5) + "while :; do sleep 0.1; done"]}, OTHER, restartPolicy="Never", **spec))
    c = node.running("main")
    wait_for("its children", lambda: len(sleepers(node, 5)) == 3)
    os.kill(node.inspect(c)["info"]["pid"], 9)
    assert node.inspect(node.exited("main"))["status"]["exitCode"] == 137
    assert sleepers(node, 5) == []


def test_while_no_agent_runs(node, spec):
    """The next one ends what is left."""
    node.write("p.yaml", pod("p", {"command": ["sh", "-c", children(node, 6) + "while :; do sleep 0.1; done"]}, OTHER, restartPolicy="Never", **spec))
    c = node.running("main")
    pid = node.inspect(c)["info"]["pid"]
    wait_for("its children", lambda: len(sleepers(node, 6)) == 3)
    node.kill()
    os.kill(pid, 9)
    time.sleep(0.2)
    node.start()
    node.exited("main")
    assert sleepers(node, 6) == []


def test_sandbox(node, spec):
    """StopPodSandbox ends all containers' children at once."""
    node.write("p.yaml", pod("p", {"command": ["sh", "-c", children(node, 7) + "sleep 1000"]}, {**OTHER, "command": ["sh", "-c", children(node, 8) + "sleep 1000"]},
                             restartPolicy="Never", **spec))
    c = node.running("main")
    wait_for("all children", lambda: len(sleepers(node, 7)) == 3 and len(sleepers(node, 8)) == 3)
    client = Client(node.socket)
    client.call("StopPodSandbox", pod_sandbox_id=c["podSandboxId"])
    client.close()
    assert sleepers(node, 7) == [] and sleepers(node, 8) == []
