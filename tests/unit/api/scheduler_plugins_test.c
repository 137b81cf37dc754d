/* Each plugin of the scheduler, by tables: nodes and pods that are there, a pod that comes, and which nodes fit it or
 * why none does; and which node is best. */
#include <assert.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/scheduler/cycle.h"
#include "client/client.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"

#define OBJECTS_MAX 8

/* "NAME {...}": of a node the object without its name, of a pod that too; one with nodeName is there already.
 * "KIND NAME {...}" among the pods: what spreading by default goes by. */
struct place_case {
        const char *name;
        const char *nodes[OBJECTS_MAX], *pods[OBJECTS_MAX], *pod;
        const char *fits; /* the nodes, in their order; or the words */
};

#define ALLOCATABLE(more)                                                                                              \
        "\"status\":{\"allocatable\":{\"cpu\":\"2\",\"memory\":\"4Gi\",\"ephemeral-storage\":\"10Gi\",\"pods\":"       \
        "\"3\"" more "}}"
#define NODE(name, labels, spec)                                                                                       \
        name " {\"metadata\":{\"labels\":{" labels "}},\"spec\":{" spec "}," ALLOCATABLE("") "}"
#define PLAIN(name) NODE(name, "\"kubernetes.io/hostname\":\"" name "\"", "")
#define IN_ZONE(name, zone)                                                                                            \
        NODE(name, "\"kubernetes.io/hostname\":\"" name "\",\"topology.kubernetes.io/zone\":\"" zone "\"", "")
#define TAINTED(name, key, value, effect)                                                                              \
        NODE(name, "", "\"taints\":[{\"key\":\"" key "\",\"value\":\"" value "\",\"effect\":\"" effect "\"}]")

#define POD(meta, spec) "{\"metadata\":{" meta "},\"spec\":{\"schedulerName\":\"default-scheduler\"" spec "}}"
#define ON(name, node, labels, spec)                                                                                   \
        name " {\"metadata\":{\"labels\":{" labels "}},\"spec\":{\"nodeName\":\"" node "\"" spec "}}"
#define ASKS(cpu, memory)                                                                                              \
        ",\"containers\":[{\"name\":\"c\",\"resources\":{\"requests\":{\"cpu\":\"" cpu "\",\"memory\":\"" memory       \
        "\"}}}]"
#define ONE ",\"containers\":[{\"name\":\"c\"}]"
#define PORT(rest) ",\"containers\":[{\"name\":\"c\",\"ports\":[{\"containerPort\":80," rest "}]}]"
#define TOLERATES(rest) ONE ",\"tolerations\":[{" rest "}]"
#define APP(app) "\"app\":\"" app "\""
#define SELECTS(app) "\"labelSelector\":{\"matchLabels\":{" APP(app) "}}"
#define TERM(app, key) "[{" SELECTS(app) ",\"topologyKey\":\"" key "\"}]"
#define REQUIRED "\"requiredDuringSchedulingIgnoredDuringExecution\":"
#define PREFERRED "\"preferredDuringSchedulingIgnoredDuringExecution\":"
#define AFFINITY(term) ONE ",\"affinity\":{\"podAffinity\":{" REQUIRED term "}}"
#define AVERSION(term) ONE ",\"affinity\":{\"podAntiAffinity\":{" REQUIRED term "}}"
#define ON_NODES(terms) ONE ",\"affinity\":{\"nodeAffinity\":{" REQUIRED "{\"nodeSelectorTerms\":[" terms "]}}}"
#define SPREAD(key, more)                                                                                              \
        ONE ",\"topologySpreadConstraints\":[{\"maxSkew\":1,\"topologyKey\":\"" key                                    \
            "\",\"whenUnsatisfiable\":\"DoNotSchedule\"," SELECTS("a") more "}]"
#define OWNER(version, kind, name)                                                                                     \
        "\"ownerReferences\":[{\"apiVersion\":\"" version "\",\"kind\":\"" kind "\",\"name\":\"" name                  \
        "\",\"uid\":\"o\",\"controller\":true}]"
#define SERVICE(name, labels) "Service " name " {\"metadata\":{},\"spec\":{\"selector\":{" labels "}}}"
#define SET(name, labels) name " {\"metadata\":{},\"spec\":{\"selector\":{\"matchLabels\":{" labels "}}}}"
#define HOST "kubernetes.io/hostname"
#define ZONE "topology.kubernetes.io/zone"

