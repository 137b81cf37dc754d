import os
import sys
import tempfile

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "../../contrib/demo"))

import oci  # noqa: E402
from support.api import Api  # noqa: E402
from support.node import Node, wait_for  # noqa: E402
from support.registry import Registry  # noqa: E402


def pytest_collection_modifyitems(items):
    if os.getuid() != 0:
        raise pytest.UsageError("the integration tests create namespaces and mounts: run them as root")


@pytest.fixture(scope="session")
def busybox_archive():
    """A `docker save` archive of busybox as localhost/busybox:test."""
    with tempfile.TemporaryDirectory() as d:
        path = d + "/busybox.tar"
        oci.Image([oci.busybox_layer()], Cmd=["sh"]).write_docker_archive(path, "localhost/busybox:test")
        yield path


@pytest.fixture(scope="module")
def api(request):
    """An API service for a file's tests, with all of its controllers, or as the file's API has it."""
    a = Api(**getattr(request.module, "API", {"controllers": "*"})).start()
    yield a
    a.stop()


@pytest.fixture
def client(api):
    return api.client()


@pytest.fixture(scope="module")
def node(busybox_archive):
    """One agent for a file's tests, with busybox imported; what it leaves behind fails the file."""
    n = Node().start()
    n.nacelle("import", busybox_archive)
    yield n
    n.stop()


@pytest.fixture
def new_node(busybox_archive):
    """Makes agents of a test's own: new_node(*options, config=...)."""
    made = []

    def make(*options, **kwargs):
        n = Node(*options, **kwargs).start()
        made.append(n)
        n.nacelle("import", busybox_archive)
        return n

    make.nodes = made
    yield make
    for n in made:
        if n.process.poll() is not None:
            n.start()
        n.stop()


@pytest.fixture(autouse=True)
def clean_pods(request):
    """After each test the shared node holds no pod of it."""
    yield
    if "node" in request.fixturenames:
        n = request.getfixturevalue("node")
        for name in os.listdir(n.manifests):
            os.unlink(os.path.join(n.manifests, name))
        wait_for("end of the test's pods", lambda: not any(p.get("labels", {}).get("io.kubernetes.pod.uid") for p in n.pods()), timeout=40)
        for p in n.pods():
            n.crictl("rmp", "-f", p["id"])


@pytest.fixture(scope="session")
def registry():
    r = Registry()
    yield r
    r.stop()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the end of its agent's log."""
    outcome = yield
    report = outcome.get_result()
    args = getattr(item, "funcargs", {})
    for n in ([args["node"]] if "node" in args else []) + getattr(args.get("new_node"), "nodes", []) + getattr(args.get("join"), "nodes", []):
        if report.failed:
            report.sections.append(("agent", n.log()[-4000:]))
