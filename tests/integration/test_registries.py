"""Registries as people have them: whose word counts, who is let in, what is tried again, and what is told."""
import base64
import crypt
import json
import os
import pty
import re
import shutil
import subprocess
import time

import oci
import pytest

from support.cri import Client, api
from support.cutter import Cutter
from support.node import BUILD, PEERS, pod, wait_for
from support.registry import Registry
from test_transfers import fake, image, image_file, make_certificates, store  # noqa: F401


def b64(text):
    return base64.b64encode(text.encode()).decode()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    d = tmp_path_factory.mktemp("certificates")
    make_certificates(d)
    return d


@pytest.fixture(scope="module")
def guarded(certificates, image):  # noqa: F811
    """A real registry that takes only clients with a certificate, and an image in it."""
    r = Registry(tls=(f"{certificates}/server.crt", f"{certificates}/server.key"), client_ca=f"{certificates}/ca.crt")
    d = certificates / "skopeo"
    d.mkdir()
    for name in ("client.crt", "client.key"):
        shutil.copy(certificates / name, d / name.replace("crt", "cert"))
    shutil.copy(certificates / "ca.crt", d / "ca.crt")
    image.write_layout(f"{certificates}/layout", "x")
    r.ref = f"{r.host}/guarded/app:1"
    subprocess.run(["skopeo", "copy", "-q", "--dest-cert-dir", d, f"oci:{certificates}/layout:x", f"docker://{r.ref}"], check=True)
    yield r
    r.stop()


# --- TLS ---

def test_client_certificate_by_registries_yaml(store, guarded, certificates, tmp_path):  # noqa: F811
    config = tmp_path / "registries.yaml"
    tls = f"ca_file: {certificates}/ca.crt"
    config.write_text(f"configs: {{'{guarded.host}': {{tls: {{{tls}}}}}}}")
    assert "certificate" in store.run("pull", "--registries", str(config), guarded.ref, check=False).stderr
    config.write_text(f"configs: {{'{guarded.host}': {{tls: {{{tls}, cert_file: {certificates}/client.crt, key_file: {certificates}/client.key}}}}}}")
    store.run("pull", "--registries", str(config), guarded.ref)


@pytest.mark.parametrize("tls,works", [
    ('ca = "{c}/ca.crt"\nclient = [["{c}/client.crt", "{c}/client.key"]]', True),
    ('skip_verify = true\nclient = [["{c}/client.crt", "{c}/client.key"]]', True),
    ('ca = "{c}/ca.crt"', False), ('client = [["{c}/client.crt", "{c}/client.key"]]', False),
    ('ca = "{c}/nosuch.crt"\nclient = [["{c}/client.crt", "{c}/client.key"]]', False)],
    ids=["all", "unverified", "no certificate", "no CA", "CA not there"])
def test_client_certificate_by_hosts_toml(store, guarded, certificates, tmp_path, tls, works):  # noqa: F811
    hosts = tmp_path / "hosts" / "corp.test"
    hosts.mkdir(parents=True)
    (hosts / "hosts.toml").write_text(f'server = "https://127.0.0.1:1"\n[host."https://{guarded.host}"]\n' + tls.format(c=certificates) + "\n")
    p = store.run("pull", "--hosts-dir", str(tmp_path / "hosts"), "corp.test/guarded/app:1", check=False)
    assert (p.returncode == 0) == works, p.stderr


# --- hosts.toml ---

def hosts_toml(tmp_path, text):
    d = tmp_path / "hosts" / "corp.test"
    d.mkdir(parents=True)
    (d / "hosts.toml").write_text(text)
    return str(tmp_path / "hosts")


