"""nacelle-oci by its own command line: mount options, flags, refusals, and ways out of a container that runtimes had."""
import array
import json
import os
import shutil
import socket
import subprocess

import pytest
from support.bundle import CAPABILITIES, MOUNTS, PROGRAM, bind, bundle
from support.node import wait_for

# ---- mounts ----

OPTIONS = [
    (["ro"], "ro,"), (["rw"], "rw,"), (["nosuid", "nodev", "noexec"], "nosuid,nodev,noexec"), (["noatime"], "noatime"),
    (["nodiratime"], "nodiratime"), (["nosymfollow"], "nosymfollow"), (["ro", "rw"], "rw,"), (["rro"], "ro,"), (["rnosuid", "rnoexec"], "nosuid,noexec"),
]


@pytest.mark.parametrize("options,shown", OPTIONS, ids=[",".join(o) for o, _ in OPTIONS])
def test_bind_options(bundle, options, shown):
    os.mkdir(bundle.dir + "/source")
    line = bundle.run("grep ' /data ' /proc/mounts", mounts=[bind(bundle.dir + "/source", *options)])[0]
    assert shown in line.split()[3] + ","


def test_recursive_attributes(bundle):
    """ro is the mount's own, rro goes for those below too."""
    script = "touch /data/sub/x 2>/dev/null && echo written || echo refused"
    os.makedirs(bundle.dir + "/source/sub")
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", bundle.dir + "/source/sub"], check=True)
    try:
        assert bundle.run(script, mounts=[bind(bundle.dir + "/source", "ro")]) == ["written"]
        assert bundle.run(script, mounts=[bind(bundle.dir + "/source", "rro")]) == ["refused"]
    finally:
        subprocess.run(["umount", bundle.dir + "/source/sub"], check=True)


PROPAGATION = [("private", ""), ("rprivate", ""), ("slave", "master:"), ("rslave", "master:"), ("shared", "shared:"), ("rshared", "shared:"),
               ("unbindable", "unbindable"), ("runbindable", "unbindable")]


@pytest.mark.parametrize("option,shown", PROPAGATION)
def test_propagation(bundle, option, shown):
    os.mkdir(bundle.dir + "/source")
    subprocess.run(["mount", "--bind", bundle.dir + "/source", bundle.dir + "/source"], check=True)
    subprocess.run(["mount", "--make-shared", bundle.dir + "/source"], check=True)
    try:
        line = bundle.run("grep ' /data ' /proc/self/mountinfo", mounts=[bind(bundle.dir + "/source", option)])[0]
        tags = line.split(" - ")[0].split()[6:]
        assert [t for t in tags if t.startswith(shown)] if shown else tags == []
    finally:
        subprocess.run(["umount", bundle.dir + "/source"], check=True)


