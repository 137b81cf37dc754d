#include "agent/admission/admission.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/node/facts.h"
#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

static struct pod *make(const char *name, const char *spec) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct pod_static_options how = { .file = name, .node_name = "node" };
        struct problems problems;
        struct pod *pod = NULL;
        char text[1024];

        snprintf(text, sizeof(text), "apiVersion: v1\nkind: Pod\nmetadata: {name: %s}\nspec:\n  %s\n", name, spec);
        problems_init(&problems, arena, name, NULL);
        assert_int_equal(pod_read_static(text, strlen(text), &how, &problems, &pod, NULL), 0);
        return pod;
}

#define ONE "containers: [{name: c, image: i}]\n  "
#define ASKS(what) "containers: [{name: c, image: i, resources: {requests: {" what "}}}]"
#define PORT(what) "containers: [{name: c, image: i, ports: [{containerPort: 1, " what "}]}]"
#define SYSCTL(name) ONE "securityContext: {sysctls: [{name: " name ", value: '1'}]}"

/* On a node of 4 CPUs and 1 GiB, beside a pod that has 3 of them, 512 MiB and the ports 80 and 127.0.0.1:81. */
static const char other[] = "containers: [{name: c, image: i, resources: {requests: {cpu: 3, memory: 512Mi}}, ports: ["
                            "{containerPort: 1, hostPort: 80}, {containerPort: 2, hostPort: 81, hostIP: 127.0.0.1}]}]";

static const struct {
        const char *spec, *reason, *says;
} cases[] = {
        { ONE, NULL, NULL },
        { ASKS("cpu: 1, memory: 512Mi"), NULL, NULL },
        { "containers: [{name: c, image: i, resources: {limits: {example.org/gpu: 3}}}]", NULL, NULL },
        { ASKS("cpu: 1001m"), "UnexpectedAdmissionError", "[(res: cpu, q: 1), ]" },
        { ASKS("memory: 1Gi, cpu: 2"), "UnexpectedAdmissionError",
          "[(res: cpu, q: 1000), (res: memory, q: 536870912), ]" },
        { ASKS("ephemeral-storage: 1001"), "UnexpectedAdmissionError", "[(res: ephemeral-storage, q: 1), ]" },
        { "containers: [{name: c, image: i, resources: {requests: {cpu: 1m}, limits: {hugepages-3Mi: 3Mi}}}]",
          "UnexpectedAdmissionError", "[(res: hugepages-3Mi, q: 3145728), ]" },
        { PORT("hostPort: 82"), NULL, NULL },
        { PORT("hostPort: 80, protocol: UDP"), NULL, NULL },
        { PORT("hostPort: 80"), "NodePorts", "pod default/other-node has port 80" },
        { PORT("hostPort: 80, hostIP: 127.0.0.1"), "NodePorts", "port 80" },
        { PORT("hostPort: 81, hostIP: 127.0.0.2"), NULL, NULL },
        { PORT("hostPort: 81, hostIP: 127.0.0.1"), "NodePorts", "port 81" },
        { PORT("hostPort: 81"), "NodePorts", "port 81" },
        { SYSCTL("net.ipv4.tcp_rmem"), NULL, NULL },
        { SYSCTL("net/ipv4/tcp_rmem"), NULL, NULL },
        { SYSCTL("net.ipv4.tcp_rmem2"), "SysctlForbidden", "forbidden sysctl: \"net.ipv4.tcp_rmem2\" not allowlisted" },
        { SYSCTL("net/core/somaxconn"), "SysctlForbidden", "\"net.core.somaxconn\"" },
        { SYSCTL("kernel.msgmax"), NULL, NULL },
        { SYSCTL("fs.mqueue.msg_max"), NULL, NULL },
        { SYSCTL("fs.mqueue.msg_maxx"), "SysctlForbidden", "" },
        { ONE "os: {name: linux}", NULL, NULL },
        { ONE "os: {name: windows}", "PodOSNotSupported", "Failed to admit pod as the OS field doesn't match node OS" },
        { ONE "nodeSelector: {kubernetes.io/arch: amd64, kubernetes.io/hostname: node}", NULL, NULL },
        { ONE "nodeSelector: {kubernetes.io/arch: arm64}", "NodeAffinity", "Predicate NodeAffinity failed" },
        { ONE "securityContext: {appArmorProfile: {type: Unconfined}}", NULL, NULL },
        { ONE "securityContext: {appArmorProfile: {type: RuntimeDefault}}", "AppArmor", "not enabled on the host" },
};