def test_a_mirror_that_may_not_resolve_names_no_tag(store, fake, tmp_path):  # noqa: F811
    """Its blobs are taken, for their digests are known; what a tag means is asked of the registry."""
    mirror, origin = fake(), fake()
    hosts = hosts_toml(tmp_path, f'server = "http://{origin.host}"\n[host."http://{mirror.host}"]\ncapabilities = ["pull"]\n')
    store.run("pull", "--hosts-dir", hosts, "corp.test/any/name:1")
    assert [p for p, _ in origin.requests] == ["/v2/any/name/manifests/1"]
    assert len([p for p, _ in mirror.requests if "/blobs/sha256:" in p]) == 4
    assert not [p for p, _ in mirror.requests if "/manifests/1" in p]


def test_a_mirror_that_may_only_resolve_gives_no_blob(store, fake, tmp_path):  # noqa: F811
    mirror, origin = fake(), fake()
    hosts = hosts_toml(tmp_path, f'server = "http://{origin.host}"\n[host."http://{mirror.host}"]\ncapabilities = ["resolve"]\n')
    store.run("pull", "--hosts-dir", hosts, "corp.test/any/name:1")
    assert [p.split("?")[0] for p, _ in mirror.requests] == ["/v2/any/name/manifests/1"]
    assert len([p for p, _ in origin.requests if "/blobs/" in p]) == 4


def test_override_path_and_headers(store, fake, tmp_path):  # noqa: F811
    mirror = fake()
    hosts = hosts_toml(tmp_path, f'server = "http://127.0.0.1:1"\n[host."http://{mirror.host}/api/v2/prefix"]\noverride_path = true\n'
                       f'[host."http://{mirror.host}/api/v2/prefix".header]\nx-one = "1"\nx-two = ["2", "3"]\n')
    store.run("pull", "--hosts-dir", hosts, "corp.test/any/name:1")
    path, headers = mirror.requests[0]
    assert path.startswith("/api/v2/prefix/any/name/manifests/1") and headers["x-one"] == "1" and "x-two" in headers


def test_push_goes_where_it_may(store, registry, image, tmp_path):  # noqa: F811
    """A mirror without the capability gets nothing."""
    image.write_layout(str(tmp_path / "layout"), "x")
    store.run("import", "--reference", "corp.test/pushed/here:1", str(tmp_path / "layout"))
    hosts = hosts_toml(tmp_path, f'server = "http://{registry.host}"\n[host."http://127.0.0.1:1"]\ncapabilities = ["pull", "resolve"]\n')
    store.run("push", "--hosts-dir", hosts, "corp.test/pushed/here:1")
    store.run("pull", registry.host + "/pushed/here:1")


# --- credentials ---

@pytest.mark.parametrize("auths,works", [
    ({"{h}": "me:secret"}, True), ({"https://{h}/v1/": "me:secret"}, True), ({"http://{h}": "me:secret"}, True),
    ({"{h}/team": "me:secret", "{h}": "me:wrong"}, True), ({"{h}/team/app": "me:secret", "{h}/team": "me:wrong"}, True),
    ({"{h}/team": "me:wrong", "{h}": "me:secret"}, False), ({"{h}/te": "me:secret"}, True), ({"{h}/tex": "me:secret"}, False),
    ({"*.0.0.1:{p}": "me:secret"}, True), ({"*.*.*.*:{p}/team": "me:secret", "{h}": "me:wrong"}, False), ({"*:{p}": "me:secret"}, False), ({"*.0.0.1": "me:secret"}, False), ({"other.test": "me:secret"}, False), ({}, False)],
    ids=["host", "docker's", "scheme", "path", "longer path", "longest wins", "within a path's part", "another path",
         "wildcard", "a host before a wildcard", "labels one by one", "port", "other", "none"])
def test_docker_config_by_host_and_path(store, fake, tmp_path, auths, works):  # noqa: F811
    f = fake(token="me:secret")
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"auths": {k.format(h=f.host, p=f.host.split(":")[1]): {"auth": b64(v)} for k, v in auths.items()}}))
    p = store.run("pull", "--docker-config", str(config), f.host + "/team/app:1", check=False)
    assert (p.returncode == 0) == works, p.stderr