def test_tmpcopyup(bundle):
    os.makedirs(bundle.root + "/data/deep/er")
    with open(bundle.root + "/data/deep/er/file", "w") as f:
        f.write("kept")
    os.chmod(bundle.root + "/data/deep/er/file", 0o641)
    os.chown(bundle.root + "/data/deep", 7, 8)
    os.symlink("deep/er", bundle.root + "/data/link")
    os.chmod(bundle.root + "/data", 0o1751)
    tmpfs = {"destination": "/data", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup", "nosuid", "size=1m"]}
    lines = bundle.run("cat /data/link/file; echo", "stat -c '%a %u:%g' /data /data/deep /data/deep/er/file", "echo x >/data/new", mounts=[tmpfs])
    assert lines == ["kept", "1751 0:0", "755 7:8", "641 0:0"]
    assert not os.path.exists(bundle.root + "/data/new")
    tmpfs["options"] += ["ro"]
    assert bundle.run("cat /data/link/file; touch /data/new || echo refused", mounts=[tmpfs])[-1] == "keptrefused"
    with open(bundle.root + "/data/large", "wb") as f:
        f.write(bytes(2 << 20))
    assert "copy what /data holds: No space left on device" in bundle.refused(mounts=[tmpfs])


def test_idmapped(bundle):
    os.mkdir(bundle.dir + "/source")
    os.chown(bundle.dir + "/source", 1000, 1000)
    ids = [{"containerID": 1000, "hostID": 2000, "size": 1}]
    mount = {**bind(bundle.dir + "/source"), "uidMappings": ids, "gidMappings": ids}
    assert bundle.run("stat -c %u:%g /data", mounts=[mount]) == ["2000:2000"]


def test_idmapped_in_a_joined_pid_namespace(bundle):
    """Whoever holds the mapping is made in that namespace, where its maker has no number."""
    os.mkdir(bundle.dir + "/source")
    os.chown(bundle.dir + "/source", 1000, 1000)
    ids = [{"containerID": 1000, "hostID": 2000, "size": 1}]
    other = subprocess.Popen(["unshare", "--pid", "--fork", "--kill-child", "sleep", "1000"])
    try:
        child = wait_for("the namespace", lambda: open(f"/proc/{other.pid}/task/{other.pid}/children").read().split())[0]
        assert bundle.run("stat -c %u:%g /data", mounts=[{**bind(bundle.dir + "/source"), "uidMappings": ids, "gidMappings": ids}], linux={"namespaces": [
            {"type": "pid", "path": f"/proc/{child}/ns/pid"}, *({"type": t} for t in ("mount", "uts", "ipc", "network"))]}) == ["2000:2000"]
    finally:
        other.kill()
        other.wait()


def test_user_namespace(bundle):
    ids = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    mounts = [bind(bundle.dir + "/source", "idmap"), {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"}]
    os.mkdir(bundle.dir + "/source")
    # Who calls an OCI runtime has given the root file system to the container's users already.
    os.chown(bundle.root, 100000, 100000)
    lines = bundle.run("head -n 1 /proc/self/uid_map | awk '{print $2}'", "touch /data/x /tmp/x /x", "stat -c %u /data/x /tmp/x /x / /bin",
                       mounts=mounts, namespaces=["user"], linux={"uidMappings": ids, "gidMappings": ids, "namespaces": [
                           {"type": t} for t in ("pid", "mount", "uts", "ipc", "network", "user")]})
    assert lines == ["100000", "0", "0", "0", "0", "65534"]
    assert os.stat(bundle.dir + "/source/x").st_uid == 0


# ---- flags ----

def test_log(bundle):
    bundle.configure('no"where')
    for format in ("json", "text"):
        done = bundle.call("create", "c", flags=["--log", bundle.dir + "/log", "--log-format", format])
        assert done.returncode == 1
    with open(bundle.dir + "/log") as f:
        first, second = f.read().splitlines()
    assert json.loads(first)["msg"] == 'exec "no"where": executable file not found in $PATH: No such file or directory'
    assert json.loads(first)["level"] == "error"
    assert r'level=error msg="exec \"no\"where\"' in second


def test_preserve_fds(bundle):
    bundle.configure("sh", "-c", "cat <&3; ls /proc/self/fd | wc -l; readlink /proc/self/fd/4 || echo none")
    with open(bundle.dir + "/given", "w+") as given, open("/dev/null") as other:
        given.write("given\n")
        given.flush()
        given.seek(0)

        def place():
            os.dup2(given.fileno(), 3)
            os.dup2(other.fileno(), 4)
        done = bundle.call("run", "--preserve-fds", "1", "c", close_fds=False, preexec_fn=place)
    assert done.stdout.split()[0] == "given" and done.stdout.split()[2] == "none"


def test_console_socket(bundle):
    bundle.configure("sh", "-c", "tty; sleep 1000", process={"terminal": True, "consoleSize": {"height": 31, "width": 91}})
    assert "needs --console-socket" in bundle.call("create", "c").stderr
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(bundle.dir + "/console")
        server.listen()
        assert bundle.call("create", "--console-socket", bundle.dir + "/console", "--pid-file", bundle.dir + "/pid", "c").returncode == 0
        peer, _ = server.accept()
        data, ancillary, _, _ = peer.recvmsg(100, socket.CMSG_SPACE(4))
        peer.close()
    master = array.array("i", ancillary[0][2][:4])[0]
    with open(bundle.dir + "/pid") as f:
        assert int(f.read()) == json.loads(bundle.call("state", "c").stdout)["pid"]
    assert bundle.call("start", "c").returncode == 0
    assert os.get_terminal_size(master) == (91, 31)
    assert os.read(master, 100).startswith(b"/dev/pts/0")
    os.close(master)


def test_systemd_names(bundle):
    bundle.configure("sleep", "1000", linux={"cgroupsPath": "nacelle-test.slice:oci:c"})
    assert bundle.call("run", "--detach", "c", flags=["--systemd-cgroup"]).returncode == 0
    pid = json.loads(bundle.call("state", "c").stdout)["pid"]
    with open(f"/proc/{pid}/cgroup") as f:
        assert "/nacelle.slice/nacelle-test.slice/oci-c.scope" in f.read()
    assert bundle.call("delete", "--force", "c").returncode == 0
    for hierarchy in ["."] + os.listdir("/sys/fs/cgroup"):
        for path in (f"/sys/fs/cgroup/{hierarchy}/nacelle.slice/nacelle-test.slice", f"/sys/fs/cgroup/{hierarchy}/nacelle.slice"):
            if os.path.isdir(path):
                os.rmdir(path)
    bundle.configure("true", linux={"cgroupsPath": "/plain"})
    assert '"slice:prefix:name" is expected' in bundle.call("run", "c", flags=["--systemd-cgroup"]).stderr


def test_exit_codes(bundle):
    for script, code in (("exit 0", 0), ("exit 77", 77), ("kill -9 $$", 1), ("kill -TERM $$; sleep 5", 1)):
        bundle.configure("sh", "-c", f"sh -c '{script}'" if code != 1 else "exit 1")
        assert bundle.call("run", "c").returncode == code
    bundle.configure("sleep", "1000")
    assert bundle.call("run", "--detach", "c").returncode == 0
    assert bundle.call("exec", "c", "sh", "-c", "exit 9").returncode == 9
    assert bundle.call("exec", "c", "sh", "-c", "kill -KILL $$").returncode == 128 + 9
    assert bundle.call("exec", "c", "nowhere").returncode == 255
    assert bundle.call("kill", "c", "SIGKILL").returncode == 0
    wait_for("its end", lambda: bundle.state() == "stopped")
    assert "container not running" in bundle.call("kill", "c", "TERM").stderr
    assert bundle.call("start", "c").returncode == 1
    assert bundle.call("delete", "c").returncode == 0


def test_hook_failure(bundle):
    """A hook that fails or takes too long ends the container before its program runs, and leaves nothing."""
    for kind in ("prestart", "createRuntime", "createContainer", "startContainer", "poststart"):
        path = "/bin/busybox" if kind == "startContainer" else "/bin/false"
        args = ["false"] if kind == "startContainer" else ["/bin/false"]
        error = bundle.refused("sleep", "1000", hooks={kind: [{"path": path, "args": args}]})
        assert f"hook {path}: exit status 1" in error, kind
    slow = {"path": "/bin/sleep", "args": ["sleep", "1000"], "timeout": 1}
    assert "/bin/sleep" in bundle.refused(hooks={"createRuntime": [slow]})


def test_start_sees_the_program(bundle):
    """`start` ends when the program runs, or says why it does not."""
    for i in range(20):
        bundle.configure("sleep", "1000")
        assert bundle.call("create", "c").returncode == 0
        pid = json.loads(bundle.call("state", "c").stdout)["pid"]
        assert bundle.call("start", "c").returncode == 0
        with open(f"/proc/{pid}/cmdline") as f:
            assert f.read() == "sleep\0" "1000\0"
        assert bundle.call("delete", "--force", "c").returncode == 0
    with open(bundle.root + "/script", "w") as f:
        f.write("#!/nowhere\n")
    os.chmod(bundle.root + "/script", 0o755)
    hook = {"startContainer": [{"path": "/bin/busybox", "args": ["false"]}]}
    for args, hooks, error in ((["/script"], {}, 'container c: exec "/script": No such file or directory'),
                               (["sleep", "1000"], hook, "container c: hook /bin/busybox: exit status 1")):
        bundle.configure(*args, hooks=hooks)
        assert bundle.call("create", "c").returncode == 0
        started = bundle.call("start", "c")
        assert started.returncode == 1 and error in started.stderr
        wait_for("its end", lambda: bundle.state() == "stopped")
        assert bundle.call("delete", "c").returncode == 0


def test_without_rights(bundle):
    """A user makes containers in a user namespace of their own, without cgroups."""
    path, _ = copy_of_program(bundle)
    script = "; ".join(f"{path} --root {bundle.dir}/state {verb}" for verb in (
        "run c", "run --detach d </dev/null >/dev/null 2>&1", "exec d sh -c 'echo inside; id -u'", "state d | grep status", "pause d", "delete --force d", "list -q"))
    bundle.configure("sh", "-c", "[ -e /stay ] && exec sleep 1000; echo hello; [ -c /dev/null ] && echo device", linux={
        "cgroupsPath": "", "namespaces": [{"type": t} for t in ("pid", "mount", "uts", "ipc", "network")]})
    script = script.replace("; ", f"; touch {bundle.root}/stay; ", 1)
    for top, dirs, files in os.walk(bundle.dir):
        for name in dirs + files + ["."]:
            os.chown(f"{top}/{name}", 65534, 65534, follow_symlinks=False)
    done = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "unshare", "-Urm", "sh", "-c", script],
                          cwd=bundle.dir, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["hello", "device", "inside", "0", '"status":', '"running",'], done.stdout + done.stderr
    assert done.stderr.strip() == "nacelle-oci: container d has no cgroup of its own"
    bundle.configure("true", linux={"resources": {"memory": {"limit": 1 << 26}}})
    os.chown(bundle.dir + "/config.json", 65534, 65534)
    done = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "unshare", "-Urm", path, "--root",
                           bundle.dir + "/state", "run", "c"], cwd=bundle.dir, capture_output=True, text=True)
    assert done.returncode == 1 and "cgroup" in done.stderr and "Permission denied" in done.stderr


