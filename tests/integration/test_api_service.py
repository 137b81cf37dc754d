"""nacelle-api as a service: its configuration file, and copies of its store."""
import contextlib
import os
import signal
import sqlite3
import subprocess

import pytest

from support.api import BUILD, REPO, Api

MAPS = "/api/v1/namespaces/default/configmaps"


def run(*args, **kwargs):
    return subprocess.run([f"{BUILD}/nacelle-api", *map(str, args)], capture_output=True, text=True, timeout=30, **kwargs)


def test_a_configuration_file(tmp_path):
    """Flags by their names, which those of the command line outrank, wherever they stand."""
    config = tmp_path / "api.yaml"
    config.write_text("# comment\nsecure-port: 1\nbind-address: \"192.0.2.1\"\nmax-mutating-requests-inflight: 1\nrequest-timeout: 200ms\ngoaway-chance: 0.01\n")
    api = Api("--config", str(config)).start()
    try:
        connection = api.client().open()
        connection.putrequest("POST", MAPS)
        connection.putheader("Content-Length", "10")
        connection.endheaders()
        assert connection.getresponse().status == 504
    finally:
        api.stop()
    config.write_text("")
    done = run("--config", config, "--help")
    assert done.returncode == 0 and done.stdout.startswith("usage: nacelle-api ")


@pytest.mark.parametrize("text, words", [
    ("secure-prot: 1\n", "api.yaml:1: secure-prot: unknown field; did you mean secure-port?"),
    ("a: 1\nsecure-port: 1\n", "api.yaml:1: a: unknown field"),
    ("\nsecure-port: many\n", "api.yaml:2: --secure-port many: give a number from 0 to 65535"),
    ("secure-port: [1]\n", "api.yaml:1: secure-port: give a text, a number or a boolean, not a list"),
    ("secure-port: 1\nsecure-port: 2\n", "api.yaml:2"),
    ("help: true\n", "api.yaml:1: help: unknown field"),
    ("config: other.yaml\n", "api.yaml:1: config: unknown field"),
    ("- a\n", "api.yaml: it is a list; give a map of flags' names"),
    ("secure-port: {\n", "api.yaml"),
    ("request-timeout: 0s\n", "--request-timeout 0s"),
    ("shutdown-delay-duration: -1s\n", "--shutdown-delay-duration -1s: give a time"),
    ("goaway-chance: 0.03\n", "--goaway-chance 0.03: give a chance from 0 to 0.02"),
    ("audit-log-path: x\n", "give both"),
    ("scheduler: maybe\n", "--scheduler=maybe: give true or false"),
    ("v: much\n", "--v much: give a number from 0 to 2147483647"),
    ("service-cluster-ip-range: fd00::/48\n", "--service-cluster-ip-range: fd00::/48 is too large"),
    ("service-cluster-ip-range: 10.96.0.0/16,fd00::/48\n", "--service-cluster-ip-range: fd00::/48 is too large"),
    ("service-cluster-ip-range: 10.96.0.0/30\n", "10.96.0.0/30 is too small: give one of 8 addresses or more"),
    ("service-cluster-ip-range: 10.96.0.0/16,\n", "--service-cluster-ip-range"),
    ("service-cluster-ip-range: \"\"\n", "--service-cluster-ip-range"),
])
def test_configuration_files_that_are_wrong(tmp_path, text, words):
    (tmp_path / "api.yaml").write_text(text)
    done = run("--config", tmp_path / "api.yaml", "--data-dir", tmp_path / "d")
    assert done.returncode == 2 and words in done.stderr, done
    assert not (tmp_path / "d").exists()


def test_the_example_is_the_defaults(tmp_path):
    done = run("--config", f"{REPO}/contrib/api.yaml", "--version")
    assert done.returncode == 0 and done.stdout.startswith("nacelle-api ")
    with open(f"{REPO}/contrib/api.yaml") as f:
        said = dict(line.strip().split(": ") for line in f if ": " in line and not line.startswith("#"))
    text = run("--help").stdout
    for name, value in said.items():
        assert f"--{name} " in text and f"({value})" in text, name


