"""kubectl to its last verb on a cluster of two hosts with real pods, today's and Debian's 1.20; helm; Debian's Prometheus."""
import base64
import json
import os
import re
import shutil
import subprocess
import time
import urllib.request

import pytest

from support.hosts import Hosts, kubeconfig
from support.api import PEERS, REPO, free_port
from support.kubectl import Kubectl
from support.node import wait_for

has = lambda *names: all(os.path.exists(f"{PEERS}/{n}") for n in names)  # noqa: E731
pytestmark = pytest.mark.skipif(not has("kubectl", "crictl"), reason="kubectl and crictl are not built (tests/peers/build)")

PROMETHEUS = f"{REPO}/contrib/prometheus"
IMAGE = "localhost/busybox:test"
WEB = """
apiVersion: v1
kind: ConfigMap
metadata: {name: page, labels: {part: web}}
data: {index.html: "hello\\n", colour: red}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {part: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      automountServiceAccountToken: false
      topologySpreadConstraints: [{maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: web}}}]
      containers:
      - name: web
        image: localhost/busybox:test
        command: [sh, -c, 'echo "$(hostname) serves"; exec httpd -f -v -p 8080 -h /www']
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
        volumeMounts: [{name: page, mountPath: /www}]
      volumes: [{name: page, configMap: {name: page}}]
---
apiVersion: v1
kind: Service
metadata: {name: web, labels: {part: web}}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: http}]}
"""
POD = """
apiVersion: v1
kind: Pod
metadata: {name: NAME, labels: {app: NAME}}
spec:
  terminationGracePeriodSeconds: 0
  automountServiceAccountToken: false
  containers:
"""
CONTAINER = """  - {name: NAME, image: "localhost/busybox:test", command: [sh, -c, 'COMMAND'], OTHER}
"""


def pod(name, other="stdin: false", extra="", **containers):
    return POD.replace("NAME", name) + "".join(CONTAINER.replace("NAME", c).replace("COMMAND", command).replace("OTHER", other) for c, command in containers.items()) + extra


FILES = {
    "web.yaml": WEB,
    "blue.yaml": WEB.replace("colour: red", "colour: blue").replace("replicas: 2", "replicas: 3").replace("maxSkew: 1", "maxSkew: 2"),
    "page.yaml": WEB.split("---")[0],
    "once.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {generateName: once-}\nspec: {containers: [{name: c, image: i}]}\n",
    "talks.yaml": pod("talks", main="echo first; echo wrong >&2; sleep 1000", other2="echo second; sleep 1000").replace("other2", "other"),
    "falls.yaml": pod("falls", main="[ -e /v/x ] && echo after || echo before; [ -e /v/x ] && sleep 1000; touch /v/x", other="volumeMounts: [{name: v, mountPath: /v}]",
                      extra="  volumes: [{name: v, emptyDir: {}}]\n"),
    "cat.yaml": pod("cat", main="while read line; do echo got $line; done; sleep 1000", other="stdin: true"),
    "tty.yaml": pod("tty", main="stty size; while read line; do echo got $line; done", other="stdin: true, tty: true"),
    "budget.yaml": "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: web}\nspec: {minAvailable: 2, selector: {matchLabels: {app: web}}}\n",
    "lone.yaml": pod("lone", main="sleep 1000", extra="  nodeSelector: {kubernetes.io/hostname: $b}\n"),
    "input": "one\ntwo\n",
}


class Cluster:
    def __init__(self, archive):
        self.hosts = Hosts()
        try:
            self.make(archive)
        except BaseException:
            self.hosts.close()
            raise

    def make(self, archive):
        """The service is on the first host, as `nacelle init` has it."""
        machines = [self.hosts.add() for _ in range(2)]
        self.api = self.hosts.start_api(scheduler=True, address=machines[0].address, inside=machines[0].inside())
        for host in machines:
            node = host.agent(config="apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nserverTLSBootstrap: true\n")
            node.options += ["--kubeconfig", kubeconfig(self.api, node.dir, node.name)]
            node.start()
            node.nacelle("import", archive)
        self.nodes = [host.node.name for host in machines]
        wait_for("first node", lambda: self.api.kubectl("label", "node", self.nodes[0], "node-role.kubernetes.io/control-plane=").returncode == 0)
        wait_for("nodes", lambda: [line.split()[1] for line in self.api.kubectl("get", "nodes", "--no-headers").stdout.splitlines()] == ["Ready", "Ready"])


