#include "lib/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_alignment_and_zero(void **state) {
        _cleanup_arena_ struct arena *arena = arena_new();

        for (size_t size = 0; size < 300; size++) {
                unsigned char *p = arena_alloc(arena, size);

                assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
                for (size_t i = 0; i < size; i++)
                        assert_int_equal(p[i], 0);
                memset(p, 0xff, size);
                arena_strndup(arena, "x", 1); /* takes the next object off its alignment */
        }
}

/* Objects of every size keep what was written to them while others come and chunks grow. */
static void test_no_overlap(void **state) {
        _cleanup_arena_ struct arena *arena = arena_new();
        char *texts[200];

        for (size_t i = 0; i < 200; i++)
                texts[i] = arena_printf(arena, "%0*zu", (int)(i * 7 % 900 + 3), i);
        for (size_t i = 0; i < 200; i++) {
                assert_int_equal(strlen(texts[i]), i * 7 % 900 + 3);
                assert_int_equal(strtoul(texts[i], NULL, 10), i);
        }
}

static void test_large(void **state) {
        _cleanup_arena_ struct arena *arena = arena_new();
        char *small = arena_strdup(arena, "small"), *large = arena_alloc(arena, 3 * ARENA_CHUNK_LAST), *after;

        memset(large, 'x', 3 * ARENA_CHUNK_LAST);
        after = arena_strdup(arena, "after");
        assert_string_equal(small, "small");
        assert_int_equal(after - small, sizeof("small")); /* the chunk before the large one still has room */
        assert_true(arena_size(arena) < 4 * ARENA_CHUNK_LAST);
}

/* What one arena gave out fits in the first chunk of one made for it, however its alignment falls. */
static void test_room_for_as_much(void **state) {
        for (size_t n = 1; n < 300; n += 7) {
                _cleanup_arena_ struct arena *arena = arena_new();
                _cleanup_arena_ struct arena *other = NULL;
                size_t first = 0;

                for (size_t i = 0; i < n; i++) {
                        arena_alloc(arena, i * 13 % 90);
                        arena_strndup(arena, "0123456789abcdef", i % 16);
                }
                assert_non_null(other = arena_new_like(arena, 0));
                for (size_t i = 0; i < n; i++) {
                        arena_alloc(other, i * 13 % 90);
                        if (i == 0)
                                first = arena_size(other);
                        arena_strndup(other, "0123456789abcdef", i % 16);
                }
                assert_int_equal(arena_size(other), first);
        }
}

static void test_refusals(void **state) {
        _cleanup_arena_ struct arena *arena = arena_new();

        assert_null(arena_alloc_array(arena, SIZE_MAX / 2, 4));
        assert_null(arena_alloc(arena, SIZE_MAX));
        assert_null(arena_strdup(arena, NULL));
        assert_non_null(arena_alloc_array(arena, 0, 8));
        assert_null(arena_free(NULL));
}

static void fill(struct arena *arena) {
        for (size_t i = 0; i < 100; i++) {
                assert_non_null(arena_alloc(arena, i * 7 + 1));
                assert_non_null(arena_strndup(arena, "0123456789abcdefghijklmnopqrstuvwxyz", i % 37));
        }
}

/* What is made again in the same order fits into one chunk, with the spare bytes. */
static void test_like(void **state) {
        _cleanup_arena_ struct arena *first = arena_new(), *like = NULL;
        size_t size;

        fill(first);
        like = arena_new_like(first, 100);
        assert_non_null(like);
        assert_non_null(arena_alloc(like, 1));
        size = arena_size(like);
        assert_true(size < arena_size(first));
        fill(like);
        assert_non_null(arena_strndup(like, "", 0));
        assert_int_equal(arena_size(like), size);
}

static void note(void *data) {
        strcat(data, "x");
}

static void note_other(void *data) {
        strcat(data, "y");
}

/* The last first, once. */
static void test_deferred(void **state) {
        struct arena *arena = arena_new();
        char text[8] = "";

        assert_true(arena_defer(arena, note, text));
        assert_true(arena_defer(arena, note_other, text));
        assert_string_equal(text, "");
        arena_reset(arena);
        assert_string_equal(text, "yx");
        assert_true(arena_defer(arena, note, text));
        arena_free(arena);
        assert_string_equal(text, "yxx");
}

/* It costs what it is long, not what it was each time. */
static void test_text(void **state) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct arena_text text = { .arena = arena };

        assert_string_equal(arena_text_of(&text), "");
        for (unsigned i = 0; i < 10000; i++)
                arena_text_add(&text, "%s%u", i > 0 ? "," : "", i % 10);
        assert_int_equal(text.length, 19999);
        assert_int_equal(strlen(arena_text_of(&text)), 19999);
        assert_memory_equal(arena_text_of(&text) + 19990, "5,6,7,8,9", 10);
        assert_true(arena_size(arena) < 8 * (size_t)19999);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_text),
                cmocka_unit_test(test_like),
                cmocka_unit_test(test_deferred),
                cmocka_unit_test(test_alignment_and_zero),
                cmocka_unit_test(test_no_overlap),
                cmocka_unit_test(test_large),
                cmocka_unit_test(test_room_for_as_much),
                cmocka_unit_test(test_refusals),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
