#include "kube/apply/job.h"

#include <errno.h>
#include <string.h>

#include "kube/apply/filter.h"
#include "kube/scalar.h"
#include "kube/types.h"
#include "lib/arena.h"
#include "lib/err.h"

int apply_job_init(struct apply_job *job, struct arena *arena, const struct apply_write *write) {
        struct kube_time time = { .seconds = write->writer->now, .set = true };
        const struct apply_target *target = write->target;
        char text[KUBE_TIME_TEXT_MAX];

        kube_time_settle(&time, false);
        kube_time_format(&time, false, text);
        *job = (struct apply_job){
                .arena = arena,
                .target = target,
                .writer = write->writer,
                .version =
                        *target->group ? arena_printf(arena, "%s/%s", target->group, target->version) : target->version,
                .place = apply_place_of(target->type),
                .time = arena_strdup(arena, text),
        };
        return job->version && job->time ? 0 : -ENOMEM;
}

/* Whether @object, which a conversion may have made, is of the job's version. */
static bool is_own(const struct apply_job *job, const struct value *object) {
        return strcmp(value_string_or(value_get(object, "apiVersion"), job->version), job->version) == 0;
}

int apply_job_convert(struct apply_job *job, const struct value *object, const char *version,
                      const struct value **ret_object, struct apply_place *ret_place, struct err **err) {
        struct apply_object converted;
        int r;

        if (strcmp(version, job->version) == 0 && (is_own(job, object) || !job->target->convert)) {
                *ret_object = object;
                *ret_place = job->place;
                return 0;
        }
        if (!job->target->convert)
                return -ENOENT;
        r = job->target->convert(job->target->convert_data, job->arena, object, version, &converted, err);
        if (r < 0)
                return r;
        *ret_object = converted.value;
        *ret_place = apply_place_of(converted.type);
        return 0;
}

struct apply_manager apply_job_manager(const struct apply_job *job, const char *name, bool applied) {
        return (struct apply_manager){
                .name = name && *name ? name : "unknown",
                .subresource = job->target->subresource ?: "",
                .version = job->version,
                .applied = applied,
                .set = &apply_set_none,
        };
}

int apply_job_reconcile(struct apply_job *job, const struct value *live, struct apply_managers *managers,
                        struct err **err) {
        uint32_t n = 0;

        for (uint32_t i = 0; i < managers->count; i++) {
                struct apply_manager manager = managers->items[i];
                const struct value *object;
                struct apply_place place;
                int r = apply_job_convert(job, live, manager.version, &object, &place, err);

                if (r == -ENOENT)
                        continue;
                if (r < 0)
                        return r;
                manager.set = apply_reconcile(job->arena, &place, manager.set);
                if (!manager.set)
                        return err_set(err, ENOMEM, "out of memory");
                managers->items[n++] = manager;
        }
        managers->count = n;
        return 0;
}

/* ---- what others own ---- */

/* A change as it is in one version. */
struct view {
        const char *version;
        bool missing;
        struct apply_changes changes;
        struct view *next;
};

static int filter_changes(struct apply_job *job, struct apply_changes *changes) {
        const struct apply_set **sets[] = { &changes->removed, &changes->modified, &changes->added };

        for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
                *sets[i] = apply_filter_set(job->arena, job->target->filter, *sets[i]);
                if (!*sets[i])
                        return -ENOMEM;
        }
        return 0;
}

static int make_view(struct apply_job *job, const struct apply_change *change, struct view *view, struct err **err) {
        const struct value *from, *to;
        struct apply_place place;
        int r = apply_job_convert(job, change->before, view->version, &from, &place, err);

        if (r == 0)
                r = apply_job_convert(job, change->after, view->version, &to, &place, err);
        view->missing = r == -ENOENT;
        if (r < 0)
                return view->missing ? 0 : r;
        if (apply_compare(job->arena, &place, from, to, &view->changes) < 0 || filter_changes(job, &view->changes) < 0)
                return err_set(err, ENOMEM, "out of memory");
        return 0;
}

static int find_view(struct apply_job *job, const struct apply_change *change, const char *version, struct view *first,
                     struct view **ret_view, struct err **err) {
        struct view *view = first;

        while (strcmp(view->version, version) != 0 && view->next)
                view = view->next;
        if (strcmp(view->version, version) != 0) {
                view->next = arena_new_of(job->arena, struct view);
                if (!view->next)
                        return err_set(err, ENOMEM, "out of memory");
                view = view->next;
                view->version = version;
                *ret_view = view;
                return make_view(job, change, view, err);
        }
        *ret_view = view;
        return 0;
}

static const struct apply_set *in_conflict(struct apply_job *job, const struct view *view,
                                           const struct apply_manager *manager) {
        const struct apply_set *changed;

        changed = apply_set_union(job->arena, view->changes.modified, view->changes.added);
        return changed ? apply_set_intersection(job->arena, manager->set, changed) : NULL;
}

