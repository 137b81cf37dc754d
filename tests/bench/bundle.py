"""What OCI runtimes are measured with: a bundle as `runc spec` makes it, a static program that only ends, and a stopwatch."""
import os
import shutil
import subprocess

SETS = ("bounding", "effective", "permitted")
MASKED = ["acpi", "asound", "kcore", "keys", "latency_stats", "timer_list", "timer_stats", "sched_debug", "scsi"]


def static_program(path, source):
    compiler = shutil.which("musl-gcc") or "gcc"
    subprocess.run([compiler, "-x", "c", "-static", "-Os", "-s", "-o", path, "-"], input=source, text=True, check=True)


def small_program(path):
    static_program(path, "int main(void) { return 0; }")


def stopwatch(path):
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "stopwatch.c")) as f:
        static_program(path, f.read())


def bundle_config(args, limit=None):
    """With limit "limit", the word LIMIT stands where a memory limit goes."""
    config = {
        "ociVersion": "1.0.2", "root": {"path": "rootfs", "readonly": True}, "hostname": "bench",
        "process": {"user": {"uid": 0, "gid": 0}, "args": args, "env": ["PATH=/bin", "TERM=xterm"], "cwd": "/", "noNewPrivileges": True,
                    "capabilities": {s: ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"] for s in SETS},
                    "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}]},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
            {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
            {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]}],
        "linux": {"resources": {"devices": [{"allow": False, "access": "rwm"}]},
                  "namespaces": [{"type": t} for t in ("pid", "network", "ipc", "uts", "mount")],
                  "maskedPaths": ["/proc/" + m for m in MASKED] + ["/sys/firmware"],
                  "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]}}
    if limit:
        config["linux"]["resources"]["memory"] = {"limit": limit if limit != "limit" else "LIMIT"}
    return config