static const struct place_case cases[] = {
        { "no nodes", {}, {}, POD("", ONE), "no nodes available to schedule pods" },
        { "any node", { PLAIN("a"), PLAIN("b") }, {}, POD("", ONE), "a b" },
        { "zones take turns", { IN_ZONE("a", "x"), IN_ZONE("b", "x"), IN_ZONE("c", "y") }, {}, POD("", ONE), "a c b" },
        /* NodeUnschedulable */
        { "cordoned", { NODE("a", "", "\"unschedulable\":true"), PLAIN("b") }, {}, POD("", ONE), "b" },
        { "all cordoned",
          { NODE("a", "", "\"unschedulable\":true") },
          {},
          POD("", ONE),
          "0/1 nodes are available: 1 node(s) were unschedulable." },
        { "cordoned and tolerated",
          { NODE("a", "", "\"unschedulable\":true") },
          {},
          POD("", TOLERATES("\"key\":\"node.kubernetes.io/unschedulable\",\"operator\":\"Exists\"")),
          "a" },
        /* TaintToleration */
        { "taints",
          { TAINTED("a", "k", "v", "NoSchedule"), TAINTED("b", "k", "v", "NoExecute"),
            TAINTED("c", "k", "v", "PreferNoSchedule") },
          {},
          POD("", ONE),
          "c" },
        { "untolerated taint",
          { TAINTED("a", "k", "v", "NoSchedule") },
          {},
          POD("", TOLERATES("\"key\":\"k\",\"value\":\"w\"")),
          "0/1 nodes are available: 1 node(s) had untolerated taint(s)." },
        { "toleration of another effect",
          { TAINTED("a", "k", "v", "NoSchedule"), TAINTED("b", "k", "v", "NoExecute") },
          {},
          POD("", TOLERATES("\"key\":\"k\",\"value\":\"v\",\"effect\":\"NoExecute\"")),
          "b" },
        { "toleration of everything",
          { TAINTED("a", "k", "", "NoSchedule"), TAINTED("b", "l", "v", "NoExecute") },
          {},
          POD("", TOLERATES("\"operator\":\"Exists\"")),
          "a b" },
        { "toleration of an empty value",
          { TAINTED("a", "k", "", "NoSchedule"), TAINTED("b", "k", "v", "NoSchedule") },
          {},
          POD("", TOLERATES("\"key\":\"k\"")),
          "a" },
        /* NodeAffinity */
        { "node selector",
          { NODE("a", "\"disk\":\"ssd\"", ""), NODE("b", "\"disk\":\"hdd\"", ""), NODE("c", "", "") },
          {},
          POD("", ONE ",\"nodeSelector\":{\"disk\":\"ssd\"}"),
          "a" },
        { "node selector of an empty value",
          { NODE("a", "\"disk\":\"\"", ""), NODE("b", "", "") },
          {},
          POD("", ONE ",\"nodeSelector\":{\"disk\":\"\"}"),
          "a" },
        { "node selector nowhere",
          { NODE("a", "", "") },
          {},
          POD("", ONE ",\"nodeSelector\":{\"disk\":\"ssd\"}"),
          "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector." },
        { "node affinity, its terms alternatives",
          { NODE("a", "\"n\":\"5\"", ""), NODE("b", "\"disk\":\"hdd\"", ""), NODE("c", "\"n\":\"3\"", "") },
          {},
          POD("", ON_NODES("{\"matchExpressions\":[{\"key\":\"n\",\"operator\":\"Gt\",\"values\":[\"4\"]}]},"
                           "{\"matchExpressions\":[{\"key\":\"disk\",\"operator\":\"Exists\"}]}")),
          "a b" },
        { "a node by its name",
          { PLAIN("a"), PLAIN("b") },
          {},
          POD("", ON_NODES("{\"matchFields\":[{\"key\":\"metadata.name\",\"operator\":\"In\",\"values\":[\"b\"]}]}")),
          "b" },
        { "a node by its name that is none",
          { PLAIN("a"), PLAIN("b") },
          {},
          POD("", ON_NODES("{\"matchFields\":[{\"key\":\"metadata.name\",\"operator\":\"In\",\"values\":[\"c\"]}]}")),
          "0/2 nodes are available: 2 node(s) didn't satisfy plugin(s) [NodeAffinity]." },
        /* NodePorts */
        { "host ports",
          { PLAIN("a"), PLAIN("b"), PLAIN("c") },
          { ON("p", "a", "", PORT("\"hostPort\":80")), ON("q", "b", "", PORT("\"hostPort\":80,\"protocol\":\"UDP\"")),
            ON("r", "c", "", PORT("\"hostPort\":80,\"hostIP\":\"127.0.0.1\"")) },
          POD("", PORT("\"hostPort\":80,\"hostIP\":\"127.0.0.2\"")),
          "b c" },
        { "host ports taken",
          { PLAIN("a") },
          { ON("p", "a", "", PORT("\"hostPort\":80")) },
          POD("", PORT("\"hostPort\":80")),
          "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports." },
        /* NodeResourcesFit */
        { "cpu and memory",
          { PLAIN("a"), PLAIN("b"), PLAIN("c") },
          { ON("p", "a", "", ASKS("1500m", "1Gi")), ON("q", "b", "", ASKS("100m", "3Gi")) },
          POD("", ASKS("1", "2Gi")),
          "c" },
        { "what is lacking, in order",
          { PLAIN("a"), PLAIN("b"), PLAIN("c") },
          { ON("p", "a", "", ASKS("1500m", "1Gi")), ON("q", "b", "", ASKS("100m", "3Gi")) },
          POD("", ASKS("1900m", "3Gi")),
          "c" },
        { "nowhere",
          { PLAIN("a"), PLAIN("b") },
          { ON("p", "a", "", ASKS("1500m", "3Gi")) },
          POD("", ASKS("3", "2Gi")),
          "0/2 nodes are available: 1 Insufficient memory, 2 Insufficient cpu." },
        { "sums of more than can be counted stay more than there is",
          { PLAIN("a") },
          { ON("p", "a", "", ASKS("9223372036854775807", "9223372036854775807")),
            ON("q", "a", "", ASKS("9223372036854775807", "9223372036854775807")) },
          POD("", ASKS("1m", "1")),
          "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory." },
        { "an init container counts where it needs more",
          { PLAIN("a") },
          {},
          POD("",
              ASKS("1", "1Gi") ",\"initContainers\":[{\"name\":\"i\",\"resources\":{\"requests\":{\"cpu\":\"3\"}}}]"),
          "0/1 nodes are available: 1 Insufficient cpu." },
        { "a sidecar counts with the rest",
          { PLAIN("a") },
          {},
          POD("", ASKS("1500m", "1Gi") ",\"initContainers\":[{\"name\":\"i\",\"restartPolicy\":\"Always\","
                                       "\"resources\":{\"requests\":{\"cpu\":\"600m\"}}}]"),
          "0/1 nodes are available: 1 Insufficient cpu." },
        { "overhead counts",
          { PLAIN("a") },
          {},
          POD("", ASKS("1500m", "1Gi") ",\"overhead\":{\"cpu\":\"600m\"}"),
          "0/1 nodes are available: 1 Insufficient cpu." },
        { "too many pods",
          { PLAIN("a") },
          { ON("p", "a", "", ONE), ON("q", "a", "", ONE), ON("r", "a", "", ONE) },
          POD("", ONE),
          "0/1 nodes are available: 1 Too many pods." },
        { "an extended resource",
          { PLAIN("a"), "b {\"metadata\":{}," ALLOCATABLE(",\"example.com/gpu\":\"2\"") "}",
            "c {\"metadata\":{}," ALLOCATABLE(",\"example.com/gpu\":\"2\"") "}" },
          { ON("p", "b", "",
               ",\"containers\":[{\"name\":\"c\",\"resources\":{\"requests\":{\"example.com/gpu\":\"2\"}}}]") },
          POD("", ",\"containers\":[{\"name\":\"c\",\"resources\":{\"requests\":{\"example.com/gpu\":\"1\"}}}]"),
          "c" },
        { "no extended resource",
          { PLAIN("a") },
          {},
          POD("", ",\"containers\":[{\"name\":\"c\",\"resources\":{\"requests\":{\"example.com/gpu\":\"1\"}}}]"),
          "0/1 nodes are available: 1 Insufficient example.com/gpu." },
        /* VolumeBinding, DynamicResources */
        { "no such claim",
          { PLAIN("a"), PLAIN("b") },
          {},
          POD("", ONE ",\"volumes\":[{\"name\":\"v\",\"persistentVolumeClaim\":{\"claimName\":\"x\"}}]"),
          "0/2 nodes are available: persistentvolumeclaim \"x\" not found." },
        /* PodTopologySpread */
        { "spread over hosts",
          { PLAIN("a"), PLAIN("b") },
          { ON("p", "a", APP("a"), ONE), ON("q", "b", APP("b"), ONE) },
          POD("\"labels\":{" APP("a") "}", SPREAD(HOST, "")),
          "b" },
        { "spread over zones",
          { IN_ZONE("a", "x"), IN_ZONE("b", "x"), IN_ZONE("c", "y"), PLAIN("d") },
          { ON("p", "a", APP("a"), ONE) },
          POD("\"labels\":{" APP("a") "}", SPREAD(ZONE, "")),
          "c" },
        { "why not spread",
          { IN_ZONE("a", "x"), NODE("b", "\"" ZONE "\":\"y\"", "\"unschedulable\":true"), PLAIN("d") },
          { ON("p", "a", APP("a"), ONE) },
          POD("\"labels\":{" APP("a") "}", SPREAD(ZONE, "")),
          "0/3 nodes are available: 1 node(s) didn't match pod topology spread constraints, "
          "1 node(s) didn't match pod topology spread constraints (missing required label), "
          "1 node(s) were unschedulable." },
        { "fewer domains than there have to be",
          { IN_ZONE("a", "x") },
          { ON("p", "a", APP("a"), ONE) },
          POD("\"labels\":{" APP("a") "}", SPREAD(ZONE, ",\"minDomains\":2")),
          "0/1 nodes are available: 1 node(s) didn't match pod topology spread constraints." },
        { "what the pod may not use is no domain",
          { NODE("a", "\"" ZONE "\":\"x\",\"disk\":\"ssd\"", ""), NODE("b", "\"" ZONE "\":\"y\"", "") },
          { ON("p", "a", APP("a"), ONE) },
          POD("\"labels\":{" APP("a") "}", SPREAD(ZONE, "") ",\"nodeSelector\":{\"disk\":\"ssd\"}"),
          "a" },
        { "unless it says so",
          { NODE("a", "\"" ZONE "\":\"x\",\"disk\":\"ssd\"", ""), NODE("b", "\"" ZONE "\":\"y\"", "") },
          { ON("p", "a", APP("a"), ONE) },
          POD("\"labels\":{" APP("a") "}",
              SPREAD(ZONE, ",\"nodeAffinityPolicy\":\"Ignore\"") ",\"nodeSelector\":{\"disk\":\"ssd\"}"),
          "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, "
          "1 node(s) didn't match pod topology spread constraints." },
        { "labels that are matched by their key",
          { PLAIN("a"), PLAIN("b") },
          { ON("p", "a", APP("a") ",\"v\":\"1\"", ONE), ON("q", "b", APP("a") ",\"v\":\"2\"", ONE) },
          POD("\"labels\":{" APP("a") ",\"v\":\"2\"}", SPREAD(HOST, ",\"matchLabelKeys\":[\"v\"]")),
          "a" },
        /* InterPodAffinity */
        { "with others",
          { IN_ZONE("a", "x"), IN_ZONE("b", "x"), IN_ZONE("c", "y"), PLAIN("d") },
          { ON("p", "a", APP("a"), ONE) },
          POD("", AFFINITY(TERM("a", ZONE))),
          "a b" },
        { "the first of those that want to be together",
          { PLAIN("a"), NODE("b", "", "") },
          {},
          POD("\"labels\":{" APP("a") "}", AFFINITY(TERM("a", HOST))),
          "a" },
        { "with none",
          { PLAIN("a") },
          {},
          POD("", AFFINITY(TERM("a", HOST))),
          "0/1 nodes are available: 1 node(s) didn't match pod affinity rules." },
        { "not with others",
          { IN_ZONE("a", "x"), IN_ZONE("b", "x"), IN_ZONE("c", "y") },
          { ON("p", "a", APP("a"), ONE) },
          POD("", AVERSION(TERM("a", ZONE))),
          "c" },
        { "with those of another namespace",
          { PLAIN("a"), PLAIN("b") },
          { ON("other/p", "a", APP("a"), ONE), ON("q", "b", APP("a"), ONE) },
          POD("", AVERSION("[{" SELECTS("a") ",\"topologyKey\":\"" HOST "\",\"namespaces\":[\"other\"]}]")),
          "b" },
        { "with those of all namespaces",
          { PLAIN("a"), PLAIN("b"), PLAIN("c") },
          { ON("other/p", "a", APP("a"), ONE), ON("q", "b", APP("a"), ONE) },
          POD("", AVERSION("[{" SELECTS("a") ",\"topologyKey\":\"" HOST "\",\"namespaceSelector\":{}}]")),
          "c" },
        { "others do not want it",
          { PLAIN("a"), PLAIN("b") },
          { ON("p", "a", "", AVERSION(TERM("a", HOST))) },
          POD("\"labels\":{" APP("a") "}", ONE),
          "b" },
        { "why not beside others",
          { PLAIN("a"), PLAIN("b") },
          { ON("p", "a", "", AVERSION(TERM("a", HOST))), ON("q", "b", APP("b"), ONE) },
          POD("\"labels\":{" APP("a") "}", AVERSION(TERM("b", HOST))),
          "0/2 nodes are available: 1 node(s) didn't match pod anti-affinity rules, "
          "1 node(s) didn't satisfy existing pods anti-affinity rules." },
};

