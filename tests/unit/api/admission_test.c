/* What plugins of admission decide, without a server: which they are and what they look at, limits, accounts,
 * tolerations, quotas. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "api/admission/account_token.h"
#include "api/admission/admission.h"
#include "api/admission/limits.h"
#include "api/admission/plugin.h"
#include "api/admission/quota_check.h"
#include "api/admission/toleration.h"
#include "api/rest/put.h"
#include "kube/codec/codec.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/err.h"

static struct arena *arena;

static int set_up(void **state) {
        arena = arena_new();
        return arena ? 0 : -1;
}

static int tear_down(void **state) {
        arena = arena_free(arena);
        return 0;
}

static void *read_as(const struct kube_type *type, const char *text) {
        void *object = arena_alloc(arena, type->size);
        bool odd = false;

        assert_int_equal(kube_json_read(arena, type, text, strlen(text), &odd, object), 0);
        assert_false(odd);
        return object;
}

#define READ(type, text) ((struct type *)read_as(&type##_type, (text)))

/* --- the table --- */

static void test_coverage(void **state) {
        static const char list[] = "pods pods/resize ingresses.networking.k8s.io certificates.x/approval";

        assert_true(admission_covers(NULL, "any", "thing", "at all"));
        assert_true(admission_covers(list, "", "pods", NULL));
        assert_true(admission_covers(list, "", "pods", "resize"));
        assert_true(admission_covers(list, "networking.k8s.io", "ingresses", NULL));
        assert_true(admission_covers(list, "x", "certificates", "approval"));
        assert_false(admission_covers(list, "x", "certificates", NULL));
        assert_false(admission_covers(list, "", "pods", "status"));
        assert_false(admission_covers(list, "", "pod", NULL));
        assert_false(admission_covers(list, "", "ingresses", NULL));
        assert_false(admission_covers(list, "networking.k8s", "ingresses", NULL));
        assert_false(admission_covers(list, "networking.k8s.io", "ingresses", "status"));
        assert_false(admission_covers("", "", "pods", NULL));
}

static unsigned place_of(const char *name) {
        for (unsigned i = 0; i < admission_plugins_count; i++)
                if (strcmp(admission_plugins[i].name, name) == 0)
                        return i;
        fail_msg("there is no %s", name);
        return 0;
}

static uint64_t choose(const char *enable, const char *disable) {
        const struct api_admission_config config = { .enable = enable, .disable = disable };
        uint64_t on = 0;

        assert_int_equal(admission_choose(&config, &on, NULL), 0);
        return on;
}

static void check_bad_choice(const char *enable, const char *disable, const char *words) {
        const struct api_admission_config config = { .enable = enable, .disable = disable };
        _cleanup_err_ struct err *err = NULL;
        uint64_t on;

        assert_int_equal(admission_choose(&config, &on, &err), -EINVAL);
        assert_non_null(strstr(err_text(err), words));
}

static void test_choice(void **state) {
        uint64_t usual = choose(NULL, NULL);

        assert_true(usual >> place_of("ResourceQuota") & 1);
        assert_false(usual >> place_of("DenyServiceExternalIPs") & 1);
        assert_int_equal(choose("NodeRestriction", NULL), usual);
        assert_true(choose("PodSecurity,DenyServiceExternalIPs", NULL) >> place_of("DenyServiceExternalIPs") & 1);
        assert_false(choose(NULL, "ResourceQuota,Priority") >> place_of("Priority") & 1);
        assert_int_equal(choose(NULL, "MutatingAdmissionWebhook,EventRateLimit"), usual);
        check_bad_choice("PodSecurty", NULL, "there is no plugin PodSecurty; did you mean PodSecurity?");
        check_bad_choice(NULL, ",", "there is no plugin");
        check_bad_choice("EventRateLimit", NULL, "EventRateLimit is not supported yet");
        check_bad_choice("Priority", "Priority", "name the same plugin");
}

/* --- limits --- */

#define RANGE                                                                                                          \
        "{\"spec\":{\"limits\":[{\"type\":\"Container\",\"default\":{\"cpu\":\"1\",\"memory\":\"1Gi\"},"               \
        "\"defaultRequest\":{\"cpu\":\"500m\"},\"max\":{\"cpu\":\"2\"}}]}}"

static void test_given_limits(void **state) {
        const struct kube_limit_range *range = READ(kube_limit_range, RANGE);
        struct kube_pod *pod =
                READ(kube_pod, "{\"spec\":{\"containers\":[{\"name\":\"a\"},{\"name\":\"b\",\"resources\""
                               ":{\"requests\":{\"cpu\":\"7\"}}}],\"initContainers\":[{\"name\":\"i\"}]}}");

        assert_int_equal(limits_give(arena, range, pod), 1);
        assert_string_equal(string_map_get(&pod->metadata.annotations, "kubernetes.io/limit-ranger"),
                            "LimitRanger plugin set: cpu request for container a; cpu, memory limit for container a; "
                            "cpu, memory limit for container b; cpu request for init container i; "
                            "cpu, memory limit for init container i");
        assert_int_equal(quantity_milli(*resource_get(&pod->spec.containers.items[0].resources.requests, "cpu")), 500);
        assert_int_equal(limits_give(arena, range, pod), 0);
}

