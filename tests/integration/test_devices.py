"""Device plugins (v1beta1) of a node of nacelle-api's cluster, and extended resources that are declared on it."""
import json
import os
import signal
import socket

import pytest
from support.api import get
from support.device_plugin import PROGRAM, DevicePlugin, resources
from support.hosts import joined_node, remove_pods
from support.node import PEERS, Node, pod, wait_for

IDLE = "trap exit TERM; sleep 1000 & wait"
SAMPLE = f"{PEERS}/sample-device-plugin"
MERGE = {"Content-Type": "application/merge-patch+json"}
IMAGE = {"image": "localhost/busybox:test", "imagePullPolicy": "Never"}
PODS = "/api/v1/namespaces/default/pods"
pytestmark = pytest.mark.skipif(not os.path.exists(PROGRAM), reason="device-plugin is not built (tests/peers/build)")


@pytest.fixture(scope="module")
def node(api, busybox_archive, tmp_path_factory):
    with joined_node(api, busybox_archive, tmp_path_factory.mktemp("node")) as n:
        yield n


@pytest.fixture
def joined(client, node):
    """Without pods in the end."""
    yield node
    remove_pods(client, node)


def amounts(client, node, resource):
    """(capacity, allocatable) that the Node says; None of what it does not name."""
    status = get(client, f"/api/v1/nodes/{node.name}")["status"]
    return status["capacity"].get(resource), status["allocatable"].get(resource)


def has(client, node, resource, *expected):
    wait_for(f"{expected} of {resource}", lambda: amounts(client, node, resource) == expected)


def using(name, resource, n=1, command=IDLE, **fields):
    return {"name": name, "command": ["sh", "-c", command], "resources": {"limits": {resource: str(n)}}, **fields}


def create(client, node, name, *containers, **spec):
    made = pod(name, *containers, nodeName=node.name, automountServiceAccountToken=False, terminationGracePeriodSeconds=1, **spec)
    status, body = client.ask("POST", PODS, made)
    assert status == 201, body


def phase(client, name, expected, timeout=20):
    def there():
        p = get(client, f"{PODS}/{name}")
        return p if p.get("status", {}).get("phase") == expected else None
    return wait_for(f"{name} {expected}", there, timeout)


def environment(node, container):
    return dict(line.split("=", 1) for line in node.exec(container, "env").splitlines() if "=" in line)


def test_a_container_gets_what_its_plugin_gives(client, joined):
    resource = "example.com/one"
    with DevicePlugin(joined, resource, "a", "b", "c!") as plugin:
        plugin.heard("registered")
        has(client, joined, resource, "3", "2")
        create(client, joined, "uses", {**using("main", resource, 2), "env": [{"name": "MINE", "value": "the pod's"}]}, IDLE)
        phase(client, "uses", "Running")
        main, other = joined.running("main"), joined.running("c1")
        assert sorted(plugin.heard("allocate")) == ["a", "b"]
        env = environment(joined, main)
        assert env["DEVICES"] == "a,b" and env["MINE"] == "the pod's"
        assert joined.exec(main, "cat", "/given/hello") == "from the plugin\n"
        assert "Read-only" in joined.exec(main, "touch", "/given/x", check=False).stderr
        assert joined.exec(main, "sh", "-c", "test -c /dev/given && echo there").strip() == "there"
        assert "not permitted" in joined.exec(main, "sh", "-c", "echo > /dev/given", check=False).stderr
        assert joined.inspect(main)["status"]["annotations"]["example.com/devices"] == "a,b"
        assert "DEVICES" not in environment(joined, other)

        device = lambda name: {"resource_name": resource, "device_ids": [name], "topology": {"nodes": [{}]}}
        told = resources(joined)
        assert told["list"]["pod_resources"] == [{"name": "uses", "namespace": "default", "containers": [{"name": "main", "devices": [device("a"), device("b")]}, {"name": "c1"}]}]
        assert [d for d in told["allocatable"]["devices"] if d["resource_name"] == resource] == [device("a"), device("b")]
        assert resources(joined, "default", "uses")["get"] == {"pod_resources": told["list"]["pod_resources"][0]}
        assert "pod nobody in namespace default not found" in resources(joined, "default", "nobody")["error"]

        def health():
            return [c.get("allocatedResourcesStatus") for c in get(client, f"{PODS}/uses")["status"]["containerStatuses"] if c["name"] == "main"][0]
        assert health() == [{"name": resource, "resources": [{"resourceID": "a", "health": "Healthy"}, {"resourceID": "b", "health": "Healthy"}]}]
        plugin.tell("list a! b c!")
        has(client, joined, resource, "3", "1")
        wait_for("health", lambda: [r["health"] for r in health()[0]["resources"]] == ["Unhealthy", "Healthy"])
        # all that is left is taken: the pod is refused, as kubelet does it
        create(client, joined, "late", using("main", resource, 2))
        refused = phase(client, "late", "Failed")["status"]
        assert refused["reason"] == f"OutOf{resource}"
        assert refused["message"] == f"Pod was rejected: Node didn't have enough resource: {resource}, requested: 2, used: 2, capacity: 1"


