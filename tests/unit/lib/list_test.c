#include "lib/list.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct thing {
        char name;
        struct list_node in_row;
        struct list_node in_other;
};

LIST_DEFINE(row, struct thing, in_row)
LIST_DEFINE(other, struct thing, in_other)

static const char *names(const struct row *row) {
        static char text[16];
        size_t n = 0;

        LIST_EACH (row, thing, row)
                text[n++] = thing->name;
        text[n] = '\0';
        for (struct thing *thing = row_last(row); thing; thing = row_previous(row, thing))
                assert_int_equal(text[--n], thing->name);
        assert_int_equal(n, 0);
        return text;
}

static void test_order(void **state) {
        struct thing a = { .name = 'a' }, b = { .name = 'b' }, c = { .name = 'c' }, d = { .name = 'd' };
        struct row row = { 0 }, more = { 0 };
        struct other other = { 0 };

        assert_true(row_is_empty(&row));
        assert_null(row_first(&row));
        assert_null(row_last(&row));
        assert_null(row_pop(&row));
        row_prepend(&row, &b);
        row_append(&row, &d);
        row_prepend(&row, &a);
        row_insert(&row, &d, &c);
        assert_string_equal(names(&row), "abcd");
        other_append(&other, &c);
        row_remove(&c);
        assert_false(row_contains(&c));
        assert_true(other_contains(&c));
        assert_string_equal(names(&row), "abd");
        row_insert(&row, NULL, &c);
        assert_string_equal(names(&row), "abdc");
        assert_ptr_equal(row_pop(&row), &a);
        row_append(&more, &a);
        row_take(&more, &row);
        assert_string_equal(names(&more), "abdc");
        assert_string_equal(names(&row), "");
        row_insert(&row, NULL, row_pop(&more));
        assert_string_equal(names(&row), "a");
}

static void test_removal_while_walking(void **state) {
        struct thing things[8];
        struct row row = { 0 };

        memset(things, 0, sizeof(things));
        for (int i = 0; i < 8; i++) {
                things[i].name = (char)('0' + i);
                row_append(&row, &things[i]);
        }
        LIST_EACH (row, thing, &row)
                if (thing->name % 2) {
                        row_remove(thing);
                        memset(thing, 0xff, sizeof(*thing));
                }
        assert_string_equal(names(&row), "0246");
}

static void add_twice(void) {
        struct row row = { 0 };
        struct thing a = { 0 };

        row_append(&row, &a);
        row_append(&row, &a);
}

static void remove_what_is_not_there(void) {
        struct thing a = { 0 };

        row_remove(&a);
}

static void test_misuse(void **state) {
        static void (*const wrong[])(void) = { add_twice, remove_what_is_not_there };

        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                pid_t pid = fork();
                int status;

                if (pid == 0) {
                        signal(SIGABRT, SIG_DFL);
                        close(STDERR_FILENO);
                        wrong[i]();
                        _exit(0);
                }
                assert_int_equal(waitpid(pid, &status, 0), pid);
                assert_true(WIFSIGNALED(status));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_order),
                cmocka_unit_test(test_removal_while_walking),
                cmocka_unit_test(test_misuse),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
