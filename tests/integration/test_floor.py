"""The layer below every image: places of what all containers have mounted, which an image has or has not, and says more about."""
import os
import subprocess

import oci
import pytest

from support.node import pod


def layer(*entries):
    made = oci.Layer()
    for how, *args in entries:
        getattr(made, how)(*args)
    return made.tar()


BUSYBOX = {"passwd", "group"}  # what its layer has there
# Layers above it, and what the container sees of its own /etc: mode and owner, and names.
CASES = {
    "none": ([], "755 0 0", {"hosts", "hostname", "resolv.conf"}),
    "of the image": ([layer(("directory", "etc", 0o711, 3, 4), ("file", "etc/hosts", b"own"), ("file", "etc/issue", b""))],
                     "711 3 4", {"hosts", "hostname", "resolv.conf", "issue"}),
    "a link": ([layer(("directory", "real", 0o751), ("symlink", "etc", "real"))], "751 0 0", {"hosts", "hostname", "resolv.conf"}),
    "taken away": ([layer(("directory", "etc"), ("file", "etc/hosts", b"own")), layer(("directory", "etc"), ("file", "etc/.wh.hosts", b""))],
                   "755 0 0", {"hosts", "hostname", "resolv.conf"}),
    "all taken away": ([layer(("directory", "etc"), ("file", "etc/x", b"")), layer(("directory", "etc", 0o750), ("file", "etc/.wh..wh..opq", b""))],
                       "750 0 0", {"hosts", "hostname", "resolv.conf"}),
}


@pytest.fixture(params=CASES, ids=[c.replace(" ", "-") for c in CASES])
def case(request):
    return request.param, *CASES[request.param]


def load(node, tmp_path, layers, name):
    path = str(tmp_path / "image.tar")
    oci.Image([oci.busybox_layer(), *layers], Cmd=["sleep", "1000"]).write_docker_archive(path, name)
    node.nacelle("import", path)


def upper(node, container):
    """What the container's writable layer has, as paths."""
    top = f"{node.root}/containers/{container['id']}/upper"
    return {os.path.relpath(os.path.join(d, n), top) for d, dirs, files in os.walk(top) for n in dirs + files}


def test_what_an_image_says_goes_before_the_floor(node, tmp_path, case):
    what, layers, mode, names = case
    image = "localhost/floor:" + what.replace(" ", "-")
    load(node, tmp_path, layers, image)
    node.write("floor.json", pod("floor", {"image": image}))
    c = node.running("main")
    assert node.exec(c, "stat", "-L", "-c", "%a %u %g", "/etc").strip() == mode
    assert set(node.exec(c, "ls", "-A", "/etc").split()) - BUSYBOX == names
    assert "localhost" in node.exec(c, "cat", "/etc/hosts")
    made = upper(node, c)
    assert made == {"none": set(), "of the image": set(), "a link": {"real", "real/hosts", "real/hostname", "real/resolv.conf"},
                    "taken away": {"etc", "etc/hosts"}, "all taken away": {"etc", "etc/hosts", "etc/hostname", "etc/resolv.conf"}}[what]


def test_the_floor_is_not_written_through(node):
    """A container's own mounts may be taken away by a privileged one; what is below stays everybody's."""
    node.write("floor.json", pod("floor", {"securityContext": {"privileged": True}, "command": ["sleep", "1000"]}))
    c = node.running("main")
    node.exec(c, "sh", "-c", "umount /etc/hosts && echo changed > /etc/hosts && rm /etc/hostname.x /etc/resolv.conf.x 2>/dev/null; chmod 700 /etc")
    floor = node.root + "/floor"
    assert open(floor + "/etc/hosts").read() == "" and os.stat(floor + "/etc").st_mode & 0o777 == 0o755
    assert os.stat(floor).st_mode & 0o077 == 0
    assert upper(node, c) == {"etc", "etc/hosts"}


def test_without_a_floor_containers_start(node):
    """Somebody has removed it; the next start of the agent makes it again."""
    subprocess.run(["rm", "-r", node.root + "/floor"], check=True)
    node.write("floor.json", pod("floor", {"command": ["sleep", "1000"]}))
    c = node.running("main")
    assert upper(node, c) >= {"etc/hosts", "etc/hostname", "etc/resolv.conf"}
    node.restart()
    assert os.path.isdir(node.root + "/floor/etc")


def test_in_a_user_namespace_the_floor_belongs_to_its_root(node):
    node.write("floor.json", pod("floor", {"command": ["sleep", "1000"]}, hostUsers=False))
    c = node.running("main")
    assert node.exec(c, "stat", "-c", "%a %u %g", "/etc").strip() == "755 0 0"
    assert upper(node, c) == set()