/* What is better of two or three. */
static const struct place_case scores[] = {
        { "the emptier",
          { PLAIN("a"), PLAIN("b") },
          { ON("p", "a", "", ASKS("1", "1Gi")) },
          POD("", ASKS("1", "1Gi")),
          "b" },
        { "what says nothing counts too", { PLAIN("a"), PLAIN("b") }, { ON("p", "a", "", ONE) }, POD("", ONE), "b" },
        { "without taints it does not tolerate",
          { TAINTED("a", "k", "v", "PreferNoSchedule"), PLAIN("b") },
          { ON("p", "b", "", ASKS("1", "2Gi")) },
          POD("", ONE),
          "b" },
        { "what it prefers",
          { NODE("a", "\"disk\":\"ssd\"", ""), PLAIN("b") },
          { ON("p", "a", "", ASKS("1", "2Gi")) },
          POD("", ONE
              ",\"affinity\":{\"nodeAffinity\":{" PREFERRED
              "[{\"weight\":1,\"preference\":{\"matchExpressions\":[{\"key\":\"disk\",\"operator\":\"Exists\"}]}}]}}"),
          "a" },
        { "beside whom it prefers",
          { PLAIN("a"), PLAIN("b") },
          { ON("p", "a", APP("a"), ASKS("1", "2Gi")) },
          POD("", ONE ",\"affinity\":{\"podAffinity\":{" PREFERRED
                      "[{\"weight\":1,\"podAffinityTerm\":{" SELECTS("a") ",\"topologyKey\":\"" HOST "\"}}]}}"),
          "a" },
        { "not beside whom it does not prefer",
          { PLAIN("a"), PLAIN("b") },
          { ON("p", "a", APP("a"), ONE), ON("q", "b", "", ASKS("500m", "1Gi")) },
          POD("", ONE ",\"affinity\":{\"podAntiAffinity\":{" PREFERRED
                      "[{\"weight\":1,\"podAffinityTerm\":{" SELECTS("a") ",\"topologyKey\":\"" HOST "\"}}]}}"),
          "b" },
        { "away from others of its Service",
          { PLAIN("a"), PLAIN("b") },
          { ON("p", "a", APP("a"), ""), ON("q", "b", "", ASKS("300m", "600Mi")), SERVICE("s", APP("a")),
            SERVICE("none", APP("b")) },
          POD("\"labels\":{" APP("a") "}", ONE),
          "b" },
        { "a Service of another namespace, and one without a selector",
          { PLAIN("a"), PLAIN("b") },
          { ON("p", "a", APP("a"), ""), ON("q", "b", "", ASKS("300m", "600Mi")), SERVICE("other/s", APP("a")),
            SERVICE("s", "") },
          POD("\"labels\":{" APP("a") "}", ONE),
          "a" },
        { "away from others of its ReplicaSet",
          { PLAIN("a"), PLAIN("b") },
          { ON("p", "a", APP("a"), ""), ON("q", "b", "", ASKS("300m", "600Mi")), "ReplicaSet " SET("o", APP("a")) },
          POD("\"labels\":{" APP("a") "}," OWNER("apps/v1", "ReplicaSet", "o"), ONE),
          "b" },
        { "and of its StatefulSet",
          { PLAIN("a"), PLAIN("b") },
          { ON("p", "a", APP("a"), ""), ON("q", "b", "", ASKS("300m", "600Mi")), "StatefulSet " SET("o", APP("a")) },
          POD("\"labels\":{" APP("a") "}," OWNER("apps/v1", "StatefulSet", "o"), ONE),
          "b" },
        { "and of its ReplicationController",
          { PLAIN("a"), PLAIN("b") },
          { ON("p", "a", APP("a"), ""), ON("q", "b", "", ASKS("300m", "600Mi")),
            "ReplicationController o {\"metadata\":{\"name\":\"o\"},\"spec\":{\"selector\":{" APP("a") "}}}" },
          POD("\"labels\":{" APP("a") "}," OWNER("v1", "ReplicationController", "o"), ONE),
          "b" },
        { "not of one that is no owner of its",
          { PLAIN("a"), PLAIN("b") },
          { ON("p", "a", APP("a"), ""), ON("q", "b", "", ASKS("300m", "600Mi")), "ReplicaSet " SET("o", APP("a")) },
          POD("\"labels\":{" APP("a") "}", ONE),
          "a" },
        { "of all together",
          { PLAIN("a"), PLAIN("b") },
          { ON("p", "a", APP("a"), ""), ON("q", "b", APP("a") ",\"v\":\"1\"", ""), SERVICE("s", APP("a")),
            "ReplicaSet " SET("o", "\"v\":\"1\"") },
          POD("\"labels\":{" APP("a") ",\"v\":\"1\"}," OWNER("apps/v1", "ReplicaSet", "o"), ONE),
          "a" },
        { "what spreads itself goes by that alone",
          { PLAIN("a"), PLAIN("b") },
          { ON("p", "a", APP("b"), ""), ON("q", "b", "", ASKS("300m", "600Mi")), SERVICE("s", APP("b")) },
          POD("\"labels\":{" APP("b") "}", SPREAD(ZONE, ",\"whenUnsatisfiable\":\"ScheduleAnyway\"")),
          "a" },
        { "where its image is",
          { "a {\"metadata\":{},\"status\":{\"images\":[{\"names\":[\"i:latest\"],\"sizeBytes\":900000000}],"
            "\"allocatable\":{\"cpu\":\"2\",\"memory\":\"4Gi\",\"pods\":\"3\"}}}",
            PLAIN("b") },
          {},
          POD("", ",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]"),
          "a" },
};