@pytest.mark.skipif(not os.path.exists(SAMPLE), reason="sample-device-plugin is not built (tests/peers/build)")
def test_kubernetes_sample_plugin(client, joined):
    """The plugin that Kubernetes' own tests of nodes run, as a pod with its fixed paths: it registers again when kubelet.sock is made anew."""
    resource = "example.com/resource"
    paths = {"plugin": (SAMPLE, "/plugin"), "sockets": (f"{joined.root}/device-plugins", "/var/lib/kubelet/device-plugins"), "tmp": ("/tmp", "/tmp")}
    try:
        create(client, joined, "plugin", {"name": "plugin", "command": ["/plugin"], "volumeMounts": [{"name": n, "mountPath": at} for n, (_, at) in paths.items()]},
               volumes=[{"name": n, "hostPath": {"path": path}} for n, (path, _) in paths.items()])
        has(client, joined, resource, "2", "2")
        create(client, joined, "sample", using("main", resource))
        phase(client, "sample", "Running")
        [status] = get(client, f"{PODS}/sample")["status"]["containerStatuses"]
        device = status["allocatedResourcesStatus"][0]["resources"][0]["resourceID"]
        assert joined.exec(joined.running("main"), "ls", "/tmp").split() == [device]
        joined.restart()
        has(client, joined, resource, "2", "2")
    finally:
        for name in ("Dev-1", "Dev-2"):
            if os.path.exists(f"/tmp/{name}"):
                os.unlink(f"/tmp/{name}")


def test_devices_are_free_again_when_their_pod_has_ended(client, joined):
    resource = "example.com/freed"
    with DevicePlugin(joined, resource, "x") as plugin:
        has(client, joined, resource, "1", "1")
        create(client, joined, "ends", using("main", resource, command="true"), restartPolicy="Never")
        phase(client, "ends", "Succeeded")
        create(client, joined, "next", using("main", resource))
        phase(client, "next", "Running")
        assert plugin.of("allocate") == [["x"], ["x"]]


def test_init_containers_leave_theirs_to_those_after_them(client, joined):
    resource = "example.com/init"
    with DevicePlugin(joined, resource, "p", "q") as plugin:
        has(client, joined, resource, "2", "2")
        create(client, joined, "inits", using("main", resource),
               initContainers=[using("first", resource, 2, "true", **IMAGE), using("side", resource, restartPolicy="Always", **IMAGE)])
        phase(client, "inits", "Running")
        calls = plugin.of("allocate")
        assert sorted(calls[0]) == ["p", "q"] and sorted(calls[1] + calls[2]) == ["p", "q"], calls


def test_what_was_given_outlives_agent_and_plugin(client, joined):
    resource = "example.com/kept"
    with DevicePlugin(joined, resource, "k1", "k2", "--prestart") as plugin:
        has(client, joined, resource, "2", "2")
        create(client, joined, "keeps", using("main", resource, command=IDLE))
        phase(client, "keeps", "Running")
        own = plugin.heard("allocate")
        assert plugin.heard("prestart") == own
        before = joined.running("main")
        plugin.kill()
        has(client, joined, resource, "2", "0")
        assert joined.running("main")["id"] == before["id"]
        joined.restart()
        has(client, joined, resource, "0", "0")
        with DevicePlugin(joined, resource, "k1", "k2", "--prestart") as again:
            has(client, joined, resource, "2", "2")
            joined.exec(joined.running("main"), "kill", "1", check=False)
            after = joined.running("main", attempt=1)
            assert environment(joined, after)["DEVICES"] == ",".join(own)
            assert again.heard("prestart") == own and not again.of("allocate")
            create(client, joined, "other", using("main", resource))
            phase(client, "other", "Running")
            assert again.heard("allocate") != own


@pytest.mark.parametrize("resource, broken", [("example.com/later", False), ("example.com/broken", True)])
def test_no_pod_runs_without_its_devices(client, joined, resource, broken):
    """The plugin has not come back yet when the agent begins anew; nothing was ever given of it, or what was is not to be read."""
    with DevicePlugin(joined, resource, "l") as plugin:
        has(client, joined, resource, "1", "1")
        joined.kill()
        plugin.kill()
    if broken:
        with open(f"{joined.root}/devices.pb", "w") as f:
            f.write("no record")
    create(client, joined, "early", using("main", resource))
    joined.start()
    assert phase(client, "early", "Failed")["status"]["reason"] == f"OutOf{resource}"
    wait_for("no capacity", lambda: amounts(client, joined, resource)[0] in ("0", None))
    with DevicePlugin(joined, resource, "l"):
        has(client, joined, resource, "1", "1")
        create(client, joined, "in-time", using("main", resource))
        phase(client, "in-time", "Running")
        assert environment(joined, joined.running("main"))["DEVICES"] == "l"


