"""The API service as its clients see it: kubectl, watchers, writers that meet, restarts."""
import datetime
import gzip
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest

from support.api import BUILD, PEERS, Api
from support.node import wait_for

API = {}  # with what an API service has by itself
MAPS = "/api/v1/namespaces/default/configmaps"
has = lambda *names: all(os.path.exists(f"{PEERS}/{n}") for n in names)  # noqa: E731
needs_kubectl = pytest.mark.skipif(not has("kubectl"), reason="kubectl is not built (tests/peers/build)")


def config_map(name, **data):
    return {"metadata": {"name": name}, "data": {k: str(v) for k, v in data.items()}}


@needs_kubectl
def test_kubectl(api, tmp_path):
    assert api.kubectl("create", "configmap", "k", "--from-literal=a=b").stdout == "configmap/k created\n"
    rows = api.kubectl("get", "cm", "k").stdout.splitlines()
    assert rows[0].split() == ["NAME", "DATA", "AGE"] and rows[1].split()[:2] == ["k", "1"]
    assert api.kubectl("get", "cm", "k", "-o", "jsonpath={.data.a}").stdout == "b"
    watch = subprocess.Popen([f"{PEERS}/kubectl", "--kubeconfig", api.kubeconfig, "get", "cm", "k", "-w", "-o", "jsonpath={.data}{\"\\n\"}"], stdout=subprocess.PIPE,
                             text=True)
    try:
        assert watch.stdout.readline() == '{"a":"b"}\n'
        assert api.kubectl("patch", "cm", "k", "-p", '{"data":{"c":"d"}}').stdout == "configmap/k patched\n"
        assert watch.stdout.readline() == '{"a":"b","c":"d"}\n'
    finally:
        watch.terminate()
        watch.wait(10)
    deployment = tmp_path / "d.yaml"
    deployment.write_text("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n  selector: {matchLabels: {a: b}}\n  template:\n"
                          "    metadata: {labels: {a: b}}\n    spec: {containers: [{name: c, image: 'i:1'}]}\n")
    assert api.kubectl("apply", "--server-side", "-f", str(deployment)).stdout == "deployment.apps/d serverside-applied\n"
    assert api.kubectl("scale", "deployment", "d", "--replicas=3").stdout == "deployment.apps/d scaled\n"
    assert api.kubectl("get", "deployment", "d").stdout.splitlines()[1].split()[:4] == ["d", "0/3", "0", "0"]
    conflict = api.kubectl("apply", "--server-side", "--field-manager", "other", "-f", "-", input=deployment.read_text().replace("i:1", "i:2"))
    assert conflict.returncode != 0 and "conflict" in conflict.stderr, conflict
    assert api.kubectl("delete", "cm/k", "deployment/d").returncode == 0
    assert "NotFound" in api.kubectl("get", "cm", "k").stderr


@needs_kubectl
def test_kubectl_knows_the_schema(api, tmp_path):
    """What kubectl reads in /openapi/v3: whether it may leave checks to the server, how lists merge, what fields there are."""
    deployment = tmp_path / "d.yaml"
    text = ("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: schema}\nspec:\n  selector: {matchLabels: {a: b}}\n  template:\n"
            "    metadata: {labels: {a: b}}\n    spec: {containers: [{name: c, image: 'i:1', ports: [{containerPort: 80}]}]}\n")
    deployment.write_text(text)
    assert api.kubectl("create", "-f", str(deployment), "--dry-run=server").stdout == "deployment.apps/schema created (server dry run)\n"
    assert api.kubectl("apply", "-f", str(deployment)).stdout == "deployment.apps/schema created\n"
    assert api.kubectl("apply", "-f", str(deployment)).stdout == "deployment.apps/schema unchanged\n"
    assert api.kubectl("patch", "deployment", "schema", "-p", '{"spec":{"template":{"spec":{"containers":[{"name":"d","image":"i:2"}]}}}}').returncode == 0
    deployment.write_text(text.replace("i:1", "i:3"))
    assert api.kubectl("apply", "-f", str(deployment)).stdout == "deployment.apps/schema configured\n"
    images = api.kubectl("get", "deployment", "schema", "-o", "jsonpath={.spec.template.spec.containers[*].image}").stdout
    assert sorted(images.split()) == ["i:2", "i:3"], "containers are merged by name"
    deployment.write_text(text.replace("image:", "imag:"))
    refused = api.kubectl("apply", "-f", str(deployment))
    assert refused.returncode != 0 and 'unknown field "spec.template.spec.containers[1].imag"' in refused.stderr, refused
    explained = api.kubectl("explain", "deployment.spec.strategy.rollingUpdate").stdout
    assert "VERSION:    v1" in explained and "maxSurge\t<IntOrString>" in explained and "maxUnavailable" in explained
    assert 'field "nope" does not exist' in api.kubectl("explain", "deployment.spec.nope").stderr
    assert api.kubectl("delete", "deployment", "schema").returncode == 0


