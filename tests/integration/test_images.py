"""Images: pull from a real registry, import, hostile content refused, collection."""
import json
import os
import subprocess
import tarfile

import oci
import pytest

from support.node import pod, wait_for
from support.registry import Registry
from support.site import Site, serve_layout


def small(*entries, **config):
    layer = oci.Layer()
    for e in entries:
        e(layer)
    return oci.Image([oci.busybox_layer(), layer.tar()], Cmd=["sh"], **config)


@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
def test_pull_and_run(node, registry, compression):
    image = oci.Image([oci.busybox_layer(), oci.Layer().file("made/by", compression).tar()], compression, Cmd=["sh"])
    ref = registry.push(image, f"pull/{compression}:1")
    node.crictl("pull", ref)
    node.write("p.yaml", pod("p", {"image": ref, "command": ["sh", "-c", "cat /made/by; echo; sleep 1000"]}))
    c = node.running("main")
    wait_for("log", lambda: node.crictl("logs", c["id"]) == compression + "\n")


def test_pull_by_digest_and_index(node, registry):
    ref = registry.push(small(), "by/digest:1")
    digest = json.loads(subprocess.check_output(["skopeo", "inspect", "--tls-verify=false", "docker://" + ref]))["Digest"]
    node.crictl("pull", f"{registry.host}/by/digest@{digest}")
    assert digest in node.crictl("images", "--digests", "--no-trunc")


def test_layer_rules(node, registry):
    lower = oci.Layer().directory("d").file("d/gone", "x").directory("o").file("o/hidden", "x").file("keep", "k")
    upper = (oci.Layer().file("d/.wh.gone").file("o/.wh..wh..opq").file("o/shown", "y").file("d/target", "t").hardlink("d/link", "d/target")
             .entry("dev/mynull", type=tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666)
             .entry("d/fifo", type=tarfile.FIFOTYPE)
             .file("n" * 200 + "/" + "m" * 200, "long").file("odd \n name", "odd")
             .entry("xattr", b"x", pax_headers={"SCHILY.xattr.user.test": "value"}))
    ref = registry.push(oci.Image([oci.busybox_layer(), lower.tar(), upper.tar()], Cmd=["sh"]), "layer/rules:1")
    node.crictl("pull", ref)
    node.write("r.yaml", pod("r", {"image": ref, "command": ["sleep", "1000"]}))
    c = node.running("main")
    assert sorted(node.exec(c, "ls", "/d").split()) == ["fifo", "link", "target"]
    assert node.exec(c, "ls", "/o").split() == ["shown"]
    assert node.exec(c, "stat", "-c", "%h", "/d/link").strip() == "2"
    assert node.exec(c, "cat", "/" + "n" * 200 + "/" + "m" * 200) == "long"
    assert node.exec(c, "cat", "/odd \n name") == "odd"
    assert node.exec(c, "stat", "-c", "%F %t", "/dev/mynull", check=False) is not None


@pytest.mark.parametrize("name,entry", [
    ("dotdot", lambda l: l.file("../../escape", "x")),
    ("through-link", lambda l: l.symlink("out", "/").file("out/tmp/nacelle-escape", "x")),
    ("hardlink-out", lambda l: l.hardlink("h", "../../../../etc/passwd")),
])
def test_hostile_layers_do_not_escape(node, registry, name, entry):
    ref = registry.push(small(entry), f"hostile/{name}:1")
    node.crictl("pull", ref, check=False)
    assert not os.path.exists("/tmp/nacelle-escape") and not os.path.exists(node.root + "/escape")
    for top, _, names in os.walk(node.root):
        assert "escape" not in names or "/layers/" in top or "/images/" in top


