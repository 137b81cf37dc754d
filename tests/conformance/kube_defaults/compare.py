"""Whether kube/defaults fills in as kube-apiserver does. Usage: compare.py FILL_DEFAULTS < ANSWERED_CASES"""
import collections
import datetime
import json
import re
import subprocess
import sys

SHOWN = 12
NOW = datetime.datetime.fromtimestamp(1600000000, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
# The hub version of these has what theirs has in an annotation; who stores them decides what stands there.
ANNOTATIONS = ("deprecated.daemonset.template.generation", "autoscaling.alpha.kubernetes.io/current-metrics")


def bare(value):
    notes = value.get("metadata", {}).get("annotations")
    if notes:
        value["metadata"]["annotations"] = {k: v for k, v in notes.items() if k not in ANNOTATIONS} or None
    return value


def difference(theirs, ours, at=""):
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in theirs | ours:
            yield from difference(theirs.get(key), ours.get(key), f"{at}.{key}")
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for i, (a, b) in enumerate(zip(theirs, ours)):
            yield from difference(a, b, f"{at}[{i}]")
    elif theirs != ours and not (at.endswith(".timeAdded") and ours == NOW):
        yield at, theirs, ours


def main():
    lines = sys.stdin.read().splitlines()
    done = subprocess.run([sys.argv[1]], input="\n".join(lines) + "\n", capture_output=True, text=True)
    answers = done.stdout.splitlines()
    wrong, kinds, places = 0, set(), collections.Counter()
    for line, answer in zip(lines, answers):
        case = json.loads(line)
        found = list(difference(bare(case["filled"]), bare(json.loads(answer) or {})))
        kinds.add((case["group"], case["kind"]))
        wrong += bool(found)
        places.update((case["kind"], re.sub(r"\[\d+\]", "[]", at)) for at, _, _ in found)
        if found and wrong <= SHOWN:
            print(f"{case['group']} {case['kind']}: " + "; ".join(f"{at}: theirs {json.dumps(a)[:200]}, ours {json.dumps(b)[:200]}" for at, a, b in found[:4]))
    for place, n in places.most_common(40) if wrong else []:
        print(n, *place)
    wrong += len(lines) - len(answers)
    print(f"defaults: {len(lines) - wrong} passed, {wrong} failed ({len(kinds)} kinds)")
    sys.exit(wrong > 0)


main()
