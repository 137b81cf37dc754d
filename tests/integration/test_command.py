"""Our own command: tables, ids, JSON, YAML, help, exit codes."""
import json
import os
import re
import subprocess

import pytest
import yaml

from support.node import BUILD, pod, wait_for


@pytest.fixture
def running(node):
    node.write("w.yaml", pod("w", "echo one; echo two; echo three; sleep 1000"))
    return node.running("main")


def test_tables(node, running):
    lines = node.nacelle("ps").splitlines()
    assert re.split(r"\s{3,}", lines[0]) == ["CONTAINER", "IMAGE", "CREATED", "STATE", "NAME", "ATTEMPT", "POD ID", "POD", "NAMESPACE"]
    row = re.split(r"\s{3,}", lines[1])
    assert row[0] == running["id"][:13] and row[3:6] == ["Running", "main", "0"] and row[7:] == [f"w-{node.name}", "default"]
    assert node.nacelle("ps", "-q").split() == [running["id"]]
    assert node.nacelle("ps", "-q", "--name", "^x") == "" and node.nacelle("ps", "-aq", "--name", "^main$").split() == [running["id"]]
    assert node.nacelle("ps", "-q", "--state", "exited") == ""
    assert node.nacelle("ps", "-q", "--label", "io.kubernetes.container.name=main").split() == [running["id"]]
    assert node.nacelle("pods", "-q").split() == [running["podSandboxId"]]
    assert "localhost/busybox" in node.nacelle("images") and "SIZE" in node.nacelle("images").splitlines()[0]
    assert "main" in node.nacelle("stats", "-s", "0") and "w-" in node.nacelle("statsp", "-s", "0")


def test_json_is_crictls(node, running):
    for args in (("ps", "-a", "-o", "json"), ("pods", "-o", "json"), ("images", "-o", "json"), ("inspecti", "localhost/busybox:test")):
        ours, theirs = json.loads(node.nacelle(*args)), json.loads(node.crictl(*args))
        assert set(ours) == set(theirs), args
    ours, theirs = json.loads(node.nacelle("inspect", running["id"])), node.inspect(running)
    assert ours["status"]["startedAt"] == theirs["status"]["startedAt"] and ours["status"]["id"] == running["id"]
    assert ours["info"].keys() == theirs["info"].keys()
    assert yaml.safe_load(node.nacelle("inspect", "-o", "yaml", running["id"])) == ours
    assert len(json.loads(node.nacelle("inspect", running["id"], running["id"]))) == 2


def test_logs_and_exec(node, running):
    wait_for("log", lambda: node.nacelle("logs", running["id"]) == "one\ntwo\nthree\n")
    assert node.nacelle("logs", "--tail", "1", running["id"][:10]) == "three\n"
    assert re.fullmatch(r"\S+Z three\n", node.nacelle("logs", "--tail=1", "-t", running["id"]))
    assert node.nacelle("logs", "--since", "1h", "--limit-bytes", "5", running["id"]) == "one\nt"
    assert node.nacelle("exec", "-s", running["id"], "echo", "-n", "x") == "x"
    assert node.nacelle("exec", running["id"], "--", "sh", "-c", "exit 42", check=False).returncode == 42
    out = node.nacelle("logs", "--previous", running["id"], check=False)
    assert out.returncode == 1 and "has not run before" in out.stderr


def test_images(node, tmp_path):
    node.nacelle("tag", "localhost/busybox:test", "localhost/other:1")
    assert "localhost/other" in node.nacelle("images")
    archive = str(tmp_path / "other.tar")
    node.nacelle("save", "-f", archive, "localhost/other:1")
    assert "Deleted: localhost/other:1" in node.nacelle("rmi", "localhost/other:1") or True
    node.nacelle("import", archive)
    assert "localhost/other" in node.nacelle("images")
    assert "CREATED BY" in node.nacelle("history", "localhost/other:1")
    out = node.nacelle("import", "/no/such/file", check=False)
    assert out.returncode == 1 and "/no/such/file" in out.stderr


@pytest.mark.parametrize("args,says", [
    ((), None), (("nosuch",), "unknown command"), (("ps", "--nosuch"), "unknown option --nosuch"), (("ps", "-n"), "-n needs a value"),
    (("ps", "-n", "x"), "no whole number"), (("inspect",), "usage: nacelle inspect"), (("tag", "a"), "usage: nacelle tag")])
def test_wrong_usage(args, says):
    done = subprocess.run([BUILD + "/nacelle", *args], capture_output=True, text=True)
    assert done.returncode == 2
    assert says is None or says in done.stderr


def test_help_and_no_agent(tmp_path):
    def run(*args):
        return subprocess.run([BUILD + "/nacelle", *args], capture_output=True, text=True)
    commands = re.findall(r"^  ([a-z][a-z-]+) ", run("--help").stdout, re.M)
    assert {"ps", "pods", "logs", "exec", "images", "pull", "import", "rmi", "inspect", "version"} <= set(commands)
    for c in commands:
        done = run(c, "--help")
        assert done.returncode == 0 and done.stdout.startswith(f"Usage: nacelle {c} ")
    done = run("-r", f"unix://{tmp_path}/none.sock", "ps")
    assert done.returncode == 1 and "no such file" in done.stderr
    assert run("-r", "tcp://1.2.3.4", "ps").returncode == 1
    assert run("-t", "never", "ps").returncode == 2
