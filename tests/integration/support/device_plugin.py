"""Device plugins on Kubernetes' own API package (tests/conformance/device_plugin), started beside an agent."""
import json
import os
import subprocess
import threading

from .node import PEERS, wait_for

PROGRAM = f"{PEERS}/device-plugin"


def resources(node, *of):
    """What the node's podresources API says, of all or of one pod (namespace, name)."""
    done = subprocess.run([PROGRAM, "--resources", f"{node.root}/pod-resources/kubelet.sock", *of], capture_output=True, text=True, timeout=20, check=True)
    return json.loads(done.stdout)


class DevicePlugin:
    def __init__(self, node, resource, *words, endpoint=None, **env):
        """@words: options and devices' names, a "!" behind those that are unhealthy."""
        self.dir = f"{node.root}/device-plugins"
        self.calls = []
        given = f"{node.dir}/given"
        os.makedirs(given, exist_ok=True)
        with open(f"{given}/hello", "w") as f:
            f.write("from the plugin\n")
        self.process = subprocess.Popen([PROGRAM, self.dir, endpoint or resource.replace("/", "-") + ".sock", resource, *words], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "GIVEN": given, **env})
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.calls.append(json.loads(line))

    def of(self, call):
        """What the calls of that name came with."""
        return [c["with"] for c in list(self.calls) if c["call"] == call]

    def heard(self, call, n=1):
        return wait_for(f"{call} of the plugin", lambda: self.of(call)[n - 1:] or None)[0]

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait(timeout=10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
