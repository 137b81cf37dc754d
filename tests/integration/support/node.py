"""An agent of its own for a test: own directories, bridge, CIDR and cgroup root, so that several run side by side."""
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BUILD = os.path.join(TOP, os.environ.get("BUILD", "build"))
PEERS = os.environ.get("PEERS", os.path.expanduser("~/.cache/nacelle-peers"))
NUMBERS = range(10, 250)
_held = {}  # number: the socket that holds it
_next = os.getpid() % len(NUMBERS)


def free_number():
    """A number that no other test on this machine has, for bridges and addresses; held until give_number(), or while this process lives.
    The one that was given back last is taken again last."""
    global _next
    import socket
    for _ in NUMBERS:
        number = NUMBERS[_next]
        _next = (_next + 1) % len(NUMBERS)
        if glob.glob(f"/run/nacelle-test-*-{number}"):  # of a test that was killed: its agent may live
            continue
        s = socket.socket(socket.AF_UNIX)
        try:
            s.bind(f"\0nacelle-test-{number}")
        except OSError:
            s.close()
            continue
        _held[number] = s
        return number
    raise AssertionError("no free test number")


def give_number(number):
    """Nothing has it any more."""
    if number in _held:
        _held.pop(number).close()


def free_port():
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, probe, timeout=20.0, interval=0.02):
    """The first true value of `probe()`; fails naming `what` when none came in `timeout` seconds."""
    end = time.monotonic() + timeout
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"no {what} within {timeout} s; last value: {value!r}")
        time.sleep(interval)


def reached(ask):
    """What `ask()` gives; None while nobody is there to answer it."""
    try:
        return ask()
    except OSError:
        return None


