/* Versions of a kind: what goes there comes back. The texts are kube-apiserver's, of
 * tests/differential/corpus/versions.txt. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kube/convert/convert.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/value.h"

#define PREFIX "autoscaling.alpha.kubernetes.io/"

static const struct kube_kind old = { .group = "autoscaling", .version = "v1", .kind = "HorizontalPodAutoscaler" },
                              new = { .group = "autoscaling", .version = "v2", .kind = "HorizontalPodAutoscaler" },
                              event = { .group = "", .version = "v1", .kind = "Event" },
                              new_event = { .group = "events.k8s.io", .version = "v1", .kind = "Event" };

static struct arena *arena;

static int set_up(void **state) {
        arena = arena_new();
        return arena ? 0 : -1;
}

static int tear_down(void **state) {
        arena_free(arena);
        return 0;
}

static const struct value *parse(const char *json) {
        const struct value *tree;

        assert_int_equal(json_parse(arena, json, strlen(json), NULL, &tree, NULL), 0);
        return tree;
}

static const struct value *convert(const struct kube_kind *from, const struct kube_kind *to, const struct value *tree) {
        const struct value *made = NULL;

        assert_int_equal(convert_tree(arena, from, to, tree, &made), 0);
        return made;
}

static const char *note_of(const struct value *tree, const char *name) {
        return value_string_or(value_get(value_find(tree, "metadata.annotations"), name), "");
}

static const char full[] =
        "{\"apiVersion\":\"autoscaling/"
        "v2\",\"kind\":\"HorizontalPodAutoscaler\",\"metadata\":{\"name\":\"x\"},\"spec\":{"
        "\"maxReplicas\":3,\"metrics\":["
        "{\"type\":\"Resource\",\"resource\":{\"name\":\"memory\",\"target\":{\"type\":\"AverageValue\","
        "\"averageValue\":"
        "\"100Mi\"}}},"
        "{\"type\":\"Pods\",\"pods\":{\"metric\":{\"name\":\"m\",\"selector\":{\"matchLabels\":{\"a\":\"b\"}}},"
        "\"target\":{"
        "\"type\":\"AverageValue\",\"averageValue\":\"5\"}}},"
        "{\"type\":\"Object\",\"object\":{\"describedObject\":{\"kind\":\"Service\",\"name\":\"s\",\"apiVersion\":"
        "\"v1\"},"
        "\"target\":{\"type\":\"Value\",\"value\":\"7\"},\"metric\":{\"name\":\"o\"}}},"
        "{\"type\":\"External\",\"external\":{\"metric\":{\"name\":\"e\"},\"target\":{\"type\":\"Value\",\"value\":"
        "\"9\"}}},"
        "{\"type\":\"ContainerResource\",\"containerResource\":{\"name\":\"cpu\",\"container\":\"c\",\"target\":{"
        "\"type\":"
        "\"Utilization\",\"averageUtilization\":40}}},"
        "{\"type\":\"Resource\",\"resource\":{\"name\":\"cpu\",\"target\":{\"type\":\"Utilization\","
        "\"averageUtilization\":"
        "50}}}],"
        "\"behavior\":{\"scaleDown\":{\"stabilizationWindowSeconds\":10,\"selectPolicy\":\"Max\",\"policies\":[{"
        "\"type\":"
        "\"Pods\",\"value\":2,\"periodSeconds\":30}]}}},"
        "\"status\":{\"currentMetrics\":[{\"type\":\"Resource\",\"resource\":{\"name\":\"cpu\",\"current\":{"
        "\"averageUtilization\":33,\"averageValue\":\"1\"}}}],\"conditions\":[{\"type\":\"AbleToScale\",\"status\":"
        "\"True\"}]}}";

static void test_an_autoscaler_comes_back(void **state) {
        const struct value *tree = parse(full), *down = convert(&new, &old, tree), *up = convert(&old, &new, down);

        assert_string_equal(value_string(value_get(down, "apiVersion")), "autoscaling/v1");
        assert_null(value_find(down, "spec.metrics"));
        assert_null(value_find(down, "spec.behavior"));
        assert_null(value_find(down, "status.conditions"));
        assert_true(value_equal(value_find(up, "spec"), value_find(tree, "spec")));
        assert_true(value_equal(value_find(up, "status.conditions"), value_find(tree, "status.conditions")));
        assert_true(value_equal(value_find(up, "status.currentMetrics"), value_find(tree, "status.currentMetrics")));
        assert_null(value_find(up, "metadata.annotations"));
}

static void test_what_is_noted(void **state) {
        const struct value *down = convert(&new, &old, parse(full));
        int64_t percent = 0, use = 0;

        assert_true(value_integer(value_find(down, "spec.targetCPUUtilizationPercentage"), &percent));
        assert_true(value_integer(value_find(down, "status.currentCPUUtilizationPercentage"), &use));
        assert_int_equal(percent, 50);
        assert_int_equal(use, 33);
        assert_string_equal(note_of(down, PREFIX "current-metrics"),
                            "[{\"type\":\"Resource\",\"resource\":{\"name\":\"cpu\",\"currentAverageUtilization\":33,"
                            "\"currentAverageValue\":\"1\"}}]");
        assert_string_equal(note_of(down, PREFIX "behavior"),
                            "{\"ScaleUp\":null,\"ScaleDown\":{\"StabilizationWindowSeconds\":10,\"SelectPolicy\":"
                            "\"Max\",\"Policies\":[{\"Type\":\"Pods\",\"Value\":2,\"PeriodSeconds\":30}],"
                            "\"Tolerance\":null}}");
        assert_non_null(strstr(note_of(down, PREFIX "metrics"),
                               "{\"type\":\"Object\",\"object\":{\"target\":{\"kind\":\"Service\",\"name\":\"s\","
                               "\"apiVersion\":\"v1\"},\"metricName\":\"o\",\"targetValue\":\"7\"}}"));
}

static void test_an_old_autoscaler(void **state) {
        const struct value *none = convert(&old, &new, parse("{\"spec\":{\"maxReplicas\":3}}")),
                           *some = convert(&old, &new, parse("{\"spec\":{\"targetCPUUtilizationPercentage\":70}}")),
                           *used = convert(&old, &new, parse("{\"status\":{\"currentCPUUtilizationPercentage\":7}}"));
        int64_t n = 0;

        assert_true(value_integer(value_find(none, "spec.metrics[0].resource.target.averageUtilization"), &n));
        assert_int_equal(n, 80);
        assert_true(value_integer(value_find(some, "spec.metrics[0].resource.target.averageUtilization"), &n));
        assert_int_equal(n, 70);
        assert_int_equal(value_count(value_find(some, "spec.metrics")), 1);
        assert_true(
                value_integer(value_find(used, "status.currentMetrics[0].resource.current.averageUtilization"), &n));
        assert_int_equal(n, 7);
}

/* What is noted and makes no sense says nothing; what else is there stays. */
static void test_notes_that_make_no_sense(void **state) {
        static const char *const notes[] = { "",
                                             "x",
                                             "7",
                                             "{}",
                                             "[",
                                             "[7,null,{\"type\":\"Nonsense\"}]",
                                             "[[[[]]]]",
                                             "[{\"type\":\"Pods\"}]",
                                             "[{\"type\":\"Object\",\"object\":7}]" };

        for (size_t i = 0; i < ELEMENTS(notes); i++) {
                struct value_member members[] = { { .key = PREFIX "metrics", .value = { .kind = VALUE_STRING } },
                                                  { .key = PREFIX "behavior", .value = { .kind = VALUE_STRING } },
                                                  { .key = "mine", .value = { .kind = VALUE_STRING, .text = "" } } };
                struct value annotations = { .kind = VALUE_MAP, .count = 3, .members = members };
                struct value_member meta = { .key = "annotations", .value = annotations };
                struct value_member root = { .key = "metadata",
                                             .value = { .kind = VALUE_MAP, .count = 1, .members = &meta } };
                const struct value tree = { .kind = VALUE_MAP, .count = 1, .members = &root };
                const struct value *up;

                members[0].value.text = members[1].value.text = notes[i];
                members[0].value.count = members[1].value.count = (uint32_t)strlen(notes[i]);
                up = convert(&old, &new, &tree);
                assert_int_equal(value_count(value_find(up, "metadata.annotations")), 1);
                assert_true(value_count(value_find(up, "spec.metrics")) > 0);
        }
}

static void test_events(void **state) {
        const struct value *tree = parse(
                                   "{\"kind\":\"Event\",\"apiVersion\":\"v1\",\"involvedObject\":{\"name\":\"p\"},"
                                   "\"message\":\"M\",\"source\":{\"component\":\"c\"},\"count\":3,"
                                   "\"reportingComponent\":\"r\",\"type\":\"Normal\"}"),
                           *up = convert(&event, &new_event, tree), *down = convert(&new_event, &event, up);

        assert_string_equal(value_string(value_get(up, "note")), "M");
        assert_string_equal(value_string(value_find(up, "regarding.name")), "p");
        assert_string_equal(value_string(value_get(up, "reportingController")), "r");
        assert_null(value_get(up, "message"));
        assert_true(value_equal(down, tree));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_an_autoscaler_comes_back), TEST(test_what_is_noted), TEST(test_an_old_autoscaler),
                TEST(test_notes_that_make_no_sense), TEST(test_events),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
