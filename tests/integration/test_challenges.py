"""Who is told which credentials, and what a registry's 401 may look like."""
import json
import ssl

import pytest

from support.site import Site, basic, serve_layout, take_pushes, tokens, with_basic, with_token
from test_transfers import Store, image, make_certificates, store  # noqa: F401

ME, OTHER = "me:secret", "b-user:b-secret"


@pytest.fixture(scope="module")
def layout(image, tmp_path_factory):  # noqa: F811
    d = str(tmp_path_factory.mktemp("layout"))
    image.write_layout(d, "x")
    return d


@pytest.fixture
def site():
    made = []

    def make(answer, **kwargs):
        made.append(Site(answer, **kwargs))
        return made[-1]

    yield make
    for s in made:
        s.stop()


def redirect(to, status=307, what=("manifests", "blobs")):
    """An answer() that sends every `what` to another server."""
    def answer(request):
        part = request.path.split("/")[-2]
        return (status, {"Location": to() + request.raw}, b"") if part in what else (404, {}, b"")
    return answer


def pull(store, ref, check=True, auth=ME, **files):  # noqa: F811
    args = [arg for key, value in files.items() for arg in ("--" + key.replace("_", "-"), str(value))]
    return store.run("pull", *args, ref, check=check, env={"NACELLE_REGISTRY_AUTH": auth} if auth else None)


def docker_config(tmp_path, **auths):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"auths": {host: {"auth": basic(credentials)[6:]} for host, credentials in auths.items()}}))
    return path


# --- credentials and the servers that they are for ---

@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("what", ["manifests", "blobs"])
@pytest.mark.parametrize("scheme", ["basic", "bearer"])
def test_a_redirect_takes_no_credentials_along(store, site, layout, status, what, scheme):  # noqa: F811
    """B challenges with a realm of its own: it is answered without A's credentials, and A never sees B's token."""
    bs_tokens = site(tokens("b-token"))
    b = site(with_token("b-token", f'Bearer realm="{bs_tokens.url}/t",service="b"', serve_layout(layout)))
    served, moved = serve_layout(layout), redirect(lambda: b.url, status, (what,))
    as_tokens = site(tokens("a-token", ME))
    answer = lambda r: moved(r) if r.path.split("/")[-2] == what else served(r)  # noqa: E731
    a = site(with_basic(ME, answer) if scheme == "basic" else with_token("a-token", f'Bearer realm="{as_tokens.url}/t"', answer))
    pull(store, a.host + "/x/y:1")
    assert a.told() == [basic(ME) if scheme == "basic" else "Bearer a-token"]
    assert b.told() == ["Bearer b-token"] and bs_tokens.told() == [] and bs_tokens.requests
    assert as_tokens.told() == ([] if scheme == "basic" else [basic(ME)])


def test_basic_of_another_server_is_not_answered(store, site, layout):  # noqa: F811
    b = site(with_basic(ME, serve_layout(layout)))
    a = site(with_basic(ME, redirect(lambda: b.url)))
    p = pull(store, a.host + "/x/y:1", check=False)
    assert p.returncode != 0 and f"{b.host} wants credentials, and there are none for it" in p.stderr
    assert b.told() == []


def test_a_server_that_refuses_any_authorization(store, site, layout):  # noqa: F811
    """As storage with signed URLs does; they are asked as they are, once, and stand in no message."""
    served = serve_layout(layout)
    b = site(lambda r: (400, {}, b"") if r.authorization or r.query.get("signature") != ["top/secret"] else served(r))
    a = site(with_basic(ME, lambda r: (307, {"Location": f"{b.url}{r.path}?signature=top%2Fsecret"}, b"")))
    pull(store, a.host + "/x/y:1")
    assert b.told() == [] and len(b.requests) == len({r.path for r in b.requests})
    b.answer = lambda r: (404, {}, b"")
    p = pull(Store(store.root + "2"), a.host + "/x/y:1", check=False)
    assert p.returncode != 0 and b.host in p.stderr and "signature" not in p.stderr


def test_the_other_servers_own_credentials(store, site, layout, tmp_path):  # noqa: F811
    """By docker's config.json and by registries.yaml; not what the latter has for all."""
    b = site(with_basic(OTHER, serve_layout(layout)))
    a = site(with_basic(ME, redirect(lambda: b.url)))
    pull(store, a.host + "/x/y:1", docker_config=docker_config(tmp_path, **{b.host: OTHER}))
    assert (a.told(), b.told()) == ([basic(ME)], [basic(OTHER)])
    registries, auth = tmp_path / "registries.yaml", "{auth: {username: b-user, password: b-secret}}"
    registries.write_text(f"configs: {{'{b.host}': {auth}}}")
    pull(Store(tmp_path / "2"), a.host + "/x/y:1", registries=registries)
    b.requests.clear()
    registries.write_text(f"configs: {{'*': {auth}}}")
    assert pull(Store(tmp_path / "3"), a.host + "/x/y:1", check=False, registries=registries).returncode != 0 and b.told() == []


