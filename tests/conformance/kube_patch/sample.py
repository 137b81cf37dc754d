"""A sample of answered cases, some of each kind of answer, for tests/unit/kube/patch_cases.jsonl. Reads and writes lines of JSON."""
import json
import random
import sys

LONGEST = 1300  # characters of a case
DIRECTIVES = ("$setElementOrder", "$deleteFrom", "$patch", "$retainKeys")


def answer(case):
    if "error" not in case:
        return case["kind"]
    return "conflict" if case["error"].startswith("patch:") else " ".join(case["error"].split()[:4])


def wanted(line, case):
    """What compare.py has to forgive is not for a test that forgives nothing."""
    error = case.get("error", "")
    return len(line) < LONGEST and "cannot unmarshal" not in error and "%!w" not in error and case["op"] + error != "three-careful"


def main():
    random.seed(5)
    groups = {}
    for line in sys.stdin.read().splitlines():
        case = json.loads(line)
        if wanted(line, case):
            groups.setdefault((case["op"], answer(case)), []).append(line)
    for (op, _), lines in sorted(groups.items()):
        telling = [line for line in lines if len(line) > 200 and (op != "strategic" or any(d in line for d in DIRECTIVES))]
        pool = telling if len(telling) > 4 else lines
        print("\n".join(random.sample(pool, min(6 if op == "strategic" else 2, len(pool)))))


main()
