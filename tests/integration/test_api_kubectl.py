"""kubectl cannot tell nacelle-api from kube-apiserver: each verb that needs no running pod, said to both, ends alike."""
import json
import os
import re
import subprocess
import threading

import pytest

from support.api import PEERS, Api, Oracle

has = lambda *names: all(os.path.exists(f"{PEERS}/{n}") for n in names)  # noqa: E731

ANSWERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "kubectl_answers.jsonl")
FILES = {
    "maps.yaml": "".join(f'---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {n}, labels: {{set: x}}}}\ndata: {{k: "1"}}\n' for n in "ab"),
    "maps2.yaml": "".join(f'---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {n}, labels: {{set: x}}}}\ndata: {{k: "2"}}\n' for n in "ab"),
    "map.yaml": 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {set: x}}\ndata: {k: "3"}\n',
    "typo.yaml": 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: typo, lables: {set: x}}\ndate: {k: "3"}\n',
    "list.yaml": "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: l1}, stringData: {a: b}}\n"
                 "- {apiVersion: v1, kind: ServiceAccount, metadata: {name: l2}}\n",
    "bad.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: Bad_Name}\nspec: {ports: [{port: 70000}]}\n",
    "unknown.yaml": "apiVersion: nope.example/v1\nkind: Nope\nmetadata: {name: n}\n",
    "node.yaml": "apiVersion: v1\nkind: Node\nmetadata: {name: n1}\n",
    "role.yaml": "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: rec, namespace: n}\nrules: [{verbs: [get], apiGroups: [''], resources: [pods]}]\n",
    "kustomization.yaml": "resources: [map.yaml]\nnamePrefix: kust-\n",
    "vars": "A=b\nC=d\n",
    "raw.json": '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"raw"},"data":{"a":"b"}}',
    "patch.yaml": "data: {patched: by a file}\n",
    "columns": "NAME DATA\n.metadata.name .data.k\n",
}

