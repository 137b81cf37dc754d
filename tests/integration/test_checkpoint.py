"""Checkpoint and restore: what criu is asked, what is made of its answers, and of criu missing or failing on this kernel.

Whether a container goes on after all of it, tests/vm/run shows with the real criu on a kernel that it knows.
"""
import errno
import io
import json
import os
import shutil
import tarfile
import threading

import pytest
from support.bundle import Bundle, bundle  # noqa: F401
from support.cri import Client
from support.node import Node, pod, wait_for

FAKE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "support/fake_criu.py")
COUNT = "echo up; while :; do sleep 0.05; done"


def environment(directory, mode="dump", **more):
    os.makedirs(directory, exist_ok=True)
    if not os.path.exists(directory + "/criu"):
        shutil.copy(FAKE, directory + "/criu")
    return {**os.environ, "PATH": f"{directory}:/usr/bin:/bin", "FAKE_CRIU": mode, **more}


class Checkpoints(Bundle):
    def criu(self, *args, mode="dump", **more):
        return self.call(*args, env=environment(self.dir + "/path", mode, **more))

    def begin(self, **config):
        os.makedirs(self.dir + "/source", exist_ok=True)
        self.configure("sh", "-c", COUNT, mounts=[{"destination": "/data", "type": "bind", "source": self.dir + "/source", "options": ["rbind"]}], **config)
        done = self.call("run", "--detach", "c")
        assert done.returncode == 0, done.stderr

    def request(self, directory="image"):
        with open(f"{self.dir}/{directory}/request.json") as f:
            return json.load(f)


@pytest.fixture
def checkpoints(bundle):  # noqa: F811
    bundle.__class__ = Checkpoints
    return bundle


def test_without_criu(checkpoints):
    checkpoints.begin()
    for verb in ("checkpoint", "restore"):
        done = checkpoints.call(verb, "--image-path", checkpoints.dir, "c", env={"PATH": "/nowhere"})
        assert done.returncode == 1 and "need the program criu, which is not installed (not in /nowhere)" in done.stderr
    assert checkpoints.state() == "running"


@pytest.mark.parametrize("args,says", [
    (["checkpoint", "--lazy-pages", "c"], "--lazy-pages: not supported"), (["checkpoint", "--pre-dump", "c"], "--pre-dump: not supported"),
    (["checkpoint", "--parent-path", "x", "c"], "--parent-path: not supported"), (["restore", "--no-pivot", "c"], "--no-pivot: not supported"),
    (["restore", "--empty-ns", "network", "c"], "--empty-ns: not supported"), (["checkpoint", "--manage-cgroups-mode", "all", "c"], 'mode "all"'),
    (["checkpoint", "--detach", "c"], "of restore only"), (["restore", "--leave-running", "c"], "of checkpoint only"),
    (["checkpoint"], "one container id"), (["checkpoint", "--nothing", "c"], "unknown option"), (["checkpoint", "../c"], "letters, digits"),
    (["checkpoint", "nothere"], "does not exist"), (["restore", "--bundle", "/nowhere", "c"], "bundle /nowhere"),
    (["restore", "--image-path", "/nowhere", "c"], "/nowhere"), (["restore", "--image-path", "rootfs", "c"], "no checkpoint that was made here"),
])
def test_refused(checkpoints, args, says):
    checkpoints.configure("true")
    done = checkpoints.criu(*args)
    assert done.returncode == 1 and says in done.stderr
    assert not os.path.exists(checkpoints.dir + "/state/c")


def test_help(checkpoints):
    """podman asks so whether a runtime has checkpoints."""
    for verb in ("checkpoint", "restore"):
        done = checkpoints.call(verb, "--help")
        assert done.returncode == 0 and "--image-path" in done.stdout


def test_only_what_runs(checkpoints):
    checkpoints.configure("sh", "-c", COUNT)
    assert checkpoints.call("create", "c").returncode == 0
    assert "is created: only one that runs" in checkpoints.criu("checkpoint", "c").stderr
    checkpoints.call("start", "c")
    checkpoints.call("pause", "c")
    assert "is paused: only one that runs" in checkpoints.criu("checkpoint", "c").stderr
    checkpoints.call("resume", "c")


