#include "lib/grow.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/cleanup.h"
#include "tests/unit/support/memory.h"

#define NUMBERS_MAX 100

struct wide {
        char text[1000];
};

static void test_room_doubles_and_what_is_there_stays(void **state) {
        _cleanup_free_ unsigned *numbers = NULL;
        size_t room = 0, moves = 0;

        for (unsigned n = 0; n < 10000; n++) {
                size_t before = room;

                assert_int_equal(GROW(numbers, room, n + 1, GROW_NO_MAX), 0);
                assert_true(room > n);
                moves += room != before;
                numbers[n] = n;
        }
        assert_true(moves <= 10);
        for (unsigned n = 0; n < 10000; n++)
                assert_int_equal(numbers[n], n);
}

static void test_wide_items_have_room_for_a_few_at_once(void **state) {
        _cleanup_free_ struct wide *items = NULL;
        size_t room = 0;

        assert_int_equal(GROW(items, room, 1, GROW_NO_MAX), 0);
        assert_int_equal(room, 4);
}

static void test_many_at_once(void **state) {
        _cleanup_free_ char *text = NULL;
        size_t room = 0;

        assert_int_equal(GROW(text, room, 0, GROW_NO_MAX), 0);
        assert_null(text);
        assert_int_equal(GROW(text, room, 5000, GROW_NO_MAX), 0);
        assert_int_equal(room, 5000);
        assert_int_equal(GROW(text, room, 5001, GROW_NO_MAX), 0);
        assert_int_equal(room, 10000);
}

static void test_the_maximum_is_reached_and_not_passed(void **state) {
        _cleanup_free_ unsigned *numbers = NULL;
        unsigned *last;
        size_t room = 0;

        for (unsigned n = 0; n < NUMBERS_MAX; n++)
                assert_int_equal(GROW(numbers, room, n + 1, NUMBERS_MAX), 0);
        assert_int_equal(room, NUMBERS_MAX);
        last = numbers;
        assert_int_equal(GROW(numbers, room, NUMBERS_MAX + 1, NUMBERS_MAX), -E2BIG);
        assert_ptr_equal(numbers, last);
        assert_int_equal(room, NUMBERS_MAX);
}

static void test_a_small_count_is_not_overflown(void **state) {
        _cleanup_free_ char *text = NULL;
        uint8_t room = 0;

        assert_int_equal(GROW(text, room, UINT8_MAX, GROW_NO_MAX), 0);
        assert_int_equal(room, UINT8_MAX);
        assert_int_equal(GROW(text, room, UINT8_MAX + 1, GROW_NO_MAX), -E2BIG);
        assert_int_equal(room, UINT8_MAX);
}

static void test_without_memory_all_is_as_it_was(void **state) {
        _cleanup_free_ struct wide *items = NULL;
        struct wide *last;
        size_t room = 0;

        assert_int_equal(GROW(items, room, 3, GROW_NO_MAX), 0);
        last = items;
        assert_int_equal(GROW(items, room, SIZE_MAX / sizeof(*items) + 1, GROW_NO_MAX), -ENOMEM);
        if (memory_can_fail()) {
                int r;

                memory_fail(1, 1);
                r = GROW(items, room, 5, GROW_NO_MAX);
                memory_fail(0, 0);
                assert_int_equal(r, -ENOMEM);
        }
        assert_ptr_equal(items, last);
        assert_int_equal(room, 4);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_room_doubles_and_what_is_there_stays),
                cmocka_unit_test(test_wide_items_have_room_for_a_few_at_once),
                cmocka_unit_test(test_many_at_once),
                cmocka_unit_test(test_the_maximum_is_reached_and_not_passed),
                cmocka_unit_test(test_a_small_count_is_not_overflown),
                cmocka_unit_test(test_without_memory_all_is_as_it_was),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
