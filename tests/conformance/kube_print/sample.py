"""A sample of answered cases for tests/unit/kube/print_cases.jsonl: every kind, in some states. Reads and writes lines of JSON."""
import json
import random
import sys

LONGEST = 1500  # characters of a case
EACH = {"table": 2, "custom": 25, "label": 80, "labelSelector": 12, "field": 60}


def main():
    random.seed(5)
    groups = {}
    for line in sys.stdin.read().split("\n")[:-1]:
        case = json.loads(line)
        table = case.get("table")
        if len(line) > LONGEST + len(json.dumps((table or {}).get("columnDefinitions"))) or len(case.get("error", "")) > 1900:
            continue
        if table and case["op"] == "table":
            del table["columnDefinitions"]  # as long as all else; test_tables_as_kubernetes.py compares them
        stored = case.get("stored", {})
        kind = f"{stored.get('apiVersion')} {stored.get('kind')}" if case["op"] == "table" else None
        groups.setdefault((case["op"], kind), []).append(json.dumps(case, separators=(",", ":")))
    for (op, kind), lines in sorted(groups.items(), key=str):
        lines.sort(key=len)
        full = lines[len(lines) // 2:] if op == "table" else lines  # the fuller half says more
        print("\n".join(random.sample(full, min(EACH[op] * (8 if kind and kind.endswith(" Pod") else 1), len(full)))))


main()
