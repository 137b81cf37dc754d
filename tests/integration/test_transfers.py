"""nacelle-image by itself: registries that misbehave, resuming, credentials, hostile layers, interrupted pulls."""
import json
import os
import random
import signal
import subprocess
import tarfile
import time

import oci
import pytest

from support.fake_registry import FakeRegistry
from support.node import BUILD
from support.registry import Registry

RNG = random.Random(1)


class Store:
    def __init__(self, root):
        self.root = str(root)

    def run(self, kind, *args, check=True, env=None, **kwargs):
        p = subprocess.run([BUILD + "/nacelle-image", kind, "--root", self.root, *args], text=True, capture_output=True,
                           timeout=120, env=dict(os.environ, **(env or {})), **kwargs)
        if check:
            assert p.returncode == 0, p.stderr
        return p

    def names(self, part):
        return sorted(os.listdir(f"{self.root}/images/{part}"))

    def file(self, image, path):
        """The bytes of a file in the topmost layer of an oci.Image."""
        diff = oci.digest(image.layers[-1])[7:]
        return open(f"{self.root}/images/layers/{diff}/fs/{path}", "rb").read()

    def assert_empty(self):
        for part in ("layers", "refs", "ingest", "blobs/sha256", "broken"):
            assert self.names(part) == [], part


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "root")


@pytest.fixture(scope="module")
def image():
    """Three layers that do not compress, so that offsets are worth something."""
    layers = [oci.Layer().file(f"part{i}", RNG.randbytes(300000)).tar() for i in range(3)]
    return oci.Image(layers, Cmd=["sh"])


@pytest.fixture
def fake(image, tmp_path):
    made = []

    def make(**kwargs):
        image.write_layout(str(tmp_path / "layout"), "x")
        made.append(FakeRegistry(str(tmp_path / "layout"), **kwargs))
        return made[-1]

    yield make
    for f in made:
        f.stop()


@pytest.mark.parametrize("ranges", [True, False])
def test_cut_connections_are_resumed(store, fake, image, ranges):
    f = fake(cut=100000, ranges=ranges)
    if not ranges:  # then each try begins anew and only gets as far as the cut
        f.cut = None
        f.fail = 2
    store.run("pull", f.host + "/any/name:1")
    assert store.file(image, "part2") == image_file(image, 2)
    if ranges:
        asked = [h["Range"] for p, h in f.requests if "Range" in h]
        assert "bytes=100000-" in asked


def image_file(image, i):
    import io
    return tarfile.open(fileobj=io.BytesIO(image.layers[i])).extractfile(f"part{i}").read()


def test_busy_server_is_tried_again(store, fake):
    f = fake(fail=4)
    store.run("pull", f.host + "/any/name:1")


def test_killed_pull_resumes_by_range(store, fake, image):
    f = fake(cut=150000)
    command = [BUILD + "/nacelle-image", "pull", "--root", store.root, f.host + "/any/name:1"]
    f.ranges, f.cut = True, 150000
    p = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if any(os.path.getsize(f"{store.root}/images/ingest/{n}") >= 150000 for n in store.names("ingest") if len(n) == 64):
                break
        except OSError:
            pass
    p.kill()
    p.wait()
    assert store.names("refs") == []
    f.cut = None
    del f.requests[:]
    store.run("pull", f.host + "/any/name:1")
    assert any("Range" in h for _, h in f.requests)
    assert store.file(image, "part2") == image_file(image, 2)
    assert store.names("ingest") == []


def test_damaged_partial_blob_is_fetched_anew(store, fake, image):
    f = fake()
    blob = image.blobs()[2][1]
    os.makedirs(store.root + "/images/ingest")
    with open(f"{store.root}/images/ingest/{oci.digest(blob)[7:]}", "wb") as out:
        out.write(b"\0" * 5000)
    store.run("pull", f.host + "/any/name:1")
    assert store.names("ingest") == []


def test_wrong_digest_leaves_nothing(store, fake, image):
    bad = oci.digest(image.blobs()[3][1])
    f = fake(corrupt=bad)
    p = store.run("pull", f.host + "/any/name:1", check=False)
    assert p.returncode != 0 and ("must be " + bad in p.stderr or "damaged gzip data" in p.stderr)
    assert bad[7:] not in store.names("ingest") + store.names("blobs/sha256")
    assert store.names("refs") == [] and not [n for n in store.names("ingest") if not len(n) == 64]


