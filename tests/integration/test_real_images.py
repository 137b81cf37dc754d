"""Programs that people run, from Debian's packages and from Kubernetes' own test image, pulled from a real registry by manifests."""
import os
import socket
import sys
import urllib.request

import oci
import pytest

from support.node import PEERS, address, free_port, pod, wait_for

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../conformance"))
import images  # noqa: E402


SERVER = """
import socket
listening = socket.create_server(("", 8000))
while True:
    peer = listening.accept()[0]
    path = peer.recv(4096).split()[1].decode()
    peer.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\n" + open("/srv/pages" + path, "rb").read())
    peer.close()
"""


@pytest.fixture(scope="module")
def refs(registry):
    """{name: reference} of images in the registry; one tree of Debian below three of them."""
    debian = images.debian_tree()
    agnhost = oci.Layer().directory("tmp", 0o1777).directory("etc").copy(PEERS + "/agnhost", "agnhost")
    agnhost.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n").file("etc/group", "root:x:0:\n")
    made = {
        "nginx": images.nginx(debian, 80, compression="zstd"),
        "redis": oci.Image([debian], "zstd", Entrypoint=["redis-server"], ExposedPorts={"6379/tcp": {}}, WorkingDir="/"),
        "python": oci.Image([debian], "zstd", Entrypoint=["python3"], User="www-data"),
        "agnhost": oci.Image([agnhost.tar()], "zstd", Entrypoint=["/agnhost"], Cmd=["pause"]),
    }
    return {name: registry.push(image, f"real/{name}:1") for name, image in made.items()}


def get(url):
    try:
        return urllib.request.urlopen(url, timeout=3).read().decode()
    except OSError:
        return None


def one(image, **fields):
    return {"image": image, "imagePullPolicy": "IfNotPresent", **fields}


def ready(node, name, timeout=60):
    wait_for(name + " ready", lambda: all(c["ready"] for c in node.status(name).get("containerStatuses", [{"ready": False}])), timeout)
    return node.running("main")


def test_nginx_answers_on_its_address_and_its_host_port(node, refs):
    port = free_port()
    node.write("nginx.yaml", pod("nginx", one(refs["nginx"], ports=[{"containerPort": 80, "hostPort": port}],
                                              readinessProbe={"httpGet": {"path": "/", "port": 80}, "periodSeconds": 1})))
    c = ready(node, "nginx")
    page = "<h1>Welcome to nginx!</h1>\n"
    assert get(f"http://{address(node, c['podSandboxId'])}/") == page
    assert get(f"http://127.0.0.1:{port}/from-host") is None and get(f"http://127.0.0.1:{port}/") == page
    wait_for("access log", lambda: '"GET /from-host HTTP/1.1" 404' in node.nacelle("logs", c["id"]))
    assert "kube-probe/" in node.nacelle("logs", c["id"])


def test_redis_keeps_its_data_over_a_restart(node, refs):
    node.write("redis.yaml", pod("redis", one(refs["redis"], args=["--dir", "/data", "--appendonly", "yes", "--appendfsync", "always"],
                                              volumeMounts=[{"name": "data", "mountPath": "/data"}],
                                              ports=[{"name": "redis", "containerPort": 6379}],
                                              readinessProbe={"tcpSocket": {"port": "redis"}, "periodSeconds": 1},
                                              livenessProbe={"exec": {"command": ["redis-cli", "ping"]}, "periodSeconds": 1}),
                                 volumes=[{"name": "data", "emptyDir": {}}]))
    c = ready(node, "redis")
    assert node.exec(c, "redis-cli", "ping") == "PONG\n"
    assert node.exec(c, "redis-cli", "set", "key", "kept") == "OK\n"
    node.exec(c, "redis-cli", "shutdown", "nosave", check=False)
    again = wait_for("restart", lambda: node.container("main", "running", attempt=1), 30)
    wait_for("data", lambda: node.exec(again, "redis-cli", "get", "key", check=False).stdout.startswith("kept"))


