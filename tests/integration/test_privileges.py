"""What a process could gain that its pod did not ask for: by what its image holds, by the ways into it (exec, probes, hooks), by the
processes and sockets of the node that it can see. docs/CONFORMANCE.md, Escapes, has a row for each way."""
import json
import os
import platform
import struct
import subprocess

import oci
import pytest

from support.node import parent, pod, processes, wait_for

STATUS = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")
DEFAULT = 0xa80425fb
NET_BIND, SYS_ADMIN = 1 << 10, 1 << 21

WHO = r"""
#include <stdio.h>
#include <string.h>
int main(void) { /* what of the kernel's status the caller looks at, of this very process */
    char line[4096];
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof(line), f)) fputs(line, stdout);
    return 0;
}
"""

# Makes process 1 call socket() in our place, from where it stands in a system call of its own.
TRACER = r"""
#include <stdio.h>
#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
int main(void) {
    struct user_regs_struct regs, before;
    int status;
    if (ptrace(PTRACE_ATTACH, 1, 0, 0) < 0 || waitpid(1, &status, __WALL) != 1) return printf("no: %s\n", strerror(errno)), 0;
    ptrace(PTRACE_GETREGS, 1, 0, &before);
    regs = before;
    regs.rip -= 2; regs.rax = SYS_socket; regs.orig_rax = -1; regs.rdi = 1; regs.rsi = 1; regs.rdx = 0;
    ptrace(PTRACE_SETREGS, 1, 0, &regs);
    ptrace(PTRACE_SINGLESTEP, 1, 0, 0);
    waitpid(1, &status, __WALL);
    ptrace(PTRACE_GETREGS, 1, 0, &regs);
    printf("result %lld\n", (long long)regs.rax);
    ptrace(PTRACE_SETREGS, 1, 0, &before);
    ptrace(PTRACE_DETACH, 1, 0, 0);
    return 0;
}
"""


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """{name: bytes} of static programs."""
    top, made = tmp_path_factory.mktemp("programs"), {}
    for name, source in {"who": WHO, "tracer": TRACER if platform.machine() == "x86_64" else WHO}.items():
        (top / (name + ".c")).write_text(source)
        subprocess.check_call(["musl-gcc", "-static", "-Os", "-s", str(top / (name + ".c")), "-o", str(top / name)])
        made[name] = (top / name).read_bytes()
    return made


def file_capabilities(mask):
    """security.capability, version 2, with the effective bit (capabilities(7)); text as tar's PAX records are in Python."""
    raw = struct.pack("<IIIII", 0x02000001, mask & 0xffffffff, 0, mask >> 32, 0)
    return {"SCHILY.xattr.security.capability": raw.decode("utf-8", "surrogateescape")}


def image(node, tmp_path, programs):
    disk = os.stat(node.root).st_dev
    layer = oci.Layer().directory("own", 0o777)
    layer.file("own/who", programs["who"], 0o755).file("own/tracer", programs["tracer"], 0o755)
    layer.file("own/root", programs["who"], 0o6755)
    layer.entry("own/bind", programs["who"], mode=0o755, pax_headers=file_capabilities(NET_BIND))
    layer.entry("own/admin", programs["who"], mode=0o755, pax_headers=file_capabilities(SYS_ADMIN))
    layer.entry("own/disk", type=b"4", mode=0o666, devmajor=os.major(disk), devminor=os.minor(disk))
    layer.entry("own/memory", type=b"3", mode=0o666, devmajor=1, devminor=1)
    layer.entry("own/messages", type=b"3", mode=0o666, devmajor=1, devminor=11)
    oci.Image([oci.busybox_layer(), layer.tar()], Cmd=["sleep", "1000"]).write_docker_archive(str(tmp_path / "p.tar"), "localhost/privileges:test")
    node.nacelle("import", str(tmp_path / "p.tar"))
    return "localhost/privileges:test"


def status_of(text):
    lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return {k: [int(v, 16) if k.startswith("Cap") else int(v) for v in lines[k].split()] for k in STATUS}


def run(node, c, *command):
    done = node.exec(c, *command, check=False)
    return status_of(done.stdout) if "CapEff" in done.stdout else done.stdout + done.stderr


