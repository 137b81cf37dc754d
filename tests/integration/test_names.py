"""What newcomers type: names of pods and containers in every command, and the question why a pod does not run."""
import concurrent.futures
import json
import os
import re
import subprocess

import grpc
import pytest

from support.node import BUILD, TOP, Node, pod, wait_for


@pytest.fixture(scope="module")
def world(busybox_archive):
    node = Node().start()
    node.nacelle("import", busybox_archive)
    node.write("web.yaml", pod("web", "echo from web; sleep 1000", {"name": "side", "command": ["sh", "-c", "echo from side; sleep 1000"]},
                               metadata={"namespace": "one"}))
    node.write("db.yaml", pod("db", "echo from db; sleep 1000"))
    node.write("twin1.yaml", pod("twin", {"name": "left", "command": ["sleep", "1000"]}, metadata={"namespace": "one"}))
    node.write("twin2.yaml", pod("twin", {"name": "right", "command": ["sleep", "1000"]}, metadata={"namespace": "two"}))
    wait_for("five containers", lambda: sum(c["state"] == "CONTAINER_RUNNING" for c in node.containers()) == 5)
    yield node
    node.stop()


def refused(node, *args):
    done = node.nacelle(*args, check=False)
    assert done.returncode == 1 and done.stdout == "", done
    return done.stderr


@pytest.mark.parametrize("name,prints", [
    ("side", "from side"), ("web/side", "from side"), ("web-{0}/side", "from side"), ("one/web/side", "from side"), ("one/web-{0}/main", "from web"),
    ("db", "from db"), ("default/db", "from db"), ("db-{0}", "from db"), ("db/main", "from db")])
def test_a_container_by_any_of_its_names(world, name, prints):
    name = name.format(world.name)
    c = next(c for c in world.containers() if prints in world.crictl("logs", c["id"]))
    assert wait_for("log", lambda: world.nacelle("logs", name)) == prints + "\n"
    assert world.nacelle("exec", "-s", name, "echo", "x") == world.nacelle("exec", name, "--", "echo", "x") == "x\n"
    assert json.loads(world.nacelle("inspect", name))["status"]["id"] == c["id"]
    assert c["id"][:13] in world.nacelle("stats", "-s", "0", name)
    assert world.nacelle("ps", "-q", "--id", name) == c["id"] + "\n"


@pytest.mark.parametrize("name", ["web", "one/web", "web-{0}", "one/web-{0}"])
def test_a_pod_by_any_of_its_names(world, name):
    name = name.format(world.name)
    p = next(p for p in world.pods() if p["metadata"]["name"] == f"web-{world.name}")
    assert json.loads(world.nacelle("inspectp", name))["status"]["id"] == p["id"]
    assert p["id"][:13] in world.nacelle("statsp", "-s", "0", name)
    assert world.nacelle("pods", "-q", name) == world.nacelle("pods", "-q", "--id", name) == p["id"] + "\n"
    assert set(world.nacelle("ps", "-q", "-p", name).split()) == {c["id"] for c in world.containers() if c["podSandboxId"] == p["id"]}
    assert world.nacelle("describe", name).startswith(f"Name:             web-{world.name}\n")


def test_ambiguous_names_say_so(world):
    n = world.name
    text = refused(world, "stop", "main")
    assert "ambiguous: it may be " in text and f"default/db-{n}/main" in text and f"one/web-{n}/main" in text
    assert "ambiguous" in refused(world, "logs", "web") and f"one/web-{n}/side" in refused(world, "exec", "web", "true")
    for verb in (("stopp", "twin"), ("rmp", "-f", "twin"), ("inspectp", "twin"), ("describe", "twin")):
        text = refused(world, *verb)
        assert "ambiguous" in text and f"one/twin-{n}" in text and f"two/twin-{n}" in text
    assert world.nacelle("exec", "two/twin", "hostname") == f"twin-{n}\n"
    assert len({c["id"] for c in world.containers() if c["state"] == "CONTAINER_RUNNING"}) == 5, "nothing was touched"


