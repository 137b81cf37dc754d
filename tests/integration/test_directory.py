"""The watched directory: add, edit, remove, break; editors' files; symlink swaps."""
import json
import os
import re
import subprocess
import time

import pytest
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
    node = new_node("--pod-manifest-path", str(tmp_path / "current"))
    wait_for("message", lambda: "current: No such file or directory; its pods run when it is a directory" in node.log())
    os.symlink("v1", tmp_path / "current")
    node.running("v1")
    os.symlink("v2", tmp_path / "next")
    os.rename(tmp_path / "next", tmp_path / "current")
    node.running("v2")
    wait_for("end of v1", lambda: node.container("v1", "running") is None)
    os.unlink(tmp_path / "v2/p.yaml")
    wait_for("no pods", lambda: not node.pods())


def sleeper(name, seconds="1000"):
    return pod(name, {"name": name, "command": ["sleep", seconds]})


def replaced(node, name, change):
    """Runs the pod `name` from NAME.yaml, changes its file by `change(path)`, and waits for the pod that it says then."""
    path = node.write(name + ".yaml", json.dumps(sleeper(name)))
    first = node.running(name)
    change(path)
    second = wait_for("replacement", lambda: (lambda c: c if c and c["id"] != first["id"] else None)(node.container(name, "running")))
    assert node.inspect(second)["info"]["config"]["command"] == ["sleep", "2000"]
    wait_for("end of the old one", lambda: len([p for p in node.pods() if p["metadata"]["name"].startswith(name + "-")]) == 1)


def by_sed(path):
    subprocess.run(["sed", "-i", "s/1000/2000/", path], check=True)


def by_slow_sed(path):
    """As sed saves, on a machine where the copy is seen before it is renamed."""
    copy = os.path.dirname(path) + "/aed4j02hI"
    with open(path) as f:
        text = f.read().replace("1000", "2000")
    with open(copy, "w") as f:
        f.write(text)
    time.sleep(0.1)
    os.rename(copy, path)


def by_vim(path):
    """As vim saves: a probe, a swap file, the old one away as a backup, the new one in its place."""
    top, name = os.path.split(path)
    with open(f"{top}/.{name}.swp", "wb") as swap, open(path) as f:
        swap.write(b"b0VIM 9.0")
        text = f.read().replace("1000", "2000")
        with open(top + "/4913", "w"):
            pass
        os.unlink(top + "/4913")
        os.rename(path, path + "~")
        with open(path, "w") as new:
            new.write(text)
        os.unlink(path + "~")
    os.unlink(f"{top}/.{name}.swp")


def by_emacs(path):
    """As emacs saves: a lock that is a dangling link, an autosave file, a backup, then over the old one."""
    top, name = os.path.split(path)
    os.symlink("user@host.1:2", f"{top}/.#{name}")
    with open(path) as f:
        text = f.read()
    for other in (f"{top}/#{name}#", path + "~"):
        with open(other, "w") as f:
            f.write(text)
    with open(path, "w") as f:
        f.write(text.replace("1000", "2000"))
    os.unlink(f"{top}/.#{name}")
    os.unlink(f"{top}/#{name}#")


def by_writing_slowly(path):
    """As nano and shells write: in place, in pieces."""
    with open(path) as f:
        text = f.read().replace("1000", "2000")
    with open(path, "w") as f:
        for i in range(0, len(text), 50):
            f.write(text[i:i + 50])
            f.flush()
            time.sleep(0.01)


def by_link(path):
    """As some tools do it: a new file linked into place."""
    with open(path) as f:
        text = f.read().replace("1000", "2000")
    with open(path + ".tmp", "w") as f:
        f.write(text)
    os.unlink(path)
    os.link(path + ".tmp", path)


@pytest.mark.parametrize("change", [by_sed, by_slow_sed, by_vim, by_emacs, by_writing_slowly, by_link])
def test_edits_of_all_kinds_replace_the_pod(node, change):
    errors = node.log().count(" error ")
    replaced(node, change.__name__[3:].replace("_", "-"), change)
    assert node.log().count(" error ") == errors, "no half of a file is read"


