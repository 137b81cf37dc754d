"""Measurements of whole pods from a directory of manifests: ours beside a stock kubelet on containerd."""
import glob
import os
import re
import statistics
import subprocess
import sys
import time
from types import SimpleNamespace

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../conformance")]

from support.node import PEERS, Node, parent, pod, processes, wait_for  # noqa: E402
from table import row  # noqa: E402
from test_kubelet import Kubelet  # noqa: E402


class Stock:
    """A stock kubelet on the peer's socket; both, their shims and what these run are in one cgroup of the host's."""

    def __init__(self, peer, number):
        self.peer = peer
        self.cgroup = f"/nacelle-bench-{os.getpid()}-{number}"
        self.kubelet = Kubelet(SimpleNamespace(socket=peer.socket, cgroup=self.cgroup))
        wait_for("kubelet", lambda: "Starting to sync pod status" in self.kubelet.text() or self.kubelet.pods() is not None, timeout=60)
        time.sleep(2)

    def write(self, name, manifest):
        self.kubelet.write(name, manifest)
        return os.stat(f"{self.kubelet.static}/{name}").st_ctime_ns

    def empty(self):
        for name in os.listdir(self.kubelet.static):
            os.unlink(f"{self.kubelet.static}/{name}")
        wait_for("end of the peer's pods", lambda: not self.sandboxes(), timeout=300, interval=0.5)

    def at_rest(self):
        shims = processes(r"containerd-shim-runc-v2 .*" + re.escape(self.peer.socket))
        return daemons_at_rest([self.kubelet.process.pid, self.peer.process.pid], shims)

    def sandboxes(self):
        return [line for line in self.peer.crictl("pods", "-q", "--state", "Ready").stdout.split() if line]

    def stop(self):
        self.empty()
        self.kubelet.stop()
        for top, dirs, _ in (entry for path in glob.glob(f"/sys/fs/cgroup/*{self.cgroup}") for entry in os.walk(path, topdown=False)):
            try:
                os.rmdir(top)
            except OSError:
                pass


class Ours:
    def __init__(self, node):
        self.node = node

    def write(self, name, manifest):
        self.node.write(name, manifest)
        return os.stat(f"{self.node.manifests}/{name}").st_ctime_ns

    def empty(self):
        for name in os.listdir(self.node.manifests):
            self.node.remove(name)
        wait_for("end of the pods", lambda: not self.node.pods(), timeout=120, interval=0.1)

    def stop(self):
        pass


def touching(name, share, volumes=()):
    """A pod that says when its process runs by a file in a hostPath."""
    command = ["sh", "-c", f": > /share/{name}; exec sleep 100000"]
    return pod(name, {"command": command, "imagePullPolicy": "Never",
                      "volumeMounts": [{"name": "share", "mountPath": "/share"}] + [{"name": v["name"], "mountPath": "/" + v["name"]} for v in volumes]},
               volumes=[{"name": "share", "hostPath": {"path": share}}, *volumes], terminationGracePeriodSeconds=0)


def fresh(path):
    os.makedirs(path, exist_ok=True)
    for name in os.listdir(path):
        os.unlink(f"{path}/{name}")
    return path


def start_times(side, share, samples):
    times = []
    for i in range(samples):
        name = f"start{i}"
        begin = side.write("start.json", touching(name, fresh(share), [{"name": "e", "emptyDir": {}}]))
        wait_for("process", lambda: os.path.exists(f"{share}/{name}"), timeout=60, interval=0.002)
        times.append((os.stat(f"{share}/{name}").st_mtime_ns - begin) / 1e6)
        side.empty()
    return statistics.median(times)


def bench_start(node, peer, directory):
    """Manifest renamed into the directory → its process runs."""
    ours = start_times(Ours(node), directory + "/share", 15)
    stock = Stock(peer, 1)
    try:
        theirs = start_times(stock, directory + "/share", 5)
    finally:
        stock.stop()
    row("manifest renamed → its process runs (with a volume)", theirs, ours, "ms", "≤ 20 ms")


