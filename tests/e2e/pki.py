"""Who is who in the test's cluster: one certificate authority, one certificate, and a token for each client.

The certificate is the API server's in each of its roles: as server, as client of the kubelet, as front of extension servers.
Its private key also signs the tokens of service accounts.
"""
import json
import subprocess

# The tokens' users, as the API server's --token-auth-file has them.
USERS = {
    "admin": ("admin", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", ""),
    "scheduler": ("system:kube-scheduler", ""),
    "proxy": ("system:kube-proxy", ""),
}
EXTENSIONS = "basicConstraints=CA:FALSE\nkeyUsage=digitalSignature,keyEncipherment\nextendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=%s\n"
COMMON_NAME = "kube-apiserver"


def openssl(directory, *words):
    subprocess.run(["openssl", *words], cwd=directory, check=True, capture_output=True)


def make_certificates(directory, addresses):
    """ca.crt, ca.key, server.crt and server.key in `directory`; the server's for those addresses and its names inside a cluster."""
    names = [f"IP:{a}" for a in addresses] + ["DNS:localhost"]
    names += ["DNS:kubernetes" + rest for rest in ("", ".default", ".default.svc", ".default.svc.cluster.local")]
    with open(directory + "/extensions", "w") as f:
        f.write(EXTENSIONS % ",".join(names))
    new_key = ["-newkey", "rsa:2048", "-nodes"]
    openssl(directory, "req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.crt", "-days", "30", "-subj", "/CN=test cluster")
    openssl(directory, "req", *new_key, "-keyout", "server.key", "-out", "server.csr", "-subj", f"/O=system:masters/CN={COMMON_NAME}")
    openssl(directory, "x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30",
            "-extfile", "extensions", "-out", "server.crt")


def node(name):
    """What node `name` is called among the clients."""
    return "node-" + name


def make_clients(directory, server, nodes):
    """tokens.csv for the API server at the URL `server`, and NAME.kubeconfig for each user and each of the `nodes`."""
    users = {**USERS, **{node(name): ("system:node:" + name, "system:nodes") for name in nodes}}
    with open(directory + "/tokens.csv", "w") as f:
        for name, (user, group) in users.items():
            f.write(f'token-of-{name},{user},{name},"{group}"\n')
    for name in users:
        with open(f"{directory}/{name}.kubeconfig", "w") as f:
            json.dump({"apiVersion": "v1", "kind": "Config", "current-context": "test",
                       "contexts": [{"name": "test", "context": {"cluster": "test", "user": name}}],
                       "clusters": [{"name": "test", "cluster": {"server": server, "certificate-authority": directory + "/ca.crt"}}],
                       "users": [{"name": name, "user": {"token": "token-of-" + name}}]}, f)
