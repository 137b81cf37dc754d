"""Makes patches of all sorts of kinds of objects, good and broken, for the oracle: lines of JSON.

Usage: cases.py SEED COUNT
Objects are made from kube/facts: some of their fields, with few different values, so that what meets is often the same.
"""
import copy
import json
import os
import random
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../..")
sys.path.insert(0, os.path.join(ROOT, "contrib/kinds"))
import facts  # noqa: E402

KINDS = [("v1", "core/v1", "Pod", 10), ("apps/v1", "apps/v1", "Deployment", 6), ("v1", "core/v1", "Service", 5),
         ("v1", "core/v1", "ConfigMap", 2), ("v1", "core/v1", "Node", 4), ("v1", "core/v1", "Secret", 1),
         ("apps/v1", "apps/v1", "StatefulSet", 3), ("batch/v1", "batch/v1", "CronJob", 2), ("v1", "core/v1", "ServiceAccount", 2),
         ("networking.k8s.io/v1", "networking/v1", "Ingress", 2), ("rbac.authorization.k8s.io/v1", "rbac/v1", "ClusterRole", 1),
         ("v1", "core/v1", "PersistentVolume", 2), ("v1", "core/v1", "Namespace", 1), ("v1", "core/v1", "LimitRange", 1),
         ("autoscaling/v2", "autoscaling/v2", "HorizontalPodAutoscaler", 1), ("apps/v1", "apps/v1", "DaemonSet", 1),
         ("certificates.k8s.io/v1", "certificates/v1", "CertificateSigningRequest", 1), ("apps/v1", "apps/v1", "ControllerRevision", 1),
         ("discovery.k8s.io/v1", "discovery/v1", "EndpointSlice", 1), ("policy/v1", "policy/v1", "PodDisruptionBudget", 1)]
