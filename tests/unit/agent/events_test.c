/* What happened to pods, as /events has it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "agent/node/events.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"
#include "lib/log.h"

static char *written(const struct events *events) {
        _cleanup_json_writer_ struct json_writer out = JSON_WRITER_INIT;
        char *text = NULL;

        events_write(events, &out);
        assert_int_equal(json_writer_finish(&out, &text, NULL), 0);
        return text;
}

static unsigned count(const char *text, const char *part) {
        unsigned n = 0;

        while ((text = strstr(text, part))) {
                text += strlen(part);
                n++;
        }
        return n;
}

/* "OutOfcpu" is made where the pod is refused, and gone when the next event comes. */
static void test_texts_are_copied(void **state) {
        char namespace_[] = "default", name[] = "web", uid[] = "1-2", reason[16] = "OutOfcpu", said[] = "too much";
        const struct event_object o = { .namespace_ = namespace_, .name = name, .uid = uid };
        struct events *events = events_new("node");
        _cleanup_free_ char *text = NULL;

        log_init("test", LOG_LEVEL_ERROR);
        assert_non_null(events);
        for (unsigned i = 0; i < 2; i++)
                events_add(events, &o, true, reason, "%s", said);
        memset(reason, 'x', sizeof(reason) - 1);
        memset(namespace_, 'x', strlen(namespace_));
        memset(name, 'x', strlen(name));
        memset(uid, 'x', strlen(uid));
        events_add(events, &(struct event_object){ .namespace_ = "default", .name = "web", .uid = "1-2" }, true,
                   "OutOfcpu", "too much");
        text = written(events);
        assert_int_equal(count(text, "\"reason\":\"OutOfcpu\""), 1);
        assert_non_null(strstr(text, "\"count\":3"));
        assert_null(strstr(text, "xx"));
        events_free(events);
}

/* The newest stay. */
static void test_the_ring_is_bounded(void **state) {
        const struct event_object o = { .namespace_ = "default", .name = "web", .uid = "1-2" };
        struct events *events = events_new("node");
        _cleanup_free_ char *text = NULL;

        assert_non_null(events);
        for (unsigned i = 0; i <= EVENTS_MAX; i++)
                events_add(events, &o, false, "Reason", "number %u.", i);
        text = written(events);
        assert_int_equal(count(text, "\"reason\":\"Reason\""), EVENTS_MAX);
        assert_null(strstr(text, "number 0."));
        assert_non_null(strstr(text, "number 512."));
        events_free(events);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_texts_are_copied),
                cmocka_unit_test(test_the_ring_is_bounded),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
