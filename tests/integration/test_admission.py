"""Pods that the node cannot take: failed before anything of them is made, as a kubelet's are."""
import os

import pytest

from support.node import pod, wait_for


def rejected(node, name):
    status = node.status(name)
    return status if status.get("phase") == "Failed" else None


def test_rejected(node):
    """What is said of it; that nothing is made of it; that it can be written anew, and goes."""
    node.write("r.yaml", pod("r", "sleep 1000", nodeSelector={"disk": "ssd"}))
    found = wait_for("rejection", lambda: rejected(node, "r"))
    assert found.pop("startTime")
    message = "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"
    assert found == {"phase": "Failed", "reason": "NodeAffinity", "message": "Pod was rejected: " + message, "qosClass": "BestEffort"}
    assert f"warning agent: pod default/r-{node.name}: NodeAffinity: {message}" in node.log()
    assert not node.pods() and not os.listdir(node.root + "/pods")
    node.restart()
    wait_for("the same after a restart", lambda: rejected(node, "r"))
    node.write("r.yaml", pod("r", "sleep 1000", nodeSelector={"kubernetes.io/os": "linux"}))
    node.running("main")
    node.write("r.yaml", pod("r", "sleep 1000", os={"name": "windows"}))
    wait_for("rejection", lambda: rejected(node, "r") and rejected(node, "r")["reason"] == "PodOSNotSupported")
    node.remove("r.yaml")
    wait_for("its end", lambda: not node.status("r"))


def test_requests_are_counted_until_the_pod_has_ended(node):
    half = str(os.cpu_count() * 0.6)
    one, two = ({"name": name, "command": ["sleep", "1000"], "resources": {"requests": {"cpu": half}}} for name in ("one", "two"))
    node.write("one.yaml", pod("one", one))
    node.running("one")
    node.write("two.yaml", pod("two", two))
    found = wait_for("rejection", lambda: rejected(node, "two"))
    assert found["reason"] == "UnexpectedAdmissionError" and "no set of running pods found to reclaim resources: [(res: cpu, q: " in found["message"]
    # Beside a pod that is over there is room.
    node.write("one.yaml", pod("one", {**one, "command": ["true"]}, restartPolicy="Never"))
    wait_for("its end", lambda: node.status("one").get("phase") == "Succeeded")
    node.write("two.yaml", pod("two", {**two, "command": ["sleep", "1001"]}))
    node.running("two")


@pytest.mark.parametrize("how", ["flag", "file"])
def test_unsafe_sysctls_that_are_allowed(new_node, tmp_path, how):
    config = tmp_path / "config.yaml"
    config.write_text("apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nallowedUnsafeSysctls: ['net.core.*']\n")
    node = new_node(*(["--allowed-unsafe-sysctls", "kernel.x,net.core.*"] if how == "flag" else ["--config", str(config)]))
    node.write("a.yaml", pod("a", "sleep 1000", securityContext={"sysctls": [{"name": "net.core.somaxconn", "value": "300"}]}))
    assert node.exec(node.running("main"), "cat", "/proc/sys/net/core/somaxconn").strip() == "300"
    node.write("b.yaml", pod("b", "sleep 1000", securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "300"}]}))
    assert wait_for("rejection", lambda: rejected(node, "b"))["message"] == 'Pod was rejected: forbidden sysctl: "kernel.msgmax" not allowlisted'