/* --- the cluster of a case --- */

static struct sched_cluster cluster;
static struct sched_node *fitting[OBJECTS_MAX];
static int64_t points[OBJECTS_MAX], totals[OBJECTS_MAX];
static uint8_t verdicts[OBJECTS_MAX];

static struct client_object *object_of(const char *namespace, const char *name, const char *json) {
        struct bytes *bytes = bytes_copy(json, strlen(json));
        struct client_object *object = client_object_new(1, namespace, name, bytes);

        bytes_unref(bytes);
        assert_non_null(object);
        return object;
}

/* With its name, and namespace, in its metadata. */
static struct sched_pod *pod_of(const char *name, const char *json) {
        const char *slash = strchr(name, '/'), *meta = strstr(json, "\"metadata\":{") + strlen("\"metadata\":{");
        char namespace[16] = "default", text[4096];
        _cleanup_client_object_ struct client_object *object = NULL;
        struct sched_pod *pod;

        if (slash)
                snprintf(namespace, sizeof(namespace), "%.*s", (int)(slash - name), name);
        name = slash ? slash + 1 : name;
        snprintf(text, sizeof(text), "%.*s\"name\":\"%s\",\"namespace\":\"%s\",\"uid\":\"u\"%s%s", (int)(meta - json),
                 json, name, namespace, *meta == '}' ? "" : ",", meta);
        object = object_of(namespace, name, text);
        assert_int_equal(sched_pod_read(object, &pod), 0);
        return pod;
}

