"""Requests that are wrong, or come at the wrong time, with the codes they are answered with beside containerd's."""
import pytest

from support.cri import Client, api
from support.node import Node

# What: (nacelle's code, the one of containerd 1.6.20, measured). Where containerd says UNKNOWN, which it does for most
# errors of its own, the code that names the cause is given. StopPodSandbox and StopContainer of an unknown id are as in
# containerd 2: stopping what is gone is done already.
CODES = {
    "PodSandboxStatus of an unknown id": ("NOT_FOUND", "NOT_FOUND"),
    "StopPodSandbox of an unknown id": ("OK", "NOT_FOUND"),
    "RemovePodSandbox of an unknown id": ("OK", "OK"),
    "StartContainer of an unknown id": ("NOT_FOUND", "NOT_FOUND"),
    "StopContainer of an unknown id": ("OK", "NOT_FOUND"),
    "RemoveContainer of an unknown id": ("OK", "OK"),
    "ContainerStatus of an unknown id": ("NOT_FOUND", "NOT_FOUND"),
    "UpdateContainerResources of an unknown id": ("NOT_FOUND", "NOT_FOUND"),
    "ReopenContainerLog of an unknown id": ("NOT_FOUND", "NOT_FOUND"),
    "ExecSync of an unknown id": ("NOT_FOUND", "NOT_FOUND"),
    "Exec of an unknown id": ("NOT_FOUND", "NOT_FOUND"),
    "Attach of an unknown id": ("NOT_FOUND", "NOT_FOUND"),
    "PortForward of an unknown id": ("NOT_FOUND", "NOT_FOUND"),
    "ContainerStats of an unknown id": ("NOT_FOUND", "NOT_FOUND"),
    "PodSandboxStats of an unknown id": ("NOT_FOUND", "NOT_FOUND"),
    "RemoveImage of an unknown id": ("OK", "OK"),
    "ImageStatus of an unknown id": ("OK", "OK"),
    "CreateContainer of an unknown id": ("NOT_FOUND", "NOT_FOUND"),
    "PodSandboxStatus of an empty id": ("INVALID_ARGUMENT", "UNKNOWN"),
    "StopPodSandbox of an empty id": ("INVALID_ARGUMENT", "UNKNOWN"),
    "RemovePodSandbox of an empty id": ("INVALID_ARGUMENT", "UNKNOWN"),
    "StartContainer of an empty id": ("INVALID_ARGUMENT", "UNKNOWN"),
    "StopContainer of an empty id": ("INVALID_ARGUMENT", "UNKNOWN"),
    "RemoveContainer of an empty id": ("INVALID_ARGUMENT", "UNKNOWN"),
    "ContainerStatus of an empty id": ("INVALID_ARGUMENT", "UNKNOWN"),
    "RunPodSandbox without metadata": ("INVALID_ARGUMENT", "UNKNOWN"),
    "RunPodSandbox without config": ("INVALID_ARGUMENT", "UNKNOWN"),
    "RunPodSandbox with an unknown handler": ("INVALID_ARGUMENT", "UNKNOWN"),
    "PullImage of a malformed name": ("INVALID_ARGUMENT", "UNKNOWN"),
    "PullImage of an empty name": ("INVALID_ARGUMENT", "UNKNOWN"),
    "RemoveImage of a malformed name": ("INVALID_ARGUMENT", "OK"),
    "ImageStatus of a malformed name": ("INVALID_ARGUMENT", "OK"),
    "ImageStatus of an empty name": ("INVALID_ARGUMENT", "UNKNOWN"),
    "RunPodSandbox of a name in use": ("ALREADY_EXISTS", "UNKNOWN"),
    "CreateContainer without config": ("INVALID_ARGUMENT", "UNKNOWN"),
    "CreateContainer without metadata": ("INVALID_ARGUMENT", "UNKNOWN"),
    "CreateContainer of an unknown image": ("NOT_FOUND", "NOT_FOUND"),
    "CreateContainer with a malformed image": ("INVALID_ARGUMENT", "NOT_FOUND"),
    "CreateContainer of a name in use": ("ALREADY_EXISTS", "UNKNOWN"),
    "ExecSync in a created container": ("INVALID_ARGUMENT", "UNKNOWN"),
    "Exec in a created container": ("INVALID_ARGUMENT", "UNKNOWN"),
    "Attach to a created container": ("INVALID_ARGUMENT", "UNKNOWN"),
    "ReopenContainerLog of a created container": ("INVALID_ARGUMENT", "UNKNOWN"),
    "ContainerStats of a created container": ("OK", "UNKNOWN"),
    "StartContainer": ("OK", "OK"),
    "StartContainer a second time": ("INVALID_ARGUMENT", "UNKNOWN"),
    "ExecSync of no command": ("INVALID_ARGUMENT", "UNKNOWN"),
    "ExecSync of an unknown command": ("NOT_FOUND", "UNKNOWN"),
    "ExecSync past its timeout": ("DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"),
    "Exec without a stream": ("INVALID_ARGUMENT", "INVALID_ARGUMENT"),
    "Exec with a terminal and stderr": ("INVALID_ARGUMENT", "INVALID_ARGUMENT"),
    "UpdateContainerResources without any": ("OK", "OK"),
    "a prefix of a container's id": ("OK", "OK"),
    "a prefix of a sandbox's id": ("OK", "OK"),
    "StopContainer": ("OK", "OK"),
    "StopContainer a second time": ("OK", "OK"),
    "StartContainer of an exited container": ("INVALID_ARGUMENT", "UNKNOWN"),
    "ExecSync in an exited container": ("INVALID_ARGUMENT", "UNKNOWN"),
    "Exec in an exited container": ("INVALID_ARGUMENT", "UNKNOWN"),
    "Attach to an exited container": ("INVALID_ARGUMENT", "UNKNOWN"),
    "ReopenContainerLog of an exited container": ("INVALID_ARGUMENT", "UNKNOWN"),
    "UpdateContainerResources of an exited container": ("INVALID_ARGUMENT", "OK"),
    "ContainerStats of an exited container": ("OK", "UNKNOWN"),
    "RemoveContainer": ("OK", "OK"),
    "RemoveContainer a second time": ("OK", "OK"),
    "StartContainer of a program that is not there": ("NOT_FOUND", "UNKNOWN"),
    "RemoveContainer while it runs": ("OK", "OK"),
    "StopContainer of a created container": ("OK", "OK"),
    "StopPodSandbox": ("OK", "OK"),
    "StopPodSandbox a second time": ("OK", "OK"),
    "StartContainer in a stopped sandbox": ("INVALID_ARGUMENT", "UNKNOWN"),
    "CreateContainer in a stopped sandbox": ("INVALID_ARGUMENT", "NOT_FOUND"),
    "PortForward to a stopped sandbox": ("INVALID_ARGUMENT", "UNKNOWN"),
    "RemovePodSandbox with containers in it": ("OK", "OK"),
    "RemovePodSandbox a second time": ("OK", "OK"),
    "CheckpointContainer of an unknown id": ("NOT_FOUND", "UNIMPLEMENTED"),
}


