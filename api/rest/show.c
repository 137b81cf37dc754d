#include "api/rest/show.h"

#include <errno.h>
#include <string.h>

#include "api/cache/collection.h"
#include "api/print/print.h"
#include "api/rest/door.h"
#include "api/server/codec.h"
#include "api/server/request.h"
#include "api/server/respond.h"
#include "api/server/status.h"
#include "api/state/resource.h"
#include "kube/kinds.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"
#include "lib/value.h"

void api_forget_current(struct api_request *r) {
        r->current = object_unref(r->current);
        r->current_json = bytes_unref(r->current_json);
        r->current_tree = NULL;
        r->pending = false;
}

int api_take_current(struct api_request *r) {
        api_forget_current(r);
        r->pending = r->turn && api_turn_base(r->turn, &r->current, &r->current_json);
        if (!r->pending)
                r->current =
                        collection_get(r->resource->collection, r->kind->namespaced ? r->path.namespace : "", r->name);
        if (!r->current)
                return -ENOENT;
        if (!r->pending)
                r->current_json = object_json(r->current);
        if (!r->current_json)
                return -ENOMEM;
        return api_tree_of_json(r->arena, r->current_json, &r->current_tree) ?:
                       api_convert(r->arena, r->resource->kind, r->kind, r->current_tree, &r->current_tree);
}

static struct bytes *json_of(const struct value *tree) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };

        json_value(&w, tree);
        return json_writer_line(&w);
}

struct object *api_object_of(struct api_request *r, const struct value *tree) {
        _cleanup_bytes_ struct bytes *json = json_of(tree);
        struct object_parts parts;

        if (!json || api_resource_parts(r->resource, r->arena, tree, &parts) < 0)
                return NULL;
        parts.json = json;
        parts.revision = 0;
        return object_new(&parts);
}

/* What the door shows instead of the object. */
static enum api_step show_other(struct api_request *r, int code, struct object *object) {
        _cleanup_bytes_ struct bytes *json = NULL, *proto = NULL;
        const struct value *tree, *shown;
        int error = api_tree_of(r->arena, object, &tree) ?: api_door_show(r, tree, &shown);

        if (error == 0)
                json = json_of(shown);
        if (!json)
                return api_fail(r, error ?: -ENOMEM, NULL);
        if (r->media.form == API_PROTOBUF &&
            api_protobuf(r->sub->type, (const char *)json->data, json->size, &proto) == 0)
                api_respond_bytes(r, code, api_content_type(API_PROTOBUF), proto);
        else
                api_respond_json(r, code, json);
        return API_END;
}

/* What is printed of @object: itself, or what the door shows instead, with the same revision. */
static int printed_of(struct api_request *r, struct object *object, struct object **ret_printed) {
        const struct value *tree, *shown;
        struct object *other;
        int error;

        if (!api_shows_other(r)) {
                *ret_printed = object_ref(object);
                return 0;
        }
        error = api_tree_of(r->arena, object, &tree) ?: api_door_show(r, tree, &shown);
        if (error < 0)
                return error;
        other = api_object_of(r, shown);
        if (!other)
                return -ENOMEM;
        other->revision = object->revision;
        *ret_printed = other;
        return 0;
}

static enum api_step show_printed(struct api_request *r, int code, struct object *object) {
        _cleanup_bytes_ struct bytes *bytes = NULL;
        struct object *printed;
        int error = printed_of(r, object, &printed);

        if (error < 0)
                return api_fail(r, error, NULL);
        bytes = api_print_one(r, printed);
        object_unref(printed);
        if (!bytes)
                return api_fail(r, -ENOMEM, NULL);
        api_respond_json(r, code, bytes);
        return API_END;
}

enum api_step api_refuse_shape(struct api_request *r) {
        const struct kube_kind *kind = r->resource->kind;
        int n = (int)strcspn(kind->group, ".");
        const char *group = n > 0 ? kind->group : "core", *list = r->media.of_list ? "" : "List";

        return api_refuse(r, API_NO_SHAPE,
                          "you requested PartialObjectMetadata%s, but the requested object is %s list "
                          "(*%.*s.%s%s)",
                          r->media.of_list ? "List" : "", r->media.of_list ? "not a" : "a", n > 0 ? n : 4, group,
                          kind->kind, list);
}

enum api_step api_show(struct api_request *r, int code, struct object *object) {
        if (r->media.shape == API_PARTIAL && r->media.of_list)
                return api_refuse_shape(r);
        if (r->media.shape != API_WHOLE)
                return show_printed(r, code, object);
        if (api_shows_other(r))
                return show_other(r, code, object);
        return api_respond_object(r, code, object);
}