static void add_node(const char *text) {
        _cleanup_free_ char *name = strndup(text, strcspn(text, " "));
        _cleanup_client_object_ struct client_object *object = object_of("", name, text + strlen(name) + 1);
        struct sched_node *node;
        uint32_t events;

        assert_int_equal(sched_cluster_put_node(&cluster, object, &node, &events), 0);
        assert_int_equal(events, SCHED_NODE_ADDED);
}

static void add_pod(const char *text) {
        _cleanup_free_ char *name = strndup(text, strcspn(text, " "));
        struct sched_pod *pod = pod_of(name, text + strlen(name) + 1);

        assert_int_equal(sched_cluster_add(&cluster, pod), 0);
        assert_int_equal(sched_cluster_place(&cluster, pod, sched_cluster_get_node(&cluster, pod->node_name)), 0);
}

/* "KIND NAME {...}", or "KIND NAMESPACE/NAME {...}"; false: it is something else. */
static bool add_kin(const char *text) {
        char kind[32] = "", name[32] = "", namespace[16] = "default";
        const char *json = strchr(text, '{'), *own;

        sscanf(text, "%31s %31s", kind, name);
        own = strchr(name, '/') ? strchr(name, '/') + 1 : name;
        if (own != name)
                snprintf(namespace, sizeof(namespace), "%.*s", (int)(own - name - 1), name);
        for (unsigned i = 0; i < _SCHED_KIN_KINDS; i++) {
                _cleanup_client_object_ struct client_object *object = object_of(namespace, own, json);

                if (strcmp(sched_kin_rows[i].kind, kind) != 0)
                        continue;
                assert_int_equal(sched_kin_put(&cluster.kin, i, object, 1), 0);
                return true;
        }
        return false;
}

