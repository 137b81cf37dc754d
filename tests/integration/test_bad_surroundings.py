"""What is wrong around the agent and its pods is answered with a sentence that names it: rights, configuration, disks, ports,
addresses, kernels; and what can go on goes on."""
import os
import socket
import subprocess

import oci
import pytest

from support.node import BUILD, pod, wait_for

KIND = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"


def refused(tmp_path, *options, before=(), config=None):
    """What an agent says that does not start; it must not be left running."""
    if config is not None:
        (tmp_path / "config.yaml").write_text(config)
        options = ("--config", str(tmp_path / "config.yaml"), *options)
    os.chmod(tmp_path, 0o755)
    done = subprocess.run([*before, BUILD + "/nacelle-agent", "--root-dir", f"{tmp_path}/root", "--run-dir", f"{tmp_path}/run",
                           "--pod-manifest-path", f"{tmp_path}/manifests", "--cgroup-root", f"/nacelle-test-refused-{os.getpid()}", "--bridge", f"ncr{os.getpid()}",
                           "--pod-cidr", f"10.214.{os.getpid() % 256}.0/24", *options],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode in (1, 2)
    return done.stdout + done.stderr


def test_without_root(tmp_path):
    said = refused(tmp_path, before=["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"])
    assert "must run as root: it makes namespaces, mounts and cgroups" in said


@pytest.mark.parametrize("options,words", [
    (["--nonsense"], 'unknown flag "--nonsense"; see --help'),
    (["stray"], 'unexpected argument "stray"; see --help'),
    (["--pod-cidr", "10.0.0.0/33"], '--pod-cidr: "10.0.0.0/33" is not a network like 10.62.0.0/16'),
    (["--node-ip", "here"], '--node-ip: "here" is not an address'),
    (["--bridge", "a-name-that-is-too-long"], "is not a network interface's name"),
    (["--cgroup-root", "relative"], "is not a cgroup's path like /nacelle"),
    (["--read-only-port", "70000"], "--read-only-port: 70000 is not a port"),
    (["--config", "/no/such"], "/no/such: cannot read the configuration: No such file or directory"),
    (["--libexec-dir", "/no/such"], "/no/such/nacelle-shim: No such file or directory"),
    (["--root-dir", "/dev/null/x"], "/dev/null/x: Not a directory"),
])
def test_options(tmp_path, options, words):
    assert words in refused(tmp_path, *options)


@pytest.mark.parametrize("config,words", [
    (KIND + "maxPods: many\n", "config.yaml: line 3: maxPods: wants a number, not a string"),
    (KIND + "podPidsLimit: -5\n", "config.yaml: line 3: podPidsLimit: -5 is out of range"),
    (KIND + "containerLogMaxSize: lots\n", "config.yaml: line 3: containerLogMaxSize: wants a size like 10Mi, not a string"),
    (KIND + "cpuManagerPolicy: dynamic\n", 'cpuManagerPolicy: unknown policy: "dynamic"; there are none and static'),
    (KIND + "cpuManagerPolicy: static\n", "CPU manager: the static policy requires systemreserved.cpu + kubereserved.cpu to be greater than zero"),
    (KIND + 'cpuManagerPolicy: static\nreservedSystemCPUs: "0-"\n', 'reservedSystemCPUs: "0-" is no list of CPUs like 0-3,7'),
    (KIND + 'cpuManagerPolicy: static\nreservedSystemCPUs: "3000"\n', "CPU manager: reserved CPUs 3000: not all of them are online"),
    (KIND + 'cpuManagerPolicy: static\ncpuManagerPolicyOptions: {fast: "true"}\n', 'cpuManagerPolicy: unknown CPU Manager Policy option: "fast"'),
    (KIND + 'cpuManagerPolicy: static\ncpuManagerPolicyOptions: {align-by-socket: "true"}\n',
     'CPU Manager Policy Alpha-level Options not enabled, but option "align-by-socket" provided'),
    (KIND + 'cpuManagerPolicyOptions: {full-pcpus-only: "true"}\n', "cpuManagerPolicy: None policy: received unsupported options=full-pcpus-only=true"),
    (KIND + "topologyManagerPolicy: best-effort\n", 'topologyManagerPolicy: "best-effort" is not supported, only none is'),
    (KIND + "memoryManagerPolicy: Static\n", 'memoryManagerPolicy: "Static" is not supported, only None is'),
    ("kind: [\n", "config.yaml: line 2: not YAML"),
    ("kind: Pod\n", "config.yaml: wants kind KubeletConfiguration and apiVersion kubelet.config.k8s.io/v1beta1, not Pod and none"),
])
def test_configuration(tmp_path, config, words):
    assert words in refused(tmp_path, config=config)


def test_unknown_configuration_is_named(new_node):
    node = new_node(config=KIND + "maxPodz: 5\n")
    assert f"{node.dir}/config.yaml: line 3: maxPodz: unknown or not supported; it has no effect" in node.log()


def test_second_agent_in_the_same_directories(node, tmp_path):
    by = f"(process {node.process.pid}); give this one a"
    assert f"another nacelle-agent holds {node.root} {by} --root-dir of its own" in refused(tmp_path, "--root-dir", node.root)
    assert f"another nacelle-agent holds {node.run} {by} --run-dir of its own" in refused(tmp_path, "--run-dir", node.run)
    assert node.socket + ": another process listens there" in refused(tmp_path, "--container-runtime-endpoint", "unix://" + node.socket)
    node.write("after.yaml", pod("after", "sleep 1000"))
    node.running("main")


def test_without_cgroups(tmp_path):
    said = refused(tmp_path, before=["unshare", "-m", "sh", "-c", 'umount -R /sys/fs/cgroup; exec "$@"', "sh"])
    assert "no cgroup file system is mounted; mount cgroup2 at /sys/fs/cgroup" in said


def test_limits_without_their_controller(tmp_path, new_node):
    """Without a memory controller the agent says so once, and runs pods without their memory limits."""
    hidden = subprocess.run(["grep", "-c", "cgroup .*[ ,]memory", "/proc/self/mounts"], capture_output=True)
    if hidden.returncode:
        pytest.skip("controllers of cgroup v2 cannot be hidden one by one")
    node = new_node(before=["unshare", "-m", "sh", "-c", 'umount /sys/fs/cgroup/memory; exec "$@"', "sh"])
    node.write("held.yaml", pod("held", {"name": "held", "command": ["sleep", "1000"], "resources": {"limits": {"memory": "64Mi"}}}))
    node.running("held")
    assert "cgroups: controller memory: the kernel does not have it; its limits have no effect" in node.log()


@pytest.fixture
def small_disk(tmp_path):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "small", tmp_path], check=True)
    yield tmp_path
    subprocess.run(["umount", "-l", tmp_path], check=True)


