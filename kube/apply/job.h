/* One write of an object, while its owners are found. For kube/apply alone. */
#pragma once

#include "kube/apply/apply.h"
#include "kube/apply/managers.h"
#include "kube/apply/typed.h"

struct apply_job {
        struct arena *arena;
        const struct apply_target *target;
        const struct apply_writer *writer;
        const char *version; /* "apps/v1" */
        struct apply_place place;
        const char *time; /* of the write, as text */
};

/* 0 or -ENOMEM. */
int apply_job_init(struct apply_job *job, struct arena *arena, const struct apply_write *write);

/* @object in @version and where it stands in its schema: 0, -ENOENT (not served), or what convert() gave. */
int apply_job_convert(struct apply_job *job, const struct value *object, const char *version,
                      const struct value **ret_object, struct apply_place *ret_place, struct err **err);

/* The manager who writes, with what the target's version and subresource make of it. */
struct apply_manager apply_job_manager(const struct apply_job *job, const char *name, bool applied);

/* An object as it was, and as it is to be, in the target's version. */
struct apply_change {
        const struct value *before, *after;
};

/* What a change takes from others. */
struct apply_taken {
        struct apply_changes changes; /* filtered */
        uint32_t n_conflicts;
        struct apply_manager *conflicts; /* those who own what was changed; their .set: these fields */
};

/* Every owner in @managers but @self gives up what @change changes or removes: who does not force that looks at the
 * conflicts, and drops @managers when they may not be. */
int apply_job_take(struct apply_job *job, const struct apply_change *change, const struct apply_manager *self,
                   struct apply_managers *managers, struct apply_taken *ret_taken, struct err **err);

/* Sets that another schema wrote become such as this one would; owners in versions that are not served go. */
int apply_job_reconcile(struct apply_job *job, const struct value *live, struct apply_managers *managers,
                        struct err **err);

/* @manager's set without what nobody owns: names, versions, times of the API server's. */
int apply_job_strip(struct apply_job *job, struct apply_managers *managers, const struct apply_manager *manager);

/* What kube-apiserver does on a write that applies nothing: @name owns what has changed. */
int apply_job_update(struct apply_job *job, const struct apply_change *change, const char *name,
                     struct apply_managers *managers, struct err **err);

/* @merged without what @self applied last, as @last, does not apply now, and no other applies. */
int apply_job_prune(struct apply_job *job, const struct value *merged, const struct apply_managers *managers,
                    const struct apply_manager *last, const struct value **ret_pruned, struct err **err);

/* Whether fields in conflict are what client-side apply wrote, by its annotation in @live: a set of fields that may be
 * taken, empty for none. */
int apply_last_applied(struct apply_job *job, const struct value *live, const struct apply_set **ret_allowed);

/* The annotation in @object made anew of @config, where there is one. */
int apply_last_applied_renew(struct apply_job *job, const struct value *object, const struct value *config,
                             const struct value **ret_object);

/* Words and causes of @taken's conflicts without those in @allowed: true when any are left. */
int apply_conflicts_tell(struct apply_job *job, const struct apply_taken *taken, const struct apply_set *allowed,
                         struct apply_result *result, struct err **err);

/* The object as if it had just been made, with nothing in it. 0 or -ENOMEM. */
int apply_empty_object(struct apply_job *job, const struct value **ret_object);

/* metadata.managedFields: read, and replaced (null: removed). */
const struct value *apply_managed_fields(const struct value *object);
int apply_put_managed_fields(struct arena *arena, const struct value *object, const struct value *entries,
                             const struct value **ret_object);