@pytest.mark.parametrize("mode,says", [
    ("fail", "path/criu 3.99 could not checkpoint the container: Error (criu/vdso.c:1): too new a kernel; 12: Error (criu/cr.c:2): did not work"),
    ("silent", "path/criu could not checkpoint the container: the first error"), ("die", "ended with status 3 and wrote no log"),
    ("garbage", "not an answer of criu's"),
])
def test_failing(checkpoints, mode, says):
    checkpoints.begin()
    done = checkpoints.criu("checkpoint", "--image-path", "image", mode=mode)
    assert "one container id" in done.stderr
    done = checkpoints.criu("checkpoint", "--image-path", "image", "--work-path", "work", "c", mode=mode)
    assert done.returncode == 1 and says in done.stderr and "checkpoint of container c: " in done.stderr
    if mode == "fail":
        assert f"(its log: {checkpoints.dir}/work/dump.log)" in done.stderr
    assert checkpoints.state() == "running"


def test_no_program(checkpoints):
    checkpoints.begin()
    environment(checkpoints.dir + "/path")
    with open(checkpoints.dir + "/path/criu", "wb") as f:
        f.write(b"\x7fELF of another machine")
    done = checkpoints.criu("checkpoint", "c")
    assert done.returncode == 1 and f"start {checkpoints.dir}/path/criu: Exec format error" in done.stderr
    assert checkpoints.state() == "running"


def test_what_is_asked(checkpoints):
    checkpoints.begin()
    done = checkpoints.criu("checkpoint", "--image-path", "image", "--leave-running", "--tcp-established", "--shell-job", "--manage-cgroups-mode", "ignore", "c")
    assert done.returncode == 0, done.stderr
    request = checkpoints.request()
    assert request["pid"] == json.loads(checkpoints.call("state", "c").stdout)["pid"] and request["leave_running"] == 1
    assert request["flags"] == {"ext_unix_sk": 0, "tcp_established": 1, "shell_job": 1, "file_locks": 0} and request["cgroups"] == 0
    assert {"mnt[/data]:/data", "mnt[/proc/keys]:/proc/keys"} <= set(request["external"])
    assert not [e for e in request["external"] if e.startswith(("mnt[/dev", "mnt[/proc/sys", "mnt[/]", "mnt[/proc]"))], request["external"]
    # Its output is a file of ours, through a mount that it does not have.
    assert [e for e in request["external"] if e.startswith("file[")]
    assert checkpoints.state() == "running"


def test_ended_by_it(checkpoints):
    checkpoints.begin()
    done = checkpoints.criu("checkpoint", "c")
    assert done.returncode == 0, done.stderr
    assert os.path.exists(checkpoints.dir + "/checkpoint/inventory.img") and not os.path.exists(checkpoints.dir + "/state/c")


def dumped(checkpoints, **config):
    checkpoints.begin(**config)
    assert checkpoints.criu("checkpoint", "--image-path", "image", "c").returncode == 0


def test_restored(checkpoints):
    dumped(checkpoints)
    done = checkpoints.criu("restore", "--detach", "--pid-file", "pid", "--image-path", "image", "--work-path", "work", "c", mode="restore",
                            FAKE_COMMAND="trap 'exit 0' TERM; while :; do sleep 0.05; done")
    assert done.returncode == 0, done.stderr
    request, state = checkpoints.request("work"), json.loads(checkpoints.call("state", "c").stdout)
    with open(checkpoints.dir + "/pid") as f:
        assert int(f.read()) == state["pid"]
    assert state["status"] == "running" and state["bundle"] == checkpoints.dir
    assert {f"mnt[/data]:{checkpoints.dir}/source", "mnt[/proc/keys]:/dev/null"} <= set(request["external"])
    assert f"/{os.path.basename(checkpoints.dir)}" in request["cgroup"] and request["cgroup_roots"]
    assert checkpoints.dir + "/out" in request["inherited"].values()
    assert checkpoints.criu("restore", "--image-path", "image", "c", mode="restore", FAKE_COMMAND="true").returncode == 1
    assert checkpoints.state() == "running" and not os.path.exists(checkpoints.dir + "/state/.c")
    checkpoints.call("kill", "c", "KILL")
    wait_for("its end", lambda: checkpoints.state() == "stopped")
    assert checkpoints.call("delete", "c").returncode == 0


