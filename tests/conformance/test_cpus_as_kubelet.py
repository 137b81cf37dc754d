"""Which CPUs pods get with the policy static is what kubelet's code gives them, on hosts made at random, and so is the file of the state.

`test_cpus_as_kubelet.py N [SEED]` compares N hosts.
"""
import json
import os
import random
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../integration")]

from support.node import BUILD, PEERS  # noqa: E402

OPTIONS = [{}, {}, {"full-pcpus-only": "true"}, {"strict-cpu-reservation": "true"}, {"prefer-align-cpus-by-uncorecache": "true"},
           {"distribute-cpus-across-numa": "true"}, {"distribute-cpus-across-numa": "true", "full-pcpus-only": "true"},
           {"prefer-align-cpus-by-uncorecache": "true", "full-pcpus-only": "true"}]


def layout(r):
    """[CPU, NUMA node, socket, core, cache] of each."""
    sockets, cores, threads = r.choice([1, 1, 2, 2, 4]), r.randint(1, 8), r.choice([1, 2, 2, 4])
    per_socket = r.choice([1, 1, 2, 4])  # NUMA nodes
    across = r.choice([1, 1, 1, 2]) if per_socket == 1 else 1  # sockets of a NUMA node
    caches = r.choice([1, 2, 4])  # of a socket
    total = sockets * cores * threads
    rows = []
    for s in range(sockets):
        for c in range(cores):
            n = s * cores + c
            numa = s * per_socket + c * per_socket // cores if per_socket > 1 else s // across
            for t in range(threads):
                cpu = n * threads + t if r_style(r, "near") else t * sockets * cores + n
                rows.append([cpu, numa, s, n, s * caches + c * caches // cores])
    assert len({row[0] for row in rows}) == total
    first = {}
    for row in rows:
        first[row[3]] = min(first.get(row[3], row[0]), row[0])
    for row in rows:
        row[3] = first[row[3]]
    return sorted(rows)


def r_style(r, _):
    """One numbering of threads a host."""
    return r.style


def host(r):
    r.style = r.random() < 0.5
    cpus = layout(r)
    if r.random() < 0.15 and len(cpus) > 4:  # some are offline
        gone = {row[0] for row in r.sample(cpus, r.randint(1, len(cpus) // 3))}
        cpus = [row for row in cpus if row[0] not in gone]
        lowest = {}
        for row in cpus:
            lowest[row[3]] = min(lowest.get(row[3], row[0]), row[0])
        cpus = [[*row[:3], lowest[row[3]], row[4]] for row in cpus]
    numbers = [row[0] for row in cpus]
    made = {"cpus": cpus, "options": r.choice(OPTIONS), "steps": [], "state": r.random() < 0.1}
    if r.random() < 0.5:
        made["reserved"] = sorted(r.sample(numbers, r.randint(1, max(1, len(numbers) // 4))))
    else:
        made["count"] = r.randint(1, max(1, len(numbers) // 4))
    there = []
    for i in range(r.randint(1, 8)):
        if there and r.random() < 0.3:
            made["steps"].append({"remove": there.pop(r.randrange(len(there)))})
            continue
        most = r.choice([2, 4, len(numbers)])
        step = {"pod": f"uid-{i}", "main": [r.randint(0, most) for _ in range(r.choice([1, 1, 2, 3]))]}
        if r.random() < 0.3:
            step["init"] = [[r.randint(0, most), r.choice([0, 0, 1])] for _ in range(r.randint(1, 2))]
        there.append(step["pod"])
        made["steps"].append(step)
    return made


def is_slip(h, step, mine, other):
    """Of four NUMA nodes and more kubelet does not take those that it has found to be the best: what iterateCombinations() hands out lies in
    one slice with what comes after it, which overwrites the last of them."""
    if "distribute-cpus-across-numa" not in h["options"]:
        return False
    node = {row[0]: row[1] for row in h["cpus"]}
    if h.get("count", 0) > 3 and len(set(node.values())) > 3:  # what is reserved is taken the same way
        return True
    spans = [len({node[c] for c in cpus(text)}) for sets in (mine["sets"], other["sets"]) for key, text in sets.items() if key.startswith(step["pod"] + "/")]
    return max(spans, default=0) > 3 or "accounting error" in other["error"]


def cpus(text):
    ends = [part.split("-") for part in text.split(",")]
    return [c for e in ends for c in range(int(e[0]), int(e[-1]) + 1)]


def compare(n, seed):
    r = random.Random(seed)
    hosts = [host(r) for _ in range(n)]
    lines = "".join(json.dumps(h) + "\n" for h in hosts)
    subprocess.run([HERE + "/../peers/build", PEERS, "kubelet-cpus"], check=True, capture_output=True)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as d:
        own = subprocess.run([BUILD + "/tests/conformance/assign_cpus", d], input=lines, capture_output=True, text=True, check=True).stdout.splitlines()
    theirs = subprocess.run([PEERS + "/kubelet-cpus"], input=lines, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(own) == len(theirs) == n
    counts = {"steps": 0, "refused": 0, "states": 0, "hosts refused": 0, "kubelet's slips": 0}
    for h, a, b in zip(hosts, map(json.loads, own), map(json.loads, theirs)):
        if b["error"]:
            assert a.get("error"), (h, b)
            counts["hosts refused"] += 1
            continue
        assert not a.get("error"), (h, a)
        for step, mine, other in zip(h["steps"], a["steps"], b["steps"]):
            if mine != other and is_slip(h, step, mine, other):
                counts["kubelet's slips"] += 1
                b["state"] = ""
                break
            assert mine == other, json.dumps({"host": h, "step": step, "nacelle": mine, "kubelet": other})
            counts["steps"] += 1
            counts["refused"] += bool(other["error"])
        if b["state"]:
            assert a["state"] == b["state"], (a["state"], b["state"])
            counts["states"] += 1
    return counts


def test_cpus_are_given_as_kubelet_gives_them():
    counts = compare(1000, 7)
    assert counts["steps"] > 3000 and counts["refused"] > 100 and counts["states"] > 50, counts


if __name__ == "__main__":
    print(compare(int(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else random.randrange(1 << 30)))
