"""The watched directory: add, edit, remove, break; editors' files; symlink swaps."""
import json
import os
import time

import yaml

from support.node import pod, wait_for


def test_add_shows_within_a_second(node):
    begin = time.monotonic()
    node.write("fast.yaml", pod("fast", "sleep 1000"))
    node.running("main", timeout=1.5)
    assert time.monotonic() - begin < 1.5


def test_edit_replaces_and_remove_removes(node):
    node.write("e.yaml", pod("e", "sleep 1001"))
    first = node.running("main")
    node.write("e.yaml", pod("e", "sleep 1002"))
    second = wait_for("replacement", lambda: (lambda c: c if c and c["id"] != first["id"] else None)(node.container("main", "running")))
    assert second["podSandboxId"] != first["podSandboxId"]
    wait_for("end of the old", lambda: len([p for p in node.pods() if p["state"] == "SANDBOX_READY"]) == 1)
    node.remove("e.yaml")
    wait_for("no pods", lambda: not node.pods())


def test_json_and_yaml_and_temporary_files(node):
    node.write("j.json", json.dumps(pod("j", {"name": "json", "command": ["sleep", "1000"]})))
    node.write("y.yaml", yaml.safe_dump(pod("why", {"name": "yaml", "command": ["sleep", "1000"]})))
    for name in (".hidden.yaml", "x.yaml~", ".x.yaml.swp", "#x.yaml#"):
        with open(os.path.join(node.manifests, name), "w") as f:
            json.dump(pod("temporary", {"name": "temporary", "command": ["sleep", "1000"]}), f)
    node.running("json")
    node.running("yaml")
    time.sleep(0.5)
    assert node.container("temporary") is None


def test_broken_file_is_named_with_its_line_and_the_pod_goes_on(node):
    node.write("b.yaml", pod("b", "sleep 1000"))
    before = node.running("main")
    node.write("b.yaml", "apiVersion: v1\nkind: Pod\nmetadata:\n  name: b\nspec:\n  containers:\n  - name: main\n    image: [\n")
    wait_for("message", lambda: "b.yaml" in node.log())
    node.write("c.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: c}\nspec:\n  containers:\n  - name: main\n    image: x\n    ports:\n    - containerPort: many\n")
    wait_for("message with line and field", lambda: [line for line in node.log().splitlines() if "c.yaml:9" in line and "containerPort" in line])
    time.sleep(0.5)
    after = node.container("main", "running")
    assert after and after["id"] == before["id"]
    node.write("ok.yaml", pod("ok", {"name": "other", "command": ["sleep", "1000"]}))
    node.running("other")


def test_references_to_the_api_are_refused(node):
    for name, spec in {
        "secret": {"volumes": [{"name": "v", "secret": {"secretName": "s"}}]},
        "claim": {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "s"}}]},
        "account": {"serviceAccountName": "me"},
    }.items():
        node.write(name + ".yaml", pod(name, {"name": name, "command": ["sleep", "1"]}, **spec))
        wait_for("refusal", lambda: [line for line in node.log().splitlines() if name + ".yaml" in line])
        assert node.container(name) is None


def test_unsupported_and_unknown_fields_are_warned_about(node):
    p = pod("warn", {"name": "warned", "command": ["sleep", "1000"], "flavour": "sweet"})
    node.write("warn.yaml", p)
    node.running("warned")
    assert [line for line in node.log().splitlines() if "flavour" in line and "warn.yaml" in line]


def test_symlink_swap_of_the_directory(new_node, tmp_path):
    for version, seconds in (("v1", "1001"), ("v2", "1002")):
        os.makedirs(tmp_path / version)
        with open(tmp_path / version / "p.yaml", "w") as f:
            json.dump(pod("p", {"name": version, "command": ["sleep", seconds]}), f)
    os.symlink("v1", tmp_path / "current")
    node = new_node("--pod-manifest-path", str(tmp_path / "current"))
    node.running("v1")
    os.symlink("v2", tmp_path / "next")
    os.rename(tmp_path / "next", tmp_path / "current")
    node.running("v2")
    wait_for("end of v1", lambda: node.container("v1", "running") is None)
    os.unlink(tmp_path / "v2/p.yaml")
    wait_for("no pods", lambda: not node.pods())