def test_missing_blob(store, fake, image, tmp_path):
    f = fake()
    os.unlink(f"{tmp_path}/layout/blobs/sha256/{oci.digest(image.blobs()[4][1])[7:]}")
    p = store.run("pull", f.host + "/any/name:1", check=False)
    assert p.returncode != 0 and "BLOB_UNKNOWN" in p.stderr


@pytest.mark.parametrize("token,given,works", [
    ("", None, True), ("user:pass", "user:pass", True), ("user:pass", "user:wrong", False), ("user:pass", None, False)])
def test_bearer_tokens(store, fake, token, given, works):
    f = fake(token=token)
    env = {"NACELLE_REGISTRY_AUTH": given} if given else {}
    p = store.run("pull", f.host + "/any/name:1", check=works, env=env)
    assert works or "401" in p.stderr
    asked = [path for path, _ in f.requests if path.startswith("/token")][0]
    assert "service=fake%2C%20with%20comma" in asked and "scope=repository%3Ax%3Apull" in asked


def test_identity_token_from_docker_config(store, fake, tmp_path):
    f = fake(refresh="refresh-me")
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"auths": {f.host: {"identitytoken": "refresh-me"}}}))
    store.run("pull", "--docker-config", str(config), f.host + "/any/name:1")
    assert any("grant_type=refresh_token" in path for path, _ in f.requests)


def test_mirrors_rewrites_and_fall_back(store, fake, tmp_path):
    down, good = fake(), fake()
    down.stop()
    config = tmp_path / "registries.yaml"
    config.write_text(f"""
mirrors:
  registry.test:
    endpoint: ["http://{down.host}", "http://{good.host}"]
    rewrite: {{"^team/(.*)": "mirror/$1"}}
""")
    store.run("pull", "--registries", str(config), "registry.test/team/app:1")
    assert any(path == "/v2/mirror/app/manifests/1?ns=registry.test" for path, _ in good.requests)
    hosts = tmp_path / "certs.d" / "_default"
    hosts.mkdir(parents=True)
    (hosts / "hosts.toml").write_text(f"""
server = "http://{down.host}"
[host."http://{good.host}/prefix"]
  capabilities = ["pull", "resolve"]
  [host."http://{good.host}/prefix".header]
    x-extra = "yes"
""")
    store.run("pull", "--hosts-dir", str(tmp_path / "certs.d"), "other.test/app:1")
    assert any(path.startswith("/prefix/v2/app/manifests/1") and h.get("x-extra") == "yes" for path, h in good.requests)


@pytest.mark.parametrize("text,says", [
    ("mirrors:\n  a.test:\n    endpoint: [1]\n", "endpoint[0] is a number"),
    ("mirrors: [\n", "registries.yaml:"),
    ("mirrors:\n  a.test:\n    endpoint: ['ftp://x']\n", "is no URL of http or https"),
    ("mirrors:\n  a.test:\n    endpoint: ['http://x']\n    rewrite: {'(': x}\n", "no regular expression")])
def test_broken_configuration_is_named(store, tmp_path, text, says):
    config = tmp_path / "registries.yaml"
    config.write_text(text)
    p = store.run("pull", "--registries", str(config), "a.test/b:1", check=False)
    assert p.returncode != 0 and says in p.stderr


def make_certificates(d):
    def run(*args):
        subprocess.run(["openssl", *args], cwd=d, check=True, stderr=subprocess.DEVNULL)

    run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=test CA", "-days", "2")
    (d / "ext").write_text("subjectAltName=IP:127.0.0.1")
    for name in ("server", "client"):
        run("req", "-newkey", "rsa:2048", "-nodes", "-keyout", name + ".key", "-out", name + ".csr", "-subj", "/CN=" + name)
        run("x509", "-req", "-in", name + ".csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-out", name + ".crt",
            "-days", "2", "-extfile", "ext")