def test_config_mounts_swap_their_data(new_node, tmp_path):
    """A directory as kubelet mounts a ConfigMap: files are links into ..data, which is swapped."""
    top = tmp_path / "mount"
    for version, seconds in (("..1", "1000"), ("..2", "2000")):
        os.makedirs(top / version)
        with open(top / version / "p.yaml", "w") as f:
            json.dump(sleeper("p", seconds), f)
    node = new_node("--pod-manifest-path", str(top))
    os.symlink("..data/p.yaml", top / "p.yaml")
    os.symlink("..1", top / "..data")
    first = node.running("p")
    os.symlink("..2", top / "..data_tmp")
    os.rename(top / "..data_tmp", top / "..data")
    wait_for("replacement", lambda: (node.container("p", "running") or first)["id"] != first["id"])
    os.unlink(top / "p.yaml")
    wait_for("no pods", lambda: not node.pods())


def test_directory_removed_and_made_again(new_node, tmp_path):
    top = tmp_path / "manifests"
    os.mkdir(top)
    node = new_node("--pod-manifest-path", str(top))
    (top / "a.json").write_text(json.dumps(sleeper("a")))
    node.running("a")
    os.rename(top, tmp_path / "away")
    wait_for("no pods", lambda: not node.pods())
    os.mkdir(top)
    (top / "b.json").write_text(json.dumps(sleeper("b")))
    node.running("b")
    os.unlink(top / "b.json")
    wait_for("no pods", lambda: not node.pods())


def test_five_hundred_files_at_once(node):
    """All are read and each says its piece; those beyond --max-pods wait, nothing is lost."""
    for i in range(500):
        with open(f"{node.manifests}/f{i}.json", "w") as f:
            json.dump({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"f{i}"}, "spec": {"containers": [{"name": "c"}]}}, f)
    node.write("ok.yaml", sleeper("ok"))
    node.running("ok")
    wait_for("a message for each", lambda: all(f"/f{i}.json:1: spec.containers[0].image: Required value" in node.log() for i in range(500)))


def test_two_files_of_one_name(node):
    node.write("one.yaml", sleeper("same"))
    first = node.running("same")
    node.write("two.yaml", sleeper("same", "2000"))
    wait_for("message", lambda: "two.yaml: pod default/same-" in node.log() and "is wanted by one.yaml already; this file has no effect" in node.log())
    assert node.container("same", "running")["id"] == first["id"]
    node.write("a-copy.yaml", sleeper("same", "3000"))
    wait_for("message", lambda: "a-copy.yaml: pod default/same-" in node.log())
    assert node.container("same", "running")["id"] == first["id"], "the file that came first keeps its pod, however the others are called"
    node.remove("a-copy.yaml")
    node.remove("one.yaml")
    wait_for("the other's turn", lambda: (node.container("same", "running") or first)["id"] != first["id"])


def ours(node, name="same"):
    return [c["id"] for c in node.containers() if c["metadata"]["name"] == name and c["state"] == "CONTAINER_RUNNING"]


def stray(node, file, text, link=None):
    """A file that was put there without any care, or a link."""
    path = os.path.join(node.manifests, file)
    if link:
        link(os.path.join(node.manifests, text), path)
    else:
        with open(path, "w") as f:
            f.write(text)


