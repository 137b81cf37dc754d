#include "kube/apply/apply.h"

#include <string.h>

#include "kube/apply/filter.h"
#include "kube/apply/job.h"
#include "kube/apply/text.h"
#include "kube/type.h"
#include "lib/arena.h"
#include "lib/err.h"
#include "lib/go_text.h"

static const struct value nothing = { .kind = VALUE_NULL };

int apply_status(int error) {
        switch (-error) {
        case APPLY_MALFORMED:
                return 400;
        case APPLY_CONFLICT:
                return 409;
        default:
                return 500;
        }
}

static int no_memory(struct err **err) {
        return err_set(err, ENOMEM, "out of memory");
}

/* ---- the configuration ---- */

/* "default/web; apps/v1, Kind=Deployment" */
static const char *object_text(struct apply_job *job, const struct value *object) {
        const struct value *metadata = value_get(object, "metadata");

        return arena_printf(job->arena, "%s/%s; %s/%s, Kind=%s", value_string_or(value_get(metadata, "namespace"), ""),
                            value_string_or(value_get(metadata, "name"), ""), job->target->group, job->target->version,
                            job->target->kind);
}

static int check_kind(struct apply_job *job, const struct value *config, struct err **err) {
        const char *version = value_string_or(value_get(config, "apiVersion"), "");
        const char *kind = value_string_or(value_get(config, "kind"), "");
        const char *slash = strchr(version, '/');

        if (strcmp(version, job->version) == 0 && strcmp(kind, job->target->kind) == 0)
                return 0;
        if (slash && strchr(slash + 1, '/')) /* Go makes no version of it, and then no kind either */
                return err_set(err, APPLY_MALFORMED, "invalid object type: /, Kind=");
        return err_set(err, APPLY_MALFORMED, "invalid object type: %s%s, Kind=%s", slash ? "" : "/", version, kind);
}

static int check_typed(struct apply_job *job, const struct value *object, const char *what, bool duplicates,
                       struct err **err) {
        int r = apply_validate(job->arena, &job->place, object, duplicates, err);
        const char *text;

        if (r == 0 || r == -ENOMEM)
                return r;
        text = object_text(job, object);
        return err_wrap(err, r, "failed to create typed %s object (%s)", what, text ?: "");
}

static int check_config(struct apply_job *job, const struct value *live, const struct value *config, struct err **err) {
        int r;

        if (value_is(apply_managed_fields(config), VALUE_LIST))
                return err_set(err, APPLY_MALFORMED, "metadata.managedFields must be nil");
        r = check_typed(job, config, "patch", false, err);
        /* What was read by a struct fits its type; a schema of run time may have changed since. */
        if (r < 0 || (job->target->type && job->target->type->size > 0))
                return r;
        return check_typed(job, live, "live", true, err);
}

/* What one round of applying gives. */
struct applied {
        const struct value *object;
        bool changed;
        struct apply_managers managers;
        struct apply_taken taken;
};

/* Makes @applied's object, and what @self owns of it. */
static int merge(struct apply_job *job, const struct value *live, const struct value *config,
                 struct apply_manager *self, struct applied *applied, struct err **err) {
        const struct apply_manager *there = apply_managers_find(&applied->managers, self);
        struct apply_manager last = there ? *there : *self;
        struct value *merged = arena_new_of(job->arena, struct value);

        if (!merged || apply_merge(job->arena, &job->place, live, config, merged) < 0 ||
            apply_extract(job->arena, &job->place, config, &self->set) < 0)
                return no_memory(err);
        self->set = apply_filter_set(job->arena, job->target->filter, self->set);
        self->time = last.time;
        self->seconds = last.seconds;
        if (!self->set || apply_managers_put(&applied->managers, self) < 0)
                return no_memory(err);
        applied->object = merged;
        /* Of what is applied again nothing can go: see what prune() would add back. */
        if (apply_set_within(last.set, self->set) && strcmp(last.version, self->version) == 0)
                return 0;
        return apply_job_prune(job, merged, &applied->managers, &last, &applied->object, err);
}