static void test_cases(void **state) {
        const struct node_facts facts = {
                .cpu_milli = 4000, .memory_bytes = 1 << 30, .disk_bytes = 1000, .arch = "amd64"
        };
        struct pod *others[] = { make("other", other) };
        const struct admission_node node = { .name = "node",
                                             .unsafe_sysctls = "kernel.msg*,fs.mqueue.msg_max",
                                             .facts = &facts,
                                             .pods = (const struct pod *const *)others,
                                             .n_pods = 1 };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct pod *pod = make("asks", cases[i].spec);
                struct rejection rejection = { .reason = "" };

                if (admission_ask(&node, pod, &rejection) != !cases[i].reason)
                        fail_msg("row %zu: %s", i, rejection.reason[0] ? rejection.message : "admitted");
                if (cases[i].reason) {
                        assert_string_equal(rejection.reason, cases[i].reason);
                        assert_non_null(strstr(rejection.message, cases[i].says));
                }
                pod_unref(pod);
        }
        pod_unref(others[0]);
}

/* -- who goes for a critical pod --------------------------------------------------------------------------- */

/* One of the API service's. */
static struct pod *make_remote(const char *name, int priority, const char *spec) {
        struct pod *pod = make(name, spec);

        list_for_each (annotation, &pod->metadata.annotations)
                if (strcmp(annotation->key, "kubernetes.io/config.source") == 0)
                        annotation->value = "api";
        pod->spec.priority = (struct opt_int){ .set = true, .value = priority };
        return pod;
}

/* Of one that is not critical each is lacking by its name, huge pages too. */
static void test_what_is_lacking(void **state) {
        static const struct {
                const char *spec, *reason;
        } rows[] = {
                { ASKS("cpu: 5"), "OutOfcpu" },
                { ASKS("memory: 2Gi"), "OutOfmemory" },
                { ASKS("ephemeral-storage: 1001"), "OutOfephemeral-storage" },
                { "containers: [{name: c, image: i, resources: {requests: {cpu: 1m}, limits: {hugepages-3Mi: 3Mi}}}]",
                  "OutOfhugepages-3Mi" },
        };
        const struct node_facts facts = {
                .cpu_milli = 4000, .memory_bytes = 1 << 30, .disk_bytes = 1000, .arch = "amd64"
        };
        const struct admission_node node = { .name = "node", .facts = &facts };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct pod *pod = make_remote("asks", 0, rows[i].spec);
                struct rejection rejection;

                assert_false(admission_ask(&node, pod, &rejection));
                assert_string_equal(rejection.reason, rows[i].reason);
                assert_non_null(strstr(rejection.message, "Node didn't have enough resource: "));
                pod_unref(pod);
        }
}

#define HAS(request, limit)                                                                                            \
        "containers: [{name: c, image: i, resources: {requests: {cpu: " request "}, limits: {cpu: " limit "}}}]"
#define WHOLE(amount) "containers: [{name: c, image: i, resources: {limits: {cpu: " amount ", memory: 1Mi}}}]"