@pytest.mark.parametrize("signal", [9, 15])
def test_the_pod_that_runs_stays(node, signal):
    """However its copies are called, whatever they say, and however often the agent starts."""
    node.write("b.yaml", sleeper("same"))
    first = node.running("same")["id"]
    other = json.dumps(sleeper("same", "2000"))
    stray(node, "a copy.yaml", json.dumps(sleeper("same")))
    stray(node, "a.txt", other)
    node.restart(signal)
    stray(node, "README", other)
    stray(node, "aa.yaml", "b.yaml", os.link)
    stray(node, "ab.yaml", "b.yaml", os.symlink)
    for file in ("a copy.yaml", "a.txt", "README", "aa.yaml", "ab.yaml"):
        wait_for("message", lambda: f"{file}: pod default/same-" in node.log())
    node.kill(signal)
    stray(node, "0.yaml", other)  # while nobody looks
    node.start()
    wait_for("message", lambda: "0.yaml: pod default/same-" in node.log())
    assert ours(node) == [first]
    node.kill(signal)  # an edit meanwhile is one: of this file, no other
    node.write("b.yaml", sleeper("same", "1234"))
    node.start()
    edited = wait_for("the edit", lambda: [c for c in ours(node) if c != first])
    assert node.exec({"id": edited[0]}, "cat", "/proc/1/cmdline").split("\0")[1] == "1234"
    os.rename(f"{node.manifests}/b.yaml", f"{node.manifests}/b.yaml~")  # as emacs and vim write
    time.sleep(0.05)
    stray(node, "b.yaml", json.dumps(sleeper("same", "1235")))
    again = wait_for("the next edit", lambda: [c for c in ours(node) if c != edited[0]])
    time.sleep(0.5)
    assert ours(node) == again
    assert not [line for line in node.log().splitlines() if "/b.yaml: pod default/same-" in line]


def test_one_uid_in_two_manifests(node):
    node.write("one.yaml", {**sleeper("first"), "metadata": {"name": "first", "uid": "one-and-the-same"}})
    first = node.running("first")["id"]
    node.write("another.yaml", {**sleeper("second"), "metadata": {"name": "second", "uid": "one-and-the-same"}})
    wait_for("message", lambda: "another.yaml: pod default/second-" in node.log() and "of one.yaml; this file has no effect" in node.log())
    node.restart()
    time.sleep(0.3)
    assert ours(node, "first") == [first] and not ours(node, "second")
    node.remove("one.yaml")
    wait_for("its turn", lambda: ours(node, "second") and not ours(node, "first"))


def test_name_uid_and_annotations_of_a_static_pod(node):
    """kubelet's rules: NAME-NODE; a UID that the manifest, the node and the file make, the same after a restart."""
    node.write("id.yaml", sleeper("id"))
    node.running("id")
    before = node.pods()[0]
    uid = before["metadata"]["uid"]
    assert before["metadata"]["name"] == f"id-{node.name}" and re.fullmatch("[0-9a-f]{32}", uid)
    notes = before["annotations"]
    assert notes["kubernetes.io/config.hash"] == uid and notes["kubernetes.io/config.source"] == "file"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", notes["kubernetes.io/config.seen"])
    node.restart()
    assert [p["metadata"]["uid"] for p in node.pods()] == [uid]
    node.remove("id.yaml")
    node.write("id2.yaml", sleeper("id"))
    wait_for("another UID", lambda: [p for p in node.pods() if p["metadata"]["uid"] != uid])


def test_an_edit_lets_the_old_pod_end_in_its_grace(node, tmp_path):
    slow = {"name": "slow", "command": ["sh", "-c", "trap 'sleep 1; echo over >> /s/log; exit 0' TERM; echo began >> /s/log; while :; do sleep 0.05; done"],
            "volumeMounts": [{"name": "s", "mountPath": "/s"}]}
    volume = [{"name": "s", "hostPath": {"path": str(tmp_path)}}]
    node.write("slow.yaml", pod("slow", slow, volumes=volume, terminationGracePeriodSeconds=20))
    wait_for("begin", lambda: (tmp_path / "log").exists() and (tmp_path / "log").read_text() == "began\n")
    node.write("slow.yaml", pod("slow", slow, volumes=volume, terminationGracePeriodSeconds=21))
    wait_for("replacement", lambda: (tmp_path / "log").read_text() == "began\nover\nbegan\n")
