/* A field selector: what was read is said again with its escapes, and read to the same; what was refused left nothing.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/auth/attributes.h"
#include "lib/arena.h"
#include "lib/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *escape(struct arena *arena, const char *text) {
        char *out = arena_alloc(arena, 2 * strlen(text) + 1), *at = out;

        for (; *text; text++) {
                if (strchr("\\,=", *text))
                        *at++ = '\\';
                *at++ = *text;
        }
        return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_arena_ struct arena *arena = arena_new();
        struct auth_attributes a = AUTH_ATTRIBUTES(NULL), b = AUTH_ATTRIBUTES(NULL);
        const char *again = "";

        if (auth_attributes_select(arena, arena_strndup(arena, (const char *)data, size), &a) < 0) {
                if (a.fields.count > 0)
                        abort();
                return 0;
        }
        list_for_each (wanted, &a.fields)
                again = arena_printf(
                        arena, "%s%s%s%s,", again, wanted->key,
                        strcmp(wanted->operator, "In") == 0 ? "=" : "!=", escape(arena, wanted->values.items[0]));
        if (auth_attributes_select(arena, again, &b) < 0 || a.fields.count != b.fields.count)
                abort();
        for (uint32_t i = 0; i < a.fields.count; i++)
                if (strcmp(a.fields.items[i].key, b.fields.items[i].key) != 0 ||
                    strcmp(a.fields.items[i].values.items[0], b.fields.items[i].values.items[0]) != 0)
                        abort();
        return 0;
}
