"""Kubernetes' end-to-end suite: how it is called, and what its report says."""
import json
import os
import subprocess

from support.node import PEERS

HERE = os.path.dirname(os.path.abspath(__file__))


def patterns(file):
    """The regular expressions of a file beside this one: one a line, its reason behind ` # `."""
    with open(f"{HERE}/{file}") as f:
        return [line.split(" # ")[0].strip() for line in f if line.strip() and not line.startswith("#")]


def asked(prefix):
    """Focus, skip, processes and time as the environment has them. What CI runs is named in the file `sample`, what cannot pass in `skips`, with their `prefix`."""
    wish = os.environ.get
    skip = patterns(prefix + "skips") + [wish("SKIP")] * bool(wish("SKIP"))
    sample = f"({'|'.join(patterns(prefix + 'sample'))}).*\\[Conformance\\]"
    return wish("FOCUS") or sample, "|".join(skip), wish("PROCS") or "3", wish("TIMEOUT") or "60m"


def run(kubeconfig, directory, prefix=""):
    """Runs the specs that are asked for; their text goes to `directory`/suite.log. [(name, state, seconds, message)]."""
    focus, skip, processes, timeout = asked(prefix)
    command = [PEERS + "/ginkgo", f"--procs={processes}", f"--timeout={timeout}", f"--focus={focus}", "--no-color", "--output-dir", directory,
               "--json-report=report.json", f"--skip={skip}", PEERS + "/e2e.test", "--",
               "--provider=local", "--kubeconfig", kubeconfig, "--kubectl-path", PEERS + "/kubectl", "--node-os-distro=debian",
               "--disable-log-dump", "--dump-logs-on-failure=false"]
    with open(directory + "/suite.log", "wb") as log:
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=directory)
    return results(directory + "/report.json")


def results(report):
    """Specs that ran; the suite's own set-up is one where it failed."""
    if not os.path.exists(report):
        return []
    with open(report) as f:
        specs = [spec for part in json.load(f) for spec in part["SpecReports"] or []]
    ran = [s for s in specs if s["State"] not in ("skipped", "pending") and (s["LeafNodeType"] == "It" or s["State"] != "passed")]
    return [(" ".join([*(s["ContainerHierarchyTexts"] or []), s["LeafNodeText"] or s["LeafNodeType"]]), s["State"], s["RunTime"] / 1e9,
             (s.get("Failure") or {}).get("Message", "").strip()) for s in ran]