@pytest.fixture(scope="module")
def cluster(busybox_archive, tmp_path_factory):
    c = Cluster(busybox_archive)
    c.home = tmp_path_factory.mktemp("home")
    yield c
    c.hosts.close()


@pytest.fixture(params=["kubectl", "kubectl-debian"])
def kubectl(cluster, request, tmp_path):
    """A kubectl in a namespace of the test's own."""
    if not has(request.param):
        pytest.skip(f"{request.param} is not there (tests/peers/build)")
    yield from namespaced(cluster, request.param, tmp_path, f"n{int(time.monotonic() * 1000) % 100000000}")


@pytest.fixture
def new(cluster, tmp_path):
    """Today's alone."""
    yield from namespaced(cluster, "kubectl", tmp_path, f"n{int(time.monotonic() * 1000) % 100000000}")


def namespaced(cluster, program, directory, name):
    k = Kubectl(program, cluster.api.kubeconfig, directory, name, FILES, cluster.home)
    k.names.update(a=cluster.nodes[0], b=cluster.nodes[1])
    k(f"create namespace {name}")
    wait_for("account", lambda: k.run("get", "serviceaccount", "default").returncode == 0)
    yield k
    cluster.api.kubectl("delete", "namespace", name, "--wait=false")


# --- what a workload goes through ---

ROLLOUT = r"""
apply -f @web.yaml => deployment.apps/web created
apply -f @web.yaml => deployment.apps/web unchanged
rollout status deployment/web --timeout=30s => successfully rolled out
wait deployment/web --for=condition=Available --timeout=30s => condition met
get pods -o wide => ^web-\S+ +1/1 +Running +0 .* $a
get pods -o wide => ^web-\S+ +1/1 +Running +0 .* $b
get deployments,replicasets,services,endpoints => ^deployment.apps/web +2/2 +2 +2
get pods -l app=web --sort-by=.spec.nodeName -o custom-columns=N:.spec.nodeName,P:.status.phase => ^$a +Running
describe pods -l app=web --show-events => Normal +Started
describe deployment web => 2 desired \| 2 updated \| 2 total \| 2 available
!diff -f @blue.yaml => \+  colour: blue
apply -f @blue.yaml --dry-run=server => configmap/page configured \(server dry run\)
apply -f @blue.yaml => configmap/page configured
rollout status deployment/web --timeout=30s => successfully rolled out
apply --server-side --force-conflicts -f @page.yaml => configmap/page serverside-applied
get configmap page -o jsonpath={.data.colour} => red
exec deployment/web -- sh -c 'wget -qO- http://$$WEB_SERVICE_HOST:$$WEB_SERVICE_PORT/' ~> hello
scale deployment/web --replicas=4 --current-replicas=3 => scaled
rollout status deployment/web --timeout=30s => successfully rolled out
get deployment web --no-headers => 4/4
set image deployment/web web=localhost/none:1 => image updated
get pods ~> ErrImagePull|ImagePullBackOff
!rollout status deployment/web --timeout=1s => timed out|updated
rollout undo deployment/web => rolled back
rollout status deployment/web --timeout=30s => successfully rolled out
rollout history deployment/web => ^4
rollout history deployment/web --revision=4 => localhost/busybox:test
rollout pause deployment/web => paused
set env deployment/web COLOUR=green => env updated
set env deployment/web --from=configmap/page --prefix=P_ --keys=colour => env updated
set resources deployment/web -c web --requests=cpu=10m,memory=8Mi --limits=memory=64Mi => resource requirements updated
set serviceaccount deployment/web default => serviceaccount updated
get replicasets --no-headers => ^web-\S+ +4 +4 +4
rollout resume deployment/web => resumed
rollout status deployment/web --timeout=30s => successfully rolled out
exec deployment/web -- env => COLOUR=green
exec deployment/web -- env => P_COLOUR=red
set env deployment/web --list => COLOUR=green
set env deployment/web COLOUR- => env updated
rollout restart deployment/web => restarted
rollout status deployment/web --timeout=30s => successfully rolled out
exec deployment/web -- env =/> ^COLOUR
expose deployment web --name=front --port=81 --target-port=8080 => service/front exposed
set selector service front app=web,part=none => selector updated
set selector service front app=web => selector updated
get endpoints front ~> :8080
expose service front --name=back --port=82 --target-port=8080 => service/back exposed
autoscale deployment web --min=1 --max=5 => autoscaled
get hpa => Deployment/web
label pods -l app=web tier=front => labeled
annotate pods -l app=web by=hand => annotated
get pods -L tier --no-headers => Running .* front$
patch deployment web -p '{"spec":{"replicas":1}}' => patched
wait deployment/web --for=condition=Progressing --timeout=30s
wait deployment/web --for=jsonpath={.status.readyReplicas}=1 --timeout=30s => condition met
apply --prune -l part=web -f @page.yaml => deployment.apps/web pruned
get deployment -l part=web => No resources found
wait pods -l app=web --for=delete --timeout=30s
"""

