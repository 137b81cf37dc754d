"""A sample of answered histories for tests/unit/kube/apply_histories.jsonl: short ones of many sorts, of answers that Go gives in one
order only. Reads and writes lines of JSON."""
import json
import random
import sys

LONGEST = 6000  # characters of a history
WORDS = ("failed to convert", "cannot unmarshal", "unable to", "declared in schema", "quantities", "parsing time", "illegal base64", "errors:")


def plain(case):
    if "scale" in case:
        entries = case["scale"]["merged"] or []
        return "error" not in case["scale"] and len({json.dumps(e.get("time")) + e["manager"] for e in entries}) == len(entries)
    for step in case["steps"]:
        managers = {cause["message"] for cause in step.get("causes", [])}
        if len(managers) > 1 or any(w in step.get("error", "") for w in WORDS):
            return False
    return True


def sorts(case):
    """What a history shows."""
    if "scale" in case:
        yield "scale", len(case["scale"]["seen"] or []), len(case["scale"]["merged"] or [])
    for step in case["steps"]:
        if "error" in step:
            yield step["op"], "conflict" if step.get("causes") else " ".join(step["error"].split(": ")[-1].split()[:4])
        entries = step.get("object", {}).get("metadata", {}).get("managedFields") or []
        yield step["op"], min(len(entries), 11), step.get("force", False), bool(step.get("subresource"))
    yield case["kind"], "kind"


def main():
    random.seed(7)
    lines = [line for line in sys.stdin.read().splitlines() if len(line) < LONGEST and plain(json.loads(line))]
    random.shuffle(lines)
    seen = {}
    for line in lines:
        marks = set(sorts(json.loads(line)))
        if any(seen.get(mark, 0) < 2 for mark in marks):
            print(line)
        for mark in marks:
            seen[mark] = seen.get(mark, 0) + 1


main()
