"""Replays a corpus of requests against kube-apiserver and nacelle-api, and says where their answers differ.

A corpus file is blocks divided by empty lines. A block's first line is `METHOD PATH [header=value]...`; what follows is its body. `#` lines are
comments, and `{name}` in paths, headers (where %20 is a blank) and bodies is what a line `@ name POINTER` behind an earlier block took from that answer, on each side its own.
A request with an Authorization header shows no client certificate. A block `PAUSE` waits until what was made has come to whoever follows it there. What has to differ (uids, times, versions of objects) is replaced by its place before answers are compared; what may differ stands, with its
reason, in exceptions.txt: `FILE:METHOD PATH-REGEX  POINTER-REGEX  # reason`.
"""
import concurrent.futures
import copy
import http.client
import itertools
import json
import pathlib
import re
import ssl
import time

HERE = pathlib.Path(__file__).resolve().parent
VOLATILE = {"uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "time", "selfLink", "continue", "token", "expirationTimestamp", "lastTransitionTime", "lastPhaseTransitionTime"}
RANGES = "10.96.0.0/16,fd00:10::/108"
CHANCE, CHANCE_PORT = {"nodePort", "healthCheckNodePort"}, 30086  # ports from there on are given by chance
PLUGINS = "NodeRestriction,OwnerReferencesPermissionEnforcement,DenyServiceExternalIPs,ExtendedResourceToleration"  # that both have on
HEADERS = ("content-type", "x-content-type-options", "warning", "cache-control", "x-kubernetes-pf-flowschema-uid", "x-kubernetes-pf-prioritylevel-uid")


class Server:
    """One of the two, by the address and the client certificate of a kubeconfig's directory."""

    def __init__(self, name, port, pki):
        self.name, self.port, self.taken = name, port, {}
        self.context = ssl.create_default_context(cafile=f"{pki}/ca.crt")
        self.bare = ssl.create_default_context(cafile=f"{pki}/ca.crt")
        self.context.load_cert_chain(f"{pki}/admin.crt", f"{pki}/admin.key")
        self.connection = None

    def beside(self, context=None):
        """The same server by another connection."""
        other = copy.copy(self)
        other.connection, other.context = None, context or self.context
        return other

    def ask(self, request):
        def fill(text):
            return re.sub(r"\{(\w+)\}", lambda m: str(self.taken.get(m.group(1), m.group(0))), text)

        path, body, headers = fill(request["path"]), fill(request["body"]), {k: fill(v) for k, v in request["headers"].items()}
        if "Authorization" in headers:
            return self.beside(self.bare).send(request["method"], path, body, headers)
        return self.send(request["method"], path, body, headers)

    def send(self, method, path, body, headers):
        if not self.connection:
            self.connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context, timeout=30)
        try:
            self.connection.request(method, path, body.encode() or None, {"User-Agent": "differential", **headers})
            answer = self.connection.getresponse()
            return answer.status, {h: [blur(v, h) for v in answer.headers.get_all(h)] for h in HEADERS if h in answer.headers}, answer.read().decode(errors="replace")
        except OSError as e:
            self.connection = None
            return 0, {}, f"no answer: {e}"


def read_corpus(path):
    requests, lines = [], [line for line in path.read_text().splitlines() if not line.startswith("#")]
    for block in "\n".join(lines).split("\n\n"):
        rows = [r for r in block.splitlines() if r.strip()]
        takes = [r.split()[1:] for r in rows if r.startswith("@ ")]
        rows = [r for r in rows if not r.startswith("@ ")]
        if not rows:
            continue
        method, target, *headers = [*rows[0].split(), ""][:2] + rows[0].split()[2:]
        fields = {k: v.replace("%20", " ") for k, v in (h.split("=", 1) for h in headers)}
        body = "\n".join(rows[1:])
        if body and "Content-Type" not in fields:
            fields["Content-Type"] = "application/json"
        requests.append({"file": path.stem, "method": method, "path": target, "headers": fields, "body": body, "takes": takes})
    return requests


def pointer(value, path):
    for part in path.strip("/").split("/"):
        value = value[int(part)] if isinstance(value, list) else value.get(part) if isinstance(value, dict) else None
    return value


def is_other_server(value):
    """What metrics-server, which is a server of its own there, brings along."""
    meta = value.get("metadata") if isinstance(value, dict) else None
    names = (value.get("name"), meta.get("name") if isinstance(meta, dict) else None) if isinstance(value, dict) else ()
    return "metrics.k8s.io" in names or "system:aggregated-metrics-reader" in names


def settle(value, key=None):
    """What has to differ is gone: a volatile text is its key, a generated name its prefix."""
    if isinstance(value, dict):
        prefix = value.get("generateName")
        return {k: prefix + "*" if k == "name" and isinstance(prefix, str) and str(v).startswith(prefix) else settle(v, k) for k, v in value.items()}
    if isinstance(value, list):
        settled = [settle(v, key) for v in value if not is_other_server(v)]
        return sorted(settled, key=json.dumps) if key == "managedFields" else settled  # they stand by the second in which they were made
    if key in VOLATILE and value:
        return f"<{key}>"
    if key in CHANCE and isinstance(value, int) and value >= CHANCE_PORT:
        return f"<{key}>"
    return blur(value, key) if isinstance(value, str) else value