HELPER = """#!/bin/sh
# A credential helper that keeps one object a server in files, and writes down what it is asked.
cd {d}
case $1 in
store) cat >stored; mv stored "$(sed 's/.*"ServerURL":"\\([^"]*\\)".*/\\1/' stored)" ;;
get) read -r server || :; echo "get $server" >>asked; cat "$server" 2>&- || {{ echo credentials not found in native keychain; exit 1; }} ;;
erase) read -r server || :; rm "$server" ;;
esac
"""


def make_helper(directory, name, text=HELPER):
    directory.mkdir(exist_ok=True)
    path = directory / f"docker-credential-{name}"
    path.write_text(text.format(d=directory))
    path.chmod(0o755)
    return {"PATH": f"{directory}:{os.environ['PATH']}"}


def answer(host, user, secret):
    return json.dumps({"ServerURL": host, "Username": user, "Secret": secret})


@pytest.fixture(scope="module")
def locked(image):  # noqa: F811
    """The real registry, which takes me:secret only, and an image in it."""
    r = Registry(auth="me:" + crypt.crypt("secret", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))
    r.ref = r.push(image, "kept/app:1", credentials="me:secret")
    yield r
    r.stop()


@pytest.mark.parametrize("config,user,works", [
    ({"credHelpers": {"{h}": "box"}}, "me:secret", True), ({"credsStore": "box"}, "me:secret", True),
    ({"credHelpers": {"{h}": "box"}, "credsStore": "nosuch"}, "me:secret", True), ({"credHelpers": {"other.test": "box"}}, "me:secret", False),
    ({"credsStore": "box", "auths": {"{h}": {"auth": b64("me:wrong")}}}, "me:secret", True),
    ({"credsStore": "box", "auths": {"{h}": {"auth": b64("me:secret")}}}, None, True),
    ({"credsStore": "box", "credHelpers": {"{h}": ""}}, "me:secret", False), ({"credsStore": "box"}, None, False), ({"credsStore": "box"}, "me:wrong", False)],
    ids=["credHelpers", "credsStore", "credHelpers first", "another's", "before auths", "auths when it has none", "none for this one", "no credentials", "wrong"])
def test_credential_helpers(store, locked, tmp_path, config, user, works):  # noqa: F811
    env = make_helper(tmp_path / "box", "box")
    if user:
        (tmp_path / "box" / locked.host).write_text(answer(locked.host, *user.split(":")))
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config).replace("{h}", locked.host))
    p = store.run("pull", "--docker-config", str(path), locked.ref, check=False, env=env)
    assert (p.returncode == 0) == works, p.stderr
    assert "secret" not in p.stderr and "warning" not in p.stderr


def test_credential_helper_with_a_token(store, fake, tmp_path):  # noqa: F811
    f = fake(refresh="refresh-me")
    env = make_helper(tmp_path / "box", "box")
    (tmp_path / "box" / f.host).write_text(answer(f.host, "<token>", "refresh-me"))
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"credsStore": "box"}))
    store.run("pull", "--docker-config", str(path), f.host + "/any/name:1", env=env)


@pytest.mark.parametrize("name,body,says", [
    ("nosuch", None, "there is no such program in PATH"), ("../box", None, "is no name of a helper"), ("box", "echo the keyring is locked; exit 1", "exit code 1: the keyring is locked"),
    ("box", "echo {{", "the answer is no JSON object"), ("box", "exec yes", "answered more than 32768 bytes"), ("box", "kill -9 $$", "killed by signal 9")],
    ids=["not there", "no name", "fails", "no JSON", "too long", "killed"])