/* At each maximum, and one past it. */
static void test_limits_of_limits(void **state) {
        struct resource_amount *amounts = arena_alloc_array(arena, LIMITS_AMOUNTS_MAX + 1, sizeof(*amounts));
        struct kube_limit_range_item item = { .type = "Container" };
        struct kube_limit_range range = { .spec.limits = { &item, 1 } };
        struct kube_container *containers = arena_alloc_array(arena, LIMITS_GIVEN_MAX + 1, sizeof(*containers));
        struct kube_pod pod = { .spec.containers = { containers, 1 } };
        const char *text;

        for (unsigned i = 0; i <= LIMITS_AMOUNTS_MAX; i++)
                amounts[i] = (struct resource_amount){ arena_printf(arena, "example.com/%04u", i), { 1, 0, 0 } };
        item.max = (resource_list){ amounts, LIMITS_AMOUNTS_MAX };
        assert_int_equal(limits_check_pod(arena, &range, &pod, &text), 0);
        assert_int_equal(limits_give(arena, &range, &pod), 0);
        item.max.count++;
        assert_int_equal(limits_check_pod(arena, &range, &pod, &text), -E2BIG);
        assert_int_equal(limits_give(arena, &range, &pod), -E2BIG);
        item.max.count = 0;
        item.default_ = (resource_list){ amounts, 1 };
        pod.spec.containers.count = LIMITS_GIVEN_MAX;
        assert_int_equal(limits_give(arena, &range, &pod), 1);
        pod.spec.containers.count++;
        assert_int_equal(limits_give(arena, &range, &pod), -E2BIG);
}

static const char *check_limits(const char *range, const char *pod) {
        const char *text = NULL;

        assert_int_equal(limits_check_pod(arena, READ(kube_limit_range, range), READ(kube_pod, pod), &text), 0);
        return text ?: "";
}

#define ONE(resources) "{\"spec\":{\"containers\":[{\"name\":\"a\",\"resources\":" resources "}]}}"

static void test_wanted_limits(void **state) {
        static const char pods[] = "{\"spec\":{\"limits\":[{\"type\":\"Pod\",\"min\":{\"cpu\":\"1\"},"
                                   "\"maxLimitRequestRatio\":{\"memory\":\"1500m\"}}]}}";

        assert_string_equal(check_limits(RANGE, ONE("{\"limits\":{\"cpu\":\"2\"}}")), "");
        assert_string_equal(check_limits(RANGE, ONE("{\"limits\":{\"cpu\":\"2001m\"}}")),
                            "maximum cpu usage per Container is 2, but limit is 2001m");
        assert_string_equal(check_limits(RANGE, ONE("{}")),
                            "maximum cpu usage per Container is 2.  No limit is specified");
        assert_string_equal(check_limits(pods, ONE("{\"requests\":{\"cpu\":\"1\",\"memory\":\"2Gi\"},\"limits\":"
                                                   "{\"memory\":\"3Gi\"}}")),
                            "");
        assert_string_equal(check_limits(pods, ONE("{\"requests\":{\"cpu\":\"999m\",\"memory\":\"1Gi\"},\"limits\":"
                                                   "{\"memory\":\"2Gi\"}}")),
                            "[minimum cpu usage per Pod is 1, but request is 999m, memory max limit to request ratio "
                            "per Pod is 1500m, but provided ratio is 2.000000]");
}

/* --- accounts --- */