OLD_ROLLOUT = r"""
apply -f @web.yaml => deployment.apps/web created
rollout status deployment/web --timeout=30s => successfully rolled out
get pods -o wide => ^web-\S+ +1/1 +Running +0 .* $a
describe deployment web => 2 desired \| 2 updated \| 2 total \| 2 available
!diff -f @blue.yaml => \+  colour: blue
apply -f @blue.yaml => configmap/page configured
set env deployment/web COLOUR=green => env updated
rollout status deployment/web --timeout=30s => successfully rolled out
exec deployment/web -- env => COLOUR=green
rollout undo deployment/web => rolled back
rollout history deployment/web => ^3
rollout pause deployment/web => paused
rollout resume deployment/web => resumed
rollout restart deployment/web => restarted
rollout status deployment/web --timeout=30s => successfully rolled out
expose deployment web --name=front --port=81 --target-port=8080 => service/front exposed
autoscale deployment web --min=1 --max=5 => autoscaled
scale deployment/web --replicas=1 => scaled
wait deployment/web --for=condition=Available --timeout=30s => condition met
apply --prune -l part=web -f @page.yaml --prune-whitelist=apps/v1/Deployment => deployment.apps/web pruned
get deployment -l part=web => No resources found
"""


def test_a_workload(kubectl):
    """What of it is no pod's own is also held to kube-apiserver, by test_api_kubectl.py."""
    kubectl.follow(OLD_ROLLOUT if kubectl.old else ROLLOUT)


PODS = r"""
run one --image=localhost/busybox:test --image-pull-policy=Never --labels=a=b --env=E=f --restart=Never --command -- sh -c 'echo $E; sleep 1000' => pod/one created
wait pod/one --for=condition=Ready --timeout=30s => condition met
wait pod/one --for=jsonpath={.status.phase}=Running --timeout=30s => condition met
wait pod/one --for=create --timeout=10s => condition met
logs one ~> ^f$
get pod one -o jsonpath={.status.podIP} => \d+\.\d+
get pod one -o json => "phase": "Running"
get pod one -o yaml => phase: Running
get pod one -o go-template={{.status.phase}} => ^Running$
get pods -A --field-selector=spec.nodeName=$a => kubernetes|one|No resources
get pods --field-selector=status.phase=Running,metadata.name=one -o name => ^pod/one$
get pods -o kyaml => phase: "Running"
describe pod one => Started
!delete pod none => NotFound
expose pod one --port=9 --name=one => exposed
replace --force --grace-period=0 -f @talks.yaml => pod/talks replaced
wait pod/talks --for=condition=Ready --timeout=30s => condition met
create -f @once.yaml --dry-run=server -o name => pod/once-
get events --field-selector=involvedObject.name=one => Started
events --for pod/one --types=Normal => Scheduled
events -A => Started
delete pod one --grace-period=1 => deleted
!get pod one => NotFound
run never --image=localhost/none:1 --image-pull-policy=Never => created
get pod never ~> ErrImageNeverPull
events --for pod/never --types=Warning => ErrImageNeverPull
delete pod never talks --now => deleted
"""


def test_pods(new):
    new.follow(PODS)
    # one that is run for its answer, and goes
    done = new.run("run", "asked", f"--image={IMAGE}", "--image-pull-policy=Never", "--restart=Never", "--rm", "-i", "--command", "--", "sh", "-c", "cat; exit 3", input="to and fro\n")
    assert (done.returncode, done.stdout.splitlines()[0]) == (3, "to and fro"), done
    assert "NotFound" in new.say("get pod asked")[1]


