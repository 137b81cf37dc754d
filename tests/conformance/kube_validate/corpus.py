"""Makes tests/differential/corpus/validate-core.txt: requests that kube-apiserver refuses, one for each thing that is wrong.

Usage: corpus.py SEED COUNT KUBE_VALIDATE
Which is wrong in what, kube-validate says; the differential test asks the real kube-apiserver. All are dry runs, but for the objects that
are changed.
"""
import importlib.util
import json
import os
import re
import subprocess
import sys

# Beside this one there is another of that name, which it uses.
spec = importlib.util.spec_from_file_location("broken_cases", os.path.join(os.path.dirname(os.path.abspath(__file__)), "cases.py"))
cases = importlib.util.module_from_spec(spec)
spec.loader.exec_module(cases)

NAMESPACE = "validate"
RESOURCES = {"PersistentVolumeClaim": "persistentvolumeclaims", "Endpoints": "endpoints"}
GLOBAL = {"Node", "PersistentVolume", "Namespace"}
# What other plugins of admission, and the allocators of services, say before validation is asked; and what every change has to repeat.
LEFT_OUT = {"Pod", "Service", "Namespace", "Node", "Event"}
EACH = 2   # of one thing that is wrong


def path(kind, name=""):
    resource = RESOURCES.get(kind, kind.lower() + "s")
    return (f"/api/v1/{resource}" if kind in GLOBAL else f"/api/v1/namespaces/{NAMESPACE}/{resource}") + (f"/{name}" if name else "")


def named(object_, kind, index):
    """As the case has it, in a namespace of this test's, by a name of its own."""
    object_ = json.loads(json.dumps(object_))
    meta = object_.setdefault("metadata", {})
    if kind not in GLOBAL and meta.get("namespace") == "default":
        meta["namespace"] = NAMESPACE
    if index is not None and meta.get("name") == "a":
        meta["name"] = f"v{index}"
    return object_


def made(maker, count):
    """Cases whose old object, if there is one, is a good one: with its index."""
    rows = [r for r in maker.good if r["kind"] not in LEFT_OUT and r["group"] == "v1"]
    for i in range(count):
        row = maker.random.choices(rows, [r.get("weight", 1) for r in rows])[0]
        index = maker.random.randrange(len(row["objects"]))
        good, name = row["objects"][index], maker.rows[(row["group"], row["kind"])]
        case = {"id": i + 1, "group": row["group"], "kind": row["kind"], "object": maker.broken(name, good), "index": index}
        if maker.chance(0.3) and "deletionTimestamp" not in good["metadata"]:
            case["old"] = good
        yield case


def main():
    maker = cases.Broken(int(sys.argv[1]))
    all_ = {c["id"]: c for c in made(maker, int(sys.argv[2]))}
    done = subprocess.run([sys.argv[3]], input="".join(json.dumps(c) + "\n" for c in all_.values()), capture_output=True, text=True, check=True)
    seen, creates, updates = {}, [], []
    for line in done.stdout.splitlines():
        answer = json.loads(line)
        case, causes = all_[answer["id"]], answer.get("causes") or []
        texts = {c.get("field", "") + c["message"] for c in causes}
        if len(texts) != 1 or "\n" in next(iter(texts)) or len(json.dumps(case["object"])) > 6000:
            continue
        meta = case["object"].get("metadata") or {}
        if meta.get("name") != "a" or meta.get("namespace", "default") != "default" or meta.get("deletionTimestamp") or "metadata." in next(iter(texts)):
            continue
        mark = case["kind"], "old" in case, re.sub(r"\[[^\]]*\]|\"(\\.|[^\"])*\"|-?\d+", "", next(iter(texts)))
        seen[mark] = seen.get(mark, 0) + 1
        if seen[mark] > EACH - ("old" in case):
            continue
        (updates if "old" in case else creates).append(case)
    print("# What kube-apiserver refuses in core/v1's kinds (tests/conformance/kube_validate/corpus.py): each thing that can be wrong, or nearly.")
    print(f'POST /api/v1/namespaces\n{{"metadata":{{"name":"{NAMESPACE}"}}}}\n')
    for case in creates:
        print(f"POST {path(case['kind'])}?dryRun=All\n{json.dumps(named(case['object'], case['kind'], None), ensure_ascii=False)}\n")
    for kind, index in sorted({(c["kind"], c["index"]) for c in updates}):
        old = next(c["old"] for c in updates if (c["kind"], c["index"]) == (kind, index))
        print(f"POST {path(kind)}\n{json.dumps(named(old, kind, index), ensure_ascii=False)}\n")
    for case in updates:
        print(f"PUT {path(case['kind'], 'v%d' % case['index'])}?dryRun=All\n{json.dumps(named(case['object'], case['kind'], case['index']), ensure_ascii=False)}\n")


main()