def many(side, share, n):
    fresh(share)
    begin = time.time_ns()
    for i in range(n):
        side.write(f"many{i}.json", touching(f"many{i}", share))
    wait_for(f"{n} pods", lambda: len(os.listdir(share)) == n, timeout=600, interval=0.01)
    return (max(os.stat(f"{share}/many{i}").st_mtime_ns for i in range(n)) - begin) / 1e9


def bench_forty(node, peer, directory):
    ours = many(Ours(node), directory + "/forty", 40)
    rest = at_rest(node)
    Ours(node).empty()
    stock = Stock(peer, 2)
    try:
        theirs = many(stock, directory + "/forty", 40)
        their_rest = stock.at_rest()
    finally:
        stock.stop()
    row("40 pods wanted at once → all running", theirs, ours, "s", "≤ 0.4 s")
    rest_rows(40, rest, their_rest, node.idle_pss)


def rollup(pid, field="Pss"):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return int(re.search(rf"^{field}:\s+(\d+)", f.read(), re.M).group(1))


def cpu_ms(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 10


def switches(pids):
    """{thread: how often it has waited}."""
    return {path: int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", open(path).read(), re.M).group(1))
            for pid in pids for path in glob.glob(f"/proc/{pid}/task/*/status")}


def daemons_at_rest(daemons, shims, seconds=10):
    """What pods cost in memory, and their daemons while nothing happens."""
    time.sleep(12)  # the agent's pool threads end
    before, cpu = switches(daemons), sum(map(cpu_ms, daemons))
    time.sleep(seconds)
    woken = sum(n - before.get(thread, 0) for thread, n in switches(daemons).items())
    return {"shims": sum(map(rollup, shims)), "pss": sum(map(rollup, daemons)), "rss": sum(rollup(p, "Rss") for p in daemons),
            "switches": woken / seconds, "cpu": (sum(map(cpu_ms, daemons)) - cpu) / 10 / seconds}


def at_rest(node):
    agent = node.process.pid
    return daemons_at_rest([agent], [p for p in processes(r"nacelle-shim") if parent(p) == agent])


def rest_rows(pods, ours, theirs, idle_pss):
    of_peer = (lambda key, n=1: theirs[key] / n) if theirs else lambda key, n=1: None  # noqa: E731
    row(f"memory of a one-container pod, {pods} pods: shim", of_peer("shims", pods), ours["shims"] / pods, "KB PSS", "≤ 100 KB with the next row")
    row(f"memory of a one-container pod, {pods} pods: the agent's growth", None, (ours["pss"] - idle_pss) / pods, "KB PSS", "")
    row(f"agent with {pods} pods (peer: kubelet and containerd)", of_peer("rss"), ours["rss"], "KB RSS", "≤ 10 MB")
    row(f"wake-ups of the agent at rest, {pods} pods", of_peer("switches"), ours["switches"], "a second", "0")
    row(f"CPU of the agent at rest, {pods} pods", of_peer("cpu"), ours["cpu"], "% of a core", "≤ 2")


def probing(name, period):
    return pod(name, {"command": ["sleep", "100000"], "imagePullPolicy": "Never",
                      "readinessProbe": {"exec": {"command": ["true"]}, "periodSeconds": period}}, terminationGracePeriodSeconds=0)


class Account:
    """CPU and disk writes of some daemons, what they start, and the cgroup of their pods."""

    def __init__(self, daemons, pods_cgroup, name=""):
        self.top = "/sys/fs/cgroup/cpuacct" if os.path.isdir("/sys/fs/cgroup/cpuacct") else "/sys/fs/cgroup"
        self.path = f"{self.top}/nacelle-bench-account-{os.getpid()}{name}"
        self.pods = self.top + pods_cgroup
        os.mkdir(self.path)
        self.daemons = daemons
        for pid in daemons:
            self.move(pid, self.path)

    def move(self, pid, path):
        try:
            with open(path + "/cgroup.procs", "w") as f:
                f.write(str(pid))
        except ProcessLookupError:
            pass  # it has ended

    def cpu_ms(self):
        if os.path.exists(self.path + "/cpuacct.usage"):
            return sum(int(open(p + "/cpuacct.usage").read()) for p in (self.path, self.pods)) / 1e6
        return sum(int(re.search(r"usage_usec (\d+)", open(p + "/cpu.stat").read())[1]) for p in (self.path, self.pods)) / 1e3

    def written_kb(self):
        total = 0
        for pid in open(self.path + "/cgroup.procs").read().split():
            try:
                total += int(re.search(r"^write_bytes: (\d+)", open(f"/proc/{pid}/io").read(), re.M)[1])
            except OSError:
                pass  # it has ended
        return total / 1000

    def close(self):
        def emptied():
            for pid in open(self.path + "/cgroup.procs").read().split():
                self.move(pid, self.top)
            try:
                os.rmdir(self.path)
            except OSError:
                return False
            return True
        wait_for("end of the account", emptied)


def probe_cost(side, account, seconds=20, pods=10):
    """CPU in ms and KB written for each exec probe: a time with probes less a time with the same pods without any."""
    spent = []
    try:
        for period in (100000, 1):
            for i in range(pods):
                side.write(f"probing{i}.json", probing(f"probing{i}", period))
            time.sleep(15)
            cpu, wrote = account.cpu_ms(), account.written_kb()
            time.sleep(seconds)
            spent.append((account.cpu_ms() - cpu, account.written_kb() - wrote))
            side.empty()
    finally:
        account.close()
    return [max(with_ - without, 0) / (seconds * pods) for with_, without in zip(spent[1], spent[0])]


def bench_probe(node, peer, directory):
    ours, wrote = probe_cost(Ours(node), Account([node.process.pid], node.cgroup))
    stock = Stock(peer, 3)
    try:
        theirs, they_wrote = probe_cost(stock, Account([stock.kubelet.process.pid, peer.process.pid], stock.cgroup))
    finally:
        stock.stop()
    row("exec probe, CPU each", theirs, ours, "ms", "≥ 30")
    row("exec probe, written to disk each", they_wrote, wrote, "KB", "nothing")


def exit_latency(node, samples=100):
    """SIGKILL to a container's process → CRI's event of its end at a client; p50 and p99 in ms."""
    events = subprocess.Popen([PEERS + "/crictl", "-r", "unix://" + node.socket, "events"], stdout=subprocess.PIPE, text=True)
    times, last = [], ""
    try:
        time.sleep(2)
        for c in [c for c in node.containers() if c["state"] == "CONTAINER_RUNNING"][:samples]:
            pid = node.inspect(c)["info"]["pid"]
            begin = time.monotonic()
            os.kill(pid, 9)
            for line in events.stdout:  # an event is an object of many lines, its container's id first
                last = line if '"containerId"' in line else last
                if "CONTAINER_STOPPED_EVENT" in line and c["id"] in last:
                    break
            times.append((time.monotonic() - begin) * 1000)
    finally:
        events.terminate()
        events.wait()
    times.sort()
    return times[len(times) // 2], times[int(len(times) * 0.99) - 1]


def bench_thousand(node, peer, directory):
    """1,000 idle pods on a node of their own."""
    big = Node("--max-pods", "1100", "--pod-cidr", "10.214.0.0/16", number=None).start()
    try:
        big.nacelle("import", directory + "/busybox.tar")
        big.idle_pss = rollup(big.process.pid)
        row("1,000 pods wanted at once → all running", None, many(Ours(big), directory + "/thousand", 1000), "s", "all running")
        rest_rows(1000, at_rest(big), None, big.idle_pss)
        p50, p99 = exit_latency(big)
        row("exit of a container → its event at a client, 1,000 pods: median", None, p50, "ms", "")
        row("exit of a container → its event at a client, 1,000 pods: p99", None, p99, "ms", "≤ 50")
        Ours(big).empty()
    finally:
        big.stop()


BENCHES = {"start": bench_start, "forty": bench_forty, "probe": bench_probe, "thousand": bench_thousand}
