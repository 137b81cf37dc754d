#include "tests/unit/support/fake_client.h"

#include "client/recorder.h"
#include "kube/kinds.h"

static uv_loop_t loop;
static struct fake fake;
static struct recorder *recorder;
static const struct recorder_object pod = { "v1", "Pod", "n", "p", "uid" };

static void begin(void) {
        const struct kube_kind *events = NULL;

        uv_loop_init(&loop);
        fake_init(&fake, &loop);
        for (size_t k = 0; k < kube_kinds_count; k++)
                if (strcmp(kube_kinds[k].kind, "Event") == 0 && !*kube_kinds[k].group)
                        events = &kube_kinds[k];
        recorder = recorder_new(&fake.base, events, "tests");
}

static void end(void) {
        recorder_free(recorder);
        fake_done(&fake);
        uv_loop_close(&loop);
}

static void tell(const char *message, int64_t now) {
        recorder_tell(recorder, &pod, &(struct recorder_note){ "Warning", "Why", message }, now);
}

static void the_same_is_counted(void **state) {
        begin();
        tell("m", 1796000000);
        assert_int_equal(fake.n_sent, 1);
        assert_int_equal(fake.sent[0].verb, KUBE_VERB_CREATE);
        assert_string_equal(fake.sent[0].target, "/api/v1/namespaces/n/events");
        assert_non_null(
                strstr(fake.sent[0].body,
                       "\"involvedObject\":{\"kind\":\"Pod\",\"namespace\":\"n\",\"name\":\"p\",\"uid\":\"uid\","
                       "\"apiVersion\":\"v1\"},\"reason\":\"Why\",\"message\":\"m\",\"source\":{\"component\":"
                       "\"tests\"}"));
        tell("m", 1796000001);
        tell("m", 1796000002);
        assert_int_equal(fake.n_sent, 3);
        assert_int_equal(fake.sent[2].verb, KUBE_VERB_PATCH);
        assert_non_null(strstr(fake.sent[2].target, "/api/v1/namespaces/n/events/p."));
        assert_string_equal(fake.sent[2].body,
                            "{\"count\":3,\"lastTimestamp\":\"2026-11-30T00:53:22Z\",\"message\":\"m\"}");
        end();
}

/* After ten that differ in their words alone, they are one. */
static void similar_ones_become_one(void **state) {
        char message[16];

        begin();
        for (int i = 0; i < 14; i++) {
                snprintf(message, sizeof(message), "m%d", i);
                tell(message, 1796000000);
        }
        assert_int_equal(fake.n_sent, 14);
        for (int i = 0; i < 14; i++)
                assert_int_equal(fake.sent[i].verb, i < RECORDER_SIMILAR_MAX ? KUBE_VERB_CREATE : KUBE_VERB_PATCH);
        assert_non_null(strstr(fake.sent[9].body, "(combined from similar events): m9"));
        assert_non_null(strstr(fake.sent[13].body, "\"count\":5"));
        end();
}

/* One object has so many, and one more in five minutes. */
static void there_may_not_be_too_many(void **state) {
        begin();
        for (int i = 0; i < 100; i++)
                tell("m", 1796000000);
        assert_int_equal(fake.n_sent, RECORDER_BURST);
        tell("m", 1796000000 + RECORDER_REFILL_S - 1);
        assert_int_equal(fake.n_sent, RECORDER_BURST);
        tell("m", 1796000000 + RECORDER_REFILL_S);
        tell("m", 1796000000 + RECORDER_REFILL_S);
        assert_int_equal(fake.n_sent, RECORDER_BURST + 1);
        end();
}

static void the_oldest_is_forgotten(void **state) {
        static char names[RECORDER_OBJECTS_MAX + 2][16];

        begin();
        for (unsigned i = 0; i < RECORDER_OBJECTS_MAX + 2; i++) {
                struct recorder_object o = { "v1", "Pod", "", names[i], "" };

                snprintf(names[i], sizeof(names[i]), "p%u", i);
                recorder_tell(recorder, &o, &(struct recorder_note){ "Normal", "Why", "m" }, 1796000000);
                assert_int_equal(fake.n_sent, 1);
                assert_string_equal(fake.sent[0].target, "/api/v1/namespaces/default/events");
                fake_answer(&fake.sent[0], i % 2 ? 201 : 403, "Forbidden", "{}");
                fake.n_sent = 0;
        }
        end();
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_same_is_counted),
                cmocka_unit_test(similar_ones_become_one),
                cmocka_unit_test(there_may_not_be_too_many),
                cmocka_unit_test(the_oldest_is_forgotten),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
