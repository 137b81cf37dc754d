"""Whether kube/apply answers as kube-apiserver's field manager does. Usage: compare.py APPLY_HISTORIES < ANSWERED_CASES

Objects must be the same, with the order of all but maps; where Go goes through maps in any order, causes and errors are
compared as sets. Of what cannot be read back after a merge only that it failed is compared: those words are the decoder's.
"""
import collections
import json
import subprocess
import sys

SHOWN = 10
DECODER = ("failed to convert new", "unable to convert", "json: cannot unmarshal", "quantities must match", "parsing time", "illegal base64",
           "unrecognized type", "cannot restore", "strict decoding", "failed to create typed live", "Incorrect version specified", "cannot convert",
           "unable to parse", "unmarshalerDecoder", "Invalid JSON")


def number(text):
    return ("number", float(text))


def read(text):
    return json.loads(text, parse_int=number, parse_float=number)


def lines(text):
    return sorted(text.split("\n"))


def same_error(theirs, ours):
    if ours == "unreadable" or any(d in theirs for d in DECODER):
        return bool(theirs) and bool(ours)
    if "field not declared" in theirs:  # ends the map that it is in, wherever Go was
        return theirs.split(")")[0] == ours.split(")")[0] and "field not declared" in ours
    return lines(theirs)[:20] == lines(ours)[:20] or (len(theirs) > 1900 and theirs[:300] == ours[:300])


def same_causes(theirs, ours):
    def marks(causes):
        return sorted((c["field"], c["message"]) for c in causes)
    return marks(theirs) == marks(ours)


def same(theirs, ours):
    if "error" in theirs or "error" in ours:
        return same_error(theirs.get("error", ""), ours.get("error", "")) and same_causes(theirs.get("causes", []), ours.get("causes", []))
    return theirs["object"] == ours["object"] and order(theirs["object"]) == order(ours["object"])


def order(value):
    """FieldsV1 must have the same order too."""
    entries = value.get("metadata", {}).get("managedFields") or []
    return [json.dumps(e.get("fieldsV1")) for e in entries]


def same_scale(theirs, ours, shown):
    if "error" in theirs or "error" in ours:
        good = bool(theirs.get("error")) and bool(ours.get("error"))
    else:  # entries of which nothing differs but the time have no order in Go
        good = all(sorted(map(json.dumps, theirs[k] or [])) == sorted(map(json.dumps, ours[k] or [])) for k in ("seen", "merged"))
    if not good and shown < SHOWN:
        print("---- scale:", json.dumps(plain(theirs)), "\n  ours:  ", json.dumps(plain(ours)))
    return good


def main():
    cases = sys.stdin.read().splitlines()
    done = subprocess.run([sys.argv[1]], input="\n".join(cases) + "\n", capture_output=True, text=True)
    answers = done.stdout.splitlines()
    counts, wrong = collections.Counter(), 0
    for case, answer in zip(cases, answers):
        case, ours = read(case), read(answer)
        if "scale" in case:
            counts["scale", "error" if "error" in case["scale"] else "entries"] += 1
            wrong += not same_scale(case["scale"], ours, wrong)
            continue
        for i, (step, got) in enumerate(zip(case["steps"], ours)):
            kind = "conflict" if step.get("causes") else "error" if "error" in step else "object"
            counts[step["op"], kind] += 1
            if not same(step, got):
                wrong += 1
                if wrong <= SHOWN:
                    show(case, i, step, got)
                break
    print(", ".join(f"{op} {what}: {n}" for (op, what), n in sorted(counts.items())))
    wrong += len(cases) - len(answers)
    print(f"histories: {len(cases) - wrong} passed, {wrong} failed")
    sys.exit(wrong > 0)


def plain(value):
    if isinstance(value, (list, tuple)) and len(value) == 2 and value[0] == "number":
        return int(value[1]) if value[1] == int(value[1]) else value[1]
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, list) else value


def show(case, i, step, got):
    before = [s for s in case["steps"][:i] if "object" in s]
    print(f"---- {case['group']} {case['kind']}, step {i}: {json.dumps(plain({k: v for k, v in step.items() if k not in ('object', 'error')}))}")
    print("  live:  ", json.dumps(plain(before[-1]["object"])) if before else None)
    print("  theirs:", json.dumps(plain(step.get("object", step.get("error")))), json.dumps(step.get("causes")))
    print("  ours:  ", json.dumps(plain(got.get("object", got.get("error")))), json.dumps(got.get("causes")))


main()
