"""Layers as others unpack them: what a container sees of an image, beside containerd and umoci."""
import os
import stat
import subprocess

import oci
import pytest

from support.containerd import Containerd
from test_transfers import Store


def layer(*entries):
    made = oci.Layer()
    for how, *args in entries:
        fields = args.pop() if isinstance(args[-1], dict) else {}
        getattr(made, how)(*args, **fields)
    return made.tar()


# Layers, lowest first; each is entries of oci.Layer.
CASES = {
    "relative": [[("directory", "real"), ("symlink", "l", "real"), ("file", "l/f", b"x")]],
    "absolute": [[("directory", "real"), ("symlink", "l", "/real"), ("file", "l/f", b"x")]],
    "upward": [[("directory", "a/b"), ("symlink", "a/b/l", "../../../../../real"), ("file", "a/b/l/c/f", b"x")]],
    "to the root": [[("symlink", "l", "/"), ("file", "l/f", b"x"), ("symlink", "m", ".."), ("file", "m/g", b"y")]],
    "outside": [[("symlink", "l", "/etc/nacelle-test-outside"), ("file", "l/f", b"x")]],
    "dangling": [[("symlink", "l", "nowhere/deep"), ("file", "l/f", b"x")]],
    "chain": [[("symlink", "a", "b"), ("symlink", "b", "/c/d/.."), ("directory", "c"), ("directory", "c/d"), ("file", "a/f", b"x")]],
    "pnpm": [[("directory", "node_modules/.pnpm/a@1/node_modules/a"), ("file", "node_modules/.pnpm/a@1/node_modules/a/index.js", b"x"),
              ("symlink", "node_modules/a", ".pnpm/a@1/node_modules/a"), ("directory", "node_modules/.pnpm/b@1/node_modules/b"),
              ("symlink", "node_modules/.pnpm/b@1/node_modules/a", "../../a@1/node_modules/a"), ("symlink", "node_modules/b", ".pnpm/b@1/node_modules/b"),
              ("file", "node_modules/a/lib/x.js", b"y"), ("file", "node_modules/b/../.pnpm/b@1/node_modules/a/z.js", b"z")]],
    "loop": [[("symlink", "l", "m"), ("symlink", "m", "l"), ("file", "l/f", b"x")]],
    "a file": [[("file", "f", b"x"), ("symlink", "l", "f"), ("file", "l/g", b"x")]],
    "replaced by a directory": [[("directory", "real"), ("symlink", "l", "real"), ("directory", "l"), ("file", "l/f", b"x")]],
    "replaced by a link": [[("directory", "d"), ("file", "d/x", b"x"), ("directory", "e"), ("symlink", "d", "e"), ("file", "d/f", b"x")]],
    "the last part": [[("file", "real", b"no"), ("symlink", "l", "real"), ("file", "l", b"x")]],
    "hard link's target": [[("directory", "real"), ("file", "real/t", b"x"), ("symlink", "l", "real"), ("hardlink", "h", "l/t")]],
    "hard link's target, absolute": [[("directory", "real"), ("file", "real/t", b"x"), ("symlink", "l", "/real"), ("hardlink", "h", "/l/t")]],
    "hard link's place": [[("file", "t", b"x"), ("directory", "real"), ("symlink", "l", "real"), ("hardlink", "l/h", "t")]],
    "hard link to a link": [[("file", "t", b"x"), ("symlink", "l", "t"), ("hardlink", "h", "l")]],
    "whiteout": [[("directory", "real"), ("file", "real/gone", b"x"), ("file", "real/stays", b"x")],
                 [("directory", "real"), ("symlink", "l", "real"), ("file", "l/.wh.gone", b"")]],
    "opaque": [[("directory", "real"), ("file", "real/gone", b"x")],
               [("directory", "real"), ("symlink", "l", "/real"), ("file", "l/.wh..wh..opq", b""), ("file", "l/new", b"x")]],
    "fifo": [[("directory", "real"), ("symlink", "l", "real"), ("entry", "l/fifo", b"", {"type": b"6"})]],
    "directory's mode": [[("directory", "real"), ("symlink", "l", "real"), ("directory", "l/d", 0o700, 5, 6), ("file", "l/d/f", b"x")]],
    "link in an earlier layer": [[("directory", "usr/lib"), ("file", "usr/lib/a", b"a"), ("symlink", "lib", "usr/lib")], [("file", "lib/b", b"b")]],
    "link in an earlier layer, whiteout": [[("directory", "usr/lib"), ("file", "usr/lib/a", b"a"), ("symlink", "lib", "usr/lib")], [("file", "lib/.wh.a", b"")]],
    "names upward": [[("file", "../f", b"x"), ("file", "a/../../g", b"y"), ("file", "/../../h", b"z"), ("file", "c/./d//e", b"w")]],
    "names inside": [[("file", "a/b/../f", b"x"), ("directory", "d/../e"), ("symlink", "s/../l", "f")]],
    "same file twice": [[("file", "f", b"first"), ("file", "f", b"second")]],
    "same hard link twice": [[("file", "f", b"x"), ("hardlink", "h", "f"), ("hardlink", "h", "f")]],
    "hard link to itself later": [[("file", "f", b"first"), ("hardlink", "h", "f"), ("file", "f", b"second")]],
    "file, then directory": [[("file", "f", b"x"), ("directory", "f"), ("file", "f/g", b"y")]],
    "directory, then file": [[("directory", "f"), ("file", "f/g", b"y"), ("file", "f", b"x")]],
    "the same layer twice": [[("file", "d/x", b"x"), ("file", "d/.wh.y", b"")], [("file", "d/y", b"y")], [("file", "d/x", b"x"), ("file", "d/.wh.y", b"")]],
    "empty layers": [[], [("file", "f", b"x")], []],
    "whiteouts of nothing": [[("file", "base", b"x")], [("directory", "d"), ("file", "d/f", b"x"), ("file", "d/.wh.none", b""), ("file", ".wh.none", b"")]],
    "implied directories": [[("directory", "a", 0o711, 5, 6), ("directory", "a/b", 0o750, 7, 8)], [("file", "a/b/c/f", b"x")]],
    "nodes": [[("entry", "d/null", b"", {"type": b"3", "devmajor": 1, "devminor": 3, "mode": 0o666}), ("entry", "d/sda", b"", {"type": b"4", "devmajor": 8})]],
    "owners": [[("file", "suid", b"x", 0o4755, 0, 0), ("file", "big", b"x", 0o600, 4294967, 4294967)]],
    "no owner said": [[("entry", "f", b"x", {"uid": 5, "gid": 6, "pax_headers": {"uid": "", "gid": "", "size": "", "path": "", "linkpath": ""}})]],
    "link's name by pax": [[("file", "t", b"x"), ("entry", "h", b"", {"type": b"1", "linkname": "no", "pax_headers": {"linkpath": "../../t"}}),
                            ("entry", "s", b"", {"type": b"2", "linkname": "no", "mode": 0o777, "pax_headers": {"linkpath": "../../t"}})]],
    "name by pax": [[("entry", "no", b"x", {"pax_headers": {"path": "../../a/../yes"}})]],
    "long names": [[("file", "/".join(["x" * 90] * 4) + "/../y", b"x"), ("symlink", "l", "../" * 60 + "z" * 90)]],
    "mtime taken back": [[("entry", "f", b"x", {"mtime": 5, "pax_headers": {"mtime": ""}})]],
}
# Where the reference is another way, and what it does there.
OTHERS = {
    # what umoci unpacks into one tree goes through links of the layers below; overlayfs' layers have a directory there
    ("umoci", "link in an earlier layer"): "follows",
    ("umoci", "link in an earlier layer, whiteout"): "follows",
}