# ---- refusals ----

REFUSED = [
    ({"linux": {"intelRdt": {"closID": "x"}}}, "linux.intelRdt: not supported"),
    ({"linux": {"personality": {"domain": "LINUX32"}}}, "linux.personality: not supported"),
    ({"linux": {"timeOffsets": {"boottime": {"secs": 1}}}}, "linux.timeOffsets: not supported"),
    ({"linux": {"memoryPolicy": {"mode": "x"}}}, "linux.memoryPolicy: not supported"),
    ({"linux": {"netDevices": {"eth0": {}}}}, "linux.netDevices: not supported"),
    ({"linux": {"resources": {"rdma": {"mlx": {"hcaHandles": 1}}}}}, "linux.resources.rdma: not supported"),
    ({"linux": {"resources": {"cpu": {"realtimeRuntime": 1000}}}}, "linux.resources.cpu.realtimeRuntime: not supported"),
    ({"linux": {"resources": {"memory": {"swappiness": 101}}}}, "0 to 100"),
    ({"linux": {"cgroupsPath": "/"}}, "a container needs a cgroup of its own"),
    ({"linux": {"namespaces": [{"type": "pid"}]}}, "the container's mounts would be the host's"),
    ({"linux": {"namespaces": [{"type": "mount"}, {"type": "mount"}]}}, "mount is there twice"),
    ({"linux": {"namespaces": [{"type": "mount"}, {"type": "moon"}]}}, '"moon": unknown'),
    ({"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/x"}}}, "linux.seccomp.listenerPath: not supported"),
    ({"linux": {"seccomp": {"defaultAction": "SCMP_ACT_NOTIFY"}}}, "SCMP_ACT_NOTIFY"),
    ({"process": {"scheduler": {"policy": "SCHED_FIFO"}}}, "process.scheduler: not supported"),
    ({"process": {"ioPriority": {"class": "IOPRIO_CLASS_RT"}}}, "process.ioPriority: not supported"),
    ({"process": {"execCPUAffinity": {"initial": "0"}}}, "process.execCPUAffinity: not supported"),
    ({"mounts": [{"destination": "/data", "type": "bind", "source": "/tmp", "options": ["bind", "remount"]}]}, "remount of /data: not supported"),
    ({"mounts": [{"destination": "/data", "type": "bind", "source": "/nowhere", "options": ["bind"]}]}, "bind mount source /nowhere"),
    ({"mounts": [{"destination": "/data", "type": "bind", "source": "/tmp", "options": ["bind", "tmpcopyup"]}]}, "for a tmpfs only"),
    ({"mounts": [{"destination": "/data", "type": "nofs", "source": "x"}]}, "file system type nofs"),
    ({"vm": {"kernel": {"path": "/x"}}}, "vm: not supported"),
]
for _name, _field, _home in ("AppArmor", "apparmorProfile", "/sys/module/apparmor"), ("SELinux", "selinuxLabel", "/sys/fs/selinux"):
    if not os.path.exists(_home):
        REFUSED.append(({"process": {_field: "x"}}, f'process.{_field}: "x": this kernel does not run {_name}'))


