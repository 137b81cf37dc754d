"""A cluster in a virtual machine of Debian: the machine through all its lives, what is asked of the cluster in it, and what is told."""
import base64
import glob
import json
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(TOP, os.environ.get("BUILD", "build"))
sys.path[:0] = [HERE, TOP + "/contrib/demo", TOP + "/tests/integration"]

import debian  # noqa: E402
import guest  # noqa: E402
import machine  # noqa: E402
import oci  # noqa: E402
from support.acknowledged import TROUBLE, Writers  # noqa: E402
from support.api import Client, free_port  # noqa: E402

IMAGE = "localhost/busybox:test"
PODS, DEPLOYMENTS, NODE = "/api/v1/namespaces/default/pods", "/apis/apps/v1/namespaces/default/deployments", "/api/v1/nodes/vm"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/vm"
MERGE = {"Content-Type": "application/merge-patch+json"}
READY = 150  # seconds in which what is asked of a cluster in an emulated machine is done
# Leaves a note when it is told to end, in a directory of the host's.
POLITE = "trap 'echo ended >/host/$HOSTNAME; sync; exit 0' TERM; n=0; while :; do n=$((n + 1)); sleep 0.2; done"


def template(name, command, **spec):
    container = {"name": "c", "image": IMAGE, "imagePullPolicy": "Never", "command": ["sh", "-c", command]}
    if "probe" in spec:
        container["readinessProbe"] = {"exec": {"command": spec.pop("probe")}, "periodSeconds": 1, "failureThreshold": 1}
    if "volumes" in spec:
        container["volumeMounts"] = [{"name": v["name"], "mountPath": "/" + v["name"]} for v in spec["volumes"]]
    return {"metadata": {"labels": {"app": name}}, "spec": {"terminationGracePeriodSeconds": 5, "containers": [container], **spec}}


def deployment(name, replicas, command="sleep 100000 & wait", **spec):
    return {"metadata": {"name": name}, "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template(name, command, **spec)}}


HOST = {"name": "host", "hostPath": {"path": "/var/notes", "type": "DirectoryOrCreate"}}
SETTINGS = {"name": "settings", "configMap": {"name": "settings"}}
STATIC = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "static", "namespace": "default"}, "spec": template("static", "sleep 100000 & wait")["spec"]}


