"""Makes histories of writes of all sorts of kinds of objects, good and broken, for the oracle: lines of JSON.

Usage: cases.py SEED COUNT
Each has an object in mind, made from kube/facts; its writes give parts of it, changed here and there, so that they meet.
"""
import copy
import json
import os
import random
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../..")
sys.path.insert(0, os.path.join(ROOT, "contrib/kinds"))
import facts  # noqa: E402

KINDS = [("v1", "core/v1", "Pod", 10), ("apps/v1", "apps/v1", "Deployment", 8), ("v1", "core/v1", "Service", 6),
         ("v1", "core/v1", "ConfigMap", 4), ("v1", "core/v1", "Node", 3), ("v1", "core/v1", "Secret", 1),
         ("apps/v1", "apps/v1", "StatefulSet", 2), ("batch/v1", "batch/v1", "CronJob", 2), ("v1", "core/v1", "ServiceAccount", 2),
         ("networking.k8s.io/v1", "networking/v1", "Ingress", 2), ("rbac.authorization.k8s.io/v1", "rbac/v1", "ClusterRole", 2),
         ("v1", "core/v1", "PersistentVolume", 3), ("v1", "core/v1", "PersistentVolumeClaim", 2), ("v1", "core/v1", "Namespace", 1),
         ("autoscaling/v2", "autoscaling/v2", "HorizontalPodAutoscaler", 2), ("apps/v1", "apps/v1", "ControllerRevision", 2),
         ("discovery.k8s.io/v1", "discovery/v1", "EndpointSlice", 2), ("policy/v1", "policy/v1", "PodDisruptionBudget", 1),
         ("resource.k8s.io/v1", "resource/v1", "ResourceClaim", 2), ("storage.k8s.io/v1", "storage/v1", "CSINode", 1),
         ("admissionregistration.k8s.io/v1", "admissionregistration/v1", "ValidatingWebhookConfiguration", 1),
         ("certificates.k8s.io/v1", "certificates/v1", "CertificateSigningRequest", 1),
         ("flowcontrol.apiserver.k8s.io/v1", "flowcontrol/v1", "FlowSchema", 1)]
WORDS = ["a", "b", "c", "web", "TCP", "x/y", "m\"n", "ä<b", "1"]
SCALARS = {"string": lambda r: r.choice(WORDS), "bool": lambda r: r.random() < 0.5, "int32": lambda r: r.choice([0, 1, 2, 80]),
           "int64": lambda r: r.choice([0, 1, 3, 5000000000]), "double": lambda r: r.choice([0.5, 1.25]),
           "quantity": lambda r: r.choice(["1", "100m", "2Gi"]), "time": lambda r: "2020-01-01T00:00:00Z",
           "microtime": lambda r: "2020-01-01T00:00:00.000000Z", "intstr": lambda r: r.choice([80, 81, "http"]),
           "bytes": lambda r: r.choice(["YQ==", "Yg=="]), "json": lambda r: {"k": 1},
           "raw": lambda r: r.choice([{"k": {"l": [1]}}, {"k": {"m": 2}}]), "fields": lambda r: {"f:a": {"f:b": {}}}}
FEW = {"metadata", "spec", "template", "containers", "finalizers", "ports", "volumes", "data", "labels", "rules", "status"}
SKIPPED = {"kind", "apiVersion", "managedFields", "creationTimestamp", "uid", "resourceVersion", "generation", "selfLink", "deletionTimestamp",
           "deletionGracePeriodSeconds", "generateName"}
