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


class Asked:
    """What runs: as the environment has it (FOCUS, SKIP, PROCS, TIMEOUT), else what the file `sample` names. `skips`: files of what cannot pass."""

    def __init__(self, sample, skips):
        self.why = {pattern: why for file in skips for pattern, why in reasons(file).items()}
        self.focus = os.environ.get("FOCUS") or f"({'|'.join(reasons(sample))}).*\\[Conformance\\]"
        self.skip = "|".join([*self.why] + [os.environ.get("SKIP")] * bool(os.environ.get("SKIP")))

    def run(self, kubeconfig, directory):
        """The suite's text goes to `directory`/suite.log. [(name, state, seconds, message)]."""
        processes, timeout = os.environ.get("PROCS") or "3", os.environ.get("TIMEOUT") or "60m"
        command = [PEERS + "/ginkgo", f"--procs={processes}", f"--timeout={timeout}", f"--focus={self.focus}", "--no-color", "--output-dir", directory,
                   "--json-report=report.json", f"--skip={self.skip}", PEERS + "/e2e.test", "--",
                   "--provider=local", "--kubeconfig", kubeconfig, "--kubectl-path", PEERS + "/kubectl", "--node-os-distro=debian",
                   "--disable-log-dump", "--dump-logs-on-failure=false"]
        with open(directory + "/suite.log", "ab") as log:
            subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=directory)
        return results(directory + "/report.json")

    def left_out(self, report):
        """[(name, why)] of the conformance specs that were asked for and cannot pass."""
        found = [(name, next((self.why[p] for p in self.why if re.search(p, name)), ""))
                 for name, s in specs(report) if "[Conformance]" in name and re.search(self.focus, name)]
        return [(name, reason) for name, reason in found if reason]


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