WORDS = ["a", "b", "c", "d", "web", "TCP", "UDP", "x/y", "m~n", "ä", "1"]
DEPTH = 6
SCALARS = {"string": lambda r: r.choice(WORDS), "bool": lambda r: r.random() < 0.5, "int32": lambda r: r.choice([0, 1, 2, 80]),
           "int64": lambda r: r.choice([0, 1, 3, 5000000000]), "double": lambda r: r.choice([0.5, 1.25]),
           "quantity": lambda r: r.choice(["1", "100m", "2Gi"]), "time": lambda r: r.choice(["2020-01-01T00:00:00Z", None]),
           "microtime": lambda r: "2020-01-01T00:00:00.000000Z", "intstr": lambda r: r.choice([80, "http"]),
           "bytes": lambda r: r.choice(["YQ==", ""]), "json": lambda r: {"k": 1},
           "raw": lambda r: r.choice([{"k": {"l": [1]}}, {"k": {"m": 2}}]), "fields": lambda r: {"f:a": {"f:b": {}}}}


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)
        _, self.types = facts.read(os.path.join(ROOT, "kube/facts"))

    def chance(self, p):
        return self.random.random() < p

    def element(self, name, depth):
        return SCALARS[name](self.random) if name in SCALARS else self.make(name, depth + 1)

    def field(self, field, depth):
        count = self.random.choice([0, 1, 2, 2, 3, 4])
        if field.form == "[]":
            items = [self.element(field.element, depth) for _ in range(count)]
            key = self.merge_key(field)
            seen = []
            for item in items if key else []:
                item.setdefault(key, self.random.choice(WORDS[:6]) if key not in ("port", "containerPort") else self.random.choice([80, 81, 82]))
            for item in items:  # of one key: most often one
                if not key or item[key] not in [o[key] for o in seen] or self.chance(0.05):
                    seen.append(item)
            scalars = field.element in SCALARS and self.strategy(field) and not self.chance(0.05)
            return [v for i, v in enumerate(seen) if not scalars or v not in seen[:i]]
        if field.form.startswith("{}"):
            entries = {self.random.choice(WORDS): self.element(field.element, depth) for _ in range(count)}
            return {k: [v] for k, v in entries.items()} if field.form == "{}[]" else entries
        return self.element(field.element, depth)

    @staticmethod
    def strategy(field):
        return str(field.words.get("patch", ""))

    def merge_key(self, field):
        text = self.strategy(field)
        return text[text.index("(") + 1:-1] if "(" in text else None

    def fields(self, name):
        return [f for f in facts.flat(self.types, self.types[name]) if f.name not in ("kind", "apiVersion")]

    def make(self, name, depth=0, share=None):
        if depth > DEPTH:
            return {}
        fields = self.fields(name)
        few = {"metadata", "spec", "template", "containers", "finalizers", "ports", "volumes", "strategy"}
        share = share or min(0.6, 3 / (len(fields) + 1))
        return {f.name: self.field(f, depth) for f in fields if self.chance(0.8 if f.name in few and depth < 5 else share)}

    # ---- changes of an object, as an editor makes them ----

    def change(self, name, value, depth=0):
        result = {}
        for f in self.fields(name):
            old, dice = value.get(f.name), self.random.random()
            if f.name not in value:
                if dice < 0.05:
                    result[f.name] = self.field(f, depth)
            elif dice < 0.1:
                continue
            elif dice < 0.3 and f.element in SCALARS and not f.form:
                result[f.name] = self.field(f, depth)
            elif f.form == "[]" and isinstance(old, list):
                result[f.name] = self.change_list(f, old, depth)
            elif f.element not in SCALARS and not f.form.strip("*") and isinstance(old, dict):
                result[f.name] = self.change(f.element, old, depth + 1)
            else:
                result[f.name] = old
        return result

    def change_list(self, field, items, depth):
        items = [self.change(field.element, i, depth + 1) | ({self.merge_key(field): i[self.merge_key(field)]} if self.merge_key(field) else {})
                 if field.element not in SCALARS and isinstance(i, dict) and self.chance(0.4) else i for i in items if self.chance(0.8)]
        if self.chance(0.3):
            items += [i for i in self.field(field, depth)[:2] if not self.merge_key(field) or
                      i[self.merge_key(field)] not in [o.get(self.merge_key(field)) for o in items]]
        if self.chance(0.3):
            self.random.shuffle(items)
        if field.element in SCALARS:
            items = [v for i, v in enumerate(items) if v not in items[:i]]
        return items

    # ---- patches written by hand, well and badly ----

    def spoil(self, name, patch, depth=0):
        """Puts directives, nulls and mistakes into a partial object."""
        if not isinstance(patch, dict):
            return patch
        for f in self.fields(name):
            if f.name not in patch:
                if self.chance(0.02):
                    patch[f.name] = None
                continue
            value = patch[f.name]
            if f.element not in SCALARS and not f.form.strip("*"):
                self.spoil(f.element, value, depth + 1)
            if f.form == "[]":
                self.spoil_list(f, patch, value, depth)
            if self.chance(0.03):
                patch[f.name] = self.random.choice([None, 1, "text", [], {}, [1], ["a", None], True, 1.5])
        if self.chance(0.03):
            patch["$patch"] = self.random.choice(["replace", "delete", "delete", "merge", "nonsense", 1, None])
        if self.chance(0.06):
            keep = [k for k in patch if k[0] != "$" and self.chance(0.95)] + [f.name for f in self.fields(name) if self.chance(0.3)]
            patch["$retainKeys"] = keep if self.chance(0.95) else "no list"
        return patch

    def spoil_list(self, f, patch, items, depth):
        key = self.merge_key(f)
        if f.element not in SCALARS:
            for item in items:
                if self.chance(0.3):
                    self.spoil(f.element, item, depth + 1)
            if key and self.chance(0.3):
                items.append({key: self.random.choice(WORDS[:6]), "$patch": "delete"})
            if key and self.chance(0.04):
                items.append(self.random.choice([{"$patch": "replace"}, {"$patch": "merge", key: "a"}, {"$patch": "delete"}, {}, "text", 1]))
                self.random.shuffle(items)
        elif self.chance(0.5):
            patch["$deleteFromPrimitiveList/" + f.name] = [self.element(f.element, 9) for _ in range(2)]
            patch[f.name] = [i for i in items if i not in patch["$deleteFromPrimitiveList/" + f.name]]
            if self.chance(0.3):
                del patch[f.name]
        if self.strategy(f) and self.chance(0.4):
            listed = [{key: i[key]} if key and isinstance(i, dict) and key in i else i for i in items if not isinstance(i, dict) or "$patch" not in i]
            listed += [{key: w} if key else w for w in self.random.sample(WORDS[:6], self.random.choice([0, 1, 2]))]
            if self.chance(0.1):
                self.random.shuffle(listed)
            patch[("$setElementOrder/" if self.chance(0.98) else "$setElementOrder") + f.name * self.chance(0.99)] = listed

    # ---- JSON patches ----

    def pointers(self, value, at=""):
        yield at
        children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for k, v in children:
            yield from self.pointers(v, at + "/" + str(k).replace("~", "~0").replace("/", "~1"))

    def operations(self, document):
        places = list(self.pointers(document))
        pick = lambda: self.random.choice(places) + self.random.choice([""] * 12 + ["/-", "/0", "/1", "/-1", "/new", "/a/b", "/01", "/+1", "/99999999999999999999", "x"])
        value = lambda: self.random.choice([1, "a", None, [1, None], {"k": None}, {}, True, 1.0, {"a": {"b": []}}])
        made = []
        for _ in range(self.random.choice([1, 1, 2, 3, 5])):
            op = self.random.choice(["add", "remove", "replace", "move", "copy", "test", "add", "replace"])
            o = {"op": op, "path": pick()}
            if op in ("add", "replace", "test"):
                o["value"] = value() if op != "test" or self.chance(0.3) else self.at(document, o["path"])
            if op in ("move", "copy"):
                o["from"] = pick()
            if self.chance(0.03):
                o.pop(self.random.choice(list(o)))
            if self.chance(0.02):
                o["op"] = self.random.choice(["spam", "", None])
            made.append(o)
        return made if self.chance(0.98) else self.random.choice([{}, None, 1, [1], ["a"], [None], [[]]])

    def at(self, value, pointer):
        try:
            for token in pointer.split("/")[1:]:
                token = token.replace("~1", "/").replace("~0", "~")
                value = value[int(token)] if isinstance(value, list) else value[token]
            return value
        except (LookupError, ValueError, TypeError):
            return None

    def case(self):
        group, version, kind, _ = self.random.choices(KINDS, [k[3] for k in KINDS])[0]
        name = f"{version}.{kind}"
        case = {"op": self.random.choice(["json", "json", "merge", "strategic", "strategic", "strategic", "strategic", "diff-merge",
                                          "diff-strategic", "diff-strategic", "three-merge", "three-strategic", "three-strategic",
                                          "three-careful"]), "group": group, "kind": kind}
        a = case["a"] = self.make(name)
        if case["op"] == "json":
            case["b"] = self.operations(a)
        elif case["op"] == "merge":
            case["b"] = self.spoil(name, self.make(name)) if self.chance(0.95) else self.random.choice([1, "a", None, {}])
        elif case["op"] == "strategic":
            case["b"] = self.spoil(name, copy.deepcopy(self.change(name, a)) if self.chance(0.4) else self.make(name))
        else:
            case["b"] = self.change(name, a)
            if case["op"].startswith("three"):
                case["c"] = self.change(name, a)
        return case


if __name__ == "__main__":
    maker = Maker(int(sys.argv[1]))
    for _ in range(int(sys.argv[2])):
        print(json.dumps(maker.case(), ensure_ascii=False, separators=(",", ":")))
