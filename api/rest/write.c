/* From what an object is to be to what is stored, and the answer. */
#include <errno.h>
#include <string.h>

#include "api/cache/object.h"
#include "api/rest/door.h"
#include "api/rest/meta.h"
#include "api/rest/own.h"
#include "api/rest/rest.h"
#include "api/rest/show.h"
#include "api/rest/strategy.h"
#include "api/rest/typed.h"
#include "api/server/codec.h"
#include "api/server/request.h"
#include "api/server/respond.h"
#include "api/server/server.h"
#include "api/server/status.h"
#include "api/state/resource.h"
#include "kube/codec/codec.h"
#include "kube/kinds.h"
#include "kube/problem.h"
#include "kube/scalar.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/json_writer.h"
#include "lib/value.h"
#include "lib/value_edit.h"

/* --- default: as its type has it, in the version that is kept --- */

static enum api_step settle(struct api_request *r, const struct kube_kind *kind, void **ret_object) {
        struct problems problems;
        struct api_json json = { 0 };
        int error;

        problems_init(&problems, r->arena, NULL, NULL);
        error = api_settle(r->arena, kind->type, r->next, true, &problems, &json);
        if (error == 0 && !json.text)
                return api_refuse(r, API_BAD_REQUEST, "%s in version \"%s\" cannot be handled as a %s: %s", kind->kind,
                                  kind->version, kind->kind, problems.count > 0 ? problems.items[0].text : "");
        if (error == 0)
                error = json_parse(r->arena, json.text, json.length, NULL, &r->next, NULL);
        *ret_object = json.object;
        return error < 0 ? api_fail(r, error, NULL) : API_NEXT;
}

/* It counts what its controllers have to do anew. */
int api_count_generation(struct api_request *r) {
        int64_t generation = 0;
        struct value_edit edit;
        const struct value *next;
        bool is_first = !value_find(r->next, "metadata.generation");
        int error;

        if (!r->current || !api_is_next_generation(r))
                return 0;
        value_integer(value_find(r->current_tree, "metadata.generation"), &generation);
        value_edit_begin(&edit, r->arena, r->next);
        error = value_edit_set(&edit, "/metadata/generation", &(struct value)VALUE_INTEGER(generation + 1), NULL);
        next = value_edit_end(&edit);
        if (error < 0 || !next)
                return error ?: -ENOMEM;
        r->next = next;
        return is_first && r->kind == r->resource->kind ? api_order(r) : 0;
}

typedef int (*shaper)(struct api_request *r, struct value_edit *edit, const struct value *object);

static int shape(struct api_request *r, shaper how) {
        const struct value *object = r->next;
        struct value_edit edit;
        int error;

        if (!how)
                return 0;
        value_edit_begin(&edit, r->arena, object);
        error = how(r, &edit, object);
        r->next = value_edit_end(&edit);
        return error ?: r->next ? 0 : -ENOMEM;
}

enum api_step api_default(struct api_request *r) {
        const struct api_strategy *strategy = api_strategy_of(r->kind);
        void *object = NULL;
        int error = shape(r, strategy->shape);
        enum api_step step = error < 0 ? api_fail(r, error, NULL) : settle(r, r->kind, &object);

        if (step != API_NEXT)
                return step;
        error = shape(r, strategy->settled) ?: api_count_generation(r) ?: api_own(r);
        if (error < 0)
                return api_fail(r, error, NULL);
        if (r->kind == r->resource->kind) {
                error = object && !strategy->settled ? api_typed_but_meta(r, object) : 0;
                return error < 0 ? api_fail(r, error, NULL) : API_NEXT;
        }
        error = api_convert(r->arena, r->kind, r->resource->kind, r->next, &r->next) ?: api_door_keep(r);
        return error < 0 ? api_fail(r, error, NULL) : settle(r, r->resource->kind, &object);
}

/* --- remove: at once, or marked to go --- */

#define ORPHAN "orphan"
#define FOREGROUND "foregroundDeletion"

static bool is_garbage_finalizer(const char *name) {
        return strcmp(name, ORPHAN) == 0 || strcmp(name, FOREGROUND) == 0;
}

static const char *garbage_finalizer_on(const struct value *object) {
        const struct value *list = value_find(object, "metadata.finalizers");

        for (uint32_t i = 0; i < value_count(list); i++) {
                const char *name = value_string_or(value_at(list, i), "");

                if (is_garbage_finalizer(name))
                        return name;
        }
        return NULL;
}

/* What becomes of what depends on it: as is said now, else as was said before, else as its kind has it. NULL: it goes
 * after it. */
static const char *finalizer_of(const struct api_request *r, const struct value *object) {
        const struct api_options *o = &r->options;
        unsigned flags = api_strategy_of(r->kind)->flags;

        if (flags & API_NO_GARBAGE)
                return NULL;
        if (o->orphan_set)
                return o->orphan ? ORPHAN : NULL;
        if (o->propagation)
                return strcmp(o->propagation, "Orphan") == 0     ? ORPHAN :
                       strcmp(o->propagation, "Foreground") == 0 ? FOREGROUND :
                                                                   NULL;
        return garbage_finalizer_on(object) ?: flags & API_ORPHANS ? ORPHAN : NULL;
}

