"""Pods from the watched directory: order, restarts, environment, status."""
import os
import signal
import time

from support.node import address, pod, wait_for


def test_pod_runs_with_kubelet_labels(node):
    node.write("web.yaml", pod("web", "sleep 1000", metadata={"labels": {"app": "web"}}))
    c = node.running("main")
    assert c["labels"] == {"io.kubernetes.container.name": "main", "io.kubernetes.pod.name": f"web-{node.name}",
                           "io.kubernetes.pod.namespace": "default", "io.kubernetes.pod.uid": c["labels"]["io.kubernetes.pod.uid"]}
    p = node.pods()[0]
    assert p["labels"]["app"] == "web" and p["metadata"]["name"] == f"web-{node.name}"
    assert p["annotations"]["kubernetes.io/config.source"] == "file"
    assert p["state"] == "SANDBOX_READY"


def test_init_containers_run_in_order_before_the_others(node):
    share = {"volumeMounts": [{"name": "share", "mountPath": "/share"}]}
    spec = pod("order", {"command": ["sh", "-c", "echo main >> /share/log; cat /share/log; sleep 1000"], **share},
               volumes=[{"name": "share", "emptyDir": {}}],
               initContainers=[
                   {"name": n, "image": "localhost/busybox:test", "imagePullPolicy": "Never",
                    "command": ["sh", "-c", f"sleep 0.2; echo {n} >> /share/log"], **share} for n in ("first", "second")])
    node.write("order.yaml", spec)
    c = node.running("main")
    wait_for("log", lambda: node.crictl("logs", c["id"]) == "first\nsecond\nmain\n")


