"""Makes OCI images from files of the distribution, without a container tool: the demo's image and the tests'.

A layer is a list of entries; an image is layers and a config. Written as an OCI layout directory, an OCI archive
or a `docker save` archive.
"""
import functools
import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile

PATH_ENV = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "riscv64": "riscv64"}


def architecture():
    return ARCHITECTURES.get(os.uname().machine, os.uname().machine)


class Layer:
    """A layer under construction: a tar in memory."""

    def __init__(self):
        self._bytes = io.BytesIO()
        self._tar = tarfile.open(fileobj=self._bytes, mode="w", format=tarfile.PAX_FORMAT)

    def entry(self, name, data=b"", **fields):
        """Any tar entry: `type`, `mode`, `uid`, `gid`, `linkname`, `devmajor`, `pax_headers` ... as TarInfo has them."""
        info = tarfile.TarInfo(name)
        info.mode = 0o644
        info.size = len(data)
        for key, value in fields.items():
            setattr(info, key, value)
        self._tar.addfile(info, io.BytesIO(data))
        return self

    def file(self, name, data=b"", mode=0o644, uid=0, gid=0):
        return self.entry(name, data if isinstance(data, bytes) else data.encode(), mode=mode, uid=uid, gid=gid)

    def directory(self, name, mode=0o755, uid=0, gid=0):
        return self.entry(name, type=tarfile.DIRTYPE, mode=mode, uid=uid, gid=gid)

    def symlink(self, name, target):
        return self.entry(name, type=tarfile.SYMTYPE, linkname=target, mode=0o777)

    def hardlink(self, name, target):
        """With its target's mode, where that is in the layer, as tar(1) writes it: runtimes may apply what stands here."""
        mode = next((m.mode for m in reversed(self._tar.getmembers()) if m.name == target), 0o644)
        return self.entry(name, type=tarfile.LNKTYPE, linkname=target, mode=mode)

    def copy(self, source, name, mode=0o755):
        with open(source, "rb") as f:
            return self.file(name, f.read(), mode)

    def tar(self):
        self._tar.close()
        return self._bytes.getvalue()


def busybox_layer():
    """busybox with a link for each of its applets, and the few files that programs look for."""
    layer = Layer()
    for name, mode in (("bin", 0o755), ("etc", 0o755), ("tmp", 0o1777), ("root", 0o700), ("home", 0o755), ("dev", 0o755),
                       ("proc", 0o555), ("sys", 0o555), ("usr", 0o755), ("usr/bin", 0o755), ("var", 0o755), ("var/www", 0o755)):
        layer.directory(name, mode)
    layer.copy("/bin/busybox", "bin/busybox")
    for applet in subprocess.check_output(["/bin/busybox", "--list"], text=True).split():
        if applet != "busybox":
            layer.symlink("bin/" + applet, "busybox")
    layer.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n"
                             "web:x:1000:1000::/home:/bin/sh\n")
    layer.file("etc/group", "root:x:0:\nnobody:x:65534:\nweb:x:1000:\nextra:x:50000:web\n")
    return layer.tar()


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


@functools.lru_cache(maxsize=4)  # images share layers
def compress(data, how):
    if how == "gzip":
        return gzip.compress(data, 6, mtime=0)
    if how == "zstd":
        return subprocess.run(["zstd", "-q", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout
    return data


class Image:
    """An image of `layers` (tar bytes, lowest first) and the OCI config fields given (Cmd, Entrypoint, Env, User ...)."""

    def __init__(self, layers, compression="gzip", arch=None, **config):
        self.layers = layers
        self.compression = compression
        self.config = json.dumps({
            "architecture": arch or architecture(), "os": "linux",
            "config": dict({"Env": [PATH_ENV]}, **config),
            "rootfs": {"type": "layers", "diff_ids": [digest(tar) for tar in layers]},
            "history": [{"created_by": "demo"} for _ in layers],
        }).encode()

    def blobs(self):
        """[(media type, bytes)]: the manifest first, then the config and the layers."""
        suffix = {"gzip": "+gzip", "zstd": "+zstd"}.get(self.compression, "")
        layers = [("application/vnd.oci.image.layer.v1.tar" + suffix, compress(tar, self.compression)) for tar in self.layers]
        config = ("application/vnd.oci.image.config.v1+json", self.config)
        manifest = json.dumps({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": descriptor(*config), "layers": [descriptor(*layer) for layer in layers],
        }).encode()
        return [("application/vnd.oci.image.manifest.v1+json", manifest), config] + layers

    def write_layout(self, directory, name):
        """An OCI layout directory; `name` is the reference in its index."""
        os.makedirs(directory + "/blobs/sha256", exist_ok=True)
        blobs = self.blobs()
        for _, data in blobs:
            with open(f"{directory}/blobs/sha256/{digest(data)[7:]}", "wb") as f:
                f.write(data)
        entry = dict(descriptor(*blobs[0]), annotations={"org.opencontainers.image.ref.name": name},
                     platform={"architecture": architecture(), "os": "linux"})
        with open(directory + "/oci-layout", "w") as f:
            json.dump({"imageLayoutVersion": "1.0.0"}, f)
        with open(directory + "/index.json", "w") as f:
            json.dump({"schemaVersion": 2, "manifests": [entry]}, f)

    def write_docker_archive(self, path, name):
        """What `docker save` writes: manifest.json, the config and one uncompressed tar a layer."""
        config_name = digest(self.config)[7:] + ".json"
        out = Layer()
        names = []
        for tar in self.layers:
            names.append(digest(tar)[7:] + "/layer.tar")
            out.file(names[-1], tar)
        out.file(config_name, self.config)
        out.file("manifest.json", json.dumps([{"Config": config_name, "RepoTags": [name], "Layers": names}]))
        with open(path, "wb") as f:
            f.write(out.tar())


def descriptor(media_type, data):
    return {"mediaType": media_type, "digest": digest(data), "size": len(data)}


def pack_layout(directory, path):
    """An OCI layout directory as an OCI archive."""
    with tarfile.open(path, "w") as tar:
        for name in sorted(os.listdir(directory)):
            tar.add(os.path.join(directory, name), name)
