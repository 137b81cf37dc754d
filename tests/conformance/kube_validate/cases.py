"""Makes objects of all kinds, good and broken, for the oracle of validation: lines of JSON. Usage: cases.py SEED COUNT [KIND]

Each kind begins from good objects (good_GROUP.json beside this); of these fields are taken away, given other values, made
anew from kube/facts, doubled or moved. A part of them are changes: what was is a good object, or one that was broken before.
"""
import copy
import json
import os
import pathlib
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../kube_apply"))
import cases  # noqa: E402

BAD = {"string": ["", "a", "A_b", "-a", "a" * 64, "a" * 254, "a..b", "x/y", "/a/../b", "1", "..", ".", "a b", "<&>", "10.0.0.1", "fd00::1", "010.1.1.1",
                  "10.0.0.0/8", "10.0.0.1/8", "*.a.b", "a.b", "Always", "None", "example.com/a", "kubernetes.io/a", "TCP", "hugepages-2Mi", "cpu", "\u00e4"],
       "int32": [-1, 0, 1, 2, 80, 65535, 65536, 2147483647], "int64": [-1, 0, 1, 2, 30, 1000, 2147483648, 5000000000],
       "quantity": ["-1", "0", "1", "100m", "1500m", "2Gi", "1k", "1n"], "intstr": [0, -1, 80, 65536, "http", "50%", "-1%", "150%", "a_b", ""],
       "time": ["2020-01-01T00:00:00Z", None], "microtime": ["2020-01-01T00:00:00.000000Z"], "bool": [True, False]}
FRESH = 0.25


class Broken(cases.Maker):
    def __init__(self, seed):
        super().__init__(seed)
        self.good = []
        for path in sorted(pathlib.Path(HERE).glob("good_*.json")):
            self.good += json.loads(path.read_text())
        self.rows = {}
        versions, _ = cases.facts.read(os.path.join(cases.ROOT, "kube/facts"))
        for v in versions:
            for t in v.types:
                if "kind" in t.marks:
                    self.rows[(f"{v.group_name}/{v.name}".lstrip("/"), t.name)] = t.full

    def element(self, name, depth):
        if name in BAD and self.chance(0.8):
            return self.random.choice(BAD[name])
        return super().element(name, depth)

    def field(self, field, depth):
        """An empty map or list is none once it was stored, which a peer that stores nothing does not know."""
        for _ in range(9):
            made = super().field(field, depth)
            if made or not field.form.startswith(("[", "{")):
                return made
        return None

    # ---- one change ----

    def places(self, name, value, found, depth=0):
        """All objects below @value: (the object, its type)."""
        if depth > 12 or not isinstance(value, dict):
            return
        found.append((value, name))
        for f in cases.facts.flat(self.types, self.types[name]):
            below = value.get(f.name)
            if f.element in cases.SCALARS or below is None:
                continue
            for item in below if isinstance(below, list) else below.values() if f.form == "{}" and isinstance(below, dict) else [below]:
                self.places(f.element, item, found, depth + 1)

    def break_one(self, name, value):
        found = []
        self.places(name, value, found)
        target, type_name = self.random.choice(found)
        fields = {f.name: f for f in self.fields(type_name)}
        if not fields:
            return
        known = [k for k in target if k in fields]
        if known and not self.chance(FRESH):
            key = self.random.choice(known)
            how = self.random.choice(["drop", "scalar", "scalar", "scalar", "double", "anew", "other"])
        else:
            key, how = self.random.choice(list(fields)), "anew"
        field = fields[key]
        old = target.get(key)
        if how == "drop":
            target.pop(key, None)
        elif how == "double" and isinstance(old, list) and old:
            old.append(copy.deepcopy(self.random.choice(old)))
        elif how == "scalar" and field.element in BAD:
            self.put_scalar(target, key, field, old)
        elif how == "other" and isinstance(old, str):
            texts = [v for o, _ in found for v in o.values() if isinstance(v, str)]
            target[key] = self.random.choice(texts)
        else:
            target[key] = self.field(field, 4)
            if target[key] is None:
                del target[key]

    def put_scalar(self, target, key, field, old):
        value = self.random.choice(BAD[field.element])
        if field.form == "[]":
            target[key] = (old or [])[:1] + [value]
        elif field.form == "{}":
            entries = dict(old or {})
            entries[self.random.choice(BAD["string"] + list(entries))] = value
            target[key] = entries
        elif field.form in ("", "*"):
            target[key] = value

    def broken(self, name, value):
        value = copy.deepcopy(value)
        for _ in range(self.random.choice([1, 1, 1, 1, 2, 2, 3])):
            self.break_one(name, value)
        return value


def cases_of(maker, row):
    """Every good object as it is, made and changed to itself; then what comes of them."""
    for object_ in row["objects"]:
        head = {"group": row["group"], "kind": row["kind"]}
        yield head | {"object": object_}
        yield head | {"object": object_, "old": object_}
        for sub in row.get("subs", []):
            yield head | {"sub": sub, "object": object_, "old": object_}


def one(maker, row):
    name = maker.rows[(row["group"], row["kind"])]
    good = maker.random.choice(row["objects"])
    case = {"group": row["group"], "kind": row["kind"]}
    if row.get("subs") and maker.chance(0.15):
        return case | {"sub": maker.random.choice(row["subs"]), "object": maker.broken(name, good), "old": good}
    if maker.chance(0.35):
        old = maker.broken(name, good) if maker.chance(0.3) else good
        return case | {"object": maker.broken(name, old), "old": old}
    return case | {"object": maker.broken(name, good)}


def main():
    maker, only = Broken(int(sys.argv[1])), sys.argv[3:]
    rows = [r for r in maker.good if not only or r["kind"] in only]
    for row in rows:
        for case in cases_of(maker, row):
            print(json.dumps(case))
    for _ in range(int(sys.argv[2])):
        print(json.dumps(one(maker, maker.random.choices(rows, [r.get("weight", 1) for r in rows])[0])))


if __name__ == "__main__":
    main()
