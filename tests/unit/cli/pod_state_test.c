#include "cli/pod_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "cli/format.h"
#include "cli/node_view.h"
#include "lib/arena.h"
#include "lib/json.h"

#define POD(status)                                                                                                    \
        "{\"metadata\":{\"uid\":\"u1\"},\"spec\":{\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"}]},\"status\":"     \
        "{" status "}}"
#define READY(value)                                                                                                   \
        "\"conditions\":[{\"type\":\"Ready\",\"status\":\"" value                                                      \
        "\",\"reason\":\"ContainersNotReady\",\"message\":\"m\"}]"
#define WAITING(reason, message)                                                                                       \
        "{\"name\":\"a\",\"state\":{\"waiting\":{\"reason\":\"" reason "\",\"message\":\"" message "\"}}"
#define EVENT(uid, type, reason, time)                                                                                 \
        "{\"involvedObject\":{\"uid\":\"" uid "\"},\"type\":\"" type "\",\"reason\":\"" reason                         \
        "\",\"message\":\"of " reason "\",\"lastTimestamp\":\"2026-11-28T10:00:" time "Z\"}"

static const struct {
        const char *pod, *events;
        const char *phase, *reason, *message;
        unsigned ready;
        bool well;
} cases[] = {
        { POD(""), "", "Pending", "", "", 0, false },
        { POD("\"phase\":\"Running\"," READY("True") ",\"containerStatuses\":[{\"ready\":true},{\"ready\":true}]"), "",
          "Running", "", "", 2, true },
        { POD("\"phase\":\"Succeeded\"," READY("False")), "", "Succeeded", "", "", 0, true },
        { POD("\"phase\":\"Failed\",\"reason\":\"Evicted\",\"message\":\"too much\\nof it\\n\""), "", "Failed",
          "Evicted", "too much of it", 0, false },
        { POD("\"phase\":\"Pending\",\"containerStatuses\":[" WAITING("ImagePullBackOff", "no") "}]"), "", "Pending",
          "ImagePullBackOff", "no", 0, false },
        { POD("\"phase\":\"Pending\",\"initContainerStatuses\":[" WAITING(
                  "CrashLoopBackOff", "again") ",\"lastState\":{\"terminated\":{\"exitCode\":3,\"reason\":\"Error\","
                                               "\"message\":\"why\"}}}],"
                                               "\"containerStatuses\":[" WAITING("PodInitializing", "") "}]"),
          "", "Pending", "Init:CrashLoopBackOff", "again; last time it ended with exit code 3 (Error): why", 0, false },
        { POD("\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"a\",\"ready\":true,\"state\":{\"running\":{}}},"
              "{\"name\":\"b\",\"state\":{\"terminated\":{\"exitCode\":137,\"reason\":\"OOMKilled\"}}}]"),
          "", "Running", "OOMKilled", "container b ended with exit code 137", 1, false },
        /* nothing but a warning says why: the newest one of this pod */
        { POD("\"phase\":\"Pending\",\"containerStatuses\":[" WAITING("ContainerCreating", "") "}]"),
          EVENT("u1", "Warning", "FailedMount", "01") "," EVENT("u1", "Normal", "Pulled", "09") "," EVENT(
                  "u2", "Warning", "BackOff", "08") "," EVENT("u1", "Warning", "FailedCreatePodSandBox",
                                                              "05") "," EVENT("u1", "Warning", "FailedMount", "04"),
          "Pending", "FailedCreatePodSandBox", "of FailedCreatePodSandBox", 0, false },
        { POD("\"phase\":\"Pending\",\"containerStatuses\":[" WAITING("ContainerCreating", "") "}]"), "", "Pending",
          "ContainerCreating", "", 0, false },
        { POD("\"phase\":\"Running\"," READY("False") ",\"containerStatuses\":[{\"state\":{\"running\":{}}}]"), "",
          "Running", "ContainersNotReady", "m", 0, false },
        /* of the wrong types: nothing is known */
        { POD("\"phase\":7,\"conditions\":{},\"containerStatuses\":[1,null,{\"state\":[]}]"), "", "Pending", "", "", 0,
          false },
};

static const struct value *parse(struct arena *arena, const char *text) {
        const struct value *value = NULL;

        assert_int_equal(json_parse(arena, text, strlen(text), NULL, &value, NULL), 0);
        return value;
}

static void test_states(void **state) {
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                struct node_view view = {};
                struct pod_state s;
                char events[4096];

                snprintf(events, sizeof(events), "{\"items\":[%s]}", cases[i].events);
                view.events = parse(arena, events);
                pod_state_read(&view, parse(arena, cases[i].pod), &s);
                assert_string_equal(s.phase, cases[i].phase);
                assert_string_equal(s.reason, cases[i].reason);
                assert_string_equal(s.message, cases[i].message);
                assert_int_equal(s.ready, cases[i].ready);
                assert_int_equal(s.containers, 2);
                assert_int_equal(s.well, cases[i].well);
        }
}

static const struct {
        const char *text, *namespace, *name;
        bool whole, is;
} names[] = {
        { "web", "default", "web-n1", false, true },
        { "web", "default", "web-n1", true, false },
        { "web-n1", "default", "web-n1", true, true },
        { "default/web", "default", "web-n1", false, true },
        { "other/web", "default", "web-n1", false, false },
        { "web", "default", "web-n11", false, false },
        { "we", "default", "web-n1", false, false },
        { "", "default", "-n1", false, false },
        { "/web", "default", "web-n1", false, false },
        { "defaul/web", "default", "web", true, false },
        { "a/b/c", "a", "b/c", true, true },
};

static void test_names(void **state) {
        _cleanup_arena_ struct arena *arena = arena_new();
        const struct node_view view = { .known = true, .files = parse(arena, "{\"nodeName\":\"n1\"}") };

        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (node_view_is_pod(&view, names[i].text, names[i].namespace, names[i].name, names[i].whole) !=
                    names[i].is)
                        fail_msg("%s", names[i].text);
}

static void test_durations(void **state) {
        static const struct {
                int64_t seconds;
                const char *text;
        } durations[] = {
                { -1, "0s" },      { 0, "0s" },       { 119, "119s" },    { 120, "2m" },     { 190, "3m10s" },
                { 600, "10m" },    { 10799, "179m" }, { 10800, "3h" },    { 11100, "3h5m" }, { 28800, "8h" },
                { 172799, "47h" }, { 172800, "2d" },  { 180000, "2d2h" }, { 691200, "8d" },
        };

        for (size_t i = 0; i < ELEMENTS(durations); i++) {
                char text[FORMAT_MAX];

                assert_string_equal(format_duration(durations[i].seconds, text), durations[i].text);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_states),
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_durations),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
