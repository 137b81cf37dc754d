#include "lib/index.h"

#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define MANY 100000
#define RANDOM_STEPS 200000
#define RANDOM_KEYS 2000

struct object {
        char name[16], namespace[8];
};

INDEX_TEXT_ORDER(name, struct object, name)
INDEX_PAIR_ORDER(place, struct object, namespace, name)

static uint32_t seed = 1;

static uint32_t draw(uint32_t below) {
        seed = seed * 1664525u + 1013904223u;
        return (uint32_t)(((uint64_t)seed * below) >> 32);
}

static struct object *make(uint32_t n) {
        struct object *objects = calloc(n, sizeof(*objects));

        assert_non_null(objects);
        for (uint32_t i = 0; i < n; i++)
                snprintf(objects[i].name, sizeof(objects[i].name), "o%06u", i);
        return objects;
}

/* In order, linked both ways, counted rightly. */
static void check(const struct index *index, size_t n) {
        struct index_cursor cursor = index_seek(index, NULL, NULL);
        const struct object *before = NULL;
        size_t found = 0;

        for (struct object *o = index_at(&cursor); o; o = index_next(&cursor), found++) {
                assert_true(!before || name_order(before, o) < 0);
                before = o;
        }
        assert_int_equal(found, n);
        assert_int_equal(index_count(index), n);
        cursor = index_seek_after(index, NULL, NULL);
        assert_null(index_at(&cursor));
        while (index_previous(&cursor))
                found--;
        assert_int_equal(found, 0);
}

static void test_empty(void **state) {
        struct index index = INDEX_INIT(name_order);
        struct index_cursor cursor = index_seek(&index, name_key, "a");
        struct object o = { .name = "a" };

        assert_null(index_at(&cursor));
        assert_null(index_next(&cursor));
        assert_null(index_previous(&cursor));
        assert_null(index_find(&index, name_key, "a"));
        assert_null(index_remove(&index, &o));
        assert_int_equal(index_rank(&index, name_key, "a"), 0);
        assert_int_equal(index_add(&index, &o), 0);
        assert_int_equal(index_add(&index, &o), -EEXIST);
        assert_ptr_equal(index_remove(&index, &o), &o);
        check(&index, 0);
        index_clear(&index);
}

/* Beside an array that says which objects are in. */
static void test_random(void **state) {
        struct index index = INDEX_INIT(name_order);
        struct object *objects = make(RANDOM_KEYS);
        bool *in = calloc(RANDOM_KEYS, sizeof(*in));
        size_t n = 0;

        assert_non_null(in);
        for (int step = 0; step < RANDOM_STEPS; step++) {
                /* Phases in which most are added and in which most are removed. */
                bool adds = draw(8) < ((step / 20000) % 2 ? 2u : 6u);
                uint32_t i = draw(RANDOM_KEYS);

                if (adds) {
                        assert_int_equal(index_add(&index, &objects[i]), in[i] ? -EEXIST : 0);
                        n += !in[i];
                } else {
                        assert_ptr_equal(index_remove(&index, &objects[i]), in[i] ? &objects[i] : NULL);
                        n -= in[i];
                }
                in[i] = adds;
                if (step % 5000 == 0) {
                        size_t rank = 0;

                        check(&index, n);
                        for (uint32_t j = 0; j < RANDOM_KEYS; j++) {
                                struct index_cursor at = index_seek(&index, name_key, objects[j].name);

                                assert_ptr_equal(index_find(&index, name_key, objects[j].name),
                                                 in[j] ? &objects[j] : NULL);
                                assert_int_equal(index_rank(&index, name_key, objects[j].name), rank);
                                assert_true(!in[j] || index_at(&at) == &objects[j]);
                                rank += in[j];
                        }
                }
        }
        for (uint32_t i = 0; i < RANDOM_KEYS; i++)
                index_remove(&index, &objects[i]);
        check(&index, 0);
        assert_null(index.root);
        free(objects);
        free(in);
}

