"""Many who watch while there is much to tell: each hears of each change once and in order, several at a time."""
import json
import threading

from support.api import Api

MAPS = "/api/v1/namespaces/default/configmaps"
WATCHERS, WRITERS, CHANGES = 12, 4, 60


def test_each_hears_all():
    api = Api().start()
    try:
        client = api.client()
        since = 0
        for i in range(WRITERS):
            since = int(client.ask("POST", MAPS, {"metadata": {"name": f"w{i}"}, "data": {"n": "0"}})[1]["metadata"]["resourceVersion"])
        heard, threads = [[] for _ in range(WATCHERS)], []

        def watch(i):
            # Half of them begin with what is there now, whenever that is. All end with the last changes, however long those take.
            ended = set()
            for event in api.client().watch(f"{MAPS}?watch=1&timeoutSeconds=60" + (f"&resourceVersion={since}" if i % 2 else "")):
                name, n = event["object"]["metadata"]["name"], event["object"]["data"]["n"]
                heard[i].append((name, int(event["object"]["metadata"]["resourceVersion"]), n))
                if n == str(CHANGES):
                    ended.add(name)
                if len(ended) == WRITERS:
                    return

        def write(i):
            writer = api.client()
            for n in range(1, CHANGES + 1):
                body = {"data": {"n": str(n), "pad": "x" * (40000 if n % 20 == 0 else 10)}}
                assert writer.ask("PATCH", f"{MAPS}/w{i}", body, **{"Content-Type": "application/merge-patch+json"})[0] == 200
        for i in range(WATCHERS):
            threads.append(threading.Thread(target=watch, args=(i,)))
        for i in range(WRITERS):
            threads.append(threading.Thread(target=write, args=(i,)))
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        for i, events in enumerate(heard):
            for w in range(WRITERS):
                of = [(version, int(n)) for name, version, n in events if name == f"w{w}"]
                assert of == sorted(set(of)) and [n for _, n in of] == list(range(of[0][1], CHANGES + 1)), json.dumps(of)
            if i % 2:
                assert len(events) == WRITERS * CHANGES and [v for _, v, _ in events] == sorted(v for _, v, _ in events)
    finally:
        api.stop()