def test_an_editor(new):
    new.follow("create -f @talks.yaml")
    new.env["KUBE_EDITOR"] = "sed -i 's/app: talks/app: edited/'"
    new.follow("edit pod talks => edited\nget pods -l app=edited -o name => talks")
    new.env["KUBE_EDITOR"] = "sed -i 's/name: main/name: other-name/'"
    new.follow("!edit pod talks => pod updates may not (add or remove containers|change fields)|is invalid")


def test_waiting_and_watching(new):
    """For what is not there yet, and for what goes."""
    watch = new.start("get", "pods", "--watch", "--output-watch-events")
    made = new.start("wait", "--for=create", "pod/talks", "--timeout=30s")
    time.sleep(0.3)
    new.follow("create -f @talks.yaml\nwait pod/talks --for=condition=Ready --timeout=30s")
    assert "condition met" in made.communicate(timeout=30)[0]
    gone = new.start("wait", "--for=delete", "pod/talks", "--timeout=30s")
    new.follow("delete pod talks => deleted")
    assert gone.wait(30) == 0
    watch.terminate()
    said = watch.communicate(timeout=10)[0]
    assert re.search(r"^ADDED +talks +0/2 +Pending[\s\S]*^MODIFIED +talks +2/2 +Running[\s\S]*^DELETED +talks", said, re.M), said


# --- what pods say, and what is said to them ---

LOGS = r"""
create -f @talks.yaml -f @falls.yaml
wait pod/talks --for=condition=Ready --timeout=30s
logs talks -c main ~> ^first$
new: logs talks -c main => ^wrong$
new: logs talks --all-containers ~> ^second$
new: logs talks --all-containers --prefix => \[pod/talks/main\] first
logs talks --all-containers --prefix => \[pod/talks/other\] second
logs -l app=talks --all-containers --prefix --tail=5 --max-log-requests=2 => \[pod/talks/other\] second
new: !logs -l app=talks --all-containers -f --max-log-requests=1 => maximum allowed concurrency is 1
logs talks -c main --timestamps => ^\d{4}-\d\d-\d\dT\S+ first$
new: logs talks -c main --tail=1 =/> first[\s\S]*wrong
logs talks -c main --tail=0 =/> .
new: logs talks -c main --limit-bytes=3 =/> first
new: logs talks -c main --since=1h => ^first$
logs talks -c main --since-time=2000-01-01T00:00:00Z => ^first$
new: logs talks -c main --since-time=2100-01-01T00:00:00Z =/> .
new: logs talks => first
new: !logs talks -c nope => container nope is not valid for pod talks
!logs talks -c main --previous => previous terminated container "main" in pod "talks" not found
logs falls --previous ~> ^before$
logs falls ~> ^after$
new: logs falls -p --timestamps => Z before$
get pod falls ~> Running +1
"""


def test_logs(kubectl):
    kubectl.follow(LOGS)
    follow = kubectl.start("logs", "-f", "talks", "--all-containers", "--prefix", "--ignore-errors")
    assert {follow.stdout.readline().strip() for _ in range(3)} == {"[pod/talks/main] first", "[pod/talks/main] wrong", "[pod/talks/other] second"}
    kubectl("delete pod talks --now")
    assert follow.wait(30) == 0


EXEC = r"""
create -f @cat.yaml -f @tty.yaml
wait pod/cat pod/tty --for=condition=Ready --timeout=30s
exec cat -- echo hello => ^hello$
!exec cat -- sh -c 'echo out; exit 7' => exit code 7
exec -i cat -- wc -l <input => ^2$
!exec cat -c nope -- ls => container (not found|nope is not valid)
!exec cat -- /none => No such file
!exec nope -- ls => NotFound
attach -i cat <input
logs cat ~> got one[\s\S]*got two
"""


def test_exec_and_attach(kubectl):
    kubectl.follow(EXEC)
    attached = kubectl.start("attach", "-i", "cat", stdin=subprocess.PIPE)
    attached.stdin.write("three\n")
    attached.stdin.flush()
    assert any("got three" in line for line in attached.stdout)
    attached.stdin.close()
    assert attached.wait(30) == 0
    typed = subprocess.run(["script", "-qec", " ".join(kubectl.command("exec", "-it", "tty", "--", "sh", "-c", "'test -t 0 && test -t 1 && echo terminal'")), "/dev/null"],
                                                  env=kubectl.env, capture_output=True, timeout=60)
    assert b"terminal\r\n" in typed.stdout, typed