def tree(root):
    """{path: (kind and mode, uid, gid, a file's time, content or target)}, and which names are one file. "listed": what is in a
    directory, but not there: overlayfs lists the whiteouts of a directory that is in one layer only."""
    seen, found = {}, {"listed": []}
    for directory, names, files in os.walk(root):
        for name in names + files:
            path = os.path.join(directory, name)
            short = os.path.relpath(path, root)
            try:
                st = os.lstat(path)
            except FileNotFoundError:
                found["listed"].append(short)
                continue
            content = os.readlink(path) if stat.S_ISLNK(st.st_mode) else open(path, "rb").read() if stat.S_ISREG(st.st_mode) else st.st_rdev
            found[short] = (oct(st.st_mode), st.st_uid, st.st_gid, None if stat.S_ISDIR(st.st_mode) else st.st_mtime, content)
            if not stat.S_ISDIR(st.st_mode):
                seen.setdefault(st.st_ino, []).append(short)
    found["hard links"] = sorted(sorted(names) for names in seen.values() if len(names) > 1)
    return found


@pytest.fixture(scope="module")
def containerd():
    c = Containerd("runc")
    yield c
    c.stop()


def ours(image, tmp_path):
    """What our store makes of it, mounted; None where it is refused."""
    store = Store(tmp_path / "root")
    p = store.run("import", str(tmp_path / "layout"), check=False)
    if p.returncode != 0:
        store.assert_empty()
        return None
    config = oci.digest(image.config)[7:]
    lowers = []
    for diff in dict.fromkeys(oci.digest(tar)[7:] for tar in reversed(image.layers)):
        names = [n for n in (diff, f"{diff}.{config}") if os.path.isdir(f"{store.root}/images/layers/{n}")]
        lowers.append(f"{store.root}/images/layers/{names[0]}/fs")
    (tmp_path / "empty").mkdir()
    (tmp_path / "ours").mkdir()
    subprocess.run(["mount", "-t", "overlay", "-o", "lowerdir=" + ":".join(lowers + [str(tmp_path / "empty")]), "overlay", tmp_path / "ours"], check=True)
    try:
        return tree(tmp_path / "ours")
    finally:
        subprocess.run(["umount", tmp_path / "ours"], check=True)


