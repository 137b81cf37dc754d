#include "agent/eviction/decide.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "agent/eviction/images.h"
#include "agent/eviction/observe.h"
#include "lib/cleanup.h"

#define MI ((int64_t)1 << 20)

static struct eviction_settings settings;
static struct eviction_observation seen[_EVICTION_SIGNALS];
static struct eviction_state state_now;
static struct eviction_verdict verdict;

static int set_up(void **state) {
        eviction_settings_init(&settings);
        eviction_settings_put_list(&settings, EVICTION_HARD, "", NULL);
        memset(&state_now, 0, sizeof(state_now));
        for (int i = 0; i < _EVICTION_SIGNALS; i++)
                seen[i] = (struct eviction_observation){ true, 1000 * MI, 1000 * MI };
        return 0;
}

static void put(enum eviction_map map, const char *list) {
        assert_int_equal(eviction_settings_put_list(&settings, map, list, NULL), 0);
}

static void decide(int64_t now) {
        eviction_decide(&settings, seen, now, &state_now, &verdict);
}

static void test_hard(void **state) {
        put(EVICTION_HARD, "nodefs.available<10%,memory.available<100Mi");
        seen[EVICTION_NODEFS].available = 100 * MI + 1; /* 10%, as a float, is a little more than a tenth */
        decide(1);
        assert_int_equal(verdict.threshold, -1);
        assert_int_equal(verdict.conditions, 0);
        assert_true(eviction_resolved(&settings, seen));
        seen[EVICTION_NODEFS].available = 100 * MI - 1;
        decide(2);
        assert_int_equal(verdict.threshold, EVICTION_NODEFS);
        assert_int_equal(verdict.conditions, 1u << DISK_PRESSURE);
        assert_false(eviction_resolved(&settings, seen));
        seen[EVICTION_MEMORY].available = 100 * MI - 1; /* goes before all else */
        decide(3);
        assert_int_equal(verdict.threshold, EVICTION_MEMORY);
        assert_int_equal(verdict.conditions, 1u << DISK_PRESSURE | 1u << MEMORY_PRESSURE);
        seen[EVICTION_MEMORY].available = 100 * MI;
        decide(4);
        assert_int_equal(verdict.threshold, EVICTION_NODEFS);
}

static void test_what_is_not_known_is_not_met(void **state) {
        put(EVICTION_HARD, "nodefs.inodesFree<99%");
        seen[EVICTION_NODEFS_INODES] = (struct eviction_observation){ .known = false };
        decide(1);
        assert_int_equal(verdict.threshold, -1);
}

static void test_condition_outlasts_the_threshold(void **state) {
        settings.transition_ms = 100;
        put(EVICTION_HARD, "pid.available<500Mi");
        seen[EVICTION_PIDS].available = 1;
        decide(1000);
        assert_int_equal(verdict.conditions, 1u << PID_PRESSURE);
        seen[EVICTION_PIDS].available = 600 * MI;
        decide(1099);
        assert_int_equal(verdict.threshold, -1);
        assert_int_equal(verdict.conditions, 1u << PID_PRESSURE);
        assert_int_equal(verdict.next, 1100);
        decide(1100);
        assert_int_equal(verdict.conditions, 0);
        assert_true(verdict.next == INT64_MAX);
}

static void test_soft_acts_after_its_grace(void **state) {
        const int soft = _EVICTION_SIGNALS + EVICTION_MEMORY;

        settings.max_pod_grace = 20;
        put(EVICTION_SOFT, "memory.available<200Mi");
        put(EVICTION_SOFT_GRACE, "memory.available=10s");
        seen[EVICTION_MEMORY].available = 150 * MI;
        decide(1000);
        assert_int_equal(verdict.threshold, -1);
        assert_int_equal(verdict.conditions, 1u << MEMORY_PRESSURE);
        assert_int_equal(verdict.next, 11000);
        decide(10999);
        assert_int_equal(verdict.threshold, -1);
        decide(11000);
        assert_int_equal(verdict.threshold, soft);
        assert_false(eviction_is_hard(&settings, soft));
        assert_int_equal(eviction_grace(&settings, soft, 30), 20);
        assert_int_equal(eviction_grace(&settings, soft, 5), 5);
        settings.max_pod_grace = -1;
        assert_int_equal(eviction_grace(&settings, soft, 30), 30);
        settings.max_pod_grace = 0;
        assert_int_equal(eviction_grace(&settings, soft, 30), 1);
        assert_int_equal(eviction_grace(&settings, EVICTION_MEMORY, 30), 1); /* hard */
        seen[EVICTION_MEMORY].available = 200 * MI;                          /* once is enough to begin anew */
        decide(12000);
        seen[EVICTION_MEMORY].available = 150 * MI;
        decide(13000);
        assert_int_equal(verdict.threshold, -1);
        assert_int_equal(verdict.next, 23000);
}

static void test_minimum_reclaim(void **state) {
        put(EVICTION_HARD, "imagefs.available<100Mi");
        put(EVICTION_MINIMUM_RECLAIM, "imagefs.available=50Mi");
        seen[EVICTION_IMAGEFS].available = 120 * MI;
        decide(1);
        assert_int_equal(verdict.threshold, -1); /* counts only when the threshold was met */
        seen[EVICTION_IMAGEFS].available = 99 * MI;
        decide(2);
        assert_int_equal(verdict.threshold, EVICTION_IMAGEFS);
        seen[EVICTION_IMAGEFS].available = 149 * MI;
        assert_false(eviction_resolved(&settings, seen));
        decide(3);
        assert_int_equal(verdict.threshold, EVICTION_IMAGEFS);
        seen[EVICTION_IMAGEFS].available = 150 * MI;
        assert_true(eviction_resolved(&settings, seen));
        decide(4);
        assert_int_equal(verdict.threshold, -1);
}

