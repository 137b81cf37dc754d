"""Server-side apply, owners and defaults beside Kubernetes' own: its libraries with cases made up, and kube-apiserver with a few histories.

On kube-apiserver each write goes to an object as the server has it; ours is given the same object and the same write, and must find the
same owners, and for objects of kinds without a strategy of their own the same object."""
import json
import os
import pathlib
import ssl
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

import pytest

import control_plane

ROOT = pathlib.Path(__file__).resolve().parents[2]
PEERS = os.environ.get("PEERS", os.path.expanduser("~/.cache/nacelle-peers"))
BUILD = ROOT / os.environ.get("BUILD", "build")

# Path of the object's collection, the object in mind, and the parts of it that managers apply.
METADATA = {"name": "web", "namespace": "default"}
CONTAINER = {"name": "a", "image": "web:1", "env": [{"name": "x", "value": "1"}], "ports": [{"containerPort": 80}]}
DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": METADATA | {"labels": {"app": "web"}},
              "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}},
                       "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [CONTAINER]}}}}
SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": METADATA, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}
CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": METADATA, "data": {"a": "1", "b": "2"}}


def merged(base, change):
    if not isinstance(base, dict) or not isinstance(change, dict):
        return change
    out = dict(base)
    for key, value in change.items():
        out[key] = merged(base.get(key), value)
    return {k: v for k, v in out.items() if v is not None}


def apply(manager, body, force=False, subresource=""):
    return {"op": "apply", "manager": manager, "force": force, "subresource": subresource, "body": body}


def update(manager, change, subresource=""):
    return {"op": "update", "manager": manager, "subresource": subresource, "body": change}


def head(of):
    return {"apiVersion": of["apiVersion"], "kind": of["kind"], "metadata": METADATA}


HISTORIES = {
    "configmap": ("/api/v1/namespaces/default/configmaps", [
        apply("one", CONFIG), apply("one", CONFIG), apply("two", head(CONFIG) | {"data": {"a": "1"}}), apply("two", head(CONFIG) | {"data": {"a": "3"}}),
        apply("two", head(CONFIG) | {"data": {"a": "3"}}, force=True), apply("one", head(CONFIG) | {"data": {"c": "1"}}),
        update("editor", {"data": {"c": "5", "d": "6"}}), apply("one", head(CONFIG)), update("editor", {"metadata": {"managedFields": [{}]}}),
        apply("three", head(CONFIG) | {"data": {"z": "1"}}), apply("three", head(CONFIG) | {"data": {"z": 1}}),
        apply("three", head(CONFIG) | {"data": {"z": "1"}, "unknown": 1}), apply("kubectl", head(CONFIG) | {"binaryData": {"q": "YQ=="}})]),
    "deployment": ("/apis/apps/v1/namespaces/default/deployments", [
        apply("kubectl", DEPLOYMENT), apply("hpa", head(DEPLOYMENT) | {"spec": {"replicas": 5}}),
        apply("hpa", head(DEPLOYMENT) | {"spec": {"replicas": 5}}, force=True), update("controller", {"status": {"observedGeneration": 1, "replicas": 2}}, "status"),
        apply("kubectl", merged(DEPLOYMENT, {"spec": {"replicas": None}})),
        apply("other", head(DEPLOYMENT) | {"spec": {"template": {"spec": {"containers": [{"name": "b", "image": "b"}, {"name": "a", "env": [{"name": "y", "value": "2"}]}]}}}}),
        apply("other", head(DEPLOYMENT)), update("editor", {"spec": {"paused": True, "strategy": {"type": "Recreate", "rollingUpdate": None}}}),
        apply("bad", head(DEPLOYMENT) | {"spec": {"template": {"spec": {"containers": [CONTAINER, CONTAINER]}}}}),
        apply("bad", head(DEPLOYMENT) | {"spec": {"replicas": "many"}})]),
    "service": ("/api/v1/namespaces/default/services", [
        update("curl", SERVICE), apply("one", SERVICE), apply("one", merged(SERVICE, {"spec": {"ports": [{"port": 80, "protocol": "TCP", "name": "a"}, {"port": 80, "protocol": "UDP", "name": "b"}]}})),
        apply("two", head(SERVICE) | {"spec": {"ports": [{"port": 80, "name": "c"}]}}), update("curl", {"metadata": {"labels": {"a": "b"}, "finalizers": ["x/y"]}})]),
}