def test_own_credentials_do_not_go_out_in_the_clear(store, site, layout, tmp_path):  # noqa: F811
    """A host that may not be asked by plain HTTP is not told its secrets there because another led to it."""
    b = site(with_basic(OTHER, serve_layout(layout)), address="0.0.0.0")
    port = b.host.split(":")[1]
    a = site(redirect(lambda: f"http://0.0.0.0:{port}"))
    config = docker_config(tmp_path, **{f"0.0.0.0:{port}": OTHER})
    assert pull(store, a.host + "/x/y:1", check=False, docker_config=config).returncode != 0 and b.told() == []
    pull(store, a.host + "/x/y:1", docker_config=config, insecure=f"0.0.0.0:{port}")
    assert b.told() == [basic(OTHER)]


def test_there_and_back(store, site, layout):  # noqa: F811
    """A redirect that leads back to A is A's own again."""
    a = site(None)
    b = site(lambda r: (302, {"Location": a.url + "/back" + r.raw}, b""))
    served = with_basic(ME, serve_layout(layout))
    a.answer = lambda r: served(r) if r.path.startswith("/back") else (302, {"Location": b.url + r.raw}, b"")
    pull(store, a.host + "/x/y:1")
    assert b.told() == [] and a.told() == [basic(ME)]


def test_redirects_come_to_an_end(store, site):  # noqa: F811
    a = site(lambda r: (302, {"Location": r.raw}, b""))
    p = pull(store, a.host + "/x/y:1", check=False)
    assert p.returncode != 0 and "redirects more than 8 times" in p.stderr and len(a.requests) < 30
    a.answer = lambda r: (307, {}, b"")
    assert "leads to nowhere" in pull(store, a.host + "/x/y:1", check=False).stderr
    a.answer = lambda r: (307, {"Location": "ftp://x/y"}, b"")
    assert "no URL of http or https" in pull(store, a.host + "/x/y:1", check=False).stderr


@pytest.mark.parametrize("steps,works", [(8, True), (9, False)])
def test_as_many_redirects_as_there_may_be(store, site, layout, steps, works):  # noqa: F811
    served = serve_layout(layout)
    a = site(lambda r: served(r) if int(r.query.get("n", ["0"])[0]) == steps else
             (302, {"Location": f"?n={int(r.query.get('n', ['0'])[0]) + 1}"}, b""))
    assert (pull(store, a.host + "/x/y:1", check=False).returncode == 0) == works


def test_headers_of_hosts_toml_stay_with_their_host(store, site, layout, tmp_path):  # noqa: F811
    b = site(serve_layout(layout))
    a = site(lambda r: redirect(lambda: b.url)(r) if r.headers["PRIVATE-TOKEN"] == "t" else (403, {}, b""))
    d = tmp_path / "hosts" / "corp.test"
    d.mkdir(parents=True)
    (d / "hosts.toml").write_text(f'server = "{a.url}"\n[header]\nPRIVATE-TOKEN = "t"\n')
    pull(store, "corp.test/x/y:1", hosts_dir=tmp_path / "hosts")
    assert b.requests and not [r for r in b.requests if r.headers["PRIVATE-TOKEN"]]


def test_a_mirror_that_leads_elsewhere(store, site, layout, tmp_path):  # noqa: F811
    """The mirror's own credentials are the mirror's; the registry, which it leads back to, gets its own."""
    origin = site(with_basic(ME, serve_layout(layout)))
    mirror = site(with_basic(OTHER, redirect(lambda: origin.url)))
    registries = tmp_path / "registries.yaml"
    registries.write_text(json.dumps({"mirrors": {origin.host: {"endpoint": [mirror.url]}},
                                      "configs": {mirror.host: {"auth": {"username": "b-user", "password": "b-secret"}}}}))
    pull(store, origin.host + "/x/y:1", registries=registries)
    assert (mirror.told(), origin.told()) == ([basic(OTHER)], [basic(ME)])


