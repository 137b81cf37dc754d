#!/usr/bin/python3
"""Kubernetes' end-to-end suite against nacelle-api with its scheduler and controllers, and one agent: [FOCUS=REGEX] [SKIP=REGEX] [TIMEOUT=20m] tests/e2e/run_node.py

Without FOCUS the conformance specs of sig-scheduling run, in about eight minutes. Images are but pause and agnhost alone, so that specs which call other
programs inside of agnhost (curl, for host ports) do not belong here.
"""
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE] + [os.path.join(HERE, "..", *p) for p in (["integration"], ["conformance"], ["..", "contrib", "demo"])]

import oci  # noqa: E402
import suite  # noqa: E402
from images import linked_busybox, static_program  # noqa: E402
from suite_images import PAUSE, wanted  # noqa: E402
from support.api import PEERS, Api  # noqa: E402
from support.hosts import kubeconfig  # noqa: E402
from support.node import Node, wait_for  # noqa: E402
from support.registry import Registry  # noqa: E402

SPECS = r"sig-scheduling\].*\[Conformance\]"
NOT_HERE = "hostPort"


def push_images(registry):
    agnhost = oci.Layer().directory("uploads").copy(PEERS + "/agnhost", "agnhost").symlink("agnhost-2", "agnhost").tar()
    pause = oci.Layer().file("pause", static_program(PAUSE), 0o755).tar()
    made = {"pause": oci.Image([pause], compression="zstd", User="65535:65535", Entrypoint=["/pause"]),
            "e2e-test-images/agnhost": oci.Image([linked_busybox(), agnhost], compression="zstd", Entrypoint=["/agnhost"], Cmd=["pause"])}
    for name in wanted():
        if (image := made.get(name.rsplit(":", 1)[0])):
            registry.push(image, name)


def is_ready(client):
    for node in client.ask("GET", "/api/v1/nodes")[1]["items"]:
        if not node["spec"].get("taints") and any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"].get("conditions", [])):
            return True
    return False


def run(directory, registry, api):
    with open(directory + "/registries.yaml", "w") as f:
        f.write(f'mirrors:\n  registry.k8s.io: {{endpoint: ["http://{registry.host}"]}}\n')
    node = Node("--registries", directory + "/registries.yaml")
    node.options += ["--kubeconfig", kubeconfig(api, directory, node.name)]
    node.start()
    try:
        wait_for("node", lambda: is_ready(api.client()), timeout=60)
        return suite.run(api.kubeconfig, directory)
    finally:
        api.kubectl("delete", "pods", "--all", "--all-namespaces", "--force", "--grace-period=0")
        wait_for("end of the pods", lambda: not node.pods(), timeout=60)
        node.stop()


def main():
    os.environ.setdefault("FOCUS", SPECS)
    os.environ["SKIP"] = "|".join(filter(None, (os.environ.get("SKIP"), NOT_HERE)))
    os.environ["PROCS"] = "1"  # they have the node for themselves
    registry, api = Registry(), Api(controllers="*", scheduler=True).start()
    try:
        with tempfile.TemporaryDirectory(prefix="nacelle-e2e-") as directory:
            push_images(registry)
            specs = run(directory, registry, api)
    finally:
        api.stop()
        registry.stop()
    for name, state, seconds, message in specs:
        print(f"{state} {name} ({seconds:.0f} s)", *(message.splitlines()[:8] if state != "passed" else []), sep="\n    ")
    failed = sum(state != "passed" for _, state, _, _ in specs)
    print(f"e2e-node: {len(specs) - failed} passed, {failed} failed")
    sys.exit(1 if failed or not specs else 0)


main()
