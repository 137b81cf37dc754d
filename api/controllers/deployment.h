/* What the files of the Deployments' controller share. What is to be done is decided of what is known alone
 * (struct deployment_plan), then done: the new ReplicaSet is made, the others are scaled or deleted, and the Deployment
 * says what has become of it.
 */
#pragma once

#include "api/controllers/controller.h"
#include "api/controllers/known.h"
#include "kube/apps_v1.h"

#define DEPLOYMENT_REVISION "deployment.kubernetes.io/revision"
#define DEPLOYMENT_HISTORY "deployment.kubernetes.io/revision-history"
#define DEPLOYMENT_DESIRED "deployment.kubernetes.io/desired-replicas"
#define DEPLOYMENT_MAX "deployment.kubernetes.io/max-replicas"
#define DEPLOYMENT_HASH_LABEL "pod-template-hash"
#define DEPLOYMENT_HASH_MAX 16      /* bytes of its text, with the NUL */
#define DEPLOYMENT_HISTORY_MAX 2000 /* bytes of the annotation */

enum { DEPLOYMENT_DEPLOYMENTS, DEPLOYMENT_SETS, DEPLOYMENT_PODS };

typedef struct kube_apps_v1_deployment deployment;
typedef struct kube_apps_v1_deployment_condition deployment_condition;

struct deployment_set {
        struct kube_apps_v1_replica_set set; /* as it is to be */
        int32_t before;                      /* its replicas as they are */
        bool runs;                           /* it has pods that have not ended */
        bool is_new;                         /* it is not there yet */
        bool changed, removed;
};

struct deployment_plan {
        struct arena *arena;
        int64_t now;                 /* s since 1970 */
        deployment d;                /* with the status, and the annotations, that it is to have */
        struct deployment_set *sets; /* by creation, the oldest first; there is room for one more */
        unsigned n_sets;
        struct deployment_set *current; /* the one of d's template; NULL: none */
        int64_t due;                    /* s from now until its progress is looked at again; 0: not by time */
        bool no_memory;
};

/* Decides. -ENOMEM or 0. */
int deployment_decide(struct deployment_plan *plan);

/* --- numbers --- */

int32_t deployment_sum(int32_t a, int32_t b);   /* at most INT32_MAX */
int32_t deployment_wanted(const deployment *d); /* spec.replicas */
int32_t deployment_scaled(const struct int_or_string *amount, int32_t total, bool up);
bool deployment_rolls(const deployment *d);
int32_t deployment_surge(const deployment *d);
int32_t deployment_most(const deployment *d);        /* spec.replicas and the surge */
int32_t deployment_unavailable(const deployment *d); /* at most all of them */
int32_t deployment_replicas(const struct deployment_set *set);

/* --- annotations and revisions --- */

/* NULL: none. */
const char *deployment_annotation(const struct kube_object_meta *meta, const char *key);

/* Sets it, the map being in the arena: true when it was another. */
bool deployment_annotate(struct deployment_plan *plan, struct kube_object_meta *meta, const char *key,
                         const char *value);
bool deployment_annotate_size(struct deployment_plan *plan, struct kube_apps_v1_replica_set *set);

/* Finds the set of the template, brings its annotations up to date, and where there is none and @create makes one. */
void deployment_find_current(struct deployment_plan *plan, bool create);

/* The text of a template without the label of its hash; NULL without memory. */
struct kube_pod_template_spec;
const char *deployment_template_text(struct arena *arena, const struct kube_pod_template_spec *template);
void deployment_hash(const char *text, struct opt_int collisions, char ret_hash[DEPLOYMENT_HASH_MAX]);

/* The sets that are beyond the limit go. */
void deployment_clean(struct deployment_plan *plan);

/* --- sizes --- */

bool deployment_scales(const struct deployment_plan *plan); /* its size has changed since its sets got theirs */
void deployment_scale(struct deployment_plan *plan);        /* of one that is paused, or has been scaled */
void deployment_roll(struct deployment_plan *plan);
void deployment_recreate(struct deployment_plan *plan);

/* --- status --- */

const deployment_condition *deployment_condition_of(const deployment *d, const char *type);
void deployment_set_condition(struct deployment_plan *plan, const char *type, const char *status, const char *reason,
                              const char *message);
bool deployment_has_deadline(const deployment *d);
bool deployment_is_complete(const deployment *d, const struct kube_apps_v1_deployment_status *status);
void deployment_count(struct deployment_plan *plan);         /* numbers, and whether it is available */
void deployment_tell_progress(struct deployment_plan *plan); /* the same, with how it gets on */
void deployment_check_pause(struct deployment_plan *plan);

/* --- what is done --- */

/* What the steps of a sync tell each other. */
struct deployment_sync {
        deployment d;       /* as it was */
        const char *before; /* its status and annotations then, as text */
        struct deployment_plan plan;
        const char *error; /* why the new set was not made */
};

/* The new set, the others, the status: each goes on with the next. */
int deployment_carry_out(struct task *task);
int deployment_change_sets(struct task *task);
int deployment_finish(struct task *task);

void deployment_tell(struct task *task, const char *type, const char *reason, const char *message);
void deployment_tell_scaled(struct task *task, const char *name, int32_t from, int32_t to);
