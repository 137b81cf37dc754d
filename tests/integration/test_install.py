"""What a new user does first: make help, make demo, make install; each program's --help and man page say the same."""
import glob
import ipaddress
import os
import re
import shutil
import socket
import subprocess

import pytest

from support.node import BUILD, TOP, Node

PROGRAMS = ["nacelle-agent", "nacelle", "nacelle-oci", "nacelle-image", "nacelle-api", "nacelle-shim"]


def make(*args, **env):
    return subprocess.run(["make", "-s", "-C", TOP, "BUILD=" + BUILD, *args], capture_output=True, text=True, timeout=300, env={**os.environ, **env})


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def said(program, *args):
    done = subprocess.run([f"{BUILD}/{program}", *args], capture_output=True, text=True, timeout=20)
    return done.returncode, done.stdout + done.stderr


def options(text):
    return set(re.findall(r"--[a-z][a-z-]+", text))


def manual(program):
    section = 1 if program == "nacelle" else 8
    with open(f"{TOP}/docs/man/{program}.{section}") as f:
        return f.read().replace("\\-", "-")


@pytest.mark.parametrize("program", PROGRAMS[:5])
def test_help_and_manual_name_the_same_options(program):
    status, text = said(program, "--help")
    assert status == 0 and "sage: " + program in text
    known = options(text)
    if program == "nacelle":
        for verb in re.findall(r"^  ([a-z-]+)  ", text.split("Options:")[0], re.M):
            known |= options(said(program, verb, "--help")[1])
    elsewhere = {"--registry-auth-file"} - known  # the agent's, which the manual of nacelle refers to
    written = options(manual(program)) - {"--help", "--version"} - elsewhere
    if program == "nacelle-oci":  # its help gives the common ones and an ellipsis
        written &= known
    assert known - {"--help", "--version"} == written
    status, text = said(program, "--version")
    assert status == 0 and re.search(r"\d+\.\d+\.\d+", text)


def test_the_shim_has_a_manual():
    assert "not for use by hand" in manual("nacelle-shim")


def test_make_help_names_the_targets():
    listed = re.findall(r"^  make ([a-z0-9-]+)  .*\S$", make("help").stdout, re.M)
    assert {"all", "check", "demo", "demo-stop", "install", "bench", "fuzz", "help", "vm", "soak"} <= set(listed)


def targets():
    """What `make help` lists and what runs something."""
    with open(TOP + "/Makefile") as f:
        text = f.read() + "".join(open(path).read() for path in sorted(glob.glob(TOP + "/contrib/make/*.mk")))
    return sorted(set(re.findall(r"^([a-z][a-z0-9-]*):.*## ", text, re.M)) - {"all", "clean", "demo-stop", "deps", "help", "install"})


@pytest.mark.parametrize("target", targets())
def test_a_target_installs_what_it_needs_before_it_builds_or_runs(target):
    lines = make("-n", target).stdout.splitlines()
    installs = [i for i, line in enumerate(lines) if line.startswith("contrib/install-packages ")]
    works = [i for i, line in enumerate(lines) if re.match(r"([A-Z]+=\S+ )*(gcc|clang|\S*musl-gcc|/usr/bin/python3|tests/(?!peers)|contrib/demo|git) ?", line)]
    assert installs and (not works or installs[0] < works[0])
    if target in ("bench", "check", "conformance", "conformance-handlers", "e2e-cri", "faults", "integration", "soak", "soak-power", "vm"):
        assert any("tests/peers/build" in line for line in lines[:works[0]])


def test_packages_have_sections():
    done = subprocess.run([TOP + "/contrib/install-packages", "nonsense"], capture_output=True, text=True)
    assert done.returncode == 2 and "no section [nonsense]" in done.stderr


def test_install(tmp_path):
    done = make("install", f"DESTDIR={tmp_path}")
    assert done.returncode == 0, done.stderr
    for path in ("usr/bin/nacelle-agent", "usr/bin/nacelle-api", "usr/bin/nacelle", "usr/bin/nacelle-oci", "usr/libexec/nacelle/nacelle-shim", "usr/libexec/nacelle/nacelle-image",
                 "usr/share/man/man8/nacelle-agent.8", "usr/share/man/man8/nacelle-api.8", "usr/share/man/man8/nacelle-oci.8", "usr/share/man/man1/nacelle.1",
                 "lib/systemd/system/nacelle-agent.service", "etc/nacelle/config.yaml", "lib/systemd/system/nacelle-api.service",
                 "usr/lib/sysusers.d/nacelle-api.conf", "etc/nacelle/api.yaml"):
        assert (tmp_path / path).is_file(), path
    assert (tmp_path / "etc/nacelle/manifests").is_dir()
    # What was configured stays.
    (tmp_path / "etc/nacelle/config.yaml").write_text("mine\n")
    assert make("install", f"DESTDIR={tmp_path}").returncode == 0
    assert (tmp_path / "etc/nacelle/config.yaml").read_text() == "mine\n"


def test_install_below_another_prefix(tmp_path):
    """The units start what is there, and that finds what belongs to it."""
    assert make("install", f"DESTDIR={tmp_path}", "PREFIX=/opt/nacelle").returncode == 0
    for name in "nacelle-agent", "nacelle-api":
        assert f"\nExecStart=/opt/nacelle/bin/{name} " in (tmp_path / f"lib/systemd/system/{name}.service").read_text()
    node = Node()
    node.program = str(tmp_path / "opt/nacelle/bin/nacelle-agent")
    try:
        node.start()
    finally:
        node.stop()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze")