@pytest.fixture(autouse=True)
def nothing_left(client):
    yield
    for item in client.call("ListPodSandbox").items:
        client.call("RemovePodSandbox", pod_sandbox_id=item.id)


@pytest.fixture(scope="module")
def client(busybox_archive):
    n = Node("--runtime-only").start()
    try:
        n.nacelle("import", busybox_archive)
        c = Client(n.socket)
        c.logs = n.logs
        yield c
        c.close()
    finally:
        n.stop()


def sandbox_config(client, name):
    return api.PodSandboxConfig(metadata=api.PodSandboxMetadata(name=name, namespace="default", uid="uid-" + name),
                                log_directory=f"{client.logs}/{name}", linux=api.LinuxPodSandboxConfig())


def container_config(name, command=("sleep", "1000"), image="localhost/busybox:test"):
    return api.ContainerConfig(metadata=api.ContainerMetadata(name=name), image=api.ImageSpec(image=image), command=command,
                               log_path=name + ".log")


def walk(cri):
    """Makes every request of the table; what it was answered, by its name in the table."""
    got = {}

    def t(name, method, **fields):
        got[name] = cri.code(method, **fields)

    def pc(name):
        return sandbox_config(cri, name)

    cc, image = container_config, "localhost/busybox:test"
    sandbox, container = dict(pod_sandbox_id="nosuch"), dict(container_id="nosuch")
    no_image = dict(image=api.ImageSpec(image="nosuch:1"))
    for method, fields in (
            ("PodSandboxStatus", sandbox), ("StopPodSandbox", sandbox), ("RemovePodSandbox", sandbox), ("StartContainer", container),
            ("StopContainer", container), ("RemoveContainer", container), ("ContainerStatus", container),
            ("UpdateContainerResources", container), ("ReopenContainerLog", container), ("ExecSync", dict(container, cmd=["true"])),
            ("Exec", dict(container, cmd=["true"], stdout=True)), ("Attach", dict(container, stdout=True)),
            ("PortForward", dict(sandbox, port=[80])), ("ContainerStats", container), ("PodSandboxStats", sandbox),
            ("RemoveImage", no_image), ("ImageStatus", no_image),
            ("CreateContainer", dict(sandbox, config=cc("x"), sandbox_config=pc("x")))):
        t(method + " of an unknown id", method, **fields)
    for method in ("PodSandboxStatus", "StopPodSandbox", "RemovePodSandbox"):
        t(method + " of an empty id", method, pod_sandbox_id="")
    for method in ("StartContainer", "StopContainer", "RemoveContainer", "ContainerStatus"):
        t(method + " of an empty id", method, container_id="")
    t("RunPodSandbox without metadata", "RunPodSandbox", config=api.PodSandboxConfig())
    t("RunPodSandbox without config", "RunPodSandbox")
    t("RunPodSandbox with an unknown handler", "RunPodSandbox", config=pc("h"), runtime_handler="nosuch")
    t("PullImage of a malformed name", "PullImage", image=api.ImageSpec(image="UPPER//x"))
    t("PullImage of an empty name", "PullImage", image=api.ImageSpec(image=""))
    t("RemoveImage of a malformed name", "RemoveImage", image=api.ImageSpec(image="UPPER//x"))
    t("ImageStatus of a malformed name", "ImageStatus", image=api.ImageSpec(image="UPPER//x"))
    t("ImageStatus of an empty name", "ImageStatus", image=api.ImageSpec(image=""))
    p = cri.call("RunPodSandbox", config=pc("a")).pod_sandbox_id
    t("RunPodSandbox of a name in use", "RunPodSandbox", config=pc("a"))
    t("CreateContainer without config", "CreateContainer", pod_sandbox_id=p)
    t("CreateContainer without metadata", "CreateContainer", pod_sandbox_id=p, config=api.ContainerConfig(image=api.ImageSpec(image=image)),
      sandbox_config=pc("a"))
    t("CreateContainer of an unknown image", "CreateContainer", pod_sandbox_id=p, config=cc("x", image="nosuch:1"), sandbox_config=pc("a"))
    t("CreateContainer with a malformed image", "CreateContainer", pod_sandbox_id=p, config=cc("x", image="UPPER//x"), sandbox_config=pc("a"))
    c = cri.call("CreateContainer", pod_sandbox_id=p, config=cc("c"), sandbox_config=pc("a")).container_id
    t("CreateContainer of a name in use", "CreateContainer", pod_sandbox_id=p, config=cc("c"), sandbox_config=pc("a"))
    t("ExecSync in a created container", "ExecSync", container_id=c, cmd=["true"])
    t("Exec in a created container", "Exec", container_id=c, cmd=["true"], stdout=True)
    t("Attach to a created container", "Attach", container_id=c, stdout=True)
    t("ReopenContainerLog of a created container", "ReopenContainerLog", container_id=c)
    t("ContainerStats of a created container", "ContainerStats", container_id=c)
    t("StartContainer", "StartContainer", container_id=c)
    t("StartContainer a second time", "StartContainer", container_id=c)
    t("ExecSync of no command", "ExecSync", container_id=c, cmd=[])
    t("ExecSync of an unknown command", "ExecSync", container_id=c, cmd=["/no/such"])
    got["ExecSync past its timeout"] = cri.send("ExecSync", api.ExecSyncRequest(container_id=c, cmd=["sleep", "100"], timeout=1))
    t("Exec without a stream", "Exec", container_id=c, cmd=["true"])
    t("Exec with a terminal and stderr", "Exec", container_id=c, cmd=["true"], tty=True, stdout=True, stderr=True)
    t("UpdateContainerResources without any", "UpdateContainerResources", container_id=c)
    t("a prefix of a container's id", "ContainerStatus", container_id=c[:10])
    t("a prefix of a sandbox's id", "PodSandboxStatus", pod_sandbox_id=p[:10])
    t("StopContainer", "StopContainer", container_id=c)
    t("StopContainer a second time", "StopContainer", container_id=c)
    t("StartContainer of an exited container", "StartContainer", container_id=c)
    t("ExecSync in an exited container", "ExecSync", container_id=c, cmd=["true"])
    t("Exec in an exited container", "Exec", container_id=c, cmd=["true"], stdout=True)
    t("Attach to an exited container", "Attach", container_id=c, stdout=True)
    t("ReopenContainerLog of an exited container", "ReopenContainerLog", container_id=c)
    t("UpdateContainerResources of an exited container", "UpdateContainerResources", container_id=c,
      linux=api.LinuxContainerResources(cpu_shares=100))
    t("ContainerStats of an exited container", "ContainerStats", container_id=c)
    t("RemoveContainer", "RemoveContainer", container_id=c)
    t("RemoveContainer a second time", "RemoveContainer", container_id=c)
    d = cri.call("CreateContainer", pod_sandbox_id=p, config=cc("d", command=("/no/such/program",)), sandbox_config=pc("a")).container_id
    t("StartContainer of a program that is not there", "StartContainer", container_id=d)
    e = cri.call("CreateContainer", pod_sandbox_id=p, config=cc("e"), sandbox_config=pc("a")).container_id
    cri.call("StartContainer", container_id=e)
    t("RemoveContainer while it runs", "RemoveContainer", container_id=e)
    f_ = cri.call("CreateContainer", pod_sandbox_id=p, config=cc("f"), sandbox_config=pc("a")).container_id
    t("StopContainer of a created container", "StopContainer", container_id=f_)
    t("StopPodSandbox", "StopPodSandbox", pod_sandbox_id=p)
    t("StopPodSandbox a second time", "StopPodSandbox", pod_sandbox_id=p)
    t("StartContainer in a stopped sandbox", "StartContainer", container_id=f_)
    t("CreateContainer in a stopped sandbox", "CreateContainer", pod_sandbox_id=p, config=cc("g"), sandbox_config=pc("a"))
    t("PortForward to a stopped sandbox", "PortForward", pod_sandbox_id=p, port=[80])
    t("RemovePodSandbox with containers in it", "RemovePodSandbox", pod_sandbox_id=p)
    t("RemovePodSandbox a second time", "RemovePodSandbox", pod_sandbox_id=p)
    t("CheckpointContainer of an unknown id", "CheckpointContainer", container_id="nosuch", location="/tmp/x.tar")
    return got


