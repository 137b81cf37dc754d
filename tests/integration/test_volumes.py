"""Volumes: emptyDir, hostPath, downward API, subPath and its tricks."""
import os
import socket
import stat
import subprocess

from support.node import pod, wait_for


def mounts(*pairs):
    return [{"name": n, "mountPath": p, **k} for n, p, k in pairs]


def test_empty_dir_is_shared_and_memory_is_tmpfs(node):
    node.write("v.yaml", pod("v", {"command": ["sleep", "1000"], "volumeMounts": mounts(("d", "/d", {}), ("m", "/m", {}))},
                             {"name": "other", "command": ["sleep", "1000"], "volumeMounts": mounts(("d", "/d", {"readOnly": True}))},
                             volumes=[{"name": "d", "emptyDir": {}}, {"name": "m", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}]))
    a, b = node.running("main"), node.running("other")
    node.exec(a, "sh", "-c", "echo hi > /d/f")
    assert node.exec(b, "cat", "/d/f") == "hi\n"
    assert "Read-only" in node.exec(b, "touch", "/d/g", check=False).stderr
    flags = node.exec(a, "sh", "-c", "grep ' /m ' /proc/mounts").split()
    assert flags[2] == "tmpfs" and not {"nosuid", "nodev"} & set(flags[3].split(",")) and node.exec(a, "stat", "-c", "%a", "/m", "/d").split() == ["1777", "777"]
    assert "No space" in node.exec(a, "sh", "-c", "dd if=/dev/zero of=/m/big bs=1M count=2", check=False).stderr


def test_host_path_types(node, tmp_path):
    (tmp_path / "file").write_text("content\n")
    node.write("h.yaml", pod("h", {"command": ["sleep", "1000"], "volumeMounts": mounts(("f", "/f", {}), ("n", "/n", {}))},
                             volumes=[{"name": "f", "hostPath": {"path": str(tmp_path / "file"), "type": "File"}},
                                      {"name": "n", "hostPath": {"path": str(tmp_path / "new"), "type": "DirectoryOrCreate"}}]))
    c = node.running("main")
    assert node.exec(c, "cat", "/f") == "content\n"
    assert os.path.isdir(tmp_path / "new")
    node.write("w.yaml", pod("w", {"name": "wrong", "command": ["sleep", "1000"], "volumeMounts": mounts(("f", "/f", {}))},
                             volumes=[{"name": "f", "hostPath": {"path": str(tmp_path / "file"), "type": "Directory"}}]))
    wait_for("message", lambda: [line for line in node.log().splitlines() if "is not a directory" in line])


