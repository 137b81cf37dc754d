/* Deletion: at once, or marked to go; what becomes of what depends on it is said by a finalizer. */
#include <errno.h>
#include <string.h>

#include "api/cache/object.h"
#include "api/rest/meta.h"
#include "api/rest/rest.h"
#include "api/rest/show.h"
#include "api/rest/strategy.h"
#include "api/server/codec.h"
#include "api/server/request.h"
#include "api/server/status.h"
#include "api/state/resource.h"
#include "kube/kinds.h"
#include "kube/scalar.h"
#include "lib/arena.h"
#include "lib/go_number.h"
#include "lib/value.h"
#include "lib/value_edit.h"

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

/* Whether of those for dependents @object has @name alone; NULL: none. It keeps its place then. */
static bool has_only(const struct value *object, const char *name) {
        const struct value *list = value_find(object, "metadata.finalizers");
        bool any = false;

        for (uint32_t i = 0; i < value_count(list); i++) {
                const char *one = value_string_or(value_at(list, i), "");

                if (is_garbage_finalizer(one) && (!name || strcmp(one, name) != 0))
                        return false;
                any |= is_garbage_finalizer(one);
        }
        return any == (name != NULL);
}

/* The finalizers without those for dependents, and with @name, where there is one. */
static int put_finalizers(struct value_edit *edit, struct arena *arena, const struct value *object, const char *name) {
        const struct value *list = value_find(object, "metadata.finalizers");
        struct value *items = arena_alloc_array(arena, (size_t)value_count(list) + 1, sizeof(*items));
        uint32_t n = 0;
        int error;

        if (has_only(object, name))
                return 0;
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

/* For how long it may go on, and that it is another generation: neither of what is marked plainly. */
static int mark_grace(const struct api_request *r, struct value_edit *edit, int64_t grace) {
        int64_t generation = 0;
        int error;

        if (api_strategy_of(r->kind)->flags & API_MARKED_PLAINLY)
                return 0;
        error = value_edit_set(edit, "/metadata/deletionGracePeriodSeconds", &(struct value)VALUE_INTEGER(grace), NULL);
        value_integer(value_find(r->current_tree, "metadata.generation"), &generation);
        if (error < 0 || generation <= 0 || value_find(r->current_tree, "metadata.deletionTimestamp"))
                return error;
        return value_edit_set(edit, "/metadata/generation", &(struct value)VALUE_INTEGER(go_number_next(generation)),
                              NULL);
}

static int put_marks(const struct api_request *r, struct value_edit *edit, int64_t grace, const char *when) {
        const struct value *object = r->current_tree;
        int error;

        if ((error = value_edit_set(edit, "/metadata/deletionTimestamp", &(struct value)VALUE_TEXT(when), NULL)) < 0 ||
            (error = mark_grace(r, edit, grace)) < 0 ||
            (error = put_finalizers(edit, r->arena, object, finalizer_of(r, object))) < 0)
                return error;
        if (strcmp(r->kind->resource, "namespaces") != 0)
                return 0;
        return value_edit_set(edit, "/status/phase", &(struct value)VALUE_TEXT("Terminating"), NULL);
}

/* The object as it is kept, whichever version it is deleted by. */
static int take_kept(struct api_request *r) {
        r->next = r->current_tree;
        return r->kind == r->resource->kind ? 0 : api_tree_of_json(r->arena, r->current_json, &r->next);
}

/* That with its deletion's time, at which it shall be gone. */
static int mark(struct api_request *r, int64_t grace) {
        const char *when = end_of(r, grace);
        struct value_edit edit;
        int error;

        if (!when)
                return -ENOMEM;
        value_edit_begin(&edit, r->arena, r->next);
        error = put_marks(r, &edit, grace, when);
        r->next = value_edit_end(&edit);
        return error ?: r->next ? api_order(r) : -ENOMEM;
}

/* A namespace goes by a way of its own: whoever deletes it again changes nothing, and it has its own words. */
static bool is_namespace(const struct api_request *r) {
        return !*r->kind->group && strcmp(r->kind->resource, "namespaces") == 0;
}

static enum api_step refuse_precondition(struct api_request *r, const char *what, const char *wanted, const char *is,
                                         const char *hint) {
        if (!is_namespace(r))
                return api_unmet(r, what, wanted, is, hint);
        return api_refuse_object(r, API_CONFLICT, r->name,
                                 "Operation cannot be fulfilled on namespaces \"%s\": Precondition failed: %s in "
                                 "precondition: %s, %s in object meta: %s",
                                 r->name, what, wanted, what, is);
}

static enum api_step check_preconditions(struct api_request *r) {
        const struct value *meta = value_get(r->current_tree, "metadata");
        const char *uid = value_string_or(value_get(meta, "uid"), ""),
                   *version = value_string_or(value_get(meta, "resourceVersion"), "");
        const struct api_options *o = &r->options;

        if (o->uid && strcmp(o->uid, uid) != 0)
                return refuse_precondition(r, "UID", o->uid, uid, "deleted and then recreated");
        if (o->version && *o->version && strcmp(o->version, version) != 0)
                return refuse_precondition(r, "ResourceVersion", o->version, version, "modified");
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
        return is_namespace(r) || (same && grace >= seconds);
}

static enum api_step remove_current(struct api_request *r) {
        const struct api_strategy *strategy = api_strategy_of(r->kind);
        bool marked = value_find(r->current_tree, "metadata.deletionTimestamp");
        int64_t grace = strategy->grace ? strategy->grace(r, r->current_tree) : 0, left = 0;
        int error = take_kept(r);

        if (error < 0)
                return api_fail(r, error, NULL);
        r->change.expected = r->current->revision;
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

void api_warn_of_orphans(struct api_request *r) {
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
        api_warn_of_orphans(r);
        r->unchanged = r->removes = false;
        error = api_take_current(r);
        if (error == -ENOENT && r->verb == KUBE_VERB_DELETECOLLECTION)
                return api_again(r, "clear");
        if (error < 0)
                return error == -ENOENT ? api_not_found(r, r->name) : api_fail(r, error, NULL);
        step = check_preconditions(r);
        return step == API_NEXT ? remove_current(r) : step;
}
