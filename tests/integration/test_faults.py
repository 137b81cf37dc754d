"""Each call of the kernel's and of malloc's fails once: an error that says what failed, no crash, no leak, and a working agent.

`make faults` fails every one of them in turn; a plain run takes some of each.
"""
import contextlib
import os
import random
import signal
from collections import Counter

import pytest

import oci
from support.faults import KINDS, Cri, Faults, field
from support.node import Node, wait_for

FULL = os.environ.get("FAULTS") == "all"
SAMPLES = 3  # of each step and kind, when not all
FAKE_CRIU = os.path.join(os.path.dirname(os.path.abspath(__file__)), "support/fake_criu.py")
TEXTS = {"ENOSPC": "No space left on device", "EIO": "Input/output error", "EMFILE": "Too many open files", "ENOMEM": "memory"}


@pytest.fixture(scope="module")
def faults():
    f = Faults()
    yield f
    f.disarm()
    f.close()


@pytest.fixture(scope="module")
def world(faults, busybox_archive, registry, tmp_path_factory):
    criu = tmp_path_factory.mktemp("path") / "criu"
    # Static, so that nothing fails in it.
    criu.write_text(f"#!/bin/busybox sh\nunset LD_PRELOAD\nexec {FAKE_CRIU} \"$@\"\n")
    criu.chmod(0o755)
    node = Node(env={**faults.env, "PATH": f"{criu.parent}:{os.environ['PATH']}"}).start()
    node.nacelle("import", busybox_archive)
    w = World(node, faults, busybox_archive, registry)
    yield w
    faults.disarm()
    w.cri.close()
    # What could not be undone because the same fault met the undoing too is swept at the next start.
    node.restart(signal.SIGTERM)
    node.stop()


class World:
    """An agent, and what the steps need of it."""

    def __init__(self, node, faults, archive, registry):
        self.node, self.faults, self.archive = node, faults, archive
        self.cri = Cri(node.socket)
        layer = oci.Layer()
        layer.directory("etc")
        layer.file("etc/a", b"a" * 5000)
        layer.file("etc/b", b"b")
        self.pushed = registry.push(oci.Image([layer.tar()], Cmd=["x"]), "tiny:1")
        self.n = 0

    def revive(self):
        """A new agent in place of one that died or hangs, so that one failure does not fail all tests behind it."""
        self.faults.disarm()
        self.node.restart()
        self.cri.close()
        self.cri = Cri(self.node.socket)
        self.remove_sandboxes()

    def sandbox_config(self):
        self.n += 1
        name = f"pod{self.n}"
        return {1: {1: name, 2: "uid-" + name, 3: "default"}, 2: name, 3: f"{self.node.logs}/{name}"}

    def run(self):
        config = self.sandbox_config()
        return self.cri.call("RunPodSandbox", {1: config})

    def sandbox(self):
        config = self.sandbox_config()
        os.makedirs(config[3], exist_ok=True)
        self.config = config
        self.sandbox_id = field(self.cri.must("RunPodSandbox", {1: config}), 1).decode()

    def create_message(self):
        self.n += 1
        return {1: self.sandbox_id, 2: {1: {1: f"c{self.n}"}, 2: {1: "localhost/busybox:test"}, 3: ["sleep", "1000"], 11: f"c{self.n}.log"}, 3: self.config}

    def container(self):
        self.container_id = field(self.cri.must("CreateContainer", self.create_message()), 1).decode()

    def running(self):
        self.container()
        self.cri.must("StartContainer", {1: self.container_id})

    def remove_containers(self):
        for c in self.cri.ids("ListContainers"):
            self.cri.must("RemoveContainer", {1: c})

    def remove_sandboxes(self):
        for s in self.cri.ids("ListPodSandbox"):
            self.cri.must("StopPodSandbox", {1: s})
            self.cri.must("RemovePodSandbox", {1: s})


def both(*steps):
    def run(w):
        for step in steps:
            step(w)
    return run


def nothing(w):
    pass


def call(method, message):
    return lambda w: w.cri.call(method, message(w) if callable(message) else message)


def of_container(w):
    return {1: w.container_id}


def checkpoint_of_container(w):
    return {1: w.container_id, 2: w.node.dir + "/checkpoint.tar"}


def of_sandbox(w):
    return {1: w.sandbox_id}


def exec_sync(w):
    code, text, response = w.cri.call("ExecSync", {1: w.container_id, 2: ["echo", "hi"], 3: 20})
    assert code or field(response, 1) == b"hi\n", response
    return code, text, response


def again(method, message):
    """What failed once must work when asked for again."""
    return lambda w: w.cri.must(method, message(w))