# Every line is said to both servers; `!SED!` before it: with that edit in the editor. In order: a line may need those above it.
SCRIPT = r"""
create namespace n
config set-context --current --namespace n
config view --minify -o jsonpath={..namespace}
create deployment d --image=i:1 --replicas=2 --port=80
create deployment d --image=i:1
create cronjob c --image=i --schedule='* * * * *' -- date
create job j --image=i -- date
create job j2 --from=cronjob/c
create ingress ing --rule=a.b/x=svc:80
create poddisruptionbudget p --selector=app=d --min-available=1
create priorityclass pc --value=10
create quota q --hard=services=20,cpu=3
create role r --verb=get --resource=pods
create rolebinding rb --role=r --user=u
create clusterrole cr --verb=get --resource=pods
create clusterrolebinding crb --clusterrole=cr --user=u
create secret generic s --from-literal=a=b
create secret docker-registry sd --docker-server=h --docker-username=u --docker-password=p
create serviceaccount sa1
create configmap cm --from-literal=a=b --from-file=maps.yaml
create service clusterip svc --tcp=80:80
create service nodeport np --tcp=80:80
create service loadbalancer lb --tcp=80:80
create service externalname en --external-name=a.b
expose deployment d --port=80 --name=exposed
autoscale deployment d --min=1 --max=3 --cpu=50%
set image deployment/d i=i:2
set image deployment/d nope=i:2
set env deployment/d A=b
set env deployment/d --list
set resources deployment/d --limits=cpu=1
set serviceaccount deployment/d sa1
set selector service exposed a=b
set subject rolebinding rb --user=v
rollout history deployment/d
rollout pause deployment/d
rollout pause deployment/d
rollout resume deployment/d
rollout undo deployment/d
rollout status deployment/d --watch=false
label deployment d x=y
label deployment d x=z
label deployment d x=z --overwrite
label deployment d --list
label deployment d x-
annotate deployment d x=y
scale deployment d --replicas=1
scale deployment d --replicas=0 --current-replicas=7
scale deployment d --replicas=0 --resource-version=1
wait deployment/d --for=jsonpath=.spec.replicas=1
wait deployment/d --for=condition=Available --timeout=10ms
wait deployment/nope --for=delete
get deployment d --subresource=scale
patch deployment d --subresource=scale --type=merge -p {"spec":{"replicas":2}}
patch deployment d --subresource=status --type=merge -p {"status":{"replicas":2}}
patch deployment d --type=json -p [{"op":"test","path":"/spec/replicas","value":9}]
patch deployment d --type=json -p [{"op":"replace","path":"/spec/replicas","value":"x"}]
patch deployment d -p {"spec":{"selector":null}}
get all
get all -o wide
get all --chunk-size=1
describe deployment d
describe service svc
describe hpa,pdb,quota,ingress,serviceaccount,secret,configmap,role,rolebinding,cronjob,job
describe clusterrole cr
describe priorityclass pc
apply -f maps.yaml
apply -f maps.yaml
diff -f maps.yaml
diff -f maps2.yaml
diff --server-side -f maps2.yaml
apply -f maps2.yaml --dry-run=server
apply -f maps2.yaml --dry-run=client
apply --prune -l set=x -f map.yaml
apply --server-side -f map.yaml
apply --server-side -f map.yaml --field-manager=other
apply --server-side -f maps2.yaml --field-manager=other
apply --server-side -f maps2.yaml --field-manager=other --force-conflicts
apply -f typo.yaml
apply -f typo.yaml --validate=warn
apply -f bad.yaml
apply -f unknown.yaml
apply view-last-applied configmap a
apply set-last-applied -f map.yaml --create-annotation
!s/k:.*/k: edited/! edit configmap a
!s/k:.*/k: [1]/! edit configmap a
!s/name:.*/name: other/! edit configmap a
!s/x/x/! edit configmap a
!s/k:.*/k: applied/! apply edit-last-applied configmap a
!s/replicas:.*/replicas: -1/! edit deployment d
get configmap a -o jsonpath={.data.k}
replace -f map.yaml
replace --force -f map.yaml
replace -f unknown.yaml
create -f list.yaml
get -f list.yaml
delete -f list.yaml
delete -f list.yaml
delete -f list.yaml --ignore-not-found
create --edit=false -f map.yaml
apply -k .
kustomize .
get configmap a -o json
get configmap a -o yaml
get configmap a -o yaml --show-managed-fields
get configmap a -o name
get configmap a -o wide
get configmap a -o go-template={{.kind}}
get configmap a -o jsonpath-as-json={.kind}
get configmap a -o custom-columns=N:.metadata.name
get configmap a -o custom-columns-file=columns
get configmap a --show-labels --show-kind
get configmap,secret -A --sort-by=.metadata.name
get configmap,deployment,nope
get configmap -l set=x,!nope
get configmap -l set==
get configmap --field-selector=metadata.name=a
get configmap --field-selector=data.k=a
get service --field-selector=spec.type=ExternalName
get configmap -L set
get configmap nope
get nope
get --raw /api/v1/namespaces/n/configmaps/nope
get --raw /apis/apps/v2
get --raw /readyz
auth can-i * *
auth can-i get pods --as=u
auth can-i get pods/log --as=system:serviceaccount:n:sa1
auth can-i get nopes --as=u
auth can-i --list --as=u
auth whoami
auth whoami --as=u --as-group=g --as-uid=1 --as-user-extra=k=v
auth reconcile -f role.yaml
auth reconcile -f role.yaml
get secret --as=u
create deployment x --image=i --as=u
apply -f csr.yaml
get csr
certificate approve u
certificate deny u
get csr u
describe csr u
delete csr u
create -f node.yaml
cordon n1
cordon n1
uncordon n1
taint node n1 a=b:NoSchedule
taint node n1 a=b:NoSchedule
taint node n1 a-
label node n1 node-role.kubernetes.io/worker=
get nodes
describe node n1
drain n1
delete node n1
events
get events -A
create token sa1 --duration=1s
create token nope
explain deployment
explain deployment.spec.strategy.rollingUpdate
explain deployment.spec.nope
explain hpa.spec.metrics --api-version=autoscaling/v2
explain nope
api-resources --api-group=apps
api-resources --api-group=batch -o wide
api-resources --verbs=list,get --namespaced -o name --api-group=
api-versions
cluster-info
cluster-info dump -n n -o name
version -o jsonpath={.serverVersion.minor}
run pod --image=i --dry-run=server -o name
create configmap envs --from-env-file=vars
create secret generic envs --from-env-file=vars
create secret generic typed --type=example.com/x --from-literal=a=b
create secret tls pair --cert=u.crt --key=u.key
create secret tls pair2 --cert=u.crt --key=u.crt
create role rn --verb=get,list --resource=pods,deployments.apps/scale --resource-name=a
create clusterrole url --verb=get --non-resource-url=/metrics
create clusterrole agg --aggregation-rule=a=b
create rolebinding rbg --clusterrole=view --group=g --serviceaccount=n:sa1
create quota qs --hard=pods=1 --scopes=BestEffort
create priorityclass pg --value=1 --preemption-policy=Never --description=d
create poddisruptionbudget pm --selector=a=b --max-unavailable=50%
create ingress ing2 --class=c --default-backend=svc:80 --annotation=a=b --rule=a.b/p*=svc:http,tls=sec
create deployment d2 --image=a --image=b --dry-run=server -o name
create service clusterip hl --clusterip=None
create service nodeport np2 --tcp=80:80 --node-port=99
create token sa1 --audience=a --bound-object-kind=Secret --bound-object-name=nope
create --raw /api/v1/namespaces/n/configmaps -f raw.json
replace --raw /api/v1/namespaces/n/configmaps/raw -f raw.json
delete --raw /api/v1/namespaces/n/configmaps/raw
describe ingress ing2
describe pdb pm
describe quota qs
describe clusterrole agg
get role,rolebinding,ingress,pdb,quota -o wide
get secret pair typed
get configmap a -o kyaml
get configmap a -o template={{.kind}}
get configmap --sort-by=.data.k
get configmap nope --ignore-not-found
get configmap a nope
get namespace --no-headers -o name
apply -f map.yaml
patch configmap a --patch-file=patch.yaml
patch -f map.yaml -p {"data":{"q":"1"}}
patch configmap nope -p {}
label configmap --all lab=1
label configmap -l set=x two=2
label configmap a lab- --resource-version=1
label configmap a q=w --dry-run=server
annotate configmap --all note=1
annotate configmap a note=2
annotate configmap a note-
set env deployment/d --from=configmap/envs --prefix=P_
set env deployment/d --from=secret/nope
set env deployment/d A-
set image deployment --all i=i:3
set image deployment/d *=i:4
set resources deployment d -c=i --requests=cpu=1m,memory=1Mi
set resources deployment d -c=nope --limits=cpu=1
set subject clusterrolebinding crb --serviceaccount=n:sa1
rollout restart deployment/d
rollout restart configmap/a
rollout history deployment/d --revision=9
rollout undo deployment/d --to-revision=9
scale deployment --all --replicas=0
scale cronjob c --replicas=1
autoscale deployment d --max=2
expose service svc --port=9 --name=svc2
expose pod nope --port=1
wait configmap/a --for=create
wait configmap/nope --for=create --timeout=400ms
wait configmap/a --for=jsonpath={.data.k}=3
wait configmap/a --for=delete --timeout=400ms
wait deployment/d --for=condition=Nope --timeout=400ms
diff -k .
apply -k . --dry-run=server
delete -k .
apply -f maps.yaml --prune -l set=x --prune-allowlist=core/v1/ConfigMap
apply -f maps.yaml --force
apply --server-side --dry-run=server --force-conflicts -f map.yaml
replace -f map.yaml --save-config
auth can-i create deployments --subresource=scale --as=u
auth can-i list secrets -A --as=u
auth can-i get /metrics --as=u
api-resources --api-group=rbac.authorization.k8s.io --namespaced=false --no-headers
api-resources --api-group=policy --sort-by=name
api-resources --categories=all -o name
events --types=Warning
events --for=deployment/d
explain deployment.spec --recursive
explain pod.spec.containers --output=plaintext-openapiv2
create -f node.yaml
taint node n1 a=b:NoExecute c:PreferNoSchedule
taint nodes --all a=c:NoExecute
taint node n1 a=c:NoExecute --overwrite
taint node n1 a:NoExecute-
taint node n1 nope-
taint node n1 a=b:Nope
cordon -l x=y
drain n1 --dry-run=server
drain nope
delete node n1
config get-clusters
config get-contexts nope
config use-context nope
config set-cluster c2 --server=https://x
config set-credentials u2 --token=t
config set-context k2 --cluster=c2 --user=u2
config rename-context k2 k3
config delete-context k3
config delete-user u2
config delete-cluster c2
run p2 --image=i --restart=Never --dry-run=server -o name
run p3 --image=i --overrides={"spec":{"nope":1}} --dry-run=server
delete configmap envs --dry-run=server
delete configmap envs --cascade=foreground --timeout=5s
delete configmap --all --field-selector=metadata.name=nope
delete secret pair typed nope
delete clusterrole url agg nope
delete priorityclass pg
logs nope
exec nope -- ls
attach nope
cp nope:/a b
port-forward nope 80
debug nope --image=i
delete deployment d --cascade=orphan --wait=false
delete deployment d
delete configmap -l set=x
delete role,rolebinding --all
delete service svc --now
delete job j --grace-period=0 --force
delete hpa d --dry-run=server
delete clusterrole/cr clusterrolebinding/crb priorityclass/pc
delete namespace n --wait=false
get namespace n
create configmap late
"""

