"""What becomes of nacelle-oci's containers when they are paused, killed half made, or without their first process; execs and updates; beside runc."""
import json
import os
import shutil
import signal
import subprocess
import time

import pytest
from support.bundle import PROGRAM, bind, bundle
from support.node import processes, wait_for

RUNC = shutil.which("runc")
RUNTIMES = [PROGRAM, *([RUNC] if RUNC else [])]
each = pytest.mark.parametrize("program", RUNTIMES, ids=[os.path.basename(p) for p in RUNTIMES])


def cgroups_of(bundle):
    """The directories of the bundle's cgroup in each hierarchy."""
    found = [f"/sys/fs/cgroup/{h}/{os.path.basename(bundle.dir)}" for h in [".", *os.listdir("/sys/fs/cgroup")]]
    return [path for path in found if os.path.exists(path)]


def cgroup_value(bundle, v1, v2):
    """Of a control file, by its name on v1 ("memory/memory.limit_in_bytes") or v2."""
    hierarchy, file = v1.split("/")
    path = f"/sys/fs/cgroup/{hierarchy}/{os.path.basename(bundle.dir)}/{file}"
    with open(path if os.path.exists(path) else f"/sys/fs/cgroup/{os.path.basename(bundle.dir)}/{v2}") as f:
        return f.read().strip()


@pytest.fixture
def calls(bundle, program):
    """Calls of one runtime, whose container is removed at the end."""
    def call(*args, **kwargs):
        return bundle.call(*args, program=program, **kwargs)

    yield call
    call("delete", "--force", "c")


def status(call):
    return json.loads(call("state", "c").stdout)["status"]


# ---- killed half made ----

def assert_can_be_made_again(bundle):
    assert not os.path.exists(bundle.dir + "/state/c") and cgroups_of(bundle) == []
    assert bundle.call("run", "--detach", "c").returncode == 0
    assert bundle.call("delete", "--force", "c").returncode == 0
    assert not os.path.exists(bundle.dir + "/state/c") and cgroups_of(bundle) == []


def inits():
    return set(processes("nacelle-init"))