def test_cp(kubectl, tmp_path):
    """Files and trees, both ways, with links that lead out left behind."""
    kubectl.follow("create -f @cat.yaml\nwait pod/cat --for=condition=Ready --timeout=30s")
    tree = tmp_path / "tree"
    (tree / "a/b").mkdir(parents=True)
    (tree / "a/b/file").write_bytes(os.urandom(1 << 20))
    (tree / "empty").write_bytes(b"")
    kubectl.follow(f"""
        cp {tree} cat:/tmp/tree
        exec cat -- ls /tmp/tree/a/b/file
        exec cat -- ln -s /etc/passwd /tmp/tree/link
        cp cat:/tmp/tree {tmp_path}/back -c main
        cp {tree}/a/b/file $ns/cat:/tmp/one
        cp $ns/cat:/tmp/one {tmp_path}/one""")
    for name in "back/a/b/file", "one":
        assert (tmp_path / name).read_bytes() == (tree / "a/b/file").read_bytes()
    assert (tmp_path / "back/empty").read_bytes() == b"" and not os.path.lexists(tmp_path / "back/link")


def fetch(url):
    try:
        return urllib.request.urlopen(url, timeout=5).read()
    except OSError:
        return None


def test_forwarding_and_proxies(kubectl):
    kubectl.follow("apply -f @web.yaml\nrollout status deployment/web --timeout=30s")
    for what in kubectl("get pods -l app=web -o name").split() + ["service/web", "deployment/web"]:
        forward = kubectl.start("port-forward", what, ":80" if "service" in what else ":8080")
        try:
            port = int(re.search(r"127.0.0.1:(\d+) ->", forward.stdout.readline()).group(1))
            assert [fetch(f"http://127.0.0.1:{port}/") for _ in range(3)] == [b"hello\n"] * 3
        finally:
            forward.terminate()
            forward.communicate()
    proxy = kubectl.start("proxy", "--port=0")
    try:
        address = re.search(r"127.0.0.1:\d+", proxy.stdout.readline()).group(0)
        own = f"http://{address}/api/v1/namespaces/{kubectl.namespace}"
        name = kubectl("get pods -l app=web -o jsonpath={.items[0].metadata.name}")
        assert json.loads(fetch(f"{own}/pods/{name}"))["status"]["phase"] == "Running"
        assert fetch(f"{own}/pods/{name}:8080/proxy/") == b"hello\n" and fetch(f"{own}/services/web/proxy/") == b"hello\n"
    finally:
        proxy.terminate()
        proxy.communicate()


DEBUG = r"""
create -f @cat.yaml
wait pod/cat --for=condition=Ready --timeout=30s
new: debug cat --image=localhost/busybox:test --image-pull-policy=Never --container=look --target=main -- sh -c 'ps; sleep 1000' => Targeting container "main"
new: logs cat -c look ~> while read line
new: describe pod cat => Ephemeral Containers:
debug cat --image=localhost/busybox:test --image-pull-policy=Never --copy-to=copy --container=main --share-processes -- sh -c 'echo copied; sleep 1000'
wait pod/copy --for=condition=Ready --timeout=30s
logs copy -c main ~> copied
debug node/$a --image=localhost/busybox:test --image-pull-policy=Never -- sh -c 'chroot /host id; sleep 1000' => Creating debugging pod node-debugger-$a
get pods -o wide ~> node-debugger\S+ +1/1 +Running .* $a
"""


def test_debug(kubectl):
    """Ephemeral containers as 1.20 asked for them, by a kind that Kubernetes has dropped with 1.23, are for nobody."""
    kubectl.follow(DEBUG)
    name = next(p for p in kubectl("get pods -o name").split() if "node-debugger" in p)
    kubectl.follow(f"logs {name} ~> uid=0")


# --- nodes ---

