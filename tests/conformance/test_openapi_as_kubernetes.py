"""OpenAPI documents beside kube-apiserver's: every path and every schema of every group version."""
import json
import os
import pathlib
import ssl
import subprocess
import urllib.request

import control_plane

OURS = pathlib.Path(__file__).resolve().parents[2] / os.environ.get("BUILD", "build") / "tests/conformance/openapi_document"

# What is not said yet: descriptions; which lists of fields exclude each other; that an object is one field, or that one is not.
UNSAID = {"description", "x-kubernetes-unions", "x-kubernetes-map-type"}
# Ways through a server, which are no operations on objects.
CONNECTS = ("/attach", "/exec", "/log", "/portforward", "/proxy", "/proxy/{path}")
# Defaults that change nothing: the facts do not have them.
EMPTY_DEFAULTS = ("", 0)


def get(plane, path):
    request = urllib.request.Request(plane.url + path, headers={"Authorization": "Bearer " + control_plane.TOKEN})
    return json.loads(urllib.request.urlopen(request, timeout=30, context=ssl._create_unverified_context()).read())


def comparable(value, inside=None):
    """Without what is not said, and with references always in one form: alone they mean what they mean within allOf."""
    if isinstance(value, list):
        return [comparable(v) for v in value if not (isinstance(v, dict) and v.get("name") == "shardSelector")]
    if not isinstance(value, dict):
        return value
    result = {k: comparable(v, k) for k, v in value.items()
              if "cbor" not in k and not (k in UNSAID and inside != "properties") and not (k == "default" and v in EMPTY_DEFAULTS and inside != "properties")}
    return result["allOf"][0] if list(result) == ["allOf"] else result


def test_documents(plane):
    wrong, paths, schemas = [], 0, 0
    index = get(plane, "/openapi/v3")["paths"]
    ours_index = json.loads(subprocess.run([OURS], capture_output=True, check=True).stdout)["paths"]
    versions = [p for p in index if p == "api/v1" or p.count("/") == 2 and p.startswith("apis/")]
    assert set(versions) <= set(ours_index) and len(versions) > 20
    for path in versions:
        version = path.removeprefix("apis/").removeprefix("api/")
        ours = comparable(json.loads(subprocess.run([OURS, version], capture_output=True, check=True).stdout))
        theirs = comparable(get(plane, "/openapi/v3/" + path))
        wanted = {p: v for p, v in theirs["paths"].items() if not p.endswith(CONNECTS)}
        for name, value in wanted.items():
            if ours["paths"].get(name) != value:
                wrong.append(f"{name}\n  theirs: {value}\n  ours:   {ours['paths'].get(name)}")
        for name, value in theirs["components"]["schemas"].items():
            if ours["components"]["schemas"].get(name) != value:
                wrong.append(f"{version} {name}\n  theirs: {value}\n  ours:   {ours['components']['schemas'].get(name)}")
        paths, schemas = paths + len(wanted), schemas + len(theirs["components"]["schemas"])
    assert not wrong, f"{len(wrong)} of {paths + schemas}:\n" + "\n".join(w[:2500] for w in wrong[:6])
    assert paths > 300 and schemas > 900, (paths, schemas)
