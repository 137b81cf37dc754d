/* Whatever allocation fails, these fail for want of memory and are whole afterwards. */
#include <stdio.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/index.h"
#include "lib/json.h"
#include "lib/value_edit.h"
#include "lib/work.h"
#include "tests/unit/support/each_allocation.h"

#define OBJECTS 3000

struct object {
        char name[8];
};

INDEX_TEXT_ORDER(name, struct object, name)

static struct object objects[OBJECTS];

/* What was added before the failure is all there. */
static int fill_index(void) {
        struct index index = INDEX_INIT(name_order);
        int r = 0, n = 0;

        for (; n < OBJECTS; n++) {
                r = index_add(&index, &objects[n]);
                if (r < 0)
                        break;
        }
        assert_int_equal(index_count(&index), n);
        for (int i = 0; i < n; i++)
                assert_ptr_equal(index_remove(&index, &objects[(int64_t)i * 7919 % n]),
                                 &objects[(int64_t)i * 7919 % n]);
        index_clear(&index);
        return r;
}

static void test_index(void **state) {
        for (int i = 0; i < OBJECTS; i++)
                snprintf(objects[i].name, sizeof(objects[i].name), "%05d", i * 7919 % OBJECTS);
        assert_true(fail_each_allocation(fill_index) > 50);
}

/* What was taken in is handed out. */
static int fill_queue(void) {
        struct work_queue *queue = work_new(NULL);
        int r = queue ? 0 : -ENOMEM, added = 0, got = 0;
        struct work_item *item;
        char key[16];

        for (int i = 0; r >= 0 && i < 100; i++) {
                snprintf(key, sizeof(key), "k%d", i);
                r = i % 2 ? work_add(queue, key) : work_add_after(queue, key, 0, 5);
                added += r >= 0;
        }
        while (queue && (item = work_get(queue, 10))) {
                if (got++ < added)
                        work_retry(queue, item, 10);
                work_done(queue, item);
        }
        assert_int_equal(got, added);
        assert_int_equal(queue ? work_waiting(queue) : 0, (size_t)added);
        work_free(queue);
        return r;
}

static void test_queue(void **state) {
        assert_true(fail_each_allocation(fill_queue) > 100);
}

static int edit(void) {
        static const char text[] = "{\"a\":{\"b\":[1,2,3]},\"c\":{}}";
        struct arena *arena = arena_new();
        const struct value *value = NULL;
        struct value_edit edit;
        int r = arena ? json_parse(arena, text, strlen(text), NULL, &value, NULL) : -ENOMEM;

        if (r >= 0) {
                value_edit_begin(&edit, arena, value);
                for (int i = 0; r >= 0 && i < 200; i++)
                        r = value_edit_set(&edit, "/a/b/-", &(struct value)VALUE_INTEGER(i), NULL);
                if (r >= 0)
                        r = value_edit_set(&edit, "/x/y/z", value, NULL);
                if (r >= 0 && !value_edit_end(&edit))
                        r = -ENOMEM;
        }
        arena_free(arena);
        return r;
}

static void test_edit(void **state) {
        assert_true(fail_each_allocation(edit) > 5);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_index),
                cmocka_unit_test(test_queue),
                cmocka_unit_test(test_edit),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
