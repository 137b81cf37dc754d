"""Images equal in behaviour to those that critest names, from Debian packages, pushed to a registry on loopback.

`debian_tree()` is one tree with nginx, redis and python; it is made once and kept in the cache directory.
"""
import os
import subprocess
import tempfile

import oci

CACHE = os.environ.get("NACELLE_TEST_CACHE", os.path.expanduser("~/.cache/nacelle-tests"))
NNP = '#include <stdio.h>\n#include <unistd.h>\nint main(void) { printf("Effective uid: %d\\n", (int)geteuid()); return 0; }\n'
NGINX = """user www-data;
daemon off;
pid /run/nginx.pid;
events {{}}
http {{ access_log /dev/stdout; server {{ listen {port}; listen [::]:{port}; root /usr/share/nginx/html; }} }}
"""


def debian_tree():
    """A tar of Debian with nginx-light, redis-server and python3-minimal."""
    os.makedirs(CACHE, exist_ok=True)
    path = CACHE + "/debian.tar"
    if not os.path.exists(path):
        excludes = [f"--dpkgopt=path-exclude=/usr/share/{d}/*" for d in ("doc", "man", "locale")]
        subprocess.run(["mmdebstrap", "--quiet", "--format=tar", "--variant=essential", "--include=nginx-light,redis-server,python3-minimal,procps",
                        *excludes, "bookworm", path + ".new"], check=True)
        os.rename(path + ".new", path)
    with open(path, "rb") as f:
        return f.read()


def nonewprivs_binary():
    with tempfile.TemporaryDirectory() as d:
        with open(d + "/nnp.c", "w") as f:
            f.write(NNP)
        subprocess.run(["musl-gcc", "-static", "-Os", "-o", d + "/nnp", d + "/nnp.c"], check=True)
        with open(d + "/nnp", "rb") as f:
            return f.read()


def nginx(debian, port):
    layer = oci.Layer().file("etc/nginx/nginx.conf", NGINX.format(port=port))
    layer.file("usr/share/nginx/html/index.html", "<h1>Welcome to nginx!</h1>\n")
    return oci.Image([debian, layer.tar()], Cmd=["nginx"])


def critest_images():
    """{repository:tag: image} below the mirrors of registry.k8s.io, k8s.gcr.io and gcr.io."""
    busybox, debian = oci.busybox_layer(), debian_tree()
    users = oci.Layer().file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33::/var/www:/bin/false\n"
                             "default-user:x:1000:1000::/home:/bin/sh\n")
    users.file("etc/group", "root:x:0:\nwww-data:x:33:\ndefault-user:x:1000:\ngroup-defined-in-image:x:50000:default-user\n")
    base = [busybox, users.tar()]
    staging = "k8s-staging-cri-tools/"

    def marked(text, **config):
        return oci.Image(base + [oci.Layer().file("test", text).tar()], **dict({"Cmd": ["sh"]}, **config))

    images = {
        "e2e-test-images/busybox:1.29-2": oci.Image([busybox], Cmd=["sh"]),
        "e2e-test-images/nginx:1.14-2": nginx(debian, 80),
        "e2e-test-images/nonewprivs:1.3": oci.Image(
            [busybox, oci.Layer().directory("usr/local").directory("usr/local/bin").file("usr/local/bin/nnp", nonewprivs_binary(), 0o4755).tar()], Cmd=["nnp"]),
        "pause:3.9": oci.Image([busybox], Entrypoint=["sleep", "1000000"]),
        staging + "hostnet-nginx-" + oci.architecture() + ":latest": nginx(debian, 12003),
        staging + "test-image-latest:latest": marked("latest"),
        staging + "test-image-tag:test": marked("tag"),
        staging + "test-image-tag:all": marked("all"),
        staging + "test-image-digest:latest": marked("digest"),
        staging + "test-image-predefined-group:latest": marked("group", User="1000"),
        staging + "test-image-user-uid:latest": marked("uid", User="1002"),
        staging + "test-image-user-username:latest": marked("username", User="www-data"),
        staging + "test-image-user-username-group:latest": marked("username-group", User="www-data:100"),
    }
    images[staging + "test-image-user-uid-group:latest"] = marked("uid-group", User="1003:33")
    for i in "123":
        images[f"{staging}test-image-{i}:latest"] = marked("image " + i)
        images[f"{staging}test-image-tags:{i}"] = marked("tags")
    return images