def test_private_ca(store, image, tmp_path):
    make_certificates(tmp_path)
    registry = Registry(tls=(str(tmp_path / "server.crt"), str(tmp_path / "server.key")))
    try:
        ref = registry.push(image, "tls/app:1")
        p = store.run("pull", ref, check=False)
        assert p.returncode != 0 and "certificate" in p.stderr
        config = tmp_path / "registries.yaml"
        config.write_text(f"configs: {{'{registry.host}': {{tls: {{ca_file: {tmp_path}/ca.crt}}}}}}")
        store.run("pull", "--registries", str(config), ref)
    finally:
        registry.stop()


def test_push_and_export_round_trip(store, registry, image, tmp_path):
    ref = registry.push(image, "round/trip:1")
    store.run("pull", ref)
    store.run("export", str(tmp_path / "out.tar"), ref)
    other = Store(tmp_path / "other")
    got = other.run("import", str(tmp_path / "out.tar")).stdout
    assert ref in got and oci.digest(image.config) in got
    subprocess.run(["skopeo", "inspect", f"docker-archive:{tmp_path}/out.tar"], check=True, stdout=subprocess.DEVNULL)
    image.write_layout(str(tmp_path / "layout2"), "x")
    other.run("import", "--reference", registry.host + "/pushed/app:2", str(tmp_path / "layout2"))
    other.run("push", registry.host + "/pushed/app:2")
    third = Store(tmp_path / "third")
    assert oci.digest(image.config) in third.run("pull", registry.host + "/pushed/app:2").stdout