class World:
    """The machine through all its lives, and the cluster in it."""

    def __init__(self, packages, work, kind, console):
        """`packages`: where debian.build_packages() put them; `kind`: of Debian, a key of debian.KINDS; all of it is below `work`."""
        os.makedirs(work)
        self.passed, self.failed, self.guest, self.port, self.kind = 0, 0, None, 0, kind
        self.console, self.pki = console, work + "/pki"
        self.writers, self.connection = Writers(self.client), None
        self.writers.others.add("settings")
        self.vmlinuz, modules, version = machine.kernel()
        root = debian.Root(work, list(debian.packages().values()), kind)
        root.modules(modules, version, loads=False)
        for directory in ("debs", "newer"):
            for path in glob.glob(f"{packages}/{directory}/*.deb"):
                root.add(path, f"{directory}/{os.path.basename(path)}")
        os.makedirs(root.root + "/images")
        oci.Image([oci.busybox_layer()], Cmd=["sh"]).write_docker_archive(root.root + "/images/busybox.tar", IMAGE)
        root.write("etc/nacelle/manifests/static.json", json.dumps(STATIC))
        root.make(1200)
        self.disk = root.image

    # -- what is told --

    def check(self, name, good, why=""):
        self.passed, self.failed = self.passed + bool(good), self.failed + (not good)
        print(f"{'ok' if good else 'not ok'} {name}{'' if good else f': {why() if callable(why) else why}'}", flush=True)
        return good

    def equal(self, name, expected, got):
        return self.check(name, expected == got, f"expected {expected!r}, got {got!r}")

    # -- the machine --

    def boot(self):
        def next_port():
            self.port = free_port()
            return self.port
        self.connection = None
        began = time.monotonic()
        self.guest = guest.start(self.vmlinuz, self.disk, self.console, next_port, **debian.KINDS[self.kind].words)
        print(f"the machine is up after {time.monotonic() - began:.0f} s", flush=True)

    def end(self):
        if self.guest:
            self.guest.cut_power()
        self.guest, self.connection = None, None

    def trouble(self):
        """What there is to know when something does not come."""
        return self.guest.ask(f"{debian.KINDS[self.kind].trouble}; nacelle ps -a; dmesg | tail -n 5").output[-5000:]

    # -- its cluster --

    def client(self):
        return Client(self.port, self.pki, any_time=True)

    def ask(self, method, path, body=None, **headers):
        """One that goes on where the connection has ended, for what may be asked twice."""
        for _ in range(50):
            try:
                self.connection = self.connection or self.client()
                return self.connection.ask(method, path, body, **headers)
            except TROUBLE:
                self.connection = None
                time.sleep(0.3)
        return 0, {}

    def until(self, what, true, seconds=READY):
        deadline = time.monotonic() + seconds
        while not (answer := true()):
            if time.monotonic() > deadline:
                self.check(what, False, self.trouble)
                return None
            time.sleep(0.3)
        self.check(what, True)
        return answer

    def take_keys(self):
        """Those that the service has now; a connection of before had others."""
        os.makedirs(self.pki, exist_ok=True)
        self.connection = None
        for name in ("ca.crt", "admin.crt", "admin.key"):
            with open(f"{self.pki}/{name}", "wb") as f:
                f.write(base64.b64decode(self.guest.run(f"base64 -w 0 /var/lib/nacelle-api/pki/{name}")))

    def reached(self):
        """Whether the service answers who has its keys, which may be others since the clock was set."""
        self.take_keys()
        return self.ask("GET", NODE)[0] == 200

    def pods(self, app=None):
        status, answer = self.ask("GET", PODS + (f"?labelSelector=app%3D{app}" if app else ""))
        return answer["items"] if status == 200 else []

    def running(self, app, replicas):
        """Those of a Deployment, when they all run and no other is there; else None."""
        found = [p for p in self.pods(app) if p["status"].get("phase") not in ("Failed", "Succeeded")]
        whole = [p for p in found if p["status"].get("phase") == "Running" and all(s["ready"] for s in p["status"].get("containerStatuses", [{"ready": False}]))
                 and not p["metadata"].get("deletionTimestamp")]
        return found if len(whole) == len(found) == replicas else None

    def containers(self):
        """{pod's uid: (container's id, how often it was started again)}"""
        return {p["metadata"]["uid"]: [(s.get("containerID"), s["restartCount"]) for s in p["status"].get("containerStatuses", [])] for p in self.pods()}

    def processes(self):
        """{container's id: its process}, from the node itself."""
        return self.guest.run("for id in $(nacelle ps -q | sort); do echo $id $(nacelle inspect -o json $id | grep -m 1 '\"pid\":' | tr -dc 0-9); done")

    def ready_since(self, lease):
        """Whether the node is Ready and its Lease another than `lease`."""
        status, node = self.ask("GET", NODE)
        ready = status == 200 and any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"].get("conditions", []))
        return ready and self.lease() not in (None, lease)

    def lease(self):
        status, answer = self.ask("GET", LEASE)
        return answer["spec"]["renewTime"] if status == 200 else None

    def same(self, name, containers, processes):
        self.equal(f"{name}: no container is another, or was started again", containers, self.containers())
        self.equal(f"{name}: no process is another", processes, self.processes())

    def comes_back(self, name, app="web"):
        """The node and what runs on it, and a pod of after."""
        lease = self.lease()
        self.until(f"{name}: the node is Ready, its Lease renewed", lambda: self.ready_since(lease))
        self.runs_new(name)

    def runs_new(self, name):
        made = {"metadata": {"name": "new"}, "spec": template("new", "sleep 100000 & wait")["spec"]}
        self.ask("POST", PODS, made)
        self.until(f"{name}: a new pod runs", lambda: any(p["metadata"]["name"] == "new" and p["status"].get("phase") == "Running" for p in self.pods()))
        self.ask("DELETE", PODS + "/new")
        self.until(f"{name}: and goes", lambda: all(p["metadata"]["name"] != "new" for p in self.pods()))

    def knows(self, token):
        return self.ask("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": token}})[1].get("status", {}).get("authenticated")

    def scale(self, name, replicas):
        return self.ask("PATCH", f"{DEPLOYMENTS}/{name}", {"spec": {"replicas": replicas}}, **MERGE)[0]

    def make_cluster(self):
        self.guest.run("nacelle import /images/busybox.tar")
        said = self.guest.run("nacelle init --token-ttl 0 2>&1")
        self.check("nacelle init says how others join", "nacelle join" in said, said)
        self.take_keys()
        self.ask("POST", "/api/v1/namespaces/default/configmaps", {"metadata": {"name": "settings", "namespace": "default"}, "data": {"key": "first"}})
        for made in (deployment("web", 3, volumes=[SETTINGS], probe=["test", "!", "-e", "/tmp/bad"]), deployment("polite", 1, POLITE, volumes=[HOST])):
            self.ask("POST", DEPLOYMENTS, made)
        self.until("Deployments' pods run", lambda: self.running("web", 3) and self.running("polite", 1))
        self.until("a static pod has its mirror", lambda: any(p["metadata"]["name"] == "static-vm" and p["status"].get("phase") == "Running" for p in self.pods()))
