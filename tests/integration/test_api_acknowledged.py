"""What the API service answered is there after kill -9 (ROUNDS times: `make soak-api` raises it to 1,000), and after a disk that was full."""
import os
import random
import signal
import subprocess
import time

import pytest

from support.acknowledged import MAPS, Writers
from support.api import PEERS, Api

ROUNDS = int(os.environ.get("ROUNDS", "8"))
needs_kubectl = pytest.mark.skipif(not os.path.exists(f"{PEERS}/kubectl"), reason="kubectl is not built (tests/peers/build)")


def test_kill():
    api, rng = Api().start(), random.Random(13)
    writers = Writers(api.client)
    try:
        for number in range(ROUNDS):
            writers.start()
            time.sleep(rng.random() * 0.3)
            api.end(signal.SIGKILL)
            writers.finish()
            api.start()
            wrong = writers.check()
            assert not wrong, f"round {number}: {wrong}"
        assert writers.answered > 10 * ROUNDS and not writers.refused
        print(f"{ROUNDS} kills, {writers.answered} answered changes")
    finally:
        writers.finish()
        api.stop()
