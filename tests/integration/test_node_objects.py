"""What the agent's pods get of the API's objects: ConfigMaps, Secrets, tokens and Services, in volumes, variables and pulls."""
import base64
import crypt
import json
import os
import shutil
import signal
import subprocess
import time

import oci
import pytest
from support import leaks
from support.api import get
from support.hosts import joined_node
from support.node import parent, pod, wait_for
from support.registry import Registry

CORE = "/api/v1/namespaces/default"
PODS = f"{CORE}/pods"


@pytest.fixture(scope="module")
def joined(api, busybox_archive, tmp_path_factory):
    with joined_node(api, busybox_archive, tmp_path_factory.mktemp("node")) as n:
        yield n
        api.client().ask("DELETE", PODS, {"gracePeriodSeconds": 0})


def make(client, kind, name, **fields):
    resource = {"ConfigMap": "configmaps", "Secret": "secrets", "Service": "services"}[kind]
    status, body = client.ask("POST", f"{CORE}/{resource}", {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **fields})
    assert status == 201, body
    return body


def change(client, resource, name, patch):
    status, body = client.ask("PATCH", f"{CORE}/{resource}/{name}", patch, **{"Content-Type": "application/merge-patch+json"})
    assert status == 200, body


def run(client, name, *containers, node, **spec):
    status, body = client.ask("POST", PODS, pod(name, *containers, nodeName=node.name, **spec))
    assert status == 201, body
    return body


def phase(client, name, wanted, timeout=20):
    def probe():
        found = get(client, f"{PODS}/{name}")
        return found if found and found["status"].get("phase") == wanted else None
    return wait_for(f"{name} {wanted}", probe, timeout)


def gone(client, node, *names):
    for name in names:
        client.ask("DELETE", f"{PODS}/{name}", {"gracePeriodSeconds": 0})
    wait_for("end", lambda: not [p for p in node.pods() if p["metadata"]["name"] in names])


def own(node, name, container="main"):
    return wait_for("container", lambda: next((c for c in node.containers() if c["labels"]["io.kubernetes.pod.name"] == name
                                               and c["metadata"]["name"] == container and c["state"] == "CONTAINER_RUNNING"), None))


def inside(node, name, command, container="main"):
    return node.exec(own(node, name, container), "sh", "-c", command)


def events(client, made, reason):
    return [e for e in get(client, f"{CORE}/events")["items"] if e["reason"] == reason and e["involvedObject"].get("uid") == made["metadata"]["uid"]]


def said(client, made, reason, text):
    return wait_for(f"{reason}: {text}", lambda: [e for e in events(client, made, reason) if text in e["message"]])


def volume_dir(node, made, plugin, name):
    return f"{node.root}/pods/{made['metadata']['uid']}/volumes/kubernetes.io~{plugin}/{name}"


def b64(text):
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