@pytest.mark.parametrize("verb", [
    ("logs",), ("exec", "NAME", "true"), ("exec", "-s", "NAME", "true"), ("attach",), ("inspect",), ("inspectp",), ("inspecti",), ("stats",), ("statsp",), ("start",), ("stop",),
    ("checkpoint", "-e", "/tmp/x", "NAME"), ("rm",), ("rm", "-f"), ("stopp",), ("rmp",), ("rmp", "-f"), ("rmi",), ("describe",), ("pods",), ("tag", "NAME", "a:b"), ("history",)])
@pytest.mark.parametrize("name", ["nosuch", "no/such", "no/such/thing", "a/b/c/d", "0" * 64])
def test_what_hits_nothing_fails(world, verb, name):
    args = [name if a == "NAME" else a for a in verb] + ([] if "NAME" in verb else [name])
    done = world.nacelle(*args, check=False)
    assert done.returncode == 1 and done.stdout.strip() in ("", "[]") and name in done.stderr


def test_one_of_several_is_missing(world):
    done = world.nacelle("inspect", "db", "nosuch", check=False)
    assert done.returncode == 1 and 'nosuch: container "nosuch" not found' in done.stderr
    assert json.loads(done.stdout)[0]["status"]["metadata"]["name"] == "main"


def test_the_newest_attempt_is_meant(new_node):
    node = new_node()
    node.write("r.yaml", pod("r", "echo $$ $RANDOM > /dev/null; echo attempt; sleep 1000"))
    first = node.running("main")
    assert node.nacelle("stop", "r") == "r\n"
    second = node.running("main", attempt=1)
    assert json.loads(node.nacelle("inspect", "r/main"))["status"]["id"] == second["id"] != first["id"]
    assert node.nacelle("stopp", "r") == "Stopped sandbox r\n"
    pods = wait_for("a new sandbox", lambda: [p for p in node.pods() if p["state"] == "SANDBOX_READY"])
    assert json.loads(node.nacelle("inspectp", "r"))["status"]["id"] == pods[0]["id"]


def table(text):
    lines = [re.split(r"\s{3,}", line) for line in text.splitlines()]
    return [dict(zip(lines[0], line)) for line in lines[1:]]


def rows(node, *args):
    done = node.nacelle("pods", *args, check=False)
    return done.returncode, {row["NAME"].replace("-" + node.name, ""): row for row in table(done.stdout)}