def test_a_credential_helper_that_fails(store, locked, fake, tmp_path, name, body, says):  # noqa: F811
    """What is public is pulled all the same; a registry's refusal comes with the reason."""
    env = make_helper(tmp_path / "box", "box", "#!/bin/sh\n" + (body or ":") + "\n")
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"credsStore": name}))
    where = f"{path}: credsStore: docker-credential-{name} get: {says}"
    p = store.run("pull", "--docker-config", str(path), fake().host + "/any/name:1", env=env)
    assert "warning" in p.stderr and where in p.stderr
    p = store.run("pull", "--docker-config", str(path), locked.ref, check=False, env=env)
    last = p.stderr.splitlines()[-1]
    assert p.returncode != 0 and where in last and "without its credentials: " in last


def test_login_and_logout_with_a_helper(node, locked, tmp_path):
    env = dict(os.environ, DOCKER_CONFIG=str(tmp_path / "docker"), **make_helper(tmp_path / "box", "box"))

    def run(*args, **kwargs):
        return subprocess.run([BUILD + "/nacelle", "-r", "unix://" + node.socket, *args], env=env, capture_output=True, text=True, timeout=60, **kwargs)

    config = tmp_path / "docker" / "config.json"
    config.parent.mkdir()
    config.write_text(json.dumps({"credsStore": "box"}))
    assert run("pull", "-q", locked.ref).returncode == 1
    done = run("login", "-u", "me", "--password-stdin", locked.host, input="secret\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Login succeeded\n", "")
    assert json.loads(config.read_text()) == {"credsStore": "box", "auths": {locked.host: {}}}
    assert json.loads((tmp_path / "box" / locked.host).read_text()) == {"ServerURL": locked.host, "Username": "me", "Secret": "secret"}
    done = run("pull", "-q", locked.ref)
    assert done.returncode == 0, done.stderr
    assert run("tag", locked.ref, locked.ref + "0").returncode == 0 and run("push", "-q", locked.ref + "0").returncode == 0
    assert run("logout", locked.host).returncode == 0
    assert not (tmp_path / "box" / locked.host).exists() and json.loads(config.read_text())["auths"] == {}
    done = run("pull", "-q", locked.ref)
    assert done.returncode == 1 and "warning" not in done.stderr
    config.write_text(json.dumps({"credsStore": "nosuch"}))
    done = run("pull", "-q", locked.ref)
    assert done.returncode == 1 and "warning: " in done.stderr and "credsStore: docker-credential-nosuch get" in done.stderr
    for image in (locked.ref, locked.ref + "0"):
        run("rmi", image)


def test_the_agent_asks_the_helper_of_its_own_config(new_node, locked, tmp_path):
    """Each time; not where CRI brings credentials; and it is ended with the call."""
    box, config = tmp_path / "box", tmp_path / "config.json"
    config.write_text(json.dumps({"credHelpers": {locked.host: "box"}}))
    node = new_node("--registry-auth-file", str(config), env=make_helper(box, "box"))
    cri = Client(node.socket)
    code, text = cri.code("PullImage", image=api.ImageSpec(image=locked.ref))
    assert code != "OK" and (box / "asked").read_text() == f"get {locked.host}\n"
    assert cri.code("PullImage", image=api.ImageSpec(image=locked.ref), auth=api.AuthConfig(username="me", password="secret"))[0] == "OK"
    assert (box / "asked").read_text() == f"get {locked.host}\n"
    node.nacelle("rmi", locked.ref)
    (box / locked.host).write_text(answer(locked.host, "me", "secret"))
    node.write("h.yaml", pod("h", {"command": ["sleep", "1000"], "image": locked.ref, "imagePullPolicy": "IfNotPresent"}))
    wait_for("the image", lambda: locked.ref in node.nacelle("images", "-o", "json"))
    node.remove("h.yaml")
    make_helper(box, "box", "#!/bin/sh\necho $$ >{d}/pid\nexec sleep 1000\n")
    p = subprocess.Popen([BUILD + "/nacelle", "-r", "unix://" + node.socket, "pull", "-q", locked.ref], stderr=subprocess.DEVNULL, env=dict(os.environ, DOCKER_CONFIG="/nonexistent"))
    pid = wait_for("the helper", lambda: (box / "pid").exists() and (box / "pid").read_text().strip())
    p.kill()
    p.wait()
    wait_for("its end", lambda: not os.path.exists(f"/proc/{pid}"))
    make_helper(box, "box", "#!/bin/sh\necho the keyring is locked\nexit 1\n")
    code, text = cri.code("PullImage", image=api.ImageSpec(image=locked.ref))
    cri.close()
    assert code != "OK" and f"{config}: credHelpers: docker-credential-box get: exit code 1: the keyring is locked" in text
    assert "secret" not in node.log()


