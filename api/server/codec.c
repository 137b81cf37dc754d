#include "api/server/codec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/cache/object.h"
#include "api/state/state.h"
#include "kube/codec/codec.h"
#include "kube/convert/convert.h"
#include "kube/defaults/defaults.h"
#include "kube/kinds.h"
#include "kube/problem.h"
#include "kube/type.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/value.h"
#include "lib/yaml.h"

#define DECODE_NODES_MAX ((uint32_t)1 << 20)

/* Of keys that stand twice the last counts, as in Go; fieldValidation tells of them (kube/codec/strict.h). */
static void on_twice(void *data, uint32_t line, const char *text) {
        bool *twice = data;

        if (twice)
                *twice = true;
}

const struct value api_no_members = { .kind = VALUE_MAP };

int api_decode(struct arena *arena, const struct api_body *body, const struct value **ret_tree, struct err **err) {
        struct value_options options = { .warn = on_twice,
                                         .warn_data = body->ret_twice,
                                         .nodes_max = DECODE_NODES_MAX };

        if (body->form == API_PROTOBUF)
                return body->type->size > 0 ?
                               kube_value_from_envelope(arena, body->type, body->data, body->size, ret_tree, err) :
                               err_set(err, EINVAL, "this kind has no protobuf form");
        if (body->form == API_YAML || body->form == API_PATCH_APPLY)
                return yaml_parse(arena, body->data, body->size, &options, ret_tree, err);
        return json_parse(arena, body->data, body->size, &options, ret_tree, err);
}

static int write_json(struct arena *arena, struct json_writer *w, struct api_json *ret_json) {
        _cleanup_free_ char *text = NULL;
        size_t length;
        int r = json_writer_finish(w, &text, &length);
        char *copy = r == 0 ? arena_strndup(arena, text, length) : NULL;

        if (!copy)
                return r ?: -ENOMEM;
        *ret_json = (struct api_json){ .text = copy, .length = length };
        return 0;
}

/* By way of the type's struct. */
static int settle_struct(struct arena *arena, const struct kube_type *type, const struct value *tree, bool defaults,
                         struct problems *problems, void *object) {
        uint32_t errors = problems->errors;
        int r = kube_value_read(arena, type, tree, "", problems, object);

        if (r < 0 || problems->errors > errors || !defaults)
                return r;
        return defaults_fill(arena, type, object, time(NULL));
}

int api_settle(struct arena *arena, const struct kube_type *type, const struct value *tree, bool defaults,
               struct problems *problems, struct api_json *ret_json) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        void *object = type->size > 0 ? arena_alloc(arena, type->size) : NULL;
        uint32_t errors = problems->errors;
        int r = 0;

        if (type->size > 0)
                r = object ? settle_struct(arena, type, tree, defaults, problems, object) : -ENOMEM;
        else if (defaults)
                r = defaults_fill_tree(arena, type, tree, &tree);
        if (r < 0)
                return r;
        if (problems->errors > errors) {
                *ret_json = (struct api_json){ 0 };
                return 0;
        }
        if (object)
                kube_json_write(&w, type, object);
        else
                json_value(&w, tree);
        r = write_json(arena, &w, ret_json);
        ret_json->object = object;
        return r;
}

int api_tree_of_json(struct arena *arena, const struct bytes *json, const struct value **ret_tree) {
        struct value_options options = { .nodes_max = DECODE_NODES_MAX };

        return json_parse(arena, (const char *)json->data, json->size, &options, ret_tree, NULL);
}

int api_tree_of(struct arena *arena, const struct object *object, const struct value **ret_tree) {
        _cleanup_bytes_ struct bytes *json = object_json(object);

        return json ? api_tree_of_json(arena, json, ret_tree) : -ENOMEM;
}

int api_struct_of(struct arena *arena, const struct kube_type *type, const struct object *object, void *ret_struct) {
        _cleanup_bytes_ struct bytes *json = object_json(object);

        return json ? kube_json_read(arena, type, (const char *)json->data, json->size, NULL, ret_struct) : -ENOMEM;
}

int api_convert(struct arena *arena, const struct kube_kind *from, const struct kube_kind *to, const struct value *tree,
                const struct value **ret_tree) {
        if (from != to)
                return convert_tree(arena, from, to, tree, ret_tree);
        *ret_tree = tree;
        return 0;
}

int api_json_as(struct arena *arena, const struct kube_kind *kind, const struct kube_kind *kept,
                const struct object *object, struct bytes **ret_json) {
        _cleanup_bytes_ struct bytes *json = object_json(object);
        const struct value *tree;
        struct problems problems;
        struct api_json text = { 0 };
        int r;

        if (!json)
                return -ENOMEM;
        if (kind == kept) {
                *ret_json = TAKE_PTR(json);
                return 0;
        }
        problems_init(&problems, arena, NULL, NULL);
        r = json_parse(arena, (const char *)json->data, json->size, NULL, &tree, NULL) ?:
                    api_convert(arena, kept, kind, tree, &tree)                        ?:
                    api_settle(arena, kind->type, tree, true, &problems, &text);
        if (r < 0 || !text.text)
                return r ?: -EINVAL;
        *ret_json = bytes_new(text.length + 1);
        if (!*ret_json)
                return -ENOMEM;
        memcpy((*ret_json)->data, text.text, text.length);
        (*ret_json)->data[text.length] = '\n';
        return 0;
}

int api_protobuf(const struct kube_type *type, const char *json, size_t length, struct bytes **ret_bytes) {
        _cleanup_arena_ struct arena *arena = arena_new();
        _cleanup_free_ uint8_t *data = NULL;
        void *object;
        size_t size;
        int r;

        if (type->size == 0 || !(type->flags & KUBE_MESSAGE))
                return -ENOTSUP;
        object = arena ? arena_alloc(arena, type->size) : NULL;
        if ((r = object ? kube_json_read(arena, type, json, length, NULL, object) : -ENOMEM) < 0 ||
            (r = kube_envelope_write_object(type, object, &data, &size)) < 0)
                return r;
        *ret_bytes = bytes_copy(data, size);
        return *ret_bytes ? 0 : -ENOMEM;
}
