"""Reads, lists and writes of many clients at a time, also over a kill -9: there is an order of them that explains all answers."""
import http.client
import json
import random
import signal
import threading
import time

import pytest

from support.api import Api
from support.linearizable import Operation, is_linearizable

MAPS = "/api/v1/namespaces/default/configmaps"
KEYS = ("a", "b", "c")
CLIENTS = 6
OPERATIONS = 300  # before each kill, and before the end


def op(called, returned, what, key=None, argument=None, result=None):
    return Operation(called, returned, what, key, argument, result)


@pytest.mark.parametrize("good,history", [
    (True, [op(0, 1, "write", "a", 1), op(2, 3, "read", "a", result=1)]),
    (True, [op(0, 4, "write", "a", 1), op(1, 2, "read", "a"), op(2.5, 3, "read", "a", result=1)]),
    (False, [op(0, 1, "write", "a", 1), op(2, 3, "read", "a")]),
    (False, [op(0, 9, "write", "a", 1), op(1, 2, "read", "a", result=1), op(3, 4, "read", "a")]),
    (False, [op(0, 1, "write", "a", 1), op(2, 3, "swap", "a", (1, 2), True), op(2.5, 4, "swap", "a", (1, 3), True)]),
    (True, [op(0, 1, "write", "a", 1), op(2, 3, "swap", "a", (1, 2), True), op(2.5, 4, "swap", "a", (1, 3), False)]),
    (False, [op(0, 9, "write", "a", 1), op(0, 9, "write", "b", 1), op(1, 2, "list", result={"a": 1}), op(3, 4, "list", result={"b": 1})]),
    (True, [op(0, None, "write", "a", 1), op(5, 6, "read", "a"), op(7, 8, "read", "a", result=1)]),
    (False, [op(0, None, "write", "a", 1), op(5, 6, "read", "a", result=1), op(7, 8, "read", "a")]),
    (True, [op(0, None, "write", "a", 1), op(5, 6, "read", "a")]),
])
def test_the_checker(good, history):
    assert is_linearizable(history) == good


class Recorder(threading.Thread):
    """One client, and what it did."""

    def __init__(self, api, number, ends):
        super().__init__()
        self.api, self.number, self.ends, self.rng, self.history, self.client, self.broken = api, number, ends, random.Random(number), [], None, None

    def value_of(self, answer):
        return answer.get("data", {}).get("v")

    def read(self, key):
        status, answer = self.client.ask("GET", f"{MAPS}/{key}")
        assert status in (200, 404), answer
        return None if status == 404 else self.value_of(answer)

    def list(self):
        status, answer = self.client.ask("GET", MAPS + "?labelSelector=register")
        assert status == 200, answer
        return {o["metadata"]["name"]: self.value_of(o) for o in answer["items"]}

    def write(self, key, value):
        """Whatever is there; a patch is never refused."""
        status, answer = self.client.ask("PATCH", f"{MAPS}/{key}", {"data": {"v": value}}, **{"Content-Type": "application/merge-patch+json"})
        assert status == 200, answer

    def swap(self, value):
        """As controllers do: what was read says what is changed. Gives what it was of, and whether it was made."""
        key = self.rng.choice(KEYS)
        called = time.monotonic()
        status, there = self.client.ask("GET", f"{MAPS}/{key}")
        assert status == 200, there
        self.history.append(op(called, time.monotonic(), "read", key, result=self.value_of(there)))
        before, there["data"] = self.value_of(there), {"v": value}
        return self.note("swap", key, (before, value), lambda: self.put(key, there))

    def put(self, key, there):
        status, answer = self.client.ask("PUT", f"{MAPS}/{key}", there)
        assert status in (200, 409), answer
        return status == 200

    def note(self, what, key, argument, ask):
        called = time.monotonic()
        try:
            result = ask()
        except ConnectionRefusedError:  # it was never asked for
            raise
        except (OSError, http.client.HTTPException, json.JSONDecodeError):
            if what in ("write", "swap"):
                self.history.append(op(called, None, what, key, argument))
            raise
        self.history.append(op(called, time.monotonic(), what, key, argument, result))

    def step(self, count):
        value, key, dice = f"{self.number}-{count}", self.rng.choice(KEYS), self.rng.random()
        if dice < 0.4:
            self.note("read", key, None, lambda: self.read(key))
        elif dice < 0.6:
            self.note("list", None, None, self.list)
        elif dice < 0.8:
            self.note("write", key, value, lambda: self.write(key, value))
        else:
            self.swap(value)

    def run(self):
        count = 0
        while not self.ends.is_set():
            count += 1
            try:
                self.client = self.client or self.api.client()
                self.step(count)
                time.sleep(self.rng.random() * 0.01)
            except (OSError, http.client.HTTPException, json.JSONDecodeError):
                self.client = None  # the service was killed
                time.sleep(0.02)
            except AssertionError as e:
                self.broken = e
                return


def until(clients, n, seconds=30):
    """They have done so much."""
    end = time.monotonic() + seconds
    while sum(len(c.history) for c in clients) < n and time.monotonic() < end:
        time.sleep(0.01)


@pytest.mark.parametrize("kills", (0, 1))
def test_clients_at_a_time(kills):
    api, ends = Api(), threading.Event()
    clients = [Recorder(api, n, ends) for n in range(CLIENTS)]
    try:
        api.start()
        first = []
        for key in KEYS:
            called = time.monotonic()
            assert api.client().ask("POST", MAPS, {"metadata": {"name": key, "labels": {"register": "yes"}}, "data": {"v": "0"}})[0] == 201
            first.append(op(called, time.monotonic(), "write", key, "0"))
        for client in clients:
            client.start()
        for number in range(kills):
            until(clients, OPERATIONS * (number + 1))
            api.end(signal.SIGKILL)
            api.start()
        until(clients, OPERATIONS * (kills + 1))
        ends.set()
        for client in clients:
            client.join()
            assert client.broken is None, client.broken
        history = first + [o for c in clients for o in c.history]
        assert len(history) >= OPERATIONS
        assert is_linearizable(history), sorted(history)
        print(f"{len(history)} operations, {sum(o.returned is None for o in history)} that nobody knows of")
    finally:
        ends.set()
        api.stop()