def test_setuid_and_file_capabilities(node, tmp_path, programs):
    """An image's programs give a user at most what the pod allows, and nothing where it forbids escalation."""
    name = image(node, tmp_path, programs)
    container = {"image": name, "command": ["sleep", "1000"], "securityContext": {"runAsUser": 1000, "runAsGroup": 1000}}
    strict = {**container["securityContext"], "allowPrivilegeEscalation": False}
    few = {**container["securityContext"], "capabilities": {"drop": ["ALL"], "add": ["CHOWN"]}}
    node.write("p.yaml", pod("p", {**container, "name": "free"}, {**container, "name": "strict", "securityContext": strict},
                             {**container, "name": "few", "securityContext": few}))
    free, strict, few = (node.running(n) for n in ("free", "strict", "few"))
    own = run(node, free, "/own/who")
    assert own["Uid"] == [1000] * 4 and own["CapEff"] == own["CapPrm"] == own["CapInh"] == own["CapAmb"] == [0]
    assert own["CapBnd"] == [DEFAULT]
    root = run(node, free, "/own/root")
    assert root["Uid"] == [1000, 0, 0, 0] and root["CapEff"] == [DEFAULT]
    assert run(node, free, "/own/bind")["CapEff"] == [NET_BIND]
    assert "not permitted" in run(node, free, "/own/admin").lower()
    for program in ("who", "root", "bind"):
        assert run(node, strict, "sh", "-c", "/own/" + program) == {**own, "NoNewPrivs": [1]}, program
    # What is executed first may have what the pod allows by its file, as with runc: CoreDNS binds port 53 so.
    assert run(node, strict, "/own/bind")["CapEff"] == [NET_BIND] and run(node, strict, "/own/root")["Uid"] == [1000] * 4
    assert run(node, few, "/own/root")["CapEff"] == [1]
    assert "not permitted" in run(node, few, "/own/bind").lower()


def test_devices_of_an_image(node, tmp_path, programs):
    """Nodes for the host's disk and memory in a layer open nothing, for root neither, nor in an exec."""
    node.write("d.yaml", pod("d", {"image": image(node, tmp_path, programs), "command": ["sleep", "1000"]},
                             {"name": "volume", "command": ["sleep", "1000"], "securityContext": {"runAsUser": 1000}, "volumeMounts": [{"name": "i", "mountPath": "/i"}]},
                             volumes=[{"name": "i", "image": {"reference": "localhost/privileges:test", "pullPolicy": "Never"}}]))
    c = node.running("main")
    for device in ("disk", "memory", "messages"):
        done = node.exec(c, "sh", "-c", f"head -c 1 /own/{device}; echo > /own/{device}; true", check=False)
        assert done.stdout.lower().count("not permitted") == 2, done.stdout
    # An image volume gives neither devices nor setuid programs.
    c = node.running("volume")
    flags = next(line.split()[3] for line in node.exec(c, "cat", "/proc/mounts").splitlines() if line.split()[1] == "/i").split(",")
    assert {"ro", "nosuid", "nodev"} <= set(flags)
    assert run(node, c, "/i/own/root")["Uid"] == [1000] * 4 and run(node, c, "/i/own/bind")["CapEff"] == [0]
    done = node.exec(c, "sh", "-c", "head -c 1 /i/own/disk; true", check=False).stdout.lower()
    assert "denied" in done or "not permitted" in done


@pytest.mark.parametrize("security", [
    {"runAsUser": 1000, "runAsGroup": 2000, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}},
    {"capabilities": {"add": ["NET_ADMIN"], "drop": ["CHOWN"]}},
], ids=["user", "root"])
def test_every_way_in_gets_the_container_s_own(node, security):
    """exec, probes and hooks run as the container's process does: ids, capabilities, seccomp, namespaces, cgroups, descriptors."""
    look = ("cat /proc/self/status; for n in cgroup ipc mnt net pid user uts; do readlink /proc/self/ns/$n; done; "
            "cat /proc/self/cgroup; ls /proc/self/fd | wc -l; echo umask $(umask); ulimit -n; ulimit -c; pwd; env | sort | grep -v ^SHLVL | grep -v ^_=")

    def write(name):
        return ["sh", "-c", f"({look}) > /e/{name}.new; mv /e/{name}.new /e/{name}; [ {name} != main ] || sleep 1000"]
    hook, probe = {"postStart": {"exec": {"command": write("hook")}}}, {"exec": {"command": write("probe")}, "periodSeconds": 1}
    node.write("w.yaml", pod("w", {"command": write("main"), "securityContext": security, "lifecycle": hook,
                                   "readinessProbe": probe, "volumeMounts": [{"name": "e", "mountPath": "/e"}]},
                             volumes=[{"name": "e", "emptyDir": {}}], securityContext={"fsGroup": 3000}))
    c = node.running("main")
    wait_for("files", lambda: {"main", "hook", "probe"} <= set(node.exec(c, "ls", "/e").split()))
    seen = {way: node.exec(c, "cat", f"/e/{way}") for way in ("main", "hook", "probe")}
    seen["exec"] = node.exec(c, "sh", "-c", f"({look})")

    def facts(text):
        return status_of(text), text.split("Seccomp_filters")[1].split("nonvoluntary_ctxt_switches")[1].splitlines()[1:]
    for way in ("hook", "probe", "exec"):
        assert facts(seen[way]) == facts(seen["main"]), way


