#include "agent/eviction/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/err.h"

static const char *text_of(struct quantity quantity) {
        static char text[QUANTITY_TEXT_MAX];

        return quantity_format(quantity, text);
}

static void test_defaults(void **state) {
        struct eviction_settings s;

        eviction_settings_init(&s);
        assert_int_equal(eviction_settings_finish(&s, NULL), 0);
        assert_string_equal(text_of(s.hard[EVICTION_MEMORY].quantity), "100Mi");
        assert_true(s.hard[EVICTION_NODEFS].share == 10.0f / 100);
        assert_true(s.hard[EVICTION_IMAGEFS].share == 15.0f / 100);
        assert_true(s.hard[EVICTION_NODEFS_INODES].share == 5.0f / 100);
        assert_int_equal(s.hard[EVICTION_PIDS].kind, AMOUNT_NONE);
        assert_int_equal(s.transition_ms, 300000);
        assert_int_equal(s.image_high_percent, 85);
        assert_int_equal(s.image_low_percent, 80);
        assert_int_equal(s.image_min_age_ms, 120000);
}

static void test_what_is_given_replaces_the_defaults(void **state) {
        struct eviction_settings s;

        eviction_settings_init(&s);
        assert_int_equal(eviction_settings_put_list(&s, EVICTION_HARD,
                                                    "nodefs.available<1Gi,pid.available<5%,memory.available<0%", NULL),
                         0);
        assert_int_equal(eviction_settings_finish(&s, NULL), 0);
        assert_string_equal(text_of(s.hard[EVICTION_NODEFS].quantity), "1Gi");
        assert_int_equal(s.hard[EVICTION_PIDS].kind, AMOUNT_SHARE);
        assert_int_equal(s.hard[EVICTION_MEMORY].kind, AMOUNT_NONE);
        assert_int_equal(s.hard[EVICTION_IMAGEFS].kind, AMOUNT_NONE);

        s.merge_defaults = true;
        assert_int_equal(eviction_settings_finish(&s, NULL), 0);
        assert_string_equal(text_of(s.hard[EVICTION_NODEFS].quantity), "1Gi");
        assert_int_equal(s.hard[EVICTION_MEMORY].kind, AMOUNT_NONE); /* it was turned off by name */
        assert_int_equal(s.hard[EVICTION_IMAGEFS].kind, AMOUNT_SHARE);

        assert_int_equal(eviction_settings_put_list(&s, EVICTION_HARD, "", NULL), 0);
        s.merge_defaults = false;
        assert_int_equal(eviction_settings_finish(&s, NULL), 0);
        for (int i = 0; i < _EVICTION_SIGNALS; i++)
                assert_int_equal(s.hard[i].kind, AMOUNT_NONE);
}

static void test_soft(void **state) {
        _cleanup_err_ struct err *err = NULL;
        struct eviction_settings s;

        eviction_settings_init(&s);
        assert_int_equal(eviction_settings_put_list(&s, EVICTION_SOFT, "memory.available<1.5Gi", NULL), 0);
        assert_true(eviction_settings_finish(&s, &err) < 0);
        assert_string_equal(err_text(err),
                            "grace period must be specified for the soft eviction threshold memory.available");
        assert_int_equal(eviction_settings_put_list(&s, EVICTION_SOFT_GRACE, "memory.available=1m30s", NULL), 0);
        assert_int_equal(eviction_settings_put_list(&s, EVICTION_MINIMUM_RECLAIM, "memory.available=10%", NULL), 0);
        assert_int_equal(eviction_settings_finish(&s, NULL), 0);
        assert_int_equal(s.soft_grace_ms[EVICTION_MEMORY], 90000);
        assert_string_equal(text_of(s.soft[EVICTION_MEMORY].quantity), "1536Mi");
        assert_int_equal(s.reclaim[EVICTION_MEMORY].kind, AMOUNT_SHARE);
}

