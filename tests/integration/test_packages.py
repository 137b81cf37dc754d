"""The Debian packages: what is in them, what lintian says of them, and what their scripts do to running pods."""
import glob
import os
import subprocess

import pytest
from support.node import BUILD, TOP


def run(*args, **kwargs):
    done = subprocess.run(args, capture_output=True, text=True, timeout=500, **kwargs)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def packages():
    """{name: file}"""
    run(f"{TOP}/contrib/debian/build", "0.1.0", env={**os.environ, "BUILD": BUILD})
    return {os.path.basename(path).split("_")[0]: path for path in glob.glob(f"{BUILD}/deb/nacelle-*.deb") if "dbgsym" not in path}


def contents(package):
    return {line.split()[5].lstrip("."): line.split()[0] for line in run("dpkg-deb", "-c", package).splitlines()}


def script(package, name, tmp_path):
    run("dpkg-deb", "-e", package, str(tmp_path / name))
    path = tmp_path / name / name
    return path.read_text() if path.exists() else ""


def test_what_is_in_them(packages):
    agent, api = contents(packages["nacelle-agent"]), contents(packages["nacelle-api"])
    assert {"/usr/bin/nacelle", "/usr/bin/nacelle-agent", "/usr/bin/nacelle-oci", "/usr/libexec/nacelle/nacelle-shim", "/usr/libexec/nacelle/nacelle-image",
            "/etc/nacelle/config.yaml", "/etc/nacelle/manifests/", "/usr/share/man/man1/nacelle.1.gz", "/usr/share/man/man8/nacelle-agent.8.gz",
            "/lib/systemd/system/nacelle-agent.service"} <= set(agent)
    assert {"/usr/bin/nacelle-api", "/etc/nacelle/api.yaml", "/usr/lib/sysusers.d/nacelle-api.conf", "/lib/systemd/system/nacelle-api.service",
            "/usr/share/man/man8/nacelle-api.8.gz"} <= set(api)
    assert not {name for name in set(agent) & set(api) if not name.endswith("/")}
    for package, file in (("nacelle-agent", "config.yaml"), ("nacelle-api", "api.yaml")):
        assert run("dpkg-deb", "-I", packages[package], "conffiles").split() == ["/etc/nacelle/" + file]


def test_lintian_finds_no_error(packages):
    run("lintian", "--allow-root", "--fail-on", "error", "--suppress-tags", "bad-distribution-in-changes-file", glob.glob(f"{BUILD}/deb/*.changes")[0])


def test_an_upgrade_touches_no_pod(packages, tmp_path):
    """The agent is started anew, and its unit ends nothing but the agent."""
    after, before = script(packages["nacelle-agent"], "postinst", tmp_path), script(packages["nacelle-agent"], "prerm", tmp_path)
    assert "_dh_action=restart" in after and "deb-systemd-invoke $_dh_action 'nacelle-agent.service'" in after
    assert [line for line in before.splitlines() if "stop" in line] and '"$1" = remove' in before
    run("dpkg-deb", "-x", packages["nacelle-agent"], str(tmp_path / "root"))
    unit = (tmp_path / "root/lib/systemd/system/nacelle-agent.service").read_text()
    assert "\nKillMode=process\n" in unit
    assert run(str(tmp_path / "root/usr/bin/nacelle-agent"), "--version").startswith("nacelle-agent ")
    assert "deb-systemd-invoke try-restart nacelle-api.service" in script(packages["nacelle-api"], "postinst", tmp_path)
    assert "stop" not in script(packages["nacelle-api"], "preinst", tmp_path)
