"""A disk that is really full, and a process with really few descriptors: clear errors, what runs goes on, and all is well afterwards."""
import os
import re
import resource
import shutil
import subprocess
import tempfile

import oci

from support.disk import fill, small_disk  # noqa: F401
from support.node import Node, pod, wait_for

COUNT = "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.02; done"


def numbers(node, container):
    return [int(n) for n in re.findall(r"line (\d+)\n", node.nacelle("logs", container["id"]))]


def test_full_disk(small_disk, busybox_archive):
    other = tempfile.mkdtemp(prefix="nacelle-beside-")
    node = Node("--eviction-hard=", "--image-gc-high-threshold=100", root=small_disk + "/node")  # else it would evict the pods
    node.manifests, node.log_path = other + "/manifests", other + "/agent.log"
    os.mkdir(node.manifests)
    large = oci.Image([oci.Layer().file("data", os.urandom(3 << 20)).tar()], Cmd=["x"])
    large.write_docker_archive(other + "/large.tar", "localhost/large:1")
    try:
        node.start()
        node.nacelle("import", busybox_archive)
        node.write("a.yaml", pod("a", COUNT))
        first = node.running("main")
        node.write("c.yaml", pod("c", {"name": "c", "command": ["sleep", "1000"]}))
        node.running("c")
        fill(small_disk + "/filler")
        failed = node.nacelle("import", other + "/large.tar", check=False)
        assert failed.returncode != 0 and "No space left on device" in failed.stderr, failed.stderr
        assert "localhost/large" not in node.nacelle("images")
        node.write("b.yaml", pod("b", {"name": "b", "command": ["sh", "-c", "echo b runs; sleep 1000"]}))
        wait_for("the reason in the log", lambda: re.search(r"pod default/b-\S+: .*No space left on device", node.log()))
        assert node.exec(first, "echo", "still here").strip() == "still here"
        assert node.process.poll() is None
        node.remove("c.yaml")
        wait_for("end of a pod on a full disk", lambda: not [p for p in node.pods() if p["metadata"]["name"].startswith("c-")])
        os.unlink(small_disk + "/filler")
        node.nacelle("import", other + "/large.tar")
        second = node.running("b", timeout=60)
        wait_for("its log", lambda: "b runs" in node.nacelle("logs", second["id"]))
        assert node.running("main")["id"] == first["id"]
        seen = numbers(node, first)[-1]
        wait_for("the log to go on", lambda: numbers(node, first)[-1] > seen + 5)
        # Lines may be missing from the time without space, but none is cut or doubled.
        found = numbers(node, first)
        assert found == sorted(set(found))
    finally:
        if node.process.poll() is not None:
            node.start()
        node.stop()
        shutil.rmtree(other, ignore_errors=True)


def test_few_descriptors(new_node):
    node = new_node()
    for i in range(3):
        node.write(f"keep{i}.yaml", pod(f"keep{i}", {"name": f"keep{i}", "command": ["sleep", "1000"]}))
    kept = {f"keep{i}": node.running(f"keep{i}")["id"] for i in range(3)}
    pid = node.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = max(map(int, os.listdir(f"/proc/{pid}/fd"))) + 1
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 2, before[1]))
    for i in range(5):
        node.write(f"more{i}.yaml", pod(f"more{i}", {"name": f"more{i}", "command": ["sleep", "1000"]}))
    wait_for("the reason in the log", lambda: "Too many open files" in node.log())
    assert node.process.poll() is None
    resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    for i in range(5):
        node.running(f"more{i}", timeout=60)
    assert {name: node.running(name)["id"] for name in kept} == kept, "a pod was replaced for want of descriptors"


def test_no_permission_is_named(busybox_archive):
    """A root directory on a read-only file system."""
    place = tempfile.mkdtemp(prefix="nacelle-readonly-")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", place], check=True)
    try:
        node = Node(root=None)
        node.root = place + "/root"
        node.start(wait=False)
        assert node.process.wait(timeout=20) == 1
        assert f"cannot create the directory {place}/root: Read-only file system" in node.log()
    finally:
        subprocess.run(["umount", "-l", place], check=True)
        os.rmdir(place)
        shutil.rmtree(node.dir, ignore_errors=True)
        shutil.rmtree(node.run, ignore_errors=True)
