/* From what an object is to be to a change of the store: nothing where it is the same, or the run is a dry one. */
#include <errno.h>
#include <string.h>

#include "api/cache/collection.h"
#include "api/cache/object.h"
#include "api/rest/own.h"
#include "api/rest/rest.h"
#include "api/rest/strategy.h"
#include "api/server/codec.h"
#include "api/server/request.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "api/state/resource.h"
#include "kube/codec/codec.h"
#include "kube/kinds.h"
#include "kube/problem.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/json_writer.h"
#include "lib/value.h"
#include "lib/value_edit.h"
#include "store/store.h"

static bool is_held(const struct api_request *r, const struct value *object) {
        const struct api_strategy *strategy = api_strategy_of(r->kind);

        return value_count(value_find(object, "metadata.finalizers")) > 0 || (strategy->held && strategy->held(object));
}

/* A change that takes away what held an object which is to go lets it go. */
static bool lets_go(const struct api_request *r) {
        int64_t grace = 0;

        value_integer(value_find(r->next, "metadata.deletionGracePeriodSeconds"), &grace);
        return r->current && !(r->verb & (KUBE_VERB_DELETE | KUBE_VERB_DELETECOLLECTION)) &&
               value_find(r->next, "metadata.deletionTimestamp") && grace == 0 && !is_held(r, r->next);
}

static bool is_same(const struct api_request *r, const struct api_json *json) {
        const struct bytes *now = r->current_json;

        return now && now->size == json->length + 1 && memcmp(now->data, json->text, json->length) == 0;
}

/* Who lets go of an object changes it no more: watches are told of it as it was kept. */
static int take_last(struct api_request *r, const struct value **ret_tree, struct api_json *ret_json) {
        *ret_json = (struct api_json){ (const char *)r->current_json->data, r->current_json->size - 1, NULL };
        return api_tree_of_json(r->arena, r->current_json, ret_tree);
}

static int write_next(struct api_request *r, struct api_json *ret_json) {
        _cleanup_json_writer_ struct json_writer w = { .go_escapes = true };
        _cleanup_free_ char *text = NULL;
        struct api_json json;
        int error;

        json_value(&w, r->next);
        error = json_writer_finish(&w, &text, &json.length);
        json.text = error == 0 ? arena_strndup(r->arena, text, json.length) : NULL;
        if (!json.text)
                return error ?: -ENOMEM;
        *ret_json = json;
        return 0;
}

/* A dry run's new object has no version. */
static int drop_version(struct api_request *r) {
        struct value_edit edit;
        int error = 0;

        if (r->creates) {
                value_edit_begin(&edit, r->arena, r->next);
                error = value_edit_remove(&edit, "/metadata/resourceVersion", NULL);
                r->next = value_edit_end(&edit);
        }
        return error ?: r->next ? 0 : -ENOMEM;
}

/* What is there already would not be made. */
static bool is_there(struct api_request *r) {
        _cleanup_object_ struct object *there =
                collection_get(r->resource->collection, r->kind->namespaced ? r->path.namespace : "", r->name);

        return there;
}

static enum api_step run_dry(struct api_request *r) {
        int error = drop_version(r);

        if (error < 0)
                return api_fail(r, error, NULL);
        r->change_code = r->creates && is_there(r) ? -EEXIST : 0;
        return API_NEXT;
}

/* kube-apiserver keeps objects as protobuf, and answers with what it has kept; what extends it is kept as JSON. */
static int forget_empty(struct api_request *r) {
        const struct kube_kind *kind = r->resource->kind;

        if (strcmp(kind->group, "apiextensions.k8s.io") == 0 || strcmp(kind->group, "apiregistration.k8s.io") == 0)
                return 0;
        return kube_value_forget(r->arena, kind->type, r->next, &r->next);
}

/* All members of @a but the two are in @b, and the same. */
static bool has_all(const struct value *a, const struct value *b, const char *but, const char *and_but) {
        for (uint32_t i = 0; i < value_count(a); i++)
                if (strcmp(a->members[i].key, but) != 0 && strcmp(a->members[i].key, and_but) != 0 &&
                    !value_equal(&a->members[i].value, value_get(b, a->members[i].key)))
                        return false;
        return true;
}

static bool same_but(const struct value *a, const struct value *b, const char *but, const char *and_but) {
        return value_is(a, VALUE_MAP) && value_is(b, VALUE_MAP) && has_all(a, b, but, and_but) &&
               has_all(b, a, but, and_but);
}

