"""What controllers are made of works on nacelle-api: client-go's informers and clients, and watches that outlive the server."""
import json
import os
import signal
import subprocess
import time

import pytest

from support.api import PEERS, Api

pytestmark = pytest.mark.skipif(not os.path.exists(f"{PEERS}/informers"), reason="informers is not built (tests/peers/build)")
ROUNDS = int(os.environ.get("API_ROUNDS", "3"))


def test_client_go():
    api = Api().start()
    maps = "/api/v1/namespaces/default/configmaps"
    try:
        assert api.client().ask("POST", maps, {"metadata": {"name": "was"}})[0] == 201 and api.client().ask("DELETE", maps + "/was")[0] == 200
        api.end()  # what was before is gone for watches then
        api.start()
        done = subprocess.run([f"{PEERS}/informers", api.kubeconfig], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    finally:
        api.stop()


def test_nothing_is_lost_or_told_twice_however_it_ends():
    """Writers, informers and a watch go on while the server is killed, or ended, and started: see churn() of the program."""
    api = Api().start()
    churn = subprocess.Popen([f"{PEERS}/informers", api.kubeconfig, "churn"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        for i in range(ROUNDS):
            time.sleep(1)
            api.end(signal.SIGTERM if i % 3 == 2 else signal.SIGKILL)
            api.start()
        time.sleep(1)
        out, err = churn.communicate(timeout=120)
        assert churn.returncode == 0, out + err[-4000:]
        counted = json.loads(out)
        assert counted["acknowledged"] > 20 * ROUNDS and counted["heard"] > 0 and counted["listed"] <= ROUNDS + 1, counted
    finally:
        churn.kill()
        churn.wait()
        api.stop()
