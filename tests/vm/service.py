"""nacelle-api in the machine, written to from outside of it: what was answered before the power was cut is there after it."""
import base64
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "integration"))

from support.acknowledged import TROUBLE, Writers  # noqa: E402
from support.api import Client, free_port  # noqa: E402

ACCOUNT = "/api/v1/namespaces/default/serviceaccounts/default"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
READY_SECONDS = 60
WRITE_SECONDS = 3
WRITES = 100  # at most so many changes are waited for after that, for MORE_SECONDS
MORE_SECONDS = 20


class Service:
    """All its lives on one disk. Its keys come over the console (lines `api: ...`), once."""

    def __init__(self, work):
        self.port, self.pki, self.digest, self.token = 0, work + "/pki", None, None
        self.writers, self.digests = Writers(self.client), []

    def next_port(self):
        """Of this host's loopback, for its next life."""
        self.port = free_port()
        return self.port

    def client(self):
        return Client(self.port, self.pki)

    def hear(self, line):
        """A line of the console."""
        words = line.split()
        if words[:2] == ["api:", "key"] and len(words) == 4:
            os.makedirs(self.pki, exist_ok=True)
            with open(f"{self.pki}/{words[2]}", "wb") as f:
                f.write(base64.b64decode(words[3]))
        elif words[:2] == ["api:", "digest"] and len(words) >= 3:
            self.digests.append(words[2])

    def wait(self):
        """A client once it is ready; None when it is not in time."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            try:
                client = self.client()
                if client.raw("GET", "/readyz")[0] == 200:
                    return client
            except TROUBLE:
                pass
            time.sleep(0.2)
        return None

    def check_keys(self, client):
        """Those of the first start are there as they were, and so is what they signed."""
        if len(self.digests) != 1:
            return [f"the machine told of its keys {len(self.digests)} times"]
        if not self.token:
            self.digest = self.digests[0]
            status, answer = client.ask("POST", ACCOUNT + "/token", {"spec": {"expirationSeconds": 86400}})
            self.token = answer["status"]["token"] if status == 201 else None
            return [f"no token: {answer}"] * (status != 201)
        review = client.ask("POST", REVIEWS, {"spec": {"token": self.token}})[1]
        return (["keys have changed"] * (self.digests[0] != self.digest) +
                [f"a token is not known any more: {review}"] * (not review.get("status", {}).get("authenticated")))

    def check(self):
        """What is wrong after a boot, as texts."""
        client = self.wait()
        if not client:
            return [f"it is not ready within {READY_SECONDS} s"]
        deadline = time.monotonic() + READY_SECONDS
        while client.raw("GET", ACCOUNT)[0] != 200 and time.monotonic() < deadline:  # a controller makes it
            time.sleep(0.2)
        return self.check_keys(client) + self.writers.check()

    def begin(self, writes):
        """Looks at what is there; returns what is wrong. Then writers are at work, if it `writes`, until a moment at random."""
        try:
            wrong = self.check()
        except TROUBLE as e:
            wrong = [f"it does not answer: {e!r}"]
        self.digests = []
        if writes and not wrong:
            self.writers.start()
            time.sleep(random.random() * WRITE_SECONDS)
            wanted, deadline = random.randrange(WRITES), time.monotonic() + MORE_SECONDS
            while self.writers.answered < wanted and time.monotonic() < deadline:
                time.sleep(0.01)
        return wrong

    def end(self):
        """The power is cut. Returns how many changes were answered."""
        self.writers.finish()
        answered, self.writers.answered = self.writers.answered, 0
        return answered
