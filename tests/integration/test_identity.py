"""Who a process is: ids as numbers and names, from manifests, images and the socket, whatever the image's passwd and group say."""
import json
import os
import resource

import oci
import pytest

from support.node import pod, wait_for

# To each number that is used here passwd and group have an entry of that name that is root's.
NUMBERS = ("1000", "+1000", "2000", "-1", "4294967295", "99999999999999999999")
PASSWD = "".join(f"{n}:x:0:0::/:/bin/sh\n" for n in NUMBERS) + "root:x:0:0::/root:/bin/sh\nweb:x:1001:1002::/home/web:/bin/sh\n"
GROUP = "".join(f"{n}:x:0:\n" for n in NUMBERS) + "root:x:0:1000\nweb:x:1002:\nstaff:x:50:web\n"


def image(node, tmp_path, user):
    name = f"localhost/hostile-{abs(hash(user))}:test"
    layer = oci.Layer().directory("etc").file("etc/passwd", PASSWD).file("etc/group", GROUP)
    oci.Image([oci.busybox_layer(), layer.tar()], Cmd=["sleep", "1000"], User=user).write_docker_archive(str(tmp_path / "i.tar"), name)
    node.nacelle("import", str(tmp_path / "i.tar"))
    return name


def identity(node, container):
    """(uid, gid, groups, effective capabilities) of the first process, as the kernel has them."""
    with open(f"/proc/{node.inspect(container)['info']['pid']}/status") as f:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in f)
    return (*(int(status[k].split()[1]) for k in ("Uid", "Gid")), sorted(map(int, status["Groups"].split())), status["CapEff"])


def waiting(node, name):
    return ((node.status(name).get("containerStatuses") or [{}])[0].get("state") or {}).get("waiting") or {}


@pytest.mark.parametrize("user,security,who", [
    ("", {"runAsUser": 1000, "runAsNonRoot": True}, (1000, 0)),
    ("", {"runAsUser": 1000, "runAsGroup": 2000, "runAsNonRoot": True}, (1000, 2000)),
    ("1000", {"runAsNonRoot": True}, (1000, 0)),
    ("+1000", {"runAsNonRoot": True}, (1000, 0)),
    ("1000:2000", {"runAsNonRoot": True}, (1000, 0)),
    ("web", {}, (1001, 1002)),
    ("web:staff", {}, (1001, 1002)),  # kubelet passes on the user alone
    ("4294967294", {"runAsNonRoot": True}, (4294967294, 0)),
])
def test_manifest(node, tmp_path, user, security, who):
    node.write("m.yaml", pod("m", {"image": image(node, tmp_path, user), "securityContext": security}))
    uid, gid, groups, effective = identity(node, node.running("main"))
    assert (uid, gid) == who and effective == "0" * 16 and 0 not in set(groups) - {gid}


@pytest.mark.parametrize("user,security,reason,says", [
    ("-1", {}, "CreateContainerError", "user -1 is no id"),
    ("-1", {"runAsNonRoot": True}, "CreateContainerError", "user -1 is no id"),
    ("4294967295", {}, "CreateContainerError", "user 4294967295 is no id"),
    ("99999999999999999999", {}, "CreateContainerError", "is no id"),
    ("-0", {"runAsNonRoot": True}, "CreateContainerConfigError", "image will run as root"),
    ("root", {"runAsNonRoot": True}, "CreateContainerConfigError", "non-numeric user (root)"),
    ("1000x", {"runAsNonRoot": True}, "CreateContainerConfigError", "non-numeric user (1000x)"),
    ("1000x", {}, "CreateContainerError", "unable to find user 1000x"),
])
def test_manifest_refused(node, tmp_path, user, security, reason, says):
    node.write("r.yaml", pod("r", {"image": image(node, tmp_path, user), "securityContext": security}))
    wait_for(reason, lambda: waiting(node, "r").get("reason") == reason)
    assert says in waiting(node, "r")["message"]
    assert not node.container("main", "running")