def test_python_serves_what_an_init_container_made(node, refs):
    node.write("python.yaml", pod("python", one(refs["python"], args=["-c", SERVER],
                                                volumeMounts=[{"name": "pages", "mountPath": "/srv/pages", "readOnly": True}],
                                                readinessProbe={"httpGet": {"path": "/page.txt", "port": 8000}, "periodSeconds": 1}),
                                  initContainers=[one(refs["python"], name="write", args=["-c", "import os; open('/out/page.txt', 'w').write('%d:%d' % (os.getuid(), os.getgid()))"],
                                                      volumeMounts=[{"name": "pages", "mountPath": "/out"}])],
                                  volumes=[{"name": "pages", "emptyDir": {}}]))
    c = ready(node, "python")
    assert get(f"http://{address(node, c['podSandboxId'])}:8000/page.txt") == "33:33"


def test_agnhost_netexec(node, refs):
    tcp, udp = free_port(), free_port()
    node.write("netexec.yaml", pod("netexec", one(refs["agnhost"], args=["netexec", "--http-port", "8080", "--udp-port", "8081"],
                                                  ports=[{"containerPort": 8080, "hostPort": tcp}, {"containerPort": 8081, "hostPort": udp, "protocol": "UDP"}],
                                                  readinessProbe={"httpGet": {"path": "/healthz", "port": 8080, "httpHeaders": [{"name": "X", "value": "y"}]}, "periodSeconds": 1},
                                                  lifecycle={"preStop": {"httpGet": {"path": "/exit?code=3", "port": 8080}}}), hostname="named"))
    c = ready(node, "netexec")
    url = f"http://{address(node, c['podSandboxId'])}:8080"
    assert get(url + "/hostname") == "named" and get(f"http://127.0.0.1:{tcp}/hostname") == "named"
    assert get(url + "/clientip").startswith("10.213.")
    assert get(url + "/header?key=User-Agent")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(0.5)

        def ask():
            s.sendto(b"hostname", ("127.0.0.1", udp))
            try:
                return s.recv(100)
            except OSError:
                return None
        assert wait_for("answer over UDP", ask) == b"named"


def test_agnhost_grpc_probe_and_restart_by_liveness(node, refs):
    node.write("grpc.yaml", pod("grpc", one(refs["agnhost"], args=["grpc-health-checking", "--port", "5000", "--http-port", "8080"],
                                            startupProbe={"grpc": {"port": 5000}, "periodSeconds": 1, "failureThreshold": 30},
                                            readinessProbe={"grpc": {"port": 5000}, "periodSeconds": 1},
                                            livenessProbe={"grpc": {"port": 5000}, "periodSeconds": 1, "failureThreshold": 1})))
    c = ready(node, "grpc")
    ip = address(node, c["podSandboxId"])
    get(f"http://{ip}:8080/make-not-serving")
    wait_for("restart", lambda: node.container("main", "running", attempt=1), 30)
    assert 'service unhealthy (responded with "NOT_SERVING")' in node.log()


def test_agnhost_arguments_and_environment(node, refs):
    env = [{"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}, {"name": "WORDS", "value": "of $(NODE)"}]
    node.write("args.yaml", pod("args", one(refs["agnhost"], args=["entrypoint-tester", "$(WORDS)", "$$(WORDS)", "$(NONE)"], env=env), restartPolicy="Never"))
    wait_for("Succeeded", lambda: node.status("args").get("phase") == "Succeeded", 40)
    assert node.nacelle("logs", node.container("main")["id"]).strip() == f"[/agnhost entrypoint-tester of {node.name} $(WORDS) $(NONE)]"


def test_agnhost_sees_modes_and_kinds_of_volumes(node, refs):
    node.write("mount.yaml", pod("mount", one(refs["agnhost"], args=["mounttest", "--fs_type=/memory", "--file_mode=/info/name", "--file_content=/info/name"],
                                              volumeMounts=[{"name": "memory", "mountPath": "/memory"}, {"name": "info", "mountPath": "/info"}]),
                                 volumes=[{"name": "memory", "emptyDir": {"medium": "Memory"}},
                                          {"name": "info", "projected": {"defaultMode": 0o440, "sources": [
                                              {"downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}}]}}],
                                 restartPolicy="Never"))
    wait_for("Succeeded", lambda: node.status("mount").get("phase") == "Succeeded", 40)
    log = node.nacelle("logs", node.container("main")["id"])
    assert 'mount type of "/memory": tmpfs' in log and 'mode of file "/info/name": -r--r-----' in log and f"mount-{node.name}" in log
