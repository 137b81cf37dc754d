/* Static pods: decoded, defaulted, identified; and what is wrong with a manifest, in the words users know. */
#include "kube/pod/pod.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json_writer.h"

struct result {
        struct arena *arena;
        struct problems problems;
        struct pod *pod;
        struct err *err;
        int r;
};

static void read_text(struct result *result, const char *text, const char *node) {
        const struct pod_static_options options = {
                .file = "web.yaml",
                .node_name = node,
                .seen = "2026-01-02T03:04:05Z",
        };

        memset(result, 0, sizeof(*result));
        result->arena = arena_new();
        problems_init(&result->problems, result->arena, "web.yaml", NULL);
        result->r = pod_read_static(text, strlen(text), &options, &result->problems, &result->pod, &result->err);
}

static void done(struct result *result) {
        pod_unref(result->pod);
        err_free(result->err);
        arena_free(result->arena);
}

#define HEAD "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n"
/* One container, which goes on. */
#define OPEN HEAD "  containers:\n  - name: a\n    image: i\n    "
#define ONE HEAD "  containers:\n  - {name: a, image: i}\n"

static const char full[] = "apiVersion: v1\n"
                           "kind: Pod\n"
                           "metadata:\n"
                           "  name: web\n"
                           "  labels: {tier: front, app: web}\n"
                           "spec:\n"
                           "  terminationGracePeriodSeconds: 0\n"
                           "  initContainers:\n"
                           "  - name: log\n"
                           "    image: reg.example:5000/log\n"
                           "    restartPolicy: Always\n"
                           "  containers:\n"
                           "  - name: web\n"
                           "    image: web:1@sha256:0000000000000000000000000000000000000000000000000000000000000000\n"
                           "    command: [/bin/web, \"\"]\n"
                           "    ports: [{containerPort: 80, name: http, hostPort: 8080}]\n"
                           "    env:\n"
                           "    - {name: A, value: b}\n"
                           "    - name: IP\n"
                           "      valueFrom: {fieldRef: {fieldPath: status.podIP}}\n"
                           "    resources: {limits: {cpu: 0.5, memory: 64Mi}, requests: {memory: 32Mi}}\n"
                           "    livenessProbe: {httpGet: {port: http}, timeoutSeconds: 3}\n"
                           "    securityContext: {runAsUser: 0, privileged: false}\n"
                           "    volumeMounts: [{name: data, mountPath: /data, readOnly: yes}]\n"
                           "  volumes:\n"
                           "  - {name: data}\n"
                           "  - name: info\n"
                           "    downwardAPI: {items: [{path: l, fieldRef: {fieldPath: metadata.labels}}]}\n"
                           "  - {name: host, hostPath: {path: /etc, type: Directory}}\n"
                           "  tolerations: [{key: x, operator: Exists}]\n";

static void test_defaults(void **state) {
        const struct kube_container *web;
        struct result r;

        read_text(&r, full, "node-1");
        if (r.r < 0)
                fail_msg("%s", err_text(r.err));
        assert_int_equal(r.problems.count, 0);
        assert_string_equal(r.pod->spec.restart_policy, "Always");
        assert_string_equal(r.pod->spec.dns_policy, "ClusterFirst");
        assert_int_equal(r.pod->spec.termination_grace_period_seconds.value, 0);
        assert_int_equal(r.pod->spec.enable_service_links, TRI_TRUE);
        assert_non_null(r.pod->spec.security_context);
        assert_string_equal(r.pod->spec.scheduler_name, "default-scheduler");
        assert_true(pod_container_is_sidecar(&r.pod->spec.init_containers.items[0]));
        assert_string_equal(r.pod->spec.init_containers.items[0].image_pull_policy, "Always");
        web = pod_find_container(r.pod, "web");
        assert_string_equal(web->image_pull_policy, "IfNotPresent");
        assert_int_equal(web->command.count, 2);
        assert_string_equal(web->command.items[1], "");
        assert_string_equal(web->ports.items[0].protocol, "TCP");
        assert_int_equal(pod_resolve_port(web, &web->liveness_probe->http_get->port), 80);
        assert_string_equal(web->liveness_probe->http_get->path, "/");
        assert_string_equal(web->liveness_probe->http_get->scheme, "HTTP");
        assert_int_equal(web->liveness_probe->timeout_seconds, 3);
        assert_int_equal(web->liveness_probe->period_seconds, 10);
        assert_int_equal(web->liveness_probe->failure_threshold, 3);
        assert_string_equal(web->termination_message_path, "/dev/termination-log");
        assert_int_equal(quantity_milli(*resource_get(&web->resources.requests, "cpu")), 500);
        assert_int_equal(quantity_units(*resource_get(&web->resources.requests, "memory")), 32 << 20);
        assert_true(web->security_context->run_as_user.set);
        assert_int_equal(web->security_context->privileged, TRI_FALSE);
        assert_true(web->volume_mounts.items[0].read_only);
        assert_non_null(pod_find_volume(r.pod, "data")->empty_dir);
        assert_int_equal(pod_find_volume(r.pod, "info")->downward_api->default_mode.value, 0644);
        assert_string_equal(pod_find_volume(r.pod, "host")->host_path->type, "Directory");
        done(&r);
}

