"""Manifests read by kubelet's own reader, defaults and validation, and by ours: both refuse one or make the same pod of it."""
import copy
import json
import os
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../integration")]

from support.node import BUILD, PEERS  # noqa: E402

POD = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: x\n{}spec:\n  containers:\n  - name: c\n    image: i\n{}"
PLAIN = POD.format("", "")

# What a scalar may look like, here as an annotation, which must be a string. Only "\\/", which is YAML 1.2's, is taken here and
# refused there.
SCALARS = [
    "1", "'1'", "yes", "no", "on", "off", "y", "n", "Y", "N", "True", "TRUE", "tRue", "yEs", "OFF", "~", "null", "Null", "NULL", "", "0x10", "0o10", "010", "08", "0b11",
    "1_000", "190:20:30", "1e3", "1.", "0.1", ".5", "+1", ".inf", ".NaN", "1e400", "12345678901234567890", "99999999999999999999999", "2001-01-01",
    "2001-12-14t21:59:43.10-05:00", "!!str 1", "!!int '1'", "!!bool 'yes'", "!!float 1", "!!null x", "!!null ''", "!foo x", "!!foo x", "!<tag:yaml.org,2002:str> 1", "! 1",
    "!!timestamp 2001-01-01", "!!binary aGVsbG8=", "!!binary a", "!!binary 'aGVs bG8='", "!!binary |\n      aGVs\n      bG8=", "!!binary /w==", "\"\\'\"", "\"a\\'b \\\\\\' \\\"\"",
    "\"\\x41\\u00fc\\U0001F600\\n\\t\\\"\\\\\\a\\b\\e\\f\\r\\v\\N\\_\\L\\P\"", "\"\\q\"", "\"\\u12\"", "'it''s'", "'\\''", "\"a\\\n      b\"", "\"a\n      b\"", "a\n      b",
    "|\n      x\n      y", "|-\n      x", "|2\n      x", ">\n      x\n      y", "> # c\n      x", "&a v", "*a", "[1]", "{a: b}", "@x", "`x", "%x", "- x", "a: b", "a:b", "a #b",
    "a#b", "'a' b", "'unclosed", "\"unclosed", "[", "{", "? a", "<<", "=", "'\t'", "\ta", "a\tb", "\u00fc", "'\u2028'", "\u0085", "'\ufeff'", "\U0001F600", "\"\\ud83d\\ude00\""]

FIELDS = {
    "hostNetwork": ["yes", "'true'", "1", "y", "~", ""],
    "activeDeadlineSeconds": ["010", "0x10", "1e2", "1.0", "1.5", "'5'", "1_0", "1:30", "99999999999999999999", "2147483648", "0", "-1", "true"],
    "terminationGracePeriodSeconds": ["-1", "0", "9223372036854775807", "9223372036854775808", "1e18", "1e19", "~"],
    "hostname": ["5", "yes", "'5'", "1.5"],
    "overhead": ["{cpu: 1}", "{cpu: 0.5, memory: 1e3}"],
    "nodeSelector": ["{a: 1}", "{a: ~}", "{1: a}", "{yes: a}", "{~: a}", "{1.5: a}", "{0x10: a}"],
    "tolerations": ["[{key: a, operator: Gt, value: '5'}]", "[{key: a, operator: Lt, value: '5'}]", "[{operator: Exists}]", "[{key: a}]"],
}