def blur(text, key):
    """Within texts: uids, generated names, revisions, addresses that were given by chance; ages in tables."""
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<uid>", text)
    text = re.sub(r"\b(gen|kube-api-access)-[a-z0-9]{5}\b", r"\1-*", text)
    text = re.sub(r"(current: |in record \(|object meta: |\"resourceVersion\":\")\d+", r"\1<revision>", text)
    text = re.sub(r"\b10\.(96\.[1-9]\d*|98\.0)\.\d+\b", "<address>", text)  # 10.98.0.0/24: the second ServiceCIDR of services.txt
    text = re.sub(r"\bfd00:10::([0-9a-f]+:)?[0-9a-f]{3,4}\b", "<address>", text)
    text = re.sub(r"^([ -]*(resourceVersion|creationTimestamp|time)): .*$", r"\1: <\2>", text, flags=re.M)  # of YAML
    text = re.sub(r"^- name: metrics\.k8s\.io\n(  .*\n)*", "", text, flags=re.M)  # metrics-server's, in YAML
    return "<age>" if key == "cells" and re.fullmatch(r"(\d+[smhdy])+", text) else text


def sort_rules(value):
    """What somebody may: kube-apiserver has it in the order of a map."""
    if isinstance(value, dict) and value.get("kind") == "SelfSubjectRulesReview":
        for name in ("resourceRules", "nonResourceRules"):
            value["status"][name] = sorted(value["status"][name] or [], key=json.dumps)
    return value


def read_body(text):
    """An object, a watch's events as a list, or text."""
    try:
        return sort_rules(settle(json.loads(text)))
    except ValueError:
        try:
            return [settle(json.loads(line)) for line in text.splitlines()]
        except ValueError:
            return blur(text, None)


def differences(a, b, path=""):
    if isinstance(a, dict) and isinstance(b, dict):
        for key in [*a, *(k for k in b if k not in a)]:
            if key not in a or key not in b:
                yield f"{path}/{key}", a.get(key, "(nothing)"), b.get(key, "(nothing)")
            else:
                yield from differences(a[key], b[key], f"{path}/{key}")
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for i, (x, y) in enumerate(zip(a, b)):
            yield from differences(x, y, f"{path}/{i}")
    elif a != b or type(a) is not type(b):
        yield path or "/", a, b


def order(value):
    """The keys as they stand: clients do not mind, but bytes are a promise."""
    if isinstance(value, dict):
        return [[k, order(v)] for k, v in value.items()]
    return [order(v) for v in value] if isinstance(value, list) else None


def read_exceptions():
    rows = []
    for line in (HERE / "exceptions.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            rule, _, reason = line.partition(" # ")
            where, what = rule.split()
            rows.append((re.compile(where), re.compile(what), reason.strip()))
    return rows


def compare(request, theirs, ours, exceptions):
    """The differences that no exception names: (pointer, theirs, ours)."""
    name = f"{request['file']}:{request['method']}:{request['path']}"
    found = []
    if theirs[0] != ours[0]:
        found.append(("status", theirs[0], ours[0]))
    found += [(f"header/{p.strip('/')}", a, b) for p, a, b in differences(theirs[1], ours[1])]
    a, b = read_body(theirs[2]), read_body(ours[2])
    found += list(differences(a, b))
    if not found and order(a) != order(b):
        found.append(("order", "the same", "in another order"))
    return [f for f in found if not any(w.search(name) and p.fullmatch(f[0]) for w, p, _ in exceptions)]


def give_account(server, namespace):
    """What a controller does in a cluster: pods of a namespace run as its account."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    server.ask({"method": "POST", "path": path, "headers": {"Content-Type": "application/json"}, "body": '{"metadata":{"name":"default"}}'})


def is_watch(request):
    return request["method"] == "GET" and "watch=1" in request["path"] and not request["takes"]


def ask_all(pool, servers, path):
    """A file's requests with both answers, in order. Both servers are asked at a time; watches that follow each other last at a time."""
    for watches, requests in itertools.groupby(read_corpus(path), is_watch):
        if watches:
            requests = list(requests)
            asked = [[pool.submit(server.beside().ask, request) for server in servers] for request in requests]
            yield from ((request, [a.result() for a in answers]) for request, answers in zip(requests, asked))
            continue
        for request in requests:
            if request["method"] == "PAUSE":
                time.sleep(0.3)
                continue
            answers = [pool.submit(server.ask, request) for server in servers]
            yield request, [a.result() for a in answers]


def take(server, request, answer):
    """What later requests name, and the account that a namespace has in a cluster."""
    if answer[0] == 201 and request["method"] == "POST" and request["path"] == "/api/v1/namespaces":
        give_account(server, json.loads(answer[2])["metadata"]["name"])
    for name, where in request["takes"]:
        try:
            server.taken[name] = pointer(json.loads(answer[2]), where)
        except (ValueError, KeyError, IndexError, TypeError):
            server.taken[name] = ""


def run(theirs, ours, files, report=print):
    """Returns how many requests were compared, and how many of them differ."""
    exceptions, servers, compared, differ = read_exceptions(), (theirs, ours), 0, 0
    for server in servers:
        give_account(server, "default")
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        for request, answers in itertools.chain.from_iterable(ask_all(pool, servers, path) for path in files):
            for server, answer in zip(servers, answers):
                take(server, request, answer)
            found = compare(request, *answers, exceptions)
            compared, differ = compared + 1, differ + bool(found)
            for where, a, b in found:
                report(f"{request['file']}: {request['method']} {request['path']}\n    {where}\n      {theirs.name}: {json.dumps(a)[:600]}\n      {ours.name}: {json.dumps(b)[:600]}")
    return compared, differ
