"""Writers who keep account of what was answered: it must be there later, whatever becomes of the service (kill -9, a power cut, a full disk)."""
import collections
import http.client
import json
import random
import threading

MAPS = "/api/v1/namespaces/default/configmaps"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
TROUBLE = (OSError, http.client.HTTPException, json.JSONDecodeError)  # of a connection whose other end is gone

# What an object may be after a change: None where it is gone; uid and revision are None until the answer tells them. A change that is not
# durable is a lease's renewal, which may be lost.
State = collections.namedtuple("State", "content uid revision durable answered")


class Thing:
    """One object with one writer. `states`: what it was for sure once, and what may have become of it since, in order."""

    def __init__(self, collection, name, rng):
        self.collection, self.name, self.rng, self.count = collection, name, rng, 0
        self.path, self.version, self.told, self.states = f"{collection}/{name}", None, 0, [State(None, None, None, True, True)]

    def there(self):
        return self.states[-1].content is not None

    def content(self):
        """What it becomes next, never the same twice; and whether that is durable."""
        self.count += 1
        if self.collection == MAPS:
            return {"n": f"{self.count}", "x": "x" * self.rng.choice((0, 100, 5000))}, True
        old, renewed = self.states[-1].content, f"2026-01-01T00:00:00.{self.count:06}Z"
        holder = old["holderIdentity"] if old and self.rng.random() < 0.8 else f"h{self.count}"
        return {"holderIdentity": holder, "renewTime": renewed}, not old or holder != old["holderIdentity"]

    def change(self, client):
        """Asks for a change; returns the status."""
        old = self.states[-1]
        if self.there() and self.rng.random() < 0.2:
            content, durable, method, path, body = None, True, "DELETE", self.path, None
        else:
            content, durable = self.content()
            body = {"metadata": {"name": self.name}, "data" if self.collection == MAPS else "spec": content}
            if self.collection == LEASES and self.there():
                body["metadata"]["resourceVersion"] = self.version
            method, path = ("PUT", self.path) if self.there() else ("POST", self.collection)
        self.states.append(State(content, old.uid if method == "PUT" else None, None, durable, False))
        status, answer = client.ask(method, path, body)
        if status >= 400:  # was not made
            self.states.pop()
        elif content is None:
            self.states = [State(None, None, None, True, True)]
        else:
            self.version = answer["metadata"]["resourceVersion"]
            self.told = int(self.version)
            state = State(content, answer["metadata"]["uid"], self.told, durable, True)
            self.states = [state] if durable else self.states[:-1] + [state]
        return status

    def may_be(self, durable):
        """The states it may be found in: an answered change that a durable one came after, up to revision `durable`, is on disk."""
        first = max(i for i, s in enumerate(self.states) if s.answered and (s.durable or s.revision <= durable))
        return self.states[first:]

    def found(self, item, durable):
        """None, or what is wrong about `item`, what the service has of it (None: nothing)."""
        content = item and (item["data"] if self.collection == MAPS else item["spec"])
        uid = item and item["metadata"]["uid"]
        possible = self.may_be(durable)
        match = [s for s in possible if s.content == content and s.uid in (None, uid)]
        self.version = item and item["metadata"]["resourceVersion"]
        self.states = [State(content, uid, item and int(self.version), True, True)]
        return None if match else f"{self.path} is {str(content)[:200]} ({uid}), and may be {str(possible)[:600]}"


class Writers:
    """`connect` makes clients (support.api.Client)."""

    def __init__(self, connect, writers=4, seed=1):
        self.connect, self.threads, self.stop, self.refused, self.answered, self.wrong = connect, [], threading.Event(), collections.Counter(), 0, []
        rng = random.Random(seed)
        self.things = [[Thing(MAPS, f"w{w}-{i}", random.Random(rng.random())) for i in range(6)] +
                       [Thing(LEASES, f"w{w}-{i}", random.Random(rng.random())) for i in range(3)] for w in range(writers)]
        self.highest = 0  # of all revisions that anybody was told
        self.others = {"kube-root-ca.crt"}  # objects that are there beside

    def start(self):
        self.stop.clear()
        self.threads = [threading.Thread(target=self.write, args=(things,)) for things in self.things]
        for thread in self.threads:
            thread.start()

    def write(self, things):
        client, rng = self.connect(), random.Random()
        try:
            while not self.stop.is_set():
                status = rng.choice(things).change(client)
                if status >= 400:
                    self.refused[status] += 1
                else:
                    self.answered += 1
        except TROUBLE:
            pass  # the end that this is for; whether the last change was made is not known

    def finish(self):
        """Once the service is gone, or to end by themselves."""
        self.stop.set()
        for thread in self.threads:
            thread.join(60)
            if thread.is_alive():
                self.wrong.append("a writer does not end")
        self.threads = []

    def check(self):
        """What is wrong with what the service has now; also whether it goes on from there."""
        client, wrong, self.wrong = self.connect(), self.wrong, []
        mine = {t.path: t for things in self.things for t in things}
        durable = max((s.revision for t in mine.values() for s in t.states if s.answered and s.durable and s.revision), default=0)
        self.highest = max(self.highest, *(t.told for t in mine.values()))
        for collection in (MAPS, LEASES):
            items = {i["metadata"]["name"]: i for i in client.ask("GET", collection)[1]["items"]}
            things = {t.name: t for t in mine.values() if t.collection == collection}
            strange = [n for n in items if n not in things and n not in self.others]
            wrong += [f"{collection}/{n} was never sent" for n in strange]
            wrong += filter(None, (t.found(items.get(n), durable) for n, t in things.items()))
        wrong += self.check_revisions(client)
        return wrong

    def check_revisions(self, client):
        """They go on upwards; a watch from before either says that the past is gone or tells what came since."""
        earlier, before = self.highest, client.ask("GET", MAPS)[1]["metadata"]["resourceVersion"]
        status, made = client.ask("POST", MAPS, {"metadata": {"name": "mark"}})
        if status != 201:
            return [f"no change is taken: {made}"]
        revision = int(made["metadata"]["resourceVersion"])
        wrong = [f"revision {revision} after {max(earlier, int(before))}"] * (revision <= max(earlier, int(before)))
        for since, what in ((before, "now"), (str(max(1, earlier - 1)), "before")):
            complaint = self.check_watch(since, what == "before", made["metadata"]["uid"])
            wrong += [complaint] * bool(complaint)
        client.ask("DELETE", MAPS + "/mark")
        self.highest = max(self.highest, revision)
        return wrong

    def check_watch(self, since, may_be_gone, uid):
        """None when a watch tells of the object with that uid, or that the past is gone; else what it told."""
        connection, told = self.connect().open(), []
        connection.request("GET", f"{MAPS}?watch=1&timeoutSeconds=5&resourceVersion={since}")
        answer = connection.getresponse()
        try:
            if answer.status != 200:
                return None if answer.status == 410 and may_be_gone else f"a watch from {since}: {answer.status} {answer.read()}"
            for event in map(json.loads, answer):
                told.append(event)
                if event["type"] == "ERROR":
                    return None if event["object"]["code"] == 410 and may_be_gone else f"a watch from {since}: {event}"
                if int(event["object"]["metadata"]["resourceVersion"]) <= int(since):
                    return f"a watch from {since} goes back: {event}"
                if event["type"] == "ADDED" and event["object"]["metadata"]["uid"] == uid:
                    return None
            return f"a watch from {since} does not tell of what came: {told}"
        finally:
            connection.close()
