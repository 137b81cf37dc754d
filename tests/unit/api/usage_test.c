/* What kubelets say that nodes and containers use, and what follows from two such answers. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/usage/parse.h"
#include "api/usage/points.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#define NOW INT64_C(1796000000000)

static struct usage_points *read_text(const char *text, int64_t now, const struct usage_points *before) {
        _cleanup_free_ char *copy = strdup(text);
        _cleanup_err_ struct err *err = NULL;
        struct usage_points *points = NULL;
        int r = usage_points_read(copy, strlen(copy), now, before, &points, &err);

        if (r < 0)
                fail_msg("%s: %s", text, err ? err_text(err) : strerror(-r));
        return points;
}

static void refuses(const char *text, size_t size) {
        _cleanup_free_ char *copy = calloc(size + 1, 1);
        _cleanup_err_ struct err *err = NULL;
        struct usage_points *points;

        memcpy(copy, text, size);
        assert_int_equal(usage_points_read(copy, size, NOW, NULL, &points, &err), -EINVAL);
        assert_non_null(err);
}

static int64_t rate(const struct usage_point *point) {
        int64_t nano = -1;

        return usage_point_rate(point, &nano) ? nano : -1;
}

static const char first[] =
        "# HELP node_cpu_usage_seconds_total [STABLE] Cumulative cpu time\n"
        "# TYPE node_cpu_usage_seconds_total counter\n"
        "node_cpu_usage_seconds_total 100.5 1796000000000\n"
        "node_memory_working_set_bytes 1.048576e+06 1796000000000\n"
        "container_cpu_usage_seconds_total{container=\"b\",namespace=\"n\",pod=\"p\"} 1 1796000000000\n"
        "container_cpu_usage_seconds_total{pod=\"p\",namespace=\"n\",container=\"a\"} 2\n"
        "container_memory_working_set_bytes{container=\"a\",namespace=\"n\",pod=\"p\",} 10\n"
        "container_memory_working_set_bytes{container=\"b\",namespace=\"n\",pod=\"p\"} 20 1796000000000\n"
        "container_memory_working_set_bytes{container=\"half\",namespace=\"n\",pod=\"p\"} 20\n"
        "pod_cpu_usage_seconds_total{namespace=\"n\",pod=\"p\"} 3 1796000000000\n"
        "scrape_error 0\n";

static void two_answers_are_a_rate(void **state) {
        static const char second[] =
                "node_cpu_usage_seconds_total 130.5 1796000015000\r\nnode_memory_working_set_bytes 7 1796000015000\n"
                "container_cpu_usage_seconds_total{container=\"a\",namespace=\"n\",pod=\"p\"} 3.5\n"
                "container_memory_working_set_bytes{container=\"a\",namespace=\"n\",pod=\"p\"} 11\n";
        struct usage_points *one = read_text(first, NOW, NULL), *two, *again;
        size_t n;

        assert_int_equal(one->n, 2);
        assert_int_equal(rate(&one->node), -1);
        assert_int_equal(rate(&one->all[0]), -1);
        assert_ptr_equal(usage_points_find(one, "n", "p", &n), one->all);
        assert_int_equal(n, 2);
        assert_string_equal(one->all[0].container, "a");
        assert_null(usage_points_find(one, "n", "q", &n));
        two = read_text(second, NOW + 15000, one);
        assert_int_equal(rate(&two->node), 2000000000);
        assert_int_equal(rate(&two->all[0]), 100000000);
        assert_int_equal(two->node.memory, 7);
        /* The same again says the same: its kubelet has measured nothing since. */
        again = read_text(
                "node_cpu_usage_seconds_total 130.5 1796000015000\nnode_memory_working_set_bytes 7 1796000015000",
                NOW + 16000, two);
        assert_int_equal(rate(&again->node), 2000000000);
        usage_points_free(one);
        usage_points_free(two);
        usage_points_free(again);
}