static struct sched_cycle begin(const struct place_case *p, struct arena *arena) {
        cluster = (struct sched_cluster){ 0 };
        for (unsigned i = 0; i < OBJECTS_MAX && p->nodes[i]; i++)
                add_node(p->nodes[i]);
        for (unsigned i = 0; i < OBJECTS_MAX && p->pods[i]; i++)
                if (!add_kin(p->pods[i]))
                        add_pod(p->pods[i]);
        assert_int_equal(sched_cluster_settle(&cluster), 0);
        return (struct sched_cycle){ .cluster = &cluster,
                                     .pod = pod_of("new", p->pod),
                                     .arena = arena,
                                     .fitting = fitting,
                                     .scores = points,
                                     .totals = totals,
                                     .verdicts = verdicts };
}

static void end(struct sched_cycle *c) {
        sched_pod_free(c->pod);
        sched_cluster_clear(&cluster);
}

static void nodes_fit(void **state) {
        for (unsigned i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                struct sched_cycle c = begin(&cases[i], arena);
                char fits[1024] = "";

                if (cluster.n_order > 0 && sched_cycle_prepare(&c) == 0)
                        sched_cycle_find(&c, 0);
                for (unsigned n = 0; n < c.n_fitting; n++)
                        snprintf(fits + strlen(fits), sizeof(fits) - strlen(fits), "%s%s", n > 0 ? " " : "",
                                 fitting[n]->name);
                if (c.n_fitting == 0)
                        snprintf(fits, sizeof(fits), "%s", sched_cycle_words(&c));
                if (strcmp(fits, cases[i].fits) != 0)
                        print_error("%s\n", cases[i].name);
                assert_string_equal(fits, cases[i].fits);
                end(&c);
        }
}