# What differs from one moment, or one server, to the next.
VARYING = (
    (r"(?m)^metrics\.k8s\.io/v1beta1\n", ""), (r"(?m)^system:aggregated-metrics-reader .*\n", ""),  # are metrics-server's, which is a server of its own there
    (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"), (r"\b[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+]\d{4}", "TIME"),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UID"), (r'(resourceVersion"?: ?)"\d+"', r"\1RV"), (r"\b10\.96\.\d+\.\d+\b", "IP"),
    (r"\b80:3\d{4}/", "80:PORT/"), (r"https://127.0.0.1:\d+", "SERVER"), (r"\b(\d+m)?\d+s\b|\b\d+m\b", "AGE"), (r'"request":"[^"]*"', "REQUEST"), (r"X509SHA256=[0-9a-f]+", "FINGERPRINT"), (r"/tmp/\S+", "FILE"), (r"(?m)^(---|\+\+\+) .*", r"\1"),
    (r"(Expected resource version to be 1, was) \d+", r"\1 RV"), (r"(The request is invalid: patch: Invalid value: ).*", r"\1OBJECT"), (r"\beyJ[\w.-]+", "TOKEN"), (r"(?m)^(NodePort: .*) 3\d{4}/TCP", r"\1 PORT"), (r" *[\r\n]+", "\n"), (r" {2,}|\t", "  "), (r"-{3,}", "---"), (r"(?m)^[EW]\d{4} [\d:.]+ +\d+", "E"),
)