def test_killed_create(bundle):
    """At every moment: what is left is removed by the id, nothing waits for ever, and the id is free."""
    bundle.configure("sleep", "1000", linux={"resources": {"pids": {"limit": 50}}})
    before = inits()
    for i in range(80):
        create = subprocess.Popen([PROGRAM, "--root", bundle.dir + "/state", "create", "c"], cwd=bundle.dir, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(i * 0.00015)
        create.kill()
        create.wait()
        recorded = os.path.exists(bundle.dir + "/state/c/state.json")
        if not recorded:
            wait_for("the end of what was begun", lambda: not inits() - before)
        done = bundle.call("delete", "--force", "c")
        assert done.returncode == 0, done.stderr
        assert not os.path.exists(bundle.dir + "/state/c") and cgroups_of(bundle) == [], f"killed after {i * 0.15} ms"
    wait_for("the end of all of them", lambda: not inits() - before)
    assert_can_be_made_again(bundle)


@pytest.mark.parametrize("kind", ["createRuntime", "createContainer"])
def test_killed_in_a_hook(bundle, kind):
    bundle.configure("sleep", "1000", hooks={kind: [{"path": "/bin/sleep", "args": ["sleep", "0.7"]}]})
    before = inits()
    create = subprocess.Popen([PROGRAM, "--root", bundle.dir + "/state", "create", "c"], cwd=bundle.dir, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for("the process", lambda: inits() - before)
    time.sleep(0.2)
    create.kill()
    create.wait()
    assert bundle.call("delete", "--force", "c").returncode == 0
    wait_for("its end", lambda: not inits() - before)
    assert_can_be_made_again(bundle)


@each
@pytest.mark.parametrize("force", [True, False])
def test_a_directory_without_state(bundle, program, calls, force):
    bundle.configure("true")
    root = bundle.dir + ("/state" if program == PROGRAM else "/state-runc")
    os.makedirs(root + "/c/more")
    assert calls("delete", *["--force"] * force, "c").returncode == (0 if force else 1)
    assert not os.path.exists(root + "/c")


def test_a_state_that_cannot_be_read(bundle):
    bundle.configure("sleep", "1000")
    assert bundle.call("create", "c").returncode == 0
    with open(bundle.dir + "/state/c/state.json", "w") as f:
        f.write("{")
    assert "its state" in bundle.call("delete", "c").stderr
    assert bundle.call("delete", "--force", "c").returncode == 0
    assert_can_be_made_again(bundle)


@each
@pytest.mark.parametrize("name", ["..", ".", "", "../kept", "kept/..", "/"])
def test_ids_are_names(bundle, program, calls, name):
    """Since deleting removes a directory by the id."""
    os.makedirs(bundle.dir + "/kept/deep")
    os.makedirs(bundle.dir + "/state/kept")
    assert calls("delete", "--force", name).returncode == 1
    assert os.path.exists(bundle.dir + "/kept/deep") and os.path.exists(bundle.dir + "/state/kept") and os.path.exists(bundle.root)


# ---- paused, created ----

@each
def test_pause_of_a_created_container(bundle, program, calls):
    bundle.configure("sleep", "1000")
    assert calls("create", "c").returncode == 0
    assert calls("pause", "c").returncode == 0 and status(calls) == "paused"
    assert calls("start", "c").returncode == 1
    assert calls("delete", "c").returncode == 1
    assert calls("resume", "c").returncode == 0 and status(calls) == "created"
    assert calls("resume", "c").returncode == 1
    assert calls("start", "c").returncode == 0 and status(calls) == "running"
    assert calls("pause", "c").returncode == 0 and calls("kill", "c", "KILL").returncode == 0
    wait_for("its end", lambda: status(calls) == "stopped")
    assert calls("delete", "c").returncode == 0


@each
def test_exec_in_a_created_container(bundle, program, calls):
    bundle.configure("sleep", "1000")
    assert calls("create", "c").returncode == 0
    assert calls("exec", "c", "sh", "-c", "cat /proc/1/cmdline >/dev/null; echo inside; id -u").stdout.split() == ["inside", "0"]
    assert status(calls) == "created" and calls("start", "c").returncode == 0
    calls("kill", "c", "KILL")
    wait_for("its end", lambda: status(calls) == "stopped")
    assert calls("exec", "c", "true").returncode == 255


@each
def test_exec_in_a_paused_container(bundle, program, calls):
    """--ignore-paused: it waits for the container to be resumed."""
    bundle.configure("sleep", "1000")
    assert calls("run", "--detach", "c").returncode == 0 and calls("pause", "c").returncode == 0
    assert calls("exec", "c", "true").returncode == 255
    root = bundle.dir + ("/state" if program == PROGRAM else "/state-runc")
    waits = subprocess.Popen([program, "--root", root, "exec", "--ignore-paused", "c", "echo", "waited"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    with pytest.raises(subprocess.TimeoutExpired):
        waits.wait(timeout=0.4)
    assert calls("resume", "c").returncode == 0
    assert waits.communicate(timeout=10)[0] == "waited\n" and waits.returncode == 0


# ---- without the first process ----

def without_pid_namespace(bundle, script):
    bundle.configure("sh", "-c", script, linux={"namespaces": [{"type": t} for t in ("mount", "uts", "ipc", "network")]})
    assert bundle.call("run", "--detach", "c").returncode == 0


def pids(bundle):
    return json.loads(bundle.call("ps", "--format", "json", "c").stdout)


@pytest.mark.parametrize("name", ["TERM", "KILL", "15"])
def test_kill_reaches_those_who_are_left(bundle, name):
    """As runc does since 1.2."""
    without_pid_namespace(bundle, "sleep 1000 & sleep 1001 & true")
    wait_for("the first process's end", lambda: bundle.state() == "stopped")
    assert len(pids(bundle)) == 2
    assert bundle.call("kill", "c", name).returncode == 0
    wait_for("their end", lambda: pids(bundle) == [])
    done = bundle.call("kill", "c", name)
    assert done.returncode == 1 and "container not running" in done.stderr
    assert bundle.call("kill", "--all", "c", name).returncode == 0
    assert bundle.call("delete", "c").returncode == 0


def test_kill_ends_all_where_pids_are_shared(bundle):
    without_pid_namespace(bundle, "sleep 1000 & sleep 1001 & sleep 1002")
    wait_for("all of them", lambda: len(pids(bundle)) == 4 or len(pids(bundle)) == 3)
    assert bundle.call("kill", "c", "KILL").returncode == 0
    wait_for("their end", lambda: pids(bundle) == [])


def test_paused_without_the_first_process(bundle):
    """What is frozen can be thawed, and is not taken for stopped."""
    without_pid_namespace(bundle, "trap '' TERM; sleep 1000 & wait")
    wait_for("both", lambda: len(pids(bundle)) == 2)
    first = json.loads(bundle.call("state", "c").stdout)["pid"]
    assert bundle.call("pause", "c").returncode == 0
    os.kill(first, signal.SIGKILL)
    wait_for("the first one's end", lambda: pids(bundle) and first not in pids(bundle))
    assert bundle.state() == "paused"
    assert bundle.call("resume", "c").returncode == 0 and bundle.state() == "stopped"
    assert bundle.call("delete", "c").returncode == 0


@pytest.mark.parametrize("name", ["", "65", "9x", "SIGFOO", "RTMIN+99", "TERM "])
def test_signals_that_are_none(bundle, name):
    bundle.configure("sleep", "1000")
    assert bundle.call("run", "--detach", "c").returncode == 0
    assert f'unknown signal "{name}"' in bundle.call("kill", "c", name).stderr
    assert bundle.state() == "running"


# ---- exec ----

def running(bundle, calls, **process):
    bundle.configure("sleep", "1000", process=process)
    assert calls("run", "--detach", "c").returncode == 0


@each
def test_exec_environment(bundle, program, calls):
    """The last of a name counts, whoever gave it, and however many there are."""
    running(bundle, calls, env=["PATH=/bin", "A=1", "A=2", "B=b", "HOME=/h"])

    def environment(*options):
        return calls("exec", *options, "c", "cat", "/proc/self/environ").stdout.rstrip("\0").split("\0")
    assert environment() == ["PATH=/bin", "A=2", "B=b", "HOME=/h"]
    assert environment("--env", "B=c", "--env", "C=1", "--env", "C=", "--env", "A=x=y") == ["PATH=/bin", "A=x=y", "B=c", "HOME=/h", "C="]
    many = [f"--env=N{i}={i}" for i in range(1000)]
    assert environment(*many)[4:] == [f"N{i}={i}" for i in range(1000)]
    for wrong in "NOEQUALS", "=x", "=", "":
        assert calls("exec", "--env", wrong, "c", "true").returncode == 255


@each
def test_exec_options(bundle, program, calls):
    running(bundle, calls, user={"uid": 0, "gid": 0, "additionalGids": [3]})
    assert calls("exec", "-g", "5", "-g", "6", "c", "id", "-G").stdout == "0 3 5 6\n"
    assert calls("exec", "--cwd", "/bin", "c", "readlink", "/proc/self/cwd").stdout == "/bin\n"
    assert calls("exec", "--additional-gids", "5", "c", "id", "-G").stdout == "0 3 5\n"
    assert calls("exec", "-e", "A=1", "c", "sh", "-c", "echo $A").stdout == "1\n"
    before, after = [int(calls("exec", *o, "c", "grep", "CapEff", "/proc/self/status").stdout.split()[1], 16) for o in ([], ["-c", "CAP_NET_ADMIN"])]
    assert after == before | 1 << 12
    for wrong in (["--cwd", "bin"], ["-g", "-1"], ["-g", "x"], ["-g", ""], ["--process-label", "x"], ["--apparmor", "x"]):
        if (wrong[0], os.path.exists("/sys/fs/selinux/enforce"), os.path.exists("/sys/module/apparmor")) not in (
                ("--process-label", True, False), ("--process-label", True, True), ("--apparmor", False, True), ("--apparmor", True, True)):
            assert calls("exec", *wrong, "c", "true").returncode != 0, wrong
    if program == PROGRAM:
        assert "a whole number from 0 to" in calls("exec", "--preserve-fds", "5x", "c", "true").stderr


@each
def test_exec_in_a_cgroup_below(bundle, program, calls):
    running(bundle, calls)
    made = [path + "/below" for path in cgroups_of(bundle)]
    for path in made:
        os.mkdir(path)
        for name in ("cpus", "mems"):
            if os.path.exists(f"{path}/cpuset.{name}"):
                shutil.copyfile(f"{os.path.dirname(path)}/cpuset.{name}", f"{path}/cpuset.{name}")
    try:
        for name in ("below", "/below"):
            lines = calls("exec", "--cgroup", name, "c", "cat", "/proc/self/cgroup").stdout.splitlines()
            assert [line for line in lines if ":memory:" in line or line.startswith("0::")] and all(
                line.endswith("/below") for line in lines if os.path.basename(bundle.dir) in line)
        for name in ("nothere", "../x", ".."):
            assert calls("exec", "--cgroup", name, "c", "true").returncode != 0 or (program != PROGRAM and name != "nothere")
    finally:
        calls("kill", "c", "KILL")
        for path in made:
            wait_for("the cgroup to be empty", lambda: not open(path + "/cgroup.procs").read())
            os.rmdir(path)


PASSWD = [
    ("root:x:0:0::/rooty:/bin/sh\nother:x:7:7::/other:\n", 0, "/rooty"), ("root:x:0:0::/rooty:/bin/sh\nother:x:7:7::/other:\n", 7, "/other"),
    ("root:x:0:0::/rooty:/bin/sh\nother:x:7:7::/other:\n", 8, "/"), ("# a comment\n\nfirst:x:7:7::/first:\nsecond:x:7:7::/second:\n", 7, "/first"),
    ("last:x:7:7::/last", 7, "/last"), ("7:x:70:70::/name:\n", 7, "/"), ("short:x:70\nother:x:7:7::/other:\n", 7, "/other"), ("", 0, "/"),
]


@each
@pytest.mark.parametrize("env", [[], ["HOME="]], ids=["unset", "empty"])
def test_home(bundle, program, calls, env):
    for passwd, uid, home in PASSWD[:3]:
        with open(bundle.root + "/etc/passwd", "w") as f:
            f.write(passwd)
        bundle.configure("sh", "-c", "echo $HOME", process={"env": ["PATH=/bin", *env], "user": {"uid": uid, "gid": 0}})
        assert calls("run", "c").stdout == home + "\n"
    bundle.configure("sleep", "1000", process={"env": ["PATH=/bin", *env]})
    assert calls("run", "--detach", "c").returncode == 0
    for passwd, uid, home in PASSWD:
        with open(bundle.root + "/etc/passwd", "w") as f:
            f.write(passwd)
        assert calls("exec", "--user", str(uid), "c", "sh", "-c", "echo $HOME").stdout == home + "\n"
    assert calls("exec", "--env", "HOME=/given", "c", "sh", "-c", "echo $HOME").stdout == "/given\n"


def test_home_by_what_is_no_file(bundle):
    """Nothing that blocks, and nothing outside of the container."""
    path = bundle.root + "/etc/passwd"
    with open(bundle.dir + "/outside", "w") as f:
        f.write("root:x:0:0::/outside:\n")
    for make in (lambda: os.mkfifo(path), lambda: os.mkdir(path), lambda: os.symlink("/proc/self/exe", path), lambda: os.symlink("passwd", path),
                 lambda: os.symlink("../../../../../.." + bundle.dir + "/outside", path), lambda: None):
        make()
        assert bundle.run("echo $HOME") == ["/"]
        if os.path.lexists(path):
            (os.rmdir if os.path.isdir(path) and not os.path.islink(path) else os.unlink)(path)
    # One that a mount brings counts, as what the container itself sees.
    assert bundle.run("echo $HOME", mounts=[bind(bundle.dir + "/outside", destination="/etc/passwd")]) == ["/outside"]


# ---- names with something behind them ----

@each
@pytest.mark.parametrize("destination", ["/file/", "/file/.", "/file/./", "//file", "/new/", "/deep/er/./new/.", "/link/", "/dangling/.", "/data/../file/", "/proc/cpuinfo/"])
def test_destinations_of_files(bundle, program, calls, destination):
    with open(bundle.dir + "/source", "w") as f:
        f.write("mounted")
    with open(bundle.root + "/file", "w") as f:
        f.write("hidden")
    os.symlink("file", bundle.root + "/link")
    os.symlink("made", bundle.root + "/dangling")
    bundle.configure("cat", os.path.normpath(destination), mounts=[bind(bundle.dir + "/source", destination=destination)])
    assert calls("run", "c").stdout == "mounted"


@each
@pytest.mark.parametrize("path", ["{}/", "{}/.", "//{}", "/x/../{}", "{}//sub/./", "../{}"])
def test_names_of_cgroups(bundle, program, calls, path):
    name = os.path.basename(bundle.dir)
    bundle.configure("cat", "/proc/self/cgroup", linux={"cgroupsPath": path.format(name)})
    lines = calls("run", "c").stdout.splitlines()
    assert f"/{name}" + ("/sub" if "sub" in path else "") in [line.split(":", 2)[2] for line in lines]
    for h in [".", *os.listdir("/sys/fs/cgroup")]:
        if os.path.isdir(f"/sys/fs/cgroup/{h}/{name}"):
            os.rmdir(f"/sys/fs/cgroup/{h}/{name}")


# ---- update ----

SIZES = [("64M", 64 << 20), ("64m", 64 << 20), ("67108864", 64 << 20), ("64MB", 64 << 20), ("64MiB", 64 << 20), ("64mib", 64 << 20), ("0.5g", 512 << 20), ("1g", 1 << 30),
         ("65536k", 64 << 20), ("64 M", 64 << 20), ("67108864b", 64 << 20), ("1T", 1 << 40)]


@each
def test_update_sizes(bundle, program, calls):
    running(bundle, calls)
    for text, size in SIZES:
        assert calls("update", "--memory", text, "c").returncode == 0, text
        assert cgroup_value(bundle, "memory/memory.limit_in_bytes", "memory.max") == str(size), text


WRONG = [("--memory", t) for t in ("64x", "x", "M", "64 ", "64MM", "64ib", "-5", "1e3", "64M ", " 64M", "0x10", "9999999999999999999", "16384P")] + \
    [("--memory-swap", "1q"), ("--memory-reservation", "a"), ("--cpu-share", "5x"), ("--cpu-quota", "x"), ("--cpu-period", "1.5"), ("--cpu-period", "-1"),
     ("--pids-limit", "x"), ("--cpuset-cpus", "a"), ("--cpuset-mems", "a"), ("--blkio-weight", "x")]


@pytest.mark.parametrize("option,text", WRONG + [(o, "") for o in sorted({o for o, _ in WRONG})] + [("--blkio-weight", "5")])
def test_update_refuses(bundle, option, text):
    """With a good one beside it, which is not applied either."""
    bundle.configure("sleep", "1000", linux={"resources": {"pids": {"limit": 50}}})
    assert bundle.call("run", "--detach", "c").returncode == 0
    other = ["--pids-limit", "60"] if option != "--pids-limit" else ["--memory", "64M"]
    done = bundle.call("update", *other, option, text, "c")
    assert done.returncode == 1 and done.stderr
    assert cgroup_value(bundle, "pids/pids.max", "pids.max") == "50"
    if RUNC and text and (option, text) not in (("--memory", "64 "), ("--memory", "1e3"), ("--memory", "64M "), ("--memory", "9999999999999999999"), ("--memory", "16384P"),
                                               ("--blkio-weight", "5"), ("--memory", "-5"), ("--memory", " 64M")):
        bundle.call("delete", "--force", "c")
        bundle.call("run", "--detach", "c", program=RUNC)
        assert bundle.call("update", option, text, "c", program=RUNC).returncode != 0
        bundle.call("delete", "--force", "c", program=RUNC)


@each
def test_update_memory_with_swap(bundle, program, calls):
    running(bundle, calls)

    def now():
        swap = "/sys/fs/cgroup/memory/x/memory.memsw.limit_in_bytes".replace("x", os.path.basename(bundle.dir))
        memory = int(cgroup_value(bundle, "memory/memory.limit_in_bytes", "memory.max")) >> 20
        return memory, (int(open(swap).read()) >> 20 if os.path.exists(swap) else None)
    steps = [("64M", "128M"), ("256M", "512M"), ("32M", "32M"), ("512M", "1g"), ("16M", "2g"), ("1g", "1g")]
    for i, (memory, swap) in enumerate(steps):
        options = [["--memory", memory], ["--memory-swap", swap]]
        assert calls("update", *sum(options[::-1 if i % 2 else 1], []), "c").returncode == 0
        has_swap = now()[1] is not None
        mib = {"g": 1024, "M": 1}
        assert now() == (int(memory[:-1]) * mib[memory[-1]], int(swap[:-1]) * mib[swap[-1]] if has_swap else None)
    if now()[1] is None:
        return
    assert calls("update", "--memory", "2g", "c").returncode == 1
    assert now() == (1024, 1024)
    assert calls("update", "--memory", "256M", "c").returncode == 0 and now() == (256, 1024)
    assert calls("update", "--memory-swap", "300M", "c").returncode == 0 and now() == (256, 300)
    if program == PROGRAM:  # runc is half way then
        assert calls("update", "--memory", "280M", "--memory-swap", "270M", "c").returncode == 1 and now() == (256, 300)
        assert calls("update", "--memory", "64M", "--cpuset-cpus", "0-9999", "c").returncode == 1 and now() == (256, 300)


@each
def test_update_the_rest(bundle, program, calls):
    running(bundle, calls)
    assert calls("update", "--cpuset-cpus", "0", "--cpu-share", "200", "--pids-limit", "-1", "--cpu-period", "50000", "--cpu-quota", "25000", "c").returncode == 0
    assert cgroup_value(bundle, "cpuset/cpuset.cpus", "cpuset.cpus") == "0"
    assert cgroup_value(bundle, "cpu/cpu.cfs_quota_us", "cpu.max").split()[0] == "25000"
    assert calls("update", "--cpuset-cpus", f"0-{os.cpu_count() - 1}", "c").returncode == 0
    assert calls("update", "--cpu-quota", "10000", "c").returncode == 0
    assert cgroup_value(bundle, "cpu/cpu.cfs_period_us", "cpu.max").split()[-1] == "50000"
    calls("kill", "c", "KILL")
    wait_for("its end", lambda: status(calls) == "stopped")
    assert calls("update", "--pids-limit", "5", "c").returncode == 1


def test_update_of_a_document_and_options(bundle):
    bundle.configure("sleep", "1000")
    assert bundle.call("run", "--detach", "c").returncode == 0
    with open(bundle.dir + "/resources.json", "w") as f:
        json.dump({"memory": {"limit": 64 << 20}, "pids": {"limit": 5}}, f)
    assert bundle.call("update", "--pids-limit", "6", "-r", bundle.dir + "/resources.json", "c").returncode == 0
    assert cgroup_value(bundle, "memory/memory.limit_in_bytes", "memory.max") == str(64 << 20)
    assert cgroup_value(bundle, "pids/pids.max", "pids.max") == "6"
    with open("/dev/null") as nothing:
        assert "nothing on standard input" in bundle.call("update", "-r", "-", "c", stdin=nothing).stderr
    with open(bundle.dir + "/large", "w") as f:
        f.write(" " * (4 << 20) + "{}")
    with open(bundle.dir + "/large") as large:
        assert "more than 4 MiB" in bundle.call("update", "-r", "-", "c", stdin=large).stderr


# ---- limits too small to start ----

@pytest.mark.parametrize("verb", ["run", "create"])
def test_too_little_memory_is_named(bundle, verb):
    bundle.configure("true", linux={"resources": {"memory": {"limit": 4096}}})
    done = bundle.call(verb, "c")
    assert done.returncode != 0 and "killed for its memory" in done.stderr and "memory limit 4Ki" in done.stderr
    assert cgroups_of(bundle) == []