static void the_best_is_chosen(void **state) {
        uint64_t random = 1;

        for (unsigned i = 0; i < ELEMENTS(scores); i++)
                for (unsigned n = 0; n < 8; n++) { /* by chance it would not be each time */
                        _cleanup_arena_ struct arena *arena = arena_new();
                        struct sched_cycle c = begin(&scores[i], arena);
                        const struct sched_node *best;

                        assert_int_equal(sched_cycle_prepare(&c), 0);
                        sched_cycle_find(&c, 0);
                        assert_true(c.n_fitting > 1);
                        best = sched_cycle_best(&c, &random);
                        if (strcmp(best->name, scores[i].fits) != 0)
                                print_error("%s\n", scores[i].name);
                        assert_string_equal(best->name, scores[i].fits);
                        end(&c);
                }
}

/* Equals are taken by chance. */
static void equals_take_turns(void **state) {
        static const struct place_case equal = { "", { PLAIN("a"), PLAIN("b"), PLAIN("c") }, {}, POD("", ONE), "" };
        uint64_t random = 1;
        bool seen[3] = { false };

        for (unsigned n = 0; n < 64; n++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                struct sched_cycle c = begin(&equal, arena);

                assert_int_equal(sched_cycle_prepare(&c), 0);
                sched_cycle_find(&c, n % 3);
                seen[sched_cycle_best(&c, &random)->name[0] - 'a'] = true;
                end(&c);
        }
        assert_true(seen[0] && seen[1] && seen[2]);
}

