/* JSON Pointers of any bytes, and edits by them: the first byte says how long the pointer is, the rest is the document.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/json.h"
#include "lib/pointer.h"
#include "lib/value_edit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void edit(struct arena *arena, const struct value *root, const char *text, const struct pointer *pointer) {
        static const struct value mark = { .kind = VALUE_STRING, .count = 4, .text = "mark" };
        const struct value *copy = value_copy(arena, root), *after;
        struct value_edit e;
        int r;

        value_edit_begin(&e, arena, root);
        r = value_edit_set(&e, text, &mark, NULL);
        after = value_edit_end(&e);
        if (r >= 0 && (pointer->n == 0 || strcmp(pointer->tokens[pointer->n - 1], "-") != 0) &&
            !memmem(text, strlen(text), "/-", 2) && !value_equal(pointer_get(after, pointer), &mark))
                abort();
        value_edit_begin(&e, arena, after);
        (void)value_edit_add(&e, text, root, NULL);
        (void)value_edit_remove(&e, text, NULL);
        (void)value_edit_add(&e, text, &mark, NULL);
        if (value_depth(value_edit_end(&e)) > VALUE_DEPTH_MAX || !value_equal(root, copy))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const struct value_options options = { .bytes_max = 64 * 1024, .nodes_max = 4096 };
        struct arena *arena = arena_new();
        const struct value *root;
        struct pointer pointer;
        size_t n = size > 0 ? data[0] : 0;
        char *text;

        if (n < size) {
                text = arena_strndup(arena, (const char *)data + 1, n);
                if (json_parse(arena, (const char *)data + 1 + n, size - 1 - n, &options, &root, NULL) >= 0 &&
                    pointer_parse(arena, text, &pointer, NULL) >= 0)
                        edit(arena, root, text, &pointer);
        }
        arena_free(arena);
        return 0;
}