static void test_token_volume(void **state) {
        struct kube_pod *pod = READ(kube_pod, "{\"spec\":{\"containers\":[{\"name\":\"a\"}]}}"),
                        *own = READ(kube_pod, "{\"spec\":{\"containers\":[{\"name\":\"a\",\"volumeMounts\":[{\"name\":"
                                              "\"v\",\"mountPath\":\"" ACCOUNT_TOKEN_PATH "\"}]}]}}"),
                        *there = READ(kube_pod, "{\"spec\":{\"volumes\":[{\"name\":\"kube-api-access-z\"}],"
                                                "\"containers\":[{\"name\":\"a\"}]}}");

        assert_int_equal(account_token_mount(arena, pod, "kube-api-access-x"), 0);
        assert_string_equal(
                strstr(api_put_text(arena, &kube_pod_type, pod), "{\"volumes\""),
                "{\"volumes\":[{\"name\":\"kube-api-access-x\",\"projected\":{\"sources\":[{\"serviceAccountToken\":{"
                "\"expirationSeconds\":3607,\"path\":\"token\"}},{\"configMap\":{\"name\":\"kube-root-ca.crt\","
                "\"items\":[{\"key\":\"ca.crt\",\"path\":\"ca.crt\"}]}},{\"downwardAPI\":{\"items\":[{\"path\":"
                "\"namespace\",\"fieldRef\":{\"apiVersion\":\"v1\",\"fieldPath\":\"metadata.namespace\"}}]}}],"
                "\"defaultMode\":420}}],\"containers\":[{\"name\":\"a\",\"resources\":{},\"volumeMounts\":[{\"name\":"
                "\"kube-api-access-x\",\"readOnly\":true,\"mountPath\":\"" ACCOUNT_TOKEN_PATH "\"}]}]},\"status\":{}}");
        assert_int_equal(account_token_mount(arena, own, "kube-api-access-x"), 0);
        assert_int_equal(own->spec.volumes.count, 0);
        assert_int_equal(account_token_mount(arena, there, "kube-api-access-x"), 0);
        assert_int_equal(there->spec.volumes.count, 1);
        assert_string_equal(there->spec.containers.items[0].volume_mounts.items[0].name, "kube-api-access-z");
}

/* --- tolerations --- */

static const char *merge(const char *first, const char *second) {
        const struct kube_pod_spec *a = READ(kube_pod_spec, first), *b = READ(kube_pod_spec, second);
        struct kube_pod_spec merged = { 0 };

        assert_int_equal(toleration_merge(arena, &a->tolerations, &b->tolerations, &merged.tolerations), 0);
        return api_put_text(arena, &kube_pod_spec_type, &merged);
}

static void test_merged_tolerations(void **state) {
        static const char
                all[] = "{\"containers\":null,\"tolerations\":[{\"operator\":\"Exists\"}]}",
                one[] = "{\"containers\":null,\"tolerations\":[{\"key\":\"a\",\"operator\":\"Equal\",\"value\":"
                        "\"b\",\"effect\":\"NoExecute\",\"tolerationSeconds\":5}]}",
                longer[] = "{\"containers\":null,\"tolerations\":[{\"key\":\"a\",\"operator\":\"Exists\","
                           "\"effect\":\"NoExecute\",\"tolerationSeconds\":9}]}";

        assert_string_equal(merge(one, all), all);
        assert_string_equal(merge(all, one), all);
        assert_string_equal(merge(one, one), one);
        assert_string_equal(merge(one, longer), longer);
        assert_string_equal(merge(longer, one), longer);
}

/* --- quotas --- */

static struct quota_change change_of(const char *resource, const struct kube_type *type, const char *now,
                                     const char *before) {
        struct quota_item item = { quota_kind_of("", resource), "", resource, read_as(type, now) };
        struct quota_change change = { .item = item, .old = item };

        change.old.object = before ? read_as(type, before) : NULL;
        assert_int_equal(charge_measure(arena, &change), 0);
        return change;
}

static const char *charge(const struct quota_change *change, struct quota_state *states, size_t n) {
        const char *text = NULL;

        assert_int_equal(charge_quotas(arena, change, states, n, false, &text), 0);
        return text ?: "";
}

static struct quota_state state_of(const char *text) {
        const struct kube_resource_quota *quota = READ(kube_resource_quota, text);

        return (struct quota_state){ .quota = quota, .used = quota->status.used };
}

static int64_t used(const struct quota_state *state, const char *name) {
        const struct quantity *amount = resource_get(&state->used, name);

        return amount ? quantity_milli(*amount) : -1;
}

#define POD(cpu, more)                                                                                                 \
        "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[{\"name\":\"a\",\"resources\":{\"requests\":{"       \
        "\"cpu\":\"" cpu "\",\"example.com/gpu\":\"1\"}}}]" more "}}"

