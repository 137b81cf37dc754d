/* Who asks for a certificate: a CertificateSigningRequest says it, and not by its maker's word. */
#include <errno.h>
#include <string.h>

#include "api/rest/strategy.h"
#include "api/server/request.h"
#include "lib/arena.h"
#include "lib/cleanup.h"
#include "lib/value.h"
#include "lib/value_edit.h"

static int texts_of(struct arena *arena, const string_list *texts, struct value *ret_list) {
        struct value *items = arena_alloc_array(arena, texts->count + 1, sizeof(*items));

        if (!items)
                return -ENOMEM;
        for (uint32_t i = 0; i < texts->count; i++)
                items[i] = (struct value)VALUE_TEXT(texts->items[i]);
        *ret_list = (struct value){ .kind = VALUE_LIST, .count = texts->count, .items = items };
        return 0;
}

static int extra_of(struct arena *arena, const struct auth_user *user, struct value *ret_map) {
        struct value_member *members = arena_alloc_array(arena, user->extra.count + 1, sizeof(*members));
        int r = members ? 0 : -ENOMEM;

        for (uint32_t i = 0; r == 0 && i < user->extra.count; i++) {
                members[i] = (struct value_member){ .key = user->extra.items[i].key, .key_kind = VALUE_STRING };
                r = texts_of(arena, (const string_list *)&user->extra.items[i].value, &members[i].value);
        }
        if (r == 0)
                *ret_map = (struct value){ .kind = VALUE_MAP, .count = user->extra.count, .members = members };
        return r;
}

static int put(struct value_edit *edit, const char *pointer, bool given, const struct value *value) {
        int r = given ? value_edit_set(edit, pointer, value, NULL) : value_edit_remove(edit, pointer, NULL);

        return r == -ENOENT ? 0 : r;
}

static int put_user(struct api_request *r, struct value_edit *edit) {
        struct value name = VALUE_TEXT(r->user.name), uid = VALUE_TEXT(r->user.uid ?: ""), groups, extra;
        int error = texts_of(r->arena, &r->user.groups, &groups) ?: extra_of(r->arena, &r->user, &extra);

        return error                                                        ?:
                       put(edit, "/spec/username", true, &name)             ?:
                       put(edit, "/spec/uid", uid.count > 0, &uid)          ?:
                       put(edit, "/spec/groups", groups.count > 0, &groups) ?:
                       put(edit, "/spec/extra", extra.count > 0, &extra);
}

int api_shape_signing_request(struct api_request *r, struct value_edit *edit, const struct value *object) {
        const struct value *spec = value_get(r->current_tree, "spec");

        if (!value_is(value_get(object, "spec"), VALUE_MAP))
                return 0;
        return r->creates ? put_user(r, edit) : spec ? value_edit_set(edit, "/spec", spec, NULL) : 0;
}