def test_a_plugin_says_which_it_prefers(client, joined):
    resource = "example.com/preferred"
    with DevicePlugin(joined, resource, "--prefer", "1", "2", "3") as plugin:
        has(client, joined, resource, "3", "3")
        create(client, joined, "prefers", using("main", resource, 2))
        phase(client, "prefers", "Running")
        asked = plugin.heard("prefer")
        assert sorted(asked["available"]) == ["1", "2", "3"] and asked["size"] == 2
        assert sorted(plugin.heard("allocate")) == ["2", "3"]


def test_cdi_devices(client, joined):
    resource, spec = "example.com/cdi", "/etc/cdi/nacelle-test-devices.json"
    os.makedirs("/etc/cdi", exist_ok=True)
    with open(spec, "w") as f:
        json.dump({"cdiVersion": "0.6.0", "kind": "nacelle.test/dev", "devices": [{"name": "one", "containerEdits": {"env": ["BY_CDI=yes"]}}]}, f)
    try:
        with DevicePlugin(joined, resource, "one", CDI="nacelle.test/dev=one"):
            has(client, joined, resource, "1", "1")
            create(client, joined, "cdi", using("main", resource))
            phase(client, "cdi", "Running")
            assert environment(joined, joined.running("main"))["BY_CDI"] == "yes"
    finally:
        os.unlink(spec)


@pytest.mark.parametrize("option, why", [("--refuse", "rpc error: code = Unknown desc = no more of these"), ("--empty", "no containers return in allocation response")])
def test_a_plugin_that_refuses(client, joined, option, why):
    resource = "example.com/refuses"
    with DevicePlugin(joined, resource, option, "r") as plugin:
        plugin.heard("listed")
        has(client, joined, resource, "1", "1")
        create(client, joined, "refused", using("main", resource))
        status = phase(client, "refused", "Failed")["status"]
        assert status["reason"] == "UnexpectedAdmissionError"
        assert status["message"] == f"Pod was rejected: Allocate failed due to {why}, which is unexpected"


def test_a_plugin_that_hangs_holds_up_its_own_pods_alone(client, joined):
    resource = "example.com/hangs"
    with DevicePlugin(joined, resource, "--hang", "h") as plugin:
        has(client, joined, resource, "1", "1")
        create(client, joined, "hangs", using("main", resource))
        plugin.heard("allocate")
        create(client, joined, "goes-on", IDLE)
        phase(client, "goes-on", "Running")
        assert client.ask("DELETE", f"{PODS}/hangs", {"gracePeriodSeconds": 0})[0] == 200
        create(client, joined, "hangs-too", using("main", resource))
        plugin.heard("allocate", 2)


def test_a_plugin_that_is_found(client, joined):
    """By its socket in plugins_registry, also when it was there before the agent; a socket that is removed ends it."""
    resource = "example.com/found"
    with DevicePlugin(joined, resource, "--found", "f", "g") as plugin:
        plugin.heard("registered")
        has(client, joined, resource, "2", "2")
        create(client, joined, "finds", using("main", resource))
        phase(client, "finds", "Running")
        joined.restart()
        plugin.heard("registered", 2)
        has(client, joined, resource, "2", "2")
        os.unlink(f"{joined.root}/plugins_registry/{resource.replace('/', '-')}.sock")
        has(client, joined, resource, "2", "0")


@pytest.mark.parametrize("resource, words, why", [
    ("example.com/found", ["--type", "CSIPlugin"], "no handler registered for plugin type: CSIPlugin"),
    ("example.com/found", ["--version", "v2"], "manager version, v1beta1, is not among plugin supported versions"),
    ("cpu", [], 'the ResourceName "cpu" is invalid'),
])
def test_plugins_that_are_found_and_wrong(joined, resource, words, why):
    with DevicePlugin(joined, resource, "--found", *words, "f") as plugin:
        assert plugin.heard("refused") == why