static void test_reserved(void **state) {
        struct eviction_settings s;

        eviction_settings_init(&s);
        assert_false(s.pids_reserved);
        assert_int_equal(eviction_settings_put_list(&s, EVICTION_SYSTEM_RESERVED,
                                                    "cpu=200m,memory=500Mi,ephemeral-storage=1Gi,pid=1k", NULL),
                         0);
        assert_int_equal(eviction_settings_put_list(&s, EVICTION_KUBE_RESERVED, "cpu=1,pid=24", NULL), 0);
        assert_int_equal(eviction_reserved(&s, RESERVED_CPU), 1200);
        assert_int_equal(eviction_reserved(&s, RESERVED_MEMORY), 500ll << 20);
        assert_int_equal(eviction_reserved(&s, RESERVED_STORAGE), 1 << 30);
        assert_int_equal(eviction_reserved(&s, RESERVED_PIDS), 1024);
        assert_true(s.pids_reserved);
}

static const struct {
        enum eviction_map map;
        const char *list, *text;
} refusals[] = {
        { EVICTION_HARD, "disk<1Gi", "unsupported eviction signal disk" },
        { EVICTION_HARD, "memory.available=1Gi", "\"memory.available=1Gi\" has no <" },
        { EVICTION_HARD, "memory.available<-1", "eviction threshold memory.available must be positive: -1" },
        { EVICTION_HARD, "memory.available<0", "eviction threshold memory.available must be positive: 0" },
        { EVICTION_HARD, "memory.available<-5%", "must be >= 0%: -5%" },
        { EVICTION_HARD, "memory.available<100.5%", "must be <= 100%: 100.5%" },
        { EVICTION_HARD, "memory.available<x%", "\"x%\" is not a percentage like 10%" },
        { EVICTION_HARD, "memory.available<nan%", "\"nan%\" is not a percentage like 10%" },
        { EVICTION_HARD, "memory.available<%", "\"%\" is not a percentage like 10%" },
        { EVICTION_HARD, "memory.available<", "memory.available: " },
        { EVICTION_SOFT, "memory.available<1 Gi", "memory.available: " },
        { EVICTION_SOFT_GRACE, "memory.available=5", "\"5\" is not a duration like 1m30s" },
        { EVICTION_SOFT_GRACE, "memory.available=-5s", "invalid eviction grace period specified: -5s" },
        { EVICTION_MINIMUM_RECLAIM, "memory.available=0%", "must be positive: 0%" },
        { EVICTION_MINIMUM_RECLAIM, "memory.available=-1", "negative eviction minimum reclaim specified for" },
        { EVICTION_SYSTEM_RESERVED, "gpu=1", "cannot reserve \"gpu\"" },
        { EVICTION_KUBE_RESERVED, "pid=-1", "resource quantity for \"pid\" cannot be negative: -1" },
};

static void test_refusals(void **state) {
        for (size_t i = 0; i < ELEMENTS(refusals); i++) {
                _cleanup_err_ struct err *err = NULL;
                struct eviction_settings s;

                eviction_settings_init(&s);
                assert_true(eviction_settings_put_list(&s, refusals[i].map, refusals[i].list, &err) < 0);
                if (!strstr(err_text(err), refusals[i].text))
                        fail_msg("row %zu: %s", i, err_text(err));
        }
}

static void test_image_thresholds(void **state) {
        static const struct {
                int high, low;
                int64_t min, max;
                bool right;
        } rows[] = {
                { 100, 0, 1, 0, true },  { 101, 0, 1, 0, false }, { 85, -1, 1, 0, false },  { 80, 80, 1, 0, false },
                { 80, 79, 5, 5, false }, { 80, 79, 5, 6, true },  { 80, 79, -1, 0, false }, { 80, 79, 0, -1, false },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct eviction_settings s;

                eviction_settings_init(&s);
                s.image_high_percent = rows[i].high;
                s.image_low_percent = rows[i].low;
                s.image_min_age_ms = rows[i].min;
                s.image_max_age_ms = rows[i].max;
                if ((eviction_settings_finish(&s, NULL) == 0) != rows[i].right)
                        fail_msg("row %zu", i);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_defaults), cmocka_unit_test(test_what_is_given_replaces_the_defaults),
                cmocka_unit_test(test_soft),     cmocka_unit_test(test_reserved),
                cmocka_unit_test(test_refusals), cmocka_unit_test(test_image_thresholds),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
