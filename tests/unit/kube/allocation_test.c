/* What a pod asks for and what it was granted. */
#include "kube/pod/allocation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kube/pod/resources.h"
#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

static struct pod *make(const char *spec) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct pod_static_options how = { .file = "p", .node_name = "node" };
        struct problems problems;
        struct pod *pod = NULL;
        char text[2048];

        snprintf(text, sizeof(text), "apiVersion: v1\nkind: Pod\nmetadata: {name: p, uid: u}\nspec:\n  %s\n", spec);
        problems_init(&problems, arena, "p", NULL);
        assert_int_equal(pod_read_static(text, strlen(text), &how, &problems, &pod, NULL), 0);
        return pod;
}

#define OF(requests) "{name: c, image: i, resources: {requests: {" requests "}}}"
#define POD(requests) "containers: [" OF(requests) "]"
#define INIT(init, requests)                                                                                           \
        "initContainers: [{name: i, image: i, resources: {requests: {" init "}}}]\n  " POD(requests)
#define WHOLE(requests) "resources: {requests: {" requests "}}\n  containers: [{name: c, image: i}]"

static const struct {
        const char *allocated, *wanted;
        bool resized, grows;
} cases[] = {
        { POD("cpu: 1"), POD("cpu: 1000m"), false, false },
        { POD("cpu: 1, memory: 1Gi"), POD("cpu: 1, memory: 1024Mi"), false, false },
        { POD("cpu: 1"), POD("cpu: 1001m"), true, true },
        { POD("cpu: 1"), POD("cpu: 999m"), true, false },
        { POD("cpu: 1"), POD("cpu: 1, memory: 1"), true, true },
        { POD("cpu: 1, memory: 2Gi"), POD("cpu: 2, memory: 1Gi"), true, true },
        { INIT("cpu: 1", "cpu: 2"), INIT("cpu: 500m", "cpu: 2"), true, false },
        { INIT("cpu: 1", "cpu: 2"), INIT("cpu: 3", "cpu: 2"), true, true },
        { WHOLE("cpu: 1"), WHOLE("cpu: 1.0"), false, false },
        { WHOLE("cpu: 1"), WHOLE("cpu: 2"), true, true },
};

static void test_what_is_granted_stays(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct pod *allocated = make(cases[i].allocated), *wanted = make(cases[i].wanted), *both = NULL;

                if (pod_is_resized(wanted, allocated) != cases[i].resized ||
                    pod_grows(wanted, allocated) != cases[i].grows)
                        fail_msg("row %zu", i);
                assert_int_equal(pod_with_allocation(wanted, allocated, &both), 0);
                assert_true(cases[i].resized == (both != wanted));
                assert_false(pod_is_resized(both, allocated));
                assert_int_equal(quantity_compare(pod_request(both, "cpu"), pod_request(allocated, "cpu")), 0);
                pod_unref(both);
                pod_unref(allocated);
                pod_unref(wanted);
        }
}

static void test_a_summary(void **state) {
        struct pod *pod = make(INIT("cpu: 1", "cpu: 2, memory: 1Gi"));
        _cleanup_free_ char *text = pod_resize_summary(pod, 7, "it \"failed\"");

        (void)state;
        assert_string_equal(text,
                            "{\"initContainers\":[{\"name\":\"i\",\"resources\":{\"requests\":{\"cpu\":\"1\"}}}],"
                            "\"containers\":[{\"name\":\"c\",\"resources\":{\"requests\":{\"cpu\":\"2\",\"memory\":"
                            "\"1Gi\"}}}],\"generation\":7,\"error\":\"it \\\"failed\\\"\"}");
        pod_unref(pod);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_what_is_granted_stays),
                                            cmocka_unit_test(test_a_summary) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