static void test_ranges(void **state) {
        struct index index = INDEX_INIT(name_order);
        struct object *objects = make(5000);
        struct index_cursor cursor;
        struct object *o;
        size_t n = 0;

        for (uint32_t i = 0; i < 5000; i++)
                assert_int_equal(index_add(&index, &objects[(i * 7919) % 5000]), 0);
        INDEX_EACH (struct object, each, &index, name_prefix, "o0012")
                assert_ptr_equal(each, &objects[1200 + n++]);
        assert_int_equal(n, 100);
        INDEX_EACH (struct object, each, &index, name_prefix, "p")
                fail();
        cursor = index_seek(&index, name_key, "o001200x");
        assert_ptr_equal(index_at(&cursor), &objects[1201]);
        assert_ptr_equal(index_previous(&cursor), &objects[1200]);
        cursor = index_seek_after(&index, name_prefix, "o0012");
        assert_ptr_equal(index_at(&cursor), &objects[1300]);
        assert_int_equal(index_rank(&index, name_key, "o001300"), 1300);
        cursor = index_seek_after(&index, name_key, "o004999");
        assert_null(index_at(&cursor));
        o = index_previous(&cursor);
        assert_ptr_equal(o, &objects[4999]);
        index_clear(&index);
        free(objects);
}

static void test_pairs(void **state) {
        struct index index = INDEX_INIT(place_order);
        struct object *objects = make(3000);
        const struct index_pair all = { 0 }, one = { "n1", NULL }, exact = { "n2", "o000100" };
        size_t n = 0;

        for (uint32_t i = 0; i < 3000; i++) {
                snprintf(objects[i].namespace, sizeof(objects[i].namespace), "n%u", i % 3);
                snprintf(objects[i].name, sizeof(objects[i].name), "o%06u", i / 3);
                assert_int_equal(index_add(&index, &objects[i]), 0);
        }
        INDEX_EACH (struct object, each, &index, place_key, &one)
                assert_ptr_equal(each, &objects[3 * n++ + 1]);
        assert_int_equal(n, 1000);
        INDEX_EACH (struct object, each, &index, place_key, &all)
                n++;
        assert_int_equal(n, 4000);
        assert_ptr_equal(index_find(&index, place_key, &exact), &objects[302]);
        assert_int_equal(index_rank(&index, place_key, &exact), 2100);
        index_clear(&index);
        free(objects);
}

/* Bytes of the heap that an object takes in the index. */
static double cost(const uint32_t *order, struct object *objects) {
        struct index index = INDEX_INIT(name_order);
        size_t before = mallinfo2().uordblks;
        double each;

        for (uint32_t i = 0; i < MANY; i++)
                assert_int_equal(index_add(&index, &objects[order[i]]), 0);
        each = (double)(mallinfo2().uordblks - before) / MANY;
        check(&index, MANY);
        index_clear(&index);
        return each;
}

static void test_memory(void **state) {
        struct object *objects = make(MANY);
        uint32_t *order = calloc(MANY, sizeof(*order));
        double ascending, shuffled;

        assert_non_null(order);
        for (uint32_t i = 0; i < MANY; i++)
                order[i] = i;
        ascending = cost(order, objects);
        for (uint32_t i = MANY - 1; i > 0; i--) {
                uint32_t j = draw(i + 1), kept = order[i];

                order[i] = order[j];
                order[j] = kept;
        }
        shuffled = cost(order, objects);
        print_message("bytes an object: %.1f in order, %.1f shuffled\n", ascending, shuffled);
        assert_true(ascending < 9.5);
        assert_true(shuffled < 14);
        free(objects);
        free(order);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_empty), cmocka_unit_test(test_random), cmocka_unit_test(test_ranges),
                cmocka_unit_test(test_pairs), cmocka_unit_test(test_memory),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