static void test_charges(void **state) {
        struct quota_state states[] = {
                state_of("{\"metadata\":{\"name\":\"a\"},\"status\":{\"hard\":{\"requests.cpu\":\"2\",\"pods\":\"9\","
                         "\"requests.example.com/gpu\":\"2\"},\"used\":{\"requests.cpu\":\"0\",\"pods\":\"0\","
                         "\"requests.example.com/gpu\":\"0\"}}}"),
                state_of("{\"metadata\":{\"name\":\"ends\"},\"spec\":{\"scopes\":[\"Terminating\"]},\"status\":{"
                         "\"hard\":"
                         "{\"pods\":\"1\"},\"used\":{\"pods\":\"0\"}}}"),
        };
        struct quota_change one = change_of("pods", &kube_pod_type, POD("1500m", ""), NULL),
                            ends = change_of("pods", &kube_pod_type, POD("1m", ",\"activeDeadlineSeconds\":3"), NULL);

        assert_string_equal(charge(&one, states, 2), "");
        assert_int_equal(used(&states[0], "requests.cpu"), 1500);
        assert_int_equal(used(&states[0], "requests.example.com/gpu"), 1000);
        assert_int_equal(used(&states[1], "pods"), 0);
        assert_false(states[1].changed);
        assert_string_equal(charge(&one, states, 2),
                            "exceeded quota: a, requested: requests.cpu=1500m, used: requests.cpu=1500m, limited: "
                            "requests.cpu=2");
        assert_string_equal(charge(&ends, states, 2), "");
        assert_int_equal(used(&states[1], "pods"), 1000);
        /* All or nothing. */
        assert_string_equal(charge(&ends, states, 2),
                            "exceeded quota: a, requested: requests.example.com/gpu=1, used: "
                            "requests.example.com/gpu=2, limited: requests.example.com/gpu=2");
        assert_string_equal(charge(&ends, states + 1, 1), "exceeded quota: ends, requested: pods=1, used: pods=1, "
                                                          "limited: pods=1");
        assert_int_equal(used(&states[0], "pods"), 2000);
}

static void test_updates(void **state) {
        struct quota_state quota =
                state_of("{\"metadata\":{\"name\":\"q\"},\"status\":{\"hard\":{\"services.nodeports\":"
                         "\"3\"},\"used\":{\"services.nodeports\":\"2\"}}}");
        static const char
                two[] = "{\"spec\":{\"type\":\"NodePort\",\"ports\":[{\"port\":1},{\"port\":2}]}}",
                three[] = "{\"spec\":{\"type\":\"NodePort\",\"ports\":[{\"port\":1},{\"port\":2},{\"port\":3}]}}",
                none[] = "{\"spec\":{\"type\":\"ClusterIP\",\"ports\":[{\"port\":1}]}}";
        struct quota_change more = change_of("services", &kube_service_type, three, two),
                            less = change_of("services", &kube_service_type, none, two);

        assert_string_equal(charge(&less, &quota, 1), "");
        assert_int_equal(used(&quota, "services.nodeports"), 2000);
        assert_string_equal(charge(&more, &quota, 1), "");
        assert_int_equal(used(&quota, "services.nodeports"), 3000);
        assert_string_equal(charge(&more, &quota, 1), "exceeded quota: q, requested: services.nodeports=1, used: "
                                                      "services.nodeports=3, limited: services.nodeports=3");
}

static void test_what_a_quota_needs(void **state) {
        struct quota_state quota = state_of(
                                   "{\"metadata\":{\"name\":\"q\"},\"status\":{\"hard\":{\"limits.cpu\":\"3\"},"
                                   "\"used\":{\"limits.cpu\":\"0\"}}}"),
                           unknown = state_of("{\"metadata\":{\"name\":\"u\"},\"status\":{\"hard\":{\"pods\":\"3\"}}}");
        struct quota_change pod = change_of("pods", &kube_pod_type, POD("1", ""), NULL);

        assert_string_equal(charge(&pod, &quota, 1), "failed quota: q: must specify limits.cpu for: a");
        assert_string_equal(charge(&pod, &unknown, 1), "status unknown for quota: u, resources: pods");
}

static void test_bounds(void **state) {
        struct kube_container container = { .name = "c" };
        struct kube_pod pod = { 0 };
        struct quota_change change = { .item = { quota_kind_of("", "pods"), "", "pods", &pod } };
        struct resource_amount *amounts = arena_alloc_array(arena, 1025, sizeof(*amounts));

        for (unsigned i = 0; i < 1025; i++)
                amounts[i] = (struct resource_amount){ arena_printf(arena, "example.com/%04u", i), { 1, 0, 0 } };
        pod.spec.containers.items = &container;
        pod.spec.containers.count = 1;
        container.resources.requests = (resource_list){ amounts, 1024 };
        assert_int_equal(charge_measure(arena, &change), 0);
        container.resources.requests.count++;
        assert_int_equal(charge_measure(arena, &change), -E2BIG);
        assert_null(quota_kind_of("", "events"));
        assert_null(quota_kind_of("events.k8s.io", "events"));
        assert_non_null(quota_kind_of("example.com", "events"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_coverage),
                cmocka_unit_test(test_choice),
                cmocka_unit_test(test_given_limits),
                cmocka_unit_test(test_limits_of_limits),
                cmocka_unit_test(test_wanted_limits),
                cmocka_unit_test(test_token_volume),
                cmocka_unit_test(test_merged_tolerations),
                cmocka_unit_test(test_charges),
                cmocka_unit_test(test_updates),
                cmocka_unit_test(test_what_a_quota_needs),
                cmocka_unit_test(test_bounds),
        };

        return cmocka_run_group_tests_name("api/admission", tests, set_up, tear_down);
}