def test_proc_sys_and_cgroups_cannot_be_opened_up(node):
    """Root of a container without SYS_ADMIN: what is masked or read-only stays so, and no new mount shows more."""
    node.write("m.yaml", pod("m", "sleep 1000"))
    c = node.running("main")
    for attempt in ("mount -o remount,rw /proc/sys", "mount -o remount,rw /sys", "mount -o remount,rw /sys/fs/cgroup", "umount /proc/keys", "umount /sys/firmware",
                    "mount -t proc proc /tmp", "mount -t sysfs sys /tmp", "mount -t cgroup -o memory none /tmp", "mount -t cgroup2 none /tmp",
                    "mount --bind /proc /tmp", "echo 1 > /proc/sysrq-trigger", "echo x > /proc/sys/kernel/core_pattern", "echo 1 > /proc/irq/default_smp_affinity",
                    "echo /tmp/x > /sys/kernel/uevent_helper", "chroot /proc/1/root mount -o remount,rw /sys", "swapoff -a", "hostname other",
                    "echo 100 > /sys/fs/cgroup/pids/pids.max", "echo 1 > /sys/fs/cgroup/memory/notify_on_release", "mkdir /sys/fs/cgroup/memory/x"):
        done = node.exec(c, "sh", "-c", attempt + "; echo code $?", check=False)
        assert "code 0" not in done.stdout, attempt
    assert node.exec(c, "sh", "-c", "cat /proc/keys /proc/timer_list /proc/kcore 2>/dev/null | wc -c").strip() == "0"


def test_the_shared_namespace_s_first_process(node, tmp_path, programs):
    """Who may trace (kubectl debug gives SYS_PTRACE) gains nothing by process 1, which the node has put there."""
    security = {"capabilities": {"add": ["SYS_PTRACE"]}}
    node.write("t.yaml", pod("t", {"image": image(node, tmp_path, programs), "command": ["sleep", "1000"], "securityContext": security}, shareProcessNamespace=True))
    c = node.running("main")
    first = status_of(node.exec(c, "cat", "/proc/1/status"))
    assert first["Uid"] == [65535] * 4 and first["NoNewPrivs"] == [1] and first["Seccomp"] == [2]
    assert all(first[k] == [0] for k in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"))
    assert "code 0" not in node.exec(c, "sh", "-c", "echo x >> /proc/1/exe; echo code $?", check=False).stdout
    if platform.machine() == "x86_64":
        assert node.exec(c, "/own/tracer").strip() == "result -1"  # EPERM, by its filter
    # It still does its work.
    node.exec(c, "sh", "-c", "for i in 1 2 3; do (sleep 0.1 &); done; sleep 0.5")
    assert "Z" not in [line.split()[3] for line in node.exec(c, "ps", "-o", "pid,ppid,args,stat").splitlines()[1:] if len(line.split()) > 3]


def test_sockets_are_files_of_root(node):
    """CVE-2020-15257: no abstract socket of ours is in reach of who shares the host's network; on TCP only 127.0.0.1 listens."""
    node.write("h.yaml", pod("h", "sleep 1000", hostNetwork=True))
    c = node.running("main")
    inodes = set()
    for pid in {node.process.pid} | {p for p in processes(r"nacelle-(shim|image)") if parent(p) == node.process.pid}:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            try:
                link = os.readlink(f"/proc/{pid}/fd/{fd}")
            except OSError:
                continue
            if link.startswith("socket:["):
                inodes.add(link[8:-1])
    assert len(inodes) > 3
    assert not [line for line in node.exec(c, "cat", "/proc/net/unix").splitlines() if line.split()[6] in inodes and line.split()[-1].startswith("@")]
    for table in ("tcp", "tcp6"):
        for line in node.exec(c, "cat", f"/proc/net/{table}").splitlines()[1:]:
            fields = line.split()
            if fields[9] in inodes and fields[3] == "0A":
                assert fields[1].split(":")[0] == "0100007F", line


def test_requests_stay_in_their_place(node, tmp_path):
    """A cgroup's path, a profile or a device that leads elsewhere."""
    for parent_ in ("/../x", "a/../../x", "..", "/a/./b", "/a\nb"):
        (tmp_path / "s.json").write_text(json.dumps({"metadata": {"name": "s", "namespace": "test", "uid": "s"}, "linux": {"cgroup_parent": parent_}}))
        done = node.crictl("runp", str(tmp_path / "s.json"), check=False)
        assert done.returncode != 0 and "cgroup" in done.stderr, parent_
    assert not node.pods()
