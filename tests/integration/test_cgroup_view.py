"""What a container sees of its cgroups at /sys/fs/cgroup: the mounts and files that runc shows, alone and under containerd; and what programs
make of it, such as a Java virtual machine of its memory and CPUs."""
import json
import os
import shutil
import subprocess
import uuid

import oci
import pytest

from support.containerd import Containerd
from support.node import BUILD, pod

LOOK = "cat /proc/self/cgroup; echo =; grep /sys/fs/cgroup /proc/self/mountinfo; echo =; find /sys/fs/cgroup | sort; echo =; " \
       "for d in /sys/fs/cgroup/*; do mkdir $d/x 2>&1; done; touch /sys/fs/cgroup/x 2>&1; true"
HYBRID = os.path.isdir("/sys/fs/cgroup/unified")
JAVA = "/usr/lib/jvm/java-17-openjdk-amd64"


class View:
    def __init__(self, text):
        groups, mounts, files, self.writes = text.split("=\n")
        self.places = {line.split(":", 2)[1]: line.split(":", 2)[2] for line in groups.splitlines()}
        self.mounts, self.roots = set(), {}
        for line in mounts.splitlines():
            fields, kind = line.split(" - ")[0].split(), line.split(" - ")[1].split()
            if kind[0] == "tmpfs":  # ours is read-only itself, runc's only what is mounted in it
                assert fields[4] == "/sys/fs/cgroup" and set(fields[5].split(",")) >= {"nosuid", "nodev", "noexec"}
                continue
            self.mounts.add((fields[4], fields[5], kind[0], kind[2]))
            self.roots[kind[2][3:] if kind[0] == "cgroup" else ""] = fields[3]
        self.files = files.splitlines()

    def is_rooted_at_its_own(self):
        """Each mount shows the cgroup that the process is in, and not one above it."""
        for options, root in self.roots.items():
            place = self.places[options if options in self.places else ""]
            assert root == place, (options, root, place)
        return True


def same(ours, theirs):
    assert ours.mounts == theirs.mounts
    assert ours.files == theirs.files
    assert ours.is_rooted_at_its_own() and theirs.is_rooted_at_its_own()
    lines = ours.writes.splitlines()
    assert len(lines) >= 2 and all("Read-only file system" in line for line in lines)
    if HYBRID:
        shown = {path.split("/")[4] for path in ours.files if path.count("/") == 4}
        assert {"cpu", "cpuacct", "cpuset", "memory", "pids"} <= shown and "unified" not in shown


@pytest.mark.parametrize("namespace", ["host", "own"])
def test_beside_runc(tmp_path, namespace):
    """The same bundle by runc and by nacelle-oci."""
    for name in ("bin", "proc", "sys", "dev"):
        os.makedirs(tmp_path / "rootfs" / name)
    shutil.copy("/bin/busybox", tmp_path / "rootfs/bin/busybox")
    for applet in ("sh", "cat", "grep", "find", "sort", "mkdir", "touch"):
        os.symlink("busybox", tmp_path / "rootfs/bin" / applet)
    subprocess.run(["runc", "spec"], cwd=tmp_path, check=True)
    config = json.loads((tmp_path / "config.json").read_text())
    config["process"].update(terminal=False, args=["sh", "-c", LOOK])
    config["linux"]["cgroupsPath"] = f"/nacelle-view-{os.getpid()}"
    config["linux"]["namespaces"] = [n for n in config["linux"]["namespaces"] if n["type"] != "cgroup"]
    if namespace == "own":
        config["linux"]["namespaces"].append({"type": "cgroup"})
    (tmp_path / "config.json").write_text(json.dumps(config))
    views = [View(subprocess.run([program, "run", "view-" + uuid.uuid4().hex], cwd=tmp_path, capture_output=True, text=True, check=True).stdout)
             for program in (BUILD + "/nacelle-oci", "runc")]
    same(*views)


@pytest.fixture(scope="module")
def containerd(busybox_archive):
    c = Containerd(shutil.which("runc"))
    c.load(busybox_archive)
    oci.Image([oci.busybox_layer()], Entrypoint=["/bin/sleep", "1000000"]).write_docker_archive(c.dir + "/pause.tar", "localhost/pause:test")
    c.load(c.dir + "/pause.tar")
    yield c
    c.stop()