static void test_identity(void **state) {
        struct result r, again, other;

        read_text(&r, full, "Node-1");
        assert_int_equal(r.r, -EINVAL); /* a node's name is in lower case */
        done(&r);
        read_text(&r, full, "node-1");
        assert_string_equal(r.pod->metadata.name, "web-node-1");
        assert_string_equal(r.pod->metadata.namespace, "default");
        assert_string_equal(r.pod->spec.node_name, "node-1");
        assert_int_equal(strlen(r.pod->metadata.uid), 32);
        assert_string_equal(string_map_get(&r.pod->metadata.annotations, "kubernetes.io/config.source"), "file");
        assert_string_equal(string_map_get(&r.pod->metadata.annotations, "kubernetes.io/config.seen"),
                            "2026-01-02T03:04:05Z");
        assert_string_equal(string_map_get(&r.pod->metadata.annotations, "kubernetes.io/config.hash"),
                            r.pod->metadata.uid);
        assert_int_equal(r.pod->spec.tolerations.count, 2);
        assert_string_equal(r.pod->spec.tolerations.items[1].effect, "NoExecute");

        /* Spacing, order and comments are no part of a pod. */
        read_text(&again,
                  "# a comment\nkind: Pod\napiVersion: v1\nspec:\n  containers:\n    - image: i\n"
                  "      name: a\nmetadata:\n  name: web\n",
                  "node-1");
        read_text(&other, ONE, "node-1");
        assert_string_equal(again.pod->metadata.uid, other.pod->metadata.uid);
        assert_string_not_equal(again.pod->metadata.uid, r.pod->metadata.uid);
        done(&other);
        read_text(&other, ONE, "node-2");
        assert_string_not_equal(again.pod->metadata.uid, other.pod->metadata.uid);
        done(&other);
        done(&again);
        done(&r);
}

static void test_json_and_own_uid(void **state) {
        static const char json[] = "{\"apiVersion\":\"v1\",\"kind\":\"Pod\","
                                   "\"metadata\":{\"name\":\"x\",\"uid\":\"u-1\","
                                   "\"namespace\":\"kube-system\"},"
                                   "\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"i\"}]}}";
        struct result r;

        read_text(&r, json, "n");
        assert_int_equal(r.r, 0);
        assert_string_equal(r.pod->metadata.uid, "u-1");
        assert_string_equal(r.pod->metadata.namespace, "kube-system");
        done(&r);
}

/* It is a directory's name: at its length's maximum, one past it, and none, which is as if it were not there. */
static void test_uids(void **state) {
        char text[512], uid[POD_UID_MAX + 2];

        for (size_t n = 0; n < sizeof(uid); n += n == 0 ? POD_UID_MAX : 1) {
                struct result r;

                memset(uid, 'u', n);
                uid[n] = '\0';
                snprintf(text, sizeof(text),
                         "apiVersion: v1\nkind: Pod\nmetadata: {name: w, uid: \"%s\"}\n"
                         "spec: {containers: [{name: a, image: i}]}",
                         uid);
                read_text(&r, text, "n");
                assert_int_equal(r.r, n > POD_UID_MAX ? -EINVAL : 0);
                if (r.r == 0)
                        assert_int_equal(strlen(r.pod->metadata.uid), n ? n : 32);
                done(&r);
        }
}