@pytest.mark.parametrize("client", ["nacelle", "crictl", "pod"])
def test_the_agent_leaves_while_a_helper_hangs(new_node, tmp_path, client):
    box, config = tmp_path / "box", tmp_path / "config.json"
    config.write_text(json.dumps({"credsStore": "box"}))
    node = new_node("--registry-auth-file", str(config), env=make_helper(box, "box", "#!/bin/sh\necho $$ >{d}/pid\nexec sleep 1000\n"))
    p = None
    if client == "pod":
        node.write("h.yaml", pod("h", {"image": "127.0.0.1:1/x:1", "imagePullPolicy": "Always"}))
    else:
        program = BUILD + "/nacelle" if client == "nacelle" else f"{PEERS}/crictl"
        p = subprocess.Popen([program, "-r", "unix://" + node.socket, "pull", "127.0.0.1:1/x:1"], stderr=subprocess.PIPE, env=dict(os.environ, DOCKER_CONFIG="/nonexistent"))
    pid = wait_for("the helper", lambda: (box / "pid").exists() and (box / "pid").read_text().strip())
    node.process.terminate()
    assert node.process.wait(20) == 0 and not os.path.exists(f"/proc/{pid}")
    if p:
        p.communicate(timeout=20)
        assert p.returncode != 0
    make_helper(box, "box")
    node.start()


PROVIDER = """#!/bin/sh
# An image credential provider with the credentials that it is started with; writes down what it is asked.
cat >>{d}/requests
echo '{{"kind": "CredentialProviderResponse", "apiVersion": "credentialprovider.kubelet.k8s.io/v1", "cacheKeyType": "Registry",'
echo '"auth": {{"*.0.0.1:'$1'": {{"username": "me", "password": "'$SECRET'"}}}}}}'
"""


def test_credential_providers(new_node, locked, tmp_path):
    """For what their matchImages say, once as long as the answer is kept; what fails is in the error of the pull."""
    port, provider, config = locked.host.split(":")[1], tmp_path / "bin" / "provider", tmp_path / "providers.yaml"
    provider.parent.mkdir()
    provider.write_text(PROVIDER.format(d=tmp_path))
    provider.chmod(0o755)
    version = "credentialprovider.kubelet.k8s.io/v1"
    config.write_text(json.dumps({"apiVersion": "kubelet.config.k8s.io/v1", "kind": "CredentialProviderConfig", "providers": [
        {"name": "provider", "apiVersion": version, "matchImages": [f"127.0.0.*:{port}"], "defaultCacheDuration": "10m", "args": [port],
         "env": [{"name": "SECRET", "value": "secret"}]}]}))
    node = new_node("--image-credential-provider-config", str(config), "--image-credential-provider-bin-dir", str(provider.parent))
    for _ in range(2):
        node.nacelle("pull", "-q", locked.ref)
        node.nacelle("rmi", locked.ref)
    requests = (tmp_path / "requests").read_text()
    assert json.loads(requests) == {"kind": "CredentialProviderRequest", "apiVersion": version, "image": locked.ref.rsplit(":", 1)[0]}
    provider.write_text("#!/bin/sh\necho no metadata server >&2\nexit 1\n")
    node.restart()
    cri = Client(node.socket)
    code, text = cri.code("PullImage", image=api.ImageSpec(image=locked.ref))
    cri.close()
    assert code != "OK" and "image credential provider provider: exit code 1: no metadata server; without its credentials" in text
    assert "secret" not in node.log()