HOSTILE = {
    "absolute hard link": (lambda l: l.hardlink("h", "/etc/shadow"), "is in no layer"),
    "dotdot hard link": (lambda l: l.hardlink("h", "../../../etc/shadow"), "is in no layer"),
    "loop": (lambda l: l.symlink("l", "m").symlink("m", "l").file("l/evil", b"x"), "more than 40 symbolic links"),
    "through a file": (lambda l: l.file("f", b"x").symlink("l", "f").file("l/evil", b"x"), "is no directory"),
    "hard link through link": (lambda l: l.symlink("l", "/etc").hardlink("h", "l/shadow"), "is in no layer"),
    "whiteout out": (lambda l: l.file("d/.wh...", b""), "a whiteout of nothing"),
    "entries": (lambda l: [l.file(f"f{i}", b"") for i in range(101)][0], "too many entries"),
    "size": (lambda l: l.file("big", b"\0" * 2000001), "too large together"),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_hostile_layers_are_refused_and_leave_nothing(store, tmp_path, name, compression):
    make, says = HOSTILE[name]
    layer = oci.Layer()
    make(layer)
    oci.Image([layer.tar()], compression).write_layout(str(tmp_path / "l"), "hostile:1")
    p = store.run("import", "--max-layer-bytes", "2000000", "--max-layer-entries", "100", str(tmp_path / "l"), check=False)
    assert p.returncode != 0 and says in p.stderr, p.stderr
    store.assert_empty()


@pytest.mark.parametrize("entries", [
    lambda l, out: l.file(f"a/../../../../../..{out}/evil", b"x"), lambda l, out: l.symlink("l", out).file("l/evil", b"x"),
    lambda l, out: l.directory("d").file("d/x", b"x").symlink("d", out).file("d/evil", b"x"), lambda l, out: l.symlink("l", "../" * 40 + out).hardlink("l/evil", "f").file("f", b"x"),
    lambda l, out: l.symlink("a", "b/evil").symlink("b", out).directory("a/x"), lambda l, out: l.symlink("l", out).file("l/.wh..wh..opq").file("l/.wh.kept")],
    ids=["names", "link", "swap", "hard link", "directory", "whiteout"])
def test_nothing_is_made_outside_of_a_layer(store, tmp_path, entries):
    """What leads out of the layer by its names and links ends within it."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "kept").write_text("")
    layer = oci.Layer()
    entries(layer, str(out))
    oci.Image([layer.tar()]).write_layout(str(tmp_path / "l"), "hostile:1")
    store.run("import", str(tmp_path / "l"))
    assert os.listdir(out) == ["kept"] and not [n for n in os.listdir(out / "..") if n == "evil"]


@pytest.mark.parametrize("damage", ["truncated", "flipped", "tail"])
@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
def test_damaged_archives(store, tmp_path, compression, damage):
    image = oci.Image([oci.Layer().file("f", RNG.randbytes(100000)).tar()], compression)
    image.write_layout(str(tmp_path / "l"), "x:1")
    path = f"{tmp_path}/l/blobs/sha256/{oci.digest(image.blobs()[2][1])[7:]}"
    data = bytearray(open(path, "rb").read())
    if damage == "truncated":
        del data[len(data) // 2:]
    elif damage == "flipped":
        data[len(data) // 2] ^= 0x55
    else:
        data += b"tail"
    open(path, "wb").write(data)
    p = store.run("import", str(tmp_path / "l"), check=False)
    assert p.returncode != 0
    store.assert_empty()


def test_wrong_architecture(store, tmp_path):
    oci.Image([oci.Layer().file("f", "x").tar()], arch="s390x").write_docker_archive(str(tmp_path / "a.tar"), "x:1")
    p = store.run("import", str(tmp_path / "a.tar"), check=False)
    assert p.returncode != 0 and "the image is for linux/s390x" in p.stderr


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b" + b"\0" * 100, b"\0" * 2048])
def test_no_archive(store, tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    p = store.run("import", str(tmp_path / "x"), check=False)
    assert p.returncode != 0 and str(tmp_path / "x") in p.stderr


def test_concurrent_pulls_do_the_work_once(store, fake):
    f = fake()
    command = [BUILD + "/nacelle-image", "pull", "--root", store.root]
    pulls = [subprocess.Popen(command + [f"{f.host}/any/name:{i}"], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
             for i in range(4)]
    assert [p.wait() for p in pulls] == [0, 0, 0, 0]
    blobs = [path for path, _ in f.requests if "/blobs/" in path]
    assert len(blobs) == 3 + 4  # each layer once; the config, which is small, by each
    assert store.names("ingest") == []


def test_killed_at_any_moment(store, fake, image):
    f = fake()
    command = [BUILD + "/nacelle-image", "pull", "--root", store.root, f.host + "/any/name:1"]
    for i in range(30):
        p = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        time.sleep(RNG.random() * 0.03)
        p.send_signal(signal.SIGKILL)
        p.wait()
        subprocess.run(["rm", "-rf", store.root + "/images/refs"]) if i % 10 == 9 else None
    store.run("pull", f.host + "/any/name:1")
    assert store.file(image, "part2") == image_file(image, 2)
    assert store.names("ingest") == []
    assert len(store.names("layers")) == 3


def test_full_disk_and_again(fake, tmp_path, image):
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small], check=True)
    try:
        store = Store(small)
        f = fake()
        p = store.run("pull", f.host + "/any/name:1", check=False)
        assert p.returncode != 0 and "No space left on device" in p.stderr
        assert store.names("refs") == []
        subprocess.run(["mount", "-o", "remount,size=16m", small], check=True)
        store.run("pull", f.host + "/any/name:1")
        assert store.file(image, "part2") == image_file(image, 2)
    finally:
        subprocess.run(["umount", small], check=True)


def test_hard_link_into_a_lower_layer(store, tmp_path):
    below = oci.Layer().directory("d", 0o711).file("d/tool", b"tool", 0o4755, 5, 6)
    above = oci.Layer().hardlink("d/link", "d/tool").file("implied/x", b"x")
    image = oci.Image([below.tar(), above.tar()])
    image.write_layout(str(tmp_path / "l"), "linked:1")
    store.run("import", str(tmp_path / "l"))
    top = f"{store.root}/images/layers/{oci.digest(image.layers[1])[7:]}.{oci.digest(image.config)[7:]}/fs"
    st = os.stat(top + "/d/link")
    assert (st.st_nlink, oct(st.st_mode & 0o7777), st.st_uid, st.st_gid) == (2, "0o4755", 5, 6)
    assert os.stat(top + "/d").st_mode & 0o777 == 0o711


def test_repeated_and_empty_layers(store, registry, tmp_path):
    a, b, empty = oci.Layer().file("a", b"a").tar(), oci.Layer().file("b", b"b").tar(), oci.Layer().tar()
    image = oci.Image([a, b, a, empty, empty])
    ref = registry.push(image, "repeated/layers:1")
    assert oci.digest(image.config) in store.run("pull", ref).stdout
    assert len(store.names("layers")) == 3
    store.run("export", str(tmp_path / "out.tar"), ref)
    other = Store(tmp_path / "other")
    assert oci.digest(image.config) in other.run("import", str(tmp_path / "out.tar")).stdout


def test_a_repeated_layer_that_needs_those_below(store, tmp_path):
    """What it implies is as its topmost place has it; its links are there for the layers between."""
    base = oci.Layer().directory("d", 0o711).file("tool", b"tool", 0o4755, 5, 6)
    x = oci.Layer().file("d/x", b"x").hardlink("link", "tool")
    y = oci.Layer().directory("d", 0o700, 7, 7).hardlink("another", "link")
    image = oci.Image([base.tar(), x.tar(), y.tar(), x.tar()])
    image.write_layout(str(tmp_path / "l"), "needs:1")
    store.run("import", str(tmp_path / "l"))
    top = f"{store.root}/images/layers/{oci.digest(image.layers[1])[7:]}.{oci.digest(image.config)[7:]}/fs"
    st = os.stat(top + "/d")
    assert (st.st_mode & 0o777, st.st_uid) == (0o700, 7) and os.stat(top + "/link").st_uid == 5
    assert len(store.names("layers")) == 3


SKIPPABLE = [bytes([0x50 + kind]) + b"\x2a\x4d\x18\x03\0\0\0abc" for kind in range(16)]


def zstd(data):
    return subprocess.run(["zstd", "-q", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout


def pzstd(data):
    return subprocess.run(["pzstd", "-q", "-c", "-p", "2"], input=data, stdout=subprocess.PIPE, check=True).stdout


@pytest.mark.parametrize("compress", [lambda d: SKIPPABLE[0] + zstd(d), lambda d: b"".join(SKIPPABLE) + zstd(d), lambda d: SKIPPABLE[15] + zstd(d) + SKIPPABLE[7], pzstd],
                         ids=["first", "all kinds", "last kind", "pzstd"])
@pytest.mark.parametrize("what", ["layer", "archive", "layer in an archive"])
def test_skippable_frames(store, tmp_path, what, compress):
    image = oci.Image([oci.Layer().file("part0", RNG.randbytes(300000)).tar()])
    if what == "layer":
        layer = ("application/vnd.oci.image.layer.v1.tar+zstd", compress(image.layers[0]))
        manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": [oci.descriptor(*layer)],
                    "config": oci.descriptor("application/vnd.oci.image.config.v1+json", image.config)}
        all_blobs = [(manifest["mediaType"], json.dumps(manifest).encode()), ("application/vnd.oci.image.config.v1+json", image.config), layer]
        image.blobs = lambda: all_blobs
        image.write_layout(str(tmp_path / "a"), "x:1")
    else:
        image.write_docker_archive(str(tmp_path / "plain"), "localhost/x:1")
        data = (tmp_path / "plain").read_bytes()
        if what == "layer in an archive":
            out, old = oci.Layer(), tarfile.open(tmp_path / "plain")
            for m in old:
                content = old.extractfile(m).read()
                out.file(m.name, compress(content) if m.name.endswith("layer.tar") else content)
            data = out.tar()
        (tmp_path / "a").write_bytes(compress(data) if what == "archive" else data)
    store.run("import", str(tmp_path / "a"))
    assert store.file(image, "part0") == image_file(image, 0)


@pytest.mark.parametrize("program,says", [("xz", "xz compression is not supported; gzip, zstd and none are"), ("bzip2", "bzip2 compression is not supported"),
                                          ("lz4", "lz4 compression is not supported"), ("lzip", "lzip compression is not supported")])
@pytest.mark.parametrize("what", ["archive", "layer in an archive"])
def test_compressions_that_are_not_supported(store, tmp_path, program, says, what):
    magic = {"lz4": b"\x04\x22\x4d\x18" + b"a" * 600, "lzip": b"LZIP\x01" + b"a" * 600}
    image = oci.Image([oci.Layer().file("f", b"x").tar()])
    out = oci.Layer()
    packed = magic.get(program) or subprocess.run([program, "-c"], input=image.layers[0], stdout=subprocess.PIPE, check=True).stdout
    out.file("layer.tar", packed).file("c.json", image.config).file("manifest.json", json.dumps([{"Config": "c.json", "RepoTags": ["x:1"], "Layers": ["layer.tar"]}]))
    (tmp_path / "a").write_bytes(packed if what == "archive" else out.tar())
    p = store.run("import", str(tmp_path / "a"), check=False)
    assert p.returncode != 0 and says in p.stderr, p.stderr
    store.assert_empty()


def docker_archive(path, image, members, layers):
    """A docker save archive whose layers are found by the entries in `members`: functions of an oci.Layer."""
    out = oci.Layer()
    for member in members:
        member(out)
    out.file("config.json", image.config)
    out.file("manifest.json", json.dumps([{"Config": "config.json", "RepoTags": ["localhost/linked:1"], "Layers": layers}]))
    path.write_bytes(out.tar())


@pytest.mark.parametrize("members,layer", [
    (lambda t: [lambda l: l.file("one/layer.tar", t), lambda l: l.symlink("two/layer.tar", "../one/layer.tar")], "two/layer.tar"),
    (lambda t: [lambda l: l.symlink("a/b/c/layer.tar", "../../../x/y/layer.tar"), lambda l: l.file("x/y/layer.tar", t)], "a/b/c/layer.tar"),
    (lambda t: [lambda l: l.symlink("3/layer.tar", "../2/layer.tar"), lambda l: l.symlink("2/layer.tar", "../1/layer.tar"), lambda l: l.file("1/layer.tar", t)], "3/layer.tar"),
    (lambda t: [lambda l: l.file("real/layer.tar", t), lambda l: l.symlink("dir", "real")], "dir/layer.tar"),
    (lambda t: [lambda l: l.file("real/layer.tar", t), lambda l: l.symlink("a/dir", "../real"), lambda l: l.symlink("layer", "/a/dir/layer.tar")], "layer"),
    (lambda t: [lambda l: l.file("a/layer.tar", t), lambda l: l.hardlink("b/c/layer.tar", "a/layer.tar")], "b/c/layer.tar"),
    (lambda t: [lambda l: l.file("a/layer.tar", t), lambda l: l.hardlink("b", "a/layer.tar"), lambda l: l.symlink("c/d/layer.tar", "../../../../b")], "./c/d/../d/layer.tar"),
    (lambda t: [lambda l: l.file("l.tar", b"an older one"), lambda l: l.file("l.tar", t)], "l.tar"),
    (lambda t: [lambda l: l.file("l0.tar", t)] + [(lambda i: lambda l: l.symlink(f"l{i}.tar", f"l{i - 1}.tar"))(i) for i in range(1, 41)], "l40.tar")],
    ids=["docker's", "up", "link to link", "directory", "absolute", "hard", "all", "twice", "as many as may be"])
def test_archives_with_links(store, tmp_path, members, layer):
    image = oci.Image([oci.Layer().file("f", b"found").tar()])
    docker_archive(tmp_path / "a.tar", image, members(image.layers[0]), [layer])
    store.run("import", str(tmp_path / "a.tar"))
    assert store.file(image, "f") == b"found"


@pytest.mark.parametrize("members,says", [
    ([lambda l: l.symlink("l.tar", "m.tar"), lambda l: l.symlink("m.tar", "l.tar")], "more than 40 links"), ([lambda l: l.symlink("l.tar", "none")], "the archive has no l.tar"),
    ([lambda l: l.symlink("l.tar", "/etc/passwd")], "the archive has no l.tar"), ([lambda l: l.symlink("l.tar", "../../../../etc/passwd")], "the archive has no l.tar"),
    ([lambda l: l.hardlink("l.tar", "l.tar")], "more than 40 links"),
    ([lambda l: l.symlink("l.tar", "l0"), lambda l: [l.symlink(f"l{i}", f"l{i + 1}") for i in range(40)], lambda l: l.file("l40", b"x")], "more than 40 links")])
def test_archives_with_links_to_nowhere(store, tmp_path, members, says):
    image = oci.Image([oci.Layer().file("f", b"found").tar()])
    docker_archive(tmp_path / "a.tar", image, members, ["l.tar"])
    p = store.run("import", str(tmp_path / "a.tar"), check=False)
    assert p.returncode != 0 and says in p.stderr, p.stderr
    store.assert_empty()