def test_socket(node, tmp_path):
    """The same by CRI itself, where no kubelet has looked before: what an image's USER is, and every form of the request."""
    def create(user, **security):
        name = tmp_path / "c.json"
        name.write_text(json.dumps({"metadata": {"name": f"c{len(made)}"}, "image": {"image": image(node, tmp_path, user)},
                                    "command": ["sleep", "1000"], "linux": {"security_context": security}}))
        made.append(user)
        return node.crictl("create", sandbox, str(name), str(tmp_path / "pod.json"), check=False)

    made = []
    (tmp_path / "pod.json").write_text(json.dumps({"metadata": {"name": "s", "namespace": "test", "uid": "u"}, "linux": {}}))
    sandbox = node.crictl("runp", str(tmp_path / "pod.json")).strip()
    number = lambda n: {"value": n}  # noqa: E731
    for user, security, who in [
        ("1000:2000", {}, (1000, 2000, [2000])),
        ("web:2000", {}, (1001, 2000, [50, 2000])),
        ("", {"run_as_user": number(1000), "run_as_group": number(2000)}, (1000, 2000, [2000])),
        ("", {"run_as_username": "1000"}, (1000, 0, [0])),
        ("", {"run_as_username": "web", "supplemental_groups": [4294967294]}, (1001, 1002, [50, 1002, 4294967294])),
    ]:
        done = create(user, **security)
        assert done.returncode == 0, done.stderr
        node.crictl("start", done.stdout.strip())
        assert identity(node, done.stdout.strip()) == (*who, "0" * 16)
    for user, security, says in [
        ("-1", {}, "user -1 is no id"), ("1000:-1", {}, "group -1 is no id"), ("4294967295", {}, "is no id"),
        ("1000:", {}, "USER or USER:GROUP is expected"), (":1000", {}, "USER or USER:GROUP is expected"),
        ("1000:1000:1000", {}, "USER or USER:GROUP is expected"),
        ("", {"run_as_user": number(-1)}, "user -1 is no id"), ("", {"run_as_user": number(4294967295)}, "is no id"),
        ("", {"run_as_user": number(1), "run_as_group": number(-1)}, "group -1 is no id"),
        ("", {"run_as_username": "-1"}, "user -1 is no id"),
        ("", {"supplemental_groups": [-1]}, "supplemental group -1 is no id"),
        ("", {"supplemental_groups": [4294967295]}, "is no id"),
    ]:
        done = create(user, **security)
        assert done.returncode != 0 and says in done.stderr, (user, security, done.stderr)
    for security in ({"run_as_user": number(-1)}, {"run_as_group": number(4294967295)}, {"supplemental_groups": [-1]}):
        (tmp_path / "bad.json").write_text(json.dumps({"metadata": {"name": "b", "namespace": "test", "uid": "b"},
                                                       "linux": {"security_context": security}}))
        done = node.crictl("runp", str(tmp_path / "bad.json"), check=False)
        assert done.returncode != 0 and "is no id" in done.stderr


STREAMS = "echo out > /dev/stdout && echo err > /dev/stderr && echo again > /proc/self/fd/1"


