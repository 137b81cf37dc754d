"""Crash-only: kill -9 of the agent and of shims at random moments, ROUNDS times (`make soak` raises it to 1,000)."""
import contextlib
import os
import pathlib
import random
import re
import signal
import time

import pytest

from support.node import pod, wait_for

ROUNDS = int(os.environ.get("ROUNDS", "25"))
COUNT = "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.02; done"


def lines(node, container):
    return [int(n) for n in re.findall(r"line (\d+)\n", node.nacelle("logs", container["id"]))]


def steady(node):
    """Pods that only count, which nothing may disturb, and ones that come and go meanwhile."""
    for i in range(3):
        node.write(f"steady{i}.yaml", pod(f"steady{i}", {"name": f"steady{i}", "command": ["sh", "-c", COUNT]}))
    return {f"steady{i}": node.running(f"steady{i}") for i in range(3)}


def check(node, kept):
    for name, before in kept.items():
        after = node.running(name)
        assert after["id"] == before["id"], f"{name} was restarted"
        found = lines(node, after)
        assert found == list(range(1, len(found) + 1)), f"{name}: a line lost or doubled near {[b for a, b in zip(found, found[1:]) if b != a + 1][:5]}"


def test_kill_the_agent(new_node):
    node, rng = new_node(), random.Random(11)
    kept = steady(node)
    for round_number in range(ROUNDS):
        code = round_number % 100
        node.write("once.yaml", pod(f"once{round_number}", {"name": "once", "command": ["sh", "-c", f"echo x; sleep 0.05; exit {code}"]}, restartPolicy="Never"))
        time.sleep(rng.random() * 0.2)
        node.restart()
        ended = wait_for("exit", lambda: [c for c in node.containers() if c["metadata"]["name"] == "once" and c["state"] == "CONTAINER_EXITED"
                                          and c["labels"]["io.kubernetes.pod.name"] == f"once{round_number}-{node.name}"])
        # A container whose start was cut is made anew: one of its attempts must have ended with the code.
        assert code in [node.inspect(c)["status"].get("exitCode", 0) for c in ended]
    check(node, kept)


def kill_one(node, rng):
    victims = sorted(node.shims())
    if victims:
        with contextlib.suppress(ProcessLookupError):
            os.kill(rng.choice(victims), signal.SIGKILL)


def once(node, name):
    """The containers of one pod that runs once."""
    return [c for c in node.containers() if c["labels"]["io.kubernetes.pod.name"] == f"{name}-{node.name}"]


def test_kill_shims(new_node):
    """Any shim, at any moment: also of a pod that is being made, while it starts, logs, is looked into, and ends."""
    node, rng = new_node(), random.Random(12)
    kept = steady(node)
    for round_number in range(ROUNDS):
        code, name = round_number % 100, f"once{round_number}"
        coming = round_number % 4 == 0
        if coming:
            node.write("once.yaml", pod(name, {"name": "once", "command": ["sh", "-c", f"echo x; sleep 0.05; exit {code}"]}, restartPolicy="Never"))
        for _ in range(3 if coming else 1):
            time.sleep(rng.random() * 0.1)
            kill_one(node, rng)
        if coming:
            ended = wait_for(f"end of {name}", lambda: [c for c in once(node, name) if c["state"] == "CONTAINER_EXITED"])
            assert [node.inspect(c)["status"].get("exitCode", 0) for c in ended] == [code], f"{name}: {node.inspect(ended[0])['status']}"
            assert node.nacelle("logs", ended[0]["id"]) == "x\n", name
        elif round_number % 4 == 2:
            done = node.exec(kept["steady1"], "echo", "here", check=False)
            assert done.returncode == 0 and "here" in done.stdout or "shim" in done.stderr, done.stderr
    node.remove("once.yaml")
    wait_for("a shim for each pod", lambda: len(node.shims()) == 3)
    check(node, kept)
    for name in kept:
        node.exec(node.running(name), "true")
    assert node.process.poll() is None


SAME = "i=0; while [ $i -lt 4000 ]; do echo the same; i=$((i+1)); done; printf %s $(seq 1 3000); while ! [ -e /share/go ]; do sleep 0.05; done; seq 3001 6000 | tr -d '\\n'; echo; echo the end"


@pytest.mark.parametrize("tty", [False, True])
def test_same_lines_survive_the_shim(new_node, tmp_path, tty):
    """Lines that cannot be told apart, and one of 25 KB in two halves, whose first is there when the shim is killed."""
    node, rng = new_node(), random.Random(13)
    node.write("same.yaml", pod("same", {"name": "same", "tty": tty, "command": ["sh", "-c", SAME], "volumeMounts": [{"name": "s", "mountPath": "/share"}]},
                                restartPolicy="Never", volumes=[{"name": "s", "hostPath": {"path": str(tmp_path)}}]))
    c = node.running("same")
    for _ in range(ROUNDS):
        kill_one(node, rng)
        time.sleep(rng.random() * 0.1)
    (tmp_path / "go").touch()
    wait_for("end", lambda: node.inspect(c)["status"]["state"] == "CONTAINER_EXITED")
    long = "".join(str(n) for n in range(1, 6001))
    expected = "the same\n" * 4000 + long + "\nthe end\n"
    assert node.nacelle("logs", c["id"]).replace("\r\n", "\n") == expected


def test_last_words_without_a_shim(new_node, tmp_path):
    """A container that prints and ends while its shim is dead and nobody has made a new one."""
    node = new_node()
    script = "while ! [ -e /share/go ]; do sleep 0.05; done; echo the last words; exit 7"
    node.write("last.yaml", pod("last", {"name": "last", "command": ["sh", "-c", script], "volumeMounts": [{"name": "s", "mountPath": "/share"}]},
                                restartPolicy="Never", volumes=[{"name": "s", "hostPath": {"path": str(tmp_path)}}]))
    c = node.running("last")
    process = pathlib.Path(f"/proc/{node.inspect(c)['info']['pid']}/stat")
    os.kill(node.process.pid, signal.SIGSTOP)
    try:
        os.kill(node.shims().pop(), signal.SIGKILL)
        (tmp_path / "go").touch()
        wait_for("end of the process", lambda: process.read_text().rsplit(")", 1)[1].split()[0] == "Z")
    finally:
        os.kill(node.process.pid, signal.SIGCONT)
    wait_for("exit code", lambda: node.inspect(c)["status"].get("exitCode") == 7)
    assert node.nacelle("logs", c["id"]) == "the last words\n"


def test_exit_code_survives_the_shim(new_node):
    node = new_node()
    node.write("code.yaml", pod("code", "sleep 1; exit 42", restartPolicy="Never"))
    c = node.running("main")
    os.kill(node.shims().pop(), signal.SIGKILL)
    wait_for("exit code", lambda: node.inspect(c)["status"].get("exitCode") == 42)
