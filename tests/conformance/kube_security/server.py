"""k8s.io/pod-security-admission's own test of an API server, with nacelle-api as that."""
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "integration"))
from support.api import PEERS, Api  # noqa: E402

api = Api().start()
try:
    done = subprocess.run([f"{PEERS}/kube-security", "run", api.kubeconfig], capture_output=True, text=True)
finally:
    api.stop()
text = done.stdout + done.stderr
print(text[-20000:] if done.returncode else "pod-security-admission's test of a server: passed")
sys.exit(done.returncode)
