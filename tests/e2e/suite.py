"""Kubernetes' end-to-end suite: how it is called, and what its report says."""
import json
import os
import re
import subprocess

from support.node import PEERS

HERE = os.path.dirname(os.path.abspath(__file__))


def reasons(file):
    """{regular expression: why} of a file beside this one: one a line, its reason behind ` # `."""
    with open(f"{HERE}/{file}") as f:
        lines = [line.partition(" # ") for line in f if line.strip() and not line.startswith("#")]
    return {pattern.strip(): why.strip() for pattern, _, why in lines}


def patterns(file):
    return list(reasons(file))


def asked(prefix="", sample="sample"):
    """Focus, skip, processes and time as the environment has them. What CI runs is named in the file `sample`, what cannot pass in `skips`, with their `prefix`."""
    wish = os.environ.get
    skip = patterns(prefix + "skips") + [wish("SKIP")] * bool(wish("SKIP"))
    focus = f"({'|'.join(patterns(prefix + sample))}).*\\[Conformance\\]"
    return wish("FOCUS") or focus, "|".join(skip), wish("PROCS") or "3", wish("TIMEOUT") or "60m"


def run(kubeconfig, directory, *lists):
    """Runs the specs that are asked for (`lists` as asked() takes them); their text goes to `directory`/suite.log. [(name, state, seconds, message)]."""
    focus, skip, processes, timeout = asked(*lists)
    command = [PEERS + "/ginkgo", f"--procs={processes}", f"--timeout={timeout}", f"--focus={focus}", "--no-color", "--output-dir", directory,
               "--json-report=report.json", f"--skip={skip}", PEERS + "/e2e.test", "--",
               "--provider=local", "--kubeconfig", kubeconfig, "--kubectl-path", PEERS + "/kubectl", "--node-os-distro=debian",
               "--disable-log-dump", "--dump-logs-on-failure=false"]
    with open(directory + "/suite.log", "wb") as log:
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=directory)
    return results(directory + "/report.json")


def specs(report):
    """[(name, what the suite says of it)]"""
    if not os.path.exists(report):
        return []
    with open(report) as f:
        found = [spec for part in json.load(f) for spec in part["SpecReports"] or []]
    return [(" ".join([*(s["ContainerHierarchyTexts"] or []), s["LeafNodeText"] or s["LeafNodeType"]]), s) for s in found]


def results(report):
    """Specs that ran; the suite's own set-up is one where it failed."""
    ran = [(name, s) for name, s in specs(report) if s["State"] not in ("skipped", "pending") and (s["LeafNodeType"] == "It" or s["State"] != "passed")]
    return [(name, s["State"], s["RunTime"] / 1e9, (s.get("Failure") or {}).get("Message", "").strip()) for name, s in ran]


def left_out(report, prefix, sample):
    """[(name, why)] of the conformance specs that were asked for and cannot pass."""
    focus, why = asked(prefix, sample)[0], reasons(prefix + "skips")
    found = [(name, next((why[p] for p in why if re.search(p, name)), "")) for name, s in specs(report) if "[Conformance]" in name and re.search(focus, name)]
    return [(name, reason) for name, reason in found if reason]
