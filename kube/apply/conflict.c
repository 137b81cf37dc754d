/* Conflicts in kube-apiserver's words (managedfields/internal/conflict.go), by manager and then by path. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kube/apply/job.h"
#include "kube/apply/text.h"
#include "lib/arena.h"
#include "lib/err.h"
#include "lib/go_text.h"

struct telling {
        struct arena *arena;
        struct apply_cause *causes;
        uint32_t count, room;
        const char *who;
        bool failed;
};

static const char *manager_text(struct arena *arena, const struct apply_manager *manager) {
        const char *text = go_text_quote(arena, manager->name);
        const char *subresource = *manager->subresource ? go_text_quote(arena, manager->subresource) : NULL;

        if (*manager->subresource)
                text = subresource ? apply_append(arena, text, " with subresource %s", subresource) : NULL;
        return manager->applied ? text : apply_append(arena, text, " using %s", manager->version);
}

static void add_cause(struct telling *t, const char *field) {
        if (t->count == t->room) {
                const uint32_t room = t->room ? t->room * 2 : 4;
                struct apply_cause *causes = arena_alloc_array(t->arena, room, sizeof(*causes));

                if (causes && t->count > 0)
                        memcpy(causes, t->causes, t->count * sizeof(*causes));
                t->causes = causes;
                t->room = room;
        }
        if (!t->causes || !field) {
                t->failed = true;
                return;
        }
        t->causes[t->count].field = field;
        t->causes[t->count].message = arena_printf(t->arena, "conflict with %s", t->who);
        t->failed |= !t->causes[t->count++].message;
}

static const char *path_text(struct telling *t, const char *above, const struct apply_step *step) {
        const char *text = apply_step_text(t->arena, step);

        return text ? apply_append(t->arena, above, "%s", text) : NULL;
}

/* Members of a level before what is below it. */
static void walk(struct telling *t, const char *above, const struct apply_set *set) {
        for (uint32_t i = 0; i < set->count && !t->failed; i++)
                if (set->nodes[i].member)
                        add_cause(t, path_text(t, above, &set->nodes[i].step));
        for (uint32_t i = 0; i < set->count && !t->failed; i++) {
                const char *path;

                if (!set->nodes[i].below)
                        continue;
                path = path_text(t, above, &set->nodes[i].step);
                if (path)
                        walk(t, path, set->nodes[i].below);
                else
                        t->failed = true;
        }
}

struct named {
        const char *identifier;
        const struct apply_manager *manager;
};

static int by_identifier(const void *a, const void *b) {
        const struct named *x = a, *y = b;

        return strcmp(x->identifier, y->identifier);
}

static struct named *sorted(struct arena *arena, const struct apply_taken *taken) {
        struct named *named = arena_alloc_array(arena, taken->n_conflicts + 1, sizeof(*named));

        for (uint32_t i = 0; named && i < taken->n_conflicts; i++) {
                named[i].manager = &taken->conflicts[i];
                named[i].identifier = apply_manager_identifier(arena, named[i].manager);
                if (!named[i].identifier)
                        return NULL;
        }
        if (named)
                qsort(named, taken->n_conflicts, sizeof(*named), by_identifier);
        return named;
}

static const char *finish(struct telling *t, const struct arena_text *list) {
        if (t->failed || list->failed)
                return NULL;
        if (t->count == 1)
                return arena_printf(t->arena, "Apply failed with 1 conflict: %s: %s", t->causes[0].message,
                                    t->causes[0].field);
        return arena_printf(t->arena, "Apply failed with %u conflicts: %s", t->count, arena_text_of(list));
}

int apply_conflicts_tell(struct apply_job *job, const struct apply_taken *taken, const struct apply_set *allowed,
                         struct apply_result *result, struct err **err) {
        struct named *named = sorted(job->arena, taken);
        struct telling t = { .arena = job->arena, .failed = !named };
        struct arena_text list = { .arena = job->arena };

        for (uint32_t i = 0; i < taken->n_conflicts && !t.failed; i++) {
                const struct apply_set *set = apply_set_difference(job->arena, named[i].manager->set, allowed);
                const uint32_t from = t.count;

                t.who = manager_text(job->arena, named[i].manager);
                if (!set || !t.who)
                        return err_set(err, ENOMEM, "out of memory");
                if (apply_set_empty(set))
                        continue;
                walk(&t, "", set);
                arena_text_add(&list, "%sconflicts with %s:", from > 0 ? "\n" : "", t.who);
                for (uint32_t k = from; k < t.count && !t.failed; k++)
                        arena_text_add(&list, "\n- %s", t.causes[k].field);
        }
        result->message = finish(&t, &list);
        if (!result->message)
                return err_set(err, ENOMEM, "out of memory");
        result->causes = t.causes;
        result->n_causes = t.count;
        return err_set(err, APPLY_CONFLICT, "%s", result->message);
}
