"""Images equal in behaviour to those that critest names, from Debian packages, pushed to a registry on loopback.

`debian_tree()` is by default one with nginx, redis and python; each tree is made once and kept in the cache directory.
"""
import os
import subprocess
import tempfile

import oci

CACHE = os.environ.get("NACELLE_TEST_CACHE", os.path.expanduser("~/.cache/nacelle-tests"))
NNP = '#include <stdio.h>\n#include <unistd.h>\nint main(void) { printf("Effective uid: %d\\n", (int)geteuid()); return 0; }\n'
# What critest runs in busybox and Debian's busybox leaves out.
PGREP = """#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int n, char **args) {
        DIR *proc = opendir("/proc");
        int found = 1;
        for (struct dirent *e; n > 1 && proc && (e = readdir(proc));) {
                char path[300], comm[64] = "";
                snprintf(path, sizeof(path), "/proc/%s/comm", e->d_name);
                FILE *f = isdigit(e->d_name[0]) && strtol(e->d_name, NULL, 10) != getpid() ? fopen(path, "r") : NULL;
                if (f && fgets(comm, sizeof(comm), f) && strstr(comm, args[1]))
                        found = puts(e->d_name) < 0;
                if (f)
                        fclose(f);
        }
        return found;
}
""".replace("atoi_differs(e->d_name)", "(int)strtol(e->d_name, NULL, 10) != getpid()").replace("#include <stdio.h>", "#include <stdio.h>\n#include <stdlib.h>")
IPCS = """#include <stdio.h>
int main(void) {
        FILE *f = fopen("/proc/sysvipc/shm", "r");
        for (int c; f && (c = getc(f)) != EOF;)
                putchar(c);
        return !f;
}
"""
NGINX = """user www-data;
daemon off;
pid /run/nginx.pid;
events {{}}
http {{ access_log /dev/stdout; server {{ listen {port}; listen [::]:{port}; root /usr/share/nginx/html; }} }}
"""


def debian_tree(name="debian", packages=("nginx-light", "redis-server", "python3-minimal", "procps")):
    """A tar of Debian with those packages, kept by its name."""
    os.makedirs(CACHE, exist_ok=True)
    path = f"{CACHE}/{name}.tar"
    if not os.path.exists(path):
        excludes = [f"--dpkgopt=path-exclude=/usr/share/{d}/*" for d in ("doc", "man", "locale")]
        subprocess.run(["mmdebstrap", "--quiet", "--format=tar", "--variant=essential", "--include=" + ",".join(packages),
                        *excludes, "bookworm", path + ".new"], check=True)
        os.rename(path + ".new", path)
    with open(path, "rb") as f:
        return f.read()


def static_program(source):
    with tempfile.TemporaryDirectory() as d:
        with open(d + "/program.c", "w") as f:
            f.write(source)
        subprocess.run(["musl-gcc", "-static", "-Os", "-o", d + "/program", d + "/program.c"], check=True)
        with open(d + "/program", "rb") as f:
            return f.read()


def linked_busybox():
    """busybox whose applets are hard links, as upstream's image has them: one can be masked without the others."""
    layer = oci.Layer()
    for name, mode in (("bin", 0o755), ("etc", 0o755), ("tmp", 0o1777), ("root", 0o700), ("home", 0o755), ("usr", 0o755),
                       ("usr/bin", 0o755), ("var", 0o755), ("var/www", 0o755)):
        layer.directory(name, mode)
    layer.copy("/bin/busybox", "bin/busybox")
    for applet in subprocess.check_output(["/bin/busybox", "--list"], text=True).split():
        if applet != "busybox":
            layer.hardlink("bin/" + applet, "bin/busybox")
    layer.file("bin/pgrep", static_program(PGREP), 0o755).file("usr/bin/ipcs", static_program(IPCS), 0o755)
    layer.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n")
    layer.file("etc/group", "root:x:0:\nnobody:x:65534:\n")
    return layer.tar()


def nginx(debian, port, **config):
    layer = oci.Layer().file("etc/nginx/nginx.conf", NGINX.format(port=port))
    layer.file("usr/share/nginx/html/index.html", "<h1>Welcome to nginx!</h1>\n")
    layer.copy("/bin/busybox", "usr/bin/grep")  # the image's old grep does not complain about a binary file on stderr
    return oci.Image([debian, layer.tar()], **dict({"Cmd": ["nginx"]}, **config))


def critest_images():
    """{repository:tag: image} below the mirrors of registry.k8s.io, k8s.gcr.io and gcr.io."""
    busybox, debian = linked_busybox(), debian_tree()
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
        "e2e-test-images/httpd:2.4.39-4": nginx(debian, 80, Cmd=["sh", "-c", "echo httpd; exec nginx"]),
        "e2e-test-images/nonewprivs:1.3": oci.Image(
            [busybox, oci.Layer().directory("usr/local").directory("usr/local/bin").file("usr/local/bin/nnp", static_program(NNP), 0o4755).tar()], Cmd=["nnp"]),
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
