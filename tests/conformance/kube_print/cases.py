"""Makes objects of every kind in all sorts of states, columns of custom resources, and selectors good and broken: lines of JSON.

Usage: cases.py SEED COUNT
Objects are made from kube/facts, with the fields that columns look at in most of them, and words that mean something there.
"""
import datetime
import json
import os
import random
import re
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../..")
sys.path.insert(0, os.path.join(ROOT, "contrib/kinds"))
sys.dont_write_bytecode = True
import facts  # noqa: E402

DEPTH = 8
UNPRINTED = {"Binding", "TokenReview", "SubjectAccessReview", "LocalSubjectAccessReview", "SelfSubjectAccessReview",
             "SelfSubjectRulesReview", "SelfSubjectReview", "CustomResourceDefinition", "APIService"}
WEIGHTS = {"Pod": 40, "Event": 6, "Job": 5, "Service": 6, "Node": 5, "HorizontalPodAutoscaler": 8, "Ingress": 4, "Endpoints": 3}
WORDS = ["a", "b", "web", "x-1", "<n>&", "ä", "a,b"]

# Words by the name of their field, and by TYPE.FIELD where that is not enough.
TEXTS = {
    "phase": ["Pending", "Running", "Succeeded", "Failed", "Active", "Bound", ""],
    "reason": ["Completed", "Error", "CrashLoopBackOff", "PodInitializing", "NodeLost", "Evicted", "SchedulingGated", "OOMKilled", ""],
    "status": ["True", "False", "Unknown"],
    "type": ["Ready", "Initialized", "PodScheduled", "Complete", "Failed", "Suspended", "FailureTarget", "SuccessCriteriaMet", "Approved",
             "Denied", "Issued", "Dangling", "Healthy", "Running", "Succeeded", "PodGroupScheduled", "DisruptionTarget", "Normal", "g"],
    "restartPolicy": ["Always", "Always", "Never"],
    "kind": ["Pod", "User", "Group", "ServiceAccount", "Deployment"],
    "operator": ["In", "NotIn", "Exists", "DoesNotExist", "Odd"],
    "protocol": ["TCP", "UDP"],
    "conditionType": ["Ready", "g", "h"],
    "apiVersion": ["v1", "apps/v1", "x.y/v1beta1"],
    "ServiceSpec.type": ["ClusterIP", "NodePort", "LoadBalancer", "ExternalName", "Odd"],
    "MetricSpec.type": ["Resource", "Pods", "Object", "External", "ContainerResource", "Odd"],
    "NodeAddress.type": ["InternalIP", "ExternalIP", "Hostname"],
    "ip": ["10.0.0.1", "10.0.0.2", "fd00::1", ""],
    "key": ["a", "a.b/c", "_bad_"],
}
KEYS = ["a", "b", "c", "a.b/c", "node-role.kubernetes.io/worker", "node-role.kubernetes.io/", "kubernetes.io/role", "limits.cpu",
        "requests.cpu", "pods", "storage", "storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class",
        "ingressclass.kubernetes.io/is-default-class", "volume.beta.kubernetes.io/storage-class"]
MODES = ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"]
OFFSETS = [0, 1, 30, 119, 120, 130, 599, 600, 10000, 10800, 20000, 28800, 100000, 172800, 300000, 691200, 9000000, 63072000, 70000000,
           94608000, 252288000, 300000000, -1, -2, -50]


