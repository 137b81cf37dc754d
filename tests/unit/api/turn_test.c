/* Turns at changing an object: one at a time, in the order of coming, each from what is pending. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/cache/object.h"
#include "api/state/turn.h"
#include "lib/bytes.h"

struct waiter {
        struct api_turn_waiter waiter;
        struct api_turn *turn;
        bool gone;
};

static void on_ready(struct api_turn_waiter *waiter, struct api_turn *turn) {
        struct waiter *w = (struct waiter *)waiter;

        if (w->gone)
                return api_turn_give(turn);
        w->turn = turn;
}

static struct waiter waiter(bool settled) {
        return (struct waiter){ .waiter = { .settled = settled, .ready = on_ready } };
}

static struct object *make_object(struct bytes *json) {
        struct object *object = object_new(&(struct object_parts){ .namespace = "", .name = "a", .json = json });

        assert_non_null(object);
        return object;
}

static void test_order(void **state) {
        struct api_turns *turns = api_turns_new();
        struct waiter a = waiter(false), b = waiter(false), c = waiter(false), d = waiter(false), other = waiter(false);

        assert_int_equal(api_turn_take(turns, "x", &a.waiter, &a.turn), 0);
        assert_int_equal(api_turn_take(turns, "x", &b.waiter, &b.turn), 1);
        assert_int_equal(api_turn_take(turns, "x", &c.waiter, &c.turn), 1);
        assert_int_equal(api_turn_take(turns, "x", &d.waiter, &d.turn), 1);
        assert_int_equal(api_turn_take(turns, "y", &other.waiter, &other.turn), 0);
        api_turn_give(other.turn);
        b.gone = true;
        api_turn_give(a.turn);
        assert_null(b.turn);
        assert_ptr_equal(c.turn, a.turn);
        assert_null(d.turn);
        api_turn_give(c.turn);
        assert_non_null(d.turn);
        api_turn_give(d.turn);
        api_turns_free(turns);
}

static void test_pending(void **state) {
        struct api_turns *turns = api_turns_new();
        struct bytes *json = bytes_copy("{}\n", 3), *read;
        struct object *first = make_object(json), *second = make_object(json), *base;
        struct waiter a = waiter(false), b = waiter(false), c = waiter(true);

        assert_int_equal(api_turn_take(turns, "x", &a.waiter, &a.turn), 0);
        assert_false(api_turn_base(a.turn, &base, &read));
        api_turn_pend(a.turn, first, json, false);
        api_turn_give(a.turn);
        assert_int_equal(api_turn_take(turns, "x", &b.waiter, &b.turn), 0);
        assert_true(api_turn_base(b.turn, &base, &read));
        assert_ptr_equal(base, first);
        assert_ptr_equal(read, json);
        object_unref(base);
        bytes_unref(read);
        api_turn_pend(b.turn, second, json, false);
        assert_int_equal(api_turn_take(turns, "x", &c.waiter, &c.turn), 1);
        api_turn_give(b.turn);
        assert_null(c.turn); /* both are pending */
        api_turn_decided(a.turn, first);
        assert_null(c.turn);
        api_turn_decided(b.turn, second);
        assert_non_null(c.turn);
        assert_false(api_turn_base(c.turn, &base, &read));
        api_turn_give(c.turn);
        api_turns_free(turns);
        object_unref(first);
        object_unref(second);
        bytes_unref(json);
}

/* What is about to go is nothing to begin from. */
static void test_gone(void **state) {
        struct api_turns *turns = api_turns_new();
        struct bytes *json = bytes_copy("{}\n", 3);
        struct object *object = make_object(json);
        struct waiter a = waiter(false), b = waiter(false);

        assert_int_equal(api_turn_take(turns, "x", &a.waiter, &a.turn), 0);
        api_turn_pend(a.turn, object, json, true);
        api_turn_give(a.turn);
        assert_int_equal(api_turn_take(turns, "x", &b.waiter, &b.turn), 1);
        api_turn_decided(a.turn, object);
        assert_non_null(b.turn);
        api_turn_give(b.turn);
        api_turns_free(turns);
        object_unref(object);
        bytes_unref(json);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_order),
                cmocka_unit_test(test_pending),
                cmocka_unit_test(test_gone),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
