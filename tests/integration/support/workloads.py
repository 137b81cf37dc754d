"""Workloads and Services by the API alone: what is asked of their controllers, and pods that a test lets run."""
import time

APPS = "/apis/apps/v1/namespaces/"
MERGE = {"Content-Type": "application/merge-patch+json"}
STRATEGIC = {"Content-Type": "application/strategic-merge-patch+json"}
PATIENCE = 40  # seconds


def eventually(true):
    end = time.monotonic() + PATIENCE
    while not (answer := true()) and time.monotonic() < end:
        time.sleep(0.02)
    return answer


def pod_spec(image="i", **more):
    return {"containers": [{"name": "c", "image": image, "ports": [{"name": "http", "containerPort": 8080}]}], **more}


def template(image="i", labels=None, **more):
    return {"metadata": {"labels": labels or {"app": "a"}}, "spec": pod_spec(image, **more)}


class Namespace:
    """One of a test's own, with short ways to what is in it."""
    made = 0

    def __init__(self, client):
        Namespace.made += 1
        self.client, self.name = client, f"w{Namespace.made}-{time.monotonic_ns()}"
        self.ask("POST", "/api/v1/namespaces", {"metadata": {"name": self.name}})
        self.core, self.apps = f"/api/v1/namespaces/{self.name}/", f"{APPS}{self.name}/"
        self.discovery, self.policy = f"/apis/discovery.k8s.io/v1/namespaces/{self.name}/", f"/apis/policy/v1/namespaces/{self.name}/"
        self.addresses = 0
        assert eventually(lambda: client.ask("GET", self.core + "serviceaccounts/default")[0] == 200)

    def ask(self, method, path, body=None, **headers):
        status, answer = self.client.ask(method, path, body, **headers)
        assert status < 300, (method, path, answer)
        return answer

    def get(self, path):
        status, answer = self.client.ask("GET", path)
        return answer if status == 200 else None

    def make(self, path, name, spec, **meta):
        return self.ask("POST", path, {"metadata": {"name": name, **meta}, "spec": spec})

    def merge(self, path, change):
        return self.ask("PATCH", path, change, **MERGE)

    def delete(self, path, **options):
        return self.ask("DELETE", path, options or None)

    def replicaset(self, name, replicas, labels=None, meta=None, **spec):
        labels = labels or {"app": "a"}
        return self.make(self.apps + "replicasets", name, {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template(labels=labels), **spec}, **(meta or {}))

    def deployment(self, name, replicas, image="i", meta=None, **spec):
        return self.make(self.apps + "deployments", name, {"replicas": replicas, "selector": {"matchLabels": {"app": "a"}}, "template": template(image), **spec}, **(meta or {}))

    def service(self, name, **spec):
        return self.make(self.core + "services", name, {"selector": {"app": "a"}, "ports": [{"name": "web", "port": 80, "targetPort": "http"}], **spec})

    def set_image(self, name, image):
        return self.merge(f"{self.apps}deployments/{name}", {"spec": {"template": {"spec": pod_spec(image)}}})

    def pods(self, labels=""):
        return sorted(self.ask("GET", f"{self.core}pods?labelSelector={labels}")["items"], key=lambda p: p["metadata"]["name"])

    def active(self, labels=""):
        return [p for p in self.pods(labels) if not p["metadata"].get("deletionTimestamp")]

    def status(self, path):
        return self.ask("GET", path)["status"]

    def sets(self):
        """ReplicaSets by the image of their pods."""
        return {s["spec"]["template"]["spec"]["containers"][0]["image"]: s for s in self.ask("GET", self.apps + "replicasets")["items"]}

    def sizes(self):
        return {image: s["spec"]["replicas"] for image, s in self.sets().items()}

    def events(self, kind):
        return [(e["reason"], e["message"]) for e in self.ask("GET", f"{self.core}events")["items"] if e["involvedObject"]["kind"] == kind]

    # --- pods as a node would have them

    def say(self, pod, ready=True, phase="Running", since=None, **status):
        self.addresses += 1
        ip = pod["status"].get("podIP") or f"10.9.{self.addresses // 250}.{self.addresses % 250 + 1}"
        since = since or time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        return self.ask("PATCH", f"{self.core}pods/{pod['metadata']['name']}/status", {"status": {
            "phase": phase, "podIP": ip, "podIPs": [{"ip": ip}], "conditions": [{"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": since}],
            **status}}, **STRATEGIC)

    def bind(self, pod, node):
        name = pod["metadata"]["name"]
        self.ask("POST", f"{self.core}pods/{name}/binding", {"metadata": {"name": name}, "target": {"kind": "Node", "name": node}})

    def run(self, images=None):
        """Those of @images (all) that do not run yet become ready, and those that are asked to go, go."""
        for p in self.pods():
            if p["metadata"].get("deletionTimestamp"):
                self.client.ask("DELETE", f"{self.core}pods/{p['metadata']['name']}", {"gracePeriodSeconds": 0})
            elif p["status"].get("phase") == "Pending" and (not images or p["spec"]["containers"][0]["image"] in images):
                self.client.ask("PATCH", f"{self.core}pods/{p['metadata']['name']}/status", {"status": {"phase": "Running", "conditions": [
                    {"type": "Ready", "status": "True", "lastTransitionTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}]}}, **STRATEGIC)

    def until(self, true, images=None, seen=None):
        """Lets pods run until it is true; @seen is called at every look."""
        def look():
            self.run(images)
            if seen:
                seen()
            return true()
        return eventually(look)