@pytest.mark.parametrize("text,says", [("{", "config.json"), ('{"auths": {"%h": {"auth": "!!"}}}', "is not the base64"),
                                       ('{"auths": {"%h": {"auth": "' + b64("nocolon") + '"}}}', "is not the base64")])
def test_broken_docker_config_is_named(store, fake, tmp_path, text, says):  # noqa: F811
    f = fake(token="me:secret")
    config = tmp_path / "config.json"
    config.write_text(text.replace("%h", f.host))
    p = store.run("pull", "--docker-config", str(config), f.host + "/team/app:1", check=False)
    assert p.returncode != 0 and says in p.stderr


def test_credentials_by_registries_yaml(store, fake, tmp_path):  # noqa: F811
    f = fake(token="me:secret")
    config = tmp_path / "registries.yaml"
    for auth, works in (("username: me, password: secret", True), (f"auth: '{b64('me:secret')}'", True), ("username: me, password: x", False)):
        config.write_text(f"configs: {{'{f.host}': {{auth: {{{auth}}}}}}}")
        p = store.run("pull", "--registries", str(config), f.host + "/team/app:1", check=False)
        assert (p.returncode == 0) == works, p.stderr


def test_credentials_are_not_told_to_another_server(store, fake, tmp_path):  # noqa: F811
    """What is for the registry is not sent to its mirror."""
    mirror, origin = fake(token="other:x"), fake(token="me:secret")
    config = tmp_path / "registries.yaml"
    config.write_text(f"mirrors: {{'{origin.host}': {{endpoint: ['http://{mirror.host}']}}}}")
    store.run("pull", "--registries", str(config), origin.host + "/team/app:1", env={"NACELLE_REGISTRY_AUTH": "me:secret"})
    assert not [h for _, h in mirror.requests if b64("me:secret") in h.get("Authorization", "")]
    assert [h for _, h in origin.requests if b64("me:secret") in h.get("Authorization", "")]


def test_a_token_that_expires_on_the_way_is_renewed(store, fake, image):  # noqa: F811
    f = fake(token="", expire=3)
    store.run("pull", f.host + "/any/name:1")
    assert len(f.issued) >= 2 and store.file(image, "part2") == image_file(image, 2)


@pytest.mark.parametrize("auth,works", [
    (dict(username="me", password="secret"), True), (dict(auth=b64("me:secret")), True), (dict(registry_token="good"), True),
    (dict(username="me", password="wrong"), False), (dict(registry_token="bad"), False), (None, False),
    (dict(username="me", password="secret", server_address="other.test"), False), (dict(auth="!!"), False)],
    ids=["username", "auth", "registry token", "wrong", "wrong token", "none", "another server's", "garbage"])
def test_cri_credentials(node, fake, auth, works):  # noqa: F811
    f = fake(token="me:secret")
    cri = Client(node.socket)
    code, text = cri.code("PullImage", image=api.ImageSpec(image=f.host + "/team/app:1"), auth=api.AuthConfig(**auth) if auth else None)
    cri.close()
    assert (code == "OK") == works, text
    if not works:
        assert text and "secret" not in text and "wrong" not in text.replace("wrong token", "")


def test_cri_identity_token(node, fake):  # noqa: F811
    f = fake(refresh="refresh-me")
    cri = Client(node.socket)
    cri.call("PullImage", image=api.ImageSpec(image=f.host + "/any/name:1"), auth=api.AuthConfig(identity_token="refresh-me"))
    cri.close()


# --- again ---

@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_busy_servers(store, fake, status):  # noqa: F811
    f = fake(fail=2, fail_status=status)
    store.run("pull", f.host + "/any/name:1")


def test_retry_after_is_kept(store, fake):  # noqa: F811
    f = fake(fail=1, fail_status=429, retry_after=2)
    begun = time.monotonic()
    store.run("pull", f.host + "/any/name:1")
    assert time.monotonic() - begun > 1.9


