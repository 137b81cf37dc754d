"""Broken manifests: each is answered with its file, line and field, and a sentence; nothing else suffers."""
import os

import pytest

from support.node import pod, wait_for

HEAD = "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec:\n  containers:\n  - name: main\n    image: i\n"
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdef", "bcdefg"))


def spec(text):
    return HEAD + "  " + text + "\n"


def container(text):
    return HEAD + "    " + text + "\n"


# name: (text, line, what the message says)
BROKEN = {
    "empty": ("", 1, "holds no document"),
    "tab": ("apiVersion: v1\n\tkind: Pod\n", 2, "tab character"),
    "unclosed": ("apiVersion: v1\nkind: Pod\nmetadata: {name: x\n", 4, "did not find expected ',' or '}'"),
    "json-cut": ('{"apiVersion": "v1", "kind": "Pod", "metadata": {"name"', 1, "not JSON: parse error: premature EOF"),
    "scalar": ("hello\n", 1, "expected a map, found a string"),
    "list": ("- a\n", 1, "expected a map, found a list"),
    "kind": ("apiVersion: v1\nkind: Service\nmetadata: {name: x}\n", 2, 'kind: Invalid value: "Service": must be Pod'),
    "no-kind": ("apiVersion: v1\nmetadata: {name: x}\n", 1, "kind: Required value"),
    "version": (HEAD.replace("v1", "v2", 1), 1, 'apiVersion: Invalid value: "v2"'),
    "no-name": (HEAD.replace("{name: x}", "{}"), 3, "metadata.name: Required value"),
    "bad-name": (HEAD.replace("{name: x}", "{name: UPPER_case}"), 3, "metadata.name: Invalid value"),
    "uid": (HEAD.replace("{name: x}", "{name: x, uid: ../images}"), 3, "metadata.uid: Invalid value"),
    "no-containers": ("apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {}\n", 4, "spec.containers: Required value"),
    "no-image": (HEAD.replace("    image: i\n", ""), 6, "spec.containers[0].image: Required value"),
    "name-twice": (HEAD + "  - name: main\n    image: i\n", 8, 'spec.containers[1].name: Duplicate value: "main"'),
    "port": (container("ports: [{containerPort: 70000}]"), 8, "containerPort: Invalid value: 70000: must be between 1 and 65535"),
    "port-text": (HEAD + "    ports:\n    - containerPort: many\n", 9, "containerPort: expected a whole number, found a string"),
    "host-port-twice": (container("ports: [{containerPort: 80, hostPort: 81}, {containerPort: 82, hostPort: 81}]"), 8, "ports[1].hostPort: Duplicate value"),
    "quantity": (container("resources: {limits: {memory: lots}}"), 8, 'limits[memory]: Invalid value: quantity "lots"'),
    "negative": (container("resources: {limits: {memory: -1}}"), 8, "must be greater than or equal to 0"),
    "request": (container("resources: {limits: {cpu: 1}, requests: {cpu: 2}}"), 8, "must be less than or equal to cpu limit of 1"),
    "no-volume": (container("volumeMounts: [{name: v, mountPath: /v}]"), 8, 'volumeMounts[0].name: Not found: "v"'),
    "two-sources": (spec("volumes: [{name: v, emptyDir: {}, hostPath: {path: /x}}]"), 8, "may not specify more than 1 volume type"),
    "restart": (spec("restartPolicy: Sometimes"), 8, 'supported values: "Always", "OnFailure", "Never"'),
    "probe-twice": (container("livenessProbe: {exec: {command: [a]}, tcpSocket: {port: 1}}"), 8, "may not specify more than 1 handler type"),
    "probe-none": (container("livenessProbe: {periodSeconds: 1}"), 8, "livenessProbe: Required value: must specify a handler type"),
    "probe-negative": (container("readinessProbe: {exec: {command: [a]}, periodSeconds: -1}"), 8, "periodSeconds: Invalid value: -1"),
    "probe-success": (container("livenessProbe: {exec: {command: [a]}, successThreshold: 2}"), 8, "successThreshold: Invalid value: 2: must be 1"),
    "grpc": (container("livenessProbe: {grpc: {port: 0}}"), 8, "grpc.port: Invalid value: 0"),
    "hook": (container("lifecycle: {preStop: {}}"), 8, "lifecycle.preStop: Required value"),
    "hook-sleep": (container("lifecycle: {preStop: {sleep: {seconds: 100}}}"), 8, "less than terminationGracePeriodSeconds (30)"),
    "env-name": (container("env: [{name: '', value: x}]"), 8, "env[0].name: Required value"),
    "env-twice": (container("env: [{name: A, value: x, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]"), 8, "may not be specified when `value` is not empty"),
    "field-path": (container("env: [{name: A, valueFrom: {fieldRef: {fieldPath: status.colour}}}]"), 8, "field label not supported: status.colour"),
    "sub-path": (container("volumeMounts: [{name: v, mountPath: /v, subPath: ../up}]") + "  volumes: [{name: v, emptyDir: {}}]\n", 8, "subPath: Invalid value: \"../up\": must not contain '..'"),
    "mount-twice": (container("volumeMounts: [{name: v, mountPath: /v}, {name: v, mountPath: /v}]") + "  volumes: [{name: v, emptyDir: {}}]\n", 8, 'mountPath: Invalid value: "/v": must be unique'),
    "type": (HEAD.replace("containers:", "containers: 5\n  initContainers:"), 5, "spec.containers: expected a list, found a number"),
    "bool": (spec("hostNetwork: maybe"), 8, "spec.hostNetwork: expected a boolean (true or false), found a string"),
    "sysctl": (spec("securityContext: {sysctls: [{name: a.b, value: 1}]}"), 8, "sysctls[0].value: expected a string, found a number; put it in quotes"),
    "uid": (container("securityContext: {runAsUser: -5}"), 8, "runAsUser: Invalid value: -5"),
    "privileged": (container("securityContext: {privileged: true, allowPrivilegeEscalation: false}"), 8, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"),
    "deadline": (spec("activeDeadlineSeconds: 0"), 8, "activeDeadlineSeconds: Invalid value: 0"),
    "dns": (spec("dnsPolicy: None"), 4, "spec.dnsConfig: Required value"),
    "alias": (spec("hostAliases: [{ip: here, hostnames: [a]}]"), 8, "must be a valid IP address"),
    "os": (spec("os: {name: plan9}"), 8, "spec.os: Unsupported value"),
    "label": (HEAD.replace("{name: x}", "{name: x, labels: {'a b': c}}"), 3, 'metadata.labels: Invalid value: "a b"'),
    "host-users": (spec("hostUsers: false\n  hostNetwork: true"), 9, "spec.hostNetwork: Forbidden"),
    "share": (spec("hostPID: true\n  shareProcessNamespace: true"), 4, "cannot both be enabled"),
    "not-utf8": (b"apiVersion: v1\nkind: Pod\nmetadata: {name: \xff\xfe}\n", 1, "invalid leading UTF-8 octet"),
    "nul": (b"apiVersion: v1\0\n", 1, "control characters are not allowed"),
    "deep": ("[" * 5000, 1, "nested deeper than 100 levels"),
    "bomb": (BOMB, 5, "more than 262144 values"),
    "huge": ("#" * (2 << 20), 0, "is larger than a manifest may be (1048576 bytes)"),
    "secret": (spec("imagePullSecrets: [{name: s}]"), 8, "static pods may not reference secrets"),
}


@pytest.fixture(scope="module")
def broken_log(node):
    """What the agent says of all of them, in the directory at once, beside a pod that runs."""
    node.write("good.yaml", pod("good", {"name": "good", "command": ["sleep", "1000"]}))
    good = node.running("good")
    for name, (text, _, _) in BROKEN.items():
        with open(f"{node.manifests}/{name}.yaml", "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
    os.mkfifo(node.manifests + "/fifo.yaml")
    node.write("last.yaml", pod("last", {"name": "last", "command": ["sleep", "1000"]}))
    node.running("last")
    wait_for("a message for each", lambda: all(f"/{name}.yaml:" in node.log() for name in BROKEN))
    assert node.container("good", "running")["id"] == good["id"]
    return node.log().splitlines()


@pytest.mark.parametrize("name", BROKEN)
def test_broken_manifest(broken_log, name):
    _, line, words = BROKEN[name]
    said = [text for text in broken_log if f"/{name}.yaml:" in text]
    where = f"/{name}.yaml:{line}: " if line else f"/{name}.yaml: "
    assert [text for text in said if where in text and words in text and " error " in text], said


def test_no_file_is_reported_while_it_is_written(broken_log):
    """Each has one message: none was read half written."""
    for name, (_, _, words) in BROKEN.items():
        said = [text for text in broken_log if f"/{name}.yaml:" in text and " error " in text]
        assert len(said) == 1, said


def test_fifo_does_not_hold_the_agent(broken_log):
    assert [text for text in broken_log if "/fifo.yaml: is not a regular file" in text]