@pytest.mark.parametrize("config,says", REFUSED, ids=[s for _, s in REFUSED])
def test_refused(bundle, config, says):
    assert says in bundle.refused(**config)


@pytest.mark.parametrize("args,says", [
    (["create", "--no-pivot", "c"], "--no-pivot: not supported"),
    (["create"], "one container id is needed"), (["create", "../c"], "letters, digits"), (["state", "nothere"], "does not exist"), (["fly"], "unknown verb"),
])
def test_refused_calls(bundle, args, says):
    bundle.configure("true")
    done = bundle.call(*args)
    assert done.returncode == 1 and says in done.stderr


@pytest.mark.parametrize("user", ["-1", "1000x", "1000:", ":1000", "a:b:c", "1:2:3", "1:-1", "4294967295", "1:4294967295", "99999999999", "0x5", " 1", "", "web"])
def test_exec_user_refused(bundle, user):
    bundle.configure("sleep", "100")
    assert bundle.call("create", "c").returncode == 0 and bundle.call("start", "c").returncode == 0
    done = bundle.call("exec", "--user", user, "c", "true")
    assert done.returncode != 0 and f"--user {user}: UID[:GID] is expected" in done.stderr


def test_exec_user(bundle):
    bundle.configure("sleep", "100", process={"user": {"uid": 5, "gid": 6}})
    with open(bundle.root + "/etc/passwd", "w") as f:
        f.write("1000:x:0:0::/:/bin/sh\n")
    assert bundle.call("create", "c").returncode == 0 and bundle.call("start", "c").returncode == 0
    for user, ids in {"1000": "1000:6", "1000:1000": "1000:1000", "4294967294:4294967294": "4294967294:4294967294"}.items():
        done = bundle.call("exec", "--user", user, "c", "sh", "-c", "echo $(id -u):$(id -g)")
        assert done.stdout.strip() == ids, done.stderr