def test_corrupt_layer_is_refused_and_leaves_nothing(node, registry):
    image = small(lambda l: l.file("payload", os.urandom(100000)))
    ref = registry.push(image, "corrupt/layer:1")
    manifest = json.loads(subprocess.check_output(["skopeo", "inspect", "--raw", "--tls-verify=false", "docker://" + ref]))
    path = registry.blob_path(manifest["layers"][-1]["digest"])
    data = bytearray(open(path, "rb").read())
    data[len(data) // 2] ^= 0xFF
    open(path, "wb").write(data)
    out = node.crictl("pull", ref, check=False)
    assert out.returncode != 0 and ("digest" in out.stderr or "corrupt" in out.stderr or "gzip" in out.stderr)
    assert ref not in node.crictl("images")
    open(path, "wb").write(data[: len(data) // 3])
    assert node.crictl("pull", ref, check=False).returncode != 0


def test_unknown_image_and_wrong_architecture(node, registry):
    out = node.crictl("pull", f"{registry.host}/none/such:1", check=False)
    assert out.returncode != 0 and "none/such" in out.stderr
    ref = registry.push(oci.Image([oci.busybox_layer()], arch="s390x", Cmd=["sh"]), "arch/wrong:1")
    out = node.crictl("pull", ref, check=False)
    assert out.returncode != 0 and "s390x" in out.stderr


def test_imports(node, tmp_path):
    image = oci.Image([oci.busybox_layer()], Cmd=["sh"], Labels={"n": "1"})
    image.write_layout(str(tmp_path / "layout"), "localhost/layout:1")
    node.nacelle("import", str(tmp_path / "layout"))
    oci.Image([oci.busybox_layer()], Cmd=["sh"], Labels={"n": "2"}).write_layout(str(tmp_path / "l2"), "localhost/archive:1")
    oci.pack_layout(str(tmp_path / "l2"), str(tmp_path / "a.tar"))
    node.nacelle("import", str(tmp_path / "a.tar"))
    listed = node.nacelle("images")
    assert "localhost/layout" in listed and "localhost/archive" in listed


def test_basic_auth(node):
    import crypt
    htpasswd = "me:" + crypt.crypt("secret", crypt.mksalt(crypt.METHOD_BLOWFISH))
    r = Registry(auth=htpasswd)
    try:
        ref = r.push(oci.Image([oci.busybox_layer()], Cmd=["sh"]), "private/x:1", "me:secret")
        assert node.crictl("pull", ref, check=False).returncode != 0
        node.crictl("pull", "--creds", "me:secret", ref)
        assert node.crictl("pull", "--creds", "me:wrong", ref.replace("x:1", "y:1"), check=False).returncode != 0
    finally:
        r.stop()


def test_remove_frees_layers(node, registry):
    marker = os.urandom(200000)
    ref = registry.push(small(lambda l: l.file("marker", marker)), "gc/x:1")
    before = _usage(node)
    node.crictl("pull", ref)
    assert _usage(node) > before + 200000
    node.crictl("rmi", ref)
    wait_for("space to come back", lambda: _usage(node) < before + 100000)


def _usage(node):
    return int(subprocess.check_output(["du", "-sb", node.root + "/images"], text=True).split()[0])


def test_pull_backoff_is_reported(node):
    node.write("no.yaml", pod("no", {"image": "127.0.0.1:1/none:1", "imagePullPolicy": "Always", "command": ["true"]}))
    wait_for("ErrImagePull or ImagePullBackOff", lambda: (node.status("no").get("containerStatuses") or [{}])[0].get("state", {}).get("waiting", {}).get("reason") in ("ErrImagePull", "ImagePullBackOff"))
    node.write("never.yaml", pod("never", {"image": "localhost/absent:1", "imagePullPolicy": "Never", "command": ["true"]}))
    wait_for("ErrImageNeverPull", lambda: (node.status("never").get("containerStatuses") or [{}])[0].get("state", {}).get("waiting", {}).get("reason") == "ErrImageNeverPull")


@pytest.mark.parametrize("damage", ["config {", "config []", 'config {"config":{"User":0}}', 'config {"rootfs":{"diff_ids":["x"]}}', "manifest {", "manifest []"])
def test_a_damaged_image_is_no_invalid_name(node, tmp_path, damage):
    """The reason says whether the manifest of the pod is at fault, or what the registry serves."""
    what, text = damage.split(" ", 1)
    image = oci.Image([oci.busybox_layer()])
    if what == "config":
        image.config = text.encode()
    image.write_layout(str(tmp_path), "x")
    served = serve_layout(str(tmp_path))
    site = Site(lambda r: (200, {}, text.encode()) if what == "manifest" else served(r))
    try:
        node.write("d.yaml", pod("damaged", {"image": site.host + "/x:1", "imagePullPolicy": "IfNotPresent", "command": ["true"]}))
        waiting = wait_for("the reason", lambda: (node.status("damaged").get("containerStatuses") or [{}])[0].get("state", {}).get("waiting", {}))
        waiting = wait_for("the pull's", lambda: (w := node.status("damaged")["containerStatuses"][0]["state"]["waiting"]).get("message") and w)
        assert waiting["reason"] in ("ErrImagePull", "ImagePullBackOff") and f"{what}: " in waiting["message"], waiting
    finally:
        node.remove("d.yaml")
        site.stop()


X, Y, EMPTY = (oci.Layer().directory("d", 0o750).file("d/x", "x").file("d/.wh.y").file("both", "x").tar(),
               oci.Layer().directory("d").file("d/y", "y").file("d/.wh.x").file("both", "y").tar(), oci.Layer().tar())


@pytest.mark.parametrize("layers,sees", [
    ([X, X], "x x"), ([X, Y, X], "x x"), ([Y, X, Y, X, Y], "y y"), ([EMPTY, EMPTY], ""), ([X, EMPTY, Y, EMPTY], "y y"), ([X] * 60 + [Y, EMPTY] * 33, "y y")],
    ids=["X X", "X y X", "many", "empty", "empty between", "127"])
def test_the_same_layer_twice(node, tmp_path, layers, sees):
    """The topmost counts: as an image, and as a volume."""
    image = oci.Image([oci.busybox_layer()] + layers, Cmd=["sh"])
    image.write_docker_archive(str(tmp_path / "a.tar"), "localhost/twice:test")
    node.nacelle("import", str(tmp_path / "a.tar"))
    node.write("t.yaml", pod("t", {"image": "localhost/twice:test", "command": ["sh", "-c", "touch /written; sleep 1000"], "volumeMounts": [{"name": "v", "mountPath": "/v"}]},
                             volumes=[{"name": "v", "image": {"reference": "localhost/twice:test", "pullPolicy": "Never"}}]))
    c = node.running("main")
    for root in ("", "/v"):
        assert node.exec(c, "sh", "-c", f"cd {root}/; cat both d/* 2>/dev/null | sed 's/./& /g'").split() == sees.split(), root


@pytest.mark.parametrize("layers", [1, 2])
def test_an_image_volume_shows_no_whiteouts(node, tmp_path, layers):
    """Of one layer too, where there is nothing below it; parts of it as well."""
    top = oci.Layer().file("a/file", "x").file("a/.wh.gone").file(".wh.root").file("a/b/.wh..wh..opq").file("a/b/c", "y")
    oci.Image([oci.Layer().file("base").tar()] * (layers - 1) + [top.tar()]).write_docker_archive(str(tmp_path / "a.tar"), "localhost/whiteouts:test")
    node.nacelle("import", str(tmp_path / "a.tar"))
    node.write("w.yaml", pod("w", {"command": ["sleep", "1000"], "volumeMounts": [{"name": "v", "mountPath": "/v"}, {"name": "v", "mountPath": "/part", "subPath": "a"}]},
                             volumes=[{"name": "v", "image": {"reference": "localhost/whiteouts:test", "pullPolicy": "Never"}}]))
    c = node.running("main")
    assert node.exec(c, "sh", "-c", "cd /v; find . | sort").split() == [".", "./a", "./a/b", "./a/b/c", "./a/file"] + ["./base"] * (layers - 1)
    assert node.exec(c, "sh", "-c", "cd /part; find . | sort").split() == [".", "./b", "./b/c", "./file"]
    assert "Read-only" in node.exec(c, "touch", "/v/x", check=False).stderr