static bool has_other_finalizers(const struct value *object) {
        const struct value *list = value_find(object, "metadata.finalizers");

        for (uint32_t i = 0; i < value_count(list); i++)
                if (!is_garbage_finalizer(value_string_or(value_at(list, i), "")))
                        return true;
        return false;
}

/* The finalizers without those for dependents, and with @name, where there is one. */
static int put_finalizers(struct value_edit *edit, struct arena *arena, const struct value *object, const char *name) {
        const struct value *list = value_find(object, "metadata.finalizers");
        struct value *items = arena_alloc_array(arena, (size_t)value_count(list) + 1, sizeof(*items));
        uint32_t n = 0;
        int error;

        if (!items)
                return -ENOMEM;
        for (uint32_t i = 0; i < value_count(list); i++)
                if (!is_garbage_finalizer(value_string_or(value_at(list, i), "")))
                        items[n++] = *value_at(list, i);
        if (name)
                items[n++] = (struct value)VALUE_TEXT(name);
        if (n == 0) {
                error = value_edit_remove(edit, "/metadata/finalizers", NULL);
                return error == -ENOENT ? 0 : error;
        }
        return value_edit_set(edit, "/metadata/finalizers",
                              &(struct value){ .kind = VALUE_LIST, .count = n, .items = items }, NULL);
}

static bool is_held(const struct api_request *r, const struct value *object) {
        const struct api_strategy *strategy = api_strategy_of(r->kind);

        return value_count(value_find(object, "metadata.finalizers")) > 0 || (strategy->held && strategy->held(object));
}

/* When it is to be gone: a second deletion counts from when the first was asked for. */
static const char *end_of(struct api_request *r, int64_t grace) {
        const char *was = value_string(value_find(r->current_tree, "metadata.deletionTimestamp"));
        struct kube_time time;
        int64_t left = 0;
        char *text;

        if (!was || !kube_time_parse(was, strlen(was), false, &time))
                return api_meta_now(r->arena, grace);
        value_integer(value_find(r->current_tree, "metadata.deletionGracePeriodSeconds"), &left);
        if (__builtin_add_overflow(time.seconds, grace - left, &time.seconds))
                time.seconds = INT64_MAX;
        text = arena_alloc(r->arena, KUBE_TIME_TEXT_MAX);
        if (text)
                kube_time_format(&time, false, text);
        return text;
}

/* The object with its deletion's time: that at which it shall be gone. */
static int mark(struct api_request *r, int64_t grace) {
        const char *when = end_of(r, grace);
        bool first = !value_find(r->current_tree, "metadata.deletionTimestamp"),
             plainly = api_strategy_of(r->kind)->flags & API_MARKED_PLAINLY;
        int64_t generation = 0;
        struct value_edit edit;
        int error;

        if (!when)
                return -ENOMEM;
        value_integer(value_find(r->current_tree, "metadata.generation"), &generation);
        value_edit_begin(&edit, r->arena, r->current_tree);
        error = value_edit_set(&edit, "/metadata/deletionTimestamp", &(struct value)VALUE_TEXT(when), NULL);
        if (error == 0 && !plainly)
                error = value_edit_set(&edit, "/metadata/deletionGracePeriodSeconds",
                                       &(struct value)VALUE_INTEGER(grace), NULL);
        if (error == 0 && generation > 0 && first && !plainly)
                error = value_edit_set(&edit, "/metadata/generation", &(struct value)VALUE_INTEGER(generation + 1),
                                       NULL);
        error = error ?: put_finalizers(&edit, r->arena, r->current_tree, finalizer_of(r, r->current_tree));
        if (error == 0 && strcmp(r->kind->resource, "namespaces") == 0)
                error = value_edit_set(&edit, "/status/phase", &(struct value)VALUE_TEXT("Terminating"), NULL);
        r->next = value_edit_end(&edit);
        return error ?: r->next ? api_order(r) : -ENOMEM;
}

static enum api_step check_preconditions(struct api_request *r) {
        const struct value *meta = value_get(r->current_tree, "metadata");
        const char *uid = value_string_or(value_get(meta, "uid"), ""),
                   *version = value_string_or(value_get(meta, "resourceVersion"), "");
        const struct api_options *o = &r->options;

        if (o->uid && strcmp(o->uid, uid) != 0)
                return api_unmet(r, "UID", o->uid, uid, "deleted and then recreated");
        if (o->resource_version && *o->resource_version && strcmp(o->resource_version, version) != 0)
                return api_unmet(r, "ResourceVersion", o->resource_version, version, "modified");
        return API_NEXT;
}

/* It is there only until who holds it lets it go. */
static bool is_kept(const struct api_request *r) {
        const struct api_strategy *strategy = api_strategy_of(r->kind);

        return has_other_finalizers(r->current_tree) || finalizer_of(r, r->current_tree) ||
               (strategy->held && strategy->held(r->current_tree));
}