def test_backup_and_restore(tmp_path):
    """A copy of a store in use, and its place in another start; what came behind the copy is gone, and revisions rise."""
    api, copy = Api().start(), tmp_path / "copy"
    client = api.client()
    try:
        for i in range(50):
            assert client.raw("POST", MAPS, {"metadata": {"name": f"a-{i}"}})[0] == 201
        done = run("backup", "--data-dir", api.data, copy)
        assert done.returncode == 0 and os.stat(copy).st_mode & 0o777 == 0o600, done
        status, later = client.ask("POST", MAPS, {"metadata": {"name": "later"}})
        assert status == 201
        refused = run("restore", "--data-dir", api.data, copy)
        assert refused.returncode == 1 and "another process uses it" in refused.stderr
        api.end(signal.SIGKILL)
        done = run("restore", "--data-dir", api.data, copy)
        assert done.returncode == 0, done
        for name in os.listdir(api.data):
            if name.startswith("state.db"):
                assert os.stat(f"{api.data}/{name}").st_mode & 0o777 == 0o600, name
        api.start()
        client = api.client()
        status, found = client.ask("GET", MAPS)
        assert {i["metadata"]["name"] for i in found["items"]} >= {f"a-{i}" for i in range(50)}
        assert client.raw("GET", MAPS + "/later")[0] == 404
        assert int(found["metadata"]["resourceVersion"]) > int(later["metadata"]["resourceVersion"])
    finally:
        api.stop()


def test_a_copy_for_an_empty_directory(tmp_path):
    api, copy, new = Api().start(), tmp_path / "copy", Api()
    try:
        assert api.client().raw("POST", MAPS, {"metadata": {"name": "moved"}})[0] == 201
        assert run("backup", copy, "--data-dir", api.data).returncode == 0
        nowhere = run("restore", "--data-dir", "/dev/null/x", copy)
        assert nowhere.returncode == 1 and "/dev/null/x" in nowhere.stderr, nowhere
        os.makedirs(new.data)
        assert run("restore", "--data-dir", new.data, copy).returncode == 0
        new.start()
        assert new.client().raw("GET", MAPS + "/moved")[0] == 200
    finally:
        api.stop()
        if new.process:
            new.stop()


@pytest.mark.parametrize("make, words", [
    (lambda path: path.write_bytes(b"this is no database, and long enough to be looked at twice\n" * 100), "not a database"),
    (lambda path: path.write_bytes(b""), ""),
    (lambda path: subprocess.run(["/usr/bin/python3", "-c", "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('create table t (a)'); c.commit()", str(path)],
                                 check=True), ""),
    (lambda path: None, "No such file"),
    (lambda path: os.mkfifo(path), "it is no file"),
    (lambda path: path.mkdir(), "it is no file"),
])
def test_files_of_others_are_refused(tmp_path, make, words):
    """What is there stays as it was."""
    api, copy = Api().start(), tmp_path / "copy"
    assert api.client().raw("POST", MAPS, {"metadata": {"name": "mine"}})[0] == 201
    assert api.end() == 0
    try:
        make(copy)
        done = run("restore", "--data-dir", api.data, copy)
        assert done.returncode == 1 and str(copy) in done.stderr and words in done.stderr, done
        api.start()
        assert api.client().raw("GET", MAPS + "/mine")[0] == 200
    finally:
        api.stop()


@pytest.mark.parametrize("value, words", [
    (b"", "is damaged"), (b'{"kind":"ConfigMap","apiVersion":"v1","metada', "is damaged"), (bytes(range(256)), "is damaged"), (b"[]\n", "it holds another object"),
    (b'{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"other","namespace":"default"}}\n', "it holds another object"),
])
def test_a_damaged_object_is_named(value, words):
    """With what to do, and the store is as it was."""
    api = Api().start()
    assert api.client().raw("POST", MAPS, {"metadata": {"name": "mine"}})[0] == 201
    assert api.end() == 0
    try:
        with contextlib.closing(sqlite3.connect(api.data + "/state.db")) as store:
            before = store.execute("SELECT value FROM objects WHERE key = 'core/configmaps/default/mine'").fetchone()[0]
            store.execute("UPDATE objects SET value = ? WHERE key = 'core/configmaps/default/mine'", (value,))
            store.commit()
        with pytest.raises(AssertionError, match="error api: core/configmaps/default/mine in the store is damaged: .*; restore a backup\n$"):
            api.start()
        assert words in api.log()
        with contextlib.closing(sqlite3.connect(api.data + "/state.db")) as store:
            store.execute("UPDATE objects SET value = ? WHERE key = 'core/configmaps/default/mine'", (before,))
            store.commit()
        api.start()
        assert api.client().raw("GET", MAPS + "/mine")[0] == 200
    finally:
        api.stop()


@pytest.mark.parametrize("args, words", [
    (("backup",), "give the file"), (("backup", "a", "b"), "b: one file is enough"), (("restore", "--data-dir", "/dev/null/x", "/etc/hostname"), "/etc/hostname: cannot be read: file is not a database; restore a backup"),
    (("backup", "--data-dir", "/nonexistent", "x"), "/nonexistent/state.db: No such file"), (("serve",), "serve: no such command; there are backup and restore"),
])
def test_commands_that_are_wrong(args, words):
    done = run(*args)
    assert done.returncode in (1, 2) and words in done.stderr, done