def by_umoci(tmp_path):
    p = subprocess.run(["umoci", "unpack", "--image", f"{tmp_path}/layout:x", tmp_path / "bundle"], capture_output=True, text=True)
    return tree(tmp_path / "bundle/rootfs") if p.returncode == 0 else None


def by_containerd(containerd, image, tmp_path, name):
    image.write_docker_archive(str(tmp_path / "docker.tar"), name)
    if containerd.ctr("images", "import", "--no-unpack", str(tmp_path / "docker.tar"), check=False).returncode != 0:
        return None
    (tmp_path / "mnt").mkdir()
    if containerd.ctr("images", "mount", name, str(tmp_path / "mnt"), check=False).returncode != 0:
        return None
    try:
        return tree(tmp_path / "mnt")
    finally:
        containerd.ctr("images", "unmount", "--rm", str(tmp_path / "mnt"))


@pytest.mark.parametrize("name", CASES)
def test_beside_containerd_and_umoci(containerd, tmp_path, name):
    image = oci.Image([layer(*entries) for entries in CASES[name]])
    image.write_layout(str(tmp_path / "layout"), "x")
    mine = ours(image, tmp_path)
    theirs = {"containerd": by_containerd(containerd, image, tmp_path, f"localhost/{name.replace(' ', '-').replace(',', '')}:1".replace("'", "").lower()),
              "umoci": by_umoci(tmp_path)}
    for who, other in theirs.items():
        if other:
            other["listed"] = []
        assert (other == mine) == ((who, name) not in OTHERS), f"{who}: {other}\nours: {mine}"
    assert not os.path.exists("/etc/nacelle-test-outside")
    assert (mine is None) == (name in ("loop", "a file"))