def test_downward_api_files(node):
    node.write("da.yaml", pod("da", {"command": ["sleep", "1000"], "volumeMounts": mounts(("i", "/i", {}), ("p", "/p", {}))},
                              metadata={"labels": {"a": "1", "b": "2"}},
                              volumes=[{"name": "i", "downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
                                       {"name": "p", "projected": {"sources": [{"downwardAPI": {"items": [
                                           {"path": "sub/name", "fieldRef": {"fieldPath": "metadata.name"}, "mode": 256}]}}]}}]))
    c = node.running("main")
    assert node.exec(c, "cat", "/i/labels") == 'a="1"\nb="2"'
    assert node.exec(c, "cat", "/p/sub/name") == f"da-{node.name}"
    assert node.exec(c, "stat", "-L", "-c", "%a", "/p/sub/name").strip() == "400"
    assert "..data" in node.exec(c, "ls", "-a", "/p")


def test_sub_path_and_expr(node):
    node.write("sp.yaml", pod("sp", {"command": ["sleep", "1000"], "env": [{"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                                     "volumeMounts": mounts(("d", "/a", {"subPath": "x/y"}), ("d", "/b", {"subPathExpr": "$(N)"}), ("d", "/all", {}))},
                              volumes=[{"name": "d", "emptyDir": {}}]))
    c = node.running("main")
    node.exec(c, "touch", "/a/f", "/b/g")
    assert node.exec(c, "ls", "/all/x/y").strip() == "f"
    assert node.exec(c, "ls", f"/all/sp-{node.name}").strip() == "g"


def test_sub_path_symlink_does_not_leave_the_volume(node, tmp_path):
    (tmp_path / "secret").write_text("secret")
    os.makedirs(tmp_path / "vol")
    os.symlink("/etc", tmp_path / "vol/out")
    os.symlink("../secret", tmp_path / "vol/up")
    for sub in ("out", "up"):
        node.write(f"{sub}.yaml", pod(sub, {"name": sub, "command": ["sleep", "1000"], "volumeMounts": mounts(("v", "/v", {"subPath": sub}))},
                                      volumes=[{"name": "v", "hostPath": {"path": str(tmp_path / "vol")}}]))
    wait_for("answers", lambda: all(node.container(s) or [line for line in node.log().splitlines() if f"{s}-{node.name}" in line and "subPath" in line]
                                    for s in ("out", "up")))
    for sub in ("out", "up"):
        c = node.container(sub, "running")
        if c:
            assert "secret" not in node.exec(c, "sh", "-c", "cat /v 2>/dev/null; ls /v")
            assert "debian_version" not in node.exec(c, "ls", "/v")


def test_image_volume(node):
    node.write("iv.yaml", pod("iv", {"command": ["sleep", "1000"], "volumeMounts": mounts(("i", "/i", {}))},
                              volumes=[{"name": "i", "image": {"reference": "localhost/busybox:test", "pullPolicy": "Never"}}]))
    c = node.running("main")
    assert "busybox" in node.exec(c, "ls", "/i/bin")
    assert "Read-only" in node.exec(c, "touch", "/i/x", check=False).stderr


def test_image_volume_of_several_layers(node, tmp_path):
    import oci
    archive = str(tmp_path / "layers.tar")
    top = oci.Layer()
    top.directory("data/deep")
    top.file("data/deep/file", b"from above\n")
    oci.Image([oci.busybox_layer(), top.tar()]).write_docker_archive(archive, "localhost/layers:test")
    node.nacelle("import", archive)
    node.write("il.yaml", pod("il", {"command": ["sleep", "1000"], "env": [{"name": "N", "value": "deep"}],
                                   "volumeMounts": mounts(("i", "/i", {}), ("i", "/part", {"subPath": "data/deep"}), ("i", "/named", {"subPathExpr": "data/$(N)"}),
                                                          ("i", "/one", {"subPath": "data/deep/file"}))},
                              volumes=[{"name": "i", "image": {"reference": "localhost/layers:test", "pullPolicy": "Never"}}]))
    c = node.running("main")
    assert "busybox" in node.exec(c, "ls", "/i/bin") and node.exec(c, "cat", "/i/data/deep/file", "/part/file", "/named/file", "/one") == "from above\n" * 4
    for path in ("/i/x", "/part/x", "/named/x", "/one"):
        assert "Read-only" in node.exec(c, "sh", "-c", f"echo > {path}", check=False).stderr


def test_an_image_volume_that_is_not_there_is_named(node):
    """And not the container's own image."""
    image = "127.0.0.1:1/none:1"
    node.write("in.yaml", pod("in", {"command": ["true"], "volumeMounts": mounts(("i", "/i", {}))}, volumes=[{"name": "i", "image": {"reference": image}}]))
    state = wait_for("back-off", lambda: [w for c in node.status("in").get("containerStatuses", []) for w in [c["state"].get("waiting", {})] if w.get("reason") == "ImagePullBackOff"])
    assert f'Back-off pulling image "{image}"' in state[0]["message"]
    told = [line for line in node.log().splitlines() if "pod default/in-" in line and image in line]
    assert {"Pulling", "Failed", "BackOff"} <= {line.split(f"in-{node.name}: ")[1].split(":")[0] for line in told}, told


GOOD, BAD = True, False


def test_all_types_of_host_paths(node, tmp_path):
    """Each type with what it is and with what it is not."""
    (tmp_path / "dir").mkdir()
    (tmp_path / "file").write_text("x")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "socket"))
    os.mknod(tmp_path / "block", 0o600 | stat.S_IFBLK, os.makedev(7, 250))
    cases = [("", "dir", GOOD), ("", "file", GOOD), ("Directory", "dir", GOOD), ("Directory", "file", BAD), ("Directory", "none", BAD),
             ("DirectoryOrCreate", "made", GOOD), ("DirectoryOrCreate", "file", BAD), ("File", "file", GOOD), ("File", "dir", BAD), ("File", "none", BAD),
             ("FileOrCreate", "made-file", GOOD), ("FileOrCreate", "dir", BAD), ("Socket", "socket", GOOD), ("Socket", "file", BAD),
             ("CharDevice", "/dev/null", GOOD), ("CharDevice", "block", BAD), ("BlockDevice", "block", GOOD), ("BlockDevice", "/dev/null", BAD)]
    for i, (kind, path, _) in enumerate(cases):
        node.write(f"h{i}.yaml", pod(f"h{i}", {"name": f"h{i}", "command": ["sleep", "1000"], "volumeMounts": mounts(("v", "/v", {}))},
                                     volumes=[{"name": "v", "hostPath": {"path": str(tmp_path / path), "type": kind}}]))
    for i, (kind, path, good) in enumerate(cases):
        if good:
            node.running(f"h{i}")
        else:
            wait_for(f"refusal of {path} as {kind}", lambda: [line for line in node.log().splitlines() if f"/h{i}-{node.name}: FailedMount" in line and str(tmp_path / path) in line])
            assert node.container(f"h{i}", "running") is None
    assert (tmp_path / "made").is_dir() and (tmp_path / "made-file").is_file()
    listening.close()


def test_size_limit_of_an_empty_dir_on_disk(node):
    node.write("fat.yaml", pod("fat", {"command": ["sh", "-c", "head -c 5000000 /dev/zero > /d/big; sleep 1000"], "volumeMounts": mounts(("d", "/d", {}))},
                               volumes=[{"name": "d", "emptyDir": {"sizeLimit": "1Mi"}}]))
    wait_for("Evicted", lambda: node.status("fat").get("reason") == "Evicted", 40)
    status = node.status("fat")
    assert status["phase"] == "Failed" and status["message"] == 'Usage of EmptyDir volume "d" exceeds the limit "1Mi". '


def test_propagation(node, tmp_path):
    """HostToContainer sees the host's later mounts, Bidirectional gives them back as well, None neither."""
    subprocess.run(["mount", "-t", "tmpfs", "shared", tmp_path], check=True)
    try:
        subprocess.run(["mount", "--make-rshared", tmp_path], check=True)
        (tmp_path / "host").mkdir()
        (tmp_path / "pod").mkdir()
        kinds = {"none": "None", "slave": "HostToContainer", "shared": "Bidirectional"}
        node.write("prop.yaml", pod("prop", *({"name": name, "command": ["sleep", "1000"], "securityContext": {"privileged": True},
                                               "volumeMounts": mounts(("v", "/v", {"mountPropagation": kind}))} for name, kind in kinds.items()),
                                    volumes=[{"name": "v", "hostPath": {"path": str(tmp_path)}}]))
        made = {name: node.running(name) for name in kinds}
        subprocess.run(["mount", "-t", "tmpfs", "seen", tmp_path / "host"], check=True)
        seen = {name: "/v/host" in node.exec(c, "cat", "/proc/mounts") for name, c in made.items()}
        assert seen == {"none": False, "slave": True, "shared": True}
        for name in ("none", "slave"):
            node.exec(made[name], "mount", "-t", "tmpfs", "own", "/v/pod")
            assert str(tmp_path / "pod") not in open("/proc/mounts").read()
        node.exec(made["shared"], "mount", "-t", "tmpfs", "given", "/v/pod")
        assert str(tmp_path / "pod") in open("/proc/mounts").read()
        node.remove("prop.yaml")
        wait_for("no pods", lambda: not node.pods())
    finally:
        subprocess.run(["umount", "-R", "-l", tmp_path], check=True)


def test_recursive_read_only(node, tmp_path):
    (tmp_path / "below").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "below", tmp_path / "below"], check=True)
    try:
        node.write("rro.yaml", pod("rro", {"name": "plain", "command": ["sleep", "1000"], "volumeMounts": mounts(("v", "/v", {"readOnly": True}))},
                                   {"name": "deep", "command": ["sleep", "1000"], "volumeMounts": mounts(("v", "/v", {"readOnly": True, "recursiveReadOnly": "Enabled"}))},
                                   volumes=[{"name": "v", "hostPath": {"path": str(tmp_path)}}]))
        plain, deep = node.running("plain"), node.running("deep")
        assert "Read-only" in node.exec(plain, "touch", "/v/x", check=False).stderr
        node.exec(plain, "touch", "/v/below/x")
        assert "Read-only" in node.exec(deep, "touch", "/v/below/y", check=False).stderr
        node.remove("rro.yaml")
        wait_for("no pods", lambda: not node.pods())
    finally:
        subprocess.run(["umount", "-l", tmp_path / "below"], check=True)
