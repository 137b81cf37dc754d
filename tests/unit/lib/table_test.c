#include "lib/table.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define OBJECTS 1000

struct object {
        char key[16];
        struct table_node node;
};

static void test_many(void **state) {
        static struct object objects[OBJECTS], twin;
        struct table table = { 0 };

        (void)state;
        assert_null(table_find(&table, "0"));
        for (int i = 0; i < OBJECTS; i++) {
                snprintf(objects[i].key, sizeof(objects[i].key), "key-%d", i);
                assert_int_equal(table_add(&table, &objects[i].node, objects[i].key), 0);
        }
        assert_int_equal(table.n, OBJECTS);
        assert_true(table.n_buckets >= OBJECTS / 2);
        assert_int_equal(table_add(&table, &twin.node, "key-7"), -EEXIST);
        for (int i = 0; i < OBJECTS; i++)
                assert_ptr_equal(table_object(table_find(&table, objects[i].key), struct object, node), &objects[i]);
        for (int i = 0; i < OBJECTS; i += 2)
                table_remove(&table, &objects[i].node);
        table_remove(&table, &objects[0].node); /* again: nothing happens */
        for (int i = 0; i < OBJECTS; i++)
                assert_int_equal(table_find(&table, objects[i].key) != NULL, i % 2);
        assert_int_equal(table.n, OBJECTS / 2);
        assert_null(table_object(table_find(&table, "none"), struct object, node));
        table_clear(&table);
        assert_int_equal(table.n, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_many) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