static void containers_that_begin_anew(void **state) {
        static const char format[] = "container_cpu_usage_seconds_total{container=\"c\",namespace=\"n\",pod=\"p\"} %s\n"
                                     "container_memory_working_set_bytes{container=\"c\",namespace=\"n\",pod=\"p\"} 1\n"
                                     "container_start_time_seconds{container=\"c\",namespace=\"n\",pod=\"p\"} %s\n";
        struct usage_points *one, *two;
        char text[512];

        /* 12 s old: since its start. */
        snprintf(text, sizeof(text), format, "6", "1.795999988e9");
        one = read_text(text, NOW, NULL);
        assert_int_equal(rate(&one->all[0]), 500000000);
        /* Started between the two: nothing is known yet. */
        snprintf(text, sizeof(text), format, "1", "1.796000005e9");
        two = read_text(text, NOW + 9000, one);
        assert_int_equal(rate(&two->all[0]), -1);
        usage_points_free(one);
        /* It has used less than before. */
        snprintf(text, sizeof(text), format, "0.5", "1.796000005e9");
        one = read_text(text, NOW + 30000, two);
        assert_int_equal(rate(&one->all[0]), -1);
        usage_points_free(one);
        usage_points_free(two);
}

static void texts_are_unescaped(void **state) {
        struct usage_points *points = read_text(
                "container_cpu_usage_seconds_total { container = \"a\\\\n\\\"b\\nc\" , namespace=\"n\",pod=\"p\", "
                "x=\"}\"} 1\n"
                "container_memory_working_set_bytes{container=\"a\\\\n\\\"b\\nc\",namespace=\"n\",pod=\"p\"} 1\n",
                NOW, NULL);

        assert_int_equal(points->n, 1);
        assert_string_equal(points->all[0].container, "a\\n\"b\nc");
        usage_points_free(points);
}

static void what_is_no_number_counts_for_nothing(void **state) {
        struct usage_points *points = read_text("node_cpu_usage_seconds_total NaN\nnode_memory_working_set_bytes -1\n"
                                                "node_cpu_usage_seconds_total +Inf 5\n\n  \n",
                                                NOW, NULL);

        assert_false(points->node.has_cpu || points->node.has_memory);
        usage_points_free(points);
}

static void what_is_no_sample_is_refused(void **state) {
        static const char *const lines[] = {
                "node_cpu_usage_seconds_total",
                "node_cpu_usage_seconds_total ",
                "node_cpu_usage_seconds_total one",
                "node_cpu_usage_seconds_total 0x10",
                "node_cpu_usage_seconds_total 1 now",
                "node_cpu_usage_seconds_total 1 2 3",
                "node_cpu_usage_seconds_total{a=\"b\" 1",
                "node_cpu_usage_seconds_total{a} 1",
                "node_cpu_usage_seconds_total{=\"b\"} 1",
                "node_cpu_usage_seconds_total{a=b} 1",
                "node_cpu_usage_seconds_total{a=\"b} 1",
                "node_cpu_usage_seconds_total{a=\"b\\",
                "node_cpu_usage_seconds_total{a=\"b\"c=\"d\"} 1",
                "container_cpu_usage_seconds_total 1",
                "container_cpu_usage_seconds_total{container=\"c\",pod=\"p\"} 1",
        };

        for (size_t i = 0; i < ELEMENTS(lines); i++)
                refuses(lines[i], strlen(lines[i]));
        refuses("scrape_error 0\0node", 19);
}

static void only_so_many(void **state) {
        static const char line[] = "container_cpu_usage_seconds_total{container=\"%zu\",namespace=\"n\",pod=\"p\"} 1\n";

        for (size_t n = USAGE_SAMPLES_MAX; n <= USAGE_SAMPLES_MAX + 1; n++) {
                _cleanup_free_ char *text = malloc(n * sizeof(line) + n * 8);
                struct usage_points *points;
                size_t length = 0;

                for (size_t i = 0; i < n; i++)
                        length += (size_t)sprintf(text + length, line, i);
                if (n > USAGE_SAMPLES_MAX) {
                        assert_int_equal(usage_points_read(text, length, NOW, NULL, &points, NULL), -E2BIG);
                        continue;
                }
                assert_int_equal(usage_points_read(text, length, NOW, NULL, &points, NULL), 0);
                usage_points_free(points);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(two_answers_are_a_rate),       cmocka_unit_test(containers_that_begin_anew),
                cmocka_unit_test(texts_are_unescaped),          cmocka_unit_test(what_is_no_number_counts_for_nothing),
                cmocka_unit_test(what_is_no_sample_is_refused), cmocka_unit_test(only_so_many),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
