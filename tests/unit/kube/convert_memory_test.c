/* Whatever allocation fails, a conversion fails for want of memory, there and back. */
#include "kube/convert/convert.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/json.h"
#include "tests/unit/support/each_allocation.h"

#define NOTE "autoscaling.alpha.kubernetes.io/"

static const struct kube_kind old = { .group = "autoscaling", .version = "v1", .kind = "HorizontalPodAutoscaler" },
                              new = { .group = "autoscaling", .version = "v2", .kind = "HorizontalPodAutoscaler" };

static const char object[] =
        "{\"metadata\":{\"annotations\":{\"a\":\"b\",\"" NOTE
        "metrics\":\"[{\\\"type\\\":\\\"Object\\\",\\\"object\\\":{"
        "\\\"target\\\":{\\\"kind\\\":\\\"S\\\",\\\"name\\\":\\\"s\\\"},\\\"metricName\\\":\\\"m\\\","
        "\\\"targetValue\\\":"
        "\\\"3\\\"}}]\",\"" NOTE
        "behavior\":\"{\\\"ScaleUp\\\":{\\\"Policies\\\":[{\\\"Type\\\":\\\"Pods\\\"}]}}\",\"" NOTE
        "conditions\":\"[{\\\"type\\\":\\\"A\\\"}]\"}},\"spec\":{\"targetCPUUtilizationPercentage\":3},\"status\":{"
        "\"currentCPUUtilizationPercentage\":7}}";

static int convert(void) {
        struct arena *arena = arena_new();
        const struct value *tree, *up, *down;
        int r = arena ? json_parse(arena, object, sizeof(object) - 1, NULL, &tree, NULL) : -ENOMEM;

        r = r < 0 ? r : convert_tree(arena, &old, &new, tree, &up);
        r = r < 0 ? r : convert_tree(arena, &new, &old, up, &down);
        arena_free(arena);
        return r;
}

static void test_each_allocation(void **state) {
        assert_true(fail_each_allocation(convert) > 20);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_each_allocation) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