def test_why_a_pod_does_not_run(new_node):
    node = new_node()
    assert node.nacelle("pods", check=False).returncode == 0
    node.write("good.yaml", pod("good", "sleep 1000"))
    wait_for("a pod that runs", lambda: node.status("good").get("phase") == "Running")
    code, shown = wait_for("it is ready", lambda: (lambda r: r if r[0] == 0 else None)(rows(node)))
    assert shown["good"]["STATE"] == "Running" and shown["good"]["READY"] == "1/1"
    node.write("done.yaml", pod("done", "true", restartPolicy="Never"))
    assert wait_for("the end", lambda: (lambda r: r if "done" in r[1] and r[1]["done"]["STATE"] == "Succeeded" else None)(rows(node)))[0] == 0

    node.write("pull.yaml", pod("pull", {"image": "127.0.0.1:1/no/such:1", "imagePullPolicy": "Always"}))
    node.write("never.yaml", pod("never", {"image": "localhost/nosuch:1"}))
    node.write("crash.yaml", pod("crash", "exit 7"))
    node.write("init.yaml", pod("init", "true", initContainers=[{"name": "first", "image": "localhost/busybox:test", "imagePullPolicy": "Never", "command": ["false"]}]))
    node.write("config.yaml", pod("config", {"command": ["true"], "securityContext": {"runAsNonRoot": True}}))
    node.write("start.yaml", pod("start", {"command": ["/no/such"]}))
    node.write("probe.yaml", pod("probe", {"command": ["sleep", "1000"], "readinessProbe": {"exec": {"command": ["sh", "-c", "echo not yet; exit 1"]}, "periodSeconds": 1}}))
    node.write("volume.yaml", pod("volume", "true", volumes=[{"name": "v", "hostPath": {"path": "/no/such", "type": "Directory"}}]))
    node.write("selector.yaml", pod("selector", "true", nodeSelector={"a": "b"}))
    node.write("invalid.yaml", pod("invalid", {"name": "Not_Valid"}))
    node.write("syntax.yaml", "apiVersion: v1\nkind: [Pod\n")
    node.write("copy.yaml", pod("good", "true"))
    os.symlink("/no/such", node.manifests + "/dangling.yaml")
    expected = {  # name: (state, reason, a part of the message)
        "good": ("Running", "", ""), "done": ("Succeeded", "", ""), "pull": ("Pending", "ImagePullBackOff", "127.0.0.1:1/no/such:1"),
        "never": ("Pending", "ErrImageNeverPull", "localhost/nosuch:1"), "crash": ("Running", "CrashLoopBackOff", "exit code 7"),
        "init": ("Pending", "Init:CrashLoopBackOff", "back-off"), "config": ("Pending", "CreateContainerConfigError", "will run as root"),
        "start": ("Running", "CrashLoopBackOff", "/no/such"), "probe": ("Running", "Unhealthy", "Readiness probe failed: not yet"),
        "volume": ("Pending", "FailedMount", "/no/such"), "selector": ("Failed", "NodeAffinity", "affinity/selector"),
        "invalid.yaml": ("Refused", "Invalid", "spec.containers[0].name"), "syntax.yaml": ("Refused", "Invalid", "syntax.yaml:"),
    }

    def wrong():
        code, shown = rows(node)
        found = {name: tuple(shown.get(name, {}).get(c, "") for c in ("STATE", "REASON", "MESSAGE")) for name in expected}
        return code, {name: found[name] for name, (state, reason, part) in expected.items()
                      if name != "good" and (found[name][:2] != (state, reason) or part not in found[name][2])}
    wait_for("reasons", lambda: wrong() == (3, {}), timeout=60, interval=0.5)
    text = node.nacelle("pods", check=False).stdout
    assert re.search(rf"Refused\s+good-{node.name}\s.*Duplicate\s+pod default/good-{node.name} is wanted by good.yaml already", text)
    assert node.nacelle("pods", "done", check=False).returncode == 0 and node.nacelle("pods", "pull", check=False).returncode == 3
    assert node.nacelle("pods", "invalid.yaml", check=False).returncode == node.nacelle("pods", "invalid", check=False).returncode == 3
    assert node.nacelle("pods", "-q", check=False).returncode == node.nacelle("pods", "-o", "json", check=False).returncode == 0

    files = json.loads(subprocess.run(["curl", "-s", "--unix-socket", node.run + "/kubelet.sock", "http://localhost/files"], capture_output=True, text=True).stdout)
    assert files["directory"] == node.manifests and files["nodeName"] == node.name
    reasons = {f["file"]: f.get("reason") for f in files["items"]}
    assert (reasons["good.yaml"], reasons["copy.yaml"], reasons["invalid.yaml"]) == (None, "Duplicate", "Invalid")

    for name, (state, reason, part) in expected.items():
        text = node.nacelle("describe", name)
        assert re.search(rf"^Status: +{state}$", text, re.M), name
        if state not in ("Refused", "Succeeded") and name != "selector":
            assert re.search(r"^Events:\n  Type +Reason +Age +From +Message\n  ---- ", text, re.M), name
        assert f"Manifest:         {node.manifests}/{name.replace('.yaml', '')}.yaml\n" in text
        assert part.replace("exit code 7", "Exit Code:     7") in text, name
    for name in ("copy.yaml", "dangling.yaml", "syntax.yaml", "invalid.yaml"):
        node.remove(name)
    node.write("invalid.yaml", pod("invalid", "sleep 1000"))
    wait_for("no refused file", lambda: "Refused" not in node.nacelle("pods", check=False).stdout and "invalid" in rows(node)[1])