def test_masks_of_an_agents_container(checkpoints):
    """Those of its shim come from outside, also the empty directory over one: what it is given in its place is one too."""
    dumped(checkpoints)
    with open(checkpoints.dir + "/image/nacelle.json") as f:
        externals = json.load(f)
    externals["mounts"] += ["/proc/bus"]
    with open(checkpoints.dir + "/image/nacelle.json", "w") as f:
        json.dump(externals, f)
    with open(checkpoints.dir + "/config.json") as f:
        config = json.load(f)
    config["linux"]["maskedPaths"] = ["/proc/keys", "/proc/bus"]
    with open(checkpoints.dir + "/config.json", "w") as f:
        json.dump(config, f)
    done = checkpoints.criu("restore", "--image-path", "image", "--work-path", "work", "c", mode="restore", FAKE_WAITS="1",
                            FAKE_COMMAND=f"ls -A {checkpoints.dir}/state/.c/empty; touch {checkpoints.dir}/state/.c/empty/x")
    assert done.returncode == 1 and done.stdout == "" and "Read-only file system" in done.stderr, done
    assert {"mnt[/proc/keys]:/dev/null", f"mnt[/proc/bus]:{checkpoints.dir}/state/.c/empty"} <= set(checkpoints.request("work")["external"])
    assert not os.path.exists(checkpoints.dir + "/state/.c")


def test_exit_code(checkpoints):
    """In the foreground: the program's status, its output ours, and nothing is left."""
    dumped(checkpoints)
    done = checkpoints.criu("restore", "--image-path", "image", "c", mode="restore", FAKE_COMMAND="echo restored; exit 7")
    assert (done.returncode, done.stdout) == (7, "restored\n")
    assert not os.path.exists(checkpoints.dir + "/state/c")


def test_not_restored(checkpoints):
    dumped(checkpoints)
    done = checkpoints.criu("restore", "--image-path", "image", "c", mode="fail")
    assert done.returncode == 1 and "restore of container c: " in done.stderr and "could not restore the container: Error" in done.stderr
    assert not os.path.exists(checkpoints.dir + "/state/c")
    checkpoints.configure("sh", "-c", COUNT)
    done = checkpoints.criu("restore", "--image-path", "image", "c", mode="restore", FAKE_COMMAND="true")
    assert done.returncode == 1 and "a mount at /data, for which the bundle's configuration has no source" in done.stderr
    assert not os.listdir(checkpoints.dir + "/state")


def test_hooks(checkpoints):
    """Those of the runtime's namespaces are run when the processes are there; one that fails ends it."""
    hook = {"path": "/bin/sh", "args": ["sh", "-c", f"cat >>{checkpoints.dir}/hook"]}
    dumped(checkpoints, hooks={"createRuntime": [hook]})
    os.unlink(checkpoints.dir + "/hook")
    done = checkpoints.criu("restore", "--image-path", "image", "c", mode="restore", FAKE_COMMAND="exit 0")
    assert done.returncode == 0, done.stderr
    with open(checkpoints.dir + "/hook") as f:
        assert '"status": "creating"' in f.read()
    checkpoints.configure("sh", "-c", COUNT, hooks={"createRuntime": [{"path": "/bin/false"}]},
                          mounts=[{"destination": "/data", "type": "bind", "source": checkpoints.dir + "/source", "options": ["rbind"]}])
    done = checkpoints.criu("restore", "--image-path", "image", "c", mode="restore", FAKE_COMMAND="sleep 100")
    assert done.returncode == 1 and "createRuntime hook /bin/false" in done.stderr
    assert not os.path.exists(checkpoints.dir + "/state/c")