def test_codes(client):
    got = walk(client)
    assert {name: code for name, (code, text) in got.items()} == {name: ours for name, (ours, _) in CODES.items()}
    for name, (code, text) in got.items():
        assert code == "OK" or text, f"{name}: no words"


def test_prefixes_of_several_ids(client):
    """Seventeen sandboxes: two share their first digit."""
    ids = [client.call("RunPodSandbox", config=sandbox_config(client, f"p{i}")).pod_sandbox_id for i in range(17)]
    shared = next(a[0] for a in ids for b in ids if a != b and a[0] == b[0])
    for method in ("PodSandboxStatus", "StopPodSandbox", "RemovePodSandbox"):
        code, text = client.code(method, pod_sandbox_id=shared)
        assert code == "INVALID_ARGUMENT" and "the beginning of several" in text
    assert len(client.call("ListPodSandbox").items) == 17
    assert client.code("PodSandboxStatus", pod_sandbox_id=ids[0]) == ("OK", "")


@pytest.mark.parametrize("bad", ["../../etc", "a/b", "\n", "x" * 5000, "%s%n", "\u202e"], ids=["dots", "slash", "line", "long", "format", "unicode"])
def test_ids_that_are_none(client, bad):
    for method, field in (("PodSandboxStatus", "pod_sandbox_id"), ("ContainerStatus", "container_id"), ("StartContainer", "container_id")):
        assert client.code(method, **{field: bad})[0] == "NOT_FOUND"
    assert client.code("Exec", container_id=bad, cmd=["true"], stdout=True)[0] == "NOT_FOUND"


@pytest.mark.parametrize("field,value", [("name", "../x"), ("name", "a/b"), ("uid", "../../x"), ("namespace", "x/../y"), ("name", ""), ("uid", "")])
def test_metadata_that_leads_elsewhere(client, field, value):
    """Names become no paths: what is asked for is refused, or made and removed like any other."""
    config = sandbox_config(client, "m")
    setattr(config.metadata, field, value)
    code, text = client.code("RunPodSandbox", config=config)
    assert code == "OK" or (code == "INVALID_ARGUMENT" and text)