/* What a pod takes it gives back. */
static void nothing_is_left_of_pods(void **state) {
        static const struct place_case full = {
                "",
                { PLAIN("a") },
                { ON("p", "a", APP("a"),
                     ",\"containers\":[{\"name\":\"c\",\"ports\":[{\"containerPort\":1,\"hostPort\":1}],"
                     "\"resources\":{\"requests\":{\"cpu\":\"1\",\"example.com/gpu\":\"1\"}}}],"
                     "\"affinity\":{\"podAntiAffinity\":{" REQUIRED TERM("a", HOST) "}}") },
                POD("", ONE),
                ""
        };
        _cleanup_arena_ struct arena *arena = arena_new();
        struct sched_cycle c = begin(&full, arena);
        struct sched_pod *pod = sched_cluster_pod(&cluster, "default/p");
        const struct sched_node *node = pod->node;

        assert_int_equal(node->requested[SCHED_CPU], 1000);
        assert_int_equal(node->scored[SCHED_MEMORY], SCHED_DEFAULT_MEMORY);
        assert_int_equal(node->n_ports, 1);
        sched_cluster_remove(&cluster, pod);
        sched_pod_free(pod);
        assert_int_equal(node->requested[SCHED_CPU], 0);
        assert_int_equal(node->scored[SCHED_MEMORY], 0);
        assert_int_equal(sched_node_stock(node, "example.com/gpu")->requested, 0);
        assert_int_equal(node->n_ports + node->n_pods, 0);
        assert_true(sched_averse_is_empty(&cluster.averse) && sched_affine_is_empty(&cluster.affine));
        assert_null(sched_cluster_space(&cluster, "default"));
        end(&c);
}

/* Of a large cluster not all nodes are compared, and the next attempt begins behind those. */
static void some_of_many_are_compared(void **state) {
        static struct sched_node *all[1000];
        static int64_t room[2][1000];
        static uint8_t seen[1000];
        _cleanup_arena_ struct arena *arena = arena_new();
        static const struct place_case none = { "", {}, {}, POD("", ONE), "" };
        struct sched_cycle c = begin(&none, arena);
        char text[512];

        for (unsigned i = 0; i < 1000; i++) {
                snprintf(text, sizeof(text), "n%03u %s", i, strchr(PLAIN("x"), ' ') + 1);
                add_node(text);
        }
        assert_int_equal(sched_cluster_settle(&cluster), 0);
        c.fitting = all;
        c.scores = room[0];
        c.totals = room[1];
        c.verdicts = seen;
        assert_int_equal(sched_cycle_prepare(&c), 0);
        sched_cycle_find(&c, 900);
        assert_int_equal(c.n_fitting, 420); /* 50 - 1000/125 of a hundred */
        assert_int_equal(c.n_looked_at, 420);
        assert_string_equal(all[0]->name, "n900");
        assert_string_equal(all[100]->name, "n000");
        end(&c);
}

/* So many rules of a pod, and not one more. */
static void rules_have_a_maximum(void **state) {
        for (unsigned n = SCHED_RULES_MAX; n <= SCHED_RULES_MAX + 1; n++) {
                _cleanup_free_ char *text = calloc(n + 1, sizeof(TERM("a", HOST)) + 1);
                _cleanup_client_object_ struct client_object *object = NULL;
                struct sched_pod *pod = NULL;

                strcpy(text, "{\"spec\":{\"affinity\":{\"podAffinity\":{" REQUIRED "[");
                for (unsigned i = 0; i < n; i++)
                        strcat(strcat(text, i > 0 ? "," : ""), "{\"topologyKey\":\"k\"}");
                strcat(text, "]}}}}");
                object = object_of("default", "p", text);
                assert_int_equal(sched_pod_read(object, &pod), n > SCHED_RULES_MAX ? -E2BIG : 0);
                sched_pod_free(pod);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(nodes_fit),
                cmocka_unit_test(the_best_is_chosen),
                cmocka_unit_test(equals_take_turns),
                cmocka_unit_test(nothing_is_left_of_pods),
                cmocka_unit_test(some_of_many_are_compared),
                cmocka_unit_test(rules_have_a_maximum),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