@pytest.mark.parametrize("words, why", [
    (["--version", "v1alpha1"], 'requested API version "v1alpha1" is not supported by kubelet. Supported version is ["v1beta1"]'),
    (["--register-as", "../kubelet.sock"], 'the Endpoint "../kubelet.sock" is no name of a socket in the directory of device plugins'),
    (["--register-as", ""], 'the Endpoint "" is no name of a socket in the directory of device plugins'),
    (["--register-as", "nobody.sock"], "failed to get device plugin options: rpc error: code = Unavailable"),
])
def test_registrations_that_are_wrong(joined, words, why):
    with DevicePlugin(joined, "example.com/wrong", *words, "d") as plugin:
        assert why in plugin.heard("refused")


@pytest.mark.parametrize("resource", ["cpu", "kubernetes.io/x", "requests.example.com/x", "example.com/-", "example.com/" + "x" * 64])
def test_resources_that_are_no_extended_ones(joined, resource):
    with DevicePlugin(joined, resource, "d", endpoint="e.sock") as plugin:
        assert f'the ResourceName "{resource}" is invalid' in plugin.heard("refused")


def test_lists_that_are_too_long(client, joined):
    resource = "example.com/big"
    with DevicePlugin(joined, resource, "one") as plugin:
        has(client, joined, resource, "1", "1")
        plugin.tell("long")
        has(client, joined, resource, "1", "1")
        wait_for("warning", lambda: "2 devices are left out" in joined.log())
        plugin.tell("big 65536")
        has(client, joined, resource, "65536", "65536")
        plugin.tell("big 65537")
        has(client, joined, resource, "65536", "0")
        assert "65537 devices are more than 65536" in joined.log()


def test_a_socket_that_speaks_no_grpc(joined):
    path = f"{joined.root}/device-plugins/dumb.sock"
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)
        s.listen()
        with DevicePlugin(joined, "example.com/dumb", "--register-as", "dumb.sock", "d") as plugin:
            peer, _ = s.accept()
            peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            peer.close()
            assert "rpc error" in plugin.heard("refused")
    os.unlink(path)


def test_podresources_of_another_process_stay(joined):
    path = f"{joined.root}/pod-resources/kubelet.sock"
    joined.kill()
    os.unlink(path)
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)
        s.listen()
        joined.start()
        assert "another process listens there" in joined.log()
        joined.kill(signal.SIGTERM)
        assert os.path.exists(path)
    joined.start()
    assert resources(joined)["list"] == {}


@pytest.mark.parametrize("of, words", [
    (lambda node, tmp: f"{tmp}/{'x' * 100}", "device plugins cannot register"),
    (lambda node, tmp: node.root, "device-plugins/kubelet.sock: another process listens there; give this one a --kubelet-dir of its own"),
])
def test_directories_that_no_plugin_can_use(joined, tmp_path, of, words):
    """The node runs all the same, and who is there already keeps its plugins."""
    with DevicePlugin(joined, "example.com/stays", "d") as plugin:
        plugin.heard("registered")
        other = Node("--kubelet-dir", of(joined, tmp_path))
        try:
            other.start()
            assert words in other.log()
        finally:
            other.stop()
        assert os.path.exists(f"{joined.root}/device-plugins/example.com-stays.sock")


def test_declared_resources(api, client, joined):
    """What somebody gives to the Node stays, can be allotted, and counts."""
    resource, path = "example.com/dongle", f"/api/v1/nodes/{joined.name}/status"
    for amount in ("2", "3"):
        api.kubectl("patch", "node", joined.name, "--subresource=status", "--type=merge", "-p", json.dumps({"status": {"capacity": {resource: amount}}}))
        has(client, joined, resource, amount, amount)
    joined.restart()
    with DevicePlugin(joined, "example.com/beside", "d"):
        has(client, joined, "example.com/beside", "1", "1")
        assert amounts(client, joined, resource) == ("3", "3")
    create(client, joined, "plugged", using("main", resource, 2))
    phase(client, "plugged", "Running")
    create(client, joined, "none-left", using("main", resource, 2))
    status = phase(client, "none-left", "Failed")["status"]
    assert status["reason"] == f"OutOf{resource}"
    assert status["message"] == f"Pod was rejected: Node didn't have enough resource: {resource}, requested: 2, used: 2, capacity: 3"
    create(client, joined, "nobody-has-it", using("main", "example.com/unheard-of"))
    phase(client, "nobody-has-it", "Running")
    assert client.ask("PATCH", path, {"status": {"capacity": {resource: None}}}, **MERGE)[0] == 200
    has(client, joined, resource, None, None)


def test_a_node_that_is_made_anew_has_nothing_that_was_declared(client, joined):
    resource = "example.com/gone"
    assert client.ask("PATCH", f"/api/v1/nodes/{joined.name}/status", {"status": {"capacity": {resource: "5"}}}, **MERGE)[0] == 200
    has(client, joined, resource, "5", "5")
    joined.kill()
    os.unlink(f"{joined.root}/devices.pb")
    joined.start()
    has(client, joined, resource, "0", "0")
