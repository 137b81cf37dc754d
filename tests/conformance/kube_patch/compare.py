"""Whether kube/patch answers as Kubernetes' own libraries do. Usage: compare.py APPLY_PATCHES < ANSWERED_CASES

Error texts are compared to where Go prints what ours cuts, and with what only Go's JSON reader says left out.
"""
import collections
import json
import subprocess
import sys

SHOWN = 10


def number(text):
    return ("number", float(text))


def read(text):
    """Numbers are the same when they say the same; 1 and 1.0 are."""
    return json.loads(text, parse_int=number, parse_float=number)


def same_error(theirs, ours):
    theirs = theirs.replace(": %!w(<nil>)", "")
    if "cannot unmarshal" in theirs and "cannot unmarshal" in ours:
        return theirs.split(":")[0] == ours.split(":")[0]
    if theirs.startswith("list element types are not identical"):
        return ours.startswith("list element types are not identical")
    if "cannot be compared" in ours:  # Go finds something else to complain of, or panics
        return bool(theirs)
    if theirs.startswith("patch:\n"):
        return ours.startswith("patch:\n")
    return theirs[:900] == ours[:900]


def unordered(value):
    """Go sorts scalars in the patch itself while it looks for conflicts."""
    if isinstance(value, dict):
        return {k: unordered(v) for k, v in value.items()}
    if isinstance(value, list):
        return sorted((unordered(v) for v in value), key=lambda v: json.dumps(v, sort_keys=True))
    return value


def same_value(case, ours):
    theirs, ours = case["value"], ours["value"]
    return unordered(theirs) == unordered(ours) if case["op"] == "three-careful" else theirs == ours


def main():
    lines = sys.stdin.read().splitlines()
    done = subprocess.run([sys.argv[1]], input="\n".join(lines) + "\n", capture_output=True, text=True)
    answers = done.stdout.splitlines()
    counts, wrong = collections.Counter(), 0
    for line, answer in zip(lines, answers):
        case, ours = read(line), read(answer)
        if "error" in case or "error" in ours:
            good = same_error(case.get("error", ""), ours.get("error", ""))
        else:
            good = same_value(case, ours)
        counts[case["op"], "error" if "error" in case else "value"] += 1
        if not good:
            wrong += 1
            if wrong <= SHOWN:
                print(f"{line}\n  ours: {answer}")
    print(", ".join(f"{op} {what}: {n}" for (op, what), n in sorted(counts.items())))
    wrong += len(lines) - len(answers)
    print(f"patches: {len(lines) - wrong} passed, {wrong} failed")
    sys.exit(wrong > 0)


main()