/* What is written reads as the same pod. */
static void test_write(void **state) {
        _cleanup_json_writer_ struct json_writer w = JSON_WRITER_INIT, v = JSON_WRITER_INIT;
        _cleanup_free_ char *once = NULL, *twice = NULL;
        struct result r, again;

        read_text(&r, full, "node-1");
        assert_int_equal(pod_write(r.pod, NULL, &w), 0);
        assert_int_equal(json_writer_finish(&w, &once, NULL), 0);
        r.pod->metadata.name = "web";
        assert_int_equal(pod_write(r.pod, NULL, &v), 0);
        assert_int_equal(json_writer_finish(&v, &twice, NULL), 0);
        read_text(&again, twice, "node-1");
        if (again.r < 0)
                fail_msg("%s", err_text(again.err));
        free(twice);
        v = (struct json_writer)JSON_WRITER_INIT;
        assert_int_equal(pod_write(again.pod, NULL, &v), 0);
        assert_int_equal(json_writer_finish(&v, &twice, NULL), 0);
        assert_string_equal(once, twice);
        done(&again);
        done(&r);
}

/* One row a mistake, and the sentence that names it. */
static const struct {
        const char *text, *says;
} refusals[] = {
        { "", "web.yaml:1: holds no document" },
        { "{\"kind\": \"Pod\",}", "web.yaml:1: not JSON" },
        { "[]", "expected a map, found a list" },
        { "kind: Pod\n", "apiVersion: Required value" },
        { "apiVersion: v1\nkind: Deployment\n", "web.yaml:2: kind: Invalid value: \"Deployment\": must be Pod" },
        { "apiVersion: v1\nkind: Pod\nspec: {containers: [{name: a, image: i}]}", "metadata.name: Required value" },
        { "apiVersion: v1\nkind: Pod\nmetadata: {name: Web_1}\nspec: {containers: [{name: a, image: i}]}",
          "web.yaml:3: metadata.name: Invalid value: \"Web_1-n\": a lowercase RFC 1123 subdomain must consist of" },
        { "apiVersion: v1\nkind: Pod\nmetadata: {name: w, uid: ../../x}\nspec: {containers: [{name: a, image: i}]}",
          "metadata.uid: Invalid value: \"../../x\": must not contain '/'" },
        { "apiVersion: v1\nkind: Pod\nmetadata: {name: w, uid: ..}\nspec: {containers: [{name: a, image: i}]}",
          "metadata.uid: Invalid value: \"..\": must be a directory's name" },
        { "apiVersion: v1\nkind: Pod\nmetadata: {name: w, uid: \"a\\nb\"}\nspec: {containers: [{name: a, image: i}]}",
          "metadata.uid: Invalid value" },
        { HEAD "  containers: []\n", "web.yaml:5: spec.containers: Required value" },
        { HEAD "  containers:\n  - name: a\n", "web.yaml:6: spec.containers[0].image: Required value" },
        { HEAD "  containers:\n  - image: i\n", "web.yaml:6: spec.containers[0].name: Required value" },
        { HEAD "  containers:\n  - {name: a.b, image: i}\n",
          "spec.containers[0].name: Invalid value: \"a.b\": must not contain dots" },
        { HEAD "  containers:\n  - {name: a, image: \" i\"}\n", "must not have leading or trailing whitespace" },
        { ONE "  - {name: a, image: i}\n", "web.yaml:7: spec.containers[1].name: Duplicate value: \"a\"" },
        { ONE "  initContainers: [{name: a, image: i}]\n", "spec.initContainers[0].name: Duplicate value: \"a\"" },
        { HEAD "  containers:\n  - name: a\n    image: 5\n",
          "web.yaml:7: spec.containers[0].image: expected a string, found a number; put it in quotes" },
        { HEAD "  containers: {name: a}\n", "spec.containers: expected a list, found a map" },
        { ONE "  hostNetwork: \"true\"\n", "spec.hostNetwork: expected a boolean (true or false), found a string" },
        { ONE "  restartPolicy: Sometimes\n",
          "web.yaml:7: spec.restartPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", "
          "\"OnFailure\", \"Never\"" },
        { ONE "  activeDeadlineSeconds: 0\n",
          "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive" },
        { ONE "  activeDeadlineSeconds: 1.5\n", "spec.activeDeadlineSeconds: expected a whole number" },
        { OPEN "ports: [{containerPort: 65536}]\n",
          "spec.containers[0].ports[0].containerPort: Invalid value: 65536: must be between 1 and 65535, inclusive" },
        { OPEN "ports: [{name: abcdefghijklmnop, containerPort: 1}]\n", "must be no more than 15 characters" },
        { OPEN "ports: [{containerPort: 1, hostPort: 2}, {containerPort: 3, hostPort: 2}]\n",
          "spec.containers[0].ports[1].hostPort: Duplicate value: \"TCP//2\"" },
        { HEAD "  hostNetwork: true\n  containers:\n  - name: a\n    image: i\n    ports: [{containerPort: 1, "
               "hostPort: 2}]\n",
          "must match `containerPort` when `hostNetwork` is true" },
        { OPEN "volumeMounts: [{name: x, mountPath: /x}]\n",
          "spec.containers[0].volumeMounts[0].name: Not found: \"x\"" },
        { HEAD "  volumes: [{name: x}]\n  containers:\n  - name: a\n    image: i\n    volumeMounts: [{name: x, "
               "mountPath: /x}, {name: x, mountPath: /x}]\n",
          "volumeMounts[1].mountPath: Invalid value: \"/x\": must be unique" },
        { HEAD "  volumes: [{name: x}]\n  containers:\n  - name: a\n    image: i\n    volumeMounts: [{name: x, "
               "mountPath: /x, subPath: a/../b}]\n",
          "subPath: Invalid value: \"a/../b\": must not contain '..'" },
        { HEAD "  volumes: [{name: x}]\n  containers:\n  - name: a\n    image: i\n    volumeMounts: [{name: x, "
               "mountPath: /x, subPath: /b}]\n",
          "must be a relative path" },
        { HEAD "  volumes: [{name: x}]\n  containers:\n  - name: a\n    image: i\n    volumeMounts: [{name: x, "
               "mountPath: /x, mountPropagation: Bidirectional}]\n",
          "available only to privileged containers" },
        { ONE "  volumes: [{name: x}, {name: x}]\n", "spec.volumes[1].name: Duplicate value: \"x\"" },
        { ONE "  volumes: [{name: x, emptyDir: {}, hostPath: {path: /}}]\n",
          "spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type" },
        { ONE "  volumes: [{name: x, hostPath: {path: /a/../b}}]\n", "must not contain '..'" },
        { ONE "  volumes: [{name: x, hostPath: {path: /, type: Dir}}]\n",
          "spec.volumes[0].hostPath.type: Unsupported value: \"Dir\"" },
        { ONE "  volumes: [{name: x, image: {}}]\n", "spec.volumes[0].image.reference: Required value" },
        { ONE "  volumes: [{name: x, downwardAPI: {items: [{path: ../x, fieldRef: {fieldPath: metadata.name}}]}}]\n",
          "must not contain '..'" },
        { ONE "  volumes: [{name: x, downwardAPI: {items: [{path: x}]}}]\n",
          "one of fieldRef and resourceFieldRef is required" },
        { ONE "  volumes: [{name: x, downwardAPI: {defaultMode: 01000}}]\n",
          "must be a number between 0 and 0777 (octal), both inclusive" },
        { OPEN "env: [{name: A, value: 1}]\n", "env[0].value: expected a string, found a number" },
        { OPEN "env: [{name: A=B}]\n", "a valid environment variable name must consist only of printable" },
        { OPEN "env: [{name: A, valueFrom: {fieldRef: {fieldPath: spec.foo}}}]\n",
          "env[0].valueFrom.fieldRef.fieldPath: Invalid value: \"spec.foo\": error converting fieldPath: "
          "field label not supported: spec.foo" },
        { OPEN "env: [{name: A, value: x, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]\n",
          "may not be specified when `value` is not empty" },
        { OPEN "env: [{name: A, valueFrom: {}}]\n", "must specify one of: `fieldRef`" },
        { OPEN "env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 2}}}]\n",
          "only divisor's values 1m and 1 are supported with the cpu resource" },
        { OPEN "resources: {limits: {memory: 1Gb}}\n",
          "resources.limits[memory]: Invalid value: quantity \"1Gb\": unknown suffix \"Gb\"" },
        { OPEN "resources: {requests: {memory: 2Gi}, limits: {memory: 1Gi}}\n",
          "resources.requests: Invalid value: \"2Gi\": must be less than or equal to memory limit of 1Gi" },
        { OPEN "resources: {limits: {disk: 1}}\n",
          "resources.limits[disk]: Invalid value: \"disk\": must be a standard resource for containers" },
        { OPEN "resources: {limits: {memory: -1}}\n", "must be greater than or equal to 0" },
        { OPEN "resources: {limits: {hugepages-2Mi: 3Mi, memory: 1Gi}}\n",
          "3Mi is not positive integer multiple of hugepages-2Mi" },
        { OPEN "resources: {limits: {hugepages-2Mi: 2Mi}}\n", "HugePages require cpu or memory" },
        { OPEN "livenessProbe: {}\n", "livenessProbe: Required value: must specify a handler type" },
        { OPEN "livenessProbe: {exec: {command: [x]}, tcpSocket: {port: 1}}\n",
          "livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type" },
        { OPEN "livenessProbe: {exec: {}}\n", "livenessProbe.exec.command: Required value" },
        { OPEN "livenessProbe: {tcpSocket: {port: 0}}\n",
          "livenessProbe.tcpSocket.port: Invalid value: 0: must be between 1 and 65535, inclusive" },
        { OPEN "livenessProbe: {tcpSocket: {port: 1}, successThreshold: 2}\n",
          "livenessProbe.successThreshold: Invalid value: 2: must be 1" },
        { OPEN "readinessProbe: {tcpSocket: {port: 1}, terminationGracePeriodSeconds: 5}\n",
          "must not be set for readinessProbes" },
        { OPEN "livenessProbe: {tcpSocket: {port: 1}, periodSeconds: -1}\n",
          "periodSeconds: Invalid value: -1: must be greater than or equal to 0" },
        { OPEN "lifecycle: {preStop: {sleep: {seconds: 31}}}\n",
          "must be non-negative and less than terminationGracePeriodSeconds (30)" },
        { OPEN "lifecycle: {stopSignal: SIGTERM}\n", "may not be set for containers with empty `spec.os.name`" },
        { HEAD "  containers: [{name: b, "
               "image: i}]\n  initContainers:\n  - name: a\n    image: i\n    livenessProbe: {exec: {command: [x]}}\n",
          "initContainers[0].livenessProbe: Forbidden: may not be set for init containers without "
          "restartPolicy=Always" },
        { OPEN "securityContext: {runAsUser: -1}\n",
          "runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive" },
        { OPEN "securityContext: {privileged: true, allowPrivilegeEscalation: false}\n",
          "cannot set `allowPrivilegeEscalation` to false and `privileged` to true" },
        { OPEN "securityContext: {seccompProfile: {type: Localhost}}\n", "must be set when seccomp type is Localhost" },
        { OPEN "securityContext: {procMount: Unmasked}\n", "`hostUsers` must be false to use `Unmasked`" },
        { ONE "  hostPID: true\n  shareProcessNamespace: true\n",
          "ShareProcessNamespace and HostPID cannot both be enabled" },
        { ONE "  securityContext: {sysctls: [{name: Kernel.x, value: \"1\"}]}\n",
          "must have at most 253 characters and match regex" },
        { ONE "  hostNetwork: true\n  securityContext: {sysctls: [{name: net.core.somaxconn, value: \"1\"}]}\n",
          "may not be specified when 'hostNetwork' is true" },
        { ONE "  dnsPolicy: None\n",
          "spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None" },
        { ONE "  dnsConfig: {nameservers: [1.2.3]}\n", "must be a valid IP address" },
        { ONE "  hostAliases: [{ip: x, hostnames: [a]}]\n",
          "spec.hostAliases[0].ip: Invalid value: \"x\": must be a valid IP address" },
        { ONE "  hostname: a.b\n", "spec.hostname: Invalid value" },
        { ONE "  tolerations: [{operator: Equal}]\n", "operator must be Exists when `key` is empty" },
        { ONE "  hostUsers: false\n  hostIPC: true\n", "when `hostUsers` is false" },
        { ONE "  os: {name: plan9}\n", "spec.os: Unsupported value: \"plan9\"" },
        { ONE "  serviceAccountName: x\n",
          "web.yaml:7: spec.serviceAccountName: static pods may not reference serviceaccounts" },
        { ONE "  serviceAccount: x\n", "static pods may not reference serviceaccounts" },
        { ONE "  imagePullSecrets: [{name: x}]\n", "static pods may not reference secrets" },
        { ONE "  volumes: [{name: x, configMap: {name: x}}]\n",
          "spec.volumes[0].configMap: static pods may not reference configmaps" },
        { ONE "  volumes: [{name: x, secret: {secretName: x}}]\n", "static pods may not reference secrets" },
        { ONE "  volumes: [{name: x, persistentVolumeClaim: {claimName: x}}]\n",
          "static pods may not reference persistentvolumeclaims" },
        { ONE "  volumes: [{name: x, csi: {driver: x}}]\n",
          "static pods may not reference csidrivers (via CSI volumes)" },
        { ONE "  volumes: [{name: x, projected: {sources: [{serviceAccountToken: {path: x}}]}}]\n",
          "static pods may not reference serviceaccounts (via projected volumes)" },
        { OPEN "env: [{name: A, valueFrom: {secretKeyRef: {name: x, key: z}}}]\n",
          "static pods may not reference secrets" },
        { OPEN "envFrom: [{configMapRef: {name: x}}]\n", "static pods may not reference configmaps" },
};

