#!/usr/bin/python3
"""Kubernetes' end-to-end suite against nacelle-api, for what needs no running pod: tests/e2e/run_api.py [FOCUS [SKIP]].

The specs are those of tests/e2e/api-specs, less tests/e2e/api-skips. The suite wants a node before it begins: an object is all that it looks at.
"""
import datetime
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import xml.etree.ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE + "/../integration")
from support.api import PEERS, Api  # noqa: E402

NODE = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1", "labels": {"kubernetes.io/os": "linux", "kubernetes.io/hostname": "n1"}}}
STATUS = {"status": {"capacity": {"cpu": "4", "memory": "8Gi", "pods": "110"}, "allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"},
                     "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}, {"type": "Hostname", "address": "n1"}],
                     "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": "2026-01-01T00:00:00Z",
                                     "lastTransitionTime": "2026-01-01T00:00:00Z"}]}}


def lines(name):
    """A file's regular expressions, a line each; what follows `  #` says why."""
    with open(f"{HERE}/{name}") as f:
        found = [line.split("  #")[0].strip() for line in f if line.strip() and not line.startswith("#")]
    return "|".join(f"({line})" for line in found)


def said(api, *words, **kwargs):
    done = api.kubectl(*words, **kwargs)
    if done.returncode:
        raise SystemExit(f"kubectl {' '.join(words)}: {done.stderr}")


def report(directory):
    """Prints what became of each spec that ran; whether all passed."""
    good = True
    for case in xml.etree.ElementTree.parse(directory + "/junit_01.xml").getroot().iter("testcase"):
        if not case.get("name").startswith("[It]") or case.get("status") == "skipped":
            continue
        good = good and case.get("status") == "passed"
        print(f"{case.get('status'):8} {float(case.get('time')):7.1f} s  {re.sub(r' *.(sig-[a-z-]+, )?Conformance.*', '', case.get('name')[5:])}")
    return good


def renew(api, ended):
    """What a node does: its Lease is renewed. Without any change nothing is ever compacted away."""
    client, lease = api.client(), "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
    client.ask("POST", lease, {"metadata": {"name": "n1"}, "spec": {"holderIdentity": "n1"}})
    while not ended.wait(5):
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        client.ask("PATCH", f"{lease}/n1", {"spec": {"renewTime": now}}, **{"Content-Type": "application/merge-patch+json"})


def main():
    focus = sys.argv[1] if len(sys.argv) > 1 and sys.argv[1] else lines("api-specs")
    skip = sys.argv[2] if len(sys.argv) > 2 and sys.argv[2] else lines("api-skips")
    api = Api("--etcd-compaction-interval=20s", controllers="*").start()  # a spec waits for a compaction
    ended = threading.Event()
    renewing = threading.Thread(target=renew, args=(api, ended))
    renewing.start()
    try:
        said(api, "create", "-f", "-", input=json.dumps(NODE))
        api.kubectl("taint", "node", "n1", "node.kubernetes.io/not-ready-")  # unless a controller was faster
        said(api, "patch", "node", "n1", "--subresource=status", "--type=merge", "-p", json.dumps(STATUS))
        with tempfile.TemporaryDirectory() as directory:
            with open(directory + "/log", "w") as log:
                subprocess.run([f"{PEERS}/e2e.test", "--kubeconfig", api.kubeconfig, "--provider=skeleton", "--ginkgo.no-color", "--ginkgo.focus", focus, "--ginkgo.skip", skip,
                                "--ginkgo.timeout=30m", "--report-dir", directory, "--disable-log-dump", "--kubectl-path", f"{PEERS}/kubectl",
                                "--minStartupPods=0", "--allowed-not-ready-nodes=0"], stdout=log, stderr=log, cwd=directory)
            good = report(directory)
            if not good:
                with open(directory + "/log") as log:
                    print("".join(line[:2000] for line in log if not line.startswith("SSS"))[-int(os.environ.get("LOG_BYTES", "20000")):])
    finally:
        ended.set()
        renewing.join()
        api.stop()
    sys.exit(0 if good else 1)


main()