MAPS = {  # as metadata
    "anchor": "  labels: &l {a: b}\n  annotations: *l\n",
    "merge": "  labels: &l {a: b, c: d}\n  annotations:\n    <<: *l\n    c: e\n",
    "merge list": "  labels: &l {a: b}\n  annotations:\n    <<: [*l, {a: z, q: r}]\n",
    "merge scalar": "  annotations:\n    <<: x\n",
    "merge twice": "  annotations:\n    <<: {a: b}\n    <<: {c: d}\n",
    "merge after": "  annotations:\n    a: c\n    <<: {a: b}\n",
    "merge null": "  annotations:\n    <<: ~\n    a: b\n",
    "merge quoted": "  annotations:\n    '<<': {a: b}\n",
    "anchor redefined": "  labels: {a: &l x, b: *l}\n  annotations: {c: &l z, d: *l}\n",
    "anchor self": "  annotations: &l {a: *l}\n",
    "anchor unknown": "  annotations: *nope\n",
    "alias key": "  labels: {a: &k b}\n  annotations: {*k : c}\n",
    "complex key": "  annotations: {? [a] : c}\n",
    "explicit key": "  annotations:\n    ? a\n    : b\n",
    "set": "  annotations: !!set {? a, ? b}\n",
    "tagged": "  annotations: !!str {a: b}\n  labels: !foo {a: b}\n",
    "flow": "  annotations: {a: b,\n    c: d, \"e\":f, g, }\n",
    "twice": "  annotations: {a: b, a: c}\n",
    "twice, in two spellings": "  labels: {true: a, 'true': a}\n",  # of two values kubelet takes one by chance
    "long key": "  annotations:\n    " + "a" * 1100 + ": b\n",
}

DOCUMENTS = {
    "two": PLAIN + "---\n" + PLAIN.replace("name: x", "name: z"),
    "the first empty": "---\n---\n" + PLAIN,
    "the first a comment": "# c\n---\n" + PLAIN,
    "the first null": "~\n---\n" + PLAIN,
    "the second broken": PLAIN + "---\n{{{\n",
    "the second no pod": PLAIN + "---\nkind: ConfigMap\napiVersion: v1\n",
    "ended": PLAIN + "...\n",
    "ended, then one": PLAIN + "...\n---\n" + PLAIN,
    "%YAML 1.1": "%YAML 1.1\n---\n" + PLAIN,
    "%YAML 1.2": "%YAML 1.2\n---\n" + PLAIN,
    "%YAML twice": "%YAML 1.1\n%YAML 1.1\n---\n" + PLAIN,
    "%TAG": "%TAG ! tag:x,2000:\n---\n" + PLAIN,
    "byte order mark": b"\xef\xbb\xbf" + PLAIN.encode(),
    "UTF-16, little": b"\xff\xfe" + PLAIN.encode("utf-16-le"),
    "UTF-16, big": b"\xfe\xff" + PLAIN.encode("utf-16-be"),
    "UTF-16 without a mark": PLAIN.encode("utf-16-le"),
    "Latin 1": PLAIN.encode() + b"# \xe4\n",
    "NUL": PLAIN.encode() + b"\0",
    "bell": PLAIN.encode() + b"# \x07\n",
    "CRLF": PLAIN.replace("\n", "\r\n"),
    "CR": PLAIN.replace("\n", "\r"),
    "tab before": PLAIN.replace("  containers", "\tcontainers"),
    "tab between": PLAIN.replace("name: x", "name:\tx"),
    "tab behind": PLAIN.replace("name: x", "name: x\t# c"),
    "nothing": "", "a comment": "# x\n", "a text": "x", "a list": "- x\n",
    "a key twice": PLAIN + "  containers:\n  - {name: d, image: j}\n",
    "kind twice": "kind: ConfigMap\n" + PLAIN,
    "kind in lower case": PLAIN.replace("kind: Pod", "kind: pod"),
    "list of pods": "apiVersion: v1\nkind: PodList\nitems:\n- " + PLAIN.replace("\n", "\n  "),
    "status": PLAIN + "status: {phase: Failed}\n",
    "status of another type": PLAIN + "status: 5\n",
    "deep": POD.format("  annotations: " + "[" * 200 + "]" * 200 + "\n", ""),
}

