#include "api/priority/defaults.h"

#include <string.h>

#include "lib/arena.h"
#include "lib/cleanup.h"

/* --- levels --- */

#define LIMITED(shares, lendable, response)                                                                            \
        "{\"type\":\"Limited\",\"limited\":{\"nominalConcurrencyShares\":" #shares ",\"limitResponse\":" response      \
        ",\"lendablePercent\":" #lendable "}}"
#define REJECT "{\"type\":\"Reject\"}"
#define QUEUE(queues, hand)                                                                                            \
        "{\"type\":\"Queue\",\"queuing\":{\"queues\":" #queues ",\"handSize\":" #hand ",\"queueLengthLimit\":50}}"
#define EXEMPT "{\"type\":\"Exempt\",\"exempt\":{\"nominalConcurrencyShares\":0,\"lendablePercent\":0}}"

/* --- schemas --- */

#define GROUP(name) "{\"kind\":\"Group\",\"group\":{\"name\":\"" name "\"}}"
#define USER(name) "{\"kind\":\"User\",\"user\":{\"name\":\"" name "\"}}"
#define SYSTEM_ACCOUNTS                                                                                                \
        "{\"kind\":\"ServiceAccount\",\"serviceAccount\":{\"namespace\":\"kube-system\",\"name\":\"*\"}}"
#define EVERYBODY GROUP("system:unauthenticated") "," GROUP("system:authenticated")

#define RESOURCES(verbs, groups, resources, more)                                                                      \
        "{\"verbs\":[" verbs "],\"apiGroups\":[\"" groups "\"],\"resources\":[" resources "]," more                    \
        "\"namespaces\":[\"*\"]}"
#define OF_CLUSTER "\"clusterScope\":true,"
#define PATHS(verb, paths) "\"nonResourceRules\":[{\"verbs\":[\"" verb "\"],\"nonResourceURLs\":[" paths "]}]"
#define LEASES(verbs) RESOURCES(verbs, "coordination.k8s.io", "\"leases\"", "")
#define EVERYTHING "\"resourceRules\":[" RESOURCES("\"*\"", "*", "\"*\"", OF_CLUSTER) "]," PATHS("*", "\"*\"")

#define FLOW(level, precedence, by, subjects, rules)                                                                   \
        "{\"priorityLevelConfiguration\":{\"name\":\"" level "\"},\"matchingPrecedence\":" #precedence "," by          \
        "\"rules\":[{\"subjects\":[" subjects "]," rules "}]}"
#define BY_USER "\"distinguisherMethod\":{\"type\":\"ByUser\"},"
#define BY_NAMESPACE "\"distinguisherMethod\":{\"type\":\"ByNamespace\"},"

static const struct priority_default all[] = {
        { true, false, "system", LIMITED(30, 33, QUEUE(64, 6)) },
        { true, false, "node-high", LIMITED(40, 25, QUEUE(64, 6)) },
        { true, false, "leader-election", LIMITED(10, 0, QUEUE(16, 4)) },
        { true, false, "workload-high", LIMITED(40, 50, QUEUE(128, 6)) },
        { true, false, "workload-low", LIMITED(100, 90, QUEUE(128, 6)) },
        { true, false, "global-default", LIMITED(20, 50, QUEUE(128, 6)) },
        { false, false, "system-nodes", FLOW("system", 500, BY_USER, GROUP("system:nodes"), EVERYTHING) },
        { false, false, "system-node-high",
          FLOW("node-high", 400, BY_USER, GROUP("system:nodes"),
               "\"resourceRules\":[" RESOURCES("\"*\"", "", "\"nodes\",\"nodes/status\"",
                                               OF_CLUSTER) "," LEASES("\"*\"") "]") },
        { false, false, "probes",
          FLOW("exempt", 2, "", EVERYBODY, PATHS("get", "\"/healthz\",\"/readyz\",\"/livez\"")) },
        { false, false, "system-leader-election",
          FLOW("leader-election", 100, BY_USER,
               USER("system:kube-controller-manager") "," USER("system:kube-scheduler") "," SYSTEM_ACCOUNTS,
               "\"resourceRules\":[" LEASES("\"get\",\"create\",\"update\"") "]") },
        { false, false, "kube-controller-manager",
          FLOW("workload-high", 800, BY_NAMESPACE, USER("system:kube-controller-manager"), EVERYTHING) },
        { false, false, "kube-scheduler",
          FLOW("workload-high", 800, BY_NAMESPACE, USER("system:kube-scheduler"), EVERYTHING) },
        { false, false, "kube-system-service-accounts",
          FLOW("workload-high", 900, BY_NAMESPACE, SYSTEM_ACCOUNTS, EVERYTHING) },
        { false, false, "service-accounts",
          FLOW("workload-low", 9000, BY_USER, GROUP("system:serviceaccounts"), EVERYTHING) },
        { false, false, "global-default", FLOW("global-default", 9900, BY_USER, EVERYBODY, EVERYTHING) },
        { true, true, "catch-all", LIMITED(5, 0, REJECT) },
        { true, true, "exempt", EXEMPT },
        { false, true, "exempt", FLOW("exempt", 1, "", GROUP("system:masters"), EVERYTHING) },
        { false, true, "catch-all", FLOW("catch-all", 10000, BY_USER, EVERYBODY, EVERYTHING) },
};

const struct priority_default *priority_defaults(size_t *ret_n) {
        *ret_n = ELEMENTS(all);
        return all;
}

const struct priority_default *priority_default_find(bool level, const char *name) {
        for (size_t i = 0; i < ELEMENTS(all); i++)
                if (all[i].level == level && strcmp(all[i].name, name) == 0)
                        return &all[i];
        return NULL;
}

const char *priority_default_json(struct arena *arena, const struct priority_default *wanted) {
        return arena_printf(arena,
                            "{\"kind\":\"%s\",\"apiVersion\":\"" PRIORITY_GROUP "/v1\",\"metadata\":{\"name\":\"%s\","
                            "\"generation\":1,\"annotations\":{\"" PRIORITY_AUTO_UPDATE "\":\"true\"}},\"spec\":%s}",
                            wanted->level ? "PriorityLevelConfiguration" : "FlowSchema", wanted->name, wanted->spec);
}
