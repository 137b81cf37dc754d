/* The Pod Security Standards. security_cases.jsonl has what k8s.io/pod-security-admission says of its own fixtures
 * (`make pod-security` asks it for all of them): each must be answered so. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "tests/unit/api/security_case.h"

#define CASES "tests/unit/api/security_cases.jsonl"

static void check_text(const char *line, const char *what, const struct value *theirs, const char *ours) {
        const char *text = value_string_or(theirs, "");

        if (strcmp(text, ours ?: "") != 0)
                fail_msg("%s\n%s there: %s\n%s here: %s", line, what, text, what, ours);
}

static void test_as_kubernetes(void **state) {
        _cleanup_free_ char *line = NULL;
        _cleanup_fclose_ FILE *file = fopen(CASES, "re");
        size_t size = 0;
        unsigned n = 0;

        assert_non_null(file);
        for (ssize_t length; (length = getline(&line, &size, file)) > 0; n++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                struct pod_security_verdict verdict;
                const struct value *test;

                assert_int_equal(json_parse(arena, line, (size_t)length, NULL, &test, NULL), 0);
                assert_int_equal(security_case_run(arena, test, &verdict), 0);
                check_text(line, "reasons", value_get(test, "reasons"), verdict.reasons);
                check_text(line, "details", value_get(test, "details"), verdict.details);
        }
        assert_true(n > 300);
}

static void test_versions(void **state) {
        static const struct {
                const char *level;
                int minor;
                bool passes;
        } rows[] = {
                { "privileged", 30, true }, { "baseline", 33, true },  { "baseline", 34, false },
                { "baseline", 999, false }, { "baseline", -1, false },
        };
        static const char pod[] = "{\"level\":\"%s\",\"minor\":%d,\"pod\":{\"spec\":{\"containers\":[{\"name\":\"c\","
                                  "\"livenessProbe\":{\"tcpSocket\":{\"port\":1,\"host\":\"h\"}}}]}}}";

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                const char *text = arena_printf(arena, pod, rows[i].level, rows[i].minor);
                struct pod_security_verdict verdict;
                const struct value *test;

                assert_int_equal(json_parse(arena, text, strlen(text), NULL, &test, NULL), 0);
                assert_int_equal(security_case_run(arena, test, &verdict), 0);
                assert_int_equal(!verdict.reasons, rows[i].passes);
        }
}

/* --- labels --- */

static const char *label_of(const void *data, const char *key) {
        return value_string(value_get(data, key + strlen(POD_SECURITY_LABELS)));
}

static void check_policy(const char *labels, const char *wanted, const char *problem) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct pod_security_policy policy;
        const struct value *tree;
        struct problems problems;
        const char *text;

        problems_init(&problems, arena, NULL, NULL);
        assert_int_equal(json_parse(arena, labels, strlen(labels), NULL, &tree, NULL), 0);
        pod_security_read(label_of, tree, &problems, &policy);
        text = arena_printf(arena, "%s %s %s", pod_security_name(arena, &policy.enforce),
                            pod_security_name(arena, &policy.audit), pod_security_name(arena, &policy.warn));
        assert_string_equal(text, wanted);
        assert_int_equal(problems.errors, problem ? 1 : 0);
        if (problem)
                assert_string_equal(problems.items[0].text, problem);
}

static void test_labels(void **state) {
        check_policy("{}", "privileged:latest privileged:latest privileged:latest", NULL);
        check_policy("{\"enforce\":\"baseline\",\"enforce-version\":\"v1.25\"}",
                     "baseline:v1.25 privileged:latest baseline:v1.25", NULL);
        check_policy("{\"enforce\":\"baseline\",\"warn-version\":\"v1.0\"}",
                     "baseline:latest privileged:latest baseline:v1.0", NULL);
        check_policy("{\"enforce\":\"restricted\",\"warn\":\"baseline\",\"audit\":\"restricted\"}",
                     "restricted:latest restricted:latest baseline:latest", NULL);
        check_policy("{\"enforce\":\"Baseline\"}", "restricted:latest privileged:latest privileged:latest",
                     "metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: \"Baseline\": must be one of "
                     "privileged, baseline, restricted");
        check_policy("{\"audit\":\"x\"}", "privileged:latest privileged:latest privileged:latest",
                     "metadata.labels[pod-security.kubernetes.io/audit]: Invalid value: \"x\": must be one of "
                     "privileged, baseline, restricted");
        check_policy("{\"warn-version\":\"v1.05\"}", "privileged:latest privileged:latest privileged:latest",
                     "metadata.labels[pod-security.kubernetes.io/warn-version]: Invalid value: \"v1.05\": must be "
                     "\"latest\" or \"v1.x\"");
        check_policy("{\"warn-version\":\"v1.\"}", "privileged:latest privileged:latest privileged:latest",
                     "metadata.labels[pod-security.kubernetes.io/warn-version]: Invalid value: \"v1.\": must be "
                     "\"latest\" or \"v1.x\"");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_as_kubernetes),
                cmocka_unit_test(test_versions),
                cmocka_unit_test(test_labels),
        };

        return cmocka_run_group_tests_name("api/pod_security", tests, NULL, NULL);
}