def test_full_disk(small_disk, tmp_path_factory, new_node):
    """A store that has no room for an image says so, keeps no half of it, and takes it when there is room."""
    archive = str(tmp_path_factory.mktemp("big") / "big.tar")
    oci.Image([oci.Layer().file("big", os.urandom(24 << 20)).tar()], Cmd=["x"]).write_docker_archive(archive, "localhost/big:1")
    node = new_node("--root-dir", str(small_disk / "root"))
    out = node.nacelle("import", archive, check=False)
    assert out.returncode != 0 and "No space left on device" in out.stderr
    assert "localhost/big" not in node.nacelle("images")
    node.write("p.yaml", pod("p", "sleep 1000"))
    node.running("main")
    subprocess.run(["mount", "-o", "remount,size=128m", small_disk], check=True)
    node.nacelle("import", archive)


def test_host_port_of_a_process_of_the_host(node):
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = taken.getsockname()[1]
        node.write("port.yaml", pod("port", {"name": "port", "command": ["sleep", "1000"], "ports": [{"containerPort": 80, "hostPort": port}]}))
        wait_for("message", lambda: [line for line in node.log().splitlines() if f"port-{node.name}" in line and f"{port}" in line and "in use" in line])
        assert node.container("port", "running") is None
    node.running("port", timeout=60)