# ---- whose the standard streams are: as with runc ----

STREAMS = "echo out >> /dev/stdout && echo again >> /proc/self/fd/1 && echo err >> /dev/stderr && echo $(id -u)"


class Stream:
    """What to give as stdout and stderr, and what comes out of it in the end."""

    def __init__(self, kind, path):
        self.kind, self.path = kind, path
        if kind == "terminal":
            self.reader, self.fd = os.openpty()
        elif kind == "pipe":
            self.reader, self.fd = os.pipe()
        else:
            self.reader = self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)

    def owner(self):
        st = os.fstat(self.fd)
        return st.st_uid, st.st_gid

    def words(self, n):
        text = b""
        if self.kind == "file":
            text = wait_for("output", lambda: self.path.read_bytes() if len(self.path.read_bytes().split()) >= n else None)
        while len(text.split()) < n:
            text += os.read(self.reader, 4096)
        for fd in {self.reader, self.fd}:
            os.close(fd)
        if self.kind == "file":
            self.path.unlink()
        return sorted(text.split())


@pytest.mark.parametrize("users", [False, True], ids=["", "userns"])
@pytest.mark.parametrize("kind", ["pipe", "terminal", "file"])
@pytest.mark.parametrize("verb", [["run"], ["run", "-d"], ["exec"], ["exec", "-d"]], ids=["run", "run-d", "exec", "exec-d"])
def test_streams_are_the_user_s(bundle, tmp_path, verb, kind, users):
    mapping = [{"containerID": 0, "hostID": 200000, "size": 65536}]
    linux = {"uidMappings": mapping, "gidMappings": mapping} if users else {}
    results = {}
    for program in (PROGRAM, "runc"):
        if users and program == "runc":
            continue  # it gives nothing across a user namespace
        shell = ["sh", "-c", STREAMS] if verb[0] == "run" else ["sleep", "100"]
        bundle.configure(*shell, process={"user": {"uid": 1000, "gid": 1000}}, linux=linux, namespaces=["user"] if users else [])
        base = [program, "--root", f"{bundle.dir}/state-{os.path.basename(program)}"]
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": bundle.dir}
        if verb[0] == "exec":
            subprocess.run([*base, "run", "-d", "c"], check=True, **quiet)
        stream = Stream(kind, tmp_path / "file")
        command = [*base, *verb, "c", *([] if verb[0] == "run" else ["sh", "-c", STREAMS])]
        done = subprocess.run(command, **{**quiet, "stdout": stream.fd, "stderr": stream.fd})
        # A pipe is given in either way: that it is runc's own while it waits cannot be seen from within.
        owner = None if kind == "pipe" and "-d" not in verb else stream.owner()
        results[program] = done.returncode, owner, stream.words(4)
        subprocess.run([*base, "delete", "-f", "c"], **quiet)
    assert results[PROGRAM][0] == 0 and results[PROGRAM][2] == [b"1000", b"again", b"err", b"out"]
    assert users or results[PROGRAM] == results["runc"]


