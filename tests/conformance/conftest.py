"""One kube-apiserver for all tests that compare with what it answers, and change nothing of its settings."""
import pytest

import control_plane


@pytest.fixture(scope="session")
def plane():
    if not control_plane.available():
        pytest.skip("no kube-apiserver")
    plane = control_plane.ControlPlane()
    yield plane
    plane.processes[-1].kill()  # which would take long to end: nothing of it is kept
    plane.stop()
