"""The part of tests/vm/cluster on kubelet's API of checkpoints (KEP-2008): asked over TLS by curl with a token, and by kubectl through the API service;
and what the archive holds."""
import json
import os
import re
import shutil
import subprocess

import machine
from world import IMAGE, PODS, template

PEERS = os.environ.get("PEERS", os.path.expanduser("~/.cache/nacelle-peers"))
DIRECTORY = "/var/lib/nacelle/checkpoints"
FILES = ["checkpoint/inventory.img", "checkpoint/pages-1.img", "config.dump", "spec.dump", "dump.log", "stats-dump", "container.log", "rootfs-diff.tar"]
COUNTER = "echo changed >/changed; rm /bin/yes; n=0; while :; do n=$((n + 1)); echo $n; sleep 0.1; done"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
CURL = "curl -sS -m 250 -w '\\n%{{http_code}}' -X {method} --cacert /var/lib/nacelle-api/pki/ca.crt {token} 'https://{address}:10250{path}'"


def accounts(w):
    """Tokens of one who may ask for checkpoints, and of one who may not."""
    tokens = []
    for name in ("may", "maynot"):
        w.ask("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": name}})
        tokens.append(w.ask("POST", f"/api/v1/namespaces/default/serviceaccounts/{name}/token", {"spec": {}})[1]["status"]["token"])
    w.ask("POST", f"{RBAC}/clusterroles", {"metadata": {"name": "checkpoints"}, "rules": [{"apiGroups": [""], "resources": ["nodes/checkpoint"], "verbs": ["create"]}]})
    w.ask("POST", f"{RBAC}/clusterrolebindings", {"metadata": {"name": "checkpoints"}, "subjects": [{"kind": "ServiceAccount", "name": "may", "namespace": "default"}],
                                                  "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "checkpoints"}})
    return tokens


def ask(w, path, token, method="POST"):
    """What the node answers to curl: status and text."""
    header = f"-H 'Authorization: Bearer {token}'" if token else ""
    text, _, status = w.guest.run(CURL.format(method=method, token=header, address=machine.ADDRESS, path=path)).rpartition("\n")
    return int(status), text.strip()


def refusals(w, may, maynot):
    path = "/checkpoint/default/counter/c"
    for what, asked, status, says in (
            ("nobody", (path, None), 401, "Unauthorized"), ("a token that nobody gave", (path, "x.y.z"), 401, "Unauthorized"),
            ("one who may not", (path, maynot), 403, "verb=create, resource=nodes, subresource(s)=[checkpoint]"),
            ("no such container", ("/checkpoint/default/counter/none", may), 404, "container none does not exist"),
            ("no such pod", ("/checkpoint/default/none/c", may), 404, "pod does not exist"),
            ("a pod of another namespace", ("/checkpoint/kube-system/counter/c", may), 404, "pod does not exist"),
            ("a container that is a path", ("/checkpoint/default/counter/..%2F..%2Fc", may), 404, ""),
            ("a timeout that is no number", (path + "?timeout=x", may), 404, "cannot parse value of timeout parameter")):
        got, text = ask(w, *asked)
        w.check(f"checkpoint: {what}: {status}", got == status and says in text, f"{got} {text}")
    w.equal("what was refused has left nothing", "", w.guest.ask(f"ls -A {DIRECTORY} 2>/dev/null").output)


def kubectl(w, *args):
    """The real one, from outside of the machine, as the administrator."""
    program = f"{PEERS}/kubectl" if os.path.exists(f"{PEERS}/kubectl") else shutil.which("kubectl")
    return subprocess.run([program, f"--server=https://127.0.0.1:{w.port}", f"--certificate-authority={w.pki}/ca.crt", f"--client-certificate={w.pki}/admin.crt",
                           f"--client-key={w.pki}/admin.key", "--kubeconfig=/dev/null", *args], capture_output=True, text=True, timeout=250)


def last_line(w, pod_log="/var/log/pods/default_counter_*/c/0.log"):
    return int(w.guest.run(f"tail -n 1 {pod_log}").split()[-1])


def status_of(w):
    return w.ask("GET", PODS + "/counter")[1]["status"]["containerStatuses"][0]


def look_into(w, archive, container):
    """What the archive holds is what kubelet's runtimes put there; criu's own tool reads its part."""
    w.check("the archive is called as kubelet calls it", re.fullmatch(DIRECTORY + r"/checkpoint-counter_default-c-\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\.tar", archive), archive)
    w.equal("and is root's alone", "600 root 700", w.guest.run(f"stat -c '%a %U' {archive}; stat -c %a {DIRECTORY}").replace("\n", " "))
    names = w.guest.run(f"tar -tf {archive}").split("\n")
    w.check("its files are those of containerd and CRI-O", set(FILES) <= set(names), names)
    config, spec = (json.loads(w.guest.run(f"tar -xOf {archive} {name}")) for name in ("config.dump", "spec.dump"))
    w.equal("whose it is", [container, "c", IMAGE], [config[k] for k in ("id", "name", "rootfsImageName")])
    w.equal("and of which pod", ["counter", "default"], [spec["annotations"]["io.kubernetes.cri.sandbox-" + k] for k in ("name", "namespace")])
    w.equal("what it had changed", "bin/.wh.yes changed", w.guest.run(f"tar -xOf {archive} rootfs-diff.tar | tar -tf - | grep -x 'changed\\|bin/.wh.yes' | sort | xargs"))
    w.guest.run(f"mkdir /tmp/archive && tar -xf {archive} -C /tmp/archive")
    w.check("crit finds the process in it", re.search(r"^\s*1\s.*\bsh$", w.guest.run("crit x /tmp/archive/checkpoint ps"), re.M), lambda: w.guest.ask("crit x /tmp/archive/checkpoint ps").output)
    w.guest.run("rm -r /tmp/archive")


def part(w):
    w.ask("POST", PODS, {"metadata": {"name": "counter"}, "spec": template("counter", COUNTER)["spec"]})
    w.until("a pod that counts runs", lambda: w.ask("GET", PODS + "/counter")[1].get("status", {}).get("phase") == "Running" and
            w.guest.ask("[ $(wc -l </var/log/pods/default_counter_*/c/0.log) -ge 10 ]").status == 0)
    may, maynot = accounts(w)
    refusals(w, may, maynot)
    was, before = status_of(w), last_line(w)
    got, text = ask(w, "/checkpoint/default/counter/c", may)
    if not w.check("a checkpoint is made", got == 200, lambda: f"{got} {text} {w.guest.ask('tail -n 20 /var/lib/nacelle/containers/*/dump.log').output}"):
        return
    container = was["containerID"].rpartition("/")[2]
    look_into(w, json.loads(text)["items"][0], container)
    w.until("the container goes on", lambda: last_line(w) > before + 10)
    w.equal("as the same, not started again", (was["containerID"], 0), (status_of(w)["containerID"], status_of(w)["restartCount"]))
    done = kubectl(w, "create", "--raw", "/api/v1/nodes/vm/proxy/checkpoint/default/counter/c", "-f", "/dev/null")
    w.check("kubectl has one made through the API service", done.returncode == 0 and '"items"' in done.stdout, done)
    w.equal("there are two archives, and nothing else", "2", w.guest.run(f"ls -A {DIRECTORY} | wc -l"))
    w.ask("DELETE", PODS + "/counter")
    w.until("the pod goes", lambda: w.ask("GET", PODS + "/counter")[0] == 404)
