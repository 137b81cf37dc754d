"""Ways out that images, volumes and clients of the socket may try, against the whole agent. Those below the runtime are in
tests/unit/runtime/escape_test.c."""
import io
import json
import os
import tarfile

import oci
import pytest

from support.node import pod, wait_for


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "host"
    path.mkdir()
    (path / "secret").write_text("the host's secret")
    return path


def links_layer(links):
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as t:
        for name, target in links.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, str(target)
            t.addfile(info)
    return layer.getvalue()


def sandbox(node, tmp_path, **fields):
    config = tmp_path / "pod.json"
    config.write_text(json.dumps({"metadata": {"name": "s", "namespace": "test", "attempt": 1, "uid": "u"}, "linux": {}, **fields}))
    return node.crictl("runp", str(config), check=False)


def create(node, tmp_path, pod_id, name="c", image="localhost/busybox:test", **fields):
    config = tmp_path / f"{name}.json"
    config.write_text(json.dumps({"metadata": {"name": name}, "image": {"image": image}, "command": ["sleep", "1000"], "linux": {}, **fields}))
    return node.crictl("create", pod_id, str(config), str(tmp_path / "pod.json"), check=False)


def test_cve_2022_23648_image_volumes_copy_nothing_of_the_host(node, tmp_path, secret):
    """VOLUMEs that lead out by name and by links of the image: nothing of the host comes into the container."""
    archive = str(tmp_path / "evil.tar")
    up = "/../../../../../../../.." + str(secret)
    oci.Image([oci.busybox_layer(), links_layer({"linked": secret, "deep": "/proc/1/root" + str(secret)})],
              Volumes={up: {}, "/linked": {}, "/deep": {}, str(secret): {}}).write_docker_archive(archive, "localhost/evil:test")
    node.nacelle("import", archive)
    pod_id = sandbox(node, tmp_path).stdout.strip()
    done = create(node, tmp_path, pod_id, image="localhost/evil:test")
    if done.returncode == 0:
        c = {"id": done.stdout.strip()}
        assert node.crictl("start", c["id"], check=False).returncode == 0
        found = node.exec(c, "sh", "-c", f"cat /linked/secret /deep/secret {up}/secret {secret}/secret 2>/dev/null; find / -xdev -name secret")
        assert "secret" not in found, found


def test_cve_2022_0811_sysctls_of_the_host_are_refused_at_the_socket(node, tmp_path):
    before = open("/proc/sys/kernel/core_pattern").read()
    for key, value in {"kernel.shm_rmid_forced": "1+kernel.core_pattern=|/evil", "kernel.core_pattern": "|/evil", "vm.drop_caches": "3"}.items():
        done = sandbox(node, tmp_path, linux={"sysctls": {key: value}})
        assert done.returncode != 0 and key.rsplit(".", 1)[1] in done.stderr, done.stdout
    host = {"namespace_options": {"network": 2, "ipc": 2}}
    for key in ("net.ipv4.ip_unprivileged_port_start", "kernel.shm_rmid_forced"):
        done = sandbox(node, tmp_path, linux={"sysctls": {key: "1"}, "security_context": host})
        assert done.returncode != 0 and key in done.stderr
    assert open("/proc/sys/kernel/core_pattern").read() == before
    # The same from a manifest: the pod is not started, and says why.
    node.write("s.yaml", pod("s", "sleep 1000", securityContext={"sysctls": [{"name": "kernel.core_pattern", "value": "|/evil"}]}))
    wait_for("refusal", lambda: [line for line in node.log().splitlines() if "kernel.core_pattern" in line and "default/s-" in line])
    assert open("/proc/sys/kernel/core_pattern").read() == before


def test_log_paths_stay_in_the_log_directory(node, tmp_path, secret):
    logs = tmp_path / "logs"
    logs.mkdir()
    pod_id = sandbox(node, tmp_path, log_directory=str(logs)).stdout.strip()
    for path in ("../out.log", "a/../../out.log", ".."):
        done = create(node, tmp_path, pod_id, log_path=path)
        assert done.returncode != 0 and "leads out" in done.stderr
    # A link is waiting where the log is to be: what it points to is not written.
    os.symlink(secret / "secret", logs / "linked.log")
    done = create(node, tmp_path, pod_id, "linked", log_path="linked.log", command=["echo", "overwritten"])
    assert done.returncode != 0 or node.crictl("start", done.stdout.strip(), check=False).returncode != 0
    assert (secret / "secret").read_text() == "the host's secret"
    # One that is put there later is not followed when the log is opened anew.
    c = create(node, tmp_path, pod_id, "later", log_path="later.log", command=["sh", "-c", "while :; do echo overwritten; sleep 0.05; done"]).stdout.strip()
    node.crictl("start", c)
    os.rename(logs / "later.log", logs / "moved.log")
    os.symlink(secret / "secret", logs / "later.log")
    node.crictl("logs", "-r", c, check=False)
    wait_for("output", lambda: (logs / "moved.log").stat().st_size > 0)
    assert (secret / "secret").read_text() == "the host's secret"


