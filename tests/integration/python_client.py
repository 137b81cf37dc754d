"""What test_api_python.py runs with the `kubernetes` package from PyPI: python_client.py KUBECONFIG."""
import sys
import threading

from kubernetes import client, config, dynamic, watch

config.load_kube_config(sys.argv[1])
core, apps = client.CoreV1Api(), client.AppsV1Api()
SPACE = "default"

# What is made, read, changed, listed and watched.
core.create_namespaced_config_map(SPACE, client.V1ConfigMap(metadata=client.V1ObjectMeta(name="a", labels={"x": "y"}), data={"k": "1"}))
assert core.read_namespaced_config_map("a", SPACE).data == {"k": "1"}
listed = core.list_namespaced_config_map(SPACE, label_selector="x=y")
assert [m.metadata.name for m in listed.items] == ["a"]
seen = []


def follow():
    for event in watch.Watch().stream(core.list_namespaced_config_map, SPACE, label_selector="x=y", resource_version=listed.metadata.resource_version, timeout_seconds=20):
        seen.append((event["type"], event["object"].data["k"]))
        if event["type"] == "DELETED":
            return


follower = threading.Thread(target=follow)
follower.start()
core.patch_namespaced_config_map("a", SPACE, {"data": {"k": "2"}})
core.patch_namespaced_config_map("a", SPACE, [{"op": "replace", "path": "/data/k", "value": "3"}])
now = core.read_namespaced_config_map("a", SPACE)
now.data["k"] = "4"
core.replace_namespaced_config_map("a", SPACE, now)
try:
    core.replace_namespaced_config_map("a", SPACE, now)
    raise AssertionError("an old version was taken")
except client.ApiException as e:
    assert e.status == 409, e
core.delete_namespaced_config_map("a", SPACE)
follower.join()
assert seen == [("MODIFIED", "2"), ("MODIFIED", "3"), ("MODIFIED", "4"), ("DELETED", "4")], seen

# Without types: discovery, apply, subresources.
dyn = dynamic.DynamicClient(client.ApiClient())
deployments = dyn.resources.get(api_version="apps/v1", kind="Deployment")
body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"a": "b"}},
                 "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}}
applied = dyn.server_side_apply(deployments, body=body, name="d", namespace=SPACE, field_manager="python")
assert applied.spec.replicas == 2 and applied.metadata.managedFields[0].operation == "Apply"
apps.patch_namespaced_deployment_scale("d", SPACE, {"spec": {"replicas": 5}})
assert deployments.get(name="d", namespace=SPACE).spec.replicas == 5
assert apps.read_namespaced_deployment_scale("d", SPACE).spec.replicas == 5
deployments.delete(name="d", namespace=SPACE)
assert client.VersionApi().get_code().minor == "36"
print("ok")
