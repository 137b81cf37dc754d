"""Images equal in behaviour to those that Kubernetes' end-to-end suite names, from Debian packages and Go modules, in a registry on loopback.

A recipe has no tag: which one is wanted, the suite says itself (`e2e.test --list-images`). What it names beside these is for
specs about clouds, volumes of the network and performance.
"""
import fcntl
import hashlib
import os
import random
import subprocess

import dns
import images
import oci
from images import CACHE, NNP, debian_tree, linked_busybox, static_program
from support.node import PEERS
from support.registry import Registry

TOOLS = ["bind9-dnsutils", "curl", "iperf", "iproute2", "iputils-ping", "net-tools", "netcat-openbsd", "nginx-light", "procps", "wget"]
NGINX = "user www-data;\nevents {}\nhttp { server { listen 80; listen [::]:80; root /usr/share/nginx/html; } }\n"
WELCOME = "<html><head><title>Welcome to nginx!</title></head><body><h1>Welcome to nginx!</h1></body></html>\n"
PAUSE = "#include <unistd.h>\nint main(void) { for (;;) pause(); }\n"
# Debian's ash, unlike upstream's, drops what is no name of a variable from the environment; some specs look for `data-1` there.
SHELL = """#include <ctype.h>
#include <unistd.h>
extern char **environ;
static int is_name(const char *p) {
        while (*p && *p != '=' && (isalnum((unsigned char)*p) || *p == '_'))
                p++;
        return *p == '=';
}
int main(int n, char **args) {
        char **e = environ;
        while (*e && is_name(*e))
                e++;
        return execv(*e ? "/bin/bash" : "/bin/ash", args);
}
"""


def busybox():
    layer = oci.Layer().file("bin/sh", static_program(SHELL), 0o755).copy("/bin/bash-static", "bin/bash")
    return [linked_busybox(), layer.tar()]


def agnhost(debian):
    """With the users and the tools beside it that specs ask for by name."""
    with open(PEERS + "/agnhost", "rb") as f:
        layer = oci.Layer().directory("uploads").file("agnhost", f.read(), 0o755).symlink("agnhost-2", "agnhost")
    users = "root:x:0:0:root:/root:/bin/bash\nwww-data:x:33:33::/var/www:/bin/false\nuser-defined-in-image:x:1000:1000::/:/bin/bash\n"
    groups = "root:x:0:\nwww-data:x:33:\nuser-defined-in-image:x:1000:\ngroup-defined-in-image:x:50000:user-defined-in-image\n"
    layer.copy(PEERS + "/coredns", "coredns").file("etc/passwd", users).file("etc/group", groups)
    return [debian, certificate(layer).tar()]


def certificate(layer):
    """The one that agnhost's TLS servers have by default."""
    pem = subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj", "/CN=localhost",
                          "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", "-", "-out", "-"],
                         check=True, capture_output=True).stdout
    return layer.file("localhost.key", pem).file("localhost.crt", pem)


def picture(name, base):
    """The update demo's two images; that Alpine is below them, a spec about image volumes looks for."""
    layer = oci.Layer().file("etc/os-release", 'NAME="Alpine Linux"\nID=alpine\n').file("data.json", f'{{"image": "{name}.jpg"}}\n')
    return base + [layer.file(name + ".jpg", random.Random(name).randbytes(2048)).tar()]


def with_program(base, program, path):
    return [*base, oci.Layer().copy(f"{PEERS}/{program}", path).tar()]


def nginx(debian):
    return [debian, oci.Layer().file("etc/nginx/nginx.conf", NGINX).file("usr/share/nginx/html/index.html", WELCOME).tar()]


def recipes():
    """{repository: (layers, config)}."""
    debian, small = debian_tree("e2e", TOOLS), busybox()
    host = agnhost(debian)
    serve = {"Entrypoint": ["/agnhost"], "Cmd": ["test-webserver"]}
    setuid = oci.Layer().directory("usr/local").directory("usr/local/bin").file("usr/local/bin/nnp", static_program(NNP), 0o4755)
    suite = {
        "agnhost": (host, {"Entrypoint": ["/agnhost"], "Cmd": ["pause"]}),
        "busybox": (small, {"Cmd": ["sh"]}),
        "glibc-dns-testing": ([debian], {"Cmd": ["bash"]}),
        "ipc-utils": ([debian], {"Cmd": ["bash"]}),
        "kitten": (picture("kitten", host), serve),
        "nautilus": (picture("nautilus", host), serve),
        "nginx": (nginx(debian), {"Cmd": ["nginx", "-g", "daemon off;"]}),
        "nonewprivs": ([*small, setuid.tar()], {"Cmd": ["nnp"]}),
        "nonroot": ([debian], {"User": "1234", "Cmd": ["bash"]}),
        "perl": ([debian], {"Cmd": ["perl", "-de0"]}),
        "sample-apiserver": (with_program(small, "sample-apiserver", "sample-apiserver"), {"Entrypoint": ["/sample-apiserver"]}),
    }
    return {
        **{"e2e-test-images/" + name: recipe for name, recipe in suite.items()},
        "etcd": (with_program(small, "etcd", "usr/local/bin/etcd"), {"Cmd": ["etcd"]}),
        "pause": ([oci.Layer().file("pause", static_program(PAUSE), 0o755).tar()], {"User": "65535:65535", "Entrypoint": ["/pause"]}),
        "coredns/coredns": (with_program(small, "coredns", "coredns"), {"Entrypoint": ["/coredns"]}),
    }


def wanted():
    """What the suite pulls from registry.k8s.io, and the resolver's image: repository:tag."""
    listed = subprocess.run([PEERS + "/e2e.test", "--list-images"], check=True, capture_output=True, text=True).stdout.split()
    return [name.removeprefix("registry.k8s.io/") for name in [*listed, dns.IMAGE] if name.startswith("registry.k8s.io/")]


def key():
    """Changes with whatever the images are made from."""
    programs = [os.stat(f"{PEERS}/{name}") for name in ("agnhost", "coredns", "e2e.test", "etcd", "sample-apiserver")]
    parts = [(program.st_size, program.st_mtime_ns) for program in programs]
    for file in (__file__, images.__file__, oci.__file__):
        with open(file) as f:
            parts.append(f.read())
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def directory():
    """Where a registry keeps them between runs; they are made where it is not complete."""
    path = f"{CACHE}/e2e-registry-{key()[:16]}"
    os.makedirs(path, exist_ok=True)
    with open(path + "/lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(path + "/complete"):
            make(path)
            open(path + "/complete", "w").close()
    return path


def make(path):
    made, registry = recipes(), Registry(data=path)
    try:
        for name in wanted():
            recipe = made.get(name.rsplit(":", 1)[0])
            if recipe:
                registry.push(oci.Image(recipe[0], compression="zstd", **recipe[1]), name)
    finally:
        registry.stop()