def test_a_broken_edit_is_told_beside_the_pod_that_goes_on(new_node):
    node = new_node()
    path = node.write("e.yaml", pod("e", "sleep 1000"))
    node.running("main")
    wait_for("ready", lambda: node.nacelle("pods", check=False).returncode == 0)
    node.write("e.yaml", "kind: Pod\n")
    code, shown = wait_for("refusal", lambda: (lambda r: r if r[0] == 3 else None)(rows(node)))
    text = node.nacelle("pods", check=False).stdout
    assert "Running" in text and re.search(r"Refused .*Invalid .*going on with the pod that it held before", text)
    assert re.search(rf"Manifest: +{path}\nRefused: +{path}", node.nacelle("describe", "e"))


def test_no_control_characters_reach_the_terminal(new_node):
    node = new_node()
    node.write("t.yaml", pod("t", r"printf 'a\033[2Jb\nsecond' > /dev/termination-log; exit 1", restartPolicy="Never"))
    wait_for("end", lambda: node.status("t").get("phase") == "Failed")
    text = node.nacelle("describe", "t")
    assert "\033" not in text and re.search(r"Message: +a\?\[2Jb\n {21}second\n", text)
    text = node.nacelle("pods", check=False).stdout
    assert "\033" not in text and "a?[2Jb second" in text


def test_other_runtimes_have_no_directory(tmp_path, new_node):
    """`pods` shows what CRI tells; names work."""
    class Empty(grpc.GenericRpcHandler):
        def service(self, details):
            if details.method.endswith(("/ListPodSandbox", "/ListContainers")):
                return grpc.unary_unary_rpc_method_handler(lambda request, context: b"")
            return None

    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2), handlers=[Empty()])
    server.add_insecure_port(f"unix://{tmp_path}/cri.sock")
    server.start()
    try:
        def run(*args):
            return subprocess.run([BUILD + "/nacelle", "-r", f"unix://{tmp_path}/cri.sock", *args], capture_output=True, text=True, timeout=20)
        done = run("pods")
        assert done.returncode == 0 and done.stdout.startswith("POD ID") and done.stderr == ""
        assert 'pod "x" not found' in run("inspectp", "x").stderr and "runs no pods of a directory" in run("describe", "x").stderr
    finally:
        server.stop(None)
    node = new_node("--runtime-only")
    with open(tmp_path / "pod.json", "w") as f:
        json.dump({"metadata": {"name": "r", "namespace": "n", "uid": "u1"}, "linux": {}}, f)
    sandbox = node.crictl("runp", tmp_path / "pod.json").strip()
    done = node.nacelle("pods")
    assert re.search(rf"{sandbox[:13]} .* Ready +r +n ", done)
    assert node.nacelle("rmp", "-f", "n/r") == "Removed sandbox n/r\n" and node.nacelle("pods", "-q") == ""


def test_completion_knows_names(world):
    def complete(*words):
        script = (f"PATH={BUILD}:$PATH; export CONTAINER_RUNTIME_ENDPOINT=unix://{world.socket}; . {TOP}/contrib/completion/nacelle.bash; "
                  'COMP_WORDS=(nacelle "$@"); COMP_CWORD=$#; _nacelle; printf "%s\\n" "${COMPREPLY[@]}"')
        return subprocess.run(["bash", "-c", script, "bash", *words], capture_output=True, text=True, check=True).stdout.split()
    assert set(complete("logs", "web")) == {f"web-{world.name}/main", f"web-{world.name}/side"}
    assert complete("describe", "db") == [f"db-{world.name}"]
    assert complete("desc") == ["describe"]
