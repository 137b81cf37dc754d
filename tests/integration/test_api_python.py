"""Python's `kubernetes` client on nacelle-api: objects with types and without, patches, watches, apply."""
import os
import subprocess

import pytest

from support.api import PEERS, Api

PYTHON = f"{PEERS}/python-kubernetes/bin/python"


@pytest.mark.skipif(not os.path.exists(PYTHON), reason="python-kubernetes is not there (tests/peers/build)")
def test_python_client():
    api = Api().start()
    try:
        here = os.path.dirname(os.path.abspath(__file__))
        done = subprocess.run([PYTHON, here + "/python_client.py", api.kubeconfig], capture_output=True, text=True, timeout=100)
        assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr[-4000:]
    finally:
        api.stop()