/* Of 4 CPUs and @places pods the others have all: best-effort, burstable, guaranteed, and one of the same priority. */
static const struct {
        const char *spec;
        int priority, places;
        const char *victims; /* "": it is refused */
} displacing[] = {
        { ASKS("cpu: 400m"), 2000000000, 9, "b" },    /* burstable before guaranteed; the nearest */
        { ASKS("cpu: 600m"), 2000000000, 9, "c" },    /* one that is enough before two */
        { ASKS("cpu: 1400m"), 2000000000, 9, "bc" },  /* all burstable, no guaranteed */
        { ASKS("cpu: 2000m"), 2000000000, 9, "cd" },  /* as few as can be: the guaranteed and the nearest */
        { ASKS("cpu: 3000m"), 2000000000, 9, "" },    /* more than they have: the critical one stays */
        { ASKS("cpu: 3000m"), 2000000001, 9, "bce" }, /* but it goes for one of higher priority */
        { ASKS("cpu: 400m"), 1999999999, 9, "" },     /* not critical */
        { ASKS("memory: 1Gi, cpu: 100m"), 2000000000, 9, "" },
        { ONE, 2000000000, 5, "a" }, /* a place: that which holds least */
        { "nodeName: x\n  nodeSelector: {kubernetes.io/arch: arm64}\n  " ASKS("cpu: 400m"), 2000000000, 9, "" },
};

static void test_who_goes(void **state) {
        const struct node_facts facts = {
                .cpu_milli = 4000, .memory_bytes = 1 << 29, .disk_bytes = 1000, .arch = "amd64"
        };
        struct pod *others[] = { make_remote("a", 0, ONE), make_remote("b", 0, HAS("500m", "1")),
                                 make_remote("c", 100, HAS("1", "2")), make_remote("d", 0, WHOLE("1")),
                                 make_remote("e", 2000000000, HAS("1500m", "2")) };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(displacing); i++) {
                const struct admission_node node = { .name = "node",
                                                     .facts = &facts,
                                                     .pods = (const struct pod *const *)others,
                                                     .n_pods = ELEMENTS(others),
                                                     .max_pods = displacing[i].places };
                struct pod *pod = make_remote("asks", displacing[i].priority, displacing[i].spec);
                bool goes[ELEMENTS(others)], any = admission_displace(&node, pod, goes);
                char names[ELEMENTS(others) + 1] = "";
                size_t n = 0;

                for (size_t k = 0; k < ELEMENTS(others); k++)
                        if (any && goes[k])
                                names[n++] = (char)('a' + k);
                if (strcmp(names, displacing[i].victims) != 0)
                        fail_msg("row %zu: \"%s\" go", i, names);
                pod_unref(pod);
        }
        for (size_t k = 0; k < ELEMENTS(others); k++)
                pod_unref(others[k]);
}

/* What a pod had before it was resized counts until that is done. */
static void test_what_is_held_while_it_shrinks(void **state) {
        const struct node_facts facts = {
                .cpu_milli = 4000, .memory_bytes = 1 << 29, .disk_bytes = 1000, .arch = "amd64"
        };
        struct pod *now[] = { make_remote("a", 0, ASKS("cpu: 1")) },
                   *before[] = { make_remote("a", 0, ASKS("cpu: 3")) };
        struct pod *pod = make_remote("asks", 0, ASKS("cpu: 2"));
        struct admission_node node = { .name = "node",
                                       .facts = &facts,
                                       .pods = (const struct pod *const *)now,
                                       .before = (const struct pod *const *)before,
                                       .n_pods = 1 };
        struct rejection rejection;

        (void)state;
        assert_false(admission_ask(&node, pod, &rejection));
        assert_string_equal(rejection.message,
                            "Node didn't have enough resource: cpu, requested: 2000, used: 3000, capacity: 4000");
        node.before = NULL;
        assert_true(admission_ask(&node, pod, &rejection));
        pod_unref(pod);
        pod_unref(now[0]);
        pod_unref(before[0]);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases), cmocka_unit_test(test_what_is_lacking),
                                            cmocka_unit_test(test_who_goes),
                                            cmocka_unit_test(test_what_is_held_while_it_shrinks) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