J = '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"x"%s},"spec":{"containers":[{"name":"c","image":"i"}]%s}}%s'
JSONS = {
    "plain": J % ("", "", ""), "twice": J % (',"name":"z"', "", ""), "trailing comma": J % (",", "", ""), "comment": J % ("", " # c\n", ""),
    "something behind": J % ("", "", " x"), "two": J % ("", "", "\n{}"), "tab": "{\n\t" + (J % ("", "", ""))[1:], "single quotes": (J % ("", "", "")).replace('"', "'"),
    "escapes": J % (',"annotations":{"a":"\\/\\u00fc\\ud83d\\ude00"}', "", ""), "1e2": J % ("", ',"activeDeadlineSeconds":1e2', ""),
    "blanks before": "\n\t " + J % ("", "", ""),
}

# The least that each type is content with, for trying one field after the other.
LEAST = {
    "Volume": {"name": "v"}, "HostPathVolumeSource": {"path": "/p"}, "NFSVolumeSource": {"server": "s", "path": "/p"},
    "ISCSIVolumeSource": {"targetPortal": "1.2.3.4:3260", "iqn": "iqn.2001-04.com.example:a", "lun": 0}, "GlusterfsVolumeSource": {"endpoints": "e", "path": "p"},
    "RBDVolumeSource": {"monitors": ["m"], "image": "i"}, "CephFSVolumeSource": {"monitors": ["m"]}, "CinderVolumeSource": {"volumeID": "v"},
    "FCVolumeSource": {"targetWWNs": ["w"], "lun": 1}, "FlexVolumeSource": {"driver": "a/b"}, "FlockerVolumeSource": {"datasetName": "d"},
    "GCEPersistentDiskVolumeSource": {"pdName": "p"}, "GitRepoVolumeSource": {"repository": "r"}, "AWSElasticBlockStoreVolumeSource": {"volumeID": "v"},
    "AzureFileVolumeSource": {"secretName": "s", "shareName": "n"}, "AzureDiskVolumeSource": {"diskName": "d", "diskURI": "https://b/d"},
    "PhotonPersistentDiskVolumeSource": {"pdID": "p"}, "PortworxVolumeSource": {"volumeID": "v"}, "QuobyteVolumeSource": {"registry": "r:1", "volume": "v"},
    "ScaleIOVolumeSource": {"gateway": "g", "system": "s", "volumeName": "v"}, "StorageOSVolumeSource": {"volumeName": "v"},
    "VsphereVirtualDiskVolumeSource": {"volumePath": "p"}, "CSIVolumeSource": {"driver": "d.e"}, "ImageVolumeSource": {"reference": "r"},
    "DownwardAPIVolumeFile": {"path": "p", "fieldRef": {"fieldPath": "metadata.name"}}, "ObjectFieldSelector": {"fieldPath": "metadata.name"},
    "ResourceFieldSelector": {"containerName": "c", "resource": "limits.cpu"}, "ProjectedVolumeSource": {"sources": []}, "ConfigMapVolumeSource": {"name": "n"},
    "SecretVolumeSource": {"secretName": "n"}, "PersistentVolumeClaimVolumeSource": {"claimName": "c"}, "KeyToPath": {"key": "k", "path": "p"},
    "DownwardAPIProjection": {"items": [{"path": "p", "fieldRef": {"fieldPath": "metadata.name"}}]},
    "PodSpec": {"containers": [{"name": "c", "image": "i"}]}, "Container": {"name": "c", "image": "i"}, "ContainerPort": {"containerPort": 80}, "EnvVar": {"name": "A"},
    "VolumeMount": {"name": "v", "mountPath": "/v"}, "Toleration": {"operator": "Exists"}, "Probe": {"tcpSocket": {"port": 80}}, "TCPSocketAction": {"port": 80},
    "HTTPGetAction": {"port": 80}, "GRPCAction": {"port": 80}, "ExecAction": {"command": ["a"]}, "HTTPHeader": {"name": "a", "value": "b"}, "LifecycleHandler": {"exec": {"command": ["a"]}},
    "SeccompProfile": {"type": "RuntimeDefault"}, "AppArmorProfile": {"type": "RuntimeDefault"}, "HostAlias": {"ip": "1.2.3.4", "hostnames": ["a"]}, "PodOS": {"name": "linux"},
    "Sysctl": {"name": "kernel.shm_rmid_forced", "value": "1"}, "ContainerResizePolicy": {"resourceName": "cpu", "restartPolicy": "NotRequired"}, "PodReadinessGate": {"conditionType": "a"},
    "PodSchedulingGate": {"name": "a"}, "OwnerReference": {"apiVersion": "v1", "kind": "X", "name": "n", "uid": "u"}, "ManagedFieldsEntry": {"operation": "Apply"},
    "ContainerRestartRule": {"action": "Restart", "exitCodes": {"operator": "In", "values": [1]}}, "ContainerRestartRuleOnExitCodes": {"operator": "In", "values": [1]},
    "TopologySpreadConstraint": {"maxSkew": 1, "topologyKey": "k", "whenUnsatisfiable": "DoNotSchedule"}, "LabelSelectorRequirement": {"key": "k", "operator": "Exists"},
}
CHOICES = ["Never", "OnFailure", "IfNotPresent", "RuntimeDefault", "Localhost", "Unconfined", "Unmasked", "Default", "ClusterFirst", "Bidirectional", "HostToContainer", "Enabled", "IfPossible",
           "Disabled", "FallbackToLogsOnError", "OnRootMismatch", "Merge", "Strict", "NotIn", "In", "RestartContainer", "NotRequired", "TCP", "SCTP", "HTTPS", "Exists", "NoExecute", "Recursive",
           "PreemptLowerPriority", "ScheduleAnyway", "Honor", "orphan", "RestartAllContainers", "linux"]