static void test_refusals(void **state) {
        for (size_t i = 0; i < ELEMENTS(refusals); i++) {
                struct result r;

                read_text(&r, refusals[i].text, "n");
                if (r.r >= 0 || !strstr(err_text(r.err), refusals[i].says))
                        fail_msg("row %zu: wanted %s\n got %s", i, refusals[i].says, err_text(r.err));
                assert_null(r.pod);
                done(&r);
        }
}

/* What a pod may say without effect, or by mistake, and still runs. */
static const struct {
        const char *text, *says;
} warnings[] = {
        { ONE "  containerz: []\n", "web.yaml:7: spec.containerz: unknown field" },
        { ONE "  hostnetwork: true\n", "spec.hostnetwork: unknown field; it is written hostNetwork" },
        { ONE "  topologySpreadConstraints: []\n",
          "web.yaml:7: spec.topologySpreadConstraints: not supported, has no effect" },
        { ONE "  volumes: [{name: x, nfs: {server: s, path: /}}]\n", "volumes of type nfs are not supported" },
        { ONE "  hostNetwork: false\n  hostNetwork: true\n",
          "web.yaml:8: key \"hostNetwork\" already set in map, at line 7; this one counts" },
        { ONE "---\nkind: ConfigMap\n",
          "web.yaml:8: a second document: the first of a file counts, the rest is not read" },
        { OPEN "livenessProbe: {httpGet: {port: web}}\n", "no port of container a is named \"web\"" },
};