NOT_IN_CLIENT_GO = ("apiextensions.k8s.io", "apiregistration.k8s.io")
MANAGERS = ["one", "two", "three", "kubectl", "kubectl-client-side-apply", "", "x\"y<z"]
START = 1600000000


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)
        versions, self.types = facts.read(os.path.join(ROOT, "kube/facts"))
        self.kinds = [(f"{v.group_name}/{v.name}".lstrip("/"), v.key, r.kind, 1) for v in versions for r in v.resources
                      if "patch" in r.verbs and v.group_name not in NOT_IN_CLIENT_GO]

    def chance(self, p):
        return self.random.random() < p

    def keys(self, field):
        text = str(field.words.get("list", ""))
        return text[text.index("(") + 1:-1].split(",") if text.startswith("map(") else []

    def fields(self, name):
        skipped = SKIPPED if name.endswith(".ObjectMeta") else {"kind", "apiVersion"}
        return [f for f in facts.flat(self.types, self.types[name]) if f.name not in skipped or not self.is_kind(name, f)]

    def is_kind(self, name, field):
        return name.endswith(".ObjectMeta") or "kind" in self.types[name].marks

    def element(self, name, depth):
        return SCALARS[name](self.random) if name in SCALARS else self.make(name, depth + 1)

    def field(self, field, depth):
        count = self.random.choice([0, 1, 2, 2, 3, 4])
        if field.form == "[]":
            items = [self.element(field.element, depth) for _ in range(count)]
            keys = self.keys(field)
            members = {f.name: f for f in self.fields(field.element)} if keys else {}
            for item in items:
                for key in keys:
                    if key != "protocol" or self.chance(0.5):
                        item.setdefault(key, self.element(members[key].element, 9))
            return self.distinct(field, items)
        if field.form.startswith("{}"):
            entries = {self.random.choice(WORDS): self.element(field.element, depth) for _ in range(count)}
            return {k: [v] for k, v in entries.items()} if field.form == "{}[]" else entries
        return self.element(field.element, depth)

    def distinct(self, field, items):
        """As a server would have them: no two of one key; and sets of them."""
        kind = str(field.words.get("list", ""))
        keys, seen, kept = self.keys(field), [], []
        for item in items:
            mark = [item.get(k, "TCP" if k == "protocol" else None) for k in keys] if keys and isinstance(item, dict) else item
            if (keys or kind == "set") and mark in seen:
                continue
            seen.append(mark)
            kept.append(item)
        return kept

    def make(self, name, depth=0):
        if depth > 6:
            return {}
        fields = self.fields(name)
        share = min(0.6, 3 / (len(fields) + 1))
        return {f.name: self.field(f, depth) for f in fields if self.chance(0.8 if f.name in FEW and depth < 5 else share)}

    # ---- a part of an object, changed here and there ----

    def part(self, name, value, depth=0):
        result = {}
        members = list(value)
        if self.chance(0.2):
            self.random.shuffle(members)
        known = {f.name: f for f in self.fields(name)}
        for key in members:
            old, f = value[key], known.get(key)
            if f is None or self.chance(0.75 if depth > 0 and self.chance(0.3) else 0.12):
                continue
            if f.form == "[]" and isinstance(old, list):
                result[key] = self.part_of_list(f, old, depth)
            elif f.form.startswith("{}") and isinstance(old, dict):
                result[key] = {k: self.element(f.element, depth) if f.form == "{}" and f.element in SCALARS and self.chance(0.2) else v
                               for k, v in old.items() if self.chance(0.7)}
            elif f.element not in SCALARS and isinstance(old, dict):
                result[key] = self.part(f.element, old, depth + 1)
            else:
                result[key] = self.field(f, depth) if self.chance(0.12) else old
        if self.chance(0.04) and known:
            f = self.random.choice(list(known.values()))
            result.setdefault(f.name, self.field(f, depth))
        return result

    def part_of_list(self, field, items, depth):
        keys = self.keys(field)
        kept = []
        for item in items:
            if self.chance(0.3):
                continue
            if isinstance(item, dict) and field.element not in SCALARS:
                item = self.part(field.element, item, depth + 1) | {k: item[k] for k in keys if k in item}
            kept.append(item)
        if self.chance(0.2):
            kept += self.field(field, depth)[:2]
        if self.chance(0.25):
            self.random.shuffle(kept)
        return self.distinct(field, kept) if self.chance(0.98) else kept

    def spoil(self, name, value):
        """Nulls and mistakes."""
        if not isinstance(value, dict):
            return value
        for f in self.fields(name):
            if f.name not in value:
                continue
            below = value[f.name]
            if f.element not in SCALARS:
                for item in below if isinstance(below, list) else [below]:
                    if self.chance(0.5):
                        self.spoil(f.element, item)
            if self.chance(0.03):
                value[f.name] = self.random.choice([None, None, None, 1, "text", [], {}, [1], ["a", None], True, 1.5, {"a": 1}, [{}], [[]]])
            elif isinstance(below, list) and below and self.chance(0.04):
                below.append(self.random.choice([copy.deepcopy(below[0]), None, {}, 1, "a", []]))
        if self.chance(0.02):
            value["unknown"] = 1
        return value

    # ---- histories ----

    def update(self, type_, thing, i):
        body = self.drop_empty(self.part(type_, thing))
        for at in [body] + [v for v in body.values() if isinstance(v, dict)]:
            for key in list(at):
                if self.chance(0.08) and key != "metadata":
                    at[key] = None
        if i == 0:
            body = self.drop_nulls(body)
        if self.chance(0.06):
            body.setdefault("metadata", {})["managedFields"] = self.random.choice([[], [{}], None, [self.entry()], [self.entry(), self.entry()]])
        return body

    def entry(self):
        made = {"manager": self.random.choice(MANAGERS), "operation": self.random.choice(["Apply", "Update"]), "apiVersion": "v1",
                "time": "2020-05-05T00:00:00Z", "fieldsType": "FieldsV1",
                "fieldsV1": self.random.choice([{"f:metadata": {"f:labels": {".": {}, "f:a": {}}}}, {"f:data": {"f:a": {}, "f:b": {}}},
                                                {"f:spec": {}}, {"f:spec": {"f:containers": {"k:{\"name\":\"a\"}": {".": {}, "f:image": {}}}}},
                                                {"f:spec": {"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}}}},
                                                {"f:metadata": {"f:finalizers": {"v:\"a\"": {}, ".": {}}}}, {"f:spec": {"f:selector": {"f:a": {}}}}])}
        if self.chance(0.1):
            made[self.random.choice(["operation", "apiVersion", "fieldsType"])] = self.random.choice(["", "x"])
        if self.chance(0.2):
            made["subresource"] = "status"
        return made

    def drop_empty(self, value, within=False):
        """Go compares what is within an atomic list as Go has it: an empty list that was sent is not one that was not. Ours is the same."""
        if isinstance(value, dict):
            return {k: self.drop_empty(v, within) for k, v in value.items() if not within or v not in ([], {})}
        return [self.drop_empty(v, True) for v in value] if isinstance(value, list) else value

    def drop_nulls(self, value):
        if isinstance(value, dict):
            return {k: self.drop_nulls(v) for k, v in value.items() if v is not None}
        return [self.drop_nulls(v) for v in value if v is not None] if isinstance(value, list) else value

    def history(self):
        group, version, kind, _ = self.random.choice(self.kinds) if self.chance(0.3) else self.random.choices(KINDS, [k[3] for k in KINDS])[0]
        type_ = f"{version}.{kind}"
        thing = self.make(type_)
        thing["metadata"] = self.make("meta/v1.ObjectMeta") | {"name": "web", "namespace": "default"}
        steps = []
        crowd = self.chance(0.05)
        for i in range(self.random.choice([14, 20]) if crowd else self.random.choice([2, 3, 4, 6])):
            op = self.random.choice(["apply", "apply", "update"]) if not crowd else self.random.choice(["update", "update", "apply"])
            step = {"op": op, "manager": self.random.choice(MANAGERS) if not crowd else f"m{self.random.randrange(16)}", "time": START + i}
            if self.chance(0.1) and i > 0:
                step["subresource"] = "status"
            if op == "apply":
                body = {"apiVersion": group, "kind": kind} | self.part(type_, thing)
                if self.chance(0.15):
                    self.spoil(type_, body)
                if self.chance(0.01):
                    body[self.random.choice(["kind", "apiVersion"])] = self.random.choice(["Other", "v2", "a/b", "a/b/c", 1, None])
                if self.chance(0.02) and isinstance(body.get("metadata"), dict):
                    body["metadata"]["managedFields"] = self.random.choice([[], None, [self.entry()]])
                last = [s for s in steps if s["op"] == "apply"]
                if last and self.chance(0.2):
                    body = copy.deepcopy(self.random.choice(last)["body"])
                step["force"] = self.chance(0.4)
            else:
                body = {"apiVersion": group, "kind": kind} | self.update(type_, thing, i)
            if self.chance(0.1):
                self.annotate(steps, body)
            step["body"] = body
            steps.append(step)
        return {"group": group, "kind": kind, "steps": steps}

    # ---- scale ----

    def scale(self):
        fields = [{"f:spec": {"f:replicas": {}}}, {"f:spec": {"f:replicas": {}, "f:x": {}}}, {"f:spec": {"f:x": {}}}, {"f:metadata": {"f:labels": {"f:a": {}}}}]

        def entries(versions):
            made = [{"manager": self.random.choice(MANAGERS[:4]), "operation": self.random.choice(["Apply", "Update"]),
                     "apiVersion": self.random.choice(versions), "time": f"2020-05-05T00:00:0{self.random.randrange(3)}Z", "fieldsType": "FieldsV1",
                     "fieldsV1": self.random.choice(fields)} | ({"subresource": "scale"} if self.chance(0.3) else {}) for _ in range(self.random.randrange(5))]
            if made and self.chance(0.05):
                made[0]["operation"] = "x"
            return made
        return {"group": "apps/v1", "kind": "Deployment", "steps": [],
                "scale": {"parent": entries(["apps/v1", "apps/v1", "apps/v0", "apps/v2"]), "scale": entries(["autoscaling/v1"])}}

    def annotate(self, steps, body):
        applied = [s["body"] for s in steps if s["op"] == "apply"] or [{"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "a"}}]
        if isinstance(body.get("metadata"), dict) and isinstance(body["metadata"].get("annotations", {}), dict):
            text = json.dumps(self.random.choice(applied)) if self.chance(0.9) else "{"
            body["metadata"].setdefault("annotations", {})["kubectl.kubernetes.io/last-applied-configuration"] = text


def main():
    maker = Maker(int(sys.argv[1]))
    for _ in range(int(sys.argv[2])):
        print(json.dumps(maker.scale() if maker.chance(0.05) else maker.history()))


if __name__ == "__main__":
    main()
