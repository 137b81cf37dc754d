"""What a test must not leave on the host: a snapshot before and after, compared."""
import os
import subprocess

from .node import processes


def _lines(*command):
    return set(subprocess.run(command, capture_output=True, text=True).stdout.splitlines())


def _cgroups():
    found = set()
    for top, dirs, _ in os.walk("/sys/fs/cgroup"):
        found.update(os.path.join(top, d) for d in dirs if d.startswith("nacelle"))
    return found


def snapshot():
    with open("/proc/self/mountinfo") as f:
        mounts = {" ".join(line.split()[3:5]) for line in f}
    return {
        "mounts": mounts,
        "links": {line.split(":")[1].strip().split("@")[0] for line in _lines("ip", "-o", "link")},
        "rules": {line.strip() for line in _lines("nft", "list", "tables")},
        "cgroups": _cgroups(),
        "processes": set(processes(r"nacelle-(shim|agent|image|oci)").values()),
    }


def leaked(before, after):
    return {kind: sorted(after[kind] - before[kind]) for kind in after if after[kind] - before[kind]}