def test_schemas_are_kept_by_their_hash(api):
    client = api.client()
    status, headers, text = client.raw("GET", "/openapi/v3")
    index = json.loads(text)["paths"]
    assert status == 200 and {"api/v1", "apis/apps/v1", "apis/rbac.authorization.k8s.io/v1"} <= index.keys()
    assert client.raw("GET", "/openapi/v3", **{"If-None-Match": headers["ETag"]})[0] == 304
    for path, entry in index.items():
        url = entry["serverRelativeURL"]
        status, headers, text = client.raw("GET", url)
        assert (status, headers["Cache-Control"], headers["ETag"]) == (200, "public, immutable", f'"{url.rpartition("=")[2]}"')
        assert url.startswith(f"/openapi/v3/{path}?hash=") and json.loads(text)["components"]["schemas"]
    url = index["api/v1"]["serverRelativeURL"]
    assert client.raw("GET", url, **{"If-None-Match": client.raw("GET", url)[1]["ETag"]})[::2] == (304, b"")
    status, headers, _ = client.raw("GET", "/openapi/v3/api/v1?hash=0123")
    assert (status, headers["Location"]) == (301, url)
    whole, packed = client.raw("GET", "/openapi/v3/api/v1"), client.raw("GET", "/openapi/v3/api/v1", **{"Accept-Encoding": "gzip"})
    assert packed[1]["Content-Encoding"] == "gzip" and gzip.decompress(packed[2]) == whole[2] and whole[1]["Cache-Control"] != "public, immutable"
    for accept, status in (("text/html", 406), ("application/com.github.proto-openapi.spec.v3@v1.0+protobuf", 406), ("text/html, */*;q=0.1", 200),
                           ("application/vnd.kubernetes.protobuf, application/json", 200), ("application/json;q=0", 200), ("application/json;as=Nothing", 200)):
        assert client.raw("GET", "/openapi/v3/apis/apps/v1", Accept=accept)[0] == status, accept
    for path in ("/openapi/v3/apis/nope/v1", "/openapi/v3/api/v9", "/openapi/v3/apis/apps", "/openapi/v3/", "/openapi/v3/%20v2", "/openapi/v2/"):
        assert client.raw("GET", path)[0] == 404, path


@needs_kubectl
def test_who_may(api):
    assert api.kubectl("auth", "can-i", "list", "pods", "--as=jane").stdout == "no\n"
    assert api.kubectl("create", "clusterrolebinding", "jane", "--clusterrole=view", "--user=jane").returncode == 0
    assert 'User "jane" cannot list resource "secrets"' in api.kubectl("get", "secrets", "--as=jane").stderr
    assert api.kubectl("delete", "clusterrolebinding", "jane").returncode == 0
    assert "cannot list" in api.kubectl("get", "cm", "--as=jane").stderr