def run_by_cri(crictl, tmp_path, command, privileged=False, resources=None):
    """A container's log, from either runtime."""
    uid = uuid.uuid4().hex
    security = {"namespace_options": {"network": 2}, "privileged": privileged}
    sandbox = {"metadata": {"name": "view", "namespace": "default", "uid": uid}, "log_directory": str(tmp_path / uid),
               "linux": {"cgroup_parent": f"/nacelle-view-{os.getpid()}", "security_context": security}}
    container = {"metadata": {"name": "main"}, "image": {"image": "localhost/busybox:test"}, "command": ["sh", "-c", command],
                 "log_path": "main.log", "linux": {"resources": resources or {}, "security_context": security}}
    os.makedirs(tmp_path / uid)
    (tmp_path / "sandbox.json").write_text(json.dumps(sandbox))
    (tmp_path / "container.json").write_text(json.dumps(container))
    p = crictl("runp", str(tmp_path / "sandbox.json")).strip()
    c = crictl("create", "--no-pull", p, str(tmp_path / "container.json"), str(tmp_path / "sandbox.json")).strip()
    crictl("start", c)
    from support.node import wait_for
    wait_for("the container's end", lambda: json.loads(crictl("inspect", c))["status"]["state"] == "CONTAINER_EXITED")
    crictl("rmp", "-f", p)
    return "".join(line.split(" ", 3)[3] + "\n" for line in (tmp_path / uid / "main.log").read_text().splitlines())


@pytest.fixture
def parent():
    """The pods' cgroup, which a kubelet would have made."""
    name = f"nacelle-view-{os.getpid()}"
    yield name
    for hierarchy in [""] + os.listdir("/sys/fs/cgroup"):
        path = f"/sys/fs/cgroup/{hierarchy}/{name}"
        os.path.isdir(path) and os.rmdir(path)


def test_beside_containerd(node, containerd, parent, tmp_path):
    ours = View(run_by_cri(node.crictl, tmp_path, LOOK))
    theirs = View(run_by_cri(lambda *a: containerd.crictl(*a).stdout, tmp_path, LOOK))
    same(ours, theirs)


def test_privileged_beside_containerd(node, containerd, parent, tmp_path):
    """A privileged container may change its cgroups with both."""
    look = LOOK.split("; for d")[0] + "; for d in /sys/fs/cgroup/*/; do mkdir $d/x && rmdir $d/x || exit 1; done; echo changed"
    ours = View(run_by_cri(node.crictl, tmp_path, look, privileged=True))
    theirs = View(run_by_cri(lambda *a: containerd.crictl(*a).stdout, tmp_path, look, privileged=True))
    assert ours.mounts == theirs.mounts and ours.files == theirs.files and ours.is_rooted_at_its_own()
    assert ours.writes == theirs.writes == "changed\n"


def test_a_java_virtual_machine_sees_its_limits(node):
    """openjdk-17-jre-headless of this host: 512 MiB give a heap of a quarter, and one CPU is one CPU."""
    if not os.path.exists(JAVA + "/bin/java"):
        pytest.skip("no openjdk-17-jre-headless here")
    shown = {name: os.path.realpath("/" + name) for name in ("usr", "lib", "lib64", "etc/java-17-openjdk") if os.path.exists("/" + name)}
    java = JAVA + "/bin/java"
    node.write("jvm.yaml", pod("jvm", {
        "command": ["sh", "-c", f"{java} -XX:+PrintFlagsFinal -version | grep -w MaxHeapSize; {java} -XshowSettings:system -version 2>&1"],
        "resources": {"limits": {"memory": "512Mi", "cpu": "1"}},
        "volumeMounts": [{"name": f"v{i}", "mountPath": "/" + name, "readOnly": True} for i, name in enumerate(shown)]},
        restartPolicy="Never", volumes=[{"name": f"v{i}", "hostPath": {"path": path}} for i, path in enumerate(shown.values())]))
    container = node.exited("main", timeout=60)
    said = node.crictl("logs", container["id"], check=False)
    said = said.stdout + said.stderr
    assert f"= {128 << 20} " in said, said
    assert "Memory Limit: 512.00M" in said and "Effective CPU Count: 1\n" in said and ("Provider: cgroupv1" in said) == HYBRID, said
