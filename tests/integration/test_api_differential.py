"""The corpus of tests/differential, replayed against nacelle-api and kube-apiserver: they differ where exceptions.txt says so, nowhere else."""
import os
import pathlib
import sys

import pytest

from support.api import PEERS, REPO, Api, Oracle

sys.path.insert(0, REPO + "/tests/differential")
import differential  # noqa: E402

pytestmark = pytest.mark.skipif(not all(os.path.exists(f"{PEERS}/{n}") for n in ("kube-apiserver", "etcd")),
                                reason="kube-apiserver and etcd are not built (tests/peers/build)")
CORPUS = sorted(pathlib.Path(REPO, "tests/differential/corpus").glob("*.txt"))


@pytest.fixture(scope="module")
def servers():
    api = Api("--service-cluster-ip-range", differential.RANGES, "--enable-admission-plugins", differential.PLUGINS).start()
    oracle = Oracle(api.pki, differential.PLUGINS, differential.RANGES)
    try:
        oracle.start()
        yield differential.Server("kube-apiserver", oracle.port, api.pki), differential.Server("nacelle-api", api.port, api.pki)
    finally:
        oracle.stop()
        api.stop()


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_as_kube_apiserver(servers, path):
    said = []
    compared, differ = differential.run(*servers, [path], said.append)
    assert compared > 0 and differ == 0, "\n".join(said)
