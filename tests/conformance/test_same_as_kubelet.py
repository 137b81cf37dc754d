"""The same manifests in one directory, run by a stock kubelet on our CRI socket and by our own agent: what each reports of the
pods, and what each asks of CRI for them, is the same."""
import contextlib
import json
import os
import re
import subprocess
import threading

import pytest

import cri_records
from stock_kubelet import Kubelet

import oci  # noqa: E402
from support.leaks import leaked, remove_cgroups  # noqa: E402
from support.node import Node, pod, wait_for  # noqa: E402

BUSYBOX = {"image": "localhost/busybox:test", "imagePullPolicy": "Never"}
SHARED = "/run/nacelle-test-shared"  # a mount that propagates
SLEEP = "trap 'exit 0' TERM; sleep 1000 & wait"


def init(name, command, **fields):
    return {"name": name, "command": ["sh", "-c", command], **BUSYBOX, **fields}


def exec_probe(command, **fields):
    return {"exec": {"command": ["sh", "-c", command]}, "periodSeconds": 1, **fields}


def affinity(*expressions):
    """Each in a term of its own."""
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [e]} for e in expressions]}}}


def main_state(status, kind="containerStatuses", index=0):
    return (status.get(kind) or [{}] * (index + 1))[index].get("state", {})


def running(status):
    return status.get("phase") == "Running" and all("running" in c["state"] for c in status["containerStatuses"])


def ready(status):
    return running(status) and all(c["ready"] for c in status["containerStatuses"]) and \
        any(c["type"] == "Ready" and c["status"] == "True" for c in status["conditions"])


def ended(status):
    return status.get("phase") in ("Succeeded", "Failed")


def waiting(reason, kind="containerStatuses"):
    return lambda status: main_state(status, kind).get("waiting", {}).get("reason") == reason