@pytest.mark.parametrize("spec", [{}, {"hostUsers": False}], ids=["host users", "user namespace"])
def test_a_user_opens_its_own_streams(node, tmp_path, spec):
    """What /dev/stdout and its like lead to belongs to the process's user: its own, exec's, probes', hooks'."""
    probe = {"exec": {"command": ["sh", "-c", STREAMS]}, "periodSeconds": 1}
    node.write("s.yaml", pod("s", {"command": ["sh", "-c", f"{STREAMS}; sleep 1000"], "readinessProbe": probe,
                                   "lifecycle": {"postStart": {"exec": {"command": ["sh", "-c", f"{STREAMS} && touch /tmp/hook"]}}},
                                   "securityContext": {"runAsUser": 1000, "runAsGroup": 2000, "capabilities": {"drop": ["ALL"]}}}, **spec))
    c = node.running("main")
    wait_for("readiness", lambda: (node.status("s").get("containerStatuses") or [{}])[0].get("ready"))
    wait_for("hook", lambda: node.exec(c, "ls", "/tmp/hook", check=False).returncode == 0)
    wait_for("output", lambda: node.crictl("logs", c["id"]).count("again") == 1)
    done = node.crictl("exec", "-s", c["id"], "sh", "-c", STREAMS, check=False)
    assert done.returncode == 0 and sorted(done.stdout.split()) == ["again", "err", "out"], done.stderr
    done = node.crictl("exec", c["id"], "sh", "-c", STREAMS, check=False)
    assert done.returncode == 0 and done.stdout.split() == ["out", "again"], done.stderr
    done = node.crictl("exec", "-i", c["id"], "sh", "-c", "cat /dev/stdin > /dev/stdout", check=False, input="through\n")
    assert done.stdout == "through\n", done.stderr


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def env_image(node, tmp_path, name, env):
    oci.Image([oci.busybox_layer()], Cmd=["sleep", "1000"], Env=env).write_docker_archive(str(tmp_path / "e.tar"), name)
    node.nacelle("import", str(tmp_path / "e.tar"))
    return name


def test_an_image_with_very_many_variables(node, tmp_path):
    """100,000 variables, then each a second time: the later ones count, and it takes no more time than reading them."""
    many = [f"V{i}=a" for i in range(100000)]
    name = env_image(node, tmp_path, "localhost/many:test", ["PATH=/bin"] + many + [v + "b" for v in many])
    before = cpu_seconds(node.process.pid)
    node.write("e.yaml", pod("e", {"image": name, "command": ["sleep", "1000"], "env": [{"name": "V5", "value": "mine"}]}))
    c = node.running("main")
    with open(f"/proc/{node.inspect(c)['info']['pid']}/environ") as f:
        seen = f.read().split("\0")
    assert len([v for v in seen if v.startswith("V")]) == 100000
    assert "V99999=ab" in seen and "V5=mine" in seen
    assert node.exec(c, "sh", "-c", "echo $V99999 $V5").split() == ["ab", "mine"]
    assert cpu_seconds(node.process.pid) - before < 4


def test_more_than_a_program_can_be_given(node, tmp_path):
    """Just below the kernel's own maximum it runs; past it the container says what is too large, and nothing is left."""
    most = max(min(resource.prlimit(node.process.pid, resource.RLIMIT_STACK)[0] // 4, 6 << 20), 128 << 10)
    piece = 50000
    for size, says in ((most - 4096, None), (most, f"a program can be given {most} bytes (ARG_MAX)")):
        name = env_image(node, tmp_path, "localhost/large:test", ["PATH=/bin"] + [f"V{i:08}={'x' * (piece - 19)}" for i in range(size // piece)] +
                         [f"W={'x' * (size % piece)}"])
        node.write("l.yaml", pod("l", {"image": name, "command": ["sleep", "1000"]}))
        if not says:
            node.running("main")
        else:
            wait_for("refusal", lambda: waiting(node, "l").get("reason") == "CreateContainerError")
            assert says in waiting(node, "l")["message"]
        node.remove("l.yaml")
        wait_for("end", lambda: not node.pods())
    name = env_image(node, tmp_path, "localhost/long:test", ["PATH=/bin", f"LONG={'x' * (128 << 10)}"])
    node.write("l.yaml", pod("l", {"image": name, "command": ["sleep", "1000"]}))
    wait_for("refusal", lambda: waiting(node, "l").get("reason") == "CreateContainerError")
    assert "environment: LONG: 131077 bytes; a program can be given 131071" in waiting(node, "l")["message"]