def test_a_token_servers_redirect(store, site, layout):  # noqa: F811
    final = site(tokens("t"))
    first = site(lambda r: (302, {"Location": final.url + r.raw}, b""))
    a = site(with_token("t", f'Bearer realm="{first.url}/t"', serve_layout(layout)))
    pull(store, a.host + "/x/y:1")
    assert first.told() == [basic(ME)] and final.told() == []


# --- TLS ---

@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    d = tmp_path_factory.mktemp("certificates")
    make_certificates(d)
    return d


@pytest.fixture
def secure(site, certificates):
    def make(answer):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificates / "ca.crt")
        context.load_cert_chain(certificates / "server.crt", certificates / "server.key")
        context.verify_mode = ssl.CERT_OPTIONAL
        return site(answer, tls=context)
    return make


def tls_of(certificates, **hosts):
    """registries.yaml with what each host has of "ca", "client" and "skip"."""
    keys = {"ca": {"ca_file": f"{certificates}/ca.crt"}, "skip": {"insecure_skip_verify": True},
            "client": {"cert_file": f"{certificates}/client.crt", "key_file": f"{certificates}/client.key"}}
    path = certificates / "registries.yaml"
    path.write_text(json.dumps({"configs": {h: {"tls": {k: v for what in all.split() for k, v in keys[what].items()}} for h, all in hosts.items()}}))
    return path


def test_nothing_goes_from_https_to_http(store, site, secure, layout, certificates):  # noqa: F811
    b = site(serve_layout(layout))
    a = secure(redirect(lambda: b.url))
    config = tls_of(certificates, **{a.host: "ca"})
    p = pull(store, a.host + "/x/y:1", check=False, registries=config)
    assert p.returncode != 0 and "from https to plain http" in p.stderr and b.requests == []
    a.answer = lambda r: (202, {"Location": b.url + "/upload"}, b"") if r.method == "POST" else take_pushes(r)
    p = push(store, a.host + "/x/y:1", layout, check=False, registries=config)
    assert p.returncode != 0 and "from https to plain http" in p.stderr and b.requests == []


def test_a_client_certificate_is_for_its_server(store, secure, layout, certificates):  # noqa: F811
    """The CA goes along, as registries and their storage share one; who we are is told to whom it is configured for."""
    b = secure(serve_layout(layout))
    a = secure(redirect(lambda: b.url))
    pull(store, a.host + "/x/y:1", registries=tls_of(certificates, **{a.host: "ca client"}))
    assert all(r.certificate for r in a.requests if r.method == "GET") and b.requests and not [r for r in b.requests if r.certificate]
    pull(Store(store.root + "2"), a.host + "/x/y:1", registries=tls_of(certificates, **{a.host: "ca", b.host: "ca client"}))
    assert b.requests[-1].certificate and not a.requests[-1].certificate


def test_secrets_want_a_server_that_is_verified(store, secure, layout, certificates, tmp_path):  # noqa: F811
    """What A may skip is not skipped where B's own credentials would go out."""
    b = secure(serve_layout(layout))
    a = secure(redirect(lambda: b.url))
    config = tls_of(certificates, **{a.host: "skip"})
    pull(store, a.host + "/x/y:1", registries=config)
    b.answer = with_basic(OTHER, serve_layout(layout))
    b.requests.clear()
    p = pull(Store(tmp_path / "2"), a.host + "/x/y:1", check=False, registries=config, docker_config=docker_config(tmp_path, **{b.host: OTHER}))
    assert p.returncode != 0 and "certificate" in p.stderr and b.requests == []
    pull(Store(tmp_path / "3"), a.host + "/x/y:1", docker_config=tmp_path / "config.json",
         registries=tls_of(certificates, **{a.host: "skip", b.host: "ca"}))


# --- pushes ---

def push(store, ref, layout, check=True, **files):  # noqa: F811
    store.run("import", "--reference", ref, layout)
    args = [arg for key, value in files.items() for arg in ("--" + key.replace("_", "-"), str(value))]
    return store.run("push", *args, ref, check=check, env={"NACELLE_REGISTRY_AUTH": ME})


def test_an_upload_elsewhere(store, site, layout):  # noqa: F811
    """Where the registry names another server for the bytes, that one is not told the registry's credentials."""
    b = site(lambda r: (201, {}, b"") if not r.authorization and r.query["state"] == ["x"] else (400, {}, b""))
    a = site(with_basic(ME, lambda r: (202, {"Location": f"{b.url}/upload?state=x"}, b"") if r.method == "POST" else take_pushes(r)))
    push(store, a.host + "/x/y:1", layout)
    assert [r.method for r in b.requests] == ["PUT"] * 4 and b.told() == [] and a.told() == [basic(ME)]
    assert {len(r.body) > 1000 for r in b.requests} == {True, False}


