"""Whether kube/print and kube/selector answer as Kubernetes' own libraries do. Usage: compare.py PRINT_OBJECTS < ANSWERED_CASES"""
import collections
import json
import subprocess
import sys

SHOWN = 10
KEPT = 2000  # bytes of an error that are kept


def same(case, ours):
    if "error" in case or "error" in ours:
        if case["op"] in ("custom", "labelSelector"):  # only that there is one: Go walks maps in any order
            return ("error" in case) == ("error" in ours)
        return case.get("error", "")[:KEPT] == ours.get("error", "")[:KEPT]
    if case["op"] in ("table", "custom"):
        return case["table"] == ours["table"]
    return case.get("string", "") == ours["string"] and case.get("matches", []) == ours["matches"]


def main():
    lines = sys.stdin.read().split("\n")[:-1]
    done = subprocess.run([sys.argv[1]], input="\n".join(lines) + "\n", capture_output=True, text=True)
    answers = done.stdout.split("\n")[:-1]
    counts, wrong = collections.Counter(), 0
    for line, answer in zip(lines, answers):
        case, ours = json.loads(line), json.loads(answer)
        counts[case["op"], "error" if "error" in case else "answer"] += 1
        if not same(case, ours):
            wrong += 1
            if wrong <= SHOWN:
                print(f"{line}\n  ours: {answer}")
    print(", ".join(f"{op} {what}: {n}" for (op, what), n in sorted(counts.items())))
    wrong += len(lines) - len(answers)
    print(f"prints: {len(lines) - wrong} passed, {wrong} failed {done.stderr[:200]}")
    sys.exit(wrong > 0 or not lines)


main()