/* @managers stay as they are. */
static int round_of(struct apply_job *job, const struct value *live, const struct value *config,
                    const struct apply_managers *managers, struct applied *ret, struct err **err) {
        struct apply_manager self = apply_job_manager(job, job->writer->manager, true), *there;
        int r;

        *ret = (struct applied){ 0 };
        if (apply_managers_copy(managers, &ret->managers) < 0)
                return no_memory(err);
        if ((r = apply_job_reconcile(job, live, &ret->managers, err)) < 0 ||
            (r = merge(job, live, config, &self, ret, err)) < 0 ||
            (r = apply_job_take(job, &(struct apply_change){ live, ret->object }, &self, &ret->managers, &ret->taken,
                                err)) < 0)
                return r;
        if (apply_job_strip(job, &ret->managers, &self) < 0)
                return no_memory(err);
        ret->changed = !apply_value_same(live, ret->object);
        there = apply_managers_find(&ret->managers, &self);
        if (there && ret->changed) {
                there->time = job->time;
                there->seconds = job->writer->now;
        }
        if (!ret->changed)
                ret->object = live;
        return 0;
}

static bool is_kubectl(const struct apply_job *job) {
        return strcmp(job->writer->manager ?: "", "kubectl") == 0;
}

/* Whether the round stands: there are no conflicts, or they may be. */
static int settle_conflicts(struct apply_job *job, const struct value *live, const struct applied *applied,
                            struct apply_result *ret_result, struct err **err) {
        const struct apply_set *allowed = &apply_set_none;
        bool covered = true;

        if (applied->taken.n_conflicts == 0 || job->writer->force)
                return 0;
        if (is_kubectl(job) && apply_last_applied(job, live, &allowed) < 0)
                return no_memory(err);
        for (uint32_t i = 0; i < applied->taken.n_conflicts; i++)
                covered &= apply_set_within(applied->taken.conflicts[i].set, allowed);
        return covered ? 0 : apply_conflicts_tell(job, &applied->taken, allowed, ret_result, err);
}

/* The managers of @live; where it has none, what is in it is of whoever was there before. */
static int read_managers(struct apply_job *job, const struct value *live, const struct value *bare,
                         struct apply_managers *ret_managers, struct err **err) {
        int r = apply_managers_read(job->arena, apply_managed_fields(live), ret_managers, err);
        struct apply_change change = { .after = bare };

        if (r < 0)
                return r == -ENOMEM ? r : err_wrap(err, -APPLY_FAILED, "failed to decode managed fields");
        if (ret_managers->count > 0)
                return 0;
        if (apply_empty_object(job, &change.before) < 0)
                return no_memory(err);
        r = apply_job_update(job, &change, APPLY_FIRST_MANAGER, ret_managers, err);
        return r < 0 ? err_wrap(err, r, "failed to create manager for existing fields") : 0;
}

static int finish(struct apply_job *job, struct applied *applied, const struct value *config,
                  struct apply_result *ret_result) {
        struct apply_result result = { .object = applied->object, .changed = applied->changed };
        struct value entries;

        if (is_kubectl(job) && apply_last_applied_renew(job, result.object, config, &result.object) < 0)
                return -ENOMEM;
        result.changed |= result.object != applied->object;
        if (apply_managers_write(&applied->managers, &entries) < 0 ||
            apply_put_managed_fields(job->arena, result.object, &entries, &result.object) < 0)
                return -ENOMEM;
        *ret_result = result;
        return 0;
}

int apply_configuration(struct arena *arena, const struct apply_write *write, struct apply_result *ret_result,
                        struct err **err) {
        const struct value *live = write->live, *bare;
        struct apply_managers managers;
        struct applied applied;
        struct apply_job job;
        int r;

        if (apply_job_init(&job, arena, write) < 0 || (!live && apply_empty_object(&job, &live) < 0) ||
            apply_put_managed_fields(arena, live, &nothing, &bare) < 0)
                return no_memory(err);
        if ((r = read_managers(&job, live, bare, &managers, err)) < 0 || (r = check_kind(&job, write->sent, err)) < 0 ||
            (r = check_config(&job, bare, write->sent, err)) < 0 ||
            (r = round_of(&job, bare, write->sent, &managers, &applied, err)) < 0 ||
            (r = settle_conflicts(&job, bare, &applied, ret_result, err)) < 0)
                return r;
        return finish(&job, &applied, write->sent, ret_result) < 0 ? no_memory(err) : 0;
}

/* ---- updates ---- */

bool apply_forgets(const struct value *sent) {
        const struct value *entries = apply_managed_fields(sent);

        return value_is(entries, VALUE_LIST) &&
               (entries->count == 0 || (entries->count == 1 && value_count(&entries->items[0]) == 0));
}

