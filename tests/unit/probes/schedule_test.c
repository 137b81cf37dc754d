#include "probes/schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct schedule_timing timing = {
        .initial_delay = 5,
        .period = 10,
        .success_threshold = 1,
        .failure_threshold = 3,
};

static void feed(struct schedule *s, int64_t now, enum probe_outcome outcome, bool changed) {
        probe_schedule_probing(s, now);
        assert_int_equal(probe_schedule_wait(s, now), -1);
        assert_int_equal(probe_schedule_result(s, now, outcome), changed);
}

static void test_initial_delay_and_period(void **state) {
        struct schedule s;

        probe_schedule_init(&s, SCHEDULE_LIVENESS, &timing);
        assert_int_equal(probe_schedule_wait(&s, 0), -1);
        probe_schedule_begin(&s, 1000, 1000, false, false, 0);
        assert_int_equal(probe_schedule_wait(&s, 1000), 5000);
        assert_int_equal(probe_schedule_wait(&s, 6000), 0);
        feed(&s, 6000, PROBE_SUCCESS, false);
        assert_int_equal(probe_schedule_wait(&s, 6500), 9500);
        assert_int_equal(probe_schedule_wait(&s, 20000), 0);
}

static void test_thresholds(void **state) {
        struct schedule s;

        probe_schedule_init(&s, SCHEDULE_LIVENESS, &timing);
        probe_schedule_begin(&s, 0, 0, false, false, 0);
        assert_int_equal(s.value, VALUE_IS_SUCCESS);
        feed(&s, 5000, PROBE_FAILURE, false);
        feed(&s, 15000, PROBE_FAILURE, false);
        feed(&s, 25000, PROBE_SUCCESS, false); /* begins the count anew */
        feed(&s, 35000, PROBE_FAILURE, false);
        feed(&s, 45000, PROBE_UNKNOWN, false); /* thrown away */
        feed(&s, 55000, PROBE_FAILURE, false);
        feed(&s, 65000, PROBE_FAILURE, true);
        assert_int_equal(s.value, VALUE_IS_FAILURE);
        assert_int_equal(probe_schedule_wait(&s, 100000), -1); /* on hold until a new container */
        probe_schedule_stop(&s);
        probe_schedule_begin(&s, 200000, 200000, false, false, 0);
        assert_int_equal(s.value, VALUE_IS_SUCCESS);
        assert_int_equal(probe_schedule_wait(&s, 200000), 5000);
}

static void test_readiness_goes_on(void **state) {
        struct schedule_timing two = timing;
        struct schedule s;

        two.success_threshold = 2;
        probe_schedule_init(&s, SCHEDULE_READINESS, &two);
        probe_schedule_begin(&s, 0, 0, false, false, 0);
        assert_int_equal(s.value, VALUE_IS_FAILURE);
        feed(&s, 5000, PROBE_SUCCESS, false);
        feed(&s, 15000, PROBE_WARNING, true); /* a warning is a success */
        for (int i = 0; i < 3; i++)
                feed(&s, 25000 + i * 10000, PROBE_FAILURE, i == 2);
        assert_int_equal(probe_schedule_wait(&s, 45000), 10000); /* no hold */
        feed(&s, 55000, PROBE_SUCCESS, false);
        feed(&s, 65000, PROBE_SUCCESS, true);
        probe_schedule_end(&s); /* readiness is probed to the end */
        assert_true(probe_schedule_wait(&s, 70000) > 0);
}

static void test_startup_gates(void **state) {
        struct schedule startup, liveness, readiness;

        probe_schedule_init(&startup, SCHEDULE_STARTUP, &timing);
        probe_schedule_init(&liveness, SCHEDULE_LIVENESS, &timing);
        probe_schedule_init(&readiness, SCHEDULE_READINESS, &timing);
        probe_schedule_begin(&startup, 0, 0, true, false, 0);
        probe_schedule_begin(&liveness, 0, 0, true, false, 0);
        probe_schedule_begin(&readiness, 0, 0, true, false, 0);
        assert_int_equal(startup.value, VALUE_IS_UNKNOWN);
        assert_int_equal(probe_schedule_wait(&liveness, 60000), -1);
        assert_int_equal(probe_schedule_wait(&startup, 5000), 0);
        feed(&startup, 5000, PROBE_SUCCESS, true);
        assert_int_equal(probe_schedule_wait(&startup, 60000), -1);
        probe_schedule_open(&liveness, 7000);
        probe_schedule_open(&readiness, 7000);
        assert_int_equal(probe_schedule_wait(&liveness, 7000), 0);
        assert_int_equal(probe_schedule_wait(&readiness, 7000), 0);
}

static void test_startup_fails(void **state) {
        struct schedule s;

        probe_schedule_init(&s, SCHEDULE_STARTUP, &timing);
        probe_schedule_begin(&s, 0, 0, false, false, 0);
        feed(&s, 5000, PROBE_FAILURE, false);
        feed(&s, 15000, PROBE_FAILURE, false);
        feed(&s, 25000, PROBE_FAILURE, true);
        assert_int_equal(probe_schedule_wait(&s, 25000), -1);
}

/* After the agent's restart the first probe waits a part of its period, and what was known goes on. */
static void test_take_up(void **state) {
        for (uint32_t random = 0; random < 40000; random += 777) {
                struct schedule s;

                probe_schedule_init(&s, SCHEDULE_LIVENESS, &timing);
                probe_schedule_begin(&s, 100000, 0, false, true, random);
                assert_in_range(probe_schedule_wait(&s, 100000), 0, 10000);
                probe_schedule_resume(&s, VALUE_IS_SUCCESS, 2, PROBE_FAILURE, false);
                feed(&s, 110000, PROBE_FAILURE, true);
        }
}

static void test_end(void **state) {
        struct schedule s;

        probe_schedule_init(&s, SCHEDULE_LIVENESS, &timing);
        probe_schedule_begin(&s, 0, 0, false, false, 0);
        probe_schedule_probing(&s, 5000);
        probe_schedule_end(&s);
        assert_int_equal(s.value, VALUE_IS_SUCCESS);
        assert_false(probe_schedule_result(&s, 5001, PROBE_FAILURE));
        assert_int_equal(probe_schedule_wait(&s, 90000), -1);
}

/* A result that comes after its container ended says nothing about the next one. */
static void test_late_result(void **state) {
        struct schedule s;

        probe_schedule_init(&s, SCHEDULE_READINESS, &timing);
        probe_schedule_begin(&s, 0, 0, false, false, 0);
        probe_schedule_probing(&s, 5000);
        probe_schedule_stop(&s);
        probe_schedule_begin(&s, 6000, 6000, false, false, 0);
        assert_false(probe_schedule_result(&s, 6001, PROBE_SUCCESS));
        assert_int_equal(s.value, VALUE_IS_FAILURE);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_initial_delay_and_period),
                cmocka_unit_test(test_thresholds),
                cmocka_unit_test(test_readiness_goes_on),
                cmocka_unit_test(test_startup_gates),
                cmocka_unit_test(test_startup_fails),
                cmocka_unit_test(test_take_up),
                cmocka_unit_test(test_end),
                cmocka_unit_test(test_late_result),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
