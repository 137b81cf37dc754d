"""A sample of answered cases for tests/unit/kube/validate_cases.jsonl: of each kind, and of each error that is told there, one. Reads and
writes lines of JSON."""
import json
import re
import sys

LONGEST = 1500  # characters of a case


def main():
    seen, last = set(), {}
    for line in sys.stdin.read().splitlines():
        case = json.loads(line)
        # What go-cmp says of two versions is another text each time.
        if len(line) > LONGEST or "\\n" in json.dumps(case.get("causes")) or len(case.get("causes") or []) > 3:
            continue
        kind = case["group"], case["kind"], case.get("sub", ""), "old" in case
        if any("field" not in c for c in case.get("causes") or []):
            continue
        errors = {re.sub(r"\[[^\]]*\]", "[]", c["field"]) + re.sub(r"\"(\\.|[^\"])*\"|-?\d+", "", c["message"]) for c in case.get("causes") or []} or {""}
        if all(kind[:3] + (e,) in seen for e in errors) and kind in last:
            continue
        seen |= {kind[:3] + (e,) for e in errors}
        last[kind] = True
        case.pop("message", None)
        print(json.dumps(case, separators=(",", ":")))


main()