@pytest.mark.parametrize("size", [0, 1, 4096, 300000])
def test_streams_are_copied_whole(bundle, tmp_path, size):
    """In and out of a process of another user through files, and its end is the end."""
    data = os.urandom(size)
    (tmp_path / "in").write_bytes(data)
    os.chmod(tmp_path / "in", 0o600)
    bundle.configure("sh", "-c", "sleep 1000 & cat /dev/stdin > /dev/stdout; exit 3", process={"user": {"uid": 1000, "gid": 1000}})
    with open(tmp_path / "in") as stdin, open(tmp_path / "out", "wb") as stdout:
        done = subprocess.run([PROGRAM, "--root", bundle.dir + "/state", "run", "c"], cwd=bundle.dir, stdin=stdin, stdout=stdout, timeout=30)
    assert done.returncode == 3 and (tmp_path / "out").read_bytes() == data
    assert {os.stat(tmp_path / name).st_uid for name in ("in", "out")} == {0}
    # What is not read stays where it is, and nobody waits for it.
    bundle.configure("true", process={"user": {"uid": 1000, "gid": 1000}})
    with open(tmp_path / "in") as stdin, open("/dev/full", "wb") as stdout:
        done = subprocess.run([PROGRAM, "--root", bundle.dir + "/state", "run", "c"], cwd=bundle.dir, stdin=stdin, stdout=stdout, timeout=30)
    assert done.returncode == 0


def test_streams_that_stay_their_owner_s(bundle, tmp_path):
    """Devices are everybody's; a file that is only read could be written once it is the user's (runc gives it away)."""
    (tmp_path / "in").write_text("read\n")
    bundle.configure("sh", "-c", "cat && ! echo changed > /dev/stdin; echo out", process={"user": {"uid": 1000, "gid": 1000}})
    devices = [os.stat(f"/dev/{name}") for name in ("zero", "null")]
    for verb in (["run"], ["run", "-d"]):
        r, w = os.pipe()
        with open(tmp_path / "in") as stdin, open("/dev/zero", "w") as stderr:
            done = subprocess.run([PROGRAM, "--root", bundle.dir + "/state", *verb, "c"], cwd=bundle.dir, stdin=stdin, stdout=w, stderr=stderr)
        os.close(w)
        with os.fdopen(r) as out:
            assert done.returncode == 0 and out.read() == "read\nout\n"
        assert (tmp_path / "in").read_text() == "read\n" and os.stat(tmp_path / "in").st_uid == 0
        assert [os.stat(f"/dev/{name}").st_uid for name in ("zero", "null")] == [st.st_uid for st in devices]
        bundle.call("delete", "-f", "c")


# ---- ways out ----

def copy_of_program(bundle):
    path = bundle.dir + "/nacelle-oci"
    shutil.copy(PROGRAM, path)
    with open(path, "rb") as f:
        return path, f.read()


# Finds a process that runs the runtime, holds its file open, ends it, and writes once nobody executes it any more.
ATTACK = """while :; do for p in /proc/[0-9]*; do case $(readlink $p/exe) in ""|*busybox*) ;; *)
    exec 9<$p/exe
    kill -9 ${p#/proc/}
    for i in $(seq 20); do sleep 0.05; echo overwritten >/proc/self/fd/9 && echo written; done
    touch /tried
    exit;;
esac; done; sleep 0.05; done"""


