"""The scheduler of nacelle-api beside kube-scheduler, each with a nacelle-api of its own: made-up nodes, pods with nothing but requests.

Rates need a quiet machine; what a pod costs (the service with its scheduler, or with kube-scheduler beside it) comes from /proc and says more on a busy one.
SCHEDULER_NODES, SCHEDULER_PODS: how many (1,000; 2,000). SCHEDULER_PEER=no: ours alone."""
import os
import statistics
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../integration")
import test_scheduler as t  # noqa: E402
from support.api import PEERS, Api  # noqa: E402
from support.node import wait_for  # noqa: E402

NODES, PODS = int(os.environ.get("SCHEDULER_NODES", "1000")), int(os.environ.get("SCHEDULER_PODS", "2000"))
WRITERS = 4
AT_REST = 50


def cpu(*pids):
    """Seconds of processors."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat") as f:
            total += sum(int(n) for n in f.read().rpartition(")")[2].split()[11:13])
    return total / os.sysconf("SC_CLK_TCK")


def at_rest(api):
    """ms from the request to a watcher's seeing the pod, and its node."""
    client, seen, times = api.client(), [], []
    watch = client.open()
    watch.request("GET", t.PODS + "?watch=true&resourceVersion=0", headers={"User-Agent": "tests"})
    events = watch.getresponse()
    for i in range(AT_REST):
        began = time.monotonic()
        t.make(client, t.PODS, t.small(f"rest-{i}", cpu="1m"))
        name, line = f'"name":"rest-{i}"'.encode(), b""
        while name not in line:
            line = events.readline()
        seen.append((time.monotonic() - began) * 1000)
        while b'"nodeName"' not in line or name not in line:
            line = events.readline()
        times.append((time.monotonic() - began) * 1000)
        time.sleep(0.05)
    watch.close()
    return statistics.median(seen), statistics.median(times), statistics.quantiles(times, n=20)[-1]


def burst(api, pids):
    """Pods a second, from the first request to the last binding; ms of processors for each."""
    def make(first):
        client = api.client()
        for i in range(first, PODS, WRITERS):
            t.make(client, t.PODS, t.small(f"p{i}", cpu="1m"))
    began, used = time.monotonic(), cpu(*pids)
    writers = [threading.Thread(target=make, args=(i,)) for i in range(WRITERS)]
    for w in writers:
        w.start()
    for w in writers:
        w.join()
    client = api.client()
    wait_for("bindings", lambda: all(p["spec"].get("nodeName") for p in t.get(client, t.PODS)["items"]), timeout=300, interval=0.1)
    return PODS / (time.monotonic() - began), (cpu(*pids) - used) * 1000 / PODS


def measure(name, with_peer):
    api = Api(controllers=t.CONTROLLERS, scheduler=not with_peer).start()
    peer = None
    try:
        client = api.client()
        wait_for("account", lambda: client.ask("GET", "/api/v1/namespaces/default/serviceaccounts/default")[0] == 200)
        for i in range(NODES):
            t.node(client, f"n{i}", {"topology.kubernetes.io/zone": f"z{i % 3}"})
        if with_peer:
            peer = subprocess.Popen([f"{PEERS}/kube-scheduler", f"--kubeconfig={api.kubeconfig}", "--leader-elect=false", "--secure-port=0", "--kube-api-qps=10000", "--kube-api-burst=10000"],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            t.make(client, t.PODS, t.small("first"))
            t.bound(client, "first")
        pids = [api.process.pid, *([peer.pid] if peer else [])]
        rest, (rate, cost) = at_rest(api), burst(api, pids)
        print(f"{name}: at rest seen after {rest[0]:.1f} ms, bound after {rest[1]:.1f} ms, 95% {rest[2]:.1f} ms; {rate:.0f} pods/s, {cost:.2f} ms of processors a pod", flush=True)
    finally:
        if peer:
            peer.terminate()
            peer.wait(20)
        api.stop()


measure("nacelle-api", False)
if os.environ.get("SCHEDULER_PEER") != "no" and os.path.exists(f"{PEERS}/kube-scheduler"):
    measure("kube-scheduler", True)
