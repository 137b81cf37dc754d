#include "tests/unit/support/fake_client.h"

#include "client/recorder_sender.h"
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
        recorder = recorder_new(&fake.base, events, "tests", "node1");
}

static void end(void) {
        recorder_free(recorder);
        fake_done(&fake);
        uv_loop_close(&loop);
}

static void tell(const char *message, int64_t now) {
        recorder_tell_of(recorder, &pod, "spec.containers{c}", &(struct recorder_note){ "Warning", "Why", message },
                         now);
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
                       "\"apiVersion\":\"v1\",\"fieldPath\":\"spec.containers{c}\"},\"reason\":\"Why\","
                       "\"message\":\"m\",\"source\":{\"component\":\"tests\",\"host\":\"node1\"}"));
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

/* A clock that was wrong at first: nothing is counted from a time that is yet to come. */
static void a_clock_may_be_set_back(void **state) {
        const int64_t ahead = 1896000000, right = 1796000000;
        char message[16];

        begin();
        for (int i = 0; i < RECORDER_BURST + 5; i++)
                tell("m", ahead);
        assert_int_equal(fake.n_sent, RECORDER_BURST);
        tell("m", right);
        tell("m", right + RECORDER_REFILL_S);
        assert_int_equal(fake.n_sent, RECORDER_BURST + 1);
        end();
        begin();
        for (int i = 0; i < RECORDER_SIMILAR_MAX; i++) {
                snprintf(message, sizeof(message), "m%d", i);
                tell(message, ahead);
        }
        assert_non_null(strstr(fake.sent[RECORDER_SIMILAR_MAX - 1].body, "(combined from similar events): "));
        tell("another", right);
        assert_null(strstr(fake.sent[RECORDER_SIMILAR_MAX].body, "(combined from similar events): "));
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

/* An event that the service has no more (its hour is over) is made anew, as it is by now. */
static void one_that_is_gone_is_made_anew(void **state) {
        begin();
        tell("m", 1796000000);
        fake_answer(&fake.sent[0], 201, "", "{}");
        tell("m", 1796003601);
        fake_answer(&fake.sent[1], 404, "NotFound", "{}");
        assert_int_equal(fake.n_sent, 3);
        assert_int_equal(fake.sent[2].verb, KUBE_VERB_CREATE);
        assert_non_null(strstr(fake.sent[2].body, "\"firstTimestamp\":\"2026-11-30T00:53:20Z\",\"lastTimestamp\":"
                                                  "\"2026-11-30T01:53:21Z\",\"count\":2"));
        fake_answer(&fake.sent[2], 404, "NotFound", "{}"); /* its namespace */
        assert_int_equal(fake.n_sent, 3);
        end();
}

static struct recorder_sender sender;

static void send_one(const char *name, const char *event) {
        struct recorder_telling *t = recorder_telling_new("n");

        assert_non_null(t);
        t->name = strdup(name);
        t->event = strdup(event);
        t->event_length = strlen(event);
        recorder_sender_send(&sender, t);
}

static void begin_sending(unsigned retry_ms) {
        static const struct kube_kind kind = {
                .group = "", .version = "v1", .kind = "Event", .resource = "events", .namespaced = true
        };

        uv_loop_init(&loop);
        fake_init(&fake, &loop);
        sender = (struct recorder_sender){ &fake.base, &kind, "tests", .retry_ms = retry_ms };
}

static void end_sending(void) {
        recorder_sender_done(&sender);
        fake_done(&fake);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&loop), 0);
}

/* No answer, or a service that is busy: again, so often; what is refused is not. */
static void what_found_no_service_is_sent_again(void **state) {
        static const int codes[] = { -ECONNRESET, 429, 503 };

        begin_sending(1);
        send_one("a", "{}");
        for (unsigned i = 0; i < RECORDER_TRIES; i++) {
                assert_int_equal(fake.n_sent, i + 1);
                fake_answer(&fake.sent[i], codes[i % 3], "made up", "{}");
                assert_int_equal(sender.n_waiting, i + 1 < RECORDER_TRIES);
                uv_run(&loop, UV_RUN_DEFAULT);
        }
        assert_int_equal(fake.n_sent, RECORDER_TRIES);
        send_one("b", "{}");
        fake_answer(&fake.sent[RECORDER_TRIES], 403, "Forbidden", "{}");
        assert_int_equal(sender.n_waiting, 0);
        end_sending();
}

/* Of one event the newest, and of all so many. */
static void so_many_wait(void **state) {
        char name[16];

        begin_sending(60000);
        for (unsigned i = 0; i <= RECORDER_WAITING_MAX; i++) {
                snprintf(name, sizeof(name), "e%u", i);
                send_one(name, "{}");
                fake_answer(&fake.sent[i], -ENETUNREACH, "made up", "{}");
        }
        assert_int_equal(sender.n_waiting, RECORDER_WAITING_MAX);
        assert_string_equal(recorder_tellings_first(&sender.waiting)->name, "e1");
        send_one("e1", "{}");
        assert_int_equal(sender.n_waiting, RECORDER_WAITING_MAX - 1);
        assert_string_equal(recorder_tellings_first(&sender.waiting)->name, "e2");
        end_sending();
}

/* The older one of an event comes back behind the newer, which goes on waiting. */
static void the_newer_one_waits(void **state) {
        begin_sending(60000);
        send_one("a", "{\"count\":1}");
        send_one("a", "{\"count\":2}");
        fake_answer(&fake.sent[1], 503, "made up", "{}");
        assert_int_equal(sender.n_waiting, 1);
        fake_answer(&fake.sent[0], 503, "made up", "{}");
        assert_int_equal(sender.n_waiting, 1);
        assert_string_equal(recorder_tellings_first(&sender.waiting)->event, "{\"count\":2}");
        end_sending();
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_same_is_counted),
                cmocka_unit_test(similar_ones_become_one),
                cmocka_unit_test(there_may_not_be_too_many),
                cmocka_unit_test(a_clock_may_be_set_back),
                cmocka_unit_test(the_oldest_is_forgotten),
                cmocka_unit_test(one_that_is_gone_is_made_anew),
                cmocka_unit_test(what_found_no_service_is_sent_again),
                cmocka_unit_test(so_many_wait),
                cmocka_unit_test(the_newer_one_waits),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
