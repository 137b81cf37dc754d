"""What an agent must not leave on the host once its pods are gone: looked for by its own names, so that several test runs
can share a machine."""
import json
import os
import subprocess

from .node import processes


def _json(*command):
    out = subprocess.run(command, capture_output=True, text=True).stdout
    return json.loads(out) if out.strip() else []


def own_mounts(node):
    """The agent's, for as long as it has pods or until it ends in peace."""
    return [f"{node.run}/{name}" for name in ("netns", "sandboxes", "pods")]


def cgroups_of_pods(root):
    """Cgroups of pods and containers below @root; the root and the QoS levels stay with the agent."""
    found = []
    for hierarchy in os.listdir("/sys/fs/cgroup"):
        for top, dirs, _ in os.walk(f"/sys/fs/cgroup/{hierarchy}{root}"):
            found += [os.path.join(top, d) for d in dirs if d not in ("kubepods", "burstable", "besteffort")]
    return found


def _rules(node, table):
    """Elements of the sets and maps of the agent's table."""
    found = []
    for item in (_json(*node.inside, "nft", "-j", "list", "table", "inet", table) or {}).get("nftables", []):
        for kind in ("set", "map"):
            if not item.get(kind, {}).get("name", "").startswith("inside"):  # the cluster's other nodes
                found += item.get(kind, {}).get("elem", [])
    return found


def mounts(node):
    with open("/proc/self/mountinfo") as f:
        return [line.split()[4] for line in f if node.run + "/" in line or node.dir + "/" in line]


def log_links(node, where="/var/log/containers"):
    """{name: target} of the node's own links to logs; others' come and go meanwhile."""
    found = {}
    for name in os.listdir(where) if os.path.isdir(where) else []:
        try:
            found[name] = os.readlink(f"{where}/{name}")
        except OSError:
            continue
    return {name: target for name, target in found.items() if target.startswith(node.logs + "/")}


def leaked(node):
    """{kind: [what]} of what is left of a node without pods; {} is clean."""
    left = {
        "mounts": [m for m in mounts(node) if m not in own_mounts(node)],
        "links": [link["ifname"] for link in _json(*node.inside, "ip", "-j", "link") if link.get("master") == node.bridge],
        "rules": [e for e in _rules(node, "nacelle_" + node.bridge) if "pods" not in str(e)],
        "cgroups": cgroups_of_pods(node.cgroup),
        "links of logs": list(log_links(node)),
        "processes": [line for pid, line in processes(r"nacelle-(shim|image)").items() if pid in node.children],
    }
    return {kind: what for kind, what in left.items() if what}


def remove_own(node):
    """What outlives an agent on purpose, for the next one of the same names: its bridge, tables and cgroups."""
    subprocess.run([*node.inside, "ip", "link", "del", node.bridge], capture_output=True)
    for table in ("nacelle_", "nacelle_services_"):
        subprocess.run([*node.inside, "nft", "delete", "table", "inet", table + node.bridge], capture_output=True)
    for mount in own_mounts(node):
        subprocess.run(["umount", "-l", mount], capture_output=True)
    remove_cgroups(node.cgroup)


def remove_cgroups(root):
    """Empty cgroups from @root downwards, in all hierarchies."""
    for hierarchy in os.listdir("/sys/fs/cgroup"):
        for top, dirs, _ in os.walk(f"/sys/fs/cgroup/{hierarchy}{root}", topdown=False):
            try:
                os.rmdir(top)
            except OSError:
                pass