@pytest.mark.skipif(not shutil.which("criu"), reason="criu is not installed")
def test_real_criu(checkpoints):
    """On this kernel, as far as it goes: a checkpoint, or why there can be none."""
    checkpoints.begin()
    done = checkpoints.call("checkpoint", "--image-path", "image", "--leave-running", "c")
    if done.returncode == 0:
        assert os.path.exists(checkpoints.dir + "/image/inventory.img")
    else:
        assert "could not checkpoint the container: Error (" in done.stderr and "criu 3." in done.stderr and "its log: " in done.stderr
    assert checkpoints.state() == "running"


# ---- CheckpointContainer ----

CHANGES = "echo changed >/changed; rm /bin/yes; rm -rf /var; mkdir /var; echo new >/var/new; ln -s changed /link; truncate -s 8M /sparse; echo end >>/sparse; "


class Target:
    """An agent that finds the fake criu, and a container of its own that every checkpoint is to leave running."""

    def __init__(self, directory, archive):
        self.path = directory
        environment(directory)
        self.node = Node(env={"PATH": directory}).start()
        self.node.nacelle("import", archive)
        self.node.write("p.json", pod("p", CHANGES + COUNT))
        self.id = self.node.running("main")["id"]
        wait_for("its output", lambda: "up" in self.node.crictl("logs", self.id))
        self.client = Client(self.node.socket)

    def code(self, location, mode="dump", **fields):
        with open(self.path + "/mode", "w") as f:
            f.write(mode)
        return self.client.code("CheckpointContainer", **{"container_id": self.id, "location": location, **fields})


@pytest.fixture(scope="module")
def running(tmp_path_factory, busybox_archive):
    t = Target(str(tmp_path_factory.mktemp("path")), busybox_archive)
    yield t
    t.client.close()
    t.node.stop()


@pytest.fixture
def target(running):
    yield running
    assert running.node.running("main")["id"] == running.id
    assert not os.path.exists(f"{running.node.root}/containers/{running.id}/checkpoint")


@pytest.fixture
def location(tmp_path):
    return str(tmp_path / "archive.tar")


def test_archive(target, location):
    node, container = target.node, target.id
    with open(location + ".part", "w") as f:
        f.write("of one that was cut off")
    assert target.code(location, timeout=50) == ("OK", "")
    assert os.stat(location).st_mode & 0o777 == 0o600 and os.listdir(os.path.dirname(location)) == ["archive.tar"]
    with tarfile.open(location) as tar:
        names = tar.getnames()
        for name in ("checkpoint/inventory.img", "checkpoint/pages-1.img", "dump.log", "config.dump", "spec.dump", "container.log", "rootfs-diff.tar"):
            assert name in names
        config, spec, request = (json.load(tar.extractfile(n)) for n in ("config.dump", "spec.dump", "checkpoint/request.json"))
        assert b"up" in tar.extractfile("container.log").read()
        diff = tar.extractfile("rootfs-diff.tar").read()
    assert (config["id"], config["name"], config["rootfsImageName"]) == (container, "main", "localhost/busybox:test")
    assert spec["process"]["args"][0] == "sh" and spec["annotations"]["io.kubernetes.cri.sandbox-name"].startswith("p")
    assert request["leave_running"] == 1 and request["timeout"] == 50
    pid = node.inspect(container)["info"]["pid"]
    assert request["pid"] == pid and f"net[{os.stat(f'/proc/{pid}/ns/net').st_ino}]:extRootNetNS" in request["external"]
    assert {"mnt[/etc/hosts]:/etc/hosts", "mnt[/proc/keys]:/proc/keys"} <= set(request["external"]), request["external"]
    assert len([e for e in request["external"] if e.startswith("file[")]) >= 2
    with tarfile.open(fileobj=io.BytesIO(diff)) as layer:
        members = {m.name: m for m in layer.getmembers()}
        assert layer.extractfile("changed").read() == b"changed\n" and members["link"].linkname == "changed"
        assert members["bin/.wh.yes"].isreg() and "var/.wh..wh..opq" in members
        sparse = layer.extractfile("sparse").read()
    assert len(diff) < 4 << 20 and len(sparse) == (8 << 20) + 4 and sparse.endswith(b"end\n") and not sparse[:-4].strip(b"\0")


