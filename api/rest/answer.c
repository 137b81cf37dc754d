/* What became of the change: the object, a Status, or another try. */
#include <errno.h>

#include "api/cache/collection.h"
#include "api/rest/rest.h"
#include "api/rest/show.h"
#include "api/rest/strategy.h"
#include "api/server/codec.h"
#include "api/server/request.h"
#include "api/server/status.h"
#include "api/state/resource.h"
#include "kube/kinds.h"
#include "lib/value.h"

static bool is_named_by_chance(const struct api_request *r) {
        return r->verb == KUBE_VERB_CREATE && *value_string_or(value_find(r->sent, "metadata.generateName"), "");
}

/* Whether what is there under the name is about to go. */
static bool is_leaving(struct api_request *r) {
        _cleanup_object_ struct object *there =
                r->resource ?
                        collection_get(r->resource->collection, r->kind->namespaced ? r->path.namespace : "", r->name) :
                        NULL;
        const struct value *tree;

        return there && api_tree_of(r->arena, there, &tree) == 0 &&
               !value_is_null(value_find(tree, "metadata.deletionTimestamp"));
}

static enum api_step refuse_second(struct api_request *r) {
        return api_refuse_object(r, API_ALREADY_EXISTS, r->name, "%s%s%s%s \"%s\" already exists",
                                 is_leaving(r) ? "object is being deleted: " : "", r->kind->resource,
                                 *r->kind->group ? "." : "", r->kind->group, r->name);
}

/* Whoever did not say which version he changes has his change made of what is there now. */
static enum api_step try_again(struct api_request *r) {
        bool deletes = r->verb & (KUBE_VERB_DELETE | KUBE_VERB_DELETECOLLECTION),
             free_to = r->verb == KUBE_VERB_PATCH || deletes || r->unconditional;

        if (r->creates && r->change_code == -EEXIST && is_named_by_chance(r))
                return ++r->tries < API_NAME_TRIES && !*value_string_or(value_find(r->sent, "metadata.name"), "") ?
                               api_again(r, "modify") :
                               api_refuse_name(r, r->name);
        if (r->creates && r->change_code == -EEXIST)
                return refuse_second(r);
        if (r->change_code == -ENOENT && r->verb == KUBE_VERB_DELETECOLLECTION)
                return api_again(r, "clear");
        if (r->change_code == -ENOENT && !r->creates)
                return api_not_found(r, r->name);
        if (!free_to || ++r->tries >= API_CHANGE_TRIES)
                return api_conflict(r, r->name);
        if (r->verb == KUBE_VERB_DELETECOLLECTION)
                return api_again(r, "remove");
        return api_again(r, "turn");
}

static struct object *made_of(struct api_request *r) {
        if (r->unchanged)
                return object_ref(r->current);
        if (!r->options.dry && !r->lets_go)
                return object_ref(r->change.object);
        return api_object_of(r, r->next);
}

enum api_step api_answer(struct api_request *r) {
        bool deletes = r->verb == KUBE_VERB_DELETE;
        _cleanup_object_ struct object *object = NULL;
        const struct api_options *o = &r->options;

        if (r->decided)
                return r->decided(r);
        switch (r->change_code) {
        case 0:
                break;
        case -EEXIST:
        case -ENOENT:
        case -ESTALE:
                return try_again(r);
        default:
                return api_fail(r, r->change_code, r->told);
        }
        if (r->verb == KUBE_VERB_DELETECOLLECTION)
                return api_cleared(r);
        if (deletes && r->removes && !(api_strategy_of(r->kind)->flags & API_RETURNS_DELETED))
                return api_succeed(r, r->name, value_string(value_find(r->next, "metadata.uid")));
        object = made_of(r);
        if (!object)
                return api_fail(r, -ENOMEM, NULL);
        return api_show(r,
                        r->creates                                            ? 201 :
                        deletes && !r->removes && o->orphan_set && !o->orphan ? 202 :
                                                                                200,
                        object);
}