def test_a_real_registry_behind_a_line_that_breaks(store, registry, image):  # noqa: F811
    """Every connection is cut after 120 kB; the layers of 300 kB come in pieces, none from its beginning again."""
    ref = registry.push(image, "cut/app:1")
    cutter = Cutter(registry.port, 120000)
    try:
        store.run("pull", ref.replace(registry.host, cutter.host))
        assert store.file(image, "part2") == image_file(image, 2)
        assert 8 <= cutter.connections <= 30  # 900 kB in pieces of 120 kB, and what retries cost
    finally:
        cutter.stop()


def test_no_use_in_trying_again(store, fake):  # noqa: F811
    """What is refused for good is told at once."""
    f = fake(fail=1000, fail_status=403)
    begun = time.monotonic()
    p = store.run("pull", f.host + "/any/name:1", check=False)
    assert p.returncode != 0 and "403" in p.stderr and time.monotonic() - begun < 5


def test_a_registry_that_is_gone(node, registry, image):  # noqa: F811
    """With IfNotPresent a pod runs from the image on disk; with Always it says what is wrong."""
    busybox = oci.Image([oci.busybox_layer()], Cmd=["sh"])
    own = Registry()
    ref = own.push(busybox, "here/today:1")
    node.nacelle("pull", "-q", ref)
    own.stop()
    node.write("g.yaml", pod("g", {"command": ["sleep", "1000"], "image": ref, "imagePullPolicy": "IfNotPresent"},
                             {"name": "always", "command": ["sleep", "1000"], "image": ref, "imagePullPolicy": "Always"}))
    node.running("main")
    def why():
        waiting = [c.get("state", {}).get("waiting", {}) for c in node.status("g").get("containerStatuses", []) if c["name"] == "always"]
        return waiting and waiting[0].get("reason") in ("ErrImagePull", "ImagePullBackOff")
    wait_for("the reason", why)


# --- the command ---

def test_push_tag_save_load(node, registry, tmp_path):
    other = registry.host + "/by/command:2"
    node.nacelle("tag", "localhost/busybox:test", other)
    assert "sha256:" in node.nacelle("push", "-q", other)
    node.nacelle("rmi", other)
    assert "sha256:" in node.nacelle("pull", "-q", other)
    node.nacelle("save", "-q", "-f", str(tmp_path / "x.tar"), other)
    node.nacelle("rmi", other)
    assert other in node.nacelle("load", "-q", str(tmp_path / "x.tar"))
    assert json.loads(node.nacelle("inspecti", other))["status"]["repoTags"]
    node.nacelle("rmi", other)
    assert node.nacelle("rmi", other, check=False).returncode != 0
    out = node.nacelle("push", "-q", other, check=False)
    assert out.returncode == 1 and other in out.stderr


def test_progress_on_a_terminal(node, fake):  # noqa: F811
    """Lines that are drawn over, one a layer, with sizes; without a terminal nothing of it."""
    f = fake()
    fresh = oci.Image([oci.Layer().file(f"fresh{i}", os.urandom(300000)).tar() for i in range(3)])
    shutil.rmtree(f.layout)
    fresh.write_layout(f.layout, "x")
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(BUILD + "/nacelle", ["nacelle", "-r", "unix://" + node.socket, "pull", f.host + "/any/name:1"])
    seen = b""
    try:
        while (data := os.read(fd, 65536)):
            seen += data
    except OSError:
        pass
    os.close(fd)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    layers = set(re.findall(rb"([0-9a-f]{12})", seen))
    assert len(layers) >= 3 and b"done" in seen and b"\x1b[" in seen, seen
    node.nacelle("rmi", f.host + "/any/name:1")
    again = node.nacelle("pull", f.host + "/any/name:1", check=False)
    assert again.returncode == 0 and "\x1b" not in again.stderr
    node.nacelle("rmi", f.host + "/any/name:1")
