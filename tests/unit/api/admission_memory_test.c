/* Whatever allocation fails, what admission decides fails for want of memory and leaves nothing behind. */
#include <stdio.h>

#include "api/admission/account_token.h"
#include "api/admission/limits.h"
#include "api/admission/quota_check.h"
#include "api/admission/toleration.h"
#include "api/quota/recount.h"
#include "lib/cleanup.h"
#include "tests/unit/api/security_case.h"
#include "tests/unit/support/each_allocation.h"

#define LINE_MAX_ ((size_t)32 * 1024)
#define EACH 12 /* of so many cases one is taken */

static char line[LINE_MAX_];

static int evaluate(void) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct pod_security_verdict verdict;
        const struct value *test;
        int r = arena ? json_parse(arena, line, strlen(line), NULL, &test, NULL) : -ENOMEM;

        return r ?: security_case_run(arena, test, &verdict);
}

static void test_pod_security(void **state) {
        _cleanup_fclose_ FILE *file = fopen("tests/unit/api/security_cases.jsonl", "re");
        int n = 0;

        assert_non_null(file);
        while (fgets(line, sizeof(line), file))
                if (n++ % EACH == 0)
                        assert_true(fail_each_allocation(evaluate) > 3);
        assert_true(n > 10 * EACH);
}

static int read_object(struct arena *arena, const struct kube_type *type, const char *text, void **ret_object) {
        *ret_object = arena_alloc(arena, type->size);
        return *ret_object ? kube_json_read(arena, type, text, strlen(text), NULL, *ret_object) : -ENOMEM;
}

static const char pod_text[] =
        "{\"spec\":{\"containers\":[{\"name\":\"a\",\"resources\":{\"requests\":{\"cpu\":\"3\",\"memory\":\"1Gi\"}},"
        "\"env\":[{\"name\":\"E\",\"valueFrom\":{\"secretKeyRef\":{\"name\":\"s\",\"key\":\"k\"}}}]},{\"name\":\"b\"}],"
        "\"initContainers\":[{\"name\":\"i\"}],\"tolerations\":[{\"key\":\"a\",\"operator\":\"Exists\"},{\"key\":\"b\"}"
        "]}}";
static const char range_text[] = "{\"spec\":{\"limits\":[{\"type\":\"Container\",\"default\":{\"cpu\":\"1\"},"
                                 "\"defaultRequest\":{\"memory\":\"1\"},"
                                 "\"min\":{\"cpu\":\"9\"},\"maxLimitRequestRatio\":{\"memory\":\"1\"}},{\"type\":"
                                 "\"Pod\",\"max\":{\"cpu\":\"1\"}}]}}";
static const char quota_text[] =
        "{\"metadata\":{\"name\":\"q\"},\"status\":{\"hard\":{\"requests.cpu\":\"4\",\"pods\":\"3\"},\"used\":{"
        "\"requests.cpu\":\"1\",\"pods\":\"0\"}}}";
static const char account_text[] =
        "{\"metadata\":{\"annotations\":{\"kubernetes.io/enforce-mountable-secrets\":\"true\"}},\"secrets\":[{\"name\":"
        "\"t\"}]}";

static int decide_limits(void) {
        _cleanup_arena_ struct arena *arena = arena_new();
        void *pod, *range;
        const char *text;
        int r = arena ? read_object(arena, &kube_pod_type, pod_text, &pod) : -ENOMEM;

        r = r ?: read_object(arena, &kube_limit_range_type, range_text, &range);
        r = r ?: limits_check_pod(arena, range, pod, &text);
        if (r == 0)
                assert_non_null(text);
        r = r ?: limits_give(arena, range, pod);
        return r < 0 ? r : 0;
}

static int decide_account(void) {
        _cleanup_arena_ struct arena *arena = arena_new();
        kube_toleration_items merged;
        void *object, *account;
        struct kube_pod *pod;
        const char *text;
        int r = arena ? read_object(arena, &kube_pod_type, pod_text, &object) : -ENOMEM;

        r = r ?: read_object(arena, &kube_service_account_type, account_text, &account);
        r = r ?: account_secrets_check(arena, account, object, false, &text);
        r = r ?: account_token_mount(arena, object, "kube-api-access-x");
        if (r < 0)
                return r;
        pod = object;
        return toleration_merge(arena, &pod->spec.tolerations, &pod->spec.tolerations, &merged);
}

static int decide_quota(void) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct quota_change change = { 0 };
        struct quota_state state = { 0 };
        const char *text;
        void *pod = NULL, *quota = NULL;
        int r = arena ? read_object(arena, &kube_pod_type, pod_text, &pod) : -ENOMEM;

        r = r ?: read_object(arena, &kube_resource_quota_type, quota_text, &quota);
        if (r < 0)
                return r;
        ((struct kube_pod *)pod)->spec.containers.count = 1;
        ((struct kube_pod *)pod)->spec.init_containers.count = 0;
        change.item = change.old = (struct quota_item){ quota_kind_of("", "pods"), "", "pods", pod };
        change.old.object = NULL;
        state.quota = quota;
        state.used = state.quota->status.used;
        r = charge_measure(arena, &change);
        r = r ?: charge_quotas(arena, &change, &state, 1, false, &text);
        if (r == 0)
                assert_null(text);
        r = r ?: charge_quotas(arena, &change, &state, 1, false, &text);
        if (r == 0)
                assert_non_null(text);
        return r;
}

static int count_anew(void) {
        static const char text[] = "{\"spec\":{\"hard\":{\"requests.cpu\":\"9\",\"pods\":\"9\"}},\"status\":{\"used\":{"
                                   "\"pods\":\"7\"}}}";
        _cleanup_arena_ struct arena *arena = arena_new();
        struct quota_item item = { quota_kind_of("", "pods"), "", "pods", NULL };
        struct quota_recount recount;
        void *pod = NULL, *quota = NULL;
        bool changed = false;
        int r = arena ? read_object(arena, &kube_pod_type, pod_text, &pod) : -ENOMEM;

        item.object = pod;
        r = r ?: read_object(arena, &kube_resource_quota_type, text, &quota);
        r = r ?: quota_recount_begin(&recount, arena, quota);
        if (r < 0)
                return r;
        assert_true(quota_recount_takes(&recount, &item));
        r = quota_recount_add(&recount, arena, &item);
        r = r ?: quota_recount_end(&recount, &changed);
        assert_int_equal(changed, r == 0);
        return r;
}

static void test_each_allocation(void **state) {
        assert_true(fail_each_allocation(decide_limits) > 3);
        assert_true(fail_each_allocation(decide_account) > 3);
        assert_true(fail_each_allocation(decide_quota) > 3);
        assert_true(fail_each_allocation(count_anew) > 3);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_pod_security),
                                            cmocka_unit_test(test_each_allocation) };

        return cmocka_run_group_tests_name("api/admission, memory", tests, NULL, NULL);
}