def normal(text):
    for pattern, instead in VARYING:
        text = re.sub(pattern, instead, text)
    return text


def words(line):
    """As a shell splits them, of which only single quotes count here."""
    return [w.replace("'", "") for w in re.findall(r"(?:'[^']*'|[^\s'])+", line)]


class Session:
    """What one server answers to the script, line by line, as (line, exit code, what is printed)."""

    def __init__(self, program, server, kubeconfig, directory):
        self.program, self.directory, self.answers = program, str(directory), []
        for name, text in FILES.items():
            (directory / name).write_text(text)
        with open(kubeconfig) as f:
            (directory / "kubeconfig").write_text(re.sub(r"https://127.0.0.1:\d+", server, f.read()))
        self.thread = threading.Thread(target=self.run)

    def run(self):
        for line in SCRIPT.strip().splitlines():
            self.answers.append((line, *self.say(line)))

    def say(self, line):
        editor = "true"
        if line.startswith("!"):
            script, line = line[1:].split("! ", 1)
            editor = f"sed -i '{script}'"
        env = dict(os.environ, KUBECONFIG="kubeconfig", HOME=self.directory, KUBE_EDITOR=editor, TERM="dumb")
        done = subprocess.run([self.program, *words(line)], env=env, cwd=self.directory, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
        printed = normal(done.stdout)
        if line.startswith("explain "):  # nacelle-api's schemas come without prose
            printed = "".join(re.findall(r"(?m)^  \w+  <\S+>\n", printed))
        if line.endswith(" --list"):  # in the order of a Go map
            printed = "".join(sorted(printed.splitlines(True)))
        return done.returncode, printed, normal(done.stderr)


def request(directory):
    """A CertificateSigningRequest of one key, for both."""
    key, text = f"{directory}/u.key", f"{directory}/u.csr"
    subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-subj", "/CN=u/O=dev", "-out", text],
                   check=True, capture_output=True)
    subprocess.run(["openssl", "req", "-x509", "-key", key, "-subj", "/CN=u", "-days", "365", "-out", f"{directory}/u.crt"], check=True, capture_output=True)
    for file in "u.key", "u.crt":
        with open(f"{directory}/{file}") as f:
            FILES[file] = f.read()
    encoded = subprocess.run(["base64", "-w0", text], check=True, capture_output=True, text=True).stdout
    return ("apiVersion: certificates.k8s.io/v1\nkind: CertificateSigningRequest\nmetadata: {name: u}\n"
            f"spec: {{request: {encoded}, signerName: kubernetes.io/kube-apiserver-client, usages: [client auth]}}\n")


