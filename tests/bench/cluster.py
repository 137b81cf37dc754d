"""A cluster of nacelle-api and an agent beside kube-apiserver, etcd, scheduler, controller-manager, kubelet and containerd, on the same work.

Either lives in namespaces of its own; its figures come back as lines of JSON. CLUSTER='start deployments' in the environment: some parts alone.
CLUSTER_PEER=no: ours alone. CLUSTER_SAMPLES (15), CLUSTER_REST (seconds at rest, 20), CLUSTER_CP_MB (1,000), CLUSTER_AGENTS (1,000) and
CLUSTER_AGENT_PODS of each (100). CLUSTER_KEEP=DIR: logs go there."""
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(HERE)

from cluster_look import PODS, REST_S, SETTLE_S, cpu, cpu_at_rest, end_pod, make, pod, pss_mb, running_pod, watcher_of, written  # noqa: E402

SAMPLES = int(os.environ.get("CLUSTER_SAMPLES", "15"))
CP_MB = int(os.environ.get("CLUSTER_CP_MB", "1000"))
CHANGES = int(os.environ.get("CLUSTER_CHANGES", "100"))  # of pods' statuses a second, by all agents
AGENTS, AGENT_PODS = int(os.environ.get("CLUSTER_AGENTS", "1000")), int(os.environ.get("CLUSTER_AGENT_PODS", "100"))
CROWD = f"{AGENTS:,} agents of {AGENT_PODS} pods"
CHUNK = 10_000_000  # bytes that the writer of logs prints at a time
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
NAMESPACES = ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child",
              "--mount-proc", "--propagation", "shared", "--"]
ENDS_WHEN_TOLD = ["sh", "-c", "trap 'exit 0' TERM; sleep 100000 & wait"]


# --- the parts: each gives figures by name ---

def one_start(side, client, watcher, name, **options):
    watcher.forget()
    body = pod(name, **options)
    began = time.monotonic()
    make(client, PODS, body)
    seen = watcher.wait(name, watcher.running, 1, 60)
    client.ask("DELETE", f"{PODS}/{name}", {"gracePeriodSeconds": 1})
    watcher.wait(name, watcher.gone, 1, 60)
    return (seen - began) * 1000


def start(side):
    client, watcher, out = side.client(), watcher_of(side), {}
    for what, options in (("pod created with a nodeName → Running", {"node": side.node_name}), ("pod created → scheduled → Running", {})):
        for volume, token in (("", False), ("; with a token's volume", True)):
            times, used = [], cpu(side.control_plane() + side.daemons())
            for i in range(SAMPLES):
                times.append(one_start(side, client, watcher, f"start-{len(out)}-{i}", command=ENDS_WHEN_TOLD, grace=1, token=token, **options))
                time.sleep(0.1)
            out[what + volume] = statistics.median(times), "ms"
            out[what + volume + ": CPU of services and node until it is gone"] = (cpu(side.control_plane() + side.daemons()) - used) * 1000 / SAMPLES, "ms"
    return out


def deployment(name, replicas, command=ENDS_WHEN_TOLD):
    made = pod(name, command, labels={"app": name}, grace=30)
    del made["metadata"]["name"]
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": {"metadata": made["metadata"], "spec": made["spec"]}}}


def one_deployment(side, client, watcher, n, between=lambda: None):
    watcher.forget()
    all_of_it = side.control_plane() + side.daemons()
    began, used = time.monotonic(), cpu(all_of_it)
    make(client, DEPLOYMENTS, deployment("many", n))
    up = watcher.wait("running", watcher.running, n) - began
    used = cpu(all_of_it) - used
    between()
    began = time.monotonic()
    client.ask("DELETE", DEPLOYMENTS + "/many", {"propagationPolicy": "Background"})
    return up, watcher.wait("gone", watcher.gone, n) - began, used


def deployments(side, where=""):
    client, watcher, out = side.client(), watcher_of(side), {}
    for n in (40, 100):
        runs = [one_deployment(side, client, watcher, n) for _ in range(3 if hasattr(side, "api") else 1)]  # of the peer's each takes minutes
        for i, (what, unit) in enumerate((("all Running", "s"), ("all gone", "s"), ("all Running: CPU of services and node", "s"))):
            out[f"Deployment of {n} pods{where} → {what}"] = statistics.median(r[i] for r in runs), unit
    return out