TEXTS = ["A", "a b", "/abs", "../up", "a/b", "a" * 64, "a" * 254, "a:1", "a:1,b:2", "a:1,b", "[::1]:1", "None", "ReadWrite", "Managed", "Shared", "/subscriptions/x", "https://x", "File", "Memory", "HugePages-2Mi",
         "Always", "metadata.uid", "metadata.labels['a']", "limits.memory", "iqn.2001-04.com.example:a", "iqn.2001-04.com.example", "eui.0123456789abcdef", "naa." + "0" * 32]
ANY = [None, True, 5, -1, "str", "", [], {}, 1.5, ["x"], {"a": "b"}, [None], [{}]]
NUMBERS = [0, 1, 255, 256, 511, 512, 65536, 2147483647, 2147483648, 9223372036854775807, "7"]

# Where ours is another on purpose: how the name of the manifest begins, with why.
OURS = {
    "spec.volumes.image = {": "kubelet has no reference for a volume that will never be; here it is said at once",
    "spec.volumes.image.reference = null": "the same",
    'spec.volumes.image.reference = ""': "the same",
    "spec.volumes.image.reference = ": "the default of pullPolicy is that of a tag, also of a name that is none",
    "spec.volumes.emptyDir.sizeLimit = 0": "no limit is not shown as one of zero",
    'spec.volumes.emptyDir.sizeLimit = "0"': "the same",
    'spec.volumes.emptyDir.sizeLimit = "9e99"': "past the largest there is",
    "spec.containers.image = ": "the default of imagePullPolicy is that of a tag, also of a name that is none",
    "spec.containers.ports.hostIP = ": "nothing can be bound to what is no address",
    "spec.containers.env.valueFrom.resourceFieldRef.containerName = ": "a container that is not there is said at once, not at the start",
    "spec.containers.securityContext.privileged = true": "the program beside kubelet lets none be",
    "spec.containers.securityContext.windowsOptions.runAsUserName = ": "Windows's names are not looked at",
    "spec.containers.securityContext.windowsOptions.hostProcess = ": "nor this",
    "spec.securityContext.windowsOptions.runAsUserName = ": "the same",
    "spec.securityContext.windowsOptions.hostProcess = ": "the same",
    "metadata.uid = ": "here as there it is a directory's name; here that is checked",
}