/* Whether an object that is going already has nothing to learn of this deletion. */
static bool is_going(const struct api_request *r, int64_t grace) {
        const char *finalizer = finalizer_of(r, r->current_tree), *now = garbage_finalizer_on(r->current_tree);
        const struct value *left = value_find(r->current_tree, "metadata.deletionGracePeriodSeconds");
        bool same = finalizer && now ? strcmp(finalizer, now) == 0 : finalizer == now;
        int64_t seconds = 0;

        value_integer(left, &seconds);
        return same && grace >= seconds;
}

static enum api_step remove_current(struct api_request *r) {
        const struct api_strategy *strategy = api_strategy_of(r->kind);
        bool marked = value_find(r->current_tree, "metadata.deletionTimestamp");
        int64_t grace = strategy->grace ? strategy->grace(r, r->current_tree) : 0, left = 0;
        int error = 0;

        r->change.expected = r->current->revision;
        r->next = r->current_tree;
        value_integer(value_find(r->current_tree, "metadata.deletionGracePeriodSeconds"), &left);
        if (marked && strategy->grace && (!r->options.grace_set || grace > left))
                grace = left;
        r->removes = grace == 0 && !is_kept(r) && !(marked && left > 0 && !r->options.grace_set);
        if (r->removes)
                error = strategy->grace ? mark(r, grace) : 0;
        else if (marked && is_going(r, grace))
                r->unchanged = true;
        else
                error = mark(r, grace);
        return error < 0 ? api_fail(r, error, NULL) : API_NEXT;
}

static void warn_of_orphans(struct api_request *r) {
        if (strcmp(r->kind->resource, "jobs") == 0 && !r->options.orphan_set && !r->options.propagation)
                api_warn(r, "child pods are preserved by default when jobs are deleted; set "
                            "propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress "
                            "this warning");
}

/* A collection's deletion takes them along, as kube-apiserver's does. */
static bool stays(const struct api_request *r) {
        const struct api_strategy *strategy = api_strategy_of(r->kind);

        return r->verb == KUBE_VERB_DELETE && strategy->stays && strategy->stays(r->name);
}

enum api_step api_remove(struct api_request *r) {
        enum api_step step;
        int error;

        if (stays(r))
                return api_refuse_object(r, API_FORBIDDEN, r->name, "%s.%s \"%s\" is forbidden: %s", r->kind->resource,
                                         r->kind->group, r->name, api_strategy_of(r->kind)->stays_why);
        warn_of_orphans(r);
        r->unchanged = r->removes = false;
        error = api_take_current(r);
        if (error == -ENOENT && r->verb == KUBE_VERB_DELETECOLLECTION)
                return api_again(r, "clear");
        if (error < 0)
                return error == -ENOENT ? api_not_found(r, r->name) : api_fail(r, error, NULL);
        step = check_preconditions(r);
        return step == API_NEXT ? remove_current(r) : step;
}

/* --- commit --- */

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
static bool is_renewal(const struct api_request *r) {
        const struct value *now = r->current_tree, *next = r->next;

        return api_strategy_of(r->kind)->flags & API_RENEWS && r->current && !r->removes &&
               same_but(now, next, "metadata", "spec") &&
               same_but(value_get(now, "spec"), value_get(next, "spec"), "renewTime", "") &&
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

enum api_step api_commit(struct api_request *r) {
        int64_t expected = r->change.expected;
        struct api_json json;
        int error;

        r->change_code = 0;
        if (!r->removes)
                r->removes = lets_go(r);
        error = r->removes ? 0 : forget_empty(r);
        if (error < 0)
                return api_fail(r, error, NULL);
        if (r->options.dry)
                return (error = drop_version(r)) < 0 ? api_fail(r, error, NULL) : API_NEXT;
        error = r->removes ? 0 : api_own_settle(r);
        error = error ?: write_next(r, &json);
        if (error < 0)
                return api_fail(r, error, NULL);
        if (!r->removes && (r->unchanged || is_same(r, &json))) {
                r->unchanged = true;
                return r->pending ? settle_first(r) : API_NEXT;
        }
        api_change_deinit(&r->change);
        error = api_change_init(&r->change, r->server->config.state, r->resource, r->arena, r->next, &json);
        if (error == -EFBIG)
                return api_refuse(r, API_TOO_LARGE, "etcdserver: request is too large");
        if (error < 0)
                return api_fail(r, error, NULL);
        r->change.expected = expected;
        r->change.deletes = r->removes;
        r->change.lazy = is_renewal(r);
        r->change.makes_room = leads_away(r, r->removes ? 0 : json.length);
        return submit(r, &json);
}

/* --- answer --- */

static bool is_named_by_chance(const struct api_request *r) {
        return r->verb == KUBE_VERB_CREATE && *value_string_or(value_find(r->sent, "metadata.generateName"), "");
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
                return api_refuse_object(r, API_ALREADY_EXISTS, r->name, "%s%s%s \"%s\" already exists",
                                         r->kind->resource, *r->kind->group ? "." : "", r->kind->group, r->name);
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
        if (!r->options.dry)
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
