#include "agent/shutdown/settings.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "kube/pod/pod.h"
#include "lib/cleanup.h"
#include "lib/err.h"

static size_t group_of(const struct shutdown_settings *s, int64_t priority) {
        struct pod pod = { 0 };

        pod.spec.priority = (struct opt_int){ .set = true, .value = priority };
        return shutdown_group_of(s, &pod);
}

static void test_two_periods_are_two_groups(void **state) {
        struct shutdown_settings s = { .grace_ms = 30000, .critical_ms = 10000 };
        struct pod pod = { 0 };

        assert_int_equal(shutdown_settings_finish(&s, NULL), 0);
        assert_int_equal(s.n_groups, 2);
        assert_int_equal(s.groups[0].seconds, 20);
        assert_int_equal(s.groups[1].seconds, 10);
        assert_int_equal(shutdown_settings_total(&s), 30);
        assert_int_equal(shutdown_group_of(&s, &pod), 0);
        assert_int_equal(group_of(&s, 1999999999), 0);
        assert_int_equal(group_of(&s, 2000000000), 1);
        pod.spec.priority_class_name = "system-node-critical"; /* of a file, where nobody resolves it */
        assert_int_equal(shutdown_group_of(&s, &pod), 1);
        pod.spec.priority_class_name = "other";
        assert_int_equal(shutdown_group_of(&s, &pod), 0);
}

static void test_nothing_given_is_no_group(void **state) {
        struct shutdown_settings s = { 0 };

        assert_int_equal(shutdown_settings_finish(&s, NULL), 0);
        assert_int_equal(s.n_groups, 0);
}

/* The table of TestGroupByPriority in Kubernetes' nodeshutdown_manager_test.go, as facts. */
static void test_groups_by_priority(void **state) {
        struct shutdown_settings s = { .groups = { { 1000, 10 }, { 0, 20 }, { 100, 30 } }, .n_groups = 3 };

        assert_int_equal(shutdown_settings_finish(&s, NULL), 0);
        assert_int_equal(s.groups[0].priority, 0);
        assert_int_equal(s.groups[2].priority, 1000);
        assert_int_equal(group_of(&s, -2000), 0);
        assert_int_equal(group_of(&s, 0), 0);
        assert_int_equal(group_of(&s, 99), 0);
        assert_int_equal(group_of(&s, 100), 1);
        assert_int_equal(group_of(&s, 999), 1);
        assert_int_equal(group_of(&s, 1000), 2);
        assert_int_equal(group_of(&s, 2000000000), 2);
}

static void test_of_two_groups_of_a_priority_the_first_has_the_pods(void **state) {
        struct shutdown_settings s = { .groups = { { 5, 1 }, { 5, 2 }, { 1, 3 } }, .n_groups = 3 };

        assert_int_equal(shutdown_settings_finish(&s, NULL), 0);
        assert_int_equal(group_of(&s, 5), 1);
        assert_int_equal(group_of(&s, 4), 0);
}

static void test_the_shorter_period_counts(void **state) {
        const struct shutdown_group group = { 0, 20 };
        struct pod pod = { 0 };

        assert_int_equal(shutdown_grace(&group, &pod), 20);
        pod.spec.termination_grace_period_seconds = (struct opt_int){ .set = true, .value = 20 };
        assert_int_equal(shutdown_grace(&group, &pod), 20);
        pod.spec.termination_grace_period_seconds.value = 0;
        assert_int_equal(shutdown_grace(&group, &pod), 0);
        pod.spec.termination_grace_period_seconds.value = 21;
        assert_int_equal(shutdown_grace(&group, &pod), 20);
}

static void assert_refused(struct shutdown_settings s, const char *text) {
        _cleanup_err_ struct err *err = NULL;

        assert_int_equal(shutdown_settings_finish(&s, &err), -EINVAL);
        assert_non_null(strstr(err_text(err), text));
}

static void test_what_cannot_be(void **state) {
        assert_refused((struct shutdown_settings){ .grace_ms = 999 }, "999ms is too short");
        assert_refused((struct shutdown_settings){ .grace_ms = 5000, .critical_ms = 10 },
                       "CriticalPods: 10ms is too short");
        assert_refused((struct shutdown_settings){ .grace_ms = 5000, .critical_ms = 5001 },
                       "more than shutdownGracePeriod");
        assert_refused((struct shutdown_settings){ .grace_ms = 5000, .groups = { { 0, 1 } }, .n_groups = 1 }, "both");
        assert_refused((struct shutdown_settings){ .grace_ms = (SHUTDOWN_TOTAL_MAX_S + 1) * 1000LL },
                       "more than a host may");
        assert_int_equal(shutdown_settings_finish(
                                 &(struct shutdown_settings){ .grace_ms = SHUTDOWN_TOTAL_MAX_S * 1000LL }, NULL),
                         0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_two_periods_are_two_groups),
                cmocka_unit_test(test_nothing_given_is_no_group),
                cmocka_unit_test(test_groups_by_priority),
                cmocka_unit_test(test_of_two_groups_of_a_priority_the_first_has_the_pods),
                cmocka_unit_test(test_the_shorter_period_counts),
                cmocka_unit_test(test_what_cannot_be),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