def values(kind):
    if kind == "string":
        return ANY + TEXTS + CHOICES
    if kind.startswith("int"):
        return ANY + NUMBERS
    if kind == "bool":
        return ANY + [False, "true"]
    if kind == "resource.Quantity":
        return ANY + [0, "0", "1", "1Gi", "1e3", "-1", "0.0001", "1x", "9e99", " 1"]
    if kind == "map:string":
        return ANY + [{"k": 1}, {"k": None}, {"kubernetes.io/a": "b"}, {"a.k8s.io/a": "b"}, {"xk8s.io/a": "b"}]
    if kind == "[]string":
        return ANY + [["a"], [""], [5]]
    return ANY + ([[LEAST.get(kind[2:], {})]] if kind.startswith("[]") else [LEAST.get(kind, {})])


def mutations(types, kind, build, path, seen):
    """Each field of the type, and of those below it, with each value."""
    for field, below in types[kind]:
        for value in values(below):
            name = f"{path}.{field} = {json.dumps(value)[:60]}"
            if not name.startswith(tuple(OURS)):
                yield name, build({**LEAST.get(kind, {}), field: value})
        inner = below.removeprefix("[]")
        if inner in types and inner not in seen:
            def inside(object, field=field, many=below != inner):
                return build({**({"name": "v"} if kind == "Volume" else LEAST.get(kind, {})), field: [object] if many else object})
            yield from mutations(types, inner, inside, f"{path}.{field}", seen | {inner})


def with_volume(volume):
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": [{"name": "c", "image": "i"}], "volumes": [copy.deepcopy(volume)]}})


@pytest.fixture(scope="module")
def oracle():
    subprocess.run([HERE + "/../peers/build", PEERS, "kubelet-manifest"], check=True, capture_output=True)
    return PEERS + "/kubelet-manifest"


def ask(program, files):
    found = {}
    for i in range(0, len(files), 500):
        out = subprocess.run([program, *files[i:i + 500]], capture_output=True, check=True).stdout.decode()
        found.update((line["file"], line) for line in map(json.loads, filter(None, out.split("\n"))))
    return found


def plain(pod):
    """Without what is a static pod's own, and what is not given."""
    if isinstance(pod, dict):
        return {k: plain(v) for k, v in pod.items() if v is not None and k not in ("uid", "status", "creationTimestamp") and not k.startswith("kubernetes.io/config")}
    return [plain(v) for v in pod] if isinstance(pod, list) else pod


def same(oracle, tmp_path, texts):
    files = {}
    for i, (name, text) in enumerate(texts.items()):
        files[str(tmp_path / str(i))] = name
        (tmp_path / str(i)).write_bytes(text if isinstance(text, bytes) else text.encode())
    theirs, ours = (ask(program, list(files)) for program in (oracle, BUILD + "/tests/conformance/read_manifests"))
    wrong = []
    for file, name in files.items():
        a, b = theirs[file], ours[file]
        if "error" in a or "error" in b:
            if ("error" in a) != ("error" in b):
                wrong.append(f"{name}: kubelet {a.get('error', 'takes it')[:150]}; nacelle {b.get('error', 'takes it')[:150]}")
            continue
        one, other = plain(a["pod"]), plain(b["pod"])
        other.pop("apiVersion"), other.pop("kind")
        other["metadata"]["annotations"] = other["metadata"].get("annotations") or None
        if plain(one) != plain(other):
            wrong.append(f"{name}: kubelet {json.dumps(one)}; nacelle {json.dumps(other)}")
    assert not wrong, "\n".join(wrong[:20]) + f"\n{len(wrong)} of {len(files)}"


def test_scalars(oracle, tmp_path):
    same(oracle, tmp_path, {s: POD.format(f"  annotations:\n    a: {s}\n", "") for s in SCALARS})


def test_fields(oracle, tmp_path):
    same(oracle, tmp_path, {f"{f}: {v}": POD.format("", f"  {f}: {v}\n") for f, all_values in FIELDS.items() for v in all_values})


