"""Our own command: tables, ids, JSON, YAML, help, exit codes."""
import json
import os
import re
import subprocess

import pytest
import yaml

from support.node import BUILD, TOP, pod, wait_for


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
    for option in ("-f", "-o", "--output"):  # docker's, too
        node.nacelle("save", option, archive, "localhost/other:1")
        assert os.path.getsize(archive) > 10000
        os.rename(archive, archive + option)
    archive += "-o"
    assert "Deleted: localhost/other:1" in node.nacelle("rmi", "localhost/other:1") or True
    node.nacelle("import", archive)
    assert "localhost/other" in node.nacelle("images")
    node.nacelle("rmi", "localhost/other:1")
    node.nacelle("load", "-i", archive)
    assert node.nacelle("load", check=False).returncode == node.nacelle("load", "-i", archive, archive, check=False).returncode == 2
    assert "CREATED BY" in node.nacelle("history", "localhost/other:1")
    out = node.nacelle("import", "/no/such/file", check=False)
    assert out.returncode == 1 and "/no/such/file" in out.stderr


@pytest.mark.parametrize("args,says", [
    ((), None), (("nosuch",), 'nacelle: unknown command "nosuch"'), (("ps", "--nosuch"), "nacelle ps: unknown option --nosuch"),
    (("ps", "-n"), "nacelle ps: -n needs a value"), (("ps", "-n", "x"), "no whole number"), (("stpo", "x"), 'did you mean "stop"?'),
    (("help", "lgos"), 'did you mean "logs"?'), (("get", "pods"), 'did you mean "pods"?'), (("logs", "--folow", "x"), "nacelle logs: unknown option --folow; did you mean --follow?"),
    (("exec", "-x", "y", "z"), "nacelle exec: unknown option -x"), (("--runtime-endpont=x", "ps"), "did you mean --runtime-endpoint?"),
    (("logs", "--tial=5", "x"), "did you mean --tail?"), (("inspect",), "usage: nacelle inspect"), (("tag", "a"), "usage: nacelle tag")])
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


def help_of(program, *args):
    return subprocess.run([f"{BUILD}/{program}", *args, "--help"], capture_output=True, text=True, check=True).stdout


def manual(name):
    with open(f"{TOP}/docs/man/{name}") as f:
        return f.read().replace("\\-", "-").replace("\\fI", "").replace("\\fP", "")


def test_manual_of_the_command():
    """Every command is a section of the manual, with each of its options in it, and nothing else."""
    sections = {}
    for part in manual("nacelle.1").split(".SH COMMANDS")[1].split("\n.SH ")[0].split("\n.SS ")[1:]:
        sections[re.match(r'"([a-z-]+)', part)[1]] = part
    assert list(sections) == re.findall(r"^  ([a-z][a-z-]+) ", help_of("nacelle"), re.M)
    for command, text in sections.items():
        said = help_of("nacelle", command)
        wanted = set(re.findall(r"--[a-z][a-z-]+", said.split("Options:")[1])) - {"--help"}
        assert set(re.findall(r"^\.TP\n\.BR .*?(--[a-z][a-z-]+)", text, re.M)) == wanted, command
        assert said.split("\n\n")[1].rstrip(".").replace("'", "\\(aq") in text


@pytest.mark.parametrize("program", ["nacelle", "nacelle-agent", "nacelle-image"])
def test_manual_has_every_option(program):
    text = manual(program + (".1" if program == "nacelle" else ".8"))
    missing = [o for o in re.findall(r"--[a-z][a-z0-9-]+", help_of(program)) if o not in text and o not in ("--help", "--version")]
    assert not missing


def test_completion(node):
    """bash completes commands, options, ids and images."""
    def complete(*words):
        script = (f"PATH={BUILD}:$PATH; export CONTAINER_RUNTIME_ENDPOINT=unix://{node.socket}; . {TOP}/contrib/completion/nacelle.bash; "
                  'COMP_WORDS=(nacelle "$@"); COMP_CWORD=$#; _nacelle; printf "%s\\n" "${COMPREPLY[@]}"')
        return subprocess.run(["bash", "-c", script, "bash", *words], capture_output=True, text=True, check=True).stdout.split()
    assert complete("inspec") == ["inspect", "inspectp", "inspecti"]
    assert "--tail" in complete("logs", "--t")
    assert complete("-t", "10s", "rmi", "localhost/busy") == ["localhost/busybox:test"]
    node.write("c.yaml", pod("c", "exec sleep 1000"))
    c = node.running("main")["id"]
    assert complete("logs", c[:5]) == [c]


def test_login_keeps_credentials_and_logout_forgets_them(node, tmp_path):
    import base64
    import crypt
    import oci
    from support.registry import Registry
    registry = Registry(auth="me:" + crypt.crypt("secret", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))
    env = dict(os.environ, DOCKER_CONFIG=str(tmp_path / "docker"))

    def run(*args, **kwargs):
        return subprocess.run([BUILD + "/nacelle", "-r", "unix://" + node.socket, *args], env=env, capture_output=True, text=True, timeout=60, **kwargs)

    try:
        ref = registry.push(oci.Image([oci.Layer().file("f", "x").tar()]), "kept/app:1", credentials="me:secret")
        assert run("pull", "-q", ref).returncode == 1
        wrong = run("login", "-u", "me", "--password-stdin", registry.host, input="wrong\n")
        assert wrong.returncode == 1 and not (tmp_path / "docker").exists()
        path = tmp_path / "docker" / "config.json"
        path.parent.mkdir()
        path.write_text(json.dumps({"psFormat": "x", "auths": {"other.test": {"auth": "eDp5"}}}))
        done = run("login", "-u", "me", "--password-stdin", registry.host, input="secret\n")
        assert (done.returncode, done.stdout) == (0, "Login succeeded\n"), done.stderr
        kept = json.loads(path.read_text())
        assert kept == {"psFormat": "x", "auths": {"other.test": {"auth": "eDp5"}, registry.host: {"auth": base64.b64encode(b"me:secret").decode()}}}
        assert path.stat().st_mode & 0o777 == 0o600
        assert run("pull", "-q", ref).returncode == 0
        assert run("tag", ref, ref + "0").returncode == 0 and run("push", "-q", ref + "0").returncode == 0
        assert run("logout", registry.host).returncode == 0
        assert json.loads(path.read_text())["auths"] == {"other.test": {"auth": "eDp5"}}
        assert run("push", "-q", ref + "0").returncode == 1
        assert "no credentials" in run("logout", registry.host).stderr
        path.write_text("{")
        assert "config.json" in run("pull", "-q", ref).stderr
    finally:
        registry.stop()