def ask(servers, api, directory):
    """The answers of each server, by its name; all are asked side by side."""
    FILES["csr.yaml"] = request(directory)
    sessions = {}
    for name, port in servers.items():
        (directory / name).mkdir()
        sessions[name] = Session(f"{PEERS}/kubectl", f"https://127.0.0.1:{port}", api.kubeconfig, directory / name)
    for s in sessions.values():
        s.thread.start()
    for s in sessions.values():
        s.thread.join()
    return {name: s.answers for name, s in sessions.items()}


def compare(ours, theirs):
    assert len(ours) == len(theirs) == len(SCRIPT.strip().splitlines())
    differ = [f"$ kubectl {o[0]}\nours:   {o[1:]}\ntheirs: {t[1:]}" for o, t in zip(ours, theirs) if list(o) != list(t)]
    assert not differ, "\n".join(differ)


@pytest.mark.skipif(not has("kubectl"), reason="kubectl is not built (tests/peers/build)")
def test_kubectl_says_what_it_says_of_kube_apiserver(tmp_path):
    """By its answers in kubectl_answers.jsonl, which `make kubectl-answers` writes anew."""
    api = Api().start()
    try:
        ours = ask({"ours": api.port}, api, tmp_path)["ours"]
    finally:
        api.stop()
    with open(ANSWERS) as f:
        compare(ours, [json.loads(line) for line in f])


@pytest.mark.skipif("RECORD" not in os.environ, reason="make kubectl-answers")
def test_kubectl_says_the_same_of_both(tmp_path):
    api = Api().start()
    oracle = Oracle(api.pki)
    try:
        oracle.start()
        answers = ask({"ours": api.port, "theirs": oracle.port}, api, tmp_path)
    finally:
        oracle.stop()
        api.stop()
    with open(ANSWERS, "w") as f:
        f.writelines(json.dumps(a) + "\n" for a in answers["theirs"])
    compare(answers["ours"], answers["theirs"])


OLD = r"""
create deployment d --image=i:1
get deployment,configmap -o wide
describe deployment d
scale deployment d --replicas=2
set image deployment/d i=i:2
label deployment d a=b
annotate deployment d a=b
patch deployment d -p {"spec":{"replicas":3}}
get deployment d -o jsonpath={.spec.replicas}
apply -f maps.yaml
apply -f map.yaml --dry-run=server
apply --server-side --force-conflicts -f map.yaml
diff -f map.yaml
explain deployment.spec.strategy
api-resources
auth can-i get pods
expose deployment d --port 80
autoscale deployment d --max=3
rollout history deployment/d
create job j --image=i
create ingress i --rule=a/b=c:80
create quota q --hard=pods=1
create serviceaccount default
run p --image=i --dry-run=server
cordon nope
delete deployment/d hpa/d service/d job/j ingress/i quota/q --wait=false
"""


@pytest.mark.skipif(not has("kubectl-debian"), reason="Debian's kubectl is not there (tests/peers/build)")
def test_a_kubectl_of_1_20(tmp_path):
    """Debian's, sixteen versions older. It reads the schemas of OpenAPI v2, by which it refuses by itself."""
    api = Api().start()
    try:
        session = Session(f"{PEERS}/kubectl-debian", f"https://127.0.0.1:{api.port}", api.kubeconfig, tmp_path)
        for line in OLD.strip().splitlines():
            code, out, err = session.say(line)
            assert (code == 0) == ("nope" not in line), (line, code, out, err)
        assert session.say("get deployment")[1:] == ("", "No resources found in default namespace.\n")
        assert "field \"date\" in io.k8s.api.core.v1.ConfigMap" in session.say("apply -f typo.yaml")[2]
    finally:
        api.stop()
