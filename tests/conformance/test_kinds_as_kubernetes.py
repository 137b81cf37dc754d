"""Kubernetes' types and codecs beside nacelle's: kube/facts against Go's types, and every kind's bytes in JSON and protobuf."""
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PEERS = os.environ.get("PEERS", os.path.expanduser("~/.cache/nacelle-peers"))
BUILD = os.environ.get("BUILD", "build")

sys.path.insert(0, str(ROOT / "contrib/kinds"))
sys.dont_write_bytecode = True
import facts as tables  # noqa: E402

GO_ELEMENTS = {"string": "string", "bool": "bool", "int32": "int32", "int64": "int64", "double": "float64",
               "quantity": "resource.Quantity", "time": "v1.Time", "microtime": "v1.MicroTime", "intstr": "intstr.IntOrString",
               "raw": "runtime.RawExtension", "fields": "v1.FieldsV1", "json": "v1.JSON"}


@pytest.fixture(scope="session")
def kinds():
    subprocess.run([ROOT / "tests/peers/build", PEERS, "kinds"], check=True, capture_output=True)
    return PEERS + "/kinds"


@pytest.fixture(scope="session")
def read():
    """Those that kube-apiserver has itself: metrics are another server's there."""
    versions, kinds = tables.read(ROOT / "kube/facts")
    return [v for v in versions if v.group_name != "metrics.k8s.io"], kinds


def go_name(type_):
    """io.k8s.api.core.v1.Pod: k8s.io/api/core/v1.Pod."""
    package = type_.version.package.removeprefix("io.k8s.")
    module, _, rest = package.partition(".")
    return f"k8s.io/{module}/{rest.replace('.', '/')}.{type_.name}"


def test_facts_are_those_of_go(kinds, read):
    """Each field's number, whether it is a pointer, a list or a map, and when it is left out."""
    versions, _ = read
    found = {}
    for line in subprocess.run([kinds, "facts"], check=True, capture_output=True, text=True).stdout.splitlines():
        owner, _, json, type_, number = line.split("\t")
        found[owner, json.split(",")[0]] = json.split(",")[1:], type_, number
    wrong, checked = [], 0
    for version in versions:
        for type_ in version.types + version.parts:
            for field in type_.lines:
                if not isinstance(field, tables.Field) or field.name in ("kind", "apiVersion") and "kind" in type_.marks:
                    continue
                go = found.get((go_name(type_), field.name))
                if go is None:
                    if not type_.full.startswith(("meta/v1.Table", "meta/v1.PartialObject")) and "either" not in type_.marks:
                        wrong.append(f"{type_.full}.{field.name}: not in Go")
                    continue
                checked += 1
                tags, go_type, number = go
                if number != (str(field.number) if field.number is not None else "-"):
                    wrong.append(f"{type_.full}.{field.name}: number {field.number}, in Go {number}")
                if ("always" in field.words) == ("omitempty" in tags or "omitzero" in tags):
                    wrong.append(f"{type_.full}.{field.name}: left out: {field.words}, in Go {tags}")
                if (field.form == "*") != go_type.startswith("*"):
                    wrong.append(f"{type_.full}.{field.name}: {field.form or 'one'}, in Go {go_type}")
                want = GO_ELEMENTS.get(field.element)
                bare = re.sub(r"^(\*|\[\]|map\[string\])+", "", go_type)
                if want and "." in want and bare != want and field.form in ("", "*"):
                    wrong.append(f"{type_.full}.{field.name}: {field.element}, in Go {go_type}")
    assert not wrong, "\n".join(wrong)
    assert checked > 2500


def test_every_kind_has_the_same_bytes(kinds, read, tmp_path):
    """A full and an empty object of every kind: JSON and protobuf, each read and written, equal to what Go wrote."""
    versions, _ = read
    lines = []
    for version in versions:
        group = "meta.k8s.io" if version.group == "meta" else version.group_name
        lines += [f"{group + '/' if group else ''}{version.name} {t.name}" for t in version.types if "kind" in t.marks]
    subprocess.run([kinds, "golden", tmp_path], input="\n".join(lines), text=True, check=True)
    assert len(list(tmp_path.glob("*.json"))) == 2 * len(lines)
    test = subprocess.run([ROOT / BUILD / "tests/unit/kube/codec_test"], cwd=ROOT, capture_output=True, text=True,
                          env={**os.environ, "KINDS_GOLDEN": str(tmp_path)})
    assert test.returncode == 0, test.stdout + test.stderr
    assert f"{2 * len(lines)} objects" in test.stdout + test.stderr


def test_strict_rows_say_what_kubernetes_says(kinds):
    """tests/unit/kube/strict_rows.h, which the unit test holds our words to."""
    rows = [json.loads(f"[{m.group(1)}]") for m in re.finditer(r"^        \{ (.*) \},$", (ROOT / "tests/unit/kube/strict_rows.h").read_text(), re.M)]
    assert len(rows) >= 9
    said = subprocess.run([kinds, "strict"], input="".join(f"{kind} {text}\n" for kind, text, _ in rows), check=True, capture_output=True, text=True).stdout
    for (kind, text, says), line in zip(rows, said.splitlines(), strict=True):
        assert line == f"error: strict decoding error: {says}" if says else not line.startswith("error"), text


def test_strict_yaml_says_what_kubernetes_says(kinds):
    """tests/unit/kube/strict_yaml_rows.h, likewise; a line's end is written as a blank."""
    rows = [json.loads(f"[{m.group(1)}]") for m in re.finditer(r"^        \{ (.*) \},$", (ROOT / "tests/unit/kube/strict_yaml_rows.h").read_text(), re.M)]
    assert len(rows) >= 20
    said = subprocess.run([kinds, "strict-yaml"], input="".join(f"v1 ConfigMap {json.dumps(text)}\n" for text, _ in rows), check=True, capture_output=True,
                          text=True).stdout
    for (text, says), line in zip(rows, said.splitlines(), strict=True):
        assert line == "error: strict decoding error: " + says.replace("\n", " ") if says else not line.startswith("error"), text