NODES = r"""
get nodes -o wide => ^$b +Ready .* nacelle://
new: describe node $a => InternalIP
apply -f @web.yaml
rollout status deployment/web --timeout=30s => successfully rolled out
create -f @budget.yaml
cordon $b => cordoned
new: get node $b => SchedulingDisabled
run elsewhere --image=localhost/busybox:test --image-pull-policy=Never --restart=Never -- sleep 1000
wait pod/elsewhere --for=condition=Ready --timeout=30s
new: get pod elsewhere -o wide => $a
# it may not go as long as there are but two; nothing else of the node is held up
!drain $b --timeout=2s --pod-selector=app=web --ignore-daemonsets => (Cannot evict pod as it would violate the pod's disruption budget|did not complete|global timeout)
get pods -l app=web --no-headers -o wide => Running .* $b
delete pdb web
!drain $b --timeout=5s --pod-selector=app=lone => (declare no controller|not managed by)
drain $b --timeout=30s --pod-selector=app=web => evicted
get pods -l app=web -o wide =/> Running .* $b
uncordon $b => uncordoned
rollout status deployment/web --timeout=30s => successfully rolled out
taint nodes $b key=value:NoExecute => tainted
get pods -l app=lone ~> No resources found
new: describe node $b => Taints: +key=value:NoExecute
new: taint nodes $b key=other:NoExecute --overwrite => modified
taint nodes $b key- => untainted
new: label node $b disk=fast => labeled
new: label node $b disk- => labeled|unlabeled
new: annotate node $b note=x => annotated
new: annotate node $b note- => annotated
top nodes ~> ^$b +\d+m
new: top pods ~> ^elsewhere +\d+m
new: top pods --containers -l app=web ~> ^web-\S+ +web +\d+m
"""


def test_nodes(kubectl):
    kubectl.files["lone.yaml"] = kubectl.fill(FILES["lone.yaml"])
    try:
        kubectl.follow("create -f - <lone.yaml\nwait pod/lone --for=condition=Ready --timeout=30s")
        kubectl.follow(NODES)
    finally:
        kubectl.run("uncordon", kubectl.names["b"])
        kubectl.run("taint", "nodes", kubectl.names["b"], "key-")


# --- the cluster ---

REST = r"""
new: cluster-info => control plane.* is running at
cluster-info dump --namespaces=$ns --output-directory=dump => Cluster info dumped
new: auth can-i create pods => yes
!auth can-i create pods --as=nobody => no
new: auth whoami => kubernetes-admin|system:masters
api-resources --api-group=metrics.k8s.io => PodMetrics
new: api-versions => metrics.k8s.io/v1beta1
new: explain pod.spec.containers => FIELDS
new: version => v1.36
config view --minify -o jsonpath={.clusters[0].name} => .
new: config current-context => .
config set-context here --namespace=elsewhere => Context "here" created
new: config get-contexts => here
new: config rename-context here there => renamed
new: config delete-context there => deleted
new: get componentstatuses => .
get --raw /api/v1/nodes/$a/proxy/healthz => ^ok
new: get --raw /api/v1/nodes/$b/proxy/metrics => ^kubelet_
new: get --raw /apis/metrics.k8s.io/v1beta1/nodes => NodeMetricsList
new: get csr => Approved,Issued
new: get leases -n kube-node-lease => ^$a +$a
new: create token default --duration=10m => ^ey
"""


def test_the_rest(kubectl, cluster, tmp_path):
    """The configuration is changed in a copy of its own."""
    shutil.copy(cluster.api.kubeconfig, tmp_path / "config")
    kubectl.env["KUBECONFIG"] = str(tmp_path / "config")
    kubectl.follow("create -f @talks.yaml\nwait pod/talks --for=condition=Ready --timeout=30s\nlogs talks -c main ~> wrong")
    kubectl.follow(REST)
    dumped = tmp_path / "dump" / kubectl.namespace
    assert "first\n" in (dumped / "talks" / "logs.txt").read_text()
    assert json.loads((dumped / "pods.json").read_text())["items"][0]["status"]["phase"] == "Running"
    assert len(json.loads((tmp_path / "dump" / "nodes.json").read_text())["items"]) == 2


# --- helm ---

CHART = {
    "Chart.yaml": "apiVersion: v2\nname: web\nversion: 0.1.0\n",
    "values.yaml": "text: one\nreplicas: 2\nexpected: one\n",
    "templates/all.yaml": WEB.replace("hello\\n", "{{ .Values.text }}").replace("replicas: 2", "replicas: {{ .Values.replicas }}").replace(
        "metadata: {labels: {app: web}}", "metadata: {labels: {app: web}, annotations: {text: {{ .Values.text }}}}"),
    "templates/test.yaml": """
apiVersion: v1
kind: Pod
metadata: {name: "{{ .Release.Name }}-test", annotations: {helm.sh/hook: test, helm.sh/hook-delete-policy: before-hook-creation}}
spec:
  restartPolicy: Never
  containers:
  - name: ask
    image: localhost/busybox:test
    command: [sh, -c, 'got=$(wget -qO- http://$WEB_SERVICE_HOST/); echo "it says $got"; test "$got" = {{ .Values.expected }}']
""",
}