def test_exhausted_range(new_node):
    """A /30 has two addresses: the bridge's and one pod's. The second pod gets the first one's when that is gone."""
    node = new_node("--pod-cidr", "10.213.250.0/30")
    node.write("one.yaml", pod("one", {"name": "one", "command": ["sleep", "1000"]}))
    node.running("one")
    node.write("two.yaml", pod("two", {"name": "two", "command": ["sleep", "1000"]}))
    wait_for("message", lambda: [line for line in node.log().splitlines() if f"two-{node.name}" in line and "10.213.250.0/30" in line and "no free address" in line])
    node.remove("one.yaml")
    node.running("two", timeout=60)


def waiting(node, name):
    return ((node.status(name).get("containerStatuses") or [{}])[0].get("state", {}).get("waiting") or {})


def terminated(node, name):
    c = (node.status(name).get("containerStatuses") or [{}])[0]
    return c.get("state", {}).get("terminated") or c.get("lastState", {}).get("terminated") or {}


@pytest.mark.parametrize("name,container,spec,words", [
    ("command", {"command": ["/no/such/program"]}, {}, ["/no/such/program", "no such file"]),
    ("directory", {"command": ["/tmp"]}, {}, ["/tmp", "permission denied"]),
    ("workdir", {"command": ["true"], "workingDir": "/etc/passwd"}, {}, ["/etc/passwd", "not a directory"]),
    ("user", {"command": ["true"], "image": "localhost/nouser:test"}, {}, ["nobodyknows"]),
    ("hook", {"command": ["sleep", "1000"], "lifecycle": {"postStart": {"exec": {"command": ["sh", "-c", "echo why; exit 5"]}}}}, {}, ["poststart", "5"]),
    ("probe-port", {"command": ["sleep", "1000"], "readinessProbe": {"httpGet": {"port": "nosuch"}, "periodSeconds": 1}}, {}, ["nosuch"]),
    ("host-path", {"command": ["true"], "volumeMounts": [{"name": "v", "mountPath": "/v"}]}, {"volumes": [{"name": "v", "hostPath": {"path": "/no/such", "type": "Directory"}}]},
     ["mountvolume.setup failed for volume \"v\"", "/no/such"]),
    ("nfs", {"command": ["true"], "volumeMounts": [{"name": "v", "mountPath": "/v"}]}, {"volumes": [{"name": "v", "nfs": {"server": "s", "path": "/p"}}]},
     ["volume \"v\"", "nfs"]),
    ("sub-path", {"command": ["true"], "volumeMounts": [{"name": "v", "mountPath": "/v", "subPathExpr": "$(NONE)"}]}, {"volumes": [{"name": "v", "emptyDir": {}}]},
     ["none", "subpathexpr"]),
    ("mount-on", {"command": ["true"], "volumeMounts": [{"name": "v", "mountPath": "/etc/passwd"}]}, {"volumes": [{"name": "v", "emptyDir": {}}]},
     ["/etc/passwd", "not a directory"]),
    ("profile", {"command": ["true"], "securityContext": {"seccompProfile": {"type": "Localhost", "localhostProfile": "none.json"}}}, {}, ["none.json", "no such file"]),
    ("capability", {"command": ["true"], "securityContext": {"capabilities": {"add": ["NONSENSE"]}}}, {}, ["nonsense"]),
    ("sysctl", {"command": ["true"]}, {"securityContext": {"sysctls": [{"name": "kernel.panic", "value": "1"}]}}, ["kernel.panic"]),
    ("runtime", {"command": ["true"]}, {"runtimeClassName": "gvisor"}, ["gvisor"]),
])
def test_pod_that_cannot_run_says_why(node, tmp_path, name, container, spec, words):
    if name == "user":
        oci.Image([oci.busybox_layer()], Cmd=["sh"], User="nobodyknows").write_docker_archive(str(tmp_path / "nouser.tar"), "localhost/nouser:test")
        node.nacelle("import", str(tmp_path / "nouser.tar"))
    node.write(name + ".yaml", pod(name, container, **spec))

    def lines():
        return [line for line in node.log().splitlines() if (f"/{name}-{node.name}" in line or f"/{name}.yaml" in line) and all(w in line.lower() for w in words)]
    wait_for(f"words {words}", lines, timeout=15)