def printed_names():
    """Every word of a path that a column of kube/print looks at."""
    names = set()
    for name in os.listdir(os.path.join(ROOT, "kube/print")):
        for text in re.findall(r'"([a-zA-Z.# ]+)"', open(os.path.join(ROOT, "kube/print", name)).read()):
            names.update(re.split(r"[.# ]", text))
    return names - {"annotations"}


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.versions, self.types = facts.read(os.path.join(ROOT, "kube/facts"))
        self.versions = [v for v in self.versions if v.group_name != "metrics.k8s.io"]  # metrics-server's, elsewhere
        self.printed = printed_names()
        self.now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)

    def time(self, micro):
        then = self.now - datetime.timedelta(seconds=self.random.choice(OFFSETS) + 100 * self.random.choice([0, 0, 1]))
        return then.strftime("%Y-%m-%dT%H:%M:%S" + (".%06dZ" % self.random.choice([0, 1, 999999]) if micro else "Z"))

    def scalar(self, owner, field):
        r, element = self.random, field.element
        if element == "string":
            if field.name == "operation" or field.name == "accessModes":
                return r.choice(MODES)
            return r.choice(TEXTS.get(f"{owner}.{field.name}", TEXTS.get(field.name, WORDS)))
        return {"bool": lambda: r.random() < 0.5, "int32": lambda: r.choice([0, 1, 2, 3, 80, 137, 2000000]),
                "int64": lambda: r.choice([0, 1, 5000000000]), "double": lambda: r.choice([0.5, 1.25]),
                "quantity": lambda: r.choice(["1", "100m", "2Gi", "1500m", "0.5", "1e3", "1024Ki"]), "time": lambda: self.time(False),
                "microtime": lambda: self.time(True), "intstr": lambda: r.choice([80, "http", "50%"]),
                "bytes": lambda: r.choice(["YQ==", ""]), "json": lambda: {"k": 1}, "raw": lambda: {"k": {"l": [1]}},
                "fields": lambda: {"f:a": {}}}[element]()

    def element(self, owner, field, depth):
        if field.element in facts.ELEMENTS:
            return self.scalar(owner, field)
        return self.make(field.element, depth + 1)

    def field(self, owner, field, depth):
        count = self.random.choice([0, 1, 1, 2, 2, 3, 4, 5])
        if field.form == "[]":
            return [self.element(owner, field, depth) for _ in range(count)]
        if field.form.startswith("{}"):
            entries = {self.random.choice(KEYS): self.element(owner, field, depth) for _ in range(count)}
            if field.name in ("annotations", "labels"):
                entries = {k: self.random.choice(["true", "a", ""]) for k in entries}
            return {k: [v] for k, v in entries.items()} if field.form == "{}[]" else entries
        return self.element(owner, field, depth)

    def make(self, name, depth=0):
        if depth > DEPTH:
            return {}
        owner, result = name.split(".")[-1], {}
        for f in facts.flat(self.types, self.types[name]):
            share = 0.7 if f.name in self.printed else 0.25 if f.name == "annotations" else 0.03
            if f.name == "deletionTimestamp":
                share = 0.15
            if owner == "ContainerState":
                share = 0.45
            if self.random.random() < share and f.name != "managedFields":
                result[f.name] = self.field(owner, f, depth)
        return result

    def kinds(self):
        """(apiVersion, full name of the type, kind), as often as they are wanted."""
        for version in self.versions:
            for resource in version.resources:
                if resource.kind in UNPRINTED:
                    continue
                api = f"{version.group_name}/{version.name}" if version.group_name else version.name
                for _ in range(WEIGHTS.get(resource.kind, 2)):
                    yield api, f"{version.key}.{resource.kind}", resource.kind
        yield "autoscaling/v1", "autoscaling/v1.Scale", "Scale"

    def metric_annotation(self, metadata):
        """What version 1 of the autoscaler keeps of version 2."""
        r = self.random
        metrics = [{"type": "Resource", "resource": {"name": "memory", "targetAverageUtilization": 70}},
                   {"type": "Pods", "pods": {"metricName": "m", "targetAverageValue": "10"}},
                   {"type": "Object", "object": {"target": {}, "metricName": "m", "targetValue": "5"}},
                   {"type": "External", "external": {"metricName": "m", "targetAverageValue": "3"}}]
        statuses = [{"type": "Resource", "resource": {"name": "memory", "currentAverageUtilization": 7, "currentAverageValue": "1"}},
                    {"type": "Pods", "pods": {"metricName": "m", "currentAverageValue": "2"}},
                    {"type": "External", "external": {"metricName": "m", "currentValue": "0", "currentAverageValue": "4"}}]
        metadata.setdefault("annotations", {})["autoscaling.alpha.kubernetes.io/metrics"] = json.dumps(r.sample(metrics, r.randint(0, 3)))
        if r.random() < 0.6:
            metadata["annotations"]["autoscaling.alpha.kubernetes.io/current-metrics"] = json.dumps(r.sample(statuses, r.randint(0, 2)))

    def table(self, kinds):
        api, name, kind = self.random.choice(kinds)
        value = self.make(name) | {"apiVersion": api, "kind": kind}
        value["metadata"] = value.get("metadata", {}) | {"name": self.random.choice(["web", "a-b.c"])}
        if self.random.random() < 0.8:
            value["metadata"]["resourceVersion"] = "7"
        if name == "autoscaling/v1.HorizontalPodAutoscaler" and self.random.random() < 0.6:
            self.metric_annotation(value["metadata"])
        return {"op": "table", "text": "", "object": value}

    PATHS = [".spec.replicas", ".status.phase", ".metadata.creationTimestamp", ".spec.list[0]", ".spec.list[-1]", ".spec.list[1:3]",
             ".spec.list[*]", ".spec.list[7]", ".status.conditions[?(@.type==\"Ready\")].status", ".status.conditions[?(@.type=='Ready')].status",
             ".spec.map", ".spec.map.a\\.b/c", ".spec['map']['x']", ".spec.missing", "..phase", ".spec.when", ".spec.float", ".spec.flag",
             ".spec.null", ".status.conditions[?(@.n>2)].type", ".status.conditions[?(@.n!=2)].type", ".spec.list[0,2]", ".spec.text[0]",
             ".spec.list[::2]", ".spec.list[2:1]", ".status.conditions[?(@.status)].type", ".status.conditions[*].type", ".spec.map.*",
             ".spec.list", ".spec.list[?(@.x)]", ".spec.list[x]", ".spec.[", ".spec[0", ".a b", ".spec.map['a.b/c']", ".", ".spec.big",
             ".status.conditions[?(@.n<=2)].n", ".status.conditions[?(@.n==2.0)].n", "..", ".spec.....x", ".spec.list[::0]", ".spec.bad"]
    TYPES = ["string", "integer", "number", "boolean", "date", "odd"]

    def custom(self, _):
        r = self.random
        spec = {"replicas": r.choice([3, 0, -1]), "list": r.choice([["a", "b", "c"], [1, 2, 3, 4], [], ["<x>"]]), "map": {"x": 1.5},
                "when": self.time(False), "float": r.choice([1.5, 2.0, 1e21, 1e-7, 123456789.25, 1e20]), "flag": True, "null": None,
                "text": "t<", "big": r.choice([9223372036854775807, 1e300]), "bad": r.choice(["2020-13-01T00:00:00Z", "", "null", "x"])}
        conditions = [{"type": t, "status": r.choice(["True", "False"]), "n": r.choice([1, 2, 3])} for t in ("Ready", "Odd")]
        value = {"apiVersion": "x.y/v1", "kind": "Thing", "metadata": {"name": "t", "creationTimestamp": self.time(False)},
                 "spec": {k: v for k, v in spec.items() if r.random() < 0.85}, "status": {"conditions": conditions, "phase": "p"}}
        columns = [{"name": f"C{i}", "type": r.choice(self.TYPES), "jsonPath": r.choice(self.PATHS)} for i in range(r.randint(1, 3))]
        columns[0] |= r.choice([{}, {"description": "d", "format": "f", "priority": 1}])
        return {"op": "custom", "text": "", "object": value, "columns": columns}

    LABEL_PARTS = ["a", "b", "in", "notin", "exists", "(", ")", ",", "=", "==", "!=", "!", ">", "<", " ", "\t", "x.y/a", "1", "-", "5", "a-", "A_b",
                   "/", "ä", "(a,b)", "(a)", " in ", " notin ", "x" * 63, "x" * 64, "\"", "\x7f", "\u2028"]
    LABEL_FORMS = ["{k}={v}", "{k}=={v}", "{k}!={v}", "{k} in ({v},{w})", "{k} notin ({v})", "{k}", "!{k}", "{k}>{n}", "{k}<{n}", "{k}={v},{l}={w}",
                   "{k} in (,{v})", "{k} in ({v},)", "{k} notin (,)", " {k} = {v} , {l}", "{k} in ()", "{k}={v},{k}!={w}"]

    def sets(self, keys, values):
        return [{k: self.random.choice(values) for k in keys if self.random.random() < 0.5} for _ in range(4)]

    def label(self, _):
        r = self.random
        if r.random() < 0.4:
            text = "".join(r.choice(self.LABEL_PARTS) for _ in range(r.randint(1, 8)))
        else:
            text = r.choice(self.LABEL_FORMS).format(k=r.choice(["a", "b", "x.y/a", "in"]), l=r.choice(["a", "c"]), v=r.choice(["1", "a", "", "b"]),
                                                     w=r.choice(["2", "c"]), n=r.choice(["1", "5", "-1", "x", "+2", ""]))
        return {"op": "label", "text": text, "sets": self.sets(["a", "b", "c", "x.y/a"], ["1", "2", "a", "b", "", "6", "-3"])}

    def label_selector(self, _):
        value = self.make("meta/v1.LabelSelector")
        value["matchLabels"] = {k: v for k, v in value.get("matchLabels", {}).items() if self.random.random() < 0.5}
        return {"op": "labelSelector", "text": "", "object": value, "sets": self.sets(["a", "b", "a.b/c"], ["a", "b", "web", ""])}

    FIELD_KINDS = [("v1", "Pod"), ("v1", "Node"), ("v1", "ConfigMap"), ("batch/v1", "Job"), ("v1", "Event"), ("events.k8s.io/v1", "Event"),
                   ("v1", "Secret"), ("v1", "Namespace"), ("v1", "Service"), ("v1", "ReplicationController"), ("resource.k8s.io/v1", "ResourceSlice"),
                   ("certificates.k8s.io/v1", "CertificateSigningRequest"), ("apps/v1", "Deployment"),
                   ("certificates.k8s.io/v1beta1", "ClusterTrustBundle"), ("certificates.k8s.io/v1beta1", "PodCertificateRequest")]
    LABELS = ["metadata.name", "metadata.namespace", "spec.nodeName", "spec.host", "status.phase", "spec.unschedulable", "type", "reason", "source",
              "involvedObject.kind", "regarding.kind", "regarding.name", "reportingController", "reportingComponent", "status.successful",
              "status.replicas", "spec.signerName", "spec.podName", "spec.clusterIP", "spec.type", "spec.driver", "status.podIP", "status.podIPs",
              "status.nominatedNodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork", "x\"y", ""]

    def field_selector(self, _):
        r = self.random
        api, kind = r.choice(self.FIELD_KINDS)
        terms = [(r.choice(self.LABELS) if r.random() < 0.4 else "metadata.name") + r.choice(["=", "==", "!=", "!", ""] if r.random() < 0.1 else ["=", "!="]) +
                 r.choice(["a", "b", "", "a\\,b", "a\\=b", "a\\\\", "a\\b", "a\\", "a=b", "ä"] if r.random() < 0.4 else ["a", "b"])
                 for _ in range(r.choice([0, 1, 1, 2, 3]))]
        return {"op": "field", "group": api, "kind": kind, "text": ",".join(terms), "sets": self.sets(self.LABELS[:-2], ["a", "b", ""])}


def main():
    maker = Maker(int(sys.argv[1]))
    kinds, count = list(maker.kinds()), int(sys.argv[2])
    ops = [maker.table] * 6 + [maker.custom, maker.label, maker.label_selector, maker.field_selector]
    for i in range(count):
        if i % 200 == 0:  # times are as long ago as they say
            maker.now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
        print(json.dumps(maker.random.choice(ops)(kinds)), flush=i % 200 == 199)


main()