def answered(peer, cases, program, compare):
    subprocess.run([ROOT / "tests/peers/build", PEERS, peer], check=True, capture_output=True)
    subprocess.run(["make", "-s", "-C", ROOT, f"BUILD={os.environ.get('BUILD', 'build')}", BUILD.relative_to(ROOT) / "tests/conformance" / program], check=True)
    folder = ROOT / "tests/conformance" / peer.replace("-", "_")
    made = subprocess.run([sys.executable, folder / "cases.py", *cases], check=True, capture_output=True).stdout
    answers = subprocess.run([f"{PEERS}/{peer}"], input=made, check=True, capture_output=True).stdout
    done = subprocess.run([sys.executable, folder / compare, BUILD / "tests/conformance" / program], input=answers, capture_output=True)
    assert done.returncode == 0, done.stdout.decode()[-4000:]


def test_histories():
    answered("kube-apply", ["5", "400"], "apply_histories", "compare.py")


def test_defaults():
    answered("kube-defaults", ["5", "1000"], "fill_defaults", "compare.py")


# ---- kube-apiserver ----

@pytest.fixture(scope="module")
def server():
    subprocess.run([ROOT / "tests/peers/build", PEERS, "etcd", "kube-apiserver"], check=True, capture_output=True)
    plane = control_plane.ControlPlane()
    yield plane
    plane.stop()


def ask(server, method, path, body, kind):
    request = urllib.request.Request(server.url + path, method=method, data=json.dumps(body).encode(),
                                     headers={"Authorization": "Bearer " + control_plane.TOKEN, "Content-Type": kind})
    try:
        with urllib.request.urlopen(request, timeout=20, context=ssl._create_unverified_context()) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return json.load(error)


def write(server, collection, step, there):
    query = {"fieldManager": step["manager"]}
    path = f"{collection}/{METADATA['name']}" + ("/" + step["subresource"] if step["subresource"] else "")
    if step["op"] == "apply":
        query["force"] = str(step["force"]).lower()
        return ask(server, "PATCH", f"{path}?{urllib.parse.urlencode(query)}", step["body"], "application/apply-patch+yaml")
    if not there:
        return ask(server, "POST", f"{collection}?{urllib.parse.urlencode(query)}", step["body"], "application/json")
    return ask(server, "PATCH", f"{path}?{urllib.parse.urlencode(query)}", step["body"], "application/merge-patch+json")


def timeless(entries):
    return sorted(({k: v for k, v in e.items() if k != "time"} for e in entries or []), key=lambda e: json.dumps(e, sort_keys=True))


@pytest.mark.parametrize("name", HISTORIES)
def test_kube_apiserver(server, name):
    collection, steps = HISTORIES[name]
    subprocess.run(["make", "-s", "-C", ROOT, f"BUILD={os.environ.get('BUILD', 'build')}", BUILD.relative_to(ROOT) / "tests/conformance/apply_histories"], check=True)
    live, cases, theirs = None, [], []
    for step in steps:
        answer = write(server, collection, step, live is not None)
        body = step["body"]
        cases.append({"group": body.get("apiVersion", steps[0]["body"]["apiVersion"]), "kind": body.get("kind", steps[0]["body"]["kind"]), "strategies": True,
                      "live": live, "steps": [step | {"time": 1600000000}]})
        theirs.append(answer)
        if answer.get("kind") != "Status":
            live = answer
    done = subprocess.run([BUILD / "tests/conformance/apply_histories"], input="".join(json.dumps(c) + "\n" for c in cases), capture_output=True, text=True, check=True)
    for step, answer, line in zip(steps, theirs, done.stdout.splitlines()):
        ours = json.loads(line)[0]
        if answer.get("kind") == "Status":
            assert ours.get("error") == answer["message"], step
            causes = [{"field": c["field"], "message": c["message"]} for c in answer.get("details", {}).get("causes", [])]
            assert ours["causes"] == causes, step
        else:
            assert timeless(ours["object"]["metadata"].get("managedFields")) == timeless(answer["metadata"].get("managedFields")), step