def test_the_account_of_a_pod(api, client, joined):
    """The default volume of every pod: token, authority, namespace; the token is the pod's and good, in memory and for root alone where asked for."""
    made = run(client, "account", "exec sleep 1000", node=joined)
    phase(client, "account", "Running")
    at = "/var/run/secrets/kubernetes.io/serviceaccount"
    assert inside(joined, "account", f"ls {at}").split() == ["ca.crt", "namespace", "token"]
    assert inside(joined, "account", f"cat {at}/namespace") == "default"
    with open(f"{api.pki}/ca.crt") as f:
        assert inside(joined, "account", f"cat {at}/ca.crt").strip() == f.read().strip()
    token = inside(joined, "account", f"cat {at}/token")
    status, review = client.ask("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}})
    user = review["status"]["user"]
    assert status == 201 and review["status"]["authenticated"] and user["username"] == "system:serviceaccount:default:default"
    assert user["extra"]["authentication.kubernetes.io/pod-uid"] == [made["metadata"]["uid"]]
    volume = next(v["name"] for v in made["spec"]["volumes"] if "projected" in v)
    kind = os.popen(f"stat -f -c %T {volume_dir(joined, made, 'projected', volume)}").read().strip()
    assert kind == "tmpfs"
    gone(client, joined, "account")
    wait_for("end of the volume", lambda: not os.path.exists(volume_dir(joined, made, "projected", volume)))


def test_volumes(client, joined):
    """All keys or some, names, modes, groups; optional ones; of a projected volume the last source counts."""
    make(client, "ConfigMap", "vm", data={"a": "1", "b.conf": "two\n"}, binaryData={"bin": b64(b"\0\1\2")})
    make(client, "Secret", "vs", data={"user": b64("root"), "key": b64(b"\xff\0")})
    volumes = [{"name": "all", "configMap": {"name": "vm"}},
               {"name": "some", "configMap": {"name": "vm", "defaultMode": 0o400, "items": [{"key": "a", "path": "x/y/a"}, {"key": "bin", "path": "bin", "mode": 0o755}]}},
               {"name": "secret", "secret": {"secretName": "vs", "defaultMode": 0o440}},
               {"name": "none", "secret": {"secretName": "no", "optional": True}},
               {"name": "lost", "configMap": {"name": "vm", "optional": True, "items": [{"key": "no", "path": "no"}, {"key": "a", "path": "a"}]}},
               {"name": "both", "projected": {"sources": [{"configMap": {"name": "vm"}}, {"secret": {"name": "vs", "items": [{"key": "user", "path": "a"}]}},
                                                          {"serviceAccountToken": {"path": "t", "audience": "else", "expirationSeconds": 600}},
                                                          {"downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}}]}}]
    mounts = [{"name": v["name"], "mountPath": f"/v/{v['name']}"} for v in volumes]
    made = run(client, "volumes", {"command": ["sleep", "1000"], "volumeMounts": mounts}, node=joined, volumes=volumes)
    phase(client, "volumes", "Running")
    look = lambda command: inside(joined, "volumes", command)  # noqa: E731
    assert look("ls /v/all").split() == ["a", "b.conf", "bin"] and look("cat /v/all/a /v/all/b.conf") == "1two\n"
    assert look("od -An -tx1 /v/all/bin").split() == ["00", "01", "02"]
    assert look("cat /v/some/x/y/a") == "1" and look("stat -Lc %a /v/some/x/y/a /v/some/bin /v/secret/user").split() == ["400", "755", "440"]
    assert look("od -An -tx1 /v/secret/key").split() == ["ff", "00"] and look("ls /v/none") == "" and look("ls /v/lost").split() == ["a"]
    assert look("cat /v/both/a /v/both/name") == "rootvolumes" and look("ls /v/both").split() == ["a", "b.conf", "bin", "name", "t"]
    assert look("for d in all some secret none lost both; do touch /v/$d/x 2> /dev/null && echo $d; done; true") == ""  # they are the node's to write
    payload = look("cat /v/both/t").split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["aud"] == ["else"] and claims["exp"] - claims["iat"] == 600 and claims["kubernetes.io"]["pod"]["uid"] == made["metadata"]["uid"]
    kinds = {name: os.popen(f"stat -f -c %T {volume_dir(joined, made, plugin, name)}").read().strip() for plugin, name in (("secret", "secret"), ("projected", "both"))}
    assert set(kinds.values()) == {"tmpfs"}
    gone(client, joined, "volumes")


def test_mounts_within_volumes(client, joined):
    """Where one volume is mounted within another, which containers cannot write; a file over a file; a change leaves them there."""
    made_map = make(client, "ConfigMap", "nm", data={"a": "1", "b.conf": "two"})
    make(client, "Secret", "ns", data={"k": b64("secret")})
    volumes = [{"name": "map", "configMap": {"name": "nm"}}, {"name": "secret", "secret": {"secretName": "ns"}}, {"name": "empty", "emptyDir": {}},
               {"name": "both", "projected": {"sources": [{"configMap": {"name": "nm"}}]}}]
    at = lambda name, path, **more: {"name": name, "mountPath": path, **more}  # noqa: E731
    run(client, "nested", {"command": ["sleep", "1000"], "volumeMounts": [
        at("map", "/etc/x"), at("secret", "/etc/x/sub/deep", readOnly=True), at("empty", "/etc/x/sub/deep/er"), at("secret", "/etc/x/b.conf", subPath="k"),
        at("both", "/etc/y/"), at("empty", "/etc/y//z"), at("empty", "/etc/nowhere/../y/./up")]}, node=joined, volumes=volumes)
    phase(client, "nested", "Running")
    look = lambda command: inside(joined, "nested", command)  # noqa: E731
    assert look("cat /etc/x/a /etc/x/sub/deep/k /etc/x/b.conf /etc/y/a") == "1secretsecret1"
    look("touch /etc/x/sub/deep/er/written")
    assert look("ls /etc/y/z /etc/x/sub").split() == ["/etc/x/sub:", "deep", "/etc/y/z:", "written"]
    assert look("ls /etc/y/up; ls -d /etc/nowhere 2>&1 || true").startswith("written\nls: /etc/nowhere: No such file")
    assert client.ask("PUT", f"{CORE}/configmaps/nm", {**made_map, "data": {"a": "2", "b.conf": "two"}})[0] == 200
    wait_for("the change", lambda: look("cat /etc/x/a /etc/y/a") == "22")
    assert look("cat /etc/x/sub/deep/k; ls /etc/y/z") == "secretwritten\n"
    gone(client, joined, "nested")


def test_group_and_user(client, joined):
    """fsGroup as kubelet gives it; a token is the containers' user's, where they have one."""
    make(client, "Secret", "gs", data={"k": b64("x")})
    volumes = [{"name": "s", "secret": {"secretName": "gs", "defaultMode": 0o400}}]
    container = {"command": ["sleep", "1000"], "volumeMounts": [{"name": "s", "mountPath": "/s"}]}
    run(client, "group", container, node=joined, volumes=volumes, securityContext={"fsGroup": 4321, "runAsUser": 1000})
    run(client, "user", {"command": ["sleep", "1000"]}, node=joined, securityContext={"runAsUser": 1000})
    phase(client, "group", "Running")
    phase(client, "user", "Running")
    token = "/var/run/secrets/kubernetes.io/serviceaccount/token"
    assert inside(joined, "group", f"stat -Lc '%a %u %g' /s/k {token} /s").splitlines() == ["440 0 4321", "640 1000 4321", "3777 0 4321"]
    assert inside(joined, "group", "cat /s/k") == "x"
    assert inside(joined, "user", f"stat -Lc '%a %u' {token}").split() == ["600", "1000"]
    gone(client, joined, "group", "user")


def test_a_change_reaches_the_volume(client, joined, record_property):
    """At once, as a whole; a key that goes, goes; a subPath stays as it was."""
    make(client, "ConfigMap", "live", data={"a": "0", "b": "0"})
    make(client, "Secret", "lives", data={"a": b64("0")})
    volumes = [{"name": "m", "configMap": {"name": "live"}}, {"name": "s", "secret": {"secretName": "lives"}}]
    mounts = [{"name": "m", "mountPath": "/m"}, {"name": "s", "mountPath": "/s"}, {"name": "m", "mountPath": "/one", "subPath": "a"}]
    made = run(client, "live", {"command": ["sleep", "1000"], "volumeMounts": mounts}, node=joined, volumes=volumes)
    phase(client, "live", "Running")
    took = []
    for n in range(1, 6):
        for resource, name, plugin, volume, value in (("configmaps", "live", "configmap", "m", str(n)), ("secrets", "lives", "secret", "s", b64(str(n)))):
            path = volume_dir(joined, made, plugin, volume) + "/a"
            began = time.monotonic()
            change(client, resource, name, {"data": {"a": value}})
            wait_for("change", lambda: open(path).read() == str(n), timeout=1, interval=0.0005)
            took.append(time.monotonic() - began)
    print(f"changes seen after {min(took) * 1000:.1f} to {max(took) * 1000:.1f} ms")
    record_property("changes_ms", [round(t * 1000, 1) for t in took])
    assert inside(joined, "live", "cat /m/a /s/a /one") == "550"
    change(client, "configmaps", "live", {"data": {"a": None, "c": "new"}})
    wait_for("keys", lambda: inside(joined, "live", "ls /m").split() == ["b", "c"])
    client.ask("DELETE", f"{CORE}/configmaps/live")
    said(client, made, "FailedMount", 'MountVolume.SetUp failed for volume "m" : configmap "live" not found')
    assert inside(joined, "live", "cat /m/c") == "new"
    gone(client, joined, "live")


def test_what_is_missing_is_waited_for(client, joined):
    """In kubelet's words; the pod goes on as soon as it is there."""
    volumes = [{"name": "m", "configMap": {"name": "later", "items": [{"key": "k", "path": "k"}]}}]
    made = run(client, "waits", {"command": ["sleep", "1000"], "volumeMounts": [{"name": "m", "mountPath": "/m"}]}, node=joined, volumes=volumes)
    said(client, made, "FailedMount", 'MountVolume.SetUp failed for volume "m" : configmap "later" not found')
    statuses = wait_for("status", lambda: phase(client, "waits", "Pending")["status"].get("containerStatuses"), timeout=0.5)
    assert statuses[0]["state"]["waiting"]["reason"] == "ContainerCreating"
    make(client, "ConfigMap", "later", data={"other": ""})
    said(client, made, "FailedMount", "configmap references non-existent config key: k")
    change(client, "configmaps", "later", {"data": {"k": "v"}})
    phase(client, "waits", "Running", timeout=5)
    gone(client, joined, "waits")


def test_variables(client, joined):
    make(client, "ConfigMap", "em", data={"A": "1", "b-c.d": "2"})
    make(client, "Secret", "es", data={"P": b64("secret")})
    make(client, "Service", "my-svc", spec={"ports": [{"name": "web", "port": 80}, {"name": "dns", "port": 53, "protocol": "UDP"}]})
    env = [{"name": "KEY", "valueFrom": {"configMapKeyRef": {"name": "em", "key": "A"}}}, {"name": "PASS", "valueFrom": {"secretKeyRef": {"name": "es", "key": "P"}}},
           {"name": "NONE", "valueFrom": {"secretKeyRef": {"name": "no", "key": "P", "optional": True}}},
           {"name": "URL", "value": "$(A)-$(PASS)-$(KUBERNETES_SERVICE_PORT)"}]
    sources = [{"configMapRef": {"name": "em"}}, {"prefix": "X_", "secretRef": {"name": "es"}}, {"configMapRef": {"name": "no", "optional": True}}]
    made = {"command": ["sleep", "1000"], "env": env, "envFrom": sources}
    run(client, "variables", made, node=joined)
    run(client, "unlinked", {"command": ["sleep", "1000"]}, node=joined, enableServiceLinks=False)
    phase(client, "variables", "Running")
    phase(client, "unlinked", "Running")
    of = lambda name: dict(line.split("=", 1) for line in inside(joined, name, "tr '\\0' '\\n' </proc/1/environ").splitlines() if "=" in line)  # noqa: E731
    found, plain = of("variables"), of("unlinked")
    assert {k: found.get(k) for k in ("KEY", "PASS", "A", "b-c.d", "X_P", "URL", "NONE")} == {
        "KEY": "1", "PASS": "secret", "A": "1", "b-c.d": "2", "X_P": "secret", "URL": "1-secret-443", "NONE": None}
    ip = get(client, f"{CORE}/services/my-svc")["spec"]["clusterIP"]
    assert {k: v for k, v in found.items() if k.startswith("MY_SVC")} == {
        "MY_SVC_SERVICE_HOST": ip, "MY_SVC_SERVICE_PORT": "80", "MY_SVC_SERVICE_PORT_WEB": "80", "MY_SVC_SERVICE_PORT_DNS": "53", "MY_SVC_PORT": f"tcp://{ip}:80",
        "MY_SVC_PORT_80_TCP": f"tcp://{ip}:80", "MY_SVC_PORT_80_TCP_PROTO": "tcp", "MY_SVC_PORT_80_TCP_PORT": "80", "MY_SVC_PORT_80_TCP_ADDR": ip,
        "MY_SVC_PORT_53_UDP": f"udp://{ip}:53", "MY_SVC_PORT_53_UDP_PROTO": "udp", "MY_SVC_PORT_53_UDP_PORT": "53", "MY_SVC_PORT_53_UDP_ADDR": ip}
    assert found["KUBERNETES_SERVICE_HOST"] == plain["KUBERNETES_SERVICE_HOST"] == get(client, f"{CORE}/services/kubernetes")["spec"]["clusterIP"]
    assert not any(k.startswith("MY_SVC") for k in plain)
    gone(client, joined, "variables", "unlinked")
    # one of a file has those that the node knows when it begins
    joined.write("filed.yaml", pod("filed", {"command": ["sh", "-c", "env; exec sleep 1000"]}))
    wait_for("pod", lambda: joined.status("filed").get("phase") == "Running")
    [container] = [c for c in joined.containers() if c["labels"]["io.kubernetes.pod.name"] == f"filed-{joined.name}"]
    filed = dict(line.split("=", 1) for line in joined.exec(container, "env").splitlines() if "=" in line)
    assert {k: v for k, v in filed.items() if k.startswith("MY_SVC")} == {k: v for k, v in found.items() if k.startswith("MY_SVC")}
    assert filed["KUBERNETES_SERVICE_HOST"] == found["KUBERNETES_SERVICE_HOST"]
    joined.remove("filed.yaml")
    wait_for("its end", lambda: not joined.status("filed"))


def test_variables_that_cannot_be_made(client, joined):
    """CreateContainerConfigError in kubelet's words, until the object is there."""
    env = [{"name": "K", "valueFrom": {"configMapKeyRef": {"name": "elater", "key": "k"}}}]
    made = run(client, "evar", {"command": ["sleep", "1000"], "env": env}, node=joined)
    waiting = lambda: get(client, f"{PODS}/evar")["status"].get("containerStatuses", [{}])[0].get("state", {}).get("waiting", {})  # noqa: E731
    wait_for("reason", lambda: waiting() == {"reason": "CreateContainerConfigError", "message": 'configmap "elater" not found'})
    said(client, made, "Failed", 'Error: configmap "elater" not found')
    make(client, "ConfigMap", "elater", data={})
    wait_for("other reason", lambda: waiting().get("message") == "couldn't find key k in ConfigMap default/elater", timeout=5)
    change(client, "configmaps", "elater", {"data": {"k": "v"}})
    phase(client, "evar", "Running", timeout=5)
    gone(client, joined, "evar")


@pytest.fixture(scope="module")
def locked():
    """A registry that takes me:secret only, with busybox."""
    r = Registry(auth="me:" + crypt.crypt("secret", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))
    r.ref = r.push(oci.Image([oci.busybox_layer()], Cmd=["sh"]), "kept/app:1", credentials="me:secret")
    yield r
    r.stop()


def test_pull_secrets(client, joined, locked):
    """Both forms, one after the other where the first is of no use; one that is missing is told of when the pull fails."""
    auths = lambda password: {locked.host: {"username": "me", "password": password}}  # noqa: E731
    make(client, "Secret", "wrong", type="kubernetes.io/dockerconfigjson", data={".dockerconfigjson": b64(json.dumps({"auths": auths("no")}))})
    make(client, "Secret", "json", type="kubernetes.io/dockerconfigjson", data={".dockerconfigjson": b64(json.dumps({"auths": auths("secret")}))})
    make(client, "Secret", "cfg", type="kubernetes.io/dockercfg", data={".dockercfg": b64(json.dumps(auths("secret")))})
    container = {"image": locked.ref, "imagePullPolicy": "Always", "command": ["sleep", "1000"]}
    for name, secrets in (("json", ["wrong", "json"]), ("cfg", ["cfg"])):
        run(client, f"pull-{name}", container, node=joined, imagePullSecrets=[{"name": s} for s in secrets])
        phase(client, f"pull-{name}", "Running")
    made = run(client, "pull-none", container, node=joined, imagePullSecrets=[{"name": "absent"}, {"name": "gone"}])
    said(client, made, "FailedToRetrieveImagePullSecret", "Unable to retrieve some image pull secrets (absent, gone); attempting to pull the image may not succeed.")
    gone(client, joined, "pull-json", "pull-cfg", "pull-none")


def test_large_and_many(client, joined):
    """1 MiB, and 2,000 keys."""
    make(client, "ConfigMap", "large", data={"k": "x" * (1000 * 1024)})
    make(client, "ConfigMap", "many", data={f"key-{n}": str(n) for n in range(2000)})
    volumes = [{"name": n, "configMap": {"name": n}} for n in ("large", "many")]
    mounts = [{"name": v["name"], "mountPath": f"/{v['name']}"} for v in volumes]
    run(client, "large", {"command": ["sleep", "1000"], "volumeMounts": mounts, "envFrom": [{"configMapRef": {"name": "many"}}]}, node=joined, volumes=volumes)
    phase(client, "large", "Running")
    assert inside(joined, "large", "wc -c </large/k; ls /many | wc -l; cat /many/key-1999; tr '\\0' '\\n' </proc/1/environ | grep -c ^key-").split() == [str(1000 * 1024), "2000", "19992000"]
    gone(client, joined, "large")


def test_many_change_at_once(client, joined):
    """2,000 keys of 1 MiB under a pod that reads them: it sees those of before or those of after, never some of each."""
    make(client, "ConfigMap", "turns", data={f"key-{n}": "1" * 500 for n in range(2000)})
    script = "while :; do d=$(readlink /m/..data); set -- $(cd /m/$d && cut -c1 key-0 key-1 key-1000 key-1999); case $* in '1 1 1 1') ;; '2 2 2 2') echo new >&2; sleep 1000;; *) [ -d /m/$d ] && echo mixed $*;; esac; done"
    made = run(client, "turns", {"command": ["sh", "-c", script], "volumeMounts": [{"name": "m", "mountPath": "/m"}]}, node=joined,
               volumes=[{"name": "m", "configMap": {"name": "turns"}}])
    phase(client, "turns", "Running")
    change(client, "configmaps", "turns", {"data": {f"key-{n}": "2" * 500 for n in range(1999)} | {"key-1999": "2", "key-2000": "x", "key-0": "2"}})
    log = f"{joined.logs}/default_turns_{made['metadata']['uid']}/main/0.log"
    wait_for("the new ones", lambda: "stderr F new" in open(log).read())
    assert "mixed" not in open(log).read()
    assert inside(joined, "turns", "ls /m | wc -l; cat /m/key-2000").split() == ["2001", "x"]
    # With ..data and its directory: what was before goes behind the change.
    wait_for("none of before", lambda: len(os.listdir(volume_dir(joined, made, "configmap", "m"))) == 2003)
    gone(client, joined, "turns")


def test_names_that_are_paths(client, joined):
    """Refused by the service; what comes by another way is refused by the node (u/agent/volumes_test)."""
    for path in ("../up", "/abs", "..data", "a/../../b"):
        volumes = [{"name": "m", "configMap": {"name": "vm", "items": [{"key": "a", "path": path}]}}]
        status, body = client.ask("POST", PODS, pod("path", "true", nodeName=joined.name, volumes=volumes))
        assert status == 422, body


def test_the_service_away(api, client, joined):
    """What is known stays: a container starts again with its variables; a change of meanwhile comes with the service."""
    make(client, "ConfigMap", "stays", data={"k": "1"})
    env = [{"name": "K", "valueFrom": {"configMapKeyRef": {"name": "stays", "key": "k"}}}]
    script = "echo $K >/proc/1/fd/1; while [ ! -e /tmp/end ]; do sleep 0.1; done; exit 1"
    made = run(client, "stays", {"command": ["sh", "-c", script], "env": env, "volumeMounts": [{"name": "m", "mountPath": "/m"}]}, node=joined,
               volumes=[{"name": "m", "configMap": {"name": "stays"}}])
    phase(client, "stays", "Running")
    first = own(joined, "stays")
    api.process.send_signal(signal.SIGKILL)
    api.process.wait(10)
    joined.exec(first, "touch", "/tmp/end")
    second = wait_for("restart", lambda: next((c for c in joined.containers() if c["labels"]["io.kubernetes.pod.name"] == "stays" and c["state"] == "CONTAINER_RUNNING"
                                              and c["id"] != first["id"]), None))
    assert second["metadata"]["attempt"] == 1
    joined.restart()
    api.start()
    client = api.client()
    change(client, "configmaps", "stays", {"data": {"k": "2"}})
    path = volume_dir(joined, made, "configmap", "m") + "/k"
    wait_for("change", lambda: open(path).read() == "2", timeout=40)
    gone(client, joined, "stays")


def test_starts_without_the_service(api, client, joined):
    """The service is away when the agent starts: a container that ends starts again with its variables, of Secrets, too. After a power cut the pod
    runs again with its ConfigMaps and without its token, one with a Secret waits; all is made good when the service is back."""
    make(client, "ConfigMap", "kept", data={"k": "1"})
    make(client, "Secret", "kept", data={"s": b64("hidden")})
    script = {"command": ["sh", "-c", "while [ ! -e /tmp/end ]; do sleep 0.1; done; exit 1"], "volumeMounts": [{"name": "m", "mountPath": "/m"}],
              "env": [{"name": "K", "valueFrom": {"configMapKeyRef": {"name": "kept", "key": "k"}}}]}
    secret = dict(script, env=[{"name": "S", "valueFrom": {"secretKeyRef": {"name": "kept", "key": "s"}}}], volumeMounts=[])
    made = run(client, "cold", script, node=joined, volumes=[{"name": "m", "configMap": {"name": "kept"}}])
    run(client, "hidden", secret, node=joined)
    for name in ("cold", "hidden"):
        phase(client, name, "Running")
    assert not any(b"hidden" in open(os.path.join(top, f), "rb").read() for top, _, files in os.walk(f"{joined.root}/pods") for f in files
                   if os.path.isfile(os.path.join(top, f)) and os.path.basename(top) != "hidden" and f == "sources")
    joined.kill()
    api.process.send_signal(signal.SIGKILL)
    api.process.wait(10)
    joined.start()
    first = {name: own(joined, name) for name in ("cold", "hidden")}
    for container in first.values():
        joined.exec(container, "touch", "/tmp/end")
    for name, c in first.items():
        wait_for("restart", lambda: own(joined, name)["id"] != c["id"])
    assert inside(joined, "hidden", "tr '\\0' '\\n' </proc/1/environ | grep ^S=").strip() == "S=hidden"

    containers = [joined.inspect(own(joined, name))["info"]["pid"] for name in first]
    shims = [parent(pid) for pid in containers]
    joined.kill()
    for process in containers + shims:
        os.kill(process, signal.SIGKILL)
    for mount in reversed(leaks.mounts(joined)):
        subprocess.run(["umount", "-l", mount], check=True)
    shutil.rmtree(joined.run)
    joined.start()
    wait_for("a new container", lambda: own(joined, "cold")["id"] not in [c["id"] for c in first.values()])
    at = "/var/run/secrets/kubernetes.io/serviceaccount"
    assert inside(joined, "cold", f"cat /m/k; ls {at}").split() == ["1ca.crt", "namespace"]
    assert "K=1" in inside(joined, "cold", "tr '\\0' '\\n' </proc/1/environ").split()
    assert not [c for c in joined.containers() if c["labels"]["io.kubernetes.pod.name"] == "hidden" and c["state"] == "CONTAINER_RUNNING"]
    api.start()
    client = api.client()
    wait_for("token", lambda: inside(joined, "cold", f"ls {at}").split() == ["ca.crt", "namespace", "token"], timeout=40)
    assert inside(joined, "hidden", "tr '\\0' '\\n' </proc/1/environ | grep ^S=").strip() == "S=hidden"
    change(client, "configmaps", "kept", {"data": {"k": "2"}})
    wait_for("change", lambda: open(volume_dir(joined, made, "configmap", "m") + "/k").read() == "2", timeout=40)
    gone(client, joined, "cold", "hidden")
    wait_for("end of what was kept", lambda: os.listdir(f"{joined.run}/sources") == [])
