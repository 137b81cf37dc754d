"""config.json, process.json and resources are read as they are meant: each member of the runtime specification with values of wrong types and out of range
is refused with its path, beside runc, which refuses the same."""
import copy
import json
import os
import shutil

import pytest
from support.bundle import bundle

RUNC = shutil.which("runc")

# ---- the specification's members ----

TEXT, FLAG, TEXTS, TEXT_MAP, IDS = "text", "flag", "texts", "text map", "ids"
U16, U32, U64, I64 = (0, 2**16 - 1), (0, 2**32 - 1), (0, 2**64 - 1), (-2**63, 2**63 - 1)


class Listed(dict):
    """The members of each object of a list."""


class Named(dict):
    """The members of each object of a map."""


HOOK = Listed(path=TEXT, args=TEXTS, env=TEXTS, timeout=I64)
MAPPING = Listed(containerID=U32, hostID=U32, size=U32)
RATE = Listed(major=I64, minor=I64, rate=U64)
PROCESS = {
    "terminal": FLAG, "consoleSize": {"height": U64, "width": U64}, "args": TEXTS, "env": TEXTS, "cwd": TEXT, "noNewPrivileges": FLAG, "apparmorProfile": TEXT,
    "selinuxLabel": TEXT, "oomScoreAdj": I64, "commandLine": TEXT, "rlimits": Listed(type=TEXT, soft=U64, hard=U64),
    "user": {"uid": U32, "gid": U32, "umask": U32, "additionalGids": IDS, "username": TEXT},
    "capabilities": {name: TEXTS for name in ("bounding", "effective", "permitted", "inheritable", "ambient")},
}
RESOURCES = {
    "devices": Listed(allow=FLAG, type=TEXT, access=TEXT, major=I64, minor=I64),
    "memory": {**{name: I64 for name in ("limit", "reservation", "swap", "kernel", "kernelTCP")}, "swappiness": U64, "disableOOMKiller": FLAG, "useHierarchy": FLAG},
    "cpu": {"shares": U64, "quota": I64, "period": U64, "realtimeRuntime": I64, "realtimePeriod": U64, "cpus": TEXT, "mems": TEXT},
    "pids": {"limit": I64},
    "blockIO": {"weight": U16, "leafWeight": U16, "weightDevice": Listed(major=I64, minor=I64, weight=U16, leafWeight=U16),
                **{f"throttle{name}Device": RATE for name in ("ReadBps", "WriteBps", "ReadIOPS", "WriteIOPS")}},
    "hugepageLimits": Listed(pageSize=TEXT, limit=U64), "network": {"classID": U32, "priorities": Listed(name=TEXT, priority=U32)},
    "rdma": Named(hcaHandles=U32, hcaObjects=U32), "unified": TEXT_MAP,
}
SECCOMP = {
    "defaultAction": TEXT, "defaultErrnoRet": U64, "architectures": TEXTS, "flags": TEXTS, "listenerPath": TEXT, "listenerMetadata": TEXT,
    "syscalls": Listed(names=TEXTS, action=TEXT, errnoRet=U64, args=Listed(index=U64, value=U64, valueTwo=U64, op=TEXT)),
}
SPEC = {
    "ociVersion": TEXT, "hostname": TEXT, "domainname": TEXT, "annotations": TEXT_MAP, "root": {"path": TEXT, "readonly": FLAG}, "process": PROCESS,
    "mounts": Listed(destination=TEXT, type=TEXT, source=TEXT, options=TEXTS, uidMappings=MAPPING, gidMappings=MAPPING),
    "hooks": {name: HOOK for name in ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")},
    "linux": {
        "uidMappings": MAPPING, "gidMappings": MAPPING, "sysctl": TEXT_MAP, "cgroupsPath": TEXT, "rootfsPropagation": TEXT, "maskedPaths": TEXTS,
        "readonlyPaths": TEXTS, "mountLabel": TEXT, "namespaces": Listed(type=TEXT, path=TEXT), "seccomp": SECCOMP, "resources": RESOURCES,
        "devices": Listed(path=TEXT, type=TEXT, major=I64, minor=I64, fileMode=U32, uid=U32, gid=U32)},
}

WRONG = {
    TEXT: [1, True, ["x"], {"x": "y"}], FLAG: ["true", 1, ["true"], {}], TEXTS: ["x", 1, {"x": "y"}, [1], [["x"]]],
    IDS: ["7", 7, {"x": 1}, ["7"], [1.5], [-1], [2**32]], TEXT_MAP: ["x", 1, ["x"], {"x": 1}, {"x": ["y"]}],
    dict: ["x", 1, ["x"], True], Listed: ["x", 1, {"x": {}}, ["x"], [1]], Named: ["x", 1, [{}], {"x": 1}],
}


def wrong_of(kind):
    return ["1", True, 1.5, [1], {"x": 1}, kind[0] - 1, kind[1] + 1] if isinstance(kind, tuple) else WRONG[kind if isinstance(kind, str) else type(kind)]


def members(kinds, path=()):
    """Path and kind of each member."""
    for name, kind in kinds.items():
        yield (*path, name), kind
        if isinstance(kind, dict):
            yield from members(kind, (*path, name, *([0] if isinstance(kind, Listed) else ["x"] if isinstance(kind, Named) else [])))


def put(tree, path, value):
    """Sets what lies at the path, and makes what is missing on the way."""
    for here, below in zip(path, (*path[1:], None)):
        if isinstance(tree, list) and not tree:
            tree.append({})
        if below is None:
            tree[here] = value
        else:
            tree = tree[here] if isinstance(tree, list) else tree.setdefault(here, [] if isinstance(below, int) else {})


def shown(path):
    text = ""
    for i, part in enumerate(path):
        text += f"[{part}]" if isinstance(part, int) or (i > 0 and path[i - 1] == "rdma") else f"{'.' if text else ''}{part}"
    return text


def create(bundle, config, program=None):
    with open(bundle.dir + "/config.json", "w") as f:
        json.dump(config, f)
    done = bundle.call("create", "c", **({"program": program} if program else {}))
    if done.returncode == 0:
        bundle.call("delete", "--force", "c", **({"program": program} if program else {}))
    return done


def base(bundle):
    bundle.configure("true")
    with open(bundle.dir + "/config.json") as f:
        return json.load(f)


@pytest.mark.parametrize("part", ["ociVersion", "hostname", "domainname", "annotations", "root", "process", "mounts", "hooks", "linux"])
def test_wrong_types(bundle, part):
    good = base(bundle)
    assert create(bundle, good).returncode == 0
    for path, kind in members({part: SPEC[part]}):
        for n, value in enumerate(wrong_of(kind)):
            config = copy.deepcopy(good)
            put(config, path, value)
            done = create(bundle, config)
            assert done.returncode == 1, f"{path}: {value!r} was taken"
            assert "config.json:1: " + shown(path) in done.stderr, f"{path}: {value!r}: {done.stderr}"
            # What a program of another hand says of the first of them, and of the last, which mostly is the one out of range.
            if RUNC and n in (0, len(wrong_of(kind)) - 1):
                assert create(bundle, config, RUNC).returncode != 0, f"runc takes {path}: {value!r}"


def test_narrower_than_runc(bundle):
    """What runc reads and then cuts off, or hands to a kernel that refuses it at the start."""
    good = base(bundle)
    for path, value in [
            (("process", "user", "uid"), 2**32 - 1), (("process", "user", "gid"), 2**32 - 1), (("process", "user", "additionalGids"), [2**32 - 1]),
            (("process", "consoleSize", "height"), 2**16), (("process", "oomScoreAdj"), 1001), (("process", "cwd"), "relative"), (("process", "cwd"), ""),
            (("process", "env"), ["NOEQUALS"]), (("process", "env"), ["=x"]), (("process", "args"), []), (("process", "args"), [None]),
            (("linux", "devices", 0), {"path": "/dev/x", "type": "c", "major": 4097, "minor": 3}),
            (("linux", "devices", 0), {"path": "/dev/x", "type": "c", "major": 1, "minor": 3, "uid": 2**32 - 1}),
            (("linux", "resources", "devices", 0), {"allow": True, "type": "char"}), (("linux", "resources", "devices", 0), {"allow": True, "access": "x"}),
            (("linux", "resources", "devices", 0), {"allow": True, "type": "c", "major": -2}), (("linux", "resources", "memory", "limit"), -2),
            (("hooks", "poststop", 0), {"path": "/bin/true", "timeout": 0})]:
        config = copy.deepcopy(good)
        put(config, path, value)
        done = create(bundle, config)
        assert done.returncode == 1, f"{path}: {value!r} was taken"
        assert [name for name in path if isinstance(name, str)][-1].rstrip("s") in done.stderr.replace("environment", "env"), done.stderr


def test_missing(bundle):
    for name in ("ociVersion", "process", "root"):
        config = base(bundle)
        del config[name]
        assert f"config.json:1: {name} is missing" in create(bundle, config).stderr


def test_unknown_members_are_left_alone(bundle):
    config = base(bundle)
    for path, kind in [((), SPEC), *members(SPEC)]:
        if isinstance(kind, dict) and not isinstance(kind, (Listed, Named)) and path != ("linux", "seccomp"):
            put(config, (*path, "unheardOf"), {"a": [1]})
    config["mounts"][0]["unheardOf"] = 1
    config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "unheardOf": 1}
    for program in (None, RUNC):
        assert create(bundle, config, program).returncode == 0