def test_maps(oracle, tmp_path):
    same(oracle, tmp_path, {name: POD.format(text, "") for name, text in MAPS.items()})


def test_documents(oracle, tmp_path):
    same(oracle, tmp_path, DOCUMENTS)


def test_json(oracle, tmp_path):
    same(oracle, tmp_path, JSONS)


def test_volumes(oracle, tmp_path):
    """Every field of every type of volume."""
    types = json.loads(subprocess.run([oracle, "--fields"], capture_output=True, check=True).stdout)
    texts = dict(mutations(types, "Volume", with_volume, "spec.volumes", {"Volume", "PersistentVolumeClaimTemplate"}))
    assert len(texts) > 2500
    same(oracle, tmp_path, texts)


def test_pods(oracle, tmp_path):
    """Every field of a pod's metadata and spec but its volumes, with values that fit and such that do not."""
    types = json.loads(subprocess.run([oracle, "--fields"], capture_output=True, check=True).stdout)
    whole = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {**LEAST["PodSpec"], "volumes": [{"name": "v", "emptyDir": {}}]}}
    elsewhere = {"PodSpec", "Volume", "Affinity", "EphemeralContainer"}
    texts = dict(mutations(types, "PodSpec", lambda spec: json.dumps({**whole, "spec": {**whole["spec"], **spec}}), "spec", elsewhere))
    texts |= mutations(types, "ObjectMeta", lambda meta: json.dumps({**whole, "metadata": {"name": "x", **meta}}), "metadata", {"ObjectMeta"})
    texts |= {f"status = {value}": json.dumps({**whole, "status": value}) for value in [None, {}, 5, "x", [], {"phase": "Running"}, {"phase": 5}, {"none": 1}, {"conditions": [{"type": 1}]}]}
    assert len(texts) > 15000
    same(oracle, tmp_path, texts)


PARTS = """
apiVersion: v1
kind: Pod
metadata: {name: a, ownerReferences: [{apiVersion: v1, kind: X, name: nn, uid: u, controller: true}]}
spec:
  hostAliases: [{ip: 1.2.3.4, hostnames: [a, b]}]
  dnsConfig: {nameservers: [1.1.1.1], options: [{name: x, value: ""}]}
  tolerations: [{key: a, operator: Exists, effect: NoExecute, tolerationSeconds: 0}]
  os: {name: linux}
  securityContext: {sysctls: [{name: kernel.shm_rmid_forced, value: "1"}], seLinuxOptions: {level: x}}
  affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: x, labelSelector: {matchLabels: {b: c, a: b}}}]}}
  containers:
  - name: c
    image: i
    ports: [{containerPort: 80}]
    securityContext: {capabilities: {add: [NET_ADMIN], drop: [ALL]}}
    readinessProbe: {exec: {command: [a, b]}}
    livenessProbe: {tcpSocket: {port: 80}}
    startupProbe: {grpc: {port: 80}}
    lifecycle: {preStop: {sleep: {seconds: 1}}}
    resources: {limits: {cpu: 1}}
    env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
    volumeMounts: [{name: v, mountPath: /v}]
  volumes:
  - {name: v, emptyDir: {sizeLimit: 1Gi, medium: Memory}}
  - {name: nn, nfs: {server: a, path: /x, readOnly: true}}
  - {name: d, downwardAPI: {items: [{path: a, fieldRef: {fieldPath: metadata.name}}]}}
"""


def test_parts_that_are_given_empty(oracle, tmp_path):
    """Absent is not empty: what is a pointer in Go is shown when it was given, and defaulted when it was not."""
    same(oracle, tmp_path, {"all": PARTS, "service": PARTS.replace("grpc: {port: 80}", 'grpc: {port: 80, service: ""}'),
                            "no value": PARTS.replace(', value: ""', ""), "zero": PARTS.replace("sizeLimit: 1Gi", "sizeLimit: 0")})