# name: once before all, before each, the call that fails, after each
STEPS = {
    "pull": (nothing, lambda w: w.cri.must("RemoveImage", {1: {1: w.pushed}}), call("PullImage", lambda w: {1: {1: w.pushed}}), again("PullImage", lambda w: {1: {1: w.pushed}})),
    "import": (nothing, lambda w: w.cri.call("Untag", {1: "localhost/other:1"}), call("Import", lambda w: {1: "localhost/other:1", 2: w.archive}), nothing),
    "images": (nothing, nothing, call("ListImages", {}), nothing),
    "image status": (nothing, nothing, call("ImageStatus", {1: {1: "localhost/busybox:test"}, 2: 1}), nothing),
    "image disk": (nothing, nothing, call("ImageFsInfo", {}), nothing),
    "remove image": (nothing, lambda w: w.cri.must("PullImage", {1: {1: w.pushed}}), call("RemoveImage", lambda w: {1: {1: w.pushed}}), again("RemoveImage", lambda w: {1: {1: w.pushed}})),
    "status": (nothing, nothing, call("Status", {1: 1}), nothing),
    "run": (nothing, nothing, World.run, World.remove_sandboxes),
    "create": (World.sandbox, nothing, lambda w: w.cri.call("CreateContainer", w.create_message()), World.remove_containers),
    "start": (World.sandbox, World.container, call("StartContainer", of_container), World.remove_containers),
    "exec": (both(World.sandbox, World.running), nothing, exec_sync, nothing),
    "container status": (both(World.sandbox, World.running), nothing, call("ContainerStatus", lambda w: {1: w.container_id, 2: 1}), nothing),
    "sandbox status": (both(World.sandbox, World.running), nothing, call("PodSandboxStatus", lambda w: {1: w.sandbox_id, 2: 1}), nothing),
    "stats": (both(World.sandbox, World.running), nothing, call("ListContainerStats", {}), nothing),
    "sandbox stats": (both(World.sandbox, World.running), nothing, call("ListPodSandboxStats", {}), nothing),
    "metrics": (both(World.sandbox, World.running), nothing, call("ListPodSandboxMetrics", {}), nothing),
    "update": (both(World.sandbox, World.running), nothing, call("UpdateContainerResources", lambda w: {1: w.container_id, 2: {3: 512, 4: 1 << 26}}), nothing),
    "reopen log": (both(World.sandbox, World.running), nothing, call("ReopenContainerLog", of_container), nothing),
    "checkpoint": (both(World.sandbox, World.running), nothing, call("CheckpointContainer", checkpoint_of_container), again("CheckpointContainer", checkpoint_of_container)),
    "stop": (World.sandbox, World.running, call("StopContainer", of_container), both(again("StopContainer", of_container), World.remove_containers)),
    "remove": (World.sandbox, World.running, call("RemoveContainer", of_container), again("RemoveContainer", of_container)),
    "stop sandbox": (nothing, both(World.sandbox, World.running), call("StopPodSandbox", of_sandbox), both(again("StopPodSandbox", of_sandbox), World.remove_sandboxes)),
    "remove sandbox": (nothing, both(World.sandbox, World.running), call("RemovePodSandbox", of_sandbox), again("RemovePodSandbox", of_sandbox)),
}


def positions(total, rng):
    everyone = range(1, total + 1)
    return everyone if FULL else sorted(rng.sample(everyone, min(SAMPLES, total)))


def check_answer(kind, code, text, what):
    if code is None:
        return
    said = f"{what}: {code}: {text}"
    # Without memory for the connection itself it is closed.
    if kind == "ENOMEM" and (code == "UNAVAILABLE" or "RST_STREAM" in text):
        return
    # What fails within libcurl or OpenSSL is told in their words, and pulls are tried again for a while.
    if " at lib" in what and (kind == "ENOMEM" or "libcurl" in what) and ("failed to pull" in text or code == "DEADLINE_EXCEEDED"):
        return
    assert TEXTS[kind] in text, said
    assert code in ("RESOURCE_EXHAUSTED", "UNKNOWN", "INTERNAL", "UNAVAILABLE"), said
    assert len(text) > len(TEXTS[kind]) + 2 or kind == "ENOMEM", f"it does not say what failed: {said}"


def open_files(node):
    """What the agent's descriptors are of."""
    found = []
    for fd in os.listdir(f"/proc/{node.process.pid}/fd"):
        with contextlib.suppress(OSError):
            found.append(os.readlink(f"/proc/{node.process.pid}/fd/{fd}"))
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", STEPS)
def test_each_call_fails_once(world, step, kind):
    try:
        sweep(world, step, kind)
    except BaseException:
        world.revive()
        raise


def sweep(w, step, kind):
    rng = random.Random(step + kind)
    once, before, failing, after = STEPS[step]
    once(w)
    before(w)
    w.cri.must("Version", {})
    w.faults.arm(kind, 1 << 30)
    code, text, _ = failing(w)
    total, _, _ = w.faults.disarm()
    assert code is None, f"without a fault: {code}: {text}"
    after(w)
    files = open_files(w.node)
    for n in positions(total, rng):
        # A signal that cannot be sent is tried again for as long as the client waits.
        for sticky in (False,) if step in ("stop", "remove") else (False, True) if FULL else (rng.random() < 0.3,):
            before(w)
            w.cri.must("Version", {})
            w.faults.arm(kind, n, sticky)
            code, text, _ = failing(w)
            _, hits, what = w.faults.disarm()
            what = f"{step}: {kind} {'from' if sticky else 'at'} call {n}, {what}"
            assert w.node.process.poll() is None, f"{what}: the agent ended with {w.node.process.returncode}"
            if hits:
                check_answer(kind, code, text, what)
            try:
                after(w)
            except AssertionError as e:
                raise AssertionError(f"after {what} ({code}: {text}): {e}") from None
    try:
        wait_for("closed descriptors", lambda: len(open_files(w.node)) <= len(files) + 1, timeout=15)
    except AssertionError:
        raise AssertionError(f"descriptors left open: {sorted((Counter(open_files(w.node)) - Counter(files)).items())}") from None
    w.remove_sandboxes()