def test_termination_messages_are_the_container_s_own(node, tmp_path, secret):
    """The message's path is a link of the image or of a volume, and the container swaps what it may."""
    archive = str(tmp_path / "evil.tar")
    oci.Image([oci.busybox_layer(), links_layer({"message": secret / "secret", "dir": secret})]).write_docker_archive(archive, "localhost/evil:test")
    node.nacelle("import", archive)
    (tmp_path / "v").mkdir()
    os.symlink(secret / "secret", tmp_path / "v/message")
    script = ("echo mine > $0; rm -f $0; mv $0 $0.away; ln -sf {} $0; exit 3").format(secret / "secret")
    volume = {"volumes": [{"name": "v", "hostPath": {"path": str(tmp_path / "v")}}]}
    for i, path in enumerate(("/message", "/dir/secret", "/v/message", "/dev/termination-log")):
        container = {"name": f"c{i}", "image": "localhost/evil:test", "command": ["sh", "-c", script, path], "terminationMessagePath": path,
                     "volumeMounts": [{"name": "v", "mountPath": "/v"}]}
        node.write(f"t{i}.yaml", pod(f"t{i}", container, restartPolicy="Never", **volume))
    for i in range(4):
        state = wait_for(f"end of t{i}", lambda: ((node.status(f"t{i}").get("containerStatuses") or [{}])[0].get("state") or {}).get("terminated") or
                         [line for line in node.log().splitlines() if f"t{i}-{node.name}" in line and "Failed" in line])
        assert "secret" not in str(state.get("message", "") if isinstance(state, dict) else "")
    assert (secret / "secret").read_text() == "the host's secret"
    assert os.readlink(tmp_path / "v/message") == str(secret / "secret") or not (tmp_path / "v/message").is_symlink()


def test_a_sub_path_that_is_swapped_all_the_time(node, tmp_path, secret):
    """CVE-2021-25741: a container exchanges the directory of a subPath for a link to the host, again and again."""
    (tmp_path / "v/sub").mkdir(parents=True)
    swap = f"cd /v; mkdir -p other; while :; do mv sub x; ln -s {secret} sub; rm sub; mv x sub; done 2>/dev/null"
    volumes = {"volumes": [{"name": "v", "hostPath": {"path": str(tmp_path / "v")}}], "restartPolicy": "Never"}
    node.write("swap.yaml", pod("swap", {"name": "swapper", "command": ["sh", "-c", swap], "volumeMounts": [{"name": "v", "mountPath": "/v"}]}, **volumes))
    node.running("swapper")
    for i in range(10):
        node.write(f"v{i}.yaml", pod(f"v{i}", {"name": f"victim{i}", "command": ["sh", "-c", "ls /sub; cat /sub/secret"],
                                               "volumeMounts": [{"name": "v", "mountPath": "/sub", "subPath": "sub"}]}, **volumes))
    for i in range(10):
        c = wait_for(f"pod v{i}", lambda: node.container(f"victim{i}", "exited") or
                     [line for line in node.log().splitlines() if f"v{i}-{node.name}" in line and "subPath" in line])
        if isinstance(c, dict):
            assert "the host's secret" not in node.crictl("logs", c["id"])


def reachable(tops, gid):
    """What of all below `tops` a user of the host in the group `gid` can look at, or go into, or run."""
    below = [os.path.join(d, name) for top in tops for d, dirs, files in os.walk(top) for name in dirs + files]
    r, w = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(r)
        os.setgroups([]), os.setgid(gid), os.setuid(1000)
        found = []
        for path in [*tops, *below]:
            try:
                os.stat(path, follow_symlinks=False)
            except PermissionError:
                continue
            if os.access(path, os.X_OK) or os.access(path, os.R_OK) or os.access(path, os.W_OK):
                found.append(path)
        with os.fdopen(w, "w") as out:
            json.dump(found, out)
        os._exit(0)
    os.close(w)
    with os.fdopen(r) as f:
        found = json.load(f)
    os.waitpid(child, 0)
    assert len(below) > 50
    return found


def test_what_a_container_leaves_is_nobody_else_s(new_node):
    """CVE-2021-41091, CVE-2021-41103: a setuid program that root of a container leaves, run by a user of the host."""
    node = new_node()
    os.chmod(node.dir, 0o755)  # which tempfile has shut
    leave = "for d in / /e /e/deep /etc /tmp; do mkdir -p $d; cp /bin/busybox $d/evil; chmod 6755 $d/evil; chmod 777 $d; done; chmod 777 /; sleep 1000"
    node.write("l.yaml", pod("l", {"command": ["sh", "-c", leave], "volumeMounts": [{"name": "e", "mountPath": "/e"}]},
                             volumes=[{"name": "e", "emptyDir": {}}]))
    wait_for("programs", lambda: node.exec(node.running("main"), "ls", "/tmp/evil", check=False).returncode == 0)
    evil = [os.path.join(d, "evil") for d, _, files in os.walk(node.root) if "evil" in files]
    assert len(evil) == 5 and all(os.stat(path).st_mode & 0o6000 == 0o6000 for path in evil)
    for gid in (1000, 0):
        assert reachable((node.root, node.run), gid) == []
    # Where ROOT and RUN are older than the agent, or the administrator's own, what is in them is shut all the same.
    os.chmod(node.root, 0o755), os.chmod(node.run, 0o755)
    for top in (node.root, node.run):
        for name in os.listdir(top):
            if os.path.isdir(f"{top}/{name}"):
                os.chmod(f"{top}/{name}", 0o711)
    node.restart()
    for gid in (1000, 0):
        found = set(reachable((node.root, node.run), gid))
        assert {node.root, node.run} <= found
        found -= {node.root, node.run}
        assert {os.path.basename(path) for path in found} <= ({"nacelle.sock", "kubelet.sock"} if gid == 0 else set()), found
