"""How cluster.py looks at a cluster: what a watcher of pods sees when, and what processes use."""
import glob
import os
import threading
import time

REST_S = float(os.environ.get("CLUSTER_REST", "20"))
SETTLE_S = 12  # after which threads of pools have ended
PODS = "/api/v1/namespaces/default/pods"


class Watcher:
    """What a client sees of the namespace's pods: when each was first Running, when it went."""

    def __init__(self, side):
        self.running, self.gone, self.changed, self.events = {}, {}, threading.Condition(), 0
        client = side.client()
        revision = client.ask("GET", PODS)[1]["metadata"]["resourceVersion"]
        client.endless = True
        self.stream = client.watch(f"{PODS}?watch=1&timeoutSeconds=3600&resourceVersion={revision}")
        threading.Thread(target=self.watch, daemon=True).start()

    def watch(self):
        for event in self.stream:
            now, pod = time.monotonic(), event["object"]
            with self.changed:
                self.events += 1
                if event["type"] == "DELETED":
                    self.gone[pod["metadata"]["name"]] = now
                elif pod["status"].get("phase") == "Running":
                    self.running.setdefault(pod["metadata"]["name"], now)
                self.changed.notify()

    def wait(self, what, seen, n, timeout=300):
        """The moment when the last of n pods was seen."""
        with self.changed:
            if not self.changed.wait_for(lambda: len(seen) >= n, timeout):
                raise SystemExit(f"bench: {what}: {len(seen)} of {n} within {timeout} s")
            return max(seen.values())

    def forget(self):
        with self.changed:
            self.running.clear()
            self.gone.clear()


def watcher_of(side):
    """The one that all parts have, so that there is one to be served."""
    side.watcher = getattr(side, "watcher", None) or Watcher(side)
    side.watcher.forget()
    return side.watcher


def pod(name, command=("sleep", "100000"), node=None, *, token=False, grace=0, labels=None, volumes=(), **container):
    spec = {"automountServiceAccountToken": token, "terminationGracePeriodSeconds": grace, "volumes": list(volumes), "containers": [
        {"name": "main", "image": "localhost/busybox:test", "imagePullPolicy": "Never", "command": list(command),
         "volumeMounts": [{"name": v["name"], "mountPath": "/" + v["name"]} for v in volumes], **container}]}
    if node:
        spec["nodeName"] = node
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels or {}}, "spec": spec}


def make(client, path, body):
    status, answer = client.ask("POST", path, body)
    if status != 201:
        raise SystemExit(f"bench: {path}: {answer}")


def sum_of(pids, one):
    total = 0
    for pid in pids:
        try:
            total += one(pid)
        except OSError:
            pass  # it has ended
    return total


def cpu(pids):
    """Seconds of processors."""
    return sum_of(pids, lambda pid: sum(int(n) for n in open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[11:13])) / os.sysconf("SC_CLK_TCK")


def threads(pids):
    """{thread: ns of processors}: more exact than the clock's ticks, but what has ended is not in it."""
    return {path: int(open(path).read().split()[0]) for pid in pids for path in glob.glob(f"/proc/{pid}/task/*/schedstat")}


def cpu_at_rest(pids):
    """Percent of a processor, while nothing happens."""
    before = threads(pids)
    time.sleep(REST_S)
    return sum(ns - before.get(thread, 0) for thread, ns in threads(pids).items()) / REST_S / 1e7


def field(path, name):
    return next(int(line.split()[1]) for line in open(path) if line.startswith(name + ":"))


def pss_mb(pids):
    return sum_of(pids, lambda pid: field(f"/proc/{pid}/smaps_rollup", "Pss")) / 1000


def written(pids):
    return sum_of(pids, lambda pid: field(f"/proc/{pid}/io", "write_bytes"))


def running_pod(side, client, body):
    watcher = watcher_of(side)
    make(client, PODS, body)
    watcher.wait(body["metadata"]["name"], watcher.running, 1, 60)
    return watcher


def end_pod(client, watcher, name):
    client.ask("DELETE", f"{PODS}/{name}", {"gracePeriodSeconds": 1})
    watcher.wait("gone", watcher.gone, 1, 60)
