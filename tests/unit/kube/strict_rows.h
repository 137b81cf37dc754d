/* Objects, and what kube-apiserver's reader says of them when it is strict. A row a line: the conformance test reads
 * them too. */
#pragma once

static const struct {
        const char *kind, *text, *says;
} strict_rows[] = {
        // clang-format off
        { "v1 ConfigMap", "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"data\":{\"a\":\"1\"}}", "" },
        { "v1 ConfigMap", "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"none\":1,\"none\":2,\"Data\":{}}", "unknown field \"none\", unknown field \"Data\"" },
        { "v1 ConfigMap", "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"data\":{\"a\":\"1\",\"a\":\"2\",\"b.c\":\"1\",\"b.c\":\"2\"}}", "duplicate field \"kind\", duplicate field \"data.a\", duplicate field \"data.b.c\"" },
        { "v1 ConfigMap", "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"labels\":{\"x\":\"1\",\"x\":\"2\",\"x\":\"3\"},\"name\":\"a\",\"foo\":{\"a\":1}}}", "duplicate field \"metadata.labels.x\", unknown field \"metadata.foo\"" },
        { "v1 ConfigMap", "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"q\\\"u\\n\\u0001\":1,\"\\u00e4\":2}", "unknown field \"q\\\"u\\n\\x01\", unknown field \"ä\"" },
        { "v1 Pod", "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"spec\":{\"containers\":[{\"name\":\"a\"},{\"name\":\"b\",\"nmae\":\"c\",\"env\":[{\"name\":\"x\",\"valueFrom\":{\"fieldRef\":{\"fieldPath\":\"a\",\"x\":1}}}]}],\"hostNetwrk\":true,\"volumes\":[{\"name\":\"v\",\"hostPath\":{\"path\":\"/\",\"path\":\"/x\"}}]}}", "unknown field \"spec.containers[1].nmae\", unknown field \"spec.containers[1].env[0].valueFrom.fieldRef.x\", unknown field \"spec.hostNetwrk\", duplicate field \"spec.volumes[0].hostPath.path\"" },
        { "v1 Pod", "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"managedFields\":[{\"manager\":\"a\",\"fieldsV1\":{\"f:a\":{},\"f:a\":{}}}]},\"spec\":{\"containers\":[{\"name\":\"a\",\"resources\":{\"limits\":{\"cpu\":\"1\",\"cpu\":\"2\"}},\"livenessProbe\":{\"httpGet\":{\"port\":80,\"prt\":1}}}]}}", "duplicate field \"spec.containers[0].resources.limits.cpu\", unknown field \"spec.containers[0].livenessProbe.httpGet.prt\"" },
        { "v1 Pod", "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"spec\":null,\"status\":{\"phase\":\"x\",\"no\":[]}}", "unknown field \"status.no\"" },
        { "apiextensions.k8s.io/v1 CustomResourceDefinition", "{\"kind\":\"CustomResourceDefinition\",\"apiVersion\":\"apiextensions.k8s.io/v1\",\"spec\":{\"versions\":[{\"name\":\"v1\",\"schema\":{\"openAPIV3Schema\":{\"typ\":\"object\",\"properties\":{\"spec\":{\"type\":\"object\",\"tpe\":\"x\"},\"spec\":{}},\"items\":{\"typ\":\"x\"},\"default\":{\"a\":1,\"a\":2}}}}]}}", "unknown field \"spec.versions[0].schema.openAPIV3Schema.typ\", unknown field \"spec.versions[0].schema.openAPIV3Schema.properties.spec.tpe\", duplicate field \"spec.versions[0].schema.openAPIV3Schema.properties.spec\"" },
        // clang-format on
};
