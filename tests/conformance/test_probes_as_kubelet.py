"""tests/unit/probes/kubelet_probes.json, which the agent's probes are held to, is what kubelet's prober does.

`test_probes_as_kubelet.py --write` asks it anew, for rows that were added with their path, host, headers and answers alone.
"""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROWS = HERE + "/../unit/probes/kubelet_probes.json"
sys.path[:0] = [os.path.join(HERE, "../integration")]

from support.node import PEERS  # noqa: E402


def ask(rows):
    subprocess.run([HERE + "/../peers/build", PEERS, "kubelet-probe"], check=True, capture_output=True)
    return subprocess.run([PEERS + "/kubelet-probe"], input=rows, capture_output=True, text=True, check=True).stdout


def test_the_table_is_kubelets():
    with open(ROWS) as f:
        rows = f.read()
    assert ask(rows) == rows


if __name__ == "__main__" and sys.argv[1:] == ["--write"]:
    with open(ROWS) as f:
        made = ask(f.read())
    with open(ROWS, "w") as f:
        f.write(made)
