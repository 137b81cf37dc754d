/* A lease, with a clock of the test's own. */
#include "tests/unit/support/fake_client.h"

#include "client/lease.h"
#include "kube/kinds.h"
#include "lib/log.h"

#define SECOND UINT64_C(1000000000)
#define LEASE(version, holder)                                                                                         \
        "{\"metadata\":{\"name\":\"l\",\"namespace\":\"n\",\"resourceVersion\":\"" version "\"},\"spec\":{"            \
        "\"holderIdentity\":\"" holder "\",\"leaseDurationSeconds\":15,\"leaseTransitions\":3}}"

static uv_loop_t loop;
static struct fake fake;
static struct lease *lease;
static uint64_t now;
static unsigned n_changes;

static uint64_t clock_now(void *data) {
        return now;
}

static int64_t clock_wall(void *data) {
        return INT64_C(1796000000);
}

static void on_changed(void *data, bool leads) {
        n_changes++;
        assert_int_equal(leads, lease_leads(lease));
}

static void begin(void) {
        struct lease_config config = { .client = &fake.base,
                                       .namespace = "n",
                                       .name = "l",
                                       .identity = "me",
                                       .changed = on_changed,
                                       .now = clock_now,
                                       .wall = clock_wall };

        now = 1000 * SECOND;
        n_changes = 0;
        uv_loop_init(&loop);
        fake_init(&fake, &loop);
        for (size_t k = 0; k < kube_kinds_count; k++)
                if (strcmp(kube_kinds[k].kind, "Lease") == 0 && strcmp(kube_kinds[k].version, "v1") == 0)
                        config.kind = &kube_kinds[k];
        assert_int_equal(lease_new(&config, &lease), 0);
}

static void end(void) {
        lease_free(lease);
        fake_done(&fake);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&loop), 0);
}

/* Asks, and is answered with @code and @body. */
static struct fake_call *round_of(int code, const char *body) {
        struct fake_call *c;

        lease_turn(lease);
        c = fake_next(&fake);
        assert_non_null(c);
        assert_int_equal(c->verb, KUBE_VERB_GET);
        assert_string_equal(c->target, "/apis/coordination.k8s.io/v1/namespaces/n/leases/l");
        fake_answer(c, code, "", body);
        return fake_next(&fake);
}

static void makes_it(void **state) {
        struct fake_call *c;

        begin();
        c = round_of(404, "{}");
        assert_int_equal(c->verb, KUBE_VERB_CREATE);
        assert_non_null(
                strstr(c->body, "\"spec\":{\"holderIdentity\":\"me\",\"leaseDurationSeconds\":15,\"acquireTime\":"));
        assert_false(lease_leads(lease));
        fake_answer(c, 201, "", LEASE("5", "me"));
        assert_true(lease_leads(lease));
        lease_turn(lease);
        assert_null(fake_next(&fake)); /* not before its time */
        now += LEASE_RETRY_S * SECOND;
        c = round_of(200, LEASE("5", "me"));
        assert_int_equal(c->verb, KUBE_VERB_UPDATE);
        assert_non_null(strstr(c->body, "\"leaseTransitions\":3")); /* it was its own */
        fake_answer(c, 200, "", LEASE("6", "me"));
        assert_int_equal(n_changes, 1);
        end();
        c = fake_next(&fake); /* given up: nobody's, of just this version */
        assert_non_null(strstr(c->body, "\"resourceVersion\":\"6\""));
        assert_null(strstr(c->body, "\"holderIdentity\":\"me\""));
}

/* Another's is left alone as long as it changes, and taken when it has not for its duration: by the clock here. */
static void waits_for_another(void **state) {
        struct fake_call *c;

        begin();
        assert_null(round_of(200, LEASE("5", "other")));
        for (unsigned i = 0; i < 3; i++) {
                now += 14 * SECOND;
                assert_null(round_of(200, i % 2 ? LEASE("6", "other") : LEASE("7", "other")));
        }
        now += 14 * SECOND;
        assert_null(round_of(200, LEASE("7", "other")));
        now += 2 * SECOND;
        c = round_of(200, LEASE("7", "other"));
        assert_int_equal(c->verb, KUBE_VERB_UPDATE);
        assert_non_null(strstr(c->body, "\"leaseTransitions\":4"));
        assert_non_null(strstr(c->body, "\"resourceVersion\":\"7\""));
        fake_answer(c, 409, "Conflict", "{}"); /* somebody was faster */
        assert_false(lease_leads(lease));
        now += LEASE_RETRY_S * SECOND;
        c = round_of(200, LEASE("8", ""));
        fake_answer(c, 200, "", LEASE("9", "me"));
        assert_true(lease_leads(lease));
        end();
}

/* Who cannot renew it stops to lead before another may begin. */
static void is_lost_in_time(void **state) {
        struct fake_call *c;

        begin();
        fake_answer(round_of(404, "{}"), 201, "", LEASE("5", "me"));
        now += LEASE_RETRY_S * SECOND;
        lease_turn(lease);
        c = fake_next(&fake); /* which is not answered */
        now += (LEASE_RENEW_S - LEASE_RETRY_S) * SECOND - 1;
        lease_turn(lease);
        assert_true(lease_leads(lease));
        now += 1;
        lease_turn(lease);
        assert_false(lease_leads(lease));
        assert_int_equal(n_changes, 2);
        fake_answer(c, 200, "", LEASE("6", "other"));
        assert_int_equal(n_changes, 2);
        end();
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(makes_it),
                cmocka_unit_test(waits_for_another),
                cmocka_unit_test(is_lost_in_time),
        };

        log_init("test", LOG_LEVEL_ERROR);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
