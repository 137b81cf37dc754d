"""Whether Pod Security says what k8s.io/pod-security-admission says. Usage: compare.py POD_SECURITY < CASES"""
import collections
import json
import subprocess
import sys

SHOWN = 10


def main():
    lines = sys.stdin.read().split("\n")[:-1]
    done = subprocess.run([sys.argv[1]], input="\n".join(lines) + "\n", capture_output=True, text=True)
    answers = done.stdout.split("\n")[:-1]
    counts, wrong = collections.Counter(), 0
    for line, answer in zip(lines, answers):
        case, ours = json.loads(line), json.loads(answer)
        counts[case["level"], "refused" if "reasons" in case else "passed"] += 1
        if any(case.get(k) != ours.get(k) for k in ("reasons", "details")):
            wrong += 1
            if wrong <= SHOWN:
                print(f"{line}\n  ours: {answer}")
    print(", ".join(f"{level} {what}: {n}" for (level, what), n in sorted(counts.items())))
    wrong += len(lines) - len(answers)
    print(f"pod-security: {len(lines) - wrong} passed, {wrong} failed {done.stderr[:200]}")
    sys.exit(wrong > 0 or not lines)


main()