@pytest.mark.parametrize("args", [["/proc/self/exe", "0"], ["/bin/script"]], ids=["link", "script"])
def test_cve_2019_5736(bundle, args):
    """The container executes the runtime itself, by its link or as an interpreter, with a right to look into every process."""
    path, before = copy_of_program(bundle)
    with open(bundle.root + "/bin/script", "w") as f:
        f.write("#!/proc/self/exe\n")
    os.chmod(bundle.root + "/bin/script", 0o755)
    capabilities = [*CAPABILITIES, "CAP_SYS_PTRACE"]
    bundle.configure("sh", "-c", ATTACK, process={"capabilities": {k: capabilities for k in ("bounding", "effective", "permitted")}})
    assert bundle.call("run", "--detach", "c", program=path).returncode == 0
    # What is executed waits for what its socket brings.
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        assert bundle.call("exec", "--detach", "c", *args, program=path, stdin=theirs).returncode == 0
        wait_for("the attack", lambda: os.path.exists(bundle.root + "/tried"))
    with open(path, "rb") as f:
        assert f.read() == before
    with open(bundle.dir + "/out") as f:
        assert "written" not in f.read()


def test_cve_2019_5736_run(bundle):
    path, before = copy_of_program(bundle)
    bundle.configure("/proc/self/exe", "--version")
    done = bundle.call("run", "c", program=path)
    assert "nacelle-oci version" not in done.stdout
    bundle.configure("sh", "-c", "exec 9<>/proc/self/exe; echo overwritten >&9")
    bundle.call("run", "c", program=path)
    with open(path, "rb") as f:
        assert f.read() == before


# A hook of the runtime's namespaces: says how the file is protected that the container's process executes, and whether it can be opened to write.
LOOK = """import fcntl, json, os, sys
exe = f"/proc/{json.load(sys.stdin)['pid']}/exe"
fd = os.open(exe, os.O_RDONLY)
try:
    sealed = fcntl.fcntl(fd, 1034) & 8  # F_GET_SEALS, F_SEAL_WRITE
except OSError:
    sealed = 0
try:
    os.write(os.open(exe, os.O_WRONLY), b"overwritten")
    written = True
except OSError:
    written = False
print("sealed" if sealed else "read-only" if os.fstatvfs(fd).f_flag & os.ST_RDONLY else "open", written, file=open(sys.argv[1], "w"))
"""


@pytest.mark.parametrize("refused, protection", [(False, "sealed"), (True, "read-only")], ids=["memory", "no-memory"])
def test_runs_from_what_cannot_be_written(bundle, refused, protection):
    """The process that becomes the container's is executed from a sealed copy in memory or, where nothing in memory may be executed, from a
    mount that is read-only."""
    hook = {"path": "/usr/bin/python3", "args": ["python3", "-c", LOOK, bundle.dir + "/seen"], "env": ["PATH=/usr/bin"]}
    bundle.configure("true", hooks={"createRuntime": [hook]})
    command = [PROGRAM, "--root", bundle.dir + "/state", "run", "-b", bundle.dir, "c"]
    if refused:
        if not os.path.exists("/proc/sys/vm/memfd_noexec"):
            pytest.skip("this kernel has no vm.memfd_noexec")
        command = ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", f"echo 2 >/proc/sys/vm/memfd_noexec; {' '.join(command)}; exit $?"]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=60)
    with open(bundle.dir + "/seen") as f:
        assert f.read() == protection + " False\n"


def test_cve_2019_16884(bundle):
    """A mount over /proc that would hide what security settings are written to."""
    os.makedirs(bundle.root + "/fake")
    for destination in ("/proc/self", "/proc/sys", "/proc/../proc/self/attr", "/proc"):
        error = bundle.refused(mounts=[bind(bundle.root + "/fake", destination=destination)])
        assert "inside /proc" in error, destination


def test_cve_2019_19921(bundle):
    """/proc of the image is a link."""
    os.rmdir(bundle.root + "/proc")
    os.mkdir(bundle.root + "/real")
    os.symlink("real", bundle.root + "/proc")
    assert "/proc" in bundle.refused()


def test_cve_2021_30465(bundle):
    """Mount points of the image that are links to the host's root stay in the container's."""
    os.mkdir(bundle.dir + "/source")
    for target in ("/", "../../../../../..", "/etc/../.."):
        os.symlink(target, bundle.root + "/out")
        script = "grep -c nacelle-oci-test /proc/mounts || true; ls /data2"
        lines = bundle.run(script, mounts=[bind(bundle.dir + "/source", destination="/out/data2")])
        assert "nacelle" not in "".join(lines[1:]) and os.path.isdir(bundle.root + "/data2")
        assert not os.path.exists("/data2")
        os.unlink(bundle.root + "/out")


