"""helm 3 keeps releases in nacelle-api: a chart of kinds that need no pod goes in, on, back and out again."""
import json
import os
import subprocess

import pytest

from support.api import PEERS

API = {}  # with what an API service has by itself
pytestmark = pytest.mark.skipif(not os.path.exists(f"{PEERS}/helm"), reason="helm is not built (tests/peers/build)")

CHART = {
    "Chart.yaml": "apiVersion: v2\nname: web\nversion: 0.1.0\n",
    "values.yaml": "replicas: 1\nkey: one\nextra: false\nbroken: false\n",
    "templates/all.yaml": """
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-map, labels: {release: {{ .Release.Name }}}}
data: {key: {{ .Values.key }}, version: {{ .Capabilities.KubeVersion.Version | quote }}, revision: "{{ .Release.Revision }}"}
---
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}-secret}
stringData: {key: {{ .Values.key }}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: {{ .Release.Name }}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: {{ .Release.Name }}}
rules: [{verbs: [get], apiGroups: [""], resources: [configmaps], resourceNames: [{{ .Release.Name }}-map]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: {{ .Release.Name }}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: {{ .Release.Name }}}
subjects: [{kind: ServiceAccount, name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}]
---
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}}
spec: {selector: {app: web}, ports: [{name: http, port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: "i:{{ .Values.key }}"}]}}
{{- if .Values.extra }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-extra}
{{- end }}
{{- if .Values.broken }}
---
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}-broken}
spec: {ports: [{port: 70000}]}
{{- end }}
""",
    "templates/hooks.yaml": "".join(f"""
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{{{ .Release.Name }}}}-{hook}
  annotations: {{helm.sh/hook: {hook}, helm.sh/hook-weight: "1", helm.sh/hook-delete-policy: before-hook-creation}}
data: {{revision: "{{{{ .Release.Revision }}}}"}}
""" for hook in ("pre-install", "post-upgrade", "post-delete")),
    "templates/NOTES.txt": "{{ with lookup \"v1\" \"Namespace\" \"\" \"default\" }}default is {{ .status.phase }}{{ end }}\n",
}


@pytest.fixture
def helm(api, tmp_path):
    for name, text in CHART.items():
        path = tmp_path / "web" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run(*words, fails=False):
        env = dict(os.environ, KUBECONFIG=api.kubeconfig, HOME=str(tmp_path), HELM_CACHE_HOME=str(tmp_path / "cache"))
        done = subprocess.run([f"{PEERS}/helm", *words], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
        assert (done.returncode != 0) == fails, done
        return done.stderr if fails else done.stdout
    return run


def data(api, kind, name, namespace):
    status, found = api.client().ask("GET", f"/api/v1/namespaces/{namespace}/{kind}/{name}")
    return found.get("data") if status == 200 else status


def test_a_release_goes_in_on_back_and_out(api, helm):
    assert "STATUS: deployed\nREVISION: 1\n" in helm("install", "w", "web", "-n", "place", "--create-namespace")
    assert data(api, "configmaps", "w-map", "place") == {"key": "one", "version": "v1.36.3+nacelle-" + api.kubectl("version").stdout.split("nacelle-")[1].strip(),
                                                         "revision": "1"}
    assert data(api, "configmaps", "w-pre-install", "place") == {"revision": "1"}
    assert "default is Active" in helm("status", "w", "-n", "place", "--show-desc") + helm("get", "notes", "w", "-n", "place")

    helm("upgrade", "w", "web", "-n", "place", "--set", "key=two,replicas=3,extra=true")
    assert data(api, "configmaps", "w-map", "place")["key"] == "two" and data(api, "configmaps", "w-extra", "place") is None
    assert data(api, "configmaps", "w-post-upgrade", "place") == {"revision": "2"}
    status, deployment = api.client().ask("GET", "/apis/apps/v1/namespaces/place/deployments/w")
    assert (deployment["spec"]["replicas"], deployment["spec"]["template"]["spec"]["containers"][0]["image"]) == (3, "i:two")

    refused = helm("upgrade", "w", "web", "-n", "place", "--set", "broken=true,extra=true", fails=True)
    assert "spec.ports[0].port: Invalid value: 70000" in refused, refused
    assert json.loads(helm("history", "w", "-n", "place", "-o", "json"))[-1]["status"] == "failed"

    helm("rollback", "w", "1", "-n", "place")
    assert data(api, "configmaps", "w-map", "place")["key"] == "one" and data(api, "configmaps", "w-extra", "place") == 404
    history = json.loads(helm("history", "w", "-n", "place", "-o", "json"))
    assert history[-1]["description"] == "Rollback to 1" and [h["status"] for h in history].count("deployed") == 1
    assert json.loads(helm("list", "-A", "-o", "json"))[0]["revision"] == str(len(history))
    assert "name: w-map" in helm("get", "manifest", "w", "-n", "place") and "key: two" not in helm("get", "all", "w", "-n", "place")

    helm("uninstall", "w", "-n", "place", "--wait")
    assert data(api, "configmaps", "w-map", "place") == 404 and data(api, "configmaps", "w-post-delete", "place") is not None
    assert json.loads(helm("list", "-A", "-o", "json")) == []


def test_a_name_is_taken_once(api, helm):
    helm("install", "one", "web", "--wait=false")
    assert "cannot re-use a name that is still in use" in helm("install", "one", "web", fails=True)
    helm("uninstall", "one")


def test_what_helm_renders_kubectl_applies(api, helm):
    rendered = helm("template", "plain", "web", "--no-hooks", "--validate")
    created = api.kubectl("apply", "-f", "-", input=rendered)
    assert created.returncode == 0 and created.stdout.count(" created\n") == 7, created
    again = api.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=rendered)
    assert again.returncode == 0 and again.stdout.count(" serverside-applied\n") == 7, again
    assert "exists and cannot be imported into the current release" in helm("install", "plain", "web", fails=True)
    adopted = helm("install", "plain", "web", "--take-ownership")
    assert "STATUS: deployed" in adopted
    helm("uninstall", "plain")