static int give_up(struct apply_job *job, struct apply_manager *manager, const struct apply_set *conflict,
                   const struct apply_set *removed) {
        manager->set = apply_set_difference(job->arena, manager->set, conflict);
        if (manager->set)
                manager->set = apply_set_difference(job->arena, manager->set, removed);
        return manager->set ? 0 : -ENOMEM;
}

int apply_job_take(struct apply_job *job, const struct apply_change *change, const struct apply_manager *self,
                   struct apply_managers *managers, struct apply_taken *ret_taken, struct err **err) {
        struct view own = { .version = job->version }, **views;
        struct apply_manager *in;
        uint32_t n = 0, count = 0;
        int r = make_view(job, change, &own, err);

        views = arena_alloc_array(job->arena, managers->count + 1, sizeof(struct view *));
        in = arena_alloc_array(job->arena, managers->count + 1, sizeof(*in));
        if (r < 0)
                return r;
        if (!views || !in)
                return err_set(err, ENOMEM, "out of memory");
        for (uint32_t i = 0; i < managers->count; i++) {
                struct apply_manager *manager = &managers->items[i];

                if (apply_manager_same(manager, self)) {
                        managers->items[n++] = *manager;
                        continue;
                }
                r = find_view(job, change, manager->version, &own, &views[n], err);
                if (r < 0)
                        return r;
                if (views[n]->missing)
                        continue;
                in[count] = *manager;
                in[count].set = in_conflict(job, views[n], manager);
                if (!in[count].set || give_up(job, manager, in[count].set, views[n]->changes.removed) < 0)
                        return err_set(err, ENOMEM, "out of memory");
                count += !apply_set_empty(in[count].set);
                managers->items[n++] = *manager;
        }
        managers->count = n;
        apply_managers_drop_empty(managers);
        *ret_taken = (struct apply_taken){ .changes = own.changes, .n_conflicts = count, .conflicts = in };
        return 0;
}

/* ---- what the writer owns ---- */

static const struct apply_set *stripped(struct arena *arena, const struct apply_set *set) {
        static const char *const top[] = { "apiVersion", "kind", "metadata" };
        static const char *const metadata[] = { "clusterName", "creationTimestamp", "generation",      "managedFields",
                                                "name",        "namespace",         "resourceVersion", "selfLink",
                                                "uid" };
        struct apply_node inner[sizeof(metadata) / sizeof(metadata[0])], outer[sizeof(top) / sizeof(top[0])];
        struct apply_set below = { inner, sizeof(inner) / sizeof(inner[0]) };
        const struct apply_set strip = { outer, sizeof(outer) / sizeof(outer[0]) };

        for (size_t i = 0; i < below.count; i++)
                inner[i] = (struct apply_node){ { APPLY_STEP_FIELD, { .name = metadata[i] } }, true, NULL };
        for (size_t i = 0; i < strip.count; i++)
                outer[i] = (struct apply_node){ { APPLY_STEP_FIELD, { .name = top[i] } },
                                                true,
                                                i == strip.count - 1 ? &below : NULL };
        return apply_set_difference(arena, set, &strip);
}

int apply_job_strip(struct apply_job *job, struct apply_managers *managers, const struct apply_manager *manager) {
        struct apply_manager *there = apply_managers_find(managers, manager);

        if (!there)
                return 0;
        there->set = stripped(job->arena, there->set);
        if (!there->set)
                return -ENOMEM;
        if (apply_set_empty(there->set))
                apply_managers_drop(managers, manager);
        return 0;
}

/* Not a name that a client could have. */
#define CURRENT "\x01"

int apply_job_update(struct apply_job *job, const struct apply_change *change, const char *name,
                     struct apply_managers *managers, struct err **err) {
        struct apply_manager manager = apply_job_manager(job, name, false), current = manager, *previous;
        struct apply_taken taken;
        int r = apply_job_reconcile(job, change->before, managers, err);

        current.name = CURRENT;
        if (r == 0)
                r = apply_job_take(job, change, &current, managers, &taken, err);
        if (r < 0)
                return r;
        manager.set = apply_set_union(job->arena, taken.changes.modified, taken.changes.added);
        if (manager.set)
                manager.set = apply_filter_set(job->arena, job->target->filter, manager.set);
        if (manager.set)
                manager.set = stripped(job->arena, manager.set);
        if (!manager.set)
                return err_set(err, ENOMEM, "out of memory");
        if (!apply_set_empty(manager.set)) {
                previous = apply_managers_find(managers, &manager);
                if (previous)
                        manager.set = apply_set_union(job->arena, manager.set, previous->set);
                manager.time = job->time;
                manager.seconds = job->writer->now;
                if (!manager.set || apply_managers_put(managers, &manager) < 0)
                        return err_set(err, ENOMEM, "out of memory");
        }
        return apply_managers_cap(managers) < 0 ? err_set(err, ENOMEM, "out of memory") : 0;
}