def back_off(status):
    """The restarts after which the pod waits for its next start; None when it does not."""
    for c in status.get("containerStatuses", []) + status.get("initContainerStatuses", []):
        if c["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff":
            return c["restartCount"]
    return None


NOT_STARTED = "RunContainerError", "PostStartHookError"


def just_ended(c):
    """The container has ended, or its start failed, and nothing is said yet of how long is waited."""
    return "terminated" in c["state"] or c["state"].get("waiting", {}).get("reason") in NOT_STARTED


def ended_times(status):
    """The restarts of the first container that has ended; None when none has."""
    for c in status.get("containerStatuses", []) + status.get("initContainerStatuses", []):
        if just_ended(c):
            return c["restartCount"]
    return None


RESTART_ALL = [{"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [42]}}]
ONCE = "[ -e /v/there ] && { " + SLEEP + "; }; > /v/there; sleep 2; exit 42"  # when both have started all


def restarted(status):
    return ready(status) and all(c["restartCount"] == 1 for c in status["containerStatuses"])


# name: (pod, when both are to be compared); those that take longest are last.
CASES = {
    "plain": (pod("plain", SLEEP, metadata={"labels": {"app": "x", "tier": "y"}, "annotations": {"note": "kept"}}), ready),
    "done": (pod("done", "exit 0", restartPolicy="Never"), ended),
    "failed": (pod("failed", "exit 7", restartPolicy="Never"), ended),
    "on-failure": (pod("on-failure", "exit 0", restartPolicy="OnFailure"), ended),
    "killed": (pod("killed", "kill -9 $$; sleep 9", restartPolicy="Never"), ended),
    "init-order": (pod("init-order", SLEEP, initContainers=[init("one", "true"), init("two", "exit 0")]), ready),
    "init-fails": (pod("init-fails", SLEEP, initContainers=[init("one", "exit 4"), init("two", "true")], restartPolicy="Never"), ended),
    "init-runs": (pod("init-runs", SLEEP, SLEEP, initContainers=[init("one", SLEEP), init("two", "true")]),
                  lambda s: "running" in main_state(s, "initContainerStatuses")),
    "sidecar": (pod("sidecar", SLEEP, initContainers=[init("car", SLEEP, restartPolicy="Always", startupProbe=exec_probe("true"))]), ready),
    "sidecar-waits": (pod("sidecar-waits", SLEEP, initContainers=[init("car", SLEEP, restartPolicy="Always", startupProbe=exec_probe("false", failureThreshold=900))]),
                      lambda s: "running" in main_state(s, "initContainerStatuses")),
    "sidecar-done": (pod("sidecar-done", "exit 0", restartPolicy="Never", initContainers=[init("car", SLEEP, restartPolicy="Always")]), ended),
    "never-pull": (pod("never-pull", {"image": "localhost/absent:1", "command": ["true"]}), waiting("ErrImageNeverPull")),
    "bad-name": (pod("bad-name", {"image": "UPPER//case", "command": ["true"]}), waiting("InvalidImageName")),
    "pull-back-off": (pod("pull-back-off", {"image": "127.0.0.1:1/none:1", "imagePullPolicy": "Always"}), waiting("ImagePullBackOff")),
    "non-root": (pod("non-root", SLEEP, securityContext={"runAsNonRoot": True}), waiting("CreateContainerConfigError")),
    "no-command": (pod("no-command", {"command": ["/no/such/program"]}, restartPolicy="Never"), ended),
    "no-user": (pod("no-user", {"image": "localhost/nouser:test", "command": ["true"]}), waiting("CreateContainerError")),
    "sub-path": (pod("sub-path", {"command": ["true"], "volumeMounts": [{"name": "v", "mountPath": "/v", "subPathExpr": "$(NONE)"}]},
                     volumes=[{"name": "v", "emptyDir": {}}]), waiting("CreateContainerConfigError")),
    "no-host-path": (pod("no-host-path", {"command": ["true"], "volumeMounts": [{"name": "v", "mountPath": "/v"}]},
                         volumes=[{"name": "v", "hostPath": {"path": "/no/such", "type": "Directory"}}]), waiting("ContainerCreating")),
    "message": (pod("message", "echo -n because > /dev/termination-log; exit 2", restartPolicy="Never"), ended),
    "message-log": (pod("message-log", {"command": ["sh", "-c", "echo said; echo failed >&2; exit 2"], "terminationMessagePolicy": "FallbackToLogsOnError"},
                        restartPolicy="Never"), ended),
    "oom": (pod("oom", {"command": ["sh", "-c", "x=a; while :; do x=$x$x$x; done"], "resources": {"limits": {"memory": "16Mi"}}}, restartPolicy="Never"), ended),
    "not-ready": (pod("not-ready", {"command": ["sh", "-c", SLEEP], "readinessProbe": exec_probe("false")}, SLEEP), running),
    "not-started": (pod("not-started", {"command": ["sh", "-c", SLEEP], "startupProbe": exec_probe("false", failureThreshold=900),
                                        "readinessProbe": exec_probe("true")}), running),
    "probed": (pod("probed", {"command": ["sh", "-c", SLEEP], "startupProbe": exec_probe("true"), "readinessProbe": exec_probe("true"),
                              "livenessProbe": exec_probe("true")}), ready),
    "unhealthy": (pod("unhealthy", {"command": ["sh", "-c", SLEEP], "livenessProbe": exec_probe("false", failureThreshold=1)}, restartPolicy="Never"), ended),
    "deadline": (pod("deadline", SLEEP, activeDeadlineSeconds=5), ended),
    "resources": (pod("resources", {"command": ["sh", "-c", SLEEP], "resources": {"limits": {"cpu": "500m", "memory": "64Mi"}, "requests": {"cpu": "100m"}}},
                      {"command": ["sh", "-c", SLEEP], "resources": {"requests": {"memory": "8Mi"}}}), ready),
    "guaranteed": (pod("guaranteed", {"command": ["sh", "-c", SLEEP], "resources": {"limits": {"cpu": "100m", "memory": "32Mi"}}}), ready),
    "pod-resources": (pod("pod-resources", SLEEP, resources={"limits": {"cpu": "500m", "memory": "64Mi"}, "requests": {"cpu": "100m", "memory": "32Mi"}}), ready),
    "mounts": (pod("mounts", {"command": ["sh", "-c", SLEEP], "env": [{"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                              "volumeMounts": [{"name": "d", "mountPath": "/d", "readOnly": True, "recursiveReadOnly": "Disabled"},
                                               {"name": "d", "mountPath": "/sub", "subPathExpr": "$(N)/x"}, {"name": "m", "mountPath": "/m"},
                                               {"name": "h", "mountPath": "/h", "mountPropagation": "Bidirectional"}, {"name": "h", "mountPath": "/h2", "mountPropagation": "HostToContainer"}, {"name": "i", "mountPath": "/i"}],
                              "securityContext": {"privileged": True}},
                   volumes=[{"name": "d", "emptyDir": {}}, {"name": "m", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
                            {"name": "h", "hostPath": {"path": SHARED}},
                            {"name": "i", "downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}}]), ready),
    "environment": (pod("environment", {"command": ["sh", "-c", SLEEP, "$(A)", "$$(A)"], "args": ["$(B)"], "ports": [{"name": "web", "containerPort": 80}],
                                        "resources": {"limits": {"memory": "64Mi"}}, "workingDir": "/tmp",
                                        "env": [{"name": "A", "value": "one"}, {"name": "B", "value": "$(A)-$(NONE)-$$(A)"}, {"name": "A", "value": "again"},
                                                *({"name": n, "valueFrom": {"fieldRef": {"fieldPath": p}}} for n, p in (
                                                    ("NAME", "metadata.name"), ("UID_", "metadata.uid"), ("NODE", "spec.nodeName"), ("SA", "spec.serviceAccountName"),
                                                    ("ANNOTATION", "metadata.annotations['kubernetes.io/config.source']"))),
                                                *({"name": n, "valueFrom": {"resourceFieldRef": {"resource": r}}} for n, r in (
                                                    ("MEMORY", "limits.memory"), ("CPU", "requests.cpu")))]}), ready),
    "security": (pod("security", {"command": ["sh", "-c", SLEEP], "securityContext": {
        "runAsUser": 1000, "runAsGroup": 3000, "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}, "seccompProfile": {"type": "RuntimeDefault"}}},
        {"command": ["sh", "-c", SLEEP], "securityContext": {"procMount": "Default", "seccompProfile": {"type": "Unconfined"}}, "tty": True, "stdin": True},
        securityContext={"supplementalGroups": [4000], "fsGroup": 5000, "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "80"}]}), ready),
    "host": (pod("host", SLEEP, hostNetwork=True, hostPID=True, hostIPC=True, dnsPolicy="ClusterFirstWithHostNet"), ready),
    "shared": (pod("shared", SLEEP, SLEEP, shareProcessNamespace=True, hostname="me", subdomain="below"), ready),
    "dns": (pod("dns", SLEEP, dnsPolicy="None", setHostnameAsFQDN=True, hostname="short",
                dnsConfig={"nameservers": ["10.9.9.9"], "searches": ["a.example"], "options": [{"name": "ndots", "value": "3"}, {"name": "edns0"}]},
                hostAliases=[{"ip": "10.1.2.3", "hostnames": ["alias"]}]), ready),
    "host-port": (pod("host-port", {"command": ["sh", "-c", SLEEP], "ports": [{"containerPort": 80, "hostPort": 31999, "hostIP": "127.0.0.9"},
                                                                             {"containerPort": 53, "protocol": "UDP"}]}), ready),
    "gate": (pod("gate", SLEEP, readinessGates=[{"conditionType": "example.org/told"}]), running),
    "stop-signal": (pod("stop-signal", {"command": ["sh", "-c", SLEEP], "lifecycle": {"stopSignal": "SIGINT"}}, os={"name": "linux"}), ready),
    "one-ends": (pod("one-ends", "exit 1", SLEEP, restartPolicy="Never"), lambda s: "running" in main_state(s) and "terminated" in main_state(s, index=1)),
    "grace": (pod("grace", SLEEP, terminationGracePeriodSeconds=7, priorityClassName="system-node-critical", priority=2000001000), ready),
    "pre-stop": (pod("pre-stop", {"command": ["sh", "-c", SLEEP], "lifecycle": {"preStop": {"exec": {"command": ["echo", "<&>"]}}}},
                     {"command": ["sh", "-c", SLEEP], "lifecycle": {"preStop": {"httpGet": {"port": 9, "httpHeaders": [{"name": "A", "value": "b"}]}}}},
                     initContainers=[init("car", SLEEP, restartPolicy="Always", lifecycle={"preStop": {"sleep": {"seconds": 1}}})]), ready),
    # What a kubelet does not admit.
    "selected": (pod("selected", SLEEP, nodeSelector={"kubernetes.io/os": "linux", "kubernetes.io/hostname": "stock"}), ready),
    "not-selected": (pod("not-selected", SLEEP, nodeSelector={"disk": "ssd"}), ended),
    "affine": (pod("affine", SLEEP, affinity=affinity({"key": "zone", "operator": "Exists"}, {"key": "kubernetes.io/os", "operator": "In", "values": ["linux", "x"]})), ready),
    "not-affine": (pod("not-affine", SLEEP, affinity=affinity({"key": "kubernetes.io/hostname", "operator": "NotIn", "values": ["stock"]})), ended),
    "other-os": (pod("other-os", SLEEP, os={"name": "windows"}), ended),
    "cpus": (pod("cpus", {"command": ["true"], "resources": {"requests": {"cpu": "1000"}}}), ended),
    "memory": (pod("memory", {"command": ["true"], "resources": {"requests": {"memory": "4Ti", "cpu": "900", "ephemeral-storage": "900Ti"}}}), ended),
    "huge-pages": (pod("huge-pages", {"command": ["true"], "resources": {"requests": {"cpu": "1m"}, "limits": {"hugepages-2Mi": "4Ti"}}}), ended),
    "elsewhere": (pod("elsewhere", {"command": ["sh", "-c", SLEEP], "resources": {"limits": {"example.org/gpu": "1"}}}), ready),
    "unsafe-sysctl": (pod("unsafe-sysctl", SLEEP, securityContext={"sysctls": [{"name": "net/core/somaxconn", "value": "300"}]}), ended),
    "safe-sysctl": (pod("safe-sysctl", SLEEP, securityContext={"sysctls": [{"name": "kernel/shm_rmid_forced", "value": "1"}]}), ready),
    "confined": (pod("confined", {"command": ["true"], "securityContext": {"appArmorProfile": {"type": "Localhost", "localhostProfile": "none"}}}), ended),
    "spelled": (pod("spelled", {"command": ["sh", "-c", SLEEP], "resources": {"limits": {"cpu": "0.15", "memory": "1e8"}}},
                    {"command": ["sh", "-c", SLEEP], "resources": {"limits": {"memory": "20M"}}}, overhead={"cpu": "25m", "memory": "10Mi"}), ready),
    "restart-all": (pod("restart-all", {"command": ["sh", "-c", ONCE], "restartPolicy": "Never", "restartPolicyRules": RESTART_ALL,
                                        "volumeMounts": [{"name": "v", "mountPath": "/v"}]}, SLEEP,
                        volumes=[{"name": "v", "emptyDir": {}}], initContainers=[init("one", "true"), init("car", SLEEP, restartPolicy="Always")]), restarted),
    "restart-all-not": (pod("restart-all-not", {"command": ["sh", "-c", "exit 1"], "restartPolicy": "Never", "restartPolicyRules": RESTART_ALL},
                            restartPolicy="Never"), ended),
    "crash": (pod("crash", "exit 3"), back_off),
    "finished": (pod("finished", "exit 0"), back_off),
    "init-crash": (pod("init-crash", SLEEP, initContainers=[init("one", "exit 4")]), back_off),
    "no-command-again": (pod("no-command-again", {"command": ["/no/such/program"]}), back_off),
    "hook-fails": (pod("hook-fails", {"command": ["sh", "-c", SLEEP.replace(";", "; > /trapped;", 1)],  # else it could be killed before its trap is set
                                      "lifecycle": {"postStart": {"exec": {"command": ["sh", "-c", "until [ -e /trapped ]; do sleep 0.02; done; echo no; exit 5"]}}}}),
                   back_off),
    "restart-rules": (pod("restart-rules", {"command": ["sh", "-c", "exit 42"], "restartPolicy": "Never",
                                            "restartPolicyRules": [{"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}]}), back_off),
}


class Side(threading.Thread):
    """One of the two: what it says of its pods, looked at twice a second."""

    def __init__(self, node, pods):
        super().__init__(daemon=True)
        self.node, self.pods, self.last, self.over = node, pods, {}, threading.Event()
        self.back_offs, self.ends = {}, {}  # {pod: {restarts: status}}
        self.start()

    def run(self):
        while not self.over.wait(0.5):
            try:
                self.last = {p["metadata"]["name"]: p.get("status", {}) for p in self.pods()}
            except (AssertionError, OSError, ValueError):  # too busy to answer: the next look will do
                continue
            for name, status in self.last.items():
                if back_off(status) is not None:
                    self.back_offs.setdefault(name, {})[back_off(status)] = status
                elif ended_times(status) is not None:
                    self.ends.setdefault(name, {})[ended_times(status)] = status

    def status(self, name):
        return self.last.get(name + "-stock", {})


def add_images(node):
    archive = node.dir + "/image.tar"
    for name, config in (("busybox", {}), ("nouser", {"User": "nobodyknows"})):
        oci.Image([oci.busybox_layer()], Cmd=["sh"], **config).write_docker_archive(archive, f"localhost/{name}:test")
        node.nacelle("import", archive)


@contextlib.contextmanager
def shared_mount():
    os.makedirs(SHARED, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "shared", SHARED], check=True)
    subprocess.run(["mount", "--make-rshared", SHARED], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", SHARED], check=True)
        os.rmdir(SHARED)


@pytest.fixture(scope="module")
def sides():
    with shared_mount():
        theirs, ours = Node("--runtime-only").start(), Node("--hostname-override", "stock")
        kubelet = Kubelet(theirs)
        os.rmdir(ours.manifests)
        made = []
        ours.manifests, ours.name, ours.logs = kubelet.static, "stock", ours.dir + "/pods"
        try:
            add_images(theirs)
            add_images(ours.start())
            for name, (manifest, _) in CASES.items():
                kubelet.write(name + ".json", manifest)
            made += Side(theirs, kubelet.pods), Side(ours, ours.pod_list)
            yield made
        finally:
            for side in made:
                side.over.set()
                side.join()
            stop_both(theirs, ours, kubelet)


def stop_both(theirs, ours, kubelet):
    for name in os.listdir(kubelet.static):
        os.unlink(f"{kubelet.static}/{name}")
    try:
        wait_for("end of the pods", lambda: not [p for p in theirs.pods() if p["state"] == "SANDBOX_READY"], timeout=90)
        ours.stop()
        wait_for("kubelet to remove the pods' cgroups", lambda: "cgroups" not in leaked(theirs), timeout=90)
    finally:
        print(kubelet.text()[-3000:])
        kubelet.stop()
        for p in theirs.pods():
            theirs.crictl("rmp", "-f", p["id"], check=False)
        remove_cgroups(theirs.cgroup)
        theirs.stop()


def plain(text, side):
    """A string without what is each side's own: directories, ids, addresses, times."""
    for path in (side.node.root, side.node.dir, side.node.run):
        text = text.replace(path, "DIR")
    text = re.sub(r"/var/tmp/nacelle-kubelet-\w+(/root)?", "DIR", text)
    text = text.replace(side.node.cgroup, "CGROUP")
    text = re.sub(r"\b[0-9a-f]{64}\b", "ID", text)
    text = re.sub(r"(?<![0-9a-f])[0-9a-f]{32}\b|(?<=/pod)[0-9a-f]{32}", "UID", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME", text)
    text = text.replace("/run/nacelle-test-shared", "SHARED")
    text = re.sub(r"rpc error: code = \w+ desc = ", "", text)  # what a socket between the two adds
    text = re.sub(r"(?<=/containers/)(\w[\w-]*)/(\w+)$", r"\1/N", text)  # the file of the termination message
    text = re.sub(r"(?<=, q: )\d+", "N", text)  # what is lacking beside the other pods, and a threshold of the kubelet's
    text = re.sub(r"peak \d+[KM]i(, limit hit \d+ times)?", "peak", text)
    return re.sub(r"\b10\.213\.\d+\.\d+\b|fd00:213:[0-9a-f:]+", "IP", text)


def normal(value, side):
    if isinstance(value, dict):
        return {k: normal(v, side) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [normal(v, side) for v in value]
    if isinstance(value, bytes):
        value = value.decode()
    return plain(value, side) if isinstance(value, str) else value


def differences(theirs, ours, path=""):
    """Where the two differ, a line each. Our messages may say more behind what the kubelet's say."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in sorted(theirs.keys() | ours.keys()):
            yield from differences(theirs.get(key), ours.get(key), f"{path}.{key}")
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for i, (a, b) in enumerate(zip(theirs, ours)):
            yield from differences(a, b, f"{path}[{i}]")
    elif theirs != ours and not (isinstance(theirs, str) and isinstance(ours, str) and path.endswith(".message") and ours.startswith(theirs)):
        yield f"{path}: kubelet {json.dumps(theirs)}, nacelle {json.dumps(ours)}"


def named(items, key=lambda c: c["type"]):
    return {key(i): i for i in items}


def comparable(status, side):
    status = normal(status, side)
    if status.get("podIP") == status.get("hostIP"):
        status.pop("podIP", None), status.pop("podIPs", None)
    for key in ("hostIP", "hostIPs"):  # a kubelet has no address of its node without an API server
        status.pop(key, None)
    status["conditions"] = {c["type"]: c for c in status.get("conditions", [])}
    return status


def wait_for_same(sides, name, what):
    """What is still on its way counts only when it stays different."""
    until = CASES[name][1]
    seen = []

    def same():
        seen[:] = [f"{s.node.name} has not come there: {s.status(name)}" for s in sides if not until(s.status(name))] or what(*sides)
        return not seen
    try:
        wait_for("same", same, timeout=60, interval=0.3)
    except AssertionError:
        raise AssertionError("\n".join(seen)) from None


@pytest.mark.parametrize("name", [n for n, (_, until) in CASES.items() if until is not back_off])
def test_status(sides, name):
    wait_for_same(sides, name, lambda a, b: list(differences(comparable(a.status(name), a), comparable(b.status(name), b))))


def orderless(record, side):
    """Without what the kubelet puts in a random order, or asks of every container: no huge pages, of any size."""
    record = normal(record, side)
    hook = record.get("annotations", {}).get("io.kubernetes.container.preStopHandler")
    if hook:
        record["annotations"]["io.kubernetes.container.preStopHandler"] = json.loads(hook)
    record["envs"] = {e["key"]: e.get("value") for e in record.get("envs", [])}
    record.get("dns_config", {}).get("options", []).sort()
    resources = record.get("linux", {}).get("resources", {})
    resources["hugepage_limits"] = [page for page in resources.get("hugepage_limits", []) if page.get("limit")]
    return record


def asked(side, records, name):
    """The newest of the pod's records, by container."""
    return {r["metadata"]["name"]: orderless(r, side) for r in sorted(records(side.node), key=lambda r: r["metadata"].get("attempt", 0))
            if r["labels"]["io.kubernetes.pod.name"] == name + "-stock"}


@pytest.mark.parametrize("name", [n for n, (_, until) in CASES.items() if until in (ready, ended, running)])
def test_requests(sides, name):
    wait_for_same(sides, name, lambda a, b: [line for records in (cri_records.sandboxes, cri_records.containers)
                                             for line in differences(asked(a, records, name), asked(b, records, name))])


def as_ended(status):
    """The status as it is between an exit and the kubelet's next look, when it does not tell of the back-off yet."""
    status = json.loads(json.dumps(status))
    for c in status.get("containerStatuses", []) + status.get("initContainerStatuses", []):
        last = c.pop("lastState", {})
        if c["state"].get("waiting", {}).get("reason") in ("CrashLoopBackOff", *NOT_STARTED):
            c["state"] = last
    return status


@pytest.mark.parametrize("name", [n for n, (_, until) in CASES.items() if until is back_off])
def test_back_off(sides, name):
    """After the same start, both say the same: of how it ended, of how often, and, where the kubelet came to say it (it looks
    again only when the time is nearly over), of how long is waited."""
    theirs, ours = (s.back_offs.setdefault(name + "-stock", {}) for s in sides)
    ends = sides[0].ends.setdefault(name + "-stock", {})
    wait_for(f"back-off of {name}", lambda: theirs.keys() & ours.keys() or max(ends.keys() & ours.keys(), default=0) > 1, timeout=120)
    if theirs.keys() & ours.keys():
        restarts = max(theirs.keys() & ours.keys())
        pair = theirs[restarts], ours[restarts]
    else:
        restarts = max(ends.keys() & ours.keys())
        pair = as_ended(ends[restarts]), as_ended(ours[restarts])
    assert not list(differences(*(comparable(status, side) for status, side in zip(pair, sides))))
