/* JSON to a struct, beside the tree's reader, which must agree with it; and back. */
#include <errno.h>
#include <stdint.h>

#include "kube/problem.h"
#include "kube/codec/strict.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/value.h"
#include "tests/fuzz/kube_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void *read_tree(struct arena *arena, const struct kube_type *type, const char *text, size_t length,
                       bool *ret_clean) {
        const struct value *value;
        struct problems problems;
        struct err *err = NULL;
        void *object = arena_alloc(arena, type->size);

        *ret_clean = false;
        if (json_parse(arena, text, length, NULL, &value, &err) < 0) {
                err_free(err);
                return NULL;
        }
        problems_init(&problems, arena, NULL, NULL);
        if (kube_value_read(arena, type, value, "", &problems, object) < 0)
                abort();
        *ret_clean = problems.warnings == 0;
        return problems.errors > 0 ? NULL : object;
}

/* A raw member keeps its text in one and is written anew in the other: equal as values. */
static void agree(struct arena *arena, const struct kube_type *type, const void *a, const void *b) {
        size_t a_length, b_length;
        char *a_text = fuzz_json(type, a, &a_length), *b_text = fuzz_json(type, b, &b_length);
        const struct value *a_value, *b_value;

        if (json_parse(arena, a_text, a_length, NULL, &a_value, NULL) == 0 &&
            json_parse(arena, b_text, b_length, NULL, &b_value, NULL) == 0 && !value_equal(a_value, b_value))
                abort();
        free(a_text);
        free(b_text);
}

static void hear(void *data, const char *text) {
        *(bool *)data = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const struct kube_type *type = fuzz_type(size > 0 ? data[0] : 0);
        const char *text = (const char *)data + (size > 0);
        size_t length = size > 0 ? size - 1 : 0;
        struct arena *arena = arena_new();
        void *object = arena_alloc(arena, type->size), *other;
        bool odd, clean, told = false;
        int r = kube_json_read(arena, type, text, length, &odd, object);

        other = read_tree(arena, type, text, length, &clean);
        if (r == -EINVAL && other)
                abort();
        if (r == 0 && other && clean == odd)
                abort();
        if (r == 0 && other && !odd && !memmem(text, length, "\\u", 2)) /* half pairs are not one thing to all */
                agree(arena, type, object, other);
        if (r == 0 && (kube_json_strict(type, text, length, hear, &told) < 0 || (told && !odd)))
                abort();
        if (r == 0)
                fuzz_round(arena, type, object);
        arena_free(arena);
        return 0;
}