static void test_warnings(void **state) {
        for (size_t i = 0; i < ELEMENTS(warnings); i++) {
                char text[512] = "";
                struct result r;

                read_text(&r, warnings[i].text, "n");
                if (r.r < 0)
                        fail_msg("row %zu: %s", i, err_text(r.err));
                assert_int_equal(r.problems.warnings, 1);
                problem_format(&r.problems, &r.problems.items[0], text, sizeof(text));
                if (!strstr(text, warnings[i].says))
                        fail_msg("row %zu: %s", i, text);
                done(&r);
        }
}

/* All errors at once, and no more kept than the bound. */
static void test_many_errors(void **state) {
        _cleanup_free_ char *text = calloc(1, 16384);
        struct result r;

        strcpy(text, HEAD "  containers:\n");
        for (int i = 0; i < PROBLEMS_MAX + 5; i++)
                sprintf(text + strlen(text), "  - {name: c%d}\n", i);
        read_text(&r, text, "n");
        assert_int_equal(r.r, -EINVAL);
        assert_int_equal(r.problems.errors, PROBLEMS_MAX + 5);
        assert_int_equal(r.problems.count, PROBLEMS_MAX);
        assert_non_null(strstr(err_text(r.err), "; web.yaml:7: spec.containers[1].image: Required value; "));
        assert_non_null(strstr(err_text(r.err), " more"));
        done(&r);
}

static void test_size_bound(void **state) {
        _cleanup_free_ char *text = calloc(1, POD_MANIFEST_BYTES_MAX + 2);
        struct result r;

        strcpy(text, ONE);
        memset(text + strlen(text), '\n', POD_MANIFEST_BYTES_MAX - strlen(text));
        read_text(&r, text, "n");
        assert_int_equal(r.r, 0);
        done(&r);
        strcat(text, "\n");
        read_text(&r, text, "n");
        assert_int_equal(r.r, -E2BIG);
        done(&r);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_defaults),
                cmocka_unit_test(test_identity),
                cmocka_unit_test(test_json_and_own_uid),
                cmocka_unit_test(test_uids),
                cmocka_unit_test(test_write),
                cmocka_unit_test(test_refusals),
                cmocka_unit_test(test_warnings),
                cmocka_unit_test(test_many_errors),
                cmocka_unit_test(test_size_bound),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