/* Says again what was said, at another time: who holds a lease, and for how long, is on disk before it is answered. */
static bool is_renewal(const struct value *now, const struct value *next) {
        return same_but(now, next, "metadata", "spec") &&
               same_but(value_get(now, "spec"), value_get(next, "spec"), "renewTime", "");
}

/* What nobody misses after a power cut, since it is said again. It is there at once and on disk some time later. */
static bool is_said_again(const struct api_request *r) {
        const struct value *now = r->current_tree, *next = r->next;
        unsigned flags = api_strategy_of(r->kind)->flags;

        return flags & (API_RENEWS | API_RECOUNTED) && r->current && !r->removes &&
               (flags & API_RENEWS ? is_renewal(now, next) : same_but(now, next, "metadata", "status")) &&
               same_but(value_get(now, "metadata"), value_get(next, "metadata"), "managedFields", "resourceVersion");
}

/* Nothing is to be changed of what others are about to make: it is that which is the answer, once it is made. */
static enum api_step settle_first(struct api_request *r) {
        r->settles = true;
        api_turn_give(r->turn);
        r->turn = NULL;
        return api_again(r, "turn");
}

/* What comes behind is begun from @json meanwhile. */
static enum api_step submit(struct api_request *r, const struct api_json *json) {
        _cleanup_bytes_ struct bytes *copy = NULL;
        enum api_step step;

        if (!r->turn)
                return api_submit(r);
        copy = bytes_new(json->length + 1);
        if (!copy)
                return api_fail(r, -ENOMEM, NULL);
        memcpy(copy->data, json->text, json->length);
        copy->data[json->length] = '\n';
        r->change.base = r->pending ? object_ref(r->current) : NULL;
        r->change.turn = r->turn;
        api_turn_pend(r->turn, r->change.object, copy, r->removes);
        step = api_submit(r);
        api_turn_give(r->turn);
        r->turn = NULL;
        return step;
}

/* Of what makes room on a full disk, in bytes: what an object that is to go may be, or what a large one may grow by,
 * for its status, and for who has let it go. */
#define LEAVING_MAX ((size_t)32 << 10)
#define LEAVING_MORE ((size_t)1 << 10)

/* Whether it is a step of what is deleted on its way out. */
static bool leads_away(const struct api_request *r, size_t length) {
        if (r->verb & (KUBE_VERB_DELETE | KUBE_VERB_DELETECOLLECTION))
                return true;
        return r->current && value_string(value_find(r->next, "metadata.deletionTimestamp")) &&
               (length <= LEAVING_MAX || length <= object_json_size(r->current) + LEAVING_MORE);
}

static enum api_step refuse_name(struct api_request *r) {
        struct problems problems;

        problems_init(&problems, r->arena, NULL, NULL);
        problem_error(&problems, "metadata.name",
                      "Too long: with its kind and namespace it may not be more than %d bytes", STORE_KEY_MAX - 1);
        return api_invalid(r, "", &problems);
}

enum api_step api_commit(struct api_request *r) {
        int64_t expected = r->change.expected;
        const struct value *tree;
        struct api_json json;
        int error;

        r->change_code = 0;
        r->lets_go = !r->removes && lets_go(r);
        r->removes |= r->lets_go;
        error = r->removes ? 0 : forget_empty(r);
        if (error < 0)
                return api_fail(r, error, NULL);
        if (r->options.dry)
                return run_dry(r);
        error = r->removes ? 0 : api_own_settle(r);
        tree = r->next;
        if (error == 0)
                error = r->lets_go ? take_last(r, &tree, &json) : write_next(r, &json);
        if (error < 0)
                return api_fail(r, error, NULL);
        if (!r->removes && (r->unchanged || is_same(r, &json))) {
                r->unchanged = true;
                return r->pending ? settle_first(r) : API_NEXT;
        }
        api_change_deinit(&r->change);
        error = api_change_init(&r->change, r->server->config.state, r->resource, r->arena, tree, &json);
        if (error == -EFBIG)
                return api_refuse(r, API_TOO_LARGE, "etcdserver: request is too large");
        if (error == -ENAMETOOLONG)
                return refuse_name(r);
        if (error < 0)
                return api_fail(r, error, NULL);
        r->change.expected = expected;
        r->change.deletes = r->removes;
        r->change.lazy = is_said_again(r);
        r->change.makes_room = leads_away(r, r->removes ? 0 : json.length);
        return submit(r, &json);
}
