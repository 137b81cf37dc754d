"""What a container may do: users, capabilities, seccomp, masked paths, read-only root, namespaces."""
import os

from support.node import pod


def _exec(node, name, *command):
    return node.exec(node.running(name), *command)


def test_defaults(node):
    node.write("d.yaml", pod("d", "sleep 1000"))
    status = dict(line.split(":\t") for line in _exec(node, "main", "cat", "/proc/1/status").splitlines() if ":\t" in line)
    assert status["CapEff"] == "00000000a80425fb" and status["CapBnd"] == "00000000a80425fb"
    assert status["Seccomp"].strip() == "0"  # Kubernetes' default is Unconfined
    assert _exec(node, "main", "sh", "-c", "cat /proc/keys /proc/timer_list 2>/dev/null | wc -c").strip() == "0"
    out = node.exec(node.running("main"), "sh", "-c", "echo 1 > /proc/sys/kernel/panic", check=False)
    assert "Read-only" in out.stderr


def test_users_groups_caps_seccomp(node):
    node.write("s.yaml", pod("s", {"command": ["sleep", "1000"],
                                   "securityContext": {"runAsUser": 1000, "runAsGroup": 3000, "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                                       "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
                                                       "seccompProfile": {"type": "RuntimeDefault"}}},
                             securityContext={"supplementalGroups": [4000], "fsGroup": 5000}))
    status = dict(line.split(":\t") for line in _exec(node, "main", "cat", "/proc/1/status").splitlines() if ":\t" in line)
    assert status["Uid"].split()[0] == "1000" and status["Gid"].split()[0] == "3000"
    assert set(status["Groups"].split()) >= {"3000", "4000", "5000", "50000"} - {"3000"}
    assert status["CapBnd"] == "0000000000000400" and status["NoNewPrivs"].strip() == "1" and status["Seccomp"].strip() == "2"
    out = node.exec(node.running("main"), "touch", "/x", check=False)
    assert "Read-only file system" in out.stderr


def test_privileged(node):
    node.write("p.yaml", pod("p", {"command": ["sleep", "1000"], "securityContext": {"privileged": True}}))
    status = dict(line.split(":\t") for line in _exec(node, "main", "cat", "/proc/1/status").splitlines() if ":\t" in line)
    own = dict(line.split(":\t") for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
    assert status["CapEff"] == own["CapBnd"]
    assert "vda" in _exec(node, "main", "ls", "/dev")


def test_run_as_non_root_is_enforced(node):
    node.write("n.yaml", pod("n", {"name": "nonroot", "command": ["sleep", "1000"]}, securityContext={"runAsNonRoot": True}))
    from support.node import wait_for
    wait_for("CreateContainerConfigError", lambda: (node.status("n").get("containerStatuses") or [{}])[0].get("state", {}).get("waiting", {}).get("reason") == "CreateContainerConfigError")


def test_user_namespace(node):
    node.write("u.yaml", pod("u", "sleep 1000", hostUsers=False))
    mapping = _exec(node, "main", "cat", "/proc/self/uid_map").split()
    assert mapping[0] == "0" and int(mapping[1]) >= 65536 and int(mapping[2]) == 65536
    assert _exec(node, "main", "id", "-u").strip() == "0"
    assert _exec(node, "main", "stat", "-c", "%u", "/bin/busybox").strip() == "0"


def test_sysctls_and_rlimits(node):
    node.write("y.yaml", pod("y", "sleep 1000", securityContext={"sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "80"}]}))
    assert _exec(node, "main", "cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start").strip() == "80"


def test_user_namespace_and_volumes(node, tmp_path):
    """Idmapped mounts: files of volumes belong to the same ids inside and outside, and what a container makes is not the host's root's alone."""
    (tmp_path / "v").mkdir()
    (tmp_path / "v/mine").write_text("x")
    os.chown(tmp_path / "v/mine", 1000, 1000)
    os.chmod(tmp_path / "v", 0o777)
    node.write("uv.yaml", pod("uv", {"command": ["sleep", "1000"], "volumeMounts": [{"name": "v", "mountPath": "/v"}, {"name": "e", "mountPath": "/e"}]},
                              volumes=[{"name": "v", "hostPath": {"path": str(tmp_path / "v")}}, {"name": "e", "emptyDir": {}}], hostUsers=False))
    c = node.running("main")
    assert node.exec(c, "stat", "-c", "%u:%g", "/v/mine", "/v", "/e").split() == ["1000:1000", "0:0", "0:0"]
    node.exec(c, "sh", "-c", "echo made > /v/new; echo made > /e/new; chown 5:6 /v/new")
    made = os.stat(tmp_path / "v/new")
    assert (made.st_uid, made.st_gid) == (5, 6)
    host = node.inspect(c)["info"]["pid"]
    assert int(open(f"/proc/{host}/status").read().split("Uid:\t")[1].split()[0]) >= 65536
