"""CNI plugins under the whole agent: addresses from their IPAM, errors in the pods' events, nothing left."""
import json
import os
import subprocess
import urllib.request

import pytest

from support.node import address, pod, reached, wait_for

SERVER = "mkdir -p /w; hostname > /w/index.html; httpd -p 80 -h /w; sleep 1000"


class Plugins:
    """A directory of configurations and one of plugins; the bridge plugin with addresses of our own."""

    def __init__(self, directory, number):
        self.directory, self.number = str(directory), number
        self.bridge = f"ncc{number}"
        self.conf, self.bin, self.ipam = (f"{self.directory}/{name}" for name in ("net.d", "bin", "ipam"))
        os.mkdir(self.conf)
        os.mkdir(self.bin)

    def options(self):
        return "--cni-conf-dir", self.conf, "--cni-bin-dir", self.bin

    def write(self, *plugins):
        main = {"type": "bridge", "bridge": self.bridge, "isGateway": True,
                "ipam": {"type": "host-local", "dataDir": self.ipam, "subnet": f"10.212.{self.number}.0/24",
                         "routes": [{"dst": "0.0.0.0/0"}]}}
        with open(self.conf + "/.new", "w") as f:
            json.dump({"cniVersion": "1.0.0", "name": "test", "plugins": [main, *plugins]}, f)
        os.rename(self.conf + "/.new", self.conf + "/10-test.conflist")

    def script(self, name, text):
        with open(f"{self.bin}/.{name}", "w") as f:
            f.write("#!/bin/sh\nif [ $CNI_COMMAND = VERSION ]; then echo '{\"cniVersion\":\"1.0.0\",\"supportedVersions\":[\"1.0.0\"]}'; exit; fi\n" + text)
        os.chmod(f"{self.bin}/.{name}", 0o755)
        os.rename(f"{self.bin}/.{name}", f"{self.bin}/{name}")

    def leased(self):
        try:
            return [name for name in os.listdir(self.ipam + "/test") if name[0].isdigit()]
        except FileNotFoundError:
            return []

    def ports(self):
        return [link["ifname"] for link in json.loads(subprocess.check_output(["ip", "-j", "link"])) if link.get("master") == self.bridge]


@pytest.fixture
def plugins(tmp_path):
    from support.node import free_number
    made = Plugins(tmp_path, free_number())
    yield made
    subprocess.run(["ip", "link", "del", made.bridge], capture_output=True)


def test_pods_are_attached_by_plugins(new_node, plugins):
    plugins.write({"type": "bandwidth", "capabilities": {"bandwidth": True}})
    node = new_node(*plugins.options())
    info = json.loads(node.crictl("info"))
    assert [c for c in info["status"]["conditions"] if c["type"] == "NetworkReady"][0]["status"] is True
    node.write("a.yaml", pod("a", SERVER, metadata={"annotations": {"kubernetes.io/ingress-bandwidth": "8M", "kubernetes.io/egress-bandwidth": "8M"}}))
    node.write("b.yaml", pod("b", {"name": "client", "command": ["sleep", "1000"]}))
    a, b = node.running("main"), node.running("client")
    ip = address(node, a["podSandboxId"])
    assert ip.startswith(f"10.212.{plugins.number}.") and ip in plugins.leased() and len(plugins.ports()) == 2
    wait_for("answer", lambda: reached(lambda: urllib.request.urlopen(f"http://{ip}/", timeout=3).read()))
    assert node.exec(b, "wget", "-q", "-O", "-", f"http://{ip}/") == f"a-{node.name}\n"

    # The agent dies, and the configuration goes: what is attached is taken away as it was made.
    node.restart()
    assert address(node, node.running("main")["podSandboxId"]) == ip
    os.unlink(plugins.conf + "/10-test.conflist")
    node.write("c.yaml", pod("c", {"name": "built-in", "command": ["sleep", "1000"]}))
    assert address(node, node.running("built-in")["podSandboxId"]).startswith(f"10.213.{node.number}.")
    for name in "abc":
        node.remove(name + ".yaml")
    wait_for("no pods", lambda: not node.pods())
    assert wait_for("addresses given back", lambda: not plugins.leased() and not plugins.ports())


def test_errors_of_plugins_reach_the_pod(new_node, plugins):
    plugins.script("moody", "echo '{\"cniVersion\":\"1.0.0\",\"code\":11,\"msg\":\"not today\",\"details\":\"ask tomorrow\"}'; exit 1\n")
    plugins.write({"type": "moody"})
    node = new_node(*plugins.options())
    node.write("a.yaml", pod("a", "sleep 1000"))
    line = wait_for("message", lambda: [line for line in node.log().splitlines() if "CNI plugin moody: ADD: not today; ask tomorrow" in line])[0]
    assert "default/a-" in line
    assert node.container("main") is None
    wait_for("nothing left of the failure", lambda: not plugins.ports())

    # The plugin is mended: the pod starts without being touched.
    plugins.script("moody", "in=$(cat); [ $CNI_COMMAND = ADD ] && echo \"$in\" | sed 's/.*\"prevResult\":\\(.*\\)}$/\\1/'; exit 0\n")
    node.running("main", timeout=60)
    node.remove("a.yaml")
    wait_for("no pods", lambda: not node.pods())
    assert wait_for("addresses given back", lambda: not plugins.leased() and not plugins.ports())


def test_addresses_that_a_pod_asks_for(new_node, plugins):
    """Capabilities ips and mac: by annotations of the pod."""
    main = {"type": "bridge", "bridge": plugins.bridge, "isGateway": True, "capabilities": {"ips": True, "mac": True},
            "ipam": {"type": "host-local", "dataDir": plugins.ipam, "subnet": f"10.212.{plugins.number}.0/24"}}
    with open(plugins.conf + "/10-test.conflist", "w") as f:
        json.dump({"cniVersion": "1.0.0", "name": "test", "plugins": [main]}, f)
    node = new_node(*plugins.options())
    wanted = f"10.212.{plugins.number}.77"
    node.write("a.yaml", pod("a", "sleep 1000", metadata={"annotations": {"cni.nacelle/ips": wanted + "/24", "cni.nacelle/mac": "02:11:22:33:44:55"}}))
    c = node.running("main")
    assert address(node, c["podSandboxId"]) == wanted
    assert node.exec(c, "cat", "/sys/class/net/eth0/address").strip() == "02:11:22:33:44:55"
    # A taken one, and what is none, are said.
    node.write("b.yaml", pod("b", "sleep 1000", metadata={"annotations": {"cni.nacelle/ips": wanted + "/24"}}))
    wait_for("refusal", lambda: [line for line in node.log().splitlines() if "default/b-" in line and wanted in line])
    node.write("c.yaml", pod("c", "sleep 1000", metadata={"annotations": {"cni.nacelle/ips": "nowhere"}}))
    wait_for("refusal", lambda: [line for line in node.log().splitlines() if "default/c-" in line and "cni.nacelle/ips" in line])
    for name in "abc":
        node.remove(name + ".yaml")
    wait_for("no pods", lambda: not node.pods())
    assert wait_for("addresses given back", lambda: not plugins.leased() and not plugins.ports())