@pytest.mark.skipif(not has("helm"), reason="helm is not built (tests/peers/build)")
def test_helm(cluster, new, tmp_path):
    """A chart whose pods run: in, tested, on, tested, on to what does not come up, back, tested, and out."""
    for name, text in CHART.items():
        path = tmp_path / "web" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def helm(*words, fails=False):
        env = dict(new.env, HELM_CACHE_HOME=str(tmp_path / "cache"))
        done = subprocess.run([f"{PEERS}/helm", "-n", new.namespace, *words], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=90, stdin=subprocess.DEVNULL)
        assert (done.returncode != 0) == fails, done
        return done.stdout + done.stderr

    assert "STATUS: deployed" in helm("install", "w", "web", "--wait", "--timeout", "40s")
    new.follow("get pods -l app=web --no-headers => 1/1 +Running")
    assert "it says one" in helm("test", "w", "--logs") and "Phase:          Succeeded" in helm("status", "w")
    helm("upgrade", "w", "web", "--wait", "--set", "text=two,expected=two")
    assert "it says two" in helm("test", "w", "--logs")
    helm("upgrade", "w", "web", "--reuse-values", "--set", "expected=three")
    assert "it says two" in helm("test", "w", "--logs", fails=True)
    assert "has been rolled back" in helm("upgrade", "w", "web", "--set", "text=four,replicas=-1", "--atomic", "--timeout", "20s", fails=True)
    helm("rollback", "w", "1", "--wait", "--timeout", "40s")
    assert "it says one" in helm("test", "w", "--logs")
    helm("uninstall", "w", "--wait")
    new.follow("get pods -l app=web => No resources found")


# --- Prometheus ---

@pytest.mark.skipif(not has("prometheus"), reason="Debian's Prometheus is not there (tests/peers/build)")
def test_prometheus(cluster, new, tmp_path):
    """Debian's, with what contrib/prometheus has, as it stands but for addresses and files: all answer, by certificates of the cluster's."""
    new.follow(f"create -f @talks.yaml\n-n kube-system apply -f {PROMETHEUS}/account.yaml => serviceaccount/prometheus created")
    (tmp_path / "token").write_text(new("-n kube-system create token prometheus --duration=8760h"))
    (tmp_path / "ca.crt").write_bytes(base64.b64decode(new("config view --raw --minify -o jsonpath={.clusters[0].cluster.certificate-authority-data}")))
    subprocess.run([f"{PROMETHEUS}/nodes", tmp_path / "nodes.yml"], env={**new.env, "PATH": f"{PEERS}:{os.environ['PATH']}"}, check=True, timeout=30)
    with open(f"{PROMETHEUS}/nacelle.yml") as f:
        text = f.read().replace("/etc/prometheus/nacelle/", f"{tmp_path}/").replace("127.0.0.1:6443", f"{cluster.api.address}:{cluster.api.port}")
    (tmp_path / "prometheus.yml").write_text("global: {scrape_interval: 1s, scrape_timeout: 1s}\n" + text)
    port = free_port()
    with open(tmp_path / "log", "w") as log:
        process = subprocess.Popen([f"{PEERS}/prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data",
                                    f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log, cwd=tmp_path)
    try:
        def query(text):
            got = fetch(f"http://127.0.0.1:{port}/api/v1/query?query={text}")
            return {(r["metric"]["job"], r["metric"]["instance"]): float(r["value"][1]) for r in json.loads(got)["data"]["result"]} if got else {}
        up = wait_for("targets", lambda: (lambda found: len(found) == 5 and all(found.values()) and found)(query("up")), timeout=20, interval=0.3)
        assert {job for job, _ in up} == {"nacelle-api", "nacelle-agents", "nacelle-containers"}
        assert {instance for job, instance in up if job == "nacelle-agents"} == {f"{h.address}:{h.node.port}" for h in cluster.hosts.all}
        for name in "kubelet_node_name", "apiserver_request_total", "container_memory_working_set_bytes":
            assert wait_for(name, lambda: query(f"sum+by(job,instance)({name})"), timeout=10, interval=0.3)
    finally:
        process.terminate()
        process.wait(20)
        new.follow(f"-n kube-system delete -f {PROMETHEUS}/account.yaml")
