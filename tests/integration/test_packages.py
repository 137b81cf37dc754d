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


CACHE = os.path.expanduser(os.environ.get("NACELLE_VM_CACHE", "~/.cache/nacelle-vm"))
ENTER = """set -e
mount -t tmpfs -o mode=755 tmpfs {place}
mkdir {place}/upper {place}/work {place}/root
mount -t overlay -o lowerdir=/,upperdir={place}/upper,workdir={place}/work overlay {place}/root
mount --rbind /proc {place}/root/proc
mount --rbind /dev {place}/root/dev
mount -t tmpfs tmpfs {place}/root/run
mkdir {place}/root/debs
cp {debs}/* {place}/root/debs
exec chroot {place}/root /bin/sh -e /debs/steps
"""
BEGIN = "export DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin\ncd /\n"
STEPS = """
dpkg -i /debs/*_0.1.0_*.deb
getent passwd nacelle-api | cut -d : -f 6 | sed "s/^/home: /"
systemctl --root=/ is-enabled nacelle-agent | sed "s/^/agent: /"
systemctl --root=/ is-enabled nacelle-api | sed "s/^/api: /" || true
echo "# mine" >>/etc/nacelle/config.yaml
mkdir -p /var/lib/nacelle-api && touch /var/lib/nacelle-api/store
dpkg -i /debs/*_0.1.1_*.deb
tail -n 1 /etc/nacelle/config.yaml | sed "s/^/configured: /"
dpkg-query -W -f "version: \\${Version}\\n" nacelle-agent nacelle-api
/usr/bin/nacelle --version
dpkg --purge nacelle-agent nacelle-api
ls -d /usr/bin/nacelle* /usr/libexec/nacelle /etc/nacelle/*.yaml /lib/systemd/system/nacelle* 2>/dev/null | sed "s/^/left: /" || true
ls /var/lib/nacelle-api/store | sed "s/^/kept: /"
"""


def on_a_copy(debs, place, steps):
    """What `steps` say in a copy of this machine's root with the files of `debs` in /debs: its mounts and processes go with it."""
    (debs / "steps").write_text(BEGIN + steps)
    place.mkdir()
    try:
        return run("unshare", "-m", "-p", "-f", "--mount-proc", "--kill-child", "--propagation", "private", "sh", "-c", ENTER.format(place=place, debs=debs))
    finally:
        assert not os.listdir(place)


def test_installed_upgraded_purged(packages, tmp_path):
    """By dpkg, on a copy of this machine's root that goes with its mount namespace: no systemd runs there, as in an image's making."""
    debs = tmp_path / "debs"
    debs.mkdir()
    for name, path in packages.items():
        run("cp", path, str(debs))
        run("dpkg-deb", "-R", path, str(tmp_path / name))
        control = tmp_path / name / "DEBIAN/control"
        control.write_text(control.read_text().replace("Version: 0.1.0", "Version: 0.1.1"))
        run("dpkg-deb", "--root-owner-group", "-b", str(tmp_path / name), str(debs / os.path.basename(path).replace("0.1.0", "0.1.1")))
    said = on_a_copy(debs, tmp_path / "place", STEPS)
    lines = {tuple(line.split(": ", 1)) for line in said.splitlines() if ": " in line}
    assert {("home", "/var/lib/nacelle-api"), ("agent", "enabled"), ("api", "disabled"), ("configured", "# mine"), ("version", "0.1.1")} <= lines, said
    assert not [line for line in lines if line[0] in ("left", "version") and line[1] != "0.1.1"], said
    assert ("kept", "/var/lib/nacelle-api/store") in lines, "what a cluster holds is nobody's to remove but the user's"


OPENRC = ["openrc", "libeinfo1", "librc1", "insserv"]
OPENRC_STEPS = """
mkdir /parts && for deb in /debs/openrc_* /debs/lib* /debs/insserv_*; do dpkg -x $deb /parts; done
tar -C /parts -cf - . | tar -C / --keep-directory-symlink -xf -
dpkg -i /debs/nacelle-*.deb
cp /debs/nacelle-agent /debs/nacelle-api /etc/init.d/
for n in exclusive starting started stopping inactive wasinactive failed hotplugged daemons options scheduled init.d; do mkdir -p /run/openrc/$n; done
touch /run/openrc/softlevel
ldconfig
echo 'NACELLE_API_ARGS="--bind-address 127.0.0.1 --secure-port 0"' >/etc/nacelle/api.env
status() { rc-service nacelle-api status 2>/dev/null | sed "s/^.*status: /$1: /" || true; }
served() { for i in $(seq 300); do [ "$(cat /var/log/nacelle-api/*.log 2>/dev/null | grep -c "serves https")" -lt $1 ] || return 0; sleep 0.1; done; return 1; }
status before
rc-service nacelle-api start; served 1
status begun
stat -c 'owner: %U %a' /var/lib/nacelle-api
kill -9 $(pgrep -f "^/usr/bin/nacelle-api --config"); served 2
status killed
rc-service nacelle-api restart; served 3
status restarted
rc-service nacelle-api stop
status ended
pgrep -f "^/usr/bin/nacelle-api" | sed "s/^/left: /" || true
"""


def test_openrcs_own_tools_run_the_script(packages, tmp_path):
    """Those of Debian's package, which is fetched and never installed: a service that is killed is started again, one that is stopped is not."""
    debs = tmp_path / "debs"
    debs.mkdir()
    os.makedirs(CACHE + "/openrc", exist_ok=True)
    if len(glob.glob(CACHE + "/openrc/*.deb")) < len(OPENRC):
        run("apt-get", "download", "-q", *OPENRC, cwd=CACHE + "/openrc")
    for path in [*packages.values(), *glob.glob(CACHE + "/openrc/*.deb"), *glob.glob(TOP + "/contrib/openrc/*")]:
        run("cp", path, str(debs))
    said = on_a_copy(debs, tmp_path / "place", OPENRC_STEPS)
    lines = [line.strip() for line in said.splitlines()]
    for expected in ("before: stopped", "begun: started", "owner: nacelle-api 700", "killed: started", "restarted: started", "ended: stopped"):
        assert expected in lines, said
    assert not [line for line in lines if line.startswith("left: ")], said