def test_the_unit_and_the_example_configuration_are_right(tmp_path):
    unit = tmp_path / "nacelle-agent.service"
    with open(TOP + "/contrib/systemd/nacelle-agent.service") as f:
        unit.write_text(f.read().replace("/usr/bin/nacelle-agent", BUILD + "/nacelle-agent"))
    assert re.search(r"^\[Unit\](?:\n(?!\[).*)*\nStartLimitIntervalSec=0$", unit.read_text(), re.M), "it is started again however often it ends"
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True)
    assert done.returncode == 0 and "nacelle" not in done.stderr, done.stderr
    # The agent reads the example without a word; it stops at the directory that cannot be made.
    status, text = said("nacelle-agent", "--config", TOP + "/contrib/config.yaml", "--root-dir", "/dev/null/x", "--run-dir", str(tmp_path))
    assert status != 0 and "config.yaml" not in text and "/dev/null/x" in text


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze")
def test_the_api_services_unit(tmp_path):
    """It runs as a user of its own, and may do what it needs: systemd's own score says how little that is."""
    unit = tmp_path / "nacelle-api.service"
    with open(TOP + "/contrib/systemd/nacelle-api.service") as f:
        unit.write_text(f.read().replace("/usr/bin/nacelle-api", BUILD + "/nacelle-api"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True)
    assert done.returncode == 0 and "nacelle" not in done.stderr, done.stderr
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)], capture_output=True, text=True)
    assert float(re.search(r"exposure level for nacelle-api.service: ([0-9.]+)", done.stdout)[1]) <= 1.5, done.stdout
    users = tmp_path / "usr/lib/sysusers.d"
    users.mkdir(parents=True)
    shutil.copy(TOP + "/contrib/systemd/nacelle-api.sysusers", users / "nacelle-api.conf")
    (tmp_path / "etc").mkdir()
    done = subprocess.run(["systemd-sysusers", "--root", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0 and re.search(r"^nacelle-api:.*:/var/lib/nacelle-api:", (tmp_path / "etc/passwd").read_text(), re.M), done.stderr


def test_one_default_of_the_pod_cidr():
    """In the example, the help and the manual the same one, which no other tool has for its own."""
    default = re.search(r"pods' addresses \(.*?([0-9./]+)\)", said("nacelle-agent", "--help")[1])[1]
    with open(TOP + "/contrib/config.yaml") as f:
        assert f"podCIDR: {default}\n" in f.read()
    assert default in manual("nacelle-agent")
    others = ["10.0.0.0/24", "10.1.0.0/16", "10.4.0.0/24", "10.22.0.0/16", "10.32.0.0/12", "10.42.0.0/15", "10.85.0.0/16", "10.88.0.0/16", "10.89.0.0/16",
              "10.90.0.0/15", "10.92.0.0/14", "10.96.0.0/11", "10.128.0.0/9", "172.16.0.0/12", "192.168.0.0/16"]
    assert not any(ipaddress.ip_network(default).overlaps(ipaddress.ip_network(other)) for other in others)


def test_demo_api(tmp_path):
    """What it shows is kubectl's; the service and its directory are gone after it."""
    done = make("demo-api", DEMO_DIR=str(tmp_path / "demo"), DEMO_PORT=str(free_port()))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    for words in ("kube-system       Active", "configmap/greeting created", "web serverside-applied", "MODIFIED   greeting", "RollingUpdateDeployment", "DELETED    greeting"):
        assert words in done.stdout, done.stdout
    assert not os.listdir(tmp_path)


def test_demo_cluster():
    """Two commands make a cluster of two hosts, and kubectl drives it; nothing of it is left."""
    done = make("demo-cluster")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    for words in ("This node is in the cluster of https://10.215.0.2:6443.", 'deployment "web" successfully rolled out', "Hello from the cluster", "this is a terminal",
                  "Hello again", "node/two drained", "CPU(cores)", "The demo is over"):
        assert words in done.stdout, words + done.stdout[-6000:]
    assert not os.path.exists("/var/tmp/nacelle-demo-cluster") and not os.path.exists("/run/nacelle-demo-cluster")
    assert not {"nacelle-hosts", "nacelle-one", "nacelle-two"} & set(os.listdir("/sys/class/net"))
    left = subprocess.run(["pgrep", "-af", "/var/tmp/nacelle-demo-cluster/"], capture_output=True, text=True).stdout
    assert not left, left


def test_demo_and_demo_stop(tmp_path):
    """With a directory of its own; everything it made is gone after demo-stop."""
    env = {"DEMO_DIR": str(tmp_path / "demo")}
    done = make("demo", **env)
    try:
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        for words in ("localhost/busybox", "Hello from web-demo at 10.214.0.", "127.0.0.1\tlocalhost", "answers on its own address", "make demo-stop"):
            assert words in done.stdout
        again = make("demo", **env)
        assert again.returncode == 0 and "still runs; using it" in again.stdout
    finally:
        stopped = make("demo-stop", **env)
    assert stopped.returncode == 0 and "removed" in stopped.stdout
    assert not os.path.exists(tmp_path / "demo") and not os.path.exists("/run/nacelle-demo")
    left = subprocess.run("ip -o link show nacelle-demo; nft list tables | grep nacelle_nacelle-demo; grep nacelle-demo /proc/self/mounts; "
                          "find /sys/fs/cgroup -maxdepth 2 -name nacelle-demo", shell=True, capture_output=True, text=True).stdout
    assert not left, left