def two(side):
    """Over two nodes: ours alone."""
    if not hasattr(side, "add"):
        return {}
    side.add()
    return deployments(side, " over two nodes")


def idle(side):
    client, watcher, out = side.client(), watcher_of(side), {}

    def rest():
        time.sleep(SETTLE_S)
        pids = side.daemons() + side.shims()
        out["100 idle pods: CPU of daemons and shims"] = cpu_at_rest(pids), "% of a core"
        out["100 idle pods: memory of daemons and shims"] = pss_mb(pids), "MB PSS"
    one_deployment(side, client, watcher, 100, rest)
    return out


def plane(side):
    time.sleep(SETTLE_S)
    pids = side.control_plane()
    wrote = written(pids)
    return {"control plane at rest, one node: CPU": (cpu_at_rest(pids), "% of a core"),
            "control plane at rest, one node: memory": (pss_mb(pids), "MB PSS"),
            "control plane at rest, one node: written": ((written(pids) - wrote) / REST_S * 60 / 1000, "KB a minute")}


def probes(side, pods_n=20):
    """20 exec probes a second: the CPU of a time with them, less that of the same pods without."""
    from pods import Account
    client, watcher, spent = side.client(), watcher_of(side), []
    for period in (100_000, 1):
        watcher.forget()
        for i in range(pods_n):
            make(client, PODS, pod(f"probing-{i}", node=side.node_name, readinessProbe={"exec": {"command": ["true"]}, "periodSeconds": period}))
        watcher.wait("probing", watcher.running, pods_n, 120)
        account = Account(side.daemons(), side.cgroup)
        try:
            time.sleep(SETTLE_S)
            used = account.cpu_ms() + 1000 * cpu(side.control_plane())
            time.sleep(REST_S)
            spent.append(account.cpu_ms() + 1000 * cpu(side.control_plane()) - used)
        finally:
            account.close()
        for i in range(pods_n):
            client.ask("DELETE", f"{PODS}/probing-{i}", {"gracePeriodSeconds": 1})
        watcher.wait("gone", watcher.gone, pods_n, 120)
    return {"20 exec probes a second: CPU": (max(0, spent[1] - spent[0]) / REST_S / 10, "% of a core")}


def config(side):
    from support.node import processes, wait_for
    client, times = side.client(), []
    path = "/api/v1/namespaces/default/configmaps"
    make(client, path, {"metadata": {"name": "seen"}, "data": {"value": "0"}})
    watcher = running_pod(side, client, pod("seen", ("sleep", "7654321"), side.node_name, volumes=[{"name": "cfg", "configMap": {"name": "seen"}}]))
    pid = wait_for("process", lambda: next(iter(processes(r"^sleep 7654321")), None))
    for i in range(1, 1 + (10 if hasattr(side, "api") else 2)):
        time.sleep(0.3)
        began = time.monotonic()
        client.ask("PATCH", path + "/seen", {"data": {"value": str(i)}}, **{"Content-Type": "application/merge-patch+json"})
        wait_for("change", lambda: open(f"/proc/{pid}/root/cfg/value").read() == str(i), timeout=200, interval=0.001)
        times.append((time.monotonic() - began) * 1000)
    end_pod(client, watcher, "seen")
    return {"ConfigMap changed → seen in the volume": (statistics.median(times), "ms")}


