"""Certificates of nodes made by hand with the API service's authority, and what a cluster needs that hosts may join."""
import json
import os
import subprocess
import time

TOKEN = "abcdef.0123456789abcdef"
GROUP = "system:bootstrappers:kubeadm:default-node-token"
RBAC = "/apis/rbac.authorization.k8s.io/v1"


def binding(client, name, role, group):
    status, body = client.ask("POST", f"{RBAC}/clusterrolebindings", {
        "metadata": {"name": name}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group}]})
    assert status in (201, 409), body


def open_to_nodes(client):
    """What `nacelle init` and kubeadm make: bootstrap tokens may ask for a node's certificate, and nodes for their next one."""
    csrs = "system:certificates.k8s.io:certificatesigningrequests:"
    binding(client, "bootstrap", "system:node-bootstrapper", GROUP)
    binding(client, "first", csrs + "nodeclient", GROUP)
    binding(client, "next", csrs + "selfnodeclient", "system:nodes")
    put_token(client)


def put_token(client, token=TOKEN, **more):
    name, secret = token.split(".")
    data = {"token-id": name, "token-secret": secret, "usage-bootstrap-authentication": "true", "usage-bootstrap-signing": "true",
            "auth-extra-groups": GROUP, **more}
    status, body = client.ask("POST", "/api/v1/namespaces/kube-system/secrets", {
        "metadata": {"name": f"bootstrap-token-{name}"}, "type": "bootstrap.kubernetes.io/token", "stringData": data})
    assert status in (201, 409), body


def write_kubeconfig(path, api, user, port=None):
    with open(f"{api.pki}/ca.crt") as f:
        ca = f.read()
    with open(os.path.dirname(path) + "/ca.crt", "w") as f:
        f.write(ca)
    with open(path, "w") as f:
        json.dump({"apiVersion": "v1", "kind": "Config", "current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                   "clusters": [{"name": "c", "cluster": {"server": f"https://127.0.0.1:{port or api.port}", "certificate-authority": os.path.dirname(path) + "/ca.crt"}}],
                   "users": [{"name": "u", "user": user}]}, f)
    return str(path)


def openssl(*args, input=None):
    done = subprocess.run(["openssl", *map(str, args)], capture_output=True, text=True, input=input)
    assert done.returncode == 0, done.stderr
    return done.stdout


def sign(api, directory, name, begins, ends, organization="system:nodes"):
    """Certificate and key of node `name`, valid between two times in seconds since 1970, by the cluster's authority."""
    stamp = lambda t: time.strftime("%Y%m%d%H%M%SZ", time.gmtime(t))
    work = f"{directory}/sign-{time.monotonic_ns()}"
    os.makedirs(work + "/new")
    for file, text in (("index", ""), ("serial", f"{time.monotonic_ns():032x}\n"), ("cnf", f"""
[ca]
default_ca = own
[own]
database = {work}/index
serial = {work}/serial
new_certs_dir = {work}/new
certificate = {api.pki}/ca.crt
private_key = {api.pki}/ca.key
default_md = sha256
policy = any
x509_extensions = client
unique_subject = no
[any]
organizationName = optional
commonName = supplied
[client]
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
basicConstraints = critical,CA:FALSE
""")):
        with open(f"{work}/{file}", "w") as f:
            f.write(text)
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{work}/key", "-out", f"{work}/csr",
            "-subj", f"/O={organization}/CN=system:node:{name}")
    openssl("ca", "-config", f"{work}/cnf", "-batch", "-notext", "-startdate", stamp(begins), "-enddate", stamp(ends), "-in", f"{work}/csr", "-out", f"{work}/crt")
    with open(f"{work}/crt") as crt, open(f"{work}/key") as key:
        return crt.read() + key.read()


def serial(pem):
    return openssl("x509", "-noout", "-serial", "-in", pem).strip()


def dates(pem):
    """(begins, ends) in seconds since 1970."""
    text = dict(line.split("=", 1) for line in openssl("x509", "-noout", "-startdate", "-enddate", "-in", pem).splitlines())
    parse = lambda t: __import__("calendar").timegm(time.strptime(t, "%b %d %H:%M:%S %Y %Z"))
    return parse(text["notBefore"]), parse(text["notAfter"])