class Node:
    def __init__(self, *options, config=None, root=None, number=None, env=None, before=(), netns=None, node_ip="127.0.0.1", pod_cidr=""):
        self.number, self.has_number = number or free_number(), not number
        self.program = BUILD + "/nacelle-agent"
        self.options = list(options)
        self.inside = ["nsenter", f"--net=/run/netns/{netns}"] if netns else []  # what begins commands in its network namespace
        self.before = self.inside + list(before)  # a command that starts the agent
        self.dir = root or tempfile.mkdtemp(prefix=f"nacelle-test-{self.number}-")
        self.root, self.run = self.dir + "/root", f"/run/nacelle-test-{os.getpid()}-{self.number}"
        self.manifests, self.logs = self.dir + "/manifests", self.dir + "/pods-log"
        self.bridge = f"nct{self.number}"
        own = f"10.213.{self.number}.0/24,fd00:213:{self.number:x}::/64"
        self.addresses = (["--node-ip", node_ip] if node_ip else []) + (["--pod-cidr", own if pod_cidr == "" else pod_cidr] if pod_cidr is not None else [])
        self.cgroup = f"/nacelle-test-{os.getpid()}-{self.number}"
        self.socket = self.run + "/nacelle.sock"
        self.log_path = self.dir + "/agent.log"
        self.name = f"node{self.number}"
        self.config = config
        self.port = None  # of kubelet's API, in a cluster
        self.env = {**os.environ, **(env or {})}
        self.process = None
        self.children = set()
        os.makedirs(self.manifests, exist_ok=True)

    # --- the agent ---

    def start(self, wait=True):
        args = [*self.before, self.program, "--root-dir", self.root, "--run-dir", self.run, "--pod-manifest-path", self.manifests,
                "--pod-logs-dir", self.logs, "--container-runtime-endpoint", "unix://" + self.socket,
                "--bridge", self.bridge, *self.addresses, "--cgroup-root", self.cgroup, "--hostname-override", self.name, "--cni-conf-dir", self.dir + "/cni", *self.options]
        if "--kubeconfig" in self.options and "--port" not in self.options:
            self.port = self.port or free_port()
            args += ["--port", str(self.port)]
        if self.config:
            with open(self.dir + "/config.yaml", "w") as f:
                f.write(self.config)
            args += ["--config", self.dir + "/config.yaml"]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(args, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
                                            env=self.env)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"the agent ended with {self.process.returncode}:\n{self.log()[-3000:]}")
            return subprocess.run([PEERS + "/crictl", "-r", "unix://" + self.socket, "-t", "2s", "version"],
                                  capture_output=True).returncode == 0 if os.path.exists(self.socket) else False
        wait_for("socket of the agent", ready)

    def kill(self, sig=signal.SIGKILL):
        self.children |= self.shims()
        self.process.send_signal(sig)
        self.process.wait(timeout=20)

    def restart(self, sig=signal.SIGKILL):
        self.kill(sig)
        return self.start()

    def shims(self):
        """Pids of the agent's own shims."""
        return {pid for pid in processes(r"nacelle-shim") if parent(pid) == self.process.pid}

    def log(self):
        if not os.path.exists(self.log_path):
            return ""
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def stop(self):
        """Removes all pods, then ends the agent and deletes what it kept."""
        for name in os.listdir(self.manifests):
            os.unlink(os.path.join(self.manifests, name))
        if self.process and self.process.poll() is None:
            try:
                wait_for("end of the pods of the directory",
                         lambda: not any(p.get("labels", {}).get("io.kubernetes.pod.uid") for p in self.pods()), timeout=40)
                for pod in self.pods():
                    self.crictl("rmp", "-f", pod["id"], check=False)
                for image in self.images():
                    self.crictl("rmi", image["id"], check=False)
                from .leaks import leaked
                try:
                    wait_for("clean host", lambda: not leaked(self), timeout=10, interval=0.1)
                except AssertionError:
                    raise AssertionError(f"left behind: {leaked(self)}\nagent: {self.log()[-3000:]}") from None
            finally:
                self.kill(signal.SIGTERM)
        from .leaks import remove_own
        remove_own(self)
        shutil.rmtree(self.dir, ignore_errors=True)
        shutil.rmtree(self.run, ignore_errors=True)
        if self.has_number:
            give_number(self.number)

    # --- clients ---

    def crictl(self, *args, check=True, timeout=60, input=None):
        done = subprocess.run([PEERS + "/crictl", "-r", "unix://" + self.socket, "-i", "unix://" + self.socket, "-t", "30s", *args],
                              capture_output=True, text=True, timeout=timeout, input=input)
        if check and done.returncode != 0:
            raise AssertionError(f"crictl {' '.join(args)}: {done.stderr}\nagent: {self.log()[-2000:]}")
        return done.stdout if check else done

    def nacelle(self, *args, check=True, timeout=60, input=None):
        done = subprocess.run([BUILD + "/nacelle", "--runtime-endpoint", "unix://" + self.socket, *args],
                              capture_output=True, text=True, timeout=timeout, input=input)
        if check and done.returncode != 0:
            raise AssertionError(f"nacelle {' '.join(args)}: {done.stderr}\nagent: {self.log()[-2000:]}")
        return done.stdout if check else done

    def pods(self):
        return json.loads(self.crictl("pods", "-o", "json")).get("items") or []

    def containers(self, *args):
        return json.loads(self.crictl("ps", "-a", "-o", "json", *args)).get("containers") or []

    def images(self):
        return json.loads(self.crictl("images", "-o", "json")).get("images") or []

    def container(self, name, state=None, attempt=None):
        """The newest container of that name, in that state when one is given; None when there is none."""
        found = [c for c in self.containers() if c["metadata"]["name"] == name
                 and (state is None or c["state"] == "CONTAINER_" + state.upper())
                 and (attempt is None or int(c["metadata"].get("attempt", 0)) == attempt)]
        return max(found, key=lambda c: int(c["createdAt"])) if found else None

    def running(self, name, timeout=20, **kwargs):
        return wait_for(f"running container {name}", lambda: self.container(name, "running", **kwargs), timeout)

    def exited(self, name, timeout=20, **kwargs):
        return wait_for(f"exited container {name}", lambda: self.container(name, "exited", **kwargs), timeout)

    def inspect(self, container):
        return json.loads(self.crictl("inspect", container["id"] if isinstance(container, dict) else container))

    def inspectp(self, pod):
        return json.loads(self.crictl("inspectp", pod["id"] if isinstance(pod, dict) else pod))

    def exec(self, container, *command, check=True):
        """The command's output; with check=False the finished process. crictl puts a line end behind each of its two streams."""
        done = self.crictl("exec", "-s", container["id"], *command, check=check)
        return done[:-2] if check else done

    # --- manifests ---

    def write(self, file, text):
        """Puts a manifest in place as people should: a file beside it, then rename."""
        path = os.path.join(self.manifests, file)
        with open(path + ".tmp~", "w") as f:
            f.write(text if isinstance(text, str) else json.dumps(text))
        os.rename(path + ".tmp~", path)
        return path

    def remove(self, file):
        os.unlink(os.path.join(self.manifests, file))

    def get(self, path):
        """What the agent's read-only endpoint answers."""
        return subprocess.run(["curl", "-s", "--unix-socket", self.run + "/kubelet.sock", "http://localhost" + path], check=True,
                              capture_output=True, text=True).stdout

    def pod_list(self):
        """The pods of the watched directory as the agent reports them: the API's objects."""
        out = subprocess.run(["curl", "-s", "--unix-socket", self.run + "/kubelet.sock", "http://localhost/pods"], capture_output=True, text=True).stdout
        return json.loads(out or "{}").get("items") or []

    def status(self, name):
        """The pod's status object as the agent reports it; {} before there is one."""
        return next((p.get("status") or {} for p in self.pod_list() if p["metadata"]["name"] == f"{name}-{self.name}"), {})


def pod(name, *containers, **spec):
    """A Pod object; each container is a dict, or a shell command for the busybox image."""
    made = []
    for i, c in enumerate(containers):
        c = {"command": ["sh", "-c", c]} if isinstance(c, str) else dict(c)
        c.setdefault("name", "main" if i == 0 else f"c{i}")
        c.setdefault("image", "localhost/busybox:test")
        c.setdefault("imagePullPolicy", "Never")
        made.append(c)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, **spec.pop("metadata", {})},
            "spec": {"containers": made, "terminationGracePeriodSeconds": 1, **spec}}


def address(node, pod_id):
    return node.inspectp(pod_id)["status"]["network"]["ip"]


def free_port():
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def parent(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return int(f.read().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0


def processes(pattern):
    """{pid: command line} of the processes whose command line matches."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                line = f.read().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if re.search(pattern, line):
            found[int(pid)] = line
    return found