def test_sidecar_runs_beside_and_ends_after(node):
    spec = pod("side", "sleep 1; exit 0", restartPolicy="Never",
               initContainers=[{"name": "car", "image": "localhost/busybox:test", "imagePullPolicy": "Never", "restartPolicy": "Always",
                                "command": ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"]}])
    node.write("side.yaml", spec)
    node.running("car")
    node.exited("main")
    node.exited("car", timeout=15)
    wait_for("phase Succeeded", lambda: node.status("side").get("phase") == "Succeeded")


def test_restart_policy_always_restarts_with_backoff(node):
    node.write("crash.yaml", pod("crash", "exit 3"))
    c = node.exited("main", attempt=1, timeout=15)
    assert node.inspect(c)["status"]["exitCode"] == 3
    state = wait_for("CrashLoopBackOff", lambda: [
        s for s in node.status("crash").get("containerStatuses", []) if s["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff"], 20)
    assert state[0]["lastState"]["terminated"]["exitCode"] == 3
    assert "back-off" in state[0]["state"]["waiting"]["message"]


def test_restart_policy_never_and_phases(node):
    node.write("ok.yaml", pod("ok", "exit 0", restartPolicy="Never"))
    node.write("bad.yaml", pod("bad", "exit 7", restartPolicy="Never"))
    wait_for("Succeeded", lambda: node.status("ok").get("phase") == "Succeeded")
    wait_for("Failed", lambda: node.status("bad").get("phase") == "Failed")
    terminated = node.status("bad")["containerStatuses"][0]["state"]["terminated"]
    assert terminated["exitCode"] == 7 and terminated["reason"] == "Error"
    time.sleep(1)
    assert len([c for c in node.containers() if c["metadata"]["name"] == "main"]) == 2


def test_environment(node):
    env = [{"name": "A", "value": "one"}, {"name": "B", "value": "$(A)-two"}, {"name": "C", "value": "$$(A)"},
           {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
           {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
           {"name": "LABEL", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
           {"name": "LIMIT", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}},
           {"name": "DISK", "valueFrom": {"resourceFieldRef": {"resource": "limits.ephemeral-storage"}}}]
    disk = os.statvfs(node.root)
    node.write("env.yaml", pod("env", {"command": ["sh", "-c", "env; echo done $0 $1; sleep 1000"], "args": ["$(A)", "$(NONE)"], "env": env,
                                       "resources": {"limits": {"memory": "64Mi"}}}, metadata={"labels": {"app": "x"}}))
    c = node.running("main")
    log = wait_for("log", lambda: (lambda t: t if "done" in t else "")(node.crictl("logs", c["id"]))).splitlines()
    for line in ("A=one", "B=one-two", "C=$(A)", f"NAME=env-{node.name}", "LABEL=x", "LIMIT=64", f"DISK={disk.f_blocks * disk.f_frsize}", "done one $(NONE)"):
        assert line in log
    assert f"IP={address(node, c['podSandboxId'])}" in log


def test_lifecycle_hooks_and_grace(node):
    share = {"volumeMounts": [{"name": "s", "mountPath": "/s"}]}
    node.write("hooks.yaml", pod("hooks", {"command": ["sh", "-c", "trap 'echo term >> /s/log; exit 0' TERM; while :; do sleep 0.05; done"],
                                           "lifecycle": {"postStart": {"exec": {"command": ["sh", "-c", "echo post >> /s/log"]}},
                                                         "preStop": {"exec": {"command": ["sh", "-c", "echo pre >> /s/log"]}}}, **share},
                                 volumes=[{"name": "s", "hostPath": {"path": node.dir + "/hooks", "type": "DirectoryOrCreate"}}],
                                 terminationGracePeriodSeconds=10))
    node.running("main")
    log = node.dir + "/hooks/log"
    wait_for("postStart", lambda: os.path.exists(log) and open(log).read() == "post\n")
    node.remove("hooks.yaml")
    wait_for("end", lambda: not node.pods())
    assert open(log).read() == "post\npre\nterm\n"


def test_active_deadline(node):
    node.write("late.yaml", pod("late", "sleep 1000", activeDeadlineSeconds=1))
    wait_for("DeadlineExceeded", lambda: node.status("late").get("reason") == "DeadlineExceeded", 10)
    assert node.status("late")["phase"] == "Failed"


def test_termination_message(node):
    node.write("msg.yaml", pod("msg", "echo -n because > /dev/termination-log; exit 2", restartPolicy="Never"))
    wait_for("Failed", lambda: node.status("msg").get("phase") == "Failed")
    assert node.status("msg")["containerStatuses"][0]["state"]["terminated"]["message"] == "because"
    node.write("fall.yaml", pod("fall", {"command": ["sh", "-c", "echo from the log; exit 2"], "terminationMessagePolicy": "FallbackToLogsOnError"},
                                restartPolicy="Never"))
    wait_for("Failed", lambda: node.status("fall").get("phase") == "Failed")
    assert node.status("fall")["containerStatuses"][0]["state"]["terminated"]["message"].strip() == "from the log"


def test_share_process_namespace_and_host_namespaces(node):
    node.write("share.yaml", pod("share", "sleep 1001", "sleep 1002", shareProcessNamespace=True))
    c = node.running("c1")
    node.running("main")
    assert "sleep 1001" in node.exec(c, "ps")
    node.write("host.yaml", pod("host", {"name": "h", "command": ["sleep", "1000"]}, hostNetwork=True, hostPID=True, hostIPC=True))
    h = node.running("h")
    assert "nacelle-agent" in node.exec(h, "ps")
    assert node.bridge in node.exec(h, "ip", "link")


def test_status_conditions(node):
    node.write("cond.yaml", pod("cond", {"command": ["sh", "-c", "sleep 1; touch /tmp/ready; sleep 1000"],
                                         "readinessProbe": {"exec": {"command": ["cat", "/tmp/ready"]}, "periodSeconds": 1}}))
    node.running("main")
    conditions = lambda: {c["type"]: c["status"] for c in node.status("cond").get("conditions", [])}  # noqa: E731
    wait_for("Ready False", lambda: conditions().get("Ready") == "False")
    wait_for("Ready True", lambda: conditions().get("Ready") == "True")
    assert conditions() == {"PodReadyToStartContainers": "True", "Initialized": "True", "Ready": "True", "ContainersReady": "True", "PodScheduled": "True"}
    status = node.status("cond")
    assert status["phase"] == "Running" and status["qosClass"] == "BestEffort" and status["podIP"]


def test_order_of_the_end(node, tmp_path):
    """As kubelet ends a pod: its containers together, then the sidecars, the last one first."""
    mount = {"volumeMounts": [{"name": "log", "mountPath": "/log"}]}

    def member(name, **fields):
        return {"name": name, "image": "localhost/busybox:test", "imagePullPolicy": "Never", **mount, **fields,
                "command": ["sh", "-c", f"trap 'sleep 0.2; echo {name} >> /log/order; exit 0' TERM; touch /log/{name}; while :; do sleep 0.05; done"]}
    cars = [member(name, restartPolicy="Always") for name in ("car1", "car2", "car3")]
    node.write("end.yaml", pod("end", member("main"), initContainers=cars, terminationGracePeriodSeconds=20,
                               volumes=[{"name": "log", "hostPath": {"path": str(tmp_path)}}]))
    wait_for("all to run", lambda: all((tmp_path / name).exists() for name in ("main", "car1", "car2", "car3")))
    node.remove("end.yaml")
    wait_for("no pods", lambda: not node.pods())
    assert (tmp_path / "order").read_text().split() == ["main", "car3", "car2", "car1"]


def test_grace_period_ends_in_a_kill(node, tmp_path):
    """A container that does not hear is killed when its time is over, and the preStop hook's time counts."""
    deaf = {"name": "deaf", "command": ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"],
            "lifecycle": {"preStop": {"exec": {"command": ["sleep", "1000"]}}}}
    node.write("deaf.yaml", pod("deaf", deaf, terminationGracePeriodSeconds=1))
    node.running("deaf")
    begin = time.monotonic()
    node.remove("deaf.yaml")
    wait_for("no pods", lambda: not node.pods())
    assert 1 <= time.monotonic() - begin < 15


def test_sidecar_is_restarted_and_serves_init_containers(node):
    """A sidecar stands before the init containers behind it begin, and comes back whatever the pod's restartPolicy."""
    busybox = {"image": "localhost/busybox:test", "imagePullPolicy": "Never"}
    node.write("serve.yaml", pod("serve", "sleep 1000", restartPolicy="Never", initContainers=[
        {"name": "car", **busybox, "restartPolicy": "Always", "command": ["sh", "-c", "mkdir -p /w; echo yes > /w/index.html; exec httpd -f -p 8080 -h /w"],
         "startupProbe": {"httpGet": {"path": "/index.html", "port": 8080}, "periodSeconds": 1}},
        {"name": "ask", **busybox, "command": ["sh", "-c", "[ $(wget -q -O - http://127.0.0.1:8080/) = yes ]"]}]))
    node.running("main")
    car = node.running("car")
    os.kill(node.inspect(car)["info"]["pid"], signal.SIGKILL)
    wait_for("restart", lambda: node.container("car", "running", attempt=1))
    assert node.status("serve")["phase"] == "Running"


def test_failed_post_start_runs_pre_stop_and_grants_the_grace(node):
    """The container traps TERM and takes its time: longer than the two seconds that are left when no grace is."""
    share = {"volumeMounts": [{"name": "s", "mountPath": "/s"}]}
    slow = "trap 'sleep 3; echo trapped >> /s/log; exit 0' TERM; echo up >> /s/log; while :; do sleep 0.05; done"
    hooks = {"postStart": {"exec": {"command": ["sh", "-c", "until [ -s /s/log ]; do sleep 0.02; done; exit 1"]}},
             "preStop": {"exec": {"command": ["sh", "-c", "echo hook >> /s/log"]}}}
    after = {"command": ["sh", "-c", "echo after >> /s/log; sleep 1000"], **share}
    node.write("h.yaml", pod("h", {"command": ["sh", "-c", slow], "lifecycle": hooks, "restartPolicy": "Never", **share}, after,
                             volumes=[{"name": "s", "emptyDir": {}}], terminationGracePeriodSeconds=20))
    last = node.running("c1", timeout=30)
    assert node.exec(last, "cat", "/s/log").split() == ["up", "hook", "trapped", "after"]
    assert node.container("main")["state"] == "CONTAINER_EXITED"


def test_restart_all_containers(node):
    """KEP-5532: one sandbox, one address, volumes kept; init containers run again; counts go on, logs of before stay."""
    share = {"volumeMounts": [{"name": "s", "mountPath": "/s"}]}
    asks = "n=$(wc -l < /s/init); until [ $(wc -l < /s/other) -ge $n ]; do sleep 0.05; done; [ $n -ge 3 ] && sleep 1000; exit 42"
    rule = {"restartPolicy": "Never", "restartPolicyRules": [{"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [42]}}]}
    node.write("r.yaml", pod("r", {"command": ["sh", "-c", asks], **rule, **share}, {"command": ["sh", "-c", "echo run >> /s/other; sleep 1000"], **share},
                             volumes=[{"name": "s", "emptyDir": {}}], terminationGracePeriodSeconds=30,
                             initContainers=[{"name": "init", "image": "localhost/busybox:test", "imagePullPolicy": "Never",
                                              "command": ["sh", "-c", "echo run >> /s/init; touch /s/other"], **share}]))

    def thrice():
        status = node.status("r")
        counts = [c["restartCount"] for k in ("initContainerStatuses", "containerStatuses") for c in status.get(k, [])]
        return status if counts == [2, 2, 2] and all("running" in c["state"] for c in status["containerStatuses"]) else None
    status = wait_for("two restarts", thrice, timeout=30)
    assert [c["lastState"]["terminated"]["reason"] for c in status["containerStatuses"]] == ["RestartingAllContainers"] * 2
    assert len(node.pods()) == 1 and len(node.containers()) == 3
    logs = f"{node.logs}/default_r-{node.name}_{node.pods()[0]['metadata']['uid']}"
    assert sorted(os.listdir(logs + "/c1")) == ["0.log", "1.log", "2.log"]
    node.restart()
    time.sleep(0.5)
    assert thrice() and len(node.containers()) == 3