def test_null_is_as_good_as_none(bundle):
    config = base(bundle)
    for path, kind in members(SPEC):
        if path[0] not in config or path[:2] in (("root", "path"), ("process", "args"), ("process", "env"), ("process", "cwd"), ("linux", "namespaces"), ("linux", "seccomp")):
            continue
        if len(path) == 2 and not isinstance(kind, dict):
            config[path[0]] = {**config[path[0]], path[1]: None} if isinstance(config[path[0]], dict) else config[path[0]]
    for program in (None, RUNC):
        done = create(bundle, config, program)
        assert done.returncode == 0, done.stderr


def test_names_in_any_case(bundle):
    """As Go reads them, so that nobody's noNewPrivileges is passed over for its spelling."""
    process = {"User": {"UID": 1000, "GID": 7}, "NONEWPRIVILEGES": True}
    bundle.configure("sh", "-c", "id -u; id -g; grep NoNewPrivs /proc/self/status", process=process)
    with open(bundle.dir + "/config.json") as f:
        config = json.load(f)
    del config["process"]["user"]
    with open(bundle.dir + "/config.json", "w") as f:
        json.dump(config, f)
    outputs = [bundle.call("run", "c", **({"program": p} if p else {})).stdout.split() for p in (None, RUNC)]
    assert outputs[0] == ["1000", "7", "NoNewPrivs:", "1"] == outputs[1]