/* Those that @changed brings, or else those of @live; what cannot be read is as if it were not there. */
static int managers_of_update(struct apply_job *job, const struct value *live, const struct value *changed,
                              struct apply_managers *ret_managers) {
        const struct value *brought = apply_managed_fields(changed);
        int r;

        *ret_managers = (struct apply_managers){ .arena = job->arena };
        if (!job->target->subresource || !*job->target->subresource) {
                if (job->writer->forget || apply_forgets(changed))
                        return 0;
                r = apply_managers_read(job->arena, brought, ret_managers, NULL);
                if (r == -ENOMEM || (r == 0 && ret_managers->count > 0))
                        return r;
        }
        r = apply_managers_read(job->arena, apply_managed_fields(live), ret_managers, NULL);
        if (r < 0)
                *ret_managers = (struct apply_managers){ .arena = job->arena };
        return r == -ENOMEM ? r : 0;
}

/* Owners that cannot be found are none: an update never fails for them. */
static int update_managers(struct apply_job *job, const struct apply_change *change, struct apply_managers *managers) {
        int r = apply_job_update(job, change, job->writer->manager, managers, NULL);

        if (r < 0 && r != -ENOMEM)
                managers->count = 0;
        return r == -ENOMEM ? r : 0;
}

int apply_update(struct arena *arena, const struct apply_write *write, const struct value **ret_object) {
        struct apply_change change = { .before = write->live };
        const struct value *object;
        struct apply_managers managers;
        struct value entries;
        struct apply_job job;

        if (apply_job_init(&job, arena, write) < 0 || (!write->live && apply_empty_object(&job, &change.before) < 0) ||
            apply_put_managed_fields(arena, change.before, &nothing, &change.before) < 0 ||
            apply_put_managed_fields(arena, write->sent, &nothing, &change.after) < 0 ||
            managers_of_update(&job, write->live, write->sent, &managers) < 0)
                return -ENOMEM;
        /* Of an object without owners none is made, but of one that is new. */
        if ((managers.count > 0 || !write->live) && update_managers(&job, &change, &managers) < 0)
                return -ENOMEM;
        if (apply_managers_write(&managers, &entries) < 0 ||
            apply_put_managed_fields(arena, change.after, &entries, &object) < 0)
                return -ENOMEM;
        *ret_object = object;
        return 0;
}

/* ---- times ---- */

/* @entry without its time. */
static bool same_entry(const struct value *a, const struct value *b, bool *ret_same_time) {
        static const char *const keys[] = { "manager",    "operation", "apiVersion",
                                            "fieldsType", "fieldsV1",  "subresource" };
        const struct value *x = value_get(a, "time"), *y = value_get(b, "time");

        *ret_same_time = x == y || (x && y && apply_value_same(x, y));
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
                x = value_get(a, keys[i]);
                y = value_get(b, keys[i]);
                if (x != y && !(x && y && apply_value_same(x, y)))
                        return false;
        }
        return true;
}

/* Whether they are the same, but for times, of which at least one has changed. */
static bool only_times(const struct value *a, const struct value *b) {
        bool times = true, same = true;

        if (value_count(a) != value_count(b) || value_count(b) == 0)
                return false;
        for (uint32_t i = 0; i < a->count; i++) {
                bool same_time;

                same &= same_entry(&a->items[i], &b->items[i], &same_time);
                times &= same_time;
        }
        return same && !times;
}

int apply_settle(struct arena *arena, const struct value *live, const struct value *changed,
                 const struct value **ret_object) {
        const struct value *before, *after, *entries = apply_managed_fields(live);

        *ret_object = changed;
        if (!only_times(entries, apply_managed_fields(changed)))
                return 0;
        if (apply_put_managed_fields(arena, live, &nothing, &before) < 0 ||
            apply_put_managed_fields(arena, changed, &nothing, &after) < 0)
                return -ENOMEM;
        return apply_value_same(before, after) ? apply_put_managed_fields(arena, changed, entries, ret_object) : 0;
}

/* ---- names ---- */

void apply_manager_of(const char *user_agent, char ret_name[APPLY_MANAGER_BYTES_MAX + 1]) {
        size_t n = 0;

        for (const char *p = user_agent; *p && *p != '/';) {
                int32_t rune;
                size_t length = go_text_rune(p, strlen(p), &rune);

                if (rune >= 0 && go_text_printable(rune)) {
                        if (n + length > APPLY_MANAGER_BYTES_MAX)
                                break;
                        memcpy(ret_name + n, p, length);
                        n += length;
                }
                p += length;
        }
        ret_name[n] = '\0';
}