def test_streams_can_be_opened_anew(target):
    """By their links in /proc with the flags that they have, as criu does in a restore."""
    pid = target.node.inspect(target.id)["info"]["pid"]
    for fd in range(3):
        with open(f"/proc/{pid}/fdinfo/{fd}") as f:
            flags = int(dict(line.split(":", 1) for line in f.read().splitlines())["flags"], 8)
        os.close(os.open(f"/proc/{pid}/fd/{fd}", flags))


@pytest.mark.parametrize("mode,code,says", [
    ("fail", "FAILED_PRECONDITION", "criu 3.99 could not checkpoint the container: Error (criu/vdso.c:1): too new a kernel"),
    ("die", "FAILED_PRECONDITION", "ended with status 3"), ("garbage", "DATA_LOSS", "not an answer of criu's"),
])
def test_without_archive(target, location, mode, code, says):
    got, text = target.code(location, mode)
    assert got == code and says in text and target.id in text
    assert not os.listdir(os.path.dirname(location))
    if mode == "fail":
        log = text.split("(its log: ")[1].rstrip(")")
        with open(log) as f:
            assert "Running" in f.read()


def test_node_without_criu(target, location):
    os.rename(target.path + "/criu", target.path + "/gone")
    try:
        got, text = target.code(location)
    finally:
        os.rename(target.path + "/gone", target.path + "/criu")
    assert got == "UNIMPLEMENTED" and "need the program criu, which is not installed" in text


def test_timeout(target, location):
    """criu is not killed in the middle of it where it can be made to give up by itself."""
    for mode in ("slow", "hang"):
        got, text = target.code(location, mode, timeout=1)
        assert got == "DEADLINE_EXCEEDED" and "did not end within 1 s" in text
    assert os.path.exists(f"{target.path}/gave-up-{errno.EFBIG}")


def test_agent_dies(target, location):
    """What it left behind is in nobody's way, and gone with the next checkpoint."""
    staging = f"{target.node.root}/containers/{target.id}/checkpoint"
    call = threading.Thread(target=target.code, args=(location, "slow"))
    call.start()
    wait_for("criu at work", lambda: os.path.exists(staging + "/checkpoint/pages-1.img"))
    target.node.restart()
    call.join()
    assert os.path.exists(staging) and not os.listdir(os.path.dirname(location))
    assert target.code(location) == ("OK", "")


def test_bad_requests(target, location):
    for fields, code in (({"location": ""}, "INVALID_ARGUMENT"), ({"location": "x.tar"}, "INVALID_ARGUMENT"), ({"timeout": -1}, "INVALID_ARGUMENT"),
                         ({"location": "/nowhere/x.tar"}, "NOT_FOUND"), ({"location": os.path.dirname(location)}, "UNKNOWN")):
        got, text = target.code(**{"location": location, **fields})
        assert got == code, (fields, got, text)
    assert not os.listdir(os.path.dirname(location))


def test_command(target, location):
    target.code("")  # sets the mode
    target.node.nacelle("checkpoint", "--export", location, target.id)
    assert os.path.exists(location)
    assert "--export" in target.node.nacelle("checkpoint", target.id, check=False).stderr


def test_of_one_that_ended(target, location):
    target.node.write("e.json", pod("e", {"name": "short", "command": ["true"]}, restartPolicy="Never"))
    got, text = target.code(location, container_id=target.node.exited("short")["id"])
    target.node.remove("e.json")
    assert got == "FAILED_PRECONDITION" and "is not running" in text