def logs(side, seconds=8):
    """What `kubectl logs -f` gives of a pod that writes up to 100 MB/s: 10 MB, then the rest of a tenth of a second."""
    share = tempfile.mkdtemp()
    with open(share + "/lines", "w") as f:
        f.writelines(f"{i:099d}\n" for i in range(CHUNK // 100))
    command = ["sh", "-c", f"while :; do for i in $(seq 10); do cat /share/lines & usleep {10**6 * CHUNK // 10**8}; wait; done; done"]
    client = side.client()
    watcher = running_pod(side, client, pod("writer", command, side.node_name, volumes=[{"name": "share", "hostPath": {"path": share}}]))
    reader = side.kubectl("logs", "-f", "--tail=1", "writer", stdout=subprocess.PIPE)
    try:
        reader.stdout.read(1 << 20)
        total, began = 0, time.monotonic()
        while (now := time.monotonic()) < began + seconds:
            total += len(os.read(reader.stdout.fileno(), 1 << 20))
        rate = total / 1e6 / (now - began)
    finally:
        reader.kill()
        reader.wait()
    end_pod(client, watcher, "writer")
    return {"kubectl logs -f of a pod that writes 100 MB/s": (rate, "MB/s")}


def cp(side):
    client, local = side.client(), tempfile.mkdtemp()
    fill = f"dd if=/dev/urandom of=/data/big bs=1M count={CP_MB * 10**6 >> 20} 2>/dev/null; touch /data/made; exec sleep 100000"
    share = tempfile.mkdtemp()
    watcher = running_pod(side, client, pod("big", ("sh", "-c", fill), side.node_name, volumes=[{"name": "data", "hostPath": {"path": share}}]))
    from support.node import wait_for
    wait_for("file", lambda: os.path.exists(share + "/made"), timeout=120, interval=0.1)
    size, out = os.stat(share + "/big").st_size / 1e6, {}
    for what, source, target in (("from a pod", "default/big:/data/big", local + "/big"), ("into a pod", local + "/big", "default/big:/data/back")):
        began = time.monotonic()
        if side.kubectl("cp", source, target, stdout=subprocess.DEVNULL).wait():
            raise SystemExit(f"bench: kubectl cp {what} fails")
        out[f"kubectl cp of {CP_MB:,} MB {what}"] = size / (time.monotonic() - began), "MB/s"
    end_pod(client, watcher, "big")
    for path in (local, share):
        shutil.rmtree(path)
    return out


def mutating(client):
    """[(upper bound in s, how many)] of changes that the service has answered so far, by itself."""
    counted = {}
    for line in client.raw("GET", "/metrics")[2].decode().splitlines():
        if line.startswith("apiserver_request_duration_seconds_bucket{") and re.search('verb="(POST|PUT|PATCH|DELETE|APPLY)"', line):
            bound = float(re.search('le="([^"]*)"', line)[1].replace("+Inf", "inf"))
            counted[bound] = counted.get(bound, 0) + float(line.rpartition(" ")[2])
    return sorted(counted.items())


def within(before, after, bound):
    """Which part of the changes between the two was answered within @bound seconds."""
    n = {le: count - dict(before).get(le, 0) for le, count in after}
    return 100 * n[bound] / (n[float("inf")] or 1)


def agents(side):
    """Of 1,000 agents that run nothing: what their leases, statuses and watches cost, and what a client's requests wait: as the client sees it,
    which has to share processors with the crowd, and as the service has it."""
    from support.api import BUILD
    crowd = subprocess.Popen([BUILD + "/tests/bench/cluster_agents", f"https://127.0.0.1:{side.port}", side.pki + "/ca.crt", side.pki + "/ca.key",
                              str(AGENTS), str(AGENT_PODS), str(CHANGES)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    began = time.monotonic()
    if crowd.stdout.readline() != "ready\n":
        raise SystemExit("bench: cluster_agents fails")
    out = {}
    out[CROWD + ": until all have told that all run"] = time.monotonic() - began, "s"
    time.sleep(SETTLE_S)
    client = side.client()
    before, used, began = mutating(client), cpu(side.control_plane()), time.monotonic()
    loader = subprocess.Popen([BUILD + "/tests/bench/api_load", f"--server=127.0.0.1:{side.port}", f"--ca={side.pki}/ca.crt", f"--cert={side.pki}/admin.crt",
                               f"--key={side.pki}/admin.key", "--workload=create", "--clients=2", "--rate=20", f"--seconds={max(REST_S, 20)}",
                               "--path=/api/v1/namespaces/default/configmaps"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    said = json.loads(loader.communicate("\n")[0].splitlines()[-1])
    out[f"{CROWD}, {CHANGES} statuses a second: CPU of the control plane"] = (cpu(side.control_plane()) - used) / (time.monotonic() - began) * 100, "% of a core"
    out[f"{CROWD}, {CHANGES} statuses a second: p99 of a create beside them"] = said["p99_ms"], "ms"
    out[f"{CROWD}, {CHANGES} statuses a second: changes that the service answers within 50 ms"] = within(before, mutating(client), 0.05), "%"
    out[f"{CROWD}: memory of the control plane"] = pss_mb(side.control_plane()), "MB PSS"
    crowd.stdin.close()
    crowd.wait()
    return out


PARTS = {f.__name__: f for f in (plane, start, deployments, idle, probes, config, logs, cp, two, agents)}
WANTED = {"pod created with a nodeName → Running": "≤ 25 ms", "pod created with a nodeName → Running; with a token's volume": "≤ 25 ms",
          "pod created → scheduled → Running": "≤ 30 ms", "pod created → scheduled → Running; with a token's volume": "≤ 30 ms",
          "Deployment of 40 pods → all Running": "≤ 0.5 s", "Deployment of 40 pods → all gone": "≤ 0.5 s",
          "Deployment of 100 pods → all Running": "≤ 1.2 s", "Deployment of 100 pods → all gone": "≤ 1.2 s",
          "100 idle pods: memory of daemons and shims": "≤ 18 MB", "100 idle pods: CPU of daemons and shims": "≤ 0.1%",
          "control plane at rest, one node: memory": "≤ 20 MB", "control plane at rest, one node: CPU": "≤ 0.1%",
          "control plane at rest, one node: written": "≤ 10 MB a day", "20 exec probes a second: CPU": "≤ 3%",
          "ConfigMap changed → seen in the volume": "≤ 100 ms", "kubectl logs -f of a pod that writes 100 MB/s": "≥ 2",
          f"{CROWD}, {CHANGES} statuses a second: CPU of the control plane": "≤ 25%",
          f"{CROWD}, {CHANGES} statuses a second: p99 of a create beside them": "≤ 50 ms",
          f"kubectl cp of {CP_MB:,} MB from a pod": "≥ 2", f"kubectl cp of {CP_MB:,} MB into a pod": "≥ 2"}


# --- a side in its namespaces ---

def inside(name, directory, number, parts):
    import cluster_sides
    subprocess.run("ip link set lo up".split(), check=True)
    for path in ("/run", "/var/log/containers", "/var/lib/kubelet"):
        os.makedirs(path, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "bench", path], check=True)
    os.makedirs("/run/netns")
    os.environ.update(HOME=directory, TMPDIR=directory + "/tmp")
    os.mkdir(directory + "/tmp")
    side = getattr(cluster_sides, name)(directory, cgroups(number), cluster_sides.archives(directory))
    try:
        for part in parts:
            for work, (value, unit) in PARTS[part](side).items():
                print(json.dumps([work, value, unit]), flush=True)
    finally:
        if os.environ.get("CLUSTER_KEEP"):
            for log in side.logs() + [f"{directory}/{f}" for f in os.listdir(directory) if f.endswith(".log")]:
                shutil.copy(log, f"{os.environ['CLUSTER_KEEP']}/{name}-{os.path.basename(os.path.dirname(log))[:5]}-{os.path.basename(log)}")
    os._exit(0)  # its namespaces end what it has started


def cgroups(number):
    return [f"/nacelle-bench-{number}-{n}" for n in range(2)]


def measure(name, parts, take):
    from support.leaks import remove_cgroups
    from support.node import free_number, wait_for
    number = free_number()
    directory = tempfile.mkdtemp(prefix=f"nacelle-bench-{number}-", dir="/var/tmp")
    process = subprocess.Popen([*NAMESPACES, sys.executable, os.path.abspath(__file__), name, directory, str(number), *parts], stdout=subprocess.PIPE, text=True)
    try:
        for line in process.stdout:
            take(*json.loads(line))
        if process.wait():
            raise SystemExit(f"bench: cluster: {name} failed")
    finally:
        process.kill()
        process.wait()

        def removed():
            for name in cgroups(number):
                remove_cgroups(name)
            return not [h for h in os.listdir("/sys/fs/cgroup") for name in cgroups(number) if os.path.exists(f"/sys/fs/cgroup/{h}{name}")]
        wait_for("end of the cgroups", removed, timeout=60)
        shutil.rmtree(directory, ignore_errors=True)


def bench_cluster(row):
    parts = os.environ.get("CLUSTER", "").split() or list(PARTS)
    if unknown := [name for name in parts if name not in PARTS]:
        raise SystemExit(f"CLUSTER: there is no part {unknown[0]}; give some of {' '.join(PARTS)}")
    theirs = {}
    if os.environ.get("CLUSTER_PEER") != "no":
        measure("Stock", parts, lambda work, value, unit: theirs.__setitem__(work, value))
    measure("Ours", parts, lambda work, value, unit: row(work, theirs.get(work), value, unit, WANTED.get(work, "")))


if __name__ == "__main__":
    sys.path[:0] = [os.path.join(HERE, "../integration"), os.path.join(HERE, "../conformance"), os.path.join(HERE, "../../contrib/demo"), HERE]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    inside(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:])