def test_cve_2024_21626(bundle):
    """A working directory, or a descriptor, that leads to the host."""
    for cwd in (f"/proc/self/fd/{n}" for n in range(3, 14)):
        bundle.configure("sh", "-c", "ls ..; cat ../../etc/shadow", process={"cwd": cwd})
        done = bundle.call("run", "c")
        assert done.returncode == 1 and "working directory" in done.stderr, cwd
    lines = bundle.run("ls /proc/self/fd")
    assert set(lines) <= {"0", "1", "2", "3"}
    bundle.configure("sleep", "1000")
    bundle.call("run", "--detach", "c")
    for n in range(3, 14):
        assert bundle.call("exec", "--cwd", f"/proc/self/fd/{n}", "c", "ls", "..").returncode == 255


def test_cve_2024_45310(bundle):
    """Mount points are made in the container's root, not where a link leads outside of it."""
    os.symlink("/" + os.path.basename(bundle.dir) + "-made", bundle.root + "/link")
    os.mkdir(bundle.dir + "/source")
    bundle.run("true", mounts=[bind(bundle.dir + "/source", destination="/link/deep")])
    assert not os.path.exists("/" + os.path.basename(bundle.dir) + "-made")
    assert os.path.isdir(f"{bundle.root}/{os.path.basename(bundle.dir)}-made/deep")


def test_cve_2025_31133(bundle):
    """The image's own /dev/null, here a link to a file of the host's kernel, is not what paths are masked with."""
    mounts = [m for m in MOUNTS if m["destination"] == "/proc"]
    os.symlink("/proc/sys/kernel/core_pattern", bundle.root + "/dev/null")
    bundle.configure("sh", "-c", "cat /proc/keys; echo end", linux={"maskedPaths": ["/proc/keys"]})
    with open(bundle.dir + "/config.json") as f:
        config = json.load(f)
    config["mounts"] = mounts
    with open(bundle.dir + "/config.json", "w") as f:
        json.dump(config, f)
    done = bundle.call("run", "c")
    # Either it does not start since /dev/null is not the device, or the mask is the host's.
    assert done.returncode != 0 and "null" in done.stderr or done.stdout == "end\n", done.stdout + done.stderr


def test_cve_2025_52565(bundle):
    """/dev/console and /dev/pts of the image are links: the terminal is mounted in the container all the same."""
    os.symlink("/proc/sys/kernel", bundle.root + "/dev/pts")
    bundle.configure("sh", "-c", "tty", process={"terminal": True})
    done = subprocess.run(["script", "-qec", f"{PROGRAM} --root {bundle.dir}/state run -b {bundle.dir} c", "/dev/null"], capture_output=True, text=True)
    assert "/dev/pts/0" in done.stdout, done.stdout


def test_exec_with_a_terminal(bundle):
    """It is one of the container's own: it has a name there, and can be opened by it."""
    bundle.configure("sleep", "1000")
    assert bundle.call("run", "--detach", "c").returncode == 0
    look = 't=$(tty); echo "$t"; test -c "$t" && echo by name > "$t"; exit 4'
    done = subprocess.run(["script", "-qec", f"{PROGRAM} --root {bundle.dir}/state exec -t c sh -c '{look}'", "/dev/null"], capture_output=True, text=True)
    assert "/dev/pts/0\nby name\n" in done.stdout and done.returncode == 4, done


def test_cve_2025_52881(bundle):
    """Sysctls and labels are written through the host's /proc: a container's redirected one is not followed."""
    lines = bundle.run("cat /proc/sys/kernel/shm_rmid_forced", "cat /proc/sys/net/ipv4/ip_forward",
                       linux={"sysctl": {"kernel.shm_rmid_forced": "1", "net.ipv4.ip_forward": "1"}})
    assert lines == ["1", "1"]


def test_sysctl_injection(bundle):
    """CVE-2022-0811: a value or key that smuggles another setting."""
    with open("/proc/sys/kernel/core_pattern") as f:
        before = f.read()
    for key, value in (("kernel.shm_rmid_forced", "1+kernel.core_pattern=|/x"), ("kernel/../kernel/core_pattern", "|/x"), ("kernel.core_pattern", "|/x"),
                       ("net/../kernel/core_pattern", "|/x"), ("../../sys/kernel/core_pattern", "|/x")):
        assert "sysctl" in bundle.refused(linux={"sysctl": {key: value}}), key
    with open("/proc/sys/kernel/core_pattern") as f:
        assert f.read() == before