@needs_kubectl
def test_service_account_tokens(api):
    """kubectl's own token works while its account, and what it is bound to, are there."""
    assert api.kubectl("create", "serviceaccount", "robot").returncode == 0
    token = api.kubectl("create", "token", "robot", "--duration=10m").stdout.strip()
    assert api.kubectl("create", "secret", "generic", "bond").returncode == 0
    bound = api.kubectl("create", "token", "robot", "--bound-object-kind=Secret", "--bound-object-name=bond").stdout.strip()
    me = ("auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
    as_bearer = ("--kubeconfig=/dev/null", f"--server=https://127.0.0.1:{api.port}", f"--certificate-authority={api.pki}/ca.crt")
    for t in (token, bound):
        assert api.kubectl(*me, *as_bearer, f"--token={t}").stdout == "system:serviceaccount:default:robot"
    assert "forbidden" in api.kubectl("get", "cm", *as_bearer, f"--token={token}").stderr
    assert api.kubectl("create", "rolebinding", "robot", "--clusterrole=cluster-admin", "--serviceaccount=default:robot").returncode == 0
    assert api.kubectl("get", "cm", *as_bearer, f"--token={token}").returncode == 0
    assert api.kubectl("auth", "can-i", "--list", *as_bearer, f"--token={token}").stdout.count("*.*") == 1
    assert api.kubectl("delete", "secret/bond", "rolebinding/robot").returncode == 0
    assert "Unauthorized" in api.kubectl("get", "cm", *as_bearer, f"--token={bound}").stderr
    assert api.kubectl("delete", "serviceaccount", "robot").returncode == 0
    assert "Unauthorized" in api.kubectl("get", "cm", *as_bearer, f"--token={token}").stderr


ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"


def eventually(question, seconds=10):
    deadline = time.time() + seconds
    while not (answer := question()) and time.time() < deadline:
        time.sleep(0.01)
    return answer


def rules_of(client, name):
    return client.ask("GET", f"{ROLES}/{name}")[1].get("rules") or []


@needs_kubectl
def test_aggregated_roles():
    """view, edit and admin are the union of what is labelled for them, soon after the first start and after each change; a restart changes nothing."""
    a = Api().start()
    try:
        client = a.client()
        union = lambda: [rules_of(client, n) for n in ("view", "edit", "admin")]  # noqa: E731
        assert eventually(lambda: (lambda v, e, a: v and all(r in e for r in v) and all(r in a for r in e) and len(a) > len(e) > len(v))(*union()))
        view, edit, admin = union()
        assert a.kubectl("create", "clusterrolebinding", "jane", "--clusterrole=view", "--user=jane").returncode == 0
        can = lambda what: a.kubectl("auth", "can-i", "list", what, "--as=jane").stdout == "yes\n"  # noqa: E731
        assert can("configmaps") and not can("secrets")
        for i in range(20):  # all that come at once
            status, _ = client.ask("POST", ROLES, {"metadata": {"name": f"more-{i}", "labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}},
                                                   "rules": [{"apiGroups": [""], "resources": ["secrets", f"r{i}"], "verbs": ["list"]}]})
            assert status == 201
        assert eventually(lambda: len(rules_of(client, "admin")) == len(admin) + 20) and can("secrets"), "also those that come by way of another"
        before = client.ask("GET", ROLES)[1]
        assert a.end() == 0
        a.start()
        client = a.client()
        assert client.ask("GET", ROLES)[1]["items"] == before["items"]
        for i in range(20):
            assert client.ask("DELETE", f"{ROLES}/more-{i}")[0] == 200
        assert eventually(lambda: rules_of(client, "admin") == admin) and rules_of(client, "view") == view and not can("secrets")
        assert client.ask("PATCH", ROLES + "/view", {"rules": []}, **{"Content-Type": "application/merge-patch+json"})[0] == 200
        assert eventually(lambda: rules_of(client, "view") == view), "what a role aggregates is no one else's to set"
    finally:
        a.stop()


def age(directory, name, seconds, *options):
    """DIRECTORY/NAME.crt anew, so that two thirds of its life are over in that many seconds."""
    work = pathlib.Path(directory).parent / f"age-{name}"
    work.mkdir()
    (work / "index").touch()
    request = subprocess.run(["openssl", "x509", "-in", f"{directory}/{name}.crt", "-noout", "-ext", "subjectAltName"], capture_output=True, text=True)
    names = [n.strip().replace("IP Address:", "IP:") for n in request.stdout.partition("\n")[2].split(",") if n.strip()]
    extensions = f"subjectAltName={','.join(names)}" if names else "basicConstraints=critical,CA:TRUE"
    (work / "config").write_text(f"[ca]\ndefault_ca=c\n[c]\ndatabase={work}/index\nnew_certs_dir={work}\ndefault_md=sha256\npolicy=p\nrand_serial=yes\nunique_subject=no\n"
                                 f"[p]\ncommonName=supplied\n[e]\n{extensions}\n")
    now = time.time()
    begins, ends = (time.strftime("%Y%m%d%H%M%SZ", time.gmtime(now + d)) for d in (seconds - 200, seconds + 100))
    subject = subprocess.run(["openssl", "x509", "-in", f"{directory}/{name}.crt", "-noout", "-subject", "-nameopt", "compat"], capture_output=True, text=True).stdout
    for command in (["req", "-new", "-key", f"{directory}/{name}.key", "-subj", "/CN=" + subject.strip().rpartition("=")[2].strip(), "-out", f"{work}/csr"],
                    ["ca", "-batch", "-notext", "-config", f"{work}/config", "-extensions", "e", "-in", f"{work}/csr", "-keyfile", f"{directory}/ca.key", "-startdate", begins,
                     "-enddate", ends, "-out", f"{directory}/{name}.crt", *options]):
        subprocess.run(["openssl", *command], check=True, capture_output=True)


def serial(connection):
    return connection.sock.getpeercert()["serialNumber"]


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_certificates_are_renewed_while_it_runs():
    """Two thirds of their lives over, the serving certificate and the authority's are made anew; connections, and whoever trusts the old authority, go on."""
    a = Api().start()
    try:
        assert a.end() == 0
        old_authority = pathlib.Path(a.pki, "ca.crt").read_text()
        age(a.pki, "apiserver", 4, "-cert", f"{a.pki}/ca.crt")
        age(a.pki, "ca", 4, "-selfsign")
        aged = [pathlib.Path(a.pki, f"{n}.crt").read_text() for n in ("apiserver", "ca")]
        a.start()
        client = a.client()
        assert client.ask("GET", MAPS)[0] == 200
        first = serial(client.connection)
        assert [pathlib.Path(a.pki, f"{n}.crt").read_text() for n in ("apiserver", "ca")] == aged, "not due yet"
        now = lambda: [pathlib.Path(a.pki, f"{n}.crt").read_text() for n in ("apiserver", "ca")]  # noqa: E731
        assert eventually(lambda: all(x != y for x, y in zip(now(), aged)), 20) and eventually(lambda: a.log().rstrip().endswith("certificates were renewed"))
        later = a.client()
        assert later.ask("GET", MAPS)[0] == 200 and client.ask("GET", MAPS)[0] == 200
        assert serial(later.connection) != first == serial(client.connection)
        assert now()[1] != old_authority
        pathlib.Path(a.pki, "ca.crt").write_text(old_authority)  # the same key: clients that know the old certificate trust the new leaf
        assert a.client().ask("GET", MAPS)[0] == 200
        assert 1 <= a.log().count("certificates were renewed") <= 2, "no more than what was due, each at its second"
    finally:
        a.stop()


def test_since_when_and_with_which_flags_it_runs(tmp_path):
    """/statusz and /flagz: what it was started with, on the command line and by its file, and all else as it is by default."""
    (tmp_path / "config.yaml").write_text("request-timeout: 90s\nnode-eviction-rate: 0.25\n")
    began = int(time.time())
    a = Api("--config", str(tmp_path / "config.yaml"), "--event-ttl=2h").start()
    try:
        client, of = a.client(), "application/json;as={};v=v1beta1;g=config.k8s.io"
        code, state = client.ask("GET", "/statusz", Accept=of.format("Statusz"))
        assert code == 200 and state["metadata"] == {"name": "apiserver"} and state["binaryVersion"].startswith("1.36.")
        started = datetime.datetime.strptime(state["startTime"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc).timestamp()
        assert began <= started <= time.time() and started + state["uptimeSeconds"] <= time.time()
        flags = client.ask("GET", "/flagz", Accept=of.format("Flagz"))[1]["flags"]
        wanted = {"request-timeout": "1m30s", "node-eviction-rate": "0.25", "event-ttl": "2h", "scheduler": "false", "secure-port": str(a.port), "kubelet-timeout": "5s", "cluster-cidr": ""}
        assert {k: flags[k] for k in wanted} == wanted and list(flags) == sorted(flags)
        help_text = subprocess.run([f"{BUILD}/nacelle-api", "--help"], capture_output=True, text=True, check=True).stdout
        assert set(re.findall(r"--([a-z][a-z0-9-]+)", help_text)) <= set(flags)
        text = client.raw("GET", "/flagz")[2].decode()
        assert text.startswith("\napiserver flagz\n") and "\nrequest-timeout: 1m30s\n" in text
    finally:
        a.stop()


def test_no_certificate(api):
    context = __import__("ssl")._create_unverified_context()
    connection = __import__("http.client").client.HTTPSConnection("127.0.0.1", api.port, context=context, timeout=10)
    for path, status in (("/livez", 200), ("/api/v1/pods", 401)):
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status


def test_everybody_sees_each_change_once(api):
    """Writers at random, and watchers that come and go on from where they were: each sees all, in order."""
    start = api.client().ask("GET", MAPS)[1]["metadata"]["resourceVersion"]
    written, lock = [], threading.Lock()

    def write(writer):
        client = api.client()
        for i in range(40):
            name = f"w{writer}-{i % 5}"
            status, made = client.ask("PUT" if i >= 5 else "POST", MAPS + (f"/{name}" if i >= 5 else ""), config_map(name, n=i))
            assert status in (200, 201), made
            with lock:
                written.append((int(made["metadata"]["resourceVersion"]), name, made["data"]["n"]))

    def follow(seen, pieces):
        """Resumes after every few events."""
        at = start
        while len(seen) < 160:
            for i, event in enumerate(api.client().watch(f"{MAPS}?watch=1&timeoutSeconds=2&resourceVersion={at}")):
                assert event["type"] in ("ADDED", "MODIFIED"), event
                seen.append((int(event["object"]["metadata"]["resourceVersion"]), event["object"]["metadata"]["name"], event["object"]["data"]["n"]))
                at = event["object"]["metadata"]["resourceVersion"]
                if i == pieces or len(seen) == 160:
                    break

    views = [[] for _ in range(3)]
    threads = [threading.Thread(target=write, args=(w,)) for w in range(4)] + [threading.Thread(target=follow, args=(v, p)) for v, p in zip(views, (1000, 7, 31))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert all(view == sorted(written) for view in views)


def test_patches_of_one_object_lose_nothing(api):
    client = api.client()
    assert client.ask("POST", MAPS, config_map("many"))[0] == 201
    failed = []

    def patch(n):
        mine = api.client()
        for i in range(10):
            while True:
                status, answer = mine.ask("PATCH", MAPS + "/many", {"data": {f"k{n}-{i}": "x"}}, **{"Content-Type": "application/merge-patch+json"})
                if status != 409:
                    break
            if status != 200:
                failed.append(answer)

    threads = [threading.Thread(target=patch, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed and len(client.ask("GET", MAPS + "/many")[1]["data"]) == 160


def test_pages_are_of_one_moment(api):
    client = api.client()
    for i in range(25):
        assert client.ask("POST", MAPS, config_map(f"page-{i:02}", n=0))[0] == 201
    wanted = [o["metadata"]["resourceVersion"] for o in client.ask("GET", MAPS)[1]["items"]]
    got, query = [], "limit=7"
    while query:
        page = client.ask("GET", f"{MAPS}?{query}")[1]
        got += [o["metadata"]["resourceVersion"] for o in page["items"]]
        for i in range(25):  # what is changed between the pages is not in them
            client.ask("PUT", f"{MAPS}/page-{i:02}", config_map(f"page-{i:02}", n=len(got)))
        more = page["metadata"].get("continue")
        query = more and f"limit=7&continue={more}"
    assert got == wanted
    status, answer = client.ask("DELETE", MAPS + "?labelSelector=!x&fieldSelector=metadata.name!=kept")
    assert status == 200 and len(answer["items"]) == len(wanted)
    assert client.ask("GET", MAPS)[1]["items"] == []


def test_a_name_that_no_key_has_room_for(api):
    """Roles are called whatever a path's segment may be, of any length on kube-apiserver."""
    client, roles = api.client(), "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles"
    room = 1023 - len("rbac.authorization.k8s.io/roles/default/")
    assert client.ask("POST", roles, {"metadata": {"name": "(" * room}, "rules": []})[0] == 201
    status, answer = client.ask("POST", roles, {"metadata": {"name": "(" * (room + 1)}, "rules": []})
    assert (status, answer["details"]["causes"][0]["field"]) == (422, "metadata.name")
    assert client.ask("PATCH", f"{roles}/{'x' * (room + 1)}?fieldManager=a", {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role"},
                      **{"Content-Type": "application/apply-patch+yaml"})[0] == 422
    assert client.raw("DELETE", roles + "/" + "(" * room)[0] == 200


def test_a_watch_of_what_is_to_come(api):
    """It is told what comes behind the revision it begins with, and nothing before."""
    client, maps = api.client(), "/api/v1/namespaces/default/configmaps"
    begin = int(client.ask("GET", maps)[1]["metadata"]["resourceVersion"]) + 3
    events = client.watch(f"{maps}?watch=1&resourceVersion={begin}&allowWatchBookmarks=true&timeoutSeconds=3")
    told = threading.Thread(target=lambda: heard.extend(events))
    heard = []
    told.start()
    time.sleep(0.5)
    made = [int(client.ask("POST", maps, {"metadata": {"generateName": "to-come-"}})[1]["metadata"]["resourceVersion"]) for _ in range(6)]
    told.join(20)
    assert made[0] <= begin < made[-1]
    assert [int(e["object"]["metadata"]["resourceVersion"]) for e in heard if e["type"] != "BOOKMARK"] == [r for r in made if r > begin]


def test_the_past_ends(api):
    """410: as an error of a list, and as the event that ends a watch."""
    client = api.client()
    status, answer = client.ask("GET", MAPS + "?resourceVersion=1&resourceVersionMatch=Exact")
    first = client.ask("GET", MAPS)[1]["metadata"]["resourceVersion"]
    assert client.ask("POST", MAPS, config_map("past"))[0] == 201
    for i in range(200):
        client.ask("PUT", MAPS + "/past", config_map("past", n=i))
    assert (status, answer.get("reason")) in ((410, "Expired"), (200, None))
    events = list(api.client().watch(f"{MAPS}?watch=1&timeoutSeconds=1&resourceVersion={first}"))
    assert len(events) == 201, "what is young stays"


def test_a_page_of_what_was_ends():
    """Once its revision is compacted away: 410 with a token that goes on with what there is; exact lists end, watches do not."""
    other = Api("--etcd-compaction-interval=1s").start()
    try:
        client = other.client()
        for i in range(6):
            assert client.ask("POST", MAPS, config_map(f"m{i}"))[0] == 201
        page = client.ask("GET", MAPS + "?limit=2")[1]
        token, first = page["metadata"]["continue"], page["metadata"]["resourceVersion"]
        for where in ("m0", "m4"):
            assert client.ask("DELETE", f"{MAPS}/{where}")[0] == 200
        wait_for("compaction", lambda: client.ask("GET", f"{MAPS}?limit=2&continue={token}")[0] == 410)
        status, answer = client.ask("GET", f"{MAPS}?limit=2&continue={token}")
        assert (status, answer["reason"], answer["status"]) == (410, "Expired", "Failure")
        assert "Continuing with the provided token results in an inconsistent list" in answer["message"]
        for refused in ("GET", "DELETE"):
            assert client.ask(refused, f"{MAPS}?limit=2&continue={token}")[1]["metadata"]["continue"] == answer["metadata"]["continue"]
        rest, going = [], answer["metadata"]["continue"]
        revisions = set()
        while going:
            page = client.ask("GET", f"{MAPS}?limit=2&continue={going}")[1]
            rest += [item["metadata"]["name"] for item in page["items"]]
            revisions.add(page["metadata"]["resourceVersion"])
            going = page["metadata"].get("continue")
        assert rest == ["m2", "m3", "m5"], "m1 was on the first page"
        assert len(revisions) == 1 and int(revisions.pop()) > int(first)
        status, answer = client.ask("GET", f"{MAPS}?resourceVersion={first}&resourceVersionMatch=Exact")
        assert (status, answer["message"]) == (410, "The resourceVersion for the provided list is too old.")
        assert "continue" not in answer["metadata"]
        events = list(other.client().watch(f"{MAPS}?watch=1&timeoutSeconds=1&resourceVersion={first}"))
        assert [e["type"] for e in events] == ["DELETED", "DELETED"]
        other.end()
        other.start()
        (event,) = other.client().watch(f"{MAPS}?watch=1&timeoutSeconds=1&resourceVersion=1")
        assert event["type"] == "ERROR" and event["object"]["code"] == 410
        assert event["object"]["message"].startswith("too old resource version: 1 ("), event
    finally:
        other.stop()


def test_large_bodies_and_deep_ones(api):
    client = api.client()
    revisions = "/apis/apps/v1/namespaces/default/controllerrevisions"
    large = {"metadata": {"name": "large"}, "revision": 1, "data": {"x": "x" * (2 << 20)}}
    assert client.ask("POST", revisions, large)[0] == 201
    assert client.ask("POST", MAPS, config_map("large", x="x" * (2 << 20)))[0] == 422
    status, answer = client.ask("POST", MAPS, config_map("larger", x="x" * (3 << 20)))
    assert (status, answer["reason"]) == (413, "RequestEntityTooLarge")
    client.connection = None
    status, answer = client.ask("POST", MAPS, b'{"metadata":' * 200 + b"1" + b"}" * 200)
    assert status == 400, answer
    client.ask("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
    many = {"metadata": {"name": "many"}, "spec": {"containers": [{"name": f"c{i}", "image": "i"} for i in range(20000)]}}
    status, answer = client.ask("POST", "/api/v1/namespaces/default/pods", many)
    assert (status, answer["reason"]) == (413, "RequestEntityTooLarge"), answer
    for kind in ("merge-patch", "strategic-merge-patch", "json-patch"):
        status, answer = client.ask("PATCH", revisions + "/large", b'{"metadata":' * 200 + b"1" + b"}" * 200, **{"Content-Type": f"application/{kind}+json"})
        assert (status, answer["message"]) == (400, "error decoding patch: line 1: nested deeper than 100 levels")
    client.ask("DELETE", revisions + "/large")


@pytest.mark.parametrize("options", [
    '{"dryRun":"All"}', '{"dryRun":["All","None"]}', '{"dryRun":[5]}', '{"propagationPolicy":5}', '{"preconditions":{"uid":5}}', '{"preconditions":"x"}', '{"orphanDependents":"no"}',
    '{"gracePeriodSeconds":"5"}', '{"kind":"ConfigMap","apiVersion":"v1"}', "[]", "dryRun: All",
])
def test_what_cannot_be_read_deletes_nothing(api, options):
    client = api.client()
    client.ask("POST", MAPS, config_map("kept"))
    for path in (MAPS + "/kept", MAPS + "?fieldSelector=metadata.name%3Dkept"):
        for kind in ("application/json", "application/yaml"):
            status, answer = client.ask("DELETE", path, options.encode(), **{"Content-Type": kind})
            assert status in (400, 422), answer
            assert client.raw("GET", MAPS + "/kept")[0] == 200
    client.ask("DELETE", MAPS + "/kept")


def test_clients_that_leave(api):
    """In the middle of a body, of a watch, before a change is answered: others are served, and what was asked for whole is done."""
    for i in range(20):
        client = api.client()
        client.connection = client.open()
        client.connection.putrequest("POST", MAPS)
        client.connection.putheader("Content-Type", "application/json")
        client.connection.putheader("Content-Length", "1000")
        client.connection.endheaders(b'{"metadata":')
        client.connection.close()
        whole = api.client()
        whole.connection = whole.open()
        whole.connection.request("POST", MAPS, json.dumps(config_map(f"left-{i}")), {"Content-Type": "application/json"})
        whole.connection.close()
        watch = api.client().watch(f"{MAPS}?watch=1&timeoutSeconds=20&resourceVersion=0")
        next(watch)
        watch.close()
    status, answer = api.client().ask("GET", MAPS)
    assert status == 200 and sum(o["metadata"]["name"].startswith("left-") for o in answer["items"]) > 0
    assert api.client().ask("DELETE", MAPS)[0] == 200


def test_protobuf(api):
    client = api.client()
    assert client.ask("POST", MAPS, config_map("p", a="b"))[0] == 201
    status, headers, body = client.raw("GET", MAPS + "/p", Accept="application/vnd.kubernetes.protobuf")
    assert (status, headers["Content-Type"], body[:4]) == (200, "application/vnd.kubernetes.protobuf", b"k8s\0") and b"ConfigMap" in body
    again = body.replace(b"\x0a\x01p\x12", b"\x0a\x01q\x12", 1)  # metadata.name of another
    assert again != body
    status, answer = client.ask("POST", MAPS, again, **{"Content-Type": "application/vnd.kubernetes.protobuf"})
    assert status == 500 and "resourceVersion should not be set" in answer["message"]
    status, headers, body = client.raw("GET", MAPS + "?limit=1", Accept="application/vnd.kubernetes.protobuf,application/json")
    assert status == 200 and body[:4] == b"k8s\0" and b"ConfigMapList" in body
    client.ask("DELETE", MAPS + "/p")


def test_what_was_answered_survives():
    a = Api().start()
    try:
        client, made = a.client(), {}
        for i in range(30):
            status, answer = client.ask("POST", MAPS, config_map(f"s{i}", n=i))
            assert status == 201
            made[answer["metadata"]["name"]] = answer
            if i % 10 == 9:
                a.end(signal.SIGKILL)
                a.start()
                client = a.client()
        items = {o["metadata"]["name"]: o for o in client.ask("GET", MAPS)[1]["items"]}
        assert all(items[name]["metadata"]["uid"] == o["metadata"]["uid"] and items[name]["data"] == o["data"] for name, o in made.items())
        last = max(int(o["metadata"]["resourceVersion"]) for o in made.values())
        assert int(client.ask("POST", MAPS, config_map("after"))[1]["metadata"]["resourceVersion"]) > last
    finally:
        a.stop()
