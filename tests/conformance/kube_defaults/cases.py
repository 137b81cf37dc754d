"""Makes objects of all kinds for the oracle of defaults: lines of JSON. Usage: cases.py SEED COUNT

Of each kind the empty one, one with nothing but empty objects, and then random ones.
"""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../kube_apply"))
import cases  # noqa: E402

KNOWN = {"type": ["RollingUpdate", "Recreate", "OnDelete", "Container", "Pod", "ClusterIP", "NodePort", "LoadBalancer", "ExternalName"],
         "sessionAffinity": ["ClientIP", "None"], "kind": ["User", "Group", "ServiceAccount"], "restartPolicy": ["Always", "Never"],
         "allocationMode": ["ExactCount", "All"], "image": ["web", "web:latest", "r.example:5000/a/b:1.2", "Web", "a@sha256:" + "0" * 64, "a:latest@sha256:" + "0" * 64,
                                                           "a//b", "-a", "a:", "localhost/a:latest", "A.b/c", "a_b", "a__b", "a___b", "a" * 64, "f" * 64, ""]}
# What reads the request for its signer, or is converted by hand, and is no longer served; and what is never stored.
LEFT_OUT = {("certificates/v1beta1", "CertificateSigningRequest"), ("resource/v1beta1", "ResourceSlice"), ("apiextensions/v1", "ConversionReview")}
FULL = 4  # levels of the object that has all objects


class Objects(cases.Maker):
    def element(self, name, depth):
        if name == "quantity":
            return self.random.choice(["1", "100m", "2Gi", "1500u", "3n", "0"])
        return super().element(name, depth)

    def field(self, field, depth):
        if field.name in KNOWN and field.element == "string" and field.form in ("", "*") and self.chance(0.8):
            return self.random.choice(KNOWN[field.name])
        if field.form == "{}" and field.element == "quantity":
            names = ["cpu", "memory", "hugepages-2Mi", "example.com/a", "storage"]
            return {n: self.element("quantity", depth) for n in self.random.sample(names, self.random.choice([0, 1, 2, 3]))}
        return super().field(field, depth)

    def full(self, name, depth=0):
        """All objects, with nothing in them, and one of each list."""
        made = {}
        for f in self.fields(name) if depth < FULL else []:
            if f.element in cases.SCALARS:
                continue
            below = self.full(f.element, depth + 1)
            made[f.name] = [below] if f.form == "[]" else {"a": below} if f.form == "{}" else below
        return made

    def kinds_of_all(self):
        versions, _ = cases.facts.read(os.path.join(cases.ROOT, "kube/facts"))
        return [(f"{v.group_name}/{v.name}".lstrip("/"), v.key, t.name) for v in versions for t in v.types
                if "kind" in t.marks and not t.name.endswith("List") and v.key in self.served(versions)
                and (v.key, t.name) not in LEFT_OUT and v.group_name != "internal.apiserver.k8s.io"]

    @staticmethod
    def served(versions):
        return {v.key for v in versions if v.resources and v.group_name != "apidiscovery.k8s.io"}


def main():
    maker = Objects(int(sys.argv[1]))
    kinds = maker.kinds_of_all()
    for group, version, kind in kinds:
        head = {"apiVersion": group, "kind": kind}
        for body in ({}, maker.full(f"{version}.{kind}")):
            print(json.dumps({"group": group, "kind": kind, "object": head | body}))
    for _ in range(int(sys.argv[2])):
        group, version, kind = maker.random.choice(kinds) if maker.chance(0.4) else maker.random.choice([
            ("v1", "core/v1", "Pod"), ("apps/v1", "apps/v1", "Deployment"), ("v1", "core/v1", "Service"), ("v1", "core/v1", "LimitRange"),
            ("apps/v1", "apps/v1", "StatefulSet"), ("batch/v1", "batch/v1", "Job"), ("autoscaling/v2", "autoscaling/v2", "HorizontalPodAutoscaler")])
        made = maker.make(f"{version}.{kind}")
        print(json.dumps({"group": group, "kind": kind, "object": {"apiVersion": group, "kind": kind} | made}))


if __name__ == "__main__":
    main()
