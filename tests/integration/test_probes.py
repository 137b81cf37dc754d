"""Probes of all kinds, and what they do to the container."""
from support.node import pod, wait_for


def restarts(node, name):
    return (node.status(name).get("containerStatuses") or [{}])[0].get("restartCount", 0)


def ready(node, name):
    return (node.status(name).get("containerStatuses") or [{}])[0].get("ready", False)


def test_liveness_exec_restarts(node):
    node.write("l.yaml", pod("l", {"command": ["sh", "-c", "touch /tmp/ok; sleep 2; rm /tmp/ok; sleep 1000"],
                                   "livenessProbe": {"exec": {"command": ["cat", "/tmp/ok"]}, "periodSeconds": 1, "failureThreshold": 1, "initialDelaySeconds": 1}}))
    wait_for("restart", lambda: restarts(node, "l") >= 1, 25)
    assert [line for line in node.log().splitlines() if "Unhealthy" in line or "iveness probe failed" in line]


def test_http_tcp_readiness(node):
    serve = "sleep 1; mkdir -p /w; echo ok > /w/index.html; exec httpd -f -p 8080 -h /w"
    node.write("h.yaml", pod("h", {"command": ["sh", "-c", serve], "readinessProbe": {"httpGet": {"path": "/index.html", "port": 8080}, "periodSeconds": 1}}))
    node.write("t.yaml", pod("t", {"name": "tcp", "command": ["sh", "-c", serve], "ports": [{"name": "web", "containerPort": 8080}],
                                   "readinessProbe": {"tcpSocket": {"port": "web"}, "periodSeconds": 1}}))
    node.running("main")
    wait_for("both ready", lambda: ready(node, "h") and ready(node, "t"))


def test_http_failure_is_explained(node):
    node.write("f.yaml", pod("f", {"command": ["sh", "-c", "mkdir -p /w; exec httpd -f -p 8080 -h /w"],
                                   "readinessProbe": {"httpGet": {"path": "/none", "port": 8080}, "periodSeconds": 1}}))
    node.running("main")
    wait_for("message", lambda: "HTTP probe failed with statuscode: 404" in node.log())
    assert not ready(node, "f")


def test_startup_probe_holds_back_liveness(node):
    node.write("s.yaml", pod("s", {"command": ["sh", "-c", "sleep 3; touch /tmp/up; sleep 1000"],
                                   "startupProbe": {"exec": {"command": ["cat", "/tmp/up"]}, "periodSeconds": 1, "failureThreshold": 30},
                                   "livenessProbe": {"exec": {"command": ["cat", "/tmp/up"]}, "periodSeconds": 1, "failureThreshold": 1}}))
    wait_for("started", lambda: (node.status("s").get("containerStatuses") or [{}])[0].get("started"))
    assert restarts(node, "s") == 0
