#include "cri/state/record.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/files.h"
#include "tests/unit/cri/made_up.h"

static struct cri cri;
static char top[64];

static int setup(void **state) {
        (void)state;
        strcpy(top, "/tmp/nacelle-record-XXXXXX");
        assert_non_null(mkdtemp(top));
        cri.options.root_dir = cri.options.run_dir = top;
        return record_prepare(&cri, NULL);
}

static int teardown(void **state) {
        (void)state;
        made_up_clear(&cri);
        record_finish(&cri);
        return files_remove_tree(top, NULL);
}

static void test_round_trip(void **state) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct cri_sandbox *sandbox = made_up_sandbox(&cri, "s1", "web", "web");
        struct cri_container *container = made_up_container(sandbox, "c1", "one");
        Record__Sandbox *pod;
        Record__Container *record;
        Record__Exit *exit;
        char **ids;

        (void)state;
        assert_int_equal(record_write(&cri, RECORD_SANDBOX, "s1", &record_of_sandbox(arena, sandbox)->base, NULL), 0);
        assert_int_equal(record_write(&cri, RECORD_CONTAINER, "c1", &record_of_container(arena, container)->base, NULL),
                         0);
        assert_int_equal(record_read(&cri, RECORD_SANDBOX, "s1", arena, &pod, NULL), 0);
        assert_int_equal(record_read(&cri, RECORD_CONTAINER, "c1", arena, &record, NULL), 0);
        assert_int_equal(record_read(&cri, RECORD_EXIT, "c1", arena, &exit, NULL), -ENOENT);
        made_up_clear(&cri);
        assert_int_equal(cri_sandbox_new(&cri, pod, &sandbox, NULL), 0);
        assert_int_equal(cri_container_new(sandbox, record, &container, NULL), 0);
        assert_string_equal(container->config->metadata->name, "one");
        assert_string_equal(container->cgroup, "pod/c1");
        assert_string_equal(sandbox->config->labels[0]->value, "web");

        assert_int_equal(record_ids(&cri, RECORD_CONTAINER, arena, &ids, NULL), 0);
        assert_string_equal(ids[0], "c1");
        assert_null(ids[1]);
        assert_int_equal(record_remove(&cri, RECORD_CONTAINER, "c1", NULL), 0);
        assert_int_equal(record_remove(&cri, RECORD_CONTAINER, "c1", NULL), 0);
        assert_int_equal(record_read(&cri, RECORD_CONTAINER, "c1", arena, &record, NULL), -ENOENT);
}

static void test_broken(void **state) {
        static const struct {
                const char *data;
                size_t size;
        } broken[] = { { "", 0 }, { "\x0a\xff", 2 }, { "not a message", 13 }, { "\x0a\x02s9\x22\x7f", 6 } };
        char path[128];

        (void)state;
        for (size_t i = 0; i < ELEMENTS(broken); i++) {
                _cleanup_arena_ struct arena *arena = arena_new();
                _cleanup_err_ struct err *err = NULL;
                Record__Sandbox *record = NULL;

                snprintf(path, sizeof(path), "%s/sandboxes/s9", top);
                assert_int_equal(files_make_dirs(path, 0755, NULL), 0);
                snprintf(path, sizeof(path), "%s/sandboxes/s9/sandbox.pb", top);
                assert_int_equal(files_replace(path, broken[i].data, broken[i].size, 0600, NULL), 0);
                assert_int_equal(record_read(&cri, RECORD_SANDBOX, "s9", arena, &record, &err), -EBADMSG);
                assert_non_null(strstr(err_text(err), "sandbox.pb is not whole"));
                record_set_aside(&cri, RECORD_SANDBOX, "s9");
                assert_int_equal(access(path, F_OK), -1);
                snprintf(path, sizeof(path), "%s/broken/sandboxes-s9/sandbox.pb", top);
                assert_int_equal(access(path, F_OK), 0);
        }
}

/* A record that unpacks, but is no object. */
static void test_half(void **state) {
        Record__Sandbox record = RECORD__SANDBOX__INIT;
        _cleanup_err_ struct err *err = NULL;
        struct cri_sandbox *sandbox;

        (void)state;
        assert_int_equal(cri_sandbox_new(&cri, &record, &sandbox, &err), -EBADMSG);
        record.id = (char *)(uintptr_t) "s5"; /* without a config */
        assert_int_equal(cri_sandbox_new(&cri, &record, &sandbox, NULL), -EBADMSG);
        assert_null(table_find(&cri.sandboxes, "s5"));
}

static void test_too_large(void **state) {
        Record__Exit exit = RECORD__EXIT__INIT;
        _cleanup_err_ struct err *err = NULL;

        (void)state;
        exit.message = malloc(CRI_RECORD_MAX + 2);
        memset(exit.message, 'x', CRI_RECORD_MAX + 1);
        exit.message[CRI_RECORD_MAX + 1] = '\0';
        assert_int_equal(record_write(&cri, RECORD_EXIT, "c7", &exit.base, &err), -E2BIG);
        exit.message[CRI_RECORD_MAX - 16] = '\0';
        assert_int_equal(record_write(&cri, RECORD_EXIT, "c7", &exit.base, NULL), 0);
        free(exit.message);
}

/* Two of one name or id, prefixes, and the order by age. */
static void test_names(void **state) {
        struct cri_sandbox *a, *b, *found;
        _cleanup_err_ struct err *err = NULL;

        (void)state;
        made_up_clear(&cri);
        a = made_up_sandbox(&cri, "ab1", "web", "web");
        assert_null(made_up_sandbox(&cri, "ab2", "web", "web")); /* the name */
        assert_null(made_up_sandbox(&cri, "ab1", "db", "web"));  /* the id */
        b = made_up_sandbox(&cri, "ab3", "db", "web");
        assert_ptr_equal(cri.first_sandbox, a);
        assert_ptr_equal(cri.last_sandbox, b);
        assert_true(a->record->created_at < b->record->created_at);
        assert_int_equal(cri_sandbox_find(&cri, "ab3", &found, NULL), 0);
        assert_ptr_equal(found, b);
        assert_int_equal(cri_sandbox_find(&cri, "ab", &found, &err), -EINVAL);
        b->hidden = true;
        assert_int_equal(cri_sandbox_find(&cri, "ab3", &found, NULL), -ENOENT);
        assert_int_equal(cri_sandbox_find(&cri, "ab", &found, NULL), 0);
        assert_ptr_equal(found, a);
        cri_sandbox_remove(a);
        assert_ptr_equal(cri.first_sandbox, b);
        assert_non_null(made_up_sandbox(&cri, "ab4", "web", "web")); /* the name is free again */
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round_trip), cmocka_unit_test(test_broken), cmocka_unit_test(test_half),
                cmocka_unit_test(test_too_large),  cmocka_unit_test(test_names),
        };
        return cmocka_run_group_tests(tests, setup, teardown);
}
