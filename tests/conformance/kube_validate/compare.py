"""Whether kube/validate refuses what kube-apiserver does, in its words. Usage: compare.py VALIDATE_OBJECTS < ANSWERED_CASES

Maps have no order in Go, so errors may stand in another order where a map is looked at.
"""
import collections
import json
import os
import re
import subprocess
import sys

SHOWN = int(os.environ.get("SHOWN", 12))
ONLY = os.environ.get("KIND")  # of one kind, for who is at work on it
KEPT = 64  # errors that are told


# Expressions, and what is within a request for a certificate, are not read here.
UNREAD = re.compile(r": (compilation failed: |must evaluate to |invalid JSONPath|asn1: |x509: |malformed )")


def texts(case):
    causes = [c for c in case.get("causes") or [] if not UNREAD.search(c.get("message", ""))]
    return [f"{c.get('field', '')}: {c.get('message', '')}" for c in causes]


def same(theirs, ours):
    if len(theirs) > KEPT:
        return set(ours) <= set(theirs)
    return theirs == ours or sorted(theirs) == sorted(ours)


def main():
    lines = [line for line in sys.stdin.read().splitlines() if not ONLY or json.loads(line)["kind"] == ONLY]
    done = subprocess.run([sys.argv[1]], input="\n".join(lines) + "\n", capture_output=True, text=True)
    answers = done.stdout.splitlines()
    wrong, refused, missing, extra, kinds = 0, 0, collections.Counter(), collections.Counter(), collections.Counter()
    for line, answer in zip(lines, answers):
        case = json.loads(line)
        theirs, ours = texts(case), json.loads(answer)
        refused += bool(theirs)
        if ours is not None and same(theirs, ours):
            continue
        wrong += 1
        what = (case["group"], case["kind"], case.get("sub", ""))
        kinds[what] += 1
        plain = [[re.sub(r"\[[^\]]*\]", "[]", re.sub(r"(value): (\"(\\.|[^\"])*\"|[^:]*)", r"\1", t))[:160] for t in list_] for list_ in (theirs, ours or ["unread"])]
        a, b = collections.Counter(plain[0]), collections.Counter(plain[1])
        missing.update((*what, t) for t in a - b)
        extra.update((*what, t) for t in b - a)
        if wrong <= SHOWN:
            ours = ours or []
            print(*what, "theirs", json.dumps([t for t in theirs if t not in ours])[:700], "ours", json.dumps([t for t in ours if t not in theirs])[:700])
    for title, counter in (("they say, we do not", missing), ("we say, they do not", extra), ("kinds", kinds)):
        for place, n in counter.most_common(30):
            print(title + ":", n, *place)
    wrong += len(lines) - len(answers)
    print(f"validations: {len(lines) - wrong} passed, {wrong} failed ({refused} of them refused)")
    sys.exit(wrong > 0)


main()
