/* What an applier no longer applies goes, unless others own it (merge/update.go: prune). */
#include <errno.h>
#include <string.h>

#include "kube/apply/job.h"
#include "lib/arena.h"
#include "lib/err.h"

/* The object before and after, in one version. */
struct pruning {
        struct apply_job *job;
        const char *version; /* of both */
        const struct value *merged, *pruned;
        struct apply_place place;
};

static int no_memory(struct err **err) {
        return err_set(err, ENOMEM, "out of memory");
}

static int without(struct pruning *p, const struct value *value, const struct apply_set *set,
                   const struct value **ret_value) {
        struct value *left = arena_new_of(p->job->arena, struct value);

        if (!left || apply_remove(p->job->arena, &p->place, value, set, left) < 0)
                return -ENOMEM;
        *ret_value = left;
        return 0;
}

/* All fields that @value gives, and those above them. NULL without memory. */
static const struct apply_set *fields_of(struct pruning *p, const struct value *value) {
        const struct apply_set *set;

        if (apply_extract(p->job->arena, &p->place, value, &set) < 0)
                return NULL;
        return apply_with_parents(p->job->arena, &p->place, set);
}

/* Both objects in @version; -ENOENT: it is not served. */
static int convert(struct pruning *p, const char *version, struct err **err) {
        const struct value *merged, *pruned;
        struct apply_place place;
        int r;

        if (strcmp(p->version, version) == 0)
                return 0;
        if ((r = apply_job_convert(p->job, p->merged, version, &merged, &place, err)) < 0 ||
            (r = apply_job_convert(p->job, p->pruned, version, &pruned, &place, err)) < 0)
                return r;
        p->merged = merged;
        p->pruned = pruned;
        p->place = place;
        p->version = version;
        return 0;
}

/* What any manager owns in @version. */
static const struct apply_set *owned(struct pruning *p, const struct apply_managers *managers, const char *version) {
        const struct apply_set *all = &apply_set_none;

        for (uint32_t i = 0; i < managers->count && all; i++)
                if (strcmp(managers->items[i].version, version) == 0)
                        all = apply_set_union(p->job->arena, all, managers->items[i].set);
        return all;
}

static int add_back_owned(struct pruning *p, const struct apply_managers *managers, const char *version,
                          struct err **err) {
        const struct apply_set *there, *left, *kept;
        int r = convert(p, version, err);

        if (r < 0)
                return r == -ENOENT ? 0 : r;
        there = fields_of(p, p->merged);
        left = fields_of(p, p->pruned);
        kept = owned(p, managers, version);
        if (kept)
                kept = apply_with_parents(p->job->arena, &p->place, kept);
        if (!there || !left || !kept)
                return no_memory(err);
        kept = apply_set_union(p->job->arena, left, kept);
        there = kept ? apply_set_difference(p->job->arena, there, kept) : NULL;
        if (!there || without(p, p->merged, there, &p->pruned) < 0)
                return no_memory(err);
        return 0;
}

static bool is_first_of_version(const struct apply_managers *managers, uint32_t i) {
        for (uint32_t k = 0; k < i; k++)
                if (strcmp(managers->items[k].version, managers->items[i].version) == 0)
                        return false;
        return true;
}

static int add_back_all_owned(struct pruning *p, const struct apply_managers *managers, const char *version,
                              struct err **err) {
        int r = add_back_owned(p, managers, version, err);

        for (uint32_t i = 0; i < managers->count && r == 0; i++)
                if (strcmp(managers->items[i].version, version) != 0 && is_first_of_version(managers, i))
                        r = add_back_owned(p, managers, managers->items[i].version, err);
        return r;
}

/* What went with it, and was nobody's, or an updater's. */
static int add_back_dangling(struct pruning *p, const struct apply_manager *last, struct err **err) {
        const struct apply_set *there, *left, *gone;
        int r = convert(p, last->version, err);

        if (r < 0)
                return r;
        there = fields_of(p, p->merged);
        left = fields_of(p, p->pruned);
        gone = apply_with_parents(p->job->arena, &p->place, last->set);
        if (!there || !left || !gone)
                return no_memory(err);
        there = apply_set_difference(p->job->arena, there, left);
        gone = there ? apply_set_intersection(p->job->arena, there, gone) : NULL;
        if (!gone || without(p, p->merged, gone, &p->pruned) < 0)
                return no_memory(err);
        return 0;
}

int apply_job_prune(struct apply_job *job, const struct value *merged, const struct apply_managers *managers,
                    const struct apply_manager *last, const struct value **ret_pruned, struct err **err) {
        struct pruning p = { job, job->version, merged, merged, job->place };
        const struct apply_set *set;
        int r = convert(&p, last->version, err);

        *ret_pruned = merged;
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        set = apply_with_parents(job->arena, &p.place, last->set);
        if (!set || without(&p, p.merged, set, &p.pruned) < 0)
                return no_memory(err);
        if ((r = add_back_all_owned(&p, managers, last->version, err)) < 0 ||
            (r = add_back_dangling(&p, last, err)) < 0 || (r = convert(&p, job->version, err)) < 0)
                return r;
        *ret_pruned = p.pruned;
        return 0;
}