@pytest.mark.parametrize("status,works", [(307, True), (308, True), (301, False), (302, False)])
def test_an_upload_is_redirected(store, site, layout, status, works):  # noqa: F811
    """A body goes on with its method; where that would become GET, it is an error."""
    b = site(take_pushes)
    a = site(with_basic(ME, lambda r: take_pushes(r) if r.method in ("HEAD", "GET") else (status, {"Location": b.url + r.raw}, b"")))
    p = push(store, a.host + "/x/y:1", layout, check=works)
    assert b.told() == [] and (p.returncode == 0) == works
    if works:
        assert b.requests[-1].path.endswith("/manifests/1") and max(len(r.body) for r in b.requests) > 100000
    else:
        assert f"status {status}" in p.stderr


def test_an_upload_answers_the_other_servers_challenge(store, site, layout, tmp_path):  # noqa: F811
    b = site(with_basic(OTHER, take_pushes))
    a = site(with_basic(ME, lambda r: (202, {"Location": f"{b.url}/upload"}, b"") if r.method == "POST" else take_pushes(r)))
    p = push(store, a.host + "/x/y:1", layout, check=False)
    assert p.returncode != 0 and b.told() == [] and "there are none for it" in p.stderr
    push(store, a.host + "/x/y:1", layout, docker_config=docker_config(tmp_path, **{b.host: OTHER}))
    assert b.told() == [basic(OTHER)] and a.told() == [basic(ME)]


# --- what a challenge looks like, and what a token server is asked ---

CHALLENGES = {
    "several in a line": ['Negotiate, Basic realm="x", Bearer realm="{t}",service="s",scope="repository:x/y:pull"'],
    "bearer first": ['Bearer realm="{t}",service="s",scope="repository:x/y:pull", Basic realm="x"'],
    "several lines": ["Negotiate", 'Basic realm="x, Bearer"', 'Bearer realm="{t}",service="s",scope="repository:x/y:pull"'],
    "many lines": [f'Scheme{i} realm="{i}"' for i in range(10)] + ['Bearer realm="{t}",service="s",scope="repository:x/y:pull"'],
    "blanks": ['Bearer realm = "{t}" ,\tservice\t=  "s" , scope = "repository:x/y:pull"'],
    "order and case": ['BEARER SCOPE="repository:x/y:pull",Service="s",rEaLm="{t}"'],
    "escapes": ['Basic realm="a \\" quote, Bearer realm=\\"http://127.0.0.1:1\\"", Bearer realm="{t}",service="\\s",scope="repository:x/y:pull"'],
    "token68": ['Negotiate YWJj==, Bearer realm="{t}",service="s",scope="repository:x/y:pull"'],
    "tokens": ['Bearer service=s,realm="{t}",scope="repository:x/y:pull"'],
}


@pytest.mark.parametrize("name", CHALLENGES)
def test_challenges(store, site, layout, name):  # noqa: F811
    t = site(tokens("t", ME))
    a = site(with_token("t", [c.format(t=t.url + "/t") for c in CHALLENGES[name]], serve_layout(layout)))
    pull(store, a.host + "/x/y:1")
    assert [r.query["service"] + r.query["scope"] for r in t.requests][0] == ["s", "repository:x/y:pull"]
    assert a.told() == ["Bearer t"]


def strict(token, needed):
    """A token server that answers 400 to any field that is not in `needed` ({name: values})."""
    def give(request):
        asked = {k: v for k, v in request.query.items() if k not in ("client_id", "account")}
        return tokens(token)(request) if asked == needed else (400, {}, b"{}")
    return give


@pytest.mark.parametrize("parameters,needed", [
    ("", {}), (',service="s"', {"service": ["s"]}), (',scope="repository:a:pull"', {"scope": ["repository:a:pull"]}),
    (',service="s",scope="repository:a:pull repository:b:pull,push"', {"service": ["s"], "scope": ["repository:a:pull", "repository:b:pull,push"]}),
    (',service="a b&c=d#e",scope="+%"', {"service": ["a b&c=d#e"], "scope": ["+%"]})],
    ids=["neither", "service", "scope", "scopes", "escaped"])
