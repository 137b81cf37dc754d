"""Agents and others beside an agent on one host: what only one can have is refused to the second by a sentence that names the first,
and a start touches nothing that another made."""
import os
import signal
import subprocess

import pytest

from support.node import Node, free_number, pod, wait_for
from test_bad_surroundings import refused

CLAIMS = "/run/nacelle-agents"


def shared(node):
    """What a second agent could want of the first: the flag, its value, and how the first calls it."""
    return {
        "cgroup": ("--cgroup-root", node.cgroup, node.cgroup),
        "bridge": ("--bridge", node.bridge, node.bridge),
        "addresses": ("--pod-cidr", f"10.213.{node.number}.0/24", f"10.213.{node.number}.0/24"),
        "addresses within": ("--pod-cidr", f"10.213.{node.number}.64/26", f"10.213.{node.number}.0/24"),
        "addresses around": ("--pod-cidr", f"fd00:213:{node.number:x}::/48", f"fd00:213:{node.number:x}::/64"),
        "directory": ("--pod-manifest-path", node.manifests, node.manifests),
        "directory by a link": ("--pod-manifest-path", node.dir + "/link", node.manifests),
    }


KINDS = [
    "cgroup", "bridge", "addresses", "addresses within", "addresses around", "directory", "directory by a link"]


@pytest.fixture
def running(node):
    node.write("p.yaml", pod("p", {"command": ["sleep", "1000"], "ports": [{"containerPort": 80, "hostPort": 18000 + node.number}]}))
    container = node.running("main")
    pid = node.inspect(container)["info"]["pid"]
    ports = subprocess.run(["ip", "-o", "link", "show", "master", node.bridge], capture_output=True, text=True).stdout
    rules = subprocess.run(["nft", "list", "table", "inet", "nacelle_" + node.bridge], capture_output=True, text=True).stdout
    assert ports and str(18000 + node.number) in rules
    yield pid
    assert node.inspect(node.running("main"))["info"]["pid"] == pid
    assert subprocess.run(["ip", "-o", "link", "show", "master", node.bridge], capture_output=True, text=True).stdout == ports
    assert subprocess.run(["nft", "list", "table", "inet", "nacelle_" + node.bridge], capture_output=True, text=True).stdout == rules


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_running_agent_has(node, running, tmp_path, kind):
    flag, value, name = shared(node)[kind]
    if not os.path.lexists(node.dir + "/link"):
        os.symlink(node.manifests, node.dir + "/link")
    said = refused(tmp_path, flag, value)
    assert f"({flag} {name}; process {node.process.pid}, with --root-dir {node.root}); give this one a {flag} of its own" in said


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_what_the_pods_of_a_stopped_agent_have(node, running, tmp_path, end):
    """Pods go on without their agent, and so does what they live on. Nothing lives on a directory."""
    node.kill(end)
    try:
        for kind, (flag, value, name) in shared(node).items():
            if "directory" in kind:
                continue
            said = refused(tmp_path, flag, value)
            assert "pods of another nacelle-agent, which does not run now, hold" in said, kind
            assert f"({flag} {name}; with --root-dir {node.root}); give this one a {flag} of its own" in said
    finally:
        node.start()


def test_the_next_agent_takes_what_nobody_lives_on(busybox_archive):
    number = free_number()
    first = Node(number=number).start()
    first.nacelle("import", busybox_archive)
    first.write("p.yaml", pod("p", "sleep 1000"))
    first.running("main")
    first.remove("p.yaml")
    wait_for("end of the pod", lambda: not first.pods(), timeout=40)
    first.kill(signal.SIGKILL)
    second = Node("--cgroup-root", first.cgroup, "--bridge", first.bridge, "--pod-cidr", f"10.213.{number}.0/24").start()
    assert second.process.poll() is None
    second.stop()
    first.start()
    first.stop()


def test_claims_go_with_the_agent(busybox_archive):
    node = Node().start()

    def files():
        return [f for f in os.listdir(CLAIMS) if node.root in open(f"{CLAIMS}/{f}").read()]
    assert len(files()) == 6
    node.kill(signal.SIGTERM)
    assert files() == []
    node.start()
    node.stop()


def test_a_start_leaves_the_cgroups_of_others(new_node):
    """Named as a sandbox's or a pod's, and below the agent's root: without a record or a directory they are not its own."""
    node = new_node()
    hierarchies = [h for h in ("pids", "memory", "unified", "") if os.path.exists(f"/sys/fs/cgroup/{h}/cgroup.procs")]
    sleepers = []
    made = []
    try:
        for name in ("ab" * 32, "kubepods/pod12345678-1234-1234-1234-123456789abc", "kubepods/burstable/podx"):
            sleeper = subprocess.Popen(["sleep", "1000"])
            sleepers.append(sleeper)
            for h in hierarchies:
                path = f"/sys/fs/cgroup/{h}{node.cgroup}/{name}"
                os.makedirs(path, exist_ok=True)
                made.append(path)
                if h != "memory":
                    with open(path + "/cgroup.procs", "w") as f:
                        f.write(str(sleeper.pid))
        node.restart()
        assert f"cgroup {node.cgroup}/{'ab' * 32} is no pod's of this agent and left alone" in node.log()
        node.kill(signal.SIGTERM)
        assert all(s.poll() is None for s in sleepers)
        assert all(os.path.exists(path) for path in made)
    finally:
        for s in sleepers:
            s.kill()
            s.wait()
        for path in sorted(made, key=len, reverse=True):
            os.path.exists(path) and os.rmdir(path)
        if node.process.poll() is not None:
            node.start()


def test_a_sandbox_that_was_never_finished_is_swept(new_node):
    """Its directory, there before all else, says whose its cgroup is."""
    node = new_node()
    cgroup = f"/sys/fs/cgroup/pids{node.cgroup}" if os.path.exists("/sys/fs/cgroup/pids") else f"/sys/fs/cgroup{node.cgroup}"
    node.kill()
    sandbox = "cd" * 32
    os.makedirs(f"{node.root}/sandboxes/{sandbox}")
    os.makedirs(f"{cgroup}/{sandbox}")
    node.start()
    assert not os.path.exists(f"{cgroup}/{sandbox}") and not os.path.exists(f"{node.root}/sandboxes/{sandbox}")