static void test_what_the_message_says(void **state) {
        struct quantity quantity, available;
        char text[QUANTITY_TEXT_MAX];

        put(EVICTION_HARD, "nodefs.available<100Mi,imagefs.available<20%");
        seen[EVICTION_IMAGEFS] = (struct eviction_observation){ true, 100 * MI, 1000 * MI };
        decide(1);
        assert_int_equal(verdict.threshold, EVICTION_IMAGEFS);
        eviction_met(&settings, &state_now, seen, verdict.threshold, &quantity, &available);
        assert_string_equal(quantity_format(available, text), "100Mi");
        assert_int_equal(quantity_units(quantity), (int64_t)((double)(1000 * MI) * (double)(20.0f / 100)));
}

static void test_rest(void **state) {
        put(EVICTION_HARD, "nodefs.available<100Mi");
        seen[EVICTION_NODEFS].capacity = seen[EVICTION_NODEFS].available = 100 * MI + 30000 * EVICTION_BYTES_PER_MS;
        assert_int_equal(eviction_rest(&settings, seen), 30000);
        seen[EVICTION_NODEFS].available = 50 * MI;
        assert_int_equal(eviction_rest(&settings, seen), EVICTION_LOOK_MS);
        seen[EVICTION_NODEFS].available = INT64_MAX;
        assert_int_equal(eviction_rest(&settings, seen), EVICTION_REST_MS);
}

static void test_meminfo(void **state) {
        struct eviction_observation memory = { .known = false };

        assert_int_equal(eviction_observer_parse_memory(
                                 "MemTotal:       1000 kB\nMemFree:          10 kB\nInactive:        500 kB\n"
                                 "Inactive(anon):  200 kB\nInactive(file):  300 kB\n",
                                 &memory),
                         0);
        assert_true(memory.known);
        assert_int_equal(memory.capacity, 1000 * 1024);
        assert_int_equal(memory.available, 310 * 1024);
        assert_true(eviction_observer_parse_memory("MemTotal:       1000 kB\n", &memory) < 0);
        assert_true(eviction_observer_parse_memory("", &memory) < 0);
}

/* -- images ------------------------------------------------------------------------------------------------ */

static void see(struct image_records *records, int64_t now, const char *used) {
        eviction_images_begin(records, now);
        for (const char *id = "abcd"; *id; id++) {
                const char name[] = { *id, '\0' };

                assert_int_equal(eviction_images_see(records, name, 10, *id == 'd', now - 100 * (*id - 'a')), 0);
                if (strchr(used, *id))
                        eviction_images_use(records, name, now);
        }
        eviction_images_end(records);
}

/* The ids in the order in which they go. */
static const char *order(struct image_records *records, int64_t now) {
        static char text[16];
        const struct image_record *record;
        size_t n = 0;

        while ((record = eviction_images_next(records, &settings, now)))
                text[n++] = record->id[0];
        text[n] = '\0';
        return text;
}

static void test_images(void **state) {
        struct image_records records = { .n = 0 };

        settings.image_min_age_ms = 150;
        see(&records, 1000, "a");
        assert_string_equal(order(&records, 1000), "c"); /* a is used, b too young, d pinned */
        assert_int_equal(eviction_images_due(&records, &settings, true, 1000), 1050);
        assert_true(eviction_images_due(&records, &settings, false, 1000) == INT64_MAX);
        see(&records, 2000, "c");
        assert_string_equal(order(&records, 2000), "ba"); /* b was never used */
        eviction_images_begin(&records, 3000);
        eviction_images_end(&records);
        assert_string_equal(order(&records, 3000), "");
        eviction_images_clear(&records);
}

static void test_old_images(void **state) {
        struct image_records records = { .n = 0 };

        settings.image_min_age_ms = 1;
        settings.image_max_age_ms = 500;
        see(&records, 1000, "a");
        assert_null(eviction_images_next_old(&records, &settings, 1500)); /* nobody knows yet what is used */
        assert_int_equal(eviction_images_due(&records, &settings, false, 1000), 1501);
        see(&records, 1501, "");
        assert_string_equal(eviction_images_next_old(&records, &settings, 1501)->id, "c");
        assert_string_equal(eviction_images_next_old(&records, &settings, 1501)->id, "b");
        assert_string_equal(eviction_images_next_old(&records, &settings, 1501)->id, "a");
        assert_null(eviction_images_next_old(&records, &settings, 1501));
        eviction_images_clear(&records);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_hard, set_up),
                cmocka_unit_test_setup(test_what_is_not_known_is_not_met, set_up),
                cmocka_unit_test_setup(test_condition_outlasts_the_threshold, set_up),
                cmocka_unit_test_setup(test_soft_acts_after_its_grace, set_up),
                cmocka_unit_test_setup(test_minimum_reclaim, set_up),
                cmocka_unit_test_setup(test_what_the_message_says, set_up),
                cmocka_unit_test_setup(test_rest, set_up),
                cmocka_unit_test(test_meminfo),
                cmocka_unit_test_setup(test_images, set_up),
                cmocka_unit_test_setup(test_old_images, set_up),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