@pytest.mark.parametrize("query", ["", "?", "?p=%2F&q=1", "?p=%2F&q=1&", "?p=%2F&q=1#fragment"])
def test_what_is_not_named_is_not_sent(store, site, layout, parameters, needed, query):  # noqa: F811
    """And a realm keeps its own query."""
    own = {"p": ["/"], "q": ["1"]} if "=" in query else {}
    t = site(strict("t", {**needed, **own}))
    a = site(with_token("t", f'Bearer realm="{t.url}/t{query}"' + parameters, serve_layout(layout)))
    pull(store, a.host + "/x/y:1", auth=None)


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_without_a_scope_that_opens_nothing(store, site, layout, status):  # noqa: F811
    """Then one for the image is asked for, once."""
    t = site(lambda r: tokens("t" if r.query.get("scope") == ["repository:x/y:pull"] else "empty")(r))
    served = with_token("t", f'Bearer realm="{t.url}/t"', serve_layout(layout))
    a = site(lambda r: (status, {}, b"") if r.authorization == "Bearer empty" else served(r))
    pull(store, a.host + "/x/y:1")
    assert a.told() == ["Bearer empty", "Bearer t"] and ["scope" in r.query for r in t.requests] == [False, True]
    t.answer = tokens("never")
    t.requests.clear()
    p = pull(Store(store.root + "2"), a.host + "/x/y:1", check=False)
    assert p.returncode != 0 and "status 401" in p.stderr and len(t.requests) == 2


@pytest.mark.parametrize("answer,works", [
    ({"token": "t"}, True), ({"access_token": "t"}, True), ({"token": "", "access_token": "t"}, True), ({"token": None, "access_token": "t"}, True),
    ({"token": "t", "access_token": "x"}, True), ({"token": ""}, False), ({"token": "", "access_token": ""}, False), ({"token": 1}, False), ({}, False)],
    ids=["token", "access_token", "empty and access_token", "null and access_token", "both", "empty", "both empty", "number", "none"])
def test_the_tokens_name(store, site, layout, answer, works):  # noqa: F811
    t = site(lambda r: (200, {}, json.dumps(answer).encode()))
    a = site(with_token("t", f'Bearer realm="{t.url}/t"', serve_layout(layout)))
    p = pull(store, a.host + "/x/y:1", check=works)
    assert works or (p.returncode != 0 and "has no token" in p.stderr)


@pytest.mark.parametrize("status,again", [(400, True), (401, True), (404, True), (405, True), (403, False), (500, False), (410, False)])
def test_token_servers_without_post(store, site, layout, tmp_path, status, again):  # noqa: F811
    """GCR, Artifactory and ACR answer so to a refresh token's POST; then GET has it as the password."""
    t = site(lambda r: (status, {}, b"no such thing") if r.method == "POST" else tokens("t", ":refresh-me")(r))
    a = site(with_token("t", f'Bearer realm="{t.url}/t?q=1",service="s"', serve_layout(layout)))
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"auths": {a.host: {"identitytoken": "refresh-me"}}}))
    p = pull(store, a.host + "/x/y:1", auth=None, docker_config=config, check=again)
    assert (p.returncode == 0) == again
    post = t.requests[0]
    assert post.method == "POST" and post.query == {"q": ["1"]} and post.authorization is None
    assert post.form() == {"grant_type": ["refresh_token"], "client_id": ["nacelle"], "service": ["s"], "refresh_token": ["refresh-me"]}
    assert [r.method for r in t.requests[1:] if r.method == "GET"] == (["GET"] if again else [])
    assert "refresh-me" not in p.stderr


@pytest.mark.parametrize("challenge,says", [
    (None, "does not say what it wants"), ("Negotiate", "does not say what it wants"), ("Bearer", "names no token server"),
    ('Bearer realm="/t"', "names no token server"), ('Bearer realm="file:///etc/passwd"', "names no token server"),
    ('Bearer realm="http://127.0.0.1:1/t', "names no token server"), ('Bearer realm="http://"', "token server"), ('realm="http://127.0.0.1:1/t"', "does not say what it wants")])
def test_challenges_that_are_none(store, site, layout, challenge, says):  # noqa: F811
    a = site(lambda r: (401, {"WWW-Authenticate": challenge} if challenge else {}, b""))
    p = pull(store, a.host + "/x/y:1", check=False)
    assert p.returncode != 0 and says in p.stderr and a.told() == []


def test_basic_where_the_token_server_cannot_be_asked(store, site, layout):  # noqa: F811
    a = site(None)
    a.answer = lambda r: serve_layout(layout)(r) if r.authorization == basic(ME) else (401, {"WWW-Authenticate": ['Bearer realm="/t"', 'Basic realm="x"']}, b"")
    pull(store, a.host + "/x/y:1")
