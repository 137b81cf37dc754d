/* Metrics as Prometheus reads them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/metrics.h"

static const struct metrics_buckets buckets = { (const double[]){ 0.005, 0.125, 1, 10 }, 4 };

static char *write_all(bool open) {
        struct metrics_histogram h = { 0 }, sum = { 0 };
        size_t length;
        char *text = NULL;
        struct metrics_writer w = { .out = open_memstream(&text, &length), .open = open };

        metrics_family(&w, "a_total", METRICS_COUNTER, "Back\\slash \"and\"\nline.");
        metrics_sample(&w, (const struct metrics_label[]){ { "x", "q\"b\\n\n" }, { "y", "" } }, 2, 3);
        metrics_one(&w, "b", METRICS_COUNTER, "No total.", 0.1);
        metrics_observe(&h, &buckets, 0.125); /* an end belongs to its bucket */
        metrics_observe(&h, &buckets, 1.5);
        metrics_observe(&h, &buckets, 11);
        metrics_add(&sum, &h);
        metrics_family(&w, "c", METRICS_HISTOGRAM, "H.");
        metrics_sample_histogram(&w, NULL, 0, &buckets, &sum);
        metrics_one(&w, "d", METRICS_GAUGE, "G.", 1e20);
        metrics_one(&w, "e", METRICS_GAUGE, "No end.", INFINITY);
        metrics_one(&w, "f", METRICS_GAUGE, "No beginning.", -INFINITY);
        metrics_end(&w);
        assert_int_equal(fclose(w.out), 0);
        return text;
}

static void test_text(void **state) {
        char *text = write_all(false);

        assert_string_equal(text, "# HELP a_total Back\\\\slash \"and\"\\nline.\n# TYPE a_total counter\n"
                                  "a_total{x=\"q\\\"b\\\\n\\n\",y=\"\"} 3\n"
                                  "# HELP b No total.\n# TYPE b counter\nb 0.1\n"
                                  "# HELP c H.\n# TYPE c histogram\n"
                                  "c_bucket{le=\"0.005\"} 0\nc_bucket{le=\"0.125\"} 1\nc_bucket{le=\"1\"} 1\n"
                                  "c_bucket{le=\"10\"} 2\nc_bucket{le=\"+Inf\"} 3\nc_sum 12.625\nc_count 3\n"
                                  "# HELP d G.\n# TYPE d gauge\nd 1e+20\n"
                                  "# HELP e No end.\n# TYPE e gauge\ne +Inf\n"
                                  "# HELP f No beginning.\n# TYPE f gauge\nf -Inf\n");
        free(text);
}

static void test_open(void **state) {
        char *text = write_all(true);

        assert_string_equal(text, "# HELP a Back\\\\slash \\\"and\\\"\\nline.\n# TYPE a counter\n"
                                  "a_total{x=\"q\\\"b\\\\n\\n\",y=\"\"} 3\n"
                                  "# HELP b No total.\n# TYPE b counter\nb_total 0.1\n"
                                  "# HELP c H.\n# TYPE c histogram\n"
                                  "c_bucket{le=\"0.005\"} 0\nc_bucket{le=\"0.125\"} 1\nc_bucket{le=\"1.0\"} 1\n"
                                  "c_bucket{le=\"10.0\"} 2\nc_bucket{le=\"+Inf\"} 3\nc_sum 12.625\nc_count 3\n"
                                  "# HELP d G.\n# TYPE d gauge\nd 1e+20\n"
                                  "# HELP e No end.\n# TYPE e gauge\ne +Inf\n"
                                  "# HELP f No beginning.\n# TYPE f gauge\nf -Inf\n# EOF\n");
        free(text);
}

static void test_which_is_asked_for(void **state) {
        assert_false(metrics_wants_open(NULL));
        assert_false(metrics_wants_open("text/plain;version=0.0.4;q=1,*/*;q=0.1"));
        assert_true(metrics_wants_open("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"));
        assert_string_equal(metrics_content_type(false), "text/plain; version=0.0.4; charset=utf-8");
}

static void test_counts(void **state) {
        uint64_t n = 0;

        metrics_count(&n, 5);
        metrics_count(&n, -2);
        assert_int_equal(metrics_read(&n), 3);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_text),
                cmocka_unit_test(test_open),
                cmocka_unit_test(test_which_is_asked_for),
                cmocka_unit_test(test_counts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