# ---- the same elsewhere ----

def test_process_json(bundle):
    bundle.configure("sleep", "1000")
    assert bundle.call("run", "--detach", "c").returncode == 0
    good = {"args": ["id", "-u"], "cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 5, "gid": 5}}
    path = bundle.dir + "/process.json"
    for member, kind in members(PROCESS):
        for value in wrong_of(kind)[::4]:
            process = copy.deepcopy(good)
            put(process, member, value)
            with open(path, "w") as f:
                json.dump(process, f)
            done = bundle.call("exec", "--process", path, "c")
            assert done.returncode == 255 and f"{path}:1: {shown(member)}" in done.stderr, f"{member}: {value!r}: {done.stderr}"
    with open(path, "w") as f:
        json.dump(good, f)
    assert bundle.call("exec", "--process", path, "c").stdout == "5\n"


def test_resources(bundle):
    bundle.configure("sleep", "1000")
    assert bundle.call("run", "--detach", "c").returncode == 0
    path = bundle.dir + "/resources.json"
    for member, kind in members(RESOURCES):
        for value in wrong_of(kind)[::4]:
            resources = {}
            put(resources, member, value)
            with open(path, "w") as f:
                json.dump(resources, f)
            with open(path) as f:
                done = bundle.call("update", "--resources", "-", "c", stdin=f)
            assert done.returncode == 1 and f"standard input:1: {shown(member)}" in done.stderr, f"{member}: {value!r}: {done.stderr}"
            done = bundle.call("update", "--resources", path, "c")
            assert done.returncode == 1 and f"{path}:1: {shown(member)}" in done.stderr
    assert not os.path.exists(bundle.dir + "/state/c/state.new")
