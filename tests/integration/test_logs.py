"""Container logs: the CRI format, partial lines, rotation without a lost line, reading."""
import glob
import json
import os
import re
import subprocess
import time

from support.leaks import log_links
from support.node import BUILD, pod, wait_for

CONFIG = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\ncontainerLogMaxSize: 64Ki\ncontainerLogMaxFiles: 5\n"


def test_format_and_streams(node):
    node.write("l.yaml", pod("l", "echo out; echo err >&2; printf unfinished; sleep 1000"))
    c = node.running("main")
    path = node.inspect(c)["status"]["logPath"]
    assert re.fullmatch(re.escape(node.logs) + rf"/default_l-{node.name}_[0-9a-f-]+/main/0\.log", path)
    lines = wait_for("lines", lambda: (lambda t: t if len(t) >= 2 else None)(open(path).read().splitlines()))
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(Z|[+-]\d\d:\d\d)"
    assert sorted(re.fullmatch(stamp + " (std(?:out|err) F .*)", line).group(2) for line in lines[:2]) == ["stderr F err", "stdout F out"]
    assert "out" in node.crictl("logs", c["id"]) and "out" in node.nacelle("logs", c["id"])


def test_partial_lines(node):
    node.write("p.yaml", pod("p", "head -c 50000 /dev/zero | tr '\\0' x; echo; sleep 1000"))
    c = node.running("main")
    wait_for("line", lambda: node.crictl("logs", c["id"]) == "x" * 50000 + "\n")
    tags = [line.split(" ", 3)[2] for line in open(node.inspect(c)["status"]["logPath"])]
    assert tags[-1] == "F" and set(tags[:-1]) == {"P"}


def test_rotation_loses_nothing(new_node):
    node = new_node(config=CONFIG)
    node.write("r.yaml", pod("r", "seq 4000 | sed 's/.*/line & of the log that is to be rotated/'; sleep 1000"))
    c = node.running("main")
    path = node.inspect(c)["status"]["logPath"]
    wait_for("end of the log", lambda: "line 4000 " in node.nacelle("logs", c["id"]))
    files = glob.glob(path + "*")
    assert 3 <= len(files) <= 5
    numbers = [int(m) for m in re.findall(r"line (\d+) ", node.nacelle("logs", c["id"]))]
    assert numbers == list(range(numbers[0], 4001))


def test_follow_through_fast_rotation(new_node):
    """Two hundred files of 100 KiB, of which the limits keep two, written as fast as it goes while somebody follows."""
    node = new_node(config=CONFIG.replace("64Ki", "100Ki").replace("Files: 5", "Files: 2"))
    node.write("q.yaml", pod("q", "until [ -e /tmp/go ]; do sleep 0.1; done; seq 400000; sleep 1000"))
    c = node.running("main")
    follow = subprocess.Popen([BUILD + "/nacelle", "-r", "unix://" + node.socket, "logs", "-f", c["id"]], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
    time.sleep(0.3)
    node.exec(c, "touch", "/tmp/go")
    for i, line in enumerate(follow.stdout, 1):
        assert line == f"{i}\n"
        if i == 400000:
            break
    follow.terminate()
    assert follow.communicate()[1] == ""


def test_a_kubelet_above_rotates(new_node):
    """With --runtime-only the log is the caller's: nothing is rotated before ReopenContainerLog, whatever the configuration says."""
    node = new_node("--runtime-only", config=CONFIG)
    spec = {"metadata": {"name": "r", "namespace": "default", "uid": "u1"}, "log_directory": node.dir + "/cri", "linux": {}}
    container = {"metadata": {"name": "main"}, "image": {"image": "localhost/busybox:test"}, "log_path": "main.log", "linux": {},
                 "command": ["sh", "-c", "seq 40000; sleep 1000"]}
    for name, value in (("pod", spec), ("container", container)):
        with open(f"{node.dir}/{name}.json", "w") as f:
            json.dump(value, f)
    sandbox = node.crictl("runp", node.dir + "/pod.json").strip()
    c = node.crictl("create", sandbox, node.dir + "/container.json", node.dir + "/pod.json").strip()
    node.crictl("start", c)
    path = node.dir + "/cri/main.log"
    wait_for("output", lambda: node.nacelle("logs", "--tail", "1", c) == "40000\n")
    assert os.path.getsize(path) > 1500000 and glob.glob(path + "*") == [path]
    os.rename(path, path + ".20261121-104700")
    node.nacelle("logs", "-r", c)
    assert os.path.exists(path)
    assert node.nacelle("logs", c) == "".join(f"{i}\n" for i in range(1, 40001))
    node.crictl("rmp", "-f", sandbox)


def test_links_where_kubelet_makes_them(node):
    """POD_NAMESPACE_CONTAINER-ID.log, made with the start and removed with the container: of a container that restarts, the one
    that runs and the one before it have a link and a log."""
    node.write("k.yaml", pod("k", "until [ -e /tmp/end ]; do sleep 0.1; done; exit 1", {"name": "side", "command": ["sleep", "1000"]},
                             metadata={"namespace": "other"}))
    main, side = node.running("main"), node.running("side")

    def link(c):
        return f"k-{node.name}_other_{c['metadata']['name']}-{c['id']}.log", node.inspect(c)["status"]["logPath"]
    wait_for("links", lambda: log_links(node) == dict([link(main), link(side)]))
    log = link(main)[1]
    for attempt in (1, 2):
        node.exec(node.running("main"), "touch", "/tmp/end")
        wait_for("restart", lambda: node.container("main", "running", attempt=attempt), timeout=40)
    main = [c for c in node.containers() if c["metadata"]["name"] == "main"]
    assert sorted(c["metadata"]["attempt"] for c in main) == [1, 2]
    wait_for("links of two attempts", lambda: log_links(node) == dict([link(side), *map(link, main)]))
    assert sorted(os.listdir(os.path.dirname(log))) == ["1.log", "2.log"]
    dead = f"/var/log/containers/dead-{node.name}.log"
    os.symlink(node.logs + "/nowhere/0.log", dead)
    node.restart()
    assert not os.path.lexists(dead) and log_links(node) == dict([link(side), *map(link, main)])
    node.remove("k.yaml")
    wait_for("no link", lambda: not log_links(node))


def test_tail_since_timestamps_previous(node):
    node.write("t.yaml", pod("t", "echo attempt; seq 1 20; sleep 1; exit 1"))
    wait_for("second attempt", lambda: node.container("main", attempt=1))
    c = node.running("main", attempt=1)
    wait_for("log", lambda: "20" in node.nacelle("logs", c["id"]))
    assert node.nacelle("logs", "--tail", "2", c["id"]) == "19\n20\n"
    assert re.match(r"\d{4}-\d\d-\d\dT", node.nacelle("logs", "--timestamps", "--tail", "1", c["id"]))
    assert node.nacelle("logs", "--since", "1h", "--tail", "1", c["id"]) == "20\n"
    assert node.nacelle("logs", "--previous", c["id"]).startswith("attempt")


def test_follow_ends_with_the_container(node):
    node.write("f.yaml", pod("f", "for i in 1 2 3; do echo $i; sleep 0.3; done", restartPolicy="Never"))
    c = wait_for("container", lambda: node.container("main"))
    begin = time.monotonic()
    assert node.nacelle("logs", "-f", c["id"]) == "1\n2\n3\n"
    assert time.monotonic() - begin < 10
