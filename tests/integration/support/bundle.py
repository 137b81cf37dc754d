"""A bundle of busybox, and an OCI runtime's calls on it."""
import json
import os
import shutil
import subprocess
import tempfile

import pytest

PROGRAM = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../..", os.environ.get("BUILD", "build"), "nacelle-oci"))
APPLETS = ["sh", "cat", "echo", "id", "kill", "ls", "seq", "mount", "sleep", "stat", "touch", "true", "grep", "tty", "ln", "mkdir", "readlink", "awk", "wc", "head"]
MOUNTS = [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
    {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["newinstance", "ptmxmode=0666"]},
]
CAPABILITIES = ["CAP_KILL", "CAP_DAC_OVERRIDE", "CAP_CHOWN", "CAP_SETUID", "CAP_SETGID"]


class Bundle:
    """A bundle of busybox, and calls with a state directory of its own."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="nacelle-oci-test-", dir="/run")
        self.root = self.dir + "/rootfs"
        for name in ("bin", "proc", "dev", "data", "etc"):
            os.makedirs(f"{self.root}/{name}")
        shutil.copy("/bin/busybox", self.root + "/bin")
        for applet in APPLETS:
            os.symlink("busybox", f"{self.root}/bin/{applet}")

    def configure(self, *args, mounts=(), namespaces=(), linux=None, process=None, **top):
        config = {
            "ociVersion": "1.0.2", "root": {"path": "rootfs"}, "hostname": "oci", "mounts": MOUNTS + list(mounts),
            "process": {"user": {"uid": 0, "gid": 0}, "args": list(args), "env": ["PATH=/bin"], "cwd": "/",
                        "capabilities": {k: CAPABILITIES for k in ("bounding", "effective", "permitted")}, **(process or {})},
            "linux": {"cgroupsPath": "/" + os.path.basename(self.dir), "maskedPaths": ["/proc/keys"], "readonlyPaths": ["/proc/sys"],
                      "namespaces": [{"type": t} for t in ("pid", "mount", "uts", "ipc", "network", *namespaces)], **(linux or {})}, **top}
        with open(self.dir + "/config.json", "w") as f:
            json.dump(config, f)

    def call(self, *args, flags=(), program=PROGRAM, stdin=subprocess.DEVNULL, **kwargs):
        # Into files: a container that goes on would hold pipes open. Runtimes do not read each other's state.
        name = os.path.basename(program)
        state = self.dir + "/state" + ("" if name == os.path.basename(PROGRAM) else "-" + name)
        with open(self.dir + "/out", "w+") as out, open(self.dir + "/err", "w+") as err:
            done = subprocess.run([program, "--root", state, *flags, *args], stdin=stdin, stdout=out, stderr=err,
                                  cwd=self.dir, timeout=60, **kwargs)
            out.seek(0), err.seek(0)
            return subprocess.CompletedProcess(args, done.returncode, out.read(), err.read())

    def run(self, *script, **config):
        """Runs a shell script; its output's lines."""
        self.configure("sh", "-c", "; ".join(script), **config)
        done = self.call("run", "c")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.splitlines()

    def refused(self, *args, **config):
        self.configure(*args or ("true",), **config)
        done = self.call("run", "c")
        assert done.returncode == 1, done.stdout
        assert not os.path.exists(self.dir + "/state/c")
        return done.stderr.strip()

    def state(self):
        return json.loads(self.call("state", "c").stdout)["status"]


@pytest.fixture
def bundle():
    b = Bundle()
    yield b
    b.call("delete", "--force", "c")
    with open("/proc/self/mountinfo") as f:
        assert b.dir not in f.read()
    shutil.rmtree(b.dir)
    cgroups = [f"/sys/fs/cgroup/{h}/{os.path.basename(b.dir)}" for h in ["."] + os.listdir("/sys/fs/cgroup")]
    assert not [c for c in cgroups if os.path.exists(c)]


def bind(source, *options, destination="/data"):
    return {"destination": destination, "type": "bind", "source": source, "options": ["rbind", *options]}
