#include "kube/apply/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "kube/patch/go_text.h"
#include "lib/arena.h"
#include "lib/go_text.h"
#include "lib/value.h"

const char *apply_append(struct arena *arena, const char *text, const char *format, ...) {
        char *more = NULL, *whole;
        va_list args;
        int n;

        if (!text)
                return NULL;
        va_start(args, format);
        n = vasprintf(&more, format, args);
        va_end(args);
        if (n < 0)
                return NULL;
        whole = arena_printf(arena, "%s%s", text, more);
        free(more);
        return whole;
}

static const char *parts_text(struct arena *arena, const struct value *value) {
        const bool list = value->kind == VALUE_LIST;
        const char *text = list ? "[" : "";

        for (uint32_t i = 0; i < value->count && text; i++) {
                const char *part = apply_value_text(arena, list ? &value->items[i] : &value->members[i].value);

                if (!part)
                        return NULL;
                text = list ? apply_append(arena, text, "%s%s", i > 0 ? "," : "", part) :
                              apply_append(arena, text, "%s=%s", value->members[i].key, part);
        }
        return list ? apply_append(arena, text, "]") : text;
}

const char *apply_value_text(struct arena *arena, const struct value *value) {
        switch (value->kind) {
        case VALUE_NULL:
                return "null";
        case VALUE_STRING:
                return go_text_quote(arena, value->text);
        case VALUE_LIST:
        case VALUE_MAP:
                return parts_text(arena, value);
        default:
                return patch_scalar_text(arena, value);
        }
}
